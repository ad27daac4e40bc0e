//! Records, walks, alignment, authors.

use futures::executor::block_on;
use proptest::prelude::*;
use transom_dns::{DomainName, RecordKind, Zone};
use transom_message::HeaderSection;

use super::{
    AuthorProblem, DmarcCheck, DmarcOutcome, DmarcPolicy, DmarcProblem, DmarcQuery, DmarcRecord,
    DmarcResult, DmarcStep, Identifier, Method, Psd, author_domain, check,
};

fn name(text: &str) -> DomainName {
    text.parse().unwrap()
}

fn dkim(domain: &str) -> Identifier {
    Identifier { domain: name(domain), method: Method::Dkim, is_proven: true }
}

fn spf(domain: &str) -> Identifier {
    Identifier { domain: name(domain), method: Method::Spf, is_proven: true }
}

fn judge(zone: &str, author: &str, identifiers: &[Identifier]) -> DmarcOutcome {
    let zone: Zone = zone.parse().unwrap();
    block_on(check(DmarcQuery::new(name(author), identifiers.to_vec()), &zone))
}

/// The names asked for, in order, where nothing is there.
fn questions(author: &str, identifiers: &[Identifier]) -> Vec<String> {
    let mut check = DmarcCheck::new(DmarcQuery::new(name(author), identifiers.to_vec()));
    let mut asked = Vec::new();
    while let DmarcStep::Lookup { name, kind } = check.step() {
        assert_eq!(kind, RecordKind::Txt);
        asked.push(name.to_string());
        let answer = Zone::new().get(&name, kind);
        check.answer(name, kind, answer);
    }
    asked
}

// [RFC 9989 §4.10] test: the example of the document.
#[test]
fn a_long_name_is_walked_in_eight_questions() {
    let asked = questions("a.b.c.d.e.f.g.h.i.j.mail.example.com", &[]);
    let expected = [
        "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "_dmarc.g.h.i.j.mail.example.com",
        "_dmarc.h.i.j.mail.example.com",
        "_dmarc.i.j.mail.example.com",
        "_dmarc.j.mail.example.com",
        "_dmarc.mail.example.com",
        "_dmarc.example.com",
        "_dmarc.com",
    ];
    assert_eq!(asked, expected);
    assert_eq!(questions("example.com", &[]), ["_dmarc.example.com", "_dmarc.com"]);
    let eight = questions("a.b.c.d.e.f.g.h", &[]);
    assert_eq!((eight.len(), eight[1].as_str()), (8, "_dmarc.b.c.d.e.f.g.h"));
    // attacks.md 17: 126 labels.
    let longest = format!("{}x", "a.".repeat(100));
    assert_eq!(questions(&longest, &[dkim("other.x")]).len(), 8);
}

// [RFC 9989 §4.10.1] test
#[test]
fn the_nearest_of_three_policies_holds() {
    let zone = "_dmarc.bank TXT v=DMARC1; p=reject; psd=y; sp=quarantine
                _dmarc.b.bank TXT v=DMARC1; p=quarantine; sp=reject
                _dmarc.news.b.bank TXT v=DMARC1; p=none; sp=reject
                a.bank A 192.0.2.1";
    for (author, policy_domain, policy) in [
        ("news.b.bank", "news.b.bank", DmarcPolicy::None),
        // The record between is not asked for what is below it.
        ("x.news.b.bank", "b.bank", DmarcPolicy::Reject),
        ("b.bank", "b.bank", DmarcPolicy::Quarantine),
        ("a.bank", "bank", DmarcPolicy::Quarantine),
        ("bank", "bank", DmarcPolicy::Reject),
    ] {
        let outcome = judge(zone, author, &[]);
        assert_eq!(outcome.policy_domain, Some(name(policy_domain)), "{author}");
        assert_eq!((outcome.result, outcome.policy), (DmarcResult::Fail, policy), "{author}");
    }
    assert_eq!(judge(zone, "contoso.com", &[]).result, DmarcResult::None);
}

// [RFC 9989 §4.7] test: np for names that do not exist, sp for those that do.
#[test]
fn a_name_that_does_not_exist_has_a_policy_of_its_own() {
    let zone = "_dmarc.a.example TXT v=DMARC1; p=none; sp=quarantine; np=reject
                there.a.example A 192.0.2.1
                below.only.a.example A 192.0.2.1
                slow.a.example A TIMEOUT";
    let policy = |author| judge(zone, author, &[]).policy;
    assert_eq!(policy("there.a.example"), DmarcPolicy::Quarantine);
    // [RFC 8020] a name with one below it exists.
    assert_eq!(policy("only.a.example"), DmarcPolicy::Quarantine);
    assert_eq!(policy("gone.a.example"), DmarcPolicy::Reject);
    assert_eq!(policy("a.example"), DmarcPolicy::None);
    assert_eq!(judge(zone, "slow.a.example", &[]).result, DmarcResult::TempError);
}

// [RFC 9989 §4.7] test
#[test]
fn test_mode_asks_for_one_level_less() {
    for (tags, requested) in [
        ("p=reject", DmarcPolicy::Reject),
        ("p=reject; t=y", DmarcPolicy::Quarantine),
        ("p=quarantine; t=y", DmarcPolicy::None),
        ("p=none; t=y", DmarcPolicy::None),
        ("p=reject; t=x", DmarcPolicy::Reject),
    ] {
        let outcome = judge(&format!("_dmarc.a.example TXT v=DMARC1; {tags}"), "a.example", &[]);
        assert_eq!(outcome.requested(), requested, "{tags}");
    }
    let passed = judge("_dmarc.a.example TXT v=DMARC1;p=reject", "a.example", &[spf("a.example")]);
    assert_eq!((passed.result, passed.requested()), (DmarcResult::Pass, DmarcPolicy::None));
}

// [RFC 9989 §4.10.2] test
#[test]
fn domains_of_one_organization_are_aligned_unless_strictness_is_wanted() {
    let zone = "_dmarc.a.example TXT v=DMARC1; p=reject; adkim=s
                _dmarc.own.a.example TXT v=DMARC1; p=reject; psd=n
                _dmarc.suffix TXT v=DMARC1; p=reject; psd=y
                _dmarc.one.suffix TXT v=DMARC1; p=reject";
    for (author, identifier, aligned) in [
        ("a.example", spf("a.example"), true),
        ("a.example", spf("mail.a.example"), true),
        ("news.a.example", spf("mail.a.example"), true),
        ("a.example", spf("b.example"), false),
        ("a.example", spf("nota.example"), false),
        ("a.example", spf("a.test"), false),
        ("a.example", dkim("a.example"), true),
        // adkim=s
        ("a.example", dkim("mail.a.example"), false),
        // psd=n begins another organization.
        ("a.example", spf("own.a.example"), false),
        ("own.a.example", spf("x.own.a.example"), true),
        ("own.a.example", spf("a.example"), false),
        // psd=y: organizations are one label below.
        ("one.suffix", spf("x.one.suffix"), true),
        ("one.suffix", spf("two.suffix"), false),
        ("one.suffix", spf("suffix"), false),
    ] {
        let outcome = judge(zone, author, std::slice::from_ref(&identifier));
        let expected = if aligned { DmarcResult::Pass } else { DmarcResult::Fail };
        assert_eq!(outcome.result, expected, "{author} {identifier:?}");
    }
}

#[test]
fn one_aligned_domain_is_enough_and_each_is_told() {
    let zone = "_dmarc.a.example TXT v=DMARC1; p=reject";
    let all = [spf("b.example"), dkim("c.test"), dkim("m.a.example"), dkim("m.a.example")];
    let outcome = judge(zone, "a.example", &all);
    assert_eq!(outcome.result, DmarcResult::Pass);
    assert!(!outcome.spf_aligned);
    assert_eq!(outcome.dkim_aligned, [name("m.a.example")]);
}

// [RFC 9989 §5.3.6] test
#[test]
fn doubt_is_neither_pass_nor_fail() {
    let zone = "_dmarc.a.example TXT v=DMARC1; p=reject
                _dmarc.slow.example TIMEOUT";
    let undecided = |domain| Identifier { is_proven: false, ..dkim(domain) };
    let outcome = judge(zone, "a.example", &[undecided("m.a.example")]);
    assert_eq!(outcome.result, DmarcResult::TempError);
    assert_eq!(outcome.problem, Some(DmarcProblem::Undecided(name("m.a.example"))));
    assert_eq!(outcome.requested(), DmarcPolicy::None);
    assert_eq!(judge(zone, "a.example", &[undecided("b.test")]).result, DmarcResult::Fail);
    let both = [undecided("a.example"), spf("a.example")];
    assert_eq!(judge(zone, "a.example", &both).result, DmarcResult::Pass);
    assert_eq!(judge(zone, "slow.example", &[]).result, DmarcResult::TempError);
}

// [RFC 9989 §4.10] test: of several records none counts, and the walk goes on.
#[test]
fn records_that_do_not_count_are_passed_over() {
    let two = "_dmarc.m.a.example TXT v=DMARC1; p=none
               _dmarc.m.a.example TXT v=DMARC1; p=none
               _dmarc.a.example TXT v=DMARC1; p=reject
               _dmarc.a.example TXT google-site-verification=1
               _dmarc.b.example TXT v=DMARC2; p=reject
               _dmarc.c.example TXT p=reject; v=DMARC1
               _dmarc.d.example TXT V = DMARC1 ; P = Reject ;
               _dmarc.e.example TXT v=dmarc1; p=reject";
    assert_eq!(judge(two, "m.a.example", &[]).policy_domain, Some(name("a.example")));
    for (author, result) in [
        ("b.example", DmarcResult::None),
        ("c.example", DmarcResult::None),
        ("d.example", DmarcResult::Fail),
        ("e.example", DmarcResult::None),
    ] {
        assert_eq!(judge(two, author, &[]).result, result, "{author}");
    }
}

// [RFC 9989 §4.10.1] test
#[test]
fn a_damaged_policy_is_none_where_somebody_wants_reports() {
    let zone = "_dmarc.a.example TXT v=DMARC1; p=rejct; rua=mailto:x@a.example
                _dmarc.b.example TXT v=DMARC1; p=rejct
                _dmarc.c.example TXT v=DMARC1; p=reject; sp=rejct; rua=mailto:x@a.example
                _dmarc.d.example TXT v=DMARC1; rua=nonsense";
    let judge = |author| judge(zone, author, &[]);
    for author in ["a.example", "c.example"] {
        let outcome = judge(author);
        assert_eq!((outcome.result, outcome.policy), (DmarcResult::Fail, DmarcPolicy::None));
    }
    for author in ["b.example", "d.example"] {
        let outcome = judge(author);
        assert_eq!(outcome.result, DmarcResult::PermError);
        assert_eq!(outcome.problem, Some(DmarcProblem::Unusable(name(author))));
    }
}

#[test]
fn without_a_policy_it_is_told_whether_the_message_would_pass() {
    let would_pass = |author, identifiers: &[Identifier]| judge("", author, identifiers).would_pass;
    assert!(would_pass("a.example", &[spf("a.example")]));
    assert!(would_pass("a.example", &[dkim("m.a.example")]));
    assert!(would_pass("m.a.example", &[dkim("a.example")]));
    assert!(!would_pass("a.example", &[dkim("example")]));
    assert!(!would_pass("a.example", &[spf("b.example")]));
    assert!(!would_pass("a.example", &[Identifier { is_proven: false, ..spf("a.example") }]));
}

#[test]
fn a_record_is_read_with_all_its_tags() {
    let text = "v=DMARC1; p=reject; sp=none; np=quarantine; adkim=s; aspf=S; psd=n; t=y; pct=5; \
                rua=mailto:a@x.example!10m , https://x.example/r,nonsense; ruf=mailto:f@x.example; \
                fo=1:d; p=none; unknown=1";
    let record = DmarcRecord::parse(text.as_bytes()).unwrap();
    assert_eq!(record.policy, Some(DmarcPolicy::Reject));
    assert_eq!(record.aggregate_reports, ["mailto:a@x.example", "https://x.example/r"]);
    assert_eq!(record.failure_reports, ["mailto:f@x.example"]);
    assert_eq!((record.psd, record.is_test), (Psd::No, true));
    assert_eq!(record.failure_options.as_deref(), Some("1:d"));
    let huge = format!("v=DMARC1; p=reject; x={}", "x".repeat(1 << 20));
    assert_eq!(DmarcRecord::parse(huge.as_bytes()), None);
}

fn author(from: &str) -> Result<String, AuthorProblem> {
    let content = format!("Subject: x\r\n{from}\r\n\r\nbody\r\n");
    author_domain(&HeaderSection::parse(content.as_bytes())).map(|domain| domain.to_string())
}

// [RFC 9989 §5.3.1] test
#[test]
fn the_author_is_who_a_reader_sees() {
    for (from, domain) in [
        ("From: ann@contoso.com", "contoso.com"),
        ("from : Ann <ann@Contoso.COM>", "contoso.com"),
        ("From: \"a@b.example\" <ann@contoso.com>", "contoso.com"),
        ("From: \"x\\\" <a@b.example>\" <ann@contoso.com>", "contoso.com"),
        ("From: (a@b.example (nested)) ann (c) @ contoso.com (d)", "contoso.com"),
        ("From: Ann B. C.\r\n <ann@contoso.com>", "contoso.com"),
        ("From: a@contoso.com, B <b@contoso.com>,", "contoso.com"),
        ("From: staff: a@contoso.com, b@contoso.com;", "contoso.com"),
        ("From: =?utf-8?q?Ann?= <ann@m\u{fc}nchen.example>", "xn--mnchen-3ya.example"),
        ("From: \"john smith\"@contoso.com", "contoso.com"),
    ] {
        assert_eq!(author(from).as_deref(), Ok(domain), "{from}");
    }
}

// attacks.md 17: several From, several addresses, groups.
#[test]
fn what_has_no_single_author_has_none() {
    for (from, problem) in [
        ("To: x@contoso.com", AuthorProblem::Missing),
        ("From:", AuthorProblem::Missing),
        ("From: undisclosed:;", AuthorProblem::Missing),
        ("From: a@contoso.com\r\nFROM: b@contoso.com", AuthorProblem::SeveralFields),
        ("From: a@contoso.com, b@fabrikam.com", AuthorProblem::SeveralDomains),
        ("From: g: a@contoso.com; , b@fabrikam.com", AuthorProblem::SeveralDomains),
        ("From: <a@contoso.com> <b@fabrikam.com>", AuthorProblem::Malformed),
        ("From: a@contoso.com <b@fabrikam.com>", AuthorProblem::Malformed),
        ("From: a@contoso.com b@fabrikam.com", AuthorProblem::Malformed),
        ("From: <@fabrikam.com:a@contoso.com>", AuthorProblem::Malformed),
        ("From: a@b@contoso.com", AuthorProblem::Malformed),
        ("From: Ann", AuthorProblem::Malformed),
        ("From: \"ann@contoso.com", AuthorProblem::Malformed),
        ("From: g: a@contoso.com", AuthorProblem::Malformed),
        ("From: a\0@contoso.com", AuthorProblem::Malformed),
        ("From: a@[192.0.2.1]", AuthorProblem::NoDomain),
        ("From: a@con_toso.com", AuthorProblem::NoDomain),
        ("From: a@contoso..com", AuthorProblem::NoDomain),
    ] {
        assert_eq!(author(from), Err(problem), "{from}");
    }
    let deep = format!("From: {} a@contoso.com", "(".repeat(10_000));
    assert_eq!(author(&deep), Err(AuthorProblem::Malformed));
    let long = format!("From: {}a@contoso.com", "a@contoso.com,".repeat(100_000));
    assert_eq!(author(&long), Err(AuthorProblem::Malformed));
}

proptest! {
    #[test]
    fn no_record_and_no_author_breaks_a_check(
        records in prop::collection::vec("(v=DMARC1)?[ -~]{0,30}(;[ -~]{0,12}){0,4}", 0..4),
        labels in prop::collection::vec("[a-c]", 1..20),
        from in "[ -~\u{fc}]{0,40}",
    ) {
        let author = labels.join(".");
        let zone = records.iter().enumerate().fold(Zone::new(), |zone, (count, record)| {
            let owner = labels.get(count..).filter(|rest| !rest.is_empty()).unwrap_or(&labels);
            let record = transom_dns::Record::Txt(record.as_bytes().into());
            zone.with(name(&format!("_dmarc.{}", owner.join("."))), record)
        });
        let identifiers = vec![dkim(&labels[labels.len() / 2..].join(".")), spf(&author)];
        let mut check = DmarcCheck::new(DmarcQuery::new(name(&author), identifiers));
        let mut asked = 0;
        while let DmarcStep::Lookup { name, kind } = check.step() {
            let answer = zone.get(&name, kind);
            check.answer(name, kind, answer);
            asked += 1;
            prop_assert!(asked <= 25);
        }
        let content = format!("From: {from}\r\n\r\n");
        let _ = author_domain(&HeaderSection::parse(content.as_bytes()));
    }
}
