//! Another reader's view: the `email` package of Python takes our reports apart.
//!
//! Skipped, with a line that says so, where no `python3` is.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of a test")]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use transom_message::dsn::{Report, ReportKind, ReportRecipient, Returned};
use transom_types::{AttemptStage, EnhancedStatusCode, RemoteHost, Reply, ReplyCode, Status};

/// Prints what it read, one fact a line; any defect that the package sees is a fact too.
const SCRIPT: &str = r#"
import sys, email, email.policy
message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
print(message.get_content_type(), message.get_param("report-type"))
print(message["Subject"])
print(message["To"])
for part in message.walk():
    print(part.get_content_type(), len(part.defects))
text, status, original = message.get_payload()
print("readable:", "gr\u00fcn" in text.get_content())
for group in status.get_payload():
    print(";".join(group.keys()))
print(status.get_payload()[1]["Final-Recipient"])
print(original.get_content_type())
"#;

fn report(returned: Returned<'_>) -> Vec<u8> {
    let code = EnhancedStatusCode::permanent(1, 1);
    let reply = Reply::new(ReplyCode::MAILBOX_UNAVAILABLE, code, "gr\u{fc}n and unknown");
    let host = RemoteHost { name: "mx.fabrikam.com".into(), address: None };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    Report {
        kind: ReportKind::Failed,
        reporting_mta: "mx1.contoso.com".parse().unwrap(),
        from: "postmaster@contoso.com".parse().unwrap(),
        to: "alice@contoso.com".parse().unwrap(),
        arrival: now,
        now,
        message_id: "<dsn-1@mx1.contoso.com>".parse().unwrap(),
        envelope_id: None,
        recipients: vec![ReportRecipient {
            final_recipient: "<bob@fabrikam.com>".parse().unwrap(),
            original_recipient: None,
            status: Status::remote(AttemptStage::Rcpt, reply, host),
            will_retry_until: None,
        }],
        original_message_id: Some("<1@contoso.com>".parse().unwrap()),
        returned,
    }
    .build()
}

/// What Python makes of `message`; none where there is no Python.
fn read(message: &[u8]) -> Option<String> {
    let spawned = Command::new("python3")
        .args(["-c", SCRIPT])
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut python = match spawned {
        Ok(python) => python,
        Err(wrong) => {
            println!("SKIPPED: python3 cannot be started ({wrong})");
            return None;
        }
    };
    python.stdin.take().unwrap().write_all(message).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 failed");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn python_reads_a_report_with_the_header_section() {
    let original = "Subject: gr\u{fc}n\r\n\r\nbody\r\n";
    let Some(read) = read(&report(Returned::Headers(original.as_bytes()))) else { return };
    assert_eq!(
        read,
        "multipart/report delivery-status\n\
         Undeliverable: gr\u{fc}n\n\
         alice@contoso.com\n\
         multipart/report 0\n\
         text/plain 0\n\
         message/delivery-status 0\n\
         text/plain 0\n\
         text/plain 0\n\
         text/rfc822-headers 0\n\
         readable: True\n\
         Reporting-MTA;Arrival-Date\n\
         Final-Recipient;Action;Status;Remote-MTA;Diagnostic-Code\n\
         rfc822; bob@fabrikam.com\n\
         text/rfc822-headers\n"
    );
}

#[test]
fn python_reads_a_report_with_the_whole_message() {
    let original = b"Subject: hello\r\nFrom: alice@contoso.com\r\n\r\nbody\r\n";
    let Some(read) = read(&report(Returned::Message(original))) else { return };
    assert!(read.contains("\nUndeliverable: hello\n"), "{read}");
    assert!(read.contains("\nmessage/rfc822 0\n"), "{read}");
    assert!(read.ends_with("message/rfc822\n"), "{read}");
}
