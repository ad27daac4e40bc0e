//! Where things are: finding and making queues, flows, messages and units, and moving units
//! between lanes, timers and attempts.

use std::hash::BuildHasher;
use std::time::Instant;

use transom_types::{InternalMessageId, NextHop};

use super::Scheduler;
use super::action::{Enqueue, QueueId};
use super::clock::{self, Tick};
use super::flow::{Flow, Seat};
use super::priority::Priority;
use super::queue::Queue;
use super::rate::Gate;
use super::slab::{Link, List};
use super::unit::{Message, Place, Recipients, Unit};
use super::wheel::{SlotIndex, Timed};

/// Units of a message that go by the lane of small ones.
const SMALL_UNITS: u32 = 5;

/// Recipients of a unit that goes by the lane of small ones: what every server takes in one
/// transaction [RFC 5321 §4.5.3.1.8].
const SMALL_RECIPIENTS: usize = 100;

impl Scheduler {
    // Queues and flows.

    pub(super) fn find_queue(&self, next_hop: &NextHop) -> Option<u32> {
        let hash = self.hasher.hash_one(next_hop);
        let is = |at: &u32| self.queues.get(*at).is_some_and(|queue| queue.next_hop == *next_hop);
        self.queue_index.find(hash, is).copied()
    }

    pub(super) fn intern(&mut self, next_hop: NextHop) -> (u32, QueueId) {
        if let Some(index) = self.find_queue(&next_hop)
            && let Some(queue) = self.queues.get(index)
        {
            return (index, queue.id);
        }
        self.generation = self.generation.wrapping_add(1);
        let id = QueueId { index: 0, generation: self.generation };
        let name = next_hop.domain.as_str().to_ascii_lowercase();
        let limit = self.limits.get(&name).copied().or(self.options.rate_limit);
        let hash = self.hasher.hash_one(&next_hop);
        let mut queue = Queue::new(id, next_hop, limit.map(Gate::new), &self.options);
        if self.clock.age() < self.options.slow_start {
            queue.window.reopen();
        }
        let index = self.queues.insert(queue);
        let id = QueueId { index, ..id };
        if let Some(queue) = self.queues.get_mut(index) {
            queue.id = id;
        }
        let (queues, hasher) = (&self.queues, &self.hasher);
        let hash_of =
            |at: &u32| queues.get(*at).map_or(0, |queue| hasher.hash_one(&queue.next_hop));
        self.queue_index.insert_unique(hash, index, hash_of);
        (index, id)
    }

    pub(super) fn resolve(&self, id: QueueId) -> Option<u32> {
        self.queues.get(id.index).filter(|queue| queue.id == id).map(|_| id.index)
    }

    pub(super) fn flow(&mut self, queue: u32, priority: Priority) -> u32 {
        let Some(entry) = self.queues.get_mut(queue) else { return u32::MAX };
        let Some(place) = entry.flows.get_mut(priority.rank()) else { return u32::MAX };
        *place.get_or_insert_with(|| self.flows.insert(Flow::new(queue, priority)))
    }

    pub(super) fn forget_queue(&mut self, index: u32) -> Option<Queue> {
        self.queue_timers.stop(&mut self.queues, index);
        let queue = self.queues.remove(index)?;
        for flow in queue.flows.into_iter().flatten() {
            self.rings.seat(&mut self.flows, flow, Seat::Parked);
            self.flows.remove(flow);
        }
        let hash = self.hasher.hash_one(&queue.next_hop);
        if let Ok(found) = self.queue_index.find_entry(hash, |at| *at == index) {
            found.remove();
        }
        Some(queue)
    }

    /// Sets a queue's timer and puts its flows where they belong. Called after whatever may change
    /// either.
    pub(super) fn refresh(&mut self, now: Instant, index: u32) {
        let Some(queue) = self.queues.get_mut(index) else { return };
        if !queue.is_idle() {
            queue.idle_at = Tick::NEVER;
        } else if queue.idle_at == Tick::NEVER {
            let idle_at = now.checked_add(self.options.queue_idle_max).unwrap_or(now);
            // What it remembers of its rate must not go with it.
            let forgets_at = queue.gate.and_then(|gate| gate.forgets_at(now)).unwrap_or(now);
            queue.idle_at = self.clock.not_before(idle_at.max(forgets_at));
        }
        let open = queue.is_open();
        let capped = queue.inflight >= self.options.share_max();
        let flows = queue.flows;
        let alarm = queue.next_time();
        if alarm != queue.at() || queue.slot().is_set() != (alarm != Tick::NEVER) {
            self.queue_timers.stop(&mut self.queues, index);
            if let Some(queue) = self.queues.get_mut(index) {
                queue.set_alarm(alarm);
            }
            self.queue_timers.set(&mut self.queues, index);
        }
        for at in flows.into_iter().flatten() {
            let Some(flow) = self.flows.get(at) else { continue };
            let seat = match (open && flow.startable() > 0, capped) {
                (false, _) => Seat::Parked,
                (true, false) => Seat::Main,
                (true, true) => Seat::Capped,
            };
            self.rings.seat(&mut self.flows, at, seat);
        }
    }

    /// Looks when a queue's rate limit lets it begin something. The caller refreshes the queue.
    pub(super) fn throttle(&mut self, now: Instant, index: u32) {
        let Some(queue) = self.queues.get_mut(index) else { return };
        let opens_at = queue.gate.and_then(|gate| gate.opens_at(now));
        queue.throttled_until = opens_at.map_or(Tick::NEVER, |at| self.clock.not_before(at));
    }

    // Messages.

    pub(super) fn find_message(&self, id: InternalMessageId) -> Option<u32> {
        let is = |at: &u32| self.messages.get(*at).is_some_and(|message| message.id == id);
        self.message_index.find(self.hasher.hash_one(id), is).copied()
    }

    /// The entry of the message of a unit, its timer set; the earliest of its times counts.
    pub(super) fn message_entry(&mut self, unit: &Enqueue) -> u32 {
        let id = unit.message;
        let expires_at = self.clock.not_before(unit.expires_at);
        let notice_at = unit.delay_notice_at;
        let delay_notice_at = notice_at.map_or(Tick::NEVER, |at| self.clock.not_before(at));
        if let Some(index) = self.find_message(id) {
            self.message_timers.stop(&mut self.messages, index);
            if let Some(message) = self.messages.get_mut(index) {
                message.expires_at = message.expires_at.min(expires_at);
                message.delay_notice_at = message.delay_notice_at.min(delay_notice_at);
            }
            self.arm_message(index);
            return index;
        }
        let index = self.messages.insert(Message {
            id,
            octets: u32::try_from(unit.octets).unwrap_or(u32::MAX),
            received_at: clock::seconds(unit.received_at),
            expires_at,
            delay_notice_at,
            units: List::new(),
            link: Link::NONE,
            slot: SlotIndex::NONE,
            suspended: false,
            removed: false,
        });
        let (messages, hasher) = (&self.messages, &self.hasher);
        let hash_of = |at: &u32| messages.get(*at).map_or(0, |message| hasher.hash_one(message.id));
        self.message_index.insert_unique(hasher.hash_one(id), index, hash_of);
        self.arm_message(index);
        index
    }

    fn forget_message(&mut self, index: u32) {
        self.message_timers.stop(&mut self.messages, index);
        let Some(message) = self.messages.remove(index) else { return };
        let hash = self.hasher.hash_one(message.id);
        if let Ok(found) = self.message_index.find_entry(hash, |at| *at == index) {
            found.remove();
        }
    }

    // Units.

    pub(super) fn recipients<'a>(&'a self, unit: &'a Unit) -> &'a [u32] {
        match unit.recipients.index() {
            None => std::slice::from_ref(unit.recipients.place()),
            Some(index) => self.recipients.get(index).map_or(&[], |all| all),
        }
    }

    pub(super) fn add_unit(
        &mut self,
        message: u32,
        flow: u32,
        recipients: &[u32],
        attempts: u16,
    ) -> u32 {
        let place = Recipients::one(recipients)
            .unwrap_or_else(|| Recipients::many(self.recipients.insert(recipients.into())));
        let siblings = self.messages.get(message).map_or(0, |message| message.units.len());
        let unit = self.units.insert(Unit {
            message,
            flow,
            lane: Link::NONE,
            siblings: Link::NONE,
            members: Link::NONE,
            due: Tick::NEVER,
            recipients: place,
            attempts,
            slot: SlotIndex::NONE,
            place: Place::Nowhere,
            bulk: siblings >= SMALL_UNITS || recipients.len() > SMALL_RECIPIENTS,
        });
        if let Some(message) = self.messages.get_mut(message) {
            message.units.push_back(&mut self.units, unit);
        }
        let Some(flow) = self.flows.get_mut(flow) else { return unit };
        flow.members.push_back(&mut self.units, unit);
        if let Some(queue) = self.queues.get_mut(flow.queue) {
            queue.units = queue.units.saturating_add(1);
        }
        unit
    }

    /// Puts a unit that is nowhere where it belongs. The caller refreshes the queue.
    pub(super) fn place(&mut self, now: Instant, index: u32, due: Instant) {
        let due = if due > now { self.clock.not_before(due) } else { Tick(0) };
        self.place_at(now, index, due);
    }

    pub(super) fn place_at(&mut self, now: Instant, index: u32, due: Tick) {
        let now = self.clock.now(now);
        let Some(unit) = self.units.get_mut(index) else { return };
        let Some(flow) = self.flows.get_mut(unit.flow) else { return };
        unit.due = due;
        if self.messages.get(unit.message).is_some_and(|message| message.suspended) {
            unit.place = Place::Held;
            if let Some(queue) = self.queues.get_mut(flow.queue) {
                queue.held = queue.held.saturating_add(1);
            }
        } else if due > now {
            unit.place = Place::Waiting;
            self.unit_timers.set(&mut self.units, index);
        } else {
            unit.place = Place::Lane;
            let bulk = unit.bulk;
            flow.lane_mut(bulk).push_back(&mut self.units, index);
        }
    }

    /// Takes a unit out of lane, timer or hold.
    pub(super) fn unplace(&mut self, index: u32) {
        let Some(unit) = self.units.get_mut(index) else { return };
        let Some(flow) = self.flows.get_mut(unit.flow) else { return };
        let bulk = unit.bulk;
        match std::mem::replace(&mut unit.place, Place::Nowhere) {
            Place::Nowhere | Place::Inflight => {}
            Place::Lane => flow.lane_mut(bulk).remove(&mut self.units, index),
            Place::Waiting => self.unit_timers.stop(&mut self.units, index),
            Place::Held => {
                if let Some(queue) = self.queues.get_mut(flow.queue) {
                    queue.held = queue.held.saturating_sub(1);
                }
            }
        }
    }

    /// Forgets a unit, and its message with the last one. Gives its recipients and its queue,
    /// which the caller refreshes.
    pub(super) fn remove_unit(&mut self, index: u32) -> Option<(Vec<u32>, u32)> {
        self.unplace(index);
        let unit = self.units.get(index)?;
        let (message, flow) = (unit.message, unit.flow);
        if let Some(entry) = self.messages.get_mut(message) {
            entry.units.remove(&mut self.units, index);
            if entry.units.is_empty() {
                self.forget_message(message);
            }
        }
        let flow = self.flows.get_mut(flow)?;
        flow.members.remove(&mut self.units, index);
        let queue = flow.queue;
        if let Some(queue) = self.queues.get_mut(queue) {
            queue.units = queue.units.saturating_sub(1);
        }
        let unit = self.units.remove(index)?;
        let recipients = match unit.recipients.index() {
            None => vec![*unit.recipients.place()],
            Some(index) => self.recipients.remove(index).map(Vec::from).unwrap_or_default(),
        };
        Some((recipients, queue))
    }
}
