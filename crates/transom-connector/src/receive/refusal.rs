//! Why something is refused: what is said to the peer, and the word in logs.

use transom_types::{EnhancedStatusCode, Reply, ReplyCode};

use crate::ReplyProfile;

/// Why a session may not do what it asked for, or has come to its end.
///
/// The word that [`Refusal::reason`] gives stays the same from release to release, whatever the
/// reply says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There are too many connections to the service in this minute.
    #[error("the service has too many new connections a minute")]
    ConnectionRate,
    /// The connector has as many connections as it may have.
    #[error("the connector has too many connections")]
    Connections,
    /// The header section is too big.
    #[error("the header section is bigger than the connector takes")]
    HeaderSize,
    /// EHLO or HELO names no domain.
    #[error("the client has not named a domain in EHLO")]
    HelloDomain,
    /// The message has come through too many servers.
    #[error("the message has too many Received fields")]
    Hops,
    /// The session was silent for too long.
    #[error("the session was silent for too long")]
    IdleTimeout,
    /// Too many logons have failed.
    #[error("too many logons have failed")]
    LogonFailures,
    /// Too many messages in this minute.
    #[error("the client sends too many messages a minute")]
    MessageRate,
    /// The message is too big.
    #[error("the message is bigger than the connector takes")]
    MessageSize,
    /// It may not submit.
    #[error("the session has no right to submit")]
    NotAuthenticated,
    /// No connector serves the client.
    #[error("no connector serves the client")]
    NotServed,
    /// The message was here too often.
    #[error("the message has too many Received fields that name this server")]
    OwnHops,
    /// It may not use senders in our domains.
    #[error("the session has no right to use senders in authoritative domains")]
    OwnSender,
    /// Too many protocol errors.
    #[error("the client has made too many protocol errors")]
    ProtocolErrors,
    /// Too many recipients of one message.
    #[error("the message has too many recipients")]
    Recipients,
    /// It may not relay.
    #[error("the session has no right to relay")]
    RelayDenied,
    /// The recipient is at or under `example.com`, `example.net` or `example.org`.
    #[error("the recipient is in a reserved second-level domain")]
    ReservedSecondLevel,
    /// The recipient is under `test`, `example`, `invalid` or `localhost`.
    #[error("the recipient is in a reserved top-level domain")]
    ReservedTopLevel,
    /// It may not send as this sender.
    #[error("the session has no right to send as this sender")]
    SendAs,
    /// The session has lasted for too long.
    #[error("the session has lasted for too long")]
    SessionTimeout,
    /// The recipient's domain has one label.
    #[error("the recipient's domain has a single label")]
    SingleLabel,
    /// The client has as many connections as it may have.
    #[error("the client has too many connections")]
    SourceConnections,
    /// The client has its share of the connections that are left.
    #[error("the client has its share of the connections that are left")]
    SourceShare,
    /// MAIL FROM came before TLS.
    #[error("the connector takes mail under TLS only")]
    TlsRequired,
}

impl Refusal {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 24] = [
        Self::ConnectionRate,
        Self::Connections,
        Self::HeaderSize,
        Self::HelloDomain,
        Self::Hops,
        Self::IdleTimeout,
        Self::LogonFailures,
        Self::MessageRate,
        Self::MessageSize,
        Self::NotAuthenticated,
        Self::NotServed,
        Self::OwnHops,
        Self::OwnSender,
        Self::ProtocolErrors,
        Self::Recipients,
        Self::RelayDenied,
        Self::ReservedSecondLevel,
        Self::ReservedTopLevel,
        Self::SendAs,
        Self::SessionTimeout,
        Self::SingleLabel,
        Self::SourceConnections,
        Self::SourceShare,
        Self::TlsRequired,
    ];

    /// The word for it in logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ConnectionRate => "connection-rate",
            Self::Connections => "connections",
            Self::HeaderSize => "header-size",
            Self::HelloDomain => "hello-domain",
            Self::Hops => "hops",
            Self::IdleTimeout => "idle-timeout",
            Self::LogonFailures => "logon-failures",
            Self::MessageRate => "message-rate",
            Self::MessageSize => "message-size",
            Self::NotAuthenticated => "not-authenticated",
            Self::NotServed => "not-served",
            Self::OwnHops => "own-hops",
            Self::OwnSender => "own-sender",
            Self::ProtocolErrors => "protocol-errors",
            Self::Recipients => "recipients",
            Self::RelayDenied => "relay-denied",
            Self::ReservedSecondLevel => "reserved-second-level",
            Self::ReservedTopLevel => "reserved-top-level",
            Self::SendAs => "send-as",
            Self::SessionTimeout => "session-timeout",
            Self::SingleLabel => "single-label",
            Self::SourceConnections => "source-connections",
            Self::SourceShare => "source-share",
            Self::TlsRequired => "tls-required",
        }
    }

    /// Whether the session is over once the reply is said.
    pub fn closes(self) -> bool {
        self.code() == ReplyCode::SERVICE_NOT_AVAILABLE
    }

    /// What to say to the peer, in the words of `profile`.
    pub fn reply(self, profile: ReplyProfile) -> Reply {
        let code = match (self, profile) {
            (Self::IdleTimeout | Self::TlsRequired, ReplyProfile::Exchange) => {
                ReplyCode::LOCAL_ERROR
            }
            _ => self.code(),
        };
        Reply::new(code, self.status(profile), self.text(profile))
    }

    fn code(self) -> ReplyCode {
        match self {
            Self::ConnectionRate
            | Self::Connections
            | Self::IdleTimeout
            | Self::LogonFailures
            | Self::MessageRate
            | Self::NotServed
            | Self::ProtocolErrors
            | Self::SessionTimeout
            | Self::SourceConnections
            | Self::SourceShare => ReplyCode::SERVICE_NOT_AVAILABLE,
            Self::HeaderSize | Self::MessageSize => ReplyCode::EXCEEDED_STORAGE,
            Self::HelloDomain => ReplyCode::PARAMETER_SYNTAX,
            Self::Hops | Self::OwnHops => ReplyCode::TRANSACTION_FAILED,
            Self::NotAuthenticated | Self::TlsRequired => ReplyCode::AUTHENTICATION_REQUIRED,
            Self::Recipients => ReplyCode::INSUFFICIENT_STORAGE,
            Self::OwnSender
            | Self::RelayDenied
            | Self::ReservedSecondLevel
            | Self::ReservedTopLevel
            | Self::SendAs
            | Self::SingleLabel => ReplyCode::MAILBOX_UNAVAILABLE,
        }
    }

    fn status(self, profile: ReplyProfile) -> EnhancedStatusCode {
        use EnhancedStatusCode as Status;
        let is_exchange = profile == ReplyProfile::Exchange;
        let either = |exchange, plain| if is_exchange { exchange } else { plain };
        match self {
            Self::ConnectionRate
            | Self::Connections
            | Self::NotServed
            | Self::SourceConnections
            | Self::SourceShare => Status::transient(3, 2),
            Self::HeaderSize | Self::MessageSize => Status::permanent(3, 4),
            Self::HelloDomain => Status::permanent(5, 4),
            Self::Hops | Self::OwnHops => Status::permanent(4, 6),
            Self::IdleTimeout if is_exchange => Status::transient(7, 0),
            Self::IdleTimeout | Self::MessageRate => Status::transient(4, 2),
            Self::LogonFailures | Self::ProtocolErrors => Status::transient(7, 0),
            Self::NotAuthenticated => Status::permanent(7, either(57, 1)),
            Self::OwnSender | Self::SendAs => Status::permanent(7, either(60, 1)),
            Self::Recipients => Status::transient(5, 3),
            Self::RelayDenied => Status::permanent(7, either(54, 1)),
            Self::ReservedSecondLevel => Status::permanent(1, 5),
            Self::ReservedTopLevel => Status::permanent(1, 4),
            Self::SessionTimeout => Status::transient(4, either(1, 2)),
            Self::SingleLabel => Status::permanent(1, 6),
            Self::TlsRequired => Status::permanent(7, either(3, 0)),
        }
    }

    fn text(self, profile: ReplyProfile) -> &'static str {
        use ReplyProfile::Exchange;
        match (self, profile) {
            (Self::ConnectionRate, _) => {
                "The maximum number of new connections per minute has exceeded a limit, closing \
                 transmission channel"
            }
            (Self::Connections, _) => {
                "The maximum number of concurrent connections has exceeded a limit, closing \
                 transmission channel"
            }
            (Self::SourceConnections | Self::SourceShare, _) => {
                "The maximum number of concurrent connections has exceeded a limit for this \
                 source, closing transmission channel"
            }
            (Self::HeaderSize, _) => "Header size exceeds fixed maximum size",
            (Self::HelloDomain, _) => "Invalid domain name",
            (Self::Hops | Self::OwnHops, _) => "Hop count exceeded - possible mail loop",
            (Self::IdleTimeout, Exchange) => "Timeout waiting for client input",
            (Self::IdleTimeout, _) => {
                "Timeout waiting for client input, closing transmission channel"
            }
            (Self::LogonFailures, _) => "Too many logon failures, closing transmission channel",
            (Self::MessageRate, _) => {
                "Message submission rate for this client has exceeded the configured limit"
            }
            (Self::MessageSize, _) => "Message size exceeds fixed maximum message size",
            (Self::NotAuthenticated, Exchange) => {
                "SMTP; Client was not authenticated to send anonymous mail during MAIL FROM"
            }
            (Self::NotAuthenticated, _) => "Client was not authenticated",
            (Self::NotServed, _) => "Service not available",
            (Self::OwnSender | Self::SendAs, Exchange) => {
                "SMTP; Client does not have permissions to send as this sender"
            }
            (Self::OwnSender | Self::SendAs, _) => {
                "Client does not have permissions to send as this sender"
            }
            (Self::ProtocolErrors, _) => {
                "Too many errors on this connection, closing transmission channel"
            }
            (Self::Recipients, _) => "Too many recipients",
            (Self::RelayDenied, Exchange) => {
                "SMTP; Unable to relay recipient in non-accepted domain"
            }
            (Self::RelayDenied, _) => "Unable to relay",
            (Self::ReservedSecondLevel, _) => "Recipient domain is a reserved second-level domain",
            (Self::ReservedTopLevel, _) => "Recipient domain is a reserved top-level domain",
            (Self::SessionTimeout, Exchange) => "Connection timed out",
            (Self::SessionTimeout, _) => "Session lasted too long, closing transmission channel",
            (Self::SingleLabel, _) => "Recipient domain has a single label",
            (Self::TlsRequired, Exchange) => "STARTTLS is required to send mail",
            (Self::TlsRequired, _) => "Must issue a STARTTLS command first",
        }
    }
}
