//! What remote domains do not want.

use transom_connector::RemoteDomain;
use transom_message::HeaderSection;

use super::*;

fn with_remote_domains(domains: &[RemoteDomain]) -> CheckedConfiguration {
    let mut configuration = Configuration::new("mx1.contoso.com".parse().unwrap())
        .with_accepted_domain(AcceptedDomain::authoritative("contoso.com").unwrap());
    for domain in domains {
        configuration = configuration.with_remote_domain(domain.clone());
    }
    configuration.check().unwrap()
}

fn remote(pattern: &str) -> RemoteDomain {
    pattern.parse().unwrap()
}

#[test]
fn each_setting_stops_its_kind_of_mail_and_no_other() {
    use AutomaticMail::{FailureReport, Forward, Reply, SuccessReport};
    let configuration = with_remote_domains(&[
        remote("ndr.example").with_ndr(false),
        remote("reports.example").with_delivery_reports(false),
        remote("*.replies.example").with_auto_reply(false),
        remote("forwards.example").with_auto_forward(false),
    ]);
    for (to, kind, reason) in [
        ("<a@ndr.example>", FailureReport, "REMOTEDOMAIN.NDREnabled"),
        ("<a@reports.example>", SuccessReport, "REMOTEDOMAIN.DeliveryReportEnabled"),
        ("<a@x.replies.example>", Reply, "REMOTEDOMAIN.AutoReplyEnabled"),
        ("<a@forwards.example>", Forward, "REMOTEDOMAIN.AutoForwardEnabled"),
    ] {
        let path: ForwardPath = to.parse().unwrap();
        for other in [FailureReport, Forward, Reply, SuccessReport] {
            let expected = (other == kind).then_some(reason);
            assert_eq!(other.unwanted_at(&configuration, &path), expected, "{to} {other:?}");
        }
    }
    for to in ["<a@other.example>", "<a@[192.0.2.1]>", "<Postmaster>"] {
        let path = to.parse().unwrap();
        assert_eq!(Reply.unwanted_at(&configuration, &path), None, "{to}");
    }
}

#[test]
fn our_own_domains_are_not_remote() {
    let configuration = with_remote_domains(&[RemoteDomain::any().with_auto_reply(false)]);
    let unwanted =
        |to: &str| AutomaticMail::Reply.unwanted_at(&configuration, &to.parse().unwrap()).is_some();
    assert!(unwanted("<a@fabrikam.com>"));
    assert!(!unwanted("<a@contoso.com>"));
}

#[test]
fn header_fields_say_what_nobody_wrote() {
    for (headers, kind) in [
        ("Auto-Submitted: auto-replied\r\n\r\n", Some(AutomaticMail::Reply)),
        ("Auto-Submitted: Auto-Replied; owner-email=\"a@b\"\r\n\r\n", Some(AutomaticMail::Reply)),
        ("Auto-Submitted: auto-replied (vacation)\r\n\r\n", Some(AutomaticMail::Reply)),
        ("Auto-Submitted: no\r\n\r\n", None),
        ("Auto-Submitted: auto-generated\r\n\r\n", None),
        ("Autoforwarded: TRUE\r\n\r\n", Some(AutomaticMail::Forward)),
        ("Autoforwarded: false\r\n\r\n", None),
        ("Subject: auto-replied\r\n\r\nAuto-Submitted: auto-replied\r\n", None),
    ] {
        let found = AutomaticMail::of(&HeaderSection::parse(headers.as_bytes()));
        assert_eq!(found, kind, "{headers:?}");
    }
}

#[test]
fn nothing_is_forwarded_to_a_domain_that_does_not_want_it() {
    let configuration = with_remote_domains(&[remote("fabrikam.com").with_auto_forward(false)]);
    let people = People::of(&[
        ("kept@contoso.com", forwarding("a@fabrikam.com", true)),
        ("gone@contoso.com", forwarding("b@fabrikam.com", false)),
        ("fine@contoso.com", forwarding("c@adatum.com", false)),
        // Mail to a contact was meant for it; nobody's program forwards it.
        ("contact@contoso.com", DirectoryEntry::contact(mailbox("d@fabrikam.com"))),
    ]);
    let from = sender("<x@adatum.com>");
    let resolution = Resolution::new(&configuration, &from);
    let refusal = RecipientRefusal::ForwardingNotAllowed;
    let path = "<gone@contoso.com>".parse().unwrap();
    let (judged, _) = people.answer(|answers| resolution.judge(&path, 0, answers));
    assert_eq!(judged, Err(refusal.clone()));

    let to = ["<kept@contoso.com>", "<gone@contoso.com>", "<fine@contoso.com>"];
    let to: Vec<_> = to.into_iter().chain(["<contact@contoso.com>"]).map(recipient).collect();
    let (resolved, _) = people.answer(|answers| resolution.resolve(&to, answers));
    assert_eq!(addresses(&resolved), ["<kept@contoso.com>", "<c@adatum.com>", "<d@fabrikam.com>"]);
    assert_eq!(resolved.ends[1], ResolutionEnd::Failed(refusal));
    // Who keeps a copy has the message: nobody is told, but it is written down.
    assert!(resolved.failed.is_empty());
    assert_eq!(resolved.not_forwarded.len(), 1);
    let at = std::time::SystemTime::UNIX_EPOCH;
    let base = transom_tracking::TrackingEvent::new(
        transom_tracking::EventId::Submit,
        transom_tracking::Source::Queue,
        at,
    );
    let last = resolved.events(&base, at).pop().unwrap();
    assert_eq!(last.event, transom_tracking::EventId::Drop);
    assert_eq!(last.source_context.as_deref(), Some("RESOLVER.FWD.NotAllowed"));
}

#[test]
fn a14_copies_differ_by_remote_domain_only_where_its_settings_have_an_effect() {
    let configuration = with_remote_domains(&[
        remote("fabrikam.com").with_ndr_diagnostics(false),
        remote("adatum.com").with_auto_reply(false),
    ]);
    let to = ["<a@fabrikam.com>", "<b@adatum.com>", "<c@example.net>", "<d@fabrikam.com>"];
    let to: Vec<_> = to.into_iter().map(recipient).collect();
    let from = ReversePath::Null;
    let resolution = Resolution::new(&configuration, &from);
    let people = People::default();
    let (resolved, _) = people.answer(|answers| resolution.resolve(&to, answers));
    for (kind, expected) in [
        (None, vec![vec![0, 1, 2, 3]]),
        (Some(AutomaticMail::SuccessReport), vec![vec![0, 1, 2, 3]]),
        (Some(AutomaticMail::FailureReport), vec![vec![0, 3], vec![1, 2]]),
    ] {
        let signatures = resolved.recipients.iter().map(|to| to.signature(&configuration, kind));
        let copies = bifurcate(signatures);
        let places: Vec<_> = copies.iter().map(|copy| copy.recipients.clone()).collect();
        assert_eq!(places, expected, "{kind:?}");
        let is_failure = kind == Some(AutomaticMail::FailureReport);
        assert_eq!(copies[0].signature.without_diagnostics(), is_failure);
    }
}
