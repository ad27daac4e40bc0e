//! A whole transport over real sockets on loopback, against peers that follow a script.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod agent;
mod agents;
mod auth;
mod copies;
mod dns;
mod front_ends;
mod inbound;
mod lifecycle;
mod limits;
mod lmtp;
mod outbound;
mod panics;
mod peer;
mod pressure;
mod profile;
mod rates;
mod receive_limits;
mod refused_content;
mod reload;
mod removal;
mod resolution;
mod retry;
mod routing_agents;
mod smart_hosts;
mod spool;
mod support;
mod tls;
mod verbs;
