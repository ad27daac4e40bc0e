//! Address literals, `[192.0.2.1]` and `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// `address-literal = "[" ( IPv4-address-literal / IPv6-address-literal ) "]"`.
///
/// `General-address-literal` is refused: no tag but `IPv6` was ever registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressLiteral(IpAddr);

impl AddressLiteral {
    /// The address inside the brackets.
    pub fn ip(self) -> IpAddr {
        self.0
    }
}

impl From<IpAddr> for AddressLiteral {
    fn from(ip: IpAddr) -> Self {
        Self(ip)
    }
}

impl FromStr for AddressLiteral {
    type Err = ParseAddressLiteralError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .ok_or(ParseAddressLiteralError::Brackets)?;
        // [RFC 5321 §4.1.3-a] no other tag was ever registered.
        let v6 = inner.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
        if v6.is_some() {
            let address = inner.get(5..).and_then(|rest| rest.parse::<Ipv6Addr>().ok());
            return address.map(|a| Self(a.into())).ok_or(ParseAddressLiteralError::Address);
        }
        inner
            .parse::<Ipv4Addr>()
            .map(|a| Self(a.into()))
            .map_err(|_| ParseAddressLiteralError::Address)
    }
}

impl fmt::Display for AddressLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => write!(f, "[{ip}]"),
            IpAddr::V6(ip) => write!(f, "[IPv6:{ip}]"),
        }
    }
}

/// Why a text is no [`AddressLiteral`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAddressLiteralError {
    /// What stands in the brackets is neither an IPv4 address nor `IPv6:` and an IPv6 address.
    #[error("no IPv4 address and no \"IPv6:\" address stands in the brackets")]
    Address,
    /// The text is not enclosed in `[` and `]`.
    #[error("an address literal is enclosed in \"[\" and \"]\"")]
    Brackets,
}
