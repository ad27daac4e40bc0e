//! Who may send to whom.

use proptest::prelude::*;
use transom_types::{ForwardPath, ReversePath};

use super::{contoso, empty, ip, socket, with};
use crate::{
    AcceptedDomain, AcceptedDomainKind, CheckedConfiguration, Permissions, ReceiveConnector,
    RecipientClass, Refusal, RemoteRange, ReplyProfile, Rights,
};

fn to(text: &str) -> ForwardPath {
    text.parse().unwrap()
}

fn internet() -> ReceiveConnector {
    ReceiveConnector::internet(socket("0.0.0.0:25"))
}

fn from(text: &str) -> ReversePath {
    text.parse().unwrap()
}

// A2
#[test]
fn a_foreign_recipient_needs_the_right_to_relay() {
    let binding = socket("0.0.0.0:25");
    let checked = with(vec![
        ReceiveConnector::internet(binding),
        ReceiveConnector::relay(binding, vec!["10.0.0.0/8".parse().unwrap()]),
    ]);
    let foreign = to("<bob@elsewhere.example>");
    let at = |peer| {
        let connector = checked.select_receive(socket("192.0.2.25:25"), ip(peer)).unwrap();
        checked.accepts_recipient(connector, connector.permissions.anonymous, &foreign)
    };
    let refusal = at("203.0.113.1").unwrap_err();
    let reply = refusal.reply(ReplyProfile::Plain);
    assert_eq!(reply.to_string(), "550 5.7.1 Unable to relay\r\n");
    let accepted = at("10.0.0.1");
    assert_eq!(accepted, Ok(RecipientClass::Foreign));
}

// A2
#[test]
fn recipients_in_accepted_domains_need_no_right() {
    let checked = contoso().check().unwrap();
    let anonymous = Permissions::anonymous_users().anonymous;
    for (path, expected) in [
        ("<ann@contoso.com>", Ok(RecipientClass::Authoritative)),
        ("<ann@CONTOSO.com>", Ok(RecipientClass::Authoritative)),
        ("<ann@a.b.contoso.com.example>", Ok(RecipientClass::InternalRelay)),
        ("<ann@fabrikam.com>", Ok(RecipientClass::ExternalRelay)),
        ("<Postmaster>", Ok(RecipientClass::Postmaster)),
        ("<postmaster@contoso.com>", Ok(RecipientClass::Authoritative)),
        ("<ann@sub.contoso.com>", Err(Refusal::RelayDenied)),
        ("<ann@notcontoso.com>", Err(Refusal::RelayDenied)),
        ("<ann@com>", Err(Refusal::RelayDenied)),
        ("<postmaster@elsewhere.example>", Err(Refusal::RelayDenied)),
    ] {
        assert_eq!(
            checked.accepts_recipient(&internet(), anonymous, &to(path)),
            expected,
            "{path}"
        );
    }
}

// [RFC 5321 §2.3.11-a] test
#[test]
fn only_the_domain_behind_the_last_at_counts() {
    let checked = contoso().check().unwrap();
    let class = |path: &str| checked.accepts_recipient(&internet(), Rights::SUBMIT, &to(path));
    // These stay ours: what is left of the @ is the business of the mailbox.
    assert_eq!(class("<bob%elsewhere.example@contoso.com>"), Ok(RecipientClass::Authoritative));
    assert_eq!(class("<\"bob@elsewhere.example\"@contoso.com>"), Ok(RecipientClass::Authoritative));
    assert_eq!(class("<elsewhere.example!bob@contoso.com>"), Ok(RecipientClass::Authoritative));
    // [RFC 5321 §4.1.2] a source route is skipped, so it can smuggle nothing.
    assert_eq!(class("<@contoso.com:bob@elsewhere.example>"), Err(Refusal::RelayDenied));
    assert_eq!(class("<\"ann@contoso.com\"@elsewhere.example>"), Err(Refusal::RelayDenied));
}

#[test]
fn an_address_literal_is_foreign_even_if_it_is_ours() {
    let checked = with(vec![ReceiveConnector::internet(socket("192.0.2.25:25"))]);
    let own = to("<ann@[192.0.2.25]>");
    let anonymous = Permissions::anonymous_users().anonymous;
    assert_eq!(checked.accepts_recipient(&internet(), anonymous, &own), Err(Refusal::RelayDenied));
    let relay = anonymous | Rights::ACCEPT_ANY_RECIPIENT;
    assert_eq!(checked.accepts_recipient(&internet(), relay, &own), Ok(RecipientClass::Foreign));
}

// [RFC 5321 §2.3.5-c, §4.5.1-b] test
#[test]
fn postmaster_is_taken_even_without_accepted_domains() {
    let checked = empty().check().unwrap();
    let class = checked.accepts_recipient(&internet(), Rights::SUBMIT, &to("<postmaster>"));
    assert_eq!(class, Ok(RecipientClass::Postmaster));
}

#[test]
fn without_the_right_to_submit_no_sender_is_taken() {
    let checked = contoso().check().unwrap();
    for path in ["<>", "<bob@elsewhere.example>", "<ann@contoso.com>"] {
        let refusal = checked.accepts_sender(Permissions::none().anonymous, &from(path), false);
        assert_eq!(refusal, Err(Refusal::NotAuthenticated), "{path}");
    }
    let reply = Refusal::NotAuthenticated.reply(ReplyProfile::Plain);
    assert_eq!(reply.to_string(), "530 5.7.1 Client was not authenticated\r\n");
}

// A3
#[test]
fn own_senders_need_their_right() {
    let checked = contoso().check().unwrap();
    let plain = Permissions::anonymous_users().anonymous;
    let hardened = plain - Rights::ACCEPT_AUTHORITATIVE_DOMAIN_SENDER;
    for (path, expected) in [
        ("<ann@contoso.com>", Err(Refusal::OwnSender)),
        ("<ann@ConToso.com>", Err(Refusal::OwnSender)),
        // Relay domains are not ours alone: their mail may come from elsewhere.
        ("<ann@fabrikam.com>", Ok(())),
        ("<bob@elsewhere.example>", Ok(())),
        ("<bob@[192.0.2.1]>", Ok(())),
        ("<>", Ok(())),
    ] {
        assert_eq!(checked.accepts_sender(hardened, &from(path), false), expected, "{path}");
        assert_eq!(checked.accepts_sender(plain, &from(path), false), Ok(()), "{path}");
    }
    let text = "550 5.7.1 Client does not have permissions to send as this sender\r\n";
    assert_eq!(Refusal::OwnSender.reply(ReplyProfile::Plain).to_string(), text);
}

fn range() -> impl Strategy<Value = RemoteRange> {
    prop_oneof![
        (any::<u32>(), 0u32..=32).prop_map(|(address, length)| {
            let network = if length == 0 { 0 } else { address & (u32::MAX << (32 - length)) };
            format!("{}/{length}", std::net::Ipv4Addr::from_bits(network)).parse().unwrap()
        }),
        (0u32..64, 0u32..64).prop_map(|(a, b)| {
            let address = |n| std::net::Ipv4Addr::from_bits(0x0a00_0000 + n);
            format!("{}-{}", address(a.min(b)), address(a.max(b))).parse().unwrap()
        }),
        Just(RemoteRange::ALL_V6),
        Just(RemoteRange::ALL_V4),
    ]
}

fn receive_connector() -> impl Strategy<Value = ReceiveConnector> {
    let binding = prop_oneof![Just("0.0.0.0:25"), Just("[::]:25"), Just("192.0.2.25:25")];
    let ranges = prop::collection::vec(range(), 1..4);
    (binding, ranges, 0u8..4, any::<u32>()).prop_map(|(binding, ranges, kind, number)| {
        let binding = socket(binding);
        let connector = match kind {
            0 => ReceiveConnector::relay(binding, ranges),
            1 => ReceiveConnector::internet(binding),
            2 => ReceiveConnector::internet(binding).with_permissions(Permissions::none()),
            _ => ReceiveConnector::internet(binding).with_remote_ranges(ranges),
        };
        connector.with_name(&number.to_string())
    })
}

fn accepted_domain() -> impl Strategy<Value = AcceptedDomain> {
    let domain = prop_oneof![
        Just("contoso.com"),
        Just("*.contoso.com"),
        Just("fabrikam.com"),
        Just("*.example"),
        Just("xn--mnchen-3ya.example"),
    ];
    let kind = prop_oneof![
        Just(AcceptedDomainKind::Authoritative),
        Just(AcceptedDomainKind::InternalRelay),
        Just(AcceptedDomainKind::ExternalRelay),
    ];
    (domain, kind).prop_map(|(domain, kind)| {
        let accepted = AcceptedDomain::authoritative(domain).unwrap();
        AcceptedDomain { kind, ..accepted }
    })
}

/// Whether the recipient is ours, told by comparing texts: an oracle that shares no code with what
/// it judges.
fn is_ours(domains: &[AcceptedDomain], recipient: &str) -> bool {
    let recipient = recipient.to_ascii_lowercase();
    domains.iter().any(|accepted| {
        let own = accepted.domain.as_str();
        let below = accepted.match_subdomains && recipient.ends_with(&format!(".{own}"));
        recipient == own || below
    })
}

/// Takes one after the other what does not make the configuration invalid.
fn largest_valid(
    connectors: Vec<ReceiveConnector>,
    domains: &[AcceptedDomain],
) -> CheckedConfiguration {
    let mut configuration = empty();
    for domain in domains {
        let wider = configuration.clone().with_accepted_domain(domain.clone());
        configuration = if wider.clone().check().is_ok() { wider } else { configuration };
    }
    for connector in connectors {
        let wider = configuration.clone().with_receive_connector(connector);
        configuration = if wider.clone().check().is_ok() { wider } else { configuration };
    }
    configuration.check().unwrap()
}

proptest! {
    // A33
    #[test]
    fn no_set_of_connectors_is_an_open_relay(
        connectors in prop::collection::vec(receive_connector(), 0..6),
        domains in prop::collection::vec(accepted_domain(), 0..4),
        peer in prop_oneof![any::<u32>(), 0x0a00_0000u32..0x0a00_0040],
        recipient in "((a\\.|not|)contoso\\.com|Fabrikam\\.com|b\\.example|com)",
    ) {
        let checked = largest_valid(connectors, &domains);
        let peer = std::net::Ipv4Addr::from_bits(peer).into();
        let Some(connector) = checked.select_receive(socket("192.0.2.25:25"), peer) else {
            return Ok(());
        };
        // The narrowest range of all that contain the peer decides, and no wider one.
        let containing = checked.receive_connectors().iter().filter_map(|c| c.range_of(peer));
        let narrowest = containing.map(RemoteRange::width).min();
        prop_assert_eq!(connector.range_of(peer).map(RemoteRange::width), narrowest);
        let rights = connector.permissions.anonymous;
        let bob = to(&format!("<bob@{recipient}>"));
        let answer = checked.accepts_recipient(connector, rights, &bob);
        let may_relay = rights.contains(Rights::ACCEPT_ANY_RECIPIENT);
        let ours = is_ours(checked.accepted_domains(), &recipient);
        prop_assert_eq!(answer.is_ok(), may_relay || ours);
        if !may_relay && !ours {
            prop_assert_eq!(answer.unwrap_err().reply(ReplyProfile::Plain).code().get(), 550);
        }
    }
}
