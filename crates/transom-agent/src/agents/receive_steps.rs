//! Asking the receive agents about a step of a session.

use std::time::{Duration, Instant};

use transom_tracking::AgentLogEntry;
use transom_types::{EnhancedStatusCode, Recipient, Reply, ReplyCode};

use super::call::AgentFailure;
use super::event::AgentEvent;
use super::log::Scene;
use super::pipeline::{Agents, Registered};
use super::receive::{ReceiveAgent, SessionView, Verdict};
use super::settings::{AgentMode, OnFailure};
use crate::effects::{Effect, EffectError, Effects, MessagePlan, try_again};

/// A step of a session, as the server brings it to [`Agents::received`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReceiveStep<'a> {
    /// A peer has connected.
    Connect,
    /// HELO with this name.
    Helo(&'a str),
    /// EHLO or LHLO with this name.
    Ehlo(&'a str),
    /// STARTTLS.
    StartTls,
    /// AUTH by this mechanism.
    Auth(&'a str),
    /// AUTH is over.
    EndOfAuthentication,
    /// MAIL. The plan is of this reverse-path and of these parameters.
    Mail,
    /// RCPT. Where nobody refuses it, it is the last recipient of the plan afterwards, perhaps
    /// with another address.
    Rcpt(Recipient),
    /// DATA or the first BDAT.
    Data,
    /// The plan has its headers.
    EndOfHeaders,
    /// The plan has its content.
    EndOfData,
    /// HELP.
    Help,
    /// NOOP.
    Noop,
    /// RSET.
    Rset,
    /// The server itself refuses the step of `event` with `reply`. Of refusals by agents, agents
    /// have heard already.
    Reject {
        /// Which step.
        event: AgentEvent,
        /// What the client is told.
        reply: Reply,
    },
    /// The session is over.
    Disconnect,
}

impl ReceiveStep<'_> {
    /// The event of the step.
    pub fn event(&self) -> AgentEvent {
        match self {
            Self::Connect => AgentEvent::Connect,
            Self::Helo(_) => AgentEvent::Helo,
            Self::Ehlo(_) => AgentEvent::Ehlo,
            Self::StartTls => AgentEvent::StartTls,
            Self::Auth(_) => AgentEvent::Auth,
            Self::EndOfAuthentication => AgentEvent::EndOfAuthentication,
            Self::Mail => AgentEvent::Mail,
            Self::Rcpt(_) => AgentEvent::Rcpt,
            Self::Data => AgentEvent::Data,
            Self::EndOfHeaders => AgentEvent::EndOfHeaders,
            Self::EndOfData => AgentEvent::EndOfData,
            Self::Help => AgentEvent::Help,
            Self::Noop => AgentEvent::Noop,
            Self::Rset => AgentEvent::Rset,
            Self::Reject { .. } => AgentEvent::Reject,
            Self::Disconnect => AgentEvent::Disconnect,
        }
    }
}

/// What the receive agents have to say to a step.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
#[must_use = "the step may be refused"]
pub struct Received {
    /// What the server does.
    pub verdict: Verdict,
    /// What agents did, to be emitted.
    pub log: Vec<AgentLogEntry>,
}

impl Agents {
    /// How long all agents together may take over the headers and the content of one message, of
    /// which most is behind the final dot. A client waits 10 minutes there, and the spool needs
    /// its part.
    pub const AFTER_DOT: Duration = Duration::from_secs(30);

    /// Asks the agents about `step`, in order, until one refuses it; then those that listen to
    /// [`AgentEvent::Reject`] hear of it. `plan` is the open transaction, from MAIL on; effects
    /// are applied to it. Steps of a transaction need one: without it no agent is asked.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the effects of those who had answered are in the plan. The
    /// transaction is to be given up then.
    pub async fn received(
        &self,
        session: &SessionView,
        step: ReceiveStep<'_>,
        mut plan: Option<&mut MessagePlan>,
    ) -> Received {
        let event = step.event();
        if let (ReceiveStep::Rcpt(recipient), Some(plan)) = (&step, &mut plan) {
            plan.begin_rcpt(recipient.clone());
        }
        let mut received = Received::default();
        let started = self.clock.now();
        // The headers may be looked at while the content comes, or behind the dot as well.
        let is_content = matches!(event, AgentEvent::EndOfHeaders | AgentEvent::EndOfData);
        let until = plan
            .as_deref()
            .filter(|_| is_content)
            .and_then(|plan| started.checked_add(Self::AFTER_DOT.saturating_sub(plan.spent)));
        for agent in self.receive.at(event) {
            if agent.settings.mode == AgentMode::Off {
                continue;
            }
            let call = Call { agents: self, agent, session, step: &step, event };
            let verdict = call.run(until, plan.as_deref_mut(), &mut received.log).await;
            if verdict != Verdict::Continue {
                received.verdict = verdict;
                break;
            }
        }
        let refused = match &received.verdict {
            Verdict::Continue => None,
            Verdict::Reject(reply) | Verdict::Disconnect(reply) => Some(reply.clone()),
        };
        if let Some(plan) = plan {
            match event {
                AgentEvent::Rcpt if refused.is_some() => plan.retract_rcpt(),
                AgentEvent::Rcpt => plan.end_rcpt(),
                _ if is_content => {
                    let took = self.clock.now().saturating_duration_since(started);
                    plan.spent = plan.spent.saturating_add(took);
                }
                _ => {}
            }
        }
        if let Some(reply) = refused {
            let step = ReceiveStep::Reject { event, reply };
            self.rejected(session, &step, &mut received.log).await;
        }
        received
    }

    /// Tells those that listen of a refusal.
    async fn rejected(
        &self,
        session: &SessionView,
        step: &ReceiveStep<'_>,
        log: &mut Vec<AgentLogEntry>,
    ) {
        for agent in self.receive.at(AgentEvent::Reject) {
            if agent.settings.mode != AgentMode::Off {
                let event = AgentEvent::Reject;
                let call = Call { agents: self, agent, session, step, event };
                // There is nothing to refuse any more.
                let _ = call.run(None, None, log).await;
            }
        }
    }
}

/// One agent at one step.
struct Call<'a> {
    agents: &'a Agents,
    agent: &'a Registered<dyn ReceiveAgent>,
    session: &'a SessionView,
    step: &'a ReceiveStep<'a>,
    event: AgentEvent,
}

impl Call<'_> {
    /// Asks the agent and does what it asks for.
    async fn run(
        &self,
        until: Option<Instant>,
        mut plan: Option<&mut MessagePlan>,
        log: &mut Vec<AgentLogEntry>,
    ) -> Verdict {
        let settings = &self.agent.settings;
        let clock = &*self.agents.clock;
        let scene = Scene {
            at: clock.wall(),
            agent: &settings.name,
            event: self.event,
            enforced: settings.mode == AgentMode::Enforce,
            session: Some(self.session),
        };
        let shown = plan.as_deref();
        let work = async {
            let mut effects = Effects::default();
            let verdict = self.ask(shown, &mut effects).await;
            (verdict, effects)
        };
        let judge = |(verdict, effects): &(Verdict, Effects)| self.judge(verdict, effects, shown);
        let answer = self.agent.ask(clock, until, work, judge).await;
        let (verdict, effects) = match answer {
            Ok((verdict, effects)) => (refusal_in(&effects, shown).unwrap_or(verdict), effects),
            Err(failure) => {
                let on_failure = settings.on_failure_at(self.event);
                log.push(scene.failure(shown, &failure, word(on_failure)));
                if !scene.enforced {
                    return Verdict::Continue;
                }
                return self.fail(on_failure, plan, log, &scene);
            }
        };
        match &verdict {
            Verdict::Continue => {
                if let Some(plan) = &mut plan {
                    log.extend(scene.effects(plan, &effects));
                    // The judge has found that it can be done.
                    let done =
                        !scene.enforced || plan.apply(&settings.name, self.event, &effects).is_ok();
                    debug_assert!(done, "what was judged well can be done");
                }
            }
            Verdict::Reject(reply) => {
                log.push(scene.refusal(shown_again(&plan), reply, false, effects.reason()));
            }
            Verdict::Disconnect(reply) => {
                log.push(scene.refusal(shown_again(&plan), reply, true, effects.reason()));
            }
        }
        if scene.enforced { verdict } else { Verdict::Continue }
    }

    /// Whether the answer is one.
    fn judge(
        &self,
        verdict: &Verdict,
        effects: &Effects,
        plan: Option<&MessagePlan>,
    ) -> Result<(), AgentFailure> {
        if let Verdict::Reject(reply) | Verdict::Disconnect(reply) = verdict
            && reply.code().is_positive()
        {
            return Err(EffectError::NoRefusal(reply.code()).into());
        }
        let whole = refusal_in(effects, plan).is_some();
        let can_be_done =
            |plan: &MessagePlan| plan.check(&self.agent.settings.name, self.event, effects);
        match plan.filter(|_| *verdict == Verdict::Continue && !whole) {
            Some(plan) => can_be_done(plan).map_err(AgentFailure::from),
            None => Ok(()),
        }
    }

    /// What is done where the agent has no answer.
    fn fail(
        &self,
        on_failure: OnFailure,
        plan: Option<&mut MessagePlan>,
        log: &mut Vec<AgentLogEntry>,
        scene: &Scene<'_>,
    ) -> Verdict {
        if matches!(self.event, AgentEvent::Reject | AgentEvent::Disconnect) {
            return Verdict::Continue;
        }
        match (on_failure, plan) {
            (OnFailure::Accept, _) => Verdict::Continue,
            (OnFailure::Reject, _) => Verdict::Reject(Reply::new(
                ReplyCode::TRANSACTION_FAILED,
                EnhancedStatusCode::permanent(3, 0),
                "Not taken: a check that is needed failed",
            )),
            (OnFailure::Hold, Some(plan)) => {
                let mut effects = Effects::default();
                effects.to_all(Effect::Hold);
                log.extend(scene.effects(plan, &effects));
                match plan.apply(&self.agent.settings.name, self.event, &effects) {
                    Ok(()) => Verdict::Continue,
                    Err(_) => Verdict::Reject(out_of_order()),
                }
            }
            (OnFailure::Hold, None) | (OnFailure::TempFail, _) => Verdict::Reject(out_of_order()),
        }
    }

    async fn ask(&self, plan: Option<&MessagePlan>, effects: &mut Effects) -> Verdict {
        let (agent, session) = (&*self.agent.agent, self.session);
        match self.step {
            ReceiveStep::Connect => agent.on_connect(session).await,
            ReceiveStep::Helo(name) => agent.on_helo(session, name).await,
            ReceiveStep::Ehlo(name) => agent.on_ehlo(session, name).await,
            ReceiveStep::StartTls => agent.on_start_tls(session).await,
            ReceiveStep::Auth(mechanism) => agent.on_auth(session, mechanism).await,
            ReceiveStep::EndOfAuthentication => agent.on_end_of_authentication(session).await,
            ReceiveStep::Help => agent.on_help(session).await,
            ReceiveStep::Noop => agent.on_noop(session).await,
            ReceiveStep::Rset => agent.on_rset(session).await,
            ReceiveStep::Disconnect => {
                agent.on_disconnect(session).await;
                Verdict::Continue
            }
            ReceiveStep::Reject { event, reply } => {
                agent.on_reject(session, *event, reply).await;
                Verdict::Continue
            }
            ReceiveStep::Mail
            | ReceiveStep::Rcpt(_)
            | ReceiveStep::Data
            | ReceiveStep::EndOfHeaders
            | ReceiveStep::EndOfData => match plan {
                Some(plan) => self.ask_about(plan, effects).await,
                None => Verdict::Continue,
            },
        }
    }

    /// The steps of a transaction.
    async fn ask_about(&self, plan: &MessagePlan, effects: &mut Effects) -> Verdict {
        let (agent, session) = (&*self.agent.agent, self.session);
        let view = plan.view();
        match self.step {
            ReceiveStep::Mail => agent.on_mail(session, view.reverse_path, view.parameters).await,
            ReceiveStep::Rcpt(asked) => {
                let now = plan.pending_rcpt();
                agent.on_rcpt(session, &view, now.as_ref().unwrap_or(asked), effects).await
            }
            ReceiveStep::Data => agent.on_data(session, &view).await,
            ReceiveStep::EndOfHeaders => agent.on_end_of_headers(session, &view, effects).await,
            ReceiveStep::EndOfData => agent.on_end_of_data(session, &view, effects).await,
            _ => Verdict::Continue,
        }
    }
}

fn shown_again<'a>(plan: &'a Option<&mut MessagePlan>) -> Option<&'a MessagePlan> {
    plan.as_deref()
}

/// The refusal of the whole step by an effect: the client gets a reply, so that it keeps what is
/// refused and nobody has to be sent a report.
fn refusal_in(effects: &Effects, plan: Option<&MessagePlan>) -> Option<Verdict> {
    let plan = plan?;
    let whole = effects.list().iter().filter(|scoped| plan.is_asked_about(&scoped.scope));
    whole.map(|scoped| &scoped.effect).find_map(|effect| match effect {
        Effect::Reject(reply) if !reply.code().is_positive() => {
            Some(Verdict::Reject(reply.clone()))
        }
        Effect::Defer(_) => Some(Verdict::Reject(try_again())),
        _ => None,
    })
}

/// What the client is told where an agent has no answer.
fn out_of_order() -> Reply {
    let code = EnhancedStatusCode::transient(3, 0);
    Reply::new(ReplyCode::LOCAL_ERROR, code, "A check that is needed failed, try again later")
}

pub(super) fn word(on_failure: OnFailure) -> &'static str {
    match on_failure {
        OnFailure::TempFail => "TempFail",
        OnFailure::Accept => "Accept",
        OnFailure::Reject => "Reject",
        OnFailure::Hold => "Hold",
    }
}
