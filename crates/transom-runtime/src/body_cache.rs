//! Just accepted messages, kept for their first attempt so that the fast path reads no disk.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use transom_queue::Accepted;
use transom_types::InternalMessageId;

/// Octets of content kept: enough for the messages on their way at full speed, little beside the
/// memory of a server.
pub(crate) const OCTETS_MAX: usize = 64 * 1024 * 1024;

/// Places that may be kept for messages that are gone; with more the order is cleaned up.
const ORDER_MIN: usize = 1024;

/// A message as it was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    pub(crate) message: Arc<Accepted>,
    pub(crate) content: Bytes,
}

/// Bounded by [`OCTETS_MAX`]; the oldest go first. What is not here is read from the spool.
#[derive(Debug, Default)]
pub(crate) struct BodyCache(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    messages: HashMap<InternalMessageId, Fresh>,
    order: VecDeque<InternalMessageId>,
    octets: usize,
}

impl BodyCache {
    pub(crate) fn insert(&self, id: InternalMessageId, fresh: Fresh) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.octets = inner.octets.saturating_add(fresh.content.len());
        inner.messages.insert(id, fresh);
        inner.order.push_back(id);
        inner.forget_places();
        while inner.octets > OCTETS_MAX {
            let Some(oldest) = inner.order.pop_front() else { break };
            inner.forget(oldest);
        }
    }

    /// A message that stays here.
    pub(crate) fn get(&self, id: InternalMessageId) -> Option<Fresh> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.messages.get(&id).cloned()
    }

    /// Takes a message out: its first attempt begins. Later attempts read the spool.
    pub(crate) fn take(&self, id: InternalMessageId) -> Option<Fresh> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = inner.forget(id);
        // Ids of taken messages stay in the order until they come to its head; without this they
        // would pile up while nothing is evicted.
        while inner.order.front().is_some_and(|head| !inner.messages.contains_key(head)) {
            inner.order.pop_front();
        }
        fresh
    }
}

impl Inner {
    /// Behind a message that stays, places of messages that were taken would pile up.
    fn forget_places(&mut self) {
        if self.order.len() > ORDER_MIN.max(self.messages.len().saturating_mul(2)) {
            let messages = &self.messages;
            self.order.retain(|id| messages.contains_key(id));
        }
    }

    fn forget(&mut self, id: InternalMessageId) -> Option<Fresh> {
        let fresh = self.messages.remove(&id)?;
        self.octets = self.octets.saturating_sub(fresh.content.len());
        Some(fresh)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use transom_queue::{ContentFacts, Ingress, IngressKind};
    use transom_types::{Envelope, MailParameters, NetworkMessageId, ReversePath};

    use super::*;

    fn fresh(octets: usize) -> Fresh {
        let ingress = Ingress {
            kind: IngressKind::Program,
            connector: String::new(),
            peer: None,
            helo: None,
            identity: None,
            tls: None,
            session: None,
        };
        let message = Accepted {
            network_id: NetworkMessageId(1),
            parent: None,
            received_at: SystemTime::UNIX_EPOCH,
            ingress,
            envelope: Envelope {
                reverse_path: ReversePath::Null,
                parameters: MailParameters::default(),
                recipients: Vec::new(),
            },
            facts: ContentFacts::default(),
        };
        Fresh { message: Arc::new(message), content: Bytes::from(vec![0; octets]) }
    }

    #[test]
    fn oldest_messages_leave_when_the_bound_is_reached() {
        let cache = BodyCache::default();
        for id in 0..65 {
            cache.insert(InternalMessageId(id), fresh(1024 * 1024));
        }
        assert!(cache.take(InternalMessageId(0)).is_none());
        assert!(cache.take(InternalMessageId(64)).is_some());
        assert!(cache.take(InternalMessageId(64)).is_none());
    }

    #[test]
    fn message_that_stays_keeps_no_places_of_others() {
        let cache = BodyCache::default();
        cache.insert(InternalMessageId(0), fresh(10));
        for id in 1..100_000 {
            cache.insert(InternalMessageId(id), fresh(10));
            assert!(cache.take(InternalMessageId(id)).is_some());
        }
        assert!(cache.0.lock().unwrap().order.len() <= ORDER_MIN + 1);
        assert!(cache.take(InternalMessageId(0)).is_some());
    }

    #[test]
    fn taken_messages_leave_nothing_behind() {
        let cache = BodyCache::default();
        for id in 0..100_000 {
            cache.insert(InternalMessageId(id), fresh(10));
            assert!(cache.take(InternalMessageId(id)).is_some());
        }
        let inner = cache.0.lock().unwrap();
        assert_eq!((inner.order.len(), inner.messages.len(), inner.octets), (0, 0, 0));
    }
}
