//! One inbound session: drives [`ServerSession`] over a connection and puts its questions to
//! [`Reception`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures::FutureExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use transom_agent::{AgentEvents, ReceiveStep};
use transom_connector::{
    CheckedConfiguration, ReceiveConnector, ReceiveLimits, ReceiveProtocol, ReceiveTls, Refusal,
    ReplyProfile, Rights,
};
use transom_smtp::Protocol;
use transom_smtp::codec::XclientAttributes;
use transom_smtp::codec::data::BareNewline;
use transom_smtp::sasl::Channel;
use transom_smtp::server::{
    self, Close, Event, Extensions, Notice, Output, ServerConfig, ServerLimits, ServerSession,
};
use transom_types::{Domain, Reply};

use super::agents;
use super::front_end;
use super::places::{Place, Places, TurnedAway};
use super::reception::Reception;
use super::refusal::{self, Answer};
use crate::core::Core;
use crate::wire::{Filled, Stream, Wire};

/// The ends of a connection, as connectors and sessions take them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// Ours.
    pub(super) local: SocketAddr,
    /// Ours as the configuration has it, which differs where the system chose the port.
    pub(super) binding: SocketAddr,
    /// The client's, which is not the peer's where a front end speaks for it.
    pub(super) client: SocketAddr,
}

/// Drives one session to its end. `unread` was said already.
pub(super) async fn serve(
    core: Arc<Core>,
    places: Arc<Places>,
    ends: Ends,
    stream: TcpStream,
    unread: BytesMut,
) {
    let now = core.clock.now();
    if !core.spool.pressure().takes_connections() {
        return turn_away(&core, stream, &refusal::no_room()).await;
    }
    let snapshot = core.config();
    let seat =
        places.admit(now, &snapshot, ends.client.ip()).and_then(|()| places.seat(&snapshot, ends));
    let (connector, place) = match seat {
        Ok(found) => found,
        Err(TurnedAway { refusal, reply }) => {
            tracing::info!(reason = refusal.reason(), client = %ends.client, %reply, "refused");
            return turn_away(&core, stream, &reply).await;
        }
    };
    let mut reception =
        Reception::new(Arc::clone(&core), Arc::clone(&places), &snapshot, connector, ends);
    let domains = client_domains(connector);
    let wire = |stream| Wire::new(stream, Arc::clone(&core.buffers), now, core.stop.clone());
    let (wire, channel) = if connector.tls == ReceiveTls::Implicit {
        // A stop does not wait for a handshake: nothing was promised yet.
        let handshake = core.tls.accept(with_unread(stream, unread), &domains);
        let Some(shaken) = core.stop.run_until_cancelled(handshake).await else { return };
        match shaken {
            Ok(secured) => {
                reception.tls_established(secured.agreed, secured.names);
                (wire(secured.stream), Some(secured.channel))
            }
            Err(error) => {
                tracing::debug!(client = %ends.client, %error, "the TLS handshake failed");
                return;
            }
        }
    } else {
        (wire(Box::new(stream)).with_unread(unread), None)
    };
    let config = server_config(&core, &snapshot, connector, &reception, ends.client);
    let mut session = ServerSession::new(Arc::clone(&config), channel.is_some(), now);
    if let Some(channel) = channel {
        session.set_channel(channel);
    }
    session.set_client_address(ends.client.ip().to_canonical());
    let place = Some(place);
    let mut driver = Driver {
        core: Arc::clone(&core),
        snapshot: Arc::clone(&snapshot),
        started: now,
        domains,
        places,
        place,
        ends,
        config,
        wire,
        session,
        reception,
    };
    let ended = driver.run().await;
    driver.reception.submit().await;
    driver.reception.disconnected().await;
    match ended {
        Ok(close) => {
            driver.tell(close);
            driver.wire.close().await;
        }
        Err(error) => tracing::debug!(client = %driver.ends.client, %error, "session broke"),
    }
}

/// Hosts that rights follow from, where the client shows to be one.
fn client_domains(connector: &ReceiveConnector) -> Vec<Domain> {
    connector.server_domains.iter().chain(&connector.partner_domains).cloned().collect()
}

/// The stream with octets before it that were read from it already.
fn with_unread(stream: TcpStream, unread: BytesMut) -> Box<dyn Stream> {
    if unread.is_empty() {
        return Box::new(stream);
    }
    let (read, write) = stream.into_split();
    Box::new(tokio::io::join(io::Cursor::new(unread).chain(read), write))
}

async fn turn_away(core: &Core, stream: TcpStream, reply: &Reply) {
    let (now, pool) = (core.clock.now(), Arc::clone(&core.buffers));
    let mut wire = Wire::new(Box::new(stream), pool, now, core.stop.clone());
    reply.write_to(wire.out());
    wire.close().await;
}

/// The connector's settings as the session's.
fn server_config(
    core: &Core,
    snapshot: &CheckedConfiguration,
    connector: &ReceiveConnector,
    reception: &Reception,
    client: SocketAddr,
) -> Arc<ServerConfig> {
    let mut config = ServerConfig::new(snapshot.receive_fqdn(connector).clone())
        .with_protocol(match connector.protocol {
            ReceiveProtocol::Lmtp => Protocol::Lmtp,
            _ => Protocol::Smtp,
        })
        .with_replies(match connector.reply_profile {
            ReplyProfile::Exchange => server::ReplyProfile::exchange(),
            _ => server::ReplyProfile::plain(),
        })
        .with_extensions(extensions(core, connector, reception.rights, client))
        .with_ask_all(agents::asks_all(core))
        .with_bare_newline(if connector.danger_normalize_bare_newlines {
            BareNewline::Normalize
        } else {
            BareNewline::Reject
        })
        // A session in the clear gets to a connector with implicit TLS by XCLIENT only.
        .with_require_tls(matches!(connector.tls, ReceiveTls::Required | ReceiveTls::Implicit))
        .with_limits(session_limits(&connector.limits, client));
    // The session offers AUTH when TLS allows it.
    if connector.offers_auth(true)
        && let Some(authentication) = &core.authentication
    {
        // Where passwords may come in the clear, AUTH is offered before TLS.
        let clear = connector.offers_auth(false);
        let offer = authentication.offer().clone();
        config = config
            .with_auth(offer.with_before_tls(clear).danger_offer_plaintext_auth_without_tls(clear));
    }
    if let Some(banner) = &connector.banner {
        config = config.with_greeting(banner.clone());
    }
    Arc::new(config)
}

fn extensions(
    core: &Core,
    connector: &ReceiveConnector,
    rights: Rights,
    client: SocketAddr,
) -> Extensions {
    let offered = &connector.extensions;
    let starttls = matches!(connector.tls, ReceiveTls::Offered | ReceiveTls::Required);
    let largest = connector.limits.message_octets_max_for(rights);
    Extensions::default()
        .with_size(largest)
        .with_size_offered(offered.size)
        .with_size_told(offered.size_told)
        .with_pipelining(offered.pipelining)
        .with_eight_bit_mime(offered.eight_bit_mime)
        .with_enhanced_status_codes(offered.enhanced_status_codes)
        .with_chunking(offered.chunking)
        .with_smtputf8(offered.smtputf8)
        .with_limits(offered.limits)
        .with_starttls(starttls && core.tls.may_accept())
        .with_xclient(connector.may_xclient(client.ip()))
}

fn session_limits(limits: &ReceiveLimits, client: SocketAddr) -> ServerLimits {
    let session_limits = ServerLimits::default()
        .with_recipients_max(limits.recipients_max)
        .with_errors_max(limits.protocol_errors_max)
        .with_authenticated_errors_max(limits.authenticated_protocol_errors_max)
        .with_logon_failures_max(match limits.logon_failures_max {
            0 => u32::MAX,
            max => max,
        })
        .with_auth_tarpit_interval(limits.auth_tarpit_interval_for(client.ip()))
        .with_command_timeout(limits.idle_timeout)
        .with_session_timeout(limits.session_timeout)
        .with_tarpit_interval(limits.tarpit_interval_for(client.ip()));
    // What bounds a source does not bind a program on this very host.
    if client.ip().to_canonical().is_loopback() {
        session_limits
            .with_transactions_max(u32::MAX)
            .with_error_delay(Duration::ZERO, Duration::ZERO)
    } else {
        session_limits
    }
}

struct Driver {
    core: Arc<Core>,
    /// In force when the session began, and for as long as it lasts.
    snapshot: Arc<CheckedConfiguration>,
    started: Instant,
    /// Hosts that the connector wants to know by their certificates.
    domains: Vec<Domain>,
    places: Arc<Places>,
    /// Frees itself with the session.
    place: Option<Place>,
    ends: Ends,
    config: Arc<ServerConfig>,
    wire: Wire,
    session: ServerSession,
    reception: Reception,
}

impl Driver {
    async fn run(&mut self) -> io::Result<Close> {
        self.look_for_early_talker().await?;
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
                Output::Notice(Notice::Authenticated) => {
                    self.wire.consume(consumed);
                    self.reception.serve_as(self.session.principal());
                    self.follow_rights();
                }
                Output::Notice(Notice::AuthenticationFailed) => {
                    self.wire.consume(consumed);
                    if self.reception.authentication_failed().await {
                        self.session.shutdown();
                    }
                }
                Output::StartTls => self.start_tls().await?,
                Output::Wait(deadline) => {
                    self.wire.consume(consumed);
                    self.flush().await?;
                    self.wait(deadline).await?;
                }
                Output::Pause(until) => {
                    self.wire.consume(consumed);
                    self.flush().await?;
                    if !self.core.pause(until.saturating_duration_since(now)).await {
                        self.session.shutdown();
                    }
                }
                Output::Close(close) => return Ok(close),
                _ => self.wire.consume(consumed),
            }
        }
    }

    /// Reads what has already come. Nobody who waits for the greeting as RFC 5321 §3.1 has it has
    /// sent anything; what the session finds before its greeting ends it.
    async fn look_for_early_talker(&mut self) -> io::Result<()> {
        // Whether a new socket can be read is known once the runtime has asked the system.
        tokio::task::yield_now().await;
        if let Some(filled) = self.wire.fill(None).now_or_never() {
            self.filled(filled?);
        }
        Ok(())
    }

    /// Puts a question to the reception and its answer to the session.
    async fn answer(&mut self, event: Event) -> io::Result<()> {
        // Asked anew each time: the session alone knows how long it holds.
        self.reception.serve_as(self.session.principal());
        if self.core.asked_at != AgentEvents::default() {
            // Agents may take their time.
            self.wire.flush().await?;
        }
        let answer = match event {
            Event::Authenticate(question) => {
                self.wire.flush().await?;
                let verdict = self.reception.authenticate(question).await;
                return self.session.authenticate(verdict).map_err(io::Error::other);
            }
            Event::Connect => self.connect().await,
            Event::Auth { mechanism } => self.reception.step(ReceiveStep::Auth(&mechanism)).await,
            Event::EndOfAuthentication { principal } => {
                self.reception.end_of_authentication(&principal).await
            }
            Event::StartTls => self.reception.step(ReceiveStep::StartTls).await,
            Event::Help => self.reception.step(ReceiveStep::Help).await,
            Event::Noop => self.reception.step(ReceiveStep::Noop).await,
            Event::Rset => self.reception.step(ReceiveStep::Rset).await,
            Event::Xclient { attributes } => return self.speak_for(&attributes).await,
            Event::Hello { name, esmtp } => self.reception.hello(&name.to_string(), esmtp).await,
            Event::Mail { reverse_path, parameters } => {
                self.reception.mail(reverse_path, parameters).await
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
            Answer::Close(reply) => self.session.respond_and_close(reply),
        };
        answered.map_err(io::Error::other)
    }

    async fn connect(&mut self) -> Answer {
        match self.reception.step(ReceiveStep::Connect).await {
            Answer::Accept if self.reception.tells_the_time() => {
                let date = transom_message::date_time(self.core.clock.wall());
                Answer::Reply(self.config.banner(&date))
            }
            answer => answer,
        }
    }

    /// The client has become somebody else, whose rights are others.
    fn follow_rights(&mut self) {
        if let Ok(connector) = self.reception.connector() {
            let (core, client) = (&self.core, self.ends.client);
            self.config = server_config(core, &self.snapshot, connector, &self.reception, client);
            self.session.set_config(Arc::clone(&self.config));
        }
    }

    /// Writes down how the session ended.
    fn tell(&self, close: Close) {
        let client = self.ends.client;
        let limits = self.config.limits;
        let lasted = self.core.clock.now().saturating_duration_since(self.started);
        let refusal = match close {
            Close::Errors => Refusal::ProtocolErrors,
            Close::LogonFailures => Refusal::LogonFailures,
            Close::Size => Refusal::MessageSize,
            Close::Timeout if lasted >= limits.session_timeout => Refusal::SessionTimeout,
            Close::Timeout => Refusal::IdleTimeout,
            _ => return tracing::debug!(%client, ?close, "session ended"),
        };
        tracing::info!(reason = refusal.reason(), %client, ?close, "session ended");
    }

    /// XCLIENT: the session begins anew for another client, at the connector that serves it.
    async fn speak_for(&mut self, told: &XclientAttributes) -> io::Result<()> {
        self.reception.submit().await;
        let (core, snapshot) = (Arc::clone(&self.core), Arc::clone(&self.snapshot));
        let client = front_end::client_told(told, self.ends.client);
        // The connection is one and not two, or XCLIENT would fail where a limit is just reached.
        self.place = None;
        let seat = client.ok_or_else(TurnedAway::not_served).and_then(|client| {
            let ends = Ends { client, ..self.ends };
            Ok((ends, self.places.seat(&snapshot, ends)?))
        });
        let answered = match seat {
            Ok((ends, (connector, place))) => {
                tracing::debug!(before = %self.ends.client, client = %ends.client, "XCLIENT");
                (self.ends, self.place) = (ends, Some(place));
                self.reception.begin_anew(connector, ends);
                self.domains = client_domains(connector);
                self.config =
                    server_config(&core, &snapshot, connector, &self.reception, ends.client);
                self.session.restart(Arc::clone(&self.config), None)
            }
            Err(TurnedAway { refusal, reply }) => {
                let before = self.ends.client;
                tracing::info!(reason = refusal.reason(), %before, %reply, "refused XCLIENT");
                self.session.respond(reply)
            }
        };
        answered.map_err(io::Error::other)
    }

    async fn start_tls(&mut self) -> io::Result<()> {
        self.wire.flush().await?;
        let tls = self.core.tls.clone();
        let (mut agreed, mut channel) = (String::new(), Channel::default());
        let (mut names, domains) = (Vec::new(), &self.domains);
        let upgrade = async |clear| {
            let secured = tls.accept(clear, domains).await?;
            (agreed, channel, names) = (secured.agreed, secured.channel, secured.names);
            Ok(secured.stream)
        };
        self.wire.upgrade(upgrade).await?;
        self.reception.tls_established(agreed, names);
        self.follow_rights();
        self.session.handle_tls_established(self.core.clock.now());
        self.session.set_channel(channel);
        Ok(())
    }

    /// Writes what is pending, and hands on the message that it tells of.
    async fn flush(&mut self) -> io::Result<()> {
        let written = self.wire.flush().await;
        self.reception.submit().await;
        written
    }

    async fn wait(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let filled = self.wire.fill(deadline).await?;
        self.filled(filled);
        Ok(())
    }

    fn filled(&mut self, filled: Filled) {
        match filled {
            Filled::Octets | Filled::Deadline => {}
            Filled::Eof => self.session.handle_eof(self.core.clock.now()),
            Filled::Stopping => self.session.shutdown(),
        }
    }
}
