//! Keys, and all that is done with them. This is the one file that sees the library below.

use std::fmt;

use mail_auth::common::crypto::{
    Algorithm, Ed25519Key, HashContext as _, HashImpl, RsaKey, Sha256, SigningKey as _,
};
use mail_auth::common::headers::Writer as _;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use super::tags::{TagList, base64_decode, base64_encode, colon_list};
use super::{DkimAlgorithm, DkimProblem};

/// Shortest RSA key that is believed (RFC 8301 §3.2).
const RSA_BITS_MIN: usize = 1024;
/// Longest RSA key that is worked with: one check with it takes a millisecond.
const RSA_BITS_MAX: usize = 8192;
/// Longest key record.
const RECORD_OCTETS_MAX: usize = 16 * 1024;

/// SHA-256 of what comes piece by piece.
pub(crate) struct Sha256Hasher(<Sha256 as HashImpl>::Context);

impl Sha256Hasher {
    pub(crate) fn new() -> Self {
        Self(Sha256::hasher())
    }

    pub(crate) fn update(&mut self, octets: &[u8]) {
        self.0.write(octets);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        let mut digest = [0; 32];
        let output = self.0.complete();
        for (to, from) in digest.iter_mut().zip(output.as_ref()) {
            *to = *from;
        }
        digest
    }
}

impl fmt::Debug for Sha256Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha256Hasher")
    }
}

/// A key as its domain shows it.
pub(crate) struct PublicKey {
    key: DomainKey,
    is_rsa: bool,
    pub(crate) bits: usize,
    /// `t=y`
    pub(crate) testing: bool,
    /// `t=s`
    pub(crate) no_subdomains: bool,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("PublicKey");
        f.field("is_rsa", &self.is_rsa).field("bits", &self.bits).finish_non_exhaustive()
    }
}

impl PublicKey {
    /// Reads a record.
    pub(crate) fn parse(record: &[u8]) -> Result<Self, DkimProblem> {
        let tags = TagList::parse(record).filter(|_| record.len() <= RECORD_OCTETS_MAX);
        let tags = tags.ok_or(DkimProblem::BadKey)?;
        // [RFC 6376 §3.6.1] a version stands first or not at all.
        let is_version = |version| version == b"DKIM1" && tags.first() == Some(b"v");
        if !tags.get("v").is_none_or(is_version) {
            return Err(DkimProblem::BadKey);
        }
        let lists = |tag, wanted: &[&[u8]]| {
            let mut items = tags.get(tag).map(colon_list).into_iter().flatten();
            items.any(|item| wanted.contains(&item))
        };
        let is_open = |tag, wanted| tags.get(tag).is_none() || lists(tag, wanted);
        if !is_open("h", &[b"sha256"]) || !is_open("s", &[b"*", b"email"]) {
            return Err(DkimProblem::KeyMismatch);
        }
        let is_rsa = match tags.get("k").unwrap_or(b"rsa") {
            b"rsa" => true,
            b"ed25519" => false,
            _ => return Err(DkimProblem::KeyMismatch),
        };
        let key = tags.get("p").ok_or(DkimProblem::BadKey)?;
        if key.is_empty() {
            return Err(DkimProblem::Revoked);
        }
        let octets = base64_decode(key).ok_or(DkimProblem::BadKey)?;
        let key = DomainKey::parse(record).map_err(|_| DkimProblem::BadKey)?;
        let bits = if is_rsa { key.p.public_key_bits() } else { 256 };
        if bits == 0 || bits > RSA_BITS_MAX || (!is_rsa && octets.len() != 32) {
            return Err(DkimProblem::BadKey);
        }
        let (testing, no_subdomains) = (lists("t", &[b"y"]), lists("t", &[b"s"]));
        Ok(Self { key, is_rsa, bits, testing, no_subdomains })
    }

    /// Whether `signature` is that of the key over `octets`.
    pub(crate) fn verify(
        &self,
        algorithm: DkimAlgorithm,
        octets: &[u8],
        signature: &[u8],
    ) -> Result<(), DkimProblem> {
        let algorithm = match algorithm {
            DkimAlgorithm::RsaSha256 if self.is_rsa => Algorithm::RsaSha256,
            DkimAlgorithm::Ed25519Sha256 if !self.is_rsa => Algorithm::Ed25519Sha256,
            // [RFC 8301 §3.1] never with SHA-1.
            DkimAlgorithm::RsaSha1 => return Err(DkimProblem::Sha1),
            _ => return Err(DkimProblem::KeyMismatch),
        };
        // [RFC 8301 §3.2] a signature with a short key is none.
        if self.is_rsa && self.bits < RSA_BITS_MIN {
            return Err(DkimProblem::ShortKey { bits: self.bits });
        }
        let verified = self.key.p.verify_bytes(octets, signature, algorithm);
        verified.map_err(|_| DkimProblem::Signature)
    }
}

/// Signs with a key that is kept elsewhere: in hardware, or by another service.
pub trait ExternalKey: Send + Sync {
    /// How it signs.
    fn algorithm(&self) -> DkimAlgorithm;
    /// The public key: an RSA key as `SubjectPublicKeyInfo` or `RSAPublicKey` in DER, an Ed25519
    /// key as its 32 octets.
    fn public_key(&self) -> Vec<u8>;
    /// The signature over `octets`, which are not hashed yet: PKCS #1 v1.5 over their SHA-256, or
    /// Ed25519 over their SHA-256 (RFC 8463 §3).
    ///
    /// # Errors
    ///
    /// [`SignError::Key`] where there is none.
    fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// A private key.
pub struct SigningKey(Private);

enum Private {
    Rsa(RsaKey<Sha256>),
    Ed25519(Ed25519Key),
    External(Box<dyn ExternalKey>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.algorithm()).finish()
    }
}

impl SigningKey {
    /// Reads a key file: PEM with `PRIVATE KEY` (PKCS #8) or `RSA PRIVATE KEY` (PKCS #1). RSA keys
    /// have 2,048 to 4,096 bits.
    ///
    /// ```
    /// use transom_mailauth::dkim::{SigningKey, SigningKeyError};
    ///
    /// let error = SigningKey::from_pem(b"to do: put the key here").unwrap_err();
    /// assert_eq!(error, SigningKeyError::NoKey);
    /// ```
    ///
    /// # Errors
    ///
    /// [`SigningKeyError`] where the octets hold no such key.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SigningKeyError> {
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| SigningKeyError::NoKey)?;
        if let PrivateKeyDer::Pkcs8(der) = &key
            && let Ok(key) = Ed25519Key::from_pkcs8_maybe_unchecked_der(der.secret_pkcs8_der())
        {
            return Ok(Self(Private::Ed25519(key)));
        }
        match RsaKey::from_key_der(key) {
            Ok(key) => Ok(Self(Private::Rsa(key))),
            Err(error) => Err(SigningKeyError::Unusable { reason: error.to_string() }),
        }
    }

    /// A key that is kept elsewhere.
    pub fn external(key: Box<dyn ExternalKey>) -> Self {
        Self(Private::External(key))
    }

    /// Makes a new Ed25519 key, as a key file that [`Self::from_pem`] reads. RSA keys come from
    /// `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError::Unusable`] where the system gives no randomness.
    pub fn generate_ed25519() -> Result<Zeroizing<String>, SigningKeyError> {
        let unusable =
            |error: mail_auth::Error| SigningKeyError::Unusable { reason: error.to_string() };
        let der = Zeroizing::new(Ed25519Key::generate_pkcs8().map_err(unusable)?);
        let text = Zeroizing::new(base64_encode(&der));
        let mut pem = Zeroizing::new(String::from("-----BEGIN PRIVATE KEY-----\n"));
        for line in text.as_bytes().chunks(64) {
            pem.push_str(str::from_utf8(line).unwrap_or_default());
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(pem)
    }

    /// How it signs.
    pub fn algorithm(&self) -> DkimAlgorithm {
        match &self.0 {
            Private::Rsa(_) => DkimAlgorithm::RsaSha256,
            Private::Ed25519(_) => DkimAlgorithm::Ed25519Sha256,
            Private::External(key) => key.algorithm(),
        }
    }

    /// What is to stand in the DNS, as TXT, at `SELECTOR._domainkey.DOMAIN`.
    pub fn dns_record(&self) -> String {
        let key = match &self.0 {
            Private::Rsa(key) => spki(&key.public_key()),
            Private::Ed25519(key) => key.public_key(),
            Private::External(key) => key.public_key(),
        };
        let kind = match self.algorithm() {
            DkimAlgorithm::Ed25519Sha256 => "ed25519",
            _ => "rsa",
        };
        format!("v=DKIM1; k={kind}; p={}", base64_encode(&key))
    }

    pub(crate) fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, SignError> {
        let failed = |error: mail_auth::Error| SignError::Key { reason: error.to_string() };
        match &self.0 {
            Private::Rsa(key) => key.sign(octets).map_err(failed),
            Private::Ed25519(key) => key.sign(octets).map_err(failed),
            Private::External(key) => key.sign(octets),
        }
    }
}

/// An `RSAPublicKey` as `SubjectPublicKeyInfo`, the form that most verifiers want.
fn spki(key: &[u8]) -> Vec<u8> {
    /// rsaEncryption without parameters.
    const RSA: &[u8] =
        &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let bits = [&[0], key].concat();
    let info = [RSA, &der(0x03, &bits)].concat();
    der(0x30, &info)
}

/// One value in DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|octet| **octet == 0).count();
    let length = length.get(zeros..).unwrap_or_default();
    let mut out = vec![tag];
    match (length, u8::try_from(length.len())) {
        ([short], _) if *short < 0x80 => out.push(*short),
        (_, Ok(octets)) => {
            out.push(0x80 | octets);
            out.extend_from_slice(length);
        }
        _ => {}
    }
    out.extend_from_slice(content);
    out
}

/// Why there is no [`SigningKey`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// No private key in PEM.
    #[error("this is no private key in PEM (PRIVATE KEY or RSA PRIVATE KEY)")]
    NoKey,
    /// A key that cannot be used.
    #[error("the private key cannot be used for DKIM: {reason}")]
    Unusable {
        /// What is wrong with it.
        reason: String,
    },
}

/// Why there is no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The domain or the selector is no name of the DNS.
    #[error("\"{name}\" is no domain or selector")]
    Name {
        /// What was given.
        name: String,
    },
    /// The signer has no key.
    #[error("there is no key to sign with")]
    NoKey,
    /// The header section is too large to be signed.
    #[error("the header section is too large to be signed")]
    HeaderTooLarge,
    /// The content was not scanned for signing.
    #[error("the content was not scanned for signing")]
    NotScanned,
    /// The chain cannot be sealed: it is too long, or could not be judged.
    #[error("the ARC chain cannot be sealed")]
    Chain,
    /// The key failed.
    #[error("the key did not sign: {reason}")]
    Key {
        /// Why.
        reason: String,
    },
}
