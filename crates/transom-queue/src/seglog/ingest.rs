//! Bodies on their way in: small ones in memory, large ones into a file as they come.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::channel::oneshot;
use transom_types::InternalMessageId;

use super::blob::BlobWriter;
use super::body::BodyId;
use super::shared::Shared;
use crate::spool::{Ingest, Ingested, IngestedBody, StoreError};

/// A body on its way in.
pub(super) struct SegIngest {
    shared: Arc<Shared>,
    id: InternalMessageId,
    octets: u64,
    body: Growing,
    /// Octets of the backlog that this body holds.
    room: u64,
}

#[derive(Debug)]
enum Growing {
    Memory(Vec<u8>),
    Blob(BlobWriter),
}

impl SegIngest {
    pub(super) fn new(shared: Arc<Shared>, size_hint: Option<u64>) -> Result<Self, StoreError> {
        let id = shared.next_id()?;
        // What the client declares is only believed as far as it stays in memory.
        let capacity = size_hint.unwrap_or(0).min(shared.options.inline_octets_max);
        let body = Growing::Memory(Vec::with_capacity(usize::try_from(capacity).unwrap_or(0)));
        Ok(Self { shared, id, octets: 0, body, room: 0 })
    }

    /// Puts `octets` where they belong.
    fn append(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        let more = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        self.octets = self.octets.saturating_add(more);
        if let Growing::Memory(memory) = &mut self.body {
            if self.octets <= self.shared.options.inline_octets_max {
                memory.extend_from_slice(octets);
                return Ok(());
            }
            let before = std::mem::take(memory);
            let mut blob = BlobWriter::create(&self.shared, BodyId::of_message(self.id.0))?;
            blob.write(&before)?;
            self.body = Growing::Blob(blob);
        }
        if let Growing::Blob(blob) = &mut self.body {
            blob.write(octets)?;
        }
        self.leave_room();
        Ok(())
    }

    fn leave_room(&mut self) {
        self.shared.backlog.leave_ingest(std::mem::take(&mut self.room));
    }
}

impl Drop for SegIngest {
    fn drop(&mut self) {
        self.leave_room();
    }
}

#[async_trait]
impl Ingest for SegIngest {
    fn id(&self) -> InternalMessageId {
        self.id
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        if octets.is_empty() {
            return Ok(());
        }
        let more = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        self.shared.backlog.admit(more, self.octets > 0).await;
        self.room = self.room.saturating_add(more);
        if let Some(failure) = self.shared.failure() {
            return Err(failure);
        }
        self.append(octets)
    }

    async fn finish(mut self: Box<Self>) -> Result<Ingested, StoreError> {
        let (id, octets) = (self.id, self.octets);
        let body = match std::mem::replace(&mut self.body, Growing::Memory(Vec::new())) {
            Growing::Memory(memory) => IngestedBody::Inline(Bytes::from(memory)),
            Growing::Blob(blob) => {
                let (answer, durable) = oneshot::channel();
                let shared = Arc::clone(&self.shared);
                self.shared.worker.run(move |io| {
                    // Whoever no longer waits drops the claim, and with it the file.
                    let _ = answer.send(blob.finish(io, shared));
                });
                let lost = StoreError::Failed { reason: "the thread for large bodies died".into() };
                IngestedBody::Blob(Box::new(durable.await.unwrap_or(Err(lost))?))
            }
        };
        Ok(Ingested { id, octets, body })
    }
}

impl fmt::Debug for SegIngest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("SegIngest");
        debug.field("id", &self.id).field("octets", &self.octets).finish_non_exhaustive()
    }
}
