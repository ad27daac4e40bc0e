//! What a check found.

use std::fmt;

/// One broken rule: where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Path from the root of the workspace.
    pub(crate) path: String,
    /// From 1; 0 when the file as a whole is meant.
    pub(crate) line: usize,
    /// The rule's name, as the list of exceptions spells it.
    pub(crate) rule: &'static str,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} [{}]", self.path, self.line.max(1), self.message, self.rule)
    }
}
