//! What the tests of the scheduler share.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::time::{Duration, Instant};

use transom_queue::{
    Completed, ConnectionResult, Dispatch, Enqueue, Priority, Scheduler, SchedulerAction,
    SchedulerOptions,
};
use transom_types::{
    ConnectorId, DeliveryType, InternalMessageId, NextHop, NextHopDomain, TlsClass,
};

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
pub(crate) fn some_instant() -> Instant {
    Instant::now()
}

pub(crate) fn hop(name: &str) -> NextHop {
    NextHop {
        kind: DeliveryType::DnsConnectorDelivery,
        domain: NextHopDomain::new(name),
        connector: ConnectorId::new("internet"),
        tls: TlsClass::Normal,
    }
}

/// As they are, but for the slow start: the tests of that ask for it.
pub(crate) fn options() -> SchedulerOptions {
    SchedulerOptions::default().with_slow_start(Duration::ZERO)
}

/// A message with one recipient, due at once, that lives for two days.
pub(crate) fn enqueue(now: Instant, message: u64, name: &str) -> Enqueue {
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

/// All delivered.
pub(crate) fn used() -> Completed {
    Completed { retries: vec![], connection: ConnectionResult::Used }
}

/// All come back at once.
pub(crate) fn deferred_now(dispatch: &Dispatch, now: Instant) -> Completed {
    Completed { retries: vec![(dispatch.recipients.clone(), now)], ..used() }
}

#[track_caller]
pub(crate) fn start(scheduler: &mut Scheduler, now: Instant) -> Dispatch {
    match scheduler.poll(now) {
        SchedulerAction::Start(dispatch) => dispatch,
        other => panic!("no start but {other:?}"),
    }
}
