//! What is asked for at every connection takes no memory, however many ranges there are.

use std::alloc::System;
use std::net::{IpAddr, Ipv4Addr};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use transom_connector::{Configuration, ReceiveConnector};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test alone, because all threads share the counts.
// A1
#[test]
fn selection_among_100_000_ranges_takes_no_memory() {
    let binding = "0.0.0.0:25".parse().unwrap();
    let ranges = |from: u32, to: u32| {
        (from..to).map(|at| IpAddr::from(Ipv4Addr::from_bits(at * 3)).into()).collect()
    };
    let mut all = Configuration::new("mx1.contoso.com".parse().unwrap())
        .with_receive_connector(ReceiveConnector::internet(binding));
    for at in 0..1_000 {
        let connector = ReceiveConnector::relay(binding, ranges(at * 100, at * 100 + 100));
        all = all.with_receive_connector(connector.with_name(&at.to_string()));
    }
    let checked = all.check().unwrap();
    let local = "192.0.2.25:25".parse().unwrap();
    let region = Region::new(ALLOCATOR);
    let mut relays = 0;
    for address in (0..300_000).step_by(10) {
        let peer = IpAddr::from(Ipv4Addr::from_bits(address));
        let found = checked.select_receive(local, peer).unwrap();
        relays += u32::from(found.remote_ranges.len() == 100);
        assert!(!checked.expects_proxy_header(local, peer));
    }
    let change = region.change();
    assert_eq!(relays, 10_000);
    assert_eq!((change.allocations, change.reallocations), (0, 0));
}
