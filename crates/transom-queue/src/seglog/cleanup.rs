//! After the Boot batch: what is void goes, what is damaged is set aside.

use std::io;

use hashbrown::HashSet;
use transom_types::InternalMessageId;

use super::body::BodyId;
use super::damage::Damage;
use super::index::SharedPlace;
use super::judge::Verdict;
use super::quarantine::{
    Why, copy_blob, copy_range, move_blob, move_segment, moved_path, note_short,
};
use super::recovery::LogFolder;
use super::replay::beheaded;
use super::segment::{DATA_START, segment_path};
use super::shared::Shared;
use crate::io::OpenMode;
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
        tell(report, &why);
    }
    let mut any_is_missed = false;
    for &segment in &verdict.short {
        let file = folder.segments.iter().find(|file| file.header.segment == segment);
        let reason = "it ends before what was durable";
        let offset = file.map_or(0, |file| file.octets);
        let mut why = Why { segment, offset, octets: 0, reason };
        if folder.strays.contains(&segment) {
            let moved = move_segment(&*shared.io, &why);
            moved.map_err(|error| (format!("set {} aside", segment_path(segment)), error))?;
        } else {
            if file.is_none() {
                if !verdict.is_missed(segment) || was_set_aside(shared, segment) {
                    // Freed in order, or set aside at an earlier start.
                    continue;
                }
                why.reason = "the segment is missing, and all that it alone held";
                any_is_missed = true;
            }
            note_short(&*shared.io, &why)
                .map_err(|error| (format!("report {}", segment_path(segment)), error))?;
        }
        tell(report, &why);
    }
    if any_is_missed {
        tell_beheaded(shared, folder, verdict, report);
    }
    for why in damage {
        tell(report, why);
        if copy_range(&*shared.io, why).is_err() {
            // No room: then the octets stay where they are, and the segment with them.
            if let Some(segment) = write_lock(&shared.index).segments.get_mut(&why.segment) {
                segment.kept = true;
            }
        }
    }
    look_at_blobs(shared, report)
}

fn tell(report: &mut RecoveryReport, why: &Why) {
    report.quarantined.push(why.name());
    report.damages.push(why.damage());
}

/// Whether an earlier start, or the log while it ran, moved the segment to the quarantine.
fn was_set_aside(shared: &Shared, segment: u32) -> bool {
    shared.io.open(&moved_path(segment), OpenMode::Read).is_ok()
}

/// Names the messages that a missing segment costs, where a later record is about them.
fn tell_beheaded(
    shared: &Shared,
    folder: &LogFolder,
    verdict: &Verdict,
    report: &mut RecoveryReport,
) {
    let index = read_lock(&shared.index);
    for (id, lsn) in beheaded(shared.spool, &folder.segments, &verdict.limits) {
        if index.messages.get(&id).is_some() {
            continue;
        }
        report.damages.push(Damage {
            file: segment_path(lsn.segment()),
            offset: lsn.offset().into(),
            reason: "a record of a message whose beginning is missing".into(),
            message: Some(InternalMessageId(id)),
        });
    }
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
    let mut here = HashSet::new();
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
                here.insert(id);
                continue;
            }
            if keep {
                let moved = move_blob(io, id);
                moved.map_err(|error| (format!("set {} aside", id.path()), error))?;
                report.quarantined.push(id.name());
                let reason = "no message names it, and what named it may be among the damage";
                let (file, reason) = (id.path(), reason.into());
                report.damages.push(Damage { file, offset: 0, reason, message: None });
            } else {
                // What cannot be removed now is tried again at the next start.
                drop(io.unlink(&id.path()));
            }
        }
    }
    tell_missing_blobs(shared, &here, report);
    Ok(())
}

/// Files of large bodies that somebody else than the log has removed.
fn tell_missing_blobs(shared: &Shared, here: &HashSet<BodyId>, report: &mut RecoveryReport) {
    let index = read_lock(&shared.index);
    let blobs = index.bodies.iter().filter(|(_, body)| body.place == SharedPlace::Blob);
    for (id, body) in blobs.filter(|(id, _)| !here.contains(*id)) {
        let (file, reason) = (id.path(), format!("{} is missing", id.path()));
        // The note is for people; the report tells of it too.
        drop(copy_blob(&*shared.io, *id, &reason));
        report.quarantined.push(id.name());
        report.damages.extend(body.messages.iter().map(|&message| Damage {
            file: file.clone(),
            offset: 0,
            reason: reason.clone(),
            message: Some(InternalMessageId(message)),
        }));
    }
}
