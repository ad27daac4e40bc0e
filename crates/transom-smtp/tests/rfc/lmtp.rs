//! LMTP (RFC 2033), on both sides.

use transom_smtp::Protocol;
use transom_smtp::client::{CloseReason, Transaction};
use transom_types::{ForwardPath, Outcome};

use crate::listener::{self, Listener};
use crate::peer::{Talk, config, message};

fn listening() -> Listener {
    let mut listener = Listener::greeted(listener::config().with_protocol(Protocol::Lmtp));
    listener.expect("LHLO client.example\r\n", "250-");
    listener
}

// [RFC 2033 §4.1-a] test
#[test]
fn helo_and_ehlo_are_not_there() {
    let mut listener = Listener::greeted(listener::config().with_protocol(Protocol::Lmtp));
    listener.expect("EHLO client.example\r\n", "5");
    listener.expect("HELO client.example\r\n", "5");
    listener.expect("LHLO client.example\r\n", "250");
}

// [RFC 2033 §5-a] test
#[test]
fn pipelining_and_enhanced_codes_are_offered() {
    let mut listener = Listener::greeted(listener::config().with_protocol(Protocol::Lmtp));
    let offered = listener.say("LHLO client.example\r\n");
    assert!(offered.contains("PIPELINING") && offered.contains("ENHANCEDSTATUSCODES"));
}

// [RFC 2033 §4.2-a] test
#[test]
fn data_without_recipients_gets_503() {
    let mut listener = listening();
    listener.expect("MAIL FROM:<a@example.org>\r\n", "250");
    listener.answer_next("Rcpt", "550 5.1.1 Unknown");
    listener.expect("RCPT TO:<b@example.net>\r\n", "550");
    listener.expect("DATA\r\n", "503");
}

// [RFC 2033 §4.2-b, §4.3-a] test
#[test]
fn content_gets_a_reply_for_each_accepted_recipient_in_their_order() {
    for content in ["DATA\r\nx\r\n.\r\n", "BDAT 3\r\nx\r\nBDAT 0 LAST\r\n"] {
        let mut listener = listening();
        listener.expect("MAIL FROM:<a@example.org>\r\n", "250");
        listener.expect("RCPT TO:<b@example.net>\r\n", "250");
        listener.answer_next("Rcpt", "550 5.1.1 Unknown");
        listener.expect("RCPT TO:<c@example.net>\r\n", "550");
        // The same path twice gets two replies.
        listener.expect("RCPT TO:<b@example.net>\r\n", "250");
        listener.answer_each(&["452 4.2.2 Full", "250 2.0.0 Fine"]);
        let (command, rest) = content.split_at(content.find("\r\n").unwrap() + 2);
        let mut said = listener.say(command);
        said += &listener.say(rest);
        let codes: Vec<&str> = said.lines().map(|line| line.split_at(3).0).collect();
        assert_eq!(codes.as_slice().split_last_chunk().unwrap().1, &["452", "250"], "{said}");
        assert_eq!(codes.len(), 3, "{said}");
    }
}

// [RFC 2033 §5-b] test
#[test]
fn replies_before_a_loss_count_and_the_others_are_temporary() {
    let mut talk = Talk::new(config().with_protocol(Protocol::Lmtp));
    assert_eq!(talk.hear("220 x\r\n"), "LHLO client.example\r\n");
    talk.hear("250 x\r\n");
    let path = |text: &str| text.parse::<ForwardPath>().unwrap().into();
    let recipients = vec![(0, path("<b@example.net>")), (1, path("<c@example.net>"))];
    talk.begin(Transaction { recipients, ..message() });
    talk.hear("250 x\r\n");
    talk.hear("250 x\r\n");
    talk.hear("250 x\r\n");
    talk.hear("354 x\r\n");
    talk.send("x\r\n");
    talk.hear("250 b has it\r\n");
    talk.hang_up();
    assert_eq!(talk.close_reason(), &CloseReason::PeerClosed);
    let results = talk.done().unwrap();
    assert!(matches!(results[0].outcome, Outcome::Relayed(_)), "{results:?}");
    assert!(matches!(results[1].outcome, Outcome::InDoubt(_) | Outcome::Deferred(_)));
}
