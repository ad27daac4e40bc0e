//! The message that carries a report (RFC 9990 section 3.5.2).

use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use mail_parser::{MessageParser, MimeHeaders as _};
use transom_message::date_time;
use transom_types::{Domain, Mailbox};

use super::{AggregateReport, ReadReportError};

/// Columns of base64 (RFC 2045 section 6.8).
const COLUMNS: usize = 76;
/// Largest message in which a report is looked for.
const MESSAGE_OCTETS_MAX: usize = 32 << 20;

/// Who sends a report to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what the message needs and the report has not")]
pub struct ReportMail {
    /// Who sends it; it should be signed in that domain, since reports too are judged by DMARC.
    pub from: Mailbox,
    /// To whom: an address of `rua`.
    pub to: Mailbox,
    /// The domain that reports.
    pub submitter: Domain,
    /// When, in seconds of Unix time.
    pub unix_seconds: u64,
}

impl ReportMail {
    /// The whole message: a sentence for people, and the report packed by gzip.
    pub fn write(&self, report: &AggregateReport) -> Vec<u8> {
        let id: String = report.report_id.chars().filter(char::is_ascii_alphanumeric).collect();
        let domain = name(&report.policy.domain);
        let submitter = self.submitter.as_str();
        let (begin, end) = (report.begin, report.end);
        let date = date_time(UNIX_EPOCH + Duration::from_secs(self.unix_seconds.min(1 << 37)));
        let file = format!("{submitter}!{domain}!{begin}!{end}!{id}.xml.gz");
        // The id is of letters and digits, so the boundary cannot stand in the base64 lines.
        let boundary = format!("=_report_{id}");
        let (from, to) = (&self.from, &self.to);
        let mut message = format!(
            "Date: {date}\r\nFrom: {from}\r\nTo: {to}\r\n\
             Subject: Report Domain: {domain}\r\n Submitter: {submitter}\r\n \
             Report-ID: <{id}@{submitter}>\r\n\
             Message-ID: <{id}@{submitter}>\r\nAuto-Submitted: auto-generated\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed;\r\n boundary=\"{boundary}\"\r\n\r\n\
             --{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
             This is a DMARC aggregate report for {domain}.\r\n\r\n\
             --{boundary}\r\nContent-Type: application/gzip\r\n\
             Content-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment;\r\n filename=\"{file}\"\r\n\r\n"
        )
        .into_bytes();
        let encoded = STANDARD.encode(pack(report.to_xml().as_bytes()));
        for line in encoded.as_bytes().chunks(COLUMNS) {
            message.extend_from_slice(line);
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        message
    }
}

/// A name that can stand in a field and a file name.
fn name(domain: &str) -> String {
    let is_fit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    domain.chars().filter(is_fit).take(Domain::OCTETS_MAX).collect()
}

fn pack(xml: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let _ = packer.write_all(xml);
    packer.finish().unwrap_or_default()
}

pub(super) fn read_message(message: &[u8]) -> Result<AggregateReport, ReadReportError> {
    if message.len() > MESSAGE_OCTETS_MAX {
        return Err(ReadReportError::TooLarge { limit: MESSAGE_OCTETS_MAX });
    }
    let message = MessageParser::default().parse(message).ok_or(ReadReportError::NoPart)?;
    // By what they hold: types and names of parts are as their senders like.
    let part = message.parts.iter().find(|part| {
        let octets = part.contents();
        let name = part.attachment_name().unwrap_or_default().to_ascii_lowercase();
        let is_named = name.strip_suffix(".xml").is_some();
        octets.starts_with(&[0x1f, 0x8b]) || octets.starts_with(b"<?xml") || is_named
    });
    AggregateReport::read(part.ok_or(ReadReportError::NoPart)?.contents())
}
