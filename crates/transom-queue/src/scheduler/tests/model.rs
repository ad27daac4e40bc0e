//! A scheduler that looks through everything at every call.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

pub(super) const QUEUES: [&str; 3] = ["a.example", "b.example", "c.example"];
/// Of one queue no more than this may begin in a time.
pub(super) const LIMITED: usize = 2;
pub(super) const LIMIT: RateLimit =
    RateLimit { attempts: 2, per: Duration::from_secs(10), burst: 2 };
pub(super) const INFLIGHT_MAX: usize = 8;
pub(super) const PER_QUEUE_MAX: u32 = 6;
pub(super) const WINDOW_INITIAL: u32 = 3;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModelUnit {
    pub(super) message: u64,
    pub(super) queue: usize,
    pub(super) recipients: BTreeSet<u32>,
    pub(super) attempts: u32,
    pub(super) due: Instant,
    pub(super) token: Option<DispatchToken>,
}

#[derive(Clone, Debug)]
pub(super) struct ModelMessage {
    pub(super) expires_at: Instant,
    pub(super) notice_at: Option<Instant>,
    pub(super) suspended: bool,
    pub(super) removed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ModelQueue {
    pub(super) id: QueueId,
    pub(super) suspended: bool,
    pub(super) failures: u32,
    pub(super) retry_at: Option<Instant>,
    pub(super) window: u32,
    /// Parts of the way to a wider window, and to a narrower one.
    pub(super) success: f64,
    pub(super) failure: f64,
    pub(super) failing: bool,
    /// When all that began of it lately began.
    pub(super) begun: Vec<Instant>,
    pub(super) idle_since: Option<Instant>,
}

impl ModelQueue {
    pub(super) fn new(id: QueueId) -> Self {
        Self {
            id,
            suspended: false,
            failures: 0,
            retry_at: None,
            window: WINDOW_INITIAL,
            success: 0.0,
            failure: 0.0,
            failing: false,
            begun: Vec::new(),
            idle_since: None,
        }
    }

    fn reset_window(&mut self, width: u32) {
        (self.window, self.success, self.failure) = (width, 0.0, 0.0);
    }

    /// When a bucket that leaks evenly has room for the next attempt; what begins up to a tick
    /// late counts from when it might have begun.
    fn opens_at(&self, at: usize) -> Option<Instant> {
        let interval = LIMIT.per / LIMIT.attempts;
        let mut spread: Option<Instant> = None;
        for begun in self.begun.iter().filter(|_| at == LIMITED) {
            let earliest = begun.checked_sub(Duration::from_micros(62_500)).unwrap();
            spread = Some(spread.map_or(*begun, |spread| spread.max(earliest)) + interval);
        }
        spread.and_then(|spread| spread.checked_sub(interval * (LIMIT.burst - 1)))
    }

    fn worked(&mut self, inflight: u32) {
        if self.failures > 0 {
            self.reset_window(WINDOW_INITIAL.min(2));
        }
        (self.failures, self.retry_at, self.failing, self.failure) = (0, None, false, 0.0);
        if self.window < inflight + WINDOW_INITIAL {
            self.success += 1.0 / f64::from(self.window);
            if self.success > 0.999 {
                self.window = (self.window + 1).min(PER_QUEUE_MAX);
                self.success = 0.0;
            }
        }
    }

    fn failed_beside_others(&mut self) {
        self.failing = true;
        self.success = 0.0;
        self.failure -= 1.0 / f64::from(self.window);
        if self.failure < -0.001 {
            self.window = (self.window - 1).max(1);
            self.failure += 1.0;
        }
    }
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) now: Instant,
    pub(super) units: Vec<ModelUnit>,
    pub(super) messages: BTreeMap<u64, ModelMessage>,
    pub(super) queues: BTreeMap<usize, ModelQueue>,
    pub(super) removals: Vec<(u64, BTreeSet<u32>)>,
    pub(super) suspended: bool,
    pub(super) next_recipient: u32,
    pub(super) options: SchedulerOptions,
}

impl Model {
    pub(super) fn inflight(&self, queue: usize) -> u32 {
        let of = self.units.iter().filter(|unit| unit.queue == queue && unit.token.is_some());
        u32::try_from(of.count()).unwrap()
    }

    pub(super) fn inflight_all(&self) -> usize {
        self.units.iter().filter(|unit| unit.token.is_some()).count()
    }

    pub(super) fn may_start(&self, unit: &ModelUnit) -> bool {
        let queue = &self.queues[&unit.queue];
        unit.token.is_none()
            && unit.due <= self.now
            && !self.messages[&unit.message].suspended
            && !queue.suspended
            && queue.retry_at.is_none_or(|at| at <= self.now)
            && queue.opens_at(unit.queue).is_none_or(|at| at <= self.now)
            && !(queue.failing && self.inflight(unit.queue) > 0)
            && self.inflight(unit.queue) < queue.window
    }

    pub(super) fn free(&self) -> bool {
        !self.suspended && self.inflight_all() < INFLIGHT_MAX
    }

    /// What follows from time and from what has left.
    pub(super) fn tidy(&mut self) {
        let units = &self.units;
        self.messages.retain(|id, _| units.iter().any(|unit| unit.message == *id));
        for (at, queue) in &mut self.queues {
            let idle = !queue.suspended && !units.iter().any(|unit| unit.queue == *at);
            queue.idle_since = if idle { Some(queue.idle_since.unwrap_or(self.now)) } else { None };
        }
    }

    pub(super) fn resting(&self, message: u64) -> BTreeSet<u32> {
        let units = self.units.iter().filter(|u| u.message == message && u.token.is_none());
        units.flat_map(|unit| unit.recipients.iter().copied()).collect()
    }

    pub(super) fn deadlines(&self) -> Vec<Instant> {
        let mut all = Vec::new();
        for unit in self.units.iter().filter(|unit| unit.token.is_none()) {
            if unit.due > self.now && !self.messages[&unit.message].suspended {
                all.push(unit.due);
            }
        }
        for (id, message) in &self.messages {
            let next = message.expires_at.min(message.notice_at.unwrap_or(message.expires_at));
            if next > self.now || !self.resting(*id).is_empty() {
                all.push(next);
            }
        }
        for (at, queue) in &self.queues {
            all.extend(queue.retry_at);
            all.extend(queue.opens_at(*at).filter(|at| *at > self.now));
            all.extend(queue.idle_since.map(|at| at + self.options.queue_idle_max));
        }
        all
    }

    /// The action must be allowed; `Wait` must be the only thing left.
    pub(super) fn follow(&mut self, action: SchedulerAction) {
        match action {
            SchedulerAction::Start(dispatch) => self.started(&dispatch),
            SchedulerAction::Remove { message, recipients } => {
                let (id, expected) = self.removals.remove(0);
                assert_eq!((message.0, set(&recipients)), (id, expected));
            }
            SchedulerAction::Expire(overdue) => {
                let id = overdue.message.0;
                assert!(self.messages[&id].expires_at <= self.now);
                assert_eq!(waiting(&overdue), self.resting(id));
                self.units.retain(|unit| unit.message != id || unit.token.is_some());
            }
            SchedulerAction::DelayNotice(overdue) => {
                let id = overdue.message.0;
                let units = self.units.iter().filter(|unit| unit.message == id);
                let all: BTreeSet<u32> = units.flat_map(|u| u.recipients.clone()).collect();
                assert_eq!(waiting(&overdue), all);
                let message = self.messages.get_mut(&id).unwrap();
                assert!(message.expires_at > self.now);
                assert!(message.notice_at.take().is_some_and(|at| at <= self.now));
            }
            SchedulerAction::DropQueue(id, next_hop) => {
                let at = QUEUES.iter().position(|name| hop(name) == next_hop).unwrap();
                let queue = self.queues.remove(&at).unwrap();
                assert_eq!(queue.id, id);
                assert!(queue.idle_since.unwrap() + self.options.queue_idle_max <= self.now);
            }
            SchedulerAction::Resubmit(id, _) => {
                let queue = self.queues.values().find(|queue| queue.id == id).unwrap();
                assert!(queue.failures > 1, "it has just begun to fail");
            }
            SchedulerAction::Wait(until) => {
                assert!(self.removals.is_empty());
                let startable = self.units.iter().any(|unit| self.may_start(unit));
                assert!(!(startable && self.free()), "a unit could start");
                let deadline = self.deadlines().into_iter().min();
                assert_eq!(until.is_some(), deadline.is_some());
                assert!(until.is_none_or(|at| at > self.now), "something was due");
                // It may look once too often, never too late.
                assert!(until <= deadline, "too late");
            }
        }
        self.tidy();
    }

    pub(super) fn started(&mut self, dispatch: &Dispatch) {
        assert!(self.free());
        let recipients = set(&dispatch.recipients);
        let at = self.units.iter().position(|u| {
            u.message == dispatch.message.0 && u.recipients == recipients && self.may_start(u)
        });
        let at = at.expect("no such unit may start");
        assert_eq!(self.queues[&self.units[at].queue].id, dispatch.queue);
        assert_eq!(self.units[at].attempts + 1, dispatch.attempt);
        assert_eq!(self.messages[&dispatch.message.0].expires_at, dispatch.expires_at);
        self.units[at].token = Some(dispatch.token);
        let now = self.now;
        self.queues.get_mut(&self.units[at].queue).unwrap().begun.push(now);
    }

    pub(super) fn completed(&mut self, token: DispatchToken, completed: &Completed) {
        let at = self.units.iter().position(|unit| unit.token == Some(token)).unwrap();
        let unit = self.units.remove(at);
        let inflight = self.inflight(unit.queue);
        let queue = self.queues.get_mut(&unit.queue).unwrap();
        match completed.connection {
            ConnectionResult::Used => queue.worked(inflight),
            ConnectionResult::Failed if inflight > 0 && queue.failures == 0 => {
                queue.failed_beside_others();
            }
            ConnectionResult::Failed => {
                queue.reset_window(1);
                queue.failing = true;
                if queue.retry_at.is_none() {
                    queue.failures += 1;
                    let delay = self.options.profile.queue_delay(queue.failures, 0);
                    queue.retry_at = Some(self.now + delay);
                }
            }
            ConnectionResult::NotTried => {}
        }
        let counts = u32::from(completed.connection == ConnectionResult::Used);
        let mut back = Vec::new();
        for (recipients, due) in &completed.retries {
            let recipients: BTreeSet<u32> = set(recipients);
            let attempts = unit.attempts + counts;
            back.push(ModelUnit { recipients, attempts, due: *due, token: None, ..unit.clone() });
        }
        if self.messages[&unit.message].removed {
            if !back.is_empty() {
                let all = back.iter().flat_map(|unit| unit.recipients.clone()).collect();
                self.removals.push((unit.message, all));
            }
        } else {
            self.units.append(&mut back);
        }
        self.tidy();
    }
}

pub(super) fn set(recipients: &[u32]) -> BTreeSet<u32> {
    recipients.iter().copied().collect()
}

pub(super) fn waiting(overdue: &Overdue) -> BTreeSet<u32> {
    overdue.waiting.iter().flat_map(|group| group.recipients.iter().copied()).collect()
}
