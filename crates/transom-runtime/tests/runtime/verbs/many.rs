//! Verbs for many queues and messages at once.

use transom_queue::UnitStatus;
use transom_queue::query::Filter;
use transom_queue::view::{Effect, MessageProperty, QueueIdentity, QueueProperty, Refusal};
use transom_runtime::{QueueTarget, Removal, Transport, VerbError};

use super::queues::{ill, in_retry, out};
use super::{FROM, TO, at, last_received, told, wait_status};
use crate::peer::Peer;
use crate::support::{Events, Mailbox, address, effect, eventually, stop, submit};

fn messages(filter: &str) -> Filter<MessageProperty> {
    filter.parse().unwrap()
}

fn queues(filter: &str) -> Filter<QueueProperty> {
    filter.parse().unwrap()
}

/// So many messages that wait, each with its number as its subject.
async fn waiting(transport: &Transport, events: &Events, count: usize) {
    transport.suspend_delivery().await.unwrap();
    for number in 0..count {
        submit(address(transport), FROM, &[TO], &number.to_string()).await;
        wait_status(transport, last_received(events), UnitStatus::Ready).await;
    }
}

#[tokio::test]
async fn filter_suspends_resumes_exports_and_removes_what_it_means_and_tells_each() {
    let (folder, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    waiting(&transport, &events, 6).await;
    let some = || messages("subject > 1 and subject < 5");
    let done = transport.suspend_message(some(), "ann").await.unwrap();
    assert_eq!((done.now, done.unchanged, done.refused), (3, 0, 0));
    // It outlives a restart.
    stop(transport).await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    peer.wait_taken(3).await;
    let done = transport.export_message(messages("status = suspended"), place.path(), "bob").await;
    assert_eq!(done.unwrap().now, 3);
    let files = std::fs::read_dir(place.path()).unwrap().map(|file| file.unwrap().path());
    for file in files {
        assert_eq!(file.extension().unwrap(), "eml");
        assert!(std::fs::read_to_string(&file).unwrap().ends_with("\r\n\r\nHello.\r\n"));
    }
    let done = transport.resume_message(messages("subject = 2"), "cy").await.unwrap();
    assert_eq!(done.now, 1);
    peer.wait_taken(4).await;
    let done = transport.remove_message(some(), Removal::WithDsn, "dan").await.unwrap();
    assert_eq!(done.now, 2);
    eventually("both are told", async || mailbox.mail().len() == 2).await;
    let done = transport.remove_message(some(), Removal::WithDsn, "dan").await.unwrap();
    assert_eq!((done.now, done.refused), (0, 0));
    let mut told = told(&events);
    told.dedup();
    let expected = ["suspend by ann", "export by bob", "resume by cy", "remove with DSN by dan"];
    assert_eq!(told, expected);
    stop(transport).await;
}

#[tokio::test]
async fn refusals_of_many_are_listed_and_the_rest_is_done() {
    let (folder, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    waiting(&transport, &events, 3).await;
    transport.suspend_message(messages("subject = 1"), "ann").await.unwrap();
    let all = messages("");
    let done = transport.export_message(all.clone(), place.path(), "ann").await.unwrap();
    assert_eq!((done.now, done.refused, done.errors.len()), (1, 2, 2));
    let why =
        |error: &VerbError| matches!(error, VerbError::Message { why: Refusal::NotSuspended, .. });
    assert!(done.errors.iter().all(why), "{done:?}");
    let done = transport.suspend_message(all, "ann").await.unwrap();
    assert_eq!((done.now, done.unchanged), (2, 1));
    stop(transport).await;
}

#[tokio::test]
async fn message_named_with_a_queue_is_meant_only_while_it_is_in_that_queue() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    waiting(&transport, &events, 1).await;
    let id = last_received(&events);
    for elsewhere in ["Submission", "Poison", "Unreachable", "other.example"] {
        let named = format!(r"{elsewhere}\{id}").parse::<transom_queue::view::MessageIdentity>();
        let refused = transport.suspend_message(named.unwrap(), "ann").await.unwrap_err();
        assert!(refused.to_string().ends_with("it is not here"), "{refused}");
    }
    for here in [format!(r"{}\{id}", out(&peer).domain), format!(r"mx.contoso.example\*\{id}")] {
        let named = here.parse::<transom_queue::view::MessageIdentity>().unwrap();
        transport.suspend_message(named, "ann").await.unwrap();
    }
    wait_status(&transport, id, UnitStatus::Suspended).await;
    stop(transport).await;
}

#[tokio::test]
async fn queues_are_meant_by_filter_by_name_and_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let events = Events::default();
    let (peer, _well) = ill().await;
    let transport = in_retry(folder.path(), &events, &peer, 2).await;
    let row = transport.find_queues(&transport.query().with_filter(queues("status = retry"))).await;
    let row = row.unwrap().rows.remove(0);
    let domain = QueueIdentity::new(transom_queue::view::QueueName::NextHop(out(&peer).domain));
    let targets: [QueueTarget; 4] = [
        out(&peer).into(),
        domain.unwrap().into(),
        row.identity.into(),
        queues("messages = 2").into(),
    ];
    for target in targets {
        assert_eq!(effect(transport.suspend_queue(target.clone(), "ann").await), Effect::Now);
        assert_eq!(effect(transport.resume_queue(target, "ann").await), Effect::Now);
    }
    let missing: QueueIdentity = "nowhere.example".parse().unwrap();
    let missing = transport.suspend_queue(missing, "ann").await.unwrap_err();
    assert_eq!(missing.to_string(), "cannot suspend queue nowhere.example: it is not here");
    let none = transport.suspend_queue(queues("messages > 99"), "ann").await.unwrap();
    assert_eq!((none.now, none.refused), (0, 0));
    stop(transport).await;
}

#[tokio::test]
async fn unreachable_messages_are_resubmitted_by_an_administrator_or_another_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let nowhere = crate::support::node(&events, &mailbox).spool(folder.path());
    let transport = nowhere.start().await.unwrap();
    for number in ["one", "two"] {
        submit(address(&transport), FROM, &[TO], number).await;
    }
    let unreachable: QueueIdentity = "Unreachable".parse().unwrap();
    let count = async || {
        let page = transport.find_messages(unreachable.clone(), &transport.query()).await;
        page.unwrap().total
    };
    eventually("both are unreachable", async || count().await == 2).await;
    let held = last_received(&events);
    transport.suspend_message(held, "ann").await.unwrap();
    let refused = transport.retry_queue(unreachable.clone(), "ann").await.unwrap_err();
    assert!(matches!(refused, VerbError::Queue { why: Refusal::NotForKind, .. }), "{refused}");
    // Suspended, it is not resubmitted; resumed, all but what is suspended itself is.
    transport.suspend_queue(unreachable.clone(), "ann").await.unwrap();
    let refused = transport.resubmit_queue(unreachable.clone(), "ann", |_| {}).await.unwrap_err();
    assert!(matches!(refused, VerbError::Queue { why: Refusal::Suspended, .. }), "{refused}");
    transport.resume_queue(unreachable.clone(), "ann").await.unwrap();
    let done = transport.resubmit_queue(unreachable.clone(), "ann", |_| {}).await.unwrap();
    assert_eq!((done.now, done.moved), (1, 1));
    events.wait(transom_tracking::EventId::Submit, 3).await;
    eventually("both are back", async || count().await == 2).await;
    wait_status(&transport, held, UnitStatus::Suspended).await;
    stop(transport).await;
    // A way has come: what is suspended still waits.
    let peer = Peer::willing().await;
    let transport = at(folder.path(), &events, &mailbox, peer.address).start().await.unwrap();
    peer.wait_taken(1).await;
    transport.resume_message(held, "ann").await.unwrap();
    peer.wait_taken(2).await;
    stop(transport).await;
}

#[tokio::test]
async fn queues_that_a_filter_means_are_redirected_and_their_progress_told() {
    let folder = tempfile::tempdir().unwrap();
    let events = Events::default();
    let (peer, _well) = ill().await;
    let transport = in_retry(folder.path(), &events, &peer, 4).await;
    let mut to = out(&peer);
    to.connector = transom_types::ConnectorId::new("spare");
    let mut steps = Vec::new();
    let retry = queues("status = retry");
    let done = transport.redirect_queue(retry, &to, "ann", |step| steps.push(step)).await.unwrap();
    assert_eq!((done.now, done.moved, done.refused), (1, 4, 0));
    assert_eq!(steps.last().map(|step| (step.moved, step.left)), Some((4, 0)));
    eventually("all are there", async || {
        let page = transport.find_messages(&to, &transport.query()).await.unwrap();
        page.total == 4
    })
    .await;
    stop(transport).await;
}
