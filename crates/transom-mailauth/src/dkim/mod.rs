//! DKIM (RFC 6376, RFC 8301, RFC 8463): does a domain answer for this content?

mod verdict;

pub use verdict::{DkimAlgorithm, DkimProblem, DkimResult, DkimVerdict};
