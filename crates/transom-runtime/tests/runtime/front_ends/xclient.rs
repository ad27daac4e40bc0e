//! XCLIENT: who may say it, and what is left of what was before.

use transom_agent::{AuthenticationAnswer, Authenticator, PasswordQuestion, async_trait};
use transom_connector::{Permissions, ReceiveLimits, ReceiveTls, Rights};
use transom_runtime::Certificate;
use transom_tracking::EventId;
use transom_types::Principal;

use super::{
    BALANCER, ELSEWHERE, INSIDE, OUTSIDE, PROXY, STRANGER, internet, relays, saying, started,
    transport, v1, xclient,
};
use crate::support::{Client, Events, Mailbox, address, message, stop};
use crate::tls::{secured, write_certificate};

// attacks.md 23
#[tokio::test]
async fn xclient_is_for_trusted_peers_alone() {
    let transport = started().await;
    let to = address(&transport);
    // A client behind a trusted balancer is no trusted proxy.
    for (source, header) in [(STRANGER, Vec::new()), (BALANCER, v1(OUTSIDE))] {
        let (mut client, _) = saying(source, to, &header).await;
        let offers = client.expect("EHLO client.example", "250").await;
        assert!(!offers.contains("XCLIENT") && !offers.contains("XFORWARD"), "{offers}");
        client.expect(&format!("XCLIENT ADDR={INSIDE}"), "550 5.7.0").await;
        client.expect(&format!("XFORWARD ADDR={INSIDE}"), "550 5.7.0").await;
        assert!(!relays(&mut client).await);
    }
    // A client of a trusted proxy is none either.
    let (mut client, _) = xclient(to, OUTSIDE).await;
    let offers = client.expect("EHLO client.example", "250").await;
    assert!(!offers.contains("XCLIENT"), "{offers}");
    client.expect(&format!("XCLIENT ADDR={INSIDE}"), "550 5.7.0").await;
    assert!(!relays(&mut client).await);
    stop(transport).await;
}

// attacks.md 23
#[tokio::test]
async fn xclient_is_refused_in_a_transaction() {
    let transport = started().await;
    let (mut proxy, _) = saying(PROXY, address(&transport), b"").await;
    proxy.expect("EHLO proxy.example", "250").await;
    proxy.expect("MAIL FROM:<a@client.example>", "250").await;
    proxy.expect(&format!("XCLIENT ADDR={INSIDE}"), "503").await;
    proxy.expect(ELSEWHERE, "550 5.7.1").await;
    proxy.expect("RCPT TO:<b@contoso.example>", "250").await;
    proxy.expect(&format!("XCLIENT ADDR={INSIDE}"), "503").await;
    stop(transport).await;
}

// attacks.md 23
#[tokio::test]
async fn commands_behind_xclient_are_not_taken_for_the_new_client() {
    let transport = started().await;
    let (mut proxy, _) = saying(PROXY, address(&transport), b"").await;
    proxy.expect("EHLO proxy.example", "250").await;
    proxy.write(format!("XCLIENT ADDR={INSIDE}\r\nEHLO a\r\n").as_bytes()).await;
    let reply = proxy.reply().await;
    assert!(reply.starts_with("554 5.5.0"), "{reply}");
    proxy.closed().await;
    stop(transport).await;
}

#[tokio::test]
async fn connection_that_speaks_for_another_takes_one_place() {
    let limits = ReceiveLimits::default().with_connections_max(1);
    let connector = internet().with_limits(limits);
    let transport = transport(&Events::default(), &Mailbox::default(), connector);
    let transport = transport.start().await.unwrap();
    let (_client, greeting) = xclient(address(&transport), OUTSIDE).await;
    assert!(greeting.starts_with("220 "), "{greeting}");
    // It still counts.
    let (_, reply) = saying(STRANGER, address(&transport), b"").await;
    assert!(reply.starts_with("421 4.3.2"), "{reply}");
    stop(transport).await;
}

/// Everybody is alice.
struct Alice;

#[async_trait]
impl Authenticator for Alice {
    async fn password(&self, _: PasswordQuestion<'_>) -> AuthenticationAnswer {
        AuthenticationAnswer::Known(Principal::new("alice").unwrap())
    }
}

// attacks.md 23
#[tokio::test]
async fn xclient_leaves_nothing_of_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_certificate(folder.path());
    let users = Rights::EXCHANGE_USERS | Rights::ACCEPT_ANY_SENDER;
    let permissions = Permissions::anonymous_users().with_authenticated(users);
    let connector = internet().with_tls(ReceiveTls::Offered).with_permissions(permissions);
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = transport(&events, &mailbox, connector)
        .certificate(Certificate::from_pem_files(&chain, &key).unwrap())
        .authenticator(Alice)
        .suspend_delivery(true)
        .start()
        .await
        .unwrap();
    let (mut client, _) = saying(PROXY, address(&transport), b"").await;
    client.expect("EHLO proxy.example", "250").await;
    client.expect("STARTTLS", "220").await;
    let mut client = Client::over(secured(client.into_stream(), &chain).await);
    client.expect("EHLO proxy.example", "250").await;
    client.expect("AUTH PLAIN AGFsaWNlAHNlY3JldA==", "235").await;
    client.expect("MAIL FROM:<a@client.example>", "250").await;
    client.expect(ELSEWHERE, "250").await;
    client.expect("RSET", "250").await;
    // A name that the proxy tells is no login, and what came before counts no more.
    client.expect(&format!("XCLIENT ADDR={OUTSIDE} LOGIN=alice HELO=x"), "220").await;
    client.expect("MAIL FROM:<a@client.example>", "503").await;
    assert!(!relays(&mut client).await);
    client.submit("a@client.example", &["b@contoso.example"], &message("as nobody")).await;
    events.wait(EventId::Receive, 1).await;
    let received = &events.of(EventId::Receive)[0];
    assert_eq!(received.client.ip, Some(OUTSIDE.parse().unwrap()));
    assert_eq!(received.client.hostname.as_deref(), Some("client.example"));
    // The connection is in TLS as before, and the client may log in for itself.
    assert!(received.source_context.as_ref().unwrap().contains("version=TLS1_3"));
    client.expect("AUTH PLAIN AGFsaWNlAHNlY3JldA==", "235").await;
    assert!(relays(&mut client).await);
    stop(transport).await;
}
