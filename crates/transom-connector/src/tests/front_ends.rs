//! Who is believed who the client is, and in whose words replies are.

use super::{empty, ip, socket, with};
use crate::{
    Configuration, Permissions, ReceiveConnector, ReceiveProtocol, Refusal, RemoteRange,
    ReplyProfile,
};

fn ranges(ranges: &[&str]) -> Vec<RemoteRange> {
    ranges.iter().map(|range| range.parse().unwrap()).collect()
}

fn internet(binding: &str) -> ReceiveConnector {
    ReceiveConnector::internet(socket(binding))
}

#[test]
fn nobody_is_believed_unless_set() {
    let checked = with(vec![internet("0.0.0.0:25")]);
    for peer in ["127.0.0.1", "10.0.0.1", "203.0.113.1", "::1"] {
        assert!(!checked.expects_proxy_header(socket("192.0.2.25:25"), ip(peer)), "{peer}");
        assert!(!checked.receive_connectors()[0].may_xclient(ip(peer)), "{peer}");
    }
}

#[test]
fn header_is_expected_from_front_ends_at_their_bindings_alone() {
    let front = internet("0.0.0.0:25").with_proxy_networks(ranges(&["10.0.0.0/24"]));
    let relay = ReceiveConnector::relay(socket("0.0.0.0:25"), ranges(&["10.0.0.0/8"]));
    let any_port = internet("127.0.0.1:0").with_name("any").with_proxy_networks(ranges(&["::1"]));
    let checked = with(vec![front, relay, internet("0.0.0.0:587"), any_port]);
    for (local, peer, expected) in [
        ("192.0.2.25:25", "10.0.0.7", true),
        // The narrower connector serves this peer and has no list; the binding counts.
        ("192.0.2.25:25", "::ffff:10.0.0.7", true),
        ("[::ffff:192.0.2.25]:25", "10.0.0.7", true),
        ("192.0.2.25:25", "10.0.1.7", false),
        ("192.0.2.25:587", "10.0.0.7", false),
        ("127.0.0.1:25", "::1", false),
        ("127.0.0.1:40001", "::1", true),
        ("127.0.0.2:40001", "::1", false),
    ] {
        assert_eq!(checked.expects_proxy_header(socket(local), ip(peer)), expected, "{local}");
    }
}

#[test]
fn xclient_is_for_the_networks_of_the_connector() {
    let connector = internet("0.0.0.0:25").with_xclient_networks(ranges(&["10.0.0.0/24", "::1"]));
    assert!(connector.may_xclient(ip("10.0.0.255")));
    assert!(connector.may_xclient(ip("::ffff:10.0.0.1")));
    assert!(connector.may_xclient(ip("::1")));
    assert!(!connector.may_xclient(ip("10.0.1.0")));
}

#[test]
fn to_believe_everybody_is_an_error() {
    let errors = |connector: ReceiveConnector| {
        let checked = Configuration::with_receive_connector(empty(), connector).check();
        checked.map(drop).map_err(|errors| errors.to_string())
    };
    let named = || internet("0.0.0.0:25").with_name("front");
    let text = "receive connector \"front\" believes PROXY from everybody (0.0.0.0/0)";
    let found = errors(named().with_proxy_networks(ranges(&["10.0.0.1", "0.0.0.0/0"])));
    assert_eq!(found, Err(text.to_owned()));
    let text = "receive connector \"front\" believes XCLIENT from everybody (::/0)";
    let found = errors(
        named().with_xclient_networks(ranges(&["::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"])),
    );
    assert_eq!(found, Err(text.to_owned()));
    let most = || ranges(&["10.0.0.0/8", "fd00::/8"]);
    assert_eq!(errors(named().with_proxy_networks(most()).with_xclient_networks(most())), Ok(()));
}

#[test]
fn lmtp_serves_this_host_unless_ranges_are_set() {
    let connector = ReceiveConnector::lmtp(socket("0.0.0.0:24"));
    assert_eq!(connector.protocol, ReceiveProtocol::Lmtp);
    assert_eq!(connector.permissions, Permissions::anonymous_users());
    let checked = with(vec![connector]);
    let served = |peer| checked.select_receive(socket("192.0.2.25:24"), ip(peer)).is_some();
    assert!(served("127.0.0.1") && served("127.255.255.255") && served("::1"));
    assert!(!served("126.255.255.255") && !served("128.0.0.0") && !served("192.0.2.1"));
}

// [RFC 2033 §1-a] test
#[test]
fn lmtp_at_port_25_is_an_error() {
    let at = |binding: &str| {
        let connector = ReceiveConnector::lmtp(socket(binding)).with_name("near");
        let checked = empty().with_receive_connector(connector).check();
        checked.map(drop).map_err(|errors| errors.to_string())
    };
    let text = "receive connector \"near\" speaks LMTP at port 25, which is for SMTP";
    assert_eq!(at("127.0.0.1:25"), Err(text.to_owned()));
    assert_eq!(at("127.0.0.1:24"), Ok(()));
}

#[test]
fn refusals_have_the_words_of_the_profile() {
    use ReplyProfile::{Exchange, Plain};
    for (refusal, profile, expected) in [
        (Refusal::NotAuthenticated, Plain, "530 5.7.1 Client was not authenticated"),
        (
            Refusal::NotAuthenticated,
            Exchange,
            "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM",
        ),
        (
            Refusal::OwnSender,
            Plain,
            "550 5.7.1 Client does not have permissions to send as this sender",
        ),
        (
            Refusal::OwnSender,
            Exchange,
            "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        ),
        (Refusal::RelayDenied, Plain, "550 5.7.1 Unable to relay"),
        (
            Refusal::RelayDenied,
            Exchange,
            "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
        ),
    ] {
        let reply = refusal.reply(profile).to_string();
        assert_eq!(reply.trim_end(), expected);
    }
}
