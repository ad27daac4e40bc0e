//! What holds for any script.

use proptest::prelude::*;
use transom_smtp::Protocol;
use transom_types::Outcome;

use super::peer::{Act, CONTENT, Peer, Run, config, drive, transaction};

/// An act that answers in full, so that a pipelined and a lock-step peer mean the same.
fn answer() -> BoxedStrategy<Act> {
    prop_oneof![
        6 => Just(Act::Agree),
        1 => Just(Act::Say("450 4.2.1 not now\r\n")),
        1 => Just(Act::Say("550-5.1.1 never\r\n550 5.1.1 ever\r\n")),
        1 => Just(Act::Say("552 many\r\n")),
        1 => Just(Act::SayAndClose("421 4.3.2 closing\r\n")),
        1 => Just(Act::Close),
        1 => Just(Act::Silence),
    ]
    .boxed()
}

/// Any act at all.
fn act() -> BoxedStrategy<Act> {
    prop_oneof![
        4 => answer(),
        1 => Just(Act::Say("what?\r\n")),
        1 => Just(Act::Say("250 2.0.0 a\r\n250 2.0.0 b\r\n")),
        1 => Just(Act::Say("354 go on\r\n")),
        1 => Just(Act::Say("354 go on\r\n250 2.0.0 taken\r\n")),
        1 => Just(Act::Say("250-2.0.0 half\r\n")),
        1 => Just(Act::SayAndClose("250 2.0.0 and gone\r\n")),
        1 => Just(Act::Say("250-a\r\n251 b\r\n")),
    ]
    .boxed()
}

fn peer(act: BoxedStrategy<Act>) -> impl Strategy<Value = Peer> {
    let acts = proptest::collection::vec(act.clone(), 4);
    let rcpt = proptest::collection::vec(act.clone(), 0..4);
    let verdicts = proptest::collection::vec(act, 0..4);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (acts, rcpt, verdicts, flags).prop_map(|(acts, rcpt, verdicts, flags)| {
        let (pipelining, consents, lmtp) = flags;
        let offers: &[&str] = if pipelining { &["SIZE", "PIPELINING"] } else { &["SIZE"] };
        let mut peer = Peer::offering(offers);
        peer.mail = acts[0].clone();
        peer.data = acts[1].clone();
        peer.end_of_data = acts[2].clone();
        peer.rset = acts[3].clone();
        peer.rcpt = rcpt;
        peer.consents_without_recipients = consents;
        (peer.lmtp, peer.verdicts) = (lmtp, if lmtp { verdicts } else { Vec::new() });
        peer
    })
}

/// Whether it gives more replies than it was asked for. Its later replies are then taken for those
/// to other commands, and where one of them is 354 the content goes out among the commands.
fn is_out_of_step(peer: &Peer) -> bool {
    let acts = [&peer.mail, &peer.data, &peer.end_of_data, &peer.rset].into_iter();
    let replies = |text: &str| text.lines().filter(|line| line.get(3..4) == Some(" ")).count();
    acts.chain(&peer.rcpt)
        .chain(&peer.verdicts)
        .any(|act| matches!(act, Act::Say(text) if replies(text) > 1))
}

fn run(peer: &mut Peer, recipients: u32, pieces: &[usize]) -> Run {
    let protocol = if peer.lmtp { Protocol::Lmtp } else { Protocol::Smtp };
    let config = config().with_protocol(protocol);
    drive(config, peer, vec![transaction(recipients); 2], CONTENT, pieces)
}

// Found by chance: the second reply to MAIL is taken for the one to the first RCPT, and so on, so
// that 354 seems to answer DATA. Nobody can tell; but nothing counts as sent.
#[test]
fn peer_out_of_step_is_never_taken_to_have_the_message() {
    let mut peer = Peer {
        mail: Act::Say("250 2.0.0 a\r\n250 2.0.0 b\r\n"),
        rcpt: vec![Act::Agree, Act::Say("354 go on\r\n")],
        data: Act::Close,
        ..Peer::default()
    };
    let run = run(&mut peer, 2, &[0]);
    assert!(is_out_of_step(&peer) && peer.contents.is_empty());
    assert_eq!(run.outcomes(), ["in doubt", "in doubt"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn each_recipient_gets_exactly_one_result(mut peer in peer(act()), recipients in 1u32..5) {
        let run = run(&mut peer, recipients, &[0]);
        prop_assert_eq!(run.results.len() + run.refusals.len(), run.ready.min(2));
        let places: Vec<u32> = (0..recipients).map(|at| at * 2 + 1).collect();
        for results in &run.results {
            let given: Vec<u32> = results.iter().map(|r| r.recipient).collect();
            prop_assert_eq!(&given, &places);
        }
    }

    // [RFC 5321 §3.3-e] test
    #[test]
    fn success_and_doubt_need_the_content_and_refusals_get_none(
        mut peer in peer(act()), recipients in 1u32..5,
    ) {
        let run = run(&mut peer, recipients, &[0]);
        if is_out_of_step(&peer) {
            return Ok(());
        }
        prop_assert!(peer.astray.is_empty(), "content among the commands: {:?}", peer.astray);
        let may_have = |o: &Outcome| matches!(o, Outcome::Relayed(_) | Outcome::InDoubt(_));
        let sent = run.results.iter().filter(|r| r.iter().any(|r| may_have(&r.outcome))).count();
        let whole = peer.contents.iter().filter(|content| !content.is_empty()).count();
        prop_assert!(sent <= whole, "{run:?}");
        // Where the peer gave its verdict on a content, each of its recipients had accepted.
        if whole == 0 {
            prop_assert!(!run.sent.windows(5).any(|octets| octets == b"..one"));
        }
    }

    #[test]
    fn pipelined_is_the_same_as_one_by_one(peer in peer(answer()), recipients in 1u32..5) {
        let mut pipelined = Peer { offers: vec!["SIZE", "PIPELINING"], ..peer.clone() };
        let mut one_by_one = Peer { offers: vec!["SIZE"], ..peer };
        let first = run(&mut pipelined, recipients, &[0]);
        let second = run(&mut one_by_one, recipients, &[0]);
        let outcomes = |run: &Run| run.results.first().cloned();
        prop_assert_eq!(outcomes(&first), outcomes(&second));
        let contents = |peer: &Peer| {
            peer.contents.iter().filter(|c| !c.is_empty()).cloned().collect::<Vec<_>>()
        };
        if first.results.len() == second.results.len() {
            prop_assert_eq!(contents(&pipelined), contents(&one_by_one));
        }
    }

    #[test]
    fn any_chunking_of_the_replies_gives_the_same(
        peer in peer(answer()), recipients in 1u32..5,
        pieces in proptest::collection::vec(1usize..9, 1..9),
    ) {
        let whole = run(&mut peer.clone(), recipients, &[0]);
        prop_assert_eq!(&run(&mut peer.clone(), recipients, &[1]), &whole);
        prop_assert_eq!(&run(&mut peer.clone(), recipients, &pieces), &whole);
    }

    #[test]
    fn arbitrary_octets_end_without_success(
        octets in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..5,
    ) {
        // Three digits by chance are possible; a whole success is not.
        let text: &'static str = String::from_utf8_lossy(&octets).into_owned().leak();
        let mut peer = Peer::default();
        let act = Act::SayAndClose(text);
        match at {
            0 => peer.greeting = act,
            1 => peer.ehlo = act,
            2 => peer.mail = act,
            3 => peer.data = act,
            _ => peer.end_of_data = act,
        }
        let run = run(&mut peer, 2, &[0]);
        prop_assert!(run.close.is_some());
        if !text.starts_with('2') {
            let relayed = |o: &Outcome| matches!(o, Outcome::Relayed(_));
            prop_assert!(!run.results.iter().flatten().any(|r| relayed(&r.outcome)), "{run:?}");
        }
    }
}
