//! Send connectors: what they are without settings, and what does not fit together.

use std::time::Duration;

use proptest::prelude::*;
use transom_types::{
    AttemptStage, EnhancedStatusCode, Outcome, RemoteHost, Reply, ReplyCode, Status,
};

use super::{domain, empty, ip};
use crate::{
    AddressSpace, Configuration, Credential, DropDirectory, ErrorCode, ErrorPolicies, OtherServer,
    PickupDirectory, Proximity, ReplayDirectory, SendConnector, SendTls, SmartHostAuth,
    SmartHostOrder, TlsAuthLevel,
};

fn errors(configuration: Configuration) -> Vec<String> {
    match configuration.check() {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

fn by_smart_host() -> SendConnector {
    let hosts = vec!["mail.fabrikam.com".parse().unwrap()];
    SendConnector::smart_hosts("Out", vec![AddressSpace::any()], hosts)
}

fn credential() -> Credential {
    Credential { user: "relay".into(), secret: "fabrikam".into() }
}

#[test]
fn send_connectors_have_the_values_of_exchange() {
    let connector = SendConnector::internet();
    assert!(connector.enabled && !connector.is_scoped);
    assert!(connector.source_servers.is_empty());
    assert_eq!(connector.message_octets_max, Some(36_700_160));
    assert_eq!((connector.port, connector.messages_per_connection), (25, 20));
    assert_eq!(connector.tls, SendTls::Opportunistic);
    assert_eq!(connector.tls_auth_level, TlsAuthLevel::EncryptionOnly);
    assert_eq!(connector.smart_host_order, SmartHostOrder::Listed);
    assert_eq!(connector.smart_host_auth, SmartHostAuth::None);
    assert_eq!(connector.error_policies, ErrorPolicies::default());
    assert_eq!(connector.idle_timeout, Duration::from_secs(30));
    for unlimited in [
        SendConnector::agent("mailbox", Vec::new()),
        SendConnector::foreign("Fax", Vec::new(), DropDirectory::new("/drop")),
    ] {
        assert_eq!(unlimited.message_octets_max, None);
        assert!(unlimited.delivery.is_local());
    }
}

#[test]
fn what_does_not_fit_in_a_send_connector_is_named() {
    let internet = SendConnector::internet;
    let auth = |credential| SmartHostAuth::BasicRequireTls(credential);
    let nobody = Credential { user: String::new(), secret: "fabrikam".into() };
    let drop = DropDirectory::new("");
    for (connector, expected) in [
        (internet().with_port(0), "its port is 0"),
        (
            internet().with_smart_host_auth(auth(credential())),
            "it says at smart hosts who it is and delivers to none",
        ),
        (
            by_smart_host().with_smart_host_auth(auth(credential())).with_tls(SendTls::Never),
            "its password goes through TLS alone, and it never uses TLS",
        ),
        (
            by_smart_host().with_smart_host_auth(auth(nobody)),
            "its credential has no user or no name of a secret",
        ),
        (
            internet().with_tls_auth_level(TlsAuthLevel::CertificateValidation),
            "it looks at certificates and does not require TLS",
        ),
        (
            internet().with_tls_domain(domain("fabrikam.com")),
            "it has a TLS domain and does not validate domains",
        ),
        (
            by_smart_host()
                .with_tls(SendTls::Required)
                .with_tls_auth_level(TlsAuthLevel::DomainValidation),
            "it validates the domain of smart hosts and has no TLS domain",
        ),
        (
            internet().with_source_addresses(vec![ip("192.0.2.1"), ip("192.0.2.2")]),
            "it has two source addresses of one family",
        ),
        (
            internet().with_source_servers(vec![domain("mx9.contoso.com")]),
            "its source server mx9.contoso.com is unknown",
        ),
        (
            SendConnector::foreign("Internet", vec![AddressSpace::any()], drop),
            "its drop directory has no path",
        ),
        (
            internet().with_error_policies(
                ErrorPolicies::default().with_upgrade(vec!["550".parse().unwrap()]),
            ),
            "its error policies list 550, which is not of the class that they change",
        ),
        (
            internet().with_error_policies(
                ErrorPolicies::default().with_downgrade(vec!["4.7.1".parse().unwrap()]),
            ),
            "its error policies list 4.7.1, which is not of the class that they change",
        ),
    ] {
        let name = connector.name.clone();
        let found = errors(empty().with_send_connector(connector));
        assert_eq!(found, [format!("send connector \"{name}\": {expected}")]);
    }
}

#[test]
fn what_fits_in_a_send_connector_is_taken() {
    let fits = [
        by_smart_host().with_smart_host_auth(SmartHostAuth::Basic(credential())),
        by_smart_host()
            .with_smart_host_auth(SmartHostAuth::ExternalAuthoritative)
            .with_name("Inner"),
        SendConnector::internet()
            .with_tls(SendTls::Required)
            .with_tls_auth_level(TlsAuthLevel::DomainValidation)
            .with_source_addresses(vec![ip("192.0.2.1"), ip("2001:db8::1")])
            .with_source_servers(vec![domain("MX1.contoso.com"), domain("mx2.contoso.com")]),
    ];
    let servers = empty().with_server(OtherServer::new(domain("mx2.contoso.com")));
    let all = fits.into_iter().fold(servers, Configuration::with_send_connector);
    assert_eq!(errors(all), [""; 0]);
}

#[test]
fn names_and_directories_stand_there_once() {
    let twice = empty()
        .with_server(OtherServer::new(domain("mx2.contoso.com")))
        .with_server(OtherServer::new(domain("MX2.contoso.com")))
        .with_server(OtherServer::new(domain("mx1.contoso.com")))
        .with_pickup(PickupDirectory::new("/pickup").with_recipients_max(10_001))
        .with_replay(ReplayDirectory::new("/pickup").with_messages_per_minute(0));
    let expected = [
        "two servers are named MX2.contoso.com",
        "two servers are named mx1.contoso.com",
        "the pickup directory: recipients are 1 to 10000",
        "the replay directory: messages a minute are 1 to 20000",
        "the replay directory: it is the pickup directory too",
    ];
    assert_eq!(errors(twice), expected);
    for (pickup, fits) in [
        (PickupDirectory::new("/pickup"), true),
        (PickupDirectory::new("/pickup").with_messages_per_minute(20_001), false),
        (PickupDirectory::new("/pickup").with_header_octets_max(32_767), false),
        (PickupDirectory::new("/pickup").with_header_octets_max(32_768), true),
    ] {
        assert_eq!(errors(empty().with_pickup(pickup.clone())).is_empty(), fits, "{pickup:?}");
    }
}

// A8
#[test]
fn the_nearest_source_server_counts() {
    let connector = |servers: &[&str]| {
        let servers = servers.iter().map(|name| domain(name)).collect();
        SendConnector::internet().with_source_servers(servers)
    };
    let checked = empty()
        .with_server(OtherServer::new(domain("near.contoso.com")))
        .with_server(OtherServer::new(domain("far.contoso.com")).with_link_cost(7))
        .with_server(OtherServer::new(domain("farther.contoso.com")).with_link_cost(9))
        .check()
        .unwrap();
    for (servers, reach, scoped) in [
        (&[][..], Some((0, Proximity::Local)), Some((0, Proximity::Local))),
        (
            &["far.contoso.com", "MX1.contoso.com"],
            Some((0, Proximity::Local)),
            Some((0, Proximity::Local)),
        ),
        (
            &["far.contoso.com", "near.contoso.com"],
            Some((0, Proximity::SameSite)),
            Some((0, Proximity::SameSite)),
        ),
        (&["farther.contoso.com", "far.contoso.com"], Some((7, Proximity::Remote)), None),
        // No server that anybody knows.
        (&["gone.contoso.com"], None, None),
    ] {
        assert_eq!(checked.reach(&connector(servers)), reach, "{servers:?}");
        assert_eq!(checked.reach(&connector(servers).with_scoped(true)), scoped, "{servers:?}");
    }
}

fn said(code: u16, enhanced: EnhancedStatusCode) -> Status {
    let reply = Reply::new(ReplyCode::try_from(code).unwrap(), enhanced, "words");
    let host = RemoteHost { name: "mx.fabrikam.com".into(), address: None };
    Status::remote(AttemptStage::Rcpt, reply, host)
}

#[test]
fn error_policies_change_what_becomes_of_a_recipient_and_not_the_words() {
    let codes = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let policies = ErrorPolicies::default()
        .with_downgrade(codes(&["5.7.1", "552"]))
        .with_upgrade(codes(&["4.2.2", "421"]));
    let (permanent, transient) = (EnhancedStatusCode::permanent, EnhancedStatusCode::transient);
    for (code, enhanced, changed) in [
        (550, permanent(7, 1), Some("deferred")),
        (554, permanent(7, 1), Some("deferred")),
        (552, permanent(3, 4), Some("deferred")),
        (550, permanent(1, 1), None),
        (452, transient(2, 2), Some("failed")),
        (421, transient(4, 2), Some("failed")),
        (450, transient(7, 1), None),
    ] {
        let status = said(code, enhanced);
        let before = match code {
            500.. => Outcome::Failed(status.clone()),
            _ => Outcome::Deferred(status.clone()),
        };
        let after = policies.apply(before.clone());
        let expected = changed.unwrap_or_else(|| before.name());
        assert_eq!(after.name(), expected, "{code} {enhanced}");
        let now = after.status().unwrap();
        assert_eq!(now.reply, status.reply);
        assert_eq!(now.code == status.code, changed.is_none());
        assert_eq!(ErrorPolicies::default().apply(before.clone()), before);
    }
}

#[test]
fn what_we_find_ourselves_is_changed_by_the_dns_policy_alone() {
    let code: ErrorCode = "5.4.4".parse().unwrap();
    let listed = ErrorPolicies::default().with_downgrade(vec![code]);
    let dns = ErrorPolicies::default().with_downgrade_dns_failures(true);
    let local = |reply, subject, detail| {
        let code = EnhancedStatusCode::permanent(subject, detail);
        Outcome::Failed(Status::local(AttemptStage::Dns, Reply::new(reply, code, "words")))
    };
    let unknown = local(ReplyCode::MAILBOX_UNAVAILABLE, 4, 4);
    assert_eq!(listed.apply(unknown.clone()), unknown);
    assert_eq!(dns.apply(unknown).name(), "deferred");
    // A domain that takes no mail says so; mail that would come back to us would do so again.
    for firm in
        [local(ReplyCode::DOMAIN_TAKES_NO_MAIL, 1, 10), local(ReplyCode::TRANSACTION_FAILED, 4, 4)]
    {
        assert_eq!(dns.apply(firm.clone()), firm);
    }
    let peer = Outcome::Failed(said(550, EnhancedStatusCode::permanent(4, 4)));
    assert_eq!(dns.apply(peer.clone()), peer);
}

#[test]
fn only_codes_of_failures_are_error_codes() {
    for text in ["250", "2.0.0", "354", "", "5", "5.7", "600", "5.7.1 ", "x"] {
        assert!(text.parse::<ErrorCode>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn error_codes_print_and_parse_back(
        text in "([45][0-5][0-9]|[45]\\.[1-9]?[0-9]\\.[1-9]?[0-9])",
    ) {
        let code: ErrorCode = text.parse().unwrap();
        prop_assert_eq!(code.to_string(), text);
        prop_assert_ne!(code.is_permanent(), code.is_transient());
    }

    #[test]
    fn a_policy_never_changes_what_has_arrived_or_is_in_doubt(
        code in prop::sample::select(vec!["421", "550", "4.0.0", "5.0.0"]),
    ) {
        let code: ErrorCode = code.parse().unwrap();
        let policies = ErrorPolicies::default()
            .with_downgrade(vec![code])
            .with_upgrade(vec![code])
            .with_downgrade_dns_failures(true);
        let status = said(550, EnhancedStatusCode::permanent(0, 0));
        for outcome in [
            Outcome::Delivered(status.clone()),
            Outcome::Relayed(status.clone()),
            Outcome::InDoubt(status.clone()),
            Outcome::Removed(status),
            Outcome::Transferred,
        ] {
            prop_assert_eq!(policies.apply(outcome.clone()), outcome);
        }
    }
}
