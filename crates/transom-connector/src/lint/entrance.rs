//! Which peers can come in where, and which connector each of them meets.
//!
//! All addresses of peers are cut where something in the configuration begins or ends. Nothing
//! tells the addresses of one piece apart, so that one of them answers for all, and what holds for
//! one of each piece holds for every peer.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::receive::{covers, successor};
use crate::{CheckedConfiguration, ReceiveConnector, RemoteRange};

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
    /// Whether it names clients by XCLIENT.
    pub(super) fn speaks_xclient(&self) -> bool {
        self.connector.is_some_and(|connector| connector.may_xclient(self.address))
    }
}

impl<'c> Entrance<'c> {
    /// All of them: each address that a connector is bound to, and one for all others where
    /// connectors listen at all addresses.
    pub(super) fn all(config: &'c CheckedConfiguration) -> impl Iterator<Item = Self> {
        locals(config).into_iter().map(|local| Self { local, peers: peers(config, local) })
    }

    /// Who names other clients here, if anybody does.
    pub(super) fn front_end(&self) -> Option<&Peer<'c>> {
        let speaks = |peer: &&Peer<'_>| peer.speaks_proxy || peer.speaks_xclient();
        self.peers.iter().filter(|peer| peer.connects).find(speaks)
    }

    /// Those that can come in, by themselves or because a front end names them.
    pub(super) fn entering(&self) -> impl Iterator<Item = &Peer<'c>> {
        let fronted = self.front_end().is_some();
        self.peers.iter().filter(move |peer| peer.connects || fronted)
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
