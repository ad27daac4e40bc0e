//! One page of the rows that a filter lets through, in the order of a sort.

use std::collections::BTreeMap;

use super::cursor::Origin;
use super::sort::Place;
use super::{Cursor, CursorError, Filter, Property, Row, Sort};

/// Which rows are asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Query<P> {
    /// Which rows are meant.
    pub filter: Filter<P>,
    /// In which order.
    pub sort: Sort<P>,
    /// Where the page begins or ends.
    pub start: PageStart,
    /// Rows of a page; 1 to [`Query::ROWS_MAX`].
    pub rows_max: usize,
    /// Names the spool that the rows come from: cursors of others are refused.
    pub source: u128,
}

/// Where a page begins or ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a page begins somewhere or ends somewhere")]
pub enum PageStart {
    /// The first page.
    #[default]
    First,
    /// What follows [`Page::next`].
    After(Cursor),
    /// What stands before [`Page::previous`].
    Before(Cursor),
    /// The last page.
    Last,
}

/// A page of rows.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "what a page is")]
pub struct Page<R> {
    /// The rows, in order.
    pub rows: Vec<R>,
    /// Rows that the filter let through, on all pages.
    pub total: u64,
    /// Those of them that stand before this page.
    pub before: u64,
    /// Where the next page begins; none when this is the last one.
    pub next: Option<Cursor>,
    /// Where the page before ends; none when this is the first one.
    pub previous: Option<Cursor>,
}

impl<P: Property> Query<P> {
    /// Rows of a page, if nothing is said: Exchange's `ResultSize`.
    pub const ROWS_DEFAULT: usize = 1000;
    /// Rows of a page at most: what bounds its memory.
    pub const ROWS_MAX: usize = 10_000;

    /// The first page of all rows of a spool, by their ids.
    pub fn new(source: u128) -> Self {
        Self {
            filter: Filter::default(),
            sort: Sort::default(),
            start: PageStart::First,
            rows_max: Self::ROWS_DEFAULT,
            source,
        }
    }

    /// Says which rows are meant.
    #[must_use]
    pub fn with_filter(self, filter: Filter<P>) -> Self {
        Self { filter, ..self }
    }

    /// Says in which order they come.
    #[must_use]
    pub fn with_sort(self, sort: Sort<P>) -> Self {
        Self { sort, ..self }
    }

    /// Says where the page begins or ends.
    #[must_use]
    pub fn with_start(self, start: PageStart) -> Self {
        Self { start, ..self }
    }

    /// Says how many rows a page has.
    #[must_use]
    pub fn with_rows_max(self, rows_max: usize) -> Self {
        Self { rows_max, ..self }
    }

    /// The page. Looks at each row once and keeps no more than a page of them, so the rows may be
    /// made one by one as they are asked for.
    ///
    /// Of pages that follow each other: a row that was there the whole time, and whose sorted
    /// values did not change, is on exactly one.
    ///
    /// # Errors
    ///
    /// [`CursorError`] when the start is a cursor of another spool, filter or order.
    pub fn page<R: Row<Property = P>>(
        &self,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Page<R>, CursorError> {
        let origin = Origin::new(self.source, &self.filter, &self.sort);
        let place = |cursor: &Cursor| {
            origin.accepts(cursor.origin)?;
            if cursor.keys.len() != self.sort.len() {
                return Err(CursorError::Malformed);
            }
            Ok(self.sort.place(cursor.keys.clone(), cursor.id))
        };
        let (after, before) = match &self.start {
            PageStart::First | PageStart::Last => (None, None),
            PageStart::After(cursor) => (Some(place(cursor)?), None),
            PageStart::Before(cursor) => (None, Some(place(cursor)?)),
        };
        let from_end = matches!(self.start, PageStart::Before(_) | PageStart::Last);
        let rows_max = self.rows_max.clamp(1, Self::ROWS_MAX);
        let (mut total, mut skipped) = (0u64, 0u64);
        let mut kept: BTreeMap<Place, R> = BTreeMap::new();
        for row in rows {
            if !self.filter.matches(&row) {
                continue;
            }
            total = total.saturating_add(1);
            let place = self.sort.place(self.sort.keys_of(&row), row.id());
            if after.as_ref().is_some_and(|after| place <= *after) {
                skipped = skipped.saturating_add(1);
            } else if before.as_ref().is_none_or(|before| place < *before) {
                kept.insert(place, row);
                if kept.len() > rows_max && from_end {
                    kept.pop_first();
                    skipped = skipped.saturating_add(1);
                } else if kept.len() > rows_max {
                    kept.pop_last();
                }
            }
        }
        Ok(finish(origin, kept, total, skipped))
    }
}

fn finish<R>(origin: Origin, kept: BTreeMap<Place, R>, total: u64, before: u64) -> Page<R> {
    let count = u64::try_from(kept.len()).unwrap_or(u64::MAX);
    let (places, rows): (Vec<Place>, Vec<R>) = kept.into_iter().unzip();
    let mut places = places.into_iter();
    let cursor = |place: Place| {
        let id = place.id;
        Cursor { origin, keys: place.into_keys(), id }
    };
    let (first, last) = (places.next(), places.next_back());
    let previous = first.map(cursor);
    let next = last.map(cursor).or_else(|| previous.clone());
    Page {
        rows,
        total,
        before,
        next: next.filter(|_| before.saturating_add(count) < total),
        previous: previous.filter(|_| before > 0),
    }
}
