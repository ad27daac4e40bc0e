//! Written, read, forged.

use proptest::prelude::*;
use transom_message::HeaderSection;

use super::{AuthenticationResults, MethodResult, ParseResultsError, forged_results};

fn parse(text: &str) -> Result<AuthenticationResults, ParseResultsError> {
    AuthenticationResults::parse(text)
}

// [RFC 8601 §2.2] test, with the forms of its Appendix B in our own words.
#[test]
fn results_are_read_in_every_form() {
    let text = " (a) \"mx.example\" (b) 1 (c); spf = pass (good (very)) reason=\"it; is\"\r\n \
                smtp.mailfrom = a@b.example ; dkim/1=fail header.d=x.example \
                header.b=ab==; auth=none";
    let results = parse(text).unwrap();
    assert_eq!((results.authserv_id.as_str(), results.results.len()), ("mx.example", 3));
    let spf = &results.results[0];
    assert!(spf.is("SPF", "Pass"));
    assert_eq!(spf.comment.as_deref(), Some("good (very)"));
    assert_eq!(spf.reason.as_deref(), Some("it; is"));
    assert_eq!(spf.property("smtp", "mailfrom"), Some("a@b.example"));
    assert!(results.results[1].is("dkim", "fail"));
    assert_eq!(results.results[1].property("header", "b"), Some("ab=="));
    assert_eq!(parse("mx.example; none").unwrap().results, []);
    let exchange = parse("x; dmarc=fail action=oreject header.from=a.example").unwrap();
    assert_eq!(exchange.results[0].property("", "action"), Some("oreject"));
}

#[test]
fn what_is_no_result_is_refused() {
    for (text, error) in [
        ("", ParseResultsError::NoServer),
        ("; spf=pass", ParseResultsError::NoServer),
        ("spf=pass smtp.mailfrom=a.example", ParseResultsError::NoServer),
        ("mx.example other; spf=pass", ParseResultsError::NoServer),
        ("mx.example 2; spf=pass", ParseResultsError::Version),
        ("mx.example; spf", ParseResultsError::Malformed),
        ("mx.example; spf=", ParseResultsError::Malformed),
        ("mx.example; (only a remark", ParseResultsError::Malformed),
        ("mx.example; =pass", ParseResultsError::Malformed),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
    assert_eq!(parse(&"x".repeat(65 << 10)), Err(ParseResultsError::TooLong));
    assert_eq!(parse(&format!("x{}", ";a=b".repeat(1000))), Err(ParseResultsError::TooMany));
    assert_eq!(parse(&format!("x;a=b{}", " c=d".repeat(1000))), Err(ParseResultsError::TooMany));
}

#[test]
fn a_field_is_folded_and_reads_the_same() {
    let results = (0..9).map(|n| {
        MethodResult::new("dkim", "pass").with("header", "d", &format!("d{n}.contoso.com"))
    });
    let results = AuthenticationResults::new("mx.contoso.com", results.collect());
    let mut field = Vec::new();
    results.write_to(&mut field);
    let text = String::from_utf8(field.clone()).unwrap();
    assert!(text.starts_with("Authentication-Results: mx.contoso.com; dkim=pass header.d=d0"));
    assert!(text.lines().all(|line| line.len() <= 78));
    let section = HeaderSection::parse(&field);
    let value = section.first("Authentication-Results").unwrap().value().into_owned();
    assert_eq!(parse(&value), Ok(results));
}

// [RFC 8601 §5] test
#[test]
fn results_in_our_name_are_found_and_those_of_others_stay() {
    let forged = [
        "Authentication-Results: mx.contoso.com; spf=pass",
        "authentication-results : MX.Contoso.com; spf=pass",
        "Authentication-Results:\r\n (x) \"mx.contoso.com\"\r\n 1; spf=pass",
        "Authentication-Results: mx.contoso.com.; spf=pass",
        "Authentication-Results: mx.contoso.com (; spf=pass",
        "Authentication-Results: spf=pass smtp.mailfrom=contoso.com",
        "Authentication-Results:",
    ];
    let kept = [
        "Authentication-Results: mx.fabrikam.com; spf=pass (mx.contoso.com)",
        "ARC-Authentication-Results: i=1; mx.contoso.com; spf=pass",
        "Subject: Authentication-Results: mx.contoso.com; spf=pass",
    ];
    let content = |fields: &[&str]| fields.join("\r\n") + "\r\n\r\nbody";
    for field in forged {
        let text = content(&[kept[0], field, kept[1]]);
        let headers = HeaderSection::parse(text.as_bytes());
        let found = forged_results(&headers, &["mx.contoso.com"]);
        let expected = kept[0].len() + 2..kept[0].len() + field.len() + 4;
        assert_eq!(found, [expected], "{field}");
    }
    let text = content(&kept);
    assert_eq!(forged_results(&HeaderSection::parse(text.as_bytes()), &["mx.contoso.com"]), []);
}

proptest! {
    // attacks.md 8: no text of a stranger makes a result of its own.
    #[test]
    fn what_is_written_reads_the_same(
        id in "[!-~]{1,30}",
        texts in prop::collection::vec("\\PC{0,40}|[\r\n;\"\\\\()= a]{0,20}", 0..8),
    ) {
        let results = texts.iter().map(|text| {
            MethodResult::new("spf", "fail").with_comment(text).with_reason(text)
                .with("smtp", "mailfrom", text)
        });
        let results = AuthenticationResults::new(&id, results.collect());
        let mut field = Vec::new();
        results.write_to(&mut field);
        prop_assert!(field.is_ascii());
        let section = HeaderSection::parse(&field);
        prop_assert!(!section.is_complete());
        let fields: Vec<_> = section.fields().collect();
        prop_assert_eq!(fields.len(), 1);
        let read = parse(&fields[0].value()).unwrap();
        prop_assert_eq!(read.authserv_id, id);
        prop_assert_eq!(read.results.len(), texts.len());
        for (result, text) in read.results.iter().zip(&texts) {
            prop_assert!(result.is("spf", "fail"));
            prop_assert_eq!(result.properties.len(), usize::from(!text.is_empty()));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-c;=()\"\\\\ .\r\n1]{0,60}") {
        if let Ok(results) = parse(&text) {
            let again = parse(&results.to_string());
            prop_assert_eq!(again.map(|again| again.results.len()), Ok(results.results.len()));
        }
        let content = format!("Authentication-Results: {}\r\n", text.replace(['\r', '\n'], " "));
        let _ = forged_results(&HeaderSection::parse(content.as_bytes()), &["a"]);
    }
}
