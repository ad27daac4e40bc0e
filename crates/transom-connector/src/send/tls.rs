//! TLS on the way out, as values.

/// Whether a send connector uses TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendTls {
    /// Never, though it be offered (`IgnoreSTARTTLS`).
    Never,
    /// Where it is offered, whatever the certificate says.
    #[default]
    Opportunistic,
    /// Always; where it is not offered, the message waits (`RequireTLS`).
    Required,
}

/// What is asked of the peer's certificate (`TlsAuthLevel`). All but the first need
/// [`SendTls::Required`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsAuthLevel {
    /// Nothing.
    #[default]
    EncryptionOnly,
    /// That somebody we trust has signed it.
    CertificateValidation,
    /// That, and that it is for the connector's `tls_domain`, or for the recipient's domain where
    /// there is none.
    DomainValidation,
}
