//! Opening a log: lock, judge, replay, and the Boot batch. Nothing is served, reported or removed
//! before that is durable.

use std::io;
use std::sync::Arc;

use transom_types::InternalMessageId;

use super::batch::{Batch, Encoded};
use super::boot::BootRecord;
use super::cleanup::clean_up;
use super::committer::{Committer, Current, begin_segment};
use super::format::{at, read_format, write_format};
use super::frame::{Lsn, RecordType};
use super::index::{Changes, Segment};
use super::inspect::Overlay;
use super::judge::{Batches, CompleteBatch, SegmentFile, Verdict, judge};
use super::options::{OpenError, SegLogOptions};
use super::replay::{Replay, repair, write_again};
use super::reserve::no_space;
use super::segment::{DATA_START, SegmentHeader, machine_number, segment_number, segment_path};
use super::shared::Shared;
use super::spare::is_spare;
use super::stage::Stage;
use super::state::put_admin;
use super::working::{Suspects, Working};
use crate::io::{LockGuard, OpenMode, SpoolIo};
use crate::spool::{AdminVerb, POISON_ACTOR, RecoveryReport, StoreError};
use crate::sync::write_lock;

/// A log that was recovered.
pub(super) struct Recovered {
    pub(super) shared: Arc<Shared>,
    pub(super) committer: Committer,
    pub(super) report: RecoveryReport,
}

/// What the folder `log/` holds.
#[derive(Debug, Default)]
pub(super) struct LogFolder {
    /// Segments whose header is their own, in order.
    pub(super) segments: Vec<SegmentFile>,
    /// Files that never came to hold anything: their header was not durable.
    pub(super) strays: Vec<u32>,
    /// Files that hold something, but whose header does not verify.
    pub(super) headless: Vec<u32>,
    /// Space that was kept ready.
    pub(super) spares: Vec<String>,
    /// The highest number that a file has.
    highest: u32,
}

pub(super) fn recover(
    io: Arc<dyn SpoolIo>,
    options: SegLogOptions,
) -> Result<(Recovered, Box<dyn LockGuard>), OpenError> {
    // Before the lock, which writes: a folder of something else is not touched.
    read_format(&*io)?;
    let owner = format!("process {}", std::process::id());
    let guard =
        io.lock("LOCK", &owner).map_err(|error| OpenError::from_lock(io.describe(), error))?;
    let known = read_format(&*io)?;
    let recovered = match recover_locked(Arc::clone(&io), options.clone(), known) {
        Err(OpenError::Io { error, .. }) if known.is_some() && no_space(&error) => {
            recover_for_reading(io, options, known)?
        }
        recovered => recovered?,
    };
    Ok((recovered, guard))
}

/// Not even the reserve has room for the Boot batch, so nothing can happen. What is there can be
/// listed and exported all the same: recovery writes to memory, and nothing more is taken.
fn recover_for_reading(
    io: Arc<dyn SpoolIo>,
    options: SegLogOptions,
    known: Option<u128>,
) -> Result<Recovered, OpenError> {
    let overlay = Arc::new(Overlay::new(io));
    let recovered = recover_locked(overlay, options.with_reserve_octets(0), known)?;
    recovered.shared.fail(
        "the disk had no room for a start, not even in reserve/: messages can be listed, read and \
         exported; make room and start the program again"
            .into(),
    );
    Ok(recovered)
}

fn recover_locked(
    io: Arc<dyn SpoolIo>,
    options: SegLogOptions,
    known: Option<u128>,
) -> Result<Recovered, OpenError> {
    let started = io.elapsed();
    let spool = known.map_or_else(|| write_format(&*io), Ok)?;
    make_folders(&*io)?;
    let folder = read_log(&*io, spool)?;
    let verdict = judge(spool, &folder.segments);
    let replay = Replay::run(spool, &folder.segments, &verdict);
    let (tail, torn) = read_tail(spool, &folder.segments, &verdict);
    let clean = folder.segments.is_empty() || tail.last().is_some_and(CompleteBatch::is_stop);
    let machine = machine_number(&io.machine_boot_id());
    let mut report = RecoveryReport {
        torn_batches: torn.saturating_add(verdict.torn),
        clean,
        power_cut: !clean && verdict.machine.is_some_and(|was| was != machine),
        ..RecoveryReport::default()
    };
    let suspects = Suspects::read(&*io);
    let boot = Boot { io, options, spool, machine, clean, suspects };
    let damage = replay.damage.clone();
    let (shared, committer) = boot.write(&folder, &verdict, replay, tail, &mut report.poison)?;
    clean_up(&shared, &folder, &verdict, &damage, &mut report)
        .map_err(|(action, error)| at(&*shared.io, &action, error))?;
    report.damages.iter().for_each(|damage| shared.scrub.know(damage));
    report.took = shared.io.elapsed().saturating_sub(started);
    Ok(Recovered { shared, committer, report })
}

fn make_folders(io: &dyn SpoolIo) -> Result<(), OpenError> {
    let make = |parent: &str, names: &[String]| -> io::Result<()> {
        io.fsync_dir(parent)?;
        let known = io.list(parent)?;
        let missing = names.iter().filter(|name| !known.iter().any(|entry| entry.name == **name));
        let mut any = false;
        for name in missing {
            let path = if parent.is_empty() { name.clone() } else { format!("{parent}/{name}") };
            io.create_dir(&path)?;
            any = true;
        }
        if any { io.fsync_dir(parent) } else { Ok(()) }
    };
    let top = ["log", "blob", "quarantine", "tmp", "reserve"].map(String::from);
    let blobs: Vec<String> = (0..=255).map(|number: u8| format!("{number:02x}")).collect();
    make("", &top).map_err(|error| at(io, "make its folders", error))?;
    make("blob", &blobs).map_err(|error| at(io, "make the folders in blob", error))?;
    for folder in ["log", "quarantine", "tmp", "reserve"] {
        io.fsync_dir(folder).map_err(|error| at(io, &format!("fsync {folder}"), error))?;
    }
    Ok(())
}

pub(super) fn read_log(io: &dyn SpoolIo, spool: u128) -> Result<LogFolder, OpenError> {
    let mut folder = LogFolder::default();
    let entries = io.list("log").map_err(|error| at(io, "list log", error))?;
    let mut numbers: Vec<u32> =
        entries.iter().filter_map(|entry| segment_number(&entry.name)).collect();
    numbers.sort_unstable();
    folder.spares =
        entries.into_iter().map(|entry| entry.name).filter(|name| is_spare(name)).collect();
    for number in numbers {
        folder.highest = folder.highest.max(number);
        let path = segment_path(number);
        let failed = |error| at(io, &format!("read {path}"), error);
        let file = io.open(&path, OpenMode::Read).map_err(failed)?;
        let octets = file.len().map_err(failed)?;
        let start = read_start(&*file);
        match SegmentHeader::read(&start, spool) {
            Some(header) if header.segment == number => {
                folder.segments.push(SegmentFile { header, octets, file });
            }
            Some(_) => folder.strays.push(number),
            None if octets <= DATA_START => folder.strays.push(number),
            None => folder.headless.push(number),
        }
    }
    Ok(folder)
}

/// The first octets of a file, each half for itself: a sector that cannot be read must not hide
/// the other copy of the header.
pub(super) fn read_start(file: &dyn crate::io::SpoolFile) -> Vec<u8> {
    let mut start = vec![0; usize::try_from(DATA_START).unwrap_or(0)];
    let half = start.len() / 2;
    let mut offset = 0;
    for part in start.chunks_mut(half.max(1)) {
        if file.read_at(offset, part).is_err() {
            part.fill(0);
        }
        offset = offset.saturating_add(DATA_START / 2);
    }
    start
}

/// The complete batches behind the marks of the last boot, and how many are not complete.
pub(super) fn read_tail(
    spool: u128,
    segments: &[SegmentFile],
    verdict: &Verdict,
) -> (Vec<CompleteBatch>, u64) {
    let (mut tail, mut torn) = (Vec::new(), 0u64);
    for segment in segments {
        let number = segment.header.segment;
        let limit = verdict.limits.get(&number).filter(|_| verdict.tails.contains(&number));
        let Some(&limit) = limit else {
            continue;
        };
        let mut scan = segment.scan(spool, segment.octets);
        scan.seek(limit);
        let mut batches = Batches::new(scan);
        while let Some(batch) = batches.next_complete() {
            tail.push(batch);
        }
        torn = torn.saturating_add(batches.torn());
    }
    (tail, torn)
}

/// What the Boot batch is made from.
struct Boot {
    io: Arc<dyn SpoolIo>,
    options: SegLogOptions,
    spool: u128,
    machine: u64,
    clean: bool,
    suspects: Suspects,
}

impl Boot {
    /// Begins a segment and makes the Boot batch durable in it.
    fn write(
        self,
        folder: &LogFolder,
        verdict: &Verdict,
        replay: Replay,
        tail: Vec<CompleteBatch>,
        poison: &mut Vec<InternalMessageId>,
    ) -> Result<(Arc<Shared>, Committer), OpenError> {
        let Self { io, options, spool, machine, clean, suspects } = self;
        // No number is used twice, and no boot had an epoch above the number of its first segment:
        // so this one is new, also where the header that held the last one is lost.
        let Some(segment) = folder.highest.checked_add(1) else {
            return Err(at(&*io, "count on", io::Error::other("no numbers are left")));
        };
        let epoch = segment;
        let header = SegmentHeader { segment, epoch, previous: 0, previous_end: 0, machine };
        let record = BootRecord {
            epoch,
            clean,
            machine: io.machine_boot_id(),
            ends: counting(verdict).collect(),
        };
        let Replay { mut index, mut bodies, broken, .. } = replay;
        index.segments.retain(|segment, _| counting(verdict).any(|(named, _)| named == *segment));
        let working = Working::begin(&*io, &suspects);
        let shared = Shared::new(Arc::clone(&io), options, (spool, epoch), index, working);
        let shared = Arc::new(shared);
        let current = begin_segment(&shared, &header);
        let mut current = current.map_err(|(action, error)| at(&*io, &action, error))?;
        let mut changes = Changes::default();
        let batch = Batch::new(segment, current.seed, 1, DATA_START);
        let mut stage = Stage::new(&shared, batch, &mut changes);
        let staged = stage_boot(&mut stage, &record, |stage| {
            repair(stage, spool, &folder.segments, &verdict.limits, &broken);
            tail.into_iter().try_for_each(|batch| write_again(stage, &mut bodies, batch))?;
            suspend_poison(stage, &suspects, poison)
        });
        let batch = stage.batch;
        staged
            .map_err(|error| io::Error::other(error.to_string()))
            .and_then(|()| write_boot(&batch, &mut current))
            .map_err(|error| at(&*io, &format!("write {}", segment_path(segment)), error))?;
        {
            let mut index = write_lock(&shared.index);
            let begun = Segment { octets: current.end, end: current.end, ..Segment::new(epoch) };
            index.segments.insert(segment, begun);
            index.merge(&mut changes);
        }
        let committer = Committer::new(Arc::clone(&shared), current, machine);
        Ok((shared, committer))
    }
}

/// The segments in which anything counts, and how far.
fn counting(verdict: &Verdict) -> impl Iterator<Item = (u32, u64)> {
    let all = verdict.limits.iter().map(|(&segment, &end)| (segment, end));
    all.filter(|(_, end)| *end > DATA_START)
}

fn stage_boot(
    stage: &mut Stage<'_>,
    record: &BootRecord,
    rest: impl FnOnce(&mut Stage<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let boot = Encoded::new(RecordType::Boot, 0, None, |out| {
        record.put(out);
        Ok(())
    })?;
    stage.batch.push(boot, Lsn::default())?;
    rest(stage)?;
    stage.batch.close(DATA_START)
}

/// Messages that brought two runs down wait for an administrator from the first moment on.
fn suspend_poison(
    stage: &mut Stage<'_>,
    suspects: &Suspects,
    poison: &mut Vec<InternalMessageId>,
) -> Result<(), StoreError> {
    for id in suspects.poison() {
        let Some(mut entry) = stage.entry(id) else {
            continue;
        };
        let frame = Encoded::new(RecordType::Admin, id, None, |out| {
            put_admin(out, AdminVerb::Suspend, POISON_ACTOR);
            Ok(())
        })?;
        let (lsn, octets) = stage.batch.push(frame, entry.last)?;
        entry.grow(lsn, octets);
        stage.changes.put_entry(id, Some(entry));
        poison.push(InternalMessageId(id));
    }
    Ok(())
}

fn write_boot(batch: &Batch, current: &mut Current) -> io::Result<()> {
    batch.write(&*current.file)?;
    current.file.fdatasync()?;
    current.end = batch.end();
    current.synced = batch.end();
    Ok(())
}
