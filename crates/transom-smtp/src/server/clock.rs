//! The deadlines of a session. Time comes in with every poll; nothing here reads a clock.

use std::time::{Duration, Instant};

use super::ServerLimits;

/// `None` is a deadline too far away to be an [`Instant`]: it never comes.
type Deadline = Option<Instant>;

#[derive(Debug)]
pub(super) struct Clock {
    now: Instant,
    session_ends: Deadline,
    command_ends: Deadline,
    /// Since when the content waits for the peer.
    waiting_since: Deadline,
    /// How long the content may still wait for the peer. Content earns it, at the minimum rate, up
    /// to the interval; waiting for the peer spends it, waiting for the application does not.
    allowance: Duration,
}

impl Clock {
    pub(super) fn new(now: Instant, limits: &ServerLimits) -> Self {
        Self {
            now,
            session_ends: now.checked_add(limits.session_timeout),
            command_ends: now.checked_add(limits.command_timeout),
            waiting_since: None,
            allowance: limits.data_rate_interval,
        }
    }

    /// A poll happens.
    pub(super) fn tick(&mut self, now: Instant) {
        self.now = now;
        if let Some(since) = self.waiting_since.take() {
            let waited = now.saturating_duration_since(since);
            self.allowance = self.allowance.saturating_sub(waited);
        }
    }

    /// The peer has done something, or it has just become its turn.
    pub(super) fn restart_command(&mut self, limits: &ServerLimits) {
        self.command_ends = self.now.checked_add(limits.command_timeout);
    }

    pub(super) fn begin_content(&mut self, limits: &ServerLimits) {
        self.restart_command(limits);
        self.allowance = limits.data_rate_interval;
    }

    /// So many octets of content came.
    pub(super) fn content(&mut self, octets: usize, limits: &ServerLimits) {
        self.restart_command(limits);
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        let earned = octets.saturating_mul(1_000_000_000).checked_div(limits.data_rate_min.into());
        let earned = Duration::from_nanos(earned.unwrap_or(u64::MAX));
        self.allowance = self.allowance.saturating_add(earned).min(limits.data_rate_interval);
    }

    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// The moment that is so far away.
    pub(super) fn in_future(&self, duration: Duration) -> Option<Instant> {
        self.now.checked_add(duration)
    }

    /// Whether it has come.
    pub(super) fn has_come(&self, moment: Option<Instant>) -> bool {
        self.passed(moment)
    }

    pub(super) fn session_is_over(&self) -> bool {
        self.passed(self.session_ends)
    }

    /// Until when a command is awaited; an error when that has passed.
    pub(super) fn command_deadline(&self) -> Result<Deadline, Expired> {
        self.check(earlier(self.command_ends, self.session_ends))
    }

    /// Until when content is awaited; an error when that has passed or the rate is too low.
    pub(super) fn content_deadline(&mut self, limits: &ServerLimits) -> Result<Deadline, Expired> {
        let mut deadline = self.command_ends;
        if limits.data_rate_min > 0 {
            deadline = earlier(deadline, self.now.checked_add(self.allowance));
            self.waiting_since = Some(self.now);
        }
        self.check(deadline)
    }

    /// Until when a handshake may go on.
    pub(super) fn idle_deadline(&self) -> Result<Deadline, Expired> {
        self.check(self.command_ends)
    }

    fn check(&self, deadline: Deadline) -> Result<Deadline, Expired> {
        if self.passed(deadline) { Err(Expired) } else { Ok(deadline) }
    }

    fn passed(&self, deadline: Deadline) -> bool {
        deadline.is_some_and(|deadline| self.now >= deadline)
    }
}

/// The peer took too long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expired;

fn earlier(a: Deadline, b: Deadline) -> Deadline {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
