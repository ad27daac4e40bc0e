//! A report as a message of its own.
#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

mod settle_support;

use settle_support::{fresh, input, message, policy, status};
use transom_queue::{Accepted, Cause, IngressKind, ReportDraft, Waiting, settle};
use transom_tracking::EventId;
use transom_types::{AttemptStage, InternalMessageId, Outcome, RecipientResult, Ret};

const ORIGINAL: &[u8] = b"Subject: Hello\r\n\r\nbody of the original\r\n";

fn failure(message: &Accepted) -> ReportDraft {
    let (state, policy) = (fresh(message), policy());
    let failed = Outcome::Failed(status(AttemptStage::Rcpt, 550, "no such mailbox"));
    let results = [RecipientResult { recipient: 0, outcome: failed }];
    let mut settlement = settle(&input(message, &state, &policy, Cause::Attempt(&results)));
    settlement.reports.pop().expect("a report")
}

// [RFC 5321 §3.6.3-c, §4.4-i, §6.1-c, §6.1-d] test
// [RFC 3461 §6.1-a, §6.1-b, §6.1-c] test
// [RFC 3464 §2] test
#[test]
fn report_goes_to_the_sender_from_the_null_path() {
    let report = failure(&message("<sender@example.net>", &[None]));
    let report = report.into_message(InternalMessageId(43), b"Subject: Hello\r\n\r\n");
    let Accepted { envelope, ingress, parent, facts, .. } = &report.accepted;
    assert!(envelope.reverse_path.is_null());
    let to: Vec<_> = envelope.recipients.iter().map(|r| r.forward_path.to_string()).collect();
    assert_eq!(to, ["<sender@example.net>"]);
    assert_eq!(envelope.parameters.ret, None);
    assert_eq!(envelope.recipients[0].parameters.notify, None);
    assert_eq!(ingress.kind, IngressKind::Dsn);
    assert_eq!(*parent, Some(InternalMessageId(42)));
    assert_eq!(facts.octets, u64::try_from(report.octets.len()).unwrap());
    let header_end = usize::try_from(facts.header_octets).unwrap();
    assert!(report.octets[..header_end].ends_with(b"\r\n"));
    assert!(report.octets[header_end..].starts_with(b"\r\n"));
    assert!(!facts.eight_bit && facts.line_octets_max <= 998);
    let text = String::from_utf8(report.octets).unwrap();
    for part in [
        "From: Mail Delivery System <postmaster@contoso.com>",
        "Reporting-MTA: dns; mx1.contoso.com",
        "Final-Recipient: rfc822; r0@example.com",
        "Action: failed",
        "no such mailbox",
        "Subject: Hello",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn event_of_a_report_names_the_report_and_the_original() {
    let report = failure(&message("<sender@example.net>", &[None]));
    let report = report.into_message(InternalMessageId(43), b"");
    let event = &report.event;
    assert_eq!(event.event, EventId::Dsn);
    assert_eq!(event.internal_id, Some(InternalMessageId(43)));
    assert_eq!(event.message_id, report.accepted.facts.message_id);
    assert_eq!(event.reference.as_deref(), Some("<1@example.net>"));
    assert_eq!(event.recipients[0].path.to_string(), "<sender@example.net>");
}

// [RFC 3461 §4.3] test
#[test]
fn original_goes_back_whole_only_when_the_sender_asked_for_it() {
    let mut asked = message("<sender@example.net>", &[None]);
    asked.facts.octets = u64::try_from(ORIGINAL.len()).unwrap();
    asked.facts.header_octets = 16;
    let plain = failure(&asked);
    assert_eq!(plain.original_octets(), 16);
    let quoted = |draft: ReportDraft| {
        let part = usize::try_from(draft.original_octets()).unwrap();
        let report = draft.into_message(InternalMessageId(43), &ORIGINAL[..part]);
        String::from_utf8(report.octets).unwrap().contains("body of the original")
    };
    assert!(!quoted(plain));
    asked.envelope.parameters.ret = Some(Ret::Full);
    assert_eq!(failure(&asked).original_octets(), asked.facts.octets);
    assert!(quoted(failure(&asked)));
    asked.facts.octets = 100 << 20;
    assert_eq!(failure(&asked).original_octets(), 16, "too large to quote");
}

#[test]
fn notice_of_a_delay_says_so_and_quotes_no_body() {
    let mut message = message("<sender@example.net>", &[None]);
    message.envelope.parameters.ret = Some(Ret::Full);
    let (state, policy) = (fresh(&message), policy());
    let last = status(AttemptStage::Connect, 421, "no answer from the host");
    let waiting = [Waiting { recipients: vec![0], last_error: Some(last.into()) }];
    let mut settlement = settle(&input(&message, &state, &policy, Cause::DelayNotice(&waiting)));
    let draft = settlement.reports.pop().unwrap();
    assert_eq!(draft.original_octets(), message.facts.header_octets);
    let report = draft.into_message(InternalMessageId(43), b"Subject: Hello\r\n\r\n");
    let text = String::from_utf8(report.octets).unwrap();
    for part in ["Action: delayed", "Will-Retry-Until: ", "no answer from the host"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn two_reports_about_one_message_have_different_ids() {
    let draft = failure(&message("<sender@example.net>", &[None]));
    let one = draft.clone().into_message(InternalMessageId(43), b"");
    let two = draft.into_message(InternalMessageId(44), b"");
    assert_ne!(one.accepted.facts.message_id, two.accepted.facts.message_id);
    assert!(one.accepted.facts.message_id.is_some());
}

#[test]
fn report_to_a_utf8_mailbox_asks_for_smtputf8() {
    let draft = failure(&message("<s\u{e4}nder@example.net>", &[None]));
    let report = draft.into_message(InternalMessageId(43), b"");
    assert!(report.accepted.envelope.parameters.smtputf8);
}
