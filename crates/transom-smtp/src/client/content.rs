//! How content goes on the wire: by DATA or in chunks, made good or as it is.

use super::Transaction;
use crate::codec::Command;
use crate::codec::ehlo::Capabilities;
use crate::codec::stuffing::Stuffer;

/// Content above this size goes in chunks where the peer offers CHUNKING: it saves the look at
/// every octet for dots on the other side, and costs a command a piece.
const CHUNKING_SIZE_MIN: u64 = 1024 * 1024;

/// By which command content goes, and what is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    /// DATA: line ends made good, dots stuffed.
    Data,
    /// BDAT: line ends made good.
    Chunks,
    /// BDAT: as it is.
    BinaryChunks,
}

impl Transfer {
    /// CHUNKING is used where the content is binary or large. A chunk must not wait for the reply
    /// to the one before it, so that PIPELINING is needed as well.
    pub(super) fn of(transaction: &Transaction, offered: &Capabilities) -> Self {
        // [RFC 3030 §3-c, §3-d] binary content goes by BDAT, as it is.
        if transaction.is_binary() {
            return Self::BinaryChunks;
        }
        let pays = transaction.size > CHUNKING_SIZE_MIN;
        if offered.chunking && offered.pipelining && pays { Self::Chunks } else { Self::Data }
    }

    pub(super) fn is_chunked(self) -> bool {
        self != Self::Data
    }

    // [RFC 3030 §2-j] one way for the whole content.
    pub(super) fn encoder(self) -> Encoder {
        match self {
            Self::Data => Encoder { chunked: false, lines: Some(Stuffer::for_data()) },
            Self::Chunks => Encoder { chunked: true, lines: Some(Stuffer::for_chunks()) },
            Self::BinaryChunks => Encoder { chunked: true, lines: None },
        }
    }
}

/// Encodes one content.
#[derive(Debug)]
pub(super) struct Encoder {
    chunked: bool,
    /// What makes lines of it; none for binary content.
    lines: Option<Stuffer>,
}

impl Encoder {
    /// Whether the octets may stand in such content.
    pub(super) fn may_hold(&self, piece: &[u8]) -> bool {
        // [RFC 3030 §3] NUL is for binary content.
        self.lines.is_none() || memchr::memchr(0, piece).is_none()
    }

    /// Encodes the next piece; tells how many chunks that made.
    pub(super) fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) -> usize {
        let start = out.len();
        match &mut self.lines {
            Some(stuffer) => stuffer.write(piece, out),
            None => out.extend_from_slice(piece),
        }
        if self.chunked { frame_chunk(start, false, out) } else { 0 }
    }

    /// Ends the content.
    pub(super) fn finish(&self, out: &mut Vec<u8>) {
        let start = out.len();
        if let Some(stuffer) = self.lines {
            stuffer.finish(out);
        }
        if self.chunked {
            frame_chunk(start, true, out);
        }
    }
}

/// Puts `BDAT n` before the octets of `out` from `start` on. Gives the number of chunks made: an
/// empty one is only sent to end the message.
fn frame_chunk(start: usize, last: bool, out: &mut Vec<u8>) -> usize {
    let octets = u64::try_from(out.len().saturating_sub(start)).unwrap_or(u64::MAX);
    if octets == 0 && !last {
        return 0;
    }
    let mut header = Vec::with_capacity(32);
    Command::Bdat { octets, last }.write_to(&mut header);
    out.splice(start..start, header);
    1
}
