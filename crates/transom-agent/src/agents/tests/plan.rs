//! Effects, applied: all or nothing, and as few copies as can be (checklist A14).

use bytes::Bytes;
use proptest::prelude::*;
use transom_message::HeaderSection;
use transom_types::{Mailbox, MtPriority};

use super::*;
use crate::effects::{
    Effect, EffectError, FieldMatch, GeneratedMessage, HeaderChange, Lineage, NewField, Scope,
    Treatment,
};

const RESOLVED: AgentEvent = AgentEvent::Resolved;

fn apply(plan: &mut MessagePlan, effects: &[(Scope, Effect)]) -> Result<(), EffectError> {
    let mut asked = Effects::default();
    for (scope, effect) in effects {
        asked.push(scope.clone(), effect.clone());
    }
    plan.apply(&Arc::from("agent"), RESOLVED, &asked)
}

fn some(places: &[u32]) -> Scope {
    Scope::Recipients(places.to_vec())
}

#[test]
fn recipients_that_are_treated_alike_share_a_copy() {
    let mut plan = plan(5);
    let route = |name: &str| Effect::SetRoute(ConnectorId::new(name));
    apply(&mut plan, &[(some(&[0, 1, 2]), Effect::RequireTls), (some(&[2]), route("a"))]).unwrap();
    // By another way to the same treatment.
    apply(&mut plan, &[(some(&[3]), route("a")), (some(&[3]), Effect::RequireTls)]).unwrap();
    apply(&mut plan, &[(Scope::All, Effect::SetPriority(MtPriority::new(3).unwrap()))]).unwrap();
    let copies: Vec<_> = plan.bifurcate().into_iter().map(|copy| copy.recipients).collect();
    assert_eq!(copies, [vec![0, 1], vec![2, 3], vec![4]]);
}

#[test]
fn recipients_that_are_routed_apart_are_in_different_copies() {
    let mut plan = plan(3);
    for (place, domain) in [(0, "a.example"), (1, "b.example"), (2, "a.example")] {
        plan.set_next_hop(place, next_hop(DeliveryType::DnsConnectorDelivery, domain));
    }
    let copies: Vec<_> = plan.bifurcate().into_iter().map(|copy| copy.recipients).collect();
    assert_eq!(copies, [vec![0, 2], vec![1]]);
}

#[test]
fn addresses_and_ends_need_no_copy_of_their_own() {
    let mut plan = plan(4);
    let quarantine: Mailbox = "quarantine@contoso.com".parse().unwrap();
    let added = path("archive@contoso.com");
    let effects = [
        (some(&[0]), Effect::Redirect(quarantine)),
        (some(&[1]), Effect::DropRcpt),
        (some(&[1, 2]), Effect::Reject(refusal())),
        (Scope::All, Effect::AddRcpt(added.clone().into())),
    ];
    apply(&mut plan, &effects).unwrap();
    let copies = plan.bifurcate();
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0].recipients, [0, 3, 4]);
    let recipients = plan.recipients();
    assert!(recipients[0].redirected && recipients[0].origin == Some(0));
    assert_eq!((&recipients[4].forward_path, recipients[4].origin), (&added, None));
    // Who ended it first has ended it.
    assert_eq!(recipients[1].end.as_ref().unwrap().reply, None);
    assert_eq!(recipients[2].end.as_ref().unwrap().reply, Some(refusal()));
    assert_eq!(recipients[2].end.as_ref().unwrap().agent.as_ref(), "agent");
    assert_eq!(
        plan.view().open_recipients().map(|(place, _)| place).collect::<Vec<_>>(),
        [0, 3, 4]
    );
}

#[test]
fn effects_of_an_agent_are_done_all_or_not_at_all() {
    let many = vec![(Scope::All, Effect::Hold); Effects::COUNT_MAX + 1];
    let bad_reply = Reply::bare(ReplyCode::OK, "fine");
    for (bad, error) in [
        (vec![(some(&[2]), Effect::Hold)], EffectError::NoRecipient(2)),
        (many, EffectError::Count(Effects::COUNT_MAX + 2)),
        (vec![(Scope::All, Effect::Reject(bad_reply))], EffectError::NoRefusal(ReplyCode::OK)),
    ] {
        let mut plan = plan(2);
        let effects = [vec![(some(&[0]), Effect::RequireTls)], bad].concat();
        assert_eq!(apply(&mut plan, &effects), Err(error));
        assert_eq!(plan.bifurcate().len(), 1);
        assert_eq!(plan.bifurcate()[0].treatment, Treatment::default());
    }
}

#[test]
fn routes_and_addresses_are_fixed_once_the_message_is_routed() {
    let route = Effect::SetRoute(ConnectorId::new("a"));
    let redirect = Effect::Redirect("a@b.example".parse().unwrap());
    let defer = Effect::Defer(Duration::from_mins(1));
    for (effect, event, fits) in [
        (&route, AgentEvent::EndOfData, true),
        (&route, AgentEvent::Resolved, true),
        (&route, AgentEvent::Routed, false),
        (&redirect, AgentEvent::Rcpt, true),
        (&redirect, AgentEvent::Categorized, false),
        (&defer, AgentEvent::EndOfData, false),
        (&defer, AgentEvent::Categorized, true),
    ] {
        let mut effects = Effects::default();
        effects.to_some([0], effect.clone());
        let done = plan(1).apply(&Arc::from("agent"), event, &effects);
        assert_eq!(done.is_ok(), fits, "{} at {event}", effect.name());
    }
}

#[test]
fn agents_answer_to_each_other_three_times_and_no_more() {
    let notice = || {
        let envelope = Envelope::new(ReversePath::Null, [path("a@contoso.com")]);
        Effect::Submit(GeneratedMessage { envelope, content: Bytes::from_static(b"A: 1\r\n\r\n") })
    };
    let mut headers = Bytes::new();
    for round in 0..3 {
        let mut plan = plan(1);
        plan.set_headers(headers);
        let done = apply(&mut plan, &[(Scope::All, notice()), (Scope::All, Effect::Hold)]);
        assert_eq!(done.is_ok(), round < 2, "round {round}");
        assert_eq!(plan.generated().len(), usize::from(round < 2));
        assert_eq!(plan.bifurcate()[0].treatment.hold, round < 2, "all or nothing");
        headers = plan.generated().first().map(|it| it.content.clone()).unwrap_or_default();
        let marks = HeaderSection::parse(&headers).fields().filter(|it| it.is(Lineage::FIELD));
        assert_eq!(marks.count(), if round < 2 { round + 1 } else { 0 });
    }
}

#[test]
fn later_agents_see_what_concerns_all() {
    let mut plan = plan(2);
    let add = |name: &str| Effect::Header(HeaderChange::Add(NewField::new(name, "1")));
    let remove = Effect::Header(HeaderChange::Remove(FieldMatch::name("Subject")));
    apply(&mut plan, &[(Scope::All, add("X-All")), (some(&[1]), add("X-One"))]).unwrap();
    apply(&mut plan, &[(Scope::All, remove)]).unwrap();
    let view = plan.view();
    assert!(view.headers.first("X-All").is_some());
    assert!(view.headers.first("X-One").is_none() && view.headers.first("Subject").is_none());
    assert_eq!(plan.headers().octets(), HEADERS, "as it was taken in");
}

/// What one recipient's treatment is, counted for it alone.
fn naive(place: u32, effects: &[(Scope, Effect)]) -> Treatment {
    let mut treatment = Treatment::default();
    for (scope, effect) in effects {
        let meant = match scope {
            Scope::All => true,
            Scope::Recipients(places) => places.contains(&place),
        };
        if !meant {
            continue;
        }
        match effect {
            Effect::Header(change) => treatment.headers.push(change.clone()),
            Effect::SetRoute(connector) => treatment.route = Some(connector.clone()),
            Effect::RequireTls => treatment.require_tls = true,
            Effect::Hold => treatment.hold = true,
            Effect::SetPriority(priority) => treatment.priority = Some(*priority),
            _ => unreachable!("not among those asked for"),
        }
    }
    treatment
}

fn any_effect() -> impl Strategy<Value = (Scope, Effect)> {
    let header = |name: &str| Effect::Header(HeaderChange::Add(NewField::new(name, "1")));
    let effects = vec![
        header("A"),
        header("B"),
        Effect::SetRoute(ConnectorId::new("a")),
        Effect::SetRoute(ConnectorId::new("b")),
        Effect::RequireTls,
        Effect::Hold,
        Effect::SetPriority(MtPriority::new(2).unwrap()),
    ];
    let scope = prop_oneof![
        1 => Just(Scope::All),
        4 => prop::collection::vec(0u32..12, 0..12).prop_map(Scope::Recipients),
    ];
    (scope, prop::sample::select(effects))
}

proptest! {
    #[test]
    fn there_are_as_many_copies_as_signatures_and_each_recipient_is_in_one(
        effects in prop::collection::vec(any_effect(), 0..10), cut in 0usize..10,
    ) {
        let mut plan = plan(12);
        // One agent or two, it is the same.
        let (first, second) = effects.split_at(cut.min(effects.len()));
        apply(&mut plan, first).unwrap();
        apply(&mut plan, second).unwrap();
        let mut signatures: Vec<Treatment> = Vec::new();
        for place in 0..12 {
            let signature = naive(place, &effects);
            if !signatures.contains(&signature) {
                signatures.push(signature);
            }
        }
        let copies = plan.bifurcate();
        prop_assert_eq!(copies.len(), signatures.len());
        let mut seen: Vec<u32> = Vec::new();
        for copy in &copies {
            for place in &copy.recipients {
                prop_assert_eq!(&naive(*place, &effects), &copy.treatment);
                seen.push(*place);
            }
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..12).collect::<Vec<_>>());
    }
}
