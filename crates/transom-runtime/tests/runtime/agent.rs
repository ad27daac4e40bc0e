//! Delivery agents that do not do what they should.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use transom_agent::{DeliveryAgent, DeliveryItem, async_trait};
use transom_connector::AcceptedDomain;
use transom_runtime::Maildir;
use transom_tracking::EventId;
use transom_types::RecipientResult;

use crate::support::{
    Events, Mailbox, QUIET, address, bare, delivered, node, relay_connector, stop, submit,
};

const FROM: &str = "a@client.example";
const TO: &str = "b@odd.example";

/// What an agent does at its first call; later it delivers.
#[derive(Clone, Copy)]
enum Oddity {
    Panics,
    PanicsInBlock,
    SaysNothing,
    SpeaksOfOthers,
    Hangs,
}

#[derive(Clone)]
struct Odd {
    oddity: Oddity,
    calls: Arc<AtomicUsize>,
    keys: Arc<Mutex<Vec<(String, bool)>>>,
}

impl Odd {
    fn new(oddity: Oddity) -> Self {
        Self { oddity, calls: Arc::default(), keys: Arc::default() }
    }
}

#[async_trait]
impl DeliveryAgent for Odd {
    async fn deliver(&self, item: DeliveryItem<'_>) -> Vec<RecipientResult> {
        self.keys.lock().unwrap().push((item.key_for(0).to_string(), item.first_attempt));
        let all = |recipient: &u32| RecipientResult { recipient: *recipient, outcome: delivered() };
        if self.calls.fetch_add(1, Ordering::SeqCst) > 0 {
            return item.recipients.iter().map(all).collect();
        }
        match self.oddity {
            Oddity::Panics => panic!("on purpose"),
            Oddity::PanicsInBlock => {
                tokio::task::yield_now().await;
                panic!("on purpose, later")
            }
            Oddity::SaysNothing => Vec::new(),
            Oddity::SpeaksOfOthers => vec![all(&77)],
            Oddity::Hangs => std::future::pending().await,
        }
    }
}

async fn is_tried_again(oddity: Oddity, status: &str) {
    let (events, mailbox, odd) = (Events::default(), Mailbox::default(), Odd::new(oddity));
    let transport = node(&events, &mailbox)
        .accepted_domain(AcceptedDomain::authoritative("odd.example").unwrap())
        .delivery_agent("odd", ["odd.example"], odd.clone())
        .start()
        .await
        .unwrap();
    submit(address(&transport), FROM, &[TO], "odd").await;
    events.wait(EventId::Deliver, 1).await;
    let deferred = events.statuses(EventId::Defer);
    assert_eq!(deferred.len(), 1, "{deferred:?}");
    assert!(deferred[0].contains(status), "{deferred:?}");
    // The agent can tell that it is the same delivery.
    let keys = odd.keys.lock().unwrap().clone();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0].0, keys[1].0);
    assert_eq!((keys[0].1, keys[1].1), (true, false));
    stop(transport).await;
}

#[tokio::test]
async fn agent_that_panics_is_tried_again() {
    is_tried_again(Oddity::Panics, "panicked").await;
    is_tried_again(Oddity::PanicsInBlock, "panicked").await;
}

#[tokio::test]
async fn agent_that_gives_no_result_is_tried_again() {
    is_tried_again(Oddity::SaysNothing, "no result").await;
    is_tried_again(Oddity::SpeaksOfOthers, "no result").await;
}

#[tokio::test]
async fn agent_that_hangs_holds_up_the_stop_until_its_deadline_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let (events, odd) = (Events::default(), Odd::new(Oddity::Hangs));
    let start = async |events: &Events| {
        bare(events)
            .accepted_domain(AcceptedDomain::authoritative("odd.example").unwrap())
            .receive_connector(relay_connector())
            .delivery_agent("odd", ["odd.example"], odd.clone())
            .spool(folder.path())
            .start()
            .await
            .unwrap()
    };
    let transport = start(&events).await;
    submit(address(&transport), FROM, &[TO], "hang").await;
    tokio::time::sleep(QUIET).await;
    let began = tokio::time::Instant::now();
    let report = transport.shutdown(Duration::from_millis(200)).await;
    assert!(!report.in_time && report.cut_off > 0, "{report:?}");
    assert!(began.elapsed() < Duration::from_secs(3));
    // The spool is closed, the intent is a doubt, and the message goes on.
    let events = Events::default();
    let transport = start(&events).await;
    assert_eq!(events.count(EventId::InDoubt), 1);
    events.wait(EventId::Deliver, 1).await;
    let keys = odd.keys.lock().unwrap().clone();
    assert_eq!(keys[0].0, keys[1].0);
    assert!(!keys[1].1);
    stop(transport).await;
}

#[tokio::test]
async fn report_about_a_local_recipient_lies_in_a_maildir() {
    let folder = tempfile::tempdir().unwrap();
    let events = Events::default();
    let transport = bare(&events)
        .receive_connector(relay_connector())
        .delivery_agent("mailbox", ["contoso.example"], Maildir::new(folder.path()))
        .send_connector(
            crate::support::to_host("127.0.0.1:9".parse().unwrap())
                .with_message_octets_max(Some(1)),
        )
        .start()
        .await
        .unwrap();
    submit(address(&transport), "sender@contoso.example", &[TO], "big").await;
    events.wait(EventId::Deliver, 1).await;
    let mut found = Vec::new();
    let mut folders = vec![folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("Return-Path: <>\r\n"), "{}", found[0]);
    assert!(found[0].contains("Status: 5."), "{}", found[0]);
    stop(transport).await;
}

#[tokio::test]
async fn attempt_after_a_restart_is_not_known_to_be_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let odd = Odd::new(Oddity::SaysNothing);
    let start = async |events: &Events, hold: bool| {
        bare(events)
            .accepted_domain(AcceptedDomain::authoritative("odd.example").unwrap())
            .receive_connector(relay_connector())
            .delivery_agent("odd", ["odd.example"], odd.clone())
            .spool(folder.path())
            .suspend_delivery(hold)
            .start()
            .await
            .unwrap()
    };
    let transport = start(&Events::default(), true).await;
    submit(address(&transport), FROM, &[TO], "held").await;
    stop(transport).await;
    let events = Events::default();
    let transport = start(&events, false).await;
    events.wait(EventId::Deliver, 1).await;
    assert!(odd.keys.lock().unwrap().iter().all(|(_, first)| !first));
    stop(transport).await;
}
