//! A resolver in memory, written as a few lines of text.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;

use crate::{
    Answer, CNAME_STEPS_MAX, DnsFailure, DomainName, Record, RecordKind, Resolver, Security,
};

/// What a few lines of text say, for tests and for hosts without a DNS.
///
/// One record a line: `name TYPE value`. Types are A, AAAA, CNAME, MX (`preference exchange`, the
/// exchange `.` being the null MX), PTR and TXT (the rest of the line, quotes around it taken off,
/// `\ddd` being the octet of that decimal number and `\` before another character that character).
/// A value of `SERVFAIL`, `TIMEOUT`, `REFUSED` or `BOGUS` makes the question fail so; the type
/// `ANY`, or none, then stands for all types. `#` starts a comment line. A name that no line names
/// does not exist, unless a name below it does.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    entries: HashMap<DomainName, Vec<Entry>>,
}

#[derive(Clone, Debug)]
enum Entry {
    Record(Record),
    Failure { kind: Option<RecordKind>, failure: DnsFailure },
}

impl Zone {
    /// For how long an answer of a zone holds.
    pub const TTL: Duration = Duration::from_mins(5);

    /// A zone without names: every question is answered by [`DnsFailure::NxDomain`].
    pub fn new() -> Self {
        Self::default()
    }

    /// The same zone with one record more.
    #[must_use]
    pub fn with(mut self, name: DomainName, record: Record) -> Self {
        self.entries.entry(name).or_default().push(Entry::Record(record));
        self
    }

    /// Answers from memory; [`Resolver::lookup`] without the waiting.
    ///
    /// # Errors
    ///
    /// As [`Resolver::lookup`].
    pub fn get(&self, name: &DomainName, kind: RecordKind) -> Result<Answer, DnsFailure> {
        let mut name = name;
        for _ in 0..=CNAME_STEPS_MAX {
            let entries = self.at(name)?;
            if let Some(failure) = failure_at(entries, kind) {
                return Err(failure);
            }
            let alias = entries.iter().find_map(|entry| match entry {
                Entry::Record(Record::Cname(alias)) => Some(alias),
                _ => None,
            });
            match alias {
                Some(alias) if kind != RecordKind::Cname => name = alias,
                _ => return Answer::new(records_at(entries, kind), Security::Unknown, Self::TTL),
            }
        }
        // [RFC 1034 §3.6.2] a loop of aliases is an error; so is a chain beyond all reason.
        Err(DnsFailure::ServFail)
    }

    /// What stands at a name: nothing (NODATA) where only a name below it exists (RFC 8020).
    fn at(&self, name: &DomainName) -> Result<&[Entry], DnsFailure> {
        if let Some(entries) = self.entries.get(name) {
            return Ok(entries);
        }
        let below = |known: &DomainName| {
            let parent = known.as_str().strip_suffix(name.as_str());
            parent.is_some_and(|parent| parent.ends_with('.'))
        };
        if self.entries.keys().any(below) { Ok(&[]) } else { Err(DnsFailure::NxDomain) }
    }
}

fn failure_at(entries: &[Entry], asked: RecordKind) -> Option<DnsFailure> {
    entries.iter().find_map(|entry| match entry {
        Entry::Failure { kind, failure } if kind.is_none_or(|kind| kind == asked) => Some(*failure),
        _ => None,
    })
}

fn records_at(entries: &[Entry], asked: RecordKind) -> Vec<Record> {
    let of_kind = |entry: &Entry| match entry {
        Entry::Record(record) if record.kind() == asked => Some(record.clone()),
        _ => None,
    };
    entries.iter().filter_map(of_kind).collect()
}

#[async_trait]
impl Resolver for Zone {
    async fn lookup(&self, name: &DomainName, kind: RecordKind) -> Result<Answer, DnsFailure> {
        self.get(name, kind)
    }
}

impl FromStr for Zone {
    type Err = ParseZoneError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut zone = Self::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let error = || ParseZoneError { line: number.saturating_add(1), text: line.into() };
            let (name, entry) = parse_line(line).ok_or_else(error)?;
            zone.entries.entry(name).or_default().push(entry);
        }
        Ok(zone)
    }
}

/// `name TYPE value`, or `name FAILURE`.
fn parse_line(line: &str) -> Option<(DomainName, Entry)> {
    let (name, rest) = line.split_once(char::is_whitespace)?;
    let (name, rest) = (name.parse().ok()?, rest.trim_start());
    if let Some(failure) = parse_failure(rest) {
        return Some((name, Entry::Failure { kind: None, failure }));
    }
    let (kind, value) = rest.split_once(char::is_whitespace)?;
    let value = value.trim_start();
    if let Some(failure) = parse_failure(value) {
        let kind = if kind.eq_ignore_ascii_case("ANY") { None } else { Some(kind.parse().ok()?) };
        return Some((name, Entry::Failure { kind, failure }));
    }
    Some((name, Entry::Record(parse_record(kind.parse().ok()?, value)?)))
}

fn parse_failure(value: &str) -> Option<DnsFailure> {
    match value {
        "BOGUS" => Some(DnsFailure::Bogus),
        "REFUSED" => Some(DnsFailure::Refused),
        "SERVFAIL" => Some(DnsFailure::ServFail),
        "TIMEOUT" => Some(DnsFailure::Timeout),
        _ => None,
    }
}

fn parse_record(kind: RecordKind, value: &str) -> Option<Record> {
    Some(match kind {
        RecordKind::A => Record::A(value.parse().ok()?),
        RecordKind::Aaaa => Record::Aaaa(value.parse().ok()?),
        RecordKind::Cname => Record::Cname(value.parse().ok()?),
        RecordKind::Mx => {
            let (preference, exchange) = value.split_once(char::is_whitespace)?;
            let exchange = exchange.trim_start().parse().ok()?;
            Record::Mx { preference: preference.parse().ok()?, exchange }
        }
        RecordKind::Ptr => Record::Ptr(value.parse().ok()?),
        RecordKind::Txt => {
            let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            Record::Txt(unescape(quoted.unwrap_or(value))?.into())
        }
    })
}

/// [RFC 1035 §5.1] `\ddd` is an octet by its number, `\x` the character x.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        if octet != b'\\' {
            octets.push(octet);
        } else if let Some((digits, tail)) = rest.split_at_checked(3)
            && digits.iter().all(u8::is_ascii_digit)
        {
            octets.push(str::from_utf8(digits).ok()?.parse().ok()?);
            rest = tail;
        } else {
            let (&escaped, tail) = rest.split_first()?;
            octets.push(escaped);
            rest = tail;
        }
    }
    Some(octets)
}

/// A line of a zone that is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the zone is no \"name TYPE value\": {text}")]
#[non_exhaustive]
pub struct ParseZoneError {
    /// Which line, from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
}
