//! Which queues and messages a verb is for, and what it did.

use transom_queue::query::Filter;
use transom_queue::view::{
    Effect, MessageIdentity, MessageProperty, QueueIdentity, QueueInfo, QueueProperty,
};
use transom_types::{InternalMessageId, NextHop};

use super::VerbError;

/// Which queues are meant.
///
/// ```
/// use transom_queue::query::Filter;
/// use transom_queue::view::{QueueIdentity, QueueProperty};
/// use transom_runtime::QueueTarget;
///
/// let named: QueueIdentity = "contoso.com".parse()?;
/// let stuck: Filter<QueueProperty> = "status = retry and retries > 10".parse()?;
/// let targets: [QueueTarget; 3] = [named.into(), stuck.into(), QueueTarget::all()];
/// # let _ = targets;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueTarget {
    /// Those of that name: one, or several that lead to the same domain.
    Named(QueueIdentity),
    /// The one that leads there.
    To(NextHop),
    /// All that the filter lets through.
    Where(Filter<QueueProperty>),
}

/// Which messages are meant. A message is acted on as a whole, in all the queues that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageTarget {
    /// One; with a queue in its name only while it is in that queue.
    Named(MessageIdentity),
    /// All that the filter lets through.
    Where(Filter<MessageProperty>),
}

impl QueueTarget {
    /// Every queue.
    pub fn all() -> Self {
        Self::Where(Filter::default())
    }

    /// Whether it means the queue. `server` is the name of this server.
    pub(super) fn means(&self, queue: &QueueInfo, server: &str) -> bool {
        match self {
            Self::Named(identity) => queue.is_meant_by(identity, server),
            Self::To(next_hop) => queue.next_hop.as_ref() == Some(next_hop),
            Self::Where(filter) => filter.matches(queue),
        }
    }

    /// What it is called where nothing is found; none for a filter, which may find nothing.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Named(identity) => Some(identity.to_string()),
            Self::To(next_hop) => Some(next_hop.to_string()),
            Self::Where(_) => None,
        }
    }
}

impl From<QueueIdentity> for QueueTarget {
    fn from(identity: QueueIdentity) -> Self {
        Self::Named(identity)
    }
}

impl From<NextHop> for QueueTarget {
    fn from(next_hop: NextHop) -> Self {
        Self::To(next_hop)
    }
}

impl From<&NextHop> for QueueTarget {
    fn from(next_hop: &NextHop) -> Self {
        Self::To(next_hop.clone())
    }
}

impl From<Filter<QueueProperty>> for QueueTarget {
    fn from(filter: Filter<QueueProperty>) -> Self {
        Self::Where(filter)
    }
}

impl From<InternalMessageId> for MessageTarget {
    fn from(message: InternalMessageId) -> Self {
        Self::Named(MessageIdentity { queue: None, message })
    }
}

impl From<MessageIdentity> for MessageTarget {
    fn from(identity: MessageIdentity) -> Self {
        Self::Named(identity)
    }
}

impl From<Filter<MessageProperty>> for MessageTarget {
    fn from(filter: Filter<MessageProperty>) -> Self {
        Self::Where(filter)
    }
}

/// What a verb did. Of a target with a name, a refusal is an error if nothing else was done; of
/// one with a filter, all that can be done is done, and the refusals stand here.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Done {
    /// Queues or messages for which it happened.
    pub now: u64,
    /// Messages for which it happens if the attempt under way does not deliver.
    pub pending: u64,
    /// Queues or messages that it made no other: they were so already.
    pub unchanged: u64,
    /// Messages that have left their queues to be routed anew, each as often as
    /// [`Progress::moved`](super::Progress::moved) counts it.
    pub moved: u32,
    /// Queues or messages for which it was refused.
    pub refused: u64,
    /// Why, for the first of these, [`Done::ERRORS_MAX`] at most.
    pub errors: Vec<VerbError>,
}

impl Done {
    /// Refusals that are told one by one.
    pub const ERRORS_MAX: usize = 100;

    pub(super) fn add(&mut self, result: Result<Effect, VerbError>) {
        let count = match &result {
            Ok(Effect::Nothing) => &mut self.unchanged,
            Ok(Effect::Pending) => &mut self.pending,
            Ok(_) => &mut self.now,
            Err(_) => &mut self.refused,
        };
        *count = count.saturating_add(1);
        if let Err(error) = result
            && self.errors.len() < Self::ERRORS_MAX
        {
            self.errors.push(error);
        }
    }

    /// The refusal of what was named.
    pub(super) fn of(mut self, named: bool) -> Result<Self, VerbError> {
        let done = self.now > 0 || self.pending > 0 || self.unchanged > 0;
        if named && !done && !self.errors.is_empty() {
            return Err(self.errors.swap_remove(0));
        }
        Ok(self)
    }
}
