//! Who a session has shown to be.

use std::fmt;
use std::sync::Arc;

/// The name of somebody who has been authenticated, as the authenticator knows it: a user of a
/// directory, a host of a certificate. It is no [`Mailbox`](crate::Mailbox): it may have none.
///
/// A name holds no control character, so it can stand in logs and trace fields.
///
/// ```
/// use transom_types::Principal;
///
/// let principal = Principal::new("alice")?;
/// assert_eq!(principal.as_str(), "alice");
/// assert!(Principal::new("alice\r\nX-Spoofed: yes").is_err());
/// # Ok::<(), transom_types::PrincipalError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Principal(Arc<str>);

impl Principal {
    /// Longest name: that of the longest mailbox.
    pub const OCTETS_MAX: usize = 320;

    /// Checks a name.
    ///
    /// # Errors
    ///
    /// The name is empty, too long, or holds a control character.
    pub fn new(name: &str) -> Result<Self, PrincipalError> {
        if name.is_empty() {
            return Err(PrincipalError::Empty);
        }
        if name.len() > Self::OCTETS_MAX {
            return Err(PrincipalError::TooLong { octets: name.len() });
        }
        match name.char_indices().find(|(_, c)| c.is_control()) {
            Some((at, _)) => Err(PrincipalError::Control { at }),
            None => Ok(Self(name.into())),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no name of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrincipalError {
    /// It holds a control character.
    #[error("control character at octet {at}")]
    Control {
        /// Where.
        at: usize,
    },
    /// There is nothing.
    #[error("the name is empty")]
    Empty,
    /// More than [`Principal::OCTETS_MAX`].
    #[error("{octets} octets are more than {}", Principal::OCTETS_MAX)]
    TooLong {
        /// How long it is.
        octets: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_break_a_line_or_say_nothing_are_none() {
        assert_eq!(Principal::new(""), Err(PrincipalError::Empty));
        assert_eq!(Principal::new("a\0b"), Err(PrincipalError::Control { at: 1 }));
        let long = "x".repeat(Principal::OCTETS_MAX + 1);
        assert_eq!(Principal::new(&long), Err(PrincipalError::TooLong { octets: 321 }));
        assert_eq!(Principal::new("J\u{fc}rgen").map(|p| p.to_string()), Ok("J\u{fc}rgen".into()));
    }
}
