//! Time as the scheduler keeps it: four octets where an [`Instant`] has sixteen.

use std::time::{Duration, Instant, SystemTime};

/// The length of a tick, a sixteenth of a second. Nothing here needs finer times, and with these
/// a count of four octets lasts for eight years.
pub(super) const TICK: Duration = Duration::from_micros(62_500);

/// Ticks since the scheduler first heard the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Tick(pub(super) u32);

impl Tick {
    /// Behind all times.
    pub(super) const NEVER: Self = Self(u32::MAX);

    /// None for never.
    pub(super) fn some(self) -> Option<Self> {
        (self != Self::NEVER).then_some(self)
    }
}

/// Turns instants into ticks and back.
#[derive(Debug, Default)]
pub(super) struct Clock {
    begin: Option<Instant>,
    last: Option<Instant>,
}

impl Clock {
    /// Takes in the time. The first one is where the count begins.
    pub(super) fn now(&mut self, now: Instant) -> Tick {
        let begin = *self.begin.get_or_insert(now);
        self.last = self.last.max(Some(now));
        ticks(now.saturating_duration_since(begin))
    }

    /// The time that was heard last.
    pub(super) fn last(&self) -> Tick {
        ticks(self.age())
    }

    /// From the first time that was heard to the last.
    pub(super) fn age(&self) -> Duration {
        let since = self.last.zip(self.begin).map(|(now, begin)| now.duration_since(begin));
        since.unwrap_or_default()
    }

    /// The first tick that is not before `at`: what waits for it never comes early.
    pub(super) fn not_before(&self, at: Instant) -> Tick {
        let since = self.begin.map(|begin| at.saturating_duration_since(begin)).unwrap_or_default();
        // One nanosecond less than a tick carries everything but a whole tick to the next.
        ticks(since.saturating_add(TICK.saturating_sub(Duration::from_nanos(1))))
    }

    /// The time of a tick. For never it is eight years from the beginning.
    pub(super) fn instant(&self, now: Instant, tick: Tick) -> Instant {
        let begin = self.begin.unwrap_or(now);
        begin.checked_add(TICK.saturating_mul(tick.0)).unwrap_or(begin)
    }

    /// The time of a tick, once the time was heard.
    pub(super) fn instant_of(&self, tick: Tick) -> Option<Instant> {
        self.begin?.checked_add(TICK.saturating_mul(tick.0))
    }
}

/// Seconds since 1970, which a view turns back: four octets last until 2106.
pub(super) fn seconds(wall: SystemTime) -> u32 {
    let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

/// What [`seconds`] was made of, without the part of a second.
pub(super) fn wall(seconds: u32) -> SystemTime {
    let since = Duration::from_secs(seconds.into());
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn ticks(since: Duration) -> Tick {
    let ticks = since.as_nanos().checked_div(TICK.as_nanos()).unwrap_or(0);
    Tick(u32::try_from(ticks).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scheduler::tests::some_instant;

    proptest! {
        #[test]
        fn tick_is_never_early_and_less_than_one_late(millis in 0u64..200_000_000_000) {
            let begin = some_instant();
            let mut clock = Clock::default();
            prop_assert_eq!(clock.now(begin), Tick(0));
            let at = begin + Duration::from_millis(millis);
            let tick = clock.not_before(at);
            let found = clock.instant(begin, tick);
            prop_assert!(found >= at && found - at < TICK);
            prop_assert!(clock.now(at) <= tick);
            prop_assert_eq!(clock.now(found), tick);
        }
    }

    #[test]
    fn what_is_years_ahead_is_never() {
        let before = some_instant();
        let begin = before + Duration::from_secs(1);
        let mut clock = Clock::default();
        clock.now(begin);
        assert_eq!(clock.not_before(begin + Duration::from_hours(24 * 365 * 20)), Tick::NEVER);
        assert_eq!(clock.now(before), Tick(0));
        assert_eq!(TICK * 16, Duration::from_secs(1));
    }
}
