//! The configuration of a mail transport as checked values: receive and send connectors,
//! permissions, address spaces, accepted domains.
//!
//! A [`Configuration`] is data with public fields. [`Configuration::check`] looks at how its parts
//! fit together and gives a [`CheckedConfiguration`], which answers questions: which connector
//! serves this peer, may this session send to this recipient, whose domain is this.
//!
//! This crate opens no socket and reads no file. Which connector a recipient leaves by is decided
//! in `transom-routing`; what a session says on the wire in `transom-smtp`.
//!
//! ```text
//! Configuration -- check() --> CheckedConfiguration -- select_receive(local, peer)
//!                    |                              -- accepts_sender(rights, path, ..)
//!                    v                              -- accepts_recipient(.., rights, path)
//!           every ConfigurationError                -- accepted_domain(domain)
//! ```
//!
//! ```
//! use transom_connector::{
//!     AcceptedDomain, Configuration, PrincipalKind, ReceiveConnector, RecipientClass,
//!     ReplyProfile,
//! };
//!
//! let configuration = Configuration::new("mx1.contoso.com".parse()?)
//!     .with_accepted_domain(AcceptedDomain::authoritative("contoso.com")?)
//!     .with_receive_connector(ReceiveConnector::internet("0.0.0.0:25".parse()?))
//!     .with_receive_connector(ReceiveConnector::relay(
//!         "0.0.0.0:25".parse()?,
//!         vec!["10.0.0.0/8".parse()?],
//!     ))
//!     .check()?;
//!
//! let local = "192.0.2.25:25".parse()?;
//! let stranger = configuration.select_receive(local, "203.0.113.7".parse()?).ok_or("served")?;
//! let printer = configuration.select_receive(local, "10.1.2.3".parse()?).ok_or("served")?;
//! let (ours, foreign) = ("<ann@contoso.com>".parse()?, "<bob@fabrikam.com>".parse()?);
//!
//! let ask = |connector: &ReceiveConnector, recipient| {
//!     let rights = connector.permissions.rights(PrincipalKind::Anonymous);
//!     configuration.accepts_recipient(connector, rights, recipient)
//! };
//! assert_eq!(ask(stranger, &ours), Ok(RecipientClass::Authoritative));
//! let refusal = ask(stranger, &foreign).unwrap_err();
//! let reply = refusal.reply(ReplyProfile::Plain);
//! assert_eq!(reply.to_string(), "550 5.7.1 Unable to relay\r\n");
//!
//! assert_eq!(ask(printer, &foreign), Ok(RecipientClass::Foreign));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors and limits
//!
//! [`ConfigurationErrors`] lists everything that is wrong, each with the names of the parts
//! concerned. A [`Refusal`] knows the [`Reply`](transom_types::Reply) to send. Limits of sessions
//! and messages are in [`ReceiveLimits`].
//!
//! Domains are compared by A-label, so a domain in U-labels and its twin in A-labels are one.
//!
//! # Standards
//!
//! | document | what of it |
//! |---|---|
//! | RFC 5321 §4.5.1 | `<Postmaster>` is always accepted |
//! | RFC 5321 §4.5.3.1 | the limits are above the least that it demands |
//! | RFC 2033 §1 | no LMTP at port 25 |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accepted_domain;
mod address_space;
mod checked;
mod configuration;
mod domain_index;
mod domain_tables;
#[cfg(feature = "file")]
mod file;
mod lint;
mod other_server;
mod permissions;
mod pickup;
mod receive;
mod remote_domain;
mod remote_range;
mod rights;
mod send;
#[cfg(test)]
mod tests;

pub use accepted_domain::{AcceptedDomain, AcceptedDomainKind, ParseAcceptedDomainError};
pub use address_space::{AddressPattern, AddressSpace, ParseAddressSpaceError};
pub use checked::{CheckedConfiguration, RecipientClass};
pub use configuration::{Configuration, ConfigurationError, ConfigurationErrors};
#[cfg(feature = "file")]
#[cfg_attr(docsrs, doc(cfg(feature = "file")))]
pub use file::{ConfigurationProblem, ParseConfigurationError, ParseConfigurationErrors};
pub use lint::{
    Finding, LintContext, LintObject, LintPlace, LintRule, RelayStep, RelayWitness, Severity,
};
pub use other_server::OtherServer;
pub use permissions::{PermissionGroup, Permissions, PrincipalKind};
pub use pickup::{PickupDirectory, ReplayDirectory};
pub use receive::{
    ConnectionRate, LostReason, MessageRateSource, MessageRates, ReceiveAuth, ReceiveCandidate,
    ReceiveConnector, ReceiveConnectorError, ReceiveExplanation, ReceiveExtensions, ReceiveLimits,
    ReceiveProtocol, ReceiveStage, ReceiveTls, Refusal, ReplyProfile, ServiceLimits, UsageType,
};
pub use remote_domain::{ParseRemoteDomainError, RemoteDomain};
pub use remote_range::{ParseRemoteRangeError, RemoteRange};
pub use rights::{ParseRightError, Rights};
pub use send::{
    Credential, DropDirectory, ErrorCode, ErrorPolicies, ParseErrorCodeError, ParseSmartHostError,
    Proximity, SendCandidate, SendConnector, SendConnectorError, SendDelivery, SendTls, SmartHost,
    SmartHostAuth, SmartHostOrder, TlsAuthLevel,
};
pub(crate) use send::{check_send_connectors, reach, source_servers};
