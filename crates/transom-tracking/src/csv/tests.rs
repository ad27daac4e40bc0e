use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use transom_types::{
    ConnectorId, DeliveryType, ForwardPath, InternalMessageId, NetworkMessageId, NextHop,
    NextHopDomain, ReversePath, SessionId, TlsClass,
};

use super::*;
use crate::{EventId, Peer, Source, TrackedRecipient, TrackingEvent};

fn event() -> TrackingEvent {
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    TrackingEvent::new(EventId::Receive, Source::Smtp, at)
}

fn row(event: &TrackingEvent) -> Row {
    Row::parse(&text(event)).unwrap()
}

fn text(event: &TrackingEvent) -> String {
    let mut out = Vec::new();
    write_row(event, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn header_names_exchanges_fields_in_their_order() {
    let mut out = Vec::new();
    write_header(event().at, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "#Software: transom\r\n\
         #Version: 1.0\r\n\
         #Log-type: Message Tracking Log\r\n\
         #Date: 2023-11-14T22:13:20.123Z\r\n\
         #Fields: date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,\
         connector-id,source,event-id,internal-message-id,message-id,network-message-id,\
         recipient-address,recipient-status,total-bytes,recipient-count,\
         related-recipient-address,reference,message-subject,sender-address,return-path,\
         message-info,directionality,tenant-id,original-client-ip,original-server-ip,\
         custom-data,transport-traffic-type,log-id,schema-version\r\n"
    );
}

#[test]
fn whole_event_stands_in_its_columns() {
    let mut event = event();
    event.internal_id = Some(InternalMessageId(42));
    event.network_id = Some(NetworkMessageId(1));
    event.message_id = Some("<x@contoso.com>".parse().unwrap());
    event.session = Some(SessionId(0x08D6_75E5_8CA1_DA38));
    event.connector = Some(ConnectorId::new("Default, Frontend"));
    event.client = Peer::new("192.0.2.1".parse().unwrap(), "client.example");
    event.server = Peer::new("2001:db8::1".parse().unwrap(), "mx1.contoso.com");
    event.recipients = vec![
        TrackedRecipient::new("<b@contoso.com>".parse().unwrap(), "250 2.1.5 OK; queued"),
        TrackedRecipient::new("<Postmaster>".parse().unwrap(), ""),
    ];
    event.total_bytes = 4096;
    event.subject = Some("say \"hi\", then go".into());
    event.sender = Some(ReversePath::Null);
    event.reference = Some("<parent@contoso.com>".into());
    event.attempt = Some(2);
    event.next_hop = Some(NextHop {
        kind: DeliveryType::SmartHostConnectorDelivery,
        domain: NextHopDomain::new("[192.0.2.9]:25"),
        connector: ConnectorId::new("internet"),
        tls: TlsClass::Normal,
    });
    event.custom_data.push((Cow::Borrowed("Reason"), "x;y".into()));
    assert_eq!(
        text(&event),
        "2023-11-14T22:13:20.123Z,192.0.2.1,client.example,2001:db8::1,mx1.contoso.com,\
         08D675E58CA1DA38;2023-11-14T22:13:20.123Z;0,\"Default, Frontend\",SMTP,RECEIVE,42,\
         <x@contoso.com>,00000000-0000-0000-0000-000000000001,b@contoso.com;Postmaster,\
         \"250 2.1.5 OK, queued;\",4096,2,,<parent@contoso.com>,\
         \"say \"\"hi\"\", then go\",<>,<>,,,,,,\"S:NextHop=[192.0.2.9]:25;\
         S:DeliveryType=SmartHostConnectorDelivery;S:NextHopConnector=internet;S:Attempt=2;\
         S:Reason=x,y\",Email,,1.0\r\n"
    );
    let row = row(&event);
    assert_eq!(row.get(Column::MessageSubject), "say \"hi\", then go");
    assert_eq!(row.get(Column::ConnectorId), "Default, Frontend");
    assert_eq!(row.get(Column::SchemaVersion), SCHEMA_VERSION);
    assert_eq!(row.at(), Some(event.at));
    assert_eq!(row.event(), Some(EventId::Receive));
    let recipients = [("b@contoso.com", "250 2.1.5 OK, queued"), ("Postmaster", "")];
    assert_eq!(row.recipients(), recipients);
}

#[test]
fn semicolon_in_an_address_makes_no_second_recipient() {
    let mut event = event();
    event.recipients = vec![TrackedRecipient::new("<\"a;b@c\"@contoso.com>".parse().unwrap(), "")];
    assert_eq!(row(&event).recipients(), [("\"a,b@c\"@contoso.com", "")]);
}

// attacks.md 8: what a peer chose cannot forge a row or a field.
#[test]
fn line_ends_in_foreign_text_make_no_row() {
    let forged = "x\r\n2023-11-14T22:13:20.123Z,\u{2028}\u{85}\0\u{202e}";
    let mut event = event();
    event.subject = Some(forged.into());
    event.client.hostname = Some(forged.into());
    let mut out = Vec::new();
    write_header(event.at, &mut out);
    write_row(&event, &mut out);
    write_row(&event, &mut out);
    let file = String::from_utf8(out).unwrap();
    let rows: Vec<Row> = rows(&file).collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].get(Column::MessageSubject), "x??2023-11-14T22:13:20.123Z,????");
}

#[test]
fn broken_rows_name_what_is_wrong() {
    assert_eq!(Row::parse("a,b"), Err(ParseRowError::Fields { found: 2 }));
    assert_eq!(Row::parse("\"a"), Err(ParseRowError::Unclosed));
    assert_eq!(Row::parse("\"a\"b,c"), Err(ParseRowError::BehindQuote));
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if crate::line::breaks_lines(c) { '?' } else { c }).collect()
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        subject in any::<String>(),
        hostname in any::<String>(),
        context in any::<String>(),
        statuses in prop::collection::vec(any::<String>(), 0..4),
        key in any::<String>(),
    ) {
        let mut event = event();
        event.subject = Some(subject.as_str().into());
        event.server.hostname = Some(hostname.as_str().into());
        event.source_context = Some(context.as_str().into());
        event.custom_data.push((key.clone().into(), subject.as_str().into()));
        let path: ForwardPath = "<b@contoso.com>".parse().unwrap();
        let recipient = |status: &String| TrackedRecipient::new(path.clone(), status.clone());
        event.recipients = statuses.iter().map(recipient).collect();

        let text = text(&event);
        prop_assert_eq!(text.lines().count(), 1);
        let row = Row::parse(&text).unwrap();
        prop_assert_eq!(row.get(Column::MessageSubject), clean(&subject));
        prop_assert_eq!(row.get(Column::ServerHostname), clean(&hostname));
        prop_assert_eq!(row.get(Column::SourceContext), clean(&context));
        let custom = format!("S:{}={}", clean(&key), clean(&subject)).replace(';', ",");
        prop_assert_eq!(row.get(Column::CustomData), custom);
        let read: Vec<String> = row.recipients().iter().map(|(_, s)| s.to_string()).collect();
        let written: Vec<String> = statuses.iter().map(|s| clean(s).replace(';', ",")).collect();
        prop_assert_eq!(read, written);
        prop_assert_eq!(row.get(Column::RecipientCount), statuses.len().to_string());
    }
}
