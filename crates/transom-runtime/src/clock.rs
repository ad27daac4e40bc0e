//! Time, as the runtime reads it: the one place that asks the system.

use std::fmt;
use std::time::{Instant, SystemTime};

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
