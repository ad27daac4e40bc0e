//! Who sent it, where gateways of ours stand before us.

use std::net::IpAddr;

use ipnet::IpNet;
use transom_message::{HeaderField, HeaderSection};

/// The first client on the way to us that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientAddress {
    /// Its address.
    pub ip: IpAddr,
    /// What it called itself, where a gateway of ours took the message from it; none where it is
    /// our peer.
    pub helo: Option<String>,
    /// How many gateways stand between it and us.
    pub gateways: usize,
}

impl ClientAddress {
    /// Most Received fields that are looked at.
    pub const GATEWAYS_MAX: usize = 20;

    /// Finds it: the peer of the session, or, where that is within `trusted`, who the topmost
    /// Received field names, and so on. None where a trusted gateway does not say from whom it
    /// has the message, or it comes from within alone: then nobody is to be judged.
    ///
    /// Only fields that trusted gateways wrote are read: the topmost as long as all above it
    /// name trusted clients. They must be those of the content before we put one there.
    ///
    /// ```
    /// use transom_mailauth::verdicts::ClientAddress;
    /// use transom_message::HeaderSection;
    ///
    /// let content = b"Received: from mx.contoso.com (unknown [192.0.2.7]) by gw; x\r\n\r\n";
    /// let headers = HeaderSection::parse(content);
    /// let trusted = ["10.0.0.0/8".parse()?];
    /// let client = ClientAddress::find("10.0.0.9".parse()?, &headers, &trusted).unwrap();
    /// assert_eq!(client.ip.to_string(), "192.0.2.7");
    /// assert_eq!(client.helo.as_deref(), Some("mx.contoso.com"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find(peer: IpAddr, headers: &HeaderSection<'_>, trusted: &[IpNet]) -> Option<Self> {
        let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(&ip));
        let peer = peer.to_canonical();
        if !is_trusted(peer) {
            return Some(Self { ip: peer, helo: None, gateways: 0 });
        }
        let received = headers.fields().filter(|field| field.is("Received"));
        for (gateways, field) in (1..).zip(received.take(Self::GATEWAYS_MAX)) {
            let (helo, ip) = origin(&field)?;
            if !is_trusted(ip) {
                return Some(Self { ip, helo: Some(helo), gateways });
            }
        }
        None
    }
}

/// The name and address behind `from`: `from helo (name [192.0.2.1])`, `from helo (192.0.2.1)` or
/// `from [192.0.2.1] (helo=name)`.
///
/// The client chose the name, so the address in the comment, which the server saw, comes first.
// [RFC 5321 §4.4] TCP-info stands in the comment behind the name.
fn origin(field: &HeaderField<'_>) -> Option<(String, IpAddr)> {
    let value = field.value();
    let rest =
        value.strip_prefix("from").filter(|rest| rest.starts_with([' ', '\t']))?.trim_start();
    let (name, rest) = rest.split_at_checked(rest.find([' ', '\t', ';']).unwrap_or(rest.len()))?;
    let comment = rest.trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let comment = comment.map_or("", |(comment, _)| comment);
    let words = comment.split([' ', '\t']).filter(|word| !word.is_empty());
    let bracketed = words.clone().filter(|word| word.starts_with('[')).find_map(address);
    let seen = bracketed.or_else(|| words.clone().find_map(address));
    if let Some(ip) = seen {
        return Some((name.to_owned(), ip));
    }
    let helo = words.clone().find_map(|word| word.strip_prefix("helo=")).unwrap_or(name);
    Some((helo.to_owned(), address(name)?))
}

/// `192.0.2.1`, `[192.0.2.1]`, `[IPv6:2001:db8::1]`, a port behind it ignored.
fn address(word: &str) -> Option<IpAddr> {
    let word = match word.strip_prefix('[') {
        Some(literal) => literal.split_once(']')?.0,
        None => word,
    };
    let tagged = word.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    let word = if tagged.is_some() { word.get(5..)? } else { word };
    word.parse().ok().map(|ip: IpAddr| ip.to_canonical())
}
