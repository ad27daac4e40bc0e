//! Limits, levels, syncs and threads.

use futures::FutureExt;

use super::*;
use crate::io::Space;
use crate::spool::{DiskLevel, Ingested};
use crate::testing::SimFs;

fn open_on(fs: &SimFs, options: SegLogOptions) -> SegLog {
    SegLog::open(Arc::new(fs.clone()), options).unwrap()
}

fn intent(id: InternalMessageId, host: &str) -> Op {
    Op::Intent { id, intent: Intent { recipients: vec![0], host: host.into(), attempt: 1 } }
}

fn ingested(log: &SegLog, body: &[u8]) -> Ingested {
    block_on(async {
        let mut ingest = log.begin(None).unwrap();
        ingest.write(body).await.unwrap();
        ingest.finish().await.unwrap()
    })
}

#[test]
fn intents_alone_wait_for_the_write_and_not_for_the_disk() {
    let fs = SimFs::new(1);
    let log = open_on(&fs, small());
    let id = accept(&log, b"x", 1);
    let syncs = fs.counts().fdatasync;
    for _ in 0..10 {
        commit(&log, vec![intent(id, "mx.example")]);
    }
    assert_eq!(fs.counts().fdatasync, syncs);
    // The next commit that must be durable makes them durable too.
    accept(&log, b"y", 1);
    assert_eq!(fs.counts().fdatasync, syncs + 1);
}

#[test]
fn unsynced_octets_are_bounded() {
    let fs = SimFs::new(1);
    let log = open_on(&fs, small().with_segment_octets(4 << 20));
    let id = accept(&log, b"x", 1);
    let syncs = fs.counts().fdatasync;
    let host = "h".repeat(10_000);
    for _ in 0..6 {
        commit(&log, vec![intent(id, &host)]);
    }
    assert_eq!(fs.counts().fdatasync, syncs);
    commit(&log, vec![intent(id, &host)]);
    assert_eq!(fs.counts().fdatasync, syncs + 1);
}

#[test]
fn one_commit_has_a_limit() {
    let log = open_on(&SimFs::new(1), small().with_group_octets_max(10_000));
    let message = || accepted(1);
    let fits = Accept { body: ingested(&log, &[0; 5_000]), message: message() };
    commit(&log, vec![Op::Accept(Box::new(fits))]);
    let large = Accept { body: ingested(&log, &[0; 10_000]), message: message() };
    let refused = block_on(log.commit(vec![Op::Accept(Box::new(large))], Durability::Sync));
    assert!(matches!(refused, Err(StoreError::TooLarge { limit: 10_000, .. })), "{refused:?}");
}

#[test]
fn the_last_place_is_for_a_report_on_the_message_that_frees_it() {
    let log = open_on(&SimFs::new(1), small().with_messages_max(2));
    let first = accept(&log, b"x", 1);
    let body = ingested(&log, b"report");
    let more = ingested(&log, b"more");
    accept(&log, b"y", 1);
    assert_eq!(log.begin(None).unwrap_err(), StoreError::Full { resource: "messages" });
    let more = Op::Accept(Box::new(Accept { body: more, message: accepted(1) }));
    let refused = block_on(log.commit(vec![more], Durability::Sync));
    assert_eq!(refused, Err(StoreError::Full { resource: "messages" }));
    let report = Op::Accept(Box::new(Accept { body, message: accepted(1) }));
    let ends = settle(first, 0, Outcome::Failed(status(550)));
    assert_eq!(commit(&log, vec![report, ends]).completed, [first]);
}

#[test]
fn a_body_begins_only_when_there_is_room_in_memory() {
    let log = open_on(&SimFs::new(1), small().with_backlog_octets_max(1_000));
    let mut first = log.begin(None).unwrap();
    block_on(first.write(&[0; 1_000])).unwrap();
    // One that has begun goes on: if all waited for each other, none would end.
    block_on(first.write(&[0; 1_000])).unwrap();
    let mut second = log.begin(None).unwrap();
    let mut write = second.write(b"x").boxed();
    assert!((&mut write).now_or_never().is_none());
    drop(first);
    assert!((&mut write).now_or_never().unwrap().is_ok());
}

#[test]
fn the_level_follows_the_disk_and_reports_are_still_taken() {
    let fs = SimFs::new(1);
    fs.set_space(Space { total: 100 << 30, free: 50 << 30 });
    let log = open_on(&fs, small());
    let level = |free: u64, level: DiskLevel| {
        fs.set_space(Space { total: 100 << 30, free });
        accept(&log, b"x", 1);
        assert_eq!(log.health(), SpoolHealth::Serving { level });
    };
    level(50 << 30, DiskLevel::Normal);
    level(5 << 30, DiskLevel::Medium);
    level(1 << 30, DiskLevel::High);
    assert!(log.begin(Some(10_000)).is_ok());
    let full = log.begin(Some(2 << 30)).unwrap_err();
    assert_eq!(full, StoreError::Full { resource: "disk" });
    level(50 << 30, DiskLevel::Normal);
}

#[test]
fn stuck_messages_are_copied_no_faster_than_others_are_written() {
    let log = open_on(&SimFs::new(1), small());
    let stuck: Vec<_> = (0..40).map(|_| accept(&log, &[1; 2_000], 1)).collect();
    let mut before = log.stats();
    for _ in 0..300 {
        let id = accept(&log, &[2; 2_000], 1);
        commit(&log, vec![settle(id, 0, Outcome::Relayed(status(250)))]);
        let now = log.stats();
        let copied = now.octets_copied - before.octets_copied;
        let written = now.octets_written - before.octets_written;
        // One message may go beyond what was earned.
        assert!(copied <= written - copied + 4_000, "{copied} of {written}");
        before = now;
    }
    assert!(before.segments_reclaimed > 5 && before.octets_copied > 80_000, "{before:?}");
    for id in stuck {
        assert_eq!(body_of(&log, id), [1; 2_000]);
    }
}

#[test]
fn commits_of_many_threads_share_batches_and_readers_outlive_segments() {
    const THREADS: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let options = small().with_driver(Driver::Thread);
    let log = SegLog::open_dir(folder.path(), options.clone()).unwrap();
    let kept = accept(&log, b"kept", 1);
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                let body = vec![u8::try_from(number).unwrap(); 3_000];
                for round in 0..40 {
                    let id = accept(log, &body, 1);
                    assert_eq!(body_of(log, id), body);
                    assert_eq!(body_of(log, kept), b"kept");
                    if round > 0 {
                        commit(log, vec![settle(id, 0, Outcome::Relayed(status(250)))]);
                    }
                }
            });
        }
    });
    let stats = log.stats();
    assert!(stats.batches < stats.commits, "{stats:?}");
    assert!(stats.segments_reclaimed > 2, "{stats:?}");
    log.close().unwrap();
    drop(log);
    let (messages, report) = load(&SegLog::open_dir(folder.path(), options).unwrap());
    assert_eq!(messages.len(), THREADS + 1);
    assert!(report.clean && report.quarantined.is_empty(), "{report:?}");
}
