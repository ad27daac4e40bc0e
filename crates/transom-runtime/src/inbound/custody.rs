//! Custody: a message and all that agents made of it become durable together, and then known.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use transom_agent::{Bifurcated, ContentEdit, MessagePlan, header_edits};
use transom_message::{ContentScan, ScanLimits};
use transom_queue::{
    Accept, Accepted, AdminVerb, Cause, Content, ContentFacts, Durability, Edit, EditList, Fork,
    Ingress, IngressKind, MessageState, Op, RecipientState, RecoveredUnit, SettleInput, StoreError,
    settle,
};
use transom_tracking::{EventId, Peer, Source, TrackedRecipient, TrackingEvent};
use transom_types::{
    AttemptStage, EnhancedStatusCode, Envelope, InternalMessageId, NetworkMessageId, Outcome,
    Recipient, RecipientResult, Reply, ReplyCode, Status,
};

use super::envelope::MailTransaction;
use super::intake::Complete;
use super::reception::Reception;
use super::refusal::{Refused, local_error, store_reply};
use crate::body_cache::Fresh;
use crate::categorize::Submitted;
use crate::settlement::{self, AtHand, Made};

/// Who holds a message that an agent wants held.
const HOLDER: &str = "agents";

/// What is durable and nobody knows of yet.
#[derive(Default)]
pub(super) struct Custody {
    messages: Vec<Durable>,
    /// What else became durable with them.
    events: Vec<TrackingEvent>,
}

/// A message in our custody.
struct Durable {
    id: InternalMessageId,
    message: Arc<Accepted>,
    /// Its content, where it is in memory and as it was taken in.
    content: Option<Bytes>,
    /// What has become of it already, where it is not as accepted.
    state: Option<MessageState>,
    event: TrackingEvent,
}

/// What one commit makes durable.
#[derive(Default)]
struct Ops {
    list: Vec<Op>,
    /// Whether the message is not as it was accepted, but for its edits.
    is_divided: bool,
    is_edited: bool,
    reports: Vec<Made>,
    generated: Vec<Durable>,
    events: Vec<TrackingEvent>,
}

impl Reception {
    pub(super) async fn take_custody(
        &mut self,
        transaction: MailTransaction,
        complete: Complete,
    ) -> Result<Reply, Refused> {
        let MailTransaction { reverse_path, mut parameters, recipients, plan, .. } = transaction;
        let (id, content) = (complete.body.id(), complete.body.bytes());
        let (reverse_path, recipients) = match &plan {
            Some(plan) => (plan.reverse_path().clone(), recipients_of(plan)),
            None => (reverse_path, recipients),
        };
        let copies = plan.as_ref().map(|plan| plan.bifurcate()).unwrap_or_default();
        let priority = copies.iter().filter_map(|copy| copy.treatment.priority).max();
        parameters.mt_priority = priority.or(parameters.mt_priority);
        let message = Accepted {
            network_id: complete.network_id,
            parent: None,
            received_at: self.core.clock.wall(),
            ingress: self.ingress(),
            envelope: Envelope { reverse_path, parameters, recipients },
            facts: complete.facts,
        };
        // [RFC 2033 §4.2-c, §4.3-b] one commit for all recipients, and none is told before it.
        let accept = Box::new(Accept { body: complete.body, message: message.clone() });
        let mut ops = Ops { list: vec![Op::Accept(accept)], ..Ops::default() };
        if let Some(plan) = &plan {
            self.check_possible(plan, &copies)?;
            let made = Making { id, message: &message, content: content.clone(), plan, copies };
            let done = self.carry_out(made, complete.trace_octets, &mut ops).await;
            done.map_err(|error| self.refused("spool", store_reply(&error)))?;
        }
        // [RFC 5321 §2.1-a, §6.1-a] durable before 250, and
        // [RFC 5321 §4.2.5-a, §4.2.5-b] gone with any other reply;
        // [RFC 5321 §6.1-g] nothing else is waited for.
        let committed =
            self.core.spool.commit(std::mem::take(&mut ops.list), Durability::Sync).await;
        let committed = committed.map_err(|error| self.refused("spool", store_reply(&error)))?;
        let reply = self.queued_reply(&message, id);
        // Of messages sent without waiting for replies, the one before is told first.
        self.submit().await;
        let event = self.receive_event(&message, id);
        let content = content.filter(|_| !ops.is_edited);
        let mut messages =
            vec![Durable { id, message: Arc::new(message), content, state: None, event }];
        if ops.is_divided {
            messages = self.divided(messages, &committed.forks).await;
        }
        messages.append(&mut ops.generated);
        let mut events = ops.events;
        for Made { id, fresh, event } in ops.reports {
            let (message, content) = (fresh.message, Some(fresh.content));
            messages.push(Durable { id, message, content, state: None, event });
        }
        self.custody = Some(Custody { messages, events: std::mem::take(&mut events) });
        Ok(reply)
    }

    /// What only the categorizer can keep would be lost here: the client keeps the message.
    fn check_possible(&self, plan: &MessagePlan, copies: &[Bifurcated]) -> Result<(), Refused> {
        let lost = |copy: &Bifurcated| {
            let treatment = &copy.treatment;
            let path = treatment.reverse_path.as_ref();
            treatment.route.is_some()
                || treatment.require_tls
                || path.is_some_and(|path| path != plan.reverse_path())
        };
        if copies.iter().any(lost) {
            return Err(self.refused("effect-in-session", local_error()));
        }
        Ok(())
    }

    /// Everything that agents asked for, as operations behind the Accept.
    async fn carry_out(
        &self,
        making: Making<'_>,
        trace_octets: u64,
        made: &mut Ops,
    ) -> Result<(), StoreError> {
        let Making { id, message, content, plan, copies } = making;
        let admin = |verb| Op::Admin { id, verb, actor: HOLDER.to_owned() };
        let edits = |copy: Option<&Bifurcated>| {
            let changes = copy.map(|copy| &*copy.treatment.headers).unwrap_or_default();
            edit_list(header_edits(&plan.headers(), changes), trace_octets)
        };
        // The message itself keeps the first copy, and who has ended.
        let (own, others) = match copies.split_first() {
            Some((own, others)) => (Some(own), others),
            None => (None, copies.as_slice()),
        };
        // A fork begins with the edits that the message has then, and with who holds it.
        for copy in others {
            made.list.push(Op::Edit { id, edits: edits(Some(copy))? });
            let forks = vec![Fork { recipients: copy.recipients.clone() }];
            let holds = copy.treatment.hold;
            made.list.extend(holds.then(|| admin(AdminVerb::Suspend)));
            made.list.push(Op::Categorize { id, forks });
            made.list.extend(holds.then(|| admin(AdminVerb::Resume)));
        }
        let own_edits = edits(own)?;
        made.is_edited = !own_edits.is_empty();
        made.is_divided = !others.is_empty();
        if made.is_edited || made.is_divided {
            made.list.push(Op::Edit { id, edits: own_edits });
        }
        if own.is_some_and(|own| own.treatment.hold) {
            made.list.push(admin(AdminVerb::Suspend));
            made.is_divided = true;
        }
        self.end_recipients(id, message, content, plan, made).await?;
        for generated in plan.generated() {
            let (op, durable) = self.generate(&generated.envelope, &generated.content).await?;
            made.list.push(op);
            made.generated.push(durable);
        }
        Ok(())
    }

    /// Recipients that agents ended have an outcome from the first moment on.
    async fn end_recipients(
        &self,
        id: InternalMessageId,
        message: &Accepted,
        content: Option<Bytes>,
        plan: &MessagePlan,
        made: &mut Ops,
    ) -> Result<(), StoreError> {
        let ended = (0u32..).zip(plan.recipients());
        let results: Vec<RecipientResult> = ended
            .filter_map(|(recipient, to)| {
                let end = to.end.as_ref()?;
                Some(RecipientResult {
                    recipient,
                    outcome: outcome(&end.agent, end.reply.as_ref()),
                })
            })
            .collect();
        if results.is_empty() {
            return Ok(());
        }
        made.is_divided = true;
        let recipients = vec![RecipientState::default(); message.envelope.recipients.len()];
        let state = MessageState { recipients, ..MessageState::default() };
        let settlement = settle(&SettleInput {
            id,
            message,
            state: &state,
            cause: Cause::Attempt(&results),
            next_hop: None,
            policy: &self.core.settle_policy,
            now: self.core.clock.wall(),
            expires_in: self.core.settle_policy.profile.expiry,
            random: fastrand::u64(..),
        });
        made.list.push(settlement.op);
        made.events.extend(settlement.events);
        // Without its content the report carries no header section; better than none.
        let content = Content::from_bytes(content.unwrap_or_default());
        let (message, state) = (Arc::new(message.clone()), Arc::new(state));
        let at_hand = AtHand { id, message, state, content, fresh: false };
        for draft in settlement.reports {
            let (op, report) = settlement::make_report(&self.core, &at_hand, draft).await?;
            made.list.push(op);
            made.reports.push(report);
        }
        Ok(())
    }

    /// A message of an agent's own.
    async fn generate(
        &self,
        envelope: &Envelope,
        content: &Bytes,
    ) -> Result<(Op, Durable), StoreError> {
        let mut ingest = self.core.spool.begin(None)?;
        ingest.write(content).await?;
        let mut scan = ContentScan::new(ScanLimits::default());
        scan.push(content);
        let facts: ContentFacts = scan.finish();
        let message = Accepted {
            network_id: NetworkMessageId(fastrand::u128(..)),
            parent: None,
            received_at: self.core.clock.wall(),
            ingress: Ingress { kind: IngressKind::Program, ..self.ingress() },
            envelope: envelope.clone(),
            facts,
        };
        let body = ingest.finish().await?;
        let id = body.id();
        let mut event = self.receive_event(&message, id);
        event.source = Source::Agent;
        let op = Op::Accept(Box::new(Accept { body, message: message.clone() }));
        let (message, content) = (Arc::new(message), Some(content.clone()));
        Ok((op, Durable { id, message, content, state: None, event }))
    }

    /// A message and its forks as the spool has them now.
    async fn divided(&self, parent: Vec<Durable>, forks: &[InternalMessageId]) -> Vec<Durable> {
        let mut found = Vec::with_capacity(forks.len().saturating_add(1));
        let mut own = None;
        for durable in parent {
            own = Some(durable.id);
            match self.core.spool.open(durable.id).await {
                Ok(stored) => found.push(Durable { state: Some(stored.state), ..durable }),
                // Everybody in it has ended: there is its event, and nothing to do.
                Err(_) => found.push(Durable { state: Some(MessageState::default()), ..durable }),
            }
        }
        for id in forks {
            let Ok(stored) = self.core.spool.open(*id).await else { continue };
            let mut event = self.receive_event(&stored.message, *id);
            event.event = EventId::Transfer;
            event.source = Source::Agent;
            event.reference = own.map(|own| own.to_string().into());
            let (message, state) = (stored.message, Some(stored.state));
            found.push(Durable { id: *id, message, content: None, state, event });
        }
        found
    }

    /// Tells of the message that became durable and gives it to the categorizer. Called when its
    /// reply has left, so that no client waits for it.
    pub(super) async fn submit(&mut self) {
        let Some(Custody { messages, events }) = self.custody.take() else { return };
        for durable in &messages {
            self.core.emit(&durable.event);
        }
        for event in &events {
            self.core.emit(event);
        }
        for Durable { id, message, content, state, .. } in messages {
            if let Some(content) = content.filter(|_| state.is_none())
                && !self.core.delivery_suspended.load(Ordering::Relaxed)
            {
                self.core.cache.insert(id, Fresh { message: Arc::clone(&message), content });
            }
            let mut submitted = Submitted::fresh(&self.core, id, message);
            if let Some(state) = state {
                let open = (0u32..).zip(&state.recipients).filter(|(_, of)| of.is_open());
                let recipients: Vec<u32> = open.map(|(place, _)| place).collect();
                if recipients.is_empty() {
                    continue;
                }
                submitted.units = vec![RecoveredUnit { recipients, due: None, attempts: 0 }];
                submitted.suspended = state.suspended.is_some();
                submitted.state = state;
            }
            // The message is durable: a transport that is stopping finds it at its next start.
            drop(self.core.submission.send(submitted).await);
        }
    }

    fn ingress(&self) -> Ingress {
        let view = &self.view;
        Ingress {
            kind: IngressKind::Smtp,
            connector: view.connector.as_str().to_owned(),
            peer: Some(view.remote),
            helo: view.helo.as_deref().map(str::to_owned),
            identity: view.principal.as_ref().map(ToString::to_string),
            tls: view.tls.as_deref().map(str::to_owned),
            session: Some(view.id),
        }
    }

    fn queued_reply(&self, message: &Accepted, id: InternalMessageId) -> Reply {
        let name = match &message.facts.message_id {
            Some(message_id) => message_id.as_str().to_owned(),
            None => format!("<{}@{}>", message.network_id, self.name),
        };
        let host = &self.name;
        let text = format!("{name} [InternalId={id}, Hostname={host}] Queued mail for delivery");
        Reply::new(ReplyCode::OK, EnhancedStatusCode::success(6, 0), text)
    }

    fn receive_event(&self, message: &Accepted, id: InternalMessageId) -> TrackingEvent {
        let view = &self.view;
        let mut event = TrackingEvent::new(EventId::Receive, Source::Smtp, message.received_at);
        event.internal_id = Some(id);
        event.network_id = Some(message.network_id);
        event.message_id.clone_from(&message.facts.message_id);
        event.session = Some(view.id);
        event.connector = Some(view.connector.clone());
        event.client = Peer {
            ip: Some(view.remote.ip().to_canonical()),
            hostname: view.helo.as_deref().map(Into::into),
        };
        event.server = Peer::new(view.local.ip().to_canonical(), self.name.as_str());
        let path =
            |recipient: &Recipient| TrackedRecipient::new(recipient.forward_path.clone(), "");
        event.recipients = message.envelope.recipients.iter().map(path).collect();
        event.total_bytes = message.facts.octets;
        event.subject = message.facts.subject.as_deref().map(Into::into);
        event.sender = Some(message.envelope.reverse_path.clone());
        event.source_context = view.tls.as_deref().map(Into::into);
        event
    }
}

/// What the agents made of a message, and the message.
struct Making<'a> {
    id: InternalMessageId,
    message: &'a Accepted,
    content: Option<Bytes>,
    plan: &'a MessagePlan,
    copies: Vec<Bifurcated>,
}

/// All recipients, those that have ended too, so that each has an outcome.
fn recipients_of(plan: &MessagePlan) -> Vec<Recipient> {
    let all = plan.recipients().iter().map(|to| Recipient {
        forward_path: to.forward_path.clone(),
        parameters: to.parameters.clone(),
    });
    all.collect()
}

fn outcome(agent: &str, reply: Option<&Reply>) -> Outcome {
    if let Some(reply) = reply {
        return Outcome::Failed(Status::local(AttemptStage::Agent, reply.clone()));
    }
    let code = EnhancedStatusCode::success(0, 0);
    let reply = Reply::new(ReplyCode::OK, code, format!("dropped by agent {agent}"));
    Outcome::Removed(Status::local(AttemptStage::Agent, reply))
}

fn edit_list(edits: Vec<ContentEdit>, trace_octets: u64) -> Result<EditList, StoreError> {
    let edits = edits.into_iter().map(|edit| {
        let ContentEdit { at, remove, insert } = edit.behind(trace_octets);
        Edit { at, remove, insert }
    });
    EditList::new(edits.collect())
        .map_err(|_| StoreError::Unreachable("agents changed too much of the header"))
}
