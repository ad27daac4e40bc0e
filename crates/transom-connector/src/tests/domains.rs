//! Accepted and remote domains: whose a domain is, and what may be sent there.

use proptest::prelude::*;
use transom_types::Domain;

use super::{contoso, domain, empty};
use crate::{
    AcceptedDomain, AcceptedDomainKind, AddressPattern, CheckedConfiguration, Configuration,
    RemoteDomain,
};

fn remote(patterns: &[&str]) -> CheckedConfiguration {
    let entries = patterns.iter().map(|text| text.parse().unwrap());
    entries.fold(empty(), Configuration::with_remote_domain).check().unwrap()
}

// A12
#[test]
fn the_directory_is_asked_for_authoritative_domains_unless_set() {
    for (made, kind, name, asked) in [
        (
            AcceptedDomain::authoritative("contoso.com"),
            AcceptedDomainKind::Authoritative,
            "Authoritative",
            true,
        ),
        (
            AcceptedDomain::internal_relay("contoso.com"),
            AcceptedDomainKind::InternalRelay,
            "InternalRelay",
            false,
        ),
        (
            AcceptedDomain::external_relay("contoso.com"),
            AcceptedDomainKind::ExternalRelay,
            "ExternalRelay",
            false,
        ),
    ] {
        let made = made.unwrap();
        assert_eq!((made.kind, made.address_book_enabled), (kind, asked));
        assert_eq!(kind.to_string(), name);
        assert_eq!(made.clone().with_address_book_enabled(!asked).address_book_enabled, !asked);
    }
}

// A12
#[test]
fn a_subdomain_of_a_wildcard_domain_is_of_its_kind() {
    let checked = contoso().check().unwrap();
    let kind = |text: &str| checked.accepted_domain(&domain(text)).map(|entry| entry.kind);
    assert_eq!(kind("a.b.contoso.com.example"), Some(AcceptedDomainKind::InternalRelay));
    assert_eq!(kind("contoso.com.example"), Some(AcceptedDomainKind::InternalRelay));
    assert_eq!(kind("a.contoso.com"), None);
    assert_eq!(kind("fabrikam.com"), Some(AcceptedDomainKind::ExternalRelay));
}

#[test]
fn the_most_specific_remote_domain_counts() {
    let checked = remote(&["*", "*.fabrikam.com", "eu.fabrikam.com", "*.eu.fabrikam.com"]);
    for (of, expected) in [
        ("fabrikam.com", "*.fabrikam.com"),
        ("us.fabrikam.com", "*.fabrikam.com"),
        ("EU.fabrikam.com", "eu.fabrikam.com"),
        ("x.eu.fabrikam.com", "*.eu.fabrikam.com"),
        ("xfabrikam.com", "*"),
        ("com", "*"),
    ] {
        let found = checked.remote_domain(&domain(of)).unwrap();
        assert_eq!(found.to_string(), expected, "{of}");
    }
    assert_eq!(remote(&["fabrikam.com"]).remote_domain(&domain("x.fabrikam.com")), None);
}

#[test]
fn a_remote_domain_gets_all_unless_set() {
    let all = RemoteDomain::any();
    let switches = |entry: &RemoteDomain| {
        [
            entry.ndr,
            entry.ndr_diagnostics,
            entry.delivery_reports,
            entry.auto_reply,
            entry.auto_forward,
        ]
    };
    assert_eq!(switches(&all), [true; 5]);
    let off = |at: usize| {
        let mut expected = [true; 5];
        expected[at] = false;
        expected
    };
    assert_eq!(switches(&all.clone().with_ndr(false)), off(0));
    assert_eq!(switches(&all.clone().with_ndr_diagnostics(false)), off(1));
    assert_eq!(switches(&all.clone().with_delivery_reports(false)), off(2));
    assert_eq!(switches(&all.clone().with_auto_reply(false)), off(3));
    assert_eq!(switches(&all.with_auto_forward(false)), off(4));
}

#[test]
fn a_remote_domain_is_neither_there_twice_nor_ours() {
    let all = ["fabrikam.example", "*", "Fabrikam.example", "*.contoso.com", "*"];
    let entries = all.iter().map(|text| text.parse().unwrap());
    let found = entries.fold(contoso(), Configuration::with_remote_domain).check().unwrap_err();
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    let expected = [
        "the remote domain fabrikam.example is there twice",
        "the remote domain *.contoso.com is an accepted domain",
        "the remote domain * is there twice",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_is_no_remote_domain_is_refused() {
    for text in ["", "--", "*contoso.com", "a@contoso.com", "*.", "contoso.com;5", "SMTP:a.com"] {
        let error = text.parse::<RemoteDomain>().unwrap_err();
        assert_eq!(error.to_string(), format!("\"{text}\" is neither *, *.domain nor a domain"));
    }
}

/// The entry for `of` by looking at all of them.
fn naive<'e>(entries: &'e [RemoteDomain], of: &Domain) -> Option<&'e RemoteDomain> {
    let specificity = |entry: &RemoteDomain| match &entry.pattern {
        AddressPattern::Any => Some(0),
        AddressPattern::Within(parent) => of.is_within(parent).then(|| parent.as_str().len()),
        AddressPattern::Exact(name) => (name == of).then_some(usize::MAX),
        AddressPattern::AcceptedDomains => None,
    };
    let fitting = entries.iter().filter_map(|entry| Some((specificity(entry)?, entry)));
    fitting.max_by_key(|(specificity, _)| *specificity).map(|(_, entry)| entry)
}

proptest! {
    #[test]
    fn remote_domains_print_and_parse_back(
        text in "(\\*|(\\*\\.)?[a-z]{1,5}(\\.[a-z]{2,4}){1,2})",
    ) {
        let entry: RemoteDomain = text.parse().unwrap();
        prop_assert_eq!(entry.to_string(), text);
    }

    #[test]
    fn the_index_finds_what_a_look_at_every_entry_finds(
        patterns in prop::collection::hash_set("(\\*|(\\*\\.)?[ab](\\.[ab]){0,3})", 0..12),
        accepted in prop::collection::hash_set("[cd](\\.[cd]){0,3}", 0..8),
        below in any::<u8>(),
        of in "[AaBb](\\.[ab]){0,4}",
        own in "[CcDd](\\.[cd]){0,4}",
    ) {
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let accepted = accepted.iter().enumerate().map(|(at, text)| {
            let entry = AcceptedDomain::authoritative(text).unwrap();
            if below >> at & 1 == 1 { entry.with_subdomains() } else { entry }
        });
        let all = accepted.fold(empty(), Configuration::with_accepted_domain);
        let entries = patterns.iter().map(|text| text.parse().unwrap());
        let checked = entries.fold(all, Configuration::with_remote_domain).check().unwrap();
        let of = domain(&of);
        prop_assert_eq!(checked.remote_domain(&of), naive(checked.remote_domains(), &of));
        let own = domain(&own);
        let matching = checked.accepted_domains().iter().filter(|entry| entry.matches(&own));
        let longest = matching.max_by_key(|entry| entry.domain.as_str().len());
        prop_assert_eq!(checked.accepted_domain(&own), longest);
    }
}
