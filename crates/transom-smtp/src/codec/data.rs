//! Message content as it comes in: end of data, dot-unstuffing, and the one policy on line ends.
//!
//! End of data is CRLF `.` CRLF and nothing else. Content is handed out as pieces of the input.
//! How content goes out is in [`stuffing`](super::stuffing).

/// What becomes of bare CR and bare LF in content. NUL is refused under either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "content is taken as it is or repaired, nothing else")]
pub enum BareNewline {
    /// 550 5.6.11 and close. A line end that two servers see differently can hide a second message
    /// in the first.
    #[default]
    Reject,
    /// Each becomes CRLF. It never ends the data. For authenticated peers, by choice.
    Normalize,
}
