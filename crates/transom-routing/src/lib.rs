//! Where each recipient of a message goes next, and why.
//!
//! Before all, [`resolve`] says who the recipients are by what a directory answers: at RCPT,
//! whether they are taken, and then who gets the message.
//!
//! Two steps follow, at two times. [`categorize`] runs once a message is accepted: it gives every
//! recipient a [`NextHop`](transom_types::NextHop), which is a delivery queue, or a failure.
//! [`plan`] runs when a queue is about to connect: it asks the DNS and gives hosts with addresses,
//! in the order to try them.
//!
//! This crate opens no connection and keeps no queue. Who rewrites or filters comes before it; TLS
//! policies are not here.
//!
//! ```text
//! Envelope -- categorize(configuration, facts) --> groups of (NextHop, recipients), and failures
//!                 | select_connector: specificity, then cost, proximity, name
//!                 v
//! NextHop -- Target::of(..) -- plan(resolver, ..) --> Vec<HostTry> or PlanError
//! ```
//!
//! ```
//! use transom_connector::{AcceptedDomain, Configuration, SendConnector};
//! use transom_dns::Zone;
//! use transom_routing::{LocalIdentity, MessageFacts, Target, categorize, plan};
//! use transom_types::{Envelope, ForwardPath, MailParameters, Recipient, ReversePath};
//!
//! let configuration = Configuration::new("mx1.contoso.com".parse()?)
//!     .with_accepted_domain(AcceptedDomain::authoritative("contoso.com")?)
//!     .with_delivery_agent("mailbox", ["contoso.com"])?
//!     .with_send_connector(SendConnector::internet())
//!     .check()?;
//! let envelope = Envelope {
//!     reverse_path: ReversePath::Null,
//!     parameters: MailParameters::default(),
//!     recipients: vec![
//!         Recipient::from("<ann@contoso.com>".parse::<ForwardPath>()?),
//!         Recipient::from("<bob@fabrikam.com>".parse::<ForwardPath>()?),
//!     ],
//! };
//! let categorized = categorize(&configuration, &MessageFacts::new(&envelope, 2_000));
//! let hops: Vec<String> = categorized.groups.iter().map(|(hop, _)| hop.to_string()).collect();
//! assert_eq!(
//!     hops,
//!     ["mailbox (DeliveryAgent, mailbox)", "fabrikam.com (DnsConnectorDelivery, Internet)"]
//! );
//!
//! let zone: Zone = "
//!     fabrikam.com      MX  10 mx.fabrikam.com
//!     mx.fabrikam.com   A   131.107.0.25
//! "
//! .parse()?;
//! let target = Target::of(&categorized.groups[1].0, &configuration)?;
//! let mut random = || 4;
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let hosts = plan(&zone, &target, &LocalIdentity::default(), &mut random).await?;
//! assert_eq!(hosts[0].name, "mx.fabrikam.com");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors and limits
//!
//! Each error knows the [`Outcome`](transom_types::Outcome) it means for a recipient:
//! [`PlanError::outcome`]. At most [`ADDRESSES_MAX`] addresses are tried in one attempt, and at
//! most [`HOSTS_MAX`] hosts are looked up for it.
//!
//! # Standards
//!
//! | document | what of it |
//! |---|---|
//! | RFC 3461 §5.2.7 | what aliases and groups do with NOTIFY and the original recipient |
//! | RFC 5321 §5.1 | MX records: order, ties at random, the host itself in the list, no MX record |
//! | RFC 5321 §6.3 | loops are seen by the number of Received fields |
//! | RFC 7505 | the null MX |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address_policy;
mod categorizer;
mod destination;
mod explain;
mod plan_error;
pub mod resolve;
mod selection;
mod smart_hosts;
#[cfg(test)]
mod tests;

pub use categorizer::{Categorized, MessageFacts, categorize, next_hop};
pub use destination::{
    ADDRESSES_MAX, HOSTS_MAX, HostTry, LocalIdentity, Target, TargetError, plan,
};
pub use explain::{Candidate, Explanation, Merit, explain};
pub use plan_error::PlanError;
pub use selection::{Reason, Selection, select_connector};
pub use smart_hosts::SmartHostPool;
