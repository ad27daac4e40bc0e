//! Segment files that are ready: their space was written before, so that a sync of what is
//! written into them moves data alone and keeps the file system's journal out of it.
//!
//! A spare is a segment in which nothing counts any more, or a file of zeros that was written in
//! the background. Its name ends in `.free`, which no start reads. What an old segment held never
//! verifies in a new one: every frame names its segment, and its checksums are seeded with it.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};

use super::segment::{SegmentHeader, segment_path};
use super::shared::{Counters, Shared};
use crate::io::{OpenMode, SpoolFile, SpoolIo};
use crate::spool::DiskLevel;
use crate::sync::lock;

/// What failed, and how.
pub(super) type Failed = (String, io::Error);

/// More are of no use: one is written to while the next is made ready.
pub(super) const SPARES_MAX: usize = 2;
/// Zeros that are written between two syncs: whoever commits meanwhile waits for no more.
const PIECE_OCTETS: u64 = 1 << 20;
/// A spare is made only where this many times its size is free.
const ROOM: u64 = 4;

/// A file that is ready to become a segment.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) path: String,
    pub(super) file: Arc<dyn SpoolFile>,
}

/// The spares of a log.
#[derive(Debug, Default)]
pub(super) struct Spares {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Spare>,
    /// One is being made.
    making: bool,
    made: u64,
    closed: bool,
}

impl Spares {
    pub(super) fn len(&self) -> usize {
        lock(&self.state).ready.len()
    }

    pub(super) fn take(&self) -> Option<Spare> {
        lock(&self.state).ready.pop_front()
    }

    /// No more is made.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Keeps the file of a segment in which nothing counts. Its new name must be durable.
    pub(super) fn keep(&self, io: &dyn SpoolIo, path: String) {
        match io.open(&path, OpenMode::Write) {
            Ok(file) => lock(&self.state).ready.push_back(Spare { path, file }),
            // Then it is of no use. What remains is removed at the next start.
            Err(_) => drop(io.unlink(&path)),
        }
    }

    /// Gives their room back.
    pub(super) fn drop_all(&self, io: &dyn SpoolIo) {
        while let Some(spare) = self.take() {
            drop(io.unlink(&spare.path));
        }
    }
}

/// The name of a spare that was segment `number`.
pub(super) fn free_path(number: u32) -> String {
    format!("log/{number:016}.free")
}

/// Whether a name in `log/` is one of a spare.
pub(super) fn is_spare(name: &str) -> bool {
    name.strip_suffix(".free").is_some()
}

/// Has a spare made in the background, where there is none and the disk has plenty of room.
pub(super) fn make_ahead(shared: &Arc<Shared>) {
    let roomy = shared.free() / ROOM > shared.options.segment_octets;
    if shared.level() > DiskLevel::Normal || !roomy {
        return;
    }
    let number = {
        let mut state = lock(&shared.spares.state);
        if state.making || state.closed || !state.ready.is_empty() {
            return;
        }
        state.making = true;
        state.made = state.made.saturating_add(1);
        state.made
    };
    let for_job = Arc::clone(shared);
    shared.ahead.run(move |io| {
        let path = format!("log/ahead-{number}.free");
        let made = write_zeros(&for_job, io, &path, for_job.options.segment_octets);
        let mut state = lock(&for_job.spares.state);
        state.making = false;
        match made {
            Ok(Some(file)) if !state.closed => {
                Counters::add(&for_job.counters.segments_ahead, 1);
                state.ready.push_back(Spare { path, file });
            }
            // It is for speed alone. What remains is removed at the next start.
            _ => drop(io.unlink(&path)),
        }
    });
}

/// The file, full of zeros; none where the log was closed meanwhile.
pub(super) fn write_zeros(
    shared: &Shared,
    io: &dyn SpoolIo,
    path: &str,
    octets: u64,
) -> io::Result<Option<Arc<dyn SpoolFile>>> {
    let file = io.open(path, OpenMode::CreateNew)?;
    let zeros = vec![0; usize::try_from(PIECE_OCTETS.min(octets)).unwrap_or(0)];
    let mut done = 0u64;
    while done < octets {
        if shared.spares.is_closed() {
            return Ok(None);
        }
        let rest = usize::try_from(octets.saturating_sub(done)).unwrap_or(usize::MAX);
        let piece = zeros.get(..rest).unwrap_or(&zeros);
        file.write_all_at(done, &[IoSlice::new(piece)])?;
        file.fdatasync()?;
        done = done.saturating_add(PIECE_OCTETS);
    }
    Ok(Some(file))
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
    let from = path.split_once('/').map_or("", |(folder, _)| folder);
    io.rename(&path, &target)
        .and_then(|()| io.fsync_dir("log"))
        .and_then(|()| if from == "log" { Ok(()) } else { io.fsync_dir(from) })
        .map_err(|error| (format!("rename {path} to {target}"), error))?;
    Ok(Some(file))
}

pub(super) fn cannot((action, error): &Failed) -> String {
    format!("cannot {action}: {error}")
}
