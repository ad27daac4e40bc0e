//! Rows of what no scheduler holds: Submission and Poison.

use std::sync::Arc;
use std::time::Duration;

use transom_types::{
    ConnectorId, DeliveryType, InternalMessageId, MtPriority, NextHop, NextHopDomain, Outcome,
    Reply, Status, TlsClass,
};

use super::moment;
use crate::message::{Accepted, MessageState, RecipientState};
use crate::query::{Query, Row, Value};
use crate::retry::PriorityQueuing;
use crate::testing::{SimFs, sample_message};
use crate::view::*;
use crate::{
    Deadlines, Driver, Enqueue, Priority, QueueStatus, RetryProfile, Scheduler, SchedulerOptions,
    SegLog, SegLogOptions, Spool, UnitStatus,
};

const ID: InternalMessageId = InternalMessageId(25);

/// Three recipients: one is delivered, one was put off twice, one was never tried.
fn stored(at: Moment) -> (Accepted, MessageState) {
    let mut message = sample_message(1, 3, 5000);
    message.received_at = at.wall - Duration::from_mins(90) - Duration::from_millis(300);
    let mut state = MessageState::default();
    state.recipients.resize(3, RecipientState::default());
    let code = "250".parse().unwrap();
    let said = Status::local(transom_types::AttemptStage::EndOfData, Reply::bare(code, "done"));
    state.recipients[0].outcome = Some(Outcome::Relayed(said));
    state.recipients[1].attempts = 2;
    (message, state)
}

fn rows(scheduler: &Scheduler, counts: Unscheduled) -> Vec<QueueInfo> {
    queue_rows(scheduler, counts, moment()).collect()
}

#[test]
fn a15_submission_is_always_listed_and_poison_while_something_is_in_it() {
    let scheduler = Scheduler::new(SchedulerOptions::default());
    let empty = rows(&scheduler, Unscheduled::default());
    let names = |rows: &[QueueInfo]| rows.iter().map(|row| row.identity.to_string()).collect();
    let found: Vec<String> = names(&empty);
    assert_eq!(found, ["Submission"]);
    assert_eq!((empty[0].status, empty[0].message_count), (QueueStatus::Ready, 0));

    let full = rows(&scheduler, Unscheduled { routing: 3, poison: 2 });
    let found: Vec<String> = names(&full);
    assert_eq!(found, ["Submission", "Poison"]);
    let [submission, poison] = &full[..] else { panic!("{full:?}") };
    assert_eq!((submission.status, submission.message_count), (QueueStatus::Active, 3));
    assert_eq!((submission.active_count, submission.suspended_count), (3, 0));
    // The queue cannot be suspended; each message in it is.
    assert_eq!((poison.status, poison.message_count), (QueueStatus::Ready, 2));
    assert_eq!((poison.deferred_count, poison.suspended_count), (2, 2));
}

#[test]
fn a15_what_submission_and_poison_do_not_count_has_no_value() {
    let scheduler = Scheduler::new(SchedulerOptions::default());
    for row in rows(&scheduler, Unscheduled { routing: 1, poison: 1 }) {
        for (property, expected) in [
            (QueueProperty::DeliveryType, Value::Word("Undefined")),
            (QueueProperty::NextHopCategory, Value::Word("Internal")),
            (QueueProperty::MessageCount, Value::Number(1)),
            (QueueProperty::RetryCount, Value::Number(0)),
            (QueueProperty::NextHopConnector, Value::Absent),
            (QueueProperty::TlsClass, Value::Absent),
            (QueueProperty::IncomingRate, Value::Absent),
            (QueueProperty::OutgoingRate, Value::Absent),
            (QueueProperty::Velocity, Value::Absent),
            (QueueProperty::LastError, Value::Absent),
            (QueueProperty::NextRetryTime, Value::Absent),
        ] {
            assert_eq!(row.value(property), expected, "{} {property:?}", row.identity);
        }
        assert_eq!(row.message_counts, None);
    }
}

/// What waits in the scheduler for its routing is in Submission too, and is no queue beside it.
#[test]
fn a15_suspended_submission_counts_what_waits_and_what_is_being_routed() {
    let at = moment();
    let mut scheduler = Scheduler::new(SchedulerOptions::default());
    let next_hop = NextHop {
        kind: DeliveryType::Undefined,
        domain: NextHopDomain::new("Submission"),
        connector: ConnectorId::new(""),
        tls: TlsClass::Normal,
    };
    let queue = scheduler.open_queue(at.now, next_hop.clone());
    scheduler.suspend_queue(at.now, queue);
    for message in 1..=4 {
        let unit = Enqueue {
            message: InternalMessageId(message),
            next_hop: next_hop.clone(),
            recipients: vec![0],
            due: None,
            received_at: at.wall,
            expires_at: at.now + Duration::from_hours(48),
            delay_notice_at: None,
            octets: 1000,
            attempts: 0,
            priority: Priority::Normal,
        };
        scheduler.enqueue(at.now, unit);
    }
    scheduler.suspend_message(at.now, InternalMessageId(2));
    let found = rows(&scheduler, Unscheduled { routing: 2, poison: 0 });
    let [submission] = &found[..] else { panic!("{found:?}") };
    assert_eq!((submission.kind, submission.number), (QueueKind::Submission, 0));
    assert_eq!((submission.status, submission.message_count), (QueueStatus::Suspended, 6));
    assert_eq!((submission.active_count, submission.suspended_count), (2, 1));
    let identity: QueueIdentity = "submission".parse().unwrap();
    let held = message_rows(&scheduler, &identity, "mx1", at);
    assert_eq!(held.filter(|row| row.status == UnitStatus::Suspended).count(), 1);
}

#[test]
fn a17_poison_message_is_suspended_never_expires_and_resumes_as_if_it_had_just_come_in() {
    let at = moment();
    let (message, state) = stored(at);
    let row = MessageInfo::in_poison(ID, (&message, &state), Priority::High, &at);
    assert_eq!(row.identity.to_string(), r"Poison\25");
    assert_eq!((row.status, row.priority), (UnitStatus::Suspended, Priority::High));
    assert_eq!((row.expires_at, row.next_retry), (None, None));
    // Only what is open waits there.
    assert_eq!((&row.places[..], row.retry_count, row.octets), (&[1, 2][..], 2, 5000));
    assert_eq!(row.stored.as_ref().unwrap().recipients.len(), 2);
    let target = Target::Message(QueueKind::Poison, row.status);
    assert_eq!(verdict(Verb::Resume, target), Ok(Effect::Resubmit));
    assert_eq!(verdict(Verb::Remove { with_dsn: true }, target), Ok(Effect::Now));
    assert_eq!(verdict(Verb::Redirect, target), Err(Refusal::NotForKind));
}

#[test]
fn a17_message_in_submission_is_active_and_cannot_be_removed() {
    let at = moment();
    let (mut message, mut state) = stored(at);
    message.envelope.parameters.mt_priority = MtPriority::new(3);
    let mut profile = RetryProfile::exchange();
    profile.priority_queuing = Some(PriorityQueuing::exchange());
    let deadlines = Deadlines::new(&message, &state, &profile, at.wall, at.now);
    let row =
        |state: &MessageState| MessageInfo::in_submission(ID, (&message, state), &deadlines, &at);
    let active = row(&state);
    assert_eq!(active.identity.to_string(), r"Submission\25");
    assert_eq!((active.status, active.priority), (UnitStatus::Active, Priority::High));
    let expires_at = message.received_at + Duration::from_hours(8);
    assert_eq!(active.expires_at, Some(expires_at));
    let target = Target::Message(QueueKind::Submission, active.status);
    assert_eq!(verdict(Verb::Remove { with_dsn: false }, target), Err(Refusal::InSubmission));
    assert_eq!(verdict(Verb::Suspend, target), Ok(Effect::Pending));
    state.suspended = Some("anna".into());
    assert_eq!(row(&state).status, UnitStatus::PendingSuspend);
}

/// Whole seconds, as the scheduler keeps them, wherever the row comes from.
#[test]
fn time_of_arrival_is_the_same_in_every_queue() {
    let at = moment();
    let (message, state) = stored(at);
    let row = MessageInfo::in_poison(ID, (&message, &state), Priority::Normal, &at);
    assert_eq!(row.received_at, at.wall - Duration::from_secs(90 * 60 + 1));
    assert_eq!(row.age, Duration::from_secs(90 * 60 + 1));
    let asks = "received < 2026-11-24T10:30:00Z and age > 90m".parse().unwrap();
    let query = Query::new(1).with_filter(asks);
    assert!(!query.filter.uses(MessageProperty::is_stored), "the disk is not asked");
    assert_eq!(query.page([MessageInfo { stored: None, ..row }]).unwrap().total, 1);
}

#[test]
fn cursor_of_another_spool_is_refused_after_a_start_as_before() {
    let open = |fs: &SimFs| {
        let options = SegLogOptions::default().with_driver(Driver::Inline);
        SegLog::open(Arc::new(fs.clone()), options).unwrap()
    };
    let (mine, other) = (SimFs::new(1), SimFs::new(2));
    let scheduler = Scheduler::new(SchedulerOptions::default());
    let rows = || rows(&scheduler, Unscheduled { routing: 0, poison: 1 });
    let first = Query::<QueueProperty>::new(open(&mine).id()).with_rows_max(1);
    let next = first.page(rows()).unwrap().next.unwrap();
    let after = |source| {
        let start = crate::query::PageStart::After(next.clone());
        let page = Query::new(source).with_rows_max(1).with_start(start).page(rows());
        page.map(|page| page.rows[0].kind).map_err(|wrong| wrong.to_string())
    };
    assert_eq!(after(open(&mine).id()), Ok(QueueKind::Poison));
    let refusal = "the cursor is of another spool: begin again at the first page";
    assert_eq!(after(open(&other).id()), Err(refusal.to_owned()));
}
