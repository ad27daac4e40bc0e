//! Every reply that the session says by itself. The words are Exchange's where it has them.

use transom_types::{EnhancedStatusCode, Reply, ReplyCode};

/// A reply whose text is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fixed {
    code: ReplyCode,
    enhanced: EnhancedStatusCode,
    text: &'static str,
}

impl Fixed {
    pub(super) fn reply(self) -> Reply {
        Reply::new(self.code, self.enhanced, self.text)
    }
}

const fn ok(subject: u16, detail: u16, text: &'static str) -> Fixed {
    fixed(ReplyCode::OK, EnhancedStatusCode::success(subject, detail), text)
}

const fn closing(subject: u16, detail: u16, text: &'static str) -> Fixed {
    let enhanced = EnhancedStatusCode::transient(subject, detail);
    fixed(ReplyCode::SERVICE_NOT_AVAILABLE, enhanced, text)
}

const fn no(code: ReplyCode, subject: u16, detail: u16, text: &'static str) -> Fixed {
    fixed(code, EnhancedStatusCode::permanent(subject, detail), text)
}

const fn fixed(code: ReplyCode, enhanced: EnhancedStatusCode, text: &'static str) -> Fixed {
    Fixed { code, enhanced, text }
}

pub(super) const SENDER_OK: Fixed = ok(1, 0, "Sender OK");
pub(super) const RECIPIENT_OK: Fixed = ok(1, 5, "Recipient OK");
pub(super) const QUEUED: Fixed = ok(6, 0, "Queued mail for delivery");
pub(super) const NOOP: Fixed = ok(0, 0, "OK");
pub(super) const RESETTING: Fixed = ok(0, 0, "Resetting");
pub(super) const TLS_READY: Fixed =
    fixed(ReplyCode::READY, EnhancedStatusCode::success(0, 0), "SMTP server ready");
pub(super) const BYE: Fixed = fixed(
    ReplyCode::CLOSING,
    EnhancedStatusCode::success(0, 0),
    "Service closing transmission channel",
);
pub(super) const CANNOT_VERIFY: Fixed = fixed(
    ReplyCode::CANNOT_VERIFY,
    EnhancedStatusCode::success(1, 5),
    "Cannot VRFY user, but will take message for this user and attempt delivery",
);

pub(super) const CANNOT_EXPAND: Fixed = fixed(
    ReplyCode::CANNOT_VERIFY,
    EnhancedStatusCode::success(1, 5),
    "Cannot EXPN list, but will take message for it and attempt delivery",
);
/// [RFC 1985 §5.2] 250 where nothing is known of what waits.
pub(super) const QUEUING_STARTED: Fixed = ok(0, 0, "Queuing for node started");

pub(super) const SHUTDOWN: Fixed =
    closing(3, 2, "Service not available, closing transmission channel");
pub(super) const TIMEOUT: Fixed =
    closing(4, 2, "Timeout waiting for client input, closing transmission channel");
pub(super) const TOO_MANY_ERRORS: Fixed =
    closing(7, 0, "Too many errors on this connection, closing transmission channel");
pub(super) const TOO_MUCH_JUNK: Fixed =
    closing(7, 0, "Too many commands without mail, closing transmission channel");
pub(super) const TOO_MANY_TRANSACTIONS: Fixed =
    closing(7, 0, "Too many messages on this connection, closing transmission channel");

pub(super) const TOO_MANY_RECIPIENTS: Fixed = fixed(
    ReplyCode::INSUFFICIENT_STORAGE,
    EnhancedStatusCode::transient(5, 3),
    "Too many recipients",
);

pub(super) const SEND_HELLO: Fixed = no(ReplyCode::BAD_SEQUENCE, 5, 2, "Send hello first");
pub(super) const NEED_MAIL: Fixed = no(ReplyCode::BAD_SEQUENCE, 5, 2, "Need mail command");
pub(super) const NEED_RCPT: Fixed = no(ReplyCode::BAD_SEQUENCE, 5, 2, "Need rcpt command");
pub(super) const SENDER_GIVEN: Fixed =
    no(ReplyCode::BAD_SEQUENCE, 5, 1, "Sender already specified");
pub(super) const CHUNKS_BEGUN: Fixed =
    no(ReplyCode::BAD_SEQUENCE, 5, 1, "Chunks have begun, only BDAT may follow");
pub(super) const TLS_ACTIVE: Fixed = no(ReplyCode::BAD_SEQUENCE, 5, 1, "TLS already active");
pub(super) const IN_TRANSACTION: Fixed =
    no(ReplyCode::BAD_SEQUENCE, 5, 1, "Not inside a mail transaction");
pub(super) const ONLY_QUIT: Fixed = no(ReplyCode::BAD_SEQUENCE, 5, 1, "No service, only QUIT");
pub(super) const NOT_IMPLEMENTED: Fixed =
    no(ReplyCode::COMMAND_NOT_IMPLEMENTED, 5, 1, "Command not implemented");
/// [RFC 2033 §4.1] 500 to the greeting of the other protocol.
pub(super) const OTHER_PROTOCOL: Fixed =
    no(ReplyCode::COMMAND_UNRECOGNIZED, 5, 1, "This is the greeting of another protocol");
pub(super) const BINARY_NEEDS_BDAT: Fixed =
    no(ReplyCode::BAD_SEQUENCE, 5, 1, "BODY=BINARYMIME needs BDAT");
pub(super) const NOT_TRUSTED: Fixed =
    no(ReplyCode::MAILBOX_UNAVAILABLE, 7, 0, "Insufficient authorization");
pub(super) const PARAMETER_BEYOND_LIMIT: Fixed =
    no(ReplyCode::PARAMETER_SYNTAX, 5, 4, "Parameter is outside its announced limits");
pub(super) const NEED_TLS: Fixed =
    no(ReplyCode::AUTHENTICATION_REQUIRED, 7, 0, "Must issue a STARTTLS command first");
pub(super) const PARAMETER_NOT_OFFERED: Fixed =
    no(ReplyCode::PARAMETERS_NOT_RECOGNIZED, 5, 4, "Parameter not recognized or not implemented");
pub(super) const TOO_LARGE: Fixed =
    no(ReplyCode::EXCEEDED_STORAGE, 3, 4, "Message size exceeds fixed maximum message size");
pub(super) const NEEDS_SMTPUTF8: Fixed =
    no(ReplyCode::MAILBOX_NAME, 6, 7, "Address is not ASCII and SMTPUTF8 was not given");
pub(super) const ILLEGAL_OCTET: Fixed = no(
    ReplyCode::MAILBOX_UNAVAILABLE,
    6,
    11,
    "Message contains bare CR, bare LF or NUL, which is not allowed",
);
pub(super) const EARLY_TALKER: Fixed =
    no(ReplyCode::TRANSACTION_FAILED, 5, 0, "Client spoke before the greeting");
pub(super) const PIPELINING: Fixed =
    no(ReplyCode::TRANSACTION_FAILED, 5, 0, "Client did not wait for a reply it had to wait for");
pub(super) const AUTHENTICATED: Fixed =
    fixed(ReplyCode::AUTHENTICATED, EnhancedStatusCode::success(7, 0), "Authentication successful");
pub(super) const CREDENTIALS_INVALID: Fixed =
    no(ReplyCode::CREDENTIALS_INVALID, 7, 8, "Authentication unsuccessful");
/// [RFC 4954 §6] 454 where the credentials cannot be checked now.
pub(super) const AUTHENTICATION_UNAVAILABLE: Fixed = fixed(
    ReplyCode::TLS_NOT_AVAILABLE,
    EnhancedStatusCode::transient(7, 0),
    "Temporary authentication failure",
);
pub(super) const ALREADY_AUTHENTICATED: Fixed =
    no(ReplyCode::BAD_SEQUENCE, 5, 1, "Already authenticated");
pub(super) const MECHANISM_UNKNOWN: Fixed =
    no(ReplyCode::PARAMETER_NOT_IMPLEMENTED, 5, 4, "Unrecognized authentication type");
pub(super) const MECHANISM_NEEDS_TLS: Fixed = no(
    ReplyCode::ENCRYPTION_REQUIRED,
    7,
    11,
    "Encryption required for requested authentication mechanism",
);
pub(super) const AUTHENTICATION_CANCELLED: Fixed =
    no(ReplyCode::PARAMETER_SYNTAX, 7, 0, "Authentication cancelled");
pub(super) const RESPONSE_MALFORMED: Fixed =
    no(ReplyCode::PARAMETER_SYNTAX, 5, 2, "Cannot decode the response");
pub(super) const RESPONSE_TOO_LONG: Fixed =
    no(ReplyCode::COMMAND_UNRECOGNIZED, 5, 6, "Authentication exchange line is too long");
pub(super) const TOO_MANY_LOGON_FAILURES: Fixed =
    closing(7, 0, "Too many logon failures, closing transmission channel");
pub(super) const LINE_TOO_LONG: Fixed = no(ReplyCode::COMMAND_UNRECOGNIZED, 5, 2, "Line too long");
pub(super) const LINE_END: Fixed =
    no(ReplyCode::COMMAND_UNRECOGNIZED, 5, 2, "Line must end with CRLF");

/// [RFC 2034 §4] 354 carries no enhanced status code: it is neither success nor failure.
pub(super) fn start_mail_input() -> Reply {
    Reply::bare(ReplyCode::START_MAIL_INPUT, "Start mail input; end with <CRLF>.<CRLF>")
}

pub(super) fn help() -> Reply {
    Reply::bare(
        ReplyCode::HELP,
        "This server supports the following commands:\n\
         EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT",
    )
}

/// [RFC 3030 §2] the reply to a chunk tells its length.
pub(super) fn chunk_received(octets: u64) -> Reply {
    let text = format!("{octets} octets received");
    Reply::new(ReplyCode::OK, EnhancedStatusCode::success(0, 0), text)
}
