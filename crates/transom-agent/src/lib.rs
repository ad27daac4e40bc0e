//! What a host program plugs into a mail transport: delivery agents, directories, authenticators.
//!
//! The traits are object-safe and asynchronous; a transport keeps them as `Arc<dyn _>`. This crate
//! holds no transport and does no I/O: what drives an agent is `transom-runtime`, and the Maildir
//! agent that writes files lives there too. What of Maildir is only a decision, names and folders,
//! is in [`maildir`].
//!
//! ```text
//! queue -- DeliveryItem (key, envelope, recipients, content) --> DeliveryAgent::deliver
//!   ^                                                                 | copy made durable
//!   `-------------- one RecipientResult a recipient <-----------------+
//! ```
//!
//! A delivery agent in a few lines:
//!
//! ```
//! use std::io::Read as _;
//!
//! use transom_agent::{
//!     ContentReader, DeliveryAgent, DeliveryItem, RecipientResult, async_trait,
//! };
//!
//! struct Printer;
//!
//! #[async_trait]
//! impl DeliveryAgent for Printer {
//!     async fn deliver(&self, item: DeliveryItem<'_>) -> Vec<RecipientResult> {
//!         let mut text = Vec::new();
//!         if let Err(error) = ContentReader::new(&*item.content).read_to_end(&mut text) {
//!             return item.deferred(format!("cannot read the content: {error}"));
//!         }
//!         println!("{}", String::from_utf8_lossy(&text));
//!         item.delivered()
//!     }
//! }
//! ```
//!
//! # Errors and limits
//!
//! An agent has no error type: each recipient gets an outcome, and a failure that may pass is
//! [`Outcome::Deferred`](transom_types::Outcome::Deferred). A recipient for which an agent gives
//! no result is tried again. A directory that cannot answer says [`DirectoryUnavailable`]; the
//! session then answers 451 and the client comes back.
//!
//! An [`Authenticator`] that cannot answer says so in its answer; the client gets 454.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `directory-file` | `FallbackDirectory::from_toml`: a directory written down in TOML |
//! | `scram` | `MemoryAuthenticator`: users in memory, SCRAM verifiers of their passwords |
//!
//! # Standards
//!
//! | document | what of it |
//! |---|---|
//! | RFC 4954 §6 | what a failed authentication means: not valid, or not now |
//! | RFC 5321 §4.2.5, §6.1 | custody passes only with a durable copy |
//! | the Maildir convention of qmail | names, folders, `tmp` then `new` |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address_rewriting;
mod agents;
mod authenticator;
mod content;
mod delivery;
mod directory;
mod effects;
mod header_firewall;
pub mod maildir;

pub use address_rewriting::{
    AddressRewriting, RewriteEntry, RewriteSide, RewriteTable, RewriteTableError, rewrite_mailboxes,
};
pub use agents::{
    AgentClock, AgentEvent, AgentEvents, AgentFailure, AgentMode, AgentSettings, Agents,
    AgentsBuilder, BuildAgentsError, MessageRecipient, MessageView, OnFailure, PipelineEntry,
    ReceiveAgent, ReceiveStep, Received, RecipientEnd, RoutingAgent, RoutingStep, SessionView,
    Verdict,
};
pub use async_trait::async_trait;
pub use authenticator::{
    AuthenticationAnswer, Authenticator, PasswordQuestion, Questions, ScramAnswer,
};
#[cfg(feature = "scram")]
#[cfg_attr(docsrs, doc(cfg(feature = "scram")))]
pub use authenticator::{MemoryAuthenticator, MemoryAuthenticatorError};
pub use content::{ContentReader, ContentSource};
pub use delivery::{DeliveryAgent, DeliveryItem, IdempotencyKey};
pub use directory::{
    Directory, DirectoryAnswer, DirectoryEntry, DirectoryUnavailable, FallbackDirectory, Group,
    GroupReports, MemoryDirectory, RecipientKind, RecipientPolicy, directory_fn,
};
#[cfg(feature = "directory-file")]
#[cfg_attr(docsrs, doc(cfg(feature = "directory-file")))]
pub use directory::{DirectoryProblem, ParseDirectoryError};
pub use effects::{
    Bifurcated, ContentEdit, Effect, EffectError, Effects, FieldMatch, GeneratedMessage,
    HeaderChange, Lineage, LoopGuard, MessagePlan, NewField, Scope, ScopedEffect, Treatment,
    apply_edits, compose_edits, header_edits,
};
pub use header_firewall::{HeaderFamilies, HeaderFirewall};
/// What an agent answers for a recipient.
pub use transom_types::RecipientResult;
