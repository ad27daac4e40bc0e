//! LMTP: each accepted recipient has its own reply to a content, whatever came before.

use proptest::prelude::*;
use transom_smtp::Protocol;
use transom_smtp::server::{ApiMisuse, Event, Output, ServerConfig};
use transom_types::{Reply, ReplyCode};

use crate::driver::{Driver, config, reply};

fn lmtp() -> ServerConfig {
    let extensions = config().extensions.with_size(Some(50));
    let limits = config().limits.with_errors_max(1_000).with_recipients_max(3);
    config().with_protocol(Protocol::Lmtp).with_extensions(extensions).with_limits(limits)
}

/// Behind LHLO, with as many recipients.
fn with_recipients(recipients: usize) -> Driver {
    let mut driver = Driver::new(lmtp());
    driver.say("LHLO c.example\r\n");
    assert_eq!(driver.say("MAIL FROM:<>\r\n"), "250 2.1.0 Sender OK\r\n");
    driver.say("RCPT TO:<b@example.net>\r\n".repeat(recipients));
    driver
}

/// Up to the end of data.
fn at_the_end(driver: &mut Driver) {
    let (now, mut out) = (driver.now, Vec::new());
    let mut rest: &[u8] = b"BDAT 0 LAST\r\n";
    loop {
        let step = driver.session.poll(now, rest, &mut out);
        rest = &rest[step.consumed..];
        match step.output {
            Output::Event(Event::EndOfData { .. }) => return,
            Output::Event(_) => driver.session.accept().unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

// [RFC 2033 §4.2-b, §4.3-a] test
proptest! {
    #[test]
    fn content_has_as_many_replies_as_recipients_were_accepted(
        accepted in proptest::collection::vec(any::<bool>(), 1..6),
        octets in 0usize..80,
        by_chunk in any::<bool>(),
        refused in any::<bool>(),
    ) {
        let mut driver = with_recipients(0);
        for &accept in &accepted {
            if !accept {
                driver.answers.push_back(("Rcpt".into(), reply("550 5.1.1 No")));
            }
            driver.say("RCPT TO:<b@example.net>\r\n");
            // What was above the limit was never asked for.
            driver.answers.clear();
        }
        let taken = accepted.iter().scan(0, |taken, &accept| {
            // Three are the limit.
            *taken += usize::from(accept && *taken < 3);
            Some(*taken)
        });
        let taken = taken.last().unwrap();
        if refused {
            driver.answers.push_back(("EndOfData".into(), reply("451 4.3.0 No")));
        }
        let content = "x".repeat(octets);
        let said = if by_chunk {
            driver.say(format!("BDAT {octets} LAST\r\n{content}"))
        } else {
            let said = driver.say("DATA\r\n");
            if said.starts_with("354") {
                driver.say(format!("{content}\r\n.\r\n"))
            } else {
                said
            }
        };
        // Without recipients there is no content, and one reply says so.
        prop_assert_eq!(said.matches("\r\n").count(), taken.max(1), "{}", said);
        let over = if by_chunk { octets > 50 } else { octets + 2 > 50 };
        let code = match (taken, over, refused) {
            (0, _, _) => "503 ",
            (_, true, _) => "552 ",
            (_, _, true) => "451 ",
            _ => "250 ",
        };
        prop_assert!(said.lines().all(|line| line.starts_with(code)), "{} got {}", code, said);
        prop_assert_eq!(driver.say("NOOP\r\n"), "250 2.0.0 OK\r\n");
    }
}

#[test]
fn replies_that_do_not_fit_the_recipients_are_misuse() {
    let ok = || Reply::bare(ReplyCode::OK, "Delivered");
    let mut driver = with_recipients(2);
    assert_eq!(driver.session.respond_each(vec![ok(), ok()]), Err(ApiMisuse::NoOpenEvent));
    at_the_end(&mut driver);
    for found in [0, 1, 3] {
        let misuse = ApiMisuse::NumberOfReplies { expected: 2, found };
        assert_eq!(driver.session.respond_each(vec![ok(); found]), Err(misuse));
    }
    let code = ReplyCode::START_MAIL_INPUT;
    assert_eq!(
        driver.session.respond_each(vec![ok(), Reply::bare(code, "More")]),
        Err(ApiMisuse::WrongSeverity { code, command: "the end of data" })
    );
    assert_eq!(driver.session.respond_each(vec![ok(), ok()]), Ok(()));
    assert_eq!(driver.session.respond_each(vec![ok(), ok()]), Err(ApiMisuse::NoOpenEvent));
    driver.run();
    assert_eq!(driver.take(), "250 Delivered\r\n250 Delivered\r\n");
}

#[test]
fn smtp_has_one_reply_for_all_recipients() {
    let mut driver = Driver::with_recipient(config());
    at_the_end(&mut driver);
    let each = driver.session.respond_each(vec![Reply::bare(ReplyCode::OK, "Delivered")]);
    assert_eq!(each, Err(ApiMisuse::WrongAnswer { command: "the end of data" }));
    assert_eq!(driver.session.accept(), Ok(()));
}
