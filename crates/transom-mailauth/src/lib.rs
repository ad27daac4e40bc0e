//! Who really sent it: SPF, DKIM, DMARC and ARC, and what follows from them.
//!
//! This crate opens no socket. It asks the DNS through the trait
//! [`Resolver`](transom_dns::Resolver), or through its caller where a check is driven as a machine.
//!
//! ```text
//! client, HELO, sender --> spf -----------.
//! content in pieces ------> dkim, arc ----+--> Verdicts --> results: Authentication-Results
//! header section ---------> dmarc --------'        |------> policy: what is done, and the reply
//!                                                  `------> report: for the owner of the domain
//! ```
//!
//! [`Verdicts::authenticate`](verdicts::Verdicts::authenticate) is the whole of it in one call;
//! [`srs`] rewrites senders of forwarded mail, [`records`] says what should stand in the DNS.
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
//! | RFC 6376, RFC 8301, RFC 8463 | DKIM, verified and signed |
//! | RFC 8617 | ARC, verified and sealed |
//! | RFC 9989 | DMARC: all of a receiver; failure reports are not written |
//! | RFC 9990 | aggregate reports, but the check of foreign destinations (its section 4) |
//! | RFC 8601 | Authentication-Results, written and read |
//! | RFC 7372 | status codes of refusals |
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
