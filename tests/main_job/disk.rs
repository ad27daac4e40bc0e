//! How full the disk is, with a disk that says so by a test's word.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use transom::queue::io::Space;
use transom::queue::testing::FakeSpace;
use transom::queue::{DirIo, DiskLevel, SegLog, SegLogOptions, SpoolHealth};
use transom::{AcceptedDomain, Maildir, ReceiveConnector, Transport};

use crate::process::{PATIENCE, wait_for_mail};
use crate::smtp::Client;

const GIB: u64 = 1 << 30;
const CONTENT: &str = "Subject: test\r\n\r\ntext";

fn free(free: u64) -> Space {
    Space { total: 8 * GIB, free }
}

async fn start(folder: &Path, disk: &FakeSpace) -> Transport {
    let log = SegLog::open(Arc::new(disk.clone()), SegLogOptions::default()).unwrap();
    Transport::builder("mx1.contoso.example")
        .accepted_domain(AcceptedDomain::authoritative("contoso.example").unwrap())
        .receive_connector(ReceiveConnector::internet("127.0.0.1:0".parse().unwrap()))
        .delivery_agent("mailbox", ["contoso.example"], Maildir::new(folder.join("mail")))
        .store(Arc::new(log))
        .start()
        .await
        .unwrap()
}

fn disk(folder: &Path, space: Space) -> FakeSpace {
    FakeSpace::new(Arc::new(DirIo::open(folder.join("spool")).unwrap()), space)
}

async fn wait_for_level(transport: &Transport, wanted: DiskLevel) {
    let until = Instant::now() + PATIENCE;
    while transport.spool_health() != (SpoolHealth::Serving { level: wanted }) {
        assert!(Instant::now() < until, "{:?}", transport.spool_health());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the transport answers to a message, in a session of its own.
async fn send(transport: &Transport) -> String {
    let address = transport.local_addresses()[0];
    let send = move || {
        let mut client = Client::connect(address);
        client.say("EHLO client.example");
        let reply = client.send("ann@contoso.example", CONTENT);
        client.say("QUIT");
        reply
    };
    tokio::task::spawn_blocking(send).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_of_8_gib_with_1_gib_free_runs_the_main_job() {
    let folder = TempDir::new().unwrap();
    let disk = disk(folder.path(), free(GIB));
    let transport = start(folder.path(), &disk).await;
    let reply = send(&transport).await;
    assert!(reply.starts_with("250 "), "{reply}");
    wait_for_mail(&folder.path().join("mail"), 1);
    assert!(transport.shutdown(PATIENCE).await.in_time);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_put_off_while_the_disk_is_short_of_room_and_taken_again_after() {
    let folder = TempDir::new().unwrap();
    let disk = disk(folder.path(), free(GIB));
    let transport = start(folder.path(), &disk).await;
    for (short, level) in [(GIB / 2, DiskLevel::Medium), (GIB / 8, DiskLevel::High)] {
        disk.set_space(free(short));
        wait_for_level(&transport, level).await;
        let reply = send(&transport).await;
        assert!(reply.starts_with("452 4.3.1 "), "{reply}");
    }
    disk.set_space(free(2 * GIB));
    wait_for_level(&transport, DiskLevel::Normal).await;
    let reply = send(&transport).await;
    assert!(reply.starts_with("250 "), "{reply}");
    wait_for_mail(&folder.path().join("mail"), 1);
    assert!(transport.shutdown(PATIENCE).await.in_time);
}
