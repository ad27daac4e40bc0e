//! The header firewall (checklist A4) and address rewriting, asked as agents.

use transom_message::HeaderSection;

use super::*;
use crate::effects::{apply_edits, header_edits};
use crate::{
    AddressRewriting, HeaderFamilies, HeaderFirewall, RewriteEntry, RewriteTable, Treatment,
};

/// The header section that a copy of `plan` has.
fn headers_of(plan: &MessagePlan, copy: usize) -> String {
    let treatment = &plan.bifurcate()[copy].treatment;
    let edits = header_edits(&plan.headers(), &treatment.headers);
    String::from_utf8(apply_edits(HEADERS, &edits)).unwrap()
}

fn names(headers: &str) -> Vec<String> {
    let section = HeaderSection::parse(headers.as_bytes());
    section.fields().map(|field| field.name().to_owned()).collect()
}

fn firewall(clock: &Arc<TestClock>) -> Agents {
    let sends = |hop: &NextHop| {
        if hop.domain.as_str() == "ours" { HeaderFamilies::ALL } else { HeaderFamilies::ROUTING }
    };
    let firewall = Arc::new(HeaderFirewall::new(sends));
    Agents::builder(clock.clone())
        .receive(HeaderFirewall::inbound_settings(), firewall.clone())
        .routing(HeaderFirewall::outbound_settings(), firewall)
        .build()
        .unwrap()
}

#[test]
fn organization_headers_come_in_from_those_with_the_right_alone() {
    let clock = TestClock::new();
    let agents = firewall(&clock);
    for (kept, expected) in [
        (HeaderFamilies::ALL, names(str::from_utf8(HEADERS).unwrap())),
        (
            HeaderFamilies::ROUTING,
            ["Received", "From", "To", "Resent-From", "Subject"].map(String::from).into(),
        ),
        (HeaderFamilies::NONE, ["From", "To", "Subject"].map(String::from).into()),
        (
            HeaderFamilies::ORGANIZATION.with(HeaderFamilies::FOREST),
            [
                "X-MS-Exchange-Organization-SCL",
                "From",
                "To",
                "x-ms-exchange-forest-RulesExecuted",
                "Subject",
            ]
            .map(String::from)
            .into(),
        ),
    ] {
        let (mut session, mut plan) = (session(), plan(2));
        session.kept_headers = kept;
        let step = ReceiveStep::EndOfHeaders;
        let received = clock.run(agents.received(&session, step, Some(&mut plan)));
        assert_eq!(received.verdict, Verdict::Continue);
        assert_eq!(names(&headers_of(&plan, 0)), expected, "{kept}");
        assert_eq!(received.log.is_empty(), kept == HeaderFamilies::ALL);
        // Agents behind it see what is left.
        let seen = String::from_utf8(plan.view().headers.octets().to_vec()).unwrap();
        assert_eq!(names(&seen), expected, "{kept}");
    }
}

#[test]
fn organization_headers_leave_to_those_with_the_right_alone() {
    let clock = TestClock::new();
    let (agents, mut plan) = (firewall(&clock), plan(3));
    for (place, domain) in [(0, "ours"), (1, "theirs.example"), (2, "other.example")] {
        plan.set_next_hop(place, next_hop(DeliveryType::DnsConnectorDelivery, domain));
    }
    let log = clock.run(agents.routed(RoutingStep::Categorized, &mut plan));
    assert_eq!(words(&log), ["Header Firewall RemoveHeader"; 2]);
    assert_eq!(log[0].recipients, [path("r1@contoso.com"), path("r2@contoso.com")]);
    let ours = headers_of(&plan, 0);
    assert_eq!(ours.as_bytes(), HEADERS);
    for copy in [1, 2] {
        let theirs = names(&headers_of(&plan, copy));
        assert_eq!(theirs, ["Received", "From", "To", "Resent-From", "Subject"]);
    }
}

fn rewriting(clock: &Arc<TestClock>) -> Agents {
    let sides = ("inside.example".parse().unwrap(), "contoso.com".parse().unwrap());
    let table = RewriteTable::new([RewriteEntry::new("merger", sides.0, sides.1)]).unwrap();
    let agent = Arc::new(AddressRewriting::new(table));
    Agents::builder(clock.clone())
        .receive(AgentSettings::new("Address Rewriting Inbound"), agent.clone())
        .routing(AgentSettings::new("Address Rewriting Outbound"), agent)
        .build()
        .unwrap()
}

#[test]
fn recipients_of_mail_that_comes_in_get_their_internal_address() {
    let clock = TestClock::new();
    let (agents, session, mut plan) = (rewriting(&clock), session(), plan(0));
    for to in ["bob@contoso.com", "carl@elsewhere.example"] {
        let step = ReceiveStep::Rcpt(path(to).into());
        let received = clock.run(agents.received(&session, step, Some(&mut plan)));
        assert_eq!(received.verdict, Verdict::Continue);
    }
    let received = clock.run(agents.received(&session, ReceiveStep::EndOfHeaders, Some(&mut plan)));
    assert_eq!(words(&received.log), ["Address Rewriting Inbound ReplaceHeader"]);
    let now: Vec<_> = plan.recipients().iter().map(|it| it.forward_path.clone()).collect();
    assert_eq!(now, [path("bob@inside.example"), path("carl@elsewhere.example")]);
    let headers = headers_of(&plan, 0);
    assert!(headers.contains("\r\nTo: bob@inside.example, carl@elsewhere.example\r\n"));
    assert!(headers.contains("\r\nFrom: Ann <ann@inside.example>\r\n"));
    // Where the server refuses the recipient itself, all of it is gone again.
    plan.retract_rcpt();
    assert_eq!(plan.recipients().len(), 1);
}

#[test]
fn senders_of_mail_that_leaves_get_their_external_address_and_only_there() {
    let clock = TestClock::new();
    let (agents, mut plan) = (rewriting(&clock), plan(2));
    plan.set_next_hop(0, next_hop(DeliveryType::DeliveryAgent, "mailbox"));
    plan.set_next_hop(1, next_hop(DeliveryType::DnsConnectorDelivery, "contoso.com"));
    let log = clock.run(agents.routed(RoutingStep::Routed, &mut plan));
    let agent = "Address Rewriting Outbound";
    assert_eq!(words(&log), [format!("{agent} SetReversePath"), format!("{agent} ReplaceHeader")]);
    let copies = plan.bifurcate();
    assert_eq!(copies.len(), 2);
    assert_eq!(copies[0].treatment, Treatment::default());
    let external: ReversePath = "<ann@contoso.com>".parse().unwrap();
    assert_eq!(copies[1].treatment.reverse_path, Some(external));
    assert!(headers_of(&plan, 1).contains("\r\nFrom: Ann <ann@contoso.com>\r\n"));
    assert!(headers_of(&plan, 0).contains("\r\nFrom: Ann <ann@inside.example>\r\n"));
}
