//! Version 1: one line of text.

use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::{ProxyEnds, ProxyHeader, ProxyHeaderError, ProxyOrigin, ProxyTransport};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// `PROXY SP family SP source SP destination SP source-port SP destination-port CRLF`.
pub(super) fn read(input: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyHeaderError> {
    let window = input.get(..ProxyHeader::V1_OCTETS_MAX).unwrap_or(input);
    let Some(end) = memchr::memchr(b'\n', window) else {
        let full = window.len() == ProxyHeader::V1_OCTETS_MAX;
        return if full { Err(ProxyHeaderError::TooLong) } else { Ok(None) };
    };
    let line = window.get(SIGNATURE.len()..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.and_then(|line| str::from_utf8(line).ok());
    let origin = line.and_then(origin).ok_or(ProxyHeaderError::Addresses)?;
    Ok(Some((origin.into(), end.saturating_add(1))))
}

fn origin(line: &str) -> Option<ProxyOrigin> {
    // What stands behind UNKNOWN is to be ignored, but a control character is no part of a line.
    if line.chars().any(char::is_control) {
        return None;
    }
    let (family, rest) = line.split_once(' ').unwrap_or((line, ""));
    let stream = ProxyTransport::Stream;
    match family {
        "TCP4" => Some(ProxyOrigin::V4(stream, ends::<Ipv4Addr>(rest)?)),
        "TCP6" => Some(ProxyOrigin::V6(stream, ends::<Ipv6Addr>(rest)?)),
        "UNKNOWN" => Some(ProxyOrigin::Unknown),
        _ => None,
    }
}

fn ends<A: FromStr>(text: &str) -> Option<ProxyEnds<(A, u16)>> {
    let mut words = text.split(' ');
    let (source, destination) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (source_port, destination_port) = (port(words.next()?)?, port(words.next()?)?);
    let ends =
        ProxyEnds { source: (source, source_port), destination: (destination, destination_port) };
    words.next().is_none().then_some(ends)
}

/// Decimal digits without zeros before them.
fn port(text: &str) -> Option<u16> {
    let port = text.parse::<u16>().ok()?;
    let canonical = text.bytes().all(|octet| octet.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    canonical.then_some(port)
}

pub(super) fn write(header: &ProxyHeader, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = match &header.origin {
        ProxyOrigin::V4(ProxyTransport::Stream, ProxyEnds { source, destination }) => write!(
            out,
            "PROXY TCP4 {} {} {} {}\r\n",
            source.0, destination.0, source.1, destination.1
        ),
        ProxyOrigin::V6(ProxyTransport::Stream, ProxyEnds { source, destination }) => write!(
            out,
            "PROXY TCP6 {} {} {} {}\r\n",
            source.0, destination.0, source.1, destination.1
        ),
        _ => write!(out, "PROXY UNKNOWN\r\n"),
    };
}
