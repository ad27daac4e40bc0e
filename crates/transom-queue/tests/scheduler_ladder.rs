//! When a queue connects again (A16), and what its messages do meanwhile.

mod scheduler_support;

use std::time::Duration;

use scheduler_support::{deferred_now, enqueue, hop, options, some_instant, start, used};
use transom_queue::{
    Completed, ConnectionResult, QueueStatus, RetryProfile, Scheduler, SchedulerAction,
    SchedulerOptions,
};
use transom_types::{InternalMessageId, NextHop};

const MINUTE: Duration = Duration::from_mins(1);

fn failed(dispatch: &transom_queue::Dispatch, now: std::time::Instant) -> Completed {
    Completed { connection: ConnectionResult::Failed, ..deferred_now(dispatch, now) }
}

// A16: 4 times after 1 minute, 6 times after 5 minutes, then every 10 minutes, until expiry.
// [RFC 5321 §4.5.4.1-b] test
#[test]
fn queue_connects_again_by_the_ladder_until_the_message_expires() {
    let begin = some_instant();
    let mut now = begin;
    let mut scheduler = Scheduler::new(options());
    scheduler.enqueue(now, enqueue(now, 1, "a.example"));
    let (mut waits, mut resubmits) = (Vec::new(), Vec::new());
    loop {
        match scheduler.poll(now) {
            SchedulerAction::Start(dispatch) => {
                assert_eq!(dispatch.attempt, 1, "a failed connection is no attempt");
                assert!(scheduler.complete(now, dispatch.token, failed(&dispatch, now)));
            }
            SchedulerAction::Expire(overdue) => {
                assert_eq!(overdue.message, InternalMessageId(1));
                break;
            }
            SchedulerAction::Resubmit(_, next_hop) => {
                assert_eq!(next_hop, hop("a.example"));
                resubmits.push((now - begin).as_secs() / 3600);
            }
            SchedulerAction::Wait(Some(until)) => {
                waits.push((until - now).as_secs() / 60);
                now = until;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(waits[..13], [1, 1, 1, 1, 5, 5, 5, 5, 5, 5, 10, 10, 10]);
    assert!(waits[10..waits.len() - 1].iter().all(|wait| *wait == 10));
    assert_eq!(now - begin, Duration::from_hours(48));
    assert_eq!(resubmits, [12, 24, 36], "nothing gets through: is there another way?");
}

#[test]
fn new_message_joins_a_queue_in_retry_without_being_attempted() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    let queue = scheduler.enqueue(now, enqueue(now, 1, "a.example"));
    let dispatch = start(&mut scheduler, now);
    scheduler.complete(now, dispatch.token, failed(&dispatch, now));
    assert_eq!(scheduler.enqueue(now, enqueue(now, 2, "a.example")), queue);
    assert_eq!(scheduler.poll(now), SchedulerAction::Wait(Some(now + MINUTE)));
    assert_eq!(scheduler.next_for(now, queue), None);
    let view = scheduler.queue(queue).unwrap();
    assert_eq!((view.status, view.message_count), (QueueStatus::Retry, 2));
    assert_eq!(view.next_retry, Some(now + MINUTE));
    // Then one connection tries; the other message waits for what becomes of it.
    let now = now + MINUTE;
    let probe = start(&mut scheduler, now);
    assert_eq!(scheduler.queue(queue).unwrap().status, QueueStatus::Connecting);
    assert!(matches!(scheduler.poll(now), SchedulerAction::Wait(_)));
    scheduler.complete(now, probe.token, used());
    assert_eq!(scheduler.next_for(now, queue).unwrap().message, InternalMessageId(2));
    assert_eq!(scheduler.queue(queue).unwrap().status, QueueStatus::Active);
}

#[test]
fn success_starts_the_ladder_anew() {
    let mut now = some_instant();
    let mut scheduler = Scheduler::new(options());
    let queue = scheduler.enqueue(now, enqueue(now, 1, "a.example"));
    for _ in 0..6 {
        let dispatch = start(&mut scheduler, now);
        scheduler.complete(now, dispatch.token, failed(&dispatch, now));
        now = scheduler.queue(queue).unwrap().next_retry.unwrap();
    }
    let dispatch = start(&mut scheduler, now);
    scheduler.complete(now, dispatch.token, deferred_now(&dispatch, now));
    assert_eq!(scheduler.queue(queue).unwrap().retry_count, 0);
    let dispatch = start(&mut scheduler, now);
    assert_eq!(dispatch.attempt, 2, "an answer is an attempt");
    scheduler.complete(now, dispatch.token, failed(&dispatch, now));
    assert_eq!(scheduler.queue(queue).unwrap().next_retry, Some(now + MINUTE));
}

/// Attempts that begin now, all at once.
fn begin_all(scheduler: &mut Scheduler, now: std::time::Instant) -> Vec<transom_queue::Dispatch> {
    let mut begun = Vec::new();
    while let SchedulerAction::Start(dispatch) = scheduler.poll(now) {
        begun.push(dispatch);
    }
    begun
}

#[test]
fn destination_that_comes_back_is_met_with_few_connections_that_grow() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    for message in 0..500 {
        scheduler.enqueue(now, enqueue(now, message, "a.example"));
    }
    for dispatch in begin_all(&mut scheduler, now) {
        scheduler.complete(now, dispatch.token, failed(&dispatch, now));
    }
    let now = now + MINUTE;
    let mut widths = Vec::new();
    for _ in 0..12 {
        let begun = begin_all(&mut scheduler, now);
        widths.push(begun.len());
        for dispatch in begun {
            scheduler.complete(now, dispatch.token, used());
        }
    }
    assert_eq!(widths[..2], [1, 2], "one finds out");
    assert!(widths.is_sorted() && widths.windows(2).all(|two| two[1] <= two[0] + 1), "{widths:?}");
    assert!(widths[11] > 5, "{widths:?}");
}

#[test]
fn start_with_much_mail_meets_each_destination_with_two_connections() {
    let now = some_instant();
    let slow = SchedulerOptions::default();
    let mut scheduler = Scheduler::new(slow);
    for message in 0..100 {
        let name = if message % 2 == 0 { "a.example" } else { "b.example" };
        scheduler.enqueue(now, enqueue(now, message, name));
    }
    let mut begun = begin_all(&mut scheduler, now);
    assert_eq!(begun.len(), 4);
    // What works makes room for more at once.
    for _ in 0..3 {
        for dispatch in std::mem::take(&mut begun) {
            scheduler.complete(now, dispatch.token, used());
        }
        begun = begin_all(&mut scheduler, now);
    }
    assert!(begun.len() > 4, "{}", begun.len());
    // A destination that is new later on begins as wide as any.
    let later = now + Duration::from_secs(30);
    for message in 100..110 {
        scheduler.enqueue(later, enqueue(later, message, "c.example"));
    }
    assert_eq!(begin_all(&mut scheduler, later).len(), 5);
}

#[test]
fn many_connections_that_fail_together_climb_one_step() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    let mut queue = None;
    for message in 0..20 {
        queue = Some(scheduler.enqueue(now, enqueue(now, message, "a.example")));
    }
    let dispatches = begin_all(&mut scheduler, now);
    assert_eq!(dispatches.len(), 5, "the first window");
    for dispatch in &dispatches {
        scheduler.complete(now, dispatch.token, failed(dispatch, now));
        assert!(matches!(scheduler.poll(now), SchedulerAction::Wait(_)));
    }
    let view = scheduler.queue(queue.unwrap()).unwrap();
    assert_eq!((view.status, view.retry_count), (QueueStatus::Retry, 1));
    assert_eq!(view.message_count, 20);
}

#[test]
fn failed_connection_beside_working_ones_narrows_the_window_and_no_more() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    for message in 0..20 {
        scheduler.enqueue(now, enqueue(now, message, "a.example"));
    }
    let dispatches: Vec<_> = (0..5).map(|_| start(&mut scheduler, now)).collect();
    let refused = dispatches.last().unwrap();
    scheduler.complete(now, refused.token, failed(refused, now));
    let view = scheduler.queue(refused.queue).unwrap();
    assert_eq!((view.window, view.next_retry), (4, None));
    scheduler.complete(now, dispatches[0].token, used());
    assert!(scheduler.next_for(now, refused.queue).is_some());
}

#[test]
fn retry_now_does_not_wait_and_keeps_the_step() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    let queue = scheduler.enqueue(now, enqueue(now, 1, "a.example"));
    let dispatch = start(&mut scheduler, now);
    scheduler.complete(now, dispatch.token, failed(&dispatch, now));
    assert!(scheduler.retry_now(now, queue));
    assert!(!scheduler.retry_now(now, queue));
    let dispatch = start(&mut scheduler, now);
    scheduler.complete(now, dispatch.token, failed(&dispatch, now));
    assert_eq!(scheduler.queue(queue).unwrap().retry_count, 2);
}

#[test]
fn waits_of_the_internet_profile_differ_by_seed_alone() {
    let now = some_instant();
    let wait = |seed| {
        let options = options().with_profile(RetryProfile::internet()).with_seed(seed);
        let mut scheduler = Scheduler::new(options);
        let queue = scheduler.enqueue(now, enqueue(now, 1, "a.example"));
        let dispatch = start(&mut scheduler, now);
        scheduler.complete(now, dispatch.token, failed(&dispatch, now));
        scheduler.queue(queue).unwrap().next_retry.unwrap() - now
    };
    assert_eq!(wait(1), wait(1));
    assert!((0..20).any(|seed| wait(seed) != wait(1)));
}

#[test]
fn empty_queue_is_dropped_after_three_minutes_and_its_id_means_nothing_then() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    let queue = scheduler.enqueue(now, enqueue(now, 1, "a.example"));
    let dispatch = start(&mut scheduler, now);
    scheduler.complete(now, dispatch.token, used());
    let until = now + 3 * MINUTE;
    assert_eq!(scheduler.poll(now), SchedulerAction::Wait(Some(until)));
    assert_eq!(scheduler.poll(until), SchedulerAction::DropQueue(queue, hop("a.example")));
    assert_eq!(scheduler.poll(until), SchedulerAction::Wait(None));
    let anew = scheduler.enqueue(until, enqueue(until, 2, "a.example"));
    assert_ne!(anew, queue);
    assert_eq!(scheduler.next_for(until, queue), None);
    assert!(!scheduler.suspend_queue(until, queue));
}

#[test]
fn unreachable_recipients_wait_for_a_drain_and_are_never_attempted() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    let next_hop =
        NextHop { kind: transom_types::DeliveryType::Unreachable, ..hop("Unreachable Domain") };
    let unit = transom_queue::Enqueue { next_hop, ..enqueue(now, 1, "x") };
    let queue = scheduler.enqueue(now, unit.clone());
    assert!(matches!(scheduler.poll(now), SchedulerAction::Wait(_)));
    let drained = scheduler.drain_queue(now, queue, 10);
    assert_eq!((drained.units, drained.left), (vec![unit], 0));
    assert_eq!(scheduler.message_count(), 0);
}
