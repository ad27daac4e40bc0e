//! Sockets, TLS, DNS, clocks and log files: drives the sans-io crates of transom.
//!
//! What is decided stands in the crates below; here is what must wait for the world. This is the
//! only crate that knows tokio. Most programs take the facade `transom`, which re-exports
//! [`Transport`].
//!
//! ```text
//! listener -> session task -> spool commit -> 250 -> submission -> categorizer workers
//!                                                                        |
//!   settlement task <- connection task (SMTP or agent) <- dispatcher <---+
//!         |                                                   ^
//!         +-> spool commit -> events -> "complete" -----------+
//! ```
//!
//! One task a listener, one a session, one dispatcher that owns the scheduler, one an outbound
//! connection, and a thread each for the spool's committer and the tracking log. Every channel is
//! bounded; what happens when it is full stands where it is made. Tasks are owned: a stop waits
//! for all of them.
//!
//! # Errors and limits
//!
//! [`StartError`] names what keeps a transport from starting; once it runs, what goes wrong with
//! a message becomes that message's outcome, and what goes wrong with the disk becomes a reply
//! that makes senders try again.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `ring` | cryptography for TLS by ring |
//! | `aws-lc-rs` | cryptography for TLS by aws-lc-rs |
//! | `self-signed` | [`Certificate::self_signed`] |
//!
//! # Standards
//!
//! | document | what of it |
//! |---|---|
//! | RFC 5321 §4.5.4 | queueing, retrying, giving up |
//! | RFC 3207, RFC 8314 §3 | STARTTLS both ways, implicit TLS for receiving |
//! | RFC 2033 | LMTP for receiving |
//! | PROXY protocol 1 and 2, Postfix's XCLIENT | front ends that speak for clients, when trusted |
//! | RFC 7435 | opportunistic TLS: encrypted where possible, in the clear otherwise |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod admin;
mod body_cache;
mod builder;
mod categorize;
mod clock;
mod core;
mod damage;
mod dispatcher;
mod inbound;
mod lint;
mod maildir;
mod outbound;
mod reload;
mod settlement;
mod start;
mod submission;
mod tls;
mod tracking_log;
mod transport;
mod wire;

pub use admin::{Done, MessageTarget, Progress, QueryError, QueueTarget, Removal, VerbError};
pub use builder::{StartError, TransportBuilder};
pub use clock::{Clock, SystemClock};
pub use maildir::Maildir;
pub use outbound::{ClientError, send_message};
pub use reload::ReloadError;
pub use rustls;
pub use tls::{Certificate, TlsError, TrustedRoots};
pub use tracking_log::TrackingLog;
pub use transport::{NotRunning, ShutdownReport, Transport};
