//! What a session must know beforehand.

use std::borrow::Cow;
use std::fmt;

use transom_types::{Domain, Reply, ReplyCode};

use super::{Extensions, FixedReply, ReplyProfile, ServerLimits};
use crate::Protocol;
use crate::codec::ExtensionRegistry;
use crate::codec::data::BareNewline;
use crate::codec::ehlo::Capabilities;
use crate::sasl::AuthOffer;

/// Everything a session must know beforehand. Shared by all sessions of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The host's own name, as greeting and EHLO reply say it.
    pub name: Domain,
    /// What stands behind the name in the greeting (`ESMTP service ready`).
    pub greeting: Cow<'static, str>,
    /// SMTP, or LMTP with its LHLO and a reply for each recipient ([`Protocol::Smtp`]). LMTP has
    /// PIPELINING and ENHANCEDSTATUSCODES whatever the switches say.
    pub protocol: Protocol,
    /// What is offered, and so what is allowed.
    pub extensions: Extensions,
    /// Verbs and parameters of the host program: [`Event::Extension`](super::Event::Extension), and
    /// the `extensions` of the parameters of MAIL and RCPT (none).
    pub registry: ExtensionRegistry,
    /// Lines of the host program in the reply to EHLO, behind those of the extensions (none).
    pub keywords: Vec<OwnKeyword>,
    /// The words of the replies, and the order of EHLO ([`ReplyProfile::plain`]).
    pub replies: ReplyProfile,
    /// AUTH (RFC 4954): the mechanisms that are offered (none).
    pub auth: AuthOffer,
    /// Whether MAIL before TLS gets 530 5.7.0 (no).
    pub require_tls: bool,
    /// Limits of size, number and time.
    pub limits: ServerLimits,
    /// Whether the application is asked about every step, also about STARTTLS, AUTH, HELP, NOOP and
    /// RSET, which are the session's own otherwise (no).
    pub ask_all: bool,
    /// What becomes of line ends other than CRLF ([`BareNewline::Reject`]).
    pub bare_newline: BareNewline,
}

impl ServerConfig {
    /// The defaults under this host name.
    pub fn new(name: Domain) -> Self {
        Self {
            name,
            greeting: Cow::Borrowed("ESMTP service ready"),
            protocol: Protocol::Smtp,
            extensions: Extensions::default(),
            registry: ExtensionRegistry::new(),
            keywords: Vec::new(),
            replies: ReplyProfile::plain(),
            auth: AuthOffer::default(),
            // [RFC 3207 §4-a] a server on the Internet demands no TLS.
            require_tls: false,
            limits: ServerLimits::default(),
            ask_all: false,
            bare_newline: BareNewline::default(),
        }
    }

    /// Asks the application about every step.
    #[must_use]
    pub fn with_ask_all(self, ask_all: bool) -> Self {
        Self { ask_all, ..self }
    }

    /// Sets the text behind the name in the greeting.
    #[must_use]
    pub fn with_greeting(self, greeting: impl Into<Cow<'static, str>>) -> Self {
        Self { greeting: greeting.into(), ..self }
    }

    /// Sets the protocol.
    #[must_use]
    pub fn with_protocol(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }

    /// Sets what is offered.
    #[must_use]
    pub fn with_extensions(self, extensions: Extensions) -> Self {
        Self { extensions, ..self }
    }

    /// Sets the verbs and parameters of the host program.
    #[must_use]
    pub fn with_registry(self, registry: ExtensionRegistry) -> Self {
        Self { registry, ..self }
    }

    /// Adds a line of the host program to the reply to EHLO.
    #[must_use]
    pub fn with_keyword(mut self, keyword: OwnKeyword) -> Self {
        self.keywords.push(keyword);
        self
    }

    /// Sets the words of the replies.
    #[must_use]
    pub fn with_replies(self, replies: ReplyProfile) -> Self {
        Self { replies, ..self }
    }

    /// Sets the mechanisms that AUTH offers.
    #[must_use]
    pub fn with_auth(self, auth: AuthOffer) -> Self {
        Self { auth, ..self }
    }

    /// Sets whether MAIL needs TLS.
    #[must_use]
    pub fn with_require_tls(self, require_tls: bool) -> Self {
        Self { require_tls, ..self }
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_limits(self, limits: ServerLimits) -> Self {
        Self { limits, ..self }
    }

    /// Sets what becomes of bare CR and bare LF.
    #[must_use]
    pub fn with_bare_newline(self, bare_newline: BareNewline) -> Self {
        Self { bare_newline, ..self }
    }

    /// The greeting with a date, for profiles that tell one: an answer to
    /// [`Event::Connect`](super::Event::Connect). Exchange has `Fri, 19 Apr 2024 15:06:04 -0700`.
    pub fn banner(&self, date: &str) -> Reply {
        self.greeting_at(Some(date))
    }

    pub(super) fn greeting_at(&self, date: Option<&str>) -> Reply {
        let name = ("{name}", Some(self.name.as_str()));
        let greeting = ("{greeting}", Some(self.greeting.as_ref()));
        self.replies.filled(FixedReply::Greeting, &[name, greeting, ("{date}", date)])
    }
}

/// A line in the reply to EHLO that the host program adds: a keyword, and perhaps words behind it.
///
/// ```
/// use transom_smtp::server::OwnKeyword;
///
/// assert_eq!(OwnKeyword::new("XTENANT contoso").unwrap().to_string(), "XTENANT contoso");
/// // What the session offers by itself has a switch, and is not promised without it.
/// assert!(OwnKeyword::new("STARTTLS").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKeyword(Cow<'static, str>);

impl OwnKeyword {
    /// Longest line, in octets.
    pub const OCTETS_MAX: usize = Reply::LINE_OCTETS_MAX;

    /// Checks `line`: printable ASCII that begins with a keyword which this crate does not know.
    ///
    /// # Errors
    ///
    /// Where it is something else.
    pub fn new(line: impl Into<Cow<'static, str>>) -> Result<Self, OwnKeywordError> {
        let line = line.into();
        let keyword = line.split(' ').next().unwrap_or("");
        // [RFC 5321 §4.1.1.1] ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-").
        let well_formed = keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
            && keyword.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && line.bytes().all(|octet| (b' '..=b'~').contains(&octet))
            && line.trim() == line
            && line.len() <= Self::OCTETS_MAX;
        if !well_formed {
            return Err(OwnKeywordError::Malformed);
        }
        let reply = Reply::bare(ReplyCode::OK, format!("\n{line}"));
        if Capabilities::from_reply(&reply).other.is_empty() {
            return Err(OwnKeywordError::Known);
        }
        Ok(Self(line))
    }

    /// The line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OwnKeyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no [`OwnKeyword`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OwnKeywordError {
    /// The session offers it by itself, where its switch is on.
    #[error("the keyword is one of the session's own")]
    Known,
    /// It is no line with a keyword.
    #[error("a line is a keyword and words behind it, in printable ASCII")]
    Malformed,
}
