//! Every place of the dialog with every way to go wrong there.

use std::time::Duration;

use transom_smtp::Protocol;
use transom_smtp::client::{
    ClientConfig, ClientOutput, ClientSession, ClientTimeouts, CloseReason, PeerViolation,
    Transaction,
};
use transom_types::{AttemptStage, BodyType, Outcome, ParseReplyError};

use super::peer::{Act, CONTENT, Peer, Run, config, drive, every_way, origin, send, transaction};

const TRANSIENT: Act = Act::Say("451 4.3.0 not now\r\n");
const PERMANENT: Act = Act::Say("550 5.7.1 never\r\n");
const CLOSING: Act = Act::SayAndClose("421 4.3.2 closing\r\n");
const GARBAGE: Act = Act::Say("HTTP/1.1 400 Bad Request\r\n");
const HALF_A_REPLY: Act = Act::SayAndClose("250-2.0.0 half\r\n250 2.0");
const GO_ON: Act = Act::Say("334 go on\r\n");
const TOO_LONG: Act = Act::Say("25");

/// Where a peer misbehaves.
type Place = fn(&mut Peer, Act);

/// What became of the only recipient; empty when no transaction began.
fn run_at(place: Place, act: Act, offers: &[&'static str]) -> (Peer, Run) {
    let mut peer = Peer::offering(offers);
    place(&mut peer, act);
    let run = send(&mut peer, 1);
    (peer, run)
}

/// What the driver saw, in short: outcome and stage of the recipient, and why the session ended.
fn short(run: &Run) -> (Option<(&'static str, AttemptStage)>, &'static str) {
    let close = run.close.as_ref().expect("a session ends");
    let reason = match &close.reason {
        CloseReason::PeerClosed => "closed",
        CloseReason::PeerViolation(PeerViolation::Garbage(_)) => "garbage",
        CloseReason::PeerViolation(PeerViolation::WrongReply { .. }) => "wrong",
        CloseReason::PeerViolation(_) => "unasked",
        CloseReason::Quit => "quit",
        CloseReason::Refused => "refused",
        CloseReason::TimedOut => "late",
        other => panic!("{other:?}"),
    };
    assert!(run.results.len() <= 1);
    let result = run.results.first().map(|results| {
        assert_eq!(results.len(), 1);
        let status = results[0].outcome.status().expect("every outcome here has a status");
        (results[0].outcome.name(), status.stage)
    });
    (result, reason)
}

const BOTH: [&[&str]; 2] = [&["PIPELINING"], &[]];

#[test]
fn before_the_transaction_the_session_just_ends() {
    let places: [(&str, Place); 3] = [
        ("greeting", |peer, act| peer.greeting = act),
        ("EHLO", |peer, act| peer.ehlo = act),
        ("HELO", |peer, act| {
            peer.ehlo = Act::Say("502 5.5.1 what\r\n");
            peer.helo = act;
        }),
    ];
    for (name, place) in places {
        for (act, reason) in [
            (TRANSIENT, "refused"),
            (PERMANENT, "refused"),
            (CLOSING, "refused"),
            (Act::Close, "closed"),
            (Act::Silence, "late"),
            (GARBAGE, "garbage"),
            (HALF_A_REPLY, "closed"),
            (GO_ON, "wrong"),
            (TOO_LONG, "late"),
        ] {
            if name == "EHLO" && act == PERMANENT {
                continue; // falls back to HELO
            }
            let (peer, run) = run_at(place, act.clone(), &["PIPELINING"]);
            assert_eq!(short(&run), (None, reason), "{act:?} at {name}");
            assert!(peer.contents.is_empty() && run.ready == 0);
            let outcome = run.close.unwrap().outcome();
            assert!(matches!(outcome, Outcome::Deferred(_)), "{act:?} at {name}: {outcome:?}");
        }
    }
}

// [RFC 5321 §4.1.1.10-e, §4.2-b] test
#[test]
fn each_stage_of_a_transaction_gives_its_recipient_one_result() {
    use AttemptStage::{Data, EndOfData, Mail, Rcpt};
    let places: [(AttemptStage, Place); 4] = [
        (Mail, |peer, act| peer.mail = act),
        (Rcpt, |peer, act| peer.rcpt = vec![act]),
        (Data, |peer, act| peer.data = act),
        (EndOfData, |peer, act| peer.end_of_data = act),
    ];
    for (stage, place) in places {
        for offers in BOTH {
            let unanswered = if stage == EndOfData { "in doubt" } else { "deferred" };
            // 334 consents to DATA by its first digit; then the script has no more to say.
            let go_on = match stage {
                Data => None,
                _ => Some((GO_ON, unanswered, "wrong")),
            };
            let cases = [
                (TRANSIENT, "deferred", "quit"),
                (PERMANENT, "failed", "quit"),
                (CLOSING, "deferred", "refused"),
                (Act::Close, unanswered, "closed"),
                (Act::Silence, unanswered, "late"),
                (GARBAGE, unanswered, "garbage"),
                (HALF_A_REPLY, unanswered, "closed"),
                (TOO_LONG, unanswered, if offers.is_empty() { "late" } else { "" }),
            ];
            for (act, outcome, reason) in cases.into_iter().chain(go_on) {
                let (peer, run) = run_at(place, act.clone(), offers);
                let (result, why) = short(&run);
                assert_eq!(result, Some((outcome, stage)), "{act:?} at {stage}, {offers:?}");
                // In a pipelined group half a line runs into the next reply.
                if !reason.is_empty() {
                    assert_eq!(why, reason, "{act:?} at {stage}, {offers:?}");
                }
                let contents = usize::from(stage == EndOfData);
                assert_eq!(peer.contents.len(), contents, "{act:?} at {stage}, {offers:?}");
                assert!(peer.astray.is_empty(), "{:?}", peer.astray);
            }
        }
    }
}

// [RFC 5321 §3.3-e] test
#[test]
fn positive_reply_to_data_is_no_consent_and_no_success() {
    for offers in BOTH {
        let (peer, run) =
            run_at(|peer, act| peer.data = act, Act::Say("250 2.0.0 fine\r\n"), offers);
        assert_eq!(short(&run), (Some(("deferred", AttemptStage::Data)), "wrong"));
        assert!(peer.contents.is_empty());
    }
}

#[test]
fn reply_before_its_command_never_counts() {
    let early = "354 go on\r\n250 2.0.0 taken already\r\n";
    for offers in BOTH {
        let (peer, run) = run_at(|peer, act| peer.data = act, Act::Say(early), offers);
        assert_eq!(short(&run), (Some(("deferred", AttemptStage::Content)), "unasked"));
        assert!(peer.contents.is_empty());
    }
    let early = "250 2.1.0 sender\r\n250 2.1.5 recipient\r\n354 go on\r\n250 2.0.0 taken\r\n";
    let (_, run) = run_at(|peer, act| peer.mail = act, Act::Say(early), &[]);
    assert_eq!(short(&run), (Some(("deferred", AttemptStage::Rcpt)), "unasked"));
    for place in [(|peer, act| peer.greeting = act) as Place, |peer, act| peer.ehlo = act] {
        let (_, run) = run_at(place, Act::Say("220 hello\r\n250 mx.example\r\n"), &[]);
        assert!(matches!(short(&run), (None | Some(("deferred", _)), "unasked")), "{run:?}");
    }
    // 421 is heard even where nothing was asked.
    let act = Act::Say("220 hello\r\n421 4.3.2 closing\r\n");
    let (_, run) = run_at(|peer, act| peer.greeting = act, act, &[]);
    assert_eq!(short(&run), (None, "refused"));
}

#[test]
fn reset_that_fails_ends_the_session_after_the_results() {
    for (act, reason) in [
        (TRANSIENT, "wrong"),
        (CLOSING, "refused"),
        (Act::Close, "closed"),
        (Act::Silence, "late"),
        (GARBAGE, "garbage"),
    ] {
        let mut peer = Peer { mail: PERMANENT, rset: act.clone(), ..Peer::default() };
        let run = send(&mut peer, 1);
        let expected = (Some(("failed", AttemptStage::Mail)), reason);
        assert_eq!(short(&run), expected, "{act:?}");
    }
}

#[test]
fn whatever_comes_after_quit_is_a_clean_end() {
    for act in [Act::Agree, TRANSIENT, CLOSING, Act::Close, Act::Silence] {
        let mut peer = Peer { quit: act.clone(), ..Peer::default() };
        let run = send(&mut peer, 1);
        assert_eq!(short(&run), (Some(("relayed", AttemptStage::EndOfData)), "quit"), "{act:?}");
    }
}

/// What a session is like that comes to one place.
type Setting = (ClientConfig, Peer, Transaction);

/// A place in plain SMTP.
fn plain(place: Place, offers: &[&'static str]) -> Setting {
    let mut peer = Peer::offering(offers);
    place(&mut peer, Act::Silence);
    (config(), peer, transaction(1))
}

// [RFC 5321 §4.5.3.2-a, §4.5.3.2-b, §4.5.4-a] test
#[test]
fn each_stage_waits_as_long_as_its_time_out() {
    let timeouts = ClientTimeouts::default();
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    assert_eq!((timeouts.mail, timeouts.rcpt, timeouts.data), (minutes(5), minutes(5), minutes(2)));
    assert_eq!((timeouts.content_block, timeouts.end_of_data), (minutes(3), minutes(10)));
    let mut settings: Vec<(Setting, Duration)> = Vec::new();
    let places: [(Place, Duration); 9] = [
        (|peer, act| peer.greeting = act, timeouts.greeting),
        (|peer, act| peer.ehlo = act, timeouts.ehlo),
        (
            |peer, act| {
                peer.ehlo = PERMANENT;
                peer.helo = act;
            },
            timeouts.ehlo,
        ),
        (|peer, act| peer.mail = act, timeouts.mail),
        (|peer, act| peer.rcpt = vec![act], timeouts.rcpt),
        (|peer, act| peer.data = act, timeouts.data),
        (|peer, act| peer.end_of_data = act, timeouts.end_of_data),
        (
            |peer, act| {
                peer.data = PERMANENT;
                peer.rset = act;
            },
            timeouts.mail,
        ),
        (|peer, act| peer.quit = act, timeouts.quit),
    ];
    for (place, timeout) in places {
        settings.extend(BOTH.map(|offers| (plain(place, offers), timeout)));
    }
    let starttls = plain(|peer, act| peer.starttls = act, &["STARTTLS"]);
    settings.push((starttls, timeouts.ehlo));
    let mut binary = transaction(1);
    binary.parameters.body = BodyType::BinaryMime;
    let chunk = Peer { chunk: Act::Silence, ..Peer::offering(&CHUNKS) };
    settings.push(((config(), chunk, binary), timeouts.end_of_data));
    let lmtp = Peer { lmtp: true, ehlo: Act::Silence, ..Peer::default() };
    settings.push(((config().with_protocol(Protocol::Lmtp), lmtp, transaction(1)), timeouts.ehlo));
    for ((config, mut peer, wanted), timeout) in settings {
        let run = every_way(config, &mut peer, vec![wanted], CONTENT);
        assert_eq!(run.took, timeout, "{run:?}");
        let reason = run.close.unwrap().reason;
        let quit = peer.quit == Act::Silence;
        assert_eq!(reason, if quit { CloseReason::Quit } else { CloseReason::TimedOut });
    }
}

const CHUNKS: [&str; 3] = ["PIPELINING", "CHUNKING", "BINARYMIME"];

#[test]
fn handshake_has_its_own_time_out() {
    let now = origin();
    let mut session = ClientSession::new(config(), now);
    let mut out = Vec::new();
    for reply in ["220 hi\r\n", "250-mx\r\n250 STARTTLS\r\n"] {
        let _ = session.poll(now, reply.as_bytes(), &mut out);
    }
    assert_eq!(session.poll(now, b"220 go\r\n", &mut out).output, ClientOutput::StartTls);
    let end = now + config().timeouts.handshake;
    assert_eq!(session.poll(now, b"", &mut out).output, ClientOutput::Wait(Some(end)));
    let ClientOutput::Close(close) = session.poll(end, b"", &mut out).output else {
        panic!("no end")
    };
    assert_eq!((close.reason, close.status.stage), (CloseReason::TimedOut, AttemptStage::Tls));
}

// [RFC 5321 §3.8-b] test
#[test]
fn shutdown_is_heard_at_every_place() {
    let places: [Place; 8] = [
        |peer, act| peer.greeting = act,
        |peer, act| peer.ehlo = act,
        |peer, act| peer.starttls = act,
        |peer, act| peer.mail = act,
        |peer, act| peer.rcpt = vec![Act::Agree, act],
        |peer, act| peer.data = act,
        |peer, act| peer.end_of_data = act,
        |peer, act| {
            peer.rcpt = vec![PERMANENT; 3];
            peer.rset = act;
        },
    ];
    for (at, place) in places.into_iter().enumerate() {
        for offers in [&["STARTTLS"] as &[_], &["STARTTLS", "PIPELINING"]] {
            let mut peer = Peer { offers_in_tls: offers.to_vec(), ..Peer::offering(offers) };
            place(&mut peer, CLOSING);
            let run = every_way(config(), &mut peer, vec![transaction(3)], CONTENT);
            let close = run.close.clone().unwrap();
            assert_eq!(close.reason, CloseReason::Refused, "place {at}, {offers:?}");
            assert_eq!(close.status.reply.text(), "closing");
            let expected: &[&str] = match at {
                0..=2 => &[],
                7 => &["failed"; 3],
                _ => &["deferred"; 3],
            };
            let names: Vec<_> = run.results.iter().flatten().map(|r| r.outcome.name()).collect();
            assert_eq!(names, expected, "place {at}, {offers:?}");
        }
    }
}

// Attack 29.
#[test]
fn endless_ehlo_reply_ends_the_session() {
    let lines: &'static str = "250-X\r\n".repeat(1_000_000).leak();
    let line: &'static str = "2".repeat(1024 * 1024).leak();
    for text in [lines, line] {
        for piece in [0, 4096] {
            let mut peer = Peer { ehlo: Act::Say(text), ..Peer::default() };
            let run = drive(config(), &mut peer, vec![transaction(1)], b"", &[piece]);
            let reason = run.close.unwrap().reason;
            let garbage =
                CloseReason::PeerViolation(PeerViolation::Garbage(ParseReplyError::TooLong {
                    octets_max: 65_536,
                    lines_max: 512,
                }));
            assert_eq!(reason, garbage);
        }
    }
}
