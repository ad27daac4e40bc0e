//! Mail going out: one task a connection, or a delivery agent at work.

mod agent;
mod connection;
mod dial;
mod smart_hosts;
mod smtp;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use transom_queue::{
    AdminVerb, Completed, ConnectionResult, Dispatch, Durability, Op, QueueId, StoreError,
};
use transom_tracking::{EventId, Source, TrackingEvent};
use transom_types::{DeliveryType, InternalMessageId, Outcome, RecipientResult, RemoteHost};

use crate::core::Core;
use crate::dispatcher::Request;
use crate::settlement::{self, AtHand};

pub use dial::{ClientError, send_message};
pub(crate) use smart_hosts::SmartHosts;

/// Wait of a message that could not be read from the spool.
const UNREADABLE_RETRY: Duration = Duration::from_mins(1);

/// Wait after a panic: long enough that a message that always causes one does little harm.
const PANICKED_RETRY: Duration = Duration::from_mins(1);

/// Gives the recipients of an attempt back to the scheduler when the work on it panics. Without
/// it they would have no timer, and the attempt would be under way for ever.
pub(crate) struct Rescue<'a> {
    pub(crate) core: &'a Arc<Core>,
    pub(crate) dispatch: &'a Dispatch,
}

impl Drop for Rescue<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let Dispatch { message, token, recipients, .. } = self.dispatch;
        tracing::error!(%message, "an attempt panicked; its recipients are tried again");
        let now = self.core.clock.now();
        let due = now.checked_add(PANICKED_RETRY).unwrap_or(now);
        let retries = vec![(recipients.clone(), due)];
        let completed = Completed { retries, connection: ConnectionResult::NotTried };
        let (core, request) = (Arc::clone(self.core), Request::Complete(*token, completed));
        self.core.spawn(async move { drop(core.dispatcher.send(request).await) });
    }
}

/// Works off a queue from its first dispatch on, as long as there is more.
pub(crate) async fn run(core: Arc<Core>, first: Dispatch) {
    match first.next_hop.kind {
        DeliveryType::DeliveryAgent => agent::run(core, first).await,
        _ => smtp::run(core, first).await,
    }
}

/// The message of a dispatch. None when it cannot be had; the dispatch is completed then.
async fn load(core: &Core, dispatch: &Dispatch) -> Option<AtHand> {
    let error = match AtHand::load(core, dispatch.message).await {
        Ok(at_hand) => return Some(at_hand),
        Err(error) => error,
    };
    tracing::error!(message = %dispatch.message, %error, "a message cannot be opened");
    let now = core.clock.now();
    let retries = match error {
        // Removed in this moment.
        StoreError::NotFound(_) => Vec::new(),
        StoreError::Damaged { .. } => {
            set_aside(core, dispatch.message, &error.to_string()).await;
            vec![(dispatch.recipients.clone(), now)]
        }
        _ => {
            let due = now.checked_add(UNREADABLE_RETRY).unwrap_or(now);
            vec![(dispatch.recipients.clone(), due)]
        }
    };
    let completed = Completed { retries, connection: ConnectionResult::NotTried };
    drop(core.dispatcher.send(Request::Complete(dispatch.token, completed)).await);
    None
}

/// A damaged message is never sent: it is suspended, durably, until somebody looks at it.
pub(crate) async fn set_aside(core: &Core, id: InternalMessageId, reason: &str) {
    let op = Op::Admin { id, verb: AdminVerb::Suspend, actor: reason.to_owned() };
    match core.spool.commit(vec![op], Durability::Sync).await {
        // It has ended meanwhile.
        Err(StoreError::NotFound(_)) => return,
        Err(error) => {
            tracing::error!(message = %id, %error, "a damaged message cannot be marked");
        }
        Ok(_) => {}
    }
    let mut event = TrackingEvent::new(EventId::Quarantine, Source::Queue, core.clock.wall());
    event.internal_id = Some(id);
    event.source_context = Some(reason.to_owned().into());
    core.emit(&event);
    drop(core.dispatcher.send(Request::Suspend(id)).await);
}

/// Settles beside the connection; the transport's stop waits for it.
fn settle(core: &Arc<Core>, dispatch: Dispatch, at_hand: AtHand, results: Vec<RecipientResult>) {
    core.spawn(settlement::settle_attempt(Arc::clone(core), dispatch, at_hand, results));
}

/// The same outcome for all of them.
fn for_all(recipients: &[u32], outcome: &Outcome) -> Vec<RecipientResult> {
    let result =
        |recipient: &u32| RecipientResult { recipient: *recipient, outcome: outcome.clone() };
    recipients.iter().map(result).collect()
}

/// Asks for more work of the queue and waits while `idle` lasts.
async fn next(core: &Core, queue: QueueId, idle: impl Future<Output = ()>) -> Option<Dispatch> {
    let (sender, mut receiver) = oneshot::channel();
    core.dispatcher.send(Request::Free(queue, sender)).await.ok()?;
    tokio::select! {
        biased;
        dispatch = &mut receiver => dispatch.ok(),
        () = idle => {
            // Work may have been given in this very moment; it must not be lost.
            receiver.close();
            receiver.try_recv().ok()
        }
    }
}

/// The intent of an attempt at `host`.
fn intent(dispatch: &Dispatch, host: &RemoteHost) -> Op {
    Op::Intent {
        id: dispatch.message,
        intent: transom_queue::Intent {
            recipients: dispatch.recipients.clone(),
            host: host.to_string(),
            attempt: dispatch.attempt,
        },
    }
}
