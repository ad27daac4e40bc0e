//! What does not verify is set aside with a note, never deleted.

use std::io::{self, IoSlice};

use super::body::BodyId;
use super::damage::Damage;
use super::segment::segment_path;
use crate::io::{OpenMode, SpoolFile, SpoolIo};

/// Octets that are copied at once.
const PIECE_OCTETS: u64 = 64 << 10;
/// Octets that are given up when the disk cannot read them.
const BAD_OCTETS: usize = 4096;

/// What was set aside, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Why {
    pub(super) segment: u32,
    pub(super) offset: u64,
    /// Octets of the range; 0 for a whole file.
    pub(super) octets: u64,
    pub(super) reason: &'static str,
}

impl Why {
    /// The name in `quarantine/`, without its ending: the same range has the same name.
    pub(super) fn name(&self) -> String {
        if self.octets == 0 {
            format!("{:016}", self.segment)
        } else {
            format!("{:016}-{:010}", self.segment, self.offset)
        }
    }

    pub(super) fn damage(&self) -> Damage {
        let (file, offset) = (segment_path(self.segment), self.offset);
        Damage { file, offset, reason: self.reason.into(), message: None }
    }

    fn note(&self) -> String {
        let Self { segment, offset, octets, reason } = self;
        format!(
            "{{\"segment\":{segment},\"offset\":{offset},\"octets\":{octets},\
             \"reason\":\"{reason}\"}}\n"
        )
    }
}

/// Copies a damaged range of a segment; durable when it returns. Does nothing when it was copied
/// at an earlier start.
pub(super) fn copy_range(io: &dyn SpoolIo, why: &Why) -> io::Result<()> {
    let (name, path) = (why.name(), segment_path(why.segment));
    let target = format!("quarantine/{name}.bin");
    if io.open(&target, OpenMode::Read).is_ok() {
        return Ok(());
    }
    let source = io.open(&path, OpenMode::Read)?;
    let temporary = format!("tmp/{name}.bin");
    copy_octets(io, &*source, (why.offset, why.octets), &temporary)?;
    write_note(io, why)?;
    io.rename(&temporary, &target)?;
    io.fsync_dir("quarantine")
}

/// Copies a range into a file of its own, durably. What cannot be read is zeros there.
fn copy_octets(
    io: &dyn SpoolIo,
    source: &dyn SpoolFile,
    (offset, octets): (u64, u64),
    to: &str,
) -> io::Result<()> {
    drop(io.unlink(to));
    let copy = io.open(to, OpenMode::CreateNew)?;
    let mut done = 0u64;
    while done < octets {
        let piece = octets.saturating_sub(done).min(PIECE_OCTETS);
        let read = read_piece(source, offset.saturating_add(done), piece);
        copy.write_all_at(done, &[IoSlice::new(&read)])?;
        done = done.saturating_add(piece);
    }
    copy.fdatasync()
}

fn read_piece(file: &dyn SpoolFile, offset: u64, octets: u64) -> Vec<u8> {
    let mut piece = vec![0; usize::try_from(octets).unwrap_or(0)];
    if file.read_at(offset, &mut piece).is_ok() {
        return piece;
    }
    let mut at = offset;
    for part in piece.chunks_mut(BAD_OCTETS) {
        if file.read_at(at, part).is_err() {
            part.fill(0);
        }
        at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
    }
    piece
}

/// Where a segment file lies that was set aside whole.
pub(super) fn moved_path(segment: u32) -> String {
    format!("quarantine/{segment:016}.seg")
}

/// Moves a whole segment file out of the log; durable when it returns.
pub(super) fn move_segment(io: &dyn SpoolIo, why: &Why) -> io::Result<()> {
    write_note(io, why)?;
    io.rename(&segment_path(why.segment), &moved_path(why.segment))?;
    io.fsync_dir("quarantine")?;
    io.fsync_dir("log")
}

/// Tells of octets that are gone: there is nothing to be set aside, so the file stays where it is.
pub(super) fn note_short(io: &dyn SpoolIo, why: &Why) -> io::Result<()> {
    let target = format!("quarantine/{}.why.json", why.name());
    if io.open(&target, OpenMode::Read).is_ok() {
        return Ok(());
    }
    write_note(io, why)?;
    io.fsync_dir("quarantine")
}

/// Copies the file of a large body, as far as it can be read, or tells that it is gone. Does
/// nothing when that was done before.
pub(super) fn copy_blob(io: &dyn SpoolIo, id: BodyId, reason: &str) -> io::Result<()> {
    let name = id.name();
    if io.open(&format!("quarantine/{name}.why.json"), OpenMode::Read).is_ok() {
        return Ok(());
    }
    // What the system says may hold anything.
    let reason = reason.replace(['"', '\\'], "'").replace(char::is_control, " ");
    let note = format!("{{\"blob\":\"{name}\",\"reason\":\"{reason}\"}}\n");
    match io.open(&id.path(), OpenMode::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_text(io, &name, &note)?,
        opened => {
            let source = opened?;
            let octets = source.len()?;
            let temporary = format!("tmp/{name}.blob");
            copy_octets(io, &*source, (0, octets), &temporary)?;
            io.rename(&temporary, &format!("quarantine/{name}.blob"))?;
            write_text(io, &name, &note)?;
        }
    }
    io.fsync_dir("quarantine")
}

/// Moves the file of a large body that nothing names, while what named it may have been damaged.
pub(super) fn move_blob(io: &dyn SpoolIo, id: BodyId) -> io::Result<()> {
    let reason = "no message names it, and what named it may be among the damage";
    let note = format!("{{\"blob\":\"{}\",\"reason\":\"{reason}\"}}\n", id.name());
    write_text(io, &id.name(), &note)?;
    io.rename(&id.path(), &format!("quarantine/{}.blob", id.name()))?;
    io.fsync_dir("quarantine")?;
    io.fsync_dir(&id.folder())
}

fn write_note(io: &dyn SpoolIo, why: &Why) -> io::Result<()> {
    write_text(io, &why.name(), &why.note())
}

fn write_text(io: &dyn SpoolIo, name: &str, note: &str) -> io::Result<()> {
    let target = format!("quarantine/{name}.why.json");
    let temporary = format!("tmp/{name}.why.json");
    drop(io.unlink(&temporary));
    let file = io.open(&temporary, OpenMode::CreateNew)?;
    file.write_all_at(0, &[IoSlice::new(note.as_bytes())])?;
    file.fdatasync()?;
    io.rename(&temporary, &target)
}
