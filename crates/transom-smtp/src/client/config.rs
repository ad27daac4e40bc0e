//! How a client session behaves.

use std::time::Duration;

use transom_types::RemoteHost;

use crate::Protocol;
use crate::codec::HelloName;
use crate::sasl::{Credentials, Nonce};

/// What a client session needs to know of us and of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// What we call ourselves in EHLO, HELO and LHLO; in A-labels, as any peer must understand it.
    /// For a name that is not ASCII we say `localhost`.
    pub helo_name: HelloName<'static>,
    /// Whom the connection goes to. It stands in every [`Status`](transom_types::Status) that
    /// the peer's words make.
    pub remote: RemoteHost,
    /// Which protocol is spoken (SMTP). In LMTP the peer gives each recipient a verdict of its own
    /// behind the content.
    pub protocol: Protocol,
    /// Whether STARTTLS is used (opportunistic).
    pub tls: ClientTls,
    /// The connection is in TLS before the first octet; STARTTLS is not used then (no).
    pub implicit_tls: bool,
    /// What we log in with (nothing). Where there are credentials no mail goes without them: a
    /// peer that offers no mechanism for them, or refuses them, ends the session.
    pub credentials: Option<Credentials>,
    /// Fresh random octets for the login. Without them no SCRAM is used.
    pub nonce: Option<Nonce>,
    /// How long we wait for the peer.
    pub timeouts: ClientTimeouts,
}

impl ClientConfig {
    /// The defaults: STARTTLS where it is offered, the timeouts of RFC 5321.
    pub fn new(helo_name: HelloName<'static>, remote: RemoteHost) -> Self {
        Self {
            helo_name,
            remote,
            protocol: Protocol::default(),
            tls: ClientTls::default(),
            implicit_tls: false,
            credentials: None,
            nonce: None,
            timeouts: ClientTimeouts::default(),
        }
    }

    /// Sets which protocol is spoken.
    #[must_use]
    pub fn with_protocol(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }

    /// Sets whether STARTTLS is used.
    #[must_use]
    pub fn with_tls(self, tls: ClientTls) -> Self {
        Self { tls, ..self }
    }

    /// Sets whether the connection is in TLS already.
    #[must_use]
    pub fn with_implicit_tls(self, implicit_tls: bool) -> Self {
        Self { implicit_tls, ..self }
    }

    /// Sets what we log in with. It is used in TLS alone, so whom to trust is to be checked there.
    #[must_use]
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self { credentials: Some(credentials), ..self }
    }

    /// Sets the random octets of the login. They serve one session and no second one.
    #[must_use]
    pub fn with_nonce(self, nonce: Nonce) -> Self {
        Self { nonce: Some(nonce), ..self }
    }

    /// Sets how long we wait for the peer.
    #[must_use]
    pub fn with_timeouts(self, timeouts: ClientTimeouts) -> Self {
        Self { timeouts, ..self }
    }
}

/// [RFC 6531 §3.7.1-a] what is said before SMTPUTF8 can be known is ASCII.
pub(super) fn in_ascii(name: HelloName<'static>) -> HelloName<'static> {
    if name.as_str().is_ascii() {
        return name;
    }
    HelloName::new("localhost").unwrap_or(name)
}

/// Whether a client session uses STARTTLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "how a session is secured; whom to trust is elsewhere")]
pub enum ClientTls {
    /// Stay in the clear.
    Never,
    /// Where the peer offers it; a peer that offers it and then refuses is served in the clear.
    #[default]
    Opportunistic,
    /// No mail without it.
    Required,
}

/// How long a client waits for the peer. The defaults are those of RFC 5321 §4.5.3.2, but for the
/// greeting: a host that says nothing for a minute is tried later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientTimeouts {
    /// The greeting (60 s).
    pub greeting: Duration,
    /// The reply to EHLO, HELO, LHLO and STARTTLS (5 min).
    pub ehlo: Duration,
    /// The TLS handshake (60 s).
    pub handshake: Duration,
    /// Each reply to AUTH (5 min).
    pub auth: Duration,
    /// The reply to MAIL and to RSET (5 min).
    pub mail: Duration,
    /// The reply to RCPT (5 min).
    pub rcpt: Duration,
    /// The reply to DATA (2 min).
    pub data: Duration,
    /// Each piece of content, until the network took it (3 min).
    pub content_block: Duration,
    /// The reply after the final dot, in LMTP each of them (10 min): the peer may scan and store
    /// for long, and to give up early makes duplicates.
    pub end_of_data: Duration,
    /// The reply to QUIT (10 s); nothing depends on it.
    pub quit: Duration,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes.saturating_mul(60));
        Self {
            greeting: minutes(1),
            ehlo: minutes(5),
            handshake: minutes(1),
            auth: minutes(5),
            mail: minutes(5),
            rcpt: minutes(5),
            data: minutes(2),
            content_block: minutes(3),
            end_of_data: minutes(10),
            quit: Duration::from_secs(10),
        }
    }
}
