//! What a client may not do, and how it is told.

use transom_connector::{ReceiveConnector, ReceiveLimits};
use transom_tracking::EventId;

use crate::support::{Client, Events, Mailbox, address, anywhere, bare, eventually, stop};

fn limited(events: &Events, limits: ReceiveLimits) -> transom_runtime::TransportBuilder {
    bare(events)
        .receive_connector(ReceiveConnector::internet(anywhere()).with_limits(limits))
        .delivery_agent("mailbox", ["contoso.example"], Mailbox::default())
}

async fn refused(limits: ReceiveLimits, content: &str, reply: &str) {
    let events = Events::default();
    let transport = limited(&events, limits).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    let found = client.submit("a@client.example", &["b@contoso.example"], content.as_bytes()).await;
    assert!(found.starts_with(reply), "{found}");
    // The session goes on, and the next message is taken.
    let found = client.submit("a@client.example", &["b@contoso.example"], b"\r\nshort\r\n").await;
    assert!(found.starts_with("250 2.6.0"), "{found}");
    events.wait(EventId::Deliver, 1).await;
    assert_eq!(events.count(EventId::Receive), 1);
    stop(transport).await;
}

// [RFC 5321 §4.2.5-b] test
#[tokio::test]
async fn message_that_went_round_too_often_is_refused() {
    let hops = "Received: from a by b; Tue, 1 Jan 2030 00:00:00 +0000\r\n".repeat(4);
    let limits = ReceiveLimits::default().with_hops_max(3);
    refused(limits, &format!("{hops}Subject: x\r\n\r\nx\r\n"), "554 5.4.6").await;
}

#[tokio::test]
async fn message_that_came_by_us_too_often_is_refused() {
    let hop = "Received: from a by mx.contoso.example; Tue, 1 Jan 2030 00:00:00 +0000\r\n";
    let limits = ReceiveLimits::default().with_own_hops_max(2);
    refused(limits, &format!("{}\r\nx\r\n", hop.repeat(3)), "554 5.4.6").await;
}

#[tokio::test]
async fn header_section_above_the_limit_is_refused() {
    let limits = ReceiveLimits::default().with_header_octets_max(1_000);
    let fields = "X-Fill: 0123456789\r\n".repeat(100);
    refused(limits, &format!("{fields}\r\nx\r\n"), "552 5.3.4").await;
}

#[tokio::test]
async fn message_above_the_size_is_refused_when_it_is_declared_and_when_it_comes() {
    let limits = ReceiveLimits::default().with_message_octets_max(10_000);
    let content = format!("\r\n{}", "0123456789012345678\r\n".repeat(700));
    refused(limits.clone(), &content, "552 5.3.4").await;
    let events = Events::default();
    let transport = limited(&events, limits).start().await.unwrap();
    let mut client = Client::greeted(address(&transport)).await;
    let offers = client.expect("EHLO client.example", "250").await;
    assert!(offers.contains("SIZE 10000"), "{offers}");
    client.expect("MAIL FROM:<a@client.example> SIZE=10001", "552 5.3.4").await;
    client.expect("MAIL FROM:<a@client.example> SIZE=10000", "250").await;
    stop(transport).await;
}

#[tokio::test]
async fn recipient_above_the_limit_is_put_off() {
    let events = Events::default();
    let limits = ReceiveLimits::default().with_recipients_max(2);
    let transport = limited(&events, limits).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect("MAIL FROM:<a@client.example>", "250").await;
    client.expect("RCPT TO:<b@contoso.example>", "250").await;
    client.expect("RCPT TO:<c@contoso.example>", "250").await;
    client.expect("RCPT TO:<d@contoso.example>", "452 4.5.3").await;
    stop(transport).await;
}

#[tokio::test]
async fn connection_above_the_limit_is_turned_away_until_another_ends() {
    let events = Events::default();
    let limits = ReceiveLimits::default().with_connections_per_source_max(2);
    let transport = limited(&events, limits).start().await.unwrap();
    let first = Client::ready(address(&transport)).await;
    let _second = Client::ready(address(&transport)).await;
    let (mut third, greeting) = Client::connect(address(&transport)).await;
    assert!(greeting.starts_with("421 4.3.2"), "{greeting}");
    third.closed().await;
    drop(first);
    eventually("a place is free again", async || {
        Client::connect(address(&transport)).await.1.starts_with("220 ")
    })
    .await;
    stop(transport).await;
}

#[tokio::test]
async fn client_that_errs_too_often_is_shown_out() {
    let events = Events::default();
    let limits = ReceiveLimits::default().with_protocol_errors_max(3);
    let transport = limited(&events, limits).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    let mut last = String::new();
    for _ in 0..5 {
        last = client.say("NONSENSE").await;
        if last.starts_with("421") {
            break;
        }
    }
    assert!(last.starts_with("421"), "{last}");
    client.closed().await;
    stop(transport).await;
}

// Attack 11.
#[tokio::test]
async fn refused_recipient_waits_for_its_reply() {
    let events = Events::default();
    let interval = std::time::Duration::from_millis(300);
    let limits = ReceiveLimits::default().with_tarpit_interval(interval);
    let transport = limited(&events, limits).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.say("MAIL FROM:<a@client.example>").await;
    let began = tokio::time::Instant::now();
    let reply = client.say("RCPT TO:<nobody@elsewhere.example>").await;
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    assert!(began.elapsed() >= interval, "{:?}", began.elapsed());
    stop(transport).await;
}

#[tokio::test]
async fn silent_client_is_shown_out() {
    let events = Events::default();
    let limits = ReceiveLimits::default().with_idle_timeout(std::time::Duration::from_millis(100));
    let transport = limited(&events, limits).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    let reply = client.reply().await;
    assert!(reply.starts_with("421 4.4.2"), "{reply}");
    client.closed().await;
    stop(transport).await;
}

#[tokio::test(start_paused = true)]
async fn client_that_never_reads_loses_its_connection() {
    let events = Events::default();
    let transport = limited(&events, ReceiveLimits::default()).start().await.unwrap();
    let mut client = tokio::net::TcpStream::connect(address(&transport)).await.unwrap();
    let began = tokio::time::Instant::now();
    let commands = b"EHLO client.example\r\n".repeat(1_000);
    // Once the replies have filled all buffers, nothing is read, and in the end it is cut.
    while tokio::io::AsyncWriteExt::write_all(&mut client, &commands).await.is_ok() {}
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_mins(5), "{took:?}");
    stop(transport).await;
}
