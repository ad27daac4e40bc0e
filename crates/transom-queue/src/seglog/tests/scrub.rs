//! Damage under a log that runs: found, told once, set aside as a copy, and nothing else touched.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::*;

fn files(spool: &Path, folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut folders = vec![spool.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Changes an octet of the file in which `body` stands, `before` octets before it.
fn spoil(spool: &Path, body: &[u8], before: usize) -> PathBuf {
    for path in files(spool, "log", ".seg") {
        let octets = fs::read(&path).unwrap();
        if let Some(at) = octets.windows(body.len()).position(|window| window == body) {
            let (at, octet) = (at - before, octets[at - before] ^ 1);
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.write_all_at(&[octet], u64::try_from(at).unwrap()).unwrap();
            return path;
        }
    }
    panic!("the body stands nowhere");
}

fn name(spool: &Path, path: &Path) -> String {
    path.strip_prefix(spool).unwrap().display().to_string()
}

/// What lies in `quarantine/`.
fn set_aside(spool: &Path) -> Vec<String> {
    files(spool, "quarantine", "")
        .iter()
        .map(|path| name(&spool.join("quarantine"), path))
        .collect()
}

fn is_damaged(log: &SegLog, id: InternalMessageId) -> bool {
    let read = block_on(log.open(id)).and_then(|message| {
        let mut body = vec![0; usize::try_from(message.content.octets()).unwrap()];
        message.content.read_at(0, &mut body)
    });
    matches!(read, Err(StoreError::Damaged { id: named, .. }) if named == id)
}

#[test]
fn a_rotten_body_costs_its_message_alone_and_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path();
    let log = SegLog::open_dir(spool, small()).unwrap();
    let ids: Vec<_> = (1..4u8).map(|fill| accept(&log, &[fill; 500], 1)).collect();
    assert!(log.scrub() > 1_500 && log.damages().is_empty());
    let path = spoil(spool, &[2; 500], 0);

    log.scrub();
    let damages = log.damages();
    let [damage] = &damages[..] else { panic!("{damages:?}") };
    assert_eq!((&*damage.file, damage.message), (&*name(spool, &path), Some(ids[1])));
    assert!(damage.to_string().ends_with(&format!("does not verify (message {})", ids[1])));
    assert!(is_damaged(&log, ids[1]));
    for (id, fill) in [(ids[0], 1), (ids[2], 3)] {
        assert_eq!(body_of(&log, id), [fill; 500]);
    }
    let aside = set_aside(spool);
    assert!(aside.len() == 2 && aside[1].ends_with(".why.json"), "{aside:?}");
    let copy = fs::read(spool.join("quarantine").join(&aside[0])).unwrap();
    assert!(copy.windows(499).any(|window| window == [2; 499]));
    assert_eq!(log.stats().damages, 1);
    // Once more: it is known.
    log.scrub();
    assert!(log.damages().is_empty());
    assert_eq!((set_aside(spool), log.stats().damages), (aside, 1));
    // Whoever was told suspends it; nothing that is done to it brings it down.
    commit(&log, vec![Op::Admin { id: ids[1], verb: AdminVerb::Suspend, actor: "me".into() }]);
    drop(log);
    let log = SegLog::open_dir(spool, small()).unwrap();
    assert_eq!(load(&log).0[1].state.suspended.as_deref(), Some("me"));
    commit(&log, vec![Op::Admin { id: ids[1], verb: AdminVerb::Remove, actor: "me".into() }]);
}

#[test]
fn a_rotten_record_is_set_aside_and_its_message_named() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path();
    let log = SegLog::open_dir(spool, small()).unwrap();
    let ids: Vec<_> = (1..4u8).map(|fill| accept(&log, &[fill; 500], 1)).collect();
    let path = spoil(spool, &[2; 500], 30);
    log.scrub();
    let damages = log.damages();
    let [range, message] = &damages[..] else { panic!("{damages:?}") };
    assert_eq!((&*range.file, range.message), (&*name(spool, &path), None));
    assert_eq!(message.message, Some(ids[1]));
    assert!(is_damaged(&log, ids[1]));
    assert_eq!(set_aside(spool).len(), 2);
    assert_eq!(body_of(&log, ids[2]), [3; 500]);
}

#[test]
fn forks_of_a_rotten_body_are_all_named() {
    let folder = tempfile::tempdir().unwrap();
    let log = SegLog::open_dir(folder.path(), small()).unwrap();
    let parent = accept(&log, &[7; 800], 3);
    let forks = vec![Fork { recipients: vec![0] }, Fork { recipients: vec![1] }];
    let forks = commit(&log, vec![Op::Categorize { id: parent, forks }]).forks;
    spoil(folder.path(), &[7; 800], 0);
    log.scrub();
    let mut named: Vec<_> = log.damages().into_iter().filter_map(|it| it.message).collect();
    named.sort_unstable();
    assert_eq!(named, [parent, forks[0], forks[1]]);
}

#[test]
fn large_bodies_that_were_cut_or_deleted_are_named_and_the_others_served() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path();
    let log = SegLog::open_dir(spool, small().with_inline_octets_max(100)).unwrap();
    let ids: Vec<_> = (1..4u8).map(|fill| accept(&log, &vec![fill; 200_000], 1)).collect();
    let blobs = files(spool, "blob", "");
    fs::File::options().write(true).open(&blobs[0]).unwrap().set_len(70_000).unwrap();
    fs::remove_file(&blobs[1]).unwrap();
    log.scrub();
    let damages = log.damages();
    let told: Vec<_> = damages.iter().map(|it| (it.file.clone(), it.offset, it.message)).collect();
    let expected = [(0, 65_536), (1, 0)];
    let expected = expected.map(|(at, offset)| (name(spool, &blobs[at]), offset, Some(ids[at])));
    assert_eq!(told, expected);
    assert!(damages[0].reason.contains("block 1 of"), "{damages:?}");
    assert!(damages[1].reason.ends_with("is missing"), "{damages:?}");
    assert!(is_damaged(&log, ids[0]) && is_damaged(&log, ids[1]));
    assert_eq!(body_of(&log, ids[2]), vec![3; 200_000]);
    assert_eq!(set_aside(spool).len(), 3, "a copy, and two reasons");
    assert_eq!(fs::metadata(&blobs[0]).unwrap().len(), 70_000, "it stays where it is");
}

#[test]
fn a_segment_that_is_deleted_under_the_log_is_named_with_its_messages() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path();
    let log = SegLog::open_dir(spool, small()).unwrap();
    let ids: Vec<_> = (0..20).map(|_| accept(&log, &[9; 9_000], 1)).collect();
    let gone = files(spool, "log", ".seg").remove(1);
    fs::remove_file(&gone).unwrap();
    log.scrub();
    let damages = log.damages();
    let file = name(spool, &gone);
    assert!(damages.iter().all(|damage| damage.file == file), "{damages:?}");
    assert_eq!(damages[0].reason, "the segment is missing");
    let named: Vec<_> = damages.iter().filter_map(|damage| damage.message).collect();
    assert!(named.len() > 3 && named.len() < 10, "{named:?}");
    for id in ids {
        assert_eq!(is_damaged(&log, id), named.contains(&id), "{id}");
    }
}

#[test]
fn what_comes_and_goes_under_a_scrub_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let options = small()
        .with_driver(Driver::Thread)
        .with_inline_octets_max(6_000)
        .with_scrub_interval(Duration::ZERO);
    let log = SegLog::open_dir(folder.path(), options).unwrap();
    let stuck: Vec<_> = (0..30).map(|_| accept(&log, &[5; 3_000], 1)).collect();
    std::thread::scope(|scope| {
        let scrub = scope.spawn(|| {
            while log.stats().segments_reclaimed < 30 {
                log.scrub();
            }
        });
        while !scrub.is_finished() {
            for octets in [5_000, 7_000] {
                let id = accept(&log, &vec![6; octets], 1);
                commit(&log, vec![settle(id, 0, Outcome::Relayed(status(250)))]);
            }
        }
    });
    log.scrub();
    assert_eq!(log.damages(), []);
    assert!(stuck.iter().all(|id| body_of(&log, *id) == [5; 3_000]));
    assert!(set_aside(folder.path()).is_empty());
}

#[test]
fn the_scrub_comes_by_itself_at_its_pace() {
    let folder = tempfile::tempdir().unwrap();
    let options = small()
        .with_driver(Driver::Thread)
        .with_segment_octets(4 << 20)
        .with_scrub_interval(Duration::from_millis(50))
        .with_scrub_pace(2 << 20);
    let log = SegLog::open_dir(folder.path(), options).unwrap();
    let id = accept(&log, &vec![101; 100_000], 1);
    for fill in 2..10 {
        accept(&log, &vec![fill; 100_000], 1);
    }
    spoil(folder.path(), &vec![101; 100_000], 0);
    let time = || log.shared.io.elapsed();
    let began = time();
    let found = loop {
        let damages = log.damages();
        if !damages.is_empty() {
            break damages;
        }
        assert!(time().saturating_sub(began) < Duration::from_secs(20), "nothing was found");
        std::thread::yield_now();
    };
    assert_eq!(found[0].message, Some(id), "{found:?}");
    // At 2 MiB a second it takes a third of a second for what is there, each time.
    let (before, began) = (log.stats().scrubbed, time());
    while time().saturating_sub(began) < Duration::from_millis(500) {
        std::thread::yield_now();
    }
    let octets = log.stats().scrubbed - before;
    let most = time().saturating_sub(began).as_millis() * (2 << 20) / 1_000 + (600 << 10);
    assert!(octets > 0 && u128::from(octets) < most, "{octets} of {most}");
    // The end does not wait for it.
    let began = time();
    log.close().unwrap();
    assert!(time().saturating_sub(began) < Duration::from_secs(5));
}

fn damage_of(report: &RecoveryReport, id: InternalMessageId) -> &Damage {
    report.damages.iter().find(|damage| damage.message == Some(id)).unwrap()
}

#[test]
fn a_start_names_a_segment_that_was_deleted_and_serves_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path();
    let log = SegLog::open_dir(spool, small()).unwrap();
    let ids: Vec<_> = (0..20).map(|_| accept(&log, &[9; 9_000], 2)).collect();
    // Each has a later record too, in a segment that stays.
    for id in &ids {
        commit(&log, vec![settle(*id, 0, Outcome::Deferred(status(450)))]);
    }
    log.close().unwrap();
    let held: Vec<_> = {
        let index = read_lock(&log.shared.index);
        let here =
            |id: &&InternalMessageId| index.messages.get(&id.0).unwrap().first.segment() == 2;
        ids.iter().filter(here).copied().collect()
    };
    drop(log);
    assert!(held.len() > 3);
    fs::remove_file(spool.join("log/0000000000000002.seg")).unwrap();

    let log = SegLog::open_dir(spool, small()).unwrap();
    let (messages, report) = load(&log);
    let missing = &report.damages[0];
    let text = "log/0000000000000002.seg at 0: the segment is missing, and all that it alone held";
    assert_eq!(missing.to_string(), text);
    assert_eq!(report.quarantined[0], "0000000000000002");
    let why = fs::read_to_string(spool.join("quarantine/0000000000000002.why.json")).unwrap();
    assert!(why.contains("the segment is missing"), "{why}");
    for id in &held {
        assert!(damage_of(&report, *id).reason.contains("whose beginning is missing"));
    }
    assert_eq!(report.damages.len(), held.len() + 1);
    assert_eq!(messages.len(), ids.len() - held.len());
    for message in messages {
        assert!(!held.contains(&message.id));
        assert_eq!(body_of(&log, message.id), [9; 9_000]);
    }
    drop(log);
    // It was told; the next start has nothing new to tell.
    assert_eq!(load(&SegLog::open_dir(spool, small()).unwrap()).1.damages, []);
}

#[test]
fn a_start_names_large_bodies_that_were_cut_or_deleted_and_serves_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path();
    let options = || small().with_inline_octets_max(100);
    let log = SegLog::open_dir(spool, options()).unwrap();
    let ids: Vec<_> = (1..4u8).map(|fill| accept(&log, &vec![fill; 200_000], 1)).collect();
    drop(log);
    let blobs = files(spool, "blob", "");
    fs::File::options().write(true).open(&blobs[0]).unwrap().set_len(70_000).unwrap();
    fs::remove_file(&blobs[1]).unwrap();

    let log = SegLog::open_dir(spool, options()).unwrap();
    let (messages, report) = load(&log);
    // All are there for whoever looks; two of them are not delivered.
    assert_eq!(messages.len(), 3);
    let (cut, gone) = (damage_of(&report, ids[0]), damage_of(&report, ids[1]));
    assert_eq!((&*cut.file, cut.offset), (&*name(spool, &blobs[0]), 70_000));
    assert!(cut.reason.ends_with("ends before 200000, where the body ends"), "{cut}");
    assert_eq!(gone.reason, format!("{} is missing", name(spool, &blobs[1])));
    assert_eq!(report.damages.len(), 2);
    assert!(is_damaged(&log, ids[0]) && is_damaged(&log, ids[1]));
    assert_eq!(body_of(&log, ids[2]), vec![3; 200_000]);
    assert_eq!(set_aside(spool).len(), 3, "a copy, and two reasons");
    // The scrub does not tell of them again.
    log.scrub();
    assert_eq!(log.damages(), []);
}
