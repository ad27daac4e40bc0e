//! How the smart hosts of this transport do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use transom_connector::{CheckedConfiguration, SendDelivery};
use transom_routing::SmartHostPool;
use transom_types::ConnectorId;

/// A pool for every connector that delivers by smart hosts.
#[derive(Debug)]
pub(crate) struct SmartHosts(Mutex<HashMap<ConnectorId, SmartHostPool>>);

impl SmartHosts {
    pub(crate) fn new(config: &CheckedConfiguration) -> Self {
        Self(Mutex::new(pools_of(config)))
    }

    /// Begins anew for another configuration: places in a list of hosts mean others then.
    pub(crate) fn reload(&self, config: &CheckedConfiguration) {
        *self.pools() = pools_of(config);
    }

    /// In which order to try the hosts of a connector, by their places in its list.
    pub(super) fn order(&self, connector: &ConnectorId, now: Instant) -> Vec<usize> {
        self.pools().get_mut(connector).map(|pool| pool.order(now)).unwrap_or_default()
    }

    /// An attempt at a host begins.
    pub(super) fn begin(
        self: &Arc<Self>,
        connector: &ConnectorId,
        host: usize,
        now: Instant,
    ) -> SmartHostUse {
        if let Some(pool) = self.pools().get_mut(connector) {
            pool.begin(host, now);
        }
        SmartHostUse { all: Arc::clone(self), connector: connector.clone(), host }
    }

    /// A panic beside it breaks no count.
    fn pools(&self) -> MutexGuard<'_, HashMap<ConnectorId, SmartHostPool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pools_of(config: &CheckedConfiguration) -> HashMap<ConnectorId, SmartHostPool> {
    let pools = config.send_connectors().iter().filter_map(|connector| {
        let SendDelivery::SmartHosts(hosts) = &connector.delivery else { return None };
        let pool = SmartHostPool::new(connector.smart_host_order, hosts.len());
        Some((connector.name.clone(), pool))
    });
    pools.collect()
}

/// An attempt at a smart host; it ends when this is dropped.
pub(super) struct SmartHostUse {
    all: Arc<SmartHosts>,
    connector: ConnectorId,
    host: usize,
}

impl SmartHostUse {
    /// The host took the session.
    pub(super) fn opened(&self) {
        if let Some(pool) = self.all.pools().get_mut(&self.connector) {
            pool.opened(self.host);
        }
    }

    /// The host took no session.
    pub(super) fn failed(&self, now: Instant) {
        if let Some(pool) = self.all.pools().get_mut(&self.connector) {
            pool.failed(self.host, now);
        }
    }
}

impl Drop for SmartHostUse {
    fn drop(&mut self) {
        if let Some(pool) = self.all.pools().get_mut(&self.connector) {
            pool.end(self.host);
        }
    }
}
