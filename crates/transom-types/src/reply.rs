//! Replies: a code, perhaps an enhanced status code, and text (RFC 5321 §4.2, RFC 2034).

use std::borrow::Cow;
use std::fmt;

use crate::{EnhancedStatusCode, ReplyCode};

/// What a server says to a command.
///
/// The text may have several lines, parted by `\n`; no line holds a control character. Printing
/// gives the wire form of every line, each ended by CRLF.
///
/// ```
/// use transom_types::{EnhancedStatusCode, Reply, ReplyCode};
///
/// let reply = Reply::new(ReplyCode::OK, EnhancedStatusCode::success(1, 5), "Recipient OK");
/// assert_eq!(reply.to_string(), "250 2.1.5 Recipient OK\r\n");
/// let reply = Reply::bare(ReplyCode::HELP, "first\nsecond");
/// assert_eq!(reply.to_string(), "214-first\r\n214 second\r\n");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: ReplyCode,
    enhanced: Option<EnhancedStatusCode>,
    text: Cow<'static, str>,
}

impl Reply {
    /// Longest line of text that is printed, in octets. [RFC 5321 §4.5.3.1.5] allows a reply line
    /// 512 octets with code and CRLF; an enhanced code takes up to 10.
    ///
    /// A challenge of AUTH, which means nothing when it is cut, may have
    /// [`CHALLENGE_OCTETS_MAX`](Self::CHALLENGE_OCTETS_MAX).
    pub const LINE_OCTETS_MAX: usize = 496;
    /// Longest challenge, in octets. [RFC 4954 §4] allows its line 12,288 with code and CRLF.
    pub const CHALLENGE_OCTETS_MAX: usize = 12_282;
    /// Most lines that a reply holds; the rest is dropped.
    pub const LINES_MAX: usize = 64;

    /// A reply with an enhanced status code. Control characters in `text` other than the line
    /// break `\n` become `?`, longer lines are cut.
    pub fn new(
        code: ReplyCode,
        enhanced: EnhancedStatusCode,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { code, enhanced: Some(enhanced), text: clean(code, text.into()) }
    }

    /// A reply without enhanced status code: greetings, EHLO, 354 and help have none.
    pub fn bare(code: ReplyCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, text: clean(code, text.into()) }
    }

    /// The code.
    pub fn code(&self) -> ReplyCode {
        self.code
    }

    /// The enhanced status code.
    pub fn enhanced(&self) -> Option<EnhancedStatusCode> {
        self.enhanced
    }

    /// The text without codes, lines parted by `\n`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text, line by line.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.split('\n')
    }

    /// The whole reply on one line, as it stands in logs and diagnostics.
    pub fn to_line(&self) -> String {
        let text = self.text.replace('\n', " ");
        match self.enhanced {
            Some(enhanced) => format!("{} {enhanced} {text}", self.code),
            None => format!("{} {text}", self.code),
        }
    }

    /// Appends the wire form, without any other allocation. `Display` prints the same.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        // Appending to a Vec cannot fail.
        let _ = self.write_lines(&mut Octets(out));
    }

    /// The one encoder of replies.
    // [RFC 5321 §4.2.1-a, §4.2.1-b] a hyphen behind the code of all lines but the last.
    // [RFC 2034 §4-c] each line has its enhanced code.
    fn write_lines(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let mut lines = self.lines().peekable();
        while let Some(line) = lines.next() {
            let mark = if lines.peek().is_some() { '-' } else { ' ' };
            write!(out, "{}{mark}", self.code)?;
            if let Some(enhanced) = self.enhanced {
                write!(out, "{enhanced} ")?;
            }
            out.write_str(line)?;
            out.write_str("\r\n")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_lines(f)
    }
}

/// Text that goes into a buffer of octets.
struct Octets<'a>(&'a mut Vec<u8>);

impl fmt::Write for Octets<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Makes `text` fit for the wire. Text that is fit already is not copied.
fn clean(code: ReplyCode, text: Cow<'static, str>) -> Cow<'static, str> {
    // [RFC 4954 §4-n] as long as the mechanism makes it.
    let is_challenge = code == ReplyCode::CHALLENGE;
    let line_octets_max =
        if is_challenge { Reply::CHALLENGE_OCTETS_MAX } else { Reply::LINE_OCTETS_MAX };
    let fits = text.split('\n').all(|line| line.len() <= line_octets_max)
        && text.bytes().filter(|&octet| octet == b'\n').count() < Reply::LINES_MAX
        && !text.chars().any(|c| c.is_control() && c != '\n');
    if fits {
        return text;
    }
    let mut cleaned = String::with_capacity(text.len());
    for (number, line) in text.split('\n').take(Reply::LINES_MAX).enumerate() {
        if number > 0 {
            cleaned.push('\n');
        }
        let mut octets = 0usize;
        for c in line.chars() {
            octets = octets.saturating_add(c.len_utf8());
            if octets > line_octets_max {
                break;
            }
            cleaned.push(if c.is_control() { '?' } else { c });
        }
    }
    Cow::Owned(cleaned)
}

/// Why octets are no reply. Made by the reply parser of `transom-smtp`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseReplyError {
    /// Lines of one reply carry different codes.
    #[error("line {line} of the reply has another code than its first line")]
    CodeChanged {
        /// Which line, from 1.
        line: usize,
    },
    /// A line does not start with a reply code and a space or hyphen.
    #[error("line {line} of the reply does not start with a reply code")]
    NoCode {
        /// Which line, from 1.
        line: usize,
    },
    /// More lines or octets than the limits allow.
    #[error("the reply is longer than {octets_max} octets or {lines_max} lines")]
    TooLong {
        /// The limit in octets.
        octets_max: usize,
        /// The limit in lines.
        lines_max: usize,
    },
}
