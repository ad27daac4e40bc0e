//! What the categorizer decides of a message once.

use transom_types::{Envelope, InternalMessageId};

use super::{EditList, Settled};
use crate::message::Decided;

/// A message is resolved and has passed the agents. Recipients that became others end, and copies
/// with envelopes of their own begin, all in one: originals and copies are terminal or open.
///
/// The message and its copies are marked as [`decided`](crate::MessageState::decided), so no start
/// does it again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by the categorizer's driver")]
pub struct Decide {
    /// The message.
    pub id: InternalMessageId,
    /// What holds for the recipients that stay.
    pub decided: Decided,
    /// Open recipients that end. Each outcome is terminal.
    pub ended: Vec<Settled>,
    /// Copies that begin. The store gives each an id and names it in
    /// [`Committed::forks`](super::Committed::forks).
    pub copies: Vec<MessageCopy>,
}

/// A copy of a message with an envelope of its own; the body is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by the categorizer's driver")]
pub struct MessageCopy {
    /// Its sender and its recipients, at least one.
    pub envelope: Envelope,
    /// What holds for them.
    pub decided: Decided,
    /// All that is different in its content from what was taken in. The edits of the message it
    /// comes from do not count for it.
    pub edits: EditList,
    /// Who holds it back. Who holds the message back that it comes from does so in any case.
    pub suspended: Option<String>,
}
