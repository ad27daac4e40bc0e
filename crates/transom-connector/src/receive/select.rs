//! Which connector serves whom.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use transom_types::ConnectorId;

use super::ReceiveConnector;
use crate::{CheckedConfiguration, RemoteRange};

impl CheckedConfiguration {
    /// The receive connector of that name.
    pub fn receive_connector(&self, name: &ConnectorId) -> Option<&ReceiveConnector> {
        self.receive_connectors().get(*self.receive_index().names.get(name)?)
    }

    /// Where to listen: every binding of an enabled connector once, in the order of the connectors.
    /// A binding to one address is left out where another one has all addresses at that port.
    pub fn listen_addresses(&self) -> Vec<SocketAddr> {
        let enabled = self.receive_connectors().iter().filter(|connector| connector.enabled);
        let mut known = BTreeSet::new();
        let bindings = enabled.flat_map(|connector| &connector.bindings);
        let all: Vec<_> = bindings.copied().filter(|binding| known.insert(*binding)).collect();
        let covered = |one: &SocketAddr| all.iter().any(|other| covers(other, one) && other != one);
        all.iter().copied().filter(|one| one.port() == 0 || !covered(one)).collect()
    }

    /// Which connector serves a session from `peer` that came in at `local`. The narrowest remote
    /// range wins; of equal ones, the binding to that very address, then the first name. A binding
    /// to port 0 serves any port that no other binding serves this peer at. Connectors that are not
    /// enabled serve nobody. None: the peer is not served
    /// ([`Refusal::NotServed`](crate::Refusal::NotServed)).
    ///
    /// Takes no memory, and a time that grows with the logarithm of the number of ranges.
    pub fn select_receive(&self, local: SocketAddr, peer: IpAddr) -> Option<&ReceiveConnector> {
        let (ip, peer) = (local.ip().to_canonical(), peer.to_canonical());
        let index = self.receive_index();
        let found = index.find(SocketAddr::new(ip, local.port()), peer);
        let found = found.or_else(|| index.find(SocketAddr::new(ip, 0), peer))?;
        self.receive_connectors().get(found.connector)
    }

    /// Whether a connection from `peer` that came in at `local` begins with a PROXY header: some
    /// connector that is bound there names `peer` among its
    /// [`proxy_networks`](ReceiveConnector::proxy_networks).
    pub fn expects_proxy_header(&self, local: SocketAddr, peer: IpAddr) -> bool {
        let ip = local.ip().to_canonical();
        let (local, any_port) = (SocketAddr::new(ip, local.port()), SocketAddr::new(ip, 0));
        let index = self.receive_index();
        // A binding to port 0 counts only where no other has the port.
        let bound = index.at(local).next().is_some();
        let at = if bound { local } else { any_port };
        index.at(at).any(|(_, here)| here.front_ends.iter().any(|range| range.contains(peer)))
    }
}

/// Whether a connection to `local` comes in at `binding`. `[::]` takes IPv4 too.
pub(crate) fn covers(binding: &SocketAddr, local: &SocketAddr) -> bool {
    let address = match binding.ip() {
        IpAddr::V4(ip) => ip == local.ip() || (ip.is_unspecified() && local.is_ipv4()),
        IpAddr::V6(ip) => ip == local.ip() || ip.is_unspecified(),
    };
    address && binding.port() == local.port()
}

/// The connectors by binding and address of the peer.
///
/// The ranges of a binding cut all addresses into segments, and in each segment one connector is
/// the narrowest: that is worked out once, and a question is a binary search. A tree over the bits
/// of addresses would be deeper, and `first-last` ranges do not fit it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReceiveIndex {
    bindings: HashMap<SocketAddr, Binding>,
    /// Where each connector stands, enabled or not.
    names: HashMap<ConnectorId, usize>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Binding {
    segments: Vec<Segment>,
    /// Who speaks for others by the PROXY protocol.
    front_ends: Vec<RemoteRange>,
}

/// Addresses from `first` to before the next segment's. IPv4 addresses come before IPv6 ones, as
/// [`IpAddr`] has them in order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    first: IpAddr,
    best: Option<Found>,
}

/// The narrowest range of a segment, and the connector's place in the configuration and among the
/// names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    width: u128,
    name_order: usize,
    connector: usize,
}

impl ReceiveIndex {
    pub(crate) fn new(connectors: &[ReceiveConnector]) -> Self {
        let mut by_name: Vec<usize> = (0..connectors.len()).collect();
        by_name.sort_by_key(|at| connectors.get(*at).map(|connector| &connector.name));
        let mut ranges: BTreeMap<SocketAddr, Vec<(RemoteRange, Found)>> = BTreeMap::new();
        let mut index = Self::default();
        for (name_order, at) in by_name.into_iter().enumerate() {
            let Some(connector) = connectors.get(at) else { continue };
            index.names.insert(connector.name.clone(), at);
            if !connector.enabled {
                continue;
            }
            for binding in &connector.bindings {
                // No scope: what the system says of a connection need not have it.
                let binding = SocketAddr::new(binding.ip(), binding.port());
                let here = ranges.entry(binding).or_default();
                here.extend(connector.remote_ranges.iter().map(|range| {
                    (*range, Found { width: range.width(), name_order, connector: at })
                }));
                let front_ends = &mut index.bindings.entry(binding).or_default().front_ends;
                front_ends.extend(&connector.proxy_networks);
            }
        }
        for (binding, ranges) in ranges {
            index.bindings.entry(binding).or_default().segments = segments(&ranges);
        }
        index
    }

    /// The bindings that a connection to `local` comes in at, and whether each is to that very
    /// address.
    fn at(&self, local: SocketAddr) -> impl Iterator<Item = (bool, &Binding)> {
        let port = local.port();
        let v4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
        let v6 = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
        let any = [v4, v6].into_iter().filter(move |any| *any != local && covers(any, &local));
        let keys = std::iter::once((true, local)).chain(any.map(|any| (false, any)));
        keys.filter_map(|(exact, key)| Some((exact, self.bindings.get(&key)?)))
    }

    fn find(&self, local: SocketAddr, peer: IpAddr) -> Option<Found> {
        let candidates = self.at(local).filter_map(|(exact, binding)| {
            let found = find(&binding.segments, peer)?;
            Some(((found.width, Reverse(exact), found.name_order), found))
        });
        candidates.min().map(|(_, found)| found)
    }
}

fn find(segments: &[Segment], peer: IpAddr) -> Option<Found> {
    let behind = segments.partition_point(|segment| segment.first <= peer);
    segments.get(behind.checked_sub(1)?)?.best
}

/// Cuts all addresses at the ends of `ranges` and finds the narrowest range of every piece.
fn segments(ranges: &[(RemoteRange, Found)]) -> Vec<Segment> {
    // What begins and what ends at each address.
    let mut cuts: BTreeMap<IpAddr, (Vec<Found>, Vec<Found>)> = BTreeMap::new();
    for (range, found) in ranges {
        cuts.entry(range.first()).or_default().0.push(*found);
        if let Some(behind) = successor(range.last()) {
            cuts.entry(behind).or_default().1.push(*found);
        }
    }
    // A connector may name a range twice.
    let mut open: BTreeMap<Found, usize> = BTreeMap::new();
    let mut all: Vec<Segment> = Vec::with_capacity(cuts.len());
    for (first, (begins, ends)) in cuts {
        for found in begins {
            let count = open.entry(found).or_default();
            *count = count.saturating_add(1);
        }
        for found in ends {
            match open.get_mut(&found) {
                Some(count) if *count > 1 => *count = count.saturating_sub(1),
                _ => drop(open.remove(&found)),
            }
        }
        let best = open.first_key_value().map(|(found, _)| *found);
        if all.last().is_none_or(|before| before.best != best) {
            all.push(Segment { first, best });
        }
    }
    all
}

/// The address behind `ip`. The first IPv6 address is behind the last IPv4 address.
pub(crate) fn successor(ip: IpAddr) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(ip) => match ip.to_bits().checked_add(1) {
            Some(next) => Some(Ipv4Addr::from_bits(next).into()),
            None => Some(Ipv6Addr::UNSPECIFIED.into()),
        },
        IpAddr::V6(ip) => ip.to_bits().checked_add(1).map(|next| Ipv6Addr::from_bits(next).into()),
    }
}
