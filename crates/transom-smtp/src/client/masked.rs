//! A rewriting firewall on the way: it answers for the peer, and paints over what it does not
//! know, letter by letter, so that `STARTTLS` becomes `XXXXXXXA` and a greeting a row of stars.

/// Fewest octets of a masked word: that of `ETRN`.
const WORD_MIN: usize = 4;
/// Most characters of a sample.
const SAMPLE_MAX: usize = 64;

/// The greeting, where it is painted over.
pub(super) fn in_greeting(text: &str) -> Option<Box<str>> {
    let stars = text.bytes().filter(|&octet| octet == b'*').count();
    let readable = text.bytes().any(|octet| octet.is_ascii_alphabetic());
    (stars >= WORD_MIN && !readable).then(|| sample(text))
}

/// The first keyword of a reply to EHLO that is painted over.
pub(super) fn in_keywords<'a>(mut lines: impl Iterator<Item = &'a str>) -> Option<Box<str>> {
    let keyword = |line: &'a str| line.split_ascii_whitespace().next().filter(|w| is_masked(w));
    lines.find_map(keyword).map(sample)
}

/// The word in a refusal of EHLO that shows that the command came painted over.
pub(super) fn in_refusal(text: &str) -> Option<Box<str>> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.find(|word| is_masked(word)).map(sample)
}

/// Letters `X`, but perhaps for the last one.
fn is_masked(word: &str) -> bool {
    match word.as_bytes() {
        [head @ .., last] if word.len() >= WORD_MIN => {
            head.iter().all(|&octet| octet == b'X') && last.is_ascii_uppercase()
        }
        _ => false,
    }
}

fn sample(text: &str) -> Box<str> {
    text.chars().take(SAMPLE_MAX).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn painted_words_are_seen_and_others_are_not() {
        for word in ["XXXX", "XXXXXXXX", "XXXXXXXA", "XXXB"] {
            assert_eq!(in_keywords([word].into_iter()).as_deref(), Some(word));
            let refusal = format!("Command unrecognized: \"{word} client.example\"");
            assert_eq!(in_refusal(&refusal).as_deref(), Some(word));
        }
        for word in ["", "X", "XXX", "XEXCH50", "XXACK", "STARTTLS", "xxxx", "AXXX", "XXXX-A", "A"]
        {
            assert_eq!(in_keywords([word].into_iter()), None, "{word}");
        }
        assert_eq!(in_keywords(["SIZE 1", "AUTH XXXX"].into_iter()), None, "no keyword");
    }

    #[test]
    fn painted_greeting_is_seen_and_others_are_not() {
        let greetings =
            ["****", "********************************0*2******200**0*********************"];
        for text in greetings {
            assert_eq!(in_greeting(text).as_deref(), text.get(..text.len().min(64)));
        }
        for text in ["", "***", "mx.example ESMTP", "**** mx.example ****", "2026"] {
            assert_eq!(in_greeting(text), None, "{text}");
        }
    }
}
