//! Parsers of `transom-types`.

use std::fmt::Debug;
use std::str::FromStr;

use transom_types::{
    AddressLiteral, Domain, EnhancedStatusCode, EnvelopeId, ForwardPath, InternetMessageId,
    LocalPart, Mailbox, NetworkMessageId, Notify, OriginalRecipient, ReplyCode, ReversePath, Xtext,
};

/// Octets to value to octets to value: the two values are the same, and print as one line.
pub(crate) fn round_trip<T: FromStr + ToString + PartialEq + Debug>(text: &str) -> Option<T> {
    let value = text.parse::<T>().ok()?;
    let printed = value.to_string();
    assert!(!printed.contains(['\r', '\n', '\0']), "{printed:?} is no line");
    let again = printed.parse::<T>().ok();
    assert_eq!(again.as_ref(), Some(&value), "{printed:?} is another value than {text:?}");
    Some(value)
}

/// `[192.0.2.1]`.
pub fn address_literal(octets: &[u8]) {
    let Ok(text) = str::from_utf8(octets) else { return };
    round_trip::<AddressLiteral>(text);
}

/// A domain, which prints as it was written.
pub fn domain(octets: &[u8]) {
    let Ok(text) = str::from_utf8(octets) else { return };
    if let Some(domain) = round_trip::<Domain>(text) {
        assert_eq!(domain.as_str(), text);
        assert!(domain.is_within(&domain.to_lowercase()));
    }
}

/// `5.1.1`, alone and at the start of a text.
pub fn enhanced_status_code(octets: &[u8]) {
    let Ok(text) = str::from_utf8(octets) else { return };
    round_trip::<EnhancedStatusCode>(text);
    if let Some((code, length)) = EnhancedStatusCode::parse_prefix(text) {
        assert_eq!(text.get(..length), Some(code.to_string().as_str()));
    }
}

/// A mailbox and its parts, and the ids that look like one.
pub fn mailbox(octets: &[u8]) {
    let Ok(text) = str::from_utf8(octets) else { return };
    round_trip::<LocalPart>(text);
    round_trip::<InternetMessageId>(text);
    round_trip::<NetworkMessageId>(text);
    if let Some(mailbox) = round_trip::<Mailbox>(text) {
        assert_eq!(mailbox.as_str(), text);
        assert_eq!(Mailbox::new(&mailbox.local_part(), &mailbox.host()), mailbox);
    }
}

/// A path, alone and at the start of a text.
pub fn path(octets: &[u8]) {
    let Ok(text) = str::from_utf8(octets) else { return };
    round_trip::<ForwardPath>(text);
    round_trip::<ReversePath>(text);
    if let Ok((path, length)) = ForwardPath::parse_prefix(text) {
        let prefix = text.get(..length).and_then(|prefix| prefix.parse().ok());
        assert_eq!(prefix, Some(path), "the prefix is a path by itself");
    }
    if let Ok((path, length)) = ReversePath::parse_prefix(text) {
        let prefix = text.get(..length).and_then(|prefix| prefix.parse().ok());
        assert_eq!(prefix, Some(path), "the prefix is a path by itself");
    }
}

/// Three digits, which print as they were written.
pub fn reply_code(octets: &[u8]) {
    let Ok(text) = str::from_utf8(octets) else { return };
    if let Some(code) = round_trip::<ReplyCode>(text) {
        assert_eq!(code.to_string(), text);
    }
}

/// xtext and the parameters made of it.
pub fn xtext(octets: &[u8]) {
    let Ok(text) = str::from_utf8(octets) else { return };
    round_trip::<Notify>(text);
    if let Some(decoded) = round_trip::<Xtext>(text) {
        assert!(!decoded.text().contains(['\r', '\n', '\0']));
    }
    if let Some(id) = round_trip::<EnvelopeId>(text) {
        assert!(id.to_string().len() <= EnvelopeId::OCTETS_MAX);
    }
    if let Some(original) = round_trip::<OriginalRecipient>(text) {
        assert!(original.to_string().len() <= OriginalRecipient::OCTETS_MAX);
    }
}
