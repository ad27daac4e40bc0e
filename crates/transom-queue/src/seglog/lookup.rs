//! Finds messages and reads them.

use std::io;
use std::sync::Arc;

use transom_types::InternalMessageId;

use super::accept;
use super::blob::BlobReader;
use super::body::{Body, Place};
use super::frame::Lsn;
use super::index::{Entry, SharedPlace};
use super::reader::{DiskFrames, Frames, ReadError, Rebuilt, rebuild};
use super::shared::Shared;
use super::stage::store_error;
use crate::spool::{Content, StoreError};
use crate::sync::read_lock;

/// How often a message is looked up again when its segment was freed meanwhile. Once is enough
/// but for a reader that sleeps between two steps for longer than a segment lives.
const LOOKUPS_MAX: usize = 16;

impl Shared {
    /// Opens a message; looks it up again as long as its segment is freed under it.
    pub(super) fn read(&self, id: InternalMessageId, with_body: bool) -> Result<Read, StoreError> {
        let mut error = ReadError::Gone;
        let mut known = None;
        for _ in 0..LOOKUPS_MAX {
            let (entry, place) = self.look_up(id).ok_or(StoreError::NotFound(id))?;
            // Its segment may have been freed under the reader, and its file written anew. What
            // stands still where it stood is damaged.
            let moved = known.as_ref() != Some(&(entry.clone(), place));
            if !moved && !matches!(error, ReadError::Gone) {
                break;
            }
            match self.read_once(id, &entry, place, with_body) {
                Err(again) => error = again,
                Ok(read) => return Ok(read),
            }
            known = Some((entry, place));
        }
        Err(store_error(id, error))
    }

    /// Where a message lies, and its body where that is shared.
    pub(super) fn look_up(&self, id: InternalMessageId) -> Option<(Entry, Option<SharedPlace>)> {
        let index = read_lock(&self.index);
        let entry = index.messages.get(&id.0).cloned()?;
        let body = entry.body().and_then(|body| index.bodies.get(&body));
        let place = body.map(|body| body.place);
        Some((entry, place))
    }

    fn read_once(
        &self,
        id: InternalMessageId,
        entry: &Entry,
        place: Option<SharedPlace>,
        with_body: bool,
    ) -> Result<Read, ReadError> {
        let io = &*self.io;
        let frames = DiskFrames::new(io, self.spool, &self.index);
        let rebuilt = rebuild(&frames, id.0, (entry.first, entry.last))?;
        let content = match place {
            _ if !with_body => None,
            Some(SharedPlace::Blob) => {
                let body = rebuilt.accept.body.clone();
                let (octets, path) = (body.octets, body.id.path());
                let reader = BlobReader::open(io, id, body).map_err(|error| {
                    let damaged = format!("{path} is missing");
                    let missing = error.kind() == io::ErrorKind::NotFound;
                    if missing { ReadError::Damaged(damaged) } else { ReadError::Io(path, error) }
                })?;
                Some(Content::from_reader(octets, Arc::new(reader)))
            }
            Some(SharedPlace::Log(lsn)) => Some(read_shared(&frames, lsn, &rebuilt.accept.body)?),
            None => {
                let octets = rebuilt.body.read()?;
                Some(verified(&rebuilt.accept.body, octets)?)
            }
        };
        let content = content.map(|content| edited(&rebuilt, content)).transpose()?;
        Ok(Read { rebuilt, content })
    }
}

/// A message that was read.
pub(super) struct Read {
    pub(super) rebuilt: Rebuilt,
    pub(super) content: Option<Content>,
}

/// A body that stands in the frame of another message.
fn read_shared(frames: &DiskFrames<'_>, lsn: Lsn, body: &Body) -> Result<Content, ReadError> {
    if lsn == Lsn::default() {
        return Err(ReadError::Damaged("what held its body is lost".into()));
    }
    let frame = frames.frame(lsn)?;
    let holds = accept::read_summary(&frame.record)?.body;
    if holds.id != body.id || holds.place != Place::Inline {
        return Err(ReadError::Damaged(format!("another body at {:#x}", lsn.0)));
    }
    verified(body, frame.body.read()?)
}

/// The content with the edits of its message.
fn edited(rebuilt: &Rebuilt, content: Content) -> Result<Content, ReadError> {
    let beyond = || ReadError::Damaged("its edits reach beyond its body".into());
    let edited = rebuilt.accept.state.edits.apply(content).ok_or_else(beyond)?;
    // Only what lies in memory is put together here, and that was read already.
    edited.map_err(|error| ReadError::Damaged(error.to_string()))
}

pub(super) fn verified(body: &Body, octets: bytes::Bytes) -> Result<Content, ReadError> {
    if body.verifies(&octets) {
        Ok(Content::from_bytes(octets))
    } else {
        Err(ReadError::Damaged("its body does not verify".into()))
    }
}
