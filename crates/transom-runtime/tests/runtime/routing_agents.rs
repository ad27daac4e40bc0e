//! Routing agents in whole transports: what they change, and that it holds.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use transom_agent::{
    AgentEvent, AgentEvents, AgentMode, AgentSettings, Effect, Effects, GeneratedMessage,
    MessageView, OnFailure, RoutingAgent, async_trait,
};
use transom_queue::{MemoryOptions, MemorySpool};
use transom_tracking::EventId;
use transom_types::{
    ConnectorId, EnhancedStatusCode, Envelope, InternalMessageId, NetworkMessageId, Recipient,
    Reply, ReplyCode,
};

use crate::peer::Peer;
use crate::resolution::{at, receivers};
use crate::support::{Events, Mailbox, QUIET, address, message, node, stop, submit, to_host};

const FROM: &str = "s@contoso.example";

type Say = dyn Fn(&MessageView<'_>, &mut Effects) + Send + Sync;

/// Says the same of each message at one event.
#[derive(Clone)]
pub(crate) struct At {
    event: AgentEvent,
    say: Arc<Say>,
    asked: Arc<Mutex<u32>>,
}

impl At {
    pub(crate) fn new(
        event: AgentEvent,
        say: impl Fn(&MessageView<'_>, &mut Effects) + Send + Sync + 'static,
    ) -> Self {
        Self { event, say: Arc::new(say), asked: Arc::default() }
    }

    fn ask(&self, message: &MessageView<'_>, effects: &mut Effects) {
        *self.asked.lock().unwrap() += 1;
        (self.say)(message, effects);
    }
}

#[async_trait]
impl RoutingAgent for At {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[self.event])
    }
    async fn on_submitted(&self, message: &MessageView<'_>, effects: &mut Effects) {
        self.ask(message, effects);
    }
    async fn on_resolved(&self, message: &MessageView<'_>, effects: &mut Effects) {
        self.ask(message, effects);
    }
    async fn on_routed(&self, message: &MessageView<'_>, effects: &mut Effects) {
        self.ask(message, effects);
    }
    async fn on_categorized(&self, message: &MessageView<'_>, effects: &mut Effects) {
        self.ask(message, effects);
    }
}

pub(crate) fn settings() -> AgentSettings {
    AgentSettings::new("tester")
}

/// The place of the recipient with this address.
pub(crate) fn place(message: &MessageView<'_>, path: &str) -> Vec<u32> {
    let is_it = |to: &str| to.trim_matches(['<', '>']) == path;
    let found = message.open_recipients().filter(|(_, to)| is_it(&to.forward_path.to_string()));
    found.map(|(place, _)| place).collect()
}

#[tokio::test]
async fn agents_change_addresses_headers_and_ends_of_recipients() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let agent = At::new(AgentEvent::Submitted, |message, effects| {
        effects.add_header("X-Seen", "yes");
        effects.to_some(place(message, "drop@contoso.example"), Effect::DropRcpt);
        let code = EnhancedStatusCode::permanent(7, 1);
        let no = Reply::new(ReplyCode::MAILBOX_UNAVAILABLE, code, "not this one");
        effects.to_some(place(message, "no@contoso.example"), Effect::Reject(no));
        let other = Effect::Redirect(at("other@contoso.example"));
        effects.to_some(place(message, "first@contoso.example"), other);
        if !message.reverse_path.is_null() {
            let more: transom_types::ForwardPath = "<more@contoso.example>".parse().unwrap();
            effects.to_all(Effect::AddRcpt(Recipient::from(more)));
        }
    });
    let transport = node(&events, &mailbox).routing_agent(settings(), agent).start().await.unwrap();
    let names = ["drop", "no", "first", "stays"].map(|name| format!("{name}@contoso.example"));
    let to: Vec<&str> = names.iter().map(String::as_str).collect();
    submit(address(&transport), FROM, &to, "changed").await;
    let report = mailbox.read(FROM).await;
    assert!(report.contains("not this one"), "{report}");
    for name in ["other", "stays", "more"] {
        let read = mailbox.read(&format!("{name}@contoso.example")).await;
        assert_eq!(read.matches("X-Seen: yes").count(), 1, "{name}: {read}");
    }
    events.wait(EventId::Deliver, 2).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(mailbox.mail().len(), 4);
    let dropped = events.statuses(EventId::Drop);
    assert!(dropped.len() == 1 && dropped[0].contains("agent tester"), "{dropped:?}");
    assert_eq!(events.count(EventId::Fail), 1);
    assert!(events.count(EventId::AgentInfo) >= 5);
    stop(transport).await;
}

#[tokio::test]
async fn way_that_an_agent_chose_holds_after_a_restart() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let spool = Arc::new(MemorySpool::new(MemoryOptions::default()));
    let agent = At::new(AgentEvent::Resolved, |_, effects| {
        effects.add_header("X-Seen", "yes");
        effects.to_all(Effect::SetRoute(ConnectorId::new("nowhere")));
    });
    let transport = node(&events, &mailbox)
        .store(Arc::<MemorySpool>::clone(&spool))
        .routing_agent(settings(), agent)
        .start()
        .await
        .unwrap();
    submit(address(&transport), FROM, &["b@contoso.example"], "once").await;
    events.wait(EventId::Submit, 1).await;
    stop(transport).await;
    // The way that the agent chose holds at the next start, without the agent.
    let transport = node(&events, &mailbox).store(Arc::<MemorySpool>::clone(&spool));
    let transport = transport.start().await.unwrap();
    tokio::time::sleep(QUIET).await;
    assert!(mailbox.mail().is_empty(), "no connector has that name");
    let queues = transport.queues().await.unwrap();
    assert!(queues.iter().any(|queue| queue.next_hop.to_string().contains("Unreachable")));
    stop(transport).await;
}

#[tokio::test]
async fn edits_are_there_once_after_a_restart() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let spool = Arc::new(MemorySpool::new(MemoryOptions::default()));
    for suspended in [true, true, false] {
        let agent = At::new(AgentEvent::Submitted, |_, effects| {
            effects.add_header("X-Seen", "yes");
        });
        let asked = Arc::clone(&agent.asked);
        let transport = node(&events, &mailbox)
            .store(Arc::<MemorySpool>::clone(&spool))
            .routing_agent(settings(), agent)
            .suspend_delivery(suspended)
            .start()
            .await
            .unwrap();
        if events.count(EventId::Submit) == 0 {
            submit(address(&transport), FROM, &["b@contoso.example"], "once").await;
            events.wait(EventId::Submit, 1).await;
            assert_eq!(*asked.lock().unwrap(), 1);
        } else {
            tokio::time::sleep(QUIET).await;
            assert_eq!(*asked.lock().unwrap(), 0);
        }
        if !suspended {
            let read = mailbox.read("b@contoso.example").await;
            assert_eq!(read.matches("X-Seen: yes").count(), 1, "{read}");
        }
        stop(transport).await;
    }
}

#[tokio::test]
async fn message_that_demands_tls_never_goes_in_the_clear() {
    let (events, mailbox, peer) = (Events::default(), Mailbox::default(), Peer::willing().await);
    let agent = At::new(AgentEvent::Resolved, |message, effects| {
        effects.to_some(place(message, "secret@out.example"), Effect::RequireTls);
    });
    let transport = node(&events, &mailbox)
        .send_connector(to_host(peer.address))
        .routing_agent(settings(), agent)
        .start()
        .await
        .unwrap();
    let to = ["secret@out.example", "open@out.example"];
    submit(address(&transport), FROM, &to, "tls").await;
    peer.wait_taken(1).await;
    events.wait(EventId::Defer, 1).await;
    let deferred = events.statuses(EventId::Defer);
    assert!(deferred[0].contains("secret@out.example"), "{deferred:?}");
    let taken = peer.taken();
    assert!(taken.len() == 1 && taken[0].rcpt.len() == 1, "{taken:?}");
    assert!(taken[0].rcpt[0].contains("open@out.example"), "{taken:?}");
    stop(transport).await;
}

#[tokio::test]
async fn held_copies_wait_for_an_administrator() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let agent = At::new(AgentEvent::Routed, |message, effects| {
        effects.to_some(place(message, "held@contoso.example"), Effect::Hold);
    });
    let transport = node(&events, &mailbox).routing_agent(settings(), agent).start().await.unwrap();
    let to = ["held@contoso.example", "free@contoso.example"];
    submit(address(&transport), FROM, &to, "held").await;
    mailbox.read("free@contoso.example").await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(receivers(&mailbox), ["free@contoso.example"]);
    let copy = events.of(EventId::Transfer)[0].internal_id.unwrap();
    transport.resume_message(copy, "ann").await.unwrap();
    mailbox.read("held@contoso.example").await;
    stop(transport).await;
}

#[tokio::test]
async fn deferred_message_comes_again_and_observers_change_nothing() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let times = Mutex::new(0);
    let agent = At::new(AgentEvent::Submitted, move |_, effects| {
        let mut times = times.lock().unwrap();
        *times += 1;
        if *times < 3 {
            effects.to_all(Effect::Defer(Duration::from_millis(30)));
        }
    });
    let asked = Arc::clone(&agent.asked);
    let observer = At::new(AgentEvent::Categorized, |_, effects| {
        effects.to_all(Effect::DropRcpt);
    });
    let transport = node(&events, &mailbox)
        .routing_agent(settings(), agent)
        .routing_agent(AgentSettings::new("observer").with_mode(AgentMode::Observe), observer)
        .start()
        .await
        .unwrap();
    submit(address(&transport), FROM, &["b@contoso.example"], "later").await;
    mailbox.read("b@contoso.example").await;
    assert_eq!(*asked.lock().unwrap(), 3);
    assert_eq!(events.count(EventId::Drop), 0);
    let told = events.of(EventId::AgentInfo);
    assert!(told.iter().any(|event| event.source_context.as_deref() == Some("observer")));
    stop(transport).await;
}

#[tokio::test]
async fn messages_of_agents_are_made_under_the_loop_guard() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    // It answers everything, its own messages too.
    let agent = At::new(AgentEvent::Submitted, |_, effects| {
        let envelope =
            Envelope::new("<>".parse().unwrap(), ["<watch@contoso.example>".parse().unwrap()]);
        let content = message("notice").into();
        effects.to_all(Effect::Submit(GeneratedMessage { envelope, content }));
    });
    // What asks for one message too many has failed: its other mail goes on as it is.
    let settings = settings().with_on_failure(OnFailure::Accept);
    let transport = node(&events, &mailbox).routing_agent(settings, agent).start().await.unwrap();
    submit(address(&transport), FROM, &["b@contoso.example"], "first").await;
    events.wait(EventId::Deliver, 3).await;
    tokio::time::sleep(QUIET).await;
    let all = ["b@contoso.example", "watch@contoso.example", "watch@contoso.example"];
    assert_eq!(receivers(&mailbox), all);
    let ids: Vec<(Option<InternalMessageId>, Option<NetworkMessageId>)> = events
        .of(EventId::Receive)
        .into_iter()
        .map(|event| (event.internal_id, event.network_id))
        .collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    stop(transport).await;
}
