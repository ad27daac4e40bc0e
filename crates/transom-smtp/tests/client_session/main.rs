//! The client session against scripted peers.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests, which end a test by panicking"
)]

mod dialogs;
mod extensions;
mod firewall;
mod lmtp;
mod peer;
mod properties;
mod stages;
mod steps;
mod wire;
