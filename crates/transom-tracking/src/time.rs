//! Wall time as digits: UTC, milliseconds. The only place that knows jiff.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// `at` as date and time in UTC. What no calendar holds becomes 1970.
pub(crate) fn utc(at: SystemTime) -> DateTime {
    TimeZone::UTC.to_datetime(Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// The instant that `yyyy-MM-ddThh:mm:ss.fffZ` names.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    text.parse::<Timestamp>().ok().map(SystemTime::from)
}

/// The instant at which the hour `yyyymmddhh` began.
pub(crate) fn parse_hour(digits: &str) -> Option<SystemTime> {
    let date = digits.get(..8)?.as_bytes();
    if digits.len() != 10 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (year, month) = (str::from_utf8(date.get(..4)?).ok()?, digits.get(4..6)?);
    let (day, hour) = (digits.get(6..8)?, digits.get(8..10)?);
    parse(&format!("{year}-{month}-{day}T{hour}:00:00Z"))
}

/// Appends `number` in decimal with at least `width` digits.
pub(crate) fn put_digits(number: i64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    let mut rest = number.unsigned_abs();
    while rest > 0 || out.len() < start.saturating_add(width) {
        out.push(b'0'.wrapping_add(u8::try_from(rest % 10).unwrap_or(0)));
        rest /= 10;
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

/// Appends `hh:mm:ss.fff`.
pub(crate) fn put_time(at: DateTime, out: &mut Vec<u8>) {
    put_digits(at.hour().into(), 2, out);
    out.push(b':');
    put_digits(at.minute().into(), 2, out);
    out.push(b':');
    put_digits(at.second().into(), 2, out);
    out.push(b'.');
    put_digits(at.millisecond().into(), 3, out);
}

/// Appends `yyyy-MM-ddThh:mm:ss.fffZ`.
pub(crate) fn put_timestamp(at: SystemTime, out: &mut Vec<u8>) {
    let at = utc(at);
    put_digits(at.year().into(), 4, out);
    out.push(b'-');
    put_digits(at.month().into(), 2, out);
    out.push(b'-');
    put_digits(at.day().into(), 2, out);
    out.push(b'T');
    put_time(at, out);
    out.push(b'Z');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timestamp_is_utc_with_milliseconds() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000_007, "2023-11-14T22:13:20.007Z"),
        ];
        for (milliseconds, expected) in table {
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds);
            let mut text = Vec::new();
            put_timestamp(at, &mut text);
            assert_eq!(str::from_utf8(&text).unwrap(), expected);
            assert_eq!(parse(expected), Some(at));
        }
    }

    #[test]
    fn hour_reads_back() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_hours(472_222);
        assert_eq!(parse_hour("2023111422"), Some(at));
        for wrong in ["", "202311142", "2023131422", "20231114 2", "20231114222"] {
            assert_eq!(parse_hour(wrong), None, "{wrong}");
        }
    }
}
