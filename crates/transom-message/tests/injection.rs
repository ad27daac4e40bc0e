//! Attacks 7 and 8 of the attack list, at every formatter of this crate: what a peer or a sender
//! chose, in SMTP parameters, EHLO, the DNS or a reply, makes no header field, no part, no line.
#![expect(clippy::unwrap_used, reason = "helpers of a test")]

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use transom_message::dsn::{Report, ReportKind, ReportRecipient, Returned};
use transom_message::{HeaderSection, Received, ReturnPath, TransferProtocol};
use transom_types::{
    AttemptStage, EnvelopeId, ForwardPath, OriginalRecipient, Recipient, RemoteHost, Reply,
    ReplyCode, ReversePath, Status,
};

/// Texts that have split headers, logs or commands somewhere.
const SPLITTERS: [&str; 16] = [
    "x\r\nBcc: victim@contoso.com",
    "x\nBcc: victim@contoso.com",
    "x\rBcc: victim@contoso.com",
    "x\r\n\r\n<script>",
    "x\r\n.\r\nMAIL FROM:<a@b.example>",
    "x\r\n \r\n\r\nbody",
    "x\0y",
    "x\u{b}Bcc: y",
    "x\u{c}Bcc: y",
    "x\u{85}Bcc: y",
    "x\u{2028}Bcc: y",
    "x\u{2029}Bcc: y",
    "x\u{1b}[2J",
    "x\u{202e}moc.live",
    "\r\n--=_transom_0--\r\n",
    "x) by evil.example with ESMTPSA id 1 for <a@b.example>; Thu, 1 Jan 1970 00:00:00 +0000 (",
];

/// What some reader takes for the end of a line or the order of text.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}')
}

fn at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// Texts of a peer: any, known ones, and ones put together of what splits.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::sample::select(SPLITTERS.to_vec()).prop_map(str::to_owned),
        "(\r\n|\n|\r|\0|\u{85}|\u{2028}|\u{202e}|Bcc: |--=_transom_0|[();:<>@ \"\\\\x]){0,20}",
    ]
}

/// Paths as a client may give them, quoted local-parts and UTF-8 included.
fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        "<[a-z\u{e4}\u{202e}]{1,8}@contoso\\.com>",
        "<\"([ -!#-\\[\\]-~\u{e4}\u{2028}\u{202e}]|\\\\[ -~]){0,20}\"@contoso\\.com>",
    ]
}

/// The names of the fields, once it is sure that nothing in `octets` looks like more than it is.
fn fields(octets: &[u8]) -> Vec<String> {
    let text = str::from_utf8(octets).unwrap();
    for line in text.strip_suffix("\r\n").unwrap().split("\r\n") {
        assert!(!line.contains(is_unsafe), "{text:?}");
        assert!(!line.trim().is_empty() && line.len() <= 998, "{text:?}");
    }
    HeaderSection::parse(octets).fields().map(|field| field.name().to_owned()).collect()
}

fn received(helo: &str, peer_name: &str, id: &str, to: &[Recipient], utf8: bool) -> Vec<u8> {
    let by = "mx1.contoso.com".parse().unwrap();
    let protocol = TransferProtocol::ESMTP.with_utf8(utf8);
    let mut field = Vec::new();
    Received::new(helo, "192.0.2.1".parse().unwrap(), &by, protocol, at())
        .with_peer_name(Some(peer_name))
        .with_id(id)
        .with_recipients(to)
        .write_to(&mut field);
    field
}

/// A report about one recipient.
fn report(envelope_id: &str, original: &str, host: &str, words: &str) -> Vec<u8> {
    let reply = Reply::bare(ReplyCode::MAILBOX_UNAVAILABLE, words.to_owned());
    let remote = RemoteHost { name: host.to_owned(), address: None };
    let report = Report {
        kind: ReportKind::Failed,
        reporting_mta: "mx1.contoso.com".parse().unwrap(),
        from: "postmaster@contoso.com".parse().unwrap(),
        to: "alice@contoso.com".parse().unwrap(),
        arrival: at(),
        now: at(),
        message_id: "<dsn-1@mx1.contoso.com>".parse().unwrap(),
        envelope_id: envelope_id.parse().ok(),
        recipients: vec![ReportRecipient {
            final_recipient: "<bob@fabrikam.com>".parse().unwrap(),
            original_recipient: original.parse().ok(),
            status: Status::remote(AttemptStage::Rcpt, reply, remote),
            will_retry_until: None,
        }],
        original_message_id: None,
        returned: Returned::Headers(b"Subject: x\r\n\r\n"),
    };
    report.build()
}

/// The three parts of a report, and that there are no more.
fn parts(report: &[u8]) -> [String; 3] {
    let text = String::from_utf8(report.to_vec()).unwrap();
    assert!(text.is_ascii() && !text.replace("\r\n", "").contains(is_unsafe), "{text:?}");
    assert_eq!(fields_of_header(&text).len(), 8, "{text}");
    let (_, boundary) = text.split_once("boundary=\"").unwrap();
    let (boundary, _) = boundary.split_once('"').unwrap();
    let (inner, epilogue) = text.split_once(&format!("\r\n--{boundary}--\r\n")).unwrap();
    assert_eq!(epilogue, "");
    let delimiter = format!("\r\n--{boundary}\r\n");
    let parts = inner.split(&delimiter).skip(1).map(str::to_owned);
    parts.collect::<Vec<_>>().try_into().unwrap()
}

fn fields_of_header(text: &str) -> Vec<String> {
    fields(HeaderSection::parse(text.as_bytes()).octets())
}

/// The fields about the message and about the recipient, in a `message/delivery-status`.
fn status_fields(report: &[u8]) -> [Vec<String>; 2] {
    let [_, status, _] = parts(report);
    let (_, body) = status.split_once("\r\n\r\n").unwrap();
    let groups: Vec<_> =
        body.split("\r\n\r\n").map(|group| fields(format!("{group}\r\n").as_bytes())).collect();
    groups.try_into().unwrap()
}

const ABOUT_RECIPIENT: [&str; 5] =
    ["Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code"];

// attacks.md 7
#[test]
fn xtext_that_decodes_to_a_line_end_is_no_value() {
    for encoded in ["x+0D+0ABcc:y", "x+0A", "x+0D", "x+00", "x+09y", "x+7F", "x+C2+85", "x+1B[2J"] {
        assert!(encoded.parse::<EnvelopeId>().is_err(), "{encoded}");
        assert!(EnvelopeId::check(encoded).is_err(), "{encoded}");
        let original = format!("rfc822;{encoded}");
        assert!(original.parse::<OriginalRecipient>().is_err(), "{original}");
        assert!(OriginalRecipient::check(&original).is_err(), "{original}");
    }
    for encoded in ["x\\x{0D}\\x{0A}y", "x\\x{0A}", "x\\x{00}", "x\\x{85}", "x\\x{7F}", "x+0A"] {
        let original = format!("utf-8;{encoded}");
        assert!(original.parse::<OriginalRecipient>().is_err(), "{original}");
        assert!(OriginalRecipient::check(&original).is_err(), "{original}");
    }
    for address_type in ["rfc822:\r\nBcc", "rfc822\r\n", "rf c822", "", "rfc822+0D+0A"] {
        let original = format!("{address_type};a@b.example");
        assert!(original.parse::<OriginalRecipient>().is_err(), "{original:?}");
    }
}

// attacks.md 7
#[test]
fn envelope_id_and_original_recipient_stay_in_their_fields() {
    let long = "x".repeat(480);
    for (envelope_id, original) in [
        ("a+20b:+20c", "rfc822;bob@fabrikam.com"),
        ("Bcc:", "rfc822;+22a+20b+22@fabrikam.com"),
        ("--+3D_transom_0--", "rfc822;--+3D_transom_0--"),
        (";", "x-y;a;b;c"),
        ("(", "rfc822;(("),
        ("\"", "rfc822;\""),
        ("x", long.as_str()),
        ("+C3+A4", "utf-8;\\x{2028}\\x{202E}\\x{E4}@fabrikam.com"),
        ("+E2+80+A8Bcc:", "rfc822;+E2+80+A8Bcc:"),
    ] {
        assert!(envelope_id.parse::<EnvelopeId>().is_ok(), "{envelope_id}");
        let [message, recipient] = status_fields(&report(envelope_id, original, "mx", "no"));
        assert_eq!(message, ["Original-Envelope-Id", "Reporting-MTA", "Arrival-Date"]);
        let has_original = original.parse::<OriginalRecipient>().is_ok();
        let skipped = usize::from(!has_original);
        let want = [&["Original-Recipient"][..], &ABOUT_RECIPIENT].concat();
        assert_eq!(recipient, want.get(skipped..).unwrap(), "{original}");
    }
}

// attacks.md 7
#[test]
fn words_of_a_peer_make_no_field_or_line_of_a_report() {
    for text in SPLITTERS {
        let built = report("x", "rfc822;bob@fabrikam.com", text, text);
        let [_, recipient] = status_fields(&built);
        assert_eq!(recipient.len(), 6, "{text:?}");
        let [readable, ..] = parts(&built);
        // The same number of lines as with harmless words, but for the soft breaks.
        let lines = |part: &str| part.replace("=\r\n", "").lines().count();
        let [harmless, ..] = parts(&report("x", "rfc822;bob@fabrikam.com", "mx", "no"));
        assert_eq!(lines(&readable), lines(&harmless), "{text:?}: {readable}");
    }
}

// attacks.md 8
#[test]
fn name_of_a_peer_makes_no_field_and_no_clause() {
    let to = [Recipient::from("<bob@contoso.com>".parse::<ForwardPath>().unwrap())];
    for text in SPLITTERS {
        for utf8 in [false, true] {
            let field = received(text, text, text, &to, utf8);
            assert_eq!(fields(&field), ["Received"], "{text:?}");
            let value = String::from_utf8(field).unwrap().replace("\r\n", "");
            for clause in [" from ", " by ", " with ", " id ", " for ", ";", "(", ")"] {
                assert_eq!(value.matches(clause).count(), 1, "{clause:?} in {value}");
            }
        }
    }
}

proptest! {
    // attacks.md 7
    #[test]
    fn no_parameter_makes_a_field(
        envelope_id in "([!-*,-<>-~]|\\+[0-9A-F]{2}){1,33}",
        original in concat!(
            "(rfc822|utf-8|x-y);",
            "([!-*,-<>-~]|\\+[0-9A-F]{2}|\\\\x\\{[0-9A-F]{2,5}\\}){1,60}",
        ),
        host in hostile(),
        words in hostile(),
    ) {
        let id = envelope_id.parse::<EnvelopeId>().ok();
        prop_assert!(!id.as_ref().is_some_and(|id| id.text().contains(char::is_control)));
        let to = original.parse::<OriginalRecipient>().ok();
        prop_assert!(!to.as_ref().is_some_and(|to| to.address().contains(char::is_control)));
        let [message, recipient] = status_fields(&report(&envelope_id, &original, &host, &words));
        prop_assert_eq!(message.len(), 2 + usize::from(id.is_some()));
        prop_assert_eq!(recipient.len(), 5 + usize::from(to.is_some()));
    }

    // attacks.md 8
    #[test]
    fn no_name_or_path_makes_a_trace_field(
        helo in hostile(),
        peer_name in hostile(),
        id in hostile(),
        path in path(),
        utf8 in any::<bool>(),
    ) {
        let to: Vec<Recipient> =
            path.parse::<ForwardPath>().map(Recipient::from).into_iter().collect();
        let field = received(&helo, &peer_name, &id, &to, utf8);
        prop_assert_eq!(fields(&field), ["Received"]);
        prop_assert!(utf8 || field.is_ascii());
        if let Ok(path) = path.parse::<ReversePath>() {
            let mut field = Vec::new();
            ReturnPath(&path).write_to(&mut field);
            prop_assert_eq!(fields(&field), ["Return-Path"]);
            prop_assert_eq!(ReturnPath(&path).to_string().into_bytes(), field);
        }
    }
}
