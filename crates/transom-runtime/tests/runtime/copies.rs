//! One message becomes several: as few as can be, whatever crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use transom_agent::{AgentEvent, DirectoryEntry, Effect, GeneratedMessage, MemoryDirectory};
use transom_connector::{Configuration, RemoteDomain};
use transom_queue::{
    Committed, Durability, Ingest, LoadedMessage, MemoryOptions, MemorySpool, Op, RecoveryReport,
    Spool, SpoolHealth, StoreError, StoredMessage,
};
use transom_runtime::TransportBuilder;
use transom_tracking::EventId;
use transom_types::{Envelope, InternalMessageId};

use crate::peer::Peer;
use crate::resolution::{at, mailboxes, receivers};
use crate::routing_agents::{At, place, settings};
use crate::support::{
    Client, Events, Mailbox, QUIET, address, message, node, stop, submit, to_host,
};

const FROM: &str = "s@client.example";

// A14
#[tokio::test]
async fn recipients_share_a_copy_unless_they_differ() {
    let (events, mailbox, peer) = (Events::default(), Mailbox::default(), Peer::willing().await);
    let agent = At::new(AgentEvent::Resolved, |message, effects| {
        let marked = ["c@contoso.example", "d@contoso.example"];
        let places: Vec<u32> = marked.iter().flat_map(|path| place(message, path)).collect();
        let field = transom_agent::NewField::new("X-Mark", "yes");
        let change = transom_agent::HeaderChange::Add(field);
        effects.to_some(places, Effect::Header(change));
    });
    let transport = node(&events, &mailbox)
        .delivery_agent("far", ["far.example"], mailbox.clone())
        .send_connector(to_host(peer.address))
        .routing_agent(settings(), agent)
        .start()
        .await
        .unwrap();
    let to = [
        "a@contoso.example",
        "b@contoso.example",
        "c@contoso.example",
        "d@contoso.example",
        "e@far.example",
        "f@out.example",
    ];
    submit(address(&transport), FROM, &to, "copies").await;
    for to in &to[..5] {
        let marked = mailbox.read(to).await.contains("X-Mark: yes");
        assert_eq!(marked, to.starts_with(['c', 'd']), "{to}");
    }
    peer.wait_taken(1).await;
    let ends = events.of(EventId::Deliver).into_iter().chain(events.of(EventId::Send));
    let mut copies: BTreeMap<InternalMessageId, BTreeSet<String>> = BTreeMap::new();
    let mut networks = BTreeSet::new();
    for event in ends {
        networks.insert(event.network_id);
        let of = copies.entry(event.internal_id.unwrap()).or_default();
        for to in event.recipients {
            assert!(of.insert(to.path.to_string()), "{} twice", to.path);
        }
    }
    let sizes: Vec<usize> = copies.values().map(BTreeSet::len).collect();
    assert_eq!((sizes.iter().sum::<usize>(), networks.len()), (6, 1), "{copies:?}");
    assert_eq!(copies.len(), 4, "two marked, two not, one far, one out: {copies:?}");
    stop(transport).await;
}

// A14
#[tokio::test]
async fn remote_domain_gets_no_answers_that_it_does_not_want() {
    let (events, mailbox, peer) = (Events::default(), Mailbox::default(), Peer::willing().await);
    let quiet: RemoteDomain = "quiet.example".parse().unwrap();
    let configuration = Configuration::new("mx.contoso.example".parse().unwrap())
        .with_remote_domain(quiet.with_auto_reply(false));
    let transport = node(&events, &mailbox)
        .configuration(configuration)
        .send_connector(to_host(peer.address))
        .start()
        .await
        .unwrap();
    let mut client = Client::ready(address(&transport)).await;
    let to = ["a@quiet.example", "b@loud.example"];
    let answer = b"Auto-Submitted: auto-replied\r\nSubject: away\r\n\r\nAway.\r\n";
    client.submit(FROM, &to, answer).await;
    client.submit(FROM, &to, &message("written")).await;
    drop(client);
    events.wait(EventId::Drop, 1).await;
    peer.wait_taken(2).await;
    let dropped = events.statuses(EventId::Drop);
    assert!(dropped[0].contains("a@quiet.example"), "{dropped:?}");
    assert!(dropped[0].contains("REMOTEDOMAIN.AutoReplyEnabled"), "{dropped:?}");
    let taken: usize = peer.taken().iter().map(|taken| taken.rcpt.len()).sum();
    assert_eq!((taken, dropped.len(), events.count(EventId::Dsn)), (3, 1, 0));
    stop(transport).await;
}

/// A spool whose process dies at a commit: before it, or when it is done and nobody knows.
#[derive(Debug)]
struct Dying {
    spool: Arc<MemorySpool>,
    /// Commits that are still done.
    left: AtomicUsize,
    last_is_done: bool,
}

#[async_trait]
impl Spool for Dying {
    fn begin(&self, size_hint: Option<u64>) -> Result<Box<dyn Ingest>, StoreError> {
        self.spool.begin(size_hint)
    }
    async fn commit(&self, ops: Vec<Op>, durability: Durability) -> Result<Committed, StoreError> {
        let dead = || StoreError::Failed { reason: "on purpose".into() };
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        match left.map_err(|_| dead())? {
            1 if self.last_is_done => {
                self.spool.commit(ops, durability).await?;
                Err(dead())
            }
            _ => self.spool.commit(ops, durability).await,
        }
    }
    async fn open(&self, id: InternalMessageId) -> Result<StoredMessage, StoreError> {
        self.spool.open(id).await
    }
    fn load(&self, sink: &mut dyn FnMut(LoadedMessage)) -> Result<RecoveryReport, StoreError> {
        self.spool.load(sink)
    }
    fn health(&self) -> SpoolHealth {
        self.spool.health()
    }
}

fn directory() -> MemoryDirectory {
    let members = ["ann@contoso.example", "bob@contoso.example", "far@far.example"].map(at);
    let forwarding = DirectoryEntry::forwarding(at("carl@far.example"), true);
    mailboxes(&["ann", "bob", "drop", "watch"])
        .with(&at("sales@contoso.example"), DirectoryEntry::group(members))
        .with(&at("away@contoso.example"), forwarding)
}

/// Everything that the categorizer can do to a message.
fn everything(events: &Events, mailbox: &Mailbox) -> TransportBuilder {
    let agent = At::new(AgentEvent::Submitted, |message, effects| {
        effects.add_header("X-Seen", "yes");
        effects.to_some(place(message, "drop@contoso.example"), Effect::DropRcpt);
        if message.headers.first("Subject").is_some_and(|it| it.value().trim() != "notice") {
            let to = ["<watch@contoso.example>".parse().unwrap()];
            let envelope = Envelope::new("<>".parse().unwrap(), to);
            let content = crate::support::message("notice").into();
            effects.to_all(Effect::Submit(GeneratedMessage { envelope, content }));
        }
    });
    node(events, mailbox)
        .delivery_agent("far", ["far.example"], mailbox.clone())
        .directory(directory())
        .routing_agent(settings(), agent)
}

const ALL: [&str; 6] = [
    "ann@contoso.example",
    "away@contoso.example",
    "bob@contoso.example",
    "carl@far.example",
    "far@far.example",
    "watch@contoso.example",
];

/// Dies at commit `at`; gives how many there would have been before that, as far as it came.
async fn die_at(commits: usize, last_is_done: bool) -> bool {
    let spool = Arc::new(MemorySpool::new(MemoryOptions::default()));
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let dying = Arc::new(Dying {
        spool: Arc::<MemorySpool>::clone(&spool),
        left: AtomicUsize::new(commits),
        last_is_done,
    });
    let store = Arc::<Dying>::clone(&dying);
    let first = everything(&events, &mailbox).store(store).suspend_delivery(true).start().await;
    let first = first.unwrap();
    let mut client = Client::ready(address(&first)).await;
    let to = ["sales@contoso.example", "away@contoso.example", "drop@contoso.example"];
    let reply = client.submit(FROM, &to, &message("crash")).await;
    drop(client);
    tokio::time::sleep(QUIET).await;
    let untouched = dying.left.load(Ordering::SeqCst) > 0;
    let _ = first.shutdown(Duration::from_secs(5)).await;
    assert!(mailbox.mail().is_empty());
    let taken = reply.starts_with("250");
    // What a client was not told of may be there all the same, but whole or not at all.
    let second = everything(&events, &mailbox).store(spool).start().await.unwrap();
    let expected: &[&str] = if taken || second.recovery().messages > 0 { &ALL } else { &[] };
    events.wait(EventId::Deliver, 0).await;
    let wait =
        crate::support::eventually("all have it", async || mailbox.mail().len() >= expected.len());
    wait.await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(receivers(&mailbox), expected, "after {commits}, {last_is_done}");
    for (to, content) in mailbox.mail() {
        let content = String::from_utf8_lossy(&content).into_owned();
        assert_eq!(content.matches("X-Seen: yes").count(), 1, "{to} after {commits}");
    }
    stop(second).await;
    untouched
}

#[tokio::test]
async fn crash_at_any_step_of_the_categorizer_loses_and_doubles_nobody() {
    for last_is_done in [false, true] {
        let mut commits = 0;
        while !die_at(commits, last_is_done).await {
            commits += 1;
            assert!(commits < 20, "it never ends");
        }
        assert!(commits >= 3, "the message, its decision, the one of the notice: {commits}");
    }
}
