//! A configuration that fits together, and the questions it answers.

use std::cmp::Reverse;
use std::net::{IpAddr, SocketAddr};

use transom_types::{
    ConnectorId, Domain, EnhancedStatusCode, ForwardPath, Mailbox, Reply, ReplyCode, ReversePath,
};

use crate::domain_tables::DomainTables;
use crate::{
    AcceptedDomain, AcceptedDomainKind, Configuration, OtherServer, PickupDirectory, Proximity,
    ReceiveConnector, RemoteDomain, ReplayDirectory, ReplyProfile, Rights, SendCandidate,
    SendConnector, reach, source_servers,
};

/// A configuration whose parts fit together. Immutable; a reload makes another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedConfiguration(Configuration, DomainTables);

impl CheckedConfiguration {
    pub(crate) fn new(configuration: Configuration) -> Self {
        let tables = DomainTables::new(&configuration);
        Self(configuration, tables)
    }

    /// What this server calls itself.
    pub fn server_name(&self) -> &Domain {
        &self.0.server_name
    }

    /// What `connector` calls itself.
    pub fn receive_fqdn<'c>(&'c self, connector: &'c ReceiveConnector) -> &'c Domain {
        connector.fqdn.as_ref().unwrap_or(&self.0.server_name)
    }

    /// What `connector` says in EHLO.
    pub fn send_fqdn<'c>(&'c self, connector: &'c SendConnector) -> &'c Domain {
        connector.fqdn.as_ref().unwrap_or(&self.0.server_name)
    }

    /// All receive connectors.
    pub fn receive_connectors(&self) -> &[ReceiveConnector] {
        &self.0.receive_connectors
    }

    /// All send connectors.
    pub fn send_connectors(&self) -> &[SendConnector] {
        &self.0.send_connectors
    }

    /// All accepted domains.
    pub fn accepted_domains(&self) -> &[AcceptedDomain] {
        &self.0.accepted_domains
    }

    /// The send connector of that name.
    pub fn send_connector(&self, name: &ConnectorId) -> Option<&SendConnector> {
        self.0.send_connectors.get(*self.1.send_names.get(name)?)
    }

    /// Where to listen: every binding once, in the order of the connectors. A binding to one
    /// address is left out where another one has all addresses at that port.
    pub fn listen_addresses(&self) -> Vec<SocketAddr> {
        let mut all: Vec<SocketAddr> = Vec::new();
        for binding in self.0.receive_connectors.iter().flat_map(|c| &c.bindings) {
            if !all.contains(binding) {
                all.push(*binding);
            }
        }
        let covered = |one: &SocketAddr| all.iter().any(|other| covers(other, one) && other != one);
        all.iter().copied().filter(|one| one.port() == 0 || !covered(one)).collect()
    }

    /// Which connector serves a session from `peer` that came in at `local`. The narrowest remote
    /// range wins; of equal ones, the binding to that very address. A binding to port 0 serves any
    /// port that no other binding serves. None: the peer is not served (`421 4.3.2`).
    pub fn select_receive(&self, local: SocketAddr, peer: IpAddr) -> Option<&ReceiveConnector> {
        let local = SocketAddr::new(local.ip().to_canonical(), local.port());
        let any_port = SocketAddr::new(local.ip(), 0);
        self.select_bound(local, peer).or_else(|| self.select_bound(any_port, peer))
    }

    /// Whether a connection from `peer` that came in at `local` begins with a PROXY header: some
    /// connector that is bound there names `peer` among its
    /// [`proxy_networks`](ReceiveConnector::proxy_networks).
    pub fn expects_proxy_header(&self, local: SocketAddr, peer: IpAddr) -> bool {
        let local = SocketAddr::new(local.ip().to_canonical(), local.port());
        let any_port = SocketAddr::new(local.ip(), 0);
        let bound = |connector: &&ReceiveConnector, local: &SocketAddr| {
            connector.bindings.iter().any(|binding| covers(binding, local))
        };
        let trusts = |connector: &ReceiveConnector| {
            connector.proxy_networks.iter().any(|range| range.contains(peer))
        };
        let connectors = || self.0.receive_connectors.iter();
        // A binding to port 0 counts only where no other has the port, as in `select_receive`.
        let at = if connectors().any(|one| bound(&one, &local)) { local } else { any_port };
        connectors().filter(|one| bound(one, &at)).any(trusts)
    }

    fn select_bound(&self, local: SocketAddr, peer: IpAddr) -> Option<&ReceiveConnector> {
        let candidates = self.0.receive_connectors.iter().filter_map(|connector| {
            let fitting = connector.bindings.iter().filter(|binding| covers(binding, &local));
            let exact = fitting.map(|binding| binding.ip() == local.ip()).max()?;
            let width = connector.range_of(peer)?.width();
            Some(((width, Reverse(exact), &connector.name), connector))
        });
        candidates.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, connector)| connector)
    }

    /// The accepted domain that `domain` belongs to: of several, the longest.
    pub fn accepted_domain(&self, domain: &Domain) -> Option<&AcceptedDomain> {
        let domain = domain.to_ascii().ok()?;
        self.1.accepted_domain(&self.0, &domain)
    }

    /// What is sent to `domain` without a person asking for it: the most specific entry.
    pub fn remote_domain(&self, domain: &Domain) -> Option<&RemoteDomain> {
        let domain = domain.to_ascii().ok()?;
        self.1.remote_domain(&self.0, &domain)
    }

    /// The send connectors that are enabled, in scope and serve `domain`, the best first: by the
    /// most specific address space, then by cost, proximity and name. A connector comes once for
    /// each of its address spaces that match.
    ///
    /// `domain` is in A-labels and lower case ([`Domain::to_ascii`]); none is an address literal,
    /// which `*` alone serves. `accepted` says whether it is a domain that `--` means. Takes as
    /// many steps as the domain has labels, and allocates nothing.
    pub fn send_candidates<'c>(
        &'c self,
        domain: Option<&Domain>,
        accepted: bool,
    ) -> impl Iterator<Item = SendCandidate<'c>> {
        self.1.send.candidates(&self.0.send_connectors, domain, accepted)
    }

    /// What the way to the nearest source server of `connector` costs, and how far away it is.
    /// None where the connector is not for this server.
    pub fn reach(&self, connector: &SendConnector) -> Option<(u32, Proximity)> {
        reach(&self.0, connector)
    }

    /// The other servers that send by `connector`, in the order of the connector.
    pub fn source_servers<'c>(
        &'c self,
        connector: &'c SendConnector,
    ) -> impl Iterator<Item = &'c OtherServer> {
        source_servers(&self.0, connector)
    }

    /// What is sent to other domains without a person asking for it.
    pub fn remote_domains(&self) -> &[RemoteDomain] {
        &self.0.remote_domains
    }

    /// The other servers of the organization.
    pub fn servers(&self) -> &[OtherServer] {
        &self.0.servers
    }

    /// Where programs put new messages.
    pub fn pickup(&self) -> Option<&PickupDirectory> {
        self.0.pickup.as_ref()
    }

    /// Where messages lie that are to be sent again.
    pub fn replay(&self) -> Option<&ReplayDirectory> {
        self.0.replay.as_ref()
    }

    /// Where mail to `<Postmaster>` goes: the first accepted domain, or the server's own name.
    pub fn default_domain(&self) -> &Domain {
        self.0.accepted_domains.first().map_or(&self.0.server_name, |entry| &entry.domain)
    }

    /// Whether a session with these rights may use this sender.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with the reply to MAIL FROM.
    pub fn accepts_sender(&self, rights: Rights, path: &ReversePath) -> Result<(), Refusal> {
        if !rights.contains(Rights::SUBMIT) {
            return Err(Refusal::NotAuthenticated);
        }
        let domain = path.mailbox().and_then(Mailbox::domain);
        let accepted = domain.as_ref().and_then(|domain| self.accepted_domain(domain));
        let ours = accepted.is_some_and(|entry| entry.kind == AcceptedDomainKind::Authoritative);
        if ours && !rights.contains(Rights::ACCEPT_AUTHORITATIVE_DOMAIN_SENDER) {
            return Err(Refusal::OwnSender);
        }
        Ok(())
    }

    /// Whether a session with these rights may send to this recipient, and whose it is.
    ///
    /// Only the domain counts: a local-part such as `user%other.example` is read by nobody here.
    /// A recipient at an address literal is foreign, our own addresses included, since a server
    /// behind NAT does not know them all.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with the reply to RCPT TO.
    pub fn accepts_recipient(
        &self,
        rights: Rights,
        path: &ForwardPath,
    ) -> Result<RecipientClass, Refusal> {
        let class = self.classify(path);
        if class == RecipientClass::Foreign && !rights.contains(Rights::ACCEPT_ANY_RECIPIENT) {
            return Err(Refusal::RelayDenied);
        }
        Ok(class)
    }

    /// Whose a recipient is.
    pub fn classify(&self, path: &ForwardPath) -> RecipientClass {
        // [RFC 5321 §2.3.5-c, §4.5.1-b] mail to <Postmaster> is taken without a domain.
        if *path == ForwardPath::Postmaster {
            return RecipientClass::Postmaster;
        }
        let domain = path.domain();
        match domain.as_ref().and_then(|domain| self.accepted_domain(domain)) {
            Some(entry) => match entry.kind {
                AcceptedDomainKind::Authoritative => RecipientClass::Authoritative,
                AcceptedDomainKind::InternalRelay => RecipientClass::InternalRelay,
                AcceptedDomainKind::ExternalRelay => RecipientClass::ExternalRelay,
            },
            None => RecipientClass::Foreign,
        }
    }
}

/// Whether a connection to `local` comes in at `binding`. `[::]` takes IPv4 too.
fn covers(binding: &SocketAddr, local: &SocketAddr) -> bool {
    let address = match binding.ip() {
        IpAddr::V4(ip) => ip == local.ip() || (ip.is_unspecified() && local.is_ipv4()),
        IpAddr::V6(ip) => ip == local.ip() || ip.is_unspecified(),
    };
    address && binding.port() == local.port()
}

/// Whose a recipient is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecipientClass {
    /// In an authoritative domain.
    Authoritative,
    /// In an internal relay domain.
    InternalRelay,
    /// In an external relay domain.
    ExternalRelay,
    /// In no accepted domain.
    Foreign,
    /// `<Postmaster>` without a domain.
    Postmaster,
}

/// Why a session may not do what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It may not submit.
    #[error("the session has no right to submit")]
    NotAuthenticated,
    /// It may not use senders in our domains.
    #[error("the session has no right to use senders in authoritative domains")]
    OwnSender,
    /// It may not relay.
    #[error("the session has no right to relay")]
    RelayDenied,
}

impl Refusal {
    /// What to say to the peer, in the words of `profile`.
    pub fn reply(self, profile: ReplyProfile) -> Reply {
        use ReplyProfile::{Exchange, Plain};
        let (detail, text) = match (self, profile) {
            (Self::NotAuthenticated, Plain) => (1, "Client was not authenticated"),
            (Self::NotAuthenticated, Exchange) => {
                (57, "SMTP; Client was not authenticated to send anonymous mail during MAIL FROM")
            }
            (Self::OwnSender, Plain) => {
                (1, "Client does not have permissions to send as this sender")
            }
            (Self::OwnSender, Exchange) => {
                (60, "SMTP; Client does not have permissions to send as this sender")
            }
            (Self::RelayDenied, Plain) => (1, "Unable to relay"),
            (Self::RelayDenied, Exchange) => {
                (54, "SMTP; Unable to relay recipient in non-accepted domain")
            }
        };
        let code = match self {
            Self::NotAuthenticated => ReplyCode::AUTHENTICATION_REQUIRED,
            Self::OwnSender | Self::RelayDenied => ReplyCode::MAILBOX_UNAVAILABLE,
        };
        Reply::new(code, EnhancedStatusCode::permanent(7, detail), text)
    }
}
