//! Custody of mail: durable spool, scheduler, settlement.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod apply;
mod dir_io;
pub mod io;
mod memory;
mod message;
pub mod retry;
pub mod scheduler;
mod seglog;
pub mod settle;
mod spool;
mod sync;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

pub use dir_io::DirIo;
pub use memory::{MemoryOptions, MemorySpool};
pub use message::{
    Accepted, ContentFacts, Ingress, IngressKind, Intent, MessageState, RecipientState,
};
pub use retry::RetryProfile;
pub use scheduler::{
    Completed, ConnectionResult, Dispatch, DispatchToken, Enqueue, Overdue, QueueId, QueueStatus,
    QueueView, Scheduler, SchedulerAction, SchedulerOptions, Waiting,
};
pub use seglog::{Driver, OpenError, SegLog, SegLogOptions, Stats};
pub use settle::{
    Cause, Deadlines, Recovered, RecoveredUnit, ReportDraft, ReportKind, ReportMessage,
    SettleInput, SettlePolicy, Settlement, Suppression, recover, settle,
};
pub use spool::{
    Accept, AdminVerb, Committed, Content, DiskLevel, Durability, Fork, Ingest, Ingested,
    LoadedMessage, Op, RecoveryReport, Settled, Spool, SpoolHealth, StoreError, StoredMessage,
};
