//! Listeners: accept, choose the connector, keep to its limits.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use transom_connector::ReceiveConnector;
use transom_types::{ConnectorId, EnhancedStatusCode, Reply, ReplyCode};

use super::session;
use crate::core::Core;

/// Connections that the kernel may hold for us until we accept them. A burst of a thousand fits.
const BACKLOG: u32 = 4096;

/// Wait after a failed accept (no file descriptors, most of all), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A socket that listens.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// Opens a listening socket. Port 0 lets the system choose.
pub(crate) fn bind(address: SocketAddr) -> io::Result<Listener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let socket = socket.listen(BACKLOG)?;
    let address = socket.local_addr()?;
    Ok(Listener { socket, address })
}

impl Listener {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until the transport stops. `binding` is the address as the configuration has it,
    /// which differs from the socket's where the system chose the port.
    pub(crate) async fn run(self, core: Arc<Core>, binding: SocketAddr, open: Arc<Connections>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = core.stop.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(&core, binding, &open, stream, peer),
                Err(error) => {
                    tracing::warn!(address = %self.address, %error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(
        &self,
        core: &Arc<Core>,
        binding: SocketAddr,
        open: &Arc<Connections>,
        stream: TcpStream,
        peer: SocketAddr,
    ) {
        // [RFC 5321 §4.2.5] replies are small and waited for: Nagle's algorithm costs 40 ms each.
        drop(stream.set_nodelay(true));
        let local = stream.local_addr().unwrap_or(self.address);
        let asked = SocketAddr::new(local.ip(), binding.port());
        let connector = core.config.select_receive(asked, peer.ip());
        let Some(connector) = connector else {
            core.spawn(turn_away(stream, not_served()));
            return;
        };
        let Some(place) = open.take_place(connector, peer.ip().to_canonical()) else {
            core.spawn(turn_away(stream, too_many()));
            return;
        };
        let (served, name) = (Arc::clone(core), connector.name.clone());
        core.spawn(async move {
            session::serve(served, name, Box::new(stream), local, peer).await;
            drop(place);
        });
    }
}

async fn turn_away(mut stream: TcpStream, reply: Reply) {
    let _ = stream.write_all(reply.to_string().as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn not_served() -> Reply {
    Reply::new(
        ReplyCode::SERVICE_NOT_AVAILABLE,
        EnhancedStatusCode::transient(3, 2),
        "Service not available",
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

/// How many connections are open, by connector and by source. Holds an entry only for sources
/// that have one open, so the connector's limit bounds it.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<HashMap<(ConnectorId, Option<IpAddr>), u32>>);

impl Connections {
    /// A place for one more connection; none when a limit is reached.
    fn take_place(self: &Arc<Self>, connector: &ReceiveConnector, peer: IpAddr) -> Option<Place> {
        let limits = &connector.limits;
        let whole = (connector.name.clone(), None);
        let source = (connector.name.clone(), Some(peer));
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = |key: &(ConnectorId, Option<IpAddr>), max: Option<u32>| {
            max.is_none_or(|max| counts.get(key).copied().unwrap_or(0) < max)
        };
        let fits = free(&whole, limits.connections_max_for(peer))
            && free(&source, limits.connections_per_source_max_for(peer));
        if !fits {
            return None;
        }
        for key in [&whole, &source] {
            let count = counts.entry(key.clone()).or_default();
            *count = count.saturating_add(1);
        }
        Some(Place { open: Arc::clone(self), keys: [whole, source] })
    }
}

/// A connection's place; dropping it frees it.
#[derive(Debug)]
struct Place {
    open: Arc<Connections>,
    keys: [(ConnectorId, Option<IpAddr>); 2],
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let open = Arc::new(Connections::default());
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
        let open = Arc::new(Connections::default());
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
