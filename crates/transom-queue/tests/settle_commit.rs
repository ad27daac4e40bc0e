//! Settlement, report and store together: the steps of a driver, without runtime.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod settle_support;

use futures::FutureExt as _;
use settle_support::{HOUR, fresh, input, message, policy, received_at, status};
use transom_queue::{
    Accept, Accepted, Cause, Durability, Ingested, IngressKind, MemoryOptions, MemorySpool, Op,
    SettleInput, Spool, recover, settle,
};
use transom_types::{AttemptStage, InternalMessageId, Outcome, RecipientResult};

/// The store in memory is always ready.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn ingest(spool: &MemorySpool, octets: impl FnOnce(InternalMessageId) -> Vec<u8>) -> Ingested {
    let mut ingest = spool.begin(None).unwrap();
    let octets = octets(ingest.id());
    now(ingest.write(&octets)).unwrap();
    now(ingest.finish()).unwrap()
}

fn accept(spool: &MemorySpool, message: &Accepted) -> InternalMessageId {
    let body = ingest(spool, |_| b"Subject: Hello\r\n\r\nbody\r\n".to_vec());
    let id = body.id();
    let op = Op::Accept(Box::new(Accept { body, message: message.clone() }));
    now(spool.commit(vec![op], Durability::Sync)).unwrap();
    id
}

#[test]
fn failed_message_ends_in_the_commit_that_begins_its_report() {
    let spool = MemorySpool::new(MemoryOptions::default());
    let (message, policy) = (message("<sender@example.net>", &[None]), policy());
    let id = accept(&spool, &message);
    let state = fresh(&message);
    let failed = Outcome::Failed(status(AttemptStage::Rcpt, 550, "no such mailbox"));
    let results = [RecipientResult { recipient: 0, outcome: failed }];
    let input = SettleInput { id, ..input(&message, &state, &policy, Cause::Attempt(&results)) };

    let mut settlement = settle(&input);
    let draft = settlement.reports.pop().unwrap();
    let mut report = None;
    let body = ingest(&spool, |id| {
        let made = draft.into_message(id, b"Subject: Hello\r\n\r\n");
        let octets = made.octets.clone();
        report = Some(made);
        octets
    });
    let (report, report_id) = (report.unwrap(), body.id());
    assert_eq!(report.event.internal_id, Some(report_id));
    let accept = Op::Accept(Box::new(Accept { body, message: report.accepted }));
    let committed = now(spool.commit(vec![settlement.op, accept], Durability::Sync)).unwrap();
    assert_eq!(committed.completed, [id]);

    let mut found = Vec::new();
    spool.load(&mut |loaded| found.push(loaded)).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id, found[0].message.parent), (report_id, Some(id)));
    assert_eq!(found[0].message.ingress.kind, IngressKind::Dsn);
}

#[test]
fn deferred_message_comes_back_after_a_restart_when_it_was_due() {
    let spool = MemorySpool::new(MemoryOptions::default());
    let (message, policy) = (message("<sender@example.net>", &[None, None]), policy());
    let id = accept(&spool, &message);
    let state = fresh(&message);
    let later = Outcome::Deferred(status(AttemptStage::Rcpt, 451, "later"));
    let results = [RecipientResult { recipient: 1, outcome: later }];
    let input = SettleInput { id, ..input(&message, &state, &policy, Cause::Attempt(&results)) };
    now(spool.commit(vec![settle(&input).op], Durability::Sync)).unwrap();

    let mut found = Vec::new();
    spool.load(&mut |loaded| found.push(loaded)).unwrap();
    let begin = some_instant();
    let recovered = recover(&found[0], &policy, received_at() + HOUR, begin, 0);
    let units: Vec<_> = recovered
        .units
        .iter()
        .map(|unit| (unit.recipients.clone(), unit.due, unit.attempts))
        .collect();
    let due = begin + policy.profile.message_delay(1, 0);
    assert_eq!(units, [(vec![0], None, 0), (vec![1], Some(due), 1)]);
    assert_eq!(recovered.deadlines.expires_at, begin + 47 * HOUR);
}

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
fn some_instant() -> std::time::Instant {
    std::time::Instant::now()
}
