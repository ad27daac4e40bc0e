//! Recovery on records that anybody made up, behind checksums that verify.

use std::io::IoSlice;
use std::sync::RwLock;

use bytes::Bytes;
use hashbrown::HashMap;

use super::batch::{Batch, Encoded};
use super::frame::{Lsn, RecordType};
use super::index::Index;
use super::inspect::is_readable;
use super::judge::judge;
use super::lookup::verified;
use super::reader::{DiskFrames, rebuild};
use super::recovery::{read_log, read_tail};
use super::replay::{Replay, beheaded};
use super::scan::Scanned;
use super::segment::{DATA_START, SegmentHeader, segment_path};
use crate::io::{OpenMode, SpoolFile, SpoolIo};
use crate::testing::SimFs;

const SPOOL: u128 = 0x7472_616e_736f_6d01;
const SEGMENT: u32 = 1;

/// Puts records into a batch that verifies, octets that do not behind it, and lets recovery read
/// all of it. The input is a list of `type | message | octets of body | u16 octets of record |
/// record | body`; what is left over goes behind the batch as it is. Gives the frames that were
/// found and the messages that could be read whole.
///
/// For fuzzing: nothing that stands in a log may make it panic or run on.
pub fn replay_records(octets: &[u8]) -> (usize, usize) {
    write_and_read(octets).unwrap_or_default()
}

fn write_and_read(octets: &[u8]) -> Option<(usize, usize)> {
    let fs = SimFs::new(1);
    fs.create_dir("log").ok()?;
    let header =
        SegmentHeader { segment: SEGMENT, epoch: 1, previous: 0, previous_end: 0, machine: 1 };
    let mut batch = Batch::new(SEGMENT, header.seed(SPOOL), 1, DATA_START);
    let rest = push_records(&mut batch, octets);
    batch.close(DATA_START).ok()?;
    let file = fs.open(&segment_path(SEGMENT), OpenMode::CreateNew).ok()?;
    file.write_all_at(0, &[IoSlice::new(&header.encode(SPOOL)?)]).ok()?;
    batch.write(&*file).ok()?;
    file.write_all_at(batch.end(), &[IoSlice::new(rest)]).ok()?;
    read(&fs, &*file)
}

/// Gives what is no record.
fn push_records<'o>(batch: &mut Batch, octets: &'o [u8]) -> &'o [u8] {
    let mut last: HashMap<u64, Lsn> = HashMap::new();
    let mut rest = octets;
    while let Some((&[kind, id, body, low, high], more)) = rest.split_first_chunk() {
        let len = usize::from(u16::from_le_bytes([low, high]));
        let Some((record, more)) = more.split_at_checked(len) else {
            break;
        };
        let Some((body, more)) = more.split_at_checked(body.into()) else {
            break;
        };
        let body = (!body.is_empty()).then(|| Bytes::copy_from_slice(body));
        let id = u64::from(id);
        let prev = last.get(&id).copied().unwrap_or_default();
        let frame = Encoded::from_record(RecordType::from_octet(kind), id, record, body);
        let Some((lsn, _)) = frame.and_then(|frame| batch.push(frame, prev)).ok() else {
            break;
        };
        last.insert(id, lsn);
        rest = more;
    }
    rest
}

fn read(fs: &SimFs, file: &dyn SpoolFile) -> Option<(usize, usize)> {
    let folder = read_log(fs, SPOOL).ok()?;
    let mut verdict = judge(SPOOL, &folder.segments);
    let (tail, _) = read_tail(SPOOL, &folder.segments, &verdict);
    // As if all of it had been durable: then replay reads it.
    let end = file.len().ok()?;
    verdict.limits.insert(SEGMENT, end);
    let segment = folder.segments.first()?;
    let mut frames = tail.iter().map(|batch| batch.frames.len()).sum();
    for scanned in segment.scan(SPOOL, end) {
        if let Scanned::Frame(frame) = scanned {
            // Whether it can be read is the record's business; that it ends is the test's.
            let _ = is_readable(frame.header.kind, &frame.record);
            frames += 1;
        }
    }
    let _ = beheaded(SPOOL, &folder.segments, &verdict.limits);
    let replay = Replay::run(SPOOL, &folder.segments, &verdict);
    let entries: Vec<(u64, (Lsn, Lsn))> = {
        let messages = replay.index.messages.iter();
        messages.map(|(&id, entry)| (id, (entry.first, entry.last))).collect()
    };
    let index: RwLock<Index> = RwLock::new(replay.index);
    let disk = DiskFrames::new(fs, SPOOL, &index);
    let whole = entries.into_iter().filter(|&(id, lsns)| {
        let rebuilt = rebuild(&disk, id, lsns);
        rebuilt.is_ok_and(|rebuilt| {
            let body = rebuilt.body.read();
            body.and_then(|body| verified(&rebuilt.accept.body, body)).is_ok()
        })
    });
    Some((frames, whole.count()))
}
