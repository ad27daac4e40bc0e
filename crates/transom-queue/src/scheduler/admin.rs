//! What an administrator does to queues and messages. What a call says it did is for the caller to
//! write down.

use std::sync::Arc;
use std::time::Instant;

use transom_types::{InternalMessageId, NextHop, Status};

use super::Scheduler;
use super::action::{Enqueue, QueueId};
use super::clock::{self, Tick};
use super::unit::Place;

/// What one step of a drain took out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what is out and what is left")]
pub struct Drained {
    /// What was taken out, in the form in which it can be enqueued again.
    pub units: Vec<Enqueue>,
    /// What is left to take out by further steps. What is under way, and messages that were
    /// suspended, do not count.
    pub left: u32,
}

impl Scheduler {
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

    /// The queue that leads there, made if there is none yet. An empty one goes after a while,
    /// unless it is suspended.
    pub fn open_queue(&mut self, now: Instant, next_hop: NextHop) -> QueueId {
        self.clock.now(now);
        let (index, id) = self.intern(next_hop);
        self.refresh(now, index);
        id
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
        let Some(queue) = self.queues.get_mut(index) else { return false };
        let waited = std::mem::replace(&mut queue.retry_at, Tick::NEVER) != Tick::NEVER;
        self.refresh(now, index);
        waited
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
        let Some(index) = self.find_message(message) else { return false };
        let Some(message) = self.messages.get_mut(index) else { return false };
        message.suspended = suspended;
        for at in self.units_at_rest(index) {
            let Some((due, flow)) = self.units.get(at).map(|unit| (unit.due, unit.flow)) else {
                continue;
            };
            self.unplace(at);
            self.place_at(now, at, due);
            if let Some(flow) = self.flows.get(flow) {
                self.refresh(now, flow.queue);
            }
        }
        true
    }

    /// Takes a message out. Gives the recipients that are gone; those under way follow as
    /// [`SchedulerAction::Remove`](super::SchedulerAction::Remove) unless their attempt delivers.
    pub fn remove(&mut self, now: Instant, message: InternalMessageId) -> Vec<u32> {
        let Some(index) = self.find_message(message) else { return Vec::new() };
        if let Some(message) = self.messages.get_mut(index) {
            message.removed = true;
        }
        let mut gone = Vec::new();
        for unit in self.units_at_rest(index) {
            if let Some((recipients, queue)) = self.remove_unit(unit) {
                gone.extend(recipients);
                self.refresh(now, queue);
            }
        }
        gone.sort_unstable();
        gone
    }

    /// Takes out of a queue what is neither under way nor suspended, so that it can be routed
    /// anew: for the queue of the unreachable after a change of the configuration, to resubmit, to
    /// redirect. One step looks at `max` units of each priority at most; call it until nothing is
    /// left. Suspend the queue before, or what is left may be attempted meanwhile.
    pub fn drain_queue(&mut self, now: Instant, queue: QueueId, max: u32) -> Drained {
        let mut drained = Drained::default();
        let Some(index) = self.resolve(queue) else { return drained };
        let Some(flows) = self.queues.get(index).map(|queue| queue.flows) else { return drained };
        for flow in flows.into_iter().flatten() {
            self.drain_flow(now, flow, max, &mut drained.units);
        }
        self.refresh(now, index);
        if let Some(queue) = self.queues.get(index) {
            let stays = queue.held.saturating_add(queue.inflight);
            drained.left = queue.units.saturating_sub(stays);
        }
        drained
    }

    fn drain_flow(&mut self, now: Instant, at: u32, max: u32, drained: &mut Vec<Enqueue>) {
        let members = self.flows.get(at).map_or(0, |flow| flow.members.len());
        for _ in 0..members.min(max) {
            let Some(flow) = self.flows.get_mut(at) else { return };
            let Some(index) = flow.members.front() else { return };
            let at_rest = |place| matches!(place, Place::Lane | Place::Waiting);
            if self.units.get(index).is_some_and(|unit| at_rest(unit.place)) {
                drained.extend(self.drain_unit(now, index));
            } else {
                // It stays, behind those that were not looked at.
                flow.members.remove(&mut self.units, index);
                flow.members.push_back(&mut self.units, index);
            }
        }
    }

    fn drain_unit(&mut self, now: Instant, index: u32) -> Option<Enqueue> {
        let unit = self.units.get(index)?;
        let message = self.messages.get(unit.message)?;
        let flow = self.flows.get(unit.flow)?;
        let instant = |tick| self.clock.instant(now, tick);
        let enqueue = Enqueue {
            message: message.id,
            next_hop: self.queues.get(flow.queue)?.next_hop.clone(),
            recipients: self.recipients(unit).to_vec(),
            due: (unit.place == Place::Waiting).then(|| instant(unit.due)),
            received_at: clock::wall(message.received_at),
            expires_at: instant(message.expires_at),
            delay_notice_at: message.delay_notice_at.some().map(instant),
            octets: message.octets.into(),
            attempts: u32::from(unit.attempts),
            priority: flow.priority,
        };
        self.remove_unit(index);
        Some(enqueue)
    }

    /// The units of a message that are not under way.
    pub(super) fn units_at_rest(&self, message: u32) -> Vec<u32> {
        let Some(message) = self.messages.get(message) else { return Vec::new() };
        let units = message.units.iter(&self.units);
        units
            .filter(|at| self.units.get(*at).is_some_and(|unit| unit.place != Place::Inflight))
            .collect()
    }
}
