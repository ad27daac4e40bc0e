//! What bounds sessions, and the whole service.

use std::net::IpAddr;
use std::time::Duration;

use crate::{Refusal, Rights};

/// Limits of a receive connector. [`Default`] gives the values of an Exchange server, which are
/// within RFC 5321 §4.5.3. Where its documents differ, the values of real servers count: 60 hops
/// and not 30, 5 own ones and not 8.
///
/// What becomes of a session that exceeds one is a [`Refusal`], with its reply and its word in
/// logs. Bounds of strangers do not count for peers on this host unless they are set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiveLimits {
    /// `MaxMessageSize`: octets of one message (36 MB, 37,748,736). A bigger one gets `552 5.3.4`
    /// ([`Refusal::MessageSize`]); SIZE announces it.
    pub message_octets_max: u64,
    /// `MaxRecipientsPerMessage`: recipients of one mail transaction (200). One more gets
    /// `452 4.5.3` ([`Refusal::Recipients`]); LIMITS announces it.
    pub recipients_max: u32,
    /// `MaxHeaderSize`: octets of the header section (256 KiB). A bigger one gets `552 5.3.4`
    /// ([`Refusal::HeaderSize`]).
    pub header_octets_max: u64,
    /// `MaxHopCount`: Received fields of one message (60). More are a loop: `554 5.4.6`
    /// ([`Refusal::Hops`]).
    pub hops_max: u32,
    /// `MaxLocalHopCount`: Received fields that name this server (5); 0 does not count them. More
    /// are a loop: `554 5.4.6` ([`Refusal::OwnHops`]).
    pub own_hops_max: u32,
    /// `MaxProtocolErrors`: protocol errors that are answered (5). The next closes the session with
    /// `421 4.7.0` ([`Refusal::ProtocolErrors`]). What is refused for want of a right is none.
    pub protocol_errors_max: u32,
    /// The same once the client has authenticated (20).
    pub authenticated_protocol_errors_max: u32,
    /// `MaxLogonFailures`: failed logons of one session (3); the last of them gets `421 4.7.0`
    /// ([`Refusal::LogonFailures`]). 0 never closes.
    pub logon_failures_max: u32,
    /// `ConnectionTimeout`: how long a session may last (10 min; [`Refusal::SessionTimeout`]). A
    /// content that keeps its rate is taken to its end.
    pub session_timeout: Duration,
    /// `ConnectionInactivityTimeout`: how long a session may be silent (5 min;
    /// [`Refusal::IdleTimeout`]).
    pub idle_timeout: Duration,
    /// `TarpitInterval`: how long a 5yz reply to RCPT or VRFY takes for a client that has not
    /// authenticated (5 s for peers other than loopback), so that hunting for addresses does not
    /// pay. Zero switches it off; what is given here counts for loopback peers too.
    pub tarpit_interval: Option<Duration>,
    /// `AuthTarpitInterval`: how long the reply to a failed logon takes (5 s for peers other than
    /// loopback), so that guessing does not pay. Zero switches it off; what is given here counts
    /// for loopback peers too.
    pub auth_tarpit_interval: Option<Duration>,
    /// `MaxInboundConnection`: connections at a time (5,000 from peers other than loopback). A
    /// number given here counts for loopback peers too. One more gets `421 4.3.2`
    /// ([`Refusal::Connections`]).
    pub connections_max: Option<u32>,
    /// `MaxInboundConnectionPerSource`: connections at a time from one address (20 from peers other
    /// than loopback). A number given here counts for loopback peers too. One more gets `421 4.3.2`
    /// ([`Refusal::SourceConnections`]).
    pub connections_per_source_max: Option<u32>,
    /// `MaxInboundConnectionPercentagePerSource`: how many of the connections that are left of
    /// [`Self::connections_max`] one address may have, per cent (2 from peers other than loopback),
    /// so that the fuller it is the less one address gets; always one. A number given here counts
    /// for loopback peers too. One more gets `421 4.3.2` ([`Refusal::SourceShare`]).
    pub connections_percent_per_source_max: Option<u32>,
    /// `MessageRateLimit`: mail transactions a minute (no limit; 5 at a connector of
    /// [`UsageType::Client`](crate::UsageType)). One more gets `421 4.4.2` to MAIL
    /// ([`Refusal::MessageRate`]).
    pub message_rate_max: Option<u32>,
    /// `MessageRateSource`: who is counted ([`MessageRateSource::IpAddress`]).
    pub message_rate_source: MessageRateSource,
}

impl Default for ReceiveLimits {
    fn default() -> Self {
        Self {
            message_octets_max: 36 * 1024 * 1024,
            recipients_max: 200,
            header_octets_max: 256 * 1024,
            hops_max: 60,
            own_hops_max: 5,
            protocol_errors_max: 5,
            authenticated_protocol_errors_max: 20,
            logon_failures_max: 3,
            session_timeout: Duration::from_mins(10),
            idle_timeout: Duration::from_mins(5),
            tarpit_interval: None,
            auth_tarpit_interval: None,
            connections_max: None,
            connections_per_source_max: None,
            connections_percent_per_source_max: None,
            message_rate_max: None,
            message_rate_source: MessageRateSource::default(),
        }
    }
}

impl ReceiveLimits {
    /// What an absent [`Self::tarpit_interval`] means for peers other than loopback.
    pub const TARPIT_INTERVAL: Duration = Duration::from_secs(5);
    /// What an absent [`Self::auth_tarpit_interval`] means for peers other than loopback.
    pub const AUTH_TARPIT_INTERVAL: Duration = Duration::from_secs(5);
    /// What an absent [`Self::connections_max`] means for peers other than loopback.
    pub const CONNECTIONS_MAX: u32 = 5_000;
    /// What an absent [`Self::connections_per_source_max`] means for peers other than loopback.
    pub const CONNECTIONS_PER_SOURCE_MAX: u32 = 20;
    /// What an absent [`Self::connections_percent_per_source_max`] means for peers other than
    /// loopback.
    pub const CONNECTIONS_PERCENT_PER_SOURCE_MAX: u32 = 2;

    /// How long `peer` waits for the refusal of a recipient.
    pub fn tarpit_interval_for(&self, peer: IpAddr) -> Duration {
        let default = || unless_loopback(peer, Self::TARPIT_INTERVAL);
        self.tarpit_interval.or_else(default).unwrap_or(Duration::ZERO)
    }

    /// How long `peer` waits for the reply to a failed logon.
    pub fn auth_tarpit_interval_for(&self, peer: IpAddr) -> Duration {
        let default = || unless_loopback(peer, Self::AUTH_TARPIT_INTERVAL);
        self.auth_tarpit_interval.or_else(default).unwrap_or(Duration::ZERO)
    }

    /// How many connections there may be for `peer` to be let in; none is no limit.
    pub fn connections_max_for(&self, peer: IpAddr) -> Option<u32> {
        self.connections_max.or_else(|| unless_loopback(peer, Self::CONNECTIONS_MAX))
    }

    /// How many connections `peer` may have; none is no limit.
    pub fn connections_per_source_max_for(&self, peer: IpAddr) -> Option<u32> {
        let default = || unless_loopback(peer, Self::CONNECTIONS_PER_SOURCE_MAX);
        self.connections_per_source_max.or_else(default)
    }

    /// How many connections `peer` may have of those that are left when there are `open` in all;
    /// none is no limit.
    pub fn connections_share_for(&self, peer: IpAddr, open: u32) -> Option<u32> {
        let default = || unless_loopback(peer, Self::CONNECTIONS_PERCENT_PER_SOURCE_MAX);
        let percent = self.connections_percent_per_source_max.or_else(default)?;
        let left = self.connections_max_for(peer)?.saturating_sub(open);
        let share = u64::from(left).saturating_mul(percent.into()) / 100;
        Some(u32::try_from(share).unwrap_or(u32::MAX).max(1))
    }

    /// Whether `peer` may open one more connection when there are `open` in all, `of_peer` of them
    /// its own.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with the reply to the connection.
    pub fn accepts_connection(&self, peer: IpAddr, open: u32, of_peer: u32) -> Result<(), Refusal> {
        let full = |max: Option<u32>, count: u32| max.is_some_and(|max| count >= max);
        if full(self.connections_max_for(peer), open) {
            Err(Refusal::Connections)
        } else if full(self.connections_per_source_max_for(peer), of_peer) {
            Err(Refusal::SourceConnections)
        } else if full(self.connections_share_for(peer, open), of_peer) {
            Err(Refusal::SourceShare)
        } else {
            Ok(())
        }
    }

    /// How big a message of a session with these rights may be; none is no limit.
    pub fn message_octets_max_for(&self, rights: Rights) -> Option<u64> {
        let bypass = rights.contains(Rights::BYPASS_MESSAGE_SIZE_LIMIT);
        (!bypass).then_some(self.message_octets_max)
    }

    /// Whether a session with these rights may send a message of this size.
    ///
    /// # Errors
    ///
    /// [`Refusal::MessageSize`], for MAIL with SIZE or for the content.
    pub fn accepts_size(&self, rights: Rights, octets: u64) -> Result<(), Refusal> {
        let max = self.message_octets_max_for(rights);
        if max.is_some_and(|max| octets > max) { Err(Refusal::MessageSize) } else { Ok(()) }
    }

    /// Whether a header section may be this big.
    ///
    /// # Errors
    ///
    /// [`Refusal::HeaderSize`], for the content.
    pub fn accepts_header(&self, octets: u64) -> Result<(), Refusal> {
        if octets > self.header_octets_max { Err(Refusal::HeaderSize) } else { Ok(()) }
    }

    /// Whether a message may have come this way: `received` fields of trace, `own` of them naming
    /// this server.
    ///
    /// # Errors
    ///
    /// [`Refusal::Hops`] or [`Refusal::OwnHops`], for the content.
    pub fn accepts_hops(&self, received: u32, own: u32) -> Result<(), Refusal> {
        if received > self.hops_max {
            Err(Refusal::Hops)
        } else if self.own_hops_max > 0 && own > self.own_hops_max {
            Err(Refusal::OwnHops)
        } else {
            Ok(())
        }
    }

    /// The same with another [`Self::message_octets_max`].
    #[must_use]
    pub fn with_message_octets_max(self, message_octets_max: u64) -> Self {
        Self { message_octets_max, ..self }
    }

    /// The same with another [`Self::recipients_max`].
    #[must_use]
    pub fn with_recipients_max(self, recipients_max: u32) -> Self {
        Self { recipients_max, ..self }
    }

    /// The same with another [`Self::header_octets_max`].
    #[must_use]
    pub fn with_header_octets_max(self, header_octets_max: u64) -> Self {
        Self { header_octets_max, ..self }
    }

    /// The same with another [`Self::hops_max`].
    #[must_use]
    pub fn with_hops_max(self, hops_max: u32) -> Self {
        Self { hops_max, ..self }
    }

    /// The same with another [`Self::own_hops_max`].
    #[must_use]
    pub fn with_own_hops_max(self, own_hops_max: u32) -> Self {
        Self { own_hops_max, ..self }
    }

    /// The same with another [`Self::protocol_errors_max`].
    #[must_use]
    pub fn with_protocol_errors_max(self, protocol_errors_max: u32) -> Self {
        Self { protocol_errors_max, ..self }
    }

    /// The same with another [`Self::authenticated_protocol_errors_max`].
    #[must_use]
    pub fn with_authenticated_protocol_errors_max(
        self,
        authenticated_protocol_errors_max: u32,
    ) -> Self {
        Self { authenticated_protocol_errors_max, ..self }
    }

    /// The same with another [`Self::logon_failures_max`].
    #[must_use]
    pub fn with_logon_failures_max(self, logon_failures_max: u32) -> Self {
        Self { logon_failures_max, ..self }
    }

    /// The same with another [`Self::session_timeout`].
    #[must_use]
    pub fn with_session_timeout(self, session_timeout: Duration) -> Self {
        Self { session_timeout, ..self }
    }

    /// The same with another [`Self::idle_timeout`].
    #[must_use]
    pub fn with_idle_timeout(self, idle_timeout: Duration) -> Self {
        Self { idle_timeout, ..self }
    }

    /// The same with a [`Self::tarpit_interval`] that counts for every peer.
    #[must_use]
    pub fn with_tarpit_interval(self, tarpit_interval: Duration) -> Self {
        Self { tarpit_interval: Some(tarpit_interval), ..self }
    }

    /// The same with an [`Self::auth_tarpit_interval`] that counts for every peer.
    #[must_use]
    pub fn with_auth_tarpit_interval(self, auth_tarpit_interval: Duration) -> Self {
        Self { auth_tarpit_interval: Some(auth_tarpit_interval), ..self }
    }

    /// The same with a [`Self::connections_max`] that counts for every peer.
    #[must_use]
    pub fn with_connections_max(self, connections_max: u32) -> Self {
        Self { connections_max: Some(connections_max), ..self }
    }

    /// The same with a [`Self::connections_per_source_max`] that counts for every peer.
    #[must_use]
    pub fn with_connections_per_source_max(self, connections_per_source_max: u32) -> Self {
        Self { connections_per_source_max: Some(connections_per_source_max), ..self }
    }

    /// The same with a [`Self::connections_percent_per_source_max`] that counts for every peer.
    #[must_use]
    pub fn with_connections_percent_per_source_max(self, percent: u32) -> Self {
        Self { connections_percent_per_source_max: Some(percent), ..self }
    }

    /// The same with another [`Self::message_rate_max`] of another [`Self::message_rate_source`].
    #[must_use]
    pub fn with_message_rate(self, max: Option<u32>, source: MessageRateSource) -> Self {
        Self { message_rate_max: max, message_rate_source: source, ..self }
    }
}

fn unless_loopback<T>(peer: IpAddr, bound: T) -> Option<T> {
    (!peer.to_canonical().is_loopback()).then_some(bound)
}

/// Who is counted for [`ReceiveLimits::message_rate_max`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageRateSource {
    /// Nobody: there is no limit.
    None,
    /// The address of the client.
    #[default]
    IpAddress,
    /// Who has authenticated, whatever address they come from. A session of nobody counts for its
    /// address: what MAIL FROM says is no more than said, and counting by it would let anybody use
    /// up what somebody else may send.
    User,
    /// The address and, where somebody has authenticated, the user: neither may exceed the limit.
    All,
}

/// Limits of the service as a whole: Exchange's `Set-TransportService`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceLimits {
    /// `MaxConnectionRatePerMinute`: connections a minute that are let in at all connectors
    /// together (1,200 from peers other than loopback). A number given here counts for loopback
    /// peers too. One more gets `421 4.3.2` ([`Refusal::ConnectionRate`]).
    pub connection_rate_max: Option<u32>,
}

impl ServiceLimits {
    /// What an absent [`Self::connection_rate_max`] means for peers other than loopback.
    pub const CONNECTION_RATE_MAX: u32 = 1_200;

    /// How many connections a minute there may be for `peer` to be let in; none is no limit.
    pub fn connection_rate_max_for(&self, peer: IpAddr) -> Option<u32> {
        self.connection_rate_max.or_else(|| unless_loopback(peer, Self::CONNECTION_RATE_MAX))
    }

    /// The same with a [`Self::connection_rate_max`] that counts for every peer.
    #[must_use]
    pub fn with_connection_rate_max(self, connection_rate_max: u32) -> Self {
        Self { connection_rate_max: Some(connection_rate_max), ..self }
    }
}
