//! LMTP at a receive connector: one content, one commit, a reply for every recipient.

use std::process::Command;

use transom_connector::{ReceiveConnector, ReceiveProtocol};
use transom_queue::{MemoryOptions, MemorySpool, Spool};
use transom_runtime::TransportBuilder;
use transom_tracking::EventId;

use crate::support::{Client, Events, Mailbox, address, anywhere, bare, message, stop};

fn transport(events: &Events, mailbox: &Mailbox) -> TransportBuilder {
    bare(events).receive_connector(ReceiveConnector::lmtp(anywhere())).delivery_agent(
        "mailbox",
        ["contoso.example"],
        mailbox.clone(),
    )
}

// [RFC 2033 §4.2-b, §4.2-c, §5-a] test
#[tokio::test]
async fn every_accepted_recipient_has_a_reply_and_the_message_is_one() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = transport(&events, &mailbox).start().await.unwrap();
    let mut client = Client::greeted(address(&transport)).await;
    let offers = client.expect("LHLO client.example", "250").await;
    assert!(offers.contains("PIPELINING") && offers.contains("ENHANCEDSTATUSCODES"), "{offers}");
    client.expect("MAIL FROM:<a@client.example>", "250").await;
    client.expect("RCPT TO:<b@contoso.example>", "250").await;
    client.expect("RCPT TO:<x@elsewhere.example>", "550 5.7.1").await;
    client.expect("RCPT TO:<c@contoso.example>", "250").await;
    client.expect("DATA", "354").await;
    client.write(&message("two")).await;
    client.write(b".\r\nNOOP\r\n").await;
    let replies = [client.reply().await, client.reply().await];
    for reply in &replies {
        assert!(reply.starts_with("250 2.6.0 <two@client.example> [InternalId="), "{reply}");
    }
    assert_eq!(replies[0], replies[1], "one message");
    assert_eq!(client.reply().await, "250 2.0.0 OK", "two replies and no more");
    for recipient in ["b@contoso.example", "c@contoso.example"] {
        let content = mailbox.read(recipient).await;
        assert!(content.contains("with LMTP id"), "{content}");
    }
    assert_eq!(events.count(EventId::Receive), 1);
    assert_eq!(events.of(EventId::Receive)[0].recipients.len(), 2);
    stop(transport).await;
}

// [RFC 2033 §4.3-a, §4.3-b] test
#[tokio::test]
async fn last_chunk_has_a_reply_for_every_recipient() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = transport(&events, &mailbox).start().await.unwrap();
    let mut client = Client::greeted(address(&transport)).await;
    client.expect("LHLO client.example", "250").await;
    client.expect("MAIL FROM:<a@client.example>", "250").await;
    client.expect("RCPT TO:<b@contoso.example>", "250").await;
    client.expect("RCPT TO:<c@contoso.example>", "250").await;
    client.write(b"BDAT 6\r\nA: b\r\nBDAT 5 LAST\r\n\r\nx\r\nNOOP\r\n").await;
    for expected in ["250 2.0.0", "250 2.6.0", "250 2.6.0", "250 2.0.0 OK"] {
        let reply = client.reply().await;
        assert!(reply.starts_with(expected), "{reply}");
    }
    for recipient in ["b@contoso.example", "c@contoso.example"] {
        assert!(mailbox.read(recipient).await.ends_with("A: b\r\n\r\nx\r\n"));
    }
    stop(transport).await;
}

#[tokio::test]
async fn every_accepted_recipient_is_told_of_a_refused_content() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let connector = ReceiveConnector::lmtp(anywhere());
    let limits = connector.limits.clone().with_hops_max(1);
    let spool = std::sync::Arc::new(MemorySpool::new(MemoryOptions::default()));
    let transport = bare(&events)
        .receive_connector(connector.with_limits(limits))
        .delivery_agent("mailbox", ["contoso.example"], mailbox)
        .store(spool.clone())
        .start()
        .await
        .unwrap();
    let mut client = Client::greeted(address(&transport)).await;
    client.expect("LHLO client.example", "250").await;
    client.expect("MAIL FROM:<a@client.example>", "250").await;
    client.expect("RCPT TO:<b@contoso.example>", "250").await;
    client.expect("RCPT TO:<c@contoso.example>", "250").await;
    client.expect("DATA", "354").await;
    client.write(b"Received: a\r\nReceived: b\r\n\r\nround\r\n.\r\nNOOP\r\n").await;
    for expected in ["554 5.4.6", "554 5.4.6", "250 2.0.0"] {
        let reply = client.reply().await;
        assert!(reply.starts_with(expected), "{reply}");
    }
    stop(transport).await;
    let mut left = 0;
    spool.load(&mut |_| left += 1).unwrap();
    assert_eq!((left, events.count(EventId::Receive)), (0, 0));
}

// [RFC 2033 §4.1-a] test
#[tokio::test]
async fn neither_protocol_takes_the_hello_of_the_other() {
    for (protocol, good, bad) in [
        (ReceiveProtocol::Lmtp, "LHLO", ["EHLO", "HELO"]),
        (ReceiveProtocol::Smtp, "EHLO", ["LHLO", "LHLO"]),
    ] {
        let connector = ReceiveConnector::internet(anywhere()).with_protocol(protocol);
        let transport = bare(&Events::default()).receive_connector(connector).start().await;
        let transport = transport.unwrap();
        let mut client = Client::greeted(address(&transport)).await;
        for bad in bad {
            let reply = client.say(&format!("{bad} client.example")).await;
            assert!(reply.starts_with("50"), "{bad}: {reply}");
        }
        client.expect(&format!("{good} client.example"), "250").await;
        stop(transport).await;
    }
}

const SCRIPT: &str = "
import smtplib, sys
with smtplib.LMTP('127.0.0.1', int(sys.argv[1])) as client:
    # It reads one reply to a content, so one recipient a message must do.
    refused = client.sendmail('a@client.example', ['b@contoso.example', 'x@elsewhere.example'],
        'Subject: by smtplib\\r\\n\\r\\nHello.\\r\\n')
    print(sorted((to, code) for to, (code, text) in refused.items()))
    client.sendmail('a@client.example', ['d@contoso.example'], 'Subject: 2\\r\\n\\r\\nx\\r\\n')
";

#[tokio::test]
async fn smtplib_of_python_delivers_by_lmtp() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = transport(&events, &mailbox).start().await.unwrap();
    let port = address(&transport).port().to_string();
    let ran = tokio::task::spawn_blocking(move || {
        Command::new("python3").args(["-c", SCRIPT, &port]).output()
    });
    let Ok(ran) = ran.await.unwrap() else {
        eprintln!("skipped: there is no python3");
        return stop(transport).await;
    };
    let (said, wrong) = (String::from_utf8(ran.stdout), String::from_utf8(ran.stderr));
    assert_eq!(said.unwrap().trim(), "[('x@elsewhere.example', 550)]", "{wrong:?}");
    assert_eq!(wrong.unwrap(), "");
    for recipient in ["b@contoso.example", "d@contoso.example"] {
        mailbox.read(recipient).await;
    }
    assert_eq!(events.count(EventId::Receive), 2);
    stop(transport).await;
}
