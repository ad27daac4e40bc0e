//! What each operation does to the state of one message: the one text of it, for every store.

use std::collections::BTreeSet;

use transom_types::{
    AttemptStage, EnhancedStatusCode, Envelope, InternalMessageId, Outcome, Reply, ReplyCode,
    Status,
};

use crate::message::{Accepted, Intent, MessageState, RecipientState};
use crate::spool::{AdminVerb, Decide, EditList, Fork, MessageCopy, Settled, StoreError};

const NO_SUCH_RECIPIENT: StoreError =
    StoreError::Unreachable("an operation names a recipient that the message has not got");

impl MessageState {
    /// The state of a message that was just accepted.
    pub(crate) fn new(accepted: &Accepted) -> Self {
        let recipients = vec![RecipientState::default(); accepted.envelope.recipients.len()];
        Self { recipients, ..Self::default() }
    }

    /// Whether no recipient is open.
    pub(crate) fn is_complete(&self) -> bool {
        !self.recipients.iter().any(RecipientState::is_open)
    }

    /// Outcomes and retry times. Terminal outcomes stay as they are.
    pub(crate) fn settle(
        &mut self,
        settled: &[Settled],
        delay_notified: bool,
    ) -> Result<(), StoreError> {
        for entry in settled {
            let recipient = self.recipient_mut(entry.recipient)?;
            if !recipient.is_open() {
                continue;
            }
            recipient.attempts = recipient.attempts.saturating_add(u32::from(entry.attempted));
            recipient.retry_at = entry.retry_at.filter(|_| !entry.outcome.is_terminal());
            recipient.outcome = Some(entry.outcome.clone());
        }
        if let Some(intent) = &mut self.intent {
            let answered = |place: &u32| settled.iter().any(|entry| entry.recipient == *place);
            intent.recipients.retain(|place| !answered(place));
        }
        self.intent.take_if(|intent| intent.recipients.is_empty());
        self.delay_notified |= delay_notified;
        Ok(())
    }

    /// An attempt passes the point of no return. Recipients with different due times are attempted
    /// beside each other: those of the earlier attempt stay in doubt until they have an outcome.
    pub(crate) fn begin_attempt(&mut self, mut intent: Intent) {
        if let Some(earlier) = self.intent.take() {
            let both = earlier.recipients.into_iter().chain(intent.recipients);
            intent.recipients = both.collect::<BTreeSet<_>>().into_iter().collect();
        }
        self.intent = Some(intent);
    }

    /// Somebody acts on the message.
    pub(crate) fn administer(&mut self, verb: AdminVerb, actor: &str) {
        match verb {
            AdminVerb::Suspend => self.suspended = Some(actor.into()),
            AdminVerb::Resume => self.suspended = None,
            AdminVerb::Remove => {
                let open = self.recipients.iter_mut().filter(|recipient| recipient.is_open());
                for recipient in open {
                    recipient.outcome = Some(removed_by(actor));
                    recipient.retry_at = None;
                }
                self.intent = None;
            }
        }
    }

    /// The content reads with these edits and no others.
    pub(crate) fn edit(&mut self, edits: EditList) {
        self.edits = edits;
    }

    /// Recipients end, and copies begin: what they are and how they stand. The body has so many
    /// octets.
    pub(crate) fn decide(
        &mut self,
        accepted: &Accepted,
        octets: u64,
        decide: &Decide,
    ) -> Result<Vec<(Accepted, Self)>, StoreError> {
        for ended in &decide.ended {
            let is_open = self.recipient_mut(ended.recipient)?.is_open();
            if !is_open || !ended.outcome.is_terminal() {
                return Err(StoreError::Unreachable("a decision ends who is not open, or not"));
            }
        }
        self.settle(&decide.ended, false)?;
        self.decided = Some(decide.decided.clone());
        let copy = |copy: &MessageCopy| {
            copy.edits.check(octets)?;
            if copy.envelope.recipients.is_empty() {
                return Err(StoreError::Unreachable("a copy without recipients"));
            }
            let envelope = copy.envelope.clone();
            let copied = Accepted { parent: Some(decide.id), envelope, ..accepted.clone() };
            let state = Self {
                suspended: self.suspended.clone().or_else(|| copy.suspended.clone()),
                delay_notified: self.delay_notified,
                edits: copy.edits.clone(),
                decided: Some(copy.decided.clone()),
                ..Self::new(&copied)
            };
            Ok((copied, state))
        };
        decide.copies.iter().map(copy).collect()
    }

    /// Recipients leave for a copy of the message: what the copy is and how it stands.
    pub(crate) fn fork(
        &mut self,
        id: InternalMessageId,
        accepted: &Accepted,
        fork: &Fork,
    ) -> Result<(Accepted, Self), StoreError> {
        if fork.recipients.is_empty() {
            return Err(StoreError::Unreachable("a fork without recipients"));
        }
        let mut recipients = Vec::with_capacity(fork.recipients.len());
        let mut states = Vec::with_capacity(fork.recipients.len());
        for &place in &fork.recipients {
            states.push(self.transfer(place)?);
            let at = usize::try_from(place).map_err(|_| NO_SUCH_RECIPIENT)?;
            let named = accepted.envelope.recipients.get(at).ok_or(NO_SUCH_RECIPIENT)?;
            recipients.push(named.clone());
        }
        let state = Self {
            recipients: states,
            intent: None,
            suspended: self.suspended.clone(),
            delay_notified: self.delay_notified,
            edits: self.edits.clone(),
            decided: self.decided.clone(),
        };
        let envelope = Envelope { recipients, ..accepted.envelope.clone() };
        let copy = Accepted { parent: Some(id), envelope, ..accepted.clone() };
        Ok((copy, state))
    }

    /// A recipient leaves for a copy of the message: how it stood.
    pub(crate) fn transfer(&mut self, place: u32) -> Result<RecipientState, StoreError> {
        let recipient = self.recipient_mut(place)?;
        if !recipient.is_open() {
            return Err(StoreError::Unreachable("a fork takes a recipient that is not open"));
        }
        let left = RecipientState {
            outcome: Some(Outcome::Transferred),
            retry_at: None,
            attempts: recipient.attempts,
        };
        Ok(std::mem::replace(recipient, left))
    }

    fn recipient_mut(&mut self, place: u32) -> Result<&mut RecipientState, StoreError> {
        let at = usize::try_from(place).map_err(|_| NO_SUCH_RECIPIENT)?;
        self.recipients.get_mut(at).ok_or(NO_SUCH_RECIPIENT)
    }
}

/// The outcome of a recipient whom `actor` took out of the queue.
fn removed_by(actor: &str) -> Outcome {
    let text = format!("Removed by {actor}");
    let reply = Reply::new(ReplyCode::OK, EnhancedStatusCode::success(0, 0), text);
    Outcome::Removed(Status::local(AttemptStage::Queue, reply))
}
