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
    /// How long the content has waited since the last time it had its measure. Waiting for the
    /// application does not count.
    waited: Duration,
    /// Octets of content since then.
    octets: u64,
}

impl Clock {
    pub(super) fn new(now: Instant, limits: &ServerLimits) -> Self {
        Self {
            now,
            session_ends: now.checked_add(limits.session_timeout),
            command_ends: now.checked_add(limits.command_timeout),
            waiting_since: None,
            waited: Duration::ZERO,
            octets: 0,
        }
    }

    /// A poll happens.
    pub(super) fn tick(&mut self, now: Instant) {
        self.now = now;
        if let Some(since) = self.waiting_since.take() {
            self.waited = self.waited.saturating_add(now.saturating_duration_since(since));
        }
    }

    /// The peer has done something, or it has just become its turn.
    pub(super) fn restart_command(&mut self, limits: &ServerLimits) {
        self.command_ends = self.now.checked_add(limits.command_timeout);
    }

    pub(super) fn begin_content(&mut self, limits: &ServerLimits) {
        self.restart_command(limits);
        self.waited = Duration::ZERO;
        self.octets = 0;
    }

    /// So many octets of content came.
    pub(super) fn content(&mut self, octets: usize, limits: &ServerLimits) {
        self.restart_command(limits);
        self.octets = self.octets.saturating_add(octets.try_into().unwrap_or(u64::MAX));
        let interval = limits.data_rate_interval.as_secs().max(1);
        let measure = u64::from(limits.data_rate_min).saturating_mul(interval);
        if self.octets >= measure {
            // What is above the measure counts for the next one, so that steps in the arrival do
            // not matter, but a burst buys no long pause.
            self.octets = self.octets.checked_rem(measure).unwrap_or(0);
            self.waited = Duration::ZERO;
        }
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
            let left = limits.data_rate_interval.saturating_sub(self.waited);
            deadline = earlier(deadline, self.now.checked_add(left));
            self.waiting_since = Some(self.now);
        }
        self.check(deadline)
    }

    /// Until when a handshake may go on, or the next chunk of a content is awaited.
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
