//! What is said of octets that do not verify.

use std::fmt;

use transom_types::InternalMessageId;

/// Octets that do not verify, or are not there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Damage {
    /// The file, from the spool's folder on.
    pub file: String,
    /// Where in the file it begins.
    pub offset: u64,
    /// What is wrong.
    pub reason: String,
    /// The message, where one is known.
    pub message: Option<InternalMessageId>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, reason, message } = self;
        write!(f, "{file} at {offset}: {reason}")?;
        message.map_or(Ok(()), |id| write!(f, " (message {id})"))
    }
}
