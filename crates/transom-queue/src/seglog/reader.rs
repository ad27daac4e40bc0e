//! Reads frames back, and messages out of their chains of frames.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, RwLock};

use bytes::Bytes;

use super::accept::{AcceptRecord, read_accept};
use super::fields::Malformed;
use super::frame::{HEADER_OCTETS, Header, Lsn, RecordType, Seed, u32_at};
use super::index::Index;
use super::segment::segment_path;
use super::state::replay;
use crate::io::{OpenMode, SpoolFile, SpoolIo};
use crate::sync::read_lock;

/// What is read at first: most records fit.
const FIRST_READ: usize = 1024;

/// Why a frame or a message could not be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The octets do not verify.
    Damaged(String),
    /// The segment is gone: the message has moved on.
    Gone,
    /// It was read, and there is no room to write it anew.
    NoRoom,
    /// The system refused to read.
    Io(String, io::Error),
    /// The system refused to open the file, for want of descriptors most of all: this says nothing
    /// of what is in it.
    Unopened(String, io::Error),
}

impl From<Malformed> for ReadError {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Damaged(what.into())
    }
}

/// A frame that verifies, without its body.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) header: Header,
    pub(super) record: Vec<u8>,
    pub(super) body: FrameBody,
}

/// The body of a frame, as it stands there.
#[derive(Clone, Debug)]
pub(super) enum FrameBody {
    None,
    Memory(Bytes),
    File { file: Arc<dyn SpoolFile>, path: String, offset: u64, octets: u64 },
}

impl FrameBody {
    /// All octets, not verified.
    pub(super) fn read(&self) -> Result<Bytes, ReadError> {
        match self {
            Self::None => Ok(Bytes::new()),
            Self::Memory(bytes) => Ok(bytes.clone()),
            Self::File { file, path, offset, octets } => {
                let octets = usize::try_from(*octets).unwrap_or(usize::MAX);
                let mut body = vec![0; octets];
                let count = file
                    .read_at(*offset, &mut body)
                    .map_err(|error| ReadError::Io(path.clone(), error))?;
                body.truncate(count);
                Ok(body.into())
            }
        }
    }
}

/// Where frames are read from.
pub(super) trait Frames {
    fn frame(&self, lsn: Lsn) -> Result<Frame, ReadError>;
}

/// A segment file, open for reading.
#[derive(Clone, Debug)]
pub(super) struct SegmentReader {
    pub(super) file: Arc<dyn SpoolFile>,
    pub(super) segment: u32,
    pub(super) seed: Seed,
}

impl SegmentReader {
    pub(super) fn frame(&self, offset: u32) -> Result<Frame, ReadError> {
        let lsn = Lsn::new(self.segment, offset);
        let damaged = |what: &str| ReadError::Damaged(format!("{what} at {:#x}", lsn.0));
        let mut octets = vec![0; FIRST_READ];
        self.fill(offset.into(), &mut octets)?;
        let (header, _) =
            Header::read(&octets, self.seed).ok_or_else(|| damaged("no frame header"))?;
        if header.lsn != lsn {
            return Err(damaged("a frame of another place"));
        }
        let len = usize::try_from(header.len).unwrap_or(usize::MAX);
        let checked = checked_octets(&header, &octets).ok_or_else(|| damaged("no record"))?;
        let end = HEADER_OCTETS.saturating_add(checked);
        if end > octets.len() {
            let file_octets = self.file.len().map_err(|error| self.io(error))?;
            let wanted = u64::try_from(end).unwrap_or(u64::MAX);
            if u64::from(offset).saturating_add(wanted) > file_octets {
                return Err(damaged("a frame beyond the end"));
            }
            octets = vec![0; end];
            self.fill(offset.into(), &mut octets)?;
        }
        let payload = octets.get(HEADER_OCTETS..end).unwrap_or_default();
        if payload.len() != checked || crc32c::crc32c(payload) != header.payload_crc {
            return Err(damaged("a record that does not verify"));
        }
        let prefix = if header.has_body() { 4 } else { 0 };
        let body = if header.has_body() {
            FrameBody::File {
                file: Arc::clone(&self.file),
                path: segment_path(self.segment),
                offset: u64::from(offset).saturating_add(u64::try_from(end).unwrap_or(u64::MAX)),
                octets: u64::try_from(len.saturating_sub(checked)).unwrap_or(0),
            }
        } else {
            FrameBody::None
        };
        let record = payload.get(prefix..).unwrap_or_default().to_vec();
        Ok(Frame { header, record, body })
    }

    fn fill(&self, offset: u64, octets: &mut Vec<u8>) -> Result<(), ReadError> {
        let count = self.file.read_at(offset, octets).map_err(|error| self.io(error))?;
        octets.truncate(count);
        Ok(())
    }

    fn io(&self, error: io::Error) -> ReadError {
        ReadError::Io(segment_path(self.segment), error)
    }
}

/// Octets of the payload that its checksum covers: all, or the record of one with a body.
pub(super) fn checked_octets(header: &Header, frame: &[u8]) -> Option<usize> {
    let len = usize::try_from(header.len).ok()?;
    if !header.has_body() {
        return Some(len);
    }
    let record = usize::try_from(u32_at(frame, HEADER_OCTETS)?).ok()?;
    record.checked_add(4).filter(|&checked| checked <= len)
}

/// The frames on the disk.
#[derive(Debug)]
pub(super) struct DiskFrames<'s> {
    io: &'s dyn SpoolIo,
    spool: u128,
    index: &'s RwLock<Index>,
    /// Segments that were opened; a chain seldom crosses more than a few.
    readers: RefCell<Vec<SegmentReader>>,
}

impl<'s> DiskFrames<'s> {
    pub(super) fn new(io: &'s dyn SpoolIo, spool: u128, index: &'s RwLock<Index>) -> Self {
        Self { io, spool, index, readers: RefCell::default() }
    }

    pub(super) fn reader(&self, segment: u32) -> Result<SegmentReader, ReadError> {
        if let Some(reader) = self.readers.borrow().iter().find(|open| open.segment == segment) {
            return Ok(reader.clone());
        }
        let known = read_lock(self.index).segments.get(&segment).copied();
        let epoch = known.ok_or(ReadError::Gone)?.epoch;
        let path = segment_path(segment);
        let file = self.io.open(&path, OpenMode::Read).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ReadError::Gone,
            _ => ReadError::Unopened(path, error),
        })?;
        let reader = SegmentReader { file, segment, seed: Seed::new(self.spool, segment, epoch) };
        self.readers.borrow_mut().push(reader.clone());
        Ok(reader)
    }
}

impl Frames for DiskFrames<'_> {
    fn frame(&self, lsn: Lsn) -> Result<Frame, ReadError> {
        self.reader(lsn.segment())?.frame(lsn.offset())
    }
}

/// A message, as its records give it.
#[derive(Debug)]
pub(super) struct Rebuilt {
    /// With the state that all its records make.
    pub(super) accept: AcceptRecord,
    /// The body that stands in its first frame, where one does.
    pub(super) body: FrameBody,
}

/// Reads the records of a message, from the last back to the first, and replays them.
pub(super) fn rebuild(
    frames: &dyn Frames,
    id: u64,
    (first, last): (Lsn, Lsn),
) -> Result<Rebuilt, ReadError> {
    let mut later = Vec::new();
    let mut at = last;
    let first = loop {
        let frame = frames.frame(at)?;
        if frame.header.id != id {
            return Err(ReadError::Damaged(format!("a record of another message at {:#x}", at.0)));
        }
        if at == first {
            break frame;
        }
        let prev = frame.header.prev;
        if prev >= at || prev < first {
            return Err(ReadError::Damaged(format!("a broken chain at {:#x}", at.0)));
        }
        at = prev;
        later.push(frame);
    };
    if first.header.kind != RecordType::Accept {
        return Err(ReadError::Damaged("its first record is no Accept".into()));
    }
    let mut accept = read_accept(&first.record)?;
    for frame in later.iter().rev() {
        replay(&mut accept.state, frame.header.kind, &frame.record)?;
    }
    Ok(Rebuilt { accept, body: first.body })
}
