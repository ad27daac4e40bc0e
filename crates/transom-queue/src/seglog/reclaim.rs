//! Frees the oldest segment: what still counts in it is written anew, then its file goes.

use super::accept::read_summary;
use super::body::BodyId;
use super::committer::Committer;
use super::encode::encode_note;
use super::frame::{Header, Lsn, RecordType, Seed};
use super::index::{Index, Segment, SharedPlace};
use super::notes::{StoredNote, read_note};
use super::quarantine::{Why, move_segment};
use super::reader::{ReadError, Rebuilt};
use super::scan::{Scan, Scanned, ScannedFrame};
use super::segment::segment_path;
use super::shared::Counters;
use super::spare::{free_path, spares_max};
use super::stage::Stage;
use crate::io::OpenMode;
use crate::spool::{DiskLevel, StoreError};
use crate::sync::{read_lock, write_lock};

/// Frames that one batch looks at, so that no commit waits long for it.
const FRAMES_PER_BATCH: usize = 1024;

/// Where the copying of a segment stands.
#[derive(Debug)]
pub(super) struct CopyScan {
    segment: u32,
    scan: Scan,
    done: bool,
    /// Something in it could not be carried forward, for a reason that passes.
    unopened: bool,
}

impl Committer {
    /// Copies a part of the oldest segment forward, if that is worth it. Gives the octets.
    pub(super) fn copy_forward(&mut self, stage: &mut Stage<'_>) -> u64 {
        let high = self.shared.level() >= DiskLevel::High;
        let limit = self.shared.options.batch_octets_max;
        let budget = if high { limit } else { self.credit.min(limit) };
        let Some(mut copying) = self.copying.take().or_else(|| self.begin_copy()) else {
            // Credit is for a segment at work; it is not saved up for a burst later.
            self.credit = 0;
            return 0;
        };
        let mut copied = 0u64;
        for _ in 0..FRAMES_PER_BATCH {
            if copied >= budget || copying.done {
                break;
            }
            let Some(scanned) = copying.scan.next() else {
                copying.done = true;
                break;
            };
            if let Scanned::Frame(frame) = scanned {
                copied = copied.saturating_add(copy_frame(stage, &frame, &mut copying.unopened));
            }
        }
        self.credit = self.credit.saturating_sub(copied);
        self.copying = Some(copying);
        copied
    }

    /// The oldest segment, when enough is gained by freeing it.
    fn begin_copy(&self) -> Option<CopyScan> {
        let segment = {
            let index = read_lock(&self.shared.index);
            let (&segment, state) = index.segments.first_key_value()?;
            let log = index.log_octets();
            let dead = log.saturating_sub(index.live_octets);
            let enough = dead > self.shared.options.segment_octets.saturating_mul(2);
            let worth = log > index.live_octets.saturating_mul(2)
                || self.shared.level() >= DiskLevel::Medium;
            let free = segment != self.current.segment && !state.kept && !state.is_dead();
            // On a full disk only what is certain to fit.
            let room = self.current.limit.saturating_sub(self.current.end);
            let free = free && (self.shared.level() < DiskLevel::Critical || state.end <= room);
            (free && enough && worth).then_some((segment, *state))
        };
        let (segment, state) = segment?;
        let file = self.shared.io.open(&segment_path(segment), OpenMode::Read).ok()?;
        let seed = Seed::new(self.shared.spool, segment, state.epoch);
        let scan = Scan::new(file, seed, segment, state.end);
        Some(CopyScan { segment, scan, done: false, unopened: false })
    }

    /// Removes old segments in which nothing counts, oldest first, each durably gone before the
    /// next: else a power cut could bring back a message whose end went with a later one.
    pub(super) fn reclaim(&mut self) -> Result<(), StoreError> {
        if self.current.synced != self.current.end {
            return Ok(());
        }
        self.set_aside_unreadable()?;
        self.drop_spare();
        loop {
            let oldest = {
                let index = read_lock(&self.shared.index);
                index.segments.first_key_value().map(|(&number, &state)| (number, state))
            };
            let Some((number, state)) = oldest else {
                return Ok(());
            };
            if number == self.current.segment || state.kept || !state.is_dead() {
                return Ok(());
            }
            let path = segment_path(number);
            let io = &*self.shared.io;
            let recycled = self.is_recyclable(&state);
            let free = free_path(number);
            let removed = if recycled { io.rename(&path, &free) } else { io.unlink(&path) };
            removed
                .and_then(|()| io.fsync_dir("log"))
                .map_err(|error| self.shared.fail(format!("remove {path}: {error}")))?;
            if recycled {
                self.shared.spares.keep(free);
                Counters::add(&self.shared.counters.segments_recycled, 1);
            }
            self.forget(number);
        }
    }

    /// Whether the file of a segment may be written anew. Only this boot knows that all its syncs
    /// went well.
    fn is_recyclable(&self, state: &Segment) -> bool {
        let options = &self.shared.options;
        state.epoch == self.shared.epoch
            && !state.failed
            && state.end >= options.segment_octets / 2
            && self.shared.level() == DiskLevel::Normal
            && self.shared.spares.len() < self.spares_max()
    }

    /// Gives the room of one spare back when there are too many: less is stuck than was.
    fn drop_spare(&self) {
        let spares = &self.shared.spares;
        if spares.len() > self.spares_max() {
            spares.drop_beyond(&*self.shared.io, spares.len().saturating_sub(1));
        }
    }

    fn spares_max(&self) -> usize {
        let index = read_lock(&self.shared.index);
        let size = self.shared.options.segment_octets;
        spares_max(index.log_octets(), index.live_octets, size)
    }

    fn forget(&mut self, segment: u32) {
        write_lock(&self.shared.index).segments.remove(&segment);
        self.copying.take_if(|copying| copying.segment == segment);
        Counters::add(&self.shared.counters.segments_reclaimed, 1);
    }

    /// A segment that was copied and still counts holds messages that cannot be read any more.
    /// It goes to the quarantine whole, so nothing in it is lost to people, and the log forgets
    /// those messages.
    fn set_aside_unreadable(&mut self) -> Result<(), StoreError> {
        let Some(copying) = self.copying.take_if(|copying| copying.done) else {
            return Ok(());
        };
        let segment = copying.segment;
        let state = read_lock(&self.shared.index).segments.get(&segment).copied();
        if copying.unopened || state.as_ref().is_none_or(Segment::is_dead) {
            // What was not looked at is no damage: it is copied anew, later.
            return Ok(());
        }
        let why = Why { segment, offset: 0, octets: 0, reason: "messages in it do not verify" };
        let moved = move_segment(&*self.shared.io, &why);
        moved.map_err(|error| self.shared.fail(format!("set segment {segment} aside: {error}")))?;
        let lost = self.lose_messages(segment);
        Counters::add(&self.shared.counters.quarantined, lost);
        self.forget(segment);
        Ok(())
    }

    fn lose_messages(&mut self, segment: u32) -> u64 {
        let (lost, bodies) = {
            let index = read_lock(&self.shared.index);
            (messages_in(&index, segment), bodies_in(&index, segment))
        };
        {
            let index = read_lock(&self.shared.index);
            for id in &lost {
                self.changes.remove(&index, *id);
            }
            let notes = index.notes.iter();
            for (key, _) in notes.filter(|(_, stored)| stored.lsn.segment() == segment) {
                self.changes.put_stored_note(key.clone(), None);
            }
        }
        self.merge();
        let mut index = write_lock(&self.shared.index);
        for id in bodies {
            if let Some(body) = index.bodies.get_mut(&id) {
                body.place = SharedPlace::Log(Lsn::default());
            }
        }
        u64::try_from(lost.len()).unwrap_or(u64::MAX)
    }
}

fn messages_in(index: &Index, segment: u32) -> Vec<u64> {
    let here = index.messages.iter().filter(|(_, entry)| entry.first.segment() == segment);
    here.map(|(&id, _)| id).collect()
}

fn bodies_in(index: &Index, segment: u32) -> Vec<BodyId> {
    let is_here = |place| matches!(place, SharedPlace::Log(lsn) if lsn.segment() == segment);
    let here = index.bodies.iter().filter(|(_, body)| is_here(body.place));
    here.map(|(&id, _)| id).collect()
}

/// Carries the message forward whose Accept this frame is, and a shared body that stands in it,
/// each if it still counts.
fn copy_frame(stage: &mut Stage<'_>, frame: &ScannedFrame, unopened: &mut bool) -> u64 {
    let Header { kind, id, lsn, .. } = frame.header;
    if kind == RecordType::Note {
        return copy_note(stage, frame, unopened);
    }
    let Some(summary) = read_summary(&frame.record).ok().filter(|_| kind == RecordType::Accept)
    else {
        return 0;
    };
    let counts = stage.entry(id).is_some_and(|entry| entry.first == lsn);
    let segment = lsn.segment();
    // What cannot be read is seen by its still counting when all has been copied.
    let mut copy = |stage: &mut Stage<'_>, id| match copy_message(stage, id, segment) {
        Ok(octets) => octets,
        Err(error) => {
            *unopened |= matches!(error, ReadError::Unopened(..) | ReadError::NoRoom);
            0
        }
    };
    let mut copied = if counts { copy(stage, id) } else { 0 };
    // The body may have outlived its message: the first that shares it carries it.
    let carrier = stage.with_index(|index, changes| {
        let shared = changes.body(index, summary.body.id);
        let here = shared.filter(|shared| shared.place == SharedPlace::Log(lsn));
        here.and_then(|shared| shared.messages.first().copied())
    });
    if let Some(carrier) = carrier {
        copied = copied.saturating_add(copy(stage, carrier));
    }
    copied
}

/// Writes a note anew, unless it was replaced or its time is over.
fn copy_note(stage: &mut Stage<'_>, frame: &ScannedFrame, unopened: &mut bool) -> u64 {
    let Ok(note) = read_note(&frame.record) else {
        return 0;
    };
    let here = |stored: &&StoredNote| stored.lsn == frame.header.lsn;
    let counts = stage
        .with_index(|index, changes| changes.note(index, &note.key).as_ref().is_some_and(here));
    if !counts {
        return 0;
    }
    if note.is_over(stage.shared.time()) {
        stage.changes.put_stored_note(note.key, None);
        return 0;
    }
    let placed = encode_note(&note).and_then(|encoded| stage.batch.push(encoded, Lsn::default()));
    let Ok(place) = placed else {
        // It was read: what failed is the writing.
        *unopened = true;
        return 0;
    };
    stage.changes.put_note(place, note);
    place.1
}

/// Writes one message anew. Its body goes with it where it stands in the segment to be freed, or
/// where it always stands in the message's first frame.
pub(super) fn copy_message(stage: &mut Stage<'_>, id: u64, segment: u32) -> Result<u64, ReadError> {
    let entry = stage.entry(id).ok_or(ReadError::Gone)?;
    let Rebuilt { accept, body } = stage.rebuild(id, &entry)?;
    let body = stage.carried_body(&accept.body, body, segment)?;
    stage.consolidate(id, accept, body)
}
