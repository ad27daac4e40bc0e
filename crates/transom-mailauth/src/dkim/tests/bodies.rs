//! The two forms of a body.

use super::super::body::BodyHasher;
use super::*;

/// What the standard says, over the whole body at once.
fn canonical(form: Canonicalization, body: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|octets| octets == b"\r\n");
        lines.push(rest[..end.unwrap_or(rest.len())].to_vec());
        rest = end.map_or(&[], |end| &rest[end + 2..]);
    }
    if form == Canonicalization::Relaxed {
        for line in &mut lines {
            let mut squeezed = Vec::new();
            for octet in line.iter().map(|octet| if *octet == b'\t' { b' ' } else { *octet }) {
                if octet != b' ' || squeezed.last() != Some(&b' ') {
                    squeezed.push(octet);
                }
            }
            if squeezed.last() == Some(&b' ') {
                squeezed.pop();
            }
            *line = squeezed;
        }
    }
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    let text: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\r\n"[..]].concat()).collect();
    match form {
        Canonicalization::Simple if text.is_empty() => b"\r\n".to_vec(),
        _ => text,
    }
}

fn hash(form: Canonicalization, pieces: &[&[u8]], limit: Option<u64>) -> ([u8; 32], u64, bool) {
    let mut hasher = BodyHasher::new(form, [limit].into_iter());
    for piece in pieces {
        hasher.update(piece);
    }
    let (wanted, hash) = hasher.finish().remove(0);
    assert_eq!(wanted, (form, limit));
    (hash.digest, hash.unsigned, hash.is_short)
}

#[test]
// [RFC 6376 §3.4.3] test
// [RFC 6376 §3.4.4] test
fn forms_of_a_body() {
    let table = [
        ("", "\r\n", ""),
        ("\r\n\r\n", "\r\n", ""),
        (" \t\r\n \r\n", " \t\r\n \r\n", ""),
        ("a", "a\r\n", "a\r\n"),
        ("a\r\n\r\n\r\n", "a\r\n", "a\r\n"),
        (" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"),
        ("a\r\n \r\n\t\r\n", "a\r\n \r\n\t\r\n", "a\r\n"),
        ("a\r\n \r\nb", "a\r\n \r\nb\r\n", "a\r\n\r\nb\r\n"),
        ("a\rb\nc \r", "a\rb\nc \r\r\n", "a\rb\nc \r\r\n"),
    ];
    for (body, simple, relaxed) in table {
        for (form, expected) in
            [(Canonicalization::Simple, simple), (Canonicalization::Relaxed, relaxed)]
        {
            let text = canonical(form, body.as_bytes());
            assert_eq!(String::from_utf8(text).unwrap(), expected, "{body:?} {form:?}");
            let (digest, ..) = hash(form, &[body.as_bytes()], None);
            assert_eq!(digest, sha256(expected.as_bytes()), "{body:?} {form:?}");
        }
    }
}

#[test]
fn empty_lines_without_end_take_no_memory() {
    let mut hasher = BodyHasher::new(Canonicalization::Relaxed, [None].into_iter());
    let lines = " \r\n".repeat(10_000);
    for _ in 0..100 {
        hasher.update(lines.as_bytes());
    }
    hasher.update(b"end");
    let expected = ["\r\n".repeat(1_000_000).as_bytes(), b"end\r\n"].concat();
    assert_eq!(hasher.finish()[0].1.digest, sha256(&expected));
}

proptest! {
    #[test]
    fn hash_is_that_of_the_form_however_the_body_is_cut(
        body in prop::collection::vec(prop::sample::select(b"ab\x01 \t\r\n\r\n".to_vec()), 0..40),
        cuts in prop::collection::vec(0usize..40, 0..6),
        limit in prop::option::of(0u64..40),
        simple in any::<bool>(),
    ) {
        let form = if simple { Canonicalization::Simple } else { Canonicalization::Relaxed };
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for to in cuts.into_iter().chain([body.len()]) {
            pieces.push(&body[from..to]);
            from = to;
        }
        let text = canonical(form, &body);
        let taken = limit.map_or(text.len(), |limit| text.len().min(limit.try_into().unwrap()));
        let is_short = limit.is_some_and(|limit| limit > text.len().try_into().unwrap());
        let unsigned = u64::try_from(text.len() - taken).unwrap();
        let expected = (sha256(&text[..taken]), unsigned, is_short);
        prop_assert_eq!(hash(form, &pieces, limit), expected);
    }
}
