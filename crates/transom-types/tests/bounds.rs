//! What every value and error promises as a Rust type.

use std::hash::{BuildHasher, RandomState};
use std::mem::size_of;

use transom_types::*;

#[test]
fn values_and_errors_cross_threads() {
    fn assert_send_sync<T: Send + Sync + 'static>() {}
    assert_send_sync::<(AddressLiteral, BodyType, ConnectorId, Domain, Envelope, EnvelopeId)>();
    assert_send_sync::<(ForwardPath, Host, InternetMessageId, LocalPart, Mailbox, NextHop)>();
    assert_send_sync::<(Notify, OriginalRecipient, Outcome, RecipientResult, Reply, ReplyCode)>();
    assert_send_sync::<(Ret, ReversePath, Secret, Status, Xtext, NetworkMessageId)>();
    assert_send_sync::<(ParseDomainError, ParseMailboxError, ParsePathError, XtextError)>();
    assert_send_sync::<(ParseReplyError, ParseReplyCodeError, ParseOriginalRecipientError)>();
}

#[test]
fn errors_stay_small() {
    // An error travels in every Result; above four words it slows the good path down.
    let limit = 4 * size_of::<usize>();
    let sizes = [
        ("ParseAddressLiteralError", size_of::<ParseAddressLiteralError>()),
        ("ParseDomainError", size_of::<ParseDomainError>()),
        ("ParseEnhancedStatusCodeError", size_of::<ParseEnhancedStatusCodeError>()),
        ("ParseEnvelopeIdError", size_of::<ParseEnvelopeIdError>()),
        ("ParseLocalPartError", size_of::<ParseLocalPartError>()),
        ("ParseMailboxError", size_of::<ParseMailboxError>()),
        ("ParseOriginalRecipientError", size_of::<ParseOriginalRecipientError>()),
        ("ParsePathError", size_of::<ParsePathError>()),
        ("ParseReplyCodeError", size_of::<ParseReplyCodeError>()),
        ("ParseReplyError", size_of::<ParseReplyError>()),
        ("XtextError", size_of::<XtextError>()),
    ];
    for (name, size) in sizes {
        assert!(size <= limit, "{name} has {size} octets");
    }
}

#[test]
fn errors_keep_no_more_of_a_peer_than_a_line() {
    let endless = "9".repeat(100_000);
    assert!(endless.parse::<ReplyCode>().unwrap_err().found.len() <= 64);
    assert!(endless.parse::<EnhancedStatusCode>().unwrap_err().found.len() <= 64);
}

#[test]
fn domains_that_compare_equal_hash_equal() {
    let state = RandomState::new();
    let of = |text: &str| text.parse::<Domain>().unwrap();
    for (a, b) in [("Example.COM", "eXAMPLE.com"), ("a.B", "A.b"), ("x-1.y", "X-1.Y")] {
        assert_eq!(of(a), of(b));
        assert_eq!(of(a).cmp(&of(b)), std::cmp::Ordering::Equal);
        assert_eq!(state.hash_one(of(a)), state.hash_one(of(b)), "{a} {b}");
        assert_eq!(of(a).to_lowercase().as_str(), of(b).to_lowercase().as_str());
    }
    assert_ne!(of("example.com"), of("example.org"));
    assert!(of("a.example") < of("B.example"));
}

#[test]
fn mailboxes_differ_by_the_case_of_the_local_part_alone() {
    let of = |text: &str| text.parse::<Mailbox>().unwrap();
    // [RFC 5321 §2.4] test
    assert_eq!(of("john@Example.com"), of("john@example.COM"));
    assert_ne!(of("John@example.com"), of("john@example.com"));
    // [RFC 5321 §4.1.3] an address is the same in any spelling.
    assert_eq!(of("j@[IPv6:2001:DB8:0::1]"), of("j@[ipv6:2001:db8::1]"));
}

#[test]
fn secret_shows_nothing() {
    let secret = Secret::new(b"correct horse".to_vec());
    assert_eq!(format!("{secret:?}"), "Secret(..)");
    assert_eq!(secret.expose(), b"correct horse");
}
