//! Reading a report: bounded, whatever a stranger packed.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};

use flate2::read::GzDecoder;
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use super::{AggregateReport, DkimEntry, ReportRecord};
use crate::dmarc::{Alignment, DmarcPolicy};

/// Longest report, unpacked.
const XML_OCTETS_MAX: usize = 64 << 20;
/// How many times larger a report may become than it came, behind the first MiB. XML of reports
/// shrinks to a twentieth.
const RATIO_MAX: usize = 100;
const RATIO_FREE_OCTETS: usize = 1 << 20;
/// Longest text of one element; what is longer is cut.
const TEXT_OCTETS_MAX: usize = 4096;
/// Deepest element; reports have six levels.
const DEPTH_MAX: usize = 16;

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadReportError {
    /// Something is in it twice that a report has once, or missing.
    #[error("the report has no {0} that makes sense")]
    Element(&'static str),
    /// The message has no part that could be a report.
    #[error("the message holds no report")]
    NoPart,
    /// It is not packed as it says.
    #[error("the report cannot be unpacked")]
    Packing,
    /// It is packed tighter than reports are.
    #[error("the report is packed more than a hundredfold")]
    Ratio,
    /// It is larger than 64 MiB.
    #[error("the report is larger than {limit} octets")]
    TooLarge {
        /// What it may have.
        limit: usize,
    },
    /// It has more records than are read, or elements in elements.
    #[error("the report has too many records or levels")]
    TooMany,
    /// It is no XML, or has a document type, which reports have not.
    #[error("the report is no XML")]
    Xml,
}

pub(super) fn read(octets: &[u8]) -> Result<AggregateReport, ReadReportError> {
    if octets.starts_with(&[0x1f, 0x8b]) { parse(&unpack(octets)?) } else { parse(octets) }
}

/// RFC 9990 section 8.1: neither size nor ratio is the stranger's choice.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, ReadReportError> {
    let ratio = packed.len().saturating_mul(RATIO_MAX).saturating_add(RATIO_FREE_OCTETS);
    let limit = ratio.min(XML_OCTETS_MAX);
    let mut xml = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    GzDecoder::new(packed)
        .take(most)
        .read_to_end(&mut xml)
        .map_err(|_| ReadReportError::Packing)?;
    if xml.len() > limit && limit < XML_OCTETS_MAX {
        return Err(ReadReportError::Ratio);
    }
    Ok(xml)
}

fn parse(xml: &[u8]) -> Result<AggregateReport, ReadReportError> {
    if xml.len() > XML_OCTETS_MAX {
        return Err(ReadReportError::TooLarge { limit: XML_OCTETS_MAX });
    }
    let xml = String::from_utf8_lossy(xml);
    let mut reader = Reader::from_str(&xml);
    let mut reading = Reading::default();
    let (mut path, mut text) = (Vec::<String>::new(), String::new());
    loop {
        match reader.read_event().map_err(|_| ReadReportError::Xml)? {
            Event::Start(start) => {
                if path.len() >= DEPTH_MAX {
                    return Err(ReadReportError::TooMany);
                }
                path.push(start.local_name().as_ref().to_owned());
                text.clear();
                reading.begin(&path)?;
            }
            Event::End(_) => {
                reading.end(&path, text.trim())?;
                path.pop();
                text.clear();
            }
            Event::Text(more) => push(&mut text, &more),
            Event::CData(more) => push(&mut text, &more),
            Event::GeneralRef(entity) => push(&mut text, &resolved(&entity)?),
            Event::Eof if path.is_empty() => return reading.finish(),
            Event::Eof | Event::DocType(_) => return Err(ReadReportError::Xml),
            _ => {}
        }
    }
}

fn push(text: &mut String, more: &str) {
    let room = TEXT_OCTETS_MAX.saturating_sub(text.len());
    let fit = |(at, c): &(usize, char)| at.saturating_add(c.len_utf8()) <= room;
    text.extend(more.char_indices().take_while(fit).map(|(_, c)| c));
}

/// The five entities that XML has by itself, and characters by number.
fn resolved(entity: &BytesRef<'_>) -> Result<String, ReadReportError> {
    if let Some(c) = entity.resolve_char_ref().map_err(|_| ReadReportError::Xml)? {
        return Ok(c.to_string());
    }
    let known = quick_xml::escape::resolve_predefined_entity(entity);
    known.map(str::to_owned).ok_or(ReadReportError::Xml)
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    report: AggregateReport,
    record: Option<ReportRecord>,
    is_feedback: bool,
}

impl Reading {
    fn begin(&mut self, path: &[String]) -> Result<(), ReadReportError> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["feedback"] => self.is_feedback = true,
            ["feedback", "record"] => {
                if self.report.records.len() >= AggregateReport::RECORDS_MAX {
                    return Err(ReadReportError::TooMany);
                }
                self.record = Some(empty_record());
            }
            ["feedback", "record", "auth_results", "dkim"] => {
                if let Some(record) = &mut self.record {
                    if record.dkim.len() >= ReportRecord::SIGNATURES_MAX {
                        return Err(ReadReportError::TooMany);
                    }
                    record.dkim.push(DkimEntry::default());
                }
            }
            ["feedback", "record", "row", "policy_evaluated", "reason"] => {
                if let Some(record) = &mut self.record {
                    if record.overrides.len() >= ReportRecord::SIGNATURES_MAX {
                        return Err(ReadReportError::TooMany);
                    }
                    record.overrides.push((String::new(), String::new()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, path: &[String], text: &str) -> Result<(), ReadReportError> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["feedback", "report_metadata", rest @ ..] => self.metadata(rest, text),
            ["feedback", "policy_published", name] => {
                self.policy(name, text);
                Ok(())
            }
            ["feedback", "record"] => {
                let record = self
                    .record
                    .take()
                    .filter(|record| record.source_ip != UNKNOWN && !record.header_from.is_empty());
                self.report.records.push(record.ok_or(ReadReportError::Element("record"))?);
                Ok(())
            }
            ["feedback", "record", rest @ ..] => match &mut self.record {
                Some(record) => in_record(record, rest, text),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn metadata(&mut self, path: &[&str], text: &str) -> Result<(), ReadReportError> {
        let report = &mut self.report;
        let moment = || text.parse().map_err(|_| ReadReportError::Element("date_range"));
        match path {
            ["org_name"] => text.clone_into(&mut report.org_name),
            ["email"] => text.clone_into(&mut report.email),
            ["extra_contact_info"] => report.extra_contact_info = Some(text.to_owned()),
            ["report_id"] => text.clone_into(&mut report.report_id),
            ["date_range", "begin"] => report.begin = moment()?,
            ["date_range", "end"] => report.end = moment()?,
            ["error"] if report.errors.len() < ReportRecord::SIGNATURES_MAX => {
                report.errors.push(text.to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    fn policy(&mut self, name: &str, text: &str) {
        let policy = &mut self.report.policy;
        let strictness = if text == "s" { Alignment::Strict } else { Alignment::Relaxed };
        let record = &mut policy.record;
        match name {
            "domain" => text.clone_into(&mut policy.domain),
            "p" => record.policy = DmarcPolicy::parse(text),
            "sp" => record.subdomain_policy = DmarcPolicy::parse(text),
            "np" => record.missing_policy = DmarcPolicy::parse(text),
            "fo" => record.failure_options = Some(text.to_owned()),
            "adkim" => record.dkim_alignment = strictness,
            "aspf" => record.spf_alignment = strictness,
            "testing" => record.is_test = text == "y",
            _ => {}
        }
    }

    fn finish(mut self) -> Result<AggregateReport, ReadReportError> {
        let report = &mut self.report;
        if !self.is_feedback || report.report_id.is_empty() {
            return Err(ReadReportError::Element("report_id"));
        }
        // What is absent is `p=none`, and that is what is written for it.
        report.policy.record.policy = report.policy.record.policy.or(Some(DmarcPolicy::None));
        Ok(self.report)
    }
}

const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

fn empty_record() -> ReportRecord {
    ReportRecord {
        source_ip: UNKNOWN,
        count: 0,
        disposition: DmarcPolicy::None,
        dkim_aligned: false,
        spf_aligned: false,
        overrides: Vec::new(),
        header_from: String::new(),
        envelope_from: None,
        envelope_to: None,
        dkim: Vec::new(),
        spf: None,
    }
}

fn in_record(record: &mut ReportRecord, path: &[&str], text: &str) -> Result<(), ReadReportError> {
    let last = record.dkim.last_mut();
    let spf = |record: &mut ReportRecord| record.spf.take().unwrap_or_default();
    match path {
        ["row", "source_ip"] => {
            record.source_ip = text.parse().map_err(|_| ReadReportError::Element("source_ip"))?;
        }
        ["row", "count"] => {
            record.count = text.parse().map_err(|_| ReadReportError::Element("count"))?;
        }
        ["row", "policy_evaluated", "disposition"] => {
            record.disposition = DmarcPolicy::parse(text).unwrap_or_default();
        }
        ["row", "policy_evaluated", "dkim"] => record.dkim_aligned = text == "pass",
        ["row", "policy_evaluated", "spf"] => record.spf_aligned = text == "pass",
        ["row", "policy_evaluated", "reason", name] => {
            if let Some((kind, comment)) = record.overrides.last_mut() {
                match *name {
                    "type" => text.clone_into(kind),
                    "comment" => text.clone_into(comment),
                    _ => {}
                }
            }
        }
        ["identifiers", "header_from"] => text.clone_into(&mut record.header_from),
        ["identifiers", "envelope_from"] => record.envelope_from = Some(text.to_owned()),
        ["identifiers", "envelope_to"] => record.envelope_to = Some(text.to_owned()),
        ["auth_results", "dkim", name] => {
            if let Some(entry) = last {
                match *name {
                    "domain" => text.clone_into(&mut entry.domain),
                    "selector" => text.clone_into(&mut entry.selector),
                    "result" => text.clone_into(&mut entry.result),
                    _ => {}
                }
            }
        }
        ["auth_results", "spf", "domain"] => {
            record.spf = Some((text.to_owned(), spf(record).1));
        }
        ["auth_results", "spf", "result"] => {
            record.spf = Some((spf(record).0, text.to_owned()));
        }
        _ => {}
    }
    Ok(())
}
