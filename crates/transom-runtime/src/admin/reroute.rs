//! Routing anew what is in a queue, step by step.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use transom_queue::{Deadlines, Drained, Enqueue, QueueView, RecoveredUnit, StoreError};

use super::Progress;
use crate::categorize::Submitted;
use crate::core::Core;
use crate::dispatcher::{Entering, Request};
use crate::settlement::submit;

/// Messages of each priority that one step looks at: the dispatcher does nothing else meanwhile.
const STEP: u32 = 256;

/// Takes out of a queue what was in it and neither under way nor suspended, and gives it to the
/// categorizer. What comes back to the same queue meanwhile comes behind the rest, so that counting
/// is enough to take nothing twice.
pub(crate) async fn route_anew(
    core: Arc<Core>,
    queue: QueueView,
    progress: watch::Sender<Progress>,
) {
    let stays = queue.suspended_count.saturating_add(queue.inflight);
    let count = queue.message_count.saturating_sub(stays);
    let mut moved = 0u32;
    while moved < count && !core.stop.is_cancelled() {
        let (sender, receiver) = oneshot::channel();
        let step = Request::Drain(queue.id, STEP.min(count.saturating_sub(moved)), sender);
        if core.dispatcher.send(step).await.is_err() {
            return;
        }
        let Ok(Drained { units, left }) = receiver.await else { return };
        moved = moved.saturating_add(u32::try_from(units.len()).unwrap_or(u32::MAX));
        for unit in units {
            submit_again(&core, unit).await;
        }
        let left = left.min(count.saturating_sub(moved));
        progress.send_replace(Progress { moved, left });
        if left == 0 {
            return;
        }
    }
}

/// Gives recipients to the categorizer; those that the spool does not give now go back.
async fn submit_again(core: &Core, unit: Enqueue) {
    let stored = match core.spool.open(unit.message).await {
        Ok(stored) => stored,
        Err(StoreError::NotFound(_)) => return,
        Err(error) => {
            tracing::error!(message = %unit.message, %error, "a message cannot be routed anew");
            let back = vec![Entering { unit, suspended: false }];
            drop(core.dispatcher.send(Request::Enqueue(back)).await);
            return;
        }
    };
    let Enqueue { recipients, attempts, expires_at, delay_notice_at, priority, .. } = unit;
    let submitted = Submitted {
        id: stored.id,
        message: stored.message,
        suspended: stored.state.suspended.is_some(),
        state: stored.state,
        units: vec![RecoveredUnit { recipients, due: None, attempts }],
        deadlines: Deadlines { expires_at, delay_notice_at, priority },
    };
    submit(core, vec![submitted]).await;
}
