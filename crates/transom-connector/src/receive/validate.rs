//! Whether receive connectors fit together.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use transom_types::Domain;

use super::{MessageRateSource, ReceiveAuth, ReceiveConnector, ReceiveProtocol, ReceiveTls};
use crate::{Configuration, ConfigurationError, PrincipalKind, RemoteRange, Rights};

/// One thing that is wrong with a receive connector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveConnectorError {
    /// AUTH is offered under TLS only, and TLS never.
    #[error("it offers AUTH under TLS only and has no TLS")]
    AuthWithoutTls,
    /// Bare CR and LF are line ends for who has not authenticated too.
    #[error("it takes bare line feeds, and not only from who has authenticated")]
    BareNewlinesFromStrangers,
    /// Certificates count, and no client can show one.
    #[error("it knows peers by their certificates and has no TLS")]
    CertificatesWithoutTls,
    /// The default domain is no accepted domain.
    #[error("its default domain {domain} is no accepted domain")]
    DefaultDomainNotAccepted {
        /// The domain.
        domain: Domain,
    },
    /// The network vouches for peers who may do nothing.
    #[error("it is externally secured, and externally secured peers may not submit")]
    ExternallySecuredMayNothing,
    /// A limit has a value that nothing could get past, or that says nothing.
    #[error("its {limit} is {found}; possible is {least} to {most}")]
    LimitOutOfBounds {
        /// The limit, as Exchange calls it.
        limit: &'static str,
        /// Its value.
        found: u64,
        /// The least possible value.
        least: u64,
        /// The greatest possible value.
        most: u64,
    },
    /// A message rate is set, and nobody is counted.
    #[error("it has a message rate and counts nobody")]
    RateOfNobody,
}

pub(crate) fn check_receive_connectors(
    configuration: &Configuration,
    errors: &mut Vec<ConfigurationError>,
) {
    let connectors = &configuration.receive_connectors;
    let mut names = HashSet::new();
    for connector in connectors {
        let name = || connector.name.clone();
        if !names.insert(&connector.name) {
            errors.push(ConfigurationError::DuplicateReceiveConnector { name: name() });
        }
        if connector.bindings.is_empty() {
            errors.push(ConfigurationError::NoBinding { name: name() });
        }
        if connector.remote_ranges.is_empty() {
            errors.push(ConfigurationError::NoRemoteRange { name: name() });
        }
        if connector.limits.idle_timeout > connector.limits.session_timeout {
            errors.push(ConfigurationError::IdleAboveSession { name: name() });
        }
        // [RFC 2033 §1-a] who connects to port 25 speaks SMTP.
        let at_25 = connector.bindings.iter().any(|binding| binding.port() == 25);
        if connector.protocol == ReceiveProtocol::Lmtp && at_25 {
            errors.push(ConfigurationError::LmtpAtPort25 { name: name() });
        }
        let lists =
            [("PROXY", &connector.proxy_networks), ("XCLIENT", &connector.xclient_networks)];
        for (list, networks) in lists {
            if let Some(range) = everybody(networks) {
                let list = list.to_owned();
                errors.push(ConfigurationError::TrustsEverybody { name: name(), list, range });
            }
        }
        let mut found = Vec::new();
        check_principals(connector, &mut found);
        check_limits(connector, &mut found);
        check_default_domain(configuration, connector, &mut found);
        errors.extend(
            found
                .into_iter()
                .map(|error| ConfigurationError::ReceiveConnector { name: name(), error }),
        );
    }
    check_bindings(connectors, errors);
}

/// A range that leaves nobody out. Who is trusted to name the client can be any client.
fn everybody(networks: &[RemoteRange]) -> Option<RemoteRange> {
    let all = [RemoteRange::ALL_V4, RemoteRange::ALL_V6];
    networks.iter().copied().find(|range| all.iter().any(|all| range.covers(all)))
}

fn check_principals(connector: &ReceiveConnector, found: &mut Vec<ReceiveConnectorError>) {
    let permissions = connector.permissions;
    let may_submit = |kind| permissions.rights(kind).contains(Rights::SUBMIT);
    let no_tls = connector.tls == ReceiveTls::Off;
    let offers_auth = permissions.authenticated != Rights::NONE;
    if connector.auth == ReceiveAuth::RequireTls && offers_auth && no_tls {
        found.push(ReceiveConnectorError::AuthWithoutTls);
    }
    let knows = !connector.server_domains.is_empty() || !connector.partner_domains.is_empty();
    if knows && no_tls {
        found.push(ReceiveConnectorError::CertificatesWithoutTls);
    }
    let trusts_network = connector.auth == ReceiveAuth::ExternalAuthoritative;
    if trusts_network && !may_submit(PrincipalKind::ExternallySecured) {
        found.push(ReceiveConnectorError::ExternallySecuredMayNothing);
    }
    let strangers = [PrincipalKind::Anonymous, PrincipalKind::Partner];
    let from_strangers = !trusts_network && strangers.into_iter().any(may_submit);
    if connector.danger_normalize_bare_newlines && from_strangers {
        found.push(ReceiveConnectorError::BareNewlinesFromStrangers);
    }
}

fn check_limits(connector: &ReceiveConnector, found: &mut Vec<ReceiveConnectorError>) {
    let limits = &connector.limits;
    let not_0 = |limit, value: Option<u64>| (limit, value, 1, u64::MAX);
    let timeout = |time: Duration| Some(time.as_nanos().try_into().unwrap_or(u64::MAX));
    let percent = limits.connections_percent_per_source_max.map(u64::from);
    let bounds = [
        not_0("ConnectionTimeout", timeout(limits.session_timeout)),
        not_0("ConnectionInactivityTimeout", timeout(limits.idle_timeout)),
        not_0("MaxHeaderSize", Some(limits.header_octets_max)),
        not_0("MaxHopCount", Some(limits.hops_max.into())),
        not_0("MaxInboundConnection", limits.connections_max.map(u64::from)),
        not_0("MaxInboundConnectionPerSource", limits.connections_per_source_max.map(u64::from)),
        ("MaxInboundConnectionPercentagePerSource", percent, 1, 100),
        not_0("MaxMessageSize", Some(limits.message_octets_max)),
        not_0("MaxRecipientsPerMessage", Some(limits.recipients_max.into())),
        not_0("MessageRateLimit", limits.message_rate_max.map(u64::from)),
    ];
    for (limit, value, least, most) in bounds {
        if let Some(value) = value
            && !(least..=most).contains(&value)
        {
            let error =
                ReceiveConnectorError::LimitOutOfBounds { limit, found: value, least, most };
            found.push(error);
        }
    }
    let counts_nobody = limits.message_rate_source == MessageRateSource::None;
    if limits.message_rate_max.is_some() && counts_nobody {
        found.push(ReceiveConnectorError::RateOfNobody);
    }
}

fn check_default_domain(
    configuration: &Configuration,
    connector: &ReceiveConnector,
    found: &mut Vec<ReceiveConnectorError>,
) {
    let Some(domain) = &connector.default_domain else { return };
    let ascii = domain.to_ascii().ok();
    let accepts = |ascii: &Domain| configuration.accepted_domains.iter().any(|d| d.matches(ascii));
    if !ascii.as_ref().is_some_and(accepts) {
        let domain = domain.clone();
        found.push(ReceiveConnectorError::DefaultDomainNotAccepted { domain });
    }
}

/// A range of an enabled connector at one binding.
#[derive(Clone, Copy)]
struct Claim<'c> {
    range: RemoteRange,
    /// Where the connector stands, so that the later one of two is named first.
    at: usize,
    connector: &'c ReceiveConnector,
}

/// Two connectors with a binding in common need ranges that are apart, or one inside the other.
fn check_bindings(connectors: &[ReceiveConnector], errors: &mut Vec<ConfigurationError>) {
    let mut claims: BTreeMap<SocketAddr, Vec<Claim<'_>>> = BTreeMap::new();
    for (at, connector) in connectors.iter().enumerate().filter(|(_, one)| one.enabled) {
        let bindings: BTreeSet<_> = connector.bindings.iter().copied().collect();
        for binding in bindings {
            let claim = |range: &RemoteRange| Claim { range: *range, at, connector };
            claims.entry(binding).or_default().extend(connector.remote_ranges.iter().map(claim));
        }
    }
    // Two connectors are told of once, however many ranges and bindings they share.
    let mut told = HashSet::new();
    for (binding, mut claims) in claims {
        claims.sort_by_key(|claim| (claim.range.first(), Reverse(claim.range.width()), claim.at));
        let mut open: Vec<Claim<'_>> = Vec::new();
        for claim in claims {
            // What is left has an address in common with this range, and begins no later.
            open.retain(|other| other.range.overlaps(&claim.range));
            let conflicts = |other: &&Claim<'_>| {
                other.at != claim.at
                    && (other.range == claim.range || !other.range.covers(&claim.range))
            };
            let Some(&other) = open.iter().find(conflicts) else {
                open.push(claim);
                continue;
            };
            let (later, earlier) =
                if other.at < claim.at { (claim, other) } else { (other, claim) };
            if told.insert((later.at, earlier.at)) {
                errors.push(conflict(binding, &later, &earlier));
            }
        }
    }
}

fn conflict(binding: SocketAddr, later: &Claim<'_>, earlier: &Claim<'_>) -> ConfigurationError {
    let names = (later.connector.name.clone(), earlier.connector.name.clone());
    if later.range == earlier.range {
        ConfigurationError::SameRange { names, binding, range: later.range }
    } else {
        let ranges = (later.range, earlier.range);
        ConfigurationError::RangesOverlap { names, binding, ranges }
    }
}
