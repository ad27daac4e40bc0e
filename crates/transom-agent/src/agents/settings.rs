//! How an agent is run.

use std::sync::Arc;
use std::time::Duration;

use super::event::AgentEvent;

/// How an agent is run. [`AgentSettings::new`] gives the defaults.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentSettings {
    /// Its name in logs and events, unique among the agents of a transport.
    pub name: Arc<str>,
    /// Its place among the agents of an event: lower first, equal ones as registered (100).
    pub priority: u16,
    /// Whether what it says is done (enforce).
    pub mode: AgentMode,
    /// How long it may take at one event (5 s): a client waits for 10 minutes behind the final
    /// dot, and several agents share that with the disk.
    pub timeout: Duration,
    /// What is done when it fails (by event: [`OnFailure::default_at`]).
    pub on_failure: Option<OnFailure>,
}

impl AgentSettings {
    /// The defaults, for an agent of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            priority: 100,
            mode: AgentMode::Enforce,
            timeout: Duration::from_secs(5),
            on_failure: None,
        }
    }

    /// Sets the place among the agents of an event.
    #[must_use]
    pub fn with_priority(self, priority: u16) -> Self {
        Self { priority, ..self }
    }

    /// Says whether what the agent says is done.
    #[must_use]
    pub fn with_mode(self, mode: AgentMode) -> Self {
        Self { mode, ..self }
    }

    /// Sets how long the agent may take at one event.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Says what is done when the agent fails, whatever the event.
    #[must_use]
    pub fn with_on_failure(self, on_failure: OnFailure) -> Self {
        Self { on_failure: Some(on_failure), ..self }
    }

    pub(crate) fn on_failure_at(&self, event: AgentEvent) -> OnFailure {
        self.on_failure.unwrap_or_else(|| OnFailure::default_at(event))
    }
}

/// Whether what an agent says is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AgentMode {
    /// It is done.
    #[default]
    Enforce,
    /// Nothing is done, not even on failure; the events say what would have been.
    Observe,
    /// The agent is not asked.
    Off,
}

/// What is done when an agent panics, takes too long, or is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// In a session the client is told to try again; behind it the message waits and the agents
    /// are asked again.
    TempFail,
    /// As if the agent had nothing to say.
    Accept,
    /// In a session the step is refused for good; behind it every recipient fails.
    Reject,
    /// The message is taken and then held for an administrator. Before MAIL there is no message,
    /// and the client is told to try again.
    Hold,
}

impl OnFailure {
    /// What is done where nothing is set. Before acceptance the client keeps the message and comes
    /// again; behind it nobody else has it, and a person should look.
    pub const fn default_at(event: AgentEvent) -> Self {
        if event.is_after_acceptance() { Self::Hold } else { Self::TempFail }
    }
}
