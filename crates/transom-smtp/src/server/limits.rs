//! How far a session goes.

use std::time::Duration;

/// Limits of one session. [`Default`] gives Exchange's values where it has
/// them, but for [`tarpit_interval`](Self::tarpit_interval).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Recipients in one transaction (200). One more gets 452 4.5.3; LIMITS announces it.
    pub recipients_max: u32,
    /// Protocol errors that are answered (5); one more gets 421 4.7.0. The first line that is no
    /// SMTP but HTTP or the like gets 500 and closes.
    pub errors_max: u32,
    /// The same once the client has authenticated (20): who is known may err more.
    pub authenticated_errors_max: u32,
    /// How much longer the reply to each protocol error takes (1 s): the first one second, the
    /// second two, and so on. Zero switches it off. What a client does right has no delay of its
    /// own.
    pub error_delay: Duration,
    /// Where that ends (5 s).
    pub error_delay_max: Duration,
    /// How long a 5yz reply to RCPT, VRFY and EXPN takes for a client that has not authenticated
    /// (zero; Exchange has 5 s), so that hunting for addresses does not pay.
    pub tarpit_interval: Duration,
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
            // [RFC 5321 §4.5.3.1.8-a] 100 at least.
            recipients_max: 200,
            errors_max: 5,
            authenticated_errors_max: 20,
            error_delay: Duration::from_secs(1),
            error_delay_max: Duration::from_secs(5),
            tarpit_interval: Duration::ZERO,
            logon_failures_max: 3,
            auth_tarpit_interval: Duration::from_secs(5),
            junk_max: 100,
            transactions_max: 1_000,
            command_timeout: Duration::from_mins(5),
            session_timeout: Duration::from_mins(10),
            // [RFC 5321 §4.5.3.1-a] 512 at least, and
            // [RFC 3461 §5.4-b] 1,036 with the parameters of DSN.
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

    /// Sets how the replies to errors slow down, and where that ends.
    #[must_use]
    pub fn with_error_delay(self, error_delay: Duration, error_delay_max: Duration) -> Self {
        Self { error_delay, error_delay_max, ..self }
    }

    /// Sets how long a 5yz reply to RCPT, VRFY and EXPN takes.
    #[must_use]
    pub fn with_tarpit_interval(self, tarpit_interval: Duration) -> Self {
        Self { tarpit_interval, ..self }
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
