//! How long the disk takes to make a batch durable, as a level.

use std::time::Duration;

use crate::spool::LatencyLevel;

/// A sync takes so long on average that senders feel it.
const SLOW: Duration = Duration::from_millis(250);
/// So long that mail comes in faster than it can be taken.
const STALLED: Duration = Duration::from_secs(1);
/// A level is entered when so many intervals in a row ask for it: one slow sync says nothing.
const DEPTH: u8 = 3;

/// Syncs of the interval that runs, and the level of those before.
#[derive(Debug, Default)]
pub(super) struct Latency {
    sum: Duration,
    count: u32,
    level: LatencyLevel,
    /// Intervals in a row that asked for a higher level.
    above: u8,
}

impl Latency {
    /// A sync took so long.
    pub(super) fn note(&mut self, took: Duration) {
        self.sum = self.sum.saturating_add(took);
        self.count = self.count.saturating_add(1);
    }

    /// An interval ends. The level is left one by one, and only when the average is below half of
    /// where it begins, or when nothing was written at all: then somebody must try.
    pub(super) fn end_interval(&mut self) -> LatencyLevel {
        let average = self.sum.checked_div(self.count);
        (self.sum, self.count) = (Duration::ZERO, 0);
        let asked = average.map_or(LatencyLevel::Normal, level_of);
        if asked > self.level {
            self.above = self.above.saturating_add(1);
            if self.above >= DEPTH {
                (self.level, self.above) = (asked, 0);
            }
            return self.level;
        }
        self.above = 0;
        let half = average.map_or(LatencyLevel::Normal, |average| level_of(average * 2));
        if half < self.level {
            self.level = match self.level {
                LatencyLevel::Stalled => LatencyLevel::Slow,
                _ => LatencyLevel::Normal,
            };
        }
        self.level
    }
}

fn level_of(average: Duration) -> LatencyLevel {
    if average >= STALLED {
        LatencyLevel::Stalled
    } else if average >= SLOW {
        LatencyLevel::Slow
    } else {
        LatencyLevel::Normal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(latency: &mut Latency, millis: &[u64]) -> Vec<LatencyLevel> {
        let interval = |millis: &u64| {
            if *millis > 0 {
                latency.note(Duration::from_millis(*millis));
                latency.note(Duration::from_millis(*millis));
            }
            latency.end_interval()
        };
        millis.iter().map(interval).collect()
    }

    #[test]
    fn a_level_is_entered_after_three_intervals_and_left_at_half() {
        use LatencyLevel::{Normal, Slow, Stalled};
        let mut latency = Latency::default();
        assert_eq!(after(&mut latency, &[300, 300, 5, 300, 300]), [Normal; 5]);
        assert_eq!(after(&mut latency, &[300, 200, 125]), [Slow; 3]);
        assert_eq!(after(&mut latency, &[124]), [Normal]);
        assert_eq!(after(&mut latency, &[2_000, 2_000, 2_000]), [Normal, Normal, Stalled]);
        assert_eq!(after(&mut latency, &[600, 499, 10]), [Stalled, Slow, Normal]);
    }

    #[test]
    fn a_disk_that_nobody_writes_to_is_tried_again() {
        let mut latency = Latency::default();
        after(&mut latency, &[2_000; 3]);
        assert_eq!(after(&mut latency, &[0, 0]), [LatencyLevel::Slow, LatencyLevel::Normal]);
    }
}
