//! Codec and sessions of `transom-smtp`.

use std::sync::Arc;
use std::time::Instant;

use transom_smtp::Protocol;
use transom_smtp::client::{ClientConfig, ClientEvent, ClientOutput, ClientSession, Transaction};
use transom_smtp::codec::data::BareNewline;
use transom_smtp::codec::reply::ReplyReader;
use transom_smtp::codec::{Command, CommandRef, ExtensionRegistry, HelloName};
use transom_smtp::sasl::{AuthOffer, Credentials, Nonce};
use transom_smtp::server::{Close, Event, Extensions, Output, ServerConfig, ServerSession};
use transom_types::{
    ForwardPath, MailParameters, Principal, Recipient, RemoteHost, Reply, ReversePath, Secret,
};

use crate::sasl::verdict;

/// A machine that says more than this about one input will never end.
const STEPS_MAX: usize = 200_000;

/// A command line, without its line end.
pub fn command(octets: &[u8]) {
    let parsed = Command::parse(octets);
    let in_place = CommandRef::parse(octets, &ExtensionRegistry::new());
    assert_eq!(in_place.and_then(CommandRef::decode), parsed, "{}", octets.escape_ascii());
    let Ok(command) = parsed else { return };
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

/// What a session may do: what every server offers, all there is, and all there is under LMTP.
#[derive(Clone, Copy)]
enum Mode {
    Usual,
    Everything,
    Lmtp,
}

const MODES: [Mode; 3] = [Mode::Usual, Mode::Everything, Mode::Lmtp];

/// A whole session of a client that sends whatever it likes.
pub fn server_session(octets: &[u8]) {
    for mode in MODES {
        let whole = serve(octets, octets.len().max(1), mode);
        let single = serve(octets, 1, mode);
        assert_lines(&whole.said);
        assert_lines(&single.said);
        // Who speaks out of turn is caught by what is there already, and that the chunks decide.
        let out_of_turn =
            |dialog: &Dialog| matches!(dialog.close, Some(Close::EarlyTalker | Close::Pipelining));
        if !out_of_turn(&whole) && !out_of_turn(&single) {
            assert_eq!(whole, single, "octet by octet");
        }
    }
}

fn server_config(mode: Mode) -> Option<ServerConfig> {
    let config = ServerConfig::new("mx.example".parse().ok()?);
    let protocol = match mode {
        Mode::Usual => return Some(config),
        Mode::Everything => Protocol::Smtp,
        Mode::Lmtp => Protocol::Lmtp,
    };
    let extensions = Extensions::default()
        .with_chunking(true)
        .with_binary_mime(true)
        .with_dsn(true)
        .with_starttls(true)
        .with_require_tls(true)
        .with_deliver_by(Some(60))
        .with_mt_priority(true)
        .with_rrvs(true)
        .with_etrn(true)
        .with_expn(true)
        .with_xclient(true)
        .with_xforward(true);
    let auth = AuthOffer::default()
        .with_scram(&Secret::new(*b"the same for all servers"))
        .with_tokens()
        .with_passwords()
        .with_external()
        .danger_offer_plaintext_auth_without_tls(true);
    let config = config.with_protocol(protocol).with_extensions(extensions).with_auth(auth);
    Some(config.with_bare_newline(BareNewline::Normalize))
}

fn serve(octets: &[u8], chunk: usize, mode: Mode) -> Dialog {
    let mut now = now();
    let Some(config) = server_config(mode).map(Arc::new) else { return Dialog::default() };
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
                let answered = match &event {
                    Event::Authenticate(question) => session.authenticate(verdict(question)),
                    _ => session.accept(),
                };
                assert_eq!(answered, Ok(()), "{event:?}");
            }
            Output::Notice(notice) => dialog.told.push(format!("{notice:?}")),
            Output::StartTls => {
                session.handle_tls_established(now);
                unread.clear();
                continue;
            }
            Output::Pause(until) => now = until,
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
    for (mode, chunk) in MODES.into_iter().flat_map(|mode| [(mode, octets.len().max(1)), (mode, 1)])
    {
        let (said, begun, results) = submit(octets, chunk, mode);
        assert_lines(&said);
        assert_eq!(begun, results, "one result for every recipient");
    }
}

fn client_config(mode: Mode) -> Option<ClientConfig> {
    let name = HelloName::new("client.example").ok()?.into_owned();
    let remote = RemoteHost { name: "mx.example".to_owned(), address: None };
    let config = ClientConfig::new(name, remote);
    let (user, secret) = (Principal::new("alice").ok()?, Secret::new(*b"secret"));
    Some(match mode {
        Mode::Usual => config,
        Mode::Everything => config
            .with_credentials(Credentials::password(user, secret).danger_use_without_tls(true))
            .with_nonce(Nonce::new([7; 18])),
        Mode::Lmtp => config
            .with_protocol(Protocol::Lmtp)
            .with_credentials(Credentials::token(user, secret).danger_use_without_tls(true)),
    })
}

/// What the client said, for how many recipients it was asked, and how many results it gave.
fn submit(octets: &[u8], chunk: usize, mode: Mode) -> (Vec<u8>, usize, usize) {
    let now = now();
    let Some(config) = client_config(mode) else { return Default::default() };
    let mut session = ClientSession::new(config, now);
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
