//! Which addresses mail is never sent to because the DNS said so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address that a stranger's DNS names must not be connected to. Whoever owns a domain
/// could else make this server talk to hosts that only it can reach. `private` lets in what a
/// network of one's own uses.
pub(crate) fn is_prohibited(address: IpAddr, private: bool) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => never_v4(ip) || (!private && inner_v4(ip)),
        IpAddr::V6(ip) => never_v6(ip) || (!private && inner_v6(ip)),
    }
}

/// No host has these: `0.0.0.0/8`, multicast, `240.0.0.0/4`.
fn never_v4(ip: Ipv4Addr) -> bool {
    matches!(ip.octets(), [0 | 224..=255, ..])
}

fn inner_v4(ip: Ipv4Addr) -> bool {
    let shared = matches!(ip.octets(), [100, 64..=127, ..]); // RFC 6598
    let benchmark = matches!(ip.octets(), [198, 18..=19, ..]); // RFC 2544
    let protocol = matches!(ip.octets(), [192, 0, 0, _]); // RFC 6890
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_documentation()
        || shared
        || benchmark
        || protocol
}

fn never_v6(ip: Ipv6Addr) -> bool {
    ip.is_unspecified() || ip.is_multicast()
}

fn inner_v6(ip: Ipv6Addr) -> bool {
    let documentation = matches!(ip.segments(), [0x2001, 0x0db8, ..]); // RFC 3849
    let documentation_2 = matches!(ip.segments(), [0x3fff, 0..=0x0fff, ..]); // RFC 9637
    let discard = matches!(ip.segments(), [0x0100, 0, 0, 0, ..]); // RFC 6666
    let site_local = matches!(ip.segments(), [0xfec0..=0xfeff, ..]); // RFC 3879
    ip.is_loopback()
        || ip.is_unique_local()
        || ip.is_unicast_link_local()
        || documentation
        || documentation_2
        || discard
        || site_local
        || embedded_v4(ip).is_some_and(|ip| never_v4(ip) || inner_v4(ip))
}

/// The IPv4 address that a translator would make of it: IPv4-compatible, 6to4 (RFC 3056) and the
/// well-known NAT64 prefix (RFC 6052).
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, high, low]
        | [0x0064, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}
