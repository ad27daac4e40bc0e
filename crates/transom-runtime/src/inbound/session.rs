//! One inbound session: drives [`ServerSession`] over a connection and puts its questions to
//! [`Reception`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use transom_connector::{ReceiveTls, Rights};
use transom_smtp::sasl::Channel;
use transom_smtp::server::{
    Close, Event, Extensions, Notice, Output, ServerConfig, ServerLimits, ServerSession,
};
use transom_types::ConnectorId;

use super::reception::{Answer, Reception};
use crate::core::Core;
use crate::wire::{Filled, Stream, Wire};

/// Drives one session to its end.
pub(crate) async fn serve(
    core: Arc<Core>,
    connector: ConnectorId,
    stream: Box<dyn Stream>,
    local: SocketAddr,
    peer: SocketAddr,
) {
    let Some(settings) =
        core.config.receive_connectors().iter().find(|candidate| candidate.name == connector)
    else {
        return;
    };
    let implicit = settings.tls == ReceiveTls::Implicit;
    let config = server_config(&core, settings, peer);
    let mut reception = Reception::new(Arc::clone(&core), settings, local, peer);
    let (mut stream, mut channel) = (stream, None);
    if implicit {
        // A stop does not wait for a handshake: nothing was promised yet.
        let Some(shaken) = core.stop.run_until_cancelled(core.tls.accept(stream)).await else {
            return;
        };
        match shaken {
            Ok(secured) => {
                stream = secured.stream;
                channel = Some(secured.channel);
                reception.tls_established(secured.agreed);
            }
            Err(error) => {
                tracing::debug!(%peer, %error, "the TLS handshake failed");
                return;
            }
        }
    }
    let now = core.clock.now();
    let wire = Wire::new(stream, Arc::clone(&core.buffers), now, core.stop.clone());
    let mut session = ServerSession::new(config, implicit, now);
    if let Some(channel) = channel {
        session.set_channel(channel);
    }
    let mut driver = Driver { core, wire, session, reception };
    let ended = driver.run().await;
    driver.reception.submit().await;
    match ended {
        Ok(close) => {
            tracing::debug!(%peer, ?close, "session ended");
            driver.wire.close().await;
        }
        Err(error) => tracing::debug!(%peer, %error, "session broke"),
    }
}

/// The connector's settings as the session's.
fn server_config(
    core: &Core,
    connector: &transom_connector::ReceiveConnector,
    peer: SocketAddr,
) -> Arc<ServerConfig> {
    let limits = &connector.limits;
    let offered = &connector.extensions;
    let starttls = matches!(connector.tls, ReceiveTls::Offered | ReceiveTls::Required);
    let largest = limits.message_octets_max_for(connector.permissions.anonymous);
    let extensions = Extensions::default()
        .with_size(largest.filter(|_| offered.size))
        .with_pipelining(offered.pipelining)
        .with_eight_bit_mime(offered.eight_bit_mime)
        .with_enhanced_status_codes(offered.enhanced_status_codes)
        .with_chunking(offered.chunking)
        .with_smtputf8(offered.smtputf8)
        .with_starttls(starttls && core.tls.may_accept());
    let defaults = ServerLimits::default();
    // What bounds a source does not bind a program on this very host.
    let loopback = peer.ip().to_canonical().is_loopback();
    let error_delay = if loopback { Duration::ZERO } else { defaults.error_delay };
    let session_limits = defaults
        .with_error_delay(error_delay, defaults.error_delay_max)
        .with_transactions_max(if loopback { u32::MAX } else { defaults.transactions_max })
        .with_recipients_max(limits.recipients_max)
        .with_errors_max(limits.protocol_errors_max)
        .with_command_timeout(limits.idle_timeout)
        .with_session_timeout(limits.session_timeout);
    let mut config = ServerConfig::new(core.config.receive_fqdn(connector).clone())
        .with_extensions(extensions)
        .with_require_tls(connector.tls == ReceiveTls::Required)
        .with_limits(session_limits);
    if connector.permissions.authenticated != Rights::NONE
        && let Some(authentication) = &core.authentication
    {
        config = config.with_auth(authentication.offer().clone());
    }
    if let Some(banner) = &connector.banner {
        config = config.with_greeting(banner.clone());
    }
    Arc::new(config)
}

struct Driver {
    core: Arc<Core>,
    wire: Wire,
    session: ServerSession,
    reception: Reception,
}

impl Driver {
    async fn run(&mut self) -> io::Result<Close> {
        loop {
            let now = self.core.clock.now();
            let (input, out) = self.wire.buffers();
            let step = self.session.poll(now, input, out);
            let consumed = step.consumed;
            match step.output {
                Output::Content(piece) => {
                    self.reception.content(piece).await;
                    self.wire.consume(consumed);
                }
                Output::Event(event) => {
                    self.wire.consume(consumed);
                    self.answer(event).await?;
                }
                Output::Notice(Notice::Reset) => {
                    self.wire.consume(consumed);
                    self.reception.reset();
                }
                Output::StartTls => self.start_tls().await?,
                Output::Wait(deadline) => {
                    self.wire.consume(consumed);
                    let written = self.wire.flush().await;
                    self.reception.submit().await;
                    written?;
                    self.wait(deadline).await?;
                }
                Output::Close(close) => return Ok(close),
                _ => self.wire.consume(consumed),
            }
        }
    }

    /// Puts a question to the reception and its answer to the session.
    async fn answer(&mut self, event: Event) -> io::Result<()> {
        // Asked anew each time: the session alone knows how long it holds.
        self.reception.serve_as(self.session.principal());
        let answer = match event {
            Event::Authenticate(question) => {
                self.wire.flush().await?;
                let verdict = self.reception.authenticate(question).await;
                return self.session.authenticate(verdict).map_err(io::Error::other);
            }
            Event::Hello { name, esmtp } => self.reception.hello(&name.to_string(), esmtp),
            Event::Mail { reverse_path, parameters } => {
                self.reception.mail(reverse_path, parameters)
            }
            Event::Rcpt { forward_path, parameters } => {
                self.reception.rcpt(forward_path, parameters).await
            }
            Event::Data => self.reception.data().await,
            Event::EndOfData { .. } => {
                // The commit takes time: what earlier commands of the group were answered goes out.
                self.wire.flush().await?;
                self.reception.end_of_data().await
            }
            _ => Answer::Accept,
        };
        let answered = match answer {
            Answer::Accept => self.session.accept(),
            Answer::Reply(reply) => self.session.respond(reply),
        };
        answered.map_err(io::Error::other)
    }

    async fn start_tls(&mut self) -> io::Result<()> {
        self.wire.flush().await?;
        let tls = self.core.tls.clone();
        let (mut agreed, mut channel) = (String::new(), Channel::default());
        let upgrade = async |clear| {
            let secured = tls.accept(clear).await?;
            (agreed, channel) = (secured.agreed, secured.channel);
            Ok(secured.stream)
        };
        self.wire.upgrade(upgrade).await?;
        self.reception.tls_established(agreed);
        self.session.handle_tls_established(self.core.clock.now());
        self.session.set_channel(channel);
        Ok(())
    }

    async fn wait(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        match self.wire.fill(deadline).await? {
            Filled::Octets | Filled::Deadline => {}
            Filled::Eof => self.session.handle_eof(self.core.clock.now()),
            Filled::Stopping => self.session.shutdown(),
        }
        Ok(())
    }
}
