//! Which agents there are, and in which order they are asked.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::breaker::{Admission, Breaker};
use super::call::{AgentClock, AgentFailure, guarded};
use super::event::AgentEvent;
use super::receive::ReceiveAgent;
use super::routing::RoutingAgent;
use super::settings::{AgentMode, AgentSettings};

/// The agents of a transport. One set serves all sessions and all messages.
pub struct Agents {
    pub(super) clock: Arc<dyn AgentClock>,
    pub(super) receive: Stage<dyn ReceiveAgent>,
    pub(super) routing: Stage<dyn RoutingAgent>,
}

/// The agents of one kind.
pub(super) struct Stage<A: ?Sized> {
    agents: Vec<Registered<A>>,
    /// For each event, places in `agents`, in the order in which they are asked.
    order: Vec<Vec<usize>>,
}

pub(super) struct Registered<A: ?Sized> {
    pub(super) settings: AgentSettings,
    pub(super) agent: Arc<A>,
    breaker: Mutex<Breaker>,
}

/// An agent at an event, as [`Agents::pipeline`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipelineEntry {
    /// At which event.
    pub event: AgentEvent,
    /// The agent's name.
    pub agent: Arc<str>,
    /// Its priority.
    pub priority: u16,
    /// Whether what it says is done.
    pub mode: AgentMode,
}

/// Agents in the order in which they are registered. Made by [`Agents::builder`].
#[must_use = "agents are asked only once they are built"]
pub struct AgentsBuilder {
    clock: Arc<dyn AgentClock>,
    receive: Vec<Registered<dyn ReceiveAgent>>,
    routing: Vec<Registered<dyn RoutingAgent>>,
}

/// Why agents cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildAgentsError {
    /// Names are 1 to 64 printable ASCII characters, single blanks between words.
    #[error("{0:?} is no name of an agent")]
    BadName(Arc<str>),
    /// Two agents of one kind have this name.
    #[error("two agents are called {0:?}")]
    NameTwice(Arc<str>),
}

impl Agents {
    /// Longest name of an agent, as in Exchange.
    pub const NAME_OCTETS_MAX: usize = 64;

    /// No agents yet.
    pub fn builder(clock: Arc<dyn AgentClock>) -> AgentsBuilder {
        AgentsBuilder { clock, receive: Vec::new(), routing: Vec::new() }
    }

    /// Every agent at each of its events, in the order in which they are asked. Those that are off
    /// are in it too.
    pub fn pipeline(&self) -> Vec<PipelineEntry> {
        let mut entries = Vec::new();
        for event in AgentEvent::ALL {
            entries.extend(self.receive.entries(event).chain(self.routing.entries(event)));
        }
        entries
    }

    /// Whether any agent is asked at `event`. Where none is, a transport need not even look at the
    /// message.
    pub fn listens(&self, event: AgentEvent) -> bool {
        let asked = |mode: AgentMode| mode != AgentMode::Off;
        self.receive.at(event).any(|agent| asked(agent.settings.mode))
            || self.routing.at(event).any(|agent| asked(agent.settings.mode))
    }
}

impl fmt::Debug for Agents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agents").field("pipeline", &self.pipeline()).finish_non_exhaustive()
    }
}

impl AgentsBuilder {
    /// One more receive agent.
    pub fn receive(mut self, settings: AgentSettings, agent: Arc<dyn ReceiveAgent>) -> Self {
        self.receive.push(Registered { settings, agent, breaker: Mutex::default() });
        self
    }

    /// One more routing agent.
    pub fn routing(mut self, settings: AgentSettings, agent: Arc<dyn RoutingAgent>) -> Self {
        self.routing.push(Registered { settings, agent, breaker: Mutex::default() });
        self
    }

    /// The agents, in order.
    ///
    /// # Errors
    ///
    /// A name is malformed, or two agents of one kind share it.
    pub fn build(self) -> Result<Agents, BuildAgentsError> {
        Ok(Agents {
            clock: self.clock,
            receive: Stage::new(self.receive, |agent| {
                AgentEvent::ALL
                    .map(|event| !event.is_after_acceptance() && agent.events().contains(event))
            })?,
            routing: Stage::new(self.routing, |agent| {
                AgentEvent::ALL
                    .map(|event| event.is_after_acceptance() && agent.events().contains(event))
            })?,
        })
    }
}

impl fmt::Debug for AgentsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentsBuilder")
            .field("receive", &self.receive.len())
            .field("routing", &self.routing.len())
            .finish_non_exhaustive()
    }
}

impl<A: ?Sized> Stage<A> {
    fn new(
        agents: Vec<Registered<A>>,
        events: impl Fn(&A) -> [bool; AgentEvent::ALL.len()],
    ) -> Result<Self, BuildAgentsError> {
        for (number, agent) in agents.iter().enumerate() {
            let name = &agent.settings.name;
            if !is_name(name) {
                return Err(BuildAgentsError::BadName(Arc::clone(name)));
            }
            if agents.iter().take(number).any(|before| before.settings.name == *name) {
                return Err(BuildAgentsError::NameTwice(Arc::clone(name)));
            }
        }
        let mut order = vec![Vec::new(); AgentEvent::ALL.len()];
        for (place, agent) in agents.iter().enumerate() {
            for (event, listens) in order.iter_mut().zip(events(&agent.agent)) {
                if listens {
                    event.push((agent.settings.priority, place));
                }
            }
        }
        let sorted = |mut event: Vec<(u16, usize)>| {
            event.sort_unstable();
            event.into_iter().map(|(_, place)| place).collect()
        };
        Ok(Self { agents, order: order.into_iter().map(sorted).collect() })
    }

    /// The agents of `event`, in order.
    pub(super) fn at(&self, event: AgentEvent) -> impl Iterator<Item = &Registered<A>> {
        let place = AgentEvent::ALL.iter().position(|known| *known == event);
        let order = place.and_then(|place| self.order.get(place));
        order.into_iter().flatten().filter_map(|place| self.agents.get(*place))
    }

    fn entries(&self, event: AgentEvent) -> impl Iterator<Item = PipelineEntry> {
        self.at(event).map(move |agent| PipelineEntry {
            event,
            agent: Arc::clone(&agent.settings.name),
            priority: agent.settings.priority,
            mode: agent.settings.mode,
        })
    }
}

fn is_name(name: &str) -> bool {
    let words_fit = name
        .split(' ')
        .all(|word| !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_graphic()));
    words_fit && name.len() <= Agents::NAME_OCTETS_MAX
}

impl<A: ?Sized> Registered<A> {
    /// Asks the agent, unless it failed too often. `judge` may find that its answer is none.
    /// `until` is when the time of all agents together is over.
    pub(super) async fn ask<T>(
        &self,
        clock: &dyn AgentClock,
        until: Option<Instant>,
        work: impl Future<Output = T> + Send,
        judge: impl FnOnce(&T) -> Result<(), AgentFailure>,
    ) -> Result<T, AgentFailure> {
        let now = clock.now();
        let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(now));
        if left.is_zero() {
            return Err(AgentFailure::NoTimeLeft);
        }
        let admission = self.breaker().admit(now);
        if admission == Admission::Refused {
            return Err(AgentFailure::OutOfOrder);
        }
        let answer = match guarded(clock, self.settings.timeout.min(left), work).await {
            // It would have had more time of its own.
            Err(AgentFailure::TimedOut(_)) if left < self.settings.timeout => {
                Err(AgentFailure::NoTimeLeft)
            }
            answer => answer,
        };
        let answer = answer.and_then(|answer| judge(&answer).map(|()| answer));
        let failed = answer.as_ref().err().is_some_and(AgentFailure::counts);
        self.breaker().report(admission, failed, clock.now());
        answer
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
