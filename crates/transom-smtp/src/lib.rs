//! SMTP as values and as sans-io machines: codec, server session, client session.
//!
//! This crate opens no socket, reads no clock and keeps no buffer: octets and time come in as
//! arguments, octets and events go out as values. It does not look into messages (that is
//! `transom-message`), does not decide who may relay (`transom-connector`), and holds no mail
//! (`transom-queue`).
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod client;
pub mod codec;
pub mod server;
