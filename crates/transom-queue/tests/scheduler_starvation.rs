//! Nobody starves: not behind a dead destination, not behind a large message, not behind more
//! urgent mail, not beside a slow neighbour. Steps and simulated seconds are counted.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod scheduler_support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use scheduler_support::{deferred_now, enqueue, options, some_instant, start, used};
use transom_queue::{
    Completed, ConnectionResult, Dispatch, Enqueue, Priority, RateLimit, Scheduler,
    SchedulerAction, SchedulerOptions,
};
use transom_types::NextHopDomain;

/// Steps until the first attempt of each of a thousand new messages, with `dead` messages to a
/// destination that never answers.
fn steps_to_first_attempts(dead: u64) -> u32 {
    let begin = some_instant();
    let mut scheduler = Scheduler::new(options().with_inflight_max(2000));
    for message in 0..dead {
        scheduler.enqueue(begin, enqueue(begin, message, "dead.example"));
    }
    // The dead one has failed for hours.
    let mut now = begin;
    while now < begin + Duration::from_hours(3) {
        match scheduler.poll(now) {
            SchedulerAction::Start(dispatch) => {
                let connection = ConnectionResult::Failed;
                let failed = Completed { connection, ..deferred_now(&dispatch, now) };
                scheduler.complete(now, dispatch.token, failed);
            }
            SchedulerAction::Wait(Some(until)) => now = until,
            _ => break,
        }
    }
    for message in dead..dead + 1000 {
        scheduler.enqueue(now, enqueue(now, message, &format!("{}.example", message % 250)));
    }
    let (mut steps, mut started) = (0, 0);
    while started < 1000 {
        steps += 1;
        if let SchedulerAction::Start(dispatch) = scheduler.poll(now) {
            started += u32::from(dispatch.next_hop.domain.as_str() != "dead.example");
        }
    }
    steps
}

#[test]
fn dead_destination_with_a_hundred_thousand_messages_delays_nobody() {
    let (with, without) = (steps_to_first_attempts(100_000), steps_to_first_attempts(0));
    assert!(with * 10 <= without * 11, "{with} steps with it, {without} without");
}

/// Seconds until the first attempts of a thousand new messages, all together and the last one,
/// with `dead` messages before them to a destination whose connections hang for half a minute.
fn seconds_to_first_attempts(dead: u64) -> (u64, u64) {
    let begin = some_instant();
    let mut scheduler = Scheduler::new(SchedulerOptions::default().with_inflight_max(100));
    for message in 0..dead {
        scheduler.enqueue(begin, enqueue(begin, message, "dead.example"));
    }
    for message in dead..dead + 1000 {
        scheduler.enqueue(begin, enqueue(begin, message, &format!("{}.example", message % 250)));
    }
    let mut ends: BTreeMap<u64, Vec<Dispatch>> = BTreeMap::new();
    let (mut started, mut waited, mut second) = (0, 0, 0);
    loop {
        let now = begin + Duration::from_secs(second);
        for dispatch in ends.remove(&second).unwrap_or_default() {
            let done = if dispatch.message.0 < dead {
                Completed { connection: ConnectionResult::Failed, ..deferred_now(&dispatch, now) }
            } else {
                used()
            };
            scheduler.complete(now, dispatch.token, done);
        }
        while let SchedulerAction::Start(dispatch) = scheduler.poll(now) {
            let takes = if dispatch.message.0 < dead { 30 } else { 1 };
            if takes == 1 {
                started += 1;
                waited += second;
            }
            ends.entry(second + takes).or_default().push(dispatch);
        }
        if started == 1000 {
            return (waited, second);
        }
        second += 1;
        assert!(second < 100, "{started} began in {second} seconds");
    }
}

#[test]
fn first_attempts_of_others_come_as_soon_beside_a_dead_destination() {
    let (alone, beside) = (seconds_to_first_attempts(0), seconds_to_first_attempts(100_000));
    assert!(beside.0 * 10 <= alone.0 * 11, "{beside:?} seconds beside it, {alone:?} alone");
    // The places that the dead one holds may cost the last ones a round.
    assert!(beside.1 <= alone.1 + 1, "{beside:?} seconds beside it, {alone:?} alone");
}

/// Many deadlines that come at once share the driver with attempts, one by one.
#[test]
fn flood_of_expiries_holds_no_attempt_up() {
    const OLD: u64 = 20_000;
    let begin = some_instant();
    let mut scheduler = Scheduler::new(options());
    let expires_at = begin + Duration::from_mins(1);
    for message in 0..OLD {
        let unit = Enqueue { expires_at, ..enqueue(begin, message, "dead.example") };
        let queue = scheduler.enqueue(begin, unit);
        scheduler.suspend_queue(begin, queue);
    }
    for message in OLD..OLD + 100 {
        scheduler.enqueue(expires_at, enqueue(begin, message, &format!("{message}.example")));
    }
    let (mut attempts, mut expired) = (0, 0);
    while attempts < 100 {
        match scheduler.poll(expires_at) {
            SchedulerAction::Start(_) => attempts += 1,
            SchedulerAction::Expire(_) => expired += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(expired <= 101, "{expired} went before a hundred attempts");
    while let SchedulerAction::Expire(_) = scheduler.poll(expires_at) {
        expired += 1;
    }
    assert_eq!(expired, OLD);
}

#[test]
fn small_message_does_not_wait_behind_a_large_one() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options().with_inflight_max(1));
    for recipient in 0..100_000 {
        let unit = Enqueue { recipients: vec![recipient], ..enqueue(now, 1, "a.example") };
        scheduler.enqueue(now, unit);
    }
    for message in 100..200 {
        scheduler.enqueue(now, enqueue(now, message, "a.example"));
    }
    let mut attempts = 0;
    let mut small = 0;
    while small < 100 {
        let dispatch = start(&mut scheduler, now);
        attempts += 1;
        small += u32::from(dispatch.message.0 >= 100);
        scheduler.complete(now, dispatch.token, used());
    }
    // Five units of the large message had places among the small.
    assert!(attempts <= 2 * 105, "{attempts} attempts for 100 small messages");
}

#[test]
fn lower_priorities_get_their_share_beside_a_flood_of_urgent_mail() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options().with_inflight_max(1));
    let mut counts = BTreeMap::new();
    for (rank, priority) in (0u64..).zip(Priority::ALL) {
        for message in 0..2000 {
            let unit = enqueue(now, rank * 10_000 + message, "a.example");
            scheduler.enqueue(now, Enqueue { priority, ..unit });
        }
    }
    for _ in 0..3100 {
        let dispatch = start(&mut scheduler, now);
        *counts.entry(dispatch.message.0 / 10_000).or_insert(0) += 1;
        scheduler.complete(now, dispatch.token, used());
    }
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [1600, 800, 400, 200, 100]);
}

#[test]
fn connection_that_asks_for_more_does_not_serve_urgent_mail_alone() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(options().with_per_queue_max(1));
    for message in 0..600 {
        let priority = if message < 300 { Priority::High } else { Priority::Normal };
        scheduler.enqueue(now, Enqueue { priority, ..enqueue(now, message, "a.example") });
    }
    let mut busy = start(&mut scheduler, now);
    let mut normal = 0;
    for _ in 0..120 {
        scheduler.complete(now, busy.token, used());
        busy = scheduler.next_for(now, busy.queue).expect("no other queue waits");
        normal += u32::from(busy.message.0 >= 300);
    }
    assert!((36..=44).contains(&normal), "{normal} of 120, for a weight of 4 in 12");
}

/// Runs for `seconds` with sites that always have more to send; gives the attempts of each.
fn attempts_of_sites(places: u32, seconds: u64, takes: &[u64]) -> Vec<f64> {
    let begin = some_instant();
    let mut scheduler = Scheduler::new(options().with_inflight_max(places));
    let mut message = 0;
    let mut feed = |scheduler: &mut Scheduler, now: Instant, site: usize| {
        message += 1;
        scheduler.enqueue(now, enqueue(now, message, &format!("{site}.example")));
    };
    for site in 0..takes.len() {
        for _ in 0..50 {
            feed(&mut scheduler, begin, site);
        }
    }
    let mut attempts = vec![0.0; takes.len()];
    let mut ends: BTreeMap<u64, Vec<_>> = BTreeMap::new();
    for second in 0..seconds {
        let now = begin + Duration::from_secs(second);
        for token in ends.remove(&second).unwrap_or_default() {
            scheduler.complete(now, token, used());
        }
        while let SchedulerAction::Start(dispatch) = scheduler.poll(now) {
            let name = dispatch.next_hop.domain.as_str().split('.').next().unwrap();
            let site: usize = name.parse().unwrap();
            attempts[site] += 1.0;
            ends.entry(second + takes[site]).or_default().push(dispatch.token);
            feed(&mut scheduler, now, site);
        }
    }
    attempts
}

fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    let count = u32::try_from(shares.len()).unwrap();
    sum * sum / (f64::from(count) * squares)
}

#[test]
fn sites_with_equal_demand_have_equal_shares() {
    let alike = attempts_of_sites(20, 2000, &[1; 30]);
    assert!(jain(&alike) >= 0.99, "{alike:?}");
    // Places are short, and every second site takes five times as long.
    let takes: Vec<u64> = (0..20).map(|site| if site % 2 == 0 { 1 } else { 5 }).collect();
    let mixed = attempts_of_sites(20, 4000, &takes);
    assert!(jain(&mixed) >= 0.95, "{} of {mixed:?}", jain(&mixed));
}

#[test]
fn no_queue_takes_more_than_its_share_while_others_wait() {
    let now = some_instant();
    let wide = options().with_inflight_max(40).with_window_initial(40);
    let mut scheduler = Scheduler::new(wide.clone());
    for message in 0..100 {
        scheduler.enqueue(now, enqueue(now, message, "large.example"));
    }
    for message in 100..200 {
        let name = format!("{}.example", message % 10);
        scheduler.enqueue(now, enqueue(now, message, &name));
    }
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    while let SchedulerAction::Start(dispatch) = scheduler.poll(now) {
        *counts.entry(dispatch.next_hop.domain.to_string()).or_default() += 1;
    }
    assert!(counts["large.example"] <= 10, "{counts:?}");
    assert_eq!(counts.values().sum::<u32>(), 40);
    // Alone it has all places.
    let mut alone = Scheduler::new(wide);
    for message in 0..100 {
        alone.enqueue(now, enqueue(now, message, "large.example"));
    }
    let all = std::iter::from_fn(|| match alone.poll(now) {
        SchedulerAction::Start(dispatch) => Some(dispatch),
        _ => None,
    });
    assert_eq!(all.count(), 40);
}

#[test]
fn rate_limit_of_one_destination_holds_and_delays_no_other() {
    let begin = some_instant();
    let mut scheduler = Scheduler::new(options());
    let limit = RateLimit { attempts: 30, per: Duration::from_mins(1), burst: 3 };
    let slow_one = NextHopDomain::new("Slow.Example");
    scheduler.limit_rate(begin, &slow_one, Some(limit));
    for message in 0..200 {
        scheduler.enqueue(begin, enqueue(begin, message, "slow.example"));
        scheduler.enqueue(begin, enqueue(begin, 1000 + message, "free.example"));
    }
    let (mut now, mut slow, mut free_until) = (begin, Vec::new(), begin);
    loop {
        match scheduler.poll(now) {
            SchedulerAction::Start(dispatch) => {
                if dispatch.message.0 < 1000 {
                    slow.push(now - begin);
                } else {
                    free_until = now;
                }
                scheduler.complete(now, dispatch.token, used());
            }
            SchedulerAction::Wait(Some(until)) if slow.len() < 200 => now = until,
            SchedulerAction::Wait(_) => break,
            // The other queue is empty for long.
            _ => {}
        }
    }
    assert_eq!(slow.len(), 200);
    assert_eq!(slow[2], Duration::ZERO, "three at once");
    // 30 a minute is one in two seconds; the burst came for nothing.
    let span = Duration::from_secs(2 * (200 - 3));
    let last = slow[199];
    assert!(last <= span && last + Duration::from_secs(2) > span, "{last:?}");
    assert_eq!(free_until, begin, "the other waits for nothing");
}
