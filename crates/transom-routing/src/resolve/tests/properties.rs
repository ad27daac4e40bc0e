//! What holds for every directory: nobody is lost, nobody gets it twice, and it ends.

use proptest::prelude::*;
use transom_agent::{GroupReports, RecipientKind, RecipientPolicy};

use super::*;

/// Addresses that entries may name: of each kind of domain.
const NAMES: [&str; 12] = [
    "a@contoso.com",
    "b@contoso.com",
    "c@contoso.com",
    "d@contoso.com",
    "e@contoso.com",
    "f@contoso.com",
    "g@contoso.com",
    "h@contoso.com",
    "i@tailspin.com",
    "j@tailspin.com",
    "k@woodgrove.com",
    "l@fabrikam.com",
];

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&NAMES[..])
}

fn entry() -> impl Strategy<Value = DirectoryEntry> {
    let reports = prop_oneof![
        Just(GroupReports::Sender),
        Just(GroupReports::Nobody),
        name().prop_map(|owner| GroupReports::Owner(mailbox(owner))),
    ];
    let kind = prop_oneof![
        1 => Just(DirectoryEntry::mailbox()),
        2 => name().prop_map(alias),
        1 => name().prop_map(|to| DirectoryEntry::contact(mailbox(to))),
        2 => (name(), any::<bool>()).prop_map(|(to, keep)| forwarding(to, keep)),
        3 => (prop::collection::vec(name(), 0..5), reports)
            .prop_map(|(members, reports)| group(&members).with_reports(reports)),
    ];
    let policy = prop_oneof![
        6 => Just(RecipientPolicy::default()),
        1 => Just(RecipientPolicy::default().authenticated_only()),
        1 => name().prop_map(|who| {
            RecipientPolicy::default().with_accept_only_from([mailbox(who)])
        }),
        1 => name().prop_map(|who| RecipientPolicy::default().with_reject_from([mailbox(who)])),
    ];
    (kind, policy).prop_map(|(entry, policy)| entry.with_policy(policy))
}

/// A directory with loops, diamonds, unknown members and answers that do not come.
fn people() -> impl Strategy<Value = People> {
    let answer = prop_oneof![
        8 => entry().prop_map(|entry| Ok(DirectoryAnswer::from(entry))),
        3 => Just(Ok(DirectoryAnswer::Known)),
        1 => Just(Ok(DirectoryAnswer::Unknown)),
        1 => Just(Err(DirectoryUnavailable::new("down"))),
    ];
    prop::collection::vec(answer, NAMES.len()).prop_map(|answers| {
        let names = NAMES.iter().map(|name| (*name).to_owned());
        People { entries: names.zip(answers).collect() }
    })
}

fn paths() -> impl Strategy<Value = Vec<Recipient>> {
    let named = name().prop_map(|name| recipient(&format!("<{name}>")));
    prop::collection::vec(prop_oneof![20 => named, 1 => Just(recipient("<Postmaster>"))], 0..6)
}

fn from() -> impl Strategy<Value = String> {
    prop_oneof![Just("<>".to_owned()), name().prop_map(|name| format!("<{name}>"))]
}

/// Everybody that `address` leads to by a naive reading of the directory, without policies.
fn leads_to(people: &People, address: &str, seen: &mut HashSet<String>, to: &mut HashSet<String>) {
    if !seen.insert(address.to_owned()) {
        return;
    }
    let is_ours = address.ends_with("contoso.com") || address.ends_with("tailspin.com");
    let mut next = Vec::new();
    match people.lookup(&mailbox(address)) {
        _ if !is_ours => drop(to.insert(address.to_owned())),
        Ok(DirectoryAnswer::Known) => drop(to.insert(address.to_owned())),
        Ok(DirectoryAnswer::Unknown) if address.ends_with("tailspin.com") => {
            to.insert(address.to_owned());
        }
        Ok(DirectoryAnswer::Entry(entry)) => match entry.kind {
            RecipientKind::Alias(of) | RecipientKind::Contact(of) => next.push(of),
            RecipientKind::Forwarding { to: target, keep_copy } => {
                if keep_copy {
                    to.insert(address.to_owned());
                }
                next.push(target);
            }
            RecipientKind::Group(group) => next.extend(group.members),
            _ => drop(to.insert(address.to_owned())),
        },
        _ => {}
    }
    for mailbox in next {
        leads_to(people, mailbox.as_str(), seen, to);
    }
}

proptest! {
    #[test]
    fn every_recipient_ends_once_and_nobody_gets_the_message_twice(
        people in people(), to in paths(), from in from(), authenticated in any::<bool>(),
    ) {
        let resolved = people.resolve_from(&from, &to, |resolution| {
            Resolution { authenticated, ..resolution }
        });
        prop_assert_eq!(resolved.ends.len(), to.len());
        let reached = addresses(&resolved);
        let distinct: HashSet<_> = reached.iter().collect();
        prop_assert_eq!(distinct.len(), reached.len());
        for (origin, end) in (0u32..).zip(&resolved.ends) {
            let own: Vec<_> = resolved.recipients.iter().filter(|to| to.origin == origin).collect();
            let failed = resolved.failed.iter().filter(|failed| failed.origin == origin).count();
            let twice = resolved.duplicates.iter().filter(|d| d.origin == origin).count();
            let kept = own.iter().filter(|to| to.history.is_empty()).count();
            let counts = (own.len(), failed, twice);
            match end {
                ResolutionEnd::Failed(refusal) => {
                    prop_assert!(!refusal.is_temporary());
                    prop_assert_eq!(counts, (0, 0, 0));
                }
                ResolutionEnd::Deferred(_) => prop_assert_eq!(counts, (0, 0, 0)),
                ResolutionEnd::Kept => prop_assert_eq!(kept, 1),
                ResolutionEnd::Duplicate => {
                    prop_assert_eq!((own.len(), failed), (0, 0));
                    prop_assert!(twice > 0);
                }
                ResolutionEnd::Redirected | ResolutionEnd::Expanded { .. } => {
                    prop_assert_eq!(kept, 0);
                    prop_assert!(own.len() + failed + twice > 0);
                }
            }
        }
    }

    #[test]
    fn without_policies_exactly_those_are_reached_that_the_directory_leads_to(
        mut people in people(), to in paths(),
    ) {
        for answer in people.entries.values_mut() {
            match answer {
                Ok(DirectoryAnswer::Entry(entry)) => entry.policy = RecipientPolicy::default(),
                Ok(_) => {}
                Err(_) => *answer = Ok(DirectoryAnswer::Known),
            }
        }
        let mut expected = HashSet::new();
        for to in &to {
            match &to.forward_path {
                ForwardPath::Mailbox(mailbox) => {
                    leads_to(&people, mailbox.as_str(), &mut HashSet::new(), &mut expected);
                }
                ForwardPath::Postmaster => drop(expected.insert("Postmaster".to_owned())),
            }
        }
        let resolved = people.resolve_from("<x@adatum.com>", &to, |resolution| resolution);
        let expected: HashSet<_> = expected.iter().map(|name| format!("<{name}>")).collect();
        prop_assert_eq!(addresses(&resolved).into_iter().collect::<HashSet<_>>(), expected);
    }

    #[test]
    fn who_is_refused_at_rcpt_fails_later_and_who_is_taken_has_an_end_that_was_not_known_then(
        people in people(), to in name(), from in from(), authenticated in any::<bool>(),
    ) {
        let path = format!("<{to}>");
        let judged = people.judge_with(&from, &path, |resolution| {
            Resolution { authenticated, ..resolution }
        });
        let resolved = people.resolve_from(&from, &[recipient(&path)], |resolution| {
            Resolution { authenticated, ..resolution }
        });
        match (judged, &resolved.ends[0]) {
            (Err(refusal), ResolutionEnd::Deferred(_)) => prop_assert!(refusal.is_temporary()),
            (Err(refusal), end) => {
                prop_assert_eq!(end, &ResolutionEnd::Failed(refusal));
            }
            // Only behind a group or a copy that is kept lies what RCPT does not look at.
            (Ok(()), ResolutionEnd::Failed(refusal)) => {
                prop_assert_eq!(refusal, &RecipientRefusal::EmptyGroup);
            }
            (Ok(()), _) => {}
        }
    }

    #[test]
    fn the_result_does_not_depend_on_how_many_answers_come_at_a_time(
        people in people(), to in paths(), from in from(), portion in 1usize..4,
    ) {
        let (configuration, sender) = (configuration(), sender(&from));
        let resolution = Resolution::new(&configuration, &sender);
        let mut answers = Answers::default();
        let by_portions = loop {
            match resolution.resolve(&to, &answers) {
                Step::Done(resolved) => break resolved,
                Step::Lookup(mailboxes) => {
                    for mailbox in mailboxes.iter().rev().take(portion) {
                        answers.insert(mailbox, people.lookup(mailbox));
                    }
                }
            }
        };
        prop_assert_eq!(by_portions, people.resolve_from(&from, &to, |resolution| resolution));
    }

    #[test]
    fn limits_hold_for_every_directory(
        people in people(), to in paths(), depth_max in 0u32..4, recipients_max in 1u32..6,
    ) {
        let limits = ResolveLimits::default()
            .with_depth_max(depth_max)
            .with_expanded_recipients_max(recipients_max);
        let resolved = people.resolve_from("<x@adatum.com>", &to, |resolution| {
            resolution.with_limits(limits)
        });
        let depth = |to: &ResolvedRecipient| u32::try_from(to.history.len()).unwrap();
        prop_assert!(resolved.recipients.iter().all(|to| depth(to) <= depth_max));
        let expanded = resolved.recipients.iter().filter(|to| !to.history.is_empty()).count();
        prop_assert!(expanded <= usize::try_from(recipients_max).unwrap());
    }

    #[test]
    fn bifurcation_is_a_partition_into_as_few_copies_as_possible(
        signatures in prop::collection::vec(0u32..5, 0..3_000),
    ) {
        let copies = bifurcate(signatures.iter().copied());
        let mut places: Vec<u32> = copies.iter().flat_map(|copy| copy.recipients.clone()).collect();
        places.sort_unstable();
        let all: Vec<u32> = (0u32..).take(signatures.len()).collect();
        prop_assert_eq!(places, all);
        let mut fewest = 0;
        for signature in 0u32..5 {
            let count = signatures.iter().filter(|own| **own == signature).count();
            fewest += count.div_ceil(COPY_RECIPIENTS_MAX);
        }
        prop_assert_eq!(copies.len(), fewest);
        for copy in copies {
            prop_assert!((1..=COPY_RECIPIENTS_MAX).contains(&copy.recipients.len()));
            for place in copy.recipients {
                prop_assert_eq!(signatures[usize::try_from(place).unwrap()], copy.signature);
            }
        }
    }
}
