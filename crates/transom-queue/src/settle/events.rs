//! The events of a settlement: recipients with the same fate and the same peer share one.

use std::sync::Arc;

use transom_tracking::{EventId, Peer, Source, TrackedRecipient, TrackingEvent};
use transom_types::{AttemptStage, Outcome, RemoteHost, Status};

use super::{SettleInput, Suppression};

/// Events in the making.
pub(super) struct Events<'a> {
    input: &'a SettleInput<'a>,
    events: Vec<TrackingEvent>,
}

impl<'a> Events<'a> {
    pub(super) fn new(input: &'a SettleInput<'a>) -> Self {
        Self { input, events: Vec::new() }
    }

    pub(super) fn into_vec(self) -> Vec<TrackingEvent> {
        self.events
    }

    /// How an attempt ended for a recipient.
    pub(super) fn outcome(&mut self, recipient: u32, outcome: &Outcome) {
        let event = match outcome {
            Outcome::Delivered(_) => EventId::Deliver,
            Outcome::Relayed(_) => EventId::Send,
            Outcome::Deferred(_) => EventId::Defer,
            Outcome::Failed(_) => EventId::Fail,
            Outcome::InDoubt(_) => EventId::InDoubt,
            Outcome::Transferred => EventId::Transfer,
            Outcome::Expanded => EventId::Expand,
            Outcome::Redirected => EventId::Redirect,
            _ => EventId::Drop,
        };
        match outcome.status() {
            Some(status) => self.add(event, recipient, status),
            None => self.push(event, Source::Routing, recipient, None, String::new()),
        }
    }

    /// A recipient's time is over: the reason, and the end.
    pub(super) fn expired(&mut self, recipient: u32, status: &Status) {
        self.add(EventId::Expire, recipient, status);
        self.add(EventId::Fail, recipient, status);
    }

    /// A report is not made.
    pub(super) fn suppressed(&mut self, recipient: u32, why: Suppression) {
        self.push(EventId::Suppressed, Source::Dsn, recipient, None, why.to_string());
    }

    fn add(&mut self, event: EventId, recipient: u32, status: &Status) {
        let source = match status.stage {
            AttemptStage::Agent => Source::StoreDriver,
            AttemptStage::Dns => Source::Dns,
            AttemptStage::Queue => Source::Queue,
            AttemptStage::Routing => Source::Routing,
            _ => Source::Smtp,
        };
        let line = status.reply.to_line();
        self.push(event, source, recipient, status.remote.as_ref(), line);
    }

    fn push(
        &mut self,
        event: EventId,
        source: Source,
        recipient: u32,
        remote: Option<&RemoteHost>,
        status: String,
    ) {
        let at = usize::try_from(recipient).ok();
        let found = at.and_then(|at| self.input.message.envelope.recipients.get(at));
        let Some(path) = found.map(|recipient| recipient.forward_path.clone()) else { return };
        let tracked = TrackedRecipient::new(path, status);
        let state = at.and_then(|at| self.input.state.recipients.get(at));
        let attempts = state.map_or(0, |state| state.attempts);
        // What the queue and the reports do is no attempt.
        let is_attempt = !matches!(source, Source::Queue | Source::Dsn);
        let attempt = is_attempt.then(|| attempts.saturating_add(1));
        let server = remote.map_or_else(Peer::default, |host| Peer {
            ip: host.address.map(|address| address.ip()),
            hostname: Some(Arc::from(host.name.as_str())),
        });
        let same = |known: &&mut TrackingEvent| {
            let what = (known.event, known.source, known.attempt) == (event, source, attempt);
            what && known.server == server
        };
        if let Some(known) = self.events.iter_mut().find(same) {
            known.recipients.push(tracked);
            return;
        }
        let mut new = self.template(event, source);
        new.server = server;
        new.attempt = attempt;
        new.recipients.push(tracked);
        self.events.push(new);
    }

    fn template(&self, event: EventId, source: Source) -> TrackingEvent {
        let SettleInput { id, message, next_hop, now, .. } = *self.input;
        let mut new = TrackingEvent::new(event, source, now);
        new.internal_id = Some(id);
        new.network_id = Some(message.network_id);
        new.message_id.clone_from(&message.facts.message_id);
        new.connector = next_hop.map(|next_hop| next_hop.connector.clone());
        new.next_hop = next_hop.cloned();
        new.total_bytes = message.facts.octets;
        new.sender = Some(message.envelope.reverse_path.clone());
        new
    }
}
