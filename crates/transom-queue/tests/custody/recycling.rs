//! Files of old segments that are written anew.

use transom_queue::testing::{CrashKind, sample_delivered};
use transom_queue::{AdminVerb, Durability, Stats};

use crate::histories::{BOTH, accept, admin, crash_in_every_operation, settle, with_message};
use crate::ledger::Refused;
use crate::model::Step;
use crate::sim::Sim;

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
