//! How queues and messages are named.

use std::fmt;
use std::str::FromStr;

use transom_types::{InternalMessageId, NextHopDomain};

/// Which queue, without its server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum QueueName {
    /// Every queue: `*`.
    Any,
    /// Messages that are being routed.
    Submission,
    /// Messages that no connector takes.
    Unreachable,
    /// Messages that brought the process down.
    Poison,
    /// The delivery queues to this next hop; several, where connectors or TLS differ.
    NextHop(NextHopDomain),
    /// The queue with this number, which it has as long as it lives.
    Number(u64),
}

/// A queue of a server.
///
/// ```
/// use transom_queue::view::{QueueIdentity, QueueName};
///
/// let queue: QueueIdentity = r"mx1\contoso.com".parse()?;
/// assert_eq!((queue.server(), queue.to_string().as_str()), (Some("mx1"), r"mx1\contoso.com"));
/// assert_eq!("poison".parse::<QueueIdentity>()?.name(), &QueueName::Poison);
/// assert_eq!("17".parse::<QueueIdentity>()?.name(), &QueueName::Number(17));
/// # Ok::<(), transom_queue::view::ParseIdentityError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueIdentity {
    server: Option<String>,
    name: QueueName,
}

/// A message in a queue, or in all queues that it is in.
///
/// ```
/// use transom_queue::view::MessageIdentity;
///
/// let message: MessageIdentity = r"mx1\contoso.com\4294967297".parse()?;
/// assert_eq!(message.message.0, 4_294_967_297);
/// assert_eq!("25".parse::<MessageIdentity>()?.queue, None);
/// # Ok::<(), transom_queue::view::ParseIdentityError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "which message, and where")]
pub struct MessageIdentity {
    /// The queue; none is all of this server.
    pub queue: Option<QueueIdentity>,
    /// The message.
    pub message: InternalMessageId,
}

impl QueueIdentity {
    /// Longest text of an identity, in octets: a list of smart hosts is one.
    pub const OCTETS_MAX: usize = 4096;

    /// A queue of this server.
    ///
    /// # Errors
    ///
    /// [`ParseIdentityError`] for a next hop whose name would be read as something else: it has a
    /// number all the same.
    pub fn new(name: QueueName) -> Result<Self, ParseIdentityError> {
        match &name {
            QueueName::NextHop(domain) if queue_name(domain.as_str())? != name => {
                Err(ParseIdentityError::Ambiguous)
            }
            _ => Ok(Self { server: None, name }),
        }
    }

    /// The queue with this number.
    pub fn number(number: u64) -> Self {
        Self { server: None, name: QueueName::Number(number) }
    }

    /// The same queue of that server.
    ///
    /// # Errors
    ///
    /// [`ParseIdentityError`] when this is no name of a server.
    pub fn on_server(self, server: &str) -> Result<Self, ParseIdentityError> {
        let server = Some(server_name(server)?);
        Ok(Self { server, ..self })
    }

    /// The server; none is this one.
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// Which queue of it.
    pub fn name(&self) -> &QueueName {
        &self.name
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Submission => f.write_str("Submission"),
            Self::Unreachable => f.write_str("Unreachable"),
            Self::Poison => f.write_str("Poison"),
            Self::NextHop(domain) => domain.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for QueueIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(server) = &self.server {
            write!(f, "{server}\\")?;
        }
        self.name.fmt(f)
    }
}

impl fmt::Display for MessageIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(queue) = &self.queue {
            write!(f, "{queue}\\")?;
        }
        self.message.fmt(f)
    }
}

/// `[ server "\" ] queue`.
impl FromStr for QueueIdentity {
    type Err = ParseIdentityError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (server, name) = match text.split_once('\\') {
            Some((server, name)) => (Some(server_name(server)?), name),
            None => (None, text),
        };
        Ok(Self { server, name: queue_name(name)? })
    }
}

/// `[ [ server "\" ] queue "\" ] 1*DIGIT`.
impl FromStr for MessageIdentity {
    type Err = ParseIdentityError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (queue, message) = match text.rsplit_once('\\') {
            Some((queue, message)) => (Some(queue.parse()?), message),
            None => (None, text),
        };
        let message = number(message).ok_or(ParseIdentityError::Message)?;
        Ok(Self { queue, message: InternalMessageId(message) })
    }
}

fn server_name(text: &str) -> Result<String, ParseIdentityError> {
    let clean = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '\\' | '*');
    if !text.is_empty() && text.len() <= QueueIdentity::OCTETS_MAX && text.chars().all(clean) {
        Ok(text.to_owned())
    } else {
        Err(ParseIdentityError::Server)
    }
}

fn queue_name(text: &str) -> Result<QueueName, ParseIdentityError> {
    let is = |name: &str| text.eq_ignore_ascii_case(name);
    let clean = |c: char| !c.is_control() && c != '\\';
    let length = 1..=QueueIdentity::OCTETS_MAX;
    if !length.contains(&text.len()) || text.trim() != text || !text.chars().all(clean) {
        return Err(ParseIdentityError::Queue);
    }
    Ok(if text == "*" {
        QueueName::Any
    } else if is("Submission") {
        QueueName::Submission
    } else if is("Unreachable") {
        QueueName::Unreachable
    } else if is("Poison") {
        QueueName::Poison
    } else if let Some(number) = number(text) {
        QueueName::Number(number)
    } else {
        QueueName::NextHop(NextHopDomain::new(text))
    })
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The text names no queue or message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseIdentityError {
    /// The name of the next hop would be read as something else.
    #[error("the name of this next hop means something else: name the queue by its number")]
    Ambiguous,
    /// No message is named: it is a number.
    #[error("a message is named by a number: 25, QUEUE\\25 or SERVER\\QUEUE\\25")]
    Message,
    /// No queue is named.
    #[error("a queue is named Submission, Unreachable, Poison, by its next hop or its number")]
    Queue,
    /// No server is named.
    #[error("a server is named by its host name, without \"\\\" and \"*\"")]
    Server,
}
