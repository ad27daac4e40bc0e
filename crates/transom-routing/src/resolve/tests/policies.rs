//! Who may send to whom, and how much.

use transom_agent::RecipientPolicy;
use transom_connector::ReplyProfile;

use super::*;

use RecipientRefusal::{AuthenticationRequired, NotAuthorized, ReceiveSize, SendSize};

const ANN: &str = "<ann@contoso.com>";
const CARL: &str = "<carl@fabrikam.com>";

fn ann_with(policy: RecipientPolicy) -> People {
    People::of(&[
        ("ann@contoso.com", DirectoryEntry::mailbox().with_policy(policy)),
        ("bob.jones@contoso.com", alias("bob@contoso.com")),
        ("team@contoso.com", group(&["inner@contoso.com", "carl@fabrikam.com"])),
        ("inner@contoso.com", group(&["bob@contoso.com", "team@contoso.com"])),
    ])
    .with(&["bob@contoso.com", "eve@contoso.com"])
}

/// At RCPT, and the same when the message is resolved.
fn both(people: &People, from: &str, authenticated: bool) -> Result<(), RecipientRefusal> {
    let judged =
        people.judge_with(from, ANN, |resolution| resolution.with_authenticated(authenticated));
    let resolved = people.resolve_from(from, &[recipient(ANN)], |resolution| {
        resolution.with_authenticated(authenticated)
    });
    let end = match &judged {
        Ok(()) => ResolutionEnd::Kept,
        Err(refusal) => ResolutionEnd::Failed(refusal.clone()),
    };
    assert_eq!(resolved.ends, [end], "{from}");
    judged
}

#[test]
fn only_authenticated_senders_reach_who_wants_that() {
    let people = ann_with(RecipientPolicy::default().authenticated_only());
    assert_eq!(both(&people, CARL, false), Err(AuthenticationRequired));
    assert_eq!(both(&people, CARL, true), Ok(()));
}

#[test]
fn who_takes_mail_from_some_only_refuses_all_others() {
    for (accepted, from, authenticated, expected) in [
        ("carl@fabrikam.com", CARL, false, Ok(())),
        ("carl@fabrikam.com", "<dan@fabrikam.com>", false, Err(NotAuthorized)),
        ("carl@fabrikam.com", "<>", false, Err(NotAuthorized)),
        // By another name it is the same sender.
        ("bob@contoso.com", "<bob.jones@contoso.com>", true, Ok(())),
        ("bob.jones@contoso.com", "<bob@contoso.com>", true, Ok(())),
        // Members of groups, also of groups in groups that go in circles.
        ("team@contoso.com", CARL, false, Ok(())),
        ("team@contoso.com", "<bob@contoso.com>", true, Ok(())),
        ("team@contoso.com", "<eve@contoso.com>", true, Err(NotAuthorized)),
        // Whoever writes an address of ours has not proved to be that.
        ("bob@contoso.com", "<bob@contoso.com>", false, Err(NotAuthorized)),
        ("team@contoso.com", "<bob@contoso.com>", false, Err(NotAuthorized)),
    ] {
        let policy = RecipientPolicy::default().with_accept_only_from([mailbox(accepted)]);
        let found = both(&ann_with(policy), from, authenticated);
        assert_eq!(found, expected, "{accepted} {from} {authenticated}");
    }
}

#[test]
fn who_rejects_some_takes_mail_from_all_others() {
    for (rejected, from, expected) in [
        ("carl@fabrikam.com", CARL, Err(NotAuthorized)),
        ("carl@fabrikam.com", "<dan@fabrikam.com>", Ok(())),
        ("carl@fabrikam.com", "<>", Ok(())),
        ("team@contoso.com", CARL, Err(NotAuthorized)),
        // For a door that is closed nothing needs to be proved.
        ("bob@contoso.com", "<bob.jones@contoso.com>", Err(NotAuthorized)),
        ("team@contoso.com", "<bob@contoso.com>", Err(NotAuthorized)),
        ("team@contoso.com", "<eve@contoso.com>", Ok(())),
    ] {
        let policy = RecipientPolicy::default().with_reject_from([mailbox(rejected)]);
        assert_eq!(both(&ann_with(policy), from, false), expected, "{rejected} {from}");
    }
}

#[test]
fn who_is_rejected_is_not_let_in_by_the_other_list() {
    let policy = RecipientPolicy::default()
        .with_accept_only_from([mailbox("carl@fabrikam.com")])
        .with_reject_from([mailbox("team@contoso.com")]);
    assert_eq!(both(&ann_with(policy), CARL, true), Err(NotAuthorized));
}

#[test]
fn who_is_named_in_a_list_costs_no_lookup_of_its_groups() {
    let accepted = mailboxes(&["team@contoso.com", "carl@fabrikam.com"]);
    let people = ann_with(RecipientPolicy::default().with_accept_only_from(accepted));
    let (configuration, from) = (configuration(), sender(CARL));
    let resolution = Resolution::new(&configuration, &from);
    let path = ANN.parse().unwrap();
    let (_, asked) = people.answer(|answers| resolution.judge(&path, 0, answers));
    assert_eq!(asked, ["ann@contoso.com"]);
}

#[test]
fn sizes_are_limited_for_the_recipient_and_for_the_sender() {
    let people = People::of(&[
        (
            "ann@contoso.com",
            DirectoryEntry::mailbox()
                .with_policy(RecipientPolicy::default().with_receive_octets_max(100)),
        ),
        (
            "bob@contoso.com",
            DirectoryEntry::mailbox()
                .with_policy(RecipientPolicy::default().with_send_octets_max(200)),
        ),
    ]);
    for (from, to, size, expected) in [
        (CARL, ANN, Some(100), Ok(())),
        (CARL, ANN, Some(101), Err(ReceiveSize { octets_max: 100 })),
        // What is not known yet is judged at the end of data.
        (CARL, ANN, None, Ok(())),
        ("<bob@contoso.com>", CARL, Some(200), Ok(())),
        ("<bob@contoso.com>", CARL, Some(201), Err(SendSize { octets_max: 200 })),
    ] {
        let judged = people.judge_with(from, to, |resolution| Resolution { size, ..resolution });
        assert_eq!(judged, expected, "{from} {to} {size:?}");
    }
}

#[test]
fn the_number_of_recipients_is_limited_by_the_sender_or_by_all() {
    let policy = RecipientPolicy::default().with_send_recipients_max(2);
    let people = People::of(&[("bob@contoso.com", DirectoryEntry::mailbox().with_policy(policy))]);
    let configuration = configuration();
    let path = CARL.parse().unwrap();
    let judge = |from: &str, before, limits| {
        let from = sender(from);
        let resolution = Resolution::new(&configuration, &from).with_limits(limits);
        people.answer(|answers| resolution.judge(&path, before, answers)).0
    };
    let all = ResolveLimits::default();
    let refused = |recipients_max| Err(RecipientRefusal::RecipientsMax { recipients_max });
    for (from, before, limits, expected) in [
        (CARL, 499, all, Ok(())),
        (CARL, 500, all, refused(500)),
        (CARL, 500, all.with_recipients_max(0), Ok(())),
        ("<bob@contoso.com>", 1, all, Ok(())),
        ("<bob@contoso.com>", 2, all, refused(2)),
        ("<bob@contoso.com>", 2, all.with_recipients_max(0), refused(2)),
    ] {
        assert_eq!(judge(from, before, limits), expected, "{from} {before}");
    }
    let to = [recipient(CARL), recipient("<d@fabrikam.com>"), recipient("<e@fabrikam.com>")];
    let resolved = people.resolve_from("<bob@contoso.com>", &to, |resolution| resolution);
    let failed = ResolutionEnd::Failed(RecipientRefusal::RecipientsMax { recipients_max: 2 });
    assert_eq!(resolved.ends, vec![failed; 3]);
}

#[test]
fn a_group_is_guarded_at_rcpt_and_so_are_names_before_it() {
    let staff =
        group(&["ann@contoso.com"]).with_policy(RecipientPolicy::default().authenticated_only());
    let people = People::of(&[
        ("staff@contoso.com", staff),
        ("everyone@contoso.com", alias("staff@contoso.com")),
    ])
    .with(&["ann@contoso.com"]);
    for to in ["<staff@contoso.com>", "<everyone@contoso.com>"] {
        assert_eq!(people.judge(CARL, to), Err(AuthenticationRequired), "{to}");
    }
}

#[test]
fn a_member_that_refuses_the_sender_is_left_out_and_reported() {
    let people = People::of(&[
        ("all@contoso.com", group(&["ann@contoso.com", "bob@contoso.com"])),
        (
            "ann@contoso.com",
            DirectoryEntry::mailbox().with_policy(RecipientPolicy::default().authenticated_only()),
        ),
    ])
    .with(&["bob@contoso.com"]);
    let resolved = people.resolve(&["<all@contoso.com>"]);
    assert_eq!(addresses(&resolved), ["<bob@contoso.com>"]);
    assert_eq!(failures(&resolved), [(ANN.to_owned(), AuthenticationRequired)]);
}

#[test]
fn what_the_transport_makes_and_what_goes_to_postmaster_is_exempt() {
    let policy = RecipientPolicy::default()
        .authenticated_only()
        .with_accept_only_from([mailbox("bob@contoso.com")])
        .with_receive_octets_max(1);
    let people = People::of(&[
        ("ann@contoso.com", DirectoryEntry::mailbox().with_policy(policy.clone())),
        ("PostMaster@contoso.com", DirectoryEntry::mailbox().with_policy(policy)),
    ]);
    assert_eq!(people.judge_with("<>", ANN, |r| r.with_size(2).with_system(true)), Ok(()));
    assert_eq!(people.judge(CARL, ANN), Err(AuthenticationRequired));
    assert_eq!(people.judge(CARL, "<PostMaster@contoso.com>"), Ok(()));
}

#[test]
fn a_group_in_a_policy_that_is_too_large_lets_nobody_in() {
    let members: Vec<String> = (0..20).map(|number| format!("u{number}@fabrikam.com")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let policy = RecipientPolicy::default().with_accept_only_from([mailbox("big@contoso.com")]);
    let people = People::of(&[
        ("ann@contoso.com", DirectoryEntry::mailbox().with_policy(policy)),
        ("big@contoso.com", group(&members)),
    ]);
    let limits = ResolveLimits::default().with_expanded_recipients_max(10);
    let judged = people.judge_with("<u19@fabrikam.com>", ANN, |r| r.with_limits(limits));
    assert_eq!(judged, Err(RecipientRefusal::ExpandedRecipientsMax { recipients_max: 10 }));
}

#[test]
fn a_directory_that_cannot_say_who_is_in_a_list_puts_the_recipient_off() {
    let policy = RecipientPolicy::default().with_accept_only_from([mailbox("down@contoso.com")]);
    let people = ann_with(policy).without_answer_for("down@contoso.com");
    let refusal = people.judge(CARL, ANN).unwrap_err();
    assert!(refusal.is_temporary());
    let resolved = people.resolve(&[ANN]);
    assert!(matches!(resolved.ends[..], [ResolutionEnd::Deferred(_)]));
}

#[test]
fn every_refusal_has_its_code_and_a_reason_that_never_changes() {
    let reason = "timed out".to_owned();
    for (refusal, reply, name) in [
        (AuthenticationRequired, "550 5.7.1 Authentication required", "RESOLVER.RST.AuthRequired"),
        (
            RecipientRefusal::DirectoryUnavailable { reason },
            "451 4.3.0 Recipients cannot be looked up now",
            "RESOLVER.ADR.Unavailable",
        ),
        (RecipientRefusal::EmptyGroup, "550 5.2.4 The group has no members", "RESOLVER.GRP.Empty"),
        (
            RecipientRefusal::ExpandedRecipientsMax { recipients_max: 1 },
            "550 5.2.4 The group has too many members",
            "RESOLVER.GRP.ExpansionLimit",
        ),
        (RecipientRefusal::ForwardingLoop, "550 5.4.6 Forwarding loop", "RESOLVER.FWD.Loop"),
        (
            RecipientRefusal::ForwardingNotAllowed,
            "550 5.7.1 Forwarding to this domain is not allowed",
            "RESOLVER.FWD.NotAllowed",
        ),
        (
            RecipientRefusal::NestingMax { depth_max: 1 },
            "550 5.4.6 Groups or aliases are nested too deep",
            "RESOLVER.GRP.NestingLimit",
        ),
        (NotAuthorized, "550 5.7.1 Not authorized", "RESOLVER.RST.NotAuthorized"),
        (
            ReceiveSize { octets_max: 1 },
            "552 5.2.3 Message is too large for the recipient",
            "RESOLVER.RST.RecipSizeLimit",
        ),
        (
            RecipientRefusal::RecipientsMax { recipients_max: 1 },
            "550 5.5.3 Too many recipients",
            "RESOLVER.ADR.RecipLimit",
        ),
        (
            RecipientRefusal::ReportToGroup,
            "550 5.7.1 The group takes no reports",
            "RESOLVER.GRP.NoReports",
        ),
        (
            SendSize { octets_max: 1 },
            "552 5.2.3 Message is larger than its sender may send",
            "RESOLVER.RST.SendSizeLimit",
        ),
        (RecipientRefusal::Unknown, "550 5.1.1 User unknown", "RESOLVER.ADR.RecipNotFound"),
    ] {
        assert_eq!(refusal.reply(ReplyProfile::Plain).to_line(), reply);
        assert_eq!(refusal.reason(), name);
        let exchange = refusal.reply(ReplyProfile::Exchange);
        assert!(exchange.text().starts_with(&format!("{name}; ")), "{exchange}");
        assert_eq!(refusal.is_temporary(), reply.starts_with('4'));
    }
}
