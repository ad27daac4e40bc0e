//! The breaker: an agent that keeps failing is left alone for a while.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Failures that open the breaker.
pub(super) const FAILURES_MAX: usize = 5;
/// Within how long; and how long it stays open.
pub(super) const WINDOW: Duration = Duration::from_secs(30);

/// Whether an agent may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Yes.
    Call,
    /// Yes: how this call ends decides.
    Probe,
    /// No.
    Refused,
}

/// One agent's failures.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: State,
    /// When the last failures were.
    failures: VecDeque<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    /// Nobody asks until then.
    Open { until: Instant },
    /// One call is under way. A session that ends takes its call with it, so at that time another
    /// one may try.
    HalfOpen { until: Instant },
}

impl Breaker {
    pub(super) fn admit(&mut self, now: Instant) -> Admission {
        match self.state {
            State::Closed => Admission::Call,
            State::Open { until } | State::HalfOpen { until } if now >= until => {
                self.state = State::HalfOpen { until: after(now) };
                Admission::Probe
            }
            State::Open { .. } | State::HalfOpen { .. } => Admission::Refused,
        }
    }

    /// How an admitted call ended. Calls of before the breaker opened have nothing to say to it.
    pub(super) fn report(&mut self, admission: Admission, failed: bool, now: Instant) {
        match (admission, self.state, failed) {
            (Admission::Call, State::Closed, true) => self.count(now),
            (Admission::Probe, State::HalfOpen { .. }, false) => {
                self.state = State::Closed;
                self.failures.clear();
            }
            (Admission::Probe, State::HalfOpen { .. }, true) => {
                self.state = State::Open { until: after(now) };
            }
            _ => {}
        }
    }

    fn count(&mut self, now: Instant) {
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= WINDOW;
        while self.failures.front().is_some_and(is_old) {
            self.failures.pop_front();
        }
        self.failures.push_back(now);
        if self.failures.len() >= FAILURES_MAX {
            self.failures.clear();
            self.state = State::Open { until: after(now) };
        }
    }
}

fn after(now: Instant) -> Instant {
    now.checked_add(WINDOW).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a call at this time is let through, which then ends as `failed` says.
    fn call(breaker: &mut Breaker, now: Instant, failed: bool) -> Admission {
        let admission = breaker.admit(now);
        if admission != Admission::Refused {
            breaker.report(admission, failed, now);
        }
        admission
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn breaker_opens_at_the_fifth_failure_within_30_seconds_and_closes_by_a_probe() {
        // The second of each call, `-` where it fails, and what the breaker says: call, probe,
        // refused.
        for (name, calls) in [
            ("four failures", "0-c 1-c 2-c 3-c 4+c"),
            ("five failures", "0-c 1-c 2-c 3-c 4-c 5+r 33+r 34+p 34+c"),
            ("the first is too old", "0-c 27-c 28-c 29-c 30-c 31+c"),
            ("a success between does not matter", "0-c 1-c 2+c 3-c 4-c 5-c 6+r"),
            ("the probe fails", "0-c 0-c 0-c 0-c 0-c 30-p 31+r 59+r 60+p 60-c 61+c"),
            ("those of before count no more", "0-c 0-c 0-c 0-c 0-c 30+p 30-c 30-c 30-c 30-c 30+c"),
        ] {
            let (mut breaker, base) = (Breaker::default(), Instant::now());
            for token in calls.split(' ') {
                let (call_text, expected) = token.split_at(token.len() - 1);
                let (seconds, failed) = call_text.split_at(call_text.len() - 1);
                let now = base + Duration::from_secs(seconds.parse().unwrap());
                let found = match call(&mut breaker, now, failed == "-") {
                    Admission::Call => "c",
                    Admission::Probe => "p",
                    Admission::Refused => "r",
                };
                assert_eq!(found, expected, "{name}, {token}");
            }
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn one_probe_at_a_time_and_a_lost_one_is_replaced() {
        let (mut breaker, base) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES_MAX {
            call(&mut breaker, base, true);
        }
        assert_eq!(breaker.admit(base + WINDOW), Admission::Probe);
        assert_eq!(breaker.admit(base + WINDOW), Admission::Refused);
        // A call of before ends well: that is no news.
        breaker.report(Admission::Call, false, base + WINDOW);
        assert_eq!(breaker.admit(base + WINDOW), Admission::Refused);
        assert_eq!(breaker.admit(base + WINDOW * 2), Admission::Probe);
    }
}
