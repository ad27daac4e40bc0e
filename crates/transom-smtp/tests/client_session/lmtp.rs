//! LMTP (RFC 2033): LHLO, and behind the content one verdict for each accepted recipient.

use transom_smtp::Protocol;
use transom_smtp::client::{
    ClientConfig, ClientEvent, ClientOutput, ClientSession, CloseReason, PeerViolation,
};
use transom_types::{AttemptStage, BodyType};

use super::peer::{Act, CONTENT, Peer, Run, config, drive, every_way, origin, transaction};

const REFUSED: Act = Act::Say("550 5.2.1 not here\r\n");

fn lmtp() -> ClientConfig {
    config().with_protocol(Protocol::Lmtp)
}

fn peer(offers: &[&'static str]) -> Peer {
    Peer { lmtp: true, ..Peer::offering(offers) }
}

fn send(peer: &mut Peer, recipients: u32) -> Run {
    every_way(lmtp(), peer, vec![transaction(recipients)], CONTENT)
}

/// A peer that takes binary content, and content that goes in three chunks and a last one.
fn binary(recipients: u32) -> (Peer, transom_smtp::client::Transaction) {
    let mut wanted = transaction(recipients);
    wanted.parameters.body = BodyType::BinaryMime;
    (peer(&["PIPELINING", "CHUNKING", "BINARYMIME"]), wanted)
}

// [RFC 2033 §4.1] test
// [RFC 2033 §4.2] test
#[test]
fn each_accepted_recipient_gets_its_own_verdict_in_order() {
    for offers in [&["PIPELINING"] as &[_], &[]] {
        let mut peer = peer(offers);
        peer.rcpt = vec![Act::Agree, REFUSED, Act::Agree, Act::Agree];
        peer.verdicts = vec![
            Act::Say("250 2.1.5 first\r\n"),
            Act::Say("452 4.2.2 third\r\n"),
            Act::Say("552 5.2.2 fourth\r\n"),
        ];
        let run = send(&mut peer, 4);
        assert_eq!(run.outcomes(), ["relayed", "failed", "deferred", "failed"]);
        let status = |at: usize| run.results[0][at].outcome.status().unwrap().clone();
        let words = [0, 1, 2, 3].map(|at| (status(at).reply.text().to_owned(), status(at).stage));
        let expected = [
            ("first".to_owned(), AttemptStage::EndOfData),
            ("not here".to_owned(), AttemptStage::Rcpt),
            ("third".to_owned(), AttemptStage::EndOfData),
            ("fourth".to_owned(), AttemptStage::EndOfData),
        ];
        assert_eq!(words, expected);
        assert_eq!(peer.commands.first().unwrap(), "LHLO client.example");
        assert!(!peer.commands.iter().any(|c| c.starts_with("EHLO") || c.starts_with("HELO")));
        assert_eq!(run.close.unwrap().reason, CloseReason::Quit);
    }
}

#[test]
fn next_transaction_begins_behind_the_last_verdict() {
    let mut peer = peer(&["PIPELINING"]);
    peer.verdicts = vec![REFUSED];
    let run = every_way(lmtp(), &mut peer, vec![transaction(3); 2], CONTENT);
    assert_eq!((run.results.len(), run.ready, peer.contents.len()), (2, 3, 2));
    for results in &run.results {
        let names: Vec<_> = results.iter().map(|result| result.outcome.name()).collect();
        assert_eq!(names, ["failed", "relayed", "relayed"]);
    }
}

// [RFC 2033 §5-b] test
#[test]
fn verdicts_that_came_stand_and_the_others_are_in_doubt() {
    for lost in [
        Act::Close,
        Act::Silence,
        Act::Say("garbage\r\n"),
        Act::SayAndClose("250-2.0.0 half\r\n"),
        Act::SayAndClose("250 2.0"),
        Act::Say("354 go on\r\n"),
    ] {
        for count in 0..3 {
            let mut peer = peer(&["PIPELINING"]);
            peer.verdicts = vec![Act::Agree, REFUSED, Act::Agree];
            peer.verdicts.truncate(count);
            peer.verdicts.push(lost.clone());
            let run = send(&mut peer, 3);
            let mut expected = ["relayed", "failed", "relayed"];
            expected[count..].fill("in doubt");
            assert_eq!(run.outcomes(), expected, "{lost:?} after {count}");
            assert_ne!(run.close.unwrap().reason, CloseReason::Quit);
        }
    }
}

#[test]
fn shutdown_behind_the_content_is_the_verdict_on_one_recipient() {
    let mut peer = peer(&["PIPELINING"]);
    peer.verdicts = vec![Act::Agree, Act::SayAndClose("421 4.3.2 closing\r\n")];
    let run = send(&mut peer, 4);
    assert_eq!(run.outcomes(), ["relayed", "deferred", "in doubt", "in doubt"]);
    assert_eq!(run.close.unwrap().reason, CloseReason::Refused);
}

// [RFC 2033 §4.1] test
#[test]
fn refused_lhlo_is_not_tried_as_helo() {
    for (said, reason) in [
        ("500 5.5.1 what\r\n", CloseReason::Refused),
        ("451 4.3.0 later\r\n", CloseReason::Refused),
    ] {
        let mut peer = Peer { ehlo: Act::Say(said), ..peer(&[]) };
        let run = send(&mut peer, 1);
        assert_eq!((run.ready, run.close.unwrap().reason), (0, reason));
        assert_eq!(peer.commands, ["LHLO client.example"]);
    }
    // A peer that speaks SMTP does not know LHLO.
    let mut smtp = Peer::default();
    assert_eq!(send(&mut smtp, 1).close.unwrap().reason, CloseReason::Refused);
    let mut peer = Peer { ehlo: Act::Say("354 go\r\n"), ..peer(&[]) };
    let violation = PeerViolation::WrongReply { code: "354".parse().unwrap(), command: "LHLO" };
    let reason = send(&mut peer, 1).close.unwrap().reason;
    assert_eq!(reason, CloseReason::PeerViolation(violation));
}

// [RFC 2033 §4.3] test
#[test]
fn only_the_last_chunk_has_a_verdict_for_each_recipient() {
    let (mut peer, wanted) = binary(3);
    peer.verdicts = vec![Act::Agree, REFUSED];
    let run = every_way(lmtp(), &mut peer, vec![wanted], CONTENT);
    assert_eq!(run.outcomes(), ["relayed", "failed", "relayed"]);
    assert_eq!(peer.commands.iter().filter(|c| c.starts_with("BDAT")).count(), 4);
    assert_eq!(run.close.unwrap().reason, CloseReason::Quit);
    assert_eq!(peer.commands.last().unwrap(), "QUIT");
}

#[test]
fn refused_chunk_ends_a_session_whose_further_replies_nobody_can_count() {
    let (mut peer, wanted) = binary(2);
    peer.chunk = Act::Say("552 5.3.4 too large\r\n");
    let run = every_way(lmtp(), &mut peer, vec![wanted, transaction(1)], CONTENT);
    assert_eq!(run.outcomes(), ["failed", "failed"]);
    assert_eq!((run.ready, run.close.unwrap().reason), (1, CloseReason::Quit));
    assert!(peer.commands.last().unwrap().starts_with("BDAT"), "{:?}", peer.commands);
}

#[test]
fn shutdown_before_the_verdicts_means_all_recipients() {
    let (mut peer, wanted) = binary(2);
    peer.chunk = Act::SayAndClose("421 4.3.2 closing\r\n");
    let run = every_way(lmtp(), &mut peer, vec![wanted], CONTENT);
    assert_eq!(run.outcomes(), ["deferred", "deferred"]);
}

// [RFC 2033 §4.2] test
#[test]
fn consent_without_recipients_ends_the_session_without_a_dot() {
    let mut peer = peer(&["PIPELINING"]);
    peer.rcpt = vec![REFUSED; 2];
    peer.consents_without_recipients = true;
    let run = every_way(lmtp(), &mut peer, vec![transaction(2)], CONTENT);
    assert_eq!(run.outcomes(), ["failed", "failed"]);
    assert_eq!(run.close.unwrap().reason, CloseReason::Quit);
    assert!(run.sent.ends_with(b"DATA\r\n") && peer.contents.is_empty());
}

#[test]
fn verdict_beyond_the_recipients_changes_none() {
    let mut peer = peer(&["PIPELINING"]);
    peer.verdicts = vec![Act::Agree, Act::Say("550 5.0.0 a\r\n550 5.0.0 b\r\n")];
    let run = drive(lmtp(), &mut peer, vec![transaction(2); 2], CONTENT, &[0]);
    let names = |at: usize| run.results[at].iter().map(|r| r.outcome.name()).collect::<Vec<_>>();
    assert_eq!((names(0), names(1)), (vec!["relayed", "failed"], vec!["deferred"; 2]));
    let violation = CloseReason::PeerViolation(PeerViolation::UnaskedReply);
    assert_eq!(run.close.as_ref().unwrap().reason, violation);
    assert_eq!(peer.contents.len(), 1);
}

#[test]
fn each_verdict_has_the_whole_time_out() {
    let mut now = origin();
    let timeout = config().timeouts.end_of_data;
    let mut session = ClientSession::new(lmtp(), now);
    let mut out = Vec::new();
    let _ = session.poll(now, b"220 hi\r\n", &mut out);
    let _ = session.poll(now, b"250-mx\r\n250 PIPELINING\r\n", &mut out);
    session.begin_transaction(transaction(2)).unwrap();
    let _ = session.poll(now, b"", &mut out);
    let replies = b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n";
    let step = session.poll(now, replies, &mut out);
    assert_eq!(step.output, ClientOutput::Event(ClientEvent::SendContent));
    session.end_content(now, &mut out).unwrap();
    now += timeout / 2;
    let step = session.poll(now, b"250 first\r\n", &mut out);
    assert_eq!(step.output, ClientOutput::Wait(Some(now + timeout)));
    now += timeout;
    let ClientOutput::Event(ClientEvent::Done(results)) = session.poll(now, b"", &mut out).output
    else {
        panic!("no results");
    };
    let names: Vec<_> = results.iter().map(|result| result.outcome.name()).collect();
    assert_eq!(names, ["relayed", "in doubt"]);
}
