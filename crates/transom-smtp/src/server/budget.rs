//! What a client may do wrong, or for nothing, and how often.

use std::time::Duration;

use transom_types::{Reply, Severity};

use super::{Close, Event, FixedReply, LateReply, Open, Output, ServerSession, State, Turn};

impl ServerSession {
    /// A command that moves no mail.
    pub(super) fn chatter<'i>(&mut self, reply: FixedReply, out: &mut Vec<u8>) -> Turn<'i> {
        if let Some(turn) = self.junk(out) {
            return turn;
        }
        self.say_fixed(reply, out);
        Turn::consumed(0)
    }

    /// The same where the application may want to hear of it.
    pub(super) fn chatter_asked<'i>(
        &mut self,
        open: Open,
        event: Event,
        reply: FixedReply,
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        if !self.config.ask_all {
            return self.chatter(reply, out);
        }
        match self.junk(out) {
            Some(turn) => turn,
            None => self.ask(open, event),
        }
    }

    pub(super) fn out_of_order<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        let errors = self.errors;
        if let Some(turn) = self.count_out_of_order(out) {
            return turn;
        }
        let counted = self.errors > errors;
        let reply = self.fixed(needed(self.state));
        self.say_late(reply, self.error_delay(counted), out);
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
    pub(super) fn error<'i>(&mut self, reply: FixedReply, out: &mut Vec<u8>) -> Turn<'i> {
        self.error_with(self.fixed(reply), out)
    }

    pub(super) fn error_with<'i>(&mut self, reply: Reply, out: &mut Vec<u8>) -> Turn<'i> {
        if let Some(turn) = self.count_error(out) {
            return turn;
        }
        self.say_late(reply, self.error_delay(true), out);
        Turn::consumed(0)
    }

    /// How long the reply to the last error takes: longer with each.
    fn error_delay(&self, counted: bool) -> Duration {
        let limits = &self.config.limits;
        let errors = if counted { self.errors } else { 0 };
        limits.error_delay.saturating_mul(errors).min(limits.error_delay_max)
    }

    /// How long the refusal of a recipient or a name waits.
    pub(super) fn tarpit(&self, refusal: &Reply) -> Duration {
        let hunts = refusal.code().severity() == Severity::PermanentNegative;
        match self.principal {
            None if hunts => self.config.limits.tarpit_interval,
            _ => Duration::ZERO,
        }
    }

    /// Says it after so long. Nothing more is read until then. A delay without end is none.
    pub(super) fn say_late(&mut self, reply: Reply, delay: Duration, out: &mut Vec<u8>) {
        match self.clock.in_future(delay).filter(|_| !delay.is_zero()) {
            Some(due) => self.late_reply = Some(LateReply { due, reply }),
            None => self.say(&reply, out),
        }
    }

    /// Nobody waits for the peer that has ended its side, or in a server that shuts down.
    pub(super) fn say_when_due<'i>(&mut self, late: LateReply, out: &mut Vec<u8>) -> Turn<'i> {
        if self.eof || self.draining || self.clock.has_come(Some(late.due)) {
            self.clock.restart_command(&self.config.limits);
            self.say(&late.reply, out);
            return Turn::consumed(0);
        }
        let until = late.due;
        self.late_reply = Some(late);
        Turn::output(Output::Pause(until))
    }

    pub(super) fn count_error<'i>(&mut self, out: &mut Vec<u8>) -> Option<Turn<'i>> {
        self.errors = self.errors.saturating_add(1);
        let limits = &self.config.limits;
        let max = match self.principal {
            Some(_) => limits.authenticated_errors_max,
            None => limits.errors_max,
        };
        let over = self.errors > max;
        over.then(|| self.close(FixedReply::TooManyErrors, Close::Errors, out))
    }

    pub(super) fn junk<'i>(&mut self, out: &mut Vec<u8>) -> Option<Turn<'i>> {
        self.junk = self.junk.saturating_add(1);
        let over = self.junk > self.config.limits.junk_max;
        over.then(|| self.close(FixedReply::TooMuchJunk, Close::Junk, out))
    }
}

/// What a command out of order should have waited for.
pub(super) fn needed(state: State) -> FixedReply {
    match state {
        State::Identified => FixedReply::NeedMail,
        State::Envelope => FixedReply::NeedRcpt,
        State::Chunks => FixedReply::ChunksBegun,
        _ => FixedReply::SendHello,
    }
}
