//! One delivery queue: its state, its window, its ladder.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use transom_types::{DeliveryType, NextHop, Status};

use super::action::{ConnectionResult, QueueId};
use super::options::SchedulerOptions;
use super::slab::{Link, Linked, List};
use super::unit::Lane;

/// Marks the list of queues that have something to start.
#[derive(Debug)]
pub(super) struct Ring;

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) id: QueueId,
    pub(super) next_hop: NextHop,
    /// Units that may start, oldest first.
    pub(super) lane: List<Lane>,
    /// All units: in the lane, waiting, held, under way.
    pub(super) units: u32,
    pub(super) inflight: u32,
    pub(super) suspended: bool,
    pub(super) last_error: Option<Arc<Status>>,
    /// Since when it connects no more, and until when.
    pub(super) retry_at: Option<Instant>,
    /// When it is dropped, if it stays empty.
    pub(super) idle_at: Option<Instant>,
    /// Whether it stands in the ring.
    pub(super) ready: bool,
    pub(super) ring: Link,
    last_retry: Option<Instant>,
    /// Steps of the ladder since the last success.
    failures: u32,
    window: u32,
    /// Successes since the window last grew.
    successes: u32,
    /// Whether the last connection that ended had been used.
    connected: bool,
}

impl Linked<Ring> for Queue {
    fn link(&self) -> Link {
        self.ring
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.ring
    }
}

impl Queue {
    pub(super) fn new(id: QueueId, next_hop: NextHop, options: &SchedulerOptions) -> Self {
        Self {
            id,
            next_hop,
            lane: List::new(),
            units: 0,
            inflight: 0,
            suspended: false,
            last_error: None,
            retry_at: None,
            idle_at: None,
            ready: false,
            ring: Link::NONE,
            last_retry: None,
            failures: 0,
            window: window_initial(options),
            successes: 0,
            connected: false,
        }
    }

    /// Whether an attempt may begin, the limits of the whole aside.
    pub(super) fn may_start(&self) -> bool {
        let stopped = self.suspended || self.retry_at.is_some();
        let routed = self.next_hop.kind != DeliveryType::Unreachable;
        routed && !stopped && !self.lane.is_empty() && self.inflight < self.window
    }

    /// Whether nothing is in it that would be lost with it.
    pub(super) fn is_idle(&self) -> bool {
        self.units == 0 && !self.suspended
    }

    /// Takes in how a connection did; `inflight` counts it no more. Sets `retry_at`.
    pub(super) fn feed(
        &mut self,
        now: Instant,
        result: ConnectionResult,
        options: &SchedulerOptions,
        random: u64,
    ) {
        match result {
            ConnectionResult::NotTried => {}
            ConnectionResult::Used => self.succeeded(options),
            // Others still work, or hang like this one and will tell in their turn. Only the last
            // one to fail counts as a failure of the queue: a peer that takes few connections at a
            // time must not stop the queue, and a cohort that fails must not climb many steps.
            ConnectionResult::Failed if self.inflight > 0 && self.failures == 0 => {
                self.window = self.window.min(self.inflight).max(1);
                self.successes = 0;
            }
            ConnectionResult::Failed => {
                self.connected = false;
                self.successes = 0;
                self.window = 1;
                if self.retry_at.is_none() {
                    self.failures = self.failures.saturating_add(1);
                    let delay = options.profile.queue_delay(self.failures, random);
                    self.last_retry = Some(now);
                    self.retry_at = now.checked_add(delay);
                }
            }
        }
    }

    fn succeeded(&mut self, options: &SchedulerOptions) {
        if self.failures > 0 {
            self.window = window_initial(options);
            self.successes = 0;
        }
        self.failures = 0;
        self.retry_at = None;
        self.connected = true;
        self.successes = self.successes.saturating_add(1);
        if self.successes >= self.window {
            self.window = self.window.saturating_add(1).min(options.per_queue_max.max(1));
            self.successes = 0;
        }
    }

    fn status(&self) -> QueueStatus {
        if self.suspended {
            QueueStatus::Suspended
        } else if self.retry_at.is_some() {
            QueueStatus::Retry
        } else if self.inflight == 0 {
            QueueStatus::Ready
        } else if self.connected {
            QueueStatus::Active
        } else {
            QueueStatus::Connecting
        }
    }

    pub(super) fn view(&self) -> QueueView {
        QueueView {
            id: self.id,
            next_hop: self.next_hop.clone(),
            status: self.status(),
            message_count: self.units,
            deferred_count: self
                .units
                .saturating_sub(self.lane.len())
                .saturating_sub(self.inflight),
            inflight: self.inflight,
            window: self.window,
            retry_count: self.failures,
            last_error: self.last_error.clone(),
            last_retry: self.last_retry,
            next_retry: self.retry_at,
        }
    }
}

fn window_initial(options: &SchedulerOptions) -> u32 {
    options.window_initial.clamp(1, options.per_queue_max.max(1))
}

/// A queue as a person sees it; the words are Exchange's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueView {
    /// Its id.
    pub id: QueueId,
    /// Where it leads.
    pub next_hop: NextHop,
    /// What it does.
    pub status: QueueStatus,
    /// Messages in it. One whose recipients have different due times counts once for each.
    pub message_count: u32,
    /// Those of them that wait for a time of their own or were suspended.
    pub deferred_count: u32,
    /// Attempts under way.
    pub inflight: u32,
    /// Attempts that may be under way at the same time.
    pub window: u32,
    /// Failed connections since the last success.
    pub retry_count: u32,
    /// What the last failure was.
    pub last_error: Option<Arc<Status>>,
    /// When a connection last failed.
    pub last_retry: Option<Instant>,
    /// When it connects again.
    pub next_retry: Option<Instant>,
}

/// What a queue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueueStatus {
    /// Attempts are under way over connections that have worked.
    Active,
    /// The first attempt since the start or the last failure is under way.
    Connecting,
    /// Nothing is under way.
    Ready,
    /// The last connection failed: waits for the ladder.
    Retry,
    /// Stopped by an administrator.
    Suspended,
}

impl fmt::Display for QueueStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "Active",
            Self::Connecting => "Connecting",
            Self::Ready => "Ready",
            Self::Retry => "Retry",
            Self::Suspended => "Suspended",
        })
    }
}
