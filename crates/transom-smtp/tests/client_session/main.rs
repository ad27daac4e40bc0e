//! The client session against scripted peers.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests, which end a test by panicking"
)]

mod dialogs;
mod peer;
mod properties;
mod stages;
