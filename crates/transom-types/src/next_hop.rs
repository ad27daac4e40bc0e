//! Where a recipient goes next: the identity of a delivery queue.

use std::fmt;
use std::sync::Arc;

/// Exchange's `NextHopSolutionKey`: recipients with the same next hop share a delivery queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the key has these four parts; more would split queues"
)]
pub struct NextHop {
    /// How it is delivered.
    pub kind: DeliveryType,
    /// The recipient's domain, the smart-host set, the delivery agent's name, or the name of the
    /// connector where it decides alone.
    pub domain: NextHopDomain,
    /// The send connector that owns TLS, limits and source addresses.
    pub connector: ConnectorId,
    /// Sessions are never shared across these classes.
    pub tls: TlsClass,
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.domain, self.kind, self.connector)
    }
}

/// Exchange's `DeliveryType`, as far as it occurs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DeliveryType {
    /// By SMTP to the hosts that the DNS names for the recipient's domain.
    DnsConnectorDelivery,
    /// By SMTP to the smart hosts of the connector.
    SmartHostConnectorDelivery,
    /// To a delivery agent of the host program.
    DeliveryAgent,
    /// Into a directory, from which another program fetches it.
    NonSmtpGatewayDelivery,
    /// By SMTP to another server of the organization, which sends by the connector.
    SmtpRelayToConnectorSourceServers,
    /// Nowhere yet: it waits in the Submission queue to be routed.
    Undefined,
    /// Nowhere: no connector takes the recipient. Routed again when the configuration changes.
    Unreachable,
}

impl fmt::Display for DeliveryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DnsConnectorDelivery => "DnsConnectorDelivery",
            Self::SmartHostConnectorDelivery => "SmartHostConnectorDelivery",
            Self::DeliveryAgent => "DeliveryAgent",
            Self::NonSmtpGatewayDelivery => "NonSmtpGatewayDelivery",
            Self::SmtpRelayToConnectorSourceServers => "SmtpRelayToConnectorSourceServers",
            Self::Undefined => "Undefined",
            Self::Unreachable => "Unreachable",
        })
    }
}

macro_rules! shared_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// A name. Control characters become `?`.
            pub fn new(name: &str) -> Self {
                if name.chars().any(char::is_control) {
                    let clean = |c: char| if c.is_control() { '?' } else { c };
                    Self(name.chars().map(clean).collect::<String>().into())
                } else {
                    Self(name.into())
                }
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

shared_name! {
    /// Exchange's `NextHopDomain`: what names the queue to people. Cloning counts a reference.
    NextHopDomain
}

shared_name! {
    /// The name of a receive or send connector, unique in a configuration. Cloning counts a
    /// reference.
    ConnectorId
}

/// What a message demands of TLS (RFC 8689). Sessions are never shared across classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsClass {
    /// As the connector has it.
    #[default]
    Normal,
    /// `REQUIRETLS` was given.
    RequireTls,
    /// `TLS-Required: No` stands in the header.
    TlsRequiredNo,
}
