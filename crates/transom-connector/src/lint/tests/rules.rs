//! Every rule but that of open relays: what shows it, and that nothing else is told.

use std::time::Duration;

use super::{empty, errors, has, lint};
use crate::{
    AcceptedDomain, AddressSpace, Configuration, Credential, DropDirectory, Finding, LintContext,
    LintRule, OtherServer, Permissions, ReceiveAuth, ReceiveConnector, ReceiveLimits, ReceiveTls,
    Rights, SendConnector, SendTls, Severity, SmartHostAuth,
};

fn internet() -> ReceiveConnector {
    ReceiveConnector::internet("0.0.0.0:25".parse().unwrap())
}

/// A server that takes mail for contoso.com, gives it to an agent, and sends to everybody.
fn sound() -> Configuration {
    empty()
        .with_accepted_domain(AcceptedDomain::authoritative("contoso.com").unwrap())
        .with_receive_connector(internet())
        .with_delivery_agent("mailbox", ["contoso.com"])
        .unwrap()
        .with_send_connector(SendConnector::internet())
}

fn host_knows_all() -> LintContext {
    LintContext::default()
        .with_agents(["mailbox"])
        .with_authentication(true)
        .with_certificate_names(["mx1.contoso.com"])
        .with_directory_domains(["contoso.com".parse().unwrap()])
}

fn receiving(connector: ReceiveConnector) -> Vec<Finding> {
    lint(empty().with_receive_connector(connector))
}

fn limited(limits: ReceiveLimits) -> Vec<LintRule> {
    rules(&receiving(internet().with_limits(limits)))
}

fn spaces(texts: &[&str]) -> Vec<AddressSpace> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn smart(name: &str, texts: &[&str], host: &str) -> SendConnector {
    SendConnector::smart_hosts(name, spaces(texts), vec![host.parse().unwrap()])
}

fn rules(findings: &[Finding]) -> Vec<LintRule> {
    findings.iter().map(|finding| finding.rule).collect()
}

#[test]
fn a_sound_configuration_has_no_findings() {
    assert_eq!(sound().lint(&host_knows_all()), []);
    assert_eq!(lint(sound()), []);
}

#[test]
fn ids_are_unique_and_in_order() {
    let ids: Vec<_> = LintRule::ALL.iter().map(|rule| rule.id()).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn errors_of_the_check_are_findings() {
    let two = internet().with_name("two");
    for (configuration, rule, place) in [
        (
            sound().with_receive_connector(two),
            LintRule::SameRange,
            "receive connector \"two\", remote_ranges",
        ),
        (
            sound().with_accepted_domain(AcceptedDomain::authoritative("contoso.com").unwrap()),
            LintRule::Duplicate,
            "accepted domain \"contoso.com\", domain",
        ),
        (
            sound().with_send_connector(SendConnector::internet()),
            LintRule::Duplicate,
            "send connector \"Internet\", name",
        ),
        (
            sound().with_receive_connector(
                ReceiveConnector::lmtp("0.0.0.0:24".parse().unwrap())
                    .with_proxy_networks(vec!["0.0.0.0/0".parse().unwrap()]),
            ),
            LintRule::TrustsEverybody,
            "receive connector \"LMTP 0.0.0.0:24\", proxy_networks",
        ),
        (
            empty().with_receive_connector(internet().with_remote_ranges(Vec::new())),
            LintRule::Invalid,
            "receive connector \"Internet 0.0.0.0:25\", remote_ranges",
        ),
    ] {
        let findings = lint(configuration);
        assert_eq!(findings[0].rule, rule, "{place}");
        assert_eq!(findings[0].severity, Severity::Error);
        assert_eq!(findings[0].place.to_string(), place);
    }
}

#[test]
fn overlapping_ranges_are_told() {
    let at = |name: &str, range: &str| {
        internet().with_name(name).with_remote_ranges(vec![range.parse().unwrap()])
    };
    let findings = lint(
        empty()
            .with_receive_connector(at("one", "10.0.0.0-10.0.0.9"))
            .with_receive_connector(at("two", "10.0.0.5-10.0.0.12")),
    );
    assert_eq!(errors(&findings), [LintRule::RangesOverlap]);
}

#[test]
fn tls_needs_a_certificate_for_the_name() {
    let with = |tls, names: &[&str]| {
        let context = LintContext::default().with_certificate_names(names.iter().copied());
        let configuration = empty().with_receive_connector(internet().with_tls(tls));
        let findings = configuration.lint(&context);
        findings.iter().map(|finding| (finding.rule, finding.severity)).collect::<Vec<_>>()
    };
    let (error, warning) = (Severity::Error, Severity::Warning);
    assert_eq!(with(ReceiveTls::Off, &[]), []);
    assert_eq!(with(ReceiveTls::Offered, &[]), [(LintRule::TlsWithoutCertificate, warning)]);
    assert_eq!(with(ReceiveTls::Required, &[]), [(LintRule::TlsWithoutCertificate, error)]);
    assert_eq!(with(ReceiveTls::Implicit, &[]), [(LintRule::TlsWithoutCertificate, error)]);
    let other = [(LintRule::TlsNameMismatch, warning)];
    assert_eq!(with(ReceiveTls::Required, &["mx2.contoso.com", "*.example.com"]), other);
    assert_eq!(with(ReceiveTls::Required, &["MX1.contoso.com"]), []);
    assert_eq!(with(ReceiveTls::Required, &["*.contoso.com"]), []);
}

#[test]
fn auth_without_tls_is_told() {
    let clear = internet()
        .with_auth(ReceiveAuth::DangerClear)
        .with_permissions(Permissions::none().with_authenticated(Rights::EXCHANGE_USERS));
    assert_eq!(rules(&receiving(clear.clone())), [LintRule::AuthInClear]);
    // Nobody may log in.
    assert_eq!(receiving(clear.with_permissions(Permissions::anonymous_users())), []);
}

#[test]
fn rights_of_users_need_users_who_can_log_in() {
    let client = ReceiveConnector::client("0.0.0.0:587".parse().unwrap());
    let configuration = empty().with_receive_connector(client);
    let told = |context: LintContext| rules(&configuration.clone().lint(&context));
    assert_eq!(told(LintContext::default()), []);
    assert_eq!(told(LintContext::default().with_authentication(true)), []);
    let nobody = LintContext::default().with_authentication(false);
    assert_eq!(told(nobody), [LintRule::AuthImpossible]);
    let no_certificate = LintContext::default().with_certificate_names([""; 0]);
    assert!(told(no_certificate).contains(&LintRule::AuthImpossible));
}

#[test]
fn bare_newlines_are_a_danger() {
    let connector =
        internet().with_permissions(Permissions::none()).danger_normalize_bare_newlines(true);
    assert_eq!(rules(&receiving(connector)), [LintRule::Danger]);
}

#[test]
fn limits_that_contradict_each_other_are_told() {
    let limits = ReceiveLimits::default();
    assert_eq!(limited(limits.clone()), []);
    let small = limits.clone().with_message_octets_max(100_000);
    assert_eq!(limited(small.clone()), [LintRule::HeaderAboveMessage]);
    assert_eq!(limited(small.clone().with_header_octets_max(100_000)), []);
    let tiny = small.with_header_octets_max(1_000).with_message_octets_max(65_535);
    assert_eq!(limited(tiny), [LintRule::LimitBelowStandard]);
    let few = limits.clone().with_recipients_max(99);
    assert_eq!(limited(few), [LintRule::LimitBelowStandard]);
    assert_eq!(limited(limits.clone().with_recipients_max(100)), []);
    let greedy = limits.clone().with_connections_max(10);
    assert_eq!(limited(greedy.clone()), [LintRule::SourceAboveConnector]);
    assert_eq!(limited(greedy.with_connections_per_source_max(10)), []);
    let slow = limits.clone().with_tarpit_interval(Duration::from_mins(5));
    assert_eq!(limited(slow), [LintRule::TarpitAboveTimeout]);
    let slow = limits.with_auth_tarpit_interval(Duration::from_mins(6));
    assert_eq!(limited(slow), [LintRule::TarpitAboveTimeout]);
}

#[test]
fn what_is_taken_must_fit_through_some_way_out() {
    let out = |octets| SendConnector::internet().with_message_octets_max(octets);
    let told = |connectors: Vec<SendConnector>| {
        let configuration = empty().with_receive_connector(internet());
        let all = connectors.into_iter().fold(configuration, Configuration::with_send_connector);
        has(&lint(all), LintRule::SizeAboveRoutes)
    };
    let limit = ReceiveLimits::default().message_octets_max;
    assert!(!told(vec![]));
    assert!(told(vec![out(Some(limit - 1))]));
    assert!(!told(vec![out(Some(limit))]));
    assert!(!told(vec![out(None)]));
    let bigger = out(Some(limit)).with_name("bigger");
    assert!(!told(vec![out(Some(1)), bigger.clone()]));
    // What is switched off is no way.
    assert!(told(vec![out(Some(1)), bigger.with_enabled(false)]));
}

#[test]
fn a_send_connector_that_others_always_beat_is_told() {
    let never = |connectors: Vec<SendConnector>| {
        let all = connectors.into_iter().fold(empty(), Configuration::with_send_connector);
        let findings = lint(all).into_iter().filter(|f| f.rule == LintRule::SendNeverChosen);
        findings.map(|finding| finding.place.name).collect::<Vec<_>>()
    };
    let a = smart("a", &["*;1"], "192.0.2.1");
    let b = smart("b", &["*;2"], "192.0.2.2");
    assert_eq!(never(vec![a.clone(), b.clone()]), ["b"]);
    // What is too big for the one leaves by the other.
    let bigger = b.clone().with_message_octets_max(None);
    assert_eq!(never(vec![a.clone(), bigger]), [""; 0]);
    let more = b.clone().with_address_spaces(spaces(&["*;2", "contoso.com"]));
    assert_eq!(never(vec![a.clone(), more]), [""; 0]);
    assert_eq!(never(vec![a.clone().with_enabled(false), b.clone()]), [""; 0]);
    // By name, where all else is equal.
    assert_eq!(never(vec![smart("c", &["*"], "192.0.2.1"), a.clone()]), ["c"]);
    // A connector does not beat itself.
    assert_eq!(never(vec![a.with_address_spaces(spaces(&["*;1", "*;2"]))]), [""; 0]);
    // The accepted domains are there, and more specific spaces have all of them.
    let accepted = smart("d", &["--"], "192.0.2.1");
    assert_eq!(never(vec![accepted.clone()]), ["d"]);
    let told = lint(sound().with_send_connector(accepted.clone()));
    assert!(has(&told, LintRule::SendNeverChosen));
    let further = AcceptedDomain::authoritative("fabrikam.com").unwrap();
    let told = lint(sound().with_accepted_domain(further).with_send_connector(accepted));
    assert!(!has(&told, LintRule::SendNeverChosen));
}

#[test]
fn a_scoped_connector_of_other_servers_is_never_chosen_here() {
    let other: transom_types::Domain = "mx9.contoso.com".parse().unwrap();
    let scoped = smart("far", &["*"], "192.0.2.1")
        .with_source_servers(vec![other.clone()])
        .with_scoped(true);
    let server = OtherServer::new(other).with_link_cost(10);
    let findings = lint(empty().with_server(server).with_send_connector(scoped));
    assert_eq!(rules(&findings), [LintRule::SendNeverChosen]);
    assert_eq!(findings[0].place.field, "source_servers");
}

#[test]
fn a_smart_host_that_is_ourselves_is_told() {
    let told =
        |host: &str, context: &LintContext| {
            let configuration = empty()
                .with_receive_connector(internet())
                .with_send_connector(smart("out", &["*"], host));
            errors(&configuration.lint(context)) == [LintRule::SmartHostSelf]
        };
    let nothing = LintContext::default();
    for own in ["127.0.0.1", "mx1.contoso.com", "MX1.Contoso.com:25", "localhost"] {
        assert!(told(own, &nothing), "{own}");
    }
    // Something else listens there.
    for other in ["127.0.0.1:10025", "mx1.contoso.com:2525", "192.0.2.1", "mx2.contoso.com"] {
        assert!(!told(other, &nothing), "{other}");
    }
    let context = LintContext::default()
        .with_own_addresses(["192.0.2.1".parse().unwrap()])
        .with_own_hosts(["mx2.contoso.com".parse().unwrap()]);
    assert!(told("192.0.2.1", &context));
    assert!(told("mx2.contoso.com", &context));
    let bound = ReceiveConnector::internet("192.0.2.1:25".parse().unwrap());
    let configuration = empty().with_receive_connector(bound).with_send_connector(smart(
        "out",
        &["*"],
        "192.0.2.1",
    ));
    assert_eq!(errors(&lint(configuration)), [LintRule::SmartHostSelf]);
}

#[test]
fn a_password_in_clear_is_told() {
    let credential = Credential { user: "us".into(), secret: "smart host".into() };
    let basic = smart("out", &["*"], "192.0.2.1")
        .with_smart_host_auth(SmartHostAuth::Basic(credential.clone()));
    let told = |connector| rules(&lint(empty().with_send_connector(connector)));
    assert_eq!(told(basic.clone()), [LintRule::PasswordInClear]);
    assert_eq!(told(basic.clone().with_tls(SendTls::Required)), []);
    let under_tls = SmartHostAuth::BasicRequireTls(credential);
    assert_eq!(told(basic.with_smart_host_auth(under_tls)), []);
}

#[test]
fn an_agent_must_be_registered() {
    let context = host_knows_all().with_agents(["archive"]);
    assert_eq!(errors(&sound().lint(&context)), [LintRule::UnknownAgent]);
}

#[test]
fn what_is_taken_must_go_somewhere() {
    let accepting = |entry: AcceptedDomain, send: Option<SendConnector>| {
        let all = send.into_iter().fold(empty(), Configuration::with_send_connector);
        rules(&lint(all.with_accepted_domain(entry)))
    };
    let ours = AcceptedDomain::authoritative("contoso.com").unwrap();
    let internal = AcceptedDomain::internal_relay("contoso.com").unwrap();
    let external = AcceptedDomain::external_relay("contoso.com").unwrap();
    let onward = || smart("onward", &["contoso.com"], "192.0.2.1");
    let loops = [LintRule::InternalRelayWithoutConnector];
    assert_eq!(accepting(ours.clone(), None), [LintRule::NoRoute]);
    assert_eq!(accepting(external.clone(), None), [LintRule::NoRoute]);
    assert_eq!(accepting(internal.clone(), None), loops);
    assert_eq!(accepting(internal.clone(), Some(SendConnector::internet())), loops);
    for entry in [ours.clone(), external.clone(), internal.clone()] {
        assert_eq!(accepting(entry, Some(onward())), []);
    }
    // The hosts that the DNS names for it come after us, or before.
    assert_eq!(accepting(external, Some(SendConnector::internet())), []);
    assert_eq!(accepting(internal, Some(smart("all", &["*"], "192.0.2.1"))), []);
    let fax = SendConnector::foreign("fax", spaces(&["contoso.com"]), DropDirectory::new("/fax"));
    assert_eq!(accepting(ours, Some(fax)), []);
}

#[test]
fn a_domain_without_directory_takes_every_local_part() {
    let told = |context: &LintContext, entry: AcceptedDomain| {
        has(&empty().with_accepted_domain(entry).lint(context), LintRule::NoDirectory)
    };
    let ours = AcceptedDomain::authoritative("contoso.com").unwrap();
    let none = LintContext::default().with_directory_domains([]);
    assert!(told(&none, ours.clone()));
    assert!(!told(&host_knows_all(), ours.clone()));
    assert!(!told(&LintContext::default(), ours.clone()));
    assert!(!told(&none, ours.with_address_book_enabled(false)));
    assert!(!told(&none, AcceptedDomain::external_relay("contoso.com").unwrap()));
}

#[test]
fn errors_come_first() {
    let relay =
        ReceiveConnector::relay("0.0.0.0:26".parse().unwrap(), vec!["0.0.0.0/0".parse().unwrap()]);
    let findings = lint(
        sound()
            .with_receive_connector(internet().with_name("off").with_enabled(false))
            .with_receive_connector(relay),
    );
    let severities: Vec<_> = findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Error, Severity::Warning]);
}
