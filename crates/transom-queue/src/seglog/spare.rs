//! Space that has been written to before: a sync of what is written into it moves data alone, and
//! keeps the file system's journal out of it. New segments have some zeros ahead of them, and files
//! of old segments in which nothing counts any more become segments again.
//!
//! A spare's name ends in `.free`, which no start reads. What it held never verifies in a new
//! segment: every frame names its segment, and its checksums are seeded with it.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};

use super::committer::Current;
use super::segment::{SegmentHeader, segment_path};
use super::shared::{Counters, Shared};
use crate::io::{OpenMode, SpoolFile, SpoolIo};
use crate::spool::DiskLevel;
use crate::sync::lock;

/// What failed, and how.
pub(super) type Failed = (String, io::Error);

/// So many are kept in any case: the next segment is begun before the last one is free.
const SPARES_MIN: u64 = 2;

/// Zeros are written ahead up to the next multiple of this: seldom enough that fewer than one in
/// a hundred small messages waits for them, and few enough that this wait is some 2 ms.
const AHEAD_OCTETS: u64 = 1 << 20;
/// Behind a batch of more than this, the journal's part in a sync is small, and zeros would cost
/// as much as they save.
const AHEAD_BATCH_MAX: u64 = 128 << 10;
/// They are written only where this many times the size of a segment is free.
const AHEAD_ROOM: u64 = 4;

/// A file that is ready to become a segment.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) path: String,
    pub(super) file: Arc<dyn SpoolFile>,
}

/// The spares of a log.
#[derive(Debug, Default)]
pub(super) struct Spares {
    /// Names: there may be hundreds, and none needs a descriptor before it is used.
    ready: Mutex<VecDeque<String>>,
}

impl Spares {
    pub(super) fn len(&self) -> usize {
        lock(&self.ready).len()
    }

    pub(super) fn take(&self, io: &dyn SpoolIo) -> Option<Spare> {
        let path = lock(&self.ready).pop_front()?;
        if let Ok(file) = io.open(&path, OpenMode::Write) {
            return Some(Spare { path, file });
        }
        // Another time, or never: what remains is removed at the next start.
        self.keep(path);
        None
    }

    /// Keeps the file of a segment in which nothing counts. Its new name must be durable.
    pub(super) fn keep(&self, path: String) {
        lock(&self.ready).push_back(path);
    }

    /// Gives room back until no more than `count` are left.
    pub(super) fn drop_beyond(&self, io: &dyn SpoolIo, count: usize) {
        while self.len() > count {
            let Some(path) = lock(&self.ready).pop_back() else {
                return;
            };
            drop(io.unlink(&path));
        }
    }
}

/// How many spares are kept: with them the log takes no more of the disk than it may take alone
/// before it is copied. Its segments become free in bursts, and each file that is not kept then
/// has to be made anew later, at the cost of zeros written ahead or of dearer syncs.
pub(super) fn spares_max(log_octets: u64, live_octets: u64, segment_octets: u64) -> usize {
    let room = live_octets.saturating_mul(2).saturating_sub(log_octets);
    let count = room.checked_div(segment_octets).unwrap_or(0).saturating_add(SPARES_MIN);
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The name of a spare that was segment `number`.
pub(super) fn free_path(number: u32) -> String {
    format!("log/{number:016}.free")
}

/// Whether a name in `log/` is one of a spare.
pub(super) fn is_spare(name: &str) -> bool {
    name.strip_suffix(".free").is_some()
}

impl Current {
    /// Writes zeros behind a batch that went beyond what was written, for those that follow. They
    /// come with the sync of this batch.
    pub(super) fn write_ahead(&mut self, shared: &Shared, batch_octets: u64) {
        if self.end <= self.written {
            return;
        }
        self.written = self.end;
        let roomy = shared.free() / AHEAD_ROOM > shared.options.segment_octets;
        if batch_octets > AHEAD_BATCH_MAX || shared.level() > DiskLevel::Normal || !roomy {
            return;
        }
        let next = (self.end / AHEAD_OCTETS).saturating_add(1).saturating_mul(AHEAD_OCTETS);
        let octets = next.min(self.limit).saturating_sub(self.end);
        // What cannot be written now is of no importance: nothing was put there yet.
        if write_zeros(&*self.file, self.end, octets).is_ok() {
            self.written = self.end.saturating_add(octets);
            Counters::add(&shared.counters.octets_ahead, octets);
        }
    }
}

/// Writes zeros, with one call for each few MiB.
pub(super) fn write_zeros(file: &dyn SpoolFile, from: u64, octets: u64) -> io::Result<()> {
    const ZEROS: [u8; 4 << 10] = [0; 4 << 10];
    let size = u64::try_from(ZEROS.len()).unwrap_or(u64::MAX);
    let whole = usize::try_from(octets / size).unwrap_or(usize::MAX);
    let rest = usize::try_from(octets % size).unwrap_or(0);
    let mut parts = vec![IoSlice::new(&ZEROS); whole];
    parts.extend(ZEROS.get(..rest).filter(|rest| !rest.is_empty()).map(IoSlice::new));
    file.write_all_at(from, &parts)
}

/// Makes a spare the segment that the header names. The header is durable before the file has its
/// name, so a segment's file always has one. Gives none when it cannot be written.
pub(super) fn use_spare(
    io: &dyn SpoolIo,
    spare: Spare,
    header: &SegmentHeader,
    spool: u128,
) -> Result<Option<Arc<dyn SpoolFile>>, Failed> {
    let Spare { path, file } = spare;
    let target = segment_path(header.segment);
    let octets = header.encode(spool).unwrap_or_default();
    let written = file.write_all_at(0, &[IoSlice::new(&octets)]).and_then(|()| file.fdatasync());
    if written.is_err() {
        // Nothing has gone into it yet: the next one may be better.
        drop(io.unlink(&path));
        return Ok(None);
    }
    let failed = |error| (format!("rename {path} to {target}"), error);
    io.rename(&path, &target).map_err(failed)?;
    let from = path.split_once('/').map_or("", |(folder, _)| folder);
    let synced = io.fsync_dir("log");
    let synced = synced.and_then(|()| if from == "log" { Ok(()) } else { io.fsync_dir(from) });
    // Whatever it was: the header says where the segment before ends, so that cannot go on.
    synced.map_err(|error| failed(io::Error::other(error)))?;
    Ok(Some(file))
}

pub(super) fn cannot((action, error): &Failed) -> String {
    format!("cannot {action}: {error}")
}
