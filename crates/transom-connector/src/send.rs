//! Send connectors: how mail leaves.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use transom_types::{AddressLiteral, ConnectorId, Domain, Host};

use crate::AddressSpace;

/// How mail leaves: which domains it serves, and by which way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendConnector {
    /// Unique among the send connectors.
    pub name: ConnectorId,
    /// The domains it serves.
    pub address_spaces: Vec<AddressSpace>,
    /// By which way.
    pub delivery: SendDelivery,
    /// Whether it is used at all; on.
    pub enabled: bool,
    /// Octets of one message (35 MB, 36,700,160, for SMTP; no limit for a delivery agent). A
    /// bigger one does not leave by this connector.
    pub message_octets_max: Option<u64>,
    /// Whether TLS is used.
    pub tls: SendTls,
    /// The port of hosts that the DNS names (25). Smart hosts have ports of their own.
    pub port: u16,
    /// Messages over one connection before it is closed (20).
    pub messages_per_connection: u32,
    /// What it says in EHLO; none is the server's name.
    pub fqdn: Option<Domain>,
}

/// By which way a send connector delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendDelivery {
    /// To a delivery agent of the host program, by the name it was registered under.
    Agent(String),
    /// To the hosts that the DNS names for the domain.
    Dns,
    /// To these hosts, in this order.
    SmartHosts(Vec<SmartHost>),
}

/// Whether a send connector uses TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendTls {
    /// Never, though it be offered.
    Never,
    /// Where it is offered, whatever the certificate says.
    #[default]
    Opportunistic,
    /// Always; where it is not offered, the message waits.
    Required,
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
            message_octets_max: Some(Self::MESSAGE_OCTETS_MAX),
            tls: SendTls::default(),
            port: 25,
            messages_per_connection: 20,
            fqdn: None,
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

    /// The same going to another port of the hosts that the DNS names.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The same with another number of messages over one connection.
    #[must_use]
    pub fn with_messages_per_connection(self, messages_per_connection: u32) -> Self {
        Self { messages_per_connection, ..self }
    }

    /// The same calling itself `fqdn`.
    #[must_use]
    pub fn with_fqdn(self, fqdn: Domain) -> Self {
        Self { fqdn: Some(fqdn), ..self }
    }
}

/// A host that takes mail for other domains. Written `host:port`, `[literal]:port` or without the
/// port, which is 25 then; an IPv4 address may stand without brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a host and a port")]
pub struct SmartHost {
    /// A name, looked up by A and AAAA, or an address.
    pub host: Host,
    /// The port.
    pub port: u16,
}

impl SmartHost {
    /// The port where none is given.
    pub const PORT_DEFAULT: u16 = 25;
}

impl From<SocketAddr> for SmartHost {
    fn from(address: SocketAddr) -> Self {
        Self { host: Host::Literal(address.ip().into()), port: address.port() }
    }
}

impl FromStr for SmartHost {
    type Err = ParseSmartHostError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let parsed = parse_smart_host(text).filter(|host| host.port != 0);
        parsed.ok_or_else(|| ParseSmartHostError { found: text.into() })
    }
}

fn parse_smart_host(text: &str) -> Option<SmartHost> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.into());
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, SmartHost::PORT_DEFAULT).into());
    }
    let split =
        text.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let (host, port) = match split {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (text, SmartHost::PORT_DEFAULT),
    };
    let host = if host.starts_with('[') {
        Host::Literal(parse_bracketed(host)?)
    } else {
        Host::Domain(host.parse::<Domain>().ok()?.to_ascii().ok()?)
    };
    Some(SmartHost { host, port })
}

/// `[192.0.2.1]`, `[IPv6:2001:db8::1]`, and `[2001:db8::1]`, which Exchange writes.
fn parse_bracketed(text: &str) -> Option<AddressLiteral> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    text.parse().ok().or_else(|| inner.parse::<IpAddr>().ok().map(AddressLiteral::from))
}

impl fmt::Display for SmartHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Domain(domain) => write!(f, "{domain}")?,
            Host::Literal(literal) => write!(f, "{literal}")?,
        }
        if self.port == Self::PORT_DEFAULT { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// The text is no smart host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{found}\" is no smart host: host:port, [address]:port or the same without port")]
#[non_exhaustive]
pub struct ParseSmartHostError {
    /// The text.
    pub found: String,
}
