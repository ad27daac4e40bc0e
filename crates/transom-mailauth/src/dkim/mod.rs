//! DKIM (RFC 6376, RFC 8301, RFC 8463): does a domain answer for this content?
//!
//! ```text
//! content in pieces --> AuthenticationScan --> ScannedContent -- key_names --> KeyCache or caller
//!                                                 |   |            <-- Keys --
//!                                  DkimSigner <---'   `--> verify --> DkimVerdict each
//! ```
//!
//! ```
//! use std::time::Instant;
//! use transom_dns::Zone;
//! use transom_mailauth::dkim::{self, AuthenticationScan, DkimSigner, KeyCache, SigningKey};
//!
//! let key = SigningKey::from_pem(SigningKey::generate_ed25519()?.as_bytes())?;
//! let zone: Zone = format!("new._domainkey.contoso.com TXT {}", key.dns_record()).parse()?;
//!
//! let content = b"From: ann@contoso.com\r\nSubject: hi\r\n\r\nhello\r\n";
//! let mut scan = AuthenticationScan::signing();
//! scan.update(content);
//! let signer = DkimSigner::new("contoso.com")?.with_key("new", key)?;
//! let signature = signer.sign(&scan.finish(), 1_700_000_000)?;
//!
//! # futures::executor::block_on(async {
//! let mut scan = AuthenticationScan::verifying();
//! scan.update(signature.as_bytes());
//! scan.update(content);
//! let content = scan.finish();
//! let keys = KeyCache::new().fetch(content.key_names(), &zone, Instant::now()).await;
//! let verdicts = dkim::verify(&content, &keys, 1_700_000_000);
//! assert!(verdicts[0].is_pass());
//! assert_eq!(verdicts[0].domain, "contoso.com");
//! # });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod cache;
mod check;
mod header;
mod keys;
mod scan;
mod sign;
mod signature;
mod tags;
#[cfg(test)]
mod tests;
mod verdict;

pub use cache::{KeyCache, Keys};
pub use check::verify;
pub use keys::{ExternalKey, SignError, SigningKey, SigningKeyError};
pub use scan::{AuthenticationScan, HEADER_OCTETS_MAX, SIGNATURES_MAX, ScannedContent};
pub use sign::DkimSigner;
pub use verdict::{DkimAlgorithm, DkimProblem, DkimResult, DkimVerdict};

pub(crate) use check::check;
pub(crate) use header::{Canonicalization, HeaderFields, write_relaxed};
pub(crate) use sign::{checked_name, signable};
pub(crate) use signature::{Kind, Signature, Signer};
pub(crate) use tags::{TagList, base64_encode, number, trim};
