//! Content as agents read it: by offset, without holding it in memory.

use std::io;

use bytes::Bytes;

/// The content of one message, in whatever place the spool keeps it.
///
/// Calls may block on a disk: an agent reads inside a blocking task or accepts that cost. The
/// content never changes while the source exists, and reads from several threads are fine.
pub trait ContentSource: Send + Sync + 'static {
    /// Length of the content in octets.
    fn len(&self) -> u64;

    /// Whether there is no content at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills the start of `buf` with octets from `offset` on and tells how many; 0 only at or
    /// behind the end, or for an empty `buf`. May fill less than there is.
    ///
    /// # Errors
    ///
    /// What the place where the content lies says.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
}

impl ContentSource for Bytes {
    fn len(&self) -> u64 {
        u64::try_from(self.as_ref().len()).unwrap_or(u64::MAX)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.as_ref().get(offset..));
        Ok(rest.map_or(0, |rest| copy_start(rest, buf)))
    }
}

/// Copies as much of `from` as `to` holds.
fn copy_start(from: &[u8], to: &mut [u8]) -> usize {
    let octets = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..octets), to.get_mut(..octets)) {
        to.copy_from_slice(from);
    }
    octets
}

/// Reads a [`ContentSource`] from its start to its end as a [`std::io::Read`].
pub struct ContentReader<'a> {
    source: &'a dyn ContentSource,
    offset: u64,
}

impl<'a> ContentReader<'a> {
    /// A reader that stands at the start.
    pub fn new(source: &'a dyn ContentSource) -> Self {
        Self { source, offset: 0 }
    }
}

impl std::fmt::Debug for ContentReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentReader").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl io::Read for ContentReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let octets = self.source.read_at(self.offset, buf)?;
        self.offset = self.offset.saturating_add(u64::try_from(octets).unwrap_or(0));
        Ok(octets)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn reader_gives_the_whole_content_in_order() {
        let content = Bytes::from_static(b"Subject: x\r\n\r\nbody\r\n");
        let mut reader = ContentReader::new(&content);
        let mut read = Vec::new();
        let mut piece = [0; 3];
        loop {
            match reader.read(&mut piece).unwrap() {
                0 => break,
                octets => read.extend_from_slice(&piece[..octets]),
            }
        }
        assert_eq!(read, content.as_ref());
    }

    #[test]
    fn nothing_is_read_behind_the_end() {
        let content = Bytes::from_static(b"abc");
        let mut piece = [0; 8];
        assert_eq!(content.read_at(2, &mut piece).unwrap(), 1);
        assert_eq!(content.read_at(3, &mut piece).unwrap(), 0);
        assert_eq!(content.read_at(u64::MAX, &mut piece).unwrap(), 0);
    }
}
