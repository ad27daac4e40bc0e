//! Three-digit reply codes (RFC 5321 §4.2).
//!
//! Parses, prints and grades. The text beside a code is in [`Reply`](crate::Reply); what a code
//! does to a queued message is decided in the queue crate, never here.

use std::fmt;
use std::str::FromStr;

/// `Reply-code = %x32-35 %x30-35 %x30-39`. A value of this type obeys that grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyCode(u16);

/// How a command went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "RFC 5321 §4.2.1 has these four")]
pub enum Severity {
    /// 2yz: done.
    PositiveCompletion,
    /// 3yz: go on.
    PositiveIntermediate,
    /// 4yz: not now.
    TransientNegative,
    /// 5yz: not so.
    PermanentNegative,
}

/// The codes that are used by name.
impl ReplyCode {
    /// 214: help.
    pub const HELP: Self = Self(214);
    /// 220: service ready.
    pub const READY: Self = Self(220);
    /// 221: closing.
    pub const CLOSING: Self = Self(221);
    /// 235: authenticated (RFC 4954 §6).
    pub const AUTHENTICATED: Self = Self(235);
    /// 250: done.
    pub const OK: Self = Self(250);
    /// 252: cannot verify, will try.
    pub const CANNOT_VERIFY: Self = Self(252);
    /// 334: the server's challenge (RFC 4954 §4).
    pub const CHALLENGE: Self = Self(334);
    /// 354: start mail input.
    pub const START_MAIL_INPUT: Self = Self(354);
    /// 421: service not available, closing.
    pub const SERVICE_NOT_AVAILABLE: Self = Self(421);
    /// 450: mailbox busy.
    pub const MAILBOX_BUSY: Self = Self(450);
    /// 451: local error.
    pub const LOCAL_ERROR: Self = Self(451);
    /// 452: not enough storage, or too many recipients.
    pub const INSUFFICIENT_STORAGE: Self = Self(452);
    /// 454: TLS not available, or temporary authentication failure.
    pub const TLS_NOT_AVAILABLE: Self = Self(454);
    /// 500: command unknown or too long.
    pub const COMMAND_UNRECOGNIZED: Self = Self(500);
    /// 501: syntax error in parameters.
    pub const PARAMETER_SYNTAX: Self = Self(501);
    /// 502: command not implemented.
    pub const COMMAND_NOT_IMPLEMENTED: Self = Self(502);
    /// 503: bad sequence.
    pub const BAD_SEQUENCE: Self = Self(503);
    /// 504: parameter not implemented.
    pub const PARAMETER_NOT_IMPLEMENTED: Self = Self(504);
    /// 530: authentication required, or STARTTLS first.
    pub const AUTHENTICATION_REQUIRED: Self = Self(530);
    /// 535: the credentials are not valid (RFC 4954 §6).
    pub const CREDENTIALS_INVALID: Self = Self(535);
    /// 538: this mechanism needs encryption (RFC 5248 §2.4).
    pub const ENCRYPTION_REQUIRED: Self = Self(538);
    /// 550: mailbox unavailable, or refused by policy.
    pub const MAILBOX_UNAVAILABLE: Self = Self(550);
    /// 552: too large.
    pub const EXCEEDED_STORAGE: Self = Self(552);
    /// 553: mailbox name not allowed.
    pub const MAILBOX_NAME: Self = Self(553);
    /// 554: transaction failed.
    pub const TRANSACTION_FAILED: Self = Self(554);
    /// 555: parameters not recognized.
    pub const PARAMETERS_NOT_RECOGNIZED: Self = Self(555);
    /// 556: the domain takes no mail (RFC 7504 §2).
    pub const DOMAIN_TAKES_NO_MAIL: Self = Self(556);

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }

    /// How the command went, from the first digit alone.
    pub fn severity(self) -> Severity {
        // [RFC 5321 §4.2-d, §4.3.2-a] a code we do not know is graded by its first digit.
        match self.0 / 100 {
            2 => Severity::PositiveCompletion,
            3 => Severity::PositiveIntermediate,
            4 => Severity::TransientNegative,
            _ => Severity::PermanentNegative, // 5: the parser admits nothing above
        }
    }

    /// Whether this is 2yz.
    pub fn is_positive(self) -> bool {
        self.severity() == Severity::PositiveCompletion
    }
}

impl TryFrom<u16> for ReplyCode {
    type Error = ParseReplyCodeError;
    fn try_from(number: u16) -> Result<Self, Self::Error> {
        let well_formed = (200..600).contains(&number) && number / 10 % 10 <= 5;
        if well_formed {
            Ok(Self(number))
        } else {
            Err(ParseReplyCodeError { found: number.to_string() })
        }
    }
}

impl FromStr for ReplyCode {
    type Err = ParseReplyCodeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // [RFC 5321 §4.2-e, §4.3.2-b] three digits, the first from 2 to 5.
        let well_formed = matches!(text.as_bytes(), [b'2'..=b'5', b'0'..=b'5', b'0'..=b'9']);
        let number = text.parse().ok().filter(|_| well_formed);
        number.map(Self).ok_or_else(|| ParseReplyCodeError { found: excerpt(text) })
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The text is no reply code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no reply code: three digits, the first 2 to 5, the second 0 to 5")]
#[non_exhaustive]
pub struct ParseReplyCodeError {
    /// What was found instead, cut to its first characters.
    pub found: String,
}

/// The beginning of what a peer said, for an error: the whole could be of any length.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(16).collect()
}
