//! The transitions of the session: one step of `poll`, and what each reply leads to.

use std::time::{Duration, Instant};

use transom_types::{AttemptStage, Outcome, Reply, ReplyCode, Severity, Status};

use super::active::{Active, After, Progress};
use super::{
    ClientClose, ClientEvent, ClientOutput, ClientSession, ClientTls, CloseReason, PeerViolation,
    State, findings, masked,
};
use crate::Protocol;
use crate::codec::Command;
use crate::codec::ehlo::Capabilities;

impl ClientSession {
    /// Gives an output, or nothing when the next step can follow at once.
    pub(super) fn step(
        &mut self,
        now: Instant,
        input: &[u8],
        consumed: &mut usize,
        out: &mut Vec<u8>,
    ) -> Option<ClientOutput> {
        if let Some(seen) = self.masked.as_ref().filter(|_| self.masked_untold) {
            self.masked_untold = false;
            return Some(ClientOutput::Event(ClientEvent::MaskedVerbs { seen: seen.clone() }));
        }
        if let Some(results) = self.done.take() {
            return Some(ClientOutput::Event(ClientEvent::Done(results)));
        }
        if let Some(output) = self.announce() {
            return Some(output);
        }
        if self.wants_to_send() {
            if self.may_send(input, consumed) {
                self.send(now, out);
            }
            return None;
        }
        if matches!(self.state, State::Handshake { .. }) {
            return self.wait(now);
        }
        if let State::Transaction(active) = &mut self.state
            && active.take_progress()
        {
            self.set_deadline(now, self.config.timeouts.content_block);
        }
        match self.reader.read(input) {
            Err(wrong) => self.close_violation(wrong.into()),
            Ok((used, Some(reply))) => {
                *consumed = consumed.saturating_add(used);
                let rest = input.get(used..).unwrap_or_default();
                self.on_reply(now, &reply, rest, out);
            }
            Ok((used, None)) => {
                *consumed = consumed.saturating_add(used);
                return self.wait(now);
            }
        }
        None
    }

    /// Outputs that need no input, each told once; `Close` is told for ever.
    fn announce(&mut self) -> Option<ClientOutput> {
        let (announced, output) = match &mut self.state {
            State::Closed(close) => return Some(ClientOutput::Close(ClientClose::clone(close))),
            State::Handshake { announced } => (announced, ClientOutput::StartTls),
            State::Ready { announced } => (announced, ClientOutput::Event(ClientEvent::Ready)),
            State::Transaction(active) => {
                (active.content_announced()?, ClientOutput::Event(ClientEvent::SendContent))
            }
            _ => return None,
        };
        (!std::mem::replace(announced, true)).then_some(output)
    }

    fn wait(&mut self, now: Instant) -> Option<ClientOutput> {
        let stage = self.stage();
        let is_late = self.deadline.is_some_and(|deadline| now >= deadline);
        if !self.eof && !is_late {
            return Some(ClientOutput::Wait(self.deadline));
        }
        if matches!(self.state, State::Quit) {
            self.close(CloseReason::Quit, findings::ended_by_us(stage));
        } else if self.eof {
            self.close(CloseReason::PeerClosed, findings::peer_closed(stage));
        } else {
            self.close(CloseReason::TimedOut, findings::timed_out(stage));
        }
        None
    }

    fn wants_to_send(&self) -> bool {
        match &self.state {
            State::Transaction(active) => active.wants_to_ask(),
            _ => self.unsent,
        }
    }

    /// Whether the peer is silent, as it must be before a command. A peer that speaks unasked is
    /// out of step: its words would be taken for the answer to what comes next.
    fn may_send(&mut self, input: &[u8], consumed: &mut usize) -> bool {
        if !input.is_empty() || !self.reader.is_between_replies() {
            match self.reader.read(input) {
                Ok((used, Some(reply))) if reply.code() == ReplyCode::SERVICE_NOT_AVAILABLE => {
                    *consumed = consumed.saturating_add(used);
                    self.close_refused(&reply);
                }
                Ok(_) => self.close_violation(PeerViolation::UnaskedReply),
                Err(wrong) => self.close_violation(wrong.into()),
            }
            return false;
        }
        if self.eof {
            self.close(CloseReason::PeerClosed, findings::peer_closed(self.stage()));
        }
        !self.eof
    }

    fn send(&mut self, now: Instant, out: &mut Vec<u8>) {
        self.unsent = false;
        let timeouts = self.config.timeouts;
        let name = self.config.helo_name.clone();
        let timeout = match &mut self.state {
            // [RFC 5321 §2.3.5-b, §4.1.1.1-b, §4.1.4-e] first of all, with the name of the host.
            State::Ehlo => {
                match self.config.protocol {
                    Protocol::Smtp => Command::Ehlo { name }.write_to(out),
                    // [RFC 2033 §4.1] LHLO stands for EHLO, with the same replies.
                    Protocol::Lmtp => Command::Lhlo { name }.write_to(out),
                }
                timeouts.ehlo
            }
            State::Helo => {
                Command::Helo { name }.write_to(out);
                timeouts.ehlo
            }
            State::StartTls => {
                Command::StartTls.write_to(out);
                timeouts.ehlo
            }
            State::Reset => {
                Command::Rset.write_to(out);
                timeouts.mail
            }
            State::Auth(_) => return self.send_auth(now, out),
            State::Transaction(active) => {
                active.write_commands(out);
                active.timeout(&timeouts)
            }
            State::Quit => {
                Command::Quit.write_to(out);
                timeouts.quit
            }
            _ => return,
        };
        self.set_deadline(now, timeout);
    }

    pub(super) fn write_quit(&mut self, now: Instant, out: &mut Vec<u8>) {
        // [RFC 5321 §4.1.4-j] no command follows it.
        self.state = State::Quit;
        self.send(now, out);
    }

    fn on_reply(&mut self, now: Instant, reply: &Reply, rest: &[u8], out: &mut Vec<u8>) {
        let severity = reply.code().severity();
        match &mut self.state {
            // Whatever it says, we are done.
            State::Quit => self.close(CloseReason::Quit, findings::ended_by_us(self.stage())),
            // [RFC 5321 §3.8-b] 421 may come at any time, and the peer closes behind it.
            _ if reply.code() == ReplyCode::SERVICE_NOT_AVAILABLE => self.close_refused(reply),
            State::Greeting => match severity {
                Severity::PositiveCompletion => {
                    self.note_masked(masked::in_greeting(reply.text()));
                    self.ask(State::Ehlo);
                }
                Severity::PositiveIntermediate => self.close_wrong(reply, "connect"),
                _ => self.close_refused(reply),
            },
            State::Ehlo => self.on_ehlo_reply(reply),
            State::Auth(_) => self.on_auth_reply(reply),
            State::Helo => match severity {
                Severity::PositiveCompletion => self.log_in(),
                Severity::PositiveIntermediate => self.close_wrong(reply, "HELO"),
                _ => self.close_refused(reply),
            },
            State::StartTls => self.on_starttls_reply(now, reply, rest),
            State::Transaction(_) => self.on_transaction_reply(now, reply, rest, out),
            State::Drain { replies, .. } => {
                *replies = replies.saturating_sub(1);
                self.set_deadline(now, self.config.timeouts.end_of_data);
                self.drained();
            }
            State::Reset if severity == Severity::PositiveCompletion => self.become_ready(),
            State::Reset => self.close_wrong(reply, "RSET"),
            State::Ready { .. } | State::Handshake { .. } | State::Closed(_) => {
                self.close_violation(PeerViolation::UnaskedReply);
            }
        }
    }

    fn on_ehlo_reply(&mut self, reply: &Reply) {
        // [RFC 3207 §4.1-a, §6-a] no mail without TLS where it is demanded.
        let needs_tls = self.config.tls == ClientTls::Required && !self.is_secure;
        match reply.code().severity() {
            Severity::PositiveCompletion => {}
            Severity::PositiveIntermediate => {
                let lmtp = self.config.protocol == Protocol::Lmtp;
                return self.close_wrong(reply, if lmtp { "LHLO" } else { "EHLO" });
            }
            Severity::TransientNegative => return self.close_refused(reply),
            Severity::PermanentNegative => return self.on_ehlo_refused(reply, needs_tls),
        }
        self.note_masked(masked::in_keywords(reply.lines().skip(1)));
        self.capabilities = Capabilities::from_reply(reply);
        // [RFC 3207 §4.2-d, §4.2-e] no second handshake inside TLS.
        let wanted = self.config.tls != ClientTls::Never && !self.is_secure;
        if wanted && self.capabilities.starttls {
            self.ask(State::StartTls);
        } else if needs_tls {
            let status = findings::tls_unavailable(self.masked.as_deref());
            self.close(CloseReason::TlsUnavailable, status);
        } else {
            self.log_in();
        }
    }

    fn on_ehlo_refused(&mut self, reply: &Reply, needs_tls: bool) {
        self.note_masked(masked::in_refusal(reply.text()));
        if needs_tls && self.masked.is_some() {
            let status = findings::tls_unavailable(self.masked.as_deref());
            return self.close(CloseReason::TlsUnavailable, status);
        }
        // [RFC 2033 §4.1] LMTP has no HELO.
        if needs_tls || self.config.protocol == Protocol::Lmtp {
            return self.close_refused(reply);
        }
        // [RFC 5321 §2.2.1-b, §3.2-b] a server without extensions knows HELO alone.
        self.ask(State::Helo);
    }

    /// The first finding counts.
    fn note_masked(&mut self, seen: Option<Box<str>>) {
        if self.masked.is_none() && seen.is_some() {
            self.masked = seen;
            self.masked_untold = true;
        }
    }

    fn on_starttls_reply(&mut self, now: Instant, reply: &Reply, rest: &[u8]) {
        match reply.code().severity() {
            // [RFC 3207 §4.2-b, §6-b] what came in the clear must not count in TLS. Octets that
            // follow the consent at once can only have been put there.
            Severity::PositiveCompletion if !rest.is_empty() => {
                self.close_violation(PeerViolation::OctetsBeforeTls);
            }
            Severity::PositiveCompletion => {
                // [RFC 3207 §4-b, §4-c] nothing more is written before the handshake.
                self.state = State::Handshake { announced: false };
                self.set_deadline(now, self.config.timeouts.handshake);
            }
            Severity::PositiveIntermediate => self.close_wrong(reply, "STARTTLS"),
            _ if self.config.tls == ClientTls::Required => {
                let status = self.remote_status(reply);
                self.close(CloseReason::TlsUnavailable, status);
            }
            _ => self.log_in(),
        }
    }

    fn on_transaction_reply(
        &mut self,
        now: Instant,
        reply: &Reply,
        rest: &[u8],
        out: &mut Vec<u8>,
    ) {
        let State::Transaction(active) = &mut self.state else { return };
        let stage = active.stage();
        match active.on_reply(reply, &self.config.remote) {
            Progress::Continue => {
                let timeout = active.timeout(&self.config.timeouts);
                self.set_deadline(now, timeout);
            }
            // What already waits behind the consent would be taken for the verdict.
            Progress::SendContent | Progress::Ended(After::LoneDot) if !rest.is_empty() => {
                self.close_violation(PeerViolation::UnaskedReply);
            }
            Progress::SendContent if self.eof => {
                self.close(CloseReason::PeerClosed, findings::peer_closed(AttemptStage::Content));
            }
            Progress::SendContent => {
                self.set_deadline(now, self.config.timeouts.content_block);
            }
            Progress::Ended(after) => self.end_transaction(now, after, out),
            Progress::Unasked => self.close_violation(PeerViolation::UnaskedReply),
            Progress::Wrong { command } => {
                let what = PeerViolation::WrongReply { code: reply.code(), command };
                let status = findings::violation(stage, &what);
                self.close(CloseReason::PeerViolation(what), status);
            }
        }
    }

    /// [RFC 5321 §4.5.4.1-d] whatever was said about one message, the next one may be tried.
    fn end_transaction(&mut self, now: Instant, after: After, out: &mut Vec<u8>) {
        let (replies, then_reset) = match after {
            After::Ready => (0, false),
            After::Reset { unanswered } => (unanswered, true),
            After::LoneDot => (1, false),
            After::Close => {
                return self.close(CloseReason::Quit, findings::ended_by_us(self.stage()));
            }
        };
        if after == After::LoneDot {
            out.extend_from_slice(b".\r\n");
        }
        self.set_deadline(now, self.config.timeouts.end_of_data);
        let drain = State::Drain { replies, then_reset };
        if let State::Transaction(active) = std::mem::replace(&mut self.state, drain) {
            self.done = Some(active.into_results(None));
        }
        self.drained();
    }

    /// Goes on where the peer owes nothing any more.
    fn drained(&mut self) {
        match self.state {
            State::Drain { replies: 0, then_reset: true } => self.ask(State::Reset),
            State::Drain { replies: 0, then_reset: false } => self.become_ready(),
            _ => {}
        }
    }

    pub(super) fn become_ready(&mut self) {
        self.deadline = None;
        // [RFC 9422 §4.1-b] a client does not go beyond the limits that it was told.
        match self.capabilities.transactions_max {
            Some(max) if self.transactions >= max => self.ask(State::Quit),
            _ => self.state = State::Ready { announced: false },
        }
    }

    pub(super) fn ask(&mut self, state: State) {
        self.state = state;
        self.unsent = true;
    }

    pub(super) fn set_deadline(&mut self, now: Instant, timeout: Duration) {
        self.deadline = now.checked_add(timeout);
    }

    /// Where in the dialog the session is.
    pub(super) fn stage(&self) -> AttemptStage {
        match &self.state {
            State::Greeting => AttemptStage::Greeting,
            State::Ehlo | State::Helo => AttemptStage::Ehlo,
            State::StartTls | State::Handshake { .. } => AttemptStage::Tls,
            State::Auth(_) => AttemptStage::Auth,
            State::Transaction(active) => active.stage(),
            State::Ready { .. }
            | State::Drain { .. }
            | State::Reset
            | State::Quit
            | State::Closed(_) => AttemptStage::Mail,
        }
    }

    pub(super) fn remote_status(&self, reply: &Reply) -> Status {
        Status::remote(self.stage(), reply.clone(), self.config.remote.clone())
    }

    fn close_refused(&mut self, reply: &Reply) {
        let status = self.remote_status(reply);
        if let State::Transaction(active) = &mut self.state {
            active.on_shutdown(reply, &self.config.remote);
        }
        self.close(CloseReason::Refused, status);
    }

    fn close_wrong(&mut self, reply: &Reply, command: &'static str) {
        self.close_violation(PeerViolation::WrongReply { code: reply.code(), command });
    }

    fn close_violation(&mut self, what: PeerViolation) {
        let status = findings::violation(self.stage(), &what);
        self.close(CloseReason::PeerViolation(what), status);
    }

    /// Ends the session and gives every recipient without outcome one.
    pub(super) fn close(&mut self, reason: CloseReason, status: Status) {
        if matches!(self.state, State::Closed(_)) {
            return;
        }
        self.unsent = false;
        self.deadline = None;
        let close = ClientClose::new(reason, status);
        let closed = State::Closed(Box::new(close.clone()));
        if let State::Transaction(active) = std::mem::replace(&mut self.state, closed) {
            let outcome = rest_outcome(&active, close);
            self.done = Some(active.into_results(Some(&outcome)));
        }
    }
}

/// What the end of the session means for a recipient that had no outcome.
fn rest_outcome(active: &Active, close: ClientClose) -> Outcome {
    let severity = close.status.reply.code().severity();
    match close.reason {
        _ if active.is_in_doubt() => Outcome::InDoubt(close.status),
        CloseReason::Aborted if severity == Severity::PermanentNegative => {
            Outcome::Failed(close.status)
        }
        // [RFC 5321 §4.1.1.10-e] as if the peer had said 4yz.
        _ => Outcome::Deferred(close.status),
    }
}
