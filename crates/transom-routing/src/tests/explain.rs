//! The text that says where a recipient goes.

use proptest::prelude::*;
use transom_connector::{CheckedConfiguration, Configuration, DropDirectory, SendConnector};
use transom_types::{DeliveryType, Envelope, ForwardPath, MailParameters, ReversePath};

use super::domain;
use super::selection::connectors;
use crate::{MessageFacts, Target, categorize, explain};

fn path(text: &str) -> ForwardPath {
    text.parse().unwrap()
}

fn configuration() -> CheckedConfiguration {
    connectors(&[
        "mailbox!=contoso.com",
        "Internet<1000=*",
        "Partner=*.fabrikam.com;5",
        "Backup=*.fabrikam.com;5",
        "-Old=fabrikam.com",
        "Branch@far=branch.example;3",
        "Other Site@far/=*",
    ])
}

#[test]
fn an_explanation_reads_as_text() {
    let text = explain(&configuration(), &path("<bob@eu.fabrikam.com>"), 200).to_string();
    let expected = "\
<bob@eu.fabrikam.com> with 200 octets goes to eu.fabrikam.com (DnsConnectorDelivery, Backup)
in no accepted domain
+ Backup: chosen (SMTP:*.fabrikam.com;5, cost 5, from this server)
- mailbox: none of its address spaces has the domain
- Internet: another has a more specific address space (SMTP:*;1, cost 1, from this server)
- Partner: another is as specific, costs the same, is as near, and its name sorts before \
(SMTP:*.fabrikam.com;5, cost 5, from this server)
- Old: it is switched off
- Branch: none of its address spaces has the domain
- Other Site: it is for the servers of another site
";
    assert_eq!(text, expected);
}

#[test]
fn an_explanation_says_what_becomes_of_mail_without_a_connector() {
    let configuration = configuration();
    let first_lines = |recipient, size| {
        let text = explain(&configuration, &path(recipient), size).to_string();
        text.lines().take(2).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let expected = [
        "<a@relay.example> with 1001 octets fails: 552 5.3.4 Message size exceeds the 1000 octets \
         of the way to the recipient",
        "in the accepted domain *.relay.example, InternalRelay",
    ];
    assert_eq!(first_lines("<a@relay.example>", 1001), expected);
    let orphan = connectors(&["Internet=*"]);
    let text = explain(&orphan, &path("<Postmaster>"), 1).to_string();
    let expected = "\
<Postmaster> with 1 octets waits: no connector takes it until the configuration changes
in the accepted domain contoso.com, Authoritative
- Internet: the domain is authoritative, and it leads to other servers
";
    assert_eq!(text, expected);
}

#[test]
fn a_domain_that_no_dns_can_hold_is_explained_without_connectors() {
    let configuration = configuration();
    let explanation = explain(&configuration, &path("<a@\u{fffd}.example>"), 1);
    assert_eq!(explanation.candidates, []);
    assert!(explanation.way.is_err());
}

// A8
#[test]
fn mail_for_a_connector_of_other_servers_is_handed_to_them() {
    let configuration = configuration();
    let hop = explain(&configuration, &path("<a@branch.example>"), 1).way.unwrap();
    assert_eq!(hop.to_string(), "Branch (SmtpRelayToConnectorSourceServers, Branch)");
    let Ok(Target::SmartHosts(hosts)) = Target::of(&hop, &configuration) else { panic!() };
    assert_eq!(hosts.iter().map(ToString::to_string).collect::<Vec<_>>(), ["far"]);
}

#[test]
fn the_nearest_source_server_is_tried_first() {
    let configuration = connectors(&["Branch@far@near=*"]);
    let hop = explain(&configuration, &path("<a@branch.example>"), 1).way.unwrap();
    let Ok(Target::SmartHosts(hosts)) = Target::of(&hop, &configuration) else { panic!() };
    assert_eq!(hosts.iter().map(ToString::to_string).collect::<Vec<_>>(), ["near", "far"]);
}

#[test]
fn mail_for_a_foreign_connector_goes_into_its_directory_and_nowhere_else() {
    let spaces = vec!["fax.example".parse().unwrap()];
    let fax = SendConnector::foreign("Fax", spaces, DropDirectory::new("/var/spool/fax"));
    let configuration = Configuration::new(domain("mx1.contoso.com"))
        .with_send_connector(fax)
        .with_send_connector(SendConnector::internet())
        .check()
        .unwrap();
    let hop = explain(&configuration, &path("<a@fax.example>"), 1 << 40).way.unwrap();
    assert_eq!(hop.kind, DeliveryType::NonSmtpGatewayDelivery);
    // Whoever takes it for SMTP makes it wait.
    let outcome = Target::of(&hop, &configuration).unwrap_err().outcome();
    assert!(!outcome.is_terminal(), "{outcome:?}");
}

proptest! {
    #[test]
    fn an_explanation_and_the_categorizer_agree(
        recipient in "<(a@(contoso\\.com|branch\\.example|(x\\.)?fabrikam\\.com|\u{fffd}\\.example\
                      |relay\\.example|\\[192\\.0\\.2\\.1\\])|Postmaster)>",
        size in 900u64..1_100,
    ) {
        let recipient = path(&recipient);
        let envelope = Envelope {
            reverse_path: ReversePath::Null,
            parameters: MailParameters::default(),
            recipients: vec![recipient.clone().into()],
        };
        let configuration = configuration();
        let categorized = categorize(&configuration, &MessageFacts::new(&envelope, size));
        match explain(&configuration, &recipient, size).way {
            Ok(hop) => prop_assert_eq!(&categorized.groups, &[(hop, vec![0])]),
            Err(reply) => {
                let status = categorized.failed[0].outcome.status().unwrap();
                prop_assert_eq!(&status.reply, &reply);
            }
        }
    }
}
