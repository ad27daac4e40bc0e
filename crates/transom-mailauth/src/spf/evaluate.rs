//! What a record says of a client, as a function of the answers that are known. Where one is
//! missing, the evaluation ends with the question, and begins anew once the answer is there: the
//! limits keep that cheap, and nothing has to be kept between two answers.

use std::collections::HashMap;
use std::net::IpAddr;

use transom_dns::{Answer, DnsFailure, DomainName, Record as DnsRecord, RecordKind};

use super::macros::{MacroString, Place, Values};
use super::record::{Directive, Lengths, Mechanism, Record, is_record};
use super::{SpfOutcome, SpfProblem, SpfQuery, SpfResult};

/// Terms that ask the DNS in one evaluation (RFC 7208 §4.6.4).
const TERMS_MAX: u32 = 10;
/// Questions without answer in one evaluation (RFC 7208 §4.6.4).
const VOID_MAX: u32 = 2;
/// Names of one MX or PTR answer (RFC 7208 §4.6.4).
const NAMES_MAX: usize = 10;
/// Longest record; a DNS answer over UDP has a tenth of it.
const RECORD_OCTETS_MAX: usize = 16 * 1024;
/// Longest explanation; a reply line holds no more.
const EXPLANATION_OCTETS_MAX: usize = 450;

pub(super) type Known = HashMap<(DomainName, RecordKind), Result<Answer, DnsFailure>>;

/// Why an evaluation ends before its result.
#[derive(Debug)]
pub(super) enum Stop {
    /// This must be asked first.
    Ask(DomainName, RecordKind),
    Problem(SpfProblem),
}

/// The outcome, or the question that comes first.
pub(super) fn evaluate(
    query: &SpfQuery,
    known: &Known,
) -> Result<SpfOutcome, (DomainName, RecordKind)> {
    let mut evaluation = Evaluation { query, known, terms: 0, voids: 0 };
    let domain = query.domain.as_str();
    // [RFC 7208 §4.3] what is no domain of the DNS has no policy.
    if host_name(domain).is_none() {
        return Ok(SpfOutcome::new(SpfResult::None, domain));
    }
    match evaluation.check_host(domain) {
        Ok(outcome) => Ok(outcome),
        Err(Stop::Ask(name, kind)) => Err((name, kind)),
        Err(Stop::Problem(problem)) => {
            Ok(SpfOutcome::new(problem.result(), domain).because(problem))
        }
    }
}

/// A name with a dot in it, without brackets.
fn host_name(domain: &str) -> Option<DomainName> {
    let has_dot = domain.trim_end_matches('.').contains('.');
    domain.parse().ok().filter(|_| has_dot && !domain.starts_with('['))
}

struct Evaluation<'a> {
    query: &'a SpfQuery,
    known: &'a Known,
    terms: u32,
    voids: u32,
}

impl<'a> Evaluation<'a> {
    /// [RFC 7208 §4] what the policy of `domain` says.
    fn check_host(&mut self, domain: &str) -> Result<SpfOutcome, Stop> {
        let Some(record) = self.record(domain)? else {
            return Ok(SpfOutcome::new(SpfResult::None, domain));
        };
        for directive in &record.directives {
            if self.matches(&directive.mechanism, domain)? {
                return self.matched(directive, &record, domain);
            }
        }
        let Some(redirect) = &record.redirect else {
            // [RFC 7208 §4.7] nothing matched.
            return Ok(SpfOutcome::new(SpfResult::Neutral, domain));
        };
        // [RFC 7208 §6.1] another policy in the place of this one; there must be one.
        self.count_term()?;
        let target = redirect.expand_domain(&mut self.values(domain))?;
        let outcome = self.check_host(&target)?;
        match outcome.result {
            SpfResult::None => Err(Stop::Problem(SpfProblem::NoRecord { domain: target })),
            _ => Ok(outcome),
        }
    }

    /// The one record of a domain, well formed.
    fn record(&self, domain: &str) -> Result<Option<Record>, Stop> {
        let Some(name) = host_name(domain) else { return Ok(None) };
        let texts = match self.ask(&name, RecordKind::Txt)? {
            Ok(texts) => texts,
            Err(failure) if failure.is_temporary() => {
                return Err(dns_problem(&name, RecordKind::Txt, failure));
            }
            Err(_) => return Ok(None),
        };
        let mut records = texts.iter().filter_map(|record| match record {
            DnsRecord::Txt(text) if is_record(text) => Some(text),
            _ => None,
        });
        let (Some(text), another) = (records.next(), records.next()) else { return Ok(None) };
        // [RFC 7208 §4.5] two records are an error, even the same twice.
        if another.is_some() {
            return Err(Stop::Problem(SpfProblem::SeveralRecords { domain: domain.to_owned() }));
        }
        if text.len() > RECORD_OCTETS_MAX {
            return Err(Stop::Problem(SpfProblem::TooLong { domain: domain.to_owned() }));
        }
        let problem = |term| SpfProblem::Syntax { domain: domain.to_owned(), term };
        Record::parse(text).map(Some).map_err(|term| Stop::Problem(problem(term)))
    }

    /// The outcome of a directive that matched.
    fn matched(
        &mut self,
        directive: &Directive,
        record: &Record,
        domain: &str,
    ) -> Result<SpfOutcome, Stop> {
        let mut outcome = SpfOutcome::new(directive.qualifier, domain);
        outcome.mechanism = Some(directive.text.clone());
        if let (SpfResult::Fail, Some(exp)) = (directive.qualifier, &record.exp) {
            outcome.explanation = self.explanation(exp, domain)?;
        }
        Ok(outcome)
    }

    /// [RFC 7208 §6.2] the text for a refused sender; where there is any trouble, none.
    fn explanation(&mut self, exp: &MacroString, domain: &str) -> Result<Option<String>, Stop> {
        let target = exp.expand_domain(&mut self.values(domain))?;
        let Ok(name) = target.parse() else { return Ok(None) };
        let Ok(records) = self.ask(&name, RecordKind::Txt)? else { return Ok(None) };
        let [DnsRecord::Txt(text)] = records else { return Ok(None) };
        let text = str::from_utf8(text).ok().filter(|text| text.len() <= RECORD_OCTETS_MAX);
        let Some(text) = text.and_then(|text| MacroString::parse(text, Place::Explanation)) else {
            return Ok(None);
        };
        let text = text.expand(&mut self.values(domain))?;
        let fits = text.len() <= EXPLANATION_OCTETS_MAX
            && text.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic());
        Ok(fits.then_some(text))
    }

    fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, Stop> {
        let ip = self.query.ip;
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4 { network, length } => {
                Ok(Lengths { v4: *length, v6: 128 }.matches((*network).into(), ip))
            }
            Mechanism::Ip6 { network, length } => {
                Ok(Lengths { v4: 32, v6: *length }.matches((*network).into(), ip))
            }
            Mechanism::Include(target) => {
                self.count_term()?;
                let target = target.expand_domain(&mut self.values(domain))?;
                self.includes(target)
            }
            Mechanism::A { domain: target, lengths } => {
                self.count_term()?;
                let target = self.target(target.as_ref(), domain)?;
                let addresses = self.addresses(&target)?;
                Ok(addresses.iter().any(|address| lengths.matches(*address, ip)))
            }
            Mechanism::Mx { domain: target, lengths } => {
                self.count_term()?;
                let target = self.target(target.as_ref(), domain)?;
                self.matches_mx(&target, *lengths)
            }
            Mechanism::Ptr(target) => {
                self.count_term()?;
                let target = self.target(target.as_ref(), domain)?;
                self.matches_ptr(&target)
            }
            Mechanism::Exists(target) => {
                self.count_term()?;
                let target = target.expand_domain(&mut self.values(domain))?;
                // [RFC 7208 §5.7] A, whatever the family of the client.
                Ok(!self.records(&target, RecordKind::A)?.is_empty())
            }
        }
    }

    /// [RFC 7208 §5.2] only a pass of the other policy matches; it must exist.
    fn includes(&mut self, target: String) -> Result<bool, Stop> {
        match self.check_host(&target)?.result {
            SpfResult::Pass => Ok(true),
            SpfResult::None => Err(Stop::Problem(SpfProblem::NoRecord { domain: target })),
            _ => Ok(false),
        }
    }

    fn matches_mx(&mut self, target: &str, lengths: Lengths) -> Result<bool, Stop> {
        let hosts = self.records(target, RecordKind::Mx)?;
        // [RFC 7208 §4.6.4] more than ten names are an error.
        if hosts.len() > NAMES_MAX {
            return Err(Stop::Problem(SpfProblem::TooManyHosts { domain: target.to_owned() }));
        }
        for host in hosts {
            let DnsRecord::Mx { exchange, .. } = host else { continue };
            let addresses = self.addresses(exchange.as_str())?;
            if addresses.iter().any(|address| lengths.matches(*address, self.query.ip)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn matches_ptr(&mut self, target: &str) -> Result<bool, Stop> {
        let target = target.to_ascii_lowercase();
        Ok(self.own_names()?.iter().any(|name| is_within(name.as_str(), &target)))
    }

    /// [RFC 7208 §5.5] the names of the client whose addresses have the client's among them.
    /// Trouble on the way makes them fewer, and is no error.
    fn own_names(&mut self) -> Result<Vec<DomainName>, Stop> {
        let reverse = DomainName::reverse(self.query.ip);
        let found = match self.ask(&reverse, RecordKind::Ptr)? {
            Ok(found) => found,
            Err(failure) => {
                self.count_void(failure)?;
                return Ok(Vec::new());
            }
        };
        let mut names = Vec::new();
        for record in found.iter().take(NAMES_MAX) {
            let DnsRecord::Ptr(name) = record else { continue };
            let Ok(addresses) = self.ask(name, self.address_kind())? else { continue };
            if addresses.iter().any(|record| address_of(record) == Some(self.query.ip)) {
                names.push(name.clone());
            }
        }
        Ok(names)
    }

    /// The addresses of a host, in the family of the client.
    fn addresses(&mut self, host: &str) -> Result<Vec<IpAddr>, Stop> {
        let records = self.records(host, self.address_kind())?;
        Ok(records.iter().filter_map(address_of).collect())
    }

    fn address_kind(&self) -> RecordKind {
        if self.query.ip.is_ipv4() { RecordKind::A } else { RecordKind::Aaaa }
    }

    /// The domain that a mechanism is about.
    fn target(&mut self, given: Option<&MacroString>, domain: &str) -> Result<String, Stop> {
        match given {
            Some(given) => given.expand_domain(&mut self.values(domain)),
            None => Ok(domain.to_owned()),
        }
    }

    /// Records of a mechanism; none where the name is no name, or nothing is there.
    fn records(&mut self, name: &str, kind: RecordKind) -> Result<&'a [DnsRecord], Stop> {
        let Ok(name) = name.parse::<DomainName>() else {
            self.count_void(DnsFailure::BadName)?;
            return Ok(&[]);
        };
        match self.ask(&name, kind)? {
            Ok(records) => Ok(records),
            Err(failure) if failure.is_temporary() => Err(dns_problem(&name, kind, failure)),
            Err(failure) => {
                self.count_void(failure)?;
                Ok(&[])
            }
        }
    }

    /// What is known of a question, or the question.
    fn ask(
        &self,
        name: &DomainName,
        kind: RecordKind,
    ) -> Result<Result<&'a [DnsRecord], DnsFailure>, Stop> {
        match self.known.get(&(name.clone(), kind)) {
            Some(Ok(answer)) => Ok(Ok(&answer.records)),
            Some(Err(failure)) => Ok(Err(*failure)),
            None => Err(Stop::Ask(name.clone(), kind)),
        }
    }

    fn count_term(&mut self) -> Result<(), Stop> {
        self.terms = self.terms.saturating_add(1);
        if self.terms > TERMS_MAX { Err(Stop::Problem(SpfProblem::TooManyTerms)) } else { Ok(()) }
    }

    fn count_void(&mut self, failure: DnsFailure) -> Result<(), Stop> {
        if failure.is_temporary() {
            return Ok(());
        }
        self.voids = self.voids.saturating_add(1);
        if self.voids > VOID_MAX { Err(Stop::Problem(SpfProblem::TooManyVoid)) } else { Ok(()) }
    }

    fn values<'e>(&'e mut self, domain: &'e str) -> SessionValues<'e, 'a> {
        SessionValues { evaluation: self, domain }
    }
}

/// What macros stand for while the policy of `domain` is evaluated.
struct SessionValues<'e, 'a> {
    evaluation: &'e mut Evaluation<'a>,
    domain: &'e str,
}

impl Values for SessionValues<'_, '_> {
    type Stop = Stop;

    fn value(&mut self, letter: char) -> Result<String, Stop> {
        let query = self.evaluation.query;
        Ok(match letter {
            's' => format!("{}@{}", query.local_part, query.domain),
            'l' => query.local_part.clone(),
            'o' => query.domain.clone(),
            'd' => self.domain.to_owned(),
            'i' => dotted(query.ip),
            'p' => return self.own_name(),
            'v' => if query.ip.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
            'h' => query.helo.clone(),
            'c' => query.ip.to_string(),
            'r' => query.receiver.clone().unwrap_or_else(|| "unknown".to_owned()),
            _ => query.unix_seconds.to_string(),
        })
    }
}

impl SessionValues<'_, '_> {
    /// [RFC 7208 §7.3] a name of the client: the domain itself before one below it, before others.
    fn own_name(&mut self) -> Result<String, Stop> {
        let names = self.evaluation.own_names()?;
        let domain = self.domain.to_ascii_lowercase();
        let is_domain = |name: &&DomainName| name.as_str() == domain;
        let below = |name: &&DomainName| is_within(name.as_str(), &domain);
        let best = names.iter().find(is_domain).or_else(|| names.iter().find(below));
        Ok(best.or_else(|| names.first()).map_or_else(|| "unknown".to_owned(), ToString::to_string))
    }
}

/// Whether `name` is `domain` or below it.
fn is_within(name: &str, domain: &str) -> bool {
    let above = name.strip_suffix(domain);
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// [RFC 7208 §7.3] an address in parts: octets, or nibbles.
fn dotted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let octets = address.octets();
            let nibbles = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
            nibbles.map(|nibble| format!("{nibble:X}")).collect::<Vec<_>>().join(".")
        }
    }
}

fn address_of(record: &DnsRecord) -> Option<IpAddr> {
    match record {
        DnsRecord::A(address) => Some((*address).into()),
        DnsRecord::Aaaa(address) => Some((*address).into()),
        _ => None,
    }
}

fn dns_problem(name: &DomainName, kind: RecordKind, failure: DnsFailure) -> Stop {
    Stop::Problem(SpfProblem::Dns { name: name.clone(), kind, failure })
}
