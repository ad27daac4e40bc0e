//! Custody: what was acknowledged is there after any crash, and what has ended stays ended.
//!
//! A model of what the store must hold runs beside it (`model`, `ledger`). P1 to P8 in the names
//! and comments here are the invariants of the store's design.

mod ledger;
mod memory;
mod model;
mod workload;
