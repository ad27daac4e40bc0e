//! What a message needs after a start.

mod settle_support;

use std::time::{Duration, Instant, SystemTime};

use settle_support::{HOUR, fresh, message, policy, received_at, relayed, status};
use transom_queue::{
    Accepted, Deadlines, Intent, LoadedMessage, MessageState, Op, Recovered, RetryProfile, recover,
};
use transom_tracking::EventId;
use transom_types::{AttemptStage, InternalMessageId, Notify, Outcome};

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
fn some_instant() -> Instant {
    Instant::now()
}

fn loaded(message: Accepted, state: MessageState) -> LoadedMessage {
    LoadedMessage { id: InternalMessageId(42), message, state }
}

fn run(loaded: &LoadedMessage, wall: SystemTime, now: Instant) -> Recovered {
    recover(loaded, &policy(), wall, now, 12_345)
}

#[test]
fn cut_attempt_is_a_named_doubt_and_waits_20_to_30_seconds() {
    let now = some_instant();
    let message = message("<sender@example.net>", &[None, None, None]);
    let mut state = fresh(&message);
    state.recipients[2].outcome = Some(relayed());
    let (recipients, host) = (vec![1, 2], "mx.example.com".to_owned());
    state.intent = Some(Intent { recipients, host, attempt: 1 });
    let wall = received_at() + HOUR;
    let found = run(&loaded(message, state), wall, now);
    assert_eq!(found.in_doubt, [1], "who is done with is in no doubt");
    let Some(Op::Settle { recipients, delay_notified: false, .. }) = &found.op else {
        panic!("{:?}", found.op)
    };
    let [one] = recipients.as_slice() else { panic!("{recipients:?}") };
    assert!(one.attempted);
    let Outcome::InDoubt(status) = &one.outcome else { panic!("{one:?}") };
    assert_eq!(status.remote.as_ref().map(|host| host.name.as_str()), Some("mx.example.com"));
    let [event] = found.events.as_slice() else { panic!("{:?}", found.events) };
    assert_eq!(event.event, EventId::InDoubt);
    assert_eq!(event.recipients.len(), 1);
    assert_eq!(found.units.len(), 2);
    assert_eq!((&found.units[0].recipients, found.units[0].due), (&vec![0], None));
    let doubtful = &found.units[1];
    let wait = doubtful.due.unwrap() - now;
    assert!(wait >= Duration::from_secs(20) && wait <= Duration::from_secs(30), "{wait:?}");
    assert_eq!(doubtful.attempts, 1);
    assert_eq!(one.retry_at, Some(wall + wait));
}

// The row that names a doubt is written some milliseconds after the doubt. A kill in between lost
// it, and the duplicate that followed had no name.
#[test]
fn doubt_is_told_again_at_every_start_until_an_outcome_ends_it() {
    let message = message("<sender@example.net>", &[None, None]);
    let mut state = fresh(&message);
    let doubt = Outcome::InDoubt(status(AttemptStage::EndOfData, 451, "no reply came"));
    state.recipients[0].outcome = Some(doubt);
    state.recipients[1].outcome = Some(relayed());
    let found = run(&loaded(message.clone(), state.clone()), received_at() + HOUR, some_instant());
    assert!(found.op.is_none(), "it is written down already");
    let [event] = found.events.as_slice() else { panic!("{:?}", found.events) };
    assert_eq!((event.event, event.recipients.len()), (EventId::InDoubt, 1));
    state.recipients[0].outcome = Some(relayed());
    let found = run(&loaded(message, state), received_at() + HOUR, some_instant());
    assert!(found.events.is_empty());
}

#[test]
fn message_without_intent_needs_no_commit() {
    let message = message("<sender@example.net>", &[None]);
    let state = fresh(&message);
    let found = run(&loaded(message, state), received_at() + HOUR, some_instant());
    assert!(found.op.is_none() && found.events.is_empty() && found.in_doubt.is_empty());
    assert_eq!(found.units.len(), 1);
    assert!(!found.suspended);
}

#[test]
fn times_become_monotonic_and_never_lie_in_the_past() {
    let now = some_instant();
    let message = message("<sender@example.net>", &[None, None, None]);
    let mut state = fresh(&message);
    let wall = received_at() + 2 * HOUR;
    let later = || Some(Outcome::Deferred(status(AttemptStage::Rcpt, 451, "later")));
    for (recipient, retry_at) in [(0, wall - HOUR), (1, wall + HOUR), (2, wall + 999 * HOUR)] {
        state.recipients[recipient].outcome = later();
        state.recipients[recipient].attempts = 3;
        state.recipients[recipient].retry_at = Some(retry_at);
    }
    let found = run(&loaded(message, state), wall, now);
    let dues: Vec<_> = found.units.iter().map(|unit| (unit.due, unit.attempts)).collect();
    assert_eq!(found.deadlines.expires_at, now + 46 * HOUR);
    assert_eq!(found.deadlines.delay_notice_at, Some(now + 2 * HOUR));
    // A retry time behind the expiry is the expiry.
    assert_eq!(dues, [(None, 3), (Some(now + HOUR), 3), (Some(now + 46 * HOUR), 3)]);
}

#[test]
fn message_from_the_future_lives_no_longer_than_the_profile_says() {
    let now = some_instant();
    let message = message("<sender@example.net>", &[None]);
    let state = fresh(&message);
    let found = run(&loaded(message, state), received_at() - 9999 * HOUR, now);
    assert_eq!(found.deadlines.expires_at, now + 48 * HOUR);
}

#[test]
fn message_that_expired_while_we_were_away_expires_now() {
    let now = some_instant();
    let message = message("<sender@example.net>", &[None]);
    let state = fresh(&message);
    let found = run(&loaded(message, state), received_at() + 100 * HOUR, now);
    assert_eq!(found.deadlines.expires_at, now);
}

#[test]
fn delay_notice_is_planned_only_where_it_may_be_sent() {
    let now = some_instant();
    let profile = RetryProfile::default();
    let plan = |path: &str, notify: Option<Notify>, notified: bool| {
        let message = message(path, &[notify]);
        let state = MessageState { delay_notified: notified, ..fresh(&message) };
        let planned = Deadlines::new(&message, &state, &profile, received_at(), now);
        planned.delay_notice_at
    };
    let sender = "<sender@example.net>";
    assert_eq!(plan(sender, None, false), Some(now + 4 * HOUR));
    assert_eq!(plan(sender, None, true), None);
    assert_eq!(plan(sender, Some(Notify::NEVER), false), None);
    assert_eq!(plan("<>", None, false), None);
}

#[test]
fn null_sender_expires_after_a_day() {
    let now = some_instant();
    let message = message("<>", &[None]);
    let planned =
        Deadlines::new(&message, &fresh(&message), &RetryProfile::internet(), received_at(), now);
    assert_eq!(planned.expires_at, now + 24 * HOUR);
}
