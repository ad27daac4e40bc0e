//! The whole table of verbs.

use crate::scheduler::{QueueStatus, UnitStatus};
use crate::view::{QueueKind, Target, Verb, verdict};

const QUEUE_STATUSES: [QueueStatus; 5] = [
    QueueStatus::Active,
    QueueStatus::Connecting,
    QueueStatus::Ready,
    QueueStatus::Retry,
    QueueStatus::Suspended,
];

const MESSAGE_STATUSES: [UnitStatus; 6] = [
    UnitStatus::Active,
    UnitStatus::Ready,
    UnitStatus::Retry,
    UnitStatus::Suspended,
    UnitStatus::PendingSuspend,
    UnitStatus::PendingRemove,
];

/// One line for each verb: what it does for each status in turn.
fn table(targets: &[Target]) -> String {
    let cell = |verb, target| match verdict(verb, target) {
        Ok(effect) => format!(" {effect:?}"),
        Err(refusal) => format!(" !{refusal:?}"),
    };
    let cells = |verb| targets.iter().map(|target| cell(verb, *target)).collect::<String>();
    Verb::ALL.map(|verb| format!("{verb}:{}\n", cells(verb))).concat()
}

fn queues(kind: QueueKind) -> String {
    table(&QUEUE_STATUSES.map(|status| Target::Queue(kind, status)))
}

fn messages(kind: QueueKind) -> String {
    table(&MESSAGE_STATUSES.map(|status| Target::Message(kind, status)))
}

fn lines(lines: [&str; 8]) -> String {
    format!("{}\n", lines.join("\n"))
}

/// Exchange's statuses of queues, each with what may be done in it.
#[test]
fn a15_illegal_transitions_of_queues_are_refused() {
    // Active, Connecting, Ready, Retry, Suspended.
    let expected = lines([
        "suspend: Now Now Now Now Nothing",
        "resume: Nothing Nothing Nothing Nothing Now",
        "retry now: !NotInRetry !NotInRetry !NotInRetry Now !Suspended",
        "resubmit: !NotInRetry !NotInRetry !NotInRetry Resubmit !Suspended",
        "remove with DSN: !NotForQueues !NotForQueues !NotForQueues !NotForQueues !NotForQueues",
        "remove without DSN: !NotForQueues !NotForQueues !NotForQueues !NotForQueues !NotForQueues",
        "export: !NotForQueues !NotForQueues !NotForQueues !NotForQueues !NotForQueues",
        "redirect: Now Now Now Now Now",
    ]);
    assert_eq!(queues(QueueKind::Delivery), expected);
}

/// Exchange's statuses of messages, each with what may be done in it.
#[test]
fn a15_illegal_transitions_of_messages_are_refused() {
    // Active, Ready, Retry, Suspended, PendingSuspend, PendingRemove.
    let delivery = [
        "suspend: Pending Now Now Nothing Nothing !BeingRemoved",
        "resume: Nothing Nothing Nothing Now Now !BeingRemoved",
        "retry now: !NotForMessages !NotForMessages !NotForMessages !NotForMessages \
         !NotForMessages !NotForMessages",
        "resubmit: !NotForMessages !NotForMessages !NotForMessages !NotForMessages \
         !NotForMessages !NotForMessages",
        "remove with DSN: Pending Now Now Now Pending Nothing",
        "remove without DSN: Pending Now Now Now Pending Nothing",
        "export: !NotSuspended !NotSuspended !NotSuspended Now !NotSuspended !BeingRemoved",
        "redirect: !InFlight Now Now !Suspended !InFlight !BeingRemoved",
    ];
    assert_eq!(messages(QueueKind::Delivery), lines(delivery));
    let redirect = "redirect: !NotForKind !NotForKind !NotForKind !NotForKind !NotForKind \
                    !NotForKind";
    let mut unreachable = delivery;
    unreachable[7] = redirect;
    assert_eq!(messages(QueueKind::Unreachable), lines(unreachable));
}

/// What cannot be done in Submission: remove a message, retry, resubmit, redirect.
#[test]
fn a17_submission_suspends_and_resumes_and_removes_nothing() {
    let not_for_kind = "!NotForKind !NotForKind !NotForKind !NotForKind !NotForKind";
    let not_for_queues = "!NotForQueues !NotForQueues !NotForQueues !NotForQueues !NotForQueues";
    let expected = lines([
        "suspend: Now Now Now Now Nothing",
        "resume: Nothing Nothing Nothing Nothing Now",
        &format!("retry now: {not_for_kind}"),
        &format!("resubmit: {not_for_kind}"),
        &format!("remove with DSN: {not_for_queues}"),
        &format!("remove without DSN: {not_for_queues}"),
        &format!("export: {not_for_queues}"),
        &format!("redirect: {not_for_kind}"),
    ]);
    assert_eq!(queues(QueueKind::Submission), expected);
    let in_submission =
        "!InSubmission !InSubmission !InSubmission !InSubmission !InSubmission !InSubmission";
    let not_for_messages = "!NotForMessages !NotForMessages !NotForMessages !NotForMessages \
                            !NotForMessages !NotForMessages";
    let expected = lines([
        "suspend: Pending Now Now Nothing Nothing !BeingRemoved",
        "resume: Nothing Nothing Nothing Now Now !BeingRemoved",
        &format!("retry now: {not_for_messages}"),
        &format!("resubmit: {not_for_messages}"),
        &format!("remove with DSN: {in_submission}"),
        &format!("remove without DSN: {in_submission}"),
        "export: !NotSuspended !NotSuspended !NotSuspended Now !NotSuspended !BeingRemoved",
        &format!("redirect: {not_for_kind} !NotForKind"),
    ]);
    assert_eq!(messages(QueueKind::Submission), expected);
}

/// Messages in Poison are suspended for ever: to resume one is to route it anew.
#[test]
fn a17_poison_is_never_suspended_resumed_or_redirected_as_a_queue() {
    let not_for_kind = "!NotForKind !NotForKind !NotForKind !NotForKind !NotForKind";
    let not_for_queues = "!NotForQueues !NotForQueues !NotForQueues !NotForQueues !NotForQueues";
    let expected = lines([
        "suspend: !Poison !Poison !Poison !Poison !Poison",
        "resume: !Poison !Poison !Poison !Poison !Poison",
        &format!("retry now: {not_for_kind}"),
        &format!("resubmit: {not_for_kind}"),
        &format!("remove with DSN: {not_for_queues}"),
        &format!("remove without DSN: {not_for_queues}"),
        &format!("export: {not_for_queues}"),
        &format!("redirect: {not_for_kind}"),
    ]);
    assert_eq!(queues(QueueKind::Poison), expected);
    let only = |cell: &str| {
        format!("!WrongStatus !WrongStatus !WrongStatus {cell} !WrongStatus !WrongStatus")
    };
    let expected = lines([
        &format!("suspend: {}", only("Nothing")),
        &format!("resume: {}", only("Resubmit")),
        &format!("retry now: {}", only("!NotForMessages")),
        &format!("resubmit: {}", only("Resubmit")),
        &format!("remove with DSN: {}", only("Now")),
        &format!("remove without DSN: {}", only("Now")),
        &format!("export: {}", only("Now")),
        &format!("redirect: {}", only("!NotForKind")),
    ]);
    assert_eq!(messages(QueueKind::Poison), expected);
}

/// Nothing connects from Unreachable, so it is resubmitted without being in Retry.
#[test]
fn a17_unreachable_is_resubmitted_in_any_status_but_suspended() {
    let not_for_kind = "!NotForKind !NotForKind !NotForKind !NotForKind !NotForKind";
    let not_for_queues = "!NotForQueues !NotForQueues !NotForQueues !NotForQueues !NotForQueues";
    let expected = lines([
        "suspend: Now Now Now Now Nothing",
        "resume: Nothing Nothing Nothing Nothing Now",
        &format!("retry now: {not_for_kind}"),
        "resubmit: Resubmit Resubmit Resubmit Resubmit !Suspended",
        &format!("remove with DSN: {not_for_queues}"),
        &format!("remove without DSN: {not_for_queues}"),
        &format!("export: {not_for_queues}"),
        &format!("redirect: {not_for_kind}"),
    ]);
    assert_eq!(queues(QueueKind::Unreachable), expected);
}

#[test]
fn whether_the_sender_is_told_changes_nothing_about_where_a_message_may_be_removed() {
    for kind in QueueKind::ALL {
        for status in MESSAGE_STATUSES {
            let target = Target::Message(kind, status);
            let with = verdict(Verb::Remove { with_dsn: true }, target);
            assert_eq!(with, verdict(Verb::Remove { with_dsn: false }, target), "{target:?}");
        }
    }
}

#[test]
fn what_is_suspended_at_once_can_be_resumed() {
    for kind in QueueKind::ALL {
        for status in QUEUE_STATUSES {
            if verdict(Verb::Suspend, Target::Queue(kind, status)).is_ok() {
                let suspended = Target::Queue(kind, QueueStatus::Suspended);
                assert!(verdict(Verb::Resume, suspended).is_ok(), "{kind} {status}");
            }
        }
    }
}
