//! A message in a queue as a row: Exchange's `Get-Message`.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use transom_types::{
    ForwardPath, InternetMessageId, NetworkMessageId, Outcome, Recipient, ReversePath,
};

use super::identity::MessageIdentity;
use super::property::properties;
use super::queue::{instant, last_error};
use crate::message::{Accepted, IngressKind, MessageState, RecipientState};
use crate::query::{Kind, Row, RowId, Value};
use crate::scheduler::{Priority, UnitStatus};

const STATUSES: &[&str] =
    &["Active", "Ready", "Retry", "Suspended", "PendingSuspend", "PendingRemove"];
const PRIORITIES: &[&str] = &["System", "High", "Normal", "Low", "Bulk"];

properties! {
    /// The properties of a message in a queue, with Exchange's names where it has them.
    MessageProperty of "messages";
    /// Its name: a text.
    Identity = "Identity", "identity", Kind::Text;
    /// The queue it is in.
    Queue = "Queue", "queue", Kind::Text;
    /// What becomes of it.
    Status = "Status", "status", Kind::Word(STATUSES);
    /// `RFC5321.MailFrom`; `<>` for a report.
    FromAddress = "FromAddress", "from", Kind::Text;
    /// Its recipients in this queue.
    Recipients = "Recipients", "to", Kind::Texts;
    /// Its subject.
    Subject = "Subject", "subject", Kind::Text;
    /// Its Message-ID.
    InternetMessageId = "InternetMessageId", "message-id", Kind::Text;
    /// Its id in all its copies. Not in Exchange's `Get-Message`.
    NetworkMessageId = "NetworkMessageId", "network-id", Kind::Text;
    /// Size in octets.
    Size = "Size", "size", Kind::Number;
    /// The address of the peer that brought it.
    SourceIp = "SourceIP", "source-ip", Kind::Text;
    /// How it came in: `SMTP:` and the receive connector, `DSN`, or the part of the program.
    MessageSourceName = "MessageSourceName", "source", Kind::Text;
    /// When custody began.
    DateReceived = "DateReceived", "received", Kind::Instant;
    /// When it is given up.
    ExpirationTime = "ExpirationTime", "expires", Kind::Instant;
    /// What the last attempt for a recipient in this queue ended with.
    LastError = "LastError", "last-error", Kind::Text;
    /// Attempts behind it.
    RetryCount = "RetryCount", "retries", Kind::Number;
    /// When it is attempted again. Not in Exchange.
    NextRetryTime = "NextRetryTime", "next-retry", Kind::Instant;
    /// How urgent it is.
    Priority = "Priority", "priority", Kind::Word(PRIORITIES);
    /// How long it has been here.
    MessageLatency = "MessageLatency", "age", Kind::Duration;
}

impl MessageProperty {
    /// Whether the value stands in the spool only. A filter and a sort that ask for none of these
    /// need no message to be opened.
    pub fn is_stored(self) -> bool {
        !matches!(
            self,
            Self::Identity
                | Self::Queue
                | Self::Status
                | Self::Size
                | Self::DateReceived
                | Self::ExpirationTime
                | Self::RetryCount
                | Self::NextRetryTime
                | Self::Priority
                | Self::MessageLatency
        )
    }
}

/// Recipients of a message in a queue as a row. A message whose recipients in the queue have
/// different due times is one row for each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageInfo {
    /// Its name.
    pub identity: MessageIdentity,
    /// The number of the queue.
    pub queue: u64,
    /// What becomes of it.
    pub status: UnitStatus,
    /// How urgent it is.
    pub priority: Priority,
    /// Places of the recipients in the envelope, at least one.
    pub places: Vec<u32>,
    /// Size in octets.
    pub octets: u64,
    /// Attempts behind it.
    pub retry_count: u32,
    /// When custody began, to whole seconds.
    pub received_at: SystemTime,
    /// How long that is ago.
    pub age: Duration,
    /// When it is attempted again, if it waits for that.
    pub next_retry: Option<SystemTime>,
    /// When it is given up; none for never.
    pub expires_at: Option<SystemTime>,
    /// What the spool knows; none as long as nobody asked it.
    pub stored: Option<StoredInfo>,
}

/// What the spool knows of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredInfo {
    /// `RFC5321.MailFrom`.
    pub reverse_path: ReversePath,
    /// Its recipients in this queue.
    pub recipients: Vec<RecipientInfo>,
    /// Its subject.
    pub subject: Option<String>,
    /// Its Message-ID.
    pub internet_message_id: Option<InternetMessageId>,
    /// Its id in all its copies.
    pub network_message_id: NetworkMessageId,
    /// The address of the peer that brought it.
    pub source_ip: Option<IpAddr>,
    /// How it came in.
    pub source: String,
}

/// A recipient of a message: Exchange's `-IncludeRecipientInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who, and how it stands")]
pub struct RecipientInfo {
    /// `RFC5321.RcptTo`.
    pub forward_path: ForwardPath,
    /// How it stands.
    pub status: RecipientStatus,
    /// Attempts behind it.
    pub attempts: u32,
    /// What the last one ended with, if that was no success.
    pub last_error: Option<String>,
}

/// How a recipient stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecipientStatus {
    /// Done with.
    Complete,
    /// Not attempted yet.
    Ready,
    /// Attempted without success.
    Retry,
}

impl RecipientInfo {
    fn new(recipient: &Recipient, state: Option<&RecipientState>) -> Self {
        let outcome = state.and_then(|state| state.outcome.as_ref());
        let status = match outcome {
            None => RecipientStatus::Ready,
            Some(outcome) if outcome.is_terminal() => RecipientStatus::Complete,
            Some(_) => RecipientStatus::Retry,
        };
        let failed = outcome.filter(|outcome| {
            matches!(outcome, Outcome::Deferred(_) | Outcome::Failed(_) | Outcome::InDoubt(_))
        });
        Self {
            forward_path: recipient.forward_path.clone(),
            status,
            attempts: state.map_or(0, |state| state.attempts),
            last_error: failed.and_then(Outcome::status).map(|status| last_error(status, None)),
        }
    }
}

impl MessageInfo {
    /// Recipients of a message in a queue, of which nothing more is known yet: it was received
    /// just now.
    pub fn new(
        identity: MessageIdentity,
        queue: u64,
        status: UnitStatus,
        wall: SystemTime,
    ) -> Self {
        Self {
            identity,
            queue,
            status,
            priority: Priority::Normal,
            places: Vec::new(),
            octets: 0,
            retry_count: 0,
            received_at: whole_seconds(wall),
            age: Duration::ZERO,
            next_retry: None,
            expires_at: None,
            stored: None,
        }
    }

    /// Says when custody began.
    #[must_use]
    pub fn with_received_at(self, received_at: SystemTime, wall: SystemTime) -> Self {
        let received_at = whole_seconds(received_at);
        let age = wall.duration_since(received_at).unwrap_or_default();
        Self { received_at, age, ..self }
    }

    /// Adds what the spool knows: [`Spool::open`](crate::Spool::open) gives both.
    #[must_use]
    pub fn with_stored(self, message: &Accepted, state: &MessageState) -> Self {
        let places = self.places.iter().filter_map(|place| usize::try_from(*place).ok());
        let recipients = places.filter_map(|place| {
            let recipient = message.envelope.recipients.get(place)?;
            Some(RecipientInfo::new(recipient, state.recipients.get(place)))
        });
        let stored = StoredInfo {
            reverse_path: message.envelope.reverse_path.clone(),
            recipients: recipients.collect(),
            subject: message.facts.subject.clone(),
            internet_message_id: message.facts.message_id.clone(),
            network_message_id: message.network_id,
            source_ip: message.ingress.peer.map(|peer| peer.ip()),
            source: match message.ingress.kind {
                IngressKind::Smtp => format!("SMTP:{}", message.ingress.connector),
                IngressKind::Dsn => "DSN".to_owned(),
                IngressKind::Program => message.ingress.connector.clone(),
            },
        };
        Self { stored: Some(stored), ..self }
    }
}

/// As the scheduler keeps it: a message has one time of arrival, wherever it is.
fn whole_seconds(wall: SystemTime) -> SystemTime {
    let seconds = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let whole = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    whole.unwrap_or(SystemTime::UNIX_EPOCH)
}

impl StoredInfo {
    fn value(&self, property: MessageProperty) -> Value<'_> {
        let text = |text: &'_ str| Value::Text(Cow::Owned(text.to_owned()));
        match property {
            MessageProperty::FromAddress => text(bare(&self.reverse_path.to_string())),
            MessageProperty::Recipients => {
                let address = |recipient: &RecipientInfo| {
                    Cow::Owned(bare(&recipient.forward_path.to_string()).to_owned())
                };
                Value::Texts(self.recipients.iter().map(address).collect())
            }
            MessageProperty::Subject => borrowed(self.subject.as_deref()),
            MessageProperty::InternetMessageId => {
                borrowed(self.internet_message_id.as_ref().map(InternetMessageId::as_str))
            }
            MessageProperty::NetworkMessageId => {
                Value::Text(Cow::Owned(self.network_message_id.to_string()))
            }
            MessageProperty::SourceIp => {
                let ip = self.source_ip.map(|ip| Cow::Owned(ip.to_string()));
                ip.map_or(Value::Absent, Value::Text)
            }
            MessageProperty::MessageSourceName => borrowed(Some(&self.source)),
            MessageProperty::LastError => {
                borrowed(self.recipients.iter().find_map(|one| one.last_error.as_deref()))
            }
            _ => Value::Absent,
        }
    }
}

fn borrowed(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Absent, |text| Value::Text(Cow::Borrowed(text)))
}

/// An address as people write it, without angle brackets; nobody stays `<>`.
fn bare(path: &str) -> &str {
    let inside = path.strip_prefix('<').and_then(|path| path.strip_suffix('>'));
    inside.filter(|inside| !inside.is_empty()).unwrap_or(path)
}

impl Row for MessageInfo {
    type Property = MessageProperty;

    /// A recipient is in one unit at a time, so the first one and the message name it.
    fn id(&self) -> RowId {
        RowId(self.identity.message.0, self.places.first().copied().unwrap_or(0).into())
    }

    fn value(&self, property: MessageProperty) -> Value<'_> {
        match property {
            MessageProperty::Identity => Value::Text(Cow::Owned(self.identity.to_string())),
            MessageProperty::Queue => {
                let queue = self.identity.queue.as_ref();
                queue.map_or(Value::Absent, |queue| Value::Text(Cow::Owned(queue.to_string())))
            }
            MessageProperty::Status => Value::Word(match self.status {
                UnitStatus::Active => "Active",
                UnitStatus::Ready => "Ready",
                UnitStatus::Retry => "Retry",
                UnitStatus::Suspended => "Suspended",
                UnitStatus::PendingSuspend => "PendingSuspend",
                UnitStatus::PendingRemove => "PendingRemove",
            }),
            MessageProperty::Size => Value::Number(i64::try_from(self.octets).unwrap_or(i64::MAX)),
            MessageProperty::DateReceived => Value::Instant(self.received_at),
            MessageProperty::MessageLatency => Value::Duration(self.age),
            MessageProperty::ExpirationTime => instant(self.expires_at),
            MessageProperty::RetryCount => Value::Number(self.retry_count.into()),
            MessageProperty::NextRetryTime => instant(self.next_retry),
            MessageProperty::Priority => Value::Word(match self.priority {
                Priority::System => "System",
                Priority::High => "High",
                Priority::Normal => "Normal",
                Priority::Low => "Low",
                Priority::Bulk => "Bulk",
            }),
            stored => self.stored.as_ref().map_or(Value::Absent, |info| info.value(stored)),
        }
    }
}
