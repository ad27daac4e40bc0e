//! A mail server that follows a script: it takes everything unless the script says otherwise.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::support::{Duplex, eventually};

/// What the peer does at a command. Content has ended at the command `.`, and a connection begins
/// with `CONNECT`.
pub(crate) enum Do {
    /// What a server does.
    Usual,
    Say(&'static str),
    /// Closes without a word.
    Cut,
    /// Says something and closes.
    SayAndCut(&'static str),
    /// The usual, after a while.
    Later(Duration),
    /// Says nothing more, and keeps the connection.
    Stall,
}

/// A command as the script sees it.
pub(crate) struct At<'a> {
    /// Of this peer, from 1.
    pub(crate) connection: usize,
    pub(crate) line: &'a str,
    /// How often the peer has seen this very line, this time included.
    pub(crate) times: usize,
}

impl At<'_> {
    pub(crate) fn is(&self, verb: &str) -> bool {
        self.line.split([' ', ':']).next() == Some(verb)
    }
}

/// A message that the peer took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) mail: String,
    pub(crate) rcpt: Vec<String>,
    pub(crate) content: Vec<u8>,
    pub(crate) secure: bool,
    pub(crate) connection: usize,
}

type Script = dyn Fn(&At<'_>) -> Do + Send + Sync;

/// A running peer; it ends when it is dropped.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    _tasks: JoinSet<()>,
}

struct Seen {
    script: Box<Script>,
    extensions: Vec<&'static str>,
    tls: Option<TlsAcceptor>,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    lines: Vec<(usize, String)>,
    taken: Vec<Taken>,
    connections: usize,
    from: Vec<IpAddr>,
    open: usize,
}

const USUAL: [&str; 5] = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE"];

impl Peer {
    /// Takes everything.
    pub(crate) async fn willing() -> Self {
        Self::scripted(|_| Do::Usual).await
    }

    pub(crate) async fn scripted(script: impl Fn(&At<'_>) -> Do + Send + Sync + 'static) -> Self {
        Self::start(&USUAL, None, script).await
    }

    pub(crate) async fn start(
        extensions: &[&'static str],
        tls: Option<TlsAcceptor>,
        script: impl Fn(&At<'_>) -> Do + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen {
            script: Box::new(script),
            extensions: extensions.to_vec(),
            tls,
            log: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&seen);
        tasks.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((stream, from)) = listener.accept().await {
                shared.log.lock().unwrap().from.push(from.ip());
                let seen = Arc::clone(&shared);
                sessions.spawn(async move {
                    let connection = seen.opened();
                    Session { seen: &seen, connection, taken: Taken::default() }.run(stream).await;
                    seen.log.lock().unwrap().open -= 1;
                });
            }
        });
        Self { address, seen, _tasks: tasks }
    }

    /// All messages that it took.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.seen.log.lock().unwrap().taken.clone()
    }

    /// All commands of all connections, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        let log = self.seen.log.lock().unwrap();
        log.lines.iter().map(|(_, line)| line.clone()).collect()
    }

    /// How often a command came.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|seen| seen.starts_with(line)).count()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.log.lock().unwrap().connections
    }

    /// Where the connections came from.
    pub(crate) fn from(&self) -> Vec<IpAddr> {
        self.seen.log.lock().unwrap().from.clone()
    }

    pub(crate) async fn wait_taken(&self, count: usize) {
        eventually("messages at the peer", async || self.taken().len() >= count).await;
    }

    /// Waits until nobody is connected.
    pub(crate) async fn wait_left(&self) {
        eventually("connections closed", async || self.seen.log.lock().unwrap().open == 0).await;
    }
}

impl Seen {
    fn opened(&self) -> usize {
        let mut log = self.log.lock().unwrap();
        log.connections += 1;
        log.open += 1;
        log.connections
    }
}

struct Session<'a> {
    seen: &'a Seen,
    connection: usize,
    taken: Taken,
}

type Stream = BufReader<Box<dyn Duplex>>;

impl Session<'_> {
    async fn run(mut self, stream: TcpStream) {
        let mut stream: Stream = BufReader::new(Box::new(stream));
        if self.at(&mut stream, "CONNECT").await.is_none() {
            return;
        }
        loop {
            let mut line = Vec::new();
            match stream.read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let Some(usual) = self.at(&mut stream, &line).await else { return };
            if usual && line == "DATA" && !self.taken.rcpt.is_empty() {
                if !self.read_content(&mut stream).await {
                    return;
                }
                match self.at(&mut stream, ".").await {
                    None => return,
                    Some(true) => self.seen.log.lock().unwrap().taken.push(self.taken.clone()),
                    Some(false) => {}
                }
            }
            if usual && line == "QUIT" {
                return;
            }
            if usual && line == "STARTTLS" {
                let Some(acceptor) = &self.seen.tls else { return };
                match acceptor.accept(stream.into_inner()).await {
                    Ok(secure) => stream = BufReader::new(Box::new(secure)),
                    Err(_) => return,
                }
                self.taken.secure = true;
            }
        }
    }

    /// Follows the script at a command. None: the connection is over; true: it did the usual.
    async fn at(&mut self, stream: &mut Stream, line: &str) -> Option<bool> {
        let times = {
            let mut log = self.seen.log.lock().unwrap();
            log.lines.push((self.connection, line.to_owned()));
            log.lines.iter().filter(|(_, seen)| seen == line).count()
        };
        let at = At { connection: self.connection, line, times };
        let (words, goes_on, usual) = match (self.seen.script)(&at) {
            Do::Usual => (self.usual(&at), true, true),
            Do::Later(wait) => {
                tokio::time::sleep(wait).await;
                (self.usual(&at), true, true)
            }
            Do::Say(words) => (words.to_owned(), true, false),
            Do::SayAndCut(words) => (words.to_owned(), false, false),
            Do::Cut => return None,
            Do::Stall => std::future::pending().await,
        };
        let words = format!("{words}\r\n");
        let written = stream.write_all(words.as_bytes()).await.is_ok();
        (written && stream.flush().await.is_ok() && goes_on).then_some(usual)
    }

    fn usual(&mut self, at: &At<'_>) -> String {
        if at.is("EHLO") {
            let mut lines = vec!["250-peer.example".to_owned()];
            lines.extend(self.seen.extensions.iter().map(|offered| format!("250-{offered}")));
            lines.push("250 HELP".to_owned());
            return lines.join("\r\n");
        }
        if at.is("MAIL") {
            self.taken = Taken {
                mail: at.line.to_owned(),
                secure: self.taken.secure,
                connection: at.connection,
                ..Taken::default()
            };
        } else if at.is("RCPT") {
            self.taken.rcpt.push(at.line.to_owned());
        }
        let reply = match at.line {
            "CONNECT" => "220 peer.example ESMTP",
            "DATA" if self.taken.rcpt.is_empty() => "554 5.5.1 for whom?",
            "DATA" => "354 go on",
            "QUIT" => "221 2.0.0 bye",
            "STARTTLS" => "220 2.0.0 ready",
            "." => "250 2.6.0 taken",
            _ => "250 2.1.0 ok",
        };
        reply.to_owned()
    }

    async fn read_content(&mut self, stream: &mut Stream) -> bool {
        self.taken.content.clear();
        loop {
            match stream.read_u8().await {
                Ok(octet) => self.taken.content.push(octet),
                Err(_) => return false,
            }
            if self.taken.content == b".\r\n" || self.taken.content.ends_with(b"\r\n.\r\n") {
                let end = self.taken.content.len() - 3;
                self.taken.content.truncate(end);
                return true;
            }
        }
    }
}
