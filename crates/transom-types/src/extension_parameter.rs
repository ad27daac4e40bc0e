//! Parameters of MAIL and RCPT that a host program brings itself.

use std::fmt;

/// A parameter that is none of those of the RFCs: a keyword and perhaps a value
/// (`esmtp-param`, RFC 5321 §4.1.2).
///
/// ```
/// use transom_types::ExtensionParameter;
///
/// let parameter = ExtensionParameter::new("x-tenant", Some("contoso"))?;
/// assert_eq!(parameter.to_string(), "X-TENANT=contoso");
/// assert!(ExtensionParameter::new("X-TENANT", Some("a\r\nRSET")).is_err());
/// assert!(ExtensionParameter::new("SIZE", Some("1")).is_err());
/// # Ok::<(), transom_types::ExtensionParameterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExtensionParameter {
    keyword: Box<str>,
    value: Option<Box<str>>,
}

/// What this crate has values of its own for.
const KNOWN: [&str; 14] = [
    "AUTH",
    "BODY",
    "BY",
    "ENVID",
    "HOLDFOR",
    "HOLDUNTIL",
    "MT-PRIORITY",
    "NOTIFY",
    "ORCPT",
    "REQUIRETLS",
    "RET",
    "RRVS",
    "SIZE",
    "SMTPUTF8",
];

impl ExtensionParameter {
    /// Longest keyword, in octets. RFC 5321 has no limit; this is the longest registered one twice.
    pub const KEYWORD_OCTETS_MAX: usize = 24;
    /// Longest value, in octets: as long as that of ORCPT.
    pub const VALUE_OCTETS_MAX: usize = 500;

    /// Checks both. The keyword is put into upper case.
    ///
    /// # Errors
    ///
    /// What does not fit the grammar, and keywords that have a field of their own.
    pub fn new(keyword: &str, value: Option<&str>) -> Result<Self, ExtensionParameterError> {
        Self::check_keyword(keyword)?;
        if value.is_some_and(|value| !is_value(value)) {
            return Err(ExtensionParameterError::Value);
        }
        Ok(Self { keyword: keyword.to_ascii_uppercase().into(), value: value.map(Into::into) })
    }

    /// Whether `keyword` can be one of a host program.
    ///
    /// # Errors
    ///
    /// Where it is malformed, or has a field of its own in the parameters.
    pub fn check_keyword(keyword: &str) -> Result<(), ExtensionParameterError> {
        // [RFC 5321 §4.1.2] letters, digits and hyphens, not a hyphen first.
        let well_formed = (1..=Self::KEYWORD_OCTETS_MAX).contains(&keyword.len())
            && keyword.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !keyword.starts_with('-');
        if !well_formed {
            Err(ExtensionParameterError::Keyword)
        } else if KNOWN.iter().any(|known| known.eq_ignore_ascii_case(keyword)) {
            Err(ExtensionParameterError::Known)
        } else {
            Ok(())
        }
    }

    /// The keyword, in upper case.
    pub fn keyword(&self) -> &str {
        &self.keyword
    }

    /// What stands behind `=`.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

/// [RFC 5321 §4.1.2] no `=`, space or control character; UTF-8 by RFC 6531 §3.3.
fn is_value(value: &str) -> bool {
    (1..=ExtensionParameter::VALUE_OCTETS_MAX).contains(&value.len())
        && !value.chars().any(|c| c == '=' || c == ' ' || c.is_control())
}

impl fmt::Display for ExtensionParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.keyword)?;
        match &self.value {
            Some(value) => write!(f, "={value}"),
            None => Ok(()),
        }
    }
}

/// Why there is no such [`ExtensionParameter`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionParameterError {
    /// The keyword is malformed.
    #[error("a keyword is 1 to 24 letters, digits and hyphens")]
    Keyword,
    /// The keyword has a field of its own in the parameters.
    #[error("the keyword is one of the standard")]
    Known,
    /// The value is malformed.
    #[error("a value is 1 to 500 octets without =, space and control characters")]
    Value,
}
