//! Tests of the way of a recipient, by step.

mod addresses;
mod categorizer;
mod explain;
mod plan;
mod selection;
mod smart_hosts;

use transom_types::Domain;

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}
