//! A file: what the process sees, what the medium has, and which sectors differ.

use std::collections::BTreeSet;

use crate::testing::Rng;

/// The unit that the medium writes.
pub(super) const SECTOR: usize = 512;

/// A file's octets, apart from its names.
#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    /// What a read gives: the page cache.
    pub(super) cached: Vec<u8>,
    /// What the medium has for sure.
    durable: Vec<u8>,
    /// Sectors written since the last sync.
    dirty: BTreeSet<usize>,
    /// Sectors that a failed sync marked clean although the medium has not got them.
    lost: BTreeSet<usize>,
}

/// What becomes of one unsynced sector in a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SectorFate {
    Kept,
    Lost,
    /// New octets up to here, old ones behind, or the other way round.
    Torn {
        at: usize,
        new_first: bool,
    },
}

impl Inode {
    /// A write to the page cache. A gap before it reads as zeros.
    pub(super) fn write(&mut self, offset: usize, octets: &[u8]) {
        let end = offset.saturating_add(octets.len());
        if octets.is_empty() {
            return;
        }
        if self.cached.len() < end {
            self.cached.resize(end, 0);
        }
        if let Some(place) = self.cached.get_mut(offset..end) {
            place.copy_from_slice(octets);
        }
        for sector in offset / SECTOR..=(end - 1) / SECTOR {
            self.dirty.insert(sector);
            self.lost.remove(&sector);
        }
    }

    /// The medium takes everything that is dirty.
    pub(super) fn sync(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        self.grow_durable(self.cached.len());
        for sector in dirty {
            self.settle(sector, SectorFate::Kept);
        }
    }

    /// A sync that fails: some sectors reach the medium, the others are marked clean all the same.
    pub(super) fn sync_failing(&mut self, rng: &mut Rng) {
        if rng.one_in(2) {
            self.grow_durable(self.cached.len());
        }
        for sector in std::mem::take(&mut self.dirty) {
            if rng.one_in(3) {
                self.settle(sector, SectorFate::Kept);
            } else {
                self.lost.insert(sector);
            }
        }
    }

    /// A sync that a crash cuts short: some sectors reach the medium, the others stay dirty.
    pub(super) fn sync_partly(&mut self, rng: &mut Rng) {
        if rng.one_in(2) {
            self.grow_durable(self.cached.len());
        }
        for sector in self.dirty.clone() {
            if rng.one_in(2) {
                self.settle(sector, SectorFate::Kept);
            }
        }
    }

    /// The machine runs on: the cache stays, but what is clean may have been read anew meanwhile.
    pub(super) fn forget_clean_pages(&mut self, rng: &mut Rng) {
        for sector in self.lost.clone() {
            if rng.one_in(2) {
                self.lost.remove(&sector);
                let old = self.durable_sector(sector);
                let start = sector * SECTOR;
                let end = self.cached.len().min(start + SECTOR);
                if let (Some(to), Some(from)) =
                    (self.cached.get_mut(start..end), old.get(..end.saturating_sub(start)))
                {
                    to.copy_from_slice(from);
                }
            }
        }
    }

    pub(super) fn dirty_sectors(&self) -> usize {
        self.dirty.len()
    }

    /// Whether the length that the medium has is another one than the process sees.
    pub(super) fn length_unsynced(&self) -> bool {
        self.cached.len() != self.durable.len()
    }

    /// The power goes: only what the medium has is left. `fate` is asked for each dirty sector,
    /// in order; `length` is the length that the medium recorded.
    pub(super) fn power_cut(
        &mut self,
        length: Option<usize>,
        fate: &mut dyn FnMut() -> SectorFate,
    ) {
        if let Some(length) = length {
            self.grow_durable(length.min(self.cached.len()));
        }
        for sector in std::mem::take(&mut self.dirty) {
            let fate = fate();
            self.settle(sector, fate);
        }
        self.lost.clear();
        self.cached.clone_from(&self.durable);
    }

    /// A length between what the medium had and what the process saw, for a power cut.
    pub(super) fn random_length(&self, rng: &mut Rng) -> Option<usize> {
        let (old, new) = (self.durable.len(), self.cached.len());
        match rng.below(4) {
            0 => None,
            1 => Some(old.saturating_add(rng.index(new.saturating_sub(old)))),
            _ => Some(new),
        }
    }

    /// Changes octets behind the back of the file system, as a rotting medium does.
    pub(super) fn damage(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.cached);
        self.durable.clone_from(&self.cached);
        self.dirty.clear();
        self.lost.clear();
    }

    fn grow_durable(&mut self, length: usize) {
        if self.durable.len() < length {
            self.durable.resize(length, 0);
        }
    }

    fn durable_sector(&self, sector: usize) -> Vec<u8> {
        let start = sector * SECTOR;
        let rest = self.durable.get(start..).unwrap_or_default();
        let mut old = rest.get(..rest.len().min(SECTOR)).unwrap_or_default().to_vec();
        old.resize(SECTOR, 0);
        old
    }

    /// Lets the medium have a sector, as far as its length reaches.
    fn settle(&mut self, sector: usize, fate: SectorFate) {
        let start = sector * SECTOR;
        let end = (start + SECTOR).min(self.cached.len()).min(self.durable.len());
        let (Some(new), Some(old)) =
            (self.cached.get(start..end), self.durable.get_mut(start..end))
        else {
            return; // the length that would reach it was lost
        };
        let range = match fate {
            SectorFate::Lost => return,
            SectorFate::Kept => 0..new.len(),
            SectorFate::Torn { at, new_first: true } => 0..at.min(new.len()),
            SectorFate::Torn { at, new_first: false } => at.min(new.len())..new.len(),
        };
        if let (Some(to), Some(from)) = (old.get_mut(range.clone()), new.get(range)) {
            to.copy_from_slice(from);
        }
    }
}
