//! A disk without room: mail from outside waits, what has happened is written down.

use std::io::ErrorKind;
use std::sync::Arc;

use transom_queue::io::{Space, SpoolIo};
use transom_queue::testing::{CrashKind, SimFs, block_on, sample_delivered};
use transom_queue::{
    AdminVerb, DiskLevel, Durability, Op, Pressure, SegLog, SpoolHealth, Stats, StoreError,
};
use transom_types::InternalMessageId;

use crate::histories::{BOTH, accept, admin, crash_in_every_operation, settle};
use crate::ledger::{Opened, Refused};
use crate::model::Step;
use crate::sim::{Sim, end_of, options, seeds};

const GIB: u64 = 1 << 30;

/// So many messages, each with a recipient; then no octet more fits on the disk.
fn full(messages: u64) -> (Sim, Vec<InternalMessageId>) {
    let mut sim = Sim::new(1);
    let ids = (0..messages).map(|number| sim.commit(accept(3 * number, 1, 900)).accepted[0]);
    let ids = ids.collect();
    fill(&sim);
    (sim, ids)
}

fn fill(sim: &Sim) {
    sim.fs.set_space(Space { total: 100 * GIB, free: 0 });
    sim.fs.set_octets_max(Some(sim.fs.octets()));
}

fn make_room(sim: &Sim) {
    sim.fs.set_space(Space { total: 100 * GIB, free: 50 * GIB });
    sim.fs.set_octets_max(None);
}

fn stats(sim: &Sim) -> Stats {
    sim.store.as_ref().expect("a process").spool.stats().expect("figures")
}

fn pressure(sim: &Sim) -> Pressure {
    sim.store.as_ref().expect("a process").spool.pressure()
}

/// Fills what room the log has, until a message from outside is refused.
fn until_refused(sim: &mut Sim) -> Refused {
    for number in 0..40 {
        if let Err(refused) =
            sim.try_commit(&[accept(3_000 + 3 * number, 1, 1_500)], Durability::Sync)
        {
            sim.forget_refused();
            return refused;
        }
    }
    panic!("nothing was refused");
}

#[test]
fn outcomes_are_written_down_when_the_disk_is_full_and_mail_is_refused() {
    let (mut sim, ids) = full(20);
    let refused = until_refused(&mut sim);
    assert_eq!(refused.0, StoreError::Full { resource: "disk space" });
    let now = pressure(&sim);
    assert_eq!((now.disk, now.recording), (DiskLevel::Critical, true));
    assert!(!now.takes_connections() && now.takes_mail(true).is_err() && now.starts_attempts());
    for id in ids {
        sim.commit(Step::Intent { id, recipients: vec![0] });
        sim.commit(settle(id, 0, sample_delivered(1)));
        let again = sim.try_commit(&[accept(9_000, 1, 100)], Durability::Sync);
        assert_eq!(again.expect_err("full").0, StoreError::Full { resource: "disk space" });
        sim.forget_refused();
    }
    sim.check_living();
    make_room(&sim);
    sim.commit(accept(9_003, 1, 100));
    assert_eq!(pressure(&sim).disk, DiskLevel::Normal);
    sim.crash(CrashKind::PowerCut);
}

#[test]
fn attempts_end_when_the_reserve_is_used_up_and_go_on_when_there_is_room() {
    let (mut sim, ids) = full(20);
    until_refused(&mut sim);
    let id = ids[0];
    let mut commits = 0;
    let refused = loop {
        let step = admin(id, if commits % 2 == 0 { AdminVerb::Suspend } else { AdminVerb::Resume });
        match sim.try_commit(&[step], Durability::Sync) {
            Ok(_) => commits += 1,
            Err(refused) => break refused,
        }
        assert!(commits < 1_000, "the reserve never ends");
    };
    assert_eq!(refused.0, StoreError::Full { resource: "disk space" });
    sim.forget_refused();
    assert!(!pressure(&sim).starts_attempts() && commits > 50, "{commits}");
    assert!(!sim.is_failed());
    sim.check_living();
    make_room(&sim);
    sim.commit(settle(id, 0, sample_delivered(1)));
    assert!(pressure(&sim).starts_attempts());
    // The reserve is there again.
    sim.commit(accept(9_000, 1, 100));
    for name in ["reserve/r0", "reserve/r1"] {
        assert_eq!(sim.fs.content(name).map(|octets| octets.len()), Some(20 << 10), "{name}");
    }
    sim.crash(CrashKind::PowerCut);
}

#[test]
fn start_on_a_full_disk_takes_from_the_reserve() {
    for kind in BOTH {
        let (mut sim, ids) = full(6);
        sim.crash(kind);
        fill(&sim);
        sim.crash(kind);
        assert_eq!(pressure(&sim).disk, DiskLevel::Critical);
        sim.commit(settle(ids[0], 0, sample_delivered(1)));
        sim.crash(CrashKind::PowerCut);
    }
}

#[test]
fn start_without_any_room_lists_and_reads_and_takes_nothing() {
    let without = || options().with_reserve_octets(0);
    for (kind, large) in BOTH.into_iter().zip([900, 9_000]) {
        let mut sim = Sim::new(1);
        sim.commit(accept(1, 2, large));
        let id = sim.commit(accept(4, 2, 900)).accepted[0];
        // Stands behind the mark, where the next start has to write it once more.
        sim.commit(settle(id, 0, sample_delivered(1)));
        let old = sim.store.take();
        sim.fs = sim.fs.crash(kind);
        drop(old);
        for name in ["reserve/r0", "reserve/r1"] {
            let _ = sim.fs.unlink(name);
        }
        fill(&sim);
        let held = |fs: &SimFs| {
            let paths = fs.paths().into_iter().filter(|path| path != "LOCK");
            paths.map(|path| (fs.content(&path), path)).collect::<Vec<_>>()
        };
        let before = held(&sim.fs);
        let log = SegLog::open(Arc::new(sim.fs.clone()), without()).expect("opens for reading");
        let store = Opened::load(Arc::new(log)).expect("loads");
        assert!(matches!(store.spool.health(), SpoolHealth::Failed { .. }));
        let now = store.spool.pressure();
        assert!(!now.starts_attempts() && now.takes_mail(true).is_err());
        let found: Vec<_> = store.loaded.keys().copied().collect();
        let expected = sim.ledger.now();
        assert_eq!(found, expected.open.keys().copied().collect::<Vec<_>>());
        sim.ledger.check_living(&*store.spool);
        let refused = Op::Admin { id, verb: AdminVerb::Remove, actor: "alice".into() };
        let refused = block_on(store.spool.commit(vec![refused], Durability::Sync));
        assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
        drop(store);
        assert!(held(&sim.fs) == before, "something was changed");
        make_room(&sim);
        sim.reopen(end_of(kind));
        sim.commit(settle(id, 1, sample_delivered(1)));
    }
}

#[test]
fn history_17_reserve_that_becomes_a_segment_survives_the_power_cut() {
    let set_up = || {
        // The reserve is made by the same life that uses it.
        let mut sim = Sim::new(1);
        let id = sim.commit(accept(0, 2, 900)).accepted[0];
        (sim, id)
    };
    let act = |sim: &mut Sim, id| {
        fill(sim);
        let mut left = 6;
        for number in 0.. {
            if pressure(sim).disk == DiskLevel::Critical {
                left -= 1;
            }
            if left == 0 {
                break;
            }
            let verb = if number % 2 == 0 { AdminVerb::Suspend } else { AdminVerb::Resume };
            let steps = [admin(id, verb), accept(3 * number + 3, 1, 700)];
            sim.try_commit(&steps, Durability::Sync)?;
        }
        make_room(sim);
        for number in 0..6 {
            sim.try_commit(&[accept(3 * number + 300, 1, 700)], Durability::Sync)?;
        }
        Ok(())
    };
    crash_in_every_operation(&set_up, &BOTH, &act, &|sim| {
        make_room(sim);
        sim.commit(accept(900, 1, 500));
        sim.crash(CrashKind::PowerCut);
    });
}

#[test]
fn reserve_that_is_used_up_to_the_last_octet_ends_no_log() {
    for octets in 0..24 {
        let (mut sim, ids) = full(20);
        until_refused(&mut sim);
        let voided = stats(&sim).voided;
        // Reports of each size in turn: the last one ends at another place each time.
        let refused = (0..1_000).find_map(|number| {
            let report = accept(3_002 + 3 * number, 1, octets * 8);
            sim.try_commit(&[report], Durability::Sync).err()
        });
        let full = StoreError::Full { resource: "disk space" };
        assert_eq!(refused.map(|refused| refused.0), Some(full), "{octets}");
        sim.forget_refused();
        assert!(!sim.is_failed());
        assert_eq!(stats(&sim).voided, voided, "nothing was tried that had no room");
        make_room(&sim);
        sim.commit(settle(ids[0], 0, sample_delivered(1)));
        sim.crash(CrashKind::PowerCut);
    }
}

/// A roll that fails for want of room leaves a header behind, which names an end of the segment
/// before. What comes behind that end is not void all the same.
#[test]
fn segment_that_could_not_be_begun_voids_nothing() {
    let mut refusals = 0;
    for (k, spares) in (1..=24).flat_map(|k| [(k, false), (k, true)]) {
        for seed in seeds(2, 60) {
            let mut sim = Sim::new(seed);
            if spares {
                let is_spare = |path: &String| path.strip_suffix(".free").is_some();
                sim.fill_until("a spare", |sim| sim.fs.paths().iter().any(is_spare));
            }
            for name in ["reserve/r0", "reserve/r1"] {
                let _ = sim.fs.unlink(name);
            }
            sim.fs.reseed(k * 100 + seed);
            sim.fs.fail_at(sim.fs.counts().total() + k, ErrorKind::StorageFull);
            for (number, octets) in [3_000, 3_000, 3_000, 3_000, 3_000, 100].into_iter().enumerate()
            {
                let number = 300 + 3 * u64::try_from(number).expect("few");
                if sim.try_commit(&[accept(number, 1, octets)], Durability::Sync).is_err() {
                    sim.forget_refused();
                    refusals += 1;
                    // It fits where the other did not.
                    let _ = sim.try_commit(&[accept(number + 600, 1, 100)], Durability::Sync);
                    sim.forget_refused();
                    break;
                }
            }
            sim.crash(CrashKind::PowerCut);
        }
    }
    assert!(refusals > 30, "{refusals}");
}
