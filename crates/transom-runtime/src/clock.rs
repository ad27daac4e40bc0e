//! Time, as the runtime reads it: the one place that asks the system.

use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use transom_agent::AgentClock;

/// Monotonic and wall time. Tests and simulations bring their own.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Monotonic time: deadlines, intervals.
    fn now(&self) -> Instant;
    /// Wall time: trace fields, reports, logs.
    fn wall(&self) -> SystemTime;
}

/// The clock of the system. Under tokio's paused time its monotonic part stands still too.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that all others ask")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// The clock of the transport as agents have it.
pub(crate) struct ClockOfAgents(pub(crate) Arc<dyn Clock>);

#[async_trait]
impl AgentClock for ClockOfAgents {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn wall(&self) -> SystemTime {
        self.0.wall()
    }

    async fn sleep_until(&self, at: Instant) {
        tokio::time::sleep_until(at.into()).await;
    }
}
