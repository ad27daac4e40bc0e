//! The parameters of RFC 3461 as values: NOTIFY, ORCPT, RET, ENVID.

use std::fmt;
use std::str::FromStr;

use crate::xtext::{decode_utf8_address, write_utf8_address};
use crate::{Xtext, XtextError};

/// `ENVID=`: the sender's own name for the envelope (RFC 3461 §4.4), at most
/// [`EnvelopeId::OCTETS_MAX`] octets encoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnvelopeId(Xtext);

impl EnvelopeId {
    /// Longest encoded form, in octets (RFC 3461 §4.4).
    pub const OCTETS_MAX: usize = 100;

    /// Whether `encoded` parses, without making a value of it.
    ///
    /// # Errors
    ///
    /// Where it does not parse.
    pub fn check(encoded: &str) -> Result<(), ParseEnvelopeIdError> {
        Self::check_length(encoded)?;
        Xtext::check(encoded).map_err(ParseEnvelopeIdError::Xtext)
    }

    /// The decoded text.
    pub fn text(&self) -> &str {
        self.0.text()
    }

    // [RFC 3461 §4.4-a, §5.4-a] something, and up to 100 octets.
    fn check_length(encoded: &str) -> Result<(), ParseEnvelopeIdError> {
        match encoded.len() {
            1..=Self::OCTETS_MAX => Ok(()),
            octets => Err(ParseEnvelopeIdError::Length { octets }),
        }
    }
}

impl FromStr for EnvelopeId {
    type Err = ParseEnvelopeIdError;
    fn from_str(encoded: &str) -> Result<Self, Self::Err> {
        Self::check_length(encoded)?;
        encoded.parse().map(Self).map_err(ParseEnvelopeIdError::Xtext)
    }
}

impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is no [`EnvelopeId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseEnvelopeIdError {
    /// Empty, or longer than [`EnvelopeId::OCTETS_MAX`].
    #[error("ENVID has {octets} octets; 1 to 100 are possible")]
    Length {
        /// Its length.
        octets: usize,
    },
    /// Not in xtext.
    #[error("ENVID is no xtext")]
    Xtext(#[source] XtextError),
}

/// `ORCPT=addr-type;address`: the recipient as the sender first wrote it (RFC 3461 §4.2). The
/// address is in xtext, that of type `utf-8` in utf-8-addr-xtext (RFC 6533 §3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    address_type: Box<str>,
    address: Box<str>,
}

impl OriginalRecipient {
    /// Longest parameter value, in octets (RFC 3461 §4.2).
    pub const OCTETS_MAX: usize = 500;

    /// An original recipient of type `rfc822`.
    ///
    /// # Errors
    ///
    /// [`XtextError::Control`] where `address` holds a control character, [`XtextError::TooLong`]
    /// where its encoded form does not fit into [`OriginalRecipient::OCTETS_MAX`].
    pub fn rfc822(address: &str) -> Result<Self, XtextError> {
        Self::new("rfc822", address)
    }

    /// An original recipient of type `utf-8`, for addresses that are not ASCII.
    ///
    /// # Errors
    ///
    /// As of [`rfc822`](Self::rfc822).
    pub fn utf8(address: &str) -> Result<Self, XtextError> {
        Self::new("utf-8", address)
    }

    fn new(address_type: &str, address: &str) -> Result<Self, XtextError> {
        Xtext::from_text(address)?;
        Self { address_type: address_type.into(), address: address.into() }.fitting()
    }

    /// Encoded it may be longer than it came.
    fn fitting(self) -> Result<Self, XtextError> {
        let octets = self.to_string().len();
        if octets > Self::OCTETS_MAX { Err(XtextError::TooLong { octets }) } else { Ok(self) }
    }

    /// Whether `value` parses, without making a value of it.
    ///
    /// # Errors
    ///
    /// Where it does not parse.
    pub fn check(value: &str) -> Result<(), ParseOriginalRecipientError> {
        let (address_type, encoded) = split(value)?;
        if is_utf8_type(address_type) {
            return value.parse::<Self>().map(|_| ());
        }
        Xtext::check(encoded).map_err(ParseOriginalRecipientError::Xtext)
    }

    /// The address type, as written.
    pub fn address_type(&self) -> &str {
        &self.address_type
    }

    /// The decoded address.
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// Type and encoded address.
// [RFC 3461 §4.2-a]
fn split(value: &str) -> Result<(&str, &str), ParseOriginalRecipientError> {
    if value.len() > OriginalRecipient::OCTETS_MAX {
        return Err(ParseOriginalRecipientError::Length { octets: value.len() });
    }
    let at = value.bytes().position(|octet| octet == b';');
    let (address_type, encoded) = at
        .and_then(|at| Some((value.get(..at)?, value.get(at.saturating_add(1)..)?)))
        .ok_or(ParseOriginalRecipientError::NoType)?;
    let atom = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'.';
    if address_type.is_empty() || !address_type.bytes().all(atom) {
        return Err(ParseOriginalRecipientError::NoType);
    }
    Ok((address_type, encoded))
}

fn is_utf8_type(address_type: &str) -> bool {
    address_type.eq_ignore_ascii_case("utf-8")
}

impl FromStr for OriginalRecipient {
    type Err = ParseOriginalRecipientError;
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        let (address_type, encoded) = split(value)?;
        let wrong = ParseOriginalRecipientError::Xtext;
        let address = if is_utf8_type(address_type) {
            decode_utf8_address(encoded).map_err(wrong)?
        } else {
            encoded.parse::<Xtext>().map_err(wrong)?.text().into()
        };
        Self { address_type: address_type.into(), address }.fitting().map_err(wrong)
    }
}

impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};", self.address_type)?;
        if is_utf8_type(&self.address_type) {
            write_utf8_address(&self.address, f)
        } else {
            Xtext::write_encoded(&self.address, f)
        }
    }
}

/// Why a text is no [`OriginalRecipient`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseOriginalRecipientError {
    /// Longer than [`OriginalRecipient::OCTETS_MAX`].
    #[error("ORCPT has {octets} octets, more than 500")]
    Length {
        /// Its length.
        octets: usize,
    },
    /// No address type and semicolon at the start.
    #[error("ORCPT starts with an address type and a semicolon")]
    NoType,
    /// The address is not in the encoding of its type.
    #[error("the address in ORCPT is not encoded as its type wants it")]
    Xtext(#[source] XtextError),
}

/// `NOTIFY=`: about what the sender wants reports (RFC 3461 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Notify {
    success: bool,
    failure: bool,
    delay: bool,
}

impl Notify {
    /// `NOTIFY=NEVER`.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };
    /// What holds when the parameter is absent: failures, and delays as local policy has it.
    pub const DEFAULT: Self = Self { success: false, failure: true, delay: true };

    /// Reports about the named conditions; none of them is `NEVER`.
    pub const fn new(success: bool, failure: bool, delay: bool) -> Self {
        Self { success, failure, delay }
    }

    /// Whether a success is reported.
    pub const fn success(self) -> bool {
        self.success
    }

    /// Whether a failure is reported.
    pub const fn failure(self) -> bool {
        self.failure
    }

    /// Whether a delay is reported.
    pub const fn delay(self) -> bool {
        self.delay
    }
}

impl FromStr for Notify {
    type Err = ParseNotifyError;
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        // [RFC 3461 §4.1-a, §4.1-b] a list of words, or NEVER alone.
        if value.eq_ignore_ascii_case("NEVER") {
            return Ok(Self::NEVER);
        }
        let mut notify = Self::NEVER;
        for keyword in value.as_bytes().split(|&octet| octet == b',') {
            let flag = if keyword.eq_ignore_ascii_case(b"SUCCESS") {
                &mut notify.success
            } else if keyword.eq_ignore_ascii_case(b"FAILURE") {
                &mut notify.failure
            } else if keyword.eq_ignore_ascii_case(b"DELAY") {
                &mut notify.delay
            } else {
                return Err(ParseNotifyError);
            };
            *flag = true;
        }
        Ok(notify)
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let mut separator = "";
        for (_, word) in words.into_iter().filter(|(wanted, _)| *wanted) {
            write!(f, "{separator}{word}")?;
            separator = ",";
        }
        if separator.is_empty() { f.write_str("NEVER") } else { Ok(()) }
    }
}

/// The text is no value of NOTIFY.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY")]
#[non_exhaustive]
pub struct ParseNotifyError;

/// `RET=`: what of the message a failure report carries (RFC 3461 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 3461 §4.3 has these two")]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its header section alone.
    Headers,
}

impl FromStr for Ret {
    type Err = ParseRetError;
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        match value {
            // [RFC 3461 §4.3-a]
            value if value.eq_ignore_ascii_case("FULL") => Ok(Self::Full),
            value if value.eq_ignore_ascii_case("HDRS") => Ok(Self::Headers),
            _ => Err(ParseRetError),
        }
    }
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        })
    }
}

/// The text is no value of RET.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("RET is FULL or HDRS")]
#[non_exhaustive]
pub struct ParseRetError;
