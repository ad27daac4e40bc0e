use std::time::{Duration, Instant};

use futures::executor::block_on;
use proptest::prelude::*;
use transom_dns::Zone;

use super::*;

mod bodies;
mod limits;

const RSA_PEM: &[u8] = include_bytes!("../../../tests/keys/rsa2048.pem");
const NOW: u64 = 1_700_000_000;

/// Reads content, cut at these places.
fn scan(content: &[u8], cuts: &[usize]) -> ScannedContent {
    let mut scan = AuthenticationScan::signing();
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (content.len() + 1)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    for to in cuts.into_iter().chain([content.len()]) {
        scan.update(&content[from..to]);
        from = to;
    }
    scan.finish()
}

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn now() -> Instant {
    Instant::now()
}

fn keys(content: &ScannedContent, zone: &Zone) -> Keys {
    block_on(KeyCache::new().fetch(content.key_names(), zone, now()))
}

fn judge(content: &[u8], zone: &Zone) -> Vec<DkimVerdict> {
    let content = scan(content, &[]);
    verify(&content, &keys(&content, zone), NOW)
}

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

fn ed25519() -> SigningKey {
    SigningKey::from_pem(SigningKey::generate_ed25519().unwrap().as_bytes()).unwrap()
}

/// A signer with both kinds of keys, and the zone with their records.
fn signer() -> (DkimSigner, Zone) {
    let (rsa, ed25519) = (SigningKey::from_pem(RSA_PEM).unwrap(), ed25519());
    let records = [("rsa", rsa.dns_record()), ("ed", ed25519.dns_record())];
    let lines = records.map(|(at, record)| format!("{at}._domainkey.example.com TXT {record}\n"));
    let signer = DkimSigner::new("Example.COM").unwrap();
    let signer = signer.with_key("rsa", rsa).unwrap().with_key("ed", ed25519).unwrap();
    (signer, lines.concat().parse().unwrap())
}

/// A message under a signature with any tags, made with `key`; its body hash is right.
fn craft(key: &SigningKey, tags: &str, body_hash: &[u8], message: &str) -> Vec<u8> {
    let tags = tags.replace("BH", &base64_encode(body_hash));
    let unsigned = format!("DKIM-Signature: {tags}; b=\r\n{message}");
    let fields = HeaderFields::parse(unsigned.clone().into_bytes()).unwrap();
    let list = TagList::parse(tags.as_bytes()).unwrap();
    let names = list.get("h").unwrap();
    let names: Vec<_> = names
        .split(|octet| *octet == b':')
        .map(|name| str::from_utf8(name).unwrap().into())
        .collect();
    let mut octets = Vec::new();
    fields.write_chosen(&names, Canonicalization::Relaxed, &mut octets);
    fields.write_unsigned(0, Canonicalization::Relaxed, &mut octets);
    let signature = base64_encode(&key.sign(&octets).unwrap());
    unsigned.replacen("b=\r\n", &format!("b={signature}\r\n"), 1).into_bytes()
}

fn sha256(octets: &[u8]) -> [u8; 32] {
    let mut hasher = keys::Sha256Hasher::new();
    hasher.update(octets);
    hasher.finish()
}

const FOOTBALL: &str = "\
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
";

#[test]
// [RFC 8463 §A] test
fn samples_of_rfc_8463_pass() {
    let zone = "brisbane._domainkey.football.example.com TXT v=DKIM1; k=ed25519; \
                p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                test._domainkey.football.example.com TXT v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb\
         3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5\
         qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1\
         Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3Q\
         IDAQAB";
    let signatures = "\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
";
    let zone = zone.parse().unwrap();
    let verdicts = judge(&crlf(&format!("{signatures}{FOOTBALL}")), &zone);
    assert!(verdicts.iter().all(DkimVerdict::is_pass), "{verdicts:?}");
    let [first, second] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!(first.algorithm, Some(DkimAlgorithm::Ed25519Sha256));
    assert_eq!(
        (first.domain.as_str(), first.selector.as_str()),
        ("football.example.com", "brisbane")
    );
    assert_eq!(
        (first.identity.as_str(), first.signature.as_str()),
        ("@football.example.com", "/gCrinpc")
    );
    assert_eq!((second.algorithm, second.key_bits), (Some(DkimAlgorithm::RsaSha256), Some(1024)));
    let changed = judge(&crlf(&format!("{signatures}{FOOTBALL}").replace("lost", "won")), &zone);
    assert!(changed.iter().all(|verdict| verdict.problem == Some(DkimProblem::BodyHash)));
}

#[test]
// [RFC 6376 §A] test
fn sample_of_rfc_6376_passes() {
    let zone: Zone = "brisbane._domainkey.example.com TXT v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBA\
         QUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQ\
         g1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT9\
         47qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2Q\
         IDAQAB"
        .parse()
        .unwrap();
    let head = "\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
";
    let verdicts =
        judge(&crlf(&format!("{head}{}", FOOTBALL.replace("game.  Are", "game. Are"))), &zone);
    assert!(verdicts[0].is_pass(), "{verdicts:?}");
    assert_eq!(verdicts[0].identity, "joe@football.example.com");
}

#[test]
fn signatures_that_say_nonsense_have_their_reason() {
    let rest = "a=rsa-sha256; d=example.com; s=x; h=from; bh=AAAA; b=AAAA";
    let missing = |tag| DkimProblem::Missing { tag };
    let bad = |tag| DkimProblem::BadTag { tag };
    let table = [
        ("hello".to_owned(), DkimProblem::Malformed),
        (format!("v=1; v=1; {rest}"), DkimProblem::Malformed),
        (format!("v=1;; {rest}"), DkimProblem::Malformed),
        (rest.to_owned(), missing("v")),
        (format!("v=2; {rest}"), bad("v")),
        (format!("V=1; {rest}"), missing("v")),
        (format!("v=1; {}", rest.replace("a=rsa-sha256", "a=")), missing("a")),
        (format!("v=1; {}", rest.replace("rsa-sha256", "md5")), DkimProblem::UnknownAlgorithm),
        (format!("v=1; {}", rest.replace("sha256", "sha1")), DkimProblem::Sha1),
        (format!("v=1; {}", rest.replace("example.com", "exa mple.com")), bad("d")),
        (format!("v=1; {}", rest.replace("s=x;", "")), missing("s")),
        (format!("v=1; {}", rest.replace("h=from", "h=to:subject")), DkimProblem::FromUnsigned),
        (format!("v=1; {}", rest.replace("h=from", "h=from::to")), bad("h")),
        (format!("v=1; {}", rest.replace("bh=AAAA", "bh=*")), bad("bh")),
        (format!("v=1; c=nofws; {rest}"), bad("c")),
        (format!("v=1; c=simple/simple/simple; {rest}"), bad("c")),
        (format!("v=1; l=-1; {rest}"), bad("l")),
        (format!("v=1; q=http; {rest}"), bad("q")),
        (format!("v=1; t=20; x=20; {rest}"), bad("x")),
        (format!("v=1; i=joe; {rest}"), bad("i")),
        (format!("v=1; i=@xexample.com; {rest}"), DkimProblem::ForeignIdentity),
        (format!("v=1; x={NOW}; {rest}"), DkimProblem::Expired),
        (format!("v=1; {rest}"), DkimProblem::BodyHash),
    ];
    for (tags, problem) in table {
        let message = format!("DKIM-Signature: {tags}\r\nFrom: a@example.com\r\n\r\nbody\r\n");
        let verdicts = judge(message.as_bytes(), &Zone::default());
        assert_eq!(verdicts[0].problem, Some(problem.clone()), "{tags}");
        assert_eq!(verdicts[0].result, problem.result(), "{tags}");
    }
}

#[test]
fn keys_that_say_nonsense_have_their_reason() {
    let good = ed25519().dns_record();
    let table = [
        (good.replace("v=DKIM1; ", ""), Ok(())),
        (good.clone() + "; t=y:s; s=tlsrpt:email; n=note; g=*; h=sha1:sha256", Ok(())),
        (good.replace("DKIM1", "DKIM2"), Err(DkimProblem::BadKey)),
        (good.replace("v=DKIM1; ", "") + "; v=DKIM1", Err(DkimProblem::BadKey)),
        ("v=DKIM1; k=ed25519; p=".to_owned(), Err(DkimProblem::Revoked)),
        ("v=DKIM1; k=ed25519".to_owned(), Err(DkimProblem::BadKey)),
        ("v=DKIM1; k=ed25519; p=AAAA".to_owned(), Err(DkimProblem::BadKey)),
        ("v=DKIM1; k=rsa; p=AAAA".to_owned(), Err(DkimProblem::BadKey)),
        ("v=spf1 -all".to_owned(), Err(DkimProblem::BadKey)),
        (good.clone() + "; h=sha1", Err(DkimProblem::KeyMismatch)),
        (good.clone() + "; s=tlsrpt", Err(DkimProblem::KeyMismatch)),
        (good.replace("ed25519", "x25519"), Err(DkimProblem::KeyMismatch)),
    ];
    for (record, expected) in table {
        let read = keys::PublicKey::parse(record.as_bytes()).map(|_| ());
        assert_eq!(read, expected, "{record}");
    }
}

const MESSAGE: &str = "From: ann@example.com\r\nSubject: hi\r\n\r\nhello\r\nworld\r\n";
const TAGS: &str = "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=x; h=from; bh=BH";

/// Judges a crafted signature under a key record with some more tags.
fn judge_crafted(tags: &str, hashed: &str, more: &str) -> DkimVerdict {
    let key = ed25519();
    let zone = format!("x._domainkey.example.com TXT {}{more}", key.dns_record());
    let message = craft(&key, tags, &sha256(hashed.as_bytes()), MESSAGE);
    judge(&message, &zone.parse().unwrap()).remove(0)
}

#[test]
// [RFC 6376 §3.5] test
fn signature_of_a_part_of_the_body_is_verified_and_named() {
    let whole = judge_crafted(&format!("{TAGS}; l=14"), "hello\r\nworld\r\n", "");
    assert_eq!((whole.result, whole.body_octets), (DkimResult::Pass, Some(14)));
    let part = judge_crafted(&format!("{TAGS}; l=7"), "hello\r\n", "");
    assert_eq!(part.problem, Some(DkimProblem::PartialBody { octets: 7 }));
    assert_eq!((part.result, part.body_octets), (DkimResult::Policy, Some(7)));
    let nothing = judge_crafted(&format!("{TAGS}; l=0"), "", "");
    assert_eq!(nothing.problem, Some(DkimProblem::PartialBody { octets: 14 }));
    let other = judge_crafted(&format!("{TAGS}; l=7"), "hallo\r\n", "");
    assert_eq!(other.problem, Some(DkimProblem::BodyHash));
    let beyond = judge_crafted(&format!("{TAGS}; l=15"), "hello\r\nworld\r\n", "");
    assert_eq!(beyond.problem, Some(DkimProblem::BodyHash));
}

#[test]
// [RFC 6376 §3.6.1] test
fn flags_of_the_key_count() {
    let body = "hello\r\nworld\r\n";
    let testing = judge_crafted(TAGS, body, "; t=y");
    assert!(testing.is_pass() && testing.testing);
    let below = format!("{TAGS}; i=@sub.example.com");
    assert!(judge_crafted(&below, body, "").is_pass());
    let strict = judge_crafted(&below, body, "; t=s");
    assert_eq!(strict.problem, Some(DkimProblem::SubdomainIdentity));
}

/// Of 768 bits.
const SHORT_KEY: &str = "MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhAMiJ9L0RjPWKFSLlAN6k/zN1yubfCdnBA\
         01F9TyKXayol2Ueb383GLjGy\
     zBs3Cgfg/Qy7fHXraRJtKH2V0+C4XqpzLah9FwrHQGJwXhfTCi2OaEVkFov5imrpq/YBpSodQIDAQAB";

#[test]
// [RFC 8301 §3.2] test
fn short_rsa_key_is_not_believed() {
    let tags = TAGS.replace("ed25519", "rsa");
    let message = craft(&ed25519(), &tags, &sha256(b"hello\r\nworld\r\n"), MESSAGE);
    let zone = format!("x._domainkey.example.com TXT p={SHORT_KEY}").parse().unwrap();
    let verdict = judge(&message, &zone).remove(0);
    assert_eq!(verdict.problem, Some(DkimProblem::ShortKey { bits: 768 }));
    assert_eq!((verdict.result, verdict.key_bits), (DkimResult::Policy, Some(768)));
}

#[test]
fn both_kinds_of_keys_sign_and_verify() {
    let (signer, zone) = signer();
    let signer = signer.with_expiry(Duration::from_mins(1));
    let ours = signer.sign(&scan(MESSAGE.as_bytes(), &[]), NOW - 10).unwrap();
    assert!(ours.lines().all(|line| line.len() <= 78), "{ours}");
    let message = format!("{ours}{MESSAGE}");
    let verdicts = judge(message.as_bytes(), &zone);
    let said = |verdict: &DkimVerdict| (verdict.result, verdict.selector.clone(), verdict.key_bits);
    let pass = |at: &str, bits| (DkimResult::Pass, at.to_owned(), Some(bits));
    let said: Vec<_> = verdicts.iter().map(said).collect();
    assert_eq!(said, [pass("rsa", 2048), pass("ed", 256)]);
    // What is oversigned cannot be added.
    for added in ["From: eve@example.com\r\n", "Subject: no\r\n", "Reply-To: eve@example.com\r\n"] {
        let verdicts = judge(format!("{added}{message}").as_bytes(), &zone);
        let is_signature = |verdict: &DkimVerdict| verdict.problem == Some(DkimProblem::Signature);
        assert!(verdicts.iter().all(is_signature), "{added} {verdicts:?}");
    }
    let content = scan(message.as_bytes(), &[]);
    let later = verify(&content, &keys(&content, &zone), NOW + 50);
    assert_eq!(later[0].problem, Some(DkimProblem::Expired));
}

#[test]
fn no_signature_is_no_verdict() {
    assert_eq!(judge(MESSAGE.as_bytes(), &Zone::default()), []);
    assert_eq!(judge(b"", &Zone::default()), []);
}

#[test]
fn what_cannot_sign_says_why() {
    let content = scan(MESSAGE.as_bytes(), &[]);
    let (signer, _) = signer();
    assert_eq!(DkimSigner::new("example.com").unwrap().sign(&content, NOW), Err(SignError::NoKey));
    assert!(matches!(DkimSigner::new("no domain"), Err(SignError::Name { .. })));
    let mut scan = AuthenticationScan::verifying();
    scan.update(MESSAGE.as_bytes());
    assert_eq!(signer.sign(&scan.finish(), NOW), Err(SignError::NotScanned));
}

#[test]
fn key_file_that_is_no_key_is_one_error() {
    let long = "A".repeat(1 << 20);
    for junk in [&b""[..], b"\xff\xfe", b"-----BEGIN PRIVATE KEY-----\n", long.as_bytes()] {
        assert_eq!(SigningKey::from_pem(junk).unwrap_err(), SigningKeyError::NoKey);
    }
    let certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(SigningKey::from_pem(certificate).unwrap_err(), SigningKeyError::NoKey);
    let empty = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let error = SigningKey::from_pem(empty).unwrap_err();
    assert!(matches!(error, SigningKeyError::Unusable { .. }), "{error}");
}

/// What a message may be: lines of a header section, and a body.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::sample::select(vec!["From", "to", "Subject", "X-Other", "List-Id", "DATE"]);
    let value = prop::collection::vec(prop::sample::select(b"ab \t:;=\xc3\r".to_vec()), 0..12);
    let folded = (names, value.clone(), prop::option::of(value)).prop_map(|(name, first, more)| {
        let mut field = [name.as_bytes(), b":", &first].concat();
        if let Some(more) = more {
            field.extend_from_slice(&[b"\r\n\t", &more[..]].concat());
        }
        field.extend_from_slice(b"\r\n");
        field
    });
    let body = prop::collection::vec(prop::sample::select(b"abc \t\r\n".to_vec()), 0..60);
    (prop::collection::vec(folded, 0..6), body)
        .prop_map(|(fields, body)| [&fields.concat()[..], b"\r\n", &body].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_verifies_however_it_is_cut(
        message in message(),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
        more_cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        let (signer, zone) = signer();
        let signed = signer.sign(&scan(&message, &cuts), NOW).unwrap();
        prop_assert_eq!(&signed, &signer.sign(&scan(&message, &[]), NOW).unwrap());
        let message = [signed.as_bytes(), &message].concat();
        let (whole, cut) = (scan(&message, &[]), scan(&message, &more_cuts));
        let (whole_keys, cut_keys) = (keys(&whole, &zone), keys(&cut, &zone));
        let verdicts = verify(&whole, &whole_keys, NOW);
        prop_assert!(verdicts.iter().all(DkimVerdict::is_pass), "{:?}", verdicts);
        prop_assert_eq!(verdicts, verify(&cut, &cut_keys, NOW));
    }

    #[test]
    fn changed_octet_is_no_pass(
        text in "[a-z][a-z0-9 ]{0,20}",
        body in "[a-z][a-z0-9 \t\r\n]{0,40}",
        at in any::<prop::sample::Index>(),
    ) {
        let message = format!("From: {text}@example.com\r\nSubject: {text}\r\n\r\n{body}");
        let (signer, zone) = signer();
        let signed = signer.sign(&scan(message.as_bytes(), &[]), NOW).unwrap();
        let mut changed = format!("{signed}{message}").into_bytes();
        // Some bits of the last letter of a signature say nothing.
        let counts = |at: &usize| {
            changed[*at].is_ascii_alphanumeric() && !changed[at + 1..].starts_with(b"==")
        };
        let letters: Vec<_> = (0..changed.len()).filter(counts).collect();
        let at = *at.get(&letters);
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        // The two signatures do not sign each other.
        let second = signed.rfind("DKIM-Signature").unwrap();
        let holds = if at < second { "ed" } else if at < signed.len() { "rsa" } else { "" };
        for verdict in judge(&changed, &zone) {
            prop_assert!(verdict.selector == holds || !verdict.is_pass(), "{} {:?}", at, verdict);
        }
    }
}
