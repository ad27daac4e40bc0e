//! The parameters of RFC 3461 as values: NOTIFY, ORCPT, RET, ENVID, and xtext below them.

use std::fmt;
use std::str::FromStr;

/// `xtext`: printable ASCII with `+` and `=` and all else as `+XX` (RFC 3461 §4). Holds the
/// decoded text and prints the encoded one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Xtext(Box<str>);

impl Xtext {
    /// Text to be encoded. It must hold no CR, LF, NUL or other control character.
    ///
    /// # Errors
    ///
    /// [`XtextError::Control`] where such a character stands.
    pub fn from_text(text: &str) -> Result<Self, XtextError> {
        match text.char_indices().find(|(_, c)| c.is_control()) {
            Some((at, _)) => Err(XtextError::Control { at }),
            None => Ok(Self(text.into())),
        }
    }

    /// The decoded text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl FromStr for Xtext {
    type Err = XtextError;
    fn from_str(encoded: &str) -> Result<Self, Self::Err> {
        let mut decoded = Vec::with_capacity(encoded.len());
        let mut octets = encoded.bytes().enumerate();
        while let Some((at, octet)) = octets.next() {
            match octet {
                b'+' => {
                    let high = octets.next().and_then(|(_, digit)| hex(digit));
                    let low = octets.next().and_then(|(_, digit)| hex(digit));
                    let (Some(high), Some(low)) = (high, low) else {
                        return Err(XtextError::Hex { at });
                    };
                    decoded.push(high << 4 | low);
                }
                b'!'..=b'<' | b'>'..=b'~' => decoded.push(octet),
                _ => return Err(XtextError::Character { at }),
            }
        }
        let text = String::from_utf8(decoded).map_err(|_| XtextError::Utf8)?;
        Self::from_text(&text)
    }
}

/// [RFC 3461 §4] `hexchar` has upper-case digits only.
fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'A'..=b'F' => Some(digit.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

impl fmt::Display for Xtext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for octet in self.0.bytes() {
            match octet {
                b'!'..=b'*' | b','..=b'<' | b'>'..=b'~' => write!(f, "{}", char::from(octet))?,
                _ => write!(f, "+{octet:02X}")?,
            }
        }
        Ok(())
    }
}

/// Why a text is no xtext. Offsets count octets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XtextError {
    /// A character that must be encoded.
    #[error("the character at octet {at} must be encoded in xtext")]
    Character {
        /// Where it stands.
        at: usize,
    },
    /// A control character, encoded or not.
    #[error("the text holds a control character at octet {at}")]
    Control {
        /// Where it stands in the decoded text.
        at: usize,
    },
    /// `+` without two upper-case hexadecimal digits.
    #[error("two upper-case hexadecimal digits must follow the + at octet {at}")]
    Hex {
        /// Where the `+` stands.
        at: usize,
    },
    /// The encoded form has more octets than the parameter may have.
    #[error("the encoded text has {octets} octets, too many for its parameter")]
    TooLong {
        /// The length of the whole parameter value.
        octets: usize,
    },
    /// What was decoded is no UTF-8.
    #[error("the decoded text is no UTF-8")]
    Utf8,
}

/// `ENVID=`: the sender's own name for the envelope (RFC 3461 §4.4), at most
/// [`EnvelopeId::OCTETS_MAX`] octets encoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnvelopeId(Xtext);

impl EnvelopeId {
    /// Longest encoded form, in octets (RFC 3461 §4.4).
    pub const OCTETS_MAX: usize = 100;

    /// The decoded text.
    pub fn text(&self) -> &str {
        self.0.text()
    }
}

impl FromStr for EnvelopeId {
    type Err = ParseEnvelopeIdError;
    fn from_str(encoded: &str) -> Result<Self, Self::Err> {
        if encoded.is_empty() || encoded.len() > Self::OCTETS_MAX {
            return Err(ParseEnvelopeIdError::Length { octets: encoded.len() });
        }
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

/// `ORCPT=addr-type;xtext`: the recipient as the sender first wrote it (RFC 3461 §4.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    address_type: Box<str>,
    address: Xtext,
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
        let original = Self { address_type: "rfc822".into(), address: Xtext::from_text(address)? };
        let octets = original.to_string().len();
        if octets > Self::OCTETS_MAX {
            return Err(XtextError::TooLong { octets });
        }
        Ok(original)
    }

    /// The address type, as written.
    pub fn address_type(&self) -> &str {
        &self.address_type
    }

    /// The decoded address.
    pub fn address(&self) -> &str {
        self.address.text()
    }
}

impl FromStr for OriginalRecipient {
    type Err = ParseOriginalRecipientError;
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        if value.len() > Self::OCTETS_MAX {
            return Err(ParseOriginalRecipientError::Length { octets: value.len() });
        }
        let (address_type, encoded) =
            value.split_once(';').ok_or(ParseOriginalRecipientError::NoType)?;
        let atom = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if address_type.is_empty() || !address_type.chars().all(atom) {
            return Err(ParseOriginalRecipientError::NoType);
        }
        // [RFC 6533 §3] utf-8 addresses use an encoding of their own, `\x{HEX}`; its octets are
        // carried as they came.
        let address = encoded.parse().map_err(ParseOriginalRecipientError::Xtext)?;
        Ok(Self { address_type: address_type.into(), address })
    }
}

impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.address_type, self.address)
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
    /// The address is not in xtext.
    #[error("the address in ORCPT is no xtext")]
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
        if value.eq_ignore_ascii_case("NEVER") {
            return Ok(Self::NEVER);
        }
        let mut notify = Self::NEVER;
        for keyword in value.split(',') {
            let flag = if keyword.eq_ignore_ascii_case("SUCCESS") {
                &mut notify.success
            } else if keyword.eq_ignore_ascii_case("FAILURE") {
                &mut notify.failure
            } else if keyword.eq_ignore_ascii_case("DELAY") {
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
