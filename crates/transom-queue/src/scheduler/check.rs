//! The invariants, as a check that reads everything.

use std::collections::BTreeSet;
use std::time::Instant;

use super::Scheduler;
use super::unit::{Place, Timer};

impl Scheduler {
    /// Checks what must always hold: every recipient in one unit and every unit in one place (S1),
    /// every obligation with its timer (S2), attempts counted (S3), the ring holds the queues that
    /// may start and no other (S4). Reads everything, so it is for tests.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn check(&self) -> Result<(), String> {
        self.check_units()?;
        self.check_messages()?;
        self.check_queues()?;
        let timers = self.timers_expected();
        ensure(timers == self.timers, "S2: the timers are not the obligations")
    }

    fn check_units(&self) -> Result<(), String> {
        let mut owners = BTreeSet::new();
        let mut inflight = 0usize;
        for (index, unit) in self.units.iter() {
            let message = self.messages.get(unit.message).ok_or("S1: a unit without message")?;
            for recipient in unit.recipients.as_slice() {
                let new = owners.insert((message.id, *recipient));
                ensure(new, "S1: a recipient in two units")?;
            }
            let queue = self.queues.get(unit.queue).ok_or("S1: a unit without queue")?;
            let in_lane = queue.lane.iter(&self.units).any(|at| at == index);
            ensure(in_lane == (unit.place == Place::Lane), "S1: lane and place differ")?;
            ensure(unit.place != Place::Nowhere, "S1: a unit nowhere")?;
            let held = matches!(unit.place, Place::Held(_));
            let at_rest = unit.place != Place::Inflight;
            ensure(!at_rest || held == message.suspended, "S1: held and suspended differ")?;
            inflight = inflight.saturating_add(usize::from(!at_rest));
        }
        ensure(inflight == self.inflight.len(), "S3: tokens and units under way differ")?;
        let max = usize::try_from(self.options.inflight_max).unwrap_or(usize::MAX);
        ensure(inflight <= max, "S3: more under way than allowed")
    }

    fn check_messages(&self) -> Result<(), String> {
        let mut units = 0usize;
        for (index, message) in self.messages.iter() {
            ensure(!message.units.is_empty(), "S1: a message without units")?;
            let known = self.message_of.get(&message.id) == Some(&index);
            ensure(known, "S1: a message that cannot be found")?;
            let at_rest = |at| self.units.get(at).is_some_and(|u| u.place != Place::Inflight);
            let resting = message.units.iter(&self.units).any(at_rest);
            ensure(message.timer.is_some() || !resting, "S2: a message without timer")?;
            let notice = message.delay_notice_at.unwrap_or(message.expires_at);
            let next = notice.min(message.expires_at);
            ensure(message.timer.is_none_or(|at| at == next), "S2: a timer at the wrong time")?;
            units = units.saturating_add(message.units.iter(&self.units).count());
        }
        ensure(self.message_of.len() == self.messages.len(), "S1: a name without message")?;
        ensure(units == self.units.len(), "S1: messages do not hold all units")
    }

    fn check_queues(&self) -> Result<(), String> {
        let ring: BTreeSet<u32> = self.ring.iter(&self.queues).collect();
        for (index, queue) in self.queues.iter() {
            let ready = queue.may_start();
            ensure(ready == ring.contains(&index), "S4: the ring is not who may start")?;
            ensure(ready == queue.ready, "S4: a queue is wrong about itself")?;
            let mine = self.units.iter().filter(|(_, unit)| unit.queue == index);
            let (mut units, mut inflight) = (0u32, 0u32);
            for (_, unit) in mine {
                units = units.saturating_add(1);
                inflight = inflight.saturating_add(u32::from(unit.place == Place::Inflight));
            }
            ensure(units == queue.units, "S1: a queue counts its units wrong")?;
            ensure(inflight == queue.inflight, "S3: a queue counts attempts wrong")?;
            ensure(inflight <= self.options.per_queue_max.max(1), "S3: a queue above its cap")?;
            ensure(queue.is_idle() == queue.idle_at.is_some(), "S2: idle without timer")?;
            let known = self.queue_of.get(&queue.next_hop) == Some(&index);
            ensure(known, "S1: a queue that cannot be found")?;
        }
        ensure(self.queue_of.len() == self.queues.len(), "S1: a name without queue")
    }

    fn timers_expected(&self) -> BTreeSet<(Instant, Timer)> {
        let messages =
            self.messages.iter().filter_map(|(at, m)| Some((m.timer?, Timer::Message(at))));
        let retries =
            self.queues.iter().filter_map(|(at, q)| Some((q.retry_at?, Timer::QueueRetry(at))));
        let idles =
            self.queues.iter().filter_map(|(at, q)| Some((q.idle_at?, Timer::QueueIdle(at))));
        let units = self.units.iter().filter_map(|(at, unit)| match unit.place {
            Place::Waiting(due) => Some((due, Timer::Unit(at))),
            _ => None,
        });
        messages.chain(retries).chain(idles).chain(units).collect()
    }
}

fn ensure(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}
