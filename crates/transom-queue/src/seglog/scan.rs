//! Goes through a segment frame by frame, and finds its way again behind damage.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::frame::{ALIGNMENT, HEADER_OCTETS, Header, Seed};
use super::reader::checked_octets;
use super::segment::DATA_START;
use crate::io::SpoolFile;

/// Octets that are read at once.
const WINDOW_OCTETS: u64 = 1 << 20;
/// Octets that are given up when the disk cannot read some of them.
const BAD_OCTETS: usize = 4096;

/// A walk through the frames of a segment.
#[derive(Debug)]
pub(super) struct Scan {
    file: Arc<dyn SpoolFile>,
    seed: Seed,
    segment: u32,
    end: u64,
    at: u64,
    window: Vec<u8>,
    window_at: u64,
    /// Where octets began that are no valid frame.
    damage: Option<u64>,
}

/// What the walk found.
#[derive(Debug)]
pub(super) enum Scanned {
    Frame(ScannedFrame),
    /// Octets that are no valid frame.
    Damage {
        from: u64,
        to: u64,
    },
}

/// A frame whose header and record verify; its body was not looked at.
#[derive(Debug)]
pub(super) struct ScannedFrame {
    pub(super) header: Header,
    /// The header's own checksum.
    pub(super) crc: u32,
    pub(super) record: Vec<u8>,
    body: Option<(u64, u64)>,
}

impl Scan {
    /// A walk through the first `end` octets of the segment's file.
    pub(super) fn new(file: Arc<dyn SpoolFile>, seed: Seed, segment: u32, end: u64) -> Self {
        let (window, window_at) = (Vec::new(), 0);
        // Offsets have 32 bits; what lies beyond was not written by this program.
        let end = end.min(u64::from(u32::MAX));
        Self { file, seed, segment, end, at: DATA_START, window, window_at, damage: None }
    }

    /// Goes on from `at`.
    pub(super) fn seek(&mut self, at: u64) {
        self.at = at.max(DATA_START);
        self.damage = None;
    }

    /// The body of a frame, not verified.
    pub(super) fn body(&self, frame: &ScannedFrame) -> io::Result<Option<Bytes>> {
        let Some((offset, octets)) = frame.body else {
            return Ok(None);
        };
        let mut body = vec![0; usize::try_from(octets).unwrap_or(0)];
        let count = self.file.read_at(offset, &mut body)?;
        body.truncate(count);
        Ok(Some(body.into()))
    }

    fn header_here(&mut self) -> Option<(Header, u32)> {
        let (at, seed) = (self.at, self.seed);
        let (header, crc) = Header::read(self.octets(at, HEADER_OCTETS), seed)?;
        let here = header.lsn.segment() == self.segment && u64::from(header.lsn.offset()) == at;
        let fits = at.checked_add(header.frame_octets()).is_some_and(|end| end <= self.end);
        (here && fits).then_some((header, crc))
    }

    #[expect(clippy::type_complexity, reason = "the record, and offset and length of the body")]
    fn payload_here(&mut self, header: &Header) -> Option<(Vec<u8>, Option<(u64, u64)>)> {
        let at = self.at;
        let prefix = if header.has_body() { 4usize } else { 0 };
        let head = self.octets(at, HEADER_OCTETS.saturating_add(prefix));
        let checked = checked_octets(header, head)?;
        let end = HEADER_OCTETS.checked_add(checked)?;
        let payload = self.octets(at, end).get(HEADER_OCTETS..end)?;
        if crc32c::crc32c(payload) != header.payload_crc {
            return None;
        }
        let record = payload.get(prefix..)?.to_vec();
        let body = header.has_body().then(|| {
            let offset = at.saturating_add(u64::try_from(end).unwrap_or(u64::MAX));
            let checked = u64::try_from(checked).unwrap_or(u64::MAX);
            (offset, u64::from(header.len).saturating_sub(checked))
        });
        Some((record, body))
    }

    fn note_damage(&mut self) {
        self.damage.get_or_insert(self.at);
    }

    fn take_damage(&mut self, to: u64) -> Option<Scanned> {
        self.damage.take().map(|from| Scanned::Damage { from, to })
    }

    /// Up to `len` octets at `at`, fewer at the end.
    fn octets(&mut self, at: u64, len: usize) -> &[u8] {
        let inside = |scan: &Self| {
            let start = usize::try_from(at.checked_sub(scan.window_at)?).ok()?;
            let end = start.checked_add(len)?;
            (end <= scan.window.len()).then_some(start..end)
        };
        if inside(self).is_none() {
            self.fill(at, len);
        }
        let range = inside(self).unwrap_or(0..self.window.len());
        self.window.get(range).unwrap_or_default()
    }

    fn fill(&mut self, at: u64, len: usize) {
        let wanted = u64::try_from(len).unwrap_or(u64::MAX).max(WINDOW_OCTETS);
        let octets = wanted.min(self.end.saturating_sub(at));
        self.window_at = at;
        self.window.clear();
        self.window.resize(usize::try_from(octets).unwrap_or(0), 0);
        match self.file.read_at(at, &mut self.window) {
            Ok(count) => self.window.truncate(count),
            Err(_) => self.fill_around_bad_sectors(at),
        }
    }

    /// The disk cannot read all of it: what it can read counts, the rest is damage.
    fn fill_around_bad_sectors(&mut self, at: u64) {
        let mut at = at;
        for part in self.window.chunks_mut(BAD_OCTETS) {
            if self.file.read_at(at, part).is_err() {
                part.fill(0);
            }
            at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        }
    }
}

impl Iterator for Scan {
    type Item = Scanned;

    /// The next frame or damaged range; none at the end.
    fn next(&mut self) -> Option<Scanned> {
        let step = u64::try_from(ALIGNMENT).unwrap_or(8);
        while self.at < self.end {
            let Some((header, crc)) = self.header_here() else {
                self.note_damage();
                self.at = self.at.saturating_add(step);
                continue;
            };
            let Some((record, body)) = self.payload_here(&header) else {
                self.note_damage();
                self.at = self.at.saturating_add(header.frame_octets());
                continue;
            };
            if let Some(damage) = self.take_damage(self.at) {
                return Some(damage);
            }
            self.at = self.at.saturating_add(header.frame_octets());
            return Some(Scanned::Frame(ScannedFrame { header, crc, record, body }));
        }
        self.take_damage(self.end)
    }
}
