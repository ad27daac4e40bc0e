//! How a store says that it is.

/// How a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpoolHealth {
    /// It takes and gives; `level` tells how the disk is.
    Serving {
        /// Room on the disk.
        level: DiskLevel,
    },
    /// It takes nothing any more: a write or sync failed twice, or there was no room at all when it
    /// was opened. What it holds can be read.
    Failed {
        /// What failed.
        reason: String,
    },
}

/// Room on the disk, with hysteresis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DiskLevel {
    /// Enough.
    #[default]
    Normal,
    /// Free below min(10 %, 8 GiB): anonymous senders are put off.
    Medium,
    /// Free below min(4 %, 2 GiB): all senders are put off.
    High,
    /// Nothing is free: what was kept back is being used to write outcomes down.
    Critical,
}
