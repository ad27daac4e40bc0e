//! Certificates and TLS configurations. rustls types stay in this module, except for the provider
//! that a caller may bring.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use transom_smtp::sasl::Channel;
use transom_types::{Domain, RemoteHost};

mod clients;

use self::clients::Clients;
use crate::wire::Stream;

/// How long a handshake may take, both ways: a peer that begins one and falls silent must not keep
/// its place.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_mins(1);

/// A certificate chain with its key.
pub struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    origin: String,
}

impl Certificate {
    /// Reads a chain (leaf first) and a key from PEM files.
    ///
    /// # Errors
    ///
    /// [`TlsError`] names the file that cannot be read or holds nothing usable.
    pub fn from_pem_files(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let unreadable = |path: &Path, error: &dyn fmt::Display| TlsError::Unreadable {
            path: path.to_owned(),
            error: error.to_string(),
        };
        let certificates: Vec<_> = CertificateDer::pem_file_iter(chain)
            .map_err(|error| unreadable(chain, &error))?
            .collect::<Result<_, _>>()
            .map_err(|error| unreadable(chain, &error))?;
        if certificates.is_empty() {
            return Err(unreadable(chain, &"no certificate stands in it"));
        }
        let origin = chain.display().to_string();
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
        Ok(Self { chain: certificates, key, origin })
    }

    /// Makes a certificate for `names`, signed by itself: enough for opportunistic TLS.
    ///
    /// # Errors
    ///
    /// [`TlsError::SelfSigned`] when a name does not fit into a certificate.
    #[cfg(feature = "self-signed")]
    pub fn self_signed(names: &[&str]) -> Result<Self, TlsError> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names)
            .map_err(|error| TlsError::SelfSigned { error: error.to_string() })?;
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let origin = "the self-made certificate".to_owned();
        Ok(Self { chain: vec![made.cert.der().clone()], key, origin })
    }
}

/// Certificates of those whose signature under a peer's certificate counts.
pub struct TrustedRoots(Vec<CertificateDer<'static>>);

impl TrustedRoots {
    /// Reads certificates from a PEM file.
    ///
    /// # Errors
    ///
    /// [`TlsError::Unreadable`] when the file cannot be read or holds none.
    pub fn from_pem_file(path: &Path) -> Result<Self, TlsError> {
        let unreadable = |error: &dyn fmt::Display| TlsError::Unreadable {
            path: path.to_owned(),
            error: error.to_string(),
        };
        let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
            .map_err(|error| unreadable(&error))?
            .collect::<Result<_, _>>()
            .map_err(|error| unreadable(&error))?;
        if certificates.is_empty() {
            return Err(unreadable(&"no certificate stands in it"));
        }
        Ok(Self(certificates))
    }
}

impl fmt::Debug for TrustedRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrustedRoots").field(&self.0.len()).finish()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Why TLS cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Certificate and key do not belong together, or the provider cannot use them.
    #[error("{origin} cannot be used with its key: {error}")]
    Mismatch {
        /// The certificate.
        origin: String,
        /// What rustls says.
        error: String,
    },
    /// No cryptography was built in and none was given.
    #[error("no cryptography: build with feature ring or aws-lc-rs, or pass a provider")]
    NoProvider,
    /// A certificate of our own could not be made.
    #[error("a certificate of our own cannot be made: {error}")]
    SelfSigned {
        /// Why.
        error: String,
    },
    /// A file cannot be read, or is no PEM.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: String,
    },
}

/// Gives connections their TLS, both ways.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: Option<TlsAcceptor>,
    /// For connectors that want to know who the client is.
    clients: Option<Clients>,
    connector: Option<TlsConnector>,
    provider: Option<Arc<CryptoProvider>>,
}

/// A connection in TLS, as a server has it.
pub(crate) struct Secured {
    pub(crate) stream: Box<dyn Stream>,
    /// Version and cipher.
    pub(crate) agreed: String,
    /// What AUTH can be bound to.
    pub(crate) channel: Channel,
    /// Which of the hosts that were asked for the client has shown to be.
    pub(crate) names: Vec<Domain>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("server", &self.acceptor.is_some()).finish_non_exhaustive()
    }
}

impl Tls {
    /// TLS with the given certificate, or without any: then STARTTLS is not offered.
    pub(crate) fn new(
        provider: Option<Arc<CryptoProvider>>,
        certificate: Option<&Certificate>,
        roots: Option<TrustedRoots>,
    ) -> Result<Self, TlsError> {
        let Some(provider) = provider.or_else(built_in_provider) else {
            return match certificate {
                Some(_) => Err(TlsError::NoProvider),
                None => Ok(Self { acceptor: None, clients: None, connector: None, provider: None }),
            };
        };
        let (mut acceptor, mut clients) = (None, None);
        if let Some(certificate) = certificate {
            let config = server_config(&provider, certificate, None)?;
            acceptor = Some(TlsAcceptor::from(Arc::new(config)));
            if let Some(roots) = roots {
                clients = Some(Clients::new(&provider, certificate, roots)?);
            }
        }
        let connector = Some(connector(&provider)?);
        Ok(Self { acceptor, clients, connector, provider: Some(provider) })
    }

    /// Octets that nobody can guess; none without cryptography.
    pub(crate) fn random<const N: usize>(&self) -> Option<[u8; N]> {
        let mut octets = [0; N];
        let provider = self.provider.as_ref()?;
        provider.secure_random.fill(&mut octets).ok().map(|()| octets)
    }

    /// Whether a server can offer STARTTLS.
    pub(crate) fn may_accept(&self) -> bool {
        self.acceptor.is_some()
    }

    /// Whether a client can use STARTTLS.
    pub(crate) fn may_connect(&self) -> bool {
        self.connector.is_some()
    }

    /// Whether clients can be asked who they are.
    pub(crate) fn may_judge(&self) -> bool {
        self.clients.is_some()
    }

    /// The server's side of a handshake. Where there are `domains`, the client is asked which of
    /// them it is.
    pub(crate) async fn accept(
        &self,
        stream: Box<dyn Stream>,
        domains: &[Domain],
    ) -> io::Result<Secured> {
        let clients = self.clients.as_ref().filter(|_| !domains.is_empty());
        let acceptor = clients.map(|clients| &clients.acceptor).or(self.acceptor.as_ref());
        let Some(acceptor) = acceptor else { return Err(no_tls()) };
        let stream = in_time(acceptor.accept(stream)).await?;
        let connection = stream.get_ref().1;
        let (agreed, channel) = (describe(connection), channel(connection));
        let names = clients.map(|clients| clients.names(connection, domains)).unwrap_or_default();
        Ok(Secured { stream: Box::new(stream), agreed, channel, names })
    }

    /// The client's side of a handshake with `host`. The certificate is not judged.
    pub(crate) async fn connect(
        &self,
        stream: Box<dyn Stream>,
        host: &RemoteHost,
    ) -> io::Result<(Box<dyn Stream>, String)> {
        let Some(connector) = &self.connector else { return Err(no_tls()) };
        // A host without a name, an address literal, is called by its address.
        let name = match (ServerName::try_from(host.name.clone()), host.address) {
            (Ok(name), _) => name,
            (Err(_), Some(address)) => ServerName::from(address.ip()),
            (Err(_), None) => return Err(io::Error::other("the host has no usable name")),
        };
        let stream = in_time(connector.connect(name, stream)).await?;
        let agreed = describe(stream.get_ref().1);
        Ok((Box::new(stream), agreed))
    }
}

async fn in_time<S>(handshake: impl Future<Output = io::Result<S>>) -> io::Result<S> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(done) => done,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn no_tls() -> io::Error {
    io::Error::other("TLS is not set up")
}

/// What AUTH can be bound to.
fn channel(connection: &rustls::ServerConnection) -> Channel {
    // [RFC 9266 §4.2] with TLS 1.2 it is unique only where both sides have a further extension.
    if connection.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
        return Channel::default();
    }
    // [RFC 9266 §2] label, empty context, 32 octets.
    let label = b"EXPORTER-Channel-Binding";
    match connection.export_keying_material([0; 32], label, Some(b"")) {
        Ok(exported) => Channel::default().with_tls_exporter(exported),
        Err(_) => Channel::default(),
    }
}

/// `version=TLS1_3, cipher=TLS_..`, as Received fields have it.
fn describe(connection: &rustls::CommonState) -> String {
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS1_3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS1_2",
        _ => "TLS",
    };
    match connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()) {
        Some(cipher) => {
            let cipher = cipher.replace("TLS13_", "TLS_");
            format!("version={version}, cipher={cipher}")
        }
        None => format!("version={version}"),
    }
}

#[cfg(feature = "ring")]
#[expect(clippy::unnecessary_wraps, reason = "without a provider built in this is none")]
fn built_in_provider() -> Option<Arc<CryptoProvider>> {
    Some(Arc::new(rustls::crypto::ring::default_provider()))
}

#[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
#[expect(clippy::unnecessary_wraps, reason = "without a provider built in this is none")]
fn built_in_provider() -> Option<Arc<CryptoProvider>> {
    Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
}

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
fn built_in_provider() -> Option<Arc<CryptoProvider>> {
    None
}

/// Clients are asked for a certificate where somebody judges it.
fn server_config(
    provider: &Arc<CryptoProvider>,
    certificate: &Certificate,
    asked: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<rustls::ServerConfig, TlsError> {
    let origin = &certificate.origin;
    let mismatch = |error: rustls::Error| TlsError::Mismatch {
        origin: origin.clone(),
        error: error.to_string(),
    };
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?;
    let builder = match asked {
        Some(asked) => builder.with_client_cert_verifier(asked),
        None => builder.with_no_client_auth(),
    };
    builder
        .with_single_cert(certificate.chain.clone(), certificate.key.clone_key())
        .map_err(mismatch)
}

fn connector(provider: &Arc<CryptoProvider>) -> Result<TlsConnector, TlsError> {
    let unusable = |error: rustls::Error| TlsError::Mismatch {
        origin: "the cryptography".to_owned(),
        error: error.to_string(),
    };
    let config = rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unjudged(Arc::clone(provider))))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Opportunistic TLS: the certificate is not judged, for plain text would be the alternative
/// (RFC 7435). That the peer holds its key is verified all the same.
#[derive(Debug)]
struct Unjudged(Arc<CryptoProvider>);

impl ServerCertVerifier for Unjudged {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
