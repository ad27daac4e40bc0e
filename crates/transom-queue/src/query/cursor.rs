//! A place between two rows, as text that a client keeps from one page to the next.

use std::fmt::{self, Write};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::sort::SortKey;
use super::{Filter, Property, RowId, Sort};

/// A place in a sorted list of rows. It holds the values of the row that it stands at, not a
/// number, so it stays right when rows come and go.
///
/// Prints as letters, digits, `.`, `-` and `_`; what is in it is nobody's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) origin: Origin,
    pub(super) keys: Vec<SortKey>,
    pub(super) id: RowId,
}

/// To which list a cursor belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    source: u128,
    filter: u32,
    sort: u32,
}

impl Origin {
    pub(super) fn new<P: Property>(source: u128, filter: &Filter<P>, sort: &Sort<P>) -> Self {
        let rows = crc32c::crc32c(P::ROWS.as_bytes());
        let sum = |text: String| crc32c::crc32c_append(rows, text.as_bytes());
        Self { source, filter: sum(filter.to_string()), sort: sum(sort.to_string()) }
    }

    /// Whether a cursor of `other` goes on here.
    pub(super) fn accepts(self, other: Self) -> Result<(), CursorError> {
        if other.source != self.source {
            Err(CursorError::OtherSource)
        } else if other.filter != self.filter {
            Err(CursorError::OtherFilter)
        } else if other.sort != self.sort {
            Err(CursorError::OtherSort)
        } else {
            Ok(())
        }
    }
}

/// A cursor cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// The text is no cursor.
    #[error("this is no cursor")]
    Malformed,
    /// It was given for another filter, or for another kind of rows.
    #[error("the cursor is of a list with another filter: begin again at the first page")]
    OtherFilter,
    /// It was given for another sort order.
    #[error("the cursor is of a list in another order: begin again at the first page")]
    OtherSort,
    /// It was given by another spool.
    #[error("the cursor is of another spool: begin again at the first page")]
    OtherSource,
}

/// The form that [`Cursor`] prints. Another one gets another number.
const VERSION: &str = "c1";

/// Longest text of a cursor, in octets: more than the largest one has.
const OCTETS_MAX: usize = 4096;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { source, filter, sort } = self.origin;
        let RowId(first, second) = self.id;
        write!(f, "{VERSION}.{source:x}.{filter:x}.{sort:x}.{first:x}.{second:x}")?;
        for key in &self.keys {
            f.write_char('.')?;
            match key {
                SortKey::Absent => f.write_char('a')?,
                SortKey::Duration(span) => print_time(f, 'd', *span)?,
                SortKey::Instant(at) => match at.duration_since(SystemTime::UNIX_EPOCH) {
                    Ok(since) => print_time(f, 'i', since)?,
                    Err(before) => print_time(f, 'b', before.duration())?,
                },
                SortKey::Number(number) => write!(f, "n{number:x}")?,
                SortKey::Text(text) => {
                    f.write_char('t')?;
                    text.bytes().try_for_each(|octet| write!(f, "{octet:02x}"))?;
                }
                SortKey::Word(place) => write!(f, "w{place:x}")?,
            }
        }
        Ok(())
    }
}

fn print_time(f: &mut fmt::Formatter<'_>, kind: char, span: Duration) -> fmt::Result {
    write!(f, "{kind}{:x}_{:x}", span.as_secs(), span.subsec_nanos())
}

impl FromStr for Cursor {
    type Err = CursorError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).ok_or(CursorError::Malformed)
    }
}

fn read(text: &str) -> Option<Cursor> {
    if text.len() > OCTETS_MAX {
        return None;
    }
    let mut parts = text.split('.');
    if parts.next()? != VERSION {
        return None;
    }
    let source = parts.next().filter(|text| is_hex(text))?;
    let source = u128::from_str_radix(source, 16).ok()?;
    let filter = u32::try_from(hex(parts.next()?)?).ok()?;
    let sort = u32::try_from(hex(parts.next()?)?).ok()?;
    let id = RowId(hex(parts.next()?)?, hex(parts.next()?)?);
    let keys = parts.map(key).collect::<Option<Vec<SortKey>>>()?;
    Some(Cursor { origin: Origin { source, filter, sort }, keys, id })
}

fn key(text: &str) -> Option<SortKey> {
    let (kind, rest) = text.split_at_checked(1)?;
    match kind {
        "a" if rest.is_empty() => Some(SortKey::Absent),
        "d" => span(rest).map(SortKey::Duration),
        "i" => SystemTime::UNIX_EPOCH.checked_add(span(rest)?).map(SortKey::Instant),
        "b" => SystemTime::UNIX_EPOCH.checked_sub(span(rest)?).map(SortKey::Instant),
        "n" => hex(rest).map(u64::cast_signed).map(SortKey::Number),
        "t" => {
            let octet = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
            let clean = rest.len() % 2 == 0 && is_hex(rest);
            let octets = rest.as_bytes().chunks(2).map(octet).collect::<Option<Vec<u8>>>();
            String::from_utf8(octets.filter(|_| clean)?).ok().map(SortKey::Text)
        }
        "w" => usize::try_from(hex(rest)?).ok().map(SortKey::Word),
        _ => None,
    }
}

fn span(text: &str) -> Option<Duration> {
    let (seconds, nanos) = text.split_once('_')?;
    let nanos = u32::try_from(hex(nanos)?).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(hex(seconds)?, nanos))
}

fn hex(text: &str) -> Option<u64> {
    is_hex(text).then(|| u64::from_str_radix(text, 16).ok())?
}

/// Small letters only, so that a cursor has one form.
fn is_hex(text: &str) -> bool {
    text.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
}
