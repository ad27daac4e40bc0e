//! What is refused, in which words.

use transom_queue::StoreError;
use transom_types::{EnhancedStatusCode, Reply, ReplyCode};

/// What is said to a question of the session.
pub(super) enum Answer {
    /// The default positive reply.
    Accept,
    /// This reply.
    Reply(Reply),
    /// This reply, and the session is over.
    Close(Reply),
}

/// A step is refused.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) reply: Reply,
    /// Whether the session is over with it.
    pub(super) closes: bool,
    /// Whether an agent refused it: then agents have heard of it.
    pub(super) by_agent: bool,
}

/// A refusal of the server's own.
impl From<Reply> for Refused {
    fn from(reply: Reply) -> Self {
        Self { reply, closes: false, by_agent: false }
    }
}

/// The disk is full.
pub(super) fn no_room() -> Reply {
    Reply::new(
        ReplyCode::SERVICE_NOT_AVAILABLE,
        EnhancedStatusCode::transient(3, 2),
        "System not accepting network messages",
    )
}

pub(super) fn out_of_room(resource: &str) -> Reply {
    Reply::new(
        ReplyCode::INSUFFICIENT_STORAGE,
        EnhancedStatusCode::transient(3, 1),
        format!("Insufficient system resources ({resource})"),
    )
}

pub(super) fn local_error() -> Reply {
    Reply::new(
        ReplyCode::LOCAL_ERROR,
        EnhancedStatusCode::transient(3, 0),
        "Temporary server error, try again later",
    )
}

/// What a failure of the spool means for the client: try again.
pub(super) fn store_reply(error: &StoreError) -> Reply {
    tracing::error!(%error, "the spool refused a message");
    match error {
        StoreError::Full { resource } => out_of_room(resource),
        _ => local_error(),
    }
}
