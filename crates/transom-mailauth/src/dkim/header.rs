//! The header section as it is signed: which fields, and in which form.

use std::collections::HashMap;

use transom_message::{HeaderField, HeaderSection};

use super::tags::without_signature;

/// How octets are made the same that mean the same (RFC 6376 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Canonicalization {
    Simple,
    Relaxed,
}

/// Most fields that are looked at. A message that went round for a year has some hundred.
const FIELDS_MAX: usize = 20_000;

/// Fields by place and name.
#[derive(Debug, Default)]
pub(crate) struct HeaderFields {
    octets: Vec<u8>,
    fields: Vec<Place>,
    by_name: HashMap<Box<str>, Vec<usize>>,
}

/// Where a field stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    end: usize,
    name: usize,
    value: usize,
}

impl HeaderFields {
    /// The fields of a header section; `None` where there are too many.
    pub(crate) fn parse(octets: Vec<u8>) -> Option<Self> {
        let mut fields = Vec::new();
        let mut by_name: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        for field in HeaderSection::parse(&octets).fields() {
            if fields.len() == FIELDS_MAX {
                return None;
            }
            let name = field.name().to_ascii_lowercase();
            by_name.entry(name.into()).or_default().push(fields.len());
            fields.push(place(&field));
        }
        Some(Self { octets, fields, by_name })
    }

    /// The places of a name in lower case, the uppermost first.
    pub(crate) fn named(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// What stands behind the colon.
    pub(crate) fn value(&self, index: usize) -> &[u8] {
        let value = self.fields.get(index).and_then(|at| self.octets.get(at.value..at.end));
        value.unwrap_or_default()
    }

    /// Writes the fields that `names` choose, in the order of the names: of fields with the same
    /// name the lowest first, and nothing for a field that is not there (RFC 6376 §5.4.2).
    pub(crate) fn write_chosen(&self, names: &[String], form: Canonicalization, out: &mut Vec<u8>) {
        let mut taken: HashMap<&str, usize> = HashMap::new();
        for name in names {
            let places = self.named(name);
            let taken = taken.entry(name).or_default();
            *taken = taken.saturating_add(1);
            let index = places.len().checked_sub(*taken).and_then(|at| places.get(at));
            if let Some(index) = index {
                self.write(*index, form, out);
            }
        }
    }

    /// Writes one field.
    pub(crate) fn write(&self, index: usize, form: Canonicalization, out: &mut Vec<u8>) {
        let Some(at) = self.fields.get(index) else { return };
        match form {
            Canonicalization::Simple => {
                let raw = self.octets.get(at.start..at.end).unwrap_or_default();
                out.extend_from_slice(raw);
                if !raw.ends_with(b"\n") {
                    out.extend_from_slice(b"\r\n");
                }
            }
            Canonicalization::Relaxed => {
                let name = self.octets.get(at.start..at.name).unwrap_or_default();
                write_relaxed(name, self.value(index), out);
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Writes the field of a signature without the signature, and without line end.
    pub(crate) fn write_unsigned(&self, index: usize, form: Canonicalization, out: &mut Vec<u8>) {
        let Some(at) = self.fields.get(index) else { return };
        let value = without_signature(self.value(index));
        match form {
            Canonicalization::Simple => {
                out.extend_from_slice(self.octets.get(at.start..at.value).unwrap_or_default());
                let value = value.strip_suffix(b"\r\n").unwrap_or(&value);
                out.extend_from_slice(value);
            }
            Canonicalization::Relaxed => {
                let name = self.octets.get(at.start..at.name).unwrap_or_default();
                write_relaxed(name, &value, out);
            }
        }
    }
}

fn place(field: &HeaderField<'_>) -> Place {
    let end = field.at().saturating_add(field.raw().len());
    Place {
        start: field.at(),
        end,
        name: field.at().saturating_add(field.name().len()),
        value: end.saturating_sub(field.raw_value().len()),
    }
}

/// A field in relaxed form, without line end.
pub(crate) fn write_relaxed(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    // [RFC 6376 §3.4.2] the name in lower case, no white space around the colon.
    out.extend(name.iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let start = out.len();
    let mut space = false;
    let mut rest = value;
    while let [octet, behind @ ..] = rest {
        match (*octet, behind.first()) {
            // [RFC 6376 §3.4.2] unfolded; white space is one space, and none at the ends.
            (b'\n', _) | (b'\r', Some(b'\n')) => {}
            (b' ' | b'\t', _) => space = true,
            (octet, _) => {
                if space && out.len() > start {
                    out.push(b' ');
                }
                space = false;
                out.push(octet);
            }
        }
        rest = behind;
    }
}
