//! One readable line an event, for consoles.

use std::fmt::Write as _;

use crate::csv::{path_text, sender_text};
use crate::time::{put_time, utc};
use crate::{TrackedRecipient, TrackingEvent};

/// Most recipients that a line names; the rest is counted.
pub const RECIPIENTS_MAX: usize = 4;

/// Appends `event` as one line, without line end.
///
/// ```text
/// 09:14:03.120 SEND      SMTP        42 a@contoso.com -> b@fabrikam.com (250 2.1.5 OK) via mx1
/// ```
pub fn write_line(event: &TrackingEvent, out: &mut String) {
    let mut time = Vec::with_capacity(12);
    put_time(utc(event.at), &mut time);
    out.push_str(str::from_utf8(&time).unwrap_or(""));
    // Writes to a String cannot fail.
    let _ = write!(out, " {:<9} {:<11}", event.event, event.source);
    if let Some(id) = event.internal_id {
        let _ = write!(out, " {id}");
    }
    if let Some(sender) = &event.sender {
        put(out, " ", sender_text(sender));
    }
    write_recipients(&event.recipients, out);
    if event.total_bytes > 0 {
        let _ = write!(out, ", {} octets", event.total_bytes);
    }
    if let Some(hop) = &event.next_hop {
        put(out, ", next hop ", hop.domain.as_str());
    }
    for (word, peer) in [("client", &event.client), ("server", &event.server)] {
        match (peer.hostname.as_deref(), peer.ip) {
            (Some(name), Some(ip)) => {
                let _ = write!(out, ", {word} ");
                put(out, "", name);
                let _ = write!(out, " [{ip}]");
            }
            (None, Some(ip)) => {
                let _ = write!(out, ", {word} [{ip}]");
            }
            // A name alone is our own: every line would say it.
            (_, None) => {}
        }
    }
    if let Some(attempt) = event.attempt {
        let _ = write!(out, ", attempt {attempt}");
    }
    if let Some(reference) = &event.reference {
        put(out, ", about ", reference);
    }
    if let Some(context) = &event.source_context {
        put(out, ": ", context);
    }
}

/// [`write_line`] into a new string.
pub fn to_line(event: &TrackingEvent) -> String {
    let mut line = String::with_capacity(160);
    write_line(event, &mut line);
    line
}

fn write_recipients(recipients: &[TrackedRecipient], out: &mut String) {
    for (place, recipient) in recipients.iter().take(RECIPIENTS_MAX).enumerate() {
        put(out, if place == 0 { " -> " } else { ", " }, path_text(&recipient.path));
        if !recipient.status.is_empty() {
            put(out, " (", &recipient.status);
            out.push(')');
        }
    }
    if let Some(more) = recipients.len().checked_sub(RECIPIENTS_MAX).filter(|more| *more > 0) {
        let _ = write!(out, " and {more} more");
    }
}

/// The one place where foreign text enters a line.
fn put(out: &mut String, before: &str, text: &str) {
    out.push_str(before);
    out.extend(text.chars().map(|c| if breaks_lines(c) { '?' } else { c }));
}

/// Whether some reader of logs takes `c` for the end of a line, or a terminal for a command. The
/// marks of text direction are among them: they let a text show in another order than it has.
pub(crate) fn breaks_lines(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;
    use transom_types::InternalMessageId;

    use super::*;
    use crate::{EventId, Peer, Source};

    fn event() -> TrackingEvent {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let mut event = TrackingEvent::new(EventId::Send, Source::Smtp, at);
        event.internal_id = Some(InternalMessageId(42));
        event.sender = Some("<a@contoso.com>".parse().unwrap());
        event.recipients =
            vec![TrackedRecipient::new("<b@fabrikam.com>".parse().unwrap(), "250 2.1.5 OK")];
        event
    }

    #[test]
    fn line_tells_who_sent_what_to_whom() {
        let mut event = event();
        event.server = Peer::new("192.0.2.1".parse().unwrap(), "mx.fabrikam.com");
        event.total_bytes = 1234;
        assert_eq!(
            to_line(&event),
            "22:13:20.123 SEND      SMTP        42 a@contoso.com -> b@fabrikam.com \
             (250 2.1.5 OK), 1234 octets, server mx.fabrikam.com [192.0.2.1]"
        );
    }

    #[test]
    fn many_recipients_are_counted() {
        let mut event = event();
        event.recipients = vec![event.recipients[0].clone(); RECIPIENTS_MAX + 3];
        assert!(to_line(&event).ends_with(" and 3 more"));
    }

    proptest! {
        #[test]
        fn no_text_begins_a_new_line(text in any::<String>()) {
            let mut event = event();
            event.source_context = Some(text.as_str().into());
            event.reference = Some(text.as_str().into());
            event.recipients[0].status = text.into();
            let line = to_line(&event);
            prop_assert!(!line.chars().any(breaks_lines));
        }
    }
}
