//! Rows of the acceptance checklist: A12, A13, and what of A14 resolution decides.

use transom_agent::GroupReports;
use transom_connector::ReplyProfile;
use transom_types::Notify;

use super::*;

#[test]
fn a12_each_type_of_accepted_domain_treats_unknown_recipients_its_own_way() {
    let unknown = RecipientRefusal::Unknown;
    for (to, judged, lookups) in [
        // All are ours: who is not known does not exist.
        ("<nobody@contoso.com>", Err(unknown), 1),
        // Some are ours: who is not known goes on by connector.
        ("<nobody@tailspin.com>", Ok(()), 1),
        // None is ours, so nobody is asked.
        ("<nobody@woodgrove.com>", Ok(()), 0),
        ("<nobody@fabrikam.com>", Ok(()), 0),
        ("<nobody@[192.0.2.1]>", Ok(()), 0),
    ] {
        let (configuration, from) = (configuration(), ReversePath::Null);
        let resolution = Resolution::new(&configuration, &from);
        let (people, path) = (People::default(), to.parse().unwrap());
        let (found, asked) = people.answer(|answers| resolution.judge(&path, 0, answers));
        assert_eq!(found, judged, "{to}");
        assert_eq!(asked.len(), lookups, "{to}");
        let asked = [recipient(to)];
        let (resolved, _) = people.answer(|answers| resolution.resolve(&asked, answers));
        match judged {
            Ok(()) => assert!(resolved.is_unchanged(), "{to}"),
            Err(refusal) => assert_eq!(resolved.ends, [ResolutionEnd::Failed(refusal)]),
        }
    }
    let reply = RecipientRefusal::Unknown.reply(ReplyProfile::Plain);
    assert_eq!(reply.to_line(), "550 5.1.1 User unknown");
}

#[test]
fn a12_known_recipients_of_an_internal_relay_domain_are_resolved() {
    let people =
        People::of(&[("ann@tailspin.com", alias("ann@contoso.com"))]).with(&["ann@contoso.com"]);
    assert_eq!(addresses(&people.resolve(&["<ann@tailspin.com>"])), ["<ann@contoso.com>"]);
    let people = People::of(&[("ann@woodgrove.com", alias("ann@contoso.com"))]);
    assert_eq!(addresses(&people.resolve(&["<ann@woodgrove.com>"])), ["<ann@woodgrove.com>"]);
}

#[test]
fn a12_a_directory_in_trouble_defers_and_never_bounces() {
    let people = People::of(&[
        ("all@contoso.com", group(&["ann@contoso.com", "down@contoso.com"])),
        ("other@contoso.com", alias("down@contoso.com")),
    ])
    .with(&["ann@contoso.com", "bob@contoso.com"])
    .without_answer_for("down@contoso.com");
    for to in ["<down@contoso.com>", "<other@contoso.com>"] {
        let refusal = people.judge("<>", to).unwrap_err();
        assert!(refusal.is_temporary(), "{to}");
        assert!(refusal.reply(ReplyProfile::Plain).to_line().starts_with("451 4.3.0 "), "{to}");
    }
    // A group waits as a whole: else its members would get the message again with the next try.
    let resolved = people.resolve(&["<all@contoso.com>", "<bob@contoso.com>"]);
    assert!(matches!(resolved.ends[..], [ResolutionEnd::Deferred(_), ResolutionEnd::Kept]));
    assert_eq!(addresses(&resolved), ["<bob@contoso.com>"]);
    assert!(resolved.failed.is_empty() && resolved.duplicates.is_empty());

    // So does all that a sender sends who may have limits.
    let people = People::default().without_answer_for("eve@contoso.com").with(&["ann@contoso.com"]);
    let resolved = people.resolve_from(
        "<eve@contoso.com>",
        &[recipient("<ann@contoso.com>"), recipient("<x@fabrikam.com>")],
        |resolution| resolution,
    );
    assert!(resolved.ends.iter().all(|end| matches!(end, ResolutionEnd::Deferred(_))));
    assert!(resolved.recipients.is_empty());
}

#[test]
fn a13_nested_groups_reach_everybody_once() {
    let people = People::of(&[
        ("all@contoso.com", group(&["sales@contoso.com", "it@contoso.com", "boss@fabrikam.com"])),
        ("sales@contoso.com", group(&["ann@contoso.com", "bob@contoso.com"])),
        ("it@contoso.com", group(&["bob@contoso.com", "eve@contoso.com"])),
    ])
    .with(&["ann@contoso.com", "bob@contoso.com", "eve@contoso.com"]);
    let resolved = people.resolve(&["<all@contoso.com>"]);
    let mut reached = addresses(&resolved);
    reached.sort();
    assert_eq!(
        reached,
        ["<ann@contoso.com>", "<bob@contoso.com>", "<boss@fabrikam.com>", "<eve@contoso.com>"]
    );
    assert_eq!(resolved.duplicates.len(), 1);
    assert_eq!(resolved.ends, [ResolutionEnd::Expanded { success_report_due: false }]);
}

#[test]
fn a13_circles_of_groups_are_harmless() {
    let people = People::of(&[
        ("a@contoso.com", group(&["a@contoso.com", "b@contoso.com", "ann@contoso.com"])),
        ("b@contoso.com", group(&["a@contoso.com", "bob@contoso.com", "c@contoso.com"])),
        ("c@contoso.com", alias("a@contoso.com")),
    ])
    .with(&["ann@contoso.com", "bob@contoso.com"]);
    let resolved = people.resolve(&["<a@contoso.com>"]);
    assert_eq!(addresses(&resolved), ["<ann@contoso.com>", "<bob@contoso.com>"]);
    assert!(resolved.failed.is_empty());
}

#[test]
fn a13_a_group_that_leads_to_nobody_fails() {
    let people = People::of(&[
        ("empty@contoso.com", group(&[])),
        ("self@contoso.com", group(&["self@contoso.com"])),
        ("a@contoso.com", group(&["b@contoso.com"])),
        ("b@contoso.com", group(&["a@contoso.com"])),
    ]);
    for to in ["<empty@contoso.com>", "<self@contoso.com>", "<a@contoso.com>"] {
        let end = ResolutionEnd::Failed(RecipientRefusal::EmptyGroup);
        assert_eq!(people.resolve(&[to]).ends, [end], "{to}");
    }
    let judged = people.judge("<x@fabrikam.com>", "<empty@contoso.com>");
    assert_eq!(judged, Err(RecipientRefusal::EmptyGroup));
}

#[test]
fn a13_forwarding_in_circles_fails_unless_somebody_keeps_a_copy() {
    let people = People::of(&[
        ("a@contoso.com", forwarding("b@contoso.com", false)),
        ("b@contoso.com", forwarding("a@contoso.com", false)),
        ("self@contoso.com", forwarding("self@contoso.com", false)),
        ("into@contoso.com", alias("a@contoso.com")),
        ("k@contoso.com", forwarding("l@contoso.com", true)),
        ("l@contoso.com", forwarding("k@contoso.com", true)),
        ("m@contoso.com", forwarding("k@contoso.com", false)),
        ("all@contoso.com", group(&["b@contoso.com", "a@contoso.com", "k@contoso.com"])),
    ]);
    let looping = RecipientRefusal::ForwardingLoop;
    for to in ["<a@contoso.com>", "<self@contoso.com>", "<into@contoso.com>"] {
        assert_eq!(people.judge("<>", to), Err(looping.clone()), "{to}");
        assert_eq!(people.resolve(&[to]).ends, [ResolutionEnd::Failed(looping.clone())], "{to}");
    }
    assert_eq!(
        addresses(&people.resolve(&["<k@contoso.com>"])),
        ["<k@contoso.com>", "<l@contoso.com>"]
    );
    assert_eq!(
        addresses(&people.resolve(&["<m@contoso.com>"])),
        ["<k@contoso.com>", "<l@contoso.com>"]
    );
    // Two members that forward to each other are lost together and reported once.
    let resolved = people.resolve(&["<all@contoso.com>"]);
    assert_eq!(failures(&resolved), [("<b@contoso.com>".to_owned(), looping)]);
    assert_eq!(addresses(&resolved), ["<k@contoso.com>", "<l@contoso.com>"]);
}

#[test]
fn a13_nesting_has_a_limit_and_what_lies_deeper_is_reported() {
    let names: Vec<String> = (0..40).map(|depth| format!("g{depth}@contoso.com")).collect();
    let mut people = People::default();
    for pair in names.windows(2) {
        let entry = group(&[&pair[1], "ann@contoso.com"]);
        people.entries.insert(pair[0].clone(), Ok(entry.into()));
    }
    let people = people.with(&["ann@contoso.com"]);
    let resolved = people.resolve(&["<g0@contoso.com>"]);
    assert_eq!(addresses(&resolved), ["<ann@contoso.com>"]);
    let refusal = RecipientRefusal::NestingMax { depth_max: 32 };
    assert_eq!(failures(&resolved), [("<g33@contoso.com>".to_owned(), refusal.clone())]);

    let mut people = People::default();
    for pair in names.windows(2) {
        people.entries.insert(pair[0].clone(), Ok(alias(&pair[1]).into()));
    }
    assert_eq!(people.judge("<>", "<g0@contoso.com>"), Err(refusal));
}

#[test]
fn a13_a_group_with_too_many_members_fails_as_a_whole() {
    let members = ["a@fabrikam.com", "b@fabrikam.com", "c@fabrikam.com", "d@fabrikam.com"];
    let people = People::of(&[
        ("big@contoso.com", group(&members)),
        ("small@contoso.com", group(&members[..2])),
        ("other@contoso.com", group(&members[2..])),
    ]);
    let limits = ResolveLimits::default().with_expanded_recipients_max(3);
    let refusal = RecipientRefusal::ExpandedRecipientsMax { recipients_max: 3 };
    let failed = ResolutionEnd::Failed(refusal);
    let expanded = ResolutionEnd::Expanded { success_report_due: false };
    for (to, ends, reached) in [
        (
            vec!["<big@contoso.com>", "<x@fabrikam.com>"],
            vec![failed.clone(), ResolutionEnd::Kept],
            1,
        ),
        (vec!["<small@contoso.com>", "<other@contoso.com>"], vec![expanded, failed], 2),
    ] {
        let to: Vec<_> = to.into_iter().map(recipient).collect();
        let resolved = people.resolve_from("<c@fabrikam.com>", &to, |r| r.with_limits(limits));
        assert_eq!(resolved.ends, ends);
        assert_eq!(resolved.recipients.len(), reached);
    }
}

#[test]
fn a13_delivery_reports_go_to_the_sender_or_to_the_owner() {
    let members = ["ann@contoso.com"];
    let owner = mailbox("boss@contoso.com");
    let people = People::of(&[
        ("plain@contoso.com", group(&members)),
        ("owned@contoso.com", group(&members).with_reports(GroupReports::Owner(owner.clone()))),
        ("quiet@contoso.com", group(&members).with_reports(GroupReports::Nobody)),
    ])
    .with(&members);
    for (to, reports_to, notify) in [
        ("<plain@contoso.com>", None, None),
        ("<owned@contoso.com>", Some(owner), Some(Notify::new(false, true, false))),
        ("<quiet@contoso.com>", None, Some(Notify::NEVER)),
    ] {
        let resolved = people.resolve(&[to]);
        assert_eq!(resolved.recipients[0].reports_to, reports_to, "{to}");
        assert_eq!(resolved.recipients[0].recipient.parameters.notify, notify, "{to}");
    }
}

#[test]
fn a14_recipients_that_differ_in_nothing_stay_in_one_copy() {
    let owned = |owner: &str, members: &[&str]| {
        group(members).with_reports(GroupReports::Owner(mailbox(owner)))
    };
    let people = People::of(&[
        ("plain@contoso.com", group(&["ann@contoso.com", "bob@contoso.com"])),
        ("one@contoso.com", owned("boss@contoso.com", &["eve@contoso.com", "ann@contoso.com"])),
        ("two@contoso.com", owned("boss@CONTOSO.com", &["dan@contoso.com"])),
        ("three@contoso.com", owned("other@contoso.com", &["fay@contoso.com"])),
    ])
    .with(&["ann@contoso.com", "bob@contoso.com", "eve@contoso.com", "dan@contoso.com"])
    .with(&["fay@contoso.com"]);
    let resolved = people.resolve(&[
        "<plain@contoso.com>",
        "<one@contoso.com>",
        "<two@contoso.com>",
        "<three@contoso.com>",
        "<gus@fabrikam.com>",
    ]);
    let copies = bifurcate(signatures(&resolved));
    let names: Vec<Vec<String>> = copies
        .iter()
        .map(|copy| {
            let at = |place: &u32| addresses(&resolved)[usize::try_from(*place).unwrap()].clone();
            copy.recipients.iter().map(at).collect()
        })
        .collect();
    assert_eq!(
        names,
        [
            vec!["<ann@contoso.com>", "<bob@contoso.com>", "<gus@fabrikam.com>"],
            vec!["<eve@contoso.com>", "<dan@contoso.com>"],
            vec!["<fay@contoso.com>"],
        ]
    );
}

#[test]
fn a14_a_signature_joins_with_any_other() {
    let people = People::default().with(&["ann@contoso.com", "bob@contoso.com"]);
    let to = ["<ann@contoso.com>", "<bob@contoso.com>", "<carl@fabrikam.com>"];
    let resolved = people.resolve(&to);
    let next_hops = ["mailbox", "mailbox", "internet"];
    let effects = [None, Some("X-Tag"), None];
    let copies = bifurcate(signatures(&resolved).into_iter().zip(next_hops).zip(effects));
    let places: Vec<_> = copies.into_iter().map(|copy| copy.recipients).collect();
    assert_eq!(places, [vec![0], vec![1], vec![2]]);
}
