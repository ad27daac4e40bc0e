//! Which peers can come in where, and which connector each of them meets.
//!
//! All addresses of peers are cut where something in the configuration begins or ends. Nothing
//! tells the addresses of one piece apart, so that one of them answers for all, and what holds for
//! one of each piece holds for every peer.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::RelayStep;
use crate::receive::{covers, successor};
use crate::{CheckedConfiguration, ReceiveConnector, ReceiveTls, RemoteRange};

/// Peers that have none of these addresses may be strangers. What documents use as examples is
/// public here, as it stands for what is.
const NOT_PUBLIC: [&str; 13] = [
    "0.0.0.0/8",      // no host has these
    "10.0.0.0/8",     // RFC 1918
    "100.64.0.0/10",  // RFC 6598: between a provider and its customers
    "127.0.0.0/8",    // loopback
    "169.254.0.0/16", // RFC 3927: one link
    "172.16.0.0/12",  // RFC 1918
    "192.168.0.0/16", // RFC 1918
    "224.0.0.0/3",    // multicast, and what is reserved
    "::/32",          // unspecified, loopback, IPv4 in IPv6
    "fc00::/7",       // RFC 4193
    "fe80::/10",      // one link
    "fec0::/10",      // RFC 3879: one site
    "ff00::/8",       // multicast
];

/// Addresses that stand for everybody else, where nothing is said of them.
const ANYBODY: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7)),
];

pub(super) fn not_public() -> impl Iterator<Item = RemoteRange> {
    NOT_PUBLIC.into_iter().filter_map(|text| text.parse().ok())
}

/// One address of ours, and who may come in there.
pub(super) struct Entrance<'c> {
    /// The address.
    pub(super) local: SocketAddr,
    /// One peer of each piece, those that are said nothing of first.
    pub(super) peers: Vec<Peer<'c>>,
    /// Who connects and names clients by the PROXY protocol.
    front_end: Option<IpAddr>,
    /// Who comes in without XCLIENT and names clients by it.
    naming: Option<Peer<'c>>,
    /// The same in a session under TLS.
    naming_under_tls: Option<Peer<'c>>,
    /// Who names clients by XCLIENT and may begin TLS at any time.
    tls_hop: Option<Peer<'c>>,
}

/// A peer that stands for all that are treated alike.
#[derive(Clone, Copy)]
pub(super) struct Peer<'c> {
    pub(super) address: IpAddr,
    /// The connector that serves it.
    pub(super) connector: Option<&'c ReceiveConnector>,
    /// Whether it may be a stranger.
    pub(super) is_public: bool,
    /// Whether it can connect, and is not only named by somebody else.
    pub(super) connects: bool,
    /// Whether it names clients by the PROXY protocol.
    pub(super) speaks_proxy: bool,
}

impl Peer<'_> {
    fn is_under(&self, is: fn(ReceiveTls) -> bool) -> bool {
        self.connector.is_some_and(|connector| is(connector.tls))
    }

    /// Whether a session that begins here may be under TLS.
    fn has_tls(&self) -> bool {
        self.is_under(|tls| tls != ReceiveTls::Off)
    }

    /// Whether a session that comes here may begin TLS.
    fn starts_tls(&self) -> bool {
        self.is_under(|tls| matches!(tls, ReceiveTls::Offered | ReceiveTls::Required))
    }

    /// Whether a session that comes here must be under TLS already.
    fn demands_tls_first(&self) -> bool {
        self.is_under(|tls| tls == ReceiveTls::Implicit)
    }

    /// Whether it names clients by XCLIENT.
    pub(super) fn speaks_xclient(&self) -> bool {
        self.connector.is_some_and(|connector| connector.may_xclient(self.address))
    }
}

impl<'c> Entrance<'c> {
    /// All of them: each address that a connector is bound to, and one for all others where
    /// connectors listen at all addresses.
    pub(super) fn all(config: &'c CheckedConfiguration) -> impl Iterator<Item = Self> {
        locals(config).into_iter().map(|local| Self::new(config, local))
    }

    fn new(config: &'c CheckedConfiguration, local: SocketAddr) -> Self {
        let peers = peers(config, local);
        let proxy = peers.iter().find(|peer| peer.connects && peer.speaks_proxy);
        let mut entrance = Self {
            local,
            front_end: proxy.map(|peer| peer.address),
            naming: None,
            naming_under_tls: None,
            tls_hop: None,
            peers,
        };
        let naming: Vec<_> =
            entrance.peers.iter().filter(|peer| peer.speaks_xclient()).copied().collect();
        let begins = naming.iter().filter(|peer| entrance.begin(peer).is_some());
        let begins: Vec<_> = begins.copied().collect();
        entrance.naming = begins.first().copied();
        entrance.naming_under_tls = begins.into_iter().find(Peer::has_tls);
        entrance.tls_hop = naming.into_iter().find(Peer::starts_tls);
        entrance
    }

    /// How a session begins that speaks for `peer`: it connects, or a front end names it.
    fn begin(&self, peer: &Peer<'c>) -> Option<Vec<RelayStep>> {
        if peer.connects {
            return Some(vec![RelayStep::Connect(peer.address)]);
        }
        let front_end = RelayStep::Connect(self.front_end?);
        Some(vec![front_end, RelayStep::Proxy(peer.address)])
    }

    /// How a session comes to speak for `peer`, where TLS may be up if `tls` says so.
    ///
    /// A session in the clear cannot begin TLS where a connection should have begun with it, and
    /// TLS that is up stays up when another client is named.
    pub(super) fn enter(&self, peer: &Peer<'c>, tls: bool) -> Option<Vec<RelayStep>> {
        if (!tls || peer.has_tls())
            && let Some(steps) = self.begin(peer)
        {
            return Some(steps);
        }
        let last = RelayStep::Xclient(peer.address);
        let needs_tls = peer.demands_tls_first() || (tls && !peer.starts_tls());
        let from = if needs_tls { &self.naming_under_tls } else { &self.naming };
        if let Some(from) = from {
            let mut steps = self.begin(from)?;
            steps.push(last);
            return Some(steps);
        }
        let mut steps = self.begin(self.naming.as_ref()?)?;
        steps.extend([RelayStep::Xclient(self.tls_hop.as_ref()?.address), last]);
        Some(steps)
    }

    /// How a session of `peer`, who names clients by XCLIENT, comes to speak for `to`.
    pub(super) fn enter_as(&self, peer: &Peer<'c>, to: &Peer<'c>) -> Option<Vec<RelayStep>> {
        let last = RelayStep::Xclient(to.address);
        if let Some(mut steps) = self.enter(peer, to.demands_tls_first()) {
            steps.push(last);
            return Some(steps);
        }
        let mut steps = self.enter(peer, false)?;
        steps.extend([RelayStep::Xclient(self.tls_hop.as_ref()?.address), last]);
        Some(steps)
    }
}

pub(super) fn enabled(
    config: &CheckedConfiguration,
) -> impl Iterator<Item = &ReceiveConnector> + Clone {
    config.receive_connectors().iter().filter(|connector| connector.enabled)
}

/// Whether the connector has its part in sessions that come in at `local`.
pub(super) fn is_bound(connector: &ReceiveConnector, local: &SocketAddr) -> bool {
    let any_port = SocketAddr::new(local.ip(), 0);
    connector.bindings.iter().any(|one| covers(one, local) || covers(one, &any_port))
}

fn locals(config: &CheckedConfiguration) -> Vec<SocketAddr> {
    let bindings: BTreeSet<_> = enabled(config).flat_map(|one| &one.bindings).copied().collect();
    let mut ips: BTreeSet<IpAddr> = bindings.iter().map(|one| one.ip().to_canonical()).collect();
    // Addresses that no connector is bound to, to stand for all such.
    let v4 = (1..).map(|n| IpAddr::from(Ipv4Addr::from_bits(0xc000_0200 | n)));
    let v6 = (1..).map(|n| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) | n)));
    let free = [v4.clone().find(|ip| !ips.contains(ip)), v6.clone().find(|ip| !ips.contains(ip))];
    ips.extend(free.into_iter().flatten());
    let ports: BTreeSet<u16> = bindings.iter().map(SocketAddr::port).collect();
    let all = ips.iter().filter(|ip| !ip.is_unspecified());
    let all = all.flat_map(|ip| ports.iter().map(|port| SocketAddr::new(*ip, *port)));
    all.filter(|local| bindings.iter().any(|binding| covers(binding, local))).collect()
}

fn peers(config: &CheckedConfiguration, local: SocketAddr) -> Vec<Peer<'_>> {
    let mut cuts = BTreeSet::from([Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]);
    let here = enabled(config).filter(|connector| is_bound(connector, &local));
    let ranges = here.flat_map(|connector| {
        let trusted = connector.proxy_networks.iter().chain(&connector.xclient_networks);
        connector.remote_ranges.iter().chain(trusted)
    });
    for range in ranges.copied().chain(not_public()) {
        cuts.insert(range.first());
        cuts.extend(successor(range.last()));
    }
    let private: Vec<RemoteRange> = not_public().collect();
    let all = ANYBODY.into_iter().chain(cuts);
    all.map(|address| Peer {
        address,
        connector: config.select_receive(local, address),
        is_public: !private.iter().any(|range| range.contains(address)),
        // Nobody reaches the loopback addresses of another host.
        connects: address.is_ipv4() == local.is_ipv4()
            && (address.is_loopback() || !local.ip().is_loopback()),
        speaks_proxy: config.expects_proxy_header(local, address),
    })
    .collect()
}
