//! Attack 8 of the attack list at the two formatters of this crate, rows of the log and lines for
//! consoles: whatever a peer chose, one event is one row and one line, and no field is another's.
#![expect(clippy::unwrap_used, reason = "helpers of a test")]

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use transom_tracking::csv::{Column, Row, rows, write_header, write_row};
use transom_tracking::{EventId, Peer, Source, TrackedRecipient, TrackingEvent, line};
use transom_types::{
    ConnectorId, DeliveryType, ForwardPath, InternetMessageId, NextHop, NextHopDomain, ReversePath,
    TlsClass,
};

/// Texts that have split logs, moved columns, or drawn on terminals somewhere.
const SPLITTERS: [&str; 14] = [
    "x\r\n2023-11-14T22:13:20.123Z,,,,,,,SMTP,RECEIVE",
    "x\n#Software: other",
    "x\ry",
    "x\0y",
    "x\u{85}y",
    "x\u{2028}y",
    "x\u{2029}y",
    "x\u{b}\u{c}y",
    "\u{1b}[2J\u{1b}]0;title\u{7}",
    "\u{202e}moc.live",
    "\",\"\",\"",
    "\"\r\n\"",
    ";S:Reason=forged;",
    ",,,,",
];

/// What some reader takes for the end of a line, the order of text or a command.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// An event that says `text` wherever a text of somebody else may stand, and the paths and the id
/// where they parse.
fn event(text: &str, path: &str, id: &str) -> TrackingEvent {
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    let mut event = TrackingEvent::new(EventId::Receive, Source::Smtp, at);
    event.client = Peer::new("192.0.2.1".parse().unwrap(), text);
    event.server = Peer::new("192.0.2.2".parse().unwrap(), text);
    event.connector = Some(ConnectorId::new(text));
    event.message_id = id.parse::<InternetMessageId>().ok();
    event.sender = path.parse::<ReversePath>().ok();
    let to = path.parse::<ForwardPath>().unwrap_or(ForwardPath::Postmaster);
    event.recipients = vec![TrackedRecipient::new(to, text.to_owned()); 2];
    event.reference = Some(text.into());
    event.subject = Some(text.into());
    event.source_context = Some(text.into());
    event.next_hop = Some(NextHop {
        kind: DeliveryType::SmartHostConnectorDelivery,
        domain: NextHopDomain::new(text),
        connector: ConnectorId::new(text),
        tls: TlsClass::Normal,
    });
    event.custom_data.push((text.to_owned().into(), text.into()));
    event
}

/// Checks that the event is one row of all columns, whose own fields say what they said, and one
/// line.
fn check(event: &TrackingEvent) {
    let mut file = Vec::new();
    write_header(event.at, &mut file);
    let header = file.len();
    write_row(event, &mut file);
    write_row(event, &mut file);
    let file = String::from_utf8(file).unwrap();
    let written = file.get(header..).unwrap();
    assert!(!written.replace("\r\n", "").contains(is_unsafe), "{written:?}");
    assert_eq!(written.matches("\r\n").count(), 2, "{written:?}");
    let rows: Vec<Row> = rows(&file).collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 2, "{written:?}");
    for row in rows {
        assert_eq!(row.at(), Some(event.at), "{written:?}");
        assert_eq!(row.event(), Some(EventId::Receive), "{written:?}");
        assert_eq!(row.get(Column::ClientIp), "192.0.2.1", "{written:?}");
        assert_eq!(row.get(Column::RecipientCount), "2", "{written:?}");
        assert_eq!(row.get(Column::SchemaVersion), "1.0", "{written:?}");
        assert_eq!(row.recipients().len(), 2, "{written:?}");
        // Next hop, its kind, its connector, and one more fact.
        assert_eq!(row.get(Column::CustomData).split(';').count(), 4, "{written:?}");
    }
    let line = line::to_line(event);
    assert!(!line.contains(is_unsafe), "{line:?}");
}

// attacks.md 8
#[test]
fn text_of_a_peer_makes_no_row_no_column_and_no_line() {
    for text in SPLITTERS {
        check(&event(text, "<b@contoso.com>", "<1@contoso.com>"));
        check(&event(text, text, text));
    }
}

proptest! {
    // attacks.md 8
    #[test]
    fn no_text_makes_a_row(
        text in prop_oneof![
            any::<String>(),
            "(\r\n|\n|\r|\0|\u{85}|\u{2028}|\u{202e}|\u{1b}|[\",;#=x ]){0,20}",
        ],
        path in prop_oneof![
            "<[a-z\u{e4}\u{202e}]{1,8}@contoso\\.com>",
            "<\"([ -!#-\\[\\]-~\u{e4}\u{2028}\u{202e}]|\\\\[ -~]){0,20}\"@contoso\\.com>",
        ],
        id in prop_oneof![any::<String>(), "<[!-~\u{202e}\u{e4}]{1,20}>"],
    ) {
        check(&event(&text, &path, &id));
    }
}
