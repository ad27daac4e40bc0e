//! What EHLO offers, and STARTTLS (RFC 2034, 3207, 6531, 8689, 9422).

use transom_smtp::codec::ehlo::Capabilities;
use transom_types::{EnhancedStatusCode, Reply, ReplyCode};

use crate::listener::{Listener, all_extensions, config};

/// The registry of SMTP service extensions, as far as a server of ours can speak of it.
const REGISTERED: [&str; 21] = [
    "8BITMIME",
    "AUTH",
    "BINARYMIME",
    "CHUNKING",
    "DELIVERBY",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "ETRN",
    "EXPN",
    "FUTURERELEASE",
    "HELP",
    "LIMITS",
    "MT-PRIORITY",
    "PIPELINING",
    "REQUIRETLS",
    "RRVS",
    "SIZE",
    "SMTPUTF8",
    "STARTTLS",
    "VRFY",
    "BURL",
];

fn ehlo(listener: &mut Listener) -> Vec<String> {
    let reply = listener.expect("EHLO client.example\r\n", "250-");
    reply.lines().skip(1).map(|line| line.split_at(4).1.to_owned()).collect()
}

// [RFC 5321 §2.2.2-a] test
// [RFC 6531 §3.1-a, §3.1-c, §3.7.1-b] test
#[test]
fn ehlo_offers_registered_keywords_in_ascii() {
    let mut clear = Listener::greeted(all_extensions());
    let mut tls = Listener::in_tls(all_extensions());
    for keywords in [ehlo(&mut clear), ehlo(&mut tls)] {
        for keyword in &keywords {
            let word = keyword.split(' ').next().unwrap();
            assert!(REGISTERED.contains(&word) || word.starts_with('X'), "{keyword}");
            assert!(keyword.is_ascii(), "{keyword}");
        }
        assert!(keywords.iter().any(|keyword| keyword == "SMTPUTF8"), "{keywords:?}");
        assert!(keywords.iter().any(|keyword| keyword == "8BITMIME"), "{keywords:?}");
    }
}

// [RFC 6531 §3.1-c] test
#[test]
fn without_8bitmime_there_is_no_smtputf8() {
    let extensions = config().extensions.with_eight_bit_mime(false);
    let mut listener = Listener::greeted(config().with_extensions(extensions));
    assert!(!ehlo(&mut listener).iter().any(|keyword| keyword == "SMTPUTF8"));
    listener.expect("MAIL FROM:<a@example.org> SMTPUTF8\r\n", "555");
}

// [RFC 6531 §3.1-d] test
#[test]
fn message_with_smtputf8_is_taken_whole() {
    let mut listener = Listener::identified(config());
    listener.expect("MAIL FROM:<\u{e4}@example.org> BODY=8BITMIME SMTPUTF8\r\n", "250");
    listener.expect("RCPT TO:<\u{f6}@example.net>\r\n", "250");
    listener.expect("DATA\r\n", "354");
    listener.expect("Subject: \u{fc}\r\n\r\n\u{df}\r\n.\r\n", "250");
    assert_eq!(listener.contents[0], "Subject: \u{fc}\r\n\r\n\u{df}\r\n".as_bytes());
}

// [RFC 2034 §4-a, §4-b, §4-d, §4-e] test
#[test]
fn replies_carry_a_code_of_their_class_but_for_greeting_hello_and_354() {
    let has_code = |reply: &str| {
        let text = reply.split_at(4).1;
        EnhancedStatusCode::parse_prefix(text).map(|(code, _)| code)
    };
    let mut listener = Listener::silent(config(), false);
    let greeting = listener.say("");
    assert!(greeting.starts_with("220 ") && has_code(&greeting).is_none(), "{greeting}");
    let hello = listener.expect("HELO client.example\r\n", "250");
    assert!(has_code(&hello).is_none(), "{hello}");
    for line in [
        "NOOP",
        "RSET",
        "VRFY a",
        "PLAY",
        "RCPT TO:<b@example.net>",
        "MAIL FROM:<a@example.org>",
        "RCPT TO:<b@example.net>",
        "DATA",
        "x\r\n.",
        "QUIT",
    ] {
        let reply = listener.say(format!("{line}\r\n"));
        match has_code(&reply) {
            None => assert!(reply.starts_with('3'), "{line}: {reply}"),
            Some(code) => {
                assert!(
                    reply.starts_with(code.to_string().split('.').next().unwrap()),
                    "{line}: {reply}"
                );
            }
        }
    }
}

// [RFC 2034 §4-c] test
// [RFC 5321 §4.2.1-a, §4.2.1-b] test
#[test]
fn each_line_of_a_reply_has_its_codes_and_all_but_the_last_a_hyphen() {
    let code = EnhancedStatusCode::permanent(7, 1);
    let reply = Reply::new(ReplyCode::MAILBOX_UNAVAILABLE, code, "one\ntwo\nthree");
    let wanted = "550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three\r\n";
    assert_eq!(reply.to_string(), wanted);
}

// [RFC 5321 §4.2-e, §4.3.2-b] test
#[test]
fn codes_have_three_digits_and_begin_with_2_to_5() {
    for bad in ["99", "199", "600", "999", "2500", "000", "-50", "2x0"] {
        assert!(bad.parse::<ReplyCode>().is_err(), "{bad}");
    }
    for good in ["200", "354", "421", "559"] {
        assert_eq!(good.parse::<ReplyCode>().unwrap().to_string(), good);
    }
}

// [RFC 3207 §4-a] test
#[test]
fn server_takes_mail_without_tls_unless_it_was_told_otherwise() {
    let mut listener = Listener::identified(all_extensions());
    listener.begin("");
}

// [RFC 3207 §4.2-a, §4.2-d, §4.2-f, §6-b] test
#[test]
fn handshake_begins_the_session_anew() {
    let mut listener = Listener::identified(all_extensions());
    assert!(ehlo(&mut listener).iter().any(|keyword| keyword == "STARTTLS"));
    listener.expect("STARTTLS\r\n", "220");
    listener.expect("MAIL FROM:<a@example.org>\r\n", "503");
    assert!(!ehlo(&mut listener).iter().any(|keyword| keyword == "STARTTLS"));
    listener.expect("STARTTLS\r\n", "503");
    listener.begin("");
}

// [RFC 3207 §4.1-a, §6-a] test
#[test]
fn server_that_demands_tls_takes_nothing_before_it() {
    let mut listener = Listener::identified(all_extensions().with_require_tls(true));
    listener.expect("MAIL FROM:<a@example.org>\r\n", "530");
    listener.expect("STARTTLS\r\n", "220");
    listener.expect("EHLO client.example\r\n", "250");
    listener.begin("");
}

// [RFC 8689 §2-d, §4.1-a] test
#[test]
fn requiretls_is_offered_in_tls_alone_and_reaches_the_application() {
    let mut listener = Listener::identified(all_extensions());
    assert!(!ehlo(&mut listener).iter().any(|keyword| keyword == "REQUIRETLS"));
    listener.expect("MAIL FROM:<a@example.org> REQUIRETLS\r\n", "5");
    listener.expect("STARTTLS\r\n", "220");
    assert!(ehlo(&mut listener).iter().any(|keyword| keyword == "REQUIRETLS"));
    listener.expect("MAIL FROM:<a@example.org> REQUIRETLS\r\n", "250");
    assert_eq!(listener.events.last().unwrap(), "MAIL FROM:<a@example.org> REQUIRETLS");
}

// [RFC 9422 §3.1-a, §4.1-a, §4.2-a] test
#[test]
fn limits_are_registered_ones_of_six_digits() {
    let limits = config().limits.with_recipients_max(1_000_000).with_transactions_max(999_999);
    let mut listener = Listener::greeted(config().with_limits(limits));
    let offered = ehlo(&mut listener);
    let line = offered.iter().find(|keyword| keyword.starts_with("LIMITS")).unwrap();
    assert_eq!(line, "LIMITS MAILMAX=999999");
    let read = |text: &str| {
        let reply = Reply::bare(ReplyCode::OK, format!("mx.example\nLIMITS {text}"));
        let offered = Capabilities::from_reply(&reply);
        (offered.transactions_max, offered.recipients_max)
    };
    assert_eq!(read("MAILMAX=999999 RCPTMAX=1"), (Some(999_999), Some(1)));
    for bad in ["MAILMAX=0 RCPTMAX=0", "MAILMAX=1000000 RCPTMAX=", "MAILMAX RCPTMAX=01"] {
        assert_eq!(read(bad), (None, None), "{bad}");
    }
}
