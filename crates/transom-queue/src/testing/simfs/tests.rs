//! The disk itself: what it keeps, what it forgets, and that it can forget everything it may.

use std::collections::BTreeSet;
use std::io::{ErrorKind, IoSlice};

use super::{CrashKind, SimFs};
use crate::io::{LockError, OpenMode, SpoolFile, SpoolIo};

fn write(file: &dyn SpoolFile, offset: u64, octets: &[u8]) {
    file.write_all_at(offset, &[IoSlice::new(octets)]).unwrap();
}

fn durable_file(fs: &SimFs, path: &str, octets: &[u8]) {
    let file = fs.open(path, OpenMode::CreateNew).unwrap();
    write(&*file, 0, octets);
    file.fdatasync().unwrap();
    fs.fsync_dir("").unwrap();
}

#[test]
fn synced_octets_and_names_survive_every_crash() {
    for seed in 0..50 {
        let mut fs = SimFs::new(seed);
        durable_file(&fs, "a", &[7; 3_000]);
        for kind in [CrashKind::Kill, CrashKind::PowerCut, CrashKind::PowerCut] {
            fs = fs.crash(kind);
            assert_eq!(fs.content("a"), Some(vec![7; 3_000]));
        }
    }
}

#[test]
fn kill_keeps_what_was_written_but_does_not_sync_it() {
    let fs = SimFs::new(1);
    let file = fs.open("a", OpenMode::CreateNew).unwrap();
    write(&*file, 0, b"abc");
    let fs = fs.crash(CrashKind::Kill);
    assert_eq!(fs.content("a").as_deref(), Some(&b"abc"[..]));
    let fs = fs.power_cut_keeping(0);
    assert_eq!(fs.content("a"), None, "not even the name was synced");
}

#[test]
fn power_cut_reaches_every_subset_of_sectors_and_tears_them() {
    let mut seen = BTreeSet::new();
    let mut torn = 0;
    for seed in 0..400 {
        let fs = SimFs::new(seed);
        durable_file(&fs, "a", &[1; 1_536]);
        let file = fs.open("a", OpenMode::Write).unwrap();
        write(&*file, 0, &[2; 1_536]);
        let content = fs.crash(CrashKind::PowerCut).content("a").unwrap();
        let sectors = content.chunks(512);
        let whole = |sector: &[u8]| sector.iter().all(|&octet| octet == sector[0]);
        if sectors.clone().all(whole) {
            seen.insert(sectors.map(|sector| sector[0]).collect::<Vec<_>>());
        } else {
            torn += 1;
        }
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
    assert!(torn > 20, "{torn}");
}

#[test]
fn masks_choose_lengths_sectors_and_names() {
    let fs = SimFs::new(1);
    durable_file(&fs, "a", &[1; 512]);
    let file = fs.open("a", OpenMode::Write).unwrap();
    write(&*file, 0, &[2; 1_024]);
    fs.rename("a", "b").unwrap();
    assert_eq!(fs.unsynced(), 4, "length, two sectors, one rename");
    let cut = |mask| {
        let fs = fs.copy().power_cut_keeping(mask);
        (fs.paths(), fs.content("a").or_else(|| fs.content("b")).unwrap())
    };
    assert_eq!(cut(0b0000), (vec!["a".into()], vec![1; 512]));
    assert_eq!(cut(0b0100), (vec!["a".into()], vec![1; 512]), "no length, no sector behind it");
    assert_eq!(cut(0b0001), (vec!["a".into()], [[1; 512], [0; 512]].concat()));
    assert_eq!(cut(0b0101), (vec!["a".into()], [[1; 512], [2; 512]].concat()));
    assert_eq!(cut(0b1111), (vec!["b".into()], vec![2; 1_024]));
}

#[test]
fn names_need_the_sync_of_their_own_folder() {
    let fs = SimFs::new(1);
    for dir in ["tmp", "blob"] {
        fs.create_dir(dir).unwrap();
    }
    fs.fsync_dir("").unwrap();
    let file = fs.open("tmp/x", OpenMode::CreateNew).unwrap();
    file.fdatasync().unwrap();
    fs.rename("tmp/x", "blob/x").unwrap();
    let cut = |fs: &SimFs| fs.copy().power_cut_keeping(0).paths();
    assert!(cut(&fs).is_empty());
    fs.fsync_dir("").unwrap();
    assert!(cut(&fs).is_empty(), "the parent's sync does not help");
    fs.fsync_dir("blob").unwrap();
    assert_eq!(cut(&fs), ["blob/x"], "a rename is whole or not at all");
}

#[test]
fn second_rename_may_survive_without_the_first_but_not_on_its_own_source() {
    let fs = SimFs::new(1);
    durable_file(&fs, "a", b"a");
    durable_file(&fs, "b", b"b");
    fs.rename("a", "x").unwrap();
    fs.rename("b", "y").unwrap();
    assert_eq!(fs.copy().power_cut_keeping(0b10).paths(), ["a", "y"]);
    fs.rename("x", "z").unwrap();
    assert_eq!(fs.copy().power_cut_keeping(0b100).paths(), ["a", "b"]);
    assert_eq!(fs.copy().power_cut_keeping(0b101).paths(), ["b", "z"]);
}

#[test]
fn folder_that_was_not_synced_takes_its_files_along() {
    let fs = SimFs::new(1);
    fs.create_dir("d").unwrap();
    fs.open("d/x", OpenMode::CreateNew).unwrap();
    fs.fsync_dir("d").unwrap();
    assert!(fs.copy().power_cut_keeping(0).paths().is_empty());
    fs.fsync_dir("").unwrap();
    assert_eq!(fs.power_cut_keeping(0).paths(), ["d/x"]);
}

#[test]
fn failed_sync_marks_pages_clean_that_are_lost() {
    let mut lost = 0;
    for seed in 0..100 {
        let fs = SimFs::new(seed);
        durable_file(&fs, "a", &[1; 2_048]);
        let file = fs.open("a", OpenMode::Write).unwrap();
        write(&*file, 0, &[2; 2_048]);
        fs.fail_fdatasync_at(fs.counts().fdatasync + 1);
        assert!(file.fdatasync().is_err());
        assert!(file.fdatasync().is_ok(), "the next one says that all is well");
        assert_eq!(fs.unsynced(), 0);
        let content = fs.crash(CrashKind::PowerCut).content("a").unwrap();
        lost += usize::from(content != [2; 2_048]);
    }
    assert!(lost > 50, "{lost}");
}

#[test]
fn crash_at_an_operation_ends_the_process_there() {
    let fs = SimFs::new(1);
    let file = fs.open("a", OpenMode::CreateNew).unwrap();
    fs.crash_at(fs.counts().total() + 2);
    write(&*file, 0, b"x");
    assert!(!fs.has_crashed());
    assert!(file.fdatasync().is_err());
    assert!(fs.has_crashed());
    assert!(file.write_all_at(0, &[IoSlice::new(b"y")]).is_err());
    assert!(fs.list("").is_err());
    let next = fs.crash(CrashKind::Kill);
    assert!(next.list("").is_ok());
    assert!(fs.list("").is_err(), "handles of the old process stay dead");
    assert!(file.len().is_err());
}

#[test]
fn lock_is_held_until_its_guard_or_its_process_ends() {
    let fs = SimFs::new(1);
    let guard = fs.lock("LOCK", "pid 1").unwrap();
    let held = fs.lock("LOCK", "pid 2").map(drop);
    assert!(matches!(held, Err(LockError::Held { owner }) if owner == "pid 1"));
    drop(guard);
    let old = fs.lock("LOCK", "pid 3").unwrap();
    let fs = fs.crash(CrashKind::Kill);
    let _new = fs.lock("LOCK", "pid 4").unwrap();
    drop(old);
    assert!(fs.lock("LOCK", "pid 5").is_err(), "the old guard frees nothing");
}

#[test]
fn only_a_power_cut_changes_the_boot_id() {
    let fs = SimFs::new(1);
    let before = fs.machine_boot_id();
    let fs = fs.crash(CrashKind::Kill);
    assert_eq!(fs.machine_boot_id(), before);
    assert_ne!(fs.crash(CrashKind::PowerCut).machine_boot_id(), before);
}

#[test]
fn no_room_and_failures_come_when_asked_for() {
    let fs = SimFs::new(1);
    let file = fs.open("a", OpenMode::CreateNew).unwrap();
    fs.set_octets_max(Some(10));
    write(&*file, 0, &[1; 10]);
    write(&*file, 0, &[2; 10]);
    let error = file.write_all_at(10, &[IoSlice::new(b"x")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    fs.unlink("a").unwrap();
    assert_eq!(fs.octets(), 0, "a file without a name takes no room");
    fs.fail_at(fs.counts().total() + 1, ErrorKind::PermissionDenied);
    let error = fs.open("b", OpenMode::CreateNew).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(fs.open("b", OpenMode::CreateNew).is_ok(), "once");
}

#[test]
fn same_seed_repeats_the_crash() {
    let run = |seed| {
        let fs = SimFs::new(seed);
        durable_file(&fs, "a", &[1; 5_000]);
        write(&*fs.open("a", OpenMode::Write).unwrap(), 0, &[2; 6_000]);
        fs.rename("a", "b").unwrap();
        let fs = fs.crash(CrashKind::PowerCut);
        (fs.paths(), fs.content("a"), fs.content("b"))
    };
    assert!((0..20).all(|seed| run(seed) == run(seed)));
}
