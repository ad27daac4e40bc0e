//! Clients that show who they are by a certificate.

use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConnection, SignatureScheme,
};
use tokio_rustls::TlsAcceptor;
use transom_types::Domain;

use super::{Certificate, HandshakeSignatureValid, TlsError, TrustedRoots, server_config};

/// Asks clients for a certificate, and judges it.
#[derive(Clone)]
pub(super) struct Clients {
    pub(super) acceptor: TlsAcceptor,
    judge: Arc<dyn ClientCertVerifier>,
}

impl Clients {
    pub(super) fn new(
        provider: &Arc<CryptoProvider>,
        certificate: &Certificate,
        roots: TrustedRoots,
    ) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        // A bundle may hold what this library cannot read; what it can read still counts.
        store.add_parsable_certificates(roots.0);
        let judge = WebPkiClientVerifier::builder_with_provider(store.into(), Arc::clone(provider));
        let judge = judge.build().map_err(|error| TlsError::Mismatch {
            origin: "the trusted roots".to_owned(),
            error: error.to_string(),
        })?;
        let asked = Arc::new(Asked(Arc::clone(&judge)));
        let config = server_config(provider, certificate, Some(asked))?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), judge })
    }

    /// Which of `domains` the client is: none where it showed no certificate, or one that nobody
    /// signed whom we trust.
    pub(super) fn names(&self, connection: &ServerConnection, domains: &[Domain]) -> Vec<Domain> {
        let Some((own, above)) = connection.peer_certificates().and_then(<[_]>::split_first) else {
            return Vec::new();
        };
        if let Err(error) = self.judge.verify_client_cert(own, above, UnixTime::now()) {
            tracing::info!(%error, reason = "client-certificate", "a certificate proves nothing");
            return Vec::new();
        }
        let Ok(parsed) = ParsedCertificate::try_from(own) else { return Vec::new() };
        let is_named = |domain: &&Domain| {
            ServerName::try_from(domain.as_str())
                .is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
        };
        domains.iter().filter(is_named).cloned().collect()
    }
}

/// Takes any certificate: a client that shows one of its own making is a stranger like one that
/// shows none, and many mail servers show what they have. That the client holds the key is verified
/// all the same; who signed the certificate is judged behind the handshake.
#[derive(Debug)]
struct Asked(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Asked {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
