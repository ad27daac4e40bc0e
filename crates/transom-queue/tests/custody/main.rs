//! Custody: what was acknowledged is there after any crash, and what has ended stays ended.
//!
//! A model of what the store must hold runs beside it (`model`, `ledger`). P1 to P8 in the names
//! and comments here are the invariants of the store's design.
//!
//! What runs when:
//!
//! | test | always | with `TRANSOM_CUSTODY=full` |
//! |---|---|---|
//! | crash at every operation of the workload | each operation, kill and power cut in turn | both |
//! | crash at every operation of a history | both up to 100 operations, else in turn | both |
//! | every subset of what no sync covers | up to 9 things, else 64 samples | up to 12 |
//! | histories with seeds | a part of the seeds | all |
//!
//! `TRANSOM_CRASH_SEEDS` gives the workload more seeds, `TRANSOM_CRASH_STRIDE` wider steps.
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
