//! The same operations on both schedulers: each action of the real one must be what the naive one
//! allows, and `Wait` the only thing left.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::model::{
    INFLIGHT_MAX, LIMIT, LIMITED, Model, ModelMessage, ModelQueue, ModelUnit, PER_QUEUE_MAX,
    QUEUES, WINDOW_INITIAL, set,
};
use super::*;

#[derive(Clone, Debug)]
enum Op {
    Advance(u64),
    Enqueue { message: u64, queue: usize, count: u32, times: Times, priority: usize },
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

/// Seconds from now: due, expiry, delay notice.
type Times = (u64, u64, Option<u64>);

fn op() -> impl Strategy<Value = Op> {
    let message = 0u64..5;
    let queue = 0usize..QUEUES.len();
    prop_oneof![
        3 => (0u64..400).prop_map(Op::Advance),
        5 => (
            message.clone(), queue.clone(), 0u32..4, 0usize..5,
            (0u64..120, 1u64..900, proptest::option::of(0u64..600)),
        )
            .prop_map(|(message, queue, count, priority, times)| {
                Op::Enqueue { message, queue, count, times, priority }
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
            .with_resubmit_after(Duration::from_mins(10))
            .with_window_initial(WINDOW_INITIAL)
            .with_slow_start(Duration::ZERO);
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
        let mut real = Scheduler::new(options);
        real.limit_rate(now, &hop(QUEUES[LIMITED]).domain, Some(LIMIT));
        Self { real, model, spent: Vec::new() }
    }

    fn apply(&mut self, op: &Op) {
        let now = self.model.now;
        match *op {
            Op::Advance(seconds) => self.model.now += Duration::from_secs(seconds),
            Op::Enqueue { message, queue, count, times, priority } => {
                self.enqueue(message, queue, count, times, Priority::ALL[priority]);
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
        for message in self.model.messages.keys() {
            self.compare_statuses(*message);
        }
    }

    /// Who is under way, held, or to be held or removed when it comes back.
    fn compare_statuses(&self, id: u64) {
        let message = &self.model.messages[&id];
        let mut expected = BTreeMap::new();
        for unit in self.model.units.iter().filter(|unit| unit.message == id) {
            let status = match (unit.token, message.removed, message.suspended) {
                (Some(_), true, _) => Some(UnitStatus::PendingRemove),
                (Some(_), false, true) => Some(UnitStatus::PendingSuspend),
                (Some(_), false, false) => Some(UnitStatus::Active),
                (None, _, true) => Some(UnitStatus::Suspended),
                (None, _, false) => None,
            };
            expected.insert(unit.recipients.clone(), status);
        }
        let found = self.real.message(InternalMessageId(id));
        assert_eq!(found.len(), expected.len());
        for unit in found {
            let rests = [UnitStatus::Ready, UnitStatus::Retry].contains(&unit.status);
            let status = (!rests).then_some(unit.status);
            assert_eq!(expected.get(&set(&unit.recipients)), Some(&status));
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
        (due, expiry, notice): Times,
        priority: Priority,
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
                priority,
                ..enqueue(now, message, QUEUES[queue])
            },
        );
        let new = ModelQueue::new(id);
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
        let mut drained = Vec::new();
        loop {
            let step = self.real.drain_queue(self.model.now, id, 2);
            drained.extend(step.units);
            if step.left == 0 {
                break;
            }
        }
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
        self.apply(&Op::SuspendAll(false));
        for queue in 0..QUEUES.len() {
            self.apply(&Op::SuspendQueue(queue, false));
        }
        for _ in 0..1000 {
            self.apply(&Op::Poll(4));
            self.apply(&Op::Complete { which: 0, result: 0, keep: 0, due: 0 });
            self.apply(&Op::Advance(60));
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
            pair.apply(&op);
        }
        pair.run_dry();
    }
}
