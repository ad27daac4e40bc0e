//! Asking for queues and messages: filters, orders, pages, ages.

use transom_queue::query::{CursorError, Filter, PageStart, Query};
use transom_queue::view::{MessageProperty, QueueKind, QueueProperty};
use transom_queue::{QueueStatus, UnitStatus};
use transom_runtime::{QueryError, QueueTarget, Transport};

use super::queues::{ill, in_retry};
use super::{FROM, at};
use crate::peer::Peer;
use crate::support::{Events, Mailbox, address, eventually, node, stop, submit};

async fn found(transport: &Transport, filter: &str) -> Vec<String> {
    let query = transport.query().with_filter(filter.parse().unwrap());
    let page = transport.find_messages(QueueTarget::all(), &query).await.unwrap();
    let subject = |stored: transom_queue::view::StoredInfo| stored.subject.unwrap();
    page.rows.into_iter().map(|row| subject(row.stored.unwrap())).collect()
}

/// A transport that delivers nothing and has these messages: sender, recipient, subject.
async fn waiting(folder: &std::path::Path, messages: &[(&str, &str, &str)]) -> (Transport, Peer) {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let peer = Peer::willing().await;
    let transport = at(folder, &events, &mailbox, peer.address).start().await.unwrap();
    transport.suspend_delivery().await.unwrap();
    for (from, to, subject) in messages {
        submit(address(&transport), from, &[to], subject).await;
    }
    routed(&transport, messages.len()).await;
    (transport, peer)
}

async fn routed(transport: &Transport, count: usize) {
    eventually("all are routed", async || {
        let queues = transport.queues().await.unwrap();
        let all: u32 = queues.iter().map(|queue| queue.message_count).sum();
        usize::try_from(all).unwrap() == count
    })
    .await;
}

#[tokio::test]
async fn a15_messages_are_found_by_filter_in_both_spellings_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (transport, _peer) = waiting(
        folder.path(),
        &[
            ("ann@contoso.example", "b@out.example", "one"),
            ("bob@contoso.example", "b@out.example", "two"),
            ("ann@contoso.example", "c@contoso.example", "three"),
        ],
    )
    .await;
    let exchange = "{FromAddress -eq 'ANN@contoso.example' -and Recipients -like 'b@*'}";
    for filter in [exchange, "from = ann@contoso.example and to like 'b@*'"] {
        assert_eq!(found(&transport, filter).await, ["one"]);
    }
    assert_eq!(found(&transport, "subject = two or to = c@contoso.example").await.len(), 2);
    assert!(found(&transport, "status = suspended").await.is_empty());
    let query: Query<MessageProperty> = transport.query().with_sort("-Subject".parse().unwrap());
    let page = transport.find_messages(QueueTarget::all(), &query).await.unwrap();
    let subjects: Vec<_> = page.rows.iter().map(|row| row.stored.as_ref().unwrap()).collect();
    let subjects: Vec<_> = subjects.iter().map(|row| row.subject.as_deref().unwrap()).collect();
    assert_eq!(subjects, ["two", "three", "one"]);
    // Of one queue only, by its name.
    let agent = "mailbox".parse::<transom_queue::view::QueueIdentity>().unwrap();
    let page = transport.find_messages(agent, &transport.query()).await.unwrap();
    assert_eq!((page.total, page.rows[0].status), (1, UnitStatus::Ready));
    stop(transport).await;
}

#[tokio::test]
async fn a15_queues_are_found_by_what_they_do_and_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let events = Events::default();
    let (peer, _well) = ill().await;
    let transport = in_retry(folder.path(), &events, &peer, 3).await;
    for filter in
        ["status = retry and messages >= 3", "{Status -eq 'Retry' -and MessageCount -ge 3}"]
    {
        let query = transport.query().with_filter(filter.parse().unwrap());
        let page = transport.find_queues(&query).await.unwrap();
        assert_eq!((page.total, page.rows[0].status), (1, QueueStatus::Retry), "{filter}");
        assert!(page.rows[0].last_error.is_some() && page.rows[0].next_retry.is_some());
    }
    // Submission is always there, Poison when something is in it.
    let page = transport.find_queues(&transport.query()).await.unwrap();
    let kinds: Vec<_> = page.rows.iter().map(|row| row.kind).collect();
    assert!(kinds.contains(&QueueKind::Submission) && !kinds.contains(&QueueKind::Poison));
    let ages = transport.ages().await.unwrap();
    assert_eq!((ages.total().total, ages.rows().len()), (3, 1));
    assert_eq!(ages.total().counts[0], 3);
    stop(transport).await;
}

#[tokio::test]
async fn pages_go_on_after_messages_came_and_went_and_show_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..9).map(|number| format!("m{number}")).collect();
    let all: Vec<_> = names.iter().map(|name| (FROM, "b@out.example", name.as_str())).collect();
    let (transport, _peer) = waiting(folder.path(), &all).await;
    let (mut seen, mut start, mut pages) = (Vec::new(), PageStart::First, 0);
    loop {
        let query: Query<MessageProperty> = transport.query();
        let query = query.with_sort("subject".parse().unwrap()).with_rows_max(2).with_start(start);
        let page = transport.find_messages(QueueTarget::all(), &query).await.unwrap();
        pages += 1;
        let of = |row: transom_queue::view::MessageInfo| row.stored.unwrap().subject.unwrap();
        seen.extend(page.rows.into_iter().map(of));
        if pages == 1 {
            // What goes is behind us and before us; what comes stands where we were.
            let gone: Filter<MessageProperty> = "subject = m0 or subject = m8".parse().unwrap();
            let removal = transom_runtime::Removal::WithoutDsn;
            let done = transport.remove_message(gone, removal, "ann").await.unwrap();
            assert_eq!((done.now, done.refused), (2, 0));
            submit(address(&transport), FROM, &["b@out.example"], "a-new-one").await;
            routed(&transport, 8).await;
        }
        let Some(next) = page.next else { break };
        // As a client keeps it.
        start = PageStart::After(next.to_string().parse().unwrap());
    }
    assert_eq!(seen, ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7"]);
    stop(transport).await;
}

#[tokio::test]
async fn cursor_goes_on_after_a_restart_and_of_another_spool_is_refused() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let messages = [(FROM, "b@out.example", "one"), (FROM, "b@out.example", "two")];
    let (transport, peer) = waiting(folder.path(), &messages).await;
    let query: Query<MessageProperty> = transport.query().with_rows_max(1);
    let page = transport.find_messages(QueueTarget::all(), &query).await.unwrap();
    let first = page.rows[0].stored.as_ref().unwrap().subject.clone();
    let start = PageStart::After(page.next.unwrap());
    stop(transport).await;
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let hold = |folder: &std::path::Path| {
        at(folder, &events, &mailbox, peer.address).suspend_delivery(true).start()
    };
    let transport = hold(folder.path()).await.unwrap();
    let query = query.with_start(start);
    let page = transport.find_messages(QueueTarget::all(), &query).await.unwrap();
    assert_eq!((page.rows.len(), page.before), (1, 1));
    assert!(page.rows[0].stored.as_ref().unwrap().subject != first);
    stop(transport).await;
    // It says so even when the question was made for the first one.
    for transport in [hold(other.path()).await, node(&events, &mailbox).start().await] {
        let transport = transport.unwrap();
        let refused = transport.find_messages(QueueTarget::all(), &query).await.unwrap_err();
        assert_eq!(refused, QueryError::Cursor(CursorError::OtherSource));
        let text = "the cursor is of another spool: begin again at the first page";
        assert_eq!(refused.to_string(), text);
        stop(transport).await;
    }
}

/// What a program gives back to whoever typed a filter.
async fn typed(transport: &Transport, filter: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let query: Query<QueueProperty> = transport.query().with_filter(filter.parse()?);
    Ok(transport.find_queues(&query).await?.total)
}

#[tokio::test]
async fn filter_that_does_not_parse_names_the_place_and_the_nearest_name() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox).start().await.unwrap();
    for (filter, error) in [
        ("stats = retry", "column 1: no property \"stats\"; did you mean status?"),
        (
            "status = retry and MesageCount > 3",
            "column 20: no property \"MesageCount\"; did you mean MessageCount?",
        ),
    ] {
        let refused = typed(&transport, filter).await.unwrap_err();
        assert_eq!(refused.to_string(), error);
    }
    assert_eq!(typed(&transport, "messages = 0").await.unwrap(), 1);
    stop(transport).await;
}
