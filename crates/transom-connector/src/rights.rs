//! Rights: what a session may do, by the names that Exchange gives them.

use std::fmt;
use std::ops::{BitOr, Sub};
use std::str::FromStr;

/// A set of rights. A session's rights come from the connector that serves it and from who the
/// peer has shown to be; every verb is checked against them.
///
/// A right is written as Exchange has it, with or without `ms-Exch-` before it:
///
/// ```
/// use transom_connector::Rights;
///
/// let right: Rights = "ms-Exch-SMTP-Accept-Any-Recipient".parse()?;
/// assert_eq!(right, Rights::ACCEPT_ANY_RECIPIENT);
/// assert_eq!(right.to_string(), "SMTP-Accept-Any-Recipient");
/// # Ok::<(), transom_connector::ParseRightError>(())
/// ```
///
/// `SMTP-Accept-Exch50`, `Accept-XShadow`, `Accept-XProxyFrom`, `Accept-XSessionParams` and the
/// other rights that servers of Exchange have among themselves do not exist here, because the verbs
/// that they allow do not.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rights(u32);

const NAMES: [(Rights, &str); 10] = [
    (Rights::SUBMIT, "SMTP-Submit"),
    (Rights::ACCEPT_ANY_SENDER, "SMTP-Accept-Any-Sender"),
    (Rights::ACCEPT_ANY_RECIPIENT, "SMTP-Accept-Any-Recipient"),
    (Rights::ACCEPT_AUTHORITATIVE_DOMAIN_SENDER, "SMTP-Accept-Authoritative-Domain-Sender"),
    (Rights::ACCEPT_AUTHENTICATION_FLAG, "SMTP-Accept-Authentication-Flag"),
    (Rights::BYPASS_ANTI_SPAM, "Bypass-Anti-Spam"),
    (Rights::BYPASS_MESSAGE_SIZE_LIMIT, "Bypass-Message-Size-Limit"),
    (Rights::ACCEPT_HEADERS_ROUTING, "Accept-Headers-Routing"),
    (Rights::ACCEPT_HEADERS_ORGANIZATION, "Accept-Headers-Organization"),
    (Rights::ACCEPT_HEADERS_FOREST, "Accept-Headers-Forest"),
];

impl Rights {
    /// No right at all.
    pub const NONE: Self = Self(0);
    /// May submit. Without it MAIL FROM is refused with `530 5.7.1`.
    pub const SUBMIT: Self = Self(1);
    /// May relay: send to recipients outside the accepted domains. Without it they are refused
    /// with `550 5.7.1`.
    pub const ACCEPT_ANY_RECIPIENT: Self = Self(1 << 1);
    /// May use senders in our authoritative domains. Without it they are refused with `550 5.7.1`,
    /// but for an address that the session may send as.
    pub const ACCEPT_AUTHORITATIVE_DOMAIN_SENDER: Self = Self(1 << 2);
    /// May send messages above the connector's size limit.
    pub const BYPASS_MESSAGE_SIZE_LIMIT: Self = Self(1 << 3);
    /// May use any sender. Without it a sender must be an address that the session may send as, or
    /// it is refused with `550 5.7.1`; the null path needs no right.
    pub const ACCEPT_ANY_SENDER: Self = Self(1 << 4);
    /// May say that its messages are those of authenticated senders.
    pub const ACCEPT_AUTHENTICATION_FLAG: Self = Self(1 << 5);
    /// Its messages are spared by agents against spam.
    pub const BYPASS_ANTI_SPAM: Self = Self(1 << 6);
    /// Received and Resent-* fields of its messages stay. Without it they are taken out.
    pub const ACCEPT_HEADERS_ROUTING: Self = Self(1 << 7);
    /// X-MS-Exchange-Organization-* fields of its messages stay. Without it they are taken out.
    pub const ACCEPT_HEADERS_ORGANIZATION: Self = Self(1 << 8);
    /// X-MS-Exchange-Forest-* fields of its messages stay. Without it they are taken out.
    pub const ACCEPT_HEADERS_FOREST: Self = Self(1 << 9);

    /// What the permission group `AnonymousUsers` gives: to submit to the accepted domains, from
    /// any sender.
    pub const ANONYMOUS_USERS: Self = Self(
        Self::SUBMIT.0
            | Self::ACCEPT_ANY_SENDER.0
            | Self::ACCEPT_AUTHORITATIVE_DOMAIN_SENDER.0
            | Self::ACCEPT_HEADERS_ROUTING.0,
    );

    /// What the permission group `ExchangeUsers` gives to those who have authenticated: to submit
    /// and to relay, from the addresses that are theirs, past the agents against spam.
    pub const EXCHANGE_USERS: Self = Self(
        Self::SUBMIT.0
            | Self::ACCEPT_ANY_RECIPIENT.0
            | Self::BYPASS_ANTI_SPAM.0
            | Self::ACCEPT_HEADERS_ROUTING.0,
    );

    /// What the permission group `ExchangeServers` gives to servers of our organization:
    /// everything.
    pub const EXCHANGE_SERVERS: Self = Self(
        Self::EXTERNALLY_SECURED.0
            | Self::ACCEPT_HEADERS_ORGANIZATION.0
            | Self::ACCEPT_HEADERS_FOREST.0,
    );

    /// What the permission group `ExchangeServers` gives to peers whom the network has shown to be
    /// ours ([`ReceiveAuth::ExternalAuthoritative`](crate::ReceiveAuth)): all but our own fields in
    /// headers.
    pub const EXTERNALLY_SECURED: Self = Self(
        Self::ANONYMOUS_USERS.0
            | Self::EXCHANGE_USERS.0
            | Self::ACCEPT_AUTHENTICATION_FLAG.0
            | Self::BYPASS_MESSAGE_SIZE_LIMIT.0,
    );

    /// What the permission group `Partners` gives: to submit to the accepted domains. A partner's
    /// senders are those of its own domains, as its certificate names them.
    pub const PARTNERS: Self = Self(Self::SUBMIT.0 | Self::ACCEPT_HEADERS_ROUTING.0);

    /// Whether all of `rights` are in this set.
    pub const fn contains(self, rights: Self) -> bool {
        self.0 & rights.0 == rights.0
    }

    /// The rights of this set one by one, each with its name.
    pub fn iter(self) -> impl Iterator<Item = (Self, &'static str)> {
        NAMES.into_iter().filter(move |(right, _)| self.contains(*right))
    }
}

impl BitOr for Rights {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Sub for Rights {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl FromIterator<Self> for Rights {
    fn from_iter<I: IntoIterator<Item = Self>>(rights: I) -> Self {
        rights.into_iter().fold(Self::NONE, |all, one| all | one)
    }
}

/// One right by its name, in any case.
impl FromStr for Rights {
    type Err = ParseRightError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let prefix = "ms-exch-";
        let bare = match text.get(..prefix.len()) {
            Some(start) if start.eq_ignore_ascii_case(prefix) => text.get(prefix.len()..),
            _ => None,
        };
        let bare = bare.unwrap_or(text);
        let named = NAMES.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(bare));
        named.map(|(right, _)| right).ok_or_else(|| ParseRightError { found: text.into() })
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, name) in self.iter() {
            write!(f, "{separator}{name}")?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

/// A text that names no right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{found}\" is no right")]
#[non_exhaustive]
pub struct ParseRightError {
    /// The text.
    pub found: String,
}
