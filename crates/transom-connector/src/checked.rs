//! A configuration that fits together, and the questions it answers.

use transom_types::{ConnectorId, Domain, ForwardPath};

use crate::domain_tables::DomainTables;
use crate::receive::ReceiveIndex;
use crate::{
    AcceptedDomain, AcceptedDomainKind, Configuration, OtherServer, PickupDirectory, Proximity,
    ReceiveConnector, RemoteDomain, ReplayDirectory, SendCandidate, SendConnector, ServiceLimits,
    reach, source_servers,
};

/// A configuration whose parts fit together. Immutable; a reload makes another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedConfiguration(Configuration, DomainTables, ReceiveIndex);

impl CheckedConfiguration {
    pub(crate) fn new(configuration: Configuration) -> Self {
        let tables = DomainTables::new(&configuration);
        let receive = ReceiveIndex::new(&configuration.receive_connectors);
        Self(configuration, tables, receive)
    }

    pub(crate) fn receive_index(&self) -> &ReceiveIndex {
        &self.2
    }

    /// What bounds the service as a whole.
    pub fn service_limits(&self) -> &ServiceLimits {
        &self.0.service_limits
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
