//! What the check of a configuration refuses, as findings.

use super::{Finding, LintObject, LintPlace, LintRule};
use crate::{ConfigurationError, ConfigurationErrors};

impl ConfigurationErrors {
    /// The same as findings, for one list of all that is wrong.
    pub fn findings(&self) -> Vec<Finding> {
        self.iter().map(finding).collect()
    }
}

fn finding(error: &ConfigurationError) -> Finding {
    let (rule, advice) = advice(error);
    Finding::error(rule, place(error), error.to_string(), advice)
}

fn advice(error: &ConfigurationError) -> (LintRule, &'static str) {
    match error {
        ConfigurationError::DuplicateAcceptedDomain { .. }
        | ConfigurationError::DuplicateRemoteDomain { .. } => {
            (LintRule::Duplicate, "leave one of the two out")
        }
        ConfigurationError::DuplicateReceiveConnector { .. }
        | ConfigurationError::DuplicateSendConnector { .. }
        | ConfigurationError::DuplicateServer { .. } => {
            (LintRule::Duplicate, "give one of the two another name, or leave it out")
        }
        ConfigurationError::RangesOverlap { .. } => (
            LintRule::RangesOverlap,
            "let the ranges be apart, or one inside the other, which then wins",
        ),
        ConfigurationError::SameRange { .. } => (
            LintRule::SameRange,
            "make one of the ranges narrower, or bind one connector elsewhere",
        ),
        ConfigurationError::TrustsEverybody { .. } => {
            (LintRule::TrustsEverybody, "list the addresses of the front ends alone")
        }
        _ => (LintRule::Invalid, "set what is named there to a value that fits the rest"),
    }
}

fn place(error: &ConfigurationError) -> LintPlace {
    use LintObject as Object;
    let receive = |name, field| LintPlace::new(Object::ReceiveConnector, name, field);
    let send = |name, field| LintPlace::new(Object::SendConnector, name, field);
    match error {
        ConfigurationError::Directory { directory, .. } => {
            LintPlace::new(Object::Configuration, &"", directory)
        }
        ConfigurationError::DuplicateAcceptedDomain { domain } => {
            LintPlace::new(Object::AcceptedDomain, domain, "domain")
        }
        ConfigurationError::DuplicateReceiveConnector { name } => receive(name, "name"),
        ConfigurationError::DuplicateSendConnector { name } => send(name, "name"),
        ConfigurationError::DuplicateServer { .. } => {
            LintPlace::new(Object::Configuration, &"", "servers")
        }
        ConfigurationError::DuplicateRemoteDomain { domain }
        | ConfigurationError::RemoteDomainAccepted { domain } => {
            LintPlace::new(Object::RemoteDomain, domain, "pattern")
        }
        ConfigurationError::IdleAboveSession { name } => receive(name, "limits"),
        ConfigurationError::LmtpAtPort25 { name } => receive(name, "protocol"),
        ConfigurationError::NoAddressSpace { name } => send(name, "address_spaces"),
        ConfigurationError::NoBinding { name } => receive(name, "bindings"),
        ConfigurationError::NoHostName { .. } => LintPlace::new(Object::Configuration, &"", "fqdn"),
        ConfigurationError::NoRemoteRange { name } => receive(name, "remote_ranges"),
        ConfigurationError::NoSmartHost { name } => send(name, "delivery"),
        ConfigurationError::RangesOverlap { names, .. }
        | ConfigurationError::SameRange { names, .. } => receive(&names.0, "remote_ranges"),
        ConfigurationError::ReceiveConnector { name, .. } => receive(name, ""),
        ConfigurationError::SendConnector { name, .. } => send(name, ""),
        ConfigurationError::TrustsEverybody { name, list, .. } => {
            let xclient = list == "XCLIENT";
            receive(name, if xclient { "xclient_networks" } else { "proxy_networks" })
        }
    }
}
