//! Files of old segments that are written anew.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use transom_queue::testing::{CrashKind, SimFs, block_on, sample_delivered};
use transom_queue::{AdminVerb, Durability, Note, Op, SegLog, Spool, Stats, StoreError};

use crate::histories::{BOTH, accept, admin, crash_in_every_operation, settle, with_message};
use crate::ledger::Refused;
use crate::model::Step;
use crate::sim::{Sim, options};

/// Mail that comes and goes.
fn traffic(sim: &mut Sim, rounds: u64) -> Result<(), Refused> {
    for number in 0..rounds {
        let step = accept(200 + number, 1, 3_000);
        let filler = sim.try_commit(&[step], Durability::Sync)?.accepted[0];
        sim.try_commit(&[admin(filler, AdminVerb::Remove)], Durability::Sync)?;
    }
    Ok(())
}

fn stats(sim: &Sim) -> Stats {
    sim.store.as_ref().expect("a process").spool.stats().expect("figures")
}

#[test]
fn history_18_file_whose_sync_failed_is_not_used_again() {
    for seed in 0..10 {
        let (mut sim, id) = with_message(2, 900);
        sim.fs.reseed(seed);
        sim.roll();
        let failed = sim.segments().pop().expect("a segment");
        let failed = failed.trim_end_matches(".seg").to_owned();
        sim.fs.fail_fdatasync_at(sim.fs.counts().fdatasync + 1);
        sim.try_commit(&[accept(4, 1, 900)], Durability::Sync).expect_err("the sync failed");
        sim.forget_refused();
        for number in 0..60 {
            let step = accept(300 + number, 1, 3_000);
            let filler = sim.commit(step).accepted[0];
            sim.commit(admin(filler, AdminVerb::Remove));
            assert!(!sim.fs.paths().contains(&format!("{failed}.free")));
        }
        assert!(sim.segments().iter().all(|path| !path.contains(&failed)), "it was freed");
        assert!(stats(&sim).segments_recycled > 1, "{:?}", stats(&sim));
        sim.commit(settle(id, 0, sample_delivered(1)));
        sim.crash(CrashKind::PowerCut);
    }
}

#[test]
fn what_a_recycled_file_held_is_never_read_as_new() {
    let set_up = || {
        let (mut sim, id) = with_message(2, 900);
        traffic(&mut sim, 10).expect("commits");
        (sim, id)
    };
    let act = |sim: &mut Sim, id| {
        traffic(sim, 6)?;
        sim.try_commit(&[Step::Intent { id, recipients: vec![0] }], Durability::Sync)?;
        traffic(sim, 6)?;
        sim.try_commit(&[settle(id, 0, sample_delivered(1))], Durability::Sync)?;
        traffic(sim, 12)
    };
    let (mut whole, id) = set_up();
    let before = stats(&whole);
    act(&mut whole, id).expect("runs untouched");
    let after = stats(&whole);
    assert!(after.segments_recycled >= before.segments_recycled + 3, "{after:?}");
    crash_in_every_operation(&set_up, &BOTH, &act, &|sim| {
        sim.commit(accept(900, 1, 2_000));
        sim.crash(CrashKind::PowerCut);
        traffic(sim, 20).expect("commits");
        sim.crash(CrashKind::PowerCut);
    });
}

#[test]
fn notes_are_carried_forward_until_their_time_is_over() {
    let mut sim = Sim::new(1);
    sim.commit(Step::Note { key: 1, value: Some(7) });
    sim.commit(Step::Note { key: 2, value: Some(8) });
    sim.commit(Step::Note { key: 2, value: None });
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
    let note = Note { key: "over".into(), value: Some("x".into()), until: Some(until) };
    let store = sim.store.as_ref().expect("a process");
    block_on(store.spool.commit(vec![Op::Note(note)], Durability::Sync)).expect("commit");
    for _ in 0..3 {
        let store = sim.store.as_ref().expect("a process");
        assert!(store.spool.notes("over", until).is_empty());
        sim.reclaim();
        sim.check_living();
        sim.crash(CrashKind::PowerCut);
    }
    let held = |needle: &[u8]| {
        let mut segments = sim.segments().into_iter().filter_map(|path| sim.fs.content(&path));
        segments.any(|octets| octets.windows(needle.len()).any(|window| window == needle))
    };
    assert!(held(b"note/1") && !held(b"over") && !held(b"note/2"));
}

#[test]
fn notes_whose_time_is_over_make_room_for_others() {
    let fs = SimFs::new(1);
    let log = SegLog::open(Arc::new(fs.clone()), options().with_notes_max(2)).expect("opens");
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let keep = |key: &str, until: Option<u64>| {
        let note = Note { key: key.into(), value: Some("x".into()), until: until.map(at) };
        block_on(log.commit(vec![Op::Note(note)], Durability::Sync)).map(drop)
    };
    let keys = |now| log.notes("", at(now)).into_iter().map(|note| note.key).collect::<Vec<_>>();
    keep("for ever", None).expect("commit");
    keep("for a while", Some(5)).expect("commit");
    assert_eq!(keys(4), ["for a while", "for ever"]);
    let full = Err(StoreError::Full { resource: "notes" });
    assert_eq!(keep("one more", None), full);
    assert_eq!(keep("for ever", None), Ok(()), "no more than before");
    assert_eq!(keys(5), ["for ever"]);
    keep("one more", None).expect("commit");
    assert_eq!(keep("too many", None), full);
    assert_eq!(keys(5), ["for ever", "one more"]);
}

#[test]
fn freed_files_serve_again_while_mail_is_stuck_and_take_no_room_that_the_log_may_not() {
    let mut sim = Sim::new(1);
    let stay = |number: u64| sim.commit(accept(1_000 + number, 1, 3_000)).accepted[0];
    let stuck: Vec<_> = (0..60).map(stay).collect();
    let live = 60 * 3_500;
    let segment = options().segment_octets;
    // Until all that is stuck was carried forward once.
    traffic(&mut sim, 200).expect("commits");
    let (before, mut most) = (stats(&sim), 0);
    for _ in 0..20 {
        traffic(&mut sim, 20).expect("commits");
        most = most.max(sim.fs.octets());
    }
    let after = stats(&sim);
    let freed = after.segments_reclaimed - before.segments_reclaimed;
    assert!(freed > 20, "{after:?}");
    assert_eq!(after.segments_recycled - before.segments_recycled, freed, "{after:?}");
    assert_eq!(after.octets_ahead, before.octets_ahead, "no new file was needed");
    let reserve = 2 * options().reserve_octets;
    assert!(most <= 2 * live + 7 * segment + reserve, "{most} octets, {live} live");
    // With nothing stuck, the room goes back.
    for id in stuck {
        sim.commit(admin(id, AdminVerb::Remove));
    }
    traffic(&mut sim, 40).expect("commits");
    assert!(sim.fs.octets() <= 6 * segment + reserve, "{} octets", sim.fs.octets());
}

#[test]
fn zeros_that_cannot_be_written_ahead_harm_nothing() {
    let commit = |failing: Option<u64>| {
        let mut sim = Sim::new(1);
        let first = sim.fs.counts().total() + 1;
        if let Some(failing) = failing {
            sim.fs.fail_at(first + failing, ErrorKind::Other);
        }
        let before = stats(&sim);
        let taken = sim.try_commit(&[accept(4, 1, 900)], Durability::Sync).is_ok();
        (stats(&sim).octets_ahead - before.octets_ahead, stats(&sim).voided, taken, sim)
    };
    let (zeros, ..) = commit(None);
    assert!(zeros > 0, "the first batch of a new segment has some behind it");
    let mut survived = 0;
    for failing in 0..6 {
        let (zeros, voided, taken, mut sim) = commit(Some(failing));
        if zeros == 0 && voided == 0 && taken {
            survived += 1;
            sim.commit(accept(5, 1, 900));
            sim.crash(CrashKind::PowerCut);
        }
    }
    assert_eq!(survived, 1, "one of the operations writes zeros");
}
