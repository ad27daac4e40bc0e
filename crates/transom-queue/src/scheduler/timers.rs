//! What happens when a time comes: retries, delay notices, expiry, queues that were idle for long.

use std::sync::Arc;
use std::time::Instant;

use transom_types::Status;

use super::Scheduler;
use super::action::{Overdue, SchedulerAction, Waiting};
use super::clock::Tick;
use super::unit::Place;
use super::wheel::Timed;

/// Most timers that one poll looks at: a million messages due at once must not stop the driver.
const TIMERS_PER_POLL: u32 = 1024;

impl Scheduler {
    /// Sets the timer of a message to its next obligation, if it is not set.
    pub(super) fn arm_message(&mut self, index: u32) {
        if self.messages.get(index).is_some_and(|message| !message.slot().is_set()) {
            self.message_timers.set(&mut self.messages, index);
        }
    }

    /// When to look again.
    pub(super) fn next_timer(&self, now: Instant) -> Option<Instant> {
        let timers = [&self.message_timers, &self.queue_timers, &self.unit_timers];
        let next = timers.into_iter().filter_map(super::wheel::Wheel::next).min()?;
        Some(self.clock.instant(now, next))
    }

    /// Lets timers go off until one is to be told, none is due, or the limit is reached. Messages
    /// come first, so that what has expired is not tried once more; but a million of them do not
    /// stop the others.
    pub(super) fn fire_timers(&mut self, now: Instant) -> Option<SchedulerAction> {
        let mut budget = TIMERS_PER_POLL;
        let messages_first = std::mem::replace(&mut self.messages_first, true);
        if messages_first && let Some(action) = self.fire_messages(now, &mut budget) {
            self.messages_first = false;
            return Some(action);
        }
        let tick = self.clock.now(now);
        while let Some(index) = self.queue_timers.pop(&mut self.queues, tick, &mut budget) {
            if let Some(action) = self.fire_queue(tick, now, index) {
                return Some(action);
            }
        }
        while let Some(index) = self.unit_timers.pop(&mut self.units, tick, &mut budget) {
            self.fire_unit(now, index);
        }
        self.fire_messages(now, &mut budget)
    }

    fn fire_messages(&mut self, now: Instant, budget: &mut u32) -> Option<SchedulerAction> {
        let tick = self.clock.now(now);
        loop {
            let index = self.message_timers.pop(&mut self.messages, tick, budget)?;
            let action = self.fire_message(tick, now, index);
            if action.is_some() {
                return action;
            }
        }
    }

    fn fire_unit(&mut self, now: Instant, index: u32) {
        let Some(unit) = self.units.get_mut(index) else { return };
        unit.place = Place::Nowhere;
        let (due, flow) = (unit.due, unit.flow);
        self.place_at(now, index, due);
        if let Some(flow) = self.flows.get(flow) {
            self.refresh(now, flow.queue);
        }
    }

    fn fire_queue(&mut self, tick: Tick, now: Instant, index: u32) -> Option<SchedulerAction> {
        let queue = self.queues.get_mut(index)?;
        if queue.idle_at <= tick {
            let queue = self.forget_queue(index)?;
            return Some(SchedulerAction::DropQueue(queue.id, queue.next_hop));
        }
        if queue.retry_at <= tick {
            queue.retry_at = Tick::NEVER;
        }
        self.throttle(now, index);
        self.refresh(now, index);
        None
    }

    fn fire_message(&mut self, tick: Tick, now: Instant, index: u32) -> Option<SchedulerAction> {
        let message = self.messages.get_mut(index)?;
        if message.expires_at <= tick {
            return self.expire(now, index);
        }
        message.delay_notice_at = Tick::NEVER;
        let (id, expires_at) = (message.id, message.expires_at);
        let units: Vec<u32> = message.units.iter(&self.units).collect();
        self.arm_message(index);
        let waiting = units.into_iter().filter_map(|unit| self.waiting(unit)).collect();
        let expires_at = self.clock.instant(now, expires_at);
        Some(SchedulerAction::DelayNotice(Overdue { message: id, waiting, expires_at }))
    }

    /// Gives out what is not under way. What is, expires when it comes back.
    fn expire(&mut self, now: Instant, index: u32) -> Option<SchedulerAction> {
        let message = self.messages.get(index)?;
        let (id, expires_at) = (message.id, self.clock.instant(now, message.expires_at));
        let units = self.units_at_rest(index);
        let mut waiting = Vec::with_capacity(units.len());
        for unit in units {
            waiting.extend(self.waiting(unit));
            if let Some((_, queue)) = self.remove_unit(unit) {
                self.refresh(now, queue);
            }
        }
        let overdue = Overdue { message: id, waiting, expires_at };
        (!overdue.waiting.is_empty()).then_some(SchedulerAction::Expire(overdue))
    }

    fn waiting(&self, unit: u32) -> Option<Waiting> {
        let unit = self.units.get(unit)?;
        let queue = self.queues.get(self.flows.get(unit.flow)?.queue)?;
        let last_error: Option<Arc<Status>> = queue.last_error.clone();
        Some(Waiting { recipients: self.recipients(unit).to_vec(), last_error })
    }
}
