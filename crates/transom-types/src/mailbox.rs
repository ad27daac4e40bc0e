//! Mailboxes: `Local-part "@" ( Domain / address-literal )` (RFC 5321 §4.1.2).

use std::fmt;
use std::str::FromStr;

use crate::shared_str::SharedStr;
use crate::{AddressLiteral, Domain, ParseAddressLiteralError, ParseDomainError};

/// `Local-part = Dot-string / Quoted-string`, in the form it was written in.
///
/// Case counts: only the host that owns the mailbox may think otherwise (RFC 5321 §2.4).
#[derive(Clone, Debug)]
pub struct LocalPart(SharedStr);

impl LocalPart {
    /// Longest local-part, in octets. RFC 5321 §4.5.3.1.1 guarantees 64; bounce addresses with an
    /// encoded recipient are longer, so this is Exchange's limit.
    pub const OCTETS_MAX: usize = 315;

    /// The local-part as written, quotes included.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What the local-part means: without quotes and backslashes.
    pub fn unquoted(&self) -> String {
        let text = self.as_str();
        let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return text.to_owned();
        };
        let mut meaning = String::with_capacity(inner.len());
        let mut characters = inner.chars();
        while let Some(c) = characters.next() {
            if c == '\\' {
                meaning.extend(characters.next());
            } else {
                meaning.push(c);
            }
        }
        meaning
    }

    /// Whether no SMTPUTF8 is needed to send it.
    pub fn is_ascii(&self) -> bool {
        self.as_str().is_ascii()
    }
}

// [RFC 5321 §4.1.1-a, §4.1.2-c] printable ASCII, and
// [RFC 6531 §3.3-a] UTF-8 where the session lets it in.
/// Length of the local-part that `text` starts with, or why there is none.
#[inline]
fn local_part_length(text: &str) -> Result<usize, ParseLocalPartError> {
    let length = if text.starts_with('"') { quoted_string(text)? } else { dot_string(text)? };
    if length > LocalPart::OCTETS_MAX {
        return Err(ParseLocalPartError::TooLong { octets: length });
    }
    Ok(length)
}

/// `Dot-string = Atom *("." Atom)`; `atext` is widened by UTF-8 (RFC 6531 §3.3).
#[inline]
fn dot_string(text: &str) -> Result<usize, ParseLocalPartError> {
    // Nearly every local-part is ASCII, and octets are quicker to look at than characters.
    let (mut at, mut rest) = (0usize, text.as_bytes());
    loop {
        let atom = rest.iter().position(|&octet| !is_ascii_atext(octet)).unwrap_or(rest.len());
        at = at.saturating_add(atom);
        match rest.get(atom..).unwrap_or_default() {
            [0x80..=u8::MAX, ..] => return dot_string_of_characters(text),
            _ if atom == 0 => return Err(ParseLocalPartError::EmptyAtom { at }),
            [b'.', behind @ ..] => (at, rest) = (at.saturating_add(1), behind),
            _ => return Ok(at),
        }
    }
}

/// The same for text that is not ASCII.
fn dot_string_of_characters(text: &str) -> Result<usize, ParseLocalPartError> {
    let mut after_dot = true;
    for (at, c) in text.char_indices() {
        match c {
            '.' if after_dot => return Err(ParseLocalPartError::EmptyAtom { at }),
            '.' => after_dot = true,
            c if is_atext(c) => after_dot = false,
            _ if after_dot => return Err(ParseLocalPartError::EmptyAtom { at }),
            _ => return Ok(at),
        }
    }
    if after_dot {
        return Err(ParseLocalPartError::EmptyAtom { at: text.len() });
    }
    Ok(text.len())
}

fn is_atext(c: char) -> bool {
    match u8::try_from(c) {
        Ok(octet) if c.is_ascii() => is_ascii_atext(octet),
        _ => !c.is_control() && !c.is_whitespace(),
    }
}

/// `atext` of RFC 5321 §4.1.2 (RFC 5322 §3.2.3). It is quicker to look up than to compare.
#[inline]
fn is_ascii_atext(octet: u8) -> bool {
    const ATEXT: [bool; 256] = {
        let mut table = [false; 256];
        let (mut octet, mut rest): (u8, &mut [bool]) = (0, &mut table);
        while let [is_atext, behind @ ..] = rest {
            *is_atext = octet.is_ascii_alphanumeric()
                || matches!(octet, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'/' | b'=' | b'?')
                || matches!(octet, b'^'..=b'`' | b'{'..=b'~');
            octet = octet.wrapping_add(1);
            rest = behind;
        }
        table
    };
    ATEXT.get(usize::from(octet)).copied().unwrap_or(false)
}

/// `Quoted-string = DQUOTE *QcontentSMTP DQUOTE`: printable ASCII and UTF-8, `"` and `\` escaped.
fn quoted_string(text: &str) -> Result<usize, ParseLocalPartError> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        let printable = c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && !c.is_control());
        match c {
            _ if !printable => return Err(ParseLocalPartError::Character { at }),
            // [RFC 5321 §4.1.2] quoted-pairSMTP = %d92 %d32-126: a backslash escapes ASCII only.
            c if escaped && !c.is_ascii() => return Err(ParseLocalPartError::Character { at }),
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Ok(at.saturating_add(1)),
            _ => {}
        }
    }
    Err(ParseLocalPartError::Unclosed)
}

impl FromStr for LocalPart {
    type Err = ParseLocalPartError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = local_part_length(text)?;
        if length != text.len() {
            return Err(ParseLocalPartError::Character { at: length });
        }
        Ok(Self(SharedStr::new(text)))
    }
}

impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// [RFC 5321 §4.1.2-b] a quoted form is equal to every other form of what it means.
impl PartialEq for LocalPart {
    fn eq(&self, other: &Self) -> bool {
        let is_quoted = self.as_str().starts_with('"') || other.as_str().starts_with('"');
        self.as_str() == other.as_str() || (is_quoted && self.unquoted() == other.unquoted())
    }
}

impl Eq for LocalPart {}

/// The right side of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the grammar has these two forms and no other")]
pub enum Host {
    /// A domain name.
    Domain(Domain),
    /// An address in brackets.
    Literal(AddressLiteral),
}

impl Host {
    /// The domain, unless this is an address literal.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Literal(_) => None,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

/// `Mailbox = Local-part "@" ( Domain / address-literal )`. One allocation, shared by clones and
/// by the parts handed out.
#[derive(Clone, Debug)]
pub struct Mailbox {
    text: SharedStr,
    at: u16,
}

impl Mailbox {
    /// The mailbox as written.
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// The part before the `@`.
    pub fn local_part(&self) -> LocalPart {
        LocalPart(self.text.slice(0..usize::from(self.at)))
    }

    /// The part behind the `@`.
    pub fn host(&self) -> Host {
        let from = usize::from(self.at).saturating_add(1);
        let host = self.text.slice(from..self.as_str().len());
        match host.as_str().parse() {
            Ok(literal) => Host::Literal(literal),
            Err(_) => Host::Domain(Domain::from_checked(host)),
        }
    }

    /// The domain behind the `@`, unless an address literal stands there.
    pub fn domain(&self) -> Option<Domain> {
        match self.host() {
            Host::Domain(domain) => Some(domain),
            Host::Literal(_) => None,
        }
    }

    /// Whether no SMTPUTF8 is needed to send it.
    pub fn is_ascii(&self) -> bool {
        self.as_str().is_ascii()
    }

    /// Joins two parts that are each valid already.
    pub fn new(local_part: &LocalPart, host: &Host) -> Self {
        let at = u16::try_from(local_part.as_str().len()).unwrap_or(0);
        Self { text: SharedStr::new(&format!("{local_part}@{host}")), at }
    }

    /// How many octets the mailbox takes that `text` starts with, without making a value of it: it
    /// ends where its grammar does.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    pub fn check_prefix(text: &str) -> Result<usize, ParseMailboxError> {
        Extent::of(text).map(|extent| extent.length)
    }

    /// The mailbox that `text` starts with, and that was found to be one.
    pub(crate) fn from_checked(text: &str, extent: Extent) -> Self {
        let text = SharedStr::new(text.get(..extent.length).unwrap_or(""));
        Self { text, at: u16::try_from(extent.at).unwrap_or(0) }
    }
}

/// Where in a text the parts of a mailbox stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Where the `@` stands.
    pub(crate) at: usize,
    /// Octets of the whole mailbox.
    pub(crate) length: usize,
}

impl Extent {
    /// Of the mailbox that `text` starts with.
    #[inline]
    pub(crate) fn of(text: &str) -> Result<Self, ParseMailboxError> {
        let at = local_part_length(text).map_err(ParseMailboxError::LocalPart)?;
        let Some(host) = text.get(at..).and_then(|rest| rest.strip_prefix('@')) else {
            return Err(ParseMailboxError::NoAtSign { at });
        };
        let length = if host.starts_with('[') {
            let length = host.find(']').map_or(host.len(), |end| end.saturating_add(1));
            host.get(..length)
                .unwrap_or("")
                .parse::<AddressLiteral>()
                .map_err(ParseMailboxError::Literal)?;
            length
        } else {
            Domain::check_prefix(host).map_err(ParseMailboxError::Domain)?
        };
        Ok(Self { at, length: at.saturating_add(1).saturating_add(length) })
    }
}

impl FromStr for Mailbox {
    type Err = ParseMailboxError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let extent = Extent::of(text)?;
        if extent.length != text.len() {
            return Err(ParseMailboxError::Rest { at: extent.length });
        }
        Ok(Self::from_checked(text, extent))
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// [RFC 5321 §2.4-a, §2.4-b] local-parts keep their case, domains do not.
impl PartialEq for Mailbox {
    fn eq(&self, other: &Self) -> bool {
        self.local_part() == other.local_part() && self.host() == other.host()
    }
}

impl Eq for Mailbox {}

/// Why a text is no [`LocalPart`]. Offsets count octets from the start of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseLocalPartError {
    /// A character that does not belong there.
    #[error("a character at octet {at} does not belong into a local-part")]
    Character {
        /// Where it stands.
        at: usize,
    },
    /// Nothing stands before, between or behind dots.
    #[error("an atom is missing at octet {at}")]
    EmptyAtom {
        /// Where it is missing.
        at: usize,
    },
    /// More than [`LocalPart::OCTETS_MAX`] octets.
    #[error("the local-part has {octets} octets, more than 315")]
    TooLong {
        /// Its length.
        octets: usize,
    },
    /// A quoted string without closing quote.
    #[error("the quoted local-part has no closing quote")]
    Unclosed,
}

/// Why a text is no [`Mailbox`]. Offsets count octets from the start of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseMailboxError {
    /// The part behind the `@` is no domain.
    #[error("the part behind the @ is no domain")]
    Domain(#[source] ParseDomainError),
    /// The part behind the `@` is no address literal.
    #[error("the part behind the @ is no address literal")]
    Literal(#[source] ParseAddressLiteralError),
    /// The part before the `@` is no local-part.
    #[error("the part before the @ is no local-part")]
    LocalPart(#[source] ParseLocalPartError),
    /// The local-part ends where no `@` stands.
    #[error("an @ is missing at octet {at}")]
    NoAtSign {
        /// Where it is missing.
        at: usize,
    },
    /// Something follows the mailbox.
    #[error("the mailbox ends at octet {at}, but the text goes on")]
    Rest {
        /// Where the mailbox ends.
        at: usize,
    },
}
