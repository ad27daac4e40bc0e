//! ARC (RFC 8617): what did those find who handed the message on?
//!
//! The content is read by [`AuthenticationScan`](crate::dkim::AuthenticationScan), together with
//! its signatures; the same keys serve both.

mod chain;
mod seal;
#[cfg(test)]
mod tests;
mod verdict;

pub use chain::{SETS_MAX, verify};
pub use seal::ArcSealer;
pub use verdict::{ArcInstance, ArcProblem, ArcResult, ArcVerdict};

pub(crate) use chain::Chain;
