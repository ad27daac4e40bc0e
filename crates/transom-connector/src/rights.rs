//! Rights: what a session may do, by the names that Exchange gives them.

use std::fmt;
use std::ops::{BitOr, Sub};

/// A set of rights. A session's rights come from the connector that serves it and from who the
/// peer has shown to be; every verb is checked against them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rights(u32);

const NAMES: [(Rights, &str); 4] = [
    (Rights::SUBMIT, "SMTP-Submit"),
    (Rights::ACCEPT_ANY_RECIPIENT, "SMTP-Accept-Any-Recipient"),
    (Rights::ACCEPT_AUTHORITATIVE_DOMAIN_SENDER, "SMTP-Accept-Authoritative-Domain-Sender"),
    (Rights::BYPASS_MESSAGE_SIZE_LIMIT, "Bypass-Message-Size-Limit"),
];

impl Rights {
    /// No right at all.
    pub const NONE: Self = Self(0);
    /// May submit. Without it MAIL FROM is refused with `530 5.7.1`.
    pub const SUBMIT: Self = Self(1);
    /// May relay: send to recipients outside the accepted domains. Without it they are refused
    /// with `550 5.7.1`.
    pub const ACCEPT_ANY_RECIPIENT: Self = Self(1 << 1);
    /// May use senders in our authoritative domains. Without it they are refused with `550 5.7.1`.
    pub const ACCEPT_AUTHORITATIVE_DOMAIN_SENDER: Self = Self(1 << 2);
    /// May send messages above the connector's size limit.
    pub const BYPASS_MESSAGE_SIZE_LIMIT: Self = Self(1 << 3);

    /// What Exchange's permission group `ExchangeUsers` gives to those who have authenticated: to
    /// submit and to relay.
    pub const EXCHANGE_USERS: Self = Self(Self::SUBMIT.0 | Self::ACCEPT_ANY_RECIPIENT.0);

    /// Whether all of `rights` are in this set.
    pub const fn contains(self, rights: Self) -> bool {
        self.0 & rights.0 == rights.0
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

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (right, name) in NAMES {
            if self.contains(right) {
                write!(f, "{separator}{name}")?;
                separator = ", ";
            }
        }
        if separator.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

/// Which principal has which rights at a receive connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permissions {
    /// Rights of a session that has not shown who it is.
    pub anonymous: Rights,
    /// Rights that a session has besides, once its client has authenticated. AUTH is offered where
    /// there are any.
    pub authenticated: Rights,
}

impl Permissions {
    /// Exchange's permission group `AnonymousUsers`: may submit to the accepted domains, from any
    /// sender, and may not relay.
    pub fn anonymous_users() -> Self {
        Self {
            anonymous: Rights::SUBMIT | Rights::ACCEPT_AUTHORITATIVE_DOMAIN_SENDER,
            authenticated: Rights::NONE,
        }
    }

    /// Nobody may do anything.
    pub fn none() -> Self {
        Self { anonymous: Rights::NONE, authenticated: Rights::NONE }
    }

    /// The same with other rights for anonymous sessions.
    #[must_use]
    pub fn with_anonymous(self, anonymous: Rights) -> Self {
        Self { anonymous, ..self }
    }

    /// The same with other rights for sessions whose client has authenticated.
    #[must_use]
    pub fn with_authenticated(self, authenticated: Rights) -> Self {
        Self { authenticated, ..self }
    }

    /// What a session may do.
    ///
    /// ```
    /// use transom_connector::{Permissions, Rights};
    ///
    /// let anonymous = Permissions::anonymous_users();
    /// let permissions = anonymous.with_authenticated(Rights::EXCHANGE_USERS);
    /// assert!(permissions.rights(true).contains(Rights::ACCEPT_ANY_RECIPIENT));
    /// assert!(!permissions.rights(false).contains(Rights::ACCEPT_ANY_RECIPIENT));
    /// ```
    pub fn rights(self, is_authenticated: bool) -> Rights {
        if is_authenticated { self.anonymous | self.authenticated } else { self.anonymous }
    }
}

impl Default for Permissions {
    /// [`Permissions::anonymous_users`].
    fn default() -> Self {
        Self::anonymous_users()
    }
}
