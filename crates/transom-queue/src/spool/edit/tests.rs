use proptest::prelude::*;

use super::*;

/// An edit: how many octets are kept before it, how many go, and what comes.
type Change = (usize, usize, Vec<u8>);

/// A content, and changes of it.
fn lists() -> impl Strategy<Value = (Vec<u8>, Vec<Change>)> {
    let edit = (0..20usize, 0..20usize, prop::collection::vec(any::<u8>(), 0..12));
    (prop::collection::vec(any::<u8>(), 0..200), prop::collection::vec(edit, 0..8))
}

/// The edits, and the content that they make, in the simplest way.
fn naive(content: &[u8], list: Vec<Change>) -> (EditList, Vec<u8>) {
    let (mut edits, mut made, mut from) = (Vec::new(), Vec::new(), 0);
    for (gap, remove, insert) in list {
        let at = (from + gap).min(content.len());
        let end = (at + remove).min(content.len());
        made.extend_from_slice(&content[from..at]);
        made.extend_from_slice(&insert);
        from = end;
        let octets = |number: usize| u64::try_from(number).unwrap();
        edits.push(Edit { at: octets(at), remove: octets(end - at), insert: insert.into() });
    }
    made.extend_from_slice(&content[from..]);
    (EditList::new(edits).unwrap(), made)
}

/// A content that does not lie in memory.
struct Elsewhere(Vec<u8>);

impl ReadContent for Elsewhere {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, StoreError> {
        Content::from_bytes(self.0.clone().into()).read_at(offset, buf)
    }
}

fn read(content: &Content, piece: usize) -> Vec<u8> {
    let (mut octets, mut buf) = (Vec::new(), vec![0; piece]);
    loop {
        match content.read_at(u64::try_from(octets.len()).unwrap(), &mut buf).unwrap() {
            0 => return octets,
            count => octets.extend_from_slice(&buf[..count]),
        }
    }
}

proptest! {
    #[test]
    fn edits_make_what_cutting_and_joining_makes((octets, list) in lists(), piece in 1..40usize) {
        let (edits, made) = naive(&octets, list);
        let length = u64::try_from(octets.len()).unwrap();
        let memory = Content::from_bytes(octets.clone().into());
        let reader = Content::from_reader(length, Arc::new(Elsewhere(octets)));
        for content in [memory, reader] {
            let in_memory = content.bytes().is_some();
            let edited = edits.apply(content).unwrap().unwrap();
            prop_assert_eq!(edited.octets(), u64::try_from(made.len()).unwrap());
            prop_assert_eq!(read(&edited, piece), made.clone());
            prop_assert_eq!(edited.bytes().is_some(), in_memory);
        }
        prop_assert_eq!(edits.octets_after(length), Some(u64::try_from(made.len()).unwrap()));
    }
}

fn edit(at: u64, remove: u64, insert: usize) -> Edit {
    Edit { at, remove, insert: vec![b'x'; insert].into() }
}

#[test]
fn lists_that_are_none_are_told_apart() {
    let limit = usize::try_from(EditList::OCTETS_MAX).unwrap();
    for (edits, expected) in [
        (vec![edit(0, 0, 1), edit(0, 0, 1), edit(0, 4, 0), edit(4, 0, 1)], Ok(())),
        (vec![edit(0, 4, 0), edit(3, 0, 1)], Err(EditError::Order(1))),
        (vec![edit(u64::MAX, 1, 0)], Err(EditError::Order(0))),
        (vec![edit(0, 0, limit)], Ok(())),
        (vec![edit(0, 0, limit), edit(1, 0, 1)], Err(EditError::Octets(EditList::OCTETS_MAX + 1))),
        (vec![edit(0, 0, 0); EditList::EDITS_MAX + 1], Err(EditError::Count(1_025))),
    ] {
        assert_eq!(EditList::new(edits).map(|_| ()), expected);
    }
}

#[test]
fn edit_beyond_the_end_makes_no_content() {
    let edits = EditList::new(vec![edit(3, 2, 1)]).unwrap();
    assert_eq!((edits.octets_after(4), edits.octets_after(5)), (None, Some(4)));
    assert!(edits.check(4).is_err() && edits.check(5).is_ok());
    assert!(edits.apply(Content::from_bytes("1234".into())).is_none());
}
