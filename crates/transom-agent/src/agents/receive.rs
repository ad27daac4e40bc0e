//! Receive agents: they see each step of a session before it is answered.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use transom_types::{
    ConnectorId, MailParameters, Principal, Recipient, Reply, ReversePath, SessionId,
};

use super::event::{AgentEvent, AgentEvents};
use super::view::MessageView;
use crate::effects::Effects;
use crate::header_firewall::HeaderFamilies;

/// Sees each step of a session before it is answered, and may refuse it. The defaults let the
/// mail pass.
///
/// Where a step gives [`Effects`], what is put there is applied as a whole when the agent has
/// answered, and written down under its name; what an agent was about to do when it failed or ran
/// out of time is not done at all, and neither is what comes along with a refusal. At such a step
/// the message may have no recipient left that is not ended.
///
/// # Cancel safety
///
/// Every future may be dropped at any await: when its time is over, or when the session ends.
/// Nothing that it had asked for is done then. A future that blocks its thread cannot be stopped:
/// work of that kind belongs into a blocking task.
#[async_trait]
#[expect(unused_variables, reason = "the names are documentation")]
pub trait ReceiveAgent: Send + Sync + 'static {
    /// At which events the agent is asked. It never hears of others, whatever it implements.
    /// Read once, when the agent is registered.
    fn events(&self) -> AgentEvents;

    /// A peer has connected; it has not been greeted.
    async fn on_connect(&self, session: &SessionView) -> Verdict {
        Verdict::Continue
    }

    /// HELO. Nobody has checked `name`.
    async fn on_helo(&self, session: &SessionView, name: &str) -> Verdict {
        Verdict::Continue
    }

    /// EHLO or LHLO. Nobody has checked `name`.
    async fn on_ehlo(&self, session: &SessionView, name: &str) -> Verdict {
        Verdict::Continue
    }

    /// STARTTLS, before the handshake.
    async fn on_start_tls(&self, session: &SessionView) -> Verdict {
        Verdict::Continue
    }

    /// AUTH by `mechanism`, before anything is proved.
    async fn on_auth(&self, session: &SessionView, mechanism: &str) -> Verdict {
        Verdict::Continue
    }

    /// AUTH is over. Who the client is stands in [`SessionView::principal`]; none where it failed.
    async fn on_end_of_authentication(&self, session: &SessionView) -> Verdict {
        Verdict::Continue
    }

    /// MAIL: a transaction is about to begin.
    async fn on_mail(
        &self,
        session: &SessionView,
        from: &ReversePath,
        parameters: &MailParameters,
    ) -> Verdict {
        Verdict::Continue
    }

    /// RCPT: `to` is about to become the recipient behind those of `message`; effects name it by
    /// its place, [`MessageView::next_place`].
    async fn on_rcpt(
        &self,
        session: &SessionView,
        message: &MessageView<'_>,
        to: &Recipient,
        effects: &mut Effects,
    ) -> Verdict {
        Verdict::Continue
    }

    /// Content is about to come.
    async fn on_data(&self, session: &SessionView, message: &MessageView<'_>) -> Verdict {
        Verdict::Continue
    }

    /// The header section is complete; there is no [`MessageView::content`] yet.
    async fn on_end_of_headers(
        &self,
        session: &SessionView,
        message: &MessageView<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        Verdict::Continue
    }

    /// The content is complete. A refusal refuses the message.
    async fn on_end_of_data(
        &self,
        session: &SessionView,
        message: &MessageView<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        Verdict::Continue
    }

    /// HELP.
    async fn on_help(&self, session: &SessionView) -> Verdict {
        Verdict::Continue
    }

    /// NOOP.
    async fn on_noop(&self, session: &SessionView) -> Verdict {
        Verdict::Continue
    }

    /// RSET.
    async fn on_rset(&self, session: &SessionView) -> Verdict {
        Verdict::Continue
    }

    /// The peer gets `reply`, a 4yz or 5yz one, at `event`: from an agent or from the server.
    async fn on_reject(&self, session: &SessionView, event: AgentEvent, reply: &Reply) {}

    /// The session is over.
    async fn on_disconnect(&self, session: &SessionView) {}
}

/// What an agent has to say to a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a verdict that nobody reads lets the mail pass"]
pub enum Verdict {
    /// Nothing against it.
    #[default]
    Continue,
    /// The peer gets this 4yz or 5yz reply; at the end of data that refuses the message. No
    /// further agent is asked about the step. A positive reply here counts as a failure of the
    /// agent.
    Reject(Reply),
    /// The same, and the session ends with it.
    Disconnect(Reply),
}

/// What is known of a session, as the server has it at this step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionView {
    /// Names the session in logs.
    pub id: SessionId,
    /// The receive connector that serves it.
    pub connector: ConnectorId,
    /// Our end.
    pub local: SocketAddr,
    /// The client's end: where a front end speaks for it, the client's all the same.
    pub remote: SocketAddr,
    /// What the client said in EHLO or HELO.
    pub helo: Option<Arc<str>>,
    /// What was agreed on for TLS; none in the clear.
    pub tls: Option<Arc<str>>,
    /// Who the client has shown to be.
    pub principal: Option<Principal>,
    /// Which headers the client's rights let in.
    pub kept_headers: HeaderFamilies,
    /// Whether the client's rights spare its mail the anti-spam agents.
    pub bypasses_anti_spam: bool,
}

impl SessionView {
    /// A session of which no more is known than its ends; it has no rights.
    pub fn new(
        id: SessionId,
        connector: ConnectorId,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Self {
        Self {
            id,
            connector,
            local,
            remote,
            helo: None,
            tls: None,
            principal: None,
            kept_headers: HeaderFamilies::NONE,
            bypasses_anti_spam: false,
        }
    }
}
