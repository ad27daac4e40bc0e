//! Room that is kept so that outcomes can be written down when the disk is full: two files, written
//! once, which become segments when nothing else can.

use std::io;
use std::sync::{Arc, Mutex};

use super::shared::Shared;
use super::spare::{Spare, write_zeros};
use crate::io::{OpenMode, SpoolIo};
use crate::spool::DiskLevel;
use crate::sync::lock;

const FOLDER: &str = "reserve";
const NAMES: [&str; 2] = ["reserve/r0", "reserve/r1"];
/// Zeros that are written between two syncs: whoever commits meanwhile waits for no more.
const PIECE_OCTETS: u64 = 1 << 20;
/// One is made only where this many times its size is free.
const ROOM: u64 = 4;

/// The files that are there.
#[derive(Debug, Default)]
pub(super) struct Reserve {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ready: Vec<&'static str>,
    making: bool,
    /// No more is made.
    closed: bool,
}

impl Reserve {
    /// What an earlier run left, which needs no more than its size: a file has its name only when
    /// all its space is durably its own.
    pub(super) fn find(io: &dyn SpoolIo, octets: u64) -> Self {
        let entries = io.list(FOLDER).unwrap_or_default();
        let is_there = |path: &&str| {
            let mut here = entries.iter().filter(|entry| entry.octets >= octets);
            here.any(|entry| path.strip_prefix(FOLDER) == Some(&format!("/{}", entry.name)))
        };
        let ready = NAMES.into_iter().filter(is_there).collect();
        Self { state: Mutex::new(State { ready, ..State::default() }) }
    }

    /// No more is made.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
    }

    fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// A file to write a segment into.
    pub(super) fn take(&self, io: &dyn SpoolIo) -> Option<Spare> {
        while let Some(path) = lock(&self.state).ready.pop() {
            if let Ok(file) = io.open(path, OpenMode::Write) {
                return Some(Spare { path: path.into(), file });
            }
        }
        None
    }
}

/// Has what is missing made in the background, where the disk has room for it.
pub(super) fn make_reserve(shared: &Arc<Shared>) {
    let octets = shared.options.reserve_octets;
    let roomy = shared.free() / ROOM > octets;
    if octets == 0 || shared.level() >= DiskLevel::High || !roomy || shared.reserve.is_closed() {
        return;
    }
    let missing: Vec<&str> = {
        let mut state = lock(&shared.reserve.state);
        let missing = NAMES.into_iter().filter(|name| !state.ready.contains(name)).collect();
        if std::mem::replace(&mut state.making, true) {
            return;
        }
        missing
    };
    if missing.is_empty() {
        lock(&shared.reserve.state).making = false;
        return;
    }
    let for_job = Arc::clone(shared);
    shared.reserver.run(move |io| {
        for name in missing {
            // What cannot be made now is tried again later.
            if let Ok(true) = make(&for_job, io, name) {
                lock(&for_job.reserve.state).ready.push(name);
            }
        }
        lock(&for_job.reserve.state).making = false;
    });
}

/// Makes one, durable with its name. False where the log was closed meanwhile.
fn make(shared: &Shared, io: &dyn SpoolIo, name: &str) -> io::Result<bool> {
    let new = format!("{name}.new");
    drop(io.unlink(&new));
    let made = fill(shared, io, &new);
    if let Ok(true) = made {
        io.rename(&new, name)?;
        io.fsync_dir(FOLDER)?;
    } else {
        drop(io.unlink(&new));
    }
    made
}

/// Makes the file and fills it with zeros. False where the log was closed meanwhile.
fn fill(shared: &Shared, io: &dyn SpoolIo, path: &str) -> io::Result<bool> {
    let file = io.open(path, OpenMode::CreateNew)?;
    let octets = shared.options.reserve_octets;
    let mut done = 0u64;
    while done < octets {
        if shared.reserve.is_closed() {
            return Ok(false);
        }
        let piece = PIECE_OCTETS.min(octets.saturating_sub(done));
        write_zeros(&*file, done, piece)?;
        file.fdatasync()?;
        done = done.saturating_add(piece);
    }
    Ok(true)
}

/// Whether an error means that the disk is full.
pub(super) fn no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
