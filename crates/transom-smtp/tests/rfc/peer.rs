//! A client session, and the words that it gets to hear.

use std::time::{Duration, Instant};

use transom_smtp::client::{
    ClientConfig, ClientEvent, ClientMisuse, ClientOutput, ClientSession, CloseReason, Transaction,
};
use transom_smtp::codec::HelloName;
use transom_types::{ForwardPath, MailParameters, Outcome, RecipientResult, RemoteHost};

/// The defaults under a name for tests.
pub(crate) fn config() -> ClientConfig {
    let remote = RemoteHost { name: "mx.example".into(), address: None };
    ClientConfig::new(HelloName::new("client.example").unwrap().into_owned(), remote)
}

/// A small message with one recipient.
pub(crate) fn message() -> Transaction {
    let path: ForwardPath = "<b@example.net>".parse().unwrap();
    Transaction {
        reverse_path: "<a@example.org>".parse().unwrap(),
        parameters: MailParameters::default(),
        recipients: vec![(0, path.into())],
        size: 3,
        eight_bit: false,
        utf8: false,
    }
}

/// A session, its buffers and what it told.
pub(crate) struct Talk {
    pub(crate) session: ClientSession,
    now: Instant,
    unread: Vec<u8>,
    deadline: Option<Instant>,
    told: Vec<ClientOutput>,
}

impl Talk {
    /// A session that heard nothing yet.
    pub(crate) fn new(config: ClientConfig) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
        let now = Instant::now();
        let session = ClientSession::new(config, now);
        Self { session, now, unread: Vec::new(), deadline: None, told: Vec::new() }
    }

    /// A session behind EHLO, the peer of which offers this.
    pub(crate) fn ready(offers: &[&str]) -> Self {
        let mut talk = Self::new(config());
        talk.hear("220 mx.example\r\n");
        let reply = ["mx.example"].iter().chain(offers).copied().collect::<Vec<_>>();
        assert_eq!(talk.hear(format!("250-{}\r\n250 HELP\r\n", reply.join("\r\n250-"))), "");
        assert!(talk.session.is_ready());
        talk
    }

    /// A session behind 354.
    pub(crate) fn in_content(offers: &[&str]) -> Self {
        let mut talk = Self::ready(offers);
        talk.begin(message());
        talk.hear("250 x\r\n");
        talk.hear("250 x\r\n");
        talk.hear("354 x\r\n");
        assert!(talk.wants_content());
        talk
    }

    /// The peer says this. Gives what is said to it.
    pub(crate) fn hear(&mut self, octets: impl AsRef<[u8]>) -> String {
        self.unread.extend_from_slice(octets.as_ref());
        self.run(Vec::new())
    }

    /// A transaction begins. Gives what is said to the peer.
    pub(crate) fn begin(&mut self, transaction: Transaction) -> String {
        self.session.begin_transaction(transaction).unwrap();
        self.run(Vec::new())
    }

    /// The whole content. Gives what is said to the peer.
    pub(crate) fn send(&mut self, content: &str) -> String {
        self.write(content) + &self.end()
    }

    /// A piece of content.
    pub(crate) fn write(&mut self, piece: &str) -> String {
        let mut out = Vec::new();
        self.session.write_content(piece.as_bytes(), &mut out).unwrap();
        self.run(out)
    }

    /// A piece of content that may not be wanted.
    pub(crate) fn try_write(&mut self, piece: &str) -> Result<(), ClientMisuse> {
        let mut out = Vec::new();
        self.session.write_content(piece.as_bytes(), &mut out)
    }

    /// The end of the content.
    pub(crate) fn end(&mut self) -> String {
        let mut out = Vec::new();
        self.session.end_content(self.now, &mut out).unwrap();
        self.run(out)
    }

    pub(crate) fn quit(&mut self) -> String {
        let mut out = Vec::new();
        self.session.quit(self.now, &mut out);
        self.run(out)
    }

    /// The handshake is made.
    pub(crate) fn shake_hands(&mut self) -> String {
        self.session.handle_tls_established(self.now);
        self.run(Vec::new())
    }

    /// The peer is gone.
    pub(crate) fn hang_up(&mut self) {
        self.session.handle_eof(self.now);
        self.run(Vec::new());
    }

    /// Time passes.
    pub(crate) fn advance(&mut self, time: Duration) {
        self.now += time;
        self.run(Vec::new());
    }

    /// How long the peer may still take.
    pub(crate) fn wait(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline - self.now)
    }

    pub(crate) fn wants_tls(&self) -> bool {
        self.told.contains(&ClientOutput::StartTls)
    }

    pub(crate) fn wants_content(&self) -> bool {
        self.told.contains(&ClientOutput::Event(ClientEvent::SendContent))
    }

    /// The results of the transaction, where it has ended.
    pub(crate) fn done(&self) -> Option<&[RecipientResult]> {
        self.told.iter().find_map(|output| match output {
            ClientOutput::Event(ClientEvent::Done(results)) => Some(results.as_slice()),
            _ => None,
        })
    }

    /// What became of the only recipient.
    pub(crate) fn outcome(&self) -> &Outcome {
        let Some([result]) = self.done() else { panic!("{:?}", self.told) };
        &result.outcome
    }

    pub(crate) fn close_reason(&self) -> &CloseReason {
        let close = self.told.iter().find_map(|output| match output {
            ClientOutput::Close(close) => Some(&close.reason),
            _ => None,
        });
        close.unwrap_or_else(|| panic!("{:?}", self.told))
    }

    fn run(&mut self, mut out: Vec<u8>) -> String {
        loop {
            let step = self.session.poll(self.now, &self.unread, &mut out);
            self.unread.drain(..step.consumed);
            match step.output {
                ClientOutput::Wait(deadline) => {
                    self.deadline = deadline;
                    break;
                }
                output @ ClientOutput::Close(_) => {
                    self.told.push(output);
                    break;
                }
                output => self.told.push(output),
            }
        }
        String::from_utf8(out).unwrap()
    }
}
