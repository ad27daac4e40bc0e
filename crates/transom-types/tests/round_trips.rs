//! What was printed parses back to the same value, and what was parsed prints back.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::net::IpAddr;
use std::str::FromStr;

use proptest::prelude::*;
use transom_types::*;

const LABEL: &str = "[a-zA-Z0-9]([a-zA-Z0-9-]{0,10}[a-zA-Z0-9])?";
const DOT_STRING: &str = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,8}(\\.[a-zA-Z0-9_-]{1,8}){0,3}";
const QUOTED: &str = "\"([ !#-\\[\\]-~]|\\\\[ -~]){0,12}\"";

fn domain_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::collection::vec(LABEL, 1..4).prop_map(|labels| labels.join(".")),
        1 => "[\u{e4}\u{4e00}-\u{4eff}]{1,6}\\.example",
    ]
}

fn literal() -> impl Strategy<Value = AddressLiteral> {
    any::<IpAddr>().prop_map(AddressLiteral::from)
}

fn local_part_text() -> impl Strategy<Value = String> {
    prop_oneof![4 => DOT_STRING, 2 => QUOTED, 1 => "[\u{e4}\u{3b1}-\u{3c9}]{1,8}"]
}

fn mailbox_text() -> impl Strategy<Value = String> {
    let host = prop_oneof![3 => domain_text(), 1 => literal().prop_map(|l| l.to_string())];
    (local_part_text(), host).prop_map(|(local_part, host)| format!("{local_part}@{host}"))
}

/// Printable text, as a sender may put it into ENVID or ORCPT.
fn plain_text() -> impl Strategy<Value = String> {
    "[ -~\u{e4}\u{4e00}]{0,24}"
}

/// `text` must parse and print back as it was; the value is handed on.
fn reads_and_prints<T>(text: &str) -> Result<T, TestCaseError>
where
    T: FromStr + ToString,
    T::Err: std::fmt::Debug,
{
    let value = text.parse::<T>();
    prop_assert!(value.is_ok(), "{:?} is refused: {:?}", text, value.err());
    let value = value.unwrap();
    prop_assert_eq!(value.to_string(), text);
    Ok(value)
}

/// `value` must print as something that parses to it.
fn prints_and_reads<T>(value: &T) -> Result<(), TestCaseError>
where
    T: FromStr + ToString + PartialEq + std::fmt::Debug,
{
    let printed = value.to_string();
    let again = printed.parse::<T>().ok();
    prop_assert_eq!(again.as_ref(), Some(value), "{:?}", printed);
    Ok(())
}

proptest! {
    #[test]
    fn domain(text in domain_text()) {
        let domain: Domain = reads_and_prints(&text)?;
        prints_and_reads(&domain)?;
        prints_and_reads(&domain.to_lowercase())?;
    }

    #[test]
    fn address_literal(literal in literal()) {
        prints_and_reads(&literal)?;
    }

    #[test]
    fn local_part(text in local_part_text()) {
        let local_part: LocalPart = reads_and_prints(&text)?;
        prints_and_reads(&local_part)?;
    }

    #[test]
    fn mailbox(text in mailbox_text()) {
        let mailbox: Mailbox = reads_and_prints(&text)?;
        prints_and_reads(&mailbox)?;
        let (local_part, host) = (mailbox.local_part(), mailbox.host());
        prop_assert_eq!(format!("{local_part}@{host}"), text);
        prop_assert_eq!(Mailbox::new(&local_part, &host), mailbox);
    }

    #[test]
    fn paths(text in mailbox_text(), rest in "[ a-zA-Z0-9=]{0,10}") {
        let path = format!("<{text}>");
        let forward: ForwardPath = reads_and_prints(&path)?;
        let reverse: ReversePath = reads_and_prints(&path)?;
        prop_assert_eq!(forward.mailbox(), reverse.mailbox());
        // A source route and what follows the path change nothing.
        let routed = format!("<@a.example,@b.example:{text}>{rest}");
        let (again, length) = ForwardPath::parse_prefix(&routed).unwrap();
        prop_assert_eq!(&again, &forward);
        prop_assert_eq!(&routed[length..], rest);
    }

    #[test]
    fn xtext(text in plain_text()) {
        let xtext = Xtext::from_text(&text).unwrap();
        prop_assert_eq!(xtext.text(), text);
        prints_and_reads(&xtext)?;
        let printed = xtext.to_string();
        prop_assert!(printed.bytes().all(|o| o.is_ascii_graphic() && o != b'='), "{printed}");
    }

    #[test]
    fn envelope_id(text in plain_text()) {
        if let Ok(id) = Xtext::from_text(&text).unwrap().to_string().parse::<EnvelopeId>() {
            prop_assert_eq!(id.text(), text);
            prints_and_reads(&id)?;
        }
    }

    #[test]
    fn original_recipient(text in mailbox_text(), long in 0usize..60) {
        for address in [text.clone(), text.repeat(long)] {
            if let Ok(original) = OriginalRecipient::rfc822(&address) {
                prop_assert_eq!(original.address(), &address);
                prints_and_reads(&original)?;
            }
            if let Ok(original) = OriginalRecipient::utf8(&address) {
                prop_assert_eq!(original.address(), &address);
                prop_assert!(original.to_string().is_ascii());
                prints_and_reads(&original)?;
            }
        }
    }

    #[test]
    fn submitter(text in mailbox_text()) {
        let submitter = Submitter::Mailbox(text.parse().unwrap());
        let printed = submitter.to_string();
        prop_assert!(printed.bytes().all(|o| o.is_ascii_graphic() && o != b'='), "{printed}");
        if printed.len() <= Submitter::OCTETS_MAX {
            prints_and_reads(&submitter)?;
        }
    }

    #[test]
    fn timestamp(unix in -62_167_219_200i64..=253_402_300_799) {
        let moment = Timestamp::from_unix(unix).unwrap();
        prints_and_reads(&moment)?;
        prop_assert_eq!(moment.unix(), unix);
        for otherwise in [RrvsAction::Reject, RrvsAction::Continue] {
            prints_and_reads(&RequireRecipientValidSince { since: moment, otherwise })?;
        }
    }

    #[test]
    fn numbers_in_parameters(seconds: i32, hold: u32, priority: i8, trace: bool) {
        for mode in [DeliverByMode::Notify, DeliverByMode::Return] {
            for seconds in [seconds, seconds % 1000] {
                DeliverBy::new(seconds, mode, trace).map_or(Ok(()), |by| prints_and_reads(&by))?;
            }
        }
        HoldInterval::new(hold).map_or(Ok(()), |hold| prints_and_reads(&hold))?;
        MtPriority::new(priority % 12).map_or(Ok(()), |value| prints_and_reads(&value))?;
    }

    #[test]
    fn extension_parameter(
        keyword in "[A-Z0-9][A-Z0-9-]{0,9}",
        value in prop::option::of("[!-<>-~\u{e4}]{1,9}"),
    ) {
        if let Ok(parameter) = ExtensionParameter::new(&keyword, value.as_deref()) {
            prop_assert_eq!(parameter.keyword(), keyword);
            prop_assert_eq!(parameter.value(), value.as_deref());
        }
    }

    #[test]
    fn notify(success: bool, failure: bool, delay: bool) {
        prints_and_reads(&Notify::new(success, failure, delay))?;
    }

    #[test]
    fn reply_code(number: u16) {
        if let Ok(code) = ReplyCode::try_from(number) {
            prints_and_reads(&code)?;
        }
        prop_assert_eq!(
            number.to_string().parse::<ReplyCode>().ok(),
            ReplyCode::try_from(number).ok()
        );
    }

    #[test]
    fn enhanced_status_code(class in 0usize..3, subject: u16, detail: u16) {
        let classes =
            [StatusClass::Success, StatusClass::PersistentTransient, StatusClass::Permanent];
        prints_and_reads(&EnhancedStatusCode::new(classes[class], subject, detail))?;
    }

    #[test]
    fn ids(id: u128, text in "<[!-;=?-~]{1,20}@[!-;=?-~]{1,20}>") {
        prints_and_reads(&NetworkMessageId(id))?;
        reads_and_prints::<InternetMessageId>(&text)?;
    }

    #[test]
    fn reply_text_is_cleaned_once(text in "[ -~\\n\\r\\x00\u{85}]{0,80}", long in 0usize..40) {
        let reply = Reply::bare(ReplyCode::OK, text.repeat(long));
        let again = Reply::bare(ReplyCode::OK, reply.text().to_owned());
        prop_assert_eq!(&again, &reply);
        prop_assert!(reply.lines().count() <= Reply::LINES_MAX);
        prop_assert!(reply.lines().all(|line| line.len() <= Reply::LINE_OCTETS_MAX));
    }
}

#[test]
fn words_without_choice_print_and_parse() {
    for text in ["FULL", "HDRS"] {
        assert_eq!(text.parse::<Ret>().unwrap().to_string(), text);
    }
    for text in ["7BIT", "8BITMIME", "BINARYMIME"] {
        assert_eq!(text.parse::<BodyType>().unwrap().to_string(), text);
    }
    for text in ["<>", "<a@b>"] {
        assert_eq!(text.parse::<ReversePath>().unwrap().to_string(), text);
    }
    // [RFC 5321 §4.1.1.3-d] test
    assert_eq!("<postMASTER>".parse::<ForwardPath>().unwrap().to_string(), "<Postmaster>");
}
