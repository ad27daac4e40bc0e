//! SRS: a sender that comes through SPF at the next hop, and leads back to the first.
//!
//! Who forwards mail under the sender's own address fails SPF. Instead it sends as
//! `SRS0=hash=day=domain=local@forwarder`; a report to that address comes back to the forwarder,
//! which finds the sender in it. Whoever forwards an address that is one already makes it
//! `SRS1=hash=first==rest@forwarder`, so that it does not grow with every hop.
//!
//! The hash keeps strangers from making us send mail wherever they want; the day bounds for how
//! long an address leads anywhere.

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use transom_types::{Domain, LocalPart, Mailbox, ReversePath, Secret};

/// Letters of the hash and of the day: no case, since hosts on the way change it.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Letters of a hash: 40 bits, which nobody guesses through a mail server in three weeks.
const HASH_LETTERS: usize = 8;
/// Days are counted anew after so many, as two letters hold.
const DAYS: u64 = 1024;
const DAY: Duration = Duration::from_hours(24);

/// Rewrites senders and finds them again.
///
/// ```
/// use std::time::SystemTime;
/// use transom_mailauth::srs::Srs;
/// use transom_types::{ReversePath, Secret};
///
/// let srs = Srs::new("contoso.com".parse()?, Secret::new(*b"sixteen octets.."))?;
/// let sender = ReversePath::from("ann@fabrikam.com".parse::<transom_types::Mailbox>()?);
/// let now = SystemTime::UNIX_EPOCH;
/// let rewritten = srs.forward(&sender, now)?;
/// assert!(rewritten.to_string().ends_with("=aa=fabrikam.com=ann@contoso.com>"));
/// let address = rewritten.mailbox().unwrap();
/// assert_eq!(srs.reverse(address, now)?.to_string(), "ann@fabrikam.com");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Srs {
    domain: Domain,
    keys: Vec<Secret>,
    valid: Duration,
}

impl Srs {
    /// Shortest key, in octets.
    pub const KEY_OCTETS_MIN: usize = 16;
    /// For how long an address leads back: longer than any queue tries.
    pub const VALID: Duration = Duration::from_hours(21 * 24);

    /// Rewrites to addresses at `domain`, which must come back to this server.
    ///
    /// # Errors
    ///
    /// [`SrsError::ShortKey`].
    pub fn new(domain: Domain, key: Secret) -> Result<Self, SrsError> {
        Self { domain, keys: Vec::new(), valid: Self::VALID }.with_old_key(key)
    }

    /// The same, which takes addresses made with an older key too.
    ///
    /// # Errors
    ///
    /// [`SrsError::ShortKey`].
    pub fn with_old_key(mut self, key: Secret) -> Result<Self, SrsError> {
        if key.expose().len() < Self::KEY_OCTETS_MIN {
            return Err(SrsError::ShortKey { octets: key.expose().len() });
        }
        self.keys.push(key);
        Ok(self)
    }

    /// The same with another time for which an address leads back, at most 1,023 days.
    #[must_use]
    pub fn with_validity(self, valid: Duration) -> Self {
        Self { valid, ..self }
    }

    /// Whether an address is one of ours, by its form alone.
    pub fn is_ours(&self, address: &Mailbox) -> bool {
        address.domain().is_some_and(|domain| domain == self.domain)
            && tag(&address.local_part().unquoted()).is_some()
    }

    /// The sender under which a message is handed on. The null sender stays, and so does who is at
    /// our domain already.
    ///
    /// # Errors
    ///
    /// [`SrsError::TooLong`] where the address would be longer than a local-part may be;
    /// [`SrsError::NoDomain`] where the sender is at an address literal.
    pub fn forward(&self, sender: &ReversePath, now: SystemTime) -> Result<ReversePath, SrsError> {
        let Some(mailbox) = sender.mailbox() else { return Ok(sender.clone()) };
        let host = mailbox.domain().ok_or(SrsError::NoDomain)?;
        if host == self.domain {
            return Ok(sender.clone());
        }
        let local = mailbox.local_part().unquoted();
        let (prefix, rest) = match tag(&local) {
            // The first forwarder knows the way back: its name is kept, and what it made.
            Some((Tag::First, rest)) => ("SRS1", format!("{host}=={rest}")),
            Some((Tag::Further, rest)) => {
                let (_, rest) = rest.split_once('=').ok_or(SrsError::Malformed)?;
                ("SRS1", rest.to_owned())
            }
            None => ("SRS0", format!("{}={host}={local}", letters(day(now), 2))),
        };
        let key = self.keys.first().ok_or(SrsError::Forged)?;
        let hash = hash(key, &rest);
        let local = format!("{prefix}={hash}={rest}");
        let octets = local.len();
        let address = |local: &str| format!("{local}@{}", self.domain).parse::<Mailbox>();
        let rewritten = address(&local).or_else(|_| address(&quoted(&local)));
        match rewritten {
            Ok(mailbox) => Ok(ReversePath::from(mailbox)),
            Err(_) => Err(SrsError::TooLong { octets, limit: LocalPart::OCTETS_MAX }),
        }
    }

    /// Where mail to such an address goes: to the sender, or to the first forwarder, which knows
    /// it.
    ///
    /// # Errors
    ///
    /// [`SrsError`] where the address is none of ours, or leads nowhere any more.
    pub fn reverse(&self, address: &Mailbox, now: SystemTime) -> Result<Mailbox, SrsError> {
        if address.domain().is_none_or(|domain| domain != self.domain) {
            return Err(SrsError::NotOurs);
        }
        let local = address.local_part().unquoted();
        let (tag, rest) = tag(&local).ok_or(SrsError::NotOurs)?;
        let (given, rest) = rest.split_once('=').ok_or(SrsError::Malformed)?;
        if !self.keys.iter().any(|key| is_hash(key, rest, given)) {
            return Err(SrsError::Forged);
        }
        let found = match tag {
            Tag::First => {
                let (stamp, rest) = rest.split_once('=').ok_or(SrsError::Malformed)?;
                self.check_day(stamp, now)?;
                let (host, local) = rest.split_once('=').ok_or(SrsError::Malformed)?;
                mailbox(local, host)
            }
            Tag::Further => {
                let (host, rest) = rest.split_once("==").ok_or(SrsError::Malformed)?;
                mailbox(&format!("SRS0={rest}"), host)
            }
        };
        found.ok_or(SrsError::Malformed)
    }

    /// Whether an address made on that day still leads back.
    fn check_day(&self, stamp: &str, now: SystemTime) -> Result<(), SrsError> {
        let made = number(stamp).filter(|_| stamp.len() == 2).ok_or(SrsError::Malformed)?;
        let age = day(now).saturating_add(DAYS).saturating_sub(made) % DAYS;
        let days = self.valid.as_secs().checked_div(DAY.as_secs()).unwrap_or_default();
        // An address from tomorrow is one of a server whose clock is ahead.
        if age <= days.min(DAYS - 2) || age == DAYS - 1 { Ok(()) } else { Err(SrsError::Expired) }
    }
}

/// Why an address is not rewritten, or leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SrsError {
    /// The time is over.
    #[error("the address was made too long ago")]
    Expired,
    /// Somebody else made it.
    #[error("the address was not made here")]
    Forged,
    /// It does not follow the form.
    #[error("the address is not well formed")]
    Malformed,
    /// The sender is at an address literal.
    #[error("the sender is at no domain")]
    NoDomain,
    /// It has not our domain, or not the form.
    #[error("the address is no rewritten one of this server")]
    NotOurs,
    /// The key is too short.
    #[error("a key of {octets} octets is too short")]
    ShortKey {
        /// How long it is.
        octets: usize,
    },
    /// The rewritten local-part would be too long.
    #[error("the rewritten local-part has {octets} octets, more than {limit}")]
    TooLong {
        /// How long it is.
        octets: usize,
        /// How long it may be.
        limit: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    /// `SRS0`
    First,
    /// `SRS1`
    Further,
}

/// What stands behind the tag of a rewritten local-part. Hosts write `=`, `+` or `-` behind it.
fn tag(local: &str) -> Option<(Tag, &str)> {
    let (tag, rest) = local.split_at_checked(4)?;
    let rest = rest.strip_prefix(['=', '+', '-'])?;
    match tag.to_ascii_uppercase().as_str() {
        "SRS0" => Some((Tag::First, rest)),
        "SRS1" => Some((Tag::Further, rest)),
        _ => None,
    }
}

fn mailbox(local: &str, host: &str) -> Option<Mailbox> {
    let host: Domain = host.parse().ok()?;
    let plain = format!("{local}@{host}").parse().ok();
    plain.or_else(|| format!("{}@{host}", quoted(local)).parse().ok())
}

/// A local-part in quotes.
fn quoted(local: &str) -> String {
    let mut text = String::from("\"");
    for c in local.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text + "\""
}

fn day(now: SystemTime) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().checked_div(DAY.as_secs()).unwrap_or_default() % DAYS
}

/// The hash of what stands behind it. Case does not count: hosts on the way change it.
fn hash(key: &Secret, rest: &str) -> String {
    let digest = mac(key, rest).map(|mac| mac.finalize().into_bytes());
    let bits =
        digest.iter().flatten().take(5).fold(0u64, |bits, octet| bits << 8 | u64::from(*octet));
    letters(bits, HASH_LETTERS)
}

/// Whether it is the hash, in a time that does not depend on what is wrong.
fn is_hash(key: &Secret, rest: &str, given: &str) -> bool {
    let Some(bits) = number(given).filter(|_| given.len() == HASH_LETTERS) else { return false };
    let octets = bits.to_be_bytes();
    let given = octets.get(3..).unwrap_or_default();
    mac(key, rest).is_some_and(|mac| mac.verify_truncated_left(given).is_ok())
}

fn mac(key: &Secret, rest: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).ok()?;
    mac.update(rest.to_ascii_lowercase().as_bytes());
    Some(mac)
}

/// The lowest bits as letters of five each.
fn letters(bits: u64, count: usize) -> String {
    let letter = |at: usize| {
        let shift = u32::try_from(at.saturating_mul(5)).unwrap_or_default();
        let index = usize::try_from(bits.checked_shr(shift).unwrap_or_default() & 31);
        char::from(index.ok().and_then(|at| ALPHABET.get(at)).copied().unwrap_or(b'a'))
    };
    (0..count).rev().map(letter).collect()
}

/// What letters say.
fn number(letters: &str) -> Option<u64> {
    letters.bytes().try_fold(0u64, |bits, letter| {
        let letter = letter.to_ascii_lowercase();
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        Some(bits.checked_shl(5)? | u64::try_from(value).ok()?)
    })
}
