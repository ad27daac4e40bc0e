//! AUTH (RFC 4954), on the server's side.

use transom_smtp::sasl::AuthOffer;
use transom_types::Principal;

use crate::listener::{Listener, config, with_auth};

/// `\0alice\0secret`
const ALICE: &str = "AGFsaWNlAHNlY3JldA==";

fn in_tls() -> Listener {
    Listener::in_tls(with_auth(AuthOffer::default()))
}

// [RFC 4954 §4-a, §4-t, §8-a] test
#[test]
fn plain_logs_in_within_tls_with_its_initial_response_in_base64() {
    for verb in ["AUTH PLAIN", "auth plain"] {
        in_tls().expect(format!("{verb} {ALICE}\r\n"), "235 2.7.0");
    }
    in_tls().expect("AUTH PLAIN =\r\n", "5");
    in_tls().expect("AUTH PLAIN \0alice\r\n", "50");
}

// [RFC 4954 §4-b] test
#[test]
fn auth_behind_a_success_gets_503() {
    let mut listener = in_tls();
    listener.expect(format!("AUTH PLAIN {ALICE}\r\n"), "235");
    listener.expect(format!("AUTH PLAIN {ALICE}\r\n"), "503");
}

// [RFC 4954 §4-c] test
#[test]
fn auth_in_a_transaction_gets_503() {
    let mut listener = in_tls();
    listener.begin("");
    listener.expect(format!("AUTH PLAIN {ALICE}\r\n"), "503");
    assert!(!listener.events.iter().any(|event| event == "Authenticate"));
}

// [RFC 4954 §4-d, §4-f] test
#[test]
fn challenge_is_base64_alone_and_empty_where_the_client_begins() {
    let mut listener = in_tls();
    assert_eq!(listener.say("AUTH PLAIN\r\n"), "334 \r\n");
    listener.expect(format!("{ALICE}\r\n"), "235");
    let mut listener = in_tls();
    // "Username:"
    assert_eq!(listener.say("AUTH LOGIN\r\n"), "334 VXNlcm5hbWU6\r\n");
}

// [RFC 4954 §4-e] test
#[test]
fn asterisk_cancels_with_501() {
    let mut listener = in_tls();
    listener.expect("AUTH PLAIN\r\n", "334");
    listener.expect("*\r\n", "501");
    listener.expect("NOOP\r\n", "250");
}

// [RFC 4954 §4-j, §4-l, §4-m] test
#[test]
fn what_is_no_base64_gets_501() {
    for bad in ["a", "====", "=AAA", "AAA=BBB", "AAAA AAAA", "AA-_", "\u{e4}AAA", "AA=="] {
        let mut listener = in_tls();
        listener.expect("AUTH PLAIN\r\n", "334");
        listener.expect(format!("{bad}\r\n"), "501");
    }
    in_tls().expect("AUTH PLAIN =AAA\r\n", "501");
}

// [RFC 4954 §4-n] test
#[test]
fn lines_of_an_exchange_may_have_12288_octets() {
    // A password of all the octets that fit, in the command and behind it.
    let response = format!("AGFsaWNlAEFB{}", "QUFB".repeat(3061));
    let mut listener = in_tls();
    listener.say(format!("AUTH PLAIN {response}\r\n"));
    assert_eq!(listener.events.last().unwrap(), "Authenticate");
    let mut listener = in_tls();
    listener.expect("AUTH PLAIN\r\n", "334");
    listener.say(format!("{response}\r\n"));
    assert_eq!(listener.events.last().unwrap(), "Authenticate");
}

// [RFC 4954 §4-o] test
#[test]
fn empty_names_are_nobody() {
    // `\0\0secret`
    let mut listener = in_tls();
    listener.expect("AUTH PLAIN AABzZWNyZXQ=\r\n", "501");
    assert!(Principal::new("").is_err());
}

// [RFC 4954 §4-s, §9-b] test
#[test]
fn plain_text_mechanisms_wait_for_tls_unless_somebody_dares() {
    let mut listener = Listener::greeted(with_auth(AuthOffer::default()));
    let reply = listener.expect("EHLO client.example\r\n", "250");
    assert!(!reply.contains("AUTH"), "{reply}");
    listener.expect(format!("AUTH PLAIN {ALICE}\r\n"), "5");
    let daring = AuthOffer::default().danger_offer_plaintext_auth_without_tls(true);
    let mut listener = Listener::identified(with_auth(daring));
    listener.expect(format!("AUTH PLAIN {ALICE}\r\n"), "235");
}

// [RFC 4954 §5-b] test
#[test]
fn submitter_given_as_unknown_stays_so_whoever_logged_in() {
    let mut listener = in_tls();
    listener.expect(format!("AUTH PLAIN {ALICE}\r\n"), "235");
    listener.begin(" AUTH=<>");
    assert!(listener.events.contains(&"MAIL FROM:<a@example.org> AUTH=<>".to_owned()));
}

// [RFC 4954 §5-a] test
#[test]
fn submitter_is_taken_before_any_login() {
    in_tls().begin(" AUTH=e+3Dmc2@example.com");
    // Where AUTH is not offered its parameter is none.
    Listener::identified(config()).expect("MAIL FROM:<> AUTH=<>\r\n", "555");
}

// [RFC 5802 §9-a] test
#[cfg(feature = "scram")]
#[test]
fn scram_waits_for_tls_unless_somebody_asks_for_it_before() {
    let offer = AuthOffer::default().with_scram(&transom_types::Secret::new(*b"decoys"));
    let channel = transom_smtp::sasl::Channel::default();
    assert!(offer.names(false, &channel).is_empty());
    assert_eq!(offer.names(true, &channel), ["SCRAM-SHA-256"]);
    assert_eq!(offer.with_before_tls(true).names(false, &channel), ["SCRAM-SHA-256"]);
}
