//! At which steps agents are asked.

use std::fmt;

/// A step of a session, or of the categorizer, at which agents are asked. In the order in which
/// they occur; the last five of a session may occur at any time in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AgentEvent {
    /// A peer has connected.
    Connect,
    /// HELO.
    Helo,
    /// EHLO or LHLO.
    Ehlo,
    /// STARTTLS, before the handshake.
    StartTls,
    /// AUTH, before its first challenge.
    Auth,
    /// AUTH has an answer.
    EndOfAuthentication,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, or the first BDAT.
    Data,
    /// The header section is complete.
    EndOfHeaders,
    /// The content is complete; nobody has taken custody yet.
    EndOfData,
    /// HELP.
    Help,
    /// NOOP.
    Noop,
    /// RSET.
    Rset,
    /// The peer gets a 4yz or 5yz reply.
    Reject,
    /// The session is over.
    Disconnect,
    /// The categorizer takes up a message.
    Submitted,
    /// Its recipients are resolved; no next hop is chosen yet.
    Resolved,
    /// Each recipient has its next hop.
    Routed,
    /// All is decided; what is done here changes no route any more.
    Categorized,
}

impl AgentEvent {
    /// Every event, in order.
    pub const ALL: [Self; 20] = [
        Self::Connect,
        Self::Helo,
        Self::Ehlo,
        Self::StartTls,
        Self::Auth,
        Self::EndOfAuthentication,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::EndOfHeaders,
        Self::EndOfData,
        Self::Help,
        Self::Noop,
        Self::Rset,
        Self::Reject,
        Self::Disconnect,
        Self::Submitted,
        Self::Resolved,
        Self::Routed,
        Self::Categorized,
    ];

    /// Exchange's word for it, as the agent log has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "OnConnect",
            Self::Helo => "OnHeloCommand",
            Self::Ehlo => "OnEhloCommand",
            Self::StartTls => "OnStartTlsCommand",
            Self::Auth => "OnAuthCommand",
            Self::EndOfAuthentication => "OnEndOfAuthentication",
            Self::Mail => "OnMailCommand",
            Self::Rcpt => "OnRcptCommand",
            Self::Data => "OnDataCommand",
            Self::EndOfHeaders => "OnEndOfHeaders",
            Self::EndOfData => "OnEndOfData",
            Self::Help => "OnHelpCommand",
            Self::Noop => "OnNoopCommand",
            Self::Rset => "OnRsetCommand",
            Self::Reject => "OnReject",
            Self::Disconnect => "OnDisconnect",
            Self::Submitted => "OnSubmittedMessage",
            Self::Resolved => "OnResolvedMessage",
            Self::Routed => "OnRoutedMessage",
            Self::Categorized => "OnCategorizedMessage",
        }
    }

    /// Whether custody has been taken when it occurs.
    pub const fn is_after_acceptance(self) -> bool {
        matches!(self, Self::Submitted | Self::Resolved | Self::Routed | Self::Categorized)
    }

    const fn bit(self) -> u32 {
        // The discriminants are 0 to 19.
        1 << self as u32
    }
}

impl fmt::Display for AgentEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A set of [`AgentEvent`]s.
///
/// ```
/// use transom_agent::{AgentEvent, AgentEvents};
///
/// let events = AgentEvents::of(&[AgentEvent::Rcpt, AgentEvent::EndOfData]);
/// assert!(events.contains(AgentEvent::Rcpt) && !events.contains(AgentEvent::Mail));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AgentEvents(u32);

impl AgentEvents {
    /// The set of `events`.
    pub const fn of(events: &[AgentEvent]) -> Self {
        let mut set = 0;
        let mut rest = events;
        while let [first, tail @ ..] = rest {
            set |= first.bit();
            rest = tail;
        }
        Self(set)
    }

    /// Whether `event` is in the set.
    pub const fn contains(self, event: AgentEvent) -> bool {
        self.0 & event.bit() != 0
    }
}
