//! What each parser refuses, with the error that says why and where; and what it just takes.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

use transom_types::*;

fn refused<T>(table: &[(&str, T::Err)])
where
    T: std::str::FromStr + std::fmt::Debug,
    T::Err: PartialEq + std::fmt::Debug,
{
    for (text, error) in table {
        match text.parse::<T>() {
            Ok(value) => panic!("{text:?} was taken as {value:?}"),
            Err(found) => assert_eq!(&found, error, "{text:?}"),
        }
    }
}

#[test]
fn domain_is_refused_with_the_place() {
    use ParseDomainError::{Character, Empty, LabelLength, TooLong};
    let (long_label, long) = ("a".repeat(64), "a.".repeat(127) + "bb");
    refused::<Domain>(&[
        ("", Empty),
        (".", LabelLength { at: 0, octets: 0 }),
        ("a.", LabelLength { at: 2, octets: 0 }),
        ("a..b", LabelLength { at: 2, octets: 0 }),
        (".a", LabelLength { at: 0, octets: 0 }),
        (&long_label, LabelLength { at: 0, octets: 64 }),
        (&long, TooLong { octets: 256 }),
        ("-a.b", Character { at: 0 }),
        ("a.b-", Character { at: 3 }),
        ("a_b.c", Character { at: 1 }),
        ("a b", Character { at: 1 }),
        ("a\u{a0}b", Character { at: 1 }),
        ("[192.0.2.1]", Character { at: 0 }),
        ("a.b\r\n", Character { at: 3 }),
    ]);
    for text in ["a", "a-b.c", "1.2.3.4", "xn--bcher-kva.example", "b\u{fc}cher.example"] {
        assert!(text.parse::<Domain>().is_ok(), "{text}");
    }
    assert!("a".repeat(63).parse::<Domain>().is_ok());
    assert!((long[..254].to_owned() + "b").parse::<Domain>().is_ok());
}

#[test]
fn domain_is_within_itself_and_its_parents() {
    let of = |text: &str| text.parse::<Domain>().unwrap();
    for (inner, outer, within) in [
        ("b.example", "b.example", true),
        ("a.b.example", "B.Example", true),
        ("ab.example", "b.example", false),
        ("example", "b.example", false),
        ("b.example", "example", true),
        ("b.example.org", "example", false),
    ] {
        assert_eq!(of(inner).is_within(&of(outer)), within, "{inner} in {outer}");
    }
}

#[test]
fn local_part_is_refused_with_the_place() {
    use ParseLocalPartError::{Character, EmptyAtom, TooLong, Unclosed};
    let long = "a".repeat(316);
    refused::<LocalPart>(&[
        ("", EmptyAtom { at: 0 }),
        (".a", EmptyAtom { at: 0 }),
        ("a.", EmptyAtom { at: 2 }),
        ("a..b", EmptyAtom { at: 2 }),
        ("a b", Character { at: 1 }),
        ("a@", Character { at: 1 }),
        ("a\u{85}", Character { at: 1 }),
        ("\"a", Unclosed),
        ("\"a\\\"", Unclosed),
        ("\"", Unclosed),
        ("\"a\"b", Character { at: 3 }),
        ("\"a\tb\"", Character { at: 2 }),
        ("\"a\\\u{e4}\"", Character { at: 3 }),
        (&long, TooLong { octets: 316 }),
    ]);
    assert!("a".repeat(315).parse::<LocalPart>().is_ok());
}

#[test]
fn quoted_local_part_means_what_it_encloses() {
    let table =
        [("john", "john"), ("\"john\"", "john"), ("\"a\\\"b\\\\c d\"", "a\"b\\c d"), ("\"\"", "")];
    for (text, meaning) in table {
        assert_eq!(text.parse::<LocalPart>().unwrap().unquoted(), meaning, "{text}");
    }
}

#[test]
fn mailbox_is_refused_with_the_part() {
    use ParseMailboxError::{Domain, Literal, LocalPart, NoAtSign, Rest};
    refused::<Mailbox>(&[
        ("@b", LocalPart(ParseLocalPartError::EmptyAtom { at: 0 })),
        ("a", NoAtSign { at: 1 }),
        ("a b@c", NoAtSign { at: 1 }),
        ("a@", Domain(ParseDomainError::Empty)),
        ("a@b.", Domain(ParseDomainError::LabelLength { at: 2, octets: 0 })),
        ("a@[b]", Literal(ParseAddressLiteralError::Address)),
        ("a@[192.0.2.1", Literal(ParseAddressLiteralError::Brackets)),
        ("a@b@c", Rest { at: 3 }),
        ("a@b>", Rest { at: 3 }),
        ("a@[192.0.2.1]x", Rest { at: 13 }),
    ]);
}

#[test]
fn address_literal_is_refused() {
    use ParseAddressLiteralError::{Address, Brackets};
    refused::<AddressLiteral>(&[
        ("192.0.2.1", Brackets),
        ("[192.0.2.1", Brackets),
        ("[", Brackets),
        ("[]", Address),
        ("[192.0.2]", Address),
        ("[192.0.2.256]", Address),
        ("[192.0.2.01]", Address),
        ("[2001:db8::1]", Address),
        ("[IPv6:192.0.2.1]", Address),
        ("[IPv6:fe80::1%eth0]", Address),
        ("[IPv6: ::1]", Address),
        // [RFC 5321 §4.1.3] test: no other tag was ever registered.
        ("[x400:abc]", Address),
    ]);
}

#[test]
fn path_is_refused_with_the_place() {
    use ParsePathError::{Mailbox, NoAngleBracket, Rest, SourceRoute};
    let no_host = Mailbox { at: 1, wrong: ParseMailboxError::NoAtSign { at: 1 } };
    let empty = ParseMailboxError::LocalPart(ParseLocalPartError::EmptyAtom { at: 0 });
    let table = [
        ("", NoAngleBracket { at: 0 }),
        ("a@b", NoAngleBracket { at: 0 }),
        ("<a@b", NoAngleBracket { at: 4 }),
        ("<a@b c>", NoAngleBracket { at: 4 }),
        ("<a>", no_host),
        ("< >", Mailbox { at: 1, wrong: empty.clone() }),
        ("<a@b> SIZE=1", Rest { at: 5 }),
        ("<@x:>", Mailbox { at: 4, wrong: empty.clone() }),
        ("<@x a@b>", SourceRoute),
        ("<@x,y:a@b>", SourceRoute),
        ("<@:a@b>", SourceRoute),
    ];
    refused::<ForwardPath>(&table);
    refused::<ReversePath>(&table);
    // Each null form belongs to one of the two.
    refused::<ForwardPath>(&[("<>", Mailbox { at: 1, wrong: empty })]);
    let no_host = ParseMailboxError::NoAtSign { at: 10 };
    refused::<ReversePath>(&[("<Postmaster>", Mailbox { at: 1, wrong: no_host })]);
}

#[test]
fn codes_are_refused() {
    for text in ["", "25", "2500", "150", "650", "260", "+25", "25a", " 250", "\u{662}50"] {
        assert!(text.parse::<ReplyCode>().is_err(), "{text:?}");
    }
    for number in [0, 199, 260, 299, 600, 2500] {
        assert!(ReplyCode::try_from(number).is_err(), "{number}");
    }
    for text in ["", "2", "2.1", "2.1.", "3.1.1", "2.01.1", "2.1.1000", "2.1.1 ", "2..1", "02.1.1"]
    {
        assert!(text.parse::<EnhancedStatusCode>().is_err(), "{text:?}");
    }
    for text in ["2.0.0", "4.4.7", "5.999.999"] {
        assert!(text.parse::<EnhancedStatusCode>().is_ok(), "{text:?}");
    }
}

// [RFC 5321 §4.2] test
#[test]
fn unknown_code_is_graded_by_its_first_digit() {
    let table = [
        ("259", Severity::PositiveCompletion),
        ("359", Severity::PositiveIntermediate),
        ("459", Severity::TransientNegative),
        ("559", Severity::PermanentNegative),
    ];
    for (text, severity) in table {
        assert_eq!(text.parse::<ReplyCode>().unwrap().severity(), severity, "{text}");
    }
}

#[test]
fn parameters_are_refused() {
    for text in ["", "NEVER,SUCCESS", "SUCCESS,", "SUCCESS FAILURE", "never,never", "ALWAYS"] {
        assert!(text.parse::<Notify>().is_err(), "{text:?}");
    }
    for text in ["", "FULL,HDRS", "HEADERS"] {
        assert!(text.parse::<Ret>().is_err(), "{text:?}");
    }
    let long = "a".repeat(101);
    assert_eq!(
        long.parse::<EnvelopeId>(),
        Err(ParseEnvelopeIdError::Length { octets: 101 }),
        "one octet above the limit"
    );
    assert!("a".repeat(100).parse::<EnvelopeId>().is_ok());
    for text in ["", "a@b", ";a@b", "rfc 822;a@b"] {
        let error = Err(ParseOriginalRecipientError::NoType);
        assert_eq!(text.parse::<OriginalRecipient>(), error, "{text:?}");
    }
    let long = "a".repeat(494);
    assert_eq!(OriginalRecipient::rfc822(&long), Err(XtextError::TooLong { octets: 501 }));
    assert!(OriginalRecipient::rfc822(&long[1..]).is_ok());
}

#[test]
fn original_recipient_of_type_utf8_has_its_own_encoding() {
    for (value, address, printed) in [
        ("utf-8;a\\x{E4}b@c", "a\u{e4}b@c", "utf-8;a\\x{E4}b@c"),
        ("UTF-8;a\u{e4}b@c", "a\u{e4}b@c", "UTF-8;a\\x{E4}b@c"),
        (
            "utf-8;a\\x{2B}\\x{5C}\\x{20}\\x{3D}@c",
            "a+\\ =@c",
            "utf-8;a\\x{2B}\\x{5C}\\x{20}\\x{3D}@c",
        ),
        ("utf-8;\\x{1F4E7}@c", "\u{1f4e7}@c", "utf-8;\\x{1F4E7}@c"),
        ("rfc822;a\\x{E4}+2B@c", "a\\x{E4}+@c", "rfc822;a\\x{E4}+2B@c"),
    ] {
        let original: OriginalRecipient = value.parse().unwrap();
        assert_eq!(original.address(), address, "{value}");
        assert_eq!(original.to_string(), printed, "{value}");
    }
    for value in [
        "utf-8;a+2Bb@c",
        "utf-8;a=b@c",
        "utf-8;a b@c",
        "utf-8;\\x{61}@c",
        "utf-8;\\x{e4}@c",
        "utf-8;\\x{0E4}@c",
        "utf-8;\\x{D800}@c",
        "utf-8;\\x{110000}@c",
        "utf-8;\\x{}@c",
        "utf-8;\\x{E4@c",
        "utf-8;\\E4@c",
    ] {
        assert!(value.parse::<OriginalRecipient>().is_err(), "{value}");
    }
    // What came in UTF-8 may be too long once it is ASCII.
    let long = format!("utf-8;{}", "\u{e4}".repeat(200));
    assert!(matches!(
        long.parse::<OriginalRecipient>(),
        Err(ParseOriginalRecipientError::Xtext(XtextError::TooLong { octets: 1206 }))
    ));
}

#[test]
fn delivery_parameters_are_refused() {
    for text in
        ["", "5", "5;", "5;X", "5;NX", "5;NTT", "1234567890;N", "0;R", "-5;R", "+;N", "--1;N"]
    {
        assert!(text.parse::<DeliverBy>().is_err(), "{text:?}");
    }
    for text in ["5;n", "+5;N", "-5;NT", "999999999;RT", "0;N"] {
        assert!(text.parse::<DeliverBy>().is_ok(), "{text:?}");
    }
    for text in ["", "0", "05", "-1", "+1", "1234567890", "1s"] {
        assert!(text.parse::<HoldInterval>().is_err(), "{text:?}");
    }
    for text in ["", "10", "-10", "-0", "+1", "a"] {
        assert!(text.parse::<MtPriority>().is_err(), "{text:?}");
    }
    for text in ["", ";C", "2014-04-03T23:01:00Z;", "2014-04-03T23:01:00Z;X", "2014-04-03;C"] {
        assert!(text.parse::<RequireRecipientValidSince>().is_err(), "{text:?}");
    }
    for text in ["", "a", "a+0", "<a@b>", "a@b+20", "a@b\r\n", "<a@b"] {
        assert!(text.parse::<Submitter>().is_err(), "{text:?}");
    }
    for (text, mailbox) in [("a@b", "a@b"), ("e+3Dmc2@b", "e=mc2@b"), ("a+2Bb@c", "a+b@c")] {
        let submitter = text.parse::<Submitter>();
        assert_eq!(submitter, Ok(Submitter::Mailbox(mailbox.parse().unwrap())), "{text:?}");
    }
    assert_eq!("<>".parse::<Submitter>(), Ok(Submitter::Unknown));
    for (keyword, value) in
        [("", None), ("-X", None), ("X_Y", None), ("X", Some("")), ("X", Some("a=b"))]
    {
        assert!(ExtensionParameter::new(keyword, value).is_err(), "{keyword:?}");
    }
    let known = Err(ExtensionParameterError::Known);
    assert_eq!(ExtensionParameter::new("Mt-Priority", Some("1")), known);
}

#[test]
fn ids_are_refused() {
    for text in ["", "<>", "a@b", "<a b>", "<a@b", "a@b>", "<a\u{7f}>"] {
        assert!(text.parse::<InternetMessageId>().is_err(), "{text:?}");
    }
    assert!(format!("<{}>", "a".repeat(997)).parse::<InternetMessageId>().is_err());
    assert!(format!("<{}>", "a".repeat(996)).parse::<InternetMessageId>().is_ok());
    for text in ["", "00000000-0000-0000-0000-00000000000", "00000000-0000-0000-0000-00000000000g"]
    {
        assert!(text.parse::<NetworkMessageId>().is_err(), "{text:?}");
    }
}

#[test]
fn status_takes_the_class_of_its_reply() {
    let contradicting =
        Reply::new(ReplyCode::MAILBOX_BUSY, EnhancedStatusCode::permanent(2, 1), "busy");
    let status = Status::local(AttemptStage::Rcpt, contradicting);
    assert_eq!(status.code, EnhancedStatusCode::transient(2, 1));
    let result = RecipientResult::from_status(0, status);
    assert!(matches!(result.outcome, Outcome::Deferred(_)));
    let bare = Status::local(AttemptStage::Rcpt, Reply::bare(ReplyCode::MAILBOX_UNAVAILABLE, "no"));
    assert_eq!(bare.code, EnhancedStatusCode::permanent(0, 0));
}
