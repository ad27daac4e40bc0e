//! What can be wrong with the text of a filter, and which name was probably meant.

use std::fmt;

/// The text is no filter. Every variant names the place: the column, in characters, from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseFilterError {
    /// A control character inside a word or a text.
    #[error("column {column}: a control character in a value")]
    ControlCharacter {
        /// Where the word or text begins.
        column: usize,
    },
    /// Something else must stand here.
    #[error("column {column}: expected {expected}, found {found}")]
    Expected {
        /// Where.
        column: usize,
        /// What may stand here.
        expected: &'static str,
        /// What stands here.
        found: String,
    },
    /// The operator does not go with the values of the property.
    #[error("column {column}: {operator} does not go with {property}, which takes {takes}")]
    OperatorNotFor {
        /// Where the operator stands.
        column: usize,
        /// The operator.
        operator: &'static str,
        /// The property, or `$null`.
        property: &'static str,
        /// The operators that do.
        takes: &'static str,
    },
    /// Parentheses and `-not` lie too deep in each other.
    #[error("column {column}: more than {max} levels")]
    TooDeep {
        /// Where the first one too many begins.
        column: usize,
        /// How many may be.
        max: usize,
    },
    /// The text is too long.
    #[error("a filter of {octets} octets, more than {max}")]
    TooLong {
        /// How long it is.
        octets: usize,
        /// How long it may be.
        max: usize,
    },
    /// There are too many comparisons.
    #[error("column {column}: more than {max} comparisons")]
    TooMany {
        /// Where the first one too many begins.
        column: usize,
        /// How many may be.
        max: usize,
    },
    /// A quote is not closed.
    #[error("column {column}: a quote that is not closed")]
    Unclosed {
        /// Where the quote stands.
        column: usize,
    },
    /// No operator has this name.
    #[error("column {column}: no operator \"{found}\"{}", Hint(*nearest))]
    UnknownOperator {
        /// Where it stands.
        column: usize,
        /// What stands there.
        found: String,
        /// The operator that looks most like it.
        nearest: Option<&'static str>,
    },
    /// No property has this name.
    #[error("column {column}: no property \"{found}\"{}", Hint(*nearest))]
    UnknownProperty {
        /// Where it stands.
        column: usize,
        /// What stands there.
        found: String,
        /// The property that looks most like it.
        nearest: Option<&'static str>,
    },
    /// The property has no such word.
    #[error("column {column}: \"{found}\" is no {property}{}", words_hint(*nearest, words))]
    UnknownWord {
        /// Where it stands.
        column: usize,
        /// The property.
        property: &'static str,
        /// What stands there.
        found: String,
        /// The word that looks most like it.
        nearest: Option<&'static str>,
        /// All words that the property has.
        words: &'static [&'static str],
    },
    /// The value is not of the property's kind.
    #[error("column {column}: {property} is {expected}, not \"{found}\"")]
    Value {
        /// Where it stands.
        column: usize,
        /// The property.
        property: &'static str,
        /// How its values are written.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
}

/// Prints the name that was probably meant.
pub(super) struct Hint(pub(super) Option<&'static str>);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, "; did you mean {name}?"))
    }
}

fn words_hint(nearest: Option<&'static str>, words: &[&str]) -> String {
    match nearest {
        Some(_) => Hint(nearest).to_string(),
        None => format!("; it is one of {}", words.join(", ")),
    }
}

/// Characters of foreign text that a message quotes.
const SHOWN_MAX: usize = 32;

/// Foreign text for a message: not too long, on one line.
pub(super) fn shown(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '?' } else { c };
    let mut shown: String = text.chars().take(SHOWN_MAX).map(clean).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

/// The column of an octet, in characters, from 1.
pub(super) fn column(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).chars().count().saturating_add(1)
}

/// The name that looks most like `found`, if one looks like it at all. Of several the first.
pub(super) fn nearest(
    found: &str,
    names: impl IntoIterator<Item = &'static str>,
) -> Option<&'static str> {
    let found: Vec<char> = found.chars().take(SHOWN_MAX).flat_map(char::to_lowercase).collect();
    let best = names.into_iter().map(|name| (distance(&found, name), name));
    let (edits, name) = best.min_by_key(|(edits, _)| *edits)?;
    // More than every third character wrong: probably something else was meant.
    (edits <= found.len().min(name.len()).div_ceil(3)).then_some(name)
}

/// How many characters must be put in, left out or changed to make one of the other.
fn distance(found: &[char], name: &str) -> usize {
    // For each beginning of `found`, the distance to the beginning of `name` that was looked at.
    let mut row: Vec<usize> = (0..=found.len()).collect();
    for (line, c) in name.chars().enumerate() {
        let c = c.to_ascii_lowercase();
        let mut diagonal = line;
        let mut left = line.saturating_add(1);
        for (cell, f) in row.iter_mut().skip(1).zip(found) {
            let changed = diagonal.saturating_add(usize::from(*f != c));
            diagonal = *cell;
            left = changed.min(left.saturating_add(1)).min(diagonal.saturating_add(1));
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line.saturating_add(1);
        }
    }
    row.last().copied().unwrap_or(0)
}
