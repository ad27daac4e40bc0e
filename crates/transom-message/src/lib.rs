//! What is inside the envelope: header section, trace fields, delivery status notifications.
//!
//! Pure values and functions over octets. This is not a MIME library, it holds no connection and
//! no clock: time comes in as an argument, content as pieces.
//!
//! ```text
//! content pieces --> ContentScan --> ContentFacts (size, 8-bit, line length, hops, ids, subject)
//! session facts  --> Received    --> the field that is put before the content
//! failed results --> dsn::Report --> a whole message (RFC 3464) for the sender
//! ```
//!
//! ```
//! use transom_message::{ContentScan, ScanLimits};
//!
//! let mut scan = ContentScan::new(ScanLimits::default());
//! scan.push(b"Received: from a by b; x\r\nSubject: Hel");
//! scan.push(b"lo\r\nMessage-ID: <1@example.com>\r\n\r\nbody\r\n");
//! let facts = scan.finish();
//! assert_eq!(facts.received_count, 1);
//! assert_eq!(facts.subject.as_deref(), Some("Hello"));
//! assert_eq!(facts.message_id.map(|id| id.to_string()).as_deref(), Some("<1@example.com>"));
//! ```
//!
//! # Errors and limits
//!
//! Nothing here fails: content is what senders make of it, so readers are tolerant, and writers
//! put every foreign text through one formatter that lets no control character and no line end
//! pass. The header section is examined up to [`ScanLimits::header_octets_max`]; a report quotes
//! at most [`dsn::RETURNED_OCTETS_MAX`] of the original.
//!
//! # Standards
//!
//! | document | what of it |
//! |---|---|
//! | RFC 5322 §2.1, §2.2, §3.3 | lines, fields, folding, dates |
//! | RFC 5321 §4.4, RFC 3848, RFC 6531 §4.3 | Received, Return-Path, transmission types |
//! | RFC 3464, RFC 6522 | delivery status notifications |
//! | RFC 6533 §3 | addresses with UTF-8 in such reports |
//! | RFC 2045 §6.7, RFC 2047 | quoted-printable, encoded words (written, not read) |
//! | RFC 3834 §5 | Auto-Submitted |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod date;
pub mod dsn;
mod encode;
mod fold;
mod header;
mod scan;
mod trace;

pub use date::date_time;
pub use header::{Fields, HeaderField, HeaderSection};
pub use scan::{ContentFacts, ContentScan, ScanLimits};
pub use trace::{Received, ReturnPath, TransferProtocol};
