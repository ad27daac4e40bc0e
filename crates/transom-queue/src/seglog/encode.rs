//! Operations as records: done by whoever commits, before the committer sees them.

use std::fmt;

use futures::channel::oneshot;
use transom_types::InternalMessageId;

use super::accept::{AcceptSummary, put_accept};
use super::batch::Encoded;
use super::body::{Body, BodyId, Place, block_crcs};
use super::edits::put_edits;
use super::frame::RecordType;
use super::notes::put_note;
use super::shared::{Group, Shared};
use super::state::{put_admin, put_categorized, put_decision, put_intent, put_settle};
use crate::message::IngressKind;
use crate::spool::{
    Accept, AdminVerb, BlobClaim, Committed, Decide, Durability, EditList, Fork, Ingested,
    IngestedBody, Note, Op, StoreError,
};

/// One operation, encoded.
#[derive(Debug)]
pub(super) struct EncodedOp {
    pub(super) frame: Encoded,
    pub(super) effect: Effect,
}

/// What the operation does to the index.
pub(super) enum Effect {
    Accept(AcceptSummary, Option<Box<dyn BlobClaim>>),
    /// The forks, each with its id. Their Accepts are made by the committer, because they hold
    /// what all records before made of the parent.
    Categorize(Vec<(u64, Fork)>),
    /// The ids of the copies. Their Accepts are made by the committer, as those of forks.
    Decide(Box<Decide>, Vec<u64>),
    Intent,
    /// Places, and whether they end.
    Settle(Vec<(u32, bool)>),
    Admin(AdminVerb),
    Edit(EditList),
    Note(Note),
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept(..) => "Accept",
            Self::Categorize(_) => "Categorize",
            Self::Decide(..) => "Decide",
            Self::Intent => "Intent",
            Self::Settle(_) => "Settle",
            Self::Admin(_) => "Admin",
            Self::Edit(_) => "Edit",
            Self::Note(_) => "Note",
        })
    }
}

/// One commit, ready for the committer.
pub(super) fn encode_group(
    shared: &Shared,
    ops: Vec<Op>,
    durability: Durability,
) -> Result<(Group, oneshot::Receiver<Result<Committed, StoreError>>), StoreError> {
    // An Intent must survive the process, not the machine: see the crate's documentation.
    let intents = ops.iter().all(|op| matches!(op, Op::Intent { .. }));
    let early = intents || durability == Durability::Buffered;
    let refusable = !early && ops.iter().all(is_from_outside);
    let ops: Result<Vec<_>, _> = ops.into_iter().map(|op| encode_op(shared, op)).collect();
    let ops = ops?;
    let octets = ops.iter().fold(0u64, |sum, op| sum.saturating_add(op.frame.octets()));
    let (answer, answered) = oneshot::channel();
    Ok((Group { ops, octets, early, refusable, answer }, answered))
}

/// Whether somebody who still has the message waits for custody of it.
fn is_from_outside(op: &Op) -> bool {
    matches!(op, Op::Accept(accept) if accept.message.ingress.kind != IngressKind::Dsn)
}

fn encode_op(shared: &Shared, op: Op) -> Result<EncodedOp, StoreError> {
    match op {
        Op::Accept(accept) => encode_accept(*accept),
        Op::Categorize { id, forks } => encode_categorize(shared, id, forks),
        Op::Decide(decide) => {
            let ids = decide.copies.iter().map(|_| shared.next_id().map(|id| id.0));
            let ids = ids.collect::<Result<Vec<_>, _>>()?;
            let frame = Encoded::new(RecordType::Categorized, decide.id.0, None, |out| {
                put_decision(out, &decide.decided, &decide.ended)
            })?;
            Ok(EncodedOp { frame, effect: Effect::Decide(decide, ids) })
        }
        Op::Intent { id, intent } => {
            let frame = Encoded::new(RecordType::Intent, id.0, None, |out| {
                put_intent(out, &intent);
                Ok(())
            })?;
            Ok(EncodedOp { frame, effect: Effect::Intent })
        }
        Op::Settle { id, recipients, delay_notified } => {
            let frame = Encoded::new(RecordType::Outcome, id.0, None, |out| {
                put_settle(out, &recipients, delay_notified)
            })?;
            let ends = recipients.iter().map(|to| (to.recipient, to.outcome.is_terminal()));
            Ok(EncodedOp { frame, effect: Effect::Settle(ends.collect()) })
        }
        Op::Admin { id, verb, actor } => {
            let frame = Encoded::new(RecordType::Admin, id.0, None, |out| {
                put_admin(out, verb, &actor);
                Ok(())
            })?;
            Ok(EncodedOp { frame, effect: Effect::Admin(verb) })
        }
        Op::Edit { id, edits } => {
            let frame = Encoded::new(RecordType::Edit, id.0, None, |out| {
                put_edits(out, &edits);
                Ok(())
            })?;
            Ok(EncodedOp { frame, effect: Effect::Edit(edits) })
        }
        Op::Note(note) => {
            note.check()?;
            let frame = encode_note(&note)?;
            Ok(EncodedOp { frame, effect: Effect::Note(note) })
        }
    }
}

pub(super) fn encode_note(note: &Note) -> Result<Encoded, StoreError> {
    Encoded::new(RecordType::Note, 0, None, |out| {
        put_note(out, note);
        Ok(())
    })
}

fn encode_accept(accept: Accept) -> Result<EncodedOp, StoreError> {
    let Accept { body: Ingested { id, octets, body }, message } = accept;
    let (bytes, claim, crcs, place) = match body {
        IngestedBody::Inline(bytes) => {
            let crcs = block_crcs(&bytes);
            (Some(bytes), None, crcs, Place::Inline)
        }
        IngestedBody::Blob(claim) => {
            let crcs = claim.block_crcs().to_vec();
            (None, Some(claim), crcs, Place::Blob)
        }
    };
    let body = Body { id: BodyId::of_message(id.0), octets, crcs, place };
    let frame = Encoded::new(RecordType::Accept, id.0, bytes, |out| {
        put_accept(out, &message, None, &body, &[])
    })?;
    let open = vec![true; message.envelope.recipients.len()];
    let summary = AcceptSummary { open, body, parent: None, taken: Vec::new() };
    Ok(EncodedOp { frame, effect: Effect::Accept(summary, claim) })
}

fn encode_categorize(
    shared: &Shared,
    id: InternalMessageId,
    forks: Vec<Fork>,
) -> Result<EncodedOp, StoreError> {
    let with_id = |fork: Fork| shared.next_id().map(|id| (id.0, fork));
    let forks = forks.into_iter().map(with_id).collect::<Result<Vec<_>, _>>()?;
    let frame = Encoded::new(RecordType::Categorized, id.0, None, |out| {
        put_categorized(out, forks.iter().map(|(id, fork)| (*id, fork.recipients.as_slice())));
        Ok(())
    })?;
    Ok(EncodedOp { frame, effect: Effect::Categorize(forks) })
}
