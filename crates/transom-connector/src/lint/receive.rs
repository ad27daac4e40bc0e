//! Receive connectors: who meets them, and whether they can keep what they offer.

use super::entrance::enabled;
use super::relay::reachable;
use super::{Finding, LintContext, LintObject, LintPlace, LintRule};
use crate::receive::certifies;
use crate::{
    CheckedConfiguration, ReceiveAuth, ReceiveConnector, ReceiveLimits, ReceiveTls, Rights,
    SendConnector,
};

/// RFC 5321 §4.5.3.1.8: recipients that every server takes.
const RECIPIENTS_LEAST: u32 = 100;
/// RFC 5321 §4.5.3.1.7: octets of a message that every server takes.
const MESSAGE_OCTETS_LEAST: u64 = 64 * 1024;

pub(super) fn check(
    config: &CheckedConfiguration,
    context: &LintContext,
    findings: &mut Vec<Finding>,
) {
    for connector in config.receive_connectors().iter().filter(|connector| !connector.enabled) {
        findings.push(Finding::warning(
            LintRule::Disabled,
            place(connector, "enabled"),
            "it is switched off and serves nobody",
            "leave it out, or switch it on",
        ));
    }
    let reachable = reachable(config);
    for connector in enabled(config) {
        if !reachable.contains(&connector.name) {
            findings.push(Finding::warning(
                LintRule::ReceiveNeverChosen,
                place(connector, "remote_ranges"),
                "no peer meets it: narrower ranges of others cover its own, or nobody there can \
                 reach its bindings",
                "leave it out, or give it ranges that no other connector has",
            ));
        }
        check_tls(config, connector, context, findings);
        check_auth(connector, context, findings);
        check_limits(connector, findings);
        check_size(config, connector, findings);
    }
}

fn place(connector: &ReceiveConnector, field: &'static str) -> LintPlace {
    LintPlace::new(LintObject::ReceiveConnector, &connector.name, field)
}

fn check_tls(
    config: &CheckedConfiguration,
    connector: &ReceiveConnector,
    context: &LintContext,
    findings: &mut Vec<Finding>,
) {
    let Some(names) = context.certificate_names.as_ref() else { return };
    if connector.tls == ReceiveTls::Off {
        return;
    }
    let place = place(connector, "tls");
    let fqdn = config.receive_fqdn(connector);
    if names.is_empty() {
        let rule = LintRule::TlsWithoutCertificate;
        findings.push(if connector.tls == ReceiveTls::Offered {
            let problem = "it offers TLS, there is no certificate, and so it does not";
            Finding::warning(rule, place, problem, "give a certificate, or switch TLS off")
        } else {
            let problem = "it demands TLS, and there is no certificate: it can take nothing";
            Finding::error(rule, place, problem, "give a certificate")
        });
    } else if !names.iter().any(|name| certifies(name, fqdn)) {
        findings.push(Finding::warning(
            LintRule::TlsNameMismatch,
            place,
            format!("it calls itself {fqdn}, and the certificate is for {}", names.join(", ")),
            "give a certificate for that name, or set fqdn to a name that it has",
        ));
    }
}

fn check_auth(connector: &ReceiveConnector, context: &LintContext, findings: &mut Vec<Finding>) {
    let users = connector.permissions.authenticated;
    if connector.offers_auth(false) {
        findings.push(Finding::warning(
            LintRule::AuthInClear,
            place(connector, "auth"),
            "it asks for passwords without TLS: who reads along has them",
            "offer AUTH under TLS only (RequireTls)",
        ));
    }
    let no_users = context.authenticates == Some(false);
    let no_tls = context.certificate_names.as_ref().is_some_and(Vec::is_empty);
    let needs_tls = connector.auth == ReceiveAuth::RequireTls;
    let why = if users == Rights::NONE || !connector.offers_auth(true) {
        None
    } else if no_users {
        Some("it has rights for users, and nobody judges their passwords")
    } else if needs_tls && no_tls {
        Some("it has rights for users, who may log in under TLS only, and has no certificate")
    } else {
        None
    };
    findings.extend(why.map(|problem| {
        let place = place(connector, "permissions");
        let advice = "give what is missing, or take the rights of users away";
        Finding::warning(LintRule::AuthImpossible, place, problem, advice)
    }));
    if connector.danger_normalize_bare_newlines {
        findings.push(Finding::warning(
            LintRule::Danger,
            place(connector, "danger_normalize_bare_newlines"),
            "CR or LF alone ends a line: a message may carry a second one past other servers",
            "switch it off once the clients that need it are gone",
        ));
    }
}

fn check_limits(connector: &ReceiveConnector, findings: &mut Vec<Finding>) {
    let limits = &connector.limits;
    let mut warn = |rule, problem: String, advice: &str| {
        findings.push(Finding::warning(rule, place(connector, "limits"), problem, advice));
    };
    if limits.header_octets_max > limits.message_octets_max {
        let (header, message) = (limits.header_octets_max, limits.message_octets_max);
        warn(
            LintRule::HeaderAboveMessage,
            format!("a header section may have {header} octets, and a message {message}"),
            "lower header_octets_max, or raise message_octets_max",
        );
    }
    // [RFC 5321 §4.5.3.1.8-a] a hundred recipients are the least that a server takes.
    if limits.recipients_max < RECIPIENTS_LEAST {
        let recipients = limits.recipients_max;
        warn(
            LintRule::LimitBelowStandard,
            format!("it takes {recipients} recipients, and every server has to take 100"),
            "raise recipients_max to 100 or more",
        );
    }
    if limits.message_octets_max < MESSAGE_OCTETS_LEAST {
        let octets = limits.message_octets_max;
        warn(
            LintRule::LimitBelowStandard,
            format!("it takes {octets} octets, and every server has to take 65536"),
            "raise message_octets_max to 64 KiB or more",
        );
    }
    check_sources(limits, &mut warn);
    let tarpits = [limits.tarpit_interval, limits.auth_tarpit_interval];
    if tarpits.into_iter().flatten().any(|tarpit| tarpit >= limits.idle_timeout) {
        warn(
            LintRule::TarpitAboveTimeout,
            "a refusal waits as long as a session may be silent, and the client is gone".into(),
            "lower the tarpit to some seconds",
        );
    }
}

fn check_sources(limits: &ReceiveLimits, warn: &mut impl FnMut(LintRule, String, &str)) {
    let all = limits.connections_max.unwrap_or(ReceiveLimits::CONNECTIONS_MAX);
    let of_source =
        limits.connections_per_source_max.unwrap_or(ReceiveLimits::CONNECTIONS_PER_SOURCE_MAX);
    let is_set = limits.connections_max.is_some() || limits.connections_per_source_max.is_some();
    if is_set && of_source > all {
        warn(
            LintRule::SourceAboveConnector,
            format!("one source may have {of_source} connections, and all together {all}"),
            "lower connections_per_source_max, or raise connections_max",
        );
    }
}

/// What is taken must be able to leave: a message that is too big for every way comes back.
fn check_size(
    config: &CheckedConfiguration,
    connector: &ReceiveConnector,
    findings: &mut Vec<Finding>,
) {
    let usable = |one: &&SendConnector| one.enabled && config.reach(one).is_some();
    let mut largest = None;
    for send in config.send_connectors().iter().filter(usable) {
        let Some(octets) = send.message_octets_max else { return };
        largest = largest.max(Some(octets));
    }
    let taken = connector.limits.message_octets_max;
    // Exchange's own defaults are a megabyte apart, which surprises nobody who set neither.
    let defaults = (ReceiveLimits::default().message_octets_max, SendConnector::MESSAGE_OCTETS_MAX);
    let odd = |largest: &u64| *largest < taken && (taken, *largest) != defaults;
    if let Some(largest) = largest.filter(odd) {
        findings.push(Finding::warning(
            LintRule::SizeAboveRoutes,
            place(connector, "limits"),
            format!("it takes {taken} octets, and the largest that leaves has {largest}"),
            "lower message_octets_max, or raise that of a send connector",
        ));
    }
}
