//! A batch under construction: frames that get their places and are then written together.

use std::io::{self, IoSlice};
use std::ops::Range;

use bytes::Bytes;

use super::body::body_octets;
use super::frame::{
    ALIGNMENT, FLAG_BODY, HEADER_OCTETS, Header, Lsn, RecordType, Seed, frame_octets, u32_at,
    u64_at,
};
use super::reader::{Frame, FrameBody, Frames, ReadError};
use crate::io::SpoolFile;
use crate::spool::StoreError;

/// A frame that lacks only what its place decides. Made by whoever hands a record in, so that the
/// committer does little for each.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) kind: RecordType,
    pub(super) id: u64,
    /// Room for the header, then the record.
    head: Vec<u8>,
    pub(super) body: Option<Bytes>,
    payload_crc: u32,
}

impl Encoded {
    pub(super) fn new(
        kind: RecordType,
        id: u64,
        body: Option<Bytes>,
        put: impl FnOnce(&mut Vec<u8>) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let prefix: &[u8] = if body.is_some() { &[0; 4] } else { &[] };
        let mut head = Vec::with_capacity(512);
        head.extend_from_slice(&[0; HEADER_OCTETS]);
        head.extend_from_slice(prefix);
        put(&mut head)?;
        if body.is_some() {
            let record = head.len().saturating_sub(HEADER_OCTETS).saturating_sub(4);
            let record = u32::try_from(record).map_err(|_| OVERFLOW)?;
            let length = head.get_mut(HEADER_OCTETS..).and_then(|rest| rest.first_chunk_mut());
            *length.ok_or(OVERFLOW)? = record.to_le_bytes();
        }
        let payload_crc = crc32c::crc32c(head.get(HEADER_OCTETS..).unwrap_or_default());
        Ok(Self { kind, id, head, body, payload_crc })
    }

    /// A record as it was read.
    pub(super) fn from_record(
        kind: RecordType,
        id: u64,
        record: &[u8],
        body: Option<Bytes>,
    ) -> Result<Self, StoreError> {
        Self::new(kind, id, body, |out| {
            out.extend_from_slice(record);
            Ok(())
        })
    }

    /// Octets that the frame will take.
    pub(super) fn octets(&self) -> u64 {
        let head = self.head.len().saturating_sub(HEADER_OCTETS);
        let len = u64::try_from(head).unwrap_or(u64::MAX);
        frame_octets(len.saturating_add(body_octets(self.body.as_ref())))
    }
}

/// There is no segment to write to.
pub(super) const NO_ROOM: StoreError = StoreError::Full { resource: "disk space" };
/// Octets of the frame that closes a batch: 32 of record.
pub(super) const COMMIT_OCTETS: u64 = 88;

pub(super) const OVERFLOW: StoreError = StoreError::Unreachable("a segment beyond 4 GiB");

/// A frame with its place.
#[derive(Debug)]
struct Placed {
    lsn: Lsn,
    head: Vec<u8>,
    body: Option<Bytes>,
    padding: usize,
    crc: u32,
}

impl Placed {
    fn read(&self, seed: Seed) -> Option<Frame> {
        let (header, _) = Header::read(&self.head, seed)?;
        let prefix = if header.has_body() { 4 } else { 0 };
        let record = self.head.get(HEADER_OCTETS..)?.get(prefix..)?.to_vec();
        let body = self.body.clone().map_or(FrameBody::None, FrameBody::Memory);
        Some(Frame { header, record, body })
    }
}

/// The frames of one batch.
#[derive(Debug)]
pub(super) struct Batch {
    segment: u32,
    seed: Seed,
    number: u64,
    start: u64,
    end: u64,
    /// Nothing but the record that closes it reaches beyond.
    limit: u64,
    frames: Vec<Placed>,
}

/// How far a batch had come, to go back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    frames: usize,
    end: u64,
}

impl Batch {
    pub(super) fn new(segment: u32, seed: Seed, number: u64, start: u64) -> Self {
        Self { segment, seed, number, start, end: start, limit: u64::MAX, frames: Vec::new() }
    }

    /// With all of it, its close included, before `end`: there is no room behind.
    pub(super) fn within(self, end: u64) -> Self {
        Self { limit: end.saturating_sub(COMMIT_OCTETS), ..self }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Frames in it.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Where the next frame would stand.
    pub(super) fn end_lsn(&self) -> Lsn {
        Lsn::new(self.segment, u32::try_from(self.end).unwrap_or(u32::MAX))
    }

    pub(super) fn octets(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { frames: self.frames.len(), end: self.end }
    }

    pub(super) fn go_back(&mut self, mark: Mark) {
        self.frames.truncate(mark.frames);
        self.end = mark.end;
    }

    /// Gives the frame its place. `prev` is the message's record before it.
    pub(super) fn push(&mut self, frame: Encoded, prev: Lsn) -> Result<(Lsn, u64), StoreError> {
        let octets = frame.octets();
        let Encoded { kind, id, mut head, body, payload_crc } = frame;
        let offset = u32::try_from(self.end).map_err(|_| OVERFLOW)?;
        let end = self.end.checked_add(octets).ok_or(OVERFLOW)?;
        u32::try_from(end).map_err(|_| OVERFLOW)?;
        if end > self.limit {
            return Err(NO_ROOM);
        }
        let head_octets = u64::try_from(head.len()).map_err(|_| OVERFLOW)?;
        let used = head_octets.saturating_add(body_octets(body.as_ref()));
        let header_octets = u64::try_from(HEADER_OCTETS).map_err(|_| OVERFLOW)?;
        let header = Header {
            len: u32::try_from(used.saturating_sub(header_octets)).map_err(|_| OVERFLOW)?,
            kind,
            flags: if body.is_some() { FLAG_BODY } else { 0 },
            lsn: Lsn::new(self.segment, offset),
            batch: self.number,
            id,
            prev,
            payload_crc,
        };
        let crc = header.write_to(&mut head, self.seed).ok_or(OVERFLOW)?;
        let padding = usize::try_from(octets.saturating_sub(used)).map_err(|_| OVERFLOW)?;
        self.frames.push(Placed { lsn: header.lsn, head, body, padding, crc });
        self.end = end;
        Ok((header.lsn, octets))
    }

    /// Closes the batch. `durable` is where the last batch ends that a sync covers.
    pub(super) fn close(&mut self, durable: u64) -> Result<(), StoreError> {
        let first = self.frames.first().map_or(0, |frame| frame.lsn.0);
        let commit = BatchCommit {
            batch: self.number,
            first: Lsn(first),
            count: u32::try_from(self.frames.len()).map_err(|_| OVERFLOW)?,
            durable: Lsn::new(self.segment, u32::try_from(durable).map_err(|_| OVERFLOW)?),
            crc: self.frames.iter().fold(0, |crc, frame| joined_crc(crc, frame.crc)),
        };
        let frame = Encoded::new(RecordType::BatchCommit, 0, None, |out| {
            commit.put(out);
            Ok(())
        })?;
        self.limit = u64::MAX;
        self.push(frame, Lsn::default()).map(|_| ())
    }

    /// Some of its frames, to be written once more elsewhere.
    pub(super) fn frames(&self, range: Range<usize>) -> impl Iterator<Item = Frame> + '_ {
        let frames = self.frames.get(range).unwrap_or_default();
        frames.iter().filter_map(|frame| frame.read(self.seed))
    }

    /// Writes all frames with one call.
    pub(super) fn write(&self, file: &dyn SpoolFile) -> io::Result<()> {
        const ZEROS: [u8; ALIGNMENT] = [0; ALIGNMENT];
        let mut parts = Vec::with_capacity(self.frames.len().saturating_mul(3));
        for frame in &self.frames {
            parts.push(IoSlice::new(&frame.head));
            if let Some(body) = frame.body.as_ref().filter(|body| !body.is_empty()) {
                parts.push(IoSlice::new(body));
            }
            if let Some(padding) = ZEROS.get(..frame.padding).filter(|zeros| !zeros.is_empty()) {
                parts.push(IoSlice::new(padding));
            }
        }
        file.write_all_at(self.start, &parts)
    }
}

/// The frames of a batch that is not written yet, and behind them those on the disk.
#[derive(Debug)]
pub(super) struct BatchFrames<'b, F> {
    pub(super) batch: &'b Batch,
    pub(super) disk: F,
}

impl<F: Frames> Frames for BatchFrames<'_, F> {
    fn frame(&self, lsn: Lsn) -> Result<Frame, ReadError> {
        let here =
            lsn.segment() == self.batch.segment && u64::from(lsn.offset()) >= self.batch.start;
        if !here {
            return self.disk.frame(lsn);
        }
        let frames = &self.batch.frames;
        let found = frames.binary_search_by_key(&lsn, |frame| frame.lsn).ok();
        let read = found.and_then(|at| frames.get(at)?.read(self.batch.seed));
        read.ok_or_else(|| ReadError::Damaged("a record that the batch has not got".into()))
    }
}

/// The record that makes a batch complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchCommit {
    pub(super) batch: u64,
    pub(super) first: Lsn,
    pub(super) count: u32,
    /// All of this segment below this place is durable.
    pub(super) durable: Lsn,
    /// Over the checksums of all frames before it.
    pub(super) crc: u32,
}

impl BatchCommit {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.batch.to_le_bytes());
        out.extend_from_slice(&self.first.0.to_le_bytes());
        out.extend_from_slice(&self.durable.0.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.crc.to_le_bytes());
    }

    pub(super) fn read(record: &[u8]) -> Option<Self> {
        Some(Self {
            batch: u64_at(record, 0)?,
            first: Lsn(u64_at(record, 8)?),
            durable: Lsn(u64_at(record, 16)?),
            count: u32_at(record, 24)?,
            crc: u32_at(record, 28)?,
        })
    }
}

/// The checksum over the checksums of frames, one frame further.
pub(super) fn joined_crc(crc: u32, frame: u32) -> u32 {
    crc32c::crc32c_append(crc, &frame.to_le_bytes())
}
