//! Receive connectors: how mail comes in.

mod checks;
mod explain;
mod extensions;
mod limits;
mod preset;
mod rates;
mod refusal;
mod select;
mod validate;

use std::net::{IpAddr, SocketAddr};

use transom_types::{ConnectorId, Domain};

pub use explain::{LostReason, ReceiveCandidate, ReceiveExplanation, ReceiveStage};
pub use extensions::ReceiveExtensions;
pub use limits::{MessageRateSource, ReceiveLimits, ServiceLimits};
pub use preset::UsageType;
pub use rates::{ConnectionRate, MessageRates};
pub use refusal::Refusal;
pub(crate) use select::{ReceiveIndex, covers, successor};
pub use validate::ReceiveConnectorError;
pub(crate) use validate::check_receive_connectors;

use crate::{Permissions, PrincipalKind, RemoteRange, Rights};

/// How mail comes in: at which addresses, from which peers, with which rights and limits.
///
/// [`Default`] values are those of an Exchange server.
///
/// # Parameters of `Set-ReceiveConnector`
///
/// - `AuthMechanism` and `RequireTLS` are [`ReceiveTls`] and [`ReceiveAuth`];
/// - `PermissionGroups` and `Add-ADPermission` are [`Permissions`];
/// - `TlsDomainCapabilities` and `DomainSecureEnabled` are [`Self::server_domains`] and
///   [`Self::partner_domains`];
/// - `BareLinefeedRejectionEnabled` is [`Self::danger_normalize_bare_newlines`];
/// - `Max...`, the time-outs, tarpits and message rates are [`ReceiveLimits`];
/// - `SizeEnabled`, `ChunkingEnabled` and their like are [`ReceiveExtensions`];
/// - `MaxConnectionRatePerMinute` of the service is [`ServiceLimits`];
/// - all others that exist are fields of the same name.
///
/// These do not exist here:
///
/// - `Integrated`, `EnableAuthGSSAPI`, `ExtendedProtectionPolicy`: NTLM and Kerberos are not
///   spoken; SCRAM is what binds to the channel;
/// - `ExchangeServer`, `SuppressXAnonymousTls`: X-ANONYMOUSTLS and X-EXPS are for servers of
///   Exchange; a server of ours shows a certificate;
/// - `ServiceDiscoveryFqdn`, `AdvertiseClientSettings`: they tell mail programs of Exchange what to
///   set up;
/// - `TransportRole`, `ProxyEnabled`, `LiveCredentialEnabled`, `AcceptConsumerMail`: there is one
///   role, and no cloud behind it;
/// - `MaxAcknowledgementDelay`: a message is durable before its reply, so that there is nothing to
///   wait for;
/// - `OrarEnabled`, `LongAddressesEnabled`: XORAR and XLONGADDR carry X.400 addresses;
/// - `TlsCertificateName`: the host program gives certificates, and the name that the client asks
///   for chooses among them;
/// - `DeliveryStatusNotificationEnabled`, `BinaryMimeEnabled`: to offer DSN or BINARYMIME is to
///   promise what delivery does not keep yet;
/// - `ProtocolLoggingLevel`: there is no protocol log yet; `tracing` says what a session does;
/// - `MaxConcurrentMailboxDeliveries` and its like, `ExternalIPAddress`: no mailbox server is
///   behind it, and loops are told by name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that Exchange has")]
#[non_exhaustive]
pub struct ReceiveConnector {
    /// Unique among the receive connectors.
    pub name: ConnectorId,
    /// `Enabled` (yes). Off: it listens nowhere and serves nobody, and is compared with no other.
    pub enabled: bool,
    /// `Comment`: what the administrator wants to remember (nothing).
    pub comment: String,
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
    /// How peers may show who they are.
    pub auth: ReceiveAuth,
    /// Hosts whose certificate makes the peer a server of our organization (none): Exchange's
    /// `TlsDomainCapabilities` with `AcceptCloudServicesMail`. See [`Self::principal_kind`].
    pub server_domains: Vec<Domain>,
    /// Hosts whose certificate makes the peer a partner (none): Exchange's `DomainSecureEnabled`.
    /// See [`Self::principal_kind`].
    pub partner_domains: Vec<Domain>,
    /// What bounds its sessions.
    pub limits: ReceiveLimits,
    /// Which extensions EHLO offers.
    pub extensions: ReceiveExtensions,
    /// Text of the greeting behind `220` and the name; none is that of the profile.
    pub banner: Option<String>,
    /// Whose words its replies have.
    pub reply_profile: ReplyProfile,
    /// `DefaultDomain`: an accepted domain for addresses without one, which for RFC 5321 are
    /// `<Postmaster>` alone (none: [`CheckedConfiguration::default_domain`]).
    ///
    /// [`CheckedConfiguration::default_domain`]: crate::CheckedConfiguration::default_domain
    pub default_domain: Option<Domain>,
    /// `RequireEHLODomain` (no): EHLO and HELO must name a domain, and no address literal, or get
    /// `501 5.5.4`; in logs [`Refusal::HelloDomain`].
    pub require_ehlo_domain: bool,
    /// `BareLinefeedRejectionEnabled` turned round (no, as the architecture has it and Exchange has
    /// not): CR and LF alone get `550 5.6.11`. Yes: each becomes CRLF. For connectors where nobody
    /// may submit who has not authenticated; the check refuses it elsewhere.
    pub danger_normalize_bare_newlines: bool,
    /// Whether strangers shall relay here, because this connector names their ranges or their front
    /// ends on purpose (no), such as an office with an address of its provider. Changes nothing in
    /// sessions: lint then warns of an [open relay](crate::LintRule::OpenRelay), where it would
    /// keep a transport from starting.
    pub danger_open_relay: bool,
    /// `RejectReservedTopLevelRecipientDomains` (no): recipients under `test`, `example`,
    /// `invalid` and `localhost` get `550 5.1.4`; in logs [`Refusal::ReservedTopLevel`].
    pub reject_reserved_top_level: bool,
    /// `RejectReservedSecondLevelRecipientDomains` (no): recipients at and under `example.com`,
    /// `example.net` and `example.org` get `550 5.1.5`; in logs
    /// [`Refusal::ReservedSecondLevel`].
    pub reject_reserved_second_level: bool,
    /// `RejectSingleLabelRecipientDomains` (no): recipients such as `user@contoso` get
    /// `550 5.1.6`; in logs [`Refusal::SingleLabel`].
    pub reject_single_label: bool,
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
    /// The same under another name.
    #[must_use]
    pub fn with_name(self, name: &str) -> Self {
        Self { name: ConnectorId::new(name), ..self }
    }

    /// The same with another [`Self::enabled`].
    #[must_use]
    pub fn with_enabled(self, enabled: bool) -> Self {
        Self { enabled, ..self }
    }

    /// The same with another [`Self::comment`].
    #[must_use]
    pub fn with_comment(self, comment: impl Into<String>) -> Self {
        Self { comment: comment.into(), ..self }
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

    /// The same with other ways to show who a peer is.
    #[must_use]
    pub fn with_auth(self, auth: ReceiveAuth) -> Self {
        Self { auth, ..self }
    }

    /// The same with other [`Self::server_domains`].
    #[must_use]
    pub fn with_server_domains(self, server_domains: Vec<Domain>) -> Self {
        Self { server_domains, ..self }
    }

    /// The same with other [`Self::partner_domains`].
    #[must_use]
    pub fn with_partner_domains(self, partner_domains: Vec<Domain>) -> Self {
        Self { partner_domains, ..self }
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

    /// The same with a [`Self::default_domain`].
    #[must_use]
    pub fn with_default_domain(self, default_domain: Domain) -> Self {
        Self { default_domain: Some(default_domain), ..self }
    }

    /// The same with another [`Self::require_ehlo_domain`].
    #[must_use]
    pub fn with_require_ehlo_domain(self, require_ehlo_domain: bool) -> Self {
        Self { require_ehlo_domain, ..self }
    }

    /// The same with another [`Self::danger_normalize_bare_newlines`].
    #[must_use]
    pub fn danger_normalize_bare_newlines(self, normalize: bool) -> Self {
        Self { danger_normalize_bare_newlines: normalize, ..self }
    }

    /// The same with another [`Self::danger_open_relay`].
    #[must_use]
    pub fn danger_open_relay(self, danger_open_relay: bool) -> Self {
        Self { danger_open_relay, ..self }
    }

    /// The same with another [`Self::reject_reserved_top_level`].
    #[must_use]
    pub fn with_reject_reserved_top_level(self, reject_reserved_top_level: bool) -> Self {
        Self { reject_reserved_top_level, ..self }
    }

    /// The same with another [`Self::reject_reserved_second_level`].
    #[must_use]
    pub fn with_reject_reserved_second_level(self, reject_reserved_second_level: bool) -> Self {
        Self { reject_reserved_second_level, ..self }
    }

    /// The same with another [`Self::reject_single_label`].
    #[must_use]
    pub fn with_reject_single_label(self, reject_single_label: bool) -> Self {
        Self { reject_single_label, ..self }
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

    /// Whether AUTH is offered in this state of a session.
    pub fn offers_auth(&self, is_tls: bool) -> bool {
        let in_time = match self.auth {
            ReceiveAuth::Off | ReceiveAuth::ExternalAuthoritative => false,
            ReceiveAuth::RequireTls => is_tls,
            ReceiveAuth::DangerClear => true,
        };
        in_time && self.permissions.authenticated != Rights::NONE
    }

    /// Who a session is, as far as rights go: asked anew whenever TLS or AUTH has succeeded.
    ///
    /// `certificate_names` are the DNS names in the certificate that the client has shown, once it
    /// is **verified**: one that chains to a trusted root and that the client holds the key of. A
    /// domain of [`Self::server_domains`] or [`Self::partner_domains`] is meant by its own name and
    /// by `*.` in place of its first label.
    ///
    /// Who logs in is a user, whatever its certificate said; a server comes before a partner.
    pub fn principal_kind<S: AsRef<str>>(
        &self,
        is_authenticated: bool,
        certificate_names: &[S],
    ) -> PrincipalKind {
        let shows = |domains: &[Domain]| {
            domains
                .iter()
                .any(|domain| certificate_names.iter().any(|name| certifies(name.as_ref(), domain)))
        };
        if self.auth == ReceiveAuth::ExternalAuthoritative {
            PrincipalKind::ExternallySecured
        } else if is_authenticated {
            PrincipalKind::User
        } else if shows(&self.server_domains) {
            PrincipalKind::Server
        } else if shows(&self.partner_domains) {
            PrincipalKind::Partner
        } else {
            PrincipalKind::Anonymous
        }
    }
}

/// Whether a name in a certificate means `domain`. RFC 6125 is about servers; the same
/// holds here: `*` is one whole label, the first.
pub(crate) fn certifies(name: &str, domain: &Domain) -> bool {
    let domain = domain.as_str();
    match name.strip_prefix("*.") {
        Some(parent) => {
            let behind = domain.split_once('.').map(|(_, parent)| parent);
            parent.contains('.') && behind.is_some_and(|own| own.eq_ignore_ascii_case(parent))
        }
        None => name.eq_ignore_ascii_case(domain),
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
    /// STARTTLS is offered: Exchange's `AuthMechanism` `Tls`. Without a certificate it is not.
    Offered,
    /// STARTTLS is offered, and MAIL FROM is refused before it: Exchange's `RequireTLS`.
    Required,
    /// The connection begins with the TLS handshake (RFC 8314 §3).
    Implicit,
}

/// How peers of a receive connector may show who they are: Exchange's `AuthMechanism`, without
/// `Tls`, which is [`ReceiveTls`]. What cannot be combined there cannot be said here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReceiveAuth {
    /// Exchange's `None`, or `Tls` alone: AUTH is not offered.
    Off,
    /// Exchange's `BasicAuth` with `BasicAuthRequireTLS`: AUTH is offered under TLS, where
    /// [`Permissions::authenticated`] has any right. Needs TLS.
    #[default]
    RequireTls,
    /// Exchange's `BasicAuth` alone: AUTH is offered without TLS too. Whoever reads along has the
    /// passwords then.
    DangerClear,
    /// The network vouches for every peer (a tunnel, a wire of its own): each is
    /// [`PrincipalKind::ExternallySecured`] from the greeting on, and AUTH is not offered. Needs
    /// [`Permissions::externally_secured`].
    ExternalAuthoritative,
}
