//! Command lines: cutting them out of the input, and what each command does in each state.

use memchr::memchr;
use transom_types::Reply;

use super::budget::needed;
use super::{Close, Event, FixedReply, Open, Output, ServerSession, SkippedChunk, State, Turn};
use crate::Protocol;
use crate::codec::data::BareNewline;
use crate::codec::{Argument, Command, CommandError, HelloName, InitialResponse};

/// What browsers and scanners send to any port, and balancers that nobody trusts. None of them is
/// a mail client.
const FOREIGN_VERBS: [&str; 8] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PROXY", "PUT"];

impl ServerSession {
    /// One command line, or the wait for it.
    pub(super) fn command_line<'i>(&mut self, input: &'i [u8], out: &mut Vec<u8>) -> Turn<'i> {
        if self.state != State::Chunks {
            if self.draining {
                return self.close(FixedReply::Shutdown, Close::Shutdown, out);
            }
            if self.clock.session_is_over() {
                return self.close(FixedReply::SessionTimeout, Close::Timeout, out);
            }
        }
        let octets_max = self.line_octets_max(input);
        // [RFC 2920 §3.2-a, §3.2-c, §3.2-d] one line after the other is taken off and answered,
        // [RFC 2920 §3.2-e, §3.2-f] without a look at the next; what is no line yet stays.
        let Some(at) = memchr(b'\n', input) else {
            if (self.skipping_line || input.len() >= octets_max) && !input.is_empty() {
                if !self.skipping_line && announces_chunk(input) {
                    return self.lose_chunk(&self.fixed(FixedReply::LineTooLong), out);
                }
                self.skipping_line = true;
                return Turn::consumed(input.len());
            }
            // Between chunks a content is on its way, which no session limit cuts short; the
            // minimum rate is all that bounds it.
            let deadline = match self.state {
                State::Chunks => self.clock.content_deadline(&self.config.limits),
                _ => self.clock.command_deadline(),
            };
            return self.wait(deadline, out);
        };
        self.clock.restart_command(&self.config.limits);
        let (line, behind) = input.split_at_checked(at.saturating_add(1)).unwrap_or((input, &[]));
        let turn = if self.skipping_line || line.len() > octets_max {
            let begins_here = !std::mem::take(&mut self.skipping_line);
            let reply = self.too_long();
            self.bad_line(if begins_here { line } else { &[] }, self.fixed(reply), out)
        } else {
            self.line(line, behind, out)
        };
        Turn { consumed: line.len(), output: turn.output }
    }

    fn line<'i>(&mut self, line: &[u8], behind: &[u8], out: &mut Vec<u8>) -> Turn<'i> {
        // [RFC 5321 §2.3.8-a] a line ends with CRLF and nothing else.
        let (([line @ .., b'\r', b'\n'], _) | ([line @ .., b'\n'], BareNewline::Normalize)) =
            (line, self.config.bare_newline)
        else {
            self.cancel_authentication();
            return self.bad_line(line, self.fixed(FixedReply::LineEnd), out);
        };
        if self.state == State::Authenticating {
            return self.response(line, behind, out);
        }
        // [RFC 5321 §4.1.5-a] a verb is one of the RFCs, or one that the host program registered.
        // [RFC 3030 §2-l] any other octets are an error like another.
        match Command::parse_with(line, &self.config.registry) {
            Ok(command) => self.command(command, behind, out),
            Err(wrong) => self.no_command(line, &wrong, out),
        }
    }

    /// A line that is no command as it stands.
    fn bad_line<'i>(&mut self, line: &[u8], reply: Reply, out: &mut Vec<u8>) -> Turn<'i> {
        if announces_chunk(line) {
            self.lose_chunk(&reply, out)
        } else {
            self.error_with(reply, out)
        }
    }

    /// What follows could be content; reading it as commands would be smuggling.
    fn lose_chunk<'i>(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Turn<'i> {
        self.say(reply, out);
        Turn::output(self.closed(Close::Framing))
    }

    fn no_command<'i>(&mut self, line: &[u8], wrong: &CommandError, out: &mut Vec<u8>) -> Turn<'i> {
        let reply = match FixedReply::to_error(wrong) {
            Some(fixed) => self.fixed(fixed),
            None => wrong.reply(),
        };
        match wrong {
            CommandError::ChunkLength => self.lose_chunk(&reply, out),
            CommandError::UnknownVerb { verb } if FOREIGN_VERBS.contains(&verb.as_ref()) => {
                self.say(&reply, out);
                Turn::output(self.closed(Close::Errors))
            }
            CommandError::ForwardPath(_) | CommandError::ReversePath(_) => {
                self.begin_aftermath();
                self.error_with(reply, out)
            }
            _ => self.bad_line(line, reply, out),
        }
    }

    fn command<'i>(&mut self, command: Command<'_>, behind: &[u8], out: &mut Vec<u8>) -> Turn<'i> {
        if !behind.is_empty() && self.must_wait_behind(&command) {
            return self.close(FixedReply::Pipelining, Close::Pipelining, out);
        }
        match command {
            // [RFC 5321 §4.5.1-a, §2.2.1-a, §2.2.1-b, §4.1.1.1-a, §F.3-a] what every server has is
            // here.
            // [RFC 5321 §4.2-a] each arm ends in one reply, or in an event whose answer is one.
            // [RFC 5321 §4.1.1.10-a] 221, then the end.
            Command::Quit => self.close(FixedReply::Quit, Close::Quit, out),
            Command::Bdat { octets, last } => self.bdat(octets, last, out),
            _ if self.state == State::Refused => self.error(FixedReply::OnlyQuit, out),
            Command::Auth { mechanism, initial_response } => {
                let initial = initial_response.as_ref().map(InitialResponse::base64);
                self.auth(mechanism.as_str(), initial, out)
            }
            Command::Ehlo { name } => self.hello(Protocol::Smtp, name.into_owned(), true, out),
            Command::Helo { name } => self.hello(Protocol::Smtp, name.into_owned(), false, out),
            Command::Lhlo { name } => self.hello(Protocol::Lmtp, name.into_owned(), true, out),
            Command::Mail { reverse_path, parameters } => self.mail(reverse_path, parameters, out),
            Command::Rcpt { forward_path, parameters } => self.rcpt(forward_path, parameters, out),
            Command::Data => self.data_command(out),
            Command::Rset => self.rset(out),
            Command::StartTls => self.starttls(out),
            Command::Vrfy { .. } if self.needs_tls() => self.error(FixedReply::NeedTls, out),
            Command::Vrfy { argument } => match self.junk(out) {
                Some(turn) => turn,
                None => self.ask(Open::Vrfy, Event::Vrfy { argument: argument.into_owned() }),
            },
            Command::Etrn { argument } => self.etrn(argument.into_owned(), out),
            Command::Expn { argument } => self.expn(argument.into_owned(), out),
            Command::Extension { verb, argument } => {
                self.extension(verb.into_owned(), argument.map(Argument::into_owned), out)
            }
            Command::Xclient { attributes } => self.xclient(attributes, out),
            Command::Xforward { attributes } => self.xforward(attributes, out),
            Command::Help { .. } => self.chatter_asked(Open::Help, Event::Help, self.help(), out),
            Command::Noop => self.chatter_asked(Open::Noop, Event::Noop, FixedReply::Ok, out),
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
            | Command::Lhlo { .. }
            | Command::StartTls
            | Command::Xclient { .. } => true,
            _ => !self.may_pipeline(),
        }
    }

    fn hello<'i>(
        &mut self,
        protocol: Protocol,
        name: HelloName<'static>,
        esmtp: bool,
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        // [RFC 2033 §4.1-a] LMTP has LHLO in the place of EHLO and HELO, and each gets 500 where it
        // does not belong.
        if protocol != self.config.protocol {
            return self.error(FixedReply::OtherProtocol, out);
        }
        if self.state != State::Greeted
            && let Some(turn) = self.junk(out)
        {
            return turn;
        }
        // [RFC 5321 §4.1.4-f] whether the name fits the address is looked at by nobody here.
        self.ask(Open::Hello { esmtp }, Event::Hello { name, esmtp })
    }

    // [RFC 5321 §3.3-g] behind MAIL and a recipient, and
    // [RFC 3030 §2-i] not behind a chunk.
    // [RFC 2920 §3.2-b] so that no 354 is said where nothing can come of it.
    fn data_command<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        if self.state == State::Envelope && self.transaction.recipients > 0 {
            // [RFC 3030 §3-b] DATA cannot carry what BINARYMIME lets in.
            if self.transaction.binary {
                return self.error(FixedReply::BinaryNeedsBdat, out);
            }
            self.ask(Open::Data, Event::Data)
        } else {
            // [RFC 2033 §4.2-a] the same under LMTP: no recipient, no content.
            self.out_of_order(out)
        }
    }

    /// [RFC 3030 §2-a, §2-e, §2-g] the chunk follows the command whatever the reply, so it is
    /// always read.
    fn bdat<'i>(&mut self, octets: u64, last: bool, out: &mut Vec<u8>) -> Turn<'i> {
        let Some(refusal) = self.bdat_refusal(octets) else {
            if octets == 0
                && !last
                && let Some(turn) = self.junk(out)
            {
                return turn;
            }
            if self.state == State::Envelope {
                return self.ask(Open::Bdat { octets, last }, Event::Data);
            }
            self.begin_chunk(octets, last);
            return Turn::consumed(0);
        };
        if self.far_above_size(octets) {
            return self.close(refusal, Close::Framing, out);
        }
        // Only what ends the content of an open transaction has a reply for each recipient.
        let times =
            if refusal == FixedReply::MessageTooLarge { self.replies_to_content(last) } else { 1 };
        if refusal == FixedReply::MessageTooLarge {
            self.drop_transaction();
            self.begin_aftermath();
        } else if let Some(turn) = self.count_out_of_order(out) {
            return turn;
        }
        self.skip(octets, self.fixed(refusal), times);
        Turn::consumed(0)
    }

    fn bdat_refusal(&self, octets: u64) -> Option<FixedReply> {
        let content_may_come = self.state == State::Chunks
            || (self.state == State::Envelope && self.transaction.recipients > 0);
        if self.state == State::Refused {
            Some(FixedReply::OnlyQuit)
        } else if !(self.config.extensions.chunking && self.esmtp) {
            Some(FixedReply::NotImplemented)
        } else if !content_may_come {
            // [RFC 3030 §2-b] behind the last chunk there is no transaction.
            Some(needed(self.state))
        } else if self.above_size(octets) {
            Some(FixedReply::MessageTooLarge)
        } else {
            None
        }
    }

    /// A chunk is read over before `reply` is said.
    pub(super) fn skip(&mut self, octets: u64, reply: Reply, times: u32) {
        self.clock.begin_content(&self.config.limits);
        self.skipped_chunk = Some(SkippedChunk { left: octets, reply, times });
    }

    pub(super) fn help(&self) -> FixedReply {
        match self.config.protocol {
            Protocol::Smtp => FixedReply::Help,
            Protocol::Lmtp => FixedReply::HelpLmtp,
        }
    }

    /// [RFC 2033 §4.2-b, §4.3-a] under LMTP the end of a content has one reply for each accepted
    /// recipient.
    pub(super) fn replies_to_content(&self, last: bool) -> u32 {
        match self.config.protocol {
            Protocol::Lmtp if last => self.transaction.recipients,
            _ => 1,
        }
    }

    fn rset<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        if let Some(turn) = self.junk(out) {
            return turn;
        }
        if self.config.ask_all {
            return self.ask(Open::Rset, Event::Rset);
        }
        self.forget_transaction();
        self.say_fixed(FixedReply::Reset, out);
        Turn::consumed(0)
    }

    /// [RFC 5321 §4.1.1.5-a, §4.1.1.5-b, §4.1.1.5-c] all is forgotten, 250 is said, and the session
    /// goes on.
    pub(super) fn forget_transaction(&mut self) {
        self.aftermath = 0;
        if matches!(self.state, State::Envelope | State::Chunks) {
            self.drop_transaction();
        }
    }

    fn starttls<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        if self.tls {
            return self.error(FixedReply::TlsActive, out);
        }
        if !self.config.extensions.starttls {
            return self.error(FixedReply::NotImplemented, out);
        }
        match self.state {
            State::Identified if self.esmtp && self.config.ask_all => {
                self.ask(Open::StartTls, Event::StartTls)
            }
            State::Identified if self.esmtp => self.begin_tls(out),
            State::Envelope | State::Chunks => self.error(FixedReply::InTransaction, out),
            _ => self.error(FixedReply::SendHello, out),
        }
    }

    pub(super) fn begin_tls<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        self.say_fixed(FixedReply::TlsReady, out);
        self.state = State::StartingTls;
        Turn::output(Output::StartTls)
    }

    // [RFC 3207 §4.1-a, §6-a] nothing moves mail before TLS where it is demanded.
    pub(super) fn needs_tls(&self) -> bool {
        self.config.require_tls && !self.tls
    }
}

/// Whether a line was meant to be a BDAT, behind which its chunk follows at once.
fn announces_chunk(line: &[u8]) -> bool {
    line.split_at_checked(4).is_some_and(|(verb, rest)| {
        let whole = !rest.first().is_some_and(u8::is_ascii_alphanumeric);
        whole && verb.eq_ignore_ascii_case(b"BDAT")
    })
}
