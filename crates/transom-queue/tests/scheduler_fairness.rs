//! Queues take turns: nobody waits for a slow or large neighbour.

mod scheduler_support;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use scheduler_support::{enqueue, options, some_instant, start, used};
use transom_queue::{Scheduler, SchedulerAction};

#[test]
fn slow_destination_delays_no_other() {
    let begin = some_instant();
    let mut scheduler = Scheduler::new(options().with_inflight_max(100));
    // 20,000 messages to one that never answers, then 1,000 to ten that need a second each.
    for message in 0..20_000 {
        scheduler.enqueue(begin, enqueue(begin, message, "slow.example"));
    }
    for message in 20_000..21_000 {
        let name = format!("{}.example", message % 10);
        scheduler.enqueue(begin, enqueue(begin, message, &name));
    }
    let mut under_way = VecDeque::new();
    let (mut second, mut done, mut stuck) = (0u64, 0, 0);
    while done < 1000 {
        let now = begin + Duration::from_secs(second);
        for token in std::mem::take(&mut under_way) {
            assert!(scheduler.complete(now, token, used()));
            done += 1;
        }
        while let SchedulerAction::Start(dispatch) = scheduler.poll(now) {
            if dispatch.next_hop.domain.as_str() == "slow.example" {
                stuck += 1;
            } else {
                under_way.push_back(dispatch.token);
            }
        }
        second += 1;
        assert!(second < 60, "{done} done after {second} seconds");
    }
    assert_eq!(stuck, 5, "the slow one has its first window and no more");
    // Ten queues of 100; windows grow from 5 by one for as many successes; 95 places are left.
    assert!(second <= 16, "took {second} seconds");
}

#[test]
fn queues_take_turns_of_eight_small_messages() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options().with_window_initial(40));
    for message in 0..60 {
        let name = ["a", "b", "c"][message % 3];
        scheduler.enqueue(now, enqueue(now, u64::try_from(message).unwrap(), name));
    }
    let order: Vec<String> =
        (0..60).map(|_| start(&mut scheduler, now).next_hop.domain.to_string()).collect();
    let turns = |count: usize| ["a", "b", "c"].map(|name| name.repeat(count)).concat();
    assert_eq!(order.concat(), [turns(8), turns(8), turns(4)].concat());
}

#[test]
fn busy_connection_gives_way_after_its_turn_when_places_are_short() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options().with_inflight_max(1));
    for message in 0..30 {
        scheduler.enqueue(now, enqueue(now, message, "large.example"));
    }
    // Alone it goes on over the same connection, turn after turn.
    let mut busy = start(&mut scheduler, now);
    for _ in 0..12 {
        scheduler.complete(now, busy.token, used());
        busy = scheduler.next_for(now, busy.queue).expect("nobody else waits");
    }
    // With another waiting it goes on to the end of its turn.
    scheduler.enqueue(now, enqueue(now, 99, "small.example"));
    let mut more = 0;
    loop {
        scheduler.complete(now, busy.token, used());
        match scheduler.next_for(now, busy.queue) {
            Some(next) => busy = next,
            None => break,
        }
        more += 1;
    }
    assert_eq!(more, 3, "13 had begun, 16 are two turns");
    assert_eq!(start(&mut scheduler, now).next_hop.domain.as_str(), "small.example");
}

#[test]
fn window_grows_with_success_up_to_the_cap() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options().with_per_queue_max(8));
    for message in 0..200 {
        scheduler.enqueue(now, enqueue(now, message, "a.example"));
    }
    let mut most = BTreeMap::new();
    for round in 0..10 {
        let mut tokens = Vec::new();
        while let SchedulerAction::Start(dispatch) = scheduler.poll(now) {
            tokens.push(dispatch.token);
        }
        most.insert(round, tokens.len());
        for token in tokens {
            scheduler.complete(now, token, used());
        }
    }
    assert_eq!(most[&0], 5);
    assert_eq!(most[&9], 8);
    assert!(most.values().is_sorted());
}
