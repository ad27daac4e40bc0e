//! The order of commands, and what each of them does (RFC 5321 sections 3 and 4.1).

use transom_smtp::server::Close;

use crate::listener::{Listener, config};

// [RFC 5321 §2.2.1-a, §2.2.1-b, §3.2-a, §4.1.1.1-a, §F.3-a] test
#[test]
fn ehlo_and_helo_open_a_session_and_helo_lists_nothing() {
    let mut listener = Listener::greeted(config());
    let reply = listener.expect("EHLO client.example\r\n", "250-mx.example");
    assert!(reply.lines().count() > 2, "{reply}");
    let mut listener = Listener::greeted(config());
    assert_eq!(listener.say("HELO client.example\r\n"), "250 mx.example\r\n");
    listener.begin("");
}

// [RFC 5321 §2.3.8-a] test
#[test]
fn command_ends_with_crlf_and_nothing_else() {
    for line in ["NOOP\n", "NOOP\r\nNOOP\n", "NOOP \rRSET\r\n"] {
        let mut listener = Listener::identified(config());
        let reply = listener.say(line);
        assert!(reply.lines().any(|line| line.starts_with("50")), "{line:?}: {reply}");
        assert!(!reply.contains("Resetting"), "{line:?}: {reply}");
    }
    let mut listener = Listener::identified(config());
    assert_eq!(listener.say("NOOP\r"), "");
    listener.expect("\n", "250");
}

// [RFC 5321 §2.4-a, §2.4-b] test
#[test]
fn verbs_have_no_case_and_local_parts_keep_theirs() {
    let mut listener = Listener::identified(config());
    listener.expect("mAiL fRoM:<Sm.Ith@Example.ORG> bOdY=8bitmime\r\n", "250");
    listener.expect("rcpt to:<sMITH@example.net>\r\n", "250");
    let last: Vec<&str> = listener.events.iter().rev().take(2).map(String::as_str).collect();
    let [rcpt, mail] = last.as_slice() else { panic!("{last:?}") };
    assert_eq!(*rcpt, "RCPT TO:<sMITH@example.net>");
    assert!(mail.starts_with("MAIL FROM:<Sm.Ith@") && mail.ends_with("BODY=8BITMIME"), "{mail}");
}

// [RFC 5321 §3.1-a] test
#[test]
fn refused_session_stays_open_until_quit() {
    let mut listener = Listener::silent(config(), false);
    listener.answer_next("Connect", "554 5.7.1 No service");
    assert!(listener.say("").starts_with("554 "));
    for line in ["EHLO client.example\r\n", "MAIL FROM:<a@example.org>\r\n", "NOOP\r\n"] {
        listener.expect(line, "503");
        assert_eq!(listener.closed, None, "{line}");
    }
    listener.expect("QUIT\r\n", "221");
    assert_eq!(listener.closed, Some(Close::Quit));
}

// [RFC 5321 §3.3-a] test
#[test]
fn refused_mail_tells_whether_it_may_work_later() {
    let mut listener = Listener::identified(config());
    for reply in ["451 4.3.0 Later", "550 5.1.8 Never"] {
        listener.answer_next("Mail", reply);
        listener.expect("MAIL FROM:<a@example.org>\r\n", reply);
    }
    listener.begin("");
}

// [RFC 5321 §3.3-b, §3.6.1-a, §4.1.1.3-a, §4.1.1.3-b, §4.1.2-a, §6.1-f] test
// [RFC 5321 §C-a, §C-c, §F.2-a] test
#[test]
fn source_routes_are_taken_and_dropped() {
    let mut listener = Listener::identified(config());
    listener.expect("MAIL FROM:<@one.example,@two.example:a@example.org>\r\n", "250");
    listener.expect("RCPT TO:<@mx.example,@two.example:b@example.net>\r\n", "250");
    let wanted = ["MAIL FROM:<a@example.org>", "RCPT TO:<b@example.net>"];
    assert!(listener.events.ends_with(&wanted.map(str::to_owned)), "{:?}", listener.events);
}

// [RFC 5321 §3.3-d, §3.3-g, §4.1.4-a, §4.1.4-i] test
#[test]
fn commands_out_of_order_get_503_and_change_nothing() {
    let mut listener = Listener::greeted(config());
    listener.expect("MAIL FROM:<a@example.org>\r\n", "503");
    listener.expect("EHLO client.example\r\n", "250");
    listener.expect("RCPT TO:<b@example.net>\r\n", "503");
    listener.expect("DATA\r\n", "503");
    listener.expect("MAIL FROM:<a@example.org>\r\n", "250");
    listener.expect("DATA\r\n", "503");
    listener.expect("MAIL FROM:<c@example.org>\r\n", "503");
    listener.expect("RCPT TO:<b@example.net>\r\n", "250");
    listener.expect("DATA\r\n", "354");
    listener.expect("x\r\n.\r\n", "250");
    assert_eq!(listener.events.iter().filter(|line| line.starts_with("MAIL")).count(), 1);
}

// [RFC 5321 §3.5.3-a, §7.3-a, §7.3-b] test
#[test]
fn vrfy_and_expn_claim_no_knowledge() {
    let mut listener = Listener::identified(config());
    listener.expect("VRFY postmaster\r\n", "252");
    listener.expect("VRFY nobody@example.net\r\n", "252");
    let reply = listener.say("EXPN list\r\n");
    assert!(!reply.starts_with("250") && !reply.starts_with("251"), "{reply}");
}

// [RFC 5321 §3.5.2-c, §3.5.3-a] test
#[test]
fn expn_is_offered_where_it_is_there_and_claims_no_knowledge() {
    let on = config().with_extensions(config().extensions.with_expn(true));
    let mut listener = Listener::greeted(on);
    let offered = listener.expect("EHLO client.example\r\n", "250-");
    assert!(offered.lines().any(|line| line.split_at(4).1 == "EXPN"), "{offered}");
    listener.expect("EXPN list\r\n", "252");
}

// [RFC 5321 §4.1.1-c, §4.1.1.9-a] test
#[test]
fn spaces_at_the_end_and_words_behind_noop_do_no_harm() {
    let mut listener = Listener::identified(config());
    listener.expect("NOOP and some words\r\n", "250");
    listener.expect("RSET  \t\r\n", "250");
    listener.expect("MAIL FROM:<a@example.org> \r\n", "250");
}

// [RFC 5321 §4.1.1.5-a, §4.1.1.5-b, §4.1.1.5-c] test
#[test]
fn rset_forgets_the_transaction_and_keeps_the_session() {
    let mut listener = Listener::with_recipient(config());
    listener.expect("RSET\r\n", "250");
    assert_eq!(listener.closed, None);
    assert_eq!(listener.events.last().unwrap(), "Reset");
    listener.expect("DATA\r\n", "503");
    listener.begin("");
    // Without anything to forget it says the same.
    let mut listener = Listener::greeted(config());
    listener.expect("RSET\r\n", "250");
    listener.expect("RSET\r\n", "250");
    assert_eq!(listener.closed, None);
}

// [RFC 5321 §4.1.1.10-a] test
#[test]
fn quit_gets_221_and_ends_the_session() {
    for before in ["", "EHLO client.example\r\n"] {
        let mut listener = Listener::greeted(config());
        listener.say(before);
        listener.expect("QUIT\r\n", "221");
        assert_eq!(listener.closed, Some(Close::Quit));
    }
}

// [RFC 5321 §4.1.1.10-d] test
#[test]
fn lost_connection_cancels_what_is_open_and_keeps_what_was_done() {
    let mut listener = Listener::with_recipient(config());
    listener.say("DATA\r\n");
    listener.expect("first\r\n.\r\n", "250");
    listener.begin("");
    listener.say("DATA\r\n");
    assert_eq!(listener.say("second\r\n."), "");
    listener.hang_up();
    assert_eq!(listener.closed, Some(Close::PeerClosed));
    assert_eq!(listener.contents, [b"first\r\n"]);
}

// [RFC 5321 §4.1.4-b] test
#[test]
fn ehlo_in_a_transaction_resets_it() {
    for again in ["EHLO client.example\r\n", "HELO client.example\r\n"] {
        let mut listener = Listener::with_recipient(config());
        listener.expect(again, "250");
        listener.expect("RCPT TO:<c@example.net>\r\n", "503");
        listener.begin("");
    }
}

// [RFC 5321 §4.1.4-c, §4.1.4-d] test
#[test]
fn refused_ehlo_has_a_fitting_code_and_changes_nothing() {
    let mut listener = Listener::with_recipient(config());
    for line in ["EHLO\r\n", "EHLO two words\r\n", "HELO\r\n"] {
        listener.expect(line, "501");
    }
    listener.answer_next("Hello", "550 5.7.1 Not you");
    listener.expect("EHLO liar.example\r\n", "550");
    listener.expect("RCPT TO:<c@example.net>\r\n", "250");
    listener.expect("DATA\r\n", "354");
}

// [RFC 5321 §4.1.4-f] test
#[test]
fn any_name_in_ehlo_may_send_mail() {
    for name in ["not.my.name.example", "[192.0.2.1]", "localhost"] {
        let mut listener = Listener::greeted(config());
        listener.expect(format!("EHLO {name}\r\n"), "250");
        listener.begin("");
    }
}

// [RFC 5321 §4.1.4-h] test
#[test]
fn mail_with_a_bad_argument_gets_501_and_changes_nothing() {
    let mut listener = Listener::identified(config());
    for argument in ["", "FROM:", "FROM:a b@example.org", "FROM:<a@>", "FROM:<a@example.org"] {
        listener.expect(format!("MAIL {argument}\r\n"), "501");
        listener.expect("RCPT TO:<b@example.net>\r\n", "503");
    }
    listener.begin("");
}

// [RFC 5321 §4.1.5-a] test
#[test]
fn verbs_that_no_extension_defines_are_unknown() {
    let mut listener = Listener::identified(config());
    for line in ["TURN\r\n", "SEND FROM:<a@example.org>\r\n", "PLAY\r\n"] {
        listener.expect(line, "50");
    }
    listener.expect("SOML FROM:<a@example.org>\r\n", "50");
}

// [RFC 5321 §4.2-a] test
#[test]
fn each_command_has_exactly_one_reply() {
    let mut listener = Listener::identified(config());
    for line in [
        "NOOP",
        "HELP",
        "VRFY a",
        "PLAY",
        "MAIL FROM:<a@example.org>",
        "MAIL FROM:<a@example.org>",
        "RCPT TO:<b@example.net>",
        "RCPT TO:<>",
        "RSET",
        "EHLO client.example",
        "QUIT",
    ] {
        let said = listener.say(format!("{line}\r\n"));
        let ends = said.lines().filter(|line| line.as_bytes().get(3) != Some(&b'-')).count();
        assert_eq!(ends, 1, "{line}: {said}");
    }
}

// [RFC 5321 §4.3.1-b] test
#[test]
fn other_texts_leave_codes_and_order_alone() {
    let mut listener = Listener::silent(config().with_greeting("550 5.0.0 go away"), false);
    assert!(listener.say("").starts_with("220 mx.example "));
    listener.answer_next("Hello", "250 I am 554 pleased");
    let reply = listener.expect("EHLO client.example\r\n", "250-I am");
    assert!(reply.contains("\r\n250-SIZE"), "{reply}");
    listener.answer_next("Mail", "250 2.1.0 550");
    listener.begin("");
    // A code that does not fit the command is none of the session's words.
    listener.expect("DATA\r\n", "354");
}

// [RFC 5321 §4.5.1-a] test
#[test]
fn commands_that_every_server_has_are_there() {
    let mut listener = Listener::greeted(config());
    for line in [
        "HELO client.example",
        "EHLO client.example",
        "NOOP",
        "VRFY a",
        "RSET",
        "MAIL FROM:<a@example.org>",
        "RCPT TO:<b@example.net>",
    ] {
        listener.expect(format!("{line}\r\n"), "25");
    }
    listener.expect("DATA\r\n", "354");
    listener.expect("x\r\n.\r\n", "250");
    listener.expect("QUIT\r\n", "221");
}

// [RFC 5321 §4.5.3.1-a] test
#[test]
fn objects_of_the_smallest_allowed_limits_are_taken() {
    let mut listener = Listener::identified(config());
    let local = "l".repeat(64);
    let label = "d".repeat(63);
    let domain = format!("{label}.{label}.{label}.{}", "d".repeat(61));
    assert_eq!(domain.len(), 253, "255 octets on the wire of the DNS");
    listener.expect(format!("MAIL FROM:<{local}@example.org>\r\n"), "250");
    listener.expect(format!("RCPT TO:<a@{domain}>\r\n"), "250");
    // 254 octets without the brackets, 256 with them.
    let rest = 254 - local.len() - 1;
    let path = format!("<{local}@{}>", domain.split_at(domain.len() - rest).1);
    assert_eq!(path.len(), 256);
    listener.expect(format!("RCPT TO:{path}\r\n"), "250");
    listener.expect(format!("NOOP {}\r\n", "x".repeat(512 - 7)), "250");
    listener.expect("DATA\r\n", "354");
    listener.expect(format!("{}\r\n.\r\n", "x".repeat(998)), "250");
    assert_eq!(listener.contents[0].len(), 1000);
}

// [RFC 5321 §4.5.3.1.8-a, §4.5.3.1.8-b, §4.5.3.1.10-a] test
#[test]
fn recipients_beyond_the_limit_get_452_and_cost_the_others_nothing() {
    let limits = config().limits.with_recipients_max(100);
    let mut listener = Listener::identified(config().with_limits(limits));
    listener.expect("MAIL FROM:<a@example.org>\r\n", "250");
    for number in 0..100 {
        listener.expect(format!("RCPT TO:<b{number}@example.net>\r\n"), "250");
    }
    listener.expect("RCPT TO:<c@example.net>\r\n", "452");
    listener.expect("DATA\r\n", "354");
    listener.expect("x\r\n.\r\n", "250");
    assert_eq!(listener.events.iter().filter(|line| line.starts_with("RCPT")).count(), 100);
    assert!(config().limits.recipients_max >= 100, "the default is no less");
}
