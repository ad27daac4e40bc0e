//! In which order agents are asked, and who is not asked any more (checklist A7).

use transom_types::{MailParameters, Recipient};

use super::*;
use crate::effects::Effect;

/// Writes down every event.
struct Recorder(Trace);

impl Recorder {
    fn saw(&self, event: AgentEvent) -> Verdict {
        self.0.lock().unwrap().push(event.to_string());
        Verdict::Continue
    }
}

#[async_trait]
impl ReceiveAgent for Recorder {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&AgentEvent::ALL)
    }
    async fn on_connect(&self, _: &SessionView) -> Verdict {
        self.saw(AgentEvent::Connect)
    }
    async fn on_helo(&self, _: &SessionView, _: &str) -> Verdict {
        self.saw(AgentEvent::Helo)
    }
    async fn on_ehlo(&self, _: &SessionView, _: &str) -> Verdict {
        self.saw(AgentEvent::Ehlo)
    }
    async fn on_start_tls(&self, _: &SessionView) -> Verdict {
        self.saw(AgentEvent::StartTls)
    }
    async fn on_auth(&self, _: &SessionView, _: &str) -> Verdict {
        self.saw(AgentEvent::Auth)
    }
    async fn on_end_of_authentication(&self, _: &SessionView) -> Verdict {
        self.saw(AgentEvent::EndOfAuthentication)
    }
    async fn on_mail(&self, _: &SessionView, _: &ReversePath, _: &MailParameters) -> Verdict {
        self.saw(AgentEvent::Mail)
    }
    async fn on_rcpt(
        &self,
        _: &SessionView,
        message: &MessageView<'_>,
        to: &Recipient,
        _: &mut Effects,
    ) -> Verdict {
        let (place, path) = (message.next_place(), &to.forward_path);
        self.0.lock().unwrap().push(format!("{} {place} {path}", AgentEvent::Rcpt));
        Verdict::Continue
    }
    async fn on_data(&self, _: &SessionView, _: &MessageView<'_>) -> Verdict {
        self.saw(AgentEvent::Data)
    }
    async fn on_end_of_headers(
        &self,
        _: &SessionView,
        _: &MessageView<'_>,
        _: &mut Effects,
    ) -> Verdict {
        self.saw(AgentEvent::EndOfHeaders)
    }
    async fn on_end_of_data(
        &self,
        _: &SessionView,
        _: &MessageView<'_>,
        _: &mut Effects,
    ) -> Verdict {
        self.saw(AgentEvent::EndOfData)
    }
    async fn on_help(&self, _: &SessionView) -> Verdict {
        self.saw(AgentEvent::Help)
    }
    async fn on_noop(&self, _: &SessionView) -> Verdict {
        self.saw(AgentEvent::Noop)
    }
    async fn on_rset(&self, _: &SessionView) -> Verdict {
        self.saw(AgentEvent::Rset)
    }
    async fn on_reject(&self, _: &SessionView, _: AgentEvent, _: &Reply) {
        let _ = self.saw(AgentEvent::Reject);
    }
    async fn on_disconnect(&self, _: &SessionView) {
        let _ = self.saw(AgentEvent::Disconnect);
    }
}

#[async_trait]
impl RoutingAgent for Recorder {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&AgentEvent::ALL)
    }
    async fn on_submitted(&self, _: &MessageView<'_>, _: &mut Effects) {
        let _ = self.saw(AgentEvent::Submitted);
    }
    async fn on_resolved(&self, _: &MessageView<'_>, _: &mut Effects) {
        let _ = self.saw(AgentEvent::Resolved);
    }
    async fn on_routed(&self, _: &MessageView<'_>, _: &mut Effects) {
        let _ = self.saw(AgentEvent::Routed);
    }
    async fn on_categorized(&self, _: &MessageView<'_>, _: &mut Effects) {
        let _ = self.saw(AgentEvent::Categorized);
    }
}

#[test]
fn every_step_reaches_the_agent_as_its_event() {
    let (clock, trace) = (TestClock::new(), Trace::default());
    let agent = Arc::new(Recorder(Arc::clone(&trace)));
    let settings = AgentSettings::new("recorder");
    let agents = Agents::builder(clock.clone())
        .receive(settings.clone(), agent.clone())
        .routing(settings, agent)
        .build()
        .unwrap();
    let (mut plan, session) = (plan(0), session());
    let reject = ReceiveStep::Reject { event: AgentEvent::Noop, reply: refusal() };
    let steps = [
        ReceiveStep::Connect,
        ReceiveStep::Helo("a"),
        ReceiveStep::Ehlo("a"),
        ReceiveStep::StartTls,
        ReceiveStep::Auth("PLAIN"),
        ReceiveStep::EndOfAuthentication,
        ReceiveStep::Mail,
        ReceiveStep::Rcpt(path("x@contoso.com").into()),
        ReceiveStep::Rcpt(path("y@contoso.com").into()),
        ReceiveStep::Data,
        ReceiveStep::EndOfHeaders,
        ReceiveStep::EndOfData,
        ReceiveStep::Help,
        ReceiveStep::Noop,
        ReceiveStep::Rset,
        reject,
        ReceiveStep::Disconnect,
    ];
    for step in steps {
        let received = clock.run(agents.received(&session, step, Some(&mut plan)));
        assert_eq!(received.verdict, Verdict::Continue);
        assert!(received.log.is_empty());
    }
    for step in [
        RoutingStep::Submitted,
        RoutingStep::Resolved,
        RoutingStep::Routed,
        RoutingStep::Categorized,
    ] {
        assert!(clock.run(agents.routed(step, &mut plan)).is_empty());
    }
    let mut expected: Vec<_> = AgentEvent::ALL.iter().map(ToString::to_string).collect();
    expected[7] = "OnRcptCommand 0 <x@contoso.com>".into();
    expected.insert(8, "OnRcptCommand 1 <y@contoso.com>".into());
    assert_eq!(*trace.lock().unwrap(), expected);
    assert_eq!(plan.recipients().len(), 2);
}

#[test]
fn agents_are_asked_by_priority_and_then_as_registered() {
    let mut house = House::new()
        .with("late", Manner::Answers, |it| it.with_priority(200))
        .with("tie1", Manner::Answers, |it| it)
        .with("off", Manner::Answers, |it| it.with_mode(AgentMode::Off))
        .with("tie2", Manner::Answers, |it| it)
        .with("early", Manner::Answers, |it| it.with_priority(1));
    let agents = house.build();
    let listed: Vec<_> = agents
        .pipeline()
        .iter()
        .filter(|entry| entry.event == AgentEvent::EndOfData)
        .map(|entry| entry.agent.to_string())
        .collect();
    assert_eq!(listed, ["early", "tie1", "off", "tie2", "late"], "before any mail has flowed");
    let events: Vec<_> = agents.pipeline().iter().map(|entry| entry.event).collect();
    assert!(events.is_sorted());
    let mut plan = plan(1);
    let (session, clock) = (session(), Arc::clone(&house.clock));
    let received = clock.run(agents.received(&session, ReceiveStep::EndOfData, Some(&mut plan)));
    assert_eq!(received.verdict, Verdict::Continue);
    let asked = ["early", "tie1", "tie2", "late"];
    assert_eq!(house.trace(), asked.map(|name| format!("{name} OnEndOfData")));
    assert_eq!(words(&received.log), asked.map(|name| format!("{name} AddHeader")));
    assert!(agents.listens(AgentEvent::Connect) && !agents.listens(AgentEvent::Mail));
}

#[test]
fn a_refusal_stops_later_agents_and_those_that_listen_hear_of_it() {
    let mut house = House::new()
        .with("first", Manner::Answers, |it| it)
        .with("second", Manner::Refuses, |it| it)
        .with("third", Manner::Answers, |it| it)
        .with_listener("listener");
    let (agents, session, mut plan) = (house.build(), session(), plan(2));
    let before = plan.bifurcate();
    let step = ReceiveStep::Rcpt(path("x@contoso.com").into());
    let received = house.clock.run(agents.received(&session, step, Some(&mut plan)));
    assert_eq!(received.verdict, Verdict::Reject(refusal()));
    assert_eq!(
        house.trace(),
        ["first OnRcptCommand", "second OnRcptCommand", "listener heard of 550 at OnRcptCommand"]
    );
    assert_eq!(words(&received.log), ["first AddHeader", "second RejectRecipients"]);
    assert_eq!(received.log[1].recipients, [path("x@contoso.com")]);
    assert_eq!(received.log[1].smtp_response.as_deref(), Some("550 5.7.1 not here"));
    assert_eq!(plan.bifurcate(), before, "a recipient that is refused leaves nothing behind");
    // The next event is asked about again.
    let received =
        house.clock.run(agents.received(&session, ReceiveStep::Connect, Some(&mut plan)));
    assert_eq!(words(&received.log), ["second RejectConnection"]);
}

#[test]
fn the_servers_own_refusals_are_heard_of_too() {
    let mut house = House::new().with_listener("listener");
    let agents = house.build();
    let step = ReceiveStep::Reject { event: AgentEvent::Mail, reply: refusal() };
    let received = house.clock.run(agents.received(&session(), step, None));
    assert_eq!(received.verdict, Verdict::Continue);
    assert_eq!(house.trace(), ["listener heard of 550 at OnMailCommand"]);
}

#[test]
fn names_are_unique_and_fit_for_logs() {
    let agent = || Arc::new(Recorder(Trace::default()));
    let build = |names: &[&str]| {
        let builder = Agents::builder(TestClock::new());
        let add = |builder: AgentsBuilder, name: &&str| {
            builder.receive(AgentSettings::new(*name), agent())
        };
        names.iter().fold(builder, add).build().err()
    };
    assert_eq!(build(&["a", "b c"]), None);
    assert_eq!(build(&["a", "a"]), Some(BuildAgentsError::NameTwice("a".into())));
    for bad in ["", " a", "a  b", "a\nb", "\u{e4}", &"x".repeat(65)] {
        assert_eq!(build(&[bad]), Some(BuildAgentsError::BadName(bad.into())), "{bad:?}");
    }
}

/// Refuses by effects: at RCPT the recipient, at the end of data all or the first.
struct ByEffect;

#[async_trait]
impl ReceiveAgent for ByEffect {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[AgentEvent::Rcpt, AgentEvent::EndOfHeaders, AgentEvent::EndOfData])
    }
    async fn on_rcpt(
        &self,
        _: &SessionView,
        message: &MessageView<'_>,
        _: &Recipient,
        effects: &mut Effects,
    ) -> Verdict {
        effects.to_some([message.next_place()], Effect::Reject(refusal()));
        Verdict::Continue
    }
    async fn on_end_of_headers(
        &self,
        _: &SessionView,
        _: &MessageView<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        effects.to_some([0], Effect::Reject(refusal()));
        Verdict::Continue
    }
    async fn on_end_of_data(
        &self,
        _: &SessionView,
        _: &MessageView<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        effects.to_all(Effect::Defer(Duration::from_secs(1)));
        Verdict::Continue
    }
}

#[test]
fn what_an_effect_refuses_as_a_whole_the_client_keeps() {
    let clock = TestClock::new();
    let agents = Agents::builder(clock.clone())
        .receive(AgentSettings::new("agent"), Arc::new(ByEffect))
        .build()
        .unwrap();
    let (session, mut plan) = (session(), plan(2));
    let step = ReceiveStep::Rcpt(path("x@contoso.com").into());
    let received = clock.run(agents.received(&session, step, Some(&mut plan)));
    assert_eq!(received.verdict, Verdict::Reject(refusal()));
    assert_eq!(plan.recipients().len(), 2);
    let received = clock.run(agents.received(&session, ReceiveStep::EndOfHeaders, Some(&mut plan)));
    assert_eq!(received.verdict, Verdict::Continue, "the other one is taken");
    assert_eq!(plan.bifurcate()[0].recipients, [1]);
    let received = clock.run(agents.received(&session, ReceiveStep::EndOfData, Some(&mut plan)));
    let Verdict::Reject(reply) = received.verdict else { panic!("taken") };
    assert_eq!(reply.to_line(), "451 4.7.1 Message not taken now, try again later");
}
