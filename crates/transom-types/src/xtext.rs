//! The two encodings that addresses have in parameters: xtext (RFC 3461 §4) and utf-8-addr-xtext
//! (RFC 6533 §3).

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
        check_text(text)?;
        Ok(Self(text.into()))
    }

    /// Whether `encoded` parses, without making a value of it.
    ///
    /// # Errors
    ///
    /// Where it does not parse.
    pub fn check(encoded: &str) -> Result<(), XtextError> {
        // All octets are looked at, as that is quicker than to stop.
        if encoded.bytes().fold(true, |plain, octet| plain & is_plain(octet)) {
            return Ok(());
        }
        let at = encoded.bytes().position(|octet| !is_plain(octet)).unwrap_or(0);
        // Only what is encoded needs decoding to be judged.
        match encoded.as_bytes().get(at) {
            Some(b'+') => encoded.parse::<Self>().map(|_| ()),
            _ => Err(XtextError::Character { at }),
        }
    }

    /// The decoded text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Writes `text` as xtext.
    pub(crate) fn write_encoded(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = text;
        while !rest.is_empty() {
            let plain = rest.bytes().take_while(|&octet| is_plain(octet)).count();
            let (run, behind) = rest.split_at_checked(plain).unwrap_or((rest, ""));
            f.write_str(run)?;
            let mut characters = behind.chars();
            if let Some(c) = characters.next() {
                // [RFC 3461 §4-a] all others by their number.
                for octet in c.encode_utf8(&mut [0; 4]).bytes() {
                    write!(f, "+{octet:02X}")?;
                }
            }
            rest = characters.as_str();
        }
        Ok(())
    }
}

/// `xchar`: printable ASCII without `+` and `=`.
fn is_plain(octet: u8) -> bool {
    octet.is_ascii_graphic() && octet != b'+' && octet != b'='
}

fn check_text(text: &str) -> Result<(), XtextError> {
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, _)) => Err(XtextError::Control { at }),
        None => Ok(()),
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
                octet if is_plain(octet) => decoded.push(octet),
                _ => return Err(XtextError::Character { at }),
            }
        }
        let text = String::from_utf8(decoded).map_err(|_| XtextError::Utf8)?;
        check_text(&text)?;
        Ok(Self(text.into()))
    }
}

/// [RFC 3461 §4-a] `hexchar` has upper-case digits only.
fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'A'..=b'F' => Some(digit.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

impl fmt::Display for Xtext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::write_encoded(&self.0, f)
    }
}

/// `utf-8-addr-xtext`: printable ASCII with `\`, `+`, `=` and all else as `\x{HEX}`. Characters
/// above ASCII may also stand as they are (`utf-8-addr-unitext`), where SMTPUTF8 was said.
pub(crate) fn decode_utf8_address(encoded: &str) -> Result<Box<str>, XtextError> {
    let mut decoded = String::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(c) = rest.chars().next() {
        let at = encoded.len().saturating_sub(rest.len());
        let length = match c {
            '\\' => {
                let (c, length) = embedded(rest).ok_or(XtextError::Hex { at })?;
                decoded.push(c);
                length
            }
            '+' | '=' | ' ' => return Err(XtextError::Character { at }),
            c if c.is_control() => return Err(XtextError::Character { at }),
            c => {
                decoded.push(c);
                c.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or("");
    }
    check_text(&decoded)?;
    Ok(decoded.into())
}

/// `EmbeddedUnicodeChar = "\x{" HEXPOINT "}"`: the character and how many octets it takes here.
fn embedded(text: &str) -> Option<(char, usize)> {
    let digits = text.strip_prefix("\\x{")?;
    let digits = digits.get(..digits.find('}')?)?;
    // [RFC 6533 §3] two to six upper-case digits, without zeros before three or more.
    let well_formed = (2..=6).contains(&digits.len())
        && digits.bytes().all(|digit| hex(digit).is_some())
        && (digits.len() == 2 || !digits.starts_with('0'));
    let c = char::from_u32(u32::from_str_radix(digits, 16).ok().filter(|_| well_formed)?)?;
    // [RFC 6533 §3] what can stand as it is does.
    let needed = !c.is_ascii_graphic() || matches!(c, '\\' | '+' | '=');
    needed.then_some((c, digits.len().saturating_add("\\x{}".len())))
}

/// Writes `text` as `utf-8-addr-xtext`, which is ASCII and so can go anywhere.
pub(crate) fn write_utf8_address(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    text.chars().try_for_each(|c| match c {
        '\\' | '+' | '=' => write!(f, "\\x{{{:02X}}}", u32::from(c)),
        c if c.is_ascii_graphic() => write!(f, "{c}"),
        c => write!(f, "\\x{{{:02X}}}", u32::from(c)),
    })
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
    /// `+` without two upper-case hexadecimal digits, or a malformed `\x{HEX}`.
    #[error("no upper-case hexadecimal digits follow the sign at octet {at}")]
    Hex {
        /// Where the `+` or `\` stands.
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
