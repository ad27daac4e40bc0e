//! The words of mail transfer as types: mailbox, domain, path, envelope, reply, enhanced status
//! code, ids, next hop, outcome.
//!
//! A value that exists is valid: octets become these types once, at the edge, and no value can
//! hold CR, LF or NUL. `Display` prints the wire form; there is no other encoder.
//!
//! This crate is not a parser of messages (that is `transom-message`) and not a protocol (that is
//! `transom-smtp`). It has no I/O, no clock and no randomness.
//!
//! ```
//! use transom_types::{ForwardPath, Mailbox};
//!
//! let mailbox: Mailbox = "\"john smith\"@Example.COM".parse()?;
//! assert_eq!(mailbox.local_part().to_string(), "\"john smith\"");
//! // Domains compare without regard to case, local-parts do not.
//! assert_eq!(mailbox.host().domain().map(|d| d == "example.com"), Some(true));
//! assert!("no at sign".parse::<Mailbox>().is_err());
//! assert_eq!(ForwardPath::from(mailbox).to_string(), "<\"john smith\"@Example.COM>");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors and limits
//!
//! Each parser has an error of its own that says what was wrong and where. Limits are constants
//! beside the type they bound ([`LocalPart::OCTETS_MAX`], [`Domain::OCTETS_MAX`]).
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `idna` | `Domain::to_ascii`: U-labels as A-labels, so that both spellings of a domain meet |
//! | `scram` | SCRAM-SHA-256: making and checking the verifiers of passwords |
//!
//! # Standards
//!
//! | document | what of it |
//! |---|---|
//! | RFC 5321 §2.3.11, §4.1.2, §4.1.3, §4.2 | mailboxes, paths, address literals, reply codes |
//! | RFC 6531 §3.3 | UTF-8 in local-parts and domains |
//! | RFC 3463 | enhanced status codes |
//! | RFC 5802 §3, RFC 7677 | verifiers of SCRAM-SHA-256 |
//! | RFC 3461 §4, §5 | NOTIFY, ORCPT, RET, ENVID and xtext |
//! | RFC 6533 §3 | original recipients of type `utf-8` |
//! | RFC 2852, RFC 4865, RFC 6710, RFC 7293 | BY, HOLDFOR and HOLDUNTIL, MT-PRIORITY, RRVS |
//! | RFC 3030, RFC 4954 §5, RFC 8689 | BINARYMIME, AUTH= and REQUIRETLS as parameters |
//! | RFC 3339 §5.6 | moments in parameters |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod delivery_parameters;
mod domain;
mod dsn_parameters;
mod envelope;
mod extension_parameter;
mod ids;
mod literal;
mod mailbox;
mod next_hop;
mod outcome;
mod path;
mod principal;
mod reply;
mod reply_code;
pub mod scram;
mod secret;
mod shared_str;
mod status_code;
mod timestamp;
mod xtext;

pub use delivery_parameters::{
    DeliverBy, DeliverByMode, FutureRelease, HoldInterval, MtPriority, ParseDeliverByError,
    ParseHoldIntervalError, ParseMtPriorityError, ParseRrvsError, ParseSubmitterError,
    RequireRecipientValidSince, RrvsAction, Submitter,
};
#[cfg(feature = "idna")]
pub use domain::DomainToAsciiError;
pub use domain::{Domain, ParseDomainError};
pub use dsn_parameters::{
    EnvelopeId, Notify, OriginalRecipient, ParseEnvelopeIdError, ParseNotifyError,
    ParseOriginalRecipientError, ParseRetError, Ret,
};
pub use envelope::{
    BodyType, Envelope, MailParameters, ParseBodyTypeError, RcptParameters, Recipient,
};
pub use extension_parameter::{ExtensionParameter, ExtensionParameterError};
pub use ids::{
    InternalMessageId, InternetMessageId, NetworkMessageId, ParseInternetMessageIdError,
    ParseNetworkMessageIdError, SessionId,
};
pub use literal::{AddressLiteral, ParseAddressLiteralError};
pub use mailbox::{Host, LocalPart, Mailbox, ParseLocalPartError, ParseMailboxError};
pub use next_hop::{ConnectorId, DeliveryType, NextHop, NextHopDomain, TlsClass};
pub use outcome::{AttemptStage, Outcome, RecipientResult, RemoteHost, Status};
pub use path::{ForwardPath, ParsePathError, ReversePath};
pub use principal::{Principal, PrincipalError};
pub use reply::{ParseReplyError, Reply};
pub use reply_code::{ParseReplyCodeError, ReplyCode, Severity};
pub use secret::Secret;
pub use status_code::{EnhancedStatusCode, ParseEnhancedStatusCodeError, StatusClass};
pub use timestamp::{ParseTimestampError, Timestamp};
pub use xtext::{Xtext, XtextError};
