//! Attack 8 of the attack list at the replies of the server session: nothing that a client said
//! comes back, so no client can put words into the logs of whoever reads our replies.
#![expect(clippy::unwrap_used, reason = "helpers of a test")]

use std::sync::Arc;
use std::time::Instant;

use proptest::prelude::*;
use transom_smtp::server::{Extensions, Output, ServerConfig, ServerSession};

/// Stands in no reply of ours.
const MARK: &str = "zqxjkv";

/// Everything that a session says to `lines`, with all that is on offer.
fn said(lines: &[String]) -> String {
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    let mut now = Instant::now();
    let extensions = Extensions::default().with_dsn(true).with_mt_priority(true);
    let config = ServerConfig::new("mx.contoso.com".parse().unwrap());
    let config = Arc::new(config.with_extensions(extensions));
    let mut session = ServerSession::new(config, false, now);
    let (mut out, mut lines, mut input) = (Vec::new(), lines.iter(), Vec::new());
    loop {
        let step = session.poll(now, &input, &mut out);
        let consumed = step.consumed;
        match step.output {
            Output::Event(_) => session.accept().unwrap(),
            Output::Close(_) => return String::from_utf8(out).unwrap(),
            Output::Pause(until) => now = until,
            Output::Wait(_) => match lines.next() {
                Some(line) => input.extend_from_slice(line.as_bytes()),
                None => session.handle_eof(now),
            },
            _ => {}
        }
        input.drain(..consumed);
    }
}

fn check(lines: &[String]) {
    let said = said(lines);
    assert!(!said.to_ascii_lowercase().contains(MARK), "{lines:?}: {said}");
    for line in said.strip_suffix("\r\n").unwrap().split("\r\n") {
        assert!(!line.contains(char::is_control), "{lines:?}: {said:?}");
        let code = line.get(..3).unwrap();
        assert!(code.bytes().all(|octet| octet.is_ascii_digit()), "{lines:?}: {said:?}");
    }
}

// attacks.md 8
#[test]
fn no_reply_says_what_the_client_said() {
    for line in [
        "zqxjkv",
        "zqxjkv\rzqxjkv",
        "EHLO zqxjkv",
        "HELO zqxjkv",
        "EHLO zq xjkv zqxjkv",
        "MAIL FROM:<zqxjkv@b.example>",
        "MAIL FROM:<zqxjkv",
        "MAIL FROM:<a@b.example> ZQXJKV=1",
        "MAIL FROM:<a@b.example> SIZE=zqxjkv",
        "MAIL FROM:<a@b.example> ENVID=zqxjkv+0D+0A",
        "RCPT TO:<zqxjkv@b.example>",
        "RCPT TO:<a@b.example> ORCPT=zqxjkv",
        "VRFY zqxjkv",
        "EXPN zqxjkv",
        "HELP zqxjkv",
        "NOOP zqxjkv",
        "ETRN zqxjkv",
        "AUTH ZQXJKV",
        "BDAT zqxjkv",
        "STARTTLS zqxjkv",
        "XCLIENT NAME=zqxjkv",
        "DATA zqxjkv",
        "RSET zqxjkv",
        "QUIT zqxjkv",
    ] {
        for before in [
            &[][..],
            &["EHLO client.example\r\n"],
            &["EHLO client.example\r\n", "MAIL FROM:<a@b.example>\r\n"],
        ] {
            let mut lines: Vec<String> = before.iter().map(|&line| line.to_owned()).collect();
            lines.push(format!("{line}\r\n"));
            check(&lines);
        }
    }
}

proptest! {
    // attacks.md 8
    #[test]
    fn no_line_comes_back(
        lines in prop::collection::vec(
            "(EHLO |HELO |MAIL FROM:<|RCPT TO:<|VRFY |AUTH |BDAT |NOOP |DATA|X)?\
             ([ -~\r\n\0\u{85}\u{2028}]{0,8}(zqxjkv|ZQXJKV)){1,3}[ -~]{0,8}\r\n",
            1..6,
        )
    ) {
        check(&[vec!["EHLO client.example\r\n".to_owned()], lines].concat());
    }
}
