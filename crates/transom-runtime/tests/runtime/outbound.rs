//! Delivery by SMTP: connections, replies, what a peer can do to us.

use transom_tracking::EventId;

use crate::peer::{Do, Peer};
use crate::support::{
    Client, Events, Mailbox, QUIET, address, message, node, stop, submit, to_host, to_hosts,
};

const FROM: &str = "sender@contoso.example";

// [RFC 5321 §3.6.3-d, §4.4-e, §4.4-h, §6.4-a] test
#[tokio::test]
async fn message_arrives_at_the_smart_host_as_it_was_sent() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    let reply = client.submit(FROM, &["b@out.example"], b"Subject: x\r\n\r\n..dot\r\n").await;
    assert!(reply.starts_with("250"), "{reply}");
    peer.wait_taken(1).await;
    let taken = peer.taken().remove(0);
    assert!(taken.mail.starts_with(&format!("MAIL FROM:<{FROM}>")), "{}", taken.mail);
    let content = String::from_utf8(taken.content).unwrap();
    assert!(content.starts_with("Received: from client.example"), "{content}");
    assert!(content.ends_with("Subject: x\r\n\r\n..dot\r\n"), "{content}");
    assert!(peer.lines().contains(&"EHLO mx.contoso.example".to_owned()));
    events.wait(EventId::Send, 1).await;
    assert!(events.statuses(EventId::Send)[0].contains("250 2.6.0 taken"));
    stop(transport).await;
    peer.wait_left().await;
    assert_eq!(peer.count("QUIT"), 1);
}

// [RFC 5321 §4.4-j, §4.1.1.4-g] test
#[tokio::test]
async fn each_recipient_gets_its_own_result() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::scripted(|at| match at.line {
        "RCPT TO:<never@out.example>" => Do::Say("550 5.1.1 nobody here"),
        "RCPT TO:<later@out.example>" if at.times == 1 => Do::Say("451 4.2.1 busy"),
        _ => Do::Usual,
    })
    .await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    let to = ["now@out.example", "never@out.example", "later@out.example"];
    submit(address(&transport), FROM, &to, "three").await;
    events.wait(EventId::Send, 2).await;
    assert_eq!(peer.taken()[0].rcpt, ["RCPT TO:<now@out.example>"]);
    assert_eq!(peer.taken()[1].rcpt, ["RCPT TO:<later@out.example>"]);
    let failed = events.statuses(EventId::Fail);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].starts_with("<never@out.example> 550 5.1.1"), "{failed:?}");
    let report = mailbox.read(FROM).await;
    assert!(report.contains("never@out.example") && !report.contains("later@out.example"));
    stop(transport).await;
}

#[tokio::test]
async fn reply_lost_after_the_content_is_a_doubt_and_no_other_host_is_tried() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::scripted(|at| match at.line {
        "." if at.times == 1 => Do::Cut,
        _ => Do::Usual,
    })
    .await;
    let second = Peer::willing().await;
    let hosts = to_hosts(&[peer.address, second.address]);
    let transport = node(&events, &mailbox).send_connector(hosts).start().await.unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "doubt").await;
    events.wait(EventId::InDoubt, 1).await;
    let doubted = tokio::time::Instant::now();
    events.wait(EventId::Send, 1).await;
    assert!(doubted.elapsed() >= std::time::Duration::from_millis(150));
    assert_eq!(events.count(EventId::InDoubt), 1);
    assert_eq!(second.connections(), 0);
    assert_eq!(peer.taken().len(), 1);
    assert_eq!(mailbox.mail().len(), 0);
    stop(transport).await;
}

#[tokio::test]
async fn connection_lost_within_the_content_is_no_doubt() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::scripted(|at| match at.line {
        "DATA" if at.times == 1 => Do::Cut,
        _ => Do::Usual,
    })
    .await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "cut").await;
    events.wait(EventId::Send, 1).await;
    assert_eq!((events.count(EventId::InDoubt), events.count(EventId::Defer)), (0, 1));
    stop(transport).await;
}

// [RFC 5321 §5.1-h] test
#[tokio::test]
async fn dead_host_gives_way_to_the_next_in_the_same_attempt() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let refusing = Peer::scripted(|at| match at.line {
        "CONNECT" => Do::SayAndCut("554 5.3.2 not today"),
        _ => Do::Usual,
    })
    .await;
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let peer = Peer::willing().await;
    let hosts = to_hosts(&[nobody, refusing.address, peer.address]);
    let transport = node(&events, &mailbox).send_connector(hosts).start().await.unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "third").await;
    peer.wait_taken(1).await;
    assert_eq!(refusing.connections(), 1);
    events.wait(EventId::Send, 1).await;
    assert_eq!(events.count(EventId::Defer), 0);
    stop(transport).await;
}

#[tokio::test]
async fn peer_that_closes_an_idle_connection_loses_nothing_and_defers_nothing() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    // Every connection takes one message, and is cut when it is to take another.
    let peer = Peer::scripted(|at| match at.line {
        line if line.starts_with("MAIL") && at.connection == 1 && at.times > 1 => Do::Cut,
        _ => Do::Usual,
    })
    .await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "one").await;
    events.wait(EventId::Send, 1).await;
    submit(address(&transport), FROM, &["b@out.example"], "one").await;
    events.wait(EventId::Send, 2).await;
    assert_eq!(peer.connections(), 2);
    assert_eq!((events.count(EventId::Defer), events.count(EventId::InDoubt)), (0, 0));
    stop(transport).await;
}

#[tokio::test]
async fn word_on_an_idle_connection_ends_it_and_the_next_message_finds_another() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::scripted(|at| match at.line {
        "." if at.times == 1 => Do::SayAndCut("250 2.6.0 taken\r\n421 4.4.2 and closing"),
        _ => Do::Usual,
    })
    .await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "one").await;
    events.wait(EventId::Send, 1).await;
    tokio::time::sleep(QUIET).await;
    submit(address(&transport), FROM, &["b@out.example"], "two").await;
    events.wait(EventId::Send, 2).await;
    assert_eq!(events.count(EventId::Defer), 0);
    stop(transport).await;
}

#[tokio::test]
async fn connection_takes_many_messages_and_quits_at_its_number() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let connector = to_host(peer.address).with_messages_per_connection(4);
    let transport = node(&events, &mailbox)
        .send_connector(connector)
        .suspend_delivery(true)
        .start()
        .await
        .unwrap();
    let mut client = Client::ready(address(&transport)).await;
    for n in 0..40 {
        let reply = client.submit(FROM, &["b@out.example"], &message(&n.to_string())).await;
        assert!(reply.starts_with("250"), "{reply}");
    }
    assert_eq!(peer.connections(), 0);
    transport.resume_delivery().await.unwrap();
    peer.wait_taken(40).await;
    let mut of_connection = std::collections::HashMap::<usize, usize>::new();
    for taken in peer.taken() {
        *of_connection.entry(taken.connection).or_default() += 1;
    }
    assert!(of_connection.values().all(|messages| *messages <= 4), "{of_connection:?}");
    assert!(of_connection.values().any(|messages| *messages == 4), "{of_connection:?}");
    events.wait(EventId::Send, 40).await;
    stop(transport).await;
    peer.wait_left().await;
    assert_eq!(peer.count("QUIT"), peer.connections());
}

#[tokio::test]
async fn many_recipients_go_in_several_transactions_at_once() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    let to: Vec<String> = (0..150).map(|n| format!("u{n}@out.example")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    submit(address(&transport), FROM, &to, "crowd").await;
    events
        .until("150 recipients sent", |events| {
            let sent = events.iter().filter(|event| event.event == EventId::Send);
            sent.map(|event| event.recipients.len()).sum::<usize>() >= 150
        })
        .await;
    let counts: Vec<usize> = peer.taken().iter().map(|taken| taken.rcpt.len()).collect();
    assert_eq!(counts, [100, 50]);
    assert_eq!((peer.connections(), events.count(EventId::Defer)), (1, 0));
    stop(transport).await;
}

#[tokio::test]
async fn recipients_that_the_peer_finds_too_many_are_sent_again_at_once() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::scripted(|at| match at.line {
        "RCPT TO:<c@out.example>" if at.times == 1 => Do::Say("452 4.5.3 too many recipients"),
        _ => Do::Usual,
    })
    .await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    let to = ["a@out.example", "b@out.example", "c@out.example"];
    submit(address(&transport), FROM, &to, "few").await;
    peer.wait_taken(2).await;
    assert_eq!((peer.connections(), events.count(EventId::Defer)), (1, 0));
    stop(transport).await;
}

// [RFC 9422 §4.1-b, §4.3-a] test
#[tokio::test]
async fn recipients_that_a_session_does_not_take_go_in_another_at_once() {
    for limits in ["LIMITS RCPTDOMAINMAX=1", "LIMITS MAILMAX=1 RCPTMAX=1"] {
        let (events, mailbox) = (Events::default(), Mailbox::default());
        let peer = Peer::start(&["PIPELINING", limits], None, |_| Do::Usual).await;
        let transport =
            node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
        for subject in ["first", "second"] {
            let to = ["x@a.example", "x@b.example", "x@c.example"];
            submit(address(&transport), FROM, &to, subject).await;
        }
        peer.wait_taken(6).await;
        assert_eq!(events.count(EventId::Defer), 0, "{limits}");
        stop(transport).await;
    }
}

#[tokio::test]
async fn eight_bit_content_is_not_sent_where_it_is_not_taken() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::start(&["PIPELINING"], None, |_| Do::Usual).await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect(&format!("MAIL FROM:<{FROM}> BODY=8BITMIME"), "250").await;
    client.expect("RCPT TO:<b@out.example>", "250").await;
    client.expect("DATA", "354").await;
    client.write("Subject: x\r\n\r\n\u{e9}\r\n".as_bytes()).await;
    assert!(client.say(".").await.starts_with("250"));
    let report = mailbox.read(FROM).await;
    assert!(report.contains("Status: 5.6.3"), "{report}");
    assert_eq!((peer.taken().len(), peer.count("MAIL")), (0, 0));
    stop(transport).await;
}

#[tokio::test]
async fn utf8_address_is_not_sent_where_it_is_not_taken() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::start(&["PIPELINING", "8BITMIME"], None, |_| Do::Usual).await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect(&format!("MAIL FROM:<{FROM}> SMTPUTF8"), "250").await;
    client.expect("RCPT TO:<\u{fc}@out.example>", "250").await;
    client.expect("DATA", "354").await;
    client.write(&message("utf8")).await;
    assert!(client.say(".").await.starts_with("250"));
    events.wait(EventId::Fail, 1).await;
    let failed = events.statuses(EventId::Fail);
    assert!(failed[0].contains("5.6.7"), "{failed:?}");
    mailbox.read(FROM).await;
    assert_eq!(peer.taken().len(), 0);
    stop(transport).await;
}

#[tokio::test]
async fn peer_without_extensions_is_served_by_helo() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer =
        Peer::scripted(|at| if at.is("EHLO") { Do::Say("502 5.5.1 what?") } else { Do::Usual })
            .await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "old").await;
    peer.wait_taken(1).await;
    assert_eq!(peer.count("HELO"), 1);
    stop(transport).await;
}

#[tokio::test]
async fn large_message_from_a_file_arrives_whole() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let folder = tempfile::tempdir().unwrap();
    let transport = node(&events, &mailbox)
        .send_connector(to_host(peer.address))
        .spool(folder.path().join("spool"))
        .start()
        .await
        .unwrap();
    let line = "0123456789 abcdefghijklmnopqrstuvwxyz .\r\n";
    let content = format!("Subject: large\r\n\r\n{}", line.repeat(50_000));
    let mut client = Client::ready(address(&transport)).await;
    let reply = client.submit(FROM, &["b@out.example"], content.as_bytes()).await;
    assert!(reply.starts_with("250"), "{reply}");
    peer.wait_taken(1).await;
    let taken = peer.taken().remove(0).content;
    assert!(taken.ends_with(content.as_bytes()));
    stop(transport).await;
}
