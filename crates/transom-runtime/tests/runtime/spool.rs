//! A disk that fails, or that is nearly full.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use transom_queue::io::Space;
use transom_queue::testing::{CrashKind, FakeSpace, SimFs};
use transom_queue::{
    AdminVerb, Committed, DirIo, DiskLevel, Durability, Ingest, LoadedMessage, MemoryOptions,
    MemorySpool, Op, RecoveryReport, SegLog, SegLogOptions, Spool, SpoolHealth, StoreError,
    StoredMessage,
};
use transom_tracking::EventId;
use transom_types::InternalMessageId;

use crate::peer::Peer;
use crate::support::{
    Client, Events, Mailbox, QUIET, address, eventually, message, node, stop, submit, to_host,
};

const FROM: &str = "sender@contoso.example";
const TO: &str = "b@contoso.example";
const GIB: u64 = 1 << 30;

fn seg_log(disk: &SimFs) -> Arc<SegLog> {
    // Its making would have a share in the faults.
    let options = SegLogOptions::default().with_reserve_octets(0);
    Arc::new(SegLog::open(Arc::new(disk.clone()), options).unwrap())
}

#[tokio::test]
async fn nearly_full_disk_puts_senders_off_until_there_is_room() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let folder = tempfile::tempdir().unwrap();
    let space = |free: u64| Space { total: 100 * GIB, free };
    let disk = FakeSpace::new(Arc::new(DirIo::open(folder.path()).unwrap()), space(5 * GIB));
    let spool = SegLog::open(Arc::new(disk.clone()), SegLogOptions::default()).unwrap();
    let transport = node(&events, &mailbox).store(Arc::new(spool)).start().await.unwrap();
    let medium = SpoolHealth::Serving { level: DiskLevel::Medium };
    eventually("the level is known", async || transport.spool_health() == medium).await;
    let mut client = Client::ready(address(&transport)).await;
    client.expect(&format!("MAIL FROM:<{FROM}>"), "452 4.3.1").await;
    disk.set_space(space(50 * GIB));
    let normal = SpoolHealth::Serving { level: DiskLevel::Normal };
    eventually("there is room", async || transport.spool_health() == normal).await;
    let reply = client.submit(FROM, &[TO], &message("room")).await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    mailbox.read(TO).await;
    stop(transport).await;
}

#[tokio::test]
async fn failing_disk_is_a_451_and_loses_nothing_that_was_taken() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let disk = SimFs::new(2);
    let transport =
        node(&events, &mailbox).store(seg_log(&disk)).suspend_delivery(true).start().await.unwrap();
    submit(address(&transport), FROM, &["kept@contoso.example"], "kept").await;
    disk.fail_fdatasync_from(disk.counts().fdatasync + 1);
    let mut client = Client::ready(address(&transport)).await;
    let reply = client.submit(FROM, &[TO], &message("lost")).await;
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    assert!(matches!(transport.spool_health(), SpoolHealth::Failed { .. }));
    client.expect(&format!("MAIL FROM:<{FROM}>"), "451 4.3.0").await;
    assert_eq!(events.count(EventId::Receive), 1);
    drop(client);
    let _ = transport.shutdown(Duration::from_secs(5)).await;
    // The next start finds what was taken and nothing else.
    let events = Events::default();
    let disk = disk.crash(CrashKind::Kill);
    let transport = node(&events, &mailbox).store(seg_log(&disk)).start().await.unwrap();
    assert_eq!(transport.recovery().messages, 1);
    mailbox.read("kept@contoso.example").await;
    events.wait(EventId::Deliver, 1).await;
    assert_eq!(mailbox.mail().len(), 1);
    stop(transport).await;
}

#[tokio::test]
async fn disk_that_fails_once_refuses_one_message_and_goes_on() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let disk = SimFs::new(4);
    let transport = node(&events, &mailbox).store(seg_log(&disk)).start().await.unwrap();
    disk.fail_fdatasync_at(disk.counts().fdatasync + 1);
    let mut client = Client::ready(address(&transport)).await;
    let reply = client.submit(FROM, &[TO], &message("again")).await;
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    let reply = client.submit(FROM, &[TO], &message("again")).await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    mailbox.read(TO).await;
    events.wait(EventId::Deliver, 1).await;
    drop(client);
    let report = transport.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.spool.unwrap().voided, 1);
}

#[tokio::test]
async fn outcome_that_cannot_be_written_down_does_not_hold_up_the_stop() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let disk = SimFs::new(3);
    let transport =
        node(&events, &mailbox).store(seg_log(&disk)).suspend_delivery(true).start().await.unwrap();
    submit(address(&transport), FROM, &[TO], "doubt").await;
    disk.fail_fdatasync_from(disk.counts().fdatasync + 1);
    transport.resume_delivery().await.unwrap();
    mailbox.read(TO).await;
    let failed = async || matches!(transport.spool_health(), SpoolHealth::Failed { .. });
    eventually("the spool fails", failed).await;
    assert_eq!(events.count(EventId::Deliver), 0);
    stop(transport).await;
    // What was not written down did not happen: the message is there and is delivered again.
    let events = Events::default();
    let disk = disk.crash(CrashKind::Kill);
    let transport = node(&events, &mailbox).store(seg_log(&disk)).start().await.unwrap();
    assert_eq!(transport.recovery().messages, 1);
    events.wait(EventId::Deliver, 1).await;
    stop(transport).await;
}

/// Turns one bit in the file of every large body.
fn damage_blobs(folder: &Path) -> usize {
    let mut damaged = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damaged += damage_blobs(&path);
        } else {
            let mut octets = std::fs::read(&path).unwrap();
            let last = octets.len() - 1;
            octets[last] ^= 1;
            std::fs::write(&path, octets).unwrap();
            damaged += 1;
        }
    }
    damaged
}

#[tokio::test]
async fn message_whose_content_is_damaged_is_set_aside_and_never_sent() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::willing().await;
    let transport = node(&events, &mailbox)
        .send_connector(to_host(peer.address))
        .spool(folder.path())
        .suspend_delivery(true)
        .start()
        .await
        .unwrap();
    let mut large = message("large");
    large.extend(b"0123456789\r\n".repeat(40_000));
    let mut client = Client::ready(address(&transport)).await;
    let reply = client.submit(FROM, &["far@other.example"], &large).await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    assert_eq!(damage_blobs(&folder.path().join("blob")), 1);
    transport.resume_delivery().await.unwrap();
    events.wait(EventId::Quarantine, 1).await;
    let held = async || {
        let queues = transport.queues().await.unwrap();
        queues.iter().any(|queue| queue.message_count == 1 && queue.inflight == 0)
    };
    eventually("the message is held", held).await;
    // Far more than the wait for the next attempt.
    tokio::time::sleep(QUIET).await;
    assert_eq!((events.count(EventId::Quarantine), peer.count("DATA")), (1, 1));
    assert_eq!((events.count(EventId::Send), peer.taken().len()), (0, 0));
    drop(client);
    stop(transport).await;
}

#[tokio::test]
async fn damage_under_a_message_that_waits_is_found_and_the_message_suspended() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let folder = tempfile::tempdir().unwrap();
    let options = SegLogOptions::default().with_scrub_interval(Duration::from_millis(100));
    let spool = Arc::new(SegLog::open_dir(folder.path(), options).unwrap());
    let transport = node(&events, &mailbox)
        .store(Arc::<SegLog>::clone(&spool))
        .suspend_delivery(true)
        .start()
        .await
        .unwrap();
    let mut large = message("large");
    large.extend(b"0123456789\r\n".repeat(40_000));
    let mut client = Client::ready(address(&transport)).await;
    for octets in [&large, &message("whole")] {
        let reply = client.submit(FROM, &[TO], octets).await;
        assert!(reply.starts_with("250 2.6.0"), "{reply}");
    }
    assert_eq!(damage_blobs(&folder.path().join("blob")), 1);
    // Nobody tries to deliver it: the spool finds it by itself.
    events.wait(EventId::Quarantine, 1).await;
    assert!(spool.stats().damages > 0);
    transport.resume_delivery().await.unwrap();
    assert!(mailbox.read(TO).await.contains("whole"));
    tokio::time::sleep(QUIET).await;
    assert_eq!((events.count(EventId::Quarantine), mailbox.mail().len()), (1, 1));
    drop(client);
    stop(transport).await;
}

/// A spool in which somebody stops every message just before it is forked.
#[derive(Debug)]
struct Stopped(MemorySpool);

#[async_trait]
impl Spool for Stopped {
    fn begin(&self, size_hint: Option<u64>) -> Result<Box<dyn Ingest>, StoreError> {
        self.0.begin(size_hint)
    }
    async fn commit(&self, ops: Vec<Op>, durability: Durability) -> Result<Committed, StoreError> {
        if let [Op::Categorize { id, .. }] = ops[..] {
            let stop = Op::Admin { id, verb: AdminVerb::Suspend, actor: "ann".into() };
            self.0.commit(vec![stop], Durability::Sync).await?;
        }
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
}

#[tokio::test]
async fn fork_of_a_message_that_was_suspended_meanwhile_waits() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport = node(&events, &mailbox)
        .send_connector(to_host(peer.address))
        .store(Arc::new(Stopped(MemorySpool::new(MemoryOptions::default()))))
        .start()
        .await
        .unwrap();
    submit(address(&transport), FROM, &[TO, "far@other.example"], "fork").await;
    events.wait(EventId::Transfer, 1).await;
    let fork = events.of(EventId::Transfer)[0].internal_id.unwrap();
    let queued = async || {
        let queues = transport.queues().await.unwrap();
        queues.iter().any(|queue| queue.deferred_count == 1 && queue.inflight == 0)
    };
    eventually("the fork is held", queued).await;
    let sent = events.of(EventId::Send).into_iter().chain(events.of(EventId::Deliver));
    assert!(!sent.into_iter().any(|event| event.internal_id == Some(fork)));
    transport.resume_message(fork, "ann").await.unwrap();
    events
        .until("the fork ends", |all| {
            let ends = [EventId::Send, EventId::Deliver];
            all.iter().any(|end| ends.contains(&end.event) && end.internal_id == Some(fork))
        })
        .await;
    stop(transport).await;
}
