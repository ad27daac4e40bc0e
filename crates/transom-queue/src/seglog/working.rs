//! The file `working`: which messages are being worked on, so that one which ends the process again
//! and again is found out.
//!
//! A slot is written before a message is given to code that it may bring down, and cleared after.
//! Nothing is synced: it has to survive the process, not the machine. Behind the slots stand the
//! messages that the last start found in them; one that is found twice in a row is poison.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};

use transom_types::InternalMessageId;

use super::frame::{u32_at, u64_at};
use crate::io::{OpenMode, SpoolFile, SpoolIo};
use crate::spool::WorkStage;
use crate::sync::lock;

const PATH: &str = "working";
/// More that are worked on at once are not noted.
const SLOTS: u64 = 256;
/// `u64 message id | u32 stage | u32 checksum`.
const SLOT_OCTETS: u64 = 16;

/// The slots of this run.
#[derive(Debug)]
pub(super) struct Working {
    /// None where the file cannot be had: it is a safeguard, no part of custody.
    file: Option<Arc<dyn SpoolFile>>,
    free: Mutex<Vec<u64>>,
}

/// What the runs before left.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// At work when the last run ended.
    now: BTreeSet<u64>,
    /// The same of the run before that.
    before: BTreeSet<u64>,
}

impl Suspects {
    pub(super) fn read(io: &dyn SpoolIo) -> Self {
        let half = usize::try_from(SLOTS.saturating_mul(SLOT_OCTETS)).unwrap_or(0);
        let mut octets = vec![0; half.saturating_mul(2)];
        let read = io.open(PATH, OpenMode::Read).and_then(|file| file.read_at(0, &mut octets));
        octets.truncate(read.unwrap_or(0));
        let (now, before) = octets.split_at_checked(half).unwrap_or((&octets, &[]));
        Self { now: read_slots(now), before: read_slots(before) }
    }

    /// Those that two runs in a row ended at.
    pub(super) fn poison(&self) -> impl Iterator<Item = u64> + '_ {
        self.now.intersection(&self.before).copied()
    }
}

impl Working {
    /// Begins a run: the slots are free, and what stood in them is remembered.
    pub(super) fn begin(io: &dyn SpoolIo, suspects: &Suspects) -> Self {
        let file = write_file(io, suspects).ok();
        Self { file, free: Mutex::new((0..SLOTS).rev().collect()) }
    }

    /// Takes a slot; none where all are taken.
    pub(super) fn note(&self, id: InternalMessageId, stage: WorkStage) -> Option<u64> {
        let file = self.file.as_ref()?;
        let slot = lock(&self.free).pop()?;
        let octets = encode(id.0, stage.number());
        // What cannot be noted is worked on all the same.
        drop(file.write_all_at(slot.saturating_mul(SLOT_OCTETS), &[IoSlice::new(&octets)]));
        Some(slot)
    }

    pub(super) fn clear(&self, slot: u64) {
        if let Some(file) = &self.file {
            let zeros = encode(0, 0);
            drop(file.write_all_at(slot.saturating_mul(SLOT_OCTETS), &[IoSlice::new(&zeros)]));
        }
        lock(&self.free).push(slot);
    }
}

fn write_file(io: &dyn SpoolIo, suspects: &Suspects) -> io::Result<Arc<dyn SpoolFile>> {
    let file = match io.open(PATH, OpenMode::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            io.open(PATH, OpenMode::CreateNew)?
        }
        opened => opened?,
    };
    let size = usize::try_from(SLOTS.saturating_mul(SLOT_OCTETS)).unwrap_or(0);
    let mut octets = vec![0; size];
    let limit = usize::try_from(SLOTS).unwrap_or(0);
    octets.extend(suspects.now.iter().take(limit).flat_map(|&id| encode(id, 0)));
    octets.resize(size.saturating_mul(2), 0);
    file.write_all_at(0, &[IoSlice::new(&octets)])?;
    // A power cut must not bring back slots that were cleared long ago.
    file.fdatasync()?;
    Ok(file)
}

fn encode(id: u64, stage: u32) -> Vec<u8> {
    let mut slot = id.to_le_bytes().to_vec();
    slot.extend_from_slice(&stage.to_le_bytes());
    slot.extend_from_slice(&crc32c::crc32c(&slot).to_le_bytes());
    slot
}

/// The messages in slots that verify.
fn read_slots(octets: &[u8]) -> BTreeSet<u64> {
    let slots = octets.chunks(usize::try_from(SLOT_OCTETS).unwrap_or(16));
    let read = slots.filter_map(|slot| {
        let crc = crc32c::crc32c(slot.get(..12)?);
        u64_at(slot, 0).filter(|id| *id != 0 && u32_at(slot, 12) == Some(crc))
    });
    read.collect()
}
