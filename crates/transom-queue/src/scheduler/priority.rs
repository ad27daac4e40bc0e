//! How urgent a message is.

use std::fmt;

/// How urgent a message is. When places are short, a cycle of 31 attempts goes to the priorities
/// as 16 : 8 : 4 : 2 : 1, so that none starves; an attempt that a priority has no use for goes to
/// the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "each has its weight")]
pub enum Priority {
    /// What the mail system says on its own behalf.
    System,
    /// Exchange's High.
    High,
    /// Exchange's Normal: what is not marked.
    #[default]
    Normal,
    /// Exchange's Low.
    Low,
    /// Mail to many that nobody waits for.
    Bulk,
}

impl Priority {
    /// All, the most urgent first.
    pub const ALL: [Self; 5] = [Self::System, Self::High, Self::Normal, Self::Low, Self::Bulk];

    /// Attempts of a cycle that it can have for itself.
    pub const fn weight(self) -> u32 {
        match self {
            Self::System => 16,
            Self::High => 8,
            Self::Normal => 4,
            Self::Low => 2,
            Self::Bulk => 1,
        }
    }

    /// Its place in [`Self::ALL`].
    pub(super) const fn rank(self) -> usize {
        match self {
            Self::System => 0,
            Self::High => 1,
            Self::Normal => 2,
            Self::Low => 3,
            Self::Bulk => 4,
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::High => "High",
            Self::Normal => "Normal",
            Self::Low => "Low",
            Self::Bulk => "Bulk",
        })
    }
}
