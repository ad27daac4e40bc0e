//! Codec of `transom-smtp`, but for commands and replies.

use transom_smtp::codec::data::{BareNewline, ContentDecoder, ContentPiece};
use transom_smtp::codec::ehlo::Capabilities;
use transom_smtp::codec::proxy::ProxyHeader;
use transom_smtp::codec::reply::ReplyReader;
use transom_smtp::codec::stuffing::Stuffer;

use crate::smtp::{assert_lines, command};

/// A reply to EHLO, as what it offers.
pub fn capabilities(octets: &[u8]) {
    let Ok((_, Some(reply))) = ReplyReader::default().read(octets) else { return };
    let offered = Capabilities::from_reply(&reply);
    let printed = offered.to_reply("mx.example");
    assert_lines(printed.to_string().as_bytes());
    // A list that is too long loses its end, so that only the second printing is sure to stay.
    let again = Capabilities::from_reply(&printed).to_reply("mx.example");
    assert_eq!(Capabilities::from_reply(&again), Capabilities::from_reply(&printed));
}

/// What stands behind XCLIENT and XFORWARD.
pub fn forwarded(octets: &[u8]) {
    for verb in [b"XCLIENT ".as_slice(), b"XFORWARD "] {
        command(&[verb, octets].concat());
    }
}

/// A PROXY header of either version, whatever stands behind it.
pub fn proxy_header(octets: &[u8]) {
    let read = ProxyHeader::read(octets);
    // A cut of the input may ask for more, and says nothing else than the whole.
    for end in 0..octets.len().min(64) {
        let start = ProxyHeader::read(octets.get(..end).unwrap_or_default());
        assert!(matches!(start, Ok(None)) || start == read, "{end} octets: {start:?}");
    }
    let Ok(Some((header, length))) = read else { return };
    assert!(length <= octets.len());
    for checksum in [false, true] {
        let mut printed = Vec::new();
        if header.write_v2(checksum, &mut printed).is_ok() {
            assert_eq!(ProxyHeader::read(&printed), Ok(Some((header.clone(), printed.len()))));
        }
    }
    let mut line = Vec::new();
    header.write_v1(&mut line);
    assert_lines(&line);
    assert!(matches!(ProxyHeader::read(&line), Ok(Some((_, length))) if length == line.len()));
}

/// Content behind DATA, in any chunking, and sent on.
pub fn content(octets: &[u8]) {
    for policy in [BareNewline::Reject, BareNewline::Normalize] {
        let whole = decode(octets, octets.len().max(1), policy);
        assert_eq!(whole, decode(octets, 1, policy), "octet by octet");
        let Some(content) = whole else { continue };
        let mut wire = Vec::new();
        let mut stuffer = Stuffer::for_data();
        stuffer.write(&content, &mut wire);
        stuffer.finish(&mut wire);
        assert_lines(&wire);
        assert_eq!(decode(&wire, wire.len(), BareNewline::Reject), Some(content));
    }
}

/// The content, where it came to its end.
fn decode(octets: &[u8], chunk: usize, policy: BareNewline) -> Option<Vec<u8>> {
    let mut decoder = ContentDecoder::for_data(policy);
    let (mut content, mut unread) = (Vec::new(), Vec::new());
    for piece in octets.chunks(chunk) {
        unread.extend_from_slice(piece);
        loop {
            let step = decoder.decode(&unread);
            let consumed = step.consumed;
            match step.piece {
                ContentPiece::Content(piece) => content.extend_from_slice(piece),
                ContentPiece::End => return Some(content),
                ContentPiece::Incomplete => break,
                ContentPiece::Refused(_) => return None,
            }
            unread.drain(..consumed);
        }
    }
    None
}
