//! Verifies a whole spool: what recovery believes without looking, and all contents.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashSet;
use transom_types::InternalMessageId;

use super::Inspection;
use crate::io::{OpenMode, SpoolIo};
use crate::seglog::accept::read_accept;
use crate::seglog::batch::{BatchCommit, joined_crc};
use crate::seglog::body::{BLOCK_OCTETS, BodyId};
use crate::seglog::damage::Damage;
use crate::seglog::edits::read_edits;
use crate::seglog::fields::Fields;
use crate::seglog::format::at;
use crate::seglog::frame::{Header, Lsn, RecordType};
use crate::seglog::index::SharedPlace;
use crate::seglog::judge::{SegmentFile, Verdict, is_body_whole, judge};
use crate::seglog::options::OpenError;
use crate::seglog::recovery::{LogFolder, read_log, read_start, read_tail};
use crate::seglog::replay::Replay;
use crate::seglog::scan::{Scan, Scanned, ScannedFrame};
use crate::seglog::segment::{DATA_START, segment_path};
use crate::seglog::state::{read_admin, read_categorized, read_intent, read_settle_summary};
use crate::spool::StoreError;
use crate::sync::read_lock;

/// What a check went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// Segments that count.
    pub segments: u64,
    /// Batches in them.
    pub batches: u64,
    /// Records in the batches.
    pub records: u64,
    /// Open messages that can be read whole.
    pub messages: u64,
    /// Octets of their contents.
    pub content_octets: u64,
    /// Files of large bodies that no open message has: the next start removes them, or sets them
    /// aside when something else is damaged.
    pub unreferenced: u64,
    /// Notes in `quarantine/` of what earlier starts set aside.
    pub set_aside: u64,
    /// Damages that were found.
    pub damages: u64,
}

/// A check under way.
pub(super) struct Check<'c> {
    spool: &'c Inspection,
    sink: &'c mut dyn FnMut(&Damage),
    checked: Checked,
    /// What was told already: a place is told once for each message.
    told: BTreeSet<(String, u64, Option<u64>)>,
    /// Messages whose Accept was seen and whose end was not.
    open: HashSet<u64>,
    /// Records of messages whose Accept was not seen.
    orphans: BTreeMap<u64, Lsn>,
}

impl<'c> Check<'c> {
    pub(super) fn new(spool: &'c Inspection, sink: &'c mut dyn FnMut(&Damage)) -> Self {
        Self {
            spool,
            sink,
            checked: Checked::default(),
            told: BTreeSet::new(),
            open: HashSet::new(),
            orphans: BTreeMap::new(),
        }
    }

    pub(super) fn run(mut self) -> Result<Checked, OpenError> {
        let (io, number) = (&*self.spool.io, self.spool.spool);
        let folder = read_log(io, number)?;
        let verdict = judge(number, &folder.segments);
        self.files(&folder, &verdict);
        for segment in &folder.segments {
            let limit = verdict.limits.get(&segment.header.segment).copied().unwrap_or(0);
            if limit > DATA_START {
                self.header(segment);
                self.checked.segments = self.checked.segments.saturating_add(1);
                self.segment(segment.scan(number, limit), segment, limit);
            }
        }
        // What was written last is known by its being whole: there is nothing else to verify.
        for batch in read_tail(number, &folder.segments, &verdict).0 {
            self.count_batch(batch.frames.len());
            for (frame, _) in &batch.frames {
                self.follow(&frame.header);
            }
        }
        self.references(&folder, &verdict);
        for id in self.spool.ids() {
            self.message(id);
        }
        self.blobs(io)?;
        let notes = io.list("quarantine").unwrap_or_default();
        let notes = notes.iter().filter(|entry| entry.name.strip_suffix(".why.json").is_some());
        self.checked.set_aside = u64::try_from(notes.count()).unwrap_or(u64::MAX);
        Ok(self.checked)
    }

    /// Looks at whole files alone, which takes no time. The number of damages.
    pub(super) fn survey(mut self) -> Result<u64, OpenError> {
        let number = self.spool.spool;
        let folder = read_log(&*self.spool.io, number)?;
        let verdict = judge(number, &folder.segments);
        self.files(&folder, &verdict);
        Ok(self.checked.damages)
    }

    fn tell(&mut self, file: String, offset: u64, reason: impl Into<String>, message: Option<u64>) {
        if self.told.insert((file.clone(), offset, message)) {
            self.checked.damages = self.checked.damages.saturating_add(1);
            let message = message.map(InternalMessageId);
            (self.sink)(&Damage { file, offset, reason: reason.into(), message });
        }
    }

    /// Whole files: without header, too short, missing.
    fn files(&mut self, folder: &LogFolder, verdict: &Verdict) {
        for &segment in &folder.headless {
            self.tell(segment_path(segment), 0, "the header of the segment does not verify", None);
        }
        for &segment in &verdict.short {
            let file = folder.segments.iter().find(|file| file.header.segment == segment);
            if let Some(file) = file {
                let limit = verdict.limits.get(&segment).copied().unwrap_or(0);
                let reason = format!("it ends before {limit}, where what was durable ends");
                self.tell(segment_path(segment), file.octets, reason, None);
            } else if folder.strays.contains(&segment) {
                self.tell(segment_path(segment), 0, "nothing of the segment is left", None);
            } else if verdict.is_missed(segment) && !folder.headless.contains(&segment) {
                self.tell(segment_path(segment), 0, "the segment is missing", None);
            }
        }
    }

    /// Both copies of a header, of which one is enough.
    fn header(&mut self, segment: &SegmentFile) {
        let (header, number) = (&segment.header, self.spool.spool);
        let start = read_start(&*segment.file);
        let expected = header.encode(number).unwrap_or_default();
        let half = expected.len() / 2;
        let copies = start.chunks(half.max(1)).zip(expected.chunks(half.max(1)));
        for (offset, _) in
            [0, DATA_START / 2].into_iter().zip(copies).filter(|(_, (is, was))| is != was)
        {
            let reason = "this copy of the segment's header does not verify, the other does";
            self.tell(segment_path(header.segment), offset, reason, None);
        }
    }

    /// All batches of a segment, each whole and in its order.
    fn segment(&mut self, scan: Scan, segment: &SegmentFile, limit: u64) {
        let mut walk = Walk { scan, run: Run::default(), last_batch: 0 };
        let path = segment_path(segment.header.segment);
        while let Some(scanned) = walk.scan.next() {
            match scanned {
                Scanned::Damage { from, to } => {
                    let octets = to.saturating_sub(from);
                    let reason = format!("{octets} octets that were durable do not verify");
                    self.tell(path.clone(), from, reason, None);
                    walk.run = Run { broken: true, ..Run::default() };
                }
                Scanned::Frame(frame) => {
                    if let Some(reason) = walk.wrong(&frame, self) {
                        let offset = frame.header.lsn.offset().into();
                        let message = Some(frame.header.id).filter(|id| *id != 0);
                        self.tell(path.clone(), offset, reason, message);
                    }
                    self.follow(&frame.header);
                }
            }
        }
        if walk.run.count > 0 && !walk.run.broken && limit <= segment.octets {
            self.tell(path, limit, "the last batch has no end", None);
        }
    }

    fn count_batch(&mut self, records: usize) {
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        self.checked.batches = self.checked.batches.saturating_add(1);
        self.checked.records = self.checked.records.saturating_add(records);
    }

    /// Notes which messages begin and end.
    fn follow(&mut self, header: &Header) {
        match header.kind {
            RecordType::Accept => {
                self.open.insert(header.id);
                self.orphans.remove(&header.id);
            }
            RecordType::Complete => {
                self.open.remove(&header.id);
                self.orphans.remove(&header.id);
            }
            RecordType::Intent
            | RecordType::Outcome
            | RecordType::Admin
            | RecordType::Edit
            | RecordType::Categorized
                if !self.open.contains(&header.id) =>
            {
                self.orphans.entry(header.id).or_insert(header.lsn);
            }
            _ => {}
        }
    }

    /// Records that lead nowhere. What a freed segment held has ended or was written anew.
    fn references(&mut self, folder: &LogFolder, verdict: &Verdict) {
        for (id, lsn) in std::mem::take(&mut self.orphans) {
            let path = segment_path(lsn.segment());
            let reason = "a record of a message whose beginning is missing";
            self.tell(path, lsn.offset().into(), reason, Some(id));
        }
        let replay = Replay::run(self.spool.spool, &folder.segments, verdict);
        for &id in &replay.broken {
            let Some(entry) = replay.index.messages.get(&id) else {
                continue;
            };
            let (path, offset) = (segment_path(entry.last.segment()), entry.last.offset().into());
            let reason = "a record of the message before this one is missing";
            self.tell(path, offset, reason, Some(id));
        }
    }

    /// Reads a message whole.
    fn message(&mut self, id: InternalMessageId) {
        match self.spool.open_message(id) {
            Err(StoreError::NotFound(_)) => {}
            Err(error) => {
                let (file, offset) = self.place(id).unwrap_or_else(nowhere);
                self.tell(file, offset, reason_of(error), Some(id.0));
            }
            Ok(message) => {
                let content = message.content;
                let mut block = vec![0; BLOCK_OCTETS];
                let mut done = 0u64;
                while content.bytes().is_none() && done < content.octets() {
                    match content.read_at(done, &mut block) {
                        Ok(count) => {
                            let count = u64::try_from(count.max(1)).unwrap_or(u64::MAX);
                            done = done.saturating_add(count);
                        }
                        Err(error) => {
                            let file = self.place(id).unwrap_or_else(nowhere).0;
                            self.tell(file, done, reason_of(error), Some(id.0));
                            return;
                        }
                    }
                }
                let octets = content.octets();
                self.checked.content_octets = self.checked.content_octets.saturating_add(octets);
                self.checked.messages = self.checked.messages.saturating_add(1);
            }
        }
    }

    /// Where the body of a message lies, or its first record.
    fn place(&self, id: InternalMessageId) -> Option<(String, u64)> {
        let (entry, place) = self.spool.log.shared.look_up(id)?;
        let frame = |lsn: Lsn| (segment_path(lsn.segment()), lsn.offset().into());
        let place = match place {
            Some(SharedPlace::Blob) => (entry.body()?.path(), 0),
            Some(SharedPlace::Log(lsn)) if lsn != Lsn::default() => frame(lsn),
            _ => frame(entry.first),
        };
        // What recovery put together lies in memory alone.
        self.spool.io.open(&place.0, OpenMode::Read).is_ok().then_some(place)
    }

    /// Files that no message has.
    fn blobs(&mut self, io: &dyn SpoolIo) -> Result<(), OpenError> {
        let index = read_lock(&self.spool.log.shared.index);
        for number in 0..=255u8 {
            let folder = format!("blob/{number:02x}");
            let listed = match io.list(&folder) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(at(io, &format!("list {folder}"), error)),
                Ok(listed) => listed,
            };
            let ids = listed.iter().filter_map(|entry| BodyId::from_name(&entry.name));
            let alone = ids.filter(|id| !index.bodies.contains_key(id)).count();
            let alone = u64::try_from(alone).unwrap_or(u64::MAX);
            self.checked.unreferenced = self.checked.unreferenced.saturating_add(alone);
        }
        Ok(())
    }
}

/// What should be there is not, or recovery has put together what is left.
fn nowhere() -> (String, u64) {
    ("log".into(), 0)
}

fn reason_of(error: StoreError) -> String {
    match error {
        StoreError::Damaged { what, .. } => what,
        other => other.to_string(),
    }
}

/// A walk through the batches of a segment.
struct Walk {
    scan: Scan,
    run: Run,
    last_batch: u64,
}

/// The frames since the last batch ended.
#[derive(Debug, Default)]
struct Run {
    batch: u64,
    first: Lsn,
    count: usize,
    crc: u32,
    /// Some of the batch is damaged, which was told.
    broken: bool,
}

impl Walk {
    /// What is wrong with a frame, for itself and in its place.
    fn wrong(&mut self, frame: &ScannedFrame, check: &mut Check<'_>) -> Option<&'static str> {
        let header = &frame.header;
        if header.kind == RecordType::BatchCommit {
            return self.close(frame, check);
        }
        let starts = self.run.count == 0;
        if starts {
            (self.run.batch, self.run.first) = (header.batch, header.lsn);
        }
        let in_order = self.run.batch == header.batch && header.batch > self.last_batch;
        self.run.count = self.run.count.saturating_add(1);
        self.run.crc = joined_crc(self.run.crc, frame.crc);
        let body = self.scan.body(frame);
        if !self.run.broken && !in_order {
            self.run.broken = true;
            Some("a record of another batch")
        } else if !is_readable(header.kind, &frame.record) {
            Some("a record that this program cannot read")
        } else if !body.is_ok_and(|body| is_body_whole(frame, body.as_ref())) {
            Some("the body does not verify")
        } else {
            None
        }
    }

    fn close(&mut self, frame: &ScannedFrame, check: &mut Check<'_>) -> Option<&'static str> {
        let run = std::mem::take(&mut self.run);
        check.count_batch(run.count);
        let in_order = frame.header.batch > self.last_batch;
        self.last_batch = self.last_batch.max(frame.header.batch);
        let fits = BatchCommit::read(&frame.record).is_some_and(|said| {
            said.batch == frame.header.batch
                && said.batch == run.batch
                && said.first == run.first
                && u32::try_from(run.count) == Ok(said.count)
                && said.crc == run.crc
        });
        let fine = run.broken || (fits && in_order);
        (!fine).then_some("the end of the batch does not fit the batch")
    }
}

pub(in crate::seglog) fn is_readable(kind: RecordType, record: &[u8]) -> bool {
    match kind {
        RecordType::Accept => read_accept(record).is_ok(),
        RecordType::Intent => read_intent(Fields::new(record)).is_ok(),
        RecordType::Outcome => read_settle_summary(record).is_ok(),
        RecordType::Admin => read_admin(record).is_ok(),
        RecordType::Edit => read_edits(Fields::new(record)).is_ok(),
        RecordType::Categorized => read_categorized(record).is_ok(),
        _ => true,
    }
}
