//! The log on the real file system.

mod limits;
mod records;
mod scrub;
mod unopened;
mod working;

use std::time::{Duration, SystemTime};

use transom_types::{
    AttemptStage, EnhancedStatusCode, Envelope, MailParameters, NetworkMessageId, Outcome, Reply,
    ReplyCode, Status,
};

use super::*;
use crate::message::{Accepted, ContentFacts, Ingress, IngressKind, Intent};
use crate::spool::{Accept, AdminVerb, Fork, Settled};
use crate::testing::block_on;

fn accepted(recipients: usize) -> Accepted {
    let recipients = (0..recipients).map(|number| {
        let path: transom_types::ForwardPath = format!("<u{number}@example.com>").parse().unwrap();
        path.into()
    });
    Accepted {
        network_id: NetworkMessageId(7),
        parent: None,
        received_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000),
        ingress: Ingress {
            kind: IngressKind::Smtp,
            connector: "internet".into(),
            peer: Some("192.0.2.1:2525".parse().unwrap()),
            helo: Some("client.example".into()),
            identity: None,
            tls: None,
            session: None,
        },
        envelope: Envelope {
            reverse_path: "<a@example.org>".parse().unwrap(),
            parameters: MailParameters::default(),
            recipients: recipients.collect(),
        },
        facts: ContentFacts::default(),
    }
}

fn accept(log: &SegLog, body: &[u8], recipients: usize) -> InternalMessageId {
    block_on(async {
        let mut ingest = log.begin(None).unwrap();
        let id = ingest.id();
        ingest.write(body).await.unwrap();
        let body = ingest.finish().await.unwrap();
        let accept = Accept { body, message: accepted(recipients) };
        log.commit(vec![Op::Accept(Box::new(accept))], Durability::Sync).await.unwrap();
        id
    })
}

fn status(code: u16) -> Status {
    let code = ReplyCode::try_from(code).unwrap();
    let reply = Reply::new(code, EnhancedStatusCode::transient(4, 1), "no\nroute");
    Status::local(AttemptStage::Connect, reply)
}

fn settle(id: InternalMessageId, recipient: u32, outcome: Outcome) -> Op {
    let retry_at =
        (!outcome.is_terminal()).then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(5));
    let settled = Settled { recipient, outcome, attempted: true, retry_at };
    Op::Settle { id, recipients: vec![settled], delay_notified: false }
}

fn commit(log: &SegLog, ops: Vec<Op>) -> Committed {
    block_on(log.commit(ops, Durability::Sync)).unwrap()
}

fn body_of(log: &SegLog, id: InternalMessageId) -> Vec<u8> {
    let message = block_on(log.open(id)).unwrap();
    let mut body = vec![0; usize::try_from(message.content.octets()).unwrap()];
    assert_eq!(message.content.read_at(0, &mut body).unwrap(), body.len());
    body
}

fn load(log: &SegLog) -> (Vec<LoadedMessage>, RecoveryReport) {
    let mut messages = Vec::new();
    let report = log.load(&mut |message| messages.push(message)).unwrap();
    (messages, report)
}

fn small() -> SegLogOptions {
    SegLogOptions::default()
        .with_segment_octets(64 << 10)
        .with_reserve_octets(64 << 10)
        .with_driver(Driver::Inline)
}

#[test]
fn what_was_accepted_is_there_after_a_restart() {
    for driver in [Driver::Inline, Driver::Thread] {
        let folder = tempfile::tempdir().unwrap();
        let options = small().with_driver(driver).with_inline_octets_max(1_000);
        let log = SegLog::open_dir(folder.path(), options.clone()).unwrap();
        let large: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
        let ids = [accept(&log, b"small", 1), accept(&log, &large, 2), accept(&log, b"", 40)];
        assert_eq!(body_of(&log, ids[0]), b"small");
        commit(&log, vec![settle(ids[1], 0, Outcome::Deferred(status(450)))]);
        let before = block_on(log.open(ids[1])).unwrap();
        drop(log);

        let log = SegLog::open_dir(folder.path(), options).unwrap();
        let (messages, report) = load(&log);
        assert!(report.clean && !report.power_cut, "{report:?}");
        assert_eq!((report.messages, report.recipients, report.torn_batches), (3, 43, 0));
        assert_eq!(messages.iter().map(|message| message.id).collect::<Vec<_>>(), ids);
        assert_eq!(messages[1].message, *before.message);
        assert_eq!(messages[1].state, before.state);
        assert_eq!(messages[1].state.recipients[0].attempts, 1);
        assert_eq!(body_of(&log, ids[0]), b"small");
        assert_eq!(body_of(&log, ids[1]), large);
        assert_eq!(body_of(&log, ids[2]), b"");
    }
}

#[test]
fn a_message_ends_with_its_last_recipient_and_takes_its_file_along() {
    let folder = tempfile::tempdir().unwrap();
    let options = small().with_inline_octets_max(10);
    let log = SegLog::open_dir(folder.path(), options.clone()).unwrap();
    let id = accept(&log, b"more than ten octets", 2);
    let files = || {
        let blob = std::fs::read_dir(folder.path().join("blob")).unwrap();
        blob.flat_map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap()).count()
    };
    assert_eq!(files(), 1);
    let done = || Outcome::Relayed(status(250));
    assert!(commit(&log, vec![settle(id, 0, done())]).completed.is_empty());
    assert_eq!(commit(&log, vec![settle(id, 1, done())]).completed, [id]);
    assert_eq!(files(), 0);
    assert_eq!(block_on(log.open(id)).unwrap_err(), StoreError::NotFound(id));
    drop(log);
    let log = SegLog::open_dir(folder.path(), options).unwrap();
    assert!(load(&log).0.is_empty());
}

#[test]
fn forks_share_the_body_and_outlive_the_parent_through_reclamation() {
    let folder = tempfile::tempdir().unwrap();
    let log = SegLog::open_dir(folder.path(), small()).unwrap();
    let body = vec![b'x'; 5_000];
    let parent = accept(&log, &body, 3);
    let intent = Intent { recipients: vec![0], host: "mx".into(), attempt: 1 };
    let suspend = Op::Admin { id: parent, verb: AdminVerb::Suspend, actor: "me".into() };
    commit(&log, vec![suspend]);
    let forks = vec![Fork { recipients: vec![2, 0] }, Fork { recipients: vec![1] }];
    let committed = commit(&log, vec![Op::Categorize { id: parent, forks }]);
    assert_eq!(committed.completed, [parent]);
    let [first, second] = committed.forks[..] else { panic!("two forks") };
    commit(&log, vec![Op::Intent { id: first, intent: intent.clone() }]);
    // Traffic that comes and goes, until the first segments are gone.
    for _ in 0..200 {
        let id = accept(&log, &body, 1);
        commit(&log, vec![settle(id, 0, Outcome::Relayed(status(250)))]);
    }
    let stats = log.stats();
    assert!(stats.segments_reclaimed > 10 && stats.segments < 8, "{stats:?}");
    assert!(stats.octets_copied > 5_000 && stats.quarantined == 0, "{stats:?}");
    drop(log);
    let log = SegLog::open_dir(folder.path(), small()).unwrap();
    let (messages, report) = load(&log);
    assert_eq!(messages.len(), 2);
    assert_eq!(report.in_doubt, [first]);
    assert_eq!(messages[0].state.intent, Some(intent));
    assert_eq!(messages[0].state.suspended.as_deref(), Some("me"));
    assert_eq!(messages[0].message.parent, Some(parent));
    let names = messages[0].message.envelope.recipients.iter();
    let names: Vec<_> = names.map(|to| to.forward_path.to_string()).collect();
    assert_eq!(names, ["<u2@example.com>", "<u0@example.com>"]);
    assert_eq!(body_of(&log, first), body);
    assert_eq!(body_of(&log, second), body);
}

#[test]
fn a_commit_happens_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let log = SegLog::open_dir(folder.path(), small()).unwrap();
    let id = accept(&log, b"x", 1);
    let gone = InternalMessageId(99);
    let ops = vec![
        settle(id, 0, Outcome::Failed(status(550))),
        settle(gone, 0, Outcome::Failed(status(550))),
    ];
    let error = block_on(log.commit(ops, Durability::Sync)).unwrap_err();
    assert_eq!(error, StoreError::NotFound(gone));
    assert!(block_on(log.open(id)).unwrap().state.recipients[0].is_open());
}

#[test]
fn a_foreign_folder_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letters.txt"), "dear").unwrap();
    let error = SegLog::open_dir(folder.path(), small()).unwrap_err();
    assert!(error.to_string().contains("is no spool"), "{error}");
    std::fs::write(folder.path().join("FORMAT"), "something else").unwrap();
    let error = SegLog::open_dir(folder.path(), small()).unwrap_err();
    assert!(matches!(error, OpenError::ForeignFormat { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_spool_in_use_names_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let _log = SegLog::open_dir(folder.path(), small()).unwrap();
    let error = SegLog::open_dir(folder.path(), small()).unwrap_err().to_string();
    assert!(error.contains(&format!("in use by process {}", std::process::id())), "{error}");
    assert!(error.starts_with(&folder.path().display().to_string()), "{error}");
}

#[test]
fn no_commit_is_taken_after_close() {
    for driver in [Driver::Inline, Driver::Thread] {
        let folder = tempfile::tempdir().unwrap();
        let log = SegLog::open_dir(folder.path(), small().with_driver(driver)).unwrap();
        let id = accept(&log, b"x", 1);
        log.close().unwrap();
        let ops = vec![settle(id, 0, Outcome::Failed(status(550)))];
        assert!(block_on(log.commit(ops, Durability::Sync)).is_err());
    }
}
