//! Delivery status notifications as messages (RFC 3464 in the frame of RFC 6522).
//!
//! Who gets a report and about what is decided in `transom-queue`; here it gets its form. A report
//! is ASCII throughout, whatever the original holds, so that it needs neither 8BITMIME nor (unless
//! its own recipient does) SMTPUTF8 on its way:
//!
//! - the readable part is quoted-printable and keeps UTF-8;
//! - addresses with UTF-8 are written in the ASCII form of RFC 6533 §3, type `utf-8`;
//! - an original that is not clean 7-bit text is returned as its header section in
//!   quoted-printable, never as `message/rfc822`, which may not be encoded (RFC 2046 §5.2.1).

use std::time::SystemTime;

use transom_types::{
    Domain, EnvelopeId, ForwardPath, InternetMessageId, Mailbox, OriginalRecipient, Status,
};

mod parts;
mod write;

#[cfg(test)]
mod tests;

/// How much of the original a report quotes, in octets. A longer header section is cut behind a
/// line, of a longer message the header section alone is quoted.
pub const RETURNED_OCTETS_MAX: usize = 64 * 1024;

/// Longest text of a remote host that a report repeats, in octets.
pub const DIAGNOSTIC_OCTETS_MAX: usize = 2048;

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReportKind {
    /// Recipients failed for good.
    Failed,
    /// Recipients are late, and attempts go on.
    Delayed,
}

/// A report about one message and some of its recipients.
///
/// `to` is a mailbox: a report to the null reverse-path cannot be expressed.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "each part of a report must be given a thought")]
pub struct Report<'a> {
    /// What it says.
    pub kind: ReportKind,
    /// This host.
    pub reporting_mta: Domain,
    /// Who answers for this host: its postmaster.
    pub from: Mailbox,
    /// The reverse-path of the original.
    pub to: Mailbox,
    /// When the original arrived here.
    pub arrival: SystemTime,
    /// The date of the report.
    pub now: SystemTime,
    /// The Message-ID of the report.
    pub message_id: InternetMessageId,
    /// `ENVID` of the original.
    pub envelope_id: Option<EnvelopeId>,
    /// Whom it is about; at least one.
    pub recipients: Vec<ReportRecipient>,
    /// The Message-ID of the original.
    pub original_message_id: Option<InternetMessageId>,
    /// What of the original goes back.
    pub returned: Returned<'a>,
}

/// One recipient in a [`Report`].
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "each part of a report must be given a thought")]
pub struct ReportRecipient {
    /// The recipient as this host had it.
    pub final_recipient: ForwardPath,
    /// The recipient as the sender had it (`ORCPT`).
    pub original_recipient: Option<OriginalRecipient>,
    /// Why.
    pub status: Status,
    /// Until when attempts go on, of a late recipient.
    pub will_retry_until: Option<SystemTime>,
}

/// What of the original goes back with a report.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "RFC 3461 §4.3 has these two")]
pub enum Returned<'a> {
    /// The header section (`RET=HDRS`). May be given with a body behind it, which is ignored.
    Headers(&'a [u8]),
    /// The whole message (`RET=FULL`), if it is small and clean 7-bit text; else its header
    /// section.
    Message(&'a [u8]),
}

impl std::fmt::Debug for Returned<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, octets) = match self {
            Self::Headers(octets) => ("Headers", octets.len()),
            Self::Message(octets) => ("Message", octets.len()),
        };
        f.debug_tuple(name).field(&octets).finish()
    }
}

impl Report<'_> {
    /// The report as content: header section, empty line, body, every line ended by CRLF.
    pub fn build(&self) -> Vec<u8> {
        write::message(self)
    }
}
