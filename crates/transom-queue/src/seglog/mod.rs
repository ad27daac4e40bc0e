//! [`SegLog`]: custody in an append-only log of segment files.
//!
//! ```text
//! commit(ops) --> encode --> handoff --> committer --> batch --> file, fdatasync --> answers
//!                               ^                                          |
//! begin, write --> memory, or tmp/ and blob/                    index <----+
//!                                                 open, load -----^
//! ```
//!
//! What a part does stands over it: [`frame`] and the records, [`committer`] and [`stage`] write,
//! [`lookup`] and [`reader`] read, [`judge`], [`replay`] and [`recovery`] open, [`reclaim`] frees,
//! [`scrub`] looks for damage.

mod accept;
mod batch;
mod blob;
mod body;
mod boot;
mod cleanup;
mod committer;
mod damage;
mod disk;
mod driver;
mod edits;
mod encode;
mod fields;
mod format;
mod frame;
mod handoff;
mod index;
mod ingest;
mod inspect;
mod judge;
mod latency;
mod lookup;
mod notes;
mod options;
mod outcome;
mod parameters;
mod quarantine;
mod reader;
mod reclaim;
#[cfg(feature = "testing")]
mod records;
mod recovery;
mod replay;
mod reserve;
mod scan;
mod scrub;
mod segment;
mod shared;
mod spare;
mod stage;
mod state;
mod void;
mod worker;
mod working;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::SystemTime;

use async_trait::async_trait;
use transom_types::InternalMessageId;

pub use self::damage::Damage;
pub(crate) use self::format::random_number;
pub use self::inspect::{Checked, Inspection};
pub use self::options::{Driver, OpenError, SegLogOptions, Stats};
#[cfg(feature = "testing")]
pub use self::records::replay_records;

use self::driver::Engine;
use self::encode::encode_group;
use self::ingest::SegIngest;
use self::lookup::Read;
use self::reader::Rebuilt;
use self::recovery::{Recovered, recover};
use self::reserve::make_reserve;
use self::shared::Shared;
use crate::dir_io::DirIo;
use crate::io::{LockGuard, SpoolIo};
use crate::spool::{
    Committed, Durability, Ingest, LoadedMessage, Note, Op, Pressure, RecoveryReport, Spool,
    SpoolHealth, StoreError, StoredMessage, Work, WorkStage,
};
use crate::sync::{lock, read_lock};

/// Custody in a folder: an append-only log, and files for large bodies.
///
/// Dropping it ends it cleanly, as [`close`](Self::close) does.
pub struct SegLog {
    shared: Arc<Shared>,
    engine: Engine,
    report: Mutex<RecoveryReport>,
    scrub: Mutex<Option<JoinHandle<()>>>,
    _guard: Box<dyn LockGuard>,
}

impl SegLog {
    /// Opens the spool on `io`, or makes one where nothing is. Recovery is done and durable when
    /// this returns; [`load`](Spool::load) then tells what it found.
    ///
    /// Where the disk has no room at all, not even a reserve file, the log opens as
    /// [`SpoolHealth::Failed`]: what it holds can be loaded and read, and nothing is changed. It
    /// stays so until it is opened anew: recovery has run in memory alone, and only an opening that
    /// writes its first batch may serve.
    ///
    /// # Errors
    ///
    /// [`OpenError`], of which a foreign format and a folder of other things leave all as it is.
    pub fn open(io: Arc<dyn SpoolIo>, options: SegLogOptions) -> Result<Self, OpenError> {
        let options = options.bounded();
        let (Recovered { shared, committer, report }, guard) = recover(io, options)?;
        let engine = Engine::start(&shared, committer).map_err(|error| OpenError::Io {
            spool: shared.io.describe(),
            action: "start the committer's thread".into(),
            error,
        })?;
        make_reserve(&shared);
        let scrub = Mutex::new(scrub::start(&shared));
        Ok(Self { shared, engine, report: Mutex::new(report), scrub, _guard: guard })
    }

    /// Opens the spool in the folder `path`, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_dir(path: impl Into<PathBuf>, options: SegLogOptions) -> Result<Self, OpenError> {
        let path = path.into();
        let spool = path.display().to_string();
        let io = DirIo::open(path).map_err(|error| OpenError::Io {
            spool,
            action: "open the folder".into(),
            error,
        })?;
        Self::open(Arc::new(io), options)
    }

    /// Figures.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Reads and verifies all that the log and the files of large bodies hold, once, now, and as
    /// fast as the disk gives it: for whoever does not want to wait until the scrub of
    /// [`SegLogOptions::scrub_interval`] comes by. Gives the octets that were read. What is damaged
    /// is told as [`Spool::damages`] tells it. Blocks; commits go on meanwhile.
    pub fn scrub(&self) -> u64 {
        scrub::run_once(&self.shared)
    }

    /// Makes everything durable, writes that this is the clean end, and ends the threads. All
    /// later calls that would change something fail.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`] when the log has failed, now or before.
    pub fn close(&self) -> Result<(), StoreError> {
        self.shared.scrub.close();
        if let Some(thread) = lock(&self.scrub).take() {
            // A panic has told of itself, and the scrub leaves nothing half done.
            drop(thread.join());
        }
        self.shared.reserve.close();
        let result = self.engine.close(&self.shared);
        self.shared.worker.close();
        self.shared.reserver.close();
        result
    }

    fn load_one(&self, id: u64) -> Result<(LoadedMessage, Option<Damage>), StoreError> {
        let id = InternalMessageId(id);
        let accept = self.shared.read(id, false)?.rebuilt.accept;
        let cut = blob::is_cut(&*self.shared.io, id, &accept.body);
        Ok((LoadedMessage { id, message: accept.accepted, state: accept.state }, cut))
    }
}

#[async_trait]
impl Spool for SegLog {
    fn begin(&self, size_hint: Option<u64>) -> Result<Box<dyn Ingest>, StoreError> {
        if let Some(failure) = self.shared.failure() {
            return Err(failure);
        }
        let messages = read_lock(&self.shared.index).messages.len();
        if u64::try_from(messages).unwrap_or(u64::MAX) >= self.shared.options.messages_max {
            return Err(StoreError::Full { resource: "messages" });
        }
        // Levels are the caller's business: a report must find room where new mail does not.
        // A body is written twice where it is carried forward later.
        let free = self.shared.free() / 3 * 2;
        if size_hint.is_some_and(|octets| octets > free) {
            return Err(StoreError::Full { resource: "disk" });
        }
        Ok(Box::new(SegIngest::new(Arc::clone(&self.shared), size_hint)?))
    }

    async fn commit(&self, ops: Vec<Op>, durability: Durability) -> Result<Committed, StoreError> {
        let (group, answered) = encode_group(&self.shared, ops, durability)?;
        let (octets, limit) = (group.octets, self.shared.options.group_octets_max);
        if octets > limit {
            return Err(StoreError::TooLarge { octets, limit });
        }
        self.engine.submit(&self.shared, group);
        answered.await.unwrap_or_else(|_| Err(driver::closed()))
    }

    async fn open(&self, id: InternalMessageId) -> Result<StoredMessage, StoreError> {
        let Read { rebuilt, content } = self.shared.read(id, true)?;
        let content = content.ok_or(StoreError::Unreachable("a message was read without body"))?;
        let Rebuilt { accept, .. } = rebuilt;
        Ok(StoredMessage { id, message: Arc::new(accept.accepted), state: accept.state, content })
    }

    fn load(&self, sink: &mut dyn FnMut(LoadedMessage)) -> Result<RecoveryReport, StoreError> {
        let started = self.shared.io.elapsed();
        let mut ids: Vec<u64> = read_lock(&self.shared.index).messages.keys().copied().collect();
        // Ids grow with time.
        ids.sort_unstable();
        let mut report = lock(&self.report).clone();
        for id in ids {
            let (message, cut) = match self.load_one(id) {
                Ok(loaded) => loaded,
                Err(StoreError::NotFound(_)) => continue,
                Err(StoreError::Damaged { id, what: reason }) => {
                    report.quarantined.push(format!("message {id}"));
                    let damage =
                        Damage { file: "log".into(), offset: 0, reason, message: Some(id) };
                    self.shared.scrub.know(&damage);
                    report.damages.push(damage);
                    continue;
                }
                // It says nothing of the message, which must not be left lying until somebody
                // starts again.
                Err(error) => return Err(error),
            };
            if let Some(damage) = cut {
                self.shared.scrub.know(&damage);
                report.damages.push(damage);
            }
            let open = message.state.recipients.iter().filter(|recipient| recipient.is_open());
            report.recipients += u64::try_from(open.count()).unwrap_or(u64::MAX);
            report.messages += 1;
            if message.state.intent.is_some() {
                report.in_doubt.push(message.id);
            }
            sink(message);
        }
        report.took += self.shared.io.elapsed().saturating_sub(started);
        Ok(report)
    }

    fn id(&self) -> u128 {
        self.shared.spool
    }

    fn health(&self) -> SpoolHealth {
        self.shared.health()
    }

    fn notes(&self, prefix: &str, now: SystemTime) -> Vec<Note> {
        self.shared.see_time(now);
        notes::find(&read_lock(&self.shared.index).notes, prefix, now)
    }

    fn working(&self, id: InternalMessageId, stage: WorkStage) -> Work {
        let Some(slot) = self.shared.working.note(id, stage) else {
            return Work::default();
        };
        let shared = Arc::clone(&self.shared);
        Work::new(move || shared.working.clear(slot))
    }

    fn pressure(&self) -> Pressure {
        self.shared.pressure()
    }

    fn damages(&self) -> Vec<Damage> {
        self.shared.scrub.take()
    }

    fn stats(&self) -> Option<Stats> {
        Some(self.shared.stats())
    }
}

impl Drop for SegLog {
    fn drop(&mut self) {
        // A log that failed has said so to all who waited; here nobody listens.
        drop(self.close());
    }
}

impl fmt::Debug for SegLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegLog").field("io", &self.shared.io).finish_non_exhaustive()
    }
}
