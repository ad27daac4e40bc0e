//! Processes that end in the middle of their work, and what the next start makes of it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use async_trait::async_trait;
use transom_agent::{DeliveryAgent, DeliveryItem, RecipientResult};
use transom_queue::UnitStatus;
use transom_queue::query::Query;
use transom_queue::view::{MessageProperty, QueueIdentity};
use transom_runtime::Transport;
use transom_tracking::EventId;

use super::{FROM, TO, at};
use crate::peer::{Do, Peer};
use crate::support::{
    Events, Mailbox, PATIENCE, address, bare, eventually, relay_connector, stop, submit,
};

const ROLE: &str = "TRANSOM_TEST_ROLE";
const FOLDER: &str = "TRANSOM_TEST_FOLDER";
const HOST: &str = "TRANSOM_TEST_HOST";

/// This test program as another process, which does what its role says.
pub(super) fn process(role: &str, folder: &Path, host: Option<SocketAddr>, limit: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!("{limit} exec \"$0\" \"$@\"");
    command.args(["-c", &script]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "verbs::crashes::process_of_its_own", "--ignored", "--nocapture"]);
    let host = host.map(|host| host.to_string()).unwrap_or_default();
    command.env(ROLE, role).env(FOLDER, folder).env(HOST, host);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

#[tokio::test]
#[ignore = "the other tests run it as a process of its own"]
async fn process_of_its_own() {
    let role = std::env::var(ROLE).expect("a role: other tests say which");
    let folder = std::env::var(FOLDER).unwrap();
    let folder = Path::new(&folder);
    match role.as_str() {
        "crash" => crash(folder).await,
        "wait" => wait(folder, std::env::var(HOST).unwrap().parse().unwrap()).await,
        "export" => super::export::export_to_a_limit(folder).await,
        _ => panic!("no role {role}"),
    }
}

/// An agent that brings the process down when it sees a certain message.
struct Fragile;

#[async_trait]
impl DeliveryAgent for Fragile {
    async fn deliver(&self, item: DeliveryItem<'_>) -> Vec<RecipientResult> {
        let to = &item.envelope.recipients[0].forward_path;
        if to.to_string().contains("bomb") {
            std::process::abort();
        }
        Mailbox::default().deliver(item).await
    }
}

fn fragile(folder: &Path, events: &Events) -> transom_runtime::TransportBuilder {
    let domains = ["contoso.example"];
    let node = bare(events).receive_connector(relay_connector());
    node.delivery_agent("fragile", domains, Fragile).spool(folder)
}

async fn crash(folder: &Path) {
    let transport = fragile(folder, &Events::default()).start().await.unwrap();
    if transport.recovery().messages == 0 {
        for to in ["innocent@elsewhere.example", "bomb@contoso.example"] {
            submit(address(&transport), FROM, &[to], "one").await;
        }
    }
    tokio::time::sleep(PATIENCE).await;
}

async fn wait(folder: &Path, host: SocketAddr) {
    let events = Events::default();
    let transport = at(folder, &events, &Mailbox::default(), host).start().await.unwrap();
    if transport.recovery().messages == 0 {
        submit(address(&transport), FROM, &[TO], "waits").await;
    }
    tokio::time::sleep(PATIENCE).await;
    drop(transport);
}

async fn ended(mut child: Child) -> bool {
    let wait = tokio::task::spawn_blocking(move || child.wait().unwrap().success());
    tokio::time::timeout(PATIENCE, wait).await.expect("the process ends").unwrap()
}

async fn poison(transport: &Transport) -> Vec<UnitStatus> {
    let query: Query<MessageProperty> = transport.query();
    let poison: QueueIdentity = "Poison".parse().unwrap();
    let page = transport.find_messages(poison, &query).await.unwrap();
    page.rows.into_iter().map(|row| row.status).collect()
}

#[tokio::test]
async fn message_that_crashes_the_process_again_and_again_is_poison_and_stays_suspended() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let child = process("crash", folder.path(), None, "").spawn().unwrap();
        assert!(!ended(child).await, "it was to crash");
    }
    // Were it attempted, this process would go down. It stays so over further starts.
    for _ in 0..2 {
        let events = Events::default();
        let transport = fragile(folder.path(), &events).start().await.unwrap();
        assert_eq!((transport.recovery().messages, events.count(EventId::PoisonMessage)), (2, 1));
        assert_eq!(poison(&transport).await, [UnitStatus::Suspended]);
        // The one beside it goes its way.
        let queues = transport.queues().await.unwrap();
        assert_eq!(queues.iter().map(|queue| queue.message_count).sum::<u32>(), 1);
        submit(address(&transport), FROM, &["other@contoso.example"], "other").await;
        events.wait(EventId::Deliver, 1).await;
        stop(transport).await;
    }
}

#[tokio::test]
async fn kill_poisons_nothing_that_only_waited_for_a_peer() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::scripted(|at| if at.is("RCPT") { Do::Stall } else { Do::Usual }).await;
    for run in 1..=3 {
        let mut child = process("wait", folder.path(), Some(peer.address), "").spawn().unwrap();
        eventually("the attempt is under way", async || peer.count("RCPT") == run).await;
        // SIGKILL.
        child.kill().unwrap();
        assert!(!ended(child).await);
    }
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let willing = Peer::willing().await;
    let transport = at(folder.path(), &events, &mailbox, willing.address).start().await.unwrap();
    assert_eq!(transport.recovery().messages, 1);
    assert!(poison(&transport).await.is_empty());
    willing.wait_taken(1).await;
    assert_eq!(events.count(EventId::PoisonMessage), 0);
    stop(transport).await;
}
