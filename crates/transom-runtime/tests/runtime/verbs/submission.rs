//! The Submission and Poison queues.

use std::sync::Arc;

use transom_queue::query::Query;
use transom_queue::view::{
    Effect, MessageIdentity, MessageProperty, QueueIdentity, QueueInfo, QueueKind, QueueProperty,
    Refusal,
};
use transom_queue::{
    AdminVerb, Durability, MemoryOptions, MemorySpool, Op, POISON_ACTOR, QueueStatus, RetryProfile,
    Spool, UnitStatus,
};
use transom_runtime::{Removal, Transport, VerbError};
use transom_tracking::EventId;
use transom_types::InternalMessageId;

use super::{FROM, TO, at, last_received, told};
use crate::peer::Peer;
use crate::support::{
    Events, Mailbox, QUIET, address, bare, effect, eventually, fast, node, relay_connector, stop,
    submit, to_host,
};

fn named(name: &str) -> QueueIdentity {
    name.parse().unwrap()
}

async fn row(transport: &Transport, kind: QueueKind) -> Option<QueueInfo> {
    let query: Query<QueueProperty> = transport.query();
    let page = transport.find_queues(&query).await.unwrap();
    page.rows.into_iter().find(|row| row.kind == kind)
}

async fn submission(transport: &Transport) -> (QueueStatus, u32) {
    let row = row(transport, QueueKind::Submission).await.unwrap();
    (row.status, row.message_count)
}

/// What is in a queue: each message and what becomes of it.
async fn inside(transport: &Transport, name: &str) -> Vec<(InternalMessageId, UnitStatus)> {
    let query: Query<MessageProperty> = transport.query();
    let page = transport.find_messages(named(name), &query).await.unwrap();
    page.rows.into_iter().map(|row| (row.identity.message, row.status)).collect()
}

#[tokio::test]
async fn suspended_submission_takes_mail_and_routes_none_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let start = || at(folder.path(), &events, &mailbox, peer.address).start();
    let transport = start().await.unwrap();
    assert_eq!(effect(transport.suspend_queue(named("submission"), "ann").await), Effect::Now);
    assert_eq!(effect(transport.suspend_queue(named("submission"), "ann").await), Effect::Nothing);
    for subject in ["one", "two"] {
        submit(address(&transport), FROM, &[TO], subject).await;
    }
    let two = (QueueStatus::Suspended, 2);
    eventually("both wait", async || submission(&transport).await == two).await;
    assert!(inside(&transport, "*").await.len() == 2);
    stop(transport).await;
    let transport = start().await.unwrap();
    submit(address(&transport), FROM, &[TO], "three").await;
    let three = (QueueStatus::Suspended, 3);
    eventually("all wait", async || submission(&transport).await == three).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!((peer.connections(), events.count(EventId::Submit)), (0, 0));
    // What is in Submission can be suspended, not removed.
    let id = last_received(&events);
    let refused = transport.remove_message(id, Removal::WithDsn, "ann").await.unwrap_err();
    assert!(matches!(refused, VerbError::Message { why: Refusal::InSubmission, .. }), "{refused}");
    let identity: MessageIdentity = format!(r"Submission\{id}").parse().unwrap();
    transport.suspend_message(identity, "bob").await.unwrap();
    assert_eq!(effect(transport.resume_queue(named("Submission"), "cy").await), Effect::Now);
    peer.wait_taken(2).await;
    let one = vec![(id, UnitStatus::Suspended)];
    eventually("one stays", async || inside(&transport, "Submission").await == one).await;
    transport.resume_message(id, "cy").await.unwrap();
    peer.wait_taken(3).await;
    let told = told(&events);
    let expected = [
        "suspend Submission by ann",
        "suspend Submission by ann",
        "suspend by bob",
        "resume Submission by cy",
        "resume by cy",
    ];
    assert_eq!(told, expected);
    stop(transport).await;
    let transport = start().await.unwrap();
    submit(address(&transport), FROM, &[TO], "four").await;
    peer.wait_taken(4).await;
    assert_eq!(submission(&transport).await.1, 0);
    stop(transport).await;
}

#[tokio::test]
async fn message_in_a_suspended_submission_is_told_of_and_given_up_on_time() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let mut profile: RetryProfile = fast();
    profile.expiry = std::time::Duration::from_millis(600);
    let transport = node(&events, &mailbox).retry_profile(profile).start().await.unwrap();
    transport.suspend_queue(named("Submission"), "ann").await.unwrap();
    submit(address(&transport), FROM, &[TO], "late").await;
    events.wait(EventId::Fail, 1).await;
    assert!(
        events.statuses(EventId::Fail)[0].contains("4.4.7"),
        "{events:?}",
        events = events.statuses(EventId::Fail)
    );
    stop(transport).await;
}

#[tokio::test]
async fn submission_knows_neither_retry_nor_resubmission_nor_redirection() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    let which = || named("Submission");
    let mut refused = vec![
        transport.retry_queue(which(), "ann").await.unwrap_err(),
        transport.resubmit_queue(which(), "ann", |_| {}).await.unwrap_err(),
    ];
    let to = super::queues::out(&peer);
    refused.push(transport.redirect_queue(which(), &to, "ann", |_| {}).await.unwrap_err());
    for refused in refused {
        assert!(matches!(refused, VerbError::Queue { why: Refusal::NotForKind, .. }), "{refused}");
        assert!(refused.to_string().contains("queue Submission: "), "{refused}");
    }
    assert!(told(&events).is_empty());
    stop(transport).await;
}

/// A spool with a message that ended the process twice.
pub(super) async fn poisoned(
    events: &Events,
    spool: &Arc<MemorySpool>,
    peer: &Peer,
) -> InternalMessageId {
    let transport = node(events, &Mailbox::default())
        .send_connector(to_host(peer.address))
        .store(Arc::clone(spool) as Arc<dyn Spool>)
        .suspend_delivery(true)
        .start()
        .await
        .unwrap();
    submit(address(&transport), FROM, &[TO], "poison").await;
    let id = last_received(events);
    super::wait_status(&transport, id, UnitStatus::Ready).await;
    stop(transport).await;
    let op = Op::Admin { id, verb: AdminVerb::Suspend, actor: POISON_ACTOR.to_owned() };
    spool.commit(vec![op], Durability::Sync).await.unwrap();
    id
}

#[tokio::test]
async fn a17_poison_is_a_queue_with_its_own_rules_while_something_is_in_it() {
    let events = Events::default();
    let peer = Peer::willing().await;
    let spool = Arc::new(MemorySpool::new(MemoryOptions::default()));
    let id = poisoned(&events, &spool, &peer).await;
    let transport = bare(&events)
        .receive_connector(relay_connector())
        .send_connector(to_host(peer.address))
        .store(Arc::clone(&spool) as Arc<dyn Spool>)
        .start()
        .await
        .unwrap();
    let poison = row(&transport, QueueKind::Poison).await.unwrap();
    assert_eq!((poison.message_count, poison.suspended_count), (1, 1));
    assert_eq!(inside(&transport, "Poison").await, [(id, UnitStatus::Suspended)]);
    assert!(inside(&transport, "Submission").await.is_empty());
    let refused = [
        transport.suspend_queue(named("Poison"), "ann").await.unwrap_err(),
        transport.resume_queue(named("Poison"), "ann").await.unwrap_err(),
    ];
    for refused in refused {
        assert!(matches!(refused, VerbError::Queue { why: Refusal::Poison, .. }), "{refused}");
    }
    let refused = transport.resubmit_queue(named("Poison"), "ann", |_| {}).await.unwrap_err();
    assert!(matches!(refused, VerbError::Queue { why: Refusal::NotForKind, .. }), "{refused}");
    let place = tempfile::tempdir().unwrap();
    let identity: MessageIdentity = format!(r"Poison\{id}").parse().unwrap();
    transport.export_message(identity.clone(), place.path(), "ann").await.unwrap();
    let exported = std::fs::read_to_string(place.path().join(format!("{id}.eml"))).unwrap();
    assert!(exported.contains("Subject: poison\r\n"), "{exported}");
    transport.resume_message(identity.clone(), "ann").await.unwrap();
    peer.wait_taken(1).await;
    assert!(row(&transport, QueueKind::Poison).await.is_none());
    let gone = transport.resume_message(identity, "ann").await.unwrap_err();
    assert!(gone.to_string().ends_with("it is not here"), "{gone}");
    stop(transport).await;
}
