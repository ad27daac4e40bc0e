//! What a store must hold, written down a second time and as simply as possible.

use std::collections::{BTreeMap, BTreeSet};

use transom_queue::testing::{sample_body, sample_message};
use transom_queue::{Accepted, AdminVerb, EditList, Intent, MessageState, RecipientState, Settled};
use transom_types::{InternalMessageId, NetworkMessageId, Outcome};

/// One operation, as data that can be applied to a store and to the model.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Accept { number: u64, recipients: u32, octets: usize },
    Admin { id: InternalMessageId, verb: AdminVerb },
    Categorize { id: InternalMessageId, forks: Vec<Vec<u32>> },
    Edit { id: InternalMessageId, edits: EditList },
    Intent { id: InternalMessageId, recipients: Vec<u32> },
    Settle { id: InternalMessageId, settled: Vec<Settled>, delay_notified: bool },
    Note { key: u8, value: Option<u8> },
}

/// One commit with the ids that the store gave to its accepted messages.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) steps: Vec<Step>,
    pub(crate) accepted: Vec<InternalMessageId>,
    /// Known once the store has answered.
    pub(crate) forks: Vec<InternalMessageId>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) message: Accepted,
    pub(crate) state: MessageState,
    pub(crate) number: u64,
    pub(crate) octets: usize,
}

impl Entry {
    pub(crate) fn body(&self) -> Vec<u8> {
        edited(sample_body(self.number, self.octets), &self.state.edits)
    }

    pub(crate) fn open_recipients(&self) -> Vec<u32> {
        let places = (0..).zip(&self.state.recipients);
        places.filter(|(_, r)| r.is_open()).map(|(place, _)| place).collect()
    }
}

/// A body with its edits, from the last to the first, so that none moves the others.
pub(crate) fn edited(mut body: Vec<u8>, edits: &EditList) -> Vec<u8> {
    for edit in edits.edits().iter().rev() {
        let at = usize::try_from(edit.at).unwrap();
        let end = at + usize::try_from(edit.remove).unwrap();
        body.splice(at..end, edit.insert.iter().copied());
    }
    body
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) open: BTreeMap<InternalMessageId, Entry>,
    pub(crate) notes: BTreeMap<u8, u8>,
    /// Every id that was ever seen, in use or not.
    pub(crate) used: BTreeSet<InternalMessageId>,
    placeholders: u64,
    /// Recipients accepted and recipients of forks.
    born: u64,
    /// Recipients with a terminal outcome.
    ended: u64,
}

pub(crate) const ACTOR: &str = "administrator";

impl Model {
    /// Does what the commit says. Steps on messages that are not there do nothing, as a record of
    /// a message whose Accept was lost does nothing.
    pub(crate) fn apply(&mut self, commit: &Commit) {
        let mut accepted = commit.accepted.iter().copied();
        let mut forks = commit.forks.iter().copied();
        for step in &commit.steps {
            match step {
                Step::Accept { number, recipients, octets } => {
                    let id = accepted.next().expect("an id for each Accept");
                    self.accept(id, *number, *recipients, *octets);
                }
                Step::Categorize { id, forks: lists } if self.open.contains_key(id) => {
                    for list in lists {
                        let placeholder = InternalMessageId(u64::MAX - self.placeholders);
                        let copy = forks.next().unwrap_or_else(|| {
                            self.placeholders += 1;
                            placeholder
                        });
                        self.fork(*id, list, copy);
                    }
                }
                Step::Categorize { .. } => {}
                Step::Note { key, value: Some(value) } => {
                    self.notes.insert(*key, *value);
                }
                Step::Note { key, value: None } => {
                    self.notes.remove(key);
                }
                Step::Admin { id, .. }
                | Step::Edit { id, .. }
                | Step::Intent { id, .. }
                | Step::Settle { id, .. } => {
                    if let Some(mut entry) = self.open.remove(id) {
                        self.ended += change(&mut entry.state, step);
                        self.open.insert(*id, entry);
                    }
                }
            }
            self.drop_complete();
        }
    }

    fn accept(&mut self, id: InternalMessageId, number: u64, recipients: u32, octets: usize) {
        let message = sample_message(number, recipients, u64::try_from(octets).unwrap());
        let recipients = vec![RecipientState::default(); message.envelope.recipients.len()];
        self.born += u64::try_from(recipients.len()).unwrap();
        let state = MessageState { recipients, ..MessageState::default() };
        self.open.insert(id, Entry { message, state, number, octets });
        self.used.insert(id);
    }

    fn fork(&mut self, id: InternalMessageId, places: &[u32], copy: InternalMessageId) {
        let parent = self.open.get_mut(&id).expect("an open parent");
        let mut entry = parent.clone();
        entry.message.parent = Some(id);
        entry.message.envelope.recipients.clear();
        entry.state.recipients.clear();
        entry.state.intent = None;
        for &place in places {
            let place = usize::try_from(place).unwrap();
            let named = parent.message.envelope.recipients[place].clone();
            entry.message.envelope.recipients.push(named);
            entry.state.recipients.push(parent.state.recipients[place].clone());
            let left = &mut parent.state.recipients[place];
            left.outcome = Some(Outcome::Transferred);
            left.retry_at = None;
        }
        let moved = u64::try_from(places.len()).unwrap();
        self.born += moved;
        self.ended += moved;
        self.open.insert(copy, entry);
        self.used.insert(copy);
    }

    fn drop_complete(&mut self) {
        self.open.retain(|_, entry| !entry.open_recipients().is_empty());
    }

    /// Conservation: originals and children are the ended and the open ones together.
    pub(crate) fn check_conservation(&self) {
        let open: usize = self.open.values().map(|entry| entry.open_recipients().len()).sum();
        assert_eq!(self.born, self.ended + u64::try_from(open).unwrap(), "conservation");
        let mut owners: BTreeSet<(NetworkMessageId, String)> = BTreeSet::new();
        for entry in self.open.values() {
            for place in entry.open_recipients() {
                let at = usize::try_from(place).unwrap();
                let path = entry.message.envelope.recipients[at].forward_path.to_string();
                let fresh = owners.insert((entry.message.network_id, path));
                assert!(fresh, "a recipient is open in one message alone");
            }
        }
    }

    /// Names the forks whose ids the store never told, by what `found` holds beyond the known
    /// ids. The states stay equal or not; this only gives the ids.
    pub(crate) fn adopt_ids(&mut self, found: &BTreeMap<InternalMessageId, Entry>) {
        let mut strangers: BTreeMap<_, _> =
            found.iter().filter(|(id, _)| !self.open.contains_key(id)).collect();
        let unnamed: Vec<InternalMessageId> =
            self.open.keys().rev().take_while(|id| id.0 > u64::MAX / 2).copied().collect();
        for placeholder in unnamed {
            let entry = &self.open[&placeholder];
            let twin = strangers.iter().find(|(_, other)| **other == entry).map(|(id, _)| **id);
            if let Some(id) = twin.filter(|id| !self.used.contains(id)) {
                strangers.remove(&id);
                let entry = self.open.remove(&placeholder).unwrap();
                self.open.insert(id, entry);
                self.used.remove(&placeholder);
                self.used.insert(id);
            }
        }
    }
}

/// What a step does to the state of its message; how many recipients it ends.
fn change(state: &mut MessageState, step: &Step) -> u64 {
    let mut ended = 0;
    match step {
        Step::Accept { .. } | Step::Categorize { .. } | Step::Note { .. } => {}
        Step::Edit { edits, .. } => state.edits = edits.clone(),
        Step::Intent { recipients, .. } => {
            let earlier = state.intent.take().map(|intent| intent.recipients);
            let mut both = [earlier.unwrap_or_default(), recipients.clone()].concat();
            both.sort_unstable();
            both.dedup();
            state.intent = Some(intent(&both));
        }
        Step::Admin { verb: AdminVerb::Suspend, .. } => state.suspended = Some(ACTOR.into()),
        Step::Admin { verb: AdminVerb::Resume, .. } => state.suspended = None,
        Step::Admin { .. } => {
            let open = state.recipients.iter_mut().filter(|recipient| recipient.is_open());
            // The message is complete, so nobody will ever see with which words.
            for recipient in open {
                recipient.outcome = Some(Outcome::Transferred);
                ended += 1;
            }
        }
        Step::Settle { settled, delay_notified, .. } => {
            for entry in settled {
                let recipient = &mut state.recipients[usize::try_from(entry.recipient).unwrap()];
                if !recipient.is_open() {
                    continue;
                }
                let terminal = entry.outcome.is_terminal();
                recipient.attempts += u32::from(entry.attempted);
                recipient.retry_at = if terminal { None } else { entry.retry_at };
                recipient.outcome = Some(entry.outcome.clone());
                ended += u64::from(terminal);
            }
            state.delay_notified |= delay_notified;
            let named = |place: &u32| settled.iter().any(|entry| entry.recipient == *place);
            if let Some(intent) = &mut state.intent {
                intent.recipients.retain(|place| !named(place));
            }
            state.intent.take_if(|intent| intent.recipients.is_empty());
        }
    }
    ended
}

pub(crate) fn intent(recipients: &[u32]) -> Intent {
    Intent { recipients: recipients.to_vec(), host: "mx.fabrikam.com".into(), attempt: 2 }
}
