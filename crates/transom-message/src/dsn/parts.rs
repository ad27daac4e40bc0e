//! The three parts of a report, each with its own header section.

use std::fmt::Write as _;

use memchr::{memchr_iter, memrchr};
use transom_types::{ForwardPath, OriginalRecipient, Status};

use crate::HeaderSection;
use crate::date::date_time;
use crate::dsn::write::{put_field, subject_of};
use crate::dsn::{
    DIAGNOSTIC_OCTETS_MAX, RETURNED_OCTETS_MAX, Report, ReportKind, ReportRecipient, Returned,
};
use crate::encode::{put_quoted_printable, utf8_address};
use crate::fold::{Charset, FieldWriter, is_unsafe};

/// The part that people read.
pub(super) fn text(report: &Report<'_>) -> Vec<u8> {
    let mut text = String::new();
    // Writes to a String cannot fail.
    let _ = write!(text, "This is the mail system at {}.\n\n", report.reporting_mta);
    text.push_str(match report.kind {
        ReportKind::Failed => {
            "Your message could not be delivered to the recipients named below.\n\
             No further attempt will be made for them.\n"
        }
        ReportKind::Delayed => {
            "Your message has not been delivered yet to the recipients named below.\n\
             You need not send it again: further attempts will be made.\n"
        }
    });
    for recipient in &report.recipients {
        put_recipient_text(recipient, &mut text);
    }
    let _ = write!(text, "\nSubject: {}\n", subject_of(report));
    let _ = writeln!(text, "Received here: {}", date_time(report.arrival));
    let mut part = Vec::new();
    put_field("Content-Type", "text/plain; charset=utf-8", &mut part);
    put_field("Content-Transfer-Encoding", "quoted-printable", &mut part);
    part.extend_from_slice(b"\r\n");
    put_quoted_printable(clean_lines(&text).as_bytes(), &mut part);
    part
}

fn put_recipient_text(recipient: &ReportRecipient, text: &mut String) {
    let _ = write!(text, "\n{}\n", recipient.final_recipient);
    let status = &recipient.status;
    match &status.remote {
        Some(host) => {
            let _ = writeln!(text, "    The host {host} said ({}):", status.stage);
        }
        None => {
            let _ = writeln!(text, "    This host found ({}):", status.stage);
        }
    }
    let _ = writeln!(text, "    {}", diagnostic(status));
    if let Some(until) = recipient.will_retry_until {
        let _ = writeln!(text, "    Attempts go on until {}.", date_time(until));
    }
}

/// Lines ended by CRLF, without other control characters: a text that a peer chose can draw
/// nothing on a terminal.
fn clean_lines(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => clean.push_str("\r\n"),
            c if is_unsafe(c) => clean.push('?'),
            c => clean.push(c),
        }
    }
    clean
}

/// The part that programs read: `message/delivery-status` (RFC 3464 §2).
pub(super) fn delivery_status(report: &Report<'_>) -> Vec<u8> {
    let mut part = Vec::new();
    put_field("Content-Type", "message/delivery-status", &mut part);
    part.extend_from_slice(b"\r\n");
    // [RFC 3461 §6.3-a] where there was one.
    if let Some(id) = &report.envelope_id {
        let mut field = FieldWriter::new("Original-Envelope-Id", Charset::Ascii, &mut part);
        field.word(&[id.text()]);
        field.end();
    }
    // [RFC 3461 §6.3-b]
    put_typed("Reporting-MTA", "dns", &[report.reporting_mta.as_str()], &mut part);
    put_field("Arrival-Date", &date_time(report.arrival), &mut part);
    for recipient in &report.recipients {
        part.extend_from_slice(b"\r\n");
        put_recipient_fields(report.kind, recipient, &mut part);
    }
    strip_last_line_end(&mut part);
    part
}

fn put_recipient_fields(kind: ReportKind, recipient: &ReportRecipient, out: &mut Vec<u8>) {
    // [RFC 3461 §6.3-c] where there was one.
    if let Some(original) = &recipient.original_recipient {
        put_original_recipient(original, out);
    }
    let path = match &recipient.final_recipient {
        ForwardPath::Mailbox(mailbox) => mailbox.as_str(),
        ForwardPath::Postmaster => "Postmaster",
    };
    // [RFC 3461 §6.3-d, §6.3-e, §6.3-f] for each recipient.
    put_address("Final-Recipient", "rfc822", path, out);
    let action = match kind {
        ReportKind::Failed => "failed",
        ReportKind::Delayed => "delayed",
    };
    put_field("Action", action, out);
    let status = &recipient.status;
    put_field("Status", &status.code.to_string(), out);
    // [RFC 3461 §6.3-g]
    if let Some(host) = &status.remote {
        put_typed("Remote-MTA", "dns", &[&host.name], out);
    }
    // [RFC 3461 §6.3-h] the words of the peer.
    // [RFC 3464 §2.3.6] "smtp" says that a peer spoke those words; ours have a type of their own.
    let diagnostic_type = if status.remote.is_some() { "smtp" } else { "x-transom" };
    let diagnostic = diagnostic(status);
    let words: Vec<&str> = diagnostic.split(' ').filter(|word| !word.is_empty()).collect();
    put_typed("Diagnostic-Code", diagnostic_type, &words, out);
    if let Some(until) = recipient.will_retry_until.filter(|_| kind == ReportKind::Delayed) {
        put_field("Will-Retry-Until", &date_time(until), out);
    }
}

/// `type; word ...`.
fn put_typed(name: &str, value_type: &str, words: &[&str], out: &mut Vec<u8>) {
    let mut field = FieldWriter::new(name, Charset::Ascii, out);
    field.word(&[value_type]);
    field.semicolon();
    for word in words {
        field.word(&[word]);
    }
    field.end();
}

/// The type of an original recipient came from outside, but its grammar lets no sign through.
fn put_original_recipient(original: &OriginalRecipient, out: &mut Vec<u8>) {
    put_address("Original-Recipient", original.address_type(), original.address(), out);
}

/// [RFC 6531 §3.2-e, §3.2-f] reports know addresses beyond ASCII.
///
/// [RFC 6533 §3] an address with UTF-8 is of type `utf-8` and written in ASCII.
fn put_address(name: &str, address_type: &str, address: &str, out: &mut Vec<u8>) {
    if address.is_ascii() {
        put_typed(name, address_type, &[address], out);
    } else {
        put_typed(name, "utf-8", &[&utf8_address(address)], out);
    }
}

/// What was said, on one line and bounded.
fn diagnostic(status: &Status) -> String {
    let mut line = status.reply.to_line();
    let end = line.floor_char_boundary(DIAGNOSTIC_OCTETS_MAX);
    line.truncate(end);
    line
}

/// The part that brings the original back.
pub(super) fn returned(report: &Report<'_>) -> Vec<u8> {
    let mut part = Vec::new();
    if let Returned::Message(message) = report.returned
        && message.len() <= RETURNED_OCTETS_MAX
        && is_clean_text(message)
    {
        put_field("Content-Type", "message/rfc822", &mut part);
        part.extend_from_slice(b"\r\n");
        part.extend_from_slice(message);
        return part;
    }
    let section = cut(HeaderSection::parse(report.returned.octets()).octets());
    put_field("Content-Type", "text/rfc822-headers", &mut part);
    if is_clean_text(section) {
        part.extend_from_slice(b"\r\n");
        part.extend_from_slice(section);
        strip_last_line_end(&mut part);
    } else {
        put_field("Content-Transfer-Encoding", "quoted-printable", &mut part);
        part.extend_from_slice(b"\r\n");
        put_quoted_printable(section, &mut part);
    }
    part
}

impl<'a> Returned<'a> {
    /// What was given, header section first.
    pub(super) fn octets(&self) -> &'a [u8] {
        match self {
            Self::Headers(octets) | Self::Message(octets) => octets,
        }
    }
}

/// As many whole lines as fit.
fn cut(section: &[u8]) -> &[u8] {
    let Some(start) = section.get(..RETURNED_OCTETS_MAX) else { return section };
    let end = memrchr(b'\n', start).map_or(0, |lf| lf.saturating_add(1));
    start.get(..end).unwrap_or_default()
}

/// The CRLF before a boundary belongs to the boundary (RFC 2046 §5.1.1), so a text's own would
/// show as an empty line.
fn strip_last_line_end(part: &mut Vec<u8>) {
    if part.ends_with(b"\r\n") {
        part.truncate(part.len().saturating_sub(2));
    }
}

/// Whether octets may travel as they are where nothing but 7-bit text passes: ASCII without NUL,
/// lines of at most 998 octets ended by CRLF, no other CR or LF.
fn is_clean_text(octets: &[u8]) -> bool {
    let mut start = 0usize;
    for lf in memchr_iter(b'\n', octets) {
        let Some(line) = octets.get(start..lf) else { return false };
        let Some(line) = line.strip_suffix(b"\r") else { return false };
        if line.len() > 998 || line.contains(&b'\r') {
            return false;
        }
        start = lf.saturating_add(1);
    }
    let last = octets.get(start..).unwrap_or_default();
    last.len() <= 998 && !last.contains(&b'\r') && octets.is_ascii() && !octets.contains(&0)
}
