//! What the policies say, as a function of the answers that are known; where one is missing, the
//! evaluation ends with the question and begins anew once the answer is there.

use std::collections::HashMap;

use transom_dns::{Answer, DnsFailure, DomainName, Record, RecordKind};

use super::{
    Alignment, DmarcOutcome, DmarcPolicy, DmarcProblem, DmarcQuery, DmarcRecord, DmarcResult,
    Identifier, Method, Psd,
};

/// Labels of the longest name that a walk asks for behind its first (RFC 9989 §4.10).
const WALK_LABELS_MAX: usize = 7;

pub(super) type Known = HashMap<(DomainName, RecordKind), Result<Answer, DnsFailure>>;

/// Why an evaluation ends before its result.
enum Stop {
    /// This must be asked first.
    Ask(DomainName, RecordKind),
    Problem(DmarcProblem),
}

/// The outcome, or the question that comes first.
pub(super) fn evaluate(
    query: &DmarcQuery,
    known: &Known,
) -> Result<DmarcOutcome, (DomainName, RecordKind)> {
    match (Evaluation { query, known }).outcome() {
        Ok(outcome) => Ok(outcome),
        Err(Stop::Ask(name, kind)) => Err((name, kind)),
        Err(Stop::Problem(problem)) => {
            let result = match problem {
                DmarcProblem::Unusable(_) | DmarcProblem::Author(_) => DmarcResult::PermError,
                _ => DmarcResult::TempError,
            };
            let problem = Some(problem);
            Ok(DmarcOutcome { problem, ..DmarcOutcome::new(result, &query.author) })
        }
    }
}

/// A record and where it stands.
type Found = (DomainName, DmarcRecord);

struct Evaluation<'a> {
    query: &'a DmarcQuery,
    known: &'a Known,
}

impl Evaluation<'_> {
    fn outcome(&self) -> Result<DmarcOutcome, Stop> {
        let author = &self.query.author;
        let Some((policy_domain, record)) = self.discover()? else {
            let mut outcome = DmarcOutcome::new(DmarcResult::None, author);
            let near = |one: &Identifier| {
                is_within(&one.domain, author)
                    || is_within(author, &one.domain) && one.domain.as_str().contains('.')
            };
            outcome.would_pass = self.identifiers().any(|one| one.is_proven && near(one));
            return Ok(outcome);
        };
        if !record.is_usable() {
            return Err(Stop::Problem(DmarcProblem::Unusable(policy_domain)));
        }
        let mut outcome = DmarcOutcome::new(DmarcResult::Fail, author);
        outcome.policy = self.policy(&policy_domain, &record)?;
        let mut undecided = None;
        for identifier in self.identifiers() {
            if !self.is_aligned(identifier, &record)? {
                continue;
            }
            match (identifier.is_proven, identifier.method) {
                (false, _) => undecided = Some(identifier.domain.clone()),
                (true, Method::Spf) => outcome.spf_aligned = true,
                (true, Method::Dkim) if !outcome.dkim_aligned.contains(&identifier.domain) => {
                    outcome.dkim_aligned.push(identifier.domain.clone());
                }
                (true, Method::Dkim) => {}
            }
        }
        outcome.policy_domain = Some(policy_domain);
        outcome.record = Some(record);
        // [RFC 9989 §5.3.5] one aligned domain is enough.
        if outcome.spf_aligned || !outcome.dkim_aligned.is_empty() {
            outcome.result = DmarcResult::Pass;
        } else if let Some(domain) = undecided {
            // [RFC 9989 §5.3.6] with a question open there is neither pass nor fail.
            outcome.result = DmarcResult::TempError;
            outcome.problem = Some(DmarcProblem::Undecided(domain));
        }
        Ok(outcome)
    }

    fn identifiers(&self) -> impl Iterator<Item = &Identifier> {
        self.query.identifiers.iter().take(DmarcQuery::IDENTIFIERS_MAX)
    }

    /// [RFC 9989 §4.10.1] the record of the author, else of the organization, else of the public
    /// suffix.
    fn discover(&self) -> Result<Option<Found>, Stop> {
        let author = &self.query.author;
        if let Some(record) = self.record(author)? {
            return Ok(Some((author.clone(), record)));
        }
        let found = self.walk(author)?;
        let organization = organization(author, &found);
        let of_organization = found.iter().find(|(name, _)| *name == organization);
        let of_suffix = || found.iter().find(|(_, record)| record.psd == Psd::Yes);
        Ok(of_organization.or_else(of_suffix).cloned())
    }

    /// What of a record holds for the author.
    fn policy(&self, domain: &DomainName, record: &DmarcRecord) -> Result<DmarcPolicy, Stop> {
        let author = &self.query.author;
        if domain == author {
            return Ok(record.own_policy());
        }
        // Nothing is asked where the answer would change nothing.
        if record.absent_policy() == record.existing_policy() {
            return Ok(record.existing_policy());
        }
        // [RFC 9989 §3.2.13] what does not exist is what RFC 8020 calls so.
        match self.ask(author, RecordKind::A)? {
            Err(DnsFailure::NxDomain) => Ok(record.absent_policy()),
            Err(failure) if failure.is_temporary() => {
                Err(dns_problem(author, RecordKind::A, *failure))
            }
            _ => Ok(record.existing_policy()),
        }
    }

    /// [RFC 9989 §4.10.2] whether a domain is near enough to the author's.
    fn is_aligned(&self, identifier: &Identifier, record: &DmarcRecord) -> Result<bool, Stop> {
        let (author, domain) = (&self.query.author, &identifier.domain);
        let alignment = match identifier.method {
            Method::Spf => record.spf_alignment,
            Method::Dkim => record.dkim_alignment,
        };
        if author == domain {
            return Ok(true);
        }
        // Organizations of names under different top-level domains are different ones.
        let top = |name: &DomainName| name.as_str().rsplit('.').next().map(str::to_owned);
        if alignment == Alignment::Strict || top(author) != top(domain) {
            return Ok(false);
        }
        let of_author = organization(author, &self.walk(author)?);
        Ok(is_within(domain, &of_author) && organization(domain, &self.walk(domain)?) == of_author)
    }

    /// [RFC 9989 §4.10] the records from a name upwards, the longest name first.
    fn walk(&self, start: &DomainName) -> Result<Vec<Found>, Stop> {
        let mut found = Vec::new();
        for name in walk_names(start) {
            let Some(record) = self.record(&name)? else { continue };
            let is_last = record.psd != Psd::Unsaid;
            found.push((name, record));
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// The one record of a name. [RFC 9989 §4.10] of several, none counts.
    fn record(&self, name: &DomainName) -> Result<Option<DmarcRecord>, Stop> {
        // A name that is too long to have one has none.
        let Ok(name) = format!("_dmarc.{name}").parse() else { return Ok(None) };
        let texts = match self.ask(&name, RecordKind::Txt)? {
            Ok(answer) => &answer.records,
            Err(failure) if failure.is_temporary() => {
                return Err(dns_problem(&name, RecordKind::Txt, *failure));
            }
            Err(_) => return Ok(None),
        };
        let mut records = texts.iter().filter_map(|record| match record {
            Record::Txt(text) => DmarcRecord::parse(text),
            _ => None,
        });
        let first = records.next();
        Ok(first.filter(|_| records.next().is_none()))
    }

    fn ask(
        &self,
        name: &DomainName,
        kind: RecordKind,
    ) -> Result<&Result<Answer, DnsFailure>, Stop> {
        let key = (name.clone(), kind);
        self.known.get(&key).ok_or(Stop::Ask(key.0, kind))
    }
}

fn dns_problem(name: &DomainName, kind: RecordKind, failure: DnsFailure) -> Stop {
    Stop::Problem(DmarcProblem::Dns { name: name.clone(), kind, failure })
}

/// [RFC 9989 §4.10] the names that a walk asks for: the first, then what its last seven labels
/// leave, label by label.
fn walk_names(start: &DomainName) -> Vec<DomainName> {
    let labels: Vec<&str> = start.as_str().split('.').collect();
    let longest = labels.len().saturating_sub(1).min(WALK_LABELS_MAX);
    let mut names = vec![start.clone()];
    names.extend((1..=longest).rev().filter_map(|count| last_labels(&labels, count)));
    names
}

fn last_labels(labels: &[&str], count: usize) -> Option<DomainName> {
    labels.get(labels.len().checked_sub(count)?..)?.join(".").parse().ok()
}

/// [RFC 9989 §4.10.2] the organization of `start`, from the records that a walk found.
fn organization(start: &DomainName, found: &[Found]) -> DomainName {
    for (name, record) in found {
        match record.psd {
            Psd::No => return name.clone(),
            Psd::Yes if name != start => {
                let labels: Vec<&str> = start.as_str().split('.').collect();
                let below = name.as_str().split('.').count().saturating_add(1);
                return last_labels(&labels, below).unwrap_or_else(|| start.clone());
            }
            _ => {}
        }
    }
    found.last().map_or_else(|| start.clone(), |(name, _)| name.clone())
}

/// Whether `name` is `parent` or lies below it.
fn is_within(name: &DomainName, parent: &DomainName) -> bool {
    let head = name.as_str().strip_suffix(parent.as_str());
    head.is_some_and(|head| head.is_empty() || head.ends_with('.'))
}
