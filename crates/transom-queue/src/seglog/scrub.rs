//! Looks for damage while the log runs: reads everything once, slowly, and begins again a day
//! later. What is found is copied to `quarantine/` and told; nothing else is touched.
//!
//! A reader never gives what does not verify, so the scrub protects no delivery. It finds a bad
//! sector under mail that waits while a copy of the mail may still be had elsewhere.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use transom_types::InternalMessageId;

use super::accept::read_summary;
use super::blob::BlobReader;
use super::body::{BLOCK_OCTETS, BodyId};
use super::damage::Damage;
use super::frame::{Lsn, RecordType, Seed};
use super::index::{Entry, Index, Segment, SharedPlace};
use super::judge::is_body_whole;
use super::options::Driver;
use super::quarantine::{Why, copy_blob, copy_range, moved_path};
use super::recovery::read_start;
use super::scan::{Scan, Scanned, ScannedFrame};
use super::segment::{DATA_START, SegmentHeader, segment_path};
use super::shared::{Counters, Shared};
use crate::io::OpenMode;
use crate::spool::{DiskLevel, ReadContent, SpoolHealth, StoreError};
use crate::sync::{lock, read_lock};

/// How long after the start the first pass begins: a start has enough to read.
const FIRST: Duration = Duration::from_mins(1);
/// Octets that are read without a pause.
const PIECE_OCTETS: u64 = 256 << 10;
/// Most damages that wait to be asked for. Others are found again by the next pass.
const FOUND_MAX: usize = 10_000;
const RANGE: &str = "octets that were durable do not verify";
const HEADER: &str = "the header of the segment does not verify";
const BODY: &str = "the body does not verify";
const MISSING: &str = "the segment is missing";

/// What was found, and the pause between two steps.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    /// What nobody has asked for yet.
    found: Vec<Damage>,
    told: HashSet<(String, u64, Option<InternalMessageId>)>,
}

impl Scrub {
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.wake.notify_all();
    }

    /// Damages that were found since the last call.
    pub(super) fn take(&self) -> Vec<Damage> {
        std::mem::take(&mut lock(&self.state).found)
    }

    /// The start has told of it.
    pub(super) fn know(&self, damage: &Damage) {
        lock(&self.state).told.insert(key(damage));
    }

    fn knows(&self, damage: &Damage) -> bool {
        lock(&self.state).told.contains(&key(damage))
    }

    /// Whether it is new.
    fn tell(&self, damage: Damage) -> bool {
        let mut state = lock(&self.state);
        let new = state.found.len() < FOUND_MAX && state.told.insert(key(&damage));
        if new {
            state.found.push(damage);
        }
        new
    }

    /// None when the log is being closed.
    fn sleep(&self, time: Duration) -> Option<()> {
        let state = lock(&self.state);
        let waited = self.wake.wait_timeout_while(state, time, |state| !state.closed);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (!state.closed).then_some(())
    }
}

/// A place is told once, and so is a message, however many places it is damaged at.
fn key(damage: &Damage) -> (String, u64, Option<InternalMessageId>) {
    match damage.message {
        Some(id) => (String::new(), 0, Some(id)),
        None => (damage.file.clone(), damage.offset, None),
    }
}

/// The thread, where there is to be one. A machine that has none to give has no scrub either.
pub(super) fn start(shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    let interval = shared.options.scrub_interval;
    if interval.is_zero() || shared.options.driver == Driver::Inline {
        return None;
    }
    let shared = Arc::clone(shared);
    let thread = std::thread::Builder::new().name("transom-scrub".into());
    thread.spawn(move || run(&shared, interval)).ok()
}

fn run(shared: &Shared, interval: Duration) {
    let mut wait = interval.min(FIRST);
    while shared.scrub.sleep(wait).is_some() {
        // A copy must not take the last room, and a log that has failed is left as it is.
        let fine = shared.health() == SpoolHealth::Serving { level: DiskLevel::Normal };
        if fine {
            Pass::new(shared, Some(shared.options.scrub_pace)).run();
        }
        wait = if fine { interval } else { interval.min(FIRST) };
    }
}

/// Reads everything now. Gives the octets that were read.
pub(super) fn run_once(shared: &Shared) -> u64 {
    let mut pass = Pass::new(shared, None);
    pass.run();
    pass.octets
}

/// One way through everything. Each step gives none when the log is being closed.
struct Pass<'s> {
    shared: &'s Shared,
    pace: Option<u64>,
    octets: u64,
    /// Octets since the last pause.
    unpaid: u64,
}

impl<'s> Pass<'s> {
    fn new(shared: &'s Shared, pace: Option<u64>) -> Self {
        Self { shared, pace, octets: 0, unpaid: 0 }
    }

    fn run(&mut self) -> Option<()> {
        let segments: Vec<(u32, Segment)> = {
            let index = read_lock(&self.shared.index);
            index.segments.iter().map(|(&number, &segment)| (number, segment)).collect()
        };
        for (number, segment) in segments {
            self.segment(number, segment)?;
        }
        self.for_each(has_blob, Self::blob)
    }

    /// Counts octets, and waits when they are many.
    fn pay(&mut self, octets: u64) -> Option<()> {
        self.octets = self.octets.saturating_add(octets);
        self.unpaid = self.unpaid.saturating_add(octets);
        Counters::add(&self.shared.counters.scrubbed, octets);
        if self.unpaid < PIECE_OCTETS {
            return Some(());
        }
        let unpaid = std::mem::take(&mut self.unpaid);
        let pause = unpaid.saturating_mul(1_000).checked_div(self.pace.unwrap_or(u64::MAX));
        self.shared.scrub.sleep(Duration::from_millis(pause.unwrap_or(0)))
    }

    /// Does something for each message that `wanted` takes. Looks at few at a time, so that no
    /// commit waits for it.
    fn for_each<T>(
        &mut self,
        wanted: impl Fn(&Index, u64, &Entry) -> Option<T>,
        mut act: impl FnMut(&mut Self, u64, T) -> Option<()>,
    ) -> Option<()> {
        for part in 0.. {
            let some: Vec<(u64, T)> = {
                let index = read_lock(&self.shared.index);
                let Some(entries) = index.messages.part(part) else {
                    return Some(());
                };
                let each = |(id, entry): &(u64, Entry)| Some((*id, wanted(&index, *id, entry)?));
                entries.iter().filter_map(each).collect()
            };
            for (id, what) in some {
                act(self, id, what)?;
            }
        }
        Some(())
    }

    fn tell(&self, damage: Damage) {
        if self.shared.scrub.tell(damage) {
            Counters::add(&self.shared.counters.damages, 1);
        }
    }

    fn segment(&mut self, number: u32, segment: Segment) -> Option<()> {
        let path = segment_path(number);
        let file = match self.shared.io.open(&path, OpenMode::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // One with messages that cannot be carried forward is set aside whole.
                let aside = self.shared.io.open(&moved_path(number), OpenMode::Read);
                return aside
                    .map_or_else(|_| self.range(number, (0, segment.end), MISSING), |_| Some(()));
            }
            // It says nothing of the octets: the next pass reads them.
            Err(_) => return Some(()),
        };
        file.forget_cached();
        let header = SegmentHeader::read(&read_start(&*file), self.shared.spool);
        if header.is_none_or(|header| header.segment != number) {
            self.range(number, (0, DATA_START), HEADER)?;
        }
        let seed = Seed::new(self.shared.spool, number, segment.epoch);
        let mut scan = Scan::new(file, seed, number, segment.end);
        while let Some(scanned) = scan.next() {
            let octets = match scanned {
                Scanned::Damage { from, to } => {
                    self.range(number, (from, to), RANGE)?;
                    to.saturating_sub(from)
                }
                Scanned::Frame(frame) => {
                    self.body(&scan, &frame)?;
                    frame.header.frame_octets()
                }
            };
            self.pay(octets)?;
        }
        Some(())
    }

    /// Whether the octets of a segment before `end` still count. Where they do not, its file may be
    /// another segment's by now: the oldest goes as soon as nothing in it counts.
    fn counts(&self, segment: u32, end: u64) -> bool {
        let index = read_lock(&self.shared.index);
        let oldest = index.segments.first_key_value().map(|(&number, _)| number);
        index
            .segments
            .get(&segment)
            .is_some_and(|state| state.end >= end && !(oldest == Some(segment) && state.is_dead()))
    }

    /// A part of a segment that does not verify: tells of it and of each message that it costs.
    fn range(&mut self, segment: u32, (from, to): (u64, u64), why: &'static str) -> Option<()> {
        let damage =
            Damage { file: segment_path(segment), offset: from, reason: why.into(), message: None };
        if !self.counts(segment, to) || self.shared.scrub.knows(&damage) {
            return Some(());
        }
        let octets = to.saturating_sub(from);
        let why = Why { segment, offset: from, octets, reason: why };
        // Where it cannot be copied it stays where it is, until its segment is freed.
        drop(copy_range(&*self.shared.io, &why));
        self.tell(damage);
        let place = |offset: u64| Lsn::new(segment, u32::try_from(offset).unwrap_or(u32::MAX));
        let (from, to) = (place(from), place(to));
        let touched = |index: &Index, _, entry: &Entry| is_touched(index, entry, (from, to));
        self.for_each(touched, |pass, id, ()| pass.message(id, from))
    }

    /// Tells of a message if it cannot be read.
    fn message(&mut self, id: u64, place: Lsn) -> Option<()> {
        let id = InternalMessageId(id);
        let read = self.shared.read(id, true);
        if let Err(StoreError::Damaged { what, .. }) = &read {
            let (file, offset) = (segment_path(place.segment()), place.offset().into());
            self.tell(Damage { file, offset, reason: what.clone(), message: Some(id) });
        }
        let content = read.ok().and_then(|read| read.content);
        let in_memory = content.filter(|content| content.bytes().is_some());
        self.pay(in_memory.map_or(0, |content| content.octets()))
    }

    /// The body in a frame, where a message still has it.
    fn body(&mut self, scan: &Scan, frame: &ScannedFrame) -> Option<()> {
        let lsn = frame.header.lsn;
        let having = self.having(frame);
        if having.is_empty() {
            return Some(());
        }
        let body = scan.body(frame);
        if body.is_ok_and(|body| is_body_whole(frame, body.as_ref())) {
            return Some(());
        }
        let (offset, octets) = (u64::from(lsn.offset()), frame.header.frame_octets());
        if !self.counts(lsn.segment(), offset.saturating_add(octets)) {
            return Some(());
        }
        let why = Why { segment: lsn.segment(), offset, octets, reason: BODY };
        drop(copy_range(&*self.shared.io, &why));
        for id in having {
            self.message(id, lsn)?;
        }
        Some(())
    }

    /// The messages that have the body in this frame.
    fn having(&self, frame: &ScannedFrame) -> Vec<u64> {
        let (id, lsn) = (frame.header.id, frame.header.lsn);
        if !frame.header.has_body() || frame.header.kind != RecordType::Accept {
            return Vec::new();
        }
        let index = read_lock(&self.shared.index);
        let shared = read_summary(&frame.record).ok();
        let shared = shared.and_then(|summary| index.bodies.get(&summary.body.id));
        match shared {
            Some(body) if body.place == SharedPlace::Log(lsn) => body.messages.clone(),
            Some(_) => Vec::new(),
            None => {
                let own = index.messages.get(&id).filter(|entry| entry.first == lsn);
                own.map(|_| id).into_iter().collect()
            }
        }
    }

    /// The file of a large body, which the message has, and others may.
    fn blob(&mut self, message: u64, body: BodyId) -> Option<()> {
        let (id, io) = (InternalMessageId(message), &*self.shared.io);
        // A record that does not verify is told of where it lies.
        let Ok(read) = self.shared.read(id, false) else {
            return Some(());
        };
        let octets = read.rebuilt.accept.body.octets;
        let reader = match BlobReader::open(io, id, read.rebuilt.accept.body) {
            Ok(reader) => reader,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.blob_is_damaged(body, 0, &format!("{} is missing", body.path()));
                return Some(());
            }
            Err(_) => return Some(()),
        };
        reader.forget_cached();
        let mut block = vec![0; BLOCK_OCTETS];
        let mut done = 0u64;
        while done < octets {
            match reader.read_at(done, &mut block) {
                Ok(count) => {
                    let count = u64::try_from(count.max(1)).unwrap_or(u64::MAX);
                    done = done.saturating_add(count);
                    self.pay(count)?;
                }
                Err(StoreError::Damaged { what, .. }) => {
                    self.blob_is_damaged(body, done, &what);
                    return Some(());
                }
                Err(_) => return Some(()),
            }
        }
        Some(())
    }

    fn blob_is_damaged(&self, body: BodyId, offset: u64, reason: &str) {
        let having = {
            let index = read_lock(&self.shared.index);
            index.bodies.get(&body).map(|shared| shared.messages.clone())
        };
        // Its last message may have ended meanwhile, and the file with it.
        let Some(having) = having else {
            return;
        };
        drop(copy_blob(&*self.shared.io, body, reason));
        for id in having {
            let message = Some(InternalMessageId(id));
            self.tell(Damage { file: body.path(), offset, reason: reason.to_owned(), message });
        }
    }
}

/// The body of a message, where that lies in a file and no earlier message is looked at for it.
fn has_blob(index: &Index, id: u64, entry: &Entry) -> Option<BodyId> {
    let body = entry.body()?;
    let shared = index.bodies.get(&body)?;
    let here = shared.place == SharedPlace::Blob && shared.messages.first() == Some(&id);
    here.then_some(body)
}

/// Whether a record or the body of the message may lie in the range.
fn is_touched(index: &Index, entry: &Entry, (from, to): (Lsn, Lsn)) -> Option<()> {
    let place = entry.body().and_then(|body| index.bodies.get(&body)).map(|body| body.place);
    let body = matches!(place, Some(SharedPlace::Log(lsn)) if (from..to).contains(&lsn));
    let records = entry.first < to && entry.last >= from;
    (records || body).then_some(())
}
