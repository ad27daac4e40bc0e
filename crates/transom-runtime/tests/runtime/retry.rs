//! Trying again, giving up, and what the sender hears of it.

use std::time::Duration;

use transom_queue::RetryProfile;
use transom_tracking::EventId;

use crate::peer::{Do, Peer};
use crate::support::{
    Events, Mailbox, QUIET, address, bare, eventually, fast, node, relay_connector, stop, submit,
    to_host,
};

const FROM: &str = "sender@contoso.example";
const TO: &str = "b@out.example";

async fn nobody() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn expiring(after: Duration) -> RetryProfile {
    let mut profile = fast();
    profile.expiry = after;
    profile.null_sender_expiry = after;
    profile
}

// [RFC 5321 §4.5.4.1-a] test
#[tokio::test]
async fn recipient_put_off_is_tried_again_and_delivered_once() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::scripted(|at| {
        if at.is("RCPT") && at.times <= 3 { Do::Say("451 4.7.1 greylisted") } else { Do::Usual }
    })
    .await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    submit(address(&transport), FROM, &[TO], "grey").await;
    events.wait(EventId::Send, 1).await;
    let deferred = events.statuses(EventId::Defer);
    assert_eq!(deferred.len(), 3, "{deferred:?}");
    assert!(deferred[0].contains("451 4.7.1 greylisted"), "{deferred:?}");
    let attempts: Vec<_> = events.of(EventId::Defer).iter().map(|event| event.attempt).collect();
    assert_eq!(attempts, [Some(1), Some(2), Some(3)]);
    tokio::time::sleep(QUIET).await;
    assert_eq!((peer.taken().len(), mailbox.mail().len()), (1, 0));
    stop(transport).await;
}

#[tokio::test]
async fn refused_recipient_is_reported_to_the_sender() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer =
        Peer::scripted(
            |at| {
                if at.is("RCPT") { Do::Say("550 5.1.1 no such user") } else { Do::Usual }
            },
        )
        .await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    submit(address(&transport), FROM, &[TO], "bounce").await;
    let report = mailbox.read(FROM).await;
    for part in [
        "multipart/report",
        "Reporting-MTA: dns; mx.contoso.example",
        "Final-Recipient: rfc822; b@out.example",
        "Action: failed",
        "Status: 5.1.1",
        "Diagnostic-Code: smtp; 550 5.1.1 no such user",
        "Message-ID: <bounce@client.example>",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    events.wait(EventId::Deliver, 1).await;
    let reports = events.of(EventId::Dsn);
    assert_eq!((events.count(EventId::Fail), reports.len()), (1, 1));
    assert!(reports[0].sender.as_ref().unwrap().is_null());
    stop(transport).await;
}

#[tokio::test]
async fn null_reverse_path_gets_no_report() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer =
        Peer::scripted(
            |at| {
                if at.is("RCPT") { Do::Say("550 5.1.1 no such user") } else { Do::Usual }
            },
        )
        .await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    submit(address(&transport), "", &[TO], "null").await;
    events.wait(EventId::Fail, 1).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!((events.count(EventId::Dsn), mailbox.mail().len()), (0, 0));
    assert_eq!(events.count(EventId::Suppressed), 1);
    stop(transport).await;
}

#[tokio::test]
async fn report_that_cannot_be_delivered_ends_there() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer =
        Peer::scripted(
            |at| {
                if at.is("RCPT") { Do::Say("550 5.1.1 no such user") } else { Do::Usual }
            },
        )
        .await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    submit(address(&transport), "sender@out.example", &[TO], "double").await;
    events.wait(EventId::Fail, 2).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!((events.count(EventId::Dsn), events.count(EventId::Fail)), (1, 2));
    stop(transport).await;
}

#[tokio::test]
async fn unreachable_host_is_tried_until_the_message_expires() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox)
        .send_connector(to_host(nobody().await))
        .retry_profile(expiring(Duration::from_millis(500)))
        .start()
        .await
        .unwrap();
    submit(address(&transport), FROM, &[TO], "old").await;
    let report = mailbox.read(FROM).await;
    assert!(report.contains("Status: 4.4.7"), "{report}");
    assert!(report.contains("Action: failed"), "{report}");
    assert!(report.contains("cannot connect"), "{report}");
    assert!(events.count(EventId::Defer) > 1);
    assert_eq!((events.count(EventId::Expire), events.count(EventId::Fail)), (1, 1));
    stop(transport).await;
}

#[tokio::test]
async fn message_without_a_way_waits_and_expires() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox)
        .retry_profile(expiring(Duration::from_millis(400)))
        .start()
        .await
        .unwrap();
    submit(address(&transport), FROM, &[TO], "nowhere").await;
    eventually("the unreachable queue holds it", async || {
        let queues = transport.queues().await.unwrap();
        queues.iter().any(|queue| {
            queue.next_hop.kind == transom_types::DeliveryType::Unreachable
                && queue.message_count == 1
        })
    })
    .await;
    let report = mailbox.read(FROM).await;
    assert!(report.contains("Status: 4.4.7"), "{report}");
    stop(transport).await;
}

#[tokio::test]
async fn sender_is_told_of_a_delay_once() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let mut profile = fast();
    profile.delay_notice = Duration::from_millis(200);
    let transport = node(&events, &mailbox)
        .send_connector(to_host(nobody().await))
        .retry_profile(profile)
        .start()
        .await
        .unwrap();
    submit(address(&transport), FROM, &[TO], "delayed").await;
    let report = mailbox.read(FROM).await;
    assert!(report.contains("Action: delayed"), "{report}");
    let tried = events.count(EventId::Defer);
    events.wait(EventId::Defer, tried + 3).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(mailbox.mail().len(), 1);
    assert_eq!(events.count(EventId::Fail), 0);
    stop(transport).await;
}

#[tokio::test]
async fn crowd_that_cannot_be_routed_is_reported_and_nothing_stands_still() {
    // More messages than the submission queue holds, each of which makes a report.
    const MESSAGES: usize = 1_500;
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let small = |events: &Events, address: std::net::SocketAddr, octets: u64| {
        let connector = to_host(address).with_message_octets_max(Some(octets));
        bare(events)
            .receive_connector(relay_connector())
            .delivery_agent("mailbox", ["contoso.example"], mailbox.clone())
            .send_connector(connector)
            .spool(folder.path())
    };
    let transport =
        small(&events, nobody().await, 1_000_000).suspend_delivery(true).start().await.unwrap();
    let mut sessions = tokio::task::JoinSet::new();
    for _ in 0..15 {
        let address = address(&transport);
        sessions.spawn(async move {
            let mut client = crate::support::Client::ready(address).await;
            for _ in 0..MESSAGES / 15 {
                let content = crate::support::message("x");
                let reply = client.submit(FROM, &[TO], &content).await;
                assert!(reply.starts_with("250"), "{reply}");
            }
        });
    }
    sessions.join_all().await;
    stop(transport).await;
    // Now no connector takes messages of this size any more.
    let events = Events::default();
    let transport = small(&events, nobody().await, 10).start().await.unwrap();
    events.wait(EventId::Fail, MESSAGES).await;
    eventually("all reports are delivered", async || mailbox.mail().len() == MESSAGES).await;
    assert_eq!(events.count(EventId::Dsn), MESSAGES);
    stop(transport).await;
}
