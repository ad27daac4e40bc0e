//! Coverage: every open recipient has a timer, whatever it waits for. And no wall clock decides.
#![allow(clippy::panic, reason = "a test that cannot go on fails")]

mod scheduler_support;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use scheduler_support::{deferred_now, enqueue, options, some_instant, start, used};
use transom_queue::{
    Completed, ConnectionResult, Enqueue, Scheduler, SchedulerAction, SchedulerOptions, Waiting,
};
use transom_types::{
    AttemptStage, EnhancedStatusCode, InternalMessageId, Reply, ReplyCode, Status,
};

const HOUR: Duration = Duration::from_hours(1);

#[track_caller]
fn expect_expiry(scheduler: &mut Scheduler, at: Instant) -> Vec<Waiting> {
    loop {
        match scheduler.poll(at) {
            SchedulerAction::Expire(overdue) => return overdue.waiting,
            SchedulerAction::Wait(until) => panic!("nothing expired, next is {until:?}"),
            _ => {}
        }
    }
}

/// What a scheduler tells from the first second to the expiry of messages that came at `arrived`,
/// and when.
fn life(begin: Instant, arrived: SystemTime) -> Vec<(Duration, SchedulerAction)> {
    let mut scheduler = Scheduler::new(SchedulerOptions::default());
    for message in 0..20 {
        let delay_notice_at = Some(begin + Duration::from_hours(4));
        let unit = enqueue(begin, message, &format!("{}.example", message % 3));
        scheduler.enqueue(begin, Enqueue { received_at: arrived, delay_notice_at, ..unit });
    }
    let (mut now, mut told) = (begin, Vec::new());
    loop {
        let action = scheduler.poll(now);
        told.push((now - begin, action.clone()));
        match action {
            SchedulerAction::Start(dispatch) => {
                let connection = ConnectionResult::Failed;
                let failed = Completed { connection, ..deferred_now(&dispatch, now) };
                scheduler.complete(now, dispatch.token, failed);
            }
            SchedulerAction::Wait(Some(until)) => now = until,
            SchedulerAction::Wait(None) => return told,
            _ => {}
        }
    }
}

/// The only time by the wall clock that goes in is shown and decides nothing.
#[test]
fn jump_of_the_wall_clock_changes_no_action() {
    let begin = some_instant();
    let epoch = SystemTime::UNIX_EPOCH;
    let today = life(begin, epoch + Duration::from_hours(500_000));
    assert!(today.iter().any(|(_, action)| matches!(action, SchedulerAction::Expire(_))));
    for arrived in [epoch - Duration::from_hours(1), epoch, epoch + Duration::from_hours(900_000)] {
        assert_eq!(life(begin, arrived), today, "{arrived:?}");
    }
}

#[test]
fn message_expires_in_a_suspended_queue() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    let queue = scheduler.enqueue(now, enqueue(now, 1, "a.example"));
    scheduler.suspend_queue(now, queue);
    assert_eq!(scheduler.poll(now), SchedulerAction::Wait(Some(now + 48 * HOUR)));
    let waiting = expect_expiry(&mut scheduler, now + 48 * HOUR);
    assert_eq!(waiting, [Waiting { recipients: vec![0], last_error: None }]);
    assert_eq!(scheduler.message_count(), 0);
}

#[test]
fn message_expires_behind_a_stuck_one_and_names_what_its_queue_knows() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options().with_per_queue_max(1));
    let queue = scheduler.enqueue(now, enqueue(now, 1, "a.example"));
    scheduler.enqueue(now, enqueue(now, 2, "a.example"));
    let stuck = start(&mut scheduler, now);
    assert_eq!(stuck.message, InternalMessageId(1));
    let code = EnhancedStatusCode::transient(4, 1);
    let reply = Reply::new(ReplyCode::LOCAL_ERROR, code, "no answer");
    let status = Status::local(AttemptStage::Connect, reply);
    scheduler.set_last_error(queue, status.clone());
    let waiting = expect_expiry(&mut scheduler, now + 48 * HOUR);
    assert_eq!(waiting[0].last_error, Some(Arc::new(status)));
    assert_eq!(scheduler.message_count(), 1, "what is under way stays");
}

#[test]
fn suspended_message_expires() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    scheduler.enqueue(now, enqueue(now, 1, "a.example"));
    assert!(scheduler.suspend_message(now, InternalMessageId(1)));
    expect_expiry(&mut scheduler, now + 48 * HOUR);
}

#[test]
fn message_that_expires_years_ahead_never_does() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    let expires_at = now + 24 * 365 * 50 * HOUR;
    scheduler.enqueue(now, Enqueue { expires_at, ..enqueue(now, 1, "a.example") });
    scheduler.suspend_message(now, InternalMessageId(1));
    assert_eq!(scheduler.poll(now), SchedulerAction::Wait(None));
    let late = now + 24 * 365 * HOUR;
    assert_eq!(scheduler.poll(late), SchedulerAction::Wait(None));
    scheduler.resume_message(late, InternalMessageId(1));
    assert_eq!(start(&mut scheduler, late).message, InternalMessageId(1));
}

#[test]
fn message_expires_while_all_is_suspended() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    scheduler.suspend_all();
    scheduler.enqueue(now, enqueue(now, 1, "a.example"));
    assert!(matches!(scheduler.poll(now), SchedulerAction::Wait(_)));
    expect_expiry(&mut scheduler, now + 48 * HOUR);
}

#[test]
fn recipients_of_all_queues_expire_together() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    scheduler.suspend_all();
    scheduler.enqueue(now, enqueue(now, 1, "a.example"));
    let due = Some(now + 60 * HOUR);
    let later = Enqueue { recipients: vec![3, 1], due, ..enqueue(now, 1, "b.example") };
    scheduler.enqueue(now, later);
    let waiting = expect_expiry(&mut scheduler, now + 48 * HOUR);
    let recipients: Vec<_> = waiting.into_iter().map(|group| group.recipients).collect();
    assert_eq!(recipients, [vec![0], vec![1, 3]]);
    assert_eq!(scheduler.message_count(), 0);
}

#[test]
fn attempt_under_way_expires_right_after_it_ends() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    let unit = Enqueue { recipients: vec![0, 1], ..enqueue(now, 1, "a.example") };
    scheduler.enqueue(now, unit);
    let dispatch = start(&mut scheduler, now);
    let late = now + 49 * HOUR;
    assert_eq!(scheduler.poll(late), SchedulerAction::Wait(None));
    let back =
        Completed { retries: vec![(vec![1], late + HOUR)], connection: ConnectionResult::Used };
    assert!(scheduler.complete(late, dispatch.token, back));
    let waiting = expect_expiry(&mut scheduler, late);
    assert_eq!(waiting[0].recipients, [1]);
}

#[test]
fn token_completes_once() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    scheduler.enqueue(now, enqueue(now, 1, "a.example"));
    let dispatch = start(&mut scheduler, now);
    assert!(scheduler.complete(now, dispatch.token, used()));
    assert!(!scheduler.complete(now, dispatch.token, deferred_now(&dispatch, now)));
    assert_eq!(scheduler.message_count(), 0);
}

#[test]
fn delay_notice_comes_once_and_the_message_stays() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    scheduler.suspend_all();
    let delay_notice_at = Some(now + 4 * HOUR);
    scheduler.enqueue(now, Enqueue { delay_notice_at, ..enqueue(now, 1, "a.example") });
    assert_eq!(scheduler.poll(now), SchedulerAction::Wait(delay_notice_at));
    let at = now + 4 * HOUR;
    let SchedulerAction::DelayNotice(overdue) = scheduler.poll(at) else { panic!("no notice") };
    assert_eq!(overdue.expires_at, now + 48 * HOUR);
    assert_eq!(scheduler.poll(at), SchedulerAction::Wait(Some(now + 48 * HOUR)));
    assert_eq!(scheduler.message_count(), 1);
}

#[test]
fn suspended_message_keeps_its_due_time() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    let due = Some(now + HOUR);
    scheduler.enqueue(now, Enqueue { due, ..enqueue(now, 1, "a.example") });
    scheduler.suspend_message(now, InternalMessageId(1));
    scheduler.resume_message(now, InternalMessageId(1));
    assert_eq!(scheduler.poll(now), SchedulerAction::Wait(due));
    scheduler.suspend_message(now, InternalMessageId(1));
    let late = now + 2 * HOUR;
    assert_eq!(scheduler.poll(late), SchedulerAction::Wait(Some(now + 48 * HOUR)));
    scheduler.resume_message(late, InternalMessageId(1));
    start(&mut scheduler, late);
}

#[test]
fn removal_takes_effect_on_what_is_under_way_unless_that_delivers() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options());
    for message in [1, 2] {
        scheduler.enqueue(now, enqueue(now, message, "a.example"));
        let due = Some(now + HOUR);
        let other = Enqueue { recipients: vec![5], due, ..enqueue(now, message, "a.example") };
        scheduler.enqueue(now, other);
    }
    let one = start(&mut scheduler, now);
    let two = start(&mut scheduler, now);
    assert_eq!(scheduler.remove(now, one.message), [5]);
    assert_eq!(scheduler.remove(now, two.message), [5]);
    scheduler.complete(now, one.token, deferred_now(&one, now));
    scheduler.complete(now, two.token, used());
    let expected = SchedulerAction::Remove { message: one.message, recipients: vec![0] };
    assert_eq!(scheduler.poll(now), expected);
    assert!(matches!(scheduler.poll(now), SchedulerAction::Wait(_)));
    assert_eq!(scheduler.message_count(), 0);
}
