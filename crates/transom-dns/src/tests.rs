//! Names, zones and the meaning of failures.

use proptest::prelude::*;
use transom_types::Domain;

use crate::{
    Answer, DnsFailure, DomainName, ParseDomainNameError, Record, RecordKind, Resolver, Security,
    Zone,
};

fn name(text: &str) -> DomainName {
    text.parse().unwrap()
}

fn mx(preference: u16, exchange: &str) -> Record {
    Record::Mx { preference, exchange: name(exchange) }
}

fn zone(text: &str) -> Zone {
    text.parse().unwrap()
}

#[test]
fn names_lose_case_and_trailing_dot() {
    for (text, expected) in [
        ("Contoso.COM", "contoso.com"),
        ("contoso.com.", "contoso.com"),
        ("_dmarc.contoso.com", "_dmarc.contoso.com"),
        ("a/B.* c.contoso.com", "a/b.* c.contoso.com"),
        (".", ""),
    ] {
        assert_eq!(name(text).as_str(), expected, "{text}");
    }
    assert_eq!(name(".").to_string(), ".");
    assert!(name(".").is_root());
}

#[test]
fn what_is_no_name_is_refused_with_its_place() {
    for (text, at) in [("", 0), ("a..b", 2), (".a", 0), ("a..", 2)] {
        assert_eq!(text.parse::<DomainName>(), Err(ParseDomainNameError::Label { at }), "{text}");
    }
    for (text, at) in [("a\0b", 1), ("a.b\u{fc}", 3), ("a\t.b", 1)] {
        let error = ParseDomainNameError::Character { at };
        assert_eq!(text.parse::<DomainName>(), Err(error), "{text}");
    }
    let long_label = "a".repeat(64);
    assert!(long_label.parse::<DomainName>().is_err());
    let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(61));
    assert!(longest.parse::<DomainName>().is_ok());
    let error = ParseDomainNameError::TooLong { octets: 254 };
    assert_eq!(format!("{longest}a").parse::<DomainName>(), Err(error));
}

#[test]
fn domains_become_names() {
    let domain: Domain = "Contoso.com".parse().unwrap();
    assert_eq!(DomainName::try_from(&domain), Ok(name("contoso.com")));
    let domain: Domain = "m\u{fc}nchen.example".parse().unwrap();
    assert!(DomainName::try_from(&domain).is_err());
}

#[test]
fn a_zone_answers_by_kind() {
    let zone = zone(
        "# a comment
         contoso.com      MX    10 mx1.contoso.com
         contoso.com      mx    20 mx2.contoso.com
         contoso.com      TXT   \"v=spf1 -all\"
         mx1.contoso.com  A     192.0.2.1
         mx1.contoso.com  AAAA  2001:db8::1
         null.example     MX    0 .",
    );
    let records = |text, kind| zone.get(&name(text), kind).map(|answer| answer.records);
    let both = vec![mx(10, "mx1.contoso.com"), mx(20, "mx2.contoso.com")];
    assert_eq!(records("contoso.com", RecordKind::Mx), Ok(both));
    let text = Record::Txt(b"v=spf1 -all".as_slice().into());
    assert_eq!(records("contoso.com", RecordKind::Txt), Ok(vec![text]));
    let a = Record::A("192.0.2.1".parse().unwrap());
    assert_eq!(records("mx1.contoso.com", RecordKind::A), Ok(vec![a]));
    let aaaa = Record::Aaaa("2001:db8::1".parse().unwrap());
    assert_eq!(records("mx1.contoso.com", RecordKind::Aaaa), Ok(vec![aaaa]));
    assert_eq!(records("null.example", RecordKind::Mx), Ok(vec![mx(0, ".")]));
}

// [RFC 2308 §2] test
#[test]
fn nodata_and_nxdomain_are_two_things() {
    let zone = zone("a.b.example A 192.0.2.1");
    let failure = |text, kind| zone.get(&name(text), kind).unwrap_err();
    assert_eq!(failure("a.b.example", RecordKind::Mx), DnsFailure::NoData);
    // A name between two that exist does exist.
    assert_eq!(failure("b.example", RecordKind::A), DnsFailure::NoData);
    assert_eq!(failure("x.example", RecordKind::A), DnsFailure::NxDomain);
    assert_eq!(failure("bb.example", RecordKind::A), DnsFailure::NxDomain);
    assert_eq!(failure("x.a.b.example", RecordKind::A), DnsFailure::NxDomain);
}

#[test]
fn aliases_are_followed_to_their_end() {
    let zone = zone(
        "www.example   CNAME  web.example
         web.example   CNAME  host.example
         host.example  A      192.0.2.1
         lost.example  CNAME  nowhere.invalid",
    );
    let answer = zone.get(&name("www.example"), RecordKind::A).unwrap();
    assert_eq!(answer.records, [Record::A("192.0.2.1".parse().unwrap())]);
    let alias = zone.get(&name("www.example"), RecordKind::Cname).unwrap();
    assert_eq!(alias.records, [Record::Cname(name("web.example"))]);
    assert_eq!(zone.get(&name("www.example"), RecordKind::Mx), Err(DnsFailure::NoData));
    assert_eq!(zone.get(&name("lost.example"), RecordKind::A), Err(DnsFailure::NxDomain));
}

#[test]
fn a_loop_of_aliases_ends_as_a_failure() {
    let zone = zone(
        "a.example  CNAME  b.example
         b.example  CNAME  a.example
         c.example  CNAME  c.example",
    );
    assert_eq!(zone.get(&name("a.example"), RecordKind::A), Err(DnsFailure::ServFail));
    assert_eq!(zone.get(&name("c.example"), RecordKind::Mx), Err(DnsFailure::ServFail));
}

#[test]
fn sixteen_aliases_are_followed_and_no_more() {
    let chain = |steps: usize| {
        let aliases = (0..steps).fold(Zone::new(), |zone, step| {
            let next = Record::Cname(name(&format!("n{}.example", step + 1)));
            zone.with(name(&format!("n{step}.example")), next)
        });
        let end = Record::A("192.0.2.1".parse().unwrap());
        aliases.with(name(&format!("n{steps}.example")), end)
    };
    let ask = |steps| chain(steps).get(&name("n0.example"), RecordKind::A);
    assert!(ask(16).is_ok());
    assert_eq!(ask(17), Err(DnsFailure::ServFail));
}

#[test]
fn marked_questions_fail() {
    let zone = zone(
        "slow.example    MX   TIMEOUT
         slow.example    A    192.0.2.1
         dead.example    ANY  SERVFAIL
         dead.example    A    192.0.2.1
         no.example      MX   REFUSED
         forged.example  MX   BOGUS",
    );
    let ask = |text, kind| zone.get(&name(text), kind).map(|_| ());
    assert_eq!(ask("slow.example", RecordKind::Mx), Err(DnsFailure::Timeout));
    assert_eq!(ask("slow.example", RecordKind::A), Ok(()));
    assert_eq!(ask("dead.example", RecordKind::A), Err(DnsFailure::ServFail));
    assert_eq!(ask("no.example", RecordKind::Mx), Err(DnsFailure::Refused));
    assert_eq!(ask("forged.example", RecordKind::Mx), Err(DnsFailure::Bogus));
}

#[test]
fn a_bad_line_of_a_zone_is_named() {
    for line in ["a", "a A", "a A 1.2.3", "a MX mx", "a MX 10", "a PTR b..c", "a..b A 192.0.2.1"] {
        let error = format!("ok.example A 192.0.2.1\n{line}").parse::<Zone>().unwrap_err();
        assert_eq!((error.line, error.text.as_str()), (2, line));
    }
}

#[test]
fn doubt_is_temporary() {
    for (failure, temporary) in [
        (DnsFailure::BadName, false),
        (DnsFailure::Bogus, true),
        (DnsFailure::NoData, false),
        (DnsFailure::NxDomain, false),
        (DnsFailure::Refused, true),
        (DnsFailure::ServFail, true),
        (DnsFailure::Timeout, true),
    ] {
        assert_eq!(failure.is_temporary(), temporary, "{failure}");
    }
}

#[test]
fn an_answer_is_cut_to_its_limit() {
    let records = vec![mx(10, "mx.example"); Answer::RECORDS_MAX + 1];
    let answer = Answer::new(records, Security::Unknown, Zone::TTL).unwrap();
    assert_eq!(answer.records.len(), Answer::RECORDS_MAX);
    let none = Answer::new(Vec::new(), Security::Unknown, Zone::TTL);
    assert_eq!(none, Err(DnsFailure::NoData));
}

#[test]
fn a_resolver_is_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Box<dyn Resolver>>();
}

proptest! {
    #[test]
    fn names_print_and_parse_back(text in "([a-zA-Z0-9_-]{1,10}\\.){0,5}[a-zA-Z0-9_-]{0,10}") {
        if let Ok(name) = text.parse::<DomainName>() {
            prop_assert_eq!(name.to_string().parse(), Ok(name));
        }
    }

    #[test]
    fn no_text_breaks_a_parser(
        text in "\\PC{0,60}(\n\\PC{0,20} (A|MX|CNAME|TXT) \\PC{0,20}){0,3}",
    ) {
        let _ = text.parse::<Zone>();
        if let Ok(name) = text.parse::<DomainName>() {
            prop_assert_eq!(name.to_string().parse(), Ok(name));
        }
    }
}

#[test]
fn an_address_has_a_name_to_ask_its_names_at() {
    let v4 = DomainName::reverse("192.0.2.1".parse().unwrap());
    assert_eq!(v4, name("1.2.0.192.in-addr.arpa"));
    let v6 = DomainName::reverse("2001:db8::1a".parse().unwrap());
    let zeros = "0.".repeat(22);
    assert_eq!(v6, name(&format!("a.1.{zeros}8.b.d.0.1.0.0.2.ip6.arpa")));
}

#[test]
fn a_zone_has_octets_by_number_and_names_that_do_not_answer() {
    let zone = zone(
        "a.example TXT v=spf1\\032\\\\ \\255\nslow.example TIMEOUT\n\
         1.2.0.192.in-addr.arpa PTR a.example",
    );
    let text = zone.get(&name("a.example"), RecordKind::Txt).unwrap();
    assert_eq!(text.records, [Record::Txt(b"v=spf1 \\ \xff".as_slice().into())]);
    for kind in [RecordKind::A, RecordKind::Txt] {
        assert_eq!(zone.get(&name("slow.example"), kind), Err(DnsFailure::Timeout));
    }
    let names = zone.get(&DomainName::reverse("192.0.2.1".parse().unwrap()), RecordKind::Ptr);
    assert_eq!(names.unwrap().records, [Record::Ptr(name("a.example"))]);
    assert!("a.example TXT x\\".parse::<Zone>().is_err());
    assert!("a.example TXT \\256".parse::<Zone>().is_err());
}
