//! Written, packed, sent, read; and what strangers pack.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::{AggregateReport, DkimEntry, ReadReportError, ReportMail, ReportRecord};
use crate::dmarc::{DmarcPolicy, DmarcRecord};

fn record(count: u64, from: &str) -> ReportRecord {
    ReportRecord {
        source_ip: "2001:db8::1".parse().unwrap(),
        count,
        disposition: DmarcPolicy::Quarantine,
        dkim_aligned: false,
        spf_aligned: true,
        overrides: vec![("local_policy".to_owned(), "a < b & c".to_owned())],
        header_from: from.to_owned(),
        envelope_from: Some(String::new()),
        envelope_to: None,
        dkim: vec![DkimEntry {
            domain: "x.example".to_owned(),
            selector: "s1".to_owned(),
            result: "fail".to_owned(),
        }],
        spf: Some(("a.example".to_owned(), "pass".to_owned())),
    }
}

fn report() -> AggregateReport {
    let mut report = AggregateReport::new("Contoso <Ltd>", "dmarc@contoso.com", "r1", 0, 86_400);
    report.policy.domain = "a.example".to_owned();
    let text = b"v=DMARC1; p=reject; sp=none; np=quarantine; adkim=s; fo=1; t=y";
    report.policy.record = DmarcRecord::parse(text).unwrap();
    report.errors.push("\"two\" records".to_owned());
    assert!(report.count(record(1, "a.example")));
    assert!(report.count(record(2, "a.example")));
    assert!(report.count(record(1, "m.a.example")));
    report
}

fn pack(octets: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(octets).unwrap();
    packer.finish().unwrap()
}

// [RFC 9990 §3.1] test
#[test]
fn a_report_is_read_as_it_was_written() {
    let report = report();
    assert_eq!(report.records.iter().map(|record| record.count).collect::<Vec<_>>(), [3, 1]);
    let xml = report.to_xml();
    assert_eq!(AggregateReport::read(xml.as_bytes()).as_ref(), Ok(&report));
    assert_eq!(AggregateReport::read(&pack(xml.as_bytes())).as_ref(), Ok(&report));
    assert!(xml.contains("<org_name>Contoso &lt;Ltd&gt;</org_name>"));
}

// [RFC 9990 §3.5.2] test
#[test]
fn a_report_is_sent_and_found_in_its_message() {
    let report = report();
    let mail = ReportMail {
        from: "dmarc@contoso.com".parse().unwrap(),
        to: "rua@a.example".parse().unwrap(),
        submitter: "contoso.com".parse().unwrap(),
        unix_seconds: 86_400,
    };
    let message = mail.write(&report);
    assert_eq!(AggregateReport::read_message(&message), Ok(report));
    let text = String::from_utf8(message).unwrap();
    assert!(text.contains("Subject: Report Domain: a.example\r\n Submitter: contoso.com\r\n"));
    assert!(text.contains("filename=\"contoso.com!a.example!0!86400!r1.xml.gz\""));
    assert!(text.contains("\r\nContent-Type: application/gzip\r\n"));
    assert!(text.split("\r\n").all(|line| line.len() <= 78 && !line.contains(['\r', '\n'])));
    let none = AggregateReport::read_message(b"Subject: x\r\n\r\nhello\r\n");
    assert_eq!(none, Err(ReadReportError::NoPart));
}

// [RFC 9990 §8.1] test
#[test]
fn bombs_are_refused_before_they_burst() {
    let bomb = pack(&vec![b' '; 4 << 20]);
    assert_eq!(AggregateReport::read(&bomb), Err(ReadReportError::Ratio));
    let limit = 64 << 20;
    let zeros = vec![b' '; limit + 1];
    assert_eq!(AggregateReport::read(&zeros), Err(ReadReportError::TooLarge { limit }));
    let entities =
        "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><feedback>&b;</feedback>";
    assert_eq!(AggregateReport::read(entities.as_bytes()), Err(ReadReportError::Xml));
    let unknown = "<feedback><report_metadata><report_id>&b;</report_id>";
    assert_eq!(AggregateReport::read(unknown.as_bytes()), Err(ReadReportError::Xml));
    let deep = "<feedback>".repeat(1 << 20);
    assert_eq!(AggregateReport::read(deep.as_bytes()), Err(ReadReportError::TooMany));
    let head = "<feedback><report_metadata><report_id>1</report_id></report_metadata>";
    let many = "<record><row><source_ip>1.2.3.4</source_ip></row><identifiers>\
                <header_from>a</header_from></identifiers></record>";
    let many = format!("{head}{}", many.repeat(AggregateReport::RECORDS_MAX + 1));
    assert_eq!(AggregateReport::read(many.as_bytes()), Err(ReadReportError::TooMany));
}

#[test]
fn what_is_no_report_is_named() {
    for (xml, error) in [
        ("", ReadReportError::Element("report_id")),
        ("hello", ReadReportError::Element("report_id")),
        ("<feedback>", ReadReportError::Xml),
        ("<feedback></record>", ReadReportError::Xml),
        ("<feedback><record></record></feedback>", ReadReportError::Element("record")),
        (
            "<feedback><record><row><source_ip>x</source_ip></row></record></feedback>",
            ReadReportError::Element("source_ip"),
        ),
    ] {
        assert_eq!(AggregateReport::read(xml.as_bytes()), Err(error), "{xml}");
    }
    assert_eq!(AggregateReport::read(&[0x1f, 0x8b, 1, 2]), Err(ReadReportError::Packing));
}

proptest! {
    #[test]
    fn texts_of_strangers_stay_in_their_elements(
        text in "\\PC{0,30}",
        control in "[\r\n\t<>&;\"]{0,9}",
    ) {
        let mut report = report();
        report.org_name = text.trim().to_owned();
        let foreign = record(7, &format!("x{control}y"));
        report.count(foreign);
        let read = AggregateReport::read(report.to_xml().as_bytes()).unwrap();
        prop_assert_eq!(read.org_name, report.org_name);
        prop_assert_eq!(read.records.len(), report.records.len());
    }

    #[test]
    fn no_octets_break_the_reader(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = AggregateReport::read(&octets);
        let _ = AggregateReport::read(&pack(&octets));
        let _ = AggregateReport::read_message(&octets);
    }
}
