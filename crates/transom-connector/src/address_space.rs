//! Address spaces: which domains a send connector serves, and at what cost.

use std::fmt;
use std::str::FromStr;

use transom_types::Domain;

/// `[SMTP:]space[;cost]`, as Exchange writes it. Prints the full form, `SMTP:contoso.com;1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddressSpace {
    pattern: AddressPattern,
    cost: u8,
}

/// The domains of an address space. Domains are kept in A-labels and lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressPattern {
    /// `--`: the accepted domains whose mail is ours to bring on, authoritative and internal relay.
    AcceptedDomains,
    /// `*`: every domain.
    Any,
    /// `contoso.com`: this domain alone.
    Exact(Domain),
    /// `*.contoso.com`: this domain and all below it.
    Within(Domain),
}

impl AddressSpace {
    /// The cost where none is given.
    pub const COST_DEFAULT: u8 = 1;
    /// The highest cost; the lowest is 1.
    pub const COST_MAX: u8 = 100;

    /// Every domain, at cost 1.
    pub fn any() -> Self {
        Self { pattern: AddressPattern::Any, cost: Self::COST_DEFAULT }
    }

    /// The domains.
    pub fn pattern(&self) -> &AddressPattern {
        &self.pattern
    }

    /// The cost, 1 to [`Self::COST_MAX`]. Of two spaces that are as specific, the cheaper wins.
    pub fn cost(&self) -> u8 {
        self.cost
    }

    /// How well the space fits `domain`: higher is more specific, none is not at all. An exact
    /// space is above any `*.x`, a longer `*.x` above a shorter one, `--` above `*`.
    ///
    /// `domain` must be in A-labels ([`Domain::to_ascii`]); `accepted` says whether it is one that
    /// `--` means.
    pub fn specificity(&self, domain: &Domain, accepted: bool) -> Option<usize> {
        match &self.pattern {
            AddressPattern::Any => Some(0),
            AddressPattern::AcceptedDomains => accepted.then_some(1),
            AddressPattern::Within(parent) => {
                let labels = parent.as_str().split('.').count();
                domain.is_within(parent).then(|| labels.saturating_add(1))
            }
            AddressPattern::Exact(exact) => (exact == domain).then_some(usize::MAX),
        }
    }
}

impl FromStr for AddressSpace {
    type Err = ParseAddressSpaceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (space, cost) = match text.split_once(';') {
            Some((space, cost)) => (space, Some(cost)),
            None => (text, None),
        };
        let space = match space.split_once(':') {
            Some((kind, space)) if kind.eq_ignore_ascii_case("SMTP") => space,
            Some((kind, _)) => return Err(ParseAddressSpaceError::Type { found: kind.into() }),
            None => space,
        };
        let pattern = parse_pattern(space)?;
        let Some(cost) = cost else { return Ok(Self { pattern, cost: Self::COST_DEFAULT }) };
        let valid = cost.parse().ok().filter(|cost| (1..=Self::COST_MAX).contains(cost));
        let cost = valid.ok_or_else(|| ParseAddressSpaceError::Cost { found: cost.into() })?;
        Ok(Self { pattern, cost })
    }
}

pub(crate) fn parse_pattern(space: &str) -> Result<AddressPattern, ParseAddressSpaceError> {
    let ascii = |text: &str| text.parse::<Domain>().ok().and_then(|d| d.to_ascii().ok());
    let error = || ParseAddressSpaceError::Space { found: space.into() };
    match space {
        "*" => Ok(AddressPattern::Any),
        "--" => Ok(AddressPattern::AcceptedDomains),
        _ => match space.strip_prefix("*.") {
            Some(parent) => ascii(parent).map(AddressPattern::Within).ok_or_else(error),
            None => ascii(space).map(AddressPattern::Exact).ok_or_else(error),
        },
    }
}

impl fmt::Display for AddressPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AcceptedDomains => f.write_str("--"),
            Self::Any => f.write_str("*"),
            Self::Exact(domain) => write!(f, "{domain}"),
            Self::Within(domain) => write!(f, "*.{domain}"),
        }
    }
}

impl fmt::Display for AddressSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SMTP:{};{}", self.pattern, self.cost)
    }
}

/// Why a text is no [`AddressSpace`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAddressSpaceError {
    /// The cost is no number from 1 to 100.
    #[error("\"{found}\" is no cost from 1 to 100")]
    Cost {
        /// What stands there.
        found: String,
    },
    /// The space is neither `*`, `*.domain`, a domain, nor `--`.
    #[error("\"{found}\" is neither *, *.domain, a domain nor --")]
    Space {
        /// What stands there.
        found: String,
    },
    /// A type of address other than SMTP.
    #[error("addresses of type \"{found}\" are not carried, only SMTP")]
    Type {
        /// The type.
        found: String,
    },
}
