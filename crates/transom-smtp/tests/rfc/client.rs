//! The beginning of a session, its end, and how replies are read, on the client's side.

use std::time::Duration;

use transom_smtp::client::{ClientTls, CloseReason, PeerViolation};
use transom_smtp::codec::HelloName;
use transom_types::{Outcome, Principal, Secret};

use crate::peer::{Talk, config, message};

// [RFC 5321 §2.2.1-b, §3.2-b, §4.1.1.1-b] test
#[test]
fn server_without_ehlo_gets_helo_before_any_transaction() {
    let mut talk = Talk::new(config());
    assert_eq!(talk.hear("220 old.example\r\n"), "EHLO client.example\r\n");
    assert_eq!(talk.hear("502 5.5.1 what?\r\n"), "HELO client.example\r\n");
    talk.hear("250 old.example\r\n");
    assert_eq!(talk.begin(message()), "MAIL FROM:<a@example.org>\r\n");
}

// [RFC 5321 §2.3.5-b, §4.1.4-e] test
#[test]
fn ehlo_gives_the_name_of_the_host_or_its_address() {
    for name in ["mx1.contoso.com", "[192.0.2.1]", "[IPv6:2001:db8::1]"] {
        let mut config = config();
        config.helo_name = HelloName::new(name).unwrap().into_owned();
        let mut talk = Talk::new(config);
        assert_eq!(talk.hear("220 x\r\n"), format!("EHLO {name}\r\n"));
    }
}

// [RFC 5321 §4.1.4-j] test
#[test]
fn idle_session_ends_with_quit_and_nothing_behind_it() {
    let mut talk = Talk::ready(&[]);
    assert_eq!(talk.quit(), "QUIT\r\n");
    assert_eq!(talk.hear("221 bye\r\n"), "");
    assert_eq!(talk.close_reason(), &CloseReason::Quit);
}

// [RFC 5321 §4.2-b, §4.2-c, §4.2.1-c] test
#[test]
fn text_of_a_reply_changes_nothing() {
    for text in ["", " ", " 550 5.1.1 no such user", " 421 closing", "-more\r\n250 554"] {
        let mut talk = Talk::ready(&[]);
        talk.begin(message());
        talk.hear(format!("250{text}\r\n"));
        talk.hear(format!("250{text}\r\n"));
        talk.hear(format!("250{text}\r\n").replace("250", "354"));
        assert_eq!(talk.send("x\r\n"), "x\r\n.\r\n");
        talk.hear(format!("250{text}\r\n"));
        assert!(matches!(talk.outcome(), Outcome::Relayed(_)), "{text:?}: {:?}", talk.outcome());
    }
}

// [RFC 5321 §4.2-d, §4.3.2-a] test
#[test]
fn unknown_code_counts_by_its_first_digit() {
    let outcome = |code: &str| {
        let mut talk = Talk::ready(&[]);
        talk.begin(message());
        talk.hear("259 sender\r\n");
        talk.hear(format!("{code} recipient\r\n"));
        if code.starts_with('2') {
            talk.hear("359 go on\r\n");
            talk.send("x\r\n");
            talk.hear("257 taken\r\n");
        }
        talk.outcome().clone()
    };
    assert!(matches!(outcome("258"), Outcome::Relayed(_)));
    assert!(matches!(outcome("459"), Outcome::Deferred(_)));
    assert!(matches!(outcome("559"), Outcome::Failed(_)));
}

// [RFC 5321 §4.5.3.2-a, §4.5.3.2-b, §4.5.3.2.5-a, §4.5.4-a] test
#[test]
fn each_command_has_its_own_time_out() {
    let mut config = config();
    let seconds = Duration::from_secs;
    config.timeouts.greeting = seconds(1);
    config.timeouts.ehlo = seconds(2);
    config.timeouts.mail = seconds(3);
    config.timeouts.rcpt = seconds(4);
    config.timeouts.data = seconds(5);
    config.timeouts.content_block = seconds(6);
    config.timeouts.end_of_data = seconds(7);
    let mut talk = Talk::new(config);
    talk.hear("");
    let mut waits = vec![talk.wait()];
    talk.hear("220 x\r\n");
    waits.push(talk.wait());
    talk.hear("250 x\r\n");
    assert_eq!(talk.wait(), None, "an idle session owes nothing");
    talk.begin(message());
    waits.push(talk.wait());
    talk.hear("250 x\r\n");
    waits.push(talk.wait());
    talk.hear("250 x\r\n");
    waits.push(talk.wait());
    talk.hear("354 x\r\n");
    waits.push(talk.wait());
    talk.send("x\r\n");
    waits.push(talk.wait());
    assert_eq!(waits, (1..=7).map(|number| Some(seconds(number))).collect::<Vec<_>>());
    talk.advance(seconds(7));
    assert_eq!(talk.close_reason(), &CloseReason::TimedOut);
}

// [RFC 2920 §3.1-c, §3.1-e] test
#[test]
fn replies_are_counted_and_their_lines_are_not() {
    let mut talk = Talk::ready(&["PIPELINING"]);
    talk.begin(message());
    talk.hear("250-one\r\n250-two\r\n250 three\r\n");
    talk.hear("550-5.1.1 no\r\n550 5.1.1 such\r\n");
    assert!(talk.done().is_none(), "DATA has no reply yet");
    talk.hear("503 x\r\n");
    assert!(matches!(talk.outcome(), Outcome::Failed(_)));
}

// [RFC 3207 §4-b, §4-c, §4.1-a, §4.2-b, §4.2-c, §4.2-d, §4.2-e, §6-b] test
#[test]
fn handshake_follows_the_consent_and_the_session_begins_anew() {
    let mut talk = Talk::new(config());
    talk.hear("220 x\r\n");
    assert_eq!(talk.hear("250-x\r\n250-STARTTLS\r\n250 SIZE 10\r\n"), "STARTTLS\r\n");
    assert_eq!(talk.hear("220 go\r\n"), "", "nothing is said before the handshake");
    assert!(talk.wants_tls());
    assert_eq!(talk.shake_hands(), "EHLO client.example\r\n");
    // STARTTLS is offered again, and SIZE is not.
    assert_eq!(talk.hear("250-x\r\n250 STARTTLS\r\n"), "");
    let large = transom_smtp::client::Transaction { size: 1000, ..message() };
    assert_eq!(talk.begin(large), "MAIL FROM:<a@example.org>\r\n");
}

// [RFC 3207 §4.2-b, §6-b] test
#[test]
fn words_behind_the_consent_to_starttls_end_the_session() {
    let mut talk = Talk::new(config());
    talk.hear("220 x\r\n");
    talk.hear("250-x\r\n250 STARTTLS\r\n");
    talk.hear("220 go\r\n250 put here by somebody\r\n");
    let violation = CloseReason::PeerViolation(PeerViolation::OctetsBeforeTls);
    assert_eq!(talk.close_reason(), &violation);
}

// [RFC 3207 §6-a] test
#[test]
fn client_that_demands_tls_sends_nothing_without_it() {
    let mut talk = Talk::new(config().with_tls(ClientTls::Required));
    talk.hear("220 x\r\n");
    assert_eq!(talk.hear("250 x\r\n"), "");
    assert_eq!(talk.close_reason(), &CloseReason::TlsUnavailable);
}

// [RFC 6531 §3.1-b] test
#[test]
fn parameters_of_smtputf8_are_ignored() {
    let mut talk = Talk::ready(&["SMTPUTF8 yes really", "8BITMIME"]);
    let international = transom_smtp::client::Transaction { utf8: true, ..message() };
    assert_eq!(talk.begin(international), "MAIL FROM:<a@example.org> SMTPUTF8\r\n");
}

// [RFC 9422 §3.6-a, §3.8-a] test
#[test]
fn limits_are_those_of_the_last_ehlo() {
    let mut talk = Talk::new(config());
    talk.hear("220 x\r\n");
    talk.hear("250-x\r\n250-STARTTLS\r\n250 LIMITS RCPTMAX=1\r\n");
    talk.hear("220 go\r\n");
    talk.shake_hands();
    talk.hear("250 x\r\n");
    assert_eq!(talk.session.recipients_max(), 100);
}

// [RFC 9422 §3.7-a] test
#[test]
fn limit_with_a_bad_value_is_none() {
    for bad in ["RCPTMAX=0", "RCPTMAX=x", "RCPTMAX=01", "RCPTMAX", "RCPTMAX=1000000"] {
        let talk = Talk::ready(&[&format!("LIMITS {bad} MAILMAX=7")]);
        assert_eq!(talk.session.recipients_max(), 100, "{bad}");
        assert_eq!(talk.session.capabilities().transactions_max, Some(7), "{bad}");
    }
}

// [RFC 9422 §4.1-b, §4.2-b] test
#[test]
fn client_keeps_within_the_limits_that_it_was_told() {
    let mut talk = Talk::ready(&["LIMITS RCPTMAX=1 MAILMAX=1"]);
    let mut two = message();
    two.recipients
        .push((1, "<c@example.net>".parse::<transom_types::ForwardPath>().unwrap().into()));
    talk.begin(two);
    assert_eq!(talk.hear("250 x\r\n"), "RCPT TO:<b@example.net>\r\n");
    assert_eq!(talk.hear("250 x\r\n"), "DATA\r\n");
    talk.hear("354 x\r\n");
    talk.send("x\r\n");
    assert_eq!(talk.hear("250 x\r\n"), "QUIT\r\n");
    let results = talk.done().unwrap();
    assert!(matches!(results[0].outcome, Outcome::Relayed(_)));
    assert!(matches!(results[1].outcome, Outcome::Deferred(_)));
}

/// A session that logs in, up to the peer's offer in TLS.
fn logging_in(offer: &str) -> (Talk, String) {
    let user = Principal::new("alice").unwrap();
    let credentials = transom_smtp::sasl::Credentials::password(user, Secret::new(*b"secret"));
    let config = config().with_implicit_tls(true).with_credentials(credentials);
    let mut talk = Talk::new(config);
    talk.hear("220 x\r\n");
    let said = talk.hear(format!("250-x\r\n250-PIPELINING\r\n250 {offer}\r\n"));
    (talk, said)
}

// [RFC 4954 §4-t, §4-u] test
#[test]
fn plain_goes_out_in_tls_and_nothing_behind_it() {
    let (mut talk, said) = logging_in("AUTH PLAIN");
    assert_eq!(said, "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n");
    talk.hear("235 2.7.0 welcome\r\n");
    assert!(talk.session.is_authenticated());
}

// [RFC 4954 §4-k, §4-l, §4-m] test
#[test]
fn challenge_that_is_no_base64_is_answered_with_an_asterisk() {
    for bad in ["VXNl cm5hbWU6", "=AAA", "AAA=BBB", "A", "\u{e4}"] {
        let (mut talk, said) = logging_in("AUTH LOGIN");
        assert_eq!(said, "AUTH LOGIN\r\n");
        assert_eq!(talk.hear(format!("334 {bad}\r\n")), "*\r\n", "{bad}");
        talk.hear("501 5.7.0 cancelled\r\n");
        assert!(!talk.session.is_authenticated());
    }
}

// [RFC 4954 §4-a, §4-h] test
#[test]
fn empty_initial_response_is_an_equals_sign() {
    let credentials = transom_smtp::sasl::Credentials::external();
    let config = config().with_implicit_tls(true).with_credentials(credentials);
    let mut talk = Talk::new(config);
    talk.hear("220 x\r\n");
    assert_eq!(talk.hear("250-x\r\n250 AUTH EXTERNAL\r\n"), "AUTH EXTERNAL =\r\n");
}

// [RFC 4954 §4-g, §4-n] test
#[test]
fn long_initial_response_waits_for_the_challenge() {
    let user = Principal::new("alice").unwrap();
    let password = Secret::new([b'x'; 2000]);
    let credentials = transom_smtp::sasl::Credentials::password(user, password);
    let mut talk = Talk::new(config().with_implicit_tls(true).with_credentials(credentials));
    talk.hear("220 x\r\n");
    assert_eq!(talk.hear("250-x\r\n250 AUTH PLAIN\r\n"), "AUTH PLAIN\r\n");
    let response = talk.hear("334 \r\n");
    assert!(response.starts_with("AGFsaWNlAHh4") && response.len() > 2600, "{response}");
}

// [RFC 4954 §5-d, §5-f] test
#[test]
fn server_that_we_log_in_to_is_told_no_submitter_but_the_one_given() {
    let (mut talk, _) = logging_in("AUTH PLAIN");
    talk.hear("235 2.7.0 welcome\r\n");
    assert!(talk.begin(message()).starts_with("MAIL FROM:<a@example.org> AUTH=<>\r\n"));
    let (mut talk, _) = logging_in("AUTH PLAIN");
    talk.hear("235 2.7.0 welcome\r\n");
    let mut submitted = message();
    submitted.parameters.auth = Some("e+3Dmc2@example.com".parse().unwrap());
    let said = talk.begin(submitted);
    assert!(said.starts_with("MAIL FROM:<a@example.org> AUTH=e+3Dmc2@example.com\r\n"), "{said}");
}

// [RFC 7628 §3.1-a, §3.2.2-b, §4-a] test
#[test]
fn token_goes_out_in_tls_and_its_refusal_is_acknowledged() {
    let user = Principal::new("a,b").unwrap();
    let credentials = transom_smtp::sasl::Credentials::token(user, Secret::new(*b"t0ken"));
    let offer = "250-x\r\n250 AUTH OAUTHBEARER\r\n";
    let mut talk = Talk::new(config().with_credentials(credentials.clone()));
    talk.hear("220 x\r\n");
    assert_eq!(talk.hear(offer), "", "not in the clear");
    assert_eq!(talk.close_reason(), &CloseReason::NoMechanism);
    let mut talk = Talk::new(config().with_implicit_tls(true).with_credentials(credentials));
    talk.hear("220 x\r\n");
    // `n,a=a=2Cb,` 0x01 `auth=Bearer t0ken` 0x01 0x01
    let first = "AUTH OAUTHBEARER bixhPWE9MkNiLAFhdXRoPUJlYXJlciB0MGtlbgEB\r\n";
    assert_eq!(talk.hear(offer), first);
    assert_eq!(talk.hear("334 eyJzdGF0dXMiOiI0MDEifQ==\r\n"), "AQ==\r\n");
    talk.hear("535 5.7.8 no\r\n");
    assert_eq!(talk.close_reason(), &CloseReason::CredentialsRefused);
}

// [RFC 6531 §3.7.4.1-a] test
#[test]
fn mailbox_beyond_ascii_in_a_reply_is_taken() {
    let mut talk = Talk::ready(&["SMTPUTF8", "8BITMIME"]);
    talk.begin(transom_smtp::client::Transaction { utf8: true, ..message() });
    talk.hear("250 x\r\n");
    assert_eq!(talk.hear("251 will go to <\u{e4}@example.com>\r\n"), "DATA\r\n");
    let mut talk = Talk::ready(&["SMTPUTF8", "8BITMIME"]);
    talk.begin(transom_smtp::client::Transaction { utf8: true, ..message() });
    talk.hear("250 x\r\n");
    talk.hear("551 try <\u{e4}@example.com>\r\n");
    let Outcome::Failed(status) = talk.outcome() else { panic!() };
    assert!(status.reply.text().contains("\u{e4}@example.com"));
}
