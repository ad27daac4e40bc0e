//! From domains and smart hosts to addresses, case by case.

use std::fmt::Write;

use proptest::prelude::*;
use transom_connector::{Configuration, SendConnector};
use transom_dns::{DomainName, Zone};
use transom_types::{ConnectorId, DeliveryType, NextHop, NextHopDomain, Outcome, TlsClass};

use super::domain;
use crate::{ADDRESSES_MAX, HOSTS_MAX, HostTry, LocalIdentity, PlanError, Target, plan};

/// Polls a future that never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

fn local() -> LocalIdentity {
    LocalIdentity::default()
        .with_name("mx.self.example".parse().unwrap())
        .with_address("131.107.0.99:25".parse().unwrap())
}

fn to_domain(text: &str) -> Target {
    Target::Domain { domain: text.parse().unwrap(), port: 25 }
}

fn to_smart_hosts(hosts: &[&str]) -> Target {
    Target::SmartHosts(hosts.iter().map(|host| host.parse().unwrap()).collect())
}

/// Numbers that grow, so that hosts of equal preference stay in the order of the zone.
fn hosts(zone: &str, target: &Target) -> Result<Vec<HostTry>, PlanError> {
    let zone: Zone = zone.parse().unwrap();
    let mut number = 0;
    let mut growing = || {
        number += 1;
        number
    };
    now(plan(&zone, target, &local(), &mut growing))
}

/// `name=address,address` for each host, or the reply that the failure means.
fn planned(zone: &str, target: &Target) -> String {
    match hosts(zone, target) {
        Ok(hosts) => {
            let host = |host: &HostTry| {
                let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
                format!("{}={}", host.name, addresses.join(","))
            };
            hosts.iter().map(host).collect::<Vec<_>>().join(" ")
        }
        Err(error) => match error.outcome() {
            Outcome::Failed(status) => format!("failed {}", status.reply.to_line()),
            Outcome::Deferred(status) => format!("deferred {}", status.reply.to_line()),
            other => panic!("{other:?}"),
        },
    }
}

// A11
// [RFC 5321 §5.1-a, §5.1-f, §5.1-h, §5.1-i, §5.1-k] test
#[test]
fn mx_records_give_hosts_in_order() {
    for (case, zone, expected) in [
        (
            "by preference",
            "d.com MX 20 b.com\n d.com MX 10 a.com\n a.com A 1.0.0.1\n b.com A 1.0.0.2",
            "a.com=1.0.0.1 b.com=1.0.0.2",
        ),
        ("implicit MX", "d.com A 1.0.0.1\n d.com AAAA 2600::1", "d.com=2600::1,1.0.0.1"),
        (
            "the root beside a real host",
            "d.com MX 0 .\n d.com MX 5 a.com\n a.com A 1.0.0.1",
            "a.com=1.0.0.1",
        ),
        (
            "one host of two exists",
            "d.com MX 10 a.com\n d.com MX 20 b.com\n b.com A 1.0.0.2",
            "b.com=1.0.0.2",
        ),
        (
            "one kind of address fails",
            "d.com MX 10 a.com\n a.com AAAA SERVFAIL\n a.com A 1.0.0.1",
            "a.com=1.0.0.1",
        ),
        (
            "domain is an alias",
            "d.com CNAME e.com\n e.com MX 10 a.com\n a.com A 1.0.0.1",
            "a.com=1.0.0.1",
        ),
        (
            "host is an alias",
            "d.com MX 10 a.com\n a.com CNAME b.com\n b.com A 1.0.0.2",
            "a.com=1.0.0.2",
        ),
        (
            "IPv6 and IPv4 in turn",
            "d.com MX 10 a.com\n a.com A 1.0.0.1\n a.com A 1.0.0.2\n a.com A 1.0.0.3\n a.com \
             AAAA 2600::1",
            "a.com=2600::1,1.0.0.1,1.0.0.2,1.0.0.3",
        ),
    ] {
        assert_eq!(planned(zone, &to_domain("d.com")), expected, "{case}");
    }
}

// A11
// [RFC 5321 §5.1-c, §5.1-e, §5.1-f, §5.1-g] test
#[test]
fn a_domain_without_a_mail_host_fails() {
    for (case, zone, expected) in [
        (
            "implicit MX of a name without address",
            "x.d.com A 1.0.0.1",
            "failed 550 5.4.4 no mail host of d.com has an address",
        ),
        ("null MX", "d.com MX 0 .", "failed 556 5.1.10 the domain d.com takes no mail"),
        (
            "null MX although an address is there",
            "d.com MX 0 .\n d.com A 1.0.0.1",
            "failed 556 5.1.10 the domain d.com takes no mail",
        ),
        (
            "no such domain",
            "other.com A 1.0.0.1",
            "failed 550 5.4.4 the domain d.com does not exist",
        ),
        (
            "no host of the MX exists",
            "d.com MX 10 a.com\n d.com A 1.0.0.9",
            "failed 550 5.4.4 no mail host of d.com has an address",
        ),
    ] {
        assert_eq!(planned(zone, &to_domain("d.com")), expected, "{case}");
    }
}

// A11
// [RFC 5321 §5.1-d] test
#[test]
fn what_could_not_be_found_out_is_tried_again() {
    for (case, zone, expected) in [
        (
            "MX lookup fails",
            "d.com MX SERVFAIL\n d.com A 1.0.0.1",
            "deferred 451 4.4.3 the DNS lookup of d.com failed: the name server failed",
        ),
        (
            "MX lookup times out",
            "d.com MX TIMEOUT\n d.com A 1.0.0.1",
            "deferred 451 4.4.3 the DNS lookup of d.com failed: no name server answered in time",
        ),
        (
            "MX lookup refused",
            "d.com MX REFUSED",
            "deferred 451 4.4.3 the DNS lookup of d.com failed: the name server refused the \
             question",
        ),
        (
            "MX answer forged",
            "d.com MX BOGUS",
            "deferred 451 4.4.3 the DNS lookup of d.com failed: the answer failed DNSSEC \
             validation",
        ),
        (
            "host lookup fails",
            "d.com MX 10 a.com\n a.com ANY SERVFAIL",
            "deferred 451 4.4.3 the DNS lookup of a.com failed: the name server failed",
        ),
        (
            "one host fails and one does not exist",
            "d.com MX 10 a.com\n d.com MX 20 b.com\n a.com ANY TIMEOUT",
            "deferred 451 4.4.3 the DNS lookup of a.com failed: no name server answered in time",
        ),
        (
            "one kind fails and the other is not there",
            "d.com MX 10 a.com\n a.com AAAA SERVFAIL",
            "deferred 451 4.4.3 the DNS lookup of a.com failed: the name server failed",
        ),
        (
            "alias loop",
            "d.com CNAME e.com\n e.com CNAME d.com",
            "deferred 451 4.4.3 the DNS lookup of d.com failed: the name server failed",
        ),
    ] {
        assert_eq!(planned(zone, &to_domain("d.com")), expected, "{case}");
    }
}

// A11 [RFC 5321 §5.1-l, §5.1-m, §5.1-n] test
#[test]
fn a_host_that_finds_itself_uses_better_hosts_alone() {
    let looping = "failed 554 5.4.4 mail for d.com loops back to this server";
    for (case, zone, expected) in [
        ("by name, alone", "d.com MX 10 mx.self.example", looping),
        ("by name in other case", "d.com MX 10 MX.Self.Example", looping),
        ("by address", "d.com MX 10 a.com\n a.com A 131.107.0.99", looping),
        ("by mapped address", "d.com MX 10 a.com\n a.com AAAA ::ffff:131.107.0.99", looping),
        (
            "by one of several addresses",
            "d.com MX 10 a.com\n a.com A 1.0.0.1\n a.com A 131.107.0.99",
            looping,
        ),
        ("implicit MX", "d.com A 131.107.0.99", looping),
        (
            "worse hosts are dropped",
            "d.com MX 10 mx.self.example\n d.com MX 20 b.com\n b.com A 1.0.0.2",
            looping,
        ),
        (
            "equal hosts are dropped",
            "d.com MX 10 a.com\n d.com MX 10 mx.self.example\n a.com A 1.0.0.1",
            looping,
        ),
        (
            "equal hosts are dropped, by address",
            "d.com MX 10 a.com\n d.com MX 10 b.com\n a.com A 1.0.0.1\n b.com A 131.107.0.99",
            looping,
        ),
        (
            "better hosts are kept",
            "d.com MX 10 a.com\n d.com MX 20 mx.self.example\n d.com MX 30 c.com\n a.com A \
             1.0.0.1\n c.com A 1.0.0.3",
            "a.com=1.0.0.1",
        ),
        (
            "better hosts are kept, by address",
            "d.com MX 10 a.com\n d.com MX 20 b.com\n d.com MX 30 c.com\n a.com A 1.0.0.1\n \
             b.com A 131.107.0.99\n c.com A 1.0.0.3",
            "a.com=1.0.0.1",
        ),
        (
            "better hosts cannot be found out",
            "d.com MX 10 a.com\n d.com MX 20 mx.self.example\n a.com ANY SERVFAIL",
            "deferred 451 4.4.3 the DNS lookup of a.com failed: the name server failed",
        ),
        ("better hosts do not exist", "d.com MX 10 a.com\n d.com MX 20 mx.self.example", looping),
    ] {
        assert_eq!(planned(zone, &to_domain("d.com")), expected, "{case}");
    }
    // At another port it is another server.
    let other_port = Target::Domain { domain: "d.com".parse().unwrap(), port: 2525 };
    assert_eq!(planned("d.com A 131.107.0.99", &other_port), "d.com=131.107.0.99");
}

#[test]
fn private_addresses_of_strangers_are_not_connected_to() {
    let prohibited = "failed 550 5.4.4 all mail hosts of d.com have private or reserved addresses";
    for (case, zone, expected) in [
        ("loopback", "d.com A 127.0.0.1", prohibited),
        ("private", "d.com MX 10 a.com\n a.com A 10.0.0.1\n a.com AAAA fd00::1", prohibited),
        ("mixed", "d.com MX 10 a.com\n a.com A 10.0.0.1\n a.com A 1.0.0.1", "a.com=1.0.0.1"),
        (
            "next host",
            "d.com MX 10 a.com\n d.com MX 20 b.com\n a.com A 0.0.0.0\n b.com A 1.0.0.2",
            "b.com=1.0.0.2",
        ),
    ] {
        assert_eq!(planned(zone, &to_domain("d.com")), expected, "{case}");
    }
    let zone: Zone = "d.com A 127.0.0.1".parse().unwrap();
    let allowed = local().with_danger_accept_private_addresses(true);
    let hosts = now(plan(&zone, &to_domain("d.com"), &allowed, &mut || 0)).unwrap();
    assert_eq!(hosts[0].addresses, ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
}

#[test]
fn an_address_literal_is_its_address() {
    let to = |literal: &str| Target::Literal { literal: literal.parse().unwrap(), port: 25 };
    assert_eq!(planned("", &to("[1.0.0.1]")), "[1.0.0.1]=1.0.0.1");
    assert_eq!(planned("", &to("[IPv6:2600::1]")), "[IPv6:2600::1]=2600::1");
    for literal in ["[127.0.0.1]", "[IPv6:::1]", "[131.107.0.99]", "[IPv6:::ffff:10.0.0.1]"] {
        let found = planned("", &to(literal));
        assert!(found.starts_with("failed 550 5.4.4 the address ["), "{literal}: {found}");
    }
}

#[test]
fn smart_hosts_are_tried_in_their_order() {
    let zone = "b.com A 10.0.0.2\n a.com A 10.0.0.1\n a.com AAAA fd00::1\n t.com ANY TIMEOUT";
    for (case, listed, expected) in [
        ("as listed", &["b.com", "a.com"][..], "b.com=10.0.0.2 a.com=fd00::1,10.0.0.1"),
        (
            "addresses need no DNS",
            &["127.0.0.1:2525", "[IPv6:::1]"],
            "[127.0.0.1]=127.0.0.1 [IPv6:::1]=::1",
        ),
        ("one is not there", &["x.com", "b.com"], "b.com=10.0.0.2"),
        ("one cannot be found out", &["t.com", "b.com"], "b.com=10.0.0.2"),
        (
            "none is there: the sender cannot help it",
            &["x.com", "y.com:26"],
            "deferred 451 4.4.4 no smart host of x.com,y.com:26 has an address",
        ),
        (
            "none can be found out",
            &["t.com", "x.com"],
            "deferred 451 4.4.3 the DNS lookup of t.com failed: no name server answered in time",
        ),
    ] {
        assert_eq!(planned(zone, &to_smart_hosts(listed)), expected, "{case}");
    }
    let hosts = hosts(zone, &to_smart_hosts(&["a.com:2525", "b.com"])).unwrap();
    assert_eq!(
        [(hosts[0].port, hosts[0].preference), (hosts[1].port, hosts[1].preference)],
        [(2525, 0), (25, 1)]
    );
}

#[test]
fn every_host_gets_an_address_before_any_gets_a_second() {
    let mut zone = String::from("d.com MX 10 a.com\nd.com MX 20 b.com\nb.com A 1.0.1.1\n");
    for number in 1..=9 {
        _ = writeln!(zone, "a.com A 1.0.0.{number}");
    }
    let expected = "a.com=1.0.0.1,1.0.0.2,1.0.0.3,1.0.0.4 b.com=1.0.1.1";
    assert_eq!(planned(&zone, &to_domain("d.com")), expected);
}

#[test]
fn an_mx_list_of_a_thousand_hosts_is_cut() {
    let mut zone = String::new();
    for number in 0..1_000 {
        _ = writeln!(zone, "d.com MX 10 h{number}.com");
        _ = writeln!(zone, "h{number}.com A 1.0.{}.{}", number / 250, number % 250);
    }
    let hosts = hosts(&zone, &to_domain("d.com")).unwrap();
    assert_eq!(hosts.len(), ADDRESSES_MAX);
    assert!(hosts.iter().all(|host| host.addresses.len() == 1));
    // None of the first hosts exists: no thousand questions are asked to find that out.
    let dead: String =
        zone.lines().filter(|line| line.contains("MX")).collect::<Vec<_>>().join("\n");
    let late = format!("{dead}\nh{HOSTS_MAX}.com A 1.0.0.1");
    let failure = planned(&late, &to_domain("d.com"));
    assert_eq!(failure, "failed 550 5.4.4 no mail host of d.com has an address");
}

// [RFC 5321 §5.1-i, §5.1-j] test
#[test]
fn equal_hosts_are_mixed_and_unequal_ones_are_not() {
    let zone: Zone = "d.com MX 10 a.com\n d.com MX 10 b.com\n d.com MX 5 first.com\n \
        a.com A 1.0.0.1\n b.com A 1.0.0.2\n first.com A 1.0.0.3"
        .parse()
        .unwrap();
    let order = |numbers: [u64; 3]| {
        let mut numbers = numbers.into_iter();
        let mut random = || numbers.next().unwrap();
        let hosts = now(plan(&zone, &to_domain("d.com"), &local(), &mut random)).unwrap();
        hosts.into_iter().map(|host| host.name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(order([1, 2, 9]), "first.com a.com b.com");
    assert_eq!(order([2, 1, 9]), "first.com b.com a.com");
}

#[test]
fn a_next_hop_leads_to_its_target() {
    let configuration = Configuration::new(domain("mx1.contoso.com"))
        .with_delivery_agent("mailbox", ["contoso.com"])
        .unwrap()
        .with_send_connector(SendConnector::internet().with_port(2525))
        .with_send_connector(SendConnector::smart_hosts(
            "Inner",
            vec!["*.inner.example".parse().unwrap()],
            vec!["192.0.2.9:26".parse().unwrap()],
        ))
        .check()
        .unwrap();
    let target = |kind, name: &str, connector: &str| {
        let (domain, connector) = (NextHopDomain::new(name), ConnectorId::new(connector));
        let next_hop = NextHop { kind, domain, connector, tls: TlsClass::Normal };
        Target::of(&next_hop, &configuration).map_err(|error| {
            let outcome = error.outcome();
            let status = outcome.status().unwrap();
            format!("{} {}", outcome.name(), status.reply.to_line())
        })
    };
    let dns = DeliveryType::DnsConnectorDelivery;
    let fabrikam: DomainName = "fabrikam.com".parse().unwrap();
    assert_eq!(
        target(dns, "fabrikam.com", "Internet"),
        Ok(Target::Domain { domain: fabrikam, port: 2525 })
    );
    let literal = "[203.0.113.1]".parse().unwrap();
    assert_eq!(
        target(dns, "[203.0.113.1]", "Internet"),
        Ok(Target::Literal { literal, port: 2525 })
    );
    let smart = DeliveryType::SmartHostConnectorDelivery;
    assert_eq!(target(smart, "[192.0.2.9]:26", "Inner"), Ok(to_smart_hosts(&["192.0.2.9:26"])));
    let gone = target(dns, "fabrikam.com", "Gone").unwrap_err();
    assert_eq!(gone, "deferred 451 4.3.5 there is no send connector \"Gone\"");
    let changed = target(dns, "fabrikam.com", "Inner").unwrap_err();
    let text = "deferred 451 4.3.5 send connector \"Inner\" does not do DnsConnectorDelivery";
    assert_eq!(changed, text);
    let agent = target(DeliveryType::DeliveryAgent, "mailbox", "mailbox").unwrap_err();
    assert!(agent.starts_with("deferred 451 4.3.5"), "{agent}");
    let bad = target(dns, "a..b", "Internet").unwrap_err();
    assert_eq!(bad, "failed 550 5.1.2 \"a..b\" is no name of the DNS");
}

proptest! {
    #[test]
    fn a_plan_is_ordered_bounded_and_never_leads_home(
        records in prop::collection::vec((0u16..4, 0u8..30), 0..40),
        present in prop::collection::vec((0u8..30, 0u8..4, 1u8..255), 0..60),
        own in prop::option::of(0u8..30),
        seed: u64,
    ) {
        let mut zone = String::from("d.com TXT x\n");
        for (preference, host) in &records {
            _ = writeln!(zone, "d.com MX {preference} h{host}.com");
        }
        for (host, net, number) in &present {
            _ = writeln!(zone, "h{host}.com A 1.0.{net}.{number}");
        }
        let zone: Zone = zone.parse().unwrap();
        let name: Option<DomainName> = own.map(|own| format!("h{own}.com").parse().unwrap());
        let local = LocalIdentity { names: name.clone().into_iter().collect(), ..local() };
        let mut state = seed;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state
        };
        let Ok(hosts) = now(plan(&zone, &to_domain("d.com"), &local, &mut random)) else {
            return Ok(());
        };
        prop_assert!(!hosts.is_empty());
        prop_assert!(hosts.iter().all(|host| !host.addresses.is_empty()));
        prop_assert!(hosts.iter().map(|host| host.addresses.len()).sum::<usize>() <= ADDRESSES_MAX);
        prop_assert!(hosts.is_sorted_by_key(|host| host.preference));
        let own_text = name.map(|name| name.to_string());
        let own_records = records.iter().filter(|(_, host)| Some(*host) == own);
        let own_preference = own_records.map(|(preference, _)| *preference).min();
        for host in &hosts {
            prop_assert!(Some(&host.name) != own_text.as_ref());
            prop_assert!(own_preference.is_none_or(|own| host.preference < own));
        }
    }
}
