//! Reads replies (RFC 5321 §4.2), line by line, from the caller's buffer.
//!
//! [`Reply`] itself, which prints replies, is in `transom-types`.

use std::str;

use transom_types::{EnhancedStatusCode, ParseReplyError, Reply, ReplyCode};

/// Reads one reply after the other. It uses whole lines only, and keeps the text of the lines of
/// a reply that has begun; an unfinished line stays with the caller.
///
/// A line may also end with a bare LF: some hosts print that, and between two replies nothing can
/// be smuggled.
///
/// ```
/// use transom_smtp::codec::reply::ReplyReader;
///
/// let mut reader = ReplyReader::default();
/// assert_eq!(reader.read(b"250-mx.example\r\n250 SI")?, (16, None));
/// let (consumed, reply) = reader.read(b"250 SIZE\r\n250 next")?;
/// assert_eq!(consumed, 10);
/// assert_eq!(reply.unwrap().text(), "mx.example\nSIZE");
/// # Ok::<(), transom_types::ParseReplyError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ReplyReader {
    /// The code of the lines so far; none between replies.
    code: Option<ReplyCode>,
    enhanced: Option<EnhancedStatusCode>,
    text: String,
    lines: usize,
    octets: usize,
}

impl ReplyReader {
    /// Most octets of one reply. A caller's buffer never holds more than this unread.
    pub const OCTETS_MAX: usize = 64 * 1024;
    /// Most lines of one reply.
    pub const LINES_MAX: usize = 512;

    /// Uses lines of `input` up to the end of a reply. Gives how many octets were used and the
    /// reply, where it is whole.
    ///
    /// # Errors
    ///
    /// The octets are no reply, or a reply longer than the limits. The reader is of no use then:
    /// where the next reply begins is unknown.
    pub fn read(&mut self, input: &[u8]) -> Result<(usize, Option<Reply>), ParseReplyError> {
        let mut consumed = 0usize;
        loop {
            let rest = input.get(consumed..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.check_length(rest.len())?;
                return Ok((consumed, None));
            };
            let length = end.saturating_add(1);
            self.check_length(length)?;
            self.octets = self.octets.saturating_add(length);
            consumed = consumed.saturating_add(length);
            let line = rest.get(..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(reply) = self.take_line(line)? {
                return Ok((consumed, Some(reply)));
            }
        }
    }

    /// Whether no reply has begun.
    pub fn is_between_replies(&self) -> bool {
        self.lines == 0
    }

    fn check_length(&self, more: usize) -> Result<(), ParseReplyError> {
        let fits = self.octets.saturating_add(more) <= Self::OCTETS_MAX;
        if fits && self.lines < Self::LINES_MAX { Ok(()) } else { Err(too_long()) }
    }

    /// `Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF`.
    fn take_line(&mut self, line: &[u8]) -> Result<Option<Reply>, ParseReplyError> {
        self.lines = self.lines.saturating_add(1);
        let number = self.lines;
        let (code, is_last, text) =
            split_line(line).ok_or(ParseReplyError::NoCode { line: number })?;
        // [RFC 5321 §4.2.1] all lines of one reply carry the same code.
        // [RFC 2920 §3.1-e] they are one reply.
        if self.code.is_some_and(|first| first != code) {
            return Err(ParseReplyError::CodeChanged { line: number });
        }
        // [RFC 6531 §3.7.4.1-a] UTF-8 is taken.
        let text = String::from_utf8_lossy(text);
        if self.code.replace(code).is_none() {
            self.enhanced = enhanced_prefix(&text).map(|(enhanced, _)| enhanced);
        } else {
            self.text.push('\n');
        }
        // [RFC 2034 §4] each line repeats the enhanced code; `Reply` prints it, so it is no text.
        match enhanced_prefix(&text) {
            Some((enhanced, rest)) if Some(enhanced) == self.enhanced => self.text.push_str(rest),
            _ => self.text.push_str(&text),
        }
        if !is_last {
            return Ok(None);
        }
        let whole = std::mem::take(self);
        Ok(Some(match whole.enhanced {
            Some(enhanced) => Reply::new(code, enhanced, whole.text),
            None => Reply::bare(code, whole.text),
        }))
    }
}

fn too_long() -> ParseReplyError {
    ParseReplyError::TooLong {
        octets_max: ReplyReader::OCTETS_MAX,
        lines_max: ReplyReader::LINES_MAX,
    }
}

/// Code, whether it is the last line, and text of one line without its end.
fn split_line(line: &[u8]) -> Option<(ReplyCode, bool, &[u8])> {
    let (code, rest) = line.split_at_checked(3)?;
    let code = str::from_utf8(code).ok()?.parse().ok()?;
    match rest {
        // [RFC 5321 §4.2-c, §4.2.1-c] the text may be missing, and the space with it.
        [] => Some((code, true, &[])),
        [b' ', text @ ..] => Some((code, true, text)),
        [b'-', text @ ..] => Some((code, false, text)),
        _ => None,
    }
}

/// The enhanced status code that `text` starts with, as a word, and what follows it.
fn enhanced_prefix(text: &str) -> Option<(EnhancedStatusCode, &str)> {
    let (code, length) = EnhancedStatusCode::parse_prefix(text)?;
    let rest = text.get(length..)?;
    if rest.is_empty() { Some((code, rest)) } else { Some((code, rest.strip_prefix(' ')?)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(octets: &[u8]) -> Result<(usize, Option<Reply>), ParseReplyError> {
        ReplyReader::default().read(octets)
    }

    fn whole(octets: &[u8]) -> Reply {
        let (consumed, reply) = read(octets).unwrap();
        assert_eq!(consumed, octets.len());
        reply.unwrap()
    }

    #[test]
    fn code_alone_is_a_reply() {
        assert_eq!(whole(b"250\r\n"), Reply::bare(ReplyCode::OK, ""));
        assert_eq!(whole(b"250 \r\n"), Reply::bare(ReplyCode::OK, ""));
        assert_eq!(whole(b"250 a\n"), Reply::bare(ReplyCode::OK, "a"));
    }

    #[test]
    fn enhanced_code_is_taken_out_of_every_line() {
        let reply = whole(b"550-5.1.1 no such\r\n550-4.1.1 odd\r\n550 5.1.1 user\r\n");
        assert_eq!(reply.enhanced(), Some(EnhancedStatusCode::permanent(1, 1)));
        assert_eq!(reply.text(), "no such\n4.1.1 odd\nuser");
        assert_eq!(whole(b"220 2.0.0.example ready\r\n").enhanced(), None);
        assert_eq!(whole(b"250 2.0.0\r\n").text(), "");
    }

    #[test]
    fn control_characters_never_reach_the_text() {
        let reply = whole(b"550 a\0b\rc\x1b[31m \xff\r\n");
        assert!(!reply.text().chars().any(char::is_control), "{:?}", reply.text());
    }

    #[test]
    fn garbage_is_no_reply() {
        let no_code = |line| Err(ParseReplyError::NoCode { line });
        for octets in ["\r\n", "hello\r\n", "25\r\n", "250x\r\n", "190 a\r\n", "600 a\r\n", "\n"] {
            assert_eq!(read(octets.as_bytes()), no_code(1), "{octets:?}");
        }
        assert_eq!(read(b"250-a\r\nb\r\n"), no_code(2));
        assert_eq!(read(b"250-a\r\n251 b\r\n"), Err(ParseReplyError::CodeChanged { line: 2 }));
    }

    // Attack 29.
    #[test]
    fn endless_reply_is_cut_off_at_the_limits() {
        let many = "250-x\r\n".repeat(1_000_000);
        assert_eq!(read(many.as_bytes()), Err(too_long()));
        let most = "250-x\r\n".repeat(ReplyReader::LINES_MAX - 1) + "250 x\r\n";
        assert_eq!(whole(most.as_bytes()).lines().count(), Reply::LINES_MAX);
        let long = vec![b'2'; 1024 * 1024];
        assert_eq!(read(&long), Err(too_long()));
        assert_eq!(read(&long[..ReplyReader::OCTETS_MAX]), Ok((0, None)));
    }

    fn any_reply() -> impl Strategy<Value = Reply> {
        let text = proptest::collection::vec("([a-zA-Z<>][ -~]{0,20})?", 1..5);
        (200u16..600, proptest::option::of((0u16..1000, 0u16..1000)), text).prop_filter_map(
            "the second digit is 0 to 5",
            |(code, enhanced, lines)| {
                let code = ReplyCode::try_from(code).ok()?;
                Some(match enhanced {
                    Some((subject, detail)) => {
                        let enhanced = EnhancedStatusCode::permanent(subject, detail);
                        Reply::new(code, enhanced, lines.join("\n"))
                    }
                    None => Reply::bare(code, lines.join("\n")),
                })
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(reply in any_reply()) {
            prop_assert_eq!(whole(reply.to_string().as_bytes()), reply);
        }

        #[test]
        fn any_chunking_reads_the_same(
            replies in proptest::collection::vec(any_reply(), 1..4),
            sizes in proptest::collection::vec(1usize..30, 1..40),
        ) {
            let wire: String = replies.iter().map(Reply::to_string).collect();
            let mut reader = ReplyReader::default();
            let (mut arrived, mut consumed, mut read) = (0, 0, Vec::new());
            for size in sizes.iter().cycle() {
                arrived = wire.len().min(arrived + size);
                while let (used, Some(reply)) = {
                    let step = reader.read(&wire.as_bytes()[consumed..arrived]).unwrap();
                    consumed += step.0;
                    step
                } {
                    prop_assert!(used > 0);
                    read.push(reply);
                }
                if arrived == wire.len() {
                    break;
                }
            }
            prop_assert_eq!(read, replies);
            prop_assert!(reader.is_between_replies());
        }

        #[test]
        fn arbitrary_octets_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&octets);
        }
    }
}
