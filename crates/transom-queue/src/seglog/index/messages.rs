//! The open messages by their ids. Entries lie in chunks, and the table holds four octets for each:
//! a table of entries that doubles would hold more than half of its places empty.

use std::fmt;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::Entry;

/// Entries of a chunk, and how many bits of a number name one.
const CHUNK: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 12;

/// Entries by the id of their message.
#[derive(Default)]
pub(in crate::seglog) struct Messages {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    chunks: Vec<Vec<(u64, Entry)>>,
    /// Places whose message is gone.
    free: Vec<u32>,
}

impl Messages {
    pub(in crate::seglog) fn len(&self) -> usize {
        self.table.len()
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "asked as a map is")]
    pub(in crate::seglog) fn get(&self, id: &u64) -> Option<&Entry> {
        let at = self.table.find(self.hasher.hash_one(id), |at| self.id(*at) == Some(*id))?;
        place(&self.chunks, *at).map(|(_, entry)| entry)
    }

    /// Gives what stood there before.
    pub(super) fn insert(&mut self, id: u64, entry: Entry) -> Option<Entry> {
        let hash = self.hasher.hash_one(id);
        let known = self.table.find(hash, |at| self.id(*at) == Some(id)).copied();
        if let Some((_, before)) = known.and_then(|at| place_mut(&mut self.chunks, at)) {
            return Some(std::mem::replace(before, entry));
        }
        let at = self.put((id, entry));
        let (hasher, chunks) = (&self.hasher, &self.chunks);
        self.table.insert_unique(hash, at, |at| {
            hasher.hash_one(place(chunks, *at).map(|(id, _)| *id).unwrap_or_default())
        });
        None
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "asked as a map is")]
    pub(super) fn remove(&mut self, id: &u64) -> Option<Entry> {
        let chunks = &self.chunks;
        let is_it = |at: &u32| place(chunks, *at).is_some_and(|(known, _)| known == id);
        let found = self.table.find_entry(self.hasher.hash_one(id), is_it).ok()?;
        let (at, _) = found.remove();
        self.free.push(at);
        let (_, entry) = place_mut(&mut self.chunks, at)?;
        Some(std::mem::take(entry))
    }

    pub(in crate::seglog) fn iter(&self) -> impl Iterator<Item = (&u64, &Entry)> {
        let places = self.table.iter().filter_map(|at| place(&self.chunks, *at));
        places.map(|(id, entry)| (id, entry))
    }

    /// Some of the messages; none behind the last. Places that are free hold records nowhere.
    pub(in crate::seglog) fn part(&self, number: usize) -> Option<&[(u64, Entry)]> {
        self.chunks.get(number).map(Vec::as_slice)
    }

    pub(in crate::seglog) fn keys(&self) -> impl Iterator<Item = &u64> {
        self.iter().map(|(id, _)| id)
    }

    fn id(&self, at: u32) -> Option<u64> {
        place(&self.chunks, at).map(|(id, _)| *id)
    }

    fn put(&mut self, entry: (u64, Entry)) -> u32 {
        let free = self.free.pop();
        if let Some(at) = free
            && let Some(place) = place_mut(&mut self.chunks, at)
        {
            *place = entry;
            return at;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let full = self.chunks.len().saturating_sub(1).saturating_mul(CHUNK);
        let chunk = self.chunks.last_mut();
        let at = chunk.map_or(full, |chunk| {
            chunk.push(entry);
            full.saturating_add(chunk.len()).saturating_sub(1)
        });
        // Four thousand million entries do not fit into memory.
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}

fn split(at: u32) -> (usize, usize) {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    (at >> CHUNK_BITS, at & (CHUNK - 1))
}

fn place(chunks: &[Vec<(u64, Entry)>], at: u32) -> Option<&(u64, Entry)> {
    let (chunk, at) = split(at);
    chunks.get(chunk)?.get(at)
}

fn place_mut(chunks: &mut [Vec<(u64, Entry)>], at: u32) -> Option<&mut (u64, Entry)> {
    let (chunk, at) = split(at);
    chunks.get_mut(chunk)?.get_mut(at)
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("len", &self.len()).finish_non_exhaustive()
    }
}
