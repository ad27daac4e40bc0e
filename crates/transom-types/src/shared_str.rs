//! A range of a shared string: one allocation serves a mailbox, its local-part and its domain.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A range of a shared, immutable string. Cloning counts a reference and copies nothing.
#[derive(Clone)]
pub(crate) struct SharedStr {
    text: Arc<str>,
    start: u16,
    end: u16,
}

impl SharedStr {
    /// The whole of `text`. The types built on this bound their length far below 64 KiB; what is
    /// longer all the same is cut to nothing rather than at an arbitrary place.
    pub(crate) fn new(text: &str) -> Self {
        let end = u16::try_from(text.len()).unwrap_or(0);
        Self { text: Arc::from(text), start: 0, end }
    }

    /// A part of this string that shares its allocation. `range` counts from the start of `self`.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let shift = |at: usize| u16::try_from(at).ok().and_then(|at| self.start.checked_add(at));
        match (shift(range.start), shift(range.end)) {
            (Some(start), Some(end)) if start <= end && end <= self.end => {
                Self { text: Arc::clone(&self.text), start, end }
            }
            _ => Self { text: Arc::clone(&self.text), start: self.end, end: self.end },
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        self.text.get(usize::from(self.start)..usize::from(self.end)).unwrap_or("")
    }
}

impl fmt::Debug for SharedStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
