//! The other servers that a configuration speaks of.

use transom_types::Domain;

/// Another server of the organization, which shares the send connectors with this one. Mail for a
/// connector that it sends by is handed to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OtherServer {
    /// Its name, which leads to it in the DNS.
    pub name: Domain,
    /// What the way to it costs, all links together; 0 is a server beside this one, in the same
    /// site (0).
    pub link_cost: u32,
    /// Where it takes mail (25).
    pub port: u16,
}

impl OtherServer {
    /// A server beside this one.
    pub fn new(name: Domain) -> Self {
        Self { name, link_cost: 0, port: 25 }
    }

    /// The same at another cost.
    #[must_use]
    pub fn with_link_cost(self, link_cost: u32) -> Self {
        Self { link_cost, ..self }
    }

    /// The same at another port.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }
}
