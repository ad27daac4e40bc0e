//! [`Inspection`]: a spool that is only looked at.
//!
//! There is no second reader: recovery itself runs, on an [`overlay`] that keeps in memory what it
//! writes. So the messages seen here are those that the next start would have.

mod check;
mod overlay;

use std::io;
use std::path::Path;
use std::sync::Arc;

use transom_types::InternalMessageId;

pub use self::check::Checked;

use self::check::Check;
#[cfg(feature = "testing")]
pub(super) use self::check::is_readable;
pub(super) use self::overlay::Overlay;
use super::SegLog;
use super::damage::Damage;
use super::format::{at, read_format};
use super::lookup::Read;
use super::options::{Driver, OpenError, SegLogOptions};
use crate::dir_io::{DirIo, lock_shared};
use crate::io::{LockGuard, SpoolIo};
use crate::spool::{LoadedMessage, RecoveryReport, StoreError, StoredMessage};
use crate::sync::{lock, read_lock};

/// A spool as the next start would find it, with nothing changed on the disk: after a crash too,
/// and as far as the octets verify.
///
/// ```
/// use transom_queue::{Inspection, SegLog, SegLogOptions};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path();
/// # drop(SegLog::open_dir(path, SegLogOptions::default())?);
///
/// let spool = Inspection::open_dir(path)?;
/// for id in spool.ids() {
///     let message = spool.message(id)?;
///     println!("{id} from {}", message.message.envelope.reverse_path);
/// }
/// let checked = spool.check(&mut |damage| println!("{damage}"))?;
/// assert_eq!(checked.damages, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Backing up, restoring and moving a spool
///
/// The folder is the whole spool. Nothing in it names a machine, a path or a user, so a copy works
/// anywhere that its files can be written. `LOCK`, `tmp/`, `reserve/` and `log/*.free` are made
/// anew and need not be copied; `FORMAT`, `log/`, `blob/` and `working` must be, and `quarantine/`
/// where somebody will look into it.
///
/// - **Cold copy**: stop the program, copy the folder, check the copy. A program that was killed
///   has stopped too.
/// - **Snapshot** of the file system while the program runs: as good as the disk after a power cut
///   at that moment. Every message that was answered before is in it. The snapshot must be of one
///   moment for the whole folder; one of several file systems, one after the other, is none.
/// - **Copy of a folder in use**, file by file: no backup. Segments are freed, used anew and
///   written to while others are being copied, so messages may be missing without a trace, and
///   others may be there that have ended. No content is given that does not verify, so single
///   messages can be taken from such a copy when there is nothing better.
/// - **Move**: a cold copy, checked, and the old folder is never started again. Two programs on
///   two copies deliver every message twice.
/// - **Restore**: only in place of a spool that is lost. What was delivered after the copy was
///   made is delivered once more. To have single messages back, read them here and hand them in
///   anew.
///
/// The first start on another machine reports a power cut unless the last run ended in order: it
/// cannot tell the two apart. The copy holds mail, so nobody else should be able to read it.
#[derive(Debug)]
pub struct Inspection {
    log: SegLog,
    /// The disk itself.
    io: Arc<dyn SpoolIo>,
    spool: u128,
    _lock: Option<Box<dyn LockGuard>>,
}

impl Inspection {
    /// Looks into the spool in the folder `path`. As long as this lives, no other process opens
    /// the spool to change it.
    ///
    /// # Errors
    ///
    /// [`OpenError::InUse`] when another process has it, and all else that keeps a log from being
    /// opened. Damage does not.
    pub fn open_dir(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let spool = path.display().to_string();
        let failed = |action: &str, error| OpenError::Io {
            spool: spool.clone(),
            action: action.to_owned(),
            error,
        };
        let io = Arc::new(DirIo::existing(path).map_err(|error| failed("list the folder", error))?);
        // Before the lock: the folder of something else is told apart from a spool in use.
        spool_number(&*io)?;
        let lock = lock_shared(&path.join("LOCK"));
        let lock = lock.map_err(|error| OpenError::from_lock(spool.clone(), error))?;
        Ok(Self { _lock: lock, ..Self::open(io)? })
    }

    /// Looks into the spool on `io`, to which nobody may write meanwhile.
    ///
    /// # Errors
    ///
    /// As [`open_dir`](Self::open_dir), but for the lock.
    pub fn open(io: Arc<dyn SpoolIo>) -> Result<Self, OpenError> {
        let spool = spool_number(&*io)?;
        let overlay = Overlay::new(Arc::clone(&io));
        let options = SegLogOptions::default().with_driver(Driver::Inline).with_reserve_octets(0);
        let log = SegLog::open(Arc::new(overlay), options)?;
        Ok(Self { log, io, spool, _lock: None })
    }

    /// What recovery found; messages and recipients are not counted yet.
    pub fn report(&self) -> RecoveryReport {
        lock(&self.log.report).clone()
    }

    /// The open messages, oldest first, whether they can be read or not.
    pub fn ids(&self) -> Vec<InternalMessageId> {
        let index = read_lock(&self.log.shared.index);
        let mut ids: Vec<_> = index.messages.keys().copied().map(InternalMessageId).collect();
        ids.sort_unstable();
        ids
    }

    /// A message without its content.
    ///
    /// # Errors
    ///
    /// [`StoreError`], of which [`StoreError::Damaged`] and [`StoreError::NotFound`] are about this
    /// message alone.
    pub fn message(&self, id: InternalMessageId) -> Result<LoadedMessage, StoreError> {
        self.log.load_one(id.0).map(|(message, _)| message)
    }

    /// A message with its content, which is read and verified piece by piece where it is large.
    ///
    /// # Errors
    ///
    /// As [`message`](Self::message).
    pub fn open_message(&self, id: InternalMessageId) -> Result<StoredMessage, StoreError> {
        let Read { rebuilt, content } = self.log.shared.read(id, true)?;
        let content = content.ok_or(StoreError::Unreachable("a message was read without body"))?;
        let (message, state) = (Arc::new(rebuilt.accept.accepted), rebuilt.accept.state);
        Ok(StoredMessage { id, message, state, content })
    }

    /// Looks for segments that are missing, too short or without header, and gives their number.
    /// Each goes to `sink`. Takes no time, and is the first thing that [`check`](Self::check)
    /// does.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn survey(&self, sink: &mut dyn FnMut(&Damage)) -> Result<u64, OpenError> {
        Check::new(self, sink).survey()
    }

    /// Reads and verifies everything: segments, batches, records, contents, and what they say of
    /// each other. Each damage goes to `sink`.
    ///
    /// Two things leave no trace that could be missed: the newest segment, and the oldest where no
    /// later record is about a message in it.
    ///
    /// # Errors
    ///
    /// [`OpenError::Io`] when the system refuses to list or open something.
    pub fn check(&self, sink: &mut dyn FnMut(&Damage)) -> Result<Checked, OpenError> {
        Check::new(self, sink).run()
    }
}

/// The spool's own number. A folder without is none.
fn spool_number(io: &dyn SpoolIo) -> Result<u128, OpenError> {
    let none = || {
        let error = io::Error::new(io::ErrorKind::NotFound, "it is no spool, there is no FORMAT");
        at(io, "look into it", error)
    };
    read_format(io)?.ok_or_else(none)
}
