//! Copying messages out.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use transom_queue::UnitStatus;
use transom_queue::view::Refusal;
use transom_runtime::{Transport, VerbError};
use transom_types::InternalMessageId;

use super::{FROM, TO, at, last_received, told, wait_status};
use crate::peer::Peer;
use crate::support::{Client, Events, Mailbox, address, message, stop};

/// A writer with room for so many octets.
struct Small {
    room: usize,
    written: Arc<Mutex<usize>>,
}

impl Write for Small {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut written = self.written.lock().unwrap();
        let count = octets.len().min(self.room - *written);
        *written += count;
        if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

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
    let octets = transport.export_message(id, &path, "ann").await.unwrap();
    let exported = std::fs::read(&path).unwrap();
    assert_eq!(u64::try_from(exported.len()).unwrap(), octets);
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

#[tokio::test]
async fn export_to_a_full_disk_says_so_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    let id = suspended(&transport, &events).await;
    transport.suspend_message(id, "ann").await.unwrap();
    let written = Arc::new(Mutex::new(0));
    let small = Small { room: 100_000, written: Arc::clone(&written) };
    let refused = transport.export_message_to(id, small, "ann").await.unwrap_err();
    let VerbError::Write { id: named, error, .. } = &refused else { panic!("{refused}") };
    assert_eq!((*named, error.kind()), (id, io::ErrorKind::StorageFull));
    assert!(refused.to_string().starts_with("cannot export message "), "{refused}");
    assert_eq!(*written.lock().unwrap(), 100_000);
    wait_status(&transport, id, UnitStatus::Suspended).await;
    assert_eq!(told(&events), ["suspend by ann"]);
    stop(transport).await;
}
