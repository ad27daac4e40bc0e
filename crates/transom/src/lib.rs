//! The mail transport that Rust programs embed.
//!
//! A [`Transport`] takes mail over SMTP, keeps it durably before it answers `250`, routes each
//! recipient through send connectors as Microsoft Exchange does, delivers it over SMTP or to a
//! [`DeliveryAgent`] of your program, tries again when it must, reports what failed, and writes
//! every step into the message tracking log.
//!
//! This crate is a facade: it re-exports what a program needs of the crates below and adds no
//! behaviour. It is no mailbox server (no IMAP, no storage of mail that was delivered) and no
//! spam filter.
//!
//! ```no_run
//! use transom::{AcceptedDomain, Maildir, ReceiveConnector, SendConnector, Transport};
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = Transport::builder("mx1.contoso.com")
//!     .accepted_domain(AcceptedDomain::authoritative("contoso.com")?)
//!     .receive_connector(ReceiveConnector::internet("0.0.0.0:25".parse()?))
//!     .send_connector(SendConnector::internet()) // address space *, by MX
//!     .spool("/var/spool/transom")
//!     .tracking_log("/var/log/transom")
//!     .delivery_agent("mailbox", ["contoso.com"], Maildir::new("/var/mail/contoso"))
//!     .start()
//!     .await?;
//! tokio::signal::ctrl_c().await?;
//! transport.shutdown(std::time::Duration::from_secs(30)).await;
//! # Ok(()) }
//! ```
//!
//! # Where things are
//!
//! | what | crate |
//! |---|---|
//! | addresses, envelope, replies, outcomes | [`types`] |
//! | header section, trace fields, reports | [`message`] |
//! | connectors, accepted domains, rights | [`connector`] |
//! | what the DNS says | [`dns`] |
//! | events and the tracking log | [`tracking`] |
//! | delivery agents and directories | [`agent`] |
//! | where a recipient goes and why | [`routing`] |
//! | spool, scheduler, settlement | [`queue`] |
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `ring` | yes | cryptography for TLS by ring |
//! | `aws-lc-rs` | | cryptography for TLS by aws-lc-rs |
//! | `self-signed` | yes | [`Certificate::self_signed`] |
//! | `config` | | `Configuration::from_toml` and `from_json` of [`connector`] |
//! | `directory-file` | | `FallbackDirectory::from_toml` of [`agent`] |
//!
//! # Errors and limits
//!
//! [`StartError`] says in one line what keeps a transport from starting. Defaults are those of an
//! Exchange server; each stands with its reason beside the field that sets it:
//! [`ReceiveLimits`], [`SendConnector`], [`RetryProfile`].
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use transom_agent as agent;
pub use transom_connector as connector;
pub use transom_dns as dns;
pub use transom_message as message;
pub use transom_queue as queue;
pub use transom_routing as routing;
pub use transom_tracking as tracking;
pub use transom_types as types;

pub use transom_agent::{
    Authenticator, DeliveryAgent, DeliveryItem, Directory, MemoryAuthenticator, RecipientResult,
    async_trait,
};
pub use transom_connector::{
    AcceptedDomain, ReceiveConnector, ReceiveLimits, ReceiveProtocol, ReceiveTls, ReplyProfile,
    SendConnector, SendTls,
};
pub use transom_queue::RetryProfile;
pub use transom_runtime::{
    Certificate, ClientError, Clock, Done, Maildir, MessageTarget, NotRunning, Progress,
    QueryError, QueueTarget, ReloadError, Removal, ShutdownReport, StartError, SystemClock,
    TlsError, TrackingLog, Transport, TransportBuilder, TrustedRoots, VerbError, rustls,
    send_message,
};
pub use transom_tracking::{EventSink, TrackingEvent};

/// The README's examples compile.
#[doc = include_str!("../../../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
