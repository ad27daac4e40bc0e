//! The directory: who our recipients are. Asked at RCPT, before custody is taken.

use async_trait::async_trait;
use transom_types::Mailbox;

/// Knows the mailboxes of the authoritative domains.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// Tells whether `mailbox` exists. Called for every RCPT into an authoritative domain, so it
    /// should answer in milliseconds.
    ///
    /// # Errors
    ///
    /// [`DirectoryUnavailable`] when the answer cannot be had now; the client gets 451 and tries
    /// again. Never answer `Unknown` then: that bounces mail for good.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any await; nothing depends on its end.
    async fn lookup(&self, mailbox: &Mailbox) -> Result<DirectoryAnswer, DirectoryUnavailable>;
}

/// What a [`Directory`] says of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DirectoryAnswer {
    /// The mailbox exists.
    Known,
    /// The mailbox does not exist.
    Unknown,
}

/// The directory cannot answer now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the directory cannot answer: {reason}")]
#[non_exhaustive]
pub struct DirectoryUnavailable {
    /// Why not, for logs.
    pub reason: String,
}

impl DirectoryUnavailable {
    /// With a reason for the logs; no client sees it.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}
