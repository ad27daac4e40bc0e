//! One message at a time: bodies, outcomes, verbs, errors.

use std::sync::Arc;
use std::thread;

use transom_types::InternalMessageId;

use super::super::{
    block_on, sample_body, sample_deferred, sample_delivered, sample_failed, sample_message,
};
use super::{Bench, Case, LARGE, must, read, settle};
use crate::message::{Intent, MessageState, RecipientState};
use crate::spool::{AdminVerb, Durability, Op, StoreError};

pub(super) const ALL: &[Case] = &[
    accepted_message_reads_back,
    bodies_of_all_sizes_read_back,
    content_reads_in_any_range,
    buffered_commit_is_seen,
    deferred_recipient_waits,
    delay_notice_is_remembered,
    last_terminal_outcome_completes,
    terminal_outcome_stays,
    intent_stands_until_it_is_settled,
    attempts_beside_each_other_stay_in_doubt_each,
    suspension_names_its_actor,
    removal_ends_open_recipients_alone,
    commit_is_all_or_nothing,
    refused_accept_leaves_nothing,
    outcome_and_report_go_together,
    operations_see_those_before_them,
    positions_grow,
    dropped_ingest_leaves_nothing,
    ids_are_never_used_twice,
    unknown_messages_are_not_found,
    unknown_recipients_are_refused,
    commits_of_many_threads_all_count,
];

fn accepted_message_reads_back(bench: &Bench) {
    for number in 0..30 {
        let recipients = 1 + u32::try_from(number % 4).unwrap_or(0);
        let id = bench.accept(number, recipients, 1_000);
        let stored = bench.open(id);
        assert_eq!(stored.id, id);
        assert_eq!(*stored.message, sample_message(number, recipients, 1_000));
        assert_eq!(stored.state, MessageState::new(&stored.message));
        assert_eq!(read(&stored), sample_body(number, 1_000));
    }
}

fn bodies_of_all_sizes_read_back(bench: &Bench) {
    let sizes = [0, 1, 511, 512, 65_536, 262_144, 262_145, LARGE, 1 << 20];
    let numbers = (0..).zip(sizes);
    let ids: Vec<_> = numbers.map(|(n, size)| (n, size, bench.accept(n, 1, size))).collect();
    for (number, size, id) in ids {
        let stored = bench.open(id);
        assert_eq!(usize::try_from(stored.content.octets()), Ok(size));
        assert_eq!(read(&stored), sample_body(number, size), "body of {size} octets");
    }
}

fn content_reads_in_any_range(bench: &Bench) {
    for size in [1_000, LARGE] {
        let body = sample_body(1, size);
        let content = bench.open(bench.accept(1, 1, size)).content;
        for (from, length) in [(0, 1), (999, 1), (17, 500), (size - 3, 3), (size / 2, 70_000)] {
            let end = size.min(from + length);
            let mut buf = vec![0; end - from];
            let offset = u64::try_from(from).unwrap_or(u64::MAX);
            let count = must(content.read_at(offset, &mut buf), "read");
            assert_eq!((count, buf.as_slice()), (end - from, &body[from..end]));
        }
        let mut buf = [0; 10];
        let last = content.octets() - 2;
        assert_eq!(content.read_at(last, &mut buf), Ok(2), "short at the end");
        assert_eq!(content.read_at(content.octets(), &mut buf), Ok(0), "nothing at the end");
        assert_eq!(content.read_at(u64::MAX, &mut buf), Ok(0), "nothing behind the end");
    }
}

fn buffered_commit_is_seen(bench: &Bench) {
    let (id, op) = bench.accept_op(1, 1, 100);
    must(block_on(bench.spool.commit(vec![op], Durability::Buffered)), "commit");
    assert_eq!(read(&bench.open(id)), sample_body(1, 100));
}

fn deferred_recipient_waits(bench: &Bench) {
    let id = bench.accept(1, 2, 100);
    for attempts in 1..=3 {
        let committed = bench.commit(vec![settle(id, 1, sample_deferred(attempts.into()))]);
        assert_eq!(committed.completed, []);
        let state = bench.open(id).state;
        assert_eq!(state.recipients[0], RecipientState::default());
        assert_eq!(state.recipients[1].attempts, attempts);
        assert_eq!(state.recipients[1].outcome, Some(sample_deferred(attempts.into())));
        assert_eq!(state.recipients[1].retry_at, Some(super::super::sample::time(60)));
    }
}

fn delay_notice_is_remembered(bench: &Bench) {
    let id = bench.accept(1, 1, 100);
    assert!(!bench.open(id).state.delay_notified);
    bench.commit(vec![Op::Settle { id, recipients: vec![], delay_notified: true }]);
    bench.commit(vec![settle(id, 0, sample_deferred(1))]);
    assert!(bench.open(id).state.delay_notified);
}

fn last_terminal_outcome_completes(bench: &Bench) {
    for size in [100, LARGE] {
        let id = bench.accept(1, 2, size);
        assert_eq!(bench.commit(vec![settle(id, 0, sample_delivered(1))]).completed, []);
        assert_eq!(read(&bench.open(id)), sample_body(1, size));
        assert_eq!(bench.commit(vec![settle(id, 1, sample_failed(2))]).completed, [id]);
        assert!(bench.is_gone(id));
    }
}

fn terminal_outcome_stays(bench: &Bench) {
    let id = bench.accept(1, 2, 100);
    bench.commit(vec![settle(id, 0, sample_delivered(1))]);
    let before = bench.open(id).state;
    bench.commit(vec![settle(id, 0, sample_deferred(2))]);
    assert_eq!(bench.open(id).state, before);
}

fn intent_stands_until_it_is_settled(bench: &Bench) {
    let id = bench.accept(1, 3, 100);
    let intent = Intent { recipients: vec![0, 2], host: "mx.fabrikam.com".into(), attempt: 1 };
    bench.commit(vec![Op::Intent { id, intent: intent.clone() }]);
    assert_eq!(bench.open(id).state.intent, Some(intent.clone()));
    bench.commit(vec![Op::Settle { id, recipients: vec![], delay_notified: true }]);
    assert_eq!(bench.open(id).state.intent, Some(intent));
    let both = [0, 2].map(|place| settle(id, place, sample_deferred(1)));
    bench.commit(both.into());
    assert_eq!(bench.open(id).state.intent, None);
}

fn attempts_beside_each_other_stay_in_doubt_each(bench: &Bench) {
    let id = bench.accept(1, 3, 100);
    let begin = |recipients: &[u32]| {
        let intent = Intent { recipients: recipients.into(), host: "mx".into(), attempt: 1 };
        bench.commit(vec![Op::Intent { id, intent }]);
    };
    let in_doubt = || bench.open(id).state.intent.map(|intent| intent.recipients);
    begin(&[2, 0]);
    begin(&[1]);
    assert_eq!(in_doubt(), Some(vec![0, 1, 2]));
    bench.commit(vec![settle(id, 1, sample_deferred(1))]);
    assert_eq!(in_doubt(), Some(vec![0, 2]));
    let both = [0, 2].map(|place| settle(id, place, sample_deferred(1)));
    bench.commit(both.into());
    assert_eq!(in_doubt(), None);
}

fn suspension_names_its_actor(bench: &Bench) {
    let id = bench.accept(1, 1, 100);
    let admin = |verb| Op::Admin { id, verb, actor: "alice".into() };
    bench.commit(vec![admin(AdminVerb::Suspend)]);
    assert_eq!(bench.open(id).state.suspended.as_deref(), Some("alice"));
    bench.commit(vec![admin(AdminVerb::Resume)]);
    assert_eq!(bench.open(id).state.suspended, None);
}

fn removal_ends_open_recipients_alone(bench: &Bench) {
    let id = bench.accept(1, 3, 100);
    bench.commit(vec![settle(id, 1, sample_delivered(1))]);
    let remove = Op::Admin { id, verb: AdminVerb::Remove, actor: "alice".into() };
    assert_eq!(bench.commit(vec![remove]).completed, [id]);
    assert!(bench.is_gone(id));
}

fn commit_is_all_or_nothing(bench: &Bench) {
    let id = bench.accept(1, 2, 100);
    let before = bench.open(id).state;
    let missing = InternalMessageId(u64::MAX);
    let (report, accept) = bench.accept_op(2, 1, 100);
    let ops = vec![settle(id, 0, sample_failed(1)), accept, settle(missing, 0, sample_failed(2))];
    assert_eq!(bench.try_commit(ops), Err(StoreError::NotFound(missing)));
    assert_eq!(bench.open(id).state, before);
    assert!(bench.is_gone(report));
}

fn refused_accept_leaves_nothing(bench: &Bench) {
    let missing = InternalMessageId(u64::MAX);
    let (id, accept) = bench.accept_op(1, 1, LARGE);
    let ops = vec![accept, settle(missing, 0, sample_failed(1))];
    assert_eq!(bench.try_commit(ops), Err(StoreError::NotFound(missing)));
    assert!(bench.is_gone(id));
    assert!(bench.try_commit(vec![settle(id, 0, sample_failed(1))]).is_err());
}

fn outcome_and_report_go_together(bench: &Bench) {
    let id = bench.accept(1, 2, 100);
    let (report, accept) = bench.accept_op(2, 1, 100);
    let committed = bench.commit(vec![settle(id, 0, sample_failed(1)), accept]);
    assert_eq!(committed.completed, []);
    assert_eq!(bench.open(id).state.recipients[0].outcome, Some(sample_failed(1)));
    assert_eq!(read(&bench.open(report)), sample_body(2, 100));
}

fn operations_see_those_before_them(bench: &Bench) {
    let (id, accept) = bench.accept_op(1, 2, 100);
    bench.commit(vec![accept, settle(id, 1, sample_deferred(1))]);
    assert_eq!(bench.open(id).state.recipients[1].attempts, 1);
    let (id, accept) = bench.accept_op(2, 1, 100);
    assert_eq!(bench.commit(vec![accept, settle(id, 0, sample_failed(1))]).completed, [id]);
    assert!(bench.is_gone(id));
    let ops = vec![settle(id, 0, sample_failed(1))];
    assert_eq!(bench.try_commit(ops), Err(StoreError::NotFound(id)));
}

fn positions_grow(bench: &Bench) {
    let id = bench.accept(1, 1, 100);
    let next = |number| bench.commit(vec![settle(id, 0, sample_deferred(number))]).position;
    let positions: Vec<u64> = (0..20).map(next).collect();
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
}

fn dropped_ingest_leaves_nothing(bench: &Bench) {
    for size in [100, LARGE] {
        let mut ingest = must(bench.spool.begin(None), "begin");
        let begun = ingest.id();
        must(block_on(ingest.write(&sample_body(1, size))), "write");
        drop(ingest);
        let finished = bench.take_in(&sample_body(2, size));
        let id = finished.id();
        drop(finished);
        assert!(bench.is_gone(begun) && bench.is_gone(id));
    }
    let mut count = 0;
    must(bench.spool.load(&mut |_| count += 1), "load");
    assert_eq!(count, 0);
}

fn ids_are_never_used_twice(bench: &Bench) {
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(must(bench.spool.begin(None), "begin").id());
        let id = bench.accept(number, 1, 10);
        bench.commit(vec![settle(id, 0, sample_delivered(1))]);
        ids.push(id);
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}

fn unknown_messages_are_not_found(bench: &Bench) {
    let id = InternalMessageId(u64::MAX);
    let intent = Intent { recipients: vec![0], host: "h".into(), attempt: 1 };
    assert!(bench.is_gone(id));
    for op in [
        Op::Categorize { id, forks: vec![] },
        Op::Intent { id, intent },
        Op::Settle { id, recipients: vec![], delay_notified: true },
        Op::Admin { id, verb: AdminVerb::Suspend, actor: "alice".into() },
    ] {
        assert_eq!(bench.try_commit(vec![op]), Err(StoreError::NotFound(id)));
    }
}

fn unknown_recipients_are_refused(bench: &Bench) {
    let id = bench.accept(1, 2, 100);
    let before = bench.open(id).state;
    assert!(bench.try_commit(vec![settle(id, 2, sample_failed(1))]).is_err());
    assert_eq!(bench.open(id).state, before);
}

fn commits_of_many_threads_all_count(bench: &Bench) {
    let accept_some = |thread: u64| {
        let bench = Bench { spool: Arc::clone(&bench.spool) };
        let numbers = thread * 100..thread * 100 + 10;
        let accept = |number| (number, bench.accept(number, 1, 200));
        numbers.map(accept).collect::<Vec<_>>()
    };
    let accepted: Vec<(u64, InternalMessageId)> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|thread| scope.spawn(move || accept_some(thread))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
    });
    assert_eq!(accepted.len(), 40, "no thread failed");
    for (number, id) in accepted {
        assert_eq!(read(&bench.open(id)), sample_body(number, 200));
        assert_eq!(bench.open(id).state.recipients, [RecipientState::default()]);
    }
}
