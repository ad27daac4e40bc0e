//! Taking messages out of the queues.

use std::sync::Arc;
use std::time::Duration;

use transom_queue::{Cause, Durability, Op, RecipientState, Settled, StoreError, StoredMessage};
use transom_types::{
    AttemptStage, EnhancedStatusCode, InternalMessageId, Outcome, RecipientResult, Reply,
    ReplyCode, Status,
};

use crate::categorize::Submitted;
use crate::core::Core;
use crate::settlement::{AtHand, retry_after, settle_outside, submit};

/// Whether the sender hears of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing between")]
pub enum Removal {
    /// It gets a report, if it wants reports of failures: Exchange's default.
    WithDsn,
    /// Nobody hears of it.
    WithoutDsn,
}

/// A removal that is being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Removing {
    pub(crate) actor: Arc<str>,
    pub(crate) removal: Removal,
}

/// Ends recipients that have left the scheduler. Does not give up before that is durable or the
/// transport stops.
pub(crate) async fn remove(
    core: Arc<Core>,
    id: InternalMessageId,
    recipients: Vec<u32>,
    removing: Removing,
) {
    loop {
        let error = match try_remove(&core, id, &recipients, &removing).await {
            Ok(reports) => return submit(&core, reports).await,
            Err(error) => error,
        };
        tracing::error!(message = %id, %error, "a removal cannot be written down");
        let Some(wait) = retry_after(&error) else { return };
        if !core.pause(wait).await {
            return;
        }
    }
}

/// Ends recipients that have left the scheduler. Gives the reports, which are to be categorized.
pub(super) async fn try_remove(
    core: &Core,
    id: InternalMessageId,
    recipients: &[u32],
    removing: &Removing,
) -> Result<Vec<Submitted>, StoreError> {
    if recipients.is_empty() {
        return Ok(Vec::new());
    }
    let outcome = outcome(removing);
    let StoredMessage { id, message, state, content } = match core.spool.open(id).await {
        Ok(stored) => stored,
        // What cannot be read can be removed, but nobody knows any more whom to tell.
        Err(StoreError::Damaged { .. }) => {
            end_unread(core, id, recipients, &outcome).await?;
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let at_hand = AtHand { id, message, state: Arc::new(state), content, fresh: false };
    let result =
        |recipient: &u32| RecipientResult { recipient: *recipient, outcome: outcome.clone() };
    let results: Vec<_> = recipients.iter().map(result).collect();
    settle_outside(core, &at_hand, Cause::Attempt(&results), Duration::ZERO).await
}

fn outcome(removing: &Removing) -> Outcome {
    let status = |text: String| {
        let enhanced = EnhancedStatusCode::permanent(3, 0);
        let reply = Reply::new(ReplyCode::TRANSACTION_FAILED, enhanced, text);
        Status::local(AttemptStage::Queue, reply)
    };
    match removing.removal {
        // The sender need not know who.
        Removal::WithDsn => {
            Outcome::Failed(status("removed from the queue by an administrator".to_owned()))
        }
        Removal::WithoutDsn => {
            Outcome::Removed(status(format!("removed from the queue by {}", removing.actor)))
        }
    }
}

async fn end_unread(
    core: &Core,
    id: InternalMessageId,
    recipients: &[u32],
    outcome: &Outcome,
) -> Result<(), StoreError> {
    let settled = |recipient: &u32| Settled {
        recipient: *recipient,
        outcome: outcome.clone(),
        attempted: false,
        retry_at: None,
    };
    let recipients = recipients.iter().map(settled).collect();
    let op = Op::Settle { id, recipients, delay_notified: false };
    core.spool.commit(vec![op], Durability::Sync).await?;
    Ok(())
}

/// The open recipients of a message.
pub(crate) fn open_recipients(states: &[RecipientState]) -> Vec<u32> {
    let open = (0u32..).zip(states).filter(|(_, state)| state.is_open());
    open.map(|(place, _)| place).collect()
}
