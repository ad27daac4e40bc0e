//! Reverse-path and forward-path (RFC 5321 §4.1.2): what stands in MAIL FROM and RCPT TO.

use std::fmt;
use std::str::FromStr;

use crate::mailbox::Extent;
use crate::{Domain, Mailbox, ParseMailboxError};

/// `Reverse-path = Path / "<>"`: where reports about the message go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the grammar has these two forms and no other")]
pub enum ReversePath {
    /// `<>`: a report itself; nothing is ever reported back to it.
    Null,
    /// `<mailbox>`.
    Mailbox(Mailbox),
}

impl ReversePath {
    /// The mailbox, unless the path is null.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether this is `<>`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Parses the path that `text` starts with, source route skipped, and tells how many octets
    /// it takes. Parameters may follow it in a command.
    ///
    /// # Errors
    ///
    /// What is wrong with the path, and where.
    pub fn parse_prefix(text: &str) -> Result<(Self, usize), ParsePathError> {
        let angle = Self::scan(text)?;
        let path = angle.mailbox(text).map_or(Self::Null, Self::Mailbox);
        Ok((path, angle.length))
    }

    /// How many octets the path takes that `text` starts with, without making a value of it.
    ///
    /// # Errors
    ///
    /// As of [`parse_prefix`](Self::parse_prefix).
    #[inline]
    pub fn check_prefix(text: &str) -> Result<usize, ParsePathError> {
        Self::scan(text).map(|angle| angle.length)
    }

    #[inline]
    fn scan(text: &str) -> Result<Angle, ParsePathError> {
        if text.starts_with("<>") {
            return Ok(Angle { mailbox: None, length: 2 });
        }
        angle_path(text)
    }
}

impl From<Mailbox> for ReversePath {
    fn from(mailbox: Mailbox) -> Self {
        Self::Mailbox(mailbox)
    }
}

impl FromStr for ReversePath {
    type Err = ParsePathError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        whole(text, Self::parse_prefix(text)?)
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

/// `Forward-path = Path`, or `<Postmaster>`, which needs no domain (RFC 5321 §4.1.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the grammar has these two forms and no other")]
pub enum ForwardPath {
    /// `<mailbox>`.
    Mailbox(Mailbox),
    /// `<Postmaster>`: whoever looks after this host.
    Postmaster,
}

impl ForwardPath {
    /// The mailbox, unless this is `<Postmaster>`.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox),
            Self::Postmaster => None,
        }
    }

    /// The domain of the mailbox; none for `<Postmaster>` and for an address literal.
    pub fn domain(&self) -> Option<Domain> {
        self.mailbox().and_then(Mailbox::domain)
    }

    /// Parses the path that `text` starts with, source route skipped, and tells how many octets
    /// it takes.
    ///
    /// # Errors
    ///
    /// What is wrong with the path, and where.
    pub fn parse_prefix(text: &str) -> Result<(Self, usize), ParsePathError> {
        let angle = Self::scan(text)?;
        let path = angle.mailbox(text).map_or(Self::Postmaster, Self::Mailbox);
        Ok((path, angle.length))
    }

    /// How many octets the path takes that `text` starts with, without making a value of it.
    ///
    /// # Errors
    ///
    /// As of [`parse_prefix`](Self::parse_prefix).
    #[inline]
    pub fn check_prefix(text: &str) -> Result<usize, ParsePathError> {
        Self::scan(text).map(|angle| angle.length)
    }

    #[inline]
    fn scan(text: &str) -> Result<Angle, ParsePathError> {
        const POSTMASTER: &str = "<Postmaster>";
        // [RFC 5321 §4.1.1.3-d] the word "Postmaster" is compared without regard to case.
        if let [b'<', b'P' | b'p', ..] = text.as_bytes()
            && let Some(start) = text.as_bytes().get(..POSTMASTER.len())
            && start.eq_ignore_ascii_case(POSTMASTER.as_bytes())
        {
            return Ok(Angle { mailbox: None, length: POSTMASTER.len() });
        }
        angle_path(text)
    }
}

impl From<Mailbox> for ForwardPath {
    fn from(mailbox: Mailbox) -> Self {
        Self::Mailbox(mailbox)
    }
}

impl FromStr for ForwardPath {
    type Err = ParsePathError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        whole(text, Self::parse_prefix(text)?)
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
            Self::Postmaster => f.write_str("<Postmaster>"),
        }
    }
}

fn whole<P>(text: &str, (path, length): (P, usize)) -> Result<P, ParsePathError> {
    if length == text.len() { Ok(path) } else { Err(ParsePathError::Rest { at: length }) }
}

/// Where in a text the parts of a path stand.
struct Angle {
    /// Start, `@` and length of the mailbox; none in `<>` and `<Postmaster>`.
    mailbox: Option<(usize, Extent)>,
    /// Octets of the whole path.
    length: usize,
}

impl Angle {
    fn mailbox(&self, text: &str) -> Option<Mailbox> {
        let (start, extent) = self.mailbox?;
        Some(Mailbox::from_checked(text.get(start..).unwrap_or(""), extent))
    }
}

/// `Path = "<" [ A-d-l ":" ] Mailbox ">"`.
#[inline]
fn angle_path(text: &str) -> Result<Angle, ParsePathError> {
    let inner = text.strip_prefix('<').ok_or(ParsePathError::NoAngleBracket { at: 0 })?;
    // [RFC 5321 §3.3-b, §4.1.1.3-a, §4.1.2-a] a source route is accepted, and
    // [RFC 5321 §3.6.1-a, §4.1.1.3-b, §6.1-f] ignored: a path has no place for it.
    // [RFC 5321 §C-a, §C-c, §F.2-a] The same again.
    let route = if inner.starts_with('@') { source_route(inner)? } else { 0 };
    let start = route.saturating_add(1);
    let rest = inner.get(route..).unwrap_or("");
    let extent = Extent::of(rest).map_err(|wrong| ParsePathError::Mailbox { at: start, wrong })?;
    let end = start.saturating_add(extent.length);
    match text.as_bytes().get(end) {
        Some(b'>') => Ok(Angle { mailbox: Some((start, extent)), length: end.saturating_add(1) }),
        _ => Err(ParsePathError::NoAngleBracket { at: end }),
    }
}

/// `A-d-l = At-domain *( "," At-domain )` and the colon: how many octets to skip.
fn source_route(inner: &str) -> Result<usize, ParsePathError> {
    let end = inner.find(':').ok_or(ParsePathError::SourceRoute)?;
    let well_formed =
        inner.get(..end).unwrap_or("").split(',').all(|hop| {
            hop.strip_prefix('@').is_some_and(|domain| domain.parse::<Domain>().is_ok())
        });
    if well_formed { Ok(end.saturating_add(1)) } else { Err(ParsePathError::SourceRoute) }
}

/// Why a text is no path. Offsets count octets from the start of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParsePathError {
    /// What stands in the angle brackets is no mailbox.
    #[error("no mailbox stands at octet {at}")]
    Mailbox {
        /// Where the mailbox should start.
        at: usize,
        /// What is wrong with it.
        #[source]
        wrong: ParseMailboxError,
    },
    /// `<` or `>` is missing.
    #[error("an angle bracket is missing at octet {at}")]
    NoAngleBracket {
        /// Where it is missing.
        at: usize,
    },
    /// Something follows the path.
    #[error("the path ends at octet {at}, but the text goes on")]
    Rest {
        /// Where the path ends.
        at: usize,
    },
    /// A source route that is no list of `@domain`.
    #[error("the source route is malformed")]
    SourceRoute,
}
