//! Verdicts in, decisions out.

use futures::executor::block_on;
use proptest::prelude::*;
use transom_dns::Zone;
use transom_message::HeaderSection;

use super::{Action, AuthPolicy, Check, Decision, SenderCheck};
use crate::arc::{ArcResult, ArcVerdict};
use crate::dkim::{DkimProblem, DkimResult, DkimVerdict};
use crate::verdicts::tests::{chain, signature};
use crate::verdicts::{Facts, Forwarder, SpfVerdicts, Trust, Verdicts};

const ZONE: &str = "a.example TXT v=spf1 ip4:192.0.2.1 -all exp=why.a.example
                    why.a.example TXT See https://a.example/?who=%{i}
                    _dmarc.a.example TXT v=DMARC1; p=reject
                    soft.example TXT v=spf1 ~all
                    _dmarc.soft.example TXT v=DMARC1; p=quarantine
                    _dmarc.trial.example TXT v=DMARC1; p=none
                    bad.example TXT v=spf1 ip4:x
                    _dmarc.bad.example TXT v=DMARC1; p=x
                    slow.example TIMEOUT
                    _dmarc.slow.example TIMEOUT
                    own.example TXT v=spf1 ip4:192.0.2.7 ?all";
const GOOD: &str = "192.0.2.1";
const BAD: &str = "198.51.100.1";

fn policy() -> AuthPolicy {
    AuthPolicy::default().with_trust(Trust {
        own_domains: vec!["own.example".parse().unwrap()],
        own_senders: vec!["192.0.2.9/32".parse().unwrap()],
        sealers: vec!["list.example".parse().unwrap()],
        forwarders: vec!["203.0.113.0/24".parse().unwrap()],
    })
}

fn judge(client: &str, helo: &str, sender: &str, from: &str, trust: &Trust) -> Verdicts {
    judge_signed(client, helo, sender, from, trust, &[], chain(ArcResult::None, &[]))
}

fn judge_signed(
    client: &str,
    helo: &str,
    sender: &str,
    from: &str,
    trust: &Trust,
    dkim: &[DkimVerdict],
    arc: ArcVerdict,
) -> Verdicts {
    let zone: Zone = ZONE.parse().unwrap();
    let facts = Facts::new(client.parse().unwrap(), helo, sender, "mx.own.example", 0);
    let content = format!("From: {from}\r\n\r\n");
    let headers = HeaderSection::parse(content.as_bytes());
    block_on(async {
        let spf = SpfVerdicts::check(&facts, &zone).await;
        Verdicts::judge(facts, spf, dkim.to_vec(), arc, &headers, trust, &zone).await
    })
}

fn decide(policy: &AuthPolicy, client: &str, sender: &str, from: &str) -> Decision {
    policy.decide(&judge(client, "mx.b.example", sender, from, &policy.trust))
}

fn checks(decision: &Decision) -> Vec<Check> {
    decision.findings.iter().map(|finding| finding.check).collect()
}

#[test]
fn mail_that_fails_names_the_check_and_the_reason() {
    let policy = policy();
    let all = Check::ALL
        .into_iter()
        .fold(policy.clone(), |policy, check| policy.with(check, Action::Reject));
    let reply = |policy: &AuthPolicy, client, sender, from| {
        let decision = decide(policy, client, sender, from);
        decision.refusal().map(ToString::to_string).unwrap_or_default()
    };
    assert_eq!(
        reply(&policy, BAD, "x@b.example", "x@a.example"),
        "550 5.7.26 DMARC check failed: neither SPF nor DKIM stands behind a.example \
         (policy reject)\r\n"
    );
    assert_eq!(
        reply(&all, BAD, "x@a.example", "x@b.example"),
        "550-5.7.23 SPF check failed: 198.51.100.1 may not send for a.example (-all)\r\n\
         550 5.7.23 a.example explains: See https://a.example/?who=198.51.100.1\r\n"
    );
    for (sender, from, expected) in [
        (
            "x@soft.example",
            "x@b.example",
            "550 5.7.23 SPF check: 198.51.100.1 should not send for soft.example (~all)\r\n",
        ),
        (
            "x@bad.example",
            "x@b.example",
            "550 5.7.24 SPF check of bad.example failed: the SPF record of bad.example is not \
             well formed at \"ip4:x\"\r\n",
        ),
        (
            "x@slow.example",
            "x@b.example",
            "451 4.7.24 SPF check of slow.example not possible now: TXT of slow.example: no name \
             server answered in time\r\n",
        ),
        (
            "x@b.example",
            "x@slow.example",
            "451 4.7.26 DMARC check of slow.example not possible now: TXT of \
             _dmarc.slow.example: no name server answered in time\r\n",
        ),
        (
            "x@b.example",
            "x@bad.example",
            "550 5.7.26 DMARC check of bad.example failed: the DMARC record of bad.example has \
             no usable policy\r\n",
        ),
        (
            "x@b.example",
            "x@b.example, y@c.example",
            "550 5.7.1 From check failed: the authors in From are of different domains\r\n",
        ),
        (
            "x@own.example",
            "x@own.example",
            "550 5.7.60 Sender check failed: 198.51.100.1 may not send as own.example\r\n",
        ),
        (
            "x@b.example",
            "x@own.example",
            "550 5.7.60 From check failed: 198.51.100.1 may not send as own.example\r\n",
        ),
        ("x@b.example", "x@b.example", "550 5.7.26 Authentication check failed: reason 001\r\n"),
    ] {
        assert_eq!(reply(&all, BAD, sender, from), expected);
    }
    let helo = all.decide(&judge(BAD, "a.example", "x@b.example", "x@b.example", &all.trust));
    let expected = "550 5.7.23 SPF check failed: 198.51.100.1 may not call itself a.example\r\n";
    assert_eq!(helo.refusal().unwrap().to_string(), expected);
}

#[test]
fn broken_signatures_and_chains_are_named() {
    let policy = policy().with(Check::DkimFail, Action::Reject).with(Check::ArcFail, Action::Mark);
    let mut broken = signature("b.example", DkimResult::Fail);
    broken.problem = Some(DkimProblem::BodyHash);
    let arc = chain(ArcResult::Fail, &[("list.example", "list.example; dmarc=pass")]);
    let verdicts =
        judge_signed(BAD, "x", "x@b.example", "x@b.example", &policy.trust, &[broken.clone()], arc);
    let decision = policy.decide(&verdicts);
    let reply = decision.refusal().unwrap().to_string();
    assert_eq!(reply, "550 5.7.20 DKIM check failed: b.example: the body was changed\r\n");
    assert!(checks(&decision).contains(&Check::ArcFail));
    // One that holds is enough.
    let both = [broken, signature("c.example", DkimResult::Pass)];
    let arc = chain(ArcResult::None, &[]);
    let verdicts = judge_signed(BAD, "x", "x@b.example", "x@b.example", &policy.trust, &both, arc);
    assert!(!checks(&policy.decide(&verdicts)).contains(&Check::DkimFail));
}

#[test]
fn the_default_does_what_owners_ask_for() {
    let policy = policy();
    for (client, sender, from, action) in [
        (GOOD, "x@a.example", "x@a.example", Action::None),
        (BAD, "x@b.example", "x@a.example", Action::Reject),
        (BAD, "x@b.example", "x@soft.example", Action::Quarantine),
        (BAD, "x@b.example", "x@trial.example", Action::Observe),
        (BAD, "x@a.example", "x@b.example", Action::Mark),
        (BAD, "x@slow.example", "x@slow.example", Action::None),
        (BAD, "x@b.example", "nobody", Action::Mark),
    ] {
        assert_eq!(decide(&policy, client, sender, from).action, action, "{sender} {from}");
    }
}

#[test]
fn own_domains_are_for_those_who_are_known() {
    let policy = policy();
    let action = |client, sender, from| decide(&policy, client, sender, from).action;
    // Known by address, by the SPF record of our domain, or not at all.
    assert_eq!(action("192.0.2.9", "x@own.example", "x@own.example"), Action::None);
    assert_eq!(action("192.0.2.7", "x@own.example", "x@own.example"), Action::None);
    assert_eq!(action("192.0.2.9", "x@a.example", "x@own.example"), Action::Mark);
    assert_eq!(action(BAD, "x@own.example", "x@b.example"), Action::Reject);
    assert_eq!(action(BAD, "x@b.example", "x@sub.own.example"), Action::Reject);
    assert_eq!(action(BAD, "", "x@own.example"), Action::Reject);
    // A report to us comes from nobody.
    assert_eq!(action(BAD, "", "x@b.example"), Action::Observe);
}

#[test]
fn a_trusted_forwarder_turns_actions_into_remarks() {
    let policy = policy().with(Check::SpfFail, Action::Reject);
    let decision = decide(&policy, "203.0.113.9", "x@a.example", "x@a.example");
    assert_eq!(decision.action, Action::Observe);
    assert_eq!(decision.forwarder, Some(Forwarder::Network("203.0.113.9".parse().unwrap())));
    assert_eq!(checks(&decision), [Check::SpfFail, Check::DmarcReject]);
    assert_eq!(decision.refusal(), None);
    let sealed = chain(ArcResult::Pass, &[("list.example", "list.example; dmarc=pass")]);
    let from = "x@a.example";
    let verdicts = judge_signed(BAD, "x", from, from, &policy.trust, &[], sealed);
    assert_eq!(policy.decide(&verdicts).action, Action::Observe);
}

#[test]
fn a_sender_is_refused_to_mail_where_that_is_wanted() {
    let policy = policy().with(Check::SpfFail, Action::Reject);
    let verdicts = judge(BAD, "x", "x@a.example", "x@a.example", &policy.trust);
    let at_mail = |policy: &AuthPolicy| policy.at_mail(&verdicts.facts, &verdicts.spf).action;
    assert_eq!(at_mail(&policy), Action::None);
    let early = AuthPolicy { sender_check: SenderCheck::AtMail, ..policy.clone() };
    assert_eq!(at_mail(&early), Action::Reject);
    assert_eq!(at_mail(&early.clone().with(Check::SpfFail, Action::Quarantine)), Action::None);
    let forwarded = judge("203.0.113.9", "x", "x@a.example", "x@a.example", &policy.trust);
    assert_eq!(early.at_mail(&forwarded.facts, &forwarded.spf).action, Action::None);
}

#[test]
fn who_only_observes_does_nothing_and_says_everything() {
    let policy = AuthPolicy { trust: policy().trust, ..AuthPolicy::observing() };
    let decision = decide(&policy, BAD, "x@a.example", "x@own.example");
    assert_eq!(decision.action, Action::Observe);
    let expected = [Check::OwnAuthor, Check::SpfFail, Check::Composite];
    let mut found = checks(&decision);
    found.sort_unstable();
    assert_eq!(found, expected);
}

proptest! {
    #[test]
    fn the_strongest_action_wins(
        actions in prop::collection::vec(0usize..5, 16),
        sender in 0usize..5, from in 0usize..5,
    ) {
        let all = [Action::None, Action::Observe, Action::Mark, Action::Quarantine, Action::Reject];
        let policy = Check::ALL.into_iter().zip(&actions).fold(policy(), |policy, (check, action)| {
            policy.with(check, all[*action])
        });
        let names = ["a", "b", "soft", "own", "bad"].map(|name| format!("x@{name}.example"));
        let decision = decide(&policy, BAD, &names[sender], &names[from]);
        let strongest = decision.findings.iter().map(|finding| policy.action(finding.check)).max();
        prop_assert_eq!(decision.action, strongest.unwrap_or_default());
        prop_assert_eq!(decision.refusal().is_some(), decision.action == Action::Reject);
        for finding in &decision.findings {
            prop_assert!(finding.action != Action::None && finding.reason.is_ascii());
        }
    }
}
