//! Attack 6: what can be built goes out as one command or as whole reply lines, whatever text it
//! was built of. Every constructor of this crate and of `transom-types` that takes text which
//! reaches the wire is here.

use std::str::FromStr;

use proptest::prelude::*;
use transom_types::{
    AddressLiteral, Domain, EnhancedStatusCode, EnvelopeId, ExtensionParameter, ForwardPath, Host,
    LocalPart, MailParameters, Mailbox, OriginalRecipient, RcptParameters, Reply, ReplyCode,
    ReversePath, Submitter, Xtext,
};

use super::ehlo::Capabilities;
use super::stuffing::Stuffer;
use super::*;

/// What a text becomes that asks for no registry.
fn commands_of_names(text: &str) -> Vec<Command<'_>> {
    let mut made = Vec::new();
    if let Ok(name) = HelloName::new(text) {
        made.push(Command::Ehlo { name: name.clone() });
        made.push(Command::Helo { name: name.clone() });
        made.push(Command::Lhlo { name });
    }
    if let Ok(argument) = Argument::new(text) {
        made.push(Command::Vrfy { argument: argument.clone() });
        made.push(Command::Expn { argument: argument.clone() });
        made.push(Command::Etrn { argument: argument.clone() });
        made.push(Command::Help { topic: Some(argument) });
    }
    if let Ok(mechanism) = Mechanism::new(text) {
        made.push(Command::Auth { mechanism, initial_response: None });
    }
    if let Ok(response) = InitialResponse::from_base64(text) {
        let mechanism = Mechanism::new("PLAIN").unwrap();
        made.push(Command::Auth { mechanism, initial_response: Some(response) });
    }
    if let Ok(literal) = AddressLiteral::from_str(text) {
        made.push(Command::Ehlo { name: literal.into() });
    }
    if let Ok(domain) = Domain::from_str(text) {
        made.push(Command::Ehlo { name: HelloName::from(&domain).into_owned() });
    }
    made
}

fn paths(text: &str) -> (Vec<ReversePath>, Vec<ForwardPath>) {
    let mut mailboxes: Vec<Mailbox> = text.parse().into_iter().collect();
    let host = Host::Domain("b.example".parse().unwrap());
    if let Ok(local_part) = LocalPart::from_str(text) {
        mailboxes.push(Mailbox::new(&local_part, &host));
    }
    let local_part: LocalPart = "a".parse().unwrap();
    if let Ok(domain) = Domain::from_str(text) {
        mailboxes.push(Mailbox::new(&local_part, &Host::Domain(domain)));
    }
    if let Ok(literal) = AddressLiteral::from_str(text) {
        mailboxes.push(Mailbox::new(&local_part, &Host::Literal(literal)));
    }
    let mut reverse: Vec<ReversePath> = text.parse().into_iter().collect();
    let mut forward: Vec<ForwardPath> = text.parse().into_iter().collect();
    reverse.extend(ReversePath::parse_prefix(text).ok().map(|(path, _)| path));
    forward.extend(ForwardPath::parse_prefix(text).ok().map(|(path, _)| path));
    reverse.extend(mailboxes.iter().cloned().map(ReversePath::from));
    forward.extend(mailboxes.into_iter().map(ForwardPath::from));
    (reverse, forward)
}

fn mail_parameters(text: &str) -> Vec<MailParameters> {
    let mut made = Vec::new();
    let mut add = |change: &dyn Fn(&mut MailParameters)| {
        let mut parameters = MailParameters::default();
        change(&mut parameters);
        made.push(parameters);
    };
    let encoded = Xtext::from_text(text).map(|text| text.to_string()).unwrap_or_default();
    for text in [text, &encoded] {
        if let Ok(id) = EnvelopeId::from_str(text) {
            add(&|parameters| parameters.envelope_id = Some(id.clone()));
        }
        if let Ok(submitter) = Submitter::from_str(text) {
            add(&|parameters| parameters.auth = Some(submitter.clone()));
        }
    }
    if let Ok(mailbox) = Mailbox::from_str(text) {
        add(&|parameters| parameters.auth = Some(Submitter::Mailbox(mailbox.clone())));
    }
    let values = [None, Some("value"), Some(text)];
    let own = values.into_iter().flat_map(|value| [(text, value), ("XOWN", value)]);
    for parameter in own.flat_map(|(keyword, value)| ExtensionParameter::new(keyword, value)) {
        add(&|parameters| parameters.extensions = vec![parameter.clone()]);
    }
    made
}

fn rcpt_parameters(text: &str) -> Vec<RcptParameters> {
    let recipients = [
        OriginalRecipient::rfc822(text).ok(),
        OriginalRecipient::utf8(text).ok(),
        text.parse().ok(),
        format!("{text};a").parse().ok(),
        format!("rfc822;{text}").parse().ok(),
        format!("utf-8;{text}").parse().ok(),
    ];
    let with = |recipient| {
        let mut parameters = RcptParameters::default();
        parameters.original_recipient = Some(recipient);
        parameters
    };
    recipients.into_iter().flatten().map(with).collect()
}

/// Every command that a text can be built into.
fn commands(text: &str) -> Vec<Command<'_>> {
    let mut made = commands_of_names(text);
    let (reverse, forward) = paths(text);
    let mail = |reverse_path, parameters| Command::Mail { reverse_path, parameters };
    let rcpt = |forward_path, parameters| Command::Rcpt { forward_path, parameters };
    made.extend(reverse.into_iter().map(|path| mail(path, MailParameters::default())));
    made.extend(forward.into_iter().map(|path| rcpt(path, RcptParameters::default())));
    made.extend(mail_parameters(text).into_iter().map(|given| mail(ReversePath::Null, given)));
    let to = ForwardPath::Postmaster;
    made.extend(rcpt_parameters(text).into_iter().map(|given| rcpt(to.clone(), given)));
    if let Ok(verb) = Verb::new(text) {
        made.push(Command::Extension { verb, argument: None });
    }
    if let Ok(argument) = Argument::new(text) {
        let verb = Verb::new("XOWN").unwrap();
        made.push(Command::Extension { verb, argument: Some(argument) });
    }
    if let Ok(xtext) = Xtext::from_text(text).map(Told::Known) {
        let mut attributes = Box::<XclientAttributes>::default();
        attributes.helo = Some(xtext.clone());
        attributes.login = Some(xtext.clone());
        attributes.name = Some(xtext.clone());
        made.push(Command::Xclient { attributes });
        let mut attributes = Box::<XforwardAttributes>::default();
        attributes.helo = Some(xtext.clone());
        attributes.ident = Some(xtext.clone());
        attributes.name = Some(xtext.clone());
        attributes.protocol = Some(xtext);
        made.push(Command::Xforward { attributes });
    }
    made.extend(Command::parse(text.as_bytes()));
    made
}

/// A registry that knows what a program must have registered to build this command.
fn registry(command: &Command<'_>) -> ExtensionRegistry {
    let registry = ExtensionRegistry::new();
    match command {
        Command::Extension { verb, .. } => registry.with_verb(verb.as_str()).unwrap(),
        Command::Mail { parameters, .. } => {
            parameters.extensions.iter().fold(registry, |registry, parameter| {
                registry.with_mail_parameter(parameter.keyword()).unwrap()
            })
        }
        _ => registry,
    }
}

/// Every reply that a text can be built into, as octets.
fn replies(text: &str) -> Vec<String> {
    let enhanced = EnhancedStatusCode::success(0, 0);
    let words = || vec![text.to_owned()];
    let mut offered = Capabilities::from_reply(&Reply::bare(ReplyCode::OK, "mx.example"));
    offered.mt_priority = Some(text.to_owned());
    offered.xclient = words();
    offered.xforward = words();
    offered.other_limits = words();
    offered.auth = words();
    offered.other = words();
    let replies = [
        Reply::new(ReplyCode::OK, enhanced, text.to_owned()),
        Reply::bare(ReplyCode::OK, text.to_owned()),
        offered.to_reply("mx.example"),
        offered.to_reply(text),
        Capabilities::from_reply(&offered.to_reply(text)).to_reply(text),
    ];
    let mut octets: Vec<String> = replies.iter().map(Reply::to_string).collect();
    octets.extend(Command::parse(text.as_bytes()).err().map(|wrong| wrong.reply().to_string()));
    octets
}

/// Lines that end with CRLF, and neither of its octets anywhere else.
fn whole_lines(octets: &[u8]) -> Option<usize> {
    let text = octets.strip_suffix(b"\r\n")?;
    let text = String::from_utf8_lossy(text).into_owned();
    let lines: Vec<&str> = text.split("\r\n").collect();
    let clean = |line: &&str| !line.contains(['\r', '\n', '\0']);
    lines.iter().all(clean).then_some(lines.len())
}

fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z0-9]{1,4}",
        2 => "[ -~]",
        2 => prop::sample::select(vec![
            "\r\n", "\r", "\n", "\0", "\t", "\u{b}", "\u{c}", "\u{1b}", "\u{7f}", "\u{85}",
            "\u{2028}", "\u{e4}", "\u{1f600}", "+0D+0A", "\\x{0D}", "=0D=0A",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "<", ">", "<a@b.example>", "@b.example", "\"", "\\\"", "[192.0.2.1]", "[IPv6:::1]", ";",
            "\r\nQUIT", "\r\n.\r\n", " SIZE=1", "rfc822;", "QQ==", "MAIL FROM:", "EHLO ",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_is_built_of_text_is_one_line_and_parses_back(text in hostile_text()) {
        for command in commands(&text) {
            let mut octets = Vec::new();
            command.write_to(&mut octets);
            prop_assert_eq!(whole_lines(&octets), Some(1), "{:?}", command);
            let line = octets.strip_suffix(b"\r\n").unwrap();
            let parsed = Command::parse_with(line, &registry(&command));
            prop_assert_eq!(parsed.as_ref(), Ok(&command), "{}", line.escape_ascii());
        }
        for reply in replies(&text) {
            prop_assert!(whole_lines(reply.as_bytes()).is_some(), "{:?}", reply);
        }
    }

    #[test]
    fn content_leaves_as_whole_lines(content in hostile_text(), dots in any::<bool>()) {
        let mut stuffer = if dots { Stuffer::for_data() } else { Stuffer::for_chunks() };
        let mut octets = Vec::new();
        stuffer.write(content.as_bytes(), &mut octets);
        stuffer.finish(&mut octets);
        let bare = octets.iter().scan(b'\n', |before, &octet| {
            let bare = (octet == b'\n') != (*before == b'\r');
            *before = octet;
            Some(bare)
        });
        prop_assert!(bare.eq(octets.iter().map(|_| false)), "{}", octets.escape_ascii());
        prop_assert!(octets.is_empty() || octets.ends_with(b"\r\n"));
    }

    #[test]
    fn chunks_and_logins_print_back(
        octets in any::<u64>(),
        last in any::<bool>(),
        mechanism in "[A-Za-z0-9_-]{1,20}",
        response in prop::option::of("([A-Za-z0-9+/]{4}){0,9}([a-z+/]{3}=|[A-Z0-9]{2}==)?"),
    ) {
        let response = response.as_deref().map(|text| InitialResponse::from_base64(text).unwrap());
        let mechanism = Mechanism::new(&mechanism).unwrap();
        let auth = Command::Auth { mechanism, initial_response: response };
        for command in [Command::Bdat { octets, last }, auth] {
            let mut line = Vec::new();
            command.write_to(&mut line);
            let line = line.strip_suffix(b"\r\n").unwrap();
            let parsed = Command::parse(line);
            prop_assert_eq!(parsed.as_ref(), Ok(&command));
        }
    }
}

// The property proves little where hardly anything can be built.
#[test]
fn hostile_texts_reach_every_kind_of_command() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut verbs = std::collections::BTreeSet::new();
    for _ in 0..4_000 {
        let text = hostile_text().new_tree(&mut runner).unwrap().current();
        for command in commands(&text) {
            let mut line = Vec::new();
            command.write_to(&mut line);
            let words = String::from_utf8(line).unwrap();
            let with = |key: &str| if words.contains(key) { key.to_owned() } else { String::new() };
            let verb = words.split([' ', '\r']).next().unwrap().to_ascii_uppercase();
            verbs.insert(
                verb + &with(" ENVID=") + &with(" AUTH=") + &with(" ORCPT=") + &with(" XOWN"),
            );
        }
    }
    for expected in [
        "AUTH",
        "EHLO",
        "ETRN",
        "EXPN",
        "HELO",
        "HELP",
        "LHLO",
        "MAIL",
        "MAIL ENVID=",
        "MAIL AUTH=",
        "MAIL XOWN",
        "RCPT",
        "RCPT ORCPT=",
        "VRFY",
        "XCLIENT",
        "XFORWARD",
        "XOWN",
    ] {
        assert!(verbs.contains(expected), "{expected} is not in {verbs:?}");
    }
}
