//! What a session says to its driver: steps, outputs, events, and why it closes.

use std::time::Instant;

use transom_types::{
    ForwardPath, MailParameters, Principal, RcptParameters, ReplyCode, ReversePath,
};

use crate::codec::{Argument, HelloName, Verb, XclientAttributes, XforwardAttributes};
use crate::sasl::Question;

/// One step of [`ServerSession::poll`](super::ServerSession::poll).
#[derive(Debug, PartialEq, Eq)]
#[must_use = "octets not reported as consumed must be offered again"]
#[non_exhaustive]
pub struct Step<'i> {
    /// How many octets of the input are done with. The rest is offered again at the next poll.
    pub consumed: usize,
    /// What the driver does next.
    pub output: Output<'i>,
}

/// What the driver must do next.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a dropped output stalls the session"]
#[non_exhaustive]
pub enum Output<'i> {
    /// Write what is pending and close. Every later poll says the same.
    ///
    /// A driver that closes while octets of the peer are unread should first end its own side and
    /// read on for a moment, or the peer may lose the last reply. An open transaction ends here
    /// too: what was spooled of it is forgotten.
    Close(Close),
    /// A piece of message content, unstuffed, borrowed from the input.
    Content(&'i [u8]),
    /// Put this to the application, which answers with
    /// [`respond`](super::ServerSession::respond) or [`accept`](super::ServerSession::accept).
    /// Until then the session consumes nothing. Write what is pending before an answer that takes
    /// time.
    Event(Event),
    /// Tell this to the application; nothing is answered. Poll again at once.
    Notice(Notice),
    /// Write what is pending, read nothing, and poll again at this instant, or once
    /// [`shutdown`](super::ServerSession::shutdown) was called: a reply is late on purpose, and
    /// whatever came meanwhile would only pile up.
    Pause(Instant),
    /// Write what is pending, then begin the TLS handshake and report it with
    /// [`handle_tls_established`](super::ServerSession::handle_tls_established). Octets read
    /// before the handshake are dropped, never kept.
    StartTls,
    /// Write what is pending; nothing more until the peer speaks or this instant comes.
    Wait(Option<Instant>),
}

/// A question to the application. Each has a default answer
/// ([`accept`](super::ServerSession::accept)) and can be refused with a 4yz or 5yz reply. A 421
/// closes the session whatever it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// AUTH begins, where [`ServerConfig::ask_all`](super::ServerConfig::ask_all) says so: nothing
    /// is proved yet. Default answer: the exchange goes on.
    Auth {
        /// The mechanism, as the client wrote it.
        mechanism: String,
    },
    /// AUTH: only the application knows the users. It answers with
    /// [`authenticate`](super::ServerSession::authenticate), or refuses with a 4yz or 5yz reply;
    /// there is no default answer. Whether the client is who it says shows only in the end, by
    /// [`Notice::Authenticated`] and [`principal`](super::ServerSession::principal).
    Authenticate(Question),
    /// A peer has connected. Default answer: 220 with the configured greeting. After a refusal
    /// with a 5yz reply the peer may only quit.
    Connect,
    /// Content is about to come, by DATA or the first BDAT of a transaction; at least one
    /// recipient was accepted. Default answer: 354. A refusal ends the transaction, and
    /// [`Notice::Reset`] follows.
    Data,
    /// The content is complete; the transaction ends with the answer. A positive answer takes
    /// custody. Default answer: 250 2.6.0. Under LMTP each recipient has a reply of its own:
    /// [`respond_each`](super::ServerSession::respond_each).
    EndOfData {
        /// Length of the content after unstuffing.
        octets: u64,
    },
    /// The client has shown who it is, where
    /// [`ServerConfig::ask_all`](super::ServerConfig::ask_all) says so. Default answer: 235 2.7.0;
    /// with a refusal it is nobody, and may try again.
    EndOfAuthentication {
        /// Who.
        principal: Principal,
    },
    /// ETRN (RFC 1985): the client asks for what is queued for it. Default answer: 250 2.0.0; a
    /// reply that RFC 1985 has for its case is better.
    Etrn {
        /// For which host; behind `@` with its subdomains, behind `#` of which queue.
        argument: Argument<'static>,
    },
    /// EXPN. Default answer: 252, which says nothing about the list.
    Expn {
        /// Which list.
        argument: Argument<'static>,
    },
    /// A verb of the [`registry`](super::ServerConfig::registry), behind EHLO and not between
    /// chunks. Default answer: 250 2.0.0; any 2yz reply will do.
    Extension {
        /// Which one, as the client wrote it.
        verb: Verb<'static>,
        /// What stands behind it.
        argument: Option<Argument<'static>>,
    },
    /// EHLO, HELO or LHLO. Default answer: 250 with the host name and, for EHLO, the extensions. A
    /// positive reply of the application's own gives the text of the first line; the extensions
    /// follow it all the same.
    Hello {
        /// How the client calls itself. Nobody has checked it.
        name: HelloName<'static>,
        /// Whether this is EHLO, or LHLO.
        esmtp: bool,
    },
    /// HELP, where [`ServerConfig::ask_all`](super::ServerConfig::ask_all) says so. Default answer:
    /// 214.
    Help,
    /// MAIL: a transaction begins. Default answer: 250 2.1.0.
    Mail {
        /// `RFC5321.MailFrom`.
        reverse_path: ReversePath,
        /// What stood behind it, already checked against the extensions and the size limit.
        parameters: MailParameters,
    },
    /// NOOP, where [`ServerConfig::ask_all`](super::ServerConfig::ask_all) says so. Default answer:
    /// 250.
    Noop,
    /// RCPT: one more recipient. Default answer: 250 2.1.5.
    Rcpt {
        /// `RFC5321.RcptTo`.
        forward_path: ForwardPath,
        /// What stood behind it, already checked against the extensions.
        parameters: RcptParameters,
    },
    /// RSET, where [`ServerConfig::ask_all`](super::ServerConfig::ask_all) says so. Default answer:
    /// 250, and [`Notice::Reset`] where there was a transaction. A refusal leaves all as it was.
    Rset,
    /// STARTTLS, where [`ServerConfig::ask_all`](super::ServerConfig::ask_all) says so. Default
    /// answer: 220, and [`Output::StartTls`].
    StartTls,
    /// VRFY. Default answer: 252, which says nothing about the mailbox.
    Vrfy {
        /// What was asked for.
        argument: Argument<'static>,
    },
    /// XCLIENT: a trusted peer says that it speaks for another client. The answer is
    /// [`restart`](super::ServerSession::restart) where another configuration or principal goes
    /// with that client; the default answer goes on under the same configuration and without a
    /// principal. Either way the session begins anew, with [`Event::Connect`] and a greeting; who
    /// the client is from here on is for the application to remember.
    Xclient {
        /// What the peer says of the client. `LOGIN` makes nobody authenticated by itself.
        attributes: Box<XclientAttributes>,
    },
    /// XFORWARD: a trusted peer says where the next message came from, for the log. Several may
    /// come for one message, and they add up; what they say holds until the transaction ends.
    /// Default answer: 250 2.0.0.
    Xforward {
        /// What it says.
        attributes: Box<XforwardAttributes>,
    },
}

/// Something the application must know and cannot refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Notice {
    /// The client is [`principal`](super::ServerSession::principal) from here on, until STARTTLS
    /// or the end of the session.
    Authenticated,
    /// An attempt to authenticate failed: wrong credentials, or a message that cannot be trusted.
    AuthenticationFailed,
    /// The open transaction is gone: by RSET, EHLO, a content above the size limit, or a refused
    /// [`Event::Data`]. Forget its envelope and what was spooled of it.
    Reset,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Close {
    /// The application answered 421, or with its last word.
    Application,
    /// Bare CR, bare LF or NUL in the content, under [`BareNewline::Reject`].
    ///
    /// [`BareNewline::Reject`]: crate::codec::data::BareNewline::Reject
    BareNewline,
    /// The peer spoke before the greeting.
    EarlyTalker,
    /// More errors than [`ServerLimits::errors_max`](super::ServerLimits::errors_max), or a line of
    /// another protocol.
    Errors,
    /// The length of a BDAT chunk is unknown or absurd, so nothing behind it can be read.
    Framing,
    /// More idle commands than [`ServerLimits::junk_max`](super::ServerLimits::junk_max).
    Junk,
    /// As many failed logons as
    /// [`ServerLimits::logon_failures_max`](super::ServerLimits::logon_failures_max).
    LogonFailures,
    /// The peer closed or ended its side.
    PeerClosed,
    /// Octets stood behind a command whose reply had to be awaited (RFC 2920 §3.1).
    Pipelining,
    /// QUIT.
    Quit,
    /// [`shutdown`](super::ServerSession::shutdown) was called.
    Shutdown,
    /// The content went on far above the size limit.
    Size,
    /// A time limit passed, or content came slower than the minimum rate.
    Timeout,
    /// More transactions than
    /// [`ServerLimits::transactions_max`](super::ServerLimits::transactions_max).
    Transactions,
}

/// The caller broke the order of calls. Never caused by the peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiMisuse {
    /// An answer without an open event, or a second answer to the same one.
    #[error("no event is open")]
    NoOpenEvent,
    /// Other than one reply for each accepted recipient.
    #[error("{expected} recipients need as many replies, not {found}")]
    NumberOfReplies {
        /// How many recipients were accepted.
        expected: u32,
        /// How many replies were given.
        found: usize,
    },
    /// An answer of another kind than the open event takes: a default where there is none, a
    /// verdict that does not fit the question.
    #[error("{command} takes another kind of answer")]
    WrongAnswer {
        /// The command, or what else was open.
        command: &'static str,
    },
    /// A reply this command cannot have, such as 354 to RCPT.
    #[error("reply {code} does not answer {command}")]
    WrongSeverity {
        /// The code of the reply.
        code: ReplyCode,
        /// The command, or what else was open.
        command: &'static str,
    },
}
