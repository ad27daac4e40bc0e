//! What a host program plugs into a mail transport: agents, directories, authenticators.
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
//! Agents that see mail on its way, and change it, ask for [`Effects`]. [`Agents`] holds all of
//! them in order, [`MessagePlan`] what becomes of one message:
//!
//! ```text
//! session ------ ReceiveStep --> Agents::received --> Verdict, AgentLogEntry ...
//! categorizer -- RoutingStep --> Agents::routed ----> AgentLogEntry ...
//!                                  | one agent after the other: MessageView -> Effects
//!                                  `-> MessagePlan::apply, all or nothing
//!                                        `-> MessagePlan::bifurcate: copies, each with its
//!                                            Treatment -> header_edits, route, hold ...
//! ```
//!
//! A receive agent that lets nobody write to the boss but friends, and a routing agent that sends
//! what is marked secret by a connector of its own:
//!
//! ```
//! use transom_agent::{
//!     AgentEvent, AgentEvents, Effect, Effects, MessageView, ReceiveAgent, RoutingAgent,
//!     SessionView, Verdict, async_trait,
//! };
//! use transom_types::{ConnectorId, EnhancedStatusCode, Recipient, Reply, ReplyCode};
//!
//! struct Doorkeeper;
//!
//! #[async_trait]
//! impl ReceiveAgent for Doorkeeper {
//!     fn events(&self) -> AgentEvents {
//!         AgentEvents::of(&[AgentEvent::Rcpt, AgentEvent::EndOfHeaders])
//!     }
//!
//!     async fn on_rcpt(
//!         &self,
//!         session: &SessionView,
//!         message: &MessageView<'_>,
//!         to: &Recipient,
//!         effects: &mut Effects,
//!     ) -> Verdict {
//!         let friend = session.principal.is_some() || message.reverse_path.is_null();
//!         if friend || to.forward_path.to_string() != "<boss@contoso.com>" {
//!             return Verdict::Continue;
//!         }
//!         effects.because("not a friend");
//!         let code = EnhancedStatusCode::permanent(7, 1);
//!         Verdict::Reject(Reply::new(ReplyCode::MAILBOX_UNAVAILABLE, code, "Not to be disturbed"))
//!     }
//!
//!     async fn on_end_of_headers(
//!         &self,
//!         session: &SessionView,
//!         _message: &MessageView<'_>,
//!         effects: &mut Effects,
//!     ) -> Verdict {
//!         effects.add_header("X-Came-From", &session.remote.ip().to_string());
//!         Verdict::Continue
//!     }
//! }
//!
//! struct SecretMail;
//!
//! #[async_trait]
//! impl RoutingAgent for SecretMail {
//!     fn events(&self) -> AgentEvents {
//!         AgentEvents::of(&[AgentEvent::Resolved])
//!     }
//!
//!     async fn on_resolved(&self, message: &MessageView<'_>, effects: &mut Effects) {
//!         let label = message.headers.first("Sensitivity");
//!         if label.is_some_and(|label| label.value() == "Company-Confidential") {
//!             effects.to_all(Effect::SetRoute(ConnectorId::new("Leased Line")));
//!             effects.to_all(Effect::RequireTls);
//!         }
//!     }
//! }
//! ```
//!
//! # Errors and limits
//!
//! An agent that panics, takes longer than its time (5 s; 30 s for all over one message in a
//! session) or asks for what cannot be done has failed: nothing that it asked for is done, and
//! [`OnFailure`] says what becomes of the mail. After 5 failures in 30 s it is not asked for 30 s.
//! Agents that answer to each other's messages are stopped by [`LoopGuard`].
//!
//! A delivery agent has no error type: each recipient gets an outcome, and a failure that may pass
//! is [`Outcome::Deferred`](transom_types::Outcome::Deferred). A recipient for which an agent gives
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
//! | Exchange's transport agents | events, their order, the header firewall, address rewriting |
//! | RFC 4954 §6 | what a failed authentication means: not valid, or not now |
//! | RFC 5321 §4.2.5, §6.1 | custody passes only with a durable copy |
//! | RFC 5322 §2.1.1, §3.4 | lines of header fields, addresses in them |
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
mod secret_store;

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
pub use secret_store::{MemorySecrets, SecretStore, SecretUnavailable};
/// What an agent answers for a recipient.
pub use transom_types::RecipientResult;
