//! What the spool keeps of a message: what was accepted, and what has become of it.

use std::net::SocketAddr;
use std::time::SystemTime;

use transom_types::{
    ConnectorId, Envelope, InternalMessageId, NetworkMessageId, Outcome, SessionId,
};

pub use transom_message::ContentFacts;

use crate::spool::EditList;

/// A message as it was accepted. Never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever accepts a message")]
pub struct Accepted {
    /// The message in all its copies.
    pub network_id: NetworkMessageId,
    /// The message it was forked from, or that it reports on.
    pub parent: Option<InternalMessageId>,
    /// When custody began.
    pub received_at: SystemTime,
    /// How it came in.
    pub ingress: Ingress,
    /// Sender, recipients, parameters.
    pub envelope: Envelope,
    /// What a look at the content told, once, as it came in.
    pub facts: ContentFacts,
}

/// How a message came in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever accepts a message")]
pub struct Ingress {
    /// By which way.
    pub kind: IngressKind,
    /// The receive connector, or the part of the program that made the message.
    pub connector: String,
    /// The peer's address.
    pub peer: Option<SocketAddr>,
    /// What the peer said in EHLO.
    pub helo: Option<String>,
    /// Who the peer proved to be.
    pub identity: Option<String>,
    /// TLS version and cipher, where there was TLS.
    pub tls: Option<String>,
    /// The session.
    pub session: Option<SessionId>,
}

/// By which way a message came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IngressKind {
    /// By SMTP.
    Smtp,
    /// A report that we made.
    Dsn,
    /// Handed in by the program itself.
    Program,
}

/// What has become of a message since it was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "all that replay gives")]
pub struct MessageState {
    /// One entry per recipient of the envelope, in its order.
    pub recipients: Vec<RecipientState>,
    /// The attempt that was begun and has no outcome yet. Of several beside each other: the
    /// recipients of all, and the host of the last.
    pub intent: Option<Intent>,
    /// Whether an administrator stopped it, and who.
    pub suspended: Option<String>,
    /// Whether the delay notice has gone out.
    pub delay_notified: bool,
    /// What is different in the content from what was taken in.
    pub edits: EditList,
    /// What the categorizer decided for good; none until then.
    pub decided: Option<Decided>,
}

/// A message is resolved, and agents have seen it: whenever it is routed again, neither happens
/// once more, and what agents said of its way still holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a next hop is chosen by, beside the envelope")]
pub struct Decided {
    /// The send connector that an agent chose.
    pub route: Option<ConnectorId>,
    /// Whether an agent demands TLS.
    pub require_tls: bool,
}

/// What has become of one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "all that replay gives")]
pub struct RecipientState {
    /// How many attempts have ended.
    pub attempts: u32,
    /// The outcome of the last attempt; terminal outcomes stay.
    pub outcome: Option<Outcome>,
    /// Not before this time; none is at once.
    pub retry_at: Option<SystemTime>,
}

impl RecipientState {
    /// Whether the recipient still waits for its outcome.
    pub fn is_open(&self) -> bool {
        !self.outcome.as_ref().is_some_and(Outcome::is_terminal)
    }
}

/// An attempt that is about to pass the point of no return: written before the final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who, where, which attempt")]
pub struct Intent {
    /// Places of the recipients in the envelope.
    pub recipients: Vec<u32>,
    /// The host or agent.
    pub host: String,
    /// The attempt's number, from 1.
    pub attempt: u32,
}
