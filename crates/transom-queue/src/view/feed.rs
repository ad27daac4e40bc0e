//! Rows made of what a scheduler knows, one by one as they are asked for.

use std::time::{Instant, SystemTime};

use super::identity::{MessageIdentity, QueueIdentity};
use super::message::MessageInfo;
use super::queue::{QueueInfo, QueueKind};
use crate::scheduler::{QueueView, Scheduler, UnitView};

/// One moment by both clocks: what turns the scheduler's times into those of the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two clocks")]
pub struct Moment {
    /// By the clock that never jumps.
    pub now: Instant,
    /// By the clock on the wall.
    pub wall: SystemTime,
}

impl Moment {
    /// What the wall clock shows at an instant.
    pub fn wall_at(&self, at: Instant) -> SystemTime {
        let moved = match at.checked_duration_since(self.now) {
            Some(ahead) => self.wall.checked_add(ahead),
            None => self.wall.checked_sub(self.now.saturating_duration_since(at)),
        };
        moved.unwrap_or(self.wall)
    }
}

impl QueueInfo {
    /// A queue of a scheduler as a row.
    pub fn of(view: &QueueView, moment: &Moment) -> Self {
        let wall = |at: Option<Instant>| at.map(|at| moment.wall_at(at));
        let kind = QueueKind::of(&view.next_hop);
        let mut info = Self::new(kind, view.id.number()).with_next_hop(view.next_hop.clone());
        info.status = view.status;
        info.message_count = view.message_count;
        info.message_counts = view.message_counts;
        info.deferred_count = view.deferred_count;
        info.suspended_count = view.suspended_count;
        info.active_count = view.inflight;
        info.incoming_per_minute = view.incoming_per_minute;
        info.outgoing_per_minute = view.outgoing_per_minute;
        info.last_error.clone_from(&view.last_error);
        info.retry_count = view.retry_count;
        info.first_retry = wall(view.first_retry);
        info.last_retry = wall(view.last_retry);
        info.next_retry = wall(view.next_retry);
        info.throttled_until = wall(view.throttled_until);
        info
    }
}

impl MessageInfo {
    /// Recipients of a message in a queue of a scheduler as a row, without what the spool knows.
    pub fn of(unit: &UnitView, queue: QueueIdentity, moment: &Moment) -> Self {
        let identity = MessageIdentity { queue: Some(queue), message: unit.message };
        let mut info = Self::new(identity, unit.queue.number(), unit.status);
        info.priority = unit.priority;
        info.places.clone_from(&unit.recipients);
        info.octets = unit.octets;
        info.retry_count = unit.attempts;
        info.next_retry = unit.due.map(|at| moment.wall_at(at));
        info.expires_at = unit.expires_at.map(|at| moment.wall_at(at));
        info
    }
}

/// The queues of a scheduler as rows. Submission and Poison, which hold what is not scheduled, are
/// for the caller to add.
pub fn queue_rows(scheduler: &Scheduler, moment: Moment) -> impl Iterator<Item = QueueInfo> {
    scheduler.each_queue().map(move |view| QueueInfo::of(&view, &moment))
}

/// What is in the queues that `identity` means, as rows. Nothing is copied but the row that is
/// looked at. `server` is the name of this server.
///
/// Rows lack what only the spool knows. Where a filter or a sort
/// [asks](super::MessageProperty::is_stored) for none of that, it is enough to open the messages of
/// the page that is shown; else each is opened before it is filtered, with
/// [`with_stored`](MessageInfo::with_stored).
pub fn message_rows<'a>(
    scheduler: &'a Scheduler,
    identity: &'a QueueIdentity,
    server: &'a str,
    moment: Moment,
) -> impl Iterator<Item = MessageInfo> + 'a {
    let queues = scheduler.each_queue().filter_map(move |view| {
        let info = QueueInfo::of(&view, &moment);
        info.is_meant_by(identity, server).then_some((view.id, info.identity))
    });
    queues.flat_map(move |(id, queue)| {
        let units = scheduler.units_of(id);
        units.map(move |unit| MessageInfo::of(&unit, queue.clone(), &moment))
    })
}
