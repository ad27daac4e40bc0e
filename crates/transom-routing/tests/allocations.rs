//! What is done for every recipient of every message takes no memory.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use transom_connector::{AcceptedDomain, AddressSpace, Configuration, SendConnector};
use transom_routing::{Selection, select_connector};
use transom_types::Domain;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_connector_is_chosen_among_ten_thousand_without_allocation() {
    let mut configuration = Configuration::new("mx1.contoso.com".parse().unwrap());
    for at in 0..10_000 {
        let space: AddressSpace = format!("*.d{at}.example").parse().unwrap();
        let connector = SendConnector::internet().with_name(&format!("c{at}"));
        configuration =
            configuration.with_send_connector(connector.with_address_spaces(vec![space]));
        let accepted = AcceptedDomain::internal_relay(&format!("a{at}.example")).unwrap();
        configuration = configuration.with_accepted_domain(accepted);
    }
    let configuration = configuration.check().unwrap();
    for (domain, expected) in
        [("x.y.d77.example", Some("c77")), ("d9999.example", Some("c9999")), ("a7.example", None)]
    {
        let domain: Domain = domain.parse().unwrap();
        let region = Region::new(ALLOCATOR);
        let selection = select_connector(&configuration, &domain, 1);
        let change = region.change();
        assert_eq!((change.allocations, change.reallocations), (0, 0), "{domain}");
        match selection {
            Selection::Chosen(candidate) => {
                assert_eq!(Some(candidate.connector.name.as_str()), expected);
            }
            _ => assert_eq!(expected, None),
        }
    }
}
