//! Message content as it comes in: end of data, dot-unstuffing, and the one policy on line ends.
//!
//! End of data is CRLF `.` CRLF and nothing else. Content is handed out as pieces of the input.
//! How content goes out is in [`stuffing`](super::stuffing).
#![expect(clippy::inline_always, reason = "only what is inlined is made anew for wider vectors")]

#[cfg(test)]
mod tests;

/// What becomes of bare CR and bare LF in content. NUL is refused under either, but for
/// chunks of a BINARYMIME message, which are opaque.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "content is taken as it is or repaired, nothing else")]
pub enum BareNewline {
    /// 550 5.6.11 and close. A line end that two servers see differently can hide a second message
    /// in the first.
    #[default]
    Reject,
    /// Each becomes CRLF. It never ends the data. For authenticated peers, by choice.
    Normalize,
}

/// Reads content piece by piece, for any cut of the input into pieces.
///
/// ```
/// use transom_smtp::codec::data::{BareNewline, ContentDecoder, ContentPiece, ContentStep};
///
/// let mut decoder = ContentDecoder::for_data(BareNewline::Reject);
/// let step = decoder.decode(b"..one dot\r\n.\r\nQUIT\r\n");
/// assert_eq!(step, ContentStep { consumed: 11, piece: ContentPiece::Content(b".one dot\r\n") });
/// let step = decoder.decode(b".\r\nQUIT\r\n");
/// assert_eq!(step, ContentStep { consumed: 3, piece: ContentPiece::End });
/// ```
#[derive(Clone, Debug)]
pub struct ContentDecoder {
    policy: BareNewline,
    /// Whether dots at the start of a line mean something: behind DATA, not behind BDAT.
    dots: bool,
    /// The octet before the next one, as far as it matters. LF stands for the end of a true CRLF
    /// and for the very beginning.
    before: u8,
}

/// What [`ContentDecoder::decode`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "how much was read, and what it was")]
#[must_use = "octets not reported as consumed must be offered again"]
pub struct ContentStep<'i> {
    /// How many octets of the input are done with.
    pub consumed: usize,
    /// What they were.
    pub piece: ContentPiece<'i>,
}

/// A piece of content, or what stands in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "content, its end, its lack, or its refusal")]
pub enum ContentPiece<'i> {
    /// Content, never empty.
    Content(&'i [u8]),
    /// End of data.
    End,
    /// More input is needed. At most two octets stay unconsumed.
    Incomplete,
    /// Content that the policy does not take.
    Refused(IllegalOctet),
}

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the three octets that no line may hold")]
pub enum IllegalOctet {
    /// CR without LF behind it.
    BareCr,
    /// LF without CR before it.
    BareLf,
    /// NUL.
    Nul,
}

/// Stands for any ordinary octet in `ContentDecoder::before`.
const ORDINARY: u8 = b' ';
/// How many octets one look goes over. Large enough that the loop runs as vector code, small enough
/// that a block with a dot line costs little.
const BLOCK: usize = 1024;

impl ContentDecoder {
    /// A decoder for what follows 354.
    pub fn for_data(policy: BareNewline) -> Self {
        Self { policy, dots: true, before: b'\n' }
    }

    /// A decoder for all chunks of one transaction: dots mean nothing, and there is no end.
    pub fn for_chunks(policy: BareNewline) -> Self {
        Self { policy, dots: false, before: b'\n' }
    }

    /// Takes one step. Behind an end or a refusal the decoder is of no more use.
    pub fn decode<'i>(&mut self, input: &'i [u8]) -> ContentStep<'i> {
        let run = ordinary_run(input, self.before, self.dots);
        let (content, rest) = input.split_at_checked(run).unwrap_or((input, &[]));
        if let Some(&last) = content.last() {
            self.before = last;
            return ContentStep { consumed: run, piece: ContentPiece::Content(content) };
        }
        match rest {
            [] => ContentStep { consumed: 0, piece: ContentPiece::Incomplete },
            [next, ..] if self.before == b'\r' && *next != b'\n' => self.close_cr(),
            [b'.', ..] => self.dot(rest),
            [b'\r', ..] => self.bare(IllegalOctet::BareCr),
            [b'\n', ..] => self.bare(IllegalOctet::BareLf),
            _ => refused(IllegalOctet::Nul),
        }
    }

    /// The last chunk has ended. A CR that waits for its LF is as bare as any other.
    pub fn finish(&mut self) -> ContentPiece<'static> {
        if self.before == b'\r' { self.close_cr().piece } else { ContentPiece::End }
    }

    /// A dot at the start of a line.
    fn dot<'i>(&mut self, line: &'i [u8]) -> ContentStep<'i> {
        match line {
            // [RFC 5321 §4.5.2-b] a line of a dot alone ends the data.
            [_, b'\r', b'\n', ..] => ContentStep { consumed: 3, piece: ContentPiece::End },
            [] | [_] | [_, b'\r'] => ContentStep { consumed: 0, piece: ContentPiece::Incomplete },
            // [RFC 5321 §4.5.2-c] any other dot at the start of a line is taken off.
            [_, behind @ ..] => {
                self.before = b'.';
                let step = self.decode(behind);
                ContentStep { consumed: step.consumed.saturating_add(1), piece: step.piece }
            }
        }
    }

    /// A bare CR or LF that is still in the input.
    // [RFC 5321 §4.1.1.4-c, §4.1.1.4-d] it ends no line, and so no data.
    fn bare(&mut self, octet: IllegalOctet) -> ContentStep<'static> {
        match self.policy {
            BareNewline::Reject => refused(octet),
            BareNewline::Normalize => {
                // Not LF: behind a repaired line end no dot may end the data.
                self.before = ORDINARY;
                ContentStep { consumed: 1, piece: ContentPiece::Content(b"\r\n") }
            }
        }
    }

    /// A bare CR that was handed out already.
    fn close_cr(&mut self) -> ContentStep<'static> {
        match self.policy {
            BareNewline::Reject => refused(IllegalOctet::BareCr),
            BareNewline::Normalize => {
                self.before = ORDINARY;
                ContentStep { consumed: 0, piece: ContentPiece::Content(b"\n") }
            }
        }
    }
}

fn refused(octet: IllegalOctet) -> ContentStep<'static> {
    ContentStep { consumed: 0, piece: ContentPiece::Refused(octet) }
}

/// How many octets from the start are content as they stand.
#[cfg(feature = "simd")]
fn ordinary_run(input: &[u8], before: u8, dots: bool) -> usize {
    // The same loop, made once more for each set of vector instructions a machine may have.
    let level = fearless_simd::Level::new();
    fearless_simd::dispatch!(level, _ => ordinary_run_here(input, before, dots))
}

/// How many octets from the start are content as they stand.
#[cfg(not(feature = "simd"))]
fn ordinary_run(input: &[u8], before: u8, dots: bool) -> usize {
    ordinary_run_here(input, before, dots)
}

#[inline(always)]
fn ordinary_run_here(input: &[u8], before: u8, dots: bool) -> usize {
    let Some(&first) = input.first() else { return 0 };
    if special(before, first, dots) != 0 {
        return 0;
    }
    let mut seen = 0;
    loop {
        let left = input.get(seen..).unwrap_or_default();
        let block = left.get(..=BLOCK).unwrap_or(left);
        if let Some(at) = special_in(block, dots) {
            return seen.saturating_add(at);
        }
        if block.len() < 2 {
            return input.len();
        }
        // The last octet of a block is the one before the first of the next.
        seen = seen.saturating_add(block.len()).saturating_sub(1);
    }
}

/// Where in `block` the first special octet stands; a bare CR stands where it is, not behind it.
#[inline(always)]
fn special_in(block: &[u8], dots: bool) -> Option<usize> {
    let behind = block.get(1..)?;
    if is_ordinary(block, behind, dots) {
        return None;
    }
    let mut pairs = block.iter().zip(behind);
    let at = pairs.position(|(&before, &octet)| special(before, octet, dots) != 0)?;
    if block.get(at) == Some(&b'\r') { Some(at) } else { at.checked_add(1) }
}

/// Whether nothing in `behind` is special. No branch inside: nearly every block has nothing
/// special, and the compiler makes vector code of this.
#[inline(always)]
fn is_ordinary(block: &[u8], behind: &[u8], dots: bool) -> bool {
    let pairs = block.iter().zip(behind);
    let found = if dots {
        pairs.fold(0, |found, (&before, &octet)| found | special(before, octet, true))
    } else {
        pairs.fold(0, |found, (&before, &octet)| found | special(before, octet, false))
    };
    found == 0
}

/// Not 0 where `octet` behind `before` is more than content. In numbers, as `&&` would branch.
#[inline(always)]
fn special(before: u8, octet: u8, dots: bool) -> u8 {
    let bare = u8::from((octet == b'\n') != (before == b'\r'));
    // 0 for a dot behind LF. NUL is 0 too, so that one comparison finds both.
    let dot = if dots { (before ^ b'\n') | (octet ^ b'.') } else { u8::MAX };
    bare | u8::from(octet.min(dot) == 0)
}
