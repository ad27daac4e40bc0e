//! A scheduler that looks through everything at every call, and the comparison with it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const QUEUES: [&str; 3] = ["a.example", "b.example", "c.example"];
const INFLIGHT_MAX: usize = 4;
const PER_QUEUE_MAX: u32 = 3;
const WINDOW_INITIAL: u32 = 2;

#[derive(Clone, Debug)]
enum Op {
    Advance(u64),
    Enqueue { message: u64, queue: usize, count: u32, due: u64, expiry: u64, notice: Option<u64> },
    Poll(u8),
    NextFor(usize),
    Complete { which: usize, result: u8, keep: u8, due: u64 },
    SuspendMessage(u64, bool),
    SuspendQueue(usize, bool),
    SuspendAll(bool),
    RetryNow(usize),
    Remove(u64),
    Drain(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let message = 0u64..5;
    let queue = 0usize..QUEUES.len();
    prop_oneof![
        3 => (0u64..400).prop_map(Op::Advance),
        5 => (
            message.clone(), queue.clone(), 0u32..4, 0u64..120, 1u64..900,
            proptest::option::of(0u64..600),
        )
            .prop_map(|(message, queue, count, due, expiry, notice)| {
                Op::Enqueue { message, queue, count, due, expiry, notice }
            }),
        8 => (1u8..6).prop_map(Op::Poll),
        2 => queue.clone().prop_map(Op::NextFor),
        6 => (0usize..8, 0u8..4, any::<u8>(), 0u64..300)
            .prop_map(|(which, result, keep, due)| Op::Complete { which, result, keep, due }),
        1 => (message.clone(), any::<bool>()).prop_map(|(m, on)| Op::SuspendMessage(m, on)),
        1 => (queue.clone(), any::<bool>()).prop_map(|(q, on)| Op::SuspendQueue(q, on)),
        1 => any::<bool>().prop_map(Op::SuspendAll),
        1 => queue.clone().prop_map(Op::RetryNow),
        1 => message.prop_map(Op::Remove),
        1 => queue.prop_map(Op::Drain),
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct ModelUnit {
    message: u64,
    queue: usize,
    recipients: BTreeSet<u32>,
    attempts: u32,
    due: Instant,
    token: Option<DispatchToken>,
}

#[derive(Clone, Debug)]
struct ModelMessage {
    expires_at: Instant,
    notice_at: Option<Instant>,
    suspended: bool,
    removed: bool,
}

#[derive(Clone, Debug)]
struct ModelQueue {
    id: QueueId,
    suspended: bool,
    failures: u32,
    retry_at: Option<Instant>,
    window: u32,
    successes: u32,
    idle_since: Option<Instant>,
}

#[derive(Debug)]
struct Model {
    now: Instant,
    units: Vec<ModelUnit>,
    messages: BTreeMap<u64, ModelMessage>,
    queues: BTreeMap<usize, ModelQueue>,
    removals: Vec<(u64, BTreeSet<u32>)>,
    suspended: bool,
    next_recipient: u32,
    options: SchedulerOptions,
}

impl Model {
    fn inflight(&self, queue: usize) -> u32 {
        let of = self.units.iter().filter(|unit| unit.queue == queue && unit.token.is_some());
        u32::try_from(of.count()).unwrap()
    }

    fn inflight_all(&self) -> usize {
        self.units.iter().filter(|unit| unit.token.is_some()).count()
    }

    fn may_start(&self, unit: &ModelUnit) -> bool {
        let queue = &self.queues[&unit.queue];
        unit.token.is_none()
            && unit.due <= self.now
            && !self.messages[&unit.message].suspended
            && !queue.suspended
            && queue.retry_at.is_none_or(|at| at <= self.now)
            && self.inflight(unit.queue) < queue.window
    }

    fn free(&self) -> bool {
        !self.suspended && self.inflight_all() < INFLIGHT_MAX
    }

    /// What follows from time and from what has left.
    fn tidy(&mut self) {
        let units = &self.units;
        self.messages.retain(|id, _| units.iter().any(|unit| unit.message == *id));
        for (at, queue) in &mut self.queues {
            let idle = !queue.suspended && !units.iter().any(|unit| unit.queue == *at);
            queue.idle_since = if idle { Some(queue.idle_since.unwrap_or(self.now)) } else { None };
        }
    }

    fn resting(&self, message: u64) -> BTreeSet<u32> {
        let units = self.units.iter().filter(|u| u.message == message && u.token.is_none());
        units.flat_map(|unit| unit.recipients.iter().copied()).collect()
    }

    fn deadlines(&self) -> Vec<Instant> {
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
        for queue in self.queues.values() {
            all.extend(queue.retry_at);
            all.extend(queue.idle_since.map(|at| at + self.options.queue_idle_max));
        }
        all
    }

    /// The action must be allowed; `Wait` must be the only thing left.
    fn follow(&mut self, action: SchedulerAction) {
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
            SchedulerAction::Wait(until) => {
                assert!(self.removals.is_empty());
                let startable = self.units.iter().any(|unit| self.may_start(unit));
                assert!(!(startable && self.free()), "a unit could start");
                assert_eq!(until, self.deadlines().into_iter().min());
                assert!(until.is_none_or(|at| at > self.now), "something was due");
            }
        }
        self.tidy();
    }

    fn started(&mut self, dispatch: &Dispatch) {
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
    }

    fn completed(&mut self, token: DispatchToken, completed: &Completed) {
        let at = self.units.iter().position(|unit| unit.token == Some(token)).unwrap();
        let unit = self.units.remove(at);
        let inflight = self.inflight(unit.queue);
        let queue = self.queues.get_mut(&unit.queue).unwrap();
        match completed.connection {
            ConnectionResult::Used => {
                if queue.failures > 0 {
                    (queue.window, queue.successes) = (WINDOW_INITIAL, 0);
                }
                (queue.failures, queue.retry_at) = (0, None);
                queue.successes += 1;
                if queue.successes >= queue.window {
                    (queue.window, queue.successes) = ((queue.window + 1).min(PER_QUEUE_MAX), 0);
                }
            }
            ConnectionResult::Failed if inflight > 0 && queue.failures == 0 => {
                (queue.window, queue.successes) = (queue.window.min(inflight), 0);
            }
            ConnectionResult::Failed => {
                (queue.window, queue.successes) = (1, 0);
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

fn set(recipients: &[u32]) -> BTreeSet<u32> {
    recipients.iter().copied().collect()
}

fn waiting(overdue: &Overdue) -> BTreeSet<u32> {
    overdue.waiting.iter().flat_map(|group| group.recipients.iter().copied()).collect()
}

struct Pair {
    real: Scheduler,
    model: Model,
    spent: Vec<DispatchToken>,
}

impl Pair {
    fn new(now: Instant) -> Self {
        let options = SchedulerOptions::default()
            .with_inflight_max(u32::try_from(INFLIGHT_MAX).unwrap())
            .with_per_queue_max(PER_QUEUE_MAX)
            .with_window_initial(WINDOW_INITIAL);
        let model = Model {
            now,
            units: Vec::new(),
            messages: BTreeMap::new(),
            queues: BTreeMap::new(),
            removals: Vec::new(),
            suspended: false,
            next_recipient: 0,
            options: options.clone(),
        };
        Self { real: Scheduler::new(options), model, spent: Vec::new() }
    }

    fn apply(&mut self, op: Op) {
        let now = self.model.now;
        match op {
            Op::Advance(seconds) => self.model.now += Duration::from_secs(seconds),
            Op::Enqueue { message, queue, count, due, expiry, notice } => {
                self.enqueue(message, queue, count, (due, expiry, notice));
            }
            Op::Poll(times) => {
                for _ in 0..times {
                    let action = self.real.poll(now);
                    self.wake_queues();
                    self.model.follow(action);
                }
            }
            Op::NextFor(queue) => self.next_for(queue),
            Op::Complete { which, result, keep, due } => self.complete(which, result, keep, due),
            Op::SuspendMessage(message, on) => self.suspend_message(message, on),
            Op::SuspendQueue(queue, on) => {
                if let Some(found) = self.model.queues.get_mut(&queue) {
                    found.suspended = on;
                    let real = &mut self.real;
                    let done = if on {
                        real.suspend_queue(now, found.id)
                    } else {
                        real.resume_queue(now, found.id)
                    };
                    assert!(done);
                }
            }
            Op::SuspendAll(on) => {
                self.model.suspended = on;
                if on { self.real.suspend_all() } else { self.real.resume_all() }
            }
            Op::RetryNow(queue) => {
                if let Some(found) = self.model.queues.get_mut(&queue) {
                    let waited = found.retry_at.take().is_some();
                    assert_eq!(self.real.retry_now(now, found.id), waited);
                }
            }
            Op::Remove(message) => self.remove(message),
            Op::Drain(queue) => self.drain(queue),
        }
        self.model.tidy();
        assert_eq!(self.real.check(), Ok(()));
        assert_eq!(self.real.message_count(), self.model.messages.len());
        assert_eq!(self.real.inflight(), self.model.inflight_all());
        for (queue, view) in self.model.queues.values().zip(self.views()) {
            assert_eq!((queue.window, queue.failures), (view.window, view.retry_count));
            assert_eq!(queue.retry_at, view.next_retry);
        }
    }

    /// A ladder's time may be over before the timer was looked at: whether it was is not the
    /// model's to say.
    fn wake_queues(&mut self) {
        let now = self.model.now;
        for queue in self.model.queues.values_mut() {
            if queue.retry_at.is_some_and(|at| at <= now) {
                let view = self.real.queue(queue.id);
                queue.retry_at = view.and_then(|view| view.next_retry).filter(|at| *at <= now);
            }
        }
    }

    fn views(&self) -> Vec<QueueView> {
        let ids = self.model.queues.values().map(|queue| queue.id);
        assert_eq!(self.real.queues().len(), self.model.queues.len());
        ids.map(|id| self.real.queue(id).unwrap()).collect()
    }

    fn enqueue(
        &mut self,
        message: u64,
        queue: usize,
        count: u32,
        (due, expiry, notice): (u64, u64, Option<u64>),
    ) {
        let model = &mut self.model;
        let now = model.now;
        let at = |seconds| now + Duration::from_secs(seconds);
        let first = model.next_recipient;
        model.next_recipient += count;
        let recipients: Vec<u32> = (first..model.next_recipient).collect();
        let (expires_at, notice_at) = (at(expiry), notice.map(at));
        let id = self.real.enqueue(
            now,
            Enqueue {
                recipients: recipients.clone(),
                due: Some(at(due)),
                expires_at,
                delay_notice_at: notice_at,
                ..super::enqueue(now, message, QUEUES[queue])
            },
        );
        let new = ModelQueue {
            id,
            suspended: false,
            failures: 0,
            retry_at: None,
            window: WINDOW_INITIAL,
            successes: 0,
            idle_since: None,
        };
        assert_eq!(model.queues.entry(queue).or_insert(new).id, id);
        if recipients.is_empty() {
            return;
        }
        let new = ModelMessage { expires_at, notice_at, suspended: false, removed: false };
        let entry = model.messages.entry(message).or_insert(new);
        entry.expires_at = entry.expires_at.min(expires_at);
        entry.notice_at = entry.notice_at.into_iter().chain(notice_at).min();
        let recipients = set(&recipients);
        model.units.push(ModelUnit {
            message,
            queue,
            recipients,
            attempts: 0,
            due: at(due),
            token: None,
        });
    }

    fn next_for(&mut self, queue: usize) {
        let Some(id) = self.model.queues.get(&queue).map(|queue| queue.id) else { return };
        if let Some(dispatch) = self.real.next_for(self.model.now, id) {
            assert_eq!(dispatch.queue, id);
            self.model.started(&dispatch);
        }
    }

    fn complete(&mut self, which: usize, result: u8, keep: u8, due: u64) {
        let now = self.model.now;
        let open: Vec<_> = self.model.units.iter().filter(|u| u.token.is_some()).cloned().collect();
        if let Some(unit) = open.get(which % open.len().max(1)) {
            let connection = match result {
                0 | 1 => ConnectionResult::Used,
                2 => ConnectionResult::Failed,
                _ => ConnectionResult::NotTried,
            };
            // Some are done, the others come back at two times.
            let mut retries = vec![(Vec::new(), now), (Vec::new(), now + Duration::from_secs(due))];
            for recipient in &unit.recipients {
                match keep.rotate_left(*recipient) % 3 {
                    0 => {}
                    1 => retries[0].0.push(*recipient),
                    _ => retries[1].0.push(*recipient),
                }
            }
            retries.retain(|(recipients, _)| !recipients.is_empty());
            let completed = Completed { retries, connection };
            let token = unit.token.unwrap();
            assert!(self.real.complete(now, token, completed.clone()));
            self.model.completed(token, &completed);
            self.spent.push(token);
        }
        // S3: a token completes once.
        if let Some(token) = self.spent.last() {
            let again = Completed {
                retries: vec![(vec![0, 1], now)],
                connection: ConnectionResult::Failed,
            };
            assert!(!self.real.complete(now, *token, again));
        }
    }

    fn suspend_message(&mut self, message: u64, on: bool) {
        let (now, id) = (self.model.now, InternalMessageId(message));
        let done =
            if on { self.real.suspend_message(now, id) } else { self.real.resume_message(now, id) };
        let found = self.model.messages.get_mut(&message);
        assert_eq!(done, found.is_some());
        if let Some(found) = found {
            found.suspended = on;
        }
    }

    fn remove(&mut self, message: u64) {
        let gone = self.real.remove(self.model.now, InternalMessageId(message));
        assert_eq!(set(&gone), self.model.resting(message));
        self.model.units.retain(|unit| unit.message != message || unit.token.is_some());
        if let Some(message) = self.model.messages.get_mut(&message) {
            message.removed = true;
        }
    }

    fn drain(&mut self, queue: usize) {
        let Some(id) = self.model.queues.get(&queue).map(|queue| queue.id) else { return };
        let drained = self.real.drain_queue(self.model.now, id);
        let mut found: Vec<_> =
            drained.iter().map(|unit| (unit.message.0, set(&unit.recipients))).collect();
        let model = &mut self.model;
        let goes = |messages: &BTreeMap<u64, ModelMessage>, unit: &ModelUnit| {
            let held = messages[&unit.message].suspended;
            unit.queue == queue && unit.token.is_none() && !held
        };
        let units = model.units.iter().filter(|unit| goes(&model.messages, unit));
        let mut expected: Vec<_> =
            units.map(|unit| (unit.message, unit.recipients.clone())).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        model.units.retain(|unit| !goes(&model.messages, unit));
    }

    /// Everything is healed: all that is left goes out or expires.
    fn run_dry(&mut self) {
        self.apply(Op::SuspendAll(false));
        for queue in 0..QUEUES.len() {
            self.apply(Op::SuspendQueue(queue, false));
        }
        for _ in 0..1000 {
            self.apply(Op::Poll(4));
            self.apply(Op::Complete { which: 0, result: 0, keep: 0, due: 0 });
            self.apply(Op::Advance(60));
            if self.model.queues.is_empty() && self.model.messages.is_empty() {
                return;
            }
        }
        panic!("messages are left: {:?}", self.model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn behaves_as_the_naive_scheduler(ops in proptest::collection::vec(op(), 1..120)) {
        let mut pair = Pair::new(some_instant());
        for op in ops {
            pair.apply(op);
        }
        pair.run_dry();
    }
}
