//! Parameters that say who submitted a message, and when and how soon it is delivered: AUTH, BY,
//! HOLDFOR and HOLDUNTIL, MT-PRIORITY, RRVS.

use std::fmt;
use std::str::FromStr;

use crate::{Mailbox, Timestamp, Xtext};

/// `AUTH=`: who first submitted the message (RFC 4954 §5). Only a trusted peer is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4954 §5 has these two forms")]
pub enum Submitter {
    /// `<>`: not known, or not told to us.
    Unknown,
    /// An authenticated mailbox.
    Mailbox(Mailbox),
}

impl Submitter {
    /// Longest parameter value, in octets (RFC 4954 §3).
    pub const OCTETS_MAX: usize = 500;

    /// Whether `encoded` parses, without making a value of it.
    ///
    /// # Errors
    ///
    /// Where it does not parse.
    pub fn check(encoded: &str) -> Result<(), ParseSubmitterError> {
        if encoded.len() > Self::OCTETS_MAX {
            return Err(ParseSubmitterError);
        }
        // Text that holds neither of the two is its own xtext, as far as a mailbox goes.
        if encoded.bytes().any(|octet| octet == b'+' || octet == b'=') {
            return encoded.parse::<Self>().map(|_| ());
        }
        match Mailbox::check_prefix(encoded) {
            _ if encoded == "<>" => Ok(()),
            Ok(length) if length == encoded.len() && Xtext::check(encoded).is_ok() => Ok(()),
            _ => Err(ParseSubmitterError),
        }
    }
}

impl FromStr for Submitter {
    type Err = ParseSubmitterError;
    fn from_str(encoded: &str) -> Result<Self, Self::Err> {
        if encoded.len() > Self::OCTETS_MAX {
            return Err(ParseSubmitterError);
        }
        let decoded: Xtext = encoded.parse().map_err(|_| ParseSubmitterError)?;
        match decoded.text() {
            // [RFC 4954 §8-b] nobody, or a mailbox.
            "<>" => Ok(Self::Unknown),
            mailbox => mailbox.parse().map(Self::Mailbox).map_err(|_| ParseSubmitterError),
        }
    }
}

impl fmt::Display for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("<>"),
            Self::Mailbox(mailbox) => Xtext::write_encoded(mailbox.as_str(), f),
        }
    }
}

/// The text is no value of AUTH.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("AUTH is a mailbox in xtext, or <>")]
#[non_exhaustive]
pub struct ParseSubmitterError;

/// `BY=`: how soon the message must be delivered, and what happens when it is not (RFC 2852 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliverBy {
    seconds: i32,
    mode: DeliverByMode,
    trace: bool,
}

/// What happens to a message that was not delivered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 2852 §4 has these two")]
pub enum DeliverByMode {
    /// `N`: the sender is told of the delay, and the message goes on.
    Notify,
    /// `R`: the message is returned.
    Return,
}

impl DeliverBy {
    /// Largest distance in seconds, to either side: nine digits.
    pub const SECONDS_MAX: i32 = 999_999_999;

    /// None where the time has more than nine digits, or where it is over already and the message
    /// would be returned at once. `trace` asks every host on the way to report.
    pub fn new(seconds: i32, mode: DeliverByMode, trace: bool) -> Option<Self> {
        let in_range = (-Self::SECONDS_MAX..=Self::SECONDS_MAX).contains(&seconds);
        // [RFC 2852 §4] zero and less do not go with R.
        let returned_at_once = mode == DeliverByMode::Return && seconds <= 0;
        (in_range && !returned_at_once).then_some(Self { seconds, mode, trace })
    }

    /// Seconds that are left; below zero the time is over.
    pub fn seconds(self) -> i32 {
        self.seconds
    }

    /// What happens then.
    pub fn mode(self) -> DeliverByMode {
        self.mode
    }

    /// Whether every host on the way reports that it relayed the message.
    pub fn trace(self) -> bool {
        self.trace
    }
}

impl FromStr for DeliverBy {
    type Err = ParseDeliverByError;
    /// `by-value = by-time ";" by-mode [by-trace]`.
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        let (time, mode) = value.split_once(';').ok_or(ParseDeliverByError)?;
        let digits = time.strip_prefix(['+', '-']).unwrap_or(time);
        let number = digits_up_to_nine(digits).ok_or(ParseDeliverByError)?;
        let seconds = if time.starts_with('-') { -number } else { number };
        let (mode, trace) = match mode.as_bytes() {
            [b'N' | b'n', trace @ ..] => (DeliverByMode::Notify, trace),
            [b'R' | b'r', trace @ ..] => (DeliverByMode::Return, trace),
            _ => return Err(ParseDeliverByError),
        };
        let trace = match trace {
            [] => false,
            [b'T' | b't'] => true,
            _ => return Err(ParseDeliverByError),
        };
        Self::new(seconds, mode, trace).ok_or(ParseDeliverByError)
    }
}

/// `1*9DIGIT`.
fn digits_up_to_nine(digits: &str) -> Option<i32> {
    let well_formed = digits.len() <= 9 && digits.bytes().all(|octet| octet.is_ascii_digit());
    if well_formed { digits.parse().ok() } else { None }
}

impl fmt::Display for DeliverBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            DeliverByMode::Notify => "N",
            DeliverByMode::Return => "R",
        };
        write!(f, "{};{mode}{}", self.seconds, if self.trace { "T" } else { "" })
    }
}

/// The text is no value of BY.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("BY is a number of seconds, a semicolon, N or R, and T or nothing")]
#[non_exhaustive]
pub struct ParseDeliverByError;

/// `HOLDFOR=` or `HOLDUNTIL=`: before when the message must not go on (RFC 4865).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4865 §3 has these two")]
pub enum FutureRelease {
    /// So long from now.
    For(HoldInterval),
    /// Until then.
    Until(Timestamp),
}

/// `HOLDFOR=`: 1 to 999,999,999 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HoldInterval(i32);

impl HoldInterval {
    /// None outside 1 to 999,999,999.
    pub fn new(seconds: u32) -> Option<Self> {
        let seconds = i32::try_from(seconds).ok()?;
        (1..=999_999_999).contains(&seconds).then_some(Self(seconds))
    }

    /// In seconds.
    pub fn seconds(self) -> u32 {
        self.0.unsigned_abs()
    }
}

impl FromStr for HoldInterval {
    type Err = ParseHoldIntervalError;
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        // [RFC 4865 §3] nine digits at most, the first of them not 0.
        match digits_up_to_nine(value) {
            Some(seconds) if !value.starts_with('0') => Ok(Self(seconds)),
            _ => Err(ParseHoldIntervalError),
        }
    }
}

impl fmt::Display for HoldInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is no value of HOLDFOR.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("HOLDFOR is a number of one to nine digits and does not start with 0")]
#[non_exhaustive]
pub struct ParseHoldIntervalError;

/// `MT-PRIORITY=`: -9 to 9, of which 9 goes first (RFC 6710).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MtPriority(i8);

impl MtPriority {
    /// None outside -9 to 9.
    pub fn new(priority: i8) -> Option<Self> {
        (-9..=9).contains(&priority).then_some(Self(priority))
    }

    /// The number.
    pub fn value(self) -> i8 {
        self.0
    }
}

impl FromStr for MtPriority {
    type Err = ParseMtPriorityError;
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        match *value.as_bytes() {
            [digit @ b'0'..=b'9'] => Ok(Self(i8::try_from(digit - b'0').unwrap_or(0))),
            [b'-', digit @ b'1'..=b'9'] => Ok(Self(-i8::try_from(digit - b'0').unwrap_or(0))),
            _ => Err(ParseMtPriorityError),
        }
    }
}

impl fmt::Display for MtPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is no value of MT-PRIORITY.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("MT-PRIORITY is a number from -9 to 9")]
#[non_exhaustive]
pub struct ParseMtPriorityError;

/// `RRVS=`: since when the mailbox must have had the same owner (RFC 7293).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "RFC 7293 §3.1 has these two")]
pub struct RequireRecipientValidSince {
    /// The moment.
    pub since: Timestamp,
    /// What a host does that cannot pass this on.
    pub otherwise: RrvsAction,
}

/// What a host does with a message whose RRVS it cannot pass on (RFC 7293 §3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 7293 §3.1 has these two")]
pub enum RrvsAction {
    /// `R`, which absence means too: the message is refused.
    #[default]
    Reject,
    /// `C`: the message goes on without it.
    Continue,
}

impl FromStr for RequireRecipientValidSince {
    type Err = ParseRrvsError;
    /// `date-time [ ";" ( "C" / "R" ) ]`.
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        let (since, action) = value.split_once(';').unwrap_or((value, "R"));
        let otherwise = match action {
            "R" | "r" => RrvsAction::Reject,
            "C" | "c" => RrvsAction::Continue,
            _ => return Err(ParseRrvsError),
        };
        Ok(Self { since: since.parse().map_err(|_| ParseRrvsError)?, otherwise })
    }
}

impl fmt::Display for RequireRecipientValidSince {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.otherwise {
            RrvsAction::Reject => "",
            RrvsAction::Continue => ";C",
        };
        write!(f, "{}{action}", self.since)
    }
}

/// The text is no value of RRVS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("RRVS is a moment, and ;C or ;R or nothing")]
#[non_exhaustive]
pub struct ParseRrvsError;
