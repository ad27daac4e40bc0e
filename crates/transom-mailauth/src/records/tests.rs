//! Plans beside zones.

use futures::executor::block_on;
use transom_dns::Zone;

use super::{DomainPlan, Drift, Purpose};
use crate::dmarc::DmarcPolicy;

fn plan() -> DomainPlan {
    let name = |text: &str| text.parse().unwrap();
    DomainPlan {
        exchanges: vec![(10, name("mx1.a.example")), (20, name("mx2.a.example"))],
        hosts: vec![(name("mx1.a.example"), vec!["192.0.2.1".parse().unwrap()])],
        senders: vec!["198.51.100.0/24".parse().unwrap(), "2001:db8::5/128".parse().unwrap()],
        includes: vec![name("spf.b.example")],
        keys: vec![("s1".to_owned(), "v=DKIM1; k=ed25519; p=abc".to_owned())],
        dmarc: Some(DmarcPolicy::Quarantine),
        aggregate_reports: vec!["dmarc@a.example".to_owned()],
        mta_sts: Some("20261124".to_owned()),
        tls_reports: vec!["mailto:tls@a.example".to_owned()],
        ..DomainPlan::new(name("a.example"))
    }
}

fn zone(plan: &DomainPlan) -> String {
    plan.expected().iter().map(|record| format!("{record}\n")).collect::<Vec<_>>().concat()
}

fn check(plan: &DomainPlan, zone: &str) -> Vec<Drift> {
    let zone: Zone = zone.parse().unwrap();
    block_on(plan.check(&zone))
}

#[test]
fn the_plan_says_what_should_be_there() {
    let expected = "a.example MX 10 mx1.a.example
a.example MX 20 mx2.a.example
mx1.a.example A 192.0.2.1
1.2.0.192.in-addr.arpa PTR mx1.a.example
a.example TXT v=spf1 mx ip4:198.51.100.0/24 ip6:2001:db8::5 include:spf.b.example -all
s1._domainkey.a.example TXT v=DKIM1; k=ed25519; p=abc
_dmarc.a.example TXT v=DMARC1; p=quarantine; rua=mailto:dmarc@a.example
_mta-sts.a.example TXT v=STSv1; id=20261124;
_smtp._tls.a.example TXT v=TLSRPTv1; rua=mailto:tls@a.example
";
    assert_eq!(zone(&plan()), expected);
    let nothing = zone(&DomainPlan::new("b.example".parse().unwrap()));
    let expected = "b.example MX 0 .\nb.example TXT v=spf1 -all\n\
                    _dmarc.b.example TXT v=DMARC1; p=reject\n";
    assert_eq!(nothing, expected);
}

#[test]
fn a_zone_as_planned_has_no_drift() {
    let plan = plan();
    assert_eq!(check(&plan, &zone(&plan)), []);
    // Spaces, order and texts of others make no difference.
    let other = zone(&plan).replace("v=DKIM1; k=ed25519; p=abc", "v=DKIM1;k=ed25519;p=abc;")
        + "a.example TXT google-site-verification=x\n";
    assert_eq!(check(&plan, &other), []);
}

#[test]
fn each_missing_record_is_explained() {
    let plan = plan();
    let whole = zone(&plan);
    for record in plan.expected() {
        let line = format!("{record}\n");
        let drifts = check(&plan, &whole.replace(&line, ""));
        assert_eq!(drifts.len(), 1, "{record}");
        assert_eq!(drifts[0].purpose, record.purpose);
        assert_eq!(drifts[0].expected, Some(record.data.to_string()));
        assert!(drifts[0].is_certain && drifts[0].explanation.contains(": "), "{}", drifts[0]);
    }
}

#[test]
fn what_stands_there_instead_is_told() {
    let plan = plan();
    let changed = zone(&plan).replace("include:spf.b.example -all", "?all");
    let drifts = check(&plan, &changed);
    assert_eq!(
        drifts[0].to_string(),
        "SPF a.example: another stands there: others are allowed to send for the domain than our \
         configuration says\n  \
         expected: v=spf1 mx ip4:198.51.100.0/24 ip6:2001:db8::5 include:spf.b.example -all\n  \
         found:    v=spf1 mx ip4:198.51.100.0/24 ip6:2001:db8::5 ?all"
    );
    for (line, purpose) in [
        ("a.example MX 5 evil.example", Purpose::Mx),
        ("a.example TXT v=spf1 +all", Purpose::Spf),
        ("_dmarc.a.example TXT v=DMARC1; p=none", Purpose::Dmarc),
        ("s1._domainkey.a.example TXT v=DKIM1; p=other", Purpose::Dkim),
    ] {
        let drifts = check(&plan, &format!("{}{line}\n", zone(&plan)));
        assert_eq!(drifts.iter().map(|drift| drift.purpose).collect::<Vec<_>>(), [purpose]);
        assert_eq!((drifts[0].found.len(), &drifts[0].expected), (1, &None), "{line}");
    }
}

#[test]
fn what_could_not_be_found_out_is_no_certain_drift() {
    let mut plan = plan();
    plan.tlsa = vec![("mx1.a.example".parse().unwrap(), "3 1 1 ab".to_owned())];
    let without = zone(&plan).replace(
        "_dmarc.a.example TXT v=DMARC1; p=quarantine; rua=mailto:dmarc@a.example",
        "_dmarc.a.example TIMEOUT",
    );
    let without = without.replace("_25._tcp.mx1.a.example TLSA 3 1 1 ab\n", "");
    let drifts = check(&plan, &without);
    let told: Vec<_> = drifts.iter().map(|drift| (drift.purpose, drift.is_certain)).collect();
    assert_eq!(told, [(Purpose::Dmarc, false), (Purpose::Dane, false)]);
}
