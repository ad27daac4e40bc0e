//! Where events go.

use crate::{EventSet, TrackingEvent};

/// Takes events: a log, a console, a test.
///
/// `emit` is called on the mail's way and must not block on a disk or network: a sink that writes
/// hands the event to a writer of its own.
pub trait EventSink: Send + Sync + 'static {
    /// Which events this sink wants. Asked once; others are not even made for it.
    fn interest(&self) -> EventSet {
        EventSet::ALL
    }

    /// Takes one event.
    fn emit(&self, event: &TrackingEvent);

    /// Returns when everything taken so far is where it belongs. May block.
    fn flush(&self) {}
}
