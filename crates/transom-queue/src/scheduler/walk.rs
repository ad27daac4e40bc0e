//! Looking at all messages in steps, so that nothing else waits for long.

use transom_types::InternalMessageId;

use super::Scheduler;
use super::view::UnitView;

/// What one step of a walk saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what was seen, and where to go on")]
pub struct Walked {
    /// What is open of the messages that were looked at, each message whole.
    pub units: Vec<UnitView>,
    /// Where the next step begins; none when all were looked at.
    pub next: Option<u32>,
}

impl Scheduler {
    /// Looks at `max` messages or places of messages, from `from` on, which is 0 at first and then
    /// what the step before says. A message that is there during all steps is seen by exactly one
    /// of them, whatever becomes of it meanwhile.
    pub fn walk(&self, from: u32, max: u32) -> Walked {
        let end = from.saturating_add(max).min(self.messages.end());
        let ids = (from..end).filter_map(|at| Some(self.messages.get(at)?.id));
        let units = ids.flat_map(|id: InternalMessageId| self.message(id)).collect();
        Walked { units, next: (end < self.messages.end()).then_some(end) }
    }
}
