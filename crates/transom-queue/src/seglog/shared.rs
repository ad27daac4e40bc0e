//! What the committer, the readers and those who hand work in have in common.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, SystemTime};

use futures::channel::oneshot;
use transom_types::InternalMessageId;

use super::encode::EncodedOp;
use super::handoff::{Handoff, Work};
use super::index::Index;
use super::options::{SegLogOptions, Stats};
use super::reserve::Reserve;
use super::scrub::Scrub;
use super::spare::Spares;
use super::worker::Worker;
use super::working::Working;
use crate::io::SpoolIo;
use crate::spool::{Committed, DiskLevel, LatencyLevel, Pressure, SpoolHealth, StoreError};
use crate::sync::{lock, read_lock};

/// One log, as all its parts see it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) io: Arc<dyn SpoolIo>,
    pub(super) options: SegLogOptions,
    pub(super) spool: u128,
    pub(super) epoch: u32,
    pub(super) index: RwLock<Index>,
    /// Commits that wait for the committer.
    pub(super) handoff: Handoff<Group>,
    pub(super) counters: Counters,
    pub(super) backlog: Backlog,
    /// For large bodies.
    pub(super) worker: Worker,
    pub(super) working: Working,
    pub(super) spares: Spares,
    pub(super) reserve: Reserve,
    /// Writes it.
    pub(super) reserver: Worker,
    pub(super) scrub: Scrub,
    latency: Mutex<LatencyLevel>,
    /// The last commit found no room, not even in the reserve.
    pub(super) out_of_room: AtomicBool,
    /// The latest time that somebody asked for notes with, and when that was.
    time: Mutex<(SystemTime, Duration)>,
    health: Mutex<SpoolHealth>,
    /// Room on the disk when it was last asked for.
    free: AtomicU64,
    next_id: AtomicU64,
}

/// One commit: never split.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) ops: Vec<EncodedOp>,
    pub(super) octets: u64,
    /// Answered after the write, not only after the sync.
    pub(super) early: bool,
    /// Who waits for it has the message still, so that it may be refused when the disk fails.
    /// All else is kept: nobody would do it again.
    pub(super) refusable: bool,
    pub(super) answer: oneshot::Sender<Result<Committed, StoreError>>,
}

impl Work for Group {
    fn octets(&self) -> u64 {
        self.octets
    }
}

impl Shared {
    pub(super) fn new(
        io: Arc<dyn SpoolIo>,
        options: SegLogOptions,
        (spool, epoch): (u128, u32),
        index: Index,
        working: Working,
    ) -> Self {
        let worker = Worker::new(Arc::clone(&io), options.driver, "transom-blob");
        let reserver = Worker::new(Arc::clone(&io), options.driver, "transom-reserve");
        let reserve = Reserve::find(&*io, options.reserve_octets);
        let backlog = Backlog::new(options.backlog_octets_max);
        Self {
            io,
            options,
            spool,
            epoch,
            index: RwLock::new(index),
            handoff: Handoff::new(),
            counters: Counters::default(),
            backlog,
            worker,
            working,
            spares: Spares::default(),
            reserve,
            reserver,
            scrub: Scrub::default(),
            latency: Mutex::default(),
            out_of_room: AtomicBool::new(false),
            time: Mutex::new((SystemTime::UNIX_EPOCH, Duration::MAX)),
            health: Mutex::new(SpoolHealth::Serving { level: DiskLevel::Normal }),
            free: AtomicU64::new(u64::MAX),
            next_id: AtomicU64::new(1),
        }
    }

    /// An id that no message had: the epoch of this boot and a counter.
    pub(super) fn next_id(&self) -> Result<InternalMessageId, StoreError> {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        if number > u64::from(u32::MAX) {
            return Err(StoreError::Full { resource: "message ids of this run" });
        }
        Ok(InternalMessageId(u64::from(self.epoch) << 32 | number))
    }

    pub(super) fn see_time(&self, now: SystemTime) {
        let mut time = lock(&self.time);
        if now >= time.0 {
            *time = (now, self.io.elapsed());
        }
    }

    /// No later than it is: time goes on after somebody asked.
    pub(super) fn time(&self) -> SystemTime {
        let (seen, at) = *lock(&self.time);
        seen.checked_add(self.io.elapsed().saturating_sub(at)).unwrap_or(seen)
    }

    pub(super) fn health(&self) -> SpoolHealth {
        lock(&self.health).clone()
    }

    /// The error to answer with, once the log has failed.
    pub(super) fn failure(&self) -> Option<StoreError> {
        match &*lock(&self.health) {
            SpoolHealth::Failed { reason } => Some(StoreError::Failed { reason: reason.clone() }),
            SpoolHealth::Serving { .. } => None,
        }
    }

    /// From now on nothing is taken. The first reason stays.
    pub(super) fn fail(&self, reason: String) -> StoreError {
        let mut health = lock(&self.health);
        if let SpoolHealth::Failed { reason } = &*health {
            return StoreError::Failed { reason: reason.clone() };
        }
        *health = SpoolHealth::Failed { reason: reason.clone() };
        StoreError::Failed { reason }
    }

    pub(super) fn level(&self) -> DiskLevel {
        match &*lock(&self.health) {
            SpoolHealth::Serving { level } => *level,
            SpoolHealth::Failed { .. } => DiskLevel::High,
        }
    }

    /// Critical is left only when the level that the room gives is below High.
    pub(super) fn set_level(&self, new: DiskLevel, free: u64) {
        self.free.store(free, Ordering::Relaxed);
        if let SpoolHealth::Serving { level } = &mut *lock(&self.health)
            && (*level < DiskLevel::Critical || new < DiskLevel::High)
        {
            *level = new;
        }
        if new < DiskLevel::High {
            self.out_of_room.store(false, Ordering::Relaxed);
        }
    }

    pub(super) fn set_latency(&self, level: LatencyLevel) {
        *lock(&self.latency) = level;
    }

    pub(super) fn pressure(&self) -> Pressure {
        let pressure = Pressure::of(&self.health());
        let recording = pressure.recording && !self.out_of_room.load(Ordering::Relaxed);
        Pressure { latency: *lock(&self.latency), recording, ..pressure }
    }

    pub(super) fn free(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    pub(super) fn stats(&self) -> Stats {
        let index = read_lock(&self.index);
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Stats {
            commits: get(&self.counters.commits),
            batches: get(&self.counters.batches),
            fsyncs: get(&self.counters.fsyncs),
            octets_written: get(&self.counters.octets_written),
            octets_copied: get(&self.counters.octets_copied),
            segments_reclaimed: get(&self.counters.segments_reclaimed),
            quarantined: get(&self.counters.quarantined),
            voided: get(&self.counters.voided),
            octets_ahead: get(&self.counters.octets_ahead),
            segments_recycled: get(&self.counters.segments_recycled),
            scrubbed: get(&self.counters.scrubbed),
            damages: get(&self.counters.damages),
            messages: count(index.messages.len()),
            segments: count(index.segments.len()),
            log_octets: index.log_octets(),
        }
    }
}

/// Figures, see [`Stats`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) commits: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) fsyncs: AtomicU64,
    pub(super) octets_written: AtomicU64,
    pub(super) octets_copied: AtomicU64,
    pub(super) segments_reclaimed: AtomicU64,
    pub(super) quarantined: AtomicU64,
    pub(super) voided: AtomicU64,
    pub(super) octets_ahead: AtomicU64,
    pub(super) segments_recycled: AtomicU64,
    pub(super) scrubbed: AtomicU64,
    pub(super) damages: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }
}

/// Octets in memory that are not committed yet.
#[derive(Debug)]
pub(super) struct Backlog {
    max: u64,
    state: Mutex<BacklogState>,
}

#[derive(Debug, Default)]
struct BacklogState {
    /// Bodies on their way in.
    ingest: u64,
    /// Commits that wait.
    commit: u64,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Backlog {
    fn new(max: u64) -> Self {
        Self { max, state: Mutex::default() }
    }

    /// Waits until a body may grow by `octets`. A body that has begun waits for commits alone,
    /// which always end; if it also waited for other bodies, all could wait for each other.
    pub(super) async fn admit(&self, octets: u64, has_begun: bool) {
        loop {
            let wait = {
                let mut state = lock(&self.state);
                let others = if has_begun { 0 } else { state.ingest };
                if state.commit.saturating_add(others) < self.max.max(1) {
                    state.ingest = state.ingest.saturating_add(octets);
                    return;
                }
                let (sender, wait) = oneshot::channel();
                state.waiting.push(sender);
                wait
            };
            // An error means that the backlog is gone with its log; the next write will say so.
            if wait.await.is_err() {
                return;
            }
        }
    }

    pub(super) fn leave_ingest(&self, octets: u64) {
        self.change(|state| state.ingest = state.ingest.saturating_sub(octets));
    }

    pub(super) fn enter_commit(&self, octets: u64) {
        let mut state = lock(&self.state);
        state.commit = state.commit.saturating_add(octets);
    }

    pub(super) fn leave_commit(&self, octets: u64) {
        self.change(|state| state.commit = state.commit.saturating_sub(octets));
    }

    fn change(&self, change: impl FnOnce(&mut BacklogState)) {
        let mut state = lock(&self.state);
        change(&mut state);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for sender in waiting {
            // Who no longer waits need not be woken.
            let _ = sender.send(());
        }
    }
}
