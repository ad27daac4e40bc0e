//! Decides which attempt begins next. No clock, no threads, no I/O: time is an argument, what is
//! to be done comes out of [`Scheduler::poll`].
//!
//! One queue per next hop. A queue that cannot connect climbs the ladder of the
//! [`RetryProfile`](crate::RetryProfile); its messages wait in it without being attempted and cost
//! nothing meanwhile. Queues that can go take turns, so a large or slow one delays no other. Each
//! message has a timer of its own for delay notice and expiry, whatever its recipients wait for.
//!
//! ```text
//! enqueue --> unit --+-- due later --> timer --+
//!                    +-- due now --------------+--> lane of its queue --> ring --> Start
//!                                              |                                     |
//!                                              +------- comes back <------------ complete
//! ```
//!
//! The loop of a driver:
//!
//! ```
//! use std::time::Instant;
//! use transom_queue::{Completed, ConnectionResult, Scheduler, SchedulerAction};
//!
//! fn drive(scheduler: &mut Scheduler, now: Instant) -> Option<Instant> {
//!     loop {
//!         match scheduler.poll(now) {
//!             SchedulerAction::Start(dispatch) => {
//!                 // Deliver, settle, then tell the scheduler; ask for more of the same queue.
//!                 let done = Completed { retries: vec![], connection: ConnectionResult::Used };
//!                 scheduler.complete(now, dispatch.token, done);
//!                 let _next = scheduler.next_for(now, dispatch.queue);
//!             }
//!             SchedulerAction::Expire(_) | SchedulerAction::DelayNotice(_) => { /* settle */ }
//!             SchedulerAction::Wait(until) => return until,
//!             _ => {}
//!         }
//!     }
//! }
//! # let mut scheduler = Scheduler::new(transom_queue::SchedulerOptions::default());
//! # assert_eq!(drive(&mut scheduler, Instant::now()), None);
//! ```
//!
//! # Limits
//!
//! At most [`SchedulerOptions::inflight_max`] attempts at a time, and
//! [`SchedulerOptions::per_queue_max`] of one queue. One poll looks at no more than 1,024 timers.

mod action;
mod admin;
#[cfg(any(test, feature = "testing"))]
mod check;
mod options;
mod queue;
mod slab;
#[cfg(test)]
mod tests;
mod timers;
mod unit;

pub use action::{
    Completed, ConnectionResult, Dispatch, DispatchToken, Enqueue, Overdue, QueueId,
    SchedulerAction, Waiting,
};
pub use options::SchedulerOptions;
pub use queue::{QueueStatus, QueueView};

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use hashbrown::HashMap;
use transom_types::{InternalMessageId, NextHop};

use queue::{Queue, Ring};
use slab::{Link, List, Slab};
use unit::{Message, Place, Recipients, Timer, Unit};

/// Chooses what is attempted when. See the [module](self) for the loop that drives it.
#[derive(Debug)]
pub struct Scheduler {
    options: SchedulerOptions,
    queues: Slab<Queue>,
    units: Slab<Unit>,
    messages: Slab<Message>,
    queue_of: HashMap<NextHop, u32>,
    message_of: HashMap<InternalMessageId, u32>,
    /// Queues that may start something, in the order of their turns.
    ring: List<Ring>,
    timers: BTreeSet<(Instant, Timer)>,
    inflight: HashMap<DispatchToken, u32>,
    /// Removals that took effect when an attempt ended.
    removals: VecDeque<(InternalMessageId, Vec<u32>)>,
    suspended: bool,
    /// Whether an attempt goes before the next timer: neither starves the other.
    start_first: bool,
    next_token: u64,
    generation: u32,
    random: u64,
}

impl Scheduler {
    /// A scheduler without messages.
    pub fn new(options: SchedulerOptions) -> Self {
        Self {
            random: options.seed,
            options,
            queues: Slab::new(),
            units: Slab::new(),
            messages: Slab::new(),
            queue_of: HashMap::new(),
            message_of: HashMap::new(),
            ring: List::new(),
            timers: BTreeSet::new(),
            inflight: HashMap::new(),
            removals: VecDeque::new(),
            suspended: false,
            start_first: false,
            next_token: 0,
            generation: 0,
        }
    }

    /// Takes recipients in. They are attempted when they are due and their queue may connect.
    pub fn enqueue(&mut self, now: Instant, enqueue: Enqueue) -> QueueId {
        let Enqueue { message, next_hop, mut recipients, due, expires_at, .. } = enqueue;
        let (queue, id) = self.intern(next_hop);
        recipients.sort_unstable();
        recipients.dedup();
        if !recipients.is_empty() {
            let message =
                self.message(message, expires_at, enqueue.delay_notice_at, enqueue.octets);
            self.arm_message(message);
            let unit = self.add_unit(message, queue, recipients, enqueue.attempts);
            self.place(now, unit, due.unwrap_or(now));
        }
        self.refresh(now, queue);
        id
    }

    /// What is to be done now. Call it until it says [`SchedulerAction::Wait`].
    pub fn poll(&mut self, now: Instant) -> SchedulerAction {
        if let Some((message, recipients)) = self.removals.pop_front() {
            return SchedulerAction::Remove { message, recipients };
        }
        if self.start_first
            && let Some(dispatch) = self.start(now)
        {
            self.start_first = false;
            return SchedulerAction::Start(dispatch);
        }
        if let Some(action) = self.fire_timers(now) {
            self.start_first = true;
            return action;
        }
        match self.start(now) {
            Some(dispatch) => SchedulerAction::Start(dispatch),
            None => SchedulerAction::Wait(self.timers.first().map(|(at, _)| *at)),
        }
    }

    /// The next attempt for a connection of `queue` that has just become free. None when nothing
    /// may start there, and when other queues wait for the last free places: a busy connection
    /// does not keep its place against them.
    pub fn next_for(&mut self, now: Instant, queue: QueueId) -> Option<Dispatch> {
        let index = self.resolve(queue)?;
        let ready = self.queues.get(index)?.ready;
        let others = self.ring.len().saturating_sub(1);
        if !ready || self.free_places() <= others {
            return None;
        }
        self.dispatch(now, index)
    }

    /// An attempt is over and its outcome durable. False when the token is not under way, so that
    /// a second completion does nothing.
    pub fn complete(&mut self, now: Instant, token: DispatchToken, completed: Completed) -> bool {
        let Some(index) = self.inflight.remove(&token) else { return false };
        let Some(unit) = self.units.get_mut(index) else { return false };
        let Unit { message, queue, attempts, .. } = *unit;
        let attempts = match completed.connection {
            ConnectionResult::Used => attempts.saturating_add(1),
            ConnectionResult::Failed | ConnectionResult::NotTried => attempts,
        };
        unit.place = Place::Nowhere;
        let mut open = unit.recipients.as_slice().to_vec();
        self.feed(now, queue, completed.connection);
        // What comes back is taken from what was given out: nobody enters by this door.
        let mut take = |recipients: &mut Vec<u32>| {
            recipients.retain(|recipient| match open.binary_search(recipient) {
                Ok(at) => {
                    open.remove(at);
                    true
                }
                Err(_) => false,
            });
            recipients.sort_unstable();
            !recipients.is_empty()
        };
        let mut retries = completed.retries;
        retries.retain_mut(|(recipients, _)| take(recipients));
        self.come_back(now, message, queue, attempts, retries);
        self.remove_unit(index);
        self.refresh(now, queue);
        true
    }

    fn come_back(
        &mut self,
        now: Instant,
        message: u32,
        queue: u32,
        attempts: u32,
        retries: Vec<(Vec<u32>, Instant)>,
    ) {
        let Some(entry) = self.messages.get(message) else { return };
        if entry.removed {
            let recipients: Vec<u32> = retries.into_iter().flat_map(|(r, _)| r).collect();
            if !recipients.is_empty() {
                self.removals.push_back((entry.id, recipients));
            }
            return;
        }
        for (recipients, due) in retries {
            let unit = self.add_unit(message, queue, recipients, attempts);
            self.place(now, unit, due);
            // Expired while it was under way: the timer fires again, now.
            if self.messages.get(message).is_some_and(|message| message.timer.is_none()) {
                self.arm_message(message);
            }
        }
    }

    /// Attempts under way.
    pub fn inflight(&self) -> usize {
        self.inflight.len()
    }

    /// Messages with open recipients.
    pub fn message_count(&self) -> usize {
        self.messages.len()
    }

    // Queues and their turns.

    fn intern(&mut self, next_hop: NextHop) -> (u32, QueueId) {
        if let Some(index) = self.queue_of.get(&next_hop)
            && let Some(queue) = self.queues.get(*index)
        {
            return (*index, queue.id);
        }
        self.generation = self.generation.wrapping_add(1);
        let id = QueueId { index: 0, generation: self.generation };
        let index = self.queues.insert(Queue::new(id, next_hop.clone(), &self.options));
        let id = QueueId { index, ..id };
        if let Some(queue) = self.queues.get_mut(index) {
            queue.id = id;
        }
        self.queue_of.insert(next_hop, index);
        (index, id)
    }

    fn resolve(&self, id: QueueId) -> Option<u32> {
        self.queues.get(id.index).filter(|queue| queue.id == id).map(|_| id.index)
    }

    /// Puts a queue into the ring or takes it out, starts or stops its idle timer. Called after
    /// whatever may change either.
    fn refresh(&mut self, now: Instant, index: u32) {
        let Some(queue) = self.queues.get_mut(index) else { return };
        let (was, is) = (queue.ready, queue.may_start());
        queue.ready = is;
        let idle_was = queue.idle_at;
        queue.idle_at = match (queue.is_idle(), idle_was) {
            (true, None) => now.checked_add(self.options.queue_idle_max),
            (true, Some(at)) => Some(at),
            (false, _) => None,
        };
        let idle_is = queue.idle_at;
        self.move_timer(Timer::QueueIdle(index), idle_was, idle_is);
        match (was, is) {
            (false, true) => self.ring.push_back(&mut self.queues, index),
            (true, false) => self.ring.remove(&mut self.queues, index),
            _ => {}
        }
    }

    /// Tells a queue how an attempt of it ended.
    fn feed(&mut self, now: Instant, index: u32, result: ConnectionResult) {
        let random = self.roll();
        let Some(queue) = self.queues.get_mut(index) else { return };
        queue.inflight = queue.inflight.saturating_sub(1);
        let before = queue.retry_at;
        queue.feed(now, result, &self.options, random);
        let after = queue.retry_at;
        self.move_timer(Timer::QueueRetry(index), before, after);
    }

    fn free_places(&self) -> u32 {
        let taken = u32::try_from(self.inflight.len()).unwrap_or(u32::MAX);
        if self.suspended { 0 } else { self.options.inflight_max.saturating_sub(taken) }
    }

    /// The queue whose turn it is starts one attempt and goes to the end.
    fn start(&mut self, now: Instant) -> Option<Dispatch> {
        if self.free_places() == 0 {
            return None;
        }
        let index = self.ring.front()?;
        self.dispatch(now, index)
    }

    fn dispatch(&mut self, now: Instant, index: u32) -> Option<Dispatch> {
        let queue = self.queues.get_mut(index)?;
        let unit_index = queue.lane.front()?;
        queue.lane.remove(&mut self.units, unit_index);
        queue.inflight = queue.inflight.saturating_add(1);
        let (id, next_hop) = (queue.id, queue.next_hop.clone());
        // To the end of the ring, if it may go on at all.
        self.ring.remove(&mut self.queues, index);
        if let Some(queue) = self.queues.get_mut(index) {
            queue.ready = false;
        }
        self.refresh(now, index);
        let token = DispatchToken(self.next_token);
        self.next_token = self.next_token.wrapping_add(1);
        self.inflight.insert(token, unit_index);
        let unit = self.units.get_mut(unit_index)?;
        unit.place = Place::Inflight;
        let message = self.messages.get(unit.message)?;
        Some(Dispatch {
            token,
            queue: id,
            next_hop,
            message: message.id,
            recipients: unit.recipients.as_slice().to_vec(),
            attempt: unit.attempts.saturating_add(1),
            expires_at: message.expires_at,
            octets: message.octets,
        })
    }

    // Units and messages.

    /// The entry of a message; the earliest of its times counts.
    fn message(
        &mut self,
        id: InternalMessageId,
        expires_at: Instant,
        delay_notice_at: Option<Instant>,
        octets: u64,
    ) -> u32 {
        if let Some(index) = self.message_of.get(&id)
            && let Some(message) = self.messages.get_mut(*index)
        {
            message.expires_at = message.expires_at.min(expires_at);
            message.delay_notice_at = match (message.delay_notice_at, delay_notice_at) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            return *index;
        }
        let index = self.messages.insert(Message {
            id,
            octets,
            expires_at,
            delay_notice_at,
            timer: None,
            units: List::new(),
            suspended: false,
            removed: false,
        });
        self.message_of.insert(id, index);
        index
    }

    fn add_unit(&mut self, message: u32, queue: u32, recipients: Vec<u32>, attempts: u32) -> u32 {
        let unit = self.units.insert(Unit {
            message,
            queue,
            recipients: Recipients::new(recipients),
            attempts,
            place: Place::Nowhere,
            lane: Link::NONE,
            siblings: Link::NONE,
        });
        if let Some(message) = self.messages.get_mut(message) {
            message.units.push_back(&mut self.units, unit);
        }
        if let Some(queue) = self.queues.get_mut(queue) {
            queue.units = queue.units.saturating_add(1);
        }
        unit
    }

    /// Puts a unit that is nowhere where it belongs. The caller refreshes the queue.
    fn place(&mut self, now: Instant, index: u32, due: Instant) {
        let Some(unit) = self.units.get_mut(index) else { return };
        let queue = unit.queue;
        let held = self.messages.get(unit.message).is_some_and(|message| message.suspended);
        if held {
            unit.place = Place::Held(due);
        } else if due > now {
            unit.place = Place::Waiting(due);
            self.timers.insert((due, Timer::Unit(index)));
        } else {
            unit.place = Place::Lane;
            if let Some(queue) = self.queues.get_mut(queue) {
                queue.lane.push_back(&mut self.units, index);
            }
        }
    }

    /// Takes a unit out of lane or timer; gives its due time where it had one to wait for.
    fn unplace(&mut self, index: u32) -> Option<Instant> {
        let unit = self.units.get_mut(index)?;
        let queue = unit.queue;
        match std::mem::replace(&mut unit.place, Place::Nowhere) {
            Place::Nowhere | Place::Inflight => None,
            Place::Lane => {
                let queue = self.queues.get_mut(queue)?;
                queue.lane.remove(&mut self.units, index);
                None
            }
            Place::Waiting(due) => {
                self.timers.remove(&(due, Timer::Unit(index)));
                Some(due)
            }
            Place::Held(due) => Some(due),
        }
    }

    /// Forgets a unit, and its message with the last one. The caller refreshes the queue.
    fn remove_unit(&mut self, index: u32) -> Option<Unit> {
        self.unplace(index);
        let message = self.units.get(index)?.message;
        if let Some(entry) = self.messages.get_mut(message) {
            entry.units.remove(&mut self.units, index);
            if entry.units.is_empty() {
                let (id, timer) = (entry.id, entry.timer);
                self.move_timer(Timer::Message(message), timer, None);
                self.messages.remove(message);
                self.message_of.remove(&id);
            }
        }
        let unit = self.units.remove(index)?;
        if let Some(queue) = self.queues.get_mut(unit.queue) {
            queue.units = queue.units.saturating_sub(1);
        }
        Some(unit)
    }

    /// One step of splitmix64: cheap, and good enough to spread waits.
    fn roll(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
