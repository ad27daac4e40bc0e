//! Names as the DNS has them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use transom_types::Domain;

/// A name to ask the DNS for: ASCII, in lower case, without trailing dot; the root is empty and
/// prints as `.`.
///
/// Wider than a [`Domain`]: a label may hold any printable ASCII character but the dot, since names
/// that policies of the DNS lead to are no host names (`_dmarc.example`, `a/b.example`). Labels of
/// other octets do not occur in mail and are refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName(Arc<str>);

impl DomainName {
    /// Longest name in octets, without trailing dot (RFC 1035 §2.3.4 counts length octets too).
    pub const OCTETS_MAX: usize = 253;
    /// Longest label in octets (RFC 1035 §2.3.4).
    pub const LABEL_OCTETS_MAX: usize = 63;

    /// The root.
    pub fn root() -> Self {
        Self("".into())
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Where the names of an address stand: `1.2.0.192.in-addr.arpa` for 192.0.2.1 (RFC 1035
    /// §3.5), nibbles below `ip6.arpa` for an IPv6 address (RFC 3596 §2.5).
    pub fn reverse(address: IpAddr) -> Self {
        let name = match address {
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            IpAddr::V6(address) => {
                let octets = address.octets().into_iter().rev();
                let nibbles = octets.map(|octet| format!("{:x}.{:x}.", octet & 15, octet >> 4));
                nibbles.collect::<String>() + "ip6.arpa"
            }
        };
        Self(name.into())
    }

    /// The name without trailing dot; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DomainName {
    type Err = ParseDomainNameError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ParseDomainNameError::Label { at: 0 });
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Ok(Self::root());
        }
        if name.len() > Self::OCTETS_MAX {
            return Err(ParseDomainNameError::TooLong { octets: name.len() });
        }
        let mut at = 0usize;
        for label in name.split('.') {
            if label.is_empty() || label.len() > Self::LABEL_OCTETS_MAX {
                return Err(ParseDomainNameError::Label { at });
            }
            let foreign = |c: char| !(c.is_ascii_graphic() || c == ' ');
            if let Some(offset) = label.find(foreign) {
                return Err(ParseDomainNameError::Character { at: at.saturating_add(offset) });
            }
            at = at.saturating_add(label.len()).saturating_add(1);
        }
        Ok(Self(name.to_ascii_lowercase().into()))
    }
}

impl TryFrom<&Domain> for DomainName {
    type Error = ParseDomainNameError;
    /// Takes an ASCII domain; U-labels must be made A-labels before (`Domain::to_ascii`).
    fn try_from(domain: &Domain) -> Result<Self, Self::Error> {
        domain.as_str().parse()
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

/// Why a text is no [`DomainName`]. Offsets count octets from the start of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseDomainNameError {
    /// A control character, or one beyond ASCII.
    #[error("a character at octet {at} does not belong into a name")]
    Character {
        /// Where it stands.
        at: usize,
    },
    /// A label of no octets, or of more than [`DomainName::LABEL_OCTETS_MAX`].
    #[error("the label at octet {at} is empty or longer than 63 octets")]
    Label {
        /// Where it starts.
        at: usize,
    },
    /// More than [`DomainName::OCTETS_MAX`] octets.
    #[error("the name has {octets} octets, more than 253")]
    TooLong {
        /// Its length.
        octets: usize,
    },
}
