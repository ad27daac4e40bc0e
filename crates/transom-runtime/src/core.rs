//! What all tasks of a transport share.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use transom_agent::{AgentEvents, Agents, DeliveryAgent, Directory, SecretStore};
use transom_connector::CheckedConfiguration;
use transom_dns::Resolver;
use transom_queue::{SettlePolicy, Spool};
use transom_routing::LocalIdentity;
use transom_tracking::{EventSink, TrackingEvent};
use transom_types::{InternalMessageId, NextHop};

use crate::body_cache::BodyCache;
use crate::clock::Clock;
use crate::dispatcher::Request;
use crate::inbound::{Authentication, Listeners};
use crate::outbound::SmartHosts;
use crate::submission::Submission;
use crate::tls::Tls;
use crate::wire::BufferPool;

/// What all tasks of a transport share. Nothing in it changes but what has its own lock.
pub(crate) struct Core {
    /// In force for what begins now: see [`Core::config`].
    pub(crate) config: RwLock<Arc<CheckedConfiguration>>,
    pub(crate) spool: Arc<dyn Spool>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sinks: Vec<Arc<dyn EventSink>>,
    pub(crate) agents: HashMap<String, Arc<dyn DeliveryAgent>>,
    /// Agents that see mail on its way in and through.
    pub(crate) pipeline: Agents,
    /// At which steps of a session an agent of the host program is asked. The header firewall is
    /// asked where there is something to take out.
    pub(crate) asked_at: AgentEvents,
    /// Domains of the delivery agents, for every configuration that comes into force.
    pub(crate) agent_domains: Vec<(String, Vec<String>)>,
    /// Held while the configuration changes.
    pub(crate) listeners: tokio::sync::Mutex<Listeners>,
    /// Whether the resolver knows anything.
    pub(crate) has_resolver: bool,
    pub(crate) private_addresses: bool,
    pub(crate) directory: Option<Arc<dyn Directory>>,
    pub(crate) authentication: Option<Authentication>,
    /// The passwords that we show to others.
    pub(crate) secrets: Option<Arc<dyn SecretStore>>,
    pub(crate) smart_hosts: Arc<SmartHosts>,
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) tls: Tls,
    /// Who we are, so that mail does not go to ourselves.
    pub(crate) identity: RwLock<Arc<LocalIdentity>>,
    pub(crate) settle_policy: SettlePolicy,
    pub(crate) cache: BodyCache,
    /// Whether no attempt begins. Then nothing is gained by keeping bodies for a first one.
    pub(crate) delivery_suspended: AtomicBool,
    pub(crate) buffers: Arc<BufferPool>,
    /// What administrators do goes one by one, so that what is durable and what is in force come in
    /// the same order.
    pub(crate) verbs: tokio::sync::Mutex<()>,
    /// Messages that wait for an administrator, because they may be what ended the process.
    pub(crate) poison: Mutex<BTreeSet<InternalMessageId>>,
    /// Next hops whose mail goes to others.
    pub(crate) redirects: Mutex<HashMap<NextHop, NextHop>>,
    /// To the categorizer. Full: sessions wait with their `250`, which stops their peers.
    pub(crate) submission: Submission,
    /// To the dispatcher. Full: categorizer and connections wait.
    pub(crate) dispatcher: mpsc::Sender<Request>,
    /// Cancelled when the transport stops: nothing new is begun.
    pub(crate) stop: CancellationToken,
    /// Cancelled when the stop has waited long enough: everything ends where it is.
    pub(crate) abort: CancellationToken,
    /// All tasks; the stop waits for them.
    pub(crate) tasks: TaskTracker,
}

impl Core {
    /// Runs a task that the stop waits for, and that ends where it is when the stop has waited
    /// long enough.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let abort = self.abort.clone();
        self.tasks.spawn(async move {
            abort.run_until_cancelled(task).await;
        });
    }

    /// The configuration in force. Work keeps what it began with: ask once, at the beginning.
    pub(crate) fn config(&self) -> Arc<CheckedConfiguration> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who we are, under the configuration in force.
    pub(crate) fn identity(&self) -> Arc<LocalIdentity> {
        Arc::clone(&self.identity.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits. False when the transport stops meanwhile.
    pub(crate) async fn pause(&self, wait: Duration) -> bool {
        self.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_some()
    }

    /// The messages that wait for an administrator. Never held over a wait.
    pub(crate) fn poison(&self) -> MutexGuard<'_, BTreeSet<InternalMessageId>> {
        self.poison.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Next hops whose mail goes to others. Never held over a wait.
    pub(crate) fn redirects(&self) -> MutexGuard<'_, HashMap<NextHop, NextHop>> {
        self.redirects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an event to every sink that wants it. Called after what it tells is durable: what a
    /// sink does with it must not undo that, so a panic ends here.
    pub(crate) fn emit(&self, event: &TrackingEvent) {
        for sink in &self.sinks {
            if sink.interest().contains(event.event) {
                let emitted = catch_unwind(AssertUnwindSafe(|| sink.emit(event)));
                if emitted.is_err() {
                    tracing::error!(event = %event.event, "an event sink panicked");
                }
            }
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("spool", &self.spool).finish_non_exhaustive()
    }
}
