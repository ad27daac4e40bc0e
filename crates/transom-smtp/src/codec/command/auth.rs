//! What stands behind AUTH (RFC 4954 §4). What the octets mean is the business of SASL.

use std::borrow::Cow;
use std::fmt;

/// The name of a SASL mechanism (RFC 4422 §3.1). Compared without regard to case, as clients write
/// it in either.
#[derive(Clone, Debug, Eq)]
pub struct Mechanism<'a>(Cow<'a, str>);

impl<'a> Mechanism<'a> {
    /// Longest name, in octets.
    pub const OCTETS_MAX: usize = 20;

    /// Checks `text`.
    ///
    /// # Errors
    ///
    /// Where `text` is empty, too long, or holds other than letters, digits, `-` and `_`.
    pub fn new(text: &'a str) -> Result<Self, MechanismError> {
        let fits = (1..=Self::OCTETS_MAX).contains(&text.len())
            && text.bytes().all(|o| o.is_ascii_alphanumeric() || o == b'-' || o == b'_');
        if fits { Ok(Self(Cow::Borrowed(text))) } else { Err(MechanismError) }
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name with an allocation of its own.
    pub fn into_owned(self) -> Mechanism<'static> {
        Mechanism(Cow::Owned(self.0.into_owned()))
    }
}

impl PartialEq for Mechanism<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

// [RFC 4954 §8-a] names of mechanisms have no case.
impl PartialEq<str> for Mechanism<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl fmt::Display for Mechanism<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no [`Mechanism`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a mechanism is 1 to 20 letters, digits, hyphens and underscores")]
#[non_exhaustive]
pub struct MechanismError;

/// The initial response: base64 (RFC 4648 §4), which is `=` on the wire where it is empty. It may
/// hold a password, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct InitialResponse<'a>(Cow<'a, str>);

impl<'a> InitialResponse<'a> {
    /// A response of no octets, which is not the same as none.
    pub const EMPTY: Self = Self(Cow::Borrowed(""));
    /// Longest one, in octets of base64: with verb, mechanism and CRLF it fits the line of 12,288
    /// that RFC 4954 §4.5.3 has.
    pub const OCTETS_MAX: usize = 12_256;

    /// Checks base64; an empty text is a response of no octets.
    ///
    /// # Errors
    ///
    /// Where `base64` is too long, or is no base64 with its padding.
    pub fn from_base64(base64: &'a str) -> Result<Self, InitialResponseError> {
        let data = base64.trim_end_matches('=');
        let padding = base64.len().saturating_sub(data.len());
        let fits = base64.len() <= Self::OCTETS_MAX
            && base64.len().is_multiple_of(4)
            && padding <= 2
            && data.bytes().all(|o| o.is_ascii_alphanumeric() || o == b'+' || o == b'/');
        if fits { Ok(Self(Cow::Borrowed(base64))) } else { Err(InitialResponseError) }
    }

    /// What stands on the wire.
    ///
    /// # Errors
    ///
    /// As of [`from_base64`](Self::from_base64), and where nothing stands there.
    pub(super) fn parse(text: &'a str) -> Result<Self, InitialResponseError> {
        match text {
            // [RFC 4954 §4-a] a single equals sign stands for no octets.
            "=" => Ok(Self::EMPTY),
            "" => Err(InitialResponseError),
            base64 => Self::from_base64(base64),
        }
    }

    /// The base64, empty where the response is.
    pub fn base64(&self) -> &str {
        &self.0
    }

    /// The response with an allocation of its own.
    pub fn into_owned(self) -> InitialResponse<'static> {
        InitialResponse(Cow::Owned(self.0.into_owned()))
    }

    /// The form on the wire.
    // [RFC 4954 §4-h] no octets are an equals sign.
    pub(super) fn wire(&self) -> &str {
        if self.0.is_empty() { "=" } else { &self.0 }
    }
}

impl fmt::Debug for InitialResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InitialResponse(..)")
    }
}

/// The text is no [`InitialResponse`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the initial response is no base64 of at most 12,256 octets")]
#[non_exhaustive]
pub struct InitialResponseError;
