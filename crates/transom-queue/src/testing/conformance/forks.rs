//! Bifurcation: recipients that leave for copies of their message.

use transom_types::Outcome;

use super::super::{sample_body, sample_deferred, sample_delivered, sample_message};
use super::{Bench, Case, LARGE, read, settle};
use crate::message::{Accepted, RecipientState};
use crate::spool::{AdminVerb, Fork, Op};

pub(super) const ALL: &[Case] = &[
    forks_take_their_recipients_over,
    forks_inherit_how_their_recipients_stand,
    forks_inherit_the_suspension,
    forks_share_the_body_beyond_their_parent,
    parent_without_recipients_is_complete,
    forks_can_be_forked,
    impossible_forks_are_refused,
];

fn forks(lists: &[&[u32]]) -> Vec<Fork> {
    lists.iter().map(|list| Fork { recipients: list.to_vec() }).collect()
}

fn forks_take_their_recipients_over(bench: &Bench) {
    let id = bench.accept(1, 4, 100);
    let committed = bench.commit(vec![Op::Categorize { id, forks: forks(&[&[1], &[3, 2]]) }]);
    assert_eq!((committed.forks.len(), committed.completed.len()), (2, 0));
    let parent = bench.open(id);
    let outcomes: Vec<_> = parent.state.recipients.iter().map(|r| r.outcome.clone()).collect();
    let moved = Some(Outcome::Transferred);
    assert_eq!(outcomes, [None, moved.clone(), moved.clone(), moved]);
    let original = sample_message(1, 4, 100);
    for (copy, places) in committed.forks.iter().zip([vec![1], vec![3, 2]]) {
        let copy = bench.open(*copy);
        let mut expected = Accepted { parent: Some(id), ..original.clone() };
        let recipients = &original.envelope.recipients;
        expected.envelope.recipients = places.iter().map(|&p| recipients[p].clone()).collect();
        assert_eq!(*copy.message, expected);
        assert_eq!(copy.state.recipients, vec![RecipientState::default(); places.len()]);
        assert_eq!(read(&copy), sample_body(1, 100));
    }
}

fn forks_inherit_how_their_recipients_stand(bench: &Bench) {
    let id = bench.accept(1, 3, 100);
    bench.commit(vec![settle(id, 2, sample_deferred(1))]);
    bench.commit(vec![Op::Settle { id, recipients: vec![], delay_notified: true }]);
    let before = bench.open(id).state;
    let committed = bench.commit(vec![Op::Categorize { id, forks: forks(&[&[2]]) }]);
    let copy = bench.open(committed.forks[0]).state;
    assert_eq!(copy.recipients, before.recipients[2..]);
    assert!(copy.delay_notified);
}

fn forks_inherit_the_suspension(bench: &Bench) {
    let id = bench.accept(1, 2, 100);
    bench.commit(vec![Op::Admin { id, verb: AdminVerb::Suspend, actor: "alice".into() }]);
    let committed = bench.commit(vec![Op::Categorize { id, forks: forks(&[&[1]]) }]);
    let copy = bench.open(committed.forks[0]).state;
    assert_eq!(copy.suspended.as_deref(), Some("alice"));
    assert_eq!(committed.suspended, committed.forks);
    bench.commit(vec![Op::Admin { id, verb: AdminVerb::Resume, actor: "alice".into() }]);
    let committed = bench.commit(vec![Op::Categorize { id, forks: forks(&[&[0]]) }]);
    assert_eq!((committed.forks.len(), committed.suspended.len()), (1, 0));
}

fn forks_share_the_body_beyond_their_parent(bench: &Bench) {
    for size in [100, LARGE] {
        let id = bench.accept(1, 3, size);
        let committed = bench.commit(vec![Op::Categorize { id, forks: forks(&[&[1], &[2]]) }]);
        assert_eq!(bench.commit(vec![settle(id, 0, sample_delivered(1))]).completed, [id]);
        let [first, second] = committed.forks[..] else {
            assert_eq!(committed.forks.len(), 2, "one id a fork");
            return;
        };
        assert_eq!(read(&bench.open(first)), sample_body(1, size));
        bench.commit(vec![settle(first, 0, sample_delivered(1))]);
        assert_eq!(read(&bench.open(second)), sample_body(1, size));
        assert!(bench.is_gone(id) && bench.is_gone(first));
    }
}

fn parent_without_recipients_is_complete(bench: &Bench) {
    let id = bench.accept(1, 2, LARGE);
    let committed = bench.commit(vec![Op::Categorize { id, forks: forks(&[&[0], &[1]]) }]);
    assert_eq!(committed.completed, [id]);
    assert!(bench.is_gone(id));
    for copy in committed.forks {
        assert_eq!(read(&bench.open(copy)), sample_body(1, LARGE));
    }
}

fn forks_can_be_forked(bench: &Bench) {
    let id = bench.accept(1, 3, 100);
    let first = bench.commit(vec![Op::Categorize { id, forks: forks(&[&[1, 2]]) }]).forks[0];
    let forked = Op::Categorize { id: first, forks: forks(&[&[1]]) };
    let second = bench.commit(vec![forked]).forks[0];
    let copy = bench.open(second);
    assert_eq!(copy.message.parent, Some(first));
    assert_eq!(copy.message.envelope.recipients, bench.open(id).message.envelope.recipients[2..]);
    assert_eq!(read(&copy), sample_body(1, 100));
}

fn impossible_forks_are_refused(bench: &Bench) {
    let id = bench.accept(1, 3, 100);
    bench.commit(vec![settle(id, 0, sample_delivered(1))]);
    let before = bench.open(id).state;
    for lists in [&[&[3][..]][..], &[&[0]], &[&[1], &[1]], &[&[]], &[&[1], &[]]] {
        let op = Op::Categorize { id, forks: forks(lists) };
        assert!(bench.try_commit(vec![op]).is_err(), "{lists:?}");
        assert_eq!(bench.open(id).state, before, "{lists:?}");
    }
}
