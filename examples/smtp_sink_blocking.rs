//! A server on `std::net` alone. It shows that a [`ServerSession`] needs no runtime: [`serve`] is
//! the whole driver. `smtp_send_blocking` is its counterpart.
//!
//! ```text
//! cargo run --example smtp_sink_blocking -- 127.0.0.1:2525 /tmp nobody@example.net
//! ```
#![expect(clippy::disallowed_methods, reason = "a driver has a clock")]
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "it talks to a person")]

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use transom_smtp::server::{Event, Output, ServerConfig, ServerSession};
use transom_types::{EnhancedStatusCode, ForwardPath, Reply, ReplyCode};

const HELP: &str = "\
usage: smtp_sink_blocking ADDR:PORT FOLDER [MAILBOX..]
Takes mail at ADDR:PORT (port 0: a free one), puts each message into a file of its own in FOLDER
and prints a line about it. Recipients that are among the MAILBOXes are refused.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help") {
        println!("{HELP}");
    } else if let Err(wrong) = run(&words) {
        eprintln!("smtp_sink_blocking: {wrong}");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

fn run(words: &[String]) -> Result<(), String> {
    let [address, folder, refused @ ..] = words else {
        return Err("an address and a folder are needed; --help says more".to_owned());
    };
    let path = |word: &String| format!("<{word}>").parse().map_err(|e| format!("{word}: {e}"));
    let refused = refused.iter().map(path).collect::<Result<_, _>>()?;
    let name = "sink.invalid".parse().map_err(|error| format!("our own name: {error}"))?;
    let config = Arc::new(ServerConfig::new(name));
    fs::read_dir(folder).map_err(|error| format!("{folder}: {error}"))?;
    let sink = Arc::new(Sink { config, folder: folder.into(), refused });
    let listener = TcpListener::bind(address).map_err(|error| format!("{address}: {error}"))?;
    println!("listening at {}", listener.local_addr().map_err(|error| error.to_string())?);
    for stream in listener.incoming() {
        let sink = sink.clone();
        std::thread::spawn(move || {
            let served = stream.and_then(|stream| serve(stream, &sink));
            served.unwrap_or_else(|error| eprintln!("smtp_sink_blocking: {error}"));
        });
    }
    Ok(())
}

/// One session, from greeting to close: asks the machine what to do, and does it.
fn serve(mut stream: TcpStream, sink: &Sink) -> io::Result<()> {
    let mut session = ServerSession::new(sink.config.clone(), false, Instant::now());
    stream.set_write_timeout(Some(Duration::from_mins(5)))?;
    let (mut input, mut out, mut mail, mut octets) = (vec![], vec![], Mail::default(), [0; 16_384]);
    loop {
        let step = session.poll(Instant::now(), &input, &mut out);
        let (consumed, mut wait) = (step.consumed, None);
        match step.output {
            Output::Content(piece) => mail.content.extend_from_slice(piece),
            Output::Event(event) => match sink.answer(event, &mut mail) {
                None => session.accept().map_err(io::Error::other)?,
                Some(reply) => session.respond(reply).map_err(io::Error::other)?,
            },
            Output::Wait(until) => wait = Some(until),
            Output::Pause(until) => {
                stream.write_all(&std::mem::take(&mut out))?;
                std::thread::sleep(until.saturating_duration_since(Instant::now()));
            }
            Output::Close(_) => {
                stream.write_all(&out)?;
                // To close with octets unread would take the last reply from the peer.
                stream.shutdown(Shutdown::Write)?;
                stream.set_read_timeout(Some(Duration::from_secs(1)))?;
                while stream.read(&mut octets).is_ok_and(|octets| octets > 0) {}
                return Ok(());
            }
            _ => {} // STARTTLS is not offered here; what else there is needs no answer
        }
        input.drain(..consumed);
        let Some(until) = wait else { continue };
        stream.write_all(&std::mem::take(&mut out))?;
        let left = until.map(|until: Instant| until.saturating_duration_since(Instant::now()));
        stream.set_read_timeout(left.map(|left| left.max(Duration::from_millis(1))))?; // zero: none
        match stream.read(&mut octets) {
            Ok(0) => session.handle_eof(Instant::now()),
            Ok(count) => input.extend_from_slice(octets.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {} // the next poll will see it
            Err(error) => return Err(error),
        }
    }
}

/// A message, as far as it has come. It grows to the SIZE of the configuration at most.
#[derive(Default)]
struct Mail {
    envelope: Vec<String>,
    content: Vec<u8>,
}

struct Sink {
    config: Arc<ServerConfig>,
    folder: std::path::PathBuf,
    refused: Vec<ForwardPath>,
}

impl Sink {
    /// What is said to an event; nothing means the usual consent.
    fn answer(&self, event: Event, mail: &mut Mail) -> Option<Reply> {
        match event {
            Event::Mail { reverse_path, .. } => {
                *mail = Mail { envelope: vec![format!("from {reverse_path} to")], content: vec![] };
            }
            Event::Rcpt { forward_path, .. } if self.refused.contains(&forward_path) => {
                let code = EnhancedStatusCode::permanent(1, 1);
                return Some(Reply::new(ReplyCode::MAILBOX_UNAVAILABLE, code, "User unknown"));
            }
            Event::Rcpt { forward_path, .. } => mail.envelope.push(forward_path.to_string()),
            Event::EndOfData { .. } => {
                let error = self.keep(mail).err()?;
                let code = EnhancedStatusCode::transient(3, 0);
                return Some(Reply::new(ReplyCode::LOCAL_ERROR, code, error.to_string()));
            }
            _ => {}
        }
        None
    }

    /// Puts a message into a new file, on stable storage, since 250 will promise that.
    fn keep(&self, mail: &Mail) -> io::Result<()> {
        static MESSAGES: AtomicU64 = AtomicU64::new(1);
        let number = MESSAGES.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{}-{number}.eml", std::process::id()));
        let mut file = File::create_new(&path)?;
        file.write_all(&mail.content)?;
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()?;
        println!("{}: {} octets {}", path.display(), mail.content.len(), mail.envelope.join(" "));
        Ok(())
    }
}
