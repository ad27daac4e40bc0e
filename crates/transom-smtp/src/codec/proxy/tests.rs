use proptest::prelude::*;

use super::*;

fn ends<A>(source: A, destination: A) -> ProxyEnds<A> {
    ProxyEnds { source, destination }
}

fn v2(header: &ProxyHeader, checksum: bool) -> Vec<u8> {
    let mut out = Vec::new();
    header.write_v2(checksum, &mut out).unwrap();
    out
}

#[test]
fn lines_of_version_one_are_read() {
    let read = |line: &str| ProxyHeader::read(line.as_bytes());
    for (line, source) in [
        ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535"),
        ("PROXY TCP6 2001:db8::1 ::1 1 0\r\n", "[2001:db8::1]:1"),
    ] {
        let (header, octets) = read(line).unwrap().unwrap();
        assert_eq!(header.origin.source().unwrap(), source.parse().unwrap(), "{line}");
        assert_eq!(octets, line.len());
        for end in 0..line.len() {
            let start = &line.as_bytes()[..end];
            assert_eq!(ProxyHeader::read(start), Ok(None), "{end} of {line}");
        }
    }
    let line = "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n";
    assert_eq!(read(line), Ok(Some((ProxyOrigin::Unknown.into(), line.len()))));
    assert_eq!(read("PROXY UNKNOWN\r\nX"), Ok(Some((ProxyOrigin::Unknown.into(), 15))));
}

// Attack 23.
#[test]
fn what_is_no_header_is_refused_at_once() {
    let malformed = ProxyHeaderError::Addresses;
    let long = format!("PROXY UNKNOWN {}", "x".repeat(100));
    for (octets, error) in [
        ("EHLO a\r\n", ProxyHeaderError::NoHeader),
        ("PROXX", ProxyHeaderError::NoHeader),
        ("proxy TCP4", ProxyHeaderError::NoHeader),
        ("\r\n\r\n\0\r\nQUIX", ProxyHeaderError::NoHeader),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", malformed),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", malformed),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", malformed),
        ("PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", malformed),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", malformed),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", malformed),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", malformed),
        ("PROXY TCP4 ::1 ::1 1 2\r\n", malformed),
        ("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", malformed),
        ("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", malformed),
        ("PROXY UNKNOWN a\rb\r\n", malformed),
        ("PROXY UNKNOWN \0\r\n", malformed),
        (&long, ProxyHeaderError::TooLong),
    ] {
        assert_eq!(ProxyHeader::read(octets.as_bytes()), Err(error), "{octets:?}");
    }
}

/// A header of version 2 from its parts.
fn raw(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let mut octets = v2::SIGNATURE.to_vec();
    octets.extend_from_slice(&[command, family]);
    octets.extend_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
    octets.extend_from_slice(payload);
    octets
}

#[test]
fn octets_of_version_two_are_read() {
    let payload =
        [192, 0, 2, 7, 198, 51, 100, 1, 0xc3, 0x50, 0, 25, 4, 0, 1, 9, 2, 0, 2, b'm', b'x'];
    let input = raw(0x21, 0x11, &payload);
    let (header, octets) = ProxyHeader::read(&input).unwrap().unwrap();
    assert_eq!(octets, input.len());
    assert_eq!(header.origin.source(), Some(([192, 0, 2, 7], 50_000).into()));
    assert_eq!(header.origin.destination(), Some(([198, 51, 100, 1], 25).into()));
    assert_eq!(header.extras, [ProxyExtra::new(2, b"mx").unwrap()]);
    for end in 0..input.len() {
        assert_eq!(ProxyHeader::read(&input[..end]), Ok(None), "{end}");
    }
    let local = ProxyHeader::from(ProxyOrigin::Local);
    for input in [
        raw(0x20, 0, b""),
        raw(0x20, 0x11, &payload[..12]),
        raw(0x20, 0x11, b""),
        raw(0x20, 0x53, b"of no family"),
        raw(0x20, 0, b"junk"),
    ] {
        assert_eq!(ProxyHeader::read(&input), Ok(Some((local.clone(), input.len()))));
    }
    let input = raw(0x21, 0, b"junk");
    assert_eq!(ProxyHeader::read(&input), Ok(Some((ProxyOrigin::Unknown.into(), 20))));
}

#[test]
fn malformed_octets_of_version_two_are_refused() {
    let four = [0; 12];
    for (input, error) in [
        (raw(0x11, 0x11, &four), ProxyHeaderError::Version),
        (raw(0x22, 0x11, &four), ProxyHeaderError::Version),
        (raw(0x21, 0x11, &four[..11]), ProxyHeaderError::Addresses),
        (raw(0x21, 0x21, &four), ProxyHeaderError::Addresses),
        (raw(0x21, 0x31, &four), ProxyHeaderError::Addresses),
        (raw(0x21, 0x41, &four), ProxyHeaderError::Addresses),
        (raw(0x21, 0x13, &four), ProxyHeaderError::Addresses),
        (raw(0x21, 0x11, &[0; 14]), ProxyHeaderError::Extras),
        (raw(0x21, 0x11, &[[0; 12].as_slice(), &[2, 0, 9, 1]].concat()), ProxyHeaderError::Extras),
        (raw(0x21, 0x11, &[[0; 12].as_slice(), &[3, 0, 1, 1]].concat()), ProxyHeaderError::Extras),
        (raw(0x21, 0x11, &[0; 5000]), ProxyHeaderError::TooLong),
    ] {
        assert_eq!(ProxyHeader::read(&input), Err(error), "{}", input.escape_ascii());
    }
    // What is too long is refused before it has come.
    assert_eq!(ProxyHeader::read(&raw(0x21, 0, &[0; 5000])[..16]), Err(ProxyHeaderError::TooLong));
}

#[test]
fn checksum_is_that_of_the_standard_and_is_checked() {
    let origin = ProxyOrigin::V4(
        ProxyTransport::Stream,
        ends(([192, 0, 2, 7].into(), 1), ([192, 0, 2, 8].into(), 2)),
    );
    let header = ProxyHeader { origin, extras: vec![ProxyExtra::new(2, b"mx").unwrap()] };
    let good = v2(&header, true);
    // The same sum from another implementation: CRC-32C with four octets of 0 in its place.
    let mut zeroed = good.clone();
    let at = zeroed.len() - 4;
    let sum: [u8; 4] = zeroed[at..].try_into().unwrap();
    zeroed[at..].fill(0);
    assert_eq!(u32::from_be_bytes(sum), reference_crc32c(&zeroed));
    assert_eq!(reference_crc32c(b"123456789"), 0xe306_9283);
    assert_eq!(ProxyHeader::read(&good), Ok(Some((header, good.len()))));
    for at in 16..good.len() - 13 {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(ProxyHeader::read(&bad), Err(ProxyHeaderError::Checksum), "{at}");
    }
}

/// By division of polynomials, highest bit first.
fn reference_crc32c(octets: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for octet in octets {
        sum ^= u32::from(octet.reverse_bits()) << 24;
        for _ in 0..8 {
            sum = if sum >> 31 == 1 { sum << 1 ^ 0x1edc_6f41 } else { sum << 1 };
        }
    }
    !sum.reverse_bits()
}

#[test]
fn header_that_is_too_long_is_not_written() {
    let extra = ProxyExtra::new(0xe0, &[0; 4096]).unwrap();
    let at = ([192, 0, 2, 7].into(), 1);
    let origin = ProxyOrigin::V4(ProxyTransport::Stream, ends(at, at));
    let header = ProxyHeader { origin, extras: vec![extra] };
    let mut out = b"before".to_vec();
    assert_eq!(header.write_v2(false, &mut out), Err(ProxyHeaderError::TooLong));
    assert_eq!(out, b"before");
    assert_eq!(ProxyExtra::new(0xe0, &[0; 4097]), None);
    assert_eq!(UnixPath::new(&[b'x'; 109]), None);
}

fn origin() -> impl Strategy<Value = ProxyOrigin> {
    let transport = prop_oneof![Just(ProxyTransport::Stream), Just(ProxyTransport::Datagram)];
    let v4 = any::<((Ipv4Addr, u16), (Ipv4Addr, u16))>();
    let v6 = any::<((Ipv6Addr, u16), (Ipv6Addr, u16))>();
    let path = proptest::collection::vec(any::<u8>(), 0..=108)
        .prop_map(|octets| UnixPath::new(&octets).unwrap());
    let paths = (path.clone(), path);
    prop_oneof![
        Just(ProxyOrigin::Local),
        Just(ProxyOrigin::Unknown),
        (transport.clone(), v4).prop_map(|(t, (s, d))| ProxyOrigin::V4(t, ends(s, d))),
        (transport.clone(), v6).prop_map(|(t, (s, d))| ProxyOrigin::V6(t, ends(s, d))),
        (transport, paths).prop_map(|(t, (s, d))| ProxyOrigin::Unix(t, ends(s, d))),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_parses_back(
        origin in origin(),
        extras in proptest::collection::vec(
            (5u8.., proptest::collection::vec(any::<u8>(), 0..40)),
            0..4,
        ),
        checksum in any::<bool>(),
        behind in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let addressed = origin.has_ends();
        let extras = extras.iter().filter(|_| addressed);
        let extras = extras.map(|(kind, value)| ProxyExtra::new(*kind, value).unwrap()).collect();
        let header = ProxyHeader { origin, extras };
        let mut wire = v2(&header, checksum);
        let octets = wire.len();
        wire.extend_from_slice(&behind);
        prop_assert_eq!(ProxyHeader::read(&wire), Ok(Some((header.clone(), octets))));
        for end in 0..octets {
            prop_assert_eq!(ProxyHeader::read(&wire[..end]), Ok(None));
        }
        let mut line = Vec::new();
        header.write_v1(&mut line);
        prop_assert!(line.len() <= ProxyHeader::V1_OCTETS_MAX);
        let (read, octets) = ProxyHeader::read(&line).unwrap().unwrap();
        prop_assert_eq!(octets, line.len());
        let stream = matches!(
            header.origin,
            ProxyOrigin::V4(ProxyTransport::Stream, _) | ProxyOrigin::V6(ProxyTransport::Stream, _)
        );
        let expected = if stream { header.origin } else { ProxyOrigin::Unknown };
        prop_assert_eq!(read.origin, expected);
    }

    #[test]
    fn any_octets_are_a_header_or_an_error(
        signature in 0usize..3,
        octets in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let start: &[u8] = [b"".as_slice(), v1::SIGNATURE, v2::SIGNATURE][signature];
        let input = [start, &octets].concat();
        if let Ok(Some((header, length))) = ProxyHeader::read(&input) {
            prop_assert!(length <= input.len());
            let wire = v2(&header, true);
            let again = ProxyHeader::read(&wire).map(|read| read.map(|(header, _)| header));
            prop_assert_eq!(again, Ok(Some(header)));
        }
    }
}
