//! Every reply that the session says by itself, and its plain words. They are Exchange's where it
//! has them and RFC advice does not differ.

use transom_types::{EnhancedStatusCode, Reply, ReplyCode};

use crate::codec::CommandError;

/// What a reply says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) code: ReplyCode,
    pub(super) enhanced: Option<EnhancedStatusCode>,
    pub(super) text: &'static str,
}

macro_rules! replies {
    ($($(#[$doc:meta])* $name:ident = $words:expr;)*) => {
        /// A reply that the session says by itself. A [`ReplyProfile`](super::ReplyProfile) has the
        /// words of each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FixedReply { $($(#[$doc])* $name,)* }

        impl FixedReply {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub(super) const fn plain(self) -> Words {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

replies! {
    /// AUTH behind a success.
    AlreadyAuthenticated = no(ReplyCode::BAD_SEQUENCE, 5, 1, "Already authenticated");
    /// AUTH where no mechanism is.
    AuthNotOffered = no(ReplyCode::COMMAND_NOT_IMPLEMENTED, 5, 1, "Command not implemented");
    /// AUTH is done.
    Authenticated = fixed(
        ReplyCode::AUTHENTICATED, EnhancedStatusCode::success(7, 0),
        "Authentication successful",
    );
    /// The client cancelled.
    AuthenticationCancelled = no(ReplyCode::PARAMETER_SYNTAX, 7, 0, "Authentication cancelled");
    // [RFC 4954 §6] 454 where the credentials cannot be checked now.
    /// Credentials cannot be checked now.
    AuthenticationUnavailable = fixed(
        ReplyCode::TLS_NOT_AVAILABLE, EnhancedStatusCode::transient(7, 0),
        "Temporary authentication failure",
    );
    /// DATA behind BODY=BINARYMIME.
    BinaryNeedsBdat = no(ReplyCode::BAD_SEQUENCE, 5, 1, "BODY=BINARYMIME needs BDAT");
    /// EXPN, where the application says nothing.
    CannotExpand = fixed(
        ReplyCode::CANNOT_VERIFY, EnhancedStatusCode::success(1, 5),
        "Cannot EXPN list, but will take message for it and attempt delivery",
    );
    /// VRFY, where the application says nothing.
    CannotVerify = fixed(
        ReplyCode::CANNOT_VERIFY, EnhancedStatusCode::success(1, 5),
        "Cannot VRFY user, but will take message for this user and attempt delivery",
    );
    /// A chunk that is not the last; `{octets}` is its length.
    ChunkReceived = ok(0, 0, "{octets} octets received");
    /// Between chunks.
    ChunksBegun = no(ReplyCode::BAD_SEQUENCE, 5, 1, "Chunks have begun, only BDAT may follow");
    /// Wrong credentials.
    CredentialsInvalid = no(ReplyCode::CREDENTIALS_INVALID, 7, 8, "Authentication unsuccessful");
    /// Octets before the greeting.
    EarlyTalker = no(ReplyCode::TRANSACTION_FAILED, 5, 0, "Client spoke before the greeting");
    /// The greeting: `{name}` is the host, `{greeting}` the text of the configuration, `{date}`
    /// what [`ServerConfig::banner`](super::ServerConfig::banner) was told.
    Greeting = bare(ReplyCode::READY, "{name} {greeting}");
    /// First line of the reply to EHLO, HELO and LHLO: `{name}` is the host, `{address}` that of
    /// the client, where it is known
    /// ([`set_client_address`](super::ServerSession::set_client_address)).
    Hello = bare(ReplyCode::OK, "{name}");
    /// HELP.
    Help = bare(
        ReplyCode::HELP,
        "This server supports the following commands:\n\
         EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT",
    );
    /// HELP under LMTP.
    HelpLmtp = bare(
        ReplyCode::HELP,
        "This server supports the following commands:\n\
         LHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT",
    );
    /// No command, or no content, came in time.
    IdleTimeout = closing(4, 2, "Timeout waiting for client input, closing transmission channel");
    /// Bare CR, bare LF or NUL in content.
    IllegalOctet = no(
        ReplyCode::MAILBOX_UNAVAILABLE, 6, 11,
        "Message contains bare CR, bare LF or NUL, which is not allowed",
    );
    /// Not inside a transaction.
    InTransaction = no(ReplyCode::BAD_SEQUENCE, 5, 1, "Not inside a mail transaction");
    /// No host name behind EHLO.
    InvalidDomain = no(ReplyCode::PARAMETER_SYNTAX, 5, 4, "Invalid domain name");
    /// No path behind RCPT TO.
    InvalidRecipient = no(ReplyCode::PARAMETER_SYNTAX, 1, 3, "Invalid address");
    /// No path behind MAIL FROM.
    InvalidSender = no(ReplyCode::PARAMETER_SYNTAX, 1, 7, "Invalid address");
    /// A command line without CRLF.
    LineEnd = no(ReplyCode::COMMAND_UNRECOGNIZED, 5, 2, "Line must end with CRLF");
    /// A command line that is too long.
    LineTooLong = no(ReplyCode::COMMAND_UNRECOGNIZED, 5, 2, "Line too long");
    /// A mechanism that is offered in TLS only.
    MechanismNeedsTls = no(
        ReplyCode::ENCRYPTION_REQUIRED, 7, 11,
        "Encryption required for requested authentication mechanism",
    );
    /// A mechanism that is not offered.
    MechanismUnknown =
        no(ReplyCode::PARAMETER_NOT_IMPLEMENTED, 5, 4, "Unrecognized authentication type");
    /// A message above the size limit.
    MessageTooLarge =
        no(ReplyCode::EXCEEDED_STORAGE, 3, 4, "Message size exceeds fixed maximum message size");
    /// Only behind MAIL.
    NeedMail = no(ReplyCode::BAD_SEQUENCE, 5, 2, "Need mail command");
    /// Only behind an accepted RCPT.
    NeedRcpt = no(ReplyCode::BAD_SEQUENCE, 5, 2, "Need rcpt command");
    /// A command that needs TLS.
    NeedTls = no(ReplyCode::AUTHENTICATION_REQUIRED, 7, 0, "Must issue a STARTTLS command first");
    /// An address beyond ASCII without SMTPUTF8.
    NeedsSmtputf8 =
        no(ReplyCode::MAILBOX_NAME, 6, 7, "Address is not ASCII and SMTPUTF8 was not given");
    /// A command that is switched off.
    NotImplemented = no(ReplyCode::COMMAND_NOT_IMPLEMENTED, 5, 1, "Command not implemented");
    /// XCLIENT or XFORWARD from a peer that is not trusted.
    NotTrusted = no(ReplyCode::MAILBOX_UNAVAILABLE, 7, 0, "Insufficient authorization");
    /// NOOP, and what has no better words.
    Ok = ok(0, 0, "OK");
    /// Anything but QUIT in a refused session.
    OnlyQuit = no(ReplyCode::BAD_SEQUENCE, 5, 1, "No service, only QUIT");
    // [RFC 2033 §4.1-a] 500 to the greeting of the other protocol.
    /// LHLO under SMTP, EHLO and HELO under LMTP.
    OtherProtocol =
        no(ReplyCode::COMMAND_UNRECOGNIZED, 5, 1, "This is the greeting of another protocol");
    /// A parameter outside of what EHLO said.
    ParameterBeyondLimit =
        no(ReplyCode::PARAMETER_SYNTAX, 5, 4, "Parameter is outside its announced limits");
    /// A parameter that EHLO did not offer.
    ParameterNotOffered = no(
        ReplyCode::PARAMETERS_NOT_RECOGNIZED, 5, 4,
        "Parameter not recognized or not implemented",
    );
    /// Octets behind a command whose reply had to be awaited.
    Pipelining = no(
        ReplyCode::TRANSACTION_FAILED, 5, 0,
        "Client did not wait for a reply it had to wait for",
    );
    /// The end of data is taken.
    Queued = ok(6, 0, "Queued mail for delivery");
    // [RFC 1985 §5.2] 250 where nothing is known of what waits.
    /// ETRN, where the application says nothing.
    QueuingStarted = ok(0, 0, "Queuing for node started");
    /// QUIT.
    Quit = fixed(
        ReplyCode::CLOSING, EnhancedStatusCode::success(0, 0),
        "Service closing transmission channel",
    );
    /// RCPT is taken.
    RecipientOk = ok(1, 5, "Recipient OK");
    /// RSET.
    Reset = ok(0, 0, "Resetting");
    /// A response that is no base64.
    ResponseMalformed = no(ReplyCode::PARAMETER_SYNTAX, 5, 2, "Cannot decode the response");
    /// A response that is too long.
    ResponseTooLong =
        no(ReplyCode::COMMAND_UNRECOGNIZED, 5, 6, "Authentication exchange line is too long");
    /// Only behind EHLO.
    SendHello = no(ReplyCode::BAD_SEQUENCE, 5, 2, "Send hello first");
    /// A second MAIL.
    SenderGiven = no(ReplyCode::BAD_SEQUENCE, 5, 1, "Sender already specified");
    /// MAIL is taken.
    SenderOk = ok(1, 0, "Sender OK");
    /// The session lasted too long.
    SessionTimeout = closing(4, 2, "Session lasted too long, closing transmission channel");
    /// The server shuts down.
    Shutdown = closing(3, 2, "Service not available, closing transmission channel");
    /// DATA.
    StartMailInput = bare(ReplyCode::START_MAIL_INPUT, "Start mail input; end with <CRLF>.<CRLF>");
    /// STARTTLS in TLS.
    TlsActive = no(ReplyCode::BAD_SEQUENCE, 5, 1, "TLS already active");
    /// STARTTLS.
    TlsReady = fixed(ReplyCode::READY, EnhancedStatusCode::success(0, 0), "SMTP server ready");
    /// Protocol errors above their limit.
    TooManyErrors =
        closing(7, 0, "Too many errors on this connection, closing transmission channel");
    /// Failed logons at their limit.
    TooManyLogonFailures = closing(7, 0, "Too many logon failures, closing transmission channel");
    /// RCPT above the limit.
    TooManyRecipients = fixed(
        ReplyCode::INSUFFICIENT_STORAGE, EnhancedStatusCode::transient(5, 3),
        "Too many recipients",
    );
    /// Transactions above their limit.
    TooManyTransactions =
        closing(7, 0, "Too many messages on this connection, closing transmission channel");
    /// Commands that move no mail above their limit.
    TooMuchJunk = closing(7, 0, "Too many commands without mail, closing transmission channel");
    /// A verb that nobody knows.
    UnknownVerb = no(ReplyCode::COMMAND_UNRECOGNIZED, 3, 3, "Unrecognized command");
}

impl FixedReply {
    /// What is said to a line that is no command, where profiles differ in it.
    pub(super) fn to_error(wrong: &CommandError) -> Option<Self> {
        match wrong {
            CommandError::ForwardPath(_) => Some(Self::InvalidRecipient),
            CommandError::HelloName(_) => Some(Self::InvalidDomain),
            CommandError::ReversePath(_) => Some(Self::InvalidSender),
            CommandError::UnknownVerb { .. } => Some(Self::UnknownVerb),
            _ => None,
        }
    }
}

impl Words {
    pub(super) fn reply(self) -> Reply {
        match self.enhanced {
            Some(enhanced) => Reply::new(self.code, enhanced, self.text),
            None => Reply::bare(self.code, self.text),
        }
    }
}

// [RFC 2034 §4-a, §4-b] a code of the class that the reply has.
const fn ok(subject: u16, detail: u16, text: &'static str) -> Words {
    fixed(ReplyCode::OK, EnhancedStatusCode::success(subject, detail), text)
}

const fn closing(subject: u16, detail: u16, text: &'static str) -> Words {
    let enhanced = EnhancedStatusCode::transient(subject, detail);
    fixed(ReplyCode::SERVICE_NOT_AVAILABLE, enhanced, text)
}

pub(super) const fn no(code: ReplyCode, subject: u16, detail: u16, text: &'static str) -> Words {
    fixed(code, EnhancedStatusCode::permanent(subject, detail), text)
}

pub(super) const fn fixed(
    code: ReplyCode,
    enhanced: EnhancedStatusCode,
    text: &'static str,
) -> Words {
    Words { code, enhanced: Some(enhanced), text }
}

/// [RFC 2034 §4-d] greetings, 354 and replies to EHLO and HELP have no enhanced status code.
pub(super) const fn bare(code: ReplyCode, text: &'static str) -> Words {
    Words { code, enhanced: None, text }
}
