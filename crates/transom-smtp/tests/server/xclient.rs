//! Attack 23: who may say that it is another client, and what is left of the one before.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use transom_smtp::sasl::Channel;
use transom_smtp::server::{
    ApiMisuse, Close, Event, Output, ReplyProfile, ServerConfig, ServerSession,
};
use transom_types::{Principal, Reply, ReplyCode};

use crate::driver::{Driver, config, offer};

const LOGON: &str = "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n";

fn trusting() -> ServerConfig {
    let offer = offer().danger_offer_plaintext_auth_without_tls(true);
    let extensions = config().extensions.with_xclient(true).with_starttls(true);
    config().with_extensions(extensions).with_auth(offer).with_replies(ReplyProfile::exchange())
}

fn alice() -> Principal {
    Principal::new("alice").unwrap()
}

/// Polls up to the next event.
fn event(session: &mut ServerSession, now: Instant, input: &str, out: &mut Vec<u8>) -> Event {
    match session.poll(now, input.as_bytes(), out).output {
        Output::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn xclient_of_a_stranger_changes_nothing() {
    for line in ["XCLIENT ADDR=127.0.0.1", "XCLIENT LOGIN=alice", "XFORWARD ADDR=127.0.0.1"] {
        let mut driver = Driver::identified(config());
        driver.trace.clear();
        assert_eq!(driver.say(format!("{line}\r\n")), "550 5.7.0 Insufficient authorization\r\n");
        assert!(driver.trace.is_empty(), "{line}: the application was asked");
        assert!(driver.say("MAIL FROM:<>\r\n").starts_with("250 "), "{line}: EHLO was forgotten");
        // Nor does trying for long pay.
        let said = (0..5).map(|_| driver.say(format!("{line}\r\n"))).last().unwrap();
        assert!(said.ends_with("closing transmission channel\r\n"), "{line}: {said}");
        assert_eq!(driver.closed, Some(Close::Errors));
    }
}

#[test]
fn xclient_behind_auth_forgets_who_the_client_was() {
    let mut driver = Driver::identified(trusting().with_replies(ReplyProfile::plain()));
    assert!(driver.say(LOGON).starts_with("235 "));
    assert_eq!(driver.session.principal(), Some(&alice()));
    // A login name that a proxy passes on is what the proxy says, and no more.
    assert_eq!(
        driver.say("XCLIENT LOGIN=alice ADDR=192.0.2.7\r\n"),
        "220 mx.example ESMTP service ready\r\n"
    );
    assert_eq!(driver.session.principal(), None);
    assert!(driver.say("EHLO c.example\r\n").contains("250-AUTH "));
    assert!(driver.say(LOGON).starts_with("235 "));
}

#[test]
fn application_may_take_the_login_and_another_configuration() {
    let mut driver = Driver::identified(trusting());
    let (now, mut out) = (driver.now, Vec::new());
    let input = "XCLIENT LOGIN=alice ADDR=192.0.2.7\r\n";
    let Event::Xclient { attributes } = event(&mut driver.session, now, input, &mut out) else {
        panic!("no XCLIENT")
    };
    let login = attributes.login.unwrap().known().unwrap();
    assert_eq!(login.text(), "alice");
    let other = ServerConfig::new("other.example".parse().unwrap());
    let other = other.with_limits(config().limits).with_replies(ReplyProfile::exchange());
    let other = Arc::new(other);
    assert_eq!(driver.session.restart(other, Some(alice())), Ok(()));
    driver.run();
    // The date is not known here, so plain words stand in.
    assert_eq!(driver.take(), "220 other.example ESMTP service ready\r\n");
    assert_eq!(driver.session.principal(), Some(&alice()));
    assert!(driver.say("EHLO c.example\r\n").starts_with("250-other.example Hello [192.0.2.7]"));
    // This configuration trusts nobody.
    assert!(driver.say("XCLIENT ADDR=192.0.2.8\r\n").starts_with("550 5.7.0 "));
    assert_eq!(driver.session.principal(), Some(&alice()));
}

#[test]
fn address_is_what_was_told_last() {
    let mut driver = Driver::new(trusting());
    driver.session.set_client_address(IpAddr::from([127, 0, 0, 1]));
    let cases = [
        ("NOOP", "Hello [127.0.0.1]"),
        ("XCLIENT NAME=a.example", "Hello [127.0.0.1]"),
        ("XCLIENT ADDR=192.0.2.7", "Hello [192.0.2.7]"),
        ("XCLIENT ADDR=IPV6:2001:db8::7", "Hello [2001:db8::7]"),
        ("XCLIENT PORT=1", "Hello [2001:db8::7]"),
        ("XCLIENT ADDR=IPV6:::ffff:192.0.2.9", "Hello [192.0.2.9]"),
        ("XCLIENT ADDR=[UNAVAILABLE]", "mx.example"),
    ];
    for (line, hello) in cases {
        driver.say(format!("{line}\r\n"));
        let said = driver.say("EHLO c.example\r\n");
        assert!(said.lines().next().unwrap().ends_with(hello), "{line} got {said}");
    }
}

#[test]
fn what_tls_told_of_the_proxy_is_no_fact_about_its_client() {
    let mut driver = Driver::new(trusting());
    driver.say("EHLO proxy.example\r\n");
    driver.say("STARTTLS\r\n");
    driver.session.set_channel(Channel::default().with_external_identity("CN=proxy"));
    assert!(driver.say("EHLO proxy.example\r\n").contains(" EXTERNAL"));
    assert!(driver.say("XCLIENT ADDR=192.0.2.7\r\n").starts_with("220 "));
    let said = driver.say("EHLO c.example\r\n");
    assert!(!said.contains("EXTERNAL"), "{said}");
    // But TLS is up.
    assert!(!said.contains("STARTTLS"), "{said}");
    assert_eq!(driver.say("STARTTLS\r\n"), "503 5.5.1 TLS already active\r\n");
}

#[test]
fn octets_behind_xclient_end_the_session() {
    let mut driver = Driver::identified(trusting());
    let said = driver.say("XCLIENT ADDR=192.0.2.7\r\nEHLO c.example\r\n");
    assert!(said.starts_with("554 5.5.0 "), "{said}");
    assert_eq!(driver.closed, Some(Close::Pipelining));
    // Also where they come while the answer is awaited.
    for restart in [false, true] {
        let mut driver = Driver::identified(trusting());
        let (now, mut out) = (driver.now, Vec::new());
        let _ = event(&mut driver.session, now, "XCLIENT ADDR=192.0.2.7\r\n", &mut out);
        let answered = if restart {
            driver.session.restart(Arc::new(trusting()), None)
        } else {
            driver.session.accept()
        };
        assert_eq!(answered, Ok(()));
        driver.feed(b"EHLO c.example\r\n");
        assert_eq!(driver.closed, Some(Close::Pipelining));
    }
}

#[test]
fn session_begins_anew_for_each_client() {
    // Errors of one client are not the next one's, and its time is its own.
    let mut driver = Driver::identified(trusting());
    for _ in 0..3 {
        for _ in 0..5 {
            assert!(driver.say("XYZZY\r\n").starts_with("500 "));
        }
        driver.advance(std::time::Duration::from_secs(250));
        assert!(driver.say("XCLIENT ADDR=192.0.2.7\r\n").starts_with("220 "));
    }
    // A shutdown is not forgotten.
    let (now, mut out) = (driver.now, Vec::new());
    let _ = event(&mut driver.session, now, "XCLIENT ADDR=192.0.2.7\r\n", &mut out);
    driver.session.shutdown();
    driver.session.accept().unwrap();
    driver.run();
    assert_eq!(driver.closed, Some(Close::Shutdown));
}

#[test]
fn restart_answers_xclient_and_nothing_else() {
    let mut driver = Driver::identified(trusting());
    let again = || Arc::new(trusting());
    assert_eq!(driver.session.restart(again(), Some(alice())), Err(ApiMisuse::NoOpenEvent));
    let (now, mut out) = (driver.now, Vec::new());
    let _ = event(&mut driver.session, now, "MAIL FROM:<>\r\n", &mut out);
    assert_eq!(
        driver.session.restart(again(), Some(alice())),
        Err(ApiMisuse::WrongAnswer { command: "MAIL" })
    );
    driver.session.respond(Reply::bare(ReplyCode::MAILBOX_UNAVAILABLE, "No")).unwrap();
    driver.run();
    assert_eq!(driver.session.principal(), None);
}
