//! What is too much, and what does not come.

use std::sync::atomic::{AtomicUsize, Ordering};

use transom_dns::{Answer, DnsFailure, DomainName, Record, RecordKind, Resolver, Security};

use super::*;

#[test]
fn of_ten_thousand_signatures_ten_are_verified() {
    let (signer, zone) = signer();
    let ours = signer.sign(&scan(MESSAGE.as_bytes(), &[]), NOW).unwrap();
    let bait = "DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=x; h=from; bh=AA; b=AA\r\n";
    let message = ours + &bait.repeat(9_998) + MESSAGE;
    let content = scan(message.as_bytes(), &[]);
    assert_eq!(content.key_names().len(), 3);
    let verdicts = verify(&content, &keys(&content, &zone), NOW);
    assert_eq!(verdicts.len(), 11);
    assert!(verdicts[..2].iter().all(DkimVerdict::is_pass));
    assert_eq!(verdicts[10].problem, Some(DkimProblem::TooMany { limit: 10 }));
}

#[test]
fn header_section_without_end_is_named_and_not_kept() {
    let million = "a:\r\n".repeat(1_000_000);
    let crowded = "a:\r\n".repeat(40_000);
    let long = format!("Subject: {}\r\n", "x".repeat(HEADER_OCTETS_MAX));
    for head in [million, crowded, long] {
        let mut scan = AuthenticationScan::signing();
        for piece in head.as_bytes().chunks(4096) {
            scan.update(piece);
        }
        scan.update(MESSAGE.as_bytes());
        let content = scan.finish();
        let verdicts = verify(&content, &Keys::new(), NOW);
        let problem = DkimProblem::HeaderTooLarge { limit: HEADER_OCTETS_MAX };
        assert_eq!(verdicts.len(), 1);
        assert_eq!(verdicts[0].problem, Some(problem));
        assert_eq!(signer().0.sign(&content, NOW), Err(SignError::HeaderTooLarge));
        assert!(!crate::arc::verify(&content, &Keys::new(), NOW).is_pass());
    }
}

#[test]
fn list_of_many_fields_takes_no_more_than_its_length() {
    let names: Vec<_> = (0..50_000).map(|n| format!(":x{n}:a")).collect();
    let names = names.concat();
    let key = ed25519();
    let fields = "a: b\r\n".repeat(9_000);
    let tags = TAGS.replace("h=from", &format!("h=from{names}"));
    let message = craft(&key, &tags, &sha256(b"hello\r\nworld\r\n"), &format!("{fields}{MESSAGE}"));
    let zone = format!("x._domainkey.example.com TXT {}", key.dns_record()).parse().unwrap();
    assert!(judge(&message, &zone)[0].is_pass());
}

#[test]
fn record_of_a_mebibyte_is_no_key() {
    let mut keys = Keys::new();
    let name: DomainName = "x._domainkey.example.com".parse().unwrap();
    let text = format!("v=DKIM1; p={}", "A".repeat(1 << 20));
    let texts = vec![Record::Txt(text.into_bytes().into())];
    keys.answer(name.clone(), Answer::new(texts, Security::Unknown, Duration::ZERO));
    assert_eq!(keys.get(&name).unwrap_err(), DkimProblem::BadKey);
}

/// Counts its questions; answers as it is told.
struct Counting(AtomicUsize, Result<&'static str, DnsFailure>);

#[async_trait::async_trait]
impl Resolver for Counting {
    async fn lookup(&self, _: &DomainName, kind: RecordKind) -> Result<Answer, DnsFailure> {
        assert_eq!(kind, RecordKind::Txt);
        self.0.fetch_add(1, Ordering::Relaxed);
        let texts = self.1?.split('|').map(|text| Record::Txt(text.as_bytes().into()));
        Answer::new(texts.collect(), Security::Unknown, Duration::from_mins(10))
    }
}

#[test]
fn cache_keeps_keys_and_their_absence_and_no_trouble() {
    let sample = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    // What the DNS says, for how many minutes that holds, and what it is taken for.
    let table = [
        (Ok(sample), 10, DkimResult::Pass),
        (Err(DnsFailure::NxDomain), 5, DkimResult::PermError),
        (Err(DnsFailure::NoData), 5, DkimResult::PermError),
        (Ok("v=DKIM1; p="), 10, DkimResult::PermError),
        (Ok("v=DKIM1; p=|v=DKIM1; p="), 10, DkimResult::PermError),
        (Err(DnsFailure::Timeout), 0, DkimResult::TempError),
        (Err(DnsFailure::ServFail), 0, DkimResult::TempError),
    ];
    let name: DomainName = "x._domainkey.example.com".parse().unwrap();
    for (answer, minutes, expected) in table {
        let (cache, resolver) = (KeyCache::new(), Counting(AtomicUsize::new(0), answer));
        let start = now();
        let asked = |after: Duration| {
            let keys = block_on(cache.fetch(vec![name.clone()], &resolver, start + after));
            let result =
                keys.get(&name).map_or_else(|problem| problem.result(), |_| DkimResult::Pass);
            assert_eq!(result, expected, "{answer:?}");
            resolver.0.load(Ordering::Relaxed)
        };
        let held = Duration::from_mins(minutes);
        assert_eq!(asked(Duration::ZERO), 1);
        assert_eq!(
            asked(held.saturating_sub(Duration::from_secs(1))),
            if minutes > 0 { 1 } else { 2 }
        );
        assert_eq!(asked(held), if minutes > 0 { 2 } else { 3 }, "{answer:?}");
    }
}

#[test]
fn cache_is_bounded() {
    let resolver = Counting(AtomicUsize::new(0), Err(DnsFailure::NxDomain));
    let cache = KeyCache::new();
    for n in 0..25 {
        let names = (0..1000).map(|m| format!("s{m}._domainkey.d{n}.example").parse().unwrap());
        block_on(cache.fetch(names.collect(), &resolver, now()));
        assert!(cache.len() <= 10_000);
    }
}

#[test]
fn key_that_was_not_fetched_is_a_temporary_failure() {
    let verdict = judge_crafted(TAGS, "hello\r\nworld\r\n", "");
    assert!(verdict.is_pass());
    let message = craft(&ed25519(), TAGS, &sha256(b"hello\r\nworld\r\n"), MESSAGE);
    let content = scan(&message, &[]);
    assert_eq!(verify(&content, &Keys::new(), NOW)[0].result, DkimResult::TempError);
}
