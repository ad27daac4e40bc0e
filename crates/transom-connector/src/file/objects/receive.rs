//! Receive connectors in a file.

use std::net::{Ipv4Addr, SocketAddr};

use transom_types::ConnectorId;

use crate::file::form::{
    Count, Flag, ForStrangers, ListOf, Octets, Optional, Parsed, Text, Time, Unlimited, Words,
};
use crate::file::pass::{Entry, Object, Pass};
use crate::{
    MessageRateSource, PermissionGroup, Permissions, PrincipalKind, ReceiveAuth, ReceiveConnector,
    ReceiveExtensions, ReceiveLimits, ReceiveProtocol, ReceiveTls, RemoteRange, ReplyProfile,
    Rights, UsageType,
};

use super::{DOMAIN, DOMAINS};

const USAGES: Words<UsageType> = Words(&[
    (UsageType::Client, "Client"),
    (UsageType::Custom, "Custom"),
    (UsageType::Internal, "Internal"),
    (UsageType::Internet, "Internet"),
    (UsageType::Partner, "Partner"),
]);

const PROTOCOLS: Words<ReceiveProtocol> =
    Words(&[(ReceiveProtocol::Smtp, "SMTP"), (ReceiveProtocol::Lmtp, "LMTP")]);

const TLS: Words<ReceiveTls> = Words(&[
    (ReceiveTls::Off, "Off"),
    (ReceiveTls::Offered, "Offered"),
    (ReceiveTls::Required, "Required"),
    (ReceiveTls::Implicit, "Implicit"),
]);

const AUTH: Words<ReceiveAuth> = Words(&[
    (ReceiveAuth::Off, "Off"),
    (ReceiveAuth::RequireTls, "RequireTls"),
    (ReceiveAuth::DangerClear, "DangerClear"),
    (ReceiveAuth::ExternalAuthoritative, "ExternalAuthoritative"),
]);

const PROFILES: Words<ReplyProfile> =
    Words(&[(ReplyProfile::Plain, "Plain"), (ReplyProfile::Exchange, "Exchange")]);

const RATE_SOURCES: Words<MessageRateSource> = Words(&[
    (MessageRateSource::None, "None"),
    (MessageRateSource::IpAddress, "IPAddress"),
    (MessageRateSource::User, "User"),
    (MessageRateSource::All, "All"),
]);

const GROUPS: ListOf<Words<PermissionGroup>> = ListOf(Words(&[
    (PermissionGroup::AnonymousUsers, "AnonymousUsers"),
    (PermissionGroup::ExchangeUsers, "ExchangeUsers"),
    (PermissionGroup::ExchangeServers, "ExchangeServers"),
    (PermissionGroup::Partners, "Partners"),
]));

const RANGES: ListOf<Parsed<RemoteRange>> =
    ListOf(Parsed::new("addresses such as \"10.0.0.0/8\", \"10.0.0.1-10.0.0.9\" or \"10.0.0.1\""));

const BINDINGS: ListOf<Parsed<SocketAddr>> =
    ListOf(Parsed::new("an address and a port such as \"0.0.0.0:25\" or \"[::]:25\""));

const RIGHTS: ListOf<Parsed<Rights>> =
    ListOf(Parsed::new("a right such as \"SMTP-Accept-Any-Recipient\""));

/// The connector for this use, without a name and listening nowhere.
pub(in crate::file) fn of_usage(usage: UsageType) -> ReceiveConnector {
    let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let connector = ReceiveConnector::new(usage, anywhere);
    ReceiveConnector { name: ConnectorId::new(""), bindings: Vec::new(), ..connector }
}

impl Entry for ReceiveConnector {
    fn blank() -> Option<Self> {
        Some(of_usage(UsageType::Custom))
    }
}

impl Object for ReceiveConnector {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        self.who(pass);
        self.security(pass);
        let about = "What bounds its sessions.";
        pass.table("limits", about, &mut self.limits);
        pass.table("extensions", "Which extensions EHLO offers.", &mut self.extensions);
        self.replies(pass);
        let about = "Front ends that say by the PROXY protocol for whom they connect.";
        pass.field("proxy_networks", about, RANGES, &mut self.proxy_networks);
        let about = "Peers that may say by XCLIENT for whom they speak.";
        pass.field("xclient_networks", about, RANGES, &mut self.xclient_networks);
    }
}

impl ReceiveConnector {
    fn who<P: Pass>(&mut self, pass: &mut P) {
        let mut usage = UsageType::Custom;
        let about = "What it is for. It sets the defaults of the other fields.";
        pass.field("usage", about, USAGES, &mut usage);
        if pass.is_reading() {
            *self = of_usage(usage);
        }
        let mut name = self.name.to_string();
        pass.required("name", "Unique among the receive connectors.", Text("a name"), &mut name);
        self.name = ConnectorId::new(&name);
        let about = "Off: it listens nowhere and serves nobody.";
        pass.field("enabled", about, Flag, &mut self.enabled);
        let about = "What the administrator wants to remember.";
        pass.field("comment", about, Text("a text"), &mut self.comment);
        let about = "What it calls itself; absent: server_name.";
        pass.field("fqdn", about, Optional(DOMAIN), &mut self.fqdn);
        let about = "Where it listens. \"[::]:25\" is every address, IPv4 too.";
        pass.required("bindings", about, BINDINGS, &mut self.bindings);
        let about = "Which peers it serves. The narrowest range of all connectors wins.";
        pass.field("remote_ranges", about, RANGES, &mut self.remote_ranges);
    }

    fn security<P: Pass>(&mut self, pass: &mut P) {
        let mut grants = Grants::of(self.permissions);
        let about = "Bundles of rights, in place of those of the usage.";
        pass.field("permission_groups", about, GROUPS, &mut grants.groups);
        pass.table("rights", "Rights beside those of the permission groups.", &mut grants);
        self.permissions = grants.permissions();
        let about = "SMTP, or LMTP for programs that are near.";
        pass.field("protocol", about, PROTOCOLS, &mut self.protocol);
        let about = "Whether STARTTLS is offered or required, or TLS begins the connection.";
        pass.field("tls", about, TLS, &mut self.tls);
        let about = "When AUTH is offered, to whom authenticated users have a right. \
                     ExternalAuthoritative: the network vouches for every peer.";
        pass.field("auth", about, AUTH, &mut self.auth);
        let about = "Hosts whose certificate makes the peer a server of ours.";
        pass.field("server_domains", about, DOMAINS, &mut self.server_domains);
        let about = "Hosts whose certificate makes the peer a partner.";
        pass.field("partner_domains", about, DOMAINS, &mut self.partner_domains);
    }

    fn replies<P: Pass>(&mut self, pass: &mut P) {
        let about = "Text of the greeting behind 220 and the name; absent: the profile's.";
        pass.field("banner", about, Optional(Text("a text")), &mut self.banner);
        pass.field("reply_profile", "Whose words replies have.", PROFILES, &mut self.reply_profile);
        let about = "An accepted domain for addresses without one.";
        pass.field("default_domain", about, Optional(DOMAIN), &mut self.default_domain);
        let about = "EHLO and HELO must name a domain.";
        pass.field("require_ehlo_domain", about, Flag, &mut self.require_ehlo_domain);
        let about = "CR and LF alone become CRLF, in place of a refusal.";
        pass.field(
            "danger_normalize_bare_newlines",
            about,
            Flag,
            &mut self.danger_normalize_bare_newlines,
        );
        let about = "Strangers shall relay here: lint warns of it, and the server starts.";
        pass.field("danger_open_relay", about, Flag, &mut self.danger_open_relay);
        let about = "Refuses recipients under test, example, invalid and localhost.";
        pass.field("reject_reserved_top_level", about, Flag, &mut self.reject_reserved_top_level);
        let about = "Refuses recipients at example.com, example.net and example.org.";
        pass.field(
            "reject_reserved_second_level",
            about,
            Flag,
            &mut self.reject_reserved_second_level,
        );
        let about = "Refuses recipients such as user@contoso.";
        pass.field("reject_single_label", about, Flag, &mut self.reject_single_label);
    }
}

/// Permissions as a file has them: whole groups, and what is left of rights.
struct Grants {
    groups: Vec<PermissionGroup>,
    more: Permissions,
}

impl Grants {
    fn of(permissions: Permissions) -> Self {
        let groups = PermissionGroup::ALL.into_iter();
        let groups = groups.filter(|group| permissions.has_group(*group)).collect();
        let mut grants = Self { groups, more: Permissions::none() };
        let given = grants.permissions();
        for kind in PrincipalKind::ALL {
            let rights = permissions.rights(kind) - given.rights(kind);
            grants.more = grants.more.with_rights(kind, rights);
        }
        grants
    }

    fn permissions(&self) -> Permissions {
        self.groups.iter().fold(self.more, |all, group| all.with_group(*group))
    }
}

impl Object for Grants {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        let kinds = [
            (PrincipalKind::Anonymous, "anonymous", "Who has not shown who it is."),
            (PrincipalKind::User, "authenticated", "Who has authenticated."),
            (PrincipalKind::Partner, "partner", "Who has a certificate of partner_domains."),
            (PrincipalKind::Server, "server", "Who has a certificate of server_domains."),
            (PrincipalKind::ExternallySecured, "externally_secured", "Everybody, if so secured."),
        ];
        for (kind, name, about) in kinds {
            let mut rights: Vec<Rights> =
                self.more.rights(kind).iter().map(|(right, _)| right).collect();
            pass.field(name, about, RIGHTS, &mut rights);
            self.more = self.more.with_rights(kind, rights.into_iter().collect());
        }
    }
}

impl Object for ReceiveLimits {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        let octets = Octets::<u64>::NEW;
        let about = "Octets of one message.";
        pass.field("message_octets_max", about, octets, &mut self.message_octets_max);
        let about = "Recipients of one mail transaction.";
        pass.field("recipients_max", about, Count::NEW, &mut self.recipients_max);
        let about = "Octets of the header section.";
        pass.field("header_octets_max", about, Octets::NEW, &mut self.header_octets_max);
        let about = "Received fields of one message.";
        pass.field("hops_max", about, Count::NEW, &mut self.hops_max);
        let about = "Received fields that name this server; 0 does not count them.";
        pass.field("own_hops_max", about, Count::NEW, &mut self.own_hops_max);
        let about = "Protocol errors that are answered; the next closes the session.";
        pass.field("protocol_errors_max", about, Count::NEW, &mut self.protocol_errors_max);
        let about = "The same once the client has authenticated.";
        pass.field(
            "authenticated_protocol_errors_max",
            about,
            Count::NEW,
            &mut self.authenticated_protocol_errors_max,
        );
        let about = "Failed logons, the last of which closes the session; 0 never closes.";
        pass.field("logon_failures_max", about, Count::NEW, &mut self.logon_failures_max);
        let about = "How long a session may last.";
        pass.field("session_timeout", about, Time, &mut self.session_timeout);
        let about = "How long a session may be silent.";
        pass.field("idle_timeout", about, Time, &mut self.idle_timeout);
        self.strangers(pass);
        let about = "Mail transactions a minute.";
        pass.field("message_rate_max", about, Unlimited(Count::NEW), &mut self.message_rate_max);
        let about = "Who is counted for message_rate_max.";
        pass.field("message_rate_source", about, RATE_SOURCES, &mut self.message_rate_source);
    }
}

impl ReceiveLimits {
    fn strangers<P: Pass>(&mut self, pass: &mut P) {
        let about = "How long the refusal of a recipient takes.";
        let form = ForStrangers(Time, Self::TARPIT_INTERVAL);
        pass.field("tarpit_interval", about, form, &mut self.tarpit_interval);
        let about = "How long the reply to a failed logon takes.";
        let form = ForStrangers(Time, Self::AUTH_TARPIT_INTERVAL);
        pass.field("auth_tarpit_interval", about, form, &mut self.auth_tarpit_interval);
        let about = "Connections at a time.";
        let form = ForStrangers(Count::NEW, Self::CONNECTIONS_MAX);
        pass.field("connections_max", about, form, &mut self.connections_max);
        let about = "Connections at a time from one address.";
        let form = ForStrangers(Count::NEW, Self::CONNECTIONS_PER_SOURCE_MAX);
        pass.field("connections_per_source_max", about, form, &mut self.connections_per_source_max);
        let about = "How many of the connections that are left one address may have, per cent.";
        let form = ForStrangers(Count::NEW, Self::CONNECTIONS_PERCENT_PER_SOURCE_MAX);
        pass.field(
            "connections_percent_per_source_max",
            about,
            form,
            &mut self.connections_percent_per_source_max,
        );
    }
}

impl Object for ReceiveExtensions {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        let about = "SIZE. Off: the limit holds all the same.";
        pass.field("size", about, Flag, &mut self.size);
        pass.field("size_told", "Whether SIZE tells the limit.", Flag, &mut self.size_told);
        pass.field("pipelining", "PIPELINING.", Flag, &mut self.pipelining);
        pass.field("eight_bit_mime", "8BITMIME.", Flag, &mut self.eight_bit_mime);
        let about = "ENHANCEDSTATUSCODES.";
        pass.field("enhanced_status_codes", about, Flag, &mut self.enhanced_status_codes);
        pass.field("chunking", "CHUNKING.", Flag, &mut self.chunking);
        pass.field("smtputf8", "SMTPUTF8.", Flag, &mut self.smtputf8);
        let about = "LIMITS with the recipients of a transaction.";
        pass.field("limits", about, Flag, &mut self.limits);
    }
}
