//! Counts by the minute.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use transom_types::Principal;

use super::{ip, socket};
use crate::{
    ConnectionRate, MessageRateSource, MessageRates, ReceiveConnector, ReceiveLimits, Refusal,
    ReplyProfile, ServiceLimits,
};

fn limited(max: u32, source: MessageRateSource) -> ReceiveConnector {
    let limits = ReceiveLimits::default().with_message_rate(Some(max), source);
    ReceiveConnector::internet(socket("0.0.0.0:25")).with_limits(limits)
}

fn user(name: &str) -> Principal {
    Principal::new(name).unwrap()
}

fn epoch() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "an instant to begin with")]
    Instant::now()
}

// A6
#[test]
fn each_source_of_the_message_rate_counts_whom_it_names() {
    use MessageRateSource::{All, IpAddress, None, User};
    // Ann from two places, Bob from one of them, and a stranger from there.
    let mails = [
        ("192.0.2.1", Some("ann")),
        ("192.0.2.1", Some("ann")),
        ("192.0.2.2", Some("ann")),
        ("192.0.2.2", Some("bob")),
        ("192.0.2.2", Option::None),
        ("192.0.2.2", Some("bob")),
    ];
    let (yes, no) = (Ok(()), Err(Refusal::MessageRate));
    for (source, expected) in [
        (None, [yes, yes, yes, yes, yes, yes]),
        (IpAddress, [yes, yes, yes, yes, no, no]),
        (User, [yes, yes, no, yes, yes, yes]),
        // Ann is over her limit, so that her third does not count for the second place.
        (All, [yes, yes, no, yes, yes, no]),
    ] {
        let (connector, now) = (limited(2, source), epoch());
        let mut rates = MessageRates::default();
        let got = mails.map(|(peer, name)| {
            rates.accepts_message(now, &connector, ip(peer), name.map(user).as_ref())
        });
        assert_eq!(got, expected, "{source:?}");
    }
    let reply = Refusal::MessageRate.reply(ReplyProfile::Plain);
    let text =
        "421 4.4.2 Message submission rate for this client has exceeded the configured limit";
    assert_eq!(reply.to_string(), format!("{text}\r\n"));
    assert!(Refusal::MessageRate.closes());
}

// A6
#[test]
fn a_rate_comes_back_with_time_and_not_by_trying() {
    let (connector, start) = (limited(60, MessageRateSource::IpAddress), epoch());
    let mut rates = MessageRates::default();
    let mut mail = |seconds| {
        let now = start + Duration::from_secs(seconds);
        rates.accepts_message(now, &connector, ip("192.0.2.1"), None).is_ok()
    };
    assert_eq!((0..100).filter(|_| mail(0)).count(), 60);
    assert_eq!((0..100).filter(|_| mail(1)).count(), 1);
    assert_eq!((0..100).filter(|_| mail(11)).count(), 10);
    assert_eq!((0..100).filter(|_| mail(1_000)).count(), 60);
}

#[test]
fn connectors_count_apart_and_a_mapped_address_is_the_same_source() {
    let (one, now) = (limited(1, MessageRateSource::IpAddress), epoch());
    let other = one.clone().with_name("other");
    let mut rates = MessageRates::default();
    assert!(rates.accepts_message(now, &one, ip("192.0.2.1"), None).is_ok());
    assert!(rates.accepts_message(now, &one, ip("::ffff:192.0.2.1"), None).is_err());
    assert!(rates.accepts_message(now, &other, ip("192.0.2.1"), None).is_ok());
}

#[test]
fn where_memory_ends_who_owes_least_is_forgotten_first() {
    let (connector, now) = (limited(2, MessageRateSource::IpAddress), epoch());
    let mut rates = MessageRates::new(2);
    let mut mail = |peer| rates.accepts_message(now, &connector, ip(peer), None).is_ok();
    assert!(mail("192.0.2.1") && mail("192.0.2.1"), "owes most");
    assert!(mail("192.0.2.2"));
    assert!(mail("192.0.2.3") && mail("192.0.2.3"));
    assert!(!mail("192.0.2.1"), "is remembered");
    assert!(!mail("192.0.2.3"), "is remembered");
}

#[test]
fn the_service_counts_new_connections_of_strangers() {
    let (limits, now) = (ServiceLimits::default(), epoch());
    let mut rate = ConnectionRate::default();
    let mut connect =
        |peer, limits: &ServiceLimits, now| rate.accepts_connection(now, limits, ip(peer)).is_ok();
    assert!((0..5_000).all(|_| connect("127.0.0.1", &limits, now)));
    assert_eq!((0..5_000).filter(|_| connect("192.0.2.1", &limits, now)).count(), 1_200);
    assert!(!connect("192.0.2.2", &limits, now), "all sources together");
    assert!(connect("192.0.2.2", &limits, now + Duration::from_millis(50)));
    let later = now + Duration::from_mins(2);
    let set = limits.with_connection_rate_max(3);
    assert_eq!((0..9).filter(|_| connect("::1", &set, later)).count(), 3);
}

proptest! {
    // A6
    #[test]
    fn no_minute_holds_more_than_twice_the_rate_and_no_source_is_starved(
        max in 1u32..9,
        steps in prop::collection::vec((0u64..20_000, 0u32..3), 1..200),
    ) {
        let (connector, start) = (limited(max, MessageRateSource::IpAddress), epoch());
        let mut rates = MessageRates::default();
        let (mut at, mut passed) = (0, Vec::new());
        for (wait, peer) in steps {
            at += wait;
            let peer = IpAddr::from(Ipv4Addr::from_bits(peer));
            let now = start + Duration::from_millis(at);
            let of_peer = |passed: &[(u64, IpAddr)], within: u64| {
                let recent = passed.iter().filter(|(then, who)| *who == peer && at - then < within);
                recent.count()
            };
            let silent = of_peer(&passed, 60_000) == 0;
            if rates.accepts_message(now, &connector, peer, None).is_ok() {
                passed.push((at, peer));
            } else {
                prop_assert!(!silent, "who was silent for a minute may send");
            }
            // The first burst and what is paid off meanwhile.
            prop_assert!(of_peer(&passed, 60_000) <= 2 * max as usize);
        }
    }

    #[test]
    fn memory_is_bounded_and_what_is_paid_off_is_forgotten(
        sources_max in 2usize..20,
        peers in prop::collection::vec((any::<u8>(), 0u64..30), 1..300),
    ) {
        let (connector, start) = (limited(4, MessageRateSource::IpAddress), epoch());
        let mut rates = MessageRates::new(sources_max);
        let mut now = start;
        for (peer, wait) in peers {
            now += Duration::from_secs(wait);
            let peer = IpAddr::from(Ipv4Addr::from_bits(peer.into()));
            let _ = rates.accepts_message(now, &connector, peer, None);
            prop_assert!(rates.sources() <= sources_max);
        }
        let hour = now + Duration::from_hours(1);
        prop_assert!(rates.accepts_message(hour, &connector, ip("192.0.2.1"), None).is_ok());
        prop_assert_eq!(rates.sources(), 1);
    }
}
