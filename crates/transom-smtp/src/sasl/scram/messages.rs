//! The grammar of the messages (RFC 5802 §7). One function, one production.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::bearer::unescape;
use super::super::name;

/// Longest nonce of a peer. With it the server's first message still fits into a reply.
const NONCE_OCTETS_MAX: usize = 256;

/// What the client says about channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag<'m> {
    /// `n`: it knows none.
    Unknown,
    /// `y`: it knows some, and thinks that the server does not.
    NotOffered,
    /// `p=`: it uses the one of this name.
    Used(&'m str),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst<'m> {
    pub(super) flag: Flag<'m>,
    /// The gs2 header, which comes back in the client's last message.
    pub(super) header: &'m str,
    /// What the signatures cover.
    pub(super) bare: &'m str,
    pub(super) acting_as: Option<String>,
    pub(super) user: String,
    pub(super) nonce: &'m str,
}

/// `client-first-message = gs2-header client-first-message-bare`.
pub(super) fn client_first(message: &[u8]) -> Option<ClientFirst<'_>> {
    let message = str::from_utf8(message).ok()?;
    let (flag, rest) = message.split_once(',')?;
    let (authorization, bare) = rest.split_once(',')?;
    let header = message.strip_suffix(bare)?;
    let flag = match flag {
        "n" => Flag::Unknown,
        "y" => Flag::NotOffered,
        _ => Flag::Used(flag.strip_prefix("p=")?),
    };
    let acting_as = match authorization {
        "" => None,
        given => Some(saslname(given.strip_prefix("a=")?)?),
    };
    let mut attributes = bare.split(',');
    // [RFC 5802 §5.1-b] an extension that must be understood is not.
    // An attribute `m=` in front would change the meaning of the rest, so it fails here.
    let user = saslname(attributes.next()?.strip_prefix("n=")?)?;
    let nonce = nonce(attributes.next()?.strip_prefix("r=")?)?;
    Some(ClientFirst { flag, header, bare, acting_as, user, nonce })
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerFirst<'m> {
    pub(super) nonce: &'m str,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
}

/// `server-first-message = nonce "," salt "," iteration-count`. Its nonce has two halves.
pub(super) fn server_first(message: &str) -> Option<ServerFirst<'_>> {
    let mut attributes = message.split(',');
    let nonce = attributes.next()?.strip_prefix("r=")?;
    let salt = STANDARD.decode(attributes.next()?.strip_prefix("s=")?).ok()?;
    let iterations = attributes.next()?.strip_prefix("i=")?.parse().ok()?;
    Some(ServerFirst { nonce, salt, iterations })
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFinal<'m> {
    /// What the signatures cover.
    pub(super) without_proof: &'m str,
    /// The gs2 header and the octets of the channel.
    pub(super) binding: Vec<u8>,
    pub(super) nonce: &'m str,
    pub(super) proof: Vec<u8>,
}

/// `client-final-message = channel-binding "," nonce ["," extensions] "," proof`.
pub(super) fn client_final(message: &[u8]) -> Option<ClientFinal<'_>> {
    let message = str::from_utf8(message).ok()?;
    let (without_proof, proof) = message.rsplit_once(",p=")?;
    let proof = STANDARD.decode(proof).ok()?;
    let mut attributes = without_proof.split(',');
    let binding = STANDARD.decode(attributes.next()?.strip_prefix("c=")?).ok()?;
    let nonce = attributes.next()?.strip_prefix("r=")?;
    Some(ClientFinal { without_proof, binding, nonce, proof })
}

/// `server-final-message = verifier`; an error in its place is none.
pub(super) fn server_final(message: &[u8]) -> Option<Vec<u8>> {
    let message = str::from_utf8(message).ok()?;
    let signature = message.split(',').next()?.strip_prefix("v=")?;
    STANDARD.decode(signature).ok()
}

/// [RFC 5802 §5.1-d] no other escapes.
///
/// `saslname = 1*(value-safe-char / "=2C" / "=3D")`.
fn saslname(text: &str) -> Option<String> {
    name(&unescape(text.as_bytes())?)
}

/// `c-nonce = printable`, which is no comma.
fn nonce(text: &str) -> Option<&str> {
    let fits = !text.is_empty() && text.len() <= NONCE_OCTETS_MAX;
    (fits && text.bytes().all(|octet| octet.is_ascii_graphic())).then_some(text)
}

/// What both sides sign.
pub(super) fn auth_message(client_bare: &str, server_first: &str, without_proof: &str) -> Vec<u8> {
    [client_bare, server_first, without_proof].join(",").into_bytes()
}
