//! What a checked configuration knows by name, so that no question walks through all of it.

use std::collections::HashMap;

use transom_types::{ConnectorId, Domain};

use crate::domain_index::DomainIndex;
use crate::send::SendIndex;
use crate::{AcceptedDomain, AddressPattern, Configuration, RemoteDomain};

/// Places in the lists of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DomainTables {
    accepted: DomainIndex<Option<usize>>,
    remote: DomainIndex<Option<usize>>,
    remote_any: Option<usize>,
    pub(crate) send: SendIndex,
    pub(crate) send_names: HashMap<ConnectorId, usize>,
}

impl DomainTables {
    pub(crate) fn new(configuration: &Configuration) -> Self {
        let mut accepted = DomainIndex::<Option<usize>>::default();
        for (at, entry) in configuration.accepted_domains.iter().enumerate() {
            let place = if entry.match_subdomains {
                accepted.within_mut(&entry.domain)
            } else {
                accepted.exact_mut(&entry.domain)
            };
            *place = Some(at);
        }
        let (mut remote, mut remote_any) = (DomainIndex::<Option<usize>>::default(), None);
        for (at, entry) in configuration.remote_domains.iter().enumerate() {
            match &entry.pattern {
                AddressPattern::Exact(domain) => *remote.exact_mut(domain) = Some(at),
                AddressPattern::Within(domain) => *remote.within_mut(domain) = Some(at),
                AddressPattern::Any => remote_any = Some(at),
                // No text of a remote domain says this; it matches nothing.
                AddressPattern::AcceptedDomains => {}
            }
        }
        let connectors = configuration.send_connectors.iter().enumerate();
        Self {
            accepted,
            remote,
            remote_any,
            send: SendIndex::new(configuration),
            send_names: connectors.map(|(at, connector)| (connector.name.clone(), at)).collect(),
        }
    }

    /// The entry for a domain in A-labels and lower case.
    pub(crate) fn accepted_domain<'c>(
        &self,
        configuration: &'c Configuration,
        domain: &Domain,
    ) -> Option<&'c AcceptedDomain> {
        let at = self.accepted.matching(domain.as_str()).find_map(|place| *place)?;
        configuration.accepted_domains.get(at)
    }

    /// The entry for a domain in A-labels and lower case.
    pub(crate) fn remote_domain<'c>(
        &self,
        configuration: &'c Configuration,
        domain: &Domain,
    ) -> Option<&'c RemoteDomain> {
        let by_name = self.remote.matching(domain.as_str()).find_map(|place| *place);
        configuration.remote_domains.get(by_name.or(self.remote_any)?)
    }
}
