//! Which address becomes which.

use std::sync::Arc;

use transom_types::{Domain, Host, Mailbox};

/// One rule (Exchange's `AddressRewriteEntry`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RewriteEntry {
    /// Its name in findings.
    pub name: Arc<str>,
    /// What stands inside.
    pub internal: RewriteSide,
    /// What stands outside; never with subdomains.
    pub external: RewriteSide,
    /// Whether mail that comes in stays as it is (no). Many subdomains cannot be told apart again
    /// once they are one domain, so these need it.
    pub outbound_only: bool,
    /// Domains that are not rewritten, of an entry for subdomains.
    pub exceptions: Vec<Domain>,
}

impl RewriteEntry {
    /// A rule that works both ways.
    pub fn new(name: impl Into<Arc<str>>, internal: RewriteSide, external: RewriteSide) -> Self {
        let name = name.into();
        Self { name, internal, external, outbound_only: false, exceptions: Vec::new() }
    }

    /// Says whether mail that comes in stays as it is.
    #[must_use]
    pub fn with_outbound_only(self, outbound_only: bool) -> Self {
        Self { outbound_only, ..self }
    }

    /// Names domains that are not rewritten.
    #[must_use]
    pub fn with_exceptions(self, exceptions: impl IntoIterator<Item = Domain>) -> Self {
        Self { exceptions: exceptions.into_iter().collect(), ..self }
    }
}

/// One side of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the forms that Exchange has")]
pub enum RewriteSide {
    /// One address.
    Mailbox(Mailbox),
    /// All addresses of this domain itself.
    Domain(Domain),
    /// All addresses of the domains below this one, written `*.d`.
    Subdomains(Domain),
}

impl std::str::FromStr for RewriteSide {
    type Err = RewriteTableError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || RewriteTableError::Malformed(text.into());
        if text.contains('@') {
            return text.parse().map(Self::Mailbox).map_err(|_| malformed());
        }
        let domain = |text: &str| text.parse::<Domain>().map_err(|_| malformed());
        match text.strip_prefix("*.") {
            Some(parent) => domain(parent).map(Self::Subdomains),
            None => domain(text).map(Self::Domain),
        }
    }
}

/// Why entries make no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RewriteTableError {
    /// Another entry has the same internal side, or the same external one where mail that comes in
    /// is rewritten.
    #[error("{0:?} says of an address what another entry says already")]
    Ambiguous(Arc<str>),
    /// Exceptions are for an entry of subdomains, and lie below it.
    #[error("{0:?} has an exception that is none of its subdomains")]
    Exception(Arc<str>),
    /// A text is neither an address nor a domain nor `*.` and a domain.
    #[error("{0:?} is no address, no domain and no *.domain")]
    Malformed(Arc<str>),
    /// A mailbox becomes a mailbox, a domain a domain.
    #[error("{0:?} has two sides of different kinds")]
    Sides(Arc<str>),
    /// Subdomains can be rewritten in mail that leaves only.
    #[error("{0:?} is for subdomains and not for outbound mail only")]
    Subdomains(Arc<str>),
}

/// Rules that do not contradict each other.
///
/// ```
/// use transom_agent::{RewriteEntry, RewriteTable};
///
/// let entry = RewriteEntry::new("merger", "fabrikam.example".parse()?, "contoso.com".parse()?);
/// let table = RewriteTable::new([entry])?;
/// let inside = "ann@fabrikam.example".parse()?;
/// let outside = "ann@contoso.com".parse()?;
/// assert_eq!(table.outbound(&inside), Some(outside));
/// assert_eq!(table.outbound(&"bob@elsewhere.example".parse()?), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RewriteTable {
    entries: Vec<RewriteEntry>,
}

impl RewriteTable {
    /// Checks entries. Their order does not matter.
    ///
    /// # Errors
    ///
    /// [`RewriteTableError`] names the entry that is wrong.
    pub fn new(entries: impl IntoIterator<Item = RewriteEntry>) -> Result<Self, RewriteTableError> {
        let entries: Vec<_> = entries.into_iter().collect();
        for (number, entry) in entries.iter().enumerate() {
            check(entry)?;
            let before = entries.iter().take(number);
            let both = |other: &RewriteEntry| !entry.outbound_only && !other.outbound_only;
            let same = |other: &RewriteEntry| {
                other.internal == entry.internal
                    || (both(other) && other.external == entry.external)
            };
            if before.into_iter().any(same) {
                return Err(RewriteTableError::Ambiguous(Arc::clone(&entry.name)));
            }
        }
        Ok(Self { entries })
    }

    /// The address outside for one inside; none where it stays. A rule for the address counts
    /// before one for its domain, that before one for the domains above it, the nearest first; and
    /// what one rule has made no other changes.
    pub fn outbound(&self, mailbox: &Mailbox) -> Option<Mailbox> {
        let domain = mailbox.domain();
        let best = self.entries.iter().filter_map(|entry| {
            let rank = match (&entry.internal, &domain) {
                (RewriteSide::Mailbox(wanted), _) => (wanted == mailbox).then_some(usize::MAX)?,
                (RewriteSide::Domain(wanted), Some(domain)) => {
                    (wanted == domain).then_some(usize::MAX.saturating_sub(1))?
                }
                (RewriteSide::Subdomains(parent), Some(domain)) => {
                    let below = domain != parent && domain.is_within(parent);
                    let excepted = entry.exceptions.iter().any(|it| domain.is_within(it));
                    (below && !excepted).then_some(parent.as_str().len())?
                }
                (_, None) => return None,
            };
            Some((rank, entry))
        });
        let (_, entry) = best.max_by_key(|(rank, _)| *rank)?;
        Some(at(&entry.external, mailbox))
    }

    /// The address inside for one outside; none where it stays.
    pub fn inbound(&self, mailbox: &Mailbox) -> Option<Mailbox> {
        let both = || self.entries.iter().filter(|entry| !entry.outbound_only);
        let domain = mailbox.domain();
        let exact = |entry: &&RewriteEntry| match &entry.external {
            RewriteSide::Mailbox(outside) => outside == mailbox,
            _ => false,
        };
        let of_domain = |entry: &&RewriteEntry| match &entry.external {
            RewriteSide::Domain(outside) => Some(outside) == domain.as_ref(),
            _ => false,
        };
        let entry = both().find(exact).or_else(|| both().find(of_domain))?;
        Some(at(&entry.internal, mailbox))
    }
}

fn check(entry: &RewriteEntry) -> Result<(), RewriteTableError> {
    let name = || Arc::clone(&entry.name);
    match (&entry.internal, &entry.external) {
        (RewriteSide::Mailbox(_), RewriteSide::Mailbox(_))
        | (RewriteSide::Domain(_), RewriteSide::Domain(_)) => {}
        (RewriteSide::Subdomains(_), RewriteSide::Domain(_)) if entry.outbound_only => {}
        (RewriteSide::Subdomains(_), RewriteSide::Domain(_)) => {
            return Err(RewriteTableError::Subdomains(name()));
        }
        _ => return Err(RewriteTableError::Sides(name())),
    }
    let fits = |exception: &Domain| match &entry.internal {
        RewriteSide::Subdomains(parent) => exception != parent && exception.is_within(parent),
        _ => false,
    };
    if entry.exceptions.iter().all(fits) {
        Ok(())
    } else {
        Err(RewriteTableError::Exception(name()))
    }
}

/// `mailbox` as it is on this side.
fn at(side: &RewriteSide, mailbox: &Mailbox) -> Mailbox {
    match side {
        RewriteSide::Mailbox(other) => other.clone(),
        RewriteSide::Domain(domain) | RewriteSide::Subdomains(domain) => {
            Mailbox::new(&mailbox.local_part(), &Host::Domain(domain.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(internal: &str, external: &str) -> RewriteEntry {
        RewriteEntry::new(internal, internal.parse().unwrap(), external.parse().unwrap())
    }

    fn flat(internal: &str, external: &str) -> RewriteEntry {
        entry(internal, external).with_outbound_only(true)
    }

    fn table() -> RewriteTable {
        let except = "secret.inside.example".parse().unwrap();
        RewriteTable::new([
            flat("*.inside.example", "contoso.com").with_exceptions([except]),
            flat("*.eu.inside.example", "contoso.eu"),
            entry("ann@inside.example", "chief@contoso.com"),
            entry("inside.example", "contoso.com"),
            entry("sub.inside.example", "sub.contoso.com"),
        ])
        .unwrap()
    }

    #[test]
    fn addresses_count_before_domains_and_domains_before_those_above() {
        for (inside, outside) in [
            ("ann@inside.example", Some("chief@contoso.com")),
            ("bob@inside.example", Some("bob@contoso.com")),
            ("ann@sub.inside.example", Some("ann@sub.contoso.com")),
            ("ann@other.INSIDE.example", Some("ann@contoso.com")),
            ("ann@deep.eu.inside.example", Some("ann@contoso.eu")),
            ("ann@secret.inside.example", None),
            ("ann@below.secret.inside.example", None),
            ("ann@elsewhere.example", None),
            ("ann@[192.0.2.1]", None),
            // Once: what a rule has made no other changes.
            ("chief@contoso.com", None),
        ] {
            let outside: Option<Mailbox> = outside.map(|text| text.parse().unwrap());
            assert_eq!(table().outbound(&inside.parse().unwrap()), outside, "{inside}");
        }
    }

    #[test]
    fn a_domain_is_none_of_its_subdomains() {
        let table = RewriteTable::new([flat("*.b.example", "c.example")]).unwrap();
        assert_eq!(table.outbound(&"ann@b.example".parse().unwrap()), None);
        assert!(table.outbound(&"ann@a.b.example".parse().unwrap()).is_some());
    }

    #[test]
    fn mail_that_comes_in_gets_its_address_back() {
        for (outside, inside) in [
            ("chief@contoso.com", Some("ann@inside.example")),
            ("bob@contoso.com", Some("bob@inside.example")),
            ("ann@sub.contoso.com", Some("ann@sub.inside.example")),
            ("ann@contoso.eu", None),
        ] {
            let inside: Option<Mailbox> = inside.map(|text| text.parse().unwrap());
            assert_eq!(table().inbound(&outside.parse().unwrap()), inside, "{outside}");
        }
    }

    #[test]
    fn entries_that_contradict_themselves_or_each_other_make_no_table() {
        let except = |domain: &str| [domain.parse().unwrap()];
        let name = Arc::from;
        for (entries, error) in [
            (
                vec![entry("a@b.example", "c.example")],
                RewriteTableError::Sides(name("a@b.example")),
            ),
            (vec![flat("b.example", "*.c.example")], RewriteTableError::Sides(name("b.example"))),
            (
                vec![entry("*.b.example", "c.example")],
                RewriteTableError::Subdomains(name("*.b.example")),
            ),
            (
                vec![entry("b.example", "c.example").with_exceptions(except("x.b.example"))],
                RewriteTableError::Exception(name("b.example")),
            ),
            (
                vec![flat("*.b.example", "c.example").with_exceptions(except("d.example"))],
                RewriteTableError::Exception(name("*.b.example")),
            ),
            (
                vec![entry("b.example", "c.example"), entry("B.example", "d.example")],
                RewriteTableError::Ambiguous(name("B.example")),
            ),
            (
                vec![entry("b.example", "c.example"), entry("d.example", "c.example")],
                RewriteTableError::Ambiguous(name("d.example")),
            ),
        ] {
            assert_eq!(RewriteTable::new(entries), Err(error));
        }
        assert!(
            RewriteTable::new([flat("b.example", "c.example"), flat("d.example", "c.example")])
                .is_ok()
        );
        assert_eq!("a@".parse::<RewriteSide>(), Err(RewriteTableError::Malformed("a@".into())));
    }
}
