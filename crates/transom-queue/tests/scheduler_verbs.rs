//! What an administrator sees and does, messages under way included.

mod scheduler_support;

use std::time::Duration;

use scheduler_support::{deferred_now, enqueue, hop, options, some_instant, start, used};
use transom_queue::{Enqueue, Priority, QueueStatus, Scheduler, SchedulerAction, UnitStatus};
use transom_types::InternalMessageId;

fn status(scheduler: &Scheduler, message: u64) -> Option<UnitStatus> {
    let units = scheduler.message(InternalMessageId(message));
    units.first().map(|unit| unit.status)
}

#[test]
fn suspension_of_what_is_under_way_is_pending_and_takes_effect_when_it_comes_back() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    scheduler.enqueue(now, enqueue(now, 1, "a.example"));
    assert_eq!(status(&scheduler, 1), Some(UnitStatus::Ready));
    let dispatch = start(&mut scheduler, now);
    assert_eq!(status(&scheduler, 1), Some(UnitStatus::Active));
    assert!(scheduler.suspend_message(now, dispatch.message));
    assert_eq!(status(&scheduler, 1), Some(UnitStatus::PendingSuspend));
    scheduler.complete(now, dispatch.token, deferred_now(&dispatch, now));
    assert_eq!(status(&scheduler, 1), Some(UnitStatus::Suspended));
    assert!(matches!(scheduler.poll(now), SchedulerAction::Wait(_)));
    assert!(scheduler.resume_message(now, dispatch.message));
    start(&mut scheduler, now);
}

#[test]
fn removal_of_what_is_under_way_is_pending_and_a_delivery_comes_first() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    scheduler.enqueue(now, enqueue(now, 1, "a.example"));
    let dispatch = start(&mut scheduler, now);
    assert_eq!(scheduler.remove(now, dispatch.message), [0u32; 0]);
    assert_eq!(status(&scheduler, 1), Some(UnitStatus::PendingRemove));
    scheduler.complete(now, dispatch.token, used());
    assert_eq!(status(&scheduler, 1), None);
    assert!(matches!(scheduler.poll(now), SchedulerAction::Wait(_)));
}

#[test]
fn message_in_a_queue_that_retries_says_so() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    let due = Some(now + Duration::from_mins(5));
    scheduler.enqueue(now, Enqueue { due, ..enqueue(now, 1, "a.example") });
    let unit = scheduler.message(InternalMessageId(1)).remove(0);
    assert_eq!((unit.status, unit.due), (UnitStatus::Retry, due));
    assert_eq!(unit.expires_at, Some(now + Duration::from_hours(48)));
}

#[test]
fn queue_is_listed_by_urgency_and_counts_by_priority() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    for message in 0..10 {
        let priority = if message % 2 == 0 { Priority::Low } else { Priority::High };
        let unit = Enqueue { priority, ..enqueue(now, message, "a.example") };
        scheduler.enqueue(now, unit);
    }
    let queue = scheduler.queue_of(&hop("a.example")).unwrap();
    let order: Vec<u64> = scheduler.units_of(queue).map(|unit| unit.message.0).collect();
    assert_eq!(order, [1, 3, 5, 7, 9, 0, 2, 4, 6, 8]);
    assert_eq!(scheduler.queue(queue).unwrap().message_counts, [0, 5, 0, 5, 0]);
}

#[test]
fn drain_goes_step_by_step_and_leaves_what_is_under_way_or_suspended() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    for message in 0..100 {
        let due = (message % 3 == 0).then(|| now + Duration::from_mins(1));
        scheduler.enqueue(now, Enqueue { due, ..enqueue(now, message, "a.example") });
    }
    let under_way = start(&mut scheduler, now);
    for message in 50..60 {
        scheduler.suspend_message(now, InternalMessageId(message));
    }
    scheduler.suspend_queue(now, under_way.queue);
    let (mut found, mut left) = (Vec::new(), vec![]);
    loop {
        let step = scheduler.drain_queue(now, under_way.queue, 10);
        assert!(step.units.len() <= 10);
        found.extend(step.units);
        left.push(step.left);
        if step.left == 0 {
            break;
        }
    }
    assert!(left.is_sorted_by(|a, b| a >= b), "{left:?}");
    assert_eq!(found.len(), 100 - 11);
    assert_eq!(scheduler.message_count(), 11);
    assert_eq!(scheduler.queue(under_way.queue).unwrap().suspended_count, 10);
    // What came out can go in again, elsewhere.
    for unit in found {
        scheduler.enqueue(now, Enqueue { next_hop: hop("b.example"), ..unit });
    }
    let there = scheduler.queue_of(&hop("b.example")).unwrap();
    assert_eq!(scheduler.queue(there).unwrap().message_count, 89);
}

#[test]
fn queue_tells_what_came_and_went_in_the_last_minute() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    for message in 0..10 {
        scheduler.enqueue(now, enqueue(now, message, "a.example"));
    }
    for _ in 0..4 {
        let dispatch = start(&mut scheduler, now);
        scheduler.complete(now, dispatch.token, used());
    }
    // One that comes back is not done with.
    let dispatch = start(&mut scheduler, now);
    scheduler.complete(now, dispatch.token, deferred_now(&dispatch, now));
    let view = scheduler.queue(dispatch.queue).unwrap();
    assert_eq!((view.incoming_per_minute, view.outgoing_per_minute), (10, 4));
    scheduler.suspend_all();
    let later = now + Duration::from_mins(2);
    assert!(matches!(scheduler.poll(later), SchedulerAction::Wait(_)));
    let view = scheduler.queue(dispatch.queue).unwrap();
    assert_eq!((view.incoming_per_minute, view.outgoing_per_minute), (0, 0));
}

#[test]
fn queue_can_be_suspended_before_anything_is_in_it_and_stays_until_it_is_resumed() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    let queue = scheduler.open_queue(now, hop("a.example"));
    assert!(scheduler.suspend_queue(now, queue));
    let later = now + Duration::from_hours(1);
    assert!(matches!(scheduler.poll(later), SchedulerAction::Wait(_)));
    assert_eq!(scheduler.enqueue(later, enqueue(later, 1, "a.example")), queue);
    assert!(matches!(scheduler.poll(later), SchedulerAction::Wait(_)));
    assert_eq!(scheduler.queue(queue).unwrap().status, QueueStatus::Suspended);
    scheduler.resume_queue(later, queue);
    start(&mut scheduler, later);
    // One that was never used goes by itself.
    let unused = scheduler.open_queue(later, hop("b.example"));
    let gone = scheduler.poll(later + Duration::from_hours(1));
    assert!(matches!(gone, SchedulerAction::DropQueue(id, _) if id == unused), "{gone:?}");
}
