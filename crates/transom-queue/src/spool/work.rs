//! Which messages are being worked on.

use std::fmt;

/// Who suspended a message that is poison.
pub const POISON_ACTOR: &str = "poison";

/// What is done to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkStage {
    /// It is categorized.
    Categorize,
    /// An agent has it.
    Agent,
}

impl WorkStage {
    /// How it stands in the file. 1 was for a message whose content is read: that happens before
    /// custody begins, so a message that ends the process there is in no spool.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Categorize => 2,
            Self::Agent => 3,
        }
    }
}

/// A message is being worked on until this is dropped.
#[derive(Default)]
pub struct Work {
    end: Option<Box<dyn FnOnce() + Send>>,
}

impl Work {
    pub(crate) fn new(end: impl FnOnce() + Send + 'static) -> Self {
        Self { end: Some(Box::new(end)) }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end();
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").finish_non_exhaustive()
    }
}
