//! The header section as fields, borrowed from the content. Tolerant: a line that is no field is
//! skipped, a bare LF ends a line too.

use std::borrow::Cow;

use memchr::memchr;

/// The header section at the start of some content.
#[derive(Clone, Copy)]
pub struct HeaderSection<'a> {
    octets: &'a [u8],
    body: &'a [u8],
    is_complete: bool,
}

impl<'a> HeaderSection<'a> {
    /// Finds the header section of `content`: what stands before the first empty line, or all of
    /// it.
    pub fn parse(content: &'a [u8]) -> Self {
        let mut at = 0usize;
        while let Some(line) = line_at(content, at) {
            let next = at.saturating_add(line.len());
            if is_empty_line(line) {
                return Self {
                    octets: content.get(..at).unwrap_or_default(),
                    body: content.get(next..).unwrap_or_default(),
                    is_complete: true,
                };
            }
            at = next;
        }
        Self { octets: content, body: &[], is_complete: false }
    }

    /// The fields as they stand, the empty line not included.
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// What stands behind the empty line.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Whether there is an empty line, so that no field is missing.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The fields in their order.
    pub fn fields(&self) -> Fields<'a> {
        Fields::of(self.octets)
    }

    /// The first field of this name.
    pub fn first(&self, name: &str) -> Option<HeaderField<'a>> {
        self.fields().find(|field| field.is(name))
    }
}

impl std::fmt::Debug for HeaderSection<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeaderSection")
            .field("octets", &self.octets.len())
            .field("is_complete", &self.is_complete)
            .finish_non_exhaustive()
    }
}

/// Iterates over the fields of a header section.
#[derive(Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
    /// Where `rest` begins in the section.
    at: usize,
}

impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fields").field("octets_left", &self.rest.len()).finish()
    }
}

impl<'a> Fields<'a> {
    /// The fields of `section`, which holds no empty line.
    pub(crate) fn of(section: &'a [u8]) -> Self {
        Self { rest: section, at: 0 }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = HeaderField<'a>;

    fn next(&mut self) -> Option<HeaderField<'a>> {
        while let Some(first) = line_at(self.rest, 0) {
            let mut end = first.len();
            let named = field_name(first);
            while let Some(line) = line_at(self.rest, end) {
                // [RFC 5322 §2.2.3] a line that starts with white space goes on with the field.
                if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                    break;
                }
                end = end.saturating_add(line.len());
            }
            let (raw, rest) = self.rest.split_at_checked(end)?;
            self.rest = rest;
            let at = self.at;
            self.at = at.saturating_add(end);
            if let Some((name, value_at)) = named {
                let value = raw.get(value_at..).unwrap_or_default();
                return Some(HeaderField { name, raw, value, at });
            }
        }
        None
    }
}

/// One field, perhaps folded.
#[derive(Clone, Copy)]
pub struct HeaderField<'a> {
    name: &'a str,
    raw: &'a [u8],
    value: &'a [u8],
    at: usize,
}

impl<'a> HeaderField<'a> {
    /// The name as written.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Whether the field has this name; case does not count.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The whole field with name, folds and the last line end.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Where the field begins, in octets of the header section.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What stands behind the colon, folds and the last line end included.
    pub fn raw_value(&self) -> &'a [u8] {
        self.value
    }

    /// The value without folds and without white space at its ends. What is no UTF-8 becomes
    /// U+FFFD.
    pub fn value(&self) -> Cow<'a, str> {
        let value = self.value.trim_ascii();
        if memchr(b'\n', value).is_none() {
            return String::from_utf8_lossy(value);
        }
        // [RFC 5322 §2.2.3] unfolding removes a line end that white space follows, nothing else.
        let mut unfolded = Vec::with_capacity(value.len());
        for line in value.split(|octet| *octet == b'\n') {
            unfolded.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        }
        Cow::Owned(String::from_utf8_lossy(&unfolded).into_owned())
    }
}

impl std::fmt::Debug for HeaderField<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeaderField").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The line that starts at `at`, its line end included; none behind the last.
fn line_at(octets: &[u8], at: usize) -> Option<&[u8]> {
    let rest = octets.get(at..).filter(|rest| !rest.is_empty())?;
    let end = memchr(b'\n', rest).map_or(rest.len(), |lf| lf.saturating_add(1));
    rest.get(..end)
}

fn is_empty_line(line: &[u8]) -> bool {
    line == b"\r\n" || line == b"\n"
}

/// `field-name = 1*ftext`, then `:`. White space before the colon is obsolete and still seen
/// (RFC 5322 §4.5). Gives the name and where the value starts.
fn field_name(line: &[u8]) -> Option<(&str, usize)> {
    let colon = memchr(b':', line)?;
    let name = line.get(..colon)?.trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    let name = str::from_utf8(name).ok().filter(|_| is_name)?;
    Some((name, colon.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(content: &[u8]) -> Vec<(String, String)> {
        let fields = HeaderSection::parse(content).fields();
        fields.map(|field| (field.name().into(), field.value().into())).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn fields_come_in_order_and_unfolded() {
        let content = b"A: 1\r\nB:\r\n two\r\n\tlines\r\nc : x \r\n\r\nD: body\r\n";
        assert_eq!(fields(content), [pair("A", "1"), pair("B", "two\tlines"), pair("c", "x")]);
        let section = HeaderSection::parse(content);
        assert!(section.is_complete());
        assert_eq!(section.body(), b"D: body\r\n");
        assert_eq!(section.octets(), b"A: 1\r\nB:\r\n two\r\n\tlines\r\nc : x \r\n");
        assert_eq!(section.first("b").unwrap().raw(), b"B:\r\n two\r\n\tlines\r\n");
        assert_eq!(section.first("A").unwrap().raw_value(), b" 1\r\n");
    }

    #[test]
    fn content_without_header_section_has_no_fields() {
        for content in ["", "\r\n", "\r\nA: body\r\n", "\n"] {
            assert_eq!(fields(content.as_bytes()), [], "{content:?}");
        }
    }

    #[test]
    fn header_section_without_body_is_read_to_its_end() {
        assert_eq!(fields(b"A: 1\r\nB: 2"), [pair("A", "1"), pair("B", "2")]);
        assert!(!HeaderSection::parse(b"A: 1\r\n").is_complete());
    }

    #[test]
    fn lines_that_are_no_fields_are_skipped() {
        let content = b" lost fold\r\nFrom x Mon\r\nA b: no\r\n: no\r\nB: 2\r\n";
        assert_eq!(fields(content), [pair("B", "2")]);
    }

    proptest! {
        #[test]
        fn any_octets_are_read(content in prop::collection::vec(
            prop::sample::select(b"a:\r\n \t\xff".to_vec()), 0..60)
        ) {
            let section = HeaderSection::parse(&content);
            let total = section.octets().len() + section.body().len();
            let empty_line = content.len() - total;
            prop_assert!(empty_line <= 2);
            prop_assert_eq!(section.is_complete(), empty_line > 0);
            for field in section.fields() {
                prop_assert!(field.raw().len() > field.name().len());
                prop_assert!(section.octets()[field.at()..].starts_with(field.raw()));
            }
        }
    }
}
