//! Entries with small, stable indices, and lists threaded through them. An index is four octets
//! where a pointer or a hash entry would be many more, and taking an entry out of the middle of a
//! list costs nothing.

use std::fmt;

/// No entry.
const NONE: u32 = u32::MAX;

/// Entries of a chunk, and how many bits of an index name one. A store grows by whole chunks: it
/// never copies what it has, and never holds it twice.
const CHUNK: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 12;

/// A store whose entries keep their index until they are removed; free places are used again.
pub(super) struct Slab<T> {
    chunks: Vec<Vec<Place<T>>>,
    /// The first free place; each free place names the next.
    free: u32,
    len: u32,
}

enum Place<T> {
    Free(u32),
    Used(T),
}

impl<T> Slab<T> {
    /// What a place takes.
    #[cfg(test)]
    pub(super) const PLACE_OCTETS: usize = size_of::<Place<T>>();

    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), free: NONE, len: 0 }
    }

    pub(super) fn insert(&mut self, entry: T) -> u32 {
        self.len = self.len.saturating_add(1);
        let at = self.free;
        if let Some(place) = self.place_mut(at)
            && let Place::Free(next) = *place
        {
            *place = Place::Used(entry);
            self.free = next;
            return at;
        }
        self.push(entry)
    }

    fn push(&mut self, entry: T) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let full = self.chunks.len().saturating_sub(1).saturating_mul(CHUNK);
        let Some(chunk) = self.chunks.last_mut() else { return NONE };
        let at = full.saturating_add(chunk.len());
        chunk.push(Place::Used(entry));
        // Four thousand million entries do not fit into memory.
        u32::try_from(at).unwrap_or(NONE)
    }

    pub(super) fn get(&self, at: u32) -> Option<&T> {
        let (chunk, place) = split(at);
        match self.chunks.get(chunk)?.get(place)? {
            Place::Used(entry) => Some(entry),
            Place::Free(_) => None,
        }
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        match self.place_mut(at)? {
            Place::Used(entry) => Some(entry),
            Place::Free(_) => None,
        }
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<T> {
        let free = self.free;
        let place = self.place_mut(at)?;
        match std::mem::replace(place, Place::Free(free)) {
            Place::Used(entry) => {
                self.free = at;
                self.len = self.len.saturating_sub(1);
                Some(entry)
            }
            Place::Free(next) => {
                *place = Place::Free(next);
                None
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }

    /// Behind the last index that an entry can have now.
    pub(super) fn end(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1).saturating_mul(CHUNK);
        let end = full.saturating_add(self.chunks.last().map_or(0, Vec::len));
        u32::try_from(end).unwrap_or(NONE)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0u32..).zip(self.chunks.iter().flatten()).filter_map(|(at, place)| match place {
            Place::Used(entry) => Some((at, entry)),
            Place::Free(_) => None,
        })
    }

    fn place_mut(&mut self, at: u32) -> Option<&mut Place<T>> {
        let (chunk, place) = split(at);
        self.chunks.get_mut(chunk)?.get_mut(place)
    }
}

/// Chunk, and place in it.
fn split(at: u32) -> (usize, usize) {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    (at >> CHUNK_BITS, at & (CHUNK - 1))
}

impl<T> fmt::Debug for Slab<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slab").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The neighbours of an entry in one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    prev: u32,
    next: u32,
}

impl Link {
    /// In no list.
    pub(super) const NONE: Self = Self { prev: NONE, next: NONE };
}

/// An entry that can stand in the list `L`, a marker type.
pub(super) trait Linked<L> {
    fn link(&self) -> Link;
    fn link_mut(&mut self) -> &mut Link;
}

/// A list of entries of one slab. Each entry is in at most one list of a marker: its owner keeps
/// count of where it is.
#[derive(Debug)]
pub(super) struct List<L> {
    head: u32,
    tail: u32,
    len: u32,
    marker: std::marker::PhantomData<L>,
}

impl<L> List<L> {
    pub(super) const fn new() -> Self {
        Self { head: NONE, tail: NONE, len: 0, marker: std::marker::PhantomData }
    }

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn front(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    pub(super) fn push_back<T: Linked<L>>(&mut self, slab: &mut Slab<T>, at: u32) {
        let Some(entry) = slab.get_mut(at) else { return };
        *entry.link_mut() = Link { prev: self.tail, next: NONE };
        match slab.get_mut(self.tail) {
            Some(last) => last.link_mut().next = at,
            None => self.head = at,
        }
        self.tail = at;
        self.len = self.len.saturating_add(1);
    }

    /// Takes `at` out; it must be in this list.
    pub(super) fn remove<T: Linked<L>>(&mut self, slab: &mut Slab<T>, at: u32) {
        let Some(entry) = slab.get_mut(at) else { return };
        let Link { prev, next } = std::mem::replace(entry.link_mut(), Link::NONE);
        match slab.get_mut(prev) {
            Some(before) => before.link_mut().next = next,
            None => self.head = next,
        }
        match slab.get_mut(next) {
            Some(after) => after.link_mut().prev = prev,
            None => self.tail = prev,
        }
        self.len = self.len.saturating_sub(1);
    }

    /// The entries, front to back.
    pub(super) fn iter<T: Linked<L>>(&self, slab: &Slab<T>) -> impl Iterator<Item = u32> {
        let mut at = self.head;
        std::iter::from_fn(move || {
            let found = at;
            at = slab.get(found)?.link().next;
            Some(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Entry(u8, Link);

    #[derive(Debug)]
    struct Only;

    impl Linked<Only> for Entry {
        fn link(&self) -> Link {
            self.1
        }
        fn link_mut(&mut self) -> &mut Link {
            &mut self.1
        }
    }

    proptest! {
        #[test]
        fn list_behaves_as_a_vector(ops in proptest::collection::vec(any::<(bool, u8)>(), 0..200)) {
            let (mut slab, mut list, mut model) = (Slab::new(), List::<Only>::new(), Vec::new());
            for (push, value) in ops {
                if push || model.is_empty() {
                    let at = slab.insert(Entry(value, Link::NONE));
                    list.push_back(&mut slab, at);
                    model.push((at, value));
                } else {
                    let (at, value) = model.remove(usize::from(value) % model.len());
                    list.remove(&mut slab, at);
                    prop_assert_eq!(slab.remove(at).map(|entry| entry.0), Some(value));
                    prop_assert!(slab.remove(at).is_none());
                }
                let found: Vec<u32> = list.iter(&slab).collect();
                let expected: Vec<u32> = model.iter().map(|(at, _)| *at).collect();
                prop_assert_eq!(found, expected);
                prop_assert_eq!(list.front(), model.first().map(|(at, _)| *at));
                prop_assert_eq!(usize::try_from(list.len()).unwrap(), model.len());
                prop_assert_eq!(slab.len(), model.len());
                prop_assert_eq!(slab.iter().count(), model.len());
            }
        }
    }

    #[test]
    fn places_of_several_chunks_are_found_and_used_again() {
        let mut slab = Slab::new();
        let all: Vec<u32> = (0..10_000u32).map(|value| slab.insert(value)).collect();
        assert!((0..).zip(&all).all(|(value, at)| slab.get(*at) == Some(&value)));
        for at in all.iter().step_by(3) {
            slab.remove(*at);
        }
        let chunks = slab.chunks.len();
        for _ in all.iter().step_by(3) {
            assert!(all.contains(&slab.insert(7)));
        }
        assert_eq!((slab.chunks.len(), slab.len()), (chunks, 10_000));
    }
}
