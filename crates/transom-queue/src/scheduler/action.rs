//! What goes into a scheduler and what comes out of it.

use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use transom_types::{InternalMessageId, NextHop, Status};

use super::priority::Priority;

/// Names a queue as long as it lives. A queue that is dropped and made again has another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl QueueId {
    /// A number that no other queue has, until 4 billion more were made. It is never 0.
    pub fn number(self) -> u64 {
        u64::from(self.generation).max(1)
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

/// Names an attempt under way; completes once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DispatchToken(pub(super) u64);

/// Recipients of a message that share a next hop and a due time.
///
/// A message with recipients for several next hops or due times is enqueued several times. No
/// recipient may be enqueued again while it waits or is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what there is to know of a unit")]
pub struct Enqueue {
    /// The message.
    pub message: InternalMessageId,
    /// Where the recipients go; makes the queue, if there is none.
    pub next_hop: NextHop,
    /// Their places in the envelope. Nothing happens for an empty list.
    pub recipients: Vec<u32>,
    /// Not before this time; none is at once.
    pub due: Option<Instant>,
    /// When custody began, by the wall clock. Kept to whole seconds, as of the first unit of the
    /// message, for those who look; nothing is decided by it.
    pub received_at: SystemTime,
    /// When the message is given up; one that is years ahead is never. Of several for one message
    /// the earliest counts.
    pub expires_at: Instant,
    /// When the sender is to be told that the message waits; none when that was done or is not
    /// wanted. Of several for one message the earliest counts.
    pub delay_notice_at: Option<Instant>,
    /// Size of the message; one above 4 GiB counts as that large.
    pub octets: u64,
    /// Attempts that these recipients have behind them.
    pub attempts: u32,
    /// How urgent they are.
    pub priority: Priority,
}

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a dropped action is a message that nobody looks after"]
#[non_exhaustive]
pub enum SchedulerAction {
    /// An attempt begins: give it to an idle connection of that queue, or make a new one. Ends
    /// with [`Scheduler::complete`](super::Scheduler::complete).
    Start(Dispatch),
    /// These recipients have waited too long and have left the scheduler: settle them as expired.
    Expire(Overdue),
    /// The message has waited long enough for a notice: settle it. Its recipients stay.
    DelayNotice(Overdue),
    /// A removal was asked for while these recipients were under way, and their attempt did not
    /// deliver: settle them as removed. They have left the scheduler.
    Remove {
        /// The message.
        message: InternalMessageId,
        /// The recipients.
        recipients: Vec<u32>,
    },
    /// The queue was empty for long and is gone: close its connections.
    DropQueue(QueueId, NextHop),
    /// Nothing of the queue has got through for long: route it anew, if there is another way.
    /// [`drain_queue`](super::Scheduler::drain_queue) takes out what waits in it. Comes again after
    /// the same time, if nothing changes.
    Resubmit(QueueId, NextHop),
    /// Nothing until this time, or until something is told to the scheduler. A time that is not
    /// after `now` means that more is due than one call looks at: poll again soon.
    Wait(Option<Instant>),
}

/// An attempt that may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dispatch {
    /// To be handed back when it is over.
    pub token: DispatchToken,
    /// The queue.
    pub queue: QueueId,
    /// Where it goes.
    pub next_hop: NextHop,
    /// The message.
    pub message: InternalMessageId,
    /// Places of the recipients in the envelope.
    pub recipients: Vec<u32>,
    /// The attempt's number for these recipients, from 1.
    pub attempt: u32,
    /// When the message is given up: what settlement needs to cap retry times.
    pub expires_at: Instant,
    /// Size of the message.
    pub octets: u64,
}

/// A message whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who waits and why")]
pub struct Overdue {
    /// The message.
    pub message: InternalMessageId,
    /// Its recipients, grouped by what their queue knows.
    pub waiting: Vec<Waiting>,
    /// When the message is given up.
    pub expires_at: Instant,
}

/// Recipients that wait in one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who waits and why")]
pub struct Waiting {
    /// Places in the envelope.
    pub recipients: Vec<u32>,
    /// What kept the queue from delivering. It is the reason for recipients that were never
    /// attempted themselves.
    pub last_error: Option<Arc<Status>>,
}

/// How an attempt ended, as far as the scheduler cares.
///
/// [`Settlement::completed`](crate::Settlement::completed) makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who comes back, and how the connection did")]
pub struct Completed {
    /// Recipients that come back, and when. Those of the attempt that are not named here are done
    /// with.
    pub retries: Vec<(Vec<u32>, Instant)>,
    /// How the connection did.
    pub connection: ConnectionResult,
}

/// What an attempt tells of its queue's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionResult {
    /// The peer took up the transaction, whatever it answered: the queue's ladder starts anew.
    Used,
    /// No host of the next hop could be brought to a transaction.
    Failed,
    /// The attempt tells nothing: it ended before a connection was tried.
    NotTried,
}
