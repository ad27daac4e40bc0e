//! Who hears of failures, and what copies carry.

use transom_agent::GroupReports;
use transom_types::{Envelope, EnvelopeId, Notify, Ret};

use super::*;

fn notified(text: &str, notify: &str) -> Recipient {
    let mut recipient = recipient(text);
    recipient.parameters.notify = Some(notify.parse().unwrap());
    recipient
}

fn people() -> People {
    let members = ["ann@contoso.com", "gone@contoso.com"];
    People::of(&[
        ("plain@contoso.com", group(&members)),
        (
            "owned@contoso.com",
            group(&members).with_reports(GroupReports::Owner(mailbox("boss@contoso.com"))),
        ),
        ("quiet@contoso.com", group(&members).with_reports(GroupReports::Nobody)),
        ("nested@contoso.com", group(&["plain@contoso.com"]).with_reports(GroupReports::Nobody)),
        ("ann.smith@contoso.com", alias("ann@contoso.com")),
        ("kept@contoso.com", forwarding("ann@contoso.com", true)),
    ])
    .with(&["ann@contoso.com", "boss@contoso.com"])
}

#[test]
fn reports_of_a_group_go_to_sender_owner_or_nobody() {
    for (to, reports_to, notify) in [
        ("<plain@contoso.com>", None, "FAILURE,DELAY"),
        ("<owned@contoso.com>", Some("boss@contoso.com"), "FAILURE"),
        ("<quiet@contoso.com>", None, "NEVER"),
        ("<nested@contoso.com>", None, "NEVER"),
    ] {
        let asked = [notified(to, "SUCCESS,FAILURE,DELAY")];
        let resolved = people().resolve_from("<carl@fabrikam.com>", &asked, |r| r);
        let notify = Some(notify.parse::<Notify>().unwrap());
        assert_eq!(addresses(&resolved), ["<ann@contoso.com>"], "{to}");
        let reached = &resolved.recipients[0];
        assert_eq!(reached.reports_to, reports_to.map(mailbox), "{to}");
        assert_eq!(reached.recipient.parameters.notify, notify, "{to}");
        // Whoever hears of members that get it late hears of those that never get it.
        let failed = &resolved.failed[0];
        assert_eq!(failed.recipient.forward_path.to_string(), "<gone@contoso.com>");
        assert_eq!(failed.refusal, RecipientRefusal::Unknown);
        assert_eq!(failed.reports_to, reports_to.map(mailbox), "{to}");
        assert_eq!(failed.recipient.parameters.notify, notify, "{to}");
        // RFC 3461 §5.2.7.1: the group is where delivery is reported.
        assert_eq!(resolved.ends, [ResolutionEnd::Expanded { success_report_due: true }], "{to}");
    }
}

#[test]
fn a_success_that_nobody_asked_for_is_not_reported_for_a_group() {
    let resolved = people().resolve(&["<plain@contoso.com>"]);
    assert_eq!(resolved.ends, [ResolutionEnd::Expanded { success_report_due: false }]);
    assert_eq!(resolved.recipients[0].recipient.parameters.notify, None);
}

// [RFC 3461 §5.2.7.1-b] test
#[test]
fn the_address_that_the_sender_named_is_kept_as_original_recipient() {
    for (to, original) in [
        ("<ann.smith@contoso.com>", Some("rfc822;ann.smith@contoso.com")),
        ("<plain@contoso.com>", Some("rfc822;plain@contoso.com")),
        // A list makes parameters of its own.
        ("<owned@contoso.com>", None),
        ("<ann@contoso.com>", None),
    ] {
        let resolved = people().resolve(&[to]);
        let parameters = &resolved.recipients[0].recipient.parameters;
        let found = parameters.original_recipient.as_ref().map(ToString::to_string);
        assert_eq!(found.as_deref(), original, "{to}");
    }
    let mut asked = recipient("<ann.smith@contoso.com>");
    asked.parameters.original_recipient = Some("rfc822;a@woodgrove.com".parse().unwrap());
    let resolved = people().resolve_from("<>", std::slice::from_ref(&asked), |r| r);
    let parameters = &resolved.recipients[0].recipient.parameters;
    assert_eq!(parameters.original_recipient, asked.parameters.original_recipient);
}

#[test]
fn an_alias_passes_on_what_is_to_be_reported_and_a_forwarded_copy_reports_no_second_success() {
    let asked = [notified("<ann.smith@contoso.com>", "SUCCESS,FAILURE")];
    let resolved = people().resolve_from("<carl@fabrikam.com>", &asked, |r| r);
    assert_eq!(resolved.recipients[0].recipient.parameters.notify, asked[0].parameters.notify);

    let asked = [notified("<kept@contoso.com>", "SUCCESS")];
    let resolved = people().resolve_from("<carl@fabrikam.com>", &asked, |r| r);
    let notify: Vec<_> =
        resolved.recipients.iter().map(|to| to.recipient.parameters.notify).collect();
    assert_eq!(notify, [asked[0].parameters.notify, Some(Notify::NEVER)]);
}

#[test]
fn the_copy_of_an_owned_group_has_the_owner_as_reverse_path() {
    let to = [recipient("<owned@contoso.com>"), recipient("<boss@contoso.com>")];
    let resolved = people().resolve_from("<carl@fabrikam.com>", &to, |r| r);
    let copies = bifurcate(signatures(&resolved));
    assert_eq!(copies.len(), 2);
    let mut original = Envelope::new(sender("<carl@fabrikam.com>"), []);
    original.parameters.envelope_id = Some("42".parse::<EnvelopeId>().unwrap());
    original.parameters.ret = Some(Ret::Full);
    let owned = resolved.envelope(&original, &copies[0].recipients);
    assert_eq!(owned.reverse_path, sender("<boss@contoso.com>"));
    assert_eq!((owned.parameters.envelope_id, owned.parameters.ret), (None, None));
    assert_eq!(owned.recipients.len(), 1);
    let other = resolved.envelope(&original, &copies[1].recipients);
    assert_eq!(other.reverse_path, original.reverse_path);
    assert_eq!(other.parameters, original.parameters);
}

#[test]
fn a_report_to_a_group_goes_to_its_owner_or_is_refused() {
    let people = people();
    let resolved = people.resolve_from("<>", &[recipient("<owned@contoso.com>")], |r| r);
    assert_eq!(addresses(&resolved), ["<boss@contoso.com>"]);
    assert_eq!(resolved.recipients[0].reports_to, None);
    for to in ["<plain@contoso.com>", "<quiet@contoso.com>"] {
        assert_eq!(people.judge("<>", to), Err(RecipientRefusal::ReportToGroup), "{to}");
        let resolved = people.resolve_from("<>", &[recipient(to)], |r| r);
        let end = ResolutionEnd::Failed(RecipientRefusal::ReportToGroup);
        assert_eq!(resolved.ends, [end], "{to}");
    }
}

#[test]
fn a_report_reaches_everybody_who_is_postmaster() {
    let people = People::of(&[(
        "postmaster@contoso.com",
        group(&["ann@contoso.com"]).with_reports(GroupReports::Owner(mailbox("b@contoso.com"))),
    )])
    .with(&["ann@contoso.com"]);
    assert_eq!(people.judge("<>", "<postmaster@contoso.com>"), Ok(()));
    let resolved = people.resolve_from("<>", &[recipient("<Postmaster>")], |r| r);
    assert_eq!(addresses(&resolved), ["<ann@contoso.com>"]);
    // Nothing is ever reported back to a report.
    assert_eq!(resolved.recipients[0].reports_to, None);
}

#[test]
fn what_the_transport_makes_is_a_report_only_where_its_sender_is_null() {
    let resolved = people().resolve_from(
        "<journal@contoso.com>",
        &[recipient("<owned@contoso.com>")],
        |resolution| resolution.with_system(true),
    );
    assert_eq!(addresses(&resolved), ["<ann@contoso.com>"]);
    assert_eq!(resolved.recipients[0].reports_to, Some(mailbox("boss@contoso.com")));
}
