//! The store's contract: one trait, [`Spool`], and the values it takes and gives.

mod decide;
mod edit;
mod health;
mod note;
mod pressure;
mod work;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use transom_types::{InternalMessageId, Outcome};

pub use self::decide::{Decide, MessageCopy};
pub use self::edit::{Edit, EditError, EditList};
pub use self::health::{DiskLevel, SpoolHealth};
pub use self::note::Note;
pub use self::pressure::{LatencyLevel, Pressure};
pub use self::work::{POISON_ACTOR, Work, WorkStage};
use crate::message::{Accepted, Intent, MessageState};
use crate::seglog::{Damage, Stats};

/// Where custody lies. The segment log and the in-memory store implement it and pass one suite of
/// conformance tests.
#[async_trait]
pub trait Spool: fmt::Debug + Send + Sync + 'static {
    /// Begins to take in a body; `size_hint` is the size in octets where the client declared one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`] when the store takes nothing any more, [`StoreError::Full`] when
    /// the disk or a limit does not allow it now.
    fn begin(&self, size_hint: Option<u64>) -> Result<Box<dyn Ingest>, StoreError>;

    /// Makes `ops` durable, all or nothing, across any number of messages.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the operations back: they may still become durable.
    ///
    /// # Errors
    ///
    /// After an error none of the operations has happened. After [`StoreError::Failed`] what the
    /// disk holds is not known for certain: a restart may find them all, and never a part.
    async fn commit(&self, ops: Vec<Op>, durability: Durability) -> Result<Committed, StoreError>;

    /// A message with its state and content.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] when it is complete or was never here, [`StoreError::Damaged`]
    /// when what the disk holds does not verify.
    async fn open(&self, id: InternalMessageId) -> Result<StoredMessage, StoreError>;

    /// Gives every open message to `sink`, oldest first, and tells what recovery found. Called
    /// once, before anything else.
    ///
    /// # Errors
    ///
    /// Damaged messages are reported, not errors; only a store that cannot be read at all fails.
    fn load(&self, sink: &mut dyn FnMut(LoadedMessage)) -> Result<RecoveryReport, StoreError>;

    /// A number that tells this store from every other, the same after each start: what belongs to
    /// a store names it, such as a cursor of [`query`](crate::query::Query::source). A store that
    /// cannot be told from others gives 0.
    fn id(&self) -> u128 {
        0
    }

    /// How the store is.
    fn health(&self) -> SpoolHealth;

    /// The notes whose keys begin with `prefix`, in the order of their keys, without those whose
    /// time is over at `now`: they may be forgotten from then on. A store that keeps no notes gives
    /// none, and refuses [`Op::Note`].
    fn notes(&self, _prefix: &str, _now: SystemTime) -> Vec<Note> {
        Vec::new()
    }

    /// Notes that code is about to work on a message which might bring the process down with it,
    /// until the guard is dropped. A message that two runs in a row ended at is poison: it is
    /// loaded suspended, and named in [`RecoveryReport::poison`]. Waiting for a peer is no work.
    fn working(&self, _id: InternalMessageId, _stage: WorkStage) -> Work {
        Work::default()
    }

    /// What the state of the store asks of those who bring mail in and take it out.
    fn pressure(&self) -> Pressure {
        Pressure::of(&self.health())
    }

    /// Damage that the store came upon by itself since this was last asked, each told once. A
    /// message that is named is not delivered: [`open`](Self::open) answers
    /// [`StoreError::Damaged`]. Whoever drives deliveries suspends it, so that somebody looks.
    fn damages(&self) -> Vec<Damage> {
        Vec::new()
    }

    /// Figures, of a store that keeps them.
    fn stats(&self) -> Option<Stats> {
        None
    }
}

/// A body on its way in. Dropping it before [`finish`](Self::finish) forgets it.
#[async_trait]
pub trait Ingest: fmt::Debug + Send + Sync {
    /// The id that the message will have.
    fn id(&self) -> InternalMessageId;

    /// Appends to the body. Waits while the backlog is at its limit.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: after a drop an unknown part was taken, so drop the ingest too.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`], [`StoreError::Failed`] or [`StoreError::Io`].
    async fn write(&mut self, octets: &[u8]) -> Result<(), StoreError>;

    /// Ends the body; a large one is durable when this returns, a small one with its commit.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    async fn finish(self: Box<Self>) -> Result<Ingested, StoreError>;
}

/// A body that is complete and waits for its [`Accept`]. Only the store that made it can take it.
/// Dropping it forgets the body.
pub struct Ingested {
    pub(crate) id: InternalMessageId,
    pub(crate) octets: u64,
    pub(crate) body: IngestedBody,
}

/// Where a complete body waits.
pub(crate) enum IngestedBody {
    /// In memory: it goes into the log with its Accept.
    Inline(Bytes),
    /// In a file of its own, durable already. `forget` removes it when no Accept comes.
    Blob(Box<dyn BlobClaim>),
}

/// A durable blob that no Accept refers to yet. Dropping it unclaimed removes the file.
pub(crate) trait BlobClaim: Send + Sync {
    /// The Accept is about to be committed: the file stays.
    fn claim(&mut self);
    /// The Accept was refused, durably so: the file goes with the claim.
    fn release(&mut self);
    /// CRC32C of each 64 KiB block.
    fn block_crcs(&self) -> &[u32];
    /// The body, for whoever wants to look at it before it is accepted.
    fn content(&self, id: InternalMessageId) -> Result<Content, StoreError>;
}

impl Ingested {
    /// The id of the message.
    pub fn id(&self) -> InternalMessageId {
        self.id
    }

    /// Size in octets.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The content, where it is held in memory: small bodies are, until they are committed.
    pub fn bytes(&self) -> Option<Bytes> {
        match &self.body {
            IngestedBody::Inline(bytes) => Some(bytes.clone()),
            IngestedBody::Blob(_) => None,
        }
    }
}

impl Ingested {
    /// The content, to look at before it is accepted. Reading may block on the disk where it is
    /// not in memory.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] where it cannot be opened.
    pub fn content(&self) -> Result<Content, StoreError> {
        match &self.body {
            IngestedBody::Inline(bytes) => Ok(Content::from_bytes(bytes.clone())),
            IngestedBody::Blob(claim) => claim.content(self.id),
        }
    }
}

impl fmt::Debug for Ingested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Ingested");
        debug.field("id", &self.id).field("octets", &self.octets).finish_non_exhaustive()
    }
}

/// One change. A commit makes a list of them durable together.
#[derive(Debug)]
#[non_exhaustive]
pub enum Op {
    /// Custody begins.
    Accept(Box<Accept>),
    /// Recipients leave a message for copies of it (bifurcation); the body is shared.
    Categorize {
        /// The message that loses recipients.
        id: InternalMessageId,
        /// The copies, each with the recipients it takes over.
        forks: Vec<Fork>,
    },
    /// The categorizer has decided: recipients end, and copies take their places.
    Decide(Box<Decide>),
    /// An attempt is about to pass the point of no return.
    Intent {
        /// The message.
        id: InternalMessageId,
        /// Who, where, which attempt.
        intent: Intent,
    },
    /// Outcomes and retry times of recipients. Ends the message when none is left open.
    Settle {
        /// The message.
        id: InternalMessageId,
        /// One entry for each recipient that changes.
        recipients: Vec<Settled>,
        /// Whether a delay notice goes out with this commit.
        delay_notified: bool,
    },
    /// Somebody acts on the message.
    Admin {
        /// The message.
        id: InternalMessageId,
        /// What is done.
        verb: AdminVerb,
        /// Who does it.
        actor: String,
    },
    /// The content reads with these edits from now on, and with none that it had before. A fork
    /// begins with those that its parent has then: a commit that edits, forks, and edits again
    /// gives each copy its own. What was accepted says nothing of them.
    Edit {
        /// The message.
        id: InternalMessageId,
        /// All that is different from what was taken in.
        edits: EditList,
    },
    /// Something that is kept for itself, in place of what had the same key.
    Note(Note),
}

/// A new message.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever accepts a message")]
pub struct Accept {
    /// Its body.
    pub body: Ingested,
    /// All else.
    pub message: Accepted,
}

/// A copy of a message for some of its recipients. The store gives it an id and names it in
/// [`Committed::forks`].
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by the categorizer's driver")]
pub struct Fork {
    /// Places, in the parent's envelope, of the recipients that go over.
    pub recipients: Vec<u32>,
}

/// The new state of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by settlement")]
pub struct Settled {
    /// The recipient's place in the envelope.
    pub recipient: u32,
    /// How the attempt ended.
    pub outcome: Outcome,
    /// Whether it counts as an attempt.
    pub attempted: bool,
    /// When to try again, unless the outcome is terminal.
    pub retry_at: Option<SystemTime>,
}

/// What somebody does to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdminVerb {
    /// No attempt is begun until it is resumed.
    Suspend,
    /// Attempts go on.
    Resume,
    /// All open recipients end as removed, without report.
    Remove,
}

/// When a commit is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// After the medium has it.
    #[default]
    Sync,
    /// After the operating system has it: survives `kill -9`; a power cut may lose the last second.
    Buffered,
}

/// What a commit gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// Grows with every commit of this store: the place of its tracking events.
    pub position: u64,
    /// Ids of the forks, in the order of the operations.
    pub forks: Vec<InternalMessageId>,
    /// Those of them that an administrator has stopped, with the message they come from.
    pub suspended: Vec<InternalMessageId>,
    /// Messages that this commit completed.
    pub completed: Vec<InternalMessageId>,
}

/// A message, opened.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "what open gives")]
pub struct StoredMessage {
    /// Its id.
    pub id: InternalMessageId,
    /// As accepted.
    pub message: Arc<Accepted>,
    /// What has become of it.
    pub state: MessageState,
    /// Its content.
    pub content: Content,
}

/// A message, as recovery found it.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "what load gives")]
pub struct LoadedMessage {
    /// Its id.
    pub id: InternalMessageId,
    /// As accepted.
    pub message: Accepted,
    /// What has become of it.
    pub state: MessageState,
}

/// The content of a message, with its edits: read in ranges, verified as it is read.
#[derive(Clone)]
pub struct Content {
    octets: u64,
    source: ContentSource,
}

#[derive(Clone)]
enum ContentSource {
    Inline(Bytes),
    Blob(Arc<dyn ReadContent>),
}

/// Reads a body that lies in a file. Blocks.
pub(crate) trait ReadContent: Send + Sync {
    /// Reads at `offset`; fewer octets than asked for only at the end.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, StoreError>;
}

impl Content {
    /// Content in memory.
    pub fn from_bytes(bytes: Bytes) -> Self {
        let octets = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { octets, source: ContentSource::Inline(bytes) }
    }

    pub(crate) fn from_reader(octets: u64, reader: Arc<dyn ReadContent>) -> Self {
        Self { octets, source: ContentSource::Blob(reader) }
    }

    /// Size in octets.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The whole, where it is in memory.
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.source {
            ContentSource::Inline(bytes) => Some(bytes),
            ContentSource::Blob(_) => None,
        }
    }

    /// Reads at `offset`; fewer octets than asked for only at the end. May block on the disk when
    /// the content is not in memory.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when the octets do not verify; nothing of them was given then.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, StoreError> {
        match &self.source {
            ContentSource::Blob(reader) => reader.read_at(offset, buf),
            ContentSource::Inline(bytes) => {
                let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..));
                let rest = rest.unwrap_or_default();
                let count = rest.len().min(buf.len());
                if let (Some(to), Some(from)) = (buf.get_mut(..count), rest.get(..count)) {
                    to.copy_from_slice(from);
                }
                Ok(count)
            }
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("octets", &self.octets).finish_non_exhaustive()
    }
}

/// What recovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Open messages.
    pub messages: u64,
    /// Open recipients.
    pub recipients: u64,
    /// Incomplete batches behind the mark: never acknowledged, dropped.
    pub torn_batches: u64,
    /// Names of what was set aside in `quarantine/`.
    pub quarantined: Vec<String>,
    /// All that does not verify or is not there although it was durable, with the messages that it
    /// costs, as far as they are known. A message that is named is not delivered.
    pub damages: Vec<Damage>,
    /// Messages with an Intent and no outcome.
    pub in_doubt: Vec<InternalMessageId>,
    /// Messages that were worked on when two runs in a row ended: they are suspended now.
    pub poison: Vec<InternalMessageId>,
    /// Whether the last run ended cleanly.
    pub clean: bool,
    /// Whether the machine itself went down, so that an Intent of the last second may be missing.
    pub power_cut: bool,
    /// How long it took.
    pub took: Duration,
}

/// Why the store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The octets on the disk do not verify.
    #[error("message {id} is damaged on disk: {what}")]
    Damaged {
        /// Which message.
        id: InternalMessageId,
        /// What does not verify.
        what: String,
    },
    /// The store takes nothing any more; see [`SpoolHealth::Failed`].
    #[error("the spool has failed and takes nothing: {reason}")]
    Failed {
        /// What failed.
        reason: String,
    },
    /// No room, or a limit is reached.
    #[error("no room for more mail: {resource}")]
    Full {
        /// Which resource.
        resource: &'static str,
    },
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        error: String,
    },
    /// No such open message.
    #[error("message {0} is not in the spool")]
    NotFound(InternalMessageId),
    /// One commit above the limit.
    #[error("a commit of {octets} octets is above the limit of {limit}")]
    TooLarge {
        /// Its size.
        octets: u64,
        /// The limit.
        limit: u64,
    },
    /// Our bug, please report it.
    #[error("unreachable state in the spool: {0}; please file a bug")]
    Unreachable(&'static str),
}
