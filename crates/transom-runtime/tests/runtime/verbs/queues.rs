//! Suspending, resuming, retrying, resubmitting and redirecting queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use transom_connector::{AddressSpace, SendConnector, SmartHost};
use transom_queue::view::{Effect, Refusal};
use transom_queue::{QueueStatus, UnitStatus};
use transom_runtime::{Transport, VerbError};
use transom_tracking::EventId;
use transom_types::{ConnectorId, NextHop, NextHopDomain, TlsClass};

use super::messages::{Judge, under_way};
use super::{FROM, TO, at, last_received, patient, queue_in, told, wait_status};
use crate::peer::{Do, Peer};
use crate::support::{Events, Mailbox, QUIET, address, effect, eventually, stop, submit};

/// Where the connector of the tests leads.
pub(super) fn out(peer: &Peer) -> NextHop {
    smart_host("out", peer)
}

fn smart_host(connector: &str, peer: &Peer) -> NextHop {
    NextHop {
        kind: transom_types::DeliveryType::SmartHostConnectorDelivery,
        domain: NextHopDomain::new(&SmartHost::from(peer.address).to_string()),
        connector: ConnectorId::new(connector),
        tls: TlsClass::Normal,
    }
}

/// A peer that turns everybody away until it is well.
pub(super) async fn ill() -> (Peer, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let script = move |at: &crate::peer::At<'_>| {
        if at.is("CONNECT") && !is_well.load(Ordering::Relaxed) {
            Do::SayAndCut("421 4.3.2 ill")
        } else {
            Do::Usual
        }
    };
    (Peer::scripted(script).await, well)
}

#[tokio::test]
async fn suspended_queue_takes_in_and_gives_nothing_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let hop = out(&peer);
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    let missing = transport.suspend_queue(&hop, "ann").await.unwrap_err();
    assert!(matches!(missing, VerbError::NoQueue { .. }), "{missing}");
    submit(address(&transport), FROM, &[TO], "first").await;
    peer.wait_taken(1).await;
    assert_eq!(effect(transport.suspend_queue(&hop, "ann").await), Effect::Now);
    assert_eq!(effect(transport.suspend_queue(&hop, "bob").await), Effect::Nothing);
    submit(address(&transport), FROM, &[TO], "second").await;
    wait_status(&transport, last_received(&events), UnitStatus::Ready).await;
    stop(transport).await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    submit(address(&transport), FROM, &[TO], "third").await;
    wait_status(&transport, last_received(&events), UnitStatus::Ready).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(peer.taken().len(), 1);
    let queue = transport.queue(&hop).await.unwrap().unwrap();
    assert_eq!((queue.status, queue.message_count), (QueueStatus::Suspended, 2));
    assert_eq!(transport.find_messages(&hop, &transport.query()).await.unwrap().total, 2);
    // Other queues go on.
    submit(address(&transport), FROM, &["d@contoso.example"], "other").await;
    mailbox.read("d@contoso.example").await;
    assert_eq!(effect(transport.resume_queue(&hop, "cy").await), Effect::Now);
    peer.wait_taken(3).await;
    stop(transport).await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    submit(address(&transport), FROM, &[TO], "fourth").await;
    peer.wait_taken(4).await;
    assert_eq!(told(&events), ["suspend by ann", "suspend by bob", "resume by cy"]);
    let named = events.of(EventId::Admin).into_iter().all(|e| e.next_hop == Some(hop.clone()));
    assert!(named);
    stop(transport).await;
}

#[tokio::test]
async fn empty_queue_stays_suspended_over_a_restart_and_can_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let hop = out(&peer);
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    submit(address(&transport), FROM, &[TO], "first").await;
    peer.wait_taken(1).await;
    transport.suspend_queue(&hop, "ann").await.unwrap();
    stop(transport).await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    assert_eq!(queue_in(&transport, QueueStatus::Suspended).await.next_hop, hop);
    assert_eq!(effect(transport.resume_queue(&hop, "ann").await), Effect::Now);
    submit(address(&transport), FROM, &[TO], "second").await;
    peer.wait_taken(2).await;
    stop(transport).await;
}

/// A transport with so many messages in a queue that waits for its ladder.
pub(super) async fn in_retry(
    folder: &std::path::Path,
    events: &Events,
    peer: &Peer,
    count: usize,
) -> Transport {
    let transport = at(folder, events, &Mailbox::default(), peer.address)
        .retry_profile(patient())
        .send_connector(spare(peer))
        .start()
        .await
        .unwrap();
    for number in 0..count {
        submit(address(&transport), FROM, &[TO], &format!("m{number}")).await;
    }
    let queue = queue_in(&transport, QueueStatus::Retry).await;
    eventually("all wait", async || {
        let queue = transport.queue(&queue.next_hop).await.unwrap().unwrap();
        usize::try_from(queue.message_count).unwrap() == count && queue.inflight == 0
    })
    .await;
    transport
}

/// A connector that is there and gets no mail by itself.
fn spare(peer: &Peer) -> SendConnector {
    let space: AddressSpace = "spare.example".parse().unwrap();
    SendConnector::smart_hosts("spare", vec![space], vec![SmartHost::from(peer.address)])
}

#[tokio::test]
async fn retry_now_connects_at_once_and_only_where_a_queue_waits_for_that() {
    let folder = tempfile::tempdir().unwrap();
    let events = Events::default();
    let (peer, well) = ill().await;
    let hop = out(&peer);
    let transport = in_retry(folder.path(), &events, &peer, 1).await;
    let before = peer.connections();
    assert_eq!(effect(transport.retry_queue(&hop, "ann").await), Effect::Now);
    eventually("it connects", async || peer.connections() > before).await;
    queue_in(&transport, QueueStatus::Retry).await;
    assert!(peer.taken().is_empty());
    well.store(true, Ordering::Relaxed);
    transport.retry_queue(&hop, "ann").await.unwrap();
    peer.wait_taken(1).await;
    eventually("the queue is ready", async || {
        let refused = transport.retry_queue(&hop, "ann").await;
        matches!(refused, Err(VerbError::Queue { why: Refusal::NotInRetry, .. }))
    })
    .await;
    let refused = transport.resubmit_queue(&hop, "ann", |_| {}).await.unwrap_err();
    assert!(refused.to_string().starts_with("cannot resubmit queue "), "{refused}");
    stop(transport).await;
}

#[tokio::test]
async fn resubmission_routes_anew_all_that_is_not_suspended_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let events = Events::default();
    let (peer, well) = ill().await;
    let hop = out(&peer);
    let transport = in_retry(folder.path(), &events, &peer, 8).await;
    let held = last_received(&events);
    transport.suspend_message(held, "ann").await.unwrap();
    assert_eq!(events.count(EventId::Submit), 8);
    let mut steps = Vec::new();
    let done = transport.resubmit_queue(&hop, "ann", |step| steps.push(step)).await.unwrap();
    assert_eq!(done.moved, 7);
    assert_eq!(steps.last().map(|last| (last.moved, last.left)), Some((7, 0)));
    events.wait(EventId::Submit, 15).await;
    wait_status(&transport, held, UnitStatus::Suspended).await;
    eventually("all are back", async || {
        transport.find_messages(&hop, &transport.query()).await.unwrap().total == 8
    })
    .await;
    well.store(true, Ordering::Relaxed);
    transport.retry_queue(&hop, "ann").await.unwrap();
    peer.wait_taken(7).await;
    transport.resume_message(held, "ann").await.unwrap();
    peer.wait_taken(8).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(peer.taken().len(), 8);
    stop(transport).await;
}

#[tokio::test]
async fn redirected_queue_goes_to_the_other_next_hop_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let (peer, well) = ill().await;
    let other = Peer::willing().await;
    let (from, to) = (out(&peer), smart_host("spare", &other));
    let start = async || {
        at(folder.path(), &events, &mailbox, peer.address)
            .retry_profile(patient())
            .send_connector(spare(&other))
            .start()
            .await
            .unwrap()
    };
    let transport = start().await;
    for number in 0..5 {
        submit(address(&transport), FROM, &[TO], &format!("m{number}")).await;
    }
    queue_in(&transport, QueueStatus::Retry).await;
    eventually("all wait", async || {
        let queue = transport.queue(&from).await.unwrap().unwrap();
        queue.message_count == 5 && queue.inflight == 0
    })
    .await;
    for bad in [&from, &NextHop { connector: ConnectorId::new("none"), ..to.clone() }] {
        let refused = transport.redirect_queue(&from, bad, "ann", |_| {}).await.unwrap_err();
        assert!(matches!(refused, VerbError::Target { .. }), "{refused}");
    }
    let done = transport.redirect_queue(&from, &to, "ann", |_| {}).await.unwrap();
    assert_eq!(done.moved, 5);
    other.wait_taken(5).await;
    stop(transport).await;
    well.store(true, Ordering::Relaxed);
    let transport = start().await;
    // Both ways are one now: the message stays one.
    submit(address(&transport), FROM, &[TO, "x@spare.example"], "new").await;
    other.wait_taken(6).await;
    assert_eq!(other.taken()[5].rcpt.len(), 2);
    assert!(transport.end_redirection(&from, "ann").await.unwrap());
    assert!(!transport.end_redirection(&from, "ann").await.unwrap());
    submit(address(&transport), FROM, &[TO], "back").await;
    peer.wait_taken(1).await;
    assert_eq!(other.taken().len(), 6);
    assert_eq!(told(&events), ["redirect by ann", "end of redirection by ann"]);
    stop(transport).await;
}

#[tokio::test]
async fn redirection_leaves_what_is_under_way_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let Judge { peer, willing } = Judge::severe().await;
    let other = Peer::willing().await;
    let (from, to) = (out(&peer), smart_host("spare", &other));
    let transport = at(folder.path(), &events, &mailbox, peer.address)
        .send_connector(spare(&other))
        .start()
        .await
        .unwrap();
    let id = under_way(&transport, &events).await;
    let done = transport.redirect_queue(&from, &to, "ann", |_| {}).await.unwrap();
    assert_eq!(done.moved, 0);
    wait_status(&transport, id, UnitStatus::Active).await;
    events.wait(EventId::Defer, 1).await;
    willing.store(true, Ordering::Relaxed);
    peer.wait_taken(1).await;
    assert!(other.taken().is_empty());
    submit(address(&transport), FROM, &[TO], "new").await;
    other.wait_taken(1).await;
    assert_eq!(peer.taken().len(), 1);
    stop(transport).await;
}
