//! SPF (RFC 7208): may this client send for this domain?
//!
//! [`SpfCheck`] is a machine that asks for lookups and does none; [`check`] drives it with a
//! [`Resolver`].

mod evaluate;
mod macros;
mod record;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

use transom_dns::{Answer, DnsFailure, DomainName, RecordKind, Resolver};

use evaluate::{Known, evaluate};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpfQuery {
    /// The client. An IPv4 address in the clothes of IPv6 is an IPv4 address.
    pub ip: IpAddr,
    /// What the client calls itself.
    pub helo: String,
    /// The sender's local part; `postmaster` where there is none (RFC 7208 §4.3).
    pub local_part: String,
    /// The domain whose policy is asked for: that of the sender, or the name in HELO.
    pub domain: String,
    /// Who receives, for explanations (`unknown`).
    pub receiver: Option<String>,
    /// Now, in seconds of Unix time, for explanations (0).
    pub unix_seconds: u64,
}

impl SpfQuery {
    /// Asks for the sender in MAIL FROM, without brackets. The null sender is `postmaster` at the
    /// name in HELO (RFC 7208 §2.4).
    ///
    /// Any text will do: what cannot be a domain of the DNS has the result [`SpfResult::None`].
    pub fn mail_from(ip: IpAddr, helo: &str, sender: &str) -> Self {
        let (local_part, domain) = match sender.rsplit_once('@') {
            Some((local_part, domain)) => (local_part, domain),
            None if sender.is_empty() => ("", helo),
            None => ("", sender),
        };
        let local_part = if local_part.is_empty() { "postmaster" } else { local_part };
        Self {
            ip: ip.to_canonical(),
            helo: helo.to_owned(),
            local_part: local_part.to_owned(),
            domain: domain.to_owned(),
            receiver: None,
            unix_seconds: 0,
        }
    }

    /// Asks for the name in HELO or EHLO (RFC 7208 §2.3).
    pub fn helo(ip: IpAddr, helo: &str) -> Self {
        Self::mail_from(ip, helo, "")
    }

    /// The same with what explanations may name: who receives, and when.
    #[must_use]
    pub fn with_receiver(self, receiver: &str, unix_seconds: u64) -> Self {
        Self { receiver: Some(receiver.to_owned()), unix_seconds, ..self }
    }
}

/// The seven results of RFC 7208 §2.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpfResult {
    /// There is no policy, or nothing that could have one.
    None,
    /// The policy says nothing of this client.
    Neutral,
    /// The client may send for the domain.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// The policy cannot be had now.
    TempError,
    /// The policy cannot be read.
    PermError,
}

impl SpfResult {
    /// The word of RFC 8601 §2.7.2.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for SpfResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpfOutcome {
    /// The result.
    pub result: SpfResult,
    /// Whose policy gave it: the domain asked for, or one that it redirects to.
    pub domain: String,
    /// The directive that matched, as it stands in the record.
    pub mechanism: Option<String>,
    /// Why there was an error.
    pub problem: Option<SpfProblem>,
    /// What the domain wants to be told to a refused sender: printable ASCII, at most 450 octets.
    /// It is the word of a stranger.
    pub explanation: Option<String>,
}

impl SpfOutcome {
    fn new(result: SpfResult, domain: &str) -> Self {
        let domain = domain.to_owned();
        Self { result, domain, mechanism: None, problem: None, explanation: None }
    }

    fn because(self, problem: SpfProblem) -> Self {
        Self { problem: Some(problem), ..self }
    }
}

/// Why a policy gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpfProblem {
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
    /// The policy names another that does not exist.
    #[error("{domain} has no SPF record")]
    NoRecord {
        /// The other.
        domain: String,
    },
    /// There is more than one record.
    #[error("{domain} has several SPF records")]
    SeveralRecords {
        /// Where.
        domain: String,
    },
    /// The record has a term that is not well formed.
    #[error("the SPF record of {domain} is not well formed at \"{term}\"")]
    Syntax {
        /// Whose record.
        domain: String,
        /// The term.
        term: String,
    },
    /// The record is longer than 16 KiB.
    #[error("the SPF record of {domain} is longer than 16 KiB")]
    TooLong {
        /// Whose record.
        domain: String,
    },
    /// A domain has more than ten mail exchangers.
    #[error("{domain} has more than ten mail exchangers")]
    TooManyHosts {
        /// Which domain.
        domain: String,
    },
    /// More than ten terms ask the DNS.
    #[error("more than ten terms that ask the DNS")]
    TooManyTerms,
    /// More than two questions had no answer.
    #[error("more than two questions without an answer")]
    TooManyVoid,
}

impl SpfProblem {
    /// Trouble with the DNS is temporary, all else is the policy's fault.
    fn result(&self) -> SpfResult {
        match self {
            Self::Dns { .. } => SpfResult::TempError,
            _ => SpfResult::PermError,
        }
    }
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpfStep {
    /// This is to be asked; [`SpfCheck::answer`] takes what came of it.
    Lookup {
        /// The name.
        name: DomainName,
        /// The kind of records.
        kind: RecordKind,
    },
    /// There is nothing more to ask.
    Done(SpfOutcome),
}

/// One check, as a machine without I/O. It ends after at most some 130 questions, since ten terms
/// may ask and each for ten hosts.
///
/// ```
/// use transom_dns::Zone;
/// use transom_mailauth::spf::{SpfCheck, SpfQuery, SpfResult, SpfStep};
///
/// let zone: Zone = "contoso.com TXT v=spf1 ip4:192.0.2.0/24 -all".parse()?;
/// let query = SpfQuery::mail_from("192.0.2.7".parse()?, "mx.contoso.com", "ann@contoso.com");
/// let mut check = SpfCheck::new(query);
/// let outcome = loop {
///     match check.step() {
///         SpfStep::Lookup { name, kind } => {
///             let answer = zone.get(&name, kind);
///             check.answer(name, kind, answer);
///         }
///         SpfStep::Done(outcome) => break outcome,
///         _ => unreachable!(),
///     }
/// };
/// assert_eq!(outcome.result, SpfResult::Pass);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SpfCheck {
    query: SpfQuery,
    known: Known,
}

impl SpfCheck {
    /// A check of which nothing is known yet.
    pub fn new(query: SpfQuery) -> Self {
        Self { query, known: Known::new() }
    }

    /// What is to be asked, or the outcome.
    pub fn step(&self) -> SpfStep {
        match evaluate(&self.query, &self.known) {
            Ok(outcome) => SpfStep::Done(outcome),
            Err((name, kind)) => SpfStep::Lookup { name, kind },
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
/// for [`SpfResult::TempError`].
///
/// # Cancel safety
///
/// Dropping the future abandons the check; nothing else is lost.
pub async fn check(query: SpfQuery, resolver: &dyn Resolver) -> SpfOutcome {
    let mut check = SpfCheck::new(query);
    loop {
        match check.step() {
            SpfStep::Lookup { name, kind } => {
                let answer = resolver.lookup(&name, kind).await;
                check.answer(name, kind, answer);
            }
            SpfStep::Done(outcome) => return outcome,
        }
    }
}
