//! Attack 6, client side: whatever values are put in, what goes out are whole lines, each the
//! command it was meant to be.

use proptest::prelude::*;
use transom_smtp::client::{ClientEvent, ClientOutput, ClientSession, Transaction};
use transom_smtp::codec::{Command, ExtensionRegistry, HelloName};
use transom_smtp::sasl::{Credentials, Nonce};
use transom_types::{
    BodyType, EnvelopeId, ExtensionParameter, ForwardPath, MailParameters, OriginalRecipient,
    Principal, Recipient, ReversePath, Secret, Submitter,
};

use super::peer::{config, origin};

/// Text with a taste for what could break out of a line.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z0-9.\"@\\\\ -]{0,12}",
        1 => "[\r\n\0\t<>:=+; A\u{fc}\u{2028}\u{85}x.]{0,12}",
        1 => any::<String>(),
    ]
}

/// What a type makes of any text; nothing where it takes none of it.
fn made<T: std::fmt::Debug>(
    make: impl Fn(&str) -> Option<T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    text().prop_map(move |text| make(&text))
}

fn path(text: &str) -> Option<ForwardPath> {
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
    let whole = [format!("<{text}>"), format!("<{text}@x.example>"), format!("<\"{quoted}\"@x.y>")];
    whole.iter().find_map(|path| path.parse().ok())
}

fn extension(text: &str) -> Option<ExtensionParameter> {
    ExtensionParameter::new("XOWN", Some(text)).ok()
}

fn parameters() -> impl Strategy<Value = MailParameters> {
    let submitter = made(|text| Some(Submitter::Mailbox(path(text)?.mailbox()?.clone())));
    let id = made(|text| text.parse::<EnvelopeId>().ok());
    let body = prop_oneof![Just(BodyType::SevenBit), Just(BodyType::BinaryMime)];
    (submitter, id, made(extension), body).prop_map(|(auth, envelope_id, own, body)| {
        let mut parameters = MailParameters::default();
        parameters.auth = auth;
        parameters.envelope_id = envelope_id;
        parameters.extensions = own.into_iter().collect();
        parameters.body = body;
        parameters
    })
}

fn recipient() -> impl Strategy<Value = Option<Recipient>> {
    let original = made(|text| {
        OriginalRecipient::utf8(text).or_else(|_| OriginalRecipient::rfc822(text)).ok()
    });
    (made(path), original, made(extension)).prop_map(|(path, original, own)| {
        let mut recipient = Recipient::from(path?);
        recipient.parameters.original_recipient = original;
        recipient.parameters.extensions = own.into_iter().collect();
        Some(recipient)
    })
}

fn any_transaction() -> impl Strategy<Value = Transaction> {
    let recipients = proptest::collection::vec(recipient(), 0..4);
    let flags = (any::<bool>(), any::<bool>());
    (made(path), parameters(), recipients, flags).prop_map(
        |(sender, parameters, recipients, (eight_bit, utf8))| {
            let mailbox = sender.and_then(|path| path.mailbox().cloned());
            Transaction {
                reverse_path: mailbox.map_or(ReversePath::Null, ReversePath::Mailbox),
                parameters,
                recipients: (0..).zip(recipients.into_iter().flatten()).collect(),
                size: 100,
                eight_bit,
                utf8,
            }
        },
    )
}

fn hello() -> impl Strategy<Value = HelloName<'static>> {
    text().prop_map(|text| match HelloName::new(&text) {
        Ok(name) => name.into_owned(),
        Err(_) => HelloName::new("client.example").unwrap().into_owned(),
    })
}

fn credentials() -> impl Strategy<Value = Option<Credentials>> {
    let secret = proptest::collection::vec(any::<u8>(), 0..600);
    (text(), secret, any::<bool>()).prop_map(|(user, secret, token)| {
        let user = Principal::new(&user).ok()?;
        let secret = Secret::new(secret);
        let made = if token { Credentials::token } else { Credentials::password };
        Some(made(user, secret))
    })
}

const OFFERS: &str = "250-mx.example\r\n250-SIZE\r\n250-DSN\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
     250-PIPELINING\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-XOWN\r\n";

/// What the session says to a peer that agrees with everything and offers `auth`, in parts: its
/// commands, and its content.
fn said(
    name: HelloName<'static>,
    credentials: Option<Credentials>,
    auth: &str,
    transaction: Transaction,
    content: &[u8],
) -> (Vec<u8>, Vec<u8>) {
    let now = origin();
    let mut config = config().with_implicit_tls(true).with_nonce(Nonce::new([7; 18]));
    config.helo_name = name;
    config.credentials = credentials;
    let mut session = ClientSession::new(config, now);
    let ehlo = format!("{OFFERS}250 AUTH {auth}\r\n");
    let greeting = ["220 hi\r\n".to_owned(), ehlo];
    let mut replies = greeting.into_iter();
    let (mut out, mut written, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    let mut transaction = Some(transaction);
    for _ in 0..100 {
        let step = session.poll(now, &unread, &mut out);
        unread.drain(..step.consumed);
        match step.output {
            ClientOutput::Event(ClientEvent::Ready) => match transaction.take() {
                Some(transaction) => {
                    if session.begin_transaction(transaction).is_err() {
                        session.quit(now, &mut out);
                    }
                }
                None => session.quit(now, &mut out),
            },
            ClientOutput::Event(ClientEvent::SendContent) => {
                let _ = session.write_content(content, &mut written);
                session.end_content(now, &mut written).unwrap();
            }
            ClientOutput::Event(_) => {}
            ClientOutput::Wait(_) => {
                let reply = replies.next().unwrap_or_else(|| answer(&out));
                unread.extend_from_slice(reply.as_bytes());
            }
            ClientOutput::Close(_) => return (out, written),
            other => panic!("{other:?}"),
        }
    }
    panic!("no end: {}", out.escape_ascii());
}

/// The answers to the last flight of commands.
fn answer(out: &[u8]) -> String {
    let text = String::from_utf8_lossy(out);
    let flight = text.rfind("MAIL FROM:").map_or("", |at| text.get(at..).unwrap());
    match text.trim_end().rsplit("\r\n").next().unwrap_or_default() {
        "QUIT" => "221 bye\r\n".to_owned(),
        last if flight.is_empty() && last.starts_with("AUTH ") && last.contains(" =") => {
            "235 yes\r\n".to_owned()
        }
        _ if flight.is_empty() => "535 5.7.8 no\r\n".to_owned(),
        _ => {
            let line = |line: &str| if line == "DATA" { "354 go\r\n" } else { "250 ok\r\n" };
            flight.trim_end().split("\r\n").map(line).collect()
        }
    }
}

/// Takes the lines off; no octet is left, and each ends in the only CR and LF it holds.
fn lines(mut octets: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    while !octets.is_empty() {
        let end = octets.windows(2).position(|pair| pair == b"\r\n").expect("a whole line");
        let (line, rest) = octets.split_at(end);
        assert!(!line.iter().any(|octet| b"\r\n\0".contains(octet)), "{}", line.escape_ascii());
        lines.push(line);
        octets = &rest[2..];
    }
    lines
}

fn registry() -> ExtensionRegistry {
    let none = ExtensionRegistry::new();
    none.with_mail_parameter("XOWN").unwrap().with_rcpt_parameter("XOWN").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    // [RFC 5321 §2.3.8-b, §4.1.1-b] test
    #[test]
    fn each_command_is_one_line_and_the_one_it_was_meant_to_be(
        name in hello(), transaction in any_transaction(),
    ) {
        let is_binary = transaction.parameters.body == BodyType::BinaryMime;
        let wanted = transaction.clone();
        let (out, _) = said(name.clone(), None, "PLAIN", transaction, b"");
        let registry = registry();
        let commands: Vec<Command<'_>> = lines(&out)
            .into_iter()
            .map(|line| {
                Command::parse_with(line, &registry)
                    .unwrap_or_else(|error| panic!("{error}: {}", line.escape_ascii()))
            })
            .collect();
        let Command::Ehlo { name: told } = &commands[0] else { panic!() };
        prop_assert!(told == &name || !name.as_str().is_ascii());
        prop_assert!(told.as_str().is_ascii());
        prop_assert_eq!(commands.last(), Some(&Command::Quit));
        if wanted.recipients.is_empty() {
            prop_assert_eq!(commands.len(), 2);
            return Ok(());
        }
        let Command::Mail { reverse_path, parameters } = &commands[1] else { panic!() };
        prop_assert_eq!(reverse_path, &wanted.reverse_path);
        prop_assert_eq!(&parameters.envelope_id, &wanted.parameters.envelope_id);
        prop_assert_eq!(parameters.body == BodyType::BinaryMime, is_binary);
        for (command, (_, recipient)) in commands[2..].iter().zip(&wanted.recipients) {
            let Command::Rcpt { forward_path, parameters } = command else { panic!() };
            prop_assert_eq!(forward_path, &recipient.forward_path);
            let original = &recipient.parameters.original_recipient;
            prop_assert_eq!(&parameters.original_recipient, original);
        }
        let others = usize::from(!is_binary) + 3;
        prop_assert_eq!(commands.len(), wanted.recipients.len() + others);
    }

    #[test]
    fn no_name_nor_secret_breaks_out_of_the_login(
        credentials in credentials(),
        auth in prop_oneof![
            Just("PLAIN"), Just("LOGIN"), Just("SCRAM-SHA-256"), Just("XOAUTH2"),
            Just("OAUTHBEARER"),
        ],
    ) {
        let transaction = Transaction {
            reverse_path: ReversePath::Null,
            parameters: MailParameters::default(),
            recipients: Vec::new(),
            size: 0,
            eight_bit: false,
            utf8: false,
        };
        let name = HelloName::new("client.example").unwrap().into_owned();
        let (out, _) = said(name, credentials, auth, transaction, b"");
        for line in lines(&out) {
            prop_assert!(line.iter().all(u8::is_ascii_graphic) || Command::parse(line).is_ok());
        }
    }

    // [RFC 5321 §2.3.8-b] test
    // [RFC 3030 §3-d] test
    #[test]
    fn text_leaves_in_whole_lines_without_nul_and_binary_content_as_it_is(
        content in proptest::collection::vec(
            prop_oneof![3 => any::<u8>(), 2 => Just(b'\r'), 2 => Just(b'\n'), 2 => Just(b'.'),
                1 => Just(0)],
            0..60,
        ),
        binary in any::<bool>(),
    ) {
        let mut transaction = Transaction {
            reverse_path: ReversePath::Null,
            parameters: MailParameters::default(),
            recipients: vec![(0, Recipient::from(ForwardPath::Postmaster))],
            size: 0,
            eight_bit: true,
            utf8: false,
        };
        if binary {
            transaction.parameters.body = BodyType::BinaryMime;
        }
        let name = HelloName::new("client.example").unwrap().into_owned();
        let (_, written) = said(name, None, "PLAIN", transaction, &content);
        if binary {
            let mut expected = Vec::new();
            if !content.is_empty() {
                expected.extend_from_slice(format!("BDAT {}\r\n", content.len()).as_bytes());
                expected.extend_from_slice(&content);
            }
            expected.extend_from_slice(b"BDAT 0 LAST\r\n");
            prop_assert_eq!(written, expected);
        } else {
            let lines = lines(&written);
            prop_assert_eq!(lines.last(), Some(&b".".as_slice()));
            let dots = lines.iter().filter(|line| **line == b".").count();
            prop_assert_eq!(dots, 1, "the data ends once");
        }
    }
}
