//! The model against the store in memory: they must agree before a disk comes in.

use transom_queue::{AdminVerb, Durability, MemoryOptions, MemorySpool, Spool, StoreError};
use transom_types::InternalMessageId;

use crate::ledger::Ledger;
use crate::model::Step;
use crate::workload::Workload;

#[test]
fn memory_spool_and_model_agree_over_long_workloads() {
    for seed in 0..20 {
        let spool = MemorySpool::default();
        let (mut ledger, mut workload) = (Ledger::default(), Workload::new(seed));
        for _ in 0..200 {
            let (steps, durability) = workload.next(&ledger.now());
            ledger.commit(&spool, &steps, durability).expect("commit");
        }
        ledger.check_living(&spool);
    }
}

#[test]
fn full_memory_is_freed_by_the_last_copy() {
    let options = MemoryOptions::default().with_octets_max(10_000);
    let spool = MemorySpool::new(options);
    let mut ledger = Ledger::default();
    let big = |number| Step::Accept { number, recipients: 2, octets: 6_000 };
    let commit = |ledger: &mut Ledger, step| ledger.commit(&spool, &[step], Durability::Sync);
    let id = commit(&mut ledger, big(1)).expect("room").accepted[0];
    let refused = commit(&mut ledger, big(2)).expect_err("no room");
    assert_eq!(refused.0, StoreError::Full { resource: "octets" });
    let step = Step::Categorize { id, forks: vec![vec![1]] };
    let fork = commit(&mut ledger, step).expect("forks share").forks[0];
    let remove = |id: InternalMessageId| Step::Admin { id, verb: AdminVerb::Remove };
    commit(&mut ledger, remove(id)).expect("removed");
    assert!(commit(&mut ledger, big(3)).is_err(), "the fork still holds the body");
    commit(&mut ledger, remove(fork)).expect("removed");
    commit(&mut ledger, big(4)).expect("room again");
}

#[test]
fn no_ingest_begins_with_all_messages_in_use() {
    let spool = MemorySpool::new(MemoryOptions::default().with_messages_max(2));
    let mut ledger = Ledger::default();
    for number in 0..2 {
        let step = Step::Accept { number, recipients: 1, octets: 10 };
        ledger.commit(&spool, &[step], Durability::Sync).expect("commit");
    }
    assert_eq!(spool.begin(None).map(drop), Err(StoreError::Full { resource: "messages" }));
}
