//! Vectors for the choice of a send connector.

use proptest::prelude::*;
use transom_connector::{
    AcceptedDomain, AddressSpace, CheckedConfiguration, Configuration, SendConnector,
};

use super::domain;
use crate::{Reason, select_connector};

/// `name=space,space` in the order of the configuration; `-name` is switched off, `name<9` takes
/// messages of at most 9 octets, `name!` is a delivery agent.
fn connectors(all: &[&str]) -> CheckedConfiguration {
    let accepted = Configuration::new(domain("mx1.contoso.com"))
        .with_accepted_domain(AcceptedDomain::authoritative("contoso.com").unwrap())
        .with_accepted_domain(AcceptedDomain::internal_relay("*.relay.example").unwrap())
        .with_accepted_domain(AcceptedDomain::external_relay("external.example").unwrap());
    let all = all.iter().map(|text| connector(text));
    all.fold(accepted, Configuration::with_send_connector).check().unwrap()
}

fn connector(text: &str) -> SendConnector {
    let (name, spaces) = text.split_once('=').unwrap();
    let spaces: Vec<AddressSpace> = spaces.split(',').map(|space| space.parse().unwrap()).collect();
    let (name, enabled) = name.strip_prefix('-').map_or((name, true), |name| (name, false));
    let (name, size) = name.split_once('<').map_or((name, None), |(name, size)| (name, Some(size)));
    let size = size.map(|size| size.parse().unwrap());
    let connector = match name.strip_suffix('!') {
        Some(name) => SendConnector::agent(name, spaces),
        None => SendConnector::internet().with_name(name).with_address_spaces(spaces),
    };
    connector.with_enabled(enabled).with_message_octets_max(size)
}

fn chosen(all: &[&str], recipient: &str, size: u64) -> Option<String> {
    let configuration = connectors(all);
    let selection = select_connector(&configuration, &domain(recipient), size);
    selection.chosen.map(|connector| connector.name.to_string())
}

// A8
#[test]
fn connectors_are_chosen_by_specificity_then_cost_then_name() {
    for (all, recipient, expected) in [
        // Specificity before cost.
        (&["any=*;1", "exact=a.b.com;100"][..], "a.b.com", Some("exact")),
        (&["any=*;1", "within=*.b.com;50"], "a.b.com", Some("within")),
        (&["exact=a.b.com;100", "within=*.a.b.com;1"], "a.b.com", Some("exact")),
        (&["short=*.com;1", "long=*.b.com;100"], "a.b.com", Some("long")),
        (&["short=*.com;1", "long=*.b.com;100"], "c.com", Some("short")),
        // More labels are more specific, not more letters.
        (&["x=*.verylongname.com;1", "y=*.a.verylongname.com;9"], "a.verylongname.com", Some("y")),
        // `*.x` means x too, an exact space nothing below.
        (&["within=*.b.com"], "b.com", Some("within")),
        (&["exact=b.com"], "a.b.com", None),
        (&["within=*.b.com"], "ab.com", None),
        // Cost, by the space that matched best.
        (&["dear=*;2", "cheap=*;1"], "a.com", Some("cheap")),
        (&["dear=*;1,b.com;9", "cheap=*;5,b.com;2"], "b.com", Some("cheap")),
        (&["one=b.com;9,b.com;1", "two=b.com;2"], "b.com", Some("one")),
        // Name.
        (&["b=*", "a=*", "c=*"], "a.com", Some("a")),
        // Switched off.
        (&["-a=*", "b=*"], "a.com", Some("b")),
        (&["-exact=a.com", "any=*"], "a.com", Some("any")),
        (&["-a=*"], "a.com", None),
        // None.
        (&["a=b.com"], "c.com", None),
        (&[], "c.com", None),
        // Case and A-labels.
        (&["a=B.com"], "b.COM", Some("a")),
        (&["a=m\u{fc}nchen.example"], "xn--mnchen-3ya.example", Some("a")),
        (&["a=xn--mnchen-3ya.example"], "M\u{dc}NCHEN.example", Some("a")),
    ] {
        assert_eq!(chosen(all, recipient, 0).as_deref(), expected, "{all:?} {recipient}");
    }
}

// A8
#[test]
fn connectors_too_small_for_the_message_are_dropped_first() {
    let all = &["exact<1000=a.com", "any<2000=*"][..];
    assert_eq!(chosen(all, "a.com", 1000).as_deref(), Some("exact"));
    assert_eq!(chosen(all, "a.com", 1001).as_deref(), Some("any"));
    assert_eq!(chosen(all, "a.com", 2001), None);
}

#[test]
fn two_hyphens_mean_authoritative_and_internal_relay_domains() {
    let all = &["inside!=--;100", "any=*;1"][..];
    assert_eq!(chosen(all, "contoso.com", 0).as_deref(), Some("inside"));
    assert_eq!(chosen(all, "x.relay.example", 0).as_deref(), Some("inside"));
    assert_eq!(chosen(all, "external.example", 0).as_deref(), Some("any"));
    assert_eq!(chosen(all, "elsewhere.example", 0).as_deref(), Some("any"));
}

#[test]
fn mail_for_an_authoritative_domain_does_not_leave_by_smtp() {
    assert_eq!(chosen(&["any=*", "exact=contoso.com"], "contoso.com", 0), None);
    let with_agent = &["any=*", "exact=contoso.com", "agent!=*;100"][..];
    assert_eq!(chosen(with_agent, "contoso.com", 0).as_deref(), Some("agent"));
    // An agent may serve other domains too, as a gateway does.
    assert_eq!(chosen(&["any=*", "fax!=fax.example"], "fax.example", 0).as_deref(), Some("fax"));
}

// A8
#[test]
fn every_rejected_connector_has_its_reason() {
    let all = [
        "-off=*",
        "other=b.com",
        "small<9=a.com",
        "loose=*",
        "dear=a.com;9",
        "z=a.com",
        "chosen=a.com",
    ];
    let configuration = connectors(&all);
    let selection = select_connector(&configuration, &domain("a.com"), 10);
    assert_eq!(selection.chosen.unwrap().name.as_str(), "chosen");
    let reasons: Vec<_> =
        selection.rejected.iter().map(|(name, why)| (name.as_str(), *why)).collect();
    let expected = [
        ("off", Reason::Disabled),
        ("other", Reason::NoAddressSpace),
        ("small", Reason::TooSmall { octets_max: 9 }),
        ("loose", Reason::LessSpecific),
        ("dear", Reason::HigherCost),
        ("z", Reason::LaterName),
    ];
    assert_eq!(reasons, expected);
    let ours = select_connector(&configuration, &domain("contoso.com"), 10);
    assert!(ours.chosen.is_none());
    assert!(
        ours.rejected
            .iter()
            .any(|(name, why)| name.as_str() == "loose" && *why == Reason::NotLocal)
    );
}

proptest! {
    #[test]
    fn every_connector_is_chosen_or_rejected_and_order_does_not_matter(
        mut all in prop::collection::btree_map(
            "-?[a-e]{1,2}!?(<[0-9]{1,2})?",
            "(\\*|a\\.com|\\*\\.com|\\*\\.a\\.com|b\\.com)(;[1-3])?",
            0..6,
        ),
        recipient in "(a\\.com|x\\.a\\.com|b\\.com|c\\.org|contoso\\.com)",
        size in 0u64..100,
    ) {
        // Names must be unique without their signs.
        let mut seen = std::collections::HashSet::new();
        all.retain(|name, _| seen.insert(connector(&format!("{name}=*")).name));
        let texts = all.iter().map(|(name, space)| format!("{name}={space}"));
        let texts: Vec<String> = texts.collect();
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let configuration = connectors(&texts);
        let selection = select_connector(&configuration, &domain(&recipient), size);
        let chosen = selection.chosen.map(|connector| connector.name.clone());
        prop_assert_eq!(usize::from(chosen.is_some()) + selection.rejected.len(), texts.len());
        prop_assert!(selection.rejected.iter().all(|(name, _)| Some(name) != chosen.as_ref()));
        texts.reverse();
        let reversed = connectors(&texts);
        let again = select_connector(&reversed, &domain(&recipient), size);
        prop_assert_eq!(again.chosen.map(|connector| connector.name.clone()), chosen);
    }
}
