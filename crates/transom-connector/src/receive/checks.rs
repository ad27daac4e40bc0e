//! What a session may do, verb by verb.

use std::net::IpAddr;

use transom_types::{Domain, ForwardPath, Host, LocalPart, Mailbox, Principal, ReversePath};

use super::{ReceiveConnector, Refusal, certifies};
use crate::{AcceptedDomainKind, CheckedConfiguration, RecipientClass, Rights};

/// RFC 2606 §2 and RFC 6761: nobody has a domain under these.
const RESERVED_TOP_LEVEL: [&str; 4] = ["test", "example", "invalid", "localhost"];
/// RFC 2606 §3: nobody has a mailbox in these.
const RESERVED_SECOND_LEVEL: [&str; 3] = ["example.com", "example.net", "example.org"];

impl ReceiveConnector {
    /// Whether a client may call itself `name` in EHLO, HELO or LHLO.
    ///
    /// # Errors
    ///
    /// [`Refusal::HelloDomain`] where [`Self::require_ehlo_domain`] asks for a domain and this is
    /// none.
    pub fn accepts_hello(&self, name: &str) -> Result<(), Refusal> {
        let is_domain = || name.parse::<Domain>().is_ok() && name.parse::<IpAddr>().is_err();
        if self.require_ehlo_domain && !is_domain() { Err(Refusal::HelloDomain) } else { Ok(()) }
    }

    fn accepts_recipient_domain(&self, domain: &Domain) -> Result<(), Refusal> {
        let ascii = domain.to_ascii();
        let name = ascii.as_ref().map_or(domain.as_str(), Domain::as_str);
        let last = |labels: usize| {
            let dots = name.rmatch_indices('.').nth(labels.saturating_sub(1));
            dots.and_then(|(at, _)| name.get(at.saturating_add(1)..)).unwrap_or(name)
        };
        let is_one =
            |names: &[&str], name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
        if self.reject_reserved_top_level && is_one(&RESERVED_TOP_LEVEL, last(1)) {
            Err(Refusal::ReservedTopLevel)
        } else if self.reject_reserved_second_level && is_one(&RESERVED_SECOND_LEVEL, last(2)) {
            Err(Refusal::ReservedSecondLevel)
        } else if self.reject_single_label && !name.contains('.') {
            Err(Refusal::SingleLabel)
        } else {
            Ok(())
        }
    }
}

impl CheckedConfiguration {
    /// The domain of addresses without one at `connector`.
    pub fn default_domain_of<'c>(&'c self, connector: &'c ReceiveConnector) -> &'c Domain {
        connector.default_domain.as_ref().unwrap_or_else(|| self.default_domain())
    }

    /// Whether a session with these rights may use this sender. `may_send_as` says whether the
    /// sender is an address of who the session is, as [`Self::sends_as`] or a directory knows it;
    /// it matters to sessions only that may not use any sender.
    ///
    /// The null path, which reports of mail programs have, is everybody's.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with the reply to MAIL FROM.
    pub fn accepts_sender(
        &self,
        rights: Rights,
        path: &ReversePath,
        may_send_as: bool,
    ) -> Result<(), Refusal> {
        if !rights.contains(Rights::SUBMIT) {
            return Err(Refusal::NotAuthenticated);
        }
        let Some(mailbox) = path.mailbox() else { return Ok(()) };
        if may_send_as {
            return Ok(());
        }
        let accepted = mailbox.domain().and_then(|domain| self.accepted_domain(&domain).cloned());
        let ours = accepted.is_some_and(|entry| entry.kind == AcceptedDomainKind::Authoritative);
        if ours && !rights.contains(Rights::ACCEPT_AUTHORITATIVE_DOMAIN_SENDER) {
            Err(Refusal::OwnSender)
        } else if !rights.contains(Rights::ACCEPT_ANY_SENDER) {
            Err(Refusal::SendAs)
        } else {
            Ok(())
        }
    }

    /// Whether the sender is an address of who the session is, as far as names tell: a user named
    /// `ann@contoso.com` has that address, a user named `ann` has that one in the default domain of
    /// the connector, and a partner has those at and below the domain of
    /// [`ReceiveConnector::partner_domains`] that its verified certificate names. A directory may
    /// know more.
    ///
    /// A user is no partner, whatever the certificate said: see
    /// [`ReceiveConnector::principal_kind`].
    pub fn sends_as<S: AsRef<str>>(
        &self,
        connector: &ReceiveConnector,
        user: Option<&Principal>,
        certificate_names: &[S],
        path: &ReversePath,
    ) -> bool {
        let Some(mailbox) = path.mailbox() else { return true };
        if let Some(user) = user {
            let own = address_of(user, self.default_domain_of(connector));
            return own.is_some_and(|own| is_same_address(&own, mailbox));
        }
        let Some(domain) = mailbox.domain().and_then(|domain| domain.to_ascii().ok()) else {
            return false;
        };
        connector.partner_domains.iter().any(|partner| {
            let shown = certificate_names.iter().any(|name| certifies(name.as_ref(), partner));
            shown && domain.is_within(partner)
        })
    }

    /// Whether a session with these rights at this connector may send to this recipient, and whose
    /// it is.
    ///
    /// Only the domain counts: a local-part such as `user%other.example` is read by nobody here.
    /// A recipient at an address literal is foreign, our own addresses included, since a server
    /// behind NAT does not know them all.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with the reply to RCPT TO.
    pub fn accepts_recipient(
        &self,
        connector: &ReceiveConnector,
        rights: Rights,
        path: &ForwardPath,
    ) -> Result<RecipientClass, Refusal> {
        if let Some(domain) = path.domain() {
            connector.accepts_recipient_domain(&domain)?;
        }
        let class = self.classify(path);
        if class == RecipientClass::Foreign && !rights.contains(Rights::ACCEPT_ANY_RECIPIENT) {
            return Err(Refusal::RelayDenied);
        }
        Ok(class)
    }
}

/// The address that a user's name tells.
fn address_of(user: &Principal, default_domain: &Domain) -> Option<Mailbox> {
    let name = user.as_str();
    if let Ok(mailbox) = name.parse() {
        return Some(mailbox);
    }
    let local_part: LocalPart = name.parse().ok()?;
    Some(Mailbox::new(&local_part, &Host::Domain(default_domain.clone())))
}

/// Whether two addresses are one. RFC 5321 leaves the case of a local-part to its host, and this
/// is about hosts of ours, where nobody is told from somebody else by case.
fn is_same_address(one: &Mailbox, other: &Mailbox) -> bool {
    let domain = |mailbox: &Mailbox| mailbox.domain().and_then(|domain| domain.to_ascii().ok());
    let same_local =
        one.local_part().unquoted().eq_ignore_ascii_case(&other.local_part().unquoted());
    let (one, other) = (domain(one), domain(other));
    same_local && one.is_some() && one == other
}
