//! What is scheduled: units, the messages they belong to, and the times both wait for.

use transom_types::InternalMessageId;

use super::clock::Tick;
use super::slab::{Link, Linked, List};
use super::wheel::{Alarm, SlotIndex, Timed};

/// Marks the list of units that may start, two a flow.
#[derive(Debug)]
pub(super) struct Lane;

/// Marks the list of a message's units.
#[derive(Debug)]
pub(super) struct Siblings;

/// Marks the list of all units of a flow.
#[derive(Debug)]
pub(super) struct Members;

/// Recipients of one message with one next hop and one due time. There may be millions: a test
/// bounds its size.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) message: u32,
    pub(super) flow: u32,
    /// In a lane or in the wheel: never in both.
    pub(super) lane: Link,
    pub(super) siblings: Link,
    pub(super) members: Link,
    /// When it is due, if it waits or is held.
    pub(super) due: Tick,
    pub(super) recipients: Recipients,
    pub(super) attempts: u16,
    pub(super) slot: SlotIndex,
    pub(super) place: Place,
    /// Whether it goes by the lane of large messages.
    pub(super) bulk: bool,
}

/// Where a unit is: in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In no list yet; never between two calls.
    Nowhere,
    /// In a lane of its flow.
    Lane,
    /// Until its due time, with a timer.
    Waiting,
    /// Its message is suspended; its due time is what it goes back to.
    Held,
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

impl Linked<Alarm> for Unit {
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

impl Linked<Members> for Unit {
    fn link(&self) -> Link {
        self.members
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.members
    }
}

impl Timed for Unit {
    fn at(&self) -> Tick {
        self.due
    }
    fn slot(&self) -> SlotIndex {
        self.slot
    }
    fn set_slot(&mut self, slot: SlotIndex) {
        self.slot = slot;
    }
}

/// Places in the envelope. Most units have one recipient, which needs nothing more; the places of
/// others stand in a store of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recipients(u32);

/// Says that the rest of the number is an index.
const MANY: u32 = 1 << 31;

impl Recipients {
    /// The one recipient, where there is one; it is not large enough to be taken for an index.
    pub(super) fn one(recipients: &[u32]) -> Option<Self> {
        match recipients {
            [one] if *one < MANY => Some(Self(*one)),
            _ => None,
        }
    }

    pub(super) fn many(index: u32) -> Self {
        Self(index | MANY)
    }

    /// Where the places of several stand.
    pub(super) fn index(self) -> Option<u32> {
        (self.0 & MANY != 0).then_some(self.0 & !MANY)
    }

    /// The place of one, where it is one.
    pub(super) fn place(&self) -> &u32 {
        &self.0
    }
}

/// An open message. There may be millions: a test bounds its size.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: InternalMessageId,
    pub(super) octets: u32,
    /// Seconds since 1970, by the wall clock.
    pub(super) received_at: u32,
    pub(super) expires_at: Tick,
    pub(super) delay_notice_at: Tick,
    pub(super) units: List<Siblings>,
    pub(super) link: Link,
    /// Its timer is not set when it never expires, and when it has expired and all that is left
    /// is under way.
    pub(super) slot: SlotIndex,
    pub(super) suspended: bool,
    /// Asked to be removed while under way.
    pub(super) removed: bool,
}

impl Linked<Alarm> for Message {
    fn link(&self) -> Link {
        self.link
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

impl Timed for Message {
    /// The notice or the expiry, whichever comes first.
    fn at(&self) -> Tick {
        self.delay_notice_at.min(self.expires_at)
    }
    fn slot(&self) -> SlotIndex {
        self.slot
    }
    fn set_slot(&mut self, slot: SlotIndex) {
        self.slot = slot;
    }
}
