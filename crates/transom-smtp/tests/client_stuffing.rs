//! What the client encodes, the server decodes: over every short content, and over random ones.

use proptest::prelude::*;
use transom_smtp::codec::data::{BareNewline, ContentDecoder, ContentPiece};
use transom_smtp::codec::stuffing::Stuffer;

/// Content with CRLF line ends, the last line ended.
fn normalise(content: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let mut octets = content.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\r' | b'\n' => {
                octets.next_if(|&next| octet == b'\r' && next == b'\n');
                out.extend_from_slice(b"\r\n");
            }
            _ => out.push(octet),
        }
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// How the server sees the octets.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// The content, and nothing behind its end.
    Whole(Vec<u8>),
    Refused,
    /// The data ended early, or not at all.
    OutOfStep,
}

fn decode(mut decoder: ContentDecoder, wire: &[u8], dots: bool) -> Seen {
    let (mut at, mut content) = (0, Vec::new());
    loop {
        let step = decoder.decode(wire.get(at..).unwrap_or_default());
        at += step.consumed;
        match step.piece {
            ContentPiece::Content(piece) => content.extend_from_slice(piece),
            ContentPiece::End if at == wire.len() => return Seen::Whole(content),
            ContentPiece::Refused(_) => return Seen::Refused,
            ContentPiece::Incomplete if !dots && decoder.finish() == ContentPiece::End => {
                return Seen::Whole(content);
            }
            ContentPiece::End | ContentPiece::Incomplete => return Seen::OutOfStep,
        }
    }
}

fn arrives(content: &[u8]) {
    // NUL belongs into no message; the server refuses it, and it never puts the two out of step.
    let expected =
        if content.contains(&0) { Seen::Refused } else { Seen::Whole(normalise(content)) };
    let data = (Stuffer::for_data(), ContentDecoder::for_data(BareNewline::Reject), true);
    let chunks = (Stuffer::for_chunks(), ContentDecoder::for_chunks(BareNewline::Reject), false);
    for (mut stuffer, decoder, dots) in [data, chunks] {
        let mut wire = Vec::new();
        stuffer.write(content, &mut wire);
        stuffer.finish(&mut wire);
        let seen = decode(decoder, &wire, dots);
        assert_eq!(seen, expected, "{:?} as {:?}", content.escape_ascii(), wire.escape_ascii());
    }
}

// Attack 2.
// [RFC 5321 §2.3.8-b, §4.1.1.4-a, §4.1.1.4-b, §4.5.2-a] test
#[test]
fn every_short_content_arrives_as_it_was() {
    const ALPHABET: &[u8] = b"\r\n\0.x";
    let mut tried = 0;
    for length in 0..=7u32 {
        for number in 0..ALPHABET.len().pow(length) {
            let digit = |at| number / ALPHABET.len().pow(at) % ALPHABET.len();
            let content: Vec<u8> = (0..length).map(|at| ALPHABET[digit(at)]).collect();
            arrives(&content);
            tried += 1;
        }
    }
    assert_eq!(tried, 97_656);
}

fn octet() -> impl Strategy<Value = u8> {
    prop_oneof![1u8..=255, Just(b'.'), Just(b'\r')]
}

proptest! {
    #[test]
    fn any_content_arrives_as_it_was(
        content in proptest::collection::vec(octet(), 0..99),
    ) {
        arrives(&content);
    }
}
