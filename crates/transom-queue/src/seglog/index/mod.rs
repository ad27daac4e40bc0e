//! What the store knows of each open message without reading: where its records lie, which
//! recipients are open, where its body lies. 40 octets for a message with up to 32 recipients.

mod messages;

use std::collections::BTreeMap;

use hashbrown::HashMap;

use self::messages::Messages;
use super::accept::AcceptSummary;
use super::body::{Body, BodyId, Place};
use super::frame::Lsn;
use super::notes::{Notes, StoredNote};
use super::segment::DATA_START;
use crate::spool::Note;

/// Sizes are kept in units of this many octets.
const UNIT_OCTETS: u64 = 64;
/// Recipients whose state fits into the entry itself.
const SMALL_MAX: usize = 32;

/// All open messages, as the readers see them.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) messages: Messages,
    /// Bodies that are shared or lie in files. All others lie in the first record of their message.
    pub(super) bodies: HashMap<BodyId, SharedBody>,
    pub(super) notes: Notes<StoredNote>,
    pub(super) segments: BTreeMap<u32, Segment>,
    /// Octets of records and bodies that count.
    pub(super) live_octets: u64,
}

/// A segment file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) epoch: u32,
    /// Its size, header included. One that this boot writes to counts as far as it is written.
    pub(super) octets: u64,
    /// Where its last frame ends.
    pub(super) end: u64,
    /// Open messages whose first record lies here.
    pub(super) messages: u64,
    /// Shared bodies that lie here.
    pub(super) bodies: u64,
    /// Notes that lie here.
    pub(super) notes: u64,
    /// It holds damage that could not be set aside: it stays.
    pub(super) kept: bool,
    /// A write to it failed: its file is never written again.
    pub(super) failed: bool,
}

impl Segment {
    /// One that was just begun.
    pub(super) fn new(epoch: u32) -> Self {
        Self { epoch, octets: DATA_START, end: DATA_START, ..Self::default() }
    }

    /// Whether nothing in it counts. Holds for the oldest segment only: an older one would have
    /// the first records of messages that go on here.
    pub(super) fn is_dead(&self) -> bool {
        self.messages == 0 && self.bodies == 0 && self.notes == 0
    }
}

/// One open message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) first: Lsn,
    pub(super) last: Lsn,
    extra: Option<Box<Extra>>,
    open: u32,
    units: u16,
    count: u8,
}

/// What few messages have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Extra {
    /// For each recipient whether it is open, where there are more than fit into the entry.
    open: Vec<bool>,
    /// The body, where it is shared or lies in a file.
    body: Option<BodyId>,
}

/// A body that several messages share or that lies in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SharedBody {
    pub(super) place: SharedPlace,
    /// Octets that it takes in the log.
    pub(super) octets: u64,
    /// The open messages that have it.
    pub(super) messages: Vec<u64>,
}

/// Where a shared body lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SharedPlace {
    /// In a file.
    Blob,
    /// In the frame at this place; 0 when no frame with it was found.
    Log(Lsn),
}

impl Entry {
    fn new(lsn: Lsn, octets: u64, open: &[bool]) -> Self {
        let mut entry = Self {
            first: lsn,
            last: lsn,
            extra: None,
            open: 0,
            units: units(octets),
            count: u8::try_from(open.len()).unwrap_or(u8::MAX),
        };
        if open.len() > SMALL_MAX {
            entry.extra_mut().open = open.to_vec();
            entry.count = u8::MAX;
        } else {
            let bits = open.iter().zip(0u32..).map(|(&open, bit)| u32::from(open) << bit);
            entry.open = bits.fold(0, |all, bit| all | bit);
        }
        entry
    }

    fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    pub(super) fn body(&self) -> Option<BodyId> {
        self.extra.as_ref().and_then(|extra| extra.body)
    }

    /// Whether no recipient is open.
    pub(super) fn is_complete(&self) -> bool {
        let many = self.extra.as_ref().is_some_and(|extra| extra.open.contains(&true));
        self.open == 0 && !many
    }

    pub(super) fn is_open(&self, place: u32) -> bool {
        match usize::try_from(place) {
            Ok(at) if self.is_large() => {
                let open = self.extra.as_ref().and_then(|extra| extra.open.get(at));
                open.copied().unwrap_or(false)
            }
            _ => self.open & bit(place) != 0,
        }
    }

    /// Whether the message has a recipient at this place.
    pub(super) fn has(&self, place: u32) -> bool {
        match usize::try_from(place) {
            Ok(at) if self.is_large() => {
                self.extra.as_ref().is_some_and(|extra| at < extra.open.len())
            }
            _ => place < u32::from(self.count),
        }
    }

    fn is_large(&self) -> bool {
        usize::from(self.count) > SMALL_MAX
    }

    pub(super) fn close(&mut self, place: u32) {
        let large = self.is_large();
        match usize::try_from(place) {
            Ok(at) if large => {
                if let Some(open) = self.extra_mut().open.get_mut(at) {
                    *open = false;
                }
            }
            _ => self.open &= !bit(place),
        }
    }

    pub(super) fn close_all(&mut self) {
        self.open = 0;
        if let Some(extra) = &mut self.extra {
            extra.open.fill(false);
        }
    }

    /// A further record of the message.
    pub(super) fn grow(&mut self, lsn: Lsn, octets: u64) {
        self.last = lsn;
        self.units = self.units.saturating_add(units(octets));
    }

    fn octets(&self) -> u64 {
        u64::from(self.units).saturating_mul(UNIT_OCTETS)
    }
}

fn units(octets: u64) -> u16 {
    u16::try_from(octets.div_ceil(UNIT_OCTETS)).unwrap_or(u16::MAX)
}

fn bit(place: u32) -> u32 {
    1u32.checked_shl(place).unwrap_or(0)
}

/// Changes that a batch makes, on top of an index that readers still see without them.
#[derive(Debug, Default)]
pub(super) struct Changes {
    entries: HashMap<u64, Option<Entry>>,
    bodies: HashMap<BodyId, Option<SharedBody>>,
    notes: Notes<Option<StoredNote>>,
    undo: Vec<Undo>,
}

/// What stood in the changes before; none where nothing did.
#[derive(Debug)]
#[expect(clippy::option_option, reason = "no change, and a change to nothing, are two things")]
enum Undo {
    Entry(u64, Option<Option<Entry>>),
    Body(BodyId, Option<Option<SharedBody>>),
    Note(String, Option<Option<StoredNote>>),
}

impl Changes {
    /// From here on changes can be taken back.
    pub(super) fn begin_group(&mut self) {
        self.undo.clear();
    }

    /// Takes back all changes since [`begin_group`](Self::begin_group).
    pub(super) fn undo_group(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Entry(id, before) => restore(&mut self.entries, id, before),
                Undo::Body(id, before) => restore(&mut self.bodies, id, before),
                Undo::Note(key, Some(before)) => drop(self.notes.insert(key, before)),
                Undo::Note(key, None) => drop(self.notes.remove(&key)),
            }
        }
    }

    pub(super) fn entry<'i>(&'i self, index: &'i Index, id: u64) -> Option<&'i Entry> {
        match self.entries.get(&id) {
            Some(changed) => changed.as_ref(),
            None => index.messages.get(&id),
        }
    }

    pub(super) fn body<'i>(&'i self, index: &'i Index, id: BodyId) -> Option<&'i SharedBody> {
        match self.bodies.get(&id) {
            Some(changed) => changed.as_ref(),
            None => index.bodies.get(&id),
        }
    }

    pub(super) fn put_entry(&mut self, id: u64, entry: Option<Entry>) {
        let before = self.entries.insert(id, entry);
        self.undo.push(Undo::Entry(id, before));
    }

    pub(super) fn note<'i>(&'i self, index: &'i Index, key: &str) -> Option<&'i StoredNote> {
        match self.notes.get(key) {
            Some(changed) => changed.as_ref(),
            None => index.notes.get(key),
        }
    }

    /// A note that stands in a record now, or one that is removed.
    pub(super) fn put_note(&mut self, (lsn, octets): (Lsn, u64), note: Note) {
        let key = note.key.clone();
        let stored = note.value.is_some().then_some(StoredNote { lsn, octets, note });
        self.put_stored_note(key, stored);
    }

    pub(super) fn put_stored_note(&mut self, key: String, stored: Option<StoredNote>) {
        let before = self.notes.insert(key.clone(), stored);
        self.undo.push(Undo::Note(key, before));
    }

    fn put_body(&mut self, id: BodyId, body: Option<SharedBody>) {
        let before = self.bodies.insert(id, body);
        self.undo.push(Undo::Body(id, before));
    }

    /// An Accept record stands at `lsn`: it replaces all that was known of the message.
    pub(super) fn accept(
        &mut self,
        index: &Index,
        id: u64,
        (lsn, frame_octets): (Lsn, u64),
        summary: &AcceptSummary,
    ) {
        let body = &summary.body;
        let inline = if body.place == Place::Inline { body.octets } else { 0 };
        let implicit = body.place == Place::Inline
            && body.id.message == id
            && self.body(index, body.id).is_none();
        if implicit {
            self.put_entry(id, Some(Entry::new(lsn, frame_octets, &summary.open)));
            return;
        }
        self.share(index, body);
        let mut shared = self.body(index, body.id).cloned().unwrap_or_else(|| SharedBody {
            place: SharedPlace::Log(Lsn::default()),
            octets: body.octets,
            messages: Vec::new(),
        });
        match body.place {
            Place::Inline => shared.place = SharedPlace::Log(lsn),
            Place::Blob => (shared.place, shared.octets) = (SharedPlace::Blob, 0),
            Place::Elsewhere => {}
        }
        if !shared.messages.contains(&id) {
            shared.messages.push(id);
        }
        self.put_body(body.id, Some(shared));
        let mut entry = Entry::new(lsn, frame_octets.saturating_sub(inline), &summary.open);
        entry.extra_mut().body = Some(body.id);
        self.put_entry(id, Some(entry));
    }

    /// Where a shared body lies whose own message was complete before this one was read.
    pub(super) fn find_body(&mut self, index: &Index, id: BodyId, lsn: Lsn) {
        let lost = SharedPlace::Log(Lsn::default());
        if let Some(shared) = self.body(index, id).filter(|shared| shared.place == lost) {
            let found = SharedBody { place: SharedPlace::Log(lsn), ..shared.clone() };
            self.put_body(id, Some(found));
        }
    }

    /// A body that its own message alone had gets an entry of its own.
    fn share(&mut self, index: &Index, body: &Body) {
        let owner = self.entry(index, body.id.message);
        let alone = owner.filter(|owner| owner.body().is_none());
        let known = self.body(index, body.id).is_some();
        let Some(mut owner) = alone.filter(|_| !known && body.place == Place::Elsewhere).cloned()
        else {
            return;
        };
        let shared = SharedBody {
            place: SharedPlace::Log(owner.first),
            octets: body.octets,
            messages: vec![body.id.message],
        };
        owner.units = owner.units.saturating_sub(units(body.octets));
        owner.extra_mut().body = Some(body.id);
        self.put_body(body.id, Some(shared));
        self.put_entry(body.id.message, Some(owner));
    }

    /// The message is complete, or lost.
    pub(super) fn remove(&mut self, index: &Index, id: u64) {
        let body = self.entry(index, id).and_then(Entry::body);
        self.put_entry(id, None);
        let Some((body, mut shared)) =
            body.and_then(|body| Some((body, self.body(index, body)?.clone())))
        else {
            return;
        };
        shared.messages.retain(|&message| message != id);
        let rest = (!shared.messages.is_empty()).then_some(shared);
        self.put_body(body, rest);
    }
}

/// What stood in the index before changes that readers see already and no sync covers yet.
#[derive(Debug, Default)]
pub(super) struct Before {
    entries: HashMap<u64, Option<Entry>>,
    bodies: HashMap<BodyId, Option<SharedBody>>,
    notes: Notes<Option<StoredNote>>,
}

impl Before {
    /// The changes that take all of them back.
    pub(super) fn into_changes(self) -> Changes {
        let Self { entries, bodies, notes } = self;
        Changes { entries, bodies, notes, undo: Vec::new() }
    }
}

fn restore<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, key: K, before: Option<V>) {
    match before {
        Some(before) => map.insert(key, before),
        None => map.remove(&key),
    };
}

impl Index {
    /// Notes what `changes` will replace, unless an earlier one has replaced it already.
    pub(super) fn remember(&self, changes: &Changes, before: &mut Before) {
        for id in changes.entries.keys() {
            let now = || self.messages.get(id).cloned();
            before.entries.entry(*id).or_insert_with(now);
        }
        for id in changes.bodies.keys() {
            before.bodies.entry(*id).or_insert_with(|| self.bodies.get(id).cloned());
        }
        for key in changes.notes.keys() {
            let now = || self.notes.get(key).cloned();
            before.notes.entry(key.clone()).or_insert_with(now);
        }
    }

    /// Makes the changes visible. Gives the ids of blobs that no message has any more.
    pub(super) fn merge(&mut self, changes: &mut Changes) -> Vec<BodyId> {
        let mut freed = Vec::new();
        changes.undo.clear();
        for (id, entry) in changes.entries.drain() {
            if let Some(entry) = &entry {
                self.count_message(entry, true);
            }
            let before = match entry {
                Some(entry) => self.messages.insert(id, entry),
                None => self.messages.remove(&id),
            };
            if let Some(before) = before {
                self.count_message(&before, false);
            }
        }
        for (id, body) in changes.bodies.drain() {
            let ends = body.is_none();
            if let Some(body) = &body {
                self.count_body(body, true);
            }
            let before = match body {
                Some(body) => self.bodies.insert(id, body),
                None => self.bodies.remove(&id),
            };
            if let Some(before) = before {
                self.count_body(&before, false);
                if ends && before.place == SharedPlace::Blob {
                    freed.push(id);
                }
            }
        }
        for (key, note) in std::mem::take(&mut changes.notes) {
            if let Some(note) = &note {
                self.count_note(note, true);
            }
            let before = match note {
                Some(note) => self.notes.insert(key, note),
                None => self.notes.remove(&key),
            };
            if let Some(before) = before {
                self.count_note(&before, false);
            }
        }
        freed
    }

    fn count_note(&mut self, note: &StoredNote, more: bool) {
        step(&mut self.live_octets, note.octets, more);
        if let Some(segment) = self.segments.get_mut(&note.lsn.segment()) {
            step(&mut segment.notes, 1, more);
        }
    }

    fn count_message(&mut self, entry: &Entry, more: bool) {
        step(&mut self.live_octets, entry.octets(), more);
        if let Some(segment) = self.segments.get_mut(&entry.first.segment()) {
            step(&mut segment.messages, 1, more);
        }
    }

    fn count_body(&mut self, body: &SharedBody, more: bool) {
        step(&mut self.live_octets, body.octets, more);
        if let SharedPlace::Log(lsn) = body.place
            && let Some(segment) = self.segments.get_mut(&lsn.segment())
        {
            step(&mut segment.bodies, 1, more);
        }
    }

    /// Octets of all segments.
    pub(super) fn log_octets(&self) -> u64 {
        self.segments.values().fold(0, |sum, segment| sum.saturating_add(segment.octets))
    }
}

fn step(number: &mut u64, by: u64, more: bool) {
    *number = if more { number.saturating_add(by) } else { number.saturating_sub(by) };
}

#[cfg(test)]
mod tests;
