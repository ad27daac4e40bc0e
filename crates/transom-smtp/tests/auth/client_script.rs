//! A client against peers that do not do what is right.

use std::time::{Duration, Instant};

use transom_smtp::client::{
    ClientClose, ClientConfig, ClientEvent, ClientOutput, ClientSession, CloseReason, PeerViolation,
};
use transom_smtp::codec::HelloName;
use transom_smtp::sasl::{Credentials, Nonce};
use transom_types::{AttemptStage, Outcome, RemoteHost, Secret};

use super::client_server::user;

/// Plays the replies behind EHLO one by one; `None` is a peer that closes. Gives the lines that
/// the client said behind its EHLO, and how it ended.
fn play(credentials: Credentials, ehlo: &str, replies: &[&str]) -> (Vec<String>, ClientClose) {
    #[expect(clippy::disallowed_methods, reason = "an origin for instants; no test waits")]
    let mut now = Instant::now();
    let remote = RemoteHost { name: "mx.example".into(), address: None };
    let name = HelloName::new("client.example").unwrap().into_owned();
    let config = ClientConfig::new(name, remote)
        .with_implicit_tls(true)
        .with_credentials(credentials)
        .with_nonce(Nonce::new([1; 18]));
    let mut client = ClientSession::new(config, now);
    let script = ["220 mx.example\r\n", ehlo];
    let mut script = script.iter().chain(replies);
    let (mut unread, mut out) = (Vec::new(), Vec::new());
    loop {
        let step = client.poll(now, &unread, &mut out);
        unread.drain(..step.consumed);
        match step.output {
            ClientOutput::Event(ClientEvent::Ready) => {
                assert!(client.is_authenticated());
                client.quit(now, &mut out);
            }
            ClientOutput::Event(ClientEvent::MaskedVerbs { .. }) => {}
            ClientOutput::Wait(deadline) => match script.next() {
                Some(reply) => unread.extend_from_slice(reply.as_bytes()),
                None => now = deadline.unwrap() + Duration::from_secs(1),
            },
            ClientOutput::Close(close) => {
                let said = String::from_utf8(out).unwrap();
                return (said.lines().skip(1).map(str::to_owned).collect(), close);
            }
            other => panic!("{other:?}"),
        }
    }
}

fn password() -> Credentials {
    Credentials::password(user(), Secret::new(*b"secret"))
}

fn plain(replies: &[&str]) -> (Vec<String>, ClientClose) {
    play(password(), "250-mx\r\n250 AUTH PLAIN\r\n", replies)
}

const PLAIN: &str = "AUTH PLAIN AHJlbGF5AHNlY3JldA==";

#[test]
fn each_reply_to_auth_ends_the_session_for_its_own_reason() {
    for (reply, reason) in [
        ("535 5.7.8 no\r\n", CloseReason::CredentialsRefused),
        ("504 5.5.4 what\r\n", CloseReason::CredentialsRefused),
        ("454 4.7.0 later\r\n", CloseReason::AuthenticationUnavailable),
        ("421 4.7.0 gone\r\n", CloseReason::Refused),
        ("235 2.7.0 welcome\r\n", CloseReason::Quit),
    ] {
        let (said, close) = plain(&[reply]);
        assert_eq!(said.first().map(String::as_str), Some(PLAIN));
        assert_eq!(close.reason, reason, "{reply}");
        // What a relay says of our login is no verdict about any recipient.
        assert!(matches!(close.outcome(), Outcome::Deferred(_)), "{reply}");
    }
    let (_, close) = plain(&["535 5.7.8 no\r\n"]);
    assert_eq!(close.status.stage, AttemptStage::Auth);
}

#[test]
fn silence_in_an_exchange_times_out() {
    let (_, close) = plain(&[]);
    assert_eq!((close.reason, close.status.stage), (CloseReason::TimedOut, AttemptStage::Auth));
}

// [RFC 4954 §4-k, §4-l, §4-m] test
#[test]
fn challenge_that_the_mechanism_does_not_have_is_cancelled() {
    for challenge in ["334 \r\n", "334 AAAA\r\n", "334 ???\r\n", "334 QUJ\r\n"] {
        let (said, close) = plain(&[challenge, "501 5.7.0 cancelled\r\n"]);
        assert_eq!(said, [PLAIN, "*"], "{challenge}");
        assert_eq!(close.reason, CloseReason::PeerNotTrusted, "{challenge}");
        // A success that answers the cancellation is none.
        let (_, close) = plain(&[challenge, "235 2.7.0 welcome\r\n"]);
        assert_eq!(close.reason, CloseReason::PeerNotTrusted, "{challenge}");
    }
}

#[test]
fn words_behind_a_challenge_are_a_violation() {
    let ehlo = "250-mx\r\n250 AUTH LOGIN\r\n";
    let (said, close) = play(password(), ehlo, &["334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n"]);
    assert_eq!(said, ["AUTH LOGIN"], "no password goes out");
    assert_eq!(close.reason, CloseReason::PeerViolation(PeerViolation::UnaskedReply));
}

// [RFC 4954 §4-u] test
#[test]
fn login_answers_in_order_whatever_is_asked() {
    let ehlo = "250-mx\r\n250 AUTH LOGIN\r\n";
    let replies = ["334 \r\n", "334 UGFzcw==\r\n", "235 2.7.0 yes\r\n"];
    let (said, close) = play(password(), ehlo, &replies);
    assert_eq!(said, ["AUTH LOGIN", "cmVsYXk=", "c2VjcmV0", "QUIT"]);
    assert_eq!(close.reason, CloseReason::Quit);
    let (said, close) = play(password(), ehlo, &["334 \r\n", "334 \r\n", "334 \r\n", "501 n\r\n"]);
    assert_eq!(said.last().map(String::as_str), Some("*"));
    assert_eq!(close.reason, CloseReason::PeerNotTrusted);
}

// [RFC 4954 §4-g, §4-n] test
#[test]
fn long_initial_response_waits_for_the_peer() {
    let token = Credentials::token(user(), Secret::new([b'x'; 2_000]));
    let ehlo = "250-mx\r\n250 AUTH XOAUTH2\r\n";
    let (said, close) = play(token.clone(), ehlo, &["334 \r\n", "235 2.7.0 yes\r\n"]);
    assert_eq!(said.first().map(String::as_str), Some("AUTH XOAUTH2"));
    assert!(said.get(1).unwrap().len() > 2_000);
    assert_eq!(close.reason, CloseReason::Quit);
    // A peer that says something else than "go on" gets no token.
    let (said, close) = play(token, ehlo, &["334 AAAA\r\n", "501 n\r\n"]);
    assert_eq!(said, ["AUTH XOAUTH2", "*"]);
    assert_eq!(close.reason, CloseReason::PeerNotTrusted);
}

// [RFC 4954 §4-n] test
#[cfg(feature = "scram")]
#[test]
fn long_challenge_reaches_the_mechanism_whole() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let nonce = format!("{}{}", STANDARD.encode([1; 18]), "x".repeat(3_000));
    let challenge = STANDARD.encode(format!("r={nonce},s=c2FsdHNhbHQ=,i=4096"));
    let ehlo = "250-mx\r\n250 AUTH SCRAM-SHA-256\r\n";
    let (said, _) = play(password(), ehlo, &[&format!("334 {challenge}\r\n"), "535 5.7.8 no\r\n"]);
    let response = String::from_utf8(STANDARD.decode(&said[1]).unwrap()).unwrap();
    assert!(response.contains(&nonce), "{response}");
}

#[test]
fn peer_without_our_mechanism_gets_no_mail() {
    for ehlo in [
        "250 mx\r\n",
        "250-mx\r\n250 AUTH GSSAPI NTLM\r\n",
        "250-mx\r\n250 AUTH\r\n",
        "250-mx\r\n250 XXXX PLAIN\r\n",
    ] {
        let (said, close) = play(password(), ehlo, &[]);
        assert_eq!((said.len(), close.reason), (0, CloseReason::NoMechanism), "{ehlo}");
    }
    // A server without extensions has no AUTH either.
    let (_, close) = play(password(), "502 5.5.1 what\r\n", &["250 mx\r\n"]);
    assert_eq!(close.reason, CloseReason::NoMechanism);
}

#[cfg(feature = "scram")]
#[test]
fn success_without_the_servers_proof_is_not_believed() {
    let ehlo = "250-mx\r\n250 AUTH SCRAM-SHA-256 PLAIN\r\n";
    let (said, close) = play(password(), ehlo, &["235 2.7.0 welcome\r\n"]);
    assert!(said.first().unwrap().starts_with("AUTH SCRAM-SHA-256 "));
    assert_eq!(close.reason, CloseReason::PeerNotTrusted);
}

// [RFC 7628 §3.1-a, §3.2.2-b] test
#[test]
fn refused_token_is_acknowledged_before_the_failure_is_said() {
    let token = Credentials::token(user(), Secret::new(*b"ya29.old"));
    let ehlo = "250-mx\r\n250 AUTH OAUTHBEARER\r\n";
    let error = "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n";
    let (said, close) = play(token, ehlo, &[error, "535 5.7.8 no\r\n"]);
    // `n,a=relay,`, then the header of HTTP, each behind 0x01; then 0x01 alone.
    let first = "AUTH OAUTHBEARER bixhPXJlbGF5LAFhdXRoPUJlYXJlciB5YTI5Lm9sZAEB";
    assert_eq!(said, [first, "AQ=="]);
    assert_eq!(close.reason, CloseReason::CredentialsRefused);
}

#[test]
fn peer_that_asks_without_end_is_left() {
    let token = Credentials::token(user(), Secret::new(*b"ya29.token"));
    let replies = ["334 e30=\r\n"; 40];
    let (said, close) = play(token, "250-mx\r\n250 AUTH OAUTHBEARER\r\n", &replies);
    assert_eq!((said.len(), said.last().map(String::as_str)), (18, Some("*")));
    assert_eq!(close.reason, CloseReason::PeerNotTrusted);
}
