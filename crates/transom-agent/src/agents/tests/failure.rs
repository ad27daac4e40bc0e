//! Agents that hang, panic, are slow or talk nonsense harm nobody else.

use futures::future::join_all;

use super::*;
use crate::effects::Effect;

const SECOND: Duration = Duration::from_secs(1);

fn end_of_data(house: &House, agents: &Agents, plan: &mut MessagePlan) -> Received {
    house.clock.run(agents.received(&session(), ReceiveStep::EndOfData, Some(plan)))
}

fn code(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Continue => None,
        Verdict::Reject(reply) | Verdict::Disconnect(reply) => Some(reply.code().to_string()),
    }
}

#[test]
fn what_a_failing_agent_asked_for_is_not_done_at_all() {
    for (manner, why, took) in [
        (Manner::Panics, "it panicked: at the disco", 0),
        (Manner::Hangs, "no answer within 5000 ms", 5),
        (Manner::Takes(6), "no answer within 5000 ms", 5),
        (Manner::Miscounts, "what it asked for cannot be done: there is no recipient 99", 0),
        (Manner::AcceptsByReply, "what it asked for cannot be done: 250 is no refusal", 0),
    ] {
        let mut house = House::new()
            .with("bad", manner, |it| it.with_on_failure(OnFailure::Accept))
            .with("good", Manner::Answers, |it| it);
        let (agents, mut plan) = (house.build(), plan(2));
        let received = end_of_data(&house, &agents, &mut plan);
        assert_eq!(received.verdict, Verdict::Continue, "{manner:?}");
        assert_eq!(words(&received.log), ["bad Failed", "good AddHeader"], "{manner:?}");
        assert_eq!(received.log[0].reason.as_deref(), Some(why));
        assert_eq!(house.clock.elapsed(), SECOND * took, "{manner:?}");
        let copies = plan.bifurcate();
        assert_eq!(copies.len(), 1);
        assert_eq!(copies[0].treatment.headers.len(), 1, "the good one's alone");
    }
    // Slow is not too slow.
    let mut house = House::new().with("slow", Manner::Takes(4), |it| it);
    let agents = house.build();
    let received = end_of_data(&house, &agents, &mut plan(1));
    assert_eq!(words(&received.log), ["slow AddHeader"]);
}

#[test]
fn on_failure_says_what_happens_then() {
    use OnFailure::{Accept, Hold, Reject, TempFail};
    for (event, on_failure, reply, held) in [
        ("data", None, Some("451"), false),
        ("data", Some(TempFail), Some("451"), false),
        ("data", Some(Accept), None, false),
        ("data", Some(Reject), Some("554"), false),
        ("data", Some(Hold), None, true),
        ("connect", None, Some("451"), false),
        ("connect", Some(Accept), None, false),
        ("connect", Some(Reject), Some("554"), false),
        // There is no message to hold.
        ("connect", Some(Hold), Some("451"), false),
    ] {
        let settings = |it: AgentSettings| AgentSettings { on_failure, ..it };
        let mut house = House::new().with("bad", Manner::Panics, settings);
        let (agents, mut plan, session) = (house.build(), plan(2), session());
        let received = if event == "data" {
            end_of_data(&house, &agents, &mut plan)
        } else {
            house.clock.run(agents.received(&session, ReceiveStep::Connect, None))
        };
        let case = format!("{event}, {on_failure:?}");
        assert_eq!(code(&received.verdict).as_deref(), reply, "{case}");
        assert_eq!(plan.bifurcate()[0].treatment.hold, held, "{case}");
        assert_eq!(words(&received.log)[0], "bad Failed", "{case}");
    }
}

#[test]
fn behind_acceptance_a_message_is_held_unless_it_says_otherwise() {
    use OnFailure::{Accept, Hold, Reject, TempFail};
    for (on_failure, what) in [
        (None, "held"),
        (Some(Hold), "held"),
        (Some(TempFail), "deferred"),
        (Some(Accept), "goes on"),
        (Some(Reject), "failed"),
    ] {
        let settings = |it: AgentSettings| AgentSettings { on_failure, ..it };
        let mut house = House::new().with("bad", Manner::Hangs, settings);
        let (agents, mut plan) = (house.build(), plan(2));
        let log = house.clock.run(agents.routed(RoutingStep::Resolved, &mut plan));
        assert_eq!(words(&log)[0], "bad Failed");
        let found = match plan.bifurcate().first() {
            None => "failed",
            Some(copy) if copy.treatment.hold => "held",
            Some(copy) if copy.treatment.defer.is_some() => "deferred",
            Some(_) => "goes on",
        };
        assert_eq!(found, what, "{on_failure:?}");
        assert_eq!(house.clock.elapsed(), SECOND * 5);
    }
}

#[test]
fn all_agents_together_have_30_seconds_behind_the_dot() {
    const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let accept = |it: AgentSettings| it.with_on_failure(OnFailure::Accept);
    let add = |house: House, name| house.with(name, Manner::Takes(4), accept);
    let mut house = NAMES.into_iter().fold(House::new(), add);
    let (agents, mut plan) = (house.build(), plan(1));
    let received = end_of_data(&house, &agents, &mut plan);
    assert_eq!(house.clock.elapsed(), Agents::AFTER_DOT);
    let failed = words(&received.log).iter().filter(|word| word.ends_with("Failed")).count();
    assert_eq!(failed, 3, "seven take 28 seconds, the eighth has 2 left, two have none");
    assert_eq!(house.trace().len(), 8);
    assert_eq!(plan.bifurcate()[0].treatment.headers.len(), 7);
}

#[test]
fn time_spent_on_the_headers_is_gone_for_the_content() {
    let accept = |it: AgentSettings| it.with_on_failure(OnFailure::Accept);
    let add = |house: House, name| house.with(name, Manner::Takes(4), accept);
    let mut house = ["a", "b", "c", "d", "e"].into_iter().fold(House::new(), add);
    let (agents, mut plan, clock) = (house.build(), plan(1), Arc::clone(&house.clock));
    let session = session();
    let received = clock.run(agents.received(&session, ReceiveStep::EndOfHeaders, Some(&mut plan)));
    assert_eq!(received.log.len(), 5);
    // The client takes its time over the content: that is not the agents' time.
    clock.pass(SECOND * 300);
    let received = end_of_data(&house, &agents, &mut plan);
    assert_eq!(clock.elapsed(), SECOND * 330);
    let failed = words(&received.log).iter().filter(|word| word.ends_with("Failed")).count();
    assert_eq!(failed, 3);
}

#[test]
fn an_agent_that_keeps_failing_is_left_alone_and_then_probed() {
    let mut house =
        House::new().with("bad", Manner::Hangs, |it| it.with_on_failure(OnFailure::Accept));
    let agents = house.build();
    for _ in 0..5 {
        let _ = end_of_data(&house, &agents, &mut plan(1));
    }
    assert_eq!(house.clock.elapsed(), SECOND * 25);
    assert_eq!(house.trace().len(), 5);
    let received = end_of_data(&house, &agents, &mut plan(1));
    assert_eq!(house.clock.elapsed(), SECOND * 25, "nobody waits for it");
    assert!(house.trace().is_empty());
    assert_eq!(words(&received.log), ["bad Failed"]);
    house.clock.pass(SECOND * 30);
    let _ = end_of_data(&house, &agents, &mut plan(1));
    assert_eq!(house.trace().len(), 1, "one probe");
    let _ = end_of_data(&house, &agents, &mut plan(1));
    assert!(house.trace().is_empty());
}

#[test]
fn observing_agents_change_nothing_and_say_what_they_would_have_done() {
    for (manner, word) in [
        (Manner::Answers, "AddHeader"),
        (Manner::Refuses, "RejectMessage"),
        (Manner::Panics, "Failed"),
        (Manner::Hangs, "Failed"),
        (Manner::Miscounts, "Failed"),
    ] {
        let observe = |it: AgentSettings| it.with_mode(AgentMode::Observe);
        let mut house = House::new().with("watcher", manner, observe).with_listener("listener");
        let (agents, mut plan) = (house.build(), plan(3));
        let before = plan.bifurcate();
        let received = end_of_data(&house, &agents, &mut plan);
        assert_eq!(received.verdict, Verdict::Continue, "{manner:?}");
        assert_eq!(words(&received.log), [format!("watcher {word}?")]);
        let log = house.clock.run(agents.routed(RoutingStep::Resolved, &mut plan));
        assert!(log.iter().all(|entry| !entry.enforced));
        assert_eq!(plan.bifurcate(), before, "{manner:?}");
        assert_eq!(plan.view().headers.octets(), HEADERS);
        assert!(house.trace().iter().all(|seen| !seen.contains("heard")));
    }
}

/// Hangs, panics or is slow for sessions on some ports, and answers the others.
struct Moody(Arc<TestClock>);

#[async_trait]
impl ReceiveAgent for Moody {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[AgentEvent::EndOfData])
    }

    async fn on_end_of_data(
        &self,
        session: &SessionView,
        _: &MessageView<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        effects.to_all(Effect::RequireTls);
        match session.remote.port() % 100 {
            7 => std::future::pending().await,
            17 => panic!("moody"),
            27 => self.0.sleep(SECOND * 4).await,
            _ => {}
        }
        Verdict::Continue
    }
}

#[test]
fn a_hundred_sessions_suffer_from_nothing_but_their_own_agent_calls() {
    let clock = TestClock::new();
    let agents = Agents::builder(clock.clone())
        .receive(AgentSettings::new("moody"), Arc::new(Moody(Arc::clone(&clock))))
        .build()
        .unwrap();
    let one = |port: u16| {
        let (agents, clock) = (&agents, &clock);
        async move {
            let (mut session, mut plan) = (session(), plan(1));
            session.remote.set_port(port);
            let step = ReceiveStep::EndOfData;
            let received = agents.received(&session, step, Some(&mut plan)).await;
            let done = plan.bifurcate()[0].treatment.require_tls;
            (port, received.verdict == Verdict::Continue, done, clock.elapsed())
        }
    };
    let ended = clock.run(join_all((0..100).map(one)));
    for (port, accepted, done, at) in ended {
        let (expected, seconds) = match port {
            7 => (false, 5),
            17 => (false, 0),
            27 => (true, 4),
            _ => (true, 0),
        };
        assert_eq!((accepted, done, at), (expected, expected, SECOND * seconds), "port {port}");
    }
}
