//! What an administrator does to a running transport, restarts included.

mod crashes;
mod export;
mod lists;
mod many;
mod messages;
mod queues;
mod submission;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use transom_queue::{QueueStatus, QueueView, RetryProfile, UnitStatus};
use transom_runtime::{Transport, TransportBuilder};
use transom_tracking::EventId;
use transom_types::InternalMessageId;

use crate::support::{Events, Mailbox, eventually, fast, node, to_host};

const FROM: &str = "sender@contoso.example";
const TO: &str = "b@out.example";

/// Retries that never come by themselves within a test.
fn patient() -> RetryProfile {
    let mut profile = fast();
    profile.glitch.interval = Duration::from_hours(1);
    profile
}

/// A transport with a spool, which sends mail for others to `host`.
fn at(folder: &Path, events: &Events, mailbox: &Mailbox, host: SocketAddr) -> TransportBuilder {
    node(events, mailbox).send_connector(to_host(host)).spool(folder)
}

/// The id of the message that came in last.
fn last_received(events: &Events) -> InternalMessageId {
    events.of(EventId::Receive).pop().unwrap().internal_id.unwrap()
}

/// What administrators did, as it is told.
fn told(events: &Events) -> Vec<String> {
    let admin = events.of(EventId::Admin).into_iter();
    admin.map(|event| event.source_context.unwrap().to_string()).collect()
}

/// The one queue that does so.
async fn queue_in(transport: &Transport, status: QueueStatus) -> QueueView {
    let of_status = async || {
        let queues = transport.queues().await.unwrap();
        queues.into_iter().find(|queue| queue.status == status)
    };
    eventually("a queue in that status", async || of_status().await.is_some()).await;
    of_status().await.unwrap()
}

async fn wait_status(transport: &Transport, id: InternalMessageId, status: UnitStatus) {
    let is_so = async || {
        let units = transport.message(id).await.unwrap();
        units.len() == 1 && units[0].status == status
    };
    eventually(&format!("message {id} is {status}"), is_so).await;
}
