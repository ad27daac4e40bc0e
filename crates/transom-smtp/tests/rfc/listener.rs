//! A server session and what a client gets to hear of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use transom_smtp::codec::Command;
use transom_smtp::sasl::{AuthOffer, Question, Verdict};
use transom_smtp::server::{Close, Event, Notice, Output, ServerConfig, ServerSession};
use transom_types::{EnhancedStatusCode, Principal, Reply};

const ZERO: Duration = Duration::ZERO;

/// The defaults, but for the budget of errors and the wait behind them: tests make many.
pub(crate) fn config() -> ServerConfig {
    let config = ServerConfig::new("mx.example".parse().unwrap());
    let limits = config.limits.with_errors_max(200).with_error_delay(ZERO, ZERO);
    let limits = limits.with_tarpit_interval(ZERO).with_auth_tarpit_interval(ZERO);
    config.with_limits(limits)
}

/// The defaults with everything on that a switch can turn on.
pub(crate) fn all_extensions() -> ServerConfig {
    let extensions = config().extensions.with_dsn(true).with_starttls(true);
    config().with_extensions(extensions.with_require_tls(true))
}

/// The defaults with PLAIN, LOGIN and the like.
pub(crate) fn with_auth(offer: AuthOffer) -> ServerConfig {
    config().with_auth(offer.with_passwords().with_external())
}

/// A session, its buffers and what came of it.
pub(crate) struct Listener {
    session: ServerSession,
    now: Instant,
    unread: Vec<u8>,
    out: Vec<u8>,
    content: Vec<u8>,
    /// Contents that came to their end.
    pub(crate) contents: Vec<Vec<u8>>,
    /// Each event in a line.
    pub(crate) events: Vec<String>,
    /// Answers other than the default, each to the next event of its name.
    answers: VecDeque<(&'static str, Reply)>,
    /// Under LMTP the verdicts on the next content, one a recipient.
    verdicts: Option<Vec<Reply>>,
    pub(crate) closed: Option<Close>,
}

impl Listener {
    /// A session that said nothing yet.
    pub(crate) fn silent(config: ServerConfig, tls: bool) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
        let now = Instant::now();
        Self {
            session: ServerSession::new(Arc::new(config), tls, now),
            now,
            unread: Vec::new(),
            out: Vec::new(),
            content: Vec::new(),
            contents: Vec::new(),
            events: Vec::new(),
            answers: VecDeque::new(),
            verdicts: None,
            closed: None,
        }
    }

    /// A session behind its greeting.
    pub(crate) fn greeted(config: ServerConfig) -> Self {
        let mut listener = Self::silent(config, false);
        listener.run();
        assert!(listener.take().starts_with("220 "));
        listener
    }

    /// A session behind EHLO.
    pub(crate) fn identified(config: ServerConfig) -> Self {
        let mut listener = Self::greeted(config);
        assert!(listener.say("EHLO client.example\r\n").starts_with("250-"));
        listener
    }

    /// The same in TLS.
    pub(crate) fn in_tls(config: ServerConfig) -> Self {
        let mut listener = Self::silent(config, true);
        listener.run();
        listener.take();
        assert!(listener.say("EHLO client.example\r\n").starts_with("250-"));
        listener
    }

    /// A session with a sender and a recipient.
    pub(crate) fn with_recipient(config: ServerConfig) -> Self {
        let mut listener = Self::identified(config);
        listener.begin("");
        listener
    }

    /// MAIL with `parameters`, and one RCPT.
    pub(crate) fn begin(&mut self, parameters: &str) {
        let mail = format!("MAIL FROM:<a@example.org>{parameters}\r\n");
        self.expect(&mail, "250");
        self.expect("RCPT TO:<b@example.net>\r\n", "250");
    }

    /// The client says `octets`; the reply must begin with `code`. Gives the reply.
    #[track_caller]
    pub(crate) fn expect(&mut self, octets: impl AsRef<[u8]>, code: &str) -> String {
        let octets = octets.as_ref();
        let reply = self.say(octets);
        assert!(reply.starts_with(code), "{}: {reply:?}", octets.escape_ascii());
        reply
    }

    /// The client says `octets`, in one piece. Gives what is said to it.
    pub(crate) fn say(&mut self, octets: impl AsRef<[u8]>) -> String {
        self.unread.extend_from_slice(octets.as_ref());
        self.run();
        self.take()
    }

    /// The client is gone.
    pub(crate) fn hang_up(&mut self) {
        self.session.handle_eof(self.now);
        self.run();
    }

    /// The next event of this name gets this answer.
    pub(crate) fn answer_next(&mut self, event: &'static str, line: &str) {
        self.answers.push_back((event, reply(line)));
    }

    /// Under LMTP the next content gets these answers.
    pub(crate) fn answer_each(&mut self, lines: &[&str]) {
        self.verdicts = Some(lines.iter().map(|line| reply(line)).collect());
    }

    fn take(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.out)).unwrap()
    }

    fn run(&mut self) {
        loop {
            let step = self.session.poll(self.now, &self.unread, &mut self.out);
            let consumed = step.consumed;
            let mut done = false;
            match step.output {
                Output::Content(piece) => self.content.extend_from_slice(piece),
                Output::Event(event) => self.answer(&event),
                Output::Notice(Notice::Reset) => {
                    self.content.clear();
                    self.events.push("Reset".into());
                }
                Output::Notice(_) => {}
                Output::StartTls => {
                    self.unread.clear();
                    self.session.handle_tls_established(self.now);
                    continue;
                }
                Output::Wait(_) => done = true,
                Output::Close(why) => {
                    self.closed = Some(why);
                    done = true;
                }
                other => panic!("{other:?}"),
            }
            self.unread.drain(..consumed);
            if done {
                return;
            }
        }
    }

    fn answer(&mut self, event: &Event) {
        let (name, line) = match event {
            Event::Mail { reverse_path, parameters } => {
                let (reverse_path, parameters) = (reverse_path.clone(), parameters.clone());
                ("Mail", printed(&Command::Mail { reverse_path, parameters }))
            }
            Event::Rcpt { forward_path, parameters } => {
                let (forward_path, parameters) = (forward_path.clone(), parameters.clone());
                ("Rcpt", printed(&Command::Rcpt { forward_path, parameters }))
            }
            Event::Hello { name, .. } => ("Hello", format!("Hello {name}")),
            Event::Connect => ("Connect", "Connect".into()),
            Event::Data => ("Data", "Data".into()),
            Event::EndOfData { .. } => {
                self.contents.push(std::mem::take(&mut self.content));
                if let Some(verdicts) = self.verdicts.take() {
                    return self.session.respond_each(verdicts).unwrap();
                }
                ("EndOfData", "EndOfData".into())
            }
            Event::Authenticate(question) => {
                self.events.push("Authenticate".into());
                return self.session.authenticate(verdict(question)).unwrap();
            }
            other => ("Other", format!("{other:?}")),
        };
        self.events.push(line);
        match self.answers.pop_front() {
            Some((wanted, reply)) if wanted == name => self.session.respond(reply).unwrap(),
            other => {
                self.answers.extend(other);
                self.session.accept().unwrap();
            }
        }
    }
}

/// A reply as it stands on one line.
fn reply(line: &str) -> Reply {
    let (code, text) = line.split_at(3);
    let (code, text) = (code.parse().unwrap(), text.trim_start());
    match EnhancedStatusCode::parse_prefix(text) {
        Some((enhanced, length)) => {
            Reply::new(code, enhanced, text.split_at(length).1.trim_start().to_owned())
        }
        None => Reply::bare(code, text.to_owned()),
    }
}

fn printed(command: &Command<'_>) -> String {
    let mut line = Vec::new();
    command.write_to(&mut line);
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

/// Everybody with the password `secret` is let in.
fn verdict(question: &Question) -> Verdict {
    match question {
        Question::Password { user, password, .. } if password.expose() == b"secret" => {
            Verdict::Granted(Principal::new(user).unwrap())
        }
        _ => Verdict::Denied,
    }
}
