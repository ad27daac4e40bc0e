//! What is scheduled: units, the messages they belong to, and the times both wait for.

use std::time::Instant;

use transom_types::InternalMessageId;

use super::slab::{Link, Linked, List};

/// Marks the list of units that may start, one a queue.
#[derive(Debug)]
pub(super) struct Lane;

/// Marks the list of a message's units.
#[derive(Debug)]
pub(super) struct Siblings;

/// Recipients of one message with one next hop and one due time.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) message: u32,
    pub(super) queue: u32,
    pub(super) recipients: Recipients,
    pub(super) attempts: u32,
    pub(super) place: Place,
    pub(super) lane: Link,
    pub(super) siblings: Link,
}

/// Where a unit is: in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In no list yet; never between two calls.
    Nowhere,
    /// In its queue's lane.
    Lane,
    /// Until its due time, with a timer.
    Waiting(Instant),
    /// Its message is suspended; the due time it goes back to.
    Held(Instant),
    /// An attempt is under way.
    Inflight,
}

impl Linked<Lane> for Unit {
    fn link(&self) -> Link {
        self.lane
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.lane
    }
}

impl Linked<Siblings> for Unit {
    fn link(&self) -> Link {
        self.siblings
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.siblings
    }
}

/// Places in the envelope. Most messages have one recipient: it needs no allocation.
#[derive(Debug)]
pub(super) enum Recipients {
    One(u32),
    Many(Box<[u32]>),
}

impl Recipients {
    pub(super) fn new(recipients: Vec<u32>) -> Self {
        match *recipients.as_slice() {
            [one] => Self::One(one),
            _ => Self::Many(recipients.into_boxed_slice()),
        }
    }

    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// An open message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: InternalMessageId,
    pub(super) octets: u64,
    pub(super) expires_at: Instant,
    pub(super) delay_notice_at: Option<Instant>,
    /// When its timer fires: the notice or the expiry, whichever comes first. None only when it
    /// has expired and all that is left is under way.
    pub(super) timer: Option<Instant>,
    pub(super) units: List<Siblings>,
    pub(super) suspended: bool,
    /// Asked to be removed while under way.
    pub(super) removed: bool,
}

/// Whom a timer wakes. Expiry comes before retry at the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Message(u32),
    QueueRetry(u32),
    QueueIdle(u32),
    Unit(u32),
}
