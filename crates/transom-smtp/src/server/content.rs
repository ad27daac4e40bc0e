//! Content behind DATA and BDAT, and chunks that are read over.

use super::{
    Close, Event, FixedReply, Notice, Open, Output, ServerSession, SkippedChunk, State, Turn,
};
use crate::codec::data::{ContentPiece, ContentStep};

/// Longest chunk that is read over after a refusal where no SIZE limit says more (64 MiB).
const SKIPPED_OCTETS_MAX: u64 = 64 * 1024 * 1024;

impl ServerSession {
    /// Behind 354.
    pub(super) fn data<'i>(&mut self, input: &'i [u8], out: &mut Vec<u8>) -> Turn<'i> {
        if self.transaction.oversize && self.far_above_size(self.transaction.octets) {
            return self.close_content(FixedReply::MessageTooLarge, Close::Size, true, out);
        }
        // [RFC 1870 §6-a] the end is found in the octets; what MAIL said of their number is none.
        let step = self.transaction.decoder.decode(input);
        let mut turn = match step.piece {
            ContentPiece::Content(content) => self.content(content),
            ContentPiece::End => self.end_of_data(out),
            ContentPiece::Incomplete => self.content_wait(out),
            ContentPiece::Refused(_) => self.illegal_octet(true, out),
        };
        turn.consumed = step.consumed;
        turn
    }

    // [RFC 5321 §3.3-f, §3.7.2-b] what the octets mean is looked at by nobody here, nor
    // [RFC 3030 §3-g] which encoding they claim, and
    // [RFC 6152 §3-a] each keeps all of its bits.
    fn content<'i>(&mut self, content: &'i [u8]) -> Turn<'i> {
        self.clock.content(content.len(), &self.config.limits);
        let octets = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let fits = !self.above_size(octets);
        self.transaction.octets = self.transaction.octets.saturating_add(octets);
        if fits {
            return Turn::output(Output::Content(content));
        }
        if self.transaction.oversize {
            return Turn::consumed(0);
        }
        // Read on to the end of data: only there the client listens.
        self.transaction.oversize = true;
        Turn::output(Output::Notice(Notice::Reset))
    }

    fn end_of_data<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        self.clock.restart_command(&self.config.limits);
        if self.transaction.oversize {
            self.state = State::Identified;
            self.say_times(
                &self.fixed(FixedReply::MessageTooLarge),
                self.replies_to_content(true),
                out,
            );
            return Turn::consumed(0);
        }
        self.ask(Open::EndOfData, Event::EndOfData { octets: self.transaction.octets })
    }

    pub(super) fn begin_chunk(&mut self, octets: u64, last: bool) {
        self.state = State::Chunk { octets, left: octets, last };
    }

    /// Inside a chunk of `octets`, of which `left` are still to come. Its length was checked
    /// against the limit when it was announced.
    pub(super) fn chunk<'i>(
        &mut self,
        octets: u64,
        left: u64,
        last: bool,
        input: &'i [u8],
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        if left == 0 {
            return self.chunk_end(octets, last, out);
        }
        let input = at_most(input, left);
        let step = if self.transaction.binary {
            // [RFC 3030 §3-a] every octet is content.
            opaque(input)
        } else {
            self.transaction.decoder.decode(input)
        };
        let consumed = u64::try_from(step.consumed).unwrap_or(u64::MAX);
        self.state = State::Chunk { octets, left: left.saturating_sub(consumed), last };
        let mut turn = match step.piece {
            ContentPiece::Content(content) => {
                self.clock.content(content.len(), &self.config.limits);
                self.add_octets(content);
                Turn::output(Output::Content(content))
            }
            ContentPiece::Incomplete => self.content_wait(out),
            ContentPiece::Refused(_) => self.illegal_octet(last, out),
            // Chunks have no end inside.
            ContentPiece::End => Turn::consumed(0),
        };
        turn.consumed = step.consumed;
        turn
    }

    fn chunk_end<'i>(&mut self, octets: u64, last: bool, out: &mut Vec<u8>) -> Turn<'i> {
        if !last {
            self.state = State::Chunks;
            // [RFC 3030 §2-d] 250. The reply to a chunk may tell its length.
            let values = [("{octets}", Some(&*octets.to_string()))];
            self.say(&self.config.replies.filled(FixedReply::ChunkReceived, &values), out);
            return Turn::consumed(0);
        }
        if self.transaction.binary {
            return self.end_of_data(out);
        }
        match self.transaction.decoder.finish() {
            ContentPiece::Content(content) => {
                self.add_octets(content);
                Turn::output(Output::Content(content))
            }
            ContentPiece::Refused(_) => self.illegal_octet(last, out),
            ContentPiece::End | ContentPiece::Incomplete => self.end_of_data(out),
        }
    }

    /// A chunk that nobody wants. Its octets are not looked at.
    pub(super) fn skip_chunk<'i>(&mut self, input: &'i [u8], out: &mut Vec<u8>) -> Turn<'i> {
        let Some(SkippedChunk { left, reply, times }) = self.skipped_chunk.take() else {
            return Turn::consumed(0);
        };
        if left == 0 {
            self.clock.restart_command(&self.config.limits);
            self.say_times(&reply, times, out);
            return Turn::consumed(0);
        }
        let skipped = at_most(input, left).len();
        self.clock.content(skipped, &self.config.limits);
        let left = left.saturating_sub(u64::try_from(skipped).unwrap_or(u64::MAX));
        self.skipped_chunk = Some(SkippedChunk { left, reply, times });
        if skipped == 0 {
            return self.content_wait(out);
        }
        Turn::consumed(skipped)
    }

    fn illegal_octet<'i>(&mut self, last: bool, out: &mut Vec<u8>) -> Turn<'i> {
        self.close_content(FixedReply::IllegalOctet, Close::BareNewline, last, out)
    }

    /// Content that ends the session: each recipient hears why.
    fn close_content<'i>(
        &mut self,
        reply: FixedReply,
        why: Close,
        last: bool,
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        self.say_times(&self.fixed(reply), self.replies_to_content(last), out);
        Turn::output(self.closed(why))
    }

    fn content_wait<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        let deadline = self.clock.content_deadline(&self.config.limits);
        self.wait(deadline, out)
    }

    fn add_octets(&mut self, content: &[u8]) {
        let octets = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.transaction.octets = self.transaction.octets.saturating_add(octets);
    }

    /// Whether so much more content is more than is taken.
    pub(super) fn above_size(&self, octets: u64) -> bool {
        let whole = self.transaction.octets.saturating_add(octets);
        self.config.extensions.size.is_some_and(|max| whole > max)
    }

    /// Whether so much content is not even read over.
    pub(super) fn far_above_size(&self, octets: u64) -> bool {
        octets > self.config.extensions.size.map_or(SKIPPED_OCTETS_MAX, |max| max.saturating_mul(2))
    }
}

/// [RFC 3030 §3-a] content under BINARYMIME may hold any octet.
fn opaque(input: &[u8]) -> ContentStep<'_> {
    let piece = match input {
        [] => ContentPiece::Incomplete,
        content => ContentPiece::Content(content),
    };
    ContentStep { consumed: input.len(), piece }
}

fn at_most(input: &[u8], octets: u64) -> &[u8] {
    let length = usize::try_from(octets).unwrap_or(usize::MAX).min(input.len());
    input.get(..length).unwrap_or(input)
}
