use std::time::SystemTime;

use bytes::Bytes;
use transom_types::{
    Envelope, InternalMessageId, MailParameters, NetworkMessageId, Recipient, ReversePath,
};

use super::*;

const CONTENT: &[u8] = b"Subject: x\r\n\r\nbody\r\n";

fn envelope(recipients: &[&str]) -> Envelope {
    Envelope {
        reverse_path: "<alice@contoso.com>".parse().unwrap(),
        parameters: MailParameters::default(),
        recipients: recipients
            .iter()
            .map(|path| Recipient::from(path.parse::<ForwardPath>().unwrap()))
            .collect(),
    }
}

fn key(message: u64) -> IdempotencyKey {
    IdempotencyKey::new(NetworkMessageId(7), InternalMessageId(message))
}

async fn deliver(
    agent: &Maildir,
    message: u64,
    envelope: &Envelope,
    content: Arc<dyn ContentSource>,
    first_attempt: bool,
) -> Vec<Outcome> {
    let all: Vec<u32> = (0..).take(envelope.recipients.len()).collect();
    let item = DeliveryItem::new(key(message), envelope, &all, content, SystemTime::UNIX_EPOCH);
    let results = agent.deliver(item.with_first_attempt(first_attempt)).await;
    assert!(results.iter().map(|result| result.recipient).eq(all.iter().copied()));
    results.into_iter().map(|result| result.outcome).collect()
}

async fn deliver_content(agent: &Maildir, message: u64, envelope: &Envelope) -> Vec<Outcome> {
    deliver(agent, message, envelope, Arc::new(Bytes::from_static(CONTENT)), false).await
}

fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered(_))
}

fn files(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let entries = folder.as_ref().read_dir().map(Iterator::collect::<Result<Vec<_>, _>>);
    entries.unwrap().unwrap().iter().map(std::fs::DirEntry::path).collect()
}

// [RFC 5321 §4.4-g] test
#[tokio::test]
async fn each_recipient_gets_a_file_with_return_path_and_content() {
    let root = tempfile::tempdir().unwrap();
    let agent = Maildir::new(root.path().join("mail"));
    let envelope = envelope(&["<bob@contoso.com>", "<Carol@Fabrikam.com>"]);
    let outcomes = deliver_content(&agent, 1, &envelope).await;
    assert!(outcomes.iter().all(is_delivered), "{outcomes:?}");
    for (number, folder) in ["contoso.com/bob", "fabrikam.com/carol"].iter().enumerate() {
        let mailbox = root.path().join("mail").join(folder);
        let found = files(mailbox.join("new"));
        assert_eq!(found.len(), 1);
        let expected = FileName::new(key(1).for_recipient(u32::try_from(number).unwrap()));
        assert_eq!(found[0].file_name().unwrap(), expected.as_str());
        let written = std::fs::read(&found[0]).unwrap();
        let expected = [b"Return-Path: <alice@contoso.com>\r\n", CONTENT].concat();
        assert_eq!(written, expected);
        assert!(files(mailbox.join("tmp")).is_empty());
        assert!(files(mailbox.join("cur")).is_empty());
    }
}

#[tokio::test]
async fn content_larger_than_the_buffer_arrives_whole() {
    let root = tempfile::tempdir().unwrap();
    let mut envelope = envelope(&["<bob@contoso.com>"]);
    envelope.reverse_path = ReversePath::Null;
    let content: Vec<u8> =
        (0..).map(|n: u32| n.to_le_bytes()[0]).take(3 * COPY_OCTETS + 17).collect();
    let bytes = Arc::new(Bytes::from(content.clone()));
    let agent = Maildir::new(root.path());
    let outcomes = deliver(&agent, 1, &envelope, bytes, true).await;
    assert!(is_delivered(&outcomes[0]));
    let found = files(root.path().join("contoso.com/bob/new"));
    let expected = [b"Return-Path: <>\r\n".to_vec(), content].concat();
    assert!(std::fs::read(&found[0]).unwrap() == expected);
}

#[tokio::test]
async fn second_attempt_makes_no_second_copy() {
    let root = tempfile::tempdir().unwrap();
    let envelope = envelope(&["<bob@contoso.com>"]);
    let mailbox = root.path().join("contoso.com/bob");
    assert!(is_delivered(&deliver_content(&Maildir::new(root.path()), 1, &envelope).await[0]));
    // Another process, after a restart.
    let agent = Maildir::new(root.path());
    assert!(is_delivered(&deliver_content(&agent, 1, &envelope).await[0]));
    assert_eq!(files(mailbox.join("new")).len(), 1);
    // A mail reader has seen it.
    let seen = &files(mailbox.join("new"))[0];
    let name = format!("{}:2,S", seen.file_name().unwrap().to_str().unwrap());
    std::fs::rename(seen, mailbox.join("cur").join(name)).unwrap();
    assert!(is_delivered(&deliver_content(&agent, 1, &envelope).await[0]));
    assert!(files(mailbox.join("new")).is_empty());
    // Another message is another file.
    assert!(is_delivered(&deliver_content(&agent, 2, &envelope).await[0]));
    assert_eq!(files(mailbox.join("new")).len(), 1);
}

#[tokio::test]
async fn rest_of_a_crashed_attempt_is_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let tmp = root.path().join("contoso.com/bob/tmp");
    std::fs::create_dir_all(&tmp).unwrap();
    let name = FileName::new(key(1).for_recipient(0));
    std::fs::write(tmp.join(name.as_str()), vec![b'x'; 4096]).unwrap();
    let agent = Maildir::new(root.path());
    let outcomes = deliver_content(&agent, 1, &envelope(&["<bob@contoso.com>"])).await;
    assert!(is_delivered(&outcomes[0]));
    let found = files(root.path().join("contoso.com/bob/new"));
    assert!(std::fs::read(&found[0]).unwrap().ends_with(b"\r\n\r\nbody\r\n"));
    assert!(files(&tmp).is_empty());
}

#[tokio::test]
async fn folders_that_were_removed_are_made_again() {
    let root = tempfile::tempdir().unwrap();
    let agent = Maildir::new(root.path());
    let envelope = envelope(&["<bob@contoso.com>"]);
    assert!(is_delivered(&deliver_content(&agent, 1, &envelope).await[0]));
    std::fs::remove_dir_all(root.path().join("contoso.com")).unwrap();
    assert!(is_delivered(&deliver_content(&agent, 2, &envelope).await[0]));
    assert_eq!(files(root.path().join("contoso.com/bob/new")).len(), 1);
}

/// Content that ends early: a spool that lost octets.
struct Short;

impl ContentSource for Short {
    fn len(&self) -> u64 {
        100
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        Bytes::from_static(CONTENT).read_at(offset, buf)
    }
}

#[tokio::test]
async fn incomplete_content_is_never_delivered() {
    let root = tempfile::tempdir().unwrap();
    let agent = Maildir::new(root.path());
    let envelope = envelope(&["<bob@contoso.com>"]);
    let outcomes = deliver(&agent, 1, &envelope, Arc::new(Short), false).await;
    assert!(matches!(outcomes[0], Outcome::Deferred(_)));
    assert!(files(root.path().join("contoso.com/bob/new")).is_empty());
    assert!(files(root.path().join("contoso.com/bob/tmp")).is_empty());
}

#[tokio::test]
async fn one_recipient_without_place_does_not_hold_up_the_others() {
    let root = tempfile::tempdir().unwrap();
    // A file stands where the folder of fabrikam.com would be.
    std::fs::write(root.path().join("fabrikam.com"), "").unwrap();
    let long = format!("<{}@contoso.com>", "/".repeat(100));
    let envelope = envelope(&["<bob@fabrikam.com>", &long, "<bob@contoso.com>"]);
    let outcomes = deliver_content(&Maildir::new(root.path()), 1, &envelope).await;
    assert!(matches!(outcomes[0], Outcome::Deferred(_)), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Failed(_)), "{outcomes:?}");
    assert!(is_delivered(&outcomes[2]), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_deliveries_at_once_all_arrive() {
    let root = tempfile::tempdir().unwrap();
    let agent = Maildir::new(root.path());
    let mut tasks = tokio::task::JoinSet::new();
    for message in 0..100 {
        let agent = agent.clone();
        tasks.spawn(async move {
            let envelope = envelope(&["<bob@contoso.com>", "<carol@contoso.com>"]);
            deliver_content(&agent, message, &envelope).await
        });
    }
    for outcomes in tasks.join_all().await {
        assert!(outcomes.iter().all(is_delivered), "{outcomes:?}");
    }
    for mailbox in ["bob", "carol"] {
        assert_eq!(files(root.path().join("contoso.com").join(mailbox).join("new")).len(), 100);
    }
}

#[tokio::test]
async fn attempt_beside_a_running_one_is_deferred() {
    let root = tempfile::tempdir().unwrap();
    let agent = Maildir::new(root.path());
    let envelope = envelope(&["<bob@contoso.com>"]);
    let running = Running::begin(&agent.store, key(1).for_recipient(0)).unwrap();
    let outcomes = deliver_content(&agent, 1, &envelope).await;
    assert!(matches!(outcomes[0], Outcome::Deferred(_)));
    drop(running);
    assert!(is_delivered(&deliver_content(&agent, 1, &envelope).await[0]));
}
