//! What stands behind MAIL and RCPT, on the server's side: RFC 1870, 3461, 4954, 6531.

use crate::listener::{Listener, all_extensions, config};

const MAIL: &str = "MAIL FROM:<a@example.org>";
const RCPT: &str = "RCPT TO:<b@example.net>";

/// What is said to MAIL with these parameters.
fn mail(parameters: &str) -> String {
    Listener::in_tls(all_extensions()).say(format!("{MAIL} {parameters}\r\n"))
}

/// What is said to RCPT with these parameters.
fn rcpt(parameters: &str) -> String {
    let mut listener = Listener::in_tls(all_extensions());
    listener.expect(format!("{MAIL}\r\n"), "250");
    listener.say(format!("{RCPT} {parameters}\r\n"))
}

#[track_caller]
fn assert_all(say: impl Fn(&str) -> String, code: &str, parameters: &[&str]) {
    for parameter in parameters {
        let reply = say(parameter);
        assert!(reply.starts_with(code), "{parameter}: {reply}");
    }
}

// [RFC 1870 §6.1-a, §7-a] test
#[test]
fn declared_size_is_taken_up_to_the_limit_and_refused_beyond() {
    let sized = config().with_extensions(config().extensions.with_size(Some(100_000)));
    let mut listener = Listener::identified(sized);
    listener.expect(format!("{MAIL} SIZE=100001\r\n"), "552");
    listener.expect(format!("{MAIL} SIZE=100000\r\n"), "250");
    assert_all(mail, "501", &["SIZE=", "SIZE=x", "SIZE=-1", "SIZE=123456789012345678901"]);
}

// [RFC 3461 §4-a, §4.4-a] test
#[test]
fn envid_is_xtext() {
    assert_all(mail, "250", &["ENVID=QQ314159", "ENVID=a+2Bb+3Dc"]);
    assert_all(mail, "501", &["ENVID=", "ENVID", "ENVID=a+b", "ENVID=a=b", "ENVID=a+2b"]);
}

// [RFC 3461 §4.1-a, §4.1-b] test
#[test]
fn notify_is_a_list_or_never_alone() {
    assert_all(rcpt, "250", &["NOTIFY=NEVER", "NOTIFY=SUCCESS,FAILURE,DELAY", "NOTIFY=delay"]);
    assert_all(rcpt, "501", &["NOTIFY=", "NOTIFY", "NOTIFY=NEVER,DELAY", "NOTIFY=SOMETIMES"]);
}

// [RFC 3461 §4.2-a] test
#[test]
fn orcpt_is_a_type_and_an_address() {
    assert_all(rcpt, "250", &["ORCPT=rfc822;b@example.net", "ORCPT=x400;+2FG+3Da+2F"]);
    assert_all(rcpt, "501", &["ORCPT=", "ORCPT", "ORCPT=b@example.net", "ORCPT=;b"]);
}

// [RFC 3461 §4.3-a] test
#[test]
fn ret_is_full_or_hdrs() {
    assert_all(mail, "250", &["RET=FULL", "RET=hdrs"]);
    assert_all(mail, "501", &["RET=", "RET", "RET=BODY"]);
}

// [RFC 3461 §4.5-a, §4.5-b, §5.1-b] test
#[test]
fn parameters_that_are_bad_or_stand_twice_get_501() {
    assert_all(mail, "501", &["RET=FULL RET=HDRS", "ENVID=a ENVID=a", "ENVID=a+", "RET=X"]);
    assert_all(rcpt, "501", &["NOTIFY=NEVER NOTIFY=NEVER", "ORCPT=rfc822;a ORCPT=rfc822;a"]);
}

// [RFC 3461 §5.1-a, §5.1-c] test
#[test]
fn good_parameters_change_no_reply() {
    let replies = ["250 2.1.0 Fine", "450 4.2.0 Later", "550 5.1.1 Never"];
    for reply in replies {
        for parameters in ["", " RET=FULL", " ENVID=a", " RET=HDRS ENVID=a"] {
            let mut listener = Listener::in_tls(all_extensions());
            listener.answer_next("Mail", reply);
            assert_eq!(listener.say(format!("{MAIL}{parameters}\r\n")), format!("{reply}\r\n"));
        }
        for parameters in ["", " NOTIFY=NEVER", " ORCPT=rfc822;x@example.com"] {
            let mut listener = Listener::in_tls(all_extensions());
            listener.expect(format!("{MAIL}\r\n"), "250");
            listener.answer_next("Rcpt", reply);
            assert_eq!(listener.say(format!("{RCPT}{parameters}\r\n")), format!("{reply}\r\n"));
        }
    }
}

// [RFC 3461 §5.4-a, §5.4-b] test
#[test]
fn parameters_of_the_longest_promised_length_are_taken_together() {
    let envid = "e".repeat(100 - "ENVID=".len());
    let orcpt = "o".repeat(500 - "ORCPT=rfc822;".len());
    assert_all(mail, "250", &[&format!("RET=HDRS SIZE=1000 ENVID={envid}")]);
    let all = format!("NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{orcpt}");
    assert_all(rcpt, "250", &[&all]);
    // The longest path and all parameters.
    let mut listener = Listener::in_tls(all_extensions());
    listener.expect(format!("{MAIL}\r\n"), "250");
    let label = "d".repeat(61);
    let path = format!("<{}@{label}.{label}.{label}.example>", "l".repeat(60));
    let line = format!("RCPT TO:{path} {all}\r\n");
    assert!(line.len() > 700, "{}", line.len());
    listener.expect(line, "250");
}

// [RFC 4954 §5-a, §5-e] test
#[test]
fn submitter_is_taken_of_anybody_and_believed_of_nobody_unknown() {
    let offer =
        transom_smtp::sasl::AuthOffer::default().danger_offer_plaintext_auth_without_tls(true);
    let mut listener = Listener::identified(crate::listener::with_auth(offer));
    listener.expect(format!("{MAIL} AUTH=boss@example.org\r\n"), "250");
    assert_eq!(listener.events.last().unwrap(), &format!("{MAIL} AUTH=<>"));
}

// [RFC 4954 §8-b] test
#[test]
fn submitter_is_a_mailbox_or_nobody() {
    let offer =
        transom_smtp::sasl::AuthOffer::default().danger_offer_plaintext_auth_without_tls(true);
    let say = |parameter: &str| {
        let mut listener = Listener::identified(crate::listener::with_auth(offer.clone()));
        listener.say(format!("{MAIL} {parameter}\r\n"))
    };
    assert_all(say, "250", &["AUTH=<>", "AUTH=e+3Dmc2@example.com", "auth=a@example.com"]);
    assert_all(say, "501", &["AUTH=", "AUTH=nobody", "AUTH=a@b@", "AUTH=+3C+3E+3C"]);
}

// [RFC 6152 §3-c] test
#[test]
fn body_is_taken_where_8bitmime_is_offered() {
    assert_all(mail, "250", &["BODY=7BIT", "BODY=8BITMIME", "body=8bitmime"]);
    assert_all(mail, "501", &["BODY=", "BODY=9BIT", "BODY"]);
}

// [RFC 6531 §3.2-a, §3.3-a, §3.4-b, §3.5-b] test
#[test]
fn addresses_beyond_ascii_need_smtputf8_and_good_utf8() {
    let mut listener = Listener::identified(config());
    listener.expect("MAIL FROM:<\u{e4}@example.org>\r\n", "553 5.6.7");
    listener.expect("MAIL FROM:<a@example.org> SMTPUTF8=1\r\n", "501");
    listener.expect("MAIL FROM:<\u{e4}@\u{fc}.example> SMTPUTF8\r\n", "250");
    listener.expect("RCPT TO:<\u{6a0b}\u{53e3}@example.net>\r\n", "250");
    listener.expect(b"RCPT TO:<\xe4@example.net>\r\n", "50");
    listener.expect("VRFY \u{e4}@example.org\r\n", "252");
    listener.expect("RSET\r\n", "250");
    // 8BITMIME alone is no leave for an address beyond ASCII.
    listener.expect("MAIL FROM:<a@example.org> BODY=8BITMIME\r\n", "250");
    listener.expect("RCPT TO:<\u{e4}@example.net>\r\n", "553 5.6.7");
}

// [RFC 5321 §2.4-d, §4.1.2-c] test
#[test]
fn no_octet_beyond_printable_ascii_stands_in_an_address() {
    for octet in (0..32).chain(127..=255_u8).filter(|octet| *octet != b'\n') {
        let mut listener = Listener::identified(config());
        let line = [b"MAIL FROM:<a".as_slice(), &[octet], b"@example.org>"].concat();
        let reply = listener.say([&line, b" BODY=8BITMIME\r\n".as_slice()].concat());
        assert!(reply.starts_with('5'), "{}: {reply}", line.escape_ascii());
    }
}

// [RFC 5321 §4.1.1-a, §4.1.2-d, §F.4-a] test
#[test]
fn addresses_against_the_grammar_get_501() {
    for address in [
        "a..b@example.org",
        ".a@example.org",
        "a b@example.org",
        "\"a@example.org",
        "a@exam_ple.org",
        "a@example..org",
        "a@-example.org",
        "a@#1234567",
        "a@ex!ample.org",
    ] {
        let mut listener = Listener::identified(config());
        listener.expect(format!("MAIL FROM:<{address}>\r\n"), "501");
        listener.expect(format!("{MAIL}\r\n"), "250");
        listener.expect(format!("RCPT TO:<{address}>\r\n"), "501");
    }
}
