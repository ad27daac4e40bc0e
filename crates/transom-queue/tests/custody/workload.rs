//! A stream of commits like those of a busy transport, made from a seed.

use std::time::{Duration, SystemTime};

use transom_queue::testing::{Rng, sample_deferred, sample_delivered, sample_failed};
use transom_queue::{AdminVerb, Durability, Edit, EditList, Settled};
use transom_types::InternalMessageId;

use crate::model::{Model, Step};

/// Sizes of bodies, with an inline limit of 4 KiB.
pub(crate) const SMALL: usize = 900;
pub(crate) const LARGE: usize = 9_000;

#[derive(Clone, Debug)]
pub(crate) struct Workload {
    rng: Rng,
    next_number: u64,
}

impl Workload {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), next_number: seed * 100_000 }
    }

    /// The next commit on a store that holds `model`.
    pub(crate) fn next(&mut self, model: &Model) -> (Vec<Step>, Durability) {
        let buffered = self.rng.one_in(12);
        let durability = if buffered { Durability::Buffered } else { Durability::Sync };
        let Some(id) = self.pick(model) else {
            return (vec![self.accept()], durability);
        };
        let entry = &model.open[&id];
        let open = entry.open_recipients();
        let some = self.some_of(&open);
        // Many open messages ask for outcomes, few for more mail.
        let crowded = model.open.len() > 12;
        let choice = if crowded { 6 + self.rng.below(14) } else { self.rng.below(20) };
        let steps = match choice {
            0..=4 => vec![self.accept()],
            5 => vec![self.accept(), self.accept()],
            6 | 7 => vec![Step::Intent { id, recipients: some }],
            8 | 9 => vec![self.settle(id, &some, false)],
            10..=12 => vec![self.settle(id, &open, true)],
            13 => vec![self.settle(id, &some, true)],
            // The outcome and the report on it, in one commit.
            14 | 15 => vec![Self::fail(id, &some), self.report()],
            16 if open.len() > 1 => {
                let forks = vec![vec![open[open.len() - 1]], vec![open[0]]];
                vec![Step::Categorize { id, forks }]
            }
            16 | 17 => vec![Step::Categorize { id, forks: vec![vec![open[0]]] }],
            18 => vec![Step::Admin { id, verb: AdminVerb::Remove }],
            _ if entry.state.suspended.is_some() => {
                vec![Step::Admin { id, verb: AdminVerb::Resume }]
            }
            _ => vec![Step::Admin { id, verb: AdminVerb::Suspend }],
        };
        let mut steps = steps;
        if self.rng.one_in(8) {
            let edits = self.edits(entry.octets);
            steps.insert(0, Step::Edit { id, edits });
        }
        if self.rng.one_in(6) {
            let key = u8::try_from(self.rng.below(4)).unwrap();
            let value = u8::try_from(self.rng.below(5)).ok().filter(|value| *value > 0);
            steps.push(Step::Note { key, value });
        }
        (steps, durability)
    }

    /// A field in front, another in place of the first octets, or nothing.
    fn edits(&mut self, octets: usize) -> EditList {
        let field = |number: u64| format!("X-Number: {number}\r\n").into();
        let number = self.rng.below(1_000);
        let front = Edit { at: 0, remove: 0, insert: field(number) };
        let middle = u64::try_from(octets / 2).unwrap();
        let replaced = Edit { at: middle, remove: middle.min(40), insert: field(number + 1) };
        let edits = match self.rng.below(4) {
            0 => Vec::new(),
            1 => vec![front],
            2 => vec![replaced],
            _ => vec![front, replaced],
        };
        EditList::new(edits).expect("in order")
    }

    fn pick(&mut self, model: &Model) -> Option<InternalMessageId> {
        let at = self.rng.index(model.open.len());
        model.open.keys().nth(at).copied()
    }

    fn some_of(&mut self, open: &[u32]) -> Vec<u32> {
        let first = self.rng.index(open.len());
        open[first..].to_vec()
    }

    pub(crate) fn accept(&mut self) -> Step {
        let number = self.next_number;
        self.next_number += 1;
        let recipients = 1 + u32::try_from(self.rng.below(3)).unwrap();
        let octets = match self.rng.below(8) {
            0 => LARGE,
            1 => 0,
            _ => SMALL + self.rng.index(1_500),
        };
        Step::Accept { number, recipients, octets }
    }

    fn report(&mut self) -> Step {
        let number = self.next_number;
        self.next_number += 1;
        Step::Accept { number, recipients: 1, octets: 400 }
    }

    fn settle(&mut self, id: InternalMessageId, places: &[u32], terminal: bool) -> Step {
        let number = self.rng.below(1_000);
        let outcome = || if terminal { sample_delivered(number) } else { sample_deferred(number) };
        let retry_at =
            (!terminal).then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(9_000 + number));
        let settled = places.iter().map(|&recipient| Settled {
            recipient,
            outcome: outcome(),
            attempted: true,
            retry_at,
        });
        Step::Settle { id, settled: settled.collect(), delay_notified: self.rng.one_in(5) }
    }

    fn fail(id: InternalMessageId, places: &[u32]) -> Step {
        let settled = places.iter().map(|&recipient| Settled {
            recipient,
            outcome: sample_failed(3),
            attempted: true,
            retry_at: None,
        });
        Step::Settle { id, settled: settled.collect(), delay_notified: false }
    }
}
