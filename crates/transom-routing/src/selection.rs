//! Which send connector takes a domain.

use std::cmp::Reverse;

use transom_connector::{
    AcceptedDomainKind, AddressPattern, AddressSpace, CheckedConfiguration, SendConnector,
    SendDelivery,
};
use transom_types::{ConnectorId, Domain};

/// Which send connector was chosen, and why not the others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selection<'c> {
    /// The connector; none where no one serves the domain, or all that do are too small.
    pub chosen: Option<&'c SendConnector>,
    /// All others, in the order of the configuration.
    pub rejected: Vec<(ConnectorId, Reason)>,
}

/// Why a send connector was not chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// It is switched off.
    #[error("it is switched off")]
    Disabled,
    /// The chosen one is as specific and costs less.
    #[error("another is as specific and costs less")]
    HigherCost,
    /// The chosen one is as specific, costs the same, and its name sorts before.
    #[error("another is as specific, costs the same, and its name sorts before")]
    LaterName,
    /// The address space of the chosen one is more specific.
    #[error("another has a more specific address space")]
    LessSpecific,
    /// None of its address spaces has the domain.
    #[error("none of its address spaces has the domain")]
    NoAddressSpace,
    /// The domain is authoritative, and this connector leads to other servers.
    #[error("the domain is authoritative, and it leads to other servers")]
    NotLocal,
    /// It takes smaller messages only.
    #[error("it takes messages of at most {octets_max} octets")]
    TooSmall {
        /// What it takes.
        octets_max: u64,
    },
}

/// How good a connector is for a domain; the greatest is chosen.
type Rank<'c> = (usize, Reverse<u8>, Reverse<&'c ConnectorId>);

/// Chooses the send connector for a message of `size` octets to a recipient in `domain`: enabled,
/// big enough, with a matching address space; of several the most specific, then the cheapest,
/// then the first by name. Mail for an authoritative domain leaves by delivery agents alone, so
/// that no address space of `*` sends it back into the world.
///
/// There is no second choice: where the chosen one cannot connect, its queue is tried again.
pub fn select_connector<'c>(
    configuration: &'c CheckedConfiguration,
    domain: &Domain,
    size: u64,
) -> Selection<'c> {
    let question = Question::new(configuration, domain, size);
    let best = question.best();
    let rejected = configuration.send_connectors().iter().filter_map(|connector| {
        let why = match (question.rank(connector), &best) {
            (Err(why), _) => why,
            (Ok(rank), Some((best, _))) => lost(&rank, best)?,
            (Ok(_), None) => return None,
        };
        Some((connector.name.clone(), why))
    });
    Selection { rejected: rejected.collect(), chosen: best.map(|(_, connector)| connector) }
}

/// Why `rank` is not the best; none where it is.
fn lost(rank: &Rank<'_>, best: &Rank<'_>) -> Option<Reason> {
    if rank.0 != best.0 {
        Some(Reason::LessSpecific)
    } else if rank.1 != best.1 {
        Some(Reason::HigherCost)
    } else {
        (rank.2 != best.2).then_some(Reason::LaterName)
    }
}

/// What is asked of each connector.
pub(crate) struct Question<'c> {
    configuration: &'c CheckedConfiguration,
    /// The domain in A-labels; none for an address literal, which `*` alone serves.
    ascii: Option<Domain>,
    kind: Option<AcceptedDomainKind>,
    size: u64,
}

impl<'c> Question<'c> {
    pub(crate) fn new(configuration: &'c CheckedConfiguration, domain: &Domain, size: u64) -> Self {
        let ascii = domain.to_ascii().ok();
        let kind = configuration.accepted_domain(domain).map(|entry| entry.kind);
        Self { configuration, ascii, kind, size }
    }

    /// The question for a recipient at an address literal, which `*` alone serves.
    pub(crate) fn literal(configuration: &'c CheckedConfiguration, size: u64) -> Self {
        Self { configuration, ascii: None, kind: None, size }
    }

    /// The chosen connector.
    pub(crate) fn best(&self) -> Option<(Rank<'c>, &'c SendConnector)> {
        let connectors = self.configuration.send_connectors().iter();
        let ranked = connectors.filter_map(|c| Some((self.rank(c).ok()?, c)));
        ranked.max_by(|(one, _), (other, _)| one.cmp(other))
    }

    /// Whether a connector would be chosen but for the size of the message.
    pub(crate) fn too_big(&self) -> Option<u64> {
        let sizes = self.configuration.send_connectors().iter().filter_map(|connector| match self
            .rank(connector)
        {
            Err(Reason::TooSmall { octets_max }) => Some(octets_max),
            _ => None,
        });
        sizes.max()
    }

    fn rank(&self, connector: &'c SendConnector) -> Result<Rank<'c>, Reason> {
        if !connector.enabled {
            return Err(Reason::Disabled);
        }
        let (specificity, cost) = self.best_space(connector).ok_or(Reason::NoAddressSpace)?;
        let ours = self.kind == Some(AcceptedDomainKind::Authoritative);
        if ours && !matches!(connector.delivery, SendDelivery::Agent(_)) {
            return Err(Reason::NotLocal);
        }
        match connector.message_octets_max {
            Some(octets_max) if octets_max < self.size => Err(Reason::TooSmall { octets_max }),
            _ => Ok((specificity, cost, Reverse(&connector.name))),
        }
    }

    fn best_space(&self, connector: &SendConnector) -> Option<(usize, Reverse<u8>)> {
        // [Exchange] `--` means the domains whose mail is ours to bring on.
        let accepted = matches!(
            self.kind,
            Some(AcceptedDomainKind::Authoritative | AcceptedDomainKind::InternalRelay)
        );
        let specificity = |space: &AddressSpace| match &self.ascii {
            Some(domain) => space.specificity(domain, accepted),
            None => (*space.pattern() == AddressPattern::Any).then_some(0),
        };
        let spaces = connector.address_spaces.iter();
        let fitting = spaces.filter_map(|s| Some((specificity(s)?, Reverse(s.cost()))));
        fitting.max()
    }
}
