//! The frame: header section, parts and the boundary between them.

use memchr::memmem;
use transom_types::{InternetMessageId, Mailbox};

use crate::date::date_time;
use crate::dsn::{Report, ReportKind, parts};
use crate::encode::encoded_words;
use crate::fold::{Charset, FieldWriter, is_unsafe};
use crate::{ContentScan, HeaderSection};

/// The whole report.
pub(super) fn message(report: &Report<'_>) -> Vec<u8> {
    let parts = [parts::text(report), parts::delivery_status(report), parts::returned(report)];
    let boundary = boundary(&parts);
    let size = parts.iter().fold(2048usize, |sum, part| sum.saturating_add(part.len()));
    let mut out = Vec::with_capacity(size);
    header_section(report, &boundary, &mut out);
    out.extend_from_slice(b"\r\nThis is a report in MIME format (RFC 3464).\r\n");
    for part in &parts {
        out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        out.extend_from_slice(part);
    }
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    out
}

/// A boundary that stands in none of the parts. The quoted original may try each, but has room for
/// few of them, so the search ends soon.
fn boundary(parts: &[Vec<u8>]) -> String {
    let mut number = 0u32;
    loop {
        let candidate = format!("=_transom_{number}");
        if parts.iter().all(|part| memmem::find(part, candidate.as_bytes()).is_none()) {
            return candidate;
        }
        number = number.saturating_add(1);
    }
}

fn header_section(report: &Report<'_>, boundary: &str, out: &mut Vec<u8>) {
    let mut from = FieldWriter::new("From", Charset::Ascii, out);
    if report.from.is_ascii() {
        from.text("Mail Delivery System");
        from.word(&["<", report.from.as_str(), ">"]);
    } else {
        put_mailbox(&mut from, &report.from);
    }
    from.end();
    let mut to = FieldWriter::new("To", Charset::Ascii, out);
    put_mailbox(&mut to, &report.to);
    to.end();
    put_subject(report, out);
    put_field("Date", &date_time(report.now), out);
    put_id("Message-ID", Some(&report.message_id), out);
    put_id("In-Reply-To", report.original_message_id.as_ref(), out);
    put_id("References", report.original_message_id.as_ref(), out);
    // [RFC 3834 §5] so that no auto-responder answers the report.
    put_field("Auto-Submitted", "auto-replied", out);
    put_field("MIME-Version", "1.0", out);
    let mut content_type = FieldWriter::new("Content-Type", Charset::Ascii, out);
    content_type.word(&["multipart/report;"]);
    content_type.word(&["report-type=delivery-status;"]);
    content_type.word(&["boundary=\"", boundary, "\""]);
    content_type.end();
}

/// Appends a field of words.
pub(super) fn put_field(name: &str, text: &str, out: &mut Vec<u8>) {
    let mut field = FieldWriter::new(name, Charset::Ascii, out);
    field.text(text);
    field.end();
}

/// An id that is no ASCII, or too long for a line, is left out rather than changed.
fn put_id(name: &str, id: Option<&InternetMessageId>, out: &mut Vec<u8>) {
    let fits = |id: &str| {
        id.len() <= FieldWriter::WORD_OCTETS_MAX && id.bytes().all(|o| o.is_ascii_graphic())
    };
    if let Some(id) = id.map(InternetMessageId::as_str).filter(|id| fits(id)) {
        let mut field = FieldWriter::new(name, Charset::Ascii, out);
        field.word(&[id]);
        field.end();
    }
}

/// A mailbox with UTF-8 cannot stand in a field of ASCII; as RFC 6857 §3.1.8 has it, its text
/// becomes the name of an empty group.
fn put_mailbox(field: &mut FieldWriter<'_>, mailbox: &Mailbox) {
    if mailbox.is_ascii() {
        return field.word(&[mailbox.as_str()]);
    }
    for word in encoded_words(mailbox.as_str()) {
        field.word(&[&word]);
    }
    field.word(&[":;"]);
}

/// What the report says, then the subject of the original.
fn put_subject(report: &Report<'_>, out: &mut Vec<u8>) {
    let mut field = FieldWriter::new("Subject", Charset::Ascii, out);
    let prefix = match report.kind {
        ReportKind::Failed => "Undeliverable:",
        ReportKind::Delayed => "Delivery delayed:",
    };
    field.text(prefix);
    let original = subject_of(report);
    if original.is_ascii() {
        field.text(&original);
    } else {
        for word in encoded_words(&original) {
            field.word(&[&word]);
        }
    }
    field.end();
}

/// The subject of the original, without what no field may hold.
pub(super) fn subject_of(report: &Report<'_>) -> String {
    let section = HeaderSection::parse(report.returned.octets());
    let Some(subject) = section.first("Subject") else { return "(no subject)".into() };
    let clean = |c: char| if is_unsafe(c) { ' ' } else { c };
    subject.value().chars().take(ContentScan::SUBJECT_CHARACTERS_MAX).map(clean).collect()
}
