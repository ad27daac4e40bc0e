//! What a million queued messages cost: octets each, time to take one in, to start and end an
//! attempt, the longest poll, and what they cost the mail of others when their destination is
//! dead.
//!
//! `cargo bench -p transom-queue --bench scheduler`
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reads the clock, prints what it measured, and may panic on its own input"
)]

use std::alloc::System;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use transom_queue::{
    Completed, ConnectionResult, Dispatch, Enqueue, Priority, Scheduler, SchedulerAction,
    SchedulerOptions,
};
use transom_types::{
    ConnectorId, DeliveryType, InternalMessageId, NextHop, NextHopDomain, TlsClass,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MILLION: u64 = 1_000_000;

/// Messages to others than the dead destination.
const OTHERS: u64 = 1000;

fn enqueue(now: Instant, message: u64, name: &str) -> Enqueue {
    Enqueue {
        message: InternalMessageId(message),
        next_hop: NextHop {
            kind: DeliveryType::DnsConnectorDelivery,
            domain: NextHopDomain::new(name),
            connector: ConnectorId::new("internet"),
            tls: TlsClass::Normal,
        },
        recipients: vec![0],
        due: None,
        received_at: std::time::SystemTime::UNIX_EPOCH,
        expires_at: now + Duration::from_hours(48),
        delay_notice_at: Some(now + Duration::from_hours(4)),
        octets: 4096,
        attempts: 0,
        priority: Priority::Normal,
    }
}

fn nanos_each(took: Duration, count: u64) -> u128 {
    took.as_nanos() / u128::from(count)
}

/// A million messages to a hundred destinations come, wait, and go.
fn memory_and_speed() {
    let begin = Instant::now();
    let region = Region::new(ALLOCATOR);
    let mut scheduler = Scheduler::new(SchedulerOptions::default());
    let names: Vec<String> = (0..100).map(|name| format!("{name}.example")).collect();
    let start = Instant::now();
    for (message, name) in (0..MILLION).zip(names.iter().cycle()) {
        // Half of them wait for a time of their own, spread over an hour.
        let due = (message % 2 == 0).then(|| begin + Duration::from_millis(message * 3 + 1));
        scheduler.enqueue(begin, Enqueue { due, ..enqueue(begin, message, name) });
    }
    let took = start.elapsed();
    let change = region.change();
    let octets = u64::try_from(change.bytes_allocated - change.bytes_deallocated).unwrap();
    println!("octets a message at 1 M: {:.1}", octets as f64 / 1e6);
    println!("enqueue: {} ns each", nanos_each(took, MILLION));
    assert!(octets <= 120 * MILLION);

    let start = Instant::now();
    let (mut at, mut ended, mut longest) = (begin, 0u64, Duration::ZERO);
    loop {
        let before = Instant::now();
        let action = scheduler.poll(at);
        longest = longest.max(before.elapsed());
        match action {
            SchedulerAction::Start(dispatch) => {
                let done = Completed { retries: vec![], connection: ConnectionResult::Used };
                scheduler.complete(at, dispatch.token, done);
                ended += 1;
            }
            SchedulerAction::Wait(Some(until)) => at = until.max(at),
            SchedulerAction::Wait(None) => break,
            _ => {}
        }
    }
    let took = start.elapsed();
    assert_eq!(ended, MILLION);
    println!("start and complete: {} ns each", nanos_each(took, MILLION));
    println!("longest poll: {} us", longest.as_micros());
}

/// Until the first attempts of messages that have just come.
#[derive(Clone, Copy)]
struct FirstAttempts {
    /// Simulated seconds, on average.
    mean: f64,
    /// Simulated seconds of the last one.
    last: u64,
    /// What our own work took, each, by the clock.
    work: Duration,
}

/// A thousand messages to others come behind `dead` messages to a destination whose connections
/// time out after 30 seconds; the others take one.
fn first_attempts(dead: u64) -> FirstAttempts {
    let begin = Instant::now();
    let mut scheduler = Scheduler::new(SchedulerOptions::default().with_inflight_max(100));
    for message in 0..dead {
        scheduler.enqueue(begin, enqueue(begin, message, "dead.example"));
    }
    let names: Vec<String> = (0..250).map(|name| format!("{name}.example")).collect();
    let start = Instant::now();
    for (message, name) in (dead..dead + OTHERS).zip(names.iter().cycle()) {
        scheduler.enqueue(begin, enqueue(begin, message, name));
    }
    let mut ends: BTreeMap<u64, Vec<Dispatch>> = BTreeMap::new();
    let (mut started, mut waited, mut last) = (0u64, 0.0, 0);
    for second in 0.. {
        let at = begin + Duration::from_secs(second);
        for dispatch in ends.remove(&second).unwrap_or_default() {
            let done = if dispatch.message.0 < dead {
                let retries = vec![(dispatch.recipients, at)];
                Completed { retries, connection: ConnectionResult::Failed }
            } else {
                Completed { retries: vec![], connection: ConnectionResult::Used }
            };
            scheduler.complete(at, dispatch.token, done);
        }
        while let SchedulerAction::Start(dispatch) = scheduler.poll(at) {
            let is_dead = dispatch.message.0 < dead;
            if !is_dead {
                started += 1;
                waited += second as f64;
                last = second;
            }
            let takes = if is_dead { 30 } else { 1 };
            ends.entry(second + takes).or_default().push(dispatch);
        }
        if started == OTHERS {
            break;
        }
    }
    let work = start.elapsed() / u32::try_from(OTHERS).unwrap();
    FirstAttempts { mean: waited / OTHERS as f64, last, work }
}

fn main() {
    memory_and_speed();
    // The best of several: what our work takes is measured, not that of the neighbours.
    let best = |dead| {
        let runs: Vec<FirstAttempts> = (0..5).map(|_| first_attempts(dead)).collect();
        FirstAttempts { work: runs.iter().map(|run| run.work).min().unwrap(), ..runs[0] }
    };
    let (without, with) = (best(0), best(MILLION));
    println!("first attempt of 1,000 others after, simulated seconds (our own work each):");
    for (name, run) in [("alone", without), ("beside 1 M to a dead destination", with)] {
        println!("  {name}: {:.2} on average, {} at last ({:?})", run.mean, run.last, run.work);
    }
    let ratio = with.mean / without.mean;
    println!("  ratio: {ratio:.3}");
    assert!(ratio <= 1.1);
    // The places that the dead one holds may cost the last ones a round.
    assert!(with.last <= without.last + 1);
}
