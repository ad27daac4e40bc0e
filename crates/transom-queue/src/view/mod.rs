//! Queues, messages and what may be done to them, in Exchange's words.
//!
//! Values and decisions only. Rows of any origin can be asked for with [`query`](crate::query):
//! [`QueueInfo`] is what Exchange's `Get-Queue` shows, [`MessageInfo`] what `Get-Message` shows.
//! [`verdict`] says which verb is allowed where. [`AgeHistogram`] shows which destinations have
//! grown old.
//!
//! ```
//! use std::time::{Instant, SystemTime};
//!
//! use transom_queue::query::Query;
//! use transom_queue::view::{Moment, Unscheduled, queue_rows};
//! use transom_queue::{Scheduler, SchedulerOptions};
//!
//! let counts = Unscheduled { poison: 3, ..Unscheduled::default() };
//! let scheduler = Scheduler::new(SchedulerOptions::default());
//! let query = Query::new(7).with_filter("messages >= 1".parse()?);
//! let moment = Moment { now: Instant::now(), wall: SystemTime::now() };
//! let page = query.page(queue_rows(&scheduler, counts, moment))?;
//! assert_eq!((page.total, page.rows[0].identity.to_string()), (1, "Poison".to_owned()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `IncomingRate`, `OutgoingRate` and `Velocity` are whole messages of the last minute; Submission
//! and Poison have none. `DateReceived` is in whole seconds.
//!
//! Submission is always listed, Unreachable and Poison as long as they hold something. Whoever
//! routes messages says how many are being routed and how many are poison ([`Unscheduled`]), and
//! gives the messages themselves for [`MessageInfo::in_submission`] and [`MessageInfo::in_poison`].
//! Both queues have a name, a status, counts, `DeliveryType` Undefined and `NextHopCategory`
//! Internal; they lead nowhere, so connector, errors, retry times and rates have no value.
//!
//! # What Exchange shows and we do not
//!
//! | of | property | why |
//! |---|---|---|
//! | queue | `TlsDomain` | `TlsClass` is what keeps queues apart here |
//! | queue | `MessageCountsPerPriority` | a list: [`QueueInfo::message_counts`] |
//! | queue | `DeferredMessageCountsPerPriority`, `PriorityDescriptions` | not kept |
//! | queue | `LockedMessageCount` | no message is ever locked |
//! | queue | `RiskLevel`, `OutboundIPPool`, `OverrideSource` | only in Microsoft's cloud |
//! | message | `OriginalFromAddress` | no address is rewritten |
//! | message | `SCL`, `Directionality`, `DeferReason`, `ComponentLatency` | nothing sets them yet |
//! | message | `LockReason` | no message is ever locked |
//! | message | `AccountForest`, `TrafficType`, `TrafficSubType` | only in Microsoft's cloud |
//! | message | `ExternalDirectoryOrganizationId` | only in Microsoft's cloud |
//! | status | `Locked` | no message is ever locked |
//! | queue | shadow queues, `Shadow\NUMBER` | no shadow copies are made yet |
//! | queue | Safety Net | not kept; Exchange does not list it either |
//! | queue | the other words of `DeliveryType` | no mailboxes, sites or foreign connectors here |
//! | query | `BookmarkIndex` | a number means another row as soon as one goes |
//! | query | `-Include`, `-Exclude` | a filter says the same |
//! | query | `Get-QueueDigest` | it sums up several servers; [`AgeHistogram`] is of one |

mod ages;
mod feed;
mod identity;
mod message;
mod property;
mod queue;
mod verb;

#[cfg(test)]
mod tests;

pub use ages::{AgeHistogram, AgeRow};
pub use feed::{Moment, Unscheduled, message_rows, queue_rows};
pub use identity::{MessageIdentity, ParseIdentityError, QueueIdentity, QueueName};
pub use message::{MessageInfo, MessageProperty, RecipientInfo, RecipientStatus, StoredInfo};
pub use queue::{QueueInfo, QueueKind, QueueProperty};
pub use verb::{Effect, Refusal, Target, Verb, verdict};
