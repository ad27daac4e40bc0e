//! The objects of a configuration, field by field: what the file says, and what it is for.

mod receive;
mod send;

pub(super) use receive::of_usage;

use std::fmt;
use std::str::FromStr;

use transom_types::Domain;

use super::form::{Count, Directory, Flag, ForStrangers, ListOf, Octets, Parsed, Words};
use super::pass::{Entry, Object, Pass};
use crate::{
    AcceptedDomain, AcceptedDomainKind, Configuration, OtherServer, ParseAcceptedDomainError,
    PickupDirectory, RemoteDomain, ReplayDirectory, ServiceLimits,
};

const DOMAIN: Parsed<Domain> = Parsed::new("a domain such as \"mx1.contoso.com\"");
const DOMAINS: ListOf<Parsed<Domain>> = ListOf(DOMAIN);

/// A name for objects that have none yet.
fn nameless() -> Option<Domain> {
    "localhost".parse().ok()
}

impl Entry for Configuration {
    fn blank() -> Option<Self> {
        nameless().map(Self::new)
    }
}

impl Object for Configuration {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        let about = "What this server calls itself where a connector says nothing else.";
        pass.required("server_name", about, DOMAIN, &mut self.server_name);
        let about = "For which domains mail is taken from anyone. The first is the default one, \
                     where mail to <Postmaster> goes.";
        pass.entries("accepted_domains", about, &mut self.accepted_domains);
        pass.entries("receive_connectors", "How mail comes in.", &mut self.receive_connectors);
        let about = "How mail leaves, to delivery agents too.";
        pass.entries("send_connectors", about, &mut self.send_connectors);
        let about = "What bounds the service as a whole.";
        pass.table("service_limits", about, &mut self.service_limits);
        let about = "What is sent to other domains without a person asking for it. The most \
                     specific one counts.";
        pass.entries("remote_domains", about, &mut self.remote_domains);
        let about = "The other servers that send connectors name as their source servers.";
        pass.entries("servers", about, &mut self.servers);
        let about = "Where programs put new messages as files; absent: nowhere.";
        pass.maybe("pickup", about, &mut self.pickup);
        let about = "Where messages lie that are to be sent again; absent: nowhere.";
        pass.maybe("replay", about, &mut self.replay);
    }
}

const KINDS: Words<AcceptedDomainKind> = Words(&[
    (AcceptedDomainKind::Authoritative, "Authoritative"),
    (AcceptedDomainKind::InternalRelay, "InternalRelay"),
    (AcceptedDomainKind::ExternalRelay, "ExternalRelay"),
]);

impl Entry for AcceptedDomain {
    fn blank() -> Option<Self> {
        Self::authoritative("localhost").ok()
    }
}

/// An accepted domain by its text alone.
pub(super) struct Named(pub(super) AcceptedDomain);

impl FromStr for Named {
    type Err = ParseAcceptedDomainError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        AcceptedDomain::authoritative(text).map(Self)
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Object for AcceptedDomain {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        let about = "The domain; \"*.contoso.com\" is contoso.com and all domains below it.";
        let form = Parsed::new("a domain such as \"contoso.com\" or \"*.contoso.com\"");
        let mut named = Named(self.clone());
        pass.required("domain", about, form, &mut named);
        let about = "Whose the recipients are: all ours, some ours, none ours.";
        pass.field("kind", about, KINDS, &mut self.kind);
        if pass.is_reading() {
            let address_book_enabled = self.kind == AcceptedDomainKind::Authoritative;
            *self = Self { kind: self.kind, address_book_enabled, ..named.0 };
        }
        let about = "Whether the directory is asked for recipients; off unless Authoritative.";
        pass.field("address_book_enabled", about, Flag, &mut self.address_book_enabled);
    }
}

impl Entry for RemoteDomain {
    fn blank() -> Option<Self> {
        Some(Self::any())
    }
}

impl Object for RemoteDomain {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        let about = "The domains: \"contoso.com\", \"*.contoso.com\" or \"*\".";
        let form = Parsed::new("a domain such as \"contoso.com\", \"*.contoso.com\" or \"*\"");
        let mut named = self.clone();
        pass.required("pattern", about, form, &mut named);
        self.pattern = named.pattern;
        pass.field("ndr", "Reports of failure are sent there.", Flag, &mut self.ndr);
        let about = "Those reports hold what servers said, and headers.";
        pass.field("ndr_diagnostics", about, Flag, &mut self.ndr_diagnostics);
        let about = "Reports of success and of relaying are sent there.";
        pass.field("delivery_reports", about, Flag, &mut self.delivery_reports);
        let about = "Automatic replies are sent there.";
        pass.field("auto_reply", about, Flag, &mut self.auto_reply);
        let about = "What a recipient's program forwards by itself is sent there.";
        pass.field("auto_forward", about, Flag, &mut self.auto_forward);
    }
}

impl Object for ServiceLimits {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        let about = "Connections a minute that are let in at all connectors together.";
        let form = ForStrangers(Count::NEW, Self::CONNECTION_RATE_MAX);
        pass.field("connection_rate_max", about, form, &mut self.connection_rate_max);
    }
}

impl Entry for OtherServer {
    fn blank() -> Option<Self> {
        nameless().map(Self::new)
    }
}

impl Object for OtherServer {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        pass.required("name", "Its name, which leads to it in the DNS.", DOMAIN, &mut self.name);
        let about = "What the way to it costs; 0 is a server beside this one.";
        pass.field("link_cost", about, Count::NEW, &mut self.link_cost);
        pass.field("port", "Where it takes mail.", Count::NEW, &mut self.port);
    }
}

impl Entry for PickupDirectory {
    fn blank() -> Option<Self> {
        Some(Self::new(""))
    }
}

impl Object for PickupDirectory {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        let about = "The directory. It must exist. Who may write there may send as anybody.";
        pass.required("path", about, Directory, &mut self.path);
        let about = "Messages in a minute, 1 to 20000.";
        pass.field("messages_per_minute", about, Count::NEW, &mut self.messages_per_minute);
        let about = "Octets of the header section, at least 32 KiB.";
        pass.field("header_octets_max", about, Octets::NEW, &mut self.header_octets_max);
        let about = "Recipients of one message, 1 to 10000.";
        pass.field("recipients_max", about, Count::NEW, &mut self.recipients_max);
    }
}

impl Entry for ReplayDirectory {
    fn blank() -> Option<Self> {
        Some(Self::new(""))
    }
}

impl Object for ReplayDirectory {
    fn fields<P: Pass>(&mut self, pass: &mut P) {
        let about = "The directory. It must exist. Who may write there may do anything.";
        pass.required("path", about, Directory, &mut self.path);
        let about = "Messages in a minute, 1 to 20000.";
        pass.field("messages_per_minute", about, Count::NEW, &mut self.messages_per_minute);
    }
}
