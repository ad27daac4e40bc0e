//! What lint cannot read in a configuration.

use std::net::IpAddr;

use transom_types::Domain;

/// What only the host program knows. What is not told is not judged: lint says nothing about
/// certificates, say, where nobody has said whether there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LintContext {
    /// The delivery agents that are registered.
    pub agents: Option<Vec<String>>,
    /// Whether somebody judges passwords.
    pub authenticates: Option<bool>,
    /// The DNS names of the certificate; empty where there is no certificate.
    pub certificate_names: Option<Vec<String>>,
    /// The domains whose recipients a directory knows.
    pub directory_domains: Option<Vec<Domain>>,
    /// The addresses of this host, where they are more than the bindings say.
    pub own_addresses: Vec<IpAddr>,
    /// The names of this host, where they are more than the connectors say.
    pub own_hosts: Vec<Domain>,
}

impl LintContext {
    /// The same with these delivery agents, and no others.
    #[must_use]
    pub fn with_agents<S: Into<String>>(self, agents: impl IntoIterator<Item = S>) -> Self {
        Self { agents: Some(agents.into_iter().map(Into::into).collect()), ..self }
    }

    /// The same with somebody who judges passwords, or with nobody.
    #[must_use]
    pub fn with_authentication(self, authenticates: bool) -> Self {
        Self { authenticates: Some(authenticates), ..self }
    }

    /// The same with a certificate for these DNS names; none is no certificate.
    #[must_use]
    pub fn with_certificate_names<S: Into<String>>(
        self,
        names: impl IntoIterator<Item = S>,
    ) -> Self {
        Self { certificate_names: Some(names.into_iter().map(Into::into).collect()), ..self }
    }

    /// The same with a directory for these domains, and no others.
    #[must_use]
    pub fn with_directory_domains(self, domains: impl IntoIterator<Item = Domain>) -> Self {
        Self { directory_domains: Some(domains.into_iter().collect()), ..self }
    }

    /// The same with these addresses of this host.
    #[must_use]
    pub fn with_own_addresses(self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { own_addresses: addresses.into_iter().collect(), ..self }
    }

    /// The same with these names of this host.
    #[must_use]
    pub fn with_own_hosts(self, hosts: impl IntoIterator<Item = Domain>) -> Self {
        Self { own_hosts: hosts.into_iter().collect(), ..self }
    }
}
