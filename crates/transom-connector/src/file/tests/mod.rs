//! What a configuration file says, and what is said about one that is wrong.

mod round_trip;

use std::net::SocketAddr;
use std::time::Duration;

use crate::{
    Configuration, Credential, LintObject, LintPlace, Permissions, PickupDirectory,
    ReceiveConnector, Rights, SendConnector, SmartHostAuth, UsageType,
};

/// What is said about a text.
fn said(text: &str) -> String {
    Configuration::from_toml(text).unwrap_err().to_string()
}

/// A configuration with this text in its only receive connector.
fn with_receive(fields: &str) -> String {
    format!(
        "server_name = \"mx1.contoso.com\"\n[[receive_connectors]]\nname = \"a\"\n\
         bindings = [\"0.0.0.0:25\"]\n{fields}"
    )
}

fn receive(fields: &str) -> ReceiveConnector {
    let read = Configuration::from_toml(&with_receive(fields));
    let mut read = read.unwrap_or_else(|errors| panic!("{fields}: {errors}"));
    read.receive_connectors.remove(0)
}

fn send(fields: &str) -> Result<SendConnector, String> {
    let text = format!(
        "server_name = \"mx1.contoso.com\"\n[[send_connectors]]\nname = \"a\"\n\
         address_spaces = [\"*\"]\n{fields}"
    );
    let read = Configuration::from_toml(&text);
    read.map(|mut read| read.send_connectors.remove(0)).map_err(|errors| errors.to_string())
}

#[test]
fn what_is_absent_has_the_default_of_the_code() {
    let read = Configuration::from_toml("server_name = 'mx1.contoso.com'").unwrap();
    assert_eq!(read, Configuration::new("mx1.contoso.com".parse().unwrap()));
    let binding: SocketAddr = "0.0.0.0:25".parse().unwrap();
    for (name, usage) in [
        ("Client", UsageType::Client),
        ("Custom", UsageType::Custom),
        ("Internal", UsageType::Internal),
        ("Internet", UsageType::Internet),
        ("Partner", UsageType::Partner),
    ] {
        let code = ReceiveConnector::new(usage, binding).with_name("a");
        assert_eq!(receive(&format!("usage = '{name}'")), code, "{name}");
    }
    assert_eq!(receive(""), ReceiveConnector::new(UsageType::Custom, binding).with_name("a"));
    assert_eq!(send("").unwrap(), SendConnector::internet().with_name("a"));
    let agent = SendConnector::agent("mailbox", vec!["*".parse().unwrap()]).with_name("a");
    assert_eq!(send("agent = 'mailbox'").unwrap(), agent);
}

#[test]
fn rights_come_on_top_of_groups_and_groups_in_place_of_the_usage() {
    let of = |fields: &str| receive(fields).permissions;
    let anonymous = Permissions::anonymous_users();
    assert_eq!(of("usage = 'Internet'"), anonymous);
    assert_eq!(of("usage = 'Internet'\npermission_groups = []"), Permissions::none());
    let relay = anonymous.with_anonymous(anonymous.anonymous | Rights::ACCEPT_ANY_RECIPIENT);
    let rights = "rights = { anonymous = ['ms-Exch-SMTP-Accept-Any-Recipient'] }";
    assert_eq!(of(&format!("usage = 'Internet'\n{rights}")), relay);
    assert_eq!(of(&format!("permission_groups = ['AnonymousUsers']\n{rights}")), relay);
}

#[test]
fn sizes_and_times_are_texts_or_plain_numbers() {
    let limits = |fields: &str| receive(&format!("limits = {{ {fields} }}")).limits;
    for text in ["'25 MiB'", "'25600 KiB'", "26_214_400"] {
        let limits = limits(&format!("message_octets_max = {text}"));
        assert_eq!(limits.message_octets_max, 25 << 20, "{text}");
    }
    for text in ["'2 min'", "'120 s'", "120"] {
        let limits = limits(&format!("idle_timeout = {text}"));
        assert_eq!(limits.idle_timeout, Duration::from_mins(2), "{text}");
    }
    assert_eq!(limits("tarpit_interval = 0").tarpit_interval, Some(Duration::ZERO));
}

#[test]
fn every_mistake_is_told_with_line_and_column_and_what_was_expected() {
    let cases = [
        (
            "server_name = ",
            "line 1, column 15: string values must be quoted, expected literal string",
        ),
        (
            "server_name = 'a b'",
            "line 1, column 15: server_name: \"a b\" stands there, expected is \
          a domain such as \"mx1.contoso.com\" (a character at octet 1 does not belong \
             into a domain)",
        ),
        ("x = 1\nserver_name = 'a'", "line 1, column 1: there is no field x"),
        ("server_name = 'a'\npickup = {}", "line 2, column 10: pickup: path is missing"),
        (
            "server_name = 'a'\nservers = 5",
            "line 2, column 11: servers: 5 stands there, expected \
          is a list of tables: [[servers]]",
        ),
        (
            "server_name = 'a'\nservice_limits.connection_rate_max = -5",
            "line 2, column 38: \
          service_limits.connection_rate_max: -5 stands there, expected is a whole number from 0 \
          to 4294967295",
        ),
        ("server_name = 'a'\nserver_name = 'b'", "line 2, column 1: duplicate key"),
    ];
    for (text, expected) in cases {
        let said = said(text);
        assert!(said.starts_with(expected), "{text}\n{said}");
    }
    for (fields, expected) in [
        (
            "tls = 'Ofered'",
            "line 5, column 7: receive_connectors[0].tls: \"Ofered\" stands there, \
          expected is one of \"Off\", \"Offered\", \"Required\", \"Implicit\"; do you mean \
          \"Offered\"?",
        ),
        (
            "limits.hop_max = 3",
            "line 5, column 8: receive_connectors[0].limits: there is no field \
          hop_max; do you mean hops_max?",
        ),
        (
            "limits.idle_timeout = '5 minutes'",
            "line 5, column 23: \
          receive_connectors[0].limits.idle_timeout: \"5 minutes\" stands there, expected is a \
          time such as \"5 min\" (d, h, min, s, ms), or a number of seconds",
        ),
        (
            "limits.message_octets_max = '36 MB'",
            "line 5, column 29: \
          receive_connectors[0].limits.message_octets_max: \"36 MB\" stands there, expected is a \
          size such as \"36 MiB\" (KiB, MiB, GiB), or a number of octets",
        ),
        (
            "remote_ranges = ['10.0.0.0/8', '10.0.0.0/33']",
            "line 5, column 32: \
          receive_connectors[0].remote_ranges: \"10.0.0.0/33\" stands there, expected is addresses \
          such as \"10.0.0.0/8\", \"10.0.0.1-10.0.0.9\" or \"10.0.0.1\" (\"10.0.0.0/33\" is no \
          address range: the prefix length is no number that fits the address)",
        ),
        (
            "rights.anonymous = ['Relay']",
            "line 5, column 21: receive_connectors[0].rights.anonymous: \
          \"Relay\" stands there, expected is a right such as \"SMTP-Accept-Any-Recipient\" \
          (\"Relay\" is no right)",
        ),
    ] {
        assert_eq!(said(&with_receive(fields)), expected, "{fields}");
    }
}

#[test]
fn all_mistakes_of_a_text_are_told_in_its_order() {
    let text = with_receive("enabled = 1\nlimits.hops_max = 'x'\nport = 25");
    let errors = Configuration::from_toml(&text).unwrap_err();
    let places: Vec<_> = errors.iter().map(|error| (error.line, error.path.as_str())).collect();
    let all = [
        (5, "receive_connectors[0].enabled"),
        (6, "receive_connectors[0].limits.hops_max"),
        (7, "receive_connectors[0]"),
    ];
    assert_eq!(places, all);
}

#[test]
fn a_send_connector_goes_one_way() {
    let error = send("agent = 'a'\nsmart_hosts = ['mx.contoso.com']").unwrap_err();
    let expected = "line 6, column 1: send_connectors[0].smart_hosts: [\"mx.contoso.com\"] stands \
                    there, expected is no agent or drop_directory beside it";
    assert_eq!(error, expected);
    let error = send("agent = 'a'\ndrop_directory.path = '/d'").unwrap_err();
    assert!(error.starts_with("line 5, column 1: send_connectors[0].agent"), "{error}");
}

#[test]
fn a_password_has_no_place_in_a_file() {
    let error = send("smart_host_auth = { mechanism = 'BasicAuth', password = 'x' }").unwrap_err();
    assert!(error.contains("there is no field password"), "{error}");
    let error = send("smart_host_auth = { user = 'us', secret = 'x' }").unwrap_err();
    assert_eq!(error.matches("expected is the mechanism BasicAuthRequireTLS").count(), 2);
    let auth = send("smart_host_auth = { mechanism = 'BasicAuth', user = 'us', secret = 'x' }");
    let credential = Credential { user: "us".into(), secret: "x".into() };
    assert_eq!(auth.unwrap().smart_host_auth, SmartHostAuth::Basic(credential));
}

#[test]
fn mistakes_in_json_have_line_and_column_too() {
    let cases = [
        ("", "line 1, column 1: EOF while parsing a value"),
        ("[]", "line 1, column 1: expected a configuration, { to }"),
        (
            "{\n  \"server_name\": \"a\",\n  \"server_name\": \"a\"\n}",
            "line 3, column 3: duplicate \
          key server_name",
        ),
        ("{\n  \"server_name\": \"a\",\n}", "line 3, column 1: key must be a string"),
        (
            "{ \"server_name\": \"\u{e4}\", \"pickup\": { \"path\": null } }",
            "line 1, column 43: \
          pickup.path: null stands there, expected is a path in quotes",
        ),
        (
            "{ \"server_name\": \"a\", \"services\": [] }",
            "line 1, column 23: there is no field \
          services; do you mean servers?",
        ),
        (
            "{ \"server_name\": 1e3 }",
            "line 1, column 18: server_name: 1e3 stands there, expected \
          is a domain such as \"mx1.contoso.com\" in quotes",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(Configuration::from_json(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn schema_and_reference_know_every_field() {
    let mut connector = receive("");
    connector.limits = connector.limits.with_connections_max(1);
    let schema = Configuration::json_schema();
    let reference = Configuration::reference();
    for line in Configuration::new("a".parse().unwrap())
        .with_receive_connector(connector)
        .with_send_connector(SendConnector::internet())
        .with_pickup(PickupDirectory::new("/p"))
        .to_toml()
        .lines()
    {
        if let Some((field, _)) = line.split_once(" = ") {
            assert!(schema.contains(&format!("\"{field}\": {{")), "{field}");
            assert!(reference.contains(&format!("| `{field}` |")), "{field}");
        }
    }
    assert!(reference.contains("| `hops_max` | number | `60` |"), "{reference}");
    let strangers = "| `connections_max` | number | `5000` but for loopback peers |";
    assert!(reference.contains(strangers), "{reference}");
}

#[test]
fn what_lint_speaks_of_is_found_in_the_text() {
    let text = "server_name = 'a'\n\n[[accepted_domains]]\ndomain = '*.B\u{fc}cher.example'\n\n\
        [[accepted_domains]]\n domain = 'contoso.com'\n\n\
        [[receive_connectors]]\nname = 'in'\nbindings = []\n[receive_connectors.limits]\n\
        hops_max = 5\n[[receive_connectors]]\nname = 'in'\nbindings = ['[::]:25']\n";
    let place = |object, name: &str, field| {
        LintPlace { object, name: name.to_owned(), field }.find_in(text)
    };
    for (object, name, field, expected) in [
        (LintObject::Configuration, "", "", Some((1, 1))),
        (LintObject::Configuration, "", "pickup", Some((1, 1))),
        (LintObject::AcceptedDomain, "xn--bcher-kva.example", "domain", Some((4, 1))),
        (LintObject::AcceptedDomain, "*.xn--bcher-kva.example", "", Some((4, 1))),
        (LintObject::AcceptedDomain, "contoso.com", "kind", Some((7, 2))),
        (LintObject::ReceiveConnector, "in", "", Some((15, 1))),
        (LintObject::ReceiveConnector, "in", "bindings", Some((16, 1))),
        (LintObject::ReceiveConnector, "out", "", None),
        (LintObject::SendConnector, "in", "", None),
    ] {
        assert_eq!(place(object, name, field), expected, "{object} {name} {field}");
    }
    let json = "{\n \"server_name\": \"a\",\n \"remote_domains\": [{ \"pattern\": \"*\" }]\n}";
    let any = LintPlace { object: LintObject::RemoteDomain, name: "*".into(), field: "pattern" };
    assert_eq!(any.find_in(json), Some((3, 23)));
}
