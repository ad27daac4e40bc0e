//! A record as it was published, read whole before anything of it counts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::SpfResult;
use super::macros::{MacroString, Place};

/// A record that is well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) directives: Vec<Directive>,
    pub(super) redirect: Option<MacroString>,
    pub(super) exp: Option<MacroString>,
}

/// A mechanism and what a match means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    /// As it stands in the record.
    pub(super) text: String,
    pub(super) qualifier: SpfResult,
    pub(super) mechanism: Mechanism,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Include(MacroString),
    A { domain: Option<MacroString>, lengths: Lengths },
    Mx { domain: Option<MacroString>, lengths: Lengths },
    Ptr(Option<MacroString>),
    Ip4 { network: Ipv4Addr, length: u8 },
    Ip6 { network: Ipv6Addr, length: u8 },
    Exists(MacroString),
}

/// How many leading bits of an address must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lengths {
    pub(super) v4: u8,
    pub(super) v6: u8,
}

impl Lengths {
    /// Whether two addresses of one family agree; those of different families never do.
    pub(super) fn matches(self, one: IpAddr, other: IpAddr) -> bool {
        match (one, other) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                let differing = u32::from(one) ^ u32::from(other);
                differing.leading_zeros() >= u32::from(self.v4)
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => {
                let differing = u128::from(one) ^ u128::from(other);
                differing.leading_zeros() >= u32::from(self.v6)
            }
            _ => false,
        }
    }
}

/// Whether a text is a record at all: [RFC 7208 §4.5] the version, then a space or nothing.
pub(super) fn is_record(text: &[u8]) -> bool {
    const VERSION: &[u8] = b"v=spf1";
    text.split_at_checked(VERSION.len()).is_some_and(|(version, rest)| {
        version.eq_ignore_ascii_case(VERSION) && matches!(rest.first(), None | Some(b' '))
    })
}

impl Record {
    /// Reads a record for which [`is_record`] holds.
    ///
    /// # Errors
    ///
    /// The first term that is not well formed.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        // [RFC 7208 §3.1] records are ASCII; [RFC 7208 §4.6.1] terms are parted by spaces alone.
        let is_text = |octet: &u8| *octet == b' ' || octet.is_ascii_graphic();
        if let Some(octet) = text.iter().find(|octet| !is_text(octet)) {
            return Err(format!("octet {octet:#04x}"));
        }
        let text = String::from_utf8_lossy(text);
        let mut record = Self { directives: Vec::new(), redirect: None, exp: None };
        for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
            record.add(term).ok_or_else(|| term.to_owned())?;
        }
        Ok(record)
    }

    /// One term: a directive or a modifier.
    fn add(&mut self, term: &str) -> Option<()> {
        let name_end = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
        let (name, rest) = term.split_at(term.find(name_end).unwrap_or(term.len()));
        let Some(value) = rest.strip_prefix('=') else {
            self.directives.push(Directive::parse(term)?);
            return Some(());
        };
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let place = match name.to_ascii_lowercase().as_str() {
            "redirect" => &mut self.redirect,
            "exp" => &mut self.exp,
            // [RFC 7208 §6] unknown modifiers are skipped, if they are well formed.
            _ => return MacroString::parse(value, Place::Record).map(|_| ()),
        };
        // [RFC 7208 §6] at most once each.
        let first = place.replace(MacroString::parse_domain(value)?).is_none();
        first.then_some(())
    }
}

impl Directive {
    fn parse(text: &str) -> Option<Self> {
        let (qualifier, term) = match text.split_at_checked(1)? {
            ("+", term) => (SpfResult::Pass, term),
            ("-", term) => (SpfResult::Fail, term),
            ("~", term) => (SpfResult::SoftFail, term),
            ("?", term) => (SpfResult::Neutral, term),
            _ => (SpfResult::Pass, text),
        };
        let (name, rest) = term.split_at(term.find([':', '/']).unwrap_or(term.len()));
        let mechanism = Mechanism::parse(&name.to_ascii_lowercase(), rest)?;
        Some(Self { text: text.to_owned(), qualifier, mechanism })
    }
}

impl Mechanism {
    /// A mechanism by its name in lower case and all that follows.
    fn parse(name: &str, rest: &str) -> Option<Self> {
        let domain = |rest: &str| MacroString::parse_domain(rest.strip_prefix(':')?);
        match name {
            "all" => rest.is_empty().then_some(Self::All),
            "include" => domain(rest).map(Self::Include),
            "exists" => domain(rest).map(Self::Exists),
            "ptr" if rest.is_empty() => Some(Self::Ptr(None)),
            "ptr" => domain(rest).map(|domain| Self::Ptr(Some(domain))),
            "a" | "mx" => {
                let (rest, lengths) = split_lengths(rest)?;
                let domain = if rest.is_empty() { None } else { Some(domain(rest)?) };
                Some(match name {
                    "a" => Self::A { domain, lengths },
                    _ => Self::Mx { domain, lengths },
                })
            }
            "ip4" => {
                let (network, length) = split_network(rest, 32)?;
                Some(Self::Ip4 { network, length })
            }
            "ip6" => {
                let (network, length) = split_network(rest, 128)?;
                Some(Self::Ip6 { network, length })
            }
            _ => None,
        }
    }
}

/// Takes `/24`, `//64` or `/24//64` off the end.
fn split_lengths(text: &str) -> Option<(&str, Lengths)> {
    let mut lengths = Lengths { v4: 32, v6: 128 };
    let mut rest = text;
    if let Some((before, digits)) = split_digits(rest)
        && let Some(before) = before.strip_suffix('/')
    {
        (lengths.v6, rest) = (length(digits, 128)?, before);
    }
    if let Some((before, digits)) = split_digits(rest) {
        (lengths.v4, rest) = (length(digits, 32)?, before);
    }
    Some((rest, lengths))
}

/// `before/123`.
fn split_digits(text: &str) -> Option<(&str, &str)> {
    let (before, digits) = text.rsplit_once('/')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    is_number.then_some((before, digits))
}

/// A length without leading zeros.
fn length(digits: &str, max: u8) -> Option<u8> {
    let length = digits.parse().ok().filter(|length| *length <= max)?;
    (digits == "0" || !digits.starts_with('0')).then_some(length)
}

/// `:address` or `:address/length`.
fn split_network<A: FromStr>(rest: &str, max: u8) -> Option<(A, u8)> {
    let text = rest.strip_prefix(':')?;
    let (address, bits) = match text.split_once('/') {
        Some((address, digits)) if digits.bytes().all(|octet| octet.is_ascii_digit()) => {
            (address, length(digits, max)?)
        }
        Some(_) => return None,
        None => (text, max),
    };
    Some((address.parse().ok()?, bits))
}
