//! Receive agents in whole sessions: what they are asked, what they may do, whom they harm.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use transom_agent::{
    AgentEvent, AgentEvents, AgentSettings, ContentReader, Effect, Effects, GeneratedMessage,
    MessageView, OnFailure, ReceiveAgent, SessionView, Verdict, async_trait,
};
use transom_connector::{Permissions, PrincipalKind, ReceiveConnector, ReceiveTls, Rights};
use transom_queue::query::Query;
use transom_queue::view::MessageProperty;
use transom_runtime::{Certificate, QueueTarget, TransportBuilder};
use transom_tracking::EventId;
use transom_types::{
    EnhancedStatusCode, Envelope, MailParameters, Mailbox as Address, MtPriority, Recipient, Reply,
    ReplyCode, ReversePath,
};

use crate::auth::{ALICE, Users};
use crate::support::{
    Client, Events, Mailbox, QUIET, address, anywhere, bare, eventually, message, node, stop,
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

/// Does something with effects at each recipient, by its local-part.
struct Sorter;

#[async_trait]
impl ReceiveAgent for Sorter {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[AgentEvent::Rcpt, AgentEvent::EndOfData])
    }

    async fn on_rcpt(
        &self,
        _: &SessionView,
        message: &MessageView<'_>,
        to: &Recipient,
        effects: &mut Effects,
    ) -> Verdict {
        let place = [message.next_place()];
        match to.forward_path.to_string().as_str() {
            "<old@contoso.example>" => {
                let new: Address = "new@contoso.example".parse().unwrap();
                effects.to_some(place, Effect::Redirect(new));
            }
            "<drop@contoso.example>" => effects.to_some(place, Effect::DropRcpt),
            "<closed@contoso.example>" => return Verdict::Reject(no("closed")),
            _ => {}
        }
        Verdict::Continue
    }

    async fn on_end_of_data(
        &self,
        _: &SessionView,
        message: &MessageView<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        effects.add_header("X-Seen", "yes");
        for (place, to) in message.open_recipients() {
            match to.forward_path.to_string().as_str() {
                "<marked@contoso.example>" => {
                    let field = transom_agent::NewField::new("X-Marked", "yes");
                    let change = transom_agent::HeaderChange::Add(field);
                    effects.to_some([place], Effect::Header(change));
                }
                "<held@contoso.example>" => effects.to_some([place], Effect::Hold),
                "<full@contoso.example>" => {
                    effects.to_some([place], Effect::Reject(no("full")));
                }
                _ => {}
            }
        }
        effects.to_all(Effect::SetPriority(MtPriority::new(2).unwrap()));
        let notice = GeneratedMessage {
            envelope: Envelope::new(
                ReversePath::Null,
                ["<watch@contoso.example>".parse().unwrap()],
            ),
            content: "Subject: notice\r\n\r\nMail came.\r\n".into(),
        };
        effects.to_all(Effect::Submit(notice));
        Verdict::Continue
    }
}

#[tokio::test]
async fn every_effect_of_a_session_is_in_the_mail_and_nobody_is_lost() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox)
        .receive_agent(AgentSettings::new("sorter"), Sorter)
        .start()
        .await
        .unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect("MAIL FROM:<sender@contoso.example>", "250").await;
    let taken = ["plain", "old", "drop", "marked", "held", "full"];
    for local in taken {
        client.expect(&format!("RCPT TO:<{local}@contoso.example>"), "250").await;
    }
    client.expect("RCPT TO:<closed@contoso.example>", "550 5.7.1 closed").await;
    client.expect("DATA", "354").await;
    client.write(&message("effects")).await;
    assert!(client.say(".").await.starts_with("250 2.6.0"));
    let plain = mailbox.read("plain@contoso.example").await;
    assert!(plain.starts_with("Received: ") && plain.contains("\r\nX-Seen: yes\r\n"), "{plain}");
    assert!(!plain.contains("X-Marked"), "{plain}");
    mailbox.read("new@contoso.example").await;
    let marked = mailbox.read("marked@contoso.example").await;
    assert!(marked.contains("X-Marked: yes\r\n") && marked.contains("X-Seen: yes\r\n"), "{marked}");
    let notice = mailbox.read("watch@contoso.example").await;
    assert!(notice.contains("Agent-Generated: sorter"), "{notice}");
    let report = mailbox.read("sender@contoso.example").await;
    assert!(report.contains("full@contoso.example") && report.contains("5.7.1"), "{report}");
    let fails = events.statuses(EventId::Fail);
    assert_eq!(fails, ["<full@contoso.example> 550 5.7.1 full"]);
    let drops = events.statuses(EventId::Drop);
    assert_eq!(drops, ["<drop@contoso.example> 250 2.0.0 dropped by agent sorter"]);
    tokio::time::sleep(QUIET).await;
    let to: Vec<_> = mailbox.mail().into_iter().map(|(to, _)| to).collect();
    assert_eq!(to.len(), 5, "{to:?}");
    let query: Query<MessageProperty> = transport.query();
    let query = query.with_filter("status = suspended".parse().unwrap());
    let held = transport.find_messages(QueueTarget::all(), &query).await.unwrap();
    assert_eq!(held.total, 1, "held@contoso.example waits for an administrator");
    stop(transport).await;
}

// Checklist A4.
#[tokio::test]
async fn header_firewall_takes_out_what_a_stranger_may_not_write() {
    let content = "Resent-From: x@client.example\r\nX-MS-Exchange-Organization-SCL: -1\r\n\
                   x-ms-exchange-forest-a: 1\r\n folded\r\nSubject: wall\r\n\r\nHello.\r\n";
    for (rights, kept) in [
        (Rights::ANONYMOUS_USERS, [true, false, false]),
        (Rights::ANONYMOUS_USERS - Rights::ACCEPT_HEADERS_ROUTING, [false, false, false]),
        (Rights::EXCHANGE_SERVERS, [true, true, true]),
    ] {
        let (events, mailbox) = (Events::default(), Mailbox::default());
        let connector = ReceiveConnector::internet(anywhere())
            .with_permissions(Permissions::none().with_rights(PrincipalKind::Anonymous, rights));
        let transport = bare(&events)
            .receive_connector(connector)
            .delivery_agent("mailbox", ["contoso.example"], mailbox.clone())
            .start()
            .await
            .unwrap();
        let mut client = Client::ready(address(&transport)).await;
        let reply = client.submit(FROM, &["b@contoso.example"], content.as_bytes()).await;
        assert!(reply.starts_with("250 2.6.0"), "{reply}");
        let read = mailbox.read("b@contoso.example").await;
        assert!(read.starts_with("Received: from client.example"), "ours stays: {read}");
        assert!(read.ends_with("Subject: wall\r\n\r\nHello.\r\n"), "{read}");
        let read = read.to_ascii_lowercase();
        let found = ["resent-from", "organization-scl", "exchange-forest-a"];
        assert_eq!(found.map(|name| read.contains(name)), kept, "{rights}: {read}");
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

/// Reads the whole content.
struct Reader(Arc<Mutex<Vec<u8>>>);

#[async_trait]
impl ReceiveAgent for Reader {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[AgentEvent::EndOfData])
    }

    async fn on_end_of_data(
        &self,
        _: &SessionView,
        message: &MessageView<'_>,
        _: &mut Effects,
    ) -> Verdict {
        let mut reader = ContentReader::new(&**message.content.unwrap());
        std::io::Read::read_to_end(&mut reader, &mut self.0.lock().unwrap()).unwrap();
        Verdict::Continue
    }
}

#[tokio::test]
async fn agent_reads_a_content_that_lies_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox, read) = (Events::default(), Mailbox::default(), Arc::default());
    let transport = node(&events, &mailbox)
        .spool(folder.path())
        .receive_agent(AgentSettings::new("reader"), Reader(Arc::clone(&read)))
        .start()
        .await
        .unwrap();
    let content = format!("Subject: x\r\n\r\n{}", "0123456789012345678\r\n".repeat(100_000));
    let mut client = Client::ready(address(&transport)).await;
    let reply = client.submit(FROM, &["b@contoso.example"], content.as_bytes()).await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    assert!(*read.lock().unwrap() == content.as_bytes());
    events.wait(EventId::Deliver, 1).await;
    stop(transport).await;
}
