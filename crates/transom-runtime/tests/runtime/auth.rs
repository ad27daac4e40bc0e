//! AUTH through a whole transport: who logs in may relay, and nobody else.

use std::path::Path;

use transom_agent::{AuthenticationAnswer, Authenticator, PasswordQuestion, async_trait};
use transom_connector::{Permissions, ReceiveConnector, ReceiveTls, Rights};
use transom_runtime::{Certificate, Transport};
use transom_types::{Principal, Secret};

use crate::support::{Client, Events, address, anywhere, bare, message, stop};
use crate::tls::{secured, write_certificate};

/// alice has a password, and the database is down for bob.
struct Users;

#[async_trait]
impl Authenticator for Users {
    async fn password(&self, question: PasswordQuestion<'_>) -> AuthenticationAnswer {
        match question.user {
            "alice" if question.password == &Secret::new(*b"secret") => {
                AuthenticationAnswer::Known(Principal::new("alice").unwrap())
            }
            "bob" => AuthenticationAnswer::Unavailable { reason: "it is down".to_owned() },
            _ => AuthenticationAnswer::Denied,
        }
    }
}

const ALICE: &str = "AUTH PLAIN AGFsaWNlAHNlY3JldA==";
const BOB: &str = "AUTH PLAIN AGJvYgBzZWNyZXQ=";
const ELSEWHERE: &str = "x@elsewhere.example";

async fn start(events: &Events, chain: &Path, key: &Path, authenticated: Rights) -> Transport {
    let permissions = Permissions::anonymous_users().with_authenticated(authenticated);
    let connector = ReceiveConnector::internet(anywhere())
        .with_tls(ReceiveTls::Offered)
        .with_permissions(permissions);
    bare(events)
        .receive_connector(connector)
        .certificate(Certificate::from_pem_files(chain, key).unwrap())
        .authenticator(Users)
        .suspend_delivery(true)
        .start()
        .await
        .unwrap()
}

/// A client in TLS that has said EHLO, and what was offered to it.
async fn in_tls(transport: &Transport, chain: &Path) -> (Client, String) {
    let mut client = Client::greeted(address(transport)).await;
    let offers = client.expect("EHLO client.example", "250").await;
    assert!(!offers.contains("AUTH"), "nothing is offered in the clear: {offers}");
    client.expect("STARTTLS", "220").await;
    let mut client = Client::over(secured(client.into_stream(), chain).await);
    let offers = client.expect("EHLO client.example", "250").await;
    (client, offers)
}

#[tokio::test]
async fn who_logs_in_may_relay_and_the_next_session_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_certificate(folder.path());
    let events = Events::default();
    let transport = start(&events, &chain, &key, Rights::EXCHANGE_USERS).await;
    let (mut client, offers) = in_tls(&transport, &chain).await;
    let auth = offers.lines().find(|line| line.contains("AUTH"));
    assert_eq!(auth, Some("250-AUTH PLAIN LOGIN"), "no more than can be answered");
    client.expect("MAIL FROM:<alice@client.example>", "250").await;
    client.expect(&format!("RCPT TO:<{ELSEWHERE}>"), "550 5.7.1").await;
    client.expect("RSET", "250").await;
    client.expect(ALICE, "235 2.7.0").await;
    let reply = client.submit("alice@client.example", &[ELSEWHERE], &message("by alice")).await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    let (mut other, _) = in_tls(&transport, &chain).await;
    other.expect("MAIL FROM:<alice@client.example>", "250").await;
    other.expect(&format!("RCPT TO:<{ELSEWHERE}>"), "550 5.7.1").await;
    stop(transport).await;
}

#[tokio::test]
async fn database_that_is_down_is_no_wrong_password() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_certificate(folder.path());
    let events = Events::default();
    let transport = start(&events, &chain, &key, Rights::EXCHANGE_USERS).await;
    let (mut client, _) = in_tls(&transport, &chain).await;
    client.expect(BOB, "454 4.7.0").await;
    client.expect(ALICE, "235 2.7.0").await;
    client.expect(ALICE, "503 5.5.1").await;
    stop(transport).await;
}

#[tokio::test]
async fn connector_without_rights_for_users_offers_no_auth() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_certificate(folder.path());
    let events = Events::default();
    let transport = start(&events, &chain, &key, Rights::NONE).await;
    let (mut client, offers) = in_tls(&transport, &chain).await;
    assert!(!offers.contains("AUTH"), "{offers}");
    client.expect(ALICE, "502 5.5.1").await;
    stop(transport).await;
}
