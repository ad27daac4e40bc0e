//! What is kept beside the messages.

use std::time::SystemTime;

use bytes::Bytes;

use super::StoreError;

/// What outlives messages: an idempotency key, a receipt, the cursor of a reader, a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever keeps something")]
pub struct Note {
    /// Its name, at most [`Note::KEY_OCTETS_MAX`]. By convention `kind/name`, so that all of a kind
    /// can be listed.
    pub key: String,
    /// What is kept, at most [`Note::VALUE_OCTETS_MAX`]; none removes the note.
    pub value: Option<Bytes>,
    /// When it may be forgotten; none is never.
    pub until: Option<SystemTime>,
}

impl Note {
    /// Longest key.
    pub const KEY_OCTETS_MAX: usize = 1_024;
    /// Largest value: notes are held in memory.
    pub const VALUE_OCTETS_MAX: usize = 64 << 10;

    /// Whether its time is over.
    pub(crate) fn is_over(&self, now: SystemTime) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether it may be kept.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let count = |octets: usize| u64::try_from(octets).unwrap_or(u64::MAX);
        let value = self.value.as_ref().map_or(0, Bytes::len);
        let limits = [(self.key.len(), Self::KEY_OCTETS_MAX), (value, Self::VALUE_OCTETS_MAX)];
        match limits.into_iter().find(|(octets, limit)| octets > limit) {
            None => Ok(()),
            Some((octets, limit)) => {
                Err(StoreError::TooLarge { octets: count(octets), limit: count(limit) })
            }
        }
    }
}
