//! Which failures are to be taken otherwise than the peer meant them.

use std::fmt;
use std::str::FromStr;

use transom_types::{
    AttemptStage, EnhancedStatusCode, Outcome, ReplyCode, Severity, Status, StatusClass,
};

/// `ErrorPolicies` of a send connector. [`Default`] takes every failure as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorPolicies {
    /// Whether domains and hosts that the DNS does not know are tried again
    /// (`DowngradeDnsFailures`); off.
    pub downgrade_dns_failures: bool,
    /// Permanent codes of peers that are taken as transient (`DowngradeCustomFailures`); none.
    pub downgrade: Vec<ErrorCode>,
    /// Transient codes of peers that are taken as permanent (`UpgradeCustomFailures`); none.
    pub upgrade: Vec<ErrorCode>,
}

/// A code of a reply: `550`, or `5.7.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a reply has these two codes")]
pub enum ErrorCode {
    /// The one in the text.
    Enhanced(EnhancedStatusCode),
    /// The one in front.
    Reply(ReplyCode),
}

impl ErrorPolicies {
    /// The same with failures of the DNS tried again, or not.
    #[must_use]
    pub fn with_downgrade_dns_failures(self, downgrade_dns_failures: bool) -> Self {
        Self { downgrade_dns_failures, ..self }
    }

    /// The same with these permanent codes taken as transient.
    #[must_use]
    pub fn with_downgrade(self, downgrade: Vec<ErrorCode>) -> Self {
        Self { downgrade, ..self }
    }

    /// The same with these transient codes taken as permanent.
    #[must_use]
    pub fn with_upgrade(self, upgrade: Vec<ErrorCode>) -> Self {
        Self { upgrade, ..self }
    }

    /// How an attempt ended, as the policies see it. The words of the peer stay; only what becomes
    /// of the recipient changes.
    #[must_use]
    pub fn apply(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Failed(mut status) if self.downgrades(&status) => {
                status.code = status.code.with_class(StatusClass::PersistentTransient);
                Outcome::Deferred(status)
            }
            Outcome::Deferred(mut status) if self.upgrades(&status) => {
                status.code = status.code.with_class(StatusClass::Permanent);
                Outcome::Failed(status)
            }
            other => other,
        }
    }

    fn downgrades(&self, status: &Status) -> bool {
        (self.downgrade_dns_failures && is_of_dns(status)) || is_among(&self.downgrade, status)
    }

    fn upgrades(&self, status: &Status) -> bool {
        is_among(&self.upgrade, status)
    }
}

/// Whether the DNS did not know a name. A domain that says there that it takes no mail, and one
/// whose mail would come back to us, have other codes: that is no failure of the DNS.
fn is_of_dns(status: &Status) -> bool {
    let unknown = status.code == EnhancedStatusCode::permanent(4, 4);
    let by_us = status.stage == AttemptStage::Dns && status.remote.is_none();
    unknown && by_us && status.reply.code() == ReplyCode::MAILBOX_UNAVAILABLE
}

/// Whether a peer said one of these codes. Our own findings have codes too, and no policy.
fn is_among(codes: &[ErrorCode], status: &Status) -> bool {
    let said = |code: &ErrorCode| match code {
        ErrorCode::Enhanced(code) => status.code == *code,
        ErrorCode::Reply(code) => status.reply.code() == *code,
    };
    status.remote.is_some() && codes.iter().any(said)
}

impl ErrorCode {
    /// Whether the code says that the failure may pass.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Enhanced(code) => code.class() == StatusClass::PersistentTransient,
            Self::Reply(code) => code.severity() == Severity::TransientNegative,
        }
    }

    /// Whether the code says that the failure is for good.
    pub fn is_permanent(self) -> bool {
        match self {
            Self::Enhanced(code) => code.class() == StatusClass::Permanent,
            Self::Reply(code) => code.severity() == Severity::PermanentNegative,
        }
    }
}

impl FromStr for ErrorCode {
    type Err = ParseErrorCodeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let enhanced = text.parse().map(Self::Enhanced);
        let code = enhanced.or_else(|_| text.parse().map(Self::Reply));
        let failure = code.ok().filter(|code: &Self| code.is_transient() || code.is_permanent());
        failure.ok_or_else(|| ParseErrorCodeError { found: text.into() })
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enhanced(code) => write!(f, "{code}"),
            Self::Reply(code) => write!(f, "{code}"),
        }
    }
}

/// The text is no code of a failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{found}\" is no code of a failure: 450 or 550, 4.7.1 or 5.7.1")]
#[non_exhaustive]
pub struct ParseErrorCodeError {
    /// The text.
    pub found: String,
}
