//! Smart hosts: who they are, in which order they are tried, how we say who we are.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use transom_types::{AddressLiteral, Domain, Host};

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

/// In which order the smart hosts of a connector are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SmartHostOrder {
    /// As they stand there: the second is used while the first cannot be.
    #[default]
    Listed,
    /// The one with the fewest attempts under way first; of equals, as they stand there.
    LeastOutstanding,
    /// In turn: each attempt begins one further on.
    RoundRobin,
}

/// How a connector says at its smart hosts who it is (`SmartHostAuthMechanism` and
/// `AuthenticationCredential`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SmartHostAuth {
    /// By user and password, whether TLS is used or not (`BasicAuth`).
    Basic(Credential),
    /// By user and password, behind TLS alone (`BasicAuthRequireTLS`); without TLS nothing is sent.
    BasicRequireTls(Credential),
    /// Not at all: the network is known to lead to a server of ours (`ExternalAuthoritative`).
    ExternalAuthoritative,
    /// Not at all.
    #[default]
    None,
}

impl SmartHostAuth {
    /// The user and the password, where they are used.
    pub fn credential(&self) -> Option<&Credential> {
        match self {
            Self::Basic(credential) | Self::BasicRequireTls(credential) => Some(credential),
            Self::ExternalAuthoritative | Self::None => None,
        }
    }
}

/// A user, and where the password is. The password itself is never part of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a user and a password")]
pub struct Credential {
    /// Who we are.
    pub user: String,
    /// Under which name the store of secrets knows the password.
    pub secret: String,
}
