use proptest::prelude::*;

use super::*;

/// Content and what ended it, for the input in these pieces.
fn decode(decoder: &mut ContentDecoder, pieces: &[&[u8]]) -> (Vec<u8>, ContentPiece<'static>) {
    let (mut buffer, mut content) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let step = decoder.decode(&buffer);
            let consumed = step.consumed;
            match step.piece {
                ContentPiece::Content(piece) => content.extend_from_slice(piece),
                ContentPiece::End => return (content, ContentPiece::End),
                ContentPiece::Refused(why) => return (content, ContentPiece::Refused(why)),
                ContentPiece::Incomplete => break,
            }
            buffer.drain(..consumed);
        }
    }
    (content, ContentPiece::Incomplete)
}

#[test]
fn content_is_a_piece_of_the_input_and_never_a_copy() {
    let input = b"Subject: x\r\n\r\nbody\r\n".repeat(1000);
    let mut decoder = ContentDecoder::for_data(BareNewline::Reject);
    let step = decoder.decode(&input);
    assert_eq!(step.consumed, input.len());
    let ContentPiece::Content(content) = step.piece else { panic!("{:?}", step.piece) };
    assert!(std::ptr::eq(content, input.as_slice()));
}

#[test]
fn each_illegal_octet_has_its_name() {
    for (input, why) in [
        (b"a\rb".as_slice(), IllegalOctet::BareCr),
        (b"\r\r\n", IllegalOctet::BareCr),
        (b"a\nb", IllegalOctet::BareLf),
        (b".\n", IllegalOctet::BareLf),
        (b"\n", IllegalOctet::BareLf),
        (b"a\0b", IllegalOctet::Nul),
    ] {
        let mut decoder = ContentDecoder::for_data(BareNewline::Reject);
        let (_, end) = decode(&mut decoder, &[input]);
        assert_eq!(end, ContentPiece::Refused(why), "{}", input.escape_ascii());
    }
}

#[test]
fn special_octet_is_found_at_every_place_of_a_block() {
    for octet in [0, b'\n', b'\r'] {
        for at in (0..3 * BLOCK).filter(|at| at % BLOCK < 3 || at % BLOCK > BLOCK - 3) {
            let mut input = vec![b'x'; 3 * BLOCK + 1];
            input[at] = octet;
            let mut decoder = ContentDecoder::for_data(BareNewline::Reject);
            let (content, end) = decode(&mut decoder, &[&input]);
            assert_eq!(content.len(), at, "{octet} at {at}");
            assert!(matches!(end, ContentPiece::Refused(_)), "{octet} at {at}");
        }
    }
}

#[test]
fn dot_and_line_end_are_found_across_the_border_of_a_block() {
    for fill in BLOCK - 8..BLOCK + 8 {
        let input = ["x".repeat(fill).as_str(), "\r\n..x\r\n.\r\n"].concat();
        let mut decoder = ContentDecoder::for_data(BareNewline::Reject);
        let (content, end) = decode(&mut decoder, &[input.as_bytes()]);
        assert_eq!(content.len(), fill + 6, "{fill}");
        assert!(content.ends_with(b"x\r\n.x\r\n"), "{fill}");
        assert_eq!(end, ContentPiece::End, "{fill}");
    }
}

/// The same by one octet after the other, for content that must have true line ends.
fn decode_slowly(input: &[u8], dots: bool) -> (Vec<u8>, ContentPiece<'static>) {
    let refused = |content, why| (content, ContentPiece::Refused(why));
    let (mut content, mut rest, mut at_line_start) = (Vec::new(), input, true);
    loop {
        if dots && at_line_start && rest.first() == Some(&b'.') {
            match rest {
                [_, b'\r', b'\n', ..] => return (content, ContentPiece::End),
                [_] | [_, b'\r'] => return (content, ContentPiece::Incomplete),
                _ => rest = &rest[1..],
            }
        }
        at_line_start = false;
        match rest {
            [] | [b'\r'] => return (content, ContentPiece::Incomplete),
            [b'\r', b'\n', behind @ ..] => {
                content.extend_from_slice(b"\r\n");
                (rest, at_line_start) = (behind, true);
            }
            [b'\r', ..] => return refused(content, IllegalOctet::BareCr),
            [b'\n', ..] => return refused(content, IllegalOctet::BareLf),
            [0, ..] => return refused(content, IllegalOctet::Nul),
            [octet, behind @ ..] => {
                content.push(*octet);
                rest = behind;
            }
        }
    }
}

/// A CR is handed out before its LF is seen, so that a refusal may come one octet later.
fn without_cr((content, end): (Vec<u8>, ContentPiece<'_>)) -> (Vec<u8>, ContentPiece<'_>) {
    (content.strip_suffix(b"\r").unwrap_or(&content).to_vec(), end)
}

fn assert_as_slow(pieces: &[&[u8]], dots: bool) {
    let new = if dots { ContentDecoder::for_data } else { ContentDecoder::for_chunks };
    let found = without_cr(decode(&mut new(BareNewline::Reject), pieces));
    let whole = pieces.concat();
    assert_eq!(found, without_cr(decode_slowly(&whole, dots)), "{}", whole.escape_ascii());
}

#[test]
fn each_special_octet_is_found_at_every_place_whatever_the_cut() {
    let special: [&[u8]; 11] = [
        b"\r",
        b"\n",
        b"\0",
        b".",
        b"\r\n",
        b"\r\n.",
        b"\r\n..",
        b"\r\n.\r\n",
        b"\n.\r\n",
        b"\r\r\n",
        b"\r\n.\n",
    ];
    let places = (0..200).chain(BLOCK - 70..BLOCK + 70).chain(2 * BLOCK - 5..2 * BLOCK + 5);
    for at in places {
        for octets in special {
            let input = [&vec![b'x'; at], octets, &[b'y'; 70]].concat();
            // Around the octets, and at the ends of all vectors.
            let cuts = (at.saturating_sub(2)..at + octets.len() + 3).chain([16, 32, 64, BLOCK]);
            for cut in cuts.filter(|cut| *cut <= input.len()) {
                let (head, tail) = input.split_at(cut);
                assert_as_slow(&[head, tail], true);
                assert_as_slow(&[head, tail], false);
            }
            let end = &input[..at + octets.len()];
            assert_as_slow(&[end], true);
            assert_as_slow(&[end], false);
        }
    }
}

#[test]
fn cr_at_the_end_of_the_last_chunk_is_bare() {
    let mut decoder = ContentDecoder::for_chunks(BareNewline::Reject);
    let (content, end) = decode(&mut decoder, &[b"a\r"]);
    assert_eq!((content.as_slice(), end), (b"a\r".as_slice(), ContentPiece::Incomplete));
    assert_eq!(decoder.finish(), ContentPiece::Refused(IllegalOctet::BareCr));
    let mut decoder = ContentDecoder::for_chunks(BareNewline::Normalize);
    let _ = decode(&mut decoder, &[b"a\r"]);
    assert_eq!(decoder.finish(), ContentPiece::Content(b"\n"));
    assert_eq!(decoder.finish(), ContentPiece::End);
}

fn any_octets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"\r\n.".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b".".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
        (900usize..1200).prop_map(|length| vec![b'x'; length]),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn cut<'a>(octets: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (octets.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(octets.len());
    let mut from = 0;
    let mut pieces = Vec::new();
    for to in cuts {
        pieces.push(&octets[from..to]);
        from = to;
    }
    pieces
}

proptest! {
    #[test]
    fn same_octets_give_the_same_content_in_any_cut(
        octets in any_octets(),
        cuts in proptest::collection::vec(any::<usize>(), 0..10),
        normalize in any::<bool>(),
        chunks in any::<bool>(),
    ) {
        let policy = if normalize { BareNewline::Normalize } else { BareNewline::Reject };
        let new = || if chunks {
            ContentDecoder::for_chunks(policy)
        } else {
            ContentDecoder::for_data(policy)
        };
        let pieces = cut(&octets, &cuts);
        let whole = without_cr(decode(&mut new(), &[&octets]));
        prop_assert_eq!(without_cr(decode(&mut new(), &pieces)), whole);
        assert_as_slow(&pieces, !chunks);
    }

    #[test]
    fn what_is_taken_holds_true_line_ends_only(octets in any_octets(), chunks in any::<bool>()) {
        for policy in [BareNewline::Reject, BareNewline::Normalize] {
            let mut decoder = if chunks {
                ContentDecoder::for_chunks(policy)
            } else {
                ContentDecoder::for_data(policy)
            };
            let (mut content, _) = decode(&mut decoder, &[&octets]);
            if content.last() == Some(&b'\r') {
                content.pop();
            }
            let text: String = content.iter().map(|&octet| char::from(octet)).collect();
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']));
        }
    }
}
