//! From a next hop to a session that is ready: DNS, connecting, EHLO, TLS.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use transom_connector::{SendConnector, SendTls, SmartHostAuth};
use transom_queue::Content;
use transom_routing::{HostTry, Target, plan};
use transom_smtp::client::{ClientConfig, ClientSession, ClientTls, CloseReason, Transaction};
use transom_smtp::codec::HelloName;
use transom_smtp::sasl::{Credentials, Nonce};
use transom_types::{
    AttemptStage, DeliveryType, Domain, EnhancedStatusCode, Envelope, NextHop, Outcome, Principal,
    RecipientResult, RemoteHost, Reply, ReplyCode, Status, TlsClass,
};

use super::connection::{Connection, Reached};
use crate::clock::{Clock, SystemClock};
use crate::core::Core;
use crate::tls::Tls;
use crate::wire::{BufferPool, Wire};

/// How long a connection may take to be made: longer than a lost SYN needs twice, short enough
/// for the next address to have its turn.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long all lookups of one attempt may take: resolvers give up sooner by themselves, and a
/// resolver that does not must not keep a message for ever.
const DNS_TIMEOUT: Duration = Duration::from_mins(2);

/// How long a store of secrets may take: a session that waits keeps its place among the few that
/// may be open.
const SECRET_TIMEOUT: Duration = Duration::from_secs(30);

/// A session with one of the next hop's hosts, or what that means for the recipients.
pub(super) async fn dial(core: &Core, next_hop: &NextHop) -> Result<Connection, Outcome> {
    let config = core.config();
    let mut target = Target::of(next_hop, &config).map_err(|error| error.outcome())?;
    let Some(connector) = config.send_connector(&next_hop.connector) else {
        return Err(unreachable_host("the send connector is gone"));
    };
    let by_smart_host = next_hop.kind == DeliveryType::SmartHostConnectorDelivery;
    let order = match &mut target {
        Target::SmartHosts(hosts) if by_smart_host => {
            let order = core.smart_hosts.order(&connector.name, core.clock.now());
            *hosts = order.iter().filter_map(|at| hosts.get(*at).cloned()).collect();
            order
        }
        _ => Vec::new(),
    };
    // Other servers of ours are told no password that is for smart hosts.
    let credentials = if by_smart_host { credentials(core, connector).await? } else { None };
    let mut random = || fastrand::u64(..);
    let identity = core.identity();
    let plan = plan(core.resolver.as_ref(), &target, &identity, &mut random);
    let hosts = match tokio::time::timeout(DNS_TIMEOUT, plan).await {
        Ok(hosts) => hosts.map_err(|error| error.outcome())?,
        Err(_) => return Err(unresolved()),
    };
    let mut last = unreachable_host("no host could be tried");
    // [RFC 5321 §5.1-h] one address after the other, until one works.
    for host in &hosts {
        let place = order.get(usize::from(host.preference));
        let in_use = place.map(|at| core.smart_hosts.begin(&connector.name, *at, core.clock.now()));
        for address in &host.addresses {
            let address = SocketAddr::new(*address, host.port);
            let requires_tls = next_hop.tls == TlsClass::RequireTls;
            let way = Way { connector, requires_tls, credentials: credentials.clone() };
            match dial_address(core, way, host, address).await {
                Ok(mut connection) => {
                    if let Some(in_use) = &in_use {
                        in_use.opened();
                    }
                    connection.smart_host = in_use;
                    return Ok(connection);
                }
                // A stop does not wait for all hosts.
                Err(outcome) if core.stop.is_cancelled() => return Err(outcome),
                Err(outcome) => last = outcome,
            }
        }
        if let Some(in_use) = in_use {
            in_use.failed(core.clock.now());
        }
    }
    Err(last)
}

/// What the connector says at its smart hosts who it is with. Mail waits for a password that
/// cannot be had.
async fn credentials(
    core: &Core,
    connector: &SendConnector,
) -> Result<Option<Credentials>, Outcome> {
    let Some(credential) = connector.smart_host_auth.credential() else { return Ok(None) };
    let Some(secrets) = &core.secrets else {
        return Err(unauthenticated("there is no store of secrets"));
    };
    let asked = tokio::time::timeout(SECRET_TIMEOUT, secrets.secret(&credential.secret)).await;
    let password = asked
        .map_err(|_| unauthenticated("the store of secrets did not answer in time"))?
        .map_err(|error| unauthenticated(&error.to_string()))?;
    let user =
        Principal::new(&credential.user).map_err(|error| unauthenticated(&error.to_string()))?;
    let mut credentials = Credentials::password(user, password);
    credentials.danger_use_without_tls =
        matches!(connector.smart_host_auth, SmartHostAuth::Basic(_));
    Ok(Some(credentials))
}

/// How a host is to be reached.
struct Way<'a> {
    connector: &'a SendConnector,
    /// Whether the message itself may not go in the clear.
    requires_tls: bool,
    credentials: Option<Credentials>,
}

async fn dial_address(
    core: &Core,
    way: Way<'_>,
    host: &HostTry,
    address: SocketAddr,
) -> Result<Connection, Outcome> {
    let Way { connector, requires_tls, credentials } = way;
    let remote = RemoteHost { name: host.name.clone(), address: Some(address) };
    let may_tls = core.tls.may_connect();
    let secret = matches!(connector.smart_host_auth, SmartHostAuth::BasicRequireTls(_));
    let tls = match connector.tls {
        _ if requires_tls => ClientTls::Required,
        SendTls::Required => ClientTls::Required,
        // The password would not go out without.
        SendTls::Opportunistic if credentials.is_some() && secret => ClientTls::Required,
        SendTls::Opportunistic if may_tls => ClientTls::Opportunistic,
        _ => ClientTls::Never,
    };
    let dialing = Dialing {
        helo: core.config().send_fqdn(connector).clone(),
        remote,
        address,
        source: source_address(connector, address),
        credentials,
        clock: Arc::clone(&core.clock),
        tls: core.tls.clone(),
        buffers: Arc::clone(&core.buffers),
        stop: core.stop.clone(),
    };
    match dialing.open(tls).await {
        // [RFC 7435] opportunistic: what TLS cannot carry goes in the clear, as it would have
        // without the offer.
        Err(Unready::Tls(_)) if tls == ClientTls::Opportunistic => {
            dialing.open(ClientTls::Never).await.map_err(Unready::into_outcome)
        }
        opened => opened.map_err(Unready::into_outcome),
    }
}

/// Which address of ours a connection to `peer` comes from.
fn source_address(connector: &SendConnector, peer: SocketAddr) -> Option<IpAddr> {
    let addresses = connector.source_addresses.iter();
    addresses.copied().find(|address| address.is_ipv4() == peer.is_ipv4())
}

/// What is needed to open a session.
struct Dialing {
    helo: Domain,
    remote: RemoteHost,
    address: SocketAddr,
    source: Option<IpAddr>,
    credentials: Option<Credentials>,
    clock: Arc<dyn Clock>,
    tls: Tls,
    buffers: Arc<BufferPool>,
    stop: CancellationToken,
}

/// Why there is no session.
enum Unready {
    Tls(Outcome),
    Other(Outcome),
}

impl Unready {
    fn into_outcome(self) -> Outcome {
        match self {
            Self::Tls(outcome) | Self::Other(outcome) => outcome,
        }
    }
}

impl Dialing {
    async fn open(&self, tls: ClientTls) -> Result<Connection, Unready> {
        let stream = self
            .connect()
            .await
            .map_err(|error| Unready::Other(Outcome::Deferred(self.unconnected(&error))))?;
        let now = self.clock.now();
        let helo = HelloName::new(self.helo.as_str()).map(HelloName::into_owned);
        let helo = helo.map_err(|error| Unready::Other(unreachable_host(&error.to_string())))?;
        let mut config = ClientConfig::new(helo, self.remote.clone()).with_tls(tls);
        config.credentials.clone_from(&self.credentials);
        config.nonce = self.tls.random().map(Nonce::new);
        let mut connection = Connection::new(
            Wire::new(Box::new(stream), Arc::clone(&self.buffers), now, self.stop.clone()),
            ClientSession::new(config, now),
            Arc::clone(&self.clock),
            self.tls.clone(),
            self.remote.clone(),
        );
        match connection.drive().await {
            Reached::Ready => Ok(connection),
            Reached::Closed(close) => {
                let outcome = close.outcome();
                let by_tls = matches!(close.reason, CloseReason::TlsFailed);
                Err(if by_tls { Unready::Tls(outcome) } else { Unready::Other(outcome) })
            }
            Reached::SendContent | Reached::Done(_) => {
                Err(Unready::Other(unreachable_host("the session is out of order")))
            }
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, self.connect_from_source())
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn connect_from_source(&self) -> io::Result<TcpStream> {
        let Some(source) = self.source else { return TcpStream::connect(self.address).await };
        let socket = if source.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(source, 0))?;
        socket.connect(self.address).await
    }

    fn unconnected(&self, error: &io::Error) -> Status {
        let text = format!("cannot connect to {}: {error}", self.remote);
        let code = EnhancedStatusCode::transient(4, 1);
        let mut status =
            Status::local(AttemptStage::Connect, Reply::new(ReplyCode::LOCAL_ERROR, code, text));
        status.remote = Some(self.remote.clone());
        status
    }
}

fn unresolved() -> Outcome {
    let code = EnhancedStatusCode::transient(4, 3);
    let reply = Reply::new(ReplyCode::LOCAL_ERROR, code, "the DNS did not answer in time");
    Outcome::Deferred(Status::local(AttemptStage::Dns, reply))
}

fn unauthenticated(text: &str) -> Outcome {
    let code = EnhancedStatusCode::transient(7, 0);
    let reply = Reply::new(ReplyCode::LOCAL_ERROR, code, text.to_owned());
    Outcome::Deferred(Status::local(AttemptStage::Auth, reply))
}

fn unreachable_host(text: &str) -> Outcome {
    let code = EnhancedStatusCode::transient(4, 1);
    let reply = Reply::new(ReplyCode::LOCAL_ERROR, code, text.to_owned());
    Outcome::Deferred(Status::local(AttemptStage::Connect, reply))
}

/// Why [`send_message`] had no session to send over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientError(Outcome);

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.status() {
            Some(status) => f.write_str(&status.reply.to_line()),
            None => f.write_str(self.0.name()),
        }
    }
}

impl std::error::Error for ClientError {}

/// Sends one message to one server in a session of its own, as a client does: no queue, no retry,
/// no TLS. One result for each recipient.
///
/// # Cancel safety
///
/// Dropping the future breaks the connection; whether the message arrived is unknown then.
///
/// # Errors
///
/// Where no session could be opened: nothing was sent.
pub async fn send_message(
    server: SocketAddr,
    helo: Domain,
    envelope: &Envelope,
    content: Bytes,
) -> Result<Vec<RecipientResult>, ClientError> {
    let none = Tls::new(None, None, None)
        .map_err(|error| ClientError(unreachable_host(&error.to_string())))?;
    let dialing = Dialing {
        helo,
        remote: RemoteHost { name: server.ip().to_string(), address: Some(server) },
        address: server,
        source: None,
        credentials: None,
        clock: Arc::new(SystemClock),
        tls: none,
        buffers: Arc::default(),
        stop: CancellationToken::new(),
    };
    let opened = dialing.open(ClientTls::Never).await;
    let mut connection = opened.map_err(|unready| ClientError(unready.into_outcome()))?;
    let transaction = Transaction {
        reverse_path: envelope.reverse_path.clone(),
        parameters: envelope.parameters.clone(),
        recipients: (0u32..).zip(envelope.recipients.iter().cloned()).collect(),
        size: u64::try_from(content.len()).unwrap_or(u64::MAX),
        eight_bit: !content.is_ascii(),
        utf8: envelope.parameters.smtputf8,
    };
    let content = Content::from_bytes(content);
    if let Err(refused) = connection.begin(transaction) {
        connection.quit().await;
        return Ok(refused.results);
    }
    loop {
        match connection.drive().await {
            Reached::Ready => {}
            Reached::SendContent => match connection.write_content(&content).await {
                Ok(true) => connection.end_content(),
                Ok(false) => {}
                Err(error) => connection.abort(error.reply()),
            },
            Reached::Done(results) => {
                if connection.is_ready() {
                    connection.quit().await;
                }
                return Ok(results);
            }
            Reached::Closed(close) => return Err(ClientError(close.outcome())),
        }
    }
}
