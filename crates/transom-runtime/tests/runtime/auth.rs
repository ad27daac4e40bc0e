//! AUTH through a whole transport: who logs in may relay, and nobody else.

use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use transom_agent::{
    AuthenticationAnswer, Authenticator, PasswordQuestion, Questions, ScramAnswer, async_trait,
};
use transom_connector::{Permissions, ReceiveConnector, ReceiveTls, Rights};
use transom_runtime::{Certificate, Transport};
use transom_smtp::client::{ClientConfig, ClientEvent, ClientOutput, ClientSession};
use transom_smtp::codec::HelloName;
use transom_smtp::sasl::{Channel, Credentials, Nonce};
use transom_types::scram::ScramVerifier;
use transom_types::{Principal, RemoteHost, Secret};

use crate::support::{Client, Events, address, anywhere, bare, message, stop};
use crate::tls::{handshake, secured, write_certificate};

/// alice has a password, and the database is down for bob.
pub(crate) struct Users;

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

pub(crate) const ALICE: &str = "AUTH PLAIN AGFsaWNlAHNlY3JldA==";
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
    let rights = Rights::EXCHANGE_USERS | Rights::ACCEPT_ANY_SENDER;
    let transport = start(&events, &chain, &key, rights).await;
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

/// Has a verifier of alice's password and nothing else.
struct Verifiers;

#[async_trait]
impl Authenticator for Verifiers {
    fn answers(&self) -> Questions {
        Questions::default().with_password(false).with_scram_verifier(true)
    }

    async fn scram_verifier(&self, user: &str, _acting_as: Option<&str>) -> ScramAnswer {
        let password = Secret::new(*b"secret");
        let verifier = ScramVerifier::derive(&password, b"0123456789abcdef", 4096).unwrap();
        match Principal::new(user) {
            Ok(alice) if user == "alice" => ScramAnswer::Known(verifier, alice),
            _ => ScramAnswer::Unknown,
        }
    }
}

/// Logs in with our own client; true where that worked. `change` is what somebody between both
/// would do to the binding.
async fn scram_plus(transport: &Transport, chain: &Path, change: u8) -> bool {
    let tcp = tokio::net::TcpStream::connect(address(transport)).await.unwrap();
    let (mut stream, mut exported) = handshake(Box::new(tcp), chain).await;
    exported[0] ^= change;
    let remote = RemoteHost { name: "mx.contoso.example".into(), address: None };
    let alice = Principal::new("alice").unwrap();
    let config = ClientConfig::new(HelloName::new("c.example").unwrap().into_owned(), remote)
        .with_implicit_tls(true)
        .with_credentials(Credentials::password(alice, Secret::new(*b"secret")))
        .with_nonce(Nonce::new([3; 18]));
    #[expect(clippy::disallowed_methods, reason = "the client's clock")]
    let now = std::time::Instant::now();
    let mut client = ClientSession::new(config, now);
    client.set_channel(Channel::default().with_tls_exporter(exported));
    let (mut unread, mut out, mut said) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let step = client.poll(now, &unread, &mut out);
        unread.drain(..step.consumed);
        match step.output {
            ClientOutput::Event(ClientEvent::Ready) => {
                assert!(String::from_utf8_lossy(&said).contains("AUTH SCRAM-SHA-256-PLUS "));
                return client.is_authenticated();
            }
            ClientOutput::Wait(_) => {
                stream.write_all(&out).await.unwrap();
                stream.flush().await.unwrap();
                said.append(&mut out);
                assert_ne!(stream.read_buf(&mut unread).await.unwrap(), 0);
            }
            _ => return false,
        }
    }
}

#[tokio::test]
async fn login_is_bound_to_the_tls_session() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_certificate(folder.path());
    let permissions = Permissions::anonymous_users().with_authenticated(Rights::EXCHANGE_USERS);
    let connector = ReceiveConnector::internet(anywhere())
        .with_tls(ReceiveTls::Implicit)
        .with_permissions(permissions);
    let transport = bare(&Events::default())
        .receive_connector(connector)
        .certificate(Certificate::from_pem_files(&chain, &key).unwrap())
        .authenticator(Verifiers)
        .start()
        .await
        .unwrap();
    assert!(scram_plus(&transport, &chain, 0).await);
    assert!(!scram_plus(&transport, &chain, 1).await);
    stop(transport).await;
}
