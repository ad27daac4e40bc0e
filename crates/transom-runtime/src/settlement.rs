//! Drives settlement: what `transom_queue::settle` decides becomes durable, then known.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use transom_queue::{
    Accept, Accepted, Cause, Content, Deadlines, Dispatch, Durability, MessageState, Op, Overdue,
    ReportDraft, ReportMessage, SettleInput, Settlement, StoreError, settle,
};
use transom_tracking::TrackingEvent;
use transom_types::{InternalMessageId, RecipientResult};

use crate::body_cache::Fresh;
use crate::categorize::Submitted;
use crate::core::Core;
use crate::dispatcher::Request;
use crate::transport::end_as_removed;

/// A message at hand: what an attempt and its settlement work on.
#[derive(Clone, Debug)]
pub(crate) struct AtHand {
    pub(crate) id: InternalMessageId,
    pub(crate) message: Arc<Accepted>,
    pub(crate) state: Arc<MessageState>,
    pub(crate) content: Content,
}

impl AtHand {
    /// Takes a message from the cache of fresh ones, or reads it from the spool.
    pub(crate) async fn load(core: &Core, id: InternalMessageId) -> Result<Self, StoreError> {
        if let Some(Fresh { message, content }) = core.cache.take(id) {
            let state = Arc::new(MessageState::default());
            return Ok(Self { id, message, state, content: Content::from_bytes(content) });
        }
        let stored = core.spool.open(id).await?;
        let state = Arc::new(stored.state);
        Ok(Self { id, message: stored.message, state, content: stored.content })
    }
}

/// Settles an attempt, makes it durable and tells the scheduler. Runs beside the connection, which
/// goes on with its next message meanwhile.
pub(crate) async fn settle_attempt(
    core: Arc<Core>,
    dispatch: Dispatch,
    at_hand: AtHand,
    results: Vec<RecipientResult>,
) {
    let now = core.clock.now();
    let settlement = settle(&SettleInput {
        id: at_hand.id,
        message: &at_hand.message,
        state: &at_hand.state,
        cause: Cause::Attempt(&results),
        next_hop: Some(&dispatch.next_hop),
        policy: &core.settle_policy,
        now: core.clock.wall(),
        expires_in: dispatch.expires_at.saturating_duration_since(now),
        random: fastrand::u64(..),
    });
    let completed = settlement.completed(now);
    if write_down(&core, &at_hand, settlement).await {
        drop(core.dispatcher.send(Request::Complete(dispatch.token, completed)).await);
    }
    // Otherwise the token stays under way: the scheduler does not try again what may have been
    // delivered, and the spool has failed for good.
}

/// Settles recipients that no next hop takes.
pub(crate) async fn fail_unrouted(
    core: &Core,
    id: InternalMessageId,
    message: &Arc<Accepted>,
    state: &MessageState,
    failed: &[RecipientResult],
    deadlines: &Deadlines,
) {
    let expires_in = deadlines.expires_at.saturating_duration_since(core.clock.now());
    settle_outside(core, id, message, state, Cause::Attempt(failed), expires_in).await;
}

/// Settles a message whose time is over.
pub(crate) async fn expire(core: Arc<Core>, overdue: Overdue) {
    settle_overdue(&core, &overdue, Cause::Expired(&overdue.waiting)).await;
}

/// Tells the sender that the message still waits.
pub(crate) async fn notify_delay(core: Arc<Core>, overdue: Overdue) {
    settle_overdue(&core, &overdue, Cause::DelayNotice(&overdue.waiting)).await;
}

async fn settle_overdue(core: &Core, overdue: &Overdue, cause: Cause<'_>) {
    let stored = match core.spool.open(overdue.message).await {
        Ok(stored) => stored,
        Err(error) => {
            tracing::error!(message = %overdue.message, %error, "a message cannot be settled");
            return;
        }
    };
    let expires_in = overdue.expires_at.saturating_duration_since(core.clock.now());
    let (id, message) = (stored.id, &stored.message);
    settle_outside(core, id, message, &stored.state, cause, expires_in).await;
}

/// Settles what is no attempt of a connection.
async fn settle_outside(
    core: &Core,
    id: InternalMessageId,
    message: &Arc<Accepted>,
    state: &MessageState,
    cause: Cause<'_>,
    expires_in: Duration,
) {
    let settlement = settle(&SettleInput {
        id,
        message,
        state,
        cause,
        next_hop: None,
        policy: &core.settle_policy,
        now: core.clock.wall(),
        expires_in,
        random: fastrand::u64(..),
    });
    let content = match core.spool.open(id).await {
        Ok(stored) => stored.content,
        // Without its content the report carries no header section; better than none.
        Err(_) => Content::from_bytes(Bytes::new()),
    };
    let (message, state) = (Arc::clone(message), Arc::new(state.clone()));
    write_down(core, &AtHand { id, message, state, content }, settlement).await;
}

/// Makes a settlement and its reports durable in one batch, then emits its events and submits the
/// reports. False when the spool refused.
async fn write_down(core: &Core, at_hand: &AtHand, settlement: Settlement) -> bool {
    let Settlement { op, reports, events, .. } = settlement;
    let mut ops = vec![op];
    let mut made = Vec::new();
    for draft in reports {
        match make_report(core, at_hand, draft).await {
            Ok((accept, report)) => {
                ops.push(accept);
                made.push(report);
            }
            Err(error) => {
                tracing::error!(message = %at_hand.id, %error, "a report cannot be made");
                return false;
            }
        }
    }
    if let Err(error) = core.spool.commit(ops, Durability::Sync).await {
        tracing::error!(message = %at_hand.id, %error, "an outcome cannot be written down");
        return false;
    }
    for event in &events {
        core.emit(event);
    }
    for Made { id, fresh, event } in made {
        core.emit(&event);
        let message = Arc::clone(&fresh.message);
        core.cache.insert(id, fresh);
        drop(core.submission.send(Submitted::fresh(core, id, message)).await);
    }
    true
}

/// A report with its Accept: what is committed, what is cached, what is emitted.
struct Made {
    id: InternalMessageId,
    fresh: Fresh,
    event: TrackingEvent,
}

async fn make_report(
    core: &Core,
    at_hand: &AtHand,
    draft: ReportDraft,
) -> Result<(Op, Made), StoreError> {
    let mut original = vec![0; usize::try_from(draft.original_octets()).unwrap_or_default()];
    // What cannot be read is not quoted; the report is made all the same.
    let read = at_hand.content.read_at(0, &mut original).unwrap_or(0);
    original.truncate(read);
    let mut ingest = core.spool.begin(None)?;
    let id = ingest.id();
    let ReportMessage { accepted, octets, event } = draft.into_message(id, &original);
    ingest.write(&octets).await?;
    let body = ingest.finish().await?;
    let fresh = Fresh { message: Arc::new(accepted.clone()), content: Bytes::from(octets) };
    let accept = Op::Accept(Box::new(Accept { body, message: accepted }));
    Ok((accept, Made { id, fresh, event }))
}

/// Ends recipients that an administrator took out while they were under way.
pub(crate) async fn remove(core: Arc<Core>, id: InternalMessageId, recipients: Vec<u32>) {
    let removed = end_as_removed(&core, id, &recipients, "an administrator").await;
    if let Err(error) = removed {
        tracing::error!(message = %id, %error, "a removal cannot be written down");
    }
}
