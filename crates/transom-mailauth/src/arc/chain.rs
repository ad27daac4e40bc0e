//! The sets of a message, and whether they hold together.

use transom_dns::DomainName;

use super::{ArcInstance, ArcProblem, ArcResult, ArcVerdict};
use crate::dkim::{
    Canonicalization, DkimAlgorithm, DkimProblem, HeaderFields, Keys, Kind, ScannedContent,
    Signature, Signer, TagList, check, number, trim,
};

/// Most sets of a chain (RFC 8617 §4.2.1).
pub const SETS_MAX: usize = 50;

pub(super) const RESULTS: &str = "ARC-Authentication-Results";
pub(super) const MESSAGE: &str = "ARC-Message-Signature";
pub(super) const SEAL: &str = "ARC-Seal";

/// The chain as it stands in the header section.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    pub(super) sets: Vec<Set>,
    /// Why it does not hold, whatever the keys say.
    problem: Option<ArcProblem>,
    /// The highest instance that occurs.
    pub(super) highest: usize,
}

/// One set. Fields by their place.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) results: usize,
    pub(super) message: usize,
    pub(super) seal: usize,
    text: String,
    signature: Result<Signature, DkimProblem>,
    sealing: Result<Sealing, DkimProblem>,
}

/// What a seal says.
#[derive(Debug)]
struct Sealing {
    signer: Signer,
    validation: Validation,
}

/// `cv=`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Validation {
    None,
    Pass,
    Fail,
}

impl Chain {
    pub(crate) fn parse(fields: &HeaderFields) -> Self {
        let mut chain = Self::default();
        chain.problem = chain.collect(fields).err();
        chain
    }

    /// [RFC 8617 §5.2] the sets, complete and in order.
    fn collect(&mut self, fields: &HeaderFields) -> Result<(), ArcProblem> {
        let [results, messages, seals] = [RESULTS, MESSAGE, SEAL].map(|name| {
            let places = fields.named(&name.to_ascii_lowercase()).iter();
            let instance = |place: &usize| (instance(fields.value(*place), name), *place);
            let mut found: Vec<_> = places.map(instance).collect();
            found.sort_unstable();
            found
        });
        let all = results.iter().chain(&messages).chain(&seals);
        self.highest = all.filter_map(|(instance, _)| *instance).max().unwrap_or(0);
        if self.highest.max(seals.len()) > SETS_MAX {
            return Err(ArcProblem::TooLong { limit: SETS_MAX });
        }
        if results.len() != seals.len() || messages.len() != seals.len() {
            return Err(ArcProblem::Structure);
        }
        let sets = results.into_iter().zip(messages).zip(seals);
        for (expected, ((results, message), seal)) in (1..).zip(sets) {
            if [results.0, message.0, seal.0] != [Some(expected); 3] {
                return Err(ArcProblem::Structure);
            }
            self.sets.push(set(fields, [results.1, message.1, seal.1]));
        }
        self.check_seals()
    }

    /// [RFC 8617 §5.2] what the seals say of those before them.
    fn check_seals(&self) -> Result<(), ArcProblem> {
        for (instance, set) in (1..).zip(&self.sets) {
            let field = |field, problem| ArcProblem::Field { field, instance, problem };
            let sealing = set.sealing.as_ref();
            let sealing = sealing.map_err(|problem| field(SEAL, problem.clone()))?;
            match (sealing.validation, instance) {
                (Validation::Fail, _) => return Err(ArcProblem::SealedBroken { instance }),
                (Validation::None, 1) | (Validation::Pass, 2..) => {}
                _ => return Err(field(SEAL, DkimProblem::BadTag { tag: "cv" })),
            }
        }
        match self.sets.last().map(|set| &set.signature) {
            Some(Err(problem)) => {
                let (instance, problem) = (self.sets.len(), problem.clone());
                Err(ArcProblem::Field { field: MESSAGE, instance, problem })
            }
            _ => Ok(()),
        }
    }

    /// The signature over the content as the last of the chain handed it on.
    pub(crate) fn message_signature(&self) -> Option<&Signature> {
        let set = self.sets.last().filter(|_| self.problem.is_none());
        set.and_then(|set| set.signature.as_ref().ok())
    }

    /// Where the keys of the seals are.
    pub(crate) fn seal_keys(&self) -> impl Iterator<Item = &DomainName> {
        let sets = self.sets.iter().filter(|_| self.problem.is_none());
        sets.filter_map(|set| set.sealing.as_ref().ok()).map(|sealing| &sealing.signer.key_name)
    }

    fn instances(&self) -> Vec<ArcInstance> {
        let instances = self.sets.iter().map(|set| {
            let signer = set.sealing.as_ref().ok().map(|sealing| &sealing.signer);
            ArcInstance {
                domain: signer.map(|signer| signer.domain.clone()).unwrap_or_default(),
                selector: signer.map(|signer| signer.selector.clone()).unwrap_or_default(),
                results: set.text.clone(),
            }
        });
        instances.collect()
    }

    /// [RFC 8617 §5.2] the signature of the last set, and every seal.
    fn verify(
        &self,
        content: &ScannedContent,
        fields: &HeaderFields,
        keys: &Keys,
        unix_seconds: u64,
    ) -> Result<(), ArcProblem> {
        let last = self.sets.len();
        if let (Some(signature), Some(set)) = (self.message_signature(), self.sets.last()) {
            let checked = check(content, fields, signature, set.message, keys, unix_seconds);
            let field = |problem| ArcProblem::Field { field: MESSAGE, instance: last, problem };
            checked.map_err(field)?;
        }
        let mut octets = Vec::new();
        for (instance, set) in (1..).zip(&self.sets) {
            let Ok(sealing) = &set.sealing else { continue };
            write_before_seal(fields, set, &mut octets);
            let sealed = octets.len();
            fields.write_unsigned(set.seal, Canonicalization::Relaxed, &mut octets);
            let signer = &sealing.signer;
            let key = keys.get(&signer.key_name);
            let checked =
                key.and_then(|key| key.verify(signer.algorithm, &octets, &signer.signature));
            let field = |problem| ArcProblem::Field { field: SEAL, instance, problem };
            checked.map_err(field)?;
            octets.truncate(sealed);
            fields.write(set.seal, Canonicalization::Relaxed, &mut octets);
        }
        Ok(())
    }

    /// What a new seal covers of the sets before it.
    pub(super) fn write_sealed(&self, fields: &HeaderFields, octets: &mut Vec<u8>) {
        for set in &self.sets {
            write_before_seal(fields, set, octets);
            fields.write(set.seal, Canonicalization::Relaxed, octets);
        }
    }
}

/// [RFC 8617 §5.1.1] the order of a set in what a seal covers.
fn write_before_seal(fields: &HeaderFields, set: &Set, octets: &mut Vec<u8>) {
    fields.write(set.results, Canonicalization::Relaxed, octets);
    fields.write(set.message, Canonicalization::Relaxed, octets);
}

/// Judges the chain of `content` at a time in seconds of Unix time.
pub fn verify(content: &ScannedContent, keys: &Keys, unix_seconds: u64) -> ArcVerdict {
    let chain = &content.chain;
    let verdict = |result, problem| ArcVerdict { result, problem, instances: chain.instances() };
    let Some(fields) = &content.fields else {
        return verdict(ArcResult::Fail, Some(ArcProblem::HeaderTooLarge));
    };
    if let Some(problem) = &chain.problem {
        return verdict(ArcResult::Fail, Some(problem.clone()));
    }
    if chain.sets.is_empty() {
        return verdict(ArcResult::None, None);
    }
    match chain.verify(content, fields, keys, unix_seconds) {
        Ok(()) => verdict(ArcResult::Pass, None),
        Err(problem) => verdict(problem.result(), Some(problem)),
    }
}

/// The instance of a field, 1 to 999 999 (RFC 8617 §4.2.1 ends at 50).
fn instance(value: &[u8], field: &str) -> Option<usize> {
    let value =
        if field == RESULTS { results_parts(value)?.0 } else { TagList::parse(value)?.get("i")? };
    let instance = usize::try_from(number(value, 6)?).ok()?;
    Some(instance).filter(|instance| *instance > 0)
}

/// [RFC 8617 §4.1.1] `i=` stands first; behind the semicolon is what was found.
fn results_parts(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let semicolon = value.iter().position(|octet| *octet == b';')?;
    let (first, rest) = value.split_at_checked(semicolon)?;
    let number = trim(trim(first).strip_prefix(b"i")?).strip_prefix(b"=")?;
    Some((trim(number), rest.get(1..)?))
}

fn set(fields: &HeaderFields, [results, message, seal]: [usize; 3]) -> Set {
    let text = results_parts(fields.value(results)).map(|(_, text)| text).unwrap_or_default();
    let malformed = DkimProblem::Malformed;
    let signature = TagList::parse(fields.value(message)).ok_or_else(|| malformed.clone());
    let sealing = TagList::parse(fields.value(seal)).ok_or(malformed);
    Set {
        results,
        message,
        seal,
        text: unfolded(text),
        signature: signature.and_then(|tags| Signature::parse(&tags, Kind::ArcMessage)),
        sealing: sealing.and_then(|tags| Sealing::parse(&tags)),
    }
}

/// One line, in which control characters are spaces.
fn unfolded(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(trim(text));
    let words = text.split(|c: char| c.is_control() || c == ' ').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

impl Sealing {
    fn parse(tags: &TagList<'_>) -> Result<Self, DkimProblem> {
        // [RFC 8617 §4.1.3] a seal chooses no fields.
        if tags.get("h").is_some() {
            return Err(DkimProblem::BadTag { tag: "h" });
        }
        let validation = match tags.get("cv") {
            Some(b"none") => Validation::None,
            Some(b"pass") => Validation::Pass,
            Some(b"fail") => Validation::Fail,
            Some(_) => return Err(DkimProblem::BadTag { tag: "cv" }),
            None => return Err(DkimProblem::Missing { tag: "cv" }),
        };
        if tags.get("t").is_some_and(|time| number(time, 12).is_none()) {
            return Err(DkimProblem::BadTag { tag: "t" });
        }
        let signer = Signer::parse(tags)?;
        match signer.algorithm {
            DkimAlgorithm::RsaSha1 => Err(DkimProblem::Sha1),
            _ => Ok(Self { signer, validation }),
        }
    }
}
