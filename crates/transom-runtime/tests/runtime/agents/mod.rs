//! Receive agents in whole sessions: what they are asked, what they may do, whom they harm.

mod effects;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use transom_agent::{
    AgentEvent, AgentEvents, AgentSettings, Effects, MessageView, OnFailure, ReceiveAgent,
    SessionView, Verdict, async_trait,
};
use transom_connector::{Permissions, ReceiveConnector, ReceiveTls, Rights};
use transom_runtime::{Certificate, TransportBuilder};
use transom_tracking::EventId;
use transom_types::{EnhancedStatusCode, MailParameters, Recipient, Reply, ReplyCode, ReversePath};

use crate::auth::{ALICE, Users};
use crate::support::{
    Client, Events, Mailbox, address, anywhere, bare, eventually, message, node, stop,
};
use crate::tls::{secured, write_certificate};

const FROM: &str = "a@client.example";

fn no(text: &'static str) -> Reply {
    Reply::new(ReplyCode::MAILBOX_UNAVAILABLE, EnhancedStatusCode::permanent(7, 1), text)
}

/// Hears of everything, and keeps it.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<String>>>);

impl Witness {
    fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn hear(&self, what: impl Into<String>) -> Verdict {
        self.0.lock().unwrap().push(what.into());
        Verdict::Continue
    }
}

#[async_trait]
impl ReceiveAgent for Witness {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&AgentEvent::ALL)
    }

    async fn on_connect(&self, _: &SessionView) -> Verdict {
        self.hear("connect")
    }

    async fn on_helo(&self, _: &SessionView, name: &str) -> Verdict {
        self.hear(format!("helo {name}"))
    }

    async fn on_ehlo(&self, session: &SessionView, name: &str) -> Verdict {
        self.hear(format!("ehlo {name}{}", if session.tls.is_some() { " in tls" } else { "" }))
    }

    async fn on_start_tls(&self, _: &SessionView) -> Verdict {
        self.hear("starttls")
    }

    async fn on_auth(&self, session: &SessionView, mechanism: &str) -> Verdict {
        assert!(session.principal.is_none());
        self.hear(format!("auth {mechanism}"))
    }

    async fn on_end_of_authentication(&self, session: &SessionView) -> Verdict {
        let who = session.principal.as_ref().map_or("nobody", |who| who.as_str());
        let spared = if session.bypasses_anti_spam { ", spared" } else { "" };
        self.hear(format!("authenticated {who}{spared}"))
    }

    async fn on_mail(&self, _: &SessionView, from: &ReversePath, _: &MailParameters) -> Verdict {
        self.hear(format!("mail {from}"))
    }

    async fn on_rcpt(
        &self,
        _: &SessionView,
        message: &MessageView<'_>,
        to: &Recipient,
        _: &mut Effects,
    ) -> Verdict {
        self.hear(format!("rcpt {} {}", message.next_place(), to.forward_path))
    }

    async fn on_data(&self, _: &SessionView, message: &MessageView<'_>) -> Verdict {
        self.hear(format!("data for {}", message.recipients.len()))
    }

    async fn on_end_of_headers(
        &self,
        _: &SessionView,
        message: &MessageView<'_>,
        _: &mut Effects,
    ) -> Verdict {
        let subject = message.headers.first("Subject").unwrap();
        let received = message.headers.first("Received").is_some();
        assert!(message.content.is_none() && message.internal_id.is_some());
        self.hear(format!("headers {} {received}", subject.value()))
    }

    async fn on_end_of_data(
        &self,
        _: &SessionView,
        message: &MessageView<'_>,
        _: &mut Effects,
    ) -> Verdict {
        self.hear(format!("content {}", message.content.unwrap().len()))
    }

    async fn on_help(&self, _: &SessionView) -> Verdict {
        self.hear("help")
    }

    async fn on_noop(&self, _: &SessionView) -> Verdict {
        self.hear("noop")
    }

    async fn on_rset(&self, _: &SessionView) -> Verdict {
        self.hear("rset")
    }

    async fn on_reject(&self, _: &SessionView, event: AgentEvent, reply: &Reply) {
        let _ = self.hear(format!("reject {event} {}", reply.code()));
    }

    async fn on_disconnect(&self, _: &SessionView) {
        let _ = self.hear("disconnect");
    }
}

#[tokio::test]
async fn agents_hear_of_every_step_of_a_session_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_certificate(folder.path());
    let (events, witness) = (Events::default(), Witness::default());
    let rights = Rights::EXCHANGE_USERS | Rights::ACCEPT_ANY_SENDER;
    let connector = ReceiveConnector::internet(anywhere())
        .with_tls(ReceiveTls::Offered)
        .with_permissions(Permissions::anonymous_users().with_authenticated(rights));
    let transport = bare(&events)
        .receive_connector(connector)
        .certificate(Certificate::from_pem_files(&chain, &key).unwrap())
        .authenticator(Users)
        .receive_agent(AgentSettings::new("witness"), witness.clone())
        .suspend_delivery(true)
        .start()
        .await
        .unwrap();
    let mut client = Client::greeted(address(&transport)).await;
    client.expect("HELO c.example", "250").await;
    client.expect("EHLO c.example", "250").await;
    client.expect("HELP", "214").await;
    client.expect("MAIL FROM:<a@client.example>", "250").await;
    client.expect("RCPT TO:<x@elsewhere.example>", "550 5.7.1").await;
    client.expect("RSET", "250").await;
    client.expect("STARTTLS", "220").await;
    let mut client = Client::over(secured(client.into_stream(), &chain).await);
    client.expect("EHLO c.example", "250").await;
    client.expect("AUTH PLAIN AGFsaWNlAHdyb25n", "535").await;
    client.expect(ALICE, "235").await;
    client.expect("NOOP", "250").await;
    let to = ["x@elsewhere.example", "b@contoso.example"];
    let reply = client.submit(FROM, &to, &message("hi")).await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    client.expect("QUIT", "221").await;
    client.closed().await;
    eventually("the end is heard", async || {
        witness.heard().last().is_some_and(|last| last == "disconnect")
    })
    .await;
    let length = message("hi").len();
    assert_eq!(
        witness.heard(),
        [
            "connect",
            "helo c.example",
            "ehlo c.example",
            "help",
            "mail <a@client.example>",
            "reject OnRcptCommand 550",
            "rset",
            "starttls",
            "ehlo c.example in tls",
            "auth PLAIN",
            "authenticated nobody",
            "auth PLAIN",
            "authenticated alice, spared",
            "noop",
            "mail <a@client.example>",
            "rcpt 0 <x@elsewhere.example>",
            "rcpt 1 <b@contoso.example>",
            "data for 2",
            "headers hi false",
            &format!("content {length}"),
            "disconnect",
        ]
    );
    stop(transport).await;
}

/// Refuses one step.
struct Refuses(AgentEvent, Verdict);

impl Refuses {
    fn at(&self, event: AgentEvent) -> Verdict {
        if self.0 == event { self.1.clone() } else { Verdict::Continue }
    }
}

#[async_trait]
impl ReceiveAgent for Refuses {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[self.0])
    }

    async fn on_connect(&self, _: &SessionView) -> Verdict {
        self.at(AgentEvent::Connect)
    }

    async fn on_ehlo(&self, _: &SessionView, _: &str) -> Verdict {
        self.at(AgentEvent::Ehlo)
    }

    async fn on_mail(&self, _: &SessionView, _: &ReversePath, _: &MailParameters) -> Verdict {
        self.at(AgentEvent::Mail)
    }

    async fn on_data(&self, _: &SessionView, _: &MessageView<'_>) -> Verdict {
        self.at(AgentEvent::Data)
    }

    async fn on_end_of_data(
        &self,
        _: &SessionView,
        _: &MessageView<'_>,
        _: &mut Effects,
    ) -> Verdict {
        self.at(AgentEvent::EndOfData)
    }

    async fn on_noop(&self, _: &SessionView) -> Verdict {
        self.at(AgentEvent::Noop)
    }
}

fn refusing(events: &Events, event: AgentEvent, verdict: Verdict) -> TransportBuilder {
    node(events, &Mailbox::default())
        .receive_agent(AgentSettings::new("refuses"), Refuses(event, verdict))
}

#[tokio::test]
async fn agent_refuses_a_step_and_the_session_goes_on() {
    let at = [AgentEvent::Mail, AgentEvent::Data, AgentEvent::EndOfData, AgentEvent::Noop];
    for event in at {
        let events = Events::default();
        let transport = refusing(&events, event, Verdict::Reject(no("not today")));
        let transport = transport.start().await.unwrap();
        let mut client = Client::ready(address(&transport)).await;
        let mut last = client.say("NOOP").await;
        for line in ["MAIL FROM:<a@client.example>", "RCPT TO:<b@contoso.example>", "DATA", "."] {
            if last.starts_with("550") {
                break;
            }
            last = client.say(line).await;
        }
        assert_eq!(last, "550 5.7.1 not today", "{event}");
        client.expect("QUIT", "221").await;
        assert_eq!(events.count(EventId::Receive), 0);
        let told = events.of(EventId::AgentInfo);
        assert_eq!(told.len(), 1, "{event}");
        assert_eq!(told[0].source_context.as_deref(), Some("refuses"));
        stop(transport).await;
    }
}

#[tokio::test]
async fn agent_that_disconnects_has_the_last_word() {
    for event in [AgentEvent::Connect, AgentEvent::Ehlo, AgentEvent::Noop] {
        let events = Events::default();
        let transport = refusing(&events, event, Verdict::Disconnect(no("go away")));
        let transport = transport.start().await.unwrap();
        let (mut client, mut last) = Client::connect(address(&transport)).await;
        for line in ["EHLO client.example", "NOOP"] {
            if !last.starts_with("550") {
                last = client.say(line).await;
            }
        }
        assert_eq!(last, "550 5.7.1 go away", "{event}");
        client.closed().await;
        stop(transport).await;
    }
}

/// Goes wrong in its own way for one sender in three.
struct Unwell;

#[async_trait]
impl ReceiveAgent for Unwell {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[AgentEvent::Mail])
    }

    async fn on_mail(&self, _: &SessionView, from: &ReversePath, _: &MailParameters) -> Verdict {
        match from.to_string().as_str() {
            "<hang@client.example>" => std::future::pending().await,
            "<panic@client.example>" => panic!("on purpose"),
            "<slow@client.example>" => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Verdict::Continue
            }
            _ => Verdict::Continue,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a figure for people")]
async fn timed(address: std::net::SocketAddr, from: &str) -> (String, Duration) {
    let mut client = Client::ready(address).await;
    let start = Instant::now();
    let reply = client.say(&format!("MAIL FROM:<{from}>")).await;
    (reply, start.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_that_hangs_panics_or_is_slow_harms_no_other_session() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let unwell = |name: &str| {
        AgentSettings::new(name)
            .with_timeout(Duration::from_millis(500))
            .with_on_failure(OnFailure::TempFail)
    };
    let transport =
        node(&events, &mailbox).receive_agent(unwell("unwell"), Unwell).start().await.unwrap();
    let to = address(&transport);
    // Few enough failures that the agent stays in use.
    let one = |from: &'static str| tokio::spawn(timed(to, from));
    let sick = ["hang@client.example", "panic@client.example"].map(one);
    let slow: Vec<_> = (0..10).map(|_| one("slow@client.example")).collect();
    let well: Vec<_> = (0..88).map(|_| one("well@client.example")).collect();
    let mut longest = Duration::ZERO;
    for session in well {
        let (reply, took) = session.await.unwrap();
        assert!(reply.starts_with("250"), "{reply}");
        longest = longest.max(took);
    }
    for session in slow {
        assert!(session.await.unwrap().0.starts_with("250"));
    }
    let [hang, panic] = sick;
    let (reply, took) = hang.await.unwrap();
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    assert!(took >= Duration::from_millis(500), "{took:?}");
    assert!(panic.await.unwrap().0.starts_with("451 4.3.0"));
    println!("88 sessions beside 12 unwell ones: longest MAIL {longest:?}");
    assert!(longest < Duration::from_secs(10), "{longest:?}");
    stop(transport).await;
}
