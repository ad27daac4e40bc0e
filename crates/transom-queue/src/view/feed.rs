//! Rows made of what a scheduler knows, one by one as they are asked for, and of what is in no
//! queue of it.

use std::time::{Instant, SystemTime};

use transom_types::InternalMessageId;

use super::identity::{MessageIdentity, QueueIdentity};
use super::message::MessageInfo;
use super::queue::{QueueInfo, QueueKind};
use crate::message::{Accepted, MessageState};
use crate::scheduler::{Priority, QueueStatus, QueueView, Scheduler, UnitStatus, UnitView};
use crate::settle::Deadlines;

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

/// Messages in custody that are in no queue of the scheduler: whoever has them counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what is not scheduled")]
pub struct Unscheduled {
    /// Messages that are being routed.
    pub routing: u32,
    /// Messages that brought the process down.
    pub poison: u32,
}

impl QueueInfo {
    /// Submission as a row; there always is one. `held` is what waits in the scheduler to be
    /// routed, if anything does.
    pub fn submission(held: Option<&QueueView>, routing: u32) -> Self {
        let mut info = Self::new(QueueKind::Submission, 0);
        info.message_count = routing;
        info.active_count = routing;
        if routing > 0 {
            info.status = QueueStatus::Active;
        }
        let Some(held) = held else { return info };
        if held.status == QueueStatus::Suspended {
            info.status = QueueStatus::Suspended;
        }
        info.message_count = routing.saturating_add(held.message_count);
        info.deferred_count = held.deferred_count;
        info.suspended_count = held.suspended_count;
        info
    }

    /// Poison as a row; none while nothing is in it. Its messages are suspended, the queue is not:
    /// it cannot be.
    pub fn poison(messages: u32) -> Option<Self> {
        let mut info = Self::new(QueueKind::Poison, 0);
        info.message_count = messages;
        info.deferred_count = messages;
        info.suspended_count = messages;
        (messages > 0).then_some(info)
    }

    /// A queue of a scheduler as a row.
    pub fn of(view: &QueueView, moment: &Moment) -> Self {
        let wall = |at: Option<Instant>| at.map(|at| moment.wall_at(at));
        let kind = QueueKind::of(&view.next_hop);
        let mut info = Self::new(kind, view.id.number()).with_next_hop(view.next_hop.clone());
        info.status = view.status;
        info.message_count = view.message_count;
        info.message_counts = Some(view.message_counts);
        info.deferred_count = view.deferred_count;
        info.suspended_count = view.suspended_count;
        info.active_count = view.inflight;
        info.incoming_per_minute = Some(view.incoming_per_minute);
        info.outgoing_per_minute = Some(view.outgoing_per_minute);
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
        let info = Self::new(identity, unit.queue.number(), unit.status, moment.wall);
        let mut info = info.with_received_at(unit.received_at, moment.wall);
        info.priority = unit.priority;
        info.places.clone_from(&unit.recipients);
        info.octets = unit.octets;
        info.retry_count = unit.attempts;
        info.next_retry = unit.due.map(|at| moment.wall_at(at));
        info.expires_at = unit.expires_at.map(|at| moment.wall_at(at));
        info
    }

    /// The open recipients of a message that is being routed as a row: in Submission, Active.
    pub fn in_submission(
        id: InternalMessageId,
        (message, state): (&Accepted, &MessageState),
        deadlines: &Deadlines,
        moment: &Moment,
    ) -> Self {
        let status = match &state.suspended {
            Some(_) => UnitStatus::PendingSuspend,
            None => UnitStatus::Active,
        };
        let queue = QueueInfo::new(QueueKind::Submission, 0);
        let mut info = Self::unscheduled(id, queue, status, (message, state), moment);
        info.priority = deadlines.priority;
        info.expires_at = Some(moment.wall_at(deadlines.expires_at));
        info
    }

    /// The open recipients of a message in Poison as a row: always Suspended, and never given up.
    pub fn in_poison(
        id: InternalMessageId,
        (message, state): (&Accepted, &MessageState),
        priority: Priority,
        moment: &Moment,
    ) -> Self {
        let queue = QueueInfo::new(QueueKind::Poison, 0);
        let stored = (message, state);
        let mut info = Self::unscheduled(id, queue, UnitStatus::Suspended, stored, moment);
        info.priority = priority;
        info
    }

    fn unscheduled(
        id: InternalMessageId,
        queue: QueueInfo,
        status: UnitStatus,
        (message, state): (&Accepted, &MessageState),
        moment: &Moment,
    ) -> Self {
        let identity = MessageIdentity { queue: Some(queue.identity), message: id };
        let info = Self::new(identity, queue.number, status, moment.wall);
        let mut info = info.with_received_at(message.received_at, moment.wall);
        let recipients = (0u32..).zip(&state.recipients);
        let open = recipients.filter(|(_, recipient)| recipient.is_open());
        (info.places, info.retry_count) =
            open.fold((Vec::new(), 0), |(mut places, attempts), (place, recipient)| {
                places.push(place);
                (places, attempts.max(recipient.attempts))
            });
        info.octets = message.facts.octets;
        info.with_stored(message, state)
    }
}

/// All queues as rows: Submission, those of the scheduler, and Poison where something is in it.
pub fn queue_rows(
    scheduler: &Scheduler,
    unscheduled: Unscheduled,
    moment: Moment,
) -> impl Iterator<Item = QueueInfo> {
    let is_submission = |view: &QueueView| QueueKind::of(&view.next_hop) == QueueKind::Submission;
    let held = scheduler.each_queue().find(is_submission);
    let submission = QueueInfo::submission(held.as_ref(), unscheduled.routing);
    let others = scheduler.each_queue().filter(move |view| !is_submission(view));
    let others = others.map(move |view| QueueInfo::of(&view, &moment));
    std::iter::once(submission).chain(others).chain(QueueInfo::poison(unscheduled.poison))
}

/// What is in those queues of the scheduler that `identity` means, as rows. Nothing is copied but
/// the row that is looked at. `server` is the name of this server. What is [`Unscheduled`] is for
/// the caller to add where `identity` means Submission or Poison, with
/// [`in_submission`](MessageInfo::in_submission) and [`in_poison`](MessageInfo::in_poison).
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
