//! Bodies of the fuzz targets, as plain functions that the smoke test replays.
//!
//! A body takes octets that anybody may have sent. It must not panic, and what it makes of them
//! must survive printing and parsing.
#![allow(
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "to panic is how a body says what it found"
)]

mod codec;
mod connector;
mod message;
mod queue;
mod sasl;
mod smtp;
mod spool;
mod types;

pub use codec::{capabilities, content, forwarded, proxy_header};
pub use connector::connector;
pub use message::{content_scan, header_section};
pub use queue::filter;
pub use sasl::{sasl_client, sasl_server};
pub use smtp::{client_session, command, reply, server_session};
pub use spool::spool_records;
pub use types::{address_literal, domain, enhanced_status_code, mailbox, path, reply_code, xtext};

/// A body and the name of its corpus folder.
pub type Target = (&'static str, fn(&[u8]));

/// Every body, for the smoke test. A file in `fuzz_targets/` gives each to libFuzzer.
pub const TARGETS: &[Target] = &[
    ("address_literal", address_literal),
    ("capabilities", capabilities),
    ("client_session", client_session),
    ("command", command),
    ("connector", connector),
    ("content", content),
    ("content_scan", content_scan),
    ("domain", domain),
    ("enhanced_status_code", enhanced_status_code),
    ("filter", filter),
    ("forwarded", forwarded),
    ("header_section", header_section),
    ("mailbox", mailbox),
    ("path", path),
    ("proxy_header", proxy_header),
    ("reply", reply),
    ("reply_code", reply_code),
    ("sasl_client", sasl_client),
    ("sasl_server", sasl_server),
    ("server_session", server_session),
    ("spool_records", spool_records),
    ("xtext", xtext),
];
