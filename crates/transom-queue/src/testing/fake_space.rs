//! [`FakeSpace`]: a disk as large and as full as a test says.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::io::{DirEntry, LockError, LockGuard, OpenMode, Space, SpoolFile, SpoolIo};
use crate::sync::lock;

/// Another disk that says to have the room that a test gives it, so that no test depends on the
/// level of the real one. Cloning shares it.
#[derive(Clone, Debug)]
pub struct FakeSpace {
    inner: Arc<dyn SpoolIo>,
    space: Arc<Mutex<Space>>,
}

impl FakeSpace {
    /// `inner` with this room.
    pub fn new(inner: Arc<dyn SpoolIo>, space: Space) -> Self {
        Self { inner, space: Arc::new(Mutex::new(space)) }
    }

    /// Another room from now on.
    pub fn set_space(&self, space: Space) {
        *lock(&self.space) = space;
    }
}

impl SpoolIo for FakeSpace {
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn SpoolFile>> {
        self.inner.open(path, mode)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn unlink(&self, path: &str) -> io::Result<()> {
        self.inner.unlink(path)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.inner.create_dir(path)
    }

    fn fsync_dir(&self, path: &str) -> io::Result<()> {
        self.inner.fsync_dir(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        self.inner.list(path)
    }

    fn lock(&self, path: &str, owner: &str) -> Result<Box<dyn LockGuard>, LockError> {
        self.inner.lock(path, owner)
    }

    fn space(&self) -> io::Result<Space> {
        Ok(*lock(&self.space))
    }

    fn machine_boot_id(&self) -> String {
        self.inner.machine_boot_id()
    }

    fn elapsed(&self) -> Duration {
        self.inner.elapsed()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}
