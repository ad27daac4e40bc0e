//! Makes the index from the frames that count. The second half of recovery.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::accept::{AcceptRecord, AcceptSummary, read_accept, read_summary};
use super::batch::Encoded;
use super::body::{BodyId, Place};
use super::edits::read_edits;
use super::fields::{Fields, Malformed};
use super::frame::{Header, Lsn, RecordType};
use super::index::{Changes, Entry, Index, Segment};
use super::judge::{CompleteBatch, SegmentFile, Verdict};
use super::notes::read_note;
use super::quarantine::Why;
use super::reader::{Frame, FrameBody, ReadError};
use super::scan::Scanned;
use super::stage::Stage;
use super::state::{read_admin, read_categorized, read_settle_summary, replay, transfer};
use crate::spool::{AdminVerb, StoreError};
use crate::sync::read_lock;

/// Frames after which the changes are merged into the index.
const MERGE_EVERY: usize = 64;

/// What replay makes.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) index: Index,
    changes: Changes,
    /// Where each inline body was last seen. Its message may be complete long before the copy of a
    /// fork that shares it is read, when what stood of the fork before that is gone.
    pub(super) bodies: HashMap<BodyId, Lsn>,
    /// Messages whose recipients went over to forks: complete, unless some stayed.
    ending: BTreeSet<u64>,
    /// Messages of which a record is lost: their chains lead nowhere.
    pub(super) broken: BTreeSet<u64>,
    /// Ranges that do not verify although they were durable.
    pub(super) damage: Vec<Why>,
}

impl Replay {
    /// Reads all that is durable, in order.
    pub(super) fn run(spool: u128, segments: &[SegmentFile], verdict: &Verdict) -> Self {
        let mut replay = Self::default();
        for segment in segments {
            let number = segment.header.segment;
            let Some(&limit) = verdict.limits.get(&number) else {
                continue;
            };
            let (epoch, octets) = (segment.header.epoch, segment.octets);
            let state = Segment { epoch, octets, end: limit, ..Segment::default() };
            replay.index.segments.insert(number, state);
            for (count, scanned) in segment.scan(spool, limit).enumerate() {
                replay.scanned(number, scanned);
                if count % MERGE_EVERY == 0 {
                    replay.index.merge(&mut replay.changes);
                }
            }
            replay.index.merge(&mut replay.changes);
        }
        for id in std::mem::take(&mut replay.ending) {
            replay.end_if_complete(id);
        }
        replay.index.merge(&mut replay.changes);
        replay
    }

    fn scanned(&mut self, segment: u32, scanned: Scanned) {
        match scanned {
            Scanned::Damage { from, to, .. } => {
                let octets = to.saturating_sub(from);
                let reason = "octets that were durable do not verify";
                self.damage.push(Why { segment, offset: from, octets, reason });
            }
            Scanned::Frame(frame) => {
                if self.frame(&frame.header, &frame.record).is_err() {
                    let (offset, octets) = (frame.header.lsn.offset(), frame.header.frame_octets());
                    let reason = "a record that this program cannot read";
                    self.damage.push(Why { segment, offset: offset.into(), octets, reason });
                    self.broken.insert(frame.header.id);
                }
            }
        }
    }

    fn frame(&mut self, header: &Header, record: &[u8]) -> Result<(), Malformed> {
        let (id, octets) = (header.id, header.frame_octets());
        match header.kind {
            RecordType::Accept => self.accept(header, record)?,
            RecordType::Complete => self.changes.remove(&self.index, id),
            RecordType::Note => self.changes.put_note((header.lsn, octets), read_note(record)?),
            RecordType::Intent
            | RecordType::Outcome
            | RecordType::Admin
            | RecordType::Edit
            | RecordType::Categorized => {
                let Some(mut entry) = self.changes.entry(&self.index, id).cloned() else {
                    return Ok(());
                };
                apply(&mut entry, header.kind, record)?;
                if header.prev != entry.last {
                    self.broken.insert(id);
                }
                entry.grow(header.lsn, octets);
                self.changes.put_entry(id, Some(entry));
                if header.kind == RecordType::Categorized {
                    // The forks that follow take the body from the parent, so it stays until then.
                    self.ending.insert(id);
                } else {
                    self.end_if_complete(id);
                }
            }
            RecordType::Boot
            | RecordType::Stop
            | RecordType::BatchCommit
            | RecordType::Other(_) => {}
        }
        Ok(())
    }

    fn accept(&mut self, header: &Header, record: &[u8]) -> Result<(), Malformed> {
        let summary = read_summary(record)?;
        self.broken.remove(&header.id);
        let place = (header.lsn, header.frame_octets());
        self.changes.accept(&self.index, header.id, place, &summary);
        note_body(&mut self.bodies, &mut self.changes, &self.index, (&summary, header.lsn));
        self.end_if_complete(header.id);
        // A fork took recipients over. Where the parent still has them, the parent's own record of
        // it is lost.
        let parent = summary.parent.filter(|_| !summary.taken.is_empty());
        let Some(parent) = parent else {
            return Ok(());
        };
        let Some(mut entry) = self.changes.entry(&self.index, parent).cloned() else {
            return Ok(());
        };
        if summary.taken.iter().any(|place| entry.is_open(*place)) {
            summary.taken.iter().for_each(|place| entry.close(*place));
            self.changes.put_entry(parent, Some(entry));
            self.broken.insert(parent);
            self.end_if_complete(parent);
        }
        Ok(())
    }

    fn end_if_complete(&mut self, id: u64) {
        if self.changes.entry(&self.index, id).is_some_and(Entry::is_complete) {
            self.changes.remove(&self.index, id);
        }
    }
}

/// Messages of which records are left, and neither the first nor the last, each with one of the
/// records: what is lost with a segment that somebody removed, as far as that leaves a trace.
pub(super) fn beheaded(
    spool: u128,
    segments: &[SegmentFile],
    limits: &BTreeMap<u32, u64>,
) -> BTreeMap<u64, Lsn> {
    let (mut open, mut found) = (BTreeSet::new(), BTreeMap::new());
    for segment in segments {
        let limit = limits.get(&segment.header.segment).copied().unwrap_or(0);
        for scanned in segment.scan(spool, limit) {
            let Scanned::Frame(frame) = scanned else {
                continue;
            };
            let Header { kind, id, lsn, .. } = frame.header;
            match kind {
                RecordType::Accept => {
                    open.insert(id);
                    found.remove(&id);
                }
                RecordType::Complete => {
                    open.remove(&id);
                    found.remove(&id);
                }
                RecordType::Intent
                | RecordType::Outcome
                | RecordType::Admin
                | RecordType::Edit
                | RecordType::Categorized
                    if !open.contains(&id) =>
                {
                    found.entry(id).or_insert(lsn);
                }
                _ => {}
            }
        }
    }
    found
}

/// Remembers where a body lies, or tells the index where the one lies that an Accept shares.
fn note_body(
    bodies: &mut HashMap<BodyId, Lsn>,
    changes: &mut Changes,
    index: &Index,
    (summary, lsn): (&AcceptSummary, Lsn),
) {
    let id = summary.body.id;
    match summary.body.place {
        Place::Inline => {
            bodies.insert(id, lsn);
        }
        Place::Elsewhere => {
            if let Some(&lsn) = bodies.get(&id) {
                changes.find_body(index, id, lsn);
            }
        }
        Place::Blob => {}
    }
}

/// Does to the index's entry what a record says.
fn apply(entry: &mut Entry, kind: RecordType, record: &[u8]) -> Result<(), Malformed> {
    match kind {
        RecordType::Outcome => {
            for (place, _) in read_settle_summary(record)?.iter().filter(|(_, ends)| *ends) {
                entry.close(*place);
            }
        }
        RecordType::Edit => drop(read_edits(Fields::new(record))?),
        RecordType::Admin if read_admin(record)?.0 == AdminVerb::Remove => entry.close_all(),
        RecordType::Categorized => {
            read_categorized(record)?.iter().for_each(|place| entry.close(*place));
        }
        _ => {}
    }
    Ok(())
}

/// Writes the messages anew of which a record is lost, from the records that are left.
pub(super) fn repair(
    stage: &mut Stage<'_>,
    spool: u128,
    segments: &[SegmentFile],
    limits: &BTreeMap<u32, u64>,
    broken: &BTreeSet<u64>,
) {
    let mut left: BTreeMap<u64, AcceptRecord> = BTreeMap::new();
    let firsts: BTreeMap<u64, Lsn> =
        broken.iter().filter_map(|&id| Some((id, stage.entry(id)?.first))).collect();
    if firsts.is_empty() {
        return;
    }
    for segment in segments {
        let limit = limits.get(&segment.header.segment).copied().unwrap_or(0);
        for scanned in segment.scan(spool, limit) {
            if let Scanned::Frame(frame) = scanned {
                gather(&mut left, &firsts, &frame.header, &frame.record);
            }
        }
    }
    for (id, accept) in left {
        // What cannot be read now will be reported when it is opened.
        let _ = repair_one(stage, id, accept, &firsts);
    }
}

fn gather(
    left: &mut BTreeMap<u64, AcceptRecord>,
    firsts: &BTreeMap<u64, Lsn>,
    header: &Header,
    record: &[u8],
) {
    let accepts = header.kind == RecordType::Accept;
    if firsts.get(&header.id) == Some(&header.lsn) && accepts {
        left.extend(read_accept(record).map(|accept| (header.id, accept)));
    } else if let Some(accept) = left.get_mut(&header.id) {
        // Each record stands for itself: one that cannot be read takes no other with it.
        let _ = replay(&mut accept.state, header.kind, record);
    }
    if !accepts {
        return;
    }
    let taken = read_summary(record).ok().and_then(|fork| Some((fork.parent?, fork.taken)));
    if let Some((parent, taken)) = taken
        && let Some(parent) = left.get_mut(&parent)
    {
        let _ = transfer(&mut parent.state, &taken);
    }
}

fn repair_one(
    stage: &mut Stage<'_>,
    id: u64,
    accept: AcceptRecord,
    firsts: &BTreeMap<u64, Lsn>,
) -> Result<(), ReadError> {
    let first = firsts.get(&id).copied().ok_or(ReadError::Gone)?;
    let own = stage.frame_body(first)?;
    let body = stage.carried_body(&accept.body, own, 0)?;
    let complete = accept.state.is_complete();
    stage.consolidate(id, accept, body)?;
    if complete {
        let index = read_lock(&stage.shared.index);
        stage.changes.remove(&index, id);
    }
    Ok(())
}

/// Writes once more what a complete batch behind the mark holds.
pub(super) fn write_again(
    stage: &mut Stage<'_>,
    bodies: &mut HashMap<BodyId, Lsn>,
    batch: CompleteBatch,
) -> Result<(), StoreError> {
    for (frame, body) in batch.frames {
        let body = body.map_or(FrameBody::None, FrameBody::Memory);
        write_frame_again(
            stage,
            bodies,
            Frame { header: frame.header, record: frame.record, body },
        )?;
    }
    Ok(())
}

pub(super) fn write_frame_again(
    stage: &mut Stage<'_>,
    bodies: &mut HashMap<BodyId, Lsn>,
    frame: Frame,
) -> Result<(), StoreError> {
    let Frame { header, record, body } = frame;
    let (id, kind) = (header.id, header.kind);
    let body = match body {
        FrameBody::Memory(body) => Some(body),
        FrameBody::None | FrameBody::File { .. } => None,
    };
    if kind == RecordType::Accept {
        let Ok(summary) = read_summary(&record) else {
            return Ok(());
        };
        let frame = Encoded::from_record(kind, id, &record, body)?;
        let (lsn, octets) = stage.batch.push(frame, Lsn::default())?;
        let index = read_lock(&stage.shared.index);
        stage.changes.accept(&index, id, (lsn, octets), &summary);
        note_body(bodies, stage.changes, &index, (&summary, lsn));
        drop(index);
        return end_if_complete(stage, id);
    }
    if kind == RecordType::Note {
        let Ok(note) = read_note(&record) else {
            return Ok(());
        };
        let frame = Encoded::from_record(kind, id, &record, None)?;
        let place = stage.batch.push(frame, Lsn::default())?;
        stage.changes.put_note(place, note);
        return Ok(());
    }
    let Some(mut entry) = stage.entry(id) else {
        return Ok(());
    };
    let frame = Encoded::from_record(kind, id, &record, None)?;
    if kind == RecordType::Complete {
        stage.batch.push(frame, entry.last)?;
        let index = read_lock(&stage.shared.index);
        stage.changes.remove(&index, id);
        return Ok(());
    }
    if apply(&mut entry, kind, &record).is_ok() {
        let (lsn, octets) = stage.batch.push(frame, entry.last)?;
        entry.grow(lsn, octets);
        stage.changes.put_entry(id, Some(entry));
    }
    if kind == RecordType::Categorized {
        // Its forks follow and take the body from it; in a complete batch its Complete does too.
        return Ok(());
    }
    end_if_complete(stage, id)
}

fn end_if_complete(stage: &mut Stage<'_>, id: u64) -> Result<(), StoreError> {
    let Some(entry) = stage.entry(id).filter(Entry::is_complete) else {
        return Ok(());
    };
    let frame = Encoded::new(RecordType::Complete, id, None, |_| Ok(()))?;
    stage.batch.push(frame, entry.last)?;
    let index = read_lock(&stage.shared.index);
    stage.changes.remove(&index, id);
    Ok(())
}
