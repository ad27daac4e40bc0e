//! Any order of commits, restarts, crashes and lack of room: after each restart the model holds.

use std::io::ErrorKind;

use proptest::prelude::*;
use transom_queue::testing::CrashKind;

use crate::ledger::End;
use crate::sim::Sim;
use crate::workload::Workload;

#[derive(Clone, Copy, Debug)]
enum Action {
    Commits(usize),
    Restart,
    Crash(CrashKind),
    /// The operation with this distance ends the process.
    CrashWithin(u64, CrashKind),
    /// The operation with this distance fails, the process lives on.
    FailWithin(u64, ErrorKind),
    /// So many octets are left.
    Room(u64),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let kind = prop_oneof![Just(CrashKind::Kill), Just(CrashKind::PowerCut)];
    let error = prop_oneof![Just(ErrorKind::StorageFull), Just(ErrorKind::Other)];
    let action = prop_oneof![
        6 => (1..12usize).prop_map(Action::Commits),
        1 => Just(Action::Restart),
        2 => kind.clone().prop_map(Action::Crash),
        2 => (1..20u64, kind).prop_map(|(k, kind)| Action::CrashWithin(k, kind)),
        2 => (1..20u64, error).prop_map(|(k, error)| Action::FailWithin(k, error)),
        1 => (0..20_000u64).prop_map(Action::Room),
    ];
    prop::collection::vec(action, 1..14)
}

fn run(seed: u64, actions: &[Action]) {
    let mut sim = Sim::new(seed);
    let mut workload = Workload::new(seed);
    for action in actions {
        match *action {
            Action::Commits(count) => sim.run(&mut workload, count).expect("commits"),
            Action::Restart => sim.reopen(End::Clean),
            Action::Crash(kind) => sim.crash(kind),
            Action::CrashWithin(k, kind) => {
                sim.fs.crash_at(sim.fs.counts().total() + k);
                let _ = sim.run(&mut workload, 12);
                sim.crash(kind);
            }
            Action::FailWithin(k, error) => {
                sim.fs.fail_at(sim.fs.counts().total() + k, error);
                if sim.run(&mut workload, 12).is_err() {
                    // Whatever it was, what it refused must not come back, also when life goes on.
                    sim.forget_refused();
                    if sim.run(&mut workload, 3).is_err() {
                        sim.forget_refused();
                    }
                }
                sim.crash(if k % 2 == 0 { CrashKind::Kill } else { CrashKind::PowerCut });
            }
            Action::Room(octets) => {
                sim.fs.set_octets_max(Some(sim.fs.octets() + octets));
                if sim.run(&mut workload, 12).is_err() {
                    sim.forget_refused();
                }
                sim.fs.set_octets_max(None);
                sim.crash(if octets % 2 == 0 { CrashKind::Kill } else { CrashKind::PowerCut });
            }
        }
        sim.check_living();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_order_of_commits_faults_and_restarts_keeps_custody(
        seed in 0..1_000_000u64,
        actions in actions(),
    ) {
        run(seed, &actions);
    }
}
