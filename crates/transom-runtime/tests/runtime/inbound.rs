//! What a client sees, and what becomes of what it sends.

use std::time::Duration;

use transom_agent::{Directory, DirectoryAnswer, DirectoryUnavailable};
use transom_connector::{AcceptedDomain, ReceiveConnector};
use transom_dns::Zone;
use transom_queue::{MemoryOptions, MemorySpool, Spool};
use transom_tracking::EventId;
use transom_types::Mailbox as Address;

use crate::peer::Peer;
use crate::support::{
    Client, Events, Mailbox, QUIET, address, anywhere, bare, eventually, message, node, stop,
    submit, to_host,
};

// [RFC 5321 §4.4-a, §4.4-f] test
// [RFC 4954 §7-a] test
#[tokio::test]
async fn message_is_delivered_to_an_agent_with_our_trace_field() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox).start().await.unwrap();
    let reply = submit(address(&transport), "a@client.example", &["b@contoso.example"], "hi").await;
    assert!(reply.contains("<hi@client.example> [InternalId="), "{reply}");
    let content = mailbox.read("b@contoso.example").await;
    assert!(content.starts_with("Received: from client.example"), "{content}");
    assert!(content.ends_with("\r\n\r\nHello.\r\n"), "{content}");
    events.wait(EventId::Deliver, 1).await;
    assert_eq!(events.count(EventId::Dsn) + events.count(EventId::Fail), 0);
    stop(transport).await;
}

#[tokio::test]
async fn every_message_of_a_session_is_delivered_dots_and_all() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    for n in 0..20 {
        let to = format!("u{n}@contoso.example");
        let content = format!("Subject: {n}\r\n\r\n..\r\n...two\r\n{n}\r\n");
        let reply = client.submit("a@client.example", &[&to], content.as_bytes()).await;
        assert!(reply.starts_with("250 "), "{reply}");
    }
    client.expect("QUIT", "221").await;
    for n in 0..20 {
        let content = mailbox.read(&format!("u{n}@contoso.example")).await;
        assert!(content.contains(&format!("\r\n\r\n.\r\n..two\r\n{n}\r\n")), "{content}");
    }
    stop(transport).await;
}

#[tokio::test]
async fn stranger_may_not_relay() {
    let events = Events::default();
    let zone: Zone = "elsewhere.example A 192.0.2.1".parse().unwrap();
    let transport = bare(&events)
        .receive_connector(ReceiveConnector::internet(anywhere()))
        .send_connector(transom_connector::SendConnector::internet())
        .resolver(zone)
        .start()
        .await
        .unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect("MAIL FROM:<a@client.example>", "250").await;
    client.expect("RCPT TO:<b@elsewhere.example>", "550 5.7.1").await;
    client.expect("RCPT TO:<b%elsewhere.example@contoso.example>", "250").await;
    stop(transport).await;
}

#[tokio::test]
async fn peer_with_the_right_may_relay() {
    let events = Events::default();
    let peer = Peer::willing().await;
    let mailbox = Mailbox::default();
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    submit(address(&transport), "a@client.example", &["b@elsewhere.example"], "relay").await;
    peer.wait_taken(1).await;
    assert_eq!(peer.taken()[0].rcpt, ["RCPT TO:<b@elsewhere.example>"]);
    stop(transport).await;
}

#[tokio::test]
async fn peer_that_no_connector_serves_is_turned_away() {
    let events = Events::default();
    let connector = ReceiveConnector::internet(anywhere())
        .with_remote_ranges(vec!["192.0.2.0/24".parse().unwrap()]);
    let transport = bare(&events).receive_connector(connector).start().await.unwrap();
    let (mut client, greeting) = Client::connect(address(&transport)).await;
    assert!(greeting.starts_with("421 4.3.2"), "{greeting}");
    client.closed().await;
    stop(transport).await;
}

struct Slow;

#[transom_agent::async_trait]
impl Directory for Slow {
    async fn lookup(&self, mailbox: &Address) -> Result<DirectoryAnswer, DirectoryUnavailable> {
        match mailbox.local_part().as_str() {
            "known" => Ok(DirectoryAnswer::Known),
            "broken" => Err(DirectoryUnavailable::new("no connection")),
            _ => Ok(DirectoryAnswer::Unknown),
        }
    }
}

#[tokio::test]
async fn directory_decides_who_is_known() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox).directory(Slow).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect("MAIL FROM:<a@client.example>", "250").await;
    client.expect("RCPT TO:<known@contoso.example>", "250").await;
    client.expect("RCPT TO:<broken@contoso.example>", "451 4.3.0").await;
    client.expect("RCPT TO:<nobody@contoso.example>", "550 5.1.1").await;
    stop(transport).await;
}

#[tokio::test]
async fn content_comes_in_chunks_too() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect("MAIL FROM:<a@client.example>", "250").await;
    client.expect("RCPT TO:<b@contoso.example>", "250").await;
    let first = b"Subject: chunks\r\n\r\n.\r\n";
    client.write(format!("BDAT {}\r\n", first.len()).as_bytes()).await;
    client.write(first).await;
    assert!(client.reply().await.starts_with("250"));
    client.write(b"BDAT 6 LAST\r\nlast\r\n").await;
    let reply = client.reply().await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    let content = mailbox.read("b@contoso.example").await;
    assert!(content.ends_with("\r\n\r\n.\r\nlast\r\n"), "{content}");
    stop(transport).await;
}

#[tokio::test]
async fn address_beyond_ascii_is_taken_with_smtputf8_only() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    let plain = client.say("MAIL FROM:<\u{fc}nal@client.example>").await;
    assert!(plain.starts_with('5'), "{plain}");
    client.expect("MAIL FROM:<\u{fc}nal@client.example> SMTPUTF8", "250").await;
    client.expect("RCPT TO:<m\u{fc}ller@contoso.example>", "250").await;
    client.expect("DATA", "354").await;
    client.write("Subject: gr\u{fc}n\r\n\r\nx\r\n".as_bytes()).await;
    assert!(client.say(".").await.starts_with("250 2.6.0"));
    let content = mailbox.read("m\u{fc}ller@contoso.example").await;
    assert!(content.contains("with UTF8SMTP"), "{content}");
    assert!(content.contains("Subject: gr\u{fc}n"), "{content}");
    stop(transport).await;
}

#[tokio::test]
async fn client_that_goes_away_in_its_content_leaves_nothing() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let spool = std::sync::Arc::new(MemorySpool::new(MemoryOptions::default()));
    let transport = node(&events, &mailbox).store(spool.clone()).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect("MAIL FROM:<a@client.example>", "250").await;
    client.expect("RCPT TO:<b@contoso.example>", "250").await;
    client.expect("DATA", "354").await;
    client.write(b"Subject: half\r\n\r\nhalf a mess").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(client);
    tokio::time::sleep(QUIET).await;
    assert_eq!(events.all().len(), 0, "{:?}", events.all());
    assert_eq!(mailbox.mail().len(), 0);
    stop(transport).await;
    let mut left = 0;
    spool.load(&mut |_| left += 1).unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn pipelined_group_is_answered_in_order() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.write(b"MAIL FROM:<a@client.example>\r\nRCPT TO:<b@contoso.example>\r\nDATA\r\n").await;
    for reply in ["250", "250", "354"] {
        let found = client.reply().await;
        assert!(found.starts_with(reply), "{found}");
    }
    client.write(&message("piped")).await;
    client.write(b".\r\nQUIT\r\n").await;
    assert!(client.reply().await.starts_with("250 2.6.0"));
    assert!(client.reply().await.starts_with("221"));
    client.closed().await;
    mailbox.read("b@contoso.example").await;
    stop(transport).await;
}

#[tokio::test]
async fn recipients_with_different_next_hops_become_messages_of_their_own() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let (one, other) = (Peer::willing().await, Peer::willing().await);
    let space = |domain: &str| vec![domain.parse().unwrap()];
    let transport = node(&events, &mailbox)
        .accepted_domain(AcceptedDomain::internal_relay("one.example").unwrap())
        .send_connector(
            to_host(one.address).with_name("one").with_address_spaces(space("one.example")),
        )
        .send_connector(
            to_host(other.address).with_name("other").with_address_spaces(space("other.example")),
        )
        .start()
        .await
        .unwrap();
    let to = ["a@one.example", "b@contoso.example", "c@other.example", "d@one.example"];
    submit(address(&transport), "s@client.example", &to, "fork").await;
    events.wait(EventId::Send, 2).await;
    events.wait(EventId::Deliver, 1).await;
    assert_eq!(one.taken()[0].rcpt, ["RCPT TO:<a@one.example>", "RCPT TO:<d@one.example>"]);
    assert_eq!(other.taken()[0].rcpt, ["RCPT TO:<c@other.example>"]);
    // Each recipient has one end, whatever message it went over to.
    let mut ends = events.statuses(EventId::Send);
    ends.extend(events.statuses(EventId::Deliver));
    let mut ended: Vec<&str> = ends.iter().filter_map(|end| end.split(' ').next()).collect();
    ended.sort_unstable();
    let mut expected = to.map(|to| format!("<{to}>"));
    expected.sort_unstable();
    assert_eq!(ended, expected);
    let received = &events.of(EventId::Receive)[0];
    let transfers = events.of(EventId::Transfer);
    assert_eq!(transfers.len(), 2);
    for transfer in transfers {
        let parent = received.internal_id.unwrap().to_string();
        assert_eq!(transfer.reference.as_deref(), Some(parent.as_str()));
        assert_eq!(transfer.network_id, received.network_id);
    }
    eventually("empty queues", async || {
        transport.queues().await.unwrap().iter().all(|queue| queue.message_count == 0)
    })
    .await;
    stop(transport).await;
}
