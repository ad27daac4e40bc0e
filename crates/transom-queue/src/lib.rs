//! Custody of mail: durable spool, scheduler, settlement.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod io;
mod message;
mod spool;

pub use message::{
    Accepted, ContentFacts, Ingress, IngressKind, Intent, MessageState, RecipientState,
};
pub use spool::{
    Accept, AdminVerb, Committed, Content, DiskLevel, Durability, Fork, Ingest, Ingested,
    LoadedMessage, Op, RecoveryReport, Settled, Spool, SpoolHealth, StoreError, StoredMessage,
};
