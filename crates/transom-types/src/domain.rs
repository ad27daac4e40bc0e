//! Domain names as they stand in addresses and in EHLO (RFC 5321 §4.1.2).
//!
//! Address literals are in [`literal`](crate::AddressLiteral), names as the DNS sees them in
//! `transom-dns`.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use crate::shared_str::SharedStr;

/// `Domain = sub-domain *("." sub-domain)`. Keeps the case it was written in and compares without
/// regard to it.
///
/// A label may hold UTF-8 (RFC 6531 §3.3); [`Domain::is_ascii`] tells. Host names with an
/// underscore are no domains in this grammar. A trailing dot is refused.
#[derive(Clone, Debug)]
pub struct Domain(SharedStr);

impl Domain {
    /// Longest domain, in octets (RFC 5321 §4.5.3.1.2).
    pub const OCTETS_MAX: usize = 255;
    /// Longest label, in octets (RFC 1035 §2.3.4).
    pub const LABEL_OCTETS_MAX: usize = 63;

    /// The name as it was written, without trailing dot.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether every label is ASCII, so that no SMTPUTF8 is needed to send it.
    pub fn is_ascii(&self) -> bool {
        self.as_str().is_ascii()
    }

    /// Whether this is `parent` or lies below it: `a.b.example` is within `b.example`.
    pub fn is_within(&self, parent: &Self) -> bool {
        let (own, parent) = (self.as_str().as_bytes(), parent.as_str().as_bytes());
        let Some(at) = own.len().checked_sub(parent.len()) else { return false };
        let tail_matches = own.get(at..).is_some_and(|tail| tail.eq_ignore_ascii_case(parent));
        tail_matches && (at == 0 || own.get(at - 1) == Some(&b'.'))
    }

    /// The domain in lower case, for tables keyed by domain.
    #[must_use]
    pub fn to_lowercase(&self) -> Self {
        if self.as_str().chars().any(|c| c.is_ascii_uppercase()) {
            Self(SharedStr::new(&self.as_str().to_ascii_lowercase()))
        } else {
            self.clone()
        }
    }

    /// The domain in lower case with its U-labels as A-labels (UTS 46), so that both spellings of
    /// a domain meet in tables and in the DNS. An ASCII domain is only put into lower case.
    ///
    /// # Errors
    ///
    /// [`DomainToAsciiError`] where a label is no U-label, or the A-labels are too long.
    #[cfg(feature = "idna")]
    pub fn to_ascii(&self) -> Result<Self, DomainToAsciiError> {
        if self.is_ascii() {
            return Ok(self.to_lowercase());
        }
        let ascii = idna::domain_to_ascii(self.as_str()).map_err(|_| DomainToAsciiError)?;
        ascii.parse().map_err(|_| DomainToAsciiError)
    }

    /// The part of a mailbox behind the `@`, already checked by the caller.
    pub(crate) fn from_checked(text: SharedStr) -> Self {
        Self(text)
    }

    /// How many octets the domain takes that `text` starts with.
    #[inline]
    pub(crate) fn check_prefix(text: &str) -> Result<usize, ParseDomainError> {
        if let Some(length) = ascii_length(text.as_bytes()) {
            return Ok(length);
        }
        let length = text.find(|c: char| !is_domain_character(c)).unwrap_or(text.len());
        Self::check(text.get(..length).unwrap_or(""))?;
        Ok(length)
    }

    /// Checks `text` against the grammar.
    pub(crate) fn check(text: &str) -> Result<(), ParseDomainError> {
        if text.is_empty() {
            return Err(ParseDomainError::Empty);
        }
        if text.len() > Self::OCTETS_MAX {
            return Err(ParseDomainError::TooLong { octets: text.len() });
        }
        // Nearly every domain is ASCII and well-formed; what is not is looked at again below.
        if ascii_length(text.as_bytes()) == Some(text.len()) {
            return Ok(());
        }
        let mut at = 0;
        for label in text.split('.') {
            check_label(label).map_err(|wrong| match wrong {
                WrongLabel::Length => ParseDomainError::LabelLength { at, octets: label.len() },
                WrongLabel::Character(offset) => {
                    ParseDomainError::Character { at: at.saturating_add(offset) }
                }
            })?;
            at = at.saturating_add(label.len()).saturating_add(1);
        }
        Ok(())
    }
}

/// How many octets at the start of `text` are labels of ASCII and their dots; none where a label
/// is malformed or too long, or the text goes on beyond ASCII.
#[inline]
fn ascii_length(text: &[u8]) -> Option<usize> {
    let (mut length, mut rest) = (0usize, text);
    loop {
        let label_octets = rest.iter().position(|&octet| !is_let_dig_hyphen(octet));
        let label_octets = label_octets.unwrap_or(rest.len());
        let (label, behind) = rest.split_at_checked(label_octets)?;
        length = length.saturating_add(label_octets);
        let well_formed = label.first().is_some_and(|&first| first != b'-')
            && label.last() != Some(&b'-')
            && label_octets <= Domain::LABEL_OCTETS_MAX;
        match behind {
            _ if !well_formed => return None,
            [b'.', next @ ..] => (rest, length) = (next, length.saturating_add(1)),
            [0x80..=u8::MAX, ..] => return None,
            _ => return (length <= Domain::OCTETS_MAX).then_some(length),
        }
    }
}

/// What labels are made of. It is quicker to look up than to compare.
#[inline]
fn is_let_dig_hyphen(octet: u8) -> bool {
    const GOOD: [bool; 256] = {
        let mut table = [false; 256];
        let (mut octet, mut rest): (u8, &mut [bool]) = (0, &mut table);
        while let [good, behind @ ..] = rest {
            *good = octet.is_ascii_alphanumeric() || octet == b'-';
            octet = octet.wrapping_add(1);
            rest = behind;
        }
        table
    };
    GOOD.get(usize::from(octet)).copied().unwrap_or(false)
}

fn is_domain_character(c: char) -> bool {
    c == '-' || c == '.' || c.is_ascii_alphanumeric() || !c.is_ascii()
}

enum WrongLabel {
    Length,
    Character(usize),
}

/// [RFC 5321 §4.1.2-d, §F.4-a] no other characters, number signs included.
///
/// `sub-domain = Let-dig [Ldh-str]`, widened by `U-label` (RFC 6531 §3.3).
fn check_label(label: &str) -> Result<(), WrongLabel> {
    if label.is_empty() || label.len() > Domain::LABEL_OCTETS_MAX {
        return Err(WrongLabel::Length);
    }
    for (offset, c) in label.char_indices() {
        let inner = offset != 0 && offset.saturating_add(1) != label.len();
        let ok = match c {
            '-' => inner,
            c if c.is_ascii() => c.is_ascii_alphanumeric(),
            c => !c.is_control() && !c.is_whitespace(),
        };
        if !ok {
            return Err(WrongLabel::Character(offset));
        }
    }
    Ok(())
}

impl FromStr for Domain {
    type Err = ParseDomainError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::check(text)?;
        Ok(Self(SharedStr::new(text)))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// [RFC 5321 §2.3.5] domains are compared without regard to case.
impl PartialEq for Domain {
    fn eq(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl Eq for Domain {}

impl PartialEq<str> for Domain {
    fn eq(&self, other: &str) -> bool {
        self.as_str().eq_ignore_ascii_case(other)
    }
}

impl PartialEq<&str> for Domain {
    fn eq(&self, other: &&str) -> bool {
        self.as_str().eq_ignore_ascii_case(other)
    }
}

impl Hash for Domain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.as_str().bytes() {
            state.write_u8(octet.to_ascii_lowercase());
        }
        state.write_u8(0xff);
    }
}

impl PartialOrd for Domain {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Domain {
    fn cmp(&self, other: &Self) -> Ordering {
        let lower = |d: &Self| d.as_str().to_ascii_lowercase();
        lower(self).cmp(&lower(other))
    }
}

/// Why a text is no [`Domain`]. Offsets count octets from the start of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseDomainError {
    /// A character that a label may not hold at this place.
    #[error("a character at octet {at} does not belong into a domain")]
    Character {
        /// Where it stands.
        at: usize,
    },
    /// Nothing was there.
    #[error("the domain is empty")]
    Empty,
    /// A label of no octets, or of more than [`Domain::LABEL_OCTETS_MAX`].
    #[error("the label at octet {at} has {octets} octets; 1 to 63 are possible")]
    LabelLength {
        /// Where the label starts.
        at: usize,
        /// Its length.
        octets: usize,
    },
    /// More than [`Domain::OCTETS_MAX`] octets.
    #[error("the domain has {octets} octets, more than 255")]
    TooLong {
        /// Its length.
        octets: usize,
    },
}

/// The domain has no form in A-labels.
#[cfg(feature = "idna")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the domain has no form in A-labels")]
#[non_exhaustive]
pub struct DomainToAsciiError;

#[cfg(all(test, feature = "idna"))]
mod to_ascii_tests {
    use super::*;

    #[test]
    fn u_labels_and_a_labels_meet() {
        for (written, ascii) in [
            ("m\u{fc}nchen.example", "xn--mnchen-3ya.example"),
            ("M\u{dc}NCHEN.Example", "xn--mnchen-3ya.example"),
            ("XN--MNCHEN-3YA.example", "xn--mnchen-3ya.example"),
            ("Contoso.COM", "contoso.com"),
            ("contoso\u{3002}com", "contoso.com"),
        ] {
            let domain: Domain = written.parse().unwrap();
            assert_eq!(domain.to_ascii().unwrap().as_str(), ascii, "{written}");
        }
    }

    #[test]
    fn what_has_no_a_label_is_refused() {
        let domain: Domain = "\u{fffd}.example".parse().unwrap();
        assert_eq!(domain.to_ascii(), Err(DomainToAsciiError));
    }
}
