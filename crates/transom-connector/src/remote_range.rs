//! Ranges of peer addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Exchange's `RemoteIPRange`: one address, `first-last`, or CIDR, of IPv4 or IPv6.
///
/// An IPv4 address mapped into IPv6 (`::ffff:192.0.2.1`) is the IPv4 address. Prints the shortest
/// form: an address, else CIDR where it fits, else `first-last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RemoteRange {
    v6: bool,
    first: u128,
    last: u128,
}

impl RemoteRange {
    /// Every IPv4 address.
    pub const ALL_V4: Self = Self { v6: false, first: 0, last: u32::MAX as u128 };
    /// Every IPv6 address.
    pub const ALL_V6: Self = Self { v6: true, first: 0, last: u128::MAX };

    /// Every IPv4 address of a host's own (`127.0.0.0/8`).
    pub const LOOPBACK_V4: Self = Self { v6: false, first: 0x7f00_0000, last: 0x7fff_ffff };

    /// Whether `peer` is in the range.
    pub fn contains(&self, peer: IpAddr) -> bool {
        let (v6, peer) = number(peer);
        self.v6 == v6 && self.first <= peer && peer <= self.last
    }

    /// Whether every address of `other` is in this range.
    pub fn covers(&self, other: &Self) -> bool {
        self.v6 == other.v6 && self.first <= other.first && other.last <= self.last
    }

    /// Whether some address is in both ranges.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.v6 == other.v6 && self.first <= other.last && other.first <= self.last
    }

    /// How many addresses it has, less one. The narrowest range is the most specific.
    pub fn width(&self) -> u128 {
        self.last.saturating_sub(self.first)
    }

    /// The first address.
    pub fn first(&self) -> IpAddr {
        address(self.v6, self.first)
    }

    /// The last address.
    pub fn last(&self) -> IpAddr {
        address(self.v6, self.last)
    }

    /// The length of the prefix that all addresses share, where the range is all of that prefix.
    fn prefix_length(&self) -> Option<u32> {
        let differing = self.first ^ self.last;
        let host_bits = u128::BITS.saturating_sub(differing.leading_zeros());
        let aligned = differing == host_mask(host_bits) && self.first & differing == 0;
        aligned.then(|| bits(self.v6).saturating_sub(host_bits))
    }
}

fn bits(v6: bool) -> u32 {
    if v6 { Ipv6Addr::BITS } else { Ipv4Addr::BITS }
}

/// The lowest `host_bits` bits set.
fn host_mask(host_bits: u32) -> u128 {
    match u128::BITS.checked_sub(host_bits) {
        Some(shift) => u128::MAX.checked_shr(shift).unwrap_or(0),
        None => u128::MAX,
    }
}

fn number(ip: IpAddr) -> (bool, u128) {
    match ip.to_canonical() {
        IpAddr::V4(ip) => (false, ip.to_bits().into()),
        IpAddr::V6(ip) => (true, ip.to_bits()),
    }
}

fn address(v6: bool, number: u128) -> IpAddr {
    match u32::try_from(number) {
        Ok(number) if !v6 => Ipv4Addr::from_bits(number).into(),
        _ => Ipv6Addr::from_bits(number).into(),
    }
}

impl From<IpAddr> for RemoteRange {
    fn from(ip: IpAddr) -> Self {
        let (v6, number) = number(ip);
        Self { v6, first: number, last: number }
    }
}

impl FromStr for RemoteRange {
    type Err = ParseRemoteRangeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |wrong| ParseRemoteRangeError { found: text.into(), wrong };
        let ip = |text: &str| text.trim().parse().map(number).map_err(|_| error(Wrong::Address));
        if let Some((network, length)) = text.split_once('/') {
            let (v6, first) = ip(network)?;
            let length: u32 = length.trim().parse().map_err(|_| error(Wrong::PrefixLength))?;
            let host_bits =
                bits(v6).checked_sub(length).ok_or_else(|| error(Wrong::PrefixLength))?;
            // Which of the two was meant cannot be told, and the wider one may grant a right.
            if first & host_mask(host_bits) != 0 {
                return Err(error(Wrong::HostBits));
            }
            return Ok(Self { v6, first, last: first | host_mask(host_bits) });
        }
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let ((v6, first), (to_v6, last)) = (ip(from)?, ip(to)?);
        if v6 != to_v6 || first > last {
            return Err(error(Wrong::Order));
        }
        Ok(Self { v6, first, last })
    }
}

impl fmt::Display for RemoteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return write!(f, "{}", self.first());
        }
        match self.prefix_length() {
            Some(length) => write!(f, "{}/{length}", self.first()),
            None => write!(f, "{}-{}", self.first(), self.last()),
        }
    }
}

/// Why a text is no [`RemoteRange`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{found}\" is no address range: {wrong}")]
#[non_exhaustive]
pub struct ParseRemoteRangeError {
    /// The text.
    pub found: String,
    wrong: Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Wrong {
    #[error("an IP address was expected")]
    Address,
    #[error("the address has bits behind the prefix")]
    HostBits,
    #[error("the last address is before the first, or of another family")]
    Order,
    #[error("the prefix length is no number that fits the address")]
    PrefixLength,
}
