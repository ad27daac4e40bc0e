//! [`DirIo`]: a spool in a folder of the real file system.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::io::{DirEntry, LockError, LockGuard, OpenMode, Space, SpoolFile, SpoolIo};
use crate::sync::lock;

/// Parts that one system call writes: the system's own limit (`IOV_MAX`).
const PARTS_MAX: usize = 1024;
/// Longest text of an owner that is read from a lock file.
const OWNER_OCTETS_MAX: u64 = 256;

/// A folder. Mail is private, so files are made with mode 0600 and folders with 0700.
#[derive(Debug)]
pub struct DirIo {
    root: PathBuf,
    /// The spool's few folders with segments and notes, once they were synced: a sync must not
    /// fail for want of a descriptor.
    folders: Mutex<HashMap<String, Arc<File>>>,
}

impl DirIo {
    /// The folder `root`, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// What the system says, among it that `root` is a file.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        if !root.is_dir() {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(&root)?;
        }
        Ok(Self { root, folders: Mutex::default() })
    }

    /// The folder `root`, which is there.
    pub(crate) fn existing(root: &Path) -> io::Result<Self> {
        std::fs::read_dir(root)?;
        Self::open(root)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

impl SpoolIo for DirIo {
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn SpoolFile>> {
        let mut options = OpenOptions::new();
        options.read(true).mode(0o600);
        match mode {
            OpenMode::Read => &mut options,
            OpenMode::CreateNew => options.write(true).create_new(true),
            OpenMode::Write => options.write(true),
        };
        let file = options.open(self.path(path))?;
        Ok(Arc::new(DirFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path(from), self.path(to))
    }

    fn unlink(&self, path: &str) -> io::Result<()> {
        std::fs::remove_file(self.path(path))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        let path = self.path(path);
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    fn fsync_dir(&self, path: &str) -> io::Result<()> {
        if path.contains('/') {
            return File::open(self.path(path))?.sync_all();
        }
        let known = lock(&self.folders).get(path).cloned();
        let folder = match known {
            Some(folder) => folder,
            None => Arc::new(File::open(self.path(path))?),
        };
        folder.sync_all()?;
        lock(&self.folders).entry(path.to_owned()).or_insert(folder);
        Ok(())
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(self.path(path))? {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                result => result?,
            };
            entries.push(DirEntry {
                name: entry.file_name().to_string_lossy().into_owned(),
                is_dir: metadata.is_dir(),
                octets: metadata.len(),
            });
        }
        Ok(entries)
    }

    fn lock(&self, path: &str, owner: &str) -> Result<Box<dyn LockGuard>, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(self.path(path)).map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
            Err(TryLockError::WouldBlock) => return Err(held(&file)),
        }
        let named = file.set_len(0).and_then(|()| file.write_all(owner.as_bytes()));
        // The name is for people: a full disk keeps nobody out for want of it.
        named.or_else(|error| if is_full(&error) { Ok(()) } else { Err(LockError::Io(error)) })?;
        Ok(Box::new(DirLock { _file: file }))
    }

    fn space(&self) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(Space {
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
        })
    }

    fn machine_boot_id(&self) -> String {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        id.trim().to_owned()
    }

    fn elapsed(&self) -> Duration {
        let now = clock_gettime(ClockId::Monotonic);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
    }

    fn describe(&self) -> String {
        self.root.display().to_string()
    }
}

#[derive(Debug)]
struct DirFile(File);

impl SpoolFile for DirFile {
    fn write_all_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let mut offset = offset;
        // The few octets of copying are a list of addresses, not the content.
        let mut copies: Vec<IoSlice<'_>> = Vec::new();
        for chunk in parts.chunks(PARTS_MAX) {
            copies.clear();
            copies.extend_from_slice(chunk);
            let mut rest = copies.as_mut_slice();
            IoSlice::advance_slices(&mut rest, 0);
            while !rest.is_empty() {
                let count = match rustix::io::pwritev(&self.0, rest, offset) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => count,
                    Err(rustix::io::Errno::INTR) => continue,
                    Err(error) => return Err(error.into()),
                };
                offset = offset.saturating_add(u64::try_from(count).unwrap_or(0));
                IoSlice::advance_slices(&mut rest, count);
            }
        }
        Ok(())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0usize;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            match self.0.read_at(rest, at) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn fdatasync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn forget_cached(&self) {
        // It is advice alone: where it is not taken, memory is verified once more.
        let _ = rustix::fs::fadvise(&self.0, 0, None, rustix::fs::Advice::DontNeed);
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// Takes the lock so that nobody else may write, and writes nothing. None where there is no file.
pub(crate) fn lock_shared(path: &Path) -> Result<Option<Box<dyn LockGuard>>, LockError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(LockError::Io)?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(Box::new(DirLock { _file: file }))),
        Err(TryLockError::Error(error)) => Err(LockError::Io(error)),
        Err(TryLockError::WouldBlock) => Err(held(&file)),
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn held(file: &File) -> LockError {
    let mut text = Vec::new();
    let read = file.take(OWNER_OCTETS_MAX).read_to_end(&mut text);
    let known = read.is_ok() && !text.is_empty();
    let owner = if known { String::from_utf8_lossy(&text) } else { "a process".into() };
    LockError::Held { owner: owner.replace(char::is_control, " ") }
}

/// The lock goes with the file.
#[derive(Debug)]
struct DirLock {
    _file: File,
}

impl LockGuard for DirLock {}
