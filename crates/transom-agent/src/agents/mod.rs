//! Agents that see mail on its way, and what asks them.

mod breaker;
mod call;
mod event;
mod log;
mod pipeline;
mod receive;
mod receive_steps;
mod routing;
mod routing_steps;
mod settings;
#[cfg(test)]
mod tests;
mod view;

pub use self::call::{AgentClock, AgentFailure};
pub use self::event::{AgentEvent, AgentEvents};
pub use self::pipeline::{Agents, AgentsBuilder, BuildAgentsError, PipelineEntry};
pub use self::receive::{ReceiveAgent, SessionView, Verdict};
pub use self::receive_steps::{ReceiveStep, Received};
pub use self::routing::RoutingAgent;
pub use self::routing_steps::RoutingStep;
pub use self::settings::{AgentMode, AgentSettings, OnFailure};
pub use self::view::{MessageRecipient, MessageView, RecipientEnd};
