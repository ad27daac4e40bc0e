//! Verbs and keywords as numbers, so that one is told from the others by one comparison.

/// A word of up to [`WORD_OCTETS_MAX`] letters, digits and hyphens in upper case, the last one
/// lowest: no two words share one. Longer words have [`LONGER`].
pub(super) type Key = u64;

const WORD_OCTETS_MAX: usize = 8;
const LONGER: Key = 0;

/// Letters, digits and hyphens in upper case; 0 for all else.
const UPPER: [u8; 256] = {
    let mut table = [0; 256];
    let (mut octet, mut rest): (u8, &mut [u8]) = (0, &mut table);
    while let [upper, behind @ ..] = rest {
        if octet.is_ascii_alphanumeric() || octet == b'-' {
            *upper = octet.to_ascii_uppercase();
        }
        octet = octet.wrapping_add(1);
        rest = behind;
    }
    table
};

/// What ends the value of a parameter. It is quicker to look up than to compare.
#[inline]
pub(super) fn ends_value(octet: u8) -> bool {
    const ENDS: [bool; 256] = {
        let mut table = [false; 256];
        let (mut octet, mut rest): (u8, &mut [bool]) = (0, &mut table);
        while let [ends, behind @ ..] = rest {
            *ends = is_blank(octet) || octet == b'=';
            octet = octet.wrapping_add(1);
            rest = behind;
        }
        table
    };
    ENDS.get(usize::from(octet)).copied().unwrap_or(false)
}

/// The key of a name that is in upper case already.
const fn key(mut name: &[u8]) -> Key {
    let mut key = 0;
    while let [first, rest @ ..] = name {
        key = key << 8 | *first as Key;
        name = rest;
    }
    key
}

/// What may stand between words.
pub(super) const fn is_blank(octet: u8) -> bool {
    octet == b' ' || octet == b'\t'
}

/// [RFC 5321 §2.4-b] words have no case.
///
/// The key of the letters, digits and hyphens that `text` begins with, and how many they are.
#[inline]
pub(super) fn word(text: &[u8]) -> (Key, usize) {
    let mut key: Key = 0;
    let mut length = text.len();
    for (at, &octet) in text.iter().enumerate() {
        let upper = UPPER.get(usize::from(octet)).copied().unwrap_or(0);
        if upper == 0 {
            length = at;
            break;
        }
        key = key << 8 | Key::from(upper);
    }
    if length <= WORD_OCTETS_MAX { (key, length) } else { (LONGER, length) }
}

/// The same for the verb of a command line: those that every message brings are told by one look.
#[inline]
pub(super) fn verb(line: &[u8]) -> (Key, usize) {
    if let [a, b, c, d, b' ', ..] = line {
        // Without the bit of lower case, an octet that is no letter does not turn into one.
        let key = Key::from(u32::from_be_bytes([*a, *b, *c, *d]) & 0xDFDF_DFDF);
        if matches!(key, EHLO | MAIL | RCPT) {
            return (key, 4);
        }
    }
    word(line)
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
pub(super) const NOTIFY: Key = key(b"NOTIFY");
pub(super) const ORCPT: Key = key(b"ORCPT");
pub(super) const RET: Key = key(b"RET");
pub(super) const RRVS: Key = key(b"RRVS");
pub(super) const SIZE: Key = key(b"SIZE");
pub(super) const SMTPUTF8: Key = key(b"SMTPUTF8");

/// The verbs of this crate, for who registers others.
pub(super) const VERBS: [Key; 18] = [
    AUTH, BDAT, DATA, EHLO, ETRN, EXPN, HELO, HELP, LHLO, MAIL, NOOP, QUIT, RCPT, RSET, STARTTLS,
    VRFY, XCLIENT, XFORWARD,
];
