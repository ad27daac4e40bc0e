//! Identities, the rows of queues and messages, the table of ages.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use transom_types::{
    AttemptStage, ConnectorId, DeliveryType, EnhancedStatusCode, InternalMessageId, NextHop,
    NextHopDomain, Outcome, RemoteHost, Reply, ReplyCode, Status, StatusClass, TlsClass,
};

use crate::message::{MessageState, RecipientState};
use crate::query::{Filter, Kind, Property, Query, Row, Value};
use crate::scheduler::{Priority, QueueStatus, UnitStatus};
use crate::testing::sample_message;
use crate::view::*;

fn hop(kind: DeliveryType, domain: &str) -> NextHop {
    NextHop {
        kind,
        domain: NextHopDomain::new(domain),
        connector: ConnectorId::new("internet"),
        tls: TlsClass::Normal,
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn refused() -> Status {
    let code: ReplyCode = "451".parse().unwrap();
    let enhanced = EnhancedStatusCode::new(StatusClass::PersistentTransient, 4, 1);
    let host =
        RemoteHost { name: "mx1.contoso.com".into(), address: Some(([192, 0, 2, 7], 25).into()) };
    Status::remote(AttemptStage::Connect, Reply::new(code, enhanced, "not now"), host)
}

#[test]
fn a15_queue_identities_are_read_and_printed() {
    for (text, printed, name) in [
        ("Submission", "Submission", QueueName::Submission),
        (r"mx1\submission", r"mx1\Submission", QueueName::Submission),
        ("UNREACHABLE", "Unreachable", QueueName::Unreachable),
        (r"mx1\Poison", r"mx1\Poison", QueueName::Poison),
        (r"mx1\*", r"mx1\*", QueueName::Any),
        ("017", "17", QueueName::Number(17)),
        ("contoso.com", "contoso.com", QueueName::NextHop(NextHopDomain::new("contoso.com"))),
        (
            r"mx1\relay.example,[192.0.2.1]",
            r"mx1\relay.example,[192.0.2.1]",
            QueueName::NextHop(NextHopDomain::new("relay.example,[192.0.2.1]")),
        ),
        ("my mailboxes", "my mailboxes", QueueName::NextHop(NextHopDomain::new("my mailboxes"))),
    ] {
        let identity: QueueIdentity = text.parse().unwrap();
        assert_eq!((identity.to_string().as_str(), identity.name()), (printed, &name), "{text}");
        assert_eq!(printed.parse(), Ok(identity), "{text}");
    }
    for (text, wrong) in [
        ("", ParseIdentityError::Queue),
        (r"mx1\", ParseIdentityError::Queue),
        (r"\contoso.com", ParseIdentityError::Server),
        (r"*\contoso.com", ParseIdentityError::Server),
        (r"mx1\a\b", ParseIdentityError::Queue),
        (" contoso.com", ParseIdentityError::Queue),
        ("conto\u{0}so", ParseIdentityError::Queue),
    ] {
        assert_eq!(text.parse::<QueueIdentity>(), Err(wrong), "{text:?}");
    }
}

#[test]
fn a15_next_hop_that_looks_like_something_else_is_named_by_its_number() {
    for name in ["Poison", "submission", "25", "*"] {
        let name = QueueName::NextHop(NextHopDomain::new(name));
        assert_eq!(QueueIdentity::new(name), Err(ParseIdentityError::Ambiguous));
    }
    let name = QueueName::NextHop(NextHopDomain::new("a\\b"));
    assert_eq!(QueueIdentity::new(name), Err(ParseIdentityError::Queue));
}

#[test]
fn a15_message_identities_are_read_and_printed() {
    for (text, queue) in [
        (r"mx1\contoso.com\25", Some(r"mx1\contoso.com")),
        (r"mx1\*\25", Some(r"mx1\*")),
        (r"Poison\25", Some("Poison")),
        ("25", None),
    ] {
        let identity: MessageIdentity = text.parse().unwrap();
        let expected = queue.map(|queue| queue.parse().unwrap());
        assert_eq!((&identity.queue, identity.message.0), (&expected, 25), "{text}");
        assert_eq!(identity.to_string(), text);
    }
    for text in ["", "x", r"mx1\contoso.com\x", r"contoso.com\", "-1", "18446744073709551616"] {
        assert_eq!(text.parse::<MessageIdentity>(), Err(ParseIdentityError::Message), "{text}");
    }
}

#[test]
fn a15_identity_means_the_queues_that_exchange_means() {
    let queue = |kind, number, domain: &str| {
        QueueInfo::new(kind, number).with_next_hop(hop(DeliveryType::DnsConnectorDelivery, domain))
    };
    let queues = [
        QueueInfo::new(QueueKind::Submission, 0),
        queue(QueueKind::Delivery, 4, "contoso.com"),
        queue(QueueKind::Delivery, 5, "fabrikam.com"),
        queue(QueueKind::Delivery, 6, "Contoso.com"),
        queue(QueueKind::Unreachable, 7, "Unreachable Domain"),
        QueueInfo::new(QueueKind::Poison, 0),
    ];
    for (identity, meant) in [
        ("Submission", vec![0]),
        ("Unreachable", vec![7]),
        ("Poison", vec![0]),
        ("contoso.com", vec![4, 6]),
        (r"MX1\5", vec![5]),
        (r"mx1\*", vec![0, 4, 5, 6, 7, 0]),
        ("0", vec![]),
        (r"mx2\*", vec![]),
        ("9", vec![]),
    ] {
        let identity: QueueIdentity = identity.parse().unwrap();
        let found = queues.iter().filter(|queue| queue.is_meant_by(&identity, "mx1"));
        assert_eq!(found.map(|queue| queue.number).collect::<Vec<_>>(), meant, "{identity}");
    }
}

#[test]
fn a15_queue_has_the_names_of_exchange() {
    let delivery = |kind| QueueInfo::new(QueueKind::Delivery, 4).with_next_hop(hop(kind, "x.org"));
    for (queue, identity, delivery_type, domain, category) in [
        (
            QueueInfo::new(QueueKind::Submission, 0),
            "Submission",
            "Undefined",
            "Submission",
            "Internal",
        ),
        (QueueInfo::new(QueueKind::Poison, 0), "Poison", "Undefined", "Poison Message", "Internal"),
        (
            QueueInfo::new(QueueKind::Unreachable, 3),
            "Unreachable",
            "Unreachable",
            "Unreachable Domain",
            "Internal",
        ),
        (
            delivery(DeliveryType::DnsConnectorDelivery),
            "4",
            "DnsConnectorDelivery",
            "x.org",
            "External",
        ),
        (
            delivery(DeliveryType::SmartHostConnectorDelivery),
            "4",
            "SmartHostConnectorDelivery",
            "x.org",
            "External",
        ),
        (delivery(DeliveryType::DeliveryAgent), "4", "DeliveryAgent", "x.org", "External"),
    ] {
        let value = |property| queue.value(property);
        assert_eq!(value(QueueProperty::Identity), Value::Text(identity.into()));
        assert_eq!(value(QueueProperty::DeliveryType), Value::Word(delivery_type));
        assert_eq!(value(QueueProperty::NextHopDomain), Value::Text(domain.into()));
        assert_eq!(value(QueueProperty::NextHopCategory), Value::Word(category));
    }
}

fn full_queue() -> QueueInfo {
    let mut queue = QueueInfo::new(QueueKind::Delivery, 4)
        .with_next_hop(hop(DeliveryType::DnsConnectorDelivery, "contoso.com"));
    queue.status = QueueStatus::Retry;
    queue.message_count = 12;
    queue.deferred_count = 3;
    queue.suspended_count = 2;
    queue.active_count = 1;
    queue.incoming_per_minute = Some(30);
    queue.outgoing_per_minute = Some(10);
    queue.retry_count = 5;
    queue.last_error = Some(std::sync::Arc::new(refused()));
    queue.first_retry = Some(at(1_795_521_000));
    queue.last_retry = Some(at(1_795_521_600));
    queue.next_retry = Some(at(1_795_521_900));
    queue.throttled_until = Some(at(1_795_521_700));
    queue
}

fn full_message() -> MessageInfo {
    let identity = r"mx1\4\25".parse().unwrap();
    let accepted = sample_message(1, 3, 5000);
    let wall = accepted.received_at + Duration::from_hours(5);
    let message = MessageInfo::new(identity, 4, UnitStatus::Retry, wall);
    let mut message = message.with_received_at(accepted.received_at, wall);
    message.priority = Priority::High;
    message.places = vec![0, 1];
    message.octets = 5000;
    message.retry_count = 2;
    message.next_retry = Some(at(1_795_521_900));
    message.expires_at = Some(at(1_795_600_000));
    let mut state = MessageState::default();
    state.recipients.resize(3, RecipientState::default());
    state.recipients[0].outcome = Some(Outcome::Deferred(refused()));
    state.recipients[0].attempts = 2;
    message.with_stored(&accepted, &state)
}

/// Every property has a value of its kind in a row that has everything, and can be filtered by.
fn check<R: Row + Clone>(row: &R) {
    for property in R::Property::ALL {
        let value = row.value(*property);
        let of_kind = match (&value, property.kind()) {
            (Value::Duration(_), Kind::Duration)
            | (Value::Instant(_), Kind::Instant)
            | (Value::Number(_), Kind::Number)
            | (Value::Text(_), Kind::Text)
            | (Value::Texts(_), Kind::Texts) => true,
            (Value::Word(word), Kind::Word(words)) => words.contains(word),
            _ => false,
        };
        assert!(of_kind, "{property:?} is {value:?}");
        for name in [property.name(), property.plain_name()] {
            let filter: Filter<R::Property> = format!("{name} -ne $null").parse().unwrap();
            assert!(filter.matches(row), "{filter}");
        }
    }
}

#[test]
fn a15_every_property_has_a_value_of_its_kind() {
    check(&full_queue());
    check(&full_message());
}

#[test]
fn names_of_properties_are_unique_and_no_words_of_the_grammar() {
    fn names<P: Property>() -> Vec<String> {
        let names = P::ALL.iter().flat_map(|one| {
            let (name, plain) = (one.name().to_lowercase(), one.plain_name().to_lowercase());
            if name == plain { vec![name] } else { vec![name, plain] }
        });
        names.collect()
    }
    for mut all in [names::<QueueProperty>(), names::<MessageProperty>()] {
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|name| !["and", "or", "not", "like"].contains(&name.as_str())));
    }
}

#[test]
fn queues_are_asked_for_as_in_exchange() {
    for (filter, through) in [
        (r#"{Status -eq "Retry" -and MessageCount -ge 10}"#, true),
        ("{LastError -like '*4.4.1*'}", true),
        ("NextHopDomain -eq 'CONTOSO.COM' -and DeliveryType -eq 'DnsConnectorDelivery'", true),
        ("status = active", false),
        ("next-retry > 2026-11-24T12:00:00Z and retries >= 5", true),
        ("identity = 4", true),
        ("Velocity -le -20 -and IncomingRate -gt 29 -and OutgoingRate -lt 11", true),
    ] {
        let filter: Filter<QueueProperty> = filter.parse().unwrap();
        assert_eq!(filter.matches(&full_queue()), through, "{filter}");
    }
}

#[test]
fn last_error_has_the_form_of_exchange() {
    let expected = "[{LRT=2026-11-24T12:00:00Z};{LED=451 4.4.1 not now};\
                    {FQDN=mx1.contoso.com};{IP=192.0.2.7}]";
    assert_eq!(full_queue().value(QueueProperty::LastError), Value::Text(expected.into()));
}

#[test]
fn messages_are_asked_for_as_in_exchange() {
    for (filter, through) in [
        ("FromAddress -like '*@contoso.com'", true),
        ("{Recipients -like '*.of1@fabrikam.com' -and Size -gt 4KB}", true),
        // The third recipient waits elsewhere.
        ("to = user2.of1@fabrikam.com", false),
        ("Subject -eq 'message 1' -and InternetMessageId -eq '<1@contoso.com>'", true),
        ("MessageSourceName -eq 'SMTP:Default Frontend' -and SourceIP -eq '192.0.2.7'", true),
        ("age > 4h and age <= 5h", true),
        ("priority = high and status = retry", true),
        ("last-error like '*not now*'", true),
        ("Identity -like 'mx1\\4\\*' -and Queue -eq 'mx1\\4'", true),
    ] {
        let filter: Filter<MessageProperty> = filter.parse().unwrap();
        assert_eq!(filter.matches(&full_message()), through, "{filter}");
    }
}

#[test]
fn recipients_stand_as_their_outcomes_say() {
    let accepted = sample_message(1, 4, 100);
    let mut state = MessageState::default();
    state.recipients.resize(4, RecipientState::default());
    state.recipients[0].outcome = Some(Outcome::Relayed(refused()));
    state.recipients[1].outcome = Some(Outcome::InDoubt(refused()));
    let now = accepted.received_at;
    let mut message = MessageInfo::new("1".parse().unwrap(), 4, UnitStatus::Ready, now);
    message.places = vec![0, 1, 2, 77];
    let message = message.with_stored(&accepted, &state);
    let stored = message.stored.unwrap();
    let statuses: Vec<RecipientStatus> = stored.recipients.iter().map(|one| one.status).collect();
    let expected = [RecipientStatus::Complete, RecipientStatus::Retry, RecipientStatus::Ready];
    assert_eq!(statuses, expected);
    let errors: Vec<bool> = stored.recipients.iter().map(|one| one.last_error.is_some()).collect();
    assert_eq!(errors, [false, true, false]);
}

#[test]
fn report_comes_from_nobody() {
    let accepted = sample_message(2, 1, 100);
    let message = MessageInfo::new("1".parse().unwrap(), 4, UnitStatus::Ready, at(0));
    let message = message.with_received_at(accepted.received_at, at(0));
    let message = message.with_stored(&accepted, &MessageState::default());
    assert_eq!(message.value(MessageProperty::FromAddress), Value::Text("<>".into()));
    assert_eq!(message.value(MessageProperty::MessageSourceName), Value::Text("DSN".into()));
    // Received later than now: no age at all.
    assert_eq!(message.value(MessageProperty::MessageLatency), Value::Duration(Duration::ZERO));
}

#[test]
fn what_the_spool_alone_knows_is_absent_until_it_was_asked() {
    let without = MessageInfo { stored: None, ..full_message() };
    for property in MessageProperty::ALL {
        let absent = without.value(*property) == Value::Absent;
        assert_eq!(absent, property.is_stored(), "{property:?}");
    }
    let filter: Filter<MessageProperty> = "status = retry and size > 1KB".parse().unwrap();
    assert!(!filter.uses(MessageProperty::is_stored));
    let filter: Filter<MessageProperty> = "status = retry or subject like '*x*'".parse().unwrap();
    assert!(filter.uses(MessageProperty::is_stored));
}

#[test]
fn units_of_one_message_are_rows_of_their_own() {
    let row = |place: u32| {
        let identity = MessageIdentity { queue: None, message: InternalMessageId(25) };
        let mut row = MessageInfo::new(identity, 4, UnitStatus::Ready, at(0));
        row.places = vec![place];
        row
    };
    let page = Query::new(1).page([row(2), row(0), row(1)]).unwrap();
    let places: Vec<u32> = page.rows.iter().map(|row| row.places[0]).collect();
    assert_eq!(places, [0, 1, 2]);
}

#[test]
fn ages_fall_into_columns_that_double() {
    let limits = AgeHistogram::LIMITS;
    assert!(limits.windows(2).all(|pair| pair[1] == pair[0] * 2));
    let mut ages = AgeHistogram::new();
    for limit in limits {
        ages.add("at", limit);
        ages.add("past", limit + Duration::from_nanos(1));
    }
    ages.add("past", Duration::MAX);
    let rows = ages.rows();
    assert_eq!(rows[0].0, "past");
    assert_eq!(rows[0].1.counts, [0, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    assert_eq!(rows[1].1.counts, [1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
    assert_eq!(ages.total().total, 19);
}

#[test]
fn more_destinations_than_fit_share_a_line() {
    let mut ages = AgeHistogram::new();
    for number in 0..AgeHistogram::DESTINATIONS_MAX + 2 {
        ages.add(&number.to_string(), Duration::ZERO);
    }
    ages.add("0", Duration::ZERO);
    assert_eq!(ages.rows().len(), AgeHistogram::DESTINATIONS_MAX);
    assert_eq!(ages.rows()[0].1.total, 2);
    assert_eq!(ages.others().total, 2);
    assert!(ages.to_string().ends_with(&format!("OTHER{:>7}{:>7}{}\n", 2, 2, "      0".repeat(9))));
}

proptest! {
    #[test]
    fn identities_that_are_read_print_as_the_same(text in "(mx1)?\\\\?(\\PC{0,12}|[0-9]{1,3})") {
        if let Ok(identity) = text.parse::<QueueIdentity>() {
            prop_assert_eq!(identity.to_string().parse(), Ok(identity));
        }
        let message = format!("{text}\\7");
        if let Ok(identity) = message.parse::<MessageIdentity>() {
            prop_assert_eq!(identity.to_string().parse(), Ok(identity));
        }
    }

    #[test]
    fn columns_add_up(ages in proptest::collection::vec(("[ab]", 0u64..200_000), 0..50)) {
        let mut histogram = AgeHistogram::new();
        for (destination, seconds) in &ages {
            histogram.add(destination, Duration::from_secs(*seconds));
        }
        let sum = |row: &AgeRow| row.counts.iter().sum::<u64>();
        prop_assert_eq!(sum(histogram.total()), u64::try_from(ages.len()).unwrap());
        for (destination, row) in histogram.rows() {
            let count = ages.iter().filter(|(name, _)| name == destination).count();
            prop_assert_eq!((row.total, sum(row)), (u64::try_from(count).unwrap(), row.total));
        }
    }
}
