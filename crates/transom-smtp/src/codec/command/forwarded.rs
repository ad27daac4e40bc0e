//! XCLIENT and XFORWARD: what a trusted proxy or filter tells of the client before it. Neither has
//! an RFC; both are as Postfix documents them.

use std::fmt;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use transom_types::Xtext;

const UNAVAILABLE: &str = "[UNAVAILABLE]";
const TEMP_UNAVAILABLE: &str = "[TEMPUNAVAIL]";

/// A value that the sender knows, or says that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the two commands have these three and no other")]
pub enum Told<T> {
    /// The value.
    Known(T),
    /// `[UNAVAILABLE]`: there is none.
    Unavailable,
    /// `[TEMPUNAVAIL]`: a lookup failed, and may succeed later.
    TempUnavailable,
}

/// `SMTP` or `ESMTP`: by which of EHLO and HELO the client greeted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "XCLIENT has these two")]
pub enum MailProtocol {
    /// HELO.
    Smtp,
    /// EHLO.
    Esmtp,
}

/// What stands behind XCLIENT. An attribute that was not given stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct XclientAttributes {
    /// `ADDR`.
    pub address: Option<Told<IpAddr>>,
    /// `DESTADDR`: the server's address that the client connected to.
    pub destination_address: Option<Told<IpAddr>>,
    /// `DESTPORT`.
    pub destination_port: Option<Told<u16>>,
    /// `HELO`: how the client called itself.
    pub helo: Option<Told<Xtext>>,
    /// `LOGIN`: as whom it authenticated.
    pub login: Option<Told<Xtext>>,
    /// `NAME`: the name of its address in the DNS.
    pub name: Option<Told<Xtext>>,
    /// `PORT`.
    pub port: Option<Told<u16>>,
    /// `PROTO`.
    pub protocol: Option<Told<MailProtocol>>,
}

/// What stands behind XFORWARD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct XforwardAttributes {
    /// `ADDR`.
    pub address: Option<Told<IpAddr>>,
    /// `HELO`.
    pub helo: Option<Told<Xtext>>,
    /// `IDENT`: what the host before us calls the message.
    pub ident: Option<Told<Xtext>>,
    /// `NAME`.
    pub name: Option<Told<Xtext>>,
    /// `PORT`.
    pub port: Option<Told<u16>>,
    /// `PROTO`: any name of a protocol.
    pub protocol: Option<Told<Xtext>>,
    /// `SOURCE`.
    pub source: Option<Told<XforwardSource>>,
}

/// Where a message comes from, as XFORWARD has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "XFORWARD has these two")]
pub enum XforwardSource {
    /// From this host.
    Local,
    /// From another.
    Remote,
}

impl XclientAttributes {
    /// `xclient-command = "XCLIENT" 1*( SP attribute-name "=" attribute-value )`. None where that
    /// does not stand there, or an attribute stands twice.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut read = Self::default();
        for_each(text, |name, value| match name {
            "ADDR" => address(&mut read.address, value),
            "DESTADDR" => address(&mut read.destination_address, value),
            "DESTPORT" => port(&mut read.destination_port, value),
            "HELO" => xtext(&mut read.helo, value),
            "LOGIN" => xtext(&mut read.login, value),
            "NAME" => xtext(&mut read.name, value),
            "PORT" => port(&mut read.port, value),
            "PROTO" => once(&mut read.protocol, value, |value| match value {
                value if value.eq_ignore_ascii_case("SMTP") => Some(MailProtocol::Smtp),
                value if value.eq_ignore_ascii_case("ESMTP") => Some(MailProtocol::Esmtp),
                _ => None,
            }),
            _ => None,
        })?;
        Some(read)
    }

    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        put_text(out, "NAME", self.name.as_ref());
        put(out, "ADDR", self.address.map(Address::told).as_ref());
        put(out, "PORT", self.port.as_ref());
        let protocol = self.protocol.map(|told| {
            told.map(|protocol| match protocol {
                MailProtocol::Smtp => "SMTP",
                MailProtocol::Esmtp => "ESMTP",
            })
        });
        put(out, "PROTO", protocol.as_ref());
        put_text(out, "HELO", self.helo.as_ref());
        put_text(out, "LOGIN", self.login.as_ref());
        put(out, "DESTADDR", self.destination_address.map(Address::told).as_ref());
        put(out, "DESTPORT", self.destination_port.as_ref());
    }
}

impl XforwardAttributes {
    /// The same grammar with other names.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut read = Self::default();
        for_each(text, |name, value| match name {
            "ADDR" => address(&mut read.address, value),
            "HELO" => xtext(&mut read.helo, value),
            "IDENT" => xtext(&mut read.ident, value),
            "NAME" => xtext(&mut read.name, value),
            "PORT" => port(&mut read.port, value),
            "PROTO" => xtext(&mut read.protocol, value),
            "SOURCE" => once(&mut read.source, value, |value| match value {
                value if value.eq_ignore_ascii_case("LOCAL") => Some(XforwardSource::Local),
                value if value.eq_ignore_ascii_case("REMOTE") => Some(XforwardSource::Remote),
                _ => None,
            }),
            _ => None,
        })?;
        Some(read)
    }

    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        put_text(out, "NAME", self.name.as_ref());
        put(out, "ADDR", self.address.map(Address::told).as_ref());
        put(out, "PORT", self.port.as_ref());
        put_text(out, "PROTO", self.protocol.as_ref());
        put_text(out, "HELO", self.helo.as_ref());
        put_text(out, "IDENT", self.ident.as_ref());
        let source = self.source.map(|told| {
            told.map(|source| match source {
                XforwardSource::Local => "LOCAL",
                XforwardSource::Remote => "REMOTE",
            })
        });
        put(out, "SOURCE", source.as_ref());
    }
}

impl<T> Told<T> {
    /// Changes the value, if there is one.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Told<U> {
        match self {
            Self::Known(value) => Told::Known(change(value)),
            Self::Unavailable => Told::Unavailable,
            Self::TempUnavailable => Told::TempUnavailable,
        }
    }

    /// The value, if there is one.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unavailable | Self::TempUnavailable => None,
        }
    }
}

impl<T: fmt::Display> fmt::Display for Told<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(value) => value.fmt(f),
            Self::Unavailable => f.write_str(UNAVAILABLE),
            Self::TempUnavailable => f.write_str(TEMP_UNAVAILABLE),
        }
    }
}

/// An address as the two commands write it.
struct Address(IpAddr);

impl Address {
    fn told(told: Told<IpAddr>) -> Told<Self> {
        told.map(Self)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => ip.fmt(f),
            IpAddr::V6(ip) => write!(f, "IPV6:{ip}"),
        }
    }
}

/// At least one attribute; names in upper case.
fn for_each(text: &str, mut take: impl FnMut(&str, &str) -> Option<()>) -> Option<()> {
    // Not by any white space: that would let CR and LF in.
    let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty()).peekable();
    words.peek()?;
    words.try_for_each(|word| {
        let (name, value) = word.split_once('=')?;
        take(&name.to_ascii_uppercase(), value)
    })
}

/// An attribute that stood already makes none.
fn once<T>(
    field: &mut Option<Told<T>>,
    value: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Option<()> {
    let told = match value {
        value if value.eq_ignore_ascii_case(UNAVAILABLE) => Told::Unavailable,
        value if value.eq_ignore_ascii_case(TEMP_UNAVAILABLE) => Told::TempUnavailable,
        value => Told::Known(parse(value)?),
    };
    field.replace(told).is_none().then_some(())
}

fn port(field: &mut Option<Told<u16>>, value: &str) -> Option<()> {
    once(field, value, |value| {
        let digits = value.bytes().all(|octet| octet.is_ascii_digit());
        u16::from_str(value).ok().filter(|_| digits)
    })
}

fn address(field: &mut Option<Told<IpAddr>>, value: &str) -> Option<()> {
    once(field, value, |value| match value.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPV6:") => {
            value.get(5..)?.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ => value.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    })
}

fn xtext(field: &mut Option<Told<Xtext>>, value: &str) -> Option<()> {
    once(field, value, |value| value.parse().ok())
}

fn put<T: fmt::Display>(out: &mut Vec<u8>, name: &str, told: Option<&Told<T>>) {
    if let Some(told) = told {
        // Writing to a Vec cannot fail.
        let _ = write!(out, " {name}={told}");
    }
}

/// A text that looks like one of the two words has its bracket encoded.
fn put_text(out: &mut Vec<u8>, name: &str, told: Option<&Told<Xtext>>) {
    let looks_like = |text: &str| {
        text.eq_ignore_ascii_case(UNAVAILABLE) || text.eq_ignore_ascii_case(TEMP_UNAVAILABLE)
    };
    match told {
        Some(Told::Known(text)) if looks_like(text.text()) => {
            let _ = write!(out, " {name}=+5B{}", text.text().trim_start_matches('['));
        }
        told => put(out, name, told),
    }
}
