//! Whose words replies have, and what a transport offers.

use std::time::{Duration, Instant, SystemTime};

use transom_agent::{AuthenticationAnswer, Authenticator, PasswordQuestion, async_trait};
use transom_connector::{
    Permissions, ReceiveConnector, ReceiveLimits, ReceiveProtocol, ReceiveTls, ReplyProfile, Rights,
};
use transom_runtime::{Certificate, Clock, SystemClock, Transport};

use crate::support::{Client, Events, address, anywhere, bare, message, stop};
use crate::tls::{secured, write_certificate};

/// The wall clock stands still.
#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Instant {
        SystemClock::default().now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_713_524_405)
    }
}

fn exchange() -> ReceiveConnector {
    ReceiveConnector::internet(anywhere()).with_reply_profile(ReplyProfile::Exchange)
}

async fn start(connector: ReceiveConnector) -> Transport {
    bare(&Events::default())
        .receive_connector(connector)
        .suspend_delivery(true)
        .clock(Noon)
        .start()
        .await
        .unwrap()
}

// A25
#[tokio::test]
async fn exchange_profile_greets_and_refuses_as_exchange_does() {
    let transport = start(exchange()).await;
    let (mut client, greeting) = Client::connect(address(&transport)).await;
    let banner = "220 mx.contoso.example Microsoft ESMTP MAIL Service ready at \
                  Fri, 19 Apr 2024 11:00:05 +0000";
    assert_eq!(greeting, banner);
    let offers = client.expect("EHLO client.example", "250").await;
    let keywords: Vec<&str> = offers.lines().map(|line| line.get(4..).unwrap()).collect();
    let expected = [
        "mx.contoso.example Hello [127.0.0.1]",
        "SIZE 37748736",
        "PIPELINING",
        "ENHANCEDSTATUSCODES",
        "8BITMIME",
        "CHUNKING",
        "SMTPUTF8",
    ];
    assert_eq!(keywords[..expected.len()], expected);
    let exact = [
        ("MAIL FROM:<a@client.example>", "250 2.1.0 Sender OK"),
        (
            "RCPT TO:<b@elsewhere.example>",
            "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
        ),
        ("RCPT TO:<b@contoso.example>", "250 2.1.5 Recipient OK"),
        ("DATA", "354 Start mail input; end with <CRLF>.<CRLF>"),
    ];
    for (command, reply) in exact {
        assert_eq!(client.say(command).await, reply, "{command}");
    }
    client.write(&message("words")).await;
    let reply = client.say(".").await;
    assert!(reply.starts_with("250 2.6.0 <words@client.example> [InternalId="), "{reply}");
    let end = ", Hostname=mx.contoso.example] Queued mail for delivery";
    assert!(reply.ends_with(end), "{reply}");
    let bye = client.say("QUIT").await;
    assert_eq!(bye, "221 2.0.0 Service closing transmission channel");
    stop(transport).await;
}

// A25
#[tokio::test]
async fn exchange_profile_refuses_senders_in_its_words() {
    let no_rights = Permissions::none();
    let not_ours = Permissions::none().with_anonymous(Rights::SUBMIT);
    for (permissions, sender, reply) in [
        (
            no_rights,
            "a@client.example",
            "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM",
        ),
        (
            not_ours,
            "a@contoso.example",
            "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        ),
    ] {
        let transport = start(exchange().with_permissions(permissions)).await;
        let mut client = Client::ready(address(&transport)).await;
        assert_eq!(client.say(&format!("MAIL FROM:<{sender}>")).await, reply);
        stop(transport).await;
    }
}

#[tokio::test]
async fn plain_profile_tells_no_time_and_names_no_product() {
    let transport = start(ReceiveConnector::internet(anywhere())).await;
    let (mut client, greeting) = Client::connect(address(&transport)).await;
    assert_eq!(greeting, "220 mx.contoso.example ESMTP service ready");
    let offers = client.expect("EHLO client.example", "250").await;
    assert_eq!(offers.lines().next(), Some("250-mx.contoso.example"));
    stop(transport).await;
}

#[tokio::test]
async fn banner_of_the_connector_stands_in_either_profile() {
    for connector in [exchange(), ReceiveConnector::internet(anywhere())] {
        let transport = start(connector.with_banner("at your service")).await;
        let (_, greeting) = Client::connect(address(&transport)).await;
        assert_eq!(greeting, "220 mx.contoso.example at your service");
        stop(transport).await;
    }
}

#[tokio::test]
async fn switches_of_the_connector_decide_what_is_offered() {
    let mut connector = ReceiveConnector::internet(anywhere());
    connector.extensions.size_told = false;
    connector.extensions.limits = false;
    connector.extensions.chunking = false;
    let transport = start(connector).await;
    let mut client = Client::greeted(address(&transport)).await;
    let offers = client.expect("EHLO client.example", "250").await;
    let keywords: Vec<&str> = offers.lines().skip(1).map(|line| line.get(4..).unwrap()).collect();
    assert!(keywords.contains(&"SIZE"), "{offers}");
    assert!(!offers.contains("LIMITS") && !offers.contains("CHUNKING"), "{offers}");
    // What is not told holds all the same.
    client.expect("MAIL FROM:<a@client.example> SIZE=37748737", "552 5.3.4").await;
    stop(transport).await;
}

#[tokio::test]
async fn size_that_is_not_offered_is_a_limit_all_the_same() {
    let limits = ReceiveLimits::default().with_message_octets_max(10_000);
    let mut connector = ReceiveConnector::internet(anywhere()).with_limits(limits);
    connector.extensions.size = false;
    let transport = start(connector).await;
    let mut client = Client::greeted(address(&transport)).await;
    let offers = client.expect("EHLO client.example", "250").await;
    assert!(!offers.contains("SIZE"), "{offers}");
    let content = format!("\r\n{}", "0123456789012345678\r\n".repeat(700));
    let found = client.submit("a@client.example", &["b@contoso.example"], content.as_bytes()).await;
    assert!(found.starts_with("552 5.3.4"), "{found}");
    stop(transport).await;
}

struct Nobody;

#[async_trait]
impl Authenticator for Nobody {
    async fn password(&self, _: PasswordQuestion<'_>) -> AuthenticationAnswer {
        AuthenticationAnswer::Denied
    }
}

#[tokio::test]
async fn nothing_is_offered_that_delivery_does_not_keep_to() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_certificate(folder.path());
    let permissions = Permissions::anonymous_users().with_authenticated(Rights::EXCHANGE_USERS);
    for (protocol, hello) in [(ReceiveProtocol::Smtp, "EHLO"), (ReceiveProtocol::Lmtp, "LHLO")] {
        let connector = ReceiveConnector::internet(anywhere())
            .with_tls(ReceiveTls::Implicit)
            .with_protocol(protocol)
            .with_limits(ReceiveLimits::default().with_protocol_errors_max(20))
            .with_permissions(permissions)
            .with_xclient_networks(vec!["127.0.0.1".parse().unwrap()]);
        let transport = bare(&Events::default())
            .receive_connector(connector)
            .certificate(Certificate::from_pem_files(&chain, &key).unwrap())
            .authenticator(Nobody)
            .start()
            .await
            .unwrap();
        let stream = tokio::net::TcpStream::connect(address(&transport)).await.unwrap();
        let mut client = Client::over(secured(Box::new(stream), &chain).await);
        client.reply().await;
        let offers = client.expect(&format!("{hello} client.example"), "250").await;
        assert!(offers.contains("AUTH") && offers.contains("XCLIENT"), "all that can be: {offers}");
        let kept = [
            "DSN",
            "REQUIRETLS",
            "DELIVERBY",
            "FUTURERELEASE",
            "MT-PRIORITY",
            "RRVS",
            "BINARYMIME",
            "ETRN",
            "EXPN",
            "XFORWARD",
        ];
        for keyword in kept {
            assert!(!offers.contains(keyword), "{keyword}: {offers}");
        }
        for parameter in [
            "RET=HDRS",
            "ENVID=x",
            "REQUIRETLS",
            "BY=60;R",
            "HOLDFOR=60",
            "MT-PRIORITY=1",
            "BODY=BINARYMIME",
        ] {
            client.expect(&format!("MAIL FROM:<a@client.example> {parameter}"), "555").await;
        }
        stop(transport).await;
    }
}
