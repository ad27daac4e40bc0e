//! The committer: the one who writes to the log. A machine that takes whole commits and is driven
//! by a thread or, in simulations, by the caller.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::channel::oneshot;
use rustix::io::Errno;

use super::batch::{Batch, COMMIT_OCTETS, Encoded, NO_ROOM};
use super::blob;
use super::body::BodyId;
use super::disk::disk_level;
use super::frame::{Lsn, RecordType, Seed};
use super::index::{Before, Changes, Segment};
use super::latency::Latency;
use super::options::Driver;
use super::reclaim::CopyScan;
use super::reserve::{make_reserve, no_space};
use super::segment::{DATA_START, SegmentHeader, segment_path};
use super::shared::{Counters, Group, Shared};
use super::spare::{Failed, cannot, use_spare};
use super::stage::{Stage, Staged};
use super::void::{GroupFrames, Trouble, Unsynced};
use crate::io::{OpenMode, SpoolFile};
use crate::spool::{BlobClaim, Committed, DiskLevel, StoreError};
use crate::sync::{read_lock, write_lock};

/// Unsynced octets of Intents and buffered commits, beyond which a sync follows at once.
const UNSYNCED_OCTETS_MAX: u64 = 64 << 10;
/// How long they stay unsynced otherwise.
const UNSYNCED_MAX: Duration = Duration::from_secs(1);
/// How often the room on the disk is asked for.
const SPACE_INTERVAL: Duration = Duration::from_secs(2);

/// Writes batches.
#[derive(Debug)]
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) current: Current,
    machine: u64,
    next_batch: u64,
    pub(super) changes: Changes,
    /// Large bodies without message; their files go once that is durable.
    freed: Vec<BodyId>,
    /// What was written that no sync covers yet, and what readers saw before it.
    pub(super) unsynced: Vec<Unsynced>,
    pub(super) before: Before,
    /// When the oldest octet of it was written.
    unsynced_since: Option<Duration>,
    /// A failed write was survived: the next one ends the log.
    pub(super) survived_one: bool,
    space_asked: Option<Duration>,
    latency: Latency,
    pub(super) copying: Option<CopyScan>,
    /// Octets that may be copied forward for those that were appended.
    pub(super) credit: u64,
}

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) file: Arc<dyn SpoolFile>,
    pub(super) segment: u32,
    pub(super) seed: Seed,
    /// Where the next batch begins.
    pub(super) end: u64,
    /// All below is durable.
    pub(super) synced: u64,
    /// Up to here its space has been written to: a sync of what comes there moves data alone, and
    /// keeps the file system's journal out of it.
    pub(super) written: u64,
    /// How far it may grow.
    pub(super) limit: u64,
}

impl Current {
    fn new(shared: &Shared, file: Arc<dyn SpoolFile>, header: &SegmentHeader) -> Self {
        Self {
            file,
            segment: header.segment,
            seed: header.seed(shared.spool),
            end: DATA_START,
            synced: DATA_START,
            written: DATA_START,
            limit: shared.options.segment_octets,
        }
    }
}

/// A commit that is in the batch and waits for its answer.
pub(super) struct Waiter {
    pub(super) answer: oneshot::Sender<Result<Committed, StoreError>>,
    pub(super) committed: Committed,
    early: bool,
    pub(super) claims: Vec<Box<dyn BlobClaim>>,
    /// Its frames in the batch.
    pub(super) frames: Range<usize>,
}

impl Committer {
    /// Goes on after recovery: `current` holds the Boot batch, durable.
    pub(super) fn new(shared: Arc<Shared>, current: Current, machine: u64) -> Self {
        let mut committer = Self {
            shared,
            current,
            machine,
            // The Boot batch was the first.
            next_batch: 2,
            changes: Changes::default(),
            freed: Vec::new(),
            unsynced: Vec::new(),
            before: Before::default(),
            unsynced_since: None,
            survived_one: false,
            space_asked: None,
            latency: Latency::default(),
            copying: None,
            credit: 0,
        };
        committer.ask_for_space();
        committer
    }

    /// Writes one batch with these commits and answers them.
    pub(super) fn step(&mut self, groups: Vec<Group>) {
        let octets = groups.iter().fold(0u64, |sum, group| sum.saturating_add(group.octets));
        if let Some(failure) = self.shared.failure() {
            answer_all(groups.into_iter().map(|group| group.answer), &failure);
        } else {
            self.ask_for_space();
            self.write_groups(groups, octets);
        }
        self.shared.backlog.leave_commit(octets);
    }

    /// What time asks for, when there are no commits.
    pub(super) fn tick(&mut self) {
        if self.shared.failure().is_some() {
            return;
        }
        self.ask_for_space();
        let age = self.unsynced_since.map(|since| self.shared.io.elapsed().saturating_sub(since));
        if age.is_some_and(|age| age >= UNSYNCED_MAX) {
            match self.sync() {
                Ok(()) => self.after_sync(),
                Err(trouble) => self.rescue(&trouble, Vec::new()),
            }
        }
    }

    /// When [`tick`](Self::tick) is due, from now.
    pub(super) fn next_tick(&self) -> Duration {
        let now = self.shared.io.elapsed();
        let wait =
            self.unsynced_since.map(|since| since.saturating_add(UNSYNCED_MAX).saturating_sub(now));
        wait.unwrap_or(SPACE_INTERVAL).min(SPACE_INTERVAL)
    }

    /// The clean end: everything durable, and a record that says so.
    pub(super) fn close(&mut self) -> Result<(), StoreError> {
        if let Some(failure) = self.shared.failure() {
            return Err(failure);
        }
        self.sync_all()?;
        let mut batch = self.new_batch();
        let stop = Encoded::new(RecordType::Stop, 0, None, |_| Ok(()))?;
        batch.push(stop, Lsn::default())?;
        let stopped = self.write_batch(batch, Vec::new()).and_then(|()| self.sync());
        stopped.map_err(|trouble| self.give_up(&trouble))
    }

    fn write_groups(&mut self, groups: Vec<Group>, octets: u64) {
        let groups = self.without_refusable(groups);
        let rolled = self.make_room(octets);
        if let Err(error) = self.note_failure(rolled) {
            answer_all(groups.into_iter().map(|group| group.answer), &error);
            return;
        }
        let mut batch = self.new_batch();
        if self.shared.level() == DiskLevel::Critical {
            batch = batch.within(self.current.limit);
        }
        let shared = Arc::clone(&self.shared);
        let mut changes = std::mem::take(&mut self.changes);
        let mut stage = Stage::new(&shared, batch, &mut changes);
        let copied = self.copy_forward(&mut stage);
        let (mut waiters, mut written) = (Vec::with_capacity(groups.len()), Vec::new());
        for group in groups {
            let Group { ops, early, refusable, answer, .. } = group;
            let from = stage.batch.len();
            match stage.group(ops) {
                Ok(Staged { committed, claims }) => {
                    let frames = from..stage.batch.len();
                    written.push(GroupFrames { frames: frames.clone(), refusable });
                    waiters.push(Waiter { answer, committed, early, claims, frames });
                }
                Err(error) => drop(answer.send(Err(error))),
            }
        }
        let batch = stage.batch;
        self.changes = changes;
        if batch.is_empty() {
            answer_durable(&self.shared, waiters);
            return;
        }
        for claim in waiters.iter_mut().flat_map(|waiter| &mut waiter.claims) {
            claim.claim();
        }
        let own = batch.octets().saturating_sub(copied);
        self.credit = self.credit.saturating_add(own);
        Counters::add(&self.shared.counters.octets_copied, copied);
        match self.write_batch(batch, written) {
            Ok(()) => self.finish_batch(waiters, copied),
            Err(trouble) => self.rescue(&trouble, waiters),
        }
    }

    /// On a full disk what room was kept is for outcomes; mail from outside has to wait.
    fn without_refusable(&self, groups: Vec<Group>) -> Vec<Group> {
        if self.shared.level() < DiskLevel::Critical {
            return groups;
        }
        let (refused, kept) = groups.into_iter().partition(|group| group.refusable);
        let refused: Vec<Group> = refused;
        answer_all(refused.into_iter().map(|group| group.answer), &NO_ROOM);
        kept
    }

    /// Syncs what was written, unless nobody needs it now, and answers.
    fn finish_batch(&mut self, waiters: Vec<Waiter>, copied: u64) {
        let (early, waiters): (Vec<_>, Vec<_>) = waiters.into_iter().partition(|to| to.early);
        let lazy = waiters.is_empty() && copied == 0;
        if lazy {
            // It can be read, so it can be shown; whether it survives is the caller's choice.
            read_lock(&self.shared.index).remember(&self.changes, &mut self.before);
            self.merge();
        }
        answer_durable(&self.shared, early);
        let unsynced = self.current.end.saturating_sub(self.current.synced);
        if lazy && unsynced < UNSYNCED_OCTETS_MAX {
            return;
        }
        if let Err(trouble) = self.sync() {
            self.rescue(&trouble, waiters);
            return;
        }
        self.merge();
        answer_durable(&self.shared, waiters);
        self.after_sync();
    }

    /// What may only be done when all that was written is durable: it cannot be undone.
    pub(super) fn after_sync(&mut self) {
        self.remove_freed();
        let reclaimed = self.reclaim();
        // Whoever comes next is told; the commits of this batch are durable all the same.
        let _ = self.note_failure(reclaimed);
    }

    pub(super) fn new_batch(&mut self) -> Batch {
        let number = self.next_batch;
        self.next_batch = number.saturating_add(1);
        Batch::new(self.current.segment, self.current.seed, number, self.current.end)
    }

    /// Closes and writes the batch. After an error nothing more is written to this file, ever.
    pub(super) fn write_batch(
        &mut self,
        mut batch: Batch,
        groups: Vec<GroupFrames>,
    ) -> Result<(), Trouble> {
        let closed = batch.close(self.current.synced);
        let written = closed.map_err(|error| io::Error::other(error.to_string()));
        let written = written.and_then(|()| batch.write(&*self.current.file));
        let (end, octets) = (batch.end(), batch.octets());
        self.unsynced.push(Unsynced { batch, groups });
        written.map_err(|error| self.trouble("write", error))?;
        self.current.end = end;
        self.current.write_ahead(&self.shared, octets);
        let now = self.shared.io.elapsed();
        self.unsynced_since.get_or_insert(now);
        Counters::add(&self.shared.counters.batches, 1);
        Counters::add(&self.shared.counters.octets_written, octets);
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Result<(), Trouble> {
        if self.current.synced == self.current.end {
            return Ok(());
        }
        let began = self.shared.io.elapsed();
        let synced = self.current.file.fdatasync();
        self.latency.note(self.shared.io.elapsed().saturating_sub(began));
        synced.map_err(|error| self.trouble("fdatasync", error))?;
        Counters::add(&self.shared.counters.fsyncs, 1);
        self.current.synced = self.current.end;
        self.unsynced_since = None;
        self.unsynced.clear();
        self.before = Before::default();
        Ok(())
    }

    /// Makes all that was written durable, here or, when this file fails, in the next one.
    fn sync_all(&mut self) -> Result<(), StoreError> {
        if let Err(trouble) = self.sync() {
            self.rescue(&trouble, Vec::new());
        }
        self.shared.failure().map_or(Ok(()), Err)
    }

    fn trouble(&self, action: &'static str, error: io::Error) -> Trouble {
        Trouble { action, path: segment_path(self.current.segment), error }
    }

    /// Lets readers see what was written.
    pub(super) fn merge(&mut self) {
        let mut index = write_lock(&self.shared.index);
        if let Some(segment) = index.segments.get_mut(&self.current.segment) {
            (segment.octets, segment.end) = (self.current.end, self.current.end);
        }
        let freed = index.merge(&mut self.changes);
        self.freed.extend(freed);
    }

    /// Removes files of large bodies whose last message is complete, durably so.
    fn remove_freed(&mut self) {
        let index = read_lock(&self.shared.index);
        // What freed it may have been voided since.
        for id in self.freed.drain(..).filter(|id| !index.bodies.contains_key(id)) {
            blob::remove(&self.shared, id.path());
        }
    }

    /// Goes on to a new segment when this one is full. No batch crosses a segment's end.
    fn make_room(&mut self, octets: u64) -> Result<(), StoreError> {
        // With the records that end messages, which are smaller than those that say why. On a full
        // disk the batch itself takes no more than there is.
        let octets = octets.saturating_add(octets / 2).saturating_add(COMMIT_OCTETS);
        let is_full = |current: &Current| current.end.saturating_add(octets) > current.limit;
        if self.current.end > DATA_START && is_full(&self.current) {
            self.roll()?;
        }
        if self.shared.level() == DiskLevel::Critical && is_full(&self.current) {
            return Err(NO_ROOM);
        }
        Ok(())
    }

    fn roll(&mut self) -> Result<(), StoreError> {
        // The next header says that all here is durable.
        self.sync_all()?;
        if self.current.end == DATA_START {
            // The sync failed, and this is a new one already.
            return Ok(());
        }
        match self.begin_next() {
            // A passing want, and nothing was made: this segment grows until there are some.
            Err((_, error)) if no_descriptors(&error) => Ok(()),
            Err((_, error)) if no_space(&error) => Err(NO_ROOM),
            begun => begun.map_err(|failed| self.shared.fail(cannot(&failed))),
        }
    }

    /// Begins the next segment, in space that is ready where there is some. What is behind the
    /// durable end of this one is void then.
    pub(super) fn begin_next(&mut self) -> Result<(), Failed> {
        let none_left = || ("count on".to_owned(), io::Error::other("no segment numbers are left"));
        let header = self.next_header(self.current.synced).ok_or_else(none_left)?;
        let (io, spool) = (&*self.shared.io, self.shared.spool);
        let spare = self.shared.spares.take(io);
        let spare = spare.map(|spare| use_spare(io, spare, &header, spool)).transpose()?.flatten();
        let next = match spare {
            None => begin_segment(&self.shared, &header)?,
            // It is for speed alone, so nothing is lost where its size is not told.
            Some(file) => {
                let written = file.len().unwrap_or(DATA_START);
                Current { written, ..Current::new(&self.shared, file, &header) }
            }
        };
        let begun = Segment::new(header.epoch);
        write_lock(&self.shared.index).segments.insert(header.segment, begun);
        self.current = next;
        Ok(())
    }

    fn ask_for_space(&mut self) {
        let now = self.shared.io.elapsed();
        // A simulation asks every time, because its clock may stand still.
        let inline = self.shared.options.driver == Driver::Inline;
        let due = self.space_asked.is_none_or(|asked| now.saturating_sub(asked) >= SPACE_INTERVAL);
        if !due && !inline {
            return;
        }
        self.space_asked = Some(now);
        // Where the system does not answer, what was known last stays.
        if let Ok(space) = self.shared.io.space() {
            let level = disk_level(space, self.shared.level());
            self.shared.set_level(level, space.free);
            if level > DiskLevel::Normal {
                self.shared.spares.drop_beyond(&*self.shared.io, 0);
            }
            make_reserve(&self.shared);
        }
        self.shared.set_latency(self.latency.end_interval());
    }

    pub(super) fn next_header(&self, previous_end: u64) -> Option<SegmentHeader> {
        Some(SegmentHeader {
            segment: self.current.segment.checked_add(1)?,
            epoch: self.shared.epoch,
            previous: self.current.segment,
            previous_end,
            machine: self.machine,
        })
    }

    /// Any error of the file system ends the log: what reached the disk is not known any more.
    fn note_failure(&self, result: Result<(), StoreError>) -> Result<(), StoreError> {
        result.map_err(|error| match error {
            // Nothing was written.
            StoreError::Failed { .. } | StoreError::Full { .. } => error,
            other => self.shared.fail(other.to_string()),
        })
    }
}

/// Whether a file was not opened because too many are open.
fn no_descriptors(error: &io::Error) -> bool {
    let numbers = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|number| numbers.contains(&number))
}

/// Makes a segment file: name durable, then its header. Gives what failed.
pub(super) fn create_segment(shared: &Shared, header: &SegmentHeader) -> Result<Current, Failed> {
    let io = &*shared.io;
    let path = segment_path(header.segment);
    let at = |action: &str| format!("{action} {path}");
    let file = io.open(&path, OpenMode::CreateNew).map_err(|error| (at("create"), error))?;
    let octets = header.encode(shared.spool).unwrap_or_default();
    let written = io
        .fsync_dir("log")
        .and_then(|()| file.write_all_at(0, &[io::IoSlice::new(&octets)]))
        .and_then(|()| file.fdatasync());
    if let Err(error) = written {
        if no_space(&error) {
            // The segment before goes on until there is some. Would this header come back with a
            // power cut, all that comes there now would be void.
            let gone = io.unlink(&path).and_then(|()| io.fsync_dir("log"));
            gone.map_err(|error| (at("remove"), io::Error::other(error)))?;
        }
        return Err((at("write"), error));
    }
    Ok(Current::new(shared, file, header))
}

/// Makes a segment file, or turns a reserve file into one when the disk is full.
pub(super) fn begin_segment(shared: &Shared, header: &SegmentHeader) -> Result<Current, Failed> {
    let full = match create_segment(shared, header) {
        Err(failed) if no_space(&failed.1) => failed,
        created => return created,
    };
    let (io, options) = (&*shared.io, &shared.options);
    let limit = options.reserve_octets.min(options.segment_octets);
    while let Some(reserve) = shared.reserve.take(io) {
        if let Some(file) = use_spare(io, reserve, header, shared.spool)? {
            shared.set_level(DiskLevel::Critical, 0);
            return Ok(Current { limit, ..Current::new(shared, file, header) });
        }
    }
    shared.set_level(DiskLevel::Critical, 0);
    shared.out_of_room.store(true, Ordering::Relaxed);
    Err(full)
}

pub(super) fn answer_durable(shared: &Shared, waiters: Vec<Waiter>) {
    let count = u64::try_from(waiters.len()).unwrap_or(u64::MAX);
    shared.counters.commits.fetch_add(count, Ordering::Relaxed);
    for Waiter { answer, committed, .. } in waiters {
        // Who dropped the future does not want to know; it happened all the same.
        let _ = answer.send(Ok(committed));
    }
}

pub(super) fn answer_all(
    answers: impl IntoIterator<Item = oneshot::Sender<Result<Committed, StoreError>>>,
    error: &StoreError,
) {
    for answer in answers {
        let _ = answer.send(Err(error.clone()));
    }
}
