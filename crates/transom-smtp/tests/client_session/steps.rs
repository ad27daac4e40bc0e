//! A session step by step: what it writes, waits for and says at each of them.

use transom_smtp::client::{
    ClientEvent, ClientOutput, ClientSession, ClientTls, CloseReason, PeerViolation, RefusalReason,
};
use transom_smtp::codec::HelloName;
use transom_types::{BodyType, EnhancedStatusCode, Outcome, Reply, ReplyCode};

use super::peer::{config, origin, transaction};

/// A session that is idle and in the clear, after its `Ready`.
pub(crate) fn idle_with(offers: &[&str]) -> ClientSession {
    let now = origin();
    let mut session = ClientSession::new(config().with_tls(ClientTls::Never), now);
    let mut out = Vec::new();
    let lines: Vec<String> = offers.iter().map(|offer| format!("250-{offer}\r\n")).collect();
    let ehlo = format!("250-mx.example\r\n{}250 HELP\r\n", lines.concat());
    for input in ["220 hi\r\n", &ehlo] {
        let step = session.poll(now, input.as_bytes(), &mut out);
        assert_eq!(step.consumed, input.len());
    }
    assert_eq!(session.poll(now, b"", &mut out).output, ClientOutput::Wait(None));
    session
}

fn idle() -> (ClientSession, std::time::Instant) {
    (idle_with(&[]), origin())
}

fn reason(output: ClientOutput) -> CloseReason {
    let ClientOutput::Close(close) = output else { panic!("{output:?}") };
    close.reason
}

#[test]
fn idle_session_waits_for_ever_and_hears_the_peer_leave() {
    let (mut session, now) = idle();
    let step = session.poll(now, b"421 4.4.2 idle too long\r\n", &mut Vec::new());
    assert_eq!(reason(step.output), CloseReason::Refused);
    let (mut session, now) = idle();
    session.handle_eof(now);
    let step = session.poll(now, b"", &mut Vec::new());
    assert_eq!(reason(step.output), CloseReason::PeerClosed);
    let (mut session, now) = idle();
    let step = session.poll(now, b"250 unasked\r\n", &mut Vec::new());
    let violation = CloseReason::PeerViolation(PeerViolation::UnaskedReply);
    assert_eq!(reason(step.output), violation);
}

// [RFC 5321 §4.1.1.10-e] test
#[test]
fn connection_lost_while_content_is_sent_is_no_doubt() {
    let (mut session, now) = idle();
    let mut out = Vec::new();
    session.begin_transaction(transaction(1)).unwrap();
    for input in ["", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
        let _ = session.poll(now, input.as_bytes(), &mut out);
    }
    session.write_content(b"half", &mut out).unwrap();
    session.handle_eof(now);
    session.end_content(now, &mut out).unwrap();
    assert!(out.ends_with(b"half"), "no final dot for a connection that is gone");
    let ClientOutput::Event(ClientEvent::Done(results)) = session.poll(now, b"", &mut out).output
    else {
        panic!("no results");
    };
    assert_eq!(results[0].outcome.name(), "deferred");
    assert_eq!(reason(session.poll(now, b"", &mut out).output), CloseReason::PeerClosed);
}

// Some servers say that a content is too large as soon as they know it.
#[test]
fn refusal_amid_the_content_is_the_verdict_and_no_dot_follows() {
    for (reply, outcome, end) in [
        ("552 5.3.4 too large\r\n", "failed", CloseReason::Quit),
        ("452 4.3.1 disk full\r\n", "deferred", CloseReason::Quit),
        ("250 2.0.0 ok\r\n", "deferred", CloseReason::PeerViolation(PeerViolation::UnaskedReply)),
    ] {
        let (mut session, now) = idle();
        let mut out = Vec::new();
        session.begin_transaction(transaction(1)).unwrap();
        for input in ["", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
            let _ = session.poll(now, input.as_bytes(), &mut out);
        }
        session.write_content(b"half", &mut out).unwrap();
        let output = session.poll(now, reply.as_bytes(), &mut out).output;
        let ClientOutput::Event(ClientEvent::Done(results)) = output else { panic!("{output:?}") };
        assert_eq!(results[0].outcome.name(), outcome, "{reply}");
        assert!(session.end_content(now, &mut out).is_err());
        assert_eq!(reason(session.poll(now, b"", &mut out).output), end, "{reply}");
        assert!(out.ends_with(b"half"));
    }
}

// [RFC 5321 §4.5.3.2.5-a] test
#[test]
fn content_has_its_own_time_out_for_each_piece() {
    let (mut session, now) = idle();
    let mut out = Vec::new();
    session.begin_transaction(transaction(1)).unwrap();
    for input in ["", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
        let _ = session.poll(now, input.as_bytes(), &mut out);
    }
    let block = config().timeouts.content_block;
    let wait = |at| ClientOutput::Wait(Some(at));
    assert_eq!(session.poll(now, b"", &mut out).output, wait(now + block));
    session.write_content(b"piece", &mut out).unwrap();
    let later = now + block / 2;
    assert_eq!(session.poll(later, b"", &mut out).output, wait(later + block));
    let end = later + block;
    let output = session.poll(end, b"", &mut out).output;
    assert!(matches!(output, ClientOutput::Event(_)), "{output:?}");
    assert_eq!(reason(session.poll(end, b"", &mut out).output), CloseReason::TimedOut);
}

#[test]
fn aborted_content_never_gets_its_final_dot() {
    let refusals = [
        (ReplyCode::LOCAL_ERROR, EnhancedStatusCode::transient(3, 0), "deferred"),
        (ReplyCode::TRANSACTION_FAILED, EnhancedStatusCode::permanent(6, 0), "failed"),
    ];
    for (code, enhanced, outcome) in refusals {
        let (mut session, now) = idle();
        let mut out = Vec::new();
        session.begin_transaction(transaction(1)).unwrap();
        for input in ["", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
            let _ = session.poll(now, input.as_bytes(), &mut out);
        }
        session.write_content(b"half", &mut out).unwrap();
        session.abort(Reply::new(code, enhanced, "the body cannot be read"));
        assert!(session.end_content(now, &mut out).is_err());
        let output = session.poll(now, b"", &mut out).output;
        let ClientOutput::Event(ClientEvent::Done(results)) = output else { panic!("{output:?}") };
        assert_eq!(results[0].outcome.name(), outcome);
        assert_eq!(reason(session.poll(now, b"", &mut out).output), CloseReason::Aborted);
        assert!(out.ends_with(b"half"));
    }
}

// [RFC 5321 §4.3.1-a] test
#[test]
fn without_pipelining_each_reply_is_awaited() {
    let (mut session, now) = idle();
    session.begin_transaction(transaction(2)).unwrap();
    for (input, said) in [
        ("", "MAIL FROM:<s@client.example>\r\n"),
        ("250 ok\r\n", "RCPT TO:<r0@mx.example>\r\n"),
        ("250-o\r\n", ""),
        ("250 k\r\n", "RCPT TO:<r1@mx.example>\r\n"),
        ("550 no\r\n", "DATA\r\n"),
    ] {
        let mut out = Vec::new();
        let step = session.poll(now, input.as_bytes(), &mut out);
        assert_eq!(step.consumed, input.len());
        assert_eq!(String::from_utf8_lossy(&out), said, "behind {input:?}");
    }
}

// [RFC 3030 §2-f] test
#[test]
fn no_chunk_is_sent_behind_a_refused_one() {
    let now = origin();
    let mut session = ClientSession::new(config(), now);
    let mut out = Vec::new();
    let offers = "250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 BINARYMIME\r\n";
    for reply in ["220 hi\r\n", offers] {
        let _ = session.poll(now, reply.as_bytes(), &mut out);
    }
    let mut wanted = transaction(1);
    wanted.parameters.body = BodyType::BinaryMime;
    session.begin_transaction(wanted).unwrap();
    let _ = session.poll(now, b"", &mut out);
    let _ = session.poll(now, b"250 ok\r\n250 ok\r\n", &mut out);
    session.write_content(b"one", &mut out).unwrap();
    let step = session.poll(now, b"552 5.3.4 too large\r\n", &mut out);
    assert!(matches!(step.output, ClientOutput::Event(_)), "{step:?}");
    assert!(session.write_content(b"two", &mut out).is_err());
    assert!(session.end_content(now, &mut out).is_err());
    let _ = session.poll(now, b"", &mut out);
    assert!(out.ends_with(b"BDAT 3\r\noneRSET\r\n"), "{}", out.escape_ascii());
}

#[test]
fn session_that_is_not_ready_defers_what_it_is_given() {
    let mut session = ClientSession::new(config(), origin());
    let refused = session.begin_transaction(transaction(2)).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::NotReady);
    assert!(refused.results.iter().all(|r| matches!(r.outcome, Outcome::Deferred(_))));
    assert_eq!(refused.results.len(), 2);
}

// [RFC 6531 §3.7.1-a] test
#[test]
fn name_of_the_host_is_told_in_ascii() {
    for (name, said) in [
        ("xn--bcher-kva.example", "EHLO xn--bcher-kva.example\r\n"),
        ("b\u{fc}cher.example", "EHLO localhost\r\n"),
        ("[IPv6:2001:db8::1]", "EHLO [IPv6:2001:db8::1]\r\n"),
    ] {
        let mut config = config();
        config.helo_name = HelloName::new(name).unwrap().into_owned();
        let (mut session, mut out) = (ClientSession::new(config, origin()), Vec::new());
        let _ = session.poll(origin(), b"220 hi\r\n", &mut out);
        assert_eq!(String::from_utf8_lossy(&out), said, "{name}");
    }
}
