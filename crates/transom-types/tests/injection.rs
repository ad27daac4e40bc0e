//! No value can hold CR, LF or NUL, whatever it was made from. These three end a command, a
//! header field or a string in the hands of the next program.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::str::FromStr;

use proptest::prelude::*;
use transom_types::*;

/// Arbitrary text with more of what hurts than chance would give.
fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just("\n".to_owned()),
        Just("\0".to_owned()),
        Just("\u{85}".to_owned()),
        Just("\u{2028}".to_owned()),
        Just("+0D+0A".to_owned()),
        Just("+00".to_owned()),
        Just("utf-8;".to_owned()),
        Just("\\x{0D}\\x{0A}".to_owned()),
        Just("\\".to_owned()),
        Just("\"".to_owned()),
        Just("<>".to_owned()),
        Just("@".to_owned()),
        Just("[IPv6:::1]".to_owned()),
        "[a-z.@<>\\[\\]\"+; -]{0,8}",
        ".{0,4}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// A valid value with one hostile piece put anywhere into its text.
fn poisoned(valid: &'static str) -> impl Strategy<Value = String> {
    let poison =
        prop_oneof![Just("\r\n"), Just("\r"), Just("\n"), Just("\0"), Just("\r\nRCPT TO:<x@y>")];
    (0..=valid.len(), poison).prop_map(move |(at, poison)| {
        let (before, after) = valid.split_at(at);
        format!("{before}{poison}{after}")
    })
}

fn is_clean(printed: &str) -> bool {
    !printed.contains(['\r', '\n', '\0'])
}

fn never_dirty<T: FromStr + ToString>(text: &str) -> Result<(), TestCaseError> {
    if let Ok(value) = text.parse::<T>() {
        let printed = value.to_string();
        prop_assert!(is_clean(&printed), "{text:?} became {printed:?}");
    }
    Ok(())
}

fn every_parser(text: &str) -> Result<(), TestCaseError> {
    never_dirty::<AddressLiteral>(text)?;
    never_dirty::<BodyType>(text)?;
    never_dirty::<Domain>(text)?;
    never_dirty::<EnhancedStatusCode>(text)?;
    never_dirty::<EnvelopeId>(text)?;
    never_dirty::<ForwardPath>(text)?;
    never_dirty::<InternetMessageId>(text)?;
    never_dirty::<LocalPart>(text)?;
    never_dirty::<Mailbox>(text)?;
    never_dirty::<NetworkMessageId>(text)?;
    never_dirty::<Notify>(text)?;
    never_dirty::<OriginalRecipient>(text)?;
    never_dirty::<ReplyCode>(text)?;
    never_dirty::<Ret>(text)?;
    never_dirty::<ReversePath>(text)?;
    never_dirty::<DeliverBy>(text)?;
    never_dirty::<HoldInterval>(text)?;
    never_dirty::<MtPriority>(text)?;
    never_dirty::<RequireRecipientValidSince>(text)?;
    never_dirty::<Submitter>(text)?;
    never_dirty::<Timestamp>(text)?;
    never_dirty::<Xtext>(text)?;
    Ok(())
}

proptest! {
    #[test]
    fn no_parser_lets_a_line_end_or_nul_in(text in hostile_text()) {
        every_parser(&text)?;
    }

    #[test]
    fn decoded_parameters_hold_no_line_end_or_nul(text in hostile_text()) {
        if let Ok(value) = text.parse::<Xtext>() {
            prop_assert!(is_clean(value.text()));
        }
        if let Ok(value) = text.parse::<EnvelopeId>() {
            prop_assert!(is_clean(value.text()));
        }
        if let Ok(value) = text.parse::<OriginalRecipient>() {
            prop_assert!(is_clean(value.address()) && is_clean(value.address_type()));
        }
        if let Ok(value) = text.parse::<LocalPart>() {
            prop_assert!(is_clean(&value.unquoted()));
        }
    }

    #[test]
    fn poisoned_paths_are_refused(
        quoted in poisoned("<\"john smith\"@mail.example.com>"),
        plain in poisoned("<john.smith@[192.0.2.1]>"),
        routed in poisoned("<@a.example,@b.example:john@c.example>"),
    ) {
        for text in [quoted, plain, routed] {
            prop_assert!(text.parse::<ForwardPath>().is_err(), "{text:?}");
            prop_assert!(text.parse::<ReversePath>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn prefix_of_a_command_line_never_reaches_past_a_line_end(
        text in poisoned("<john.smith@example.com> SIZE=100"),
    ) {
        if let Ok((path, length)) = ForwardPath::parse_prefix(&text) {
            prop_assert!(is_clean(text.get(..length).unwrap()));
            prop_assert!(is_clean(&path.to_string()));
        }
    }

    #[test]
    fn reply_ends_its_lines_and_holds_no_other_line_end(text in hostile_text()) {
        let replies = [
            Reply::new(ReplyCode::OK, EnhancedStatusCode::success(0, 0), text.clone()),
            Reply::bare(ReplyCode::HELP, text),
        ];
        for reply in replies {
            prop_assert!(is_clean(&reply.to_line()));
            let printed = reply.to_string();
            let lines = printed.strip_suffix("\r\n").unwrap();
            prop_assert!(lines.split("\r\n").all(is_clean), "{printed:?}");
            let mut octets = Vec::new();
            reply.write_to(&mut octets);
            prop_assert_eq!(octets, printed.into_bytes());
        }
    }

    #[test]
    fn no_constructor_lets_a_line_end_or_nul_in(keyword in hostile_text(), text in hostile_text()) {
        for value in [None, Some(text.as_str())] {
            if let Ok(parameter) = ExtensionParameter::new(&keyword, value) {
                prop_assert!(is_clean(&parameter.to_string()));
            }
            if let Ok(parameter) = ExtensionParameter::new("X-TEST", value) {
                prop_assert!(is_clean(&parameter.to_string()));
            }
        }
        let originals = [OriginalRecipient::rfc822(&text), OriginalRecipient::utf8(&text)];
        for original in originals.into_iter().flatten() {
            prop_assert!(is_clean(&original.to_string()) && is_clean(original.address()));
        }
    }

    #[test]
    fn check_and_parse_agree(text in hostile_text()) {
        prop_assert_eq!(EnvelopeId::check(&text).is_ok(), text.parse::<EnvelopeId>().is_ok());
        prop_assert_eq!(Submitter::check(&text).is_ok(), text.parse::<Submitter>().is_ok());
        prop_assert_eq!(Xtext::check(&text).err(), text.parse::<Xtext>().err());
        let original = OriginalRecipient::check(&text).is_ok();
        prop_assert_eq!(original, text.parse::<OriginalRecipient>().is_ok());
        let reverse = ReversePath::parse_prefix(&text).map(|(_, length)| length);
        prop_assert_eq!(ReversePath::check_prefix(&text), reverse);
        let forward = ForwardPath::parse_prefix(&text).map(|(_, length)| length);
        prop_assert_eq!(ForwardPath::check_prefix(&text), forward);
    }

    #[test]
    fn names_of_our_own_are_cleaned(text in hostile_text()) {
        prop_assert!(is_clean(ConnectorId::new(&text).as_str()));
        prop_assert!(is_clean(NextHopDomain::new(&text).as_str()));
        let host = RemoteHost { name: text, address: None };
        prop_assert!(is_clean(&host.to_string()));
    }
}

#[test]
fn xtext_that_decodes_to_a_control_character_is_refused() {
    let table = [
        ("+0D+0ABcc:+20x@y", XtextError::Control { at: 0 }),
        ("a+0A", XtextError::Control { at: 1 }),
        ("a+00", XtextError::Control { at: 1 }),
        ("a+7F", XtextError::Control { at: 1 }),
        ("a+C2+85", XtextError::Control { at: 1 }),
        ("a+0d", XtextError::Hex { at: 1 }),
        ("a+0", XtextError::Hex { at: 1 }),
        ("a+", XtextError::Hex { at: 1 }),
        ("a=b", XtextError::Character { at: 1 }),
        ("a b", XtextError::Character { at: 1 }),
        ("a\r\nb", XtextError::Character { at: 1 }),
        ("+FF", XtextError::Utf8),
    ];
    for (text, error) in table {
        assert_eq!(text.parse::<Xtext>(), Err(error), "{text:?}");
    }
}

#[test]
fn parameters_refuse_a_hidden_line_end() {
    for text in [
        "rfc822;a@b+0D+0AX:+20y",
        "rfc822;a\r\n",
        "rfc\r\n822;a",
        "utf-8;+00",
        "utf-8;\\x{0D}\\x{0A}",
    ] {
        assert!(text.parse::<OriginalRecipient>().is_err(), "{text:?}");
    }
    for text in ["a+0D+0Ab", "a\nb", "+00"] {
        assert!(text.parse::<EnvelopeId>().is_err(), "{text:?}");
    }
    assert!(OriginalRecipient::rfc822("a@b\r\nX: y").is_err());
    assert!(Xtext::from_text("a\0").is_err());
}
