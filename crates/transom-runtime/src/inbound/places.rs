//! How many sessions there are, by connector and by source, and which connector has a client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use transom_connector::{CheckedConfiguration, ReceiveConnector};
use transom_types::{ConnectorId, EnhancedStatusCode, Reply, ReplyCode};

use super::session::Ends;

/// No connector serves the client.
pub(super) fn not_served() -> Reply {
    Reply::new(
        ReplyCode::SERVICE_NOT_AVAILABLE,
        EnhancedStatusCode::transient(3, 2),
        "Service not available",
    )
}

/// The disk is full.
pub(super) fn no_room() -> Reply {
    Reply::new(
        ReplyCode::SERVICE_NOT_AVAILABLE,
        EnhancedStatusCode::transient(3, 2),
        "System not accepting network messages",
    )
}

fn too_many() -> Reply {
    Reply::new(
        ReplyCode::SERVICE_NOT_AVAILABLE,
        EnhancedStatusCode::transient(3, 2),
        "The maximum number of concurrent connections has exceeded a limit, closing \
         transmission channel",
    )
}

/// How many sessions there are, by connector and by source. Holds an entry only for sources
/// that have one, so the connector's limit bounds it.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<HashMap<(ConnectorId, Option<IpAddr>), u32>>);

impl Places {
    /// The connector that serves the client, and a place at it.
    ///
    /// # Errors
    ///
    /// With the `421` for a client that none serves, or for which there is no place.
    pub(super) fn seat<'c>(
        self: &Arc<Self>,
        config: &'c CheckedConfiguration,
        ends: Ends,
    ) -> Result<(&'c ReceiveConnector, Place), Reply> {
        let client = ends.client.ip();
        let connector = config.select_receive(ends.binding, client).ok_or_else(not_served)?;
        let place = self.take_place(connector, client.to_canonical()).ok_or_else(too_many)?;
        Ok((connector, place))
    }

    /// A place for one more session; none when a limit is reached.
    fn take_place(self: &Arc<Self>, connector: &ReceiveConnector, peer: IpAddr) -> Option<Place> {
        let limits = &connector.limits;
        let whole = (connector.name.clone(), None);
        let source = (connector.name.clone(), Some(peer));
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |key| counts.get(key).copied().unwrap_or(0);
        let (open, of_peer) = (count(&whole), count(&source));
        limits.accepts_connection(peer, open, of_peer).ok()?;
        for key in [&whole, &source] {
            let count = counts.entry(key.clone()).or_default();
            *count = count.saturating_add(1);
        }
        Some(Place { places: Arc::clone(self), keys: [whole, source] })
    }
}

/// A session's place; dropping it frees it.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    keys: [(ConnectorId, Option<IpAddr>); 2],
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            match counts.get_mut(key) {
                Some(count) if *count > 1 => *count = count.saturating_sub(1),
                _ => drop(counts.remove(key)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use transom_connector::ReceiveLimits;

    use super::*;

    fn connector(limits: ReceiveLimits) -> ReceiveConnector {
        ReceiveConnector::internet("0.0.0.0:25".parse().unwrap()).with_limits(limits)
    }

    #[test]
    fn one_source_gets_its_share_and_no_more() {
        let open = Arc::new(Places::default());
        let connector = connector(ReceiveLimits::default());
        let stranger = "192.0.2.1".parse().unwrap();
        let places: Vec<_> = (0..21).map_while(|_| open.take_place(&connector, stranger)).collect();
        assert_eq!(places.len(), 20);
        assert!(open.take_place(&connector, "192.0.2.2".parse().unwrap()).is_some());
        drop(places);
        assert!(open.take_place(&connector, stranger).is_some());
        assert!(open.0.lock().unwrap().is_empty());
    }

    #[test]
    fn loopback_is_not_limited_unless_the_connector_says_so() {
        let open = Arc::new(Places::default());
        let loopback = "127.0.0.1".parse().unwrap();
        let free = connector(ReceiveLimits::default());
        let places: Vec<_> = (0..1_000).map_while(|_| open.take_place(&free, loopback)).collect();
        assert_eq!(places.len(), 1_000);
        let tight = connector(ReceiveLimits::default().with_connections_max(1)).with_name("tight");
        let first = open.take_place(&tight, loopback);
        assert!(first.is_some());
        assert!(open.take_place(&tight, loopback).is_none());
    }
}
