use proptest::prelude::*;
use transom_types::{BodyType, ExtensionParameter, Mailbox, Notify, Ret};

use super::*;

fn printed(command: &Command<'_>) -> String {
    let mut line = Vec::new();
    command.write_to(&mut line);
    String::from_utf8(line).unwrap()
}

#[test]
fn every_command_prints_in_its_one_form() {
    for (given, expected) in [
        ("ehlo Client.Example", "EHLO Client.Example"),
        ("HELO [192.0.2.1]", "HELO [192.0.2.1]"),
        ("EHLO [IPv6:2001:db8::1]", "EHLO [IPv6:2001:db8::1]"),
        ("EHLO win_pc", "EHLO win_pc"),
        ("mail from:<a@b.example>", "MAIL FROM:<a@b.example>"),
        ("MAIL FROM: <>  size=5  body=8bitmime ", "MAIL FROM:<> SIZE=5 BODY=8BITMIME"),
        ("MAIL FROM:<> BODY=7BIT", "MAIL FROM:<>"),
        (
            "MAIL FROM:<> SmtpUtf8 RET=full ENVID=a+2Bb",
            "MAIL FROM:<> SMTPUTF8 RET=FULL ENVID=a+2Bb",
        ),
        ("MAIL FROM:<@hop.example:a@b.example>", "MAIL FROM:<a@b.example>"),
        ("rcpt to:<postmaster>", "RCPT TO:<Postmaster>"),
        ("RCPT TO: <\"a b\"@c.example>", "RCPT TO:<\"a b\"@c.example>"),
        (
            "RCPT TO:<a@b.example> notify=delay,success ORCPT=rfc822;a+3Db@c",
            "RCPT TO:<a@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+3Db@c",
        ),
        ("data ", "DATA"),
        ("bdat 0012 last", "BDAT 12 LAST"),
        ("BDAT 18446744073709551615", "BDAT 18446744073709551615"),
        ("rset", "RSET"),
        ("noop anything at all", "NOOP"),
        ("vrfy  John Smith", "VRFY John Smith"),
        ("help", "HELP"),
        ("HELP MAIL", "HELP MAIL"),
        ("quit", "QUIT"),
        ("StartTLS", "STARTTLS"),
        ("lhlo a.example", "LHLO a.example"),
        ("expn Staff", "EXPN Staff"),
        ("etrn @a.example", "ETRN @a.example"),
        ("auth plain AGEAYg==", "AUTH plain AGEAYg=="),
        ("AUTH EXTERNAL =", "AUTH EXTERNAL ="),
        ("AUTH SCRAM-SHA-256-PLUS", "AUTH SCRAM-SHA-256-PLUS"),
        ("MAIL FROM:<> BODY=binarymime", "MAIL FROM:<> BODY=BINARYMIME"),
        ("MAIL FROM:<> auth=<> requiretls", "MAIL FROM:<> AUTH=<> REQUIRETLS"),
        ("MAIL FROM:<> AUTH=e+3Dmc2@b.example", "MAIL FROM:<> AUTH=e+3Dmc2@b.example"),
        ("MAIL FROM:<> by=+120;rt", "MAIL FROM:<> BY=120;RT"),
        ("MAIL FROM:<> HOLDFOR=60 MT-PRIORITY=-3", "MAIL FROM:<> HOLDFOR=60 MT-PRIORITY=-3"),
        (
            "MAIL FROM:<> HOLDUNTIL=2026-01-01T00:00:00+01:00",
            "MAIL FROM:<> HOLDUNTIL=2025-12-31T23:00:00Z",
        ),
        (
            "RCPT TO:<a@b.example> RRVS=2014-04-03T23:01:00Z;c ORCPT=utf-8;\\x{E4}@c",
            "RCPT TO:<a@b.example> ORCPT=utf-8;\\x{E4}@c RRVS=2014-04-03T23:01:00Z;C",
        ),
        (
            "XCLIENT addr=IPV6:2001:db8::1 NAME=[tempunavail] port=25 PROTO=esmtp LOGIN=a+20b",
            "XCLIENT NAME=[TEMPUNAVAIL] ADDR=IPV6:2001:db8::1 PORT=25 PROTO=ESMTP LOGIN=a+20b",
        ),
        (
            "xclient HELO=[UNAVAILABLE] DESTADDR=192.0.2.1 DESTPORT=587",
            "XCLIENT HELO=[UNAVAILABLE] DESTADDR=192.0.2.1 DESTPORT=587",
        ),
        ("XCLIENT NAME=+5BUNAVAILABLE]", "XCLIENT NAME=+5BUNAVAILABLE]"),
        (
            "XFORWARD SOURCE=local IDENT=A1 PROTO=QMQP NAME=[UNAVAILABLE]",
            "XFORWARD NAME=[UNAVAILABLE] PROTO=QMQP IDENT=A1 SOURCE=LOCAL",
        ),
    ] {
        let command = Command::parse(given.as_bytes()).unwrap_or_else(|e| panic!("{given}: {e}"));
        assert_eq!(printed(&command), format!("{expected}\r\n"), "{given}");
    }
}

#[test]
fn every_error_has_its_reply() {
    let cases: [(&[u8], &str); 53] = [
        (b"", "500 5.3.3"),
        (b" EHLO a", "500 5.3.3"),
        (b"XYZZY", "500 5.3.3"),
        (b"MAILFROM:<>", "500 5.3.3"),
        (b"EHLO", "501 5.5.4"),
        (b"EHLO a b", "501 5.5.4"),
        (b"EHLO a(b)", "501 5.5.4"),
        (b"MAIL", "501 5.5.4"),
        (b"MAIL TO:<>", "501 5.5.4"),
        (b"MAIL FROM:", "501 5.1.7"),
        (b"MAIL FROM:a@b.example", "501 5.1.7"),
        (b"MAIL FROM:<a@b.example", "501 5.1.7"),
        (b"MAIL FROM:<a@>", "501 5.1.7"),
        (b"MAIL FROM:<>SIZE=1", "501 5.5.4"),
        (b"MAIL FROM:<> =1", "501 5.5.4"),
        (b"MAIL FROM:<> SIZE=1 SIZE=1", "501 5.5.4"),
        (b"MAIL FROM:<> SIZE", "501 5.5.4"),
        (b"MAIL FROM:<> SIZE=-1", "501 5.5.4"),
        (b"MAIL FROM:<> SIZE=18446744073709551616", "501 5.5.4"),
        (b"MAIL FROM:<> BODY=9BIT", "501 5.5.4"),
        (b"MAIL FROM:<> REQUIRETLS=yes", "501 5.5.4"),
        (b"MAIL FROM:<> requiretls REQUIRETLS", "501 5.5.4"),
        (b"MAIL FROM:<> HOLDFOR=5 HOLDUNTIL=2026-01-01T00:00:00Z", "501 5.5.4"),
        (b"MAIL FROM:<> BY=0;R", "501 5.5.4"),
        (b"MAIL FROM:<> MT-PRIORITY=10", "501 5.5.4"),
        (b"MAIL FROM:<> AUTH", "501 5.5.4"),
        (b"MAIL FROM:<> AUTH=a+0D+0A@b", "501 5.5.4"),
        (b"MAIL FROM:<> ENVID=a+0D+0Ab", "501 5.5.4"),
        (b"MAIL FROM:<> A_B=1", "501 5.5.4"),
        (b"MAIL FROM:<> SIZE=1=2", "501 5.5.4"),
        (b"RCPT TO:<a@b.example> RRVS=yesterday", "501 5.5.4"),
        (b"RCPT TO:<a@b.example> X-NEW", "555 5.5.4"),
        (b"AUTH", "501 5.5.4"),
        (b"AUTH PLAIN(", "501 5.5.4"),
        (b"AUTH PLAIN AGEAYg", "501 5.5.2"),
        (b"AUTH PLAIN ==", "501 5.5.2"),
        (b"AUTH PLAIN AGEAYg== x", "501 5.5.2"),
        (b"EXPN", "501 5.5.4"),
        (b"ETRN", "501 5.5.4"),
        (b"XCLIENT", "501 5.5.4"),
        (b"XCLIENT NAME=a NAME=b", "501 5.5.4"),
        (b"XCLIENT NAME=a+0Ab", "501 5.5.4"),
        (b"XFORWARD PORT=+25", "501 5.5.4"),
        (b"MAIL FROM:<> SMTPUTF8=1", "501 5.5.4"),
        (b"MAIL FROM:<> X-NEW=1", "555 5.5.4"),
        (b"MAIL FROM:<> NOTIFY=NEVER", "555 5.5.4"),
        (b"RCPT TO:<>", "501 5.1.3"),
        (b"RCPT TO:<a@b.example> ORCPT=a@b.example", "501 5.5.4"),
        (b"RCPT TO:<a@b.example> SIZE=1", "555 5.5.4"),
        (b"DATA now", "501 5.5.4"),
        (b"VRFY", "501 5.5.4"),
        (b"NOOP a\0b", "500 5.5.2"),
        (b"MAIL FROM:<\xff@b.example>", "501 5.5.2"),
    ];
    for (line, start) in cases {
        let error = Command::parse(line).expect_err(&line.escape_ascii().to_string());
        let said = error.reply().to_string();
        assert!(said.starts_with(start), "{} got {said}", line.escape_ascii());
    }
}

// Attack 6.
#[test]
fn control_character_is_refused_wherever_it_stands() {
    for line in [
        "EHLO a.example",
        "MAIL FROM:<a@b.example> SIZE=5 ENVID=a AUTH=<>",
        "RCPT TO:<\"a b\"@b.example> NOTIFY=NEVER ORCPT=rfc822;a@b RRVS=2014-04-03T23:01:00Z",
        "DATA",
        "BDAT 12 LAST",
        "NOOP a",
        "HELP a",
        "AUTH PLAIN AGEAYg==",
        "XCLIENT NAME=a PORT=25",
        "QUIT",
    ] {
        for at in 0..=line.len() {
            for control in ["\r", "\n", "\0", "\x0b", "\x0c", "\x7f", "\u{85}"] {
                let mut dirty = line.to_owned();
                dirty.insert_str(at, control);
                let error = Err(CommandError::Control { at });
                assert_eq!(Command::parse(dirty.as_bytes()), error, "{dirty:?}");
            }
        }
    }
}

#[test]
fn unknown_verb_is_kept_without_what_could_harm_a_log() {
    let verb = |line: &str| match Command::parse(line.as_bytes()) {
        Err(CommandError::UnknownVerb { verb }) => verb.to_string(),
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(verb("send list"), "SEND");
    assert_eq!(verb("get\u{202e}<script>"), "GETSCRIPT");
    assert_eq!(verb(&"x".repeat(1000)), "X".repeat(32));
}

#[test]
fn what_the_host_program_registers_is_handed_through() {
    let registry = ExtensionRegistry::new()
        .with_verb("XPING")
        .and_then(|registry| registry.with_mail_parameter("XTENANT"))
        .and_then(|registry| registry.with_mail_parameter("XFLAG"))
        .and_then(|registry| registry.with_rcpt_parameter("XROUTE"))
        .unwrap();
    let line = b"MAIL FROM:<> xflag SIZE=5 xtenant=contoso";
    let command = Command::parse_with(line, &registry).unwrap();
    assert_eq!(printed(&command), "MAIL FROM:<> SIZE=5 XFLAG XTENANT=contoso\r\n");
    assert_eq!(
        Command::parse_with(printed(&command).trim_end().as_bytes(), &registry),
        Ok(command)
    );
    let command = Command::parse_with(b"RCPT TO:<a@b> XROUTE=7", &registry).unwrap();
    let Command::Rcpt { parameters, .. } = &command else { panic!("{command:?}") };
    assert_eq!(parameters.extensions, [ExtensionParameter::new("XROUTE", Some("7")).unwrap()]);
    let command = Command::parse_with(b"xping  now or later ", &registry).unwrap();
    assert_eq!(printed(&command), "xping now or later\r\n");
    let refused = |line: &str| Command::parse_with(line.as_bytes(), &registry).unwrap_err();
    let twice = CommandError::ParameterTwice;
    assert_eq!(refused("MAIL FROM:<> XFLAG XTENANT=a xflag=1"), twice);
    // What is registered for one command is not for the other, and nothing without a registry.
    assert_eq!(refused("MAIL FROM:<> XROUTE=7"), CommandError::ParameterUnknown);
    assert_eq!(refused("RCPT TO:<a@b> XFLAG"), CommandError::ParameterUnknown);
    assert!(matches!(refused("MAIL FROM:<> XTENANT="), CommandError::ParameterValue { .. }));
    assert_eq!(Command::parse(b"MAIL FROM:<> XFLAG"), Err(CommandError::ParameterUnknown));
    assert!(matches!(Command::parse(b"XPING"), Err(CommandError::UnknownVerb { .. })));
}

#[test]
fn what_the_rfcs_have_cannot_be_registered() {
    for verb in ["MAIL", "starttls", "", "X PING", "X\r\nRSET"] {
        assert!(ExtensionRegistry::new().with_verb(verb).is_err(), "{verb:?}");
    }
    for keyword in ["SIZE", "notify", "", "X=1", "X\r\nRSET"] {
        assert!(ExtensionRegistry::new().with_mail_parameter(keyword).is_err(), "{keyword:?}");
        assert!(ExtensionRegistry::new().with_rcpt_parameter(keyword).is_err(), "{keyword:?}");
    }
    let mut registry = ExtensionRegistry::new();
    for number in 0..ExtensionRegistry::NAMES_MAX {
        registry = registry.with_mail_parameter(&format!("X{number}")).unwrap();
    }
    let names: Vec<String> = (0..ExtensionRegistry::NAMES_MAX).map(|n| format!("X{n}")).collect();
    let line = format!("MAIL FROM:<> {}", names.join(" "));
    let command = Command::parse_with(line.as_bytes(), &registry).unwrap();
    assert_eq!(printed(&command), format!("{line}\r\n"));
    let one_more = registry.with_mail_parameter("X32");
    assert_eq!(one_more, Err(ExtensionRegistryError::TooMany));
}

#[test]
fn debug_of_auth_shows_no_credentials() {
    let command = Command::parse(b"AUTH PLAIN AGFsaWNlAHNlY3JldA==").unwrap();
    assert!(!format!("{command:?}").contains("AGFs"), "{command:?}");
}

#[test]
fn size_of_error_stays_small() {
    assert!(size_of::<CommandError>() <= 64, "{}", size_of::<CommandError>());
}

// Attack 6: what exists can be printed, and nothing that prints is more than one line.
proptest! {
    #[test]
    fn what_parses_prints_back(
        verb in "EHLO|HELO|LHLO|VRFY|EXPN|ETRN|HELP|BDAT|NOOP|AUTH|MAIL FROM:|RCPT TO:",
        rest in "[ -~]{0,40}",
    ) {
        round_trip(format!("{verb} {rest}").as_bytes())?;
    }

    #[test]
    fn parameters_print_back(
        mail in proptest::collection::vec(mail_parameter(), 0..8),
        rcpt in proptest::collection::vec(rcpt_parameter(), 0..4),
    ) {
        round_trip(format!("MAIL FROM:<a@b.example> {}", mail.join(" ")).as_bytes())?;
        round_trip(format!("RCPT TO:<a@b.example> {}", rcpt.join(" ")).as_bytes())?;
    }

    #[test]
    fn forwarded_attributes_print_back(
        words in proptest::collection::vec(forwarded_attribute(), 1..9),
    ) {
        round_trip(format!("XCLIENT {}", words.join(" ")).as_bytes())?;
        round_trip(format!("XFORWARD {}", words.join(" ")).as_bytes())?;
    }

    #[test]
    fn any_attribute_that_can_be_built_prints_back(
        texts in proptest::collection::vec(any_text(), 4),
        address in any::<std::net::IpAddr>(),
        port in any::<u16>(),
    ) {
        let told = |at: usize| -> Option<Told<transom_types::Xtext>> {
            transom_types::Xtext::from_text(texts.get(at)?).ok().map(Told::Known)
        };
        let mut attributes = Box::<XclientAttributes>::default();
        attributes.name = told(0);
        attributes.helo = told(1);
        attributes.address = Some(Told::Known(address));
        attributes.destination_port = Some(Told::Known(port));
        attributes.port = Some(Told::TempUnavailable);
        attributes.login = told(2);
        let command = Command::Xclient { attributes };
        let line = printed(&command);
        prop_assert_eq!(Command::parse(line.trim_end().as_bytes()), Ok(command));
        let mut attributes = Box::<XforwardAttributes>::default();
        attributes.ident = told(3);
        attributes.protocol = told(2);
        attributes.source = Some(Told::Known(XforwardSource::Local));
        let command = Command::Xforward { attributes };
        let line = printed(&command);
        prop_assert_eq!(Command::parse(line.trim_end().as_bytes()), Ok(command));
    }

    #[test]
    fn envelopes_print_back(
        local in "[a-z!#$%&'*+/=?^_`{|}~-]{1,10}|\"[ -!#-\\[\\]-~]{0,10}\"|[a-z\u{e0}-\u{fc}]{1,5}",
        domain in "[a-z]{1,10}(\\.[a-z\u{e0}-\u{fc}]{1,10}){0,3}",
        size in proptest::option::of(any::<u64>()),
        flags in any::<[bool; 6]>(),
        id in proptest::option::of("[ -~]{1,20}"),
    ) {
        let mailbox: Mailbox = format!("{local}@{domain}").parse().unwrap();
        let mut parameters = MailParameters::default();
        parameters.size = size;
        parameters.smtputf8 = flags[0];
        parameters.ret = flags[1].then_some(Ret::Headers);
        if flags[2] {
            parameters.body = BodyType::EightBitMime;
        }
        let xtext = |text: &str| transom_types::Xtext::from_text(text).unwrap().to_string();
        parameters.envelope_id = id.as_deref().map(|id| xtext(id).parse().unwrap());
        let mail = Command::Mail { reverse_path: mailbox.clone().into(), parameters };
        let line = printed(&mail);
        prop_assert_eq!(Command::parse(line.trim_end().as_bytes()), Ok(mail));
        let mut parameters = RcptParameters::default();
        parameters.notify = Some(Notify::new(flags[3], flags[4], flags[5]));
        parameters.original_recipient =
            id.map(|id| format!("rfc822;{}", xtext(&id)).parse().unwrap());
        let rcpt = Command::Rcpt { forward_path: mailbox.into(), parameters };
        let line = printed(&rcpt);
        prop_assert_eq!(Command::parse(line.trim_end().as_bytes()), Ok(rcpt));
    }

    #[test]
    fn any_octets_are_a_command_or_an_error(line in proptest::collection::vec(any::<u8>(), 0..80)) {
        round_trip(&line)?;
        let mut behind_verb = b"RCPT TO:<".to_vec();
        behind_verb.extend_from_slice(&line);
        round_trip(&behind_verb)?;
    }

    #[test]
    fn names_and_arguments_hold_no_line_end(text in any::<String>()) {
        for name in [HelloName::new(&text).map(|name| name.to_string()).ok(),
            Argument::new(&text).map(|argument| argument.to_string()).ok()].into_iter().flatten()
        {
            prop_assert!(!name.chars().any(char::is_control));
        }
    }
}

/// A parameter of MAIL, most of them well-formed.
fn mail_parameter() -> impl Strategy<Value = String> {
    prop_oneof![
        "SIZE=[0-9]{1,4}",
        "BODY=(7BIT|8BITMIME|BINARYMIME)",
        Just("SMTPUTF8".to_owned()),
        Just("REQUIRETLS".to_owned()),
        "RET=(FULL|HDRS)",
        "ENVID=[a-z0-9]{1,9}(\\+[2-7][0-9A-E]){0,2}",
        "AUTH=(<>|[a-z]{1,9}(\\+2B)?[a-z]?@[a-z]{1,9})",
        "BY=[+-]?[0-9]{1,9};[NR]T?",
        "HOLDFOR=[1-9][0-9]{0,8}",
        "HOLDUNTIL=20[0-9]{2}-0[1-9]-1[0-9]T1[0-9]:00:00(Z|[+-]0[0-9]:30)",
        "MT-PRIORITY=-?[0-9]",
        "[A-Z]{1,9}(=[!-~]{0,9})?",
    ]
}

fn rcpt_parameter() -> impl Strategy<Value = String> {
    prop_oneof![
        "NOTIFY=(NEVER|SUCCESS|FAILURE,DELAY|success,failure)",
        "ORCPT=rfc822;[a-z]{1,9}(\\+[2-7][0-9A-E]){0,2}@[a-z]{1,9}",
        "ORCPT=utf-8;[a-z]{1,9}(\\\\x\\{[1-9A-C][0-9A-F]{1,3}\\})?[\u{e4}]?@[a-z]{1,9}",
        "RRVS=20[0-9]{2}-0[1-9]-1[0-9]T1[0-9]:00:00Z(;[CR])?",
        "[A-Z]{1,9}(=[!-~]{0,9})?",
    ]
}

fn forwarded_attribute() -> impl Strategy<Value = String> {
    prop_oneof![
        "(NAME|HELO|LOGIN|IDENT|PROTO)=[a-z0-9.]{0,9}(\\+[2-7][0-9A-E])?",
        "(ADDR|DESTADDR)=(192\\.0\\.2\\.[0-9]|IPV6:2001:db8::[0-9a-f]{1,4})",
        "(PORT|DESTPORT)=[0-9]{1,5}",
        "(NAME|ADDR|PORT|HELO|LOGIN|SOURCE)=\\[(UNAVAILABLE|TEMPUNAVAIL)\\]",
        "PROTO=E?SMTP",
        "SOURCE=(LOCAL|REMOTE)",
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,9}",
        Just("[UNAVAILABLE]".to_owned()),
        Just("[tempunavail]".to_owned()),
        Just("[[UNAVAILABLE]".to_owned()),
        Just("a\r\nQUIT".to_owned()),
    ]
}

fn round_trip(line: &[u8]) -> Result<(), TestCaseError> {
    let registry = ExtensionRegistry::new();
    let in_place = CommandRef::parse(line, &registry);
    let parsed = Command::parse(line);
    prop_assert_eq!(in_place.as_ref().err(), parsed.as_ref().err());
    let Ok(command) = parsed else { return Ok(()) };
    let out = printed(&command);
    prop_assert!(!out.trim_end_matches("\r\n").contains(['\r', '\n', '\0']));
    let again = out.strip_suffix("\r\n").unwrap_or("");
    prop_assert_eq!(Command::parse(again.as_bytes()), Ok(command));
    Ok(())
}
