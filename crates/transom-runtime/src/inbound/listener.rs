//! Listeners: accept, hear of whom a front end speaks, and let the session begin.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures::FutureExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use super::front_end;
use super::places::Places;
use super::session::{self, Ends};
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
pub(super) fn bind(address: SocketAddr) -> io::Result<Listener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let socket = socket.listen(BACKLOG)?;
    let address = socket.local_addr()?;
    Ok(Listener { socket, address })
}

impl Listener {
    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until `stop`. `binding` is the address as the configuration has it,
    /// which differs from the socket's where the system chose the port.
    pub(super) async fn run(
        self,
        core: Arc<Core>,
        binding: SocketAddr,
        places: Arc<Places>,
        stop: CancellationToken,
    ) {
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok(accepted) => self.take(&core, binding, &places, accepted),
                Err(error) => {
                    tracing::warn!(address = %self.address, %error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        if core.stop.is_cancelled() {
            return;
        }
        // The binding is gone from the configuration: who has connected already is not cut off.
        while let Some(Ok(accepted)) = self.socket.accept().now_or_never() {
            self.take(&core, binding, &places, accepted);
        }
    }

    fn take(
        &self,
        core: &Arc<Core>,
        binding: SocketAddr,
        places: &Arc<Places>,
        (stream, client): (TcpStream, SocketAddr),
    ) {
        let local = stream.local_addr().unwrap_or(self.address);
        let binding = SocketAddr::new(local.ip(), binding.port());
        let ends = Ends { local, binding, client };
        core.spawn(admit(Arc::clone(core), Arc::clone(places), ends, stream));
    }
}

async fn admit(core: Arc<Core>, places: Arc<Places>, mut ends: Ends, mut stream: TcpStream) {
    // Replies are small and waited for: Nagle's algorithm costs 40 ms each.
    drop(stream.set_nodelay(true));
    let mut unread = BytesMut::new();
    if core.config().expects_proxy_header(ends.binding, ends.client.ip()) {
        let front_end = ends.client;
        let heard = front_end::read_header(&mut stream, &mut unread);
        match core.stop.run_until_cancelled(heard).await {
            Some(Ok(client)) => ends.client = client.unwrap_or(front_end),
            Some(Err(error)) => {
                tracing::warn!(%front_end, %error, "closed a connection without PROXY header");
                return;
            }
            None => return,
        }
    }
    session::serve(core, places, ends, stream, unread).await;
}
