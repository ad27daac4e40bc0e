//! Values as they stand in a filter.

use std::fmt;
use std::time::Duration;

use transom_types::Timestamp;

use super::Kind;
use super::evaluate::fold;

/// What a property is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    /// Nothing.
    Null,
    /// In whole seconds.
    Duration(Duration),
    Instant(Timestamp),
    Number(i64),
    /// As it was written, and in small letters for comparisons.
    Text {
        given: String,
        folded: String,
    },
    Word(&'static str),
}

impl Literal {
    /// Reads a value of that kind.
    pub(super) fn parse(kind: Kind, text: &str) -> Option<Self> {
        match kind {
            Kind::Duration => duration(text).map(Self::Duration),
            Kind::Instant => instant(text).map(Self::Instant),
            Kind::Number => number(text).map(Self::Number),
            Kind::Text | Kind::Texts => {
                Some(Self::Text { given: text.to_owned(), folded: fold(text).into_owned() })
            }
            Kind::Word(words) => {
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(text))?;
                Some(Self::Word(word))
            }
        }
    }
}

/// How values of a kind are written.
pub(super) fn form(kind: Kind) -> &'static str {
    match kind {
        Kind::Duration => "a duration as 90m, 1d2h or 1.02:00:00",
        Kind::Instant => "an instant as 2026-11-24T12:00:00Z or 2026-11-24",
        Kind::Number => "a number as 10 or 4KB",
        Kind::Text | Kind::Texts => "a text of at most 256 octets",
        Kind::Word(_) => "a word",
    }
}

/// `[ "-" ] 1*DIGIT [ "B" / "KB" / "MB" / "GB" / "TB" ]`.
fn number(text: &str) -> Option<i64> {
    if let Some(text) = text.strip_prefix('-') {
        return number_of(text)?.checked_neg();
    }
    number_of(text)
}

fn number_of(text: &str) -> Option<i64> {
    let (digits, unit) = text.split_at_checked(digits(text))?;
    let shift = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "KB" => 10,
        "MB" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return None,
    };
    i64::try_from(decimal(digits)?.checked_mul(1u64.checked_shl(shift)?)?).ok()
}

/// `date-time` of RFC 3339, or a day, which begins at midnight UTC.
fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| format!("{text}T00:00:00Z").parse().ok())
}

/// `1*( 1*DIGIT ("d" / "h" / "m" / "s") )`, or `[ 1*DIGIT "." ] 2DIGIT ":" 2DIGIT ":" 2DIGIT`.
fn duration(text: &str) -> Option<Duration> {
    let seconds = if text.contains(':') { clock(text)? } else { units(text)? };
    Some(Duration::from_secs(seconds))
}

fn clock(text: &str) -> Option<u64> {
    let (days, time) = text.split_once('.').unwrap_or(("0", text));
    let mut parts = time.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let two = |part: &str, max: u64| decimal(part).filter(|n| part.len() == 2 && *n <= max);
    if parts.next().is_some() {
        return None;
    }
    let day = two(hours, 23)? * 3600 + two(minutes, 59)? * 60 + two(seconds, 59)?;
    decimal(days)?.checked_mul(86_400)?.checked_add(day)
}

fn units(mut text: &str) -> Option<u64> {
    let mut seconds = 0u64;
    loop {
        let (number, rest) = text.split_at_checked(digits(text))?;
        let unit = match rest.chars().next()?.to_ascii_lowercase() {
            'd' => 86_400,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(decimal(number)?.checked_mul(unit)?)?;
        text = rest.get(1..)?;
        if text.is_empty() {
            return Some(seconds);
        }
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn decimal(digits: &str) -> Option<u64> {
    digits.bytes().all(|octet| octet.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Prints a span of time in whole seconds, as Exchange does: `1.02:03:04`.
pub(super) struct Clock(pub(super) Duration);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
        if days > 0 {
            write!(f, "{days}.")?;
        }
        write!(f, "{hours:02}:{:02}:{:02}", seconds / 60 % 60, seconds % 60)
    }
}

/// Prints a span of time in whole seconds: `1d2h3m4s`.
pub(super) struct Units(pub(super) Duration);

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let parts = [
            (seconds / 86_400, 'd'),
            (seconds / 3600 % 24, 'h'),
            (seconds / 60 % 60, 'm'),
            (seconds % 60, 's'),
        ];
        if seconds == 0 {
            return f.write_str("0s");
        }
        for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, "{number}{unit}")?;
        }
        Ok(())
    }
}
