//! Looking at all messages in steps.

use std::collections::BTreeMap;

use super::*;

#[test]
fn message_that_stays_is_seen_once_whatever_comes_and_goes_between_steps() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(SchedulerOptions::default());
    for message in 0..100 {
        scheduler.enqueue(now, enqueue(now, message, "a.example"));
    }
    let SchedulerAction::Start(dispatch) = scheduler.poll(now) else { panic!("nothing starts") };
    let (mut from, mut seen) = (Some(0), BTreeMap::new());
    let mut next_id = 1000;
    while let Some(at) = from {
        let step = scheduler.walk(at, 7);
        for unit in step.units {
            *seen.entry(unit.message.0).or_insert(0) += 1;
        }
        from = step.next;
        // One goes, one comes into its place, and one gets another unit.
        scheduler.remove(now, InternalMessageId(99 - u64::from(at / 7)));
        scheduler.enqueue(now, enqueue(now, next_id, "b.example"));
        next_id += 1;
        let retries = vec![(vec![0], now + Duration::from_mins(1))];
        let done = Completed { retries, connection: ConnectionResult::Used };
        scheduler.complete(now, dispatch.token, done);
    }
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
    assert!((0..80).all(|message| seen.contains_key(&message)), "{seen:?}");
    assert_eq!(Scheduler::new(SchedulerOptions::default()).walk(0, 7), Walked::default());
}
