//! What a client may do wrong, or for nothing, and how often.

use transom_types::Reply;

use super::replies::Fixed;
use super::{Close, ServerSession, State, Turn, replies};

impl ServerSession {
    /// A command that moves no mail.
    pub(super) fn chatter<'i>(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Turn<'i> {
        if let Some(turn) = self.junk(out) {
            return turn;
        }
        self.say(reply, out);
        Turn::consumed(0)
    }

    pub(super) fn out_of_order<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        if let Some(turn) = self.count_out_of_order(out) {
            return turn;
        }
        self.say(&needed(self.state).reply(), out);
        Turn::consumed(0)
    }

    /// Out of order is an error, but not where the client could not yet know.
    pub(super) fn count_out_of_order<'i>(&mut self, out: &mut Vec<u8>) -> Option<Turn<'i>> {
        match self.aftermath.checked_sub(1) {
            Some(left) => {
                self.aftermath = left;
                None
            }
            None => self.count_error(out),
        }
    }

    /// A transaction, or a step of it, was refused: the rest of the group that the client had
    /// pipelined behind it (its recipients, DATA and one more) is no error of its own.
    pub(super) fn begin_aftermath(&mut self) {
        self.aftermath = self.config.limits.recipients_max.saturating_add(2);
    }

    /// Says what the peer did wrong, and ends the session when it was once too often.
    pub(super) fn error<'i>(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Turn<'i> {
        if let Some(turn) = self.count_error(out) {
            return turn;
        }
        self.say(reply, out);
        Turn::consumed(0)
    }

    pub(super) fn count_error<'i>(&mut self, out: &mut Vec<u8>) -> Option<Turn<'i>> {
        self.errors = self.errors.saturating_add(1);
        let limits = &self.config.limits;
        let max = match self.principal {
            Some(_) => limits.authenticated_errors_max,
            None => limits.errors_max,
        };
        let over = self.errors > max;
        over.then(|| self.close(replies::TOO_MANY_ERRORS, Close::Errors, out))
    }

    pub(super) fn junk<'i>(&mut self, out: &mut Vec<u8>) -> Option<Turn<'i>> {
        self.junk = self.junk.saturating_add(1);
        let over = self.junk > self.config.limits.junk_max;
        over.then(|| self.close(replies::TOO_MUCH_JUNK, Close::Junk, out))
    }
}

/// What a command out of order should have waited for.
pub(super) fn needed(state: State) -> Fixed {
    match state {
        State::Identified => replies::NEED_MAIL,
        State::Envelope => replies::NEED_RCPT,
        State::Chunks => replies::CHUNKS_BEGUN,
        _ => replies::SEND_HELLO,
    }
}
