//! A running transport.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use transom_queue::{QueueView, RecoveryReport, SpoolHealth, Stats};

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
    pub(crate) core: Arc<Core>,
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

    /// All delivery queues, as they are now. [`find_queues`](Self::find_queues) finds those that
    /// are asked for, Submission and Poison among them.
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

    pub(crate) async fn ask(&self, request: Request) -> Result<(), NotRunning> {
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
