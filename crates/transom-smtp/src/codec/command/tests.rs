use proptest::prelude::*;
use transom_types::{Mailbox, Notify, Ret};

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
    ] {
        let command = Command::parse(given.as_bytes()).unwrap_or_else(|e| panic!("{given}: {e}"));
        assert_eq!(printed(&command), format!("{expected}\r\n"), "{given}");
    }
}

#[test]
fn every_error_has_its_reply() {
    let cases: [(&[u8], &str); 30] = [
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
        (b"MAIL FROM:<> BODY=BINARYMIME", "501 5.5.4"),
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

#[test]
fn unknown_verb_is_kept_without_what_could_harm_a_log() {
    let verb = |line: &str| match Command::parse(line.as_bytes()) {
        Err(CommandError::UnknownVerb { verb }) => verb.to_string(),
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(verb("expn list"), "EXPN");
    assert_eq!(verb("get\u{202e}<script>"), "GETSCRIPT");
    assert_eq!(verb(&"x".repeat(1000)), "X".repeat(32));
}

#[test]
fn size_of_error_stays_small() {
    assert!(size_of::<CommandError>() <= 64, "{}", size_of::<CommandError>());
}

// Attack 6: what exists can be printed, and nothing that prints is more than one line.
proptest! {
    #[test]
    fn what_parses_prints_back(
        verb in "EHLO|HELO|VRFY|HELP|BDAT|NOOP|MAIL FROM:|RCPT TO:",
        rest in "[ -~]{0,40}",
    ) {
        round_trip(format!("{verb} {rest}").as_bytes())?;
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

fn round_trip(line: &[u8]) -> Result<(), TestCaseError> {
    let Ok(command) = Command::parse(line) else { return Ok(()) };
    let out = printed(&command);
    prop_assert!(!out.trim_end_matches("\r\n").contains(['\r', '\n', '\0']));
    let again = out.strip_suffix("\r\n").unwrap_or("");
    prop_assert_eq!(Command::parse(again.as_bytes()), Ok(command));
    Ok(())
}
