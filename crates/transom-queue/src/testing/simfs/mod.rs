//! A file system in memory with a page cache, a medium, faults and a power switch.

mod file;
mod inode;
mod machine;
mod names;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::file::{SimFile, ended, gone};
use self::inode::Inode;
use self::machine::{Machine, OpKind, Verdict};
use self::names::{Change, join, place};
use crate::io::{DirEntry, LockError, LockGuard, OpenMode, Space, SpoolFile, SpoolIo};

/// A simulated machine's disk, as one process sees it.
///
/// What was written and not synced lies in a page cache: another process sees it, a power cut may
/// lose any part of it. A part is a sector of 512 octets, a file's length, or a change of names;
/// a torn sector is a mix of old and new octets. Names become durable by `fsync_dir` alone.
/// A failed `fdatasync` marks pages clean whose octets never reached the medium, as Linux does.
///
/// Clones are handles of the same process. After [`crash`](Self::crash) they all fail, and the
/// handle that it gave is the next process.
///
/// ```
/// use std::io::IoSlice;
/// use transom_queue::io::{OpenMode, SpoolIo};
/// use transom_queue::testing::{CrashKind, SimFs};
///
/// let fs = SimFs::new(1);
/// let file = fs.open("a", OpenMode::CreateNew)?;
/// file.write_all_at(0, &[IoSlice::new(b"x")])?;
/// file.fdatasync()?;
/// // The octets are durable, the name is not.
/// let fs = fs.power_cut_keeping(0);
/// assert!(fs.open("a", OpenMode::Read).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct SimFs {
    machine: Arc<Mutex<Machine>>,
    life: u64,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "either the machine runs on or it does not")]
pub enum CrashKind {
    /// `kill -9`: what was written stays in the page cache, unsynced.
    Kill,
    /// The machine goes down: unsynced octets and names are lost, or not.
    PowerCut,
}

/// How many changing operations were asked for, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpCounts {
    /// Files made.
    pub create: u64,
    /// Folders made.
    pub create_dir: u64,
    /// Syncs of a file.
    pub fdatasync: u64,
    /// Syncs of a folder.
    pub fsync_dir: u64,
    /// Renames.
    pub rename: u64,
    /// Removals.
    pub unlink: u64,
    /// Writes.
    pub write: u64,
}

impl OpCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.create
            + self.create_dir
            + self.fdatasync
            + self.fsync_dir
            + self.rename
            + self.unlink
            + self.write
    }

    fn count(&mut self, kind: OpKind) -> u64 {
        let counter = match kind {
            OpKind::Create => &mut self.create,
            OpKind::CreateDir => &mut self.create_dir,
            OpKind::Fdatasync => &mut self.fdatasync,
            OpKind::FsyncDir => &mut self.fsync_dir,
            OpKind::Rename => &mut self.rename,
            OpKind::Unlink => &mut self.unlink,
            OpKind::Write => &mut self.write,
        };
        *counter += 1;
        self.total()
    }
}

impl SimFs {
    /// An empty disk of 100 GiB, half of it free. `seed` decides every choice it will make.
    pub fn new(seed: u64) -> Self {
        Self { machine: Arc::new(Mutex::new(Machine::new(seed))), life: 0 }
    }

    /// A disk of its own with the same content, cache, faults and random numbers to come. The
    /// copy's files must be opened anew.
    #[must_use]
    pub fn copy(&self) -> Self {
        let machine = self.any_life().clone();
        Self { machine: Arc::new(Mutex::new(machine)), life: self.life }
    }

    /// Chooses other random numbers from here on.
    pub fn reseed(&self, seed: u64) {
        self.any_life().rng = super::Rng::new(seed);
    }

    /// Ends the process, and the machine if `kind` says so; what a power cut keeps is left to
    /// chance. Faults that were asked for are over. The lock is free.
    #[must_use]
    pub fn crash(&self, kind: CrashKind) -> Self {
        let mut machine = self.any_life();
        machine.crash(kind);
        let life = machine.life;
        drop(machine);
        Self { machine: Arc::clone(&self.machine), life }
    }

    /// Cuts the power and keeps exactly those of the [`unsynced`](Self::unsynced) things whose bit
    /// is set in `mask`: lengths and sectors file by file, then names. A change of names is lost
    /// with one that it depends on; a sector with the length that it needs.
    #[must_use]
    pub fn power_cut_keeping(&self, mask: u64) -> Self {
        let mut machine = self.any_life();
        machine.power_cut_by_mask(mask);
        let life = machine.life;
        drop(machine);
        Self { machine: Arc::clone(&self.machine), life }
    }

    /// How many sectors, lengths and changes of names a power cut would decide over.
    pub fn unsynced(&self) -> usize {
        self.any_life().unsynced()
    }

    /// The changing operation with this number (see [`counts`](Self::counts)) is begun and not
    /// ended: the process is gone in the middle of it, and all that it tries later fails.
    pub fn crash_at(&self, operation: u64) {
        self.any_life().crash_at = Some(operation);
    }

    /// Whether an operation asked for by [`crash_at`](Self::crash_at) was reached.
    pub fn has_crashed(&self) -> bool {
        self.any_life().crashed
    }

    /// The changing operation with this number fails with `kind`; later ones do not.
    pub fn fail_at(&self, operation: u64, kind: ErrorKind) {
        self.any_life().fail_at = Some((operation, kind));
    }

    /// The sync of a file with this number fails; later ones say that all is well.
    pub fn fail_fdatasync_at(&self, number: u64) {
        self.any_life().sync_fails = number..number.saturating_add(1);
    }

    /// The sync of a file with this number fails, and all later ones do.
    pub fn fail_fdatasync_from(&self, number: u64) {
        self.any_life().sync_fails = number..u64::MAX;
    }

    /// From now on `fdatasync` says that all is well and does nothing. For tests of tests: a check
    /// of crashes that such a disk passes checks nothing.
    pub fn lie_about_fdatasync(&self) {
        self.any_life().fdatasync_lies = true;
    }

    /// The same for `fsync_dir`.
    pub fn lie_about_fsync_dir(&self) {
        self.any_life().fsync_dir_lies = true;
    }

    /// What [`SpoolIo::space`] tells.
    pub fn set_space(&self, space: Space) {
        self.any_life().space = space;
    }

    /// Writes that would bring all files together above `octets` find no room.
    pub fn set_octets_max(&self, octets: Option<u64>) {
        self.any_life().octets_max = octets;
    }

    /// Changing operations since the disk was made.
    pub fn counts(&self) -> OpCounts {
        self.any_life().counts
    }

    /// Octets in all files that are not gone.
    pub fn octets(&self) -> u64 {
        self.any_life().octets()
    }

    /// Paths of all files, sorted.
    pub fn paths(&self) -> Vec<String> {
        self.any_life().now.files.keys().map(join).collect()
    }

    /// What a file holds, as a process sees it.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        let machine = self.any_life();
        let inode = machine.inode_at(&place(path))?;
        machine.inodes.get(&inode).map(|inode| inode.cached.clone())
    }

    /// Changes what the medium holds, behind everybody's back. False when there is no such file.
    pub fn damage(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut machine = self.any_life();
        let inode = machine.inode_at(&place(path));
        let inode = inode.and_then(|inode| machine.inodes.get_mut(&inode));
        inode.map(|inode| inode.damage(change)).is_some()
    }

    fn any_life(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn machine(&self) -> Result<MutexGuard<'_, Machine>> {
        let machine = self.any_life();
        if machine.life != self.life || machine.crashed {
            return Err(ended());
        }
        Ok(machine)
    }

    /// Begins a change of names; `half` is what a crash may leave of it.
    fn begin(&self, kind: OpKind) -> Result<(MutexGuard<'_, Machine>, bool)> {
        let mut machine = self.machine()?;
        match machine.begin(kind) {
            Verdict::Run => Ok((machine, false)),
            Verdict::Fail(error) => Err(error),
            Verdict::Crash => Ok((machine, true)),
        }
    }

    fn finish(machine: &mut Machine, crashes: bool, change: Change) -> Result<()> {
        // A crash in the middle of it: the system did it, or not yet.
        if crashes && machine.rng.one_in(2) {
            return Err(ended());
        }
        machine.change(change);
        if crashes { Err(ended()) } else { Ok(()) }
    }
}

impl fmt::Debug for SimFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimFs").field("life", &self.life).finish_non_exhaustive()
    }
}

impl SpoolIo for SimFs {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<dyn SpoolFile>> {
        let at = place(path);
        let inode = if mode == OpenMode::CreateNew {
            if self.machine()?.inode_at(&at).is_some() {
                return Err(Error::new(ErrorKind::AlreadyExists, format!("{path}: exists")));
            }
            let (mut machine, crashes) = self.begin(OpKind::Create)?;
            if !machine.now.has_dir(&at.0) {
                return Err(gone(path));
            }
            let inode = machine.next_inode;
            machine.next_inode += 1;
            machine.inodes.insert(inode, Inode::default());
            Self::finish(&mut machine, crashes, Change::Create { at, inode })?;
            inode
        } else {
            self.machine()?.inode_at(&at).ok_or_else(|| gone(path))?
        };
        Ok(Arc::new(SimFile { fs: self.clone(), path: path.into(), inode, mode }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (mut machine, crashes) = self.begin(OpKind::Rename)?;
        let (from_at, to) = (place(from), place(to));
        let inode = machine.inode_at(&from_at).ok_or_else(|| gone(from))?;
        if !machine.now.has_dir(&to.0) {
            return Err(gone(&to.0));
        }
        Self::finish(&mut machine, crashes, Change::Rename { from: from_at, to, inode })
    }

    fn unlink(&self, path: &str) -> Result<()> {
        let (mut machine, crashes) = self.begin(OpKind::Unlink)?;
        let at = place(path);
        machine.inode_at(&at).ok_or_else(|| gone(path))?;
        Self::finish(&mut machine, crashes, Change::Unlink { at })
    }

    fn create_dir(&self, path: &str) -> Result<()> {
        let at = place(path);
        if path.is_empty() || self.machine()?.now.has_dir(path) {
            return Ok(());
        }
        let (mut machine, crashes) = self.begin(OpKind::CreateDir)?;
        if !machine.now.has_dir(&at.0) {
            return Err(gone(path));
        }
        Self::finish(&mut machine, crashes, Change::MakeDir { at })
    }

    fn fsync_dir(&self, path: &str) -> Result<()> {
        let (mut machine, crashes) = self.begin(OpKind::FsyncDir)?;
        if !machine.now.has_dir(path) {
            return Err(gone(path));
        }
        if crashes {
            machine.sync_dir_partly(path);
            return Err(ended());
        }
        machine.sync_dir(path);
        Ok(())
    }

    fn list(&self, path: &str) -> Result<Vec<DirEntry>> {
        let machine = self.machine()?;
        if !machine.now.has_dir(path) {
            return Err(gone(path));
        }
        let files = machine.now.files_in(path);
        let files = files.map(|((_, name), inode)| {
            let octets = machine.inodes.get(inode).map_or(0, |inode| inode.cached.len());
            let octets = u64::try_from(octets).unwrap_or(u64::MAX);
            DirEntry { name: name.clone(), is_dir: false, octets }
        });
        let dirs = machine.now.dirs_in(path);
        let dirs = dirs.map(|name| DirEntry { name: name.into(), is_dir: true, octets: 0 });
        Ok(files.chain(dirs).collect())
    }

    fn lock(&self, path: &str, owner: &str) -> std::result::Result<Box<dyn LockGuard>, LockError> {
        let mut machine = self.machine().map_err(LockError::Io)?;
        if let Some(owner) = &machine.lock {
            return Err(LockError::Held { owner: owner.clone() });
        }
        machine.lock = Some(owner.into());
        drop(machine);
        Ok(Box::new(SimLock { fs: self.clone(), path: path.into() }))
    }

    fn space(&self) -> Result<Space> {
        Ok(self.machine()?.space)
    }

    fn machine_boot_id(&self) -> String {
        format!("simulated-boot-{}", self.any_life().boots)
    }
}

#[derive(Debug)]
struct SimLock {
    fs: SimFs,
    #[expect(dead_code, reason = "shown by Debug")]
    path: String,
}

impl LockGuard for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        // A process that has ended holds no lock of the next one.
        if let Ok(mut machine) = self.fs.machine() {
            machine.lock = None;
        }
    }
}
