//! The addresses of Dominic Sayers' `is_email`, read with the eyes of RFC 5321.
//!
//! The suite grades addresses for RFC 5321 and RFC 5322 together. What it calls valid, valid with
//! a DNS warning, or unusual but fit for SMTP, must be a [`Mailbox`]; what needs folding white
//! space, comments or the obsolete forms of RFC 5322 must not. Every deviation is listed.
//!
//! Found through `TRANSOM_CONFORMANCE`, a folder that holds `email-address/isemail-tests.xml`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::fs;
use std::io::Write;
use std::path::Path;

use transom_types::Mailbox;

/// Tests whose result we want to be another one: id, why.
const DEVIATIONS: [(&str, &str); 6] = [
    ("26", LONG_LOCAL_PART),
    ("39", LONG_PATH),
    ("40", LONG_PATH),
    ("59", LONG_LOCAL_PART),
    ("60", LONG_LOCAL_PART),
    (
        "71",
        "`::` for one group is deprecated and not refused: peers write it, and we print it back",
    ),
];

const LONG_LOCAL_PART: &str = "64 octets is what every host must take, not the most that may be: \
                               bounce addresses are longer, and ours is Exchange's limit of 315";
const LONG_PATH: &str = "256 octets for a path is what every host must take; local-part and domain \
                         are bounded by themselves";

struct Case {
    id: String,
    address: String,
    category: String,
    diagnosis: String,
}

#[test]
fn corpus_is_judged_as_rfc_5321_does() {
    let Some(folder) = std::env::var_os("TRANSOM_CONFORMANCE") else {
        let line = "SKIPPED: is_email needs TRANSOM_CONFORMANCE, see docs/conformance.md";
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    };
    let xml = fs::read_to_string(Path::new(&folder).join("email-address/isemail-tests.xml"))
        .expect("the folder of TRANSOM_CONFORMANCE holds the suite");
    let cases: Vec<Case> = xml.split("<test id=\"").skip(1).map(case).collect();
    assert_eq!(cases.len(), 164);
    for (id, reason) in DEVIATIONS {
        assert!(cases.iter().any(|case| case.id == id), "{id} is in no case: {reason}");
    }
    let mut wrong = Vec::new();
    for case in &cases {
        let accepted = case.address.parse::<Mailbox>();
        let deviates = DEVIATIONS.iter().any(|(id, _)| *id == case.id);
        if (accepted.is_ok() == wanted(&case.category)) == deviates {
            wrong.push(format!(
                "{} {:?} {} {}: {accepted:?}",
                case.id, case.address, case.category, case.diagnosis
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Whether an address of this category can stand in an envelope.
fn wanted(category: &str) -> bool {
    match category {
        "ISEMAIL_VALID_CATEGORY" | "ISEMAIL_DNSWARN" | "ISEMAIL_RFC5321" => true,
        "ISEMAIL_CFWS" | "ISEMAIL_DEPREC" | "ISEMAIL_RFC5322" | "ISEMAIL_ERR" => false,
        other => panic!("unknown category {other}"),
    }
}

fn case(text: &str) -> Case {
    let id = text.split('"').next().unwrap().to_owned();
    Case {
        id,
        address: unescape(element(text, "address")),
        category: element(text, "category").to_owned(),
        diagnosis: element(text, "diagnosis").to_owned(),
    }
}

fn element<'t>(text: &'t str, name: &str) -> &'t str {
    let after = text.split_once(&format!("<{name}>")).map(|(_, after)| after);
    after.and_then(|after| after.split_once(&format!("</{name}>"))).map_or("", |(inner, _)| inner)
}

/// Entities of XML; the suite writes control characters as U+2400 and up.
fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (entity, tail) = after.split_once(';').unwrap();
        plain.push_str(before);
        plain.push(match entity {
            "amp" => '&',
            "apos" => '\'',
            "gt" => '>',
            "lt" => '<',
            "quot" => '"',
            number => {
                let hex = number.strip_prefix("#x").unwrap();
                char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap()
            }
        });
        rest = tail;
    }
    plain.push_str(rest);
    plain.chars().map(control).collect()
}

fn control(c: char) -> char {
    match u32::from(c).checked_sub(0x2400) {
        Some(number) if number < 32 => char::from_u32(number).unwrap(),
        _ => c,
    }
}
