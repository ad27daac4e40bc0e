//! The histories that a naive reading of the design loses, each by its number there. K is a killed
//! process, P a power cut; an act in which the crash falls is crashed in at each of its operations.
//!
//! | history | here |
//! |---|---|
//! | 1 to 16 | tests below |
//! | 18: EIO, the file recycled later | in `recycling` |
//! | 17: the reserve renamed while it was not durable, P | in `full_disk` |

use transom_queue::testing::{CrashKind, Rng, sample_deferred, sample_delivered, sample_failed};
use transom_queue::{AdminVerb, Durability, Edit, EditList, Settled, StoreError};
use transom_types::{InternalMessageId, Outcome};

use crate::ledger::Refused;
use crate::model::Step;
use crate::sim::{Sim, is_full, seeds};
use crate::workload::Workload;

pub(crate) const BOTH: [CrashKind; 2] = [CrashKind::Kill, CrashKind::PowerCut];
/// Above the inline limit of these tests.
const BLOB: usize = 6_000;

pub(crate) fn accept(number: u64, recipients: u32, octets: usize) -> Step {
    Step::Accept { number, recipients, octets }
}

pub(crate) fn settle(id: InternalMessageId, recipient: u32, outcome: Outcome) -> Step {
    let settled = vec![Settled { recipient, outcome, attempted: true, retry_at: None }];
    Step::Settle { id, settled, delay_notified: false }
}

fn fork(id: InternalMessageId, places: &[u32]) -> Step {
    Step::Categorize { id, forks: vec![places.to_vec()] }
}

pub(crate) fn admin(id: InternalMessageId, verb: AdminVerb) -> Step {
    Step::Admin { id, verb }
}

/// Runs `act` on what `set_up` gives, with a crash in each of its operations in turn; `then` sees
/// each of the restarted spools.
pub(crate) fn crash_in_every_operation(
    set_up: &dyn Fn() -> (Sim, InternalMessageId),
    kinds: &[CrashKind],
    act: &dyn Fn(&mut Sim, InternalMessageId) -> Result<(), Refused>,
    then: &dyn Fn(&mut Sim),
) {
    let (mut whole, id) = set_up();
    let before = whole.fs.counts().total();
    act(&mut whole, id).expect("runs untouched");
    let operations = whole.fs.counts().total() - before;
    let in_turn = kinds.len() > 1 && operations > 100 && !is_full();
    for k in 1..=operations {
        let kinds = kinds.iter().zip(k..).filter(|(_, turn)| !in_turn || turn % 2 == 0);
        for (&kind, _) in kinds {
            let (mut sim, id) = set_up();
            sim.fs.reseed(k);
            sim.fs.crash_at(sim.fs.counts().total() + k);
            let _ = act(&mut sim, id);
            assert!(sim.fs.has_crashed());
            sim.crash(kind);
            then(&mut sim);
        }
    }
}

pub(crate) fn with_message(recipients: u32, octets: usize) -> (Sim, InternalMessageId) {
    let mut sim = Sim::new(1);
    let id = sim.commit(accept(1, recipients, octets)).accepted[0];
    // Changes nothing, but the message has a second record now.
    sim.commit(admin(id, AdminVerb::Resume));
    (sim, id)
}

#[test]
fn history_1_outcome_that_a_restart_reported_survives_the_power_cut_after_it() {
    let set_up = || {
        let (mut sim, id) = with_message(1, BLOB);
        sim.commit(Step::Intent { id, recipients: vec![0] });
        (sim, id)
    };
    let act = |sim: &mut Sim, id| {
        sim.try_commit(&[settle(id, 0, sample_delivered(1))], Durability::Sync).map(drop)
    };
    crash_in_every_operation(&set_up, &[CrashKind::Kill], &act, &|sim| {
        sim.crash(CrashKind::PowerCut);
    });
}

#[test]
fn history_2_fork_after_a_roll_survives_reclamation() {
    for octets in [900, BLOB] {
        let (mut sim, id) = with_message(2, octets);
        sim.roll();
        sim.commit(fork(id, &[1]));
        sim.roll();
        sim.reclaim();
        sim.crash(CrashKind::PowerCut);
        sim.crash(CrashKind::PowerCut);
    }
}

#[test]
fn history_3_body_of_a_fork_outlives_its_parent_and_the_segment() {
    for octets in [900, BLOB] {
        let (mut sim, id) = with_message(2, octets);
        sim.roll();
        let copy = sim.commit(fork(id, &[1])).forks[0];
        sim.roll();
        sim.commit(settle(id, 0, sample_delivered(1)));
        sim.reclaim();
        sim.crash(CrashKind::PowerCut);
        sim.reclaim();
        assert!(sim.ledger.now().open.contains_key(&copy));
        sim.check_living();
    }
}

#[test]
fn edits_of_copies_that_share_a_body_survive_everything_and_mix_nowhere() {
    let stamp = |text: &str| {
        let front = Edit { at: 0, remove: 0, insert: text.to_owned().into() };
        let later = Edit { at: 9, remove: 30, insert: "x".into() };
        EditList::new(vec![front, later]).expect("in order")
    };
    for octets in [900, BLOB] {
        let set_up = || {
            let (mut sim, id) = with_message(3, octets);
            sim.commit(Step::Edit { id, edits: stamp("as accepted") });
            sim.roll();
            (sim, id)
        };
        let act = |sim: &mut Sim, id| {
            let one = Step::Edit { id, edits: stamp("for the first copy") };
            let other = Step::Edit { id, edits: stamp("for the second") };
            let none = Step::Edit { id, edits: EditList::default() };
            let steps = [one, fork(id, &[1]), other, fork(id, &[2]), none];
            let copies = sim.try_commit(&steps, Durability::Sync)?.forks;
            let again = Step::Edit { id: copies[1], edits: stamp("once more") };
            sim.try_commit(&[again], Durability::Sync)?;
            sim.try_commit(&[settle(id, 0, sample_delivered(1))], Durability::Sync)?;
            Ok(())
        };
        crash_in_every_operation(&set_up, &BOTH, &act, &|sim| {
            sim.roll();
            sim.reclaim();
            sim.crash(CrashKind::PowerCut);
            sim.check_living();
        });
    }
}

#[test]
fn history_4_outcome_is_not_undone_by_the_copy_of_its_message() {
    // The outcome commits at every distance from the roll that brings reclamation on.
    for distance in 0..14 {
        let (mut sim, id) = with_message(2, 900);
        sim.commit(Step::Intent { id, recipients: vec![0] });
        sim.roll();
        for number in 0..distance {
            let filler = sim.commit(accept(100 + number, 1, 2_000)).accepted[0];
            sim.commit(admin(filler, AdminVerb::Remove));
        }
        sim.commit(settle(id, 0, sample_delivered(1)));
        sim.reclaim();
        sim.crash(CrashKind::PowerCut);
        let entry = &sim.ledger.model.open[&id];
        assert_eq!(entry.state.recipients[0].outcome, Some(sample_delivered(1)));
    }
}

#[test]
fn history_5_segments_that_went_in_order_come_back_in_no_order() {
    let set_up = || {
        let (mut sim, id) = with_message(1, 900);
        sim.roll();
        sim.commit(settle(id, 0, sample_delivered(1)));
        (sim, id)
    };
    let act = |sim: &mut Sim, _| {
        for number in 0..14 {
            let step = accept(200 + number, 1, 3_000);
            let filler = sim.try_commit(&[step], Durability::Sync)?.accepted[0];
            sim.try_commit(&[admin(filler, AdminVerb::Remove)], Durability::Sync)?;
        }
        Ok(())
    };
    let (mut whole, id) = set_up();
    let first = whole.segments();
    act(&mut whole, id).expect("runs untouched");
    assert_ne!(whole.segments().first(), first.first(), "something was reclaimed");
    crash_in_every_operation(&set_up, &[CrashKind::PowerCut], &act, &|sim| {
        sim.crash(CrashKind::PowerCut);
    });
}

#[test]
fn history_6_killed_process_leaves_its_intent() {
    let (mut sim, id) = with_message(2, 900);
    sim.commit(Step::Intent { id, recipients: vec![1] });
    sim.crash(CrashKind::Kill);
    let report = &sim.store.as_ref().expect("a process").report;
    assert_eq!(report.in_doubt, [id]);
    assert!(!report.power_cut && !report.clean);
    sim.crash(CrashKind::PowerCut);
    let report = &sim.store.as_ref().expect("a process").report;
    assert_eq!(report.in_doubt, [id]);
    assert!(report.power_cut);
}

#[test]
fn history_7_body_without_its_frame_is_no_message_and_leaves_no_file() {
    let set_up = || (Sim::new(1), InternalMessageId(0));
    let act = |sim: &mut Sim, _| sim.try_commit(&[accept(1, 2, BLOB)], Durability::Sync).map(drop);
    crash_in_every_operation(&set_up, &BOTH, &act, &|sim| {
        let paths = sim.fs.paths();
        let blobs = paths.iter().filter(|path| path.starts_with("blob/")).count();
        assert_eq!(blobs, sim.ledger.model.open.len(), "{paths:?}");
        assert!(!paths.iter().any(|path| path.starts_with("tmp/")), "{paths:?}");
    });
}

/// The sync of the next commit fails; gives what the commit was answered.
fn commit_with_eio(sim: &mut Sim, steps: &[Step]) -> Refused {
    sim.fs.fail_fdatasync_at(sim.fs.counts().fdatasync + 1);
    sim.try_commit(steps, Durability::Sync).expect_err("the sync failed")
}

#[test]
fn history_8_outcome_and_report_stay_together_when_their_sync_fails() {
    for seed in 0..20 {
        for kind in BOTH {
            let (mut sim, id) = with_message(1, 900);
            sim.fs.reseed(seed);
            let steps = [settle(id, 0, sample_failed(1)), accept(2, 1, 300)];
            sim.fs.fail_fdatasync_at(sim.fs.counts().fdatasync + 1);
            sim.try_commit(&steps, Durability::Sync).expect("nobody would do it again");
            assert!(!sim.is_failed());
            sim.check_living();
            sim.crash(kind);
            assert_eq!(sim.ledger.model.open.len(), 1, "the report alone");
        }
    }
}

#[test]
fn history_8_again_with_a_disk_that_fails_for_good() {
    for seed in 0..20 {
        for kind in BOTH {
            let (mut sim, id) = with_message(1, 900);
            sim.fs.reseed(seed);
            sim.fs.fail_fdatasync_from(sim.fs.counts().fdatasync + 1);
            let steps = [settle(id, 0, sample_failed(1)), accept(2, 1, 300)];
            sim.try_commit(&steps, Durability::Sync).expect_err("the sync failed");
            assert!(sim.is_failed());
            let store = sim.store.as_ref().expect("a process");
            assert!(store.spool.begin(None).is_err(), "a failed spool takes nothing");
            sim.ledger.shake();
            // Such a disk may hold all of it or nothing, and never a part.
            sim.crash(kind);
        }
    }
}

#[test]
fn history_9_intent_that_no_sync_covered_survives_the_failure_after_it() {
    for seed in 0..20 {
        for (act, octets) in [900, BLOB].into_iter().enumerate() {
            let (mut sim, id) = with_message(2, 900);
            sim.fs.reseed(seed);
            sim.commit(Step::Intent { id, recipients: vec![1] });
            let buffered = accept(7, 1, 300);
            sim.try_commit(&[buffered], Durability::Buffered).expect("commit");
            if act == 0 {
                commit_with_eio(&mut sim, &[accept(4, 1, octets)]);
                sim.forget_refused();
            } else {
                sim.fs.fail_fdatasync_at(sim.fs.counts().fdatasync + 1);
                sim.commit(settle(id, 0, sample_delivered(1)));
            }
            sim.check_living();
            sim.crash(CrashKind::Kill);
            let report = &sim.store.as_ref().expect("a process").report;
            assert_eq!(report.in_doubt, [id]);
            assert_eq!(sim.ledger.model.open.len(), 2, "the buffered message too");
        }
    }
}

// [RFC 5321 §4.2.5-a] test
#[test]
fn history_10_what_was_refused_for_a_failed_sync_does_not_come_back() {
    for seed in 0..20 {
        for (kind, octets) in BOTH.into_iter().zip([900, BLOB]) {
            let (mut sim, _) = with_message(1, 900);
            sim.fs.reseed(seed);
            // A large body has a sync of its own before.
            let syncs = if octets == BLOB { 2 } else { 1 };
            sim.fs.fail_fdatasync_at(sim.fs.counts().fdatasync + syncs);
            let refused = sim.try_commit(&[accept(4, 1, octets)], Durability::Sync);
            let refused = refused.expect_err("the sync failed");
            assert!(matches!(refused.0, StoreError::Io { .. }), "{refused:?}");
            sim.forget_refused();
            let blobs = sim.fs.paths().into_iter().filter(|path| path.starts_with("blob/"));
            assert_eq!(blobs.count(), 0, "the body of what was refused");
            // Life goes on, in the next segment.
            sim.commit(accept(3, 1, octets));
            sim.check_living();
            sim.crash(kind);
            sim.crash(CrashKind::PowerCut);
            assert_eq!(sim.ledger.model.open.len(), 2);
        }
    }
}

#[test]
fn history_10_again_with_a_crash_before_the_void_is_durable() {
    let set_up = || {
        let (mut sim, id) = with_message(1, 900);
        sim.commit(Step::Intent { id, recipients: vec![0] });
        (sim, id)
    };
    let act = |sim: &mut Sim, id| {
        sim.fs.fail_fdatasync_at(sim.fs.counts().fdatasync + 1);
        let refused = sim.try_commit(&[accept(4, 1, 900)], Durability::Sync);
        if sim.fs.has_crashed() {
            // Killed between the failed sync and its cure: what no sync covered is not safe.
            sim.ledger.shake();
            return refused.map(drop);
        }
        refused.expect_err("the sync failed");
        sim.forget_refused();
        sim.try_commit(&[settle(id, 0, sample_delivered(1))], Durability::Sync).map(drop)
    };
    crash_in_every_operation(&set_up, &BOTH, &act, &|sim| sim.crash(CrashKind::PowerCut));
}

#[test]
fn any_one_sync_of_a_workload_may_fail() {
    let (mut voided, mut ended) = (0, 0);
    let seeds = seeds(1, 3);
    for seed in seeds.clone() {
        for number in 1..60 {
            let mut sim = Sim::new(seed);
            let mut workload = Workload::new(seed);
            sim.fs.fail_fdatasync_at(sim.fs.counts().fdatasync + number);
            let mut refused = 0;
            for _ in 0..60 {
                if sim.run(&mut workload, 1).is_err() {
                    sim.forget_refused();
                    refused += 1;
                }
            }
            // One of a new segment's header ends the log.
            if sim.is_failed() {
                ended += 1;
            } else {
                assert!(refused <= 1, "{refused} refused");
            }
            let store = sim.store.as_ref().expect("a process");
            voided += store.spool.stats().expect("figures").voided;
            sim.check_living();
            sim.crash(BOTH[usize::try_from(number % 2).expect("small")]);
        }
    }
    assert!(voided > 33 * seeds.end && ended < 10 * seeds.end, "{voided} voided, {ended} ended");
}

#[test]
fn history_11_blob_survives_the_rot_of_its_accept() {
    let mut survived = 0;
    for seed in 0..40 {
        let (mut sim, _) = with_message(1, BLOB);
        // The mark must pass the Accept, and the segment must not be the last one.
        sim.commit(accept(2, 1, 100));
        let segment = sim.segments().pop().expect("a segment");
        sim.close();
        let mut rng = Rng::new(seed);
        let content = sim.fs.content(&segment).expect("the segment");
        let needle = b"Default Frontend";
        let at = content.windows(needle.len()).position(|w| w == needle).expect("the Accept");
        let at = at + rng.index(16);
        assert!(sim.fs.damage(&segment, |octets| octets[at] ^= 0x10));
        let store = crate::sim::open(&sim.fs).expect("opens");
        assert!(!store.report.quarantined.is_empty(), "{:?}", store.report);
        drop(store);
        let store = crate::sim::open(&sim.fs).expect("opens again");
        drop(store);
        let body = transom_queue::testing::sample_body(1, BLOB);
        let holds = |path: &String| {
            let content = sim.fs.content(path).unwrap_or_default();
            content.windows(64).any(|window| window == &body[..64])
        };
        let kept: Vec<String> = sim.fs.paths().into_iter().filter(holds).collect();
        assert!(!kept.is_empty(), "the blob is gone");
        survived += 1;
    }
    assert_eq!(survived, 40);
}

#[test]
fn history_12_bad_sector_in_a_segment_header_costs_nothing() {
    for sector in [0, 8] {
        let (mut sim, _) = with_message(2, 900);
        sim.roll();
        sim.commit(accept(2, 1, 900));
        for path in sim.segments() {
            let mut sim = sim.copy_without_process();
            sim.fs = sim.fs.crash(CrashKind::Kill);
            let start = sector * 512;
            assert!(sim.fs.damage(&path, |octets| octets[start..start + 512].fill(0)));
            let store = crate::sim::open(&sim.fs).expect("opens");
            assert_eq!(store.loaded.len(), 2, "{path}, sector {sector}: {:?}", store.report);
        }
    }
}

#[test]
fn history_13_suspension_survives_reclamation() {
    let (mut sim, id) = with_message(2, 900);
    sim.commit(admin(id, AdminVerb::Suspend));
    let copy = sim.commit(fork(id, &[1])).forks[0];
    sim.roll();
    sim.reclaim();
    sim.crash(CrashKind::PowerCut);
    for id in [id, copy] {
        assert!(sim.ledger.model.open[&id].state.suspended.is_some());
    }
}

#[test]
fn history_14_no_id_is_used_twice_after_a_clean_stop() {
    let (mut sim, id) = with_message(1, 900);
    sim.commit(admin(id, AdminVerb::Remove));
    sim.roll();
    sim.reclaim();
    for number in 2..6 {
        sim.reopen(crate::ledger::End::Clean);
        // The ledger checks every id against all that it ever saw.
        let id = sim.commit(accept(number, 1, 900)).accepted[0];
        sim.commit(admin(id, AdminVerb::Remove));
    }
}

#[test]
fn history_15_start_that_loses_its_header_and_keeps_a_later_batch() {
    let set_up = || {
        let (mut sim, id) = with_message(2, 900);
        sim.commit(settle(id, 0, sample_deferred(1)));
        sim.try_commit(&[accept(2, 1, 100)], Durability::Buffered).expect("commit");
        (sim, id)
    };
    let (first, _) = set_up();
    let fs = first.fs.crash(CrashKind::Kill);
    let before = fs.counts().total();
    let copy = fs.copy();
    crate::sim::open(&copy).expect("opens");
    let operations = copy.counts().total() - before;
    // The folders come first; what matters are the last operations of the start.
    for k in operations.saturating_sub(16)..=operations {
        for seed in seeds(12, 40) {
            let mut sim = first.copy_without_process();
            sim.fs = sim.fs.crash(CrashKind::Kill);
            sim.fs.reseed(seed);
            sim.fs.crash_at(sim.fs.counts().total() + k);
            drop(crate::sim::open(&sim.fs));
            sim.crash(CrashKind::PowerCut);
            sim.commit(accept(3, 1, 100));
            sim.crash(CrashKind::PowerCut);
        }
    }
}

#[test]
fn history_16_header_that_only_the_cache_had_is_lost_after_the_restart() {
    let set_up = || with_message(2, 900);
    let act = |sim: &mut Sim, _| {
        for number in 0..6 {
            sim.try_commit(&[accept(200 + number, 1, 3_500)], Durability::Sync)?;
        }
        Ok(())
    };
    for later in BOTH {
        crash_in_every_operation(&set_up, &[CrashKind::Kill], &act, &|sim| {
            sim.crash(later);
            sim.commit(accept(300, 1, 500));
            sim.crash(CrashKind::PowerCut);
        });
    }
}
