//! The sample messages, the transport that they are relayed to, and the events on the console.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use transom::agent::{DirectoryAnswer, DirectoryUnavailable};
use transom::connector::SmartHost;
use transom::message::HeaderSection;
use transom::tracking::{EventId, line};
use transom::types::{AddressLiteral, Envelope, Host, Mailbox};
use transom::{
    AcceptedDomain, Directory, EventSink, Maildir, ReceiveConnector, SendConnector, TrackingEvent,
    Transport, TransportBuilder, async_trait, send_message,
};

use crate::say;

/// The domain whose mail this program delivers.
pub(crate) const OUR_DOMAIN: &str = "contoso.example";
/// The domain of the second transport, which knows Bob and nobody else.
const THEIR_DOMAIN: &str = "fabrikam.example";

/// What is sent, and the events that mean that it has its outcome. The report about the third
/// one is a message of its own, delivered to Ann.
const MESSAGES: [(&str, &[u8], &[EventId]); 3] = [
    ("delivered", include_bytes!("../messages/delivered.eml"), &[EventId::Deliver]),
    ("relayed", include_bytes!("../messages/relayed.eml"), &[EventId::Send]),
    ("bounced", include_bytes!("../messages/bounced.eml"), &[EventId::Fail, EventId::Dsn]),
];

/// How long the samples may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The second transport, and what is known of the samples.
pub(crate) struct Samples {
    theirs: Transport,
    smart_host: SmartHost,
    console: Console,
}

impl Samples {
    /// Starts the transport that takes mail for the other domain.
    pub(crate) async fn start(root: &Path) -> Result<Self, Box<dyn Error>> {
        let theirs = Transport::builder(&format!("mx.{THEIR_DOMAIN}"))
            .accepted_domain(AcceptedDomain::authoritative(THEIR_DOMAIN)?)
            .receive_connector(ReceiveConnector::internet("127.0.0.1:0".parse()?))
            .directory(OnlyBob)
            .delivery_agent("mailbox", [THEIR_DOMAIN], Maildir::new(root.join("their-mail")))
            .start()
            .await?;
        let address = *theirs.local_addresses().first().ok_or("it listens nowhere")?;
        let host = Host::Literal(AddressLiteral::from(address.ip()));
        let smart_host = SmartHost { host, port: address.port() };
        Ok(Self { theirs, smart_host, console: Console::default() })
    }

    /// Makes a transport deliver for us, relay to them and show its events.
    pub(crate) fn configure(
        &self,
        builder: TransportBuilder,
    ) -> Result<TransportBuilder, Box<dyn Error>> {
        let spaces = vec![THEIR_DOMAIN.parse()?];
        let hosts = vec![self.smart_host.clone()];
        Ok(builder
            .accepted_domain(AcceptedDomain::authoritative(OUR_DOMAIN)?)
            .accepted_domain(AcceptedDomain::internal_relay(THEIR_DOMAIN)?)
            .send_connector(SendConnector::smart_hosts("to fabrikam", spaces, hosts))
            .event_sink(self.console.clone()))
    }

    /// Sends the samples as a client would and waits for their outcomes. False when one has none
    /// in time.
    pub(crate) async fn send_all(&self, servers: &[SocketAddr]) -> Result<bool, Box<dyn Error>> {
        let server = *servers.first().ok_or("it listens nowhere")?;
        for (name, content, _) in MESSAGES {
            let envelope = envelope_of(content)?;
            let content = Bytes::from_static(content);
            let results =
                send_message(server, "client.example".parse()?, &envelope, content).await?;
            for result in results {
                say(&format!("sample {name}: {}", describe(&result.outcome)));
            }
        }
        let wanted: BTreeSet<EventId> =
            MESSAGES.iter().flat_map(|(_, _, events)| events.iter().copied()).collect();
        // Two of ours are delivered: the first sample, and the report about the third.
        let good = self.console.wait_for(&wanted, 2, PATIENCE).await;
        say(if good { "every sample has its outcome" } else { "a sample has no outcome" });
        Ok(good)
    }

    /// Stops the second transport.
    pub(crate) async fn stop(self, deadline: Duration) {
        self.theirs.shutdown(deadline).await;
    }
}

/// What the transport answered to the client.
fn describe(outcome: &transom::types::Outcome) -> String {
    match outcome.status() {
        Some(status) => status.reply.to_line(),
        None => outcome.name().to_owned(),
    }
}

/// The envelope that From and To name.
fn envelope_of(content: &[u8]) -> Result<Envelope, Box<dyn Error>> {
    let header = HeaderSection::parse(content);
    let mailbox = |name: &str| -> Result<Mailbox, Box<dyn Error>> {
        let value = header.first(name).ok_or("the field is missing")?.value().into_owned();
        let address = value.split(['<', '>']).nth(1).ok_or("no address in angle brackets")?;
        Ok(address.parse()?)
    };
    Ok(Envelope::new(mailbox("From")?.into(), [mailbox("To")?.into()]))
}

/// What waits in the queues of a transport, when what is just over has left them.
pub(crate) async fn show_queues(transport: &Transport) {
    for _ in 0..20 {
        let queues = transport.queues().await.unwrap_or_default();
        let waiting: Vec<_> = queues.iter().filter(|queue| queue.message_count > 0).collect();
        if waiting.is_empty() {
            say("the queue is empty");
            return;
        }
        if waiting.iter().all(|queue| queue.inflight == 0) {
            for queue in waiting {
                say(&format!("{} messages wait for {}", queue.message_count, queue.next_hop));
            }
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The directory of the second transport.
struct OnlyBob;

#[async_trait]
impl Directory for OnlyBob {
    async fn lookup(&self, mailbox: &Mailbox) -> Result<DirectoryAnswer, DirectoryUnavailable> {
        let known = mailbox.local_part().as_str() == "bob";
        Ok(if known { DirectoryAnswer::Known } else { DirectoryAnswer::Unknown })
    }
}

/// Shows each event in a line and counts them.
#[derive(Clone, Default)]
pub(crate) struct Console(Arc<Seen>);

#[derive(Default)]
struct Seen {
    events: Mutex<(BTreeSet<EventId>, usize)>,
    changed: Notify,
}

impl Console {
    /// Waits until every event of `wanted` was seen, and so many deliveries.
    async fn wait_for(
        &self,
        wanted: &BTreeSet<EventId>,
        deliveries: usize,
        patience: Duration,
    ) -> bool {
        let all = async {
            loop {
                let changed = self.0.changed.notified();
                {
                    let seen = self.0.events.lock().unwrap_or_else(PoisonError::into_inner);
                    if wanted.is_subset(&seen.0) && seen.1 >= deliveries {
                        return;
                    }
                }
                changed.await;
            }
        };
        tokio::time::timeout(patience, all).await.is_ok()
    }
}

impl EventSink for Console {
    fn emit(&self, event: &TrackingEvent) {
        say(&line::to_line(event));
        let mut seen = self.0.events.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0.insert(event.event);
        seen.1 += usize::from(event.event == EventId::Deliver);
        drop(seen);
        self.0.changed.notify_waiters();
    }
}
