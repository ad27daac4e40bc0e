//! The scheduler against a naive one, with its invariants checked after every call.

mod against;
mod model;
mod turns;
mod walk;

use std::time::{Duration, Instant};

use transom_types::{
    ConnectorId, DeliveryType, InternalMessageId, NextHop, NextHopDomain, TlsClass,
};

use super::*;

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
pub(super) fn some_instant() -> Instant {
    Instant::now()
}

fn hop(name: &str) -> NextHop {
    NextHop {
        kind: DeliveryType::DnsConnectorDelivery,
        domain: NextHopDomain::new(name),
        connector: ConnectorId::new("internet"),
        tls: TlsClass::Normal,
    }
}

fn enqueue(now: Instant, message: u64, name: &str) -> Enqueue {
    Enqueue {
        message: InternalMessageId(message),
        next_hop: hop(name),
        recipients: vec![0],
        due: None,
        received_at: std::time::SystemTime::UNIX_EPOCH,
        expires_at: now + Duration::from_hours(48),
        delay_notice_at: None,
        octets: 1000,
        attempts: 0,
        priority: Priority::Normal,
    }
}

#[test]
fn one_poll_looks_at_a_bounded_number_of_timers() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(SchedulerOptions::default());
    scheduler.suspend_all();
    for message in 0..5000 {
        let due = Some(now + Duration::from_secs(1));
        scheduler.enqueue(now, Enqueue { due, ..enqueue(now, message, "a.example") });
    }
    let later = now + Duration::from_secs(2);
    let mut polls = 0;
    while let SchedulerAction::Wait(Some(until)) = scheduler.poll(later) {
        polls += 1;
        if until > later {
            break;
        }
    }
    assert_eq!(polls, 5000 / 1024 + 1);
    assert_eq!(scheduler.check(), Ok(()));
}

#[test]
fn time_of_arrival_is_that_of_the_message_and_outlives_attempts_and_drains() {
    let now = some_instant();
    let mut scheduler = Scheduler::new(SchedulerOptions::default());
    let arrived = clock::wall(1_795_521_600);
    let received_at = arrived + Duration::from_millis(700);
    let unit = Enqueue { received_at, octets: 5 << 30, ..enqueue(now, 1, "a.example") };
    let queue = scheduler.enqueue(now, unit);
    // More recipients of the message change nothing about when it came.
    let more = Enqueue { recipients: vec![1], ..enqueue(now, 1, "b.example") };
    scheduler.enqueue(now, more);
    let SchedulerAction::Start(dispatch) = scheduler.poll(now) else { panic!("nothing starts") };
    let retries = vec![(dispatch.recipients, now + Duration::from_mins(5))];
    let connection = ConnectionResult::Used;
    scheduler.complete(now, dispatch.token, Completed { retries, connection });
    let views = scheduler.message(InternalMessageId(1));
    assert_eq!(views.len(), 2);
    assert!(views.iter().all(|view| view.received_at == arrived));
    assert!(views.iter().all(|view| view.octets == u64::from(u32::MAX)), "as large as it counts");
    assert_eq!(scheduler.received_in(queue).collect::<Vec<_>>(), [arrived]);
    let drained = scheduler.drain_queue(now, queue, 10).units;
    assert_eq!(drained[0].received_at, arrived);
}

#[test]
fn time_of_arrival_before_1970_or_after_2106_is_the_nearest_that_is_known() {
    let known = |wall| clock::wall(clock::seconds(wall));
    let epoch = std::time::SystemTime::UNIX_EPOCH;
    assert_eq!(known(epoch - Duration::from_secs(1)), epoch);
    assert_eq!(known(epoch + Duration::from_hours(1_314_000)), clock::wall(u32::MAX));
}

#[test]
fn unit_and_message_stay_small() {
    assert!(size_of::<Unit>() <= 48, "{}", size_of::<Unit>());
    assert!(size_of::<Message>() <= 48, "{}", size_of::<Message>());
    assert_eq!(Slab::<Unit>::PLACE_OCTETS, size_of::<Unit>());
    assert_eq!(Slab::<Message>::PLACE_OCTETS, size_of::<Message>());
}
