//! What a message takes in the index of the log, counted at the allocator.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "tests fail by panic")]

use std::alloc::System;
use std::sync::Arc;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use transom_queue::testing::{SimFs, block_on, sample_message};
use transom_queue::{Accept, Driver, Durability, Op, SegLog, SegLogOptions, Spool};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

// A sixteenth of a million or so: tables that double are as full then.
const MESSAGES: u64 = 61_440;
const BATCH: u64 = 512;

fn options() -> SegLogOptions {
    SegLogOptions::default().with_driver(Driver::Inline).with_reserve_octets(0)
}

/// A log, opened, and what it takes.
fn opened(fs: &SimFs) -> (SegLog, u64) {
    let region = Region::new(ALLOCATOR);
    let log = SegLog::open(Arc::new(fs.clone()), options()).expect("opens");
    let change = region.change();
    (log, u64::try_from(change.bytes_allocated - change.bytes_deallocated).unwrap())
}

#[test]
fn message_with_one_recipient_takes_52_octets_in_the_index_at_most() {
    let fs = SimFs::new(1);
    drop(opened(&fs));
    let (log, empty) = opened(&fs);
    for batch in 0..MESSAGES / BATCH {
        let accept = |number| {
            let body = block_on(log.begin(None).expect("begins").finish()).expect("a body");
            let message = sample_message(3 * (batch * BATCH + number), 1, 0);
            Op::Accept(Box::new(Accept { body, message }))
        };
        let ops = (0..BATCH).map(accept).collect();
        block_on(log.commit(ops, Durability::Sync)).expect("commits");
    }
    drop(log);
    let (log, octets) = opened(&fs);
    assert_eq!(log.stats().messages, MESSAGES);
    let octets = octets.saturating_sub(empty);
    println!("{} octets a message", octets / MESSAGES);
    assert!(octets <= MESSAGES * 52, "{} octets a message", octets / MESSAGES);
    // It counts at all: a message has at least its entry.
    assert!(octets >= MESSAGES * 40, "{} octets a message", octets / MESSAGES);
}
