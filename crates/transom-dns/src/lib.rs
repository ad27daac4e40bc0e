//! What the DNS says and how far to trust it, for mail.
//!
//! Every other crate sees the DNS through one trait, [`Resolver`]. This crate is not a resolver: it
//! asks nothing by itself, keeps no cache and opens no socket, unless the feature `hickory` brings
//! the adapter to a real one. It decides nothing about mail either: what MX records mean is in
//! `transom-routing`.
//!
//! ```text
//! routing -- lookup(name, kind) --> Resolver --> Answer { records, security, ttl } or DnsFailure
//!                                   | Zone              a few lines of text, in memory
//!                                   | HickoryResolver   the real DNS (feature hickory)
//! ```
//!
//! ```
//! use transom_dns::{DnsFailure, Record, RecordKind, Resolver, Zone};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let zone: Zone = "
//!     contoso.com       MX    10 mx1.contoso.com
//!     mx1.contoso.com   A     192.0.2.1
//!     slow.example      MX    TIMEOUT
//! "
//! .parse()?;
//! let answer = zone.lookup(&"contoso.com".parse()?, RecordKind::Mx).await?;
//! let exchange = "mx1.contoso.com".parse()?;
//! assert_eq!(answer.records, [Record::Mx { preference: 10, exchange }]);
//! let failure = zone.lookup(&"slow.example".parse()?, RecordKind::Mx).await;
//! assert_eq!(failure, Err(DnsFailure::Timeout));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors and limits
//!
//! [`DnsFailure`] says why there are no records; [`DnsFailure::is_temporary`] says whether asking
//! again may help. A name has at most [`DomainName::OCTETS_MAX`] octets, a chain of CNAME records
//! at most [`CNAME_STEPS_MAX`] steps, an answer is cut to [`Answer::RECORDS_MAX`] records.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `hickory` | `HickoryResolver` on hickory-resolver; brings tokio with it |
//!
//! # Standards
//!
//! | document | what of it |
//! |---|---|
//! | RFC 1035 §2.3.4, §3.3 | names, and the records A, CNAME, MX, PTR and TXT |
//! | RFC 1035 §3.5 | where the names of an address stand |
//! | RFC 3596 | the record AAAA |
//! | RFC 2308 | NXDOMAIN and NODATA as two things |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
#[cfg(feature = "hickory")]
mod hickory;
mod name;
#[cfg(test)]
mod tests;
mod zone;

pub use answer::{Answer, CNAME_STEPS_MAX, DnsFailure, Record, RecordKind, Resolver, Security};
#[cfg(feature = "hickory")]
pub use hickory::{HickoryError, HickoryResolver};
pub use name::{DomainName, ParseDomainNameError};
pub use zone::{ParseZoneError, Zone};
