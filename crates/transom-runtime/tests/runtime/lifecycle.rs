//! Start, stop, restart, and what an administrator does between.

use std::time::Duration;

use transom_runtime::{Removal, StartError, Transport, VerbError};
use transom_tracking::{EventId, csv};
use transom_types::InternalMessageId;

use crate::peer::{Do, Peer};
use crate::support::{
    Client, Events, Mailbox, QUIET, address, bare, eventually, node, relay_connector, stop, submit,
    to_host,
};

const FROM: &str = "sender@contoso.example";
const TO: &str = "b@out.example";

/// The message that a `250` names.
fn id_of(reply: &str) -> InternalMessageId {
    let rest = reply.split("InternalId=").nth(1).unwrap();
    InternalMessageId(rest.split([',', ']']).next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn idle_session_hears_of_the_stop() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox).start().await.unwrap();
    let address = address(&transport);
    let mut client = Client::ready(address).await;
    let stopping = tokio::spawn(stop(transport));
    let reply = client.reply().await;
    assert!(reply.starts_with("421 4.3.2"), "{reply}");
    client.closed().await;
    stopping.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn content_on_its_way_is_taken_before_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox).spool(folder.path()).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect(&format!("MAIL FROM:<{FROM}>"), "250").await;
    client.expect("RCPT TO:<b@contoso.example>", "250").await;
    client.expect("DATA", "354").await;
    client.write(b"Subject: late\r\n\r\nhalf").await;
    let stopping = tokio::spawn(stop(transport));
    tokio::time::sleep(QUIET).await;
    client.write(b" and half\r\n").await;
    let reply = client.say(".").await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    assert!(client.reply().await.starts_with("421"));
    stopping.await.unwrap();
    // If it was not delivered on the way down, the next start does it.
    let transport = node(&events, &mailbox).spool(folder.path()).start().await.unwrap();
    let content = mailbox.read("b@contoso.example").await;
    assert!(content.ends_with("half and half\r\n"), "{content}");
    stop(transport).await;
}

#[tokio::test]
async fn delivery_under_way_ends_before_the_stop() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::scripted(|at| match at.line {
        "." => Do::Later(Duration::from_secs(1)),
        _ => Do::Usual,
    })
    .await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    submit(address(&transport), FROM, &[TO], "under way").await;
    eventually("the content is sent", async || peer.count(".") == 1).await;
    stop(transport).await;
    assert_eq!((events.count(EventId::Send), peer.taken().len()), (1, 1));
    assert_eq!(peer.count("QUIT"), 1);
}

#[tokio::test]
async fn queued_mail_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let start = async |events: &Events, hold: bool| -> Transport {
        node(events, &mailbox)
            .send_connector(to_host(peer.address))
            .spool(folder.path())
            .suspend_delivery(hold)
            .start()
            .await
            .unwrap()
    };
    let transport = start(&events, true).await;
    for n in 0..10 {
        submit(address(&transport), FROM, &[TO, "c@contoso.example"], &n.to_string()).await;
    }
    assert_eq!((peer.connections(), mailbox.mail().len()), (0, 0));
    stop(transport).await;
    let events = Events::default();
    let transport = start(&events, false).await;
    assert!(transport.recovery().messages >= 10, "{:?}", transport.recovery());
    peer.wait_taken(10).await;
    events.wait(EventId::Deliver, 10).await;
    events.wait(EventId::Send, 10).await;
    stop(transport).await;
    let transport = start(&events, false).await;
    assert_eq!(transport.recovery().messages, 0);
    tokio::time::sleep(QUIET).await;
    assert_eq!((peer.taken().len(), mailbox.mail().len()), (10, 10));
    stop(transport).await;
}

#[tokio::test]
async fn attempt_cut_by_the_stop_is_a_doubt_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::scripted(|at| match at.line {
        "." if at.times == 1 => Do::Stall,
        _ => Do::Usual,
    })
    .await;
    let start = async |events: &Events| -> Transport {
        node(events, &mailbox)
            .send_connector(to_host(peer.address))
            .spool(folder.path())
            .start()
            .await
            .unwrap()
    };
    let transport = start(&events).await;
    submit(address(&transport), FROM, &[TO], "cut").await;
    eventually("the content is sent", async || peer.count(".") == 1).await;
    let report = transport.shutdown(Duration::from_millis(100)).await;
    assert!(!report.in_time, "{report:?}");
    let events = Events::default();
    let transport = start(&events).await;
    assert_eq!(transport.recovery().in_doubt.len(), 1);
    assert_eq!(events.count(EventId::InDoubt), 1);
    events.wait(EventId::Send, 1).await;
    stop(transport).await;
}

#[tokio::test]
async fn suspended_message_waits_until_it_is_resumed_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let start = async |hold: bool| -> Transport {
        node(&events, &mailbox)
            .send_connector(to_host(peer.address))
            .spool(folder.path())
            .suspend_delivery(hold)
            .start()
            .await
            .unwrap()
    };
    let transport = start(true).await;
    let reply = submit(address(&transport), FROM, &[TO], "held").await;
    submit(address(&transport), FROM, &[TO], "free").await;
    // Whether the categorizer is done with it or not.
    transport.suspend_message(id_of(&reply), "ann").await.unwrap();
    transport.resume_delivery().await.unwrap();
    peer.wait_taken(1).await;
    stop(transport).await;
    let transport = start(false).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(peer.taken().len(), 1);
    transport.resume_message(id_of(&reply), "ann").await.unwrap();
    peer.wait_taken(2).await;
    let admin = events.of(EventId::Admin);
    let words: Vec<_> = admin.iter().map(|event| event.source_context.clone().unwrap()).collect();
    assert_eq!(
        words.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        ["suspend by ann", "resume by ann"]
    );
    stop(transport).await;
}

async fn queued(transport: &Transport) -> usize {
    let queues = transport.queues().await.unwrap();
    queues.iter().map(|queue| usize::try_from(queue.message_count).unwrap()).sum()
}

#[tokio::test]
async fn removed_message_is_gone_for_good_and_nobody_hears_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let start = async |hold: bool| -> Transport {
        node(&events, &mailbox)
            .send_connector(to_host(peer.address))
            .spool(folder.path())
            .suspend_delivery(hold)
            .start()
            .await
            .unwrap()
    };
    let transport = start(true).await;
    let reply = submit(address(&transport), FROM, &[TO, "c@out.example"], "gone").await;
    eventually("it is queued", async || queued(&transport).await == 1).await;
    let removed = transport.remove_message(id_of(&reply), Removal::WithoutDsn, "ann").await;
    assert_eq!(removed.unwrap().now, 1);
    assert_eq!(queued(&transport).await, 0);
    let again = transport.remove_message(id_of(&reply), Removal::WithoutDsn, "ann").await;
    assert!(matches!(again, Err(VerbError::NoMessage { .. })), "{again:?}");
    stop(transport).await;
    let transport = start(false).await;
    assert_eq!(transport.recovery().messages, 0);
    tokio::time::sleep(QUIET).await;
    assert_eq!((peer.connections(), mailbox.mail().len()), (0, 0));
    stop(transport).await;
}

#[tokio::test]
async fn message_can_be_followed_through_the_tracking_log() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::scripted(|at| match at.line {
        "RCPT TO:<never@out.example>" => Do::Say("550 5.1.1 nobody here"),
        "RCPT TO:<b@out.example>" if at.times == 1 => Do::Say("451 4.2.1 busy"),
        _ => Do::Usual,
    })
    .await;
    let transport = node(&events, &mailbox)
        .send_connector(to_host(peer.address))
        .tracking_log(folder.path())
        .start()
        .await
        .unwrap();
    let to = [TO, "never@out.example", "c@contoso.example"];
    submit(address(&transport), FROM, &to, "followed").await;
    events.wait(EventId::Send, 1).await;
    events.wait(EventId::Deliver, 2).await;
    stop(transport).await;
    let files = std::fs::read_dir(folder.path()).unwrap();
    let text: String =
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let rows: Vec<_> = csv::rows(&text).map(Result::unwrap).collect();
    assert_eq!(rows.len(), events.all().len());
    for (row, event) in rows.iter().zip(events.all()) {
        assert_eq!(row.event(), Some(event.event));
        let recipients: Vec<_> = row.recipients();
        assert_eq!(recipients.len(), event.recipients.len());
    }
    // By its Message-ID alone: where it came from, where it went, how it ended.
    let id = "<followed@client.example>";
    let of_it = |row: &&csv::Row| row.get(csv::Column::MessageId) == id;
    let words: Vec<_> = rows.iter().filter(of_it).filter_map(csv::Row::event).collect();
    for event in [
        EventId::Receive,
        EventId::Submit,
        EventId::Transfer,
        EventId::Deliver,
        EventId::Fail,
        EventId::Defer,
        EventId::Send,
    ] {
        assert!(words.contains(&event), "{event} in {words:?}");
    }
    assert_eq!(words.first(), Some(&EventId::Receive));
}

#[tokio::test]
async fn port_that_is_taken_is_named_and_the_spool_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let events = Events::default();
    let spool = folder.path().join("spool");
    let connector = transom_connector::ReceiveConnector::internet(taken);
    let started = bare(&events).receive_connector(connector).spool(&spool).start().await;
    let error = started.map(drop).unwrap_err();
    assert!(matches!(error, StartError::Bind { .. }), "{error:?}");
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
    assert!(!spool.exists());
}

#[tokio::test]
async fn spool_in_use_keeps_a_second_transport_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let events = Events::default();
    let first = bare(&events).spool(folder.path()).start().await.unwrap();
    let second = bare(&events).spool(folder.path()).start().await;
    assert!(matches!(second, Err(StartError::Spool(_))));
    stop(first).await;
    stop(bare(&events).spool(folder.path()).start().await.unwrap()).await;
}

#[tokio::test]
async fn transport_that_is_dropped_stops() {
    let events = Events::default();
    let transport = bare(&events).receive_connector(relay_connector()).start().await.unwrap();
    let address = address(&transport);
    let mut client = Client::ready(address).await;
    drop(transport);
    assert!(client.reply().await.starts_with("421"));
    eventually("nobody listens", async || tokio::net::TcpStream::connect(address).await.is_err())
        .await;
}
