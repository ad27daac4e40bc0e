//! The header of the PROXY protocol, version 1 and 2: a balancer says who connected to it.
//!
//! It stands before everything else, TLS included, and is believed only from a peer that the
//! caller trusts: anybody can write one.

#[cfg(test)]
mod tests;
mod v1;
mod v2;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A header, and what it says.
///
/// ```
/// use transom_smtp::codec::proxy::{ProxyHeader, ProxyOrigin};
///
/// assert_eq!(ProxyHeader::read(b"PROXY TCP4 192.0.2.7 198.51.1")?, None);
/// let input = b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 25\r\nEHLO a\r\n";
/// let (header, octets) = ProxyHeader::read(input)?.unwrap();
/// assert_eq!(header.origin.source(), Some(([192, 0, 2, 7], 50_000).into()));
/// assert_eq!(&input[octets..], b"EHLO a\r\n");
/// assert!(ProxyHeader::read(b"EHLO a\r\n").is_err());
/// # Ok::<(), transom_smtp::codec::proxy::ProxyHeaderError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "both versions have these two and no more")]
pub struct ProxyHeader {
    /// Whose connection it is.
    pub origin: ProxyOrigin,
    /// What else version 2 says of a connection whose ends it knows, in its order; padding and
    /// checksum are not among it.
    pub extras: Vec<ProxyExtra>,
}

/// Whose connection it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "both versions have these and no more")]
pub enum ProxyOrigin {
    /// The balancer's own, to see whether we live: the addresses of the socket count.
    Local,
    /// Somebody's, and the balancer does not know whose. The addresses of the socket count.
    Unknown,
    /// Of an IPv4 client.
    V4(ProxyTransport, ProxyEnds<(Ipv4Addr, u16)>),
    /// Of an IPv6 client.
    V6(ProxyTransport, ProxyEnds<(Ipv6Addr, u16)>),
    /// Of a client on the balancer's host.
    Unix(ProxyTransport, ProxyEnds<UnixPath>),
}

/// By what the client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these two")]
pub enum ProxyTransport {
    /// TCP, or a stream socket.
    Stream,
    /// UDP, or a datagram socket.
    Datagram,
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a connection has two ends")]
pub struct ProxyEnds<A> {
    /// The client's.
    pub source: A,
    /// The balancer's.
    pub destination: A,
}

/// The path of a Unix socket: at most 108 octets, none of the last of which is NUL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnixPath(Box<[u8]>);

impl UnixPath {
    /// Longest path.
    pub const OCTETS_MAX: usize = 108;

    /// None where `path` is too long. NULs at its end are padding and do not count.
    pub fn new(path: &[u8]) -> Option<Self> {
        let end = path.iter().rposition(|&octet| octet != 0).map_or(0, |at| at.saturating_add(1));
        let path = path.get(..end)?;
        (path.len() <= Self::OCTETS_MAX).then(|| Self(path.into()))
    }

    /// The octets of the path.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A type-length-value of version 2, as `PP2_TYPE_AUTHORITY` (2): the name that TLS was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProxyExtra {
    kind: u8,
    value: Box<[u8]>,
}

/// `PP2_TYPE_CRC32C`.
const CHECKSUM: u8 = 3;
/// `PP2_TYPE_NOOP`.
const PADDING: u8 = 4;

impl ProxyExtra {
    /// None for padding and checksum, which the encoder makes itself, and for a value that no
    /// header has room for.
    pub fn new(kind: u8, value: &[u8]) -> Option<Self> {
        let fits = value.len() <= ProxyHeader::OCTETS_MAX && kind != CHECKSUM && kind != PADDING;
        fits.then(|| Self { kind, value: value.into() })
    }

    /// Its type.
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// Its value. It may hold any octets.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

impl ProxyOrigin {
    /// The client, where it has an address and a port.
    pub fn source(&self) -> Option<SocketAddr> {
        match self {
            Self::V4(_, ends) => Some(address(ends.source)),
            Self::V6(_, ends) => Some(address(ends.source)),
            Self::Local | Self::Unknown | Self::Unix(..) => None,
        }
    }

    fn has_ends(&self) -> bool {
        !matches!(self, Self::Local | Self::Unknown)
    }

    /// Where it connected to.
    pub fn destination(&self) -> Option<SocketAddr> {
        match self {
            Self::V4(_, ends) => Some(address(ends.destination)),
            Self::V6(_, ends) => Some(address(ends.destination)),
            Self::Local | Self::Unknown | Self::Unix(..) => None,
        }
    }
}

fn address<A: Into<IpAddr>>((ip, port): (A, u16)) -> SocketAddr {
    SocketAddr::new(ip.into(), port)
}

impl From<ProxyOrigin> for ProxyHeader {
    fn from(origin: ProxyOrigin) -> Self {
        Self { origin, extras: Vec::new() }
    }
}

impl ProxyHeader {
    /// Longest header of version 1 with its CRLF, and so what must be read at most to see one.
    pub const V1_OCTETS_MAX: usize = 107;
    /// Longest header of version 2 that is read or written. The protocol would allow 64 KiB; no
    /// balancer sends that much.
    pub const OCTETS_MAX: usize = 4096;

    /// Reads the header that `input` begins with, and tells how many octets it takes. None where
    /// more must come; a caller need never hold more than [`OCTETS_MAX`](Self::OCTETS_MAX) for it.
    ///
    /// # Errors
    ///
    /// As soon as `input` cannot become a header any more. Nothing behind it means anything then.
    pub fn read(input: &[u8]) -> Result<Option<(Self, usize)>, ProxyHeaderError> {
        if begins(input, v2::SIGNATURE) {
            v2::read(input)
        } else if begins(input, v1::SIGNATURE) {
            v1::read(input)
        } else {
            Err(ProxyHeaderError::NoHeader)
        }
    }

    /// Appends a header of version 1. What that cannot say becomes `UNKNOWN`.
    pub fn write_v1(&self, out: &mut Vec<u8>) {
        v1::write(self, out);
    }

    /// Appends a header of version 2, with a checksum where `checksum` says so.
    ///
    /// # Errors
    ///
    /// Where it would be longer than [`OCTETS_MAX`](Self::OCTETS_MAX); nothing is appended then.
    pub fn write_v2(&self, checksum: bool, out: &mut Vec<u8>) -> Result<(), ProxyHeaderError> {
        v2::write(self, checksum, out)
    }
}

/// Whether `input` is, or may become, something that starts with `signature`.
fn begins(input: &[u8], signature: &[u8]) -> bool {
    input.iter().zip(signature).all(|(octet, expected)| octet == expected)
}

/// Why octets are no header, or a header cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// What stands for an address, a port or a family is none.
    #[error("the addresses in the PROXY header are malformed")]
    Addresses,
    /// The checksum is another.
    #[error("the checksum of the PROXY header does not fit")]
    Checksum,
    /// An extra reaches beyond the header, or a checksum has no four octets.
    #[error("what follows the addresses in the PROXY header is malformed")]
    Extras,
    /// Neither signature stands there.
    #[error("no PROXY header")]
    NoHeader,
    /// Longer than the limit.
    #[error("the PROXY header is too long")]
    TooLong,
    /// A version other than 1 and 2, or a command other than LOCAL and PROXY.
    #[error("version or command of the PROXY header are unknown")]
    Version,
}
