//! A queue as a row: Exchange's `Get-Queue`.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::SystemTime;

use transom_types::{DeliveryType, NextHop, Status, Timestamp, TlsClass};

use super::identity::{QueueIdentity, QueueName};
use super::property::properties;
use crate::query::{Kind, Row, RowId, Value};
use crate::scheduler::{Priority, QueueStatus};

/// What a queue is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "a verb must have an answer for each")]
pub enum QueueKind {
    /// Messages that are being routed.
    Submission,
    /// Messages for one next hop.
    Delivery,
    /// Messages that no connector takes.
    Unreachable,
    /// Messages that brought the process down; they stay suspended until somebody looks at them.
    Poison,
}

impl QueueKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Submission, Self::Delivery, Self::Unreachable, Self::Poison];

    fn rank(self) -> u64 {
        match self {
            Self::Submission => 0,
            Self::Delivery => 1,
            Self::Unreachable => 2,
            Self::Poison => 3,
        }
    }

    /// What the queue of a next hop is for.
    pub fn of(next_hop: &NextHop) -> Self {
        match next_hop.kind {
            DeliveryType::Undefined => Self::Submission,
            DeliveryType::Unreachable => Self::Unreachable,
            _ => Self::Delivery,
        }
    }
}

impl fmt::Display for QueueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Submission => "Submission",
            Self::Delivery => "Delivery",
            Self::Unreachable => "Unreachable",
            Self::Poison => "Poison",
        })
    }
}

const DELIVERY_TYPES: &[&str] = &[
    "DnsConnectorDelivery",
    "SmartHostConnectorDelivery",
    "DeliveryAgent",
    "Undefined",
    "Unreachable",
];
const CATEGORIES: &[&str] = &["External", "Internal"];
const TLS_CLASSES: &[&str] = &["Normal", "RequireTls", "TlsRequiredNo"];
const STATUSES: &[&str] = &["Active", "Connecting", "Ready", "Retry", "Suspended"];

properties! {
    /// The properties of a queue, with Exchange's names where it has them.
    QueueProperty of "queues";
    /// Its name: a text.
    Identity = "Identity", "identity", Kind::Text;
    /// How its messages are delivered.
    DeliveryType = "DeliveryType", "delivery-type", Kind::Word(DELIVERY_TYPES);
    /// What names it to people: domain, smart hosts or agent.
    NextHopDomain = "NextHopDomain", "next-hop", Kind::Text;
    /// The send connector.
    NextHopConnector = "NextHopConnector", "connector", Kind::Text;
    /// Whether its messages leave: External or Internal.
    NextHopCategory = "NextHopCategory", "category", Kind::Word(CATEGORIES);
    /// What its messages demand of TLS. Not in Exchange.
    TlsClass = "TlsClass", "tls-class", Kind::Word(TLS_CLASSES);
    /// What it does.
    Status = "Status", "status", Kind::Word(STATUSES);
    /// Messages in it.
    MessageCount = "MessageCount", "messages", Kind::Number;
    /// Those of them that wait for a time of their own or were suspended.
    DeferredMessageCount = "DeferredMessageCount", "deferred", Kind::Number;
    /// Those of them that were suspended. Not in Exchange.
    SuspendedMessageCount = "SuspendedMessageCount", "suspended", Kind::Number;
    /// Attempts under way. Not in Exchange.
    ActiveMessageCount = "ActiveMessageCount", "active", Kind::Number;
    /// Messages that came in the last minute.
    IncomingRate = "IncomingRate", "incoming", Kind::Number;
    /// Messages that were done with in the last minute.
    OutgoingRate = "OutgoingRate", "outgoing", Kind::Number;
    /// How many more were done with than came in the last minute; of a queue that grows, negative.
    Velocity = "Velocity", "velocity", Kind::Number;
    /// What the last failure was.
    LastError = "LastError", "last-error", Kind::Text;
    /// Failed connections since the last success.
    RetryCount = "RetryCount", "retries", Kind::Number;
    /// When the first of them failed.
    FirstRetryTime = "FirstRetryTime", "first-retry", Kind::Instant;
    /// When the last of them failed.
    LastRetryTime = "LastRetryTime", "last-retry", Kind::Instant;
    /// When it connects again.
    NextRetryTime = "NextRetryTime", "next-retry", Kind::Instant;
    /// When its rate limit lets the next attempt begin. Not in Exchange.
    ThrottledUntil = "ThrottledUntil", "throttled-until", Kind::Instant;
}

/// A queue as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueInfo {
    /// Its name. A delivery queue is named by its number.
    pub identity: QueueIdentity,
    /// Its number, which no other queue has; 0 for Submission and Poison.
    pub number: u64,
    /// What it is for.
    pub kind: QueueKind,
    /// Where it leads; none for Submission and Poison.
    pub next_hop: Option<NextHop>,
    /// What it does.
    pub status: QueueStatus,
    /// Messages in it. One whose recipients have different due times counts once for each.
    pub message_count: u32,
    /// The same for each priority, in the order of [`Priority::ALL`]; not counted in Submission and
    /// Poison.
    pub message_counts: Option<[u32; Priority::ALL.len()]>,
    /// Those of them that wait for a time of their own or were suspended.
    pub deferred_count: u32,
    /// Those of them that were suspended.
    pub suspended_count: u32,
    /// Attempts under way.
    pub active_count: u32,
    /// Messages that came in the last minute; not counted in Submission and Poison.
    pub incoming_per_minute: Option<u32>,
    /// Messages that were done with in the last minute; not counted in Submission and Poison.
    pub outgoing_per_minute: Option<u32>,
    /// What the last failure was.
    pub last_error: Option<Arc<Status>>,
    /// Failed connections since the last success.
    pub retry_count: u32,
    /// When the first of them failed.
    pub first_retry: Option<SystemTime>,
    /// When the last of them failed.
    pub last_retry: Option<SystemTime>,
    /// When it connects again.
    pub next_retry: Option<SystemTime>,
    /// When its rate limit lets the next attempt begin.
    pub throttled_until: Option<SystemTime>,
}

impl QueueInfo {
    /// A queue of that kind with nothing in it.
    pub fn new(kind: QueueKind, number: u64) -> Self {
        let name = match kind {
            QueueKind::Submission => Some(QueueName::Submission),
            QueueKind::Unreachable => Some(QueueName::Unreachable),
            QueueKind::Poison => Some(QueueName::Poison),
            QueueKind::Delivery => None,
        };
        let identity = name.and_then(|name| QueueIdentity::new(name).ok());
        Self {
            identity: identity.unwrap_or_else(|| QueueIdentity::number(number)),
            number,
            kind,
            next_hop: None,
            status: QueueStatus::Ready,
            message_count: 0,
            message_counts: None,
            deferred_count: 0,
            suspended_count: 0,
            active_count: 0,
            incoming_per_minute: None,
            outgoing_per_minute: None,
            last_error: None,
            retry_count: 0,
            first_retry: None,
            last_retry: None,
            next_retry: None,
            throttled_until: None,
        }
    }

    /// Says where it leads.
    #[must_use]
    pub fn with_next_hop(self, next_hop: NextHop) -> Self {
        Self { next_hop: Some(next_hop), ..self }
    }

    /// Whether `identity` means this queue. `server` is the name of this server.
    pub fn is_meant_by(&self, identity: &QueueIdentity, server: &str) -> bool {
        let here = identity.server().is_none_or(|named| named.eq_ignore_ascii_case(server));
        here && match identity.name() {
            QueueName::Any => true,
            QueueName::Submission => self.kind == QueueKind::Submission,
            QueueName::Unreachable => self.kind == QueueKind::Unreachable,
            QueueName::Poison => self.kind == QueueKind::Poison,
            QueueName::Number(number) => self.number == *number && self.number != 0,
            QueueName::NextHop(domain) => {
                self.kind == QueueKind::Delivery
                    && self.next_hop_domain().eq_ignore_ascii_case(domain.as_str())
            }
        }
    }

    /// Exchange's `NextHopDomain`: what names the queue to people.
    pub fn next_hop_domain(&self) -> &str {
        match (self.kind, &self.next_hop) {
            (QueueKind::Submission, _) => "Submission",
            (QueueKind::Poison, _) => "Poison Message",
            (QueueKind::Unreachable, _) => "Unreachable Domain",
            (QueueKind::Delivery, next_hop) => {
                next_hop.as_ref().map_or("", |next_hop| next_hop.domain.as_str())
            }
        }
    }

    fn delivery_type(&self) -> &'static str {
        match (self.kind, self.next_hop.as_ref().map(|next_hop| next_hop.kind)) {
            (QueueKind::Unreachable, _) => "Unreachable",
            (QueueKind::Delivery, Some(DeliveryType::DnsConnectorDelivery)) => {
                "DnsConnectorDelivery"
            }
            (QueueKind::Delivery, Some(DeliveryType::SmartHostConnectorDelivery)) => {
                "SmartHostConnectorDelivery"
            }
            (QueueKind::Delivery, Some(DeliveryType::DeliveryAgent)) => "DeliveryAgent",
            _ => "Undefined",
        }
    }

    fn velocity(&self) -> Option<i64> {
        let (out, into) = (self.outgoing_per_minute?, self.incoming_per_minute?);
        Some(i64::from(out).saturating_sub(i64::from(into)))
    }

    fn tls_class(&self) -> Value<'static> {
        match self.next_hop.as_ref().map(|next_hop| next_hop.tls) {
            Some(TlsClass::Normal) => Value::Word("Normal"),
            Some(TlsClass::RequireTls) => Value::Word("RequireTls"),
            Some(TlsClass::TlsRequiredNo) => Value::Word("TlsRequiredNo"),
            _ => Value::Absent,
        }
    }
}

impl Row for QueueInfo {
    type Property = QueueProperty;

    fn id(&self) -> RowId {
        RowId(self.number, self.kind.rank())
    }

    fn value(&self, property: QueueProperty) -> Value<'_> {
        let number = |number: u32| Value::Number(number.into());
        match property {
            QueueProperty::Identity => Value::Text(Cow::Owned(self.identity.to_string())),
            QueueProperty::DeliveryType => Value::Word(self.delivery_type()),
            QueueProperty::NextHopDomain => Value::Text(Cow::Borrowed(self.next_hop_domain())),
            QueueProperty::NextHopConnector => {
                let connector = self.next_hop.as_ref().map(|hop| hop.connector.as_str());
                connector.map_or(Value::Absent, |name| Value::Text(Cow::Borrowed(name)))
            }
            QueueProperty::NextHopCategory => Value::Word(match self.kind {
                QueueKind::Delivery => "External",
                _ => "Internal",
            }),
            QueueProperty::TlsClass => self.tls_class(),
            QueueProperty::Status => Value::Word(status_word(self.status)),
            QueueProperty::MessageCount => number(self.message_count),
            QueueProperty::DeferredMessageCount => number(self.deferred_count),
            QueueProperty::SuspendedMessageCount => number(self.suspended_count),
            QueueProperty::ActiveMessageCount => number(self.active_count),
            QueueProperty::IncomingRate => self.incoming_per_minute.map_or(Value::Absent, number),
            QueueProperty::OutgoingRate => self.outgoing_per_minute.map_or(Value::Absent, number),
            QueueProperty::Velocity => self.velocity().map_or(Value::Absent, Value::Number),
            QueueProperty::LastError => self.last_error.as_ref().map_or(Value::Absent, |status| {
                Value::Text(Cow::Owned(last_error(status, self.last_retry)))
            }),
            QueueProperty::RetryCount => number(self.retry_count),
            QueueProperty::FirstRetryTime => instant(self.first_retry),
            QueueProperty::LastRetryTime => instant(self.last_retry),
            QueueProperty::NextRetryTime => instant(self.next_retry),
            QueueProperty::ThrottledUntil => instant(self.throttled_until),
        }
    }
}

fn status_word(status: QueueStatus) -> &'static str {
    match status {
        QueueStatus::Active => "Active",
        QueueStatus::Connecting => "Connecting",
        QueueStatus::Ready => "Ready",
        QueueStatus::Retry => "Retry",
        QueueStatus::Suspended => "Suspended",
    }
}

pub(super) fn instant(at: Option<SystemTime>) -> Value<'static> {
    at.map_or(Value::Absent, Value::Instant)
}

/// An error in Exchange's form: `[{LRT=time};{LED=reply};{FQDN=host};{IP=address}]`. What is not
/// known stays empty.
pub(super) fn last_error(status: &Status, at: Option<SystemTime>) -> String {
    let mut text = String::from("[{LRT=");
    let at = at.and_then(|at| Timestamp::from_unix(crate::query::seconds(at)));
    // Appending to a String cannot fail.
    let _ = at.map_or(Ok(()), |at| write!(text, "{at}"));
    let _ = write!(text, "}};{{LED={}}};{{FQDN=", status.reply.to_line());
    let remote = status.remote.as_ref();
    let name = remote.map_or("", |remote| remote.name.as_str());
    text.extend(name.chars().map(|c| if c.is_control() { '?' } else { c }));
    text.push_str("};{IP=");
    let address = remote.and_then(|remote| remote.address);
    let _ = address.map_or(Ok(()), |address| write!(text, "{}", address.ip()));
    text.push_str("}]");
    text
}
