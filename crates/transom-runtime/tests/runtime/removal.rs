//! A message that an administrator meets before it is in a queue.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use transom_queue::UnitStatus;
use transom_queue::view::{Effect, Refusal};
use transom_queue::{
    Committed, Durability, Ingest, LoadedMessage, MemoryOptions, MemorySpool, Op, RecoveryReport,
    Spool, SpoolHealth, StoreError, StoredMessage,
};
use transom_runtime::{Removal, VerbError};
use transom_tracking::EventId;
use transom_types::InternalMessageId;

use crate::peer::Peer;
use crate::support::{Events, Mailbox, address, effect, eventually, node, stop, submit, to_host};

/// A spool in which forks wait until they are let through.
#[derive(Debug)]
struct Slow {
    spool: Arc<MemorySpool>,
    gate: Arc<Semaphore>,
}

#[async_trait]
impl Spool for Slow {
    fn begin(&self, size_hint: Option<u64>) -> Result<Box<dyn Ingest>, StoreError> {
        self.spool.begin(size_hint)
    }
    async fn commit(&self, ops: Vec<Op>, durability: Durability) -> Result<Committed, StoreError> {
        if let [Op::Categorize { .. }] = ops[..] {
            self.gate.acquire().await.unwrap().forget();
        }
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

#[tokio::test]
async fn message_in_submission_cannot_be_removed_and_is_held_when_it_is_suspended_there() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let spool = Arc::new(MemorySpool::new(MemoryOptions::default()));
    let gate = Arc::new(Semaphore::new(0));
    let transport = node(&events, &mailbox)
        .send_connector(to_host(peer.address))
        .store(Arc::new(Slow { spool: Arc::clone(&spool), gate: Arc::clone(&gate) }))
        .start()
        .await
        .unwrap();
    let to = ["b@contoso.example", "b@out.example"];
    submit(address(&transport), "sender@contoso.example", &to, "early").await;
    let id = events.of(EventId::Receive)[0].internal_id.unwrap();
    let refused = transport.remove_message(id, Removal::WithoutDsn, "ann").await.unwrap_err();
    let VerbError::Message { why: Refusal::InSubmission, .. } = refused else {
        panic!("{refused}");
    };
    assert!(refused.to_string().contains("remove without DSN message"), "{refused}");
    assert_eq!(effect(transport.suspend_message(id, "ann").await), Effect::Pending);
    gate.add_permits(1);
    events.wait(EventId::Transfer, 1).await;
    let fork = events.of(EventId::Transfer)[0].internal_id.unwrap();
    for copy in [id, fork] {
        let held = async || {
            let units = transport.message(copy).await.unwrap();
            units.iter().any(|unit| unit.status == UnitStatus::Suspended)
        };
        eventually("the copy is held", held).await;
        let removed = transport.remove_message(copy, Removal::WithoutDsn, "ann").await.unwrap();
        assert_eq!((removed.now, removed.pending), (1, 0));
        assert!(spool.open(copy).await.is_err());
    }
    assert_eq!((peer.connections(), mailbox.mail().len()), (0, 0));
    stop(transport).await;
}
