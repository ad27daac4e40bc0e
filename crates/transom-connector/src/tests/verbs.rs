//! Who a session is, and what it may do verb by verb.

use proptest::prelude::*;
use transom_types::{ForwardPath, Principal, ReversePath};

use super::{contoso, domain, socket, with};
use crate::{
    CheckedConfiguration, PermissionGroup, Permissions, PrincipalKind, ReceiveAuth,
    ReceiveConnector, ReceiveTls, RecipientClass, Refusal, Rights, UsageType,
};

const NONE: [&str; 0] = [];

fn from(text: &str) -> ReversePath {
    text.parse().unwrap()
}

fn to(text: &str) -> ForwardPath {
    text.parse().unwrap()
}

fn user(name: &str) -> Principal {
    Principal::new(name).unwrap()
}

fn custom() -> ReceiveConnector {
    ReceiveConnector::new(UsageType::Custom, socket("0.0.0.0:25"))
}

#[test]
fn groups_give_the_rights_that_exchange_gives() {
    let principals = [
        PrincipalKind::Anonymous,
        PrincipalKind::User,
        PrincipalKind::Server,
        PrincipalKind::ExternallySecured,
        PrincipalKind::Partner,
    ];
    let groups = PermissionGroup::ALL.into_iter();
    let all = groups.fold(Permissions::none(), Permissions::with_group);
    for (right, has) in [
        ("SMTP-Submit", [true, true, true, true, true]),
        ("SMTP-Accept-Any-Sender", [true, false, true, true, false]),
        ("SMTP-Accept-Any-Recipient", [false, true, true, true, false]),
        ("SMTP-Accept-Authoritative-Domain-Sender", [true, false, true, true, false]),
        ("SMTP-Accept-Authentication-Flag", [false, false, true, true, false]),
        ("Bypass-Anti-Spam", [false, true, true, true, false]),
        ("Bypass-Message-Size-Limit", [false, false, true, true, false]),
        ("Accept-Headers-Routing", [true, true, true, true, true]),
        ("Accept-Headers-Organization", [false, false, true, false, false]),
        ("Accept-Headers-Forest", [false, false, true, false, false]),
    ] {
        let named: Rights = format!("ms-Exch-{right}").parse().unwrap();
        assert_eq!(right.to_lowercase().parse(), Ok(named));
        let got = principals.map(|kind| all.rights(kind).contains(named));
        assert_eq!(got, has, "{right}");
    }
    assert!(PermissionGroup::ALL.into_iter().all(|group| all.has_group(group)));
    assert!(!Permissions::anonymous_users().has_group(PermissionGroup::ExchangeUsers));
    let error = "ms-Exch-SMTP-Accept-Exch50".parse::<Rights>().unwrap_err();
    assert_eq!(error.to_string(), "\"ms-Exch-SMTP-Accept-Exch50\" is no right");
}

#[test]
fn usage_types_are_presets() {
    let at = socket("0.0.0.0:25");
    for (usage, groups, tls, auth) in [
        (
            UsageType::Client,
            vec![PermissionGroup::ExchangeUsers],
            ReceiveTls::Offered,
            ReceiveAuth::RequireTls,
        ),
        (UsageType::Custom, vec![], ReceiveTls::Offered, ReceiveAuth::Off),
        (
            UsageType::Internal,
            vec![PermissionGroup::ExchangeServers],
            ReceiveTls::Offered,
            ReceiveAuth::Off,
        ),
        (
            UsageType::Internet,
            vec![PermissionGroup::AnonymousUsers],
            ReceiveTls::Off,
            ReceiveAuth::RequireTls,
        ),
        (
            UsageType::Partner,
            vec![PermissionGroup::Partners],
            ReceiveTls::Offered,
            ReceiveAuth::Off,
        ),
    ] {
        let connector = ReceiveConnector::new(usage, at);
        let expected = groups.into_iter().fold(Permissions::none(), Permissions::with_group);
        assert_eq!(connector.permissions, expected, "{usage:?}");
        assert_eq!((connector.tls, connector.auth), (tls, auth), "{usage:?}");
        assert!(contoso().with_receive_connector(connector).check().is_ok(), "{usage:?}");
    }
}

#[test]
fn a_session_is_what_it_has_shown_last() {
    let hosts = |names: &[&str]| names.iter().map(|name| domain(name)).collect();
    let connector = custom()
        .with_server_domains(hosts(&["mx2.contoso.com"]))
        .with_partner_domains(hosts(&["fabrikam.com", "mail.partner.example"]));
    for (names, expected) in [
        (vec![], PrincipalKind::Anonymous),
        (vec!["mx2.contoso.com"], PrincipalKind::Server),
        (vec!["www.contoso.com", "MX2.Contoso.com"], PrincipalKind::Server),
        (vec!["*.contoso.com"], PrincipalKind::Server),
        (vec!["fabrikam.com"], PrincipalKind::Partner),
        (vec!["*.partner.example"], PrincipalKind::Partner),
        (vec!["fabrikam.com", "mx2.contoso.com"], PrincipalKind::Server),
        // A wildcard is one label, the first, and never a whole top-level domain.
        (vec!["*.com"], PrincipalKind::Anonymous),
        (vec!["mail.fabrikam.com"], PrincipalKind::Anonymous),
        (vec!["*.fabrikam.com"], PrincipalKind::Anonymous),
        (vec!["*.mail.partner.example"], PrincipalKind::Anonymous),
        (vec!["m*.partner.example"], PrincipalKind::Anonymous),
        (vec!["mx2.contoso.com.evil.example"], PrincipalKind::Anonymous),
        (vec![""], PrincipalKind::Anonymous),
    ] {
        assert_eq!(connector.principal_kind(false, &names), expected, "{names:?}");
        assert_eq!(connector.principal_kind(true, &names), PrincipalKind::User, "{names:?}");
    }
    let trusted = connector.with_auth(ReceiveAuth::ExternalAuthoritative);
    assert_eq!(trusted.principal_kind(false, &NONE), PrincipalKind::ExternallySecured);
}

#[test]
fn whose_messages_are_of_authenticated_senders() {
    let all = PermissionGroup::ALL.into_iter().fold(Permissions::none(), Permissions::with_group);
    let authenticated = PrincipalKind::ALL.into_iter();
    let authenticated =
        authenticated.filter(|kind| kind.is_authenticated_sender(all.rights(*kind)));
    let expected = [PrincipalKind::User, PrincipalKind::Server, PrincipalKind::ExternallySecured];
    assert_eq!(authenticated.collect::<Vec<_>>(), expected);
}

#[test]
fn auth_is_offered_when_the_connector_says_so() {
    let users = Permissions::none().with_group(PermissionGroup::ExchangeUsers);
    for (auth, in_the_clear, in_tls) in [
        (ReceiveAuth::Off, false, false),
        (ReceiveAuth::RequireTls, false, true),
        (ReceiveAuth::DangerClear, true, true),
        (ReceiveAuth::ExternalAuthoritative, false, false),
    ] {
        let connector = custom().with_permissions(users).with_auth(auth);
        assert_eq!(connector.offers_auth(false), in_the_clear, "{auth:?}");
        assert_eq!(connector.offers_auth(true), in_tls, "{auth:?}");
        let nobody = connector.with_permissions(Permissions::anonymous_users());
        assert!(!nobody.offers_auth(true), "{auth:?}");
    }
}

// A3
#[test]
fn who_authenticates_sends_as_itself_and_as_nobody_else() {
    let client = ReceiveConnector::client(socket("0.0.0.0:587"));
    let checked = with(vec![client.clone()]);
    let rights = client.permissions.rights(client.principal_kind(true, &NONE));
    let send = |name: &str, path: &str| {
        let may_send_as = checked.sends_as(&client, Some(&user(name)), &NONE, &from(path));
        checked.accepts_sender(rights, &from(path), may_send_as)
    };
    for (name, path, expected) in [
        ("ann@contoso.com", "<ann@contoso.com>", Ok(())),
        ("ann@contoso.com", "<Ann@CONTOSO.com>", Ok(())),
        ("ann", "<ann@contoso.com>", Ok(())),
        ("ann", "<\"ann\"@contoso.com>", Ok(())),
        // Reports of mail programs.
        ("ann", "<>", Ok(())),
        ("ann", "<bob@contoso.com>", Err(Refusal::OwnSender)),
        ("ann", "<ann@fabrikam.com>", Err(Refusal::SendAs)),
        ("ann@contoso.com", "<ann@elsewhere.example>", Err(Refusal::SendAs)),
        ("ann@contoso.com", "<ann@[192.0.2.1]>", Err(Refusal::SendAs)),
        ("no address", "<ann@contoso.com>", Err(Refusal::OwnSender)),
    ] {
        assert_eq!(send(name, path), expected, "{name} {path}");
    }
    // Nobody is not everybody: without the right an anonymous session has no sender at all.
    let anonymous = Rights::ANONYMOUS_USERS - Rights::ACCEPT_ANY_SENDER;
    assert!(!checked.sends_as(&client, None, &NONE, &from("<ann@contoso.com>")));
    let refusal = checked.accepts_sender(anonymous, &from("<x@elsewhere.example>"), false);
    assert_eq!(refusal, Err(Refusal::SendAs));
}

// A3
#[test]
fn a_partner_sends_from_the_domain_of_its_certificate() {
    let partner = ReceiveConnector::new(UsageType::Partner, socket("0.0.0.0:25"))
        .with_partner_domains(vec![domain("fabrikam.com"), domain("litware.example")]);
    let checked = with(vec![partner.clone()]);
    let names = ["fabrikam.com"];
    let rights = partner.permissions.rights(partner.principal_kind(false, &names));
    for (path, expected) in [
        ("<bob@fabrikam.com>", Ok(())),
        ("<bob@news.fabrikam.com>", Ok(())),
        ("<bob@litware.example>", Err(Refusal::SendAs)),
        ("<bob@contoso.com>", Err(Refusal::OwnSender)),
    ] {
        let may_send_as = checked.sends_as(&partner, None, &names, &from(path));
        assert_eq!(checked.accepts_sender(rights, &from(path), may_send_as), expected, "{path}");
    }
    let relay = checked.accepts_recipient(&partner, rights, &to("<x@elsewhere.example>"));
    assert_eq!(relay, Err(Refusal::RelayDenied));
    // Without a certificate it is nobody, and nobody may submit there.
    let stranger = partner.permissions.rights(partner.principal_kind(false, &NONE));
    let refusal = checked.accepts_sender(stranger, &from("<bob@fabrikam.com>"), false);
    assert_eq!(refusal, Err(Refusal::NotAuthenticated));
}

// A2
#[test]
fn a_right_follows_the_principal_and_goes_with_it() {
    let users = Permissions::anonymous_users().with_group(PermissionGroup::ExchangeUsers);
    let connector = ReceiveConnector::internet(socket("0.0.0.0:25"))
        .with_permissions(users)
        .with_tls(ReceiveTls::Offered);
    let checked = with(vec![connector.clone()]);
    let relay = |is_authenticated| {
        let rights = users.rights(connector.principal_kind(is_authenticated, &NONE));
        checked.accepts_recipient(&connector, rights, &to("<bob@elsewhere.example>"))
    };
    assert_eq!(relay(false), Err(Refusal::RelayDenied));
    assert_eq!(relay(true), Ok(RecipientClass::Foreign));
}

#[test]
fn reserved_and_single_label_domains_are_refused_on_demand() {
    let plain = custom();
    let checked: CheckedConfiguration = with(vec![plain.clone()]);
    let all = plain
        .clone()
        .with_reject_reserved_top_level(true)
        .with_reject_reserved_second_level(true)
        .with_reject_single_label(true);
    let relay = Rights::EXCHANGE_SERVERS;
    for (path, expected) in [
        ("<a@b.test>", Err(Refusal::ReservedTopLevel)),
        ("<a@EXAMPLE>", Err(Refusal::ReservedTopLevel)),
        ("<a@x.y.invalid>", Err(Refusal::ReservedTopLevel)),
        ("<a@localhost>", Err(Refusal::ReservedTopLevel)),
        ("<a@example.com>", Err(Refusal::ReservedSecondLevel)),
        ("<a@mail.Example.ORG>", Err(Refusal::ReservedSecondLevel)),
        ("<a@contoso>", Err(Refusal::SingleLabel)),
        ("<a@myexample.com>", Ok(RecipientClass::Foreign)),
        ("<a@contest>", Err(Refusal::SingleLabel)),
        ("<a@example.com.contoso.de>", Ok(RecipientClass::Foreign)),
        ("<a@[192.0.2.1]>", Ok(RecipientClass::Foreign)),
        ("<a@contoso.com>", Ok(RecipientClass::Authoritative)),
        ("<Postmaster>", Ok(RecipientClass::Postmaster)),
    ] {
        assert_eq!(checked.accepts_recipient(&all, relay, &to(path)), expected, "{path}");
        assert!(checked.accepts_recipient(&plain, relay, &to(path)).is_ok(), "{path}");
    }
}

#[test]
fn hello_names_a_domain_on_demand() {
    let strict = custom().with_require_ehlo_domain(true);
    for (name, fits) in [
        ("client.example", true),
        ("client", true),
        ("m\u{fc}nchen.example", true),
        ("[192.0.2.1]", false),
        ("192.0.2.1", false),
        ("under_score!", false),
        ("", false),
    ] {
        assert_eq!(strict.accepts_hello(name).is_ok(), fits, "{name}");
        assert_eq!(custom().accepts_hello(name), Ok(()), "{name}");
    }
    assert_eq!(strict.accepts_hello("[::1]"), Err(Refusal::HelloDomain));
}

#[test]
fn a_connector_may_have_its_own_default_domain() {
    let own = custom().with_name("own").with_default_domain(domain("fabrikam.com"));
    let checked = with(vec![own.clone()]);
    assert_eq!(*checked.default_domain_of(&own), "fabrikam.com");
    assert_eq!(*checked.default_domain_of(&custom()), "contoso.com");
    assert!(checked.sends_as(&own, Some(&user("ann")), &NONE, &from("<ann@fabrikam.com>")));
    assert!(!checked.sends_as(&own, Some(&user("ann")), &NONE, &from("<ann@contoso.com>")));
}

fn rights() -> impl Strategy<Value = Rights> {
    prop::collection::vec(0usize..10, 0..10).prop_map(|places| {
        let all: Vec<Rights> = Rights::EXCHANGE_SERVERS.iter().map(|(right, _)| right).collect();
        places.into_iter().map(|at| all[at]).collect()
    })
}

proptest! {
    // A3
    #[test]
    fn more_rights_never_refuse_what_fewer_allow(
        fewer in rights(),
        more in rights(),
        path in "<([a-c]@(contoso|fabrikam|elsewhere)\\.com)?>",
        may_send_as in any::<bool>(),
    ) {
        let checked = contoso().check().unwrap();
        let connector = custom();
        let sender = |rights| checked.accepts_sender(rights, &from(&path), may_send_as);
        prop_assert!(sender(fewer).is_err() || sender(fewer | more).is_ok());
        if path != "<>" {
            let relay = |rights| checked.accepts_recipient(&connector, rights, &to(&path));
            prop_assert!(relay(fewer).is_err() || relay(fewer | more).is_ok());
        }
    }

    #[test]
    fn rights_are_what_their_names_say(rights in rights()) {
        let text = rights.to_string();
        let named: Rights = text.split(", ").filter_map(|name| name.parse().ok()).collect();
        prop_assert_eq!(named, rights);
    }
}
