//! The machine: the page cache, the medium, the faults that are due, and the power switch.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::ops::Range;

use super::inode::{Inode, SectorFate};
use super::names::{Change, Place, Tree, closed_under_loss, split_for_sync};
use super::{CrashKind, OpCounts};
use crate::io::Space;
use crate::testing::Rng;

/// What a changing operation is, for counters and faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpKind {
    Create,
    CreateDir,
    Fdatasync,
    FsyncDir,
    Rename,
    Unlink,
    Write,
}

/// What happens to a changing operation.
pub(super) enum Verdict {
    /// It is done.
    Run,
    /// It fails, and the process lives on.
    Fail(Error),
    /// The process or the machine ends in the middle of it.
    Crash,
}

#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) life: u64,
    pub(super) crashed: bool,
    pub(super) boots: u64,
    pub(super) inodes: BTreeMap<u64, Inode>,
    pub(super) next_inode: u64,
    pub(super) now: Tree,
    durable: Tree,
    changes: Vec<Change>,
    pub(super) lock: Option<String>,
    pub(super) space: Space,
    pub(super) octets_max: Option<u64>,
    pub(super) counts: OpCounts,
    pub(super) crash_at: Option<u64>,
    pub(super) fail_at: Option<(u64, ErrorKind)>,
    pub(super) sync_fails: Range<u64>,
    pub(super) fdatasync_lies: bool,
    pub(super) fsync_dir_lies: bool,
    pub(super) rng: Rng,
}

impl Machine {
    pub(super) fn new(seed: u64) -> Self {
        const GIB: u64 = 1 << 30;
        Self {
            life: 0,
            crashed: false,
            boots: 1,
            inodes: BTreeMap::new(),
            next_inode: 1,
            now: Tree::default(),
            durable: Tree::default(),
            changes: Vec::new(),
            lock: None,
            space: Space { total: 100 * GIB, free: 50 * GIB },
            octets_max: None,
            counts: OpCounts::default(),
            crash_at: None,
            fail_at: None,
            sync_fails: 0..0,
            fdatasync_lies: false,
            fsync_dir_lies: false,
            rng: Rng::new(seed),
        }
    }

    /// Counts a changing operation and tells what becomes of it.
    pub(super) fn begin(&mut self, kind: OpKind) -> Verdict {
        let total = self.counts.count(kind);
        if self.crash_at == Some(total) {
            self.crashed = true;
            return Verdict::Crash;
        }
        if let Some((_, kind)) = self.fail_at.filter(|(at, _)| *at == total) {
            return Verdict::Fail(Error::new(kind, "injected"));
        }
        Verdict::Run
    }

    pub(super) fn change(&mut self, change: Change) {
        self.now.apply(&change);
        self.changes.push(change);
    }

    pub(super) fn sync_dir(&mut self, dir: &str) {
        if self.fsync_dir_lies {
            return;
        }
        let (synced, rest) = split_for_sync(std::mem::take(&mut self.changes), dir);
        for change in &synced {
            self.durable.apply(change);
        }
        self.changes = rest;
    }

    /// Some of the names reach the medium, in the middle of a sync that a crash cuts short.
    pub(super) fn sync_dir_partly(&mut self, dir: &str) {
        if self.rng.one_in(2) {
            self.sync_dir(dir);
        }
    }

    /// Octets in all files, for the limit.
    pub(super) fn octets(&self) -> u64 {
        let named = self.now.files.values().filter_map(|number| self.inodes.get(number));
        named.map(|inode| u64::try_from(inode.cached.len()).unwrap_or(u64::MAX)).sum()
    }

    /// How many unsynced things a power cut decides over.
    pub(super) fn unsynced(&self) -> usize {
        let files: usize = self.live_inodes().map(undecided).sum();
        files + self.changes.len()
    }

    /// The process ends, and with it the machine where `kind` says so. What a power cut keeps is
    /// left to chance.
    pub(super) fn crash(&mut self, kind: CrashKind) {
        if kind == CrashKind::PowerCut {
            self.power_cut_by_chance();
        } else {
            for inode in self.inodes.values_mut() {
                inode.forget_clean_pages(&mut self.rng);
            }
        }
        self.end_life();
    }

    fn power_cut_by_chance(&mut self) {
        // Each cut has a bias of its own: all lost, all kept and the mixed ones all occur.
        let bias = self.rng.below(5);
        let mut names = Rng::new(self.rng.next_u64());
        // Journaling file systems lose the last changes; others any that nothing depends on.
        let journaled = self.rng.one_in(2);
        let cut = names.index(self.changes.len() + 1);
        let mut index = 0;
        let kept = closed_under_loss(&self.changes, &mut || {
            index += 1;
            if journaled { index <= cut } else { names.below(4) < bias }
        });
        self.keep_names(&kept);
        for inode in self.inodes.values_mut() {
            let mut rng = Rng::new(self.rng.next_u64());
            let length = inode.random_length(&mut rng);
            inode.power_cut(length, &mut || match rng.below(4) {
                _ if rng.one_in(8) => {
                    SectorFate::Torn { at: rng.index(512), new_first: rng.one_in(2) }
                }
                chance if chance < bias => SectorFate::Kept,
                _ => SectorFate::Lost,
            });
        }
        self.boots += 1;
    }

    /// A power cut that keeps exactly the unsynced things whose bit is set, counted from the
    /// files in the order of their making, length first, then sectors, then the names.
    pub(super) fn power_cut_by_mask(&mut self, mask: u64) {
        let mut bit = 0u32;
        let mut next = || {
            let set = mask.checked_shr(bit).unwrap_or(0) & 1 == 1;
            bit += 1;
            set
        };
        let reachable: Vec<u64> = self.reachable();
        for (number, inode) in &mut self.inodes {
            if !reachable.contains(number) {
                continue;
            }
            let length = (inode.length_unsynced() && next()).then_some(inode.cached.len());
            inode.power_cut(length, &mut || {
                if next() { SectorFate::Kept } else { SectorFate::Lost }
            });
        }
        let kept = closed_under_loss(&self.changes, &mut next);
        self.keep_names(&kept);
        self.boots += 1;
        self.end_life();
    }

    fn keep_names(&mut self, kept: &[Change]) {
        for change in kept {
            self.durable.apply(change);
        }
        self.changes.clear();
        self.durable.drop_unreachable();
        self.now = self.durable.clone();
        let reachable = self.reachable();
        self.inodes.retain(|number, _| reachable.contains(number));
    }

    fn end_life(&mut self) {
        self.life += 1;
        self.crashed = false;
        self.crash_at = None;
        self.fail_at = None;
        self.sync_fails = 0..0;
        self.lock = None;
    }

    /// Files that have a name now, have one on the medium, or could have one after a power cut.
    fn reachable(&self) -> Vec<u64> {
        let pending = self.changes.iter().filter_map(|change| match change {
            Change::Create { inode, .. } | Change::Rename { inode, .. } => Some(*inode),
            Change::Unlink { .. } | Change::MakeDir { .. } => None,
        });
        let named = self.now.files.values().chain(self.durable.files.values()).copied();
        named.chain(pending).collect()
    }

    fn live_inodes(&self) -> impl Iterator<Item = &Inode> {
        let reachable = self.reachable();
        self.inodes.iter().filter(move |(n, _)| reachable.contains(n)).map(|(_, inode)| inode)
    }

    pub(super) fn inode_at(&self, at: &Place) -> Option<u64> {
        self.now.files.get(at).copied()
    }
}

fn undecided(inode: &Inode) -> usize {
    inode.dirty_sectors() + usize::from(inode.length_unsynced())
}
