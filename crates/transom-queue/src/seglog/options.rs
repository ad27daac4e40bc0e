//! Options, figures and errors of the segment log.

use std::io;
use std::time::Duration;

use crate::io::LockError;

/// How a [`SegLog`](super::SegLog) works. The defaults fit a mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegLogOptions {
    /// Size of a segment file in octets (64 MiB): large enough that a new file is rare, small
    /// enough that the oldest is soon free. The last batch of a segment may reach beyond it.
    pub segment_octets: u64,
    /// Most octets that are written and synced together (1 MiB). With less, bodies of 64 KiB
    /// lose a third of their rate; with more, the wait grows and nothing is gained.
    pub batch_octets_max: u64,
    /// Most octets of one commit (16 MiB), which is never split.
    pub group_octets_max: u64,
    /// Bodies up to this size lie in the log (256 KiB), larger ones in files of their own: the
    /// log is copied when it is reclaimed, and large bodies should not be.
    pub inline_octets_max: u64,
    /// Most octets that wait in memory to be committed, bodies on their way in included
    /// (256 MiB). Beyond, [`Ingest::write`](crate::Ingest::write) waits.
    pub backlog_octets_max: u64,
    /// Size of each of the two files that are kept for a full disk (8 MiB: outcomes of some tens of
    /// thousands of recipients); 0 keeps none.
    pub reserve_octets: u64,
    /// Most open messages (10,000,000: 500 MiB of index).
    pub messages_max: u64,
    /// Most notes (1,000,000: they are held in memory).
    pub notes_max: u64,
    /// How long after a scrub has read everything the next one begins (24 hours: mail that waits
    /// waits for days, so all of it is read at least once before it expires); zero for never.
    pub scrub_interval: Duration,
    /// Octets that the scrub reads in a second (4 MiB: a small part of what the slowest disk
    /// gives, and a million messages of 4 KiB in twenty minutes).
    pub scrub_pace: u64,
    /// Who writes.
    pub driver: Driver,
}

impl Default for SegLogOptions {
    fn default() -> Self {
        Self {
            segment_octets: 64 << 20,
            batch_octets_max: 1 << 20,
            group_octets_max: 16 << 20,
            inline_octets_max: 256 << 10,
            backlog_octets_max: 256 << 20,
            reserve_octets: 8 << 20,
            messages_max: 10_000_000,
            notes_max: 1_000_000,
            scrub_interval: Duration::from_hours(24),
            scrub_pace: 4 << 20,
            driver: Driver::Thread,
        }
    }
}

impl SegLogOptions {
    /// Sets [`segment_octets`](Self::segment_octets); at most 1 GiB is used.
    #[must_use]
    pub fn with_segment_octets(self, segment_octets: u64) -> Self {
        Self { segment_octets, ..self }
    }

    /// Sets [`batch_octets_max`](Self::batch_octets_max).
    #[must_use]
    pub fn with_batch_octets_max(self, batch_octets_max: u64) -> Self {
        Self { batch_octets_max, ..self }
    }

    /// Sets [`group_octets_max`](Self::group_octets_max); at most 1 GiB is used.
    #[must_use]
    pub fn with_group_octets_max(self, group_octets_max: u64) -> Self {
        Self { group_octets_max, ..self }
    }

    /// Sets [`inline_octets_max`](Self::inline_octets_max).
    #[must_use]
    pub fn with_inline_octets_max(self, inline_octets_max: u64) -> Self {
        Self { inline_octets_max, ..self }
    }

    /// Sets [`backlog_octets_max`](Self::backlog_octets_max).
    #[must_use]
    pub fn with_backlog_octets_max(self, backlog_octets_max: u64) -> Self {
        Self { backlog_octets_max, ..self }
    }

    /// Sets [`reserve_octets`](Self::reserve_octets).
    #[must_use]
    pub fn with_reserve_octets(self, reserve_octets: u64) -> Self {
        Self { reserve_octets, ..self }
    }

    /// Sets [`messages_max`](Self::messages_max).
    #[must_use]
    pub fn with_messages_max(self, messages_max: u64) -> Self {
        Self { messages_max, ..self }
    }

    /// Sets [`notes_max`](Self::notes_max).
    #[must_use]
    pub fn with_notes_max(self, notes_max: u64) -> Self {
        Self { notes_max, ..self }
    }

    /// Sets [`scrub_interval`](Self::scrub_interval).
    #[must_use]
    pub fn with_scrub_interval(self, scrub_interval: Duration) -> Self {
        Self { scrub_interval, ..self }
    }

    /// Sets [`scrub_pace`](Self::scrub_pace); less than 64 KiB counts as that.
    #[must_use]
    pub fn with_scrub_pace(self, scrub_pace: u64) -> Self {
        Self { scrub_pace, ..self }
    }

    /// Sets [`driver`](Self::driver).
    #[must_use]
    pub fn with_driver(self, driver: Driver) -> Self {
        Self { driver, ..self }
    }

    /// Offsets in a segment have 32 bits: what the options ask for stays far below.
    pub(super) fn bounded(self) -> Self {
        const MAX: u64 = 1 << 30;
        Self {
            segment_octets: self.segment_octets.min(MAX),
            batch_octets_max: self.batch_octets_max.min(MAX),
            group_octets_max: self.group_octets_max.min(MAX),
            scrub_pace: self.scrub_pace.max(64 << 10),
            ..self
        }
    }
}

/// Who drives the committer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Driver {
    /// A thread of its own, and others for large bodies, for space ahead and for the scrub.
    #[default]
    Thread,
    /// Each call runs the committer itself before it returns: one commit, one batch, in a fixed
    /// order. For simulations, where threads would make two runs differ. The scrub runs when it is
    /// [called](super::SegLog::scrub) only.
    Inline,
}

/// Figures of a running log, all since it was opened but the last three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Commits that were answered with success.
    pub commits: u64,
    /// Batches that were written.
    pub batches: u64,
    /// Calls of fdatasync for segments.
    pub fsyncs: u64,
    /// Octets written to segments, copies included.
    pub octets_written: u64,
    /// Octets copied forward to free an old segment.
    pub octets_copied: u64,
    /// Segments that were removed because nothing in them counted any more.
    pub segments_reclaimed: u64,
    /// Zeros written to segments before what comes there: the syncs of that cost less then.
    pub octets_ahead: u64,
    /// Of the removed segments, those whose files are used again.
    pub segments_recycled: u64,
    /// Messages that could not be carried forward because the disk damaged them; set aside.
    pub quarantined: u64,
    /// Segments whose end was voided because a write or sync of it failed.
    pub voided: u64,
    /// Octets that the scrub has read.
    pub scrubbed: u64,
    /// Damages that it found.
    pub damages: u64,
    /// Open messages now.
    pub messages: u64,
    /// Segments now.
    pub segments: u64,
    /// Octets of all segments now.
    pub log_octets: u64,
}

/// Why a log does not open. Nothing was changed on the disk then but, at most, what a later open
/// would do too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder is a spool of another format, or of a later version of this one.
    #[error("{spool}: {found}; this program reads format {expected} and leaves it as it is")]
    ForeignFormat {
        /// Where.
        spool: String,
        /// What its FORMAT file says.
        found: String,
        /// The version that this program writes.
        expected: u32,
    },
    /// Another process has it.
    #[error("{spool}: in use by {owner}")]
    InUse {
        /// Where.
        spool: String,
        /// What the owner wrote into the lock file.
        owner: String,
    },
    /// The system refused.
    #[error("{spool}: cannot {action}: {error}")]
    Io {
        /// Where.
        spool: String,
        /// What was tried, on which file.
        action: String,
        /// What the system said.
        error: io::Error,
    },
    /// A folder that holds other things and is no spool.
    #[error("{spool}: is no spool: it has no file FORMAT but holds {found}")]
    NotASpool {
        /// Where.
        spool: String,
        /// One of the names found there.
        found: String,
    },
}

impl OpenError {
    pub(super) fn from_lock(spool: String, error: LockError) -> Self {
        match error {
            LockError::Held { owner } => Self::InUse { spool, owner },
            LockError::Io(error) => Self::Io { spool, action: "lock LOCK".into(), error },
        }
    }
}
