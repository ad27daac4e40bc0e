//! From a next hop to hosts with addresses, in the order to try them.

use std::net::{IpAddr, SocketAddr};

use transom_connector::{CheckedConfiguration, OtherServer, SendDelivery, SmartHost};
use transom_dns::{DnsFailure, DomainName, Record, RecordKind, Resolver};
use transom_types::{
    AddressLiteral, AttemptStage, ConnectorId, DeliveryType, EnhancedStatusCode, Host, NextHop,
    NextHopDomain, Outcome, Reply, ReplyCode, Status,
};

use crate::PlanError;
use crate::address_policy::is_prohibited;

/// Most addresses of one attempt. More would keep a dead destination busy for an hour; every host
/// gets one of them before any gets a second.
pub const ADDRESSES_MAX: usize = 5;

/// Most hosts of one attempt whose addresses are looked up, so that an MX list of a thousand dead
/// names costs no thousand questions.
pub const HOSTS_MAX: usize = 20;

/// What to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// The hosts that the DNS names for a domain.
    Domain {
        /// The domain.
        domain: DomainName,
        /// The port of its hosts.
        port: u16,
    },
    /// One address.
    Literal {
        /// The address.
        literal: AddressLiteral,
        /// Its port.
        port: u16,
    },
    /// Smart hosts, in this order.
    SmartHosts(Vec<SmartHost>),
}

impl Target {
    /// What a queue's next hop means under this configuration.
    ///
    /// # Errors
    ///
    /// [`TargetError`] where the connector is gone, or where the next hop is not reached by SMTP.
    pub fn of(
        next_hop: &NextHop,
        configuration: &CheckedConfiguration,
    ) -> Result<Self, TargetError> {
        let unknown = || TargetError::NoConnector { name: next_hop.connector.clone() };
        let connector = configuration.send_connector(&next_hop.connector).ok_or_else(unknown)?;
        match (next_hop.kind, &connector.delivery) {
            (DeliveryType::DnsConnectorDelivery, SendDelivery::Dns) => {
                let text = next_hop.domain.as_str();
                if let Ok(literal) = text.parse() {
                    return Ok(Self::Literal { literal, port: connector.port });
                }
                let bad = |_| TargetError::Domain { domain: next_hop.domain.clone() };
                Ok(Self::Domain { domain: text.parse().map_err(bad)?, port: connector.port })
            }
            (DeliveryType::SmartHostConnectorDelivery, SendDelivery::SmartHosts(hosts)) => {
                Ok(Self::SmartHosts(hosts.clone()))
            }
            (DeliveryType::SmtpRelayToConnectorSourceServers, _) => {
                let mut servers: Vec<_> = configuration.source_servers(connector).collect();
                servers.sort_by_key(|server| server.link_cost);
                let host = |server: &OtherServer| SmartHost {
                    host: Host::Domain(server.name.clone()),
                    port: server.port,
                };
                Ok(Self::SmartHosts(servers.into_iter().map(host).collect()))
            }
            (kind, _) => Err(TargetError::OtherWay { name: next_hop.connector.clone(), kind }),
        }
    }
}

/// Why a next hop is no [`Target`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Its domain cannot be asked for in the DNS.
    #[error("\"{domain}\" is no name of the DNS")]
    Domain {
        /// The domain.
        domain: NextHopDomain,
    },
    /// The configuration has no such connector any more.
    #[error("there is no send connector \"{name}\"")]
    NoConnector {
        /// Its name.
        name: ConnectorId,
    },
    /// The connector does not deliver in this way, or not any more.
    #[error("send connector \"{name}\" does not do {kind}")]
    OtherWay {
        /// Its name.
        name: ConnectorId,
        /// The way.
        kind: DeliveryType,
    },
}

impl TargetError {
    /// What it means for a recipient. Where the configuration changed, the message waits and can
    /// be categorized again.
    pub fn outcome(&self) -> Outcome {
        let text = self.to_string();
        match self {
            Self::Domain { .. } => {
                let code = EnhancedStatusCode::permanent(1, 2);
                let reply = Reply::new(ReplyCode::MAILBOX_UNAVAILABLE, code, text);
                Outcome::Failed(Status::local(AttemptStage::Routing, reply))
            }
            Self::NoConnector { .. } | Self::OtherWay { .. } => {
                let code = EnhancedStatusCode::transient(3, 5);
                let reply = Reply::new(ReplyCode::LOCAL_ERROR, code, text);
                Outcome::Deferred(Status::local(AttemptStage::Routing, reply))
            }
        }
    }
}

/// Who we are, so that mail is not sent to ourselves, and which networks are ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalIdentity {
    /// Names of this server.
    pub names: Vec<DomainName>,
    /// Where this server is reached: its listeners, and their addresses outside a NAT.
    pub addresses: Vec<SocketAddr>,
    /// Whether hosts that the DNS names may have loopback, private and documentation addresses.
    /// Off, since it lets the owner of any domain make this server talk to its inner network.
    /// Smart hosts may have them always.
    pub danger_accept_private_addresses: bool,
}

impl LocalIdentity {
    /// The same with one name more.
    #[must_use]
    pub fn with_name(mut self, name: DomainName) -> Self {
        self.names.push(name);
        self
    }

    /// The same with one address more.
    #[must_use]
    pub fn with_address(mut self, address: SocketAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// The same accepting private addresses from the DNS, or not.
    #[must_use]
    pub fn with_danger_accept_private_addresses(self, accept: bool) -> Self {
        Self { danger_accept_private_addresses: accept, ..self }
    }

    fn is_address(&self, ip: IpAddr, port: u16) -> bool {
        let own = |own: &SocketAddr| own.ip().to_canonical() == ip && own.port() == port;
        self.addresses.iter().any(own)
    }

    fn prohibits(&self, ip: IpAddr) -> bool {
        is_prohibited(ip, self.danger_accept_private_addresses)
    }
}

/// A host to try.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostTry {
    /// Its name, or the address literal where it has none.
    pub name: String,
    /// Its addresses in the order to try them, at least one.
    pub addresses: Vec<IpAddr>,
    /// The port.
    pub port: u16,
    /// Its MX preference, or its place among the smart hosts.
    pub preference: u16,
}

/// Finds the hosts to try, in order: at least one host, at most [`ADDRESSES_MAX`] addresses.
///
/// `random` gives the order of hosts of equal preference.
///
/// # Errors
///
/// [`PlanError`] where there is no host to try; it knows what that means for the recipients.
///
/// # Cancel safety
///
/// Dropping the future abandons the questions; nothing else is lost.
pub async fn plan(
    resolver: &dyn Resolver,
    target: &Target,
    local: &LocalIdentity,
    random: &mut (dyn FnMut() -> u64 + Send),
) -> Result<Vec<HostTry>, PlanError> {
    let mut hosts = match target {
        Target::Domain { domain, port } => {
            let exchangers = exchangers(resolver, domain, random).await?;
            by_exchangers(resolver, domain, &exchangers, *port, local).await?
        }
        Target::Literal { literal, port } => vec![by_literal(*literal, *port, local)?],
        Target::SmartHosts(hosts) => by_smart_hosts(resolver, hosts).await?,
    };
    share_addresses(&mut hosts);
    Ok(hosts)
}

/// A host that takes mail for a domain.
struct Exchanger {
    preference: u16,
    name: DomainName,
}

/// [RFC 5321 §5.1-a, §5.1-f, §5.1-i, §5.1-j] the MX records by preference, equal ones at random;
/// without MX records the domain itself is its only exchanger.
async fn exchangers(
    resolver: &dyn Resolver,
    domain: &DomainName,
    random: &mut (dyn FnMut() -> u64 + Send),
) -> Result<Vec<Exchanger>, PlanError> {
    let answer = match resolver.lookup(domain, RecordKind::Mx).await {
        Ok(answer) => answer,
        Err(DnsFailure::NoData) => {
            return Ok(vec![Exchanger { preference: 0, name: domain.clone() }]);
        }
        // [RFC 5321 §5.1-d] later.
        Err(failure) if failure.is_temporary() => {
            return Err(PlanError::Dns { name: domain.clone(), failure });
        }
        // [RFC 5321 §5.1-c]
        Err(_) => return Err(PlanError::NoSuchDomain { domain: domain.clone() }),
    };
    let records = answer.records.into_iter().filter_map(|record| match record {
        Record::Mx { preference, exchange } if !exchange.is_root() => {
            Some((preference, random(), exchange))
        }
        _ => None,
    });
    let mut records: Vec<_> = records.collect();
    // [RFC 7505 §3] the root is no host: alone, it says that the domain takes no mail.
    if records.is_empty() {
        return Err(PlanError::NullMx { domain: domain.clone() });
    }
    records.sort();
    let exchangers =
        records.into_iter().map(|(preference, _, name)| Exchanger { preference, name });
    Ok(exchangers.collect())
}

async fn by_exchangers(
    resolver: &dyn Resolver,
    domain: &DomainName,
    exchangers: &[Exchanger],
    port: u16,
    local: &LocalIdentity,
) -> Result<Vec<HostTry>, PlanError> {
    let own_names = exchangers.iter().filter(|exchanger| local.names.contains(&exchanger.name));
    let mut own_preference = own_names.map(|exchanger| exchanger.preference).min();
    let (mut hosts, mut temporary, mut prohibited) = (Vec::<HostTry>::new(), None, false);
    for Exchanger { preference, name } in exchangers.iter().take(HOSTS_MAX) {
        let worse = hosts.last().is_some_and(|host| host.preference < *preference);
        if own_preference.is_some_and(|own| own <= *preference)
            || (worse && hosts.len() >= ADDRESSES_MAX)
        {
            break;
        }
        match addresses(resolver, name).await {
            Ok(all) if all.iter().any(|ip| local.is_address(*ip, port)) => {
                own_preference = Some(*preference);
            }
            Ok(mut addresses) => {
                addresses.retain(|ip| !local.prohibits(*ip));
                if addresses.is_empty() {
                    prohibited = true;
                    continue;
                }
                let name = name.to_string();
                hosts.push(HostTry { name, addresses, port, preference: *preference });
            }
            Err(failure) if failure.is_temporary() => {
                temporary = Some(PlanError::Dns { name: name.clone(), failure });
            }
            Err(_) => {}
        }
    }
    // [RFC 5321 §5.1-l, §5.1-m, §5.1-n] a host that finds itself in the list uses better ones
    // alone, or mail would go in circles.
    hosts.retain(|host| own_preference.is_none_or(|own| host.preference < own));
    if !hosts.is_empty() {
        return Ok(hosts);
    }
    let domain = domain.clone();
    Err(temporary.unwrap_or(match (own_preference, prohibited) {
        (Some(_), _) => PlanError::Loop { domain },
        (None, true) => PlanError::ProhibitedAddress { domain },
        // [RFC 5321 §5.1-e, §5.1-g] no host of the list has an address.
        (None, false) => PlanError::NoAddress { domain },
    }))
}

fn by_literal(
    literal: AddressLiteral,
    port: u16,
    local: &LocalIdentity,
) -> Result<HostTry, PlanError> {
    let ip = literal.ip().to_canonical();
    if local.prohibits(ip) || local.is_address(ip, port) {
        return Err(PlanError::ProhibitedLiteral { literal });
    }
    Ok(HostTry { name: literal.to_string(), addresses: vec![ip], port, preference: 0 })
}

/// Smart hosts are the administrator's word: no guard, and what is not found may be found later.
async fn by_smart_hosts(
    resolver: &dyn Resolver,
    smart_hosts: &[SmartHost],
) -> Result<Vec<HostTry>, PlanError> {
    let (mut hosts, mut temporary) = (Vec::new(), None);
    for (preference, SmartHost { host, port }) in (0u16..).zip(smart_hosts).take(HOSTS_MAX) {
        let (name, found) = match host {
            Host::Literal(literal) => (literal.to_string(), Ok(vec![literal.ip().to_canonical()])),
            Host::Domain(domain) => match DomainName::try_from(domain) {
                Ok(name) => (name.to_string(), addresses(resolver, &name).await),
                Err(_) => continue,
            },
        };
        match found {
            Ok(addresses) => hosts.push(HostTry { name, addresses, port: *port, preference }),
            Err(failure) if failure.is_temporary() => temporary = Some((name, failure)),
            Err(_) => {}
        }
    }
    if !hosts.is_empty() {
        return Ok(hosts);
    }
    let failed = temporary
        .and_then(|(name, failure)| name.parse().ok().map(|name| PlanError::Dns { name, failure }));
    Err(failed.unwrap_or_else(|| {
        let names: Vec<String> = smart_hosts.iter().map(ToString::to_string).collect();
        PlanError::NoSmartHost { hosts: names.join(",") }
    }))
}

// [RFC 5321 §5.1-h, §5.1-k] those of a kind in the order of the resolver.
/// All addresses of a host, at least one: IPv6 and IPv4 in turn, so that a broken network of one
/// kind costs one try. A failure of one kind does not hide addresses of the other.
async fn addresses(resolver: &dyn Resolver, name: &DomainName) -> Result<Vec<IpAddr>, DnsFailure> {
    let v6 = resolver.lookup(name, RecordKind::Aaaa).await;
    let v4 = resolver.lookup(name, RecordKind::A).await;
    let failure = match (&v6, &v4) {
        (Err(v6), Err(v4)) if v6.is_temporary() && !v4.is_temporary() => Some(*v6),
        (Err(_), Err(v4)) => Some(*v4),
        _ => None,
    };
    if let Some(failure) = failure {
        return Err(failure);
    }
    let ips = |answer: Result<transom_dns::Answer, DnsFailure>| {
        let records = answer.map(|answer| answer.records).unwrap_or_default().into_iter();
        records.filter_map(|record| match record {
            Record::A(ip) => Some(IpAddr::V4(ip)),
            Record::Aaaa(ip) => Some(IpAddr::V6(ip).to_canonical()),
            _ => None,
        })
    };
    let (mut v6, mut v4) = (ips(v6), ips(v4));
    let mut all = Vec::new();
    loop {
        let pair = (v6.next(), v4.next());
        if pair == (None, None) {
            return Ok(all);
        }
        for ip in [pair.0, pair.1].into_iter().flatten() {
            if !all.contains(&ip) {
                all.push(ip);
            }
        }
    }
}

/// Cuts the addresses to [`ADDRESSES_MAX`]: one for every host, then a second, and so on.
fn share_addresses(hosts: &mut Vec<HostTry>) {
    let mut left = ADDRESSES_MAX;
    let mut kept = vec![0usize; hosts.len()];
    loop {
        let before = left;
        for (kept, host) in kept.iter_mut().zip(hosts.iter()) {
            if left > 0 && *kept < host.addresses.len() {
                *kept = kept.saturating_add(1);
                left = left.saturating_sub(1);
            }
        }
        if left == before {
            break;
        }
    }
    for (kept, host) in kept.into_iter().zip(hosts.iter_mut()) {
        host.addresses.truncate(kept);
    }
    hosts.retain(|host| !host.addresses.is_empty());
}
