//! Our client session against our server session: what one says, the other understands.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests, which end a test by panicking"
)]

use std::sync::Arc;
use std::time::Instant;

use transom_smtp::Protocol;
use transom_smtp::client::{
    ClientConfig, ClientEvent, ClientOutput, ClientSession, CloseReason, Transaction,
};
use transom_smtp::codec::ehlo::FutureReleaseOffer;
use transom_smtp::codec::{ExtensionRegistry, HelloName};
use transom_smtp::sasl::AuthOffer;
use transom_smtp::server::{
    Close, Event, Extensions, Output, OwnKeyword, ServerConfig, ServerSession,
};
use transom_types::{
    BodyType, DeliverBy, DeliverByMode, EnvelopeId, ExtensionParameter, ForwardPath, FutureRelease,
    HoldInterval, MailParameters, MtPriority, Notify, Recipient, RecipientResult, RemoteHost,
    Reply, Ret, Submitter,
};

/// What the server took.
#[derive(Debug, Default, PartialEq, Eq)]
struct Taken {
    events: Vec<Event>,
    content: Vec<u8>,
    close: Option<Close>,
    was_in_tls: bool,
    /// What it answers to the content in LMTP.
    verdicts: Vec<Reply>,
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
                    Event::EndOfData { .. } if !taken.verdicts.is_empty() => {
                        server.respond_each(taken.verdicts.clone()).unwrap();
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
    let config = ServerConfig::new("mx.example".parse().unwrap()).with_extensions(extensions);
    talk_as(config, client_config(), Taken::default(), transaction, content)
}

fn client_config() -> ClientConfig {
    let remote = RemoteHost { name: "mx.example".into(), address: None };
    ClientConfig::new(HelloName::new("client.example").unwrap().into_owned(), remote)
}

fn talk_as(
    config: ServerConfig,
    client: ClientConfig,
    mut taken: Taken,
    transaction: Transaction,
    content: &[u8],
) -> (Vec<RecipientResult>, Taken) {
    #[expect(clippy::disallowed_methods, reason = "an origin for instants; no test waits")]
    let now = Instant::now();
    let mut server = ServerSession::new(Arc::new(config), client.implicit_tls, now);
    let mut client = ClientSession::new(client, now);
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
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

// [RFC 2033 §4.2] test
#[test]
fn each_recipient_of_lmtp_hears_its_own_verdict() {
    let reply = |text: &str| {
        let (code, text) = text.split_at(3);
        Reply::bare(code.parse().unwrap(), text.trim().to_owned())
    };
    for chunking in [true, false] {
        let extensions = Extensions::default().with_chunking(chunking);
        let config = ServerConfig::new("mx.example".parse().unwrap())
            .with_protocol(Protocol::Lmtp)
            .with_extensions(extensions);
        let client = client_config().with_protocol(Protocol::Lmtp);
        let verdicts = vec![reply("250 stored"), reply("452 full")];
        let taken = Taken { verdicts, ..Taken::default() };
        let content = format!(".{}\r\n", "x".repeat(995)).repeat(1_100).into_bytes();
        let (results, taken) = talk_as(config, client, taken, message(&content), &content);
        let names: Vec<_> = results.iter().map(|r| (r.recipient, r.outcome.name())).collect();
        assert_eq!(names, [(0, "relayed"), (1, "failed"), (2, "deferred")]);
        assert!(taken.content == content);
    }
}

#[test]
fn all_that_is_asked_for_arrives_where_it_is_offered() {
    let offer = FutureReleaseOffer {
        interval_max: HoldInterval::new(600).unwrap(),
        until_max: "2040-01-01T00:00:00Z".parse().unwrap(),
    };
    let mut extensions = Extensions::default().with_dsn(true);
    extensions.deliver_by = Some(60);
    extensions.future_release = Some(offer);
    extensions.mt_priority = true;
    extensions.require_tls = true;
    extensions.rrvs = true;
    extensions.binary_mime = true;
    let registry = ExtensionRegistry::new().with_mail_parameter("XTENANT").unwrap();
    let config = ServerConfig::new("mx.example".parse().unwrap())
        .with_extensions(extensions)
        .with_registry(registry)
        .with_keyword(OwnKeyword::new("XTENANT").unwrap())
        .with_auth(AuthOffer::default().with_passwords());
    let content = b"\0\r.\n\r\n.\r\n\xff no end";
    let mut wanted = message(content);
    let parameters = &mut wanted.parameters;
    parameters.body = BodyType::BinaryMime;
    parameters.deliver_by = DeliverBy::new(60, DeliverByMode::Return, true);
    parameters.hold = Some(FutureRelease::For(HoldInterval::new(600).unwrap()));
    parameters.mt_priority = MtPriority::new(4);
    parameters.require_tls = true;
    // Who is not logged in is not believed.
    parameters.auth = Some(Submitter::Unknown);
    parameters.extensions = vec![ExtensionParameter::new("XTENANT", Some("contoso")).unwrap()];
    for (_, recipient) in &mut wanted.recipients {
        recipient.parameters.valid_since = Some("2014-04-03T23:01:00Z".parse().unwrap());
    }
    let client = client_config().with_implicit_tls(true);
    let (results, taken) = talk_as(config, client, Taken::default(), wanted.clone(), content);
    let names: Vec<_> = results.iter().map(|r| (r.recipient, r.outcome.name())).collect();
    assert_eq!(names, [(0, "relayed"), (1, "failed"), (2, "relayed")]);
    assert_eq!(taken.content, content);
    let mut expected = wanted.parameters;
    expected.size = Some(wanted.size);
    let arrived = taken.events.iter().find_map(|event| match event {
        Event::Mail { parameters, .. } => Some(parameters.clone()),
        _ => None,
    });
    assert_eq!(arrived, Some(expected));
    let told = taken.events.iter().filter_map(|event| match event {
        Event::Rcpt { parameters, .. } => Some(parameters.clone()),
        _ => None,
    });
    let asked = wanted.recipients.into_iter().map(|(_, recipient)| recipient.parameters);
    assert!(told.eq(asked));
}
