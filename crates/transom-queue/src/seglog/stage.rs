//! Puts operations into a batch: checks them against what is known, gives the frames their places
//! and notes what they change. Nothing is written here.

use transom_types::InternalMessageId;

use super::accept::{AcceptRecord, AcceptSummary};
use super::batch::{Batch, BatchFrames, Encoded, Mark, NO_ROOM};
use super::body::{Body, Place};
use super::encode::{Effect, EncodedOp};
use super::frame::{Lsn, RecordType};
use super::index::{Changes, Entry, Index, SharedPlace};
use super::reader::{DiskFrames, FrameBody, Frames, ReadError, Rebuilt, rebuild};
use super::shared::Shared;
use crate::message::{Accepted, MessageState};
use crate::spool::{AdminVerb, BlobClaim, Committed, Decide, EditList, Fork, Note, StoreError};
use crate::sync::read_lock;

const FOREIGN_BODY: StoreError =
    StoreError::Unreachable("the body of a message was taken in by another store");
const NO_SUCH_RECIPIENT: StoreError =
    StoreError::Unreachable("an operation names a recipient that the message has not got");

/// A batch, with all that it changes once it is written.
#[derive(Debug)]
pub(super) struct Stage<'s> {
    pub(super) shared: &'s Shared,
    pub(super) batch: Batch,
    pub(super) changes: &'s mut Changes,
    /// Open messages after this batch.
    messages: u64,
}

/// A commit in the batch.
pub(super) struct Staged {
    pub(super) committed: Committed,
    /// Files of large bodies that its messages now own.
    pub(super) claims: Vec<Box<dyn BlobClaim>>,
}

impl<'s> Stage<'s> {
    pub(super) fn new(shared: &'s Shared, batch: Batch, changes: &'s mut Changes) -> Self {
        let messages = read_lock(&shared.index).messages.len();
        Self { shared, batch, changes, messages: u64::try_from(messages).unwrap_or(u64::MAX) }
    }

    /// All operations of a commit, or none of them.
    pub(super) fn group(&mut self, ops: Vec<EncodedOp>) -> Result<Staged, StoreError> {
        let (mark, before): (Mark, u64) = (self.batch.mark(), self.messages);
        self.changes.begin_group();
        let mut staged = Staged { committed: Committed::default(), claims: Vec::new() };
        let mut result = ops.into_iter().try_for_each(|op| self.op(op, &mut staged));
        if self.messages > before && self.messages > self.shared.options.messages_max {
            result = result.and(Err(StoreError::Full { resource: "messages" }));
        }
        if let Err(error) = result {
            self.changes.undo_group();
            self.batch.go_back(mark);
            self.messages = before;
            return Err(error);
        }
        if staged.committed.position == 0 {
            staged.committed.position = self.batch.end_lsn().0;
        }
        Ok(staged)
    }

    fn op(&mut self, op: EncodedOp, staged: &mut Staged) -> Result<(), StoreError> {
        let EncodedOp { frame, effect } = op;
        let id = frame.id;
        match effect {
            Effect::Accept(summary, claim) => {
                if self.entry(id).is_some() || id >> 32 != u64::from(self.shared.epoch) {
                    return Err(FOREIGN_BODY);
                }
                self.accept(frame, &summary, staged)?;
                staged.claims.extend(claim);
                self.messages = self.messages.saturating_add(1);
            }
            Effect::Categorize(forks) => self.categorize(frame, forks, staged)?,
            Effect::Decide(decide, ids) => self.decide(frame, &decide, &ids, staged)?,
            Effect::Intent => self.change(frame, staged, |_| Ok(()))?,
            Effect::Settle(recipients) => self.change(frame, staged, |entry| {
                if !recipients.iter().all(|(place, _)| entry.has(*place)) {
                    return Err(NO_SUCH_RECIPIENT);
                }
                for (place, _) in recipients.iter().filter(|(_, ends)| *ends) {
                    entry.close(*place);
                }
                Ok(())
            })?,
            Effect::Edit(edits) => {
                self.check_edits(id, &edits)?;
                self.change(frame, staged, |_| Ok(()))?;
            }
            Effect::Note(note) => self.note(frame, note, staged)?,
            Effect::Admin(verb) => self.change(frame, staged, |entry| {
                if verb == AdminVerb::Remove {
                    entry.close_all();
                }
                Ok(())
            })?,
        }
        self.complete(id, staged)
    }

    fn note(&mut self, frame: Encoded, note: Note, staged: &mut Staged) -> Result<(), StoreError> {
        let count = self.with_index(|index, changes| {
            let known = changes.note(index, &note.key).is_some();
            u64::try_from(index.notes.len()).unwrap_or(u64::MAX).saturating_sub(known.into())
        });
        let is_full = note.value.is_some() && count >= self.shared.options.notes_max;
        if is_full && !self.forget_notes() {
            return Err(StoreError::Full { resource: "notes" });
        }
        let place = self.batch.push(frame, Lsn::default())?;
        staged.committed.position = place.0.0;
        self.changes.put_note(place, note);
        Ok(())
    }

    /// Forgets the notes whose time is over. Whether there were any.
    fn forget_notes(&mut self) -> bool {
        let now = self.shared.time();
        let over: Vec<String> = self.with_index(|index, changes| {
            let keys = index.notes.iter().filter(|(_, stored)| stored.note.is_over(now));
            let keys = keys.map(|(key, _)| key);
            keys.filter(|key| changes.note(index, key) == index.notes.get(*key)).cloned().collect()
        });
        let any = !over.is_empty();
        for key in over {
            self.changes.put_stored_note(key, None);
        }
        any
    }

    /// Whether the edits stay within the content that they are of.
    fn check_edits(&self, id: u64, edits: &EditList) -> Result<(), StoreError> {
        let message = InternalMessageId(id);
        let entry = self.entry(id).ok_or(StoreError::NotFound(message))?;
        let rebuilt = self.rebuild(id, &entry).map_err(|error| store_error(message, error))?;
        edits.check(rebuilt.accept.body.octets)
    }

    pub(super) fn entry(&self, id: u64) -> Option<Entry> {
        let index = read_lock(&self.shared.index);
        self.changes.entry(&index, id).cloned()
    }

    fn accept(
        &mut self,
        frame: Encoded,
        summary: &AcceptSummary,
        staged: &mut Staged,
    ) -> Result<(), StoreError> {
        let id = frame.id;
        let (lsn, octets) = self.batch.push(frame, Lsn::default())?;
        staged.committed.position = lsn.0;
        let index = read_lock(&self.shared.index);
        self.changes.accept(&index, id, (lsn, octets), summary);
        Ok(())
    }

    /// A record about a message that is there.
    fn change(
        &mut self,
        frame: Encoded,
        staged: &mut Staged,
        change: impl FnOnce(&mut Entry) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let id = frame.id;
        let mut entry = self.entry(id).ok_or(StoreError::NotFound(InternalMessageId(id)))?;
        change(&mut entry)?;
        let (lsn, octets) = self.batch.push(frame, entry.last)?;
        entry.grow(lsn, octets);
        staged.committed.position = lsn.0;
        self.changes.put_entry(id, Some(entry));
        Ok(())
    }

    /// [RFC 5321 §2.1-a, §6.1-a] custody ends with the last open recipient, in the same batch.
    fn complete(&mut self, id: u64, staged: &mut Staged) -> Result<(), StoreError> {
        let Some(entry) = self.entry(id).filter(Entry::is_complete) else {
            return Ok(());
        };
        let frame = Encoded::new(RecordType::Complete, id, None, |_| Ok(()))?;
        let (lsn, _) = self.batch.push(frame, entry.last)?;
        staged.committed.position = lsn.0;
        staged.committed.completed.push(InternalMessageId(id));
        let index = read_lock(&self.shared.index);
        self.changes.remove(&index, id);
        self.messages = self.messages.saturating_sub(1);
        Ok(())
    }

    fn categorize(
        &mut self,
        frame: Encoded,
        forks: Vec<(u64, Fork)>,
        staged: &mut Staged,
    ) -> Result<(), StoreError> {
        let parent = InternalMessageId(frame.id);
        let entry = self.entry(frame.id).ok_or(StoreError::NotFound(parent))?;
        // Read here, not by whoever commits: the forks inherit what all records before made.
        let rebuilt = self.rebuild(frame.id, &entry);
        let Rebuilt { accept, .. } = rebuilt.map_err(|error| store_error(parent, error))?;
        let mut state = accept.state.clone();
        let mut copies = Vec::with_capacity(forks.len());
        for (id, fork) in forks {
            let copy = state.fork(parent, &accept.accepted, &fork)?;
            copies.push((id, copy, fork.recipients));
        }
        let taken = copies.iter().flat_map(|copy| copy.2.iter().copied());
        let taken: Vec<u32> = taken.collect();
        self.copies(frame, &accept, &taken, copies, staged)
    }

    fn decide(
        &mut self,
        frame: Encoded,
        decide: &Decide,
        ids: &[u64],
        staged: &mut Staged,
    ) -> Result<(), StoreError> {
        let entry = self.entry(frame.id).ok_or(StoreError::NotFound(decide.id))?;
        let rebuilt = self.rebuild(frame.id, &entry);
        let Rebuilt { accept, .. } = rebuilt.map_err(|error| store_error(decide.id, error))?;
        let mut state = accept.state.clone();
        let made = state.decide(&accept.accepted, accept.body.octets, decide)?;
        // Each copy tells who has ended, in case the message's own record of it is lost.
        let ended: Vec<u32> = decide.ended.iter().map(|ended| ended.recipient).collect();
        let copies = ids.iter().zip(made).map(|(id, copy)| (*id, copy, ended.clone())).collect();
        self.copies(frame, &accept, &ended, copies, staged)
    }

    /// Recipients are not open any more in a message, and copies of it begin: each with its id and
    /// with the recipients whose place it takes.
    fn copies(
        &mut self,
        frame: Encoded,
        accept: &AcceptRecord,
        taken: &[u32],
        copies: Vec<(u64, (Accepted, MessageState), Vec<u32>)>,
        staged: &mut Staged,
    ) -> Result<(), StoreError> {
        self.change(frame, staged, |entry| {
            for place in taken {
                entry.close(*place);
            }
            Ok(())
        })?;
        let place = if accept.body.place == Place::Blob { Place::Blob } else { Place::Elsewhere };
        for (id, (accepted, state), taken) in copies {
            if state.suspended.is_some() {
                staged.committed.suspended.push(InternalMessageId(id));
            }
            let body = Body { place, ..accept.body.clone() };
            let unknown = accept.unknown.clone();
            let copy = AcceptRecord { accepted, state, body, taken, unknown };
            let frame = Encoded::new(RecordType::Accept, id, None, |out| copy.put(out))?;
            self.accept(frame, &copy.summary(), staged)?;
            self.messages = self.messages.saturating_add(1);
            staged.committed.forks.push(InternalMessageId(id));
        }
        Ok(())
    }

    /// The message, with this batch's records of it.
    pub(super) fn rebuild(&self, id: u64, entry: &Entry) -> Result<Rebuilt, ReadError> {
        let disk = DiskFrames::new(&*self.shared.io, self.shared.spool, &self.shared.index);
        let frames = BatchFrames { batch: &self.batch, disk };
        rebuild(&frames, id, (entry.first, entry.last))
    }

    /// Writes a message anew, as one record that holds all that became of it. `body` is what its
    /// frame is to carry: octets as they stood, verified or not, since their checksums go along.
    pub(super) fn consolidate(
        &mut self,
        id: u64,
        mut accept: AcceptRecord,
        body: Option<FrameBody>,
    ) -> Result<u64, ReadError> {
        let bytes = body.map(|body| body.read()).transpose()?;
        accept.body.place = match (&bytes, accept.body.place) {
            (_, Place::Blob) => Place::Blob,
            (Some(_), _) => Place::Inline,
            (None, _) => Place::Elsewhere,
        };
        let bug = |error: StoreError| ReadError::Damaged(error.to_string());
        let frame = Encoded::new(RecordType::Accept, id, bytes, |out| accept.put(out));
        let placed = self.batch.push(frame.map_err(bug)?, Lsn::default());
        let (lsn, octets) = placed.map_err(|error| match error {
            StoreError::Full { .. } => ReadError::NoRoom,
            other => bug(other),
        })?;
        let index = read_lock(&self.shared.index);
        // Its shared body keeps its place in the index unless this frame carries it.
        self.changes.accept(&index, id, (lsn, octets), &accept.summary());
        Ok(octets)
    }

    /// The body that a message's new first frame is to carry: one that lies in the `segment` to
    /// be freed, or one that always lies in the message's first frame, which is `own`.
    pub(super) fn carried_body(
        &self,
        body: &Body,
        own: FrameBody,
        segment: u32,
    ) -> Result<Option<FrameBody>, ReadError> {
        if body.place == Place::Blob {
            return Ok(None);
        }
        let shared = |index: &Index, changes: &Changes| {
            changes.body(index, body.id).map(|shared| shared.place)
        };
        match self.with_index(shared) {
            Some(SharedPlace::Log(lsn)) if lsn.segment() == segment => {
                self.frame_body(lsn).map(Some)
            }
            Some(_) => Ok(None),
            None => Ok(Some(own)),
        }
    }

    /// Reads a frame from this batch or the disk.
    pub(super) fn frame_body(&self, lsn: Lsn) -> Result<FrameBody, ReadError> {
        let disk = DiskFrames::new(&*self.shared.io, self.shared.spool, &self.shared.index);
        let frames = BatchFrames { batch: &self.batch, disk };
        Ok(frames.frame(lsn)?.body)
    }

    /// Looks into index and changes together.
    pub(super) fn with_index<R>(&self, look: impl FnOnce(&Index, &Changes) -> R) -> R {
        look(&read_lock(&self.shared.index), self.changes)
    }
}

/// What a reader is told.
pub(super) fn store_error(id: InternalMessageId, error: ReadError) -> StoreError {
    match error {
        ReadError::Damaged(what) => StoreError::Damaged { id, what },
        ReadError::NoRoom => NO_ROOM,
        ReadError::Gone => StoreError::Damaged { id, what: "its segment is gone".into() },
        ReadError::Io(path, error) | ReadError::Unopened(path, error) => {
            StoreError::Io { path, error: error.to_string() }
        }
    }
}
