//! Custody of mail: durable spool, scheduler, settlement.
//!
//! From the moment a message is accepted until each of its recipients has an outcome, this crate
//! knows where it is: on the disk in a [`Spool`], in memory in a [`Scheduler`], and at the end of
//! an attempt in [`settle`](mod@settle).
//!
//! [`view`] shows queues and messages in Exchange's words and says which verb is allowed where;
//! [`query`] asks for them by filter, order and page.
//!
//! It is not a server: no socket, no clock and no task is here. The program that drives it gives
//! the time and does what it is told. Nor does it know how mail is routed; it takes the next hop
//! that was chosen.
//!
//! ```text
//! begin, write, finish          commit([Accept])                      "250 OK"
//! content -----> Ingest -----> Ingested -----> Spool (durable) -----------^
//!                                                |   ^
//!                         Scheduler <- Enqueue --+   | commit([Settle, Accept(report)])
//!                             |                      |
//!                             +-> attempt -> settle -+
//! ```
//!
//! A message through its whole life; the folder holds it from the first commit to the second:
//!
//! ```
//! use std::time::SystemTime;
//! use futures::executor::block_on;
//! use transom_message::{ContentScan, ScanLimits};
//! use transom_queue::*;
//! use transom_types::{
//!     AttemptStage, EnhancedStatusCode, Envelope, ForwardPath, MailParameters, NetworkMessageId,
//!     Outcome, Reply, ReplyCode, Status,
//! };
//!
//! async fn run(folder: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//!     let spool = SegLog::open_dir(folder, SegLogOptions::default())?;
//!     // Once, before anything else: what the last run left.
//!     let report = spool.load(&mut |message| println!("{} waits", message.id))?;
//!     println!("{} messages, {} damages", report.messages, report.damages.len());
//!
//!     let content = b"Subject: hello\r\n\r\nHow are you?\r\n";
//!     let mut scan = ContentScan::new(ScanLimits::default());
//!     let mut ingest = spool.begin(Some(content.len().try_into()?))?;
//!     let id = ingest.id();
//!     for piece in content.chunks(16) {
//!         scan.push(piece);
//!         ingest.write(piece).await?;
//!     }
//!     let body = ingest.finish().await?;
//!     let recipient: ForwardPath = "<bob@fabrikam.com>".parse()?;
//!     let message = Accepted {
//!         // Any number that no other message has.
//!         network_id: NetworkMessageId(0x5eed_0001),
//!         parent: None,
//!         received_at: SystemTime::now(),
//!         ingress: Ingress {
//!             kind: IngressKind::Program,
//!             connector: "my program".into(),
//!             peer: None,
//!             helo: None,
//!             identity: None,
//!             tls: None,
//!             session: None,
//!         },
//!         envelope: Envelope {
//!             reverse_path: "<alice@contoso.com>".parse()?,
//!             parameters: MailParameters::default(),
//!             recipients: vec![recipient.into()],
//!         },
//!         facts: scan.finish(),
//!     };
//!     let accept = Op::Accept(Box::new(Accept { body, message }));
//!     spool.commit(vec![accept], Durability::Sync).await?;
//!     // Now the message survives any crash, and "250" may be said.
//!
//!     let stored = spool.open(id).await?;
//!     let mut octets = vec![0; content.len()];
//!     stored.content.read_at(0, &mut octets)?;
//!     assert_eq!(octets, content);
//!
//!     // The attempt to deliver it ended well: that goes down, and with it the message.
//!     let reply = Reply::new(ReplyCode::OK, EnhancedStatusCode::success(6, 0), "taken");
//!     let outcome = Outcome::Relayed(Status::local(AttemptStage::EndOfData, reply));
//!     let settled = Settled { recipient: 0, outcome, attempted: true, retry_at: None };
//!     let settle = Op::Settle { id, recipients: vec![settled], delay_notified: false };
//!     let committed = spool.commit(vec![settle], Durability::Sync).await?;
//!     assert_eq!(committed.completed, [id]);
//!     spool.close()?;
//!     Ok(())
//! }
//!
//! let folder = tempfile::tempdir()?;
//! block_on(run(folder.path()))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! How to back up, restore and move the folder stands at [`Inspection`].
//!
//! # What [`SegLog`] promises
//!
//! - A commit that was answered is there after any crash; one that was not is there whole or not
//!   at all. Commits that wait at the same time share one write and one sync.
//! - What has ended stays ended, whatever the disk kept of writes that were not synced.
//! - Octets that do not verify are never served. They are set aside in `quarantine/` with a note,
//!   never deleted, and never stop a start.
//! - What is damaged or gone is told, with the file and the messages that it costs: by the start in
//!   [`RecoveryReport::damages`], later by a thread that reads everything once a day
//!   ([`SegLogOptions::scrub_interval`]) in [`Spool::damages`]. All else is served.
//! - An [`Intent`] is answered when the system has it: it survives a killed process, not a power
//!   cut within the next second. [`RecoveryReport::power_cut`] says when that may have happened.
//!
//! It assumes of the medium that a sync that returned holds, and that a write that was cut off
//! leaves each octet either old or new.
//!
//! # Errors and limits
//!
//! [`OpenError`] and [`StoreError`] name the thing that failed. After the first failed
//! write or sync mail from outside is refused, all else is written once more in a new segment, and
//! life goes on; after the second the spool takes nothing more ([`SpoolHealth::Failed`]) and can
//! still be read. On a full disk outcomes go into a reserve; [`Spool::pressure`] says what else
//! has to wait. Every limit is a field
//! of [`SegLogOptions`], [`MemoryOptions`] or [`SchedulerOptions`] with its default and reason.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `testing` | the simulated disk and the conformance suite, for tests of stores |
//!
//! # Standards
//!
//! | document | what of it |
//! |---|---|
//! | RFC 5321 §4.2.5, §4.5.4, §6.1 | custody after 250, retries, reports |
//! | RFC 1047 | the reply that is lost after the content: `InDoubt` |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod apply;
mod dir_io;
pub mod io;
mod memory;
mod message;
pub mod query;
pub mod retry;
pub mod scheduler;
mod seglog;
pub mod settle;
mod spool;
mod sync;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
pub mod view;

pub use dir_io::DirIo;
pub use memory::{MemoryOptions, MemorySpool};
pub use message::{
    Accepted, ContentFacts, Decided, Ingress, IngressKind, Intent, MessageState, RecipientState,
};
pub use retry::RetryProfile;
pub use scheduler::{
    Completed, ConnectionResult, Dispatch, DispatchToken, Drained, Enqueue, Overdue, Priority,
    QueueId, QueueStatus, QueueView, RateLimit, Scheduler, SchedulerAction, SchedulerOptions,
    UnitStatus, UnitView, Waiting, Walked,
};
pub use seglog::{Checked, Damage, Driver, Inspection, OpenError, SegLog, SegLogOptions, Stats};
pub use settle::{
    Cause, Deadlines, Recovered, RecoveredUnit, ReportDraft, ReportKind, ReportMessage,
    SettleInput, SettlePolicy, Settlement, Suppression, recover, settle,
};
pub use spool::{
    Accept, AdminVerb, Committed, Content, Decide, DiskLevel, Durability, Edit, EditError,
    EditList, Fork, Ingest, Ingested, LatencyLevel, LoadedMessage, MessageCopy, Note, Op,
    POISON_ACTOR, Pressure, RecoveryReport, Settled, Spool, SpoolHealth, StoreError, StoredMessage,
    Work, WorkStage,
};
