//! Who gets nothing, and what is made beside the copies: outcomes, reports about them, messages of
//! agents.

use std::sync::Arc;

use bytes::Bytes;
use transom_message::{ContentScan, ScanLimits};
use transom_queue::{
    Accept, Accepted, Cause, Content, Ingress, IngressKind, MessageState, Op, SettleInput,
    StoreError, settle,
};
use transom_tracking::{EventId, Source, TrackedRecipient, TrackingEvent};
use transom_types::{Mailbox, NetworkMessageId, Outcome, Recipient, RecipientResult, ReversePath};

use super::draft::{Draft, Ended, Side, recipient};
use super::{Submitted, message_event};
use crate::body_cache::Fresh;
use crate::core::Core;
use crate::settlement::{AtHand, Made, make_report};

/// What is committed, and what is made known of it then.
#[derive(Default)]
pub(super) struct Writing {
    pub(super) ops: Vec<Op>,
    pub(super) events: Vec<TrackingEvent>,
    pub(super) made: Vec<Made>,
}

/// Outcomes of those who get nothing, with the reports about them.
pub(super) async fn write_ends(draft: &Draft<'_>, writing: &mut Writing) -> Result<(), StoreError> {
    let is_report_due =
        |outcome: &Outcome| matches!(outcome, Outcome::Failed(_) | Outcome::Removed(_));
    let (mut own, mut others) = (Vec::new(), draft.failed.clone());
    for (place, to) in (0u32..).zip(draft.plan.recipients()) {
        let Some(outcome) = draft.outcome(place, to).filter(is_report_due) else { continue };
        if let Some(origin) = to.origin.filter(|_| !to.redirected) {
            own.push(RecipientResult { recipient: origin, outcome });
        } else {
            let Side { reports_to, .. } = draft.side(place);
            others.push(Ended { recipient: recipient(to), reports_to, outcome });
        }
    }
    if own.is_empty() && others.is_empty() {
        return Ok(());
    }
    // Without its content the report carries no header section; better than none.
    let content = match draft.core.spool.open(draft.submitted.id).await {
        Ok(stored) => stored.content,
        Err(_) => Content::from_bytes(Bytes::new()),
    };
    if !own.is_empty() {
        let Submitted { message, state, .. } = draft.submitted;
        let at_hand = (Arc::clone(message), state.clone(), content.clone());
        let op = write_results(draft, at_hand, &own, writing).await?;
        writing.ops.push(op);
    }
    while let Some(Ended { reports_to, .. }) = others.first().cloned() {
        let (of_one, rest): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|ended| ended.reports_to == reports_to);
        others = rest;
        let (recipients, outcomes): (Vec<Recipient>, Vec<Outcome>) =
            of_one.into_iter().map(|ended| (ended.recipient, ended.outcome)).unzip();
        let message = beside(draft, reports_to, recipients);
        let results: Vec<_> = (0u32..)
            .zip(outcomes)
            .map(|(recipient, outcome)| RecipientResult { recipient, outcome })
            .collect();
        let at_hand = (Arc::new(message), MessageState::default(), content.clone());
        // They stand in no envelope, so their end is nothing but its report and its event.
        drop(write_results(draft, at_hand, &results, writing).await?);
    }
    Ok(())
}

/// The message as those would have had it who get nothing and stand in no envelope.
fn beside(draft: &Draft<'_>, reports_to: Option<Mailbox>, recipients: Vec<Recipient>) -> Accepted {
    let mut message = Accepted::clone(&draft.submitted.message);
    message.envelope.reverse_path = draft.plan.reverse_path().clone();
    if let Some(owner) = reports_to {
        message.envelope.parameters.envelope_id = None;
        message.envelope.parameters.ret = None;
        message.envelope.reverse_path = ReversePath::Mailbox(owner);
    }
    message.envelope.recipients = recipients;
    message
}

/// Settles these results: their reports and events are in `writing` then. Gives the operation.
async fn write_results(
    draft: &Draft<'_>,
    (message, state, content): (Arc<Accepted>, MessageState, Content),
    results: &[RecipientResult],
    writing: &mut Writing,
) -> Result<Op, StoreError> {
    let (core, submitted) = (draft.core, draft.submitted);
    let now = core.clock.now();
    let settlement = settle(&SettleInput {
        id: submitted.id,
        message: &message,
        state: &state,
        cause: Cause::Attempt(results),
        next_hop: None,
        policy: &core.settle_policy,
        now: core.clock.wall(),
        expires_in: submitted.deadlines.expires_at.saturating_duration_since(now),
        random: fastrand::u64(..),
    });
    writing.events.extend(settlement.events);
    let at_hand =
        AtHand { id: submitted.id, message, state: Arc::new(state), content, fresh: false };
    for report in settlement.reports {
        let (accept, made) = make_report(core, &at_hand, report).await?;
        writing.ops.push(accept);
        writing.made.push(made);
    }
    Ok(settlement.op)
}

/// A message of an agent's own.
pub(super) async fn generate(
    core: &Core,
    submitted: &Submitted,
    generated: &transom_agent::GeneratedMessage,
) -> Result<(Op, Made), StoreError> {
    let mut ingest = core.spool.begin(None)?;
    ingest.write(&generated.content).await?;
    let body = ingest.finish().await?;
    let id = body.id();
    let mut scan = ContentScan::new(ScanLimits::default());
    scan.push(&generated.content);
    let message = Accepted {
        network_id: NetworkMessageId(fastrand::u128(..)),
        parent: Some(submitted.id),
        received_at: core.clock.wall(),
        ingress: Ingress {
            kind: IngressKind::Program,
            connector: "Agent".to_owned(),
            peer: None,
            helo: None,
            identity: None,
            tls: None,
            session: None,
        },
        envelope: generated.envelope.clone(),
        facts: scan.finish(),
    };
    let mut event = message_event(EventId::Receive, core.clock.wall(), id, &message);
    event.source = Source::Agent;
    let paths = message.envelope.recipients.iter().map(|to| to.forward_path.clone());
    event.recipients = paths.map(|path| TrackedRecipient::new(path, "")).collect();
    event.reference = Some(submitted.id.to_string().into());
    let fresh = Fresh { message: Arc::new(message.clone()), content: generated.content.clone() };
    Ok((Op::Accept(Box::new(Accept { body, message })), Made { id, fresh, event }))
}
