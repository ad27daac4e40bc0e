//! What the spool asks for when its disk is full or slow.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use transom_queue::query::Filter;
use transom_queue::view::MessageProperty;
use transom_queue::{
    Committed, DiskLevel, Durability, Ingest, LatencyLevel, LoadedMessage, MemoryOptions,
    MemorySpool, Op, Pressure, RecoveryReport, SegLogOptions, Spool, SpoolHealth, StoreError,
    StoredMessage,
};
use transom_runtime::Removal;
use transom_types::{InternalMessageId, Ret};

use crate::support::{
    Client, Events, Mailbox, QUIET, address, eventually, message, node, stop, submit,
};

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
        let ops = ops.into_iter().map(|mut op| {
            // As if the sender had asked for all of it back.
            if let Op::Accept(accept) = &mut op {
                accept.message.envelope.parameters.ret = Some(Ret::Full);
            }
            op
        });
        self.0.commit(ops.collect(), durability).await
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

fn all() -> Filter<MessageProperty> {
    Filter::default()
}

#[tokio::test]
async fn too_many_messages_are_a_452_that_says_so_until_one_has_gone() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let folder = tempfile::tempdir().unwrap();
    let options = SegLogOptions::default().with_messages_max(2);
    let transport = node(&events, &mailbox)
        .spool_with(folder.path(), options)
        .suspend_delivery(true)
        .start()
        .await
        .unwrap();
    for subject in ["one", "two"] {
        submit(address(&transport), FROM, &[TO], subject).await;
    }
    let mut client = Client::ready(address(&transport)).await;
    client.expect(&format!("MAIL FROM:<{FROM}>"), "250").await;
    client.expect(&format!("RCPT TO:<{TO}>"), "250").await;
    let refused = client.expect("DATA", "452 4.3.1").await;
    assert!(refused.contains("messages"), "{refused}");
    client.expect("RSET", "250").await;
    let queued = async || {
        let queues = transport.queues().await.unwrap();
        queues.iter().map(|queue| queue.message_count).sum::<u32>() == 2
    };
    eventually("both are queued", queued).await;
    let one = "subject = one".parse::<Filter<MessageProperty>>().unwrap();
    let done = transport.remove_message(one, Removal::WithoutDsn, "ann").await.unwrap();
    assert_eq!(done.now, 1);
    let reply = client.submit(FROM, &[TO], &message("three")).await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    // None was lost.
    transport.resume_delivery().await.unwrap();
    eventually("both are there", async || mailbox.mail().len() == 2).await;
    stop(transport).await;
}

#[tokio::test]
async fn full_backlog_stops_the_reading_until_there_is_room() {
    assert_eq!(SegLogOptions::default().backlog_octets_max, 256 << 20);
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let folder = tempfile::tempdir().unwrap();
    let options = SegLogOptions::default().with_backlog_octets_max(64 << 10);
    let transport =
        node(&events, &mailbox).spool_with(folder.path(), options).start().await.unwrap();
    // It has all the room there is, and takes its time.
    let mut first = offered(address(&transport), "first@contoso.example").await;
    first.expect("DATA", "354").await;
    first.write(&message("first")).await;
    first.write(&b"0123456789\r\n".repeat(10_000)).await;
    tokio::time::sleep(QUIET).await;
    let mut second = offered(address(&transport), "second@contoso.example").await;
    second.write(b"DATA\r\n").await;
    // Nothing is asked of it before there is room.
    assert!(tokio::time::timeout(QUIET * 3, second.reply()).await.is_err(), "it was read");
    let reply = first.say(".").await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    let reply = second.reply().await;
    assert!(reply.starts_with("354"), "{reply}");
    second.write(&message("second")).await;
    let reply = second.say(".").await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    mailbox.read("second@contoso.example").await;
    mailbox.read("first@contoso.example").await;
    stop(transport).await;
}

/// A client that has said whom its message is for.
async fn offered(address: std::net::SocketAddr, to: &str) -> Client {
    let mut client = Client::ready(address).await;
    client.expect(&format!("MAIL FROM:<{FROM}>"), "250").await;
    client.expect(&format!("RCPT TO:<{to}>"), "250").await;
    client
}

/// The report on a message whose sender wants all of it back, when the disk is as full as that.
async fn report(disk: DiskLevel) -> String {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let spool = Pressed::new();
    let held = node(&events, &mailbox).store(spool.clone()).suspend_delivery(true);
    let transport = held.start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect(&format!("MAIL FROM:<{FROM}>"), "250").await;
    client.expect(&format!("RCPT TO:<{TO}>"), "250").await;
    client.expect("DATA", "354").await;
    let line = format!("X-Long: {}\r\n", "x".repeat(400));
    client.write(format!("{}Subject: end\r\n\r\nThe body.\r\n", line.repeat(40)).as_bytes()).await;
    let reply = client.say(".").await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    let queued = async || {
        let queues = transport.queues().await.unwrap();
        queues.iter().any(|queue| queue.message_count == 1)
    };
    eventually("it is queued", queued).await;
    spool.press(|now| now.disk = disk);
    transport.remove_message(all(), Removal::WithDsn, "ann").await.unwrap();
    transport.resume_delivery().await.unwrap();
    let report = mailbox.read(FROM).await;
    drop(client);
    stop(transport).await;
    report
}

#[tokio::test]
async fn report_on_a_full_disk_carries_no_more_than_the_beginning_of_the_header() {
    let whole = report(DiskLevel::High).await;
    assert!(whole.contains("The body.") && whole.matches("X-Long: ").count() == 40, "{whole}");
    let short = report(DiskLevel::Critical).await;
    assert!(short.contains("Action: failed") && short.contains("text/rfc822-headers"), "{short}");
    assert!(!short.contains("The body.") && short.len() < 8192, "{} octets", short.len());
    assert!((5..=10).contains(&short.matches("X-Long: ").count()), "{short}");
}
