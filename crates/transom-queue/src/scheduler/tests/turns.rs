//! Whose turn it is, against a scheduler that looks through everything: priorities, turns, lanes
//! and the share of places, exactly. Nothing here waits or fails.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

const INFLIGHT_MAX: u32 = 12;
/// A third of the places; a queue has no more while others wait.
const SHARE_MAX: u32 = 4;
const WIDTH: u32 = 6;
const QUEUES: usize = 5;

#[derive(Clone, Debug)]
enum Op {
    /// Further recipients of the last message, or a message of its own.
    Enqueue {
        queue: usize,
        priority: usize,
        octets: u64,
        recipients: u32,
        same: bool,
    },
    Start,
    Complete(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let octets = prop_oneof![Just(1000u64), Just(100_000), Just(300_000), Just(10_000_000)];
    let recipients = prop_oneof![4 => Just(1u32), 1 => Just(101), 1 => 2u32..300];
    prop_oneof![
        4 => (0..QUEUES, 0usize..5, octets, recipients, any::<bool>()).prop_map(
            |(queue, priority, octets, recipients, same)| {
                Op::Enqueue { queue, priority, octets, recipients, same }
            }
        ),
        4 => Just(Op::Start),
        3 => (0usize..20).prop_map(Op::Complete),
    ]
}

/// What there is to start: message, first recipient, cost.
type Item = (u64, u32, i64);

#[derive(Debug, Default)]
struct NaiveFlow {
    lanes: [VecDeque<Item>; 2],
    bulk_next: bool,
    deficit: i64,
    in_turn: bool,
    /// Capped or not, and since when it waits there.
    seat: Option<(bool, u64)>,
}

#[derive(Debug, Default)]
struct Naive {
    /// By queue and rank.
    flows: BTreeMap<(usize, usize), NaiveFlow>,
    inflight: [u32; QUEUES],
    left: [[u32; 5]; 2],
    clock: u64,
    /// Open units of each message.
    open: BTreeMap<u64, u32>,
}

impl Naive {
    fn new() -> Self {
        Self { left: [Priority::ALL.map(Priority::weight); 2], ..Self::default() }
    }

    fn enqueue(&mut self, queue: usize, rank: usize, item: Item, recipients: u32) {
        let open = self.open.entry(item.0).or_default();
        let bulk = *open >= 5 || recipients > 100;
        *open += 1;
        let flow = self.flows.entry((queue, rank)).or_default();
        flow.lanes[usize::from(bulk)].push_back(item);
        self.settle(queue);
    }

    /// Puts the flows of a queue where they belong.
    fn settle(&mut self, queue: usize) {
        let capped = self.inflight[queue] >= SHARE_MAX;
        let open = self.inflight[queue] < WIDTH;
        for (_, flow) in self.flows.iter_mut().filter(|((of, _), _)| *of == queue) {
            let empty = flow.lanes.iter().all(VecDeque::is_empty);
            let wanted = (open && !empty).then_some(capped);
            if wanted != flow.seat.map(|(capped, _)| capped) {
                self.clock += 1;
                flow.seat = wanted.map(|capped| (capped, self.clock));
                flow.in_turn = false;
                if empty {
                    flow.deficit = 0;
                }
            }
        }
    }

    /// Starts what is next; none where nothing is or no place is free.
    fn start(&mut self) -> Option<(usize, Item)> {
        if self.inflight.iter().sum::<u32>() >= INFLIGHT_MAX {
            return None;
        }
        let seats = |capped| {
            let flows = self.flows.iter();
            flows
                .filter_map(|(at, flow)| flow.seat.map(|seat| (*at, seat)))
                .filter(move |(_, seat)| seat.0 == capped)
                .map(|((queue, rank), seat)| (rank, seat.1, queue))
                .collect::<Vec<_>>()
        };
        let capped = seats(false).is_empty();
        let mut waiting = seats(capped);
        waiting.sort_unstable();
        let left = &mut self.left[usize::from(capped)];
        if waiting.iter().all(|(rank, _, _)| left[*rank] == 0) && !waiting.is_empty() {
            *left = Priority::ALL.map(Priority::weight);
        }
        let (rank, _, queue) = *waiting.iter().find(|(rank, _, _)| left[*rank] > 0)?;
        left[rank] -= 1;
        let flow = self.flows.get_mut(&(queue, rank))?;
        let lane = usize::from(flow.bulk_next);
        let lane = if flow.lanes[lane].is_empty() { 1 - lane } else { lane };
        let item = flow.lanes[lane].pop_front()?;
        flow.bulk_next = lane == 0;
        if !flow.in_turn {
            flow.deficit = (flow.deficit + 8).min(16);
        }
        flow.deficit -= item.2;
        flow.in_turn = flow.deficit > 0;
        if !flow.in_turn {
            self.clock += 1;
            flow.seat = Some((capped, self.clock));
        }
        self.inflight[queue] += 1;
        self.settle(queue);
        Some((queue, item))
    }

    fn complete(&mut self, queue: usize, message: u64) {
        self.inflight[queue] -= 1;
        *self.open.get_mut(&message).unwrap() -= 1;
        self.settle(queue);
    }
}

fn cost_of(octets: u64, recipients: u32) -> i64 {
    let weight = octets + 1024 * u64::from(recipients);
    i64::try_from(1 + weight / 65_536).unwrap().min(8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn turns_are_those_of_the_naive_scheduler(
        ops in proptest::collection::vec(op(), 1..250),
    ) {
        let now = some_instant();
        let options = SchedulerOptions::default()
            .with_inflight_max(INFLIGHT_MAX)
            .with_per_queue_max(WIDTH)
            .with_window_initial(WIDTH)
            .with_slow_start(Duration::ZERO);
        let (mut real, mut naive) = (Scheduler::new(options), Naive::new());
        let mut under_way: Vec<(usize, Dispatch)> = Vec::new();
        let (mut message, mut first, mut size) = (0u64, 0u32, 0u64);
        for (count, op) in ops.into_iter().enumerate() {
            match op {
                Op::Enqueue { queue, priority, octets, recipients, same } => {
                    if !same || naive.open.get(&message).is_none_or(|open| *open == 0) {
                        (message, size) = (message + 1, octets);
                    }
                    let item = (message, first, cost_of(size, recipients));
                    naive.enqueue(queue, priority, item, recipients);
                    real.enqueue(now, Enqueue {
                        recipients: (first..first + recipients).collect(),
                        octets: size,
                        priority: Priority::ALL[priority],
                        ..enqueue(now, message, &format!("{queue}.example"))
                    });
                    first += recipients;
                }
                Op::Start => {
                    let expected = naive.start();
                    let found = match real.poll(now) {
                        SchedulerAction::Start(dispatch) => Some(dispatch),
                        _ => None,
                    };
                    let names = |dispatch: &Dispatch| (dispatch.message.0, dispatch.recipients[0]);
                    let item = expected.map(|(_, (message, first, _))| (message, first));
                    prop_assert_eq!(found.as_ref().map(names), item);
                    under_way.extend(expected.map(|(queue, _)| queue).zip(found));
                }
                Op::Complete(which) => {
                    if !under_way.is_empty() {
                        let (queue, dispatch) = under_way.remove(which % under_way.len());
                        naive.complete(queue, dispatch.message.0);
                        let connection = ConnectionResult::NotTried;
                        let done = Completed { retries: vec![], connection };
                        prop_assert!(real.complete(now, dispatch.token, done));
                    }
                }
            }
            // Reads everything for each unit: now and then is enough here.
            if count % 50 == 0 {
                prop_assert_eq!(real.check(), Ok(()));
            }
        }
        prop_assert_eq!(real.check(), Ok(()));
    }
}

// Capacity that comes back one at a time must not turn shares into plain round robin, and what
// queues have saved up or owe must not grow.
#[test]
fn million_completions_at_capacity_one_keep_shares_equal_and_deficits_small() {
    const COMPLETIONS: u32 = 1_000_000;
    let now = some_instant();
    let mut scheduler = Scheduler::new(SchedulerOptions::default().with_inflight_max(1));
    // Each queue has messages of another size: they cost from one to eight.
    let octets = |queue: u64| 1000 + queue * 64 * 1024;
    for queue in 0..10u64 {
        for message in 0..3 {
            let unit = enqueue(now, queue * 10 + message, &format!("{queue}.example"));
            scheduler.enqueue(now, Enqueue { octets: octets(queue), ..unit });
        }
    }
    let mut spent = [0u64; 10];
    for _ in 0..COMPLETIONS {
        let SchedulerAction::Start(dispatch) = scheduler.poll(now) else {
            panic!("nothing starts")
        };
        let queue = dispatch.message.0 / 10;
        spent[usize::try_from(queue).unwrap()] += u64::try_from(cost_of(octets(queue), 1)).unwrap();
        let again = vec![(dispatch.recipients, now)];
        let connection = ConnectionResult::NotTried;
        scheduler.complete(now, dispatch.token, Completed { retries: again, connection });
        for (_, flow) in scheduler.flows.iter() {
            assert!((-7..=16).contains(&flow.deficit()), "{}", flow.deficit());
        }
    }
    assert_eq!(scheduler.check(), Ok(()));
    let (least, most) = (spent.iter().min().unwrap(), spent.iter().max().unwrap());
    assert!(most - least <= 3 * 8, "{spent:?}");
}
