//! What should stand in the DNS for a domain, and how that differs from what does.
//!
//! [`DomainPlan::expected`] is a pure function of what we are; [`DomainPlan::check`] asks and
//! explains each difference.

mod compare;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use transom_dns::{DomainName, RecordKind, Resolver};

use crate::dmarc::DmarcPolicy;

/// What we are for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DomainPlan {
    /// The domain.
    pub domain: DomainName,
    /// Hosts that take mail for it, with their preference.
    pub exchanges: Vec<(u16, DomainName)>,
    /// Our hosts by name and address, for A, AAAA and PTR.
    pub hosts: Vec<(DomainName, Vec<IpAddr>)>,
    /// From where its mail is sent, besides its exchanges.
    pub senders: Vec<IpNet>,
    /// Whose SPF policies count too.
    pub includes: Vec<DomainName>,
    /// Keys: the selector and the record.
    pub keys: Vec<(String, String)>,
    /// What is asked of receivers; none where there is to be no DMARC record.
    pub dmarc: Option<DmarcPolicy>,
    /// Where aggregate reports go: addresses.
    pub aggregate_reports: Vec<String>,
    /// The id of the MTA-STS policy.
    pub mta_sts: Option<String>,
    /// Where reports on TLS go: URIs.
    pub tls_reports: Vec<String>,
    /// Certificates of the exchanges for DANE: host and record, as `3 1 1 hash`.
    pub tlsa: Vec<(DomainName, String)>,
}

/// A record that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpectedRecord {
    /// Where.
    pub name: DomainName,
    /// What.
    pub data: ExpectedData,
    /// What it is for.
    pub purpose: Purpose,
}

/// What should stand in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpectedData {
    /// An address.
    Address(IpAddr),
    /// A mail exchanger.
    Mx(u16, DomainName),
    /// The name of an address.
    Ptr(DomainName),
    /// A text.
    Txt(String),
    /// A certificate, as it is written in a zone. [`DomainPlan::check`] cannot ask for it.
    Tlsa(String),
}

impl ExpectedData {
    /// The kind of record; none for what our resolver does not ask for.
    pub fn kind(&self) -> Option<RecordKind> {
        match self {
            Self::Address(IpAddr::V4(_)) => Some(RecordKind::A),
            Self::Address(IpAddr::V6(_)) => Some(RecordKind::Aaaa),
            Self::Mx(..) => Some(RecordKind::Mx),
            Self::Ptr(_) => Some(RecordKind::Ptr),
            Self::Txt(_) => Some(RecordKind::Txt),
            Self::Tlsa(_) => None,
        }
    }
}

impl fmt::Display for ExpectedData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(ip) => ip.fmt(f),
            Self::Mx(preference, exchange) => write!(f, "{preference} {exchange}"),
            Self::Ptr(name) => name.fmt(f),
            Self::Txt(text) | Self::Tlsa(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for ExpectedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.data.kind().map_or_else(|| "TLSA".to_owned(), |kind| kind.to_string());
        write!(f, "{} {kind} {}", self.name, self.data)
    }
}

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Mail finds us.
    Mx,
    /// Our hosts have addresses.
    Host,
    /// Our addresses have names, without which others refuse our mail.
    Ptr,
    /// We may send for the domain.
    Spf,
    /// Our signatures can be verified.
    Dkim,
    /// Others know what to do with mail that is not ours.
    Dmarc,
    /// Others know that our hosts have TLS (RFC 8461).
    MtaSts,
    /// Others tell us when TLS fails (RFC 8460).
    TlsReports,
    /// Others know the certificates of our hosts (RFC 7672).
    Dane,
}

impl Purpose {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mx => "MX",
            Self::Host => "host",
            Self::Ptr => "PTR",
            Self::Spf => "SPF",
            Self::Dkim => "DKIM",
            Self::Dmarc => "DMARC",
            Self::MtaSts => "MTA-STS",
            Self::TlsReports => "TLSRPT",
            Self::Dane => "DANE",
        }
    }

    /// How a text begins that is of this purpose; of such texts a name has one.
    pub(crate) fn version(self) -> Option<&'static str> {
        match self {
            Self::Spf => Some("v=spf1"),
            Self::Dmarc => Some("v=DMARC1"),
            Self::MtaSts => Some("v=STSv1"),
            Self::TlsReports => Some("v=TLSRPTv1"),
            _ => None,
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the DNS differs from the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drift {
    /// What is concerned.
    pub purpose: Purpose,
    /// Where.
    pub name: DomainName,
    /// What should stand there; none where something should not.
    pub expected: Option<String>,
    /// What stands there of the same purpose.
    pub found: Vec<String>,
    /// What that means, in a sentence.
    pub explanation: String,
    /// Whether it could be found out. Where it could not, nothing need be wrong.
    pub is_certain: bool,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.purpose, self.name, self.explanation)?;
        if let Some(expected) = &self.expected {
            write!(f, "\n  expected: {expected}")?;
        }
        self.found.iter().try_for_each(|found| write!(f, "\n  found:    {found}"))
    }
}

impl DomainPlan {
    /// A plan with nothing in it: no mail comes in, nobody may send.
    pub fn new(domain: DomainName) -> Self {
        Self {
            domain,
            exchanges: Vec::new(),
            hosts: Vec::new(),
            senders: Vec::new(),
            includes: Vec::new(),
            keys: Vec::new(),
            dmarc: Some(DmarcPolicy::Reject),
            aggregate_reports: Vec::new(),
            mta_sts: None,
            tls_reports: Vec::new(),
            tlsa: Vec::new(),
        }
    }

    /// The records that should be there.
    pub fn expected(&self) -> Vec<ExpectedRecord> {
        let mut records = Vec::new();
        let mut add = |name: &DomainName, data, purpose| {
            records.push(ExpectedRecord { name: name.clone(), data, purpose });
        };
        for (preference, exchange) in &self.exchanges {
            add(&self.domain, ExpectedData::Mx(*preference, exchange.clone()), Purpose::Mx);
        }
        if self.exchanges.is_empty() {
            // [RFC 7505 §3] a domain that takes no mail says so.
            add(&self.domain, ExpectedData::Mx(0, DomainName::root()), Purpose::Mx);
        }
        for (host, addresses) in &self.hosts {
            for ip in addresses {
                add(host, ExpectedData::Address(*ip), Purpose::Host);
                let reverse = DomainName::reverse(*ip);
                add(&reverse, ExpectedData::Ptr(host.clone()), Purpose::Ptr);
            }
        }
        add(&self.domain, ExpectedData::Txt(self.spf()), Purpose::Spf);
        let mut below = |prefix: &str, host: &DomainName, data, purpose| {
            // A name that is too long for the DNS cannot be there.
            if let Ok(name) = format!("{prefix}.{host}").parse() {
                add(&name, data, purpose);
            }
        };
        for (selector, record) in &self.keys {
            let data = ExpectedData::Txt(record.clone());
            below(&format!("{selector}._domainkey"), &self.domain, data, Purpose::Dkim);
        }
        if let Some(policy) = self.dmarc {
            let data = ExpectedData::Txt(self.dmarc_text(policy));
            below("_dmarc", &self.domain, data, Purpose::Dmarc);
        }
        if let Some(id) = &self.mta_sts {
            let data = ExpectedData::Txt(format!("v=STSv1; id={id};"));
            below("_mta-sts", &self.domain, data, Purpose::MtaSts);
        }
        if !self.tls_reports.is_empty() {
            let text = format!("v=TLSRPTv1; rua={}", self.tls_reports.join(","));
            below("_smtp._tls", &self.domain, ExpectedData::Txt(text), Purpose::TlsReports);
        }
        for (host, record) in &self.tlsa {
            below("_25._tcp", host, ExpectedData::Tlsa(record.clone()), Purpose::Dane);
        }
        records
    }

    fn spf(&self) -> String {
        let mut terms = vec!["v=spf1".to_owned()];
        if !self.exchanges.is_empty() {
            terms.push("mx".to_owned());
        }
        terms.extend(self.senders.iter().map(|network| {
            let whole = network.prefix_len() == network.max_prefix_len();
            let text = if whole { network.addr().to_string() } else { network.to_string() };
            format!("{}:{text}", if network.addr().is_ipv4() { "ip4" } else { "ip6" })
        }));
        terms.extend(self.includes.iter().map(|name| format!("include:{name}")));
        terms.push("-all".to_owned());
        terms.join(" ")
    }

    fn dmarc_text(&self, policy: DmarcPolicy) -> String {
        let mut text = format!("v=DMARC1; p={policy}");
        if !self.aggregate_reports.is_empty() {
            let uris = self.aggregate_reports.iter().map(|address| format!("mailto:{address}"));
            text = format!("{text}; rua={}", uris.collect::<Vec<_>>().join(","));
        }
        text
    }

    /// Asks for all of them, and explains each difference; none where all is as it should be.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the questions; nothing else is lost.
    pub async fn check(&self, resolver: &dyn Resolver) -> Vec<Drift> {
        compare::compare(&self.expected(), resolver).await
    }
}
