//! A driver in memory: it feeds octets in any cut, answers events, and notes what happened.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use transom_smtp::codec::Command;
use transom_smtp::sasl::{AuthOffer, Question, Verdict};
use transom_smtp::server::{Close, Event, Notice, Output, ServerConfig, ServerSession};
use transom_types::{
    EnhancedStatusCode, ExtensionParameter, FutureRelease, Principal, Reply, Secret,
};

/// The defaults under the name that all tests use. Errors are answered at once; that they are not
/// is tested in `limits`.
pub(crate) fn config() -> ServerConfig {
    let config = ServerConfig::new("mx.example".parse().unwrap());
    let limits = config.limits.with_error_delay(Duration::ZERO, Duration::ZERO);
    config.with_limits(limits)
}

/// What the tests log in with.
pub(crate) fn offer() -> AuthOffer {
    AuthOffer::default().with_tokens().with_passwords().with_external()
}

/// The only user that there is, with a password and a token.
fn verdict(question: &Question) -> Verdict {
    let alice = || Verdict::Granted(Principal::new("alice").unwrap());
    match question {
        Question::Password { user, .. } if user == "down" => Verdict::Unavailable,
        Question::Password { user, password, acting_as: None }
            if user == "alice" && *password == Secret::new(*b"secret") =>
        {
            alice()
        }
        Question::Token { token, .. } if *token == Secret::new(*b"t0ken") => alice(),
        Question::External { identity, acting_as: None } => {
            Verdict::Granted(Principal::new(identity).unwrap())
        }
        _ => Verdict::Denied,
    }
}

/// A reply as it stands on one line: code, perhaps enhanced code, text.
pub(crate) fn reply(line: &str) -> Reply {
    let (code, text) = line.split_at(3);
    let (code, text) = (code.parse().unwrap(), text.trim_start());
    match EnhancedStatusCode::parse_prefix(text) {
        Some((enhanced, length)) => {
            Reply::new(code, enhanced, text.split_at(length).1.trim_start().to_owned())
        }
        None => Reply::bare(code, text.to_owned()),
    }
}

/// A session, its buffers, and everything that came out of it.
pub(crate) struct Driver {
    pub(crate) session: ServerSession,
    pub(crate) now: Instant,
    /// What the peer sent and the session has not consumed.
    pub(crate) unread: Vec<u8>,
    /// What the session said and nobody has taken.
    pub(crate) out: Vec<u8>,
    /// Events, notices and content, in order, one line each.
    pub(crate) trace: Vec<String>,
    /// The content of the open transaction.
    pub(crate) content: Vec<u8>,
    /// The contents that came to their end.
    pub(crate) contents: Vec<Vec<u8>>,
    pub(crate) closed: Option<Close>,
    pub(crate) deadline: Option<Instant>,
    /// Answers other than the default: the name of an event and the reply.
    pub(crate) answers: VecDeque<(String, Reply)>,
    /// Answers to the next ends of data, one reply for each recipient.
    pub(crate) each: VecDeque<Vec<Reply>>,
    /// Most octets that were left unread at a wait.
    pub(crate) unread_max: usize,
}

impl Driver {
    /// A session of which nothing has happened yet.
    pub(crate) fn silent(config: ServerConfig) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
        let now = Instant::now();
        Self {
            session: ServerSession::new(Arc::new(config), false, now),
            now,
            unread: Vec::new(),
            out: Vec::new(),
            trace: Vec::new(),
            content: Vec::new(),
            contents: Vec::new(),
            closed: None,
            deadline: None,
            answers: VecDeque::new(),
            each: VecDeque::new(),
            unread_max: 0,
        }
    }

    /// A session that has been greeted.
    pub(crate) fn new(config: ServerConfig) -> Self {
        let mut driver = Self::silent(config);
        driver.run();
        assert!(driver.take().starts_with("220 mx.example"));
        driver
    }

    /// A session that has said EHLO.
    pub(crate) fn identified(config: ServerConfig) -> Self {
        let mut driver = Self::new(config);
        assert!(driver.say("EHLO client.example\r\n").starts_with("250-mx.example\r\n"));
        driver
    }

    /// A session with a sender and a recipient.
    pub(crate) fn with_recipient(config: ServerConfig) -> Self {
        let mut driver = Self::identified(config);
        assert!(driver.say("MAIL FROM:<a@example.org>\r\n").starts_with("250 "));
        assert!(driver.say("RCPT TO:<b@example.net>\r\n").starts_with("250 "));
        driver
    }

    /// A session behind 354.
    pub(crate) fn in_data(config: ServerConfig) -> Self {
        let mut driver = Self::with_recipient(config);
        assert!(driver.say("DATA\r\n").starts_with("354 "));
        driver
    }

    /// The peer sends, all in one piece; returns what is said to it.
    pub(crate) fn say(&mut self, octets: impl AsRef<[u8]>) -> String {
        self.feed(octets.as_ref());
        self.take()
    }

    /// The peer sends, all in one piece.
    pub(crate) fn feed(&mut self, octets: &[u8]) {
        self.unread.extend_from_slice(octets);
        self.run();
    }

    /// What was said since the last time.
    pub(crate) fn take(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.out)).unwrap()
    }

    /// Time passes.
    pub(crate) fn advance(&mut self, duration: Duration) {
        self.now += duration;
        self.run();
    }

    /// Polls until the session waits or closes.
    pub(crate) fn run(&mut self) {
        loop {
            let step = self.session.poll(self.now, &self.unread, &mut self.out);
            let consumed = step.consumed;
            let mut done = false;
            match step.output {
                Output::Content(piece) => {
                    assert!(!piece.is_empty(), "a piece of content is never empty");
                    self.content.extend_from_slice(piece);
                }
                Output::Event(event) => self.answer(&event),
                Output::Notice(Notice::Reset) => {
                    self.content.clear();
                    self.trace.push("Reset".into());
                }
                Output::Notice(Notice::Authenticated) => {
                    let principal = self.session.principal().unwrap();
                    self.trace.push(format!("Authenticated {principal}"));
                }
                Output::Notice(Notice::AuthenticationFailed) => {
                    assert_eq!(self.session.principal(), None);
                    self.trace.push("AuthenticationFailed".into());
                }
                Output::StartTls => {
                    self.trace.push("StartTls".into());
                    self.unread.clear();
                    self.session.handle_tls_established(self.now);
                    continue;
                }
                Output::Pause(until) => {
                    self.deadline = Some(until);
                    done = true;
                }
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    done = true;
                }
                Output::Close(why) => {
                    self.closed = Some(why);
                    done = true;
                }
                other => panic!("an output that the driver does not know: {other:?}"),
            }
            self.unread.drain(..consumed);
            if done {
                self.unread_max = self.unread_max.max(self.unread.len());
                return;
            }
        }
    }

    fn answer(&mut self, event: &Event) {
        let (name, line) = describe(event);
        if let Event::EndOfData { .. } = event {
            let content = std::mem::take(&mut self.content);
            self.trace.push(format!("Content \"{}\"", content.escape_ascii()));
            self.contents.push(content);
        }
        self.trace.push(line);
        if let Event::EndOfData { .. } = event
            && let Some(replies) = self.each.pop_front()
        {
            return self.session.respond_each(replies).unwrap();
        }
        let scripted = self.answers.front().is_some_and(|(wanted, _)| wanted == name);
        match self.answers.pop_front() {
            Some((_, reply)) if scripted => self.session.respond(reply).unwrap(),
            other => {
                if let Some(other) = other {
                    self.answers.push_front(other);
                }
                match event {
                    Event::Authenticate(question) => {
                        assert!(self.session.accept().is_err(), "nobody is let in by default");
                        self.session.authenticate(verdict(question)).unwrap();
                    }
                    _ => self.session.accept().unwrap(),
                }
            }
        }
    }
}

/// The name of an event, and the line it makes in a trace.
fn describe(event: &Event) -> (&'static str, String) {
    match event {
        Event::Authenticate(question) => {
            let who = match question {
                Question::Password { user, .. } | Question::ScramVerifier { user, .. } => user,
                Question::Token { user, .. } => user.as_deref().unwrap_or("somebody"),
                Question::External { identity, .. } => identity,
                other => panic!("a question that the driver does not know: {other:?}"),
            };
            ("Authenticate", format!("Authenticate {who}"))
        }
        Event::Connect => ("Connect", "Connect".into()),
        Event::Data => ("Data", "Data".into()),
        Event::EndOfData { octets } => ("EndOfData", format!("EndOfData {octets}")),
        Event::Hello { name, esmtp } => {
            ("Hello", format!("Hello {name} {}", if *esmtp { "esmtp" } else { "smtp" }))
        }
        Event::Mail { reverse_path, parameters } => {
            let mut line = format!("Mail {reverse_path}");
            if let Some(size) = parameters.size {
                let _ = write!(line, " size={size}");
            }
            if parameters.smtputf8 {
                line += " smtputf8";
            }
            line = format!("{line} {}", parameters.body);
            if parameters.require_tls {
                line += " requiretls";
            }
            if let Some(by) = parameters.deliver_by {
                let _ = write!(line, " by={by}");
            }
            let _ = match parameters.hold {
                Some(FutureRelease::For(interval)) => write!(line, " holdfor={interval}"),
                Some(FutureRelease::Until(moment)) => write!(line, " holduntil={moment}"),
                None => Ok(()),
            };
            if let Some(priority) = parameters.mt_priority {
                let _ = write!(line, " mt-priority={priority}");
            }
            ("Mail", with_extensions(line, &parameters.extensions))
        }
        Event::Rcpt { forward_path, parameters } => {
            let mut line = format!("Rcpt {forward_path}");
            if let Some(since) = parameters.valid_since {
                let _ = write!(line, " rrvs={since}");
            }
            ("Rcpt", with_extensions(line, &parameters.extensions))
        }
        Event::Etrn { argument } => ("Etrn", format!("Etrn {argument}")),
        Event::Expn { argument } => ("Expn", format!("Expn {argument}")),
        Event::Extension { verb, argument } => {
            let argument = argument.as_ref().map_or("", |argument| argument.as_str());
            ("Extension", format!("Extension {verb} {argument}").trim_end().to_owned())
        }
        Event::Xclient { attributes } => {
            ("Xclient", printed(&Command::Xclient { attributes: attributes.clone() }))
        }
        Event::Xforward { attributes } => {
            ("Xforward", printed(&Command::Xforward { attributes: attributes.clone() }))
        }
        Event::Vrfy { argument } => ("Vrfy", format!("Vrfy {argument}")),
        other => panic!("an event that the driver does not know: {other:?}"),
    }
}

fn with_extensions(mut line: String, given: &[ExtensionParameter]) -> String {
    for parameter in given {
        let _ = write!(line, " {parameter}");
    }
    line
}

/// A command as it stands in a trace.
fn printed(command: &Command<'_>) -> String {
    let mut line = Vec::new();
    command.write_to(&mut line);
    String::from_utf8(line).unwrap().trim_end().to_owned()
}
