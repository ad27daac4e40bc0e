//! DMARC (RFC 9989): does who is written in From stand behind the message?
//!
//! [`DmarcCheck`] is a machine that asks for lookups and does none, as
//! [`SpfCheck`](crate::spf::SpfCheck) is; [`check`] drives it with a [`Resolver`]. Which domain
//! is asked for, [`author_domain`] reads from the header section.

mod author;
mod evaluate;
mod record;
#[cfg(test)]
mod tests;

use std::fmt;

use transom_dns::{Answer, DnsFailure, DomainName, RecordKind, Resolver};

pub use author::{AuthorProblem, author_domain};
pub use record::{Alignment, DmarcPolicy, DmarcRecord, Psd};

use evaluate::{Known, evaluate};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DmarcQuery {
    /// The domain in From.
    pub author: DomainName,
    /// Who is known to stand behind the message. The first
    /// [`IDENTIFIERS_MAX`](Self::IDENTIFIERS_MAX) count.
    pub identifiers: Vec<Identifier>,
}

impl DmarcQuery {
    /// Most identifiers that are looked at: the sender in MAIL FROM and ten signatures.
    pub const IDENTIFIERS_MAX: usize = 11;

    /// Asks for the author of a message.
    pub fn new(author: DomainName, identifiers: Vec<Identifier>) -> Self {
        Self { author, identifiers }
    }
}

/// A domain that SPF or DKIM vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who, by what means, how sure")]
pub struct Identifier {
    /// The domain of MAIL FROM, or that of a signature.
    pub domain: DomainName,
    /// What vouches.
    pub method: Method,
    /// Whether it is proven. What could not be found out now is kept, since the message must not
    /// fail for it.
    pub is_proven: bool,
}

/// What vouches for a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 9989 §4.3 has these two")]
pub enum Method {
    /// SPF, for the domain in MAIL FROM.
    Spf,
    /// A DKIM signature.
    Dkim,
}

/// The results that RFC 9989 §9 registers for RFC 8601.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DmarcResult {
    /// The author's domain has no policy.
    None,
    /// An aligned domain stands behind the message.
    Pass,
    /// None does.
    Fail,
    /// It could not be found out now.
    TempError,
    /// There is no author to ask for, or a policy of which nothing can be used.
    PermError,
}

impl DmarcResult {
    /// The word for Authentication-Results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for DmarcResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DmarcOutcome {
    /// The result.
    pub result: DmarcResult,
    /// The domain in From; none where there is not exactly one.
    pub author: Option<DomainName>,
    /// Where the policy stands.
    pub policy_domain: Option<DomainName>,
    /// The policy as published.
    pub record: Option<DmarcRecord>,
    /// What of the policy holds for this author: `p`, `sp` or `np`.
    pub policy: DmarcPolicy,
    /// Whether SPF vouches for an aligned domain.
    pub spf_aligned: bool,
    /// The domains of aligned signatures, each once.
    pub dkim_aligned: Vec<DomainName>,
    /// Without a policy: whether the message would have passed one, since a domain stands behind
    /// it that is the author's, above it or below it.
    pub would_pass: bool,
    /// Why there was an error.
    pub problem: Option<DmarcProblem>,
}

impl DmarcOutcome {
    fn new(result: DmarcResult, author: &DomainName) -> Self {
        Self {
            result,
            author: Some(author.clone()),
            policy_domain: None,
            record: None,
            policy: DmarcPolicy::None,
            spf_aligned: false,
            dkim_aligned: Vec::new(),
            would_pass: false,
            problem: None,
        }
    }

    /// The outcome for a message without an author to ask for.
    pub fn without_author(problem: AuthorProblem) -> Self {
        let mut outcome = Self::new(DmarcResult::PermError, &DomainName::root());
        outcome.author = None;
        outcome.problem = Some(DmarcProblem::Author(problem));
        outcome
    }

    /// What the owner of the domain wants to be done with this message: nothing but where it
    /// fails.
    // [RFC 9989 §4.7] in test mode, one level below what is published.
    pub fn requested(&self) -> DmarcPolicy {
        let is_test = self.record.as_ref().is_some_and(|record| record.is_test);
        match (self.result, self.policy) {
            (DmarcResult::Fail, policy) if !is_test => policy,
            (DmarcResult::Fail, DmarcPolicy::Reject) => DmarcPolicy::Quarantine,
            _ => DmarcPolicy::None,
        }
    }
}

/// Why there is neither pass nor fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DmarcProblem {
    /// There is no author to ask for.
    #[error(transparent)]
    Author(#[from] AuthorProblem),
    /// The DNS did not answer.
    #[error("{kind} of {name}: {failure}")]
    Dns {
        /// What was asked for.
        name: DomainName,
        /// Which records.
        kind: RecordKind,
        /// Why there are none.
        failure: DnsFailure,
    },
    /// SPF or DKIM could not be decided for a domain that is aligned.
    #[error("{0} could not be checked now")]
    Undecided(DomainName),
    /// The record has no usable policy and nobody to report to.
    #[error("the DMARC record of {0} has no usable policy")]
    Unusable(DomainName),
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DmarcStep {
    /// This is to be asked; [`DmarcCheck::answer`] takes what came of it.
    Lookup {
        /// The name.
        name: DomainName,
        /// The kind of records.
        kind: RecordKind,
    },
    /// There is nothing more to ask.
    Done(DmarcOutcome),
}

/// One check, as a machine without I/O. It ends after at most 97 questions: eight for the author
/// and each identifier, and one for whether the author exists. Most ask for one or two.
///
/// ```
/// use transom_dns::Zone;
/// use transom_mailauth::dmarc::{DmarcCheck, DmarcPolicy, DmarcQuery, DmarcResult, DmarcStep};
///
/// let zone: Zone = "_dmarc.contoso.com TXT v=DMARC1; p=quarantine; sp=reject".parse()?;
/// let mut check = DmarcCheck::new(DmarcQuery::new("mail.contoso.com".parse()?, Vec::new()));
/// let outcome = loop {
///     match check.step() {
///         DmarcStep::Lookup { name, kind } => {
///             let answer = zone.get(&name, kind);
///             check.answer(name, kind, answer);
///         }
///         DmarcStep::Done(outcome) => break outcome,
///         _ => unreachable!(),
///     }
/// };
/// assert_eq!((outcome.result, outcome.policy), (DmarcResult::Fail, DmarcPolicy::Reject));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct DmarcCheck {
    query: DmarcQuery,
    known: Known,
}

impl DmarcCheck {
    /// A check of which nothing is known yet.
    pub fn new(query: DmarcQuery) -> Self {
        Self { query, known: Known::new() }
    }

    /// What is to be asked, or the outcome.
    pub fn step(&self) -> DmarcStep {
        match evaluate(&self.query, &self.known) {
            Ok(outcome) => DmarcStep::Done(outcome),
            Err((name, kind)) => DmarcStep::Lookup { name, kind },
        }
    }

    /// Takes what the DNS says.
    pub fn answer(
        &mut self,
        name: DomainName,
        kind: RecordKind,
        answer: Result<Answer, DnsFailure>,
    ) {
        self.known.insert((name, kind), answer);
    }
}

/// Checks with a resolver. The time it takes is the resolver's; a caller that gives up takes that
/// for [`DmarcResult::TempError`].
///
/// # Cancel safety
///
/// Dropping the future abandons the check; nothing else is lost.
pub async fn check(query: DmarcQuery, resolver: &dyn Resolver) -> DmarcOutcome {
    let mut check = DmarcCheck::new(query);
    loop {
        match check.step() {
            DmarcStep::Lookup { name, kind } => {
                let answer = resolver.lookup(&name, kind).await;
                check.answer(name, kind, answer);
            }
            DmarcStep::Done(outcome) => return outcome,
        }
    }
}
