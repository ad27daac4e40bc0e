//! What a client session tells its driver.

use std::time::Instant;

use transom_types::{Outcome, ParseReplyError, RecipientResult, ReplyCode, Status};

/// What one call of [`ClientSession::poll`](super::ClientSession::poll) did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a dropped output stalls the session"]
#[expect(clippy::exhaustive_structs, reason = "the shape of every protocol machine here")]
pub struct ClientStep {
    /// How many octets of the input were used; the driver keeps the rest.
    pub consumed: usize,
    /// What the driver must do next.
    pub output: ClientOutput,
}

/// What the driver must do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a dropped output stalls the session"]
#[non_exhaustive]
pub enum ClientOutput {
    /// Put this to the application.
    Event(ClientEvent),
    /// Begin the TLS handshake; octets not consumed are dropped. Then call
    /// [`handle_tls_established`](super::ClientSession::handle_tls_established) or
    /// [`handle_tls_failed`](super::ClientSession::handle_tls_failed).
    StartTls,
    /// Write what is pending; nothing more until the peer speaks or this instant comes.
    Wait(Option<Instant>),
    /// Write what is pending and close. Every result was given before.
    Close(ClientClose),
}

/// What the application learns. Events never repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The session takes a transaction: after EHLO and TLS, and after each finished transaction.
    Ready,
    /// The peer waits for the content: call
    /// [`write_content`](super::ClientSession::write_content) until all is handed over, then
    /// [`end_content`](super::ClientSession::end_content).
    SendContent,
    /// Something between us and the peer paints over what is said, as rewriting firewalls do:
    /// extensions that the peer has are not seen. The session goes on with what is left. Told
    /// once, before all that follows from it.
    MaskedVerbs {
        /// A word that shows it, such as `XXXXXXXA` where STARTTLS stood.
        seen: Box<str>,
    },
    /// How the transaction ended: exactly one result for each of its recipients, in their order.
    Done(Vec<RecipientResult>),
}

/// How the session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientClose {
    /// Why it ended.
    pub reason: CloseReason,
    /// What a recipient is told that waited for this session. It is never positive, and not yet a
    /// verdict: see [`ClientClose::outcome`].
    pub status: Status,
}

impl ClientClose {
    pub(super) fn new(reason: CloseReason, status: Status) -> Self {
        Self { reason, status }
    }

    /// What the end of the session means for a recipient that was not in a transaction yet:
    /// deferred, even where the peer said 5yz. The words of one host in its greeting say nothing
    /// about a recipient; whether all hosts say so is for the caller to know.
    pub fn outcome(&self) -> Outcome {
        Outcome::Deferred(self.status.clone())
    }
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The driver gave up, by [`abort`](super::ClientSession::abort).
    Aborted,
    /// The peer cannot check our credentials now: 4yz to AUTH.
    AuthenticationUnavailable,
    /// The peer does not accept our credentials, or has no use for them: 5yz to AUTH. To come
    /// again with the same ones helps nobody until somebody has looked at it.
    CredentialsRefused,
    /// We have credentials, and the peer offers no mechanism for them, or no TLS to send them in.
    NoMechanism,
    /// The peer closed the connection, or it broke.
    PeerClosed,
    /// The peer did not prove that it knows the password, or tried to weaken the exchange.
    PeerNotTrusted,
    /// The peer broke the protocol.
    PeerViolation(PeerViolation),
    /// [`quit`](super::ClientSession::quit) was called, the peer's MAILMAX is used up, or it is not
    /// known how many replies the peer still owes: it refused amid the content, or one in LMTP.
    Quit,
    /// The peer said 421, or refused us in its greeting or in its reply to EHLO or HELO.
    Refused,
    /// The peer said nothing for too long.
    TimedOut,
    /// The handshake failed.
    TlsFailed,
    /// TLS is required, and the peer does not offer it or refused to start it.
    TlsUnavailable,
}

/// What the peer did against the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerViolation {
    /// What it sent is no reply.
    #[error(transparent)]
    Garbage(#[from] ParseReplyError),
    /// It sent octets behind its consent to STARTTLS: someone may have put them there.
    #[error("octets followed the consent to STARTTLS in the clear")]
    OctetsBeforeTls,
    /// It spoke without being asked.
    #[error("a reply came before its command")]
    UnaskedReply,
    /// A code that the command cannot have, such as 250 to DATA.
    #[error("reply {code} does not answer {command}")]
    WrongReply {
        /// The code.
        code: ReplyCode,
        /// The command, or `connect` for the greeting.
        command: &'static str,
    },
}

/// The driver broke the order of calls. Never caused by the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientMisuse {
    /// Content is only taken between [`ClientEvent::SendContent`] and the end of the content.
    #[error("the session does not wait for content")]
    NoContentExpected,
    /// The content holds NUL and is not binary: no server has to take it. To be answered with
    /// [`abort`](super::ClientSession::abort).
    #[error("the content holds NUL and is not declared binary")]
    NulInContent,
}
