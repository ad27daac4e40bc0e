//! A scripted peer, and a driver that lets a session talk to it.

use std::time::{Duration, Instant};

use transom_smtp::client::{
    ClientClose, ClientConfig, ClientEvent, ClientOutput, ClientSession, ClientTls, NotPassed,
    Transaction, TransactionRefused,
};
use transom_smtp::codec::HelloName;
use transom_types::{ForwardPath, MailParameters, Recipient, RecipientResult, RemoteHost};

/// What a peer does at one place of the dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// What is right here.
    Agree,
    /// These octets, as they are.
    Say(&'static str),
    /// These octets, then it closes.
    SayAndClose(&'static str),
    /// It closes.
    Close,
    /// It says nothing more at all.
    Silence,
}

/// The script, and what the peer heard.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what a peer is told and what it remembers")]
pub(crate) struct Peer {
    /// EHLO keywords, in the clear and in TLS.
    pub(crate) offers: Vec<&'static str>,
    pub(crate) offers_in_tls: Vec<&'static str>,
    pub(crate) greeting: Act,
    pub(crate) ehlo: Act,
    pub(crate) ehlo_in_tls: Act,
    pub(crate) helo: Act,
    pub(crate) starttls: Act,
    pub(crate) mail: Act,
    /// By the place of the recipient in its transaction; beyond it the peer agrees.
    pub(crate) rcpt: Vec<Act>,
    pub(crate) data: Act,
    pub(crate) chunk: Act,
    pub(crate) end_of_data: Act,
    /// Whether it speaks LMTP.
    pub(crate) lmtp: bool,
    /// In LMTP, by the place of the recipient among the accepted ones; beyond it `end_of_data`.
    pub(crate) verdicts: Vec<Act>,
    pub(crate) rset: Act,
    pub(crate) quit: Act,
    /// Whether a peer without accepted recipients consents to DATA all the same.
    pub(crate) consents_without_recipients: bool,
    /// Command lines that came.
    pub(crate) commands: Vec<String>,
    /// Contents that came whole, without dots added.
    pub(crate) contents: Vec<String>,
    /// Octets of all chunks, as they came.
    pub(crate) chunked: Vec<u8>,
    /// Whether octets of content came where none may come.
    pub(crate) astray: Vec<String>,
    pub(crate) unread: Vec<u8>,
    pub(crate) mode: Mode,
    pub(crate) recipients: usize,
    pub(crate) accepted: usize,
    pub(crate) has_mail: bool,
    pub(crate) gone: bool,
    pub(crate) silent: bool,
    pub(crate) in_tls: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Commands,
    Data(String),
    Chunk { left: usize, last: bool },
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            offers: vec!["SIZE 10000000", "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"],
            offers_in_tls: vec!["PIPELINING"],
            greeting: Act::Agree,
            ehlo: Act::Agree,
            ehlo_in_tls: Act::Agree,
            helo: Act::Agree,
            starttls: Act::Agree,
            mail: Act::Agree,
            rcpt: Vec::new(),
            data: Act::Agree,
            chunk: Act::Agree,
            end_of_data: Act::Agree,
            lmtp: false,
            verdicts: Vec::new(),
            rset: Act::Agree,
            quit: Act::Agree,
            consents_without_recipients: false,
            commands: Vec::new(),
            contents: Vec::new(),
            chunked: Vec::new(),
            astray: Vec::new(),
            unread: Vec::new(),
            mode: Mode::Commands,
            recipients: 0,
            accepted: 0,
            has_mail: false,
            gone: false,
            silent: false,
            in_tls: false,
        }
    }
}

impl Peer {
    pub(crate) fn offering(offers: &[&'static str]) -> Self {
        Self { offers: offers.to_vec(), ..Self::default() }
    }

    /// Acts; gives whether that was a 2yz or 3yz.
    fn act(&mut self, act: &Act, right: &str, wire: &mut Vec<u8>) -> bool {
        if self.gone || self.silent {
            return false;
        }
        let said = match act {
            Act::Agree => right,
            Act::Say(text) => text,
            Act::SayAndClose(text) => {
                self.gone = true;
                text
            }
            Act::Close => {
                self.gone = true;
                ""
            }
            Act::Silence => {
                self.silent = true;
                ""
            }
        };
        wire.extend_from_slice(said.as_bytes());
        said.starts_with(['2', '3'])
    }

    /// Hears octets of the client, and answers on `wire`.
    fn hear(&mut self, octets: &[u8], wire: &mut Vec<u8>) {
        let mut heard = std::mem::take(&mut self.unread);
        heard.extend_from_slice(octets);
        let mut rest = heard.as_slice();
        while let Some(used) = self.hear_one(rest, wire) {
            rest = &rest[used..];
        }
        self.unread = rest.to_vec();
    }

    /// Hears one line or chunk, where it is whole.
    fn hear_one(&mut self, rest: &[u8], wire: &mut Vec<u8>) -> Option<usize> {
        if let Mode::Chunk { left, last } = self.mode {
            let chunk = rest.get(..left)?;
            self.mode = Mode::Commands;
            self.chunked.extend_from_slice(chunk);
            self.hear_chunk(&String::from_utf8_lossy(chunk), last, wire);
            return Some(left);
        }
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = String::from_utf8_lossy(&rest[..end]);
        assert!(!line.contains(['\r', '\n']), "bare line end in {line:?}");
        match &mut self.mode {
            Mode::Data(content) if line == "." => {
                let content = std::mem::take(content);
                self.mode = Mode::Commands;
                self.end_data(content, wire);
            }
            Mode::Data(content) => {
                content.push_str(line.strip_prefix('.').unwrap_or(&line));
                content.push_str("\r\n");
            }
            _ => self.hear_command(&line, wire),
        }
        Some(end + 2)
    }

    fn end_data(&mut self, content: String, wire: &mut Vec<u8>) {
        self.contents.push(content);
        self.judge("250 2.6.0 taken\r\n", wire);
        self.has_mail = false;
    }

    /// The reply to a whole content, or in LMTP the replies.
    fn judge(&mut self, right: &str, wire: &mut Vec<u8>) {
        let replies = if self.lmtp { self.accepted } else { 1 };
        for at in 0..replies {
            let act = self.verdicts.get(at).unwrap_or(&self.end_of_data).clone();
            self.act(&act, right, wire);
        }
    }

    fn hear_chunk(&mut self, chunk: &str, last: bool, wire: &mut Vec<u8>) {
        if self.contents.is_empty() {
            self.contents.push(String::new());
        }
        self.contents.last_mut().unwrap().push_str(chunk);
        if last {
            return self.judge("250 2.6.0 chunk\r\n", wire);
        }
        self.act(&self.chunk.clone(), "250 2.6.0 chunk\r\n", wire);
    }

    fn ehlo_reply(&self) -> String {
        let offers = if self.in_tls { &self.offers_in_tls } else { &self.offers };
        let mut lines = vec!["mx.example"];
        lines.extend(offers);
        let last = lines.len() - 1;
        let mark = |at| if at == last { ' ' } else { '-' };
        let print = |(at, line): (usize, &&str)| format!("250{}{line}\r\n", mark(at));
        lines.iter().enumerate().map(print).collect::<Vec<_>>().concat()
    }

    fn hear_command(&mut self, line: &str, wire: &mut Vec<u8>) {
        self.commands.push(line.to_owned());
        let verb = line.split([' ', ':']).next().unwrap_or_default();
        match verb {
            "EHLO" | "LHLO" if self.lmtp != (verb == "LHLO") => {
                self.act(&Act::Say("500 5.5.1 other protocol\r\n"), "", wire);
            }
            "EHLO" | "LHLO" => {
                let right = self.ehlo_reply();
                let act = if self.in_tls { &self.ehlo_in_tls } else { &self.ehlo };
                self.act(&act.clone(), &right, wire);
            }
            "HELO" => drop(self.act(&self.helo.clone(), "250 mx.example\r\n", wire)),
            "STARTTLS" => drop(self.act(&self.starttls.clone(), "220 go\r\n", wire)),
            "MAIL" => {
                (self.recipients, self.accepted) = (0, 0);
                self.has_mail = self.act(&self.mail.clone(), "250 2.1.0 sender\r\n", wire);
            }
            "RCPT" => {
                let act = self.rcpt.get(self.recipients).cloned().unwrap_or(Act::Agree);
                self.recipients += 1;
                let act = if self.has_mail { act } else { Act::Say("503 5.5.1 MAIL first\r\n") };
                self.accepted += usize::from(self.act(&act, "250 2.1.5 recipient\r\n", wire));
            }
            "DATA" => {
                let consents = self.accepted > 0 || self.consents_without_recipients;
                let act = if consents { self.data.clone() } else { Act::Say("554 5.5.1 no\r\n") };
                let before = wire.len();
                if self.act(&act, "354 go on\r\n", wire) && wire[before..].starts_with(b"354") {
                    self.mode = Mode::Data(String::new());
                }
            }
            "BDAT" => {
                let mut words = line.split(' ').skip(1);
                let left = words.next().unwrap().parse().unwrap();
                self.mode = Mode::Chunk { left, last: words.next() == Some("LAST") };
            }
            "RSET" => drop(self.act(&self.rset.clone(), "250 2.0.0 reset\r\n", wire)),
            "QUIT" => {
                self.act(&self.quit.clone(), "221 2.0.0 bye\r\n", wire);
                self.gone |= !self.silent;
            }
            _ => self.astray.push(line.to_owned()),
        }
    }
}

/// What the driver saw.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// Each `Done`, and each refusal of `begin_transaction`.
    pub(crate) results: Vec<Vec<RecipientResult>>,
    pub(crate) refusals: Vec<TransactionRefused>,
    /// What the peer is not told, of each transaction that began.
    pub(crate) not_passed: Vec<Vec<NotPassed>>,
    /// What shows that a firewall rewrites the dialog.
    pub(crate) masked: Vec<Box<str>>,
    pub(crate) ready: usize,
    pub(crate) close: Option<ClientClose>,
    /// All that the session put into `out`.
    pub(crate) sent: Vec<u8>,
    /// How long it took, all waiting included.
    pub(crate) took: Duration,
}

impl Run {
    /// The outcomes of the only transaction, as words.
    pub(crate) fn outcomes(&self) -> Vec<&'static str> {
        assert_eq!(self.results.len(), 1, "one Done: {self:?}");
        self.results[0].iter().map(|result| result.outcome.name()).collect()
    }
}

pub(crate) fn config() -> ClientConfig {
    let remote = RemoteHost { name: "mx.example".into(), address: None };
    ClientConfig::new(HelloName::new("client.example").unwrap().into_owned(), remote)
}

pub(crate) fn transaction(recipients: u32) -> Transaction {
    let recipient = |at: u32| {
        let path: ForwardPath = format!("<r{at}@mx.example>").parse().unwrap();
        // Places in the envelope need not begin at 0 nor be dense.
        (at * 2 + 1, Recipient::from(path))
    };
    Transaction {
        reverse_path: "<s@client.example>".parse().unwrap(),
        parameters: MailParameters::default(),
        recipients: (0..recipients).map(recipient).collect(),
        size: 12,
        eight_bit: false,
        utf8: false,
    }
}

pub(crate) const CONTENT: &[u8] = b".one\r\ntwo\r\n";

#[expect(clippy::disallowed_methods, reason = "an origin for instants; no test waits")]
pub(crate) fn origin() -> Instant {
    Instant::now()
}

/// A piece that is the next line.
const LINE: usize = usize::MAX;

/// Pieces of seeded sizes.
fn seeded(seed: u64) -> Vec<usize> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    let size = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % 23).unwrap() + 1
    };
    (0..64).map(size).collect()
}

/// Does the same with the words of the peer arriving whole, line by line, octet by octet and in
/// seeded pieces: all is the same each time.
pub(crate) fn every_way(
    config: ClientConfig,
    peer: &mut Peer,
    transactions: Vec<Transaction>,
    content: &[u8],
) -> Run {
    let fresh = peer.clone();
    let in_pieces = [vec![LINE], vec![1], seeded(1), seeded(2), seeded(3)].map(|pieces| {
        let mut again = fresh.clone();
        let run = drive(config.clone(), &mut again, transactions.clone(), content, &pieces);
        (pieces, run, again.commands)
    });
    let whole = drive(config, peer, transactions, content, &[0]);
    for (pieces, run, commands) in in_pieces {
        assert_eq!(run, whole, "in pieces of {pieces:?}");
        assert_eq!(commands, peer.commands, "in pieces of {pieces:?}");
    }
    whole
}

/// Lets a session with `config` send `transactions` to `peer`, whose words arrive in pieces of the
/// sizes given (0: at once, [`LINE`]: up to the end of the line).
pub(crate) fn drive(
    config: ClientConfig,
    peer: &mut Peer,
    transactions: Vec<Transaction>,
    content: &[u8],
    pieces: &[usize],
) -> Run {
    let origin = origin();
    let mut now = origin;
    let mut session = ClientSession::new(config, now);
    let mut run = Run::default();
    let mut transactions = transactions.into_iter();
    let (mut wire, mut unread, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let mut pieces = pieces.iter().copied().cycle();
    let greeting = peer.greeting.clone();
    peer.act(&greeting, "220 mx.example ready\r\n", &mut wire);
    for _ in 0..100_000 {
        let step = session.poll(now, &unread, &mut out);
        assert!(step.consumed <= unread.len());
        unread.drain(..step.consumed);
        match step.output {
            ClientOutput::Event(ClientEvent::Ready) => {
                run.ready += 1;
                loop {
                    let Some(transaction) = transactions.next() else {
                        session.quit(now, &mut out);
                        break;
                    };
                    match session.begin_transaction(transaction) {
                        Ok(not_passed) => {
                            run.not_passed.push(not_passed);
                            break;
                        }
                        Err(refused) => run.refusals.push(refused),
                    }
                }
            }
            ClientOutput::Event(ClientEvent::SendContent) => {
                for piece in content.chunks(content.len().div_ceil(3).max(1)) {
                    session.write_content(piece, &mut out).unwrap();
                }
                session.end_content(now, &mut out).unwrap();
                assert!(session.write_content(b"x", &mut out).is_err());
            }
            ClientOutput::Event(ClientEvent::Done(results)) => run.results.push(results),
            ClientOutput::Event(ClientEvent::MaskedVerbs { seen }) => run.masked.push(seen),
            ClientOutput::StartTls => {
                flush(&mut out, peer, &mut wire, &mut run);
                // Octets that were not consumed are dropped.
                unread.clear();
                wire.clear();
                peer.in_tls = true;
                session.handle_tls_established(now);
            }
            ClientOutput::Wait(until) => {
                flush(&mut out, peer, &mut wire, &mut run);
                let piece = pieces.next().unwrap_or(0);
                if !wire.is_empty() {
                    unread.extend(wire.drain(..octets(piece, &wire)));
                } else if peer.gone {
                    session.handle_eof(now);
                } else {
                    now = until.expect("a session that waits for a reply has a deadline");
                }
            }
            ClientOutput::Close(close) => {
                flush(&mut out, peer, &mut wire, &mut run);
                run.close = Some(close);
                run.took = now - origin;
                return run;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("the session does not end: {run:?}");
}

/// How many octets of `wire` a piece takes.
fn octets(piece: usize, wire: &[u8]) -> usize {
    match piece {
        0 => wire.len(),
        LINE => wire.iter().position(|&octet| octet == b'\n').map_or(wire.len(), |at| at + 1),
        octets => octets.min(wire.len()),
    }
}

fn flush(out: &mut Vec<u8>, peer: &mut Peer, wire: &mut Vec<u8>, run: &mut Run) {
    run.sent.extend_from_slice(out);
    peer.hear(out, wire);
    out.clear();
}

/// One transaction with so many recipients, octets at once.
pub(crate) fn send(peer: &mut Peer, recipients: u32) -> Run {
    drive(config(), peer, vec![transaction(recipients)], CONTENT, &[0])
}

/// The same, with the replies in every way of pieces.
pub(crate) fn send_every_way(peer: &mut Peer, recipients: u32) -> Run {
    every_way(config(), peer, vec![transaction(recipients)], CONTENT)
}

/// One transaction with one recipient and STARTTLS as told.
pub(crate) fn send_with_tls(peer: &mut Peer, tls: ClientTls) -> Run {
    every_way(config().with_tls(tls), peer, vec![transaction(1)], CONTENT)
}
