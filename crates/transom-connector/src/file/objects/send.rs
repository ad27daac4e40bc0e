//! Send connectors in a file.

use std::net::IpAddr;

use transom_types::ConnectorId;

use crate::file::form::{
    Count, Directory, Flag, ListOf, Octets, Optional, Parsed, Text, Time, Unlimited, Words,
};
use crate::file::pass::{Entry, Object, Pass};
use crate::{
    AddressSpace, Credential, DropDirectory, ErrorCode, ErrorPolicies, SendConnector, SendDelivery,
    SendTls, SmartHost, SmartHostAuth, SmartHostOrder, TlsAuthLevel,
};

use super::{DOMAIN, DOMAINS};

const TLS: Words<SendTls> = Words(&[
    (SendTls::Never, "Never"),
    (SendTls::Opportunistic, "Opportunistic"),
    (SendTls::Required, "Required"),
]);

const TLS_AUTH_LEVELS: Words<TlsAuthLevel> = Words(&[
    (TlsAuthLevel::EncryptionOnly, "EncryptionOnly"),
    (TlsAuthLevel::CertificateValidation, "CertificateValidation"),
    (TlsAuthLevel::DomainValidation, "DomainValidation"),
]);

const ORDERS: Words<SmartHostOrder> = Words(&[
    (SmartHostOrder::Listed, "Listed"),
    (SmartHostOrder::LeastOutstanding, "LeastOutstanding"),
    (SmartHostOrder::RoundRobin, "RoundRobin"),
]);

const SPACES: ListOf<Parsed<AddressSpace>> = ListOf(Parsed::new(
    "an address space such as \"*\", \"contoso.com\", \"*.contoso.com;10\" or \"--\"",
));

const HOSTS: ListOf<Parsed<SmartHost>> = ListOf(Parsed::new(
    "a host such as \"mx.contoso.com\", \"mx.contoso.com:587\" or \"[::1]:25\"",
));

const ADDRESSES: ListOf<Parsed<IpAddr>> = ListOf(Parsed::new("an IP address"));

const CODES: ListOf<Parsed<ErrorCode>> = ListOf(Parsed::new("a code such as \"450\" or \"4.7.1\""));

impl Entry for SendConnector {
    fn blank() -> Option<Self> {
        let blank = Self::internet();
        Some(Self { name: ConnectorId::new(""), address_spaces: Vec::new(), ..blank })
    }
}

impl Object for SendConnector {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        let mut name = self.name.to_string();
        pass.required("name", "Unique among the send connectors.", Text("a name"), &mut name);
        self.name = ConnectorId::new(&name);
        let about = "The domains it serves: [SMTP:]space[;cost], cost 1 to 100.";
        pass.required("address_spaces", about, SPACES, &mut self.address_spaces);
        self.way(pass);
        let about = "Off: it takes no mail.";
        pass.field("enabled", about, Flag, &mut self.enabled);
        let about = "Only its source servers and those beside them use it.";
        pass.field("is_scoped", about, Flag, &mut self.is_scoped);
        let about = "The servers that send by it; none is this one.";
        pass.field("source_servers", about, DOMAINS, &mut self.source_servers);
        let about = "Octets of one message. Unlimited with agent or drop_directory.";
        let form = Unlimited(Octets::NEW);
        pass.field("message_octets_max", about, form, &mut self.message_octets_max);
        self.session(pass);
        let about = "Failures that are taken otherwise than the peer meant them.";
        pass.table("error_policies", about, &mut self.error_policies);
    }
}

impl SendConnector {
    /// By which way. One of three fields says it; none is the DNS.
    fn way<P: Pass>(&mut self, pass: &mut P) {
        let (mut hosts, mut agent, mut drop) = match &self.delivery {
            SendDelivery::Agent(agent) => (None, Some(agent.clone()), None),
            SendDelivery::Dns => (None, None, None),
            SendDelivery::Drop(directory) => (None, None, Some(directory.clone())),
            SendDelivery::SmartHosts(hosts) => (Some(hosts.clone()), None, None),
        };
        let about = "Delivers to these hosts; absent with the two below: by the DNS.";
        pass.field("smart_hosts", about, Optional(HOSTS), &mut hosts);
        let about = "Delivers to the delivery agent of this name.";
        pass.field("agent", about, Optional(Text("the name of an agent")), &mut agent);
        let about = "Puts messages into a directory as files, for another program.";
        pass.maybe("drop_directory", about, &mut drop);
        if !pass.is_reading() {
            return;
        }
        if hosts.is_some() && (agent.is_some() || drop.is_some()) {
            pass.refuse("smart_hosts", "no agent or drop_directory beside it");
        } else if agent.is_some() && drop.is_some() {
            pass.refuse("agent", "no drop_directory beside it");
        }
        self.delivery = match (hosts, agent, drop) {
            (Some(hosts), ..) => SendDelivery::SmartHosts(hosts),
            (_, Some(agent), _) => SendDelivery::Agent(agent),
            (.., Some(drop)) => SendDelivery::Drop(drop),
            (None, None, None) => SendDelivery::Dns,
        };
        if self.delivery.is_local() {
            self.message_octets_max = None;
        }
    }

    fn session<P: Pass>(&mut self, pass: &mut P) {
        pass.field("tls", "Whether TLS is used: where it is offered.", TLS, &mut self.tls);
        let about = "What is asked of the peer's certificate.";
        pass.field("tls_auth_level", about, TLS_AUTH_LEVELS, &mut self.tls_auth_level);
        let about =
            "The name that the peer's certificate must have; absent: the recipient's domain.";
        pass.field("tls_domain", about, Optional(DOMAIN), &mut self.tls_domain);
        let about = "The port of hosts that the DNS names.";
        pass.field("port", about, Count::NEW, &mut self.port);
        let about = "In which order smart hosts are tried.";
        pass.field("smart_host_order", about, ORDERS, &mut self.smart_host_order);
        let mut auth = AuthFields::of(&self.smart_host_auth);
        let about = "How it says at smart hosts who it is.";
        pass.table("smart_host_auth", about, &mut auth);
        self.smart_host_auth = auth.value();
        let about = "Messages over one connection before it is closed; 0 is no limit.";
        pass.field("messages_per_connection", about, Count::NEW, &mut self.messages_per_connection);
        let about = "How long a connection is kept without work.";
        pass.field("idle_timeout", about, Time, &mut self.idle_timeout);
        let about = "What it says in EHLO; absent: server_name.";
        pass.field("fqdn", about, Optional(DOMAIN), &mut self.fqdn);
        let about = "Addresses of ours that connections come from, at most one of a family.";
        pass.field("source_addresses", about, ADDRESSES, &mut self.source_addresses);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mechanism {
    Basic,
    BasicRequireTls,
    ExternalAuthoritative,
    None,
}

const MECHANISMS: Words<Mechanism> = Words(&[
    (Mechanism::None, "None"),
    (Mechanism::Basic, "BasicAuth"),
    (Mechanism::BasicRequireTls, "BasicAuthRequireTLS"),
    (Mechanism::ExternalAuthoritative, "ExternalAuthoritative"),
]);

/// How we say who we are, field by field.
struct AuthFields {
    mechanism: Mechanism,
    user: Option<String>,
    secret: Option<String>,
}

impl AuthFields {
    fn of(auth: &SmartHostAuth) -> Self {
        let mechanism = match auth {
            SmartHostAuth::Basic(_) => Mechanism::Basic,
            SmartHostAuth::BasicRequireTls(_) => Mechanism::BasicRequireTls,
            SmartHostAuth::ExternalAuthoritative => Mechanism::ExternalAuthoritative,
            SmartHostAuth::None => Mechanism::None,
        };
        let (user, secret) =
            auth.credential().map(|one| (one.user.clone(), one.secret.clone())).unzip();
        Self { mechanism, user, secret }
    }

    fn value(self) -> SmartHostAuth {
        let credential = Credential {
            user: self.user.unwrap_or_default(),
            secret: self.secret.unwrap_or_default(),
        };
        match self.mechanism {
            Mechanism::Basic => SmartHostAuth::Basic(credential),
            Mechanism::BasicRequireTls => SmartHostAuth::BasicRequireTls(credential),
            Mechanism::ExternalAuthoritative => SmartHostAuth::ExternalAuthoritative,
            Mechanism::None => SmartHostAuth::None,
        }
    }
}

impl Object for AuthFields {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        let about = "BasicAuthRequireTLS says nothing without TLS.";
        pass.field("mechanism", about, MECHANISMS, &mut self.mechanism);
        let about = "Who we are.";
        pass.field("user", about, Optional(Text("a user")), &mut self.user);
        let about = "The name that the store of secrets has for the password. \
                     The password itself stands nowhere here.";
        pass.field("secret", about, Optional(Text("the name of a secret")), &mut self.secret);
        let needs = matches!(self.mechanism, Mechanism::Basic | Mechanism::BasicRequireTls);
        if !needs && (self.user.is_some() || self.secret.is_some()) {
            let expected = "the mechanism BasicAuthRequireTLS or BasicAuth beside it";
            pass.refuse("user", expected);
            pass.refuse("secret", expected);
        }
    }
}

impl Entry for DropDirectory {
    fn blank() -> Option<Self> {
        Some(Self::new(""))
    }
}

impl Object for DropDirectory {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        pass.required("path", "The directory. It must exist.", Directory, &mut self.path);
        let about = "Octets that may lie there; what is more waits.";
        pass.field("octets_max", about, Unlimited(Octets::NEW), &mut self.octets_max);
        let about = "Reports the handing over, where the sender asked for it.";
        pass.field("relay_dsn_required", about, Flag, &mut self.relay_dsn_required);
    }
}

impl Object for ErrorPolicies {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        let about = "Domains and hosts that the DNS does not know are tried again.";
        pass.field("downgrade_dns_failures", about, Flag, &mut self.downgrade_dns_failures);
        let about = "Permanent codes that are taken as transient.";
        pass.field("downgrade", about, CODES, &mut self.downgrade);
        let about = "Transient codes that are taken as permanent.";
        pass.field("upgrade", about, CODES, &mut self.upgrade);
    }
}
