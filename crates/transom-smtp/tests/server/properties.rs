//! What holds for any dialog: the cut of the input and the grouping of commands change nothing.

use proptest::prelude::*;
use transom_smtp::codec::data::BareNewline;
use transom_smtp::server::Close;

use crate::driver::{Driver, config};

/// Lines that a peer could send, in sense and nonsense.
fn line() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "MAIL FROM:<a@example.org>\r\n",
        "MAIL FROM:<a@example.org> SIZE=999\r\n",
        "RCPT TO:<b@example.net>\r\n",
        "RCPT TO:<b@example.net>\r\n",
        "BDAT 8\r\nQUIT\r\n\r\n",
        "BDAT 8 LAST\r\nRSET\r\n\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "VRFY b\r\n",
        "XYZZY\r\n",
        "RCPT TO:<b\r\n",
        "NOOP\n",
        "NOOP\0\r\n",
        ".\r\n",
        "\r\n",
    ])
}

fn driver(normalize: bool) -> Driver {
    let limits = config().limits.with_errors_max(8).with_junk_max(8).with_recipients_max(3);
    let config = config().with_extensions(config().extensions.with_size(Some(20)));
    let policy = if normalize { BareNewline::Normalize } else { BareNewline::Reject };
    Driver::identified(config.with_limits(limits).with_bare_newline(policy))
}

/// All that came out, and how it ended.
fn result(mut driver: Driver) -> (String, Vec<String>, Vec<Vec<u8>>, Option<Close>) {
    let said = driver.take();
    (said, driver.trace, driver.contents, driver.closed)
}

proptest! {
    #[test]
    fn group_of_commands_gives_what_the_commands_give_one_by_one(
        lines in proptest::collection::vec(line(), 0..30),
        normalize in any::<bool>(),
        cut in 1usize..20,
    ) {
        let (mut whole, mut single, mut cuts) =
            (driver(normalize), driver(normalize), driver(normalize));
        whole.feed(lines.concat().as_bytes());
        for line in &lines {
            single.feed(line.as_bytes());
        }
        for piece in lines.concat().as_bytes().chunks(cut) {
            cuts.feed(piece);
        }
        let whole = result(whole);
        prop_assert_eq!(&whole, &result(single));
        prop_assert_eq!(&whole, &result(cuts));
    }

    #[test]
    fn any_octets_in_any_state_end_in_a_wait_or_a_close(
        octets in proptest::collection::vec(any::<u8>(), 0..300),
        state in 0usize..4,
        cut in 1usize..40,
    ) {
        let start = || match state {
            0 => Driver::new(config()),
            1 => Driver::identified(config()),
            2 => Driver::with_recipient(config()),
            _ => Driver::in_data(config()),
        };
        let (mut whole, mut cuts) = (start(), start());
        whole.feed(&octets);
        for piece in octets.chunks(cut) {
            cuts.feed(piece);
        }
        prop_assert!(whole.unread.len() <= 300);
        // Before EHLO a group of lines is an offence that only shows where it comes as a group.
        if state != 0 {
            prop_assert_eq!(result(whole), result(cuts));
        }
    }
}
