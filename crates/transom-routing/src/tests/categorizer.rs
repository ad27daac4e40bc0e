//! Every recipient in one place.

use proptest::prelude::*;
use transom_connector::{
    AcceptedDomain, CheckedConfiguration, Configuration, ReceiveLimits, SendConnector,
};
use transom_types::{ConnectorId, DeliveryType, Envelope, MailParameters, Outcome, ReversePath};

use super::domain;
use crate::{Categorized, MessageFacts, categorize, next_hop};

fn envelope(recipients: &[&str]) -> Envelope {
    let recipients = recipients.iter().map(|path| {
        let path: transom_types::ForwardPath = path.parse().unwrap();
        path.into()
    });
    Envelope {
        reverse_path: ReversePath::Null,
        parameters: MailParameters::default(),
        recipients: recipients.collect(),
    }
}

fn configuration() -> CheckedConfiguration {
    let accepted = [
        AcceptedDomain::authoritative("contoso.com"),
        AcceptedDomain::authoritative("orphan.example"),
        AcceptedDomain::internal_relay("*.relay.example"),
        AcceptedDomain::external_relay("external.example"),
    ];
    let smart_hosts = ["inner.contoso.com:2525", "192.0.2.9"].map(|host| host.parse().unwrap());
    let spaces = vec!["*.relay.example".parse().unwrap()];
    accepted
        .into_iter()
        .fold(Configuration::new(domain("mx1.contoso.com")), |all, accepted| {
            all.with_accepted_domain(accepted.unwrap())
        })
        .with_delivery_agent("mailbox", ["contoso.com"])
        .unwrap()
        .with_send_connector(SendConnector::smart_hosts("Inner", spaces, smart_hosts.to_vec()))
        .with_send_connector(SendConnector::internet().with_message_octets_max(Some(1_000)))
        .check()
        .unwrap()
}

fn hops(categorized: &Categorized) -> Vec<(String, Vec<u32>)> {
    categorized.groups.iter().map(|(hop, to)| (hop.to_string(), to.clone())).collect()
}

fn hop(path: &str) -> String {
    let envelope = envelope(&[path]);
    let categorized = categorize(&configuration(), &MessageFacts::new(&envelope, 10));
    assert_eq!(categorized.failed, []);
    hops(&categorized).remove(0).0
}

fn failure(categorized: &Categorized) -> String {
    let [only] = &categorized.failed[..] else { panic!("{categorized:?}") };
    match &only.outcome {
        Outcome::Failed(status) => status.reply.to_line(),
        other => panic!("{other:?}"),
    }
}

// A12
// [RFC 5321 §C-d] test
// [RFC 6531 §3.2-b] test
#[test]
fn each_kind_of_domain_has_its_way() {
    let inner = "inner.contoso.com:2525,[192.0.2.9] (SmartHostConnectorDelivery, Inner)";
    for (path, expected) in [
        ("<ann@contoso.com>", "mailbox (DeliveryAgent, mailbox)"),
        ("<ann@Contoso.COM>", "mailbox (DeliveryAgent, mailbox)"),
        ("<ann@relay.example>", inner),
        ("<ann@x.y.relay.example>", inner),
        ("<ann@external.example>", "external.example (DnsConnectorDelivery, Internet)"),
        ("<ann@Fabrikam.com>", "fabrikam.com (DnsConnectorDelivery, Internet)"),
        ("<ann@m\u{fc}nchen.example>", "xn--mnchen-3ya.example (DnsConnectorDelivery, Internet)"),
        ("<ann@[203.0.113.5]>", "[203.0.113.5] (DnsConnectorDelivery, Internet)"),
        ("<ann@[IPv6:2001:db8::1]>", "[IPv6:2001:db8::1] (DnsConnectorDelivery, Internet)"),
        ("<Postmaster>", "mailbox (DeliveryAgent, mailbox)"),
        // Authoritative, but no agent takes it: it waits, and never leaves by `*`.
        ("<ann@orphan.example>", "Unreachable (Unreachable, )"),
    ] {
        assert_eq!(hop(path), expected, "{path}");
    }
}

#[test]
fn postmaster_without_accepted_domains_is_at_the_server_name() {
    let configuration = Configuration::new(domain("mx1.contoso.com"))
        .with_delivery_agent("admin", ["mx1.contoso.com"])
        .unwrap()
        .check()
        .unwrap();
    let envelope = envelope(&["<Postmaster>"]);
    let categorized = categorize(&configuration, &MessageFacts::new(&envelope, 10));
    assert_eq!(hops(&categorized), [("admin (DeliveryAgent, admin)".into(), vec![0])]);
}

#[test]
fn no_connector_makes_a_recipient_unreachable() {
    let configuration = Configuration::new(domain("mx1.contoso.com")).check().unwrap();
    let envelope = envelope(&["<a@fabrikam.com>", "<b@[192.0.2.1]>"]);
    let categorized = categorize(&configuration, &MessageFacts::new(&envelope, 10));
    let [(hop, recipients)] = &categorized.groups[..] else { panic!("{categorized:?}") };
    assert_eq!((hop.kind, &recipients[..]), (DeliveryType::Unreachable, &[0, 1][..]));
    assert_eq!(categorized.failed, []);
}

#[test]
fn recipients_with_one_next_hop_share_a_group_and_keep_their_order() {
    let envelope = envelope(&[
        "<a@fabrikam.com>",
        "<ann@contoso.com>",
        "<b@FABRIKAM.com>",
        "<a@relay.example>",
        "<a@fabrikam.com>",
        "<b@x.relay.example>",
    ]);
    let categorized = categorize(&configuration(), &MessageFacts::new(&envelope, 10));
    let groups: Vec<_> = categorized.groups.iter().map(|(_, to)| to.clone()).collect();
    // The one who stands twice is kept twice.
    assert_eq!(groups, [vec![0, 2, 4], vec![1], vec![3, 5]]);
}

#[test]
fn a_message_too_big_for_every_way_fails_with_5_3_4() {
    let envelope = envelope(&["<a@fabrikam.com>", "<ann@contoso.com>"]);
    let categorized = categorize(&configuration(), &MessageFacts::new(&envelope, 1_001));
    let text = "552 5.3.4 Message size exceeds the 1000 octets of the way to the recipient";
    assert_eq!(failure(&categorized), text);
    assert_eq!(categorized.failed[0].recipient, 0);
    assert_eq!(hops(&categorized), [("mailbox (DeliveryAgent, mailbox)".into(), vec![1])]);
}

#[test]
fn a_domain_that_no_dns_can_hold_fails() {
    let envelope = envelope(&["<a@\u{fffd}.example>"]);
    let categorized = categorize(&configuration(), &MessageFacts::new(&envelope, 10));
    let text = "550 5.1.2 The recipient's domain is no domain of the DNS";
    assert_eq!(failure(&categorized), text);
}

// [RFC 5321 §6.3] test
#[test]
fn too_many_hops_fail_every_recipient() {
    let envelope = envelope(&["<a@fabrikam.com>", "<ann@contoso.com>", "<Postmaster>"]);
    let facts = MessageFacts::new(&envelope, 10);
    let strict = ReceiveLimits::default().with_hops_max(3).with_own_hops_max(0);
    for (facts, looping) in [
        (facts.with_received(60, 0), false),
        (facts.with_received(61, 0), true),
        (facts.with_received(60, 5), false),
        (facts.with_received(60, 6), true),
        (facts.with_received(3, 3).with_limits(&strict), false),
        (facts.with_received(4, 0).with_limits(&strict), true),
    ] {
        let categorized = categorize(&configuration(), &facts);
        assert_eq!(categorized.failed.len(), if looping { 3 } else { 0 }, "{facts:?}");
        assert_eq!(categorized.groups.is_empty(), looping, "{facts:?}");
        for (index, result) in (0u32..).zip(&categorized.failed) {
            assert_eq!(result.recipient, index);
            let Outcome::Failed(status) = &result.outcome else { panic!("{result:?}") };
            let text = "554 5.4.6 Hop count exceeded - possible mail loop";
            assert_eq!(status.reply.to_line(), text);
        }
    }
}

proptest! {
    #[test]
    fn every_recipient_is_in_exactly_one_place(
        recipients in prop::collection::vec(
            "<(a@(contoso\\.com|(orphan|x\\.relay|\u{fffd})\\.example\
             |[a-c]\\.com|\\[1\\.2\\.3\\.4\\])|Postmaster)>",
            0..30,
        ),
        size in 0u64..2_000,
        received in 0u32..70,
    ) {
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        let envelope = envelope(&recipients);
        let facts = MessageFacts::new(&envelope, size).with_received(received, 0);
        let categorized = categorize(&configuration(), &facts);
        let failed = categorized.failed.iter().map(|result| result.recipient);
        let routed = categorized.groups.iter().flat_map(|(_, to)| to.iter().copied());
        let mut all: Vec<u32> = failed.chain(routed).collect();
        all.sort_unstable();
        let expected: Vec<u32> = (0..u32::try_from(recipients.len()).unwrap()).collect();
        prop_assert_eq!(all, expected);
        let mut hops: Vec<_> = categorized.groups.iter().map(|(hop, _)| hop).collect();
        hops.sort();
        hops.dedup();
        prop_assert_eq!(hops.len(), categorized.groups.len());
        prop_assert!(categorized.groups.iter().all(|(_, to)| !to.is_empty() && to.is_sorted()));
    }
}

#[test]
fn chosen_connector_takes_whom_its_address_spaces_do_not() {
    let (configuration, envelope) = (configuration(), envelope(&[]));
    let to = |path: &str, size, by: Option<&str>| {
        let by = by.map(ConnectorId::new);
        let facts = MessageFacts::new(&envelope, size);
        let hop = next_hop(&configuration, &facts, &path.parse().unwrap(), by.as_ref());
        hop.map(|hop| hop.to_string()).map_err(|reply| reply.to_line())
    };
    assert_eq!(to("<ann@contoso.com>", 10, None).unwrap(), hop("<ann@contoso.com>"));
    let outward = to("<ann@contoso.com>", 10, Some("Internet")).unwrap();
    assert_eq!(outward, "contoso.com (DnsConnectorDelivery, Internet)");
    let missing = to("<ann@contoso.com>", 10, Some("Nowhere")).unwrap();
    assert_eq!(missing, hop("<ann@orphan.example>"));
    assert!(to("<ann@contoso.com>", 2_000, Some("Internet")).unwrap_err().starts_with("552 5.3.4"));
    let looping = MessageFacts::new(&envelope, 10).with_received(1_000, 0);
    let by = ConnectorId::new("Internet");
    let path = "<ann@contoso.com>".parse().unwrap();
    assert!(next_hop(&configuration, &looping, &path, Some(&by)).is_err());
}
