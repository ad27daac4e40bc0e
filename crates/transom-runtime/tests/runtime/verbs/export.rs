//! Copying messages out.

use std::io;
use std::path::Path;

use transom_queue::UnitStatus;
use transom_queue::view::{Effect, Refusal};
use transom_runtime::{Transport, VerbError};
use transom_types::InternalMessageId;

use super::crashes::process;
use super::{FROM, TO, at, last_received, told, wait_status};
use crate::peer::Peer;
use crate::support::{Client, Events, Mailbox, address, effect, message, node, stop, to_host};

/// A suspended message of more than one block.
async fn suspended(transport: &Transport, events: &Events) -> InternalMessageId {
    transport.suspend_delivery().await.unwrap();
    let mut content = message("exported");
    content.extend(b"0123456789\r\n".repeat(20_000));
    let mut client = Client::ready(address(transport)).await;
    let reply = client.submit(FROM, &[TO], &content).await;
    assert!(reply.starts_with("250 2.6.0"), "{reply}");
    let id = last_received(events);
    wait_status(transport, id, UnitStatus::Ready).await;
    id
}

#[tokio::test]
async fn exported_message_is_what_would_be_sent_and_stays() {
    let (folder, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    let id = suspended(&transport, &events).await;
    let path = place.path().join("one.eml");
    let refused = transport.export_message(id, &path, "ann").await.unwrap_err();
    assert!(matches!(refused, VerbError::Message { why: Refusal::NotSuspended, .. }), "{refused}");
    assert!(!path.exists());
    transport.suspend_message(id, "ann").await.unwrap();
    assert_eq!(effect(transport.export_message(id, &path, "ann").await), Effect::Now);
    let exported = std::fs::read(&path).unwrap();
    assert!(exported.len() > 240_000, "{}", exported.len());
    // What is there is not overwritten, and not removed either.
    let refused = transport.export_message(id, &path, "ann").await.unwrap_err();
    assert!(refused.to_string().contains("one.eml"), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), exported);
    transport.resume_message(id, "ann").await.unwrap();
    transport.resume_delivery().await.unwrap();
    peer.wait_taken(1).await;
    assert!(peer.taken()[0].content == exported);
    assert_eq!(told(&events), ["suspend by ann", "export by ann", "resume by ann"]);
    stop(transport).await;
}

/// Exports where files cannot be as large as the message: what the system allows ends in its
/// middle.
pub(super) async fn export_to_a_limit(folder: &Path) {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport =
        node(&events, &mailbox).send_connector(to_host(peer.address)).start().await.unwrap();
    let id = suspended(&transport, &events).await;
    let done = transport.suspend_message(id, "ann").await.unwrap();
    assert_eq!(done.now, 1);
    let refused = transport.export_message(id, folder, "ann").await.unwrap_err();
    let place = folder.join(format!("{id}.eml"));
    let said = format!("cannot export message {id} to {}: File too large", place.display());
    assert!(refused.to_string().starts_with(&said), "{refused}");
    // Nothing is left that looks like a message, and the message is where it was.
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    wait_status(&transport, id, UnitStatus::Suspended).await;
    assert_eq!(told(&events), ["suspend by ann"]);
    transport.resume_message(id, "ann").await.unwrap();
    transport.resume_delivery().await.unwrap();
    peer.wait_taken(1).await;
    stop(transport).await;
}

#[tokio::test]
async fn export_to_a_file_that_the_system_lets_grow_no_more_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    // Files of 64 KiB at most.
    let mut process = process("export", folder.path(), None, "trap '' XFSZ; ulimit -f 128;");
    let ended = tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
}

#[tokio::test]
async fn export_to_a_full_disk_says_so_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    let id = suspended(&transport, &events).await;
    transport.suspend_message(id, "ann").await.unwrap();
    // Whose every write finds no room.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let refused = transport.export_message_to(id, full, "ann").await.unwrap_err();
    let VerbError::Write { id: named, error, .. } = &refused else { panic!("{refused}") };
    assert_eq!((*named, error.kind()), (id, io::ErrorKind::StorageFull));
    assert!(refused.to_string().starts_with("cannot export message "), "{refused}");
    wait_status(&transport, id, UnitStatus::Suspended).await;
    assert_eq!(told(&events), ["suspend by ann"]);
    transport.resume_message(id, "ann").await.unwrap();
    transport.resume_delivery().await.unwrap();
    peer.wait_taken(1).await;
    stop(transport).await;
}
