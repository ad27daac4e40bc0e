//! Why a peer meets the connector that it meets, as text.

use super::{contoso, domain, ip, socket};
use crate::{
    CheckedConfiguration, Configuration, LostReason, PermissionGroup, Permissions, PrincipalKind,
    ReceiveConnector, ReceiveTls, Rights, UsageType,
};

fn office() -> CheckedConfiguration {
    let all = "0.0.0.0:25";
    let users = Permissions::anonymous_users().with_group(PermissionGroup::ExchangeUsers);
    let narrow = |name: &str, binding: &str, range: &str| {
        ReceiveConnector::relay(socket(binding), vec![range.parse().unwrap()]).with_name(name)
    };
    let connectors = [
        ReceiveConnector::internet(socket(all))
            .with_permissions(users)
            .with_tls(ReceiveTls::Offered)
            .with_partner_domains(vec![domain("fabrikam.com")])
            .with_proxy_networks(vec!["192.0.2.99".parse().unwrap()]),
        narrow("Printers", all, "10.0.0.0/8"),
        narrow("Off", all, "192.0.2.7").with_enabled(false),
        narrow("Elsewhere", "192.0.2.99:26", "0.0.0.0/0"),
        narrow("Any port", "0.0.0.0:0", "192.0.2.7"),
        narrow("Exact", "192.0.2.25:25", "10.0.0.0/8"),
        narrow("Zoo", "[::]:25", "0.0.0.0/0"),
    ];
    let all = connectors.into_iter().fold(contoso(), Configuration::with_receive_connector);
    all.check().unwrap()
}

// A1
#[test]
fn every_candidate_is_told_with_the_reason_it_lost() {
    let checked = office();
    let told = checked.explain_receive(socket("192.0.2.25:25"), ip("192.0.2.7"));
    let text = "\
192.0.2.7 at 192.0.2.25:25 meets \"Internet 0.0.0.0:25\".
- \"Internet 0.0.0.0:25\": chosen by its range 0.0.0.0/0 at 0.0.0.0:25
- \"Printers\": the peer is in none of its ranges
- \"Off\": it is not enabled
- \"Elsewhere\": it is not bound there
- \"Any port\": it takes ports that no other has, and this one is that of 0.0.0.0:25
- \"Exact\": the peer is in none of its ranges
- \"Zoo\": it is as near as \"Internet 0.0.0.0:25\", whose name comes first
It is:
- anonymous from the greeting on: may send as anybody, to the accepted domains
  (SMTP-Submit, SMTP-Accept-Any-Sender, SMTP-Accept-Authoritative-Domain-Sender, \
Accept-Headers-Routing)
- partner with the certificate of one, under TLS: may not send
  (none)
- authenticated user after AUTH under TLS: may send as itself alone, to anywhere
  (SMTP-Submit, SMTP-Accept-Any-Recipient, Bypass-Anti-Spam, Accept-Headers-Routing)
";
    assert_eq!(told.to_string(), text);
    let kinds: Vec<_> = told.stages.iter().map(|stage| stage.principal).collect();
    assert_eq!(kinds, [PrincipalKind::Anonymous, PrincipalKind::Partner, PrincipalKind::User]);
}

// A1
#[test]
fn the_exact_binding_wins_between_equal_ranges() {
    let checked = office();
    let told = checked.explain_receive(socket("192.0.2.25:25"), ip("10.0.0.1"));
    assert_eq!(told.chosen().unwrap().name.as_str(), "Exact");
    let printers = told.candidates[1].lost.clone();
    let (binding, narrower) = (socket("0.0.0.0:25"), socket("192.0.2.25:25"));
    assert_eq!(printers, Some(LostReason::WiderBinding { binding, narrower }));
    let (range, narrower) = ("0.0.0.0/0".parse().unwrap(), "10.0.0.0/8".parse().unwrap());
    assert_eq!(told.candidates[0].lost, Some(LostReason::WiderRange { range, narrower }));
}

#[test]
fn who_is_not_served_and_who_speaks_for_others_is_told_so() {
    let checked = office();
    let told = checked.explain_receive(socket("[2001:db8::1]:26"), ip("2001:db8::7"));
    assert!(
        told.to_string().starts_with(
            "2001:db8::7 at [2001:db8::1]:26 meets no connector, and gets 421 4.3.2.\n"
        )
    );
    assert!(told.stages.is_empty() && told.chosen().is_none());
    let told = checked.explain_receive(socket("192.0.2.25:25"), ip("192.0.2.99"));
    assert!(told.to_string().contains("must begin with a PROXY header"));
}

#[test]
fn a_port_alone_is_explained_for_every_address_of_ours() {
    let checked = office();
    let locals = |port, peer| -> Vec<String> {
        let told = checked.explain_receive_at_port(port, ip(peer));
        told.iter().map(|one| one.local.to_string()).collect()
    };
    assert_eq!(locals(25, "10.0.0.1"), ["0.0.0.0:25", "192.0.2.25:25"]);
    assert_eq!(locals(26, "10.0.0.1"), ["192.0.2.99:26", "0.0.0.0:26"]);
    assert_eq!(locals(25, "2001:db8::7"), ["[::]:25"]);
}

#[test]
fn rights_of_each_stage_are_told_in_words() {
    let stage = |connector: &ReceiveConnector| {
        let all = contoso().with_receive_connector(connector.clone()).check().unwrap();
        let told = all.explain_receive(socket("192.0.2.25:25"), ip("192.0.2.7")).to_string();
        told.lines().filter(|line| line.contains(": may")).map(str::to_owned).collect::<Vec<_>>()
    };
    let binding = socket("0.0.0.0:25");
    let hardened = Rights::ANONYMOUS_USERS - Rights::ACCEPT_AUTHORITATIVE_DOMAIN_SENDER;
    let permissions = Permissions::none().with_anonymous(hardened);
    let internet = ReceiveConnector::internet(binding).with_permissions(permissions);
    assert_eq!(
        stage(&internet),
        ["- anonymous from the greeting on: may send as anybody outside the authoritative \
          domains, to the accepted domains"]
    );
    assert_eq!(
        stage(&internet.with_tls(ReceiveTls::Required)),
        ["- anonymous from the greeting on, sending under TLS only: may send as anybody outside \
          the authoritative domains, to the accepted domains"]
    );
    let trusted =
        ReceiveConnector::externally_secured(binding, vec!["192.0.2.0/24".parse().unwrap()]);
    assert_eq!(
        stage(&trusted),
        ["- externally secured from the greeting on: may send as anybody, to anywhere"]
    );
    let internal = ReceiveConnector::new(UsageType::Internal, binding)
        .with_server_domains(vec![domain("mx2.contoso.com")]);
    assert_eq!(
        stage(&internal),
        [
            "- anonymous from the greeting on: may not send",
            "- server of ours with the certificate of one, under TLS: may send as anybody, to \
             anywhere"
        ]
    );
}
