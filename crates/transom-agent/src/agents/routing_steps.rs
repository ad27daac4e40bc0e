//! Asking the routing agents about a message.

use std::time::Duration;

use transom_tracking::AgentLogEntry;
use transom_types::{EnhancedStatusCode, Reply, ReplyCode};

use super::call::AgentFailure;
use super::event::AgentEvent;
use super::log::Scene;
use super::pipeline::{Agents, Registered};
use super::receive_steps::word;
use super::routing::RoutingAgent;
use super::settings::{AgentMode, OnFailure};
use crate::effects::{Effect, Effects, MessagePlan};

/// How long a message waits when an agent that it needs has failed.
const RETRY: Duration = Duration::from_mins(5);

/// A step of the categorizer, as the transport brings it to [`Agents::routed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the categorizer has these steps")]
pub enum RoutingStep {
    /// The message is taken up.
    Submitted,
    /// The recipients are resolved.
    Resolved,
    /// The recipients of the plan have their next hops.
    Routed,
    /// All is decided.
    Categorized,
}

impl RoutingStep {
    /// The event of the step.
    pub const fn event(self) -> AgentEvent {
        match self {
            Self::Submitted => AgentEvent::Submitted,
            Self::Resolved => AgentEvent::Resolved,
            Self::Routed => AgentEvent::Routed,
            Self::Categorized => AgentEvent::Categorized,
        }
    }
}

impl Agents {
    /// Asks the agents about the message of `plan`, in order, and applies to it what they ask for.
    /// Gives what they did, to be emitted once the categorizer's commit is durable.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the effects of those who had answered are in the plan. The
    /// message is to be categorized anew then.
    pub async fn routed(&self, step: RoutingStep, plan: &mut MessagePlan) -> Vec<AgentLogEntry> {
        let mut log = Vec::new();
        for agent in self.routing.at(step.event()) {
            if agent.settings.mode != AgentMode::Off {
                self.route_one(agent, step, plan, &mut log).await;
            }
        }
        log
    }

    async fn route_one(
        &self,
        agent: &Registered<dyn RoutingAgent>,
        step: RoutingStep,
        plan: &mut MessagePlan,
        log: &mut Vec<AgentLogEntry>,
    ) {
        let (settings, event) = (&agent.settings, step.event());
        let scene = Scene {
            at: self.clock.wall(),
            agent: &settings.name,
            event,
            enforced: settings.mode == AgentMode::Enforce,
            session: None,
        };
        let shown = &*plan;
        let work = async {
            let mut effects = Effects::default();
            ask(&*agent.agent, step, shown, &mut effects).await;
            effects
        };
        let judge = |effects: &Effects| {
            shown.check(&settings.name, event, effects).map_err(AgentFailure::from)
        };
        let effects = match agent.ask(&*self.clock, None, work, judge).await {
            Ok(effects) => effects,
            Err(failure) => {
                let on_failure = settings.on_failure_at(event);
                log.push(scene.failure(Some(plan), &failure, word(on_failure)));
                on_failure_effects(on_failure)
            }
        };
        log.extend(scene.effects(plan, &effects));
        if scene.enforced {
            let done = plan.apply(&settings.name, event, &effects).is_ok();
            debug_assert!(done, "what was judged well can be done");
        }
    }
}

async fn ask(
    agent: &dyn RoutingAgent,
    step: RoutingStep,
    plan: &MessagePlan,
    effects: &mut Effects,
) {
    let view = plan.view();
    match step {
        RoutingStep::Submitted => agent.on_submitted(&view, effects).await,
        RoutingStep::Resolved => agent.on_resolved(&view, effects).await,
        RoutingStep::Routed => agent.on_routed(&view, effects).await,
        RoutingStep::Categorized => agent.on_categorized(&view, effects).await,
    }
}

/// What is done where an agent has no answer.
fn on_failure_effects(on_failure: OnFailure) -> Effects {
    let mut effects = Effects::default();
    match on_failure {
        OnFailure::Accept => {}
        OnFailure::TempFail => effects.to_all(Effect::Defer(RETRY)),
        OnFailure::Hold => effects.to_all(Effect::Hold),
        OnFailure::Reject => effects.to_all(Effect::Reject(Reply::new(
            ReplyCode::TRANSACTION_FAILED,
            EnhancedStatusCode::permanent(3, 0),
            "Not delivered: a check that is needed failed",
        ))),
    }
    effects
}
