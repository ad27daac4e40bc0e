//! TLS from the first octet, with a certificate from files and with one that the program made.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tempfile::TempDir;
use transom::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use transom::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use transom::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use transom::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};

use crate::process::{Server, folder_flags, room, wait_for_mail};
use crate::smtp::{Client, connect};

#[test]
fn mail_comes_in_through_tls_from_the_first_octet() {
    let folder = TempDir::new().unwrap();
    let files = certificate_files(folder.path());
    let server = start(folder.path(), &["--cert", &files.cert, "--key", &files.key]);
    let (mut client, shown) = connect_tls(server.address());
    assert_eq!(shown, files.der);
    assert!(!client.say("EHLO client.example").contains("STARTTLS"));
    let reply = client.send("ann@contoso.example", "Subject: test\r\n\r\ntext");
    assert!(reply.starts_with("250 "), "{reply}");
    let mail = wait_for_mail(&folder.path().join("mail"), 1);
    let text = String::from_utf8_lossy(&mail[0]);
    assert!(text.contains("with ESMTPS"), "{text}");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn without_files_a_certificate_is_made() {
    let folder = TempDir::new().unwrap();
    let server = start(folder.path(), &[]);
    let (mut client, shown) = connect_tls(server.address());
    assert!(!shown.is_empty());
    assert!(client.say("EHLO client.example").starts_with("250-"));
}

fn start(folder: &Path, more: &[&str]) -> Server {
    room(folder);
    let flags = folder_flags(folder);
    let mut arguments = vec!["--listen-tls", "127.0.0.1:0", "--accepted-domain", "contoso.example"];
    arguments.extend(flags.iter().map(String::as_str));
    arguments.extend(more);
    Server::listening(1, &arguments)
}

/// A certificate with its key, in PEM files.
pub(crate) struct CertificateFiles {
    pub(crate) cert: String,
    pub(crate) key: String,
    /// The key of another certificate.
    pub(crate) other_key: String,
    der: Vec<u8>,
}

pub(crate) fn certificate_files(folder: &Path) -> CertificateFiles {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["mx1.contoso.example".to_owned()]).unwrap();
    let file = |name: &str, pem: String| {
        let path = folder.join(name);
        fs::write(&path, pem).unwrap();
        path.display().to_string()
    };
    CertificateFiles {
        cert: file("cert.pem", cert.pem()),
        key: file("key.pem", signing_key.serialize_pem()),
        other_key: file("other-key.pem", KeyPair::generate().unwrap().serialize_pem()),
        der: cert.der().to_vec(),
    }
}

/// A session in TLS, and the certificate that the server showed.
fn connect_tls(
    address: SocketAddr,
) -> (Client<StreamOwned<ClientConnection, std::net::TcpStream>>, Vec<u8>) {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from("mx1.contoso.example").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, connect(address));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    let shown = stream.conn.peer_certificates().unwrap()[0].to_vec();
    (Client::greeted(stream), shown)
}

/// The tests compare the certificate themselves.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
