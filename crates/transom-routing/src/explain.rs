//! Where a recipient goes, and why: the same answer as [`categorize`](crate::categorize), with
//! every connector that was looked at.

use std::cmp::Reverse;
use std::fmt;

use transom_connector::{
    AcceptedDomain, AddressSpace, CheckedConfiguration, Proximity, SendConnector,
};
use transom_types::{DeliveryType, ForwardPath, NextHop, Reply};

use crate::Reason;
use crate::categorizer::{ask, way};
use crate::selection::{Question, Rank, lost};

/// Where a recipient goes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation<'c> {
    /// The recipient.
    pub recipient: ForwardPath,
    /// The size of the message in octets.
    pub size: u64,
    /// The accepted domain that the recipient is in.
    pub accepted_domain: Option<&'c AcceptedDomain>,
    /// Where it goes, or why nowhere.
    pub way: Result<NextHop, Reply>,
    /// Every send connector: the chosen one first, the others in the order of the configuration.
    pub candidates: Vec<Candidate<'c>>,
}

/// A send connector that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate<'c> {
    /// The connector.
    pub connector: &'c SendConnector,
    /// What spoke for it; none where it could not take the message at all.
    pub merit: Option<Merit<'c>>,
    /// Why it was not chosen; none for the chosen one.
    pub reason: Option<Reason>,
}

/// What speaks for a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merit<'c> {
    /// The most specific of its address spaces that match.
    pub space: &'c AddressSpace,
    /// The cost of the address space and of the way to the connector's nearest source server.
    pub cost: u32,
    /// How far away that server is.
    pub proximity: Proximity,
}

/// Says where a message of `size` octets to `recipient` would go, and why.
///
/// Every connector is looked at by itself, so this costs what the configuration is long; mail is
/// routed by an index that gives the same answer.
pub fn explain<'c>(
    configuration: &'c CheckedConfiguration,
    recipient: &ForwardPath,
    size: u64,
) -> Explanation<'c> {
    let recipient = recipient.clone();
    match ask(configuration, &recipient, size) {
        Ok((question, name)) => Explanation {
            recipient,
            size,
            accepted_domain: question.entry(),
            way: way(&question, &name),
            candidates: candidates(configuration, &question),
        },
        Err(reply) => Explanation {
            recipient,
            size,
            accepted_domain: None,
            way: Err(reply),
            candidates: Vec::new(),
        },
    }
}

fn candidates<'c>(
    configuration: &'c CheckedConfiguration,
    question: &Question<'c>,
) -> Vec<Candidate<'c>> {
    let connectors = configuration.send_connectors().iter();
    let ranked: Vec<_> = connectors.map(|c| (c, question.rank(c))).collect();
    let ranks = ranked.iter().filter_map(|(_, rank)| rank.as_ref().ok());
    let best = ranks.map(|(rank, _)| *rank).max();
    let candidate = |(connector, ranked): (&'c SendConnector, Ranked<'c>)| match ranked {
        Err(reason) => Candidate { connector, merit: None, reason: Some(reason) },
        Ok((rank, space)) => {
            let (_, Reverse(cost), Reverse(proximity), _) = rank;
            let merit = Some(Merit { space, cost, proximity });
            let reason = best.as_ref().and_then(|best| lost(&rank, best));
            Candidate { connector, merit, reason }
        }
    };
    let mut candidates: Vec<_> = ranked.into_iter().map(candidate).collect();
    candidates.sort_by_key(|candidate| candidate.reason.is_some());
    candidates
}

type Ranked<'c> = Result<(Rank<'c>, &'c AddressSpace), Reason>;

impl Explanation<'_> {
    /// The chosen connector.
    pub fn chosen(&self) -> Option<&SendConnector> {
        let chosen = self.candidates.iter().find(|candidate| candidate.reason.is_none());
        chosen.map(|candidate| candidate.connector)
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} octets ", self.recipient, self.size)?;
        match &self.way {
            Ok(next_hop) if next_hop.kind == DeliveryType::Unreachable => {
                writeln!(f, "waits: no connector takes it until the configuration changes")?;
            }
            Ok(next_hop) => writeln!(f, "goes to {next_hop}")?,
            Err(reply) => writeln!(f, "fails: {}", reply.to_line())?,
        }
        match self.accepted_domain {
            Some(entry) => writeln!(f, "in the accepted domain {entry}, {}", entry.kind)?,
            None => writeln!(f, "in no accepted domain")?,
        }
        for candidate in &self.candidates {
            writeln!(f, "{candidate}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.connector.name;
        match self.reason {
            None => write!(f, "+ {name}: chosen")?,
            Some(reason) => write!(f, "- {name}: {reason}")?,
        }
        let Some(merit) = &self.merit else { return Ok(()) };
        write!(f, " ({}, cost {}, {})", merit.space, merit.cost, merit.proximity)
    }
}
