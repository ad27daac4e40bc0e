//! The receive agents of a session: what they are shown, and what they say.

use transom_agent::{AgentEvent, HeaderFamilies, ReceiveStep, SessionView, Verdict};
use transom_connector::Rights;
use transom_tracking::AgentLogEntry;
use transom_types::{Principal, Reply};

use super::reception::Reception;
use super::refusal::{Answer, Refused};
use crate::core::Core;

/// The families of header fields that these rights let in.
pub(super) fn kept_headers(rights: Rights) -> HeaderFamilies {
    [
        (Rights::ACCEPT_HEADERS_ROUTING, HeaderFamilies::ROUTING),
        (Rights::ACCEPT_HEADERS_ORGANIZATION, HeaderFamilies::ORGANIZATION),
        (Rights::ACCEPT_HEADERS_FOREST, HeaderFamilies::FOREST),
    ]
    .into_iter()
    .filter(|(right, _)| rights.contains(*right))
    .fold(HeaderFamilies::NONE, |kept, (_, family)| kept.with(family))
}

/// Whether any agent is asked about a message on its way in, so that each step must be kept.
pub(super) fn sees_messages(core: &Core) -> bool {
    use AgentEvent::{Data, EndOfData, EndOfHeaders, Mail, Rcpt};
    [Mail, Rcpt, Data, EndOfHeaders, EndOfData].iter().any(|event| core.asked_at.contains(*event))
}

/// Whether an agent is asked about a step that is the session's own otherwise.
pub(super) fn asks_all(core: &Core) -> bool {
    use AgentEvent::{Auth, EndOfAuthentication, Help, Noop, Rset, StartTls};
    let own = [Auth, EndOfAuthentication, Help, Noop, Rset, StartTls];
    own.iter().any(|event| core.asked_at.contains(*event))
}

impl Reception {
    /// A step that has no other meaning for the reception.
    pub(super) async fn step(&mut self, step: ReceiveStep<'_>) -> Answer {
        let event = step.event();
        let done = self.ask(step).await;
        self.answer(event, done).await
    }

    /// AUTH has shown who the client is.
    pub(super) async fn end_of_authentication(&mut self, principal: &Principal) -> Answer {
        self.serve_as(Some(principal));
        let answer = self.step(ReceiveStep::EndOfAuthentication).await;
        if !matches!(answer, Answer::Accept) {
            self.serve_as(None);
        }
        answer
    }

    /// AUTH failed. True where an agent wants the session to end.
    pub(super) async fn authentication_failed(&mut self) -> bool {
        let done = self.ask(ReceiveStep::EndOfAuthentication).await;
        done.is_err_and(|refused| refused.closes)
    }

    /// The session is over.
    pub(super) async fn disconnected(&mut self) {
        // There is nothing to refuse any more.
        drop(self.ask(ReceiveStep::Disconnect).await);
    }

    /// Asks the agents about a step, where any is asked about it.
    pub(super) async fn ask(&mut self, step: ReceiveStep<'_>) -> Result<(), Refused> {
        if self.core.asked_at.contains(step.event()) { self.ask_always(step).await } else { Ok(()) }
    }

    /// The same, also where only the plan must know of the step.
    pub(super) async fn ask_always(&mut self, step: ReceiveStep<'_>) -> Result<(), Refused> {
        let plan = self.transaction.as_mut().and_then(|open| open.plan.as_deref_mut());
        let received = self.core.pipeline.received(&self.view, step, plan).await;
        self.tell(&received.log);
        let refused = |reply, closes| Refused { reply, closes, by_agent: true };
        match received.verdict {
            Verdict::Reject(reply) => Err(refused(reply, false)),
            Verdict::Disconnect(reply) => Err(refused(reply, true)),
            _ => Ok(()),
        }
    }

    /// What is said; agents hear of refusals that are not theirs.
    pub(super) async fn answer(&mut self, event: AgentEvent, done: Result<(), Refused>) -> Answer {
        match done {
            Ok(()) => Answer::Accept,
            Err(refused) => self.refuse(event, refused).await,
        }
    }

    pub(super) async fn refuse(&mut self, event: AgentEvent, refused: Refused) -> Answer {
        let Refused { reply, closes, by_agent } = refused;
        if !by_agent && self.core.asked_at.contains(AgentEvent::Reject) {
            let step = ReceiveStep::Reject { event, reply: reply.clone() };
            let heard = self.core.pipeline.received(&self.view, step, None).await;
            self.tell(&heard.log);
        }
        if closes { Answer::Close(reply) } else { Answer::Reply(reply) }
    }

    /// Writes down what agents did.
    fn tell(&self, log: &[AgentLogEntry]) {
        for entry in log {
            self.core.emit(&entry.tracking_event());
        }
    }

    /// Writes down a refusal of the server's own: the word for it stays the same from release to
    /// release.
    pub(super) fn refused(&self, reason: &str, reply: Reply) -> Refused {
        let SessionView { id, connector, remote, .. } = &self.view;
        tracing::info!(reason, session = %id, %connector, client = %remote, %reply, "refused");
        Refused::from(reply)
    }
}
