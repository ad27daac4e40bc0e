//! Support for tests of the spool and of other stores: a disk that forgets, and a suite that every
//! [`Spool`](crate::Spool) passes.
//!
//! [`SimFs`] is a file system in memory that knows which octets and which names would survive a
//! power cut, and lets a test cut the power. [`FakeSpace`] says how full a disk is.
//! [`conformance`] holds one store to the contract.

mod block_on;
pub mod conformance;
mod fake_space;
mod rng;
mod sample;
mod simfs;

pub use crate::seglog::replay_records;
pub use block_on::block_on;
pub use fake_space::FakeSpace;
pub use rng::Rng;
pub use sample::{sample_body, sample_deferred, sample_delivered, sample_failed, sample_message};
pub use simfs::{CrashKind, OpCounts, SimFs};
