//! What an administrator does to queues and messages, and sees of them.

use std::sync::Arc;
use std::time::Instant;

use transom_types::{InternalMessageId, Status};

use super::Scheduler;
use super::action::{Enqueue, QueueId};
use super::queue::QueueView;
use super::unit::{Place, Timer};

impl Scheduler {
    /// All queues, in the order in which they were made as far as places were not used again.
    pub fn queues(&self) -> Vec<QueueView> {
        self.queues.iter().map(|(_, queue)| queue.view()).collect()
    }

    /// One queue.
    pub fn queue(&self, queue: QueueId) -> Option<QueueView> {
        self.queues.get(self.resolve(queue)?).map(super::queue::Queue::view)
    }

    /// Keeps what kept a queue from delivering; expiry and delay notices quote it.
    pub fn set_last_error(&mut self, queue: QueueId, status: Status) {
        let index = self.resolve(queue);
        if let Some(queue) = index.and_then(|index| self.queues.get_mut(index)) {
            queue.last_error = Some(Arc::new(status));
        }
    }

    /// Begins no attempt of any queue. Expiry and notices go on.
    pub fn suspend_all(&mut self) {
        self.suspended = true;
    }

    /// Takes [`suspend_all`](Self::suspend_all) back.
    pub fn resume_all(&mut self) {
        self.suspended = false;
    }

    /// Whether all is suspended.
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Begins no attempt of this queue; it takes in messages all the same. False when there is no
    /// such queue.
    pub fn suspend_queue(&mut self, now: Instant, queue: QueueId) -> bool {
        self.set_queue_suspended(now, queue, true)
    }

    /// Takes [`suspend_queue`](Self::suspend_queue) back.
    pub fn resume_queue(&mut self, now: Instant, queue: QueueId) -> bool {
        self.set_queue_suspended(now, queue, false)
    }

    fn set_queue_suspended(&mut self, now: Instant, queue: QueueId, suspended: bool) -> bool {
        let Some(index) = self.resolve(queue) else { return false };
        if let Some(queue) = self.queues.get_mut(index) {
            queue.suspended = suspended;
        }
        self.refresh(now, index);
        true
    }

    /// Connects now instead of waiting for the ladder; a failure climbs on. False when there is no
    /// such queue or it does not wait.
    pub fn retry_now(&mut self, now: Instant, queue: QueueId) -> bool {
        let Some(index) = self.resolve(queue) else { return false };
        let before = self.queues.get_mut(index).and_then(|queue| queue.retry_at.take());
        self.move_timer(Timer::QueueRetry(index), before, None);
        self.refresh(now, index);
        before.is_some()
    }

    /// Begins no attempt of this message; one under way goes on, and what it leaves open is held.
    /// False when there is no such message.
    pub fn suspend_message(&mut self, now: Instant, message: InternalMessageId) -> bool {
        self.set_message_suspended(now, message, true)
    }

    /// Takes [`suspend_message`](Self::suspend_message) back.
    pub fn resume_message(&mut self, now: Instant, message: InternalMessageId) -> bool {
        self.set_message_suspended(now, message, false)
    }

    fn set_message_suspended(
        &mut self,
        now: Instant,
        message: InternalMessageId,
        suspended: bool,
    ) -> bool {
        let Some(index) = self.message_of.get(&message).copied() else { return false };
        let Some(message) = self.messages.get_mut(index) else { return false };
        message.suspended = suspended;
        for unit in self.units_at_rest(index) {
            let due = self.unplace(unit).unwrap_or(now);
            self.place(now, unit, due);
            if let Some(unit) = self.units.get(unit) {
                self.refresh(now, unit.queue);
            }
        }
        true
    }

    /// Takes a message out. Gives the recipients that are gone; those under way follow as
    /// [`SchedulerAction::Remove`](super::SchedulerAction::Remove) unless their attempt delivers.
    pub fn remove(&mut self, now: Instant, message: InternalMessageId) -> Vec<u32> {
        let Some(index) = self.message_of.get(&message).copied() else { return Vec::new() };
        if let Some(message) = self.messages.get_mut(index) {
            message.removed = true;
        }
        let mut gone = Vec::new();
        for unit in self.units_at_rest(index) {
            if let Some(unit) = self.remove_unit(unit) {
                gone.extend_from_slice(unit.recipients.as_slice());
                self.refresh(now, unit.queue);
            }
        }
        gone.sort_unstable();
        gone
    }

    /// Takes all out of a queue that is neither under way nor suspended, so that it can be routed
    /// anew: for the queue of the unreachable after a change of the configuration, and to
    /// resubmit. Gives it in the form in which it can be enqueued again.
    pub fn drain_queue(&mut self, now: Instant, queue: QueueId) -> Vec<Enqueue> {
        let Some(index) = self.resolve(queue) else { return Vec::new() };
        let at_rest = |place| matches!(place, Place::Lane | Place::Waiting(_));
        let in_it = |unit: &super::unit::Unit| unit.queue == index && at_rest(unit.place);
        let units: Vec<u32> =
            self.units.iter().filter(|(_, unit)| in_it(unit)).map(|(at, _)| at).collect();
        let drained = units.into_iter().filter_map(|unit| self.drain_unit(unit)).collect();
        self.refresh(now, index);
        drained
    }

    fn drain_unit(&mut self, index: u32) -> Option<Enqueue> {
        let unit = self.units.get(index)?;
        let message = self.messages.get(unit.message)?;
        let next_hop = self.queues.get(unit.queue)?.next_hop.clone();
        let due = match unit.place {
            Place::Waiting(due) => Some(due),
            _ => None,
        };
        let enqueue = Enqueue {
            message: message.id,
            next_hop,
            recipients: unit.recipients.as_slice().to_vec(),
            due,
            expires_at: message.expires_at,
            delay_notice_at: message.delay_notice_at,
            octets: message.octets,
            attempts: unit.attempts,
        };
        self.remove_unit(index);
        Some(enqueue)
    }

    /// The units of a message that are not under way.
    fn units_at_rest(&self, message: u32) -> Vec<u32> {
        let Some(message) = self.messages.get(message) else { return Vec::new() };
        let units = message.units.iter(&self.units);
        units
            .filter(|at| self.units.get(*at).is_some_and(|unit| unit.place != Place::Inflight))
            .collect()
    }
}
