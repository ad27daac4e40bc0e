//! How long does it take to find the connector of a peer among 100,000 remote ranges?
//!
//! `cargo bench -p transom-connector --bench select`
#![allow(clippy::unwrap_used, reason = "a bench may panic on its own input")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use transom_connector::{CheckedConfiguration, Configuration, ReceiveConnector};

/// One connector for everybody, and `count` others with one IPv4 and one IPv6 range each, one
/// inside another and side by side.
fn configuration(count: u32) -> CheckedConfiguration {
    let binding: SocketAddr = "0.0.0.0:25".parse().unwrap();
    let mut all = Configuration::new("mx1.contoso.com".parse().unwrap())
        .with_receive_connector(ReceiveConnector::internet(binding));
    for at in 0..count {
        let length = 20 + at % 3 * 4;
        let network = Ipv4Addr::from_bits((at / 3) << 12);
        let prefix = Ipv6Addr::from_bits(u128::from(at) << 80);
        let ranges = vec![
            format!("{network}/{length}").parse().unwrap(),
            format!("{prefix}/48").parse().unwrap(),
        ];
        let connector = ReceiveConnector::relay(binding, ranges).with_name(&at.to_string());
        all = all.with_receive_connector(connector);
    }
    all.check().unwrap()
}

/// Peers that are everywhere, the same ones each time.
fn peers() -> Vec<IpAddr> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    let v4 = |n: u64| IpAddr::from(Ipv4Addr::from_bits(u32::try_from(n % (1 << 28)).unwrap()));
    let v6 = |n: u64| IpAddr::from(Ipv6Addr::from_bits(u128::from(n % 50_000) << 80));
    (0..1_024).map(|at| if at % 4 == 0 { v6(next()) } else { v4(next()) }).collect()
}

fn select(criterion: &mut Criterion) {
    let (checked, peers) = (configuration(50_000), peers());
    let local = "192.0.2.25:25".parse().unwrap();
    let mut group = criterion.benchmark_group("connector/select");
    group.throughput(Throughput::Elements(1));
    let mut at = peers.iter().cycle();
    group.bench_function("receive_of_100000_ranges", |bencher| {
        bencher.iter(|| {
            let peer = *at.next().unwrap();
            checked.select_receive(black_box(local), black_box(peer)).map(|found| &found.name)
        });
    });
    group.finish();
}

criterion_group!(benches, select);
criterion_main!(benches);
