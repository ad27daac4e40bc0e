//! What agents ask for: effects, which the transport applies.

mod edits;
mod field;
mod generated;
mod plan;

use std::time::Duration;

use transom_types::{ConnectorId, Mailbox, MtPriority, Recipient, Reply, ReversePath};

pub use self::edits::{ContentEdit, HeaderChange, apply_edits, compose_edits, header_edits};
pub use self::field::{FieldMatch, NewField};
pub use self::generated::{GeneratedMessage, Lineage, LoopGuard};
pub(crate) use self::plan::try_again;
pub use self::plan::{Bifurcated, EffectError, MessagePlan, Treatment};

/// One thing that an agent asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Another header section.
    Header(HeaderChange),
    /// One more recipient; the scope does not matter.
    AddRcpt(Recipient),
    /// Another address.
    Redirect(Mailbox),
    /// Another `RFC5321.MailFrom`.
    SetReversePath(ReversePath),
    /// The recipient ends without report to the sender; who ended it is written down.
    DropRcpt,
    /// The recipient ends with this 4yz or 5yz reply. In a session, for all recipients, the client
    /// gets the reply and keeps the message; else the sender gets a report.
    Reject(Reply),
    /// The recipient goes by this send connector, whatever its address. Counts at
    /// [`Resolved`](crate::AgentEvent::Resolved) and before.
    SetRoute(ConnectorId),
    /// The next hop must have TLS: where it has none, the mail waits. Whose certificate it is, is
    /// not looked at.
    RequireTls,
    /// The priority in the queues.
    SetPriority(MtPriority),
    /// The message goes into its queue suspended, until an administrator resumes it.
    Hold,
    /// The message waits so long before it is categorized anew. In a session the client is told to
    /// try again.
    Defer(Duration),
    /// A message of the agent's own; the scope does not matter. See [`GeneratedMessage`].
    Submit(GeneratedMessage),
}

impl Effect {
    /// One word, for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Header(HeaderChange::Add(_)) => "AddHeader",
            Self::Header(HeaderChange::Remove(_)) => "RemoveHeader",
            Self::Header(HeaderChange::Replace { .. }) => "ReplaceHeader",
            Self::AddRcpt(_) => "AddRcpt",
            Self::Redirect(_) => "Redirect",
            Self::SetReversePath(_) => "SetReversePath",
            Self::DropRcpt => "DropRcpt",
            Self::Reject(_) => "Reject",
            Self::SetRoute(_) => "SetRoute",
            Self::RequireTls => "RequireTls",
            Self::SetPriority(_) => "SetPriority",
            Self::Hold => "Hold",
            Self::Defer(_) => "Defer",
            Self::Submit(_) => "Submit",
        }
    }

    /// What of it a log shows beside the word.
    pub fn detail(&self) -> String {
        match self {
            Self::Header(change) => change.to_string(),
            Self::AddRcpt(recipient) => recipient.forward_path.to_string(),
            Self::Redirect(mailbox) => mailbox.to_string(),
            Self::SetReversePath(path) => path.to_string(),
            Self::Reject(reply) => reply.to_line(),
            Self::SetRoute(connector) => connector.to_string(),
            Self::SetPriority(priority) => priority.value().to_string(),
            Self::Defer(wait) => format!("{} s", wait.as_secs()),
            Self::Submit(message) => message.envelope.reverse_path.to_string(),
            Self::DropRcpt | Self::RequireTls | Self::Hold => String::new(),
        }
    }
}

/// Which recipients an effect is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// All of the message, at RCPT the one that is about to be added too.
    #[default]
    All,
    /// Those at these places of [`MessageView::recipients`](crate::MessageView::recipients).
    Recipients(Vec<u32>),
}

/// An effect and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what and for whom")]
pub struct ScopedEffect {
    /// For whom.
    pub scope: Scope,
    /// What.
    pub effect: Effect,
}

/// What one agent asks for at one event. Applied as a whole, or not at all.
///
/// ```
/// use transom_agent::{Effect, Effects};
///
/// let mut effects = Effects::default();
/// effects.add_header("X-Seen-By", "shelf");
/// effects.to_some([0, 2], Effect::RequireTls);
/// assert_eq!(effects.list().len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    list: Vec<ScopedEffect>,
    reason: Option<String>,
}

impl Effects {
    /// Most effects of one agent at one event; with more it has failed.
    pub const COUNT_MAX: usize = 1_024;

    /// An effect for all recipients.
    pub fn to_all(&mut self, effect: Effect) {
        self.list.push(ScopedEffect { scope: Scope::All, effect });
    }

    /// An effect for the recipients at these places.
    pub fn to_some(&mut self, places: impl IntoIterator<Item = u32>, effect: Effect) {
        let scope = Scope::Recipients(places.into_iter().collect());
        self.list.push(ScopedEffect { scope, effect });
    }

    /// An effect for the recipients in `scope`.
    pub fn push(&mut self, scope: Scope, effect: Effect) {
        self.list.push(ScopedEffect { scope, effect });
    }

    /// A header field for all recipients; [`NewField::new`] says what becomes of odd characters.
    pub fn add_header(&mut self, name: &str, value: &str) {
        self.to_all(Effect::Header(HeaderChange::Add(NewField::new(name, value))));
    }

    /// No such header field, for all recipients.
    pub fn remove_header(&mut self, fields: FieldMatch) {
        self.to_all(Effect::Header(HeaderChange::Remove(fields)));
    }

    /// Why all this, for the agent log.
    pub fn because(&mut self, reason: impl Into<String>) {
        self.reason = Some(reason.into());
    }

    /// What was asked for, in order.
    pub fn list(&self) -> &[ScopedEffect] {
        &self.list
    }

    /// Why, where the agent said so.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
