//! The server side of a session: which command may come when, and what is said to it.
//!
//! The session reads octets, speaks the protocol, and asks the application at each step that is
//! not its own to decide. It never looks into the content, knows nobody's rights, and keeps no
//! buffer. Names and texts of commands are in [`codec`](crate::codec).
//!
//! ```text
//!  octets in --> poll --> Event --> application
//!                  ^                    |
//!                  +-- respond, accept -+        replies gather in `out`
//! ```
//!
//! What may come, and what is said to it, is data: [`Extensions`] are switches, a
//! [`ReplyProfile`] has the words, and a host program's own keywords, verbs and parameters are
//! registered in [`ServerConfig`]. With [`Protocol::Lmtp`] the session is one of LMTP.
//!
//! The loop of a driver, here with a peer that has said everything at once. A real one writes
//! `out` and waits for the peer at [`Output::Wait`], and for the clock alone at [`Output::Pause`],
//! which ends early only by [`shutdown`](ServerSession::shutdown); to poll before its time is
//! harmless. What is in `out` at [`Output::Close`] is written too.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Instant;
//! use transom_smtp::server::{Close, Event, Output, ServerConfig, ServerSession};
//!
//! # #[expect(clippy::disallowed_methods, reason = "an example has a clock")]
//! let mut now = Instant::now();
//! let config = Arc::new(ServerConfig::new("mx.example".parse()?));
//! let mut session = ServerSession::new(config, false, now);
//! let (mut out, mut said) = (Vec::new(), String::new());
//! let mut lines = ["EHLO client.example\r\n", "NOOP\r\nQUIT\r\n"].into_iter();
//! let mut input: Vec<u8> = Vec::new();
//! loop {
//!     let step = session.poll(now, &input, &mut out);
//!     let consumed = step.consumed;
//!     match step.output {
//!         Output::Event(Event::Hello { name, .. }) if name.as_str() == "spammer" => {
//!             session.respond(transom_types::Reply::bare("421".parse()?, "Go away"))?;
//!         }
//!         Output::Event(_) => session.accept()?,
//!         Output::Wait(_deadline) => {
//!             said.push_str(str::from_utf8(&out)?); // write to the socket
//!             out.clear();
//!             match lines.next() { // read from the socket
//!                 Some(line) => input.extend_from_slice(line.as_bytes()),
//!                 None => session.handle_eof(now),
//!             }
//!         }
//!         Output::Pause(until) => now = until, // write to the socket, sleep
//!         Output::Close(why) => {
//!             assert_eq!(why, Close::Quit);
//!             break;
//!         }
//!         _ => {}
//!     }
//!     input.drain(..consumed);
//! }
//! assert!(said.starts_with("220 mx.example ESMTP service ready\r\n250-mx.example"));
//! assert!(out.starts_with(b"250 2.0.0 OK\r\n221 2.0.0 "));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answers;
mod auth;
mod budget;
mod clock;
mod commands;
mod config;
mod content;
mod envelope;
mod extensions;
mod limits;
mod output;
mod profile;
mod replies;
mod requests;
mod state;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use transom_types::{Principal, Reply};

use crate::Protocol;
use crate::sasl::Channel;
use auth::Authentication;
use clock::{Clock, Expired};
use state::{Answer, LateReply, Open, Restart, SkippedChunk, State, Transaction, Turn};

pub use config::{OwnKeyword, OwnKeywordError, ServerConfig};
pub use extensions::Extensions;
pub use limits::ServerLimits;
pub use output::{ApiMisuse, Close, Event, Notice, Output, Step};
pub use profile::{ReplyProfile, ReplyProfileError};
pub use replies::FixedReply;

/// A session as the server sees it, from greeting to close.
///
/// Call [`poll`](Self::poll) until it says [`Output::Wait`], [`Output::Pause`] or
/// [`Output::Close`], answer each [`Output::Event`], and offer again what was not consumed.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not exclude each other")]
pub struct ServerSession {
    config: Arc<ServerConfig>,
    state: State,
    /// What the application was asked and has not answered, or whose answer was not yet applied.
    open: Option<Open>,
    answer: Option<Answer>,
    /// A chunk that is read over; its reply is said behind it.
    skipped_chunk: Option<SkippedChunk>,
    late_reply: Option<LateReply>,
    transaction: Transaction,
    reset_due: bool,
    /// Inside a command line that is too long already.
    skipping_line: bool,
    /// How many commands may still come out of order, because a refusal a moment ago made them so.
    aftermath: u32,
    tls: bool,
    /// What TLS has told; boxed, as most sessions have nothing.
    channel: Option<Box<Channel>>,
    client_address: Option<IpAddr>,
    authentication: Option<Box<Authentication>>,
    /// Who the client has shown to be. It lives and dies with this session.
    principal: Option<Principal>,
    logon_failures: u32,
    esmtp: bool,
    draining: bool,
    eof: bool,
    errors: u32,
    junk: u32,
    transactions: u32,
    clock: Clock,
}

impl ServerSession {
    /// A session that has just begun. `tls` says that implicit TLS is already up.
    pub fn new(config: Arc<ServerConfig>, tls: bool, now: Instant) -> Self {
        let clock = Clock::new(now, &config.limits);
        Self {
            config,
            state: State::Connected,
            open: None,
            answer: None,
            skipped_chunk: None,
            late_reply: None,
            transaction: Transaction::new(false, false),
            reset_due: false,
            skipping_line: false,
            aftermath: 0,
            tls,
            channel: None,
            client_address: None,
            authentication: None,
            principal: None,
            logon_failures: 0,
            esmtp: false,
            draining: false,
            eof: false,
            errors: 0,
            junk: 0,
            transactions: 0,
            clock,
        }
    }

    /// Consumes from `input`, appends what must be written to `out`, takes one step.
    pub fn poll<'i>(&mut self, now: Instant, input: &'i [u8], out: &mut Vec<u8>) -> Step<'i> {
        self.clock.tick(now);
        let mut consumed = 0usize;
        // Each turn without output consumes octets or changes the state towards one that waits.
        loop {
            let rest = input.get(consumed..).unwrap_or_default();
            let turn = self.turn(rest, out);
            consumed = consumed.saturating_add(turn.consumed);
            if let Some(output) = turn.output {
                return Step { consumed, output };
            }
        }
    }

    /// Answers the open event. A 421 closes the session. Where ENHANCEDSTATUSCODES is switched
    /// off, the reply goes out without its enhanced status code.
    ///
    /// # Errors
    ///
    /// Where no event is open, or the reply is none that the open event can have.
    pub fn respond(&mut self, reply: Reply) -> Result<(), ApiMisuse> {
        let Some(open) = self.open.filter(|_| self.answer.is_none()) else {
            return Err(ApiMisuse::NoOpenEvent);
        };
        if !open.takes(&reply) {
            return Err(ApiMisuse::WrongSeverity { code: reply.code(), command: open.name() });
        }
        self.answer = Some(Answer::Reply(reply));
        Ok(())
    }

    /// Answers the open event with a 4yz or 5yz reply, which is the last of the session.
    ///
    /// # Errors
    ///
    /// Where no event is open, or the reply is no refusal.
    pub fn respond_and_close(&mut self, reply: Reply) -> Result<(), ApiMisuse> {
        let Some(open) = self.open.filter(|_| self.answer.is_none()) else {
            return Err(ApiMisuse::NoOpenEvent);
        };
        if reply.code().is_positive() || !open.takes(&reply) {
            return Err(ApiMisuse::WrongSeverity { code: reply.code(), command: open.name() });
        }
        self.answer = Some(Answer::Last(reply));
        Ok(())
    }

    /// Goes on with these settings: what a client may do changes with who it has shown to be. Time
    /// that runs already, and an exchange under way, are not touched.
    pub fn set_config(&mut self, config: Arc<ServerConfig>) {
        self.config = config;
    }

    /// Answers [`Event::EndOfData`] under LMTP with one reply for each accepted recipient, in the
    /// order of their RCPT. A 421 among them closes the session behind the last.
    /// [`respond`](Self::respond) and [`accept`](Self::accept) answer all of them alike.
    ///
    /// # Errors
    ///
    /// Where no such event is open, the number is another, or a reply is none that an end of data
    /// can have.
    pub fn respond_each(&mut self, replies: Vec<Reply>) -> Result<(), ApiMisuse> {
        let Some(open) = self.open.filter(|_| self.answer.is_none()) else {
            return Err(ApiMisuse::NoOpenEvent);
        };
        if open != Open::EndOfData || self.config.protocol != Protocol::Lmtp {
            return Err(ApiMisuse::WrongAnswer { command: open.name() });
        }
        let expected = self.transaction.recipients;
        if u32::try_from(replies.len()) != Ok(expected) {
            return Err(ApiMisuse::NumberOfReplies { expected, found: replies.len() });
        }
        let wrong = replies.iter().find(|reply| !open.takes(reply));
        if let Some(reply) = wrong {
            return Err(ApiMisuse::WrongSeverity { code: reply.code(), command: open.name() });
        }
        self.answer = Some(Answer::Replies(replies));
        Ok(())
    }

    /// Answers [`Event::Xclient`]: the session begins anew under `config`, which may be another
    /// one, as the client that it now speaks for may fall under another connector. `principal` is
    /// who that client has shown to be to the peer, where the application trusts the peer so far.
    ///
    /// That TLS is up stays a fact of the connection; what TLS told of the peer is forgotten, as
    /// it says nothing of the client.
    ///
    /// # Errors
    ///
    /// Where no such event is open.
    pub fn restart(
        &mut self,
        config: Arc<ServerConfig>,
        principal: Option<Principal>,
    ) -> Result<(), ApiMisuse> {
        let Some(open) = self.open.filter(|_| self.answer.is_none()) else {
            return Err(ApiMisuse::NoOpenEvent);
        };
        if !matches!(open, Open::Xclient { .. }) {
            return Err(ApiMisuse::WrongAnswer { command: open.name() });
        }
        self.answer = Some(Answer::Restart(Box::new(Restart { config, principal })));
        Ok(())
    }

    /// Tells the address of the client, for reply texts that name it. What XCLIENT says takes its
    /// place.
    pub fn set_client_address(&mut self, address: IpAddr) {
        self.client_address = Some(address);
    }

    /// Answers the open event with its default positive reply.
    ///
    /// # Errors
    ///
    /// Where no event is open, or it is a question about who the client is, which has no default.
    pub fn accept(&mut self) -> Result<(), ApiMisuse> {
        let Some(open) = self.open.filter(|_| self.answer.is_none()) else {
            return Err(ApiMisuse::NoOpenEvent);
        };
        if matches!(open, Open::Authenticate { .. }) {
            return Err(ApiMisuse::WrongAnswer { command: open.name() });
        }
        self.answer = Some(Answer::Default);
        Ok(())
    }

    /// The peer sends no more. Commands that have already come are still done.
    pub fn handle_eof(&mut self, now: Instant) {
        self.clock.tick(now);
        self.eof = true;
    }

    /// The handshake that [`Output::StartTls`] asked for is done. The session begins anew, without
    /// a second greeting. Ignored where no handshake was asked for.
    pub fn handle_tls_established(&mut self, now: Instant) {
        if self.state != State::StartingTls {
            return;
        }
        self.clock.tick(now);
        self.clock.restart_command(&self.config.limits);
        // [RFC 3207 §4.2-a, §4.2-d, §6-b] nothing that the client said before TLS is kept.
        self.state = State::Greeted;
        self.esmtp = false;
        self.aftermath = 0;
        self.tls = true;
        self.channel = None;
        self.authentication = None;
        self.principal = None;
    }

    /// Ends the session at the next command with 421 4.3.2. A transaction whose content has begun
    /// is finished first. Poll afterwards.
    pub fn shutdown(&mut self) {
        self.draining = true;
    }

    /// XCLIENT was accepted.
    fn begin_anew(&mut self, address: Option<IpAddr>, with: Option<Restart>) {
        let Restart { config, principal } =
            with.unwrap_or_else(|| Restart { config: Arc::clone(&self.config), principal: None });
        *self = Self {
            client_address: address,
            principal,
            draining: self.draining,
            eof: self.eof,
            ..Self::new(config, self.tls, self.clock.now())
        };
    }

    fn turn<'i>(&mut self, input: &'i [u8], out: &mut Vec<u8>) -> Turn<'i> {
        if let Some(open) = self.open {
            return match self.answer.take() {
                None => Turn::output(Output::Wait(None)),
                Some(answer) => self.answered(open, answer, input, out),
            };
        }
        if self.reset_due {
            self.reset_due = false;
            return Turn::output(Output::Notice(Notice::Reset));
        }
        if let Some(late) = self.late_reply.take() {
            return self.say_when_due(late, out);
        }
        if self.skipped_chunk.is_some() {
            return self.skip_chunk(input, out);
        }
        match self.state {
            State::Closed(why) => Turn { consumed: input.len(), output: Some(Output::Close(why)) },
            State::Connected => self.connected(input, out),
            State::StartingTls => self.starting_tls(input),
            State::Data => self.data(input, out),
            State::Chunk { octets, left, last } => self.chunk(octets, left, last, input, out),
            State::Refused
            | State::Greeted
            | State::Identified
            | State::Envelope
            | State::Chunks
            | State::Authenticating => self.command_line(input, out),
            State::AuthenticationFailed => self.tell_failure(input, out),
        }
    }

    fn connected<'i>(&mut self, input: &[u8], out: &mut Vec<u8>) -> Turn<'i> {
        if self.draining {
            return self.close(FixedReply::Shutdown, Close::Shutdown, out);
        }
        // [RFC 5321 §4.3.1] the server speaks first.
        if !input.is_empty() {
            return self.close(FixedReply::EarlyTalker, Close::EarlyTalker, out);
        }
        self.ask(Open::Connect, Event::Connect)
    }

    /// Whatever still comes in the clear is dropped.
    fn starting_tls<'i>(&mut self, input: &[u8]) -> Turn<'i> {
        let output = match self.clock.idle_deadline() {
            _ if self.eof => self.closed(Close::PeerClosed),
            Ok(deadline) => Output::Wait(deadline),
            Err(Expired) => self.closed(Close::Timeout),
        };
        Turn { consumed: input.len(), output: Some(output) }
    }

    fn ask<'i>(&mut self, open: Open, event: Event) -> Turn<'i> {
        self.open = Some(open);
        Turn::output(Output::Event(event))
    }

    fn say(&self, reply: &Reply, out: &mut Vec<u8>) {
        // [RFC 2034 §4-e] whether the client said EHLO does not matter.
        if reply.enhanced().is_some() && !self.offered().enhanced_status_codes {
            Reply::bare(reply.code(), reply.text().to_owned()).write_to(out);
        } else {
            reply.write_to(out);
        }
    }

    /// The reply in the words of the profile.
    fn fixed(&self, reply: FixedReply) -> Reply {
        self.config.replies.reply(reply)
    }

    fn say_fixed(&self, reply: FixedReply, out: &mut Vec<u8>) {
        self.say(&self.fixed(reply), out);
    }

    /// Says a last reply.
    fn close<'i>(&mut self, reply: FixedReply, why: Close, out: &mut Vec<u8>) -> Turn<'i> {
        self.say_fixed(reply, out);
        Turn::output(self.closed(why))
    }

    fn closed<'i>(&mut self, why: Close) -> Output<'i> {
        self.state = State::Closed(why);
        self.skipped_chunk = None;
        self.late_reply = None;
        self.reset_due = false;
        self.authentication = None;
        Output::Close(why)
    }

    /// Nothing more can be done with what has come.
    fn wait<'i>(
        &mut self,
        deadline: Result<Option<Instant>, Expired>,
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        match deadline {
            // [RFC 5321 §4.1.1.10-d] what is open ends with the connection.
            _ if self.eof => Turn::output(self.closed(Close::PeerClosed)),
            Ok(deadline) => Turn::output(Output::Wait(deadline)),
            Err(Expired) => self.close(FixedReply::IdleTimeout, Close::Timeout, out),
        }
    }

    /// The transaction is gone without an answer of the application to its end.
    fn drop_transaction(&mut self) {
        self.state = State::Identified;
        self.reset_due = true;
    }

    /// Whether the client has been told that it may send commands in groups.
    fn may_pipeline(&self) -> bool {
        self.esmtp && self.offered().pipelining
    }

    /// The extensions, as far as the protocol leaves a choice.
    pub(super) fn offered(&self) -> Extensions {
        let offered = self.config.extensions;
        // [RFC 6531 §3.1-c] without 8BITMIME there is no SMTPUTF8.
        let offered = offered.with_smtputf8(offered.smtputf8 && offered.eight_bit_mime);
        match self.config.protocol {
            Protocol::Smtp => offered,
            // [RFC 2033 §5-a] an LMTP server must have these two.
            Protocol::Lmtp => offered.with_pipelining(true).with_enhanced_status_codes(true),
        }
    }
}
