//! What happens when a time comes: retries, delay notices, expiry, queues that were idle for long.

use std::sync::Arc;
use std::time::Instant;

use transom_types::Status;

use super::action::{Overdue, SchedulerAction, Waiting};
use super::unit::{Place, Timer};
use super::{Scheduler, slab::Slab, unit::Unit};

/// Most timers that one poll looks at: a million messages due at once must not stop the driver.
const TIMERS_PER_POLL: u32 = 1024;

impl Scheduler {
    /// Sets, moves or stops a timer.
    pub(super) fn move_timer(&mut self, timer: Timer, from: Option<Instant>, to: Option<Instant>) {
        if from == to {
            return;
        }
        if let Some(from) = from {
            self.timers.remove(&(from, timer));
        }
        if let Some(to) = to {
            self.timers.insert((to, timer));
        }
    }

    /// Sets the timer of a message to its next obligation.
    pub(super) fn arm_message(&mut self, index: u32) {
        let Some(message) = self.messages.get_mut(index) else { return };
        let before = message.timer;
        let expires_at = message.expires_at;
        message.timer = Some(message.delay_notice_at.map_or(expires_at, |at| at.min(expires_at)));
        let after = message.timer;
        self.move_timer(Timer::Message(index), before, after);
    }

    /// Fires due timers until one gives an action, the limit is reached, or none is due.
    pub(super) fn fire_timers(&mut self, now: Instant) -> Option<SchedulerAction> {
        for _ in 0..TIMERS_PER_POLL {
            let (at, timer) = *self.timers.first()?;
            if at > now {
                return None;
            }
            self.timers.pop_first();
            let action = match timer {
                Timer::Message(index) => self.fire_message(now, index),
                Timer::QueueIdle(index) => self.drop_queue(index),
                Timer::QueueRetry(index) => {
                    if let Some(queue) = self.queues.get_mut(index) {
                        queue.retry_at = None;
                    }
                    self.refresh(now, index);
                    None
                }
                Timer::Unit(index) => {
                    let unit = self.units.get_mut(index)?;
                    unit.place = Place::Nowhere;
                    let queue = unit.queue;
                    self.place(now, index, at);
                    self.refresh(now, queue);
                    None
                }
            };
            if action.is_some() {
                return action;
            }
        }
        None
    }

    fn fire_message(&mut self, now: Instant, index: u32) -> Option<SchedulerAction> {
        let message = self.messages.get_mut(index)?;
        message.timer = None;
        if message.expires_at <= now {
            return self.expire(now, index);
        }
        message.delay_notice_at = None;
        let (id, expires_at) = (message.id, message.expires_at);
        let units: Vec<u32> = message.units.iter(&self.units).collect();
        self.arm_message(index);
        let waiting = units.into_iter().filter_map(|unit| self.waiting(unit)).collect();
        Some(SchedulerAction::DelayNotice(Overdue { message: id, waiting, expires_at }))
    }

    /// Gives out what is not under way. What is, expires when it comes back.
    fn expire(&mut self, now: Instant, index: u32) -> Option<SchedulerAction> {
        let message = self.messages.get(index)?;
        let (id, expires_at) = (message.id, message.expires_at);
        let idle = |units: &Slab<Unit>, at: u32| {
            units.get(at).is_some_and(|unit| unit.place != Place::Inflight)
        };
        let units: Vec<u32> =
            message.units.iter(&self.units).filter(|at| idle(&self.units, *at)).collect();
        let mut waiting = Vec::with_capacity(units.len());
        for unit in units {
            waiting.extend(self.waiting(unit));
            if let Some(unit) = self.remove_unit(unit) {
                self.refresh(now, unit.queue);
            }
        }
        let overdue = Overdue { message: id, waiting, expires_at };
        (!overdue.waiting.is_empty()).then_some(SchedulerAction::Expire(overdue))
    }

    fn waiting(&self, unit: u32) -> Option<Waiting> {
        let unit = self.units.get(unit)?;
        let last_error: Option<Arc<Status>> = self.queues.get(unit.queue)?.last_error.clone();
        Some(Waiting { recipients: unit.recipients.as_slice().to_vec(), last_error })
    }

    fn drop_queue(&mut self, index: u32) -> Option<SchedulerAction> {
        let queue = self.queues.remove(index)?;
        // It may still be waiting for the ladder: an empty queue need not remember that.
        self.move_timer(Timer::QueueRetry(index), queue.retry_at, None);
        self.queue_of.remove(&queue.next_hop);
        Some(SchedulerAction::DropQueue(queue.id, queue.next_hop))
    }
}
