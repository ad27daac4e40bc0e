//! What is said of one signature.

use std::fmt;

use transom_dns::{DnsFailure, DomainName};

/// What became of one signature. Its texts are those of a stranger, cut to what a header field can
/// hold; they are empty where the signature does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DkimVerdict {
    /// The result.
    pub result: DkimResult,
    /// Why it is no pass.
    pub problem: Option<DkimProblem>,
    /// Who signed (`d=`), in lower case.
    pub domain: String,
    /// With which of the domain's keys (`s=`).
    pub selector: String,
    /// For whom (`i=`); `@` and the domain where the signature does not say.
    pub identity: String,
    /// How; `None` where the signature names nothing known.
    pub algorithm: Option<DkimAlgorithm>,
    /// Size of the key, where it was seen.
    pub key_bits: Option<usize>,
    /// The first eight characters of the signature (RFC 6008 §4), to tell signatures of a domain
    /// apart.
    pub signature: String,
    /// How many octets of the body the signature speaks of, where it does not speak of all (`l=`).
    pub body_octets: Option<u64>,
    /// The key is on trial (`t=y`): its domain wants a failure to mean nothing.
    pub testing: bool,
}

impl DkimVerdict {
    /// Whether the domain answers for the message.
    pub fn is_pass(&self) -> bool {
        self.result == DkimResult::Pass
    }
}

/// The results of RFC 8601 §2.7.1. A message without signature has no verdicts, hence no `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DkimResult {
    /// The signature holds.
    Pass,
    /// It does not: the message was changed, or somebody else signed it.
    Fail,
    /// It holds, but not well enough for us.
    Policy,
    /// It was not looked at.
    Neutral,
    /// The key cannot be had now.
    TempError,
    /// The signature or the key cannot be read.
    PermError,
}

impl DkimResult {
    /// The word of RFC 8601 §2.7.1.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Policy => "policy",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for DkimResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DkimAlgorithm {
    /// RSA over SHA-256 (RFC 6376 §3.3.2).
    RsaSha256,
    /// Ed25519 over SHA-256 (RFC 8463).
    Ed25519Sha256,
    /// RSA over SHA-1: known, never accepted (RFC 8301 §3.1).
    RsaSha1,
}

impl DkimAlgorithm {
    /// The word of the tag `a=`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
            Self::RsaSha1 => "rsa-sha1",
        }
    }
}

impl fmt::Display for DkimAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a signature is no pass, of DKIM or of ARC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DkimProblem {
    /// The field is no list of tags.
    #[error("the signature is not well formed")]
    Malformed,
    /// A tag that must be there is not.
    #[error("the signature has no {tag}=")]
    Missing {
        /// The tag.
        tag: &'static str,
    },
    /// A tag says what it may not say.
    #[error("the signature's {tag}= makes no sense")]
    BadTag {
        /// The tag.
        tag: &'static str,
    },
    /// The field From is not signed (RFC 6376 §5.4).
    #[error("the signature leaves out From")]
    FromUnsigned,
    /// The signature is for an identity outside its domain.
    #[error("the signature's i= lies outside its d=")]
    ForeignIdentity,
    /// An algorithm that is not known.
    #[error("the signature's algorithm is not known")]
    UnknownAlgorithm,
    /// SHA-1 (RFC 8301 §3.1).
    #[error("rsa-sha1 is not accepted")]
    Sha1,
    /// Too old.
    #[error("the signature expired")]
    Expired,
    /// Signatures beyond those that are looked at.
    #[error("more than {limit} signatures")]
    TooMany {
        /// How many are looked at.
        limit: usize,
    },
    /// The header section is too large to be looked at.
    #[error("the header section has more than {limit} octets or too many fields")]
    HeaderTooLarge {
        /// Octets that are looked at.
        limit: usize,
    },
    /// The body is another.
    #[error("the body was changed")]
    BodyHash,
    /// The body goes on behind the part that was signed (`l=`).
    #[error("{octets} octets of the body are not signed")]
    PartialBody {
        /// How many are not.
        octets: u64,
    },
    /// The signature is not that of the key over these fields.
    #[error("the signature does not verify")]
    Signature,
    /// The key did not come.
    #[error("key {name}: {failure}")]
    Dns {
        /// Where it was asked for.
        name: DomainName,
        /// Why there is none.
        failure: DnsFailure,
    },
    /// What stands there is no key.
    #[error("the key record is not well formed")]
    BadKey,
    /// There are several keys at one name.
    #[error("several key records at one name")]
    SeveralKeys,
    /// The domain withdrew the key.
    #[error("the key was withdrawn")]
    Revoked,
    /// The key is for another algorithm, hash, or service than mail.
    #[error("the key is not for such signatures")]
    KeyMismatch,
    /// The key is too short (RFC 8301 §3.2).
    #[error("a key of {bits} bits is too short")]
    ShortKey {
        /// How long it is.
        bits: usize,
    },
    /// The key stands for its domain alone (`t=s`), the signature for a subdomain.
    #[error("the key is not for subdomains")]
    SubdomainIdentity,
}

impl DkimProblem {
    /// The word that goes with the problem.
    pub fn result(&self) -> DkimResult {
        match self {
            Self::BodyHash | Self::Signature | Self::Expired => DkimResult::Fail,
            Self::PartialBody { .. } | Self::ShortKey { .. } => DkimResult::Policy,
            Self::TooMany { .. } | Self::HeaderTooLarge { .. } => DkimResult::Neutral,
            Self::Dns { failure, .. } if failure.is_temporary() => DkimResult::TempError,
            _ => DkimResult::PermError,
        }
    }
}
