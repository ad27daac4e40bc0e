//! Surviving one failed write or sync: what was not durable is void, and what nobody would do
//! again is written once more elsewhere.
//!
//! After a failed sync the system may call pages clean that never reached the medium, so nothing
//! is ever written to that file again. The header of the next segment says where the failed one
//! ends, which voids what lies behind, and the kept commits follow it.
//!
//! One window is open: a kill after that header and before the kept commits are written loses an
//! Intent or a `Buffered` commit of the last second, as a power cut would. It takes a failed sync
//! and a kill within the milliseconds of one write.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::ops::Range;

use hashbrown::HashMap;

use super::batch::Batch;
use super::committer::{Committer, Waiter, answer_all, answer_durable, create_segment};
use super::frame::RecordType;
use super::index::Segment;
use super::replay::write_frame_again;
use super::reserve::no_space;
use super::shared::Counters;
use super::spare::cannot;
use super::stage::Stage;
use crate::spool::StoreError;
use crate::sync::write_lock;

/// A batch that no sync covers yet.
#[derive(Debug)]
pub(super) struct Unsynced {
    pub(super) batch: Batch,
    pub(super) groups: Vec<GroupFrames>,
}

/// The frames of one commit in its batch.
#[derive(Clone, Debug)]
pub(super) struct GroupFrames {
    pub(super) frames: Range<usize>,
    /// Whoever waits for it is told to come again.
    pub(super) refusable: bool,
}

/// A write or sync that failed.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) action: &'static str,
    pub(super) path: String,
    pub(super) error: io::Error,
}

impl Trouble {
    fn describe(&self) -> String {
        format!("{} of {}: {}", self.action, self.path, self.error)
    }

    /// What those are told who may come again.
    fn refusal(&self) -> StoreError {
        if no_space(&self.error) {
            return StoreError::Full { resource: "disk space" };
        }
        StoreError::Io { path: self.path.clone(), error: self.error.to_string() }
    }
}

impl Committer {
    /// Goes on in a new segment after the first failure, and ends the log after the second. The
    /// commits of `waiters` are in the last batch; they are answered when that is void.
    pub(super) fn rescue(&mut self, trouble: &Trouble, mut waiters: Vec<Waiter>) {
        let kept = match self.void(trouble) {
            Err(failure) => {
                let answers = waiters.into_iter().map(|waiter| waiter.answer);
                return answer_all(answers, &failure);
            }
            Ok(kept) => kept,
        };
        for waiter in &mut waiters {
            if let Some(position) = kept.get(&waiter.frames.start) {
                waiter.committed.position = *position;
            }
        }
        let is_kept = |to: &Waiter| to.frames.is_empty() || kept.contains_key(&to.frames.start);
        let (kept, mut refused): (Vec<_>, Vec<_>) = waiters.into_iter().partition(is_kept);
        for claim in refused.iter_mut().flat_map(|waiter| &mut waiter.claims) {
            claim.release();
        }
        answer_all(refused.into_iter().map(|waiter| waiter.answer), &trouble.refusal());
        answer_durable(&self.shared, kept);
        self.after_sync();
    }

    /// Voids what no sync covers and writes the kept commits again. Gives, for each kept commit of
    /// the last batch, its first frame's number there and its new position.
    fn void(&mut self, trouble: &Trouble) -> Result<HashMap<usize, u64>, StoreError> {
        // A full disk is no broken one.
        if !no_space(&trouble.error) && std::mem::replace(&mut self.survived_one, true) {
            return Err(self.give_up(trouble));
        }
        let (segment, end) = (self.current.segment, self.current.synced);
        self.begin_next().map_err(|failed| {
            self.shared.fail(format!("{}, then {}", trouble.describe(), cannot(&failed)))
        })?;
        if let Some(failed) = write_lock(&self.shared.index).segments.get_mut(&segment) {
            *failed = Segment { octets: end, end, failed: true, ..*failed };
        }
        Counters::add(&self.shared.counters.voided, 1);
        // What was copied in the failed batch is void too, so its segment is copied anew.
        self.copying = None;
        let unsynced = std::mem::take(&mut self.unsynced);
        let (batch, kept) = self.write_kept(unsynced)?;
        if !batch.is_empty() {
            let written = self.write_batch(batch, Vec::new()).and_then(|()| self.sync());
            written.map_err(|trouble| self.give_up(&trouble))?;
        }
        self.merge();
        Ok(kept)
    }

    /// A batch with the commits that are kept, each whole.
    fn write_kept(
        &mut self,
        unsynced: Vec<Unsynced>,
    ) -> Result<(Batch, HashMap<usize, u64>), StoreError> {
        let batch = self.new_batch();
        let shared = std::sync::Arc::clone(&self.shared);
        // As if they had never been; readers see them all the while.
        let mut changes = std::mem::take(&mut self.before).into_changes();
        let mut stage = Stage::new(&shared, batch, &mut changes);
        let (mut refused, mut kept) = (BTreeSet::new(), HashMap::new());
        for Unsynced { batch, groups } in unsynced {
            // Only those of the last batch are asked for.
            kept.clear();
            for GroupFrames { frames, refusable } in groups {
                // One that is about a refused message goes with it.
                let ids: HashSet<u64> =
                    batch.frames(frames.clone()).map(|it| it.header.id).collect();
                if refusable || ids.iter().any(|id| refused.contains(id)) {
                    let accepts = batch.frames(frames);
                    let accepts = accepts.filter(|it| it.header.kind == RecordType::Accept);
                    refused.extend(accepts.map(|it| it.header.id));
                    continue;
                }
                for frame in batch.frames(frames.clone()) {
                    write_frame_again(&mut stage, &mut HashMap::new(), frame)?;
                }
                kept.insert(frames.start, stage.batch.end_lsn().0);
            }
        }
        let batch = stage.batch;
        self.changes = changes;
        Ok((batch, kept))
    }

    /// Takes nothing more. What is refused now may stand in the file all the same, and a restart
    /// would take it for complete. So the header of a next segment, which holds nothing else, names
    /// where this one ends, before anybody is answered. Nothing can be done where that fails too.
    pub(super) fn give_up(&mut self, trouble: &Trouble) -> StoreError {
        let failure = self.shared.fail(trouble.describe());
        if let Some(header) = self.next_header(self.current.synced) {
            drop(create_segment(&self.shared, &header));
        }
        failure
    }
}
