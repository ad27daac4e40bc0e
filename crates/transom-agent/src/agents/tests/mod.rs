//! The agents of a transport, asked as the runtime asks them, in virtual time.

mod border;
mod clock;
mod failure;
mod order;
mod plan;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use transom_tracking::AgentLogEntry;
use transom_types::{
    ConnectorId, DeliveryType, EnhancedStatusCode, Envelope, ForwardPath, NextHop, NextHopDomain,
    Reply, ReplyCode, ReversePath, SessionId, TlsClass,
};

use self::clock::TestClock;
use super::*;
use crate::effects::{Effects, MessagePlan};

const HEADERS: &[u8] = b"Received: from a by b\r\n\
    X-MS-Exchange-Organization-SCL: -1\r\n\
    From: Ann <ann@inside.example>\r\n\
    To: bob@contoso.com, carl@elsewhere.example\r\n\
    x-ms-exchange-forest-RulesExecuted : b\r\n\
    Resent-From: dora@elsewhere.example\r\n\
    Subject: hello\r\n";

/// Where agents write down what they saw.
type Trace = Arc<Mutex<Vec<String>>>;

fn session() -> SessionView {
    let [local, remote] = ["192.0.2.25:25", "192.0.2.1:4711"].map(|end| end.parse().unwrap());
    SessionView::new(SessionId(7), ConnectorId::new("Default"), local, remote)
}

fn path(mailbox: &str) -> ForwardPath {
    format!("<{mailbox}>").parse().unwrap()
}

/// A message with this many recipients and [`HEADERS`].
fn plan(recipients: u32) -> MessagePlan {
    let from: ReversePath = "<ann@inside.example>".parse().unwrap();
    let to = (0..recipients).map(|number| path(&format!("r{number}@contoso.com")));
    let mut plan = MessagePlan::of_envelope(&Envelope::new(from, to), 0..recipients);
    plan.set_headers(HEADERS.into());
    plan
}

fn next_hop(kind: DeliveryType, domain: &str) -> NextHop {
    let (domain, connector) = (NextHopDomain::new(domain), ConnectorId::new("Internet"));
    NextHop { kind, domain, connector, tls: TlsClass::Normal }
}

fn refusal() -> Reply {
    let code = EnhancedStatusCode::permanent(7, 1);
    Reply::new(ReplyCode::MAILBOX_UNAVAILABLE, code, "not here")
}

/// Who did what, in words, with a `?` where it was not done.
fn words(log: &[AgentLogEntry]) -> Vec<String> {
    let word = |entry: &AgentLogEntry| {
        let mark = if entry.enforced { "" } else { "?" };
        format!("{} {}{mark}", entry.agent, entry.action)
    };
    log.iter().map(word).collect()
}

/// How a test agent behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Answers,
    Refuses,
    Panics,
    Hangs,
    /// Takes so many seconds.
    Takes(u64),
    /// Says yes with a positive reply.
    AcceptsByReply,
    /// Asks for something for a recipient that is not there, and for more.
    Miscounts,
}

/// An agent that adds a field of its name, and then behaves.
struct Behaving {
    name: &'static str,
    manner: Manner,
    events: AgentEvents,
    trace: Trace,
    clock: Arc<TestClock>,
}

impl Behaving {
    async fn act(&self, event: AgentEvent, effects: &mut Effects) -> Verdict {
        self.trace.lock().unwrap().push(format!("{} {event}", self.name));
        effects.add_header("X-Agent", self.name);
        match self.manner {
            Manner::Answers => {}
            Manner::Refuses => return Verdict::Reject(refusal()),
            Manner::Panics => panic!("at the disco"),
            Manner::Hangs => std::future::pending().await,
            Manner::Takes(seconds) => self.clock.sleep(Duration::from_secs(seconds)).await,
            Manner::AcceptsByReply => {
                let code = EnhancedStatusCode::success(6, 0);
                return Verdict::Reject(Reply::new(ReplyCode::OK, code, "queued"));
            }
            Manner::Miscounts => effects.to_some([99], crate::Effect::Hold),
        }
        Verdict::Continue
    }
}

#[async_trait]
impl ReceiveAgent for Behaving {
    fn events(&self) -> AgentEvents {
        self.events
    }

    async fn on_connect(&self, _: &SessionView) -> Verdict {
        self.act(AgentEvent::Connect, &mut Effects::default()).await
    }

    async fn on_rcpt(
        &self,
        _: &SessionView,
        _: &MessageView<'_>,
        _: &transom_types::Recipient,
        effects: &mut Effects,
    ) -> Verdict {
        self.act(AgentEvent::Rcpt, effects).await
    }

    async fn on_end_of_headers(
        &self,
        _: &SessionView,
        _: &MessageView<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        self.act(AgentEvent::EndOfHeaders, effects).await
    }

    async fn on_end_of_data(
        &self,
        _: &SessionView,
        _: &MessageView<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        self.act(AgentEvent::EndOfData, effects).await
    }

    async fn on_reject(&self, _: &SessionView, event: AgentEvent, reply: &Reply) {
        let seen = format!("{} heard of {} at {event}", self.name, reply.code());
        self.trace.lock().unwrap().push(seen);
    }
}

#[async_trait]
impl RoutingAgent for Behaving {
    fn events(&self) -> AgentEvents {
        self.events
    }

    async fn on_resolved(&self, _: &MessageView<'_>, effects: &mut Effects) {
        // A routing agent refuses by an effect.
        let _ = self.act(AgentEvent::Resolved, effects).await;
    }
}

/// Agents that behave, in one transport.
struct House {
    clock: Arc<TestClock>,
    trace: Trace,
    builder: Option<AgentsBuilder>,
}

impl House {
    const EVENTS: AgentEvents = AgentEvents::of(&[
        AgentEvent::Connect,
        AgentEvent::Rcpt,
        AgentEvent::EndOfHeaders,
        AgentEvent::EndOfData,
        AgentEvent::Resolved,
    ]);

    fn new() -> Self {
        let clock = TestClock::new();
        let builder = Some(Agents::builder(clock.clone()));
        Self { clock, trace: Trace::default(), builder }
    }

    fn agent(&self, name: &'static str, manner: Manner, events: AgentEvents) -> Arc<Behaving> {
        let (trace, clock) = (Arc::clone(&self.trace), Arc::clone(&self.clock));
        Arc::new(Behaving { name, manner, events, trace, clock })
    }

    /// One more agent of both kinds.
    fn with(
        mut self,
        name: &'static str,
        manner: Manner,
        settings: impl FnOnce(AgentSettings) -> AgentSettings,
    ) -> Self {
        let agent = self.agent(name, manner, Self::EVENTS);
        let settings = settings(AgentSettings::new(name));
        let builder = self.builder.take().unwrap();
        self.builder =
            Some(builder.receive(settings.clone(), agent.clone()).routing(settings, agent));
        self
    }

    /// One more receive agent that hears of refusals.
    fn with_listener(mut self, name: &'static str) -> Self {
        let agent = self.agent(name, Manner::Answers, AgentEvents::of(&[AgentEvent::Reject]));
        let builder = self.builder.take().unwrap();
        self.builder = Some(builder.receive(AgentSettings::new(name), agent));
        self
    }

    fn build(&mut self) -> Agents {
        self.builder.take().unwrap().build().unwrap()
    }

    fn trace(&self) -> Vec<String> {
        std::mem::take(&mut *self.trace.lock().unwrap())
    }
}
