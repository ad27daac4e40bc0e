//! Rotation as decisions: when a new log file begins, how it is called, which old ones go.
//!
//! Names are those of Exchange: prefix, hour of UTC and a number, `MSGTRK2026110914-1.LOG`.

use std::time::{Duration, SystemTime};

use crate::time;

/// Limits of a log folder. [`Default`] gives those of an Exchange server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotation {
    /// A file that would grow beyond this is closed (10 MB).
    pub file_octets_max: u64,
    /// The oldest files go when all together are larger than this (1 GB).
    pub directory_octets_max: u64,
    /// Files older than this go (30 days); zero keeps them for ever.
    pub age_max: Duration,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            file_octets_max: 10_000_000,
            directory_octets_max: 1_000_000_000,
            age_max: Duration::from_hours(30 * 24),
        }
    }
}

impl Rotation {
    /// With another size of a file.
    #[must_use]
    pub fn with_file_octets_max(self, file_octets_max: u64) -> Self {
        Self { file_octets_max, ..self }
    }

    /// With another size of the folder.
    #[must_use]
    pub fn with_directory_octets_max(self, directory_octets_max: u64) -> Self {
        Self { directory_octets_max, ..self }
    }

    /// With another age.
    #[must_use]
    pub fn with_age_max(self, age_max: Duration) -> Self {
        Self { age_max, ..self }
    }
}

/// What to do before a write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are these two ways")]
pub enum Decision {
    /// Write to the file that is open.
    Keep,
    /// Close the open file, begin `name` (which does not exist yet) and write its header lines
    /// first; then remove what [`RotationState::to_delete`] names.
    Roll {
        /// Name of the new file.
        name: String,
    },
}

/// A file of the log folder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a name and a size")]
pub struct LogFile {
    /// Its name, without folder.
    pub name: String,
    /// Its size.
    pub octets: u64,
}

/// Which file is open and how large it is.
#[derive(Clone, Debug)]
pub struct RotationState {
    rotation: Rotation,
    prefix: &'static str,
    octets: u64,
    is_open: bool,
    /// Hour and number of the newest file, open or found.
    newest: Option<(String, u64)>,
}

/// The prefix of message tracking logs.
pub const MESSAGE_TRACKING_PREFIX: &str = "MSGTRK";

const SUFFIX: &str = ".LOG";

impl RotationState {
    /// No file is open; `existing` are the names in the folder, so that no name is used twice.
    /// Names that are not of this log are ignored.
    pub fn new<'a>(
        rotation: Rotation,
        prefix: &'static str,
        existing: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let newest = existing.into_iter().filter_map(|name| parse_name(prefix, name)).max();
        let newest = newest.map(|(hour, number)| (hour.to_owned(), number));
        Self { rotation, prefix, octets: 0, is_open: false, newest }
    }

    /// Decides where the next `octets` go, and counts them. A new file begins with the first write,
    /// at a size limit and with a new day (UTC).
    pub fn before_write(&mut self, now: SystemTime, octets: u64) -> Decision {
        let hour = hour_of(now);
        let grown = self.octets.saturating_add(octets);
        let same_day =
            self.newest.as_ref().is_some_and(|(opened, _)| opened.get(..8) >= hour.get(..8));
        if self.is_open && same_day && grown <= self.rotation.file_octets_max {
            self.octets = grown;
            return Decision::Keep;
        }
        // A clock that went back must not lead to a name that exists: the newest hour stays.
        let (hour, number) = match self.newest.take() {
            Some((newest, number)) if newest >= hour => (newest, number.saturating_add(1)),
            _ => (hour, 1),
        };
        let name = format!("{}{hour}-{number}{SUFFIX}", self.prefix);
        self.newest = Some((hour, number));
        self.is_open = true;
        self.octets = octets;
        Decision::Roll { name }
    }

    /// Counts octets that were written beside rows: the header lines of a new file.
    pub fn add_octets(&mut self, octets: u64) {
        self.octets = self.octets.saturating_add(octets);
    }

    /// The names that must go, oldest first: what is too old, then what makes the folder too
    /// large. Files of other logs and the open file never go.
    pub fn to_delete<'a>(&self, listing: &'a [LogFile], now: SystemTime) -> Vec<String> {
        let parse = |file: &'a LogFile| parse_name(self.prefix, &file.name).map(|at| (at, file));
        let mut ours: Vec<((&str, u64), &LogFile)> = listing.iter().filter_map(parse).collect();
        ours.sort_by_key(|(at, _)| *at);
        let mut total = ours.iter().fold(0u64, |sum, (_, file)| sum.saturating_add(file.octets));
        let mut gone = Vec::new();
        for ((hour, number), file) in ours {
            let is_current = self.is_open
                && self.newest.as_ref().is_some_and(|(newest, n)| newest == hour && *n == number);
            if is_current {
                continue;
            }
            if self.is_too_old(hour, now) || total > self.rotation.directory_octets_max {
                total = total.saturating_sub(file.octets);
                gone.push(file.name.clone());
            }
        }
        gone
    }

    fn is_too_old(&self, hour: &str, now: SystemTime) -> bool {
        let age = time::parse_hour(hour).and_then(|began| now.duration_since(began).ok());
        !self.rotation.age_max.is_zero() && age.is_some_and(|age| age > self.rotation.age_max)
    }
}

/// `yyyymmddhh`.
fn hour_of(now: SystemTime) -> String {
    let now = time::utc(now);
    format!("{:04}{:02}{:02}{:02}", now.year(), now.month(), now.day(), now.hour())
}

/// Hour and number in a name of this log.
fn parse_name<'a>(prefix: &str, name: &'a str) -> Option<(&'a str, u64)> {
    let (hour, number) = name.strip_prefix(prefix)?.strip_suffix(SUFFIX)?.split_once('-')?;
    time::parse_hour(hour)?;
    let is_number = number.bytes().all(|digit| digit.is_ascii_digit());
    Some((hour, number.parse().ok().filter(|_| is_number)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14T22:13:20Z.
    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn at(offset: Duration) -> SystemTime {
        SystemTime::UNIX_EPOCH + NOW + offset
    }

    fn state(existing: &[&'static str]) -> RotationState {
        let rotation = Rotation::default().with_file_octets_max(100);
        RotationState::new(rotation, MESSAGE_TRACKING_PREFIX, existing.iter().copied())
    }

    fn roll(name: &str) -> Decision {
        Decision::Roll { name: name.into() }
    }

    #[test]
    fn first_write_begins_a_file() {
        assert_eq!(state(&[]).before_write(at(Duration::ZERO), 1), roll("MSGTRK2023111422-1.LOG"));
    }

    #[test]
    fn file_never_exceeds_its_limit() {
        let mut state = state(&[]);
        assert_eq!(state.before_write(at(Duration::ZERO), 60), roll("MSGTRK2023111422-1.LOG"));
        assert_eq!(state.before_write(at(Duration::ZERO), 40), Decision::Keep);
        assert_eq!(state.before_write(at(Duration::ZERO), 1), roll("MSGTRK2023111422-2.LOG"));
        state.add_octets(99);
        assert_eq!(state.before_write(at(Duration::ZERO), 1), roll("MSGTRK2023111422-3.LOG"));
    }

    #[test]
    fn row_larger_than_a_file_gets_a_file_of_its_own() {
        let mut state = state(&[]);
        assert!(matches!(state.before_write(at(Duration::ZERO), 500), Decision::Roll { .. }));
        assert!(matches!(state.before_write(at(Duration::ZERO), 1), Decision::Roll { .. }));
    }

    #[test]
    fn new_day_begins_a_file_and_a_new_hour_does_not() {
        let mut state = state(&[]);
        assert!(matches!(state.before_write(at(Duration::ZERO), 1), Decision::Roll { .. }));
        assert_eq!(state.before_write(at(Duration::from_hours(1)), 1), Decision::Keep);
        assert_eq!(
            state.before_write(at(Duration::from_hours(2)), 1),
            roll("MSGTRK2023111500-1.LOG")
        );
    }

    #[test]
    fn restart_takes_no_name_that_exists() {
        let existing = ["MSGTRK2023111422-9.LOG", "MSGTRK2023111422-10.LOG", "other"];
        let mut state = state(&existing);
        assert_eq!(state.before_write(at(Duration::ZERO), 1), roll("MSGTRK2023111422-11.LOG"));
    }

    #[test]
    fn clock_that_went_back_takes_no_name_that_exists() {
        let mut state = state(&["MSGTRK2023111500-2.LOG"]);
        assert_eq!(state.before_write(at(Duration::ZERO), 100), roll("MSGTRK2023111500-3.LOG"));
        assert_eq!(state.before_write(at(Duration::ZERO), 1), roll("MSGTRK2023111500-4.LOG"));
    }

    fn file(name: &str, octets: u64) -> LogFile {
        LogFile { name: name.into(), octets }
    }

    #[test]
    fn oldest_files_go_until_the_folder_is_small_enough() {
        let mut state = state(&[]);
        state.rotation.directory_octets_max = 250;
        let listing = [
            file("MSGTRK2023111410-10.LOG", 100),
            file("MSGTRK2023111410-9.LOG", 100),
            file("MSGTRK2023111409-1.LOG", 100),
            file("MSGTRK2023111411-1.LOG", 100),
            file("MSGTRKMS2023111409-1.LOG", 9_000),
            file("notes.txt", 9_000),
        ];
        assert_eq!(
            state.to_delete(&listing, at(Duration::ZERO)),
            ["MSGTRK2023111409-1.LOG", "MSGTRK2023111410-9.LOG"]
        );
    }

    #[test]
    fn files_older_than_the_limit_go_and_zero_keeps_them() {
        let mut state = state(&[]);
        let listing = [file("MSGTRK2023101421-1.LOG", 1), file("MSGTRK2023111422-1.LOG", 1)];
        let now = at(Duration::ZERO);
        assert_eq!(state.to_delete(&listing, now), ["MSGTRK2023101421-1.LOG"]);
        state.rotation.age_max = Duration::ZERO;
        assert!(state.to_delete(&listing, now).is_empty());
    }

    #[test]
    fn open_file_never_goes() {
        let mut state = state(&[]);
        state.rotation.directory_octets_max = 0;
        let _ = state.before_write(at(Duration::ZERO), 1);
        let listing = [file("MSGTRK2023111422-1.LOG", 500)];
        assert!(state.to_delete(&listing, at(Duration::from_hours(99_999))).is_empty());
    }
}
