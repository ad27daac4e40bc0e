//! Which send connector takes a domain.

use std::cmp::Reverse;

use transom_connector::{
    AcceptedDomain, AcceptedDomainKind, AddressPattern, AddressSpace, CheckedConfiguration,
    Proximity, SendCandidate, SendConnector,
};
use transom_types::{ConnectorId, Domain};

/// Where mail for a domain leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selection<'c> {
    /// By this connector.
    Chosen(SendCandidate<'c>),
    /// Nowhere: all connectors that serve the domain take smaller messages only.
    TooBig {
        /// What the biggest of them takes.
        octets_max: u64,
    },
    /// Nowhere: no connector serves the domain. Another configuration may.
    Unreachable,
}

/// Why a send connector was not chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// It is switched off.
    #[error("it is switched off")]
    Disabled,
    /// The chosen one is as specific, costs the same, and is sent by from nearer.
    #[error("another is as specific, costs the same, and its servers are nearer")]
    FartherAway,
    /// The chosen one is as specific and costs less.
    #[error("another is as specific and costs less")]
    HigherCost,
    /// The chosen one is as good in all, and its name sorts before.
    #[error("another is as specific, costs the same, is as near, and its name sorts before")]
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
    /// It is for the servers of another site.
    #[error("it is for the servers of another site")]
    OutOfScope,
    /// It takes smaller messages only.
    #[error("it takes messages of at most {octets_max} octets")]
    TooSmall {
        /// What it takes.
        octets_max: u64,
    },
}

/// Chooses the send connector for a message of `size` octets to a recipient in `domain`: big
/// enough, enabled, in scope, with a matching address space; of several the most specific, then
/// the cheapest, then the nearest, then the first by name. Mail for an authoritative domain leaves
/// by delivery agents and drop directories alone, so that no address space of `*` sends it back
/// into the world.
///
/// There is no second choice: where the chosen one cannot connect, its queue is tried again.
///
/// Costs as much as the domain has labels, however many connectors there are, and allocates
/// nothing for a domain in A-labels and lower case. [`explain`](crate::explain) says why it is
/// this one.
pub fn select_connector<'c>(
    configuration: &'c CheckedConfiguration,
    domain: &Domain,
    size: u64,
) -> Selection<'c> {
    Question::new(configuration, domain, size).select()
}

/// How good a connector is for a domain; the greatest is chosen.
pub(crate) type Rank<'c> = (usize, Reverse<u32>, Reverse<Proximity>, Reverse<&'c ConnectorId>);

/// Why `rank` is not the best; none where it is.
pub(crate) fn lost(rank: &Rank<'_>, best: &Rank<'_>) -> Option<Reason> {
    if rank.0 != best.0 {
        Some(Reason::LessSpecific)
    } else if rank.1 != best.1 {
        Some(Reason::HigherCost)
    } else if rank.2 != best.2 {
        Some(Reason::FartherAway)
    } else {
        (rank.3 != best.3).then_some(Reason::LaterName)
    }
}

/// What is asked of the connectors.
pub(crate) struct Question<'c> {
    configuration: &'c CheckedConfiguration,
    /// The domain in A-labels; none for an address literal, which `*` alone serves.
    ascii: Option<Domain>,
    entry: Option<&'c AcceptedDomain>,
    size: u64,
}

impl<'c> Question<'c> {
    pub(crate) fn new(configuration: &'c CheckedConfiguration, domain: &Domain, size: u64) -> Self {
        let ascii = domain.to_ascii().ok();
        let entry = ascii.as_ref().and_then(|domain| configuration.accepted_domain(domain));
        Self { configuration, ascii, entry, size }
    }

    /// The question for a recipient at an address literal, which `*` alone serves.
    pub(crate) fn literal(configuration: &'c CheckedConfiguration, size: u64) -> Self {
        Self { configuration, ascii: None, entry: None, size }
    }

    /// The accepted domain that it is about.
    pub(crate) fn entry(&self) -> Option<&'c AcceptedDomain> {
        self.entry
    }

    /// The answer, by the index of the configuration.
    pub(crate) fn select(&self) -> Selection<'c> {
        let candidates =
            self.configuration.send_candidates(self.ascii.as_ref(), self.is_brought_on());
        let mut biggest = None;
        for candidate in candidates {
            match self.refusal(candidate.connector) {
                None => return Selection::Chosen(candidate),
                Some(Reason::TooSmall { octets_max }) => biggest = biggest.max(Some(octets_max)),
                Some(_) => {}
            }
        }
        match biggest {
            Some(octets_max) => Selection::TooBig { octets_max },
            None => Selection::Unreachable,
        }
    }

    /// How good one connector is, and by which of its address spaces; or why it is out. It says
    /// the same as [`Self::select`], by looking at this connector alone.
    pub(crate) fn rank(
        &self,
        connector: &'c SendConnector,
    ) -> Result<(Rank<'c>, &'c AddressSpace), Reason> {
        if !connector.enabled {
            return Err(Reason::Disabled);
        }
        let (link_cost, proximity) =
            self.configuration.reach(connector).ok_or(Reason::OutOfScope)?;
        let (specificity, space) = self.best_space(connector).ok_or(Reason::NoAddressSpace)?;
        if let Some(refusal) = self.refusal(connector) {
            return Err(refusal);
        }
        let cost = link_cost.saturating_add(u32::from(space.cost()));
        Ok(((specificity, Reverse(cost), Reverse(proximity), Reverse(&connector.name)), space))
    }

    /// Why a connector that serves the domain does not take this message.
    fn refusal(&self, connector: &SendConnector) -> Option<Reason> {
        let ours = self.entry.is_some_and(|e| e.kind == AcceptedDomainKind::Authoritative);
        if ours && !connector.delivery.is_local() {
            return Some(Reason::NotLocal);
        }
        let octets_max = connector.message_octets_max.filter(|most| *most < self.size)?;
        Some(Reason::TooSmall { octets_max })
    }

    fn best_space(&self, connector: &'c SendConnector) -> Option<(usize, &'c AddressSpace)> {
        let accepted = self.is_brought_on();
        let specificity = |space: &AddressSpace| match &self.ascii {
            Some(domain) => space.specificity(domain, accepted),
            None => (*space.pattern() == AddressPattern::Any).then_some(0),
        };
        let spaces = connector.address_spaces.iter();
        let fitting = spaces.filter_map(|space| Some((specificity(space)?, space)));
        fitting.max_by_key(|(specificity, space)| (*specificity, Reverse(space.cost())))
    }

    /// [Exchange] `--` means the domains whose mail is ours to bring on.
    fn is_brought_on(&self) -> bool {
        self.entry.is_some_and(|entry| entry.kind != AcceptedDomainKind::ExternalRelay)
    }
}
