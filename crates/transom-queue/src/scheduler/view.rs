//! Queues and what is in them, as a person sees them. The words are Exchange's.

use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use transom_types::{InternalMessageId, NextHop, Status};

use super::Scheduler;
use super::action::QueueId;
use super::clock::{self, Tick};
use super::priority::Priority;
use super::queue::{Queue, QueueStatus};
use super::unit::Place;

/// A queue as a person sees it.
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
    /// The same for each priority, in the order of [`Priority::ALL`].
    pub message_counts: [u32; Priority::ALL.len()],
    /// Those of them that wait for a time of their own or were suspended.
    pub deferred_count: u32,
    /// Those of them that were suspended.
    pub suspended_count: u32,
    /// Messages that came in the last minute.
    pub incoming_per_minute: u32,
    /// Messages that were done with in the last minute. Exchange's `Velocity` is the difference.
    pub outgoing_per_minute: u32,
    /// Attempts under way.
    pub inflight: u32,
    /// Attempts that may be under way at the same time.
    pub window: u32,
    /// Failed connections since the last success.
    pub retry_count: u32,
    /// What the last failure was.
    pub last_error: Option<Arc<Status>>,
    /// When a connection failed for the first time since the last success.
    pub first_retry: Option<Instant>,
    /// When a connection last failed.
    pub last_retry: Option<Instant>,
    /// When it connects again.
    pub next_retry: Option<Instant>,
    /// When its rate limit lets the next attempt begin; none when that is now.
    pub throttled_until: Option<Instant>,
}

/// Recipients of a message in a queue as a person sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnitView {
    /// The message.
    pub message: InternalMessageId,
    /// The queue.
    pub queue: QueueId,
    /// Places of the recipients in the envelope.
    pub recipients: Vec<u32>,
    /// What becomes of them.
    pub status: UnitStatus,
    /// How urgent they are.
    pub priority: Priority,
    /// Attempts behind them.
    pub attempts: u32,
    /// When they are due, if they wait for that.
    pub due: Option<Instant>,
    /// When custody began, by the wall clock, to whole seconds.
    pub received_at: SystemTime,
    /// When the message is given up; none for never.
    pub expires_at: Option<Instant>,
    /// Size of the message.
    pub octets: u64,
}

/// What becomes of recipients of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnitStatus {
    /// An attempt is under way.
    Active,
    /// Waits for its turn.
    Ready,
    /// Waits for its due time, or for its queue to connect again.
    Retry,
    /// Stopped by an administrator.
    Suspended,
    /// Is stopped when the attempt that is under way does not deliver.
    PendingSuspend,
    /// Is removed when the attempt that is under way does not deliver.
    PendingRemove,
}

impl fmt::Display for UnitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "Active",
            Self::Ready => "Ready",
            Self::Retry => "Retry",
            Self::Suspended => "Suspended",
            Self::PendingSuspend => "PendingSuspend",
            Self::PendingRemove => "PendingRemove",
        })
    }
}

impl Scheduler {
    /// All queues, in the order in which they were made as far as places were not used again.
    pub fn queues(&self) -> Vec<QueueView> {
        self.each_queue().collect()
    }

    /// The same, one by one.
    pub fn each_queue(&self) -> impl Iterator<Item = QueueView> {
        self.queues.iter().map(|(_, queue)| self.view(queue))
    }

    /// One queue.
    pub fn queue(&self, queue: QueueId) -> Option<QueueView> {
        Some(self.view(self.queues.get(self.resolve(queue)?)?))
    }

    /// The queue that leads there, if there is one.
    pub fn queue_of(&self, next_hop: &NextHop) -> Option<QueueId> {
        Some(self.queues.get(self.find_queue(next_hop)?)?.id)
    }

    /// What is in a queue, the most urgent first, each priority in the order in which it came.
    pub fn units_of(&self, queue: QueueId) -> impl Iterator<Item = UnitView> {
        self.members(queue).filter_map(|unit| self.view_unit(unit))
    }

    fn members(&self, queue: QueueId) -> impl Iterator<Item = u32> {
        let queue = self.resolve(queue).and_then(|index| self.queues.get(index));
        let flows = queue.into_iter().flat_map(|queue| queue.flows.iter().flatten());
        let flows = flows.filter_map(|flow| self.flows.get(*flow));
        flows.flat_map(|flow| flow.members.iter(&self.units))
    }

    /// When custody of each of a queue's messages began, to whole seconds: as
    /// [`units_of`](Self::units_of), for those who need no more.
    pub fn received_in(&self, queue: QueueId) -> impl Iterator<Item = SystemTime> {
        self.members(queue)
            .filter_map(|unit| self.messages.get(self.units.get(unit)?.message))
            .map(|message| clock::wall(message.received_at))
    }

    /// What is open of a message; empty when nothing is.
    pub fn message(&self, message: InternalMessageId) -> Vec<UnitView> {
        let message = self.find_message(message).and_then(|index| self.messages.get(index));
        let units = message.into_iter().flat_map(|message| message.units.iter(&self.units));
        units.filter_map(|unit| self.view_unit(unit)).collect()
    }

    fn view(&self, queue: &Queue) -> QueueView {
        let flow = |flow: Option<u32>| flow.and_then(|flow| self.flows.get(flow));
        let startable: u32 = queue.flows.iter().filter_map(|at| Some(flow(*at)?.startable())).sum();
        let at = |tick: Tick| tick.some().and_then(|tick| self.clock.instant_of(tick));
        QueueView {
            id: queue.id,
            next_hop: queue.next_hop.clone(),
            status: queue.status(),
            message_count: queue.units,
            message_counts: queue.flows.map(|at| flow(at).map_or(0, |flow| flow.members.len())),
            deferred_count: queue.units.saturating_sub(startable).saturating_sub(queue.inflight),
            suspended_count: queue.held,
            incoming_per_minute: queue.incoming.value(self.clock.last()),
            outgoing_per_minute: queue.outgoing.value(self.clock.last()),
            inflight: queue.inflight,
            window: queue.window.width(),
            retry_count: queue.failures,
            last_error: queue.last_error.clone(),
            first_retry: queue.first_retry,
            last_retry: queue.last_retry,
            next_retry: at(queue.retry_at),
            throttled_until: at(queue.throttled_until),
        }
    }

    fn view_unit(&self, index: u32) -> Option<UnitView> {
        let unit = self.units.get(index)?;
        let message = self.messages.get(unit.message)?;
        let flow = self.flows.get(unit.flow)?;
        let queue = self.queues.get(flow.queue)?;
        let status = match unit.place {
            Place::Inflight if message.removed => UnitStatus::PendingRemove,
            Place::Inflight if message.suspended => UnitStatus::PendingSuspend,
            Place::Inflight => UnitStatus::Active,
            Place::Held => UnitStatus::Suspended,
            Place::Lane if queue.retry_at == Tick::NEVER => UnitStatus::Ready,
            Place::Lane | Place::Waiting | Place::Nowhere => UnitStatus::Retry,
        };
        let at = |tick: Tick| tick.some().and_then(|tick| self.clock.instant_of(tick));
        Some(UnitView {
            message: message.id,
            queue: queue.id,
            recipients: self.recipients(unit).to_vec(),
            status,
            priority: flow.priority,
            attempts: u32::from(unit.attempts),
            due: if unit.place == Place::Waiting { at(unit.due) } else { None },
            received_at: clock::wall(message.received_at),
            expires_at: at(message.expires_at),
            octets: message.octets.into(),
        })
    }
}
