//! The client session: from the greeting to the end of the connection, one transaction after the
//! other, one result for each recipient.
//!
//! Which host to connect to, whom to trust, and when to try again is not decided here: that is
//! `transom-routing`, `transom-queue` and the driver.
//!
//! ```text
//! connect -> greeting -> EHLO -> [STARTTLS -> handshake -> EHLO] -> [AUTH] -> Ready
//! Ready -> begin_transaction -> MAIL RCPT.. DATA -> SendContent
//!       -> write_content.. -> end_content -> Done -> Ready -> .. -> quit -> Close
//! ```
//!
//! # The loop
//!
//! The driver owns both buffers. It calls [`poll`](ClientSession::poll) until that says `Wait` or
//! `Close`, and drops what was consumed from the input after each. Then it writes `out`, and waits
//! for octets, for the end of the stream ([`handle_eof`](ClientSession::handle_eof)) or for the
//! instant that `Wait` named. While it writes it should read as well: a peer that cannot get its
//! replies rid may stop to read. One that only writes and then reads (the example
//! `smtp_send_blocking`) relies on replies that fit the buffers of the connection.
//!
//! ```
//! use std::time::Instant;
//! use transom_smtp::client::{
//!     ClientConfig, ClientEvent, ClientOutput, ClientSession, Transaction,
//! };
//! use transom_smtp::codec::HelloName;
//! use transom_types::{MailParameters, Outcome, Recipient, RemoteHost, ReversePath, ForwardPath};
//!
//! // What the peer says, and a driver that needs no network.
//! let peer: [&[u8]; 6] = [
//!     b"220 mx.example ready\r\n", b"250 mx.example\r\n", b"250 sender\r\n",
//!     b"250 recipient\r\n", b"354 go on\r\n", b"250 taken\r\n",
//! ];
//! let remote = RemoteHost { name: "mx.example".into(), address: None };
//! let config = ClientConfig::new(HelloName::new("client.example")?.into_owned(), remote);
//! # #[expect(clippy::disallowed_methods, reason = "an example of a driver")]
//! let now = Instant::now(); // each time anew, in a real driver
//! let mut session = ClientSession::new(config, now);
//! let (mut unread, mut replies, mut out) = (Vec::new(), peer.into_iter(), Vec::new());
//! let mut transaction = Some(Transaction {
//!     reverse_path: ReversePath::Null,
//!     parameters: MailParameters::default(),
//!     recipients: vec![(0, Recipient::from("<a@mx.example>".parse::<ForwardPath>()?))],
//!     size: 4, eight_bit: false, utf8: false,
//! });
//! let results = loop {
//!     let step = session.poll(now, &unread, &mut out);
//!     unread.drain(..step.consumed);
//!     match step.output {
//!         ClientOutput::Event(ClientEvent::Ready) => {
//!             if let Some(transaction) = transaction.take() {
//!                 session.begin_transaction(transaction)?;
//!             }
//!         }
//!         ClientOutput::Event(ClientEvent::SendContent) => {
//!             session.write_content(b"hi\r\n", &mut out)?;
//!             // What must be durable before the message may have arrived is made durable here.
//!             session.end_content(now, &mut out)?;
//!         }
//!         ClientOutput::Event(ClientEvent::Done(results)) => break results,
//!         ClientOutput::Wait(_) => unread.extend(replies.next().unwrap_or_default()),
//!         output => panic!("{output:?}"),
//!     }
//! };
//! assert!(matches!(results[0].outcome, Outcome::Relayed(_)));
//! assert!(out.ends_with(b"DATA\r\nhi\r\n.\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What becomes of a recipient
//!
//! Every recipient given to [`begin_transaction`](ClientSession::begin_transaction) gets exactly
//! one result: in its error, or in one [`ClientEvent::Done`]. `Done` always comes before `Close`.
//!
//! | what happened | outcome |
//! |---|---|
//! | 4yz to a command or the content, 421 at any time | deferred |
//! | 5yz to MAIL, RCPT, DATA, a chunk or the content | failed |
//! | 552 to RCPT without an enhanced code about mailbox or size | deferred with 4.5.3 |
//! | connection lost, time-out or garbage before the end of the content was handed out | deferred |
//! | the same after it | in doubt |
//! | 2yz after the content | relayed |
//! | more recipients than [`recipients_max`](ClientSession::recipients_max) | deferred with 4.5.3 |
//! | more domains than the peer's RCPTDOMAINMAX | deferred with 4.5.3 |
//!
//! A deferral with 4.5.3 means: in the next transaction, or the next session, without waiting.
//!
//! In LMTP ([`ClientConfig::protocol`]) each accepted recipient has a reply of its own behind the
//! content. Where the connection is lost before the last of them, those with a reply have their
//! outcome and the others are in doubt; 421 is the reply to one of them.
//!
//! # What is passed on
//!
//! A parameter goes to a peer that offers its extension, and to no other.
//!
//! | asked for | the peer does not offer it |
//! |---|---|
//! | BINARYMIME, SMTPUTF8, 8-bit content, REQUIRETLS, `BY=` with `R`, `RRVS=` with `R` | failed |
//! | `HOLDFOR=`, `HOLDUNTIL=` | deferred: who gives the message has to hold it |
//! | DSN, `AUTH=`, `BY=` with `N`, `MT-PRIORITY=`, `RRVS=` with `C`, own ones | [`NotPassed`] |
//!
//! Content goes by BDAT where it is binary, or is larger than 1 MiB and the peer offers CHUNKING
//! and PIPELINING; all other content goes by DATA.

mod active;
mod auth;
mod config;
mod content;
mod findings;
mod masked;
mod output;
mod passing;
mod steps;
mod transaction;

use std::time::Instant;

use transom_types::{AttemptStage, Host, RecipientResult, Reply, Status};

pub use config::{ClientConfig, ClientTimeouts, ClientTls};
pub use output::{
    ClientClose, ClientEvent, ClientMisuse, ClientOutput, ClientStep, CloseReason, PeerViolation,
};
pub use transaction::{NotPassed, RefusalReason, Transaction, TransactionRefused};

use crate::codec::ehlo::Capabilities;
use crate::codec::reply::ReplyReader;
use crate::sasl::Channel;
use active::{Active, Terms};

/// A session with one peer, without its connection.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not exclude each other")]
pub struct ClientSession {
    config: ClientConfig,
    capabilities: Capabilities,
    is_secure: bool,
    is_authenticated: bool,
    channel: Channel,
    reader: ReplyReader,
    state: State,
    /// Whether the command of `state` is still to be written.
    unsent: bool,
    /// Until when the peer may keep us waiting; none while nothing is owed.
    deadline: Option<Instant>,
    /// No more input will come.
    eof: bool,
    /// Results that the driver did not get yet.
    done: Option<Vec<RecipientResult>>,
    /// Transactions that the peer has seen, against its MAILMAX.
    transactions: u32,
    /// Domains of the recipients that the peer has seen, where it counts them.
    domains: Vec<Host>,
    /// What shows that a firewall paints over what is said.
    masked: Option<Box<str>>,
    /// Whether the driver is still to be told of that.
    masked_untold: bool,
}

#[derive(Debug)]
enum State {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Handshake {
        announced: bool,
    },
    Auth(Box<auth::Exchange>),
    Ready {
        announced: bool,
    },
    Transaction(Box<Active>),
    /// A transaction ended while the peer still owes replies, which mean nothing any more.
    Drain {
        replies: usize,
        then_reset: bool,
    },
    Reset,
    Quit,
    Closed(Box<ClientClose>),
}

impl ClientSession {
    /// Most recipients of one transaction, where the peer does not announce less.
    /// [RFC 5321 §4.5.3.1.8] every server takes as many.
    pub const RECIPIENTS_MAX: usize = 100;

    /// A session on a connection that was just made. With implicit TLS the handshake is done.
    pub fn new(mut config: ClientConfig, now: Instant) -> Self {
        config.helo_name = config::in_ascii(config.helo_name);
        Self {
            capabilities: Capabilities::default(),
            is_secure: config.implicit_tls,
            is_authenticated: false,
            channel: Channel::default(),
            reader: ReplyReader::default(),
            state: State::Greeting,
            unsent: false,
            deadline: now.checked_add(config.timeouts.greeting),
            eof: false,
            done: None,
            transactions: 0,
            domains: Vec::new(),
            masked: None,
            masked_untold: false,
            config,
        }
    }

    /// Consumes from `input`, appends what must be written to `out`, takes one step.
    ///
    /// `input` may hold up to [`ReplyReader::OCTETS_MAX`] octets before they are used.
    pub fn poll(&mut self, now: Instant, input: &[u8], out: &mut Vec<u8>) -> ClientStep {
        let mut consumed = 0usize;
        loop {
            let rest = input.get(consumed..).unwrap_or_default();
            if let Some(output) = self.step(now, rest, &mut consumed, out) {
                return ClientStep { consumed, output };
            }
        }
    }

    /// What the peer offers; empty before its reply to EHLO, and after STARTTLS only what it
    /// said in TLS.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether the session is in TLS.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Most recipients of one transaction: the peer's RCPTMAX, and at most
    /// [`RECIPIENTS_MAX`](Self::RECIPIENTS_MAX).
    // [RFC 9422 §4.2-b] no more than the peer takes.
    pub fn recipients_max(&self) -> usize {
        let announced = self.capabilities.recipients_max.map(usize::try_from);
        announced.and_then(Result::ok).unwrap_or(usize::MAX).min(Self::RECIPIENTS_MAX)
    }

    /// Whether [`begin_transaction`](Self::begin_transaction) is possible.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready { .. }) && self.done.is_none()
    }

    /// Begins a transaction; the commands are written by the next [`poll`](Self::poll). Gives what
    /// was asked for and is not told to the peer, as it does not offer it.
    ///
    /// Some recipients may have their result before the peer hears of them: those above
    /// [`recipients_max`](Self::recipients_max) and of domains above the peer's RCPTDOMAINMAX are
    /// deferred with 4.5.3; ones whose address needs SMTPUTF8 fail with 5.6.7, and ones whose
    /// RRVS must be kept with 5.7.19, where the peer does not offer it.
    ///
    /// # Errors
    ///
    /// The message cannot go to this peer, or the session is not ready. The error holds the
    /// result of every recipient; the session is as before.
    pub fn begin_transaction(
        &mut self,
        transaction: Transaction,
    ) -> Result<Vec<NotPassed>, TransactionRefused> {
        if !self.is_ready() {
            return Err(transaction::refuse(transaction, RefusalReason::NotReady));
        }
        let terms = Terms {
            offered: &self.capabilities,
            is_secure: self.is_secure,
            is_authenticated: self.is_authenticated,
            protocol: self.config.protocol,
            recipients_max: self.recipients_max(),
        };
        let (active, not_passed) = Active::new(transaction, &terms, &mut self.domains)?;
        self.transactions = self.transactions.saturating_add(1);
        self.state = State::Transaction(Box::new(active));
        Ok(not_passed)
    }

    /// Encodes the next piece of content into `out`. Line ends of any kind become CRLF, but for
    /// binary content, which leaves as it is.
    ///
    /// Between the pieces call [`poll`](Self::poll) with what the peer said: it may have closed or
    /// refused, and the time-out of a piece starts anew with the `poll` after it.
    ///
    /// # Errors
    ///
    /// No content is expected, or it cannot be sent. Nothing is written then.
    pub fn write_content(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), ClientMisuse> {
        match &mut self.state {
            State::Transaction(active) => active.write_content(piece, out),
            _ => Err(ClientMisuse::NoContentExpected),
        }
    }

    /// Ends the content: puts the final dot, or the last chunk, into `out`.
    ///
    /// From here on the message may arrive, and without a reply every accepted recipient is in
    /// doubt. What must be durable before that (the intent to deliver) is made durable before this
    /// call.
    ///
    /// # Errors
    ///
    /// No content is expected. Nothing is written then.
    pub fn end_content(&mut self, now: Instant, out: &mut Vec<u8>) -> Result<(), ClientMisuse> {
        let State::Transaction(active) = &mut self.state else {
            return Err(ClientMisuse::NoContentExpected);
        };
        // A connection that is known to be gone carries no final dot, so there is no doubt.
        if self.eof {
            self.close(CloseReason::PeerClosed, findings::peer_closed(AttemptStage::Content));
            return Ok(());
        }
        active.end_content(out)?;
        self.set_deadline(now, self.config.timeouts.end_of_data);
        Ok(())
    }

    /// Gives up at once: no more octets are written. `reply` (4yz or 5yz) says why; recipients
    /// without outcome get the one it stands for, or are in doubt when the content had ended.
    pub fn abort(&mut self, reply: Reply) {
        let status = Status::local(self.stage(), reply);
        self.close(CloseReason::Aborted, status);
    }

    /// Ends an idle session with QUIT. One that is not idle just closes, and recipients without
    /// outcome are deferred, or in doubt when the content had ended.
    pub fn quit(&mut self, now: Instant, out: &mut Vec<u8>) {
        match &self.state {
            State::Closed(_) | State::Quit => {}
            State::Ready { .. } => self.write_quit(now, out),
            State::Reset if self.unsent => self.write_quit(now, out),
            _ => self.close(CloseReason::Quit, findings::ended_by_us(self.stage())),
        }
    }

    /// No more input will come: the peer closed, or the connection broke. Input that was not
    /// consumed still counts.
    pub fn handle_eof(&mut self, _now: Instant) {
        self.eof = true;
    }

    /// The handshake is done. The session starts again with EHLO; what was said in the clear is
    /// forgotten.
    pub fn handle_tls_established(&mut self, _now: Instant) {
        if matches!(self.state, State::Handshake { .. }) {
            self.is_secure = true;
            self.is_authenticated = false;
            self.channel = Channel::default();
            // [RFC 9422 §3.6-a, §3.8-a] limits belong to the last EHLO, and to this session.
            self.capabilities = Capabilities::default();
            self.reader = ReplyReader::default();
            // [RFC 3207 §4.2-c] EHLO comes first.
            self.ask(State::Ehlo);
        }
    }

    /// The handshake failed. The session is over; whether to connect again without TLS is for the
    /// caller to decide.
    pub fn handle_tls_failed(&mut self, _now: Instant) {
        if matches!(self.state, State::Handshake { .. }) {
            self.close(CloseReason::TlsFailed, findings::tls_failed());
        }
    }
}
