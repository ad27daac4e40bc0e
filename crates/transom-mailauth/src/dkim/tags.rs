//! Lists of tags, of signatures and of key records (RFC 6376 §3.2), and what stands in them.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};

/// Most tags of a list. Signatures have about ten.
const TAGS_MAX: usize = 64;

/// Others pad as they like, and leave bits that nobody reads.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) fn base64_encode(octets: &[u8]) -> String {
    BASE64.encode(octets)
}

/// What a value in base64 says; white space does not count.
pub(crate) fn base64_decode(value: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(without_space(value)).ok()
}

pub(crate) fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

pub(crate) fn without_space(value: &[u8]) -> Vec<u8> {
    value.iter().copied().filter(|octet| !is_space(*octet)).collect()
}

/// Cuts white space off both ends. Form feeds are none.
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}

/// A well-formed list.
#[derive(Debug)]
pub(crate) struct TagList<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> TagList<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        // [RFC 6376 §3.2] one semicolon may end the list, none may stand alone.
        let text = trim(text);
        let text = text.strip_suffix(b";").unwrap_or(text);
        let mut tags: Vec<(&[u8], &[u8])> = Vec::with_capacity(12);
        for spec in text.split(|octet| *octet == b';') {
            let equals = spec.iter().position(|octet| *octet == b'=')?;
            let (name, value) = spec.split_at_checked(equals)?;
            let (name, value) = (trim(name), trim(value.get(1..)?));
            // [RFC 6376 §3.2] a tag that is there twice makes the list invalid.
            let twice = tags.iter().any(|(other, _)| *other == name);
            if twice || tags.len() == TAGS_MAX || !is_name(name) || !is_value(value) {
                return None;
            }
            tags.push((name, value));
        }
        Some(Self(tags))
    }

    /// The value of a tag; case counts in its name.
    pub(crate) fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().find(|(tag, _)| *tag == name.as_bytes()).map(|(_, value)| *value)
    }

    pub(crate) fn first(&self) -> Option<&'a [u8]> {
        self.0.first().map(|(name, _)| *name)
    }
}

fn is_name(name: &[u8]) -> bool {
    let is_letter = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'_';
    name.first().is_some_and(u8::is_ascii_alphabetic) && name.iter().all(is_letter)
}

/// Printable octets and white space. Beyond ASCII is UTF-8 (RFC 8616), looked at where it matters.
fn is_value(value: &[u8]) -> bool {
    value.iter().all(|octet| is_space(*octet) || (*octet > b' ' && *octet != 0x7f))
}

/// A list with colons between, white space around each.
pub(crate) fn colon_list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|octet| *octet == b':').map(trim)
}

/// A number without sign, as long as the grammar lets it be.
pub(crate) fn number(value: &[u8], digits_max: usize) -> Option<u64> {
    let is_number = !value.is_empty() && value.len() <= digits_max;
    let text = str::from_utf8(value).ok().filter(|_| is_number)?;
    if !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    // What is too large to be true is as good as the largest.
    Some(text.parse().unwrap_or(u64::MAX))
}

/// The value of a field without that of its tag `b=` (RFC 6376 §3.7), or as it is.
pub(crate) fn without_signature(value: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(value.len());
    for (index, spec) in value.split(|octet| *octet == b';').enumerate() {
        if index > 0 {
            kept.push(b';');
        }
        let equals = spec.iter().position(|octet| *octet == b'=');
        let signature = equals.and_then(|at| spec.split_at_checked(at.saturating_add(1)));
        match signature {
            Some((name, _)) if trim(name.strip_suffix(b"=").unwrap_or(name)) == b"b" => {
                kept.extend_from_slice(name);
            }
            _ => kept.extend_from_slice(spec),
        }
    }
    kept
}
