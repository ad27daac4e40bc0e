//! The words of the replies, as data.

use std::borrow::Cow;

use transom_types::{EnhancedStatusCode, Reply, ReplyCode, Severity};

use super::FixedReply;
use super::replies::{Words, bare, fixed, no};

/// What the session says in which words, and in which order EHLO lists the extensions.
///
/// ```
/// use transom_smtp::server::{FixedReply, ReplyProfile};
///
/// let plain = ReplyProfile::plain().reply(FixedReply::NeedTls).to_line();
/// assert_eq!(plain, "530 5.7.0 Must issue a STARTTLS command first");
/// let exchange = ReplyProfile::exchange().reply(FixedReply::NeedTls).to_line();
/// assert_eq!(exchange, "451 5.7.3 STARTTLS is required to send mail");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplyProfile {
    /// What differs from the plain words.
    base: &'static [(FixedReply, Words)],
    /// What the host program has put in the place of either.
    own: Vec<(FixedReply, Reply)>,
    ehlo_order: Vec<Cow<'static, str>>,
}

impl ReplyProfile {
    /// Codes as the RFCs advise, and plain words.
    pub const fn plain() -> Self {
        Self { base: &[], own: Vec::new(), ehlo_order: Vec::new() }
    }

    /// Codes, words and the order of EHLO as of an Exchange server. Its banner tells the time,
    /// which the session does not know: answer [`Event::Connect`](super::Event::Connect) with
    /// [`ServerConfig::banner`](super::ServerConfig::banner).
    pub fn exchange() -> Self {
        let ehlo_order = EXCHANGE_EHLO_ORDER.into_iter().map(Cow::Borrowed).collect();
        Self { base: &EXCHANGE, own: Vec::new(), ehlo_order }
    }

    /// Puts a reply of the host program in the place of one. What stands in braces in the reply
    /// that is replaced may stand in it too.
    ///
    /// # Errors
    ///
    /// Where the one grants and the other refuses, where they grant different things, or where
    /// 421 would stand for a reply that closes nothing.
    pub fn with_reply(
        mut self,
        which: FixedReply,
        reply: Reply,
    ) -> Result<Self, ReplyProfileError> {
        let refuses = |severity| {
            matches!(severity, Severity::TransientNegative | Severity::PermanentNegative)
        };
        let (old, new) = (which.plain().code, reply.code());
        // [RFC 5321 §4.3.1-b] a text may be another, what the code means may not.
        let closes = new == ReplyCode::SERVICE_NOT_AVAILABLE;
        let same = refuses(old.severity()) && refuses(new.severity()) && !closes;
        if old != new && !same {
            return Err(ReplyProfileError { which, code: new });
        }
        self.own.retain(|(other, _)| *other != which);
        self.own.push((which, reply));
        Ok(self)
    }

    /// Sets in which order EHLO lists keywords. Those that are not named follow in their usual
    /// order.
    #[must_use]
    pub fn with_ehlo_order(self, keywords: Vec<Cow<'static, str>>) -> Self {
        Self { ehlo_order: keywords, ..self }
    }

    /// The reply, with what stands in braces not yet filled in.
    pub fn reply(&self, which: FixedReply) -> Reply {
        if let Some((_, own)) = self.own.iter().find(|(other, _)| *other == which) {
            return own.clone();
        }
        let differs = self.base.iter().find(|(other, _)| *other == which);
        differs.map_or_else(|| which.plain(), |(_, words)| *words).reply()
    }

    /// The reply with the values in the place of their names. Where one of them is not known, the
    /// plain words stand in.
    pub(super) fn filled(&self, which: FixedReply, values: &[(&str, Option<&str>)]) -> Reply {
        let reply = self.reply(which);
        let lacks =
            |(name, value): &(&str, Option<&str>)| value.is_none() && reply.text().contains(name);
        let reply = if values.iter().any(lacks) { which.plain().reply() } else { reply };
        let mut text = reply.text().to_owned();
        for (name, value) in values {
            text = text.replace(name, value.unwrap_or_default());
        }
        match reply.enhanced() {
            Some(enhanced) => Reply::new(reply.code(), enhanced, text),
            None => Reply::bare(reply.code(), text),
        }
    }

    /// The reply to EHLO in the order of the profile.
    pub(super) fn in_order(&self, ehlo: Reply) -> Reply {
        if self.ehlo_order.is_empty() {
            return ehlo;
        }
        let mut lines: Vec<&str> = ehlo.lines().collect();
        if let Some((_, keywords)) = lines.split_first_mut() {
            keywords.sort_by_key(|line| {
                let keyword = line.split(' ').next().unwrap_or("");
                let mut order = self.ehlo_order.iter();
                order.position(|other| other.eq_ignore_ascii_case(keyword)).unwrap_or(usize::MAX)
            });
        }
        Reply::bare(ehlo.code(), lines.join("\n"))
    }
}

/// A reply cannot stand in the place of another: one grants what the other does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reply {code} cannot stand for {which:?}")]
#[non_exhaustive]
pub struct ReplyProfileError {
    /// Which reply was to be replaced.
    pub which: FixedReply,
    /// With which code.
    pub code: ReplyCode,
}

/// Where Exchange says something else.
const EXCHANGE: [(FixedReply, Words); 12] = [
    (FixedReply::AuthNotOffered, EXCHANGE_NO_MECHANISM),
    (
        FixedReply::ChunkReceived,
        fixed(
            ReplyCode::OK,
            EnhancedStatusCode::success(6, 0),
            "CHUNK received OK, {octets} octets",
        ),
    ),
    (
        FixedReply::CredentialsInvalid,
        no(ReplyCode::CREDENTIALS_INVALID, 7, 3, "Authentication unsuccessful"),
    ),
    (
        FixedReply::Greeting,
        bare(ReplyCode::READY, "{name} Microsoft ESMTP MAIL Service ready at {date}"),
    ),
    (FixedReply::Hello, bare(ReplyCode::OK, "{name} Hello [{address}]")),
    (
        FixedReply::Help,
        bare(
            ReplyCode::HELP,
            "This server supports the following commands:\n\
             HELO EHLO STARTTLS RCPT DATA RSET MAIL QUIT HELP AUTH BDAT",
        ),
    ),
    (
        FixedReply::IdleTimeout,
        fixed(
            ReplyCode::LOCAL_ERROR,
            EnhancedStatusCode::transient(7, 0),
            "Timeout waiting for client input",
        ),
    ),
    (FixedReply::MechanismNeedsTls, EXCHANGE_NO_MECHANISM),
    (FixedReply::MechanismUnknown, EXCHANGE_NO_MECHANISM),
    (FixedReply::NeedTls, no(ReplyCode::LOCAL_ERROR, 7, 3, "STARTTLS is required to send mail")),
    (
        FixedReply::SessionTimeout,
        fixed(
            ReplyCode::SERVICE_NOT_AVAILABLE,
            EnhancedStatusCode::transient(4, 1),
            "Connection timed out",
        ),
    ),
    (
        FixedReply::Shutdown,
        fixed(
            ReplyCode::SERVICE_NOT_AVAILABLE,
            EnhancedStatusCode::transient(3, 2),
            "Service not available",
        ),
    ),
];

const EXCHANGE_NO_MECHANISM: Words =
    no(ReplyCode::PARAMETER_NOT_IMPLEMENTED, 7, 4, "Unrecognized authentication type");

/// In which order Exchange lists what it has, words of its own included.
const EXCHANGE_EHLO_ORDER: [&str; 16] = [
    "SIZE",
    "PIPELINING",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "STARTTLS",
    "X-ANONYMOUSTLS",
    "AUTH",
    "X-EXPS",
    "X-EXCHANGEAUTH",
    "8BITMIME",
    "BINARYMIME",
    "CHUNKING",
    "SMTPUTF8",
    "XEXCH50",
    "XRDST",
    "XSHADOW",
];
