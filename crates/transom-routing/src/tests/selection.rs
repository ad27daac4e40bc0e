//! Vectors for the choice of a send connector.

use proptest::prelude::*;
use transom_connector::{
    AcceptedDomain, AddressSpace, CheckedConfiguration, Configuration, OtherServer, SendConnector,
};
use transom_types::ForwardPath;

use super::domain;
use crate::{Reason, Selection, explain, select_connector};

/// `name=space,space` in the order of the configuration; `-name` is switched off, `name<9` takes
/// messages of at most 9 octets, `name!` is a delivery agent. `name@near` is sent by from a server
/// of this site, `name@far` from one of another, at 10 more, `name@near@far` from both;
/// `name@far/` is scoped.
pub(super) fn connectors(all: &[&str]) -> CheckedConfiguration {
    let accepted = Configuration::new(domain("mx1.contoso.com"))
        .with_accepted_domain(AcceptedDomain::authoritative("contoso.com").unwrap())
        .with_accepted_domain(AcceptedDomain::internal_relay("*.relay.example").unwrap())
        .with_accepted_domain(AcceptedDomain::external_relay("external.example").unwrap());
    let servers = accepted
        .with_server(OtherServer::new(domain("near")))
        .with_server(OtherServer::new(domain("far")).with_link_cost(10));
    let all = all.iter().map(|text| connector(text));
    all.fold(servers, Configuration::with_send_connector).check().unwrap()
}

fn connector(text: &str) -> SendConnector {
    let (name, spaces) = text.split_once('=').unwrap();
    let spaces: Vec<AddressSpace> = spaces.split(',').map(|space| space.parse().unwrap()).collect();
    let (name, enabled) = name.strip_prefix('-').map_or((name, true), |name| (name, false));
    let (name, size) = name.split_once('<').map_or((name, None), |(name, size)| (name, Some(size)));
    let size = size.map(|size| size.parse().unwrap());
    let (name, scoped) = name.strip_suffix('/').map_or((name, false), |name| (name, true));
    let mut parts = name.split('@');
    let name = parts.next().unwrap();
    let connector = match name.strip_suffix('!') {
        Some(name) => SendConnector::agent(name, spaces),
        None => SendConnector::internet().with_name(name).with_address_spaces(spaces),
    };
    let servers = parts.map(domain).collect();
    let connector = connector.with_source_servers(servers).with_scoped(scoped);
    connector.with_enabled(enabled).with_message_octets_max(size)
}

fn chosen(all: &[&str], recipient: &str, size: u64) -> Option<String> {
    let configuration = connectors(all);
    match select_connector(&configuration, &domain(recipient), size) {
        Selection::Chosen(candidate) => Some(candidate.connector.name.to_string()),
        Selection::TooBig { .. } | Selection::Unreachable => None,
    }
}

fn at(text: &str) -> ForwardPath {
    format!("<a@{text}>").parse().unwrap()
}

// A8
#[test]
fn connectors_are_chosen_by_specificity_then_cost_then_proximity_then_name() {
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
        // The way to the source servers costs too.
        (&["far@far=*;1", "here=*;12"], "a.com", Some("far")),
        (&["far@far=*;1", "here=*;11"], "a.com", Some("here")),
        (&["both@far@near=*;2", "here=*;3"], "a.com", Some("both")),
        (&["far@far=a.com;100", "here=*;1"], "a.com", Some("far")),
        // Proximity, before the name.
        (&["a@near=*", "b=*"], "a.com", Some("b")),
        (&["a@far=*", "b@near=*;11"], "a.com", Some("b")),
        (&["a@near=*", "b@far@mx1.contoso.com=*"], "a.com", Some("b")),
        // Scope.
        (&["far@far/=a.com", "here=*;100"], "a.com", Some("here")),
        (&["near@near/=a.com", "here=*"], "a.com", Some("near")),
        (&["here/=a.com", "other=*"], "a.com", Some("here")),
        (&["far@far/=*"], "a.com", None),
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
    let configuration = connectors(all);
    let too_big = select_connector(&configuration, &domain("a.com"), 2001);
    assert_eq!(too_big, Selection::TooBig { octets_max: 2000 });
    let others = connectors(&["b=b.com"]);
    assert_eq!(select_connector(&others, &domain("a.com"), 1), Selection::Unreachable);
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
        "elsewhere@far/=a.com",
        "away@near=a.com",
        "z=a.com",
        "chosen=a.com",
    ];
    let configuration = connectors(&all);
    let explanation = explain(&configuration, &at("a.com"), 10);
    let reasons: Vec<_> = explanation
        .candidates
        .iter()
        .map(|candidate| (candidate.connector.name.as_str(), candidate.reason))
        .collect();
    let expected = [
        ("chosen", None),
        ("off", Some(Reason::Disabled)),
        ("other", Some(Reason::NoAddressSpace)),
        ("small", Some(Reason::TooSmall { octets_max: 9 })),
        ("loose", Some(Reason::LessSpecific)),
        ("dear", Some(Reason::HigherCost)),
        ("elsewhere", Some(Reason::OutOfScope)),
        ("away", Some(Reason::FartherAway)),
        ("z", Some(Reason::LaterName)),
    ];
    assert_eq!(reasons, expected);
    let ours = explain(&configuration, &at("contoso.com"), 10);
    assert_eq!(ours.chosen(), None);
    let loose = |c: &&crate::Candidate<'_>| c.connector.name.as_str() == "loose";
    let loose = ours.candidates.iter().find(loose).unwrap();
    assert_eq!(loose.reason, Some(Reason::NotLocal));
}

proptest! {
    /// The index of the configuration says what a look at every connector says, in any order of
    /// the connectors.
    #[test]
    fn the_index_chooses_what_a_look_at_every_connector_chooses(
        mut all in prop::collection::btree_map(
            "-?[a-e]{1,2}!?(@near)?(@far)?/?(<[0-9]{1,2})?",
            "(\\*|--|a\\.com|\\*\\.com|\\*\\.a\\.com|b\\.com)(;[1-3])?\
             (,(\\*|a\\.com|\\*\\.com)(;1?[1-3])?)?",
            0..8,
        ),
        recipient in "(a\\.com|x\\.a\\.com|b\\.com|c\\.org|contoso\\.com|y\\.relay\\.example\
                      |external\\.example|\\[192\\.0\\.2\\.1\\])",
        size in 0u64..100,
    ) {
        // Names must be unique without their signs.
        let mut seen = std::collections::HashSet::new();
        all.retain(|name, _| seen.insert(connector(&format!("{name}=*")).name));
        let texts = all.iter().map(|(name, space)| format!("{name}={space}"));
        let texts: Vec<String> = texts.collect();
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let configuration = connectors(&texts);
        let path = at(&recipient);
        let explanation = explain(&configuration, &path, size);
        let chosen = explanation.chosen().map(|connector| connector.name.clone());
        prop_assert_eq!(explanation.candidates.len(), texts.len());
        let unreasoned = explanation.candidates.iter().filter(|c| c.reason.is_none());
        prop_assert_eq!(unreasoned.count(), usize::from(chosen.is_some()));
        let by_size = explanation.candidates.iter().filter_map(|c| match c.reason {
            Some(Reason::TooSmall { octets_max }) => Some(octets_max),
            _ => None,
        });
        let biggest = by_size.max();
        if let Some(domain) = path.domain() {
            match select_connector(&configuration, &domain, size) {
                Selection::Chosen(candidate) => {
                    prop_assert_eq!(Some(&candidate.connector.name), chosen.as_ref());
                    let merit = explanation.candidates[0].merit.unwrap();
                    prop_assert_eq!(candidate.space, merit.space);
                    prop_assert_eq!(candidate.cost, merit.cost);
                    prop_assert_eq!(candidate.proximity, merit.proximity);
                }
                Selection::TooBig { octets_max } => {
                    prop_assert_eq!((chosen.as_ref(), Some(octets_max)), (None, biggest));
                }
                Selection::Unreachable => prop_assert_eq!((chosen.as_ref(), biggest), (None, None)),
            }
        }
        let named = explanation.way.as_ref().ok().map(|hop| hop.connector.clone());
        let named = named.filter(|name| !name.as_str().is_empty());
        prop_assert_eq!(&named, &chosen);
        texts.reverse();
        let reversed = connectors(&texts);
        let again = explain(&reversed, &path, size);
        prop_assert_eq!(again.chosen().map(|connector| connector.name.clone()), chosen);
        prop_assert_eq!(again.way, explanation.way);
    }
}
