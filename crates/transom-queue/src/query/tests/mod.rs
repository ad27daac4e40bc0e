//! Filters, sorts and pages over a row of every kind of value.

mod filter;
mod page;

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;

/// A property of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Age,
    Count,
    Colour,
    Name,
    Seen,
    Tags,
}

pub(super) const COLOURS: &[&str] = &["Red", "Green", "Blue"];

impl Property for Field {
    const ROWS: &'static str = "things";
    const ALL: &'static [Self] =
        &[Self::Age, Self::Count, Self::Colour, Self::Name, Self::Seen, Self::Tags];

    fn name(self) -> &'static str {
        match self {
            Self::Age => "ThingAge",
            Self::Count => "ThingCount",
            Self::Colour => "Colour",
            Self::Name => "DisplayName",
            Self::Seen => "LastSeenTime",
            Self::Tags => "Tags",
        }
    }

    fn plain_name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Count => "count",
            Self::Colour => "colour",
            Self::Name => "name",
            Self::Seen => "last-seen",
            Self::Tags => "tags",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Age => Kind::Duration,
            Self::Count => Kind::Number,
            Self::Colour => Kind::Word(COLOURS),
            Self::Name => Kind::Text,
            Self::Seen => Kind::Instant,
            Self::Tags => Kind::Texts,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) id: u64,
    pub(super) age: Option<Duration>,
    pub(super) count: i64,
    pub(super) colour: usize,
    pub(super) name: Option<String>,
    pub(super) seen: Option<SystemTime>,
    pub(super) tags: Vec<String>,
}

impl Row for Thing {
    type Property = Field;

    fn id(&self) -> RowId {
        RowId(self.id, 0)
    }

    fn value(&self, property: Field) -> Value<'_> {
        match property {
            Field::Age => self.age.map_or(Value::Absent, Value::Duration),
            Field::Count => Value::Number(self.count),
            Field::Colour => Value::Word(COLOURS[self.colour]),
            Field::Name => {
                self.name.as_deref().map_or(Value::Absent, |name| Value::Text(name.into()))
            }
            Field::Seen => self.seen.map_or(Value::Absent, Value::Instant),
            Field::Tags => Value::Texts(self.tags.iter().map(|tag| tag.as_str().into()).collect()),
        }
    }
}

pub(super) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The thing that tables of filters are asked about: 2026-11-24T12:00:00.5Z.
pub(super) fn thing() -> Thing {
    Thing {
        id: 1,
        age: Some(Duration::from_millis(93_784_900)),
        count: 10,
        colour: 1,
        name: Some("Ann O'Hara".into()),
        seen: Some(at(1_795_521_600) + Duration::from_millis(500)),
        tags: vec!["one@contoso.com".into(), "Two@fabrikam.com".into()],
    }
}

prop_compose! {
    pub(super) fn things()(
        age in proptest::option::of(0u64..100),
        count in -1i64..4,
        colour in 0usize..3,
        name in proptest::option::of("[a-cA-C]{0,3}"),
        seen in proptest::option::of(0u64..100),
        tags in proptest::collection::vec("[ab]{1,2}", 0..3),
    ) -> Thing {
        Thing {
            id: 0,
            age: age.map(Duration::from_secs),
            count,
            colour,
            name,
            seen: seen.map(at),
            tags,
        }
    }
}
