//! DKIM, verified and signed, beside `mail-auth` called directly on the same messages.
#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::executor::block_on;
use mail_auth::common::crypto::{Ed25519Key, RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::hickory_resolver::config::{CLOUDFLARE, ResolverConfig, ResolverOpts};
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, Txt};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use transom_dns::Zone;
use transom_mailauth::dkim::{
    AuthenticationScan, DkimSigner, KeyCache, ScannedContent, SigningKey, verify,
};

const RSA: &[u8] = include_bytes!("../tests/keys/rsa2048.pem");
const NAMES: [&str; 6] = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version"];
/// What a reader of a socket or a file hands over at a time.
const PIECE: usize = 64 * 1024;

fn message(octets: usize) -> Vec<u8> {
    let head = "Received: from mail.example.org by mx.example.com;\r\n\t\
                Mon, 6 Oct 2025 10:00:00 +0000\r\n\
                From: Ann <ann@example.com>\r\nTo: Bob <bob@example.org>\r\nSubject: Numbers\r\n\
                Date: Mon, 6 Oct 2025 10:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\
                MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n";
    let lines = [
        "The quick brown fox jumps over the lazy dog, and then it goes back again.\r\n",
        "cGxlYXNlIGRvIG5vdCByZWFkIHRoaXMgbGluZSwgaXQgaXMgaGVyZSBmb3IgaXRzIGxlbmd0aCBvbmx5\r\n",
    ];
    let mut content = head.to_owned();
    for line in lines.iter().cycle() {
        if content.len() >= octets {
            break;
        }
        content.push_str(line);
    }
    content.into_bytes()
}

fn scan(mut scan: AuthenticationScan, content: &[u8]) -> ScannedContent {
    for piece in content.chunks(PIECE) {
        scan.update(piece);
    }
    scan.finish()
}

/// The cache that the library wants, filled before.
struct Filled(Mutex<HashMap<Box<str>, Txt>>);

impl mail_auth::ResolverCache<Box<str>, Txt> for Filled {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.lock().unwrap().get(name).cloned()
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

fn rsa() -> RsaKey<Sha256> {
    RsaKey::from_key_der(PrivateKeyDer::from_pem_slice(RSA).unwrap()).unwrap()
}

fn ed25519(pem: &[u8]) -> Ed25519Key {
    let PrivateKeyDer::Pkcs8(der) = PrivateKeyDer::from_pem_slice(pem).unwrap() else {
        unreachable!("an Ed25519 key is PKCS #8")
    };
    Ed25519Key::from_pkcs8_maybe_unchecked_der(der.secret_pkcs8_der()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn compare(c: &mut Criterion) {
    let config = ResolverConfig::udp_and_tcp(&CLOUDFLARE);
    let library = MessageAuthenticator::new(config, ResolverOpts::default()).unwrap();
    let (cache, now) = (KeyCache::new(), Instant::now());
    let ed = SigningKey::generate_ed25519().unwrap();
    for (kind, pem) in [("rsa2048", RSA), ("ed25519", ed.as_bytes())] {
        let key = SigningKey::from_pem(pem).unwrap();
        let record = key.dns_record();
        let zone: Zone = format!("{kind}._domainkey.example.com TXT {record}").parse().unwrap();
        let parsed = Txt::from(DomainKey::parse(record.as_bytes()));
        let name = format!("{kind}._domainkey.example.com.").into_boxed_str();
        let filled = Filled(Mutex::new(HashMap::from([(name, parsed)])));
        let signer = DkimSigner::new("example.com").unwrap().with_key(kind, key).unwrap();
        for (size, octets) in [("4KiB", 4096), ("1MiB", 1 << 20)] {
            let content = message(octets);
            let ours = signer.sign(&scan(AuthenticationScan::signing(), &content), 1).unwrap();
            let signed_content = [ours.as_bytes(), &content].concat();

            let mut group = c.benchmark_group(format!("verify/{kind}/{size}"));
            group.throughput(Throughput::Elements(1));
            group.bench_function(BenchmarkId::from_parameter("transom"), |b| {
                b.iter(|| {
                    let content = scan(AuthenticationScan::verifying(), &signed_content);
                    let keys = block_on(cache.fetch(content.key_names(), &zone, now));
                    let verdicts = verify(&content, &keys, 2);
                    assert!(verdicts.first().unwrap().is_pass());
                });
            });
            group.bench_function(BenchmarkId::from_parameter("mail-auth"), |b| {
                b.iter(|| {
                    let message = AuthenticatedMessage::parse(&signed_content).unwrap();
                    let parameters = Parameters::new(&message).with_txt_cache(&filled);
                    let verdicts = block_on(library.verify_dkim(parameters));
                    assert_eq!(verdicts.first().unwrap().result(), &DkimResult::Pass);
                });
            });
            group.finish();

            let mut group = c.benchmark_group(format!("sign/{kind}/{size}"));
            group.throughput(Throughput::Elements(1));
            group.bench_function(BenchmarkId::from_parameter("transom"), |b| {
                b.iter(|| {
                    let content = scan(AuthenticationScan::signing(), &content);
                    black_box(signer.sign(&content, 1).unwrap())
                });
            });
            group.bench_function(BenchmarkId::from_parameter("mail-auth"), |b| {
                let (rsa, ed25519) = (kind == "rsa2048")
                    .then(rsa)
                    .map_or_else(|| (None, Some(ed25519(pem))), |key| (Some(key), None));
                let rsa = rsa.map(|key| template(mail_auth::dkim::DkimSigner::from_key(key)));
                let ed25519 =
                    ed25519.map(|key| template(mail_auth::dkim::DkimSigner::from_key(key)));
                b.iter(|| match (&rsa, &ed25519) {
                    (Some(signer), _) => signer.sign(&content).unwrap().to_header(),
                    (_, Some(signer)) => signer.sign(&content).unwrap().to_header(),
                    _ => unreachable!("one of the two is there"),
                });
            });
            group.finish();
        }
    }
}

fn template<T: mail_auth::common::crypto::SigningKey>(
    signer: mail_auth::dkim::DkimSigner<T, mail_auth::dkim::NeedDomain>,
) -> mail_auth::dkim::DkimSigner<T, mail_auth::dkim::Done> {
    signer.domain("example.com").selector("x").headers(NAMES)
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = compare
}
criterion_main!(benches);
