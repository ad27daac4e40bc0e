//! Addresses against a slow reading of their grammar, character by character: what is quick must
//! take and refuse the same.
#![expect(clippy::string_slice, reason = "helpers of tests; each cut is at an ASCII character")]

use proptest::prelude::*;
use transom_types::{Domain, LocalPart, Mailbox};

fn is_beyond_ascii(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

/// RFC 5321 §4.1.2, widened by RFC 6531 §3.3.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let good = |c: char| c == '-' || c.is_ascii_alphanumeric() || is_beyond_ascii(c);
        (1..=63).contains(&label.len())
            && label.chars().all(good)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 255 && text.split('.').all(is_label)
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_beyond_ascii(c)
}

fn is_quoted_string(text: &str) -> bool {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner.filter(|_| text.len() > 1) else { return false };
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        let is_good = match c {
            '"' => false,
            '\\' => characters.next().is_some_and(|c| (' '..='~').contains(&c)),
            c => (' '..='~').contains(&c) || (!c.is_ascii() && !c.is_control()),
        };
        if !is_good {
            return false;
        }
    }
    true
}

fn is_local_part(text: &str) -> bool {
    let is_atom = |atom: &str| !atom.is_empty() && atom.chars().all(is_atext);
    text.len() <= 315 && (text.split('.').all(is_atom) || is_quoted_string(text))
}

fn is_mailbox(text: &str) -> bool {
    let parts = |(at, _)| (&text[..at], &text[at + 1..]);
    let mut cuts = text.match_indices('@').map(parts);
    cuts.any(|(local_part, domain)| is_local_part(local_part) && is_domain(domain))
}

fn assert_same(text: &str) {
    assert_eq!(text.parse::<Domain>().is_ok(), is_domain(text), "domain {text:?}");
    assert_eq!(text.parse::<LocalPart>().is_ok(), is_local_part(text), "local-part {text:?}");
    assert_eq!(text.parse::<Mailbox>().is_ok(), is_mailbox(text), "mailbox {text:?}");
    if let Ok(mailbox) = text.parse::<Mailbox>() {
        let joined = format!("{}@{}", mailbox.local_part(), mailbox.host());
        assert_eq!((joined.as_str(), mailbox.as_str()), (text, text));
        // In a command the path ends behind it, whatever comes.
        for behind in [">", "> SIZE=1", " "] {
            let length = Mailbox::check_prefix(&format!("{text}{behind}"));
            assert_eq!(length, Ok(text.len()), "{text:?} before {behind:?}");
        }
    }
}

#[test]
fn every_short_text_is_taken_or_refused_by_the_grammar_alone() {
    const ALPHABET: [&str; 9] = ["a", ".", "-", "@", "\"", "\\", " ", "\u{e9}", "\u{85}"];
    let mut texts = vec![String::new()];
    for _ in 0..4 {
        let longer = |text: &String| ALPHABET.map(|c| format!("{text}{c}"));
        texts = texts.iter().flat_map(longer).collect();
        for text in &texts {
            assert_same(text);
            assert_same(&format!("{text}@a"));
            assert_same(&format!("a@{text}"));
        }
    }
}

#[test]
fn limits_are_the_same_in_ascii_and_beyond() {
    for length in [1, 62, 63, 64] {
        for first in ["a", "\u{e9}"] {
            let label = format!("{first}{}", "b".repeat(length - first.len().min(length)));
            for text in [label.clone(), format!("{label}.c"), format!("c.{label}")] {
                assert_same(&text);
                assert_same(&format!("x@{text}"));
            }
        }
    }
    for octets in 250..260 {
        let name = "abcdefg.".repeat(40);
        for first in ["a", "\u{e9}"] {
            let text = format!("{first}{}", &name[..octets - first.len()]);
            assert_same(&text);
            assert_same(&format!("x@{text}"));
        }
    }
    for octets in 312..319 {
        for first in ["a", "\u{e9}", "\""] {
            let last = if first == "\"" { "\"" } else { "" };
            let text = format!("{first}{}{last}", "a".repeat(octets - first.len() - last.len()));
            assert_same(&text);
            assert_same(&format!("{text}@b"));
        }
    }
}

#[test]
fn every_octet_stands_where_the_grammar_lets_it() {
    for c in '\0'..'\u{100}' {
        for text in [format!("{c}"), format!("a{c}b"), format!("\"{c}\""), format!("\"\\{c}\"")] {
            assert_same(&text);
            assert_same(&format!("{text}@a.example"));
            assert_same(&format!("a@{text}"));
        }
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a".to_owned()),
        "[a-z0-9-]{1,12}",
        "[.@\"\\\\ -]",
        "[ -~]{0,6}",
        "\\PC{0,3}",
        any::<char>().prop_map(String::from),
        (55usize..70).prop_map(|length| "x".repeat(length)),
    ];
    proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn any_text_is_taken_or_refused_by_the_grammar_alone(text in any_text()) {
        assert_same(&text);
    }

    // [RFC 5321 §4.1.2-b] test
    #[test]
    fn local_parts_are_equal_where_they_mean_the_same(
        left in "\"(\\\\?[ab.@ ]){0,3}\"|[ab.]{1,3}", right in "\"(\\\\?[ab.@ ]){0,3}\"|[ab.]{1,3}",
    ) {
        let (Ok(left), Ok(right)) = (left.parse::<LocalPart>(), right.parse::<LocalPart>()) else {
            return Ok(());
        };
        prop_assert_eq!(left == right, left.unquoted() == right.unquoted());
        prop_assert_eq!(left == right, right == left);
        let quoted: LocalPart = format!("\"{}\"", left.unquoted()).parse().unwrap();
        prop_assert!(quoted == left);
    }
}
