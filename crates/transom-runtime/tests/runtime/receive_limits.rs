//! What a receive connector promises, over real sockets.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsConnector;
use transom_agent::{
    Directory, DirectoryAnswer, DirectoryEntry, DirectoryUnavailable, RecipientPolicy,
};
use transom_connector::{
    AcceptedDomain, MessageRateSource, Permissions, PrincipalKind, ReceiveAuth, ReceiveConnector,
    ReceiveLimits, ReceiveTls, Rights, ServiceLimits,
};
use transom_runtime::{Certificate, StartError, Transport, TrustedRoots, rustls};
use transom_types::Mailbox as Address;

use crate::auth::{ALICE, Users};
use crate::support::{Client, Duplex, Events, Mailbox, address, anywhere, bare, stop};
use crate::tls::write_certificate;

const MAIL: &str = "MAIL FROM:<a@client.example>";

fn internet() -> ReceiveConnector {
    ReceiveConnector::internet(anywhere())
}

async fn start(connector: ReceiveConnector) -> Transport {
    bare(&Events::default())
        .receive_connector(connector)
        .delivery_agent("mailbox", ["contoso.example"], Mailbox::default())
        .authenticator(Users)
        .start()
        .await
        .unwrap()
}

/// A connector where users log in without TLS.
fn for_users(rights: Rights) -> ReceiveConnector {
    let permissions = Permissions::none().with_authenticated(rights);
    internet().with_auth(ReceiveAuth::DangerClear).with_permissions(permissions)
}

const USER: Rights = Rights::EXCHANGE_SERVERS;

#[tokio::test]
async fn service_lets_in_so_many_connections_a_minute() {
    let limits = ServiceLimits::default().with_connection_rate_max(3);
    let transport = bare(&Events::default())
        .receive_connector(internet())
        .service_limits(limits)
        .start()
        .await
        .unwrap();
    for _ in 0..3 {
        Client::greeted(address(&transport)).await;
    }
    let (mut client, greeting) = Client::connect(address(&transport)).await;
    assert!(greeting.starts_with("421 4.3.2"), "{greeting}");
    client.closed().await;
    stop(transport).await;
}

#[tokio::test]
async fn source_gets_a_share_of_the_connections_that_are_left() {
    let limits = ReceiveLimits::default()
        .with_connections_max(10)
        .with_connections_percent_per_source_max(30);
    let transport = start(internet().with_limits(limits)).await;
    let mut open = Vec::new();
    let refused = loop {
        let (client, greeting) = Client::connect(address(&transport)).await;
        if !greeting.starts_with("220") {
            break greeting;
        }
        open.push(client);
    };
    // 30 per cent of 10, of 9, of 8: the third is one too many.
    assert_eq!(open.len(), 2);
    assert!(refused.starts_with("421 4.3.2"), "{refused}");
    stop(transport).await;
}

#[tokio::test]
async fn last_failed_logon_ends_the_session_and_zero_never_does() {
    let wrong = "AUTH PLAIN AGFsaWNlAHdyb25n";
    let limits = ReceiveLimits::default().with_logon_failures_max(2);
    let transport = start(for_users(USER).with_limits(limits)).await;
    let mut client = Client::ready(address(&transport)).await;
    client.expect(wrong, "535 5.7.8").await;
    client.expect(wrong, "421 4.7.0").await;
    client.closed().await;
    stop(transport).await;
    let limits = ReceiveLimits::default()
        .with_logon_failures_max(0)
        .with_protocol_errors_max(100)
        .with_auth_tarpit_interval(Duration::ZERO);
    let transport = start(for_users(USER).with_limits(limits)).await;
    let mut client = Client::ready(address(&transport)).await;
    for _ in 0..6 {
        client.expect(wrong, "535 5.7.8").await;
    }
    client.expect(ALICE, "235").await;
    stop(transport).await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the reply is late on purpose")]
async fn failed_logon_is_answered_late() {
    let wait = Duration::from_millis(400);
    let limits = ReceiveLimits::default().with_auth_tarpit_interval(wait);
    let transport = start(for_users(USER).with_limits(limits)).await;
    let mut client = Client::ready(address(&transport)).await;
    let start = Instant::now();
    client.expect("AUTH PLAIN AGFsaWNlAHdyb25n", "535").await;
    assert!(start.elapsed() >= wait, "{:?}", start.elapsed());
    stop(transport).await;
}

#[tokio::test]
async fn who_has_logged_in_may_err_more_often() {
    let limits = ReceiveLimits::default()
        .with_protocol_errors_max(1)
        .with_authenticated_protocol_errors_max(4);
    let transport = start(for_users(USER).with_limits(limits)).await;
    let errors = async |mut client: Client| {
        let mut count = 0;
        while client.say("NONSENSE").await.starts_with('5') {
            count += 1;
        }
        count
    };
    assert_eq!(errors(Client::ready(address(&transport)).await).await, 1);
    let mut client = Client::ready(address(&transport)).await;
    client.expect(ALICE, "235").await;
    assert_eq!(errors(client).await, 4);
    stop(transport).await;
}

#[tokio::test]
async fn message_above_the_rate_ends_the_session() {
    let limits = ReceiveLimits::default().with_message_rate(Some(2), MessageRateSource::IpAddress);
    let transport = start(internet().with_limits(limits)).await;
    let mut client = Client::ready(address(&transport)).await;
    for _ in 0..2 {
        client.expect(MAIL, "250").await;
        client.expect("RSET", "250").await;
    }
    client.expect(MAIL, "421 4.4.2").await;
    client.closed().await;
    // Another session is of the same source.
    let mut client = Client::ready(address(&transport)).await;
    client.expect(MAIL, "421 4.4.2").await;
    stop(transport).await;
}

#[tokio::test]
async fn right_to_exceed_the_size_comes_with_the_login() {
    let limits = ReceiveLimits::default().with_message_octets_max(1_000);
    let permissions = Permissions::anonymous_users().with_authenticated(USER);
    let connector = internet()
        .with_auth(ReceiveAuth::DangerClear)
        .with_permissions(permissions)
        .with_limits(limits);
    let transport = start(connector).await;
    let mut client = Client::greeted(address(&transport)).await;
    let offers = client.expect("EHLO client.example", "250").await;
    assert!(offers.contains("SIZE 1000"), "{offers}");
    client.expect(&format!("{MAIL} SIZE=2000"), "552 5.3.4").await;
    client.expect(ALICE, "235").await;
    let content = format!("Subject: x\r\n\r\n{}", "0123456789012345678\r\n".repeat(100));
    let reply = client.submit("a@client.example", &["b@contoso.example"], content.as_bytes()).await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    stop(transport).await;
}

// Checklist A5, over the wire.
#[tokio::test]
async fn each_verb_is_refused_for_what_the_connector_wants() {
    let connector = internet()
        .with_require_ehlo_domain(true)
        .with_reject_reserved_top_level(true)
        .with_reject_single_label(true);
    let transport = bare(&Events::default())
        .accepted_domain(AcceptedDomain::authoritative("*.test").unwrap())
        .accepted_domain(AcceptedDomain::authoritative("single").unwrap())
        .receive_connector(connector)
        .suspend_delivery(true)
        .start()
        .await
        .unwrap();
    let mut client = Client::greeted(address(&transport)).await;
    client.expect("EHLO [127.0.0.1]", "501 5.5.4").await;
    client.expect("EHLO client.example", "250").await;
    client.expect(MAIL, "250").await;
    client.expect("RCPT TO:<a@contoso.test>", "550 5.1.4").await;
    client.expect("RCPT TO:<a@single>", "550 5.1.6").await;
    client.expect("RCPT TO:<a@elsewhere.org>", "550 5.7.1").await;
    stop(transport).await;
}

#[tokio::test]
async fn nobody_submits_where_only_users_may() {
    let transport = start(for_users(Rights::EXCHANGE_USERS)).await;
    let mut client = Client::ready(address(&transport)).await;
    client.expect(MAIL, "530 5.7.1").await;
    client.expect(ALICE, "235").await;
    client.expect(MAIL, "550 5.7.1").await;
    client.expect("MAIL FROM:<alice@contoso.example>", "250").await;
    client.expect("RCPT TO:<x@elsewhere.example>", "250").await;
    stop(transport).await;
}

#[tokio::test]
async fn bare_newlines_are_mended_where_the_connector_says_so() {
    let events = Events::default();
    let mailbox = Mailbox::default();
    let transport = bare(&events)
        .receive_connector(for_users(USER).danger_normalize_bare_newlines(true))
        .delivery_agent("mailbox", ["contoso.example"], mailbox.clone())
        .authenticator(Users)
        .start()
        .await
        .unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect(ALICE, "235").await;
    let content = b"Subject: bare\n\none\ntwo\r\n";
    let reply = client.submit("a@client.example", &["b@contoso.example"], content).await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    let read = mailbox.read("b@contoso.example").await;
    assert!(read.ends_with("Subject: bare\r\n\r\none\r\ntwo\r\n"), "{read}");
    stop(transport).await;
}

#[tokio::test]
async fn trusted_network_has_its_rights_from_the_greeting_on() {
    let rights = Rights::EXTERNALLY_SECURED;
    let permissions = Permissions::none().with_rights(PrincipalKind::ExternallySecured, rights);
    let connector = internet()
        .with_auth(ReceiveAuth::ExternalAuthoritative)
        .with_remote_ranges(vec!["127.0.0.0/8".parse().unwrap()])
        .with_permissions(permissions);
    let transport = start(connector).await;
    let mut client = Client::greeted(address(&transport)).await;
    let offers = client.expect("EHLO client.example", "250").await;
    assert!(!offers.contains("AUTH"), "{offers}");
    client.expect("MAIL FROM:<ceo@contoso.example>", "250").await;
    client.expect("RCPT TO:<x@elsewhere.example>", "250").await;
    stop(transport).await;
}

/// A certificate for `name`, signed by itself, in files.
fn certificate_of(name: &str, folder: &Path) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    std::fs::write(folder.join(name), made.cert.pem()).unwrap();
    (made.cert.der().clone(), PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into()))
}

/// The handshake of a client that shows a certificate.
async fn showing(
    stream: Box<dyn Duplex>,
    trusted: &Path,
    (certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
) -> Box<dyn Duplex> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .unwrap();
    let name = "mx.contoso.example".to_owned().try_into().unwrap();
    Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap())
}

#[tokio::test]
async fn certificate_makes_a_partner_and_a_made_up_one_makes_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_certificate(folder.path());
    let partner = certificate_of("partner.example", folder.path());
    let roots = TrustedRoots::from_pem_file(&folder.path().join("partner.example")).unwrap();
    // The same name, but nobody trusts who signed it.
    let made_up = certificate_of("partner.example", folder.path());
    let permissions = Permissions::none().with_rights(PrincipalKind::Partner, Rights::PARTNERS);
    let connector = internet()
        .with_tls(ReceiveTls::Offered)
        .with_partner_domains(vec!["partner.example".parse().unwrap()])
        .with_permissions(permissions);
    let builder = || {
        bare(&Events::default())
            .receive_connector(connector.clone())
            .certificate(Certificate::from_pem_files(&chain, &key).unwrap())
    };
    let error = builder().start().await.unwrap_err();
    assert!(matches!(error, StartError::NoTrustedRoots { .. }), "{error}");
    let transport = builder().trusted_roots(roots).start().await.unwrap();
    for (shown, reply) in [(partner, "250"), (made_up, "530 5.7.1")] {
        let mut client = Client::ready(address(&transport)).await;
        client.expect("MAIL FROM:<x@partner.example>", "530 5.7.1").await;
        client.expect("STARTTLS", "220").await;
        let mut client = Client::over(showing(client.into_stream(), &chain, shown).await);
        client.expect("EHLO partner.example", "250").await;
        client.expect("MAIL FROM:<x@partner.example>", reply).await;
        if reply == "250" {
            client.expect("RCPT TO:<x@elsewhere.example>", "550 5.7.1").await;
            client.expect("RSET", "250").await;
            client.expect("MAIL FROM:<x@client.example>", "550 5.7.1").await;
        }
    }
    stop(transport).await;
}

/// The house has rules.
struct House;

#[transom_agent::async_trait]
impl Directory for House {
    async fn lookup(&self, mailbox: &Address) -> Result<DirectoryAnswer, DirectoryUnavailable> {
        let policy = RecipientPolicy::default();
        let policy = match mailbox.local_part().as_str() {
            "known" => return Ok(DirectoryAnswer::Known),
            "broken" => return Err(DirectoryUnavailable::new("no connection")),
            "inner" => policy.authenticated_only(),
            "friends" => policy.with_accept_only_from(["friend@client.example".parse().unwrap()]),
            "small" => policy.with_receive_octets_max(1_000),
            _ => return Ok(DirectoryAnswer::Unknown),
        };
        Ok(DirectoryEntry::mailbox().with_policy(policy).into())
    }
}

// Checklist A7: nothing that can be known at RCPT becomes a report later.
#[tokio::test]
async fn policies_of_recipients_are_kept_at_rcpt() {
    let events = Events::default();
    let permissions = Permissions::anonymous_users().with_authenticated(USER);
    let connector = internet().with_auth(ReceiveAuth::DangerClear).with_permissions(permissions);
    let transport = bare(&events)
        .receive_connector(connector)
        .accepted_domain(AcceptedDomain::internal_relay("relay.example").unwrap())
        .authenticator(Users)
        .directory(House)
        .suspend_delivery(true)
        .start()
        .await
        .unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect(&format!("{MAIL} SIZE=2000"), "250").await;
    client.expect("RCPT TO:<known@contoso.example>", "250").await;
    client.expect("RCPT TO:<nobody@contoso.example>", "550 5.1.1").await;
    client.expect("RCPT TO:<nobody@relay.example>", "250").await;
    client.expect("RCPT TO:<broken@contoso.example>", "451 4.3.0").await;
    client.expect("RCPT TO:<inner@contoso.example>", "550 5.7.1").await;
    client.expect("RCPT TO:<friends@contoso.example>", "550 5.7.1").await;
    client.expect("RCPT TO:<small@contoso.example>", "552 5.2.3").await;
    client.expect("RSET", "250").await;
    // What did not tell its size is refused when it is known.
    let large = format!("Subject: x\r\n\r\n{}", "0123456789012345678\r\n".repeat(100));
    let to = ["small@contoso.example"];
    let reply = client.submit("friend@client.example", &to, large.as_bytes()).await;
    assert!(reply.starts_with("552 5.2.3"), "{reply}");
    client.expect("MAIL FROM:<friend@client.example>", "250").await;
    client.expect("RCPT TO:<friends@contoso.example>", "250").await;
    client.expect("RSET", "250").await;
    client.expect(ALICE, "235").await;
    client.expect(MAIL, "250").await;
    client.expect("RCPT TO:<inner@contoso.example>", "250").await;
    stop(transport).await;
}
