//! Attacks 3, 4, 5, 6, 9, 10 and 11 of the list, each as a named test.

use std::sync::Arc;

use proptest::prelude::*;
use transom_smtp::server::{Close, Event, Output, ServerSession};

use crate::driver::{Driver, config};

/// Attack 3: what a client may do with chunks, in any order.
#[derive(Clone, Copy, Debug)]
enum Op {
    Mail,
    Rcpt,
    Data,
    Bdat { lines: usize, last: bool },
    Rset,
    Noop,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        Just(Op::Mail),
        Just(Op::Rcpt),
        Just(Op::Rcpt),
        Just(Op::Data),
        (0usize..4, any::<bool>()).prop_map(|(lines, last)| Op::Bdat { lines, last }),
        (0usize..4, any::<bool>()).prop_map(|(lines, last)| Op::Bdat { lines, last }),
        Just(Op::Rset),
        Just(Op::Noop),
    ]
}

proptest! {
    #[test]
    fn chunks_and_data_in_any_order_never_lose_their_frame(
        ops in proptest::collection::vec(op(), 1..40),
        refused in 0usize..8,
    ) {
        let limits = config().limits.with_errors_max(1_000).with_junk_max(1_000);
        let extensions = config().extensions.with_size(Some(40));
        let mut driver =
            Driver::identified(config().with_limits(limits).with_extensions(extensions));
        for _ in 0..refused {
            let reply = crate::driver::reply("451 4.3.0 No");
            driver.answers.push_back(("Data".into(), reply));
        }
        for op in ops {
            let sent = match op {
                Op::Mail => "MAIL FROM:<a@example.org>\r\n".to_owned(),
                Op::Rcpt => "RCPT TO:<b@example.net>\r\n".to_owned(),
                Op::Data => "DATA\r\n".to_owned(),
                // Whoever reads the chunk as commands quits.
                Op::Bdat { lines, last } => {
                    let last = if last { " LAST" } else { "" };
                    format!("BDAT {}{last}\r\n{}", lines * 6, "QUIT\r\n".repeat(lines))
                }
                Op::Rset => "RSET\r\n".to_owned(),
                Op::Noop => "NOOP\r\n".to_owned(),
            };
            let mut said = driver.say(&sent);
            if said.starts_with("354") {
                said = driver.say("QUIT\r\nRSET\r\n.\r\n");
            }
            prop_assert_eq!(said.matches("\r\n").count(), 1, "{:?} got {:?}", sent, said);
            prop_assert_eq!(driver.closed, None);
            prop_assert!(driver.unread.is_empty());
        }
        prop_assert_eq!(driver.say("NOOP\r\n"), "250 2.0.0 OK\r\n");
    }
}

#[test]
fn chunk_of_unknown_length_ends_the_session() {
    for argument in ["", " x", " -1", " 1 FIRST", " 1LAST", " 18446744073709551616", " 0x10"] {
        let mut driver = Driver::with_recipient(config());
        let said = driver.say(format!("BDAT{argument}\r\nMAIL FROM:<m@example.org>\r\n"));
        assert_eq!(said, "501 5.5.4 Invalid arguments\r\n", "{argument:?}");
        assert_eq!(driver.closed, Some(Close::Framing), "{argument:?}");
    }
}

#[test]
fn chunk_behind_a_line_that_is_no_command_is_not_read_as_commands() {
    let long = format!("bdat 6{}\r\n", " ".repeat(5_000));
    for line in ["BDAT 6\n", "BDAT\x006\r\n", "BDAT\n", long.as_str()] {
        let mut driver = Driver::with_recipient(config());
        let said = driver.say(format!("{line}NOOP\r\n"));
        assert!(said.starts_with("500 ") && said.lines().count() == 1, "{line:?}: {said}");
        assert_eq!(driver.closed, Some(Close::Framing), "{line:?}");
        for split in 1..line.len().min(12) {
            let mut driver = Driver::with_recipient(config());
            let (before, behind) = line.split_at(split);
            assert_eq!(driver.say(before), "");
            assert_eq!(driver.say(format!("{behind}NOOP\r\n")), said);
        }
    }
    let mut driver = Driver::with_recipient(config());
    assert_eq!(driver.say("BDATA 6\n"), "500 5.5.2 Line must end with CRLF\r\n");
    assert_eq!(driver.closed, None);
}

#[test]
fn chunk_of_absurd_length_is_not_read_over() {
    for argument in ["18446744073709551615", "18446744073709551615 LAST", "75497473"] {
        let mut driver = Driver::with_recipient(config());
        let said = driver.say(format!("BDAT {argument}\r\n"));
        assert_eq!(said, "552 5.3.4 Message size exceeds fixed maximum message size\r\n");
        assert_eq!(driver.closed, Some(Close::Framing), "{argument}");
    }
}

/// Attack 4.
#[test]
fn octets_behind_a_command_that_must_be_awaited_end_the_session() {
    let starttls = || config().with_extensions(config().extensions.with_starttls(true));
    let cases: [(Driver, &str); 7] = [
        (Driver::new(config()), "EHLO client.example\r\n"),
        (Driver::identified(config()), "EHLO client.example\r\n"),
        (Driver::identified(config()), "HELO client.example\r\n"),
        (Driver::with_recipient(config()), "DATA\r\n"),
        (Driver::identified(config()), "DATA\r\n"), // refused, and its content is no command
        (Driver::identified(starttls()), "STARTTLS\r\n"),
        (Driver::new(config()), "NOOP\r\n"), // nothing was offered yet
    ];
    for (mut driver, command) in cases {
        let events = driver.trace.len();
        let said = driver.say(format!("{command}MAIL FROM:<mallory@example.org>\r\n"));
        assert!(said.starts_with("554 5.5.0 "), "{command:?} got {said:?}");
        assert_eq!(driver.closed, Some(Close::Pipelining), "{command:?}");
        assert_eq!(driver.trace.len(), events, "{command:?}");
        // Closed is closed.
        assert_eq!(driver.say("NOOP\r\n"), "", "{command:?}");
        assert!(driver.unread.is_empty());
    }
}

#[test]
fn octets_that_come_while_an_answer_is_awaited_are_no_answer_to_it() {
    for (mut driver, command) in [
        (Driver::new(config()), "EHLO client.example\r\n"),
        (Driver::with_recipient(config()), "DATA\r\n"),
    ] {
        let (mut out, now) = (Vec::new(), driver.now);
        let step = driver.session.poll(now, command.as_bytes(), &mut out);
        assert_eq!(step.consumed, command.len());
        assert!(matches!(step.output, Output::Event(_)), "{command:?}");
        // Nothing is consumed before the answer.
        let step = driver.session.poll(now, b"NOOP\r\n", &mut out);
        assert_eq!((step.consumed, step.output), (0, Output::Wait(None)));
        driver.session.accept().unwrap();
        let step = driver.session.poll(now, b"NOOP\r\n", &mut out);
        assert_eq!(step.output, Output::Close(Close::Pipelining), "{command:?}");
        assert!(out.starts_with(b"554 5.5.0 "), "{command:?}");
    }
}

#[test]
fn talker_before_the_greeting_is_refused_also_while_the_greeting_is_awaited() {
    let driver = Driver::silent(config());
    let mut session = ServerSession::new(Arc::new(config()), false, driver.now);
    let mut out = Vec::new();
    let step = session.poll(driver.now, b"", &mut out);
    assert_eq!(step.output, Output::Event(Event::Connect));
    session.accept().unwrap();
    let step = session.poll(driver.now, b"EHLO x\r\n", &mut out);
    assert_eq!(step.output, Output::Close(Close::EarlyTalker));
    assert!(out.starts_with(b"554 5.5.0 "));
}

/// Attack 5.
#[test]
fn nothing_said_in_the_clear_survives_starttls() {
    let extensions = config().extensions.with_starttls(true);
    let mut driver = Driver::identified(config().with_extensions(extensions));
    let (mut out, now) = (Vec::new(), driver.now);
    let step = driver.session.poll(now, b"STARTTLS\r\n", &mut out);
    assert_eq!((step.consumed, step.output), (10, Output::StartTls));
    assert_eq!(out, b"220 2.0.0 SMTP server ready\r\n");
    out.clear();
    // What still comes before the handshake is dropped unread.
    let injected = b"EHLO mallory.example\r\nMAIL FROM:<mallory@example.org>\r\n";
    let step = driver.session.poll(now, injected, &mut out);
    assert_eq!(step.consumed, injected.len());
    assert!(matches!(step.output, Output::Wait(Some(_))));
    driver.session.handle_tls_established(now);
    driver.run();
    assert_eq!((driver.take(), out.len()), (String::new(), 0));
    assert_eq!(driver.trace, ["Connect", "Hello client.example esmtp"]);
    // Not even the name of the client is known any more.
    assert_eq!(driver.say("MAIL FROM:<a@example.org>\r\n"), "503 5.5.2 Send hello first\r\n");
    assert!(!driver.say("EHLO client.example\r\n").contains("STARTTLS"));
    assert_eq!(driver.say("STARTTLS\r\n"), "503 5.5.1 TLS already active\r\n");
}

#[test]
fn handshake_that_nobody_asked_for_changes_nothing() {
    let require_tls = config().with_require_tls(true);
    let mut driver = Driver::identified(require_tls);
    driver.session.handle_tls_established(driver.now);
    assert!(driver.say("MAIL FROM:<a@example.org>\r\n").starts_with("530 5.7.0 "));
}

#[test]
fn implicit_tls_offers_no_starttls_and_satisfies_require_tls() {
    let extensions = config().extensions.with_starttls(true);
    let config = config().with_extensions(extensions).with_require_tls(true);
    let mut driver = Driver::silent(config.clone());
    driver.session = ServerSession::new(Arc::new(config), true, driver.now);
    driver.run();
    driver.take();
    assert!(!driver.say("EHLO client.example\r\n").contains("STARTTLS"));
    assert_eq!(driver.say("MAIL FROM:<a@example.org>\r\n"), "250 2.1.0 Sender OK\r\n");
}

/// Attack 6.
#[test]
fn envelope_injection_makes_no_transaction() {
    let paths: [&[u8]; 12] = [
        b"<a@example.org\0>",
        b"<a@example.org\r>",
        b"<a@example.org>\rRCPT TO:<b@example.net>",
        b"<a\x01@example.org>",
        b"<a@example.org>>",
        b"<a@example.org> <b@example.org>",
        b"<a b@example.org>",
        b"<\"a\rb\"@example.org>",
        b"<\"a@example.org>",
        b"<a@example.org\xff>",
        b"<a@exa mple.org>",
        b"a@example.org",
    ];
    for path in paths {
        let mut driver = Driver::identified(config());
        let said = driver.say([b"MAIL FROM:", path, b"\r\n"].concat());
        assert!(said.starts_with("50"), "{} got {said:?}", path.escape_ascii());
        assert_eq!(driver.trace.len(), 2, "{}", path.escape_ascii());
    }
}

/// Attack 9.
#[test]
fn line_of_one_gibibyte_is_read_over_without_being_kept() {
    let mut driver = Driver::new(config());
    let (mut out, block) = (Vec::new(), vec![b'x'; 64 * 1024]);
    for _ in 0..16 * 1024 {
        let step = driver.session.poll(driver.now, &block, &mut out);
        assert_eq!(step.consumed, block.len());
        assert!(matches!(step.output, Output::Wait(Some(_))) && out.is_empty());
    }
    assert_eq!(driver.say("\r\nNOOP\r\n").lines().next(), Some("500 5.5.2 Line too long"));
}

#[test]
fn endless_line_of_content_is_passed_on_as_it_comes() {
    let mut driver = Driver::in_data(config());
    let (mut out, block) = (Vec::new(), vec![b'x'; 64 * 1024]);
    for _ in 0..512 {
        let step = driver.session.poll(driver.now, &block, &mut out);
        assert_eq!((step.consumed, step.output), (block.len(), Output::Content(&block)));
    }
    assert!(out.is_empty());
}

/// Attack 10.
#[test]
fn floods_of_commands_without_mail_end_the_session() {
    for command in ["NOOP", "RSET", "VRFY bob", "HELP", "EHLO client.example"] {
        let mut driver = Driver::identified(config());
        for number in 1..=100 {
            let said = driver.say(format!("{command}\r\n"));
            assert!(said.starts_with('2'), "{command} number {number} got {said:?}");
        }
        let said = driver.say(format!("{command}\r\n"));
        assert!(said.starts_with("421 4.7.0 "), "{command} got {said:?}");
        assert_eq!(driver.closed, Some(Close::Junk), "{command}");
    }
}

#[test]
fn sixth_error_ends_the_session() {
    let wrong = ["XYZZY", "MAIL FROM:a", "RCPT TO:<b@example.net>", "DATA", "EHLO b!d"];
    for first in 0..wrong.len() {
        let mut driver = Driver::new(config());
        for number in 0..5 {
            let said = driver.say(format!("{}\r\n", wrong[(first + number) % wrong.len()]));
            assert!(said.starts_with("50"), "{said:?}");
            assert_eq!(driver.closed, None);
            // A refused address forgives what was pipelined behind it; RSET ends that.
            driver.say("RSET\r\n");
        }
        assert!(driver.say("XYZZY\r\n").starts_with("421 4.7.0 "));
        assert_eq!(driver.closed, Some(Close::Errors));
    }
}

/// Attack 11.
#[test]
fn recipients_above_the_limit_are_put_off_and_a_flood_ends_the_session() {
    let mut driver = Driver::identified(config());
    driver.say("MAIL FROM:<a@example.org>\r\n");
    for number in 1..=200 {
        let said = driver.say("RCPT TO:<same@example.net>\r\n");
        assert_eq!(said, "250 2.1.5 Recipient OK\r\n", "number {number}");
    }
    // Those of the largest lists, and then the idle commands that any session may give.
    for number in 1..=5_100 {
        let said = driver.say("RCPT TO:<other@example.net>\r\n");
        assert_eq!(said, "452 4.5.3 Too many recipients\r\n", "number {number}");
    }
    assert!(driver.say("RCPT TO:<other@example.net>\r\n").starts_with("421 4.7.0 "));
}

#[test]
fn client_that_names_a_large_list_gets_to_its_data() {
    let mut driver = Driver::identified(config());
    driver.say("MAIL FROM:<a@example.org>\r\n");
    let list = "RCPT TO:<same@example.net>\r\n".repeat(2_000);
    let said = driver.say(&list);
    let count = |code: &str| said.lines().filter(|line| line.starts_with(code)).count();
    assert_eq!((count("250 "), count("452 ")), (200, 1_800));
    assert!(driver.say("DATA\r\n").starts_with("354 "));
}

#[test]
fn refused_recipients_do_not_count_against_the_limit() {
    let limits = config().limits.with_recipients_max(1);
    let mut driver = Driver::identified(config().with_limits(limits));
    driver.say("MAIL FROM:<a@example.org>\r\n");
    let refusal = crate::driver::reply("550 5.1.1 User unknown");
    driver.answers.push_back(("Rcpt".into(), refusal));
    assert!(driver.say("RCPT TO:<b@example.net>\r\n").starts_with("550 "));
    assert!(driver.say("RCPT TO:<c@example.net>\r\n").starts_with("250 "));
    assert!(driver.say("RCPT TO:<d@example.net>\r\n").starts_with("452 "));
}

#[test]
fn vrfy_tells_nothing_about_the_mailbox() {
    let mut driver = Driver::identified(config());
    let said = driver.say("VRFY bob\r\n");
    assert!(said.starts_with("252 2.1.5 "));
    assert_eq!(said, driver.say("VRFY nobody-of-that-name\r\n"));
}
