//! What a client says for a message, and what it makes of the answers.

use transom_smtp::client::{CloseReason, RefusalReason, Transaction};
use transom_types::{BodyType, ForwardPath, MailParameters, Outcome, ReversePath};

use crate::peer::{Talk, message};

fn to(path: &str) -> Transaction {
    let path: ForwardPath = path.parse().unwrap();
    Transaction { recipients: vec![(0, path.into())], ..message() }
}

fn two() -> Transaction {
    let paths = ["<b@example.net>", "<c@example.net>"].map(|text| {
        let path: ForwardPath = text.parse().unwrap();
        path.into()
    });
    Transaction { recipients: (0..).zip(paths).collect(), ..message() }
}

fn refusal(offers: &[&str], transaction: Transaction) -> RefusalReason {
    let mut talk = Talk::ready(offers);
    let refused = talk.session.begin_transaction(transaction).unwrap_err();
    assert!(refused.results.iter().all(|result| matches!(result.outcome, Outcome::Failed(_))));
    refused.reason
}

// [RFC 5321 §2.3.8-b, §4.1.1.4-b, §4.5.2-a, §4.5.2-d] test
#[test]
fn line_ends_go_out_as_crlf_and_dots_get_one_more() {
    let mut talk = Talk::in_content(&[]);
    assert_eq!(talk.send("a\nb\r\n.c\r\n..\r\nd\re"), "a\r\nb\r\n..c\r\n...\r\nd\r\ne\r\n.\r\n");
}

// [RFC 5321 §4.1.1.4-a] test
#[test]
fn no_empty_line_is_added_before_the_final_dot() {
    let mut talk = Talk::in_content(&[]);
    assert_eq!(talk.send("x\r\n"), "x\r\n.\r\n");
    let mut talk = Talk::in_content(&[]);
    assert_eq!(talk.send("x\r\n\r\n"), "x\r\n\r\n.\r\n");
}

// [RFC 5321 §2.4-c] test
// [RFC 6152 §3-b, §3-d] test
#[test]
fn eight_bit_content_fails_where_it_is_not_taken() {
    let eight_bit = Transaction { eight_bit: true, ..message() };
    assert_eq!(refusal(&[], eight_bit.clone()), RefusalReason::EightBit);
    let said = Talk::ready(&["8BITMIME"]).begin(eight_bit);
    assert_eq!(said, "MAIL FROM:<a@example.org> BODY=8BITMIME\r\n");
}

// [RFC 5321 §3.3-e, §3.3-g, §4.1.4-g, §4.3.1-a] test
#[test]
fn each_reply_is_awaited_and_content_follows_354_alone() {
    let mut talk = Talk::ready(&[]);
    assert_eq!(talk.begin(message()), "MAIL FROM:<a@example.org>\r\n");
    assert_eq!(talk.hear("250 x\r\n"), "RCPT TO:<b@example.net>\r\n");
    assert!(talk.session.begin_transaction(message()).is_err(), "one is open");
    assert_eq!(talk.hear("250 x\r\n"), "DATA\r\n");
    assert_eq!(talk.hear("250 x\r\n"), "");
    assert!(!talk.wants_content());
    for refusal in ["451 x\r\n", "554 x\r\n", "503 x\r\n"] {
        let mut talk = Talk::ready(&[]);
        talk.begin(message());
        talk.hear("250 x\r\n");
        talk.hear("250 x\r\n");
        assert_eq!(talk.hear(refusal), "RSET\r\n");
        assert!(!talk.wants_content(), "{refusal}");
    }
}

// [RFC 5321 §4.1.1-b] test
#[test]
fn commands_without_parameters_are_sent_without() {
    let mut talk = Talk::ready(&[]);
    talk.begin(message());
    talk.hear("250 x\r\n");
    assert_eq!(talk.hear("250 x\r\n"), "DATA\r\n");
    assert_eq!(talk.hear("451 x\r\n"), "RSET\r\n");
    talk.hear("250 x\r\n");
    assert_eq!(talk.quit(), "QUIT\r\n");
}

/// Everything that can stand behind MAIL and RCPT of DSN.
fn with_dsn() -> Transaction {
    let mut with_dsn = message();
    with_dsn.parameters.ret = Some("HDRS".parse().unwrap());
    with_dsn.parameters.envelope_id = Some("QQ+2B1".parse().unwrap());
    let (_, recipient) = with_dsn.recipients.first_mut().unwrap();
    recipient.parameters.notify = Some("SUCCESS,DELAY".parse().unwrap());
    recipient.parameters.original_recipient = Some("rfc822;Bob+2B@Example.NET".parse().unwrap());
    with_dsn
}

// [RFC 5321 §4.1.1.3-c] test
// [RFC 3461 §5.2.2-a] test
#[test]
fn parameters_go_to_servers_that_offer_them_alone() {
    let mut talk = Talk::ready(&["PIPELINING"]);
    let said = talk.begin(with_dsn());
    assert_eq!(said, "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
}

// [RFC 3461 §5.2.1-a, §5.2.1-b, §5.2.1-c, §5.2.1-d, §4-a] test
#[test]
fn requests_for_reports_go_on_as_they_came() {
    let mut talk = Talk::ready(&["PIPELINING", "DSN"]);
    let said = talk.begin(with_dsn());
    let lines: Vec<&str> = said.lines().collect();
    let mail = lines[0];
    assert!(mail.contains(" RET=HDRS") && mail.contains(" ENVID=QQ+2B1"), "{said}");
    let rcpt = lines[1];
    assert!(rcpt.contains(" NOTIFY=SUCCESS,DELAY"), "{said}");
    assert!(rcpt.contains(" ORCPT=rfc822;Bob+2B@Example.NET"), "{said}");
    let said = Talk::ready(&["PIPELINING", "DSN"]).begin(message());
    assert_eq!(said, "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
}

// [RFC 5321 §4.1.1.10-e] test
#[test]
fn lost_connection_is_a_temporary_refusal() {
    for replies in [&[][..], &["250 x\r\n"], &["250 x\r\n", "250 x\r\n"]] {
        let mut talk = Talk::ready(&[]);
        talk.begin(message());
        for reply in replies {
            talk.hear(reply);
        }
        talk.hang_up();
        assert_eq!(talk.close_reason(), &CloseReason::PeerClosed);
        assert!(matches!(talk.outcome(), Outcome::Deferred(_)));
    }
}

// [RFC 5321 §4.5.3.1-b] test
#[test]
fn refusal_of_a_large_object_is_a_refusal_like_any_other() {
    let mut talk = Talk::ready(&[]);
    talk.begin(to(&format!("<{}@example.net>", "l".repeat(200))));
    talk.hear("250 x\r\n");
    talk.hear("501 5.1.3 path too long\r\n");
    assert!(matches!(talk.outcome(), Outcome::Failed(_)));
}

// [RFC 5321 §4.5.3.1.10-b] test
#[test]
fn too_many_recipients_by_552_is_tried_again() {
    let mut talk = Talk::ready(&[]);
    talk.begin(message());
    talk.hear("250 x\r\n");
    talk.hear("552 too many recipients\r\n");
    assert!(matches!(talk.outcome(), Outcome::Deferred(_)));
}

// [RFC 1870 §6.1-b, §6.2-a] test
#[test]
fn size_is_refused_before_and_behind_a_positive_mail() {
    let large = Transaction { size: 1000, ..message() };
    assert_eq!(refusal(&["SIZE 999"], large.clone()), RefusalReason::Size { size_max: 999 });
    for (code, is_failed) in [("552", true), ("452", false)] {
        let mut talk = Talk::ready(&["SIZE 1000"]);
        assert_eq!(talk.begin(large.clone()), "MAIL FROM:<a@example.org> SIZE=1000\r\n");
        talk.hear("250 x\r\n");
        talk.hear("250 x\r\n");
        talk.hear("354 x\r\n");
        talk.send("x\r\n");
        talk.hear(format!("{code} no room\r\n"));
        assert_eq!(matches!(talk.outcome(), Outcome::Failed(_)), is_failed, "{code}");
    }
}

// [RFC 2920 §3.1-a, §3.1-b] test
#[test]
fn group_ends_with_data_and_each_of_its_replies_counts() {
    let mut talk = Talk::ready(&["PIPELINING"]);
    let said = talk.begin(two());
    assert!(said.ends_with("RCPT TO:<c@example.net>\r\nDATA\r\n"), "{said}");
    talk.hear("250 x\r\n550 5.1.1 x\r\n250 x\r\n354 x\r\n");
    talk.send("x\r\n");
    talk.hear("250 x\r\n");
    let results = talk.done().unwrap();
    assert!(matches!(results[0].outcome, Outcome::Failed(_)));
    assert!(matches!(results[1].outcome, Outcome::Relayed(_)));
}

// [RFC 2920 §3.1-f] test
#[test]
fn consent_without_recipients_gets_a_lone_dot() {
    let mut talk = Talk::ready(&["PIPELINING"]);
    talk.begin(message());
    assert_eq!(talk.hear("250 x\r\n550 x\r\n354 x\r\n"), ".\r\n");
    assert!(!talk.wants_content());
}

/// A session that sends its content in chunks.
fn chunking() -> Talk {
    let mut talk = Talk::ready(&["PIPELINING", "CHUNKING"]);
    let large = Transaction { size: 10_000_000, ..message() };
    let said = talk.begin(large);
    assert!(!said.contains("DATA"), "{said}");
    talk.hear("250 x\r\n250 x\r\n");
    assert!(talk.wants_content());
    talk
}

// [RFC 3030 §2-j, §2-k] test
#[test]
fn chunks_have_crlf_line_ends_and_no_data_beside_them() {
    let mut talk = chunking();
    assert_eq!(talk.write("a\nb\r\n.c\n"), "BDAT 10\r\na\r\nb\r\n.c\r\n");
    assert_eq!(talk.end(), "BDAT 0 LAST\r\n");
}

// [RFC 3030 §2-f, §2-h] test
#[test]
fn refused_chunk_is_followed_by_rset() {
    let mut talk = chunking();
    talk.write("a\r\n");
    assert_eq!(talk.hear("552 5.3.4 too large\r\n"), "RSET\r\n");
    assert!(talk.try_write("b\r\n").is_err(), "no chunk follows");
    assert!(matches!(talk.outcome(), Outcome::Failed(_)));
}

fn binary() -> Transaction {
    let mut parameters = MailParameters::default();
    parameters.body = BodyType::BinaryMime;
    Transaction { parameters, eight_bit: true, ..message() }
}

// [RFC 3030 §3-e] test
#[test]
fn binary_content_goes_to_no_server_without_binarymime() {
    for offers in [&["PIPELINING", "CHUNKING", "8BITMIME"][..], &["BINARYMIME"], &[]] {
        assert_eq!(refusal(offers, binary()), RefusalReason::BinaryMime, "{offers:?}");
    }
}

// [RFC 3030 §3-c, §3-d] test
#[test]
fn binary_content_goes_in_chunks_as_it_is() {
    let mut talk = Talk::ready(&["PIPELINING", "CHUNKING", "BINARYMIME"]);
    let said = talk.begin(binary());
    assert!(said.starts_with("MAIL FROM:<a@example.org> BODY=BINARYMIME\r\n"), "{said}");
    assert!(!said.contains("DATA"), "{said}");
    talk.hear("250 x\r\n250 x\r\n");
    assert_eq!(talk.write("a\nb\rc\0."), "BDAT 7\r\na\nb\rc\0.");
}

// [RFC 6531 §3.2-c, §3.2-d, §3.5-a] test
#[test]
fn internationalized_mail_goes_to_no_server_without_smtputf8() {
    let header = Transaction { utf8: true, ..message() };
    assert_eq!(refusal(&["8BITMIME"], header), RefusalReason::Smtputf8);
    assert_eq!(refusal(&["8BITMIME"], to("<\u{e4}@example.net>")), RefusalReason::Smtputf8);
    let reverse_path: ReversePath = "<\u{e4}@example.org>".parse().unwrap();
    let sender = Transaction { reverse_path, ..message() };
    assert_eq!(refusal(&[], sender), RefusalReason::Smtputf8);
}

// [RFC 6531 §3.4-a] test
#[test]
fn smtputf8_is_said_where_it_is_needed_and_nowhere_else() {
    let begin = |transaction| Talk::ready(&["SMTPUTF8", "8BITMIME"]).begin(transaction);
    assert_eq!(begin(message()), "MAIL FROM:<a@example.org>\r\n");
    assert!(begin(to("<\u{e4}@example.net>")).ends_with(" SMTPUTF8\r\n"));
    let header = Transaction { utf8: true, ..message() };
    assert!(begin(header).ends_with(" SMTPUTF8\r\n"));
}

// [RFC 8689 §2-a, §4.2.1-a] test
#[test]
fn message_that_requires_tls_goes_to_no_server_without_it() {
    let mut marked = message();
    marked.parameters.require_tls = true;
    assert_eq!(refusal(&["REQUIRETLS"], marked.clone()), RefusalReason::RequireTls);
    assert_eq!(refusal(&[], marked), RefusalReason::RequireTls);
}

// [RFC 5321 §4.5.4.1-d] test
#[test]
fn refused_sender_may_send_the_next_message() {
    let mut talk = Talk::ready(&[]);
    talk.begin(message());
    assert_eq!(talk.hear("550 5.7.1 not this one\r\n"), "RSET\r\n");
    assert!(matches!(talk.outcome(), Outcome::Failed(_)));
    talk.hear("250 x\r\n");
    assert_eq!(talk.begin(message()), "MAIL FROM:<a@example.org>\r\n");
}
