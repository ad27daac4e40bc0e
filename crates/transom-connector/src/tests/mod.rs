//! Tests of configurations as a whole, and of the texts in them.

mod domains;
mod explain;
mod front_ends;
mod limits;
mod open_relay;
mod rates;
mod relations;
mod selection;
mod send;
mod texts;
mod validity;
mod verbs;

use std::net::{IpAddr, SocketAddr};

use transom_types::Domain;

use crate::{AcceptedDomain, CheckedConfiguration, Configuration, ReceiveConnector};

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn empty() -> Configuration {
    Configuration::new(domain("mx1.contoso.com"))
}

fn contoso() -> Configuration {
    let accepted = [
        AcceptedDomain::authoritative("contoso.com"),
        AcceptedDomain::internal_relay("*.contoso.com.example"),
        AcceptedDomain::external_relay("fabrikam.com"),
    ];
    accepted.into_iter().fold(empty(), |all, domain| all.with_accepted_domain(domain.unwrap()))
}

fn with(connectors: Vec<ReceiveConnector>) -> CheckedConfiguration {
    let all = connectors.into_iter().fold(contoso(), Configuration::with_receive_connector);
    all.check().unwrap()
}
