//! Large bodies: files of their own, durable before the log names them.

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};

use transom_types::InternalMessageId;

use super::body::{BLOCK_OCTETS, Body, BodyId, Place};
use super::damage::Damage;
use super::quarantine::copy_blob;
use super::shared::Shared;
use crate::io::{OpenMode, SpoolFile, SpoolIo};
use crate::spool::{BlobClaim, Content, ReadContent, StoreError};
use crate::sync::lock;

/// A file in `tmp/` that grows. Dropping it removes the file.
pub(super) struct BlobWriter {
    shared: Arc<Shared>,
    id: BodyId,
    path: String,
    file: Arc<dyn SpoolFile>,
    written: u64,
    /// Less than a block that is not written yet.
    block: Vec<u8>,
    crcs: Vec<u32>,
    finished: bool,
}

impl BlobWriter {
    pub(super) fn create(shared: &Arc<Shared>, id: BodyId) -> Result<Self, StoreError> {
        let path = format!("tmp/{}", id.name());
        let file = shared.io.open(&path, OpenMode::CreateNew);
        let file = file.map_err(|error| io_error(&path, &error))?;
        Ok(Self {
            shared: Arc::clone(shared),
            id,
            path,
            file,
            written: 0,
            block: Vec::with_capacity(BLOCK_OCTETS),
            crcs: Vec::new(),
            finished: false,
        })
    }

    pub(super) fn write(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        let mut rest = octets;
        while !rest.is_empty() {
            let room = BLOCK_OCTETS.saturating_sub(self.block.len());
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.block.extend_from_slice(now);
            rest = later;
            if self.block.len() >= BLOCK_OCTETS {
                self.write_block()?;
            }
        }
        Ok(())
    }

    fn write_block(&mut self) -> Result<(), StoreError> {
        let written = self.file.write_all_at(self.written, &[IoSlice::new(&self.block)]);
        written.map_err(|error| io_error(&self.path, &error))?;
        let octets = u64::try_from(self.block.len()).unwrap_or(u64::MAX);
        self.written = self.written.saturating_add(octets);
        self.crcs.push(crc32c::crc32c(&self.block));
        self.block.clear();
        Ok(())
    }

    /// Makes file and name durable.
    pub(super) fn finish(
        mut self,
        io: &dyn SpoolIo,
        shared: Arc<Shared>,
    ) -> Result<Claim, StoreError> {
        if !self.block.is_empty() {
            self.write_block()?;
        }
        let path = self.id.path();
        self.file.fdatasync().map_err(|error| io_error(&self.path, &error))?;
        io.rename(&self.path, &path).map_err(|error| io_error(&path, &error))?;
        self.finished = true;
        // From here on the claim removes the file when no Accept comes.
        let crcs = std::mem::take(&mut self.crcs);
        let (id, octets) = (self.id, self.written);
        let claim = Claim { shared, id, octets, path: path.clone(), crcs, claimed: false };
        io.fsync_dir(&self.id.folder()).map_err(|error| io_error(&path, &error))?;
        Ok(claim)
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if !self.finished {
            remove(&self.shared, std::mem::take(&mut self.path));
        }
    }
}

impl fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobWriter").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Whether the file of a large body ends too early. That it is missing is seen by listing.
pub(super) fn is_cut(io: &dyn SpoolIo, id: InternalMessageId, body: &Body) -> Option<Damage> {
    if body.place != Place::Blob {
        return None;
    }
    let file = body.id.path();
    let octets = io.open(&file, OpenMode::Read).and_then(|open| open.len()).ok()?;
    if octets >= body.octets {
        return None;
    }
    let reason = format!("{file} ends before {}, where the body ends", body.octets);
    // Where there is no room for a copy the file stays where it is all the same.
    drop(copy_blob(io, body.id, &reason));
    Some(Damage { file, offset: octets, reason, message: Some(id) })
}

/// Removes a file that nothing refers to. What remains is removed at the next start.
pub(super) fn remove(shared: &Shared, path: String) {
    shared.worker.run(move |io| drop(io.unlink(&path)));
}

/// A durable body that no Accept names yet.
pub(super) struct Claim {
    shared: Arc<Shared>,
    id: BodyId,
    octets: u64,
    path: String,
    crcs: Vec<u32>,
    claimed: bool,
}

impl BlobClaim for Claim {
    fn claim(&mut self) {
        self.claimed = true;
    }

    fn release(&mut self) {
        self.claimed = false;
    }

    fn block_crcs(&self) -> &[u32] {
        &self.crcs
    }

    fn content(&self, id: InternalMessageId) -> Result<Content, StoreError> {
        let (octets, crcs) = (self.octets, self.crcs.clone());
        let body = Body { id: self.id, octets, crcs, place: Place::Blob };
        let reader = BlobReader::open(&*self.shared.io, id, body);
        let reader = reader.map_err(|error| io_error(&self.path, &error))?;
        Ok(Content::from_reader(octets, Arc::new(reader)))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.claimed {
            remove(&self.shared, std::mem::take(&mut self.path));
        }
    }
}

/// Reads a body from its file, block by block, each verified.
pub(super) struct BlobReader {
    id: InternalMessageId,
    path: String,
    file: Arc<dyn SpoolFile>,
    body: Body,
    /// The block that was read last: readers mostly go on where they were.
    last: Mutex<Option<(u64, Vec<u8>)>>,
}

impl BlobReader {
    pub(super) fn open(io: &dyn SpoolIo, id: InternalMessageId, body: Body) -> io::Result<Self> {
        let path = body.id.path();
        let file = io.open(&path, OpenMode::Read)?;
        Ok(Self { id, path, file, body, last: Mutex::default() })
    }

    pub(super) fn forget_cached(&self) {
        self.file.forget_cached();
    }

    /// The block with this number, or less where the body ends.
    fn read_block(&self, number: u64) -> Result<Vec<u8>, StoreError> {
        let start = number.saturating_mul(BLOCK);
        let octets = self.body.octets.saturating_sub(start).min(BLOCK);
        let mut block = vec![0; usize::try_from(octets).unwrap_or(BLOCK_OCTETS)];
        let count = self.file.read_at(start, &mut block);
        let count = count.map_err(|error| io_error(&self.path, &error))?;
        block.truncate(count);
        let wanted = usize::try_from(number).ok().and_then(|number| self.body.crcs.get(number));
        if u64::try_from(count) != Ok(octets) || wanted != Some(&crc32c::crc32c(&block)) {
            let what = format!("block {number} of {} does not verify", self.path);
            return Err(StoreError::Damaged { id: self.id, what });
        }
        Ok(block)
    }
}

const BLOCK: u64 = 64 << 10;

impl ReadContent for BlobReader {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, StoreError> {
        let mut filled = 0usize;
        let mut last = lock(&self.last);
        loop {
            let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            let target = buf.get_mut(filled..).unwrap_or_default();
            if target.is_empty() || at >= self.body.octets {
                return Ok(filled);
            }
            let number = at / BLOCK;
            let block = match &mut *last {
                Some((known, block)) if *known == number => block,
                other => &mut other.insert((number, self.read_block(number)?)).1,
            };
            let skip = usize::try_from(at % BLOCK).unwrap_or(0);
            let from = block.get(skip..).unwrap_or_default();
            let count = from.len().min(target.len());
            if let (Some(to), Some(from)) = (target.get_mut(..count), from.get(..count)) {
                to.copy_from_slice(from);
            }
            filled = filled.saturating_add(count);
        }
    }
}

pub(super) fn io_error(path: &str, error: &io::Error) -> StoreError {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return StoreError::Full { resource: "disk" };
    }
    StoreError::Io { path: path.to_owned(), error: error.to_string() }
}
