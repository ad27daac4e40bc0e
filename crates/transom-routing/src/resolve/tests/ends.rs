//! What becomes of each kind of recipient.

use transom_tracking::{EventId, Source, TrackingEvent};

use super::*;

#[test]
fn a_mailbox_stays_as_it_is() {
    let people = People::default().with(&["ann@contoso.com"]);
    let resolved = people.resolve(&["<ann@contoso.com>", "<bob@fabrikam.com>"]);
    assert!(resolved.is_unchanged());
    assert_eq!(
        reached(&resolved),
        [(0, "<ann@contoso.com>".to_owned()), (1, "<bob@fabrikam.com>".to_owned())]
    );
    assert!(resolved.steps.is_empty());
}

#[test]
fn an_alias_becomes_the_address_behind_it() {
    let people = People::of(&[
        ("a.smith@contoso.com", alias("ann.smith@contoso.com")),
        ("ann.smith@contoso.com", alias("ann@contoso.com")),
    ])
    .with(&["ann@contoso.com"]);
    let resolved = people.resolve(&["<a.smith@contoso.com>"]);
    assert_eq!(addresses(&resolved), ["<ann@contoso.com>"]);
    assert_eq!(resolved.ends, [ResolutionEnd::Redirected]);
    let history = mailboxes(&["a.smith@contoso.com", "ann.smith@contoso.com"]);
    assert_eq!(resolved.recipients[0].history, history);
    assert!(!resolved.is_unchanged());
}

#[test]
fn a_contact_gets_mail_at_its_external_address_which_is_not_looked_up() {
    let contact = DirectoryEntry::contact(mailbox("bob@fabrikam.com"));
    let people = People::of(&[("bob@contoso.com", contact)]);
    let configuration = configuration();
    let (from, to) = (ReversePath::Null, [recipient("<bob@contoso.com>")]);
    let resolution = Resolution::new(&configuration, &from);
    let (resolved, asked) = people.answer(|answers| resolution.resolve(&to, answers));
    assert_eq!(addresses(&resolved), ["<bob@fabrikam.com>"]);
    assert_eq!(asked, ["bob@contoso.com"]);
}

#[test]
fn forwarding_keeps_a_copy_or_keeps_none() {
    let people = People::of(&[
        ("ann@contoso.com", forwarding("ann@fabrikam.com", true)),
        ("bob@contoso.com", forwarding("bob@fabrikam.com", false)),
    ]);
    let resolved = people.resolve(&["<ann@contoso.com>", "<bob@contoso.com>"]);
    assert_eq!(
        addresses(&resolved),
        ["<ann@contoso.com>", "<ann@fabrikam.com>", "<bob@fabrikam.com>"]
    );
    assert_eq!(resolved.ends, [ResolutionEnd::Kept, ResolutionEnd::Redirected]);
    assert!(!resolved.is_unchanged());
}

#[test]
fn postmaster_without_a_domain_exists_whether_the_directory_knows_it_or_not() {
    let resolved = People::default().resolve(&["<Postmaster>"]);
    assert_eq!(addresses(&resolved), ["<Postmaster>"]);
    assert!(resolved.is_unchanged());
    let people = People::of(&[("postmaster@contoso.com", alias("ann@contoso.com"))]);
    let resolved = people.with(&["ann@contoso.com"]).resolve(&["<Postmaster>"]);
    assert_eq!(addresses(&resolved), ["<ann@contoso.com>"]);
    assert_eq!(People::default().judge("<>", "<Postmaster>"), Ok(()));
}

#[test]
fn whom_the_sender_names_and_a_group_holds_gets_one_copy_as_it_was_named() {
    let people = People::of(&[("all@contoso.com", group(&["ann@contoso.com", "bob@contoso.com"]))])
        .with(&["ann@contoso.com", "bob@contoso.com"]);
    let resolved = people.resolve(&["<all@contoso.com>", "<ann@contoso.com>"]);
    assert_eq!(
        reached(&resolved),
        [(0, "<bob@contoso.com>".to_owned()), (1, "<ann@contoso.com>".to_owned())]
    );
    assert!(resolved.recipients[1].history.is_empty());
    assert_eq!(resolved.duplicates.len(), 1);
    assert_eq!(resolved.duplicates[0].mailbox, mailbox("ann@contoso.com"));
    assert_eq!(resolved.duplicates[0].origin, 0);
}

#[test]
fn a_recipient_named_twice_gets_one_copy() {
    let people = People::default().with(&["ann@contoso.com"]);
    let resolved = people.resolve(&["<ann@contoso.com>", "<ann@CONTOSO.com>"]);
    assert_eq!(reached(&resolved), [(0, "<ann@contoso.com>".to_owned())]);
    assert_eq!(resolved.ends, [ResolutionEnd::Kept, ResolutionEnd::Duplicate]);
}

#[test]
fn who_got_the_message_before_does_not_get_it_again() {
    let people = People::of(&[("all@contoso.com", group(&["ann@contoso.com", "bob@contoso.com"]))])
        .with(&["ann@contoso.com", "bob@contoso.com"]);
    let already = mailboxes(&["ann@contoso.com"]);
    let configuration = configuration();
    let (from, to) = (ReversePath::Null, [recipient("<all@contoso.com>")]);
    let system = Resolution::new(&configuration, &from).with_already(&already);
    // A report goes to no group, so this one has a sender.
    let from = sender("<carl@fabrikam.com>");
    let resolution = Resolution { sender: &from, ..system };
    let (resolved, _) = people.answer(|answers| resolution.resolve(&to, answers));
    assert_eq!(addresses(&resolved), ["<bob@contoso.com>"]);
}

#[test]
fn every_answer_that_changed_something_is_an_event() {
    let contact = DirectoryEntry::contact(mailbox("eve@fabrikam.com"));
    let people = People::of(&[
        ("all@contoso.com", group(&["ann@contoso.com", "eve@contoso.com", "bob@contoso.com"])),
        ("ann@contoso.com", forwarding("bob@contoso.com", true)),
        ("eve@contoso.com", contact),
    ])
    .with(&["bob@contoso.com"]);
    let resolved = people.resolve(&["<all@contoso.com>"]);
    let at = std::time::SystemTime::UNIX_EPOCH;
    let base = TrackingEvent::new(EventId::Submit, Source::Queue, at);
    let events = resolved.events(&base, at);
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            let to: Vec<_> = event.recipients.iter().map(|to| to.path.to_string()).collect();
            (event.event, event.custom_data[0].1.to_string(), to.join(" "))
        })
        .collect();
    let row = |id, from: &str, to: &str| (id, from.to_owned(), to.to_owned());
    assert_eq!(
        told,
        [
            row(
                EventId::Expand,
                "all@contoso.com",
                "<ann@contoso.com> <eve@contoso.com> <bob@contoso.com>"
            ),
            row(EventId::Redirect, "ann@contoso.com", "<bob@contoso.com>"),
            row(EventId::Resolve, "eve@contoso.com", "<eve@fabrikam.com>"),
            row(EventId::Drop, "ann@contoso.com", "<bob@contoso.com>"),
        ]
    );
    assert!(events.iter().all(|event| event.source == Source::Routing));
}

#[test]
fn addresses_are_looked_up_together_level_by_level() {
    let people = People::of(&[
        ("all@contoso.com", group(&["sales@contoso.com", "ann@contoso.com"])),
        ("sales@contoso.com", group(&["bob@contoso.com", "eve@contoso.com"])),
    ])
    .with(&["ann@contoso.com", "bob@contoso.com", "eve@contoso.com", "dan@contoso.com"]);
    let configuration = configuration();
    let from = sender("<carl@fabrikam.com>");
    let resolution = Resolution::new(&configuration, &from);
    let to = [recipient("<all@contoso.com>"), recipient("<dan@contoso.com>")];
    let (mut answers, mut rounds) = (Answers::default(), Vec::new());
    while let Step::Lookup(mailboxes) = resolution.resolve(&to, &answers) {
        rounds.push(mailboxes.len());
        for mailbox in mailboxes {
            answers.insert(&mailbox, people.lookup(&mailbox));
        }
    }
    assert_eq!(rounds, [2, 2, 2]);
}

#[test]
fn many_members_are_asked_for_in_bounded_portions() {
    let members: Vec<String> = (0..2_500).map(|number| format!("u{number}@contoso.com")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let people = People::of(&[("all@contoso.com", group(&members))]).with(&members);
    let resolved = people.resolve(&["<all@contoso.com>"]);
    assert_eq!(resolved.recipients.len(), 2_500);
    let copies = bifurcate(signatures(&resolved));
    let sizes: Vec<_> = copies.iter().map(|copy| copy.recipients.len()).collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
}
