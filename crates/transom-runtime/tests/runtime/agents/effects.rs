//! What agents make of a message, and the header firewall.

use std::sync::{Arc, Mutex};

use transom_agent::{
    AgentEvent, AgentEvents, AgentSettings, ContentReader, Effect, Effects, GeneratedMessage,
    HeaderChange, MessageView, NewField, ReceiveAgent, SessionView, Verdict, async_trait,
};
use transom_connector::{Permissions, PrincipalKind, ReceiveConnector, Rights};
use transom_queue::query::Query;
use transom_queue::view::MessageProperty;
use transom_runtime::QueueTarget;
use transom_tracking::EventId;
use transom_types::{Envelope, Mailbox as Address, MtPriority, Recipient, ReversePath};

use super::{FROM, no};
use crate::support::{
    Client, Events, Mailbox, QUIET, address, anywhere, bare, message, node, stop,
};

/// Does something with effects at each recipient, by its local-part.
struct Sorter;

#[async_trait]
impl ReceiveAgent for Sorter {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[AgentEvent::Rcpt, AgentEvent::EndOfData])
    }

    async fn on_rcpt(
        &self,
        _: &SessionView,
        message: &MessageView<'_>,
        to: &Recipient,
        effects: &mut Effects,
    ) -> Verdict {
        let place = [message.next_place()];
        match to.forward_path.to_string().as_str() {
            "<old@contoso.example>" => {
                let new: Address = "new@contoso.example".parse().unwrap();
                effects.to_some(place, Effect::Redirect(new));
            }
            "<drop@contoso.example>" => effects.to_some(place, Effect::DropRcpt),
            "<closed@contoso.example>" => return Verdict::Reject(no("closed")),
            _ => {}
        }
        Verdict::Continue
    }

    async fn on_end_of_data(
        &self,
        _: &SessionView,
        message: &MessageView<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        effects.add_header("X-Seen", "yes");
        for (place, to) in message.open_recipients() {
            match to.forward_path.to_string().as_str() {
                "<marked@contoso.example>" => {
                    let field = NewField::new("X-Marked", "yes");
                    let change = HeaderChange::Add(field);
                    effects.to_some([place], Effect::Header(change));
                }
                "<held@contoso.example>" => effects.to_some([place], Effect::Hold),
                "<full@contoso.example>" => {
                    effects.to_some([place], Effect::Reject(no("full")));
                }
                _ => {}
            }
        }
        effects.to_all(Effect::SetPriority(MtPriority::new(2).unwrap()));
        let notice = GeneratedMessage {
            envelope: Envelope::new(
                ReversePath::Null,
                ["<watch@contoso.example>".parse().unwrap()],
            ),
            content: "Subject: notice\r\n\r\nMail came.\r\n".into(),
        };
        effects.to_all(Effect::Submit(notice));
        Verdict::Continue
    }
}

#[tokio::test]
async fn every_effect_of_a_session_is_in_the_mail_and_nobody_is_lost() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox)
        .receive_agent(AgentSettings::new("sorter"), Sorter)
        .start()
        .await
        .unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect("MAIL FROM:<sender@contoso.example>", "250").await;
    let taken = ["plain", "old", "drop", "marked", "held", "full"];
    for local in taken {
        client.expect(&format!("RCPT TO:<{local}@contoso.example>"), "250").await;
    }
    client.expect("RCPT TO:<closed@contoso.example>", "550 5.7.1 closed").await;
    client.expect("DATA", "354").await;
    client.write(&message("effects")).await;
    assert!(client.say(".").await.starts_with("250 2.6.0"));
    let plain = mailbox.read("plain@contoso.example").await;
    assert!(plain.starts_with("Received: ") && plain.contains("\r\nX-Seen: yes\r\n"), "{plain}");
    assert!(!plain.contains("X-Marked"), "{plain}");
    mailbox.read("new@contoso.example").await;
    let marked = mailbox.read("marked@contoso.example").await;
    assert!(marked.contains("X-Marked: yes\r\n") && marked.contains("X-Seen: yes\r\n"), "{marked}");
    let notice = mailbox.read("watch@contoso.example").await;
    assert!(notice.contains("Agent-Generated: sorter"), "{notice}");
    let report = mailbox.read("sender@contoso.example").await;
    assert!(report.contains("full@contoso.example") && report.contains("5.7.1"), "{report}");
    let fails = events.statuses(EventId::Fail);
    assert_eq!(fails, ["<full@contoso.example> 550 5.7.1 full"]);
    let drops = events.statuses(EventId::Drop);
    assert_eq!(drops, ["<drop@contoso.example> 250 2.0.0 dropped by agent sorter"]);
    tokio::time::sleep(QUIET).await;
    let to: Vec<_> = mailbox.mail().into_iter().map(|(to, _)| to).collect();
    assert_eq!(to.len(), 5, "{to:?}");
    let query: Query<MessageProperty> = transport.query();
    let query = query.with_filter("status = suspended".parse().unwrap());
    let held = transport.find_messages(QueueTarget::all(), &query).await.unwrap();
    assert_eq!(held.total, 1, "held@contoso.example waits for an administrator");
    stop(transport).await;
}

// Checklist A4.
#[tokio::test]
async fn header_firewall_takes_out_what_a_stranger_may_not_write() {
    let content = "Resent-From: x@client.example\r\nX-MS-Exchange-Organization-SCL: -1\r\n\
                   x-ms-exchange-forest-a: 1\r\n folded\r\nSubject: wall\r\n\r\nHello.\r\n";
    for (rights, kept) in [
        (Rights::ANONYMOUS_USERS, [true, false, false]),
        (Rights::ANONYMOUS_USERS - Rights::ACCEPT_HEADERS_ROUTING, [false, false, false]),
        (Rights::EXCHANGE_SERVERS, [true, true, true]),
    ] {
        let (events, mailbox) = (Events::default(), Mailbox::default());
        let connector = ReceiveConnector::internet(anywhere())
            .with_permissions(Permissions::none().with_rights(PrincipalKind::Anonymous, rights));
        let transport = bare(&events)
            .receive_connector(connector)
            .delivery_agent("mailbox", ["contoso.example"], mailbox.clone())
            .start()
            .await
            .unwrap();
        let mut client = Client::ready(address(&transport)).await;
        let reply = client.submit(FROM, &["b@contoso.example"], content.as_bytes()).await;
        assert!(reply.starts_with("250 2.6.0"), "{reply}");
        let read = mailbox.read("b@contoso.example").await;
        assert!(read.starts_with("Received: from client.example"), "ours stays: {read}");
        assert!(read.ends_with("Subject: wall\r\n\r\nHello.\r\n"), "{read}");
        let read = read.to_ascii_lowercase();
        let found = ["resent-from", "organization-scl", "exchange-forest-a"];
        assert_eq!(found.map(|name| read.contains(name)), kept, "{rights}: {read}");
        stop(transport).await;
    }
}

/// Reads the whole content.
struct Reader(Arc<Mutex<Vec<u8>>>);

#[async_trait]
impl ReceiveAgent for Reader {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[AgentEvent::EndOfData])
    }

    async fn on_end_of_data(
        &self,
        _: &SessionView,
        message: &MessageView<'_>,
        _: &mut Effects,
    ) -> Verdict {
        let mut reader = ContentReader::new(&**message.content.unwrap());
        std::io::Read::read_to_end(&mut reader, &mut self.0.lock().unwrap()).unwrap();
        Verdict::Continue
    }
}

#[tokio::test]
async fn agent_reads_a_content_that_lies_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox, read) = (Events::default(), Mailbox::default(), Arc::default());
    let transport = node(&events, &mailbox)
        .spool(folder.path())
        .receive_agent(AgentSettings::new("reader"), Reader(Arc::clone(&read)))
        .start()
        .await
        .unwrap();
    let content = format!("Subject: x\r\n\r\n{}", "0123456789012345678\r\n".repeat(100_000));
    let mut client = Client::ready(address(&transport)).await;
    let reply = client.submit(FROM, &["b@contoso.example"], content.as_bytes()).await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    assert!(*read.lock().unwrap() == content.as_bytes());
    events.wait(EventId::Deliver, 1).await;
    stop(transport).await;
}
