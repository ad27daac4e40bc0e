//! How text gets through seven bits: quoted-printable, encoded words, addresses of RFC 6533.

use std::fmt::Write as _;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Longest line of quoted-printable, in octets, the soft break `=` included (RFC 2045 §6.7).
const QUOTED_PRINTABLE_COLUMNS_MAX: usize = 76;

/// Appends `octets` in quoted-printable. CRLF stays a line end, a bare CR or LF is encoded.
pub(crate) fn put_quoted_printable(octets: &[u8], out: &mut Vec<u8>) {
    let mut column = 0usize;
    let mut rest = octets;
    while let Some((&octet, behind)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            column = 0;
            rest = behind;
            continue;
        }
        // [RFC 2045 §6.7] white space at the end of a line would be lost on the way.
        let ends_line = behind.is_empty() || behind.starts_with(b"\r\n");
        let plain = matches!(octet, b'!'..=b'<' | b'>'..=b'~')
            || (matches!(octet, b' ' | b'\t') && !ends_line);
        let width = if plain { 1 } else { 3 };
        if column.saturating_add(width) >= QUOTED_PRINTABLE_COLUMNS_MAX {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if plain {
            out.push(octet);
        } else {
            out.extend_from_slice(&escape(octet));
        }
        column = column.saturating_add(width);
        rest = behind;
    }
}

/// `=XX`.
fn escape(octet: u8) -> [u8; 3] {
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
    [b'=', digit(octet >> 4), digit(octet & 15)]
}

/// `text` as encoded words of charset UTF-8, each at most 75 octets, never parting a character
/// (RFC 2047 §2, §5). White space between them means nothing to readers.
pub(crate) fn encoded_words(text: &str) -> Vec<String> {
    const OCTETS_MAX: usize = 75 - "=?UTF-8?Q??=".len();
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let mut piece = String::new();
        if c.is_ascii_alphanumeric() {
            piece.push(c);
        } else if c == ' ' {
            piece.push('_');
        } else {
            for octet in c.encode_utf8(&mut [0; 4]).bytes() {
                // A write to a String cannot fail.
                let _ = write!(piece, "={octet:02X}");
            }
        }
        if word.len().saturating_add(piece.len()) > OCTETS_MAX {
            words.push(format!("=?UTF-8?Q?{word}?="));
            word.clear();
        }
        word.push_str(&piece);
    }
    if !word.is_empty() {
        words.push(format!("=?UTF-8?Q?{word}?="));
    }
    words
}

/// `utf-8-addr-xtext` of RFC 6533 §3: an address with UTF-8 in ASCII.
pub(crate) fn utf8_address(address: &str) -> String {
    let mut encoded = String::with_capacity(address.len());
    for c in address.chars() {
        match c {
            '!'..='*' | ','..='<' | '>'..='[' | ']'..='~' => encoded.push(c),
            c => {
                let _ = write!(encoded, "\\x{{{:02X}}}", u32::from(c));
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quoted_printable(octets: &[u8]) -> String {
        let mut out = Vec::new();
        put_quoted_printable(octets, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn decode(text: &str) -> Vec<u8> {
        let text = text.replace("=\r\n", "");
        let mut decoded = Vec::new();
        let mut octets = text.bytes();
        while let Some(octet) = octets.next() {
            if octet == b'=' {
                let digits = [octets.next().unwrap(), octets.next().unwrap()];
                let digits = str::from_utf8(&digits).unwrap();
                decoded.push(u8::from_str_radix(digits, 16).unwrap());
            } else {
                decoded.push(octet);
            }
        }
        decoded
    }

    #[test]
    fn quoted_printable_keeps_line_ends_and_encodes_the_rest() {
        let table: [(&[u8], &str); 6] = [
            (b"plain\r\n", "plain\r\n"),
            (b"a=b", "a=3Db"),
            (b"end \r\n\t", "end=20\r\n=09"),
            (b"a\rb\nc", "a=0Db=0Ac"),
            ("\u{fc}".as_bytes(), "=C3=BC"),
            (b"\0", "=00"),
        ];
        for (octets, expected) in table {
            assert_eq!(quoted_printable(octets), expected);
        }
    }

    #[test]
    fn encoded_words_carry_spaces() {
        assert_eq!(encoded_words("gr\u{fc}n b"), ["=?UTF-8?Q?gr=C3=BCn_b?="]);
        assert!(encoded_words("").is_empty());
    }

    // [RFC 6533 §3] test
    #[test]
    fn address_with_utf8_becomes_ascii() {
        assert_eq!(utf8_address("\u{fc}a+b\\@x"), "\\x{FC}a\\x{2B}b\\x{5C}@x");
    }

    proptest! {
        #[test]
        fn quoted_printable_decodes_to_what_it_was(
            octets in prop::collection::vec(
                prop_oneof![any::<u8>(), prop::sample::select(b"\r\n =a".to_vec())], 0..300)
        ) {
            let encoded = quoted_printable(&octets);
            prop_assert!(encoded.is_ascii());
            prop_assert!(encoded.split("\r\n").all(|line| line.len() <= 76));
            prop_assert_eq!(decode(&encoded), octets);
        }

        #[test]
        fn encoded_words_are_short_and_whole(text in any::<String>()) {
            let mut decoded = Vec::new();
            for word in encoded_words(&text) {
                prop_assert!(word.len() <= 75);
                let inner = word.strip_prefix("=?UTF-8?Q?").unwrap().strip_suffix("?=").unwrap();
                let piece = decode(&inner.replace('_', "=20"));
                prop_assert!(str::from_utf8(&piece).is_ok());
                decoded.extend_from_slice(&piece);
            }
            prop_assert_eq!(decoded, text.as_bytes());
        }
    }
}
