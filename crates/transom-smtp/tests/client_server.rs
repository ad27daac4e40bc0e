//! Our client session against our server session: what one says, the other understands.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests, which end a test by panicking"
)]

use std::sync::Arc;
use std::time::Instant;

use transom_smtp::client::{
    ClientConfig, ClientEvent, ClientOutput, ClientSession, CloseReason, Transaction,
};
use transom_smtp::codec::HelloName;
use transom_smtp::server::{Close, Event, Extensions, Output, ServerConfig, ServerSession};
use transom_types::{
    EnvelopeId, ForwardPath, MailParameters, Notify, Recipient, RecipientResult, RemoteHost, Reply,
    Ret,
};

/// What the server took.
#[derive(Debug, Default, PartialEq, Eq)]
struct Taken {
    events: Vec<Event>,
    content: Vec<u8>,
    close: Option<Close>,
    was_in_tls: bool,
}

/// Lets the server hear `wire` and adds its words to `back`.
fn serve(
    server: &mut ServerSession,
    now: Instant,
    wire: &mut Vec<u8>,
    taken: &mut Taken,
) -> Vec<u8> {
    let (mut back, mut at) = (Vec::new(), 0);
    loop {
        let step = server.poll(now, wire.get(at..).unwrap_or_default(), &mut back);
        at += step.consumed;
        match step.output {
            Output::Content(piece) => taken.content.extend_from_slice(piece),
            Output::Event(event) => {
                match &event {
                    Event::Rcpt { forward_path, .. }
                        if forward_path.to_string() == "<no@x.example>" =>
                    {
                        server.respond(Reply::bare("550".parse().unwrap(), "no")).unwrap();
                    }
                    _ => server.accept().unwrap(),
                }
                taken.events.push(event);
            }
            Output::StartTls => {
                wire.clear();
                taken.was_in_tls = true;
                server.handle_tls_established(now);
                return back;
            }
            Output::Wait(_) => {
                wire.drain(..at);
                return back;
            }
            Output::Close(close) => {
                taken.close = Some(close);
                return back;
            }
            Output::Notice(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn talk(
    extensions: Extensions,
    transaction: Transaction,
    content: &[u8],
) -> (Vec<RecipientResult>, Taken) {
    #[expect(clippy::disallowed_methods, reason = "an origin for instants; no test waits")]
    let now = Instant::now();
    let config = ServerConfig::new("mx.example".parse().unwrap()).with_extensions(extensions);
    let mut server = ServerSession::new(Arc::new(config), false, now);
    let remote = RemoteHost { name: "mx.example".into(), address: None };
    let name = HelloName::new("client.example").unwrap().into_owned();
    let mut client = ClientSession::new(ClientConfig::new(name, remote), now);
    let (mut to_server, mut to_client, mut taken) = (Vec::new(), Vec::new(), Taken::default());
    let (mut results, mut transaction) = (None, Some(transaction));
    loop {
        let step = client.poll(now, &to_client, &mut to_server);
        to_client.drain(..step.consumed);
        match step.output {
            ClientOutput::Event(ClientEvent::Ready) => match transaction.take() {
                Some(transaction) => drop(client.begin_transaction(transaction).unwrap()),
                None => client.quit(now, &mut to_server),
            },
            ClientOutput::Event(ClientEvent::SendContent) => {
                for piece in content.chunks(65_536) {
                    client.write_content(piece, &mut to_server).unwrap();
                }
                client.end_content(now, &mut to_server).unwrap();
            }
            ClientOutput::Event(ClientEvent::Done(given)) => results = Some(given),
            ClientOutput::StartTls => {
                to_client.clear();
                client.handle_tls_established(now);
            }
            ClientOutput::Wait(_) => {
                let said = serve(&mut server, now, &mut to_server, &mut taken);
                assert!(!said.is_empty(), "both sides wait: {taken:?}");
                to_client.extend(said);
            }
            ClientOutput::Close(close) => {
                assert_eq!(close.reason, CloseReason::Quit);
                return (results.expect("results come before the end"), taken);
            }
            other => panic!("{other:?}"),
        }
    }
}

fn message(content: &[u8]) -> Transaction {
    let recipient = |at, path: &str| {
        let path: ForwardPath = path.parse().unwrap();
        (at, Recipient::from(path))
    };
    let mut parameters = MailParameters::default();
    parameters.envelope_id = Some("id+2B1".parse::<EnvelopeId>().unwrap());
    parameters.ret = Some(Ret::Headers);
    let mut recipients = vec![
        recipient(0, "<a@x.example>"),
        recipient(1, "<no@x.example>"),
        recipient(2, "<b@x.example>"),
    ];
    for (_, first) in recipients.iter_mut().take(1) {
        first.parameters.notify = Some(Notify::new(true, true, false));
    }
    Transaction {
        reverse_path: "<s@client.example>".parse().unwrap(),
        parameters,
        recipients,
        size: u64::try_from(content.len()).unwrap(),
        eight_bit: true,
        utf8: false,
    }
}

#[test]
fn message_arrives_octet_by_octet_with_and_without_each_extension() {
    let all = Extensions::default().with_dsn(true);
    let small = b"Subject: \xc3\xbc\r\n\r\n.dots\r\n..\r\n.\r\nend\r\n".to_vec();
    let large = small.repeat(40_000);
    for content in [small, large, Vec::new()] {
        for extensions in [
            all,
            all.with_starttls(true),
            all.with_pipelining(false),
            all.with_chunking(false),
            all.with_dsn(false),
            all.with_size(None),
            all.with_enhanced_status_codes(false),
        ] {
            let message = message(&content);
            let (results, taken) = talk(extensions, message.clone(), &content);
            let names: Vec<_> = results.iter().map(|r| (r.recipient, r.outcome.name())).collect();
            assert_eq!(names, [(0, "relayed"), (1, "failed"), (2, "relayed")], "{extensions:?}");
            assert!(taken.content == content, "{extensions:?}");
            assert_eq!((taken.close, taken.was_in_tls), (Some(Close::Quit), extensions.starttls));
            let mail = taken.events.iter().find_map(|event| match event {
                Event::Mail { parameters, .. } => Some(parameters.clone()),
                _ => None,
            });
            let mail = mail.unwrap();
            assert_eq!(mail.size, extensions.size.map(|_| message.size));
            assert_eq!(mail.envelope_id.is_some(), extensions.dsn);
            let rcpt = taken.events.iter().find_map(|event| match event {
                Event::Rcpt { parameters, .. } => Some(parameters.notify),
                _ => None,
            });
            let notify = message.recipients.first().unwrap().1.parameters.notify;
            assert_eq!(rcpt, Some(notify.filter(|_| extensions.dsn)));
        }
    }
}
