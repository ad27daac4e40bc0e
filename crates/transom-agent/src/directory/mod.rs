//! The directory: who our recipients are. Asked at RCPT, before custody is taken, and again when a
//! message is resolved.
//!
//! The trait and its answers are here, and ready-made directories. What becomes of an answer, that
//! is the following of groups, aliases and policies, is `transom_routing::resolve`.

mod entry;
#[cfg(feature = "directory-file")]
mod file;
mod memory;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use transom_types::Mailbox;

pub use entry::{DirectoryEntry, Group, GroupReports, RecipientKind, RecipientPolicy};
#[cfg(feature = "directory-file")]
pub use file::{DirectoryProblem, ParseDirectoryError};
pub use memory::{FallbackDirectory, MemoryDirectory};

/// Knows the recipients of the accepted domains.
///
/// A directory that only knows which mailboxes exist:
///
/// ```
/// use transom_agent::{Directory, DirectoryAnswer, DirectoryUnavailable, async_trait};
/// use transom_types::Mailbox;
///
/// struct OnlyBob;
///
/// #[async_trait]
/// impl Directory for OnlyBob {
///     async fn lookup(&self, mailbox: &Mailbox) -> Result<DirectoryAnswer, DirectoryUnavailable> {
///         let known = mailbox.as_str() == "bob@contoso.com";
///         Ok(if known { DirectoryAnswer::Known } else { DirectoryAnswer::Unknown })
///     }
/// }
/// ```
///
/// One that knows more answers with a [`DirectoryEntry`]:
/// `Ok(DirectoryEntry::alias("bob@contoso.com".parse()?).into())`.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// Tells what `mailbox` is. Called for every RCPT into an accepted domain that the directory
    /// serves, for every member of a group, and for senders where a policy names senders; so it
    /// should answer in milliseconds. Each answer stands for one address: whom an alias or a group
    /// leads to is asked about by itself, in any order and several at a time.
    ///
    /// # Errors
    ///
    /// [`DirectoryUnavailable`] when the answer cannot be had now; the client gets 451 and tries
    /// again, a message that is in custody waits. Never answer `Unknown` then: that bounces mail
    /// for good.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any await; nothing depends on its end.
    async fn lookup(&self, mailbox: &Mailbox) -> Result<DirectoryAnswer, DirectoryUnavailable>;
}

/// What a [`Directory`] says of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectoryAnswer {
    /// It is a mailbox, and nothing else is to be said of it.
    Known,
    /// Nobody has this address.
    Unknown,
    /// It is what the entry says.
    Entry(Box<DirectoryEntry>),
}

impl DirectoryAnswer {
    /// Whether the address exists.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }
}

impl From<DirectoryEntry> for DirectoryAnswer {
    fn from(entry: DirectoryEntry) -> Self {
        Self::Entry(Box::new(entry))
    }
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

/// A [`Directory`] out of a function that has its answers at hand.
///
/// ```
/// use transom_agent::{DirectoryAnswer, directory_fn};
///
/// let directory = directory_fn(|mailbox| match mailbox.as_str() {
///     "ann@contoso.com" => Ok(DirectoryAnswer::Known),
///     _ => Ok(DirectoryAnswer::Unknown),
/// });
/// # let _ = directory;
/// ```
pub fn directory_fn<F>(answer: F) -> impl Directory
where
    F: Fn(&Mailbox) -> Result<DirectoryAnswer, DirectoryUnavailable> + Send + Sync + 'static,
{
    DirectoryFn(answer)
}

struct DirectoryFn<F>(F);

#[async_trait]
impl<F> Directory for DirectoryFn<F>
where
    F: Fn(&Mailbox) -> Result<DirectoryAnswer, DirectoryUnavailable> + Send + Sync + 'static,
{
    async fn lookup(&self, mailbox: &Mailbox) -> Result<DirectoryAnswer, DirectoryUnavailable> {
        (self.0)(mailbox)
    }
}
