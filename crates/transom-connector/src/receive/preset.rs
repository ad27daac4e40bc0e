//! Usage types: what a receive connector is for, as presets.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use transom_types::ConnectorId;

use super::{
    MessageRateSource, ReceiveAuth, ReceiveConnector, ReceiveExtensions, ReceiveLimits,
    ReceiveProtocol, ReceiveTls, ReplyProfile,
};
use crate::{PermissionGroup, Permissions, RemoteRange, Rights};

/// What a receive connector is for: Exchange's `Usage`. It is a set of values to begin with, and
/// no property: whatever it sets may be set otherwise.
///
/// | usage | permission groups | TLS | AUTH | message rate |
/// |---|---|---|---|---|
/// | `Client` | `ExchangeUsers` | offered | under TLS | 5 a minute and user |
/// | `Custom` | none | offered | no | no limit |
/// | `Internal` | `ExchangeServers` | offered | no | no limit |
/// | `Internet` | `AnonymousUsers` | off | under TLS | no limit |
/// | `Partner` | `Partners` | offered | no | no limit |
///
/// TLS is offered where there is a certificate. Exchange makes itself one and so offers it for
/// `Internet` too; here that is asked for by `with_tls`. AUTH is offered to no one at `Internet`
/// until authenticated users are given a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UsageType {
    /// Mail programs of our users.
    Client,
    /// Whatever the rights that are given make of it.
    Custom,
    /// Servers of our organization, by the certificates of
    /// [`server_domains`](ReceiveConnector::server_domains).
    Internal,
    /// Mail from anywhere to the accepted domains.
    Internet,
    /// Partners, by the certificates of [`partner_domains`](ReceiveConnector::partner_domains).
    Partner,
}

impl UsageType {
    fn name(self) -> &'static str {
        match self {
            Self::Client => "Client",
            Self::Custom => "Custom",
            Self::Internal => "Internal",
            Self::Internet => "Internet",
            Self::Partner => "Partner",
        }
    }
}

impl ReceiveConnector {
    /// A connector for that use, for peers from anywhere, named after the use and its binding.
    pub fn new(usage: UsageType, binding: SocketAddr) -> Self {
        let nobody = Permissions::none();
        let permissions = match usage {
            UsageType::Client => nobody.with_group(PermissionGroup::ExchangeUsers),
            UsageType::Custom => nobody,
            UsageType::Internal => nobody.with_group(PermissionGroup::ExchangeServers),
            UsageType::Internet => nobody.with_group(PermissionGroup::AnonymousUsers),
            UsageType::Partner => nobody.with_group(PermissionGroup::Partners),
        };
        let limits = ReceiveLimits::default();
        Self {
            name: ConnectorId::new(&format!("{} {binding}", usage.name())),
            enabled: true,
            comment: String::new(),
            fqdn: None,
            bindings: vec![binding],
            remote_ranges: vec![RemoteRange::ALL_V4, RemoteRange::ALL_V6],
            permissions,
            protocol: ReceiveProtocol::default(),
            tls: match usage {
                UsageType::Internet => ReceiveTls::Off,
                _ => ReceiveTls::Offered,
            },
            auth: match usage {
                UsageType::Client | UsageType::Internet => ReceiveAuth::RequireTls,
                _ => ReceiveAuth::Off,
            },
            server_domains: Vec::new(),
            partner_domains: Vec::new(),
            limits: match usage {
                UsageType::Client => limits.with_message_rate(Some(5), MessageRateSource::User),
                _ => limits,
            },
            extensions: ReceiveExtensions::default(),
            banner: None,
            reply_profile: ReplyProfile::default(),
            default_domain: None,
            require_ehlo_domain: false,
            danger_normalize_bare_newlines: false,
            danger_open_relay: false,
            reject_reserved_top_level: false,
            reject_reserved_second_level: false,
            reject_single_label: false,
            proxy_networks: Vec::new(),
            xclient_networks: Vec::new(),
        }
    }

    /// A connector for mail from anywhere to the accepted domains: anonymous, no right to relay,
    /// named `Internet` and its binding.
    pub fn internet(binding: SocketAddr) -> Self {
        Self::new(UsageType::Internet, binding)
    }

    /// A connector for the mail programs of our users, who authenticate under TLS and may then
    /// relay, named `Client` and its binding.
    pub fn client(binding: SocketAddr) -> Self {
        Self::new(UsageType::Client, binding)
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
    /// named `Relay` and its binding. Their mail is that of strangers all the same: filtered, and
    /// bound by size.
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

    /// A connector for peers in `ranges` whom the network has shown to be ours
    /// ([`ReceiveAuth::ExternalAuthoritative`]): they may relay from any sender, past the filters,
    /// and their mail counts as that of authenticated senders. Named `Trusted` and its binding.
    pub fn externally_secured(binding: SocketAddr, ranges: Vec<RemoteRange>) -> Self {
        Self {
            name: ConnectorId::new(&format!("Trusted {binding}")),
            remote_ranges: ranges,
            permissions: Permissions::none().with_group(PermissionGroup::ExchangeServers),
            auth: ReceiveAuth::ExternalAuthoritative,
            ..Self::internet(binding)
        }
    }
}
