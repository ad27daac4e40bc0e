//! Sizes and times as a person writes them.

use std::time::Duration;

const SIZES: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

const TIMES: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// `36 MiB`.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    parse(text, &SIZES)
}

/// `5 min`.
pub(super) fn parse_time(text: &str) -> Option<Duration> {
    parse(text, &TIMES).map(Duration::from_nanos)
}

/// In the largest unit that it is a whole number of; none where octets are.
pub(super) fn write_size(octets: u64) -> Option<String> {
    write(octets, &SIZES)
}

/// In the largest unit that it is a whole number of.
pub(super) fn write_time(time: Duration) -> String {
    // Centuries are no time that anything waits.
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    write(nanos, &TIMES).unwrap_or_else(|| "0 s".to_owned())
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = text.split_once(' ')?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn write(number: u64, units: &[(&str, u64)]) -> Option<String> {
    let fits = |(_, factor): &&(&str, u64)| number > 0 && number.is_multiple_of(*factor);
    let (unit, factor) = units.iter().find(fits)?;
    Some(format!("{} {unit}", number.checked_div(*factor)?))
}
