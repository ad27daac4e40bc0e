//! One call of one agent: it ends in time, and takes nobody with it.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{Either, select};

use crate::effects::EffectError;

/// Time for agents: the runtime gives its own, tests a virtual one.
#[async_trait]
pub trait AgentClock: Send + Sync + 'static {
    /// Monotonic time.
    fn now(&self) -> Instant;

    /// Wall time, for logs.
    fn wall(&self) -> SystemTime;

    /// Returns when it is `at`.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the agent answers first.
    async fn sleep_until(&self, at: Instant);
}

/// Why an agent has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentFailure {
    /// What it asked for cannot be done.
    #[error("what it asked for cannot be done: {0}")]
    Effects(#[from] EffectError),
    /// It failed too often and is left alone for now.
    #[error("it failed too often and is left alone for now")]
    OutOfOrder,
    /// It panicked.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// It had no answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The agents before it have used up the time that all have together.
    #[error("the agents before it used up the time of all")]
    NoTimeLeft,
}

impl AgentFailure {
    /// Whether it is the agent's own doing.
    pub(super) fn counts(&self) -> bool {
        !matches!(self, Self::OutOfOrder | Self::NoTimeLeft)
    }
}

/// Runs `work` for no longer than `timeout`, without its panics.
pub(super) async fn guarded<T>(
    clock: &dyn AgentClock,
    timeout: Duration,
    work: impl Future<Output = T> + Send,
) -> Result<T, AgentFailure> {
    let started = clock.now();
    let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
    // Most agents answer at once, and need no timer.
    let ended = match poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
        Poll::Ready(ended) => ended,
        Poll::Pending => {
            let deadline = started.checked_add(timeout).unwrap_or(started);
            match select(work, clock.sleep_until(deadline)).await {
                Either::Left((ended, _)) => ended,
                Either::Right(((), _)) => return Err(AgentFailure::TimedOut(timeout)),
            }
        }
    };
    ended.map_err(|cause| AgentFailure::Panicked(said(&*cause)))
}

/// What a panic said.
fn said(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| cause.downcast_ref::<String>().cloned()).unwrap_or_default()
}
