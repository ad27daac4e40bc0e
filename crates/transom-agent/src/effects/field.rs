//! Header fields that agents add, and names of those that go.

use std::fmt;
use std::sync::Arc;

use transom_message::HeaderField;

/// Where lines are folded if they can be (RFC 5322 §2.1.1).
const COLUMNS_MAX: usize = 78;
/// Octets of a line that no reader refuses (RFC 5322 §2.1.1). What is longer without a blank is
/// broken all the same.
const LINE_OCTETS_MAX: usize = 998;
/// Longest name.
const NAME_OCTETS_MAX: usize = 76;

/// A whole header field, of which it is known that it is one field.
#[derive(Clone, PartialEq, Eq)]
pub struct NewField {
    name_octets: usize,
    text: Arc<[u8]>,
}

impl NewField {
    /// Longest field; what is longer is cut.
    pub const OCTETS_MAX: usize = 64 << 10;

    /// A field of this name and value. Characters that no name has become `-`; control characters
    /// of the value become `?`. The value is folded at blanks.
    pub fn new(name: &str, value: &str) -> Self {
        let mut text = begin(name);
        let name_octets = text.len().saturating_sub(1);
        let mut column = text.len();
        for word in value.split(' ').filter(|word| !word.is_empty()) {
            let word = clean(word.as_bytes());
            let long = column.saturating_add(1).saturating_add(word.len()) > COLUMNS_MAX;
            // Nothing is folded directly behind the colon: a line of white space alone is the end
            // of the header section for some old readers.
            if long && column > name_octets.saturating_add(1) {
                text.extend_from_slice(b"\r\n");
                column = 0;
            }
            column = column.saturating_add(1).saturating_add(word.len());
            text.push(b' ');
            text.extend_from_slice(&word);
        }
        Self::end(name_octets, text)
    }

    /// A field with these octets behind the colon; folds stay where they are. What would begin
    /// another field, and NUL, becomes `?`.
    pub fn with_raw_value(name: &str, value: &[u8]) -> Self {
        let mut text = begin(name);
        let name_octets = text.len().saturating_sub(1);
        for (number, line) in value.trim_ascii_end().split(|octet| *octet == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            // A line that is all blank would end the section for some readers, and one that begins
            // with no blank would be another field.
            let is_fold = line.starts_with(b" ") || line.starts_with(b"\t");
            if number > 0 && (!is_fold || line.trim_ascii().is_empty()) {
                text.push(b'?');
            } else if number > 0 {
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(&clean(line));
        }
        Self::end(name_octets, text)
    }

    fn end(name_octets: usize, mut text: Vec<u8>) -> Self {
        text.truncate(Self::OCTETS_MAX);
        // A cut may have left half a fold.
        let kept = text.trim_ascii_end().len();
        text.truncate(kept);
        let mut text = limit_lines(&text);
        text.extend_from_slice(b"\r\n");
        Self { name_octets, text: text.into() }
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.text.get(..self.name_octets).and_then(|name| str::from_utf8(name).ok()).unwrap_or("")
    }

    /// The whole field, its line end included.
    pub fn octets(&self) -> &[u8] {
        &self.text
    }
}

impl fmt::Debug for NewField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewField").field("name", &self.name()).finish_non_exhaustive()
    }
}

fn begin(name: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(128);
    let fit = |octet: u8| if octet.is_ascii_graphic() && octet != b':' { octet } else { b'-' };
    text.extend(name.bytes().take(NAME_OCTETS_MAX).map(fit));
    if text.is_empty() {
        text.push(b'X');
    }
    text.push(b':');
    text
}

/// Without control characters; a tab is a blank. Octets above ASCII stay as they are.
fn clean(octets: &[u8]) -> Vec<u8> {
    let fit = |octet: &u8| match octet {
        b'\t' => b' ',
        0..=31 | 127 => b'?',
        octet => *octet,
    };
    octets.iter().map(fit).collect()
}

/// Breaks lines that are longer than any may be.
fn limit_lines(text: &[u8]) -> Vec<u8> {
    let mut limited = Vec::with_capacity(text.len());
    let mut column = 0usize;
    for octet in text {
        if *octet == b'\n' {
            column = 0;
        } else if *octet != b'\r' {
            if column >= LINE_OCTETS_MAX {
                limited.extend_from_slice(b"\r\n ");
                column = 1;
            }
            column = column.saturating_add(1);
        }
        limited.push(*octet);
    }
    limited
}

/// Which header fields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldMatch {
    /// Those of this name; case does not count.
    Name(Arc<str>),
    /// Those whose name begins so; case does not count.
    Prefix(Arc<str>),
}

impl FieldMatch {
    /// Those of this name.
    pub fn name(name: impl Into<Arc<str>>) -> Self {
        Self::Name(name.into())
    }

    /// Those whose name begins so.
    pub fn prefix(prefix: impl Into<Arc<str>>) -> Self {
        Self::Prefix(prefix.into())
    }

    /// Whether `field` is one of them.
    pub fn matches(&self, field: &HeaderField<'_>) -> bool {
        self.matches_name(field.name())
    }

    pub(crate) fn matches_name(&self, name: &str) -> bool {
        match self {
            Self::Name(wanted) => name.eq_ignore_ascii_case(wanted),
            Self::Prefix(prefix) => {
                name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            }
        }
    }
}

impl fmt::Display for FieldMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use transom_message::HeaderSection;

    use super::*;

    fn text(field: &NewField) -> &str {
        str::from_utf8(field.octets()).unwrap()
    }

    #[test]
    fn no_value_begins_another_field() {
        let field = NewField::new("X-A", "1\r\nBcc: all@contoso.com\r\n\r\nbody");
        assert_eq!(text(&field), "X-A: 1??Bcc: all@contoso.com????body\r\n");
        assert_eq!(text(&NewField::new("X A:\r\n", "")), "X-A---:\r\n");
        let raw = NewField::with_raw_value("To", b" a,\r\n b\r\nBcc: c\r\n \r\n\td\r\n");
        assert_eq!(text(&raw), "To: a,\r\n b?Bcc: c? \r\n d\r\n");
        assert_eq!(raw.name(), "To");
    }

    #[test]
    fn long_values_are_folded_at_blanks() {
        let field = NewField::new("X-A", &"word ".repeat(40));
        assert!(text(&field).lines().all(|line| line.len() <= COLUMNS_MAX));
        assert_eq!(HeaderSection::parse(field.octets()).fields().count(), 1);
    }

    #[test]
    fn prefixes_and_names_match_without_case() {
        let organization = FieldMatch::prefix("X-MS-Exchange-Organization-");
        assert!(organization.matches_name("x-ms-exchange-ORGANIZATION-SCL"));
        assert!(!organization.matches_name("X-MS-Exchange-Org"));
        assert!(FieldMatch::name("Received").matches_name("RECEIVED"));
        assert!(!FieldMatch::name("Received").matches_name("Received-SPF"));
    }

    proptest! {
        #[test]
        fn a_new_field_is_one_field(
            name in any::<String>(), value in any::<String>(),
            raw in prop::collection::vec(
                prop::sample::select(b"a \t\r\n:\0\xff".to_vec()), 0..2200),
        ) {
            for field in [NewField::new(&name, &value), NewField::with_raw_value(&name, &raw)] {
                let section = HeaderSection::parse(field.octets());
                prop_assert!(!section.is_complete());
                let fields: Vec<_> = section.fields().collect();
                prop_assert_eq!(fields.len(), 1);
                prop_assert_eq!(fields[0].raw(), field.octets());
                prop_assert_eq!(fields[0].name(), field.name());
                for line in field.octets().split(|octet| *octet == b'\n') {
                    prop_assert!(line.len() <= LINE_OCTETS_MAX + 1);
                }
            }
        }
    }
}
