//! Remote domains: what may be sent to a destination by itself, without a person asking for it.

use std::fmt;
use std::str::FromStr;

use crate::AddressPattern;
use crate::address_space::parse_pattern;

/// What is sent to a domain. Of several that match, the most specific counts; where none does,
/// all is sent. In brackets stands the name of the parameter in Exchange.
///
/// Settings of Exchange that choose formats and character sets are not here: a message is
/// never rewritten on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, one a kind of mail")]
#[non_exhaustive]
pub struct RemoteDomain {
    /// The domains (`DomainName`).
    pub pattern: AddressPattern,
    /// Whether reports of failure are sent there (yes; `NDREnabled`).
    pub ndr: bool,
    /// Whether those reports hold what servers said and the headers that they came through (yes;
    /// `NDRDiagnosticInfoEnabled`).
    pub ndr_diagnostics: bool,
    /// Whether reports of success and of relaying are sent there (yes; `DeliveryReportEnabled`).
    pub delivery_reports: bool,
    /// Whether automatic replies are sent there (yes; `AutoReplyEnabled`).
    pub auto_reply: bool,
    /// Whether what a recipient's program forwards by itself is sent there (yes;
    /// `AutoForwardEnabled`).
    pub auto_forward: bool,
}

impl RemoteDomain {
    /// For these domains all is sent.
    fn new(pattern: AddressPattern) -> Self {
        Self {
            pattern,
            ndr: true,
            ndr_diagnostics: true,
            delivery_reports: true,
            auto_reply: true,
            auto_forward: true,
        }
    }

    /// Every domain that no other entry matches.
    pub fn any() -> Self {
        Self::new(AddressPattern::Any)
    }

    /// The same with reports of failure, or without.
    #[must_use]
    pub fn with_ndr(self, ndr: bool) -> Self {
        Self { ndr, ..self }
    }

    /// The same with diagnostics in reports of failure, or without.
    #[must_use]
    pub fn with_ndr_diagnostics(self, ndr_diagnostics: bool) -> Self {
        Self { ndr_diagnostics, ..self }
    }

    /// The same with reports of success, or without.
    #[must_use]
    pub fn with_delivery_reports(self, delivery_reports: bool) -> Self {
        Self { delivery_reports, ..self }
    }

    /// The same with automatic replies, or without.
    #[must_use]
    pub fn with_auto_reply(self, auto_reply: bool) -> Self {
        Self { auto_reply, ..self }
    }

    /// The same with automatic forwarding, or without.
    #[must_use]
    pub fn with_auto_forward(self, auto_forward: bool) -> Self {
        Self { auto_forward, ..self }
    }
}

/// `contoso.com`, `*.contoso.com` (with contoso.com itself) or `*`.
impl FromStr for RemoteDomain {
    type Err = ParseRemoteDomainError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match parse_pattern(text) {
            Ok(AddressPattern::AcceptedDomains) | Err(_) => {
                Err(ParseRemoteDomainError { found: text.into() })
            }
            Ok(pattern) => Ok(Self::new(pattern)),
        }
    }
}

impl fmt::Display for RemoteDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pattern)
    }
}

/// The text names no remote domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{found}\" is neither *, *.domain nor a domain")]
#[non_exhaustive]
pub struct ParseRemoteDomainError {
    /// The text.
    pub found: String,
}
