//! Why there is no host to try, and what that means for the recipients.

use transom_dns::{DnsFailure, DomainName};
use transom_types::{
    AddressLiteral, AttemptStage, EnhancedStatusCode, Outcome, Reply, ReplyCode, Status,
};

/// Why there is no host to try.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The DNS could not be asked. Temporary.
    #[error("the DNS lookup of {name} failed")]
    Dns {
        /// What was asked for.
        name: DomainName,
        /// How it failed.
        #[source]
        failure: DnsFailure,
    },
    /// This very host is the best one for the domain, and it does not know the domain.
    #[error("mail for {domain} loops back to this server")]
    Loop {
        /// The domain.
        domain: DomainName,
    },
    /// No host for the domain has an address.
    #[error("no mail host of {domain} has an address")]
    NoAddress {
        /// The domain.
        domain: DomainName,
    },
    /// No smart host has an address. Temporary: the sender cannot help it.
    #[error("no smart host of {hosts} has an address")]
    NoSmartHost {
        /// The smart hosts.
        hosts: String,
    },
    /// The domain does not exist.
    #[error("the domain {domain} does not exist")]
    NoSuchDomain {
        /// The domain.
        domain: DomainName,
    },
    /// The domain says that it takes no mail (RFC 7505).
    #[error("the domain {domain} takes no mail")]
    NullMx {
        /// The domain.
        domain: DomainName,
    },
    /// All addresses for the domain are private, or no addresses of hosts.
    #[error("all mail hosts of {domain} have private or reserved addresses")]
    ProhibitedAddress {
        /// The domain.
        domain: DomainName,
    },
    /// The address literal is private, our own, or no address of a host.
    #[error("the address {literal} is private, reserved or this server's own")]
    ProhibitedLiteral {
        /// The literal.
        literal: AddressLiteral,
    },
}

impl PlanError {
    /// Whether trying again later may help.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Dns { .. } | Self::NoSmartHost { .. })
    }

    /// What it means for a recipient.
    pub fn outcome(&self) -> Outcome {
        let status = Status::local(AttemptStage::Dns, self.reply());
        if self.is_temporary() { Outcome::Deferred(status) } else { Outcome::Failed(status) }
    }

    /// What a server would say to a recipient for whom this is found.
    pub fn reply(&self) -> Reply {
        const UNROUTABLE: EnhancedStatusCode = EnhancedStatusCode::permanent(4, 4);
        let (code, enhanced) = match self {
            Self::Dns { .. } => (ReplyCode::LOCAL_ERROR, EnhancedStatusCode::transient(4, 3)),
            Self::NoSmartHost { .. } => {
                (ReplyCode::LOCAL_ERROR, EnhancedStatusCode::transient(4, 4))
            }
            // [RFC 7505 §4.2] a null MX is reported so.
            Self::NullMx { .. } => {
                (ReplyCode::DOMAIN_TAKES_NO_MAIL, EnhancedStatusCode::permanent(1, 10))
            }
            Self::Loop { .. } => (ReplyCode::TRANSACTION_FAILED, UNROUTABLE),
            Self::NoAddress { .. }
            | Self::NoSuchDomain { .. }
            | Self::ProhibitedAddress { .. }
            | Self::ProhibitedLiteral { .. } => (ReplyCode::MAILBOX_UNAVAILABLE, UNROUTABLE),
        };
        let text = match self {
            Self::Dns { failure, .. } => format!("{self}: {failure}"),
            _ => self.to_string(),
        };
        Reply::new(code, enhanced, text)
    }
}
