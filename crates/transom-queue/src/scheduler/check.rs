//! The invariants, as a check that reads everything.

use std::collections::{BTreeMap, BTreeSet};

use super::Scheduler;
use super::clock::Tick;
use super::flow::{QUANTUM, Seat};
use super::unit::{Place, Unit};
use super::wheel::Timed;

impl Scheduler {
    /// Checks what must always hold: every recipient in one unit and every unit in one place (S1),
    /// every obligation with its timer (S2), attempts counted (S3), the rings hold the flows that
    /// may start and no other (S4), no flow saves up or owes more than two turns. Reads everything,
    /// so it is for tests.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn check(&self) -> Result<(), String> {
        self.check_units()?;
        self.check_messages()?;
        self.check_queues()?;
        self.check_flows()?;
        self.unit_timers.check(&self.units)?;
        self.message_timers.check(&self.messages)?;
        self.queue_timers.check(&self.queues)
    }

    fn check_units(&self) -> Result<(), String> {
        let mut owners = BTreeSet::new();
        let mut inflight = 0usize;
        let mut several = 0usize;
        for (index, unit) in self.units.iter() {
            let message = self.messages.get(unit.message).ok_or("S1: a unit without message")?;
            for recipient in self.recipients(unit) {
                let new = owners.insert((message.id, *recipient));
                ensure(new, "S1: a recipient in two units")?;
            }
            several = several.saturating_add(usize::from(unit.recipients.index().is_some()));
            let flow = self.flows.get(unit.flow).ok_or("S1: a unit without flow")?;
            for bulk in [false, true] {
                let there = flow.lane(bulk).iter(&self.units).any(|at| at == index);
                let belongs = unit.place == Place::Lane && unit.bulk == bulk;
                ensure(there == belongs, "S1: lane and place differ")?;
            }
            ensure(unit.place != Place::Nowhere, "S1: a unit nowhere")?;
            let waits = unit.place == Place::Waiting;
            ensure(waits == unit.slot().is_set(), "S2: waits and timer differ")?;
            let at_rest = unit.place != Place::Inflight;
            let held = unit.place == Place::Held;
            ensure(!at_rest || held == message.suspended, "S1: held and suspended differ")?;
            inflight = inflight.saturating_add(usize::from(!at_rest));
        }
        ensure(several == self.recipients.len(), "S1: recipients without unit")?;
        ensure(inflight == self.inflight.len(), "S3: tokens and units under way differ")?;
        let max = usize::try_from(self.options.inflight_max).unwrap_or(usize::MAX);
        ensure(inflight <= max, "S3: more under way than allowed")
    }

    fn check_messages(&self) -> Result<(), String> {
        let mut units = 0usize;
        for (index, message) in self.messages.iter() {
            ensure(!message.units.is_empty(), "S1: a message without units")?;
            let known = self.find_message(message.id) == Some(index);
            ensure(known, "S1: a message that cannot be found")?;
            let at_rest = |at| self.units.get(at).is_some_and(|u| u.place != Place::Inflight);
            let resting = message.units.iter(&self.units).any(at_rest);
            let never = message.at() == Tick::NEVER;
            ensure(message.slot().is_set() || never || !resting, "S2: a message without timer")?;
            units = units.saturating_add(message.units.iter(&self.units).count());
        }
        ensure(self.message_index.len() == self.messages.len(), "S1: a name without message")?;
        ensure(units == self.units.len(), "S1: messages do not hold all units")
    }

    fn check_queues(&self) -> Result<(), String> {
        for (index, queue) in self.queues.iter() {
            let is_mine =
                |unit: &&Unit| self.flows.get(unit.flow).is_some_and(|flow| flow.queue == index);
            let count = |which: &dyn Fn(&Unit) -> bool| {
                let mine = self.units.iter().map(|(_, unit)| unit).filter(is_mine);
                u32::try_from(mine.filter(|unit| which(unit)).count()).unwrap_or(u32::MAX)
            };
            ensure(count(&|_| true) == queue.units, "S1: a queue counts its units wrong")?;
            let held = count(&|unit| unit.place == Place::Held);
            ensure(held == queue.held, "S1: a queue counts what is held wrong")?;
            let inflight = count(&|unit| unit.place == Place::Inflight);
            ensure(inflight == queue.inflight, "S3: a queue counts attempts wrong")?;
            let max = self.options.per_queue_max.max(self.options.smart_host_max).max(1);
            ensure(inflight <= max, "S3: a queue above its cap")?;
            let idle = queue.idle_at != Tick::NEVER;
            ensure(queue.is_idle() == idle, "S2: idle without timer")?;
            ensure(queue.at() == queue.next_time(), "S2: a queue's timer is wrong")?;
            let known = self.find_queue(&queue.next_hop) == Some(index);
            ensure(known, "S1: a queue that cannot be found")?;
        }
        ensure(self.queue_index.len() == self.queues.len(), "S1: a name without queue")
    }

    fn check_flows(&self) -> Result<(), String> {
        let seated: BTreeMap<u32, Seat> = self.rings.seated(&self.flows).into_iter().collect();
        let mut members = 0usize;
        for (index, flow) in self.flows.iter() {
            let queue = self.queues.get(flow.queue).ok_or("S1: a flow without queue")?;
            let known = queue.flows.get(flow.priority.rank()) == Some(&Some(index));
            ensure(known, "S1: a flow that cannot be found")?;
            let ready = queue.is_open() && flow.startable() > 0;
            let seat = match (ready, queue.inflight >= self.options.share_max()) {
                (false, _) => Seat::Parked,
                (true, false) => Seat::Main,
                (true, true) => Seat::Capped,
            };
            ensure(flow.seat == seat, "S4: a flow is wrong about its seat")?;
            let found = seated.get(&index).copied().unwrap_or(Seat::Parked);
            ensure(found == seat, "S4: the rings are not who may start")?;
            let bound = QUANTUM.saturating_mul(2);
            ensure(flow.deficit() > -QUANTUM && flow.deficit() <= bound, "DRR: out of bounds")?;
            for unit in flow.members.iter(&self.units) {
                let belongs = self.units.get(unit).is_some_and(|unit| unit.flow == index);
                ensure(belongs, "S1: a member of another flow")?;
                members = members.saturating_add(1);
            }
        }
        ensure(members == self.units.len(), "S1: flows do not hold all units")
    }
}

pub(super) fn ensure(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}
