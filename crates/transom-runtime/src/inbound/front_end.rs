//! Front ends that tell for whom they connect: the PROXY header, and XCLIENT.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use transom_smtp::codec::proxy::ProxyHeader;
use transom_smtp::codec::{Told, XclientAttributes};

/// How long a front end may take for its header. It says it at once, so only packets that were
/// lost take time; Postfix waits as long.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the PROXY header that must stand first, and gives the client that it names; none where
/// the front end speaks for itself or does not know. What stands behind the header is left in
/// `unread`.
///
/// # Errors
///
/// Where no header comes in time, or something else does.
pub(super) async fn read_header(
    stream: &mut TcpStream,
    unread: &mut BytesMut,
) -> io::Result<Option<SocketAddr>> {
    let read = async {
        loop {
            let malformed = |error| io::Error::new(io::ErrorKind::InvalidData, error);
            if let Some((header, octets)) = ProxyHeader::read(unread).map_err(malformed)? {
                drop(unread.split_to(octets));
                return Ok(header.origin.source());
            }
            // A header that is not whole by then has been refused as too long.
            unread.reserve(ProxyHeader::OCTETS_MAX);
            if stream.read_buf(unread).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    };
    match tokio::time::timeout(HEADER_TIMEOUT, read).await {
        Ok(client) => client,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Who the client is behind XCLIENT. An address that was not told stays what it was; where the
/// peer says that it does not know it, nobody can tell which connector serves the client.
pub(super) fn client_told(told: &XclientAttributes, before: SocketAddr) -> Option<SocketAddr> {
    let port = told.port.and_then(Told::known);
    match told.address {
        None => Some(SocketAddr::new(before.ip(), port.unwrap_or_else(|| before.port()))),
        // A port of another address says nothing.
        Some(address) => Some(SocketAddr::new(address.known()?, port.unwrap_or(0))),
    }
}
