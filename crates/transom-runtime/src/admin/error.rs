//! Why a verb was not done.

use std::io;

use transom_queue::StoreError;
use transom_queue::view::{Refusal, Verb};
use transom_types::{InternalMessageId, NextHop};

use crate::transport::NotRunning;

/// Why a verb was not done. Nothing has changed then, unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerbError {
    /// Nobody has such a name.
    #[error("who acts is named by 1 to 256 octets without control characters, and not \"poison\"")]
    Actor,
    /// The verb does not fit the message as it stands.
    #[error("cannot {verb} message {id}: {why}")]
    Message {
        /// What was asked.
        verb: Verb,
        /// The message.
        id: InternalMessageId,
        /// Why not.
        why: Refusal,
    },
    /// There is no such message, or it has ended.
    #[error("cannot {verb} message {id}: it is not here")]
    NoMessage {
        /// What was asked.
        verb: Verb,
        /// The message.
        id: InternalMessageId,
    },
    /// There is no such queue.
    #[error("cannot {verb} queue {queue}: it is not here")]
    NoQueue {
        /// What was asked.
        verb: Verb,
        /// Its name, or where it would lead.
        queue: String,
    },
    /// The transport is stopping.
    #[error(transparent)]
    NotRunning(#[from] NotRunning),
    /// The verb does not fit the queue as it stands.
    #[error("cannot {verb} queue {queue}: {why}")]
    Queue {
        /// What was asked.
        verb: Verb,
        /// Where it leads, or its name.
        queue: String,
        /// Why not.
        why: Refusal,
    },
    /// The spool does not give or take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Mail cannot be redirected there.
    #[error("cannot redirect to {next_hop}: {why}")]
    Target {
        /// Where to.
        next_hop: Box<NextHop>,
        /// Why not.
        why: &'static str,
    },
    /// An export cannot be written. The message is in its queue as before.
    #[error("cannot export message {id} to {place}: {error}")]
    Write {
        /// The message.
        id: InternalMessageId,
        /// Where to.
        place: String,
        /// What the system said.
        error: io::Error,
    },
}
