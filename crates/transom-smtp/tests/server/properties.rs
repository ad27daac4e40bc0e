//! What holds for any dialog: the cut of the input and the grouping of commands change nothing.

use std::time::Duration;

use proptest::prelude::*;
use transom_smtp::Protocol;
use transom_smtp::codec::ExtensionRegistry;
use transom_smtp::codec::data::BareNewline;
use transom_smtp::server::{Close, ServerConfig};

use crate::driver::{Driver, config};

const SECOND: Duration = Duration::from_secs(1);

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
        "EXPN b\r\n",
        "ETRN b.example\r\n",
        "XFORWARD NAME=b.example\r\n",
        "XPING now\r\n",
        "MAIL FROM:<> BODY=BINARYMIME BY=1;R\r\n",
        "BDAT 4\r\n\0\r\n\n",
        "XYZZY\r\n",
        "RCPT TO:<b\r\n",
        "NOOP\n",
        "NOOP\0\r\n",
        ".\r\n",
        "\r\n",
    ])
}

/// What a session is like that has been greeted.
#[derive(Clone, Copy, Debug)]
struct Kind {
    normalize: bool,
    lmtp: bool,
    /// All extensions, those of a host program included.
    all: bool,
}

fn kind() -> impl Strategy<Value = Kind> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(normalize, lmtp, all)| Kind {
        normalize,
        lmtp,
        all,
    })
}

fn settings(kind: Kind) -> ServerConfig {
    let limits = config().limits.with_errors_max(8).with_junk_max(8).with_recipients_max(3);
    let some = config().extensions.with_size(Some(20));
    let all = some.with_binary_mime(true).with_deliver_by(Some(0)).with_etrn(true).with_expn(true);
    let policy = if kind.normalize { BareNewline::Normalize } else { BareNewline::Reject };
    let settings = config().with_limits(limits).with_bare_newline(policy);
    let settings = settings.with_extensions(some);
    let settings = if kind.all {
        let registry = ExtensionRegistry::new().with_verb("XPING").unwrap();
        settings.with_extensions(all.with_xforward(true)).with_registry(registry)
    } else {
        settings
    };
    settings.with_protocol(if kind.lmtp { Protocol::Lmtp } else { Protocol::Smtp })
}

fn driver(kind: Kind) -> Driver {
    with(kind, settings(kind))
}

fn with(kind: Kind, settings: ServerConfig) -> Driver {
    let mut driver = Driver::new(settings);
    driver.say(if kind.lmtp { "LHLO c.example\r\n" } else { "EHLO c.example\r\n" });
    driver
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
        kind in kind(),
        cut in 1usize..20,
    ) {
        let (mut whole, mut single, mut cuts) = (driver(kind), driver(kind), driver(kind));
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

    // Attack 10.
    #[test]
    fn errors_slow_their_sender_down_and_change_nothing_else(
        lines in proptest::collection::vec(line(), 0..30),
        kind in kind(),
    ) {
        let mut at_once = driver(kind);
        let slow = settings(kind).limits.with_error_delay(SECOND, 5 * SECOND);
        let mut slow = with(kind, settings(kind).with_limits(slow));
        for line in lines {
            at_once.feed(line.as_bytes());
            let (begun, said) = (slow.now, slow.out.len());
            slow.feed(line.as_bytes());
            // Whatever is awaited of the peer lasts longer.
            while slow.closed.is_none()
                && let Some(due) = slow.deadline.filter(|due| *due - slow.now <= 5 * SECOND)
            {
                prop_assert_eq!(slow.out.len(), said, "said before its time");
                slow.advance(due - slow.now);
            }
            let (taken, said) = (slow.now - begun, &slow.out[said..]);
            let wrong = said.starts_with(b"5") && taken <= 5 * SECOND;
            prop_assert!(taken.is_zero() || wrong, "{:?} took {:?}", line, taken);
        }
        prop_assert_eq!(result(at_once), result(slow));
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
