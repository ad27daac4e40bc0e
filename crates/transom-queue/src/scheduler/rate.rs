//! Rates: how many attempts of a destination may begin in a time, and how many messages came and
//! went in the last minute.

use std::time::{Duration, Instant};

use super::clock::{TICK, Tick};

/// How many attempts to one destination may begin in a time.
///
/// Attempts are spread over that time; `burst` of them may begin at once after a pause. The rule
/// is the generic cell rate algorithm: one time a destination is all it needs to remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "how many, how long, how many at once")]
pub struct RateLimit {
    /// How many may begin; zero counts as one.
    pub attempts: u32,
    /// In this time.
    pub per: Duration,
    /// How many may begin at once after a pause; zero counts as one.
    pub burst: u32,
}

/// A limit at work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    /// Time between two attempts.
    interval: Duration,
    /// How far ahead of an even spread attempts may run.
    ahead: Duration,
    /// When the next attempt would come if all were spread evenly.
    next: Option<Instant>,
}

impl Gate {
    pub(super) fn new(limit: RateLimit) -> Self {
        let interval = limit.per / limit.attempts.max(1);
        let ahead = interval.saturating_mul(limit.burst.max(1).saturating_sub(1));
        Self { interval, ahead, next: None }
    }

    /// The same limit with the past of another.
    pub(super) fn with_past_of(self, other: Option<Self>) -> Self {
        Self { next: other.and_then(|other| other.next), ..self }
    }

    /// When the next attempt may begin; none when it may now.
    pub(super) fn opens_at(&self, now: Instant) -> Option<Instant> {
        self.next?.checked_sub(self.ahead).filter(|at| *at > now)
    }

    /// When all that has begun is forgotten; none when it is now.
    pub(super) fn forgets_at(&self, now: Instant) -> Option<Instant> {
        self.next.filter(|next| *next > now)
    }

    /// An attempt begins.
    pub(super) fn pass(&mut self, now: Instant) {
        // Our timers come up to a tick late. What that costs is made up for, else a limit of many
        // a second would not be reached.
        let earliest = now.checked_sub(TICK).unwrap_or(now);
        let next = self.next.map_or(now, |next| next.max(earliest));
        self.next = next.checked_add(self.interval);
    }
}

/// Ticks of a minute.
const MINUTE: u32 = 60 * 16;

/// Counts what happened in the last minute: what happened in the present one, and that part of the
/// one before which is not a minute ago, as if it had been spread evenly.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PerMinute {
    minute: u32,
    before: u32,
    present: u32,
}

impl PerMinute {
    /// Something happens.
    pub(super) fn count(&mut self, now: Tick) {
        let minute = now.0 / MINUTE;
        match minute.saturating_sub(self.minute) {
            0 => {}
            1 => (self.before, self.present) = (self.present, 0),
            _ => (self.before, self.present) = (0, 0),
        }
        self.minute = self.minute.max(minute);
        self.present = self.present.saturating_add(1);
    }

    pub(super) fn value(&self, now: Tick) -> u32 {
        let (minute, part) = (now.0 / MINUTE, u64::from(now.0 % MINUTE));
        let (before, present) = match minute.saturating_sub(self.minute) {
            0 => (self.before, self.present),
            1 => (self.present, 0),
            _ => (0, 0),
        };
        let rest = u64::from(MINUTE).saturating_sub(part).saturating_mul(u64::from(before));
        let rest = u32::try_from(rest / u64::from(MINUTE)).unwrap_or(u32::MAX);
        present.saturating_add(rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scheduler::tests::some_instant;

    proptest! {
        #[test]
        fn no_span_sees_more_than_its_share_and_the_burst(
            attempts in 1u32..50,
            per in 1u64..100,
            burst in 0u32..10,
            pauses in proptest::collection::vec(0u64..3000, 1..300),
        ) {
            let limit = RateLimit { attempts, per: Duration::from_secs(per), burst };
            let mut gate = Gate::new(limit);
            let (mut now, mut begun) = (some_instant(), Vec::new());
            for pause in pauses {
                now += Duration::from_millis(pause);
                while gate.opens_at(now).is_none() && begun.len() < 2000 {
                    gate.pass(now);
                    begun.push(now);
                }
            }
            let interval = limit.per / attempts;
            for (count, end) in (1u32..).zip(begun.iter().skip(1)) {
                let span = *end - begun[0] + TICK;
                let share = u32::try_from(span.as_nanos() / interval.as_nanos()).unwrap();
                prop_assert!(count < share + burst.max(1) + 1, "{count} in {span:?}");
            }
        }
    }

    #[test]
    fn steady_rate_is_counted_right_and_forgotten_after_two_minutes() {
        let mut rate = PerMinute::default();
        // One every two seconds for five minutes.
        for event in 0..150 {
            rate.count(Tick(event * 32));
        }
        let at = 150 * 32;
        for later in 0..20 {
            let found = rate.value(Tick(at + later));
            assert!((28..=31).contains(&found), "{found}");
        }
        assert!(rate.value(Tick(at + MINUTE / 2)) <= 15);
        assert_eq!(rate.value(Tick(at + 2 * MINUTE)), 0);
    }

    #[test]
    fn burst_passes_at_once_and_the_rest_is_spread() {
        let begin = some_instant();
        let mut gate = Gate::new(RateLimit { attempts: 60, per: Duration::from_mins(1), burst: 3 });
        for _ in 0..3 {
            assert_eq!(gate.opens_at(begin), None);
            gate.pass(begin);
        }
        assert_eq!(gate.opens_at(begin), Some(begin + Duration::from_secs(1)));
        let later = begin + Duration::from_secs(1);
        gate.pass(later);
        assert_eq!(gate.opens_at(later), Some(begin + Duration::from_secs(2)));
        assert_eq!(gate.forgets_at(later), Some(begin + Duration::from_secs(4)));
    }
}
