//! A store with a model beside it: every commit goes to both, and after every restart the store
//! must hold what the model allows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use transom_queue::testing::{block_on, sample_body, sample_message};
use transom_queue::{
    Accept, Accepted, Durability, Fork, MessageState, Note, Op, RecoveryReport, Spool, StoreError,
};
use transom_types::InternalMessageId;

use crate::model::{ACTOR, Commit, Entry, Model, Step, intent};

/// What ended the last life of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Dropped in order.
    Clean,
    Kill,
    PowerCut,
}

/// The model, what it cannot know for sure, and how to tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// Everything that a sync was answered for.
    pub(crate) model: Model,
    /// Answered without a sync since the last one: a power cut may lose each of them.
    soft: Vec<Commit>,
    /// The commit that was never answered: all of it happened or nothing.
    pending: Option<Commit>,
    /// A write or sync failed and the store could not write again what it had lost: that may
    /// include what no sync had covered before.
    shaken: bool,
}

/// The store's own answer was an error.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) StoreError);

impl Ledger {
    /// The model with the soft commits: what a living store holds.
    pub(crate) fn now(&self) -> Model {
        let mut model = self.model.clone();
        self.soft.iter().for_each(|commit| model.apply(commit));
        model
    }

    /// Commits `steps` to the store and writes them down.
    pub(crate) fn commit(
        &mut self,
        spool: &dyn Spool,
        steps: &[Step],
        durability: Durability,
    ) -> Result<Commit, Refused> {
        let mut commit = Commit { steps: steps.to_vec(), accepted: Vec::new(), forks: Vec::new() };
        let mut ops = Vec::new();
        for step in steps {
            ops.push(self.op(spool, step, &mut commit.accepted).map_err(Refused)?);
        }
        self.pending = Some(commit.clone());
        let committed = block_on(spool.commit(ops, durability)).map_err(Refused)?;
        for id in &committed.forks {
            assert!(self.model.used.insert(*id), "fork id {id} was given twice");
        }
        commit.forks.clone_from(&committed.forks);
        self.pending = None;
        let intents_alone = steps.iter().all(|step| matches!(step, Step::Intent { .. }));
        self.soft.push(commit.clone());
        if durability == Durability::Sync && !intents_alone {
            // One sync makes durable all that was written before.
            self.model = self.now();
            self.soft.clear();
        }
        Ok(commit)
    }

    /// The disk failed and the store's life ended before it had cured that.
    pub(crate) fn shake(&mut self) {
        self.shaken = true;
    }

    /// The store answered the last commit with an error for good: it must never happen.
    pub(crate) fn forget_pending(&mut self) {
        self.pending = None;
    }

    fn op(
        &mut self,
        spool: &dyn Spool,
        step: &Step,
        accepted: &mut Vec<InternalMessageId>,
    ) -> Result<Op, StoreError> {
        Ok(match step.clone() {
            Step::Accept { number, recipients, octets } => {
                let mut ingest = spool.begin(None)?;
                let id = ingest.id();
                assert!(self.model.used.insert(id), "id {id} was given twice");
                for piece in sample_body(number, octets).chunks(3_000) {
                    block_on(ingest.write(piece))?;
                }
                let body = block_on(ingest.finish())?;
                assert_eq!(body.id(), id);
                accepted.push(id);
                let message = sample_message(number, recipients, body.octets());
                Op::Accept(Box::new(Accept { body, message }))
            }
            Step::Note { key, value } => {
                let value = value.map(|value| vec![value; 30].into());
                Op::Note(Note { key: format!("note/{key}"), value, until: None })
            }
            Step::Admin { id, verb } => Op::Admin { id, verb, actor: ACTOR.into() },
            Step::Categorize { id, forks } => {
                let fork = |recipients| Fork { recipients };
                Op::Categorize { id, forks: forks.into_iter().map(fork).collect() }
            }
            Step::Edit { id, edits } => Op::Edit { id, edits },
            Step::Intent { id, recipients } => Op::Intent { id, intent: intent(&recipients) },
            Step::Settle { id, settled, delay_notified } => {
                Op::Settle { id, recipients: settled, delay_notified }
            }
        })
    }

    /// Holds what a store that was just opened gave to what the model allows after `end`: P1 to
    /// P5. Then the store's word is the model's.
    pub(crate) fn check_reopened(&mut self, store: &Opened, end: End) {
        let Opened { spool, loaded, report } = store;
        let candidates = self.candidates(end);
        let mut differences = Vec::new();
        for mut candidate in candidates {
            let found = with_bodies(loaded, &candidate);
            candidate.adopt_ids(&found);
            let notes = note_difference(&candidate, &**spool);
            match difference(&candidate, &found).or(notes) {
                None => {
                    check_report(report, &candidate, end);
                    check_content(&**spool, &candidate);
                    candidate.check_conservation();
                    candidate.used.append(&mut self.model.used);
                    *self = Self { model: candidate, ..Self::default() };
                    return;
                }
                Some(difference) => differences.push(difference),
            }
        }
        panic!(
            "nothing that could be explains what is there; the nearest: {}",
            nearest(differences)
        );
    }

    /// Every state that the store may be in after `end`.
    fn candidates(&self, end: End) -> Vec<Model> {
        let mut bases = vec![self.now()];
        if end == End::PowerCut || self.shaken {
            bases = (0..1u32 << self.soft.len())
                .rev()
                .map(|mask| {
                    let mut model = self.model.clone();
                    let kept = self.soft.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1);
                    kept.for_each(|(_, commit)| model.apply(commit));
                    model
                })
                .collect();
        }
        let with_pending = |base: &Model| {
            self.pending.as_ref().map(|commit| {
                let mut model = base.clone();
                model.apply(commit);
                model
            })
        };
        let after: Vec<Model> = bases.iter().filter_map(with_pending).collect();
        bases.into_iter().chain(after).collect()
    }

    /// How many soft commits there are; the caller keeps them few, since every subset is tried.
    pub(crate) fn soft(&self) -> usize {
        self.soft.len()
    }

    /// Holds a store that lives to the model: every message reads back.
    pub(crate) fn check_living(&self, spool: &dyn Spool) {
        let model = self.now();
        model.check_conservation();
        for (&id, entry) in &model.open {
            let stored = block_on(spool.open(id)).expect("an open message opens");
            assert_eq!((&*stored.message, &stored.state), (&entry.message, &entry.state), "{id}");
        }
        check_content(spool, &model);
        assert_eq!(note_difference(&model, spool), None);
        let gone = model.used.iter().filter(|id| !model.open.contains_key(id));
        for &id in gone.take(20) {
            let error = block_on(spool.open(id)).err();
            assert_eq!(error, Some(StoreError::NotFound(id)), "{id} is complete");
        }
    }
}

pub(crate) type Loaded = BTreeMap<InternalMessageId, (Accepted, MessageState)>;

/// A store that was opened, with what it found.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) spool: Arc<dyn Spool>,
    pub(crate) loaded: Loaded,
    pub(crate) report: RecoveryReport,
}

impl Opened {
    pub(crate) fn load(spool: Arc<dyn Spool>) -> Result<Self, StoreError> {
        let mut loaded = Loaded::new();
        let report = spool.load(&mut |message| {
            let twin = loaded.insert(message.id, (message.message, message.state));
            assert!(twin.is_none(), "message {} was loaded twice", message.id);
        })?;
        Ok(Self { spool, loaded, report })
    }
}

/// What was loaded, as entries: which body a message should have is the model's to say.
fn with_bodies(loaded: &Loaded, candidate: &Model) -> BTreeMap<InternalMessageId, Entry> {
    let by_network_id: BTreeMap<_, _> = candidate
        .open
        .values()
        .map(|entry| (entry.message.network_id, (entry.number, entry.octets)))
        .collect();
    let entry = |(id, (message, state)): (&InternalMessageId, &(Accepted, MessageState))| {
        let known = by_network_id.get(&message.network_id);
        let (number, octets) = known.copied().unwrap_or_default();
        (*id, Entry { message: message.clone(), state: state.clone(), number, octets })
    };
    loaded.iter().map(entry).collect()
}

fn check_report(report: &RecoveryReport, model: &Model, end: End) {
    let open: usize = model.open.values().map(|entry| entry.open_recipients().len()).sum();
    assert_eq!(usize::try_from(report.messages), Ok(model.open.len()), "messages in the report");
    assert_eq!(usize::try_from(report.recipients), Ok(open), "recipients in the report");
    assert_eq!(report.quarantined, Vec::<String>::new(), "a crash damages nothing");
    assert_eq!(report.damages, [], "a crash damages nothing");
    let in_doubt = model.open.iter().filter(|(_, entry)| entry.state.intent.is_some());
    let in_doubt: Vec<InternalMessageId> = in_doubt.map(|(id, _)| *id).collect();
    assert_eq!(report.in_doubt, in_doubt, "messages in doubt in the report");
    if end == End::Clean {
        assert!(report.clean, "the last run ended cleanly");
        assert_eq!(report.torn_batches, 0);
    }
}

/// P1 and P2: the body of every open message is there and right.
fn check_content(spool: &dyn Spool, model: &Model) {
    for (&id, entry) in &model.open {
        let stored = block_on(spool.open(id)).expect("an open message opens");
        let body = entry.body();
        let mut read = vec![0; body.len() + 1];
        let mut count = 0;
        loop {
            let at = u64::try_from(count).unwrap();
            match stored.content.read_at(at, &mut read[count..]).expect("content reads") {
                0 => break,
                more => count += more,
            }
        }
        assert!(read[..count] == body[..], "content of {id}");
    }
}

fn note_difference(model: &Model, spool: &dyn Spool) -> Option<String> {
    let notes = spool.notes("note/", SystemTime::UNIX_EPOCH);
    let key = |note: &Note| note.key.strip_prefix("note/").unwrap().parse().unwrap();
    let found: BTreeMap<u8, u8> =
        notes.iter().map(|note| (key(note), note.value.as_ref().unwrap()[0])).collect();
    (found != model.notes).then(|| format!("notes are {found:?}, not {:?}", model.notes))
}

fn difference(model: &Model, found: &BTreeMap<InternalMessageId, Entry>) -> Option<String> {
    let mut lines = Vec::new();
    for (id, entry) in &model.open {
        match found.get(id) {
            None => lines.push(format!("lost {id} (message {})", entry.number)),
            Some(other) if other != entry => lines.push(format!(
                "changed {id} (message {}): should be {:?} parent {:?}, is {:?} parent {:?}",
                entry.number, entry.state, entry.message.parent, other.state, other.message.parent
            )),
            Some(_) => {}
        }
    }
    for (id, entry) in found.iter().filter(|(id, _)| !model.open.contains_key(id)) {
        let past = if model.used.contains(id) { "back again" } else { "never seen" };
        lines.push(format!("{past} {id}: {:?}", entry.state));
    }
    (!lines.is_empty()).then(|| lines.join("; "))
}

fn nearest(differences: Vec<String>) -> String {
    differences.into_iter().min_by_key(String::len).unwrap_or_default()
}
