//! The `ValiMail` ARC suite for RFC 8617, found by `TRANSOM_CONFORMANCE`; without it the tests say
//! that they were skipped.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, Instant};

use futures::executor::block_on;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs8::EncodePublicKey as _;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use transom_dns::{Answer, DnsFailure, DomainName, Record, RecordKind, Resolver, Security};
use transom_mailauth::arc::{self, ArcProblem, ArcSealer, ArcVerdict};
use transom_mailauth::dkim::{
    AuthenticationScan, DkimAlgorithm, ExternalKey, KeyCache, ScannedContent, SignError, SigningKey,
};
use yaml_rust2::{Yaml, YamlLoader};

/// Later than every signature of the suite.
const NOW: u64 = 1_700_000_000;

#[expect(clippy::print_stderr, reason = "says that a test was skipped")]
fn scenarios(file: &str) -> Option<Vec<Yaml>> {
    let Some(folder) = std::env::var_os("TRANSOM_CONFORMANCE") else {
        eprintln!("SKIPPED: TRANSOM_CONFORMANCE names no folder of suites");
        return None;
    };
    let path = std::path::PathBuf::from(folder).join("arc").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    // Four cases have the name of another.
    let lines = text.lines().enumerate().map(|(at, line)| match line.strip_suffix(':') {
        Some(name) if name.starts_with("  ") && !name.trim().contains(' ') => {
            let is_case = name.strip_prefix("  ").is_some_and(|name| !name.starts_with(' '));
            if is_case { format!("{name}_{at}:\n") } else { format!("{line}\n") }
        }
        _ => format!("{line}\n"),
    });
    Some(YamlLoader::load_from_str(&lines.collect::<String>()).unwrap())
}

/// The TXT records of a scenario.
struct Suite(Vec<(DomainName, Vec<u8>)>);

impl Suite {
    fn new(scenario: &Yaml) -> Self {
        let Some(records) = scenario["txt-records"].as_hash() else { return Self(Vec::new()) };
        let record = |(name, text): (&Yaml, &Yaml)| {
            let text = text.as_str().unwrap().trim_end().replace('\n', "");
            (name.as_str().unwrap().parse().unwrap(), text.into_bytes())
        };
        Self(records.iter().map(record).collect())
    }
}

#[async_trait::async_trait]
impl Resolver for Suite {
    async fn lookup(&self, name: &DomainName, _: RecordKind) -> Result<Answer, DnsFailure> {
        let record = self.0.iter().find(|(other, _)| other == name).ok_or(DnsFailure::NxDomain)?;
        let texts = vec![Record::Txt(record.1.clone().into())];
        Answer::new(texts, Security::Unknown, Duration::from_mins(1))
    }
}

fn scan(message: &str) -> ScannedContent {
    let mut scan = AuthenticationScan::signing();
    scan.update(message.replace('\n', "\r\n").as_bytes());
    scan.finish()
}

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn judge(content: &ScannedContent, suite: &Suite) -> ArcVerdict {
    let keys = KeyCache::new();
    let keys = block_on(keys.fetch(content.key_names(), suite, Instant::now()));
    arc::verify(content, &keys, NOW)
}

#[test]
fn every_chain_of_the_suite_is_judged_as_it_says() {
    let Some(scenarios) = scenarios("arc-draft-validation-tests.yml") else { return };
    let (mut cases, mut wrong) = (0, Vec::new());
    for scenario in &scenarios {
        let suite = Suite::new(scenario);
        for (name, case) in scenario["tests"].as_hash().unwrap() {
            cases += 1;
            let content = scan(case["message"].as_str().unwrap_or_default());
            let verdict = judge(&content, &suite);
            let expected = case["cv"].as_str().unwrap_or_default().to_ascii_lowercase();
            // Three chains end with a seal that says fail: the suite has no result for them.
            let broken = matches!(verdict.problem, Some(ArcProblem::SealedBroken { .. }));
            if verdict.result.as_str() != expected && !(expected.trim().is_empty() && broken) {
                let (name, problem) = (name.as_str().unwrap(), verdict.problem);
                let result = verdict.result;
                wrong.push(format!("{name}: {result} for {expected:?} ({problem:?})"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(cases, 175);
}

/// The suite's key has 1,024 bits: too short for us to sign with, so it is one kept elsewhere.
struct ShortKey(rsa::RsaPrivateKey);

impl ExternalKey for ShortKey {
    fn algorithm(&self) -> DkimAlgorithm {
        DkimAlgorithm::RsaSha256
    }

    fn public_key(&self) -> Vec<u8> {
        self.0.to_public_key().to_public_key_der().unwrap().as_bytes().to_vec()
    }

    fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, SignError> {
        let key = rsa::pkcs1v15::SigningKey::<rsa::sha2::Sha256>::new(self.0.clone());
        Ok(key.sign(octets).to_vec())
    }
}

/// The tags of a field without white space, in order.
fn tags(field: &str) -> Vec<String> {
    let squeezed: String = field.split_whitespace().collect();
    let mut tags: Vec<_> = squeezed.split(';').map(str::to_owned).collect();
    tags.retain(|tag| !tag.is_empty());
    tags.sort();
    tags
}

/// What the suite's messages say was found by `server`.
fn found_by(server: &str, message: &str) -> String {
    let head = message.split("\n\n").next().unwrap().replace("\n ", " ");
    let prefix = format!("Authentication-Results: {server};");
    let found = head.lines().filter_map(|line| line.strip_prefix(&prefix));
    let found = found.flat_map(|found| found.split(';')).map(str::trim);
    let found: Vec<_> = std::iter::once(server).chain(found).collect();
    found.join("; ")
}

#[test]
fn every_seal_of_the_suite_is_made_as_it_says() {
    let Some(scenarios) = scenarios("arc-draft-sign-tests.yml") else { return };
    let (mut cases, mut wrong) = (0, Vec::new());
    for scenario in &scenarios {
        let suite = Suite::new(scenario);
        let word = |key: &str| scenario[key].as_str().unwrap().trim();
        let key = rsa::RsaPrivateKey::from_pkcs1_pem(word("privatekey")).unwrap();
        for (name, case) in scenario["tests"].as_hash().unwrap() {
            cases += 1;
            let of = |key: &str| case[key].as_str().unwrap_or_default().trim();
            let message = case["message"].as_str().unwrap();
            let content = scan(message);
            let chain = judge(&content, &suite);
            let key = SigningKey::external(Box::new(ShortKey(key.clone())));
            let fields: Vec<_> = of("sig-headers").split(':').map(str::trim).collect();
            let sealer = ArcSealer::new(word("domain"), word("sel"), key).unwrap();
            let sealer = sealer.with_fields(&fields);
            let results = found_by(of("srv-id"), message);
            let time = case["t"].as_i64().unwrap().try_into().unwrap();
            let ours = sealer.seal(&content, &chain, &results, time);
            let ours = ours.unwrap_or_else(|error| error.to_string()).replace("\r\n\t", " ");
            let made = |field: &str| {
                let mut lines = ours.lines();
                let line = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
                tags(line.unwrap_or_default())
            };
            for (tag, field) in [
                ("AAR", "ARC-Authentication-Results"),
                ("AMS", "ARC-Message-Signature"),
                ("AS", "ARC-Seal"),
            ] {
                if made(field) != tags(of(tag)) {
                    let name = name.as_str().unwrap();
                    wrong.push(format!("{name} {tag}:\n{:?}\n{:?}", made(field), tags(of(tag))));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(cases, 17);
}
