//! The single formatter of header fields: every text that a peer chose goes through here, in trace
//! fields and in reports.

/// Where lines are folded if they can be: the 78 columns of RFC 5322 §2.1.1, one of them kept for
/// a separator behind the word.
const COLUMNS_MAX: usize = 77;

/// Whether `c` must not stand in a header field or a log: control characters, and what some
/// reader takes for the end of a line or the order of text.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Which characters a field may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    /// Printable ASCII; all else becomes `?`.
    Ascii,
    /// Printable ASCII and UTF-8 (RFC 6532).
    Utf8,
}

/// Writes one header field, folded between words.
pub(crate) struct FieldWriter<'o> {
    out: &'o mut Vec<u8>,
    charset: Charset,
    column: usize,
    /// Some old readers take a line of white space alone for the end of the header section, so
    /// nothing is folded directly behind the colon.
    is_first: bool,
}

impl<'o> FieldWriter<'o> {
    /// Longest word, in octets; what is longer is cut, so that no line exceeds the 998 octets of
    /// RFC 5322 §2.1.1.
    pub(crate) const WORD_OCTETS_MAX: usize = 900;

    /// Begins the field `name`, which is ours.
    pub(crate) fn new(name: &str, charset: Charset, out: &'o mut Vec<u8>) -> Self {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        let column = name.len().saturating_add(1);
        Self { out, charset, column, is_first: true }
    }

    /// Appends one word, made of several pieces that are never parted. What the field may not hold
    /// becomes `?`. Spaces stay, since quoted local-parts have them, and no line is folded there.
    pub(crate) fn word(&mut self, pieces: &[&str]) {
        let octets = pieces.iter().fold(0usize, |sum, piece| sum.saturating_add(piece.len()));
        let end = self.column.saturating_add(1).saturating_add(octets);
        if end > COLUMNS_MAX && !self.is_first {
            self.out.extend_from_slice(b"\r\n ");
            self.column = 1;
        } else {
            self.out.push(b' ');
            self.column = self.column.saturating_add(1);
        }
        self.is_first = false;
        let is_plain = |piece: &&str| piece.bytes().all(|octet| (b' '..=b'~').contains(&octet));
        if octets <= Self::WORD_OCTETS_MAX && pieces.iter().all(is_plain) {
            // The usual case, since this is on the way of every message.
            for piece in pieces {
                self.out.extend_from_slice(piece.as_bytes());
            }
            self.column = self.column.saturating_add(octets);
            return;
        }
        let mut room = Self::WORD_OCTETS_MAX;
        for c in pieces.iter().flat_map(|piece| piece.chars()) {
            let c = self.allowed(c);
            let Some(left) = room.checked_sub(c.len_utf8()) else { break };
            room = left;
            self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            self.column = self.column.saturating_add(c.len_utf8());
        }
    }

    /// Appends a text word by word.
    pub(crate) fn text(&mut self, text: &str) {
        for word in text.split([' ', '\t']).filter(|word| !word.is_empty()) {
            self.word(&[word]);
        }
    }

    /// Appends `;` to the last word.
    pub(crate) fn semicolon(&mut self) {
        self.out.push(b';');
        self.column = self.column.saturating_add(1);
    }

    /// Ends the field.
    pub(crate) fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }

    fn allowed(&self, c: char) -> char {
        match c {
            ' '..='~' => c,
            c if c.is_ascii() || self.charset == Charset::Ascii => '?',
            c if is_unsafe(c) => '?',
            c => c,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::HeaderSection;

    proptest! {
        // attacks.md 7 and 8, where they end: no text makes a line of its own.
        #[test]
        fn field_stays_one_field(words in prop::collection::vec(any::<String>(), 0..12)) {
            for charset in [Charset::Ascii, Charset::Utf8] {
                let mut out = Vec::new();
                let mut field = FieldWriter::new("Name", charset, &mut out);
                for word in &words {
                    field.word(&[word]);
                    field.text(word);
                }
                field.end();
                prop_assert_eq!(HeaderSection::parse(&out).fields().count(), 1);
                prop_assert!(!HeaderSection::parse(&out).is_complete());
                prop_assert!(out.ends_with(b"\r\n"));
                let text = String::from_utf8(out).unwrap();
                for line in text.split("\r\n") {
                    prop_assert!(!line.chars().any(is_unsafe));
                    prop_assert!(line.len() <= 998);
                }
                prop_assert!(charset == Charset::Utf8 || text.is_ascii());
            }
        }

        #[test]
        fn short_words_stay_within_78_columns(
            words in prop::collection::vec("[a-z]{1,60}", 1..20)
        ) {
            let mut out = Vec::new();
            let mut field = FieldWriter::new("Name", Charset::Ascii, &mut out);
            for word in &words {
                field.word(&[word]);
            }
            field.end();
            let text = String::from_utf8(out).unwrap();
            prop_assert!(text.split("\r\n").all(|line| line.len() <= 78));
            // [RFC 5322 §2.2.3] test: unfolding gives the words back.
            prop_assert_eq!(text.replace("\r\n", ""), format!("Name: {}", words.join(" ")));
        }
    }
}
