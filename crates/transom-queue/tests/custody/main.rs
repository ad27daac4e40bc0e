//! Custody: what was acknowledged is there after any crash, and what has ended stays ended.
//!
//! A model of what the store must hold runs beside it (`model`, `ledger`). P1 to P8 in the names
//! and comments here are the invariants of the store's design.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests fail by panic and print what they tried"
)]

mod corruption;
mod crash;
mod fixture;
mod full_disk;
mod histories;
mod inspection;
mod ledger;
mod machine;
mod memory;
mod model;
mod recycling;
mod sim;
mod workload;
