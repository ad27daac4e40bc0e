//! What becomes of a message by the effects of its agents: applied one agent after the other, and
//! in the end one copy for all recipients that are treated alike.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use transom_message::HeaderSection;
use transom_types::{
    ConnectorId, EnhancedStatusCode, Envelope, ForwardPath, InternalMessageId, MailParameters,
    MtPriority, NetworkMessageId, NextHop, Recipient, Reply, ReplyCode, ReversePath,
};

use super::{
    Effect, Effects, GeneratedMessage, HeaderChange, Lineage, LoopGuard, Scope, apply_edits,
    header_edits,
};
use crate::ContentSource;
use crate::agents::{AgentEvent, MessageRecipient, MessageView, RecipientEnd};

/// A message on its way through the agents. The transport makes one at MAIL, or of an envelope in
/// the categorizer, and carries out in the end what stands in it.
#[derive(Clone)]
pub struct MessagePlan {
    internal_id: Option<InternalMessageId>,
    network_id: Option<NetworkMessageId>,
    reverse_path: ReversePath,
    parameters: MailParameters,
    recipients: Vec<MessageRecipient>,
    /// What recipients refer to; the first is that of those who come later.
    treatments: Vec<Treatment>,
    /// As taken in.
    headers: Bytes,
    /// With the changes that concern all.
    headers_now: Bytes,
    common: Vec<HeaderChange>,
    content: Option<Arc<dyn ContentSource>>,
    generated: Vec<GeneratedMessage>,
    /// What agents have taken of the time that all have together behind the final dot.
    pub(crate) spent: Duration,
    /// The last recipient is being asked about.
    pending: bool,
    /// The plan before agents had effects at the last RCPT.
    before_rcpt: Option<Box<Self>>,
}

/// What is done with a recipient's copy. Recipients with equal ones share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Treatment {
    /// Changes of the header section, one after the other.
    pub headers: Vec<HeaderChange>,
    /// Another `RFC5321.MailFrom`.
    pub reverse_path: Option<ReversePath>,
    /// The send connector.
    pub route: Option<ConnectorId>,
    /// Whether TLS is demanded.
    pub require_tls: bool,
    /// The priority.
    pub priority: Option<MtPriority>,
    /// Whether it waits for an administrator.
    pub hold: bool,
    /// How long it waits before it is categorized anew.
    pub defer: Option<Duration>,
}

/// One copy of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who gets what, and where")]
pub struct Bifurcated {
    /// Places of the recipients in [`MessagePlan::recipients`], in order.
    pub recipients: Vec<u32>,
    /// What is done with the copy.
    pub treatment: Treatment,
    /// Where all of them go next, where that is known.
    pub next_hop: Option<NextHop>,
}

/// Why the effects of an agent cannot be applied. None of them is then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EffectError {
    /// More than [`Effects::COUNT_MAX`].
    #[error("{0} effects are too many")]
    Count(usize),
    /// It names a recipient that is not there.
    #[error("there is no recipient {0}")]
    NoRecipient(u32),
    /// It cannot be done at this event.
    #[error("{effect} cannot be done at {event}")]
    NotHere {
        /// What.
        effect: &'static str,
        /// Where.
        event: AgentEvent,
    },
    /// A refusal needs a 4yz or 5yz reply.
    #[error("{0} is no refusal")]
    NoRefusal(ReplyCode),
    /// Agents answer to each other.
    #[error(transparent)]
    LoopGuard(#[from] LoopGuard),
}

impl MessagePlan {
    /// A transaction that begins.
    pub fn new(reverse_path: ReversePath, parameters: MailParameters) -> Self {
        Self {
            internal_id: None,
            network_id: None,
            reverse_path,
            parameters,
            recipients: Vec::new(),
            treatments: vec![Treatment::default()],
            headers: Bytes::new(),
            headers_now: Bytes::new(),
            common: Vec::new(),
            content: None,
            generated: Vec::new(),
            spent: Duration::ZERO,
            pending: false,
            before_rcpt: None,
        }
    }

    /// A message in the categorizer, with these recipients of its envelope: those that are open.
    pub fn of_envelope(envelope: &Envelope, places: impl IntoIterator<Item = u32>) -> Self {
        let mut plan = Self::new(envelope.reverse_path.clone(), envelope.parameters.clone());
        for place in places {
            let at = usize::try_from(place).ok();
            if let Some(recipient) = at.and_then(|at| envelope.recipients.get(at)) {
                plan.recipients.push(MessageRecipient::new(recipient.clone(), Some(place)));
            }
        }
        plan
    }

    /// Says how the message is called.
    pub fn set_ids(&mut self, internal: InternalMessageId, network: NetworkMessageId) {
        self.internal_id = Some(internal);
        self.network_id = Some(network);
    }

    /// Says what the header section is: the octets before the first empty line. For the edits in
    /// the end to fit, they begin where the content does.
    pub fn set_headers(&mut self, headers: Bytes) {
        self.headers = headers;
        self.render();
    }

    /// Says what the content is.
    pub fn set_content(&mut self, content: Arc<dyn ContentSource>) {
        self.content = Some(content);
    }

    /// Says where the recipient at `place` goes.
    pub fn set_next_hop(&mut self, place: u32, next_hop: NextHop) {
        if let Some(recipient) = self.recipient_mut(place) {
            recipient.next_hop = Some(next_hop);
        }
    }

    /// One more recipient, which comes out of the one at `from` and is treated as that one is:
    /// what the directory leads to. Gives its place.
    pub fn add_resolved(&mut self, recipient: Recipient, from: u32) -> u32 {
        let place = u32::try_from(self.recipients.len()).unwrap_or(u32::MAX);
        let treatment = self.recipient_mut(from).map_or(0, |from| from.treatment);
        self.push(recipient, None);
        if let Some(added) = self.recipients.last_mut() {
            added.treatment = treatment;
        }
        place
    }

    /// The recipient at `place` ends by what `actor` found: agents see it as one that has ended.
    pub fn end_recipient(&mut self, place: u32, actor: &Arc<str>, reply: Option<Reply>) {
        if let Some(recipient) = self.recipient_mut(place) {
            recipient.end = Some(RecipientEnd { agent: Arc::clone(actor), reply });
        }
    }

    /// What is done with the copy of the recipient at `place`.
    pub fn treatment(&self, place: u32) -> Option<&Treatment> {
        let recipient = self.recipients.get(usize::try_from(place).ok()?)?;
        self.treatments.get(recipient.treatment)
    }

    /// The recipients as they stand now, those that have ended too.
    pub fn recipients(&self) -> &[MessageRecipient] {
        &self.recipients
    }

    /// `RFC5321.MailFrom`, as agents have made it for all recipients.
    pub fn reverse_path(&self) -> &ReversePath {
        &self.reverse_path
    }

    /// What stood behind MAIL FROM.
    pub fn parameters(&self) -> &MailParameters {
        &self.parameters
    }

    /// The header section as it was taken in.
    pub fn headers(&self) -> HeaderSection<'_> {
        HeaderSection::parse(&self.headers)
    }

    /// Messages that agents made, marked for the loop guard.
    pub fn generated(&self) -> &[GeneratedMessage] {
        &self.generated
    }

    /// Takes the last recipient back, with all that was done when it came: the server refused it.
    pub fn retract_rcpt(&mut self) {
        match self.before_rcpt.take() {
            Some(before) => *self = *before,
            None => drop(self.recipients.pop()),
        }
        self.pending = false;
    }

    /// One more recipient, about which agents are now asked.
    pub(crate) fn begin_rcpt(&mut self, recipient: Recipient) {
        self.before_rcpt = None;
        self.pending = true;
        let place = u32::try_from(self.recipients.len()).ok();
        self.push(recipient, place);
    }

    pub(crate) fn end_rcpt(&mut self) {
        self.pending = false;
    }

    /// The recipient that agents are asked about, as it stands now.
    pub(crate) fn pending_rcpt(&self) -> Option<Recipient> {
        let last = self.recipients.last().filter(|_| self.pending)?;
        let (forward_path, parameters) = (last.forward_path.clone(), last.parameters.clone());
        Some(Recipient { forward_path, parameters })
    }

    /// Whether `scope` means all, or the recipient that agents are asked about.
    pub(crate) fn is_asked_about(&self, scope: &Scope) -> bool {
        let last = self.recipients.len().checked_sub(1).filter(|_| self.pending);
        match scope {
            Scope::All => true,
            Scope::Recipients(places) => {
                last.is_some_and(|last| places.iter().any(|it| usize::try_from(*it) == Ok(last)))
            }
        }
    }

    /// The message as the next agent sees it.
    pub fn view(&self) -> MessageView<'_> {
        let shown = self.recipients.len().saturating_sub(usize::from(self.pending));
        MessageView {
            internal_id: self.internal_id,
            network_id: self.network_id,
            reverse_path: &self.reverse_path,
            parameters: &self.parameters,
            recipients: self.recipients.get(..shown).unwrap_or_default(),
            headers: HeaderSection::parse(&self.headers_now),
            content: self.content.as_ref(),
        }
    }

    /// Applies what `agent` asks for at `event`: all of it, or nothing.
    ///
    /// # Errors
    ///
    /// [`EffectError`] where something of it cannot be done; the plan is as it was.
    pub fn apply(
        &mut self,
        agent: &Arc<str>,
        event: AgentEvent,
        effects: &Effects,
    ) -> Result<(), EffectError> {
        self.check(agent, event, effects)?;
        let lineage = Lineage::of(&self.headers()).made_by(agent).ok();
        if self.pending && !effects.is_empty() && self.before_rcpt.is_none() {
            let mut before = self.clone();
            before.recipients.pop();
            self.before_rcpt = Some(Box::new(before));
        }
        for scoped in effects.list() {
            if let (Effect::Submit(message), Some(lineage)) = (&scoped.effect, &lineage) {
                let content = lineage.mark(&message.content);
                let envelope = message.envelope.clone();
                self.generated.push(GeneratedMessage { envelope, content });
            }
            self.apply_one(agent, &scoped.scope, &scoped.effect);
        }
        Ok(())
    }

    /// Whether all of `effects` can be done.
    pub(crate) fn check(
        &self,
        agent: &str,
        event: AgentEvent,
        effects: &Effects,
    ) -> Result<(), EffectError> {
        let count = effects.list().len();
        if count > Effects::COUNT_MAX {
            return Err(EffectError::Count(count));
        }
        for scoped in effects.list() {
            if let Scope::Recipients(places) = &scoped.scope
                && let Some(place) = places.iter().find(|place| !self.has(**place))
            {
                return Err(EffectError::NoRecipient(*place));
            }
            let is_here = match &scoped.effect {
                Effect::Reject(reply) if reply.code().is_positive() => {
                    return Err(EffectError::NoRefusal(reply.code()));
                }
                Effect::Submit(_) => {
                    Lineage::of(&self.headers()).made_by(agent)?;
                    true
                }
                Effect::Defer(_) => event.is_after_acceptance(),
                Effect::SetRoute(_) | Effect::Redirect(_) | Effect::AddRcpt(_) => {
                    event <= AgentEvent::Resolved
                }
                _ => true,
            };
            if !is_here {
                return Err(EffectError::NotHere { effect: scoped.effect.name(), event });
            }
        }
        Ok(())
    }

    fn has(&self, place: u32) -> bool {
        usize::try_from(place).is_ok_and(|place| place < self.recipients.len())
    }

    fn recipient_mut(&mut self, place: u32) -> Option<&mut MessageRecipient> {
        self.recipients.get_mut(usize::try_from(place).ok()?)
    }

    fn push(&mut self, recipient: Recipient, origin: Option<u32>) {
        self.recipients.push(MessageRecipient::new(recipient, origin));
    }

    fn apply_one(&mut self, agent: &Arc<str>, scope: &Scope, effect: &Effect) {
        let end = |reply: Option<Reply>| RecipientEnd { agent: Arc::clone(agent), reply };
        match effect {
            Effect::AddRcpt(recipient) => self.push(recipient.clone(), None),
            // It has nothing to do with this message.
            Effect::Submit(_) => {}
            Effect::Redirect(mailbox) => self.for_each(scope, |recipient| {
                recipient.forward_path = ForwardPath::from(mailbox.clone());
                recipient.redirected = true;
            }),
            Effect::DropRcpt => self.for_each(scope, |recipient| recipient.end = Some(end(None))),
            Effect::Reject(reply) => {
                self.for_each(scope, |recipient| recipient.end = Some(end(Some(reply.clone()))));
            }
            Effect::Header(change) => {
                if *scope == Scope::All {
                    self.common.push(change.clone());
                    self.render();
                }
                self.treat(scope, |treatment| treatment.headers.push(change.clone()));
            }
            Effect::SetReversePath(path) => {
                if *scope == Scope::All {
                    self.reverse_path = path.clone();
                }
                self.treat(scope, |treatment| treatment.reverse_path = Some(path.clone()));
            }
            Effect::SetRoute(connector) => {
                self.treat(scope, |treatment| treatment.route = Some(connector.clone()));
            }
            Effect::RequireTls => self.treat(scope, |treatment| treatment.require_tls = true),
            Effect::SetPriority(priority) => {
                self.treat(scope, |treatment| treatment.priority = Some(*priority));
            }
            Effect::Hold => self.treat(scope, |treatment| treatment.hold = true),
            Effect::Defer(wait) => {
                self.treat(scope, |treatment| treatment.defer = treatment.defer.max(Some(*wait)));
            }
        }
    }

    /// Changes the recipients in `scope` that have not ended.
    fn for_each(&mut self, scope: &Scope, change: impl Fn(&mut MessageRecipient)) {
        let is_open = |recipient: &&mut MessageRecipient| recipient.end.is_none();
        match scope {
            Scope::All => self.recipients.iter_mut().filter(is_open).for_each(change),
            Scope::Recipients(places) => {
                for place in places {
                    self.recipient_mut(*place).filter(is_open).into_iter().for_each(&change);
                }
            }
        }
    }

    /// Gives the recipients in `scope` another treatment. Those that had the same one before have
    /// the same one behind it.
    fn treat(&mut self, scope: &Scope, change: impl Fn(&mut Treatment)) {
        let places = match scope {
            Scope::All => return self.treatments.iter_mut().for_each(change),
            Scope::Recipients(places) => places,
        };
        let mut replaced: Vec<(usize, usize)> = Vec::new();
        let mut places = places.clone();
        places.sort_unstable();
        places.dedup();
        for place in places {
            let Some(old) = self.recipient_mut(place).map(|recipient| recipient.treatment) else {
                continue;
            };
            let known = replaced.iter().find(|(from, _)| *from == old).map(|(_, to)| *to);
            let new = known.or_else(|| {
                let mut treatment = self.treatments.get(old)?.clone();
                change(&mut treatment);
                self.treatments.push(treatment);
                let new = self.treatments.len().checked_sub(1)?;
                replaced.push((old, new));
                Some(new)
            });
            if let (Some(new), Some(recipient)) = (new, self.recipient_mut(place)) {
                recipient.treatment = new;
            }
        }
    }

    fn render(&mut self) {
        if self.common.is_empty() {
            self.headers_now = self.headers.clone();
        } else {
            let edits = header_edits(&self.headers(), &self.common);
            self.headers_now = apply_edits(&self.headers, &edits).into();
        }
    }

    /// One copy for all open recipients that are treated alike and have the same next hop: as few
    /// as can be. In order of their first recipients; none where nobody is left.
    pub fn bifurcate(&self) -> Vec<Bifurcated> {
        let mut copies: Vec<Bifurcated> = Vec::new();
        for (place, recipient) in (0u32..).zip(&self.recipients) {
            let Some(treatment) = self.treatments.get(recipient.treatment) else { continue };
            if recipient.end.is_some() {
                continue;
            }
            let same = |copy: &&mut Bifurcated| {
                copy.next_hop == recipient.next_hop && copy.treatment == *treatment
            };
            match copies.iter_mut().find(same) {
                Some(copy) => copy.recipients.push(place),
                None => copies.push(Bifurcated {
                    recipients: vec![place],
                    treatment: treatment.clone(),
                    next_hop: recipient.next_hop.clone(),
                }),
            }
        }
        copies
    }
}

impl std::fmt::Debug for MessagePlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessagePlan")
            .field("internal_id", &self.internal_id)
            .field("recipients", &self.recipients.len())
            .field("treatments", &self.treatments.len())
            .finish_non_exhaustive()
    }
}

/// What a session says where an agent wants a message later.
pub(crate) fn try_again() -> Reply {
    let code = EnhancedStatusCode::transient(7, 1);
    Reply::new(ReplyCode::LOCAL_ERROR, code, "Message not taken now, try again later")
}
