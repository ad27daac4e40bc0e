//! Send connectors: how mail leaves.

mod check;
mod error_policies;
mod index;
mod smart_host;
mod tls;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use transom_types::{ConnectorId, Domain};

use crate::AddressSpace;

pub use check::SendConnectorError;
pub(crate) use check::check_send_connectors;
pub use error_policies::{ErrorCode, ErrorPolicies, ParseErrorCodeError};
pub use index::{Proximity, SendCandidate};
pub(crate) use index::{SendIndex, reach, source_servers};
pub use smart_host::{Credential, ParseSmartHostError, SmartHost, SmartHostAuth, SmartHostOrder};
pub use tls::{SendTls, TlsAuthLevel};

/// How mail leaves: which domains it serves, and by which way. In brackets stand the default and
/// the name of the parameter in Exchange, where it has another one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendConnector {
    /// Unique among the send connectors.
    pub name: ConnectorId,
    /// The domains it serves.
    pub address_spaces: Vec<AddressSpace>,
    /// By which way (`DNSRoutingEnabled`, `SmartHosts`).
    pub delivery: SendDelivery,
    /// Whether it is used at all (yes).
    pub enabled: bool,
    /// Whether only its source servers and the servers beside them use it (no;
    /// `IsScopedConnector`).
    pub is_scoped: bool,
    /// The servers that send by it; none is this server (none; `SourceTransportServers`). Another
    /// server hands mail for it to one of them.
    pub source_servers: Vec<Domain>,
    /// Octets of one message (35 MB, 36,700,160, for SMTP; no limit for a delivery agent or a
    /// drop directory; `MaxMessageSize`). A bigger one does not leave by this connector.
    pub message_octets_max: Option<u64>,
    /// Whether TLS is used (where it is offered; `RequireTLS`, `IgnoreSTARTTLS`).
    pub tls: SendTls,
    /// What is asked of the peer's certificate (nothing).
    pub tls_auth_level: TlsAuthLevel,
    /// The name that the peer's certificate must have (none: the recipient's domain).
    pub tls_domain: Option<Domain>,
    /// The port of hosts that the DNS names (25). Smart hosts have ports of their own.
    pub port: u16,
    /// In which order smart hosts are tried (as listed).
    pub smart_host_order: SmartHostOrder,
    /// How it says at smart hosts who it is (not at all; `SmartHostAuthMechanism`).
    pub smart_host_auth: SmartHostAuth,
    /// Messages over one connection before it is closed (20; 0 is no limit;
    /// `SmtpMaxMessagesPerConnection`).
    pub messages_per_connection: u32,
    /// How long a connection is kept without work (30 s, shorter than what servers grant;
    /// `ConnectionInactivityTimeOut`).
    pub idle_timeout: Duration,
    /// What it says in EHLO; none is the server's name (none).
    pub fqdn: Option<Domain>,
    /// The addresses of ours that connections come from, at most one of each family; the system
    /// chooses where there is none of the peer's family (none; `SourceIPAddress`).
    pub source_addresses: Vec<IpAddr>,
    /// Which failures are to be taken otherwise than the peer meant them (none).
    pub error_policies: ErrorPolicies,
}

/// By which way a send connector delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendDelivery {
    /// To a delivery agent of the host program, by the name it was registered under.
    Agent(String),
    /// To the hosts that the DNS names for the domain.
    Dns,
    /// Into a directory, from which another program fetches it (a foreign connector).
    Drop(DropDirectory),
    /// To these hosts.
    SmartHosts(Vec<SmartHost>),
}

impl SendDelivery {
    /// Whether mail does not leave by SMTP, so that it cannot come back.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Agent(_) | Self::Drop(_))
    }
}

/// Where a foreign connector puts messages, one file each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DropDirectory {
    /// The directory. It must exist.
    pub path: PathBuf,
    /// Octets that may lie there (no limit; `DropDirectoryQuota`); what is more waits.
    pub octets_max: Option<u64>,
    /// Whether a report tells the sender that the message was handed over, where the sender asked
    /// for one (no; `RelayDsnRequired`).
    pub relay_dsn_required: bool,
}

impl DropDirectory {
    /// This directory, without quota.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), octets_max: None, relay_dsn_required: false }
    }

    /// The same with another quota.
    #[must_use]
    pub fn with_octets_max(self, octets_max: Option<u64>) -> Self {
        Self { octets_max, ..self }
    }

    /// The same with reports of the handing over, or without.
    #[must_use]
    pub fn with_relay_dsn_required(self, relay_dsn_required: bool) -> Self {
        Self { relay_dsn_required, ..self }
    }
}

impl SendConnector {
    /// Octets of one message where nothing else is said, for SMTP.
    pub const MESSAGE_OCTETS_MAX: u64 = 35 * 1024 * 1024;

    /// Every domain (`*`), by DNS, named `Internet`.
    pub fn internet() -> Self {
        Self {
            name: ConnectorId::new("Internet"),
            address_spaces: vec![AddressSpace::any()],
            delivery: SendDelivery::Dns,
            enabled: true,
            is_scoped: false,
            source_servers: Vec::new(),
            message_octets_max: Some(Self::MESSAGE_OCTETS_MAX),
            tls: SendTls::default(),
            tls_auth_level: TlsAuthLevel::default(),
            tls_domain: None,
            port: 25,
            smart_host_order: SmartHostOrder::default(),
            smart_host_auth: SmartHostAuth::default(),
            messages_per_connection: 20,
            idle_timeout: Duration::from_secs(30),
            fqdn: None,
            source_addresses: Vec::new(),
            error_policies: ErrorPolicies::default(),
        }
    }

    /// These domains, by smart hosts.
    pub fn smart_hosts(name: &str, spaces: Vec<AddressSpace>, hosts: Vec<SmartHost>) -> Self {
        Self {
            name: ConnectorId::new(name),
            address_spaces: spaces,
            delivery: SendDelivery::SmartHosts(hosts),
            ..Self::internet()
        }
    }

    /// These domains, by the delivery agent that is registered as `agent`; the connector has the
    /// agent's name.
    pub fn agent(agent: &str, spaces: Vec<AddressSpace>) -> Self {
        Self {
            name: ConnectorId::new(agent),
            address_spaces: spaces,
            delivery: SendDelivery::Agent(agent.into()),
            message_octets_max: None,
            ..Self::internet()
        }
    }

    /// These domains, into a directory.
    pub fn foreign(name: &str, spaces: Vec<AddressSpace>, directory: DropDirectory) -> Self {
        Self {
            name: ConnectorId::new(name),
            address_spaces: spaces,
            delivery: SendDelivery::Drop(directory),
            message_octets_max: None,
            ..Self::internet()
        }
    }

    /// The same under another name.
    #[must_use]
    pub fn with_name(self, name: &str) -> Self {
        Self { name: ConnectorId::new(name), ..self }
    }

    /// The same for other domains.
    #[must_use]
    pub fn with_address_spaces(self, address_spaces: Vec<AddressSpace>) -> Self {
        Self { address_spaces, ..self }
    }

    /// The same switched on or off.
    #[must_use]
    pub fn with_enabled(self, enabled: bool) -> Self {
        Self { enabled, ..self }
    }

    /// The same for the servers beside its source servers alone, or for all.
    #[must_use]
    pub fn with_scoped(self, is_scoped: bool) -> Self {
        Self { is_scoped, ..self }
    }

    /// The same sending from these servers.
    #[must_use]
    pub fn with_source_servers(self, source_servers: Vec<Domain>) -> Self {
        Self { source_servers, ..self }
    }

    /// The same with another limit of size.
    #[must_use]
    pub fn with_message_octets_max(self, message_octets_max: Option<u64>) -> Self {
        Self { message_octets_max, ..self }
    }

    /// The same with another use of TLS.
    #[must_use]
    pub fn with_tls(self, tls: SendTls) -> Self {
        Self { tls, ..self }
    }

    /// The same asking something else of certificates.
    #[must_use]
    pub fn with_tls_auth_level(self, tls_auth_level: TlsAuthLevel) -> Self {
        Self { tls_auth_level, ..self }
    }

    /// The same with a name that the peer's certificate must have.
    #[must_use]
    pub fn with_tls_domain(self, tls_domain: Domain) -> Self {
        Self { tls_domain: Some(tls_domain), ..self }
    }

    /// The same going to another port of the hosts that the DNS names.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The same trying smart hosts in another order.
    #[must_use]
    pub fn with_smart_host_order(self, smart_host_order: SmartHostOrder) -> Self {
        Self { smart_host_order, ..self }
    }

    /// The same saying at smart hosts who it is.
    #[must_use]
    pub fn with_smart_host_auth(self, smart_host_auth: SmartHostAuth) -> Self {
        Self { smart_host_auth, ..self }
    }

    /// The same with another number of messages over one connection.
    #[must_use]
    pub fn with_messages_per_connection(self, messages_per_connection: u32) -> Self {
        Self { messages_per_connection, ..self }
    }

    /// The same keeping connections without work for another time.
    #[must_use]
    pub fn with_idle_timeout(self, idle_timeout: Duration) -> Self {
        Self { idle_timeout, ..self }
    }

    /// The same calling itself `fqdn`.
    #[must_use]
    pub fn with_fqdn(self, fqdn: Domain) -> Self {
        Self { fqdn: Some(fqdn), ..self }
    }

    /// The same connecting from these addresses.
    #[must_use]
    pub fn with_source_addresses(self, source_addresses: Vec<IpAddr>) -> Self {
        Self { source_addresses, ..self }
    }

    /// The same taking other failures otherwise.
    #[must_use]
    pub fn with_error_policies(self, error_policies: ErrorPolicies) -> Self {
        Self { error_policies, ..self }
    }
}
