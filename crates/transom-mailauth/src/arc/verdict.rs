//! What is said of a chain.

use std::fmt;

use crate::dkim::{DkimProblem, DkimResult};

/// What became of the chain of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArcVerdict {
    /// The result.
    pub result: ArcResult,
    /// Why the chain is broken, or cannot be judged now.
    pub problem: Option<ArcProblem>,
    /// Who sealed, the first sealer first. Of a broken chain as much as could be read, and nothing
    /// of it may be trusted.
    pub instances: Vec<ArcInstance>,
}

impl ArcVerdict {
    /// Whether the chain holds.
    pub fn is_pass(&self) -> bool {
        self.result == ArcResult::Pass
    }

    /// Whether the chain says of itself that it is broken.
    pub(super) fn is_sealed_broken(&self) -> bool {
        matches!(self.problem, Some(ArcProblem::SealedBroken { .. }))
    }
}

/// One that handed the message on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArcInstance {
    /// The domain that sealed (`d=` of its ARC-Seal), in lower case.
    pub domain: String,
    /// With which of its keys (`s=`).
    pub selector: String,
    /// What it found: its ARC-Authentication-Results behind the instance, beginning with its
    /// authserv-id.
    pub results: String,
}

/// The results of RFC 8617 §4.4, and one for a key that cannot be had now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ArcResult {
    /// There is no chain.
    None,
    /// The chain holds.
    Pass,
    /// It is broken.
    Fail,
    /// A key cannot be had now.
    TempError,
}

impl ArcResult {
    /// The word of RFC 8601 §2.7. A chain has no word for trouble with the DNS (RFC 8617 §4.4 knows
    /// three), so [`Self::TempError`] is that of the other methods.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
        }
    }
}

impl fmt::Display for ArcResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArcProblem {
    /// More than fifty sets (RFC 8617 §4.2.1).
    #[error("more than {limit} sets")]
    TooLong {
        /// How many may be.
        limit: usize,
    },
    /// The header section is too large to be looked at.
    #[error("the header section is too large")]
    HeaderTooLarge,
    /// Fields whose instance cannot be read, is there twice, or is missing.
    #[error("the sets are not complete")]
    Structure,
    /// A seal says itself that the chain was broken before it.
    #[error("instance {instance} sealed a broken chain")]
    SealedBroken {
        /// Whose seal.
        instance: usize,
    },
    /// A field is not well formed, or does not verify.
    #[error("{field} of instance {instance}: {problem}")]
    Field {
        /// Its name.
        field: &'static str,
        /// Its instance.
        instance: usize,
        /// What is wrong.
        problem: DkimProblem,
    },
}

impl ArcProblem {
    /// Trouble with the DNS is temporary, all else breaks the chain.
    pub(super) fn result(&self) -> ArcResult {
        match self {
            Self::Field { problem, .. } if problem.result() == DkimResult::TempError => {
                ArcResult::TempError
            }
            _ => ArcResult::Fail,
        }
    }
}
