//! What is different in a content from the octets that were taken in: those never change.

use std::sync::Arc;

use bytes::Bytes;

use super::{Content, ReadContent, StoreError};

/// One change of a content: octets go, others come in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever changes a message")]
pub struct Edit {
    /// Where, in octets of the content as it was taken in.
    pub at: u64,
    /// How many octets go; with 0 nothing does.
    pub remove: u64,
    /// What comes in their place.
    pub insert: Bytes,
}

/// Changes of a content, from front to back, none in the place of another. Copies of a message
/// share its octets and have lists of their own.
///
/// ```
/// use transom_queue::{Edit, EditList};
///
/// let stamp = Edit { at: 0, remove: 0, insert: "Received: by mx\r\n".into() };
/// let edits = EditList::new(vec![stamp]).expect("in order");
/// assert_eq!(edits.octets_after(100), Some(117));
///
/// let late = Edit { at: 50, remove: 0, insert: "x".into() };
/// let early = Edit { at: 10, remove: 5, insert: "y".into() };
/// assert!(EditList::new(vec![late, early]).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EditList {
    edits: Vec<Edit>,
}

/// Why a list of edits is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// It begins before the one in front of it ends.
    #[error("edit {0} begins before the one in front of it ends")]
    Order(usize),
    /// More than [`EditList::EDITS_MAX`] of them.
    #[error("{0} edits are above the limit of {max}", max = EditList::EDITS_MAX)]
    Count(usize),
    /// More than [`EditList::OCTETS_MAX`] octets to insert.
    #[error("{0} octets to insert are above the limit of {max}", max = EditList::OCTETS_MAX)]
    Octets(u64),
}

impl EditList {
    /// Most edits of one message.
    pub const EDITS_MAX: usize = 1_024;
    /// Most octets that the edits of one message insert: the log repeats them with the message.
    pub const OCTETS_MAX: u64 = 256 << 10;

    /// A list of `edits`.
    ///
    /// # Errors
    ///
    /// [`EditError`] when they are too many, too large or not in order.
    pub fn new(edits: Vec<Edit>) -> Result<Self, EditError> {
        if edits.len() > Self::EDITS_MAX {
            return Err(EditError::Count(edits.len()));
        }
        let inserted = edits.iter().fold(0, |sum: u64, edit| sum.saturating_add(count(edit)));
        if inserted > Self::OCTETS_MAX {
            return Err(EditError::Octets(inserted));
        }
        let mut free = 0u64;
        for (number, edit) in edits.iter().enumerate() {
            let end = edit.at.checked_add(edit.remove).filter(|_| edit.at >= free);
            free = end.ok_or(EditError::Order(number))?;
        }
        Ok(Self { edits })
    }

    /// The edits, from front to back.
    pub fn edits(&self) -> &[Edit] {
        &self.edits
    }

    /// Whether the content is as it was taken in.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Octets of a content of `octets` with these edits; none when one reaches beyond its end.
    pub fn octets_after(&self, octets: u64) -> Option<u64> {
        self.edits.iter().try_fold(octets, |sum, edit| {
            let within = edit.at.checked_add(edit.remove).is_some_and(|end| end <= octets);
            within.then(|| sum.saturating_sub(edit.remove).saturating_add(count(edit)))
        })
    }

    pub(crate) fn check(&self, octets: u64) -> Result<(), StoreError> {
        const BEYOND: StoreError =
            StoreError::Unreachable("an edit reaches beyond the end of the content");
        self.octets_after(octets).map(|_| ()).ok_or(BEYOND)
    }

    /// The content with these edits; none when one reaches beyond its end.
    pub(crate) fn apply(&self, content: Content) -> Option<Result<Content, StoreError>> {
        let octets = self.octets_after(content.octets())?;
        if self.is_empty() {
            return Some(Ok(content));
        }
        let in_memory = content.bytes().is_some();
        let edited = Edited { pieces: self.pieces(content.octets()), content };
        if !in_memory {
            return Some(Ok(Content::from_reader(octets, Arc::new(edited))));
        }
        // What is in memory stays there: many read it as a whole.
        let mut whole = vec![0; usize::try_from(octets).ok()?];
        let read = edited.read_at(0, &mut whole);
        Some(read.map(|_| Content::from_bytes(whole.into())))
    }

    /// What the content of `octets` is made of, from front to back.
    fn pieces(&self, octets: u64) -> Vec<Piece> {
        let (mut pieces, mut start, mut from) = (Vec::new(), 0u64, 0u64);
        let mut push = |source, octets| {
            if octets > 0 {
                pieces.push(Piece { start, octets, source });
                start = start.saturating_add(octets);
            }
        };
        for edit in &self.edits {
            push(Source::Kept(from), edit.at.saturating_sub(from));
            push(Source::Inserted(edit.insert.clone()), count(edit));
            from = edit.at.saturating_add(edit.remove);
        }
        push(Source::Kept(from), octets.saturating_sub(from));
        pieces
    }
}

/// Octets that the edit inserts.
fn count(edit: &Edit) -> u64 {
    u64::try_from(edit.insert.len()).unwrap_or(u64::MAX)
}

/// A run of octets of an edited content.
struct Piece {
    /// Where it begins.
    start: u64,
    octets: u64,
    source: Source,
}

enum Source {
    /// From here on in the content as it was taken in.
    Kept(u64),
    Inserted(Bytes),
}

/// A content that is put together as it is read.
struct Edited {
    content: Content,
    pieces: Vec<Piece>,
}

impl Edited {
    /// Reads from one piece; 0 at the end.
    fn read_piece(&self, offset: u64, buf: &mut [u8]) -> Result<usize, StoreError> {
        let behind = self.pieces.partition_point(|piece| piece.start <= offset);
        let piece = behind.checked_sub(1).and_then(|at| self.pieces.get(at));
        let Some(piece) = piece else {
            return Ok(0);
        };
        let skip = offset.saturating_sub(piece.start);
        let left = usize::try_from(piece.octets.saturating_sub(skip)).unwrap_or(usize::MAX);
        let octets = left.min(buf.len());
        let buf = buf.get_mut(..octets).unwrap_or_default();
        match &piece.source {
            Source::Kept(from) => self.content.read_at(from.saturating_add(skip), buf),
            Source::Inserted(bytes) => {
                let from = usize::try_from(skip).unwrap_or(usize::MAX);
                let from = bytes.get(from..).and_then(|rest| rest.get(..octets));
                let from = from.unwrap_or_default();
                buf.get_mut(..from.len()).unwrap_or_default().copy_from_slice(from);
                Ok(from.len())
            }
        }
    }
}

impl ReadContent for Edited {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, StoreError> {
        let mut filled = 0usize;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            match self.read_piece(at, rest)? {
                0 => break,
                octets => filled = filled.saturating_add(octets),
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests;
