//! Writing down what was decided on a message: one commit, and then all is known and queued.

use std::sync::Arc;

use transom_agent::{ContentEdit, Treatment, compose_edits, header_edits};
use transom_queue::{
    Accepted, AdminVerb, Committed, Deadlines, Decide, Decided, Durability, Edit, EditList,
    Enqueue, Fork, MessageCopy, MessageState, Op, Settled, StoreError,
};
use transom_routing::resolve::{ResolutionEnd, bifurcate};
use transom_tracking::{EventId, TrackedRecipient, TrackingEvent};
use transom_types::{Envelope, Mailbox, MtPriority, NextHop, Outcome, ReversePath};

use super::draft::{Draft, Trouble, recipient};
use super::ends::{Writing, generate, write_ends};
use super::{Submitted, enter, for_recipients, message_event, transfer_event};
use crate::body_cache::Fresh;
use crate::core::Core;
use crate::dispatcher::Entering;
use crate::settlement::Made;

/// Who holds a message that an agent wants held.
const HOLDER: &str = "agents";

/// How a copy differs from the message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shape {
    edits: EditList,
    reverse_path: Option<ReversePath>,
    decided: Decided,
    priority: Option<MtPriority>,
    hold: bool,
}

/// Recipients that go on together.
struct Part {
    next_hop: NextHop,
    shape: Shape,
    reports_to: Option<Mailbox>,
    /// Places in the plan.
    places: Vec<u32>,
}

/// Who stays in the message, who leaves for a fork, and who gets a copy.
#[derive(Default)]
struct Parts {
    home: Option<Part>,
    forks: Vec<Part>,
    copies: Vec<Part>,
}

/// Carries out what stands in `draft`. False where the message goes on as it is, so that there is
/// nothing to write down.
pub(super) async fn carry_out(
    draft: Draft<'_>,
    entering: &mut Vec<Entering>,
    reports: &mut Vec<Submitted>,
) -> Result<bool, Trouble> {
    let (core, submitted) = (draft.core, draft.submitted);
    let parts = parts(&draft)?;
    if is_as_it_was(&draft, &parts) {
        // What an agent would have done, and what it failed at, is told all the same.
        let told = draft.log.iter().filter(|entry| !entry.enforced);
        told.for_each(|entry| core.emit(&entry.tracking_event()));
        return Ok(false);
    }
    let mut writing = Writing::default();
    let copies = write_parts(&draft, &parts, &mut writing);
    write_ends(&draft, &mut writing).await?;
    for generated in draft.plan.generated() {
        let (op, made) = generate(core, submitted, generated).await?;
        writing.ops.push(op);
        writing.made.push(made);
    }
    let Writing { ops, events, made } = writing;
    let committed = core.spool.commit(ops, Durability::Sync).await?;
    tell(&draft, &parts, &committed, &events);
    for Made { id, fresh, event } in made {
        core.emit(&event);
        reports.push(Submitted::fresh(core, id, Arc::clone(&fresh.message)));
        core.cache.insert(id, fresh);
    }
    queue(&draft, &parts, copies, &committed, entering);
    Ok(true)
}

/// Groups the open recipients: as few messages as can be.
fn parts(draft: &Draft<'_>) -> Result<Parts, StoreError> {
    let mut shapes: Vec<(Treatment, Shape)> = Vec::new();
    let (mut places, mut signatures) = (Vec::new(), Vec::new());
    for (place, to) in draft.open() {
        let Some(next_hop) = to.next_hop.clone() else { continue };
        let treatment = draft.treatment(place);
        if !shapes.iter().any(|(known, _)| *known == treatment) {
            let shape = shape(draft, &treatment)?;
            shapes.push((treatment.clone(), shape));
        }
        let shape = shapes.iter().find(|(known, _)| *known == treatment).map(|(_, shape)| shape);
        // Treatments that come to the same are one.
        let at = shapes.iter().position(|(_, known)| Some(known) == shape).unwrap_or(0);
        let owner = draft.side(place).reports_to;
        signatures.push((next_hop, owner.map(|owner| owner.as_str().to_owned()), at));
        places.push(place);
    }
    let mut parts = Parts::default();
    let mut special = Vec::new();
    for copy in bifurcate(signatures) {
        let (next_hop, _, at) = copy.signature;
        let Some((_, shape)) = shapes.get(at) else { continue };
        let of = |at: u32| usize::try_from(at).ok().and_then(|at| places.get(at)).copied();
        let of_copy: Vec<u32> = copy.recipients.into_iter().filter_map(of).collect();
        let side = of_copy.first().map(|first| draft.side(*first)).unwrap_or_default();
        let part =
            Part { next_hop, shape: shape.clone(), reports_to: side.reports_to, places: of_copy };
        if !is_in_place(draft, &part) || part.shape != plain(draft) {
            special.push(part);
        } else if parts.home.is_none() {
            parts.home = Some(part);
        } else {
            parts.forks.push(part);
        }
    }
    // The message itself takes on what one copy has, where nobody else is in it.
    if parts.home.is_none() && draft.submitted.is_whole() {
        let fits = |part: &Part| {
            let shape = &part.shape;
            is_in_place(draft, part) && shape.reverse_path.is_none() && shape.priority.is_none()
        };
        let at = special.iter().position(fits);
        parts.home = at.map(|at| special.remove(at));
    }
    parts.copies = special;
    Ok(parts)
}

/// The message as it came.
fn plain(draft: &Draft<'_>) -> Shape {
    Shape {
        edits: draft.edits.clone(),
        reverse_path: None,
        decided: Decided::default(),
        priority: None,
        hold: false,
    }
}

/// Whether its recipients stand in the envelope as they are.
fn is_in_place(draft: &Draft<'_>, part: &Part) -> bool {
    let all = draft.plan.recipients();
    let at = |place: &u32| usize::try_from(*place).ok().and_then(|at| all.get(at));
    let mut recipients = part.places.iter().map(at);
    part.reports_to.is_none()
        && recipients.all(|to| to.is_some_and(|to| to.origin.is_some() && !to.redirected))
}

fn shape(draft: &Draft<'_>, treatment: &Treatment) -> Result<Shape, StoreError> {
    let own = &draft.submitted.message.envelope.reverse_path;
    let edits = header_edits(&draft.plan.headers(), &treatment.headers);
    let edits = if edits.is_empty() { draft.edits.clone() } else { composed(draft, &edits)? };
    Ok(Shape {
        edits,
        reverse_path: treatment.reverse_path.clone().filter(|path| path != own),
        decided: Decided { route: treatment.route.clone(), require_tls: treatment.require_tls },
        priority: treatment.priority,
        hold: treatment.hold,
    })
}

/// The edits that the content has, and then those of the agents.
fn composed(draft: &Draft<'_>, edits: &[ContentEdit]) -> Result<EditList, StoreError> {
    let before = draft.edits.edits().iter().map(|edit| ContentEdit {
        at: edit.at,
        remove: edit.remove,
        insert: edit.insert.clone(),
    });
    let all = compose_edits(&before.collect::<Vec<_>>(), edits).into_iter();
    let all = all.map(|ContentEdit { at, remove, insert }| Edit { at, remove, insert });
    EditList::new(all.collect())
        .map_err(|_| StoreError::Unreachable("agents changed too much of the header"))
}

fn is_as_it_was(draft: &Draft<'_>, parts: &Parts) -> bool {
    let home = parts.home.as_ref().is_none_or(|home| home.shape == plain(draft));
    home && parts.copies.is_empty()
        && draft.failed.is_empty()
        && draft.plan.generated().is_empty()
        && draft.plan.recipients().iter().all(|to| to.end.is_none())
}

/// The operations that make the parts. Gives the copies.
fn write_parts(draft: &Draft<'_>, parts: &Parts, writing: &mut Writing) -> Vec<Envelope> {
    let id = draft.submitted.id;
    let mut copies = Vec::with_capacity(parts.copies.len());
    for part in &parts.copies {
        copies.push(MessageCopy {
            envelope: envelope(draft, part),
            decided: part.shape.decided.clone(),
            edits: part.shape.edits.clone(),
            suspended: part.shape.hold.then(|| HOLDER.to_owned()),
        });
    }
    let envelopes = copies.iter().map(|copy| copy.envelope.clone()).collect();
    let decided = parts.home.as_ref().map(|home| home.shape.decided.clone()).unwrap_or_default();
    let ended = ended(draft, parts);
    writing.ops.push(Op::Decide(Box::new(Decide { id, decided, ended, copies })));
    if !parts.forks.is_empty() {
        let forks = parts.forks.iter().map(|part| Fork { recipients: origins(draft, part) });
        writing.ops.push(Op::Categorize { id, forks: forks.collect() });
    }
    if let Some(Part { shape, .. }) = &parts.home {
        if shape.edits != draft.edits {
            writing.ops.push(Op::Edit { id, edits: shape.edits.clone() });
        }
        if shape.hold {
            let (verb, actor) = (AdminVerb::Suspend, HOLDER.to_owned());
            writing.ops.push(Op::Admin { id, verb, actor });
        }
    }
    envelopes
}

fn envelope(draft: &Draft<'_>, part: &Part) -> Envelope {
    let original = &draft.submitted.message.envelope;
    let all = draft.plan.recipients();
    let of = |place: &u32| usize::try_from(*place).ok().and_then(|at| all.get(at));
    let recipients = part.places.iter().filter_map(of).map(recipient).collect();
    let mut parameters = original.parameters.clone();
    let mut reverse_path = part.shape.reverse_path.clone();
    if let Some(owner) = &part.reports_to {
        // [RFC 3461 §5.2.7.1-b] what the sender calls its envelope and wants returned says nothing
        // to the owner of a group.
        parameters.envelope_id = None;
        parameters.ret = None;
        reverse_path = Some(ReversePath::Mailbox(owner.clone()));
    }
    parameters.mt_priority = part.shape.priority.or(parameters.mt_priority);
    let reverse_path = reverse_path.unwrap_or_else(|| original.reverse_path.clone());
    Envelope { reverse_path, parameters, recipients }
}

/// Places in the envelope of a part whose recipients stand there.
fn origins(draft: &Draft<'_>, part: &Part) -> Vec<u32> {
    let all = draft.plan.recipients();
    let of = |place: &u32| usize::try_from(*place).ok().and_then(|at| all.get(at)?.origin);
    part.places.iter().filter_map(of).collect()
}

/// Recipients of the envelope whose place others take, or nobody.
fn ended(draft: &Draft<'_>, parts: &Parts) -> Vec<Settled> {
    let copied = |place: u32| parts.copies.iter().any(|part| part.places.contains(&place));
    let mut ended = Vec::new();
    for (place, to) in (0u32..).zip(draft.plan.recipients()) {
        let Some(origin) = to.origin else { continue };
        let outcome = match draft.outcome(place, to) {
            _ if to.redirected => Outcome::Redirected,
            Some(outcome @ (Outcome::Expanded | Outcome::Redirected | Outcome::Duplicate)) => {
                outcome
            }
            None if copied(place) => Outcome::Transferred,
            _ => continue,
        };
        ended.push(Settled { recipient: origin, outcome, attempted: false, retry_at: None });
    }
    ended
}

/// Says what is durable now: who changed what, who became whom, who goes where.
fn tell(draft: &Draft<'_>, parts: &Parts, committed: &Committed, events: &[TrackingEvent]) {
    let (core, submitted) = (draft.core, draft.submitted);
    let at = core.clock.wall();
    let (id, message) = (submitted.id, &submitted.message);
    draft.log.iter().for_each(|entry| core.emit(&entry.tracking_event()));
    let base = message_event(EventId::Resolve, at, id, message);
    draft.resolved.events(&base, at).iter().for_each(|event| core.emit(event));
    tell_success_unreported(draft);
    let mut event = message_event(EventId::Submit, at, id, message);
    for part in parts.home.iter().chain(&parts.copies).chain(&parts.forks) {
        let hop = part.next_hop.domain.to_string();
        let recipients = envelope(draft, part).recipients.into_iter();
        let tracked = recipients.map(|to| TrackedRecipient::new(to.forward_path, hop.clone()));
        event.recipients.extend(tracked);
    }
    if !event.recipients.is_empty() {
        core.emit(&event);
    }
    for (part, child) in parts.copies.iter().chain(&parts.forks).zip(&committed.forks) {
        let copied = Accepted { envelope: envelope(draft, part), ..Accepted::clone(message) };
        core.emit(&transfer_event(core, id, *child, &copied));
    }
    for event in events {
        core.emit(event);
    }
}

/// What RFC 3461 §5.2.7.1 wants is not done: no report of success is made, and that is said.
fn tell_success_unreported(draft: &Draft<'_>) {
    let due = |end: &ResolutionEnd| {
        matches!(end, ResolutionEnd::Expanded { success_report_due: true, .. })
    };
    if draft.resolved.ends.iter().any(due) {
        let (core, submitted) = (draft.core, draft.submitted);
        let (at, message) = (core.clock.wall(), &submitted.message);
        let mut event = message_event(EventId::Suppressed, at, submitted.id, message);
        event.source_context = Some("the success of an expansion is not reported".into());
        core.emit(&event);
    }
}

/// Puts everybody into the delivery queues. The forks and copies have their ids in `committed`:
/// first the copies, then the forks.
fn queue(
    draft: &Draft<'_>,
    parts: &Parts,
    envelopes: Vec<Envelope>,
    committed: &Committed,
    entering: &mut Vec<Entering>,
) {
    let (core, submitted) = (draft.core, draft.submitted);
    let mut children = committed.forks.iter().copied();
    let fresh = core.cache.take(submitted.id).filter(|_| draft.edits.is_empty());
    let cache = |id, message: &Accepted| {
        if let Some(fresh) = &fresh {
            let (message, content) = (Arc::new(message.clone()), fresh.content.clone());
            core.cache.insert(id, Fresh { message, content });
        }
    };
    let stopped = |child| submitted.suspended || committed.suspended.contains(&child);
    for ((part, envelope), child) in parts.copies.iter().zip(envelopes).zip(&mut children) {
        let parent = Some(submitted.id);
        let message = Accepted { parent, envelope, ..Accepted::clone(&submitted.message) };
        if part.shape.edits.is_empty() {
            cache(child, &message);
        }
        let unit = unit_of_copy(core, &message, part, child);
        entering.push(Entering { unit, suspended: stopped(child) });
    }
    for (part, child) in parts.forks.iter().zip(children) {
        let recipients = origins(draft, part);
        cache(child, &for_recipients(&submitted.message, submitted.id, &recipients));
        let renumbered: Vec<_> = recipients.into_iter().zip(0u32..).collect();
        enter(submitted, (child, stopped(child)), &part.next_hop, &renumbered, entering);
    }
    if let Some(part) = &parts.home {
        if part.shape.edits.is_empty() {
            cache(submitted.id, &submitted.message);
        }
        let suspended = submitted.suspended || part.shape.hold;
        let kept: Vec<_> = origins(draft, part).into_iter().map(|place| (place, place)).collect();
        enter(submitted, (submitted.id, suspended), &part.next_hop, &kept, entering);
    }
}

fn unit_of_copy(
    core: &Core,
    message: &Accepted,
    part: &Part,
    child: transom_types::InternalMessageId,
) -> Enqueue {
    let (wall, now) = (core.clock.wall(), core.clock.now());
    let profile = &core.settle_policy.profile;
    let deadlines = Deadlines::new(message, &MessageState::default(), profile, wall, now);
    Enqueue {
        message: child,
        next_hop: part.next_hop.clone(),
        recipients: (0u32..).take(message.envelope.recipients.len()).collect(),
        due: None,
        received_at: message.received_at,
        expires_at: deadlines.expires_at,
        delay_notice_at: deadlines.delay_notice_at,
        octets: message.facts.octets,
        attempts: 0,
        priority: deadlines.priority,
    }
}
