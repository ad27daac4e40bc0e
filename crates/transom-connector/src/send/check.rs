//! Whether a send connector fits together.

use transom_types::Domain;

use super::{ErrorCode, SendConnector, SendDelivery, SendTls, SmartHostAuth, TlsAuthLevel};
use crate::{Configuration, ConfigurationError};

/// One thing that is wrong with a send connector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendConnectorError {
    /// Smart hosts are told who we are, and there is no smart host.
    #[error("it says at smart hosts who it is and delivers to none")]
    AuthWithoutSmartHosts,
    /// A password is for TLS alone, and TLS is never used.
    #[error("its password goes through TLS alone, and it never uses TLS")]
    AuthWithoutTls,
    /// An error policy makes a failure into what it is already.
    #[error("its error policies list {code}, which is not of the class that they change")]
    CodeClass {
        /// The code.
        code: ErrorCode,
    },
    /// It has a name for certificates and does not look at them.
    #[error("it has a TLS domain and does not validate domains")]
    IdleTlsDomain,
    /// The user or the name of the secret is empty.
    #[error("its credential has no user or no name of a secret")]
    NoCredential,
    /// The drop directory has no path.
    #[error("its drop directory has no path")]
    NoDropDirectory,
    /// Its port is 0.
    #[error("its port is 0")]
    NoPort,
    /// The smart host's certificate is to have a name, and nobody says which.
    #[error("it validates the domain of smart hosts and has no TLS domain")]
    NoTlsDomain,
    /// Certificates are looked at where they may be missing.
    #[error("it looks at certificates and does not require TLS")]
    TlsLevelWithoutTls,
    /// Two source addresses are of one family.
    #[error("it has two source addresses of one family")]
    TwoSourceAddresses,
    /// One of its source servers is neither this server nor one of the others.
    #[error("its source server {server} is unknown")]
    UnknownSourceServer {
        /// The server.
        server: Domain,
    },
}

pub(crate) fn check_send_connectors(
    configuration: &Configuration,
    errors: &mut Vec<ConfigurationError>,
) {
    let connectors = &configuration.send_connectors;
    let mut names: Vec<_> = connectors.iter().map(|connector| &connector.name).collect();
    names.sort();
    for pair in names.windows(2) {
        if let [one, other] = pair
            && one == other
        {
            let name = (*one).clone();
            errors.push(ConfigurationError::DuplicateSendConnector { name });
        }
    }
    for connector in connectors {
        let name = || connector.name.clone();
        if connector.address_spaces.is_empty() {
            errors.push(ConfigurationError::NoAddressSpace { name: name() });
        }
        if matches!(&connector.delivery, SendDelivery::SmartHosts(hosts) if hosts.is_empty()) {
            errors.push(ConfigurationError::NoSmartHost { name: name() });
        }
        let mut found = Vec::new();
        check_delivery(connector, &mut found);
        check_tls(connector, &mut found);
        check_policies(connector, &mut found);
        check_servers(configuration, connector, &mut found);
        errors.extend(
            found
                .into_iter()
                .map(|error| ConfigurationError::SendConnector { name: name(), error }),
        );
    }
}

fn check_delivery(connector: &SendConnector, found: &mut Vec<SendConnectorError>) {
    let to_smart_hosts = matches!(connector.delivery, SendDelivery::SmartHosts(_));
    if connector.smart_host_auth != SmartHostAuth::None && !to_smart_hosts {
        found.push(SendConnectorError::AuthWithoutSmartHosts);
    }
    let credential = connector.smart_host_auth.credential();
    if credential.is_some_and(|one| one.user.is_empty() || one.secret.is_empty()) {
        found.push(SendConnectorError::NoCredential);
    }
    let path = match &connector.delivery {
        SendDelivery::Drop(directory) => Some(&directory.path),
        _ => None,
    };
    if path.is_some_and(|path| path.as_os_str().is_empty()) {
        found.push(SendConnectorError::NoDropDirectory);
    }
    if connector.port == 0 {
        found.push(SendConnectorError::NoPort);
    }
    let v4 = connector.source_addresses.iter().filter(|address| address.is_ipv4()).count();
    if v4 > 1 || connector.source_addresses.len().saturating_sub(v4) > 1 {
        found.push(SendConnectorError::TwoSourceAddresses);
    }
}

fn check_tls(connector: &SendConnector, found: &mut Vec<SendConnectorError>) {
    let level = connector.tls_auth_level;
    if level != TlsAuthLevel::EncryptionOnly && connector.tls != SendTls::Required {
        found.push(SendConnectorError::TlsLevelWithoutTls);
    }
    let needs_tls = matches!(connector.smart_host_auth, SmartHostAuth::BasicRequireTls(_));
    if needs_tls && connector.tls == SendTls::Never {
        found.push(SendConnectorError::AuthWithoutTls);
    }
    let validates = level == TlsAuthLevel::DomainValidation;
    let to_smart_hosts = matches!(connector.delivery, SendDelivery::SmartHosts(_));
    match connector.tls_domain {
        Some(_) if !validates => found.push(SendConnectorError::IdleTlsDomain),
        None if validates && to_smart_hosts => found.push(SendConnectorError::NoTlsDomain),
        _ => {}
    }
}

fn check_policies(connector: &SendConnector, found: &mut Vec<SendConnectorError>) {
    let policies = &connector.error_policies;
    let not_permanent = policies.downgrade.iter().filter(|code| !code.is_permanent());
    let not_transient = policies.upgrade.iter().filter(|code| !code.is_transient());
    let wrong = not_permanent.chain(not_transient).copied();
    found.extend(wrong.map(|code| SendConnectorError::CodeClass { code }));
}

fn check_servers(
    configuration: &Configuration,
    connector: &SendConnector,
    found: &mut Vec<SendConnectorError>,
) {
    let known = |server: &Domain| {
        *server == configuration.server_name
            || configuration.servers.iter().any(|other| other.name == *server)
    };
    let unknown = connector.source_servers.iter().filter(|server| !known(server));
    found.extend(
        unknown.map(|server| SendConnectorError::UnknownSourceServer { server: server.clone() }),
    );
}
