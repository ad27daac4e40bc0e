//! Limits: their defaults, how they are set, what is said, and the word in logs.

use std::time::Duration;

use super::{ip, socket};
use crate::{
    MessageRateSource, ReceiveConnector, ReceiveLimits, Refusal, ReplyProfile, Rights,
    ServiceLimits,
};

/// A parameter of Exchange: its name, its value as text, a setter, and what becomes of who exceeds
/// it.
type Row = (
    &'static str,
    &'static str,
    fn(&ReceiveLimits) -> String,
    fn(ReceiveLimits) -> ReceiveLimits,
    Option<Refusal>,
);

fn text<T: std::fmt::Debug>(value: T) -> String {
    format!("{value:?}")
}

const SECOND: Duration = Duration::from_secs(1);

/// Values for a peer that is a stranger.
const ROWS: [Row; 17] = [
    (
        "MaxMessageSize",
        "37748736",
        |l| text(l.message_octets_max),
        |l| l.with_message_octets_max(9),
        Some(Refusal::MessageSize),
    ),
    (
        "MaxRecipientsPerMessage",
        "200",
        |l| text(l.recipients_max),
        |l| l.with_recipients_max(9),
        Some(Refusal::Recipients),
    ),
    (
        "MaxHeaderSize",
        "262144",
        |l| text(l.header_octets_max),
        |l| l.with_header_octets_max(9),
        Some(Refusal::HeaderSize),
    ),
    ("MaxHopCount", "60", |l| text(l.hops_max), |l| l.with_hops_max(9), Some(Refusal::Hops)),
    (
        "MaxLocalHopCount",
        "5",
        |l| text(l.own_hops_max),
        |l| l.with_own_hops_max(9),
        Some(Refusal::OwnHops),
    ),
    (
        "MaxProtocolErrors",
        "5",
        |l| text(l.protocol_errors_max),
        |l| l.with_protocol_errors_max(9),
        Some(Refusal::ProtocolErrors),
    ),
    (
        "MaxProtocolErrors of users",
        "20",
        |l| text(l.authenticated_protocol_errors_max),
        |l| l.with_authenticated_protocol_errors_max(9),
        Some(Refusal::ProtocolErrors),
    ),
    (
        "MaxLogonFailures",
        "3",
        |l| text(l.logon_failures_max),
        |l| l.with_logon_failures_max(9),
        Some(Refusal::LogonFailures),
    ),
    (
        "ConnectionTimeout",
        "600s",
        |l| text(l.session_timeout),
        |l| l.with_session_timeout(SECOND),
        Some(Refusal::SessionTimeout),
    ),
    (
        "ConnectionInactivityTimeout",
        "300s",
        |l| text(l.idle_timeout),
        |l| l.with_idle_timeout(SECOND),
        Some(Refusal::IdleTimeout),
    ),
    (
        "TarpitInterval",
        "5s",
        |l| text(l.tarpit_interval_for(ip("192.0.2.1"))),
        |l| l.with_tarpit_interval(SECOND),
        None,
    ),
    (
        "AuthTarpitInterval",
        "5s",
        |l| text(l.auth_tarpit_interval_for(ip("192.0.2.1"))),
        |l| l.with_auth_tarpit_interval(SECOND),
        None,
    ),
    (
        "MaxInboundConnection",
        "Some(5000)",
        |l| text(l.connections_max_for(ip("192.0.2.1"))),
        |l| l.with_connections_max(9),
        Some(Refusal::Connections),
    ),
    (
        "MaxInboundConnectionPerSource",
        "Some(20)",
        |l| text(l.connections_per_source_max_for(ip("192.0.2.1"))),
        |l| l.with_connections_per_source_max(9),
        Some(Refusal::SourceConnections),
    ),
    (
        "MaxInboundConnectionPercentagePerSource",
        "Some(100)",
        |l| text(l.connections_share_for(ip("192.0.2.1"), 0)),
        |l| l.with_connections_percent_per_source_max(9),
        Some(Refusal::SourceShare),
    ),
    (
        "MessageRateLimit",
        "None",
        |l| text(l.message_rate_max),
        |l| l.with_message_rate(Some(9), MessageRateSource::IpAddress),
        Some(Refusal::MessageRate),
    ),
    (
        "MessageRateSource",
        "IpAddress",
        |l| text(l.message_rate_source),
        |l| l.with_message_rate(None, MessageRateSource::All),
        Some(Refusal::MessageRate),
    ),
];

// A5
#[test]
fn every_limit_has_a_default_a_setter_a_reply_and_a_word_in_logs() {
    for (name, default, value, set, refusal) in ROWS {
        let limits = ReceiveLimits::default();
        assert_eq!(value(&limits), default, "{name}");
        assert_ne!(value(&set(limits)), default, "{name}");
        if let Some(refusal) = refusal {
            assert!(!refusal.reason().is_empty(), "{name}");
            assert!(refusal.reply(ReplyProfile::Plain).code().get() >= 400, "{name}");
        }
    }
    let service = ServiceLimits::default();
    assert_eq!(service.connection_rate_max_for(ip("192.0.2.1")), Some(1_200));
    assert_eq!(service.connection_rate_max_for(ip("::1")), None);
    let set = service.with_connection_rate_max(9);
    assert_eq!(set.connection_rate_max_for(ip("::1")), Some(9));
}

/// Reason, reply in our words, reply in those of Exchange where they differ.
const REPLIES: [(&str, &str, &str); 24] = [
    (
        "connection-rate",
        "421 4.3.2 The maximum number of new connections per minute has exceeded a limit, \
         closing transmission channel",
        "",
    ),
    (
        "connections",
        "421 4.3.2 The maximum number of concurrent connections has exceeded a limit, \
         closing transmission channel",
        "",
    ),
    ("header-size", "552 5.3.4 Header size exceeds fixed maximum size", ""),
    ("hello-domain", "501 5.5.4 Invalid domain name", ""),
    ("hops", "554 5.4.6 Hop count exceeded - possible mail loop", ""),
    (
        "idle-timeout",
        "421 4.4.2 Timeout waiting for client input, closing transmission channel",
        "451 4.7.0 Timeout waiting for client input",
    ),
    ("logon-failures", "421 4.7.0 Too many logon failures, closing transmission channel", ""),
    (
        "message-rate",
        "421 4.4.2 Message submission rate for this client has exceeded the configured limit",
        "",
    ),
    ("message-size", "552 5.3.4 Message size exceeds fixed maximum message size", ""),
    (
        "not-authenticated",
        "530 5.7.1 Client was not authenticated",
        "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL \
         FROM",
    ),
    ("not-served", "421 4.3.2 Service not available", ""),
    ("own-hops", "554 5.4.6 Hop count exceeded - possible mail loop", ""),
    (
        "own-sender",
        "550 5.7.1 Client does not have permissions to send as this sender",
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    ),
    (
        "protocol-errors",
        "421 4.7.0 Too many errors on this connection, closing transmission channel",
        "",
    ),
    ("recipients", "452 4.5.3 Too many recipients", ""),
    (
        "relay-denied",
        "550 5.7.1 Unable to relay",
        "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
    ),
    ("reserved-second-level", "550 5.1.5 Recipient domain is a reserved second-level domain", ""),
    ("reserved-top-level", "550 5.1.4 Recipient domain is a reserved top-level domain", ""),
    (
        "send-as",
        "550 5.7.1 Client does not have permissions to send as this sender",
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    ),
    (
        "session-timeout",
        "421 4.4.2 Session lasted too long, closing transmission channel",
        "421 4.4.1 Connection timed out",
    ),
    ("single-label", "550 5.1.6 Recipient domain has a single label", ""),
    (
        "source-connections",
        "421 4.3.2 The maximum number of concurrent connections has exceeded a limit for \
         this source, closing transmission channel",
        "",
    ),
    (
        "source-share",
        "421 4.3.2 The maximum number of concurrent connections has exceeded a limit for \
         this source, closing transmission channel",
        "",
    ),
    (
        "tls-required",
        "530 5.7.0 Must issue a STARTTLS command first",
        "451 5.7.3 STARTTLS is required to send mail",
    ),
];

// A5
#[test]
fn every_refusal_has_its_reply_in_both_profiles_and_its_word() {
    for (refusal, (reason, plain, exchange)) in Refusal::ALL.into_iter().zip(REPLIES) {
        let exchange = if exchange.is_empty() { plain } else { exchange };
        let reply = |profile| refusal.reply(profile).to_string();
        assert_eq!(refusal.reason(), reason);
        assert_eq!(reply(ReplyProfile::Plain), format!("{plain}\r\n"));
        assert_eq!(reply(ReplyProfile::Exchange), format!("{exchange}\r\n"));
        assert_eq!(refusal.closes(), plain.starts_with("421"), "{reason}");
    }
}

// A5
#[test]
fn a_limit_holds_from_the_first_that_is_too_many() {
    let limits = ReceiveLimits::default();
    let none = Rights::NONE;
    assert_eq!(limits.accepts_size(none, 37_748_736), Ok(()));
    assert_eq!(limits.accepts_size(none, 37_748_737), Err(Refusal::MessageSize));
    assert_eq!(limits.accepts_size(Rights::BYPASS_MESSAGE_SIZE_LIMIT, u64::MAX), Ok(()));
    assert_eq!(limits.accepts_header(262_144), Ok(()));
    assert_eq!(limits.accepts_header(262_145), Err(Refusal::HeaderSize));
    assert_eq!(limits.accepts_hops(60, 5), Ok(()));
    assert_eq!(limits.accepts_hops(61, 0), Err(Refusal::Hops));
    assert_eq!(limits.accepts_hops(6, 6), Err(Refusal::OwnHops));
    assert_eq!(limits.with_own_hops_max(0).accepts_hops(60, 60), Ok(()));
}

// A5
#[test]
fn the_fuller_a_connector_is_the_less_one_source_gets() {
    let limits = ReceiveLimits::default();
    let stranger = ip("192.0.2.1");
    for (open, of_source, expected) in [
        (0, 0, Ok(())),
        (19, 19, Ok(())),
        (20, 20, Err(Refusal::SourceConnections)),
        // Two per cent of what is left: 1,000, 500, 49, none.
        (4_000, 19, Ok(())),
        (4_500, 9, Ok(())),
        (4_500, 10, Err(Refusal::SourceShare)),
        (4_951, 0, Ok(())),
        (4_951, 1, Err(Refusal::SourceShare)),
        (4_999, 0, Ok(())),
        (5_000, 0, Err(Refusal::Connections)),
    ] {
        let got = limits.accepts_connection(stranger, open, of_source);
        assert_eq!(got, expected, "{open} {of_source}");
    }
    assert_eq!(limits.accepts_connection(ip("127.0.0.1"), 50_000, 50_000), Ok(()));
    let set = limits.with_connections_percent_per_source_max(50).with_connections_max(10);
    assert_eq!(set.accepts_connection(ip("127.0.0.1"), 4, 2), Ok(()));
    assert_eq!(set.accepts_connection(ip("127.0.0.1"), 4, 3), Err(Refusal::SourceShare));
}

#[test]
fn tarpits_of_logons_spare_loopback_unless_set() {
    let limits = ReceiveLimits::default();
    assert_eq!(limits.auth_tarpit_interval_for(ip("::ffff:127.0.0.1")), Duration::ZERO);
    let set = limits.with_auth_tarpit_interval(SECOND);
    assert_eq!(set.auth_tarpit_interval_for(ip("127.0.0.1")), SECOND);
}

// A5
#[test]
fn switches_are_as_at_an_exchange_server_and_can_be_turned() {
    let plain = ReceiveConnector::internet(socket("0.0.0.0:25"));
    assert!(plain.enabled && !plain.require_ehlo_domain && !plain.danger_normalize_bare_newlines);
    assert!(!plain.reject_reserved_top_level && !plain.reject_reserved_second_level);
    assert!(!plain.reject_single_label && plain.default_domain.is_none());
    let extensions = plain.extensions.clone();
    let off = extensions
        .clone()
        .with_size(false, false)
        .with_pipelining(false)
        .with_eight_bit_mime(false)
        .with_enhanced_status_codes(false)
        .with_chunking(false)
        .with_smtputf8(false)
        .with_limits(false);
    let switches = |text: &crate::ReceiveExtensions| {
        let text = format!("{text:?}");
        (text.matches("true").count(), text.matches("false").count())
    };
    assert_eq!(switches(&extensions), (8, 0));
    assert_eq!(switches(&off), (0, 8));
}
