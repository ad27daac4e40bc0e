//! Every store of this crate passes the one suite.

use std::sync::Arc;

use transom_queue::MemorySpool;
use transom_queue::testing::conformance;

#[test]
fn memory_spool_keeps_the_contract() {
    conformance::check(&|| Arc::new(MemorySpool::default()));
}
