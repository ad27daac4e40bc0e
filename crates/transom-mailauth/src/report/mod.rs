//! DMARC aggregate reports (RFC 9990): written for the owners of domains, and read.

mod mail;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::net::IpAddr;

use crate::dmarc::{DmarcOutcome, DmarcPolicy, DmarcRecord, DmarcResult};
use crate::verdicts::Verdicts;

pub use mail::ReportMail;
pub use read::ReadReportError;

/// What was seen of mail in the name of one domain, over some time.
///
/// ```
/// use transom_mailauth::report::AggregateReport;
///
/// let report = AggregateReport::new("mx.contoso.com", "postmaster@contoso.com", "1", 0, 86_400);
/// let xml = report.to_xml();
/// assert_eq!(AggregateReport::read(xml.as_bytes())?.org_name, "mx.contoso.com");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AggregateReport {
    /// Who reports.
    pub org_name: String,
    /// Whom to ask.
    pub email: String,
    /// How else to reach them.
    pub extra_contact_info: Option<String>,
    /// Tells reports of one sender apart.
    pub report_id: String,
    /// From when on, in seconds of Unix time.
    pub begin: u64,
    /// Until when.
    pub end: u64,
    /// What went wrong with the policy.
    pub errors: Vec<String>,
    /// The policy.
    pub policy: PublishedPolicy,
    /// What was seen.
    pub records: Vec<ReportRecord>,
}

/// The policy that held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedPolicy {
    /// Where it stands.
    pub domain: String,
    /// What it says, defaults filled in. Where reports go is not part of it.
    pub record: DmarcRecord,
}

/// What was seen from one address with one result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportRecord {
    /// The client.
    pub source_ip: IpAddr,
    /// How many messages.
    pub count: u64,
    /// What was done with them.
    pub disposition: DmarcPolicy,
    /// Whether a signature is aligned.
    pub dkim_aligned: bool,
    /// Whether MAIL FROM is.
    pub spf_aligned: bool,
    /// Why something else was done than the policy says: a word and a remark.
    pub overrides: Vec<(String, String)>,
    /// The domain in From.
    pub header_from: String,
    /// The domain in MAIL FROM.
    pub envelope_from: Option<String>,
    /// The domain of the recipients.
    pub envelope_to: Option<String>,
    /// The signatures.
    pub dkim: Vec<DkimEntry>,
    /// SPF for MAIL FROM: the domain and its result.
    pub spf: Option<(String, String)>,
}

/// A signature in a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 9990 section 3.1.1.12 has these")]
pub struct DkimEntry {
    /// Who signed.
    pub domain: String,
    /// With which key.
    pub selector: String,
    /// The word of RFC 8601.
    pub result: String,
}

impl AggregateReport {
    /// Most records that are kept, written and read; a report of that many has some 50 MiB.
    pub const RECORDS_MAX: usize = 100_000;

    /// A report without records.
    pub fn new(org_name: &str, email: &str, report_id: &str, begin: u64, end: u64) -> Self {
        Self {
            org_name: org_name.to_owned(),
            email: email.to_owned(),
            report_id: report_id.to_owned(),
            begin,
            end,
            ..Self::default()
        }
    }

    /// The same for a policy that was found.
    #[must_use]
    pub fn for_policy(mut self, outcome: &DmarcOutcome) -> Self {
        let domain = outcome.policy_domain.as_ref().map(ToString::to_string);
        let mut record = outcome.record.clone().unwrap_or_default();
        record.aggregate_reports.clear();
        record.failure_reports.clear();
        self.policy = PublishedPolicy { domain: domain.unwrap_or_default(), record };
        self
    }

    /// Counts a message: to a record that says the same, or to a new one. One beyond
    /// [`Self::RECORDS_MAX`] is not counted, which is told.
    pub fn count(&mut self, record: ReportRecord) -> bool {
        let more = record.count;
        let same = self
            .records
            .iter_mut()
            .find(|known| ReportRecord { count: more, ..(*known).clone() } == record);
        if let Some(same) = same {
            same.count = same.count.saturating_add(more);
        } else if self.records.len() < Self::RECORDS_MAX {
            self.records.push(record);
        } else {
            return false;
        }
        true
    }

    /// Reads a report: XML, or XML packed by gzip.
    ///
    /// # Errors
    ///
    /// [`ReadReportError`], also where the report is larger or packed tighter than any is.
    pub fn read(octets: &[u8]) -> Result<Self, ReadReportError> {
        read::read(octets)
    }

    /// Reads the report in a message.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], and where the message has no part that could be one.
    pub fn read_message(message: &[u8]) -> Result<Self, ReadReportError> {
        mail::read_message(message)
    }

    /// The report as XML.
    pub fn to_xml(&self) -> String {
        write::to_xml(self)
    }
}

impl ReportRecord {
    /// Most signatures of a record (RFC 9990 section 3.1.3).
    pub const SIGNATURES_MAX: usize = 100;

    /// The record of one message, with what was done with it; none where it has no policy.
    pub fn of(verdicts: &Verdicts, disposition: DmarcPolicy) -> Option<Self> {
        let dmarc = &verdicts.dmarc;
        let is_judged = matches!(dmarc.result, DmarcResult::Pass | DmarcResult::Fail);
        let author = dmarc.author.as_ref().filter(|_| is_judged)?;
        let is_aligned = |domain: &str| {
            let mut aligned = dmarc.dkim_aligned.iter();
            aligned.any(|name| name.as_str().eq_ignore_ascii_case(domain))
        };
        let mut dkim: Vec<_> = verdicts.dkim.iter().collect();
        // [RFC 9990 §3.1.3] those that matter most first.
        dkim.sort_by_key(|verdict| (!is_aligned(&verdict.domain), !verdict.is_pass()));
        let entry = |verdict: &&crate::dkim::DkimVerdict| DkimEntry {
            domain: verdict.domain.clone(),
            selector: verdict.selector.clone(),
            result: verdict.result.as_str().to_owned(),
        };
        let dkim: Vec<_> = dkim.iter().take(Self::SIGNATURES_MAX).map(entry).collect();
        let sender = verdicts.facts.sender_domain().to_owned();
        let result = verdicts.spf.mail_from.result.as_str().to_owned();
        Some(Self {
            source_ip: verdicts.facts.client,
            count: 1,
            disposition,
            dkim_aligned: !dmarc.dkim_aligned.is_empty(),
            spf_aligned: dmarc.spf_aligned,
            overrides: overrides(verdicts, disposition),
            header_from: author.to_string(),
            envelope_from: Some(sender.clone()),
            envelope_to: None,
            dkim,
            spf: Some((sender, result)),
        })
    }
}

/// [RFC 9990 §3.1.6] why not what the policy says.
fn overrides(verdicts: &Verdicts, disposition: DmarcPolicy) -> Vec<(String, String)> {
    let dmarc = &verdicts.dmarc;
    if dmarc.result != DmarcResult::Fail || disposition == dmarc.policy {
        return Vec::new();
    }
    let word = match &verdicts.forwarder {
        Some(_) => "trusted_forwarder",
        None if disposition == dmarc.requested() => "policy_test_mode",
        None => "local_policy",
    };
    vec![(word.to_owned(), String::new())]
}
