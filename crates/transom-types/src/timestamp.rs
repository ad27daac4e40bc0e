//! Moments as they stand in parameters: `date-time` of RFC 3339.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// A moment in whole seconds, of the years 0000 to 9999.
///
/// Any offset and any fraction of a second is read; printed is UTC, and the fraction is gone.
///
/// ```
/// use transom_types::Timestamp;
///
/// let moment: Timestamp = "2014-04-03T23:01:00.5-01:00".parse()?;
/// assert_eq!(moment.to_string(), "2014-04-04T00:01:00Z");
/// assert_eq!(moment.unix(), 1_396_569_660);
/// # Ok::<(), transom_types::ParseTimestampError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

const MIN: i64 = -62_167_219_200;
const MAX: i64 = 253_402_300_799;
const DAY: i64 = 86_400;

impl Timestamp {
    /// From seconds since 1970-01-01T00:00:00Z; none outside the years 0000 to 9999.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        (MIN..=MAX).contains(&seconds).then_some(Self(seconds))
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn unix(self) -> i64 {
        self.0
    }

    /// The same moment for the clock of the system.
    pub fn to_system_time(self) -> SystemTime {
        let distance = Duration::from_secs(self.0.unsigned_abs());
        let moment = if self.0 < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(distance)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(distance)
        };
        moment.unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        date_time(text.as_bytes()).and_then(Self::from_unix).ok_or(ParseTimestampError)
    }
}

/// `date-time = full-date "T" full-time` (RFC 3339 §5.6).
fn date_time(text: &[u8]) -> Option<i64> {
    let (moment, rest) = text.split_at_checked(19)?;
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't', ref time @ ..] = moment else {
        return None;
    };
    let &[h1, h2, b':', n1, n2, b':', s1, s2] = time else { return None };
    let year = number(&[y1, y2, y3, y4])?;
    let (month, day) = (number(&[m1, m2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?);
    // [RFC 3339 §5.7] a leap second is second 60.
    if day < 1 || day > days_in(year, month)? || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let local = days_before(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    Some(local - offset(behind_fraction(rest)?)?)
}

/// Skips `time-secfrac = "." 1*DIGIT`.
fn behind_fraction(rest: &[u8]) -> Option<&[u8]> {
    let Some(fraction) = rest.strip_prefix(b".") else { return Some(rest) };
    let digits = fraction.iter().take_while(|octet| octet.is_ascii_digit()).count();
    if digits == 0 { None } else { fraction.get(digits..) }
}

/// `time-offset = "Z" / ("+" / "-") time-hour ":" time-minute`, in seconds.
fn offset(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            let seconds = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
            Some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

fn days_in(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

/// Days from 1970-01-01. Years are counted from March, so that the leap day is the last one, and
/// 400 of them repeat.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

/// The way back: year, month and day.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        let second = self.0.rem_euclid(DAY);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
    }
}

/// The text is no `date-time` of RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a moment is written as YYYY-MM-DDTHH:MM:SSZ")]
#[non_exhaustive]
pub struct ParseTimestampError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (text, unix) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-03-01t00:00:00z", 1_772_323_200),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
            ("2024-01-01T00:00:00+05:30", 1_704_047_400),
            ("0000-01-01T00:00:00Z", MIN),
            ("9999-12-31T23:59:59Z", MAX),
        ] {
            assert_eq!(text.parse::<Timestamp>().map(Timestamp::unix), Ok(unix), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "2026-03-01",
            "2026-03-01T00:00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00Zx",
            "+026-01-01T00:00:00Z",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(ParseTimestampError), "{text}");
        }
        assert_eq!(Timestamp::from_unix(MAX + 1), None);
    }

    #[test]
    fn system_time_is_the_same_moment() {
        for unix in [MIN, -1, 0, 1, MAX] {
            let moment = Timestamp::from_unix(unix).unwrap().to_system_time();
            let distance = Duration::from_secs(unix.unsigned_abs());
            let back = if unix < 0 { moment + distance } else { moment - distance };
            assert_eq!(back, SystemTime::UNIX_EPOCH);
        }
    }
}
