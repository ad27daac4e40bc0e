//! When to try again, when to tell the sender, when to give up: numbers, as data.
//!
//! Nothing here reads a clock or rolls a die: whoever asks passes in a random number.

use std::time::Duration;

use transom_types::MtPriority;

use crate::scheduler::Priority;

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// The waits of a queue that cannot connect, and of a message that was put off.
///
/// ```
/// use std::time::Duration;
/// use transom_queue::RetryProfile;
///
/// let profile = RetryProfile::exchange();
/// assert_eq!(profile.queue_delay(1, 0), Duration::from_mins(1));
/// assert_eq!(profile.queue_delay(5, 0), Duration::from_mins(5));
/// assert_eq!(profile.queue_delay(11, 0), Duration::from_mins(10));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryProfile {
    /// The first failures of a queue's connection in a row (Exchange: `QueueGlitchRetry`).
    pub glitch: LadderStep,
    /// The failures after them (Exchange: `TransientFailureRetry`).
    pub transient: LadderStep,
    /// All failures after those (Exchange: `OutboundConnectionFailureRetryInterval`).
    pub backoff: Growth,
    /// A message or recipient that was put off by a 4yz (Exchange: `MessageRetryInterval`).
    pub message_retry: Growth,
    /// How far a wait may vary to both sides, in percent, at most 100.
    pub jitter_percent: u8,
    /// Age at which the sender is told that the message still waits.
    pub delay_notice: Duration,
    /// Age at which we give up.
    pub expiry: Duration,
    /// Age at which we give up a message with a null reverse-path: nobody waits for it.
    pub null_sender_expiry: Duration,
    /// Shortest wait after the reply to the end of data was lost: the peer may still be at work
    /// on the message, and a second copy would be a duplicate.
    pub in_doubt: Duration,
    /// Whether mail has priorities, and the ages of each (none: all mail is Normal, and
    /// `delay_notice` and `expiry` hold for all of it).
    pub priority_queuing: Option<PriorityQueuing>,
    /// Wait of a message whose attempt was cut by our own end.
    pub restart: Duration,
    /// Most that is added to `restart`, so that not all go at once.
    pub restart_jitter: Duration,
}

/// A number of failures with the same wait after each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "how often and how long")]
pub struct LadderStep {
    /// How many.
    pub count: u32,
    /// The wait after each.
    pub interval: Duration,
}

/// A wait that doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "from where to where")]
pub struct Growth {
    /// The first wait.
    pub first: Duration,
    /// The longest.
    pub max: Duration,
}

/// Ages of mail by its priority; they hold instead of those of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the three priorities of Exchange")]
pub struct PriorityQueuing {
    /// Of High, and of System.
    pub high: Ages,
    /// Of Normal.
    pub normal: Ages,
    /// Of Low, and of Bulk.
    pub low: Ages,
}

/// Ages at which something is done about a message that still waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "tell, and give up")]
pub struct Ages {
    /// The sender is told.
    pub delay_notice: Duration,
    /// We give up.
    pub expiry: Duration,
}

impl PriorityQueuing {
    /// As Exchange has it: High is told of after 30 minutes and given up after 8 hours, Normal
    /// after 4 hours and 2 days, Low after 8 hours and 2 days.
    pub const fn exchange() -> Self {
        let two_days = Duration::from_hours(48);
        let eight_hours = Duration::from_hours(8);
        Self {
            high: Ages { delay_notice: Duration::from_mins(30), expiry: eight_hours },
            normal: Ages { delay_notice: Duration::from_hours(4), expiry: two_days },
            low: Ages { delay_notice: eight_hours, expiry: two_days },
        }
    }

    const fn of(&self, priority: Priority) -> Ages {
        match priority {
            Priority::System | Priority::High => self.high,
            Priority::Normal => self.normal,
            Priority::Low | Priority::Bulk => self.low,
        }
    }
}

impl Growth {
    /// The same wait every time.
    pub const fn flat(interval: Duration) -> Self {
        Self { first: interval, max: interval }
    }

    /// The `n`-th wait, from 1.
    fn nth(self, n: u32) -> Duration {
        let doublings = n.saturating_sub(1).min(31);
        let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.max)
    }
}

impl RetryProfile {
    /// As an Exchange server does: 4 times after 1 minute, 6 times after 5, then every 10; a
    /// message that was put off after 5; notice after 4 hours; expiry after 2 days.
    pub const fn exchange() -> Self {
        Self {
            glitch: LadderStep { count: 4, interval: MINUTE },
            transient: LadderStep { count: 6, interval: Duration::from_mins(5) },
            backoff: Growth::flat(Duration::from_mins(10)),
            message_retry: Growth::flat(Duration::from_mins(5)),
            jitter_percent: 0,
            delay_notice: Duration::from_hours(4),
            expiry: Duration::from_hours(48),
            null_sender_expiry: DAY,
            in_doubt: Duration::from_mins(10),
            priority_queuing: None,
            restart: Duration::from_secs(20),
            restart_jitter: Duration::from_secs(10),
        }
    }

    /// For mail to strangers: waits grow up to 2 hours and vary by a fifth, expiry after 5 days.
    // [RFC 5321 §4.5.4.1-e] giving up should take 4 to 5 days.
    pub const fn internet() -> Self {
        Self {
            backoff: Growth { first: Duration::from_mins(10), max: Duration::from_hours(2) },
            message_retry: Growth { first: Duration::from_mins(5), max: Duration::from_hours(2) },
            jitter_percent: 20,
            expiry: Duration::from_hours(120),
            ..Self::exchange()
        }
    }

    // [RFC 5321 §4.5.4.1-b, §4.5.4.1-c] never at once, and as the profile says.
    /// The wait of a queue whose connection has failed `failures` times in a row, from 1.
    pub fn queue_delay(&self, failures: u32, random: u64) -> Duration {
        let delay = match failures.checked_sub(self.glitch.count) {
            None | Some(0) => self.glitch.interval,
            Some(rest) => match rest.checked_sub(self.transient.count) {
                None | Some(0) => self.transient.interval,
                Some(rest) => self.backoff.nth(rest),
            },
        };
        self.vary(delay, random)
    }

    // [RFC 5321 §4.5.4.1-a] what was put off comes again.
    /// The wait of a recipient that was put off at its `attempts`-th attempt, from 1.
    pub fn message_delay(&self, attempts: u32, random: u64) -> Duration {
        self.vary(self.message_retry.nth(attempts), random)
    }

    /// The wait of a recipient whose `attempts`-th attempt ended in doubt.
    pub fn in_doubt_delay(&self, attempts: u32, random: u64) -> Duration {
        self.message_delay(attempts, random).max(self.in_doubt)
    }

    /// The wait after a start for an attempt that our own end cut.
    pub fn restart_delay(&self, random: u64) -> Duration {
        let span = u64::try_from(self.restart_jitter.as_millis()).unwrap_or(u64::MAX);
        let extra = random.checked_rem(span.saturating_add(1)).unwrap_or(0);
        self.restart.saturating_add(Duration::from_millis(extra))
    }

    /// The priority of a message that asks for one (RFC 6710): above zero is High, below is Low.
    // [RFC 6710 §5] who does not do priorities treats all mail alike.
    pub fn priority_of(&self, asked: Option<MtPriority>) -> Priority {
        let asked = asked.filter(|_| self.priority_queuing.is_some());
        match asked.map_or(0, MtPriority::value) {
            0 => Priority::Normal,
            1.. => Priority::High,
            ..0 => Priority::Low,
        }
    }

    /// The ages of a message.
    pub fn ages_of(&self, priority: Priority, null_reverse_path: bool) -> Ages {
        let all = Ages { delay_notice: self.delay_notice, expiry: self.expiry };
        let ages = self.priority_queuing.map_or(all, |queuing| queuing.of(priority));
        if null_reverse_path {
            return Ages { expiry: ages.expiry.min(self.null_sender_expiry), ..ages };
        }
        ages
    }

    fn vary(&self, delay: Duration, random: u64) -> Duration {
        let percent = u32::from(self.jitter_percent.min(100));
        let steps = u64::from(percent).saturating_mul(2).saturating_add(1);
        let step = u32::try_from(random % steps).unwrap_or(0);
        // From 100 - p to 100 + p percent. Never zero: a wait of zero would spin.
        let factor = step.saturating_add(100u32.saturating_sub(percent)).max(1);
        delay.saturating_mul(factor) / 100
    }
}

impl Default for RetryProfile {
    fn default() -> Self {
        Self::exchange()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // A16: 4 times 1 minute, 6 times 5 minutes, then every 10 minutes.
    #[test]
    fn exchange_ladder_is_the_table_of_the_specification() {
        let profile = RetryProfile::default();
        let minutes: Vec<u64> =
            (1..=14).map(|n| profile.queue_delay(n, u64::MAX).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 1, 1, 1, 5, 5, 5, 5, 5, 5, 10, 10, 10, 10]);
        assert_eq!(profile.queue_delay(u32::MAX, 7), Duration::from_mins(10));
        assert_eq!(profile.message_delay(1, 7), Duration::from_mins(5));
        assert_eq!(profile.message_delay(99, 7), Duration::from_mins(5));
    }

    // [RFC 5321 §4.5.4.1-c] test
    #[test]
    fn internet_waits_double_up_to_two_hours() {
        let profile = RetryProfile { jitter_percent: 0, ..RetryProfile::internet() };
        let minutes: Vec<u64> =
            (11..=16).map(|n| profile.queue_delay(n, 0).as_secs() / 60).collect();
        assert_eq!(minutes, [10, 20, 40, 80, 120, 120]);
        let minutes: Vec<u64> =
            (1..=7).map(|n| profile.message_delay(n, 0).as_secs() / 60).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 80, 120, 120]);
    }

    // [RFC 5321 §4.5.4.1-e] test
    #[test]
    fn null_sender_is_given_up_after_a_day() {
        let profile = RetryProfile::internet();
        assert_eq!(profile.ages_of(Priority::Normal, true).expiry, DAY);
        assert_eq!(profile.ages_of(Priority::Normal, false).expiry, DAY * 5);
        assert!(profile.delay_notice < Duration::from_hours(5));
    }

    #[test]
    fn priorities_have_the_ages_of_the_specification_once_they_are_on() {
        let off = RetryProfile::exchange();
        let on =
            RetryProfile { priority_queuing: Some(PriorityQueuing::exchange()), ..off.clone() };
        let asked = |value| Some(MtPriority::new(value).unwrap());
        let cases = [(3, 8 * 60, 30), (0, 48 * 60, 4 * 60), (-3, 48 * 60, 8 * 60)];
        for (value, expiry, notice) in cases {
            let ages = on.ages_of(on.priority_of(asked(value)), false);
            let minutes = Duration::from_mins;
            assert_eq!((ages.expiry, ages.delay_notice), (minutes(expiry), minutes(notice)));
            assert_eq!(off.priority_of(asked(value)), Priority::Normal);
            assert_eq!(off.ages_of(Priority::High, false).expiry, minutes(48 * 60));
        }
        assert_eq!(on.priority_of(None), Priority::Normal);
        assert_eq!(on.ages_of(Priority::High, true).expiry, Duration::from_hours(8));
        assert_eq!(on.ages_of(Priority::Low, true).expiry, DAY);
    }

    proptest! {
        #[test]
        fn waits_stay_within_their_jitter(n in 1u32.., random: u64) {
            let profile = RetryProfile::internet();
            let exact = RetryProfile { jitter_percent: 0, ..RetryProfile::internet() };
            let (got, middle) = (profile.queue_delay(n, random), exact.queue_delay(n, random));
            prop_assert!(got >= middle * 8 / 10 && got <= middle * 12 / 10);
            prop_assert!(profile.in_doubt_delay(n, random) >= Duration::from_mins(10));
            let restart = profile.restart_delay(random);
            prop_assert!(restart >= Duration::from_secs(20));
            prop_assert!(restart <= Duration::from_secs(30));
        }
    }
}
