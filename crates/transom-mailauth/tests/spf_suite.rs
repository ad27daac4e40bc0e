//! The suite of openspf.org for RFC 7208, found by `TRANSOM_CONFORMANCE`; without it the test says
//! that it was skipped.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use futures::executor::block_on;
use transom_dns::{Answer, DnsFailure, DomainName, Record, RecordKind, Resolver, Security};
use transom_mailauth::spf::{SpfQuery, check};
use yaml_rust2::{Yaml, YamlLoader};

/// What a scenario serves. Records of the old type SPF are served as TXT where there is no TXT.
struct Suite<'y>(&'y Yaml);

impl Suite<'_> {
    fn get(&self, name: &DomainName, kind: RecordKind, aliases: u32) -> Result<Answer, DnsFailure> {
        let zone = self.0.as_hash().unwrap();
        let same = |key: &Yaml| {
            key.as_str().unwrap().trim_end_matches('.').eq_ignore_ascii_case(name.as_str())
        };
        let entries = zone.iter().find(|(key, _)| same(key)).ok_or(DnsFailure::NxDomain)?.1;
        let entries = entries.as_vec().unwrap();
        let of = |wanted: &'static str| {
            entries.iter().filter_map(move |entry| match &entry[wanted] {
                Yaml::BadValue => None,
                value => Some(value),
            })
        };
        let mut values: Vec<&Yaml> = of(word_of(kind)).collect();
        if kind == RecordKind::Txt && values.is_empty() {
            values = of("SPF").collect();
        }
        values.retain(|value| value.as_str() != Some("NONE"));
        let times_out = entries.iter().any(|entry| entry.as_str() == Some("TIMEOUT"));
        if times_out && values.is_empty() {
            return Err(DnsFailure::Timeout);
        }
        if let Some(alias) = of("CNAME").next()
            && kind != RecordKind::Cname
        {
            let steps = aliases.checked_sub(1).ok_or(DnsFailure::ServFail)?;
            return self.get(&alias.as_str().unwrap().parse().unwrap(), kind, steps);
        }
        let records = values.into_iter().filter_map(|value| record(kind, value)).collect();
        Answer::new(records, Security::Unknown, std::time::Duration::from_mins(1))
    }
}

fn word_of(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::A => "A",
        RecordKind::Aaaa => "AAAA",
        RecordKind::Mx => "MX",
        RecordKind::Ptr => "PTR",
        RecordKind::Txt => "TXT",
        _ => "CNAME",
    }
}

fn record(kind: RecordKind, value: &Yaml) -> Option<Record> {
    let text = || value.as_str().unwrap();
    Some(match kind {
        RecordKind::A => Record::A(text().parse().unwrap()),
        RecordKind::Aaaa => Record::Aaaa(text().parse().unwrap()),
        RecordKind::Mx => Record::Mx {
            preference: value[0].as_i64().unwrap().try_into().unwrap(),
            exchange: match value[1].as_str().unwrap() {
                "" => DomainName::root(),
                host => host.parse().ok()?,
            },
        },
        RecordKind::Ptr => Record::Ptr(text().parse().ok()?),
        RecordKind::Txt => {
            let text = match value {
                Yaml::Array(parts) => parts.iter().map(|part| part.as_str().unwrap()).collect(),
                _ => text().to_owned(),
            };
            // The suite writes octets as characters of the same number.
            Record::Txt(text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect())
        }
        _ => Record::Cname(text().parse().unwrap()),
    })
}

#[async_trait::async_trait]
impl Resolver for Suite<'static> {
    async fn lookup(&self, name: &DomainName, kind: RecordKind) -> Result<Answer, DnsFailure> {
        self.get(name, kind, 10)
    }
}

#[test]
fn every_case_of_the_suite_has_one_of_its_results() {
    let Some(folder) = std::env::var_os("TRANSOM_CONFORMANCE") else {
        eprintln!("SKIPPED: TRANSOM_CONFORMANCE names no folder of suites");
        return;
    };
    let path = PathBuf::from(folder).join("spf/rfc7208-tests.yml");
    let text = std::fs::read_to_string(&path).unwrap();
    let scenarios = Box::leak(Box::new(YamlLoader::load_from_str(&text).unwrap()));
    let (mut cases, mut wrong) = (0, Vec::new());
    for scenario in scenarios.iter() {
        let suite = Suite(&scenario["zonedata"]);
        for (name, case) in scenario["tests"].as_hash().unwrap() {
            cases += 1;
            let word = |key: &str| case[key].as_str().unwrap_or_default();
            let ip = word("host").parse().unwrap();
            let query = SpfQuery::mail_from(ip, word("helo"), word("mailfrom"));
            let outcome = block_on(check(query, &suite));
            let result = outcome.result.as_str();
            let allowed = match &case["result"] {
                Yaml::Array(allowed) => allowed.iter().any(|one| one.as_str() == Some(result)),
                one => one.as_str() == Some(result),
            };
            let explained = match case["explanation"].as_str() {
                None => true,
                Some("DEFAULT") => outcome.explanation.is_none(),
                Some(text) => outcome.explanation.as_deref() == Some(text),
            };
            if !allowed || !explained {
                let name = name.as_str().unwrap();
                let (result, explanation) = (&case["result"], &case["explanation"]);
                wrong.push(format!("{name}: {outcome:?}, not {result:?} {explanation:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(cases, 203);
}
