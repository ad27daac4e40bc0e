//! Changes of a header section as edits of octets, which is what a spool keeps.

use std::fmt;

use bytes::Bytes;
use transom_message::HeaderSection;

use super::field::{FieldMatch, NewField};

/// A change of the header section.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderChange {
    /// One more field, on top of the others.
    Add(NewField),
    /// No field that matches.
    Remove(FieldMatch),
    /// Another field in the place of the one with the same name at this occurrence, from 0 and
    /// from the top. Nothing happens where there is none.
    Replace {
        /// Which of the fields of that name.
        occurrence: u32,
        /// What stands there then.
        field: NewField,
    },
}

impl fmt::Display for HeaderChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(field) | Self::Replace { field, .. } => f.write_str(field.name()),
            Self::Remove(fields) => fields.fmt(f),
        }
    }
}

/// Octets of a content go, others come in their place: the spool's edit, as a value that this
/// crate may know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "where, how many, what instead")]
pub struct ContentEdit {
    /// Where, in octets of the content before all edits.
    pub at: u64,
    /// How many octets go.
    pub remove: u64,
    /// What comes in their place.
    pub insert: Bytes,
}

impl ContentEdit {
    /// The same edit where `octets` stand before the content: the trace field that a server puts
    /// there.
    #[must_use]
    pub fn behind(self, octets: u64) -> Self {
        Self { at: self.at.saturating_add(octets), ..self }
    }
}

/// A field of the section that is being changed.
struct Slot<'a> {
    name: &'a str,
    at: usize,
    octets: usize,
    /// What stands there now; none where it is as it was.
    now: Option<&'a [u8]>,
}

/// The edits that make `changes`, one after the other, to a content that begins with `headers`:
/// from front to back, none in the place of another.
pub fn header_edits(headers: &HeaderSection<'_>, changes: &[HeaderChange]) -> Vec<ContentEdit> {
    let slot = |field: transom_message::HeaderField<'_>| (field.at(), field.raw().len());
    let names: Vec<_> = headers.fields().map(|field| (field.name(), slot(field))).collect();
    let mut slots: Vec<Slot<'_>> = names
        .into_iter()
        .map(|(name, (at, octets))| Slot { name, at, octets, now: None })
        .collect();
    // The newest first, as they stand.
    let mut added: Vec<&NewField> = Vec::new();
    for change in changes {
        match change {
            HeaderChange::Add(field) => added.insert(0, field),
            HeaderChange::Remove(fields) => {
                added.retain(|field| !fields.matches_name(field.name()));
                let gone = slots.iter_mut().filter(|slot| fields.matches_name(slot.name));
                gone.for_each(|slot| slot.now = Some(&[]));
            }
            HeaderChange::Replace { occurrence, field } => {
                replace(&mut added, &mut slots, *occurrence, field);
            }
        }
    }
    let mut edits = Vec::with_capacity(slots.len().saturating_add(1));
    let on_top: Vec<u8> = added.iter().flat_map(|field| field.octets()).copied().collect();
    let top = top_of(headers.octets());
    if !on_top.is_empty() {
        edits.push(ContentEdit { at: count(top), remove: 0, insert: on_top.into() });
    }
    for Slot { at, octets, now, .. } in slots {
        if let Some(now) = now {
            let insert = Bytes::copy_from_slice(now);
            edits.push(ContentEdit { at: count(at), remove: count(octets), insert });
        }
    }
    edits
}

fn replace<'a>(
    added: &mut [&'a NewField],
    slots: &mut [Slot<'a>],
    occurrence: u32,
    field: &'a NewField,
) {
    let mut left = occurrence;
    let mut is_it = |name: &str| {
        let same = name.eq_ignore_ascii_case(field.name());
        let found = same && left == 0;
        left = if same { left.saturating_sub(1) } else { left };
        found
    };
    if let Some(place) = added.iter_mut().find(|added| is_it(added.name())) {
        *place = field;
        return;
    }
    let gone = |slot: &Slot<'_>| slot.now.is_some_and(<[u8]>::is_empty);
    if let Some(slot) = slots.iter_mut().find(|slot| !gone(slot) && is_it(slot.name)) {
        slot.now = Some(field.octets());
    }
}

/// Where a field may be added on top. A content may begin with a line that goes on with nothing:
/// behind a field of ours it would go on with that.
fn top_of(section: &[u8]) -> usize {
    let lines = section.split_inclusive(|octet| *octet == b'\n');
    let lost = lines.take_while(|line| line.starts_with(b" ") || line.starts_with(b"\t"));
    lost.fold(0, |sum, line| sum.saturating_add(line.len()))
}

fn count(octets: usize) -> u64 {
    u64::try_from(octets).unwrap_or(u64::MAX)
}

/// `content` with `edits`, which are in order.
pub fn apply_edits(content: &[u8], edits: &[ContentEdit]) -> Vec<u8> {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(content.len());
    let (mut edited, mut from) = (Vec::with_capacity(content.len()), 0usize);
    for edit in edits {
        let at = place(edit.at);
        edited.extend_from_slice(content.get(from..at).unwrap_or_default());
        edited.extend_from_slice(&edit.insert);
        from = place(edit.at.saturating_add(edit.remove));
    }
    edited.extend_from_slice(content.get(from..).unwrap_or_default());
    edited
}

/// A part of an edited content.
#[derive(Clone, Debug)]
enum Piece {
    /// Octets of the content, from here on.
    Kept {
        from: u64,
        octets: u64,
    },
    Inserted(Bytes),
}

impl Piece {
    fn octets(&self) -> u64 {
        match self {
            Self::Kept { octets, .. } => *octets,
            Self::Inserted(octets) => count(octets.len()),
        }
    }

    /// The first `octets` of it, and the rest.
    fn split(self, octets: u64) -> (Self, Self) {
        match self {
            Self::Kept { from, octets: all } => {
                let rest = (from.saturating_add(octets), all.saturating_sub(octets));
                (Self::Kept { from, octets }, Self::Kept { from: rest.0, octets: rest.1 })
            }
            Self::Inserted(mut bytes) => {
                let at = usize::try_from(octets).unwrap_or(usize::MAX).min(bytes.len());
                let rest = bytes.split_off(at);
                (Self::Inserted(bytes), Self::Inserted(rest))
            }
        }
    }
}

/// The edits that do what `first` and then `second` do, whose places are those of the content that
/// `first` makes. Both are in order.
///
/// A spool counts all edits of a message in the content as it was taken in, while agents in the
/// categorizer see what those in the session have made.
pub fn compose_edits(first: &[ContentEdit], second: &[ContentEdit]) -> Vec<ContentEdit> {
    let mut pieces = pieces(first).into_iter();
    let (mut result, mut current, mut at) = (Vec::new(), pieces.next(), 0u64);
    // Moves the place in what `first` makes forward to `until`.
    let mut advance = |until: u64, result: &mut Vec<Piece>, keep: bool| {
        while at < until {
            let Some(piece) = current.take() else { return };
            let (octets, wanted) = (piece.octets(), until.saturating_sub(at));
            let (head, rest) = piece.split(octets.min(wanted));
            at = at.saturating_add(head.octets());
            current = if octets > wanted { Some(rest) } else { pieces.next() };
            if keep {
                result.push(head);
            }
        }
    };
    for edit in second {
        advance(edit.at, &mut result, true);
        result.push(Piece::Inserted(edit.insert.clone()));
        advance(edit.at.saturating_add(edit.remove), &mut result, false);
    }
    advance(u64::MAX, &mut result, true);
    edits_of(result)
}

/// What a content of any length is made of after `edits`.
fn pieces(edits: &[ContentEdit]) -> Vec<Piece> {
    let (mut pieces, mut from) = (Vec::with_capacity(edits.len().saturating_mul(2)), 0u64);
    for edit in edits {
        pieces.push(Piece::Kept { from, octets: edit.at.saturating_sub(from) });
        pieces.push(Piece::Inserted(edit.insert.clone()));
        from = edit.at.saturating_add(edit.remove);
    }
    pieces.push(Piece::Kept { from, octets: u64::MAX.saturating_sub(from) });
    pieces
}

/// The edits that make `pieces`, the last of which reaches to the end.
fn edits_of(pieces: Vec<Piece>) -> Vec<ContentEdit> {
    let (mut edits, mut at, mut pending) = (Vec::new(), 0u64, Vec::new());
    for piece in pieces {
        match piece {
            Piece::Inserted(octets) => pending.extend_from_slice(&octets),
            Piece::Kept { octets: 0, .. } => {}
            Piece::Kept { from, octets } => {
                if from > at || !pending.is_empty() {
                    let insert = std::mem::take(&mut pending).into();
                    edits.push(ContentEdit { at, remove: from.saturating_sub(at), insert });
                }
                at = from.saturating_add(octets);
            }
        }
    }
    edits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONTENT: &[u8] = b"Received: a\r\nX-Org: 1\r\nTo: x\r\nx-org: 2\r\nTo: y\r\n\r\nbody\r\n";

    fn changed(content: &[u8], changes: &[HeaderChange]) -> String {
        let edits = header_edits(&HeaderSection::parse(content), changes);
        String::from_utf8(apply_edits(content, &edits)).unwrap()
    }

    fn add(name: &str, value: &str) -> HeaderChange {
        HeaderChange::Add(NewField::new(name, value))
    }

    fn replace(occurrence: u32, name: &str, value: &str) -> HeaderChange {
        HeaderChange::Replace { occurrence, field: NewField::new(name, value) }
    }

    #[test]
    fn fields_are_added_on_top_removed_and_replaced() {
        let remove = HeaderChange::Remove(FieldMatch::name("X-Org"));
        assert_eq!(
            changed(
                CONTENT,
                &[add("A", "1"), remove.clone(), replace(1, "To", "z"), add("B", "2")]
            ),
            "B: 2\r\nA: 1\r\nReceived: a\r\nTo: x\r\nTo: z\r\n\r\nbody\r\n"
        );
        // One after the other: what was added can go, what is gone cannot be replaced.
        let changes = [add("X-Org", "3"), remove, replace(0, "X-Org", "4"), replace(2, "To", "?")];
        assert_eq!(changed(CONTENT, &changes), "Received: a\r\nTo: x\r\nTo: y\r\n\r\nbody\r\n");
    }

    #[test]
    fn edits_can_be_made_behind_a_trace_field() {
        let trace = b"Received: by us\r\n";
        let changes = [add("A", "1"), HeaderChange::Remove(FieldMatch::name("Received"))];
        let edits = header_edits(&HeaderSection::parse(CONTENT), &changes);
        let edits: Vec<_> = edits.into_iter().map(|it| it.behind(count(trace.len()))).collect();
        let edited = String::from_utf8(apply_edits(&[trace, CONTENT].concat(), &edits)).unwrap();
        assert!(edited.starts_with("Received: by us\r\nA: 1\r\nX-Org: 1\r\n"), "{edited}");
    }

    #[test]
    fn a_lost_fold_does_not_go_on_with_our_field() {
        let made = changed(b" pass; lost\r\nA: 1\r\n\r\n", &[add("X-Result", "fail")]);
        assert_eq!(made, " pass; lost\r\nX-Result: fail\r\nA: 1\r\n\r\n");
        assert_eq!(changed(b"\r\nbody", &[add("A", "1")]), "A: 1\r\n\r\nbody");
        assert_eq!(changed(b"", &[add("A", "1")]), "A: 1\r\n");
    }

    fn any_edits() -> impl Strategy<Value = Vec<ContentEdit>> {
        let one = (0u64..6, 0u64..6, "[a-z]{0,4}");
        prop::collection::vec(one, 0..6).prop_map(|parts| {
            let mut at = 0;
            let mut edits = Vec::new();
            for (skip, remove, insert) in parts {
                at += skip;
                edits.push(ContentEdit { at, remove, insert: insert.into_bytes().into() });
                at += remove;
            }
            edits
        })
    }

    proptest! {
        #[test]
        fn composed_edits_do_what_both_do(first in any_edits(), second in any_edits()) {
            let content: Vec<u8> = (0..200).collect();
            let once = apply_edits(&content, &first);
            let twice = apply_edits(&once, &second);
            let composed = compose_edits(&first, &second);
            prop_assert_eq!(apply_edits(&content, &composed), twice);
            let mut free = 0;
            for edit in composed {
                prop_assert!(edit.at >= free);
                free = edit.at + edit.remove;
            }
        }
    }
}
