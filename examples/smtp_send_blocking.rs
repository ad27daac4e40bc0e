//! A client on `std::net` alone, which sends one message. It shows that a [`ClientSession`] needs
//! no runtime; [`send`] is the whole driver. `smtp_sink_blocking` is its counterpart.
//!
//! ```text
//! cargo run --example smtp_send_blocking -- 127.0.0.1:2525 a@example.com b@example.net <FILE
//! ```
#![expect(clippy::disallowed_methods, reason = "a driver has a clock")]
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "it talks to a person")]

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::str::FromStr as _;
use std::time::{Duration, Instant};

use transom_smtp::client::{
    ClientConfig, ClientEvent, ClientOutput, ClientSession, ClientTls, Transaction,
};
use transom_smtp::codec::HelloName;
use transom_types::{
    AddressLiteral, ForwardPath, MailParameters, Mailbox, Outcome, Recipient, RecipientResult,
    RemoteHost, ReversePath,
};

const HELP: &str = "\
usage: smtp_send_blocking HOST:PORT FROM TO.. <MESSAGE
Sends the message that comes by standard input from FROM (<> is the null path) to each TO, and
prints a line for each. Ends with 0 when all were taken, with 1 when some were refused for good,
else with 75: some may be tried again.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    run(&words).unwrap_or_else(|(code, wrong)| {
        eprintln!("smtp_send_blocking: {wrong}");
        ExitCode::from(code)
    })
}

fn run(words: &[String]) -> Result<ExitCode, (u8, String)> {
    let (host, transaction, content) = parse(words).map_err(|wrong| (2, wrong))?;
    let paths = transaction.recipients.clone();
    let sent = TcpStream::connect(host).and_then(|s| send(s, host, transaction, &content));
    let results = sent.map_err(|error| (75, format!("{host}: {error}")))?;
    for (RecipientResult { outcome, .. }, (_, to)) in results.iter().zip(paths) {
        let said = outcome.status().map_or_else(String::new, |status| status.reply.to_line());
        println!("{} {}: {said}", outcome.name(), to.forward_path);
    }
    if results.iter().all(|result| matches!(result.outcome, Outcome::Relayed(_))) {
        return Ok(ExitCode::SUCCESS);
    }
    let failed = results.iter().any(|result| matches!(result.outcome, Outcome::Failed(_)));
    Ok(ExitCode::from(if failed { 1 } else { 75 }))
}

fn parse(words: &[String]) -> Result<(&str, Transaction, Vec<u8>), String> {
    let ([host, from, to @ ..], 3..) = (words, words.len()) else {
        return Err("a host, a sender and recipients are needed; --help says more".to_owned());
    };
    let mailbox = |word: &str| Mailbox::from_str(word).map_err(|error| format!("{word}: {error}"));
    let recipient = |word: &String| Ok(ForwardPath::from(mailbox(word)?).into());
    let recipients: Vec<Recipient> = to.iter().map(recipient).collect::<Result<_, String>>()?;
    let null = from == "<>";
    let mut content = Vec::new();
    io::stdin().read_to_end(&mut content).map_err(|error| format!("standard input: {error}"))?;
    let lines = content.split_inclusive(|octet| *octet == b'\n');
    let bare = lines.filter(|line| line.ends_with(b"\n") && !line.ends_with(b"\r\n")).count();
    let transaction = Transaction {
        reverse_path: if null { ReversePath::Null } else { mailbox(from)?.into() },
        parameters: MailParameters::default(),
        recipients: (0..).zip(recipients).collect(),
        // On the wire every line ends with CR and LF.
        size: (content.len() + bare) as u64,
        eight_bit: !content.is_ascii(),
        // Only what stands before the empty line counts.
        utf8: content
            .split(|octet| *octet == b'\n')
            .take_while(|line| !line.trim_ascii().is_empty())
            .any(|line| !line.is_ascii()),
    };
    Ok((host, transaction, content))
}

/// One session with one transaction: asks the machine what to do, and does it.
fn send(
    mut stream: TcpStream,
    host: &str,
    transaction: Transaction,
    content: &[u8],
) -> io::Result<Vec<RecipientResult>> {
    let name = AddressLiteral::from(stream.local_addr()?.ip()).to_string();
    let name = HelloName::new(&name).map_err(io::Error::other)?.into_owned();
    let remote = RemoteHost { name: host.to_owned(), address: stream.peer_addr().ok() };
    let config = ClientConfig::new(name, remote).with_tls(ClientTls::Never);
    stream.set_write_timeout(Some(config.timeouts.content_block))?;
    let mut session = ClientSession::new(config, Instant::now());
    let (mut input, mut out, mut octets) = (Vec::new(), Vec::new(), [0; 16 * 1024]);
    let (mut transaction, mut results) = (Some(transaction), Vec::new());
    loop {
        let step = session.poll(Instant::now(), &input, &mut out);
        input.drain(..step.consumed);
        if stream.write_all(&out).is_err() {
            session.handle_eof(Instant::now());
        }
        out.clear();
        match step.output {
            ClientOutput::Event(ClientEvent::Ready) => match transaction.take() {
                Some(transaction) => {
                    if let Err(refused) = session.begin_transaction(transaction) {
                        results = refused.results;
                        session.quit(Instant::now(), &mut out);
                    }
                }
                None => session.quit(Instant::now(), &mut out),
            },
            ClientOutput::Event(ClientEvent::SendContent) => {
                session.write_content(content, &mut out).map_err(io::Error::other)?;
                session.end_content(Instant::now(), &mut out).map_err(io::Error::other)?;
            }
            ClientOutput::Event(ClientEvent::Done(done)) => results = done,
            ClientOutput::Wait(until) => {
                let left = until.map(|until| until.saturating_duration_since(Instant::now()));
                // A time-out of zero would mean none.
                stream.set_read_timeout(left.map(|left| left.max(Duration::from_millis(1))))?;
                match stream.read(&mut octets) {
                    Ok(n @ 1..) => input.extend_from_slice(octets.get(..n).unwrap_or_default()),
                    // Nothing came in time, as the next poll will see by the clock.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    _ => session.handle_eof(Instant::now()),
                }
            }
            ClientOutput::Close(close) => {
                let unsent = transaction.into_iter().flat_map(|unsent| unsent.recipients);
                let outcome = close.outcome();
                results.extend(
                    unsent.map(|(recipient, _)| RecipientResult {
                        recipient,
                        outcome: outcome.clone(),
                    }),
                );
                return Ok(results);
            }
            _ => {} // STARTTLS is never asked for
        }
    }
}
