//! The machine: questions, limits, texts.

use futures::executor::block_on;
use proptest::prelude::*;
use transom_dns::Zone;

use super::{SpfOutcome, SpfProblem, SpfQuery, SpfResult, check};

fn judge(zone: &str, sender: &str, ip: &str) -> SpfOutcome {
    let zone: Zone = zone.parse().unwrap();
    let query = SpfQuery::mail_from(ip.parse().unwrap(), "mx.contoso.com", sender);
    block_on(check(query.with_receiver("mail.receiver.example", 1_700_000_000), &zone))
}

#[test]
fn an_outcome_names_the_directive_and_whose_policy_it_is() {
    let zone = "a.example TXT v=spf1 redirect=b.example
                b.example TXT v=spf1 ip4:192.0.2.0/24 ~all";
    let outcome = judge(zone, "ann@a.example", "192.0.2.9");
    assert_eq!(outcome.mechanism.as_deref(), Some("ip4:192.0.2.0/24"));
    assert_eq!((outcome.result, outcome.domain.as_str()), (SpfResult::Pass, "b.example"));
    assert_eq!(judge(zone, "ann@a.example", "198.51.100.1").result, SpfResult::SoftFail);
}

#[test]
fn an_ipv4_address_in_the_clothes_of_ipv6_is_one() {
    let zone = "a.example TXT v=spf1 ip4:192.0.2.9 -all";
    assert_eq!(judge(zone, "ann@a.example", "::ffff:192.0.2.9").result, SpfResult::Pass);
}

#[test]
fn what_goes_wrong_is_told() {
    let zone = "two.example TXT v=spf1 -all
                two.example TXT v=spf1 +all
                bad.example TXT v=spf1 ip4:300.1.1.1 -all
                gone.example TXT v=spf1 include:nowhere.example -all
                slow.example TIMEOUT";
    let problem = |domain: &str| {
        let outcome = judge(zone, &format!("ann@{domain}"), "192.0.2.9");
        (outcome.result, outcome.problem.unwrap().to_string())
    };
    let permanent = |text: &str| (SpfResult::PermError, text.to_owned());
    assert_eq!(problem("two.example"), permanent("two.example has several SPF records"));
    let syntax = "the SPF record of bad.example is not well formed at \"ip4:300.1.1.1\"";
    assert_eq!(problem("bad.example"), permanent(syntax));
    assert_eq!(problem("gone.example"), permanent("nowhere.example has no SPF record"));
    let timeout = "TXT of slow.example: no name server answered in time";
    assert_eq!(problem("slow.example"), (SpfResult::TempError, timeout.to_owned()));
}

#[test]
fn a_ring_of_policies_ends() {
    let zone = "a.example TXT v=spf1 include:b.example -all
                b.example TXT v=spf1 include:a.example -all";
    let outcome = judge(zone, "ann@a.example", "192.0.2.9");
    assert_eq!(outcome.result, SpfResult::PermError);
    assert_eq!(outcome.problem, Some(SpfProblem::TooManyTerms));
    let own = judge("a.example TXT v=spf1 redirect=a.example", "ann@a.example", "192.0.2.9");
    assert_eq!(own.problem, Some(SpfProblem::TooManyTerms));
}

#[test]
fn a_record_beyond_all_reason_is_not_read() {
    let zone = format!("a.example TXT v=spf1 {}-all", "ip4:192.0.2.1 ".repeat(80_000));
    let outcome = judge(&zone, "ann@a.example", "192.0.2.1");
    assert_eq!(outcome.result, SpfResult::PermError);
    assert!(matches!(outcome.problem, Some(SpfProblem::TooLong { .. })));
}

#[test]
fn an_explanation_may_name_receiver_address_and_time() {
    let zone = "a.example TXT v=spf1 -all exp=why.a.example
                why.a.example TXT %{c} may not write as %{s} to %{r} at %{t}";
    let outcome = judge(zone, "ann@a.example", "2001:db8::1");
    let text = "2001:db8::1 may not write as ann@a.example to mail.receiver.example at 1700000000";
    assert_eq!(outcome.explanation.as_deref(), Some(text));
}

#[test]
fn an_explanation_that_could_break_a_reply_is_not_told() {
    for text in ["one\\013\\010two", "caf\\195\\169", &"x".repeat(451), "%{x}"] {
        let zone = format!("a.example TXT v=spf1 -all exp=why.a.example\nwhy.a.example TXT {text}");
        let outcome = judge(&zone, "ann@a.example", "192.0.2.1");
        assert_eq!((outcome.result, outcome.explanation), (SpfResult::Fail, None), "{text}");
    }
}

/// Something like a term.
const TERM: &str =
    "[-+~?]?(a|mx|ptr|exists|include|ip4|ip6|all|redirect=|exp=)[:/%{}a-z0-9.]{0,12}";

proptest! {
    #[test]
    fn no_record_panics_or_runs_on(
        record in "[ -~]{0,60}",
        terms in prop::collection::vec(TERM, 0..14),
    ) {
        let zone = Zone::new();
        for text in [format!("v=spf1 {record}"), format!("v=spf1 {}", terms.join(" "))] {
            let name = "a.example".parse().unwrap();
            let zone = zone.clone().with(name, transom_dns::Record::Txt(text.as_bytes().into()));
            let client = "192.0.2.1".parse().unwrap();
            let query = SpfQuery::mail_from(client, "h.example", "x@a.example");
            let outcome = block_on(check(query, &zone));
            prop_assert!(outcome.explanation.is_none());
        }
    }
}
