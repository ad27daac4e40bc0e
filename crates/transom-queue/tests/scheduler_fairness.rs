//! Queues take turns: nobody waits for a slow or large neighbour.

mod scheduler_support;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use scheduler_support::{enqueue, some_instant, start, used};
use transom_queue::{Scheduler, SchedulerAction, SchedulerOptions};

#[test]
fn slow_destination_delays_no_other() {
    let begin = some_instant();
    let mut scheduler = Scheduler::new(SchedulerOptions::default().with_inflight_max(100));
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
fn queues_take_turns_one_by_one() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(SchedulerOptions::default());
    for message in 0..12 {
        let name = if message < 4 {
            "a"
        } else if message < 8 {
            "b"
        } else {
            "c"
        };
        scheduler.enqueue(now, enqueue(now, message, name));
    }
    let order: Vec<String> =
        (0..12).map(|_| start(&mut scheduler, now).next_hop.domain.to_string()).collect();
    assert_eq!(order.concat(), "abcabcabcabc");
}

#[test]
fn busy_connection_gives_way_when_places_are_short() {
    let now = some_instant();
    let options = SchedulerOptions::default().with_inflight_max(2).with_window_initial(2);
    let mut scheduler = Scheduler::new(options);
    for message in 0..10 {
        scheduler.enqueue(now, enqueue(now, message, "large.example"));
    }
    let first = start(&mut scheduler, now);
    start(&mut scheduler, now);
    // Alone it goes on over the same connection.
    scheduler.complete(now, first.token, used());
    let next = scheduler.next_for(now, first.queue).expect("nobody else waits");
    assert_eq!(next.queue, first.queue);
    // With another waiting it does not.
    scheduler.enqueue(now, enqueue(now, 99, "small.example"));
    scheduler.complete(now, next.token, used());
    assert_eq!(scheduler.next_for(now, first.queue), None);
    let turns = [start(&mut scheduler, now)];
    scheduler.complete(now, turns[0].token, used());
    let names = [&turns[0], &start(&mut scheduler, now)].map(|d| d.next_hop.domain.to_string());
    assert!(names.iter().any(|name| name == "small.example"), "{names:?}");
}

#[test]
fn window_grows_with_success_up_to_the_cap() {
    let now = some_instant();
    let options = SchedulerOptions::default().with_per_queue_max(8);
    let mut scheduler = Scheduler::new(options);
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
