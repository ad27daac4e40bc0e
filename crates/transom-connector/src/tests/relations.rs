//! Which connector serves whom, and what does not fit together.

use std::time::Duration;

use super::{contoso, domain, empty, ip, socket, with};
use crate::{
    AcceptedDomain, AcceptedDomainKind, Configuration, ConfigurationError, Permissions,
    ReceiveConnector, ReceiveLimits, RemoteRange, Rights, SendConnector,
};

fn connector(name: &str, binding: &str, ranges: &[&str]) -> ReceiveConnector {
    let ranges: Vec<RemoteRange> = ranges.iter().map(|range| range.parse().unwrap()).collect();
    ReceiveConnector::internet(socket(binding)).with_name(name).with_remote_ranges(ranges)
}

fn errors(configuration: Configuration) -> Vec<String> {
    match configuration.check() {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

fn receive_errors(connectors: Vec<ReceiveConnector>) -> Vec<String> {
    errors(connectors.into_iter().fold(empty(), Configuration::with_receive_connector))
}

// A1
#[test]
fn the_narrowest_range_wins() {
    let checked = with(vec![
        connector("all", "0.0.0.0:25", &["0.0.0.0/0", "::/0"]),
        connector("ten", "0.0.0.0:25", &["10.0.0.0/8"]),
        connector("lab", "0.0.0.0:25", &["10.1.0.0-10.1.0.99", "192.0.2.0/24"]),
        connector("one", "0.0.0.0:25", &["10.1.0.7"]),
    ]);
    for (peer, expected) in [
        ("203.0.113.1", "all"),
        ("10.200.0.1", "ten"),
        ("10.1.0.99", "lab"),
        ("10.1.0.100", "ten"),
        ("192.0.2.4", "lab"),
        ("10.1.0.7", "one"),
        ("::ffff:10.1.0.7", "one"),
    ] {
        let chosen = checked.select_receive(socket("192.0.2.25:25"), ip(peer)).unwrap();
        assert_eq!(chosen.name.as_str(), expected, "{peer}");
    }
}

#[test]
fn the_binding_must_fit() {
    let checked = with(vec![
        connector("v4", "0.0.0.0:25", &["0.0.0.0/0", "::/0"]),
        connector("exact", "192.0.2.25:25", &["0.0.0.0/0", "::/0"]),
        connector("submission", "[::]:587", &["0.0.0.0/0", "::/0"]),
    ]);
    for (local, expected) in [
        ("192.0.2.26:25", Some("v4")),
        ("192.0.2.25:25", Some("exact")),
        ("[::ffff:192.0.2.25]:25", Some("exact")),
        ("192.0.2.25:587", Some("submission")),
        ("[2001:db8::1]:587", Some("submission")),
        ("[2001:db8::1]:25", None),
        ("192.0.2.25:26", None),
    ] {
        let chosen = checked.select_receive(socket(local), ip("203.0.113.1"));
        assert_eq!(chosen.map(|c| c.name.as_str()), expected, "{local}");
    }
}

#[test]
fn a_peer_in_no_range_is_not_served() {
    let checked = with(vec![connector("ten", "0.0.0.0:25", &["10.0.0.0/8"])]);
    assert!(checked.select_receive(socket("192.0.2.25:25"), ip("11.0.0.1")).is_none());
    assert!(checked.select_receive(socket("192.0.2.25:25"), ip("10.0.0.1")).is_some());
}

#[test]
fn port_0_serves_the_port_that_the_system_chose() {
    let checked = with(vec![
        connector("any port", "127.0.0.1:0", &["0.0.0.0/0"]),
        connector("2525", "127.0.0.1:2525", &["10.0.0.0/8"]),
    ]);
    let name = |local, peer| checked.select_receive(socket(local), ip(peer)).map(|c| &c.name);
    assert_eq!(name("127.0.0.1:40001", "10.0.0.1").unwrap().as_str(), "any port");
    assert_eq!(name("127.0.0.1:2525", "10.0.0.1").unwrap().as_str(), "2525");
}

#[test]
fn every_address_is_listened_at_once() {
    let checked = with(vec![
        connector("a", "0.0.0.0:25", &["0.0.0.0/0"]).with_binding(socket("127.0.0.1:0")),
        connector("b", "192.0.2.1:25", &["0.0.0.0/0"]).with_binding(socket("192.0.2.1:587")),
        connector("c", "0.0.0.0:25", &["10.0.0.0/8"]),
    ]);
    let expected = ["0.0.0.0:25", "127.0.0.1:0", "192.0.2.1:587"].map(socket);
    assert_eq!(checked.listen_addresses(), expected);
    let checked = with(vec![
        connector("v6", "[::]:25", &["::/0"]),
        connector("v4", "0.0.0.0:25", &["0.0.0.0/0"]),
    ]);
    assert_eq!(checked.listen_addresses(), [socket("[::]:25")]);
}

// A1
#[test]
fn the_same_binding_and_range_twice_is_an_error() {
    let found = receive_errors(vec![
        connector("a", "0.0.0.0:25", &["10.0.0.0/8"]),
        connector("b", "0.0.0.0:25", &["192.0.2.1", "10.0.0.0-10.255.255.255"]),
    ]);
    let text = "receive connectors \"b\" and \"a\" share 0.0.0.0:25 and the range 10.0.0.0/8";
    assert_eq!(found, [text]);
}

#[test]
fn ranges_that_overlap_in_part_are_an_error() {
    let found = receive_errors(vec![
        connector("a", "0.0.0.0:25", &["10.0.0.1-10.0.0.9"]),
        connector("b", "0.0.0.0:25", &["10.0.0.5-10.0.0.12"]),
    ]);
    let text = "receive connectors \"b\" and \"a\" share 0.0.0.0:25, and their ranges \
                10.0.0.5-10.0.0.12 and 10.0.0.1-10.0.0.9 overlap";
    assert_eq!(found, [text]);
    let apart = receive_errors(vec![
        connector("a", "0.0.0.0:25", &["10.0.0.1-10.0.0.9"]),
        connector("b", "0.0.0.0:26", &["10.0.0.5-10.0.0.12"]),
    ]);
    assert_eq!(apart, [""; 0]);
}

#[test]
fn every_error_is_named_at_once() {
    let mut hollow = connector("a", "0.0.0.0:25", &[]);
    hollow.bindings.clear();
    let limits = ReceiveLimits::default().with_session_timeout(Duration::from_secs(1));
    let contoso = || AcceptedDomain::authoritative("contoso.com").unwrap();
    let configuration = empty()
        .with_receive_connector(hollow)
        .with_receive_connector(connector("a", "0.0.0.0:25", &["::1"]).with_limits(limits))
        .with_send_connector(SendConnector::internet())
        .with_send_connector(SendConnector::internet().with_address_spaces(Vec::new()))
        .with_send_connector(SendConnector::smart_hosts("s", vec!["*".parse().unwrap()], vec![]))
        .with_accepted_domain(contoso())
        .with_accepted_domain(contoso().with_subdomains());
    let expected = [
        "receive connector \"a\" has no binding",
        "receive connector \"a\" has no remote range",
        "two receive connectors are named \"a\"",
        "receive connector \"a\" has an idle time-out above its session time-out",
        "two send connectors are named \"Internet\"",
        "send connector \"Internet\" has no address space",
        "send connector \"s\" has no smart host",
        "the accepted domain contoso.com is there twice",
    ];
    assert_eq!(errors(configuration), expected);
}

// [RFC 6531 §3.7.1-a] test
#[test]
fn own_names_beyond_ascii_become_a_labels() {
    let mut receive = connector("a", "0.0.0.0:25", &["::1"]);
    receive.fqdn = Some("m\u{fc}nchen.example".parse().unwrap());
    let mut send = SendConnector::internet();
    send.fqdn = receive.fqdn.clone();
    let checked = Configuration::new("\u{e4}.example".parse().unwrap())
        .with_receive_connector(receive)
        .with_send_connector(send)
        .check()
        .unwrap();
    assert_eq!(checked.server_name().as_str(), "xn--4ca.example");
    let [receive] = checked.receive_connectors() else { panic!() };
    assert_eq!(checked.receive_fqdn(receive).as_str(), "xn--mnchen-3ya.example");
    let send = checked.send_connectors().first().unwrap();
    assert_eq!(checked.send_fqdn(send).as_str(), "xn--mnchen-3ya.example");
}

#[test]
fn errors_are_one_clear_line() {
    let error = empty()
        .with_send_connector(SendConnector::internet())
        .with_send_connector(SendConnector::internet())
        .check()
        .unwrap_err();
    assert_eq!(error.to_string(), "two send connectors are named \"Internet\"");
    let kinds: Vec<_> = error.iter().collect();
    assert!(matches!(kinds[..], [ConfigurationError::DuplicateSendConnector { .. }]));
}

#[test]
fn the_longest_accepted_domain_wins() {
    let checked = empty()
        .with_accepted_domain(AcceptedDomain::external_relay("*.com").unwrap())
        .with_accepted_domain(AcceptedDomain::internal_relay("*.contoso.com").unwrap())
        .with_accepted_domain(AcceptedDomain::authoritative("lab.contoso.com").unwrap())
        .check()
        .unwrap();
    for (name, kind) in [
        ("fabrikam.com", Some(AcceptedDomainKind::ExternalRelay)),
        ("CONTOSO.com", Some(AcceptedDomainKind::InternalRelay)),
        ("x.y.contoso.com", Some(AcceptedDomainKind::InternalRelay)),
        ("lab.contoso.com", Some(AcceptedDomainKind::Authoritative)),
        ("x.lab.contoso.com", Some(AcceptedDomainKind::InternalRelay)),
        ("notcontoso.org", None),
    ] {
        let found = checked.accepted_domain(&domain(name)).map(|entry| entry.kind);
        assert_eq!(found, kind, "{name}");
    }
}

#[test]
fn u_labels_meet_a_labels() {
    let accepted = AcceptedDomain::authoritative("m\u{fc}nchen.example").unwrap();
    let checked = empty().with_accepted_domain(accepted).check().unwrap();
    for name in ["xn--mnchen-3ya.example", "M\u{dc}NCHEN.example", "XN--MNCHEN-3YA.EXAMPLE"] {
        assert!(checked.accepted_domain(&domain(name)).is_some(), "{name}");
    }
    assert!(checked.accepted_domain(&domain("munchen.example")).is_none());
}

#[test]
fn the_default_domain_is_the_first_accepted_one() {
    assert_eq!(*contoso().check().unwrap().default_domain(), "contoso.com");
    assert_eq!(*empty().check().unwrap().default_domain(), "mx1.contoso.com");
}

#[test]
fn a_connector_without_fqdn_has_the_name_of_the_server() {
    let own = connector("own", "0.0.0.0:25", &["::1"]).with_fqdn(domain("in.contoso.com"));
    let checked = with(vec![own]);
    assert_eq!(*checked.receive_fqdn(&checked.receive_connectors()[0]), "in.contoso.com");
    assert_eq!(*checked.send_fqdn(&SendConnector::internet()), "mx1.contoso.com");
}

// A5
#[test]
fn limits_have_the_values_of_exchange() {
    let limits = ReceiveLimits::default();
    assert_eq!(limits.message_octets_max, 37_748_736);
    assert_eq!(limits.recipients_max, 200);
    assert_eq!(limits.header_octets_max, 262_144);
    assert_eq!((limits.hops_max, limits.own_hops_max), (60, 5));
    assert_eq!(limits.protocol_errors_max, 5);
    assert_eq!(limits.session_timeout, Duration::from_mins(10));
    assert_eq!(limits.idle_timeout, Duration::from_mins(5));
    assert_eq!(SendConnector::internet().message_octets_max, Some(36_700_160));
}

// A5
#[test]
fn bounds_of_strangers_spare_loopback_unless_set() {
    let limits = ReceiveLimits::default();
    for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(limits.connections_max_for(ip(loopback)), None, "{loopback}");
        assert_eq!(limits.connections_per_source_max_for(ip(loopback)), None, "{loopback}");
        assert_eq!(limits.tarpit_interval_for(ip(loopback)), Duration::ZERO, "{loopback}");
    }
    assert_eq!(limits.tarpit_interval_for(ip("192.0.2.1")), Duration::from_secs(5));
    assert_eq!(limits.connections_max_for(ip("192.0.2.1")), Some(5_000));
    assert_eq!(limits.connections_per_source_max_for(ip("192.0.2.1")), Some(20));
    let set = limits.with_connections_max(7).with_connections_per_source_max(3);
    let set = set.with_tarpit_interval(Duration::from_secs(1));
    assert_eq!(set.tarpit_interval_for(ip("127.0.0.1")), Duration::from_secs(1));
    assert_eq!(set.connections_max_for(ip("127.0.0.1")), Some(7));
    assert_eq!(set.connections_per_source_max_for(ip("192.0.2.1")), Some(3));
}

#[test]
fn a_right_lifts_the_size_limit() {
    let limits = ReceiveLimits::default().with_message_octets_max(70_000);
    let plain = Permissions::anonymous_users().anonymous;
    assert_eq!(limits.message_octets_max_for(plain), Some(70_000));
    assert_eq!(limits.message_octets_max_for(plain | Rights::BYPASS_MESSAGE_SIZE_LIMIT), None);
}
