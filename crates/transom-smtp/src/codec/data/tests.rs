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
        let whole = decode(&mut new(), &[&octets]);
        let pieces = decode(&mut new(), &cut(&octets, &cuts));
        prop_assert_eq!(whole.1, pieces.1);
        // A CR is handed out before its LF is seen, so a refusal may come one octet later.
        let without_cr = |content: &[u8]| content.strip_suffix(b"\r").unwrap_or(content).to_vec();
        prop_assert_eq!(without_cr(&whole.0), without_cr(&pieces.0));
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
