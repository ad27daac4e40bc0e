//! Open relays: whether a stranger gets mail to somebody else's domain.

use std::collections::HashSet;
use std::net::SocketAddr;

use transom_types::{ConnectorId, ForwardPath};

use super::entrance::{Entrance, Peer, enabled, is_bound};
use super::{Finding, LintObject, LintPlace, LintRule, RelayStep, RelayWitness};
use crate::{AcceptedDomain, CheckedConfiguration, ReceiveConnector, RecipientClass, Rights};

/// Names of one label that networks have for themselves: RFC 6761, RFC 6762 appendix G, RFC 7686,
/// and `internal`, which ICANN keeps free.
const OWN_TOP_LEVELS: [&str; 13] = [
    "corp",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "test",
];

/// Whether an accepted domain takes all names below one that is nobody's own, such as `*.com`. A
/// name of more labels may be such too (`*.co.uk`); only a list of all of them would tell.
pub(super) fn takes_top_level(entry: &AcceptedDomain) -> bool {
    is_top_level_wildcard(entry) && !OWN_TOP_LEVELS.iter().any(|own| entry.domain == **own)
}

pub(super) fn is_top_level_wildcard(entry: &AcceptedDomain) -> bool {
    entry.match_subdomains && !entry.domain.as_str().contains('.')
}

/// Every way to an open relay: one for each connector that lets strangers relay, for each list
/// that lets strangers pass for somebody who may, and for each accepted domain that is everybody's.
pub(super) fn open_relays(config: &CheckedConfiguration) -> Vec<Finding> {
    let wildcards: Vec<_> =
        config.accepted_domains().iter().filter(|entry| takes_top_level(entry)).collect();
    let relaying = enabled(config).any(relays);
    if !relaying && wildcards.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut told = HashSet::new();
    let mut submitting = None;
    for entrance in Entrance::all(config) {
        for way in ways(config, &entrance, relays) {
            if told.insert((way.culprit.name.clone(), way.field)) {
                findings.extend(way.finding(config));
            }
        }
        if submitting.is_none() && !wildcards.is_empty() {
            submitting = ways(config, &entrance, submits).into_iter().next();
        }
    }
    // Who may submit at all may send to every accepted domain.
    if let Some(way) = submitting {
        findings.extend(wildcards.into_iter().filter_map(|entry| way.to_wildcard(config, entry)));
    }
    findings
}

/// What a session has that has shown nothing.
fn rights(connector: &ReceiveConnector) -> Rights {
    connector.permissions.rights(connector.principal_kind(false, &[""; 0]))
}

fn submits(connector: &ReceiveConnector) -> bool {
    rights(connector).contains(Rights::SUBMIT)
}

fn relays(connector: &ReceiveConnector) -> bool {
    rights(connector).contains(Rights::SUBMIT | Rights::ACCEPT_ANY_RECIPIENT)
}

/// How a stranger comes to a connector.
struct Way<'c> {
    local: SocketAddr,
    steps: Vec<RelayStep>,
    /// The one that serves the session in the end.
    connector: &'c ReceiveConnector,
    /// The one that makes it possible, and by which field.
    culprit: &'c ReceiveConnector,
    field: &'static str,
}

/// All ways of strangers to connectors that `wanted` says yes to.
fn ways<'c>(
    config: &'c CheckedConfiguration,
    entrance: &Entrance<'c>,
    wanted: fn(&ReceiveConnector) -> bool,
) -> Vec<Way<'c>> {
    let met = |peer: &Peer<'c>| peer.connector.filter(|connector| wanted(connector));
    // Who may name any client may name one of these. A stranger whom it might name as well comes
    // in by itself, as it is named by others.
    let insiders: Vec<_> =
        entrance.peers.iter().filter(|peer| !peer.is_public && met(peer).is_some()).collect();
    let local = entrance.local;
    let mut ways = Vec::new();
    for peer in entrance.peers.iter().filter(|peer| peer.is_public) {
        let Some(steps) = entrance.enter(peer, false) else { continue };
        if let Some(connector) = met(peer) {
            let field = "remote_ranges";
            ways.push(Way { local, steps, connector, culprit: connector, field });
            continue;
        }
        if peer.speaks_proxy && peer.connects {
            ways.extend(by_proxy(config, local, peer, &insiders));
        }
        if let Some(culprit) = peer.connector.filter(|_| peer.speaks_xclient()) {
            let named = insiders
                .iter()
                .find_map(|insider| Some((insider.connector?, entrance.enter_as(peer, insider)?)));
            ways.extend(named.map(|(connector, steps)| Way {
                local,
                steps,
                connector,
                culprit,
                field: "xclient_networks",
            }));
        }
    }
    ways
}

fn by_proxy<'c>(
    config: &'c CheckedConfiguration,
    local: SocketAddr,
    peer: &Peer<'c>,
    insiders: &[&Peer<'c>],
) -> Option<Way<'c>> {
    let insider = insiders.first()?;
    let names = |one: &&ReceiveConnector| {
        let trusted = &one.proxy_networks;
        is_bound(one, &local) && trusted.iter().any(|range| range.contains(peer.address))
    };
    let culprit = enabled(config).find(names)?;
    let steps = vec![RelayStep::Connect(peer.address), RelayStep::Proxy(insider.address)];
    Some(Way { local, steps, connector: insider.connector?, culprit, field: "proxy_networks" })
}

impl Way<'_> {
    fn finding(self, config: &CheckedConfiguration) -> Option<Finding> {
        let recipient = foreign_recipient(config, self.connector)?;
        let name = &self.connector.name;
        let (problem, advice) = if self.field == "remote_ranges" {
            (
                "strangers may send to any domain without showing who they are".to_owned(),
                "take SMTP-Accept-Any-Recipient from who has shown nothing, or list only \
                 networks of your own; if it is meant, set danger_open_relay",
            )
        } else {
            (
                format!("a stranger may pass for a client of \"{name}\", which may send anywhere"),
                "list only front ends in networks of your own; if it is meant, set \
                 danger_open_relay",
            )
        };
        let place = LintPlace::new(LintObject::ReceiveConnector, &self.culprit.name, self.field);
        let witness = RelayWitness { local: self.local, steps: self.steps, recipient };
        let finding = if self.culprit.danger_open_relay {
            Finding::warning(LintRule::OpenRelay, place, problem, advice)
        } else {
            Finding::error(LintRule::OpenRelay, place, problem, advice)
        };
        Some(Finding { witness: Some(witness), ..finding })
    }

    fn to_wildcard(
        &self,
        config: &CheckedConfiguration,
        entry: &AcceptedDomain,
    ) -> Option<Finding> {
        let names = numbered(config, |n| format!("elsewhere{n}.{}", entry.domain));
        let ours = |path: &ForwardPath| {
            let domain = path.domain()?;
            (config.accepted_domain(&domain) == Some(entry)).then_some(())
        };
        let recipient = names.into_iter().find(|path| ours(path).is_some())?;
        config.accepts_recipient(self.connector, rights(self.connector), &recipient).ok()?;
        let place = LintPlace::new(LintObject::AcceptedDomain, entry, "match_subdomains");
        let problem = format!("strangers may send to every domain below \"{}\"", entry.domain);
        let advice = "name the domains that are yours";
        let (local, steps) = (self.local, self.steps.clone());
        let witness = RelayWitness { local, steps, recipient };
        let finding = Finding::error(LintRule::OpenRelay, place, problem, advice);
        Some(Finding { witness: Some(witness), ..finding })
    }
}

/// A recipient in nobody's domain that the connector takes.
fn foreign_recipient(
    config: &CheckedConfiguration,
    connector: &ReceiveConnector,
) -> Option<ForwardPath> {
    let first = "<bob@elsewhere.example>".parse().ok();
    // No entry accepts two of these, so that one more than there are entries is enough.
    let others = numbered(config, |n| format!("elsewhere.zone-{n}"));
    let taken = |path: &ForwardPath| {
        let answer = config.accepts_recipient(connector, rights(connector), path);
        answer == Ok(RecipientClass::Foreign)
    };
    first.into_iter().chain(others).find(taken)
}

fn numbered(config: &CheckedConfiguration, name: impl Fn(usize) -> String) -> Vec<ForwardPath> {
    let numbers = 0..=config.accepted_domains().len();
    numbers.filter_map(|n| format!("<bob@{}>", name(n)).parse().ok()).collect()
}

/// The connectors that some peer can meet.
pub(super) fn reachable(config: &CheckedConfiguration) -> HashSet<ConnectorId> {
    let mut reachable = HashSet::new();
    for entrance in Entrance::all(config) {
        for peer in &entrance.peers {
            if let Some(connector) = peer.connector
                && !reachable.contains(&connector.name)
                && entrance.enter(peer, false).is_some()
            {
                reachable.insert(connector.name.clone());
            }
        }
    }
    reachable
}
