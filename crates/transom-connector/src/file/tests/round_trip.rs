//! Whatever is configured can be said in a file, and is read back as it was.

use std::net::SocketAddr;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use transom_types::Domain;

use crate::file::Writer;
use crate::{
    AcceptedDomain, AddressSpace, Configuration, Credential, DropDirectory, ErrorPolicies,
    MessageRateSource, OtherServer, PermissionGroup, Permissions, PickupDirectory, PrincipalKind,
    ReceiveAuth, ReceiveConnector, ReceiveExtensions, ReceiveLimits, ReceiveProtocol, ReceiveTls,
    RemoteDomain, RemoteRange, ReplayDirectory, ReplyProfile, Rights, SendConnector, SendDelivery,
    SendTls, ServiceLimits, SmartHost, SmartHostAuth, SmartHostOrder, TlsAuthLevel,
};

fn domain() -> impl Strategy<Value = Domain> {
    select(vec!["contoso.com", "mx1.contoso.com", "b\u{fc}cher.example", "localhost"])
        .prop_map(|text| text.parse().unwrap())
}

fn domains() -> impl Strategy<Value = Vec<Domain>> {
    vec(domain(), 0..3)
}

fn ranges() -> impl Strategy<Value = Vec<RemoteRange>> {
    let texts = vec!["10.0.0.0/8", "::/0", "192.0.2.1-192.0.2.9", "2001:db8::1"];
    subsequence(texts, 0..4)
        .prop_map(|texts| texts.into_iter().map(|text| text.parse().unwrap()).collect())
}

fn words() -> impl Strategy<Value = String> {
    select(vec!["", "a", "back\\slash \"quoted\"", "\u{7f}\u{1}\r\n\t", "\u{e4}\u{1f600}"])
        .prop_map(str::to_owned)
}

fn rights() -> impl Strategy<Value = Rights> {
    let all: Vec<Rights> = Rights::EXCHANGE_SERVERS.iter().map(|(right, _)| right).collect();
    subsequence(all, 0..10).prop_map(|rights| rights.into_iter().collect())
}

fn permissions() -> impl Strategy<Value = Permissions> {
    let groups = subsequence(PermissionGroup::ALL.to_vec(), 0..4);
    (groups, vec(rights(), 5)).prop_map(|(groups, rights)| {
        let all = groups.into_iter().fold(Permissions::none(), Permissions::with_group);
        PrincipalKind::ALL
            .into_iter()
            .zip(rights)
            .fold(all, |all, (kind, more)| all.with_rights(kind, all.rights(kind) | more))
    })
}

fn limits() -> impl Strategy<Value = ReceiveLimits> {
    let times = (any::<u32>(), option::of(any::<u32>()));
    let bounds = vec(option::of(any::<u32>()), 4);
    let source = select(vec![
        MessageRateSource::None,
        MessageRateSource::IpAddress,
        MessageRateSource::User,
        MessageRateSource::All,
    ]);
    (any::<u64>(), vec(any::<u32>(), 6), times, bounds, source).prop_map(
        |(octets, counts, (millis, tarpit), bounds, source)| {
            let mut limits = ReceiveLimits::default()
                .with_message_octets_max(octets)
                .with_header_octets_max(octets >> 20 << 20)
                .with_recipients_max(counts[0])
                .with_hops_max(counts[1])
                .with_own_hops_max(counts[2])
                .with_protocol_errors_max(counts[3])
                .with_authenticated_protocol_errors_max(counts[4])
                .with_logon_failures_max(counts[5])
                .with_session_timeout(Duration::from_millis(millis.into()))
                .with_idle_timeout(Duration::from_secs(millis.into()))
                .with_message_rate(bounds[0], source);
            limits.tarpit_interval = tarpit.map(|nanos| Duration::from_nanos(nanos.into()));
            limits.auth_tarpit_interval = tarpit.map(|_| Duration::ZERO);
            limits.connections_max = bounds[1];
            limits.connections_per_source_max = bounds[2];
            limits.connections_percent_per_source_max = bounds[3];
            limits
        },
    )
}

prop_compose! {
    fn receive_connector()(
        permissions in permissions(),
        limits in limits(),
        (fqdn, default_domain) in (option::of(domain()), option::of(domain())),
        ranges in vec(ranges(), 3),
        lists in vec(domains(), 2),
        flags in vec(any::<bool>(), 14),
        texts in (words(), words(), option::of(words())),
        tls in select(vec![
            ReceiveTls::Off, ReceiveTls::Offered, ReceiveTls::Required, ReceiveTls::Implicit,
        ]),
        auth in select(vec![
            ReceiveAuth::Off, ReceiveAuth::RequireTls, ReceiveAuth::DangerClear,
            ReceiveAuth::ExternalAuthoritative,
        ]),
        exchange in any::<bool>(),
        lmtp in any::<bool>(),
    ) -> ReceiveConnector {
        let mut bindings: Vec<SocketAddr> = vec!["[2001:db8::25]:25".parse().unwrap()];
        if flags[5] {
            bindings.push("0.0.0.0:0".parse().unwrap());
        }
        let (name, comment, banner) = texts;
        let mut connector = ReceiveConnector::internet(bindings[0]).with_name(&name);
        connector.comment = comment;
        connector.banner = banner;
        connector.bindings = bindings;
        connector.enabled = flags[0];
        connector.fqdn = fqdn;
        connector.default_domain = default_domain;
        [connector.remote_ranges, connector.proxy_networks, connector.xclient_networks] =
            ranges.try_into().unwrap();
        [connector.server_domains, connector.partner_domains] = lists.try_into().unwrap();
        connector.permissions = permissions;
        connector.limits = limits;
        connector.tls = tls;
        connector.auth = auth;
        connector.protocol = if lmtp { ReceiveProtocol::Lmtp } else { ReceiveProtocol::Smtp };
        connector.reply_profile =
            if exchange { ReplyProfile::Exchange } else { ReplyProfile::Plain };
        connector.require_ehlo_domain = flags[1];
        connector.danger_normalize_bare_newlines = flags[2];
        connector.danger_open_relay = flags[7] && flags[9];
        connector.reject_reserved_top_level = flags[3];
        connector.reject_reserved_second_level = flags[4];
        connector.reject_single_label = flags[6];
        connector.extensions = ReceiveExtensions::default()
            .with_size(flags[7], flags[8])
            .with_pipelining(flags[9])
            .with_eight_bit_mime(flags[10])
            .with_enhanced_status_codes(flags[11])
            .with_chunking(flags[12])
            .with_smtputf8(flags[13])
            .with_limits(flags[0] != flags[1]);
        connector
    }
}

fn delivery() -> impl Strategy<Value = SendDelivery> {
    let hosts = ["mx.contoso.com", "[192.0.2.1]:587", "[IPv6:2001:db8::1]"];
    let hosts: Vec<SmartHost> = hosts.into_iter().map(|host| host.parse().unwrap()).collect();
    let drop = (words(), option::of(any::<u64>()), any::<bool>());
    prop_oneof![
        Just(SendDelivery::Dns),
        words().prop_map(SendDelivery::Agent),
        subsequence(hosts, 0..3).prop_map(SendDelivery::SmartHosts),
        drop.prop_map(|(path, quota, reports)| {
            let directory = DropDirectory::new(path).with_octets_max(quota);
            SendDelivery::Drop(directory.with_relay_dsn_required(reports))
        }),
    ]
}

fn smart_host_auth() -> impl Strategy<Value = SmartHostAuth> {
    let credential = || (words(), words()).prop_map(|(user, secret)| Credential { user, secret });
    prop_oneof![
        Just(SmartHostAuth::None),
        Just(SmartHostAuth::ExternalAuthoritative),
        credential().prop_map(SmartHostAuth::Basic),
        credential().prop_map(SmartHostAuth::BasicRequireTls),
    ]
}

fn error_policies() -> impl Strategy<Value = ErrorPolicies> {
    let codes = || subsequence(vec!["450", "5.7.1", "4.4.2", "554"], 0..4);
    (any::<bool>(), codes(), codes()).prop_map(|(dns, down, up)| {
        let parsed = |text: &str| text.parse().unwrap();
        let policies = ErrorPolicies::default().with_downgrade_dns_failures(dns);
        let policies = policies.with_downgrade(down.into_iter().map(parsed).collect());
        policies.with_upgrade(up.into_iter().map(parsed).collect())
    })
}

prop_compose! {
    fn send_connector()(
        name in words(),
        spaces in subsequence(vec!["*", "--", "*.contoso.com;10", "SMTP:fabrikam.com;100"], 0..4),
        delivery in delivery(),
        (enabled, is_scoped, v6) in any::<(bool, bool, bool)>(),
        source_servers in domains(),
        octets in option::of(any::<u64>()),
        tls in select(vec![SendTls::Never, SendTls::Opportunistic, SendTls::Required]),
        level in select(vec![
            TlsAuthLevel::EncryptionOnly, TlsAuthLevel::CertificateValidation,
            TlsAuthLevel::DomainValidation,
        ]),
        (tls_domain, fqdn) in (option::of(domain()), option::of(domain())),
        order in select(vec![
            SmartHostOrder::Listed, SmartHostOrder::LeastOutstanding, SmartHostOrder::RoundRobin,
        ]),
        auth in smart_host_auth(),
        (port, messages, idle) in any::<(u16, u32, u32)>(),
        policies in error_policies(),
    ) -> SendConnector {
        let spaces = spaces.into_iter().map(|space| space.parse::<AddressSpace>().unwrap());
        let mut connector = SendConnector::internet()
            .with_name(&name)
            .with_address_spaces(spaces.collect())
            .with_enabled(enabled)
            .with_scoped(is_scoped)
            .with_source_servers(source_servers)
            .with_message_octets_max(octets)
            .with_tls(tls)
            .with_tls_auth_level(level)
            .with_port(port)
            .with_smart_host_order(order)
            .with_smart_host_auth(auth)
            .with_messages_per_connection(messages)
            .with_idle_timeout(Duration::from_millis(idle.into()))
            .with_error_policies(policies);
        connector.delivery = delivery;
        connector.tls_domain = tls_domain;
        connector.fqdn = fqdn;
        if v6 {
            connector.source_addresses = vec!["2001:db8::1".parse().unwrap()];
        }
        connector
    }
}

fn accepted_domain() -> impl Strategy<Value = AcceptedDomain> {
    let kinds = [
        AcceptedDomain::authoritative as fn(&str) -> _,
        AcceptedDomain::internal_relay,
        AcceptedDomain::external_relay,
    ];
    let texts = vec!["contoso.com", "*.contoso.com", "b\u{fc}cher.example"];
    (select(kinds.to_vec()), select(texts), any::<bool>())
        .prop_map(|(make, text, book)| make(text).unwrap().with_address_book_enabled(book))
}

fn remote_domain() -> impl Strategy<Value = RemoteDomain> {
    let texts = vec!["contoso.com", "*.contoso.com", "*"];
    (select(texts), vec(any::<bool>(), 5)).prop_map(|(text, flags)| {
        let domain: RemoteDomain = text.parse().unwrap();
        let domain = domain.with_ndr(flags[0]).with_ndr_diagnostics(flags[1]);
        let domain = domain.with_delivery_reports(flags[2]).with_auto_reply(flags[3]);
        domain.with_auto_forward(flags[4])
    })
}

prop_compose! {
    fn configuration()(
        server_name in domain(),
        receive_connectors in vec(receive_connector(), 0..3),
        send_connectors in vec(send_connector(), 0..3),
        accepted_domains in vec(accepted_domain(), 0..3),
        remote_domains in vec(remote_domain(), 0..3),
        servers in vec((domain(), any::<u32>(), any::<u16>()), 0..3),
        rate in option::of(any::<u32>()),
        numbers in any::<(u32, u32, u32)>(),
        directories in (option::of(words()), option::of(words())),
    ) -> Configuration {
        let mut configuration = Configuration::new(server_name);
        configuration.receive_connectors = receive_connectors;
        configuration.send_connectors = send_connectors;
        configuration.accepted_domains = accepted_domains;
        configuration.remote_domains = remote_domains;
        let server = |(name, cost, port)| {
            OtherServer::new(name).with_link_cost(cost).with_port(port)
        };
        configuration.servers = servers.into_iter().map(server).collect();
        configuration.service_limits =
            rate.map(|rate| ServiceLimits::default().with_connection_rate_max(rate))
                .unwrap_or_default();
        let (messages, header, recipients) = numbers;
        configuration.pickup = directories.0.map(|path| {
            PickupDirectory::new(path)
                .with_messages_per_minute(messages)
                .with_header_octets_max(header)
                .with_recipients_max(recipients)
        });
        configuration.replay = directories.1.map(|path| {
            ReplayDirectory::new(path).with_messages_per_minute(messages)
        });
        configuration
    }
}

proptest! {
    #[test]
    fn every_configuration_can_be_said_in_toml(configuration in configuration()) {
        let text = configuration.to_toml();
        match Configuration::from_toml(&text) {
            Ok(read) => prop_assert_eq!(read, configuration, "{}", text),
            Err(errors) => prop_assert!(false, "{}\n{}", errors, text),
        }
    }

    #[test]
    fn every_configuration_can_be_said_in_json(mut configuration in configuration()) {
        let text = Writer::table_of(&mut configuration).to_json().to_string();
        let read = Configuration::from_json(&text);
        prop_assert_eq!(read.map_err(|errors| errors.to_string()), Ok(configuration));
    }

    /// Places are found in any text, whatever is wrong with it.
    #[test]
    fn any_text_is_read_or_refused(text in "[a-z_.=\\[\\]{}\", \n\u{e4}0-9-]{0,80}") {
        for read in [Configuration::from_toml(&text), Configuration::from_json(&text)] {
            if let Err(errors) = read {
                let lines = u32::try_from(text.split('\n').count()).unwrap();
                prop_assert!(errors.iter().count() > 0);
                prop_assert!(errors.iter().all(|one| (1..=lines).contains(&one.line)));
            }
        }
    }
}
