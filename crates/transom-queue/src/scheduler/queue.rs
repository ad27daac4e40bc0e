//! One delivery queue: its state, its window, its ladder.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use transom_types::{DeliveryType, NextHop, Status};

use super::action::{ConnectionResult, QueueId};
use super::clock::Tick;
use super::options::SchedulerOptions;
use super::priority::Priority;
use super::rate::{Gate, PerMinute};
use super::slab::{Link, Linked};
use super::wheel::{Alarm, SlotIndex, Timed};
use super::window::Window;

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) id: QueueId,
    pub(super) next_hop: NextHop,
    /// Its flows, by the rank of their priority, as far as there was ever something in them.
    pub(super) flows: [Option<u32>; Priority::ALL.len()],
    /// All units: in a lane, waiting, held, under way.
    pub(super) units: u32,
    pub(super) held: u32,
    pub(super) inflight: u32,
    pub(super) suspended: bool,
    pub(super) last_error: Option<Arc<Status>>,
    /// Until when it does not connect, because it could not.
    pub(super) retry_at: Tick,
    /// Until when it begins nothing, because of its rate limit.
    pub(super) throttled_until: Tick,
    /// When it is dropped, if it stays empty.
    pub(super) idle_at: Tick,
    pub(super) gate: Option<Gate>,
    pub(super) incoming: PerMinute,
    pub(super) outgoing: PerMinute,
    /// The first and the last failed connection since the last success.
    pub(super) first_retry: Option<Instant>,
    pub(super) last_retry: Option<Instant>,
    /// Since when nothing got through; of a queue that does not fail, nothing.
    pub(super) stuck_since: Option<Instant>,
    /// Steps of the ladder since the last success.
    pub(super) failures: u32,
    pub(super) window: Window,
    /// Whether a connection has failed and none was used since.
    failing: bool,
    /// Whether the last connection that ended had been used.
    connected: bool,
    /// What its timer is set to: the first of its times.
    alarm: Tick,
    link: Link,
    slot: SlotIndex,
}

impl Linked<Alarm> for Queue {
    fn link(&self) -> Link {
        self.link
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

impl Timed for Queue {
    fn at(&self) -> Tick {
        self.alarm
    }
    fn slot(&self) -> SlotIndex {
        self.slot
    }
    fn set_slot(&mut self, slot: SlotIndex) {
        self.slot = slot;
    }
}

impl Queue {
    pub(super) fn new(
        id: QueueId,
        next_hop: NextHop,
        gate: Option<Gate>,
        options: &SchedulerOptions,
    ) -> Self {
        let max = match next_hop.kind {
            DeliveryType::SmartHostConnectorDelivery => options.smart_host_max,
            _ => options.per_queue_max,
        };
        Self {
            id,
            next_hop,
            flows: [None; Priority::ALL.len()],
            units: 0,
            held: 0,
            inflight: 0,
            suspended: false,
            last_error: None,
            retry_at: Tick::NEVER,
            throttled_until: Tick::NEVER,
            idle_at: Tick::NEVER,
            gate,
            incoming: PerMinute::default(),
            outgoing: PerMinute::default(),
            first_retry: None,
            last_retry: None,
            stuck_since: None,
            failures: 0,
            window: Window::new(options.window_initial, max),
            failing: false,
            connected: false,
            alarm: Tick::NEVER,
            link: Link::NONE,
            slot: SlotIndex::NONE,
        }
    }

    /// Whether an attempt may begin, if there is something to attempt and a place for it.
    pub(super) fn is_open(&self) -> bool {
        let stopped = self.suspended || self.retry_at != Tick::NEVER;
        let throttled = self.throttled_until != Tick::NEVER;
        let unrouted = [DeliveryType::Undefined, DeliveryType::Unreachable];
        let routed = !unrouted.contains(&self.next_hop.kind);
        // While nothing has worked since a failure, those under way find out: a peer that is gone
        // costs one window of connections and no more.
        let waits_and_sees = self.failing && self.inflight > 0;
        routed && !stopped && !throttled && !waits_and_sees && self.inflight < self.window.width()
    }

    /// Whether nothing is in it that would be lost with it.
    pub(super) fn is_idle(&self) -> bool {
        self.units == 0 && !self.suspended
    }

    /// How long nothing got through.
    pub(super) fn stuck_for(&self, now: Instant) -> Duration {
        self.stuck_since.map(|since| now.saturating_duration_since(since)).unwrap_or_default()
    }

    /// When it is to be looked at next.
    pub(super) fn next_time(&self) -> Tick {
        self.retry_at.min(self.throttled_until).min(self.idle_at)
    }

    /// Sets what its timer is to be set to; false when that stays as it is.
    pub(super) fn set_alarm(&mut self, alarm: Tick) -> bool {
        std::mem::replace(&mut self.alarm, alarm) != alarm
    }

    /// Takes in how a connection did; `inflight` counts it no more. True when the queue is to
    /// wait for the next step of its ladder.
    pub(super) fn feed(&mut self, now: Instant, result: ConnectionResult) -> bool {
        match result {
            ConnectionResult::NotTried => false,
            ConnectionResult::Used => {
                self.succeeded();
                false
            }
            // Others still work, or hang like this one and will tell in their turn. Only the last
            // one to fail counts as a failure of the queue: a peer that takes few connections at a
            // time must not stop the queue, and a cohort that fails must not climb many steps.
            ConnectionResult::Failed if self.inflight > 0 && self.failures == 0 => {
                self.failing = true;
                self.window.failed();
                false
            }
            ConnectionResult::Failed => {
                self.failing = true;
                self.connected = false;
                self.window.close();
                if self.retry_at != Tick::NEVER {
                    return false;
                }
                self.failures = self.failures.saturating_add(1);
                self.first_retry = self.first_retry.or(Some(now));
                self.last_retry = Some(now);
                self.stuck_since = self.stuck_since.or(Some(now));
                true
            }
        }
    }

    fn succeeded(&mut self) {
        if self.failures > 0 {
            self.window.reopen();
        }
        self.failures = 0;
        self.failing = false;
        self.stuck_since = None;
        self.first_retry = None;
        self.retry_at = Tick::NEVER;
        self.connected = true;
        self.window.succeeded(self.inflight);
    }

    pub(super) fn status(&self) -> QueueStatus {
        if self.suspended {
            QueueStatus::Suspended
        } else if self.retry_at != Tick::NEVER {
            QueueStatus::Retry
        } else if self.inflight == 0 {
            QueueStatus::Ready
        } else if self.connected {
            QueueStatus::Active
        } else {
            QueueStatus::Connecting
        }
    }
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
