//! All that is known of who sent a message, as one value.
//!
//! SPF is checked when the sender is known ([`SpfVerdicts::check`]), signatures and chain where
//! the content goes by; [`Verdicts::judge`] asks for DMARC and says what follows from all of it.
//! Whom to ask for, where gateways stand before us, says [`ClientAddress::find`].

mod client;
mod composite;
#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;
use std::time::Instant;

use ipnet::IpNet;
use transom_dns::{DomainName, Resolver};
use transom_message::HeaderSection;
use transom_types::Domain;

use crate::arc::{self, ArcVerdict};
use crate::dkim::{self, DkimResult, DkimVerdict, KeyCache, ScannedContent};
use crate::dmarc::{self, DmarcOutcome, DmarcQuery, Identifier, Method, author_domain};
use crate::spf::{self, SpfOutcome, SpfQuery, SpfResult};

pub use client::ClientAddress;
pub use composite::{CompAuth, Composite};

/// What a session knows of a message before its content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The client that is judged.
    pub client: IpAddr,
    /// What it calls itself.
    pub helo: String,
    /// The sender in MAIL FROM without brackets; empty for the null sender.
    pub mail_from: String,
    /// Who we are, for explanations of SPF.
    pub receiver: String,
    /// Now, in seconds of Unix time.
    pub unix_seconds: u64,
}

impl Facts {
    /// The facts of a message.
    pub fn new(client: IpAddr, helo: &str, mail_from: &str, receiver: &str, now: u64) -> Self {
        Self {
            client: client.to_canonical(),
            helo: helo.to_owned(),
            mail_from: mail_from.to_owned(),
            receiver: receiver.to_owned(),
            unix_seconds: now,
        }
    }

    /// The domain that SPF is asked for: that of the sender, the name in HELO for the null sender.
    pub fn sender_domain(&self) -> &str {
        match self.mail_from.rsplit_once('@') {
            Some((_, domain)) => domain,
            None if self.mail_from.is_empty() => &self.helo,
            None => &self.mail_from,
        }
    }
}

/// What SPF says of a session and its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 7208 §2 has these two identities")]
pub struct SpfVerdicts {
    /// Of the name in HELO.
    pub helo: SpfOutcome,
    /// Of the sender in MAIL FROM.
    pub mail_from: SpfOutcome,
}

impl SpfVerdicts {
    /// Checks both. For the null sender they are one.
    ///
    /// # Cancel safety
    ///
    /// As [`spf::check`].
    pub async fn check(facts: &Facts, resolver: &dyn Resolver) -> Self {
        let told = |query: SpfQuery| query.with_receiver(&facts.receiver, facts.unix_seconds);
        let helo = spf::check(told(SpfQuery::helo(facts.client, &facts.helo)), resolver).await;
        if facts.mail_from.is_empty() {
            return Self { mail_from: helo.clone(), helo };
        }
        let query = SpfQuery::mail_from(facts.client, &facts.helo, &facts.mail_from);
        let mail_from = spf::check(told(query), resolver).await;
        Self { helo, mail_from }
    }
}

/// Whom we know: our own domains, and those whose word counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trust {
    /// Domains whose mail comes from us alone; names below them count too.
    pub own_domains: Vec<DomainName>,
    /// Who may send for them from outside: printers, partners, cloud services.
    pub own_senders: Vec<IpNet>,
    /// Sealers whose ARC results count where a forwarder broke what the author had proven.
    pub sealers: Vec<DomainName>,
    /// Forwarders that are believed by their address.
    pub forwarders: Vec<IpNet>,
}

impl Trust {
    /// Whether `domain` is ours.
    pub fn is_own(&self, domain: &DomainName) -> bool {
        self.own_domains.iter().any(|own| is_within(domain, own))
    }

    fn has(networks: &[IpNet], client: IpAddr) -> bool {
        networks.iter().any(|network| network.contains(&client))
    }

    /// Whether a client may send for our domains.
    pub fn is_own_sender(&self, client: IpAddr) -> bool {
        Self::has(&self.own_senders, client.to_canonical())
    }

    /// Whether a client is a forwarder that is believed.
    pub fn is_forwarder(&self, client: IpAddr) -> bool {
        Self::has(&self.forwarders, client.to_canonical())
    }
}

/// Whether `name` is `parent` or lies below it.
pub(crate) fn is_within(name: &DomainName, parent: &DomainName) -> bool {
    let head = name.as_str().strip_suffix(parent.as_str());
    head.is_some_and(|head| head.is_empty() || head.ends_with('.'))
}

/// Why a message is believed in spite of its verdicts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forwarder {
    /// Its client is one of [`Trust::forwarders`].
    Network(IpAddr),
    /// One of [`Trust::sealers`], with a chain that holds, had found that DMARC passed.
    Sealer(String),
}

/// All verdicts of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdicts {
    /// Of what they are.
    pub facts: Facts,
    /// SPF, for HELO and MAIL FROM.
    pub spf: SpfVerdicts,
    /// DKIM, a verdict for each signature.
    pub dkim: Vec<DkimVerdict>,
    /// ARC.
    pub arc: ArcVerdict,
    /// DMARC.
    pub dmarc: DmarcOutcome,
    /// Whose word stands in for what was broken on the way.
    pub forwarder: Option<Forwarder>,
    /// What all of it comes to.
    pub composite: Composite,
    /// DKIM2, which is a draft and not checked.
    pub dkim2: Dkim2Verdict,
}

/// What DKIM2 says: the place for it, since its documents are drafts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dkim2Verdict {
    /// Whether the message has such signatures is not even looked at.
    #[default]
    NotChecked,
}

impl Verdicts {
    /// The whole of it in one call: SPF, the signatures and the chain of a content that was read,
    /// DMARC, and what follows. `headers` is the whole header section.
    ///
    /// ```
    /// use std::time::Instant;
    /// use transom_dns::Zone;
    /// use transom_mailauth::dkim::{AuthenticationScan, KeyCache};
    /// use transom_mailauth::verdicts::{CompAuth, Facts, Trust, Verdicts};
    /// use transom_message::HeaderSection;
    ///
    /// let zone: Zone = "contoso.com         TXT  v=spf1 ip4:192.0.2.1 -all
    ///                   _dmarc.contoso.com  TXT  v=DMARC1; p=reject".parse()?;
    /// let message = b"From: ann@contoso.com\r\n\r\nhello\r\n";
    /// let mut scan = AuthenticationScan::verifying();
    /// scan.update(message);
    /// let (content, headers) = (scan.finish(), HeaderSection::parse(message));
    /// let client = "192.0.2.1".parse()?;
    /// let facts = Facts::new(client, "mx.contoso.com", "ann@contoso.com", "mx.own.example", 0);
    /// let (trust, keys) = (Trust::default(), KeyCache::new());
    /// let asked = Verdicts::authenticate(
    ///     facts, &content, &headers, &trust, &keys, &zone, Instant::now());
    /// let verdicts = futures::executor::block_on(asked);
    /// assert_eq!(verdicts.composite.result, CompAuth::Pass);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the questions; nothing else is lost.
    pub async fn authenticate(
        facts: Facts,
        content: &ScannedContent,
        headers: &HeaderSection<'_>,
        trust: &Trust,
        keys: &KeyCache,
        resolver: &dyn Resolver,
        now: Instant,
    ) -> Self {
        let spf = SpfVerdicts::check(&facts, resolver);
        let fetched = keys.fetch(content.key_names(), resolver, now);
        let (spf, keys) = futures::future::join(spf, fetched).await;
        let dkim = dkim::verify(content, &keys, facts.unix_seconds);
        let arc = arc::verify(content, &keys, facts.unix_seconds);
        Self::judge(facts, spf, dkim, arc, headers, trust, resolver).await
    }

    /// Asks for DMARC and puts all verdicts together. `headers` is the whole header section.
    ///
    /// # Cancel safety
    ///
    /// As [`dmarc::check`].
    pub async fn judge(
        facts: Facts,
        spf: SpfVerdicts,
        dkim: Vec<DkimVerdict>,
        arc: ArcVerdict,
        headers: &HeaderSection<'_>,
        trust: &Trust,
        resolver: &dyn Resolver,
    ) -> Self {
        let dmarc = match author_domain(headers) {
            Ok(author) => {
                let identifiers = identifiers(&facts, &spf, &dkim);
                dmarc::check(DmarcQuery::new(author, identifiers), resolver).await
            }
            Err(problem) => DmarcOutcome::without_author(problem),
        };
        Self::from_parts(facts, spf, dkim, arc, dmarc, trust)
    }

    /// Puts verdicts together that are all there.
    pub fn from_parts(
        facts: Facts,
        spf: SpfVerdicts,
        dkim: Vec<DkimVerdict>,
        arc: ArcVerdict,
        dmarc: DmarcOutcome,
        trust: &Trust,
    ) -> Self {
        let forwarder = composite::forwarder(facts.client, &arc, &dmarc, trust);
        let composite = composite::composite(&facts, &spf, &dmarc, forwarder.as_ref(), trust);
        let dkim2 = Dkim2Verdict::NotChecked;
        Self { facts, spf, dkim, arc, dmarc, forwarder, composite, dkim2 }
    }
}

/// Who stands behind the message, for DMARC.
// [RFC 9989 §4.4.2] SPF counts for MAIL FROM alone.
fn identifiers(facts: &Facts, spf: &SpfVerdicts, dkim: &[DkimVerdict]) -> Vec<Identifier> {
    let by_spf = match spf.mail_from.result {
        SpfResult::Pass => Some(true),
        SpfResult::TempError => Some(false),
        _ => None,
    };
    let sender = by_spf.and_then(|is_proven| {
        let domain = ascii_name(facts.sender_domain())?;
        Some(Identifier { domain, method: Method::Spf, is_proven })
    });
    let signers = dkim.iter().filter_map(|verdict| {
        let is_proven = match verdict.result {
            DkimResult::Pass => true,
            DkimResult::TempError => false,
            _ => return None,
        };
        let domain = ascii_name(&verdict.domain)?;
        Some(Identifier { domain, method: Method::Dkim, is_proven })
    });
    sender.into_iter().chain(signers).collect()
}

/// The name of a domain as the DNS has it.
pub(crate) fn ascii_name(domain: &str) -> Option<DomainName> {
    if domain.is_ascii() {
        return domain.parse().ok();
    }
    let domain: Domain = domain.parse().ok()?;
    DomainName::try_from(&domain.to_ascii().ok()?).ok()
}
