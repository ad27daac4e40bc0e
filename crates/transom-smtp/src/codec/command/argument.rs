//! What stands in a command line as a name or text: checked once, safe to print again.

use std::borrow::Cow;
use std::fmt;

use transom_types::{AddressLiteral, Domain};

/// How a client calls itself in EHLO or HELO.
///
/// Wider than a domain or address literal, because many clients send host names with an underscore
/// and mail must not be refused for that alone (RFC 5321 §4.1.4). Letters, digits, `-`, `_`, `.`,
/// `:`, `[`, `]` and UTF-8: nothing that could end a comment, a field or a line where it is
/// printed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HelloName<'a>(Cow<'a, str>);

impl<'a> HelloName<'a> {
    /// Longest name, in octets: that of a domain.
    pub const OCTETS_MAX: usize = Domain::OCTETS_MAX;

    /// Checks `text`.
    ///
    /// # Errors
    ///
    /// Where `text` is empty, too long, or holds another character than those above.
    pub fn new(text: &'a str) -> Result<Self, HelloNameError> {
        Self::check(text)?;
        Ok(Self::checked(text))
    }

    /// For text that was found to be a name.
    pub(super) fn checked(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Apart from [`new`](Self::new), as a result without a name in it is cheaper to hand back.
    #[inline]
    pub(super) fn check(text: &str) -> Result<(), HelloNameError> {
        let fits = (1..=Self::OCTETS_MAX).contains(&text.len());
        // Nearly every name is ASCII. All octets are looked at, as that is quicker than to stop.
        if fits && text.bytes().fold(true, |good, octet| good & is_name_octet(octet)) {
            return Ok(());
        }
        Self::check_characters(text)
    }

    #[cold]
    fn check_characters(text: &str) -> Result<(), HelloNameError> {
        if text.is_empty() || text.len() > Self::OCTETS_MAX {
            return Err(HelloNameError::Length { octets: text.len() });
        }
        match text.char_indices().find(|&(_, c)| !is_name_character(c)) {
            Some((at, _)) => Err(HelloNameError::Character { at }),
            None => Ok(()),
        }
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name with an allocation of its own.
    pub fn into_owned(self) -> HelloName<'static> {
        HelloName(Cow::Owned(self.0.into_owned()))
    }
}

fn is_name_character(c: char) -> bool {
    match u8::try_from(c) {
        Ok(octet) if c.is_ascii() => is_name_octet(octet),
        _ => !c.is_control() && !c.is_whitespace(),
    }
}

#[inline]
fn is_name_octet(octet: u8) -> bool {
    const GOOD: [bool; 256] = {
        let mut table = [false; 256];
        let (mut octet, mut rest): (u8, &mut [bool]) = (0, &mut table);
        while let [good, behind @ ..] = rest {
            *good = octet.is_ascii_alphanumeric()
                || matches!(octet, b'-' | b'_' | b'.' | b':' | b'[' | b']');
            octet = octet.wrapping_add(1);
            rest = behind;
        }
        table
    };
    GOOD.get(usize::from(octet)).copied().unwrap_or(false)
}

impl<'a> From<&'a Domain> for HelloName<'a> {
    fn from(domain: &'a Domain) -> Self {
        Self(Cow::Borrowed(domain.as_str()))
    }
}

impl From<AddressLiteral> for HelloName<'static> {
    fn from(literal: AddressLiteral) -> Self {
        Self(Cow::Owned(literal.to_string()))
    }
}

impl fmt::Display for HelloName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no [`HelloName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelloNameError {
    /// A character that a name may not hold.
    #[error("a character at octet {at} does not belong into a host name")]
    Character {
        /// Where it stands.
        at: usize,
    },
    /// Empty, or longer than [`HelloName::OCTETS_MAX`].
    #[error("the host name has {octets} octets; 1 to 255 are possible")]
    Length {
        /// Its length.
        octets: usize,
    },
}

/// The text behind VRFY, EXPN, ETRN or HELP: at least one character, no control characters, no
/// spaces at either end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Argument<'a>(Cow<'a, str>);

impl<'a> Argument<'a> {
    /// Longest text, in octets: with verb and CRLF it fits a line of 512.
    pub const OCTETS_MAX: usize = 500;

    /// Checks `text`.
    ///
    /// # Errors
    ///
    /// Where `text` is empty, too long, begins or ends with a space, or holds a control character.
    pub fn new(text: &'a str) -> Result<Self, ArgumentError> {
        let fits = !text.is_empty()
            && text.len() <= Self::OCTETS_MAX
            && text.trim() == text
            && !text.chars().any(char::is_control);
        if fits { Ok(Self(Cow::Borrowed(text))) } else { Err(ArgumentError) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text with an allocation of its own.
    pub fn into_owned(self) -> Argument<'static> {
        Argument(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no [`Argument`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no argument: 1 to 500 octets, no control characters, no spaces at the ends")]
#[non_exhaustive]
pub struct ArgumentError;
