use std::time::Instant;

use futures::executor::block_on;
use transom_dns::Zone;

use super::*;
use crate::dkim::{
    AuthenticationScan, DkimProblem, KeyCache, Keys, ScannedContent, SignError, SigningKey,
};

const NOW: u64 = 1_700_000_000;
const MESSAGE: &str = "From: ann@example.com\r\nSubject: hi\r\n\r\nhello\r\n";

fn scan(content: &str) -> ScannedContent {
    let mut scan = AuthenticationScan::signing();
    scan.update(content.as_bytes());
    scan.finish()
}

fn sealer() -> (ArcSealer, Zone) {
    let key = SigningKey::from_pem(SigningKey::generate_ed25519().unwrap().as_bytes()).unwrap();
    let zone = format!("s._domainkey.relay.example TXT {}", key.dns_record());
    (ArcSealer::new("relay.example", "s", key).unwrap(), zone.parse().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn judge(content: &str, zone: &Zone) -> ArcVerdict {
    let content = scan(content);
    let keys = block_on(KeyCache::new().fetch(content.key_names(), zone, Instant::now()));
    verify(&content, &keys, NOW)
}

/// The message as it is after so many relays.
fn handed_on(sealer: &ArcSealer, zone: &Zone, times: usize) -> String {
    let mut content = MESSAGE.to_owned();
    for _ in 0..times {
        let verdict = judge(&content, zone);
        let results = "mx.relay.example;\r\n\tspf=pass smtp.mailfrom=example.com";
        let ours = sealer.seal(&scan(&content), &verdict, results, NOW).unwrap();
        assert!(ours.lines().all(|line| line.len() <= 998));
        content = ours + &content;
    }
    content
}

#[test]
// [RFC 8617 §5.2] test
fn chain_of_several_relays_holds() {
    let (sealer, zone) = sealer();
    assert_eq!(judge(MESSAGE, &zone).result, ArcResult::None);
    let verdict = judge(&handed_on(&sealer, &zone, 3), &zone);
    assert_eq!((verdict.result, verdict.problem), (ArcResult::Pass, None));
    assert_eq!(verdict.instances.len(), 3);
    let first = &verdict.instances[0];
    assert_eq!((first.domain.as_str(), first.selector.as_str()), ("relay.example", "s"));
    assert_eq!(first.results, "mx.relay.example; spf=pass smtp.mailfrom=example.com");
}

#[test]
fn change_breaks_the_chain_where_it_was_made() {
    let (sealer, zone) = sealer();
    let content = handed_on(&sealer, &zone, 2);
    let field = |field, instance, problem| Some(ArcProblem::Field { field, instance, problem });
    let body = judge(&content.replace("hello", "hallo"), &zone);
    assert_eq!(body.problem, field("ARC-Message-Signature", 2, DkimProblem::BodyHash));
    let subject = judge(&content.replace("Subject: hi", "Subject: ho"), &zone);
    assert_eq!(subject.problem, field("ARC-Message-Signature", 2, DkimProblem::Signature));
    let found = content.replacen("i=1; mx.relay", "i=1; mx.other", 1);
    let found = judge(&found, &zone);
    assert_eq!(found.problem, field("ARC-Seal", 1, DkimProblem::Signature));
    let from_second = content.split_once("ARC-Seal").unwrap().1.split_once("ARC-Seal").unwrap().1;
    let first = format!("ARC-Seal{from_second}");
    assert!(judge(&first, &zone).is_pass());
    let twice = judge(&format!("{first}{MESSAGE}").replacen(MESSAGE, &first, 1), &zone);
    assert_eq!(twice.problem, Some(ArcProblem::Structure));
}

#[test]
fn broken_chain_is_sealed_as_broken_and_then_no_more() {
    let (sealer, zone) = sealer();
    let content = handed_on(&sealer, &zone, 1).replace("hello", "hallo");
    let verdict = judge(&content, &zone);
    assert_eq!(verdict.result, ArcResult::Fail);
    let ours = sealer.seal(&scan(&content), &verdict, "mx.relay.example; none", NOW).unwrap();
    let content = ours + &content;
    let verdict = judge(&content, &zone);
    assert_eq!(verdict.problem, Some(ArcProblem::SealedBroken { instance: 2 }));
    let again = sealer.seal(&scan(&content), &verdict, "mx.relay.example; none", NOW);
    assert_eq!(again, Err(SignError::Chain));
}

#[test]
// [RFC 8617 §4.2.1] test
fn chain_has_fifty_links_and_no_more() {
    let (sealer, zone) = sealer();
    let content = handed_on(&sealer, &zone, 50);
    let verdict = judge(&content, &zone);
    assert!(verdict.is_pass());
    let full = sealer.seal(&scan(&content), &verdict, "mx.relay.example; none", NOW);
    assert_eq!(full, Err(SignError::Chain));
    let more = content.replacen("i=50;", "i=51;", 3);
    assert_eq!(judge(&more, &zone).problem, Some(ArcProblem::TooLong { limit: 50 }));
    let seals = format!("{}{content}", "ARC-Seal: i=1\r\n".repeat(5_000));
    assert_eq!(judge(&seals, &zone).problem, Some(ArcProblem::TooLong { limit: 50 }));
}

#[test]
fn key_that_does_not_come_is_a_temporary_failure_and_not_sealed() {
    let (sealer, zone) = sealer();
    let content = scan(&handed_on(&sealer, &zone, 1));
    let verdict = verify(&content, &Keys::new(), NOW);
    assert_eq!(verdict.result, ArcResult::TempError);
    let ours = sealer.seal(&content, &verdict, "mx.relay.example; none", NOW);
    assert_eq!(ours, Err(SignError::Chain));
}
