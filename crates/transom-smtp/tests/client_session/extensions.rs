//! What is asked for a message goes to peers that offer it; what must not be lost keeps it from
//! the others, and what may be lost is named.

use transom_smtp::client::{
    ClientMisuse, ClientSession, ClientTls, CloseReason, NotPassed, RefusalReason, Transaction,
};
use transom_types::{
    BodyType, DeliverBy, DeliverByMode, ExtensionParameter, FutureRelease, HoldInterval,
    MtPriority, Notify, OriginalRecipient, Outcome, Recipient, Ret,
};

use super::peer::{CONTENT, Peer, Run, config, every_way, origin, transaction};

fn with(change: impl FnOnce(&mut Transaction)) -> Transaction {
    let mut wanted = transaction(1);
    change(&mut wanted);
    wanted
}

fn send(offers: &[&'static str], wanted: Transaction) -> (Peer, Run) {
    let mut peer = Peer::offering(offers);
    let run = every_way(config(), &mut peer, vec![wanted], CONTENT);
    (peer, run)
}

/// The same in TLS, where alone the offers are made.
fn send_in_tls(offers: &[&'static str], wanted: Transaction) -> (Peer, Run) {
    let mut peer = Peer { offers_in_tls: offers.to_vec(), ..Peer::offering(&["STARTTLS"]) };
    let run = every_way(config().with_tls(ClientTls::Required), &mut peer, vec![wanted], CONTENT);
    (peer, run)
}

fn has_word(peer: &Peer, verb: &str, word: &str) -> bool {
    let mut lines = peer.commands.iter().filter(|line| line.starts_with(verb));
    lines.any(|line| line.split(' ').any(|has| has == word))
}

/// One thing asked for: how, by which keyword it is offered, and where and how it is passed.
struct Asked {
    ask: fn(&mut Transaction),
    offer: &'static str,
    verb: &'static str,
    word: &'static str,
    lost: NotPassed,
}

fn asked(
    ask: fn(&mut Transaction),
    offer: &'static str,
    verb: &'static str,
    word: &'static str,
    lost: NotPassed,
) -> Asked {
    Asked { ask, offer, verb, word, lost }
}

fn dsn() -> Vec<Asked> {
    vec![
        asked(|t| t.parameters.ret = Some(Ret::Full), "DSN", "MAIL", "RET=FULL", NotPassed::Dsn),
        asked(
            |t| t.parameters.envelope_id = Some("a+2Bb".parse().unwrap()),
            "DSN",
            "MAIL",
            "ENVID=a+2Bb",
            NotPassed::Dsn,
        ),
        asked(
            |t| t.recipients[0].1.parameters.notify = Some(Notify::new(true, false, true)),
            "DSN",
            "RCPT",
            "NOTIFY=SUCCESS,DELAY",
            NotPassed::Dsn,
        ),
        asked(
            |t| {
                let original = OriginalRecipient::rfc822("x@y").unwrap();
                t.recipients[0].1.parameters.original_recipient = Some(original);
            },
            "DSN",
            "RCPT",
            "ORCPT=rfc822;x@y",
            NotPassed::Dsn,
        ),
    ]
}

fn what_else_may_be_lost() -> Vec<Asked> {
    vec![
        asked(
            |t| t.parameters.auth = Some("s@x.example".parse().unwrap()),
            "AUTH PLAIN",
            "MAIL",
            "AUTH=s@x.example",
            NotPassed::Auth,
        ),
        asked(
            |t| t.parameters.deliver_by = DeliverBy::new(-5, DeliverByMode::Notify, true),
            "DELIVERBY 100",
            "MAIL",
            "BY=-5;NT",
            NotPassed::DeliverBy,
        ),
        asked(
            |t| t.parameters.mt_priority = MtPriority::new(-3),
            "MT-PRIORITY MIXER",
            "MAIL",
            "MT-PRIORITY=-3",
            NotPassed::MtPriority,
        ),
        asked(
            |t| {
                let since = "2014-04-03T23:01:00Z;C".parse().unwrap();
                t.recipients[0].1.parameters.valid_since = Some(since);
            },
            "RRVS",
            "RCPT",
            "RRVS=2014-04-03T23:01:00Z;C",
            NotPassed::Rrvs,
        ),
        asked(
            |t| {
                let own = ExtensionParameter::new("xtenant", Some("contoso")).unwrap();
                t.parameters.extensions = vec![own];
            },
            "xTenant now",
            "MAIL",
            "XTENANT=contoso",
            NotPassed::Extension("XTENANT".into()),
        ),
        asked(
            |t| {
                let own = ExtensionParameter::new("XHINT", None).unwrap();
                t.recipients[0].1.parameters.extensions = vec![own];
            },
            "XHINT",
            "RCPT",
            "XHINT",
            NotPassed::Extension("XHINT".into()),
        ),
    ]
}

// [RFC 5321 §4.1.1.3-c] test
// [RFC 3461 §5.2.1-a, §5.2.1-b, §5.2.1-c, §5.2.1-d, §5.2.2-a] test
// [RFC 4954 §5] test
#[test]
fn what_may_be_lost_goes_where_it_is_offered_and_is_named_elsewhere() {
    for Asked { ask, offer, verb, word, lost } in dsn().into_iter().chain(what_else_may_be_lost()) {
        let (peer, run) = send(&[offer], with(ask));
        assert!(has_word(&peer, verb, word), "{word}: {:?}", peer.commands);
        assert_eq!((run.outcomes(), run.not_passed), (vec!["relayed"], vec![vec![]]), "{word}");
        // Everything else is offered.
        let others = ["SIZE", "8BITMIME", "DSN", "AUTH LOGIN", "DELIVERBY", "MT-PRIORITY", "RRVS"];
        let name = |line: &str| line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let others: Vec<&str> = others.into_iter().filter(|o| name(o) != name(offer)).collect();
        let (peer, run) = send(&others, with(ask));
        let keyword = word.split('=').next().unwrap();
        let said = peer.commands.iter().flat_map(|line| line.split([' ', '=']));
        assert!(!said.into_iter().any(|has| has == keyword), "{word}: {:?}", peer.commands);
        assert_eq!((run.outcomes(), run.not_passed), (vec!["relayed"], vec![vec![lost]]), "{word}");
    }
}

#[test]
fn nothing_is_lost_where_nothing_was_asked_for_and_each_loss_is_named_once() {
    let (_, run) = send(&[], transaction(1));
    assert_eq!(run.not_passed, [vec![]]);
    let mut wanted = transaction(3);
    for (_, recipient) in &mut wanted.recipients {
        recipient.parameters.notify = Some(Notify::NEVER);
    }
    wanted.parameters.ret = Some(Ret::Full);
    let (_, run) = send(&[], wanted);
    assert_eq!(run.not_passed, [vec![NotPassed::Dsn]]);
}

#[test]
fn own_parameter_beyond_ascii_needs_smtputf8() {
    let own = |t: &mut Transaction| {
        let value = ExtensionParameter::new("XTENANT", Some("m\u{fc}ller")).unwrap();
        t.parameters.extensions = vec![value];
    };
    let (peer, run) = send(&["XTENANT", "SMTPUTF8"], with(own));
    assert_eq!(run.not_passed, [vec![NotPassed::Extension("XTENANT".into())]]);
    assert!(peer.commands.iter().all(|line| line.is_ascii()));
    let utf8 = |t: &mut Transaction| {
        own(t);
        t.utf8 = true;
    };
    let (peer, run) = send(&["XTENANT", "SMTPUTF8"], with(utf8));
    assert_eq!(run.not_passed, [vec![]]);
    assert!(has_word(&peer, "MAIL", "XTENANT=m\u{fc}ller"));
}

fn refusal(run: &Run) -> Option<(RefusalReason, String, &'static str)> {
    let refused = run.refusals.first()?;
    let outcome = &refused.results[0].outcome;
    Some((refused.reason, outcome.status().unwrap().code.to_string(), outcome.name()))
}

/// Asserts that the peer heard nothing of the message.
fn assert_refused(peer: &Peer, run: &Run, reason: RefusalReason, code: &str, name: &'static str) {
    assert_eq!(refusal(run), Some((reason, code.to_owned(), name)));
    assert!(!peer.commands.iter().any(|line| line.starts_with("MAIL")), "{:?}", peer.commands);
    assert_eq!(run.close.as_ref().unwrap().reason, CloseReason::Quit);
}

// [RFC 8689 §2-a, §4.2.1-a, §5-b] test
#[test]
fn message_that_requires_tls_goes_in_tls_to_a_peer_that_keeps_it_there() {
    let wanted = || with(|t| t.parameters.require_tls = true);
    let (peer, run) = send_in_tls(&["REQUIRETLS"], wanted());
    assert_eq!(run.outcomes(), ["relayed"]);
    assert!(has_word(&peer, "MAIL", "REQUIRETLS"));
    let (peer, run) = send_in_tls(&["SIZE"], wanted());
    assert_refused(&peer, &run, RefusalReason::RequireTls, "5.7.30", "failed");
    let (peer, run) = send(&["REQUIRETLS"], wanted());
    assert_refused(&peer, &run, RefusalReason::RequireTls, "5.7.30", "failed");
}

// [RFC 2852 §4] test
#[test]
fn message_to_be_returned_when_late_goes_where_the_time_is_kept() {
    for (seconds, offers, goes) in [
        (100, &["DELIVERBY"] as &[_], true),
        (100, &["DELIVERBY 100"], true),
        (99, &["DELIVERBY 100"], false),
        (100, &["SIZE"], false),
    ] {
        let by = DeliverBy::new(seconds, DeliverByMode::Return, false);
        let (peer, run) = send(offers, with(|t| t.parameters.deliver_by = by));
        if goes {
            assert!(has_word(&peer, "MAIL", &format!("BY={seconds};R")), "{offers:?}");
            assert_eq!(run.not_passed, [vec![]]);
        } else {
            assert_refused(&peer, &run, RefusalReason::DeliverBy, "5.4.7", "failed");
        }
    }
}

// RFC 4865 §4.
#[test]
fn message_to_be_held_goes_where_it_is_held_so_long() {
    const OFFER: &str = "FUTURERELEASE 600 2026-12-31T00:00:00Z";
    let hold = |seconds| FutureRelease::For(HoldInterval::new(seconds).unwrap());
    let until = |moment: &str| FutureRelease::Until(moment.parse().unwrap());
    for (hold, word) in [
        (hold(600), Some("HOLDFOR=600")),
        (hold(601), None),
        (until("2026-12-31T00:00:00Z"), Some("HOLDUNTIL=2026-12-31T00:00:00Z")),
        (until("2026-12-31T00:00:01Z"), None),
    ] {
        let (peer, run) = send(&[OFFER], with(|t| t.parameters.hold = Some(hold)));
        match word {
            Some(word) => assert!(has_word(&peer, "MAIL", word), "{word}"),
            None => {
                assert_refused(&peer, &run, RefusalReason::FutureRelease, "4.3.3", "deferred");
            }
        }
        let (peer, run) = send(&["SIZE"], with(|t| t.parameters.hold = Some(hold)));
        assert_refused(&peer, &run, RefusalReason::FutureRelease, "4.3.3", "deferred");
    }
}

// RFC 7293 §5.
#[test]
fn recipient_whose_owner_must_be_known_fails_alone_where_nobody_looks() {
    let since = Some("2014-04-03T23:01:00Z".parse().unwrap());
    let mut wanted = transaction(2);
    wanted.recipients[0].1.parameters.valid_since = since;
    let (peer, run) = send(&["RRVS"], wanted.clone());
    assert!(has_word(&peer, "RCPT", "RRVS=2014-04-03T23:01:00Z"));
    assert_eq!(run.outcomes(), ["relayed", "relayed"]);
    let (peer, run) = send(&[], wanted.clone());
    assert_eq!(run.outcomes(), ["failed", "relayed"]);
    assert_eq!(run.results[0][0].outcome.status().unwrap().code.to_string(), "5.7.19");
    assert_eq!(peer.commands.iter().filter(|line| line.starts_with("RCPT")).count(), 1);
    wanted.recipients.truncate(1);
    let (peer, run) = send(&[], wanted);
    assert_refused(&peer, &run, RefusalReason::Rrvs, "5.7.19", "failed");
}

#[test]
fn recipients_that_cannot_go_each_have_a_reason_of_their_own() {
    let mut wanted = transaction(2);
    wanted.recipients[0].1.parameters.valid_since = Some("2014-04-03T23:01:00Z".parse().unwrap());
    wanted.recipients[1].1 =
        Recipient::from("<\u{fc}@mx.example>".parse::<transom_types::ForwardPath>().unwrap());
    let (peer, run) = send(&[], wanted);
    assert_refused(&peer, &run, RefusalReason::Rrvs, "5.7.19", "failed");
    let code = run.refusals[0].results[1].outcome.status().unwrap().code;
    assert_eq!(code.to_string(), "5.6.7");
}

fn to(paths: &[&str]) -> Transaction {
    let path = |path: &&str| path.parse::<transom_types::ForwardPath>().unwrap();
    let recipients = paths.iter().map(path).map(Recipient::from);
    Transaction { recipients: (0..).zip(recipients).collect(), ..transaction(0) }
}

// [RFC 9422 §4.3-a] test
#[test]
fn session_keeps_to_the_number_of_domains() {
    let mut peer = Peer::offering(&["LIMITS RCPTDOMAINMAX=2"]);
    let wanted = vec![
        to(&["<a@one.example>", "<b@ONE.example>", "<postmaster>"]),
        to(&["<a@two.example>", "<a@three.example>", "<c@one.example>"]),
        to(&["<a@three.example>"]),
        to(&["<d@two.example>"]),
    ];
    let run = every_way(config(), &mut peer, wanted, CONTENT);
    let names = |at: usize| run.results[at].iter().map(|r| r.outcome.name()).collect::<Vec<_>>();
    assert_eq!(names(0), ["relayed"; 3]);
    assert_eq!(names(1), ["relayed", "deferred", "relayed"]);
    assert_eq!(names(2), ["relayed"], "the fourth transaction");
    let refused = refusal(&run);
    let expected = (RefusalReason::RecipientDomains, "4.5.3".to_owned(), "deferred");
    assert_eq!(refused, Some(expected));
    assert!(!peer.commands.iter().any(|line| line.contains("three")));
}

#[test]
fn recipient_beyond_the_number_uses_up_no_domain() {
    let mut peer = Peer::offering(&["LIMITS RCPTMAX=1 RCPTDOMAINMAX=2"]);
    let wanted = vec![to(&["<a@one.example>", "<a@two.example>"]), to(&["<a@three.example>"])];
    let run = every_way(config(), &mut peer, wanted, CONTENT);
    let names: Vec<_> = run.results.iter().flatten().map(|r| r.outcome.name()).collect();
    assert_eq!(names, ["relayed", "deferred", "relayed"]);
}

const BINARY: &[u8] = b"\0\r\n.\r\n\rx\n\n\xff.";

fn binary() -> Transaction {
    with(|t| {
        t.parameters.body = BodyType::BinaryMime;
        t.eight_bit = true;
        t.size = u64::try_from(BINARY.len()).unwrap();
    })
}

// [RFC 3030 §2-j, §3-c, §3-d] test
#[test]
fn binary_content_arrives_octet_by_octet() {
    for content in [BINARY, b"", b"\r\n", b"text\r\n", b"no end"] {
        let mut peer = Peer::offering(&["PIPELINING", "CHUNKING", "BINARYMIME"]);
        let run = every_way(config(), &mut peer, vec![binary()], content);
        assert_eq!(run.outcomes(), ["relayed"]);
        assert_eq!(peer.chunked, content);
        assert!(has_word(&peer, "MAIL", "BODY=BINARYMIME"));
        assert!(!peer.commands.iter().any(|line| line == "DATA"));
        assert_eq!(peer.commands.iter().filter(|line| line.ends_with(" LAST")).count(), 1);
    }
}

// [RFC 3030 §3-e] test
#[test]
fn binary_content_goes_to_no_peer_that_does_not_take_it() {
    for offers in [
        &["CHUNKING", "PIPELINING", "8BITMIME"] as &[_],
        &["BINARYMIME", "PIPELINING", "8BITMIME"],
        &["BINARYMIME", "CHUNKING", "8BITMIME"],
        &["8BITMIME"],
    ] {
        let (peer, run) = send(offers, binary());
        assert_refused(&peer, &run, RefusalReason::BinaryMime, "5.6.3", "failed");
    }
}

#[test]
fn text_with_nul_is_not_sent() {
    let now = origin();
    let mut session = ClientSession::new(config(), now);
    let mut out = Vec::new();
    let replies = ["220 hi\r\n", "250 mx.example\r\n"];
    for reply in replies {
        let _ = session.poll(now, reply.as_bytes(), &mut out);
    }
    session.begin_transaction(transaction(1)).unwrap();
    for reply in ["", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
        let _ = session.poll(now, reply.as_bytes(), &mut out);
    }
    let before = out.clone();
    let misuse = session.write_content(b"a\0b\r\n", &mut out);
    assert_eq!((misuse, &out), (Err(ClientMisuse::NulInContent), &before));
    session.write_content(b"ab\r\n", &mut out).unwrap();
    assert!(out.ends_with(b"ab\r\n"));
}

#[test]
fn body_and_size_of_the_parameters_are_made_anew() {
    let claims = |t: &mut Transaction| {
        t.parameters.body = BodyType::EightBitMime;
        t.parameters.size = Some(5);
        t.parameters.smtputf8 = true;
    };
    let (peer, run) = send(&["SIZE", "8BITMIME", "SMTPUTF8"], with(claims));
    assert_eq!(peer.commands[1], "MAIL FROM:<s@client.example> SIZE=12");
    assert!(matches!(run.results[0][0].outcome, Outcome::Relayed(_)));
}
