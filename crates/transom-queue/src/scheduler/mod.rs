//! Decides which attempt begins next. No clock, no threads, no I/O: time is an argument, what is
//! to be done comes out of [`Scheduler::poll`].
//!
//! One queue per next hop. A queue that cannot connect climbs the ladder of the
//! [`RetryProfile`](crate::RetryProfile); its messages wait in it without being attempted and cost
//! nothing meanwhile. Queues that can go take turns, so a large or slow one delays no other. Each
//! message has a timer of its own for delay notice and expiry, whatever its recipients wait for.
//!
//! Every call costs the same however many messages and queues there are. Times are kept to a
//! sixteenth of a second and never come early; only [`Instant`]s are looked at, so that a jump of
//! the wall clock changes nothing.
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
//! # Who goes first
//!
//! - Priorities share a cycle of attempts by their weights ([`Priority`]); none starves.
//! - Within a priority queues take turns by deficit round robin: a turn is worth eight small
//!   messages, or one of 448 KiB or more.
//! - Within a queue, small messages and large ones take turns one by one. A message with more than
//!   five units is large from the sixth on, and so is a unit of more than 100 recipients.
//! - While others wait, no queue has more than a quarter of all places, or four.
//! - A queue has as many attempts under way as its window is wide, and begins as many in a time as
//!   its [`RateLimit`] allows. The window grows as attempts work; it begins with two soon after a
//!   start, and where the destination was away.
//!
//! # Limits
//!
//! At most [`SchedulerOptions::inflight_max`] attempts at a time, and
//! [`SchedulerOptions::per_queue_max`] of one queue. One poll looks at no more than 1,024 timers.
//! A queued message with one recipient takes less than 120 octets.

mod action;
mod admin;
#[cfg(any(test, feature = "testing"))]
mod check;
mod clock;
mod flow;
mod options;
mod place;
mod priority;
mod queue;
mod rate;
mod slab;
#[cfg(test)]
mod tests;
mod timers;
mod unit;
mod view;
mod walk;
mod wheel;
mod window;

pub use action::{
    Completed, ConnectionResult, Dispatch, DispatchToken, Enqueue, Overdue, QueueId,
    SchedulerAction, Waiting,
};
pub use admin::Drained;
pub use options::SchedulerOptions;
pub use priority::Priority;
pub use queue::QueueStatus;
pub use rate::RateLimit;
pub use view::{QueueView, UnitStatus, UnitView};
pub use walk::Walked;

use std::collections::VecDeque;
use std::time::Instant;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use transom_types::NextHopDomain;

use clock::Clock;
use flow::{Flow, Rings};
use queue::Queue;
use rate::Gate;
use slab::Slab;
use unit::{Message, Place, Unit};
use wheel::Wheel;

/// Chooses what is attempted when. See the [module](self) for the loop that drives it.
#[derive(Debug)]
pub struct Scheduler {
    options: SchedulerOptions,
    clock: Clock,
    queues: Slab<Queue>,
    flows: Slab<Flow>,
    units: Slab<Unit>,
    messages: Slab<Message>,
    /// Recipients of units that have several.
    recipients: Slab<Box<[u32]>>,
    /// Indices of queues by next hop, and of messages by id. The names stand in the entries.
    queue_index: HashTable<u32>,
    message_index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Limits of single destinations, by their names in lower case.
    limits: HashMap<String, RateLimit>,
    /// Flows that may start something, in the order of their turns.
    rings: Rings,
    unit_timers: Wheel,
    message_timers: Wheel,
    queue_timers: Wheel,
    inflight: HashMap<DispatchToken, u32>,
    /// What is to be told and is decided already.
    pending: VecDeque<SchedulerAction>,
    suspended: bool,
    /// Whether an attempt goes before the next timer: neither starves the other.
    start_first: bool,
    /// Whether expiries and notices go before other timers: neither starves the other.
    messages_first: bool,
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
            clock: Clock::default(),
            queues: Slab::new(),
            flows: Slab::new(),
            units: Slab::new(),
            messages: Slab::new(),
            recipients: Slab::new(),
            queue_index: HashTable::new(),
            message_index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            limits: HashMap::new(),
            rings: Rings::new(),
            unit_timers: Wheel::new(),
            message_timers: Wheel::new(),
            queue_timers: Wheel::new(),
            inflight: HashMap::new(),
            pending: VecDeque::new(),
            suspended: false,
            start_first: false,
            messages_first: true,
            next_token: 0,
            generation: 0,
        }
    }

    /// Takes recipients in. They are attempted when they are due and their queue may connect.
    pub fn enqueue(&mut self, now: Instant, mut enqueue: Enqueue) -> QueueId {
        let tick = self.clock.now(now);
        let mut recipients = std::mem::take(&mut enqueue.recipients);
        recipients.sort_unstable();
        recipients.dedup();
        let message = (!recipients.is_empty()).then(|| self.message_entry(&enqueue));
        let Enqueue { next_hop, due, attempts, priority, .. } = enqueue;
        let (queue, id) = self.intern(next_hop);
        if let Some(message) = message {
            if let Some(queue) = self.queues.get_mut(queue) {
                queue.incoming.count(tick);
            }
            let flow = self.flow(queue, priority);
            let attempts = u16::try_from(attempts).unwrap_or(u16::MAX);
            let unit = self.add_unit(message, flow, &recipients, attempts);
            self.place(now, unit, due.unwrap_or(now));
        }
        self.refresh(now, queue);
        id
    }

    /// What is to be done now. Call it until it says [`SchedulerAction::Wait`].
    pub fn poll(&mut self, now: Instant) -> SchedulerAction {
        if let Some(action) = self.pending.pop_front() {
            return action;
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
            None => SchedulerAction::Wait(self.next_timer(now)),
        }
    }

    /// The next attempt for a connection of `queue` that has just become free. None when it is not
    /// the turn of its queue; keep the connection for a moment, as the next
    /// [`SchedulerAction::Start`] of the queue may be what it waits for.
    pub fn next_for(&mut self, now: Instant, queue: QueueId) -> Option<Dispatch> {
        let index = self.resolve(queue)?;
        let next = self.rings.next()?;
        if self.flows.get(next)?.queue != index {
            return None;
        }
        self.start(now)
    }

    /// An attempt is over and its outcome durable. False when the token is not under way, so that
    /// a second completion does nothing.
    pub fn complete(&mut self, now: Instant, token: DispatchToken, completed: Completed) -> bool {
        let Some(index) = self.inflight.remove(&token) else { return false };
        let Some(unit) = self.units.get_mut(index) else { return false };
        unit.place = Place::Nowhere;
        let (message, flow, attempts) = (unit.message, unit.flow, unit.attempts);
        let Some(queue) = self.flows.get(flow).map(|flow| flow.queue) else { return false };
        let attempts = match completed.connection {
            ConnectionResult::Used => attempts.saturating_add(1),
            ConnectionResult::Failed | ConnectionResult::NotTried => attempts,
        };
        let mut open = self.units.get(index).map_or_else(Vec::new, |u| self.recipients(u).to_vec());
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
        if retries.is_empty()
            && let Some(queue) = self.queues.get_mut(queue)
        {
            queue.outgoing.count(self.clock.now(now));
        }
        self.come_back(now, message, flow, attempts, retries);
        self.remove_unit(index);
        self.refresh(now, queue);
        true
    }

    fn come_back(
        &mut self,
        now: Instant,
        message: u32,
        flow: u32,
        attempts: u16,
        retries: Vec<(Vec<u32>, Instant)>,
    ) {
        let Some(entry) = self.messages.get(message) else { return };
        if entry.removed {
            let recipients: Vec<u32> = retries.into_iter().flat_map(|(r, _)| r).collect();
            if !recipients.is_empty() {
                let action = SchedulerAction::Remove { message: entry.id, recipients };
                self.pending.push_back(action);
            }
            return;
        }
        for (recipients, due) in retries {
            let unit = self.add_unit(message, flow, &recipients, attempts);
            self.place(now, unit, due);
            // Expired while it was under way: the timer goes off again, now.
            self.arm_message(message);
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

    /// Lets no more than so many attempts to a destination begin in a time, whatever the case of
    /// its letters; none is what the options say. Holds for each queue that leads there, those to
    /// come among them. Looks at all queues: it is for a change of the configuration.
    pub fn limit_rate(
        &mut self,
        now: Instant,
        destination: &NextHopDomain,
        limit: Option<RateLimit>,
    ) {
        let name = destination.as_str().to_ascii_lowercase();
        let is = |queue: &Queue| queue.next_hop.domain.as_str().eq_ignore_ascii_case(&name);
        let queues = self.queues.iter().filter(|(_, queue)| is(queue));
        let found: Vec<u32> = queues.map(|(index, _)| index).collect();
        match limit {
            Some(limit) => self.limits.insert(name, limit),
            None => self.limits.remove(&name),
        };
        let limit = limit.or(self.options.rate_limit);
        for index in found {
            if let Some(queue) = self.queues.get_mut(index) {
                queue.gate = limit.map(|limit| Gate::new(limit).with_past_of(queue.gate));
            }
            self.throttle(now, index);
            self.refresh(now, index);
        }
    }

    // Starting.

    fn free_places(&self) -> u32 {
        let taken = u32::try_from(self.inflight.len()).unwrap_or(u32::MAX);
        if self.suspended { 0 } else { self.options.inflight_max.saturating_sub(taken) }
    }

    /// The flow whose turn it is starts one attempt.
    fn start(&mut self, now: Instant) -> Option<Dispatch> {
        if self.free_places() == 0 {
            return None;
        }
        let index = self.rings.next()?;
        let unit = self.units.get(self.flows.get(index)?.next()?)?;
        let octets = self.messages.get(unit.message)?.octets;
        let cost = flow::cost(octets.into(), self.recipients(unit).len());
        self.rings.charge(&mut self.flows, index, cost);
        self.dispatch(now, index)
    }

    fn dispatch(&mut self, now: Instant, flow_index: u32) -> Option<Dispatch> {
        let flow = self.flows.get_mut(flow_index)?;
        let index = flow.next()?;
        let unit = self.units.get_mut(index)?;
        unit.place = Place::Inflight;
        let bulk = unit.bulk;
        flow.lane_mut(bulk).remove(&mut self.units, index);
        flow.took(bulk);
        let queue_index = flow.queue;
        let queue = self.queues.get_mut(queue_index)?;
        queue.inflight = queue.inflight.saturating_add(1);
        if let Some(gate) = &mut queue.gate {
            gate.pass(now);
        }
        let (id, next_hop) = (queue.id, queue.next_hop.clone());
        self.throttle(now, queue_index);
        self.refresh(now, queue_index);
        let token = DispatchToken(self.next_token);
        self.next_token = self.next_token.wrapping_add(1);
        self.inflight.insert(token, index);
        let unit = self.units.get(index)?;
        let message = self.messages.get(unit.message)?;
        Some(Dispatch {
            token,
            queue: id,
            next_hop,
            message: message.id,
            recipients: self.recipients(unit).to_vec(),
            attempt: u32::from(unit.attempts).saturating_add(1),
            expires_at: self.clock.instant(now, message.expires_at),
            octets: message.octets.into(),
        })
    }

    /// Tells a queue how an attempt of it ended.
    fn feed(&mut self, now: Instant, index: u32, result: ConnectionResult) {
        let random = self.roll();
        let Some(queue) = self.queues.get_mut(index) else { return };
        queue.inflight = queue.inflight.saturating_sub(1);
        if queue.feed(now, result) {
            let delay = self.options.profile.queue_delay(queue.failures, random);
            let at = now.checked_add(delay).unwrap_or(now);
            queue.retry_at = self.clock.not_before(at);
            if queue.stuck_for(now) >= self.options.resubmit_after {
                queue.stuck_since = Some(now);
                let action = SchedulerAction::Resubmit(queue.id, queue.next_hop.clone());
                self.pending.push_back(action);
            }
        }
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
