//! There and back, for as long as it holds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use transom_types::{Mailbox, ReversePath, Secret};

use super::{DAY, Srs, SrsError};

fn srs(domain: &str) -> Srs {
    Srs::new(domain.parse().unwrap(), Secret::new(*b"the key of tests")).unwrap()
}

fn at(days: u32) -> SystemTime {
    UNIX_EPOCH + DAY * days
}

fn path(text: &str) -> ReversePath {
    ReversePath::from(text.parse::<Mailbox>().unwrap())
}

fn forward(srs: &Srs, sender: &str, days: u32) -> Mailbox {
    srs.forward(&path(sender), at(days)).unwrap().mailbox().unwrap().clone()
}

#[test]
fn a_sender_is_found_again_for_three_weeks() {
    let srs = srs("b.example");
    for day in [0, 20_000, 1023, 1024] {
        let address = forward(&srs, "ann@a.example", day);
        assert!(srs.is_ours(&address));
        assert_eq!(srs.reverse(&address, at(day + 21)).unwrap().as_str(), "ann@a.example");
        assert_eq!(srs.reverse(&address, at(day + 22)), Err(SrsError::Expired));
        assert_eq!(srs.reverse(&address, at(day + 1000)), Err(SrsError::Expired));
    }
    // A clock that is behind by a day is no harm.
    let tomorrow = forward(&srs, "ann@a.example", 101);
    assert!(srs.reverse(&tomorrow, at(100)).is_ok());
    assert_eq!(srs.reverse(&tomorrow, at(99)), Err(SrsError::Expired));
}

#[test]
fn forwarders_in_a_row_lead_back_to_the_first() {
    let (b, c, d) = (srs("b.example"), srs("c.example"), srs("d.example"));
    let at_b = forward(&b, "ann@a.example", 5);
    let at_c = forward(&c, at_b.as_str(), 5);
    let at_d = forward(&d, at_c.as_str(), 5);
    assert!(at_c.as_str().starts_with("SRS1="));
    assert_eq!(at_d.as_str().len(), at_c.as_str().len());
    for (from, srs) in [(&at_d, &d), (&at_c, &c)] {
        assert_eq!(srs.reverse(from, at(6)).unwrap(), at_b);
    }
    assert_eq!(b.reverse(&at_b, at(6)).unwrap().as_str(), "ann@a.example");
}

#[test]
fn what_was_not_made_here_leads_nowhere() {
    let srs = srs("b.example");
    let address = forward(&srs, "ann@a.example", 5);
    let changed = |from: &str, to: &str| address.as_str().replace(from, to).parse().unwrap();
    assert_eq!(srs.reverse(&changed("a.example", "c.example"), at(5)), Err(SrsError::Forged));
    assert_eq!(srs.reverse(&changed("=ann@", "=eve@"), at(5)), Err(SrsError::Forged));
    assert_eq!(srs.reverse(&changed("SRS0=", "SRS1="), at(5)), Err(SrsError::Malformed));
    assert_eq!(srs.reverse(&changed("b.example", "c.example"), at(5)), Err(SrsError::NotOurs));
    for (text, error) in [
        ("ann@b.example", SrsError::NotOurs),
        ("SRS0=ann@b.example", SrsError::Malformed),
        ("SRS0=aaaaaaaa=aa=a.example=ann@b.example", SrsError::Forged),
        ("SRS0=aaaa=aa=a.example=ann@b.example", SrsError::Forged),
        ("SRS0==aa=a.example=ann@b.example", SrsError::Forged),
    ] {
        assert_eq!(srs.reverse(&text.parse().unwrap(), at(5)), Err(error), "{text}");
    }
    let other = Srs::new("b.example".parse().unwrap(), Secret::new(*b"another key here")).unwrap();
    assert_eq!(other.reverse(&address, at(5)), Err(SrsError::Forged));
    let turned = other.with_old_key(Secret::new(*b"the key of tests")).unwrap();
    assert!(turned.reverse(&address, at(5)).is_ok());
}

#[test]
fn case_that_a_host_changed_does_no_harm() {
    let srs = srs("b.example");
    let address = forward(&srs, "Ann@A.example", 5);
    let lower: Mailbox = address.as_str().to_ascii_lowercase().parse().unwrap();
    assert_eq!(srs.reverse(&lower, at(5)).unwrap().as_str(), "ann@a.example");
}

#[test]
fn what_needs_no_rewriting_stays() {
    let srs = srs("b.example");
    assert_eq!(srs.forward(&ReversePath::Null, at(0)), Ok(ReversePath::Null));
    assert_eq!(srs.forward(&path("x@B.example"), at(0)), Ok(path("x@b.example")));
    assert_eq!(srs.forward(&path("x@[192.0.2.1]"), at(0)), Err(SrsError::NoDomain));
}

#[test]
fn keys_and_addresses_are_bounded() {
    let short = Srs::new("b.example".parse().unwrap(), Secret::new(*b"short"));
    assert_eq!(short.unwrap_err(), SrsError::ShortKey { octets: 5 });
    let long = format!("{}@a.example", "x".repeat(310));
    let error = srs("b.example").forward(&path(&long), at(0)).unwrap_err();
    assert_eq!(error, SrsError::TooLong { octets: 337, limit: 315 });
    let day = srs("b.example").with_validity(Duration::ZERO);
    let address = forward(&day, "ann@a.example", 5);
    assert!(day.reverse(&address, at(5)).is_ok());
    assert_eq!(day.reverse(&address, at(6)), Err(SrsError::Expired));
}

proptest! {
    #[test]
    fn every_sender_is_found_again(
        local in "[a-zA-Z0-9=+!._-]{1,40}|\"[ -!#-\\[\\]-~]{0,40}\"",
        domain in "[a-z]{1,10}(\\.[a-z]{1,10}){0,4}",
        days in 0u32..30_000,
    ) {
        if let Ok(sender) = format!("{local}@{domain}").parse::<Mailbox>()
            && !local.to_ascii_uppercase().starts_with("SRS")
            && !local.to_ascii_uppercase().starts_with("\"SRS")
        {
            let srs = srs("b.example");
            let address = forward(&srs, sender.as_str(), days);
            let found = srs.reverse(&address, at(days)).unwrap();
            prop_assert_eq!(found.local_part().unquoted(), sender.local_part().unquoted());
            prop_assert_eq!(found.domain(), sender.domain());
        }
    }

    #[test]
    fn no_address_breaks_the_way_back(local in "(SRS|srs)[0-2][=+-][a-z=2-7.]{0,60}") {
        if let Ok(address) = format!("{local}@b.example").parse::<Mailbox>() {
            let _ = srs("b.example").reverse(&address, at(9));
            let _ = srs("c.example").forward(&ReversePath::from(address), at(9));
        }
    }
}
