//! Questions over rows: a typed [`Filter`], a [`Sort`], and pages that survive changes.
//!
//! Nothing here knows queues or messages: a row tells the values of its properties, wherever it
//! comes from. [`view`](crate::view) has the rows of queues and messages.
//!
//! # The text of a filter
//!
//! Two spellings mean the same and may be mixed: Exchange's, and a plain one.
//!
//! ```
//! use transom_queue::query::Filter;
//! use transom_queue::view::QueueProperty;
//!
//! let exchange: Filter<QueueProperty> =
//!     r#"{Status -eq "Retry" -and MessageCount -ge 10}"#.parse()?;
//! let plain: Filter<QueueProperty> = "status = retry and messages >= 10".parse()?;
//! assert_eq!(exchange, plain);
//! assert_eq!(exchange.to_string(), "Status -eq 'Retry' -and MessageCount -ge 10");
//! assert_eq!(exchange.plain().to_string(), "status = Retry and messages >= 10");
//!
//! let wrong = "stats = retry".parse::<Filter<QueueProperty>>().unwrap_err();
//! assert_eq!(wrong.to_string(), "column 1: no property \"stats\"; did you mean status?");
//! # Ok::<(), transom_queue::query::ParseFilterError>(())
//! ```
//!
//! ```text
//! filter     = [ any ] / "{" [ any ] "}"                   nothing: every row
//! any        = all *( ("-or" / "or" / "||") all )
//! all        = each *( ("-and" / "and" / "&&") each )
//! each       = ("-not" / "not" / "!") each / "(" any ")" / comparison
//! comparison = property operator ( value / "$null" )
//! operator   = "-eq" / "-ne" / "-gt" / "-ge" / "-lt" / "-le" / "-like"
//!            / "=" / "==" / "!=" / "<>" / ">" / ">=" / "<" / "<=" / "like"
//! value      = 'text' / "text" / a word                    a quote inside stands twice
//! ```
//!
//! | kind | operators | written as |
//! |---|---|---|
//! | text | all | letter case does not count; `*` in `-like` is any text, even none |
//! | number | all but `-like` | `10`, `-5`, `4KB`, `1MB` (of 1,024 octets each step) |
//! | instant | all but `-like` | `2026-11-24T12:00:00Z`, `2026-11-24`; whole seconds are compared |
//! | duration | all but `-like` | `90m`, `1d2h`, `1.02:00:00`; whole seconds are compared |
//! | word | `-eq`, `-ne` | one of the property's words, letter case does not count |
//!
//! A property without a value equals `$null` and nothing else: `-ne` is always the opposite of
//! `-eq`, and all other comparisons fail. Of a property with several values one that fits is
//! enough.

mod cursor;
mod error;
mod evaluate;
mod lexer;
mod literal;
mod page;
mod parse;
mod print;
mod sort;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

pub use cursor::{Cursor, CursorError};
pub use error::ParseFilterError;
pub use page::{Page, PageStart, Query};
pub use print::PlainFilter;
pub use sort::{Order, ParseSortError, Sort};

pub(crate) use evaluate::seconds;
use literal::Literal;

/// What a kind of rows has: the names and kinds of its values.
pub trait Property: Copy + Eq + fmt::Debug + 'static {
    /// What the rows are, for messages and cursors: `"queues"`.
    const ROWS: &'static str;
    /// All of them.
    const ALL: &'static [Self];
    /// Its name in Exchange's spelling.
    fn name(self) -> &'static str;
    /// Its name in the plain spelling: letters and hyphens.
    fn plain_name(self) -> &'static str;
    /// What its values are.
    fn kind(self) -> Kind;
}

/// What the values of a property are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A span of time.
    Duration,
    /// A moment by the wall clock.
    Instant,
    /// A whole number.
    Number,
    /// Text.
    Text,
    /// Any number of texts. Cannot be sorted by.
    Texts,
    /// One of these words; they sort in this order.
    Word(&'static [&'static str]),
}

/// The value of a property in one row; of the property's [`Kind`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "one for each kind, and none")]
pub enum Value<'a> {
    /// There is none.
    Absent,
    /// A span of time.
    Duration(Duration),
    /// A moment by the wall clock.
    Instant(SystemTime),
    /// A number.
    Number(i64),
    /// Text.
    Text(Cow<'a, str>),
    /// Texts.
    Texts(Vec<Cow<'a, str>>),
    /// One of the property's words.
    Word(&'static str),
}

/// Something with properties.
pub trait Row {
    /// Which it has.
    type Property: Property;
    /// Names the row among all rows, as long as it is there.
    fn id(&self) -> RowId;
    /// The value of a property.
    fn value(&self, property: Self::Property) -> Value<'_>;
}

/// Names a row among all rows of its kind. The last key of every sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "any two numbers are an id")]
pub struct RowId(pub u64, pub u64);

/// Says of a row whether it is meant. Without a condition every row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter<P> {
    condition: Option<Condition<P>>,
}

impl<P> Default for Filter<P> {
    fn default() -> Self {
        Self { condition: None }
    }
}

/// A condition as it was written, without parentheses that say nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition<P> {
    Any(Vec<Self>),
    All(Vec<Self>),
    Not(Box<Self>),
    Compare(Comparison<P>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison<P> {
    property: P,
    operator: Operator,
    literal: Literal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
    Like,
}

impl Operator {
    const ALL: [Self; 7] = [Self::Eq, Self::Ne, Self::Gt, Self::Ge, Self::Lt, Self::Le, Self::Like];

    const fn name(self) -> &'static str {
        match self {
            Self::Eq => "-eq",
            Self::Ne => "-ne",
            Self::Gt => "-gt",
            Self::Ge => "-ge",
            Self::Lt => "-lt",
            Self::Le => "-le",
            Self::Like => "-like",
        }
    }

    const fn plain_name(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Like => "like",
        }
    }
}

impl<P: Property> Filter<P> {
    /// Longest text of a filter, in octets: what any filter within the other limits prints as
    /// fits, so it can be read again.
    pub const OCTETS_MAX: usize = 65_536;
    /// Comparisons of a filter. A row is looked at in time proportional to them.
    pub const COMPARISONS_MAX: usize = 64;
    /// How deep parentheses and `-not` may lie in each other: what bounds the stack.
    pub const DEPTH_MAX: usize = 32;
    /// Longest text to compare with, in octets.
    pub const VALUE_OCTETS_MAX: usize = 256;

    /// Whether the row is meant.
    pub fn matches<R: Row<Property = P>>(&self, row: &R) -> bool {
        self.condition.as_ref().is_none_or(|condition| condition.holds(row))
    }

    /// Whether it asks for a property of which `which` is true: what need not be asked for need
    /// not be fetched.
    pub fn uses(&self, which: impl Fn(P) -> bool) -> bool {
        self.condition.as_ref().is_some_and(|condition| condition.uses(&which))
    }

    /// The filter in the plain spelling; [`Display`](fmt::Display) prints Exchange's.
    pub fn plain(&self) -> PlainFilter<'_, P> {
        PlainFilter(self)
    }
}

impl<P: Property> FromStr for Filter<P> {
    type Err = ParseFilterError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::filter(text).map(|condition| Self { condition })
    }
}

/// The property of that name, in either spelling; letter case does not count.
fn property<P: Property>(name: &str) -> Option<P> {
    let is = |property: &P| {
        property.name().eq_ignore_ascii_case(name)
            || property.plain_name().eq_ignore_ascii_case(name)
    };
    P::ALL.iter().copied().find(is)
}
