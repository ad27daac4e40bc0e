//! Verbs and keywords as numbers, so that one is told from the others by one comparison.

/// Up to 16 octets in upper case, the last one lowest. A longer word has a number of its own or
/// shares one with no name in this crate, as those are shorter and so start with zeros.
pub(super) type Key = u128;

/// The key of a name that is in upper case already.
pub(super) const fn key(mut name: &[u8]) -> Key {
    let mut key = 0;
    while let [first, rest @ ..] = name {
        key = key << 8 | *first as Key;
        name = rest;
    }
    key
}

/// Cuts `text` before the first octet of `ends` and gives the key of what stands there, and its
/// length.
#[inline]
pub(super) fn word(text: &[u8], ends: impl Fn(u8) -> bool) -> (Key, usize) {
    let mut key: Key = 0;
    for (length, &octet) in text.iter().enumerate() {
        if ends(octet) {
            return (key, length);
        }
        key = key << 8 | Key::from(octet.to_ascii_uppercase());
    }
    (key, text.len())
}

pub(super) const AUTH: Key = key(b"AUTH");
pub(super) const BDAT: Key = key(b"BDAT");
pub(super) const DATA: Key = key(b"DATA");
pub(super) const EHLO: Key = key(b"EHLO");
pub(super) const ETRN: Key = key(b"ETRN");
pub(super) const EXPN: Key = key(b"EXPN");
pub(super) const HELO: Key = key(b"HELO");
pub(super) const HELP: Key = key(b"HELP");
pub(super) const LHLO: Key = key(b"LHLO");
pub(super) const MAIL: Key = key(b"MAIL");
pub(super) const NOOP: Key = key(b"NOOP");
pub(super) const QUIT: Key = key(b"QUIT");
pub(super) const RCPT: Key = key(b"RCPT");
pub(super) const RSET: Key = key(b"RSET");
pub(super) const STARTTLS: Key = key(b"STARTTLS");
pub(super) const VRFY: Key = key(b"VRFY");
pub(super) const XCLIENT: Key = key(b"XCLIENT");
pub(super) const XFORWARD: Key = key(b"XFORWARD");

pub(super) const BODY: Key = key(b"BODY");
pub(super) const BY: Key = key(b"BY");
pub(super) const ENVID: Key = key(b"ENVID");
pub(super) const HOLDFOR: Key = key(b"HOLDFOR");
pub(super) const HOLDUNTIL: Key = key(b"HOLDUNTIL");
pub(super) const MT_PRIORITY: Key = key(b"MT-PRIORITY");
pub(super) const NOTIFY: Key = key(b"NOTIFY");
pub(super) const ORCPT: Key = key(b"ORCPT");
pub(super) const REQUIRETLS: Key = key(b"REQUIRETLS");
pub(super) const RET: Key = key(b"RET");
pub(super) const RRVS: Key = key(b"RRVS");
pub(super) const SIZE: Key = key(b"SIZE");
pub(super) const SMTPUTF8: Key = key(b"SMTPUTF8");

/// The verbs of this crate, for who registers others.
pub(super) const VERBS: [Key; 18] = [
    AUTH, BDAT, DATA, EHLO, ETRN, EXPN, HELO, HELP, LHLO, MAIL, NOOP, QUIT, RCPT, RSET, STARTTLS,
    VRFY, XCLIENT, XFORWARD,
];
