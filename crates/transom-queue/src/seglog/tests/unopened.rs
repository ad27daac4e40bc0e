//! A system that opens no file now and then, as one without free descriptors does.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;
use crate::io::{DirEntry, LockError, OpenMode, Space, SpoolFile};
use crate::testing::SimFs;

/// Opens only every second file of the log where `reading` is set, and makes none where `making`
/// is.
#[derive(Debug)]
struct Short {
    fs: SimFs,
    reading: AtomicBool,
    making: AtomicBool,
    opened: AtomicU64,
}

impl Short {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            fs: SimFs::new(1),
            reading: AtomicBool::new(false),
            making: AtomicBool::new(false),
            opened: AtomicU64::new(0),
        })
    }

    fn log(self: &Arc<Self>) -> SegLog {
        SegLog::open(Arc::clone(self) as Arc<dyn SpoolIo>, small()).unwrap()
    }
}

impl SpoolIo for Short {
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn SpoolFile>> {
        let asks = mode == OpenMode::Read && path.starts_with("log/");
        if asks && self.reading.load(Ordering::Relaxed) {
            let number = self.opened.fetch_add(1, Ordering::Relaxed);
            if number % 2 == 1 {
                return Err(rustix::io::Errno::MFILE.into());
            }
        }
        let makes = mode == OpenMode::CreateNew && path.starts_with("log/");
        if makes && self.making.load(Ordering::Relaxed) {
            return Err(rustix::io::Errno::MFILE.into());
        }
        self.fs.open(path, mode)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.fs.rename(from, to)
    }
    fn unlink(&self, path: &str) -> io::Result<()> {
        self.fs.unlink(path)
    }
    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.fs.create_dir(path)
    }
    fn fsync_dir(&self, path: &str) -> io::Result<()> {
        self.fs.fsync_dir(path)
    }
    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        self.fs.list(path)
    }
    fn lock(&self, path: &str, owner: &str) -> Result<Box<dyn LockGuard>, LockError> {
        self.fs.lock(path, owner)
    }
    fn space(&self) -> io::Result<Space> {
        self.fs.space()
    }
    fn machine_boot_id(&self) -> String {
        self.fs.machine_boot_id()
    }
}

fn traffic(log: &SegLog) {
    for _ in 0..200 {
        let id = accept(log, &[b'y'; 5_000], 1);
        commit(log, vec![settle(id, 0, Outcome::Relayed(status(250)))]);
    }
}

/// All that is stuck is there, and nothing else: now and after a restart.
fn check(io: &Arc<Short>, log: SegLog, stuck: &[InternalMessageId]) {
    for id in stuck {
        assert_eq!(body_of(&log, *id), b"stuck");
    }
    let stats = log.stats();
    assert!(stats.quarantined == 0 && stats.segments < 8, "{stats:?}");
    drop(log);
    let messages: Vec<_> = load(&io.log()).0.iter().map(|message| message.id).collect();
    assert_eq!(messages, stuck);
}

#[test]
fn segment_that_is_not_opened_is_not_damaged() {
    let io = Short::new();
    let log = io.log();
    let stuck: Vec<_> = (0..20).map(|_| accept(&log, b"stuck", 1)).collect();
    io.reading.store(true, Ordering::Relaxed);
    traffic(&log);
    assert!(io.opened.load(Ordering::Relaxed) > 10);
    io.reading.store(false, Ordering::Relaxed);
    traffic(&log);
    check(&io, log, &stuck);
}

#[test]
fn segment_that_cannot_be_made_is_made_later() {
    let io = Short::new();
    let log = io.log();
    io.making.store(true, Ordering::Relaxed);
    let stuck: Vec<_> = (0..20).map(|_| accept(&log, b"stuck", 1)).collect();
    traffic(&log);
    assert!(matches!(log.health(), SpoolHealth::Serving { .. }), "{:?}", log.health());
    assert_eq!(log.stats().segments, 1);
    // What it holds beyond its size is there after a restart too.
    let late = accept(&log, b"stuck", 1);
    let stuck: Vec<_> = stuck.into_iter().chain([late]).collect();
    io.making.store(false, Ordering::Relaxed);
    traffic(&log);
    assert!(log.stats().segments_reclaimed > 0);
    check(&io, log, &stuck);
}

#[test]
fn message_that_cannot_be_read_at_the_start_is_an_error_and_not_damage() {
    let io = Short::new();
    let log = io.log();
    let stuck: Vec<_> = (0..20).map(|_| accept(&log, b"stuck", 1)).collect();
    drop(log);
    let log = io.log();
    io.reading.store(true, Ordering::Relaxed);
    let loaded = log.load(&mut |_| {});
    assert!(matches!(loaded, Err(StoreError::Io { .. })), "{loaded:?}");
    io.reading.store(false, Ordering::Relaxed);
    check(&io, log, &stuck);
}
