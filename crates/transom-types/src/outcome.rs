//! How an attempt ended, recipient by recipient.

use std::fmt::{self, Write};
use std::net::SocketAddr;

use crate::{EnhancedStatusCode, Reply, Severity, StatusClass};

/// How one attempt ended for one recipient, or who ended the recipient's life in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A delivery agent made its copy durable.
    Delivered(Status),
    /// The next hop took custody with a 2yz after the content.
    Relayed(Status),
    /// Not now: to be tried again.
    Deferred(Status),
    /// Never: to be reported.
    Failed(Status),
    /// The content was sent and no reply came: it may have arrived. To be tried again, later, and
    /// at the same host first.
    InDoubt(Status),
    /// Became other recipients in other messages (bifurcation).
    Transferred,
    /// It is a group: its members took its place in other messages, or failed by themselves.
    Expanded,
    /// Another address took its place in another message, or failed by itself.
    Redirected,
    /// All that it leads to has the message by other recipients.
    Duplicate,
    /// Taken out of the queue by a named actor.
    Removed(Status),
}

impl Outcome {
    /// Whether the recipient is done with.
    pub fn is_terminal(&self) -> bool {
        !matches!(self, Self::Deferred(_) | Self::InDoubt(_))
    }

    /// What is known of it.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Delivered(s)
            | Self::Relayed(s)
            | Self::Deferred(s)
            | Self::Failed(s)
            | Self::InDoubt(s)
            | Self::Removed(s) => Some(s),
            Self::Transferred | Self::Expanded | Self::Redirected | Self::Duplicate => None,
        }
    }

    /// One word, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delivered(_) => "delivered",
            Self::Relayed(_) => "relayed",
            Self::Deferred(_) => "deferred",
            Self::Failed(_) => "failed",
            Self::InDoubt(_) => "in doubt",
            Self::Transferred => "transferred",
            Self::Expanded => "expanded",
            Self::Redirected => "redirected",
            Self::Duplicate => "duplicate",
            Self::Removed(_) => "removed",
        }
    }
}

/// What is known of an attempt for one recipient: code, words, who said them and when in the
/// dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The code that a report would show.
    pub code: EnhancedStatusCode,
    /// The peer's reply, or our own finding in the form of one.
    pub reply: Reply,
    /// Who said it; none when it is our own finding.
    pub remote: Option<RemoteHost>,
    /// Where the attempt was.
    pub stage: AttemptStage,
}

impl Status {
    /// Our own finding.
    pub fn local(stage: AttemptStage, reply: Reply) -> Self {
        Self { code: code_of(&reply), reply, remote: None, stage }
    }

    /// What a peer said.
    pub fn remote(stage: AttemptStage, reply: Reply, host: RemoteHost) -> Self {
        Self { code: code_of(&reply), reply, remote: Some(host), stage }
    }
}

/// The enhanced code of a reply; where it has none, the bare class (RFC 3463 §3.2 `X.0.0`). A code
/// whose class contradicts the reply code is put into the class of the reply code.
fn code_of(reply: &Reply) -> EnhancedStatusCode {
    let class = match reply.code().severity() {
        Severity::PositiveCompletion | Severity::PositiveIntermediate => StatusClass::Success,
        Severity::TransientNegative => StatusClass::PersistentTransient,
        Severity::PermanentNegative => StatusClass::Permanent,
    };
    reply.enhanced().unwrap_or_else(|| EnhancedStatusCode::new(class, 0, 0)).with_class(class)
}

/// A host that we talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a name and an address")]
pub struct RemoteHost {
    /// Its name as the DNS or the configuration has it.
    pub name: String,
    /// Where the connection went; none when no address was found.
    pub address: Option<SocketAddr>,
}

impl fmt::Display for RemoteHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The DNS may have named it: what is printed into logs and reports stays on its line.
        for c in self.name.chars() {
            f.write_char(if c.is_control() { '?' } else { c })?;
        }
        self.address.map_or(Ok(()), |address| write!(f, " ({address})"))
    }
}

/// Where in an attempt something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AttemptStage {
    /// Choosing the next hop.
    Routing,
    /// Asking the DNS.
    Dns,
    /// Connecting.
    Connect,
    /// Waiting for the greeting.
    Greeting,
    /// EHLO or HELO.
    Ehlo,
    /// STARTTLS and the handshake.
    Tls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, before the content.
    Data,
    /// The content, before its end.
    Content,
    /// After the end of data was sent.
    EndOfData,
    /// A delivery agent.
    Agent,
    /// In the queue: expiry, removal.
    Queue,
}

impl fmt::Display for AttemptStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Routing => "routing",
            Self::Dns => "DNS",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Ehlo => "EHLO",
            Self::Tls => "TLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL FROM",
            Self::Rcpt => "RCPT TO",
            Self::Data => "DATA",
            Self::Content => "content",
            Self::EndOfData => "end of data",
            Self::Agent => "delivery agent",
            Self::Queue => "queue",
        })
    }
}

/// The outcome of one attempt for the recipient at `recipient` in the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who and how")]
pub struct RecipientResult {
    /// The recipient's place in the envelope, from 0.
    pub recipient: u32,
    /// How it ended.
    pub outcome: Outcome,
}

impl RecipientResult {
    /// What a reply with code `code` means for the recipient it answered: relayed, deferred or
    /// failed by its severity alone.
    pub fn from_status(recipient: u32, status: Status) -> Self {
        let outcome = match status.reply.code().severity() {
            Severity::PositiveCompletion => Outcome::Relayed(status),
            Severity::PermanentNegative => Outcome::Failed(status),
            Severity::PositiveIntermediate | Severity::TransientNegative => {
                Outcome::Deferred(status)
            }
        };
        Self { recipient, outcome }
    }
}
