//! What happened to a message: the event schema, rows of the logs, rotation decisions.
//!
//! Lower levels return [`TrackingEvent`]s as values; the runtime hands them to [`EventSink`]s once
//! what they say is durable. No file is opened here: [`csv`] makes and reads rows,
//! [`line`](mod@line) makes text for people, [`rotation`] decides when a new file begins and
//! which old ones go.
//!
//! ```text
//! session, categorizer, queue -- TrackingEvent --> EventSink --> csv::write_row --> MSGTRK*.LOG
//!                                                           `--> line::write_line -> console
//! ```
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use transom_tracking::{EventId, Source, TrackedRecipient, TrackingEvent, csv};
//! use transom_types::InternalMessageId;
//!
//! let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
//! let mut event = TrackingEvent::new(EventId::Send, Source::Smtp, at);
//! event.internal_id = Some(InternalMessageId(42));
//! event.recipients.push(TrackedRecipient::new("<bob@example.com>".parse()?, "250 2.1.5 OK"));
//!
//! let mut row = Vec::new();
//! csv::write_row(&event, &mut row);
//! let row = csv::Row::parse(std::str::from_utf8(&row)?)?;
//! assert_eq!(row.get(csv::Column::DateTime), "2023-11-14T22:13:20.123Z");
//! assert_eq!(row.get(csv::Column::EventId), "SEND");
//! assert_eq!(row.recipients(), [("bob@example.com", "250 2.1.5 OK")]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors and limits
//!
//! Writing cannot fail. Control characters and line separators in any text become `?`, so no
//! text that a peer chose can begin a line or a field. A semicolon inside an item of a list
//! becomes a comma. Reading a row says which rule it breaks ([`csv::ParseRowError`]).
//!
//! # Standards
//!
//! | document | what of it |
//! |---|---|
//! | Exchange's message tracking log | names and order of the fields, event and source words |
//! | RFC 4180 §2 | quoting |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod agent_log;
pub mod csv;
mod event;
mod id;
pub mod line;
pub mod rotation;
mod sink;
mod time;

pub use agent_log::AgentLogEntry;
pub use event::{Peer, TrackedRecipient, TrackingEvent};
pub use id::{AgentAction, EventId, EventSet, ParseWordError, Source};
pub use sink::EventSink;
