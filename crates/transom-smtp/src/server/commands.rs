//! Command lines: cutting them out of the input, and what each command does in each state.

use memchr::memchr;
use transom_types::{
    BodyType, ForwardPath, MailParameters, Mailbox, RcptParameters, Reply, ReversePath, Submitter,
};

use super::replies::Fixed;
use super::{Close, Event, Open, Output, ServerSession, SkippedChunk, State, Turn, replies};
use crate::codec::data::BareNewline;
use crate::codec::{Command, CommandError, InitialResponse};

/// What browsers and scanners send to any port. None of them is a mail client.
const FOREIGN_VERBS: [&str; 7] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"];

/// Recipients above the limit that one transaction may name for nothing: more than the largest
/// lists that programs send at once.
const SURPLUS_RECIPIENTS_MAX: u32 = 5_000;

impl ServerSession {
    /// One command line, or the wait for it.
    pub(super) fn command_line<'i>(&mut self, input: &'i [u8], out: &mut Vec<u8>) -> Turn<'i> {
        if self.state != State::Chunks {
            if self.draining {
                return self.close(replies::SHUTDOWN, Close::Shutdown, out);
            }
            if self.clock.session_is_over() {
                return self.close(replies::TIMEOUT, Close::Timeout, out);
            }
        }
        let octets_max = self.line_octets_max(input);
        let Some(at) = memchr(b'\n', input) else {
            if (self.skipping_line || input.len() >= octets_max) && !input.is_empty() {
                if !self.skipping_line && announces_chunk(input) {
                    return self.lose_chunk(&replies::LINE_TOO_LONG.reply(), out);
                }
                self.skipping_line = true;
                return Turn::consumed(input.len());
            }
            // Between chunks a content is on its way, which no session limit cuts short.
            let deadline = match self.state {
                State::Chunks => self.clock.idle_deadline(),
                _ => self.clock.command_deadline(),
            };
            return self.wait(deadline, out);
        };
        self.clock.restart_command(&self.config.limits);
        let (line, behind) = input.split_at_checked(at.saturating_add(1)).unwrap_or((input, &[]));
        let turn = if self.skipping_line || line.len() > octets_max {
            let begins_here = !std::mem::take(&mut self.skipping_line);
            let reply = self.too_long();
            self.bad_line(if begins_here { line } else { &[] }, &reply.reply(), out)
        } else {
            self.line(line, behind, out)
        };
        Turn { consumed: line.len(), output: turn.output }
    }

    fn line<'i>(&mut self, line: &[u8], behind: &[u8], out: &mut Vec<u8>) -> Turn<'i> {
        // [RFC 5321 §2.3.8] a line ends with CRLF and nothing else.
        let (([line @ .., b'\r', b'\n'], _) | ([line @ .., b'\n'], BareNewline::Normalize)) =
            (line, self.config.bare_newline)
        else {
            self.cancel_authentication();
            return self.bad_line(line, &replies::LINE_END.reply(), out);
        };
        if self.state == State::Authenticating {
            return self.response(line, behind, out);
        }
        match Command::parse(line) {
            Ok(command) => self.command(command, behind, out),
            Err(wrong) => self.no_command(line, &wrong, out),
        }
    }

    /// A line that is no command as it stands.
    fn bad_line<'i>(&mut self, line: &[u8], reply: &Reply, out: &mut Vec<u8>) -> Turn<'i> {
        if announces_chunk(line) { self.lose_chunk(reply, out) } else { self.error(reply, out) }
    }

    /// What follows could be content; reading it as commands would be smuggling.
    fn lose_chunk<'i>(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Turn<'i> {
        self.say(reply, out);
        Turn::output(self.closed(Close::Framing))
    }

    fn no_command<'i>(&mut self, line: &[u8], wrong: &CommandError, out: &mut Vec<u8>) -> Turn<'i> {
        match wrong {
            CommandError::ChunkLength => self.lose_chunk(&wrong.reply(), out),
            CommandError::UnknownVerb { verb } if FOREIGN_VERBS.contains(&verb.as_ref()) => {
                self.say(&wrong.reply(), out);
                Turn::output(self.closed(Close::Errors))
            }
            CommandError::ForwardPath(_) | CommandError::ReversePath(_) => {
                self.begin_aftermath();
                self.error(&wrong.reply(), out)
            }
            _ => self.bad_line(line, &wrong.reply(), out),
        }
    }

    fn command<'i>(&mut self, command: Command<'_>, behind: &[u8], out: &mut Vec<u8>) -> Turn<'i> {
        if !behind.is_empty() && self.must_wait_behind(&command) {
            return self.close(replies::PIPELINING, Close::Pipelining, out);
        }
        match command {
            Command::Quit => self.close(replies::BYE, Close::Quit, out),
            Command::Bdat { octets, last } => self.bdat(octets, last, out),
            _ if self.state == State::Refused => self.error(&replies::ONLY_QUIT.reply(), out),
            Command::Auth { mechanism, initial_response } => {
                let initial = initial_response.as_ref().map(InitialResponse::base64);
                self.auth(mechanism.as_str(), initial, out)
            }
            Command::Ehlo { name } => self.hello(name.into_owned(), true, out),
            Command::Helo { name } => self.hello(name.into_owned(), false, out),
            Command::Mail { reverse_path, parameters } => self.mail(reverse_path, parameters, out),
            Command::Rcpt { forward_path, parameters } => self.rcpt(forward_path, parameters, out),
            Command::Data => self.data_command(out),
            Command::Rset => self.rset(out),
            Command::StartTls => self.starttls(out),
            Command::Vrfy { .. } if self.needs_tls() => self.error(&replies::NEED_TLS.reply(), out),
            Command::Vrfy { argument } => match self.junk(out) {
                Some(turn) => turn,
                None => self.ask(Open::Vrfy, Event::Vrfy { argument: argument.into_owned() }),
            },
            Command::Help { .. } => self.chatter(&replies::help(), out),
            Command::Noop => self.chatter(&replies::NOOP.reply(), out),
            _ => self.error(&replies::NOT_IMPLEMENTED.reply(), out),
        }
    }

    /// Whether the client must await the reply before it sends more.
    fn must_wait_behind(&self, command: &Command<'_>) -> bool {
        match command {
            // The chunk belongs to the command. What stands behind QUIT is never read.
            Command::Bdat { .. } | Command::Quit => false,
            // [RFC 2920 §3.1] these stand last in a group: their reply decides how to read on.
            Command::Auth { .. }
            | Command::Ehlo { .. }
            | Command::Helo { .. }
            | Command::Data
            | Command::StartTls => true,
            _ => !self.may_pipeline(),
        }
    }

    fn hello<'i>(
        &mut self,
        name: crate::codec::HelloName<'static>,
        esmtp: bool,
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        if self.state != State::Greeted
            && let Some(turn) = self.junk(out)
        {
            return turn;
        }
        self.ask(Open::Hello { esmtp }, Event::Hello { name, esmtp })
    }

    fn mail<'i>(
        &mut self,
        reverse_path: ReversePath,
        parameters: MailParameters,
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        match self.state {
            State::Identified => {}
            State::Greeted => return self.error(&replies::SEND_HELLO.reply(), out),
            _ => return self.error(&replies::SENDER_GIVEN.reply(), out),
        }
        self.transactions = self.transactions.saturating_add(1);
        if self.transactions > self.config.limits.transactions_max {
            return self.close(replies::TOO_MANY_TRANSACTIONS, Close::Transactions, out);
        }
        self.begin_aftermath(); // until the application accepts it
        if let Some(refusal) = self.mail_refusal(&reverse_path, &parameters) {
            return self.error(&refusal.reply(), out);
        }
        // [RFC 1870 §6.1] a declared size above the limit is refused before the content.
        let size_max = self.config.extensions.size;
        if size_max.is_some_and(|max| parameters.size.is_some_and(|size| size > max)) {
            self.say(&replies::TOO_LARGE.reply(), out);
            return Turn::consumed(0);
        }
        let mut parameters = parameters;
        // [RFC 4954 §5] nobody is believed who the submitter was without being known himself.
        if parameters.auth.is_some() && self.principal.is_none() {
            parameters.auth = Some(Submitter::Unknown);
        }
        let open = Open::Mail { smtputf8: parameters.smtputf8 };
        self.ask(open, Event::Mail { reverse_path, parameters })
    }

    /// Why this MAIL is against what was offered.
    fn mail_refusal(&self, path: &ReversePath, given: &MailParameters) -> Option<Fixed> {
        let offered = self.config.extensions;
        let on = |switch: bool| switch && self.esmtp;
        let not_offered = (given.size.is_some() && !on(offered.size.is_some()))
            || (given.body != BodyType::SevenBit && !on(offered.eight_bit_mime))
            || (given.auth.is_some() && !on(!self.config.auth.mechanisms.is_empty()))
            || (given.smtputf8 && !on(offered.smtputf8))
            || self.parameter_not_offered(given)
            || ((given.ret.is_some() || given.envelope_id.is_some()) && !on(offered.dsn));
        if self.needs_tls() {
            Some(replies::NEED_TLS)
        } else if not_offered {
            Some(replies::PARAMETER_NOT_OFFERED)
        } else if !given.smtputf8 && !path.mailbox().is_none_or(Mailbox::is_ascii) {
            Some(replies::NEEDS_SMTPUTF8)
        } else {
            None
        }
    }

    /// The same for what comes rarely.
    fn parameter_not_offered(&self, given: &MailParameters) -> bool {
        let offered = self.config.extensions;
        let on = |switch: bool| switch && self.esmtp;
        // [RFC 3030 §3] what BINARYMIME lets in, DATA cannot carry and the decoder does not take.
        given.body == BodyType::BinaryMime
            || !given.extensions.is_empty()
            || (given.deliver_by.is_some() && !on(offered.deliver_by))
            || (given.hold.is_some() && !on(offered.future_release.is_some()))
            || (given.mt_priority.is_some() && !on(offered.mt_priority))
            // [RFC 8689 §3] the parameter means nothing where TLS is not up.
            || (given.require_tls && !(on(offered.require_tls) && self.tls))
    }

    fn rcpt<'i>(
        &mut self,
        forward_path: ForwardPath,
        parameters: RcptParameters,
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        if self.state != State::Envelope {
            return self.out_of_order(out);
        }
        if self.transaction.recipients >= self.config.limits.recipients_max {
            // [RFC 5321 §4.5.3.1.10] those accepted so far stay accepted, so a client that knows
            // no LIMITS must get to its DATA however many it names.
            let surplus = self.transaction.surplus.saturating_add(1);
            self.transaction.surplus = surplus;
            let reply = replies::TOO_MANY_RECIPIENTS.reply();
            if surplus > SURPLUS_RECIPIENTS_MAX {
                return self.chatter(&reply, out);
            }
            self.say(&reply, out);
            return Turn::consumed(0);
        }
        let given = parameters.notify.is_some() || parameters.original_recipient.is_some();
        let offered = self.config.extensions;
        let not_offered = (given && !(offered.dsn && self.esmtp))
            || (parameters.valid_since.is_some() && !(offered.rrvs && self.esmtp))
            || !parameters.extensions.is_empty();
        if not_offered {
            return self.error(&replies::PARAMETER_NOT_OFFERED.reply(), out);
        }
        let ascii = forward_path.mailbox().is_none_or(Mailbox::is_ascii);
        if !self.transaction.smtputf8 && !ascii {
            return self.error(&replies::NEEDS_SMTPUTF8.reply(), out);
        }
        self.ask(Open::Rcpt, Event::Rcpt { forward_path, parameters })
    }

    fn data_command<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        if self.state == State::Envelope && self.transaction.recipients > 0 {
            self.ask(Open::Data, Event::Data)
        } else {
            self.out_of_order(out)
        }
    }

    /// [RFC 3030 §2] the chunk follows the command whatever the reply, so it is always read.
    fn bdat<'i>(&mut self, octets: u64, last: bool, out: &mut Vec<u8>) -> Turn<'i> {
        let Some(refusal) = self.bdat_refusal(octets) else {
            if self.state == State::Envelope {
                return self.ask(Open::Bdat { octets, last }, Event::Data);
            }
            self.begin_chunk(octets, last);
            return Turn::consumed(0);
        };
        if self.far_above_size(octets) {
            return self.close(refusal, Close::Framing, out);
        }
        if refusal == replies::TOO_LARGE {
            self.drop_transaction();
            self.begin_aftermath();
        } else if let Some(turn) = self.count_out_of_order(out) {
            return turn;
        }
        self.skip(octets, refusal.reply());
        Turn::consumed(0)
    }

    fn bdat_refusal(&self, octets: u64) -> Option<Fixed> {
        let content_may_come = self.state == State::Chunks
            || (self.state == State::Envelope && self.transaction.recipients > 0);
        if self.state == State::Refused {
            Some(replies::ONLY_QUIT)
        } else if !(self.config.extensions.chunking && self.esmtp) {
            Some(replies::NOT_IMPLEMENTED)
        } else if !content_may_come {
            Some(needed(self.state))
        } else if self.above_size(octets) {
            Some(replies::TOO_LARGE)
        } else {
            None
        }
    }

    /// A chunk is read over before `reply` is said.
    pub(super) fn skip(&mut self, octets: u64, reply: Reply) {
        self.clock.begin_content(&self.config.limits);
        self.skipped_chunk = Some(SkippedChunk { left: octets, reply });
    }

    fn rset<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        if let Some(turn) = self.junk(out) {
            return turn;
        }
        self.aftermath = 0;
        if matches!(self.state, State::Envelope | State::Chunks) {
            self.drop_transaction();
        }
        self.say(&replies::RESETTING.reply(), out);
        Turn::consumed(0)
    }

    fn starttls<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        if self.tls {
            return self.error(&replies::TLS_ACTIVE.reply(), out);
        }
        if !self.config.extensions.starttls {
            return self.error(&replies::NOT_IMPLEMENTED.reply(), out);
        }
        match self.state {
            State::Identified if self.esmtp => {
                self.say(&replies::TLS_READY.reply(), out);
                self.state = State::StartingTls;
                Turn::output(Output::StartTls)
            }
            State::Envelope | State::Chunks => self.error(&replies::IN_TRANSACTION.reply(), out),
            _ => self.error(&replies::SEND_HELLO.reply(), out),
        }
    }

    pub(super) fn needs_tls(&self) -> bool {
        self.config.require_tls && !self.tls
    }

    /// A command that moves no mail.
    fn chatter<'i>(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Turn<'i> {
        if let Some(turn) = self.junk(out) {
            return turn;
        }
        self.say(reply, out);
        Turn::consumed(0)
    }

    fn out_of_order<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        if let Some(turn) = self.count_out_of_order(out) {
            return turn;
        }
        self.say(&needed(self.state).reply(), out);
        Turn::consumed(0)
    }

    /// Out of order is an error, but not where the client could not yet know.
    fn count_out_of_order<'i>(&mut self, out: &mut Vec<u8>) -> Option<Turn<'i>> {
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

    fn count_error<'i>(&mut self, out: &mut Vec<u8>) -> Option<Turn<'i>> {
        self.errors = self.errors.saturating_add(1);
        let limits = &self.config.limits;
        let max = match self.principal {
            Some(_) => limits.authenticated_errors_max,
            None => limits.errors_max,
        };
        let over = self.errors > max;
        over.then(|| self.close(replies::TOO_MANY_ERRORS, Close::Errors, out))
    }

    fn junk<'i>(&mut self, out: &mut Vec<u8>) -> Option<Turn<'i>> {
        self.junk = self.junk.saturating_add(1);
        let over = self.junk > self.config.limits.junk_max;
        over.then(|| self.close(replies::TOO_MUCH_JUNK, Close::Junk, out))
    }
}

/// Whether a line was meant to be a BDAT, behind which its chunk follows at once.
fn announces_chunk(line: &[u8]) -> bool {
    line.split_at_checked(4).is_some_and(|(verb, rest)| {
        let whole = !rest.first().is_some_and(u8::is_ascii_alphanumeric);
        whole && verb.eq_ignore_ascii_case(b"BDAT")
    })
}

/// What a command out of order should have waited for.
fn needed(state: State) -> Fixed {
    match state {
        State::Identified => replies::NEED_MAIL,
        State::Envelope => replies::NEED_RCPT,
        State::Chunks => replies::CHUNKS_BEGUN,
        _ => replies::SEND_HELLO,
    }
}
