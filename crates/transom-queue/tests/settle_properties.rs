//! Whatever comes in: nobody is lost, nobody ends twice.

mod settle_support;

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use settle_support::{fresh, input, message, policy, relayed, settled, status};
use transom_queue::{Cause, RecipientState, SettleInput, Waiting, settle};
use transom_types::{AttemptStage, Notify, Outcome, RecipientResult};

fn outcome() -> impl Strategy<Value = Outcome> {
    let stage = prop_oneof![
        Just(AttemptStage::Dns),
        Just(AttemptStage::Connect),
        Just(AttemptStage::Rcpt),
        Just(AttemptStage::EndOfData),
        Just(AttemptStage::Agent),
    ];
    (stage, 0u8..7).prop_map(|(stage, kind)| match kind {
        0 => Outcome::Deferred(status(stage, 451, "later")),
        1 => Outcome::InDoubt(status(stage, 451, "no reply")),
        2 => Outcome::Failed(status(stage, 550, "never")),
        3 => Outcome::Delivered(status(stage, 250, "OK")),
        4 => Outcome::Transferred,
        5 => Outcome::Removed(status(stage, 250, "by admin")),
        _ => relayed(),
    })
}

fn notify() -> impl Strategy<Value = Option<Notify>> {
    proptest::option::of(any::<(bool, bool, bool)>().prop_map(|(s, f, d)| Notify::new(s, f, d)))
}

proptest! {
    #[test]
    fn each_recipient_of_results_ends_in_exactly_one_place(
        notify in proptest::collection::vec(notify(), 1..8),
        before in proptest::collection::vec(proptest::option::of(outcome()), 8),
        results in proptest::collection::vec((0u32..10, outcome()), 0..16),
        null: bool, expired: bool, random: u64,
    ) {
        let policy = policy();
        let message = message(if null { "<>" } else { "<sender@example.net>" }, &notify);
        let mut state = fresh(&message);
        for (recipient, before) in state.recipients.iter_mut().zip(before) {
            recipient.outcome = before;
        }
        let results: Vec<_> = results
            .into_iter()
            .map(|(recipient, outcome)| RecipientResult { recipient, outcome })
            .collect();
        let mut input = input(&message, &state, &policy, Cause::Attempt(&results));
        input.random = random;
        if expired {
            input.expires_in = Duration::ZERO;
        }
        let settlement = settle(&input);

        // Open, known and named: exactly these are settled, each once.
        let open = |at: &u32| {
            state.recipients.get(usize::try_from(*at).unwrap()).is_some_and(RecipientState::is_open)
        };
        let named: BTreeSet<u32> = results.iter().map(|r| r.recipient).filter(open).collect();
        let done: Vec<u32> = settled(&settlement).iter().map(|one| one.recipient).collect();
        prop_assert_eq!(&done.iter().copied().collect::<BTreeSet<_>>(), &named);
        prop_assert_eq!(done.len(), named.len());

        // Of these: retried, or done with; of the failed: reported, or with a reason.
        let retried: Vec<u32> = settlement.retries.iter().flat_map(|(r, _)| r.clone()).collect();
        let reports = settlement.reports.iter();
        let reported: Vec<u32> =
            reports.flat_map(|report| report.recipients.iter().map(|(at, _)| *at)).collect();
        let silent: Vec<u32> = settlement.suppressed.iter().map(|(at, _)| *at).collect();
        for one in settled(&settlement) {
            let count = |list: &[u32]| list.iter().filter(|at| **at == one.recipient).count();
            let open = !one.outcome.is_terminal();
            prop_assert_eq!(count(&retried), usize::from(open));
            let failed = matches!(one.outcome, Outcome::Failed(_));
            prop_assert_eq!(count(&reported) + count(&silent), usize::from(failed));
            prop_assert!(open || one.retry_at.is_none());
            prop_assert!(!(open && expired), "nobody outlives the message");
        }
        prop_assert!(settlement.reports.len() <= 1);
        prop_assert!(!null || settlement.reports.is_empty(), "null is never answered");
        for (_, wait) in &settlement.retries {
            prop_assert!(*wait <= input.expires_in);
        }
    }

    #[test]
    fn what_expires_fails(
        notify in proptest::collection::vec(notify(), 1..8),
        groups in proptest::collection::vec(proptest::collection::vec(0u32..10, 0..6), 0..4),
    ) {
        let policy = policy();
        let message = message("<sender@example.net>", &notify);
        let state = fresh(&message);
        let waiting: Vec<_> = groups
            .into_iter()
            .map(|recipients| Waiting { recipients, last_error: None })
            .collect();
        let groups = waiting.iter();
        let all: BTreeSet<u32> = groups.flat_map(|group| group.recipients.clone()).collect();
        let known = |at: &u32| usize::try_from(*at).unwrap() < notify.len();
        let input = input(&message, &state, &policy, Cause::Expired(&waiting));
        let settlement = settle(&SettleInput { expires_in: Duration::ZERO, ..input });
        let failed: Vec<u32> = settled(&settlement).iter().map(|one| one.recipient).collect();
        prop_assert_eq!(failed.len(), all.iter().filter(|at| known(at)).count());
        prop_assert!(settlement.retries.is_empty());
        let told: usize = settlement.reports.iter().map(|report| report.recipients.len()).sum();
        prop_assert_eq!(told + settlement.suppressed.len(), failed.len());
    }
}
