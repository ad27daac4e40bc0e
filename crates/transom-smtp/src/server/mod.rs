//! The server side of a session.

mod config;
mod output;

use std::sync::Arc;
use std::time::Instant;

use transom_types::Reply;

pub use config::{Extensions, ServerConfig, ServerLimits};
pub use output::{ApiMisuse, Close, Event, Notice, Output, Step};

/// A session as the server sees it, from greeting to close.
#[derive(Debug)]
pub struct ServerSession {
    config: Arc<ServerConfig>,
    tls: bool,
    now: Instant,
}

impl ServerSession {
    /// A session that has just begun. `tls` says that implicit TLS is already up.
    pub fn new(config: Arc<ServerConfig>, tls: bool, now: Instant) -> Self {
        Self { config, tls, now }
    }

    /// Consumes from `input`, appends what must be written to `out`, takes one step.
    pub fn poll<'i>(&mut self, now: Instant, input: &'i [u8], out: &mut Vec<u8>) -> Step<'i> {
        let _ = (&self.config, input, out);
        self.now = now;
        Step { consumed: 0, output: Output::Wait(None) }
    }

    /// Answers the open event. A 421 closes the session.
    ///
    /// # Errors
    ///
    /// Where no event is open, or the reply is none that the open event can have.
    pub fn respond(&mut self, reply: Reply) -> Result<(), ApiMisuse> {
        drop(reply);
        Err(ApiMisuse::NoOpenEvent)
    }

    /// Answers the open event with its default positive reply.
    ///
    /// # Errors
    ///
    /// Where no event is open.
    pub fn accept(&mut self) -> Result<(), ApiMisuse> {
        Err(ApiMisuse::NoOpenEvent)
    }

    /// The peer sends no more. Commands that have already come are still done.
    pub fn handle_eof(&mut self, now: Instant) {
        self.now = now;
    }

    /// The handshake that [`Output::StartTls`] asked for is done.
    pub fn handle_tls_established(&mut self, now: Instant) {
        self.tls = true;
        self.now = now;
    }

    /// Ends the session at the next command with 421 4.3.2. A transaction whose content has begun
    /// is finished first.
    pub fn shutdown(&mut self) {}
}
