//! What is expected beside what is there.

use transom_dns::{DnsFailure, DomainName, Record, RecordKind, Resolver};

use super::{Drift, ExpectedData, ExpectedRecord, Purpose};

pub(super) async fn compare(expected: &[ExpectedRecord], resolver: &dyn Resolver) -> Vec<Drift> {
    let mut drifts = Vec::new();
    let mut asked: Vec<(&DomainName, Purpose, Option<RecordKind>)> = Vec::new();
    for record in expected {
        let key = (&record.name, record.purpose, record.data.kind());
        if asked.contains(&key) {
            continue;
        }
        asked.push(key);
        // All that is expected at one name for one purpose, since order does not count.
        let wanted: Vec<&ExpectedRecord> = expected
            .iter()
            .filter(|other| (&other.name, other.purpose, other.data.kind()) == key)
            .collect();
        let Some(kind) = record.data.kind() else {
            drifts.extend(wanted.into_iter().map(unasked));
            continue;
        };
        match resolver.lookup(&record.name, kind).await {
            Ok(answer) => {
                let found: Vec<String> =
                    answer.records.iter().filter_map(|one| shown(one, record.purpose)).collect();
                differences(&wanted, &found, &mut drifts);
            }
            Err(failure) if failure.is_temporary() => {
                drifts.extend(wanted.into_iter().map(|record| unknown(record, failure)));
            }
            Err(_) => differences(&wanted, &[], &mut drifts),
        }
    }
    drifts
}

/// A record as it is compared: texts of other purposes are none of our business.
fn shown(record: &Record, purpose: Purpose) -> Option<String> {
    Some(match record {
        Record::A(ip) => ip.to_string(),
        Record::Aaaa(ip) => ip.to_string(),
        Record::Mx { preference, exchange } => format!("{preference} {exchange}"),
        Record::Ptr(name) => name.to_string(),
        Record::Txt(text) => {
            let text = String::from_utf8_lossy(text).into_owned();
            let version = purpose.version().unwrap_or_default();
            let head = text.get(..version.len())?;
            return head.eq_ignore_ascii_case(version).then_some(text);
        }
        _ => return None,
    })
}

fn differences(wanted: &[&ExpectedRecord], found: &[String], drifts: &mut Vec<Drift>) {
    let is_there = |record: &&&ExpectedRecord| {
        let data = normal(&record.data.to_string());
        found.iter().any(|found| normal(found) == data)
    };
    let missing: Vec<_> = wanted.iter().filter(|record| !is_there(record)).collect();
    let is_wanted = |found: &&String| {
        wanted.iter().any(|record| normal(&record.data.to_string()) == normal(found))
    };
    let foreign: Vec<String> = found.iter().filter(|found| !is_wanted(found)).cloned().collect();
    for record in &missing {
        let explanation = explain_missing(record, &foreign);
        drifts.push(drift(record, Some(record.data.to_string()), foreign.clone(), explanation));
    }
    let Some(record) = wanted.first().filter(|_| missing.is_empty() && !foreign.is_empty()) else {
        return;
    };
    // An address may have names of others, and a host may have other addresses for its own ends.
    if let Some(explanation) = explain_foreign(record.purpose) {
        drifts.push(drift(record, None, foreign, explanation.to_owned()));
    }
}

/// Texts whose terms are the same are the same, however they are spaced.
fn normal(text: &str) -> String {
    let text = text.trim().trim_end_matches(';');
    let parts = text.split(';').map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    parts.collect::<Vec<_>>().join(";")
}

fn drift(
    record: &ExpectedRecord,
    expected: Option<String>,
    found: Vec<String>,
    explanation: String,
) -> Drift {
    let (purpose, name) = (record.purpose, record.name.clone());
    Drift { purpose, name, expected, found, explanation, is_certain: true }
}

fn explain_missing(record: &ExpectedRecord, foreign: &[String]) -> String {
    let what = if foreign.is_empty() { "there is no such record" } else { "another stands there" };
    let why = match record.purpose {
        Purpose::Mx if matches!(&record.data, ExpectedData::Mx(_, host) if host.is_root()) => {
            "others try to deliver mail that nobody takes"
        }
        Purpose::Mx => "mail does not find this host",
        Purpose::Host => "the host cannot be reached at this address",
        Purpose::Ptr => "many refuse mail from an address without its name",
        Purpose::Spf if foreign.is_empty() => "nothing says who may send for the domain",
        Purpose::Spf => "others are allowed to send for the domain than our configuration says",
        Purpose::Dkim => "signatures with this key cannot be verified",
        Purpose::Dmarc => "receivers are not told what to do with forged mail",
        Purpose::MtaSts => "senders do not look for our policy, or keep an old one",
        Purpose::TlsReports => "nobody tells us when TLS fails",
        Purpose::Dane => "certificates cannot be checked by DANE",
    };
    format!("{what}: {why}")
}

fn explain_foreign(purpose: Purpose) -> Option<&'static str> {
    match purpose {
        Purpose::Mx => Some("mail goes to hosts that our configuration does not know"),
        Purpose::Spf => Some("several SPF records are an error, so none counts"),
        Purpose::Dkim => Some("several keys at one name: which of them counts nobody can say"),
        Purpose::Dmarc => Some("several DMARC records: none of them counts"),
        Purpose::MtaSts | Purpose::TlsReports => Some("several records: none of them counts"),
        Purpose::Host | Purpose::Ptr | Purpose::Dane => None,
    }
}

fn unknown(record: &ExpectedRecord, failure: DnsFailure) -> Drift {
    let explanation = format!("this could not be found out: {failure}");
    let expected = Some(record.data.to_string());
    Drift { is_certain: false, ..drift(record, expected, Vec::new(), explanation) }
}

fn unasked(record: &ExpectedRecord) -> Drift {
    let explanation = "our resolver does not ask for such records".to_owned();
    let expected = Some(record.data.to_string());
    Drift { is_certain: false, ..drift(record, expected, Vec::new(), explanation) }
}
