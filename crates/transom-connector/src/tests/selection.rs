//! Which connector serves whom: the index against a search through everything.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;

use super::{empty, ip, socket, with};
use crate::{
    CheckedConfiguration, Configuration, LostReason, ReceiveConnector, RemoteRange, UsageType,
};

fn at(name: &str, binding: &str, ranges: &[&str]) -> ReceiveConnector {
    let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
    ReceiveConnector::internet(socket(binding)).with_name(name).with_remote_ranges(ranges)
}

// A1
#[test]
fn a_connector_that_is_not_enabled_serves_nobody() {
    let checked = with(vec![
        at("all", "0.0.0.0:25", &["0.0.0.0/0"]),
        // The same as above: they are no pair while one of them is off.
        at("spare", "0.0.0.0:25", &["0.0.0.0/0"]).with_enabled(false),
        at("ten", "0.0.0.0:587", &["10.0.0.0/8"]).with_enabled(false),
    ]);
    let name = |local, peer| checked.select_receive(socket(local), ip(peer)).map(|c| &c.name);
    assert_eq!(name("192.0.2.25:25", "10.0.0.1").unwrap().as_str(), "all");
    assert_eq!(name("192.0.2.25:587", "10.0.0.1"), None);
    assert_eq!(checked.listen_addresses(), [socket("0.0.0.0:25")]);
    let told = checked.explain_receive(socket("192.0.2.25:587"), ip("10.0.0.1"));
    assert_eq!(told.candidates[2].lost, Some(LostReason::Disabled));
}

#[test]
fn a_connector_is_found_by_its_name() {
    let checked = with(vec![
        at("a", "0.0.0.0:25", &["::1"]),
        at("b", "0.0.0.0:26", &["::1"]).with_enabled(false),
    ]);
    for connector in checked.receive_connectors() {
        assert_eq!(checked.receive_connector(&connector.name), Some(connector));
    }
    let other = ReceiveConnector::new(UsageType::Custom, socket("0.0.0.0:25"));
    assert_eq!(checked.receive_connector(&other.name), None);
}

#[test]
fn the_scope_of_a_link_local_address_does_not_count() {
    let checked = with(vec![at("link", "[fe80::1%2]:25", &["fe80::/64"])]);
    let found = checked.select_receive(socket("[fe80::1%3]:25"), ip("fe80::7"));
    assert_eq!(found.map(|connector| connector.name.as_str()), Some("link"));
}

#[test]
fn the_ends_of_ranges_and_of_address_families_are_kept_apart() {
    let checked = with(vec![
        at("v4", "[::]:25", &["0.0.0.0/0"]),
        at("last v4", "[::]:25", &["255.255.255.255"]),
        at("first v6", "[::]:25", &["::"]),
        at("last v6", "[::]:25", &["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]),
    ]);
    let name = |peer| {
        let found = checked.select_receive(socket("[2001:db8::1]:25"), ip(peer));
        found.map(|connector| connector.name.as_str())
    };
    assert_eq!(name("0.0.0.0"), Some("v4"));
    assert_eq!(name("255.255.255.254"), Some("v4"));
    assert_eq!(name("255.255.255.255"), Some("last v4"));
    assert_eq!(name("::"), Some("first v6"));
    assert_eq!(name("::1"), None);
    assert_eq!(name("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"), None);
    assert_eq!(name("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), Some("last v6"));
}

/// Looks at every range of every connector; shares no code with the index.
fn searched(
    all: &[ReceiveConnector],
    local: SocketAddr,
    peer: IpAddr,
) -> Option<&ReceiveConnector> {
    let bound_at = |port: u16| {
        let candidates = all.iter().filter(|connector| connector.enabled).filter_map(|connector| {
            let fitting = connector.bindings.iter().filter(|binding| {
                let any = match binding.ip() {
                    IpAddr::V4(ip) => ip.is_unspecified() && local.is_ipv4(),
                    IpAddr::V6(ip) => ip.is_unspecified(),
                };
                binding.port() == port && (binding.ip() == local.ip() || any)
            });
            let exact = fitting.map(|binding| binding.ip() == local.ip()).max()?;
            let width = connector.range_of(peer)?.width();
            Some(((width, Reverse(exact), &connector.name), connector))
        });
        candidates.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, connector)| connector)
    };
    bound_at(local.port()).or_else(|| bound_at(0))
}

/// Addresses of a small world, so that ranges meet.
fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0u32..24).prop_map(|n| Ipv4Addr::from_bits(0x0a00_0000 + n).into()),
        Just(IpAddr::from(Ipv4Addr::BROADCAST)),
        Just(IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        (0u128..24).prop_map(|n| Ipv6Addr::from_bits(n << 64).into()),
        Just(IpAddr::from(Ipv6Addr::from_bits(u128::MAX))),
    ]
}

fn range() -> impl Strategy<Value = RemoteRange> {
    (address(), address()).prop_map(|(one, other)| {
        let (first, last) = (one.min(other), one.max(other));
        let text = if first.is_ipv4() == last.is_ipv4() {
            format!("{first}-{last}")
        } else {
            format!("{first}")
        };
        text.parse().unwrap()
    })
}

fn binding() -> impl Strategy<Value = SocketAddr> {
    let address =
        prop_oneof![Just("0.0.0.0"), Just("[::]"), Just("192.0.2.1"), Just("[2001:db8::1]")];
    (address, prop_oneof![Just(0), Just(25), Just(26)])
        .prop_map(|(address, port)| socket(&format!("{address}:{port}")))
}

fn connector() -> impl Strategy<Value = ReceiveConnector> {
    let bindings = prop::collection::vec(binding(), 1..3);
    let ranges = prop::collection::vec(range(), 1..6);
    let front_ends = prop::collection::vec(range(), 0..2);
    (bindings, ranges, front_ends, 0u8..5).prop_map(|(bindings, ranges, front_ends, enabled)| {
        let mut connector = at("", "0.0.0.0:25", &[])
            .with_remote_ranges(ranges)
            .with_proxy_networks(front_ends)
            .with_enabled(enabled > 0);
        connector.bindings = bindings;
        connector
    })
}

/// Unchecked, so that ranges overlap and bindings meet in every way.
fn configuration() -> impl Strategy<Value = CheckedConfiguration> {
    let connectors = prop::collection::vec(connector(), 0..8).prop_shuffle();
    connectors.prop_map(|connectors| {
        let named = connectors.into_iter().enumerate();
        let all = named.map(|(at, connector)| connector.with_name(&((at * 5) % 8).to_string()));
        CheckedConfiguration::new(all.fold(empty(), Configuration::with_receive_connector))
    })
}

proptest! {
    // A1
    #[test]
    fn the_index_finds_what_a_search_finds(
        checked in configuration(),
        local in binding(),
        peers in prop::collection::vec(address(), 1..16),
    ) {
        for peer in peers {
            let found = checked.select_receive(local, peer);
            let searched = searched(checked.receive_connectors(), local, peer);
            let names = (found.map(|c| &c.name), searched.map(|c| &c.name));
            prop_assert_eq!(names.0, names.1, "{} {}", local, peer);
        }
    }

    #[test]
    fn a_header_is_expected_from_front_ends_of_the_binding(
        checked in configuration(),
        local in binding(),
        peer in address(),
    ) {
        let bound = |port: u16| checked.receive_connectors().iter().filter(move |connector| {
            connector.enabled && connector.bindings.iter().any(|binding| {
                let any = match binding.ip() {
                    IpAddr::V4(ip) => ip.is_unspecified() && local.is_ipv4(),
                    IpAddr::V6(ip) => ip.is_unspecified(),
                };
                binding.port() == port && (binding.ip() == local.ip() || any)
            })
        });
        let port = if bound(local.port()).next().is_some() { local.port() } else { 0 };
        let trusts = |c: &ReceiveConnector| c.proxy_networks.iter().any(|r| r.contains(peer));
        prop_assert_eq!(checked.expects_proxy_header(local, peer), bound(port).any(trusts));
    }

    // A1
    #[test]
    fn the_explanation_tells_the_choice_and_a_true_reason_for_all_others(
        checked in configuration(),
        local in binding(),
        peer in address(),
    ) {
        let told = checked.explain_receive(local, peer);
        let chosen = checked.select_receive(local, peer);
        prop_assert_eq!(told.chosen().map(|c| &c.name), chosen.map(|c| &c.name));
        prop_assert_eq!(told.candidates.len(), checked.receive_connectors().len());
        prop_assert_eq!(told.stages.is_empty(), chosen.is_none());
        let winner = told.candidates.iter().find(|candidate| candidate.lost.is_none());
        let width = |range: Option<RemoteRange>| range.unwrap().width();
        for candidate in &told.candidates {
            let (connector, lost) = (candidate.connector, candidate.lost.clone());
            let fits = candidate.range.is_some() && candidate.binding.is_some();
            match lost {
                None => prop_assert!(fits && connector.enabled),
                Some(LostReason::Disabled) => prop_assert!(!connector.enabled),
                Some(LostReason::OtherBinding) => prop_assert!(candidate.binding.is_none()),
                Some(LostReason::OutOfRange) => prop_assert!(candidate.range.is_none()),
                Some(LostReason::PortOfOthers { binding }) => {
                    prop_assert!(binding.port() != 0 && candidate.binding.unwrap().port() == 0);
                }
                Some(LostReason::WiderRange { range, narrower }) => {
                    prop_assert!(range.width() > narrower.width());
                    prop_assert_eq!(Some(narrower), winner.unwrap().range);
                }
                Some(LostReason::WiderBinding { binding, narrower }) => {
                    prop_assert!(binding.ip().is_unspecified() && narrower.ip() == local.ip());
                    prop_assert_eq!(width(candidate.range), width(winner.unwrap().range));
                }
                Some(LostReason::LaterName { winner: first }) => {
                    prop_assert!(first < connector.name);
                    prop_assert_eq!(width(candidate.range), width(winner.unwrap().range));
                }
            }
        }
    }
}
