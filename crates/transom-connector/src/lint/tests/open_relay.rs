//! Open relays, way by way.

use std::net::IpAddr;

use proptest::prelude::*;

use super::super::entrance::{Entrance, not_public};
use super::{empty, errors, has, lint};
use crate::{
    AcceptedDomain, Configuration, Finding, LintRule, Permissions, ReceiveAuth, ReceiveConnector,
    RelayStep, RemoteRange, Rights, UsageType,
};

fn ranges(texts: &[&str]) -> Vec<RemoteRange> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn relay(binding: &str, texts: &[&str]) -> ReceiveConnector {
    ReceiveConnector::relay(binding.parse().unwrap(), ranges(texts))
}

fn internet(binding: &str) -> ReceiveConnector {
    ReceiveConnector::internet(binding.parse().unwrap())
}

fn with(connectors: impl IntoIterator<Item = ReceiveConnector>) -> Configuration {
    connectors.into_iter().fold(empty(), Configuration::with_receive_connector)
}

fn open(findings: &[Finding]) -> Vec<(&str, &str)> {
    let open = findings.iter().filter(|finding| finding.rule == LintRule::OpenRelay);
    open.map(|finding| (finding.place.name.as_str(), finding.place.field)).collect()
}

fn steps(findings: &[Finding]) -> Vec<RelayStep> {
    findings.iter().find_map(|finding| finding.witness.clone()).unwrap().steps
}

#[test]
fn every_range_that_is_not_public_is_one() {
    assert_eq!(not_public().count(), 13);
}

// A33
#[test]
fn a_relay_for_networks_of_ours_is_none_for_strangers() {
    for range in ["127.0.0.0/8", "10.0.0.0/8", "192.168.7.0/24", "100.64.0.1", "fd00::/8", "::1"] {
        let findings = lint(with([internet("[::]:25"), relay("[::]:25", &[range])]));
        assert_eq!(open(&findings), [], "{range}");
    }
}

#[test]
fn a_relay_for_a_public_range_is_open() {
    for range in ["0.0.0.0/0", "203.0.113.0/24", "8.8.8.8", "2001:db8::/32", "::/0"] {
        let findings = lint(with([relay("[::]:25", &["10.0.0.0/8", range])]));
        assert_eq!(open(&findings), [("Relay [::]:25", "remote_ranges")], "{range}");
        assert_eq!(errors(&findings), [LintRule::OpenRelay]);
    }
}

#[test]
fn an_open_relay_that_is_meant_is_a_warning() {
    let meant = relay("0.0.0.0:25", &["203.0.113.7"]).danger_open_relay(true);
    let findings = lint(with([meant.clone()]));
    assert_eq!(open(&findings), [("Relay 0.0.0.0:25", "remote_ranges")]);
    assert_eq!(errors(&findings), []);
    // It means its own ranges, and not those of others.
    let other = relay("0.0.0.0:26", &["203.0.113.7"]);
    assert_eq!(errors(&lint(with([meant, other]))), [LintRule::OpenRelay]);
}

#[test]
fn a_range_that_reaches_beyond_a_private_one_by_one_address_is_open() {
    let findings = lint(with([relay("0.0.0.0:25", &["10.0.0.0-11.0.0.0"])]));
    assert_eq!(steps(&findings), [RelayStep::Connect("11.0.0.0".parse().unwrap())]);
}

#[test]
fn a_public_range_that_narrower_ones_cover_is_not_open() {
    let wide = relay("0.0.0.0:25", &["203.0.113.0/24"]);
    let lower = internet("0.0.0.0:25").with_name("lower");
    let lower = lower.with_remote_ranges(ranges(&["203.0.113.0/25"]));
    let upper = internet("0.0.0.0:25").with_name("upper");
    let upper = upper.with_remote_ranges(ranges(&["203.0.113.128/25"]));
    let half = lint(with([wide.clone(), lower.clone()]));
    assert_eq!(steps(&half), [RelayStep::Connect("203.0.113.128".parse().unwrap())]);
    let whole = lint(with([wide, lower, upper]));
    assert_eq!(open(&whole), []);
    assert!(has(&whole, LintRule::ReceiveNeverChosen));
}

#[test]
fn externally_secured_strangers_may_relay() {
    let binding = "0.0.0.0:25".parse().unwrap();
    let trusted = ReceiveConnector::externally_secured(binding, ranges(&["198.51.100.0/24"]));
    assert_eq!(open(&lint(with([trusted]))), [("Trusted 0.0.0.0:25", "remote_ranges")]);
}

#[test]
fn who_may_not_submit_or_shows_who_it_is_relays_nothing_anonymously() {
    let nobody = Permissions::none();
    for permissions in [
        nobody.with_anonymous(Rights::ACCEPT_ANY_RECIPIENT),
        nobody.with_authenticated(Rights::EXCHANGE_USERS),
        // Nobody is externally secured here.
        nobody.with_rights(crate::PrincipalKind::ExternallySecured, Rights::EXCHANGE_SERVERS),
    ] {
        let connector = internet("0.0.0.0:25")
            .with_tls(crate::ReceiveTls::Offered)
            .with_permissions(permissions);
        assert_eq!(open(&lint(with([connector]))), [], "{permissions:?}");
    }
}

#[test]
fn strangers_reach_a_loopback_binding_by_a_front_end_alone() {
    let alone = relay("127.0.0.1:25", &["0.0.0.0/0"]);
    assert_eq!(open(&lint(with([alone.clone()]))), []);
    let fronted = alone.clone().with_proxy_networks(ranges(&["127.0.0.1"]));
    let findings = lint(with([fronted]));
    assert_eq!(open(&findings).len(), 1);
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let expected = [RelayStep::Connect(ip("127.0.0.1")), RelayStep::Proxy(ip("203.0.113.7"))];
    assert_eq!(steps(&findings), expected);
    let proxied = alone.with_xclient_networks(ranges(&["127.0.0.1"]));
    let expected = [RelayStep::Connect(ip("127.0.0.1")), RelayStep::Xclient(ip("203.0.113.7"))];
    assert_eq!(steps(&lint(with([proxied]))), expected);
}

#[test]
fn a_public_front_end_may_pass_for_who_may_relay() {
    let inner = relay("0.0.0.0:25", &["10.0.0.0/8"]);
    let balancer = ranges(&["198.51.100.9"]);
    let proxy = internet("0.0.0.0:25").with_proxy_networks(balancer.clone());
    let findings = lint(with([inner.clone(), proxy.clone()]));
    assert_eq!(open(&findings), [("Internet 0.0.0.0:25", "proxy_networks")]);
    let xclient = internet("0.0.0.0:25").with_xclient_networks(balancer);
    let findings = lint(with([inner.clone(), xclient]));
    assert_eq!(open(&findings), [("Internet 0.0.0.0:25", "xclient_networks")]);
    // Without a client that may relay there is nothing to gain.
    assert_eq!(open(&lint(with([proxy]))), []);
    // A front end in a network of ours is not a stranger.
    let own = internet("0.0.0.0:25").with_proxy_networks(ranges(&["10.0.0.9"]));
    assert_eq!(open(&lint(with([inner, own]))), []);
}

#[test]
fn a_disabled_connector_relays_nothing() {
    let findings = lint(with([relay("0.0.0.0:25", &["0.0.0.0/0"]).with_enabled(false)]));
    assert_eq!(open(&findings), []);
    assert!(has(&findings, LintRule::Disabled));
}

#[test]
fn the_domains_of_a_top_level_are_nobodys() {
    let wildcard = |domain: &str| {
        let accepted = AcceptedDomain::internal_relay(domain).unwrap();
        with([internet("0.0.0.0:25")]).with_accepted_domain(accepted)
    };
    let findings = lint(wildcard("*.com"));
    assert_eq!(open(&findings), [("*.com", "match_subdomains")]);
    assert!(!has(&findings, LintRule::WildcardAcceptedDomain));
    for own in ["*.local", "*.contoso.com", "com"] {
        assert_eq!(open(&lint(wildcard(own))), [], "{own}");
    }
    assert!(has(&lint(wildcard("*.local")), LintRule::WildcardAcceptedDomain));
    // Without a session that may submit it is a mistake that harms nobody.
    let accepted = AcceptedDomain::internal_relay("*.com").unwrap();
    let findings = lint(empty().with_accepted_domain(accepted));
    assert_eq!(open(&findings), []);
    assert!(has(&findings, LintRule::WildcardAcceptedDomain));
}

#[test]
fn the_witness_is_foreign_whatever_is_accepted_or_refused() {
    let connector = ReceiveConnector {
        reject_reserved_top_level: true,
        reject_reserved_second_level: true,
        reject_single_label: true,
        ..relay("0.0.0.0:25", &["0.0.0.0/0"])
    };
    let accepted = ["*.zone-0", "elsewhere.zone-1", "*.example"];
    let accepted = accepted.map(|domain| AcceptedDomain::authoritative(domain).unwrap());
    let configuration =
        accepted.into_iter().fold(with([connector]), Configuration::with_accepted_domain);
    let findings = lint(configuration);
    let witness = findings.iter().find_map(|finding| finding.witness.clone()).unwrap();
    assert_eq!(witness.recipient.to_string(), "<bob@elsewhere.zone-2>");
}

fn usage() -> impl Strategy<Value = UsageType> {
    prop_oneof![
        Just(UsageType::Client),
        Just(UsageType::Custom),
        Just(UsageType::Internal),
        Just(UsageType::Internet),
        Just(UsageType::Partner),
    ]
}

fn binding() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("0.0.0.0:25"),
        Just("[::]:25"),
        Just("0.0.0.0:587"),
        Just("192.0.2.1:2525"),
        Just("127.0.0.1:0"),
    ]
}

fn preset() -> impl Strategy<Value = ReceiveConnector> {
    let private = || {
        let some = ["10.0.0.0/8", "10.1.0.0/16", "192.168.0.1", "127.0.0.0/8", "::1", "fd00::/16"];
        prop::collection::vec(prop::sample::select(some.to_vec()), 1..4)
    };
    let bind = |text: &str| text.parse().unwrap();
    prop_oneof![
        (usage(), binding()).prop_map(move |(usage, at)| ReceiveConnector::new(usage, bind(at))),
        (binding(), private())
            .prop_map(move |(at, own)| ReceiveConnector::relay(bind(at), ranges(&own))),
        (binding(), private()).prop_map(move |(at, own)| ReceiveConnector::externally_secured(
            bind(at),
            ranges(&own)
        )),
        Just(ReceiveConnector::lmtp(bind("0.0.0.0:24"))),
    ]
}

proptest! {
    // A33
    #[test]
    fn no_set_of_presets_is_an_open_relay(
        presets in prop::collection::vec(preset(), 0..6),
        domains in prop::collection::vec("(\\*\\.|)[a-z]{1,8}\\.(com|example)", 0..3),
    ) {
        let mut configuration = empty();
        for domain in domains {
            let wider = AcceptedDomain::authoritative(&domain).unwrap();
            let wider = configuration.clone().with_accepted_domain(wider);
            configuration = if wider.clone().check().is_ok() { wider } else { configuration };
        }
        for (at, preset) in presets.into_iter().enumerate() {
            let wider = preset.with_name(&at.to_string());
            let wider = configuration.clone().with_receive_connector(wider);
            configuration = if wider.clone().check().is_ok() { wider } else { configuration };
        }
        let findings = lint(configuration);
        prop_assert_eq!(errors(&findings), []);
    }

    #[test]
    fn one_peer_of_each_piece_answers_for_all(
        connectors in prop::collection::vec(preset(), 1..5),
        peer in prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::from(std::net::Ipv4Addr::from_bits(bits))),
            any::<u128>().prop_map(|bits| IpAddr::from(std::net::Ipv6Addr::from_bits(bits))),
            (0u32..0x40).prop_map(|n| IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_ffe0 + n))),
        ],
    ) {
        let mut configuration = empty();
        for (at, connector) in connectors.into_iter().enumerate() {
            let wider = connector.with_name(&at.to_string());
            let wider = configuration.clone().with_receive_connector(wider);
            configuration = if wider.clone().check().is_ok() { wider } else { configuration };
        }
        let checked = configuration.check().unwrap();
        let peer = peer.to_canonical();
        for entrance in Entrance::all(&checked) {
            let met = checked.select_receive(entrance.local, peer).map(|one| &one.name);
            let public = !not_public().any(|range| range.contains(peer));
            let alike = entrance.peers.iter().filter(|one| one.is_public == public);
            let mut alike = alike.filter(|one| one.address.is_ipv4() == peer.is_ipv4());
            prop_assert!(alike.any(|one| one.connector.map(|one| &one.name) == met));
        }
    }
}

#[test]
fn an_externally_secured_preset_is_open_only_by_its_ranges() {
    let connector = internet("0.0.0.0:25")
        .with_auth(ReceiveAuth::ExternalAuthoritative)
        .with_permissions(Permissions::none().with_group(crate::PermissionGroup::ExchangeServers));
    let findings = lint(with([connector]));
    assert_eq!(open(&findings).len(), 1);
}
