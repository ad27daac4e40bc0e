//! Codec and sessions of `transom-smtp`.

use std::sync::Arc;
use std::time::Instant;

use transom_smtp::client::{ClientConfig, ClientEvent, ClientOutput, ClientSession, Transaction};
use transom_smtp::codec::reply::ReplyReader;
use transom_smtp::codec::{Command, HelloName};
use transom_smtp::server::{Close, Output, ServerConfig, ServerSession};
use transom_types::{ForwardPath, MailParameters, Recipient, RemoteHost, Reply, ReversePath};

/// A machine that says more than this about one input will never end.
const STEPS_MAX: usize = 200_000;

/// A command line, without its line end.
pub fn command(octets: &[u8]) {
    let Ok(command) = Command::parse(octets) else { return };
    let mut printed = Vec::new();
    command.write_to(&mut printed);
    let line = printed.strip_suffix(b"\r\n").unwrap_or_default();
    assert!(!line.iter().any(|octet| b"\r\n\0".contains(octet)), "{}", line.escape_ascii());
    assert_eq!(Command::parse(line).as_ref(), Ok(&command), "{}", line.escape_ascii());
}

/// Replies in any chunking, and printed again.
pub fn reply(octets: &[u8]) {
    let whole = read_replies(octets, octets.len().max(1));
    assert_eq!(whole, read_replies(octets, 1), "octet by octet");
    for reply in whole {
        let printed = reply.to_string();
        assert_eq!(read_replies(printed.as_bytes(), printed.len()), [reply], "{printed:?}");
    }
}

fn read_replies(octets: &[u8], chunk: usize) -> Vec<Reply> {
    let (mut reader, mut replies, mut unread) = (ReplyReader::default(), Vec::new(), Vec::new());
    for piece in octets.chunks(chunk) {
        unread.extend_from_slice(piece);
        loop {
            let Ok((consumed, reply)) = reader.read(&unread) else { return replies };
            assert!(consumed <= unread.len());
            unread.drain(..consumed);
            match reply {
                Some(reply) => replies.push(reply),
                None => break,
            }
        }
    }
    replies
}

/// What a server session said and told, for one input.
#[derive(Debug, Default, PartialEq, Eq)]
struct Dialog {
    said: Vec<u8>,
    told: Vec<String>,
    content: Vec<u8>,
    close: Option<Close>,
}

/// A whole session of a client that sends whatever it likes.
pub fn server_session(octets: &[u8]) {
    let whole = serve(octets, octets.len().max(1));
    let single = serve(octets, 1);
    assert_lines(&whole.said);
    assert_lines(&single.said);
    // Who speaks out of turn is caught by what is there already, and that the chunks decide.
    let out_of_turn =
        |dialog: &Dialog| matches!(dialog.close, Some(Close::EarlyTalker | Close::Pipelining));
    if !out_of_turn(&whole) && !out_of_turn(&single) {
        assert_eq!(whole, single, "octet by octet");
    }
}

fn serve(octets: &[u8], chunk: usize) -> Dialog {
    let now = now();
    let config = match "mx.example".parse() {
        Ok(name) => Arc::new(ServerConfig::new(name)),
        Err(_) => return Dialog::default(),
    };
    let mut session = ServerSession::new(config, false, now);
    let (mut dialog, mut unread) = (Dialog::default(), Vec::new());
    let mut pieces = octets.chunks(chunk);
    for _ in 0..STEPS_MAX {
        let step = session.poll(now, &unread, &mut dialog.said);
        let consumed = step.consumed;
        assert!(consumed <= unread.len());
        match step.output {
            Output::Content(piece) => dialog.content.extend_from_slice(piece),
            Output::Event(event) => {
                dialog.told.push(format!("{event:?}"));
                assert_eq!(session.accept(), Ok(()), "{event:?}");
            }
            Output::Notice(notice) => dialog.told.push(format!("{notice:?}")),
            Output::StartTls => {
                session.handle_tls_established(now);
                unread.clear();
                continue;
            }
            Output::Wait(_) => match pieces.next() {
                Some(piece) => {
                    unread.drain(..consumed);
                    unread.extend_from_slice(piece);
                    continue;
                }
                None => session.handle_eof(now),
            },
            Output::Close(why) => {
                dialog.close = Some(why);
                return dialog;
            }
            output => panic!("{output:?}"),
        }
        unread.drain(..consumed);
    }
    panic!("the session never ends");
}

/// A whole session with a server that answers whatever it likes.
pub fn client_session(octets: &[u8]) {
    for chunk in [octets.len().max(1), 1] {
        let (said, begun, results) = submit(octets, chunk);
        assert_lines(&said);
        assert_eq!(begun, results, "one result for every recipient");
    }
}

/// What the client said, for how many recipients it was asked, and how many results it gave.
fn submit(octets: &[u8], chunk: usize) -> (Vec<u8>, usize, usize) {
    let now = now();
    let Ok(name) = HelloName::new("client.example") else { return Default::default() };
    let remote = RemoteHost { name: "mx.example".to_owned(), address: None };
    let mut session = ClientSession::new(ClientConfig::new(name.into_owned(), remote), now);
    let (mut said, mut unread, mut pieces) = (Vec::new(), Vec::new(), octets.chunks(chunk));
    let (mut begun, mut results) = (0, 0);
    for _ in 0..STEPS_MAX {
        let step = session.poll(now, &unread, &mut said);
        assert!(step.consumed <= unread.len());
        unread.drain(..step.consumed);
        match step.output {
            ClientOutput::Event(ClientEvent::Ready) => {
                let transaction = transaction();
                begun += transaction.recipients.len();
                if let Err(refused) = session.begin_transaction(transaction) {
                    results += refused.results.len();
                    session.quit(now, &mut said);
                }
            }
            ClientOutput::Event(ClientEvent::SendContent) => {
                let content = b".leading dot\r\ntext\r\n";
                assert_eq!(session.write_content(content, &mut said), Ok(()));
                assert_eq!(session.end_content(now, &mut said), Ok(()));
            }
            ClientOutput::Event(ClientEvent::Done(done)) => results += done.len(),
            ClientOutput::Event(ClientEvent::MaskedVerbs { .. }) => {}
            ClientOutput::StartTls => {
                session.handle_tls_established(now);
                unread.clear();
            }
            ClientOutput::Wait(_) => match pieces.next() {
                Some(piece) => unread.extend_from_slice(piece),
                None => session.handle_eof(now),
            },
            ClientOutput::Close(_) => return (said, begun, results),
            output => panic!("{output:?}"),
        }
    }
    panic!("the session never ends");
}

fn transaction() -> Transaction {
    let paths = ["<a@mx.example>", "<\"b c\"@mx.example>"];
    let path = |text: &str| text.parse::<ForwardPath>().ok().map(Recipient::from);
    let recipients = paths.into_iter().filter_map(path);
    Transaction {
        reverse_path: ReversePath::Null,
        parameters: MailParameters::default(),
        recipients: (0..).zip(recipients).collect(),
        size: 20,
        eight_bit: false,
        utf8: false,
    }
}

/// What goes out consists of whole lines that end with CRLF and hold no other CR or LF.
pub(crate) fn assert_lines(said: &[u8]) {
    let mut previous = b'\n';
    for &octet in said {
        assert_eq!(octet == b'\n', previous == b'\r', "{}", said.escape_ascii());
        previous = octet;
    }
    assert_eq!(previous, b'\n', "{}", said.escape_ascii());
}

#[expect(clippy::disallowed_methods, reason = "some instant is needed; none is waited for")]
fn now() -> Instant {
    Instant::now()
}
