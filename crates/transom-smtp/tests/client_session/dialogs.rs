//! Whole dialogs: what is sent, in which order, and what is not.

use transom_smtp::client::{ClientTls, CloseReason, PeerViolation, RefusalReason};
use transom_types::{AttemptStage, Notify, OriginalRecipient, Outcome, RecipientResult, Ret};

use super::peer::{
    Act, CONTENT, Peer, Run, config, drive, every_way, send_every_way as send, send_with_tls,
    transaction,
};

fn sent(run: &Run) -> &str {
    std::str::from_utf8(&run.sent).unwrap()
}

fn codes(results: &[RecipientResult]) -> Vec<String> {
    results.iter().map(|result| result.outcome.status().unwrap().code.to_string()).collect()
}

// [RFC 5321 §3.3-g, §4.1.1.1-b, §4.1.4-a, §4.1.4-j] test
// [RFC 2920 §3.1-a, §3.1-c] test
#[test]
fn pipelined_message_goes_in_one_flight() {
    let mut peer = Peer::default();
    let run = send(&mut peer, 2);
    assert_eq!(
        sent(&run),
        "EHLO client.example\r\nMAIL FROM:<s@client.example> SIZE=12\r\n\
         RCPT TO:<r0@mx.example>\r\nRCPT TO:<r1@mx.example>\r\nDATA\r\n\
         ..one\r\ntwo\r\n.\r\nQUIT\r\n"
    );
    assert_eq!(peer.contents, [".one\r\ntwo\r\n"]);
    assert_eq!(run.outcomes(), ["relayed", "relayed"]);
    assert_eq!(run.results[0].iter().map(|r| r.recipient).collect::<Vec<_>>(), [1, 3]);
    let status = run.results[0][0].outcome.status().unwrap();
    assert_eq!(status.remote.as_ref().unwrap().name, "mx.example");
    assert_eq!(status.reply.text(), "taken");
    assert_eq!(run.close.unwrap().reason, CloseReason::Quit);
}

// [RFC 5321 §2.2.1-b, §3.2-b] test
// [RFC 3461 §5.2.2-a] test
#[test]
fn session_without_extensions_sends_nothing_but_plain_commands() {
    let mut peer = Peer { ehlo: Act::Say("500 5.5.1 what\r\n"), ..Peer::default() };
    let mut wanted = transaction(1);
    wanted.parameters.ret = Some(Ret::Full);
    wanted.parameters.envelope_id = Some("id".parse().unwrap());
    wanted.recipients[0].1.parameters.notify = Some(Notify::NEVER);
    let run = every_way(config(), &mut peer, vec![wanted], CONTENT);
    assert_eq!(
        peer.commands,
        [
            "EHLO client.example",
            "HELO client.example",
            "MAIL FROM:<s@client.example>",
            "RCPT TO:<r0@mx.example>",
            "DATA",
            "QUIT"
        ]
    );
    assert_eq!(run.outcomes(), ["relayed"]);
}

// [RFC 6531 §3.4-a] test
// [RFC 3461 §5.2.1-a, §5.2.1-b, §5.2.1-c, §5.2.1-d] test
#[test]
fn parameters_go_where_they_are_offered() {
    let offers = ["SIZE", "8BITMIME", "SMTPUTF8", "DSN"];
    let mut peer = Peer::offering(&offers);
    let mut wanted = transaction(1);
    wanted.eight_bit = true;
    wanted.utf8 = true;
    wanted.parameters.ret = Some(Ret::Headers);
    wanted.parameters.envelope_id = Some("id".parse().unwrap());
    wanted.recipients[0].1.parameters.notify = Some(Notify::NEVER);
    wanted.recipients[0].1.parameters.original_recipient =
        Some(OriginalRecipient::rfc822("a+b@x").unwrap());
    every_way(config(), &mut peer, vec![wanted], CONTENT);
    for word in ["SIZE=12", "BODY=8BITMIME", "SMTPUTF8", "RET=HDRS", "ENVID=id"] {
        assert!(peer.commands[1].split(' ').any(|w| w == word), "{word}: {}", peer.commands[1]);
    }
    for word in ["NOTIFY=NEVER", "ORCPT=rfc822;a+2Bb@x"] {
        assert!(peer.commands[2].split(' ').any(|w| w == word), "{word}: {}", peer.commands[2]);
    }
}

// [RFC 5321 §2.4-c, §2.4-d] test
// [RFC 6152 §3-b, §3-d] test
// [RFC 6531 §3.2-c, §3.2-d, §3.5-a] test
// [RFC 1870 §6.1-b] test
#[test]
fn message_that_cannot_go_to_this_peer_is_refused_before_a_word() {
    let mut cases = Vec::new();
    for (offers, reason, code) in [
        (vec!["SIZE 11", "8BITMIME", "SMTPUTF8"], RefusalReason::Size { size_max: 11 }, "5.3.4"),
        (vec!["SMTPUTF8"], RefusalReason::EightBit, "5.6.3"),
        (vec!["8BITMIME"], RefusalReason::Smtputf8, "5.6.7"),
    ] {
        let mut wanted = transaction(2);
        (wanted.eight_bit, wanted.utf8) = (true, true);
        cases.push((offers, wanted, reason, code));
    }
    let mut sender = transaction(2);
    sender.reverse_path = "<j\u{fc}rgen@client.example>".parse().unwrap();
    cases.push((vec!["8BITMIME"], sender, RefusalReason::Smtputf8, "5.6.7"));
    for (offers, wanted, reason, code) in cases {
        let mut peer = Peer::offering(&offers);
        let run = every_way(config(), &mut peer, vec![wanted], CONTENT);
        assert_eq!(run.refusals.len(), 1, "{offers:?}");
        assert_eq!(run.refusals[0].reason, reason);
        assert_eq!(codes(&run.refusals[0].results), [code, code]);
        assert!(run.refusals[0].results.iter().all(|r| matches!(r.outcome, Outcome::Failed(_))));
        assert!(run.results.is_empty());
        assert_eq!(peer.commands, ["EHLO client.example", "QUIT"]);
    }
}

// [RFC 6531 §3.2-c, §3.5-b] test
#[test]
fn recipient_that_needs_smtputf8_fails_alone() {
    let mut peer = Peer::default();
    let mut wanted = transaction(2);
    wanted.recipients[0].1 =
        "<\u{fc}@mx.example>".parse().map(transom_types::ForwardPath::into).unwrap();
    let run = every_way(config(), &mut peer, vec![wanted], CONTENT);
    assert_eq!(run.outcomes(), ["failed", "relayed"]);
    assert_eq!(codes(&run.results[0])[0], "5.6.7");
    assert!(!sent(&run).contains("SMTPUTF8") && sent(&run).is_ascii());
}

// [RFC 9422 §3.8-a, §4.2-b] test
#[test]
fn recipients_above_the_limit_wait_for_the_next_transaction() {
    for (offer, limit) in [("LIMITS RCPTMAX=2", 2), ("LIMITS RCPTMAX=500", 100), ("XNONE", 100)] {
        let mut peer = Peer::offering(&[offer, "PIPELINING"]);
        let run = send(&mut peer, 102);
        let outcomes = run.outcomes();
        assert_eq!(outcomes.iter().filter(|name| **name == "relayed").count(), limit, "{offer}");
        assert!(codes(&run.results[0])[limit..].iter().all(|code| code == "4.5.3"), "{offer}");
        assert_eq!(peer.commands.iter().filter(|c| c.starts_with("RCPT")).count(), limit);
    }
}

// [RFC 9422 §4.1-b] test
#[test]
fn session_stops_at_the_mailmax_of_the_peer() {
    let mut peer = Peer::offering(&["LIMITS MAILMAX=1"]);
    let run = drive(config(), &mut peer, vec![transaction(1); 2], CONTENT, &[0]);
    assert_eq!((run.results.len(), run.ready), (1, 1));
    assert_eq!(run.close.unwrap().reason, CloseReason::Quit);
    assert_eq!(peer.commands.last().unwrap(), "QUIT");
}

// [RFC 2920 §3.1-b, §3.1-c, §3.1-e] test
// [RFC 1870 §6.2-a] test
// [RFC 5321 §4.2-b, §4.5.3.1.10-b] test
#[test]
fn refusals_of_some_recipients_leave_the_others_alone() {
    for offers in [vec!["PIPELINING"], vec![]] {
        let rcpt = vec![
            Act::Say("550 5.1.1 no such user\r\n"),
            Act::Agree,
            Act::Say("452 4.5.3 too many\r\n"),
            Act::Say("552 too many\r\n"),
            Act::Say("552 5.2.2 mailbox full\r\n"),
            Act::Say("251 2.1.5 will forward\r\n"),
            Act::Say("552 5.5.3 too many\r\n"),
        ];
        let mut peer = Peer { rcpt, ..Peer::offering(&offers) };
        let run = send(&mut peer, 7);
        let expected =
            ["failed", "relayed", "deferred", "deferred", "failed", "relayed", "deferred"];
        assert_eq!(run.outcomes(), expected);
        let codes = codes(&run.results[0]);
        assert_eq!(codes, ["5.1.1", "2.6.0", "4.5.3", "4.5.3", "5.2.2", "2.6.0", "4.5.3"]);
        let stages = run.results[0].iter().map(|r| r.outcome.status().unwrap().stage);
        assert_eq!(stages.filter(|stage| *stage == AttemptStage::Rcpt).count(), 5);
        assert_eq!(peer.contents, [".one\r\ntwo\r\n"]);
    }
}

// [RFC 2920 §3.1-f] test
#[test]
fn consent_without_recipients_gets_a_lone_dot_whose_reply_is_noise() {
    for verdict in ["250 2.0.0 taken\r\n", "554 5.5.1 no recipients\r\n"] {
        let mut peer = Peer {
            rcpt: vec![Act::Say("550 5.1.1 no\r\n"); 2],
            consents_without_recipients: true,
            end_of_data: Act::Say(verdict),
            ..Peer::default()
        };
        let run = drive(config(), &mut peer, vec![transaction(2); 2], CONTENT, &[0]);
        assert_eq!(run.results.len(), 2);
        assert!(run.results.iter().flatten().all(|r| matches!(r.outcome, Outcome::Failed(_))));
        assert_eq!(peer.contents, ["", ""], "no content, only the dot");
        assert_eq!((run.ready, run.close.unwrap().reason), (3, CloseReason::Quit));
    }
}

// The early reply was taken for that to the dot, and that for the reply to the next MAIL, so that
// a recipient of the next message got the words about another.
#[test]
fn reply_ahead_of_the_lone_dot_ends_the_session() {
    let mut peer = Peer {
        rcpt: vec![Act::Say("550 5.1.1 no\r\n"), Act::Say("550 5.1.2 nor\r\n")],
        data: Act::Say("354 go on\r\n250 2.0.0 taken already\r\n"),
        consents_without_recipients: true,
        ..Peer::default()
    };
    let run = drive(config(), &mut peer, vec![transaction(2); 2], CONTENT, &[0]);
    assert_eq!(codes(&run.results[0]), ["5.1.1", "5.1.2"]);
    assert_eq!((run.results.len(), run.ready), (1, 1));
    let violation = CloseReason::PeerViolation(PeerViolation::UnaskedReply);
    assert_eq!(run.close.unwrap().reason, violation);
}

// [RFC 5321 §4.5.4.1-d] test
#[test]
fn refused_sender_does_not_keep_the_next_message_back() {
    let mut peer = Peer { mail: Act::Say("550 5.7.1 not you\r\n"), ..Peer::default() };
    let run = every_way(config(), &mut peer, vec![transaction(1); 2], CONTENT);
    let names: Vec<_> = run.results.iter().flatten().map(|r| r.outcome.name()).collect();
    assert_eq!(names, ["failed"; 2]);
    assert_eq!(peer.commands.iter().filter(|line| line.starts_with("MAIL")).count(), 2);
}

// [RFC 2920 §3.1-d] test
#[test]
fn long_group_is_cut_so_that_neither_side_waits_for_the_other() {
    let mut wanted = transaction(100);
    for (at, recipient) in &mut wanted.recipients {
        let label = "x".repeat(60);
        let path = format!("<r{at}@{label}.{label}.{label}.example>");
        recipient.forward_path = path.parse().unwrap();
    }
    let mut peer = Peer { rcpt: vec![Act::Say("550 5.1.1 no\r\n"); 80], ..Peer::default() };
    let run = every_way(config(), &mut peer, vec![wanted.clone()], CONTENT);
    let relayed = run.outcomes().into_iter().filter(|name| *name == "relayed").count();
    assert_eq!((relayed, peer.contents.len()), (20, 1));
    let mut session = super::steps::idle_with(&["PIPELINING"]);
    session.begin_transaction(wanted).unwrap();
    let mut group = Vec::new();
    let _ = session.poll(super::peer::origin(), b"", &mut group);
    assert!((16_000..17_000).contains(&group.len()), "{}", group.len());
    assert!(group.ends_with(b".example>\r\n"), "DATA waits for the replies");
}

// [RFC 5321 §4.1.4-g] test
#[test]
fn failed_transaction_is_reset_before_the_next_one() {
    for offers in [vec!["PIPELINING"], vec![]] {
        let mut peer = Peer { data: Act::Say("451 4.3.0 no\r\n"), ..Peer::offering(&offers) };
        let run = drive(config(), &mut peer, vec![transaction(1); 2], CONTENT, &[0]);
        assert_eq!(run.results.len(), 2);
        let verbs: Vec<&str> = peer.commands.iter().filter_map(|c| c.get(..4)).collect();
        let once = ["MAIL", "RCPT", "DATA", "RSET"];
        assert_eq!(verbs, [&["EHLO"], &once[..], &once[..], &["QUIT"]].concat());
    }
}

// [RFC 3030 §2-j, §2-k] test
#[test]
fn large_content_goes_in_chunks_where_they_are_offered() {
    let content = ".line\n".repeat(200_000).into_bytes();
    let mut wanted = transaction(2);
    wanted.size = 1_400_000;
    for (offers, chunked) in [
        (vec!["CHUNKING", "PIPELINING"], true),
        (vec!["CHUNKING"], false),
        (vec!["PIPELINING"], false),
    ] {
        let mut peer = Peer::offering(&offers);
        let run = drive(config(), &mut peer, vec![wanted.clone()], &content, &[0]);
        assert_eq!(run.outcomes(), ["relayed", "relayed"]);
        assert_eq!(peer.contents, [".line\r\n".repeat(200_000)]);
        assert_eq!(peer.commands.iter().any(|c| c.starts_with("BDAT")), chunked, "{offers:?}");
        assert_eq!(peer.commands.iter().any(|c| c == "DATA"), !chunked, "{offers:?}");
    }
}

// [RFC 3030 §2-h] test
// [RFC 1870 §6.2-a] test
#[test]
fn refused_chunk_refuses_the_message_and_the_rest_is_noise() {
    let content = "line\r\n".repeat(200_000).into_bytes();
    let mut wanted = transaction(2);
    wanted.size = 1_200_000;
    let mut peer = Peer {
        chunk: Act::Say("552 5.3.4 too large\r\n"),
        end_of_data: Act::Say("503 5.5.1 no\r\n"),
        ..Peer::offering(&["CHUNKING", "PIPELINING"])
    };
    let run = drive(config(), &mut peer, vec![wanted, transaction(1)], &content, &[0]);
    assert_eq!(codes(&run.results[0]), ["5.3.4", "5.3.4"]);
    assert_eq!(run.results[1][0].outcome.name(), "failed", "goes by DATA, and meets the 503");
    assert!(peer.commands.iter().any(|c| c == "RSET"));
    assert_eq!(run.close.unwrap().reason, CloseReason::Quit);
}

#[test]
fn lost_reply_to_the_last_chunk_is_a_doubt() {
    let content = "line\r\n".repeat(200_000).into_bytes();
    let mut wanted = transaction(1);
    wanted.size = 1_200_000;
    let offers = ["CHUNKING", "PIPELINING"];
    for act in [Act::Close, Act::Silence, Act::Say("hm\r\n"), Act::Say("354 hm\r\n")] {
        let mut peer = Peer { end_of_data: act.clone(), ..Peer::offering(&offers) };
        let run = drive(config(), &mut peer, vec![wanted.clone()], &content, &[0]);
        assert_eq!(run.outcomes(), ["in doubt"], "{act:?}");
    }
}

// [RFC 3207 §4-c, §4.2-b, §4.2-d, §4.2-e] test
#[test]
fn starttls_forgets_what_was_offered_in_the_clear() {
    for tls in [ClientTls::Opportunistic, ClientTls::Required] {
        let mut peer = Peer::offering(&["STARTTLS", "SIZE 1", "PIPELINING"]);
        let run = send_with_tls(&mut peer, tls);
        assert_eq!(run.outcomes(), ["relayed"]);
        let hello = "EHLO client.example";
        assert_eq!(peer.commands[..3], [hello, "STARTTLS", hello]);
        assert_eq!(peer.commands[3], "MAIL FROM:<s@client.example>", "SIZE is forgotten");
    }
    let mut peer = Peer::offering(&["STARTTLS", "SIZE 1", "PIPELINING"]);
    peer.ehlo_in_tls = Act::Say("502 5.5.1 no\r\n");
    let run = send_with_tls(&mut peer, ClientTls::Required);
    assert_eq!(run.outcomes(), ["relayed"], "HELO in TLS, and nothing is offered any more");
    let mut peer = Peer::offering(&["STARTTLS"]);
    send_with_tls(&mut peer, ClientTls::Never);
    assert!(!peer.commands.iter().any(|c| c == "STARTTLS"));
    let mut peer = Peer::offering(&["STARTTLS"]);
    let secure = config().with_tls(ClientTls::Required).with_implicit_tls(true);
    let run = every_way(secure, &mut peer, vec![transaction(1)], CONTENT);
    assert_eq!(run.outcomes(), ["relayed"]);
    assert!(!peer.commands.iter().any(|c| c == "STARTTLS"));
}

// Attack 5.
// [RFC 3207 §4-b, §6-b] test
#[test]
fn octets_behind_the_consent_to_starttls_fail_closed() {
    for tls in [ClientTls::Opportunistic, ClientTls::Required] {
        for text in ["220 go\r\n250 injected\r\n", "220 go\r\nx"] {
            let mut peer = Peer { starttls: Act::Say(text), ..Peer::offering(&["STARTTLS"]) };
            // What comes later goes to the handshake, which does not take it either.
            let config = config().with_tls(tls);
            let run = drive(config, &mut peer, vec![transaction(1)], CONTENT, &[0]);
            let reason = CloseReason::PeerViolation(PeerViolation::OctetsBeforeTls);
            assert_eq!(run.close.unwrap().reason, reason);
            assert!(run.ready == 0 && peer.contents.is_empty());
        }
    }
}

// [RFC 3207 §4.1-a, §6-a] test
#[test]
fn required_tls_is_never_given_up() {
    let without = [
        Peer::offering(&[]),
        Peer { starttls: Act::Say("454 4.7.0 no\r\n"), ..Peer::offering(&["STARTTLS"]) },
        Peer { starttls: Act::Say("502 5.5.1 no\r\n"), ..Peer::offering(&["STARTTLS"]) },
        Peer { ehlo: Act::Say("502 5.5.1 no\r\n"), ..Peer::default() },
    ];
    for peer in without {
        let run = send_with_tls(&mut peer.clone(), ClientTls::Required);
        let reason = run.close.unwrap().reason;
        assert!(matches!(reason, CloseReason::TlsUnavailable | CloseReason::Refused), "{reason:?}");
        assert!(run.ready == 0 && run.results.is_empty());
        let run = send_with_tls(&mut peer.clone(), ClientTls::Opportunistic);
        assert_eq!(run.outcomes(), ["relayed"]);
    }
}

// [RFC 5321 §4.2-c, §4.2-d, §4.2.1-c, §4.3.2-a] test
#[test]
fn code_that_nobody_knows_counts_by_its_first_digit_whatever_the_text() {
    for (reply, outcome) in [
        ("250\r\n", "relayed"),
        ("259 \r\n", "relayed"),
        ("231 550 5.1.1 no\r\n", "relayed"),
        ("459\r\n", "deferred"),
        ("400 250 fine\r\n", "deferred"),
        ("559 451 later\r\n", "failed"),
        ("500\r\n", "failed"),
    ] {
        for verdict in [true, false] {
            let mut peer = Peer::default();
            let place = if verdict { &mut peer.end_of_data } else { &mut peer.mail };
            *place = Act::Say(reply);
            let run = send(&mut peer, 1);
            assert_eq!(run.outcomes(), [outcome], "{reply:?}");
        }
    }
}

// [RFC 9422 §3.6-a] test
#[test]
fn limits_told_in_the_clear_are_forgotten_in_tls() {
    let clear = ["STARTTLS", "LIMITS RCPTMAX=1 MAILMAX=1 RCPTDOMAINMAX=1"];
    let mut peer = Peer { offers_in_tls: vec!["STARTTLS"], ..Peer::offering(&clear) };
    let config = config().with_tls(ClientTls::Required);
    let run = every_way(config, &mut peer, vec![transaction(2); 2], CONTENT);
    let names: Vec<_> = run.results.iter().flatten().map(|r| r.outcome.name()).collect();
    assert_eq!(names, ["relayed"; 4]);
    assert_eq!(peer.commands.iter().filter(|line| *line == "STARTTLS").count(), 1);
}
