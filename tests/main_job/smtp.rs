//! An SMTP client that waits for each reply, so that a test reads like a dialog.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::process::PATIENCE;

/// One session.
pub(crate) struct Client<S = TcpStream> {
    stream: S,
    received: Vec<u8>,
}

impl Client {
    /// Connects and reads the greeting.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = connect(address);
        Self::greeted(stream)
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn greeted(stream: S) -> Self {
        let mut client = Self { stream, received: Vec::new() };
        let greeting = client.reply().unwrap();
        assert!(greeting.starts_with("220 "), "{greeting}");
        client
    }

    /// Sends a line and gives the whole reply, without its last line end.
    pub(crate) fn say(&mut self, line: &str) -> String {
        self.try_say(line).unwrap_or_else(|| panic!("no reply to {line}"))
    }

    /// The same, with none where the connection ends.
    pub(crate) fn try_say(&mut self, line: &str) -> Option<String> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).ok()?;
        self.reply()
    }

    /// One message in one transaction; the reply that decided. None where the connection ended.
    pub(crate) fn try_send(&mut self, to: &str, content: &str) -> Option<String> {
        for (command, good) in [
            ("MAIL FROM:<sender@client.example>".to_owned(), '2'),
            (format!("RCPT TO:<{to}>"), '2'),
            ("DATA".to_owned(), '3'),
        ] {
            let reply = self.try_say(&command)?;
            if !reply.starts_with(good) {
                return Some(reply);
            }
        }
        self.try_say(&format!("{content}\r\n."))
    }

    /// The same where the connection must not end.
    pub(crate) fn send(&mut self, to: &str, content: &str) -> String {
        self.try_send(to, content).unwrap()
    }

    fn reply(&mut self) -> Option<String> {
        loop {
            if let Some(end) = reply_end(&self.received) {
                let reply: Vec<u8> = self.received.drain(..end).collect();
                return Some(String::from_utf8(reply).unwrap().trim_end().to_owned());
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.received.extend_from_slice(&piece[..count]),
            }
        }
    }
}

/// Where the first whole reply ends: behind the line whose code has no hyphen.
fn reply_end(octets: &[u8]) -> Option<usize> {
    let mut end = 0;
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        end += line.len();
        if line.ends_with(b"\n") && line.get(3) != Some(&b'-') {
            return Some(end);
        }
    }
    None
}
