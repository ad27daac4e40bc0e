//! How much of each destination goes at a time, and what goes first.

use std::sync::Arc;
use std::time::Duration;

use transom_queue::query::Query;
use transom_queue::retry::PriorityQueuing;
use transom_queue::testing::sample_message;
use transom_queue::view::{MessageProperty, QueueProperty};
use transom_queue::{
    Accept, Durability, MemoryOptions, MemorySpool, Op, Priority, RateLimit, SchedulerOptions,
    Spool,
};
use transom_runtime::{Clock, QueueTarget, SystemClock, Transport};
use transom_types::MtPriority;

use crate::peer::Peer;
use crate::support::{
    Events, Mailbox, QUIET, address, bare, eventually, fast, node, stop, submit, to_host,
};

const FROM: &str = "sender@contoso.example";

/// Two at once, and then nothing more within a test.
const TWO: RateLimit = RateLimit { attempts: 1, per: Duration::from_hours(1), burst: 2 };

async fn throttled(transport: &Transport) -> u64 {
    let query: Query<QueueProperty> = transport.query();
    let query = query.with_filter("throttled-until != $null and messages = 2".parse().unwrap());
    transport.find_queues(&query).await.unwrap().total
}

#[tokio::test]
async fn limited_destination_gets_what_its_rate_allows_and_others_all() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let name = transom_connector::SmartHost::from(peer.address).to_string();
    let transport = node(&events, &mailbox)
        .send_connector(to_host(peer.address))
        .rate_limit(&name, TWO)
        .start()
        .await
        .unwrap();
    for number in 0..4 {
        let to = [format!("far{number}@out.example"), format!("near{number}@contoso.example")];
        for to in &to {
            submit(address(&transport), FROM, &[to], "rate").await;
        }
    }
    eventually("all others are there", async || mailbox.mail().len() == 4).await;
    peer.wait_taken(2).await;
    eventually("the rest waits", async || throttled(&transport).await == 1).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(peer.taken().len(), 2);
    stop(transport).await;
}

#[tokio::test]
async fn limit_of_the_options_holds_for_every_destination() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox)
        .scheduler_options(SchedulerOptions::default().with_rate_limit(TWO))
        .start()
        .await
        .unwrap();
    for number in 0..4 {
        let to = format!("near{number}@contoso.example");
        submit(address(&transport), FROM, &[&to], "rate").await;
    }
    eventually("the rest waits", async || throttled(&transport).await == 1).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(mailbox.mail().len(), 2);
    stop(transport).await;
}

#[tokio::test]
async fn priorities_of_the_profile_reach_the_queues() {
    let spool = Arc::new(MemorySpool::new(MemoryOptions::default()));
    for (number, asked) in [(1, -4), (3, 0), (4, 4)] {
        let mut ingest = spool.begin(None).unwrap();
        ingest.write(b"Subject: x\r\n\r\n").await.unwrap();
        let body = ingest.finish().await.unwrap();
        let mut message = sample_message(number, 1, body.octets());
        message.received_at = SystemClock::default().wall();
        message.envelope.parameters.mt_priority = MtPriority::new(asked);
        let accept = Op::Accept(Box::new(Accept { body, message }));
        spool.commit(vec![accept], Durability::Sync).await.unwrap();
    }
    let mut profile = fast();
    for (queuing, expected) in [
        (None, vec![Priority::Normal; 3]),
        (Some(PriorityQueuing::exchange()), vec![Priority::High, Priority::Normal, Priority::Low]),
    ] {
        profile.priority_queuing = queuing;
        let transport = bare(&Events::default())
            .send_connector(to_host("127.0.0.1:9".parse().unwrap()))
            .store(Arc::clone(&spool) as Arc<dyn Spool>)
            .retry_profile(profile.clone())
            .suspend_delivery(true)
            .start()
            .await
            .unwrap();
        let query: Query<MessageProperty> = transport.query();
        let query = query.with_sort("priority".parse().unwrap());
        let page = transport.find_messages(QueueTarget::all(), &query).await.unwrap();
        let found: Vec<_> = page.rows.iter().map(|row| row.priority).collect();
        assert_eq!(found, expected);
        stop(transport).await;
    }
}
