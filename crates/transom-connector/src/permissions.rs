//! Which principal has which rights at a receive connector.

use std::fmt;

use crate::Rights;

/// Who a session is, as far as rights go. It begins as [`Anonymous`](Self::Anonymous) and changes
/// with TLS and AUTH; its rights are asked for anew each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PrincipalKind {
    /// Nobody that we know.
    #[default]
    Anonymous,
    /// Somebody who has authenticated by AUTH.
    User,
    /// Who has shown the certificate of a partner
    /// ([`partner_domains`](crate::ReceiveConnector::partner_domains)).
    Partner,
    /// Who has shown the certificate of a server of our organization
    /// ([`server_domains`](crate::ReceiveConnector::server_domains)).
    Server,
    /// Anybody at a connector whose network vouches for its peers
    /// ([`ReceiveAuth::ExternalAuthoritative`](crate::ReceiveAuth::ExternalAuthoritative)).
    ExternallySecured,
}

impl PrincipalKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Anonymous, Self::User, Self::Partner, Self::Server, Self::ExternallySecured];

    /// Whether a message of such a session, under `rights`, is one of an authenticated sender: for
    /// recipients that take mail from nobody else, and for the header firewall.
    ///
    /// A user has shown who sends. Of a server and of a trusted network we believe it where they
    /// have the right to say so. A partner is a stranger whose name is proved.
    pub fn is_authenticated_sender(self, rights: Rights) -> bool {
        self == Self::User || rights.contains(Rights::ACCEPT_AUTHENTICATION_FLAG)
    }
}

/// As Exchange calls the principals.
impl fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "anonymous",
            Self::User => "authenticated user",
            Self::Partner => "partner",
            Self::Server => "server of ours",
            Self::ExternallySecured => "externally secured",
        })
    }
}

/// A named bundle of rights for one kind of principal: Exchange's `PermissionGroups`.
///
/// `Custom` is what rights other than these make, and `ExchangeLegacyServers` does not exist here:
/// there is no Exchange 2003 to speak with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PermissionGroup {
    /// [`Rights::ANONYMOUS_USERS`] for who has not shown who it is.
    AnonymousUsers,
    /// [`Rights::EXCHANGE_USERS`] for who has authenticated.
    ExchangeUsers,
    /// [`Rights::EXCHANGE_SERVERS`] for servers of ours, [`Rights::EXTERNALLY_SECURED`] for peers
    /// of a trusted network.
    ExchangeServers,
    /// [`Rights::PARTNERS`] for partners.
    Partners,
}

impl PermissionGroup {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::AnonymousUsers, Self::ExchangeUsers, Self::ExchangeServers, Self::Partners];

    /// As Exchange writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AnonymousUsers => "AnonymousUsers",
            Self::ExchangeUsers => "ExchangeUsers",
            Self::ExchangeServers => "ExchangeServers",
            Self::Partners => "Partners",
        }
    }

    /// Whom it gives which rights.
    fn grants(self) -> &'static [(PrincipalKind, Rights)] {
        match self {
            Self::AnonymousUsers => &[(PrincipalKind::Anonymous, Rights::ANONYMOUS_USERS)],
            Self::ExchangeUsers => &[(PrincipalKind::User, Rights::EXCHANGE_USERS)],
            Self::ExchangeServers => &[
                (PrincipalKind::Server, Rights::EXCHANGE_SERVERS),
                (PrincipalKind::ExternallySecured, Rights::EXTERNALLY_SECURED),
            ],
            Self::Partners => &[(PrincipalKind::Partner, Rights::PARTNERS)],
        }
    }
}

impl fmt::Display for PermissionGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which principal has which rights at a receive connector.
///
/// As at an Exchange server a session has the rights of what it is *now*, and no others: who
/// authenticates has those of users, and no longer those of the anonymous.
///
/// ```
/// use transom_connector::{PermissionGroup, Permissions, PrincipalKind, Rights};
///
/// let permissions = Permissions::anonymous_users().with_group(PermissionGroup::ExchangeUsers);
/// assert!(permissions.rights(PrincipalKind::User).contains(Rights::ACCEPT_ANY_RECIPIENT));
/// assert!(!permissions.rights(PrincipalKind::Anonymous).contains(Rights::ACCEPT_ANY_RECIPIENT));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permissions {
    /// Rights of a session that has not shown who it is.
    pub anonymous: Rights,
    /// Rights of a session whose client has authenticated. AUTH is offered where there are any,
    /// and [`ReceiveAuth`](crate::ReceiveAuth) allows it.
    pub authenticated: Rights,
    /// Rights of a session that has shown the certificate of a partner.
    pub partner: Rights,
    /// Rights of a session that has shown the certificate of a server of ours.
    pub server: Rights,
    /// Rights of every session at a connector whose network vouches for its peers.
    pub externally_secured: Rights,
}

impl Permissions {
    /// Exchange's permission group `AnonymousUsers`: may submit to the accepted domains, from any
    /// sender, and may not relay.
    pub fn anonymous_users() -> Self {
        Self::none().with_group(PermissionGroup::AnonymousUsers)
    }

    /// Nobody may do anything.
    pub fn none() -> Self {
        Self {
            anonymous: Rights::NONE,
            authenticated: Rights::NONE,
            partner: Rights::NONE,
            server: Rights::NONE,
            externally_secured: Rights::NONE,
        }
    }

    /// The same and what `group` gives.
    #[must_use]
    pub fn with_group(self, group: PermissionGroup) -> Self {
        let grants = group.grants().iter();
        grants.fold(self, |all, &(kind, rights)| all.with_rights(kind, all.rights(kind) | rights))
    }

    /// The same with other rights for one kind of principal.
    #[must_use]
    pub fn with_rights(mut self, kind: PrincipalKind, rights: Rights) -> Self {
        let place = match kind {
            PrincipalKind::Anonymous => &mut self.anonymous,
            PrincipalKind::User => &mut self.authenticated,
            PrincipalKind::Partner => &mut self.partner,
            PrincipalKind::Server => &mut self.server,
            PrincipalKind::ExternallySecured => &mut self.externally_secured,
        };
        *place = rights;
        self
    }

    /// The same with other rights for anonymous sessions.
    #[must_use]
    pub fn with_anonymous(self, anonymous: Rights) -> Self {
        self.with_rights(PrincipalKind::Anonymous, anonymous)
    }

    /// The same with other rights for sessions whose client has authenticated.
    #[must_use]
    pub fn with_authenticated(self, authenticated: Rights) -> Self {
        self.with_rights(PrincipalKind::User, authenticated)
    }

    /// What a session may do that is of this kind.
    pub fn rights(self, kind: PrincipalKind) -> Rights {
        match kind {
            PrincipalKind::Anonymous => self.anonymous,
            PrincipalKind::User => self.authenticated,
            PrincipalKind::Partner => self.partner,
            PrincipalKind::Server => self.server,
            PrincipalKind::ExternallySecured => self.externally_secured,
        }
    }

    /// Whether all that `group` gives is given.
    pub fn has_group(self, group: PermissionGroup) -> bool {
        group.grants().iter().all(|&(kind, rights)| self.rights(kind).contains(rights))
    }
}

impl Default for Permissions {
    /// [`Permissions::anonymous_users`].
    fn default() -> Self {
        Self::anonymous_users()
    }
}
