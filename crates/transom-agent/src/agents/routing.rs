//! Routing agents: they see each message in the categorizer.

use async_trait::async_trait;

use super::event::AgentEvents;
use super::view::MessageView;
use crate::effects::Effects;

/// Sees each message in the categorizer, and may change what becomes of it. The defaults let it
/// pass.
///
/// A crash before the categorizer's commit makes it begin anew, so a message may come again: what
/// an agent does elsewhere must bear that. What it puts into [`Effects`] is applied as a whole when
/// it has answered, or not at all. The message may have no recipient left that is not ended.
///
/// # Cancel safety
///
/// Every future may be dropped at any await, as for a [`ReceiveAgent`](crate::ReceiveAgent).
#[async_trait]
#[expect(unused_variables, reason = "the names are documentation")]
pub trait RoutingAgent: Send + Sync + 'static {
    /// At which events the agent is asked. It never hears of others, whatever it implements.
    /// Read once, when the agent is registered.
    fn events(&self) -> AgentEvents;

    /// The categorizer takes the message up.
    async fn on_submitted(&self, message: &MessageView<'_>, effects: &mut Effects) {}

    /// The recipients are resolved. The last place for a change of addresses or routes to count.
    async fn on_resolved(&self, message: &MessageView<'_>, effects: &mut Effects) {}

    /// Each recipient has its [`next_hop`](crate::MessageRecipient::next_hop).
    async fn on_routed(&self, message: &MessageView<'_>, effects: &mut Effects) {}

    /// All is decided; the message goes into its delivery queues.
    async fn on_categorized(&self, message: &MessageView<'_>, effects: &mut Effects) {}
}
