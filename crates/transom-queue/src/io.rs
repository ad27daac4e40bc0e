//! The disk as the spool sees it. Paths are relative to the spool's folder, with `/` between parts.
//!
//! The real one is `DirIo`; the simulated one, which loses what was not synced, is
//! `SimFs` behind the feature `testing`.

use std::fmt;
use std::io;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

/// A file system, as far as the spool needs one. All calls block; only the committer thread and
/// the blob thread make them, or a reader.
pub trait SpoolIo: fmt::Debug + Send + Sync + 'static {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` for [`OpenMode::CreateNew`], `NotFound` for the others.
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn SpoolFile>>;

    /// Renames a file within the spool; durable after [`fsync_dir`](Self::fsync_dir) of the
    /// folders.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn unlink(&self, path: &str) -> io::Result<()>;

    /// Makes a folder, if it is not there.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn create_dir(&self, path: &str) -> io::Result<()>;

    /// Makes the names in a folder durable. `""` is the spool's own folder.
    ///
    /// # Errors
    ///
    /// What the system says. A failure is never retried (hard to know what was lost).
    fn fsync_dir(&self, path: &str) -> io::Result<()>;

    /// The names in a folder, in no order.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>>;

    /// Takes the exclusive lock on a file, writes `owner` into it and keeps it until the guard
    /// is dropped.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] with what the owner wrote.
    fn lock(&self, path: &str, owner: &str) -> Result<Box<dyn LockGuard>, LockError>;

    /// Room on the medium.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn space(&self) -> io::Result<Space>;

    /// A text that changes whenever the machine boots: tells a power cut from a killed process.
    fn machine_boot_id(&self) -> String;

    /// Time that has passed since some moment in the past; never goes back. Only used for how long
    /// something may wait. A simulated disk may let it stand still: then nothing is done because
    /// time passes, and what is done by number of octets still is.
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    /// What errors call the spool: its path.
    fn describe(&self) -> String {
        "the spool".into()
    }
}

/// An open file.
pub trait SpoolFile: fmt::Debug + Send + Sync + 'static {
    /// Writes all of `parts` at `offset`.
    ///
    /// # Errors
    ///
    /// What the system says. An unknown part may have been written.
    fn write_all_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()>;

    /// Reads at `offset`; fewer octets than asked for at the end only.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Makes content and length durable.
    ///
    /// # Errors
    ///
    /// What the system says. After one failure the file is never written or synced again.
    fn fdatasync(&self) -> io::Result<()>;

    /// The next reads are to come from the medium, where the system keeps a copy in memory that is
    /// the same: so that what they verify is the medium. The system may do otherwise.
    fn forget_cached(&self) {}

    /// Length in octets.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file holds nothing.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }
}

/// Dropping it frees the lock.
pub trait LockGuard: fmt::Debug + Send + Sync {}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the spool needs these")]
pub enum OpenMode {
    /// To read.
    Read,
    /// To read and write a file that must not exist yet.
    CreateNew,
    /// To read and write a file that exists.
    Write,
}

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what the spool needs to know")]
pub struct DirEntry {
    /// The name, without folder.
    pub name: String,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Length in octets, of a file.
    pub octets: u64,
}

/// Room on the medium, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two numbers")]
pub struct Space {
    /// Size of the file system.
    pub total: u64,
    /// What this process may still write.
    pub free: u64,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process has it.
    #[error("the spool is in use by {owner}")]
    Held {
        /// What the owner wrote into the lock file.
        owner: String,
    },
    /// The system refused.
    #[error("the lock file cannot be opened")]
    Io(#[source] io::Error),
}
