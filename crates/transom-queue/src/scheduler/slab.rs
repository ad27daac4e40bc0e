//! Entries with small, stable indices, and lists threaded through them. An index is four octets
//! where a pointer or a hash entry would be many more, and taking an entry out of the middle of a
//! list costs nothing.

use std::fmt;

/// No entry.
const NONE: u32 = u32::MAX;

/// A store whose entries keep their index until they are removed; free places are used again.
pub(super) struct Slab<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }

    pub(super) fn insert(&mut self, entry: T) -> u32 {
        if let Some(at) = self.free.pop()
            && let Some(place) = usize::try_from(at).ok().and_then(|at| self.entries.get_mut(at))
        {
            *place = Some(entry);
            return at;
        }
        // Four thousand million entries do not fit into memory.
        let at = u32::try_from(self.entries.len()).unwrap_or(NONE);
        self.entries.push(Some(entry));
        at
    }

    pub(super) fn get(&self, at: u32) -> Option<&T> {
        self.entries.get(usize::try_from(at).ok()?)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.entries.get_mut(usize::try_from(at).ok()?)?.as_mut()
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<T> {
        let entry = self.entries.get_mut(usize::try_from(at).ok()?)?.take();
        if entry.is_some() {
            self.free.push(at);
        }
        entry
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len().saturating_sub(self.free.len())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0u32..).zip(&self.entries).filter_map(|(at, entry)| Some((at, entry.as_ref()?)))
    }
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
}
