//! The configuration as a host program writes it, and the check of how its parts fit together.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;

use transom_types::{ConnectorId, Domain};

use crate::receive::check_receive_connectors;
use crate::{
    AcceptedDomain, AddressPattern, AddressSpace, CheckedConfiguration, OtherServer,
    ParseAddressSpaceError, PickupDirectory, ReceiveConnector, ReceiveConnectorError, RemoteDomain,
    RemoteRange, ReplayDirectory, SendConnector, SendConnectorError, ServiceLimits,
    check_send_connectors,
};

/// All that is configured. [`Configuration::check`] makes it usable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Configuration {
    /// What this server calls itself where a connector says nothing else.
    pub server_name: Domain,
    /// How mail comes in.
    pub receive_connectors: Vec<ReceiveConnector>,
    /// How mail leaves, to delivery agents too.
    pub send_connectors: Vec<SendConnector>,
    /// What bounds the service as a whole.
    pub service_limits: ServiceLimits,
    /// For which domains mail is taken from anyone. The first is the default one, where mail to
    /// `<Postmaster>` goes.
    pub accepted_domains: Vec<AcceptedDomain>,
    /// What is sent to other domains without a person asking for it.
    pub remote_domains: Vec<RemoteDomain>,
    /// The other servers that send connectors name as their source servers.
    pub servers: Vec<OtherServer>,
    /// Where programs put new messages; nowhere.
    pub pickup: Option<PickupDirectory>,
    /// Where messages lie that are to be sent again; nowhere.
    pub replay: Option<ReplayDirectory>,
}

impl Configuration {
    /// A server that neither takes nor sends anything.
    pub fn new(server_name: Domain) -> Self {
        Self {
            server_name,
            receive_connectors: Vec::new(),
            send_connectors: Vec::new(),
            service_limits: ServiceLimits::default(),
            accepted_domains: Vec::new(),
            remote_domains: Vec::new(),
            servers: Vec::new(),
            pickup: None,
            replay: None,
        }
    }

    /// The same with one receive connector more.
    #[must_use]
    pub fn with_receive_connector(mut self, connector: ReceiveConnector) -> Self {
        self.receive_connectors.push(connector);
        self
    }

    /// The same with one send connector more.
    #[must_use]
    pub fn with_send_connector(mut self, connector: SendConnector) -> Self {
        self.send_connectors.push(connector);
        self
    }

    /// The same with other limits of the service.
    #[must_use]
    pub fn with_service_limits(self, service_limits: ServiceLimits) -> Self {
        Self { service_limits, ..self }
    }

    /// The same with one accepted domain more.
    #[must_use]
    pub fn with_accepted_domain(mut self, domain: AcceptedDomain) -> Self {
        self.accepted_domains.push(domain);
        self
    }

    /// The same with one remote domain more.
    #[must_use]
    pub fn with_remote_domain(mut self, domain: RemoteDomain) -> Self {
        self.remote_domains.push(domain);
        self
    }

    /// The same with one other server more.
    #[must_use]
    pub fn with_server(mut self, server: OtherServer) -> Self {
        self.servers.push(server);
        self
    }

    /// The same taking new messages from a directory.
    #[must_use]
    pub fn with_pickup(self, pickup: PickupDirectory) -> Self {
        Self { pickup: Some(pickup), ..self }
    }

    /// The same sending the messages of a directory again.
    #[must_use]
    pub fn with_replay(self, replay: ReplayDirectory) -> Self {
        Self { replay: Some(replay), ..self }
    }

    /// The same with a send connector that brings mail for `domains` (address spaces, such as
    /// `contoso.com` and `*.contoso.com`) to the delivery agent registered as `agent`. Without
    /// domains nothing is added: connectors that are there already name the agent.
    ///
    /// # Errors
    ///
    /// Where one of the domains is no address space.
    pub fn with_delivery_agent<D: AsRef<str>>(
        self,
        agent: &str,
        domains: impl IntoIterator<Item = D>,
    ) -> Result<Self, ParseAddressSpaceError> {
        let spaces = domains.into_iter().map(|domain| domain.as_ref().parse());
        let spaces = spaces.collect::<Result<Vec<AddressSpace>, _>>()?;
        if spaces.is_empty() {
            return Ok(self);
        }
        Ok(self.with_send_connector(SendConnector::agent(agent, spaces)))
    }

    /// Checks how the parts fit together.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub fn check(mut self) -> Result<CheckedConfiguration, ConfigurationErrors> {
        let mut errors = Vec::new();
        // [RFC 6531 §3.7.1-a, §3.7.1-b] what we call ourselves is ASCII: any peer must read it.
        for name in self.own_names() {
            match name.to_ascii() {
                Ok(ascii) => *name = ascii,
                Err(_) => errors.push(ConfigurationError::NoHostName { name: name.clone() }),
            }
        }
        check_receive_connectors(&self, &mut errors);
        check_send_connectors(&self, &mut errors);
        check_domains(&self, &mut errors);
        check_servers(&self, &mut errors);
        check_directories(&self, &mut errors);
        if errors.is_empty() {
            Ok(CheckedConfiguration::new(self))
        } else {
            Err(ConfigurationErrors(errors))
        }
    }
}

impl Configuration {
    /// The names that the server says of itself.
    fn own_names(&mut self) -> impl Iterator<Item = &mut Domain> {
        let receive = self.receive_connectors.iter_mut().filter_map(|c| c.fqdn.as_mut());
        let send = self.send_connectors.iter_mut().filter_map(|c| c.fqdn.as_mut());
        std::iter::once(&mut self.server_name).chain(receive).chain(send)
    }
}

fn check_domains(configuration: &Configuration, errors: &mut Vec<ConfigurationError>) {
    let mut accepted = HashSet::new();
    for entry in &configuration.accepted_domains {
        if !accepted.insert(&entry.domain) {
            let domain = entry.domain.clone();
            errors.push(ConfigurationError::DuplicateAcceptedDomain { domain });
        }
    }
    let mut remote = HashSet::new();
    for entry in &configuration.remote_domains {
        let domain = || entry.pattern.clone();
        if !remote.insert(&entry.pattern) {
            errors.push(ConfigurationError::DuplicateRemoteDomain { domain: domain() });
        }
        let name = match &entry.pattern {
            AddressPattern::Exact(name) | AddressPattern::Within(name) => Some(name),
            _ => None,
        };
        if name.is_some_and(|name| accepted.contains(name)) {
            errors.push(ConfigurationError::RemoteDomainAccepted { domain: domain() });
        }
    }
}

fn check_servers(configuration: &Configuration, errors: &mut Vec<ConfigurationError>) {
    let mut names = HashSet::from([&configuration.server_name]);
    for server in &configuration.servers {
        if !names.insert(&server.name) {
            errors.push(ConfigurationError::DuplicateServer { name: server.name.clone() });
        }
    }
}

fn check_directories(configuration: &Configuration, errors: &mut Vec<ConfigurationError>) {
    let (pickup, replay) = (&configuration.pickup, &configuration.replay);
    let faults = [
        ("pickup", pickup.as_ref().and_then(PickupDirectory::fault)),
        ("replay", replay.as_ref().and_then(ReplayDirectory::fault)),
    ];
    for (directory, fault) in faults {
        errors.extend(fault.map(|fault| ConfigurationError::Directory { directory, fault }));
    }
    if let (Some(pickup), Some(replay)) = (pickup, replay)
        && pickup.path == replay.path
    {
        let fault = "it is the pickup directory too";
        errors.push(ConfigurationError::Directory { directory: "replay", fault });
    }
}

/// Everything that is wrong with a configuration; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationErrors(Vec<ConfigurationError>);

impl ConfigurationErrors {
    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigurationError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigurationErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for error in &self.0 {
            write!(f, "{separator}{error}")?;
            separator = "; ";
        }
        Ok(())
    }
}

impl std::error::Error for ConfigurationErrors {}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// A pickup or replay directory is out of order.
    #[error("the {directory} directory: {fault}")]
    Directory {
        /// `pickup` or `replay`.
        directory: &'static str,
        /// What is wrong.
        fault: &'static str,
    },
    /// An accepted domain stands there twice.
    #[error("the accepted domain {domain} is there twice")]
    DuplicateAcceptedDomain {
        /// The domain.
        domain: Domain,
    },
    /// Two receive connectors have one name.
    #[error("two receive connectors are named \"{name}\"")]
    DuplicateReceiveConnector {
        /// The name.
        name: ConnectorId,
    },
    /// A remote domain stands there twice.
    #[error("the remote domain {domain} is there twice")]
    DuplicateRemoteDomain {
        /// The domain.
        domain: AddressPattern,
    },
    /// Two send connectors have one name.
    #[error("two send connectors are named \"{name}\"")]
    DuplicateSendConnector {
        /// The name.
        name: ConnectorId,
    },
    /// Two servers have one name.
    #[error("two servers are named {name}")]
    DuplicateServer {
        /// The name.
        name: Domain,
    },
    /// A session would end before its idle time-out could.
    #[error("receive connector \"{name}\" has an idle time-out above its session time-out")]
    IdleAboveSession {
        /// The connector.
        name: ConnectorId,
    },
    /// A receive connector speaks LMTP at the port of SMTP.
    #[error("receive connector \"{name}\" speaks LMTP at port 25, which is for SMTP")]
    LmtpAtPort25 {
        /// The connector.
        name: ConnectorId,
    },
    /// A send connector serves no domain.
    #[error("send connector \"{name}\" has no address space")]
    NoAddressSpace {
        /// The connector.
        name: ConnectorId,
    },
    /// A receive connector listens nowhere.
    #[error("receive connector \"{name}\" has no binding")]
    NoBinding {
        /// The connector.
        name: ConnectorId,
    },
    /// A name that the server says of itself has no form in ASCII.
    #[error("the server cannot call itself {name}")]
    NoHostName {
        /// The name.
        name: Domain,
    },
    /// A receive connector serves no peer.
    #[error("receive connector \"{name}\" has no remote range")]
    NoRemoteRange {
        /// The connector.
        name: ConnectorId,
    },
    /// A send connector delivers by smart hosts and has none.
    #[error("send connector \"{name}\" has no smart host")]
    NoSmartHost {
        /// The connector.
        name: ConnectorId,
    },
    /// A receive connector is out of order.
    #[error("receive connector \"{name}\": {error}")]
    ReceiveConnector {
        /// The connector.
        name: ConnectorId,
        /// What is wrong.
        error: ReceiveConnectorError,
    },
    /// Two receive connectors share a binding, and their ranges overlap without one being inside
    /// the other.
    #[error(
        "receive connectors \"{}\" and \"{}\" share {binding}, and their ranges {} and {} overlap",
        names.0, names.1, ranges.0, ranges.1
    )]
    RangesOverlap {
        /// The connectors.
        names: (ConnectorId, ConnectorId),
        /// What they share.
        binding: SocketAddr,
        /// The ranges.
        ranges: (RemoteRange, RemoteRange),
    },
    /// A remote domain is one of ours.
    #[error("the remote domain {domain} is an accepted domain")]
    RemoteDomainAccepted {
        /// The domain.
        domain: AddressPattern,
    },
    /// A send connector does not fit together.
    #[error("send connector \"{name}\": {error}")]
    SendConnector {
        /// The connector.
        name: ConnectorId,
        /// What is wrong.
        error: SendConnectorError,
    },
    /// Two receive connectors share a binding and a range.
    #[error(
        "receive connectors \"{}\" and \"{}\" share {binding} and the range {range}",
        names.0, names.1
    )]
    SameRange {
        /// The connectors.
        names: (ConnectorId, ConnectorId),
        /// What they share.
        binding: SocketAddr,
        /// The range.
        range: RemoteRange,
    },
    /// A receive connector believes everybody who the client is, so that every peer has the rights
    /// of every other.
    #[error("receive connector \"{name}\" believes {list} from everybody ({range})")]
    TrustsEverybody {
        /// The connector.
        name: ConnectorId,
        /// `PROXY` or `XCLIENT`.
        list: String,
        /// The range.
        range: RemoteRange,
    },
}
