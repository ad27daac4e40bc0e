use std::time::Duration;

use proptest::prelude::*;
use transom_types::{AttemptStage, EnhancedStatusCode, RemoteHost, Reply, ReplyCode};

use super::*;
use crate::HeaderSection;

const ORIGINAL: &[u8] = b"Received: from x by y; z\r\nSubject: The plan\r\n\
    From: alice@contoso.com\r\nMessage-ID: <1@contoso.com>\r\n\r\nsecret body\r\n";

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn refused(text: &str) -> Status {
    let code = EnhancedStatusCode::permanent(1, 1);
    let reply = Reply::new(ReplyCode::MAILBOX_UNAVAILABLE, code, text.to_owned());
    let host = RemoteHost {
        name: "mx.fabrikam.com".into(),
        address: Some("192.0.2.1:25".parse().unwrap()),
    };
    Status::remote(AttemptStage::Rcpt, reply, host)
}

fn report(returned: Returned<'_>) -> Report<'_> {
    Report {
        kind: ReportKind::Failed,
        reporting_mta: "mx1.contoso.com".parse().unwrap(),
        from: "postmaster@contoso.com".parse().unwrap(),
        to: "alice@contoso.com".parse().unwrap(),
        arrival: at(0),
        now: at(60),
        message_id: "<dsn-1@mx1.contoso.com>".parse().unwrap(),
        envelope_id: Some("QQ314159".parse().unwrap()),
        recipients: vec![ReportRecipient {
            final_recipient: "<bob@fabrikam.com>".parse().unwrap(),
            original_recipient: Some("rfc822;Bob+2B1@fabrikam.com".parse().unwrap()),
            status: refused("User unknown"),
            will_retry_until: None,
        }],
        original_message_id: Some("<1@contoso.com>".parse().unwrap()),
        returned,
    }
}

/// One part: its fields and its body.
struct Part {
    content: Vec<u8>,
}

impl Part {
    fn value(&self, name: &str) -> Option<String> {
        HeaderSection::parse(&self.content).first(name).map(|field| field.value().into_owned())
    }

    fn body(&self) -> String {
        String::from_utf8(HeaderSection::parse(&self.content).body().to_vec()).unwrap()
    }
}

/// Takes a multipart message apart, the simple way.
fn parts(message: &[u8]) -> Vec<Part> {
    let text = str::from_utf8(message).unwrap();
    let section = HeaderSection::parse(message);
    let content_type = section.first("Content-Type").unwrap().value().into_owned();
    let (_, boundary) = content_type.split_once("boundary=\"").unwrap();
    let boundary = boundary.trim_end_matches('"');
    let (inner, epilogue) = text.split_once(&format!("\r\n--{boundary}--\r\n")).unwrap();
    assert_eq!(epilogue, "");
    let delimiter = format!("\r\n--{boundary}\r\n");
    let pieces = inner.split(&delimiter).skip(1);
    pieces.map(|piece| Part { content: piece.as_bytes().to_vec() }).collect()
}

/// The groups of fields in a `message/delivery-status`.
fn groups(part: &Part) -> Vec<Vec<(String, String)>> {
    let body = part.body();
    let group = |text: &str| {
        let section = HeaderSection::parse(text.as_bytes());
        section.fields().map(|field| (field.name().into(), field.value().into_owned())).collect()
    };
    body.split("\r\n\r\n").map(group).collect()
}

fn pairs(table: &[(&str, &str)]) -> Vec<(String, String)> {
    table.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

#[test]
fn report_has_a_header_that_no_auto_responder_answers() {
    let built = report(Returned::Headers(ORIGINAL)).build();
    let section = HeaderSection::parse(&built);
    let read: Vec<(String, String)> =
        section.fields().map(|field| (field.name().into(), field.value().into_owned())).collect();
    assert_eq!(
        read,
        pairs(&[
            ("From", "Mail Delivery System <postmaster@contoso.com>"),
            ("To", "alice@contoso.com"),
            ("Subject", "Undeliverable: The plan"),
            ("Date", "Tue, 14 Nov 2023 22:14:20 +0000"),
            ("Message-ID", "<dsn-1@mx1.contoso.com>"),
            ("In-Reply-To", "<1@contoso.com>"),
            ("References", "<1@contoso.com>"),
            ("Auto-Submitted", "auto-replied"),
            ("MIME-Version", "1.0"),
            (
                "Content-Type",
                "multipart/report; report-type=delivery-status; boundary=\"=_transom_0\""
            ),
        ])
    );
}

// [RFC 3464 §2] test
// [RFC 3461 §6.3-a, §6.3-b, §6.3-c, §6.3-d, §6.3-e, §6.3-f, §6.3-g, §6.3-h] test
#[test]
fn status_part_names_host_recipient_and_reason() {
    let built = report(Returned::Headers(ORIGINAL)).build();
    let parts = parts(&built);
    assert_eq!(parts.len(), 3);
    assert_eq!(parts[1].value("Content-Type").as_deref(), Some("message/delivery-status"));
    assert_eq!(
        groups(&parts[1]),
        [
            pairs(&[
                ("Original-Envelope-Id", "QQ314159"),
                ("Reporting-MTA", "dns; mx1.contoso.com"),
                ("Arrival-Date", "Tue, 14 Nov 2023 22:13:20 +0000"),
            ]),
            pairs(&[
                ("Original-Recipient", "rfc822; Bob+1@fabrikam.com"),
                ("Final-Recipient", "rfc822; bob@fabrikam.com"),
                ("Action", "failed"),
                ("Status", "5.1.1"),
                ("Remote-MTA", "dns; mx.fabrikam.com"),
                ("Diagnostic-Code", "smtp; 550 5.1.1 User unknown"),
            ]),
        ]
    );
}

#[test]
fn readable_part_says_who_refused_whom_and_in_which_words() {
    let built = report(Returned::Headers(ORIGINAL)).build();
    let text = parts(&built)[0].body();
    for expected in [
        "could not be delivered",
        "<bob@fabrikam.com>",
        "The host mx.fabrikam.com (192.0.2.1:25) said (RCPT TO):",
        "550 5.1.1 User unknown",
        "Subject: The plan",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[test]
fn own_finding_is_not_given_as_words_of_a_peer() {
    let mut report = report(Returned::Headers(ORIGINAL));
    let code = EnhancedStatusCode::transient(4, 7);
    let reply = Reply::new(ReplyCode::LOCAL_ERROR, code, "expired");
    report.recipients[0].status = Status::local(AttemptStage::Queue, reply);
    let built = report.build();
    let group = &groups(&parts(&built)[1])[1];
    assert!(!group.iter().any(|(name, _)| name == "Remote-MTA"));
    let diagnostic = group.iter().find(|(name, _)| name == "Diagnostic-Code").unwrap();
    assert_eq!(diagnostic.1, "x-transom; 451 4.4.7 expired");
}

#[test]
fn delay_says_until_when_attempts_go_on() {
    let mut report = report(Returned::Headers(ORIGINAL));
    report.kind = ReportKind::Delayed;
    report.recipients[0].will_retry_until = Some(at(172_800));
    let built = report.build();
    let subject = HeaderSection::parse(&built).first("Subject").unwrap().value().into_owned();
    assert_eq!(subject, "Delivery delayed: The plan");
    let parts = parts(&built);
    let group = &groups(&parts[1])[1];
    assert!(group.contains(&("Action".into(), "delayed".into())));
    let until = "Thu, 16 Nov 2023 22:13:20 +0000";
    assert!(group.contains(&("Will-Retry-Until".into(), until.into())));
    assert!(parts[0].body().contains(&format!("Attempts go on until {until}.")));
}

// [RFC 3461 §6.3-c] test
// [RFC 5321 §4.4-k] test
#[test]
fn every_recipient_has_a_group_of_its_own() {
    let mut report = report(Returned::Headers(ORIGINAL));
    let mut second = report.recipients[0].clone();
    second.final_recipient = ForwardPath::Postmaster;
    second.original_recipient = None;
    report.recipients.push(second);
    let built = report.build();
    let parts = parts(&built);
    let groups = groups(&parts[1]);
    assert_eq!(groups.len(), 3);
    assert_eq!(groups[2][0], ("Final-Recipient".into(), "rfc822; Postmaster".into()));
    assert!(parts[0].body().contains("<Postmaster>"));
}

#[test]
fn headers_come_back_without_the_body() {
    let built = report(Returned::Headers(ORIGINAL)).build();
    let returned = &parts(&built)[2];
    assert_eq!(returned.value("Content-Type").as_deref(), Some("text/rfc822-headers"));
    assert!(returned.body().ends_with("Message-ID: <1@contoso.com>"));
    assert!(!String::from_utf8(built).unwrap().contains("secret body"));
}

#[test]
fn small_clean_message_comes_back_whole() {
    let built = report(Returned::Message(ORIGINAL)).build();
    let returned = &parts(&built)[2];
    assert_eq!(returned.value("Content-Type").as_deref(), Some("message/rfc822"));
    assert_eq!(returned.body().as_bytes(), ORIGINAL);
}

#[test]
fn message_that_is_large_or_not_clean_comes_back_as_headers() {
    let large = [ORIGINAL, &b"line\r\n".repeat(RETURNED_OCTETS_MAX / 6)].concat();
    let long_line = [ORIGINAL, &b"x".repeat(999)].concat();
    let unclean: [&[u8]; 4] = [b"\xfc", b"a\rb", b"a\nb", b"\0"];
    let unclean = unclean.map(|tail| [ORIGINAL, tail].concat());
    for message in unclean.iter().chain([&large, &long_line]) {
        let built = report(Returned::Message(message)).build();
        assert!(built.is_ascii());
        let returned = &parts(&built)[2];
        assert_eq!(returned.value("Content-Type").as_deref(), Some("text/rfc822-headers"));
        assert!(returned.body().contains("Subject: The plan"));
    }
}

#[test]
fn header_section_with_utf8_comes_back_encoded() {
    let original = "Subject: gr\u{fc}n\r\nX: y\r\n\r\nbody\r\n".as_bytes();
    let built = report(Returned::Headers(original)).build();
    assert!(built.is_ascii());
    let subject = HeaderSection::parse(&built).first("Subject").unwrap().value().into_owned();
    assert_eq!(subject, "Undeliverable: =?UTF-8?Q?gr=C3=BCn?=");
    let returned = &parts(&built)[2];
    let encoding = returned.value("Content-Transfer-Encoding");
    assert_eq!(encoding.as_deref(), Some("quoted-printable"));
    assert_eq!(returned.body(), "Subject: gr=C3=BCn\r\nX: y\r\n");
}

#[test]
fn returned_header_section_is_cut_behind_a_line() {
    let original = b"X-Line: 0123456789\r\n".repeat(RETURNED_OCTETS_MAX / 10);
    let built = report(Returned::Headers(&original)).build();
    assert!(built.len() < RETURNED_OCTETS_MAX + 4096);
    assert!(parts(&built)[2].body().ends_with("X-Line: 0123456789"));
}

// [RFC 6533 §3] test
// [RFC 6531 §3.2-e, §3.2-f] test
#[test]
fn addresses_with_utf8_are_written_in_ascii() {
    let mut report = report(Returned::Headers(ORIGINAL));
    report.to = "\u{fc}@contoso.com".parse().unwrap();
    report.recipients[0].final_recipient = "<b\u{fc}b@fabrikam.com>".parse().unwrap();
    report.recipients[0].original_recipient = None;
    let built = report.build();
    assert!(built.is_ascii());
    let to = HeaderSection::parse(&built).first("To").unwrap().value().into_owned();
    assert_eq!(to, "=?UTF-8?Q?=C3=BC=40contoso=2Ecom?= :;");
    let parts = parts(&built);
    let group = &groups(&parts[1])[1];
    assert_eq!(group[0], ("Final-Recipient".into(), "utf-8; b\\x{FC}b@fabrikam.com".into()));
    assert!(parts[0].body().contains("<b=C3=BCb@fabrikam.com>"));
}

#[test]
fn quoted_local_part_keeps_its_spaces() {
    let mut report = report(Returned::Headers(ORIGINAL));
    report.recipients[0].final_recipient = "<\"a  b\"@fabrikam.com>".parse().unwrap();
    let built = report.build();
    let group = &groups(&parts(&built)[1])[1];
    assert_eq!(group[1].1, "rfc822; \"a  b\"@fabrikam.com");
}

#[test]
fn boundary_stands_in_no_part() {
    let original = b"Subject: x\r\nX: --=_transom_0\r\nY: --=_transom_1--\r\n\r\n";
    let built = report(Returned::Headers(original)).build();
    assert_eq!(parts(&built).len(), 3);
    let text = String::from_utf8(built).unwrap();
    assert!(text.contains("boundary=\"=_transom_2\""));
}

proptest! {
    // attacks.md 7: nothing that a peer or sender chose makes a field or a part.
    #[test]
    fn nothing_foreign_makes_a_field_or_a_part(
        words in any::<String>(),
        host in any::<String>(),
        original in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "(Subject: |\r\n|\n|--=_transom_0|\u{fc}|[ -~]){0,20}".prop_map(String::into_bytes),
        ],
        envelope_id in "[ -~\u{fc}]{1,20}",
        whole in any::<bool>(),
    ) {
        let returned =
            if whole { Returned::Message(&original) } else { Returned::Headers(&original) };
        let mut report = report(returned);
        let encoded = transom_types::Xtext::from_text(&envelope_id).unwrap().to_string();
        report.envelope_id = encoded.parse().ok();
        let reply = Reply::bare(ReplyCode::MAILBOX_UNAVAILABLE, words);
        let remote = RemoteHost { name: host, address: None };
        report.recipients[0].status = Status::remote(AttemptStage::Rcpt, reply, remote);
        let built = report.build();

        prop_assert!(built.is_ascii() && !built.contains(&0));
        let text = String::from_utf8(built.clone()).unwrap();
        let without_crlf = text.replace("\r\n", "");
        prop_assert!(!without_crlf.contains(['\r', '\n']));
        prop_assert!(text.split("\r\n").all(|line| line.len() <= 998));
        prop_assert_eq!(HeaderSection::parse(&built).fields().count(), 10);
        let parts = parts(&built);
        prop_assert_eq!(parts.len(), 3);
        let groups = groups(&parts[1]);
        prop_assert_eq!(groups.len(), 2);
        prop_assert_eq!(groups[0].len(), 2 + usize::from(report.envelope_id.is_some()));
        prop_assert_eq!(groups[1].len(), 6);
    }
}
