//! Attack 1: every string over CR, LF, NUL, dot and x up to seven octets ends the data where ten
//! lines of reference say so and nowhere else, in any cut.

use transom_smtp::codec::data::{BareNewline, ContentDecoder, ContentPiece};
use transom_smtp::server::Close;

use crate::driver::{Driver, config};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// The content, and how many octets it took with its end.
    Ended(Vec<u8>, usize),
    Refused,
    Open,
}

/// What a reader with all time and memory would say.
fn reference(octets: &[u8], policy: BareNewline) -> Verdict {
    // Before the first octet stands the end of the line DATA.
    let text: String = "\r\n".chars().chain(octets.iter().map(|&o| char::from(o))).collect();
    let whole = text.replace("\r\n", "\u{1}"); // a true line end is one sign
    let end = whole.find("\u{1}.\u{1}");
    let data = end.map_or(whole.as_str(), |end| whole.split_at(end + 1).0);
    // A CR at the very end may still become a line end.
    let settled = data.strip_suffix('\r').unwrap_or(data);
    let bare = settled.contains(['\r', '\n']) && policy == BareNewline::Reject;
    if bare || settled.contains('\0') {
        return Verdict::Refused;
    }
    let Some(end) = end else { return Verdict::Open };
    let content = data.replace("\u{1}.", "\u{1}").replacen('\u{1}', "", 1);
    let content = content.replace(['\r', '\n'], "\u{1}").replace('\u{1}', "\r\n");
    let consumed = whole.split_at(end + 3).0.replace('\u{1}', "\r\n").len() - 2;
    Verdict::Ended(content.into_bytes(), consumed)
}

/// What the decoder says to the same octets in these pieces.
fn decoded(pieces: &[&[u8]], policy: BareNewline) -> Verdict {
    let mut decoder = ContentDecoder::for_data(policy);
    let (mut buffer, mut content, mut taken) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let step = decoder.decode(&buffer);
            let consumed = step.consumed;
            match step.piece {
                ContentPiece::Content(piece) => content.extend_from_slice(piece),
                ContentPiece::End => return Verdict::Ended(content, taken + consumed),
                ContentPiece::Refused(_) => return Verdict::Refused,
                ContentPiece::Incomplete => {
                    assert!(buffer.len() <= 2, "{} octets were left", buffer.len());
                    break;
                }
            }
            buffer.drain(..consumed);
            taken += consumed;
        }
    }
    Verdict::Open
}

fn for_each_string(length_max: usize, mut check: impl FnMut(&[u8])) -> usize {
    let alphabet = [b'\r', b'\n', 0, b'.', b'x'];
    let (mut strings, mut count) = (vec![Vec::<u8>::new()], 0);
    for _ in 0..=length_max {
        for string in &strings {
            check(string);
        }
        count += strings.len();
        strings = strings
            .iter()
            .flat_map(|string| alphabet.map(|octet| [string.as_slice(), &[octet]].concat()))
            .collect();
    }
    count
}

#[test]
fn data_ends_only_at_dot_between_true_line_ends() {
    let mut ended = 0;
    let count = for_each_string(7, |octets| {
        for policy in [BareNewline::Reject, BareNewline::Normalize] {
            let expected = reference(octets, policy);
            ended += usize::from(matches!(expected, Verdict::Ended(..)));
            for at in 0..=octets.len() {
                let (first, second) = octets.split_at(at);
                let found = decoded(&[first, second], policy);
                assert_eq!(found, expected, "{} at {at}, {policy:?}", octets.escape_ascii());
            }
            let single: Vec<&[u8]> = octets.chunks(1).collect();
            assert_eq!(decoded(&single, policy), expected, "{}", octets.escape_ascii());
        }
    });
    assert_eq!(count, 97_656);
    assert!(ended > 1_500, "only {ended} strings ended");
}

#[test]
fn session_never_reads_content_as_commands() {
    for_each_string(5, |octets| {
        // Whatever stands around the dot, the command behind it is a command only when the data
        // has truly ended before it.
        let sent = [b"x", octets, b"MAIL FROM:<mallory@example.org>\r\n"].concat();
        let mut driver = Driver::in_data(config());
        driver.feed(&sent);
        let smuggled = driver.trace.iter().any(|line| line.contains("mallory"));
        match reference(&[b"x", octets].concat(), BareNewline::Reject) {
            Verdict::Ended(content, consumed) => {
                assert_eq!(driver.contents, [content], "{}", octets.escape_ascii());
                assert_eq!(smuggled, consumed == octets.len() + 1, "{}", octets.escape_ascii());
            }
            Verdict::Refused => {
                assert_eq!(driver.closed, Some(Close::BareNewline), "{}", octets.escape_ascii());
                assert!(!smuggled && driver.take().starts_with("550 5.6.11 "));
            }
            Verdict::Open => assert!(!smuggled, "{}", octets.escape_ascii()),
        }
    });
}
