//! Another configuration, while mail flows.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use transom_connector::Configuration;

use crate::builder::StartError;
use crate::lint;
use crate::start;
use crate::transport::Transport;

impl Transport {
    /// Puts another configuration in force and gives the addresses that are listened at now, in
    /// the order of the bindings. What the builder got beside it, such as agents, certificate and
    /// spool, stays.
    ///
    /// Sessions under way end under the configuration that they began with; the next ones begin
    /// with the new one. New bindings are opened before anything changes, vanished ones are closed
    /// then, and those in both go on without a gap. Mail that waits in a queue stays there; what is
    /// routed from now on is routed anew.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it happens or it does not.
    ///
    /// # Errors
    ///
    /// [`ReloadError`]; all is as it was then.
    pub async fn reload(
        &self,
        mut configuration: Configuration,
    ) -> Result<Vec<SocketAddr>, ReloadError> {
        let core = &self.core;
        for (name, domains) in &core.agent_domains {
            let with = configuration.with_delivery_agent(name, domains);
            configuration =
                with.map_err(|error| StartError::AgentDomain { agent: name.clone(), error })?;
        }
        let config = configuration.check().map_err(StartError::Configuration)?;
        let mut listeners = core.listeners.lock().await;
        if *config.server_name() != *core.config().server_name() {
            let (before, now) = (core.config(), config.server_name().to_string());
            return Err(ReloadError::ServerName { before: before.server_name().to_string(), now });
        }
        start::check(&config, core.tls.may_accept(), core.tls.may_judge(), core.secrets.is_some())?;
        let host = lint::Host {
            agents: core.agents.keys().map(String::as_str).collect(),
            authenticates: core.authentication.is_some(),
            has_certificate: core.tls.may_accept(),
            has_directory: core.directory.is_some(),
        };
        lint::check(&config, host)?;
        if start::asks_dns(&config) && !core.has_resolver {
            return Err(ReloadError::NoResolver);
        }
        let bindings = config.listen_addresses();
        let opened = listeners.open(&bindings);
        let opened = opened.map_err(|(address, error)| StartError::Bind { address, error })?;
        core.smart_hosts.reload(&config);
        *core.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        let addresses = listeners.serve(core, &bindings, opened);
        let identity = start::identity(&core.config(), &addresses, core.private_addresses);
        *core.identity.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(identity);
        Ok(addresses)
    }
}

/// Why a configuration cannot take the place of another.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The transport could not have started with it either.
    #[error(transparent)]
    Invalid(#[from] StartError),
    /// It asks the DNS, which no connector did at the start and for which no resolver was given.
    #[error("a connector asks the DNS, and the transport started without a resolver")]
    NoResolver,
    /// Queues, ids and reports bear the server's name.
    #[error("the server's name is {before} and cannot become {now} without a restart")]
    ServerName {
        /// As it is.
        before: String,
        /// As it was to be.
        now: String,
    },
}
