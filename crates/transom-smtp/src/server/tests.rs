//! What only a look inside can tell, and the contract with the caller.

#![expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]

use transom_types::Severity;

use super::*;

fn session() -> ServerSession {
    let config = ServerConfig::new("mx.example".parse().unwrap());
    ServerSession::new(Arc::new(config), false, Instant::now())
}

fn assert_send_sync<T: Send + Sync>() {}

#[test]
fn session_is_small_and_may_move_between_threads() {
    assert_send_sync::<ServerSession>();
    let octets = size_of::<ServerSession>();
    assert!(octets <= 1024, "a session has {octets} octets");
}

#[test]
fn answer_without_open_event_is_misuse() {
    let mut session = session();
    assert_eq!(session.accept(), Err(ApiMisuse::NoOpenEvent));
    let (now, mut out) = (Instant::now(), Vec::new());
    assert_eq!(session.poll(now, b"", &mut out).output, Output::Event(Event::Connect));
    assert_eq!(session.accept(), Ok(()));
    // The second answer to the same event.
    assert_eq!(session.accept(), Err(ApiMisuse::NoOpenEvent));
    let reply = Reply::bare(transom_types::ReplyCode::READY, "hello");
    assert_eq!(session.respond(reply), Err(ApiMisuse::NoOpenEvent));
}

#[test]
fn reply_of_the_wrong_kind_is_misuse_and_leaves_the_event_open() {
    let mut session = session();
    let (now, mut out) = (Instant::now(), Vec::new());
    let _ = session.poll(now, b"", &mut out);
    let code = transom_types::ReplyCode::START_MAIL_INPUT;
    let misuse = session.respond(Reply::bare(code, "go on"));
    let expected = ApiMisuse::WrongSeverity { code, command: "the connection" };
    assert_eq!(misuse, Err(expected.clone()));
    assert_eq!(expected.to_string(), "reply 354 does not answer the connection");
    assert_eq!(session.accept(), Ok(()));
}

#[test]
fn data_is_granted_by_354_alone() {
    let open = Open::Data;
    assert_eq!(open.positive(), Severity::PositiveIntermediate);
    assert_eq!(Open::Bdat { octets: 1, last: true }.positive(), open.positive());
    for open in [
        Open::Connect,
        Open::Hello { esmtp: true },
        Open::Mail { smtputf8: false, binary: false },
        Open::Rcpt,
        Open::EndOfData,
        Open::Help,
        Open::Noop,
        Open::Rset,
        Open::StartTls,
        Open::Auth,
        Open::EndOfAuthentication,
        Open::Vrfy,
        Open::Etrn,
        Open::Expn,
        Open::Extension,
        Open::Xclient { address: None },
        Open::Xforward,
    ] {
        assert_eq!(open.positive(), Severity::PositiveCompletion, "{}", open.name());
    }
}

#[test]
fn plain_words_are_those_of_the_codec() {
    let lines = ["EHLO", "HELO a b", "MAIL FROM:<a", "RCPT TO:<b", "XYZZY"];
    for line in lines {
        let wrong = crate::codec::Command::parse(line.as_bytes()).unwrap_err();
        let fixed = FixedReply::to_error(&wrong).unwrap();
        assert_eq!(ReplyProfile::plain().reply(fixed), wrong.reply(), "{line}");
    }
}

/// A session that asks about everything, behind these lines; the last one is not answered yet.
fn asked(lines: &[&str]) -> (ServerSession, Vec<u8>) {
    let config = ServerConfig::new("mx.example".parse().unwrap())
        .with_ask_all(true)
        .with_extensions(Extensions::default().with_starttls(true));
    let (now, mut out) = (Instant::now(), Vec::new());
    let mut session = ServerSession::new(Arc::new(config), false, now);
    let _ = session.poll(now, b"", &mut out);
    for line in lines {
        session.accept().unwrap();
        let _ = session.poll(now, b"", &mut out);
        out.clear();
        let _ = session.poll(now, format!("{line}\r\n").as_bytes(), &mut out);
    }
    (session, out)
}

#[test]
fn application_that_asked_for_it_may_refuse_every_step() {
    for (line, wanted) in [
        ("NOOP", Event::Noop),
        ("HELP", Event::Help),
        ("RSET", Event::Rset),
        ("STARTTLS", Event::StartTls),
    ] {
        let (mut session, mut out) = asked(&["EHLO c.example", line]);
        session.respond(Reply::bare("550".parse().unwrap(), "no")).unwrap();
        let step = session.poll(Instant::now(), b"", &mut out);
        assert!(matches!(step.output, Output::Wait(_)), "{line}: {:?}", step.output);
        assert_eq!(out, b"550 no\r\n", "{line}");
        let (mut session, mut out) = asked(&["EHLO c.example"]);
        session.accept().unwrap();
        let line = format!("{line}\r\n");
        let _ = session.poll(Instant::now(), b"", &mut out);
        let step = session.poll(Instant::now(), line.as_bytes(), &mut out);
        assert_eq!(step.output, Output::Event(wanted), "{line}");
    }
}

#[test]
fn last_word_closes_whatever_its_code() {
    let (mut session, mut out) = asked(&["EHLO c.example", "NOOP"]);
    session.respond_and_close(Reply::bare("554".parse().unwrap(), "go")).unwrap();
    let step = session.poll(Instant::now(), b"", &mut out);
    assert_eq!(step.output, Output::Close(Close::Application));
    assert_eq!(out, b"554 go\r\n");
    let positive = Reply::bare("250".parse().unwrap(), "ok");
    assert!(session.respond_and_close(positive).is_err());
}

#[test]
fn settings_of_now_count() {
    let (mut session, mut out) = asked(&["EHLO c.example"]);
    session.accept().unwrap();
    let _ = session.poll(Instant::now(), b"", &mut out);
    let small = Extensions::default().with_size(Some(10));
    let config = ServerConfig::new("mx.example".parse().unwrap()).with_extensions(small);
    session.set_config(Arc::new(config));
    out.clear();
    let _ = session.poll(Instant::now(), b"MAIL FROM:<> SIZE=11\r\n", &mut out);
    assert!(out.starts_with(b"552 5.3.4"), "{}", String::from_utf8_lossy(&out));
}
