//! Which send connectors serve a domain, the best first.

use std::fmt;

use transom_types::Domain;

use crate::domain_index::DomainIndex;
use crate::{AddressPattern, AddressSpace, Configuration, OtherServer, SendConnector};

/// How far away the servers are that send by a connector. The nearest is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "here, beside or elsewhere")]
pub enum Proximity {
    /// This server is one of them.
    Local,
    /// A server of the same site is.
    SameSite,
    /// All are in other sites.
    Remote,
}

impl fmt::Display for Proximity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "from this server",
            Self::SameSite => "from a server of this site",
            Self::Remote => "from a server of another site",
        })
    }
}

/// A send connector that serves a domain, by one of its address spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendCandidate<'c> {
    /// The connector.
    pub connector: &'c SendConnector,
    /// The address space.
    pub space: &'c AddressSpace,
    /// The cost of the address space and of the way to the connector's nearest source server.
    pub cost: u32,
    /// How far away that server is.
    pub proximity: Proximity,
}

/// The address spaces of all connectors that are enabled and in scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SendIndex {
    domains: DomainIndex<Vec<Place>>,
    accepted: Vec<Place>,
    any: Vec<Place>,
}

/// An address space by its places in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    connector: usize,
    space: usize,
    cost: u32,
    proximity: Proximity,
}

impl SendIndex {
    pub(crate) fn new(configuration: &Configuration) -> Self {
        let mut index = Self::default();
        for (at, connector) in configuration.send_connectors.iter().enumerate() {
            let Some((link_cost, proximity)) = reach(configuration, connector) else { continue };
            if !connector.enabled {
                continue;
            }
            for (space_at, space) in connector.address_spaces.iter().enumerate() {
                let cost = link_cost.saturating_add(u32::from(space.cost()));
                let place = Place { connector: at, space: space_at, cost, proximity };
                index.places_mut(space.pattern()).push(place);
            }
        }
        let name =
            |place: &Place| configuration.send_connectors.get(place.connector).map(|c| &c.name);
        let lists = index.domains.values_mut().chain([&mut index.accepted, &mut index.any]);
        for places in lists {
            places.sort_by(|one, other| {
                let (near, far) = ((one.cost, one.proximity), (other.cost, other.proximity));
                near.cmp(&far).then_with(|| name(one).cmp(&name(other)))
            });
        }
        index
    }

    fn places_mut(&mut self, pattern: &AddressPattern) -> &mut Vec<Place> {
        match pattern {
            AddressPattern::AcceptedDomains => &mut self.accepted,
            AddressPattern::Any => &mut self.any,
            AddressPattern::Exact(domain) => self.domains.exact_mut(domain),
            AddressPattern::Within(domain) => self.domains.within_mut(domain),
        }
    }

    /// See [`CheckedConfiguration::send_candidates`](crate::CheckedConfiguration::send_candidates).
    pub(crate) fn candidates<'c>(
        &'c self,
        connectors: &'c [SendConnector],
        domain: Option<&Domain>,
        accepted: bool,
    ) -> impl Iterator<Item = SendCandidate<'c>> {
        let by_domain = domain.into_iter().flat_map(|name| self.domains.matching(name.as_str()));
        let accepted = if accepted { self.accepted.as_slice() } else { &[] };
        let places = by_domain.flatten().chain(accepted).chain(&self.any);
        places.filter_map(|place| {
            let connector = connectors.get(place.connector)?;
            let space = connector.address_spaces.get(place.space)?;
            let (cost, proximity) = (place.cost, place.proximity);
            Some(SendCandidate { connector, space, cost, proximity })
        })
    }
}

/// What the way to the connector's nearest source server costs, and how far away it is. None where
/// the connector is not for this server.
pub(crate) fn reach(
    configuration: &Configuration,
    connector: &SendConnector,
) -> Option<(u32, Proximity)> {
    let sources = &connector.source_servers;
    if sources.is_empty() || sources.contains(&configuration.server_name) {
        return Some((0, Proximity::Local));
    }
    let others = source_servers(configuration, connector);
    let cost = others.map(|server| server.link_cost).min()?;
    match cost {
        0 => Some((0, Proximity::SameSite)),
        _ if connector.is_scoped => None,
        _ => Some((cost, Proximity::Remote)),
    }
}

/// The other servers that send by a connector, in the order of the connector.
pub(crate) fn source_servers<'c>(
    configuration: &'c Configuration,
    connector: &'c SendConnector,
) -> impl Iterator<Item = &'c OtherServer> {
    let servers = &configuration.servers;
    let find = |name: &Domain| servers.iter().find(|server| server.name == *name);
    connector.source_servers.iter().filter_map(find)
}
