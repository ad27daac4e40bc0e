//! A system that opens no file now and then, as one without free descriptors does.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;
use crate::io::{DirEntry, LockError, OpenMode, Space, SpoolFile};
use crate::testing::SimFs;

/// Opens every second file of the log only, while descriptors are `wanting`.
#[derive(Debug)]
struct Short {
    fs: SimFs,
    wanting: AtomicBool,
    opened: AtomicU64,
}

impl SpoolIo for Short {
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn SpoolFile>> {
        let asks = mode == OpenMode::Read && path.starts_with("log/");
        if asks && self.wanting.load(Ordering::Relaxed) {
            let number = self.opened.fetch_add(1, Ordering::Relaxed);
            if number % 2 == 1 {
                return Err(io::Error::other("too many open files"));
            }
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

#[test]
fn want_of_descriptors_is_no_damage() {
    let fs = SimFs::new(1);
    let io = Arc::new(Short { fs, wanting: AtomicBool::new(false), opened: AtomicU64::new(0) });
    let log = SegLog::open(Arc::clone(&io) as Arc<dyn SpoolIo>, small()).unwrap();
    let traffic = || {
        for _ in 0..200 {
            let id = accept(&log, &[b'y'; 5_000], 1);
            commit(&log, vec![settle(id, 0, Outcome::Relayed(status(250)))]);
        }
    };
    let stuck: Vec<_> = (0..20).map(|_| accept(&log, b"stuck", 1)).collect();
    io.wanting.store(true, Ordering::Relaxed);
    traffic();
    assert!(io.opened.load(Ordering::Relaxed) > 10);
    io.wanting.store(false, Ordering::Relaxed);
    traffic();
    for id in &stuck {
        assert_eq!(body_of(&log, *id), b"stuck");
    }
    let stats = log.stats();
    assert!(stats.quarantined == 0 && stats.segments < 8, "{stats:?}");
    drop(log);
    let log = SegLog::open(io, small()).unwrap();
    let messages: Vec<_> = load(&log).0.iter().map(|message| message.id).collect();
    assert_eq!(messages, stuck);
}
