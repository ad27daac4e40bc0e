//! The segment log on the simulated disk.

use std::sync::Arc;

use transom_queue::testing::{CrashKind, SimFs};
use transom_queue::{Driver, Durability, SegLog, SegLogOptions, SpoolHealth};

use crate::ledger::{End, Ledger, Opened, Refused};
use crate::model::{Commit, Step};
use crate::workload::Workload;

/// Whether all is to run that is too slow for every time.
pub(crate) fn is_full() -> bool {
    std::env::var("TRANSOM_CUSTODY").is_ok_and(|wanted| wanted == "full")
}

/// The first number always, the second in a full run.
pub(crate) fn seeds(always: u64, full: u64) -> std::ops::Range<u64> {
    0..if is_full() { full } else { always }
}

/// Small enough that a few commits fill a segment, and that most bodies are still inline.
pub(crate) fn options() -> SegLogOptions {
    SegLogOptions::default()
        .with_segment_octets(24 << 10)
        .with_batch_octets_max(8 << 10)
        .with_inline_octets_max(4 << 10)
        .with_reserve_octets(20 << 10)
        .with_driver(Driver::Inline)
}

/// Opens and loads; an error is a text.
pub(crate) fn open(fs: &SimFs) -> Result<Opened, String> {
    let log = SegLog::open(Arc::new(fs.clone()), options()).map_err(|e| e.to_string())?;
    Opened::load(Arc::new(log)).map_err(|error| error.to_string())
}

/// A disk with an empty spool that was closed in order.
pub(crate) fn empty_spool(seed: u64) -> SimFs {
    let fs = SimFs::new(seed);
    let store = open(&fs).expect("a new spool opens");
    assert!(store.loaded.is_empty());
    drop(store);
    fs
}

/// A disk, what it must hold, and the process that runs on it.
#[derive(Debug)]
pub(crate) struct Sim {
    pub(crate) fs: SimFs,
    pub(crate) ledger: Ledger,
    pub(crate) store: Option<Opened>,
}

impl Sim {
    pub(crate) fn new(seed: u64) -> Self {
        let mut sim = Self { fs: empty_spool(seed), ledger: Ledger::default(), store: None };
        sim.reopen(End::Clean);
        sim
    }

    /// The same disk and ledger once more, without the process.
    pub(crate) fn copy_without_process(&self) -> Self {
        Self { fs: self.fs.copy(), ledger: self.ledger.clone(), store: None }
    }

    /// Opens what the last life left, which must work and must hold what the ledger says.
    pub(crate) fn reopen(&mut self, end: End) {
        self.store = None;
        let store = open(&self.fs).expect("opens after a crash");
        self.ledger.check_reopened(&store, end);
        self.store = Some(store);
    }

    pub(crate) fn try_commit(
        &mut self,
        steps: &[Step],
        durability: Durability,
    ) -> Result<Commit, Refused> {
        let store = self.store.as_ref().expect("a process");
        self.ledger.commit(&*store.spool, steps, durability)
    }

    /// The last commit was refused for good.
    pub(crate) fn forget_refused(&mut self) {
        self.ledger.forget_pending();
        if self.is_failed() {
            self.ledger.shake();
        }
    }

    pub(crate) fn is_failed(&self) -> bool {
        let store = self.store.as_ref().expect("a process");
        matches!(store.spool.health(), SpoolHealth::Failed { .. })
    }

    pub(crate) fn commit(&mut self, step: Step) -> Commit {
        self.try_commit(&[step], Durability::Sync).expect("commit")
    }

    /// Runs `commits` commits of the workload, or fewer until one is refused.
    pub(crate) fn run(&mut self, workload: &mut Workload, commits: usize) -> Result<(), Refused> {
        for _ in 0..commits {
            let (mut steps, mut durability) = workload.next(&self.ledger.now());
            if self.ledger.soft() >= 4 {
                // The ledger tries every subset of what a power cut may lose.
                (steps, durability) = (vec![workload.accept()], Durability::Sync);
            }
            self.try_commit(&steps, durability)?;
        }
        Ok(())
    }

    /// Drops the process in order.
    pub(crate) fn close(&mut self) {
        self.store = None;
    }

    /// Ends the process, and opens what it left.
    pub(crate) fn crash(&mut self, kind: CrashKind) {
        let old = self.store.take();
        self.fs = self.fs.crash(kind);
        drop(old);
        self.reopen(end_of(kind));
    }

    pub(crate) fn check_living(&self) {
        let store = self.store.as_ref().expect("a process");
        self.ledger.check_living(&*store.spool);
    }

    /// Numbers of the segments that are there.
    pub(crate) fn segments(&self) -> Vec<String> {
        let paths = self.fs.paths().into_iter();
        paths.filter(|path| path.strip_suffix(".seg").is_some()).collect()
    }

    /// Fills the log with mail that comes and goes until `done` says so.
    pub(crate) fn fill_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for number in 0..400 {
            if done(self) {
                return;
            }
            let accept = Step::Accept { number: 9_000_000 + number, recipients: 1, octets: 3_000 };
            let id = self.commit(accept).accepted[0];
            self.commit(Step::Admin { id, verb: transom_queue::AdminVerb::Remove });
        }
        panic!("{what} never came");
    }

    /// Fills the log until a new segment is begun.
    pub(crate) fn roll(&mut self) {
        let last = self.segments().pop();
        self.fill_until("a new segment", |sim| sim.segments().pop() > last);
    }

    /// Fills the log until every segment of now is gone.
    pub(crate) fn reclaim(&mut self) {
        let last = self.segments().pop().expect("a segment");
        self.fill_until("reclamation", |sim| sim.segments().first() > Some(&last));
    }
}

pub(crate) fn end_of(kind: CrashKind) -> End {
    match kind {
        CrashKind::Kill => End::Kill,
        CrashKind::PowerCut => End::PowerCut,
    }
}
