//! Receive connectors: how mail comes in.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use transom_types::{ConnectorId, Domain};

use crate::{Permissions, RemoteRange, Rights};

/// How mail comes in: at which addresses, from which peers, with which rights and limits.
///
/// [`Default`] values are those of an Exchange server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiveConnector {
    /// Unique among the receive connectors.
    pub name: ConnectorId,
    /// What it calls itself in the greeting, to EHLO and in Received; none is the server's name.
    pub fqdn: Option<Domain>,
    /// Where it listens. `0.0.0.0` is every IPv4 address and `[::]` every address. Port 0 lets the
    /// system choose.
    pub bindings: Vec<SocketAddr>,
    /// Which peers it serves.
    pub remote_ranges: Vec<RemoteRange>,
    /// What they may do.
    pub permissions: Permissions,
    /// SMTP, or LMTP.
    pub protocol: ReceiveProtocol,
    /// Whether TLS is offered or demanded.
    pub tls: ReceiveTls,
    /// What bounds its sessions.
    pub limits: ReceiveLimits,
    /// Which extensions EHLO offers.
    pub extensions: ReceiveExtensions,
    /// Text of the greeting behind `220` and the name; none is that of the profile.
    pub banner: Option<String>,
    /// Whose words its replies have.
    pub reply_profile: ReplyProfile,
    /// Front ends that tell by the PROXY protocol (version 1 or 2) for whom they connect (none).
    ///
    /// A connection from there to one of this connector's bindings must begin with a header, or it
    /// is closed. The client that the header names is then served as if it had connected itself:
    /// the connector is the one that is narrowest for its address, and rights, limits, trace field
    /// and logs are about it. A front end that speaks for itself (LOCAL, UNKNOWN) is its own
    /// client. From everybody else a header is nothing but a client that speaks too early.
    ///
    /// The list counts for the bindings, since the connector is known only behind the header. Who
    /// is in it can pass for anybody: a list with every address is an error.
    pub proxy_networks: Vec<RemoteRange>,
    /// Peers that may say by XCLIENT for whom they speak (none). Only they see it offered.
    ///
    /// What such a peer says begins the session anew: the connector is chosen by the new address,
    /// as for the client itself, and whether XCLIENT is offered again too. No right follows from a
    /// LOGIN that it names. Who is in the list can pass for anybody: a list with every address is
    /// an error.
    pub xclient_networks: Vec<RemoteRange>,
}

impl ReceiveConnector {
    /// A connector for mail from anywhere to the accepted domains: anonymous, no right to relay,
    /// named `Internet` and its binding.
    pub fn internet(binding: SocketAddr) -> Self {
        Self {
            name: ConnectorId::new(&format!("Internet {binding}")),
            fqdn: None,
            bindings: vec![binding],
            remote_ranges: vec![RemoteRange::ALL_V4, RemoteRange::ALL_V6],
            permissions: Permissions::anonymous_users(),
            protocol: ReceiveProtocol::default(),
            tls: ReceiveTls::default(),
            limits: ReceiveLimits::default(),
            extensions: ReceiveExtensions::default(),
            banner: None,
            reply_profile: ReplyProfile::default(),
            proxy_networks: Vec::new(),
            xclient_networks: Vec::new(),
        }
    }

    /// A connector for mail to the accepted domains by LMTP: anonymous, no right to relay, named
    /// `LMTP` and its binding. Unless ranges are set it serves this host alone.
    ///
    /// LMTP is for programs that are near; RFC 2033 §1 forbids it at port 25,
    /// and the check of the configuration refuses it there.
    pub fn lmtp(binding: SocketAddr) -> Self {
        Self {
            name: ConnectorId::new(&format!("LMTP {binding}")),
            remote_ranges: vec![RemoteRange::LOOPBACK_V4, IpAddr::from(Ipv6Addr::LOCALHOST).into()],
            protocol: ReceiveProtocol::Lmtp,
            ..Self::internet(binding)
        }
    }

    /// A connector for peers in `ranges`, which need not authenticate and may relay anywhere,
    /// named `Relay` and its binding.
    pub fn relay(binding: SocketAddr, ranges: Vec<RemoteRange>) -> Self {
        let permissions = Permissions::anonymous_users();
        let anonymous = permissions.anonymous | Rights::ACCEPT_ANY_RECIPIENT;
        Self {
            name: ConnectorId::new(&format!("Relay {binding}")),
            remote_ranges: ranges,
            permissions: permissions.with_anonymous(anonymous),
            ..Self::internet(binding)
        }
    }

    /// The same under another name.
    #[must_use]
    pub fn with_name(self, name: &str) -> Self {
        Self { name: ConnectorId::new(name), ..self }
    }

    /// The same calling itself `fqdn`.
    #[must_use]
    pub fn with_fqdn(self, fqdn: Domain) -> Self {
        Self { fqdn: Some(fqdn), ..self }
    }

    /// The same listening at `binding` too.
    #[must_use]
    pub fn with_binding(mut self, binding: SocketAddr) -> Self {
        self.bindings.push(binding);
        self
    }

    /// The same for other peers.
    #[must_use]
    pub fn with_remote_ranges(self, remote_ranges: Vec<RemoteRange>) -> Self {
        Self { remote_ranges, ..self }
    }

    /// The same with other permissions.
    #[must_use]
    pub fn with_permissions(self, permissions: Permissions) -> Self {
        Self { permissions, ..self }
    }

    /// The same with another use of TLS.
    #[must_use]
    pub fn with_tls(self, tls: ReceiveTls) -> Self {
        Self { tls, ..self }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: ReceiveLimits) -> Self {
        Self { limits, ..self }
    }

    /// The same offering other extensions.
    #[must_use]
    pub fn with_extensions(self, extensions: ReceiveExtensions) -> Self {
        Self { extensions, ..self }
    }

    /// The same with another text in the greeting.
    #[must_use]
    pub fn with_banner(self, banner: impl Into<String>) -> Self {
        Self { banner: Some(banner.into()), ..self }
    }

    /// The same speaking another protocol.
    #[must_use]
    pub fn with_protocol(self, protocol: ReceiveProtocol) -> Self {
        Self { protocol, ..self }
    }

    /// The same with replies in other words.
    #[must_use]
    pub fn with_reply_profile(self, reply_profile: ReplyProfile) -> Self {
        Self { reply_profile, ..self }
    }

    /// The same with other [`Self::proxy_networks`].
    #[must_use]
    pub fn with_proxy_networks(self, proxy_networks: Vec<RemoteRange>) -> Self {
        Self { proxy_networks, ..self }
    }

    /// The same with other [`Self::xclient_networks`].
    #[must_use]
    pub fn with_xclient_networks(self, xclient_networks: Vec<RemoteRange>) -> Self {
        Self { xclient_networks, ..self }
    }

    /// Whether `peer` may say by XCLIENT for whom it speaks.
    pub fn may_xclient(&self, peer: IpAddr) -> bool {
        self.xclient_networks.iter().any(|range| range.contains(peer))
    }

    /// The narrowest of the ranges that `peer` is in.
    pub fn range_of(&self, peer: IpAddr) -> Option<&RemoteRange> {
        let containing = self.remote_ranges.iter().filter(|range| range.contains(peer));
        containing.min_by_key(|range| range.width())
    }
}

/// What a receive connector speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReceiveProtocol {
    /// SMTP.
    #[default]
    Smtp,
    /// LMTP (RFC 2033): behind a content there is a reply for every recipient.
    Lmtp,
}

/// Whose words the replies of a receive connector have: greeting, EHLO, refusals. What is
/// taken in one is taken in the other, but a refusal may have another code, and be temporary where
/// the other is permanent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplyProfile {
    /// Our own.
    #[default]
    Plain,
    /// Those of an Exchange server, for programs that look for them.
    Exchange,
}

/// Whether a receive connector uses TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReceiveTls {
    /// STARTTLS is not offered.
    #[default]
    Off,
    /// STARTTLS is offered.
    Offered,
    /// STARTTLS is offered, and MAIL FROM is refused before it.
    Required,
    /// The connection begins with the TLS handshake (RFC 8314 §3).
    Implicit,
}

/// Limits of a receive connector. [`Default`] gives the values of an Exchange server, which are
/// within RFC 5321 §4.5.3.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiveLimits {
    /// Octets of one message (36 MB, 37,748,736). A bigger one gets `552 5.3.4`; SIZE announces it.
    pub message_octets_max: u64,
    /// Recipients of one mail transaction (200). One more gets `452 4.5.3`; LIMITS announces it.
    pub recipients_max: u32,
    /// Octets of the header section (256 KiB). A bigger one gets `552 5.3.4`.
    pub header_octets_max: u64,
    /// Received fields of one message (60). More are a loop: `554 5.4.6`.
    pub hops_max: u32,
    /// Received fields that name this server (5); 0 does not count them. More are a loop:
    /// `554 5.4.6`.
    pub own_hops_max: u32,
    /// Protocol errors that are answered (5; 20 once the client has logged in). The next closes the
    /// session. What is refused for want of a right is none.
    pub protocol_errors_max: u32,
    /// How long a session may last (10 min). A content that keeps its rate is taken to its end.
    pub session_timeout: Duration,
    /// How long a session may be silent (5 min).
    pub idle_timeout: Duration,
    /// How long a 5yz reply to RCPT or VRFY takes for a client that has not authenticated (5 s for
    /// peers other than loopback), so that hunting for addresses does not pay. Zero switches it
    /// off; what is given here counts for loopback peers too.
    pub tarpit_interval: Option<Duration>,
    /// Connections at a time (5,000 from peers other than loopback). A number given here counts
    /// for loopback peers too.
    pub connections_max: Option<u32>,
    /// Connections at a time from one address (20 from peers other than loopback). A number given
    /// here counts for loopback peers too.
    pub connections_per_source_max: Option<u32>,
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
            session_timeout: Duration::from_mins(10),
            idle_timeout: Duration::from_mins(5),
            tarpit_interval: None,
            connections_max: None,
            connections_per_source_max: None,
        }
    }
}

impl ReceiveLimits {
    /// What an absent [`Self::tarpit_interval`] means for peers other than loopback.
    pub const TARPIT_INTERVAL: Duration = Duration::from_secs(5);
    /// What an absent [`Self::connections_max`] means for peers other than loopback.
    pub const CONNECTIONS_MAX: u32 = 5_000;
    /// What an absent [`Self::connections_per_source_max`] means for peers other than loopback.
    pub const CONNECTIONS_PER_SOURCE_MAX: u32 = 20;

    /// How long `peer` waits for the refusal of a recipient.
    pub fn tarpit_interval_for(&self, peer: IpAddr) -> Duration {
        let default = || unless_loopback(peer, Self::TARPIT_INTERVAL);
        self.tarpit_interval.or_else(default).unwrap_or(Duration::ZERO)
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

    /// How big a message of a session with these rights may be; none is no limit.
    pub fn message_octets_max_for(&self, rights: Rights) -> Option<u64> {
        let bypass = rights.contains(Rights::BYPASS_MESSAGE_SIZE_LIMIT);
        (!bypass).then_some(self.message_octets_max)
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
}

fn unless_loopback<T>(peer: IpAddr, bound: T) -> Option<T> {
    (!peer.to_canonical().is_loopback()).then_some(bound)
}

/// Which extensions a receive connector offers. STARTTLS follows from [`ReceiveTls`], AUTH from
/// [`Permissions`], XCLIENT from [`ReceiveConnector::xclient_networks`].
///
/// DSN, REQUIRETLS, DELIVERBY, FUTURERELEASE, MT-PRIORITY, RRVS and BINARYMIME have no switch here
/// and are never offered: to offer one is to promise that delivery keeps to it, and it does not
/// yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one switch an extension, as Exchange has them")]
#[non_exhaustive]
pub struct ReceiveExtensions {
    /// SIZE (RFC 1870); on. Off: the limit holds all the same.
    pub size: bool,
    /// Whether SIZE tells the limit; on. Off is Exchange's `EnabledWithoutValue`.
    pub size_told: bool,
    /// PIPELINING (RFC 2920); on.
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152); on.
    pub eight_bit_mime: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034); on.
    pub enhanced_status_codes: bool,
    /// CHUNKING (RFC 3030); on.
    pub chunking: bool,
    /// SMTPUTF8 (RFC 6531); on.
    pub smtputf8: bool,
    /// LIMITS (RFC 9422) with the recipients of a transaction; on.
    pub limits: bool,
}

impl Default for ReceiveExtensions {
    fn default() -> Self {
        Self {
            size: true,
            size_told: true,
            pipelining: true,
            eight_bit_mime: true,
            enhanced_status_codes: true,
            chunking: true,
            smtputf8: true,
            limits: true,
        }
    }
}
