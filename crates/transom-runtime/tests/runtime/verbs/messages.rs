//! Suspending, resuming and removing messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use transom_queue::view::{Effect, Refusal};
use transom_queue::{MemoryOptions, MemorySpool, POISON_ACTOR, Spool, UnitStatus};
use transom_runtime::{Removal, Transport, VerbError};
use transom_tracking::EventId;
use transom_types::InternalMessageId;

use super::submission::poisoned;
use super::{FROM, TO, at, last_received, told, wait_status};
use crate::peer::{Do, Peer};
use crate::support::{
    Events, Mailbox, QUIET, address, bare, effect, node, relay_connector, stop, submit, to_host,
};

/// A peer that lets the content wait until it is told how to answer.
pub(super) struct Judge {
    pub(super) peer: Peer,
    /// Whether it takes mail without further ado.
    pub(super) willing: Arc<AtomicBool>,
}

/// How long an attempt is under way.
const UNDER_WAY: Duration = Duration::from_millis(400);

impl Judge {
    /// Puts off all mail, each after a while, until it is willing.
    pub(super) async fn severe() -> Self {
        let willing = Arc::new(AtomicBool::new(false));
        let now_willing = Arc::clone(&willing);
        let peer = Peer::scripted(move |at| {
            let willing = now_willing.load(Ordering::Relaxed);
            match () {
                () if willing => Do::Usual,
                () if at.is("RCPT") => Do::Later(UNDER_WAY),
                () if at.is("DATA") => Do::Say("451 4.3.2 not now"),
                () => Do::Usual,
            }
        })
        .await;
        Self { peer, willing }
    }
}

/// A message whose attempt is under way.
pub(super) async fn under_way(transport: &Transport, events: &Events) -> InternalMessageId {
    submit(address(transport), FROM, &[TO], "moving").await;
    let id = last_received(events);
    wait_status(transport, id, UnitStatus::Active).await;
    id
}

#[tokio::test]
async fn suspension_of_what_is_under_way_is_pending_and_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let Judge { peer, willing } = Judge::severe().await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    let id = under_way(&transport, &events).await;
    assert_eq!(effect(transport.suspend_message(id, "ann").await), Effect::Pending);
    wait_status(&transport, id, UnitStatus::PendingSuspend).await;
    wait_status(&transport, id, UnitStatus::Suspended).await;
    assert_eq!(effect(transport.suspend_message(id, "bob").await), Effect::Nothing);
    willing.store(true, Ordering::Relaxed);
    stop(transport).await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    wait_status(&transport, id, UnitStatus::Suspended).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!((peer.count("MAIL"), peer.taken().len()), (1, 0));
    assert_eq!(effect(transport.resume_message(id, "cy").await), Effect::Now);
    peer.wait_taken(1).await;
    assert_eq!(told(&events), ["suspend by ann", "suspend by bob", "resume by cy"]);
    stop(transport).await;
}

#[tokio::test]
async fn removal_with_dsn_tells_the_sender_and_not_who_did_it() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    transport.suspend_delivery().await.unwrap();
    submit(address(&transport), FROM, &[TO, "c@out.example"], "told").await;
    let id = last_received(&events);
    wait_status(&transport, id, UnitStatus::Ready).await;
    let removed = transport.remove_message(id, Removal::WithDsn, "secret-ann").await.unwrap();
    assert_eq!((removed.now, removed.pending), (1, 0));
    assert!(transport.message(id).await.unwrap().is_empty());
    transport.resume_delivery().await.unwrap();
    let report = mailbox.read(FROM).await;
    for part in ["Action: failed", TO, "c@out.example", "removed from the queue", "<told@client"] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert!(!report.contains("secret-ann"), "{report}");
    assert_eq!(told(&events), ["remove with DSN by secret-ann"]);
    assert_eq!((events.statuses(EventId::Fail).len(), peer.taken().len()), (2, 0));
    stop(transport).await;
}

#[tokio::test]
async fn removal_with_dsn_tells_no_one_where_there_is_no_sender() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    transport.suspend_delivery().await.unwrap();
    submit(address(&transport), "", &[TO], "null").await;
    let id = last_received(&events);
    wait_status(&transport, id, UnitStatus::Ready).await;
    transport.remove_message(id, Removal::WithDsn, "ann").await.unwrap();
    assert_eq!((events.count(EventId::Suppressed), events.count(EventId::Dsn)), (1, 0));
    stop(transport).await;
}

#[tokio::test]
async fn removal_of_what_is_under_way_waits_for_its_end() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let Judge { peer, .. } = Judge::severe().await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    let id = under_way(&transport, &events).await;
    let removed = transport.remove_message(id, Removal::WithDsn, "ann").await.unwrap();
    assert_eq!((removed.now, removed.pending), (0, 1));
    wait_status(&transport, id, UnitStatus::PendingRemove).await;
    // It cannot be held any more.
    let refused = transport.suspend_message(id, "ann").await.unwrap_err();
    assert!(matches!(refused, VerbError::Message { why: Refusal::BeingRemoved, .. }), "{refused}");
    assert!(mailbox.read(FROM).await.contains("removed from the queue"));
    tokio::time::sleep(QUIET).await;
    assert_eq!((peer.count("MAIL"), peer.taken().len()), (1, 0));
    assert_eq!(events.count(EventId::Defer), 1);
    stop(transport).await;
}

#[tokio::test]
async fn delivery_comes_before_a_removal_that_waits_for_it() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer =
        Peer::scripted(|at| if at.is("RCPT") { Do::Later(UNDER_WAY) } else { Do::Usual }).await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    let id = under_way(&transport, &events).await;
    let removed = transport.remove_message(id, Removal::WithDsn, "ann").await.unwrap();
    assert_eq!((removed.now, removed.pending), (0, 1));
    events.wait(EventId::Send, 1).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!((peer.taken().len(), mailbox.mail().len()), (1, 0));
    assert!(transport.message(id).await.unwrap().is_empty());
    stop(transport).await;
}

#[tokio::test]
async fn removal_that_waits_for_an_attempt_outlives_a_restart_that_cuts_it() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::scripted(|at| if at.is("RCPT") { Do::Stall } else { Do::Usual }).await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    let id = under_way(&transport, &events).await;
    transport.remove_message(id, Removal::WithDsn, "ann").await.unwrap();
    let report = transport.shutdown(Duration::ZERO).await;
    assert!(!report.in_time, "{report:?}");
    let willing = Peer::willing().await;
    let transport = at(folder.path(), &events, &mailbox, willing.address).start().await.unwrap();
    assert_eq!(transport.recovery().messages, 1);
    assert!(mailbox.read(FROM).await.contains("removed from the queue"));
    assert!(transport.message(id).await.unwrap().is_empty());
    assert_eq!(willing.connections(), 0);
    stop(transport).await;
}

#[tokio::test]
async fn poison_message_waits_until_it_is_resumed_which_routes_it_anew() {
    let events = Events::default();
    let peer = Peer::willing().await;
    let spool = Arc::new(MemorySpool::new(MemoryOptions::default()));
    let id = poisoned(&events, &spool, &peer).await;
    let start = || {
        let spool = Arc::clone(&spool) as Arc<dyn Spool>;
        let transport = bare(&events).receive_connector(relay_connector());
        transport.send_connector(to_host(peer.address)).store(spool).start()
    };
    let transport = start().await.unwrap();
    assert_eq!(transport.poison_messages(), [id]);
    assert_eq!(effect(transport.suspend_message(id, "ann").await), Effect::Nothing);
    tokio::time::sleep(QUIET).await;
    assert_eq!((peer.connections(), events.count(EventId::PoisonMessage)), (0, 1));
    assert_eq!(effect(transport.resume_message(id, "ann").await), Effect::Now);
    peer.wait_taken(1).await;
    assert!(transport.poison_messages().is_empty());
    stop(transport).await;
}

#[tokio::test]
async fn poison_message_can_be_removed() {
    let events = Events::default();
    let peer = Peer::willing().await;
    let spool = Arc::new(MemorySpool::new(MemoryOptions::default()));
    let id = poisoned(&events, &spool, &peer).await;
    let transport =
        bare(&events).store(Arc::clone(&spool) as Arc<dyn Spool>).start().await.unwrap();
    let removed = transport.remove_message(id, Removal::WithoutDsn, "ann").await.unwrap();
    assert_eq!((removed.now, removed.pending), (1, 0));
    assert!(spool.open(id).await.is_err() && transport.poison_messages().is_empty());
    assert_eq!(events.count(EventId::Dsn), 0);
    stop(transport).await;
}

#[tokio::test]
async fn verb_needs_a_name_that_can_be_written_down() {
    let transport = bare(&Events::default()).start().await.unwrap();
    let long = "a".repeat(257);
    for actor in ["", "ann\r\nbob", POISON_ACTOR, &long] {
        let refused = transport.suspend_message(InternalMessageId(1), actor).await.unwrap_err();
        assert!(matches!(refused, VerbError::Actor), "{actor:?}: {refused}");
    }
    let refused = transport.suspend_message(InternalMessageId(1), "ann").await.unwrap_err();
    assert_eq!(refused.to_string(), "cannot suspend message 1: it is not here");
    stop(transport).await;
}
