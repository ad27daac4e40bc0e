//! What follows from what: outcome x NOTIFY x reverse-path x expiry.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod settle_support;

use std::fmt::Write as _;
use std::time::Duration;

use settle_support::{delay_notified, fresh, input, message, policy, relayed, settled, status};
use transom_queue::{
    Cause, ConnectionResult, IngressKind, ReportKind, SettleInput, Settlement, Suppression,
    Waiting, settle,
};
use transom_types::{
    AttemptStage, EnhancedStatusCode, Notify, Outcome, RecipientResult, StatusClass,
};

fn outcomes() -> Vec<(&'static str, Outcome)> {
    let temporary = |stage| status(stage, 451, "later");
    vec![
        ("delivered", Outcome::Delivered(status(AttemptStage::Agent, 250, "OK"))),
        ("relayed", relayed()),
        ("deferred in connect", Outcome::Deferred(temporary(AttemptStage::Connect))),
        ("deferred in RCPT", Outcome::Deferred(temporary(AttemptStage::Rcpt))),
        ("in doubt", Outcome::InDoubt(temporary(AttemptStage::EndOfData))),
        ("failed", Outcome::Failed(status(AttemptStage::Rcpt, 550, "unknown"))),
        ("transferred", Outcome::Transferred),
        ("removed", Outcome::Removed(status(AttemptStage::Queue, 250, "by admin"))),
    ]
}

const NOTIFY: [(&str, Option<Notify>); 5] = [
    ("absent", None),
    ("NEVER", Some(Notify::NEVER)),
    ("FAILURE", Some(Notify::new(false, true, false))),
    ("DELAY", Some(Notify::new(false, false, true))),
    ("SUCCESS", Some(Notify::new(true, false, false))),
];

/// Outcome kept, whether it counts, wait, report or its reason, events.
fn row(settlement: &Settlement) -> String {
    let mut row = String::new();
    for one in settled(settlement) {
        let counts = if one.attempted { "counted" } else { "free" };
        write!(row, "{} {counts}", one.outcome.name()).unwrap();
        assert_eq!(one.outcome.is_terminal(), settlement.retries.is_empty());
    }
    for (_, wait) in &settlement.retries {
        write!(row, " retry {}s", wait.as_secs()).unwrap();
    }
    let reports: Vec<_> = settlement.reports.iter().map(|report| report.kind).collect();
    match reports.as_slice() {
        [] => {}
        [ReportKind::Failed] => row.push_str(" report"),
        other => panic!("{other:?}"),
    }
    for (_, why) in &settlement.suppressed {
        write!(row, " no report: {why:?}").unwrap();
    }
    for event in &settlement.events {
        write!(row, " {}", event.event).unwrap();
    }
    row
}

fn expected(outcome: &str, notify: &str, null: bool, expired: bool) -> String {
    let report = match (null, notify) {
        (true, _) => " no report: NullReversePath",
        (false, "absent" | "FAILURE") => " report",
        (false, _) => " no report: Notify",
    };
    let suppressed = if report == " report" { "" } else { " SUPPRESSED" };
    match (outcome, expired) {
        ("delivered", _) => "delivered counted DELIVER".into(),
        ("relayed", _) => "relayed counted SEND".into(),
        ("deferred in connect", false) => "deferred free retry 0s DEFER".into(),
        ("deferred in RCPT", false) => "deferred counted retry 300s DEFER".into(),
        ("in doubt", false) => "in doubt counted retry 600s INDOUBT".into(),
        ("deferred in connect", true) => {
            format!("failed free{report} DEFER EXPIRE FAIL{suppressed}")
        }
        ("deferred in RCPT", true) => {
            format!("failed counted{report} DEFER EXPIRE FAIL{suppressed}")
        }
        ("in doubt", true) => format!("failed counted{report} INDOUBT EXPIRE FAIL{suppressed}"),
        ("failed", _) => format!("failed counted{report} FAIL{suppressed}"),
        ("transferred", _) => "transferred free TRANSFER".into(),
        ("removed", _) => "removed free DROP".into(),
        other => panic!("{other:?}"),
    }
}

// [RFC 5321 §3.6.3-a, §3.6.3-b, §4.5.4-b, §6.1-b, §6.1-e] test
// [RFC 3461 §5.2-a, §5.2.2-c, §5.2.2-d, §5.2.2-e, §5.2.2-f, §5.2.3-b] test
// [RFC 3461 §5.2.6-a, §5.2.6-b, §5.2.6-c] test
#[test]
fn every_outcome_follows_the_table() {
    let policy = policy();
    for (notify_name, notify) in NOTIFY {
        for null in [false, true] {
            let path = if null { "<>" } else { "<sender@example.net>" };
            let message = message(path, &[notify]);
            let state = fresh(&message);
            for (name, outcome) in outcomes() {
                for expired in [false, true] {
                    let results = [RecipientResult { recipient: 0, outcome: outcome.clone() }];
                    let cause = Cause::Attempt(&results);
                    let mut input = input(&message, &state, &policy, cause);
                    if expired {
                        input.expires_in = Duration::ZERO;
                    }
                    let named = format!("{name}, NOTIFY {notify_name}, null {null}, {expired}");
                    let expected = expected(name, notify_name, null, expired);
                    assert_eq!(row(&settle(&input)), expected, "{named}");
                }
            }
        }
    }
}

// [RFC 3461 §5.2.5-a] test
#[test]
fn delay_notice_goes_to_whom_it_may() {
    let policy = policy();
    for (notify_name, notify) in NOTIFY {
        for null in [false, true] {
            let path = if null { "<>" } else { "<sender@example.net>" };
            let message = message(path, &[notify]);
            let state = fresh(&message);
            let waiting = [Waiting { recipients: vec![0], last_error: None }];
            let settlement =
                settle(&input(&message, &state, &policy, Cause::DelayNotice(&waiting)));
            let wanted = !null && matches!(notify_name, "absent" | "DELAY");
            assert_eq!(settlement.reports.len(), usize::from(wanted), "{notify_name} {null}");
            assert_eq!(settlement.suppressed.len(), usize::from(!wanted));
            assert!(delay_notified(&settlement), "the notice is not tried again");
            assert!(settled(&settlement).is_empty(), "nobody is done with");
            if let [report] = settlement.reports.as_slice() {
                assert_eq!(report.kind, ReportKind::Delayed);
                let until = input(&message, &state, &policy, Cause::DelayNotice(&waiting));
                let until = until.now + until.expires_in;
                assert_eq!(report.recipients[0].1.will_retry_until, Some(until));
            }
        }
    }
}

// [RFC 5321 §3.6.3-b, §6.1-e] test: a report that cannot be delivered makes no other.
#[test]
fn double_bounce_is_an_event_and_no_report() {
    let policy = policy();
    let mut message = message("<>", &[None]);
    message.ingress.kind = IngressKind::Dsn;
    let state = fresh(&message);
    let failed = Outcome::Failed(status(AttemptStage::Rcpt, 550, "unknown"));
    let results = [RecipientResult { recipient: 0, outcome: failed }];
    let settlement = settle(&input(&message, &state, &policy, Cause::Attempt(&results)));
    assert_eq!(settlement.suppressed, [(0, Suppression::DoubleBounce)]);
    assert!(settlement.reports.is_empty());
}

#[test]
fn expiry_is_4_4_7_and_carries_the_last_reply() {
    let policy = policy();
    let message = message("<sender@example.net>", &[None, None, None]);
    let mut state = fresh(&message);
    let own = status(AttemptStage::Rcpt, 452, "mailbox full");
    state.recipients[0].outcome = Some(Outcome::Deferred(own));
    let of_queue = status(AttemptStage::Connect, 421, "no answer");
    let waiting = [
        Waiting { recipients: vec![0, 1], last_error: Some(of_queue.into()) },
        Waiting { recipients: vec![2], last_error: None },
    ];
    let settlement = settle(&input(&message, &state, &policy, Cause::Expired(&waiting)));
    let mut texts = Vec::new();
    for one in settled(&settlement) {
        let Outcome::Failed(status) = &one.outcome else { panic!("{one:?}") };
        assert_eq!(status.code, EnhancedStatusCode::transient(4, 7));
        assert_eq!(status.code.class(), StatusClass::PersistentTransient);
        assert!(!one.attempted, "expiry is no attempt");
        texts.push(status.reply.to_line());
    }
    let begin = "550 4.4.7 QUEUE.Expired; message expired";
    let by = "last error from mx.example.com";
    assert_eq!(texts[0], format!("{begin}; {by}: 452 mailbox full"));
    assert_eq!(texts[1], format!("{begin}; {by}: 421 no answer"));
    assert_eq!(texts[2], begin);
    assert_eq!(settlement.reports.len(), 1, "one report for all");
    assert_eq!(settlement.reports[0].recipients.len(), 3);
}

#[test]
fn report_names_those_alone_that_failed_now() {
    let policy = policy();
    let message = message("<sender@example.net>", &[None, None, None, Some(Notify::NEVER)]);
    let mut state = fresh(&message);
    let failed = || Outcome::Failed(status(AttemptStage::Rcpt, 550, "unknown"));
    // The first failed before and was reported then.
    state.recipients[0].outcome = Some(failed());
    let outcomes = [failed(), relayed(), failed(), failed()];
    let results: Vec<_> = (0u32..)
        .zip(outcomes)
        .map(|(recipient, outcome)| RecipientResult { recipient, outcome })
        .collect();
    let settlement = settle(&input(&message, &state, &policy, Cause::Attempt(&results)));
    let reported: Vec<u32> = settlement.reports[0].recipients.iter().map(|(at, _)| *at).collect();
    assert_eq!(reported, [2]);
    assert_eq!(settlement.suppressed, [(3, Suppression::Notify)]);
    let done: Vec<u32> = settled(&settlement).iter().map(|one| one.recipient).collect();
    assert_eq!(done, [1, 2, 3], "who is done with stays as it was");
}

#[test]
fn retry_is_capped_at_expiry() {
    let policy = policy();
    let message = message("<sender@example.net>", &[None, None]);
    let state = fresh(&message);
    let later = || status(AttemptStage::Rcpt, 451, "later");
    let results = [
        RecipientResult { recipient: 0, outcome: Outcome::Deferred(later()) },
        RecipientResult { recipient: 1, outcome: Outcome::InDoubt(later()) },
    ];
    let left = Duration::from_secs(30);
    let input = SettleInput {
        expires_in: left,
        ..input(&message, &state, &policy, Cause::Attempt(&results))
    };
    let settlement = settle(&input);
    assert_eq!(settlement.retries, [(vec![0, 1], left)]);
    assert!(settled(&settlement).iter().all(|one| one.retry_at == Some(input.now + left)));
}

// The wall clock is for the record: only `expires_in`, which is monotonic, expires a message.
#[test]
fn jump_of_the_wall_clock_expires_nothing() {
    let policy = policy();
    let message = message("<sender@example.net>", &[None]);
    let state = fresh(&message);
    let later = Outcome::Deferred(status(AttemptStage::Rcpt, 451, "later"));
    let results = [RecipientResult { recipient: 0, outcome: later }];
    let far = Duration::from_hours(24 * 365);
    let today = input(&message, &state, &policy, Cause::Attempt(&results));
    for now in [today.now + far, today.now - far, today.now] {
        let settlement = settle(&SettleInput { now, ..today });
        assert_eq!(settlement.retries, [(vec![0], Duration::from_mins(5))]);
        assert!(settlement.reports.is_empty());
    }
}

#[test]
fn connection_is_judged_by_how_far_the_attempt_came() {
    let policy = policy();
    let message = message("<sender@example.net>", &[None]);
    let state = fresh(&message);
    let deferred = |stage| Outcome::Deferred(status(stage, 421, "later"));
    let failed = |stage| Outcome::Failed(status(stage, 550, "never"));
    let cases = [
        (deferred(AttemptStage::Routing), ConnectionResult::NotTried),
        (deferred(AttemptStage::Dns), ConnectionResult::Failed),
        (deferred(AttemptStage::Connect), ConnectionResult::Failed),
        (deferred(AttemptStage::Greeting), ConnectionResult::Failed),
        (deferred(AttemptStage::Ehlo), ConnectionResult::Failed),
        (deferred(AttemptStage::Tls), ConnectionResult::Failed),
        (deferred(AttemptStage::Mail), ConnectionResult::Used),
        (deferred(AttemptStage::Agent), ConnectionResult::Used),
        (failed(AttemptStage::Dns), ConnectionResult::NotTried),
        (failed(AttemptStage::Rcpt), ConnectionResult::Used),
        (relayed(), ConnectionResult::Used),
    ];
    for (outcome, expected) in cases {
        let results = [RecipientResult { recipient: 0, outcome: outcome.clone() }];
        let settlement = settle(&input(&message, &state, &policy, Cause::Attempt(&results)));
        assert_eq!(settlement.connection, expected, "{outcome:?}");
    }
}

// A session that ends early leaves recipients unattempted though the host is there: they must not
// come back at once, or the same thing happens again and again without pause.
#[test]
fn trouble_in_connecting_beside_a_used_connection_waits_as_a_message_does() {
    let policy = policy();
    let message = message("<sender@example.net>", &[None, None]);
    let state = fresh(&message);
    let lost = Outcome::Deferred(status(AttemptStage::Connect, 421, "no answer"));
    let results = [
        RecipientResult { recipient: 0, outcome: relayed() },
        RecipientResult { recipient: 1, outcome: lost },
    ];
    let settlement = settle(&input(&message, &state, &policy, Cause::Attempt(&results)));
    assert_eq!(settlement.connection, ConnectionResult::Used);
    assert_eq!(settlement.retries, [(vec![1], Duration::from_mins(5))]);
}
