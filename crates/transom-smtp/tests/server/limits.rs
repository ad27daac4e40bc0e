//! Deadlines, rates and numbers.

use std::time::Duration;

use transom_smtp::sasl::AuthOffer;
use transom_smtp::server::{Close, FixedReply, Output, ReplyProfile};

use crate::driver::{Driver, config, offer, reply};

const SECOND: Duration = Duration::from_secs(1);

fn tls_free_offer() -> AuthOffer {
    offer().danger_offer_plaintext_auth_without_tls(true)
}

#[test]
fn wait_names_the_deadline_that_comes_first() {
    let driver = Driver::new(config());
    assert_eq!(driver.deadline, Some(driver.now + 300 * SECOND));
    let mut driver = Driver::new(config());
    for _ in 0..2 {
        driver.advance(200 * SECOND);
        driver.say("NOOP\r\n");
    }
    // 400 s have passed: the session's end comes before another idle time-out.
    assert_eq!(driver.deadline, Some(driver.now + 200 * SECOND));
}

#[test]
fn answer_of_the_application_starts_the_wait_anew() {
    let mut driver = Driver::identified(config());
    let (mut out, start) = (Vec::new(), driver.now);
    let step = driver.session.poll(start, b"MAIL FROM:<>\r\n", &mut out);
    assert!(matches!(step.output, Output::Event(_)));
    driver.session.accept().unwrap();
    driver.now += 299 * SECOND;
    driver.run();
    assert_eq!(driver.closed, None);
    assert_eq!(driver.deadline, Some(driver.now + 300 * SECOND));
}

#[test]
fn content_slower_than_the_minimum_rate_ends_the_session() {
    let mut driver = Driver::in_data(config());
    let mut seconds = 0;
    while driver.closed.is_none() {
        driver.feed(&[b'x'; 50]);
        driver.advance(SECOND);
        seconds += 1;
    }
    // Half the rate spends the allowance of 60 s in twice the time; the first piece earns nothing.
    assert_eq!(seconds, 119);
    assert_eq!(driver.closed, Some(Close::Timeout));
    assert!(driver.take().starts_with("421 4.4.2 "));
}

#[test]
fn pause_of_a_minute_ends_the_session_whatever_came_before() {
    let mut driver = Driver::in_data(config());
    driver.feed(&vec![b'x'; 1_000_000]);
    driver.advance(59 * SECOND);
    assert_eq!(driver.closed, None);
    driver.advance(SECOND);
    assert_eq!(driver.closed, Some(Close::Timeout));
}

#[test]
fn slow_content_may_last_longer_than_the_session() {
    let mut driver = Driver::in_data(config());
    for _ in 0..1_200 {
        driver.feed(&[b'x'; 100]);
        driver.advance(SECOND);
        assert_eq!(driver.closed, None);
    }
    assert!(driver.say("\r\n.\r\n").starts_with("250 2.6.0 "));
    // But then it is over.
    assert_eq!(driver.closed, Some(Close::Timeout));
}

#[test]
fn time_that_the_application_takes_is_not_the_peers() {
    let mut driver = Driver::in_data(config());
    driver.feed(b"x");
    driver.advance(40 * SECOND);
    driver.feed(b"x");
    // The driver comes back late with a piece that has long been there.
    let mut out = Vec::new();
    let step = driver.session.poll(driver.now, b"yy", &mut out);
    assert_eq!(step.output, Output::Content(b"yy"));
    driver.now += 100 * SECOND;
    driver.run();
    assert_eq!(driver.closed, None);
    let left = driver.deadline.unwrap() - driver.now;
    assert!((20 * SECOND..21 * SECOND).contains(&left), "{left:?} are left");
}

#[test]
fn slow_chunks_end_the_session_like_slow_data() {
    for command in ["BDAT 10000\r\n", "RSET\r\nBDAT 10000\r\n"] {
        let mut driver = Driver::with_recipient(config());
        driver.feed(command.as_bytes());
        driver.feed(&[b'x'; 1000]);
        driver.advance(59 * SECOND);
        assert_eq!(driver.closed, None);
        driver.advance(SECOND);
        assert_eq!(driver.closed, Some(Close::Timeout), "{command:?}");
    }
}

#[test]
fn chunks_that_dribble_end_the_session_like_slow_data() {
    let first = |driver: &mut Driver| driver.feed(b"BDAT 1\r\nx");
    let mut driver = Driver::with_recipient(config());
    first(&mut driver);
    driver.advance(59 * SECOND);
    assert_eq!(driver.closed, None, "a chunk may be waited for as long as content");
    driver.advance(SECOND);
    assert_eq!(driver.closed, Some(Close::Timeout));
    // However often a little comes, it earns what it is worth.
    let mut driver = Driver::with_recipient(config());
    let mut seconds = 0;
    while driver.closed.is_none() && seconds < 600 {
        first(&mut driver);
        driver.advance(20 * SECOND);
        seconds += 20;
    }
    assert_eq!((seconds, driver.closed), (80, Some(Close::Timeout)));
}

#[test]
fn empty_chunks_are_commands_that_move_no_mail() {
    let limits = config().limits.with_junk_max(2);
    let mut driver = Driver::with_recipient(config().with_limits(limits));
    assert_eq!(driver.say("BDAT 0\r\nBDAT 0\r\n").matches("250 2.0.0").count(), 2);
    assert!(driver.say("BDAT 0\r\n").starts_with("421 4.7.0 "));
    assert_eq!(driver.closed, Some(Close::Junk));
}

#[test]
fn size_that_is_not_announced_is_a_limit_all_the_same() {
    let extensions = config().extensions.with_size(Some(10)).with_size_offered(false);
    let mut driver = Driver::new(config().with_extensions(extensions));
    assert!(!driver.say("EHLO client.example\r\n").contains("SIZE"));
    assert!(driver.say("MAIL FROM:<> SIZE=1\r\n").starts_with("555 "));
    driver.say("MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    assert!(driver.say("01234567890\r\n.\r\n").starts_with("552 5.3.4 "));
}

#[test]
fn nothing_is_read_while_a_reply_is_late() {
    let limits = config().limits.with_error_delay(SECOND, 5 * SECOND);
    let mut driver = Driver::new(config().with_limits(limits));
    driver.feed(b"XYZZY\r\n");
    let (until, mut out) = (driver.now + SECOND, Vec::new());
    // Whatever comes meanwhile would pile up: the session takes nothing of it.
    let step = driver.session.poll(driver.now, b"NOOP\r\n", &mut out);
    assert_eq!((step.consumed, step.output), (0, Output::Pause(until)));
    assert_eq!(out, b"");
    driver.advance(SECOND);
    assert!(driver.take().starts_with("500 "));
}

#[test]
fn delay_without_end_is_none() {
    let limits = config().limits.with_error_delay(Duration::MAX, Duration::MAX);
    let mut driver = Driver::new(config().with_limits(limits));
    assert!(driver.say("XYZZY\r\n").starts_with("500 "));
}

#[test]
fn failed_logons_count_whatever_the_profile_says_to_them() {
    let words = reply("454 4.7.0 Come back");
    let replies = ReplyProfile::plain().with_reply(FixedReply::CredentialsInvalid, words).unwrap();
    let config = config().with_replies(replies).with_auth(tls_free_offer());
    let mut driver = Driver::identified(config);
    for said in ["454 4.7.0 Come back", "454 4.7.0 Come back", "421 4.7.0 Too many logon"] {
        assert_eq!(driver.say("AUTH PLAIN AGEAYg==\r\n"), "", "it is told late");
        driver.advance(5 * SECOND);
        assert!(driver.take().starts_with(said), "{said}");
    }
    assert_eq!(driver.closed, Some(Close::LogonFailures));
}

#[test]
fn shutdown_waits_for_no_delay() {
    let limits = config().limits.with_error_delay(SECOND, 5 * SECOND);
    let mut driver = Driver::identified(config().with_limits(limits).with_auth(tls_free_offer()));
    assert_eq!(driver.say("XYZZY\r\n"), "");
    driver.session.shutdown();
    driver.run();
    let said = driver.take();
    assert!(said.starts_with("500 ") && said.contains("\r\n421 4.3.2 "), "{said:?}");
    let mut driver = Driver::identified(config().with_auth(tls_free_offer()));
    assert_eq!(driver.say("AUTH PLAIN AGEAYg==\r\n"), "");
    driver.session.shutdown();
    driver.run();
    let said = driver.take();
    assert!(said.starts_with("535 ") && said.contains("\r\n421 4.3.2 "), "{said:?}");
}

#[test]
fn transactions_above_the_limit_are_sent_to_the_next_session() {
    let limits = config().limits.with_transactions_max(2);
    let mut driver = Driver::identified(config().with_limits(limits));
    for _ in 0..2 {
        assert!(driver.say("MAIL FROM:<>\r\n").starts_with("250 "));
        assert!(driver.say("RSET\r\n").starts_with("250 "));
    }
    assert!(driver.say("MAIL FROM:<>\r\n").starts_with("421 4.7.0 "));
    assert_eq!(driver.closed, Some(Close::Transactions));
}

#[test]
fn accepted_message_forgives_the_commands_before_it() {
    let limits = config().limits.with_junk_max(2);
    let mut driver = Driver::identified(config().with_limits(limits));
    for _ in 0..3 {
        driver.say("RSET\r\nNOOP\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n");
        assert!(driver.say(".\r\n").starts_with("250 2.6.0 "));
    }
}

#[test]
fn command_line_may_have_2048_octets_with_its_end() {
    for (octets, code) in [(2_048, "250 "), (2_049, "500 ")] {
        for cut in [1, 100, 4_096] {
            let mut driver = Driver::identified(config());
            let line = format!("NOOP {}\r\n", "x".repeat(octets - 7));
            line.as_bytes().chunks(cut).for_each(|piece| driver.feed(piece));
            let said = driver.take();
            assert!(said.starts_with(code), "{octets} octets by {cut} got {said:?}");
            assert!(driver.unread_max < 2_048);
            assert!(driver.say("NOOP\r\n").starts_with("250 "));
        }
    }
}

#[test]
fn timeouts_without_end_are_no_deadline() {
    let limits = config()
        .limits
        .with_command_timeout(Duration::MAX)
        .with_session_timeout(Duration::MAX)
        .with_data_rate(0, Duration::MAX);
    let mut driver = Driver::in_data(config().with_limits(limits));
    assert_eq!(driver.deadline, None);
    driver.advance(1_000_000 * SECOND);
    assert!(driver.say(".\r\n").starts_with("250 "));
}
