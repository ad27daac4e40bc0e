//! What a queued message takes, counted at the allocator.

mod scheduler_support;

use std::alloc::System;

use scheduler_support::{enqueue, some_instant};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use transom_queue::{Scheduler, SchedulerOptions};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

// An eighth of the million that the bench measures: tables that double are as full then.
const MESSAGES: u64 = 125_000;

#[test]
fn queued_message_with_one_recipient_takes_120_octets_at_most() {
    let now = some_instant();
    let region = Region::new(ALLOCATOR);
    let mut scheduler = Scheduler::new(SchedulerOptions::default());
    for message in 0..MESSAGES {
        scheduler.enqueue(now, enqueue(now, message, &format!("{}.example", message % 100)));
    }
    let change = region.change();
    let octets = u64::try_from(change.bytes_allocated - change.bytes_deallocated).unwrap();
    assert_eq!(scheduler.message_count(), usize::try_from(MESSAGES).unwrap());
    assert!(octets <= MESSAGES * 120, "{} octets a message", octets / MESSAGES);
    // It counts at all: a message has at least its two entries.
    assert!(octets >= MESSAGES * 96, "{} octets a message", octets / MESSAGES);
}
