//! Values of the envelope as grammar and comparison have them.

use transom_types::{AddressLiteral, Mailbox, ReversePath};

// [RFC 5321 §4.1.2-b] test
#[test]
fn quoted_forms_of_one_local_part_are_equal() {
    let mailbox = |text: &str| text.parse::<Mailbox>().unwrap();
    assert_eq!(mailbox("ab@example.org"), mailbox("\"ab\"@example.org"));
    assert_eq!(mailbox("ab@example.org"), mailbox("\"a\\b\"@example.org"));
    assert_eq!(mailbox("\"a b\"@example.org"), mailbox("\"a\\ b\"@example.org"));
    assert_ne!(mailbox("Ab@example.org"), mailbox("ab@example.org"));
}

// [RFC 5321 §4.1.3-a] test
#[test]
fn address_literal_has_a_registered_tag() {
    for good in ["[192.0.2.1]", "[IPv6:2001:db8::1]", "[ipv6:2001:db8::1]"] {
        assert!(good.parse::<AddressLiteral>().is_ok(), "{good}");
    }
    for bad in ["[2001:db8::1]", "[IPv7:1]", "[X400:a]", "[#1]", "[1.2.3]"] {
        assert!(bad.parse::<AddressLiteral>().is_err(), "{bad}");
        assert!(format!("<a@{bad}>").parse::<ReversePath>().is_err(), "{bad}");
    }
}
