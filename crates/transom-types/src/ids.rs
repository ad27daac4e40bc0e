//! The three ids of a message, and the id of a session.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::Domain;

/// The message in this spool: `epoch << 32 | counter`. No spool gives an id twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "any number is an id")]
pub struct InternalMessageId(pub u64);

impl fmt::Display for InternalMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The message in all its copies: 128 random bits, kept by forks and reports. Printed like a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "any number is an id")]
pub struct NetworkMessageId(pub u128);

impl fmt::Display for NetworkMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0;
        let part = |shift: u32, bits: u32| (id >> shift) & ((1u128 << bits) - 1);
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            part(96, 32),
            part(80, 16),
            part(64, 16),
            part(48, 16),
            part(0, 48)
        )
    }
}

impl FromStr for NetworkMessageId {
    type Err = ParseNetworkMessageIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lengths: Vec<usize> = text.split('-').map(str::len).collect();
        let hex = text.bytes().all(|octet| octet == b'-' || octet.is_ascii_hexdigit());
        if lengths != [8, 4, 4, 4, 12] || !hex {
            return Err(ParseNetworkMessageIdError);
        }
        u128::from_str_radix(&text.replace('-', ""), 16)
            .map(Self)
            .map_err(|_| ParseNetworkMessageIdError)
    }
}

/// The text is no network message id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no network message id: 8-4-4-4-12 hexadecimal digits")]
#[non_exhaustive]
pub struct ParseNetworkMessageIdError;

/// The value of the Message-ID field, angle brackets included (RFC 5322 §3.6.4). What senders
/// write there is often not in the grammar, so any printable text in angle brackets is taken.
/// Cloning counts a reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InternetMessageId(Arc<str>);

impl InternetMessageId {
    /// Longest id, in octets: a header line.
    pub const OCTETS_MAX: usize = 998;

    /// A new id for a message that this host writes. The two ids make it unique, `host` is the
    /// right-hand side that [RFC 5322 §3.6.4] advises.
    pub fn generate(id: InternalMessageId, network_id: NetworkMessageId, host: &Domain) -> Self {
        Self(format!("<{id}.{network_id}@{host}>").into())
    }

    /// The id with its angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InternetMessageId {
    type Err = ParseInternetMessageIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let enclosed = text.len() > 2 && text.starts_with('<') && text.ends_with('>');
        let clean = !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if enclosed && clean && text.len() <= Self::OCTETS_MAX {
            Ok(Self(text.into()))
        } else {
            Err(ParseInternetMessageIdError)
        }
    }
}

impl fmt::Display for InternetMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no Message-ID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no message id: printable text without spaces in angle brackets, at most 998 octets")]
#[non_exhaustive]
pub struct ParseInternetMessageIdError;

/// A session, from greeting to close. Printed as Exchange does: 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "any number is an id")]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_message_id_is_one() {
        let host = "mx1.contoso.com".parse().unwrap();
        let id = InternetMessageId::generate(InternalMessageId(7), NetworkMessageId(255), &host);
        assert_eq!(id.as_str(), "<7.00000000-0000-0000-0000-0000000000ff@mx1.contoso.com>");
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
    }
}
