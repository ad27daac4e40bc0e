//! Who is judged, and what the verdicts come to.

use std::net::IpAddr;

use futures::executor::block_on;
use proptest::prelude::*;
use transom_dns::Zone;
use transom_message::HeaderSection;

use super::{ClientAddress, CompAuth, Facts, Forwarder, SpfVerdicts, Trust, Verdicts};
use crate::arc::{ArcInstance, ArcResult, ArcVerdict};
use crate::dkim::{DkimResult, DkimVerdict};
use crate::dmarc::{AuthorProblem, DmarcProblem, DmarcResult};
use crate::results::ResultsStyle;
use crate::spf::SpfResult;

const ZONE: &str = "a.example TXT v=spf1 ip4:192.0.2.1 -all
                    _dmarc.a.example TXT v=DMARC1; p=reject
                    none.example TXT v=spf1 ip4:192.0.2.1 -all
                    mx.bare.example TXT v=spf1 ip4:192.0.2.1 -all
                    _dmarc.soft.example TXT v=DMARC1; p=none
                    _dmarc.slow.example TIMEOUT
                    _dmarc.own.example TXT v=DMARC1; p=reject";

pub(crate) fn signature(domain: &str, result: DkimResult) -> DkimVerdict {
    DkimVerdict {
        result,
        problem: None,
        domain: domain.to_owned(),
        selector: "s1".to_owned(),
        identity: format!("@{domain}"),
        algorithm: None,
        key_bits: None,
        signature: "AbCd+/12".to_owned(),
        body_octets: None,
        testing: false,
    }
}

pub(crate) fn chain(result: ArcResult, sealers: &[(&str, &str)]) -> ArcVerdict {
    let instance = |(domain, results): &(&str, &str)| ArcInstance {
        domain: (*domain).to_owned(),
        selector: "arc".to_owned(),
        results: (*results).to_owned(),
    };
    ArcVerdict { result, problem: None, instances: sealers.iter().map(instance).collect() }
}

struct Case<'a> {
    client: &'a str,
    helo: &'a str,
    mail_from: &'a str,
    from: &'a str,
    dkim: &'a [DkimVerdict],
    arc: ArcVerdict,
}

impl<'a> Case<'a> {
    fn new(client: &'a str, mail_from: &'a str, from: &'a str) -> Self {
        let arc = chain(ArcResult::None, &[]);
        Self { client, helo: "mx.bare.example", mail_from, from, dkim: &[], arc }
    }

    fn judge(self) -> Verdicts {
        let zone: Zone = ZONE.parse().unwrap();
        let trust = Trust {
            own_domains: vec!["own.example".parse().unwrap(), "own2.example".parse().unwrap()],
            sealers: vec!["list.example".parse().unwrap(), "hop.example".parse().unwrap()],
            forwarders: vec!["203.0.113.0/24".parse().unwrap()],
            ..Trust::default()
        };
        let client = self.client.parse().unwrap();
        let facts = Facts::new(client, self.helo, self.mail_from, "mx.own.example", 0);
        let content = format!("From: {}\r\n\r\n", self.from);
        let headers = HeaderSection::parse(content.as_bytes());
        block_on(async {
            let spf = SpfVerdicts::check(&facts, &zone).await;
            let dkim = self.dkim.to_vec();
            Verdicts::judge(facts, spf, dkim, self.arc, &headers, &trust, &zone).await
        })
    }

    fn composite(self) -> (CompAuth, u16) {
        let composite = self.judge().composite;
        (composite.result, composite.reason)
    }
}

#[test]
fn each_reason_has_its_case() {
    let good = "192.0.2.1";
    let bad = "198.51.100.1";
    let signed = [signature("a.example", DkimResult::Pass)];
    let case = Case::new;
    let both = Case { dkim: &signed, ..case(good, "x@a.example", "x@a.example") };
    assert_eq!(both.composite(), (CompAuth::Pass, 100));
    let by_dkim = Case { dkim: &signed, ..case(bad, "x@a.example", "x@a.example") };
    assert_eq!(by_dkim.composite(), (CompAuth::Pass, 101));
    for (client, mail_from, from, expected) in [
        (good, "x@a.example", "x@a.example", (CompAuth::Pass, 102)),
        (bad, "x@a.example", "x@a.example", (CompAuth::Fail, 0)),
        // Somebody else's SPF does not help.
        (good, "x@none.example", "x@a.example", (CompAuth::Fail, 0)),
        (good, "x@a.example", "x@soft.example", (CompAuth::Fail, 1)),
        (good, "x@none.example", "x@none.example", (CompAuth::Pass, 109)),
        (bad, "x@none.example", "x@none.example", (CompAuth::Fail, 1)),
        (good, "x@a.example", "x@bare.example", (CompAuth::SoftPass, 201)),
        (bad, "x@a.example", "x@bare.example", (CompAuth::Fail, 1)),
        (good, "x@a.example", "x@own.example", (CompAuth::Fail, 10)),
        (good, "x@a.example", "x@sub.own2.example", (CompAuth::Fail, 601)),
        (bad, "x@a.example", "x@slow.example", (CompAuth::None, 300)),
        ("203.0.113.9", "x@a.example", "x@a.example", (CompAuth::None, 400)),
        (good, "x@a.example", "x@a.example, y@b.example", (CompAuth::Fail, 1)),
        ("::ffff:192.0.2.1", "x@a.example", "x@a.example", (CompAuth::Pass, 102)),
    ] {
        assert_eq!(case(client, mail_from, from).composite(), expected, "{client} {from}");
    }
}

#[test]
fn a_trusted_sealer_stands_in_and_no_other() {
    let passed = "list.example; dmarc=pass header.from=a.example";
    let failed = "list.example; dmarc=fail header.from=a.example";
    let other = "list.example; dmarc=pass header.from=b.example";
    let stands_in = (CompAuth::Pass, 130);
    for (result, sealers, expected) in [
        (ArcResult::Pass, vec![("list.example", passed)], stands_in),
        (ArcResult::Pass, vec![("list.example", passed), ("hop.example", failed)], stands_in),
        (ArcResult::Pass, vec![("list.example", failed)], (CompAuth::Fail, 0)),
        (ArcResult::Pass, vec![("list.example", other)], (CompAuth::Fail, 0)),
        (ArcResult::Pass, vec![("evil.example", passed)], (CompAuth::Fail, 0)),
        // Who sealed last is not trusted, so all before may be made up.
        (
            ArcResult::Pass,
            vec![("list.example", passed), ("evil.example", passed)],
            (CompAuth::Fail, 0),
        ),
        (ArcResult::Fail, vec![("list.example", passed)], (CompAuth::Fail, 0)),
        (ArcResult::TempError, vec![("list.example", passed)], (CompAuth::Fail, 0)),
    ] {
        let arc = chain(result, &sealers);
        let case = Case { arc, ..Case::new("198.51.100.1", "x@a.example", "x@a.example") };
        assert_eq!(case.composite(), expected, "{result} {sealers:?}");
    }
    let arc = chain(ArcResult::Pass, &[("list.example", passed)]);
    let case = Case { arc, ..Case::new("198.51.100.1", "x@a.example", "x@a.example") };
    assert_eq!(case.judge().forwarder, Some(Forwarder::Sealer("list.example".to_owned())));
}

#[test]
fn the_null_sender_is_judged_by_its_name_in_helo() {
    let case = Case { helo: "a.example", ..Case::new("192.0.2.1", "", "x@a.example") };
    let verdicts = case.judge();
    assert_eq!(verdicts.spf.mail_from.result, SpfResult::Pass);
    assert_eq!(verdicts.dmarc.result, DmarcResult::Pass);
    let results = verdicts.results("mx.own.example", ResultsStyle::Registered);
    assert!(results.to_string().contains("spf=pass (sender IP is 192.0.2.1) smtp.helo=a.example;"));
}

#[test]
fn a_key_that_cannot_be_had_is_doubt_and_not_absence() {
    let signed = [signature("a.example", DkimResult::TempError)];
    let case = Case { dkim: &signed, ..Case::new("198.51.100.1", "x@b.example", "x@a.example") };
    assert_eq!(case.judge().dmarc.result, DmarcResult::TempError);
}

#[test]
fn a_message_without_author_has_no_dmarc() {
    let verdicts = Case::new("192.0.2.1", "x@a.example", "").judge();
    assert_eq!(verdicts.dmarc.result, DmarcResult::PermError);
    assert_eq!(verdicts.dmarc.problem, Some(DmarcProblem::Author(AuthorProblem::Missing)));
}

// spec 7.10
#[test]
fn results_are_written_in_the_words_of_exchange_or_of_the_registry() {
    let signed = [signature("a.example", DkimResult::Pass)];
    let verdicts =
        || Case { dkim: &signed, ..Case::new("192.0.2.1", "x@a.example", "x@a.example") };
    let exchange = verdicts().judge().results("mx.own.example", ResultsStyle::Exchange).to_string();
    assert_eq!(
        exchange,
        "mx.own.example; spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.example; \
         dkim=pass (signature was verified) header.d=a.example header.s=s1 header.b=\"AbCd+/12\"; \
         dmarc=pass action=none header.from=a.example; compauth=pass reason=100"
    );
    let ours = verdicts().judge().results("mx.own.example", ResultsStyle::Registered).to_string();
    assert_eq!(
        ours,
        "mx.own.example; spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.example; \
         spf=pass (sender IP is 192.0.2.1) smtp.helo=mx.bare.example; \
         dkim=pass (signature was verified) header.d=a.example header.s=s1 header.b=\"AbCd+/12\"; \
         dmarc=pass header.from=a.example policy.dmarc=none; compauth=pass reason=100"
    );
    let word = |client, from, word: &str| {
        let results = Case::new(client, from, from).judge().results("x", ResultsStyle::Exchange);
        assert!(results.to_string().contains(word), "{results}");
    };
    word("198.51.100.1", "x@a.example", "dmarc=fail action=oreject header.from=a.example");
    word("192.0.2.1", "x@none.example", "dmarc=bestguesspass action=none");
    word("198.51.100.1", "x@slow.example", "action=temperror header.from=slow.example");
    word("198.51.100.1", "x@a.example", "compauth=fail reason=000");
    word("198.51.100.1", "x@a.example", "dkim=none (message not signed);");
}

fn client(peer: &str, received: &[&str]) -> Option<(String, usize)> {
    let content = received.iter().flat_map(|line| ["Received: ", line, "\r\n"]);
    let content: String = content.collect();
    let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    let headers = HeaderSection::parse(content.as_bytes());
    let found = ClientAddress::find(peer.parse().unwrap(), &headers, &trusted)?;
    Some((found.ip.to_string(), found.gateways))
}

#[test]
fn the_first_hop_outside_our_gateways_is_judged() {
    let found = |ip: &str, gateways| Some((ip.to_owned(), gateways));
    let gateway = "from gw2 ([10.0.0.2]) by gw1; x";
    assert_eq!(client("192.0.2.1", &[]), found("192.0.2.1", 0));
    // A peer outside is judged itself, whatever it writes.
    assert_eq!(client("192.0.2.1", &["from x ([198.51.100.7]) by y; x"]), found("192.0.2.1", 0));
    for (received, ip) in [
        ("from mx.a.example (mx.a.example [198.51.100.7]) by gw1; x", "198.51.100.7"),
        ("from mx.a.example ([198.51.100.7]) by gw1; x", "198.51.100.7"),
        ("from mx.a.example (198.51.100.7) by gw1 (10.0.0.1) with X; x", "198.51.100.7"),
        ("from [198.51.100.7] (helo=mx.a.example) by gw1; x", "198.51.100.7"),
        ("from [198.51.100.7] (port=4 helo=[192.0.2.9]) by gw1; x", "198.51.100.7"),
        ("from mx (x [IPv6:2001:dead::7]) by gw1; x", "2001:dead::7"),
        // The name is what the client chose.
        ("from [192.0.2.9] (unknown [198.51.100.7]) by gw1; x", "198.51.100.7"),
        ("from mx (unknown\r\n [198.51.100.7]) by gw1; x", "198.51.100.7"),
        ("from mx ([::ffff:198.51.100.7]) by gw1; x", "198.51.100.7"),
    ] {
        assert_eq!(client("10.0.0.1", &[received]), found(ip, 1), "{received}");
        assert_eq!(client("2001:db8::1", &[gateway, received]), found(ip, 2), "{received}");
    }
    // A gateway that does not say, and mail from within.
    for received in [&["by gw1; x", "from x ([198.51.100.7]) by y"][..], &[gateway], &[]] {
        assert_eq!(client("10.0.0.1", received), None, "{received:?}");
    }
    assert_eq!(client("10.0.0.1", &vec![gateway; 100_000]), None);
}

proptest! {
    #[test]
    fn no_received_field_breaks_the_search(text in "(from )?[ -~]{0,60}", peer in any::<u32>()) {
        let content = format!("Received: {text}\r\n");
        let headers = HeaderSection::parse(content.as_bytes());
        let trusted = ["0.0.0.0/0".parse().unwrap()];
        let peer = IpAddr::from(peer.to_be_bytes());
        let found = ClientAddress::find(peer, &headers, &trusted);
        prop_assert!(found.is_none_or(|found| found.ip.is_ipv6()));
    }
}
