//! What agents did, as entries of the agent log.

use std::sync::Arc;
use std::time::SystemTime;

use transom_message::HeaderSection;
use transom_tracking::{AgentAction, AgentLogEntry};
use transom_types::{ForwardPath, Reply};

use super::call::AgentFailure;
use super::event::AgentEvent;
use super::receive::SessionView;
use crate::effects::{Effect, Effects, HeaderChange, MessagePlan, Scope};

/// Who acts where: what all entries of one call have in common.
pub(super) struct Scene<'a> {
    pub(super) at: SystemTime,
    pub(super) agent: &'a Arc<str>,
    pub(super) event: AgentEvent,
    pub(super) enforced: bool,
    pub(super) session: Option<&'a SessionView>,
}

impl Scene<'_> {
    /// An entry about the message of `plan`.
    fn entry(&self, action: AgentAction, plan: Option<&MessagePlan>) -> AgentLogEntry {
        let agent = Arc::clone(self.agent);
        let mut entry = AgentLogEntry::new(self.at, agent, self.event.as_str(), action);
        entry.enforced = self.enforced;
        if let Some(session) = self.session {
            entry.session = Some(session.id);
            entry.connector = Some(session.connector.clone());
            entry.local = Some(session.local);
            entry.remote = Some(session.remote);
            entry.entered_from = Some(session.remote.ip());
        }
        if let Some(plan) = plan {
            let view = plan.view();
            entry.internal_id = view.internal_id;
            entry.network_id = view.network_id;
            entry.mail_from = Some(view.reverse_path.clone());
            entry.header_from = first(&view.headers, "From");
            entry.message_id =
                first(&view.headers, "Message-ID").and_then(|text| text.trim().parse().ok());
        }
        entry
    }

    /// Entries for what was asked for, with the recipients as they were before it was applied.
    pub(super) fn effects(&self, plan: &MessagePlan, effects: &Effects) -> Vec<AgentLogEntry> {
        let entries = effects.list().iter().map(|scoped| {
            let mut entry = self.entry(action(&scoped.effect, &scoped.scope), Some(plan));
            entry.recipients = match (&scoped.scope, &scoped.effect) {
                (_, Effect::AddRcpt(recipient)) => vec![recipient.forward_path.clone()],
                (Scope::All, _) => paths(plan, |_| true),
                (Scope::Recipients(places), _) => paths(plan, |place| places.contains(&place)),
            };
            if let Effect::Reject(reply) = &scoped.effect {
                entry.smtp_response = Some(reply.to_line().into());
            }
            entry.reason = effects.reason().map(Arc::from);
            let detail = scoped.effect.detail();
            entry.reason_data = (!detail.is_empty()).then(|| detail.into());
            entry
        });
        entries.collect()
    }

    /// The entry for a refusal.
    pub(super) fn refusal(
        &self,
        plan: Option<&MessagePlan>,
        reply: &Reply,
        disconnect: bool,
        reason: Option<&str>,
    ) -> AgentLogEntry {
        let action = match self.event {
            _ if disconnect => AgentAction::Disconnect,
            AgentEvent::Connect => AgentAction::RejectConnection,
            AgentEvent::Auth | AgentEvent::EndOfAuthentication => AgentAction::RejectAuthentication,
            AgentEvent::Rcpt => AgentAction::RejectRecipients,
            AgentEvent::EndOfHeaders | AgentEvent::EndOfData => AgentAction::RejectMessage,
            _ => AgentAction::RejectCommand,
        };
        let mut entry = self.entry(action, plan);
        entry.recipients = match (self.event, plan) {
            (AgentEvent::Rcpt, Some(plan)) => {
                plan.pending_rcpt().map(|recipient| recipient.forward_path).into_iter().collect()
            }
            (_, Some(plan)) => paths(plan, |_| true),
            _ => Vec::new(),
        };
        entry.smtp_response = Some(reply.to_line().into());
        entry.reason = reason.map(Arc::from);
        entry
    }

    /// The entry for an agent that has no answer.
    pub(super) fn failure(
        &self,
        plan: Option<&MessagePlan>,
        failure: &AgentFailure,
        then: &str,
    ) -> AgentLogEntry {
        let mut entry = self.entry(AgentAction::Failed, plan);
        entry.recipients = plan.map(|plan| paths(plan, |_| true)).unwrap_or_default();
        entry.reason = Some(failure.to_string().into());
        entry.reason_data = Some(then.into());
        entry
    }
}

fn first(headers: &HeaderSection<'_>, name: &str) -> Option<Arc<str>> {
    headers.first(name).map(|field| field.value().into())
}

/// The open recipients of which `wanted` says so.
fn paths(plan: &MessagePlan, wanted: impl Fn(u32) -> bool) -> Vec<ForwardPath> {
    let open = (0u32..).zip(plan.recipients()).filter(|(_, recipient)| recipient.end.is_none());
    open.filter(|(place, _)| wanted(*place))
        .map(|(_, recipient)| recipient.forward_path.clone())
        .collect()
}

fn action(effect: &Effect, scope: &Scope) -> AgentAction {
    let whole = *scope == Scope::All;
    match effect {
        Effect::Header(HeaderChange::Add(_)) => AgentAction::AddHeader,
        Effect::Header(HeaderChange::Remove(_)) => AgentAction::RemoveHeader,
        Effect::Header(HeaderChange::Replace { .. }) => AgentAction::ReplaceHeader,
        Effect::AddRcpt(_) => AgentAction::AddRecipient,
        Effect::Redirect(_) => AgentAction::RedirectRecipients,
        Effect::SetReversePath(_) => AgentAction::SetReversePath,
        Effect::DropRcpt if whole => AgentAction::DeleteMessage,
        Effect::DropRcpt => AgentAction::DeleteRecipients,
        Effect::Reject(_) if whole => AgentAction::RejectMessage,
        Effect::Reject(_) => AgentAction::RejectRecipients,
        Effect::SetRoute(_) => AgentAction::SetRoute,
        Effect::RequireTls => AgentAction::RequireTls,
        Effect::SetPriority(_) => AgentAction::SetPriority,
        Effect::Hold => AgentAction::HoldMessage,
        Effect::Defer(_) => AgentAction::DeferMessage,
        Effect::Submit(_) => AgentAction::SubmitMessage,
    }
}
