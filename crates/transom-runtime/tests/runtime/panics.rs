//! What panics takes nothing else with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use transom_queue::{
    Committed, Durability, Ingest, LoadedMessage, MemoryOptions, MemorySpool, Op, RecoveryReport,
    Spool, SpoolHealth, StoreError, StoredMessage,
};
use transom_runtime::Transport;
use transom_tracking::{EventId, EventSink, TrackingEvent};
use transom_types::InternalMessageId;

use crate::peer::Peer;
use crate::support::{
    Client, Events, Mailbox, address, eventually, message, node, stop, submit, to_host,
};

const FROM: &str = "sender@contoso.example";
const NEAR: &str = "b@contoso.example";
const FAR: &str = "b@out.example";

/// A spool that panics at the first operation of a kind.
#[derive(Debug)]
struct Panicky {
    spool: MemorySpool,
    at: fn(&Op) -> bool,
    done: AtomicBool,
}

#[async_trait]
impl Spool for Panicky {
    fn begin(&self, size_hint: Option<u64>) -> Result<Box<dyn Ingest>, StoreError> {
        self.spool.begin(size_hint)
    }
    async fn commit(&self, ops: Vec<Op>, durability: Durability) -> Result<Committed, StoreError> {
        let now = ops.iter().any(self.at);
        assert!(!now || self.done.swap(true, Ordering::SeqCst), "on purpose");
        self.spool.commit(ops, durability).await
    }
    async fn open(&self, id: InternalMessageId) -> Result<StoredMessage, StoreError> {
        self.spool.open(id).await
    }
    fn load(&self, sink: &mut dyn FnMut(LoadedMessage)) -> Result<RecoveryReport, StoreError> {
        self.spool.load(sink)
    }
    fn health(&self) -> SpoolHealth {
        self.spool.health()
    }
}

async fn start(events: &Events, mailbox: &Mailbox, peer: &Peer, at: fn(&Op) -> bool) -> Transport {
    let spool = MemorySpool::new(MemoryOptions::default());
    node(events, mailbox)
        .send_connector(to_host(peer.address))
        .store(Arc::new(Panicky { spool, at, done: AtomicBool::new(false) }))
        .start()
        .await
        .unwrap()
}

/// The message waits for its next attempt, none is under way, and other mail goes on.
async fn comes_back(to: &str, at: fn(&Op) -> bool) {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport = start(&events, &mailbox, &peer, at).await;
    submit(address(&transport), FROM, &[to], "first").await;
    let waits = async || {
        let queues = transport.queues().await.unwrap();
        queues.iter().any(|queue| queue.deferred_count == 1 && queue.inflight == 0)
    };
    eventually("the message waits", waits).await;
    submit(address(&transport), FROM, &[to], "second").await;
    events
        .until("the second", |all| {
            let done = [EventId::Send, EventId::Deliver];
            all.iter().any(|event| done.contains(&event.event))
        })
        .await;
    stop(transport).await;
}

#[tokio::test]
async fn attempt_that_panics_comes_back() {
    let intent = |op: &Op| matches!(op, Op::Intent { .. });
    comes_back(NEAR, intent).await;
    comes_back(FAR, intent).await;
}

#[tokio::test]
async fn settlement_that_panics_brings_its_recipients_back() {
    let settle = |op: &Op| matches!(op, Op::Settle { .. });
    comes_back(NEAR, settle).await;
    comes_back(FAR, settle).await;
}

#[tokio::test]
async fn categorizer_that_panics_goes_on_with_the_other_messages() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let fork = |op: &Op| matches!(op, Op::Categorize { .. });
    let transport = start(&events, &mailbox, &peer, fork).await;
    let mut client = Client::ready(address(&transport)).await;
    // More than there are workers.
    for subject in 0..100 {
        let content = message(&subject.to_string());
        let reply = client.submit(FROM, &[NEAR, FAR], &content).await;
        assert!(reply.starts_with("250 2.6.0"), "{reply}");
    }
    events.wait(EventId::Send, 99).await;
    events.wait(EventId::Deliver, 99).await;
    stop(transport).await;
}

/// A sink that panics at every event.
struct Thrower;

impl EventSink for Thrower {
    fn emit(&self, _: &TrackingEvent) {
        panic!("on purpose")
    }
}

#[tokio::test]
async fn sink_that_panics_does_not_hold_up_the_mail() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox).event_sink(Thrower).start().await.unwrap();
    submit(address(&transport), FROM, &[NEAR], "sunk").await;
    events.wait(EventId::Deliver, 1).await;
    stop(transport).await;
    assert_eq!(mailbox.mail().len(), 1);
}
