//! What parses prints back: ranges, address spaces, smart hosts, accepted domains.

use proptest::prelude::*;

use super::{domain, ip};
use crate::{
    AcceptedDomain, AddressPattern, AddressSpace, ParseAddressSpaceError, RemoteRange, Rights,
    SmartHost,
};

#[test]
fn remote_ranges_are_read_in_all_forms() {
    for (text, first, last, printed) in [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("192.0.2.0/24", "192.0.2.0", "192.0.2.255", "192.0.2.0/24"),
        ("10.0.0.0-10.0.0.255", "10.0.0.0", "10.0.0.255", "10.0.0.0/24"),
        ("10.0.0.1 - 10.0.0.5", "10.0.0.1", "10.0.0.5", "10.0.0.1-10.0.0.5"),
        ("0.0.0.0-255.255.255.255", "0.0.0.0", "255.255.255.255", "0.0.0.0/0"),
        ("0.0.0.0/0", "0.0.0.0", "255.255.255.255", "0.0.0.0/0"),
        ("10.0.0.1/32", "10.0.0.1", "10.0.0.1", "10.0.0.1"),
        ("2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::/32"),
        ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
        ("::1", "::1", "::1", "::1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1"),
    ] {
        let range: RemoteRange = text.parse().unwrap();
        assert_eq!((range.first(), range.last()), (ip(first), ip(last)), "{text}");
        assert_eq!(range.to_string(), printed, "{text}");
    }
    assert_eq!("0.0.0.0/0".parse(), Ok(RemoteRange::ALL_V4));
    assert_eq!("::/0".parse(), Ok(RemoteRange::ALL_V6));
}

#[test]
fn a_bad_range_names_the_text_and_the_reason() {
    for (text, reason) in [
        ("10.0.0.0/33", "the prefix length is no number that fits the address"),
        ("10.0.0.0/x", "the prefix length is no number that fits the address"),
        ("10.0.0.0/", "the prefix length is no number that fits the address"),
        ("10.0.0.5/8", "the address has bits behind the prefix"),
        ("10.0.0.5-10.0.0.1", "the last address is before the first, or of another family"),
        ("10.0.0.5-::1", "the last address is before the first, or of another family"),
        ("10.0.0", "an IP address was expected"),
        ("", "an IP address was expected"),
        ("contoso.com", "an IP address was expected"),
    ] {
        let error = text.parse::<RemoteRange>().unwrap_err();
        assert_eq!(error.to_string(), format!("\"{text}\" is no address range: {reason}"));
    }
}

#[test]
fn a_v4_peer_on_a_v6_socket_is_a_v4_peer() {
    let range: RemoteRange = "10.0.0.0/8".parse().unwrap();
    assert!(range.contains(ip("::ffff:10.1.2.3")));
    assert!(!range.contains(ip("::ffff:11.1.2.3")));
    assert!(!RemoteRange::ALL_V6.contains(ip("::ffff:10.1.2.3")));
    assert!(!RemoteRange::ALL_V4.contains(ip("2001:db8::1")));
}

// A9
#[test]
fn address_spaces_are_read_in_exchange_syntax() {
    let exact = |text: &str| AddressPattern::Exact(domain(text));
    let within = |text: &str| AddressPattern::Within(domain(text));
    for (text, pattern, cost, printed) in [
        ("*", AddressPattern::Any, 1, "SMTP:*;1"),
        ("SMTP:*;1", AddressPattern::Any, 1, "SMTP:*;1"),
        ("smtp:contoso.com;7", exact("contoso.com"), 7, "SMTP:contoso.com;7"),
        ("Contoso.com", exact("contoso.com"), 1, "SMTP:contoso.com;1"),
        ("*.contoso.com;100", within("contoso.com"), 100, "SMTP:*.contoso.com;100"),
        ("*.com", within("com"), 1, "SMTP:*.com;1"),
        ("--", AddressPattern::AcceptedDomains, 1, "SMTP:--;1"),
        (
            "m\u{fc}nchen.example",
            exact("xn--mnchen-3ya.example"),
            1,
            "SMTP:xn--mnchen-3ya.example;1",
        ),
    ] {
        let space: AddressSpace = text.parse().unwrap();
        assert_eq!((space.pattern(), space.cost()), (&pattern, cost), "{text}");
        assert_eq!(space.to_string(), printed, "{text}");
        assert_eq!(printed.parse(), Ok(space), "{text}");
    }
}

// A9
#[test]
fn what_is_no_smtp_address_space_is_refused() {
    for text in ["*contoso.com", "", "contoso..com", "*.", "a*b.com", "user@contoso.com"] {
        let error = text.parse::<AddressSpace>().unwrap_err();
        assert_eq!(error, ParseAddressSpaceError::Space { found: text.into() });
    }
    for cost in ["0", "101", "x", "-1", "", "1;2"] {
        let error = format!("contoso.com;{cost}").parse::<AddressSpace>().unwrap_err();
        assert_eq!(error, ParseAddressSpaceError::Cost { found: cost.into() });
    }
    let x400 = "X400:o=contoso".parse::<AddressSpace>().unwrap_err();
    assert_eq!(x400, ParseAddressSpaceError::Type { found: "X400".into() });
}

#[test]
fn smart_hosts_are_read_with_and_without_port() {
    for (text, printed) in [
        ("mail.contoso.com", "mail.contoso.com"),
        ("Mail.Contoso.com:25", "mail.contoso.com"),
        ("mail.contoso.com:2525", "mail.contoso.com:2525"),
        ("localhost:2525", "localhost:2525"),
        ("127.0.0.1:2525", "[127.0.0.1]:2525"),
        ("192.0.2.1", "[192.0.2.1]"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[192.0.2.1]:26", "[192.0.2.1]:26"),
        ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("[IPv6:2001:db8::1]:26", "[IPv6:2001:db8::1]:26"),
        ("[2001:db8::1]:26", "[IPv6:2001:db8::1]:26"),
        ("[2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
    ] {
        let host: SmartHost = text.parse().unwrap();
        assert_eq!(host.to_string(), printed, "{text}");
        assert_eq!(printed.parse(), Ok(host), "{text}");
    }
    let wrong = ["", ":25", "host:", "host:70000", "host:x", "[192.0.2.1", "[x]:25", "a b"];
    for text in wrong.into_iter().chain(["host:0", "192.0.2.1:0"]) {
        assert!(text.parse::<SmartHost>().is_err(), "{text}");
    }
}

#[test]
fn accepted_domains_are_kept_in_a_labels() {
    let accepted = AcceptedDomain::authoritative("M\u{fc}nchen.example").unwrap();
    assert_eq!(accepted.to_string(), "xn--mnchen-3ya.example");
    let below = AcceptedDomain::internal_relay("*.contoso.com").unwrap();
    assert_eq!(below, AcceptedDomain::internal_relay("contoso.com").unwrap().with_subdomains());
    assert_eq!(below.to_string(), "*.contoso.com");
    for text in ["", "*", "a b", "*.*.com", "\u{fffd}.example"] {
        assert!(AcceptedDomain::authoritative(text).is_err(), "{text}");
    }
}

#[test]
fn rights_print_their_exchange_names() {
    let rights = Rights::SUBMIT | Rights::ACCEPT_ANY_RECIPIENT;
    assert_eq!(rights.to_string(), "SMTP-Submit, SMTP-Accept-Any-Recipient");
    assert_eq!((rights - Rights::SUBMIT).to_string(), "SMTP-Accept-Any-Recipient");
    assert_eq!(format!("{:?}", Rights::NONE), "none");
}

proptest! {
    #[test]
    fn v4_ranges_print_and_parse_back(a: u32, b: u32, length in 0u32..=32) {
        let (first, last) = (a.min(b), a.max(b));
        let address = std::net::Ipv4Addr::from_bits;
        let text = format!("{}-{}", address(first), address(last));
        let range: RemoteRange = text.parse().unwrap();
        prop_assert_eq!(range.to_string().parse(), Ok(range));
        prop_assert_eq!(range.width(), u128::from(last - first));
        let network = if length == 0 { 0 } else { a & (u32::MAX << (32 - length)) };
        let text = format!("{}/{length}", std::net::Ipv4Addr::from_bits(network));
        let range: RemoteRange = text.parse().unwrap();
        prop_assert!(range.contains(std::net::Ipv4Addr::from_bits(a).into()));
        prop_assert_eq!(range.width() + 1, 1u128 << (32 - length));
        prop_assert_eq!(range.to_string().parse(), Ok(range));
    }

    #[test]
    fn v6_ranges_print_and_parse_back(a: u128, b: u128) {
        let (first, last) = (a.min(b) | 1 << 127, a.max(b) | 1 << 127);
        prop_assume!(first <= last);
        let address = std::net::Ipv6Addr::from_bits;
        let range: RemoteRange = format!("{}-{}", address(first), address(last)).parse().unwrap();
        prop_assert_eq!(range.to_string().parse(), Ok(range));
        prop_assert!(range.contains(address(first).into()) && range.contains(address(last).into()));
    }

    #[test]
    fn no_text_breaks_a_parser(text in "\\PC{0,40}") {
        if let Ok(range) = text.parse::<RemoteRange>() {
            prop_assert_eq!(range.to_string().parse(), Ok(range));
        }
        if let Ok(space) = text.parse::<AddressSpace>() {
            prop_assert_eq!(space.to_string().parse(), Ok(space));
        }
        if let Ok(host) = text.parse::<SmartHost>() {
            prop_assert_eq!(host.to_string().parse(), Ok(host));
        }
    }

    #[test]
    fn address_spaces_print_and_parse_back(
        space in "(\\*|--|(\\*\\.)?[a-z]{1,5}(\\.[a-z]{2,4}){1,2})", cost in 1u8..=100,
    ) {
        let parsed: AddressSpace = format!("{space};{cost}").parse().unwrap();
        prop_assert_eq!(parsed.to_string(), format!("SMTP:{space};{cost}"));
    }
}
