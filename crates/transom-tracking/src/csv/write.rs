//! Writing: one event, one line, no allocation but the growth of the buffer.

use std::io::Write as _;
use std::time::SystemTime;

use transom_types::{ConnectorId, ForwardPath, InternetMessageId, ReversePath};

use crate::csv::{Column, SCHEMA_VERSION};
use crate::time::put_timestamp;
use crate::{TrackedRecipient, TrackingEvent};

/// Appends the five header lines of a file that begins `now`.
pub fn write_header(now: SystemTime, out: &mut Vec<u8>) {
    put(out, "#Software: transom\r\n#Version: ");
    put(out, SCHEMA_VERSION);
    put(out, "\r\n#Log-type: Message Tracking Log\r\n#Date: ");
    put_timestamp(now, out);
    put(out, "\r\n#Fields: ");
    for (place, column) in Column::ALL.iter().enumerate() {
        put(out, if place == 0 { "" } else { "," });
        put(out, column.name());
    }
    put(out, "\r\n");
}

/// Appends `event` as one line, CRLF included.
pub fn write_row(event: &TrackingEvent, out: &mut Vec<u8>) {
    put_timestamp(event.at, out);
    for peer in [&event.client, &event.server] {
        put(out, ",");
        put_display(out, peer.ip);
        put(out, ",");
        put_text(out, peer.hostname.as_deref());
    }
    put(out, ",");
    put_source_context(out, event);
    put(out, ",");
    put_text(out, event.connector.as_ref().map(ConnectorId::as_str));
    put(out, ",");
    put(out, event.source.as_str());
    put(out, ",");
    put(out, event.event.as_str());
    put(out, ",");
    put_display(out, event.internal_id);
    put(out, ",");
    put_text(out, event.message_id.as_ref().map(InternetMessageId::as_str));
    put(out, ",");
    put_display(out, event.network_id);
    put(out, ",");
    put_list(out, &event.recipients, |recipient| path_text(&recipient.path));
    put(out, ",");
    put_list(out, &event.recipients, |recipient| &recipient.status);
    put(out, ",");
    put_display(out, Some(event.total_bytes));
    put(out, ",");
    put_display(out, Some(event.recipients.len()));
    // related-recipient-address
    put(out, ",,");
    put_text(out, event.reference.as_deref());
    put(out, ",");
    put_text(out, event.subject.as_deref());
    for _ in [Column::SenderAddress, Column::ReturnPath] {
        put(out, ",");
        put_text(out, event.sender.as_ref().map(sender_text));
    }
    // message-info, directionality, tenant-id, original-client-ip, original-server-ip
    put(out, ",,,,,,");
    put_custom_data(out, event);
    // transport-traffic-type, log-id, schema-version
    put(out, ",Email,,");
    put(out, SCHEMA_VERSION);
    put(out, "\r\n");
}

/// An address as logs show it, without angle brackets.
pub(crate) fn path_text(path: &ForwardPath) -> &str {
    path.mailbox().map_or("Postmaster", |mailbox| mailbox.as_str())
}

/// The same for a sender; the null reverse-path keeps its brackets.
pub(crate) fn sender_text(path: &ReversePath) -> &str {
    path.mailbox().map_or("<>", |mailbox| mailbox.as_str())
}

pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// For numbers, ids and addresses, which need no quoting.
pub(crate) fn put_display(out: &mut Vec<u8>, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        // A write to a Vec cannot fail.
        let _ = write!(out, "{value}");
    }
}

/// A field of one text.
pub(crate) fn put_text(out: &mut Vec<u8>, text: Option<&str>) {
    let Some(text) = text else { return };
    quoted(out, needs_quotes(text), |out, in_quotes| put_piece(out, text, in_quotes, false));
}

/// A field that lists one text a recipient.
fn put_list(
    out: &mut Vec<u8>,
    recipients: &[TrackedRecipient],
    text: impl Fn(&TrackedRecipient) -> &str,
) {
    let in_quotes = recipients.iter().any(|recipient| list_item_needs_quotes(text(recipient)));
    quoted(out, in_quotes, |out, in_quotes| {
        for (place, recipient) in recipients.iter().enumerate() {
            put(out, if place == 0 { "" } else { ";" });
            put_piece(out, text(recipient), in_quotes, true);
        }
    });
}

fn put_source_context(out: &mut Vec<u8>, event: &TrackingEvent) {
    let context = event.source_context.as_deref();
    quoted(out, context.is_some_and(needs_quotes), |out, in_quotes| {
        if let Some(session) = event.session {
            put_display(out, Some(session));
            put(out, ";");
            put_timestamp(event.at, out);
            put(out, ";0");
        }
        if let Some(context) = context {
            put(out, if event.session.is_some() { ";" } else { "" });
            put_piece(out, context, in_quotes, false);
        }
    });
}

/// `S:Key=value;...`.
fn put_custom_data(out: &mut Vec<u8>, event: &TrackingEvent) {
    let next_hop = event.next_hop.as_ref();
    let names = next_hop.map(|hop| [hop.domain.as_str(), hop.connector.as_str()]);
    let in_quotes = names.iter().flatten().any(|name| list_item_needs_quotes(name))
        || event
            .custom_data
            .iter()
            .any(|(key, value)| list_item_needs_quotes(key) || list_item_needs_quotes(value));
    quoted(out, in_quotes, |out, in_quotes| {
        let mut separator = "";
        if let Some(hop) = next_hop {
            put(out, "S:NextHop=");
            put_piece(out, hop.domain.as_str(), in_quotes, true);
            put(out, ";S:DeliveryType=");
            put_display(out, Some(hop.kind));
            put(out, ";S:NextHopConnector=");
            put_piece(out, hop.connector.as_str(), in_quotes, true);
            separator = ";";
        }
        if let Some(attempt) = event.attempt {
            put(out, separator);
            put(out, "S:Attempt=");
            put_display(out, Some(attempt));
            separator = ";";
        }
        for (key, value) in &event.custom_data {
            put(out, separator);
            put(out, "S:");
            put_piece(out, key, in_quotes, true);
            put(out, "=");
            put_piece(out, value, in_quotes, true);
            separator = ";";
        }
    });
}

fn quoted(out: &mut Vec<u8>, in_quotes: bool, inner: impl FnOnce(&mut Vec<u8>, bool)) {
    let quote = if in_quotes { "\"" } else { "" };
    put(out, quote);
    inner(out, in_quotes);
    put(out, quote);
}

// [RFC 4180 §2] fields with commas or quotes are quoted. Line ends never get that far.
fn needs_quotes(text: &str) -> bool {
    text.bytes().any(|octet| octet == b',' || octet == b'"')
}

/// In an item of a list a semicolon may become a comma.
fn list_item_needs_quotes(text: &str) -> bool {
    text.bytes().any(|octet| matches!(octet, b',' | b'"' | b';'))
}

/// The one place where foreign text enters a row: no control character and no line separator
/// passes, quotes are doubled, and no item of a list holds the separator of lists.
fn put_piece(out: &mut Vec<u8>, text: &str, in_quotes: bool, in_list: bool) {
    let plain = |octet: u8| (b' '..=b'~').contains(&octet) && octet != b'"' && octet != b';';
    if text.bytes().all(plain) {
        return put(out, text);
    }
    for c in text.chars() {
        match c {
            '"' if in_quotes => put(out, "\"\""),
            ';' if in_list => out.push(b','),
            c if crate::line::breaks_lines(c) => out.push(b'?'),
            c => put(out, c.encode_utf8(&mut [0; 4])),
        }
    }
}
