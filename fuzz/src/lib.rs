//! Bodies of the fuzz targets, as plain functions that the smoke test replays.
//!
//! A body takes octets that anybody may have sent. It must not panic, and what it makes of them
//! must survive printing and parsing.
#![allow(clippy::missing_panics_doc, reason = "to panic is how a body says what it found")]

mod types;

pub use types::{address_literal, domain, enhanced_status_code, mailbox, path, reply_code, xtext};

/// A body and the name of its corpus folder.
pub type Target = (&'static str, fn(&[u8]));

/// Every body, for the smoke test. A file in `fuzz_targets/` gives each to libFuzzer.
pub const TARGETS: &[Target] = &[
    ("address_literal", address_literal),
    ("domain", domain),
    ("enhanced_status_code", enhanced_status_code),
    ("mailbox", mailbox),
    ("path", path),
    ("reply_code", reply_code),
    ("xtext", xtext),
];
