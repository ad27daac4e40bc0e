//! After the Boot batch: what is void goes, what is damaged is set aside.

use std::io;

use super::body::BodyId;
use super::judge::Verdict;
use super::quarantine::{Why, copy_range, move_blob, move_segment, note_short};
use super::recovery::LogFolder;
use super::segment::{DATA_START, segment_path};
use super::shared::Shared;
use crate::spool::RecoveryReport;
use crate::sync::{read_lock, write_lock};

type Failed = (String, io::Error);

pub(super) fn clean_up(
    shared: &Shared,
    folder: &LogFolder,
    verdict: &Verdict,
    damage: &[Why],
    report: &mut RecoveryReport,
) -> Result<(), Failed> {
    empty_tmp(shared);
    for name in &folder.spares {
        // What cannot be removed now is tried again at the next start.
        drop(shared.io.unlink(&format!("log/{name}")));
    }
    remove_void(shared, folder, verdict)?;
    for &segment in &folder.headless {
        let reason = "the header of the segment does not verify";
        let why = Why { segment, offset: 0, octets: 0, reason };
        let moved = move_segment(&*shared.io, &why);
        moved.map_err(|error| (format!("set {} aside", segment_path(segment)), error))?;
        report.quarantined.push(why.name());
    }
    for &segment in &verdict.short {
        let file = folder.segments.iter().find(|file| file.header.segment == segment);
        let reason = "it ends before what was durable";
        let offset = file.map_or(0, |file| file.octets);
        let why = Why { segment, offset, octets: 0, reason };
        if file.is_some() {
            note_short(&*shared.io, &why)
                .map_err(|error| (format!("report {}", segment_path(segment)), error))?;
        } else if folder.strays.contains(&segment) {
            let moved = move_segment(&*shared.io, &why);
            moved.map_err(|error| (format!("set {} aside", segment_path(segment)), error))?;
        } else {
            // Freed in order, or set aside at an earlier start.
            continue;
        }
        report.quarantined.push(why.name());
    }
    for why in damage {
        report.quarantined.push(why.name());
        if copy_range(&*shared.io, why).is_err() {
            // No room: then the octets stay where they are, and the segment with them.
            if let Some(segment) = write_lock(&shared.index).segments.get_mut(&why.segment) {
                segment.kept = true;
            }
        }
    }
    look_at_blobs(shared, report)
}

/// What was being written when the last run ended. Nothing refers to it.
fn empty_tmp(shared: &Shared) {
    for entry in shared.io.list("tmp").unwrap_or_default() {
        // What cannot be removed now is tried again at the next start.
        drop(shared.io.unlink(&format!("tmp/{}", entry.name)));
    }
}

/// Segments in which nothing counts any more, whatever turns up in them later: the Boot says so,
/// so they must be gone before the Boot's own segment is.
fn remove_void(shared: &Shared, folder: &LogFolder, verdict: &Verdict) -> Result<(), Failed> {
    let counts =
        |segment: u32| verdict.limits.get(&segment).is_some_and(|limit| *limit > DATA_START);
    let numbers = folder.segments.iter().map(|segment| segment.header.segment);
    let strays = folder.strays.iter().copied().filter(|number| !verdict.short.contains(number));
    let void = numbers.filter(|&number| !counts(number)).chain(strays);
    let mut any = false;
    for number in void {
        let path = segment_path(number);
        shared.io.unlink(&path).map_err(|error| (format!("remove {path}"), error))?;
        any = true;
    }
    if any {
        shared.io.fsync_dir("log").map_err(|error| ("fsync log".into(), error))?;
    }
    Ok(())
}

/// Files of large bodies that no message has. While anything is damaged, it may be what named
/// them, so they are kept.
fn look_at_blobs(shared: &Shared, report: &mut RecoveryReport) -> Result<(), Failed> {
    let io = &*shared.io;
    let keep = !report.quarantined.is_empty();
    for number in 0..=255u8 {
        let folder = format!("blob/{number:02x}");
        let failed = |error| (format!("list {folder}"), error);
        let listed = io.list(&folder).map_err(failed)?;
        if listed.is_empty() {
            // Nothing is decided by it, so it need not be durable; 256 syncs take a while.
            continue;
        }
        io.fsync_dir(&folder).map_err(failed)?;
        for entry in listed {
            let Some(id) = BodyId::from_name(&entry.name) else {
                continue;
            };
            if read_lock(&shared.index).bodies.contains_key(&id) {
                continue;
            }
            if keep {
                let moved = move_blob(io, id);
                moved.map_err(|error| (format!("set {} aside", id.path()), error))?;
                report.quarantined.push(id.name());
            } else {
                // What cannot be removed now is tried again at the next start.
                drop(io.unlink(&id.path()));
            }
        }
    }
    Ok(())
}
