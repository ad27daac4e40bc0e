//! Enhanced status codes (RFC 3463): `class.subject.detail`.

use std::fmt;
use std::str::FromStr;

use crate::reply_code::excerpt;

/// `status-code = class "." subject "." detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnhancedStatusCode {
    class: StatusClass,
    subject: u16,
    detail: u16,
}

/// The first number of an enhanced status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "RFC 3463 §3.1 has these three")]
pub enum StatusClass {
    /// 2.
    Success,
    /// 4.
    PersistentTransient,
    /// 5.
    Permanent,
}

impl StatusClass {
    /// 2, 4 or 5.
    pub const fn digit(self) -> u16 {
        match self {
            Self::Success => 2,
            Self::PersistentTransient => 4,
            Self::Permanent => 5,
        }
    }
}

impl EnhancedStatusCode {
    /// Largest subject and detail: three digits.
    pub const NUMBER_MAX: u16 = 999;

    /// A code from its numbers; numbers above [`Self::NUMBER_MAX`] are cut to it.
    pub const fn new(class: StatusClass, subject: u16, detail: u16) -> Self {
        const fn cut(number: u16) -> u16 {
            if number > EnhancedStatusCode::NUMBER_MAX {
                EnhancedStatusCode::NUMBER_MAX
            } else {
                number
            }
        }
        Self { class, subject: cut(subject), detail: cut(detail) }
    }

    /// 2.`subject`.`detail`.
    pub const fn success(subject: u16, detail: u16) -> Self {
        Self::new(StatusClass::Success, subject, detail)
    }

    /// 4.`subject`.`detail`.
    pub const fn transient(subject: u16, detail: u16) -> Self {
        Self::new(StatusClass::PersistentTransient, subject, detail)
    }

    /// 5.`subject`.`detail`.
    pub const fn permanent(subject: u16, detail: u16) -> Self {
        Self::new(StatusClass::Permanent, subject, detail)
    }

    /// The first number.
    pub const fn class(self) -> StatusClass {
        self.class
    }

    /// The second number.
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// The third number.
    pub const fn detail(self) -> u16 {
        self.detail
    }

    /// The same subject and detail in another class: 4.4.7 as 5.4.7.
    #[must_use]
    pub const fn with_class(self, class: StatusClass) -> Self {
        Self { class, ..self }
    }

    /// The code that `text` starts with, and how many octets it takes. For replies, where text
    /// follows it.
    pub fn parse_prefix(text: &str) -> Option<(Self, usize)> {
        let mut at = 0usize;
        let class = match number(text, &mut at)? {
            2 => StatusClass::Success,
            4 => StatusClass::PersistentTransient,
            5 => StatusClass::Permanent,
            _ => return None,
        };
        let subject = dot_number(text, &mut at)?;
        let detail = dot_number(text, &mut at)?;
        Some((Self { class, subject, detail }, at))
    }
}

/// One to three digits without leading zero.
fn number(text: &str, at: &mut usize) -> Option<u16> {
    let digits = text.get(*at..)?.bytes().take_while(u8::is_ascii_digit).count();
    let end = at.checked_add(digits)?;
    let token = text.get(*at..end)?;
    let padded = token.len() > 1 && token.starts_with('0');
    if padded || token.len() > 3 {
        return None;
    }
    *at = end;
    token.parse().ok()
}

fn dot_number(text: &str, at: &mut usize) -> Option<u16> {
    if text.as_bytes().get(*at) != Some(&b'.') {
        return None;
    }
    *at = at.checked_add(1)?;
    number(text, at)
}

impl FromStr for EnhancedStatusCode {
    type Err = ParseEnhancedStatusCodeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Self::parse_prefix(text) {
            Some((code, length)) if length == text.len() => Ok(code),
            _ => Err(ParseEnhancedStatusCodeError { found: excerpt(text) }),
        }
    }
}

impl fmt::Display for EnhancedStatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class.digit(), self.subject, self.detail)
    }
}

/// The text is no enhanced status code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no enhanced status code: class 2, 4 or 5, then two numbers below 1000, with dots between")]
#[non_exhaustive]
pub struct ParseEnhancedStatusCodeError {
    /// What was found instead, cut to its first characters.
    pub found: String,
}
