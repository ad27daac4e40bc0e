//! What the categorizer decides once: recipients end, copies with envelopes of their own begin.

use transom_types::{ConnectorId, Envelope, Outcome};

use super::super::{sample_body, sample_deferred, sample_delivered, sample_message};
use super::{Bench, Case, LARGE, must, read, settle};
use crate::message::{Accepted, Decided, RecipientState};
use crate::spool::{AdminVerb, Decide, Edit, EditList, Fork, MessageCopy, Op, Settled};

pub(super) const ALL: &[Case] = &[
    copies_take_the_places_of_who_ended,
    message_of_which_all_ended_is_complete,
    mark_stays_and_goes_to_forks,
    copies_have_edits_of_their_own,
    held_copies_are_named,
    impossible_decisions_are_refused,
];

pub(super) fn ended(recipient: u32, outcome: Outcome) -> Settled {
    Settled { recipient, outcome, attempted: false, retry_at: None }
}

fn envelope(sender: &str, recipients: &[&str]) -> Envelope {
    let recipients: Vec<_> = recipients.iter().map(|path| must(path.parse(), "path")).collect();
    Envelope::new(must(sender.parse(), "path"), recipients)
}

pub(super) fn copy(recipients: &[&str]) -> MessageCopy {
    MessageCopy {
        envelope: envelope("<owner@contoso.com>", recipients),
        decided: Decided { route: Some(ConnectorId::new("relay")), require_tls: true },
        edits: EditList::default(),
        suspended: None,
    }
}

fn decide(bench: &Bench, decide: Decide) -> Vec<transom_types::InternalMessageId> {
    bench.commit(vec![Op::Decide(Box::new(decide))]).forks
}

fn copies_take_the_places_of_who_ended(bench: &Bench) {
    let id = bench.accept(1, 4, 100);
    bench.commit(vec![settle(id, 0, sample_deferred(1))]);
    let copies = vec![copy(&["<ann@contoso.com>", "<bob@fabrikam.com>"]), copy(&["<c@d.example>"])];
    let outcomes = [Outcome::Expanded, Outcome::Redirected, Outcome::Duplicate];
    let ended = (1..).zip(outcomes.clone()).map(|(place, outcome)| ended(place, outcome)).collect();
    let decided = Decided { route: None, require_tls: true };
    let op = Decide { id, decided: decided.clone(), ended, copies: copies.clone() };
    let ids = decide(bench, op);
    let parent = bench.open(id);
    assert_eq!(parent.state.decided, Some(decided));
    let [stays, others @ ..] = &parent.state.recipients[..] else { return };
    assert!(stays.is_open() && stays.attempts == 1);
    assert!(others.iter().map(|other| other.outcome.clone()).eq(outcomes.map(Some)));
    let original = sample_message(1, 4, 100);
    assert_eq!(ids.len(), copies.len());
    for (made, copy) in ids.into_iter().map(|id| bench.open(id)).zip(copies) {
        let envelope = copy.envelope;
        assert_eq!(made.state.recipients.len(), envelope.recipients.len());
        assert!(made.state.recipients.iter().all(|at| *at == RecipientState::default()));
        assert_eq!(made.state.decided, Some(copy.decided));
        let expected = Accepted { parent: Some(id), envelope, ..original.clone() };
        assert_eq!(*made.message, expected);
        assert_eq!(read(&made), sample_body(1, 100));
    }
}

fn message_of_which_all_ended_is_complete(bench: &Bench) {
    for octets in [100, LARGE] {
        let id = bench.accept(1, 1, octets);
        let copies = vec![copy(&["<ann@contoso.com>"]), copy(&["<bob@contoso.com>"])];
        let ended = vec![ended(0, Outcome::Expanded)];
        let op = Op::Decide(Box::new(Decide { id, decided: Decided::default(), ended, copies }));
        let committed = bench.commit(vec![op]);
        assert_eq!(committed.completed, [id]);
        assert!(bench.is_gone(id));
        for (at, copy) in committed.forks.into_iter().enumerate() {
            assert_eq!(read(&bench.open(copy)), sample_body(1, octets), "copy {at}");
            bench.commit(vec![settle(copy, 0, sample_delivered(1))]);
            assert!(bench.is_gone(copy));
        }
    }
}

fn mark_stays_and_goes_to_forks(bench: &Bench) {
    let id = bench.accept(1, 2, 100);
    assert_eq!(bench.open(id).state.decided, None);
    let decided = Decided { route: Some(ConnectorId::new("relay")), require_tls: false };
    let op = Decide { id, decided: decided.clone(), ended: vec![], copies: vec![] };
    let fork = Op::Categorize { id, forks: vec![Fork { recipients: vec![1] }] };
    let committed = bench.commit(vec![Op::Decide(Box::new(op)), fork]);
    for id in [id, committed.forks[0]] {
        assert_eq!(bench.open(id).state.decided.as_ref(), Some(&decided));
    }
}

fn copies_have_edits_of_their_own(bench: &Bench) {
    let id = bench.accept(1, 1, 100);
    let stamp = |text: &'static str| {
        must(EditList::new(vec![Edit { at: 0, remove: 0, insert: text.into() }]), "edits")
    };
    bench.commit(vec![Op::Edit { id, edits: stamp("parent") }]);
    let copies = vec![
        MessageCopy { edits: stamp("first"), ..copy(&["<ann@contoso.com>"]) },
        copy(&["<bob@contoso.com>"]),
    ];
    let op = Decide { id, decided: Decided::default(), ended: vec![], copies };
    let ids = decide(bench, op);
    for (id, start) in [id, ids[0], ids[1]].into_iter().zip(["parent", "first", ""]) {
        let expected = [start.as_bytes(), &sample_body(1, 100)].concat();
        assert_eq!(read(&bench.open(id)), expected, "{start}");
    }
}

fn held_copies_are_named(bench: &Bench) {
    let id = bench.accept(1, 1, 100);
    let held = MessageCopy { suspended: Some("agent".into()), ..copy(&["<ann@contoso.com>"]) };
    let copies = vec![copy(&["<bob@contoso.com>"]), held];
    let op = Decide { id, decided: Decided::default(), ended: vec![], copies };
    let committed = bench.commit(vec![Op::Decide(Box::new(op.clone()))]);
    assert_eq!(committed.suspended, committed.forks[1..]);
    let state = bench.open(committed.forks[1]).state;
    assert_eq!(state.suspended.as_deref(), Some("agent"));
    bench.commit(vec![Op::Admin { id, verb: AdminVerb::Suspend, actor: "alice".into() }]);
    let committed = bench.commit(vec![Op::Decide(Box::new(op))]);
    assert_eq!(committed.suspended, committed.forks);
}

fn impossible_decisions_are_refused(bench: &Bench) {
    let id = bench.accept(1, 2, 100);
    bench.commit(vec![settle(id, 0, sample_delivered(1))]);
    let before = bench.open(id).state;
    let beyond = Edit { at: 90, remove: 20, insert: "".into() };
    let edits = must(EditList::new(vec![beyond]), "edits");
    let wrong = [
        (vec![ended(0, Outcome::Expanded)], vec![]),
        (vec![ended(2, Outcome::Expanded)], vec![]),
        (vec![ended(1, sample_deferred(1))], vec![]),
        (vec![ended(1, Outcome::Expanded)], vec![copy(&[])]),
        (vec![], vec![MessageCopy { edits, ..copy(&["<ann@contoso.com>"]) }]),
    ];
    for (at, (ended, copies)) in wrong.into_iter().enumerate() {
        let op = Decide { id, decided: Decided::default(), ended, copies };
        assert!(bench.try_commit(vec![Op::Decide(Box::new(op))]).is_err(), "{at}");
        assert_eq!(bench.open(id).state, before, "{at}");
    }
}
