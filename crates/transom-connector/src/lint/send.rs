//! Send connectors: whether mail leaves by them, and where to.

use std::net::{IpAddr, SocketAddr};

use transom_types::{Domain, Host};

use super::entrance::enabled;
use super::{Finding, LintContext, LintObject, LintPlace, LintRule};
use crate::receive::covers;
use crate::{
    AcceptedDomain, AcceptedDomainKind, AddressPattern, AddressSpace, CheckedConfiguration,
    Proximity, SendConnector, SendDelivery, SendTls, SmartHost, SmartHostAuth,
};

pub(super) fn check(
    config: &CheckedConfiguration,
    context: &LintContext,
    findings: &mut Vec<Finding>,
) {
    let spaces = best_spaces(config);
    for connector in config.send_connectors() {
        if !connector.enabled {
            findings.push(Finding::warning(
                LintRule::Disabled,
                place(connector, "enabled"),
                "it is switched off, and nothing leaves by it",
                "leave it out, or switch it on",
            ));
            continue;
        }
        findings.extend(never_chosen(config, connector, &spaces));
        check_delivery(config, connector, context, findings);
        let in_clear = matches!(connector.smart_host_auth, SmartHostAuth::Basic(_))
            && connector.tls != SendTls::Required;
        if in_clear {
            findings.push(Finding::warning(
                LintRule::PasswordInClear,
                place(connector, "smart_host_auth"),
                "it tells its password without TLS where TLS is not offered",
                "send it behind TLS only (BasicRequireTls)",
            ));
        }
    }
}

fn place(connector: &SendConnector, field: &'static str) -> LintPlace {
    LintPlace::new(LintObject::SendConnector, &connector.name, field)
}

/// An address space of a connector that can be used, the way connectors are compared.
struct Ranked<'c> {
    connector: &'c SendConnector,
    space: &'c AddressSpace,
    rank: (u32, Proximity),
}

type Spaces<'c> = std::collections::HashMap<&'c AddressPattern, Vec<Ranked<'c>>>;

fn best_spaces(config: &CheckedConfiguration) -> Spaces<'_> {
    let mut spaces = Spaces::new();
    for connector in config.send_connectors().iter().filter(|connector| connector.enabled) {
        let Some((link_cost, proximity)) = config.reach(connector) else { continue };
        for space in &connector.address_spaces {
            let rank = (link_cost.saturating_add(space.cost().into()), proximity);
            spaces.entry(space.pattern()).or_default().push(Ranked { connector, space, rank });
        }
    }
    for list in spaces.values_mut() {
        list.sort_by(|one, other| {
            let names = one.connector.name.cmp(&other.connector.name);
            one.rank.cmp(&other.rank).then(names)
        });
    }
    spaces
}

/// Whether `winner` takes every message that `loser` takes.
fn takes_all_of(winner: &SendConnector, loser: &SendConnector) -> bool {
    match (winner.message_octets_max, loser.message_octets_max) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(most), Some(octets)) => most >= octets,
    }
}

fn never_chosen(
    config: &CheckedConfiguration,
    connector: &SendConnector,
    spaces: &Spaces<'_>,
) -> Option<Finding> {
    let rule = LintRule::SendNeverChosen;
    if config.reach(connector).is_none() {
        return Some(Finding::warning(
            rule,
            place(connector, "source_servers"),
            "it is for other servers alone",
            "name this server among its source servers, or leave it out here",
        ));
    }
    let chosen = |space: &AddressSpace| {
        beaten_by(connector, space, spaces).is_none() && is_for_somebody(config, connector, space)
    };
    if connector.address_spaces.iter().any(chosen) {
        return None;
    }
    let mut winners =
        connector.address_spaces.iter().filter_map(|s| beaten_by(connector, s, spaces));
    let problem = match winners.next() {
        Some(winner) => format!(
            "each of its address spaces is always won by another connector, such as \"{}\"",
            winner.name
        ),
        None => "it is for accepted domains, and other connectors have all of them".to_owned(),
    };
    let advice = "leave it out, or lower its cost";
    Some(Finding::warning(rule, place(connector, "address_spaces"), problem, advice))
}

/// The connector that has the same domains, is preferred, and takes all that this one takes.
fn beaten_by<'c>(
    connector: &SendConnector,
    space: &AddressSpace,
    spaces: &Spaces<'c>,
) -> Option<&'c SendConnector> {
    let same = spaces.get(space.pattern())?;
    let is_own = |one: &Ranked<'_>| one.connector.name == connector.name && one.space == space;
    let before = same.iter().take_while(|one| !is_own(one)).map(|one| one.connector);
    before
        .filter(|other| other.name != connector.name)
        .find(|winner| takes_all_of(winner, connector))
}

/// Whether there are domains that the space means and no more specific one of a connector that
/// takes as much.
fn is_for_somebody(
    config: &CheckedConfiguration,
    connector: &SendConnector,
    space: &AddressSpace,
) -> bool {
    if *space.pattern() != AddressPattern::AcceptedDomains {
        return true;
    }
    let is_ours = |entry: &&AcceptedDomain| entry.kind != AcceptedDomainKind::ExternalRelay;
    let covered = |entry: &AcceptedDomain| {
        let others = config.send_candidates(Some(&entry.domain), true);
        let covers = |pattern: &AddressPattern| match pattern {
            AddressPattern::Exact(_) => !entry.match_subdomains,
            AddressPattern::Within(_) => true,
            _ => false,
        };
        let mut others = others.filter(|one| covers(one.space.pattern()));
        others.any(|one| takes_all_of(one.connector, connector))
    };
    config.accepted_domains().iter().filter(is_ours).any(|entry| !covered(entry))
}

fn check_delivery(
    config: &CheckedConfiguration,
    connector: &SendConnector,
    context: &LintContext,
    findings: &mut Vec<Finding>,
) {
    match &connector.delivery {
        SendDelivery::Agent(agent) => {
            let unknown = context.agents.as_ref().is_some_and(|known| !known.contains(agent));
            if unknown {
                findings.push(Finding::error(
                    LintRule::UnknownAgent,
                    place(connector, "delivery"),
                    format!("there is no delivery agent \"{agent}\""),
                    "register it, or name one that is registered",
                ));
            }
        }
        SendDelivery::SmartHosts(hosts) => {
            let own = hosts.iter().filter(|host| is_self(config, context, host));
            findings.extend(own.map(|host| {
                Finding::error(
                    LintRule::SmartHostSelf,
                    place(connector, "delivery"),
                    format!("its smart host {host} is this server: mail goes round"),
                    "name the host that mail goes on to",
                )
            }));
        }
        _ => {}
    }
}

/// Whether this server listens there.
fn is_self(config: &CheckedConfiguration, context: &LintContext, host: &SmartHost) -> bool {
    let mut bindings = enabled(config).flat_map(|connector| &connector.bindings);
    match &host.host {
        Host::Literal(literal) => {
            let target = SocketAddr::new(literal.ip().to_canonical(), host.port);
            let is_own = |ip: IpAddr| ip.is_loopback() || context.own_addresses.contains(&ip);
            bindings.any(|binding| {
                let exact = binding.ip().to_canonical() == target.ip();
                covers(binding, &target) && (exact || is_own(target.ip()))
            })
        }
        Host::Domain(name) => {
            let receive = enabled(config).map(|connector| config.receive_fqdn(connector));
            let mut own = receive.chain([config.server_name()]).chain(&context.own_hosts);
            let is_own = own.any(|own| is_same(own, name)) || *name == "localhost";
            is_own && bindings.any(|binding| binding.port() == host.port)
        }
    }
}

fn is_same(one: &Domain, other: &Domain) -> bool {
    one.to_ascii().ok() == other.to_ascii().ok()
}
