//! Delivery agents: the last hop of a message inside the host program.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use transom_types::{
    AttemptStage, EnhancedStatusCode, Envelope, InternalMessageId, NetworkMessageId, Outcome,
    RecipientResult, Reply, ReplyCode, Status,
};

use crate::ContentSource;

/// Delivers messages to their final place: a mailbox store, a program, a web service.
#[async_trait]
pub trait DeliveryAgent: Send + Sync + 'static {
    /// Delivers one message to some of its recipients and answers one result for each of them.
    ///
    /// Custody ends with the answer: a recipient may be
    /// [`Delivered`](transom_types::Outcome::Delivered) only when the copy survives a power loss.
    /// The same item comes again when its outcome could not be written down, so an agent uses
    /// [`DeliveryItem::key_for`] to recognise a copy that it made before.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any await, at shutdown or time-out. What it had done by then
    /// is found again by the key when the message is tried again.
    async fn deliver(&self, item: DeliveryItem<'_>) -> Vec<RecipientResult>;
}

/// What a [`DeliveryAgent`] gets: one message and those of its recipients that are its own.
#[derive(Clone)]
#[non_exhaustive]
pub struct DeliveryItem<'a> {
    /// Names the message; [`DeliveryItem::key_for`] names the message for one recipient.
    pub key: IdempotencyKey,
    /// The whole envelope, other agents' recipients included.
    pub envelope: &'a Envelope,
    /// Places in [`Envelope::recipients`] that are to be delivered.
    pub recipients: &'a [u32],
    /// The content, trace fields of this host included, `Return-Path` not. A
    /// [`ContentReader`](crate::ContentReader) reads it from start to end.
    pub content: Arc<dyn ContentSource>,
    /// When this host took custody.
    pub received_at: SystemTime,
    /// True only where no attempt for these recipients was ever begun, in this process or before
    /// it. The agent then need not look for an earlier copy.
    pub first_attempt: bool,
}

impl<'a> DeliveryItem<'a> {
    /// An item that may have been tried before.
    pub fn new(
        key: IdempotencyKey,
        envelope: &'a Envelope,
        recipients: &'a [u32],
        content: Arc<dyn ContentSource>,
        received_at: SystemTime,
    ) -> Self {
        Self { key, envelope, recipients, content, received_at, first_attempt: false }
    }

    /// Says whether this is known to be the first attempt.
    #[must_use]
    pub fn with_first_attempt(self, first_attempt: bool) -> Self {
        Self { first_attempt, ..self }
    }

    /// The key of this message for the recipient at `recipient` in the envelope.
    pub fn key_for(&self, recipient: u32) -> IdempotencyKey {
        self.key.for_recipient(recipient)
    }

    /// The answer where every recipient has its copy, and all of them survive a power loss.
    pub fn delivered(&self) -> Vec<RecipientResult> {
        let code = EnhancedStatusCode::success(1, 5);
        let reply = Reply::new(ReplyCode::OK, code, "delivered");
        self.all(&Outcome::Delivered(Status::local(AttemptStage::Agent, reply)))
    }

    /// The answer where no recipient can have its copy now: they are tried again. `why` stands in
    /// logs, and in the report when time runs out.
    pub fn deferred(&self, why: impl Into<Cow<'static, str>>) -> Vec<RecipientResult> {
        let reply = Reply::new(ReplyCode::LOCAL_ERROR, EnhancedStatusCode::transient(3, 0), why);
        self.all(&Outcome::Deferred(Status::local(AttemptStage::Agent, reply)))
    }

    /// The answer where no recipient will ever have its copy. `why` stands in the report that the
    /// sender gets.
    pub fn failed(&self, why: impl Into<Cow<'static, str>>) -> Vec<RecipientResult> {
        let code = EnhancedStatusCode::permanent(3, 0);
        let reply = Reply::new(ReplyCode::TRANSACTION_FAILED, code, why);
        self.all(&Outcome::Failed(Status::local(AttemptStage::Agent, reply)))
    }

    /// One outcome for all; agents whose recipients differ make a [`RecipientResult`] for each.
    fn all(&self, outcome: &Outcome) -> Vec<RecipientResult> {
        let result = |&recipient| RecipientResult { recipient, outcome: outcome.clone() };
        self.recipients.iter().map(result).collect()
    }
}

impl fmt::Debug for DeliveryItem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryItem")
            .field("key", &self.key)
            .field("recipients", &self.recipients)
            .field("octets", &self.content.len())
            .finish_non_exhaustive()
    }
}

/// Names a delivery so that it can be recognised: the same for every attempt at the same recipient
/// of the same message, across retries and restarts, and another for every other one.
///
/// Both ids are in it: forks of a message share the network id and count their recipients anew,
/// while the internal id alone is unique in one spool only.
///
/// `Display` gives hexadecimal digits and hyphens, at most [`IdempotencyKey::OCTETS_MAX`], fit for
/// a file name or a header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey {
    network_id: NetworkMessageId,
    internal_id: InternalMessageId,
    recipient: Option<u32>,
}

impl IdempotencyKey {
    /// Longest text of a key, in octets.
    pub const OCTETS_MAX: usize = 32 + 1 + 16 + 1 + 10;

    /// The key of a message.
    pub const fn new(network_id: NetworkMessageId, internal_id: InternalMessageId) -> Self {
        Self { network_id, internal_id, recipient: None }
    }

    /// The key of the message for one recipient, named by its place in the envelope.
    #[must_use]
    pub const fn for_recipient(self, recipient: u32) -> Self {
        Self { recipient: Some(recipient), ..self }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}-{:x}", self.network_id.0, self.internal_id.0)?;
        match self.recipient {
            Some(recipient) => write!(f, "-{recipient}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use transom_types::ReversePath;

    use super::*;

    const KEY: IdempotencyKey =
        IdempotencyKey::new(NetworkMessageId(0xab), InternalMessageId(0x0001_0000_0002));

    #[test]
    fn key_is_the_same_for_every_attempt() {
        assert_eq!(KEY.for_recipient(3).to_string(), KEY.for_recipient(3).to_string());
        assert_eq!(
            KEY.for_recipient(3).to_string(),
            "000000000000000000000000000000ab-100000002-3"
        );
    }

    #[test]
    fn forks_of_a_message_have_different_keys() {
        let fork = IdempotencyKey::new(NetworkMessageId(0xab), InternalMessageId(7));
        assert_ne!(fork.for_recipient(0).to_string(), KEY.for_recipient(0).to_string());
    }

    #[test]
    fn key_is_fit_for_a_file_name() {
        let longest = IdempotencyKey::new(NetworkMessageId(u128::MAX), InternalMessageId(u64::MAX));
        let text = longest.for_recipient(u32::MAX).to_string();
        assert_eq!(text.len(), IdempotencyKey::OCTETS_MAX);
        assert!(text.bytes().all(|octet| octet == b'-' || octet.is_ascii_hexdigit()));
    }

    #[test]
    fn an_answer_for_all_names_every_recipient_once() {
        let to = ["<a@contoso.com>", "<b@elsewhere.example>", "<c@contoso.com>"];
        let to = to.map(|path| path.parse().unwrap());
        let envelope = Envelope::new(ReversePath::Null, to);
        let content = Arc::new(bytes::Bytes::new());
        let item = DeliveryItem::new(KEY, &envelope, &[0, 2], content, SystemTime::UNIX_EPOCH);
        for (answer, name, code) in [
            (item.delivered(), "delivered", "2.1.5"),
            (item.deferred("the disk is full"), "deferred", "4.3.0"),
            (item.failed("no such shelf"), "failed", "5.3.0"),
        ] {
            assert_eq!(answer.iter().map(|result| result.recipient).collect::<Vec<_>>(), [0, 2]);
            for result in answer {
                assert_eq!(result.outcome.name(), name);
                assert_eq!(result.outcome.status().unwrap().code.to_string(), code);
            }
        }
    }

    #[test]
    fn agents_are_kept_as_objects() {
        fn shared<T: Send + Sync + ?Sized>() {}
        shared::<dyn DeliveryAgent>();
        shared::<DeliveryItem<'_>>();
    }
}
