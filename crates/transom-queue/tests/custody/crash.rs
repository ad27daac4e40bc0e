//! Crash at every operation: a mixed workload ends in the middle of its k-th operation on the disk,
//! for k = 1, 2, .., by kill and by power cut; so do recoveries. After each restart P1 to P5 hold.

use std::collections::BTreeMap;
use std::env;
use std::thread;

use transom_queue::testing::{CrashKind, Rng, SimFs};
use transom_queue::{Durability, Settled};

use crate::ledger::{End, Ledger};
use crate::model::Step;
use crate::sim::{Sim, empty_spool, end_of, is_full, open};
use crate::workload::Workload;

const LIVES: usize = 3;
const COMMITS_A_LIFE: usize = 25;

/// One crash, repeated by `TRANSOM_CRASH="<seed> <k> <kill|power>"`.
#[derive(Debug)]
struct Case {
    seed: u64,
    k: u64,
    kind: CrashKind,
}

impl Drop for Case {
    fn drop(&mut self) {
        if thread::panicking() {
            let kind = if self.kind == CrashKind::Kill { "kill" } else { "power" };
            println!("repeat with TRANSOM_CRASH=\"{} {} {kind}\"", self.seed, self.k);
        }
    }
}

/// What was tried, printed at the end.
#[derive(Debug, Default)]
struct Figures {
    crashes: u64,
    crashes_in_recovery: u64,
    states: u64,
}

/// A number from the environment, so that a longer run needs no edit.
fn setting(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Lives on `fs` one after the other, each ended in order, until a fault ends one.
/// True when the end was reached.
fn live(sim: &mut Sim, workload: &mut Workload, opens: &mut Vec<(u64, u64)>) -> bool {
    for _ in 0..LIVES {
        let before = sim.fs.counts().total();
        let Ok(store) = open(&sim.fs) else { return false };
        opens.push((before, sim.fs.counts().total()));
        sim.ledger.check_reopened(&store, End::Clean);
        sim.store = Some(store);
        let ran = sim.run(workload, COMMITS_A_LIFE);
        if sim.fs.has_crashed() {
            return false;
        }
        ran.expect("commits without a fault");
        sim.check_living();
        sim.close();
        if sim.fs.has_crashed() {
            return false;
        }
    }
    true
}

/// Runs one case. `rng` decides over everything after the crash.
fn run_case(base: &SimFs, case: &Case, figures: &mut Figures) {
    let mut sim = Sim { fs: base.copy(), ledger: Ledger::default(), store: None };
    let mut rng = Rng::new(case.seed ^ case.k << 20);
    sim.fs.reseed(rng.next_u64());
    sim.fs.crash_at(base.counts().total() + case.k);
    let mut workload = Workload::new(case.seed);
    let finished = live(&mut sim, &mut workload, &mut Vec::new());
    assert!(!finished, "operation {} was never reached", case.k);
    let end = recover(&mut sim, case.kind, &mut rng, figures);
    figures.crashes += 1;
    assert_ne!(end, End::Clean);
    // What was found counts from now on, whatever ends this life.
    let _ = sim.run(&mut workload, 3);
    sim.check_living();
    let other = if case.kind == CrashKind::Kill { CrashKind::PowerCut } else { CrashKind::Kill };
    sim.crash(other);
    sim.crash(CrashKind::PowerCut);
    figures.states += 2;
}

/// Crashes and opens, and crashes the first openings too, now and then.
fn recover(sim: &mut Sim, kind: CrashKind, rng: &mut Rng, figures: &mut Figures) -> End {
    let mut kind = kind;
    let mut end = End::Kill;
    for attempt in 0..4 {
        let old = sim.store.take();
        sim.fs = sim.fs.crash(kind);
        drop(old);
        if end_of(kind) == End::PowerCut {
            end = End::PowerCut;
        }
        if attempt < 3 && rng.one_in(2) {
            // The folders take hundreds of operations, the log a few: both get their share.
            let within = if rng.one_in(2) { 30 } else { 300 };
            sim.fs.crash_at(sim.fs.counts().total() + 1 + rng.below(within));
        }
        match open(&sim.fs) {
            Ok(store) if !sim.fs.has_crashed() => {
                figures.states += 1;
                sim.fs.crash_at(u64::MAX);
                sim.ledger.check_reopened(&store, end);
                sim.store = Some(store);
                return end;
            }
            Ok(_) => {}
            Err(error) => assert!(sim.fs.has_crashed(), "cannot open: {error}"),
        }
        figures.crashes_in_recovery += 1;
        kind = if rng.one_in(2) { CrashKind::Kill } else { CrashKind::PowerCut };
    }
    unreachable!("the last attempt has no crash")
}

/// The operations at which to crash: all but some of the many syncs of folders in an opening.
fn operations(base: &SimFs, seed: u64) -> Vec<u64> {
    let mut sim = Sim { fs: base.copy(), ledger: Ledger::default(), store: None };
    let mut opens = Vec::new();
    let start = sim.fs.counts().total();
    assert!(live(&mut sim, &mut Workload::new(seed), &mut opens), "runs untouched");
    let last = sim.fs.counts().total();
    let wanted = |operation: &u64| {
        let within = opens.iter().find(|(from, to)| (from + 1..=*to).contains(operation));
        within.is_none_or(|(from, to)| {
            operation - from <= 4 || to - operation <= 14 || operation.is_multiple_of(23)
        })
    };
    (start + 1..=last).filter(wanted).map(|operation| operation - start).collect()
}

// [RFC 5321 §2.1-a, §6.1-a] test
#[test]
fn crash_at_every_operation_loses_nothing_and_brings_nothing_back() {
    let mut figures = Figures::default();
    if let Ok(text) = env::var("TRANSOM_CRASH") {
        let parts: Vec<&str> = text.split(' ').collect();
        let kind = if parts[2] == "kill" { CrashKind::Kill } else { CrashKind::PowerCut };
        let (seed, k) = (parts[0].parse().unwrap(), parts[1].parse().unwrap());
        run_case(&empty_spool(seed), &Case { seed, k, kind }, &mut figures);
        return;
    }
    let mut count = 0u64;
    let stride = usize::try_from(setting("TRANSOM_CRASH_STRIDE", 1)).unwrap();
    for seed in 1..=setting("TRANSOM_CRASH_SEEDS", 1) {
        let base = empty_spool(seed);
        for k in operations(&base, seed).into_iter().step_by(stride) {
            let kinds = [CrashKind::Kill, CrashKind::PowerCut].into_iter().zip(0u64..);
            for (kind, _) in kinds.filter(|(_, turn)| is_full() || count % 2 == *turn) {
                run_case(&base, &Case { seed, k, kind }, &mut figures);
            }
            count += 1;
        }
    }
    // Each state was held to the ledger; one that failed would have ended the test.
    let Figures { crashes, crashes_in_recovery, states } = figures;
    println!(
        "{count} operations, stride {stride}: {crashes} crashes and {crashes_in_recovery} in \
         recovery, {states} states tried: 0 lost, 0 resurrected, 0 served to the wrong message"
    );
}

#[test]
fn crash_while_the_spool_is_made_leaves_one_that_opens() {
    let made = empty_spool(1).counts().total();
    let mut states = 0;
    for k in (1..=made).filter(|k| *k <= 20 || made - k <= 20 || k % 29 == 0) {
        for kind in [CrashKind::Kill, CrashKind::PowerCut] {
            let fs = SimFs::new(k);
            fs.crash_at(k);
            let _ = open(&fs);
            assert!(fs.has_crashed(), "operation {k} of {made}");
            let mut sim = Sim { fs: fs.crash(kind), ledger: Ledger::default(), store: None };
            sim.reopen(end_of(kind));
            sim.commit(Step::Accept { number: k, recipients: 1, octets: 100 });
            sim.crash(CrashKind::PowerCut);
            states += 2;
        }
    }
    println!("{made} operations make a spool: {states} states");
}

/// A short history: what it does on an empty spool.
type Script = fn(&mut Sim) -> Option<()>;

fn commit(sim: &mut Sim, steps: &[Step], durability: Durability) -> Option<Vec<u64>> {
    let commit = sim.try_commit(steps, durability).ok()?;
    Some(commit.accepted.iter().map(|id| id.0).collect())
}

fn accept(number: u64, octets: usize) -> Step {
    Step::Accept { number, recipients: 2, octets }
}

fn settle(id: u64, recipient: u32, terminal: bool) -> Step {
    use transom_queue::testing::{sample_deferred, sample_failed};
    let outcome = if terminal { sample_failed(1) } else { sample_deferred(1) };
    let settled = vec![Settled { recipient, outcome, attempted: true, retry_at: None }];
    Step::Settle { id: transom_types::InternalMessageId(id), settled, delay_notified: false }
}

const SCRIPTS: &[(&str, Script)] = &[
    ("accept twice", |sim| {
        commit(sim, &[accept(1, 300)], Durability::Sync)?;
        commit(sim, &[accept(2, 300), accept(3, 0)], Durability::Sync)?;
        Some(())
    }),
    ("accept and fail with a report", |sim| {
        let id = commit(sim, &[accept(1, 300)], Durability::Sync)?[0];
        commit(sim, &[settle(id, 0, true), accept(2, 200)], Durability::Sync)?;
        commit(sim, &[settle(id, 1, true)], Durability::Sync)?;
        Some(())
    }),
    ("intent, then its outcome", |sim| {
        let id = commit(sim, &[accept(1, 100)], Durability::Sync)?[0];
        let message = transom_types::InternalMessageId(id);
        let intent = Step::Intent { id: message, recipients: vec![0] };
        commit(sim, &[intent], Durability::Sync)?;
        commit(sim, &[settle(id, 0, true)], Durability::Sync)?;
        Some(())
    }),
    ("buffered commits before a synced one", |sim| {
        let id = commit(sim, &[accept(1, 100)], Durability::Buffered)?[0];
        commit(sim, &[settle(id, 0, false)], Durability::Buffered)?;
        commit(sim, &[settle(id, 0, true)], Durability::Sync)?;
        Some(())
    }),
    ("fork and its parent's end", |sim| {
        let id = commit(sim, &[accept(1, 200)], Durability::Sync)?[0];
        let parent = transom_types::InternalMessageId(id);
        let fork = Step::Categorize { id: parent, forks: vec![vec![1]] };
        commit(sim, &[fork], Durability::Sync)?;
        commit(sim, &[settle(id, 0, true)], Durability::Sync)?;
        Some(())
    }),
    ("a body in a file of its own", |sim| {
        let id = commit(sim, &[accept(1, 4_500)], Durability::Sync)?[0];
        commit(sim, &[settle(id, 0, true), settle(id, 1, true)], Durability::Sync)?;
        Some(())
    }),
    ("restart in order", |sim| {
        commit(sim, &[accept(1, 100)], Durability::Sync)?;
        sim.close();
        let store = open(&sim.fs).ok()?;
        sim.ledger.check_reopened(&store, End::Clean);
        sim.store = Some(store);
        commit(sim, &[accept(2, 100)], Durability::Sync)?;
        Some(())
    }),
];

#[test]
fn every_subset_of_unsynced_sectors_is_survived_in_short_histories() {
    let exhaustive = if is_full() { 12 } else { 9 };
    let (mut all, mut sampled) = (0u64, 0u64);
    let mut sizes: BTreeMap<usize, u64> = BTreeMap::new();
    for (name, script) in SCRIPTS {
        let first = Sim::new(1);
        let base = first.fs.counts().total();
        let fs = first.fs.crash(CrashKind::Kill);
        drop(first);
        // A life that begins here, and how many operations it takes.
        let begin = || {
            let mut sim = Sim { fs: fs.copy(), ledger: Ledger::default(), store: None };
            sim.reopen(End::Kill);
            sim
        };
        let mut whole = begin();
        let from = whole.fs.counts().total();
        script(&mut whole).expect("runs untouched");
        let operations = whole.fs.counts().total() - from;
        assert!(base < from);
        for k in 1..=operations {
            if name.contains("restart") && k % 11 != 0 && operations - k > 16 && k > 4 {
                continue; // the many syncs of folders
            }
            let mut sim = begin();
            sim.fs.reseed(k);
            sim.fs.crash_at(sim.fs.counts().total() + k);
            assert!(script(&mut sim).is_none() || sim.fs.has_crashed(), "{name}: {k}");
            let old = sim.store.take();
            let unsynced = sim.fs.unsynced();
            *sizes.entry(unsynced).or_default() += 1;
            let masks: Vec<u64> = if unsynced <= exhaustive {
                all += 1 << unsynced;
                (0..1 << unsynced).collect()
            } else {
                sampled += 64;
                let mut rng = Rng::new(k);
                (0..64).map(|_| rng.next_u64()).collect()
            };
            for mask in masks {
                let mut cut = sim.copy_without_process();
                let told = Told { name, k, mask };
                cut.fs = cut.fs.power_cut_keeping(mask);
                cut.reopen(End::PowerCut);
                drop(told);
            }
            drop(old);
        }
    }
    println!("{all} states, every subset; {sampled} states, sampled; unsynced things: {sizes:?}");
}

struct Told<'n> {
    name: &'n str,
    k: u64,
    mask: u64,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("history {:?}, operation {}, kept {:#b}", self.name, self.k, self.mask);
        }
    }
}

/// Whether power cuts on a disk with this flaw are noticed.
fn is_found_out(flaw: fn(&SimFs)) -> bool {
    (0..20).any(|seed| {
        let run = || {
            let mut sim = Sim::new(seed);
            flaw(&sim.fs);
            sim.run(&mut Workload::new(seed), 30).expect("commits");
            sim.crash(CrashKind::PowerCut);
        };
        std::panic::catch_unwind(run).is_err()
    })
}

#[test]
fn disk_that_lies_is_found_out_so_these_tests_can_fail() {
    assert!(is_found_out(SimFs::lie_about_fdatasync));
    assert!(is_found_out(SimFs::lie_about_fsync_dir));
    assert!(!is_found_out(|_| {}));
}
