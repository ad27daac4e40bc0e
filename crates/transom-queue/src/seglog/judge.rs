//! What counts: how far each segment is durable, and which are void. The first half of recovery.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::accept::read_summary;
use super::batch::{BatchCommit, joined_crc};
use super::body::Place;
use super::boot::BootRecord;
use super::frame::RecordType;
use super::scan::{Scan, Scanned, ScannedFrame};
use super::segment::{DATA_START, SegmentHeader};
use crate::io::SpoolFile;

/// A segment file whose header is its own.
#[derive(Clone, Debug)]
pub(super) struct SegmentFile {
    pub(super) header: SegmentHeader,
    pub(super) octets: u64,
    pub(super) file: Arc<dyn SpoolFile>,
}

impl SegmentFile {
    /// A walk through its first `end` octets.
    pub(super) fn scan(&self, spool: u128, end: u64) -> Scan {
        let header = &self.header;
        let end = end.min(self.octets);
        Scan::new(Arc::clone(&self.file), header.seed(spool), header.segment, end)
    }
}

/// What recovery may believe.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// For each segment that counts, how far: all below is durable.
    pub(super) limits: BTreeMap<u32, u64>,
    /// Segments of the last boot: complete batches behind their limit count too, but must be
    /// written once more, because they may be in memory only.
    pub(super) tails: BTreeSet<u32>,
    /// Segments of which something was durable that is not there any more: they end too early, or
    /// have no header.
    pub(super) short: BTreeSet<u32>,
    /// The machine's boot in which the last boot of the log was.
    pub(super) machine: Option<u64>,
    /// Boots that ended before they served anything.
    pub(super) torn: u64,
}

impl Verdict {
    /// Whether a segment that is short and has no file was removed by somebody else than the log,
    /// which frees the oldest first: those before the oldest that is left are missed by nobody.
    pub(super) fn is_missed(&self, segment: u32) -> bool {
        let counting = self.limits.iter().filter(|(_, limit)| **limit > DATA_START);
        counting.map(|(&number, _)| number).min().is_some_and(|oldest| segment > oldest)
    }
}

/// Looks at all segments, in order of their numbers, newest boot first.
pub(super) fn judge(spool: u128, segments: &[SegmentFile]) -> Verdict {
    let mut verdict = Verdict::default();
    let epochs: BTreeSet<u32> = segments.iter().map(|segment| segment.header.epoch).collect();
    let mut newest = true;
    for epoch in epochs.into_iter().rev() {
        let of_epoch = |segment: &&SegmentFile| segment.header.epoch == epoch;
        let group: Vec<_> = segments.iter().filter(of_epoch).collect();
        match judge_epoch(spool, &group, newest, &mut verdict) {
            Judged::Void => {}
            Judged::Older(ends) => {
                // What the Boot names counts, and nothing else.
                for (number, end) in ends {
                    let older = |segment: &&SegmentFile| {
                        segment.header.segment == number && segment.header.epoch < epoch
                    };
                    let segment = segments.iter().find(older);
                    if segment.is_none_or(|segment| segment.octets < end) {
                        verdict.short.insert(number);
                    }
                    if segment.is_some() {
                        verdict.limits.insert(number, end);
                    }
                }
                return verdict;
            }
            // Its Boot is damaged or was freed. It named what was durable, so that is taken.
            Judged::Unknown => newest = false,
        }
    }
    verdict
}

enum Judged {
    /// This boot never served: as if it had not been.
    Void,
    /// It counts, and its Boot says how much of the older segments does.
    Older(Vec<(u32, u64)>),
    /// It counts, but its Boot cannot be read.
    Unknown,
}

fn judge_epoch(spool: u128, group: &[&SegmentFile], newest: bool, verdict: &mut Verdict) -> Judged {
    let mut marks = Vec::with_capacity(group.len());
    // Behind an end that a header names nothing counts: it was refused.
    let mut tails = Vec::new();
    for (at, segment) in group.iter().enumerate() {
        let next = group.get(at.saturating_add(1)).map(|next| next.header);
        let named = next.filter(|next| next.previous == segment.header.segment);
        let mark = match named {
            Some(next) => next.previous_end,
            None => find_mark(spool, segment),
        };
        let number = segment.header.segment;
        marks.push((number, mark));
        if mark > segment.octets.max(DATA_START) {
            verdict.short.insert(number);
        }
        if named.is_none() {
            tails.push(number);
        }
        let before = at.checked_sub(1).and_then(|at| group.get(at)).map(|it| it.header.segment);
        let previous = segment.header.previous;
        if segment.header.previous_end > DATA_START && before != Some(previous) {
            verdict.short.insert(previous);
        }
    }
    let first = group.first().filter(|segment| segment.header.previous == 0);
    let mut boot = first.and_then(|first| read_boot(spool, first));
    let served = marks.first().is_some_and(|(_, mark)| *mark > DATA_START) || group.len() > 1;
    if let Some(first) = first.filter(|_| !served) {
        // Its Boot batch is the last thing that was written, and may not be durable.
        let mut batches = Batches::new(first.scan(spool, first.octets));
        let complete = batches.next_complete();
        boot = boot.filter(|_| complete.is_some_and(|batch| batch.starts_at(DATA_START)));
        if boot.is_none() {
            verdict.torn = verdict.torn.saturating_add(u64::from(first.octets > DATA_START));
            return Judged::Void;
        }
    }
    if newest {
        verdict.tails.extend(tails);
    }
    if verdict.machine.is_none() {
        verdict.machine = group.last().map(|segment| segment.header.machine);
    }
    verdict.limits.extend(marks);
    boot.map_or(Judged::Unknown, |boot| Judged::Older(boot.ends))
}

/// How far a segment is durable by what stands in it.
fn find_mark(spool: u128, segment: &SegmentFile) -> u64 {
    let mut mark = DATA_START;
    for scanned in segment.scan(spool, segment.octets) {
        let Scanned::Frame(frame) = scanned else {
            continue;
        };
        let commit = BatchCommit::read(&frame.record)
            .filter(|_| frame.header.kind == RecordType::BatchCommit);
        // The place below which all was durable lies before the record that says so.
        let durable = commit.map(|commit| commit.durable).filter(|lsn| *lsn < frame.header.lsn);
        let here = durable.filter(|lsn| lsn.segment() == segment.header.segment);
        mark = mark.max(here.map_or(0, |lsn| lsn.offset().into()));
    }
    mark
}

fn read_boot(spool: u128, segment: &SegmentFile) -> Option<BootRecord> {
    let Scanned::Frame(frame) = segment.scan(spool, segment.octets).next()? else {
        return None;
    };
    let stands_first = u64::from(frame.header.lsn.offset()) == DATA_START;
    let is_boot = frame.header.kind == RecordType::Boot && stands_first;
    BootRecord::read(&frame.record).ok().filter(|_| is_boot)
}

/// A batch in which everything verifies, bodies included.
#[derive(Debug)]
pub(super) struct CompleteBatch {
    /// All but the record that closes it.
    pub(super) frames: Vec<(ScannedFrame, Option<Bytes>)>,
}

impl CompleteBatch {
    /// Whether the log was closed with it.
    pub(super) fn is_stop(&self) -> bool {
        self.frames.iter().any(|(frame, _)| frame.header.kind == RecordType::Stop)
    }

    fn starts_at(&self, offset: u64) -> bool {
        let first = self.frames.first().map(|(frame, _)| frame.header.lsn.offset());
        first.map(u64::from) == Some(offset)
    }
}

/// The complete batches behind a mark. Counts the others.
#[derive(Debug)]
pub(super) struct Batches {
    scan: Scan,
    torn: BTreeSet<u64>,
}

impl Batches {
    pub(super) fn new(scan: Scan) -> Self {
        Self { scan, torn: BTreeSet::new() }
    }

    /// Batches that are not complete. One of which no frame is whole cannot be told from what the
    /// file held before.
    pub(super) fn torn(&self) -> u64 {
        u64::try_from(self.torn.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn next_complete(&mut self) -> Option<CompleteBatch> {
        let mut run: Vec<ScannedFrame> = Vec::new();
        while let Some(scanned) = self.scan.next() {
            let frame = match scanned {
                Scanned::Frame(frame) => frame,
                Scanned::Damage { .. } => {
                    self.drop_run(&mut run);
                    continue;
                }
            };
            if run.first().is_some_and(|first| first.header.batch != frame.header.batch) {
                self.drop_run(&mut run);
            }
            if frame.header.kind != RecordType::BatchCommit {
                run.push(frame);
                continue;
            }
            let number = frame.header.batch;
            let complete = self.complete(&frame, std::mem::take(&mut run));
            if complete.is_some() {
                return complete;
            }
            self.torn.insert(number);
        }
        self.drop_run(&mut run);
        None
    }

    fn drop_run(&mut self, run: &mut Vec<ScannedFrame>) {
        self.torn.extend(run.drain(..).map(|frame| frame.header.batch));
    }

    fn complete(&self, commit: &ScannedFrame, run: Vec<ScannedFrame>) -> Option<CompleteBatch> {
        let said = BatchCommit::read(&commit.record)?;
        let crc = run.iter().fold(0, |crc, frame| joined_crc(crc, frame.crc));
        let whole = said.batch == commit.header.batch
            && u32::try_from(run.len()) == Ok(said.count)
            && run.first().map(|first| first.header.lsn) == Some(said.first)
            && crc == said.crc;
        let frames = run.into_iter().map(|frame| {
            let body = self.scan.body(&frame).ok()?;
            is_body_whole(&frame, body.as_ref()).then_some((frame, body))
        });
        let frames = frames.collect::<Option<Vec<_>>>().filter(|_| whole)?;
        Some(CompleteBatch { frames })
    }
}

pub(super) fn is_body_whole(frame: &ScannedFrame, body: Option<&Bytes>) -> bool {
    let Some(body) = body else {
        return true;
    };
    let summary = read_summary(&frame.record).ok();
    summary
        .is_some_and(|summary| summary.body.place == Place::Inline && summary.body.verifies(body))
}
