//! Next hops that the DNS names.

use std::time::Duration;

use transom_connector::SendConnector;
use transom_dns::Zone;
use transom_runtime::TransportBuilder;
use transom_tracking::EventId;

use crate::peer::Peer;
use crate::support::{Events, Mailbox, address, node, stop, submit};

const FROM: &str = "sender@contoso.example";

fn by_dns(events: &Events, mailbox: &Mailbox, zone: &str, port: u16) -> TransportBuilder {
    node(events, mailbox)
        .send_connector(SendConnector::internet().with_port(port))
        .resolver(zone.parse::<Zone>().unwrap())
        .danger_accept_private_addresses(true)
}

/// Sends to b@out.example where the DNS says `zone`; the message must fail with this status.
async fn fails(zone: &str, status: &str) {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport = by_dns(&events, &mailbox, zone, peer.address.port()).start().await.unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "dns").await;
    let report = mailbox.read(FROM).await;
    assert!(report.contains(&format!("Status: {status}")), "{report}");
    assert!(report.contains("Action: failed"), "{report}");
    assert_eq!((peer.connections(), events.count(EventId::Defer)), (0, 0));
    stop(transport).await;
}

#[tokio::test]
async fn mail_goes_to_the_best_mail_host() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let zone = "out.example MX 20 worse.example\nout.example MX 10 best.example\n\
                best.example A 127.0.0.1\nworse.example A 127.0.0.9";
    let transport = by_dns(&events, &mailbox, zone, peer.address.port()).start().await.unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "mx").await;
    peer.wait_taken(1).await;
    events.wait(EventId::Send, 1).await;
    let sent = &events.of(EventId::Send)[0];
    assert_eq!(sent.server.hostname.as_deref(), Some("best.example"));
    assert_eq!(sent.next_hop.as_ref().unwrap().domain.as_str(), "out.example");
    stop(transport).await;
}

#[tokio::test]
async fn worse_mail_host_is_tried_when_the_best_is_dead() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let zone = "out.example MX 10 dead.example\nout.example MX 20 alive.example\n\
                dead.example A 127.0.0.9\nalive.example A 127.0.0.1";
    let transport = by_dns(&events, &mailbox, zone, peer.address.port()).start().await.unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "mx").await;
    peer.wait_taken(1).await;
    stop(transport).await;
}

#[tokio::test]
async fn domain_without_mail_hosts_is_its_own() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let zone = "out.example A 127.0.0.1";
    let transport = by_dns(&events, &mailbox, zone, peer.address.port()).start().await.unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "implicit").await;
    peer.wait_taken(1).await;
    stop(transport).await;
}

#[tokio::test]
async fn domain_that_takes_no_mail_is_reported() {
    fails("out.example MX 0 .", "5.1.10").await;
}

#[tokio::test]
async fn domain_that_does_not_exist_is_reported() {
    fails("another.example A 127.0.0.1", "5.4.4").await;
}

#[tokio::test]
async fn mail_that_would_come_back_to_us_is_reported() {
    let zone = "out.example MX 10 mx.contoso.example\nmx.contoso.example A 127.0.0.1";
    fails(zone, "5.4.4").await;
}

#[tokio::test]
async fn dns_that_fails_for_now_is_asked_again() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let mut profile = crate::support::fast();
    profile.expiry = Duration::from_millis(400);
    let transport = by_dns(&events, &mailbox, "out.example MX SERVFAIL", 25)
        .retry_profile(profile)
        .start()
        .await
        .unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "servfail").await;
    events.wait(EventId::Defer, 2).await;
    let deferred = events.statuses(EventId::Defer);
    assert!(deferred[0].contains("4.4.3"), "{deferred:?}");
    let report = mailbox.read(FROM).await;
    assert!(report.contains("Status: 4.4.7"), "{report}");
    stop(transport).await;
}

#[tokio::test]
async fn private_addresses_are_not_connected_to_unless_allowed() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let zone = "out.example A 127.0.0.1";
    let transport = by_dns(&events, &mailbox, zone, peer.address.port())
        .danger_accept_private_addresses(false)
        .start()
        .await
        .unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "inner").await;
    let report = mailbox.read(FROM).await;
    assert!(report.contains("Status: 5.4.4"), "{report}");
    assert_eq!(peer.connections(), 0);
    stop(transport).await;
}
