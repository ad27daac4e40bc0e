//! The smart hosts of a connector: which are well, and which is tried first.

use std::time::{Duration, Instant};

use transom_connector::SmartHostOrder;

/// Knows how the smart hosts of one connector have done, and in which order to try them.
///
/// A host with [`FAILURES_MAX`](Self::FAILURES_MAX) failures in a row is left out for a while.
/// Then it is tried again by one attempt, the probe, in its old place; while the probe is under
/// way the others go on without the host. Each failed probe doubles the wait. Where all hosts are
/// left out, all are tried, the one whose wait ends first in front: a message waits for a
/// time of its own, never for this.
///
/// It holds a few words for each host and asks nobody for the time. Hosts are named by their
/// place in the list of the connector.
///
/// ```
/// use std::time::Instant;
/// use transom_connector::SmartHostOrder;
/// use transom_routing::SmartHostPool;
///
/// let now = Instant::now();
/// let mut pool = SmartHostPool::new(SmartHostOrder::Listed, 2);
/// assert_eq!(pool.order(now), [0, 1]);
/// for _ in 0..SmartHostPool::FAILURES_MAX {
///     pool.begin(0, now);
///     pool.failed(0, now);
///     pool.end(0);
/// }
/// assert_eq!(pool.order(now), [1]);
/// assert_eq!(pool.order(now + SmartHostPool::WAIT_MIN), [0, 1]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmartHostPool {
    order: SmartHostOrder,
    hosts: Vec<Health>,
    /// Where the next round begins.
    next: usize,
}

/// How a host does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Health {
    /// Attempts that have begun and not ended.
    outstanding: u32,
    /// Failures since the last success.
    failures: u32,
    /// Until when it is left out.
    left_out_until: Option<Instant>,
    /// How long it was left out for.
    wait: Duration,
    /// Whether an attempt is under way that decides whether it is well again.
    probed: bool,
}

impl SmartHostPool {
    /// Failures in a row after which a host is left out: one may be chance, a dead host costs
    /// each attempt the time to find out.
    pub const FAILURES_MAX: u32 = 3;
    /// How long a host is left out at first: about a restart.
    pub const WAIT_MIN: Duration = Duration::from_secs(30);
    /// How long a host is left out at most, so that it is soon used again when it is well.
    pub const WAIT_MAX: Duration = Duration::from_mins(10);

    /// For so many hosts, all of them well.
    pub fn new(order: SmartHostOrder, hosts: usize) -> Self {
        Self { order, hosts: vec![Health::default(); hosts], next: 0 }
    }

    /// In which order to try the hosts now: never none, unless there are none.
    pub fn order(&mut self, now: Instant) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.hosts.len()).collect();
        match self.order {
            SmartHostOrder::LeastOutstanding => {
                order.sort_by_key(|at| self.health(*at).outstanding);
            }
            SmartHostOrder::RoundRobin if !order.is_empty() => {
                order.rotate_left(self.next);
                self.next = self.next.saturating_add(1).checked_rem(order.len()).unwrap_or(0);
            }
            _ => {}
        }
        let usable: Vec<usize> =
            order.iter().copied().filter(|at| self.health(*at).is_usable(now)).collect();
        if usable.is_empty() {
            order.sort_by_key(|at| self.health(*at).left_out_until);
            return order;
        }
        usable
    }

    /// An attempt at a host begins. [`end`](Self::end) must follow.
    pub fn begin(&mut self, host: usize, now: Instant) {
        let Some(health) = self.hosts.get_mut(host) else { return };
        health.outstanding = health.outstanding.saturating_add(1);
        health.probed |= health.left_out_until.is_some_and(|until| until <= now);
    }

    /// The host took a session: it is well, whatever it says about messages.
    pub fn opened(&mut self, host: usize) {
        let Some(health) = self.hosts.get_mut(host) else { return };
        *health = Health { outstanding: health.outstanding, ..Health::default() };
    }

    /// The host could not be reached, or took no session.
    pub fn failed(&mut self, host: usize, now: Instant) {
        if let Some(health) = self.hosts.get_mut(host) {
            health.fail(now);
        }
    }

    /// An attempt that [began](Self::begin) is over, however it went: its connection is closed.
    pub fn end(&mut self, host: usize) {
        let Some(health) = self.hosts.get_mut(host) else { return };
        health.outstanding = health.outstanding.saturating_sub(1);
        health.probed = false;
    }

    fn health(&self, host: usize) -> Health {
        self.hosts.get(host).copied().unwrap_or_default()
    }
}

impl Health {
    fn is_usable(&self, now: Instant) -> bool {
        self.left_out_until.is_none_or(|until| until <= now && !self.probed)
    }

    fn fail(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures < SmartHostPool::FAILURES_MAX {
            return;
        }
        // Attempts that began before the host was left out say nothing new.
        let waiting = self.left_out_until.is_some_and(|until| now < until);
        if waiting && !self.probed {
            return;
        }
        let doubled = self.wait.saturating_mul(2);
        self.wait = doubled.clamp(SmartHostPool::WAIT_MIN, SmartHostPool::WAIT_MAX);
        self.left_out_until = now.checked_add(self.wait);
        self.probed = false;
    }
}
