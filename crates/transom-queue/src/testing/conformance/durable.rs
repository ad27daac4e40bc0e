//! What a store must still know when it is opened again.

use std::collections::BTreeMap;
use std::sync::Arc;

use transom_types::{InternalMessageId, Outcome};

use super::super::{sample_body, sample_deferred, sample_delivered};
use super::decide::{copy, ended};
use super::notes::{all, note};
use super::{Bench, LARGE, must, read, settle};
use crate::message::{Accepted, Decided, Intent, MessageState};
use crate::spool::{AdminVerb, Decide, Fork, Note, Op, RecoveryReport, Spool};

type Reopen<'s> = &'s dyn Fn() -> Arc<dyn Spool>;

pub(super) const ALL: &[fn(Reopen<'_>)] = &[
    reopened_store_is_the_same,
    completed_messages_stay_gone,
    notes_survive_a_restart,
    ids_go_on_after_a_restart,
    store_is_known_again_after_a_restart,
    report_counts_what_is_there,
    restarts_change_nothing,
    store_goes_on_after_a_restart,
];

type Loaded = BTreeMap<InternalMessageId, (Accepted, MessageState)>;

fn reopen(open: Reopen<'_>) -> (Bench, Loaded, RecoveryReport) {
    let spool = open();
    let mut loaded = Loaded::new();
    let report = spool.load(&mut |message| {
        let former = loaded.insert(message.id, (message.message, message.state));
        assert!(former.is_none(), "load gives each message once");
    });
    (Bench { spool }, loaded, must(report, "load"))
}

fn first(open: Reopen<'_>) -> Bench {
    Bench::new(open())
}

/// Messages in every state that a message can be in.
fn fill(bench: &Bench) -> BTreeMap<InternalMessageId, u64> {
    let mut bodies = BTreeMap::new();
    for number in 0..12 {
        let octets = if number % 4 == 3 { LARGE } else { 700 };
        bodies.insert(bench.accept(number, 3, octets), number);
    }
    let ids: Vec<InternalMessageId> = bodies.keys().copied().collect();
    bench
        .commit(vec![settle(ids[1], 0, sample_deferred(1)), settle(ids[1], 1, sample_deferred(2))]);
    bench.commit(vec![settle(ids[2], 2, sample_delivered(1))]);
    let admin = |id, verb| Op::Admin { id, verb, actor: "alice".into() };
    bench.commit(vec![admin(ids[3], AdminVerb::Suspend)]);
    bench.commit(vec![admin(ids[4], AdminVerb::Remove)]);
    bodies.remove(&ids[4]);
    let intent = Intent { recipients: vec![0, 1], host: "mx.fabrikam.com".into(), attempt: 4 };
    bench.commit(vec![Op::Intent { id: ids[5], intent }]);
    bench.commit(vec![Op::Settle { id: ids[6], recipients: vec![], delay_notified: true }]);
    for (parent, lists) in [(ids[7], vec![vec![2], vec![0]]), (ids[8], vec![vec![0, 1], vec![2]])] {
        let forks = lists.into_iter().map(|recipients| Fork { recipients }).collect();
        let committed = bench.commit(vec![Op::Categorize { id: parent, forks }]);
        let number = bodies[&parent];
        bodies.extend(committed.forks.into_iter().map(|fork| (fork, number)));
        for done in committed.completed {
            bodies.remove(&done);
        }
    }
    for (parent, ends) in [(ids[9], 0..2), (ids[11], 0..3)] {
        let ended = ends.map(|place| ended(place, Outcome::Expanded)).collect();
        let copies = vec![copy(&["<ann@contoso.com>"]), copy(&["<a@b.example>", "<c@d.example>"])];
        let decided = Decided { route: None, require_tls: true };
        let op = Op::Decide(Box::new(Decide { id: parent, decided, ended, copies }));
        let committed = bench.commit(vec![op]);
        let number = bodies[&parent];
        bodies.extend(committed.forks.into_iter().map(|copy| (copy, number)));
        for done in committed.completed {
            bodies.remove(&done);
        }
    }
    bodies
}

/// What names the store names it after a restart too.
fn store_is_known_again_after_a_restart(open: Reopen<'_>) {
    let id = first(open).spool.id();
    assert_eq!(first(open).spool.id(), id, "the id stays");
}

fn seen(bench: &Bench, bodies: &BTreeMap<InternalMessageId, u64>) -> Loaded {
    let look = |&id: &InternalMessageId| {
        let stored = bench.open(id);
        (id, (Accepted::clone(&stored.message), stored.state))
    };
    bodies.keys().map(look).collect()
}

fn check_bodies(bench: &Bench, bodies: &BTreeMap<InternalMessageId, u64>) {
    for (&id, &number) in bodies {
        let stored = bench.open(id);
        let octets = if number % 4 == 3 { LARGE } else { 700 };
        assert_eq!(read(&stored), sample_body(number, octets), "body of {number}");
    }
}

fn reopened_store_is_the_same(open: Reopen<'_>) {
    let bench = first(open);
    let bodies = fill(&bench);
    let before = seen(&bench, &bodies);
    drop(bench);
    let (bench, loaded, report) = reopen(open);
    assert_eq!(loaded, before);
    assert_eq!(seen(&bench, &bodies), before);
    assert_eq!((report.torn_batches, report.quarantined.len()), (0, 0));
    check_bodies(&bench, &bodies);
}

fn completed_messages_stay_gone(open: Reopen<'_>) {
    let bench = first(open);
    let ids = [100, LARGE].map(|size| bench.accept(1, 1, size));
    bench.commit(ids.map(|id| settle(id, 0, sample_delivered(1))).into());
    drop(bench);
    let (bench, loaded, _) = reopen(open);
    assert!(loaded.is_empty());
    assert!(ids.iter().all(|&id| bench.is_gone(id)));
}

fn notes_survive_a_restart(open: Reopen<'_>) {
    let bench = first(open);
    bench.commit(vec![note("a", b"1"), note("b", b"2"), note("a", b"3")]);
    bench.commit(vec![Op::Note(Note { key: "b".into(), value: None, until: None })]);
    drop(bench);
    drop(reopen(open));
    let (bench, ..) = reopen(open);
    assert_eq!(all(&bench, ""), [("a".into(), b"3".to_vec())]);
}

fn ids_go_on_after_a_restart(open: Reopen<'_>) {
    let bench = first(open);
    let mut last = bench.accept(1, 1, 100);
    bench.commit(vec![settle(last, 0, sample_delivered(1))]);
    drop(bench);
    for number in 2..5 {
        let (bench, ..) = reopen(open);
        let id = bench.accept(number, 1, 100);
        assert!(id > last, "{id} after {last}");
        bench.commit(vec![settle(id, 0, sample_delivered(1))]);
        last = id;
    }
}

fn report_counts_what_is_there(open: Reopen<'_>) {
    let bench = first(open);
    let bodies = fill(&bench);
    let before = seen(&bench, &bodies);
    drop(bench);
    let (_, _, report) = reopen(open);
    let states = || before.iter().map(|(id, (_, state))| (*id, state));
    let open_ones =
        states().map(|(_, s)| s.recipients.iter().filter(|r| r.is_open()).count()).sum::<usize>();
    assert_eq!(usize::try_from(report.messages), Ok(before.len()));
    assert_eq!(usize::try_from(report.recipients), Ok(open_ones));
    let in_doubt = states().filter(|(_, s)| s.intent.is_some()).map(|(id, _)| id);
    assert_eq!(report.in_doubt, in_doubt.collect::<Vec<_>>());
    assert!(report.clean && !report.power_cut, "the store was dropped in order");
}

fn restarts_change_nothing(open: Reopen<'_>) {
    let bench = first(open);
    let bodies = fill(&bench);
    let before = seen(&bench, &bodies);
    drop(bench);
    for _ in 0..4 {
        let (bench, loaded, _) = reopen(open);
        assert_eq!(loaded, before);
        check_bodies(&bench, &bodies);
    }
}

fn store_goes_on_after_a_restart(open: Reopen<'_>) {
    let bench = first(open);
    let id = bench.accept(1, 3, LARGE);
    drop(bench);
    for place in 0..3 {
        let (bench, loaded, _) = reopen(open);
        assert_eq!(loaded.len(), 1);
        assert_eq!(read(&bench.open(id)), sample_body(1, LARGE));
        let completed = bench.commit(vec![settle(id, place, sample_delivered(1))]).completed;
        assert_eq!(completed.len(), usize::from(place == 2));
    }
    assert!(reopen(open).1.is_empty());
}
