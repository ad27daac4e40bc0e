//! Mailboxes in the value of a header field.

use std::ops::Range;

use transom_types::Mailbox;

/// The value of a field that lists addresses, with those for which `rewrite` has another one in
/// their place; none where there is no such address. All else stays octet for octet: display
/// names, comments, folds.
///
/// Tolerant: what is no mailbox is left alone, and so is everything in quotes and comments.
pub fn rewrite_mailboxes(
    value: &[u8],
    rewrite: impl Fn(&Mailbox) -> Option<Mailbox>,
) -> Option<Vec<u8>> {
    let (mut rewritten, mut from) = (Vec::new(), 0usize);
    for place in candidates(value) {
        let text = value.get(place.clone()).and_then(|text| str::from_utf8(text).ok());
        let Some(other) = text.and_then(|text| text.parse().ok()).and_then(|it| rewrite(&it))
        else {
            continue;
        };
        rewritten.extend_from_slice(value.get(from..place.start).unwrap_or_default());
        rewritten.extend_from_slice(other.as_str().as_bytes());
        from = place.end;
    }
    if from == 0 {
        return None;
    }
    rewritten.extend_from_slice(value.get(from..).unwrap_or_default());
    Some(rewritten)
}

/// Where mailboxes may stand: runs of octets without separators, quoted strings inside them whole.
// [RFC 5322 §3.4] an address is a mailbox alone or in angle brackets, in lists by comma; a group
// has a colon before its list and a semicolon behind it. A source route ends with a colon too.
fn candidates(value: &[u8]) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0usize);
    let mut start = None;
    while let Some(octet) = value.get(at) {
        let next = match octet {
            b'"' => {
                start.get_or_insert(at);
                quoted_end(value, at)
            }
            b'(' => {
                found.extend(start.take().map(|start| start..at));
                comment_end(value, at)
            }
            // The colons of an address literal belong to it.
            b'[' if start.is_some() => literal_end(value, at),
            b'<' | b'>' | b',' | b';' | b':' | b' ' | b'\t' | b'\r' | b'\n' => {
                found.extend(start.take().map(|start| start..at));
                at.saturating_add(1)
            }
            _ => {
                start.get_or_insert(at);
                at.saturating_add(1)
            }
        };
        at = next;
    }
    found.extend(start.map(|start| start..value.len()));
    found
}

/// Behind the quoted string that begins at `at`.
fn quoted_end(value: &[u8], at: usize) -> usize {
    let mut at = at.saturating_add(1);
    while let Some(octet) = value.get(at) {
        match octet {
            b'"' => return at.saturating_add(1),
            b'\\' => at = at.saturating_add(2),
            _ => at = at.saturating_add(1),
        }
    }
    value.len()
}

/// Behind the comment that begins at `at`; comments may hold comments.
fn comment_end(value: &[u8], at: usize) -> usize {
    let (mut at, mut depth) = (at, 0usize);
    while let Some(octet) = value.get(at) {
        match octet {
            b'\\' => at = at.saturating_add(1),
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at = at.saturating_add(1);
        if depth == 0 {
            return at;
        }
    }
    value.len()
}

/// Behind the address literal that begins at `at`, or behind its bracket where it has no end.
fn literal_end(value: &[u8], at: usize) -> usize {
    let rest = value.get(at..).unwrap_or_default();
    let end = rest.iter().position(|octet| matches!(octet, b']' | b'<' | b'>' | b',' | b'\n'));
    match end {
        Some(end) if rest.get(end) == Some(&b']') => at.saturating_add(end).saturating_add(1),
        _ => at.saturating_add(1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Puts `new.example` for `old.example`.
    fn new_domain(mailbox: &Mailbox) -> Option<Mailbox> {
        let old = mailbox.domain().is_some_and(|domain| domain == "old.example");
        old.then(|| format!("{}@new.example", mailbox.local_part()).parse().unwrap())
    }

    #[test]
    fn mailboxes_are_rewritten_and_all_else_stays() {
        for (value, expected) in [
            ("ann@old.example", "ann@new.example"),
            (" Ann <ann@old.example>", " Ann <ann@new.example>"),
            (
                "\"ann@old.example\" <ann@OLD.example>,\r\n\tbob@old.example (bob@old.example)",
                "\"ann@old.example\" <ann@new.example>,\r\n\tbob@new.example (bob@old.example)",
            ),
            ("Team: a@old.example, b@other.example;", "Team: a@new.example, b@other.example;"),
            ("\"a b\"@old.example", "\"a b\"@new.example"),
            ("<@relay.example:ann@old.example>", "<@relay.example:ann@new.example>"),
            ("=?utf-8?q?J=C3=BCrg?= <j@old.example>", "=?utf-8?q?J=C3=BCrg?= <j@new.example>"),
        ] {
            let found = rewrite_mailboxes(value.as_bytes(), new_domain);
            assert_eq!(String::from_utf8(found.unwrap()).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_such_mailbox_is_left_alone() {
        for value in [
            "",
            "ann@sub.old.example",
            "\"ann@old.example\"",
            "(ann@old.example)",
            "(a (b) ann@old.example",
            "ann at old.example",
            "ann@[192.0.2.1]",
            "x@[IPv6:2001:db8::1], y",
        ] {
            assert_eq!(rewrite_mailboxes(value.as_bytes(), new_domain), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_rewriting_that_changes_nothing_keeps_every_octet(
            value in prop::collection::vec(
                prop::sample::select(b"a@.b\"\\()<>,;:[] \r\n\xff".to_vec()), 0..60)
        ) {
            let same = rewrite_mailboxes(&value, |mailbox| Some(mailbox.clone()));
            prop_assert!(same.is_none_or(|same| same == value));
        }
    }
}
