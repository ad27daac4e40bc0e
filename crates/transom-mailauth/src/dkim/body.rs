//! Hashes of the body, made while it goes by. How it was cut into pieces does not matter.

use super::header::Canonicalization;
use super::keys::Sha256Hasher;

/// One hash that is wanted: a form, and how many octets of it (`l=`).
pub(crate) type Wanted = (Canonicalization, Option<u64>);

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct BodyHash {
    pub(crate) digest: [u8; 32],
    /// Octets of the canonical body that the hash leaves out.
    pub(crate) unsigned: u64,
    /// The body has fewer octets than the hash should cover.
    pub(crate) is_short: bool,
}

/// All hashes over one form of the body.
#[derive(Debug)]
pub(crate) struct BodyHasher {
    canonicalizer: Canonicalizer,
    sinks: Sinks,
}

impl BodyHasher {
    pub(crate) fn new(form: Canonicalization, limits: impl Iterator<Item = Option<u64>>) -> Self {
        let sinks = limits.map(|limit| Sink { limit, hashed: 0, hasher: Sha256Hasher::new() });
        let sinks = Sinks { sinks: sinks.collect(), octets: 0 };
        Self { canonicalizer: Canonicalizer::new(form), sinks }
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        match self.canonicalizer.form {
            Canonicalization::Simple => self.canonicalizer.simple(piece, &mut self.sinks),
            Canonicalization::Relaxed => self.canonicalizer.relaxed(piece, &mut self.sinks),
        }
    }

    pub(crate) fn finish(mut self) -> Vec<(Wanted, BodyHash)> {
        self.canonicalizer.finish(&mut self.sinks);
        let (form, octets) = (self.canonicalizer.form, self.sinks.octets);
        let sinks = self.sinks.sinks.into_iter();
        let hashes = sinks.map(|sink| {
            let hash = BodyHash {
                digest: sink.hasher.finish(),
                unsigned: octets.saturating_sub(sink.hashed),
                is_short: sink.limit.is_some_and(|limit| limit > octets),
            };
            ((form, sink.limit), hash)
        });
        hashes.collect()
    }
}

#[derive(Debug)]
struct Sinks {
    sinks: Vec<Sink>,
    /// Of the whole canonical body.
    octets: u64,
}

#[derive(Debug)]
struct Sink {
    limit: Option<u64>,
    hashed: u64,
    hasher: Sha256Hasher,
}

impl Sinks {
    fn write(&mut self, octets: &[u8]) {
        let length = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        self.octets = self.octets.saturating_add(length);
        for sink in &mut self.sinks {
            let room = sink.limit.map_or(length, |limit| limit.saturating_sub(sink.hashed));
            let room = room.min(length);
            let room_octets = usize::try_from(room).unwrap_or(usize::MAX);
            sink.hasher.update(octets.get(..room_octets).unwrap_or(octets));
            sink.hashed = sink.hashed.saturating_add(room);
        }
    }
}

const LINE_ENDS: &[u8; 64] = &{
    let mut octets = [b'\r'; 64];
    let mut at = 1;
    while at < octets.len() {
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        {
            octets[at] = b'\n';
        }
        at += 2;
    }
    octets
};

/// What is held back: it counts only if something follows it.
#[derive(Debug)]
struct Canonicalizer {
    form: Canonicalization,
    /// Ends of lines.
    line_ends: u64,
    /// White space behind them.
    space: bool,
    /// A CR behind that, of which it is not known whether LF follows.
    cr: bool,
    is_empty: bool,
}

impl Canonicalizer {
    fn new(form: Canonicalization) -> Self {
        Self { form, line_ends: 0, space: false, cr: false, is_empty: true }
    }

    /// What was held back is followed by something, and counts.
    fn release(&mut self, out: &mut Sinks) {
        while self.line_ends > 0 {
            let octets = LINE_ENDS
                .len()
                .min(usize::try_from(self.line_ends).unwrap_or(usize::MAX).saturating_mul(2));
            out.write(LINE_ENDS.get(..octets).unwrap_or(LINE_ENDS));
            let ends = u64::try_from(octets / 2).unwrap_or(1);
            self.line_ends = self.line_ends.saturating_sub(ends);
        }
        if self.space {
            out.write(b" ");
            self.space = false;
        }
        self.is_empty = false;
    }

    /// Settles a CR at the end of the piece before. Gives what is left of this one.
    fn settle_cr<'p>(&mut self, piece: &'p [u8], out: &mut Sinks) -> &'p [u8] {
        if !self.cr || piece.is_empty() {
            return piece;
        }
        self.cr = false;
        if let Some(rest) = piece.strip_prefix(b"\n") {
            self.end_line();
            return rest;
        }
        self.release(out);
        out.write(b"\r");
        piece
    }

    fn end_line(&mut self) {
        // [RFC 6376 §3.4.4] white space at the end of a line does not count.
        self.space = false;
        self.line_ends = self.line_ends.saturating_add(1);
    }

    /// [RFC 6376 §3.4.3] all but the empty lines at the end.
    fn simple(&mut self, piece: &[u8], out: &mut Sinks) {
        let piece = self.settle_cr(piece, out);
        let mut kept = piece;
        let cr = kept.strip_suffix(b"\r");
        kept = cr.unwrap_or(kept);
        let mut ends = 0u64;
        while let Some(before) = kept.strip_suffix(b"\r\n") {
            kept = before;
            ends = ends.saturating_add(1);
        }
        if !kept.is_empty() {
            self.release(out);
            out.write(kept);
        }
        self.line_ends = self.line_ends.saturating_add(ends);
        self.cr |= cr.is_some();
    }

    /// [RFC 6376 §3.4.4] the same, and white space is one space.
    fn relaxed(&mut self, piece: &[u8], out: &mut Sinks) {
        let mut rest = self.settle_cr(piece, out);
        loop {
            match rest {
                [] => return,
                [b' ' | b'\t', behind @ ..] => {
                    self.space = true;
                    rest = behind;
                }
                [b'\r', b'\n', behind @ ..] => {
                    self.end_line();
                    rest = behind;
                }
                [b'\r'] => {
                    self.cr = true;
                    return;
                }
                _ => {
                    let end = unchanged(rest);
                    let (run, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                    self.release(out);
                    out.write(run);
                    rest = behind;
                }
            }
        }
    }

    fn finish(&mut self, out: &mut Sinks) {
        if self.cr {
            self.release(out);
            out.write(b"\r");
        }
        // [RFC 6376 §3.4.3] the simple form of no body is a line end.
        // [RFC 6376 §3.4.4] the relaxed form of no body is nothing.
        if !self.is_empty || self.form == Canonicalization::Simple {
            out.write(b"\r\n");
        }
    }
}

/// How many octets from the start, of which the first is neither white space nor a line end, are
/// their own relaxed form whatever follows: one space between words and one line end between lines
/// are. At least one.
fn unchanged(octets: &[u8]) -> usize {
    let mut at = 1usize;
    while let Some(found) = octets.get(at..).and_then(find_space_or_control) {
        let here = at.saturating_add(found);
        at = match octets.get(here..).unwrap_or_default() {
            [b' ', next, ..] if *next > b' ' => here.saturating_add(2),
            [b'\r', b'\n', next, ..] if *next > b' ' => here.saturating_add(3),
            [b' ' | b'\t' | b'\r', ..] => return here,
            _ => here.saturating_add(1),
        };
    }
    octets.len()
}

/// The first octet that is not above a space, eight at a time.
fn find_space_or_control(octets: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (words, tail) = octets.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = word.wrapping_sub(ONES.wrapping_mul(0x21)) & !word & HIGH;
        if found != 0 {
            let offset = usize::try_from(found.trailing_zeros() / 8).unwrap_or(0);
            return Some(index.saturating_mul(8).saturating_add(offset));
        }
    }
    let offset = tail.iter().position(|octet| *octet <= b' ')?;
    Some(words.len().saturating_mul(8).saturating_add(offset))
}
