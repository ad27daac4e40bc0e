//! Makes content fit for the wire: CRLF line ends, dots, and the end of data (RFC 5321 §4.5.2).
//!
//! The way back is in the decoder that the server session uses.

/// Encodes content piece by piece; any cut of it into pieces gives the same octets.
///
/// CR LF leaves as it came, and a CR or LF alone leaves as CR LF: a line end of another kind
/// cannot get out, so no receiver can be made to see an end of data where there is none.
///
/// ```
/// use transom_smtp::codec::stuffing::Stuffer;
///
/// let mut out = Vec::new();
/// let mut stuffer = Stuffer::for_data();
/// stuffer.write(b"one\r\n.two\nthree", &mut out);
/// stuffer.finish(&mut out);
/// assert_eq!(out, b"one\r\n..two\r\nthree\r\n.\r\n");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuffer {
    /// DATA is ended by a dot and stuffed for it; BDAT counts octets and is not.
    dots: bool,
    at_line_start: bool,
    /// The last octet was a CR, which left as a whole line end: an LF now belongs to it.
    after_cr: bool,
}

impl Stuffer {
    /// For content behind DATA.
    pub fn for_data() -> Self {
        Self { dots: true, at_line_start: true, after_cr: false }
    }

    /// For content in the chunks of BDAT (RFC 3030): line ends are made good, dots are left alone.
    pub fn for_chunks() -> Self {
        Self { dots: false, ..Self::for_data() }
    }

    /// Encodes the next piece of content.
    pub fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        out.reserve(piece.len());
        let mut rest = piece;
        while let Some(&first) = rest.first() {
            let swallowed = self.after_cr && first == b'\n';
            self.after_cr = false;
            if swallowed {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            // [RFC 5321 §4.5.2-a, §4.5.2-d] a line that starts with a dot gets one more.
            if self.dots && self.at_line_start && first == b'.' {
                out.push(b'.');
            }
            let end = memchr::memchr2(b'\r', b'\n', rest);
            out.extend_from_slice(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
            self.at_line_start = end.is_some();
            let Some(end) = end else { return };
            // [RFC 5321 §2.3.8-a, §2.3.8-b] CR and LF leave as CRLF alone,
            // [RFC 3030 §2-k] in chunks as well.
            out.extend_from_slice(b"\r\n");
            self.after_cr = rest.get(end) == Some(&b'\r');
            rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
        }
    }

    /// Ends the last line, where it is not ended, and then the data: by the final dot, or by
    /// nothing in chunks.
    pub fn finish(self, out: &mut Vec<u8>) {
        // [RFC 5321 §4.1.1.4-a, §4.1.1.4-b] the CRLF before the final dot is the end of the last
        // line, so no second one is added.
        if !self.at_line_start {
            out.extend_from_slice(b"\r\n");
        }
        if self.dots {
            out.extend_from_slice(b".\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(mut stuffer: Stuffer, pieces: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in pieces {
            stuffer.write(piece, &mut out);
        }
        stuffer.finish(&mut out);
        out
    }

    /// What content means: lines without their ends; a last line that is empty is none.
    fn lines(content: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = vec![Vec::new()];
        let mut at = 0;
        while at < content.len() {
            match content[at] {
                b'\r' => {
                    at += usize::from(content.get(at + 1) == Some(&b'\n'));
                    lines.push(Vec::new());
                }
                b'\n' => lines.push(Vec::new()),
                octet => lines.last_mut().unwrap().push(octet),
            }
            at += 1;
        }
        if lines.last().unwrap().is_empty() {
            lines.pop();
        }
        lines
    }

    /// The receiver of RFC 5321: lines end at CRLF, a lone dot ends the data.
    fn receive(wire: &[u8]) -> Vec<Vec<u8>> {
        let text = wire.strip_suffix(b"\r\n").unwrap();
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut line = Vec::new();
        let mut octets = text.iter().copied().peekable();
        while let Some(octet) = octets.next() {
            if octet == b'\r' && octets.peek() == Some(&b'\n') {
                octets.next();
                lines.push(std::mem::take(&mut line));
            } else {
                assert!(octet != b'\r' && octet != b'\n', "bare line end in {wire:?}");
                line.push(octet);
            }
        }
        assert_eq!(line, b".", "no final dot in {wire:?}");
        for line in &mut lines {
            assert_ne!(line, b".", "data ends too early in {wire:?}");
            if line.first() == Some(&b'.') {
                line.remove(0);
            }
        }
        lines
    }

    /// Every string over the alphabet up to `length` octets.
    fn every_string(alphabet: &[u8], length: usize, visit: &mut dyn FnMut(&[u8])) {
        let mut digits: Vec<usize> = Vec::new();
        loop {
            let string: Vec<u8> = digits.iter().map(|&digit| alphabet[digit]).collect();
            visit(&string);
            let mut at = 0;
            while at < digits.len() && digits[at] + 1 == alphabet.len() {
                digits[at] = 0;
                at += 1;
            }
            if at < digits.len() {
                digits[at] += 1;
            } else if digits.len() < length {
                digits.push(0);
            } else {
                return;
            }
        }
    }

    // Attack 2.
    #[test]
    fn every_short_string_arrives_as_its_lines_whatever_the_cut() {
        let mut tried = 0u32;
        every_string(b"\r\n\0.x", 7, &mut |content| {
            tried += 1;
            let wire = encode(Stuffer::for_data(), &[content]);
            assert_eq!(receive(&wire), lines(content), "{content:?}");
            for cut in 0..=content.len() {
                let (head, tail) = content.split_at(cut);
                assert_eq!(
                    encode(Stuffer::for_data(), &[head, tail]),
                    wire,
                    "{content:?} at {cut}"
                );
            }
        });
        assert_eq!(tried, (0..=7).map(|length| 5u32.pow(length)).sum());
    }

    #[test]
    fn chunks_have_good_line_ends_and_no_dots_added() {
        assert_eq!(encode(Stuffer::for_chunks(), &[b".a\n.\r", b"\nb"]), b".a\r\n.\r\nb\r\n");
        assert_eq!(encode(Stuffer::for_chunks(), &[b"a\r\n"]), b"a\r\n");
        assert_eq!(encode(Stuffer::for_chunks(), &[]), b"");
    }

    #[test]
    fn good_content_leaves_as_it_is() {
        assert_eq!(encode(Stuffer::for_data(), &[b"a: b\r\n\r\nc\r\n"]), b"a: b\r\n\r\nc\r\n.\r\n");
        assert_eq!(encode(Stuffer::for_data(), &[]), b".\r\n");
        assert_eq!(encode(Stuffer::for_data(), &[b"\r\n"]), b"\r\n.\r\n");
    }

    proptest! {
        #[test]
        fn any_chunking_encodes_the_same(
            pieces in proptest::collection::vec("[\r\n.xy\\PC]{0,9}", 0..9),
        ) {
            let pieces: Vec<&[u8]> = pieces.iter().map(String::as_bytes).collect();
            let whole = pieces.concat();
            for stuffer in [Stuffer::for_data(), Stuffer::for_chunks()] {
                prop_assert_eq!(encode(stuffer, &pieces), encode(stuffer, &[&whole]));
            }
        }
    }
}
