//! Questions, answers and failures: what every resolver speaks.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;

use crate::DomainName;

/// Most CNAME records that a resolver follows for one question. A longer chain, or one that comes
/// back to itself, is [`DnsFailure::ServFail`]. Real chains have one or two.
pub const CNAME_STEPS_MAX: usize = 16;

/// Asks the DNS.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// The records of one kind at `name`, CNAME records followed. The answer holds records of
    /// `kind` alone, and at least one of them.
    ///
    /// # Errors
    ///
    /// [`DnsFailure`], which parts what is not there from what could not be found out.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the question; nothing else is lost.
    async fn lookup(&self, name: &DomainName, kind: RecordKind) -> Result<Answer, DnsFailure>;
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// Records of the kind asked for, in the order they came. Never empty.
    pub records: Vec<Record>,
    /// How far the records may be trusted.
    pub security: Security,
    /// For how long they hold.
    pub ttl: Duration,
}

impl Answer {
    /// Most records of one answer; the rest is dropped. A message of 64 KiB could hold more, and
    /// nobody needs them.
    pub const RECORDS_MAX: usize = 1000;

    /// An answer, cut to [`Self::RECORDS_MAX`] records.
    ///
    /// # Errors
    ///
    /// [`DnsFailure::NoData`] where there is no record.
    pub fn new(
        mut records: Vec<Record>,
        security: Security,
        ttl: Duration,
    ) -> Result<Self, DnsFailure> {
        if records.is_empty() {
            return Err(DnsFailure::NoData);
        }
        records.truncate(Self::RECORDS_MAX);
        Ok(Self { records, security, ttl })
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Record {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// Another name for the same.
    Cname(DomainName),
    /// A host that takes mail for the domain.
    Mx {
        /// Lower is asked first.
        preference: u16,
        /// The host. The root, alone and at any preference, says that the domain takes no mail
        /// (RFC 7505).
        exchange: DomainName,
    },
    /// The name of an address.
    Ptr(DomainName),
    /// Text: the character-strings of one record, put together without anything between.
    Txt(Box<[u8]>),
}

impl Record {
    /// Of which kind it is.
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::A(_) => RecordKind::A,
            Self::Aaaa(_) => RecordKind::Aaaa,
            Self::Cname(_) => RecordKind::Cname,
            Self::Mx { .. } => RecordKind::Mx,
            Self::Ptr(_) => RecordKind::Ptr,
            Self::Txt(_) => RecordKind::Txt,
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// The alias itself; it is not followed.
    Cname,
    /// Mail exchangers.
    Mx,
    /// Names of an address; asked for at [`DomainName::reverse`].
    Ptr,
    /// Texts.
    Txt,
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Ptr => "PTR",
            Self::Txt => "TXT",
        })
    }
}

impl FromStr for RecordKind {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::A, Self::Aaaa, Self::Cname, Self::Mx, Self::Ptr, Self::Txt];
        all.into_iter().find(|kind| text.eq_ignore_ascii_case(&kind.to_string())).ok_or(())
    }
}

/// What DNSSEC says of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Security {
    /// Nobody checked.
    #[default]
    Unknown,
    /// Checked: the zone is not signed.
    Insecure,
    /// Checked: signed, and the signatures are good.
    Secure,
}

/// Why there are no records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DnsFailure {
    /// The name does not fit into a question.
    #[error("the name cannot be asked for")]
    BadName,
    /// Signed, and the signatures are bad.
    #[error("the answer failed DNSSEC validation")]
    Bogus,
    /// The name exists; a record of this kind does not.
    #[error("the name has no record of this kind")]
    NoData,
    /// The name does not exist.
    #[error("the name does not exist")]
    NxDomain,
    /// The server does not want to answer.
    #[error("the name server refused the question")]
    Refused,
    /// The server could not find out, or what it said makes no sense.
    #[error("the name server failed")]
    ServFail,
    /// No answer came in time.
    #[error("no name server answered in time")]
    Timeout,
}

impl DnsFailure {
    /// Whether asking again later may help. Doubt is temporary.
    pub fn is_temporary(self) -> bool {
        !matches!(self, Self::BadName | Self::NoData | Self::NxDomain)
    }
}
