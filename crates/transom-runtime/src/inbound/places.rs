//! How many sessions there are, by connector and by source, and which connector has a client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use transom_connector::{
    CheckedConfiguration, ConnectionRate, MessageRates, ReceiveConnector, Refusal, ReplyProfile,
};
use transom_types::{ConnectorId, Principal, Reply};

use super::session::Ends;

/// How many sessions there are, by connector and by source, and how many there were of late.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Holds an entry only for sources that have a session, so the connector's limit bounds it.
    sessions: Mutex<HashMap<(ConnectorId, Option<IpAddr>), u32>>,
    connections: Mutex<ConnectionRate>,
    messages: Mutex<MessageRates>,
}

/// Why a client gets no session: for logs, and what it is told.
pub(super) struct TurnedAway {
    pub(super) refusal: Refusal,
    pub(super) reply: Reply,
}

impl TurnedAway {
    pub(super) fn not_served() -> Self {
        Refusal::NotServed.into()
    }

    /// In the words of the connector.
    fn from_connector(refusal: Refusal, connector: &ReceiveConnector) -> Self {
        Self { refusal, reply: refusal.reply(connector.reply_profile) }
    }
}

/// Where no connector has words for it.
impl From<Refusal> for TurnedAway {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, reply: refusal.reply(ReplyProfile::Plain) }
    }
}

impl Places {
    /// Counts a connection that a client opens.
    ///
    /// # Errors
    ///
    /// Where there were too many of late.
    pub(super) fn admit(
        &self,
        now: Instant,
        config: &CheckedConfiguration,
        client: IpAddr,
    ) -> Result<(), TurnedAway> {
        let mut rate = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(rate.accepts_connection(now, config.service_limits(), client.to_canonical())?)
    }

    /// The connector that serves the client, and a place at it.
    ///
    /// # Errors
    ///
    /// With the `421` for a client that none serves, or for which there is no place.
    pub(super) fn seat<'c>(
        self: &Arc<Self>,
        config: &'c CheckedConfiguration,
        ends: Ends,
    ) -> Result<(&'c ReceiveConnector, Place), TurnedAway> {
        let client = ends.client.ip();
        let connector =
            config.select_receive(ends.binding, client).ok_or_else(TurnedAway::not_served)?;
        let place = self.take_place(connector, client.to_canonical());
        let place = place.map_err(|refusal| TurnedAway::from_connector(refusal, connector))?;
        Ok((connector, place))
    }

    /// Counts a message of a session.
    ///
    /// # Errors
    ///
    /// Where there were too many of late.
    pub(super) fn accepts_message(
        &self,
        now: Instant,
        connector: &ReceiveConnector,
        peer: IpAddr,
        user: Option<&Principal>,
    ) -> Result<(), Refusal> {
        if connector.limits.message_rate_max.is_none() {
            return Ok(());
        }
        let mut rates = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        rates.accepts_message(now, connector, peer, user)
    }

    /// A place for one more session.
    fn take_place(
        self: &Arc<Self>,
        connector: &ReceiveConnector,
        peer: IpAddr,
    ) -> Result<Place, Refusal> {
        let limits = &connector.limits;
        let whole = (connector.name.clone(), None);
        let source = (connector.name.clone(), Some(peer));
        let mut counts = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |key| counts.get(key).copied().unwrap_or(0);
        let (open, of_peer) = (count(&whole), count(&source));
        limits.accepts_connection(peer, open, of_peer)?;
        for key in [&whole, &source] {
            let count = counts.entry(key.clone()).or_default();
            *count = count.saturating_add(1);
        }
        Ok(Place { places: Arc::clone(self), keys: [whole, source] })
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
        let mut counts = self.places.sessions.lock().unwrap_or_else(PoisonError::into_inner);
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
        let places: Vec<_> =
            (0..21).map_while(|_| open.take_place(&connector, stranger).ok()).collect();
        assert_eq!(places.len(), 20);
        assert!(open.take_place(&connector, "192.0.2.2".parse().unwrap()).is_ok());
        drop(places);
        assert!(open.take_place(&connector, stranger).is_ok());
        assert!(open.sessions.lock().unwrap().is_empty());
    }

    #[test]
    fn loopback_is_not_limited_unless_the_connector_says_so() {
        let open = Arc::new(Places::default());
        let loopback = "127.0.0.1".parse().unwrap();
        let free = connector(ReceiveLimits::default());
        let places: Vec<_> =
            (0..1_000).map_while(|_| open.take_place(&free, loopback).ok()).collect();
        assert_eq!(places.len(), 1_000);
        let tight = connector(ReceiveLimits::default().with_connections_max(1)).with_name("tight");
        let first = open.take_place(&tight, loopback);
        assert!(first.is_ok());
        assert_eq!(open.take_place(&tight, loopback).unwrap_err(), Refusal::Connections);
    }
}
