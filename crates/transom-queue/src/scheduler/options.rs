//! The numbers of a scheduler.

use std::time::Duration;

use super::rate::RateLimit;
use crate::retry::RetryProfile;

/// Limits and waits of a [`Scheduler`](super::Scheduler).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchedulerOptions {
    /// Attempts under way at the same time, all queues together (1,000). Each holds a connection
    /// or a delivery agent.
    pub inflight_max: u32,
    /// Attempts under way at the same time for one queue (40): a large or slow destination can
    /// take no more than that. While others wait for places, a queue also takes no more than a
    /// quarter of them all, or four.
    pub per_queue_max: u32,
    /// The same for a queue that leads to smart hosts (100): they expect us.
    pub smart_host_max: u32,
    /// Attempts with which a queue begins (5); it grows by one for as many successes as it is
    /// wide, and shrinks by one for as many connections that fail beside others that work. A queue
    /// that could not connect goes on with one, and once that worked with two.
    pub window_initial: u32,
    /// How long from the first call on queues begin with no more than two attempts (30 s), so that
    /// a start with a spool full of mail does not meet all destinations at once with all it has.
    pub slow_start: Duration,
    /// How many attempts of each queue may begin in a time (no limit).
    /// [`limit_rate`](super::Scheduler::limit_rate) sets another for one destination.
    pub rate_limit: Option<RateLimit>,
    /// How long nothing of a queue that cannot connect gets through before it is to be routed
    /// anew (12 h; Exchange: `MaxIdleTimeBeforeResubmit`).
    pub resubmit_after: Duration,
    /// How long an empty queue is kept (3 min).
    pub queue_idle_max: Duration,
    /// When queues connect again.
    pub profile: RetryProfile,
    /// Seed of the jitter. The same seed and calls give the same actions.
    pub seed: u64,
}

impl Default for SchedulerOptions {
    fn default() -> Self {
        Self {
            inflight_max: 1000,
            per_queue_max: 40,
            smart_host_max: 100,
            window_initial: 5,
            slow_start: Duration::from_secs(30),
            rate_limit: None,
            resubmit_after: Duration::from_hours(12),
            queue_idle_max: Duration::from_mins(3),
            profile: RetryProfile::default(),
            seed: 0,
        }
    }
}

impl SchedulerOptions {
    /// Sets [`Self::inflight_max`].
    #[must_use]
    pub fn with_inflight_max(self, inflight_max: u32) -> Self {
        Self { inflight_max, ..self }
    }

    /// Sets [`Self::per_queue_max`].
    #[must_use]
    pub fn with_per_queue_max(self, per_queue_max: u32) -> Self {
        Self { per_queue_max, ..self }
    }

    /// Sets [`Self::smart_host_max`].
    #[must_use]
    pub fn with_smart_host_max(self, smart_host_max: u32) -> Self {
        Self { smart_host_max, ..self }
    }

    /// Sets [`Self::window_initial`].
    #[must_use]
    pub fn with_window_initial(self, window_initial: u32) -> Self {
        Self { window_initial, ..self }
    }

    /// Sets [`Self::slow_start`].
    #[must_use]
    pub fn with_slow_start(self, slow_start: Duration) -> Self {
        Self { slow_start, ..self }
    }

    /// Sets [`Self::rate_limit`].
    #[must_use]
    pub fn with_rate_limit(self, rate_limit: RateLimit) -> Self {
        Self { rate_limit: Some(rate_limit), ..self }
    }

    /// Sets [`Self::resubmit_after`].
    #[must_use]
    pub fn with_resubmit_after(self, resubmit_after: Duration) -> Self {
        Self { resubmit_after, ..self }
    }

    /// Sets [`Self::profile`].
    #[must_use]
    pub fn with_profile(self, profile: RetryProfile) -> Self {
        Self { profile, ..self }
    }

    /// Sets [`Self::seed`].
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Attempts that one queue may have under way while others wait for places.
    pub(super) fn share_max(&self) -> u32 {
        (self.inflight_max / 4).max(4)
    }
}
