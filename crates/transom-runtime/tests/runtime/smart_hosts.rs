//! What a send connector says about its way, over real sockets: which smart host, as whom, and
//! what becomes of failures.

use std::time::Duration;

use transom_agent::MemorySecrets;
use transom_connector::{
    Credential, ErrorPolicies, SendConnector, SendTls, SmartHostAuth, SmartHostOrder, TlsAuthLevel,
};
use transom_routing::SmartHostPool;
use transom_runtime::StartError;
use transom_tracking::EventId;
use transom_types::Secret;

use crate::peer::{Do, Peer};
use crate::support::{Events, Mailbox, address, bare, node, stop, submit, to_host, to_hosts};

const FROM: &str = "sender@contoso.example";
const TO: &str = "b@out.example";

fn credential() -> Credential {
    Credential { user: "relay".into(), secret: "fabrikam".into() }
}

fn secrets() -> MemorySecrets {
    MemorySecrets::default().with_secret("fabrikam", Secret::new(*b"hunter2"))
}

#[tokio::test]
async fn smart_hosts_in_turn_share_the_mail() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let (one, other) = (Peer::willing().await, Peer::willing().await);
    let connector = to_hosts(&[one.address, other.address])
        .with_smart_host_order(SmartHostOrder::RoundRobin)
        .with_messages_per_connection(1);
    let transport = node(&events, &mailbox).send_connector(connector).start().await.unwrap();
    for sent in 1..=4 {
        submit(address(&transport), FROM, &[TO], "in turn").await;
        events.wait(EventId::Send, sent).await;
    }
    assert_eq!((one.taken().len(), other.taken().len()), (2, 2));
    stop(transport).await;
}

#[tokio::test]
async fn a_dead_smart_host_is_left_out_after_a_few_failures() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let dead = Peer::scripted(|_| Do::SayAndCut("421 4.3.2 ill")).await;
    let well = Peer::willing().await;
    let connector = to_hosts(&[dead.address, well.address]).with_messages_per_connection(1);
    let transport = node(&events, &mailbox).send_connector(connector).start().await.unwrap();
    for sent in 1..=6 {
        submit(address(&transport), FROM, &[TO], "around").await;
        events.wait(EventId::Send, sent).await;
    }
    let failures = usize::try_from(SmartHostPool::FAILURES_MAX).unwrap();
    assert_eq!((dead.connections(), well.taken().len()), (failures, 6));
    stop(transport).await;
}

#[tokio::test]
async fn error_policies_decide_over_the_words_of_the_peer() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::scripted(|at| match at.is("RCPT") {
        true if at.times == 1 && at.line.contains("listed") => Do::Say("550 5.7.1 listed"),
        true if at.line.contains("full") => Do::Say("452 4.2.2 full"),
        _ => Do::Usual,
    })
    .await;
    let policies = ErrorPolicies::default()
        .with_downgrade(vec!["5.7.1".parse().unwrap()])
        .with_upgrade(vec!["4.2.2".parse().unwrap()]);
    let connector = to_host(peer.address).with_error_policies(policies);
    let transport = node(&events, &mailbox).send_connector(connector).start().await.unwrap();
    submit(address(&transport), FROM, &["listed@out.example"], "downgraded").await;
    events.wait(EventId::Send, 1).await;
    assert_eq!(events.statuses(EventId::Defer).len(), 1);
    submit(address(&transport), FROM, &["full@out.example"], "upgraded").await;
    events.wait(EventId::Fail, 1).await;
    let failed = events.statuses(EventId::Fail);
    assert!(failed[0].contains("452 4.2.2 full"), "{failed:?}");
    assert_eq!(events.statuses(EventId::Defer).len(), 1);
    stop(transport).await;
}

#[tokio::test]
async fn a_smart_host_hears_who_we_are() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::start(&["AUTH PLAIN", "ENHANCEDSTATUSCODES"], None, |at| {
        if at.is("AUTH") { Do::Say("235 2.7.0 welcome") } else { Do::Usual }
    })
    .await;
    let connector = to_host(peer.address).with_smart_host_auth(SmartHostAuth::Basic(credential()));
    let transport =
        node(&events, &mailbox).send_connector(connector).secrets(secrets()).start().await.unwrap();
    submit(address(&transport), FROM, &[TO], "as relay").await;
    events.wait(EventId::Send, 1).await;
    // NUL relay NUL hunter2.
    assert_eq!(peer.count("AUTH PLAIN AHJlbGF5AGh1bnRlcjI="), 1);
    stop(transport).await;
}

#[tokio::test]
async fn a_password_for_tls_alone_never_goes_out_in_the_clear() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::start(&["AUTH PLAIN LOGIN", "ENHANCEDSTATUSCODES"], None, |_| Do::Usual).await;
    let auth = SmartHostAuth::BasicRequireTls(credential());
    let connector = to_host(peer.address).with_smart_host_auth(auth);
    let transport =
        node(&events, &mailbox).send_connector(connector).secrets(secrets()).start().await.unwrap();
    submit(address(&transport), FROM, &[TO], "kept").await;
    events.wait(EventId::Defer, 2).await;
    assert_eq!((peer.count("AUTH"), peer.count("MAIL"), peer.taken().len()), (0, 0, 0));
    stop(transport).await;
}

#[tokio::test]
async fn mail_waits_for_a_password_that_nobody_knows() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let connector = to_host(peer.address).with_smart_host_auth(SmartHostAuth::Basic(credential()));
    let transport = node(&events, &mailbox)
        .send_connector(connector)
        .secrets(MemorySecrets::default())
        .start()
        .await
        .unwrap();
    submit(address(&transport), FROM, &[TO], "kept").await;
    events.wait(EventId::Defer, 1).await;
    let deferred = events.statuses(EventId::Defer);
    assert!(deferred[0].contains("the secret \"fabrikam\" cannot be had"), "{deferred:?}");
    assert_eq!(peer.connections(), 0);
    stop(transport).await;
}

#[tokio::test]
async fn what_a_connector_promises_and_nobody_keeps_stops_the_start() {
    let start = async |connector: SendConnector| {
        bare(&Events::default()).send_connector(connector).start().await.err()
    };
    let peer = Peer::willing().await;
    let auth = to_host(peer.address).with_smart_host_auth(SmartHostAuth::Basic(credential()));
    let refused = start(auth.clone()).await;
    assert!(matches!(refused, Some(StartError::NoSecrets { .. })), "{refused:?}");
    assert!(start(auth.with_enabled(false)).await.is_none());
    let validating = to_host(peer.address)
        .with_tls(SendTls::Required)
        .with_tls_auth_level(TlsAuthLevel::CertificateValidation);
    let refused = start(validating).await;
    assert!(matches!(refused, Some(StartError::TlsAuthLevel { .. })), "{refused:?}");
}

#[tokio::test]
async fn connections_come_from_the_source_address_and_go_when_idle() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let connector = to_host(peer.address)
        .with_idle_timeout(Duration::from_millis(50))
        .with_source_addresses(vec!["127.0.0.9".parse().unwrap()]);
    let transport = node(&events, &mailbox).send_connector(connector).start().await.unwrap();
    submit(address(&transport), FROM, &[TO], "from 9").await;
    peer.wait_taken(1).await;
    peer.wait_left().await;
    assert_eq!(peer.from(), ["127.0.0.9".parse::<std::net::IpAddr>().unwrap()]);
    stop(transport).await;
}
