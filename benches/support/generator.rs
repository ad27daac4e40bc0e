//! A load generator that costs little: one thread, one epoll, no copy of the content.
//!
//! Each connection sends MAIL, RCPT and DATA in one write, then the content with its dot in
//! another, and begins again when the acknowledgement comes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

/// What to send, over how many connections, and for how long.
#[derive(Debug)]
pub struct Load {
    /// Concurrent sessions.
    pub connections: usize,
    /// Octets of content in a message.
    pub content_octets: usize,
    /// The one recipient of every message.
    pub recipient: String,
    /// No transaction begins after this.
    pub duration: Duration,
    /// No transaction begins after this many, so that a fast server does not fill the disk.
    pub messages_max: usize,
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Messages acknowledged.
    pub messages: u32,
    /// From the first MAIL to the last acknowledgement.
    pub elapsed: Duration,
    /// From the final dot written to the 250 read, in rising order.
    pub acknowledgements: Vec<Duration>,
}

impl Measured {
    /// Messages a second.
    pub fn rate(&self) -> f64 {
        f64::from(self.messages) / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// The acknowledgement that this share (in hundredths) of the messages did not exceed.
    pub fn percentile(&self, hundredths: usize) -> Duration {
        let last = self.acknowledgements.len().saturating_sub(1);
        let at = last.saturating_mul(hundredths).div_ceil(100);
        self.acknowledgements.get(at).copied().unwrap_or_default()
    }
}

/// Runs `load` against the server at `address`.
///
/// # Errors
///
/// The server went away, refused something, or said nothing for ten seconds.
pub fn drive(address: SocketAddr, load: &Load) -> io::Result<Measured> {
    let script = Script::new(load);
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut connections = Vec::with_capacity(load.connections);
    for index in (0u64..).take(load.connections) {
        let connection = Connection::open(address)?;
        // Edge triggered: reads and writes go on until they would block, and interest stays.
        let interest = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&poll, &connection.stream, epoll::EventData::new_u64(index), interest)?;
        connections.push(connection);
    }
    let mut run = Run {
        started: Instant::now(),
        begun: 0,
        finished: 0,
        acknowledgements: Vec::with_capacity(1 << 16),
    };
    for connection in &mut connections {
        connection.begin(&script, &mut run, load)?;
    }
    let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
    let mut events = Vec::with_capacity(256);
    while run.finished < connections.len() {
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&patience))?;
        if events.is_empty() {
            return Err(io::Error::new(ErrorKind::TimedOut, "the server says nothing for 10 s"));
        }
        for event in &events {
            let index = usize::try_from(event.data.u64()).ok();
            if let Some(connection) = index.and_then(|index| connections.get_mut(index)) {
                connection.advance(&script, &mut run, load)?;
            }
        }
    }
    let elapsed = run.started.elapsed();
    run.acknowledgements.sort_unstable();
    let messages = u32::try_from(run.acknowledgements.len()).unwrap_or(u32::MAX);
    Ok(Measured { messages, elapsed, acknowledgements: run.acknowledgements })
}

struct Run {
    started: Instant,
    begun: usize,
    finished: usize,
    acknowledgements: Vec<Duration>,
}

/// The two things a connection writes, again and again.
struct Script {
    envelope: Vec<u8>,
    content: Vec<u8>,
}

impl Script {
    fn new(load: &Load) -> Self {
        let envelope =
            format!("MAIL FROM:<sender@client.test>\r\nRCPT TO:<{}>\r\nDATA\r\n", load.recipient);
        let mut content = b"From: <sender@client.test>\r\nSubject: load\r\n\
                            Date: Tue, 24 Nov 2026 08:00:00 +0000\r\n\
                            Message-ID: <load@client.test>\r\n\r\n"
            .to_vec();
        let line = b"The quick brown fox jumps over the lazy dog and comes back for some more.\r\n";
        while content.len() < load.content_octets {
            content.extend_from_slice(line);
        }
        content.extend_from_slice(b".\r\n");
        Self { envelope: envelope.into_bytes(), content }
    }
}

#[derive(Clone, Copy)]
enum Sending {
    Nothing,
    Envelope,
    Content,
}

struct Connection {
    stream: TcpStream,
    sending: Sending,
    written: usize,
    /// Replies still to come for what was sent.
    awaited: u8,
    received: Vec<u8>,
    dot_at: Instant,
    done: bool,
}

impl Connection {
    /// Connects and says EHLO, blocking.
    fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut connection = Self {
            stream,
            sending: Sending::Nothing,
            written: 0,
            awaited: 0,
            received: Vec::with_capacity(4096),
            dot_at: Instant::now(),
            done: false,
        };
        connection.wait_for_reply()?;
        connection.stream.write_all(b"EHLO client.test\r\n")?;
        connection.wait_for_reply()?;
        connection.stream.set_nonblocking(true)?;
        Ok(connection)
    }

    fn wait_for_reply(&mut self) -> io::Result<()> {
        loop {
            if let Some(reply) = self.take_reply() {
                return expect(&reply, b"2");
            }
            if self.read()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Begins a transaction, or ends the session when the load is done.
    fn begin(&mut self, script: &Script, run: &mut Run, load: &Load) -> io::Result<()> {
        if run.started.elapsed() >= load.duration || run.begun >= load.messages_max {
            self.done = true;
            run.finished = run.finished.saturating_add(1);
            return self.stream.write_all(b"QUIT\r\n");
        }
        run.begun = run.begun.saturating_add(1);
        self.send(Sending::Envelope, 3, script)
    }

    fn send(&mut self, sending: Sending, awaited: u8, script: &Script) -> io::Result<()> {
        (self.sending, self.written, self.awaited) = (sending, 0, awaited);
        self.write(script)
    }

    /// Writes until nothing is left or the socket is full.
    fn write(&mut self, script: &Script) -> io::Result<()> {
        let pending = match self.sending {
            Sending::Nothing => return Ok(()),
            Sending::Envelope => script.envelope.as_slice(),
            Sending::Content => script.content.as_slice(),
        };
        while let Some(rest) = pending.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(octets) => self.written = self.written.saturating_add(octets),
                Err(wrong) if wrong.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(wrong) => return Err(wrong),
            }
        }
        self.dot_at = Instant::now();
        self.sending = Sending::Nothing;
        Ok(())
    }

    /// Goes on after the socket became readable or writable.
    fn advance(&mut self, script: &Script, run: &mut Run, load: &Load) -> io::Result<()> {
        if self.done {
            return Ok(());
        }
        self.write(script)?;
        loop {
            while let Some(reply) = self.take_reply() {
                self.on_reply(&reply, script, run, load)?;
            }
            if self.done {
                return Ok(());
            }
            match self.read() {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(wrong) if wrong.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(wrong) => return Err(wrong),
            }
        }
    }

    fn on_reply(
        &mut self,
        reply: &[u8],
        script: &Script,
        run: &mut Run,
        load: &Load,
    ) -> io::Result<()> {
        self.awaited = self.awaited.saturating_sub(1);
        if reply.starts_with(b"354") {
            return self.send(Sending::Content, 1, script);
        }
        expect(reply, b"2")?;
        if self.awaited == 0 {
            run.acknowledgements.push(self.dot_at.elapsed());
            self.begin(script, run, load)?;
        }
        Ok(())
    }

    fn read(&mut self) -> io::Result<usize> {
        let mut piece = [0; 4096];
        let octets = self.stream.read(&mut piece)?;
        self.received.extend_from_slice(piece.get(..octets).unwrap_or_default());
        Ok(octets)
    }

    /// The last line of the next reply that is there as a whole.
    fn take_reply(&mut self) -> Option<Vec<u8>> {
        loop {
            let end = self.received.iter().position(|&octet| octet == b'\n')?.saturating_add(1);
            let line: Vec<u8> = self.received.drain(..end).collect();
            if line.get(3) != Some(&b'-') {
                return Some(line);
            }
        }
    }
}

fn expect(reply: &[u8], class: &[u8]) -> io::Result<()> {
    if reply.starts_with(class) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(reply).trim_end().to_owned();
    Err(io::Error::other(format!("the server said {said:?}")))
}
