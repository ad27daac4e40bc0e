//! What the tests share: a transport ready to start, its events, a mailbox, a client.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use transom_agent::{ContentReader, DeliveryAgent, DeliveryItem};
use transom_connector::{AcceptedDomain, AddressSpace, ReceiveConnector, SendConnector, SmartHost};
use transom_queue::RetryProfile;
use transom_queue::retry::{Growth, LadderStep};
use transom_queue::view::Effect;
use transom_runtime::{Done, Transport, TransportBuilder, VerbError};
use transom_tracking::{EventId, EventSink, TrackingEvent, line};
use transom_types::{
    AttemptStage, EnhancedStatusCode, Outcome, RecipientResult, Reply, ReplyCode, Status,
};

/// How long anything may take: far longer than it does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long nothing must happen where nothing shall happen.
pub(crate) const QUIET: Duration = Duration::from_millis(300);

/// Waits in milliseconds instead of minutes.
pub(crate) fn fast() -> RetryProfile {
    let wait = Duration::from_millis(40);
    let mut profile = RetryProfile::exchange();
    profile.glitch = LadderStep { count: 1000, interval: wait };
    profile.message_retry = Growth::flat(wait);
    profile.in_doubt = Duration::from_millis(200);
    profile.restart = wait;
    profile.restart_jitter = Duration::ZERO;
    profile
}

/// A transport that listens on loopback, lets every peer relay, and has a mailbox for everybody
/// at contoso.example.
pub(crate) fn node(events: &Events, mailbox: &Mailbox) -> TransportBuilder {
    bare(events).receive_connector(relay_connector()).delivery_agent(
        "mailbox",
        ["contoso.example"],
        mailbox.clone(),
    )
}

/// The same without listener and mailbox.
pub(crate) fn bare(events: &Events) -> TransportBuilder {
    Transport::builder("mx.contoso.example")
        .accepted_domain(AcceptedDomain::authoritative("contoso.example").unwrap())
        .retry_profile(fast())
        .event_sink(events.clone())
}

pub(crate) fn anywhere() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub(crate) fn relay_connector() -> ReceiveConnector {
    ReceiveConnector::relay(anywhere(), vec!["127.0.0.0/8".parse().unwrap()])
}

/// Sends everything to one host.
pub(crate) fn to_host(address: SocketAddr) -> SendConnector {
    to_hosts(&[address])
}

pub(crate) fn to_hosts(addresses: &[SocketAddr]) -> SendConnector {
    let hosts = addresses.iter().map(|address| SmartHost::from(*address)).collect();
    SendConnector::smart_hosts("out", vec![AddressSpace::any()], hosts)
}

pub(crate) fn address(transport: &Transport) -> SocketAddr {
    transport.local_addresses()[0]
}

pub(crate) async fn stop(transport: Transport) {
    let report = transport.shutdown(Duration::from_secs(10)).await;
    assert!(report.in_time, "{report:?}");
}

/// What a verb did to one thing.
pub(crate) fn effect(done: Result<Done, VerbError>) -> Effect {
    let done = done.unwrap();
    match (done.now, done.pending, done.unchanged, done.refused) {
        (1, 0, 0, 0) => Effect::Now,
        (0, 1, 0, 0) => Effect::Pending,
        (0, 0, 1, 0) => Effect::Nothing,
        _ => panic!("{done:?}"),
    }
}

/// Keeps every event.
#[derive(Clone, Default)]
pub(crate) struct Events(Arc<Kept>);

#[derive(Default)]
struct Kept {
    events: Mutex<Vec<TrackingEvent>>,
    changed: Notify,
}

impl EventSink for Events {
    fn emit(&self, event: &TrackingEvent) {
        self.0.events.lock().unwrap().push(event.clone());
        self.0.changed.notify_waiters();
    }
}

impl Events {
    pub(crate) fn all(&self) -> Vec<TrackingEvent> {
        self.0.events.lock().unwrap().clone()
    }

    pub(crate) fn of(&self, id: EventId) -> Vec<TrackingEvent> {
        self.all().into_iter().filter(|event| event.event == id).collect()
    }

    pub(crate) fn count(&self, id: EventId) -> usize {
        self.of(id).len()
    }

    /// What all events of this kind say of recipients, one line each.
    pub(crate) fn statuses(&self, id: EventId) -> Vec<String> {
        let events = self.of(id);
        let all = events.iter().flat_map(|event| &event.recipients);
        all.map(|recipient| format!("{} {}", recipient.path, recipient.status)).collect()
    }

    /// Waits until there were so many events of this kind.
    pub(crate) async fn wait(&self, id: EventId, count: usize) {
        self.until(&format!("{count} {id}"), |events| {
            events.iter().filter(|event| event.event == id).count() >= count
        })
        .await;
    }

    pub(crate) async fn until(&self, what: &str, good: impl Fn(&[TrackingEvent]) -> bool) {
        let wait = async {
            loop {
                let changed = self.0.changed.notified();
                if good(&self.0.events.lock().unwrap()) {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let lines: Vec<_> = self.all().iter().map(line::to_line).collect();
            panic!("no {what} in:\n{}", lines.join("\n"));
        }
    }
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, good: impl AsyncFn() -> bool) {
    let wait = async {
        while !good().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{what}");
}

/// A delivery agent that keeps what it gets.
#[derive(Clone, Default)]
pub(crate) struct Mailbox(Arc<Delivered>);

#[derive(Default)]
struct Delivered {
    mail: Mutex<Vec<(String, Vec<u8>)>>,
    changed: Notify,
}

impl Mailbox {
    /// Recipient and content of every message.
    pub(crate) fn mail(&self) -> Vec<(String, Vec<u8>)> {
        self.0.mail.lock().unwrap().clone()
    }

    /// The content of the one message to `recipient`, unfolded, which is waited for.
    pub(crate) async fn read(&self, recipient: &str) -> String {
        let wait = async {
            loop {
                let changed = self.0.changed.notified();
                let of = |(to, content): (String, Vec<u8>)| (to == recipient).then_some(content);
                let mut found: Vec<_> = self.mail().into_iter().filter_map(of).collect();
                assert!(found.len() < 2, "{} messages for {recipient}", found.len());
                if let Some(content) = found.pop() {
                    return String::from_utf8_lossy(&content).replace("\r\n ", " ");
                }
                changed.await;
            }
        };
        let read = tokio::time::timeout(PATIENCE, wait).await;
        read.unwrap_or_else(|_| panic!("nothing for {recipient}"))
    }
}

#[async_trait]
impl DeliveryAgent for Mailbox {
    async fn deliver(&self, item: DeliveryItem<'_>) -> Vec<RecipientResult> {
        let mut content = Vec::new();
        let mut reader = ContentReader::new(item.content.as_ref());
        std::io::Read::read_to_end(&mut reader, &mut content).unwrap();
        let results = item.recipients.iter().map(|recipient| {
            let to = &item.envelope.recipients[usize::try_from(*recipient).unwrap()];
            let to = to.forward_path.to_string();
            let to = to.trim_matches(['<', '>']).to_owned();
            self.0.mail.lock().unwrap().push((to, content.clone()));
            RecipientResult { recipient: *recipient, outcome: delivered() }
        });
        let results = results.collect();
        self.0.changed.notify_waiters();
        results
    }
}

pub(crate) fn delivered() -> Outcome {
    let reply = Reply::new(ReplyCode::OK, EnhancedStatusCode::success(1, 5), "delivered");
    Outcome::Delivered(Status::local(AttemptStage::Agent, reply))
}

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// A client that says what it is told to.
pub(crate) struct Client {
    stream: BufReader<Box<dyn Duplex>>,
}

impl Client {
    /// Connects and reads the greeting.
    pub(crate) async fn greeted(address: SocketAddr) -> Self {
        let (client, greeting) = Self::connect(address).await;
        assert!(greeting.starts_with("220 "), "{greeting}");
        client
    }

    /// Connects, reads the greeting, says EHLO.
    pub(crate) async fn ready(address: SocketAddr) -> Self {
        let mut client = Self::greeted(address).await;
        client.expect("EHLO client.example", "250").await;
        client
    }

    pub(crate) async fn connect(address: SocketAddr) -> (Self, String) {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut client = Self::over(Box::new(stream));
        let greeting = client.reply().await;
        (client, greeting)
    }

    pub(crate) fn over(stream: Box<dyn Duplex>) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) fn into_stream(self) -> Box<dyn Duplex> {
        self.stream.into_inner()
    }

    /// A whole reply, its lines joined by newlines; empty when the connection is closed.
    pub(crate) async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, self.stream.read_line(&mut line)).await;
            let closed = matches!(read.expect("a reply in time"), Ok(0) | Err(_));
            let last = line.as_bytes().get(3) != Some(&b'-');
            reply.push_str(line.trim_end());
            if closed || last {
                return reply;
            }
            reply.push('\n');
        }
    }

    pub(crate) async fn write(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Says a line and gives the reply.
    pub(crate) async fn say(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    /// Says a line; the reply must begin so.
    pub(crate) async fn expect(&mut self, line: &str, reply: &str) -> String {
        let found = self.say(line).await;
        assert!(found.starts_with(reply), "{line}: {found}, not {reply}");
        found
    }

    /// MAIL, RCPT and DATA, which must all be accepted, and the content; gives the last reply.
    pub(crate) async fn submit(&mut self, from: &str, to: &[&str], content: &[u8]) -> String {
        self.expect(&format!("MAIL FROM:<{from}>"), "250").await;
        for to in to {
            self.expect(&format!("RCPT TO:<{to}>"), "250").await;
        }
        self.expect("DATA", "354").await;
        assert!(content.ends_with(b"\r\n"));
        self.write(content).await;
        self.say(".").await
    }

    /// Waits until the connection is closed.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        drop(read.expect("the connection is closed"));
    }
}

/// A message with a subject.
pub(crate) fn message(subject: &str) -> Vec<u8> {
    format!("Subject: {subject}\r\nMessage-ID: <{subject}@client.example>\r\n\r\nHello.\r\n").into()
}

/// Submits one message, which must be taken, and gives the reply.
pub(crate) async fn submit(address: SocketAddr, from: &str, to: &[&str], subject: &str) -> String {
    let mut client = Client::ready(address).await;
    let reply = client.submit(from, to, &message(subject)).await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    client.expect("QUIT", "221").await;
    reply
}
