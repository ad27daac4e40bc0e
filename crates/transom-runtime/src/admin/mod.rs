//! What an administrator does to a running transport.
//!
//! What must outlive a restart is durable, with the name of who did it, before a verb answers; each
//! verb is told as an event. [`verdict`] is the one table of what is allowed where.

mod error;
mod export;
mod journal;
mod list;
mod messages;
mod queues;
mod remove;
mod reroute;
mod target;

pub use error::VerbError;
pub use list::QueryError;
pub use queues::Progress;
pub use remove::Removal;
pub use target::{Done, MessageTarget, QueueTarget};

pub(crate) use journal::{restore_redirects, restore_removals, restore_suspended_queues};
pub(crate) use remove::{Removing, remove};
pub(crate) use reroute::route_anew;

use transom_queue::POISON_ACTOR;
#[cfg(doc)]
use transom_queue::view::verdict;

/// Longest name of who acts.
const ACTOR_OCTETS_MAX: usize = 256;

/// The name stands in records, logs and lines.
fn check_actor(actor: &str) -> Result<(), VerbError> {
    let clean = !actor.chars().any(char::is_control);
    // What the transport itself stopped looks like that name, and waits differently.
    let own = actor == POISON_ACTOR;
    let length = 1..=ACTOR_OCTETS_MAX;
    if clean && !own && length.contains(&actor.len()) { Ok(()) } else { Err(VerbError::Actor) }
}
