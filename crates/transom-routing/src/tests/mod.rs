//! Tests of the way of a recipient, by step.

mod addresses;
mod categorizer;
mod plan;
mod selection;

use transom_types::Domain;

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}
