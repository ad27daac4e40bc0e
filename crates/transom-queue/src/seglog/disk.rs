//! How full the disk is.

use crate::io::Space;
use crate::spool::DiskLevel;

/// Beyond these, a share of the disk is more room than anybody needs.
const MEDIUM_OCTETS: u64 = 8 << 30;
const HIGH_OCTETS: u64 = 2 << 30;

/// The level, given the one before: a level is left only when a quarter more is free than where
/// it begins, so that it does not flicker.
pub(super) fn disk_level(space: Space, before: DiskLevel) -> DiskLevel {
    let medium = (space.total / 10).min(MEDIUM_OCTETS);
    let high = (space.total / 25).min(HIGH_OCTETS);
    let is_below = |limit: u64, level: DiskLevel| {
        let leave = if before >= level { limit / 4 } else { 0 };
        space.free < limit.saturating_add(leave)
    };
    if is_below(high, DiskLevel::High) {
        DiskLevel::High
    } else if is_below(medium, DiskLevel::Medium) {
        DiskLevel::Medium
    } else {
        DiskLevel::Normal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_small_disk_with_an_eighth_free_is_normal() {
        let space = Space { total: 8 * GIB, free: GIB };
        assert_eq!(disk_level(space, DiskLevel::Normal), DiskLevel::Normal);
    }

    #[test]
    fn levels_begin_at_a_share_of_the_disk_or_at_a_size_whichever_is_less() {
        for (total, free, level) in [
            (100 * GIB, 9 * GIB, DiskLevel::Normal),
            (100 * GIB, 8 * GIB - 1, DiskLevel::Medium),
            (100 * GIB, 2 * GIB - 1, DiskLevel::High),
            (10 * GIB, GIB - 1, DiskLevel::Medium),
            (10 * GIB, 10 * GIB / 25 - 1, DiskLevel::High),
            (0, 0, DiskLevel::Normal),
        ] {
            assert_eq!(disk_level(Space { total, free }, DiskLevel::Normal), level, "{free}");
        }
    }

    #[test]
    fn a_level_is_left_later_than_it_was_entered() {
        let space = |free| Space { total: 100 * GIB, free };
        assert_eq!(disk_level(space(9 * GIB), DiskLevel::Medium), DiskLevel::Medium);
        assert_eq!(disk_level(space(10 * GIB), DiskLevel::Medium), DiskLevel::Normal);
        assert_eq!(disk_level(space(2 * GIB), DiskLevel::High), DiskLevel::High);
        assert_eq!(disk_level(space(3 * GIB), DiskLevel::High), DiskLevel::Medium);
    }
}
