//! One outbound connection: drives [`ClientSession`] over a stream.

use std::sync::Arc;

use bytes::Bytes;
use transom_queue::{Content, StoreError};
use transom_smtp::client::{
    ClientClose, ClientEvent, ClientMisuse, ClientOutput, ClientSession, NotPassed, RefusalReason,
    Transaction, TransactionRefused,
};
use transom_types::{EnhancedStatusCode, RecipientResult, RemoteHost, Reply, ReplyCode};

use super::smart_hosts::SmartHostUse;
use crate::clock::Clock;
use crate::tls::Tls;
use crate::wire::{Filled, Wire};

/// Octets of content encoded before they are written.
const PIECE_OCTETS: usize = 64 * 1024;

/// A connection and its session.
pub(crate) struct Connection {
    wire: Wire,
    session: ClientSession,
    clock: Arc<dyn Clock>,
    tls: Tls,
    host: RemoteHost,
    /// The smart host that it is to; its work ends with the connection.
    pub(super) smart_host: Option<SmartHostUse>,
    /// Messages that went over it.
    pub(crate) messages: u32,
    /// The peer takes nothing more in this session.
    is_used_up: bool,
    /// Results that came amid the content and are to be told next.
    early: Option<Vec<RecipientResult>>,
}

/// Where a session has got to.
#[derive(Debug)]
pub(crate) enum Reached {
    /// It takes a transaction.
    Ready,
    /// The peer waits for the content.
    SendContent,
    /// The transaction is over.
    Done(Vec<RecipientResult>),
    /// The session is over.
    Closed(ClientClose),
}

/// Why content could not be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    /// It could not be read.
    #[error("{0}")]
    Unread(StoreError),
    /// No peer has to take it.
    #[error(transparent)]
    Unsendable(ClientMisuse),
    /// All else.
    #[error("{0}")]
    Other(String),
}

impl ContentError {
    /// What the recipients get.
    pub(crate) fn reply(&self) -> Reply {
        let text = format!("the content could not be sent: {self}");
        match self {
            Self::Unsendable(_) => {
                let enhanced = EnhancedStatusCode::permanent(6, 0);
                Reply::new(ReplyCode::TRANSACTION_FAILED, enhanced, text)
            }
            Self::Unread(_) | Self::Other(_) => {
                Reply::new(ReplyCode::LOCAL_ERROR, EnhancedStatusCode::transient(3, 0), text)
            }
        }
    }
}

impl Connection {
    pub(crate) fn new(
        wire: Wire,
        session: ClientSession,
        clock: Arc<dyn Clock>,
        tls: Tls,
        host: RemoteHost,
    ) -> Self {
        Self {
            wire,
            session,
            clock,
            tls,
            host,
            smart_host: None,
            messages: 0,
            is_used_up: false,
            early: None,
        }
    }

    /// Whom it goes to.
    pub(crate) fn host(&self) -> &RemoteHost {
        &self.host
    }

    /// Drives the session to its next event.
    pub(crate) async fn drive(&mut self) -> Reached {
        if let Some(results) = self.early.take() {
            return Reached::Done(results);
        }
        loop {
            match self.poll() {
                ClientOutput::Event(ClientEvent::Ready) => return Reached::Ready,
                ClientOutput::Event(ClientEvent::SendContent) => return Reached::SendContent,
                ClientOutput::Event(ClientEvent::Done(results)) => return Reached::Done(results),
                ClientOutput::Event(ClientEvent::MaskedVerbs { seen }) => {
                    tracing::warn!(host = %self.host, %seen, "a firewall rewrites the dialog");
                }
                ClientOutput::StartTls => self.start_tls().await,
                ClientOutput::Wait(deadline) => {
                    let filled = match self.wire.flush().await {
                        Ok(()) => self.wire.fill(deadline).await,
                        Err(error) => Err(error),
                    };
                    self.heard(&filled);
                }
                ClientOutput::Close(close) => {
                    // What is said last is good manners; whether it arrives does not matter.
                    drop(self.wire.flush().await);
                    return Reached::Closed(close);
                }
                _ => {}
            }
        }
    }

    /// Tells the session where no more input will come.
    fn heard(&mut self, filled: &std::io::Result<Filled>) {
        if !matches!(filled, Ok(Filled::Octets | Filled::Deadline | Filled::Stopping)) {
            self.session.handle_eof(self.clock.now());
        }
    }

    /// One step of the session.
    fn poll(&mut self) -> ClientOutput {
        let now = self.clock.now();
        let (input, out) = self.wire.buffers();
        let step = self.session.poll(now, input, out);
        self.wire.consume(step.consumed);
        step.output
    }

    async fn start_tls(&mut self) {
        let upgraded = match self.wire.flush().await {
            Ok(()) => {
                let (tls, host) = (self.tls.clone(), self.host.clone());
                let upgrade = async |clear| Ok(tls.connect(clear, &host).await?.0);
                self.wire.upgrade(upgrade).await
            }
            Err(error) => Err(error),
        };
        match upgraded {
            Ok(()) => self.session.handle_tls_established(self.clock.now()),
            Err(error) => {
                tracing::debug!(host = %self.host, %error, "the TLS handshake failed");
                self.session.handle_tls_failed(self.clock.now());
            }
        }
    }

    /// Begins a transaction, and gives what the peer is not told of it. The error holds the
    /// results when it cannot go to this peer.
    pub(crate) fn begin(
        &mut self,
        transaction: Transaction,
    ) -> Result<Vec<NotPassed>, TransactionRefused> {
        let begun = self.session.begin_transaction(transaction);
        // The peer has had all the domains that it takes; the next ones need another session.
        if begun.as_ref().is_err_and(|refused| refused.reason == RefusalReason::RecipientDomains) {
            self.is_used_up = true;
        }
        begun
    }

    /// Whether another transaction can begin.
    pub(crate) fn is_ready(&self) -> bool {
        self.session.is_ready() && !self.is_used_up
    }

    /// Hands over the whole content, but for its end. False where the peer did not wait for it;
    /// [`drive`](Self::drive) then gives the results.
    pub(crate) async fn write_content(&mut self, content: &Content) -> Result<bool, ContentError> {
        if let Some(octets) = content.bytes() {
            for piece in octets.chunks(PIECE_OCTETS) {
                if !self.write_piece(piece).await? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let mut offset = 0u64;
        while offset < content.octets() {
            let piece = read_piece(content.clone(), offset).await?;
            if piece.is_empty() {
                return Err(ContentError::Other("the content is shorter than it was".to_owned()));
            }
            if !self.write_piece(&piece).await? {
                return Ok(false);
            }
            offset = offset.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        }
        Ok(true)
    }

    /// False where the peer waits for no content any more.
    async fn write_piece(&mut self, piece: &[u8]) -> Result<bool, ContentError> {
        // A small content waits in the buffer for its final dot: one write for both.
        if self.wire.out().len() >= PIECE_OCTETS {
            let flushed = self.wire.flush().await;
            // What the peer said before it went counts more than that it went.
            if self.has_ended_early().await {
                return Ok(false);
            }
            flushed.map_err(|error| ContentError::Other(error.to_string()))?;
        }
        let written = self.session.write_content(piece, self.wire.out());
        written.map(|()| true).map_err(|misuse| match misuse {
            ClientMisuse::NulInContent => ContentError::Unsendable(misuse),
            _ => ContentError::Other(misuse.to_string()),
        })
    }

    /// Hears what the peer has said by now, without waiting. True where it refused the content, or
    /// is gone: what is left of it would travel for nothing.
    async fn has_ended_early(&mut self) -> bool {
        let filled = tokio::select! {
            biased;
            filled = self.wire.fill(None) => filled,
            () = std::future::ready(()) => return false,
        };
        self.heard(&filled);
        if let ClientOutput::Event(ClientEvent::Done(results)) = self.poll() {
            self.early = Some(results);
        }
        self.early.is_some()
    }

    /// Ends the content. From here on the message may have arrived.
    pub(crate) fn end_content(&mut self) {
        let now = self.clock.now();
        if let Err(misuse) = self.session.end_content(now, self.wire.out()) {
            tracing::error!(%misuse, "the end of the content could not be sent");
        }
    }

    /// Gives up: the recipients get `reply`.
    pub(crate) fn abort(&mut self, reply: Reply) {
        self.session.abort(reply);
    }

    /// Waits until the peer says something or closes: neither is good on an idle connection.
    pub(crate) async fn until_disturbed(&mut self) {
        drop(self.wire.fill(None).await);
    }

    /// Ends the session as the protocol has it.
    pub(crate) async fn quit(mut self) {
        let now = self.clock.now();
        self.session.quit(now, self.wire.out());
        while !matches!(self.drive().await, Reached::Closed(_)) {}
        self.wire.close().await;
    }
}

/// Reads a piece of a content that lies in a file.
async fn read_piece(content: Content, offset: u64) -> Result<Bytes, ContentError> {
    let read = move || {
        let mut piece = vec![0; PIECE_OCTETS];
        let count = content.read_at(offset, &mut piece).map_err(ContentError::Unread)?;
        piece.truncate(count);
        Ok(Bytes::from(piece))
    };
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| ContentError::Other(error.to_string()))?
}
