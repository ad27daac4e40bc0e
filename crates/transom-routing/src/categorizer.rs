//! From an envelope to next hops.

use std::collections::HashMap;

use transom_connector::{
    CheckedConfiguration, Proximity, ReceiveLimits, SendCandidate, SendConnector, SendDelivery,
};
use transom_types::{
    AttemptStage, ConnectorId, DeliveryType, EnhancedStatusCode, Envelope, ForwardPath, Host,
    NextHop, NextHopDomain, Outcome, RecipientResult, Reply, ReplyCode, Status, TlsClass,
};

use crate::Selection;
use crate::selection::Question;

/// What the categorizer must know of a message.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MessageFacts<'m> {
    /// Its envelope.
    pub envelope: &'m Envelope,
    /// Its size in octets.
    pub size: u64,
    /// Received fields in its header section.
    pub received_count: u32,
    /// Those of them that name this server.
    pub own_received_count: u32,
    /// Received fields that it may have; more are a loop.
    pub hops_max: u32,
    /// Those that may name this server; 0 does not count them.
    pub own_hops_max: u32,
}

impl<'m> MessageFacts<'m> {
    /// A message without Received fields, under the limits of [`ReceiveLimits::default`].
    pub fn new(envelope: &'m Envelope, size: u64) -> Self {
        let limits = ReceiveLimits::default();
        Self {
            envelope,
            size,
            received_count: 0,
            own_received_count: 0,
            hops_max: limits.hops_max,
            own_hops_max: limits.own_hops_max,
        }
    }

    /// The same with so many Received fields, so many of them naming this server.
    #[must_use]
    pub fn with_received(self, received_count: u32, own_received_count: u32) -> Self {
        Self { received_count, own_received_count, ..self }
    }

    /// The same under the limits of the connector that it came in by.
    #[must_use]
    pub fn with_limits(self, limits: &ReceiveLimits) -> Self {
        Self { hops_max: limits.hops_max, own_hops_max: limits.own_hops_max, ..self }
    }
}

/// Every recipient of a message in exactly one place, by its index in the envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Categorized {
    /// Next hops in the order they first occur, each with its recipients in order.
    pub groups: Vec<(NextHop, Vec<u32>)>,
    /// Recipients that go nowhere, to be reported.
    pub failed: Vec<RecipientResult>,
}

/// Gives every recipient of a message its next hop, or a failure.
///
/// Recipients that stand twice are kept twice, each with its own outcome. `<Postmaster>` goes
/// where `postmaster` at the default domain goes. Where no connector serves a recipient, its next
/// hop is [`DeliveryType::Unreachable`], and it waits for another configuration.
pub fn categorize(configuration: &CheckedConfiguration, facts: &MessageFacts<'_>) -> Categorized {
    let mut categorized = Categorized::default();
    let mut place_of: HashMap<NextHop, usize> = HashMap::new();
    let looping = loop_reply(facts);
    for (index, recipient) in (0u32..).zip(&facts.envelope.recipients) {
        let routed = match &looping {
            Some(reply) => Err(reply.clone()),
            None => route(configuration, &recipient.forward_path, facts.size),
        };
        let next_hop = match routed {
            Ok(next_hop) => next_hop,
            Err(reply) => {
                let outcome = Outcome::Failed(Status::local(AttemptStage::Routing, reply));
                categorized.failed.push(RecipientResult { recipient: index, outcome });
                continue;
            }
        };
        let place = *place_of.entry(next_hop).or_insert_with_key(|next_hop| {
            categorized.groups.push((next_hop.clone(), Vec::new()));
            categorized.groups.len().saturating_sub(1)
        });
        if let Some((_, recipients)) = categorized.groups.get_mut(place) {
            recipients.push(index);
        }
    }
    categorized
}

/// Where one recipient of a message goes: to `path`, whatever stands in the envelope. `by` names
/// the connector where an agent has chosen it; where the configuration has none of that name that
/// is enabled and in scope, the recipient waits as unreachable.
///
/// # Errors
///
/// The reply for a recipient that goes nowhere.
pub fn next_hop(
    configuration: &CheckedConfiguration,
    facts: &MessageFacts<'_>,
    path: &ForwardPath,
    by: Option<&ConnectorId>,
) -> Result<NextHop, Reply> {
    if let Some(reply) = loop_reply(facts) {
        return Err(reply);
    }
    let Some(by) = by else { return route(configuration, path, facts.size) };
    let (_, name) = ask(configuration, path, facts.size)?;
    let connector = configuration.send_connector(by).filter(|connector| connector.enabled);
    let reached = connector.and_then(|it| Some((it, configuration.reach(it)?.1)));
    let Some((connector, proximity)) = reached else { return Ok(unreachable()) };
    match connector.message_octets_max.filter(|most| *most < facts.size) {
        Some(octets_max) => Err(too_big(octets_max)),
        None => Ok(hop_by(connector, proximity, &name)),
    }
}

/// [RFC 5321 §6.3] a message that has been at too many hosts goes in circles.
fn loop_reply(facts: &MessageFacts<'_>) -> Option<Reply> {
    let own = facts.own_hops_max != 0 && facts.own_received_count > facts.own_hops_max;
    (facts.received_count > facts.hops_max || own).then(|| {
        let code = EnhancedStatusCode::permanent(4, 6);
        let text = "Hop count exceeded - possible mail loop";
        Reply::new(ReplyCode::TRANSACTION_FAILED, code, text)
    })
}

/// Where a recipient goes.
fn route(
    configuration: &CheckedConfiguration,
    path: &ForwardPath,
    size: u64,
) -> Result<NextHop, Reply> {
    let (question, name) = ask(configuration, path, size)?;
    way(&question, &name)
}

/// What to ask about a recipient, and the name of its host.
pub(crate) fn ask<'c>(
    configuration: &'c CheckedConfiguration,
    path: &ForwardPath,
    size: u64,
) -> Result<(Question<'c>, String), Reply> {
    // [RFC 5321 §2.3.11-a, §C-d] the domain of the envelope decides, nothing else.
    let host = match path {
        ForwardPath::Postmaster => Host::Domain(configuration.default_domain().clone()),
        ForwardPath::Mailbox(mailbox) => mailbox.host(),
    };
    Ok(match &host {
        Host::Domain(domain) => {
            // [RFC 6531 §3.2-b] names are looked up as A-labels.
            let ascii = domain.to_ascii().map_err(|_| bad_domain())?;
            (Question::new(configuration, &ascii, size), ascii.to_string())
        }
        Host::Literal(literal) => (Question::literal(configuration, size), literal.to_string()),
    })
}

/// The answer as a next hop.
pub(crate) fn way(question: &Question<'_>, name: &str) -> Result<NextHop, Reply> {
    match question.select() {
        Selection::Chosen(SendCandidate { connector, proximity, .. }) => {
            Ok(hop_by(connector, proximity, name))
        }
        Selection::TooBig { octets_max } => Err(too_big(octets_max)),
        Selection::Unreachable => Ok(unreachable()),
    }
}

fn hop_by(connector: &SendConnector, proximity: Proximity, domain: &str) -> NextHop {
    let by_name = || connector.name.to_string();
    let (kind, domain) = match &connector.delivery {
        _ if proximity != Proximity::Local => {
            (DeliveryType::SmtpRelayToConnectorSourceServers, by_name())
        }
        SendDelivery::Agent(agent) => (DeliveryType::DeliveryAgent, agent.clone()),
        SendDelivery::Drop(_) => (DeliveryType::NonSmtpGatewayDelivery, by_name()),
        SendDelivery::SmartHosts(hosts) => {
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            (DeliveryType::SmartHostConnectorDelivery, hosts.join(","))
        }
        _ => (DeliveryType::DnsConnectorDelivery, domain.to_owned()),
    };
    let domain = NextHopDomain::new(&domain);
    NextHop { kind, domain, connector: connector.name.clone(), tls: TlsClass::Normal }
}

fn unreachable() -> NextHop {
    NextHop {
        kind: DeliveryType::Unreachable,
        domain: NextHopDomain::new("Unreachable"),
        connector: ConnectorId::new(""),
        tls: TlsClass::Normal,
    }
}

fn too_big(octets_max: u64) -> Reply {
    let text = format!("Message size exceeds the {octets_max} octets of the way to the recipient");
    Reply::new(ReplyCode::EXCEEDED_STORAGE, EnhancedStatusCode::permanent(3, 4), text)
}

/// A domain in U-labels that has no form in A-labels exists nowhere.
fn bad_domain() -> Reply {
    let code = EnhancedStatusCode::permanent(1, 2);
    Reply::new(
        ReplyCode::MAILBOX_UNAVAILABLE,
        code,
        "The recipient's domain is no domain of the DNS",
    )
}
