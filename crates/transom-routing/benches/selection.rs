//! Question: what does it cost to choose the send connector of a recipient among 10,000 address
//! spaces, and among 10?
//!
//! `cargo bench -p transom-routing --bench selection`
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench may panic on its own input")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use transom_connector::{AddressSpace, CheckedConfiguration, Configuration, SendConnector};
use transom_routing::{Selection, select_connector};
use transom_types::Domain;

/// So many address spaces, ten a connector, half of them `*.x`; and one connector for `*`.
fn configuration(spaces: usize) -> CheckedConfiguration {
    let space = |at: usize| -> AddressSpace {
        let wildcard = if at.is_multiple_of(2) { "*." } else { "" };
        format!("{wildcard}d{at}.example;{}", at % 100 + 1).parse().unwrap()
    };
    let connectors = (0..spaces / 10).map(|connector| {
        let own = (0..10).map(|at| space(connector * 10 + at)).collect();
        SendConnector::internet().with_name(&format!("c{connector}")).with_address_spaces(own)
    });
    connectors
        .fold(Configuration::new("mx1.contoso.com".parse().unwrap()), |all, connector| {
            all.with_send_connector(connector)
        })
        .with_send_connector(SendConnector::internet())
        .check()
        .unwrap()
}

fn choose(c: &mut Criterion) {
    let mut group = c.benchmark_group("routing/select_connector");
    group.throughput(Throughput::Elements(1));
    for spaces in [10, 10_000] {
        let configuration = configuration(spaces);
        for (kind, domain) in
            [("exact", "d7.example"), ("below", "mail.eu.d8.example"), ("any", "fabrikam.com")]
        {
            let domain: Domain = domain.parse().unwrap();
            let chosen = select_connector(&configuration, &domain, 1);
            assert!(matches!(chosen, Selection::Chosen(_)), "{chosen:?}");
            group.bench_function(format!("{spaces} spaces/{kind}"), |bench| {
                bench.iter(|| {
                    select_connector(black_box(&configuration), black_box(&domain), 2_000)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, choose);
criterion_main!(benches);
