//! A running transport.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use transom_queue::{
    AdminVerb, Durability, Op, QueueView, RecoveryReport, Settled, SpoolHealth, Stats, StoreError,
};
use transom_tracking::{EventId, Source, TrackingEvent};
use transom_types::{
    AttemptStage, EnhancedStatusCode, InternalMessageId, Outcome, Reply, ReplyCode, Status,
};

use crate::builder::TransportBuilder;
use crate::core::Core;
use crate::dispatcher::Request;

/// How long tasks that are cut off may take to end, so that the spool is closed when the stop
/// returns.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// A mail transport at work: takes mail in, keeps it, sends it out.
///
/// Dropping it stops it as [`shutdown`](Self::shutdown) does, without waiting. Whatever was
/// answered with `250` is in the spool and goes on at the next start.
pub struct Transport {
    core: Arc<Core>,
    addresses: Vec<SocketAddr>,
    recovery: RecoveryReport,
}

impl Transport {
    /// Begins a transport of the host `name`.
    pub fn builder(name: &str) -> TransportBuilder {
        TransportBuilder::new(name)
    }

    pub(crate) fn new(
        core: Arc<Core>,
        addresses: Vec<SocketAddr>,
        recovery: RecoveryReport,
    ) -> Self {
        Self { core, addresses, recovery }
    }

    /// Where it listens, in the order of the connectors' bindings; ports that the system chose
    /// are filled in.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What was found in the spool at the start.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.recovery
    }

    /// How the spool is.
    pub fn spool_health(&self) -> SpoolHealth {
        self.core.spool.health()
    }

    /// All delivery queues, as they are now.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] when the transport is stopping.
    pub async fn queues(&self) -> Result<Vec<QueueView>, NotRunning> {
        let (sender, receiver) = oneshot::channel();
        self.ask(Request::Queues(sender)).await?;
        receiver.await.map_err(|_| NotRunning)
    }

    /// Begins no attempt until [`resume_delivery`](Self::resume_delivery). Mail is taken as before.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it happens or it does not.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] when the transport is stopping.
    pub async fn suspend_delivery(&self) -> Result<(), NotRunning> {
        self.ask(Request::SuspendAll).await
    }

    /// Begins attempts again.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it happens or it does not.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] when the transport is stopping.
    pub async fn resume_delivery(&self) -> Result<(), NotRunning> {
        self.ask(Request::ResumeAll).await
    }

    /// Begins no attempt of a message until it is resumed, also after a restart. An attempt under
    /// way ends as it does. Exchange: `Suspend-Message`.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the decision may be durable and not yet in force.
    ///
    /// # Errors
    ///
    /// What the spool says; [`StoreError::NotFound`] when there is no such message.
    pub async fn suspend_message(
        &self,
        id: InternalMessageId,
        actor: &str,
    ) -> Result<(), StoreError> {
        self.journal(id, AdminVerb::Suspend, actor).await?;
        let _ = self.ask(Request::Suspend(id)).await;
        Ok(())
    }

    /// Begins attempts of a message again. Exchange: `Resume-Message`.
    ///
    /// # Cancel safety
    ///
    /// As [`suspend_message`](Self::suspend_message).
    ///
    /// # Errors
    ///
    /// As [`suspend_message`](Self::suspend_message).
    pub async fn resume_message(
        &self,
        id: InternalMessageId,
        actor: &str,
    ) -> Result<(), StoreError> {
        self.journal(id, AdminVerb::Resume, actor).await?;
        let _ = self.ask(Request::Resume(id)).await;
        Ok(())
    }

    /// Takes a message out of the queues, without report. Recipients whose attempt is under way
    /// are taken out when it ends without having delivered; those that are still on their way into
    /// the queues, when they get there. Returns how many recipients ended now. Exchange:
    /// `Remove-Message -WithNDR $false`.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: recipients may have left the queues and not yet the spool; they come back
    /// at the next start then.
    ///
    /// # Errors
    ///
    /// What the spool says; [`StoreError::NotFound`] when there is no such message.
    pub async fn remove_message(
        &self,
        id: InternalMessageId,
        actor: &str,
    ) -> Result<usize, StoreError> {
        // One that is damaged can be removed too.
        if let Err(error @ StoreError::NotFound(_)) = self.core.spool.open(id).await {
            return Err(error);
        }
        let (sender, receiver) = oneshot::channel();
        let _ = self.ask(Request::Remove(id, sender)).await;
        let recipients = receiver.await.unwrap_or_default();
        end_as_removed(&self.core, id, &recipients, actor).await?;
        Ok(recipients.len())
    }

    /// Writes down who does what to a message, and tells it.
    async fn journal(
        &self,
        id: InternalMessageId,
        verb: AdminVerb,
        actor: &str,
    ) -> Result<(), StoreError> {
        let op = Op::Admin { id, verb, actor: actor.to_owned() };
        self.core.spool.commit(vec![op], Durability::Sync).await?;
        self.core.emit(&admin_event(&self.core, id, &format!("{verb:?} by {actor}")));
        Ok(())
    }

    async fn ask(&self, request: Request) -> Result<(), NotRunning> {
        self.core.dispatcher.send(request).await.map_err(|_| NotRunning)
    }

    /// Stops: no new connection, `421` to idle sessions, what is under way ends. After `deadline`
    /// everything is cut off where it is; nothing that was answered with `250` is lost by that.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the stop goes on without anyone waiting for it.
    pub async fn shutdown(self, deadline: Duration) -> ShutdownReport {
        self.core.stop.cancel();
        self.core.tasks.close();
        let in_time = tokio::time::timeout(deadline, self.core.tasks.wait()).await.is_ok();
        let cut_off = self.core.tasks.len();
        self.core.abort.cancel();
        // They end at their next wait; one that blocks its thread is left behind.
        drop(tokio::time::timeout(ABORT_TIMEOUT, self.core.tasks.wait()).await);
        let core = Arc::clone(&self.core);
        drop(self);
        let spool = core.spool.stats();
        // Closing the spool and the log waits for the disk.
        let closed = tokio::task::spawn_blocking(move || {
            for sink in &core.sinks {
                sink.flush();
            }
            drop(core);
        });
        drop(closed.await);
        ShutdownReport { in_time, cut_off, spool }
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.core.stop.cancel();
        self.core.tasks.close();
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Ends recipients that are no longer in the scheduler, by the decision of `actor`.
pub(crate) async fn end_as_removed(
    core: &Core,
    id: InternalMessageId,
    recipients: &[u32],
    actor: &str,
) -> Result<(), StoreError> {
    if recipients.is_empty() {
        return Ok(());
    }
    let text = format!("removed from the queue by {actor}");
    let enhanced = EnhancedStatusCode::permanent(3, 0);
    let reply = Reply::new(ReplyCode::TRANSACTION_FAILED, enhanced, text.clone());
    let status = Status::local(AttemptStage::Queue, reply);
    let settled = |recipient: &u32| Settled {
        recipient: *recipient,
        outcome: Outcome::Removed(status.clone()),
        attempted: false,
        retry_at: None,
    };
    let recipients = recipients.iter().map(settled).collect();
    let op = Op::Settle { id, recipients, delay_notified: false };
    core.spool.commit(vec![op], Durability::Sync).await?;
    core.emit(&admin_event(core, id, &text));
    Ok(())
}

fn admin_event(core: &Core, id: InternalMessageId, what: &str) -> TrackingEvent {
    let mut event = TrackingEvent::new(EventId::Admin, Source::Admin, core.clock.wall());
    event.internal_id = Some(id);
    event.source_context = Some(what.into());
    event
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Whether everything ended before the deadline.
    pub in_time: bool,
    /// Tasks that were cut off: sessions, attempts. What they were at goes on at the next start.
    pub cut_off: usize,
    /// The spool's figures, of one that keeps them.
    pub spool: Option<Stats>,
}

/// The transport is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the transport is stopping")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct NotRunning;
