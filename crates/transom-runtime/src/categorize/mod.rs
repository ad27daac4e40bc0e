//! The categorizer's workers: from the submission queue to the delivery queues.
//!
//! Where nobody has anything to say of a message but the routing, it is routed here and written
//! down only where it must be divided. Else it is drafted first: agents see it, the directory says
//! who its recipients are, remote domains what they do not want; then one commit holds all of it,
//! and the message is never decided on again.

mod decision;
mod directory;
mod draft;
mod ends;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use tokio::sync::{Mutex, mpsc};
use transom_connector::CheckedConfiguration;
use transom_queue::{
    Accepted, Committed, Deadlines, Decided, Durability, Enqueue, Fork, MessageState, Op,
    RecipientState, RecoveredUnit, StoreError, WorkStage,
};
use transom_routing::{Categorized, MessageFacts, categorize, next_hop};
use transom_tracking::{EventId, Source, TrackedRecipient, TrackingEvent};
use transom_types::{
    AttemptStage, ConnectorId, InternalMessageId, NextHop, Outcome, RecipientResult, Status,
    TlsClass,
};

use crate::body_cache::Fresh;
use crate::core::Core;
use crate::dispatcher::{Entering, Request};
use crate::settlement::{FINAL_RETRY, fail_unrouted, retry_after};
use crate::submission;

use self::draft::{Draft, Trouble, asks, asks_others};

/// Messages that one worker takes at once. One, where a message may wait for a directory or an
/// agent: those behind it would wait too.
const BATCH: usize = 64;

/// A message that waits for the categorizer.
#[derive(Clone, Debug)]
pub(crate) struct Submitted {
    pub(crate) id: InternalMessageId,
    pub(crate) message: Arc<Accepted>,
    pub(crate) state: MessageState,
    /// The open recipients that are routed, grouped by due time; the places of each in order.
    pub(crate) units: Vec<RecoveredUnit>,
    pub(crate) deadlines: Deadlines,
    pub(crate) suspended: bool,
}

impl Submitted {
    /// A message just accepted.
    pub(crate) fn fresh(core: &Core, id: InternalMessageId, message: Arc<Accepted>) -> Self {
        let count = message.envelope.recipients.len();
        let recipients = vec![RecipientState::default(); count];
        let state = MessageState { recipients, ..MessageState::default() };
        let (wall, now) = (core.clock.wall(), core.clock.now());
        let profile = &core.settle_policy.profile;
        let deadlines = Deadlines::new(&message, &state, profile, wall, now);
        let all = (0u32..).take(count).collect();
        let units = vec![RecoveredUnit { recipients: all, due: None, attempts: 0 }];
        Self { id, message, state, units, deadlines, suspended: false }
    }
}

/// One worker. Several share the receiver.
pub(crate) async fn work(core: Arc<Core>, submission: Arc<Mutex<mpsc::Receiver<Submitted>>>) {
    let most = if asks_others(core.as_ref()) { 1 } else { BATCH };
    let mut batch = Vec::with_capacity(most);
    loop {
        let taken = {
            let mut submission = submission.lock().await;
            tokio::select! {
                taken = submission.recv_many(&mut batch, most) => taken,
                () = core.stop.cancelled() => return,
            }
        };
        if taken == 0 {
            return;
        }
        if core.submission.is_suspended() {
            submission::hold(&core, &mut batch).await;
            continue;
        }
        let mut routed = Vec::with_capacity(taken);
        let mut entering = Vec::with_capacity(taken);
        // Reports that come out of it follow at once: put into the channel by its only readers,
        // they would wait for ever where it is full.
        while !batch.is_empty() {
            let mut reports = Vec::new();
            for submitted in batch.drain(..) {
                let id = submitted.id;
                if categorize_one(&core, submitted, &mut entering, &mut reports).await {
                    routed.push(id);
                }
            }
            batch.append(&mut reports);
        }
        if core.dispatcher.send(Request::Enqueue(entering)).await.is_err() {
            return;
        }
        core.submission.leave(routed);
    }
}

/// Where the open recipients of a message go.
fn route(core: &Core, submitted: &Submitted) -> Categorized {
    let _work = core.spool.working(submitted.id, WorkStage::Categorize);
    let Submitted { message, state, units, .. } = submitted;
    let facts = MessageFacts::new(&message.envelope, message.facts.octets);
    let mut categorized = categorize(&core.config(), &facts);
    // Of a message that is routed anew, some recipients may be under way: those stay there.
    let asked =
        |recipient: u32| units.iter().any(|unit| unit.recipients.binary_search(&recipient).is_ok());
    let open = |recipient: u32| {
        let at = usize::try_from(recipient).unwrap_or(usize::MAX);
        asked(recipient) && state.recipients.get(at).is_some_and(RecipientState::is_open)
    };
    for (_, recipients) in &mut categorized.groups {
        recipients.retain(|recipient| open(*recipient));
    }
    categorized.groups.retain(|(_, recipients)| !recipients.is_empty());
    if let Some(Decided { route, require_tls }) = &state.decided {
        reroute(&core.config(), &facts, route.as_ref(), *require_tls, &mut categorized);
    }
    redirect(core, &mut categorized.groups);
    categorized.failed.retain(|failed| open(failed.recipient));
    categorized
}

/// What agents decided of the way holds as long as the message is here.
fn reroute(
    configuration: &CheckedConfiguration,
    facts: &MessageFacts<'_>,
    by: Option<&ConnectorId>,
    require_tls: bool,
    categorized: &mut Categorized,
) {
    if by.is_some() {
        let grouped = categorized.groups.drain(..).flat_map(|(_, recipients)| recipients);
        let failed = categorized.failed.drain(..).map(|failed| failed.recipient);
        let mut all: Vec<u32> = grouped.chain(failed).collect();
        all.sort_unstable();
        for place in all {
            let at = usize::try_from(place).unwrap_or(usize::MAX);
            let Some(to) = facts.envelope.recipients.get(at) else { continue };
            match next_hop(configuration, facts, &to.forward_path, by) {
                Ok(hop) => match categorized.groups.iter_mut().find(|(known, _)| *known == hop) {
                    Some((_, recipients)) => recipients.push(place),
                    None => categorized.groups.push((hop, vec![place])),
                },
                Err(reply) => {
                    let status = Status::local(AttemptStage::Routing, reply);
                    let outcome = Outcome::Failed(status);
                    categorized.failed.push(RecipientResult { recipient: place, outcome });
                }
            }
        }
    }
    if require_tls {
        for (next_hop, _) in &mut categorized.groups {
            next_hop.tls = TlsClass::RequireTls;
        }
    }
}

/// Mail goes where administrators want it; recipients that meet there stay together.
fn redirect(core: &Core, groups: &mut Vec<(NextHop, Vec<u32>)>) {
    let redirects = core.redirects();
    if redirects.is_empty() {
        return;
    }
    let mut merged: Vec<(NextHop, Vec<u32>)> = Vec::with_capacity(groups.len());
    for (next_hop, mut recipients) in groups.drain(..) {
        let next_hop = redirects.get(&next_hop).cloned().unwrap_or(next_hop);
        match merged.iter_mut().find(|(known, _)| *known == next_hop) {
            Some((_, known)) => known.append(&mut recipients),
            None => merged.push((next_hop, recipients)),
        }
    }
    *groups = merged;
}

/// The queue entries of a message that needs neither fork nor failure; none where it does.
pub(crate) fn at_once(core: &Core, submitted: &Submitted) -> Option<Vec<Entering>> {
    // The firewall alone has nothing to take out of what came in by it.
    if asks_others(core) && asks(core, submitted) {
        return None;
    }
    let Categorized { groups, failed, .. } = route(core, submitted);
    if groups.len() > 1 || !failed.is_empty() {
        return None;
    }
    let mut entering = Vec::new();
    for (next_hop, recipients) in &groups {
        let kept: Vec<_> = recipients.iter().map(|recipient| (*recipient, *recipient)).collect();
        let message = (submitted.id, submitted.suspended);
        enter(submitted, message, next_hop, &kept, &mut entering);
    }
    Some(entering)
}

/// Categorizes a message; what the spool does not write down now is tried again later, and so is
/// what panics: a worker goes on with the other messages. False when it is tried again.
async fn categorize_one(
    core: &Arc<Core>,
    submitted: Submitted,
    entering: &mut Vec<Entering>,
    reports: &mut Vec<Submitted>,
) -> bool {
    let before = entering.len();
    let work = AssertUnwindSafe(try_categorize(core, &submitted, entering, reports));
    let wait = match work.catch_unwind().await {
        Ok(Ok(())) => return true,
        Ok(Err(Trouble::PutOff(wait))) => Some(wait),
        Ok(Err(Trouble::Store(error))) => {
            tracing::error!(message = %submitted.id, %error, "a message cannot be categorized");
            retry_after(&error)
        }
        Err(_) => {
            tracing::error!(message = %submitted.id, "the categorizer panicked");
            entering.truncate(before);
            Some(FINAL_RETRY)
        }
    };
    if let Some(wait) = wait {
        core.spawn(submit_later(Arc::clone(core), submitted, wait));
    }
    wait.is_none()
}

/// Puts a message that could not be categorized before the categorizer again, as it is by then. A
/// stop ends the wait: the next start finds the message.
async fn submit_later(core: Arc<Core>, submitted: Submitted, mut wait: Duration) {
    while core.pause(wait).await {
        match core.spool.open(submitted.id).await {
            Ok(stored) => {
                let submitted = Submitted { state: stored.state, ..submitted };
                drop(core.submission.send(submitted).await);
                return;
            }
            Err(error) => match retry_after(&error) {
                Some(later) => wait = later,
                None => return core.submission.leave([submitted.id]),
            },
        }
    }
}

/// Gives every open recipient a next hop, or an end.
async fn try_categorize(
    core: &Core,
    submitted: &Submitted,
    entering: &mut Vec<Entering>,
    reports: &mut Vec<Submitted>,
) -> Result<(), Trouble> {
    if asks(core, submitted) {
        let configuration = core.config();
        let draft = Draft::make(core, &configuration, submitted).await?;
        if Box::pin(decision::carry_out(draft, entering, reports)).await? {
            return Ok(());
        }
    }
    let Categorized { mut groups, failed, .. } = route(core, submitted);
    if !failed.is_empty() {
        reports.append(&mut fail_unrouted(core, submitted, &failed).await?);
    }
    if groups.is_empty() {
        return Ok(());
    }
    core.emit(&submit_event(core, submitted.id, &submitted.message, &groups));
    let others = groups.split_off(1);
    let Committed { forks, suspended, .. } = fork(core, submitted, &others).await?;
    for ((next_hop, recipients), child) in others.into_iter().zip(forks) {
        let renumbered: Vec<_> = recipients.iter().copied().zip(0u32..).collect();
        // Who stopped the message before it was forked has stopped its forks.
        let stopped = submitted.suspended || suspended.contains(&child);
        enter(submitted, (child, stopped), &next_hop, &renumbered, entering);
    }
    for (next_hop, recipients) in groups {
        let kept: Vec<_> = recipients.iter().map(|recipient| (*recipient, *recipient)).collect();
        enter(submitted, (submitted.id, submitted.suspended), &next_hop, &kept, entering);
    }
    Ok(())
}

/// Makes a message of its own for each further next hop; the body is shared.
async fn fork(
    core: &Core,
    submitted: &Submitted,
    others: &[(NextHop, Vec<u32>)],
) -> Result<Committed, StoreError> {
    if others.is_empty() {
        return Ok(Committed::default());
    }
    let id = submitted.id;
    let forks = others.iter().map(|(_, recipients)| Fork { recipients: recipients.clone() });
    let op = Op::Categorize { id, forks: forks.collect() };
    let committed = core.spool.commit(vec![op], Durability::Sync).await?;
    for ((_, recipients), child) in others.iter().zip(&committed.forks) {
        let message = for_recipients(&submitted.message, id, recipients);
        core.emit(&transfer_event(core, id, *child, &message));
    }
    let Some(fresh) = core.cache.take(id) else { return Ok(committed) };
    for ((_, recipients), child) in others.iter().zip(&committed.forks) {
        let message = Arc::new(for_recipients(&submitted.message, id, recipients));
        let content = fresh.content.clone();
        core.cache.insert(*child, Fresh { message, content });
    }
    core.cache.insert(id, fresh);
    Ok(committed)
}

/// The message as its fork has it.
fn for_recipients(message: &Accepted, parent: InternalMessageId, recipients: &[u32]) -> Accepted {
    let mut fork = message.clone();
    fork.parent = Some(parent);
    let at = |recipient: &u32| usize::try_from(*recipient).ok();
    let of = |recipient| at(recipient).and_then(|at| message.envelope.recipients.get(at)).cloned();
    fork.envelope.recipients = recipients.iter().filter_map(of).collect();
    fork
}

/// Puts recipients into their delivery queue, those with the same due time together.
/// `recipients` are pairs: place in the message submitted, place in `message`, which may be
/// suspended.
pub(crate) fn enter(
    submitted: &Submitted,
    (message, suspended): (InternalMessageId, bool),
    next_hop: &NextHop,
    recipients: &[(u32, u32)],
    entering: &mut Vec<Entering>,
) {
    for unit in &submitted.units {
        let of_unit = recipients.iter().filter(|(old, _)| unit.recipients.contains(old));
        let recipients: Vec<u32> = of_unit.map(|(_, new)| *new).collect();
        if recipients.is_empty() {
            continue;
        }
        let unit = Enqueue {
            message,
            next_hop: next_hop.clone(),
            recipients,
            due: unit.due,
            received_at: submitted.message.received_at,
            expires_at: submitted.deadlines.expires_at,
            delay_notice_at: submitted.deadlines.delay_notice_at,
            octets: submitted.message.facts.octets,
            attempts: unit.attempts,
            priority: submitted.deadlines.priority,
        };
        entering.push(Entering { unit, suspended });
    }
}

fn submit_event(
    core: &Core,
    id: InternalMessageId,
    message: &Accepted,
    groups: &[(NextHop, Vec<u32>)],
) -> TrackingEvent {
    let mut event = message_event(EventId::Submit, core.clock.wall(), id, message);
    for (next_hop, recipients) in groups {
        for recipient in recipients {
            let at = usize::try_from(*recipient).unwrap_or(usize::MAX);
            if let Some(recipient) = message.envelope.recipients.get(at) {
                let path = recipient.forward_path.clone();
                event.recipients.push(TrackedRecipient::new(path, next_hop.domain.to_string()));
            }
        }
    }
    event
}

fn transfer_event(
    core: &Core,
    parent: InternalMessageId,
    child: InternalMessageId,
    message: &Accepted,
) -> TrackingEvent {
    let mut event = message_event(EventId::Transfer, core.clock.wall(), child, message);
    let path = |recipient: &transom_types::Recipient| {
        TrackedRecipient::new(recipient.forward_path.clone(), "")
    };
    event.recipients = message.envelope.recipients.iter().map(path).collect();
    event.reference = Some(parent.to_string().into());
    event
}

/// What every event of the categorizer says of its message.
fn message_event(
    event: EventId,
    at: SystemTime,
    id: InternalMessageId,
    message: &Accepted,
) -> TrackingEvent {
    let mut event = TrackingEvent::new(event, Source::Routing, at);
    event.internal_id = Some(id);
    event.network_id = Some(message.network_id);
    event.message_id.clone_from(&message.facts.message_id);
    event.total_bytes = message.facts.octets;
    event.sender = Some(message.envelope.reverse_path.clone());
    event
}
