//! Version 2: binary, with further values and a checksum of them all.

use std::net::{Ipv4Addr, Ipv6Addr};

use nom::Parser as _;
use nom::bytes::complete::take;
use nom::combinator::map;
use nom::number::complete::{be_u8, be_u16, be_u32, be_u128};

use super::{
    CHECKSUM, PADDING, ProxyEnds, ProxyExtra, ProxyHeader, ProxyHeaderError, ProxyOrigin,
    ProxyTransport, UnixPath,
};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and transport, length of what follows.
const FIXED_OCTETS: usize = 16;
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

type Parsed<'a, T> = nom::IResult<&'a [u8], T>;

pub(super) fn read(input: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyHeaderError> {
    let Some((fixed, behind)) = input.split_at_checked(FIXED_OCTETS) else {
        return Ok(None);
    };
    let &[.., command, family, high, low] = fixed else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let whole = FIXED_OCTETS.saturating_add(length);
    if command != LOCAL && command != PROXY {
        return Err(ProxyHeaderError::Version);
    }
    if whole > ProxyHeader::OCTETS_MAX {
        return Err(ProxyHeaderError::TooLong);
    }
    let (Some(payload), Some(header)) = (behind.get(..length), input.get(..whole)) else {
        return Ok(None);
    };
    // What LOCAL says of addresses is to be skipped, and so is all behind an unknown family.
    if command == LOCAL {
        return Ok(Some((ProxyOrigin::Local.into(), whole)));
    }
    let wrong = |_| ProxyHeaderError::Addresses;
    let (extras, origin) = origin(family, payload).map_err(wrong)?;
    let extras = if origin.has_ends() { read_extras(extras, header)? } else { Vec::new() };
    Ok(Some((ProxyHeader { origin, extras }, whole)))
}

/// Addresses by family and transport. Behind those of no family nothing is known of the rest.
fn origin(family: u8, payload: &[u8]) -> Parsed<'_, ProxyOrigin> {
    let transport = match family & 0x0f {
        1 => ProxyTransport::Stream,
        2 => ProxyTransport::Datagram,
        0 => return Ok((payload, ProxyOrigin::Unknown)),
        _ => return Err(malformed(payload)),
    };
    match family >> 4 {
        0 => Ok((payload, ProxyOrigin::Unknown)),
        1 => map(ends(map(be_u32, Ipv4Addr::from_bits)), |ends| ProxyOrigin::V4(transport, ends))
            .parse(payload),
        2 => map(ends(map(be_u128, Ipv6Addr::from_bits)), |ends| ProxyOrigin::V6(transport, ends))
            .parse(payload),
        3 => {
            let (rest, source) = path(payload)?;
            let (rest, destination) = path(rest)?;
            Ok((rest, ProxyOrigin::Unix(transport, ProxyEnds { source, destination })))
        }
        _ => Err(malformed(payload)),
    }
}

fn malformed(at: &[u8]) -> nom::Err<nom::error::Error<&[u8]>> {
    nom::Err::Error(nom::error::Error::new(at, nom::error::ErrorKind::Switch))
}

/// Both addresses, then both ports.
fn ends<'a, A>(
    mut address: impl nom::Parser<&'a [u8], Output = A, Error = nom::error::Error<&'a [u8]>>,
) -> impl nom::Parser<&'a [u8], Output = ProxyEnds<(A, u16)>, Error = nom::error::Error<&'a [u8]>> {
    move |input| {
        let (rest, source) = address.parse(input)?;
        let (rest, destination) = address.parse(rest)?;
        let (rest, (from, to)) = (be_u16, be_u16).parse(rest)?;
        Ok((rest, ProxyEnds { source: (source, from), destination: (destination, to) }))
    }
}

fn path(input: &[u8]) -> Parsed<'_, UnixPath> {
    let (rest, octets) = take(UnixPath::OCTETS_MAX)(input)?;
    UnixPath::new(octets).map(|path| (rest, path)).ok_or_else(|| malformed(input))
}

/// `TLV = type, length of two octets, value`, one behind the other to the end of `header`.
fn read_extras(octets: &[u8], header: &[u8]) -> Result<Vec<ProxyExtra>, ProxyHeaderError> {
    let (mut extras, mut rest) = (Vec::new(), octets);
    while !rest.is_empty() {
        let parsed: Parsed<'_, _> = (be_u8, be_u16).parse(rest);
        let (behind, (kind, length)) = parsed.map_err(|_| ProxyHeaderError::Extras)?;
        let split = behind.split_at_checked(usize::from(length));
        let (value, behind) = split.ok_or(ProxyHeaderError::Extras)?;
        match kind {
            CHECKSUM => {
                let at = header.len().saturating_sub(behind.len()).saturating_sub(4);
                check(header, at, value)?;
            }
            PADDING => {}
            kind => extras.extend(ProxyExtra::new(kind, value)),
        }
        rest = behind;
    }
    Ok(extras)
}

/// The checksum counts as zero in its own sum.
fn check(header: &[u8], at: usize, value: &[u8]) -> Result<(), ProxyHeaderError> {
    let value = <[u8; 4]>::try_from(value).map_err(|_| ProxyHeaderError::Extras)?;
    let (before, behind) = header.split_at_checked(at).ok_or(ProxyHeaderError::Extras)?;
    let behind = behind.get(4..).unwrap_or_default();
    let sum = crc32c(before.iter().chain(&[0; 4]).chain(behind));
    if sum == u32::from_be_bytes(value) { Ok(()) } else { Err(ProxyHeaderError::Checksum) }
}

/// CRC-32C (RFC 9260 appendix A), bit by bit: a header is short, and few have a checksum.
fn crc32c<'a>(octets: impl Iterator<Item = &'a u8>) -> u32 {
    !octets.fold(u32::MAX, |sum, &octet| {
        (0..8).fold(sum ^ u32::from(octet), |sum, _| {
            if sum & 1 == 0 { sum >> 1 } else { sum >> 1 ^ 0x82f6_3b78 }
        })
    })
}

pub(super) fn write(
    header: &ProxyHeader,
    checksum: bool,
    out: &mut Vec<u8>,
) -> Result<(), ProxyHeaderError> {
    let start = out.len();
    out.extend_from_slice(SIGNATURE);
    let command = if header.origin == ProxyOrigin::Local { LOCAL } else { PROXY };
    out.extend_from_slice(&[command, family(&header.origin), 0, 0]);
    write_addresses(&header.origin, out);
    for extra in header.extras.iter().filter(|_| header.origin.has_ends()) {
        put_extra(out, extra.kind, &extra.value);
    }
    if checksum {
        put_extra(out, CHECKSUM, &[0; 4]);
    }
    let octets = out.len().saturating_sub(start);
    let length = u16::try_from(octets.saturating_sub(FIXED_OCTETS)).unwrap_or(u16::MAX);
    if octets > ProxyHeader::OCTETS_MAX {
        out.truncate(start);
        return Err(ProxyHeaderError::TooLong);
    }
    let written = out.get_mut(start..).unwrap_or_default();
    if let Some(place) = written.get_mut(FIXED_OCTETS - 2..FIXED_OCTETS) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    if checksum {
        let sum = crc32c(written.iter());
        if let Some(place) = written.last_chunk_mut::<4>() {
            *place = sum.to_be_bytes();
        }
    }
    Ok(())
}

fn family(origin: &ProxyOrigin) -> u8 {
    let (family, transport) = match origin {
        ProxyOrigin::Local | ProxyOrigin::Unknown => return 0,
        ProxyOrigin::V4(transport, _) => (0x10, transport),
        ProxyOrigin::V6(transport, _) => (0x20, transport),
        ProxyOrigin::Unix(transport, _) => (0x30, transport),
    };
    match transport {
        ProxyTransport::Stream => family | 1,
        ProxyTransport::Datagram => family | 2,
    }
}

fn write_addresses(origin: &ProxyOrigin, out: &mut Vec<u8>) {
    match origin {
        ProxyOrigin::Local | ProxyOrigin::Unknown => {}
        ProxyOrigin::V4(_, ProxyEnds { source, destination }) => {
            out.extend_from_slice(&source.0.octets());
            out.extend_from_slice(&destination.0.octets());
            out.extend_from_slice(&source.1.to_be_bytes());
            out.extend_from_slice(&destination.1.to_be_bytes());
        }
        ProxyOrigin::V6(_, ProxyEnds { source, destination }) => {
            out.extend_from_slice(&source.0.octets());
            out.extend_from_slice(&destination.0.octets());
            out.extend_from_slice(&source.1.to_be_bytes());
            out.extend_from_slice(&destination.1.to_be_bytes());
        }
        ProxyOrigin::Unix(_, ProxyEnds { source, destination }) => {
            for path in [source, destination] {
                out.extend_from_slice(path.as_bytes());
                let padding = UnixPath::OCTETS_MAX.saturating_sub(path.as_bytes().len());
                out.extend(std::iter::repeat_n(0, padding));
            }
        }
    }
}

fn put_extra(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    out.push(kind);
    // `ProxyExtra::new` bounds it.
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
}
