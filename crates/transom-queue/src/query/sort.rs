//! In which order rows come.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::error::{Hint, column, nearest, shown};
use super::evaluate::fold;
use super::{Kind, Property, Row, RowId, Value, property};

/// By which properties rows are sorted, the most important first. The id of a row is always the
/// last key, so that no two rows are equal.
///
/// ```
/// use transom_queue::query::Sort;
/// use transom_queue::view::QueueProperty;
///
/// let sort: Sort<QueueProperty> = "-MessageCount,+next-hop".parse()?;
/// assert_eq!(sort.to_string(), "-MessageCount,+NextHopDomain");
/// # Ok::<(), transom_queue::query::ParseSortError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort<P> {
    keys: Vec<(P, Order)>,
}

/// Which end comes first. Rows without a value are the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a line has two ends")]
pub enum Order {
    /// The smallest: `+`.
    Ascending,
    /// The largest: `-`.
    Descending,
}

impl<P> Default for Sort<P> {
    /// By the ids of the rows.
    fn default() -> Self {
        Self { keys: Vec::new() }
    }
}

impl<P: Property> Sort<P> {
    /// Properties of a sort.
    pub const KEYS_MAX: usize = 8;
    /// Octets of a text that count for its place; texts that are longer and begin the same are
    /// sorted by their ids. A cursor holds so much of each text.
    pub const TEXT_OCTETS_MAX: usize = 128;

    /// Whether it sorts by a property of which `which` is true, as [`Filter::uses`] says of a
    /// filter.
    ///
    /// [`Filter::uses`]: super::Filter::uses
    pub fn uses(&self, which: impl Fn(P) -> bool) -> bool {
        self.keys.iter().any(|(property, _)| which(*property))
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The values by which the row is sorted.
    pub(super) fn keys_of<R: Row<Property = P>>(&self, row: &R) -> Vec<SortKey> {
        self.keys
            .iter()
            .map(|(property, _)| SortKey::new(row.value(*property), *property))
            .collect()
    }

    pub(super) fn place(&self, keys: Vec<SortKey>, id: RowId) -> Place {
        let directed = |(key, (_, order)): (SortKey, &(P, Order))| match order {
            Order::Ascending => Directed::Up(key),
            Order::Descending => Directed::Down(Reverse(key)),
        };
        Place { keys: keys.into_iter().zip(&self.keys).map(directed).collect(), id }
    }
}

/// Where a row stands among all rows of a sort.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    keys: Vec<Directed>,
    pub(super) id: RowId,
}

impl Place {
    /// The values, as [`Sort::keys_of`] gave them.
    pub(super) fn into_keys(self) -> Vec<SortKey> {
        let plain = |key| match key {
            Directed::Up(key) | Directed::Down(Reverse(key)) => key,
        };
        self.keys.into_iter().map(plain).collect()
    }
}

/// In one place all rows have the same variant.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Directed {
    Up(SortKey),
    Down(Reverse<SortKey>),
}

/// A value as rows are sorted by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SortKey {
    Absent,
    Duration(Duration),
    Instant(SystemTime),
    Number(i64),
    Text(String),
    /// The word's place among the property's words.
    Word(usize),
}

impl SortKey {
    fn new<P: Property>(value: Value<'_>, property: P) -> Self {
        match value {
            Value::Absent | Value::Texts(_) => Self::Absent,
            Value::Duration(span) => Self::Duration(span),
            Value::Instant(at) => Self::Instant(at),
            Value::Number(number) => Self::Number(number),
            Value::Text(text) => {
                let folded = fold(&text);
                let end = folded.floor_char_boundary(Sort::<P>::TEXT_OCTETS_MAX);
                Self::Text(folded.get(..end).unwrap_or_default().to_owned())
            }
            Value::Word(word) => match property.kind() {
                Kind::Word(words) => {
                    Self::Word(words.iter().position(|w| *w == word).unwrap_or(usize::MAX))
                }
                _ => Self::Absent,
            },
        }
    }
}

impl<P: Property> fmt::Display for Sort<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (property, order)) in self.keys.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let sign = match order {
                Order::Ascending => '+',
                Order::Descending => '-',
            };
            write!(f, "{comma}{sign}{}", property.name())?;
        }
        Ok(())
    }
}

/// `[ [ "+" / "-" ] property *( "," [ "+" / "-" ] property ) ]`: Exchange's `SortOrder`.
impl<P: Property> FromStr for Sort<P> {
    type Err = ParseSortError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut sort = Self::default();
        if text.trim().is_empty() {
            return Ok(sort);
        }
        let mut at = 0usize;
        for piece in text.split(',') {
            let column = column(text, at);
            at = at.saturating_add(piece.len()).saturating_add(1);
            let key = piece.trim();
            let (order, name) = match key.strip_prefix('-') {
                Some(name) => (Order::Descending, name),
                None => (Order::Ascending, key.strip_prefix('+').unwrap_or(key)),
            };
            let Some(property) = property::<P>(name) else {
                let sortable = P::ALL.iter().filter(|property| property.kind() != Kind::Texts);
                let names = sortable.flat_map(|property| [property.plain_name(), property.name()]);
                let nearest = nearest(name, names);
                let found = shown(name);
                return Err(ParseSortError::UnknownProperty { column, found, nearest });
            };
            if property.kind() == Kind::Texts {
                let property = property.name();
                return Err(ParseSortError::NotSortable { column, property });
            }
            if sort.keys.iter().any(|(known, _)| *known == property) {
                return Err(ParseSortError::Twice { column, property: property.name() });
            }
            if sort.keys.len() == Self::KEYS_MAX {
                return Err(ParseSortError::TooMany { column, max: Self::KEYS_MAX });
            }
            sort.keys.push((property, order));
        }
        Ok(sort)
    }
}

/// The text is no sort order. The column is counted in characters, from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseSortError {
    /// The property has several values in a row.
    #[error("column {column}: rows cannot be sorted by {property}, of which one may have several")]
    NotSortable {
        /// Where it stands.
        column: usize,
        /// The property.
        property: &'static str,
    },
    /// There are too many properties.
    #[error("column {column}: more than {max} properties")]
    TooMany {
        /// Where the first one too many stands.
        column: usize,
        /// How many may be.
        max: usize,
    },
    /// The property stands there twice.
    #[error("column {column}: {property} a second time")]
    Twice {
        /// Where it stands again.
        column: usize,
        /// The property.
        property: &'static str,
    },
    /// No property has this name.
    #[error("column {column}: no property \"{found}\"{}", Hint(*nearest))]
    UnknownProperty {
        /// Where it stands.
        column: usize,
        /// What stands there.
        found: String,
        /// The property that looks most like it.
        nearest: Option<&'static str>,
    },
}
