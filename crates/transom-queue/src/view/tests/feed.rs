//! Rows of a real scheduler and a real spool.

use std::time::{Duration, Instant};

use transom_types::{
    AttemptStage, ConnectorId, DeliveryType, InternalMessageId, NextHop, NextHopDomain, Reply,
    Status, TlsClass,
};

use super::moment;
use crate::query::{Filter, PageStart, Query};
use crate::scheduler::{Completed, ConnectionResult, Enqueue, SchedulerAction};
use crate::testing::{block_on, sample_message};
use crate::view::*;
use crate::{
    Accept, Durability, MemoryOptions, MemorySpool, Op, Priority, QueueStatus, Scheduler,
    SchedulerOptions, Spool, UnitStatus,
};

fn enqueue(moment: Moment, message: u64, domain: &str, kind: DeliveryType) -> Enqueue {
    Enqueue {
        message: InternalMessageId(message),
        next_hop: NextHop {
            kind,
            domain: NextHopDomain::new(domain),
            connector: ConnectorId::new("internet"),
            tls: TlsClass::Normal,
        },
        recipients: vec![0],
        due: None,
        received_at: moment.wall - Duration::from_secs(message),
        expires_at: moment.now + Duration::from_hours(48),
        delay_notice_at: None,
        octets: 1000 + message,
        attempts: 0,
        priority: Priority::Normal,
    }
}

fn starts(scheduler: &mut Scheduler, now: Instant) -> Vec<crate::Dispatch> {
    std::iter::from_fn(|| match scheduler.poll(now) {
        SchedulerAction::Start(dispatch) => Some(dispatch),
        _ => None,
    })
    .collect()
}

/// Ten messages to contoso.com, whose server refuses connections; three to fabrikam.com; one that
/// leads nowhere.
fn busy(at: Moment) -> Scheduler {
    let at_once = SchedulerOptions::default().with_slow_start(Duration::ZERO);
    let mut scheduler = Scheduler::new(at_once);
    for message in 1..=10 {
        let dns = DeliveryType::DnsConnectorDelivery;
        scheduler.enqueue(at.now, enqueue(at, message, "contoso.com", dns));
    }
    for dispatch in starts(&mut scheduler, at.now) {
        let status = Status::local(
            AttemptStage::Connect,
            Reply::bare("421".parse().unwrap(), "nobody answers"),
        );
        scheduler.set_last_error(dispatch.queue, status);
        let retries = vec![(dispatch.recipients, at.now)];
        let connection = ConnectionResult::Failed;
        scheduler.complete(at.now, dispatch.token, Completed { retries, connection });
    }
    for message in 11..=13 {
        let agent = DeliveryType::DeliveryAgent;
        scheduler.enqueue(at.now, enqueue(at, message, "fabrikam.com", agent));
    }
    let nowhere = DeliveryType::Unreachable;
    scheduler.enqueue(at.now, enqueue(at, 14, "Unreachable Domain", nowhere));
    scheduler
}

fn queue_filter(text: &str) -> Filter<QueueProperty> {
    text.parse().unwrap_or_else(|wrong| panic!("{text}: {wrong}"))
}

fn found(scheduler: &Scheduler, at: Moment, filter: &str) -> Vec<String> {
    let query = Query::new(1).with_filter(queue_filter(filter));
    let page = query.page(queue_rows(scheduler, Unscheduled::default(), at)).unwrap();
    page.rows.iter().map(|row| row.next_hop_domain().to_owned()).collect()
}

#[test]
fn a15_queues_of_a_scheduler_are_found_by_what_they_do() {
    let at = moment();
    let mut scheduler = busy(at);
    for (filter, expected) in [
        ("", vec!["Submission", "contoso.com", "fabrikam.com", "Unreachable Domain"]),
        (r#"{Status -eq "Retry" -and MessageCount -ge 10}"#, vec!["contoso.com"]),
        ("last-error like '*nobody answers*'", vec!["contoso.com"]),
        ("first-retry = 2026-11-24T12:00:00Z and retries = 1", vec!["contoso.com"]),
        ("next-retry > 2026-11-24T12:00:30Z", vec!["contoso.com"]),
        ("DeliveryType -eq 'DeliveryAgent'", vec!["fabrikam.com"]),
        (
            "NextHopCategory -eq 'Internal' -and Identity -eq 'unreachable'",
            vec!["Unreachable Domain"],
        ),
        ("incoming = 3", vec!["fabrikam.com"]),
    ] {
        assert_eq!(found(&scheduler, at, filter), expected, "{filter}");
    }
    let queue = scheduler.each_queue().find(|queue| queue.status == QueueStatus::Retry).unwrap();
    scheduler.suspend_queue(at.now, queue.id);
    assert_eq!(found(&scheduler, at, "status = suspended"), ["contoso.com"]);
}

#[test]
fn first_retry_stays_until_something_gets_through() {
    let at = moment();
    let mut scheduler = busy(at);
    let identity: QueueIdentity = "contoso.com".parse().unwrap();
    let queue = scheduler.each_queue().find(|queue| queue.status == QueueStatus::Retry).unwrap().id;
    let times = |scheduler: &Scheduler| {
        let mut rows = queue_rows(scheduler, Unscheduled::default(), at)
            .filter(|row| row.is_meant_by(&identity, "mx1"));
        rows.next().map(|row| (row.first_retry, row.last_retry)).unwrap()
    };
    let mut attempt = |now, connection| {
        scheduler.retry_now(now, queue);
        for dispatch in starts(&mut scheduler, now) {
            let retries = vec![(dispatch.recipients, now)];
            scheduler.complete(now, dispatch.token, Completed { retries, connection });
        }
        times(&scheduler)
    };
    let minute = Duration::from_mins(1);
    let failed = attempt(at.now + minute, ConnectionResult::Failed);
    assert_eq!(failed, (Some(at.wall), Some(at.wall + minute)));
    let used = attempt(at.now + 2 * minute, ConnectionResult::Used);
    assert_eq!(used, (None, Some(at.wall + minute)));
}

/// The statuses of messages are those of the queue and of what was done to them.
#[test]
fn a15_messages_of_a_scheduler_have_the_statuses_of_exchange() {
    let at = moment();
    let mut scheduler = busy(at);
    let dispatches = starts(&mut scheduler, at.now);
    assert!(dispatches.iter().any(|dispatch| dispatch.message == InternalMessageId(11)));
    scheduler.suspend_message(at.now, InternalMessageId(1));
    scheduler.suspend_message(at.now, InternalMessageId(12));
    scheduler.remove(at.now, InternalMessageId(13));
    let all = "*".parse().unwrap();
    for (message, status) in [
        (1, UnitStatus::Suspended),
        (2, UnitStatus::Retry),
        (11, UnitStatus::Active),
        (12, UnitStatus::PendingSuspend),
        (13, UnitStatus::PendingRemove),
    ] {
        let mut rows = message_rows(&scheduler, &all, "mx1", at);
        let row = rows.find(|row| row.identity.message.0 == message).unwrap();
        assert_eq!(row.status, status, "{message}");
    }
}

#[test]
fn messages_of_the_named_queues_come_page_by_page_while_they_leave() {
    let at = moment();
    let mut scheduler = busy(at);
    let identity: QueueIdentity = r"MX1\contoso.com".parse().unwrap();
    let query = Query::new(1)
        .with_filter("size > 1001 and expires > 2026-11-26T11:59:00Z".parse().unwrap())
        .with_sort("-size".parse().unwrap())
        .with_rows_max(4);
    assert!(!query.filter.uses(MessageProperty::is_stored));
    let mut seen = Vec::new();
    let mut start = PageStart::First;
    loop {
        let query = query.clone().with_start(start);
        let page = query.page(message_rows(&scheduler, &identity, "mx1", at)).unwrap();
        seen.extend(page.rows.iter().map(|row| row.identity.message.0));
        let Some(next) = page.next else { break };
        start = PageStart::After(next);
        // What was shown leaves, and so does one that was not.
        for row in page.rows {
            scheduler.remove(at.now, row.identity.message);
        }
        scheduler.remove(at.now, InternalMessageId(4));
    }
    assert_eq!(seen, [10, 9, 8, 7, 6, 5, 3, 2]);
    let elsewhere: QueueIdentity = r"mx2\contoso.com".parse().unwrap();
    assert_eq!(message_rows(&scheduler, &elsewhere, "mx1", at).count(), 0);
}

/// What the verdict says is what the scheduler does.
#[test]
fn a17_scheduler_does_what_the_verdicts_say() {
    let at = moment();
    let mut scheduler = busy(at);
    let queues: Vec<_> = scheduler.each_queue().collect();
    for queue in queues {
        let target = Target::Queue(QueueKind::of(&queue.next_hop), queue.status);
        let retried = scheduler.retry_now(at.now, queue.id);
        assert_eq!(retried, verdict(Verb::Retry, target).is_ok(), "{}", queue.next_hop);
    }
    let message = InternalMessageId(11);
    let dispatches = starts(&mut scheduler, at.now);
    let token = dispatches.iter().find(|dispatch| dispatch.message == message).unwrap().token;
    let status = |scheduler: &Scheduler| scheduler.message(message)[0].status;
    let target = |scheduler: &Scheduler| Target::Message(QueueKind::Delivery, status(scheduler));
    assert_eq!(verdict(Verb::Suspend, target(&scheduler)), Ok(Effect::Pending));
    scheduler.suspend_message(at.now, message);
    assert_eq!(status(&scheduler), UnitStatus::PendingSuspend);
    let retries = vec![(vec![0], at.now)];
    let connection = ConnectionResult::Used;
    scheduler.complete(at.now, token, Completed { retries, connection });
    assert_eq!(status(&scheduler), UnitStatus::Suspended);
    assert_eq!(verdict(Verb::Export, target(&scheduler)), Ok(Effect::Now));
    assert_eq!(verdict(Verb::Resume, target(&scheduler)), Ok(Effect::Now));
    scheduler.resume_message(at.now, message);
    assert_eq!(status(&scheduler), UnitStatus::Ready);
    assert_eq!(verdict(Verb::Remove { with_dsn: false }, target(&scheduler)), Ok(Effect::Now));
    assert_eq!(scheduler.remove(at.now, message), [0]);
}

#[test]
fn messages_are_found_by_what_the_spool_knows_and_counted_by_age() {
    let at = moment();
    let mut scheduler = Scheduler::new(SchedulerOptions::default());
    let spool = MemorySpool::new(MemoryOptions::default());
    block_on(async {
        for (number, minutes) in [(1, 3), (3, 30), (5, 3000)] {
            let mut ingest = spool.begin(None).unwrap();
            let id = ingest.id();
            ingest.write(b"Subject: hello\r\n\r\n").await.unwrap();
            let body = ingest.finish().await.unwrap();
            let mut message = sample_message(number, 1, body.octets());
            message.received_at = at.wall - Duration::from_mins(minutes);
            let accept = Op::Accept(Box::new(Accept { body, message }));
            spool.commit(vec![accept], Durability::Sync).await.unwrap();
            let dns = DeliveryType::DnsConnectorDelivery;
            let unit = enqueue(at, id.0, "fabrikam.com", dns);
            let received_at = at.wall - Duration::from_mins(minutes);
            scheduler.enqueue(at.now, Enqueue { received_at, ..unit });
        }
        let identity: QueueIdentity = "fabrikam.com".parse().unwrap();
        let mut rows = Vec::new();
        for row in message_rows(&scheduler, &identity, "mx1", at) {
            let stored = spool.open(row.identity.message).await.unwrap();
            rows.push(row.with_stored(&stored.message, &stored.state));
        }
        let filter = "from = sender3@contoso.com and age >= 30m and age < 31m";
        let query = Query::new(1).with_filter(filter.parse().unwrap());
        assert!(query.filter.uses(MessageProperty::is_stored));
        let page = query.page(rows).unwrap();
        let stored = page.rows[0].stored.as_ref().unwrap();
        assert_eq!((page.total, stored.subject.as_deref()), (1, Some("Message 3")));
        let ages = AgeHistogram::of(&scheduler, &at);
        assert_eq!(ages.total().counts, [1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!(ages.total().oldest, Duration::from_hours(50));
    });
}

#[test]
fn instants_before_and_after_now_are_those_of_the_wall() {
    let at = moment();
    let second = Duration::from_secs(1);
    assert_eq!(at.wall_at(at.now + second), at.wall + second);
    assert_eq!(at.wall_at(at.now), at.wall);
    let later = Moment { now: at.now + second, ..at };
    assert_eq!(later.wall_at(at.now), at.wall - second);
}
