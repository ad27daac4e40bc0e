//! One event in the life of a message.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use transom_types::{
    ConnectorId, ForwardPath, InternalMessageId, InternetMessageId, NetworkMessageId, NextHop,
    ReversePath, SessionId,
};

use crate::{EventId, Source};

/// What happened, when, to which message and which of its recipients.
///
/// Made for every message several times, so what is shared stays shared: ids, paths, names and
/// texts count references. Fields that an event has nothing to say about stay empty.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TrackingEvent {
    /// When it happened.
    pub at: SystemTime,
    /// What happened.
    pub event: EventId,
    /// Which component saw it.
    pub source: Source,
    /// The message in this spool.
    pub internal_id: Option<InternalMessageId>,
    /// The message in all its copies.
    pub network_id: Option<NetworkMessageId>,
    /// The Message-ID field.
    pub message_id: Option<InternetMessageId>,
    /// The session in which it happened.
    pub session: Option<SessionId>,
    /// The receive or send connector.
    pub connector: Option<ConnectorId>,
    /// Who connected: the peer when we receive, ourselves when we send.
    pub client: Peer,
    /// Who was connected to: ourselves when we receive, the peer when we send.
    pub server: Peer,
    /// The recipients that the event is about, each with its status.
    pub recipients: Vec<TrackedRecipient>,
    /// Size of the content in octets.
    pub total_bytes: u64,
    /// The Subject field. Left empty where subjects are not to be logged.
    pub subject: Option<Arc<str>>,
    /// `RFC5321.MailFrom`.
    pub sender: Option<ReversePath>,
    /// Another message that belongs to this event: of a report the original, of a fork the parent.
    pub reference: Option<Arc<str>>,
    /// Where the recipients go next.
    pub next_hop: Option<NextHop>,
    /// Which attempt it was, from 1.
    pub attempt: Option<u32>,
    /// What the source has to add, in words.
    pub source_context: Option<Arc<str>>,
    /// More facts, as key and value.
    pub custom_data: Vec<(Cow<'static, str>, Arc<str>)>,
}

impl TrackingEvent {
    /// An event that says nothing yet but what and when.
    pub fn new(event: EventId, source: Source, at: SystemTime) -> Self {
        Self {
            at,
            event,
            source,
            internal_id: None,
            network_id: None,
            message_id: None,
            session: None,
            connector: None,
            client: Peer::default(),
            server: Peer::default(),
            recipients: Vec::new(),
            total_bytes: 0,
            subject: None,
            sender: None,
            reference: None,
            next_hop: None,
            attempt: None,
            source_context: None,
            custom_data: Vec::new(),
        }
    }
}

/// One side of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an address and a name")]
pub struct Peer {
    /// Its address.
    pub ip: Option<IpAddr>,
    /// Its name: what it said in EHLO, or what the DNS or the configuration says.
    pub hostname: Option<Arc<str>>,
}

impl Peer {
    /// A peer with address and name.
    pub fn new(ip: IpAddr, hostname: impl Into<Arc<str>>) -> Self {
        Self { ip: Some(ip), hostname: Some(hostname.into()) }
    }
}

/// A recipient as an event names it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who and how")]
pub struct TrackedRecipient {
    /// `RFC5321.RcptTo`.
    pub path: ForwardPath,
    /// What is known: a reply line such as `250 2.1.5 OK`, or empty.
    pub status: Cow<'static, str>,
}

impl TrackedRecipient {
    /// A recipient and its status.
    pub fn new(path: ForwardPath, status: impl Into<Cow<'static, str>>) -> Self {
        Self { path, status: status.into() }
    }
}
