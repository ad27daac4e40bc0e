//! Who really sent it: may this client send for this domain (SPF)?
//!
//! This crate opens no socket. It asks the DNS through the trait
//! [`Resolver`](transom_dns::Resolver), or through its caller where a check is driven as a machine.
//!
//! ```text
//! SpfQuery (client, HELO, sender) --> SpfCheck -- Lookup --> caller or Resolver
//!                                        |    <-- Answer --
//!                                        `--> SpfOutcome (result, directive, explanation)
//! ```
//!
//! ```
//! use transom_dns::Zone;
//! use transom_mailauth::spf::{self, SpfQuery, SpfResult};
//!
//! # futures::executor::block_on(async {
//! let zone: Zone = "contoso.com TXT v=spf1 mx -all
//!                   contoso.com MX 10 mx1.contoso.com
//!                   mx1.contoso.com A 192.0.2.1".parse()?;
//! let client = "198.51.100.7".parse()?;
//! let query = SpfQuery::mail_from(client, "mail.fabrikam.com", "ann@contoso.com");
//! let outcome = spf::check(query, &zone).await;
//! assert_eq!(outcome.result, SpfResult::Fail);
//! assert_eq!(outcome.mechanism.as_deref(), Some("-all"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors and limits
//!
//! A check has no error type: what goes wrong is a result of its own, with the problem beside it.
//! Ten terms of a policy may ask the DNS, two questions may be without an answer, ten names of an
//! MX or PTR answer are looked at, and a record has at most 16 KiB.
//!
//! # Standards
//!
//! | document | what of it |
//! |---|---|
//! | RFC 7208 | all but the trace field |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod arc;
pub mod dkim;
pub mod dmarc;
pub mod policy;
pub mod records;
pub mod report;
pub mod results;
pub mod spf;
pub mod srs;
pub mod verdicts;
