//! TLS both ways.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use transom_connector::{ReceiveConnector, ReceiveTls, SendTls};
use transom_runtime::{Certificate, StartError, rustls};
use transom_tracking::EventId;

use crate::peer::{Do, Peer};
use crate::support::{
    Client, Duplex, Events, Mailbox, QUIET, address, anywhere, bare, message, node, stop, submit,
    to_host,
};

const FROM: &str = "sender@contoso.example";
const OFFERS: [&str; 3] = ["PIPELINING", "8BITMIME", "STARTTLS"];

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn acceptor() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["peer.example".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// The client's handshake, which trusts the given certificate.
pub(crate) async fn secured(stream: Box<dyn Duplex>, trusted: &Path) -> Box<dyn Duplex> {
    handshake(stream, trusted).await.0
}

/// The same, and what both sides can bind a login to.
pub(crate) async fn handshake(
    stream: Box<dyn Duplex>,
    trusted: &Path,
) -> (Box<dyn Duplex>, [u8; 32]) {
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "mx.contoso.example".to_owned().try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let label = b"EXPORTER-Channel-Binding";
    let exported = stream.get_ref().1.export_keying_material([0; 32], label, Some(b"")).unwrap();
    (Box::new(stream), exported)
}

/// Writes a certificate and its key into a folder.
pub(crate) fn write_certificate(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let made = rcgen::generate_simple_self_signed(["mx.contoso.example".to_owned()]).unwrap();
    let (chain, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (chain, key)
}

fn connector(tls: ReceiveTls) -> ReceiveConnector {
    ReceiveConnector::internet(anywhere()).with_tls(tls)
}

#[tokio::test]
async fn client_upgrades_by_starttls_and_the_trace_field_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_certificate(folder.path());
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = bare(&events)
        .receive_connector(connector(ReceiveTls::Required))
        .delivery_agent("mailbox", ["contoso.example"], mailbox.clone())
        .certificate(Certificate::from_pem_files(&chain, &key).unwrap())
        .start()
        .await
        .unwrap();
    let mut client = Client::greeted(address(&transport)).await;
    let offers = client.expect("EHLO client.example", "250").await;
    assert!(offers.contains("STARTTLS"), "{offers}");
    client.expect("MAIL FROM:<a@client.example>", "530 5.7.0").await;
    client.expect("STARTTLS", "220").await;
    let mut client = Client::over(secured(client.into_stream(), &chain).await);
    let offers = client.expect("EHLO client.example", "250").await;
    assert!(!offers.contains("STARTTLS"), "{offers}");
    let reply = client.submit("a@client.example", &["b@contoso.example"], &message("secret")).await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    let content = mailbox.read("b@contoso.example").await;
    assert!(content.contains("with ESMTPS"), "{content}");
    let received = &events.of(EventId::Receive)[0];
    assert!(received.source_context.as_ref().unwrap().contains("version=TLS1_3"));
    stop(transport).await;
}

#[tokio::test]
async fn what_was_said_in_the_clear_is_not_heard_in_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_certificate(folder.path());
    let events = Events::default();
    let transport = bare(&events)
        .receive_connector(connector(ReceiveTls::Offered))
        .certificate(Certificate::from_pem_files(&chain, &key).unwrap())
        .start()
        .await
        .unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.write(b"STARTTLS\r\nMAIL FROM:<injected@client.example>\r\n").await;
    let reply = client.reply().await;
    if reply.starts_with("220") {
        let mut client = Client::over(secured(client.into_stream(), &chain).await);
        // Neither the EHLO nor the MAIL of before counts.
        client.expect("RCPT TO:<b@contoso.example>", "503").await;
    } else {
        assert!(reply.starts_with('5'), "{reply}");
    }
    stop(transport).await;
}

#[tokio::test]
async fn implicit_tls_listener_begins_with_the_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_certificate(folder.path());
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = bare(&events)
        .receive_connector(connector(ReceiveTls::Implicit))
        .delivery_agent("mailbox", ["contoso.example"], mailbox.clone())
        .certificate(Certificate::from_pem_files(&chain, &key).unwrap())
        .start()
        .await
        .unwrap();
    let stream = tokio::net::TcpStream::connect(address(&transport)).await.unwrap();
    let mut client = Client::over(secured(Box::new(stream), &chain).await);
    assert!(client.reply().await.starts_with("220 "));
    let offers = client.expect("EHLO client.example", "250").await;
    assert!(!offers.contains("STARTTLS"), "{offers}");
    client.submit("a@client.example", &["b@contoso.example"], &message("implicit")).await;
    mailbox.read("b@contoso.example").await;
    stop(transport).await;
}

#[tokio::test]
async fn handshake_that_is_never_made_does_not_hold_up_the_stop() {
    let events = Events::default();
    let transport = bare(&events)
        .receive_connector(connector(ReceiveTls::Implicit))
        .certificate(Certificate::self_signed(&["mx.contoso.example"]).unwrap())
        .start()
        .await
        .unwrap();
    let _silent = tokio::net::TcpStream::connect(address(&transport)).await.unwrap();
    tokio::time::sleep(QUIET).await;
    let began = tokio::time::Instant::now();
    stop(transport).await;
    assert!(began.elapsed().as_secs() < 5);
}

#[tokio::test(start_paused = true)]
async fn handshake_that_is_never_made_ends_after_a_minute() {
    let events = Events::default();
    let transport = bare(&events)
        .receive_connector(connector(ReceiveTls::Implicit))
        .certificate(Certificate::self_signed(&["mx.contoso.example"]).unwrap())
        .start()
        .await
        .unwrap();
    let mut silent = tokio::net::TcpStream::connect(address(&transport)).await.unwrap();
    let began = tokio::time::Instant::now();
    let read = tokio::io::AsyncReadExt::read(&mut silent, &mut [0; 16]).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(59) && took < Duration::from_secs(90), "{took:?}");
    stop(transport).await;
}

#[tokio::test]
async fn key_that_does_not_fit_keeps_the_transport_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, _) = write_certificate(folder.path());
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let (_, key) = write_certificate(&other);
    let events = Events::default();
    let started = bare(&events)
        .receive_connector(connector(ReceiveTls::Offered))
        .certificate(Certificate::from_pem_files(&chain, &key).unwrap())
        .start()
        .await;
    let error = started.map(drop).unwrap_err();
    assert!(matches!(error, StartError::Tls(_)), "{error:?}");
    assert!(error.to_string().contains("cert.pem"), "{error}");
}

#[tokio::test]
async fn connector_that_demands_tls_needs_a_certificate() {
    let events = Events::default();
    let started = bare(&events).receive_connector(connector(ReceiveTls::Implicit)).start().await;
    assert!(matches!(started, Err(StartError::NoCertificate { .. })));
}

#[tokio::test]
async fn offered_tls_is_used_whoever_signed_it() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::start(&OFFERS, Some(acceptor()), |_| Do::Usual).await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "tls").await;
    peer.wait_taken(1).await;
    assert!(peer.taken()[0].secure);
    assert_eq!((peer.count("EHLO"), peer.connections()), (2, 1));
    stop(transport).await;
}

#[tokio::test]
async fn failed_handshake_falls_back_to_the_clear_where_tls_is_a_courtesy() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    // It has no TLS at all: the connection is cut in the handshake.
    let peer = Peer::start(&OFFERS, None, |_| Do::Usual).await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "clear").await;
    peer.wait_taken(1).await;
    assert!(!peer.taken()[0].secure);
    events.wait(EventId::Send, 1).await;
    assert_eq!((peer.connections(), events.count(EventId::Defer)), (2, 0));
    stop(transport).await;
}

#[tokio::test]
async fn message_never_goes_in_the_clear_where_tls_is_demanded() {
    for offers in [&OFFERS[..], &OFFERS[..2]] {
        let (events, mailbox) = (Events::default(), Mailbox::default());
        let peer = Peer::start(offers, None, |_| Do::Usual).await;
        let connector = to_host(peer.address).with_tls(SendTls::Required);
        let transport = node(&events, &mailbox).send_connector(connector).start().await.unwrap();
        submit(address(&transport), FROM, &["b@out.example"], "never").await;
        events.wait(EventId::Defer, 2).await;
        assert_eq!(peer.count("MAIL"), 0);
        let deferred = events.statuses(EventId::Defer);
        assert!(deferred[0].contains("4.7."), "{deferred:?}");
        stop(transport).await;
    }
}

#[tokio::test]
async fn demanded_tls_is_used_where_it_works() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::start(&OFFERS, Some(acceptor()), |_| Do::Usual).await;
    let connector = to_host(peer.address).with_tls(SendTls::Required);
    let transport = node(&events, &mailbox).send_connector(connector).start().await.unwrap();
    submit(address(&transport), FROM, &["b@out.example"], "must").await;
    peer.wait_taken(1).await;
    assert!(peer.taken()[0].secure);
    stop(transport).await;
}
