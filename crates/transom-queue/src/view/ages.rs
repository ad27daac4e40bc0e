//! How old what waits is, destination by destination.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::feed::Moment;
use super::queue::QueueInfo;
use crate::scheduler::Scheduler;

/// Counts messages by destination and age, as Postfix's `qshape` does. Each column is twice as
/// wide as the one before, so a destination that is stuck shows at once.
///
/// ```
/// use std::time::Duration;
/// use transom_queue::view::AgeHistogram;
///
/// let mut ages = AgeHistogram::new();
/// ages.add("contoso.com", Duration::from_mins(7));
/// ages.add("contoso.com", Duration::from_mins(1300));
/// ages.add("fabrikam.com", Duration::from_secs(2));
/// let table = [
///     "                  T      5     10     20     40     80    160    320    640   1280  1280+",
///     "TOTAL             3      1      1      0      0      0      0      0      0      0      1",
///     "contoso.com       2      0      1      0      0      0      0      0      0      0      1",
///     "fabrikam.com      1      1      0      0      0      0      0      0      0      0      0",
///     "",
/// ];
/// assert_eq!(ages.to_string(), table.join("\n"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgeHistogram {
    total: AgeRow,
    destinations: BTreeMap<String, AgeRow>,
    others: AgeRow,
}

/// Messages by age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgeRow {
    /// How many there are.
    pub total: u64,
    /// How many are at most as old as [`AgeHistogram::LIMITS`] says, and older than the limit
    /// before; the last ones are older than all limits.
    pub counts: [u64; COLUMNS],
    /// The age of the oldest; zero where there is none.
    pub oldest: Duration,
}

const COLUMNS: usize = AgeHistogram::LIMITS.len() + 1;

impl AgeRow {
    fn add(&mut self, column: usize, age: Duration) {
        self.total = self.total.saturating_add(1);
        self.oldest = self.oldest.max(age);
        if let Some(count) = self.counts.get_mut(column) {
            *count = count.saturating_add(1);
        }
    }
}

impl AgeHistogram {
    /// The oldest age of each column but the last.
    pub const LIMITS: [Duration; 9] = [
        Duration::from_mins(5),
        Duration::from_mins(10),
        Duration::from_mins(20),
        Duration::from_mins(40),
        Duration::from_mins(80),
        Duration::from_mins(160),
        Duration::from_mins(320),
        Duration::from_mins(640),
        Duration::from_mins(1280),
    ];

    /// Destinations that have a row of their own: what bounds the memory. Those that come later
    /// share one row.
    pub const DESTINATIONS_MAX: usize = 100_000;

    /// Nothing counted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts what is in the queues of a scheduler, each by its next hop; queues that lead to the
    /// same one are one row. A message whose recipients have different due times counts once for
    /// each. Looks at every message once and opens none.
    pub fn of(scheduler: &Scheduler, moment: &Moment) -> Self {
        let mut ages = Self::new();
        for queue in scheduler.each_queue() {
            let info = QueueInfo::of(&queue, moment);
            for received_at in scheduler.received_in(queue.id) {
                let age = moment.wall.duration_since(received_at).unwrap_or_default();
                ages.add(info.next_hop_domain(), age);
            }
        }
        ages
    }

    /// Counts a message for `destination` that is so old.
    pub fn add(&mut self, destination: &str, age: Duration) {
        let column = Self::LIMITS.iter().take_while(|limit| age > **limit).count();
        self.total.add(column, age);
        if let Some(row) = self.destinations.get_mut(destination) {
            row.add(column, age);
        } else if self.destinations.len() < Self::DESTINATIONS_MAX {
            self.destinations.entry(destination.to_owned()).or_default().add(column, age);
        } else {
            self.others.add(column, age);
        }
    }

    /// All destinations together.
    pub fn total(&self) -> &AgeRow {
        &self.total
    }

    /// The destinations that have no row of their own.
    pub fn others(&self) -> &AgeRow {
        &self.others
    }

    /// Every destination, the one with the most messages first, of equal ones by name.
    pub fn rows(&self) -> Vec<(&str, &AgeRow)> {
        let mut rows: Vec<(&str, &AgeRow)> =
            self.destinations.iter().map(|(name, row)| (name.as_str(), row)).collect();
        rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.total));
        rows
    }
}

/// A table: the ages in minutes over the columns, a line for all, one for each destination.
impl fmt::Display for AgeHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let width = width.max("TOTAL".len());
        write!(f, "{:width$} {:>6}", "", "T")?;
        for limit in Self::LIMITS {
            write!(f, " {:>6}", limit.as_secs() / 60)?;
        }
        let last = Self::LIMITS.last().map_or(0, |limit| limit.as_secs() / 60);
        writeln!(f, " {:>6}", format!("{last}+"))?;
        let mut line = |name: &str, row: &AgeRow| {
            write!(f, "{name:width$} {:>6}", row.total)?;
            row.counts.iter().try_for_each(|count| write!(f, " {count:>6}"))?;
            writeln!(f)
        };
        line("TOTAL", &self.total)?;
        rows.into_iter().try_for_each(|(name, row)| line(name, row))?;
        if self.others.total > 0 {
            line("OTHER", &self.others)?;
        }
        Ok(())
    }
}
