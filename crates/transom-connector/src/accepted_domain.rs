//! Accepted domains: for which domains we take mail, and what becomes of it.

use std::fmt;
use std::str::FromStr;

use transom_types::{Domain, DomainToAsciiError, ParseDomainError};

/// A domain for which mail is taken from anyone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptedDomain {
    /// The domain, in A-labels and lower case.
    pub domain: Domain,
    /// Whether all domains below it are accepted too.
    pub match_subdomains: bool,
    /// Whose the recipients are.
    pub kind: AcceptedDomainKind,
    /// Whether the directory is asked for its recipients when mail for them comes in (for an
    /// authoritative domain only; `AddressBookEnabled`). Where it is not, any local-part is taken.
    pub address_book_enabled: bool,
}

impl AcceptedDomain {
    /// A domain whose recipients are all ours. `*.contoso.com` takes the domains below it too.
    ///
    /// # Errors
    ///
    /// Where the text is no domain.
    pub fn authoritative(domain: &str) -> Result<Self, ParseAcceptedDomainError> {
        Self::new(domain, AcceptedDomainKind::Authoritative)
    }

    /// A domain whose recipients are partly ours.
    ///
    /// # Errors
    ///
    /// Where the text is no domain.
    pub fn internal_relay(domain: &str) -> Result<Self, ParseAcceptedDomainError> {
        Self::new(domain, AcceptedDomainKind::InternalRelay)
    }

    /// A domain whose recipients are all elsewhere.
    ///
    /// # Errors
    ///
    /// Where the text is no domain.
    pub fn external_relay(domain: &str) -> Result<Self, ParseAcceptedDomainError> {
        Self::new(domain, AcceptedDomainKind::ExternalRelay)
    }

    /// The same taking all domains below it too.
    #[must_use]
    pub fn with_subdomains(self) -> Self {
        Self { match_subdomains: true, ..self }
    }

    /// The same asking the directory for its recipients, or not.
    #[must_use]
    pub fn with_address_book_enabled(self, address_book_enabled: bool) -> Self {
        Self { address_book_enabled, ..self }
    }

    /// Whether `domain`, in A-labels, is accepted by this entry.
    pub fn matches(&self, domain: &Domain) -> bool {
        if self.match_subdomains { domain.is_within(&self.domain) } else { *domain == self.domain }
    }

    fn new(text: &str, kind: AcceptedDomainKind) -> Result<Self, ParseAcceptedDomainError> {
        let (text, match_subdomains) = match text.strip_prefix("*.") {
            Some(parent) => (parent, true),
            None => (text, false),
        };
        let domain = Domain::from_str(text).map_err(ParseAcceptedDomainError::Domain)?;
        let domain = domain.to_ascii().map_err(ParseAcceptedDomainError::ToAscii)?;
        let address_book_enabled = kind == AcceptedDomainKind::Authoritative;
        Ok(Self { domain, match_subdomains, kind, address_book_enabled })
    }
}

impl fmt::Display for AcceptedDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.match_subdomains { "*." } else { "" }, self.domain)
    }
}

/// Exchange's three types of accepted domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "all recipients are ours, or some, or none")]
pub enum AcceptedDomainKind {
    /// All recipients are ours: an unknown one does not exist.
    Authoritative,
    /// Some recipients are ours: an unknown one goes on by send connector.
    InternalRelay,
    /// No recipient is ours: all go on by send connector.
    ExternalRelay,
}

impl fmt::Display for AcceptedDomainKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authoritative => "Authoritative",
            Self::InternalRelay => "InternalRelay",
            Self::ExternalRelay => "ExternalRelay",
        })
    }
}

/// Why a text is no [`AcceptedDomain`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAcceptedDomainError {
    /// No domain.
    #[error("the accepted domain is no domain")]
    Domain(#[source] ParseDomainError),
    /// No form in A-labels.
    #[error("the accepted domain is no domain of the DNS")]
    ToAscii(#[source] DomainToAsciiError),
}
