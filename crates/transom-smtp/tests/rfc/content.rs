//! Content by DATA and by BDAT (RFC 5321 sections 4.1.1.4 and 4.5.2, RFC 3030).

use transom_smtp::server::Close;

use crate::listener::{Listener, config};

fn binary() -> transom_smtp::server::ServerConfig {
    config().with_extensions(config().extensions.with_binary_mime(true))
}

// [RFC 5321 §3.3-f, §3.7.2-b] test
#[test]
fn no_message_is_refused_for_its_header_fields() {
    for header in [
        "Resent-To: a@example.org\r\nResent-To: b@example.org",
        "Resent-Date: never",
        "Received: garbage ;;; (((",
        "Received:",
        "Return-Path: x y z",
    ] {
        let mut listener = Listener::with_recipient(config());
        listener.expect("DATA\r\n", "354");
        listener.expect(format!("{header}\r\n\r\nbody\r\n.\r\n"), "250");
        assert_eq!(listener.contents[0], format!("{header}\r\n\r\nbody\r\n").as_bytes());
    }
}

// [RFC 5321 §4.1.1.4-c, §4.1.1.4-d] test
#[test]
fn bare_line_feeds_end_neither_line_nor_content() {
    for content in ["a\nb\r\n.\r\n", "a\n.\n", "a\r\n.\n", "a\n.\r\n", "a\r.\r\n"] {
        let mut listener = Listener::with_recipient(config());
        listener.expect("DATA\r\n", "354");
        let reply = listener.say(format!("{content}NOOP\r\n"));
        assert!(listener.contents.is_empty(), "{content:?} was taken as an end");
        assert!(!reply.starts_with('2'), "{content:?}: {reply}");
    }
}

// [RFC 5321 §4.1.1.4-e, §4.1.1.4-f] test
#[test]
fn end_of_data_is_answered_as_the_application_decides() {
    let mut listener = Listener::with_recipient(config());
    listener.expect("DATA\r\n", "354");
    listener.expect("x\r\n.\r\n", "250");
    for refusal in ["451 4.3.0 Later", "554 5.6.0 Never"] {
        listener.begin("");
        listener.expect("DATA\r\n", "354");
        listener.answer_next("EndOfData", refusal);
        listener.expect("x\r\n.\r\n", refusal);
        listener.expect("DATA\r\n", "503");
    }
}

// [RFC 5321 §4.5.2-b, §4.5.2-c] test
#[test]
fn dots_at_the_beginning_of_lines_mean_what_they_should() {
    let mut listener = Listener::with_recipient(config());
    listener.expect("DATA\r\n", "354");
    listener.expect("..one\r\n...\r\nx.\r\n.two\r\n\r\n.\r\n", "250");
    assert_eq!(listener.contents, [b".one\r\n..\r\nx.\r\ntwo\r\n\r\n"]);
}

// [RFC 5321 §4.5.3.1.7-a] test
#[test]
fn content_of_64_ki_octets_is_taken() {
    let mut listener = Listener::with_recipient(config());
    listener.expect("DATA\r\n", "354");
    let content = format!("{}\r\n", "x".repeat(62)).repeat(1024);
    listener.expect(format!("{content}.\r\n"), "250");
    assert_eq!(listener.contents[0].len(), 64 * 1024);
}

// [RFC 3030 §2-a, §2-d, §2-b] test
#[test]
fn data_and_bdat_are_both_there_and_each_chunk_gets_250() {
    let mut listener = Listener::with_recipient(config());
    listener.expect("DATA\r\n", "354");
    listener.expect("x\r\n.\r\n", "250");
    listener.begin("");
    listener.expect("BDAT 3\r\na\r\n", "250");
    listener.expect("BDAT 3\r\nb\r\n", "250");
    listener.expect("BDAT 0 LAST\r\n", "250");
    assert_eq!(listener.contents, [b"x\r\n".to_vec(), b"a\r\nb\r\n".to_vec()]);
    listener.expect("BDAT 3 LAST\r\nc\r\n", "503");
    assert_eq!(listener.contents.len(), 2);
}

// [RFC 3030 §2-e, §2-g] test
#[test]
fn refused_chunk_and_those_behind_it_are_read_over() {
    let mut listener = Listener::with_recipient(config());
    listener.answer_next("Data", "451 4.3.0 Later");
    assert_eq!(listener.say("BDAT 12\r\nQUIT\r\n"), "", "half of the chunk is not answered");
    let reply = listener.expect("QUIT\r\nBDAT 6 LAST\r\nQUIT\r\n", "451");
    assert_eq!(reply.lines().count(), 2, "{reply}");
    assert_eq!(listener.closed, None);
    assert!(listener.contents.is_empty());
}

// [RFC 3030 §2-i] test
#[test]
fn data_behind_a_chunk_gets_503() {
    let mut listener = Listener::with_recipient(config());
    listener.expect("BDAT 3\r\na\r\n", "250");
    listener.expect("DATA\r\n", "503");
}

// [RFC 3030 §2-l] test
#[test]
fn octets_that_are_no_command_are_refused_without_harm() {
    let mut listener = Listener::identified(config());
    listener.expect(b"\x00\xff\x80 \x01binary\r\n", "50");
    listener.expect(b"\xc3\x28\r\n", "50");
    listener.expect("NOOP\r\n", "250");
    assert_eq!(listener.closed, None);
}

// [RFC 3030 §3-a] test
#[test]
fn binary_content_keeps_every_octet() {
    let mut listener = Listener::identified(binary());
    listener.begin(" BODY=BINARYMIME");
    let every: Vec<u8> = (0..=255).collect();
    listener.expect([b"BDAT 256 LAST\r\n".as_slice(), &every].concat(), "250");
    assert_eq!(listener.contents, [every]);
}

// [RFC 3030 §3-b] test
#[test]
fn data_for_binary_content_gets_503() {
    let mut listener = Listener::identified(binary());
    listener.begin(" BODY=BINARYMIME");
    listener.expect("DATA\r\n", "503");
}

// [RFC 3030 §3-g] test
#[test]
fn message_that_says_binary_inside_is_taken_all_the_same() {
    let mut listener = Listener::with_recipient(config());
    listener.expect("DATA\r\n", "354");
    listener.expect("Content-Transfer-Encoding: binary\r\n\r\nx\r\n.\r\n", "250");
}

// [RFC 6152 §3-a] test
#[test]
fn eight_bit_content_keeps_its_bits() {
    let mut listener = Listener::identified(config());
    listener.begin(" BODY=8BITMIME");
    listener.expect("DATA\r\n", "354");
    let high: Vec<u8> = (128..=255).collect();
    listener.expect([high.as_slice(), b"\r\n.\r\n"].concat(), "250");
    assert_eq!(listener.contents, [[high.as_slice(), b"\r\n"].concat()]);
}

// [RFC 1870 §6-a] test
#[test]
fn declared_size_does_not_end_the_content() {
    for size in [0, 3, 1000] {
        let mut listener = Listener::identified(config());
        listener.begin(&format!(" SIZE={size}"));
        listener.expect("DATA\r\n", "354");
        assert_eq!(listener.say("one\r\ntwo\r\n"), "");
        listener.expect(".\r\n", "250");
        assert_eq!(listener.contents, [b"one\r\ntwo\r\n"]);
    }
}

// [RFC 2920 §3.2-a, §3.2-d, §3.2-e, §3.2-f] test
#[test]
fn group_of_commands_is_answered_whole_and_at_once() {
    let mut listener = Listener::identified(config());
    let reply = listener.say(
        "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nPLAY\r\n\
         RCPT TO:<c@example.net>\r\nDATA\r\n",
    );
    let codes: Vec<&str> = reply.lines().map(|line| line.split_at(3).0).collect();
    assert_eq!(codes, ["250", "250", "500", "250", "354"]);
    // A command that is not whole yet is neither answered nor forgotten.
    listener.expect("x\r\n.\r\n", "250");
    let reply = listener.say("RSET\r\nNO");
    assert_eq!(reply.lines().count(), 1);
    listener.expect("OP\r\n", "250");
}

// [RFC 2920 §3.2-c] test
#[test]
fn replies_that_the_client_waits_for_are_not_held_back() {
    let mut listener = Listener::greeted(config());
    for line in ["EHLO client.example\r\n", "NOOP\r\n", "VRFY a\r\n", "PLAY\r\n"] {
        assert!(!listener.say(line).is_empty(), "{line}");
    }
    listener.begin("");
    assert!(!listener.say("DATA\r\n").is_empty());
}

// [RFC 2920 §3.2-b] test
#[test]
fn data_without_recipients_sends_nothing() {
    let mut listener = Listener::identified(config());
    listener.answer_next("Rcpt", "550 5.1.1 Unknown");
    let reply =
        listener.say("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n.\r\n");
    assert!(!reply.contains("354"), "{reply}");
    assert!(listener.contents.is_empty());
    assert_ne!(listener.closed, Some(Close::Quit));
}
