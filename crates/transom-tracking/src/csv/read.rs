//! Reading rows back: for tools and tests.

use std::time::SystemTime;

use crate::csv::Column;
use crate::{EventId, time};

/// The rows of a file; header lines, empty lines and a byte order mark are skipped.
pub fn rows(text: &str) -> impl Iterator<Item = Result<Row, ParseRowError>> {
    text.trim_start_matches('\u{feff}')
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(Row::parse)
}

/// One row, its fields without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    fields: Vec<String>,
}

impl Row {
    /// Reads one line.
    ///
    /// # Errors
    ///
    /// [`ParseRowError`] where the quoting or the number of fields is wrong.
    pub fn parse(line: &str) -> Result<Self, ParseRowError> {
        let line = line.trim_end_matches(['\r', '\n']);
        let mut fields = Vec::with_capacity(Column::ALL.len());
        let mut rest = Some(line);
        while let Some(text) = rest {
            let (field, behind) = field(text)?;
            fields.push(field);
            rest = behind;
        }
        if fields.len() == Column::ALL.len() {
            Ok(Self { fields })
        } else {
            Err(ParseRowError::Fields { found: fields.len() })
        }
    }

    /// The text in a column, empty where the event had nothing to say.
    pub fn get(&self, column: Column) -> &str {
        let place = Column::ALL.iter().position(|candidate| *candidate == column);
        place.and_then(|place| self.fields.get(place)).map_or("", String::as_str)
    }

    /// When it happened; none where the column holds no time.
    pub fn at(&self) -> Option<SystemTime> {
        time::parse(self.get(Column::DateTime))
    }

    /// What happened; none where a later version wrote it.
    pub fn event(&self) -> Option<EventId> {
        self.get(Column::EventId).parse().ok()
    }

    /// Each recipient with its status.
    pub fn recipients(&self) -> Vec<(&str, &str)> {
        let addresses = self.get(Column::RecipientAddress);
        if addresses.is_empty() {
            return Vec::new();
        }
        let mut statuses = self.get(Column::RecipientStatus).split(';');
        addresses.split(';').map(|address| (address, statuses.next().unwrap_or(""))).collect()
    }
}

/// The first field of `text`, and what follows its comma.
fn field(text: &str) -> Result<(String, Option<&str>), ParseRowError> {
    let Some(mut rest) = text.strip_prefix('"') else {
        return match text.split_once(',') {
            Some((field, behind)) => Ok((field.to_owned(), Some(behind))),
            None => Ok((text.to_owned(), None)),
        };
    };
    let mut field = String::new();
    loop {
        let (piece, behind) = rest.split_once('"').ok_or(ParseRowError::Unclosed)?;
        field.push_str(piece);
        if let Some(behind) = behind.strip_prefix('"') {
            field.push('"');
            rest = behind;
        } else if behind.is_empty() {
            return Ok((field, None));
        } else {
            let behind = behind.strip_prefix(',').ok_or(ParseRowError::BehindQuote)?;
            return Ok((field, Some(behind)));
        }
    }
}

/// Why a line is no row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseRowError {
    /// Something other than a comma follows a closing quote.
    #[error("a closing quote is followed by something other than a comma")]
    BehindQuote,
    /// More or fewer fields than there are columns.
    #[error("the row has {found} fields; 30 are expected")]
    Fields {
        /// How many there are.
        found: usize,
    },
    /// A quoted field has no end.
    #[error("a quoted field has no closing quote")]
    Unclosed,
}
