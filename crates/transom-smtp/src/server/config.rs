//! What a session offers and how far it goes.

use std::borrow::Cow;
use std::time::Duration;

use transom_types::Domain;

use crate::codec::data::BareNewline;
use crate::codec::ehlo::FutureReleaseOffer;
use crate::sasl::AuthOffer;

/// Everything a session must know beforehand. Shared by all sessions of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The host's own name, as greeting and EHLO reply say it.
    pub name: Domain,
    /// What stands behind the name in the greeting (`ESMTP service ready`).
    pub greeting: Cow<'static, str>,
    /// What is offered, and so what is allowed.
    pub extensions: Extensions,
    /// AUTH (RFC 4954): the mechanisms that are offered (none).
    pub auth: AuthOffer,
    /// Whether MAIL before TLS gets 530 5.7.0 (no).
    pub require_tls: bool,
    /// Limits of size, number and time.
    pub limits: ServerLimits,
    /// What becomes of line ends other than CRLF ([`BareNewline::Reject`]).
    pub bare_newline: BareNewline,
}

impl ServerConfig {
    /// The defaults under this host name.
    pub fn new(name: Domain) -> Self {
        Self {
            name,
            greeting: Cow::Borrowed("ESMTP service ready"),
            extensions: Extensions::default(),
            auth: AuthOffer::default(),
            require_tls: false,
            limits: ServerLimits::default(),
            bare_newline: BareNewline::default(),
        }
    }

    /// Sets the text behind the name in the greeting.
    #[must_use]
    pub fn with_greeting(self, greeting: impl Into<Cow<'static, str>>) -> Self {
        Self { greeting: greeting.into(), ..self }
    }

    /// Sets what is offered.
    #[must_use]
    pub fn with_extensions(self, extensions: Extensions) -> Self {
        Self { extensions, ..self }
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
}

/// The service extensions. What EHLO announces is what the session enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, one an extension")]
#[non_exhaustive]
pub struct Extensions {
    /// SIZE (RFC 1870) with the largest content in octets (37,748,736, Exchange's 36 MB). `None`:
    /// not announced and no limit.
    pub size: Option<u64>,
    /// PIPELINING (RFC 2920; on). Off: any octet behind a command ends the session.
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152; on).
    pub eight_bit_mime: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034; on). Off: replies carry none.
    pub enhanced_status_codes: bool,
    /// CHUNKING (RFC 3030; on).
    pub chunking: bool,
    /// SMTPUTF8 (RFC 6531; on).
    pub smtputf8: bool,
    /// DSN (RFC 3461; off, because it promises reports that delivery must honour).
    pub dsn: bool,
    /// STARTTLS (RFC 3207; off, because it needs a certificate). Announced before TLS only.
    pub starttls: bool,
    /// DELIVERBY (RFC 2852; off, as all below: each promises what delivery must honour).
    pub deliver_by: bool,
    /// FUTURERELEASE (RFC 4865; none) with how far ahead a message may be held.
    pub future_release: Option<FutureReleaseOffer>,
    /// MT-PRIORITY (RFC 6710; off).
    pub mt_priority: bool,
    /// REQUIRETLS (RFC 8689; off). Announced and taken behind TLS only.
    pub require_tls: bool,
    /// RRVS (RFC 7293; off).
    pub rrvs: bool,
}

impl Default for Extensions {
    fn default() -> Self {
        Self {
            size: Some(37_748_736),
            pipelining: true,
            eight_bit_mime: true,
            enhanced_status_codes: true,
            chunking: true,
            smtputf8: true,
            dsn: false,
            starttls: false,
            deliver_by: false,
            future_release: None,
            mt_priority: false,
            require_tls: false,
            rrvs: false,
        }
    }
}

impl Extensions {
    /// Sets SIZE and the limit behind it.
    #[must_use]
    pub fn with_size(self, size: Option<u64>) -> Self {
        Self { size, ..self }
    }

    /// Switches PIPELINING.
    #[must_use]
    pub fn with_pipelining(self, pipelining: bool) -> Self {
        Self { pipelining, ..self }
    }

    /// Switches 8BITMIME.
    #[must_use]
    pub fn with_eight_bit_mime(self, eight_bit_mime: bool) -> Self {
        Self { eight_bit_mime, ..self }
    }

    /// Switches ENHANCEDSTATUSCODES.
    #[must_use]
    pub fn with_enhanced_status_codes(self, enhanced_status_codes: bool) -> Self {
        Self { enhanced_status_codes, ..self }
    }

    /// Switches CHUNKING.
    #[must_use]
    pub fn with_chunking(self, chunking: bool) -> Self {
        Self { chunking, ..self }
    }

    /// Switches SMTPUTF8.
    #[must_use]
    pub fn with_smtputf8(self, smtputf8: bool) -> Self {
        Self { smtputf8, ..self }
    }

    /// Switches DSN.
    #[must_use]
    pub fn with_dsn(self, dsn: bool) -> Self {
        Self { dsn, ..self }
    }

    /// Switches STARTTLS.
    #[must_use]
    pub fn with_starttls(self, starttls: bool) -> Self {
        Self { starttls, ..self }
    }

    /// Switches DELIVERBY.
    #[must_use]
    pub fn with_deliver_by(self, deliver_by: bool) -> Self {
        Self { deliver_by, ..self }
    }

    /// Sets FUTURERELEASE and its limits.
    #[must_use]
    pub fn with_future_release(self, future_release: Option<FutureReleaseOffer>) -> Self {
        Self { future_release, ..self }
    }

    /// Switches MT-PRIORITY.
    #[must_use]
    pub fn with_mt_priority(self, mt_priority: bool) -> Self {
        Self { mt_priority, ..self }
    }

    /// Switches REQUIRETLS.
    #[must_use]
    pub fn with_require_tls(self, require_tls: bool) -> Self {
        Self { require_tls, ..self }
    }

    /// Switches RRVS.
    #[must_use]
    pub fn with_rrvs(self, rrvs: bool) -> Self {
        Self { rrvs, ..self }
    }
}

/// Limits of one session. [`Default`] gives Exchange's values where it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Recipients in one transaction (200). One more gets 452 4.5.3; LIMITS announces it.
    pub recipients_max: u32,
    /// Protocol errors that are answered (5); one more gets 421 4.7.0.
    pub errors_max: u32,
    /// The same once the client has authenticated (20): who is known may err more.
    pub authenticated_errors_max: u32,
    /// Failed logons (3): the last of them gets 421 4.7.0 and not 535.
    pub logon_failures_max: u32,
    /// How long the reply to a failed logon takes (5 s), so that guessing does not pay.
    pub auth_tarpit_interval: Duration,
    /// Commands that move no mail (NOOP, RSET, VRFY, HELP, EHLO again, RCPT above the limit) since
    /// the last accepted message (100); one more gets 421 4.7.0.
    pub junk_max: u32,
    /// Transactions (1,000); one more gets 421 4.7.0.
    pub transactions_max: u32,
    /// Longest wait for a command (5 min, as RFC 5321 §4.5.3.2.7 asks). A line that comes octet by
    /// octet does not lengthen it.
    pub command_timeout: Duration,
    /// Longest session (10 min). It ends between commands, never inside a content that keeps its
    /// rate.
    pub session_timeout: Duration,
    /// Longest command line with its CRLF (2,048 octets: the longest path and all parameters fit).
    pub command_line_octets_max: usize,
    /// Slowest content, in octets a second (100). What comes faster earns time to pause, up to
    /// [`data_rate_interval`]. Zero switches the check off.
    ///
    /// [`data_rate_interval`]: Self::data_rate_interval
    pub data_rate_min: u32,
    /// Longest pause within a content (60 s); also what a content may lag behind its rate.
    pub data_rate_interval: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            recipients_max: 200,
            errors_max: 5,
            authenticated_errors_max: 20,
            logon_failures_max: 3,
            auth_tarpit_interval: Duration::from_secs(5),
            junk_max: 100,
            transactions_max: 1_000,
            command_timeout: Duration::from_mins(5),
            session_timeout: Duration::from_mins(10),
            command_line_octets_max: 2_048,
            data_rate_min: 100,
            data_rate_interval: Duration::from_mins(1),
        }
    }
}

impl ServerLimits {
    /// Sets the recipients of one transaction.
    #[must_use]
    pub fn with_recipients_max(self, recipients_max: u32) -> Self {
        Self { recipients_max, ..self }
    }

    /// Sets the protocol errors that are answered.
    #[must_use]
    pub fn with_errors_max(self, errors_max: u32) -> Self {
        Self { errors_max, ..self }
    }

    /// Sets the protocol errors of a client that has authenticated.
    #[must_use]
    pub fn with_authenticated_errors_max(self, authenticated_errors_max: u32) -> Self {
        Self { authenticated_errors_max, ..self }
    }

    /// Sets the failed logons.
    #[must_use]
    pub fn with_logon_failures_max(self, logon_failures_max: u32) -> Self {
        Self { logon_failures_max, ..self }
    }

    /// Sets how long the reply to a failed logon takes.
    #[must_use]
    pub fn with_auth_tarpit_interval(self, auth_tarpit_interval: Duration) -> Self {
        Self { auth_tarpit_interval, ..self }
    }

    /// Sets the commands that move no mail.
    #[must_use]
    pub fn with_junk_max(self, junk_max: u32) -> Self {
        Self { junk_max, ..self }
    }

    /// Sets the transactions of one session.
    #[must_use]
    pub fn with_transactions_max(self, transactions_max: u32) -> Self {
        Self { transactions_max, ..self }
    }

    /// Sets the longest wait for a command.
    #[must_use]
    pub fn with_command_timeout(self, command_timeout: Duration) -> Self {
        Self { command_timeout, ..self }
    }

    /// Sets the longest session.
    #[must_use]
    pub fn with_session_timeout(self, session_timeout: Duration) -> Self {
        Self { session_timeout, ..self }
    }

    /// Sets the longest command line.
    #[must_use]
    pub fn with_command_line_octets_max(self, command_line_octets_max: usize) -> Self {
        Self { command_line_octets_max, ..self }
    }

    /// Sets the slowest content and its longest pause.
    #[must_use]
    pub fn with_data_rate(self, data_rate_min: u32, data_rate_interval: Duration) -> Self {
        Self { data_rate_min, data_rate_interval, ..self }
    }
}
