//! What the spool asks for when its disk is full or slow.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use transom_queue::{
    Committed, DiskLevel, Durability, Ingest, LatencyLevel, LoadedMessage, MemoryOptions,
    MemorySpool, Op, Pressure, RecoveryReport, Spool, SpoolHealth, StoreError, StoredMessage,
};
use transom_types::InternalMessageId;

use crate::support::{Client, Events, Mailbox, QUIET, address, node, stop, submit};

const FROM: &str = "sender@contoso.example";
const TO: &str = "b@contoso.example";

/// A spool that says what a test tells it to say.
#[derive(Debug)]
struct Pressed(MemorySpool, Mutex<Pressure>);

impl Pressed {
    fn new() -> Arc<Self> {
        let spool = MemorySpool::new(MemoryOptions::default());
        let pressure = Pressure::of(&spool.health());
        Arc::new(Self(spool, Mutex::new(pressure)))
    }

    fn press(&self, change: impl FnOnce(&mut Pressure)) {
        let mut pressure = Pressure::of(&self.0.health());
        change(&mut pressure);
        *self.1.lock().unwrap() = pressure;
    }
}

#[async_trait]
impl Spool for Pressed {
    fn begin(&self, size_hint: Option<u64>) -> Result<Box<dyn Ingest>, StoreError> {
        self.0.begin(size_hint)
    }
    async fn commit(&self, ops: Vec<Op>, durability: Durability) -> Result<Committed, StoreError> {
        self.0.commit(ops, durability).await
    }
    async fn open(&self, id: InternalMessageId) -> Result<StoredMessage, StoreError> {
        self.0.open(id).await
    }
    fn load(&self, sink: &mut dyn FnMut(LoadedMessage)) -> Result<RecoveryReport, StoreError> {
        self.0.load(sink)
    }
    fn health(&self) -> SpoolHealth {
        self.0.health()
    }
    fn pressure(&self) -> Pressure {
        *self.1.lock().unwrap()
    }
}

#[tokio::test]
async fn full_or_stalled_disk_puts_senders_off_and_names_what_is_short() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let spool = Pressed::new();
    let transport = node(&events, &mailbox).store(spool.clone()).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    spool.press(|now| now.latency = LatencyLevel::Stalled);
    let mail = format!("MAIL FROM:<{FROM}>");
    let reply = client.expect(&mail, "452 4.3.1").await;
    assert!(reply.contains("disk latency"), "{reply}");
    spool.press(|now| now.disk = DiskLevel::Critical);
    let reply = client.expect(&mail, "452 4.3.1").await;
    assert!(reply.contains("disk space"), "{reply}");
    let (_, turned_away) = Client::connect(address(&transport)).await;
    assert!(turned_away.starts_with("421 4.3.2"), "{turned_away}");
    spool.press(|_| {});
    client.expect(&mail, "250").await;
    drop(client);
    stop(transport).await;
}

#[tokio::test]
async fn no_attempt_begins_whose_outcome_could_not_be_recorded() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let spool = Pressed::new();
    let transport = node(&events, &mailbox).store(spool.clone()).start().await.unwrap();
    spool.press(|now| now.recording = false);
    submit(address(&transport), FROM, &[TO], "held").await;
    tokio::time::sleep(QUIET).await;
    assert!(mailbox.mail().is_empty(), "it was delivered");
    spool.press(|_| {});
    mailbox.read(TO).await;
    stop(transport).await;
}
