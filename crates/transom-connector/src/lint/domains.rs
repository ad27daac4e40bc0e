//! Accepted domains: whether what is taken for them gets anywhere, and who is in them.

use transom_types::Domain;

use super::relay::{is_top_level_wildcard, takes_top_level};
use super::{Finding, LintContext, LintObject, LintPlace, LintRule};
use crate::{
    AcceptedDomain, AcceptedDomainKind, AddressPattern, CheckedConfiguration, SendDelivery,
};

pub(super) fn check(
    config: &CheckedConfiguration,
    context: &LintContext,
    findings: &mut Vec<Finding>,
) {
    for entry in config.accepted_domains() {
        findings.extend(route(config, entry));
        let is_told = findings.iter().any(|finding| {
            finding.rule == LintRule::OpenRelay && finding.place == place(entry, WILDCARD)
        });
        if is_top_level_wildcard(entry) && !is_told {
            findings.push(wildcard(entry));
        }
        let authoritative = entry.kind == AcceptedDomainKind::Authoritative;
        if authoritative && entry.address_book_enabled && is_unknown(context, &entry.domain) {
            findings.push(Finding::warning(
                LintRule::NoDirectory,
                place(entry, "address_book_enabled"),
                "there is no directory for it: every local-part is taken, and what nobody has \
                 comes back to senders who may be forged",
                "give a directory, or switch address_book_enabled off if that is meant",
            ));
        }
    }
}

const WILDCARD: &str = "match_subdomains";

fn place(entry: &AcceptedDomain, field: &'static str) -> LintPlace {
    LintPlace::new(LintObject::AcceptedDomain, entry, field)
}

fn is_unknown(context: &LintContext, domain: &Domain) -> bool {
    let known = context.directory_domains.as_ref();
    known.is_some_and(|known| !known.iter().any(|one| one.to_ascii().as_ref() == Ok(domain)))
}

fn wildcard(entry: &AcceptedDomain) -> Finding {
    let problem = if takes_top_level(entry) {
        format!("every domain below \"{}\" is taken for ours", entry.domain)
    } else {
        format!("every name below \"{}\" is taken, the misspelt ones too", entry.domain)
    };
    Finding::warning(
        LintRule::WildcardAcceptedDomain,
        place(entry, WILDCARD),
        problem,
        "name the domains that are yours",
    )
}

/// Where mail for the domain goes that no directory keeps.
fn route(config: &CheckedConfiguration, entry: &AcceptedDomain) -> Option<Finding> {
    let ours = entry.kind != AcceptedDomainKind::ExternalRelay;
    let best = config.send_candidates(Some(&entry.domain), ours).next();
    let internal = entry.kind == AcceptedDomainKind::InternalRelay;
    let Some(best) = best else {
        let rule =
            if internal { LintRule::InternalRelayWithoutConnector } else { LintRule::NoRoute };
        return Some(Finding::warning(
            rule,
            place(entry, "domain"),
            "mail for it is taken, and no send connector serves it: it waits and comes back",
            "add a send connector for it, or a delivery agent",
        ));
    };
    // The DNS names for such a domain the hosts that take its mail from outside: this one.
    let by_mx = best.connector.delivery == SendDelivery::Dns;
    (internal && by_mx && *best.space.pattern() == AddressPattern::Any).then(|| {
        Finding::warning(
            LintRule::InternalRelayWithoutConnector,
            place(entry, "domain"),
            format!(
                "recipients that are not ours go on by \"{}\", to the hosts that the DNS names, \
                 which are likely this server",
                best.connector.name
            ),
            "add a send connector for it with the hosts that have the other recipients",
        )
    })
}
