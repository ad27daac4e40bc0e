//! ARC (RFC 8617): what did those say who handed the message on?

mod verdict;

pub use verdict::{ArcInstance, ArcProblem, ArcResult, ArcVerdict};
