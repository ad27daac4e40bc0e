//! What a transport is made of, and why it may not start.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use transom_agent::{
    AgentSettings, Authenticator, BuildAgentsError, DeliveryAgent, Directory, ReceiveAgent,
    RoutingAgent, SecretStore,
};
use transom_connector::{
    AcceptedDomain, Configuration, ConfigurationErrors, Finding, ReceiveConnector, SendConnector,
    ServiceLimits,
};
use transom_dns::Resolver;
use transom_queue::{
    OpenError, RateLimit, RetryProfile, SchedulerOptions, SegLogOptions, Spool, StoreError,
};
use transom_tracking::EventSink;
use transom_tracking::rotation::Rotation;
use transom_types::{Domain, NextHopDomain, ParseDomainError, ParseMailboxError};

use crate::clock::{Clock, SystemClock};
use crate::start;
use crate::tls::{Certificate, TlsError, TrustedRoots};
use crate::transport::Transport;

/// Builds a [`Transport`]. Everything has a default but the name; a transport without connectors
/// does nothing.
#[must_use = "a builder does nothing until `start`"]
pub struct TransportBuilder {
    pub(crate) name: Result<Domain, ParseDomainError>,
    pub(crate) parts: Parts,
}

/// What was given so far.
pub(crate) struct Parts {
    pub(crate) configuration: Option<Configuration>,
    pub(crate) service_limits: Option<ServiceLimits>,
    pub(crate) accepted_domains: Vec<AcceptedDomain>,
    pub(crate) receive_connectors: Vec<ReceiveConnector>,
    pub(crate) send_connectors: Vec<SendConnector>,
    pub(crate) agents: HashMap<String, (Vec<String>, Arc<dyn DeliveryAgent>)>,
    pub(crate) receive_agents: Vec<(AgentSettings, Arc<dyn ReceiveAgent>)>,
    pub(crate) routing_agents: Vec<(AgentSettings, Arc<dyn RoutingAgent>)>,
    pub(crate) directory: Option<Arc<dyn Directory>>,
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    pub(crate) secrets: Option<Arc<dyn SecretStore>>,
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
    pub(crate) spool: SpoolPlace,
    pub(crate) log_folder: Option<PathBuf>,
    pub(crate) rotation: Rotation,
    pub(crate) sinks: Vec<Arc<dyn EventSink>>,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) trusted_roots: Option<TrustedRoots>,
    pub(crate) provider: Option<Arc<CryptoProvider>>,
    pub(crate) profile: RetryProfile,
    pub(crate) scheduler: SchedulerOptions,
    pub(crate) rate_limits: Vec<(NextHopDomain, RateLimit)>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) private_addresses: bool,
    pub(crate) suspend_delivery: bool,
}

/// Where custody lies.
pub(crate) enum SpoolPlace {
    /// In memory: gone with the process.
    Memory,
    /// In a folder of its own.
    Folder(PathBuf, SegLogOptions),
    /// In a store that the caller brought.
    Given(Arc<dyn Spool>),
}

impl TransportBuilder {
    /// A transport of the host `name`: what greetings, EHLO, trace fields and reports say.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.parse(),
            parts: Parts {
                configuration: None,
                service_limits: None,
                accepted_domains: Vec::new(),
                receive_connectors: Vec::new(),
                send_connectors: Vec::new(),
                agents: HashMap::new(),
                receive_agents: Vec::new(),
                routing_agents: Vec::new(),
                directory: None,
                authenticator: None,
                secrets: None,
                resolver: None,
                spool: SpoolPlace::Memory,
                log_folder: None,
                rotation: Rotation::default(),
                sinks: Vec::new(),
                certificate: None,
                trusted_roots: None,
                provider: None,
                profile: RetryProfile::default(),
                scheduler: SchedulerOptions::default(),
                rate_limits: Vec::new(),
                clock: Arc::new(SystemClock),
                private_addresses: false,
                suspend_delivery: false,
            },
        }
    }

    /// Begins with a whole configuration, such as one that a file holds. Its server name takes the
    /// place of the builder's; domains and connectors given beside it come in addition.
    pub fn configuration(mut self, configuration: Configuration) -> Self {
        self.name = Ok(configuration.server_name.clone());
        self.parts.configuration = Some(configuration);
        self
    }

    /// Limits of all connectors together.
    pub fn service_limits(mut self, limits: ServiceLimits) -> Self {
        self.parts.service_limits = Some(limits);
        self
    }

    /// Takes mail for a domain.
    pub fn accepted_domain(mut self, domain: AcceptedDomain) -> Self {
        self.parts.accepted_domains.push(domain);
        self
    }

    /// Takes mail at an address.
    pub fn receive_connector(mut self, connector: ReceiveConnector) -> Self {
        self.parts.receive_connectors.push(connector);
        self
    }

    /// Sends mail for an address space.
    pub fn send_connector(mut self, connector: SendConnector) -> Self {
        self.parts.send_connectors.push(connector);
        self
    }

    /// Delivers mail for `domains` by an agent of the program. `name` stands in queues and logs.
    pub fn delivery_agent<D: AsRef<str>>(
        mut self,
        name: &str,
        domains: impl IntoIterator<Item = D>,
        agent: impl DeliveryAgent,
    ) -> Self {
        let domains = domains.into_iter().map(|domain| domain.as_ref().to_owned()).collect();
        self.parts.agents.insert(name.to_owned(), (domains, Arc::new(agent)));
        self
    }

    /// Asks `agent` about the steps of sessions that it wants to hear of. Agents with the same
    /// priority are asked in the order in which they are given.
    pub fn receive_agent(mut self, settings: AgentSettings, agent: impl ReceiveAgent) -> Self {
        self.parts.receive_agents.push((settings, Arc::new(agent)));
        self
    }

    /// Asks `agent` about messages on their way through the categorizer.
    pub fn routing_agent(mut self, settings: AgentSettings, agent: impl RoutingAgent) -> Self {
        self.parts.routing_agents.push((settings, Arc::new(agent)));
        self
    }

    /// Asks `directory` for every recipient of an authoritative domain. Without one, every
    /// local-part is taken.
    pub fn directory(mut self, directory: impl Directory) -> Self {
        self.parts.directory = Some(Arc::new(directory));
        self
    }

    /// Asks `secrets` for the passwords that send connectors name
    /// ([`SmartHostAuth`](transom_connector::SmartHostAuth)).
    pub fn secrets(mut self, secrets: impl SecretStore) -> Self {
        self.parts.secrets = Some(Arc::new(secrets));
        self
    }

    /// Asks `authenticator` whether clients are who they say. AUTH is offered in TLS alone, at
    /// connectors that give rights to authenticated sessions
    /// ([`Permissions::authenticated`](transom_connector::Permissions::authenticated)).
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.parts.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Asks `resolver` instead of the name servers that the system names.
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.parts.resolver = Some(Arc::new(resolver));
        self
    }

    /// Keeps mail in `folder`, which belongs to this transport alone. Without a spool mail is
    /// kept in memory and is gone with the process.
    pub fn spool(self, folder: impl Into<PathBuf>) -> Self {
        self.spool_with(folder, SegLogOptions::default())
    }

    /// Keeps mail in `folder`, with other sizes than the default ones.
    pub fn spool_with(mut self, folder: impl Into<PathBuf>, options: SegLogOptions) -> Self {
        self.parts.spool = SpoolPlace::Folder(folder.into(), options);
        self
    }

    /// Keeps mail in a store of the caller's.
    pub fn store(mut self, spool: Arc<dyn Spool>) -> Self {
        self.parts.spool = SpoolPlace::Given(spool);
        self
    }

    /// Writes the message tracking log into `folder`.
    pub fn tracking_log(mut self, folder: impl Into<PathBuf>) -> Self {
        self.parts.log_folder = Some(folder.into());
        self
    }

    /// Sizes and ages of the message tracking log.
    pub fn tracking_log_rotation(mut self, rotation: Rotation) -> Self {
        self.parts.rotation = rotation;
        self
    }

    /// Gives every event to `sink`, after what it tells is durable.
    pub fn event_sink(mut self, sink: impl EventSink) -> Self {
        self.parts.sinks.push(Arc::new(sink));
        self
    }

    /// The certificate for STARTTLS and implicit TLS. Without one, connectors that would offer TLS
    /// do not, and ones that demand it keep the transport from starting.
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.parts.certificate = Some(certificate);
        self
    }

    /// Whom certificates of peers must be signed by, for what depends on who the peer is: clients
    /// that show one at connectors with
    /// [`partner_domains`](transom_connector::ReceiveConnector::partner_domains) or
    /// [`server_domains`](transom_connector::ReceiveConnector::server_domains).
    pub fn trusted_roots(mut self, roots: TrustedRoots) -> Self {
        self.parts.trusted_roots = Some(roots);
        self
    }

    /// The cryptography for TLS, instead of the one that was built in.
    pub fn crypto_provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.parts.provider = Some(provider);
        self
    }

    /// When to try again and when to give up; [`RetryProfile::exchange`] unless set.
    pub fn retry_profile(mut self, profile: RetryProfile) -> Self {
        self.parts.profile = profile;
        self
    }

    /// How many attempts are under way at the same time, of all queues and of each, and how many
    /// may begin in a time. Its profile and its seed are not used: the former is
    /// [`retry_profile`](Self::retry_profile).
    pub fn scheduler_options(mut self, options: SchedulerOptions) -> Self {
        self.parts.scheduler = options;
        self
    }

    /// Lets no more than so many attempts to a destination begin in a time, whatever the options of
    /// the scheduler say of all. The destination is what queues are named by: the recipients'
    /// domain, the smart hosts as the connector lists them, or the delivery agent.
    pub fn rate_limit(mut self, destination: &str, limit: RateLimit) -> Self {
        self.parts.rate_limits.push((NextHopDomain::new(destination), limit));
        self
    }

    /// Another clock than the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.parts.clock = Arc::new(clock);
        self
    }

    /// Sends to loopback and private addresses that the DNS names, which lets the owner of any
    /// domain make this host talk to its inner network. For tests, and for networks that are
    /// inner altogether. Smart hosts may have such addresses always.
    pub fn danger_accept_private_addresses(mut self, accept: bool) -> Self {
        self.parts.private_addresses = accept;
        self
    }

    /// Takes mail and delivers none until [`Transport::resume_delivery`].
    pub fn suspend_delivery(mut self, suspend: bool) -> Self {
        self.parts.suspend_delivery = suspend;
        self
    }

    /// Starts the transport. Must be called inside a tokio runtime with I/O and time.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: when the future is dropped, what had started stops in the background.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what keeps it from starting; nothing runs and nothing was changed then,
    /// but that a spool may have been made.
    pub async fn start(self) -> Result<Transport, StartError> {
        start::start(self).await
    }

    /// The configuration of what was given.
    pub(crate) fn gather(&mut self) -> Result<Configuration, StartError> {
        let name = self.name.clone().map_err(StartError::Name)?;
        let parts = &mut self.parts;
        let given = parts.configuration.take();
        let mut configuration = given.unwrap_or_else(|| Configuration::new(name));
        if let Some(limits) = parts.service_limits.take() {
            configuration = configuration.with_service_limits(limits);
        }
        for domain in parts.accepted_domains.drain(..) {
            configuration = configuration.with_accepted_domain(domain);
        }
        for connector in parts.receive_connectors.drain(..) {
            configuration = configuration.with_receive_connector(connector);
        }
        for connector in parts.send_connectors.drain(..) {
            configuration = configuration.with_send_connector(connector);
        }
        for (name, (domains, _)) in &parts.agents {
            let with = configuration.with_delivery_agent(name, domains);
            configuration =
                with.map_err(|error| StartError::AgentDomain { agent: name.clone(), error })?;
        }
        Ok(configuration)
    }
}

impl fmt::Debug for TransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

fn one_line(findings: &[Finding]) -> String {
    let told = findings.iter().map(|finding| format!("{}: {}", finding.place, finding.problem));
    told.collect::<Vec<_>>().join("; ")
}

/// Why a transport does not start. Each is one line that names the thing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A domain of a delivery agent is none.
    #[error("delivery agent \"{agent}\": {error}")]
    AgentDomain {
        /// The agent.
        agent: String,
        /// What is wrong.
        error: transom_connector::ParseAddressSpaceError,
    },
    /// An agent cannot be taken.
    #[error(transparent)]
    Agents(#[from] BuildAgentsError),
    /// A socket cannot listen.
    #[error("cannot listen at {address}: {error}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// Parts of the configuration do not fit together.
    #[error(transparent)]
    Configuration(#[from] ConfigurationErrors),
    /// Lint finds errors: mail would be lost, loop, or be relayed for anybody.
    #[error("{}", one_line(.0))]
    Lint(Vec<Finding>),
    /// The folder of the log cannot be used.
    #[error("cannot write the log in {}: {error}", folder.display())]
    Log {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The host's name is no domain.
    #[error("the host's name is no domain: {0}")]
    Name(#[source] ParseDomainError),
    /// A connector demands TLS, and there is no certificate.
    #[error("receive connector \"{connector}\" demands TLS, and there is no certificate")]
    NoCertificate {
        /// The connector.
        connector: String,
    },
    /// A connector names a password, and there is no store of secrets.
    #[error("send connector \"{connector}\" names a password, and there is no store of secrets")]
    NoSecrets {
        /// The connector.
        connector: String,
    },
    /// A connector names peers by their certificates, and nobody says whose signature counts.
    #[error("receive connector \"{connector}\" names hosts by certificate, and no root is trusted")]
    NoTrustedRoots {
        /// The connector.
        connector: String,
    },
    /// `postmaster` at the default domain is no mailbox.
    #[error("reports cannot be signed: {0}")]
    Postmaster(#[source] ParseMailboxError),
    /// The system's name servers cannot be found out.
    #[error("cannot use the system's name servers: {0}")]
    Resolver(String),
    /// The spool cannot be opened.
    #[error(transparent)]
    Spool(#[from] OpenError),
    /// The spool cannot be read.
    #[error("the spool cannot be read: {0}")]
    SpoolRead(#[source] StoreError),
    /// A connector wants certificates validated, which is not done yet. To send without would
    /// break what it promises.
    #[error("send connector \"{connector}\" validates certificates, which is not done yet")]
    TlsAuthLevel {
        /// The connector.
        connector: String,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}
