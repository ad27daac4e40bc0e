//! Keys by name: those that one message needs, and those that were needed before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use transom_dns::{Answer, DnsFailure, DomainName, Record, RecordKind, Resolver};

use super::DkimProblem;
use super::keys::PublicKey;

type Key = Result<Arc<PublicKey>, DkimProblem>;

/// The keys that one message needs, of [`ScannedContent::key_names`](super::ScannedContent).
#[derive(Clone, Debug, Default)]
pub struct Keys(HashMap<DomainName, Key>);

impl Keys {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what the DNS says of the TXT records of a name.
    pub fn answer(&mut self, name: DomainName, answer: Result<Answer, DnsFailure>) {
        let key = read(&name, answer);
        self.0.insert(name, key);
    }

    /// The key at a name. One that was not asked for did not come.
    pub(crate) fn get(&self, name: &DomainName) -> Result<&PublicKey, DkimProblem> {
        match self.0.get(name) {
            Some(Ok(key)) => Ok(key),
            Some(Err(problem)) => Err(problem.clone()),
            None => Err(DkimProblem::Dns { name: name.clone(), failure: DnsFailure::Timeout }),
        }
    }
}

/// The key among the records of a name.
fn read(name: &DomainName, answer: Result<Answer, DnsFailure>) -> Key {
    let dns = |failure| DkimProblem::Dns { name: name.clone(), failure };
    let answer = answer.map_err(dns)?;
    let mut texts = answer.records.iter().filter_map(|record| match record {
        Record::Txt(text) => Some(text),
        _ => None,
    });
    let text = texts.next().ok_or_else(|| dns(DnsFailure::NoData))?;
    // [RFC 6376 §3.6.2.2] a name has one record; which of several counts nobody can say.
    if texts.next().is_some() {
        return Err(DkimProblem::SeveralKeys);
    }
    PublicKey::parse(text).map(Arc::new)
}

/// Most keys that are kept.
const KEYS_MAX: usize = 10_000;
/// How long a name without key is kept.
const ABSENT: Duration = Duration::from_mins(5);
/// How long a key is kept at most and at least, whatever its time to live is.
const PRESENT: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(24));

/// Keys that were needed before, for as long as they hold. What is not there is kept for five
/// minutes, what could not be found out is not kept. At most 10,000 names.
#[derive(Debug, Default)]
pub struct KeyCache(Mutex<HashMap<DomainName, Kept>>);

#[derive(Debug)]
struct Kept {
    key: Key,
    until: Instant,
}

impl KeyCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys at `names`; those that are not kept are asked for, all at the same time.
    ///
    /// The time it takes is the resolver's. A caller that gives up takes [`Keys::new`]: a key that
    /// did not come is a temporary failure.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the questions; nothing else is lost.
    pub async fn fetch(
        &self,
        names: Vec<DomainName>,
        resolver: &dyn Resolver,
        now: Instant,
    ) -> Keys {
        let mut keys = Keys::new();
        let mut missing = Vec::new();
        for name in names {
            match self.kept(&name, now) {
                Some(key) => _ = keys.0.insert(name, key),
                None => missing.push(name),
            }
        }
        let answers = missing.iter().map(|name| resolver.lookup(name, RecordKind::Txt));
        let answers = futures::future::join_all(answers).await;
        for (name, answer) in missing.into_iter().zip(answers) {
            let hold = hold(&answer);
            let key = read(&name, answer);
            if let Some(until) = hold.and_then(|hold| now.checked_add(hold)) {
                self.keep(name.clone(), Kept { key: key.clone(), until }, now);
            }
            keys.0.insert(name, key);
        }
        keys
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn kept(&self, name: &DomainName, now: Instant) -> Option<Key> {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(name).filter(|kept| kept.until > now).map(|kept| kept.key.clone())
    }

    fn keep(&self, name: DomainName, kept: Kept, now: Instant) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= KEYS_MAX {
            cache.retain(|_, kept| kept.until > now);
        }
        // Full of what still holds: begin anew, which costs questions and nothing else.
        if cache.len() >= KEYS_MAX {
            cache.clear();
        }
        cache.insert(name, kept);
    }
}

/// How long an answer is kept.
fn hold(answer: &Result<Answer, DnsFailure>) -> Option<Duration> {
    match answer {
        Ok(answer) => Some(answer.ttl.clamp(PRESENT.0, PRESENT.1)),
        Err(failure) if failure.is_temporary() => None,
        Err(_) => Some(ABSENT),
    }
}
