//! What of receive connectors does not fit together, and how long it takes to see.

use std::time::Duration;

use super::{contoso, domain, socket};
use crate::{
    Configuration, MessageRateSource, PermissionGroup, Permissions, ReceiveAuth, ReceiveConnector,
    ReceiveLimits, ReceiveTls, RemoteRange,
};

fn errors(connectors: Vec<ReceiveConnector>) -> Vec<String> {
    let all = connectors.into_iter().fold(contoso(), Configuration::with_receive_connector);
    match all.check() {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

fn named_a() -> ReceiveConnector {
    ReceiveConnector::internet(socket("0.0.0.0:25")).with_name("a")
}

#[test]
fn impossible_combinations_are_told_with_the_name_of_the_connector() {
    let users = Permissions::anonymous_users().with_group(PermissionGroup::ExchangeUsers);
    let users_alone = Permissions::none().with_group(PermissionGroup::ExchangeUsers);
    let a = named_a;
    for (connector, expected) in [
        (a().with_permissions(users), "it offers AUTH under TLS only and has no TLS"),
        (
            a().with_server_domains(vec![domain("mx2.contoso.com")]),
            "it knows peers by their certificates and has no TLS",
        ),
        (
            a().with_auth(ReceiveAuth::ExternalAuthoritative),
            "it is externally secured, and externally secured peers may not submit",
        ),
        (
            a().danger_normalize_bare_newlines(true),
            "it takes bare line feeds, and not only from who has authenticated",
        ),
        (
            a().with_default_domain(domain("elsewhere.example")),
            "its default domain elsewhere.example is no accepted domain",
        ),
    ] {
        let expected = format!("receive connector \"a\": {expected}");
        assert_eq!(errors(vec![connector]), [expected]);
    }
    let fine = [
        a().with_permissions(users).with_tls(ReceiveTls::Offered),
        a().with_permissions(users).with_auth(ReceiveAuth::DangerClear),
        a().with_permissions(users).with_auth(ReceiveAuth::Off),
        a().with_permissions(users_alone)
            .with_tls(ReceiveTls::Offered)
            .danger_normalize_bare_newlines(true),
        a().with_default_domain(domain("CONTOSO.com")),
        a().with_default_domain(domain("x.contoso.com.example")),
    ];
    for connector in fine {
        assert_eq!(errors(vec![connector]), [""; 0]);
    }
}

#[test]
fn limits_that_nothing_gets_past_are_told() {
    let limits = ReceiveLimits::default;
    let rate = MessageRateSource::IpAddress;
    for (limits, expected) in [
        (limits().with_message_octets_max(0), "MaxMessageSize is 0"),
        (limits().with_recipients_max(0), "MaxRecipientsPerMessage is 0"),
        (limits().with_header_octets_max(0), "MaxHeaderSize is 0"),
        (limits().with_hops_max(0), "MaxHopCount is 0"),
        (limits().with_connections_max(0), "MaxInboundConnection is 0"),
        (limits().with_connections_per_source_max(0), "MaxInboundConnectionPerSource is 0"),
        (
            limits().with_connections_percent_per_source_max(101),
            "MaxInboundConnectionPercentagePerSource is 101",
        ),
        (limits().with_message_rate(Some(0), rate), "MessageRateLimit is 0"),
        (limits().with_idle_timeout(Duration::ZERO), "ConnectionInactivityTimeout is 0"),
    ] {
        let found = errors(vec![named_a().with_limits(limits)]);
        assert_eq!(found.len(), 1, "{found:?}");
        let start = format!("receive connector \"a\": its {expected}; possible is 1 to ");
        assert!(found[0].starts_with(&start), "{found:?}");
    }
    let nobody = limits().with_message_rate(Some(5), MessageRateSource::None);
    let found = errors(vec![named_a().with_limits(nobody)]);
    assert_eq!(found, ["receive connector \"a\": it has a message rate and counts nobody"]);
    let off = limits().with_own_hops_max(0).with_logon_failures_max(0).with_protocol_errors_max(0);
    assert_eq!(errors(vec![named_a().with_limits(off)]), [""; 0], "0 switches these off");
}

#[test]
fn two_connectors_are_told_once_whatever_they_share() {
    let ranges: Vec<RemoteRange> =
        ["10.0.0.0/8", "192.0.2.0/24", "::/0"].map(|range| range.parse().unwrap()).to_vec();
    let one = named_a().with_remote_ranges(ranges).with_binding(socket("0.0.0.0:587"));
    let found = errors(vec![one.clone(), one.with_name("b")]);
    let text = "receive connectors \"b\" and \"a\" share 0.0.0.0:25 and the range 10.0.0.0/8";
    assert_eq!(found, [text]);
}

#[test]
fn a_range_inside_another_hides_no_overlap_with_a_third() {
    let with = |name: &str, ranges: &[&str]| {
        let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
        named_a().with_name(name).with_remote_ranges(ranges)
    };
    let found = errors(vec![
        with("wide", &["10.0.0.0/24"]),
        with("inside", &["10.0.0.1-10.0.0.9"]),
        with("third", &["10.0.0.20", "10.0.0.200-10.0.1.1"]),
    ]);
    let text = "receive connectors \"third\" and \"wide\" share 0.0.0.0:25, and their ranges \
                10.0.0.200-10.0.1.1 and 10.0.0.0/24 overlap";
    assert_eq!(found, [text]);
    // Ranges of one connector may overlap as they like.
    let own = with("own", &["10.0.0.1-10.0.0.9", "10.0.0.5-10.0.0.12"]);
    assert_eq!(errors(vec![own]), [""; 0]);
}
