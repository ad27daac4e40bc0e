//! What is put into a record reads back, and any octets are read without panic.

use proptest::prelude::*;
use transom_types::{
    BodyType, ConnectorId, EnvelopeId, ExtensionParameter, FutureRelease, HoldInterval,
    MailParameters, MtPriority, Notify, OriginalRecipient, RcptParameters, Recipient, RemoteHost,
    Ret, SessionId, Submitter, Timestamp,
};

use super::super::accept::{AcceptRecord, put_accept, read_accept, read_summary};
use super::super::body::{Body, BodyId, Place, block_crcs};
use super::super::boot::BootRecord;
use super::super::fields::{Fields, put_octets};
use super::super::frame::RecordType;
use super::super::outcome::{is_terminal, put_outcome, read_outcome};
use super::super::state::{
    put_admin, put_categorized, put_decision, put_intent, put_settle, read_admin, read_categorized,
    read_intent, read_settle_summary, replay,
};
use super::*;
use crate::message::{Decided, MessageState, RecipientState};
use crate::spool::{Decide, Edit, EditList};

fn time() -> impl Strategy<Value = SystemTime> {
    (0..1u64 << 40, 0..1_000_000_000u32)
        .prop_map(|(seconds, nanos)| SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos))
}

fn any_status() -> impl Strategy<Value = Status> {
    let code = (2..6u16, 0..6u16, 0..10u16).prop_map(|(a, b, c)| a * 100 + b * 10 + c);
    let stage = prop_oneof![
        Just(AttemptStage::Routing),
        Just(AttemptStage::EndOfData),
        Just(AttemptStage::Queue),
    ];
    let remote = proptest::option::of(("[a-z.]{1,9}", any::<Option<[u8; 4]>>()));
    (code, any::<Option<(u16, u16)>>(), "[ -~\n]{0,99}", stage, remote).prop_map(
        |(code, enhanced, text, stage, remote)| {
            let code = ReplyCode::try_from(code).unwrap();
            let reply = match enhanced {
                Some((subject, detail)) => {
                    Reply::new(code, EnhancedStatusCode::permanent(subject, detail), text)
                }
                None => Reply::bare(code, text),
            };
            let mut status = Status::local(stage, reply);
            status.remote = remote.map(|(name, address)| RemoteHost {
                name,
                address: address.map(|octets| (octets, 25).into()),
            });
            status
        },
    )
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        any_status().prop_map(Outcome::Delivered),
        any_status().prop_map(Outcome::Relayed),
        any_status().prop_map(Outcome::Deferred),
        any_status().prop_map(Outcome::Failed),
        any_status().prop_map(Outcome::InDoubt),
        Just(Outcome::Transferred),
        Just(Outcome::Expanded),
        Just(Outcome::Redirected),
        Just(Outcome::Duplicate),
        any_status().prop_map(Outcome::Removed),
    ]
}

fn recipient() -> impl Strategy<Value = (Recipient, RecipientState)> {
    let path = prop_oneof![
        Just("<Postmaster>".to_owned()),
        "[a-z]{1,9}".prop_map(|name| format!("<{name}@Example.COM>")),
        "[a-z ]{1,9}".prop_map(|name| format!("<\"{name}\"@[192.0.2.1]>")),
    ];
    let notify = proptest::option::of((any::<bool>(), any::<bool>(), any::<bool>()));
    let state = (any::<u32>(), proptest::option::of(outcome()), proptest::option::of(time()));
    (path, notify, any::<bool>(), state).prop_map(|(path, notify, original, state)| {
        let mut parameters = RcptParameters::default();
        parameters.notify = notify.map(|(s, f, d)| Notify::new(s, f, d));
        parameters.original_recipient =
            original.then(|| OriginalRecipient::rfc822("a+b@example.org").unwrap());
        if original {
            parameters.valid_since = Some("2014-04-03T23:01:00Z;C".parse().unwrap());
            let extension = ExtensionParameter::new("XROUTE", Some("7")).unwrap();
            parameters.extensions.push(extension);
        }
        let (attempts, outcome, retry_at) = state;
        let forward_path = path.parse().unwrap();
        (Recipient { forward_path, parameters }, RecipientState { attempts, outcome, retry_at })
    })
}

fn ingress() -> impl Strategy<Value = Ingress> {
    let kind =
        prop_oneof![Just(IngressKind::Smtp), Just(IngressKind::Dsn), Just(IngressKind::Program)];
    let word = || proptest::option::of("\\PC{0,20}");
    let peer = any::<Option<([u16; 8], u16)>>();
    (kind, "\\PC{0,20}", peer, word(), word(), word(), any::<Option<u64>>()).prop_map(
        |(kind, connector, peer, helo, identity, tls, session)| Ingress {
            kind,
            connector,
            peer: peer.map(Into::into),
            helo,
            identity,
            tls,
            session: session.map(SessionId),
        },
    )
}

fn parameters() -> impl Strategy<Value = MailParameters> {
    any::<(bool, bool, Option<bool>, Option<u64>, bool)>().prop_map(
        |(eight_bit, envelope_id, full, size, smtputf8)| {
            let mut parameters = MailParameters::default();
            parameters.body = if eight_bit { BodyType::EightBitMime } else { BodyType::SevenBit };
            parameters.envelope_id =
                envelope_id.then(|| "QQ+2B314159".parse::<EnvelopeId>().unwrap());
            parameters.ret = full.map(|full| if full { Ret::Full } else { Ret::Headers });
            parameters.size = size;
            parameters.smtputf8 = smtputf8;
            parameters
        },
    )
}

/// Those that came later, on top of the others.
fn all_parameters() -> impl Strategy<Value = MailParameters> {
    let priority = -9i8..=9;
    (parameters(), any::<[bool; 8]>(), 1u32..=999_999_999, priority).prop_map(
        |(mut parameters, on, seconds, priority)| {
            let mailbox = || "e+mc2@example.org".parse().unwrap();
            parameters.auth = on[0]
                .then(|| if on[1] { Submitter::Unknown } else { Submitter::Mailbox(mailbox()) });
            if on[2] {
                parameters.body = BodyType::BinaryMime;
            }
            parameters.deliver_by = on[3].then(|| "120;RT".parse().unwrap());
            let interval = FutureRelease::For(HoldInterval::new(seconds).unwrap());
            let until = FutureRelease::Until(Timestamp::from_unix(seconds.into()).unwrap());
            parameters.hold = on[4].then_some(if on[5] { interval } else { until });
            parameters.mt_priority = on[6].then(|| MtPriority::new(priority).unwrap());
            parameters.require_tls = on[7];
            if on[1] {
                parameters.extensions = vec![
                    ExtensionParameter::new("XFLAG", None).unwrap(),
                    ExtensionParameter::new("XTENANT", Some("contoso")).unwrap(),
                ];
            }
            parameters
        },
    )
}

fn facts() -> impl Strategy<Value = ContentFacts> {
    (any::<(u64, u64, bool, u64, u32, u32, bool)>(), proptest::option::of("\\PC{0,40}")).prop_map(
        |((octets, header, eight_bit, line, received, own, message_id), subject)| ContentFacts {
            octets,
            header_octets: header,
            eight_bit,
            line_octets_max: line,
            received_count: received,
            own_received_count: own,
            message_id: message_id.then(|| "<1@example.org>".parse().unwrap()),
            subject,
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    let place = prop_oneof![Just(Place::Inline), Just(Place::Elsewhere), Just(Place::Blob)];
    (any::<(u64, u32, u64, Vec<u32>)>(), place).prop_map(
        |((message, generation, octets, crcs), place)| Body {
            id: BodyId { message, generation },
            octets,
            crcs,
            place,
        },
    )
}

fn an_intent() -> impl Strategy<Value = Intent> {
    (any::<Vec<u32>>(), "\\PC{0,20}", any::<u32>()).prop_map(|(recipients, host, attempt)| Intent {
        recipients,
        host,
        attempt,
    })
}

fn decided(number: u128) -> Decided {
    let route = ConnectorId::new(&format!("to {number}"));
    let route = Some(route).filter(|_| !number.is_multiple_of(3));
    Decided { route, require_tls: number.is_multiple_of(2) }
}

fn record() -> impl Strategy<Value = AcceptRecord> {
    let recipients = proptest::collection::vec(recipient(), 0..4);
    let state = (proptest::option::of(an_intent()), any::<Option<String>>(), any::<bool>());
    let ids = any::<(u128, Option<u64>)>();
    let rest = (ids, time(), any::<bool>(), any::<Vec<u32>>());
    (recipients, state, ingress(), all_parameters(), facts(), body(), rest).prop_map(
        |(recipients, state, ingress, parameters, facts, body, (ids, at, null, taken))| {
            let (recipients, states) = recipients.into_iter().unzip();
            let path = if null { "<>" } else { "<a@example.org>" };
            let envelope = Envelope { reverse_path: path.parse().unwrap(), parameters, recipients };
            let accepted = Accepted {
                network_id: NetworkMessageId(ids.0),
                parent: ids.1.map(InternalMessageId),
                received_at: at,
                ingress,
                envelope,
                facts,
            };
            let (intent, suspended, delay_notified) = state;
            let edit = Edit { at: 3, remove: 2, insert: ids.0.to_le_bytes().to_vec().into() };
            let edits = EditList::new(if null { vec![edit] } else { Vec::new() }).unwrap();
            let decided = null.then(|| decided(ids.0));
            let state = MessageState {
                recipients: states,
                intent,
                suspended,
                delay_notified,
                edits,
                decided,
            };
            // A field that this version does not know.
            let mut unknown = Vec::new();
            put_octets(&mut unknown, 200, b"of a later version");
            AcceptRecord { accepted, state, body, taken, unknown }
        },
    )
}

proptest! {
    #[test]
    fn an_accept_with_all_that_became_of_it_reads_back(record in record()) {
        let mut out = Vec::new();
        record.put(&mut out).unwrap();
        let read = read_accept(&out).unwrap();
        prop_assert_eq!(&read, &record);
        prop_assert_eq!(read_summary(&out).unwrap(), record.summary());
    }

    #[test]
    fn a_new_accept_has_the_state_of_a_new_message(record in record()) {
        let mut out = Vec::new();
        put_accept(&mut out, &record.accepted, None, &record.body, &record.taken).unwrap();
        let read = read_accept(&out).unwrap();
        prop_assert_eq!(read.state, MessageState::new(&record.accepted));
        prop_assert_eq!(read.accepted, record.accepted);
    }

    #[test]
    fn outcomes_read_back_and_their_end_is_seen(outcome in outcome()) {
        let mut out = Vec::new();
        put_outcome(&mut out, &outcome).unwrap();
        prop_assert_eq!(is_terminal(Fields::new(&out)), Ok(outcome.is_terminal()));
        prop_assert_eq!(read_outcome(Fields::new(&out)), Ok(outcome));
    }

    #[test]
    fn a_settlement_replays_as_it_was_applied(
        settled in proptest::collection::vec((0..3u32, outcome(), any::<bool>(), time()), 0..5),
        delay_notified: bool,
    ) {
        let settled: Vec<Settled> = settled
            .into_iter()
            .map(|(recipient, outcome, attempted, retry_at)| Settled {
                recipient, outcome, attempted, retry_at: Some(retry_at),
            })
            .collect();
        let mut out = Vec::new();
        put_settle(&mut out, &settled, delay_notified).unwrap();
        let mut state = MessageState::new(&accepted(3));
        let mut replayed = state.clone();
        state.settle(&settled, delay_notified).unwrap();
        replay(&mut replayed, RecordType::Outcome, &out).unwrap();
        prop_assert_eq!(replayed, state);
        let ends = settled.iter().map(|to| (to.recipient, to.outcome.is_terminal()));
        prop_assert_eq!(read_settle_summary(&out).unwrap(), ends.collect::<Vec<_>>());
    }

    #[test]
    fn intents_and_forks_read_back(intent in an_intent(), first: Vec<u32>, second: Vec<u32>) {
        let mut out = Vec::new();
        put_intent(&mut out, &intent);
        prop_assert_eq!(read_intent(Fields::new(&out)).unwrap(), intent);
        out.clear();
        put_categorized(&mut out, [(1, first.as_slice()), (2, second.as_slice())]);
        prop_assert_eq!(read_categorized(&out).unwrap(), [first, second].concat());
    }

    #[test]
    fn a_decision_replays_as_it_was_applied(
        number: u128, ended in proptest::collection::btree_map(0..3u32, outcome(), 0..3),
    ) {
        let ended = ended.into_iter().filter(|(_, outcome)| outcome.is_terminal());
        let ended: Vec<Settled> = ended
            .map(|(recipient, outcome)| Settled {
                recipient, outcome, attempted: false, retry_at: None,
            })
            .collect();
        let decide = Decide {
            id: InternalMessageId(1), decided: decided(number), ended, copies: Vec::new(),
        };
        let mut out = Vec::new();
        put_decision(&mut out, &decide.decided, &decide.ended).unwrap();
        let mut state = MessageState::new(&accepted(3));
        let mut replayed = state.clone();
        state.decide(&accepted(3), 100, &decide).unwrap();
        replay(&mut replayed, RecordType::Categorized, &out).unwrap();
        prop_assert_eq!(replayed, state);
        let places: Vec<u32> = decide.ended.iter().map(|ended| ended.recipient).collect();
        prop_assert_eq!(read_categorized(&out).unwrap(), places);
    }

    #[test]
    fn a_boot_reads_back(
        epoch: u32, clean: bool, machine in "\\PC{0,40}", ends: Vec<(u32, u64)>,
    ) {
        let boot = BootRecord { epoch, clean, machine, ends };
        let mut out = Vec::new();
        boot.put(&mut out);
        prop_assert_eq!(BootRecord::read(&out).unwrap(), boot);
    }

    #[test]
    fn any_octets_are_read_without_panic(octets: Vec<u8>, kind in 0..8usize) {
        let kinds = [
            RecordType::Boot, RecordType::Accept, RecordType::Categorized, RecordType::Intent,
            RecordType::Outcome, RecordType::Admin, RecordType::Complete,
            RecordType::Edit,
        ];
        let _ = (read_accept(&octets), read_summary(&octets), BootRecord::read(&octets));
        let _ = replay(&mut MessageState::new(&accepted(2)), kinds[kind], &octets);
    }

    #[test]
    fn a_damaged_accept_is_read_without_panic(record in record(), at: usize, bit in 0..8u8) {
        let mut out = Vec::new();
        record.put(&mut out).unwrap();
        let at = at % out.len();
        out[at] ^= 1 << bit;
        let _ = (read_accept(&out), read_summary(&out));
    }
}

#[test]
fn admin_verbs_read_back() {
    for verb in [AdminVerb::Suspend, AdminVerb::Resume, AdminVerb::Remove] {
        let mut out = Vec::new();
        put_admin(&mut out, verb, "me");
        assert_eq!(read_admin(&out), Ok((verb, "me".to_owned())));
    }
}

#[test]
fn a_body_verifies_only_whole_and_unchanged() {
    let octets = vec![7u8; 200_000];
    let crcs = block_crcs(&octets);
    assert_eq!(crcs.len(), 4);
    let body = Body { id: BodyId::of_message(1), octets: 200_000, crcs, place: Place::Inline };
    assert!(body.verifies(&octets));
    assert!(!body.verifies(&octets[..199_999]));
    let mut changed = octets;
    changed[150_000] ^= 1;
    assert!(!body.verifies(&changed));
}

#[test]
fn names_of_files_give_the_id_back() {
    let id = BodyId { message: 0x1_0000_0abc, generation: 3 };
    assert_eq!(id.path(), "blob/bc/0000000100000abc-3");
    assert_eq!(BodyId::from_name(&id.name()), Some(id));
    for name in ["", "0-0", "0000000100000ABC-3", "0000000100000abc-03", "0000000100000abc"] {
        assert_eq!(BodyId::from_name(name), None, "{name}");
    }
}
