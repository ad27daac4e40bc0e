//! What the store's state asks of those around it.

use std::time::Duration;

use super::{DiskLevel, SpoolHealth, StoreError};

/// How long the disk takes to make mail durable, with hysteresis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LatencyLevel {
    /// As it should.
    #[default]
    Normal,
    /// A quarter of a second and more: anonymous senders are slowed down.
    Slow,
    /// A second and more: all senders are put off.
    Stalled,
}

/// What the store's state asks of those around it. They ask for it whenever they are about to do
/// something, and obey.
///
/// ```
/// use transom_queue::{DiskLevel, Pressure, SpoolHealth};
///
/// let full = Pressure::of(&SpoolHealth::Serving { level: DiskLevel::Medium });
/// assert!(full.takes_mail(false).is_err() && full.takes_mail(true).is_ok());
/// assert!(full.starts_attempts());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pressure {
    /// Room on the disk.
    pub disk: DiskLevel,
    /// Speed of the disk.
    pub latency: LatencyLevel,
    /// Whether the outcome of an attempt can be written down. Without, a success would be lost, and
    /// the message would be sent again.
    pub recording: bool,
    /// Whether the store takes anything at all.
    pub serving: bool,
}

impl Pressure {
    /// How long `MAIL FROM` waits for its reply under pressure.
    const DELAY: Duration = Duration::from_secs(10);

    /// Of a store that measures no latency and keeps no reserve.
    pub fn of(health: &SpoolHealth) -> Self {
        let (disk, serving) = match health {
            SpoolHealth::Serving { level } => (*level, true),
            SpoolHealth::Failed { .. } => (DiskLevel::Normal, false),
        };
        Self { disk, latency: LatencyLevel::Normal, recording: serving, serving }
    }

    /// Whether new connections are taken; else they are told `421 4.3.2`.
    pub fn takes_connections(self) -> bool {
        self.disk < DiskLevel::Critical
    }

    /// Whether a message may begin.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`] names the resource for a `452 4.3.1`; [`StoreError::Failed`] is a
    /// `451 4.3.0`.
    pub fn takes_mail(self, authenticated: bool) -> Result<(), StoreError> {
        let disk_max = if authenticated { DiskLevel::Medium } else { DiskLevel::Normal };
        if !self.serving {
            Err(StoreError::Failed { reason: "it takes nothing any more".into() })
        } else if self.disk > disk_max {
            Err(StoreError::Full { resource: "disk space" })
        } else if self.latency >= LatencyLevel::Stalled {
            Err(StoreError::Full { resource: "disk latency" })
        } else {
            Ok(())
        }
    }

    /// How long `MAIL FROM` waits for its reply.
    pub fn delay(self, authenticated: bool) -> Duration {
        let slow = if authenticated {
            self.disk >= DiskLevel::Medium
        } else {
            self.latency >= LatencyLevel::Slow
        };
        if slow { Self::DELAY } else { Duration::ZERO }
    }

    /// Whether attempts to deliver are begun.
    pub fn starts_attempts(self) -> bool {
        self.recording
    }

    /// Whether messages are put back to be categorized anew.
    pub fn resubmits(self) -> bool {
        self.serving && self.disk == DiskLevel::Normal
    }
}
