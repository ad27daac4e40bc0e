//! The adapter to hickory-resolver: questions and answers translated, nothing of hickory shown.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};

use crate::{Answer, DnsFailure, DomainName, Record, RecordKind, Resolver, Security};

/// A [`Resolver`] that asks real name servers, over UDP and, where an answer does not fit, TCP.
///
/// Answers are cached for their TTL. Nothing is validated, so [`Answer::security`] is
/// [`Security::Unknown`]. Needs a tokio runtime. Cloning shares the cache.
#[derive(Clone)]
#[cfg_attr(docsrs, doc(cfg(feature = "hickory")))]
pub struct HickoryResolver(TokioResolver);

impl HickoryResolver {
    /// Asks the servers that the system names (`/etc/resolv.conf`), and knows `/etc/hosts`. Search
    /// domains are not used: names in mail are whole.
    ///
    /// # Errors
    ///
    /// Where the system's configuration cannot be read.
    pub fn from_system_conf() -> Result<Self, HickoryError> {
        let resolver = TokioResolver::builder_tokio().and_then(ResolverBuilder::build);
        resolver.map(Self).map_err(|error| HickoryError(Box::new(error)))
    }

    /// Asks these servers, and none of `/etc/hosts`.
    ///
    /// # Errors
    ///
    /// Where the resolver cannot be set up.
    pub fn with_servers(servers: &[SocketAddr]) -> Result<Self, HickoryError> {
        let name_servers = servers.iter().copied().map(name_server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), name_servers);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        builder.build().map(Self).map_err(|error| HickoryError(Box::new(error)))
    }
}

impl std::fmt::Debug for HickoryResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HickoryResolver(..)")
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut config = NameServerConfig::udp_and_tcp(address.ip());
    config.connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut config.connections {
        connection.port = address.port();
    }
    config
}

#[async_trait]
impl Resolver for HickoryResolver {
    async fn lookup(&self, name: &DomainName, kind: RecordKind) -> Result<Answer, DnsFailure> {
        // [RFC 5321 §5.1-b] no name is completed.
        // Being whole keeps the search list of the system out.
        let labels = name.as_str().split('.').filter(|label| !label.is_empty());
        let mut fqdn =
            Name::from_labels(labels.map(str::as_bytes)).map_err(|_| DnsFailure::BadName)?;
        fqdn.set_fqdn(true);
        let lookup = self.0.lookup(fqdn, record_type(kind)).await.map_err(|e| failure(&e))?;
        let of_kind = || lookup.answers().iter().filter(|r| r.record_type() == record_type(kind));
        let ttl = lookup.answers().iter().map(|record| record.ttl).min().unwrap_or(0);
        let records: Vec<_> = of_kind().filter_map(|answer| record(&answer.data)).collect();
        if records.is_empty() && of_kind().next().is_some() {
            // Records were there, but none that makes sense: not the same as none.
            return Err(DnsFailure::ServFail);
        }
        Answer::new(records, Security::Unknown, Duration::from_secs(ttl.into()))
    }
}

fn record_type(kind: RecordKind) -> RecordType {
    match kind {
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
        RecordKind::Cname => RecordType::CNAME,
        RecordKind::Mx => RecordType::MX,
        RecordKind::Ptr => RecordType::PTR,
        RecordKind::Txt => RecordType::TXT,
    }
}

/// A record as ours; none where a name in it is beyond what mail can use.
fn record(data: &RData) -> Option<Record> {
    let name = |name: &Name| {
        // Label by label, as the text of hickory escapes what is no letter of a host name.
        let labels: Option<Vec<_>> = name.iter().map(|label| str::from_utf8(label).ok()).collect();
        let labels = labels.filter(|labels| labels.iter().all(|label| !label.contains('.')))?;
        if labels.is_empty() { Some(DomainName::root()) } else { labels.join(".").parse().ok() }
    };
    match data {
        RData::A(address) => Some(Record::A(address.0)),
        RData::AAAA(address) => Some(Record::Aaaa(address.0)),
        RData::CNAME(alias) => Some(Record::Cname(name(&alias.0)?)),
        RData::MX(mx) => {
            Some(Record::Mx { preference: mx.preference, exchange: name(&mx.exchange)? })
        }
        RData::PTR(owner) => Some(Record::Ptr(name(&owner.0)?)),
        RData::TXT(txt) => Some(Record::Txt(txt.txt_data.concat().into())),
        _ => None,
    }
}

/// What an error of hickory means. What is not known to be final is temporary.
fn failure(error: &NetError) -> DnsFailure {
    match error {
        NetError::Timeout => DnsFailure::Timeout,
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => DnsFailure::NxDomain,
            ResponseCode::NoError => DnsFailure::NoData,
            code => code_failure(code),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => code_failure(*code),
        NetError::Dns(DnsError::DnssecBogus) => DnsFailure::Bogus,
        _ => DnsFailure::ServFail,
    }
}

fn code_failure(code: ResponseCode) -> DnsFailure {
    match code {
        ResponseCode::NXDomain => DnsFailure::NxDomain,
        ResponseCode::Refused => DnsFailure::Refused,
        _ => DnsFailure::ServFail,
    }
}

/// The resolver could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the resolver cannot be set up")]
#[cfg_attr(docsrs, doc(cfg(feature = "hickory")))]
pub struct HickoryError(#[source] Box<dyn std::error::Error + Send + Sync>);
