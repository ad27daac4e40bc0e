//! Custody of mail: durable spool, scheduler, settlement.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod io;
mod message;
pub mod retry;
pub mod scheduler;
mod spool;

pub use message::{
    Accepted, ContentFacts, Ingress, IngressKind, Intent, MessageState, RecipientState,
};
pub use retry::RetryProfile;
pub use scheduler::{
    Completed, ConnectionResult, Dispatch, DispatchToken, Enqueue, Overdue, QueueId, QueueStatus,
    QueueView, Scheduler, SchedulerAction, SchedulerOptions, Waiting,
};
pub use spool::{
    Accept, AdminVerb, Committed, Content, DiskLevel, Durability, Fork, Ingest, Ingested,
    LoadedMessage, Op, RecoveryReport, Settled, Spool, SpoolHealth, StoreError, StoredMessage,
};
